"""What does a decoder's output mean? The observation models p(x given params).

A network only outputs real numbers, `params`; an observation model says which distribution over x they stand for,
and so what the loss is: the loss is -log p(x given params), never a formula of its own. Each model gives log p of every
example (summed over its D features, in nats) and the derivative of that with respect to params.

Log-probabilities are comparable only under the same base measure: on a discrete x (`counting`) p is a probability
and log p <= 0; on a continuous x (`lebesgue`) it is a density, can exceed 1 and changes with the units of x.

All exponential families below share one derivative: log p = a x - A(a) gives d log p / da = x - A'(a) = x - E[x].
"""
import numpy as np

from scratchvae.checking import class_labels, every, finite, generator, matrix, number
from scratchvae.extending import Saveable, arguments, in_one_line, not_given
from scratchvae.probability.gaussian import LOG_2PI

LOG_2 = float(np.log(2))


class Observation(Saveable):
    """What the models below share: the checks at the door, and a configuration that a file can hold.

    A subclass of your own gives `value_and_grad`, `mean` and `sample`, and where the defaults do not fit, `n_params`, `accept`
    (x's support) and `config`. It is saved with its model, and loaded where it is defined.
    """

    measure = None  # "counting" or "lebesgue"; None where log p is no log-probability, and compared with nothing
    n_shared = 0  # how many of params are one learned number for all examples, not a function of z

    def n_params(self, n_features):
        """How many numbers describe p(x) for x of `n_features` features."""
        return n_features

    def accept(self, x, name="x", n_features=None, dtype=None):
        """`x` as an (N, D) array inside this model's support; ValueError or TypeError otherwise."""
        return matrix(name, x, n_features, dtype)

    def start(self, mean, variance=None):
        """Where a network that puts out params should start, given the mean and variance of each feature of x (D,).

        returns : params (n_params,) of the best p(x) that ignores all input, and by how much they may vary about it
        """
        n_params = self.n_params(len(mean))
        return np.zeros(n_params), np.ones(n_params)

    @finite("x", "params")
    def log_prob(self, x, params):
        """log p(x given params) : (N,), in nats, of x (N, D) under params (N, n_params)."""
        return self.value_and_grad(*self._checked(x, params))[0]

    @finite("x", "params")
    def log_prob_and_grad(self, x, params):
        """log p(x given params) : (N,), in nats, and its derivative with respect to params : (N, n_params)."""
        return self.value_and_grad(*self._checked(x, params))

    def value_and_grad(self, x, params):
        """log p(x given params) : (N,), and its derivative in params : (N, n_params), of what was checked."""
        raise not_given(self, Observation.value_and_grad)

    def mean(self, params):
        """E[x] : (N, D), for params (N, n_params)."""
        raise not_given(self, Observation.mean)

    def sample(self, params, rng):
        """x : (N, D), drawn from p(x given params)."""
        raise not_given(self, Observation.sample)

    @staticmethod
    def _params(params):
        params = matrix("params", params)
        dtype = params.dtype if params.dtype in (np.float32, np.float64) else np.float64
        return params.astype(dtype, copy=False)

    def _checked(self, x, params):
        params = self._params(params)
        x = self.accept(x, "x", dtype=params.dtype)
        if params.shape != (len(x), self.n_params(x.shape[1])):
            raise ValueError(f"params: want shape {(len(x), self.n_params(x.shape[1]))} for x of shape {x.shape}, "
                             f"got {params.shape}")
        return x, params

    def config(self):
        """The constructor's arguments by name, as JSON can hold them."""
        return arguments(self)

    def __repr__(self):
        return in_one_line(self)


def comparable(*observations):
    """Nothing if log-probabilities of these models may be compared; ValueError if their measures differ."""
    wrong = [o for o in observations if not isinstance(o, Observation)]
    if wrong:
        raise TypeError(f"observations: want observation models such as Bernoulli(), got {wrong[0]!r}")
    measures = {repr(o): o.measure for o in observations}
    if len(set(measures.values())) > 1 or None in measures.values():
        raise ValueError(f"log-probabilities of different base measures are not comparable: {measures}")


def bernoulli_terms(x, a):
    """x a - softplus(a) summed over features, and x - sigmoid(a), from a single tanh.

        sigmoid(a) = 1/2 + tanh(a / 2) / 2
        softplus(a) = log(1 + e^a) = [a > 0] a - log sigmoid(|a|)

    Nothing overflows, and for x in {0, 1} no term is positive, so none cancel. sigmoid(|a|) is in [1/2, 1]: up to 64 of
    them are multiplied before one logarithm is taken, since sum log = log product and 2^-64 is far above the
    smallest float32. The error of a pixel is that of rounding 1, in float32 6e-8 nats: where a pixel is right and sure,
    e^-|a| is lost in it.
    """
    t = np.tanh(0.5 * a)
    t *= 0.5
    factors = np.abs(t)
    factors += 0.5
    product = np.multiply.reduceat(factors, np.arange(0, a.shape[1], 64), axis=1)
    # sum_j (x_j - [a_j > 0]) a_j + log sigmoid(|a_j|)
    log_p = np.vecdot(x - (a > 0), a)
    log_p += LOG_2 * np.log2(product).sum(axis=1)
    dparams = x - 0.5
    dparams -= t  # x - sigmoid(a)
    return log_p, dparams


def sigmoid(a):
    """1 / (1 + e^-a), without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


class Bernoulli(Observation):
    """Binary x with logits a: p(x_j = 1) = sigmoid(a_j).

        log p = sum_j x_j a_j - log(1 + e^a_j)        d log p / da_j = x_j - sigmoid(a_j)

    params : logits (N, D).  Refuses x outside {0, 1}: grey pixels go to `ContinuousBernoulli`.

    >>> Bernoulli().log_prob([[1, 0]], params=[[0, 0]])  # two fair coins: -2 log 2
    array([-1.38629436])
    """

    measure = "counting"

    def accept(self, x, name="x", n_features=None, dtype=None):
        x = matrix(name, x, n_features, dtype)
        return every(name, x, lambda x: (x == 0) | (x == 1), "Bernoulli wants every value 0 or 1, got {}; binarize them, "
                     "or use ContinuousBernoulli for grey pixels")

    def start(self, mean, variance=None):
        p = np.clip(mean, 1e-3, 1 - 1e-3)
        return np.log(p / (1 - p)), np.ones_like(p)  # the log-odds

    def value_and_grad(self, x, params):
        return bernoulli_terms(x, params)

    def mean(self, params):
        """E[x] = p(x = 1) : (N, D)."""
        return sigmoid(self._params(params))

    def sample(self, params, rng):
        """x in {0, 1} : (N, D), drawn from p(x given params)."""
        params = self._params(params)
        uniform = generator("rng", rng).random(params.shape, dtype=params.dtype)
        return (uniform < sigmoid(params)).astype(params.dtype)


class CrossEntropy(Bernoulli):
    """Bernoulli's formula on grey x in [0, 1]. A loss, not a likelihood: it does not integrate to one over x.

        sum_j (x_j log sigmoid(a_j) + (1 - x_j) log(1 - sigmoid(a_j)))

    It has no measure, so it is compared with nothing. Kept because most published VAE code uses it.
    """

    measure = None

    def accept(self, x, name="x", n_features=None, dtype=None):
        return _unit_interval(matrix(name, x, n_features, dtype), name, "CrossEntropy")

    def sample(self, params, rng):
        """The mean: there is no distribution over grey x to draw from."""
        generator("rng", rng)
        return self.mean(params)


class ContinuousBernoulli(Observation):
    """Grey x in [0, 1] with logits a: Bernoulli's formula, divided by its integral, which makes it a density.

        log p = sum_j a_j x_j - A(a_j)            A(a) = log((e^a - 1) / a) = a/2 + log(sinh(a/2) / (a/2))
        d log p / da_j = x_j - A'(a_j)            A'(a) = E[x] = 1/2 + (coth(a/2) - 2/a) / 2

    params : logits (N, D).  Source: Loaiza-Ganem & Cunningham 2019, equations 6 to 8.
    """

    measure = "lebesgue"

    def accept(self, x, name="x", n_features=None, dtype=None):
        return _unit_interval(matrix(name, x, n_features, dtype), name, "ContinuousBernoulli")

    def start(self, mean, variance=None):
        y = 2 * np.clip(mean, 1e-3, 1 - 1e-3) - 1  # coth(u) - 1/u = y at u = y (3 - y^2) / (1 - y^2), within 5 %: Cohen 1991
        return 2 * y * (3 - y**2) / (1 - y**2), np.ones_like(y)

    def value_and_grad(self, x, params):
        log_scaled, langevin = _sinhc(0.5 * params)
        # a x - A(a) = (x - [a > 0]) a - log(e^-|a/2| sinh(a/2) / (a/2)), where nothing large is subtracted
        log_p = np.sum((x - (params > 0)) * params - log_scaled, axis=1)
        return log_p, x - 0.5 - 0.5 * langevin

    def mean(self, params):
        """E[x] = 1/2 + (coth(a/2) - 2/a) / 2 : (N, D); not sigmoid(a)."""
        return 0.5 + 0.5 * _sinhc(0.5 * self._params(params))[1]

    def sample(self, params, rng):
        """x in [0, 1] : (N, D), by inverting the distribution function F(x) = (e^(a x) - 1) / (e^a - 1)."""
        params = self._params(params)
        u = generator("rng", rng).random(params.shape, dtype=params.dtype)
        # Only a < 0 is ever exponentiated; p(x; a) = p(1 - x; -a) gives the other half. At a = 0 x is uniform.
        a = -np.maximum(np.abs(params), np.finfo(params.dtype).tiny)
        with np.errstate(under="ignore"):
            x = np.clip(np.log1p(u * np.expm1(a)) / a, 0, 1)
        return np.where(params > 0, 1 - x, x)


def _sinhc(u):
    """log(e^-|u| sinh(u) / u), and coth(u) - 1/u, the derivative without the -|u|; no overflow, no cancellation at any u."""
    # Near 0 the closed forms subtract nearly equal numbers: Taylor series there, to u^16, error below 1e-15.
    small = np.minimum(np.abs(u), 0.4)
    v = small * small
    log_series = v * (1/6 + v * (-1/180 + v * (1/2835 + v * (-1/37800 + v * (1/467775 + v * (
        -691/3831077250 + v * (2/127702575 - v * 3617/2605132530000)))))))
    slope_series = small * (1/3 + v * (-1/45 + v * (2/945 + v * (-1/4725 + v * (2/93555 + v * (
        -1382/638512875 + v * (4/18243225 - v * 3617/162820783125)))))))
    # sinh(u) = e^u (1 - e^-2u) / 2 for u > 0
    large = np.maximum(np.abs(u), 0.4)
    e = np.exp(-2 * large)
    log_closed = np.log1p(-e) - LOG_2 - np.log(large)
    slope_closed = (1 + e) / (1 - e) - 1 / large
    near = np.abs(u) < 0.4
    return np.where(near, log_series - small, log_closed), np.copysign(np.where(near, slope_series, slope_closed), u)


class Gaussian(Observation):
    """Real x with mean m and variance v.

        log p = -1/2 sum_j ((x_j - m_j)^2 / v_j + log v_j + log 2 pi)
        d log p / dm_j = (x_j - m_j) / v_j        d log p / dlog v_j = 1/2 ((x_j - m_j)^2 / v_j - 1)

    variance : "shared"      one v, learned, the same for all;  params : m, s (N, D + 1)
               a number      v fixed;                           params : m (N, D)
               "diagonal"    v_j(z), from the decoder;          params : m, s (N, 2 D)
    A learned variance is v = floor + e^s. Without the floor the likelihood has no maximum: a pixel that never changes
    is predicted perfectly, and its density grows without bound as v -> 0.
    """

    measure = "lebesgue"

    def __init__(self, variance="shared", *, floor=1e-3):
        if isinstance(variance, str) and variance not in ("shared", "diagonal"):
            raise ValueError(f"variance: want a number, 'shared' or 'diagonal', got {variance!r}")
        if not isinstance(variance, str):
            variance = number("variance", variance, open_low=True)
        self.variance, self.floor = variance, number("floor", floor)
        self.n_shared = int(variance == "shared")

    def n_params(self, n_features):
        return {"shared": n_features + 1, "diagonal": 2 * n_features}.get(self.variance, n_features)

    def config(self):
        return {"variance": self.variance, "floor": self.floor}

    def variance_terms(self, s):
        """v : (1, 1) fixed, (N, 1) shared or (N, D), and dlog v / ds; None where the variance is fixed, and s empty."""
        if not self.is_learned:
            return np.full((1, 1), self.variance, s.dtype), None
        e = np.exp(s)
        v = self.floor + e
        return v, e / v

    @property
    def is_learned(self):
        """Whether the variance is learned, and so part of params."""
        return isinstance(self.variance, str)

    def start(self, mean, variance):
        """Mean and variance; the means may vary about theirs by the deviation, the log-variances start flat."""
        v = {"shared": variance.mean(keepdims=True), "diagonal": variance}.get(self.variance, variance[:0])
        s = np.log(np.maximum(v - self.floor, max(self.floor, 1e-6)))  # a pixel that never changes can still learn
        return np.concatenate([mean, s]), np.concatenate([np.sqrt(variance), np.zeros(len(v))])

    def value_and_grad(self, x, params):
        D = x.shape[1]
        m, s = params[:, :D], params[:, D:]
        v, dlog_v = self.variance_terms(s)
        r = x - m
        dm = r / v
        squares = r * dm  # (x - m)^2 / v
        # -1/2 sum_j ((x_j - m_j)^2 / v_j + log v_j + log 2 pi)
        log_v = np.log(v).sum(axis=1) * (D // v.shape[1])
        log_p = -0.5 * (squares.sum(axis=1) + log_v + D * LOG_2PI)
        if not self.is_learned:
            return log_p, dm
        # ds_j = 1/2 ((x_j - m_j)^2 / v_j - 1) dlog v_j / ds_j, summed over the features that share one s
        ds = 0.5 * (squares - 1) * dlog_v
        if self.n_shared:
            ds = ds.sum(axis=1, keepdims=True)
        return log_p, np.concatenate([dm, ds], axis=1)

    def mean(self, params):
        """E[x] = m : (N, D)."""
        return self._split(params)[0]

    @finite("params")
    def sample(self, params, rng):
        """x = m + sqrt(v) * eps : (N, D)."""
        m, s = self._split(params)
        eps = generator("rng", rng).standard_normal(m.shape, dtype=m.dtype)
        return m + self.variance_terms(s)[0] ** 0.5 * eps

    def _split(self, params):
        params = self._params(params)
        n = params.shape[1]
        D = {"shared": n - 1, "diagonal": n // 2}.get(self.variance, n)
        if D < 1 or self.n_params(D) != n:
            raise ValueError(f"params: {n} columns are not those of any number of features under {self!r}")
        return params[:, :D], params[:, D:]


class Categorical(Observation):
    """A label x in 0..C-1 with logits a: p(x = c) = softmax(a)_c.

        log p = a_x - log sum_c e^a_c        d log p / da_c = [x = c] - softmax(a)_c

    x : (N,) integers      params : logits (N, C)
    """

    measure = "counting"

    def accept(self, x, name="x", n_classes=None, dtype=None):
        return class_labels(name, x, n_classes=n_classes)

    def _checked(self, x, params):
        params = self._params(params)
        return class_labels("x", x, n_rows=len(params), n_classes=params.shape[1]), params

    def start(self, mean, variance=None):
        """mean : (C,)    the classes' shares"""
        return np.log(np.maximum(mean, 1e-3)), np.ones_like(mean)

    def value_and_grad(self, x, params):
        rows = np.arange(len(x))
        probability, log_probability = _softmax_terms(params)
        grad = -probability
        grad[rows, x] += 1
        return log_probability[rows, x], grad

    def mean(self, params):
        """softmax(a) : (N, C), the probability of each class."""
        return _softmax_terms(self._params(params))[0]

    def sample(self, params, rng):
        """x : (N,), by the Gumbel trick: argmax_c (a_c + Gumbel noise) has probability softmax(a)_c."""
        params = self._params(params)
        return np.argmax(params + generator("rng", rng).gumbel(size=params.shape), axis=1)


def _softmax_terms(a):
    """softmax(a) and its logarithm; the largest logit is taken out first, so that nothing overflows or cancels."""
    log_e = a - a.max(axis=1, keepdims=True)
    e = np.exp(log_e)
    total = e.sum(axis=1, keepdims=True)
    return e / total, log_e - np.log(total)


def _unit_interval(x, name, model):
    return every(name, x, lambda x: (x >= 0) & (x <= 1), f"{model} wants values in [0, 1], got {{}}; "
                 "divide by the largest possible, as X / 255")
