"""What does every trainable model have? One theta, one grad, a door, and one forward and backward.

A model says in `accept` what data it takes and in `forward_backward` what its loss and gradient are; `loss_and_grad` is
the two in turn. `fit` checks the whole data set once and then calls `forward_backward` on its minibatches.
"""
from collections import namedtuple
from inspect import signature

import numpy as np

from scratchvae.checking import door, entry, float_type, instance, integer, like, matrix, real_array, row_blocks, shaped
from scratchvae.extending import Saveable, class_named, in_one_line, not_given
from scratchvae.nn.layers import Bound
from scratchvae.nn.network import Network, pack, share_out
from scratchvae.nn.threads import by_two


# What a model's methods take: (N, n_features) in its dtype; the array that its `accept` makes; a number of new rows.
rows = lambda name, value, self: matrix(name, value, self.n_features, self.dtype)
accepted = lambda name, value, self: self.accept(value, name=name)[0]
new_rows = lambda name, value, self: integer(name, value, each=self.n_features)


class Model(Bound, Saveable):
    """Networks that share one parameter vector, in the order in which the data flows through them.

    theta, grad : (P,)        one array each; the networks' layers hold views into both
    history                   of its last training, also where that was interrupted
    standardizer              yours to set: what brought the data to its scale, saved and loaded with it, never applied

    A model of your own names its loss terms in `terms`, hands its networks to this constructor, and gives `accept`,
    `forward_backward` and, for validation, `evaluate`. `fit` trains it; `save` and `load` build it from `config`.
    """

    terms = namedtuple("Terms", "loss")  # what is minimised and what else is measured: means over examples, in nats
    history = None
    n_examples = None  # all that `fit` has, while it calls `start`
    standardizer = None

    @entry(dtype=float_type, networks=lambda _, parts: {
        name: instance(name, part, Network, "a Network") for name, part in parts.items()})
    def __init__(self, dtype, **networks):
        self.dtype, self.networks = dtype, networks
        vars(self).update(networks)
        self.theta, self.grad = pack(networks.values())
        if self.theta.dtype != self.dtype:
            raise ValueError(f"dtype: want that of the networks, {self.theta.dtype}, got {np.dtype(self.dtype)}")
        self.bind()
        self.bound = frozenset(["theta", "grad", "networks", *networks])

    def bind(self):
        """Make the networks' parameters views into `theta` and their gradients views into `grad`."""
        share_out(self.theta, self.grad, self.networks.values())

    def accept(self, X, *, name="X"):
        """The door: a tuple (x,) of arrays whose rows are examples, from the caller's data; ValueError naming `name`.

        A model that learns from labels takes (X, labels=None, name="X") and gives (x, labels).
        """
        raise not_given(self, Model.accept)

    def accept_rows(self, *data, name="X"):
        """The same door for some of the rows, which need not have what only a whole training set must."""
        return self.accept(*data, name=name)

    def forward_backward(self, *data, rng):
        """The loss `terms` of a minibatch, as `accept` gives its data; fills `grad` with dloss/dtheta."""
        raise not_given(self, Model.forward_backward)

    def evaluate(self, *data, rng):
        """The loss `terms` of many rows without a gradient, as `accept` gives its data."""
        raise not_given(self, Model.evaluate)

    def __setstate__(self, state):
        """A copy or a pickle holds arrays where there were views: bind again."""
        vars(self).update(state)
        self.bind()

    @property
    def width(self):
        """How many numbers an example takes in the widest layer."""
        return max(n for view in self.named_parameters().values() for n in view.shape)

    def named_parameters(self):
        """Tensor name, as encoder.0.W -> view into theta, in the order of theta."""
        return {f"{part}.{name}": view for part, network in self.networks.items()
                for name, view in network.named_parameters().items()}

    @door("X")
    def loss_and_grad(self, *data, **randomness):
        """The loss terms of a batch; fills `grad` with dloss/dtheta. Randomness: `rng=`, or `eps=` to hold it fixed.

        The mathematics is in `forward_backward`; this door in front of it checks the data.
        """
        return self.forward_backward(*self.accept(*data), **randomness)

    def start(self, *data):
        """Where training begins: `fit` calls it with the data before the first epoch; it changes no trained model.

        Of many rows by index x is a sample, while labels of classes are all there are, and `n_examples` counts all.
        """

    def apply(self, network, x):
        """y = network(x) of many rows, in blocks: memory for the hidden layers does not grow with N."""
        blocks = row_blocks(x, width=self.width)
        return np.concatenate(by_two(lambda rows: network.forward(x[rows])[0], blocks, [network]))

    def flow(self):
        """Its parts in order (see nn/flow.py), for `plotting.diagram`: the networks, and what comes out of each."""
        parts = []
        for name, network in self.networks.items():
            x, *inside, y = network.flow()
            parts += [*([] if parts else [x]), *inside, y._replace(name=name)]
        return parts

    def config(self):
        """The constructor's arguments (but `rng`), as JSON can hold them; with `theta` they are the whole model."""
        config = super().config()
        return {**config, "dtype": np.dtype(self.dtype).name} if "dtype" in config else config

    @classmethod
    def from_config(cls, config):
        """A model of this `config`, its parameters still to be loaded."""
        takes = signature(cls).parameters.values()
        takes_rng = any(p.name == "rng" or p.kind is p.VAR_KEYWORD for p in takes)
        return cls(**config, **({"rng": np.random.default_rng(0)} if takes_rng else {}))

    def __repr__(self):
        return in_one_line(self, f"; {self.theta.size} parameters")

    def arrays(self):
        """What a file must hold besides `config`."""
        scale = {} if self.standardizer is None else instance(
            "standardizer", self.standardizer, class_named("Standardizer"), "a Standardizer").arrays()
        for array in scale.values():
            shaped("standardizer", array, (getattr(self, "n_features", "D"),))
        return {"theta": real_array("theta", self.theta),
                **{f"standardizer.{name}": array for name, array in scale.items()}}

    def load_arrays(self, arrays):
        """Take over `arrays`, as `arrays()` gave them."""
        theta = real_array("theta", like("theta", arrays["theta"], self.theta, "the model's"))
        scale = {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith("standardizer.")}
        if scale:
            standardizer = class_named("Standardizer")()
            standardizer.load_arrays(scale)
            self.standardizer = standardizer
        self.theta[:] = theta  # last: a refused file changes nothing
