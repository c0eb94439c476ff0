"""What is worth trying? Random sizes, numbers, seeds and small networks, shared by the property tests.

All sizes of one example differ, so that a transposed or broadcast array cannot pass by accident, and all numbers are of
order one unless a test asks for more. Arrays come from a seed, which Hypothesis chooses and prints.
"""
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scratchvae.nn import layers, network

seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float32, np.float64])
activations = st.sampled_from(sorted(layers.ACTIVATIONS))


def sizes(n, low=2, high=7):
    """`n` different sizes in low..high."""
    return st.lists(st.integers(low, high), min_size=n, max_size=n, unique=True).map(tuple)


def reals(shape, bound=5.0, dtype=np.float64):
    """Arrays that shrink number by number: zeros, repeats, subnormals and the bounds come up."""
    width = np.dtype(dtype).itemsize * 8
    return hnp.arrays(dtype, shape, elements=st.floats(-bound, bound, width=width, allow_nan=False))


def rng(seed=0):
    """A fresh generator."""
    return np.random.default_rng(seed)


def normals(seed, *shape, scale=1.0, dtype=np.float64):
    """A well-scaled array of normal numbers, the same for the same seed and shape."""
    return (scale * rng((seed, *shape)).standard_normal(shape)).astype(dtype)


def shake(part, seed, scale=0.7):
    """Move all parameters of a layer or network off their special values; biases are no longer zero."""
    if part.n_parameters:
        part.theta[:] += normals(seed, part.n_parameters, scale=scale)
    return part


@st.composite
def networks(draw, max_hidden=2, max_shared=2):
    """A small float64 network with non-zero biases and an input for it: network, x."""
    n_hidden = draw(st.integers(0, max_hidden))
    n, n_in, n_out, *hidden = draw(sizes(3 + n_hidden, low=3, high=8))
    seed = draw(seeds)
    net = network.mlp(n_in, hidden, n_out, activation=draw(activations), n_shared=draw(st.integers(0, max_shared)),
                      rng=rng(seed), dtype=np.float64)
    return shake(net, seed), normals(seed + 1, n, n_in)
