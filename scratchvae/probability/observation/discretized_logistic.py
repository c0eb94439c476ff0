"""How probable is a grey level? The logistic distribution, cut into bins: a probability, where others give densities.

A pixel stored in L levels is a number in {0, 1/(L-1), ..., 1} and nothing between, so it has a probability. Let v be
logistic, with distribution function F(v) = sigmoid((v - m) / s), and let x be the level nearest to v; what is beyond
the ends goes to the first and last level. With a and b the standardised ends of x's bin, q = 1 / ((L - 1) s) apart,

    P(x) = sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - e^-q)

where nothing cancels; the first level has only the first factor, the last only the second. A logistic's tails are
thin: a pixel that was black in all of training and is white once would cost hundreds of nats. A small share of a
uniform distribution over the levels bounds what it can cost, and the gradient with it.
Source: Salimans et al. 2017 (PixelCNN++), equation 2.
"""
import numpy as np

from scratchvae.checking import door, entry, every, generator, integer, matrix, number, unit_interval
from scratchvae.probability.observation.base import LocationScale, a_spread, of_some_features
from scratchvae.probability.observation.bernoulli import sigmoid


def sigmoids(b):
    """sigmoid(b) and sigmoid(-b), each with all its digits, and without overflow."""
    e = np.exp(-np.abs(b))
    large = 1 / (1 + e)
    return np.where(b > 0, large, e * large), np.where(b > 0, e * large, large)


class DiscretizedLogistic(LocationScale):
    """x in `n_levels` equal steps from 0 to 1, with mean m and scale s of the logistic that is rounded to them.

        log p = sum_j log((1 - uniform) P_j + uniform / L)          r_j = (1 - uniform) P_j / p_j
        d log p / dm_j = r_j (sigmoid(a_j) - sigmoid(-b_j)) / s_j
        d log p / dlog s_j = r_j (a_j sigmoid(a_j) - b_j sigmoid(-b_j) - q_j / (e^q_j - 1))

    scale : "diagonal"   s_j(z), from the decoder;            params : m, t (N, 2 D)
            "shared"     one s, learned, the same for all;    params : m, t (N, D + 1)
            a number     s fixed;                             params : m (N, D)
    A learned scale is s = floor + e^t, the floor a thirtieth of a level: a logistic so narrow is all in one bin.
    """

    measure = "counting"
    bounded = True
    spread, log_spread = property(lambda self: self.scale), "t"

    @entry(n_levels=lambda name, value: integer(name, value, low=2, high=1 << 16), scale=a_spread,
           uniform=lambda name, value: number(name, value, high=1, open_low=True))
    def __init__(self, n_levels=256, *, scale="diagonal", uniform=1e-4):
        self.n_levels, self.scale, self.uniform = n_levels, scale, uniform

    def value_and_grad(self, x, params, need_grad=True):
        D, half = x.shape[-1], 0.5 / (self.n_levels - 1)
        m, (s, dlog_s) = params[..., :D], self.scale_terms(params[..., D:])
        a, b, q = (x - half - m) / s, (x + half - m) / s, 2 * half / s
        (above_a, below_a), (below_b, above_b) = sigmoids(-a), sigmoids(b)
        # below the first bin there is nothing, nor above the last
        first, last, width = x < half, x > 1 - half, -np.expm1(-q)
        above_a, below_a = np.where(first, 1, above_a), np.where(first, 0, below_a)
        below_b, above_b = np.where(last, 1, below_b), np.where(last, 0, above_b)
        width = np.where(first | last, 1, width)
        # P = sigmoid(b) sigmoid(-a) (1 - e^-q)
        P = (1 - self.uniform) * below_b * above_a * width
        p = P + self.uniform / self.n_levels
        log_p = np.log(p).sum(axis=-1)
        if not need_grad:
            return log_p, None
        r = P / p
        dm = r * (below_a - above_b) / s
        if not self.is_learned:
            return log_p, dm
        dt = r * dlog_s * (a * below_a - b * above_b - q * (1 - width) / width)
        if self.n_shared:
            dt = dt.sum(axis=1, keepdims=True)
        return log_p, np.concatenate([dm, dt], axis=1)

    def scale_terms(self, t):
        """s : (1, 1) fixed, (N, 1) shared or (N, D), and dlog s / dt; None where the scale is fixed, and t empty."""
        if not self.is_learned:
            return np.full((1, 1), self.scale, t.dtype), None
        e, floor = np.exp(t), 1 / (30 * (self.n_levels - 1))
        return floor + e, e / (floor + e)

    @door("params", params=of_some_features)
    def mean(self, params):
        """E[x] = sum over levels l > 0 of p(x >= l) / (L - 1) : (N, D)."""
        D, L = self.n_features(params), self.n_levels
        m, (s, _) = params[:, :D], self.scale_terms(params[:, D:])
        at_least = sum(sigmoid((m - (level - 0.5) / (L - 1)) / s) for level in range(1, L))
        return (1 - self.uniform) * at_least / (L - 1) + 0.5 * self.uniform

    @door("params", params=of_some_features, rng=generator)
    def sample(self, params, rng):
        """x : (N, D), the level nearest to v = m + s log(u / (1 - u)), u uniform; or, now and then, any level."""
        D, L = self.n_features(params), self.n_levels
        m, (s, _) = params[:, :D], self.scale_terms(params[:, D:])
        u, anywhere = rng.uniform(1e-9, 1 - 1e-9, m.shape), rng.random(m.shape) < self.uniform
        level = np.rint((m + s * np.log(u / (1 - u))) * (L - 1))
        x = np.where(anywhere, rng.integers(L, size=m.shape), np.clip(level, 0, L - 1)) / (L - 1)
        return x.astype(m.dtype)

    def start(self, mean, variance):
        """Mean and deviation, a logistic's being pi s / sqrt(3); the scales start flat."""
        v = self.variances_to_start(variance)
        t = np.log(np.maximum(np.sqrt(3 * v) / np.pi, 0.5 / (self.n_levels - 1)))  # half a level where nothing varies
        return np.concatenate([mean, t]), np.concatenate([np.sqrt(variance), np.zeros(len(v))])

    def accept(self, x, name="x", n_features=None, dtype=None):
        x, top = unit_interval(name, matrix(name, x, n_features, dtype), "DiscretizedLogistic wants"), self.n_levels - 1
        return every(name, x, lambda x: np.abs(x * top - np.rint(x * top)) < 0.01,
                     f"DiscretizedLogistic wants one of {self.n_levels} levels, k / {top}, got {{}}; give n_levels=")
