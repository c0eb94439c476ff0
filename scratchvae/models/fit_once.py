"""What do models share that are fitted once, in closed form? Fitted attributes, and a file that holds them.

Their names are scikit-learn's: `fit(X)`, `transform`, `inverse_transform`, and attributes that end in _ and that `fit`
sets.
"""
import numpy as np

from scratchvae.checking import entry, real_array
from scratchvae.extending import Saveable


def fitted(name, value):
    """A check of self: `value` once its `fit` has been called."""
    if not hasattr(value, value.FITTED[0]):
        raise ValueError(f"this {type(value).__name__} is not fitted yet; call fit(X) first")
    return value


class FitOnce(Saveable):
    """A model that `fit` makes whole. A subclass names its options and fitted attributes, and knows their shapes."""

    OPTIONS = ()  # the constructor's arguments
    FITTED = ()   # what `fit` sets

    def fit_transform(self, X):
        """`fit(X)`, then the codes of X."""
        return self.fit(X).transform(X)

    def config(self):
        """The constructor's arguments, as JSON can hold them; with `arrays` they are the whole model."""
        return {name: getattr(self, name) for name in self.OPTIONS}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    @entry(self=fitted)
    def arrays(self):
        """What a file must hold besides `config`: the fitted attributes."""
        return {name: np.asarray(getattr(self, name)) for name in self.FITTED}

    def load_arrays(self, arrays):
        """Take over `arrays`, as `arrays()` gave them. ValueError if their shapes do not fit together."""
        for name, shape in self._shapes(arrays).items():
            array = real_array(name, arrays[name])
            if array.shape != shape:
                raise ValueError(f"{name}: want shape {shape}, got {array.shape}")
            setattr(self, name, array[()])  # a number, where the shape is ()

    def _shapes(self, arrays):
        """Fitted attribute -> the shape that it must have beside the others."""
        raise NotImplementedError
