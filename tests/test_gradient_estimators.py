"""Do both estimators have the gradient as their mean, and the variances that theory gives?

Means are exact here: a sum over Gauss-Hermite nodes in place of samples. What both estimators average is a polynomial
in eps for a linear decoder, so five nodes in each dimension leave only rounding.
"""
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss

import scratchvae as sv
from scratchvae.analysis import elbo, gradient_estimators
from strategies import normals, rng, seeds

N, D, K = 3, 5, 2


def nodes(n, n_rows=N, k=K):
    """eps (n^k, n_rows, k) and weights (n^k,) with sum_s w_s f(eps_s) = E[f(eps)], exact to degree 2 n - 1 in each."""
    z, w = hermegauss(n)
    eps = np.array(list(itertools.product(z, repeat=k)))
    weights = np.array(list(itertools.product(w / w.sum(), repeat=k))).prod(axis=1)
    return np.broadcast_to(eps[:, None], (n**k, n_rows, k)), weights


def linear(seed=0):
    model = sv.VAE(D, hidden=(), n_latent=K, observation=sv.Gaussian("shared"), rng=rng(seed), dtype=np.float64)
    model.theta += 0.4 * normals(seed, len(model.theta))
    return model, normals(seed + 1, N, D)


def nonlinear(seed=0, hidden=(6,)):
    model = sv.VAE(D, hidden=hidden, n_latent=K, activation="tanh", rng=rng(seed), dtype=np.float64)
    model.theta += 0.3 * normals(seed, len(model.theta))
    return model, np.round(rng(seed).random((N, D)))


def expected(estimates, weights):
    """E[dELBO/dmu], E[dELBO/dlog_var] : (2, N, K)."""
    return np.tensordot(weights, np.array(estimates), axes=(0, 1))


# ---- equal in expectation -------------------------------------------------------------------------------------------

def check_estimators_have_the_exact_mean(seed=0, baseline=0.0):
    """On the linear VAE both means are the derivative of the closed-form ELBO with respect to mu and log_var."""
    model, x = linear(seed)
    q = np.array([normals(seed + 2, N, K), 0.5 * normals(seed + 3, N, K)])
    eps, weights = nodes(5)
    names = {"mu": q[0], "log_var": q[1]}
    for estimates in (gradient_estimators.pathwise_gradient(model, x, eps, q),
                      gradient_estimators.score_function_gradient(model, x, eps, baseline, q)):
        sv.check_gradient(lambda theta: elbo.elbo(elbo.in_closed_form(model, x, theta.reshape(2, N, K))).sum(),
                          q.reshape(-1), expected(estimates, weights).reshape(-1), names)


@pytest.mark.parametrize("baseline", [0.0, -7.0, np.array([3.0, -20.0, 0.5])])
def test_estimators_have_the_exact_mean(baseline):
    check_estimators_have_the_exact_mean(baseline=baseline)


@settings(max_examples=20)
@given(seeds)
def test_the_same_mean_for_any_parameters(seed):
    model, x = linear(seed)
    eps, weights = nodes(5)
    path = expected(gradient_estimators.pathwise_gradient(model, x, eps), weights)
    score = expected(gradient_estimators.score_function_gradient(model, x, eps, 1.5), weights)
    np.testing.assert_allclose(path, score, rtol=1e-9, atol=1e-9 * np.abs(path).max())


def test_the_same_mean_through_a_network():
    """tanh is no polynomial, but over a q of sigma about 0.2 thirty nodes in each dimension see it as one."""
    model, x = nonlinear()
    q = normals(1, N, K), -3 + 0.3 * normals(2, N, K)
    eps, weights = nodes(30)
    path = expected(gradient_estimators.pathwise_gradient(model, x, eps, q), weights)
    score = expected(gradient_estimators.score_function_gradient(model, x, eps, 0.0, q), weights)
    np.testing.assert_allclose(path, score, rtol=1e-9, atol=1e-10)


def check_pathwise_is_what_training_uses(seed=0, n_samples=4):
    """The samples' mean, carried through the encoder, is the gradient that `forward_backward` gives the optimizer."""
    model, x = nonlinear(seed)
    eps = normals(seed + 1, n_samples, N, K)
    model.loss_and_grad(x, eps=eps)
    trained = -model.grad[:model.encoder.n_parameters].copy()
    dmu, dlog_var = (d.mean(axis=0) for d in gradient_estimators.pathwise_gradient(model, x, eps))
    found = gradient_estimators.encoder_gradient(model, x, dmu, dlog_var)
    np.testing.assert_allclose(found, trained, rtol=1e-10, atol=1e-12 * np.abs(trained).max())


@given(seeds)
def test_pathwise_is_what_training_uses(seed):
    check_pathwise_is_what_training_uses(seed)


# ---- E[x^2] under N(theta, 1) --------------------------------------------------------------------------------------

def check_square_moments(theta, baseline):
    """Mean 2 theta and the stated variances, exactly, by eight nodes."""
    eps, weights = hermegauss(8)
    weights = weights / weights.sum()
    path = gradient_estimators.square_pathwise(theta, eps)
    score = gradient_estimators.square_score_function(theta, eps, baseline)
    scale = 1 + theta**4 + baseline**2
    for estimates, variance in ((path, 4.0),
                                (score, gradient_estimators.square_score_function_variance(theta, baseline))):
        assert abs(weights @ estimates - 2 * theta) < 1e-12 * scale
        assert abs(weights @ (estimates - 2 * theta) ** 2 - variance) < 1e-11 * scale


@given(st.floats(-5, 5), st.floats(-30, 30))
def test_square_moments(theta, baseline):
    check_square_moments(theta, baseline)


@pytest.mark.parametrize("theta", [0.0, 1.0, 2.0])
def test_known_variances_within_three_standard_errors(theta):
    eps = rng(1).standard_normal(400000)
    for estimates, variance in ((gradient_estimators.square_pathwise(theta, eps), 4.0),
                                (gradient_estimators.square_score_function(theta, eps), theta**4 + 14 * theta**2 + 15)):
        squares = (estimates - 2 * theta) ** 2
        assert abs(squares.mean() - variance) < 3 * squares.std() / np.sqrt(len(eps))


@given(st.floats(-5, 5), st.floats(-20, 20))
def test_the_best_baseline(theta, other):
    """theta^2 + 3 is the vertex of the parabola in b; the mean theta^2 + 1 is 4 above its minimum."""
    variance = gradient_estimators.square_score_function_variance
    best = variance(theta, theta**2 + 3)
    assert variance(theta, other) >= best - 1e-9
    assert variance(theta, theta**2 + 1) == pytest.approx(best + 4, abs=1e-9)
    assert best >= 4  # the pathwise estimator's variance is not reached: 8 theta^2 + 6


# ---- variances -----------------------------------------------------------------------------------------------------

def test_score_function_scatters_more_and_a_baseline_helps():
    model = sv.VAE(64, hidden=(32,), n_latent=2, rng=rng(0))
    X = sv.binarize(sv.load_digits()[0])[:300]
    sv.fit(model, X, epochs=20, rng=rng(1))
    x, eps = X[:20], normals(2, 300, 20, 2, dtype=np.float32)
    baseline = gradient_estimators.mean_log_likelihood(model, x, normals(3, 100, 20, 2, dtype=np.float32))
    path, plain, based = (gradient_estimators.total_variance(*estimates).mean() for estimates in (
        gradient_estimators.pathwise_gradient(model, x, eps),
        gradient_estimators.score_function_gradient(model, x, eps),
        gradient_estimators.score_function_gradient(model, x, eps, baseline)))
    assert plain > 30 * path and plain > 10 * based and based > path


def test_total_variance():
    a, b = normals(0, 7, N, K), normals(1, 7, N, K)
    np.testing.assert_allclose(gradient_estimators.total_variance(a, b), [
        sum(np.var(e[:, n, k], ddof=1) for e in (a, b) for k in range(K)) for n in range(N)], rtol=1e-12)


def test_mean_log_likelihood_is_the_reconstruction():
    model, x = nonlinear()
    eps = normals(1, 4, N, K)
    np.testing.assert_allclose(gradient_estimators.mean_log_likelihood(model, x, eps),
                               model.elbo(x, eps=eps).reconstruction, rtol=1e-13)


def test_what_is_refused():
    model, x = linear()
    with pytest.raises(ValueError, match="eps: want shape"):
        gradient_estimators.pathwise_gradient(model, x, np.zeros((N, K)))
    with pytest.raises(ValueError, match="baseline: want a number or shape"):
        gradient_estimators.score_function_gradient(model, x, np.zeros((2, N, K)), np.zeros(N + 1))
    with pytest.raises(TypeError, match="vae: want a VAE"):
        gradient_estimators.pathwise_gradient(sv.Autoencoder(D, rng=rng()), x, np.zeros((2, N, K)))
