"""What does `fit` refuse? Models, data, optimizers, callbacks before anything is changed, and numbers that are none."""
import re
from inspect import signature
from math import isfinite
from pathlib import Path

import numpy as np

from scratchvae.checking import (MAX_NUMBERS, as_constructed, class_labels, integer, numeric_array, only, path, shaped,
                                 whole)
from scratchvae.extending import not_given
from scratchvae.nn.callbacks import Callback, Function
from scratchvae.nn.examples import ByRow, Drawn, Held, called
from scratchvae.nn.model import Model
from scratchvae.nn.optimizers import Adam, Optimizer


def trainable(name, model):
    """`model`, if it has what `fit` calls, and settings that its constructor would take."""
    needed = ("accept", "forward_backward")
    if isinstance(model, type) or not all(hasattr(model, each) for each in (*needed, "theta", "grad")):
        raise TypeError(f"{name}: want a model that `fit` can train, as VAE(...), got {model!r}")
    for each in needed:
        _refuse_missing(model, each)
    as_constructed(f"{name}.observation", getattr(model, "observation", None))
    return as_constructed(name, model)


def training_data(name, X, model, labels, rng):
    """Where the examples come from: X and labels, if any; arrays, a function of the generator, or rows by index."""
    labels = () if labels is None else (labels,)
    if is_function(X):
        return Drawn(name, X, lambda X: _examples(name, X, labels, model), rng)
    return _examples(name, X, labels, model, given=(X, *labels))


def validation_data(name, valid, model):
    """The same of held-out X or (X, labels), as arrays."""
    _refuse_missing(model, "evaluate")
    given = [_one_draw(name, each) for each in (valid if isinstance(valid, tuple) else (valid,))]
    return Held(name, _accepted(model, given, name), given)


def _one_draw(name, X):
    """X as it can be held in memory: of a function what it gives for the seed 0, and of rows by index all."""
    X = called(name, X, np.random.default_rng(0)) if is_function(X) else X
    return X[np.arange(X.shape[0])] if is_by_row(X) and not isinstance(X, np.ndarray) else X


def is_function(X):
    """Whether it is to be called: a function or an object with `__call__`, not a class, and nothing with a shape."""
    return callable(X) and not isinstance(X, type) and not hasattr(X, "shape")


def is_by_row(X):
    """Whether it is read by row: a memory map, or what is no array but has a shape (N, D), a dtype and X[indices]."""
    if isinstance(X, np.ndarray):
        return isinstance(X, np.memmap) and X.ndim == 2
    try:
        return isinstance(X.dtype, np.dtype) and (len(X), len(X.shape)) == (X.shape[0], 2) and hasattr(X, "__getitem__")
    except (AttributeError, TypeError):  # a list; a sparse matrix, which has no length
        return False


def list_of_callbacks(name, callbacks):
    """The callbacks as a list, plain functions made into callbacks."""
    only(name, callbacks, lambda v: isinstance(v, (list, tuple)) and all(
        isinstance(c, Callback) or callable(c) and not isinstance(c, type) for c in v),
        "want a list of callbacks, such as Progress(), or functions, got {0!r}", TypeError)
    callbacks = [c if isinstance(c, Callback) else Function(c) for c in callbacks]
    for i, callback in enumerate(callbacks):
        whole(f"{name}[{i}].settled", as_constructed(f"{name}[{i}]", callback).settled)
    return callbacks


def at_once(name, value, model, X):
    """`value` as a batch size, if the widest layer of a step on so many rows, `n_samples` of each, is not too large."""
    rows, width = min(integer(name, value), len(X)), getattr(model, "width", 1)
    samples = getattr(model, "n_samples", 1)
    if rows * samples * width > MAX_NUMBERS:
        times, also = (f" times {samples} samples", ", n_samples") if samples > 1 else ("", "")
        raise ValueError(f"{name}{also}: {rows} rows{times} times {width} numbers, as the widest layer has, are more "
                         f"than {MAX_NUMBERS}, the most at once")
    return int(value)


def optimizer_for(name, optimizer, model):
    """The optimizer, by default Adam; not one whose moments are another model's."""
    optimizer = Adam() if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{name}: want SGD(...), Adam(...) or a subclass of Optimizer, got {optimizer!r}")
    if optimizer.t and optimizer.theta is not None and optimizer.theta is not model.theta:
        raise ValueError(f"{name}: want a new one; this one has taken {optimizer.t} steps with another model, whose "
                         "moments it would carry into this one")
    return as_constructed(name, optimizer)


names_of_settings = lambda name, value, checkpoint: only(  # which there are, the checkpoint knows
    name, only(name, value, lambda v: isinstance(v, (list, tuple)), "want a list of settings' names, as ['lr'], "
               "got {0!r}", TypeError), lambda names: checkpoint is not None or not names,
    "want nothing without a checkpoint, from which a run could differ, got {0}")
path_in_a_folder = lambda name, value: only(
    name, path(name, value), lambda v: Path(v).parent.is_dir(), "want a path in a folder that is there, got {0!r}")


def refuse_not_finite(run, terms, where, arrays=()):
    """Nothing, if the loss and the arrays are finite; else FloatingPointError, with epoch, `where` in it and tensor.

    TypeError, if `terms` are no loss terms at all: the model is someone's own, and new.
    """
    if "loss" not in getattr(terms, "_fields", ()):
        raise TypeError(f"model: want a namedtuple with a `loss` from {type(run.model).__name__}, got {terms!r:.80}")
    if not (isfinite(terms.loss) and all(np.isfinite(array).all() for array in arrays)):
        after = " before the step and its result is not finite" if isfinite(terms.loss) else ""
        raise FloatingPointError(
            f"the loss is {terms.loss}{after} at epoch {run.epoch + 1}, {where}; first tensor that is not finite: "
            f"{culprit(run)}; try a smaller learning rate, or data on a smaller scale")


def culprit(run):
    """The name of the first tensor that is not finite: a parameter, a gradient, a moment, else the loss alone."""
    views = run.model.named_parameters()
    gradients = np.split(run.model.grad, np.cumsum([view.size for view in views.values()])[:-1])
    tensors = {**views, **{f"gradient of {name}": part for name, part in zip(views, gradients)},
               **{f"optimizer.{name}": array for name, array in run.optimizer.state().items()}}
    return next((name for name, array in tensors.items() if not np.isfinite(array).all()), "the loss alone")


def _refuse_missing(model, method):
    if getattr(type(model), method, None) is getattr(Model, method):
        raise not_given(model, getattr(Model, method))


def _examples(name, X, labels, model, given=()):
    if not is_by_row(X):
        return Held(name, _accepted(model, (X, *labels), name), given)

    def look(*data, rows):
        try:
            accepted = _accepted(model, data, name, getattr(model, "accept_rows", model.accept))
            return [shaped(f"{name}[{len(rows)} indices]", each, (len(rows), *each.shape[1:])) for each in accepted]
        except ValueError as error:  # which counts rows from the first that was read
            raise ValueError(re.sub(r"at row (\d+)", lambda row: f"at row {rows[int(row[1])]}", str(error))) from None

    only(name, X.shape, all, "got an empty array of shape {0}")
    of_classes = getattr(model, "n_classes", 1) > 1
    labels = [class_labels("labels", each, X.shape[0], model.n_classes) if of_classes
              else shaped("labels", numeric_array("labels", each), (X.shape[0],)) for each in labels]
    examples = ByRow(X, labels, look, of_classes)
    examples.take(np.unique([0, len(examples) - 1]))  # the others when their batch comes
    return examples


def _accepted(model, data, name, accept=None):
    takes_labels = "labels" in signature(model.accept).parameters and getattr(model, "n_classes", 2) > 1
    if len(data) != 1 and not takes_labels:
        raise TypeError(f"labels, valid: {type(model).__name__} learns from X alone, and wants no labels beside it")
    if not 1 <= len(data) <= 2:
        raise TypeError(f"{name}: want X or (X, labels), got {len(data)} things")
    arrays = (accept or model.accept)(*data, name=name)
    if not (isinstance(arrays, tuple) and all(isinstance(array, np.ndarray) for array in arrays)
            and len({len(array) for array in arrays}) == 1):
        raise TypeError(f"model: want a tuple of arrays of one length, as (x,), from {type(model).__name__}.accept, "
                        f"got {arrays!r:.80}")
    return arrays
