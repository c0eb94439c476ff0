"""How does one layer pass values forward and derivatives backward?

Every layer obeys one contract:

    y, cache = layer.forward(x)             what backward needs is in the cache, never on the layer
    dx = layer.backward(dy, cache)          dNAME is dL/dNAME and has NAME's shape

`backward` overwrites the gradients of the layer's own parameters and changes neither dy nor the cache. With
`need_dx=False` it skips dx: the first layer of a network has no one to hand it to, and saves a matrix product.

Backpropagation is the chain rule, read from the loss to the input. For a dense layer, y_nj = sum_i x_ni W_ij + b_j:

    dL/dW_ij = sum_n x_ni dL/dy_nj          dW = x^T dy
    dL/db_j  = sum_n dL/dy_nj               db = sum of dy over the examples
    dL/dx_ni = sum_j dL/dy_nj W_ij          dx = dy W^T

and an activation y = f(x) works on each number alone: dx = f'(x) dy.
"""
from math import prod

import numpy as np

from scratchvae.checking import entry, float_type, generator, integer, size
from scratchvae.extending import Saveable, not_given


class Bound:
    """What is a view into one vector, or holds such views, is written into and never replaced: W[...] = ..."""

    bound = frozenset()  # names of these attributes

    def __setattr__(self, name, value):
        if name in self.bound and value is not getattr(self, name):  # which it is after W *= 2
            raise AttributeError(f"{name}: is part of one vector that is trained, and {type(self).__name__} would go "
                                 "on with what it was; write into its arrays, as W[...] = ..., or make a new model")
        super().__setattr__(name, value)


class Layer(Bound, Saveable):
    """What a layer has in common with a network of layers: parameters that live in a slice of one vector.

    A layer of your own gives `forward` and `backward`, as above. If it has parameters, its constructor sets `shapes`
    and calls `bind` with their first values and a gradient of zeros, two new vectors; `backward` writes into dNAME. An
    activation has none, and a constructor without arguments: `VAE(..., activation=Swish)`.
    """

    shapes = {}  # parameter name -> shape, in the order in which they lie in theta
    taken = False  # whether a network's vector holds the parameters

    def forward(self, x):
        """y, and what `backward` needs to know."""
        raise not_given(self, Layer.forward)

    def backward(self, dy, cache, need_dx=True):
        """dL/dx, or None without `need_dx`; writes dL/dNAME into dNAME, for every parameter."""
        raise not_given(self, Layer.backward)

    @property
    def n_parameters(self):
        """How many trainable numbers the layer holds."""
        return sum(prod(shape) for shape in self.shapes.values())

    def bind(self, theta, grad):
        """Make the parameters views into `theta` and their gradients views into `grad`, both (n_parameters,)."""
        views, start = {"theta": theta, "grad": grad}, 0
        for name, shape in self.shapes.items():
            stop = start + prod(shape)
            views |= {name: theta[start:stop].reshape(shape), "d" + name: grad[start:stop].reshape(shape)}
            start = stop
        vars(self).update(views, bound=frozenset(views))

    def __setstate__(self, state):
        """A copy or a pickle holds arrays where there were views: bind again."""
        vars(self).update(state, taken=False)
        if self.n_parameters:
            self.bind(self.theta, self.grad)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{name} {shape}' for name, shape in self.shapes.items())})"

    def named_parameters(self):
        """Parameter name -> view into theta, in the order of theta."""
        return {name: getattr(self, name) for name in self.shapes}


class Dense(Layer):
    """y = x W + b.        x : (N, n_in)      y : (N, n_out)

    W and b start uniform in +-1/sqrt(n_in): numbers of order one come out as numbers of order one, however many go in.
    Source: LeCun et al. 1998, section 4.6; the uniform form is the frameworks' default.
    """

    @entry(n_in=size, n_out=lambda name, value, n_in: integer(name, value, each=n_in), rng=generator, dtype=float_type)
    def __init__(self, n_in, n_out, *, rng, dtype=np.float32):
        self.shapes = {"W": (n_in, n_out), "b": (n_out,)}
        theta = rng.random(self.n_parameters, dtype)
        theta -= 0.5
        theta *= 2 / np.sqrt(n_in)
        self.bind(theta, np.zeros_like(theta))

    def forward(self, x):
        # y = x W + b
        y = x @ self.W
        y += self.b
        return y, x

    def backward(self, dy, x, need_dx=True):
        # dW = x^T dy        db = sum_n dy_n        dx = dy W^T
        np.matmul(x.T, dy, out=self.dW)
        dy.sum(axis=0, out=self.db)
        return dy @ self.W.T if need_dx else None


class Tanh(Layer):
    """y = tanh(x)."""

    def forward(self, x):
        y = np.tanh(x)
        return y, y

    def backward(self, dy, y, need_dx=True):
        # tanh'(x) = 1 - tanh(x)^2
        return dy * (1 - y * y) if need_dx else None


class ReLU(Layer):
    """y = max(x, 0), written as x times a mask: the same mask carries the derivative back."""

    def forward(self, x):
        mask = x > 0
        return x * mask, mask

    def backward(self, dy, mask, need_dx=True):
        # relu'(x) = [x > 0]
        return dy * mask if need_dx else None


class Sigmoid(Layer):
    """y = 1 / (1 + e^-x) = (1 + tanh(x / 2)) / 2, which never overflows."""

    def forward(self, x):
        y = 0.5 + 0.5 * np.tanh(0.5 * x)
        return y, y

    def backward(self, dy, y, need_dx=True):
        # sigmoid'(x) = sigmoid(x) (1 - sigmoid(x))
        return dy * (y * (1 - y)) if need_dx else None


class Append(Layer):
    """y = [x, c]: `n` learned numbers that do not depend on x, the same for every example.

    The last layer of a decoder whose observation model shares parameters between examples, as one variance for all.
    """

    @entry(n=integer, dtype=float_type)
    def __init__(self, n, *, dtype=np.float32):
        self.shapes = {"c": (n,)}
        self.bind(np.zeros(n, dtype), np.zeros(n, dtype))

    def forward(self, x):
        return np.concatenate([x, np.broadcast_to(self.c, (len(x), len(self.c)))], axis=1), None

    def backward(self, dy, cache, need_dx=True):
        # dc = sum_n dy_n over the appended columns        dx = dy over the others
        n = len(self.c)
        dy[:, -n:].sum(axis=0, out=self.dc)
        return dy[:, :-n] if need_dx else None


ACTIVATIONS = {"tanh": Tanh, "relu": ReLU, "sigmoid": Sigmoid}
