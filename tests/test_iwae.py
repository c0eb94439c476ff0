"""Is the importance-weighted bound, and its gradient by hand, the mathematics? With one sample it must be the ELBO's.

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss

import scratchvae as sv
from scratchvae.models import iwae, probabilistic_pca, vae
from strategies import normals, rng, seeds

N, D, H, K, S = 5, 7, 6, 3, 4  # all different
OBSERVATIONS = {"bernoulli": sv.Bernoulli(), "continuous": sv.ContinuousBernoulli(), "fixed": sv.Gaussian(0.3),
                "shared": sv.Gaussian("shared"), "diagonal": sv.Gaussian("diagonal", floor=0.05)}


def moved(model, seed, scale=0.3):
    """The model with every parameter away from zero."""
    model.theta += scale * normals(seed, len(model.theta))
    return model


def new(cls="IWAE", name="bernoulli", seed=0, **how):
    """An IWAE or VAE whose every parameter is away from zero; the same seed gives both the same theta."""
    how = {"hidden": (H,), "n_latent": K, "activation": "tanh", **how}
    return moved(getattr(sv, cls)(D, observation=OBSERVATIONS[name], rng=rng(seed), dtype=np.float64, **how), seed,
                 0.3)


def data(name="bernoulli", seed=1, n=N):
    x = rng(seed).random((n, D))
    return np.round(x) if name == "bernoulli" else x


def noise(seed=2, n_samples=S, n=N):
    return normals(seed, n_samples, n, K)


# ---- the gradient ---------------------------------------------------------------------------------------------------

def check_iwae_gradients(name="bernoulli", beta=1.0, n_samples=S, seed=0, model=None):
    """grad is dloss/dtheta with the noise held fixed, tensor by tensor."""
    model = model or new(name=name, beta=beta, seed=seed)
    x, eps = data(name, seed + 1), noise(seed + 2, n_samples)
    model.loss_and_grad(x, eps=eps)
    sv.check_gradient(lambda _: model.loss_and_grad(x, eps=eps).loss, model.theta, model.grad, model.named_parameters())


@pytest.mark.parametrize("name", OBSERVATIONS)
@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_gradients_of_every_tensor(name, beta):
    check_iwae_gradients(name, beta)


def test_gradients_with_one_sample_and_after_training():
    check_iwae_gradients(n_samples=1)
    model = new()
    sv.fit(model, data(n=40), epochs=5, batch_size=8, optimizer=sv.Adam(0.01), rng=rng(5))
    check_iwae_gradients(model=model)


def check_one_sample_is_the_elbo(name, seed=0):
    """With k = 1 the gradient is the VAE's in expectation, for any decoder: what differs, the KL, is quadratic in eps.

    The expectations are sums over the same Gauss-Hermite nodes on both sides, five in each dimension, exact for
    quadratics; the reconstruction's part is then the same sum on both sides, and the difference is rounding.
    """
    nodes, weights = hermegauss(5)
    weights = weights / weights.sum()
    one, elbo = new("IWAE", name, seed), new("VAE", name, seed)
    assert np.array_equal(one.theta, elbo.theta)
    x, sums = data(name, seed + 1), {one: 0.0, elbo: 0.0}
    for index in itertools.product(range(5), repeat=K):
        eps = np.broadcast_to(nodes[list(index)], (1, N, K))
        for model in sums:
            loss = model.loss_and_grad(x, eps=eps).loss
            sums[model] = sums[model] + weights[list(index)].prod() * np.append(model.grad, loss)
    assert np.abs(sums[one] - sums[elbo]).max() < 1e-12 * max(1, np.abs(sums[elbo]).max())
    assert np.abs(sums[elbo]).max() > 0.1


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_one_sample_is_the_elbo_with_its_kl_sampled(name):
    check_one_sample_is_the_elbo(name)


def check_equal_samples(seed=0):
    """S copies of one sample weigh 1/S each: bound and gradient are those of the one."""
    model, x, eps = new(seed=seed), data(seed=seed + 1), noise(seed + 2, 1)
    one, grad = model.loss_and_grad(x, eps=eps), model.grad.copy()
    many = model.loss_and_grad(x, eps=np.repeat(eps, S, axis=0))
    assert abs(one.loss - many.loss) < 1e-13 * max(1, abs(one.loss))
    assert np.abs(grad - model.grad).max() < 1e-13 * max(1, np.abs(grad).max())


@given(seeds)
def test_equal_samples_count_as_one(seed):
    check_equal_samples(seed)


@given(seeds)
def test_the_order_of_samples_does_not_matter(seed):
    model, x, eps = new(seed=seed), data(seed=seed), noise(seed)
    loss, grad = model.loss_and_grad(x, eps=eps).loss, model.grad.copy()
    assert model.loss_and_grad(x, eps=eps[::-1]).loss == pytest.approx(loss, rel=1e-13)
    np.testing.assert_allclose(model.grad, grad, rtol=1e-10, atol=1e-13)


def test_a_gradient_of_shares_that_overflow_as_weights():
    model, x = new(name="fixed"), 1e3 * data("fixed")
    terms = model.loss_and_grad(x, eps=noise())
    assert terms.loss > 1e5 and np.isfinite(model.grad).all()
    sv.check_gradient(lambda _: model.loss_and_grad(x, eps=noise()).loss, model.theta, model.grad,
                      model.named_parameters())


# ---- the bound --------------------------------------------------------------------------------------------------

def check_bound_by_the_definition(name="bernoulli", seed=0):
    """bound = mean over examples of log 1/S sum_s p(x|z) p(z) / q(z|x), each density by its own formula."""
    model, x, eps = new(name=name, seed=seed), data(name, seed), noise(seed)
    mu, log_var = model.encode(x)
    z = mu + np.exp(log_var / 2) * eps
    w = np.empty((S, N))
    for s, n in np.ndindex(S, N):
        log_px = model.observation.log_prob(x[n:n + 1], model.decoder.forward(z[s, n][None])[0])[0]
        sigma = np.exp(log_var[n] / 2)
        log_q = np.sum(-0.5 * ((z[s, n] - mu[n]) / sigma) ** 2 - np.log(sigma * np.sqrt(2 * np.pi)))
        log_pz = np.sum(-0.5 * z[s, n] ** 2 - np.log(np.sqrt(2 * np.pi)))
        w[s, n] = np.exp(log_px + log_pz - log_q)
    terms = model.loss_and_grad(x, eps=eps)
    np.testing.assert_allclose([terms.bound, terms.elbo], [np.log(w.mean(axis=0)).mean(), np.log(w).mean()], rtol=1e-11)
    assert terms.loss == -terms.bound and terms.bound > terms.elbo


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_bound_by_the_definition(name):
    check_bound_by_the_definition(name)


def test_beta_changes_the_loss_and_not_the_bound():
    plain, tempered = new(), new(beta=0.2)
    a, b = (model.loss_and_grad(data(), eps=noise()) for model in (plain, tempered))
    assert a.bound == b.bound and a.elbo == b.elbo and a.loss != b.loss


def check_bound_at_the_exact_posterior(n_samples):
    """If q is the posterior all weights are p(x): the bound is log p(x) for any k."""
    X = normals(3, 60, D) @ normals(4, D, D)
    model = probabilistic_pca.ProbabilisticPCA(K).fit(X)
    linear = probabilistic_pca.linear_vae(model)
    iwae = sv.IWAE(D, hidden=(), n_latent=K, observation=linear.observation, rng=rng(), dtype=np.float64)
    iwae.theta[:] = linear.theta
    terms = iwae.loss_and_grad(X, rng=rng(1)) if n_samples is None else iwae.loss_and_grad(
        X, eps=normals(5, n_samples, len(X), K))
    np.testing.assert_allclose([terms.bound, terms.elbo], model.log_prob(X).mean(), rtol=1e-11)


@pytest.mark.parametrize("n_samples", [1, 3, None])
def test_bound_at_the_exact_posterior(n_samples):
    check_bound_at_the_exact_posterior(n_samples)


def check_bound_rises_with_samples(name, n_draws=150):
    """E[bound] does not fall with S: no step down by more than 2 standard errors, and a clear rise from 1 to 50."""
    model, x, means = new(name=name), data(name), {}
    for n_samples in (1, 2, 5, 50):
        draws = rng(n_samples)
        bounds = [model.loss_and_grad(x, eps=draws.standard_normal((n_samples, N, K))).bound for _ in range(n_draws)]
        means[n_samples] = np.mean(bounds), np.std(bounds) / np.sqrt(n_draws)
    for low, high in ((1, 2), (2, 5), (5, 50)):
        assert means[high][0] - means[low][0] > -2 * np.hypot(means[low][1], means[high][1])
    assert means[50][0] - means[1][0] > 4 * np.hypot(means[1][1], means[50][1])


def check_blocks_of_rows(cls):
    """`evaluate`, and a VAE's `elbo`, give every row its own noise, however few rows are taken at once."""
    model, x = new(cls, n_samples=1 if cls == "VAE" else S), data(n=29)
    eps = model.noise(29, rng(7), model.n_samples)
    with pytest.MonkeyPatch.context() as patch:
        for module in (vae, iwae):
            patch.setattr(module, "BLOCK", 8 * S * model.width)
        terms, elbo = model.evaluate(x, rng=rng(7)), model.elbo(x, eps=eps)
    assert tuple(terms) == pytest.approx(tuple(model.loss_and_grad(x, eps=eps)), rel=1e-12)
    alone = [model.elbo(x[n:n + 1], eps=eps[:, n:n + 1]).elbo[0] for n in range(29)]
    np.testing.assert_allclose(elbo.elbo, alone, rtol=1e-12)


@pytest.mark.parametrize("cls", ["IWAE", "VAE"])
def test_blocks_of_rows(cls):
    check_blocks_of_rows(cls)


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_bound_rises_with_samples(name):
    check_bound_rises_with_samples(name)


@given(st.integers(1, 6))
def test_evaluate_measures_what_training_does(n_samples):
    model, x = new(n_samples=n_samples), data()
    terms, again = model.evaluate(x, rng=rng(7)), model.loss_and_grad(x, rng=rng(7))
    np.testing.assert_allclose(terms, again, rtol=1e-13)


def test_training_raises_the_bound_and_a_file_keeps_the_model(tmp_path):
    X = np.round(0.5 + 0.3 * np.sign(normals(0, 200, 1)) + 0.2 * normals(1, 200, D)).clip(0, 1)
    model = new()
    history = sv.fit(model, X, epochs=15, batch_size=20, optimizer=sv.Adam(0.01), rng=rng(3), valid=X)
    assert history.valid["bound"][-1] > history.valid["bound"][0] + 0.5
    assert (history.valid["bound"] >= history.valid["elbo"]).all()
    sv.save(model, tmp_path / "iwae.npz")
    again = sv.load(tmp_path / "iwae.npz")
    assert type(again) is sv.IWAE and again.n_samples == 5
    assert again.loss_and_grad(X, rng=rng(1)) == model.loss_and_grad(X, rng=rng(1))
    assert np.array_equal(model.elbo(X, rng=rng(2)), again.elbo(X, rng=rng(2)))


def test_wrong_noise_is_refused():
    for shape in ((S, N, K + 1), (N + 1, K), (K,)):
        with pytest.raises(ValueError, match="eps: want shape"):
            new().loss_and_grad(data(), eps=np.zeros(shape))
