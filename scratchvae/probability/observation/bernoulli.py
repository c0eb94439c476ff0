"""How probable is a black or white pixel? Bernoulli, and the cross-entropy that borrows its formula for grey ones."""
from math import log

import numpy as np

from scratchvae.checking import binary, entry, float_matrix, generator, matrix, unit_interval
from scratchvae.probability.observation.base import ExponentialFamily


def bernoulli_formula(x, a):
    """log p(x given a) : (N,), and its derivative (N, D), as they are written; e^a overflows for large logits.

        log p = sum_j x_j a_j - log(1 + e^a_j)        d log p / da_j = x_j - sigmoid(a_j)
    """
    return np.sum(x * a - np.log(1 + np.exp(a)), axis=1), x - 1 / (1 + np.exp(-a))


def bernoulli_terms(x, a, need_grad=True):
    """The same from a single tanh, which never overflows.

        sigmoid(a) = 1/2 + tanh(a / 2) / 2        log(1 + e^a) = [a > 0] a - log sigmoid(|a|)

    For x in {0, 1} no term of log p is positive, so none cancel. The error of a pixel is that of rounding 1, in float32
    6e-8 nats: where a pixel is right and sure, e^-|a| is lost in it.
    """
    t = 0.5 * np.tanh(0.5 * a)
    # sum_j (x_j - [a_j > 0]) a_j + log sigmoid(|a_j|); by log2, in which a half is exact
    log_p = np.vecdot(x - (a > 0), a) + log(2) * np.log2(0.5 + np.abs(t)).sum(axis=-1)
    return log_p, x - 0.5 - t if need_grad else None


def sigmoid(a):
    """1 / (1 + e^-a), without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


class Bernoulli(ExponentialFamily):
    """Binary x with logits a: p(x_j = 1) = sigmoid(a_j).

        log p = sum_j x_j a_j - log(1 + e^a_j)        d log p / da_j = x_j - sigmoid(a_j)

    params : logits (N, D).  Refuses x outside {0, 1}: grey pixels go to `ContinuousBernoulli`.

    >>> Bernoulli().log_prob([[1, 0]], params=[[0, 0]])  # two fair coins: -2 log 2
    array([-1.38629436])
    """

    measure = "counting"
    bounded = True
    params = "logits"

    def value_and_grad(self, x, params, need_grad=True):
        return bernoulli_terms(x, params, need_grad)

    @entry(params=float_matrix)
    def mean(self, params):
        """E[x] = p(x = 1) : (N, D)."""
        return sigmoid(params)

    @entry(params=float_matrix, rng=generator)
    def sample(self, params, rng):
        """x in {0, 1} : (N, D), drawn from p(x given params)."""
        return (rng.random(params.shape, dtype=params.dtype) < sigmoid(params)).astype(params.dtype)

    def start(self, mean, variance=None):
        p = np.clip(mean, 1e-3, 1 - 1e-3)
        return np.log(p / (1 - p)), np.ones_like(p)  # the log-odds

    def accept(self, x, name="x", n_features=None, dtype=None):
        return binary(name, matrix(name, x, n_features, dtype), "Bernoulli wants",
                      "; binarize them, or use ContinuousBernoulli for grey pixels")


class CrossEntropy(Bernoulli):
    """Bernoulli's formula on grey x in [0, 1]. A loss, not a likelihood: it does not integrate to one over x.

        sum_j (x_j log sigmoid(a_j) + (1 - x_j) log(1 - sigmoid(a_j)))

    It has no measure, so it is compared with nothing. Kept because most published VAE code uses it.
    """

    measure = None

    @entry(params=float_matrix, rng=generator)
    def sample(self, params, rng):
        """The mean: there is no distribution over grey x to draw from."""
        return self.mean(params)

    def accept(self, x, name="x", n_features=None, dtype=None):
        return unit_interval(name, matrix(name, x, n_features, dtype), "CrossEntropy wants")
