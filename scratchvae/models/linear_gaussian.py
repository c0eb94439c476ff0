"""What is known of x = z W + mean + noise, whoever fitted it? Its density and the posterior of z, in closed form.

    z ~ N(0, I_K)        x = z W + mean + sqrt(v) eps         W : (K, D), as in a Dense layer

z and x are jointly Gaussian, so that

    p(x) = N(mean, C)                    C = W^T W + v I         (D, D)
    p(z given x) = N(m(x), v M^-1)       M = W W^T + v I         (K, K)        m(x) = (x - mean) W^T M^-1

Nothing of size D x D is formed. With W = U S V^T, V : (D, K) with orthonormal columns, C has the eigenvalue
a_j = S_j^2 + v along V_j and v in the D - K directions left over, so with y = V^T (x - mean)

    log p(x) = -1/2 (sum_j y_j^2 / a_j + |x - mean - V y|^2 / v + sum_j log a_j + (D - K) log v + D log 2 pi).

PCA and probabilistic PCA are fitted Gaussians of this kind, and differ in their `noise_variance_` v alone:

    PCA                 variances with the denominator N - 1; v their mean over the min(N, D) - K discarded directions
    ProbabilisticPCA    with the denominator N, the most likely; v their mean over all D - K, those beyond N being 0

The first is scikit-learn's, the second maximises the likelihood; for N > D they differ by the factor N / (N - 1).
Source: Tipping & Bishop 1999, equations 3 to 6.
"""
import numpy as np

from scratchvae.checking import door, entry, row_blocks
from scratchvae.models.fit_once import Transformer, fitted, points
from scratchvae.nn.threads import ONE_THREAD
from scratchvae.probability.gaussian import LOG_2PI


def with_noise(name, value):
    """A fitted model, if its variance is positive in every direction: else it has no density."""
    (K, D), least = fitted(name, value).components_.shape, value.noise_variance_
    if K == D:
        least = value.explained_variance_[-1]
    if not least > 0:
        raise ValueError(f"n_components: a density needs variance in every direction; {K} of {D} components leave none "
                         "for the others, or have none themselves: fit fewer, or to more rows that differ")
    return value


class SpikedGaussian(Transformer):
    """N(mean_, C), whose variance is explained_variance_[j] along components_[j] and noise_variance_ in all others."""

    @ONE_THREAD
    @door(self=with_noise, X=points)
    def score_samples(self, X):
        """log p(x) of each row under N(mean_, C), a density in nats : (N,). ValueError if C has no inverse."""
        C = self.components_, self.explained_variance_, self.mean_, self.noise_variance_
        return np.concatenate([spiked_log_prob(np.float64(X[rows]), *C) for rows in row_blocks(X)])

    def score(self, X, y=None):
        """The mean of `score_samples(X)`, in nats per row: the larger the better, also for `GridSearchCV`."""
        return float(self.score_samples(X).mean())

    @entry(self=fitted)
    def get_covariance(self):
        """C = V diag(a - v) V^T + v I : (D, D), the fitted Gaussian's covariance, whether codes are whitened or not."""
        V, a, v = self.components_, self.explained_variance_, self.noise_variance_
        return (V.T * (a - v)) @ V + v * np.eye(V.shape[1], dtype=V.dtype)

    @entry(self=with_noise)
    def get_precision(self):
        """C^-1 = V diag(1 / a - 1 / v) V^T + I / v : (D, D). ValueError if C has no inverse."""
        V, a, v = self.components_, self.explained_variance_, self.noise_variance_
        if len(V) == V.shape[1]:
            return (V.T / a) @ V
        return (V.T * (1 / a - 1 / v)) @ V + np.eye(V.shape[1], dtype=V.dtype) / v


def spiked_log_prob(x, V, along, mean, variance):
    """log N(x; mean, C) : (N,), in nats, for a C of variance along_j along V_j and `variance` in the other directions.

    x : (N, D)      V : (K, D), orthonormal rows      along : (K,), > 0      variance : a number > 0, unless K = D
    """
    centred = x - mean
    y = centred @ V.T                                                         # (N, K)
    squares, log_det = np.sum(y**2 / along, axis=1), np.log(along).sum()
    K, D = V.shape
    if K < D:
        # (x - mean) C^-1 (x - mean)^T = sum_j y_j^2 / a_j + |x - mean - V y|^2 / v
        squares += np.sum((centred - y @ V)**2, axis=1) / variance
        # log|C| = sum_j log a_j + (D - K) log v
        log_det += (D - K) * np.log(variance)
    return -0.5 * (squares + log_det + D * LOG_2PI)


def linear_log_prob(x, W, mean, variance):
    """log p(x) : (N,), in nats, under x = z W + mean + sqrt(variance) eps with z ~ N(0, I).

    x : (N, D)      W : (K, D), any      mean : (D,)      variance : a number > 0
    """
    _, S, Vt = np.linalg.svd(W, full_matrices=False)
    return spiked_log_prob(x, Vt, S**2 + variance, mean, variance)


def linear_posterior(x, W, mean, variance):
    """The mean (N, K) and covariance (K, K) of p(z given x) under x = z W + mean + sqrt(variance) eps, z ~ N(0, I).

        M = W W^T + v I        mean = (x - mean) W^T M^-1        covariance = v M^-1

    x : (N, D)      W : (K, D), any      mean : (D,)      variance : a number > 0
    """
    # With W = U S V^T and U square, M = U (S^2 + v) U^T; W W^T would square what W's rows have in common.
    K, D = W.shape
    U, S, Vt = np.linalg.svd(np.pad(W, ((0, 0), (0, max(0, K - D)))), full_matrices=False)
    along = S**2 + variance
    return (x - mean) @ Vt[:, :D].T * (S / along) @ U.T, (U * (variance / along)) @ U.T
