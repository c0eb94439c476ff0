"""How do layers become one function of one vector?

All trainable numbers of a model are one contiguous vector `theta`, and their gradient is `grad`, the same length; the
layers hold reshaped views into both. So an optimizer step is one formula on one vector, a gradient check is a function
of a vector, and a checkpoint is one array.
"""
from inspect import signature

import numpy as np

from scratchvae.checking import entry, integer, sizes
from scratchvae.extending import class_name, class_named
from scratchvae.nn.flow import Array, through, width_in
from scratchvae.nn.layers import ACTIVATIONS, Append, Dense, Layer
from scratchvae.nn.threads import one_thread


def layers_once(name, value):
    """`value` as a tuple of layers, at least one, each with parameters there once."""
    layers = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    wrong = [layer for layer in layers if not isinstance(layer, Layer)]
    if wrong or not layers:
        raise TypeError(f"{name}: want at least one layer and nothing else, got {wrong or 'none'}")
    with_parameters = [id(layer) for layer in layers if layer.n_parameters]
    if len(set(with_parameters)) < len(with_parameters):
        raise ValueError(f"{name}: want each layer with parameters once; shared weights would need added gradients")
    return layers


def activation_class(name, value):
    """Tanh, ReLU or Sigmoid by its name in lower case; or by its class any `Layer` that is made without arguments."""
    if isinstance(value, str) and (value in ACTIVATIONS or "." in value):
        return ACTIVATIONS.get(value) or class_named(value, Layer)
    try:
        signature(value).bind()
        good = issubclass(value, Layer)
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(f"{name}: want one of {', '.join(ACTIVATIONS)}, or a subclass of Layer that is made without "
                         f"arguments, got {value!r}")
    return value


class Network(Layer):
    """Layers in sequence: y = f_L(... f_2(f_1(x))). A network is itself a layer, of all its layers' parameters.

    It takes over its layers' parameters: they become views into `network.theta`, with the values they had. So a layer
    can be part of one network only, and a network of one model.
    """

    @entry(layers=layers_once)
    def __init__(self, layers):
        self.layers = layers
        self.bind(*pack(layers))

    @property
    def n_parameters(self):
        return sum(layer.n_parameters for layer in self.layers)

    def bind(self, theta, grad):
        vars(self).update(theta=theta, grad=grad, bound=frozenset(["theta", "grad", "layers"]))
        share_out(theta, grad, self.layers)

    def __repr__(self):
        return f"Network({', '.join(map(repr, self.layers))})"

    def named_parameters(self):
        return {f"{i}.{name}": view for i, layer in enumerate(self.layers)
                for name, view in layer.named_parameters().items()}

    def flow(self):
        """Its parts in order (see nn/flow.py), for `plotting.diagram`."""
        parts, n_out = through(self)
        return [Array("x", ("N", width_in(self))), *parts, Array("y", ("N", n_out))]

    def forward(self, x):
        caches = []
        with one_thread():
            for layer in self.layers:
                x, cache = layer.forward(x)
                caches.append(cache)
        return x, caches

    def backward(self, dy, caches, need_dx=True):
        with one_thread():
            for i in reversed(range(len(self.layers))):
                dy = self.layers[i].backward(dy, caches[i], need_dx=need_dx or i > 0)
        return dy


def pack(parts):
    """One theta with the values of all parts in turn, and one grad of zeros, ready for `bind`.

    Parts without parameters take no room. ValueError if the parts have several dtypes, or belong to another network.
    """
    for part in parts:
        if part.taken and part.n_parameters:
            raise ValueError(f"layers: {part!r} is part of another network or model, which would lose it; want a new "
                             "one, or a copy.deepcopy of it")
    thetas = [part.theta for part in parts if part.n_parameters]
    if len({theta.dtype for theta in thetas}) > 1:
        raise ValueError(f"layers: want one dtype, got {sorted({str(theta.dtype) for theta in thetas})}")
    theta = np.concatenate(thetas) if thetas else np.zeros(0, np.float32)
    return theta, np.zeros_like(theta)


def share_out(theta, grad, parts):
    """Bind every part to its slice of both vectors, in turn."""
    start = 0
    for part in parts:
        stop = start + part.n_parameters
        part.bind(theta[start:stop], grad[start:stop])
        part.taken = True
        start = stop


@entry(hidden=sizes, n_out=integer, activation=activation_class,
       n_shared=lambda name, value, n_out: integer(name, value, low=0, high=n_out - 1))
def mlp(n_in, hidden, n_out, *, activation="relu", n_shared=0, rng, dtype=np.float32):
    """Dense layers n_in -> hidden... -> n_out with `activation` between them and none after the last.

    The last `n_shared` of the n_out outputs are learned constants (see `Append`). `activation` is a name or a class.
    """
    layers = []
    for n in hidden:
        layers += [Dense(n_in, n, rng=rng, dtype=dtype), activation()]
        n_in = n
    layers.append(Dense(n_in, n_out - n_shared, rng=rng, dtype=dtype))
    layers[-1].b[:] = 0  # until the data say where to start: see `start_outputs`
    if n_shared:
        layers.append(Append(n_shared, dtype=dtype))
    return Network(layers)


def start_outputs(network, params, spread):
    """Let a network's outputs start at `params` (n_out,) whatever its input is, varying with it `spread` (n_out,) times
    as much as they would.

    returns : False, and nothing is done, if it is trained; untrained it is while its last bias is 0, as `mlp` leaves it
    """
    n = 1 + isinstance(network.layers[-1], Append)
    dense, *append = network.layers[-n:]
    if dense.b.any() or any(layer.c.any() for layer in append):
        return False
    n_dense = len(dense.b)
    dense.W *= spread[:n_dense]
    dense.b[:] = params[:n_dense]
    for layer in append:
        layer.c[:] = params[n_dense:]
    return True


def activation_name(cls):
    """What `activation_class` takes for it, and a file can hold."""
    return next((name for name, ours in ACTIVATIONS.items() if ours is cls), class_name(cls))
