"""Which number stopped being one? The first tensor of a run that holds NaN or infinity."""
import numpy as np


def where_not_finite(run, where, terms):
    """Name the first tensor that is not finite: a parameter, a gradient, a moment, else the loss alone."""
    views = run.model.named_parameters()
    others, start = {}, 0
    for name, view in views.items():
        others[f"gradient of {name}"] = run.model.grad[start:start + view.size]
        start += view.size
    others |= {f"optimizer.{name}": array for name, array in run.optimizer.state().items()}
    bad = [name for name, array in {**views, **others}.items() if not np.isfinite(array).all()]
    return (f"the loss is {terms.loss} at {where}; first tensor that is not finite: {(bad or ['the loss alone'])[0]}; "
            "try a smaller learning rate, or data on a smaller scale")
