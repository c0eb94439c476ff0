"""How can a network with hidden layers be made blind to the future? Masks: the MADE.

Every unit gets a degree, and whoever listens to it may rely on it: a unit of degree m depends on nothing but the first
m pixels of the order.

    hidden unit of degree m    listens to the pixels at positions t < m (the first m, positions counting from 0)
    next hidden layer          a unit of degree m' listens to units of degree m <= m'
    output of the pixel at position t, which may know the first t pixels:    listens to units of degree m <= t

Each rule keeps the promise if the layer below keeps it, so by induction the output at position t is a function of
the first t pixels alone; the first pixel's logit is its bias. Degrees run from 1 to D - 1 in equal shares, in rising
order: with the raster order every mask is a staircase.

Beside the hidden layers f every pixel before j is heard directly, as in an FVBN, which a MADE thus contains:

    a = f(x) + x (A * mask)            mask_ij = [position of i < position of j]

Containing it is not yet being no worse. Adam moves every weight by about its rate a step, so H hidden units would move
a logit far faster than a pixel heard directly does, and would have learned the training set by heart before A has found
what pairs of pixels say. With one order, three things hold them back until then:

    f(x) = b + gain h (V * mask)         they speak softly
    W of the last hidden layer           starts near 0 for few rows, beside V = 0: f = gain V relu(W x) is a product of
                                         two weights near 0, which grows as T^2 in T steps of one direction, where
                                         noise, a random walk in each, makes T of it; random units of full size would
                                         offer V hundreds of features at once, to be fitted to few rows' noise
    l2 sum W^2                           a unit that gains less than the squares of its weights in and out goes to 0;
                                         and its bias, which else wanders, and all outputs with it

A different order of the pixels is a different set of masks on the same hidden layers, with an A of its own; K orders
train one network to give K factorisations of p(x), and their average is a better density than a single one, if the
network can afford it.
Source: Germain et al. 2015, equations 8 to 14 (there degrees are drawn at random).
"""
from warnings import warn

import numpy as np

from scratchvae.checking import (a_bool, entry, float_type, generator, integer, number, optional, real_array, size,
                                 sizes)
from scratchvae.extending import described
from scratchvae.models.autoregressive import Autoregressive, Terms, pixel_order, positions
from scratchvae.models.fvbn import order_mask
from scratchvae.models.masked import Direct, MaskedDense
from scratchvae.models.pixel_params import for_params, of_pixels
from scratchvae.nn.network import Network, activation_class, activation_name
from scratchvae.probability.observation import Bernoulli


def hidden_layers(name, value):
    """`value` as the sizes of one hidden layer or more."""
    if not (hidden := sizes(name, value)):
        raise ValueError(f"{name}: want at least one hidden layer; without any, use FVBN")
    return hidden


def damping(name, value):
    """`value` as a number above 0 and not above 1."""
    return number(name, value, high=1.0, open_low=True)


def pixel_orders(name, value, n_features, n_orders):
    """`value` as n_orders permutations (n_orders, D), from that or (D,) for one."""
    orders = np.atleast_2d(real_array(name, value))
    if len(orders) != n_orders:
        raise ValueError(f"{name}: want {n_orders}, as n_orders says, got {len(orders)}")
    return np.stack([pixel_order(name, order, n_features) for order in orders])


class MADE(Autoregressive):
    """x (N, D) -> the params of each pixel given those before it, by masked hidden layers, trained by `fit`.

    hidden      sizes of the hidden layers, at least one (without any, see `FVBN`)
    n_orders    over how many orders p(x) is averaged: `log_prob` takes as many passes
    direct      whether pixels are also heard directly; without that, fewer than D - 1 units in a layer leave a pixel
                deaf to some before it, of which a UserWarning tells
    gain        of the last hidden layer's output; by default 4 / sqrt(its units), 1 at most, beside direct connections
    l2          weight of the penalty on hidden layers' weights in training, by default 5 v / N^(3/2) for N rows with
                variances of sum v (measured: enough where pairs say all; 1/N would be a prior's share, and more rows
                also mean fewer passes until A has learned). Outputs' biases and direct connections are free.
                Several orders, which share the hidden layers, hold them back: there the defaults are 1 and 2e-4, and
                no weight starts smaller
    order       (D,) for one order, (n_orders, D) for several; by default the raster, an FVBN's, for one order beside
                direct connections if each hidden layer has D - 1 units or more, otherwise drawn at random: with fewer,
                few units hear the pixel before another and not that one, and at random each hears some neighbours
    observation p(x_j given the pixels before j), each of its params an output: the logit of a binary pixel, or mean and
                scale of a grey one, `DiscretizedLogistic(n_levels)`
    """

    @entry(n_features=size, hidden=hidden_layers, n_orders=integer, direct=a_bool, gain=optional(damping),
           l2=optional(number), activation=activation_class, order=optional(pixel_orders), observation=of_pixels,
           rng=generator, dtype=float_type)
    def __init__(self, n_features, hidden=(500,), n_orders=1, *, direct=True, gain=None, l2=None, activation="relu",
                 order=None, observation=Bernoulli(), rng, dtype=np.float32):
        self.hidden, self.activation, self.direct, self.observation = hidden, activation, direct, observation
        beside_fvbn = direct and n_orders == 1
        self.gain = gain or (min(1.0, 4 / float(np.sqrt(hidden[-1]))) if beside_fvbn else 1.0)
        self.l2 = l2 if l2 is not None or n_orders == 1 else 2e-4
        self.penalty = self.l2 or 0.0  # until `start` knows how many rows there are
        if order is None:
            raster = beside_fvbn and min(hidden) >= n_features - 1
            order = np.stack([np.arange(n_features) if raster else rng.permutation(n_features)
                              for _ in range(n_orders)])
        if min(hidden) < n_features - 1 and not direct:
            warn(f"hidden: without direct connections want at least {n_features - 1} units in each layer, for every "
                 f"pixel to hear all before it, got {min(hidden)}", stacklevel=3)
        # Only the first hidden layers' start is kept; the others take over their theta.
        super().__init__(order, [self._masked_networks(each, rng, dtype) for each in order], dtype, observation)

    def _masked_networks(self, order, rng, dtype):
        *masks, last = degree_masks(order, self.hidden)
        layers = []
        for mask in (*masks, self.gain * for_params(last, self.observation)):
            layers += [self.activation()] if layers else []
            layers.append(MaskedDense(mask, rng=rng, dtype=dtype))
        layers[-1].b[:] = 0  # until `start`
        before = for_params(order_mask(order), self.observation)
        return (Network(layers), *([Network([Direct(before, dtype=dtype)])] if self.direct else []))

    def start(self, x):
        """Start at independent pixels, the last hidden layer as large and the penalty as these rows ask for."""
        untrained, N = super().start(x), self.n_examples or len(x)
        if untrained and self.direct and len(self.orders) == 1:
            self.network.layers[-3].W *= min(1, N / 50_000)
        if self.l2 is None:
            # l2 = 5 v / N^(3/2)        v = sum_j Var(x_j)
            self.penalty = 5 * float(x.var(axis=0, dtype=np.float64).sum()) / N**1.5

    def forward_backward(self, x, *, rng=None, order=None):
        """The loss terms of a batch; fills `grad`.

            loss = -1/N sum_n log p_k(x_n) + l2 sum W^2        over the hidden layers' weights that order k lets pass,
                                                               and their units' biases

        The penalty is no part of `evaluate`: a validation loss is -log p(x), and early stopping looks at nothing else.
        """
        k = self._index(rng, order)
        terms, penalty = super().forward_backward(x, order=k), 0.0
        *hidden, last = self.by_order[k][0].layers[::2]
        for layer in (*hidden, last) if self.penalty else ():
            # d l2 W^2 / dW = 2 l2 W
            W, b = layer.W * (layer.mask > 0), layer.b * (layer is not last)
            layer.dW += 2 * self.penalty * W
            layer.db += 2 * self.penalty * b
            penalty += self.penalty * (np.vdot(W, W) + b @ b)
        return Terms(terms.loss + penalty, terms.log_prob)

    @classmethod
    def from_config(cls, config):
        """A model of this `config`; a file from before there was a direct connection or a gain says nothing of it."""
        return super().from_config({"direct": False, "gain": 1.0, "l2": 0.0, **config})

    def config(self):
        return {"n_features": self.n_features, "hidden": list(self.hidden), "n_orders": len(self.orders),
                "direct": self.direct, "gain": self.gain, "l2": self.l2, "order": self.orders.tolist(),
                "activation": activation_name(self.activation), "observation": described(self.observation),
                "dtype": np.dtype(self.dtype).name}

    def arrays(self):
        return {**super().arrays(), "penalty": np.array(self.penalty)}

    def load_arrays(self, arrays):
        penalty = number("penalty", float(arrays.get("penalty", self.penalty)))
        super().load_arrays(arrays)
        self.penalty = penalty


def hidden_degrees(n_units, n_features):
    """Degrees of a hidden layer : (n_units,), 1..D-1 in equal shares, rising (0 for D = 1, where none may listen)."""
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
