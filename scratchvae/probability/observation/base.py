"""What must every observation model give? A log-probability with its gradient, a mean, samples, and its support."""
import numpy as np

from scratchvae.checking import door, float_matrix, instance, matrix, only, positive
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
    bounded = False  # whether x is in [0, 1], which leaves its unit no choice
    params = "params"  # what a network that gives them calls them
    n_shared = 0  # how many of params are one learned number for all examples, not a function of z

    def value_and_grad(self, x, params):
        """log p(x given params) : (N,), and its derivative in params : (N, n_params), of what was checked."""
        raise not_given(self, Observation.value_and_grad)

    def value(self, x, params):
        """log p(x given params) : (...), no derivative, of x (..., D) under params (..., n_params), broadcast."""
        shape = np.broadcast_shapes(x.shape[:-1], params.shape[:-1])
        x, params = (np.broadcast_to(a, (*shape, a.shape[-1])).reshape(-1, a.shape[-1]) for a in (x, params))
        return self.value_and_grad(x, params)[0].reshape(shape)

    def value_of_pairs(self, x, params):
        """log p of each x (N, D) under each of params (G, n_params) : (N, G)."""
        return np.stack([self.value(row, params) for row in x])

    def mean(self, params):
        """E[x] : (N, D), for params (N, n_params)."""
        raise not_given(self, Observation.mean)

    def sample(self, params, rng):
        """x : (N, D), drawn from p(x given params)."""
        raise not_given(self, Observation.sample)

    def n_params(self, n_features):
        """How many numbers describe p(x) for x of `n_features` features."""
        return n_features

    def columns(self, n_features):
        """Which of params describe each feature : (D, n_params(1)). They come in blocks of D, those shared last."""
        own = np.arange(self.n_params(n_features) - self.n_shared).reshape(-1, n_features).T
        return np.hstack([own, own.size + np.arange(self.n_shared) + 0 * own[:, :1]])

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
        return self.value(x, params)

    @door("x", "params", params=float_matrix, x=beside_params)
    def log_prob_and_grad(self, x, params):
        """log p(x given params) : (N,), in nats, and its derivative with respect to params : (N, n_params)."""
        return self.value_and_grad(x, params)

    def _beside(self, name, x, params):
        x = self.accept(x, name, dtype=params.dtype)
        if params.shape != (want := (len(x), self.n_params(x.shape[1]))):
            raise ValueError(f"params: want shape {want} for x of shape {x.shape}, got {params.shape}")
        return x


class ExponentialFamily(Observation):
    """Logits a with log p(x given a) = x^T a - A(a), and -A(a) = log p(0 given a): x enters by a product.

    Its `value_and_grad` broadcasts, and leaves out the derivative (None) for need_grad=False.
    """

    def value(self, x, params):
        return self.value_and_grad(x, params, need_grad=False)[0]

    def value_of_pairs(self, x, params):
        return x @ params.T + self.value(np.zeros_like(x[:1]), params)


def a_spread(name, value):
    """A check: a positive number, or how the spread is learned."""
    if not isinstance(value, str):
        return positive(name, value)
    return only(name, value, ("shared", "diagonal").__contains__, "want a number, 'shared' or 'diagonal', got {0!r}")


def of_some_features(name, value, self):
    """A check: `value` as params of one feature or more."""
    params = float_matrix(name, value)
    if not 0 < self.n_features(params) or self.n_params(self.n_features(params)) != params.shape[1]:
        raise ValueError(f"{name}: {params.shape[1]} columns are not those of any number of features under {self!r}")
    return params


class LocationScale(Observation):
    """D means and a spread: one for all features ("shared"), one for each ("diagonal"), or a number, fixed."""

    spread = None  # a subclass's own name for it
    log_spread = "s"  # and what it calls the param that it is the exponential of
    params = property(lambda self: f"m, {self.log_spread}" if self.is_learned else "m")

    @property
    def n_shared(self):
        return int(self.spread == "shared")

    @property
    def is_learned(self):
        """Whether the spread is learned, and so part of params."""
        return isinstance(self.spread, str)

    def value(self, x, params):
        return self.value_and_grad(x, params, need_grad=False)[0]

    def n_params(self, n_features):
        return {"shared": n_features + 1, "diagonal": 2 * n_features}.get(self.spread, n_features)

    def n_features(self, params):
        """How many columns of params are means : D."""
        n = params.shape[1]
        return {"shared": n - 1, "diagonal": n // 2}.get(self.spread, n)

    def variances_to_start(self, variance):
        """What the spread starts from: of the features' variances (D,) their mean, all of them, or none."""
        return {"shared": variance.mean(keepdims=True), "diagonal": variance}.get(self.spread, variance[:0])


def comparable(*observations):
    """Nothing if log-probabilities of these models may be compared; ValueError if their measures differ."""
    for each in observations:
        instance("observations", each, Observation, "observation models such as Bernoulli()")
    measures = {repr(o): o.measure for o in observations}
    if len(set(measures.values())) > 1 or None in measures.values():
        raise ValueError(f"log-probabilities of different base measures are not comparable: {measures}")
