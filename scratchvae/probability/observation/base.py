"""What must every observation model give? A log-probability with its gradient, a mean, samples, and its support."""
import numpy as np

from scratchvae.checking import door, float_matrix, instance, matrix
from scratchvae.extending import Saveable, not_given


def beside_params(name, value, self, params):
    """A check: `value` as x in the model's support, of whose shape the params can be."""
    return self._beside(name, value, params)


class Observation(Saveable):
    """What the models of this room share: two doors, and a configuration that a file can hold.

    A subclass of your own gives `value_and_grad`, `mean` and `sample`, and where the defaults do not fit, `n_params`,
    `accept` (x's support) and `config`. It is saved with its model, and loaded where it is defined.
    """

    measure = None  # "counting" or "lebesgue"; None where log p is no log-probability, and compared with nothing
    n_shared = 0  # how many of params are one learned number for all examples, not a function of z

    def value_and_grad(self, x, params):
        """log p(x given params) : (N,), and its derivative in params : (N, n_params), of what was checked."""
        raise not_given(self, Observation.value_and_grad)

    def mean(self, params):
        """E[x] : (N, D), for params (N, n_params)."""
        raise not_given(self, Observation.mean)

    def sample(self, params, rng):
        """x : (N, D), drawn from p(x given params)."""
        raise not_given(self, Observation.sample)

    def n_params(self, n_features):
        """How many numbers describe p(x) for x of `n_features` features."""
        return n_features

    def start(self, mean, variance=None):
        """Where a network that puts out params should start, given the mean and variance of each feature of x (D,).

        returns : params (n_params,) of the best p(x) that ignores all input, and by how much they may vary about it
        """
        n_params = self.n_params(len(mean))
        return np.zeros(n_params), np.ones(n_params)

    def accept(self, x, name="x", n_features=None, dtype=None):
        """`x` as an (N, D) array inside this model's support; ValueError or TypeError otherwise."""
        return matrix(name, x, n_features, dtype)

    @door("x", "params", params=float_matrix, x=beside_params)
    def log_prob(self, x, params):
        """log p(x given params) : (N,), in nats, of x (N, D) under params (N, n_params)."""
        return self.value_and_grad(x, params)[0]

    @door("x", "params", params=float_matrix, x=beside_params)
    def log_prob_and_grad(self, x, params):
        """log p(x given params) : (N,), in nats, and its derivative with respect to params : (N, n_params)."""
        return self.value_and_grad(x, params)

    def _beside(self, name, x, params):
        x = self.accept(x, name, dtype=params.dtype)
        if params.shape != (want := (len(x), self.n_params(x.shape[1]))):
            raise ValueError(f"params: want shape {want} for x of shape {x.shape}, got {params.shape}")
        return x


def comparable(*observations):
    """Nothing if log-probabilities of these models may be compared; ValueError if their measures differ."""
    for each in observations:
        instance("observations", each, Observation, "observation models such as Bernoulli()")
    measures = {repr(o): o.measure for o in observations}
    if len(set(measures.values())) > 1 or None in measures.values():
        raise ValueError(f"log-probabilities of different base measures are not comparable: {measures}")
