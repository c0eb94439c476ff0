"""How probable is a label? The categorical distribution over classes, by the softmax of its logits."""
import numpy as np

from scratchvae.checking import class_labels, entry, float_matrix, generator
from scratchvae.probability.observation.base import Observation


class Categorical(Observation):
    """A label x in 0..C-1 with logits a: p(x = c) = softmax(a)_c.

        log p = a_x - log sum_c e^a_c        d log p / da_c = [x = c] - softmax(a)_c

    x : (N,) integers      params : logits (N, C)
    """

    measure = "counting"
    params = "logits"

    def value_and_grad(self, x, params):
        rows = np.arange(len(x))
        probability, log_probability = softmax_terms(params)
        grad = -probability
        grad[rows, x] += 1
        return log_probability[rows, x], grad

    def value(self, x, params):
        return self.value_and_grad(x, params)[0]  # x is (N,) here, and broadcasts with nothing

    @entry(params=float_matrix)
    def mean(self, params):
        """softmax(a) : (N, C), the probability of each class."""
        return softmax_terms(params)[0]

    @entry(params=float_matrix, rng=generator)
    def sample(self, params, rng):
        """x : (N,), by the Gumbel trick: argmax_c (a_c + Gumbel noise) has probability softmax(a)_c."""
        return np.argmax(params + rng.gumbel(size=params.shape), axis=1)

    def start(self, mean, variance=None):
        """mean : (C,)    the classes' shares"""
        return np.log(np.maximum(mean, 1e-3)), np.ones_like(mean)

    def accept(self, x, name="x", n_classes=None, dtype=None):
        return class_labels(name, x, n_classes=n_classes)

    def _beside(self, name, x, params):
        return class_labels(name, x, n_rows=len(params), n_classes=params.shape[1])


def softmax_terms(a):
    """softmax(a) and its logarithm; the largest logit is taken out first, so that nothing overflows or cancels."""
    log_e = a - a.max(axis=1, keepdims=True)
    e = np.exp(log_e)
    total = e.sum(axis=1, keepdims=True)
    return e / total, log_e - np.log(total)
