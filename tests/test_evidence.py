"""Is log p(x) estimated without bias, with an honest error? Against the linear VAE, whose log p(x) is known.

Where q is the exact posterior every weight is p(x), and the estimate has no error at all; elsewhere a fixed seed and
four of its own standard errors are the measure.
"""
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.analysis import aggregate, evidence, posterior
from scratchvae.models import probabilistic_pca
from scratchvae.probability import gaussian
from strategies import normals, reals, rng, seeds, sizes

N, D, K = 6, 5, 2
METHODS = ("importance", "widened", "defensive", "prior")


def exact_linear(seed=0, n=N, d=D, k=K):
    """X, the linear VAE that fits it best, with the exact posterior as q, and its log p(x)."""
    X = normals(seed, n + 20, d) @ normals(seed + 1, d, d)
    ppca = probabilistic_pca.ProbabilisticPCA(k).fit(X)
    return X[:n], probabilistic_pca.linear_vae(ppca), ppca.log_prob(X[:n])


def blurred_linear(seed=0):
    """The same with a q that is off by half a standard deviation and a little too wide, so that weights vary."""
    X, vae, exact = exact_linear(seed)
    log_var = vae.encoder.layers[0].b[K:]
    vae.encoder.layers[0].b[:K] += 0.5 * np.exp(0.5 * log_var)
    log_var += 0.4
    return X, vae, exact


# ---- the estimate ---------------------------------------------------------------------------------------------------

def check_log_evidence(method, n_samples=20000):
    """Within four of its own standard errors of the truth, for every example."""
    X, vae, exact = blurred_linear()
    value, ess = evidence.log_evidence(vae, X, n_samples=n_samples, rng=rng(3), method=method)
    error = evidence.standard_error(ess, n_samples)
    assert (error > 0).all() and (error < 0.05).all()
    assert (np.abs(value - exact) < 4 * error).all()


@pytest.mark.parametrize("method", [*METHODS, evidence.Proposal(widen=1.2, prior_share=0.4)])
def test_log_evidence(method):
    check_log_evidence(method)


@settings(max_examples=10)
@given(seeds, st.integers(1, 30))
def test_exact_posterior_has_equal_weights(seed, n_samples):
    """One sample is enough: value = log p(x), and the effective sample size is the sample size."""
    X, vae, exact = exact_linear(seed)
    value, ess = evidence.log_evidence(vae, X, n_samples=n_samples, rng=rng(seed))
    np.testing.assert_allclose(value, exact, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ess, n_samples, rtol=1e-12)
    if n_samples > 1:
        assert (evidence.standard_error(ess, n_samples) < 1e-5).all()


def test_one_row_and_one_weight_have_no_spread():
    X, vae, _ = exact_linear(0)
    with pytest.raises(ValueError, match="^X: want at least 2 rows, for one has no spread, got"):
        aggregate.active_units(vae, X[:1])
    with pytest.raises(ValueError, match="^n_samples: want an integer >= 2, got 1"):
        evidence.standard_error(np.ones(3), n_samples=1)


def test_agrees_with_the_grid_on_a_nonlinear_model():
    vae = sv.VAE(6, hidden=(5,), n_latent=2, activation="tanh", rng=rng(1), dtype=np.float64)
    vae.theta += 0.5 * normals(2, len(vae.theta))
    X = np.round(rng(3).random((N, 6)))
    exact = posterior.grid_log_evidence(vae, X)
    for method in ("defensive", "prior"):
        value, ess = evidence.log_evidence(vae, X, n_samples=5000, rng=rng(4), method=method)
        assert (np.abs(value - exact) < 4 * evidence.standard_error(ess, 5000)).all()
    # and all 2^6 images have probability one together
    every = np.array(np.meshgrid(*[[0.0, 1.0]] * 6)).reshape(6, -1).T
    assert np.exp(posterior.grid_log_evidence(vae, every)).sum() == pytest.approx(1, abs=1e-10)


def test_the_prior_is_hopeless_in_many_dimensions():
    """In 12 dimensions the best of 1,000 prior samples has nearly all the weight; and the estimate is far too low."""
    X = normals(0, 200, 16) @ normals(1, 16, 16)
    ppca = probabilistic_pca.ProbabilisticPCA(12).fit(X)
    vae = probabilistic_pca.linear_vae(ppca)
    value, ess = evidence.log_evidence(vae, X[:50], n_samples=1000, rng=rng(2), method="prior")
    assert np.median(ess) < 5 and (value - ppca.log_prob(X[:50])).mean() < -5


# ---- proposals ------------------------------------------------------------------------------------------------------

def check_proposal_density(proposal, seed=0):
    """log r(z) is the mixture's density at z, by the textbook, and the samples follow it: E_r[p(z) / r(z)] = 1."""
    mu, log_var = 0.5 * normals(seed, 1, K), 0.3 * normals(seed + 1, 1, K)
    z, log_r = evidence.propose(mu, log_var, 20000, proposal, rng(seed))

    def density(mean, sigma):
        return np.prod(np.exp(-0.5 * ((z - mean) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)), axis=-1)

    sigma, share = proposal.widen * np.exp(0.5 * log_var), proposal.prior_share
    np.testing.assert_allclose(np.exp(log_r), (1 - share) * density(mu, sigma) + share * density(0, 1), rtol=1e-11)
    # a Gaussian narrower than each part, so that its weights under r are bounded
    for f in (density(mu, 0.5 * np.exp(0.5 * log_var)), density(0.1, 0.5)):
        w = (f / np.exp(log_r))[:, 0]
        assert abs(w.mean() - 1) < 4 * w.std() / np.sqrt(len(w))


@pytest.mark.parametrize("proposal", [
    evidence.Proposal(), evidence.Proposal(widen=1.7), evidence.Proposal(prior_share=0.3),
    evidence.Proposal(widen=1.4, prior_share=0.5), evidence.Proposal(prior_share=1.0)])
def test_proposal_density(proposal):
    check_proposal_density(proposal)


@given(sizes(3, low=1), seeds, st.floats(0.01, 1))
def test_a_share_of_the_prior_bounds_the_weights(shape, seed, share):
    """log p(z) - log r(z) <= -log share, wherever q is."""
    s, n, k = shape
    mu, log_var = normals(seed, n, k, scale=3), normals(seed + 1, n, k, scale=2)
    z, log_r = evidence.propose(mu, log_var, s, evidence.Proposal(prior_share=share), rng(seed))
    assert (gaussian.log_prob(z, 0.0, np.zeros(k)) - log_r <= -np.log(share) + 1e-12).all()


# ---- effective sample size, error -----------------------------------------------------------------------------------

@given(sizes(2, low=1).flatmap(lambda shape: reals(shape, bound=50)), st.floats(-1e4, 1e4))
def test_effective_sample_size(log_w, shift):
    """Between 1 and S; a factor common to all weights does not change it."""
    ess = evidence.effective_sample_size(log_w)
    assert (ess >= 1 - 1e-12).all() and (ess <= len(log_w) * (1 + 1e-12)).all()
    np.testing.assert_allclose(evidence.effective_sample_size(log_w + shift), ess, rtol=1e-10)


def test_effective_sample_size_of_known_weights():
    with np.errstate(divide="ignore"):
        log_w = np.log(np.array([[1.0, 1, 3], [1, 0, 1], [1, 1, 0], [1, 0, 0]]))
    np.testing.assert_allclose(evidence.effective_sample_size(log_w), [4, 2, 1.6], rtol=1e-14)


def check_effective_sample_size_of_each_column():
    """Each column by itself, also where one's largest weight is nothing beside another's: images differ in log p(x)."""
    log_w, levels = normals(0, 4, 4), np.array([0.0, -900, -1e5, 300])
    alone = [evidence.effective_sample_size(column[:, None])[0] for column in log_w.T]
    with np.errstate(all="ignore"):
        together = evidence.effective_sample_size(log_w + levels)
    np.testing.assert_allclose(together, alone, rtol=1e-9)
    w = np.exp(log_w)
    np.testing.assert_allclose(alone, w.sum(axis=0) ** 2 / (w ** 2).sum(axis=0), rtol=1e-12)


def test_effective_sample_size_of_each_column():
    check_effective_sample_size_of_each_column()


def check_standard_error(seed):
    """1 / ess - 1 / S is Var[w] / (S mean(w)^2), the variance with denominator S."""
    w = np.exp(normals(seed, 50, 3))
    found = evidence.standard_error(evidence.effective_sample_size(np.log(w)), len(w))
    np.testing.assert_allclose(found, w.std(axis=0) / w.mean(axis=0) / np.sqrt(len(w)), rtol=1e-10)


@given(seeds)
def test_standard_error(seed):
    check_standard_error(seed)


# ---- the multi-sample bound -------------------------------------------------------------------------------------

def check_multi_sample_bound():
    """k = 1 is the ELBO; it rises with k, here by far more than the errors; it closes in on log p(x) from below."""
    X, vae, exact = blurred_linear(4)
    bounds = {k: evidence.multi_sample_bound(vae, X, k=k, n_repeats=2000, rng=rng(k)) for k in (1, 5, 50)}
    elbo = vae.elbo(X, eps=normals(9, 4000, N, K))
    assert (np.abs(bounds[1].value - elbo.elbo) < 5 * bounds[1].error).all()
    for low, high in ((1, 5), (5, 50)):
        error = np.hypot(bounds[low].error, bounds[high].error)
        assert (bounds[high].value - bounds[low].value > -2 * error).all()
        assert (bounds[high].value - bounds[low].value).mean() > 4 * np.sqrt(np.sum(error**2)) / N
    assert (exact - bounds[50].value < 0.2 * (exact - bounds[1].value)).all()
    assert (bounds[50].value < exact + 4 * bounds[50].error).all() and (bounds[1].value < exact - 0.1).all()


def check_bound_s_error():
    """Of two repeats a and b the standard error is |a - b| / 2; of R the scatter, by R - 1, over sqrt(R)."""
    X, vae, _ = blurred_linear(4)
    for n_repeats, k in ((2, 3), (5, 1)):
        log_w = evidence.log_weights(vae, X, n_repeats * k, evidence.Proposal(), rng(3)).reshape(n_repeats, k, N)
        repeats = np.log(np.exp(log_w).mean(axis=1))
        value, error = evidence.multi_sample_bound(vae, X, k=k, n_repeats=n_repeats, rng=rng(3))
        np.testing.assert_allclose(value, repeats.sum(axis=0) / n_repeats, rtol=1e-9)
        squares = ((repeats - value) ** 2).sum(axis=0) / (n_repeats - 1)
        np.testing.assert_allclose(error, np.sqrt(squares / n_repeats), rtol=1e-7)
        if n_repeats == 2:
            np.testing.assert_allclose(error, np.abs(repeats[0] - repeats[1]) / 2, rtol=1e-7)


def test_bound_s_error():
    check_bound_s_error()


@pytest.mark.parametrize("measure", [lambda **how: evidence.log_evidence(n_samples=3, **how),
                                     lambda **how: evidence.multi_sample_bound(k=2, n_repeats=2, **how)])
def test_evidence_says_how_far_it_is_if_asked(measure, monkeypatch, capsys):
    """In blocks of two rows, a line after each, the same numbers; without a Progress nothing is said."""
    X, vae, _ = blurred_linear(4)
    monkeypatch.setattr(evidence, "BLOCK", 8 * vae.width)
    silent = measure(vae=vae, X=X, rng=rng(3))
    assert capsys.readouterr() == ("", "")
    spoken = measure(vae=vae, X=X, rng=rng(3), progress=sv.Progress("log p(x)", interval=0))
    for one, other in zip(silent, spoken):
        np.testing.assert_array_equal(one, other)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        f"log p(x) block {n}/{-(-N // 2)}" for n in range(1, -(-N // 2) + 1)]
    assert lines[-1].endswith("done") and all(line.endswith("s left") for line in lines[:-1])


def test_multi_sample_bound():
    check_multi_sample_bound()


@given(seeds, st.integers(1, 6))
def test_multi_sample_bound_is_tight_at_the_exact_posterior(seed, k):
    X, vae, exact = exact_linear(seed)
    value, error = evidence.multi_sample_bound(vae, X, k=k, n_repeats=3, rng=rng(seed))
    np.testing.assert_allclose(value, exact, rtol=1e-9, atol=1e-9)
    assert (error < 1e-9).all()


# ---- the aggregate posterior --------------------------------------------------------------------------------------

def encoder_that_says(mean, log_var, d=D):
    """A linear VAE with mu_j(x) = mean_j x_j and a constant log_var."""
    vae = sv.VAE(d, hidden=(), n_latent=len(mean), observation=sv.Gaussian(1), rng=rng(), dtype=np.float64)
    dense, k = vae.encoder.layers[0], len(mean)
    dense.theta[:] = 0
    dense.W[range(k), range(k)], dense.b[k:] = mean, log_var
    return vae


def check_aggregate_kl_parts():
    """Codes far apart tell all, log N; codes that are all the same tell nothing, and the KL is the aggregate's."""
    X = 100.0 * np.arange(1, 8)[:, None] * np.ones((7, D))
    kl, told, marginal = aggregate.aggregate_kl(encoder_that_says([1.0, 0.0], -1.0), X, n_samples=3, rng=rng(1))
    np.testing.assert_allclose(told, np.log(7), rtol=1e-12)
    np.testing.assert_allclose(kl, told + marginal, rtol=1e-12)
    vae = encoder_that_says([0.0, 0.0], 0.7)
    kl, told, marginal = aggregate.aggregate_kl(vae, X, n_samples=4000, rng=rng(2))
    assert np.abs(told).max() < 1e-12
    exact = gaussian.kl_standard(np.zeros(2), np.full(2, 0.7))
    assert (np.abs(marginal - exact) < 0.15).all() and abs(marginal.mean() - exact) < 0.05


def test_aggregate_kl_parts():
    check_aggregate_kl_parts()


def test_aggregate_kl_of_some_codes():
    """The parts' mean is the closed-form KL's, within its scatter; both are positive on average."""
    vae, X = encoder_that_says([1.5, 0.3], -1.0), normals(0, 300, D)
    kl, told, marginal = aggregate.aggregate_kl(vae, X, n_samples=50, rng=rng(1))
    exact = gaussian.kl_standard(*vae.encode(X))
    error = (kl - exact).std() / np.sqrt(len(X))
    assert abs((kl - exact).mean()) < 4 * error < 0.1
    assert 0.5 < told.mean() < np.log(300) and marginal.mean() > 0.1


def check_active_units():
    """A latent whose mu is the same for every x is not active, wherever that mu is; the variance is mu's alone."""
    vae, X = encoder_that_says([2.0, 0.0, 0.05], -1.0), normals(0, 500, D)
    vae.encoder.layers[0].b[:2] = 1.0, -3.0
    active, variance = aggregate.active_units(vae, X)
    assert active.tolist() == [True, False, False] and variance[1] == 0
    np.testing.assert_allclose(variance, np.square([2.0, 0.0, 0.05]) * X[:, :3].var(axis=0), rtol=1e-12)
    assert aggregate.active_units(vae, X, threshold=1e-3).active.tolist() == [True, False, True]
    assert aggregate.active_units(vae, X, threshold=0.0).active.tolist() == [True, False, True]  # not 0 > 0


def test_active_units():
    check_active_units()


# ---- blocks, seeds, doors -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("block", [1, 50, 400])
def test_blocks_of_images_and_of_samples(monkeypatch, block):
    """However small the blocks, every image gets all its samples: the exact q shows it, and the blurred one's error."""
    monkeypatch.setattr(evidence, "BLOCK", block)
    X, vae, exact = exact_linear(2)
    value, ess = evidence.log_evidence(vae, X, n_samples=7, rng=rng(1))
    np.testing.assert_allclose(value, exact, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ess, 7, rtol=1e-12)
    X, vae, exact = blurred_linear(2)
    value, ess = evidence.log_evidence(vae, X, n_samples=400, rng=rng(1))
    assert (np.abs(value - exact) < 5 * evidence.standard_error(ess, 400)).all()


def test_blocks_of_codes_and_of_points(monkeypatch):
    """The aggregate and the grid, too, give the same however few rows or points are taken at once."""
    X, vae, _ = blurred_linear(2)
    grid = posterior.latent_grid(K, half_width=6.0, step=0.5)

    def both():
        return *aggregate.aggregate_kl(vae, X, n_samples=3, rng=rng(1)), posterior.grid_log_likelihood(vae, X, grid)

    want = both()
    monkeypatch.setattr(aggregate, "BLOCK", 3 * N * K)
    monkeypatch.setattr(posterior, "IN_CACHE", 100)
    for a, b in zip(both(), want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_memory_does_not_grow_with_the_number_of_images():
    vae = sv.VAE(64, hidden=(16,), n_latent=2, rng=rng(0))
    X = np.round(rng(1).random((200, 64), dtype=np.float32))
    peaks = []
    for n in (50, 200):
        tracemalloc.start()
        evidence.log_evidence(vae, X[:n], n_samples=1000, rng=rng(2))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < 60e6 and peaks[1] < 1.2 * peaks[0]


def test_same_seed_same_numbers_and_float64_values():
    vae = sv.VAE(D, hidden=(4,), n_latent=K, rng=rng(0))
    X = np.round(rng(1).random((N, D)))
    a, b = (evidence.log_evidence(vae, X, n_samples=20, rng=rng(2)) for _ in range(2))
    assert np.array_equal(a.value, b.value) and np.array_equal(a.ess, b.ess) and a.value.dtype == np.float64
    assert a.value.shape == a.ess.shape == (N,)


def test_what_is_refused():
    X, vae, _ = exact_linear()
    for wrong, error, message in [({"method": "magic"}, ValueError, "method: want one of .?importance"),
                                  ({"method": evidence.Proposal(prior_share=1.5)}, ValueError, "prior_share"),
                                  ({"method": evidence.Proposal(widen=0.0)}, ValueError, "widen"),
                                  ({"n_samples": 0}, ValueError, "n_samples"), ({"rng": 3}, TypeError, "rng")]:
        with pytest.raises(error, match=message):
            evidence.log_evidence(vae, X, **{"rng": rng(), **wrong})
    with pytest.raises(ValueError, match="X"):
        evidence.log_evidence(vae, X[:, 1:], rng=rng())
    with pytest.raises(ValueError, match="n_repeats"):
        evidence.multi_sample_bound(vae, X, k=1, n_repeats=1, rng=rng())
    for ess in (0.5, 10.1):
        with pytest.raises(ValueError, match="^ess: want effective sample sizes from 1 to 10, got"):
            evidence.standard_error([ess], 10)
    with pytest.raises(TypeError, match="vae: want a VAE"):
        evidence.log_evidence(sv.PCA(2), X, rng=rng())
    with pytest.raises(ValueError, match="is a loss, not a likelihood"):
        evidence.log_evidence(sv.VAE(D, observation=sv.CrossEntropy(), rng=rng()), np.zeros((N, D)), rng=rng())


@pytest.mark.parametrize("K", [1, 2])
def test_a_grid_too_coarse_for_the_posterior_is_refused_and_a_fine_one_is_exact(K):
    """A linear VAE whose posterior is 0.03 wide, and its closed form."""
    scale = np.where(np.arange(4) < K, 1, 0.03)
    model = sv.ProbabilisticPCA(K).fit(normals(0, 30, 4) * scale)
    vae, X = probabilistic_pca.linear_vae(model), normals(1, 3, 4) * scale
    with pytest.raises(ValueError, match="^grid: too coarse for the posterior of example"):
        sv.grid_log_evidence(vae, X, sv.latent_grid(K, step=0.2))
    fine = sv.grid_log_evidence(vae, X, sv.latent_grid(K, half_width=4, step=0.02))
    np.testing.assert_allclose(fine, model.log_prob(X), rtol=0, atol=1e-6)


def linear_vae_with_posterior(covariance, mean):
    """A linear VAE, an x whose posterior is N(mean, covariance), and its log p(x)."""
    K = len(mean)
    # covariance = (W W^T + I)^-1 for variance 1, and mean = x W^T covariance
    W = np.linalg.cholesky(np.linalg.inv(covariance) - np.eye(K))
    vae = sv.VAE(K, hidden=(), n_latent=K, observation=sv.Gaussian(1.0), rng=rng(), dtype=np.float64)
    vae.decoder.layers[0].W[:], vae.decoder.layers[0].b[:] = W, 0
    x = np.atleast_2d(mean) @ np.linalg.inv(covariance) @ np.linalg.inv(W.T)
    return vae, x, probabilistic_pca.linear_log_prob(x, W, np.zeros(K), 1.0)


@pytest.mark.parametrize("K", [1, 2])
@given(sigma=st.floats(0.02, 0.3), other=st.floats(0.02, 0.3), turn=st.floats(0, np.pi), offset=st.floats(-0.1, 0.1))
def test_a_grid_is_refused_or_right_wherever_the_peak_lies(K, sigma, other, turn, offset):
    """Narrow posteriors, tilted, on a point, midway between two or anywhere: step 0.1 is right from 0.08 on, or refuses."""
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) if K == 2 else np.eye(1)
    covariance = axes * np.array([sigma, other])[:K] ** 2 @ axes.T
    vae, x, exact = linear_vae_with_posterior(covariance, np.full(K, 0.5 + offset))
    try:
        found = sv.grid_log_evidence(vae, x)
    except ValueError as refusal:
        assert min(sigma, other if K == 2 else sigma) < 0.08 and "too coarse" in str(refusal)
    else:
        np.testing.assert_allclose(found, exact, rtol=0, atol=5e-4)


@pytest.mark.parametrize("sigma", [0.02, 0.03, 0.05])
def test_a_narrow_peak_midway_between_two_points_is_refused(sigma):
    """Every second point alone would not see it: both halves hold the same."""
    vae, x, _ = linear_vae_with_posterior(np.array([[sigma**2]]), np.array([0.05]))
    with pytest.raises(ValueError, match="^grid: too coarse for the posterior of example 0"):
        sv.grid_log_evidence(vae, x)


def test_a_grid_that_ends_inside_the_posterior_is_refused():
    vae, x, exact = linear_vae_with_posterior(0.25 * np.eye(2), np.array([0.5, 0.0]))
    np.testing.assert_allclose(sv.grid_log_evidence(vae, x, sv.latent_grid(2, half_width=3)), exact, rtol=0, atol=1e-4)
    with pytest.raises(ValueError, match="^grid: too small for the posterior of example 0"):
        sv.grid_log_evidence(vae, x, sv.latent_grid(2, half_width=1.5))


@pytest.mark.parametrize("change, name", [
    ({"z": "a"}, "grid.z"), ({"z": np.zeros((9, 3))}, "grid.z"), ({"z": np.zeros((8, 2))}, "grid.z"),
    ({"log_cell": None}, "grid.log_cell"), ({"log_cell": np.nan}, "grid.log_cell")])
def test_a_grid_of_other_things_is_refused_by_name(change, name):
    vae = sv.VAE(5, hidden=(4,), n_latent=2, rng=rng())
    with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
        sv.grid_posterior(vae, np.ones((2, 5)), sv.latent_grid(2, step=1.0)._replace(**change))
