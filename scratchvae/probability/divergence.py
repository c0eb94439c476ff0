"""How unlike are two distributions? The Kullback-Leibler divergence: on tables, by quadrature, sampled, in closed form.

    KL(p || q) = E_p[log p(z) - log q(z)]

is what it costs in addition, in nats per value, to describe draws from p with a code made for q. It is never negative:
log t <= t - 1 with equality only at t = 1, so

    -KL(p || q) = E_p[log (q / p)] <= E_p[q / p - 1] <= 0,

and it is 0 only for equal distributions. It is not a distance: KL(p || q) and KL(q || p) differ. If q has to be a
Gaussian, which one comes out depends on the order.

Forward, KL(p || q): only -E_p[log q] depends on q, and its derivatives vanish where q has the mean and variance of p
(`fit_forward`). Where p has mass, q must have some: q covers.

Reverse, KL(q || p): with z = mu + sigma eps, eps ~ N(0, 1), and an entropy of log sigma plus a constant,

    d/dmu KL = -E[s(z)]        d/dlog_var KL = -1/2 - E[s(z) sigma eps / 2]        s(z) = d log p(z) / dz

which is followed downhill (`fit_reverse`). Where p has no mass, q must have none: q sits on one bump. This is the order
in which a VAE compares its encoder with the posterior.

For Gaussians see also `gaussian.kl_standard` and `gaussian.kl` (diagonal covariances).
"""
from collections import namedtuple

import numpy as np
from numpy.polynomial.hermite_e import hermegauss

from scratchvae.checking import any_number, door, entry, function, integer, reals
from scratchvae.checking.probability import (beside_log_p, beside_weights, covariances, covariances_beside,
                                             distribution, distribution_beside_p, even_grid, normalising,
                                             one_distribution, points, points_beside_mean, several)
from scratchvae.probability.gaussian import LOG_2PI
from scratchvae.probability.inference import ascend

Estimate = namedtuple("Estimate", "value error")
GaussianFit = namedtuple("GaussianFit", "mu log_var")


# ---- four ways to a KL --------------------------------------------------------------------------------------------

@entry(p=distribution, q=distribution_beside_p)
def kl_table(p, q):
    """KL(p || q) of tables of probabilities, in nats.

        KL = sum_c p_c log (p_c / q_c)        0 log 0 = 0; infinite if some q_c = 0 where p_c > 0

    p, q : (..., C), each summing to 1, broadcast together      returns : (...)

    >>> kl_table([[0.5, 0.5], [0.25, 0.75]], [[0.25, 0.75], [0.5, 0.5]])  # the order matters
    array([0.14384104, 0.13081204])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0).sum(axis=-1)


@door(log_p=reals, log_q=beside_log_p, cell=normalising)
def kl_quadrature(log_p, log_q, cell):
    """KL(p || q) of two densities, in nats, from their logarithms on the points of an even grid.

        KL ~ sum_i p_i (log p_i - log q_i) cell

    log_p, log_q : one shape, any number of dimensions      cell : the length, area or volume of one grid cell
    For smooth densities that have died away at the grid's edge the error falls faster than any power of the spacing.
    ValueError if p does not sum to 1 within 1e-6: the grid is too small, too coarse, or p is not normalised.
    """
    return float(np.sum(np.exp(log_p) * (log_p - log_q)) * cell)


@door(log_p=several, log_q=beside_log_p)
def kl_monte_carlo(log_p, log_q):
    """Estimate(value, error) of KL(p || q), in nats, from log p and log q at S independent draws z_s ~ p.

        value = 1/S sum_s (log p(z_s) - log q(z_s))        error = s / sqrt(S), s their standard deviation

    log_p, log_q : (S,), S >= 2.  Unbiased; but if q misses a place that p visits rarely, the error does not know it.
    """
    terms = log_p - log_q
    return Estimate(float(terms.mean()), float(terms.std(ddof=1) / np.sqrt(len(terms))))


@door(mean=points, covariance=covariances, other_mean=points_beside_mean, other_covariance=covariances_beside)
def kl_gaussian(mean, covariance, other_mean, other_covariance):
    """KL(N(mean, covariance) || N(other_mean, other_covariance)) with full covariances, in nats.

        KL = 1/2 (tr(C'^-1 C) - K - log|C| + log|C'| + (m - m') C'^-1 (m - m')^T)

    mean, other_mean : (..., K)      covariances : (..., K, K), positive definite      all broadcast; returns : (...)
    Source: Rasmussen & Williams 2006, equation A.23.
    """
    # With C = A A^T, C' = B B^T and R = B^-1 A: tr(C'^-1 C) = |R|^2, log|C| - log|C'| = 2 log|R|
    A, B = np.linalg.cholesky(covariance), np.linalg.cholesky(other_covariance)
    R = np.linalg.solve(B, A)
    d = np.linalg.solve(B, (mean - other_mean)[..., None])[..., 0]
    log_det = 2 * np.log(np.diagonal(R, axis1=-2, axis2=-1)).sum(axis=-1)
    return 0.5 * (np.sum(R**2, axis=(-2, -1)) - mean.shape[-1] - log_det + np.sum(d**2, axis=-1))


# ---- the Gaussian closest to a given density, in both orders ------------------------------------------------------

@door(z=reals, weights=one_distribution, mu=beside_weights, log_var=beside_weights)
def mixture_log_prob_and_grad(z, weights, mu, log_var):
    """log p(z) and d log p / dz of a mixture of one-dimensional Gaussians, shaped like z.

        p(z) = sum_c w_c N(z; mu_c, exp(log_var_c))        d log p / dz = sum_c r_c(z) (mu_c - z) / sigma_c^2

    with r_c(z) = w_c N_c(z) / p(z), the posterior of the component.      weights, mu, log_var : (C,)
    """
    z = z[..., None]
    pull = (mu - z) * np.exp(-log_var)                                         # (..., C)
    log_joint = np.log(weights) - 0.5 * (pull * (mu - z) + log_var + LOG_2PI)  # -inf for a weight of 0
    top = log_joint.max(axis=-1, keepdims=True)
    joint = np.exp(log_joint - top)
    total = joint.sum(axis=-1, keepdims=True)
    return (top + np.log(total))[..., 0], np.sum(joint / total * pull, axis=-1)


@door(log_p=several, z=even_grid)
def fit_forward(log_p, z):
    """GaussianFit(mu, log_var) of the Gaussian q with the smallest KL(p || q): that with the mean and variance of p.

    log_p : (M,), log p on the even grid z (M,), up to a constant
    """
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mu = p @ z
    return GaussianFit(float(mu), float(np.log(p @ (z - mu) ** 2)))


@entry(log_prob_and_grad=function, mu=any_number, log_var=any_number,
       n_nodes=lambda name, value: integer(name, value, high=180))  # with more, their weights overflow
def fit_reverse(log_prob_and_grad, mu, log_var, *, lr=0.1, n_nodes=64, n_steps=10_000, tolerance=1e-10):
    """GaussianFit(mu, log_var) of a Gaussian q with a locally smallest KL(q || p), by descent from the given one.

        mu = mu + lr E[s(z)]        log_var = log_var + lr (1/2 + E[s(z) sigma eps / 2])        z = mu + sigma eps

    log_prob_and_grad : z -> log p(z), s(z) = d log p / dz; p need not be normalised
    The expectations over eps ~ N(0, 1) are by Gauss-Hermite quadrature. ValueError if it does not settle.
    """
    eps, weights = hermegauss(n_nodes)
    weights = weights / weights.sum()

    def uphill(theta):  # -dKL/dtheta
        sigma = np.exp(0.5 * theta[1])
        slope = log_prob_and_grad(theta[0] + sigma * eps)[1]
        return np.array([weights @ slope, 0.5 + 0.5 * sigma * (weights @ (slope * eps))])

    return GaussianFit(*map(float, ascend(uphill, (mu, log_var), lr=lr, n_steps=n_steps, tolerance=tolerance)))
