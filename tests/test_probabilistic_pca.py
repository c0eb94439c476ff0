"""Is probabilistic PCA the maximum of the likelihood, and the linear VAE the same model? All in closed form.

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
import scratchvae as sv
from scratchvae.models import probabilistic_pca as ppca
from scratchvae.nn import checkpoint
from scratchvae.probability import divergence, gaussian

LOG_2PI = np.log(2 * np.pi)


def digits():
    """The 1000 training digits in [0, 1], float64."""
    X, labels = sv.load_digits()
    return X[sv.split(labels)[0]]


def cloud(seed, n=30, d=6, scale=1.0):
    """A correlated cloud of points, off the origin."""
    rng = np.random.default_rng(seed)
    return scale * (rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + 3 * rng.standard_normal(d))


def random_model(seed, d=6, k=3):
    """W (k, d), mean (d,), variance of a linear-Gaussian model that nobody fitted; W's rows are not orthogonal."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((k, d)), rng.standard_normal(d), float(rng.uniform(0.1, 2))


# ---- density and posterior against the textbook, with the D x D matrices -------------------------------------------

def check_log_prob(x, W, mean, variance):
    """log N(x; mean, W^T W + v I), by inverse and determinant."""
    D = len(mean)
    C = W.T @ W + variance * np.eye(D)
    c = x - mean
    expected = -0.5 * (np.einsum("ni,ij,nj->n", c, np.linalg.inv(C), c) + np.linalg.slogdet(C)[1] + D * LOG_2PI)
    np.testing.assert_allclose(ppca.linear_log_prob(x, W, mean, variance), expected, rtol=1e-10, atol=1e-10)


def check_posterior(x, W, mean, variance):
    """Conditioning the joint Gaussian of (z, x): mean (x - m) C^-1 W^T, covariance I - W C^-1 W^T."""
    C_inverse = np.linalg.inv(W.T @ W + variance * np.eye(len(mean)))
    m, covariance = ppca.linear_posterior(x, W, mean, variance)
    np.testing.assert_allclose(m, (x - mean) @ C_inverse @ W.T, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(covariance, np.eye(len(W)) - W @ C_inverse @ W.T, rtol=1e-9, atol=1e-10)


def check_bayes(x, z, W, mean, variance):
    """p(x given z) p(z) = p(z given x) p(x), for any z at all."""
    m, covariance = ppca.linear_posterior(x, W, mean, variance)
    d = z - m
    log_posterior = -0.5 * (np.einsum("ni,ij,nj->n", d, np.linalg.inv(covariance), d)
                            + np.linalg.slogdet(covariance)[1] + len(W) * LOG_2PI)
    log_joint = (gaussian.log_prob(x, z @ W + mean, np.log(variance) * np.ones(len(mean)))
                 + gaussian.log_prob(z, np.zeros(len(W)), np.zeros(len(W))))
    np.testing.assert_allclose(log_joint, log_posterior + ppca.linear_log_prob(x, W, mean, variance), rtol=1e-9,
                               atol=1e-9)


# K below D, equal to it and above it
@given(strategies.seeds, st.sampled_from([(6, 3), (5, 1), (4, 4), (3, 5)]))
def test_density_and_posterior_are_those_of_the_joint_gaussian(seed, sizes):
    d, k = sizes
    W, mean, variance = random_model(seed, d, k)
    x = cloud(seed, n=7, d=d)
    check_log_prob(x, W, mean, variance)
    check_posterior(x, W, mean, variance)
    check_bayes(x, strategies.normals(seed, 7, k), W, mean, variance)


def test_density_integrates_to_one_in_two_dimensions():
    W, mean, variance = np.array([[1.0, -0.7]]), np.array([0.4, -0.3]), 0.5
    axis = np.linspace(-9, 9, 241)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    total = np.exp(ppca.linear_log_prob(grid, W, mean, variance)).sum() * (axis[1] - axis[0]) ** 2
    assert total == pytest.approx(1, abs=1e-12)


# ---- the fit -------------------------------------------------------------------------------------------------------

def check_fit(X, k):
    """The covariance of the model keeps the k largest eigenvalues of the data's (denominator N), and the trace."""
    model = ppca.ProbabilisticPCA(k).fit(X)
    S = np.cov(X, rowvar=False, bias=True)
    eigenvalues = np.linalg.eigvalsh(S)[::-1]
    C = model.W_.T @ model.W_ + model.noise_variance_ * np.eye(X.shape[1])
    tolerance = 1e-11 * eigenvalues[0]
    assert np.abs(model.mean_ - X.mean(axis=0)).max() <= 1e-12 * np.abs(X).max()
    assert np.abs(model.explained_variance_ - eigenvalues[:k]).max() <= tolerance
    assert abs(model.noise_variance_ - eigenvalues[k:].mean()) <= tolerance
    assert abs(np.trace(C) - np.trace(S)) <= X.shape[1] * tolerance
    # C and S agree along the components, C is v everywhere else
    V = model.components_
    assert np.abs(V @ V.T - np.eye(k)).max() <= 1e-12
    assert np.abs((C - S) @ V.T).max() <= 10 * tolerance
    assert np.abs(np.linalg.eigvalsh(C)[:X.shape[1] - k] - model.noise_variance_).max() <= 10 * tolerance


def check_mean_log_prob(X, k):
    """At the maximum the quadratic form averages to D.

        1/N sum log p = -1/2 (sum log l_j + (D - K) log v + D log 2 pi + D)
    """
    model, D = ppca.ProbabilisticPCA(k).fit(X), X.shape[1]
    log_det = np.log(model.explained_variance_).sum() + (D - k) * np.log(model.noise_variance_)
    assert model.log_prob(X).mean() == pytest.approx(-0.5 * (log_det + D * LOG_2PI + D), rel=1e-10, abs=1e-9)


def check_nothing_is_better(X, k, seed, size):
    """Moving any parameter lowers the likelihood of the data."""
    model, rng = ppca.ProbabilisticPCA(k).fit(X), np.random.default_rng(seed)
    W, mean, variance = model.W_, model.mean_, model.noise_variance_
    scale = np.sqrt(variance)
    best = ppca.linear_log_prob(X, W, mean, variance).mean()
    for moved in ((W + size * scale * rng.standard_normal(W.shape), mean, variance),
                  (W, mean + size * scale * rng.standard_normal(mean.shape), variance),
                  (W, mean, variance * np.exp(size)), (W, mean, variance * np.exp(-size))):
        assert ppca.linear_log_prob(X, *moved).mean() < best


@given(strategies.seeds, st.integers(1, 4), st.sampled_from([1e-3, 1.0, 1e3]))
def test_the_fit_keeps_the_largest_variances_and_spreads_the_rest(seed, k, scale):
    check_fit(cloud(seed, scale=scale), k)
    check_mean_log_prob(cloud(seed, scale=scale), k)


@given(strategies.seeds, st.integers(1, 4), st.sampled_from([0.01, 0.3, 2.0]))
def test_no_other_parameters_are_more_likely(seed, k, size):
    check_nothing_is_better(cloud(seed), k, seed, size)


def test_more_latents_are_never_less_likely_and_more_features_than_examples_are_fine():
    X = cloud(1, n=12, d=20)
    values = [ppca.ProbabilisticPCA(k).fit(X).log_prob(X).mean() for k in range(1, 11)]
    assert (np.diff(values) > 0).all()
    check_fit(X, 5)


def test_equal_eigenvalues_leave_nothing_for_the_latent():
    X = np.concatenate([np.eye(3), -np.eye(3)])  # covariance I / 3
    model = ppca.ProbabilisticPCA(2).fit(X)
    assert np.abs(model.W_).max() < 1e-7 and model.noise_variance_ == pytest.approx(1 / 3, rel=1e-12)


def test_transform_is_the_posterior_mean_which_draws_pca_towards_the_mean():
    X = cloud(3)
    model, pca = ppca.ProbabilisticPCA(2).fit(X), sv.PCA(2).fit(X)
    z = model.transform(X)
    np.testing.assert_array_equal(z, model.posterior(X)[0])
    np.testing.assert_array_equal(z, ppca.ProbabilisticPCA(2).fit_transform(X))
    # x_mean - mean = sum_j y_j (l_j - v) / l_j V_j, with PCA's codes y
    shrink = 1 - model.noise_variance_ / model.explained_variance_
    np.testing.assert_allclose(model.inverse_transform(z), (pca.transform(X) * shrink) @ pca.components_ + pca.mean_,
                               rtol=1e-10, atol=1e-11)


def test_samples_have_the_models_moments():
    model, n = ppca.ProbabilisticPCA(2).fit(cloud(4)), 40_000
    x = model.sample(n, rng=np.random.default_rng(0))
    C = model.W_.T @ model.W_ + model.noise_variance_ * np.eye(6)
    assert (np.abs(x.mean(axis=0) - model.mean_) < 5 * np.sqrt(np.diag(C) / n)).all()
    # Var of a sample covariance of Gaussians: (C_ii C_jj + C_ij^2) / n
    error = np.sqrt((np.outer(np.diag(C), np.diag(C)) + C**2) / n)
    assert (np.abs(np.cov(x, rowvar=False) - C) < 5 * error).all()


def test_save_and_load_are_exact(tmp_path):
    X = cloud(5)
    model = ppca.ProbabilisticPCA(3).fit(X)
    checkpoint.save(model, tmp_path / "model.npz")
    again = checkpoint.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(again.log_prob(X), model.log_prob(X))
    assert type(again.noise_variance_) is type(model.noise_variance_) and again.n_components == 3


def test_refusals():
    X = cloud(6)
    with pytest.raises(ValueError, match="not fitted"):
        ppca.ProbabilisticPCA(2).log_prob(X)
    with pytest.raises(ValueError, match="not fitted"):
        ppca.ProbabilisticPCA(2).sample(3, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="n_components"):
        ppca.ProbabilisticPCA(6).fit(X)
    with pytest.raises(ValueError, match="^n_components: want less than 2, the rank of the centred data, got 2"):
        ppca.ProbabilisticPCA(2).fit(X[:3])
    for k in (1, 2):  # no number of components would do
        with pytest.raises(ValueError, match="^X: want rows that differ in two directions .* rank 1$"):
            ppca.ProbabilisticPCA(k).fit(np.outer(np.arange(9.0), [1, 2, 3, 4]))
    with pytest.raises(ValueError, match="NaN"):
        ppca.ProbabilisticPCA(1).fit(np.full((5, 4), np.nan))
    with pytest.raises(ValueError, match=r"X: want shape \(N, 6\)"):
        ppca.ProbabilisticPCA(2).fit(X).log_prob(X[:, :5])


# ---- the bridge to the linear VAE ----------------------------------------------------------------------------------

def exact_noise(n, k):
    """2 K values of eps, (2 K, n, k), with mean 0, covariance I: a linear VAE's ELBO, a quadratic, is exact on them."""
    eps = np.sqrt(k) * np.concatenate([np.eye(k), -np.eye(k)])
    return np.broadcast_to(eps[:, None], (2 * k, n, k))


def exact_elbo(vae, X):
    return vae.elbo(X, eps=exact_noise(len(X), vae.n_latent)).elbo


def shake_encoder(vae, seed, size):
    """Any q at all: every example gets a mean and a variance of its own."""
    vae.encoder.theta[:] += size * np.random.default_rng(seed).standard_normal(vae.encoder.theta.shape)
    return vae


def check_elbo_is_log_prob_at_the_optimum(X, k):
    model = ppca.ProbabilisticPCA(k).fit(X)
    assert np.abs(exact_elbo(ppca.linear_vae(model), X) - model.log_prob(X)).max() < 1e-10


def check_gap_is_kl_to_posterior(vae, X):
    """log p(x) - ELBO(x) = KL(q(z given x) || p(z given x)), every example."""
    W, mean, variance = ppca.linear_decoder(vae)
    m, covariance = ppca.linear_posterior(X, W, mean, variance)
    mu, log_var = vae.encode(X)
    kl = divergence.kl_gaussian(mu, np.exp(log_var)[:, :, None] * np.eye(vae.n_latent), m, covariance)
    gap = ppca.linear_log_prob(X, W, mean, variance) - exact_elbo(vae, X)
    assert (kl > 0).all()
    assert np.abs(gap - kl).max() < 1e-10


def check_training_reaches_the_maximum(X, k, lr, epochs):
    """Adam with a rate that decays to 0: exact log p within 0.02 nats of the closed form, never above."""
    rng = np.random.default_rng(0)
    vae = sv.VAE(X.shape[1], hidden=(), n_latent=k, observation=sv.Gaussian("shared"), rng=rng, dtype=np.float64)
    sv.fit(vae, X, epochs=epochs, batch_size=100, optimizer=sv.Adam(lr), rng=rng, callbacks=[sv.LearningRateDecay()])
    log_p = ppca.linear_log_prob(X, *ppca.linear_decoder(vae)).mean()
    best = ppca.ProbabilisticPCA(k).fit(X).log_prob(X).mean()
    assert 0 < best - log_p < 0.02, best - log_p
    return best - log_p


@pytest.mark.parametrize("k", [2, 8])
def test_at_the_closed_form_the_elbo_is_log_p_on_the_digits(k):
    check_elbo_is_log_prob_at_the_optimum(digits(), k)


@pytest.mark.parametrize("k", [2, 8])
def test_for_any_encoder_and_decoder_the_gap_is_the_kl_to_the_posterior_on_the_digits(k):
    X = digits()
    check_gap_is_kl_to_posterior(shake_encoder(ppca.linear_vae(ppca.ProbabilisticPCA(k).fit(X)), k, 0.1), X)
    rng = np.random.default_rng(k)
    vae = sv.VAE(64, hidden=(), n_latent=k, observation=sv.Gaussian("shared"), rng=rng, dtype=np.float64)
    vae.theta += 0.1 * rng.standard_normal(vae.theta.shape)  # W without orthogonal rows
    check_gap_is_kl_to_posterior(vae, X)


@pytest.mark.parametrize("k, lr, epochs", [(2, 1e-2, 100), (8, 2e-2, 450)])
def test_adam_finds_the_closed_form_maximum_on_the_digits(k, lr, epochs):
    check_training_reaches_the_maximum(digits(), k, lr, epochs)


def test_at_the_closed_form_the_vaes_gradient_is_zero():
    X = digits()
    vae = ppca.linear_vae(ppca.ProbabilisticPCA(3).fit(X))
    grad = np.zeros_like(vae.grad)
    for eps in exact_noise(len(X), 3):
        vae.loss_and_grad(X, eps=eps)
        grad += vae.grad / 6
    assert np.abs(grad).max() < 1e-10
    vae.theta += 1e-3
    vae.loss_and_grad(X, eps=eps)
    assert np.abs(vae.grad).max() > 1e-3


def test_linear_decoder_reads_every_kind_of_one_variance():
    def vae(observation, **how):
        return sv.VAE(5, n_latent=2, observation=observation, rng=np.random.default_rng(0), **{"hidden": (), **how})

    shared = vae(sv.Gaussian("shared", floor=0.25))
    shared.decoder.layers[1].c[:] = np.log(0.5)
    W, mean, variance = ppca.linear_decoder(shared)
    assert W.shape == (2, 5) and mean.shape == (5,) and W.dtype == np.float64
    assert variance == pytest.approx(0.75, rel=1e-7) and ppca.linear_decoder(vae(sv.Gaussian(0.3)))[2] == 0.3
    for wrong in (vae(sv.Gaussian("diagonal")), vae(sv.Bernoulli()), vae(sv.Gaussian(1), hidden=(4,))):
        with pytest.raises(ValueError, match="vae: want hidden"):
            ppca.linear_decoder(wrong)


@pytest.mark.parametrize("variance", [1e-4, 1e-8, 1e-12])
def test_the_posterior_of_nearly_parallel_rows_in_exact_arithmetic(variance):
    """Two rows 1e-6 apart, with two latents: M^-1 by its determinant, in fractions."""
    W, x = np.array([[1.0, 2.0, 0.5], [1.0, 2.0, 0.5 + 1e-6]]), np.array([0.3, -0.2, 0.9])
    F = [[Fraction(w) for w in row] for row in W]
    v, y = Fraction(variance), [Fraction(float(value)) for value in x]
    (a, b), (_, d) = ([sum(p * q for p, q in zip(r, s)) + (v if r is s else 0) for s in F] for r in F)
    inverse = [[d / (a * d - b * b), -b / (a * d - b * b)], [-b / (a * d - b * b), a / (a * d - b * b)]]
    Wx = [sum(p * q for p, q in zip(row, y)) for row in F]
    want = [float(sum(i * w for i, w in zip(row, Wx))) for row in inverse]
    mean, covariance = ppca.linear_posterior(x[None], W, np.zeros(3), variance)
    size = np.abs(want).max()
    np.testing.assert_allclose(mean[0], want, rtol=0, atol=1e-9 * size)
    np.testing.assert_allclose(covariance, [[float(v * i) for i in row] for row in inverse], rtol=0,
                               atol=1e-9 * np.abs(covariance).max())


def test_a_posterior_far_narrower_than_rounding_is_still_a_covariance():
    """v (S^2 + v)^-1 along each latent, where I - U U^T, which is zero in mathematics, would leave 1e-16."""
    W, variance = strategies.normals(0, 3, 5), 1e-18
    covariance = ppca.linear_posterior(np.zeros((1, 5)), W, np.zeros(5), variance)[1]
    np.testing.assert_allclose(covariance, variance * np.linalg.inv(W @ W.T), rtol=1e-9)


def test_one_feature_and_no_fit_are_refused_by_name():
    with pytest.raises(ValueError, match="^X: want at least 2 features"):
        ppca.ProbabilisticPCA(1).fit([[0.0], [1.0], [3.0]])
    with pytest.raises(ValueError, match="fit"):
        ppca.linear_vae(ppca.ProbabilisticPCA(2))
