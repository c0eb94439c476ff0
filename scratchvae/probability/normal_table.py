"""How probable is an interval under a Gaussian? Standardise its ends, look both up in the table of N(0, 1).

If X ~ N(mu, sigma^2), then Z = (X - mu) / sigma ~ N(0, 1), so one table serves all Gaussians:

    P(low <= X <= high) = Phi((high - mu) / sigma) - Phi((low - mu) / sigma)

Phi has no formula in elementary functions; it is written with the complementary error function,
Phi(z) = erfc(-z / sqrt 2) / 2.
"""
from math import erfc, sqrt
from statistics import NormalDist

import numpy as np

from scratchvae.checking import broadcastable, door, entry, number, reals
from scratchvae.checking.probability import positives
from scratchvae.probability.gaussian import standardize

_erfc = np.vectorize(erfc, otypes=[float])


@entry(z=reals)
def normal_cdf(z):
    """Phi(z) = P(Z <= z) of the standard normal, z of any shape; no digits are lost in the lower tail."""
    # Phi(z) = erfc(-z / sqrt 2) / 2
    return 0.5 * _erfc(-z / sqrt(2))


@entry(probability=lambda name, value: number(name, value, high=1, open_low=True, open_high=True))
def normal_quantile(probability):
    """The z with Phi(z) = probability in (0, 1) : the normal table, read backwards."""
    return NormalDist().inv_cdf(probability)


def normal_table():
    """The table that books print: Phi(row + column), rows 0.0, 0.1 ... 3.9, columns 0.00, 0.01 ... 0.09 : (40, 10)."""
    return normal_cdf((10 * np.arange(40)[:, None] + np.arange(10)) / 100)


@door(low=reals, high=reals, mu=reals, sigma=lambda name, value, low, high, mu: broadcastable(
    name, positives(name, value), low=low, high=high, mu=mu))
def normal_interval(low, high, mu, sigma):
    """P(low <= X <= high) of X ~ N(mu, sigma^2): standardise both ends, look both up, subtract. One point has 0.

    low <= high, numbers or arrays.  Intervals above the mean are mirrored to below it, where Phi keeps its digits.

    >>> normal_interval([85, 70], [115, 130], mu=100, sigma=15)  # within one sigma, within two
    array([0.68268949, 0.95449974])
    """
    a, b = standardize(low, mu, sigma), standardize(high, mu, sigma)
    if np.any(a > b):
        raise ValueError(f"low, high: want low <= high, got {low} and {high}")
    a, b = np.where(a > 0, -b, a), np.where(a > 0, -a, b)
    return normal_cdf(b) - normal_cdf(a)
