"""What is the true posterior, and what does q lose? Bayes' rule on a grid, for latents of one or two dimensions.

With points z_g at the distance h from each other and every quantity a sum over them,

    p(x) ~ h^K sum_g p(x given z_g) p(z_g)              p(z_g given x) = p(x given z_g) p(z_g) / p(x)

For smooth functions that vanish at the grid's ends the sum is very good. By Poisson's summation formula its relative
error is at most about 2 |phi(2 pi / h)|, where phi(w) = E[exp(i w z)] is the posterior's characteristic function; for a
Gaussian of standard deviation s that is 2 exp(-2 pi^2 s^2 / h^2), which is 5e-9 at h = s and 1.4 percent at h = 2 s.
The grid itself can tell phi at a third of that frequency, a wave three points long: where it is below 0.35 there, the
error of a Gaussian is below 2 (0.35)^9 = 2e-4 in each direction.

The gap log p(x) - ELBO = KL(q || posterior) has two parts. The encoder must answer for every x with one network; given
all the time for one x, the best q* of the same family does better. What is left is the family's:

    log p(x) - ELBO(q) = (ELBO(q*) - ELBO(q))  +  (log p(x) - ELBO(q*))
                          amortisation gap         approximation gap
Source: Cremer et al. 2018.
"""
from collections import namedtuple
from copy import deepcopy

import numpy as np

from scratchvae.analysis.gradient_estimators import mean_log_likelihood, pathwise_gradient
from scratchvae.checking import any_number, door, entry, fields, generator, integer, positive, real_matrix, row_blocks
from scratchvae.checking.analysis import data, likelihood_vae, q_of
from scratchvae.nn.optimizers import Adam
from scratchvae.nn.threads import IN_CACHE, ONE_THREAD
from scratchvae.probability import gaussian
from scratchvae.probability.log_space import log_mean_exp

WAVES = {1: [[1]], 2: [[1, 0], [0, 1], [1, 1], [1, 2]]}  # K -> all directions of a wave three points long
JUDGES = 500  # samples of z, at least, that say whether q* is better than its start

Grid = namedtuple("Grid", "z log_cell")
a_grid = fields(Grid, z=real_matrix, log_cell=any_number)
GridPosterior = namedtuple("GridPosterior", "grid log_likelihood log_prior log_evidence log_posterior")


def fine_step(name, value, n_latent, half_width):
    """A check: `value` as a grid's step that leaves room for its points in memory."""
    if 2 * half_width / positive(name, value) > 1e7 ** (1 / n_latent):
        raise ValueError(f"half_width, {name}: want at most 10^7 points, got {2 * half_width / value:.3g} a dimension")
    return float(value)


def grid_or_default(name, value, vae):
    """A check: `value` as a grid of the VAE's latents; 141 points in each dimension for None."""
    K = vae.n_latent
    grid = latent_grid(K) if value is None else a_grid(name, value)
    if grid.z.shape != (round(len(grid.z) ** (1 / K)) ** K, K):
        raise ValueError(f"{name}.z: want shape (n^{K}, {K}), as `latent_grid` gives, got {grid.z.shape}")
    return grid


@entry(n_latent=lambda name, value: integer(name, value, high=2), half_width=positive, step=fine_step)
def latent_grid(n_latent, *, half_width=7.0, step=0.1):
    """Grid(z (G, K), log_cell): points from -half_width to half_width in each of K = 1 or 2 dimensions, K log step.

    For K = 2 the first coordinate runs fastest: an array over the points, reshaped to (n, n), has z2 down and z1
    across.
    """
    n, K = 2 * int(np.ceil(half_width / step)) + 1, n_latent
    z = step * (np.arange(n) - n // 2)
    points = z[:, None] if K == 1 else np.stack([np.tile(z, n), np.repeat(z, n)], axis=1)
    return Grid(points, K * np.log(step))


@entry(vae=likelihood_vae, X=data, grid=grid_or_default)
def grid_log_likelihood(vae, X, grid):
    """log p(x given z_g) of each example at each point of the grid : (N, G) float64; the decoder runs once."""
    x, log_px = X.astype(np.float64), np.empty((len(X), len(grid.z)))
    for points in row_blocks(grid.z, IN_CACHE, vae.width):
        params = vae.decoder.forward(grid.z[points].astype(vae.dtype))[0]        # (G of the block, n_params)
        log_px[:, points] = vae.observation.value_of_pairs(x, params.astype(np.float64))
    return log_px


@ONE_THREAD
@door("X", "grid", vae=likelihood_vae, X=data, grid=grid_or_default)
def grid_posterior(vae, X, grid=None):
    """Bayes' rule at each point of the grid, for each example: GridPosterior, in nats.

        log_evidence (N,) = log h^K sum_g p(x given z_g) p(z_g)
        log_posterior (N, G) = log_likelihood (N, G) + log_prior (G,) - log_evidence, a density over z

    X : (N, D)      grid : of `latent_grid`, by default 141 points in each dimension
    ValueError for K > 2, and where a posterior is too narrow for the grid's step or reaches beyond its ends.
    """
    K = vae.n_latent
    log_likelihood = grid_log_likelihood(vae, X, grid)
    log_prior = gaussian.log_prob(grid.z, 0.0, np.zeros(K))
    log_posterior = log_likelihood + log_prior                                   # the joint, so far
    log_evidence = log_mean_exp(log_posterior, axis=1) + np.log(len(grid.z)) + grid.log_cell
    log_posterior -= log_evidence[:, None]
    _refuse_unresolved(np.exp(log_posterior + grid.log_cell), K)
    return GridPosterior(grid, log_likelihood, log_prior, log_evidence, log_posterior)


def _refuse_unresolved(mass, K):
    """ValueError where a posterior (N, G), adding up to 1, is too narrow for the grid's step, or not inside it."""
    side = round(mass.shape[1] ** (1 / K))                                       # points along each dimension
    index = np.indices((side,) * K).reshape(K, -1)
    angle = 2 * np.pi / 3 * np.array(WAVES[K]) @ index                           # (waves, G)
    phi = np.hypot(mass @ np.cos(angle).T, mass @ np.sin(angle).T).max(axis=1)
    if not phi.max() < 0.35:
        raise ValueError(f"grid: too coarse for the posterior of example {phi.argmax()}: its characteristic function "
                         f"at a wave of three points is {phi.max():.2g}, want below 0.35; give a smaller step")
    ends = mass[:, ((index == 0) | (index == side - 1)).any(axis=0)].sum(axis=1)
    if ends.max() > 1e-4:
        raise ValueError(f"grid: too small for the posterior of example {ends.argmax()}: the points at its ends hold "
                         f"{ends.max():.2g} of the mass, want below 0.0001; give a larger half_width")


@door("X", "grid", vae=likelihood_vae, X=data, grid=grid_or_default, n_rows=integer)
def grid_log_evidence(vae, X, grid=None, n_rows=20):
    """log p(x) of each example by grid quadrature : (N,), in nats; n_rows examples at a time in memory."""
    return np.concatenate([grid_posterior(vae, X[start:start + n_rows], grid).log_evidence
                           for start in range(0, len(X), n_rows)])


def moments(posterior):
    """Mean (N, K) and log of the variances (N, K) of a GridPosterior: the Gaussian that covers it."""
    z, weight = posterior.grid.z, np.exp(posterior.log_posterior + posterior.grid.log_cell)   # (N, G), sums to 1
    mean = weight @ z
    return mean, np.log(weight @ z**2 - mean**2)


@door("X", "start", "lr", vae=likelihood_vae, X=data, start=q_of, steps=integer, n_samples=integer, rng=generator)
def optimize_q(vae, X, *, start=None, steps=300, n_samples=16, lr=0.03, rng):
    """The best Gaussian q* for each example by itself: mu, log_var, each (N, K), as `vae.encode` gives them.

    Adam on the ELBO's pathwise gradient, the learning rate falling to 0; the decoder stays as it is. Examples whose
    ELBO ends below their start's, by the same noise, keep their start.
    X : (N, D)      start : (mu, log_var), the encoder's if not given. The optimum found is one near the start.
    """
    start, judge = np.stack(start), deepcopy(rng)                                # (2, N, K); rng draws as without judge
    q = start.copy()
    adam = Adam(lr)
    for step in range(steps):
        dq = [-d.mean(axis=0) for d in pathwise_gradient(vae, X, vae.noise(len(X), rng, n_samples), q)]
        adam.lr = lr * (1 - step / steps)
        adam.step(q.reshape(-1), np.stack(dq).reshape(-1))
    gain = sum(_elbo_of(vae, X, q, eps) - _elbo_of(vae, X, start, eps)
               for eps in (vae.noise(len(X), judge, n_samples) for _ in range(-(-JUDGES // n_samples))))
    return tuple(np.where(gain[:, None] >= 0, q, start))                         # where it is no number: the start


def _elbo_of(vae, X, q, eps):
    """The ELBO of each example under q (2, N, K), by this noise (S, N, K) : (N,)."""
    return mean_log_likelihood(vae, X, eps, tuple(q)) - gaussian.kl_standard(*q)
