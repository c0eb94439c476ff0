"""When may a sentence judge? Where a mean is beyond its error, and the error counts all that varies.

A table of values, one row a run (a training from its own start) and one column an image, has a mean with two errors:
over the runs (of the rows' means) and over the images (of the columns'). Both count, so for runs and images like these

    error^2 = sum_i error_i^2        t = sum_i error_i^2 t_(n_i - 1) / error^2

and the mean is clear where |mean| > t error; t_d is the value that Student's t with d degrees of freedom exceeds once
in 20 times, to either side. What is compared under the same conditions is compared by its differences.
Source: Student 1908; Cochran & Cox 1950 (t where errors of several kinds add up). Simulated with 2 to 5 runs it errs
once in 16 to 50 times; Satterthwaite's degrees of freedom (1946) err up to once in 8 when there are only two runs.
"""
from functools import lru_cache

import numpy as np

from demos.lesson import Mean


class Finding(Mean):
    """A mean that is judged: a Mean of independent errors, given as pairs (error, degrees of freedom)."""

    def __new__(cls, value, *parts):
        self = super().__new__(cls, float(value), float(np.sqrt(sum(error**2 for error, _ in parts))))
        self.parts = parts
        return self

    @classmethod
    def of(cls, values):
        """The mean of independent values (N,), or of runs and images (R, N); two or more of each."""
        values = np.asarray(values, dtype=np.float64)
        axes = [values] if values.ndim == 1 else [values.mean(axis=1), values.mean(axis=0)]
        return cls(values.mean(), *((Mean.of(axis).error, len(axis) - 1) for axis in axes))

    @classmethod
    def between(cls, a, b):
        """The mean of a (N,) minus that of b (M,), independent of each other."""
        a, b = (np.asarray(values, dtype=np.float64) for values in (a, b))
        return cls(a.mean() - b.mean(), *((Mean.of(values).error, len(values) - 1) for values in (a, b)))

    def sign(self, once_in=20):
        """1 or -1 where the mean is beyond what chance gives once in so many times, else 0."""
        # |mean| > t error, multiplied by the error, which may be 0
        beyond = abs(self.value) * self.error > sum(error**2 * t_limit(dof, once_in) for error, dof in self.parts)
        return int(np.sign(self.value)) if beyond or self.error == 0 else 0

    def words(self, more, less, neither="no clear difference", once_in=20):
        """What to say of it."""
        return (neither, more, less)[self.sign(once_in)]


@lru_cache
def t_limit(dof, once_in=20):
    """What Student's t with dof > 0 degrees of freedom exceeds, to either side, once in so many times.

    The density of arctan(t / sqrt(dof)) is proportional to cos(angle)^(dof - 1); summed and inverted on a grid.
    """
    dof = min(dof, 1e5)  # from there on it is the Gaussian's to five digits
    angle = np.linspace(0, np.pi / 2, 200_001)
    middle = (angle[1:] + angle[:-1]) / 2
    below = np.concatenate([[0], np.cumsum(np.cos(middle) ** (dof - 1))])
    return float(np.sqrt(dof) * np.tan(np.interp(1 - 1 / once_in, below / below[-1], angle)))


def listing(items):
    """1, 2 and 4; or none."""
    *first, last = [str(item) for item in items] or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def where(findings, sign, at):
    """At which keys the findings have this sign: with at = "at k = {}", "at k = 1, 2 and 4"; or "nowhere"."""
    keys = [key for key, finding in findings.items() if finding.sign() == sign]
    return at.format(listing(keys)) if keys else "nowhere"


def neighbours_agree(z, labels):
    """Whether the nearest other code of each z (N, K) has the same label : (N,)."""
    z = np.asarray(z, dtype=np.float64)
    nearest = np.empty(len(z), dtype=int)
    for n, point in enumerate(z):
        squares = ((z - point) ** 2).sum(axis=1)
        squares[n] = np.inf
        nearest[n] = squares.argmin()
    return labels[nearest] == labels
