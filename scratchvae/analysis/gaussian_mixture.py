"""How can one draw codes like those of the data? A mixture of Gaussians, fitted to them by expectation-maximisation.

    s(z) = sum_c w_c N(z; m_c, S_c)

An autoencoder promises nothing about where its codes lie, so whoever wants to generate from it must fit a density to
them first. One component is the fitted Gaussian; many can follow almost any cloud. EM raises the log-likelihood of the
codes by turns, never lowering it (but for the floor, below):

    E   r_nc = w_c N(z_n; m_c, S_c) / s(z_n)                      the responsibility of component c for code n
    M   w_c = mean_n r_nc        m_c, S_c = mean and covariance of the codes weighted by r_nc

A component that shrinks onto a single code would have an infinite likelihood; a floor under the variances forbids it.
Source: Dempster, Laird & Rubin 1977; Bishop 2006, section 9.2.
"""
import numpy as np

from scratchvae.checking import door, entry, generator, integer, not_too_large, number, positive, real_matrix
from scratchvae.checking.analysis import fittable
from scratchvae.models.fit_once import FitOnce, fitted, options, warn_of_em
from scratchvae.nn.threads import ONE_THREAD
from scratchvae.probability.gaussian import LOG_2PI

REACH = 5.0  # standard deviations that a quadrature grid reaches; beyond lie 6e-7 of the probability on each axis
_codes = lambda name, value, self: real_matrix(name, value, self.n_features_in_)  # (N, K)


class GaussianMixture(FitOnce):
    """A density over codes z (N, K): w_c, m_c, S_c in scikit-learn's names.

    n_components : C      floor : > 0, added to each component's variance, as a share of the codes'

    After `fit(Z, rng=)`: weights_ (C,), means_ (C, K), covariances_ (C, K, K), log_likelihood_, the mean of log s(z) in
    nats at each E step, that of the start first (not in files).
    """

    FITTED = {"weights_": "C", "means_": "CK", "covariances_": "CKK"}
    n_features_in_ = property(lambda self: self.means_.shape[1])

    @options(n_components=integer, floor=positive, max_iter=integer, tol=number)
    def __init__(self, n_components=1, *, floor=1e-3, max_iter=200, tol=1e-5):
        self.n_components, self.floor, self.max_iter, self.tol = n_components, floor, max_iter, tol

    @classmethod
    @entry(K=lambda name, value: integer(name, value, high=10_000))  # the covariance has K x K numbers
    def standard(cls, K):
        """N(0, I) in K dimensions, the prior of a VAE."""
        prior = cls(1)
        prior.weights_, prior.means_, prior.covariances_ = np.ones(1), np.zeros((1, K)), np.eye(K)[None]
        return prior

    @ONE_THREAD
    @door("Z", Z=fittable, rng=generator)
    def fit(self, Z, y=None, *, rng):
        """Fit to codes Z (N, K), N > K and N >= C, by EM until the mean log-likelihood gains < tol; returns self.

        Warns if max_iter turns did not suffice.
        """
        (N, K), C = Z.shape, self.n_components
        spread = not_too_large(np.cov(Z.T).reshape(K, K))
        floor = self.floor * np.trace(spread) / K * np.eye(K)
        weights, means = np.full(C, 1 / C), spread_points(Z, C, rng)
        covariances, log_likelihood = np.tile(spread / C ** (2 / K) + floor, (C, 1, 1)), np.zeros(0)
        for _ in range(self.max_iter):
            r, log_s = expectation(Z, weights, means, covariances)
            gain = log_s.mean() - (log_likelihood[-1] if log_likelihood.size else -np.inf)
            log_likelihood = np.append(log_likelihood, log_s.mean())
            if gain < self.tol:
                break
            weights, means, covariances = maximisation(Z, r, floor)
        warn_of_em(self.max_iter, self.tol, gain)
        self.weights_, self.means_, self.covariances_ = weights, means, covariances
        self.log_likelihood_ = log_likelihood
        return self

    @ONE_THREAD
    @door("Z", self=fitted, Z=_codes)
    def log_prob(self, Z):
        """log s(z) : (N,), in nats, of codes Z (N, K)."""
        return expectation(Z, self.weights_, self.means_, self.covariances_)[1]

    score_samples = log_prob

    def score(self, Z, y=None):
        """The mean of log s(z), in nats per code."""
        return float(self.log_prob(Z).mean())

    @ONE_THREAD
    @door("Z", self=fitted, Z=_codes)
    def predict_proba(self, Z):
        """The responsibility r_nc of each component for each of the codes Z (N, K) : (N, C), rows adding up to 1."""
        return expectation(Z, self.weights_, self.means_, self.covariances_)[0]

    def predict(self, Z):
        """The component (N,), from 0 to C - 1, that is most responsible for each of the codes Z (N, K)."""
        return self.predict_proba(Z).argmax(axis=1)

    @entry(self=fitted, n=lambda name, value, self: integer(name, value, each=self.means_.size), rng=generator)
    def sample(self, n, *, rng):
        """n codes (n, K) drawn from s: a component by its weight, then a code from it."""
        c = rng.choice(len(self.weights_), n, p=self.weights_)
        eps = rng.standard_normal((n, self.means_.shape[1]))
        # z = m_c + L_c eps
        return self.means_[c] + np.einsum("nij,nj->ni", np.linalg.cholesky(self.covariances_)[c], eps)

    @entry(self=fitted, n_nodes=lambda name, value: integer(name, value, each=2))
    def grid(self, n_nodes=40000):
        """Nodes z (M, 2) and log-weights (M,) with which sum_i e^w_i f(z_i) = integral s(z) f(z) dz; K = 2 only.

        Every component has a square grid of its own, in the coordinates u in which it is N(0, I), z = m_c + L_c u, out
        to REACH; the weights of each add up to w_c. For smooth f the error falls faster than any power of the spacing.
        """
        C, K = self.means_.shape
        if K != 2:
            raise ValueError(f"n_latent: want 2 dimensions for quadrature on a grid, got {K}")
        n = max(2, int(np.sqrt(n_nodes / C)))
        u = np.linspace(-REACH, REACH, n)
        u = np.stack(np.meshgrid(u, u), axis=-1).reshape(-1, 2)                # (n n, 2)
        log_n = -0.5 * (u * u).sum(axis=1)
        log_n -= np.logaddexp.reduce(log_n)
        z = self.means_[:, None] + u @ np.swapaxes(np.linalg.cholesky(self.covariances_), 1, 2)
        return z.reshape(-1, 2), (np.log(self.weights_)[:, None] + log_n).ravel()


def expectation(Z, weights, means, covariances):
    """E: the responsibilities r_nc = w_c N(z_n; m_c, S_c) / s(z_n) : (N, C), and log s(z_n) : (N,), of codes Z (N, K).

    weights : (C,)      means : (C, K)      covariances : (C, K, K)
    """
    joint = _log_joint(Z, weights, means, covariances)                         # (N, C)
    # log s(z_n) = log sum_c w_c N(z_n; m_c, S_c)
    log_s = np.logaddexp.reduce(joint, axis=1)
    return np.exp(joint - log_s[:, None]), log_s


def maximisation(Z, r, floor):
    """M: weights (C,), means (C, K) and covariances (C, K, K) of codes Z (N, K) whose responsibilities are r (N, C).

        w_c = mean_n r_nc      m_c = sum_n r_nc z_n / sum_n r_nc      S_c = sum_n r_nc d_nc d_nc^T / sum_n r_nc + floor

    d_nc = z_n - m_c      floor : (K, K)
    """
    total = r.sum(axis=0) + 1e-10                                              # a component may have lost all its codes
    means = r.T @ Z / total[:, None]
    d = Z - means[:, None]                                                     # (C, N, K)
    covariances = np.swapaxes(d * r.T[:, :, None], 1, 2) @ d / total[:, None, None] + floor
    return total / total.sum(), means, covariances


def _log_joint(Z, weights, means, covariances):
    """log w_c + log N(z_n; m_c, S_c) : (N, C)."""
    L = np.linalg.cholesky(covariances)                                        # S = L L^T
    u = np.linalg.solve(L, np.swapaxes(Z - means[:, None], 1, 2))              # (C, K, N), L u = z - m
    log_det = np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)             # 1/2 log det S
    log_n = -0.5 * ((u * u).sum(axis=1) + Z.shape[1] * LOG_2PI) - log_det[:, None]
    return (log_n + np.log(weights)[:, None]).T


def spread_points(Z, C, rng):
    """C of the points Z (N, K), each next one drawn with a probability as its squared distance from those before.

    Source: Arthur & Vassilvitskii 2007 (k-means++).
    """
    chosen = [int(rng.integers(len(Z)))]
    squares = np.full(len(Z), np.inf)
    for _ in range(C - 1):
        squares = np.minimum(squares, ((Z - Z[chosen[-1]]) ** 2).sum(axis=1))
        total = squares.sum()
        p = squares / total if total > 0 else np.full(len(Z), 1 / len(Z))
        chosen.append(int(rng.choice(len(Z), p=p)))
    return Z[chosen]
