"""How does a large training step use two cores? Each takes half of the batch.

    loss = 1/N sum_n loss_n        grad = N_1/N grad_1 + N_2/N grad_2        theta is one, read by both

The halves are computed by the model and by its twin, which has the same theta and a gradient of its own. They wait for
one another once in a step; inside a BLAS with two threads they would at every product (see `threads.py`). Two, however
many cores there are: every further share would cost a gradient, and products too small to be fast.
"""
from copy import deepcopy
from functools import wraps
from weakref import WeakKeyDictionary

import numpy as np

from scratchvae.checking import row_blocks
from scratchvae.nn.network import share_out
from scratchvae.nn.threads import IN_CACHE, by_two, halves, ours

TWINS = WeakKeyDictionary()  # model -> the twin's networks and gradient


def by_halves(draw):
    """A decorator for the `forward_backward` of a model whose loss is a mean over examples, each by itself.

    draw : (model, x, rng=, eps=) -> what is random in a step, by argument's name, for the whole batch (..., N, n)
    A model, layer or observation that is not the library's own, a subclass too, may bring examples together, or keep
    what it last saw: there the batch stays whole.
    """
    def decorator(forward_backward):
        @wraps(forward_backward)
        def step(self, x, labels=None, **randomness):
            data = (x,) if labels is None else (x, labels)
            both = halves(len(x), len(x) * self.theta.size * getattr(self, "n_samples", 1))
            if len(both) == 1 or not ours(self):
                return forward_backward(self, *data, **randomness)
            return in_halves(forward_backward, self, both, data, draw(self, x, **randomness))
        return step
    return decorator


def in_halves(forward_backward, model, both, data, randomness):
    """The terms of both halves of the batch, by model and twin; fills the model's `grad`."""
    twin = twin_of(model)
    share, others_share = [(rows.stop - rows.start) / len(data[0]) for rows in both]

    def half(model, rows):
        return forward_backward(model, *(array[rows] for array in data),
                                **{name: eps[..., rows, :] for name, eps in randomness.items()})

    def add_up(part):
        # grad = N_1/N grad_1 + N_2/N grad_2
        model.grad[part] *= share
        twin.grad[part] *= others_share
        model.grad[part] += twin.grad[part]

    terms = by_two(lambda work: half(*work), zip((model, twin), both))
    by_two(add_up, row_blocks(model.grad, IN_CACHE))
    return type(terms[0])(*(share * one + others_share * other for one, other in zip(*terms)))


def twin_of(model):
    """The model as it is now, but for networks over the same theta with a gradient of their own."""
    if model not in TWINS:
        kept = [array for network in model.networks.values() for part in (network, *network.layers)
                for array in vars(part).values() if isinstance(array, np.ndarray)]
        networks = deepcopy(model.networks, {id(array): array for array in kept})  # but for arrays, that are bound next
        grad = np.zeros_like(model.grad)
        share_out(model.theta, grad, networks.values())
        TWINS[model] = networks, grad
    networks, grad = TWINS[model]
    twin = type(model).__new__(type(model))
    vars(twin).update({**vars(model), **networks, "networks": networks, "grad": grad})
    return twin
