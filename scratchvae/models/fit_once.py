"""What do models share that are fitted once? Options, fitted attributes, and a file that holds both.

Their names are scikit-learn's: `fit(X)`, `transform`, `inverse_transform`, attributes that end in _ and that `fit`
sets, and `get_params` and `set_params`, by which its Pipeline copies and tunes its steps (`benchmarks/pipeline.py`).
"""
from types import SimpleNamespace
from warnings import warn

import numpy as np

from scratchvae.checking import entry, float_matrix, only, real_array
from scratchvae.extending import Saveable
from scratchvae.probability.gaussian import varies


def fitted(name, value):
    """A check of self: `value` once its `fit` has been called."""
    if not hasattr(value, next(iter(value.FITTED))):
        raise ValueError(f"this {type(value).__name__} is not fitted yet; call fit(X) first")
    return value


def options(**checks):
    """An `entry` whose arguments are kept as they were given: scikit-learn's `clone` wants the very same back."""
    as_given = lambda check: lambda name, value: (check(name, value), value)[1]
    return entry(**{name: as_given(check) for name, check in checks.items()})


points = lambda name, value, self: float_matrix(name, value, self.n_features_in_)  # (N, D), once `fit` knows D
several_rows = lambda name, value: only(
    name, float_matrix(name, value), lambda X: len(X) > 1,
    "want at least 2 rows, for one point has no variance, got {0.shape[0]}")
varied = lambda name, X: only(
    name, X, lambda X: varies(X).any(), "want rows that differ; all its columns are constant")


def warn_of_em(max_iter, tol, gain, otherwise=""):
    """A warning, where expectation-maximisation ended with its last turn and not with a `gain` below `tol`."""
    if gain >= tol:
        warn(f"max_iter: after {max_iter} turns EM {f'still gains {gain:.1g}' if gain < np.inf else 'may still gain'} "
             f"nats a row; want more turns{otherwise}")


class FitOnce(Saveable):
    """A model that `fit` makes whole. A subclass keeps its constructor's arguments as attributes of the same names,
    which nothing but `set_params` changes, and names its fitted attributes with their shapes."""

    FITTED = {}   # what `fit` sets -> its axes, a letter each: of one letter, one length
    n_features_in_ = property(lambda self: len(self.mean_))  # the number of columns that `fit` saw

    def get_params(self, deep=True):
        """The constructor's arguments, as given: type(model)(**model.get_params()) is its unfitted twin."""
        return Saveable.config(self)

    def set_params(self, **params):
        """Change some of the constructor's arguments, for the next `fit`; returns self. ValueError for another name."""
        known = self.get_params()
        if unknown := sorted(params.keys() - known.keys()):
            raise ValueError(f"{unknown[0]}: {type(self).__name__} has no such parameter; "
                             f"want {', '.join(known) or 'none'}")
        type(self).__init__(self, **{**known, **params})
        return self

    def __sklearn_tags__(self):
        """What scikit-learn asks before it uses a model, answered without importing it: dense tables, no y."""
        none = dict.fromkeys(["estimator_type", "transformer_tags", "classifier_tags", "regressor_tags"])
        return SimpleNamespace(
            **none, requires_fit=True, non_deterministic=False, no_validation=False, array_api_support=False,
            target_tags=SimpleNamespace(required=False), input_tags=SimpleNamespace(sparse=False, pairwise=False))

    def config(self):
        """The constructor's arguments, as JSON can hold them; with `arrays` they are the whole model."""
        return {name: v.item() if isinstance(v, np.generic) else v for name, v in self.get_params().items()}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    @entry(self=fitted)
    def arrays(self):
        """What a file must hold besides `config`: the fitted attributes."""
        return {name: np.asarray(getattr(self, name)) for name in self.FITTED}

    def load_arrays(self, arrays):
        """Take over `arrays`, as `arrays()` gave them. ValueError if their shapes do not fit together."""
        lengths = {}
        for name, axes in self.FITTED.items():
            array = real_array(name, arrays[name], shape=[lengths.get(axis, axis) for axis in axes])
            lengths.update(zip(axes, array.shape))
            setattr(self, name, array[()])  # a number, where the shape is ()


class Transformer(FitOnce):
    """A fit-once model whose `transform` gives codes."""

    def fit_transform(self, X, y=None):
        """`fit(X)`, then the codes of X; y is what a Pipeline hands on, and not looked at."""
        return self.fit(X).transform(X)
