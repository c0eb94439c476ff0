"""How probable is a grey pixel? The continuous Bernoulli: a density on [0, 1]."""
from warnings import warn

import numpy as np

from scratchvae.checking import entry, float_matrix, generator, matrix, unit_interval
from scratchvae.probability.observation.base import ExponentialFamily


def continuous_bernoulli_formula(x, a):
    """log p(x given a) : (N,), and its derivative (N, D), as they are written; not for a = 0, nor for large logits.

        log p = sum_j a_j x_j - A(a_j)      A(a) = log((e^a - 1) / a)      d log p / da_j = x_j - A'(a_j)
    """
    return np.sum(a * x - np.log(np.expm1(a) / a), axis=1), x - (np.exp(a) / np.expm1(a) - 1 / a)


def log_sinhc(u, need_slope=True):
    """log(e^-|u| sinh(u) / u), and coth(u) - 1/u, the derivative without the -|u|: no overflow, and nothing cancels.

    With a = 2 u they are A(a) - [a > 0] a, and 2 A'(a) - 1.      Source: Lambert 1761 (the continued fraction, near 0).
    """
    w = np.maximum(np.abs(u), np.finfo(u.dtype).tiny)
    m = -np.expm1(-2 * w)                                  # sinh(w) = e^w m / 2
    log_scaled = np.log(m / (2 * w))
    if not need_slope:
        return log_scaled, None
    v = np.minimum(w, 0.25) ** 2
    slope = np.where(w < 0.25, w / (3 + v / (5 + v / (7 + v / (9 + v / 11)))), (2 - m) / m - 1 / w)
    return log_scaled, np.copysign(slope, u)


class ContinuousBernoulli(ExponentialFamily):
    """Grey x in [0, 1] with logits a: Bernoulli's formula, divided by its integral, which makes it a density.

        log p = sum_j a_j x_j - A(a_j)            A(a) = log((e^a - 1) / a) = a/2 + log(sinh(a/2) / (a/2))
        d log p / da_j = x_j - A'(a_j)            A'(a) = E[x] = 1/2 + (coth(a/2) - 2/a) / 2

    params : logits (N, D).  Training warns of x in {0, 1} alone, which goes to `Bernoulli`: its density has no maximum.
    Source: Loaiza-Ganem & Cunningham 2019, equations 6 to 8.
    """

    measure = "lebesgue"
    bounded = True
    params = "logits"

    def value_and_grad(self, x, params, need_grad=True):
        log_scaled, langevin = log_sinhc(0.5 * params, need_grad)
        # a x - A(a) = (x - [a > 0]) a - log(e^-|a/2| sinh(a/2) / (a/2)): nothing large is subtracted
        log_p = np.sum((x - (params > 0)) * params - log_scaled, axis=-1)
        return log_p, x - 0.5 - 0.5 * langevin if need_grad else None

    @entry(params=float_matrix)
    def mean(self, params):
        """E[x] = 1/2 + (coth(a/2) - 2/a) / 2 : (N, D); not sigmoid(a)."""
        return 0.5 + 0.5 * log_sinhc(0.5 * params)[1]

    @entry(params=float_matrix, rng=generator)
    def sample(self, params, rng):
        """x in [0, 1] : (N, D), by inverting the distribution function F(x) = (e^(a x) - 1) / (e^a - 1)."""
        u = rng.random(params.shape, dtype=params.dtype)
        # Only a < 0 is ever exponentiated; p(x; a) = p(1 - x; -a) gives the other half. At a = 0 x is uniform.
        a = -np.maximum(np.abs(params), np.finfo(params.dtype).tiny)
        with np.errstate(under="ignore"):
            x = np.clip(np.log1p(u * np.expm1(a)) / a, 0, 1)
        return np.where(params > 0, 1 - x, x)

    def start(self, mean, variance=None):
        # E[x^2] = E[x] only where every x is 0 or 1
        if variance is not None and (mean - mean**2 - variance < 1e-9).all():
            warn("X: all values are 0 or 1, of which ContinuousBernoulli has no most likely density: it grows without "
                 "bound; want Bernoulli for them")
        # coth(u) - 1/u = y at u = y (3 - y^2) / (1 - y^2), within 5 %: Cohen 1991
        y = 2 * np.clip(mean, 1e-3, 1 - 1e-3) - 1
        return 2 * y * (3 - y**2) / (1 - y**2), np.ones_like(y)

    def accept(self, x, name="x", n_features=None, dtype=None):
        return unit_interval(name, matrix(name, x, n_features, dtype), "ContinuousBernoulli wants")
