"""What does `fit` refuse? Models, data, optimizers and callbacks, before anything is changed."""
from inspect import signature

import numpy as np

from scratchvae.extending import not_given
from scratchvae.nn.callbacks import Callback, Function
from scratchvae.nn.model import Model
from scratchvae.nn.optimizers import Adam, Optimizer


def checked_data(model, X, labels, valid):
    """The model's training data and its validation data or None, each a tuple of arrays of equal length."""
    needed = ("accept", "forward_backward", "theta", "grad")
    if isinstance(model, type) or not all(hasattr(model, name) for name in needed):
        raise TypeError(f"model: want a model that `fit` can train, as VAE(...), got {model!r}")
    for name in ("accept", "forward_backward", "evaluate"):
        if getattr(type(model), name, None) is getattr(Model, name) and (name != "evaluate" or valid is not None):
            raise not_given(model, getattr(Model, name))
    takes_labels = "labels" in signature(model.accept).parameters
    if not takes_labels and (labels is not None or isinstance(valid, tuple) and len(valid) != 1):
        raise TypeError(f"labels, valid: {type(model).__name__} learns from X alone, and wants no labels beside it")
    if isinstance(valid, tuple) and not 1 <= len(valid) <= 2:
        raise TypeError(f"valid: want X or (X, labels), got {len(valid)} things")
    data = model.accept(X) if labels is None else model.accept(X, labels)
    valid = valid if isinstance(valid, tuple) or valid is None else (valid,)
    valid = None if valid is None else model.accept(*valid, name="valid")
    for arrays in (data, valid):
        if arrays is not None and not (isinstance(arrays, tuple) and all(isinstance(a, np.ndarray) for a in arrays)
                                       and len({len(a) for a in arrays}) == 1):
            raise TypeError(f"model: want a tuple of arrays of one length, as (x,), from {type(model).__name__}.accept, "
                            f"got {arrays!r:.80}")
    return data, valid


def checked_callbacks(callbacks):
    """The callbacks as a list, plain functions made into callbacks."""
    if not isinstance(callbacks, (list, tuple)) or not all(
            isinstance(c, Callback) or callable(c) and not isinstance(c, type) for c in callbacks):
        raise TypeError(f"callbacks: want a list of callbacks, such as Progress(), or functions, got {callbacks!r}")
    return [c if isinstance(c, Callback) else Function(c) for c in callbacks]


def checked_optimizer(optimizer, model):
    """The optimizer, by default Adam; not one whose moments are another model's."""
    optimizer = Adam() if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer: want SGD(...), Adam(...) or a subclass of Optimizer, got {optimizer!r}")
    if optimizer.t and optimizer.theta is not None and optimizer.theta is not model.theta:
        raise ValueError(f"optimizer: want a new one; this one has taken {optimizer.t} steps with another model, whose "
                         "moments it would carry into this one")
    return optimizer
