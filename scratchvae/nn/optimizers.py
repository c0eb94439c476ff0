"""How does a gradient become a step? The papers' formulas, in place on the one parameter vector.

Weight decay is decoupled: every step also shrinks theta by the factor 1 - lr * weight_decay, instead of adding
weight_decay * theta to the gradient, which Adam would rescale (Loshchilov & Hutter 2019).
"""
from copy import copy

import numpy as np

from scratchvae.checking import entry, floats, integer, like, number, positive, row_blocks, share, writeable
from scratchvae.extending import Described, not_given
from scratchvae.nn.threads import by_two, ours

BEYOND_CACHE = 1 << 21  # numbers: of fewer, theta, gradient and moments stay in the last cache from pass to pass
BLOCK = 1 << 18  # measured: half as many numbers take 1.08 times as long, a quarter 1.15; twice as many as long


class Optimizer(Described):
    """What all share: the learning rate, decoupled weight decay, and moments that a checkpoint can hold.

    An optimizer of your own gives `update`, names its moments in `moments`, and keeps its constructor's arguments as
    attributes of the same names.
    """

    moments = ()  # names of the state arrays, each shaped like theta and 0 at first
    t, weight_decay = 0, 0.0  # steps taken; and for those that know no decay
    theta = grad = scratch = None  # the arrays of the last step, and room for one more

    @entry(lr=number, weight_decay=number)
    def __init__(self, lr, weight_decay=0.0):
        self.lr, self.weight_decay = lr, weight_decay

    def step(self, theta, grad):
        """Change theta in place: decay, then the formula. Arrays that are not the last step's pass a door."""
        if theta is not self.theta or grad is not self.grad:
            self.bind(theta, grad)
        self.t += 1
        if self.weight_decay:
            theta *= 1 - self.lr * self.weight_decay
        if theta.size >= BEYOND_CACHE and ours(self):  # ours work on each number by itself; another's update may not
            by_two(lambda part: self.of(part).update(theta[part], grad[part]), row_blocks(theta, BLOCK))
        else:
            self.update(theta, grad)

    def of(self, part):
        """The optimizer for a slice of theta: its moments are views of this one's, its scratch is small and warm."""
        other = copy(self)
        for name in self.moments:
            setattr(other, name, getattr(self, name)[part])
        other.scratch = np.empty_like(self.scratch[part])
        return other

    def update(self, theta, grad):
        """The formula: changes theta and the moments in place; t counts this step already, grad is left as it is."""
        raise not_given(self, Optimizer.update)

    @entry(theta=lambda name, value, self: _as_before(name, writeable(name, value), self),
           grad=lambda name, value, theta: like(name, floats(name, value), theta, "theta"))
    def bind(self, theta, grad):
        """The door: two arrays of floats of one shape, the first step's if it was taken; makes room for the moments."""
        if self.t == 0:
            for name in self.moments:
                setattr(self, name, np.zeros_like(theta))
        self.scratch = np.empty_like(theta)
        self.theta, self.grad = theta, grad

    def __getstate__(self):
        """A copy or a pickle moves other arrays than ours."""
        return {name: value for name, value in vars(self).items() if name not in ("theta", "grad", "scratch")}

    def state(self):
        """The number of steps and the moments, as arrays."""
        return {"t": np.array(self.t), **{name: getattr(self, name) for name in self.moments if hasattr(self, name)}}

    def load_state(self, state):
        """Continue where `state` was taken."""
        self.t = integer("t", int(state["t"]), low=0)
        self.theta = self.grad = None
        for name in self.moments:
            vars(self).pop(name, None)
            if self.t or name in state:
                setattr(self, name, state[name].copy())


def _as_before(name, theta, optimizer):
    """theta, if it has the shape and dtype of what the optimizer moved before, or if that was nothing."""
    for kept in [optimizer.theta, *(getattr(optimizer, moment) for moment in optimizer.moments)] if optimizer.t else ():
        theta = theta if kept is None else like(name, theta, kept, "in the first step")
    return theta


class SGD(Optimizer):
    """Gradient descent with momentum.

        v = momentum * v + g
        theta = theta - lr * v

    Source: Sutskever et al. 2013, with the learning rate outside the velocity.
    """

    moments = ("v",)

    @entry(momentum=share)
    def __init__(self, lr, momentum=0.0, *, weight_decay=0.0):
        super().__init__(lr, weight_decay)
        self.momentum = momentum

    def update(self, theta, grad):
        # v = momentum * v + g
        self.v *= self.momentum
        self.v += grad
        # theta = theta - lr * v
        theta -= np.multiply(self.v, self.lr, out=self.scratch)


class Adagrad(Optimizer):
    """Adagrad: the more a coordinate's gradients have been in all, the shorter its steps; they only shrink.

        G = G + g^2
        theta = theta - lr * g / (sqrt(G) + eps)

    Source: Duchi, Hazan & Singer 2011, figure 1. Kingma & Welling 2014 trained by it, with lr of 0.01 to 0.1.
    """

    moments = ("G",)

    @entry(eps=positive)
    def __init__(self, lr=1e-2, *, eps=1e-8, weight_decay=0.0):
        super().__init__(lr, weight_decay)
        self.eps = eps

    def update(self, theta, grad):
        step = self.scratch
        # G = G + g^2
        self.G += np.multiply(grad, grad, out=step)
        # theta = theta - lr * g / (sqrt(G) + eps)
        np.sqrt(self.G, out=step)
        step += self.eps
        np.divide(grad, step, out=step)
        step *= self.lr
        theta -= step


class Adam(Optimizer):
    """Adam: steps of about lr in every coordinate, whatever the gradient's scale.

        m = beta1 m + (1 - beta1) g             v = beta2 v + (1 - beta2) g^2
        theta = theta - lr * m_hat / (sqrt(v_hat) + eps)
        m_hat = m / (1 - beta1^t)               v_hat = v / (1 - beta2^t)

    `m` and `v` are kept divided by 1 - beta1 and 1 - beta2, which saves two passes over theta; the constant factors
    go into the step size and into eps.
    Source: Kingma & Ba 2015, algorithm 1.
    """

    moments = ("m", "v")

    @entry(beta1=share, beta2=share, eps=positive)
    def __init__(self, lr=1e-3, *, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
        super().__init__(lr, weight_decay)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps

    def update(self, theta, grad):
        m, v, step = self.m, self.v, self.scratch
        # m / (1 - beta1) = beta1 m / (1 - beta1) + g
        m *= self.beta1
        m += grad
        # v / (1 - beta2) = beta2 v / (1 - beta2) + g^2
        v *= self.beta2
        v += np.multiply(grad, grad, out=step)
        # m_hat = m_scale m        sqrt(v_hat) = v_scale sqrt(v)
        m_scale = (1 - self.beta1) / (1 - self.beta1**self.t)
        v_scale = ((1 - self.beta2) / (1 - self.beta2**self.t)) ** 0.5
        # theta = theta - lr m_hat / (sqrt(v_hat) + eps)
        np.sqrt(v, out=step)
        step += self.eps / v_scale
        np.divide(m, step, out=step)
        step *= self.lr * m_scale / v_scale
        theta -= step


def clip(grad, limit):
    """Shorten the whole gradient, in place, to the norm `limit` if it is longer; its direction stays.

        g = g min(1, limit / |g|)

    Source: Pascanu, Mikolov & Bengio 2013, algorithm 1.
    """
    norm = np.sqrt(grad @ grad)
    if norm == np.inf:  # the squares are too large, not the numbers: |g| = a |g / a|
        largest = np.float64(np.abs(grad).max())
        norm = largest * np.linalg.norm(grad / largest)
    if norm > limit:
        grad *= limit / norm
