"""Is a row with gaps worth what its observed values say? Against the D x D Gaussian, and a textbook's EM in loops.

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
import scratchvae as sv
from scratchvae.models import missing_values

LOG_2PI = np.log(2 * np.pi)


def low_rank(seed, n=120, d=6, k=2, noise=0.4, offset=3.0):
    """Rows near a k-dimensional subspace, off the origin."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, k)) @ rng.standard_normal((k, d)) + noise * rng.standard_normal((n, d))
            + offset * rng.standard_normal(d))


def with_gaps(X, seed, share=0.2):
    """X with NaN at random, every column kept somewhere."""
    missing = np.random.default_rng(seed + 1000).random(X.shape) < share
    missing[np.arange(X.shape[1]), np.arange(X.shape[1])] = False
    return np.where(missing, np.nan, X)


def random_model(seed, d=6, k=2):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((k, d)), rng.standard_normal(d), float(rng.uniform(0.1, 2))


def log_likelihood(X, W, mean, v):
    """The mean of log p(x_o), by each row's own inverse and determinant."""
    total = 0.0
    for x in X:
        o = ~np.isnan(x)
        C = W[:, o].T @ W[:, o] + v * np.eye(o.sum())
        c = x[o] - mean[o]
        total -= 0.5 * (c @ np.linalg.inv(C) @ c + np.linalg.slogdet(C)[1] + o.sum() * LOG_2PI)
    return total / len(X)


def textbook_turn(X, W, mean, v):
    """One turn of EM, row after row and column after column: Ilin & Raiko 2010, section 3."""
    (N, D), K = X.shape, len(W)
    means, covariances = [], []
    for n in range(N):
        o = [j for j in range(D) if not np.isnan(X[n, j])]
        M = v * np.eye(K)
        for j in o:
            M += np.outer(W[:, j], W[:, j])
        b = np.zeros(K)
        for j in o:
            b += (X[n, j] - mean[j]) * W[:, j]
        means.append(np.linalg.inv(M) @ b)
        covariances.append(v * np.linalg.inv(M))
    W, mean, squares, count = W.copy(), mean.copy(), 0.0, 0
    for j in range(D):
        A, b = np.zeros((K + 1, K + 1)), np.zeros(K + 1)
        rows = [n for n in range(N) if not np.isnan(X[n, j])]
        for n in rows:
            u = np.append(means[n], 1)
            A += np.outer(u, u)
            A[:K, :K] += covariances[n]
            b += X[n, j] * u
        W[:, j], mean[j] = (w := np.linalg.solve(A, b))[:K], w[K]
        for n in rows:
            squares += (X[n, j] - mean[j] - means[n] @ W[:, j])**2 + W[:, j] @ covariances[n] @ W[:, j]
            count += 1
    return W, mean, squares / count


def by_our_em(X, W, mean, v, turns):
    blocks = list(missing_values.observed_rows(X, len(W)))
    log_p = []
    for _ in range(turns):
        W, mean, v, value = missing_values.em_step(blocks, W, mean, v)
        log_p.append(value)
    return W, mean, v, log_p


# ---- one row, one turn ----------------------------------------------------------------------------------------------

def check_marginal_and_conditional(seed=0, d=6, k=2):
    """log p(x_o) and p(z given x_o), by inverses of the row's own covariance; also a row without a value."""
    W, mean, v = random_model(seed, d, k)
    X = with_gaps(low_rank(seed, n=9, d=d), seed, 0.5)
    X[0] = np.nan
    X[1] = X[2]  # two rows of one pattern
    for rows in missing_values.observed_rows(X, k):
        m, log_p, covariance = missing_values.observed_posterior(rows, W, mean, v)
        for n, x in enumerate(X):
            o = ~np.isnan(x)
            C = np.linalg.inv(W[:, o].T @ W[:, o] + v * np.eye(o.sum()))
            np.testing.assert_allclose(m[n], (x[o] - mean[o]) @ C @ W[:, o].T, rtol=1e-9, atol=1e-10)
            np.testing.assert_allclose(covariance[rows.pattern[n]], np.eye(k) - W[:, o] @ C @ W[:, o].T, rtol=1e-9,
                                       atol=1e-10)
            np.testing.assert_allclose(log_p[n], log_likelihood(x[None], W, mean, v), rtol=1e-10, atol=1e-10)


@given(strategies.seeds, st.sampled_from([(6, 2), (4, 3), (3, 5)]))
def test_marginal_and_conditional(seed, sizes):
    check_marginal_and_conditional(seed, *sizes)


def check_turn(seed=0):
    """Our turn is the textbook's, but for scale and origin of the latents: the same v, and subspace of W and mean."""
    X, (W, mean, v) = with_gaps(low_rank(seed, n=30), seed), random_model(seed)
    ours, theirs = by_our_em(X, W, mean, v, 1), textbook_turn(X, W, mean, v)
    np.testing.assert_allclose(ours[3][0], log_likelihood(X, W, mean, v), rtol=1e-10)
    np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-9)
    P = np.linalg.pinv(theirs[0]) @ theirs[0]
    np.testing.assert_allclose(np.linalg.pinv(ours[0]) @ ours[0], P, atol=1e-9)
    np.testing.assert_allclose((ours[1] - theirs[1]) @ P, ours[1] - theirs[1], atol=1e-9)
    assert min(log_likelihood(X, *ours[:3]), log_likelihood(X, *theirs)) >= ours[3][0]


@given(strategies.seeds)
def test_one_turn_is_the_textbooks(seed):
    check_turn(seed)


def check_likelihood_never_falls(seed=0, share=0.3, turns=40):
    X = with_gaps(low_rank(seed), seed, share)
    log_p = by_our_em(X, *random_model(seed), turns)[3]
    assert (np.diff(log_p) >= -1e-10 * np.abs(log_p[:-1])).all() and log_p[-1] > log_p[0]


@given(strategies.seeds, st.sampled_from([0.05, 0.3, 0.6]))
def test_the_likelihood_never_falls(seed, share):
    check_likelihood_never_falls(seed, share)


def check_without_gaps_it_is_the_closed_form(seed=0):
    """From anywhere, EM on whole rows ends at the closed form."""
    X = low_rank(seed, noise=0.3)
    W, mean, v, log_p = by_our_em(X, *random_model(seed), 400)
    model = sv.ProbabilisticPCA(2).fit(X)
    np.testing.assert_allclose(W.T @ W, model.W_.T @ model.W_, rtol=0, atol=1e-8)
    np.testing.assert_allclose(mean, model.mean_, rtol=1e-8)
    np.testing.assert_allclose(v, model.noise_variance_, rtol=1e-8)
    np.testing.assert_allclose(log_p[-1], model.log_likelihood_[0], rtol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_without_gaps_it_is_the_closed_form(seed):
    check_without_gaps_it_is_the_closed_form(seed)


@pytest.mark.parametrize("seed", range(3))
def test_almost_without_gaps_it_is_almost_the_closed_form(seed):
    X = low_rank(seed)
    gap = X.copy()
    gap[7, 3] = np.nan
    rest, model = sv.ProbabilisticPCA(2).fit(np.delete(X, 7, axis=0)), sv.ProbabilisticPCA(2, tol=1e-13).fit(gap)
    assert np.abs(model.get_covariance() - rest.get_covariance()).max() < 0.1 * np.abs(rest.get_covariance()).max()
    assert model.noise_variance_ == pytest.approx(rest.noise_variance_, rel=0.05)


# ---- the fit --------------------------------------------------------------------------------------------------------

def check_held_out(X, K, seed, turns=60):
    """The squared error where values were hidden: at most 1.02 times a textbook EM's, and far below the means'."""
    gaps = with_gaps(X, seed)
    hidden = np.isnan(gaps)
    filled = sv.ProbabilisticPCA(K).fit(gaps).impute(gaps)
    np.testing.assert_array_equal(filled[~hidden], X[~hidden])
    ours = ((filled - X)[hidden]**2).mean()
    means = np.nanmean(gaps, axis=0)
    start = sv.ProbabilisticPCA(K).fit(np.where(hidden, means, X))
    W, mean, v = start.W_, start.mean_, start.noise_variance_
    for _ in range(turns):
        W, mean, v = textbook_turn(gaps, W, mean, v)
    squares = []
    for x, truth in zip(gaps, X):
        o = ~np.isnan(x)
        M = W[:, o] @ W[:, o].T + v * np.eye(K)
        expected = np.linalg.solve(M, W[:, o] @ (x[o] - mean[o])) @ W + mean
        squares.extend((expected - truth)[~o]**2)
    assert ours <= 1.02 * np.mean(squares)
    assert ours < 0.8 * (((means - X)[hidden])**2).mean()


@pytest.mark.parametrize("seed", range(3))
def test_hidden_values_are_found_as_by_a_textbook(seed):
    check_held_out(low_rank(seed), 2, seed)


@pytest.mark.slow
def test_hidden_pixels_are_found_as_by_a_textbook():
    X = sv.load_digits()[0][:90]
    check_held_out(X[:, X.var(axis=0) > 0.06], 3, 0)


def check_fit_is_a_maximum(seed=0):
    """No small move of any parameter is more likely; orthogonal rows, as in closed form."""
    X = with_gaps(low_rank(seed), seed)
    model, rng = sv.ProbabilisticPCA(2, tol=1e-13).fit(X), np.random.default_rng(seed)
    best = log_likelihood(X, model.W_, model.mean_, model.noise_variance_)
    assert model.log_likelihood_[-1] == pytest.approx(best, abs=1e-10)
    assert (np.diff(model.log_likelihood_) > -1e-12).all()
    assert model.log_prob(X).mean() == pytest.approx(best, abs=1e-10) == model.score(X)
    for size in (1e-3, 0.1):
        for moved in ((model.W_ + size * rng.standard_normal(model.W_.shape), model.mean_, model.noise_variance_),
                      (model.W_, model.mean_ + size * rng.standard_normal(6), model.noise_variance_),
                      (model.W_, model.mean_, model.noise_variance_ * (1 + size)),
                      (model.W_, model.mean_, model.noise_variance_ * (1 - size))):
            assert log_likelihood(X, *moved) < best
    V, a = model.components_, model.explained_variance_
    np.testing.assert_allclose(V @ V.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(model.W_, np.sqrt(a - model.noise_variance_)[:, None] * V, atol=1e-12)
    assert a[0] >= a[1] and (V[[0, 1], np.abs(V).argmax(axis=1)] > 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_fit_is_a_maximum(seed):
    check_fit_is_a_maximum(seed)


def test_doors_serve_rows_with_gaps():
    X = low_rank(0)
    gaps = with_gaps(X, 0)
    gaps[5] = np.nan
    model = sv.ProbabilisticPCA(2).fit(gaps)
    W, mean, v = model.W_, model.mean_, model.noise_variance_
    m, covariance = model.posterior(gaps)
    assert m.shape == (120, 2) and covariance.shape == (120, 2, 2)
    np.testing.assert_array_equal(model.transform(gaps), m)
    np.testing.assert_allclose(m[5], 0, atol=1e-15)
    np.testing.assert_allclose(covariance[5], np.eye(2), atol=1e-12)  # nothing seen: the prior
    np.testing.assert_allclose(model.impute(gaps)[5], mean, rtol=1e-12)
    assert model.log_prob(gaps)[5] == 0
    # a row without gaps is served as alone, with gaps elsewhere or not
    whole = np.flatnonzero(~np.isnan(gaps).any(axis=1))[0]
    np.testing.assert_allclose(model.log_prob(gaps)[whole], model.log_prob(gaps[[whole]])[0], rtol=1e-10)
    np.testing.assert_allclose(covariance[whole], model.posterior(gaps[[whole]])[1], atol=1e-12)
    o = ~np.isnan(gaps[8])
    C = W[:, o].T @ W[:, o] + v * np.eye(o.sum())
    np.testing.assert_allclose(model.impute(gaps)[8, ~o], mean[~o] + (gaps[8, o] - mean[o]) @ np.linalg.inv(C)
                               @ W[:, o].T @ W[:, ~o], rtol=1e-9)
    np.testing.assert_array_equal(model.impute(X), X)
    assert np.isnan(gaps).any()


def test_rows_without_a_value_change_nothing():
    gaps = with_gaps(low_rank(1), 1)
    one = sv.ProbabilisticPCA(2, tol=1e-13).fit(gaps)
    other = sv.ProbabilisticPCA(2, tol=1e-13).fit(np.concatenate([gaps, np.full((40, 6), np.nan)]))
    np.testing.assert_allclose(other.get_covariance(), one.get_covariance(), rtol=1e-5, atol=1e-5)


def test_blocks_of_rows_give_what_one_gives(monkeypatch):
    gaps, whole = with_gaps(low_rank(2), 2), sv.ProbabilisticPCA(2).fit(with_gaps(low_rank(2), 2))
    monkeypatch.setattr(missing_values, "row_blocks", lambda X, width: [slice(i, i + 7) for i in range(0, len(X), 7)])
    parts = sv.ProbabilisticPCA(2).fit(gaps)
    np.testing.assert_allclose(parts.W_, whole.W_, rtol=1e-9, atol=1e-10)
    for one, other in zip(parts.posterior(gaps), whole.posterior(gaps)):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9)


def test_far_from_the_origin_and_in_other_units():
    gaps = with_gaps(low_rank(3), 3)
    one, far = sv.ProbabilisticPCA(2).fit(gaps), sv.ProbabilisticPCA(2).fit(1e3 * gaps + 1e6)
    np.testing.assert_allclose(far.get_covariance(), 1e6 * one.get_covariance(), rtol=1e-4, atol=1e2)
    np.testing.assert_allclose(far.impute(1e3 * gaps + 1e6), 1e3 * one.impute(gaps) + 1e6, rtol=1e-7)


def test_what_says_nothing_is_refused_by_name():
    X = with_gaps(low_rank(0), 0)
    X[:, 3] = np.nan
    with pytest.raises(ValueError, match="^X: column 3 holds nothing but NaN"):
        sv.ProbabilisticPCA(2).fit(X)
    with pytest.raises(ValueError, match="^X: .*infinity"):
        sv.ProbabilisticPCA(2).fit(np.where(np.isnan(X), np.inf, X))
    line = np.outer(np.arange(1.0, 30), [1, 2, 3, 4])  # rank 1, with no noise at all
    line[3, 2] = line[5, 1] = np.nan
    for k in (1, 2):
        with pytest.raises(ValueError, match="^n_components: want fewer"):
            sv.ProbabilisticPCA(k).fit(line)
    with pytest.raises(ValueError, match="^Z: "):
        sv.ProbabilisticPCA(2).fit(low_rank(0)).inverse_transform([[np.nan, 0]])


@pytest.mark.parametrize("seed", [8, 21, 37, 42, 74, 112, 148])
def test_too_many_latents_are_refused_or_told_and_never_served_in_silence(seed):
    """So few values that the likelihood has no end: the noise falls with each turn, until it is refused."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((12, 4)) @ rng.standard_normal((4, 9)) + 0.3 * rng.standard_normal((12, 9))
    with pytest.raises(ValueError, match="^n_components: want fewer, or columns .* alike, for the observed values, got 6"):
        sv.ProbabilisticPCA(6).fit(with_gaps(X, seed, 0.5))


def test_fewer_values_than_parameters_are_refused_by_name():
    refused = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        gaps = with_gaps(1e4 * rng.standard_normal((6, 3)) + 1e6, seed, 0.6)
        try:
            sv.ProbabilisticPCA(2).fit(gaps)
        except ValueError as error:
            assert str(error).startswith("n_components: want")
            refused += 1
    assert refused > 10


def test_an_end_before_the_maximum_is_told():
    with pytest.warns(UserWarning, match="^max_iter: after 2 turns EM still gains"):
        model = sv.ProbabilisticPCA(2, max_iter=2).fit(with_gaps(low_rank(0), 0))
    assert len(model.log_likelihood_) == 2


@pytest.mark.parametrize("noise", [1.0, 1e-2, 1e-4])
def test_small_noise_is_found(noise):
    X = low_rank(0, n=200, noise=noise)
    gaps = with_gaps(X, 0)
    model = sv.ProbabilisticPCA(2).fit(gaps)
    assert np.sqrt(model.noise_variance_) == pytest.approx(noise, rel=0.1)
    assert np.abs(model.impute(gaps) - X).max() < 30 * noise
    assert (np.diff(model.log_likelihood_) > -1e-7).all()


def test_a_refused_fit_leaves_what_was_fitted():
    model = sv.ProbabilisticPCA(2).fit(low_rank(0))
    before = model.W_.copy()
    with pytest.raises(ValueError):
        model.fit(np.full((9, 6), np.nan))
    np.testing.assert_array_equal(model.W_, before)


def test_saved_and_loaded_with_its_history(tmp_path):
    gaps = with_gaps(low_rank(0), 0)
    model = sv.ProbabilisticPCA(2, tol=1e-9).fit(gaps)
    sv.save(model, tmp_path / "m.npz")
    again = sv.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(again.impute(gaps), model.impute(gaps))
    np.testing.assert_array_equal(again.log_likelihood_, model.log_likelihood_)
    assert again.get_params() == {"n_components": 2, "max_iter": 1000, "tol": 1e-9}
