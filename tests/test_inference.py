"""Do prior and data combine as they must? Bayes' rule, likelihood, maximum likelihood, MAP, the normal table.

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
from fractions import Fraction
from math import comb
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
import scratchvae as sv
from scratchvae.probability import inference, normal_table


def table(seed, *shape):
    """Probabilities that sum to 1 over the last axis."""
    p = np.random.default_rng(seed).random(shape) + 0.01
    return p / p.sum(axis=-1, keepdims=True)


# ---- Bayes' rule -----------------------------------------------------------------------------------------------

def check_bayes_by_fractions():
    """A test for a disease that 1 in 1000 has, 99 percent right either way: a positive one means 99 in 1098."""
    belief = inference.bayes([1 / 1000, 999 / 1000], [99 / 100, 1 / 100])
    assert belief.posterior[0] == pytest.approx(float(Fraction(99, 1098)), rel=1e-14)
    assert belief.evidence == pytest.approx(float(Fraction(1098, 100_000)), rel=1e-14)


def check_bayes_by_counting(seed, n_hypotheses, n_outcomes):
    """posterior * evidence = likelihood * prior for every outcome; the evidences are a distribution over outcomes."""
    prior, likelihood = table(seed, n_hypotheses), table(seed + 1, n_hypotheses, n_outcomes)
    beliefs = [inference.bayes(prior, likelihood[:, x]) for x in range(n_outcomes)]
    for x, belief in enumerate(beliefs):
        np.testing.assert_allclose(belief.posterior * belief.evidence, likelihood[:, x] * prior, rtol=1e-13)
        assert abs(belief.posterior.sum() - 1) < 1e-13
    assert abs(sum(belief.evidence for belief in beliefs) - 1) < 1e-13
    # The posterior is the prior on average over what may be observed
    np.testing.assert_allclose(sum(b.evidence * b.posterior for b in beliefs), prior, rtol=1e-12)


def check_update_is_bayes_again_and_again(seed, n_observations, n_hypotheses):
    prior, likelihood = table(seed, n_hypotheses), table(seed + 1, n_observations, n_hypotheses)
    beliefs = inference.update(prior, np.log(likelihood))
    assert beliefs.shape == (n_observations + 1, n_hypotheses)
    belief = prior
    for row, now in zip(likelihood, beliefs):
        np.testing.assert_allclose(now, belief, rtol=1e-11)
        belief = inference.bayes(belief, row).posterior
    np.testing.assert_allclose(beliefs[-1], belief, rtol=1e-11)
    # The order of the observations does not matter
    np.testing.assert_allclose(inference.update(prior, np.log(likelihood[::-1]))[-1], beliefs[-1], rtol=1e-11)


def test_bayes_known_case():
    check_bayes_by_fractions()


@given(strategies.seeds.filter(lambda s: s < 2**32 - 1), st.integers(1, 6), st.integers(1, 5))
def test_bayes_divides_the_joint_table(seed, n_hypotheses, n_outcomes):
    check_bayes_by_counting(seed, n_hypotheses, n_outcomes)


@given(strategies.seeds.filter(lambda s: s < 2**32 - 1), st.integers(1, 20), st.integers(1, 6))
def test_update_repeats_bayes(seed, n_observations, n_hypotheses):
    check_update_is_bayes_again_and_again(seed, n_observations, n_hypotheses)


def test_update_survives_likelihoods_far_below_the_smallest_number():
    beliefs = inference.update([0.5, 0.5], np.full((2000, 2), [-1000.0, -1000.0 + 1e-3]))
    assert beliefs[-1][1] == pytest.approx(1 / (1 + np.exp(-2)), rel=1e-8)


def test_what_the_prior_rules_out_stays_out():
    assert inference.update([1.0, 0.0], np.log([[0.1, 0.9]] * 50))[-1].tolist() == [1, 0]
    assert inference.bayes([1.0, 0.0], [0.1, 0.9]).posterior.tolist() == [1, 0]


@pytest.mark.parametrize("prior, likelihood, message", [
    ([0.5, 0.6], [1, 1], "prior"), ([-0.5, 1.5], [1, 1], "prior"), ([0.5, 0.5], [1, 1, 1], "likelihood"),
    ([0.5, 0.5], [-1, 1], "likelihood"), ([1.0, 0.0], [0, 1], "evidence is 0"), ([0.5, np.nan], [1, 1], "NaN")])
def test_bayes_refuses(prior, likelihood, message):
    with pytest.raises(ValueError, match=message):
        inference.bayes(prior, likelihood)


# ---- likelihood against probability --------------------------------------------------------------------------------

def check_binomial(n, p):
    exact = [comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    got = np.exp(inference.binomial_log_prob(np.arange(n + 1), n, p))
    np.testing.assert_allclose(got, exact, rtol=1e-11)
    assert abs(got.sum() - 1) < 1e-11


@given(st.integers(1, 40), st.floats(0.01, 0.99))
def test_binomial_sums_to_one_over_the_data(n, p):
    check_binomial(n, p)


@pytest.mark.parametrize("k, n", [(0, 1), (3, 10), (10, 10)])
def test_binomial_integrates_to_one_over_n_plus_one_over_the_parameter(k, n):
    # Gauss-Legendre with 8 nodes is exact up to degree 15
    nodes, weights = np.polynomial.legendre.leggauss(8)
    likelihood = np.exp(inference.binomial_log_prob(k, n, 0.5 + 0.5 * nodes))
    assert likelihood @ weights / 2 == pytest.approx(1 / (n + 1), rel=1e-12)


def test_binomial_refuses():
    for k, n, p in ((3, 2, 0.5), (-1, 2, 0.5), (0.5, 2, 0.5), (1, 2, 0.0), (1, 2, 1.0)):
        with pytest.raises(ValueError, match="^(k: want integers in 0|p: want values in .0, 1.)"):
            inference.binomial_log_prob(k, n, p)


# ---- the normal table -----------------------------------------------------------------------------------------------

def check_normal_table():
    """As printed in books, four digits."""
    printed = {(0, 0): 0.5, (10, 0): 0.8413, (12, 8): 0.8997, (16, 4): 0.9495, (19, 6): 0.9750, (25, 8): 0.9951,
               (30, 0): 0.9987}
    values = normal_table.normal_table()
    assert values.shape == (40, 10)
    assert all(round(values[at], 4) == value for at, value in printed.items())


def check_interval(low, width, mu, sigma):
    got = normal_table.normal_interval(low, low + width, mu, sigma)
    normal = NormalDist(mu, sigma)
    assert abs(got - (normal.cdf(low + width) - normal.cdf(low))) < 1e-13
    # mirrored at the mean, to the rounding of the two look-ups that are subtracted
    size = min(normal.cdf(low + width), NormalDist(-mu, sigma).cdf(-low))
    assert got == pytest.approx(normal_table.normal_interval(-low - width, -low, -mu, sigma), rel=1e-9, abs=1e-15 * size)


def test_normal_table_is_the_printed_one():
    check_normal_table()


@given(st.floats(-8, 8), st.floats(0, 8), st.floats(-5, 5), st.floats(0.1, 10))
def test_interval_is_the_difference_of_two_standardised_look_ups(low, width, mu, sigma):
    check_interval(low, width, mu, sigma)


def test_normal_facts():
    assert normal_table.normal_interval(3, 3, 3, 2) == 0
    for n, share in ((1, 0.6826894921370859), (2, 0.9544997361036416), (3, 0.9973002039367398)):
        assert normal_table.normal_interval(5 - 2 * n, 5 + 2 * n, 5, 2) == pytest.approx(share, rel=1e-13)
    # 9 sigma out, the upper tail keeps its digits (1 - Phi(9) by 1 - x would be 0)
    assert normal_table.normal_interval(9, 40, 0, 1) == pytest.approx(1.1285884059538324e-19, rel=1e-12)
    with pytest.raises(ValueError, match="low <= high"):
        normal_table.normal_interval(1, 0, 0, 1)
    with pytest.raises(ValueError, match="sigma"):
        normal_table.normal_interval(0, 1, 0, 0)


@given(st.floats(1e-6, 1 - 1e-6))
def test_quantile_inverts_the_cdf(p):
    assert float(normal_table.normal_cdf(normal_table.normal_quantile(p))) == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize("p", [-0.5, 0, 1, 1.5, np.nan])
def test_quantile_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="^probability: "):
        normal_table.normal_quantile(p)


# ---- maximum likelihood ---------------------------------------------------------------------------------------------

def check_gaussian_mle(x):
    """Closed form and gradient ascent agree, and the gradient of the log-likelihood is zero there."""
    observation = sv.Gaussian("diagonal", floor=0.0)
    fit, D = inference.gaussian_mle(x), x.shape[1]
    params = np.concatenate([fit.mean, np.log(fit.variance)])
    grad = observation.log_prob_and_grad(x, np.tile(params, (len(x), 1)))[1].mean(axis=0)
    assert np.abs(grad).max() < 1e-11
    by_ascent = inference.mle_by_ascent(observation, x, lr=0.3)
    np.testing.assert_allclose(by_ascent[:D], fit.mean, rtol=0, atol=1e-9)
    np.testing.assert_allclose(np.exp(by_ascent[D:]), fit.variance, rtol=1e-9)


def check_bernoulli_mle(x):
    p = inference.bernoulli_mle(x)
    assert np.array_equal(p, x.sum(axis=0) / len(x))
    np.testing.assert_allclose(1 / (1 + np.exp(-inference.mle_by_ascent(sv.Bernoulli(), x, lr=4.0))), p, rtol=1e-9)


@given(strategies.seeds)
def test_gaussian_mle_by_formula_and_by_ascent(seed):
    rng = np.random.default_rng(seed)
    check_gaussian_mle(rng.uniform(-1, 1, 3) + rng.uniform(0.7, 1.5, 3) * rng.standard_normal((25, 3)))


@given(strategies.seeds)
def test_bernoulli_mle_by_formula_and_by_ascent(seed):
    x = (np.random.default_rng(seed).random((20, 4)) < [0.2, 0.4, 0.6, 0.8]).astype(float)
    x[0], x[1] = 0, 1  # otherwise the maximum may lie at infinity
    check_bernoulli_mle(x)


def test_no_maximum_and_too_large_steps_are_refused():
    with pytest.raises(ValueError, match="whether there is a maximum"):
        inference.mle_by_ascent(sv.Bernoulli(), np.zeros((5, 1)), n_steps=50)
    with pytest.raises(ValueError, match="whether there is a maximum"):
        inference.mle_by_ascent(sv.Gaussian(0.01), np.ones((5, 1)), lr=1.0, n_steps=2000)
    with pytest.raises(ValueError, match="0 or 1"):
        inference.bernoulli_mle([[0.5]])


# ---- MAP ------------------------------------------------------------------------------------------------------------

def check_gaussian_posterior(n, mean, variance, prior):
    """The derivative of log likelihood + log prior is zero at the MAP estimate, the second one is -1/v'."""
    m, v = inference.gaussian_posterior(n, mean, variance, prior)
    slope = n * (mean - m) / variance + (prior.mean - m) / prior.variance
    curvature = n / variance + 1 / prior.variance
    assert abs(slope) < 1e-12 * curvature * (abs(mean) + abs(prior.mean) + 1)
    assert v == pytest.approx(1 / curvature, rel=1e-13)


def check_beta_posterior(n_ones, n, prior):
    """Bayes' rule on a fine table of p gives the same posterior density, and its highest place is the mode."""
    p = (np.arange(4000) + 0.5) / 4000
    prior_table = np.exp(inference.beta_log_prob(p, prior))
    posterior = inference.bayes(prior_table / prior_table.sum(),
                                np.exp(inference.binomial_log_prob(n_ones, n, p))).posterior
    beta = inference.beta_posterior(n_ones, n, prior)
    density = np.exp(inference.beta_log_prob(p, beta))
    np.testing.assert_allclose(posterior * 4000, density, rtol=1e-3, atol=1e-3)
    assert abs(p[posterior.argmax()] - inference.beta_mode(beta)) <= 1 / 4000


@given(st.integers(0, 50), st.floats(-5, 5), st.floats(0.1, 5), st.floats(-5, 5), st.floats(0.1, 5))
def test_gaussian_map_solves_its_equation(n, mean, variance, m0, v0):
    check_gaussian_posterior(n, mean, variance, inference.Normal(m0, v0))


@given(st.integers(0, 20), st.integers(0, 20), st.floats(2, 6), st.floats(2, 6))
def test_beta_posterior_is_bayes_rule_on_a_table(n_ones, n_zeros, a, b):
    check_beta_posterior(n_ones, n_ones + n_zeros, inference.Beta(a, b))


def test_map_limits():
    # no data: the prior's mode
    assert inference.gaussian_posterior(0, 9.0, 1.0, inference.Normal(2.0, 3.0)) == pytest.approx((2, 3), rel=1e-14)
    assert inference.beta_mode(inference.beta_posterior(0, 0, inference.Beta(3, 2))) == pytest.approx(2 / 3)
    # flat prior: the MLE
    assert inference.gaussian_posterior(7, 1.5, 2.0, inference.Normal(-4.0, 1e15))[0] == pytest.approx(1.5, rel=1e-12)
    assert inference.beta_mode(inference.beta_posterior(3, 7, inference.Beta(1, 1))) == pytest.approx(3 / 7, rel=1e-14)
    # much data: the MLE again
    much = inference.gaussian_posterior(10**12, 1.5, 2.0, inference.Normal(-4.0, 1.0))
    assert much.mean == pytest.approx(1.5, rel=1e-10)
    # one value after another, or all at once
    prior = inference.Normal(0.5, 2.0)
    step = inference.gaussian_posterior(1, 3.0, 0.7, inference.gaussian_posterior(1, 1.0, 0.7, prior))
    assert step == pytest.approx(inference.gaussian_posterior(2, 2.0, 0.7, prior), rel=1e-13)


@pytest.mark.parametrize("call", [
    lambda: inference.beta_mode(inference.Beta(1, 1)), lambda: inference.beta_mode(inference.Beta(0.5, 3)),
    lambda: inference.beta_posterior(1, 3, inference.Beta(0, 1)),
    lambda: inference.beta_posterior(1, 3, inference.Beta(1, 0)),
    lambda: inference.beta_posterior(4, 3, inference.Beta(1, 1)),
    lambda: inference.beta_log_prob(0.0, inference.Beta(2, 2)),
    lambda: inference.gaussian_posterior(-1, 0, 1, inference.Normal(0, 1)),
    lambda: inference.gaussian_posterior(1, 0, 0, inference.Normal(0, 1))])
def test_map_refuses(call):
    with pytest.raises(ValueError):
        call()


def test_an_interval_of_shapes_that_do_not_fit_is_refused_by_name():
    with pytest.raises(ValueError, match="^low, high, mu, sigma: want shapes that broadcast"):
        normal_table.normal_interval([0, 1], [2, 3, 4], 0, 1)


def test_modes_at_the_edge():
    assert inference.beta_mode(inference.Beta(1, 2)) == 0 and inference.beta_mode(inference.Beta(2, 1)) == 1


@pytest.mark.parametrize("observation", [sv.Bernoulli, sv.Categorical(), "Bernoulli"])
def test_ascent_wants_a_model_of_rows(observation):
    with pytest.raises(TypeError, match="^observation: want"):
        inference.mle_by_ascent(observation, [0, 1, 2, 1])
