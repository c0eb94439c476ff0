"""On which scale does a network learn? Numbers of order one: each column less its mean, over its standard deviation.

    x_standard = (x - mean) / scale            scale_j = the standard deviation of column j; 1 if it never varies

Weights start for inputs of order one, and a step of Adam moves each by about lr whatever the units of its input, so
one learning rate fits all columns only if their units do. A density changes with the units, by the scales' product:

    log p(x) = log p(x_standard) - sum_j log scale_j
"""
import numpy as np

from scratchvae.checking import door, entry, not_too_large
from scratchvae.models.fit_once import Transformer, fitted, points, several_rows
from scratchvae.probability.gaussian import moments


class Standardizer(Transformer):
    """x (N, D) to columns of mean 0 and standard deviation 1, and back. As `model.standardizer` it is saved with it.

    After `fit(X)`: mean_ (D,), scale_ (D,), float64; what is transformed keeps its dtype if that is float32.
    """

    FITTED = {"mean_": "D", "scale_": "D"}

    @door(X=several_rows)
    def fit(self, X, y=None):
        """Take mean and standard deviation of each column of X (N, D), N >= 2; returns self."""
        mean, variance = moments(X)
        self.mean_, self.scale_ = mean, np.sqrt(not_too_large(variance))
        self.scale_[self.scale_ == 0] = 1
        return self

    @door(self=fitted, X=points)
    def transform(self, X):
        """(X - mean) / scale : (N, D)."""
        return ((X - self.mean_) / self.scale_).astype(X.dtype)

    @door(self=fitted, Z=points)
    def inverse_transform(self, Z):
        """Z * scale + mean : (N, D)."""
        return (Z * self.scale_ + self.mean_).astype(Z.dtype)

    @property
    @entry(self=fitted)
    def log_volume(self):
        """sum_j log scale_j, in nats: subtract it from log p(x_standard) for log p(x) in the data's own units."""
        return float(np.log(self.scale_).sum())
