"""Is every line of the derivation equal to the next, and the gap what it should be? In closed form and on grids.

The linear VAE is where all is known: the lines meet formulas of their own there, for any q and at the optimum.
"""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.analysis import elbo, posterior
from scratchvae.models import probabilistic_pca
from strategies import normals, rng, seeds, sizes

FEW = settings(max_examples=15)


def moved(model, seed, scale=0.3):
    """The model with every parameter away from zero."""
    model.theta += scale * normals(seed, len(model.theta))
    return model


def linear(d, k, seed, variance="shared"):
    """A linear VAE with any parameters: W W^T is not diagonal, so the posterior's covariance is not."""
    model = sv.VAE(d, hidden=(), n_latent=k, observation=sv.Gaussian(variance), rng=rng(seed), dtype=np.float64)
    return moved(model, seed, 0.4)


def some_q(n, k, seed):
    """mu in [-2, 2], log_var in [-1.5, 0]: far from any posterior, and within the grids below."""
    return rng(seed).uniform(-2, 2, (n, k)), rng(seed + 1).uniform(-1.5, 0, (n, k))


def values(pieces):
    """The equal lines (6, N) and the ELBO (N,)."""
    *equal, bound = elbo.derivation(pieces).values()
    return np.array(equal), bound


def size_of(pieces):
    """The largest term that a line adds up, which is what rounding is relative to."""
    return 1 + np.abs([pieces.log_evidence, pieces.kl_prior, pieces.kl_posterior,
                       pieces.expect(pieces.log_likelihood)]).max(axis=0)


# ---- the derivation ----------------------------------------------------------------------------------------------

def check_lines(pieces, tolerance):
    """Adjacent lines agree; the ELBO is below them by KL(q || posterior), which is not negative."""
    equal, bound = values(pieces)
    size = size_of(pieces)
    assert (np.abs(np.diff(equal, axis=0)) <= tolerance * size).all()
    assert (np.abs(equal[0] - bound - pieces.kl_posterior) <= tolerance * size).all()
    assert (pieces.kl_posterior >= -tolerance * size).all() and (bound <= equal[0] + tolerance * size).all()


@given(sizes(3, low=1), seeds, st.sampled_from(["shared", 0.3]))
def test_lines_in_closed_form(ndk, seed, variance):
    n, d, k = ndk
    check_lines(elbo.in_closed_form(linear(d, k, seed, variance), normals(seed, n, d), some_q(n, k, seed)), 1e-12)


@FEW
@given(seeds, st.sampled_from([1, 2]), st.sampled_from([(), (4,)]),
       st.sampled_from([sv.Bernoulli(), sv.Gaussian(0.5), sv.Gaussian("diagonal"), sv.ContinuousBernoulli()]))
def test_lines_on_a_grid(seed, k, hidden, observation):
    model = sv.VAE(5, hidden=hidden, n_latent=k, activation="tanh", observation=observation, rng=rng(seed),
                   dtype=np.float64)
    x = np.round(rng(seed).random((3, 5)))
    grid = posterior.latent_grid(k, half_width=10.0, step=0.2)
    check_lines(elbo.on_grid(moved(model, seed, 0.3), x, some_q(3, k, seed), grid), 1e-11)


@pytest.mark.parametrize("pieces", ["in_closed_form", "on_grid"])
def test_q_is_the_encoders_unless_given(pieces):
    model, x = linear(4, 2, 1), normals(1, 3, 4)
    model.encoder.theta *= 0.05  # no q wider or farther away than the grid
    own, same = (values(getattr(elbo, pieces)(model, x, q))[1] for q in (None, model.encode(x)))
    other = values(getattr(elbo, pieces)(model, x, some_q(3, 2, 1)))[1]
    assert np.array_equal(own, same) and (own != other).all()


@FEW
@given(seeds, st.sampled_from([1, 2]))
def test_grid_and_closed_form_agree_line_by_line(seed, k):
    """On one linear VAE both ways of expecting give the same seven numbers, and the same three pieces."""
    model, x, q = linear(5, k, seed), normals(seed, 3, 5), some_q(3, k, seed)
    exact = elbo.in_closed_form(model, x, q)
    summed = elbo.on_grid(model, x, q, posterior.latent_grid(k, half_width=10, step=0.1))
    for a, b in zip((*values(exact)[0], values(exact)[1], exact.kl_prior, exact.kl_posterior),
                    (*values(summed)[0], values(summed)[1], summed.kl_prior, summed.kl_posterior)):
        assert (np.abs(a - b) <= 1e-10 * size_of(exact)).all()


def test_the_elbo_line_is_what_the_model_reports():
    """The last line against `VAE.elbo` with many samples, within four standard errors."""
    model = moved(sv.VAE(6, hidden=(5,), n_latent=2, rng=rng(1), dtype=np.float64), 1, 0.3)
    x, n = np.round(rng(2).random((4, 6))), 4000
    draws = np.array([model.elbo(x, eps=eps).elbo for eps in normals(3, n, 4, 2)])
    _, bound = values(elbo.on_grid(model, x, grid=posterior.latent_grid(2, half_width=8, step=0.1)))
    assert (np.abs(draws.mean(axis=0) - bound) < 4 * draws.std(axis=0) / np.sqrt(n)).all()


# ---- the digits ---------------------------------------------------------------------------------------------------

DIGITS = sv.load_digits()[0]


def check_digits_gap(k):
    """On the digits: log p(x) - ELBO = KL(q || posterior) for arbitrary q to 1e-10; 0 at the closed-form optimum."""
    ppca = probabilistic_pca.ProbabilisticPCA(k).fit(DIGITS)
    model = probabilistic_pca.linear_vae(ppca)
    pieces = elbo.in_closed_form(model, DIGITS, some_q(len(DIGITS), k, seed=1))
    bound = elbo.elbo(pieces)
    assert np.abs(ppca.log_prob(DIGITS) - bound - pieces.kl_posterior).max() < 1e-10
    assert pieces.kl_posterior.min() > 0.1
    best = elbo.in_closed_form(model, DIGITS)
    assert np.abs(elbo.elbo(best) - ppca.log_prob(DIGITS)).max() < 1e-10 and np.abs(best.kl_posterior).max() < 1e-10


@pytest.mark.parametrize("k", [2, 8])
def test_digits_gap(k):
    check_digits_gap(k)


# ---- the posterior on a grid --------------------------------------------------------------------------------------

def check_grid_posterior(seed):
    """It integrates to one, log p(x) is the linear model's, and so are the posterior's mean and variances."""
    model, x = linear(5, 2, seed), normals(seed, 4, 5)
    found = posterior.grid_posterior(model, x, posterior.latent_grid(2, half_width=10, step=0.1))
    np.testing.assert_allclose(np.exp(found.log_posterior + found.grid.log_cell).sum(axis=1), 1, rtol=1e-12)
    parameters = probabilistic_pca.linear_decoder(model)
    exact = probabilistic_pca.linear_log_prob(x, *parameters)
    np.testing.assert_allclose(found.log_evidence, exact, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(posterior.grid_log_evidence(model, x, found.grid, n_rows=3), found.log_evidence,
                               rtol=1e-13)
    mean, covariance = probabilistic_pca.linear_posterior(x, *parameters)
    mu, log_var = posterior.moments(found)
    np.testing.assert_allclose(mu, mean, atol=1e-9)
    np.testing.assert_allclose(np.exp(log_var), np.broadcast_to(np.diag(covariance), (4, 2)), rtol=1e-8)


@FEW
@given(seeds)
def test_grid_posterior(seed):
    check_grid_posterior(seed)


def test_the_grids_order():
    z = posterior.latent_grid(2, half_width=1.0, step=1.0).z
    assert z.tolist() == [[a, b] for b in (-1, 0, 1) for a in (-1, 0, 1)]
    line = posterior.latent_grid(1, half_width=1.0, step=0.4)
    np.testing.assert_allclose(line.z[:, 0], np.arange(-3, 4) * 0.4)  # reaches half_width, and is symmetric
    assert line.log_cell == pytest.approx(np.log(0.4))


def check_optimize_q(k, seed=1):
    """From a wrong start it finds the Gaussian nearest to a known posterior: its mean, 1 / the precision's diagonal."""
    model, x = linear(5, k, seed), normals(seed, 3, 5)
    mean, covariance = probabilistic_pca.linear_posterior(x, *probabilistic_pca.linear_decoder(model))
    start = some_q(3, k, seed)
    before = [a.copy() for a in start]
    mu, log_var = posterior.optimize_q(model, x, start=start, steps=1500, rng=rng(4))
    best = np.broadcast_to(-np.log(np.diag(np.linalg.inv(covariance))), (3, k))
    found = elbo.in_closed_form(model, x, (mu, log_var)).kl_posterior
    ideal = elbo.in_closed_form(model, x, (mean, best)).kl_posterior
    assert (ideal <= found + 1e-12).all() and (found < ideal + 2e-3).all()
    assert (elbo.in_closed_form(model, x, start).kl_posterior > ideal + 0.1).all()
    assert all(np.array_equal(a, b) for a, b in zip(start, before))


@pytest.mark.parametrize("k", [1, 3])
def test_optimize_q(k):
    check_optimize_q(k)


@pytest.mark.parametrize("lr", [0.03, 1.0, 10.0])
def test_optimize_q_is_nowhere_worse_than_its_start(lr):
    """Also where its steps are too long; a linear VAE's ELBO is known without noise."""
    model, x = linear(5, 2, 1), normals(1, 40, 5)
    start = model.encode(x)
    q, rng_ = np.stack(start), rng(4)
    found = np.stack(posterior.optimize_q(model, x, steps=30, lr=lr, rng=rng_))
    worse = elbo.in_closed_form(model, x, tuple(found)).kl_posterior - elbo.in_closed_form(model, x, start).kl_posterior
    kept = (found == q).all(axis=(0, 2))
    assert worse.max() < 0.01 and (worse[~kept] < 0.01).all() and kept.sum() == {0.03: 0, 10.0: 40}.get(lr, kept.sum())
    assert rng_.random() == after(30 * 16 * 40 * 2)  # no draw but the steps'


def after(n_normals):
    """The next number of rng(4) after so many normals."""
    gen = rng(4)
    gen.standard_normal(n_normals)
    return gen.random()


def check_optimize_q_starts_at_the_encoder():
    """One step is at most lr long in each coordinate (Adam), so after one that is tiny q is where it began."""
    model, x = linear(5, 2, 1), normals(1, 3, 5)
    for start, want in ((None, model.encode(x)), (some_q(3, 2, 1), some_q(3, 2, 1))):
        found = posterior.optimize_q(model, x, start=start, steps=1, lr=1e-6, rng=rng(4))
        for a, b in zip(found, want):
            assert 0 < np.abs(a - b).max() < 2e-6 and np.abs(b).max() > 0.1


def test_optimize_q_starts_at_the_encoder_unless_told():
    check_optimize_q_starts_at_the_encoder()


# ---- what is refused --------------------------------------------------------------------------------------------

def test_what_is_refused():
    model, x = linear(4, 2, 0), normals(0, 3, 4)
    with pytest.raises(ValueError, match="grid: want one on which every q sums to 1"):
        elbo.on_grid(model, x, (np.zeros((3, 2)), np.full((3, 2), -8.0)))      # too narrow for the step
    with pytest.raises(ValueError, match="grid: want one on which every q sums to 1"):
        elbo.on_grid(model, x, (np.full((3, 2), 6.0), np.zeros((3, 2))))       # half of it outside
    with pytest.raises(ValueError, match="q.mu: want shape .3, 2., got .2, 2."):
        elbo.in_closed_form(model, x, some_q(2, 2, 0))
    with pytest.raises(ValueError, match="log_var: want shape"):
        elbo.in_closed_form(model, x, (np.zeros((3, 2)), np.zeros((3, 1))))
    with pytest.raises(ValueError, match="n_latent"):
        posterior.grid_posterior(linear(4, 3, 0), x)
    with pytest.raises(ValueError, match="hidden"):
        elbo.in_closed_form(sv.VAE(4, hidden=(3,), rng=rng(), observation=sv.Gaussian(1)), x)
    with pytest.raises(ValueError, match="is a loss, not a likelihood"):
        elbo.on_grid(sv.VAE(4, rng=rng(), observation=sv.CrossEntropy()), np.zeros((3, 4)))
