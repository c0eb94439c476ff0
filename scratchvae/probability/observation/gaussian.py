"""How probable is a real number? The Gaussian, its variance fixed, learned once, or learned for every feature."""
import numpy as np

from scratchvae.checking import door, entry, generator, number
from scratchvae.probability.gaussian import LOG_2PI
from scratchvae.probability.observation.base import LocationScale, a_spread, of_some_features


class Gaussian(LocationScale):
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
    spread = property(lambda self: self.variance)

    @entry(variance=a_spread, floor=number)
    def __init__(self, variance="shared", *, floor=1e-3):
        self.variance, self.floor = variance, floor

    def value_and_grad(self, x, params, need_grad=True):
        D = x.shape[-1]
        m, s = params[..., :D], params[..., D:]
        v, dlog_v = self.variance_terms(s)
        r = x - m
        dm = r / v
        squares = r * dm  # (x - m)^2 / v
        # -1/2 sum_j ((x_j - m_j)^2 / v_j + log v_j + log 2 pi)
        log_v = np.log(v).sum(axis=-1) * (D // v.shape[-1])
        log_p = -0.5 * (squares.sum(axis=-1) + log_v + D * LOG_2PI)
        if not (self.is_learned and need_grad):
            return log_p, dm
        # ds_j = 1/2 ((x_j - m_j)^2 / v_j - 1) dlog v_j / ds_j, summed over the features that share one s
        ds = 0.5 * (squares - 1) * dlog_v
        if self.n_shared:
            ds = ds.sum(axis=1, keepdims=True)
        return log_p, np.concatenate([dm, ds], axis=1)

    def variance_terms(self, s):
        """v : (1, 1) fixed, (N, 1) shared or (N, D), and dlog v / ds; None where the variance is fixed, and s empty."""
        if not self.is_learned:
            return np.full((1, 1), self.variance, s.dtype), None
        e = np.exp(s)
        v = self.floor + e
        return v, e / v

    @entry(params=of_some_features)
    def mean(self, params):
        """E[x] = m : (N, D)."""
        return params[:, :self.n_features(params)]

    @door("params", params=of_some_features, rng=generator)
    def sample(self, params, rng):
        """x = m + sqrt(v) * eps : (N, D)."""
        m, s = np.split(params, [self.n_features(params)], axis=1)
        eps = rng.standard_normal(m.shape, dtype=m.dtype)
        return m + self.variance_terms(s)[0] ** 0.5 * eps

    def start(self, mean, variance):
        """Mean and variance; the means may vary about theirs by the deviation, the log-variances start flat."""
        v = self.variances_to_start(variance)
        s = np.log(np.maximum(v - self.floor, max(self.floor, 1e-6)))  # a pixel that never changes can still learn
        return np.concatenate([mean, s]), np.concatenate([np.sqrt(variance), np.zeros(len(v))])
