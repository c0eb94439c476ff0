"""How can a network with hidden layers be made blind to the future? Masks: the MADE.

Every unit gets a degree, and whoever listens to it may rely on it: a unit of degree m depends on nothing but the first m
pixels of the order.

    hidden unit of degree m    listens to the pixels at positions t < m (the first m, positions counting from 0)
    next hidden layer          a unit of degree m' listens to units of degree m <= m'
    output of the pixel at position t, which may know the first t pixels:    listens to units of degree m <= t

Each rule keeps the promise if the layer below keeps it, so by induction the output at position t is a function of
the first t pixels alone; the first pixel's logit is its bias. Degrees run from 1 to D - 1 in equal shares, in rising order:
with the raster order every mask is a staircase.

A different order of the pixels is a different set of masks on the same weights; the masks of K orders train one network
to give K factorisations of p(x), and their average is a better density than a single one, if the network can afford it.
Source: Germain et al. 2015, equations 8 to 14 (there degrees are drawn at random).
"""
import numpy as np

from scratchvae.checking import float_type, generator, integer, real_array, sizes
from scratchvae.models.autoregressive import Autoregressive, MaskedDense, pixel_order, positions
from scratchvae.nn.network import Network, activation_class, activation_name


class MADE(Autoregressive):
    """Binary x (N, D) -> the logit of each pixel given those before it, by masked hidden layers; trained by `fit`.

    hidden      sizes of the hidden layers, at least one (without any, see `FVBN`)
    n_orders    over how many orders p(x) is averaged: `log_prob` takes as many passes
    order       (D,) for one order, (n_orders, D) for several; by default the raster order, then random ones
    """

    def __init__(self, n_features, hidden=(500,), n_orders=1, *, activation="relu", order=None, rng, dtype=np.float32):
        n_features, dtype = integer("n_features", n_features, each=1), float_type("dtype", dtype)
        n_orders, rng = integer("n_orders", n_orders), generator("rng", rng)
        self.hidden, self.activation = sizes("hidden", hidden), activation_class(activation)
        if not self.hidden:
            raise ValueError("hidden: want at least one hidden layer; without any, use FVBN")
        if order is None:
            order = [pixel_order(None, n_features)] + [rng.permutation(n_features) for _ in range(n_orders - 1)]
        else:
            order = np.atleast_2d(real_array("order", order))
        if len(order) != n_orders:
            raise ValueError(f"order: want {n_orders}, as n_orders says, got {len(order)}")
        orders = np.stack([pixel_order(each, n_features) for each in order])
        # Only the first network's start is kept; the others take over its theta.
        super().__init__(orders, [self._masked_network(each, rng, dtype) for each in orders], dtype)

    def _masked_network(self, order, rng, dtype):
        layers = []
        for mask in degree_masks(order, self.hidden):
            layers += [self.activation()] if layers else []
            layers.append(MaskedDense(mask, rng=rng, dtype=dtype))
        layers[-1].b[:] = 0  # until `start`
        return Network(layers)

    def config(self):
        return {"n_features": self.n_features, "hidden": list(self.hidden), "n_orders": len(self.orders),
                "activation": activation_name(self.activation), "order": self.orders.tolist(),
                "dtype": np.dtype(self.dtype).name}


def hidden_degrees(n_units, n_features):
    """Degrees of a hidden layer : (n_units,), 1..D-1 in equal shares, rising (all 0 for D = 1, where none may listen)."""
    # m_h = ceil((h + 1) (D - 1) / H), h = 0..H-1
    return -(-np.arange(1, n_units + 1) * (n_features - 1) // n_units)


def degree_masks(order, hidden):
    """The masks of all layers, pixels -> hidden... -> pixels, for one order of the pixels; each (n_in, n_out) bool."""
    position, n_features = positions(order), len(order)
    degrees = [hidden_degrees(n, n_features) for n in hidden]
    first = position[:, None] < degrees[0]                                         # pixel t -> unit m:  t < m
    between = [m[:, None] <= m_next for m, m_next in zip(degrees, degrees[1:])]    # unit m -> unit m':  m <= m'
    last = degrees[-1][:, None] <= position                                        # unit m -> pixel t:  m <= t
    return [first, *between, last]
