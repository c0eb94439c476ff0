"""Is the Gaussian's arithmetic the mathematics? Closed forms against quadrature, and what must hold for all numbers.

Gauss-Hermite quadrature with three nodes is exact for polynomials up to degree 5, so for every moment and divergence of
Gaussians below: the tests need no samples, and their tolerances are rounding.
"""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss

import strategies
import scratchvae as sv
from scratchvae.probability import gaussian

EPS = np.finfo(np.float64).eps


def mu_log_var(bound=4.0, dtype=np.float64):
    """mu and log_var of one shape (N, K), N != K."""
    return strategies.sizes(2, low=1).flatmap(
        lambda shape: st.tuples(strategies.reals(shape, bound, dtype), strategies.reals(shape, bound, dtype)))


def nodes():
    """Three points and weights with sum_i w_i f(eps_i) = E[f(eps)] for eps ~ N(0, 1), f of degree 5 or less."""
    eps, weights = hermegauss(3)
    return eps, weights / weights.sum()


def log_normal(z, mu, log_var):
    """log N(z; mu, exp(log_var)) of single numbers, by the textbook."""
    variance = np.exp(log_var)
    return -((z - mu) ** 2) / (2 * variance) - np.log(np.sqrt(2 * np.pi * variance))


# ---- KL ----------------------------------------------------------------------------------------------------------

def check_kl_standard_by_quadrature(mu, log_var):
    """KL = E_q[log q - log p], the expectation by three nodes in every dimension."""
    eps, weights = nodes()
    z = mu[..., None] + np.exp(0.5 * log_var[..., None]) * eps
    integrand = log_normal(z, mu[..., None], log_var[..., None]) - log_normal(z, 0.0, 0.0)
    size = 1 + mu**2 + np.exp(log_var) + np.abs(log_var)
    error = gaussian.kl_standard(mu, log_var) - (integrand @ weights).sum(axis=-1)
    assert (np.abs(error) <= 1e-13 * size.sum(axis=-1)).all()


def check_kl_by_quadrature(mu, log_var, prior_mu, prior_log_var):
    eps, weights = nodes()
    z = mu[..., None] + np.exp(0.5 * log_var[..., None]) * eps
    integrand = log_normal(z, mu[..., None], log_var[..., None]) - log_normal(
        z, prior_mu[..., None], prior_log_var[..., None])
    size = 1 + np.abs(log_var - prior_log_var) + (np.exp(log_var) + (mu - prior_mu) ** 2) / np.exp(prior_log_var)
    error = gaussian.kl(mu, log_var, prior_mu, prior_log_var) - (integrand @ weights).sum(axis=-1)
    assert (np.abs(error) <= 1e-12 * size.sum(axis=-1)).all()


def check_kl_is_not_negative(mu, log_var):
    value = gaussian.kl_standard(mu, log_var)
    assert value.shape == mu.shape[:-1] and value.dtype == mu.dtype
    assert (value >= 0).all()


def check_kl_near_the_prior(dtype):
    """For mu = 0 and small r = log_var, KL = r^2 / 4 + O(r^3): positive, though e^r - 1 - r cancels to half of r^2."""
    r = np.array([1e-8, -1e-8, 3e-8, -7e-9] if dtype == np.float64 else [1e-3, -1e-3, 3e-3, -7e-4], dtype)[:, None]
    value = gaussian.kl_standard(np.zeros_like(r), r)
    assert (value > 0).all()
    # e^r - 1 carries a rounding error of eps |r|, divided by the true r^2 / 2
    error = np.abs(value / (r[:, 0].astype(np.float64) ** 2 / 4) - 1)
    assert (error <= 4 * np.finfo(dtype).eps / np.abs(r[:, 0]) + np.abs(r[:, 0])).all()
    # at 1e-8 in float32, too, where r^2 / 4 is lost in that rounding error: not negative, and no farther off than it
    r = np.array([1e-8, -1e-8], dtype)
    zero = np.zeros((2, 1), dtype)
    for value in (gaussian.kl_standard(zero, r[:, None]), gaussian.kl(zero, r[:, None], zero, zero)):
        assert (value >= 0).all()
        assert (np.abs(value - r.astype(np.float64) ** 2 / 4) <= np.finfo(dtype).eps * np.abs(r) + np.abs(r) ** 3).all()


def check_kl_standard_derivatives(mu, log_var, cotangent):
    """`kl_standard_grad` is the derivative of `kl_standard`."""
    theta = np.concatenate([mu.ravel(), log_var.ravel()])
    grad = np.concatenate([(cotangent[:, None] * d).ravel() for d in gaussian.kl_standard_grad(mu, log_var)])

    def f(t):
        m, v = t.reshape(2, *mu.shape)
        return float(cotangent @ gaussian.kl_standard(m, v))

    return sv.check_gradient(f, theta, grad, {"mu": mu, "log_var": log_var})


def test_kl_of_the_prior_itself_is_exactly_zero():
    for dtype in (np.float32, np.float64):
        zero = np.zeros((3, 2), dtype)
        np.testing.assert_array_equal(gaussian.kl_standard(zero, zero), np.zeros(3, dtype), strict=True)


def test_kl_of_any_distribution_to_itself_is_exactly_zero():
    mu, log_var = strategies.normals(0, 5, 3), strategies.normals(1, 5, 3, scale=4)
    np.testing.assert_array_equal(gaussian.kl(mu, log_var, mu, log_var), np.zeros(5), strict=True)


def test_kl_of_known_values():
    # N(1, 1): 1/2; N(0, e): (e - 2) / 2; N(0, 4): 3/2 - log 2
    mu, log_var = np.array([[1.0], [0.0], [0.0]]), np.array([[0.0], [1.0], [np.log(4)]])
    np.testing.assert_allclose(gaussian.kl_standard(mu, log_var), [0.5, (np.e - 2) / 2, 1.5 - np.log(2)], rtol=2 * EPS)


@given(mu_log_var())
def test_kl_standard_by_quadrature(pair):
    check_kl_standard_by_quadrature(*pair)


@given(strategies.seeds, strategies.sizes(2))
def test_kl_by_quadrature(seed, shape):
    check_kl_by_quadrature(*(strategies.normals(seed + i, *shape) for i in range(4)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(data=st.data())
def test_kl_is_not_negative(dtype, data):
    check_kl_is_not_negative(*data.draw(mu_log_var(40.0, dtype)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kl_is_not_negative_at_any_scale(dtype):
    r = np.concatenate([sign * np.logspace(-37, 1.5, 40_001) for sign in (1, -1)]).astype(dtype)[:, None]
    check_kl_is_not_negative(np.zeros_like(r), r)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kl_near_the_prior(dtype):
    check_kl_near_the_prior(dtype)


@given(mu_log_var())
def test_kl_is_even_in_mu(pair):
    mu, log_var = pair
    np.testing.assert_array_equal(gaussian.kl_standard(-mu, log_var), gaussian.kl_standard(mu, log_var))


@given(mu_log_var())
def test_kl_adds_over_dimensions(pair):
    mu, log_var = pair
    parts = sum(gaussian.kl_standard(mu[:, [j]], log_var[:, [j]]) for j in range(mu.shape[1]))
    np.testing.assert_allclose(gaussian.kl_standard(mu, log_var), parts, rtol=1e-14)


@given(strategies.seeds, strategies.sizes(2))
def test_kl_to_any_prior_is_even_in_the_difference_of_means_and_adds_over_dimensions(seed, shape):
    mu, log_var, m, s = (strategies.normals(seed + i, *shape) for i in range(4))
    value = gaussian.kl(mu, log_var, m, s)
    np.testing.assert_array_equal(gaussian.kl(-mu, log_var, -m, s), value)
    np.testing.assert_array_equal(gaussian.kl(m, log_var, mu, s), value)  # mu - m -> m - mu, the variances stay
    parts = [gaussian.kl(mu[:, [j]], log_var[:, [j]], m[:, [j]], s[:, [j]]) for j in range(shape[1])]
    assert (np.array(parts) > 0).all()
    np.testing.assert_allclose(value, sum(parts), rtol=1e-13)


@given(mu_log_var())
def test_kl_to_a_standard_prior_is_kl_standard(pair):
    np.testing.assert_allclose(gaussian.kl(*pair, 0.0, 0.0), gaussian.kl_standard(*pair), rtol=1e-14)


@given(strategies.seeds, strategies.sizes(2), st.floats(0.1, 10), st.floats(-5, 5))
def test_kl_does_not_depend_on_units(seed, shape, scale, shift):
    """z -> scale z + shift moves both distributions and leaves their divergence."""
    mu, log_var, m, s = (strategies.normals(seed + i, *shape) for i in range(4))
    moved = gaussian.kl(scale * mu + shift, log_var + 2 * np.log(scale), scale * m + shift, s + 2 * np.log(scale))
    np.testing.assert_allclose(moved, gaussian.kl(mu, log_var, m, s), rtol=1e-11)


def test_kl_is_not_symmetric():
    narrow, wide = gaussian.kl(0.0, np.zeros(1), 0.0, 2.0), gaussian.kl(0.0, np.full(1, 2.0), 0.0, 0.0)
    np.testing.assert_allclose([narrow, wide], [(1 + np.exp(-2)) / 2, (np.exp(2) - 3) / 2], rtol=1e-14)


@given(strategies.seeds, strategies.sizes(2))
def test_kl_standard_derivatives(seed, shape):
    check_kl_standard_derivatives(*(strategies.normals(seed + i, *shape) for i in range(2)),
                                  strategies.normals(seed + 2, shape[0]))


def test_kl_standard_refuses_unequal_shapes():
    with pytest.raises(ValueError, match=r"mu.*\(3, 2\).*log_var.*\(2,\)"):
        gaussian.kl_standard(np.zeros((3, 2)), np.zeros(2))


# ---- reparameterization ------------------------------------------------------------------------------------------

def check_reparameterized_moments(mu, log_var):
    """E[z] = mu and Var[z] = exp(log_var), exactly, by quadrature over eps: sigma, not sigma^2, scales the noise."""
    eps, weights = nodes()
    z = gaussian.reparameterize(mu, log_var, eps[:, None, None] * np.ones_like(mu))  # (3, N, K)
    mean = np.tensordot(weights, z, 1)
    variance = np.tensordot(weights, (z - mu) ** 2, 1)
    np.testing.assert_allclose(mean, mu, rtol=1e-13, atol=1e-13 * np.exp(log_var / 2).max())
    np.testing.assert_allclose(variance, np.exp(log_var), rtol=1e-10)  # (mu + d) - mu loses digits of a small d


def check_reparameterized_samples(n=20_000):
    """The moments of many samples lie within 5 of their standard errors."""
    mu, log_var = np.array([[0.5, -2.0, 0.0]]), np.array([[-1.5, 0.8, 2.0]])
    z = gaussian.reparameterize(mu, log_var, strategies.normals(4, n, 3))
    variance = np.exp(log_var[0])
    assert (np.abs(z.mean(axis=0) - mu[0]) < 5 * np.sqrt(variance / n)).all()
    assert (np.abs(z.var(axis=0, ddof=1) - variance) < 5 * variance * np.sqrt(2 / (n - 1))).all()


def check_reparameterize_derivatives(mu, log_var, eps, cotangent):
    """`reparameterize_grad` is the derivative of `reparameterize`, summed over the samples of each example."""
    theta = np.concatenate([mu.ravel(), log_var.ravel()])
    grad = np.concatenate([d.ravel() for d in gaussian.reparameterize_grad(cotangent, log_var, eps)])

    def f(t):
        m, v = t.reshape(2, *mu.shape)
        return float(np.sum(cotangent * gaussian.reparameterize(m, v, eps)))

    return sv.check_gradient(f, theta, grad, {"mu": mu, "log_var": log_var})


@given(mu_log_var())
def test_no_noise_gives_mu_exactly(pair):
    np.testing.assert_array_equal(gaussian.reparameterize(*pair, np.zeros_like(pair[0])), pair[0])


@given(mu_log_var(3.0))
def test_reparameterized_moments(pair):
    check_reparameterized_moments(*pair)


def test_reparameterized_samples():
    check_reparameterized_samples()


@given(strategies.seeds, strategies.sizes(3))
def test_reparameterize_derivatives(seed, shape):
    S, N, K = shape
    check_reparameterize_derivatives(
        strategies.normals(seed, N, K), strategies.normals(seed + 1, N, K),
        strategies.normals(seed + 2, S, N, K), strategies.normals(seed + 3, S, N, K))


def test_each_sample_keeps_its_own_derivative_and_their_sum_is_that_of_all():
    log_var, eps, dz = strategies.normals(0, 4, 3), strategies.normals(1, 5, 4, 3), strategies.normals(2, 5, 4, 3)
    each = gaussian.reparameterize_grad(dz[None], log_var, eps[None])
    for part, whole in zip(each, gaussian.reparameterize_grad(dz, log_var, eps)):
        assert part.shape == (5, 4, 3)
        np.testing.assert_allclose(part.sum(axis=0), whole, rtol=1e-13, atol=1e-14)


def test_reparameterize_and_the_derivatives_keep_float32():
    mu = np.ones((4, 3), np.float32)
    for made in (gaussian.reparameterize(mu, mu, mu), *gaussian.reparameterize_grad(mu[None], mu, mu[None]),
                 *gaussian.kl_standard_grad(mu, mu)):
        assert made.dtype == np.float32


# ---- density -----------------------------------------------------------------------------------------------------

def check_density_integrates_to_one(mu, log_var):
    """The trapezoid rule over mu +- 12 sigma, whose error for a Gaussian is far below rounding."""
    u = np.linspace(-12, 12, 241)
    x = mu + np.exp(log_var / 2) * u
    density = np.exp(gaussian.log_prob(x[:, None], mu, log_var))
    total = density.sum() * (x[1] - x[0])
    assert abs(total - 1) < 1e-12


def check_entropy(mu, log_var):
    """-E[log N(x)] = 1/2 sum_j (1 + log 2 pi + log sigma_j^2), by quadrature along every dimension."""
    eps, weights = nodes()
    total = 0.0
    for j in range(mu.shape[-1]):  # log N adds over dimensions, so move one at a time and subtract the rest
        x = np.repeat(mu[None], 3, axis=0)
        x[..., j] += np.exp(log_var[..., j] / 2) * eps[:, None]
        rest = gaussian.log_prob(mu, mu, log_var)
        total = total + np.tensordot(weights, gaussian.log_prob(x, mu, log_var) - rest, 1)
    entropy = -(total + gaussian.log_prob(mu, mu, log_var))
    np.testing.assert_allclose(entropy, 0.5 * np.sum(1 + np.log(2 * np.pi) + log_var, axis=-1), rtol=1e-12, atol=1e-12)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_density_integrates_to_one(mu, log_var):
    check_density_integrates_to_one(np.array([mu]), np.array([log_var]))


@given(strategies.seeds, strategies.sizes(2))
def test_entropy(seed, shape):
    check_entropy(strategies.normals(seed, *shape), strategies.normals(seed + 1, *shape))


@given(strategies.seeds, strategies.sizes(3))
def test_log_prob_adds_over_dimensions_and_broadcasts(seed, shape):
    S, N, K = shape
    x, mu = strategies.normals(seed, S, N, K), strategies.normals(seed + 1, N, K)
    log_var = strategies.normals(seed + 2, K)
    textbook = log_normal(x, mu, np.broadcast_to(log_var, (N, K))).sum(axis=-1)
    np.testing.assert_allclose(gaussian.log_prob(x, mu, log_var), textbook, rtol=1e-12, atol=1e-12)
    assert gaussian.log_prob(x, mu, log_var).shape == (S, N)


@given(strategies.seeds, strategies.sizes(2))
def test_kl_is_the_difference_of_cross_entropy_and_entropy_in_samples_of_the_same_noise(seed, shape):
    """At a shared eps, log q(z) - log p(z) averages to the KL over the 3 nodes: the ELBO's two roads to it agree."""
    mu, log_var = strategies.normals(seed, shape[0], 1), strategies.normals(seed + 1, shape[0], 1)
    eps, weights = nodes()
    z = gaussian.reparameterize(mu, log_var, eps[:, None, None] * np.ones_like(mu))
    ratio = gaussian.log_prob(z, mu, log_var) - gaussian.log_prob(z, 0.0, 0.0)
    np.testing.assert_allclose(weights @ ratio, gaussian.kl_standard(mu, log_var), rtol=1e-12, atol=1e-12)


def test_log_prob_keeps_float32():
    x = np.ones((4, 3), np.float32)
    assert gaussian.log_prob(x, x, x).dtype == np.float32


@given(strategies.seeds, strategies.sizes(2), st.floats(0.1, 10))
def test_standardize_inverts_scaling_and_shifting(seed, shape, sigma):
    eps, mu = strategies.normals(seed, *shape), strategies.normals(seed + 1, shape[1])
    np.testing.assert_allclose(gaussian.standardize(mu + sigma * eps, mu, sigma), eps, rtol=1e-9, atol=1e-13 / sigma)


@pytest.mark.parametrize("sigma", [0.0, -1.0, [1.0, 0.0]])
def test_standardize_refuses_what_is_no_standard_deviation(sigma):
    with pytest.raises(ValueError, match="sigma"):
        gaussian.standardize(np.zeros(2), 0.0, sigma)


# ---- what varies ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 10, 1797, 50_000])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 9.81, -7.7, 3.0, 1e30])
def test_a_column_varies_beyond_its_last_digit_or_not(value, n, dtype):
    """A constant has its own value for a mean, whatever rounding makes of the sum; a thousand last digits are varied."""
    x = np.full((n, 3), value, dtype)
    x[::2, 1], x[0, 2] = np.nextafter(x[0, 1], dtype(np.inf)), x[0, 2] * (1 + 1000 * np.finfo(dtype).eps)
    mean, variance = gaussian.moments(x)
    assert gaussian.varies(x).tolist() == (variance > 0).tolist() == [False, False, True]
    assert (mean[:2] == x[0, :2]).all()
    assert (sv.Standardizer().fit(x).scale_ > 0.5).tolist() == [True, True, variance[2] > 0.25]


def test_of_what_varies_numbers_of_any_kind_are_asked_and_nan_is_not():
    assert gaussian.varies(np.array([[True, True], [True, False]])).tolist() == [False, True]
    assert gaussian.varies(np.array([[-128, 7], [127, 7]], np.int8)).tolist() == [True, False]
    assert gaussian.varies(np.array([[np.nan, 1], [0.1, np.nan], [0.1, 2]])).tolist() == [False, True]
    assert gaussian.varies(np.array([[0.0, -1e308], [1e-320, 1e308]])).all()
