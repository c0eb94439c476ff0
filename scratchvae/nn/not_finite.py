"""Which number stopped being one? The first tensor of a run that holds NaN or infinity."""
import numpy as np


def refuse_not_finite(run, terms, where, arrays=()):
    """Nothing, if the loss and the arrays are finite; else FloatingPointError, with the epoch, `where` in it and the tensor.

    TypeError, if `terms` are no loss terms at all: the model is someone's own, and new.
    """
    if "loss" not in getattr(terms, "_fields", ()):
        raise TypeError(f"model: want a namedtuple with a `loss` from {type(run.model).__name__}, got {terms!r:.80}")
    if not (np.isfinite(terms.loss) and all(np.isfinite(array).all() for array in arrays)):
        raise FloatingPointError(
            f"the loss is {terms.loss} at epoch {run.epoch + 1}, {where}; first tensor that is not finite: {culprit(run)}; "
            "try a smaller learning rate, or data on a smaller scale")


def culprit(run):
    """The name of the first tensor that is not finite: a parameter, a gradient, a moment, else the loss alone."""
    views = run.model.named_parameters()
    others, start = {}, 0
    for name, view in views.items():
        others[f"gradient of {name}"] = run.model.grad[start:start + view.size]
        start += view.size
    others |= {f"optimizer.{name}": array for name, array in run.optimizer.state().items()}
    return next((name for name, a in {**views, **others}.items() if not np.isfinite(a).all()), "the loss alone")
