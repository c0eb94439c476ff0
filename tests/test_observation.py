"""Is each observation model a distribution, and is its gradient the derivative of its logarithm?

Sums over all x and quadrature stand in for samples wherever they can, and the continuous Bernoulli is held against its
textbook formula in 60 decimal digits, where nothing cancels.
"""
import decimal
import itertools
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import strategies
import scratchvae as sv
from scratchvae import extending
from scratchvae.probability import observation
from scratchvae.probability.observation import bernoulli, continuous_bernoulli

CB_LOGITS = [s * a for a in (0.0, 1e-9, 0.3, 0.8, 0.999999, 1.0, 1.00001, 30.0, 700.0) for s in (1, -1)]
NAMES = ["bernoulli", "cross entropy", "continuous", "gaussian", "gaussian shared", "gaussian diagonal", "categorical",
         "logistic", "logistic shared", "logistic diagonal"]
LIKELIHOODS = [name for name in NAMES if name != "cross entropy"]
LEVELS = 9
LOGIT_MODELS = ["bernoulli", "cross entropy", "continuous", "categorical"]


def model(name):
    """A fresh model, made from the class that the module holds now."""
    return {"bernoulli": lambda: observation.Bernoulli(), "cross entropy": lambda: observation.CrossEntropy(),
            "continuous": lambda: observation.ContinuousBernoulli(), "gaussian": lambda: observation.Gaussian(0.7),
            "gaussian shared": lambda: observation.Gaussian("shared", floor=0.3),
            "gaussian diagonal": lambda: observation.Gaussian("diagonal", floor=0.3),
            "categorical": lambda: observation.Categorical(),
            "logistic": lambda: observation.DiscretizedLogistic(LEVELS, scale=0.07, uniform=0.01),
            "logistic shared": lambda: observation.DiscretizedLogistic(LEVELS, scale="shared", uniform=0.01),
            "logistic diagonal": lambda: observation.DiscretizedLogistic(LEVELS, uniform=0.01)}[name]()


def data(name, seed, N, D, dtype=np.float64):
    """x in the model's support; for a Categorical, labels of D classes."""
    r = strategies.rng(seed)
    if name == "categorical":
        return r.integers(D, size=N)
    if name.startswith("logistic"):
        return (r.integers(LEVELS, size=(N, D)) / (LEVELS - 1)).astype(dtype)
    x = r.standard_normal((N, D)) if name.startswith("gaussian") else r.random((N, D))
    return ((x < 0.5) if name == "bernoulli" else x).astype(dtype)


def all_binary(D):
    """All 2^D vectors of zeros and ones."""
    return np.array(list(itertools.product((0.0, 1.0), repeat=D)))


def unit_quadrature():
    """Points and weights on [0, 1]: Gauss-Legendre on panels that halve towards both ends, where densities may peak."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = np.concatenate([[0.0], 0.5 ** np.arange(16, 0, -1)])
    edges = np.concatenate([edges, 1 - edges[-2::-1]])
    width = np.diff(edges)[:, None]
    return (edges[:-1, None] + width * (nodes + 1) / 2).ravel(), (width * weights / 2).ravel()


def support_quadrature(name, params):
    """Points x (M, 1) and weights with sum w f(x) = integral f for one feature under `params` (1, n_params)."""
    if name == "bernoulli":
        return np.array([[0.0], [1.0]]), np.ones(2)
    if name == "categorical":
        return np.arange(params.shape[1]), np.ones(params.shape[1])
    if name.startswith("logistic"):
        return np.arange(LEVELS)[:, None] / (LEVELS - 1), np.ones(LEVELS)
    if name == "continuous":
        x, weights = unit_quadrature()
        return x[:, None], weights
    m = params[0, 0]
    sd = np.sqrt(0.7) if name == "gaussian" else np.sqrt(0.3 + np.exp(params[0, 1]))
    x = np.linspace(m - 12 * sd, m + 12 * sd, 301)  # trapezoid: for a Gaussian, exact to rounding
    return x[:, None], np.full(301, x[1] - x[0])


def exact(a):
    """A(a) = log((e^a - 1) / a), A'(a) = E[x] and A''(a) = Var[x] of the continuous Bernoulli, in 60 digits."""
    with decimal.localcontext() as context:
        context.prec = 100
        a = Decimal(float(a))
        if abs(a) < Decimal("1e-30"):  # the first terms of the series; the next ones are below 1e-60
            return a / 2, Decimal(1) / 2 + a / 12, Decimal(1) / 12
        e = a.exp()
        return ((e - 1) / a).ln(), e / (e - 1) - 1 / a, 1 / a**2 - e / (e - 1) ** 2


# ---- gradients ---------------------------------------------------------------------------------------------------

def check_observation_gradient(name, seed, N, D):
    """log_prob_and_grad against central differences of log_prob, under a random cotangent."""
    m, x = model(name), data(name, seed, N, D)
    params, cotangent = strategies.normals(seed, N, m.n_params(D)), strategies.normals(seed + 1, N)
    log_p, dparams = m.log_prob_and_grad(x, params)
    np.testing.assert_array_equal(log_p, m.log_prob(x, params))
    assert log_p.shape == (N,) and dparams.shape == params.shape

    def f(theta):
        return float(cotangent @ m.log_prob(x, theta.reshape(params.shape)))

    blocks = {"params": dparams}
    return sv.check_gradient(f, params.ravel().copy(), (cotangent[:, None] * dparams).ravel(), blocks)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(seed=strategies.seeds, shape=strategies.sizes(2))
def test_observation_gradient(name, seed, shape):
    check_observation_gradient(name, seed, *shape)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_given_is_changed(name):
    m, x = model(name), data(name, 0, 5, 3)
    params = strategies.normals(1, 5, m.n_params(3))
    before = x.tobytes(), params.tobytes()
    m.log_prob_and_grad(x, params), m.log_prob(x, params), m.mean(params), m.sample(params, strategies.rng())
    assert (x.tobytes(), params.tobytes()) == before


# ---- each is a distribution --------------------------------------------------------------------------------------

def check_normalised(name, params):
    """Total probability 1, E[x] = mean(params), E[d log p / dparams] = 0: one sum or integral over all x."""
    m = model(name)
    x, weights = support_quadrature(name, params)
    log_p, grad = m.log_prob_and_grad(x, np.repeat(params, len(x), axis=0))
    p = weights * np.exp(log_p)
    assert abs(p.sum() - 1) < 2e-12
    mean = p if name == "categorical" else p @ x
    np.testing.assert_allclose(mean, m.mean(params)[0], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(p @ grad, 0, atol=2e-12 * max(1, np.abs(grad).max()))


def check_sums_to_one_over_binary_vectors(name, D, seed):
    """The same for Bernoulli on D features together: 2^D terms."""
    m, x = model(name), all_binary(D)
    a = strategies.normals(seed, 1, D, scale=2)
    log_p, grad = m.log_prob_and_grad(x, np.repeat(a, len(x), axis=0))
    p = np.exp(log_p)
    assert abs(p.sum() - 1) < 1e-13
    np.testing.assert_allclose(p @ x, m.mean(a)[0], rtol=1e-12)
    np.testing.assert_allclose(p @ grad, 0, atol=1e-13)


@pytest.mark.parametrize("name", LIKELIHOODS)
@settings(max_examples=20)
@given(seed=strategies.seeds)
def test_normalised(name, seed):
    n = 5 if name == "categorical" else model(name).n_params(1)
    check_normalised(name, strategies.normals(seed, 1, n, scale=1.5))


@pytest.mark.parametrize("a", CB_LOGITS)
def test_continuous_bernoulli_integrates_to_one(a):
    check_normalised("continuous", np.array([[a]]))


@given(st.integers(1, 8), strategies.seeds)
def test_sums_to_one_over_binary_vectors(D, seed):
    check_sums_to_one_over_binary_vectors("bernoulli", D, seed)


def test_cross_entropy_is_no_density():
    """Integrated over grey x it gives 1/2 at a = 0: the reason for its missing measure."""
    x, weights = unit_quadrature()
    log_p = observation.CrossEntropy().log_prob(x[:, None], np.zeros((len(x), 1)))
    np.testing.assert_allclose(weights @ np.exp(log_p), 0.5, rtol=1e-13)
    assert observation.CrossEntropy().measure is None


@pytest.mark.parametrize("name", [name for name in NAMES if name != "categorical"])
@settings(max_examples=15)
@given(seed=strategies.seeds, shape=strategies.sizes(2))
def test_log_prob_adds_over_features(name, seed, shape):
    N, D = shape
    m, x = model(name), data(name, seed, N, D)
    params = strategies.normals(seed + 1, N, m.n_params(D))
    means, spreads = params[:, :D], params[:, D:]
    if m.n_shared:
        spreads = np.repeat(spreads, D, axis=1)
    parts = [m.log_prob(x[:, [j]], np.concatenate([means[:, [j]], spreads[:, j:j + 1]], axis=1)) for j in range(D)]
    np.testing.assert_allclose(m.log_prob(x, params), sum(parts), rtol=1e-12, atol=1e-13)


# ---- Bernoulli ---------------------------------------------------------------------------------------------------

def check_bernoulli_textbook(seed, N, D, scale):
    """log p = log sigmoid(a) where x = 1, log(1 - sigmoid(a)) = log sigmoid(-a) where x = 0, with relative accuracy."""
    x, a = data("bernoulli", seed, N, D), strategies.normals(seed + 1, N, D, scale=scale)
    expected = -np.logaddexp(0, np.where(x == 1, -a, a)).sum(axis=1)
    # a term below eps = 2e-16 is lost beside the 1 in log sigmoid(|a|)
    np.testing.assert_allclose(observation.Bernoulli().log_prob(x, a), expected, rtol=1e-13, atol=2e-16 * D)


@pytest.mark.parametrize("formula, trick, name", [
    (bernoulli.bernoulli_formula, bernoulli.bernoulli_terms, "bernoulli"),
    (bernoulli.bernoulli_formula, bernoulli.bernoulli_terms, "cross entropy"),
    (continuous_bernoulli.continuous_bernoulli_formula, observation.ContinuousBernoulli().value_and_grad, "continuous")])
@given(seed=strategies.seeds, shape=strategies.sizes(2))
def test_the_trick_is_the_formula(formula, trick, name, seed, shape):
    """Where nothing overflows and nothing cancels, for logits from 1 to 30 in size."""
    x, a = data(name, seed, *shape), strategies.normals(seed + 1, *shape)
    a = np.copysign(np.clip(np.exp(a), 1, 30), a)
    for right, fast in zip(formula(x, a), trick(x, a)):
        np.testing.assert_allclose(fast, right, rtol=1e-12, atol=1e-13)


def check_log_probability_is_not_positive(name, seed, N, D, scale, dtype):
    """A probability is at most 1, also of what is all but certain, also in float32."""
    m = model(name)
    params = strategies.normals(seed, N, D, scale=scale, dtype=dtype)
    x = params.argmax(axis=1) if name == "categorical" else (params > 0).astype(dtype)  # the likeliest
    log_p = m.log_prob(x, params)
    assert (log_p <= 0).all()
    assert ((m.mean(params) >= 0) & (m.mean(params) <= 1)).all()


def check_float32(D):
    """float32 gives what float64 gives, at any D."""
    x = data("bernoulli", D, 30, D, np.float32)
    a = strategies.normals(D + 1, 30, D, scale=3, dtype=np.float32)
    right = np.where(x == 1, 1e4, -1e4).astype(np.float32)
    for logits in (a, right, -right, right + a, 0 * a, np.where(a > 0, right, 0 * a), np.where(a > 0, right, -right)):
        low, dlow = observation.Bernoulli().log_prob_and_grad(x, logits)
        high, dhigh = observation.Bernoulli().log_prob_and_grad(x.astype(np.float64), logits.astype(np.float64))
        assert low.dtype == dlow.dtype == np.float32
        np.testing.assert_allclose(low, high, rtol=1e-6, atol=6e-8 * D)
        np.testing.assert_allclose(dlow, dhigh, atol=2e-7)


def check_zero_logits(D):
    """With zero logits every x has log p = -D log 2, exactly; a uniform density has log p = 0."""
    zero = np.zeros((3, D))
    for name, expected in (("bernoulli", -D * np.log(2)), ("cross entropy", -D * np.log(2)), ("continuous", 0.0)):
        np.testing.assert_array_equal(model(name).log_prob(data(name, D, 3, D), zero), expected)


@given(strategies.seeds, strategies.sizes(2), st.sampled_from([0.1, 1, 10, 1000]))
def test_bernoulli_textbook(seed, shape, scale):
    check_bernoulli_textbook(seed, *shape, scale)


@pytest.mark.parametrize("name", ["bernoulli", "categorical"])
@given(seed=strategies.seeds, D=st.integers(1, 200), scale=st.sampled_from([1, 10, 30, 1e4]), dtype=strategies.dtypes)
def test_log_probability_is_not_positive(name, seed, D, scale, dtype):
    check_log_probability_is_not_positive(name, seed, 3, D, scale, dtype)


@pytest.mark.parametrize("D", [1, 63, 64, 65, 127, 128, 200])
def test_float32(D):
    check_float32(D)


@pytest.mark.parametrize("a", [1.0, -1.0])
def test_continuous_bernoulli_keeps_its_digits_where_a_pixel_is_right_and_sure(a):
    """float32 gives what float64 gives: nothing of the size of a is subtracted."""
    logits, x = a * np.logspace(0, 8, 9)[:, None], np.full((9, 1), a > 0, np.float64)
    low, high = (sv.ContinuousBernoulli().log_prob(x.astype(dtype), logits.astype(dtype)) for dtype in (np.float32, np.float64))
    np.testing.assert_allclose(high[3:], np.log(np.abs(logits[3:, 0])), rtol=1e-13)  # log(a / (1 - e^-a))
    np.testing.assert_allclose(low, high, rtol=3e-7)


@pytest.mark.parametrize("D", [1, 2, 3, 7, 63, 64, 65, 200, 784])
def test_zero_logits(D):
    check_zero_logits(D)


@given(strategies.dtypes.flatmap(lambda dtype: strategies.reals((4, 3), 1e4, dtype)))
def test_sigmoid_of_a_and_minus_a_add_to_one(a):
    check_sigmoid(a)


def check_sigmoid(a):
    s, r = observation.sigmoid(a), observation.sigmoid(-a)
    assert s.dtype == a.dtype and ((s >= 0) & (s <= 1)).all()
    np.testing.assert_array_equal(s + r, 1)
    with np.errstate(over="ignore"):
        textbook = 1 / (1 + np.exp(-a.astype(np.float64)))
    np.testing.assert_allclose(s, textbook, atol=np.finfo(a.dtype).eps)


@given(strategies.seeds, strategies.sizes(2))
def test_cross_entropy_is_bernoulli_on_binary_x(seed, shape):
    x, a = data("bernoulli", seed, *shape), strategies.normals(seed, *shape)
    np.testing.assert_array_equal(observation.CrossEntropy().log_prob(x, a), observation.Bernoulli().log_prob(x, a))


@given(strategies.seeds, strategies.sizes(2))
def test_cross_entropy_textbook(seed, shape):
    x, a = data("cross entropy", seed, *shape), strategies.normals(seed, *shape)
    s = 1 / (1 + np.exp(-a))
    textbook = (x * np.log(s) + (1 - x) * np.log(1 - s)).sum(axis=1)
    np.testing.assert_allclose(observation.CrossEntropy().log_prob(x, a), textbook, rtol=1e-13)


# ---- continuous Bernoulli ----------------------------------------------------------------------------------------

def check_continuous_bernoulli_exactly(logits):
    """Value, gradient and mean against 60 digits: within rounding of the largest number in the formula."""
    m, a = observation.ContinuousBernoulli(), np.asarray(logits, dtype=np.float64)[:, None]
    references = [exact(value) for value in a[:, 0]]
    mean = np.array([float(r[1]) for r in references])
    np.testing.assert_allclose(m.mean(a)[:, 0], mean, rtol=0, atol=8e-16)
    for x in (0.0, 0.25, 0.9, 1.0):
        log_p, grad = m.log_prob_and_grad(np.full_like(a, x), a)
        expected = np.array([float(Decimal(float(v)) * Decimal(x) - r[0]) for v, r in zip(a[:, 0], references)])
        assert (np.abs(log_p - expected) <= 3e-16 * np.maximum(1, np.abs(a[:, 0]))).all()
        np.testing.assert_allclose(grad[:, 0], x - mean, rtol=0, atol=8e-16)


def check_continuous_bernoulli_distribution_function(a, n=20_000):
    """Samples against F(x) = (e^(a x) - 1) / (e^a - 1): the largest gap (Kolmogorov-Smirnov) is below 2 / sqrt(n)."""
    x = np.sort(observation.ContinuousBernoulli().sample(np.full((n, 1), a), strategies.rng(3))[:, 0])
    # written with e^-|a|, so that nothing overflows; F(x; a) = 1 - F(1 - x; -a)
    F = x if a == 0 else (np.expm1(a * x) / np.expm1(a) if a < 0 else 1 - np.expm1(-a * (1 - x)) / np.expm1(-a))
    steps = np.arange(n + 1) / n
    assert max((F - steps[:-1]).max(), (steps[1:] - F).max()) < 2 / np.sqrt(n)
    assert 0 <= x[0] and x[-1] <= 1


def test_continuous_bernoulli_exactly():
    check_continuous_bernoulli_exactly(CB_LOGITS + [1e4, -1e4, 1e-300, -1e-160, 5e-324])


def test_continuous_bernoulli_is_smooth_where_the_series_ends():
    check_continuous_bernoulli_exactly(np.linspace(0.5, 1.5, 301))


@settings(max_examples=30)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=9))
def test_continuous_bernoulli_exactly_anywhere(logits):
    check_continuous_bernoulli_exactly(logits)


@pytest.mark.parametrize("a", [0.0, 1e-9, -0.8, 0.3, 1.0, -30.0, 30.0, -700.0, 700.0])
def test_continuous_bernoulli_distribution_function(a):
    check_continuous_bernoulli_distribution_function(a)


@given(strategies.seeds, strategies.sizes(2), st.sampled_from([0.1, 1, 30]))
def test_continuous_bernoulli_is_symmetric(seed, shape, scale):
    """Black and white swapped: p(x; a) = p(1 - x; -a)."""
    m, x = observation.ContinuousBernoulli(), data("continuous", seed, *shape)
    a = strategies.normals(seed, *shape, scale=scale)
    np.testing.assert_allclose(m.log_prob(x, a), m.log_prob(1 - x, -a), rtol=1e-12, atol=1e-13 * scale)
    np.testing.assert_allclose(m.mean(a) + m.mean(-a), 1, rtol=1e-15)


# ---- Gaussian ----------------------------------------------------------------------------------------------------

def check_gaussian_textbook(variance, seed, N, D):
    m = observation.Gaussian(variance, floor=0.01)
    x, params = strategies.normals(seed, N, D), strategies.normals(seed + 1, N, m.n_params(D))
    v = variance if m.n_shared == 0 and not isinstance(variance, str) else 0.01 + np.exp(params[:, D:])
    mean = params[:, :D]
    density = np.exp(-((x - mean) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)
    np.testing.assert_allclose(m.log_prob(x, params), np.log(density).sum(axis=1), rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(m.mean(params), mean)


@pytest.mark.parametrize("variance", [0.7, 3, "shared", "diagonal"])
@given(seed=strategies.seeds, shape=strategies.sizes(2))
def test_gaussian_textbook(variance, seed, shape):
    check_gaussian_textbook(variance, seed, *shape)


@pytest.mark.parametrize("variance", ["shared", "diagonal"])
def test_the_floor_bounds_the_density(variance):
    """As s -> -infinity the variance stops at the floor, and s has no more influence."""
    m = observation.Gaussian(variance, floor=0.04)
    x = strategies.normals(0, 4, 3)
    params = np.concatenate([x, np.full((4, m.n_params(3) - 3), -1e4)], axis=1)
    log_p, grad = m.log_prob_and_grad(x, params)
    np.testing.assert_allclose(log_p, -1.5 * np.log(2 * np.pi * 0.04), rtol=1e-14)
    np.testing.assert_array_equal(grad[:, 3:], 0)


def test_n_params_and_n_shared():
    sizes = {name: (model(name).n_params(5), model(name).n_shared) for name in NAMES}
    assert sizes == {**{name: (5, 0) for name in NAMES}, "gaussian shared": (6, 1), "gaussian diagonal": (10, 0),
                     "logistic shared": (6, 1), "logistic diagonal": (10, 0)}


@pytest.mark.parametrize("variance", [0, -1.0, np.nan, np.inf])
def test_gaussian_refuses_what_is_no_variance(variance):
    with pytest.raises(ValueError, match="variance"):
        observation.Gaussian(variance)


def test_gaussian_refuses_other_arguments():
    with pytest.raises(ValueError, match="variance.*'shared'"):
        observation.Gaussian("full")
    with pytest.raises(ValueError, match="floor"):
        observation.Gaussian("diagonal", floor=-1e-3)


# ---- discretized logistic ----------------------------------------------------------------------------------------

def logistic_probability(level, mean, scale, uniform, L=None):
    """The textbook's difference of the distribution function at the ends of a level's bin, and the uniform's share."""
    L = L or LEVELS
    cdf = [0.0 if k == 0 else 1.0 if k == L else 1 / (1 + np.exp((mean - (k - 0.5) / (L - 1)) / scale))
           for k in (round(level * (L - 1)), round(level * (L - 1)) + 1)]
    return (1 - uniform) * (cdf[1] - cdf[0]) + uniform / L


def scale_of(m, t, j):
    """Feature j's scale under m, whose params end with t."""
    return m.scale if not len(t) else 1 / (30 * (m.n_levels - 1)) + np.exp(t[j % len(t)])


def check_logistic_textbook(scale, seed, N, D):
    m = observation.DiscretizedLogistic(LEVELS, scale=scale, uniform=0.01)
    x, params = data("logistic", seed, N, D), strategies.normals(seed + 1, N, m.n_params(D))
    p = [[logistic_probability(x[n, j], params[n, j], scale_of(m, params[n, D:], j), 0.01) for j in range(D)]
         for n in range(N)]
    np.testing.assert_allclose(m.log_prob(x, params), np.log(p).sum(axis=1), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [0.07, "shared", "diagonal"])
@settings(max_examples=20)
@given(seed=strategies.seeds, shape=strategies.sizes(2))
def test_logistic_textbook(scale, seed, shape):
    check_logistic_textbook(scale, seed, *shape)


def check_two_levels_are_a_coin():
    """Of two levels and scale 1 the logit of p(x = 1) is m - 1/2: Bernoulli's, but for the uniform's share."""
    a, x = strategies.normals(0, 7, 4, scale=3), data("bernoulli", 1, 7, 4)
    m = observation.DiscretizedLogistic(2, scale=1, uniform=1e-12)
    np.testing.assert_allclose(m.log_prob(x, a + 0.5), observation.Bernoulli().log_prob(x, a), rtol=1e-9)
    np.testing.assert_allclose(m.log_prob_and_grad(x, a + 0.5)[1], observation.Bernoulli().log_prob_and_grad(x, a)[1], rtol=1e-8)
    np.testing.assert_allclose(m.mean(a + 0.5), observation.Bernoulli().mean(a), rtol=1e-9)


def test_two_levels_are_a_coin():
    check_two_levels_are_a_coin()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("L", [2, 17, 256])
def test_a_logistic_far_off_or_all_in_one_bin_stays_finite_and_bounded(L, dtype):
    """Whatever params are, a pixel costs at most log(L / uniform) and at least nothing, and its gradient is finite."""
    m = observation.DiscretizedLogistic(L)
    for mean in (-1e4, -1.0, 0.0, 0.5, 1.0, 1e4):
        for t in (-1e4, -80, -6, 0, 20):
            x = (np.arange(L)[:, None] / (L - 1)).astype(dtype)
            with np.errstate(all="raise", under="ignore"):
                log_p, grad = m.log_prob_and_grad(x, np.repeat(np.array([[mean, t]], dtype), L, axis=0))
            assert np.isfinite(grad).all() and (log_p <= 1e-6).all() and (log_p >= np.log(1e-4 / L) * (1 + 1e-6)).all()
            assert abs(np.exp(log_p.astype(np.float64)).sum() - 1) < L * np.finfo(dtype).eps


def test_of_many_levels_the_probability_is_the_density_times_a_level():
    m, x = observation.DiscretizedLogistic(1 << 14, scale=0.1, uniform=1e-12), data("logistic", 0, 5, 3)[:, :] * 0.5
    x = np.rint(x * 16383) / 16383
    params = strategies.normals(1, 5, 3, scale=0.3)
    u = (x - params) / 0.1
    inside = (x > 0).all(axis=1)
    density = (-u - 2 * np.log1p(np.exp(-u)) - np.log(0.1)).sum(axis=1)
    np.testing.assert_allclose(m.log_prob(x, params)[inside], (density - 3 * np.log(16383))[inside], rtol=1e-6)
    assert inside.any()


# ---- Categorical -------------------------------------------------------------------------------------------------

def check_categorical_shift(seed, N, C, shift, dtype):
    """A constant added to all logits changes nothing, to the last bit where the sum itself is exact."""
    a = (strategies.rng(seed).integers(-40, 40, (N, C)) / 8).astype(dtype)
    x = data("categorical", seed, N, C)
    m = observation.Categorical()
    for got, expected in zip(m.log_prob_and_grad(x, a + dtype(shift)), m.log_prob_and_grad(x, a)):
        np.testing.assert_array_equal(got, expected, strict=True)


@given(strategies.seeds, strategies.sizes(2), st.sampled_from([-1e4, 8, 4096]), strategies.dtypes)
def test_categorical_shift(seed, shape, shift, dtype):
    check_categorical_shift(seed, *shape, shift, dtype)


@given(strategies.seeds, strategies.sizes(2))
def test_categorical_textbook(seed, shape):
    N, C = shape
    a, x = strategies.normals(seed, N, C), data("categorical", seed, N, C)
    softmax = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(observation.Categorical().log_prob(x, a), np.log(softmax[np.arange(N), x]), rtol=1e-12)
    np.testing.assert_allclose(observation.Categorical().mean(a), softmax, rtol=1e-13)


@given(strategies.seeds, st.integers(1, 6))
def test_categorical_of_two_classes_is_bernoulli(seed, N):
    a, x = strategies.normals(seed, N, 1), data("categorical", seed, N, 2)
    two = observation.Categorical().log_prob(x, np.concatenate([0 * a, a], axis=1))
    np.testing.assert_allclose(two, observation.Bernoulli().log_prob(x[:, None].astype(float), a), rtol=1e-13)


# ---- values alone, and of pairs ----------------------------------------------------------------------------------

class Laplace(sv.Observation):
    """A stranger's model, which gives `value_and_grad` of rows and nothing else."""

    def value_and_grad(self, x, params):
        assert x.shape == params.shape and x.ndim == 2
        return -(np.abs(x - params) + np.log(2)).sum(axis=1), np.sign(x - params)


def check_values_of_pairs(m, x, params):
    """`value` broadcasts, `value_of_pairs` has every x under every params: each row by row what `value_and_grad` gives."""
    table = np.array([[m.value_and_grad(row[None], p[None])[0][0] for p in params] for row in x])
    np.testing.assert_allclose(m.value_of_pairs(x, params), table, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(m.value(x[:, None], params), table, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(m.value(x, params[:, None]), table.T, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", ["laplace", *(name for name in NAMES if name != "categorical")])
def test_values_of_pairs(name):
    m, x = (Laplace(), strategies.normals(0, 4, 3)) if name == "laplace" else (model(name), data(name, 0, 4, 3))
    check_values_of_pairs(m, x, strategies.normals(1, 6, m.n_params(3)))


# ---- extreme logits and dtypes -----------------------------------------------------------------------------------

def check_nothing_overflows(name, dtype, size=1e4):
    """Finite values, gradients, means and samples at logits of +-1e4, with NumPy told to raise."""
    m = model(name)
    a = np.array([[size, -size, 0.0], [-size, size, 1.0], [size, size, size], [0, 0, -size]], dtype)
    with np.errstate(all="raise", under="ignore"):
        for x in ((np.full(4, c) for c in range(3)) if name == "categorical" else
                  (np.full((4, 3), value, dtype) for value in (0, 1))):
            for array in (*m.log_prob_and_grad(x, a), m.mean(a), m.sample(a, strategies.rng())):
                assert np.isfinite(array).all()
    assert ((m.mean(a) >= 0) & (m.mean(a) <= 1)).all()


def check_dtype_is_kept(name, dtype):
    m, x = model(name), data(name, 0, 5, 3, dtype)
    params = strategies.normals(1, 5, m.n_params(3), dtype=dtype)
    arrays = [*m.log_prob_and_grad(x, params), m.mean(params)]
    if name != "categorical":
        arrays.append(m.sample(params, strategies.rng()))
    assert {array.dtype for array in arrays} == {np.dtype(dtype)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOGIT_MODELS)
def test_nothing_overflows(name, dtype):
    check_nothing_overflows(name, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_dtype_is_kept(name, dtype):
    check_dtype_is_kept(name, dtype)


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_near_float64(name):
    m, x = model(name), data(name, 0, 40, 30, np.float32)
    params = strategies.normals(1, 40, m.n_params(30), dtype=np.float32)
    wide = x if name == "categorical" else x.astype(np.float64)
    for low, high in zip(m.log_prob_and_grad(x, params), m.log_prob_and_grad(wide, params.astype(np.float64))):
        np.testing.assert_allclose(low, high, rtol=3e-6, atol=3e-6)


def test_integers_are_taken_as_numbers():
    x, a = [[0, 1], [1, 1]], [[1, -2], [0, 3]]
    expected = observation.Bernoulli().log_prob_and_grad(np.array(x, float), np.array(a, float))
    for other in (x, np.array(x, bool), np.array(x, np.uint8)):
        for got, want in zip(observation.Bernoulli().log_prob_and_grad(other, a), expected):
            np.testing.assert_array_equal(got, want, strict=True)


# ---- samples -----------------------------------------------------------------------------------------------------

def check_sample_moments(name, n=20_000):
    """Mean and variance of n samples, each within 5 of its standard errors of the true one."""
    m = model(name)
    means = np.array([-3.0, 0.0, 0.4, 2.0])
    if name.startswith("logistic"):
        means = np.array([-0.1, 0.3, 0.55, 1.4])
    params = means if not name.endswith("shared") else np.append(means, -1.5 if name.startswith("logistic") else 0.9)
    params = np.concatenate([params, [-2.0, 0.5, 1.5, 0.0]]) if name.endswith("diagonal") else params
    params = np.repeat(params[None], n, axis=0)
    x = m.sample(params, strategies.rng(11))
    if name == "categorical":
        x = np.eye(4)[x]
        p = np.exp(means) / np.exp(means).sum()
        mean, variance = p, p * (1 - p)
    elif name == "bernoulli":
        p = 1 / (1 + np.exp(-means))
        mean, variance = p, p * (1 - p)
    elif name == "continuous":
        mean, variance = np.array([[float(v) for v in exact(a)[1:]] for a in means]).T
    elif name.startswith("logistic"):
        levels = np.arange(LEVELS) / (LEVELS - 1)
        p = np.array([[logistic_probability(level, params[0, j], scale_of(m, params[0, 4:], j), m.uniform) for j in range(4)]
                      for level in levels])
        mean = levels @ p
        variance = levels**2 @ p - mean**2
    else:
        s = params[0, 4:]
        mean, variance = means, np.broadcast_to(0.3 + np.exp(s) if s.size else 0.7, 4)
    assert x.shape == (n, 4)
    fourth = ((x - mean) ** 4).mean(axis=0)
    assert (np.abs(x.mean(axis=0) - mean) < 5 * np.sqrt(variance / n)).all()
    standard_error = np.sqrt(np.maximum(fourth - variance**2, 0) / n)
    assert (np.abs(((x - mean) ** 2).mean(axis=0) - variance) <= 5 * standard_error + 1e-15).all()
    correlation = np.corrcoef((x - mean)[:, :2].T)[0, 1]
    assert name == "categorical" or abs(correlation) < 5 / np.sqrt(n)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_sample_moments(name):
    check_sample_moments(name)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_the_same_seed_gives_the_same_sample(name, dtype):
    m = model(name)
    params = strategies.normals(1, 50, m.n_params(6), dtype=dtype)
    first, again, other = (m.sample(params, strategies.rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again, strict=True)
    assert (first != other).any()


@pytest.mark.parametrize("name", LIKELIHOODS)
@pytest.mark.parametrize("rng", [0, None, np.random.RandomState(0)], ids=str)
def test_sample_refuses_what_is_no_generator(name, rng):
    m = model(name)
    with pytest.raises(TypeError, match="rng"):
        m.sample(np.zeros((2, m.n_params(3))), rng)


def test_cross_entropy_samples_its_mean():
    a = strategies.normals(0, 4, 3)
    np.testing.assert_array_equal(observation.CrossEntropy().sample(a, strategies.rng()), observation.sigmoid(a))


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_samples_are_in_the_support(name):
    m = model(name)
    params = strategies.normals(2, 300, m.n_params(4), scale=20 if name in LOGIT_MODELS else 1)
    assert np.isfinite(m.log_prob(m.sample(params, strategies.rng()), params)).all()


# ---- doors -------------------------------------------------------------------------------------------------------

def refusals():
    ones, nan = np.ones((2, 3)), np.array([[0.0, np.nan, 1.0]] * 2)
    grey = np.full((2, 3), 0.5)
    yield "bernoulli", grey, ones, ValueError, r"x: Bernoulli wants every value 0 or 1.*0\.5"
    yield "bernoulli", 2 * ones, ones, ValueError, "x: Bernoulli"
    for name in ("continuous", "cross entropy"):
        yield name, ones * 1.0001, ones, ValueError, r"x: .* wants values in \[0, 1\]"
        yield name, -1e-9 * ones, ones, ValueError, "x: "
    for name in [name for name in NAMES if name != "categorical"]:
        good = np.zeros((2, 3))
        params = np.zeros((2, model(name).n_params(3)))
        yield name, nan, params, ValueError, "x: contains NaN"
        yield name, good, params * np.nan, ValueError, "params: contains NaN"
        yield name, good, params + np.inf, ValueError, "params: contains NaN or infinity"
        yield name, good[:0], params[:0], ValueError, "empty"
        yield name, good[0], params, ValueError, "x: want shape"
        yield name, good, params[0], ValueError, "params: want shape"
        yield name, good, params[:, 1:], ValueError, rf"params: want shape \(2, {params.shape[1]}\)"
        yield name, good, np.vstack([params, params]), ValueError, "params: want shape"
        yield name, good + 0j, params, TypeError, "x: want real numbers"
        yield name, [["a", "b", "c"]] * 2, params, TypeError, "x: want real numbers"
    logits = np.zeros((2, 3))
    yield "categorical", [0.0, 1.0], logits, TypeError, "x: want integers"
    yield "categorical", [0, 3], logits, ValueError, r"x: want classes in 0\.\.2"
    yield "categorical", [-1, 0], logits, ValueError, "x: want classes"
    yield "categorical", [0, 1, 2], logits, ValueError, r"x: want shape \(2,\)"
    yield "categorical", [[0], [1]], logits, ValueError, "x: want shape"
    yield "categorical", [0, 1], logits * np.nan, ValueError, "params: contains NaN"
    yield "categorical", [], logits, ValueError, "x: got an empty"


@pytest.mark.parametrize("name, x, params, error, words", list(refusals()))
def test_refusals(name, x, params, error, words):
    for function in (model(name).log_prob, model(name).log_prob_and_grad):
        with pytest.raises(error, match=words):
            function(x, params)


def test_check_names_what_it_checks():
    with pytest.raises(ValueError, match="X_valid: want shape"):
        observation.Bernoulli().accept(np.zeros((2, 3)), "X_valid", n_features=4)
    with pytest.raises(ValueError, match="labels: want classes"):
        observation.Categorical().accept([0, 5], "labels", n_classes=4)
    assert observation.Bernoulli().accept(np.zeros((2, 3)), dtype=np.float32).dtype == np.float32


def check_comparable_refuses_mixed_measures():
    """Probabilities and densities are not compared, and the cross-entropy with nothing, not even itself."""
    B, CB, G, C, X = (model(n) for n in ("bernoulli", "continuous", "gaussian", "categorical", "cross entropy"))
    for mixed in ((B, CB), (B, G), (C, CB), (B, B, G), (X,), (X, X), (B, X), (X, CB)):
        with pytest.raises(ValueError, match="not comparable"):
            observation.comparable(*mixed)
    for same in ((B,), (B, C), (CB, G), (G, observation.Gaussian("diagonal"), CB), (B, B)):
        observation.comparable(*same)


def test_comparable_refuses_mixed_measures():
    check_comparable_refuses_mixed_measures()


@pytest.mark.parametrize("name", NAMES)
def test_config_rebuilds_the_model(name):
    m = model(name)
    twin = extending.built(extending.described(m), observation.Observation)
    assert type(twin) is type(m) and repr(twin) == repr(m) and twin.config() == m.config()
