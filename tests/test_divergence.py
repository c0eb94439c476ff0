"""Do all ways to a KL lead to the same number? Tables, quadrature, sampling, closed form; fits in both orders.

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import strategies
from scratchvae.probability import divergence, gaussian

TWO_BUMPS = np.array([0.65, 0.35]), np.array([-2.0, 2.5]), np.log(np.array([0.6, 0.9]) ** 2)  # weights, mu, log_var
Z = np.linspace(-30, 30, 6001)
CELL = Z[1] - Z[0]

small = st.floats(-2, 2)


def table(seed, *shape):
    p = np.random.default_rng(seed).random(shape) + 0.01
    return p / p.sum(axis=-1, keepdims=True)


def log_normal(z, mu, log_var):
    return gaussian.log_prob(z[..., None], mu, log_var)


def covariance(seed, k):
    A = np.random.default_rng(seed).standard_normal((k, k))
    return A @ A.T + 0.3 * np.eye(k)


def two_bumps(z):
    return divergence.mixture_log_prob_and_grad(z, *TWO_BUMPS)


# ---- tables ---------------------------------------------------------------------------------------------------------

def check_kl_table(p, q):
    """The definition, one term at a time; 0 for equal tables, above 0 for others."""
    expected = sum(a * np.log(a / b) for a, b in zip(p, q) if a > 0)
    assert divergence.kl_table(p, q) == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert divergence.kl_table(p, q) > -1e-15 and divergence.kl_table(p, p) == 0


def check_chain_rule(p, q):
    """KL of joint tables = KL of the rows' sums + the mean KL within the rows."""
    rows_p, rows_q = p.sum(axis=1), q.sum(axis=1)
    within = divergence.kl_table(p / rows_p[:, None], q / rows_q[:, None])
    total = divergence.kl_table(p.ravel(), q.ravel())
    assert total == pytest.approx(divergence.kl_table(rows_p, rows_q) + rows_p @ within, rel=1e-11)


@given(strategies.seeds.filter(lambda s: s < 2**32 - 1), st.integers(1, 8))
def test_table_is_the_definition(seed, n):
    check_kl_table(table(seed, n), table(seed + 1, n))


@given(strategies.seeds.filter(lambda s: s < 2**32 - 1))
def test_table_obeys_the_chain_rule(seed):
    check_chain_rule(table(seed, 12).reshape(3, 4), table(seed + 1, 12).reshape(3, 4))


def test_table_known_values_zeros_and_refusals():
    assert divergence.kl_table([0.5, 0.5], [0.25, 0.75]) == pytest.approx(0.5 * np.log(4 / 3), rel=1e-14)
    assert divergence.kl_table([1.0, 0.0], [0.5, 0.5]) == pytest.approx(np.log(2), rel=1e-14)
    assert divergence.kl_table([0.5, 0.5], [1.0, 0.0]) == np.inf
    with pytest.raises(ValueError, match="q: want probabilities"):
        divergence.kl_table([0.5, 0.5], [0.5, 0.6])


# ---- quadrature, sampling, closed form ------------------------------------------------------------------------------

def check_quadrature_agrees_with_closed_form(mu, log_var, prior_mu, prior_log_var):
    by_grid = divergence.kl_quadrature(log_normal(Z, mu, log_var), log_normal(Z, prior_mu, prior_log_var), CELL)
    closed = gaussian.kl(np.array([mu]), np.array([log_var]), np.array([prior_mu]), np.array([prior_log_var]))
    assert by_grid == pytest.approx(closed, rel=1e-10, abs=1e-11)


def check_monte_carlo_agrees_with_closed_form(n=4000, n_repeats=300):
    """Unbiased, and its standard error is the spread that repetitions show."""
    mu, log_var, prior_mu, prior_log_var = 0.7, -0.8, -0.2, 0.4
    rng = np.random.default_rng(0)
    estimates = []
    for _ in range(n_repeats):
        z = mu + np.exp(log_var / 2) * rng.standard_normal(n)
        estimates.append(divergence.kl_monte_carlo(log_normal(z, mu, log_var), log_normal(z, prior_mu, prior_log_var)))
    values, errors = np.array(estimates).T
    closed = gaussian.kl(np.array([mu]), np.array([log_var]), np.array([prior_mu]), np.array([prior_log_var]))
    assert abs(values.mean() - closed) < 4 * errors.mean() / np.sqrt(n_repeats)
    assert values.std() == pytest.approx(errors.mean(), rel=0.2)  # a standard deviation of 300 is known to 4 percent


def check_full_covariance(seed, k):
    """Against Gauss-Hermite quadrature, which is exact for a quadratic, and additive under any linear change of z."""
    rng = np.random.default_rng(seed)
    m, m_other = rng.standard_normal(k), rng.standard_normal(k)
    C, C_other = covariance(seed, k), covariance(seed + 1, k)
    value = divergence.kl_gaussian(m, C, m_other, C_other)
    # eps = +-sqrt(k) e_j has mean 0 and covariance I
    z = m + np.sqrt(k) * np.concatenate([np.eye(k), -np.eye(k)]) @ np.linalg.cholesky(C).T

    def log_density(mean, covariance):
        d = z - mean
        return -0.5 * (np.einsum("si,ij,sj->s", d, np.linalg.inv(covariance), d) + np.linalg.slogdet(covariance)[1])

    assert value == pytest.approx((log_density(m, C) - log_density(m_other, C_other)).mean(), rel=1e-9, abs=1e-10)
    T = covariance(seed + 2, k)
    assert divergence.kl_gaussian(T @ m, T @ C @ T.T, T @ m_other, T @ C_other @ T.T) == pytest.approx(value, rel=1e-6)
    assert abs(divergence.kl_gaussian(m, C, m, C)) < 1e-12


@given(small, small, small, small)
def test_quadrature_is_the_closed_form(mu, log_var, prior_mu, prior_log_var):
    check_quadrature_agrees_with_closed_form(mu, log_var, prior_mu, prior_log_var)


def test_monte_carlo_is_unbiased_and_knows_its_error():
    check_monte_carlo_agrees_with_closed_form()


@given(strategies.seeds.filter(lambda s: s < 2**32 - 2), st.integers(1, 4))
def test_full_covariances(seed, k):
    check_full_covariance(seed, k)


def test_full_covariance_of_diagonal_ones_is_the_diagonal_formula_also_for_batches():
    rng = np.random.default_rng(0)
    mu, log_var, other_mu, other_log_var = rng.standard_normal((4, 5, 3))
    value = divergence.kl_gaussian(mu, np.exp(log_var)[..., None] * np.eye(3), other_mu,
                                   np.exp(other_log_var)[..., None] * np.eye(3))
    np.testing.assert_allclose(value, gaussian.kl(mu, log_var, other_mu, other_log_var), rtol=1e-12)


@pytest.mark.parametrize("call, message", [
    (lambda: divergence.kl_quadrature(np.zeros(9), np.zeros(9), 1.0), "sums to 1"),
    (lambda: divergence.kl_quadrature(np.zeros(9), np.zeros(8), 1 / 9), "log_q: want shape .9,., got .8,."),
    (lambda: divergence.kl_monte_carlo(np.zeros(1), np.zeros(1)), "S >= 2"),
    (lambda: divergence.kl_gaussian(np.zeros(2), np.eye(3), np.zeros(2), np.eye(2)), "covariance: want shape .*2, 2.*, got .3, 3.")])
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- forward and reverse fits ---------------------------------------------------------------------------------------

def check_mixture():
    """A density, with its logarithm's derivative, also where every component underflows."""
    log_p, slope = two_bumps(Z)
    assert np.exp(log_p).sum() * CELL == pytest.approx(1, abs=1e-12)
    h = 1e-5
    numeric = (two_bumps(Z + h)[0] - two_bumps(Z - h)[0]) / (2 * h)
    np.testing.assert_allclose(slope, numeric, rtol=1e-6, atol=1e-6)
    w, m, s = TWO_BUMPS
    direct = np.log(sum(a * np.exp(log_normal(Z[2000:4000], b, c)) for a, b, c in zip(w, m, s)))
    np.testing.assert_allclose(log_p[2000:4000], direct, rtol=1e-12)
    assert np.isfinite(two_bumps(np.array([-1e4, 1e4]))).all()


def kl_both(fit):
    log_p, log_q = two_bumps(Z)[0], log_normal(Z, fit.mu, fit.log_var)
    return divergence.kl_quadrature(log_p, log_q, CELL), divergence.kl_quadrature(log_q, log_p, CELL)


def check_forward_fit():
    """Mean and variance of the mixture by its own formula; no Gaussian nearby has a smaller KL(p || q)."""
    fit = divergence.fit_forward(two_bumps(Z)[0], Z)
    w, m, s = TWO_BUMPS
    mean = w @ m
    assert fit == pytest.approx((mean, np.log(w @ (np.exp(s) + (m - mean) ** 2))), rel=1e-10)
    best = kl_both(fit)[0]
    for d in (-0.05, 0.05):
        assert kl_both(fit._replace(mu=fit.mu + d))[0] > best < kl_both(fit._replace(log_var=fit.log_var + d))[0]


def check_reverse_fit(start):
    """KL(q || p), by an even grid and not by the fit's own nodes, has a minimum there; q sits on one bump."""
    fit = divergence.fit_reverse(two_bumps, start, 0.0)
    best = kl_both(fit)[1]
    for d in (-0.05, 0.05):
        assert kl_both(fit._replace(mu=fit.mu + d))[1] > best < kl_both(fit._replace(log_var=fit.log_var + d))[1]
    bump = int(start > 0)
    assert abs(fit.mu - TWO_BUMPS[1][bump]) < 0.1 and abs(fit.log_var - TWO_BUMPS[2][bump]) < 0.1
    # Alone on a bump of weight w, KL(q || p) is -log w
    assert best == pytest.approx(-np.log(TWO_BUMPS[0][bump]), abs=0.02)


def test_mixture():
    check_mixture()


def test_forward_fit_matches_moments():
    check_forward_fit()


@pytest.mark.parametrize("start", [-1.5, 2.0])
def test_reverse_fit_sits_on_one_bump(start):
    check_reverse_fit(start)


@settings(max_examples=10)
@given(st.floats(-1, 1), st.floats(-0.7, 1))
def test_both_fits_find_a_target_that_is_gaussian(mu, log_var):
    def target(z):
        return divergence.mixture_log_prob_and_grad(z, [1.0], np.array([mu]), np.array([log_var]))

    assert divergence.fit_forward(target(Z)[0], Z) == pytest.approx((mu, log_var), abs=1e-9)
    assert divergence.fit_reverse(target, 0.3, 0.2) == pytest.approx((mu, log_var), abs=1e-8)


@pytest.mark.parametrize("call, words", [
    (lambda: divergence.kl_table([0.5, 0.5], [0.2, 0.3, 0.5]), "^p, q: want shapes that broadcast"),
    (lambda: divergence.kl_table([0.5, 0.5], [1.0]), "^q: want as many classes as p"),
    (lambda: divergence.kl_monte_carlo([0.0], [1.0]), "^log_p: want shape"),
    (lambda: divergence.kl_gaussian([0, 0], [[1, 9], [0.5, 1]], [0, 0], np.eye(2)), "^covariance: want a symmetric"),
    (lambda: divergence.kl_gaussian([0, 0], np.eye(2), [0, 0], [[1, 9], [0.5, 1]]), "^other_covariance: want a symmetric"),
    (lambda: divergence.kl_gaussian(np.zeros((2, 2)), np.eye(2), np.zeros((3, 2)), np.eye(2)), "^mean, covariance, other_mean, other_covar"),
    (lambda: divergence.fit_forward(np.zeros(9), np.linspace(-2, 2, 9) ** 3), "^z: want an even grid"),
    (lambda: divergence.fit_reverse(lambda z: (z, -z), 0, 0, n_nodes=181), "^n_nodes: want an integer from 1 to 180")])
def test_what_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_two_draws_are_enough_for_an_error():
    assert divergence.kl_monte_carlo([0.0, 2.0], [0.0, 0.0]) == (1.0, 1.0)


def test_forward_fit_does_not_ask_how_p_is_normalised():
    z = np.linspace(-8, 8, 401)
    log_p = -0.5 * (z - 1) ** 2
    for constant in (2000.0, -2000.0):
        np.testing.assert_allclose(divergence.fit_forward(log_p + constant, z), divergence.fit_forward(log_p, z), atol=1e-9)
