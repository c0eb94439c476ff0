"""How does a large training step use two cores? Each takes half of the batch.

    loss = 1/N sum_n loss_n        grad = N_1/N grad_1 + N_2/N grad_2        theta is one, read by both

The halves are computed by the model and by its twin, which has the same theta and a gradient of its own. They wait for
one another once in a step; inside a BLAS with two threads they would at every product (see `threads.py`).
"""
from copy import deepcopy
from functools import wraps
from weakref import WeakKeyDictionary

import numpy as np

from scratchvae.nn import layers
from scratchvae.nn.threads import by_two, halves

TWINS = WeakKeyDictionary()


def by_halves(draw):
    """A decorator for the `forward_backward` of a model whose loss is a mean over examples, each by itself.

    draw : (model, x, rng=, eps=) -> what is random in a step, by argument's name, for the whole batch (..., N, n)
    A subclass, or a layer of one's own, may bring examples together, or remember: there the batch stays whole.
    """
    def decorator(forward_backward):
        @wraps(forward_backward)
        def step(self, x, labels=None, **randomness):
            data = (x,) if labels is None else (x, labels)
            both = halves(len(x), len(x) * self.theta.size)
            if len(both) == 1 or not by_examples(self, step):
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

    def add_up(rows):
        # grad = N_1/N grad_1 + N_2/N grad_2
        model.grad[rows] *= share
        twin.grad[rows] *= others_share
        model.grad[rows] += twin.grad[rows]

    terms = by_two(lambda part: half(*part), zip((model, twin), both))
    by_two(add_up, halves(model.grad.size, np.inf))
    return type(terms[0])(*(share * ours + others_share * theirs for ours, theirs in zip(*terms)))


def by_examples(model, step):
    """Whether model and layers are the library's own, which treat each example by itself."""
    return (vars(type(model)).get("forward_backward") is step
            and all(type(layer).__module__ == layers.__name__
                    for network in model.networks.values() for layer in network.layers))


def twin_of(model):
    """The model over the same theta, with networks and a gradient of its own, and all else as it is now."""
    if model not in TWINS:
        twin = TWINS[model] = type(model).__new__(type(model))
        networks = deepcopy(model.networks)
        vars(twin).update(networks=networks, theta=model.theta, grad=np.zeros_like(model.grad), **networks)
        twin.bind()
    twin = TWINS[model]
    vars(twin).update({name: value for name, value in vars(model).items() if name not in model.bound})
    return twin
