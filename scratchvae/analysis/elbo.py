"""What exactly is being bounded, and by how much? The derivation of the ELBO, one function a line.

Every line is a number for each x, and each equals the next:

    log p(x)
    = E_q[log p(x)]                                                             it does not depend on z, and q sums to 1
    = E_q[log p(x given z) p(z) / p(z given x)]                                 Bayes' rule, at every z
    = E_q[log p(x given z) (p(z) / q(z)) (q(z) / p(z given x))]                 times q / q
    = E_q[log p(x given z)] - E_q[log q(z) / p(z)] + E_q[log q(z) / p(z given x)]   the logarithm splits the product
    = E_q[log p(x given z)] - KL(q || prior) + KL(q || posterior)               by the definition of KL
    >= E_q[log p(x given z)] - KL(q || prior)  =  ELBO                          KL(q || posterior) >= 0

for any q. The gap is KL(q || posterior): raising the ELBO in q can only be done by bringing q to the posterior.

The lines need E_q, and log-densities as functions of z. They get them from `Pieces`, which come in two kinds:
`on_grid`, sums over a grid of latents (one or two, any decoder), and `in_closed_form`, quadratics in z (the linear VAE,
any number). On the grid p(x) and p(z given x) are made from p(x given z) p(z), so that Bayes' rule holds at every point
by construction, and KL(q || prior) is what can differ. In closed form p(x) and the posterior are formulas of their own,
and so is each KL.
"""
from collections import namedtuple

import numpy as np

from scratchvae.analysis.posterior import grid_or_default, grid_posterior
from scratchvae.checking import door, not_too_large
from scratchvae.checking.analysis import data, likelihood_vae, q_of
from scratchvae.models.linear_gaussian import linear_log_prob, linear_posterior
from scratchvae.models.probabilistic_pca import linear_decoder
from scratchvae.probability import gaussian
from scratchvae.probability.divergence import kl_gaussian
from scratchvae.probability.gaussian import LOG_2PI

# expect : f -> E_q[f(z)] (N,)      the five logs : functions of z that can be added      the rest : (N,)
Pieces = namedtuple("Pieces", "expect log_evidence_at_z log_likelihood log_prior log_q log_posterior "
                              "log_evidence kl_prior kl_posterior")


# ---- the derivation -------------------------------------------------------------------------------------------------

def evidence(p):
    """log p(x)"""
    return p.log_evidence


def expected_evidence(p):
    """E_q[log p(x)]"""
    return p.expect(p.log_evidence_at_z)


def bayes(p):
    """E_q[log p(x|z) p(z) / p(z|x)]"""
    return p.expect(p.log_likelihood + p.log_prior - p.log_posterior)


def times_q_over_q(p):
    """E_q[log p(x|z) p(z)/q(z) q(z)/p(z|x)]"""
    return p.expect(p.log_likelihood + (p.log_prior - p.log_q) + (p.log_q - p.log_posterior))


def three_terms(p):
    """E_q[log p(x|z)] - E_q[log q(z)/p(z)] + E_q[log q(z)/p(z|x)]"""
    kl_prior, kl_posterior = p.expect(p.log_q - p.log_prior), p.expect(p.log_q - p.log_posterior)
    return p.expect(p.log_likelihood) - kl_prior + kl_posterior


def two_divergences(p):
    """E_q[log p(x|z)] - KL(q || prior) + KL(q || posterior)"""
    return p.expect(p.log_likelihood) - p.kl_prior + p.kl_posterior


def elbo(p):
    """E_q[log p(x|z)] - KL(q || prior) = ELBO"""
    return p.expect(p.log_likelihood) - p.kl_prior


EQUAL_LINES = (evidence, expected_evidence, bayes, times_q_over_q, three_terms, two_divergences)


def derivation(pieces):
    """The formula of each line -> its value (N,), in nats: six that are equal, and last the ELBO, which is below."""
    return {line.__doc__: line(pieces) for line in (*EQUAL_LINES, elbo)}


# ---- on a grid ------------------------------------------------------------------------------------------------------

@door("X", "q", "grid", vae=likelihood_vae, X=data, q=q_of, grid=grid_or_default)
def on_grid(vae, X, q=None, grid=None):
    """`Pieces` by quadrature, for one or two latents and any decoder: each log-density is an array (N, G).

    X : (N, D)      q : (mu, log_var), each (N, K), the encoder's if not given      grid : of `latent_grid`
    ValueError if q does not fit the grid: if h^K sum_g q(z_g) is not 1 to 1e-9.
    """
    mu, log_var = (a.astype(np.float64) for a in q)
    posterior = grid_posterior(vae, X, grid)
    log_q = gaussian.log_prob(grid.z, mu[:, None], log_var[:, None])                     # (N, G)
    weight = np.exp(log_q + grid.log_cell)
    mass = weight.sum(axis=1)
    if np.abs(mass - 1).max() > 1e-9:
        raise ValueError(f"grid: want one on which every q sums to 1, got {mass[np.abs(mass - 1).argmax()]:.12g}; "
                         f"give a smaller step (sigma is in [{np.exp(0.5 * log_var.min()):.3g}, "
                         f"{np.exp(0.5 * log_var.max()):.3g}]) or a larger half_width (|mu| to {np.abs(mu).max():.3g})")
    weight /= mass[:, None]
    expect = lambda f: np.sum(weight * f, axis=1)
    return Pieces(expect, posterior.log_evidence[:, None], posterior.log_likelihood, posterior.log_prior, log_q,
                  posterior.log_posterior, posterior.log_evidence, kl_prior=gaussian.kl_standard(mu, log_var),
                  kl_posterior=expect(log_q - posterior.log_posterior))


# ---- in closed form -------------------------------------------------------------------------------------------------

class Quadratic(namedtuple("Quadratic", "c b A")):
    """c + b z - 1/2 z A z for each example, as the logarithm of a Gaussian is: c (N,), b (N, K), A (N, K, K)."""

    def __add__(self, other):
        return Quadratic(*map(np.add, self, other))

    def __sub__(self, other):
        return Quadratic(*map(np.subtract, self, other))

    def expect(self, mu, variance):
        """E[c + b z - 1/2 z A z] under N(mu, diag variance) : (N,); E[z A z] = mu A mu + sum_j A_jj variance_j."""
        squares = np.einsum("nj,njk,nk->n", mu, self.A, mu) + np.einsum("njj,nj->n", self.A, variance)
        return self.c + np.sum(self.b * mu, axis=1) - 0.5 * squares


def log_gaussian(mean, precision):
    """log N(z; mean, precision^-1) as a Quadratic in z; mean (N, K), precision (N, K, K)."""
    b = np.einsum("njk,nk->nj", precision, mean)
    log_det = np.linalg.slogdet(precision)[1]
    return Quadratic(-0.5 * (mean.shape[1] * LOG_2PI - log_det + np.sum(mean * b, axis=1)), b, precision)


def linear_log_likelihood(x, W, mean, variance):
    """log N(x; z W + mean, variance I) as a Quadratic in z; x (N, D), W (K, D).

        -1/2 (|x - mean|^2 / v + D log(2 pi v)) + z W (x - mean) / v - 1/2 z W W^T z / v
    """
    N, D = x.shape
    r = x - mean
    c = -0.5 * (np.sum(r * r, axis=1) / variance + D * (LOG_2PI + np.log(variance)))
    return Quadratic(c, r @ W.T / variance, np.broadcast_to(W @ W.T / variance, (N, len(W), len(W))))


@door("X", "q", vae=likelihood_vae, X=data, q=q_of)
def in_closed_form(vae, X, q=None):
    """`Pieces` of a linear VAE (hidden=(), a Gaussian with one variance), in float64: log-densities are `Quadratic`s.

    X : (N, D)      q : (mu, log_var), each (N, K), the encoder's if not given
    """
    W, mean, variance = linear_decoder(vae)
    mu, log_var = (a.astype(np.float64) for a in q)
    x, (N, K) = X.astype(np.float64), mu.shape
    m, covariance = linear_posterior(x, W, mean, variance)
    log_evidence, sigma2 = linear_log_prob(x, W, mean, variance), np.exp(log_var)
    all_rows = lambda A: np.broadcast_to(A, (N, K, K))
    return Pieces(
        expect=lambda f: f.expect(mu, sigma2),
        log_evidence_at_z=Quadratic(log_evidence, np.zeros((N, K)), np.zeros((N, K, K))),
        log_likelihood=linear_log_likelihood(x, W, mean, variance),
        log_prior=log_gaussian(np.zeros((N, K)), all_rows(np.eye(K))),
        log_q=log_gaussian(mu, np.eye(K) / sigma2[:, :, None]),
        log_posterior=log_gaussian(m, all_rows(np.linalg.inv(covariance))),
        log_evidence=log_evidence, kl_prior=gaussian.kl_standard(mu, log_var),
        kl_posterior=kl_gaussian(mu, np.eye(K) * sigma2[:, :, None], not_too_large(m), covariance))
