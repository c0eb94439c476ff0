"""What does every trainable model have? One theta, one grad, a door, and one forward and backward.

A model says in `check` what data it takes and in `forward_backward` what its loss and gradient are; `loss_and_grad` is
the two in turn. `fit` checks the whole data set once and then calls `forward_backward` on its minibatches.
"""
import numpy as np

from scratchvae.checking import finite, float_type, row_blocks
from scratchvae.nn.network import pack


class Model:
    """Networks that share one parameter vector, in the order in which the data flows through them.

    theta, grad : (P,)        one array each; the networks' layers hold views into both
    """

    def __init__(self, dtype, **networks):
        self.dtype = float_type("dtype", dtype)
        self.networks = networks
        vars(self).update(networks)
        self.theta, self.grad = pack(networks.values())
        self.bind()

    def bind(self):
        """Make the networks' parameters views into `theta` and their gradients views into `grad`."""
        start = 0
        for network in self.networks.values():
            stop = start + network.n_parameters
            network.bind(self.theta[start:stop], self.grad[start:stop])
            start = stop

    def __setstate__(self, state):
        """A copy or a pickle holds arrays where there were views: bind again."""
        vars(self).update(state)
        self.bind()

    @property
    def width(self):
        """How many numbers an example takes in the widest layer."""
        return max(n for network in self.networks.values() for layer in network.layers
                   for shape in layer.shapes.values() for n in shape)

    def named_parameters(self):
        """Tensor name, as encoder.0.W -> view into theta, in the order of theta."""
        return {f"{part}.{name}": view for part, network in self.networks.items()
                for name, view in network.named_parameters().items()}

    @finite("X")
    def loss_and_grad(self, *data, **randomness):
        """The loss terms of a batch; fills `grad` with dloss/dtheta. Randomness: `rng=`, or `eps=` to hold it fixed.

        The mathematics is in `forward_backward`; this door in front of it checks the data.
        """
        return self.forward_backward(*self.check(*data), **randomness)

    def apply(self, network, x):
        """y = network(x) of many rows, in blocks: memory for the hidden layers does not grow with N."""
        return np.concatenate([network.forward(x[rows])[0] for rows in row_blocks(x, width=self.width)])

    def config(self):
        """The constructor's arguments, as JSON can hold them; with `theta` they are the whole model."""
        raise NotImplementedError

    def arrays(self):
        """What a file must hold besides `config`."""
        return {"theta": self.theta}

    def load_arrays(self, arrays):
        """Take over `arrays`, as `arrays()` gave them."""
        theta = arrays["theta"]
        if theta.shape != self.theta.shape or theta.dtype != self.theta.dtype:
            raise ValueError(f"theta: want {self.theta.dtype} {self.theta.shape}, got {theta.dtype} {theta.shape}")
        if not np.isfinite(theta).all():
            raise ValueError("theta: contains NaN or infinity")
        self.theta[:] = theta
