"""Is the VAE the mathematics? Gradients per tensor, the linear Gaussian case in closed form, evidence by quadrature.

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.models import vae
from scratchvae.probability import gaussian

N, D, K = 5, 7, 3  # all different, and different from the hidden sizes
FEW = settings(max_examples=25, deadline=None)
OBSERVATIONS = {
    "bernoulli": sv.Bernoulli, "continuous bernoulli": sv.ContinuousBernoulli, "cross-entropy": sv.CrossEntropy,
    "discretized logistic": lambda: sv.DiscretizedLogistic(5), "gaussian fixed": lambda: sv.Gaussian(0.3), "gaussian shared": lambda: sv.Gaussian("shared"),
    "gaussian diagonal": lambda: sv.Gaussian("diagonal", floor=0.05)}


def data(observation, n=N, d=D, seed=0):
    """x inside the observation model's support."""
    rng = np.random.default_rng(seed)
    if type(observation) is sv.Bernoulli:
        return (rng.random((n, d)) < 0.4).astype(np.float64)
    if isinstance(observation, sv.DiscretizedLogistic):
        return rng.integers(observation.n_levels, size=(n, d)) / (observation.n_levels - 1)
    return rng.standard_normal((n, d)) if isinstance(observation, sv.Gaussian) else rng.random((n, d))


def new(observation=None, hidden=(6,), seed=0, dtype=np.float64, scale=0.3, d=D, k=K, **how):
    """A model whose every parameter, the biases and the learned log-variance too, is away from zero."""
    rng = np.random.default_rng(seed)
    model = vae.VAE(d, hidden=hidden, n_latent=k, observation=observation or sv.Bernoulli(), rng=rng, dtype=dtype,
                    **how)
    model.theta += scale * rng.standard_normal(model.theta.shape).astype(dtype)
    return model


def noise(n=N, k=K, n_samples=1, seed=1):
    return np.random.default_rng(seed).standard_normal((n_samples, n, k))


def relu_inputs(network, x):
    """What the network's ReLUs are given, one array each, and its output."""
    inputs = []
    for layer in network.layers:
        inputs += [x] if isinstance(layer, sv.ReLU) else []
        x, _ = layer.forward(x)
    return inputs, x


def kink_signs(model, x, eps):
    """All ReLU inputs of a forward pass, as one vector."""
    first, code = relu_inputs(model.encoder, x)
    z = code[:, :model.n_latent] + np.exp(code[:, model.n_latent:] / 2) * eps
    second, _ = relu_inputs(model.decoder, z.reshape(-1, model.n_latent))
    return np.concatenate([a.ravel() for a in first + second] or [np.ones(1)])


# ---- gradients ------------------------------------------------------------------------------------------------

def check_gradients(model, x, eps):
    """model.grad is dloss/dtheta with the noise held fixed, tensor by tensor; no ReLU changes sides meanwhile."""
    model.loss_and_grad(x, eps=eps)
    grad, before = model.grad.copy(), kink_signs(model, x, eps) > 0

    def loss(theta):
        assert theta is model.theta and np.array_equal(kink_signs(model, x, eps) > 0, before), "a kink was crossed"
        return model.loss_and_grad(x, eps=eps).loss

    return sv.check_gradient(loss, model.theta, grad, model.named_parameters())


def away_from_kinks(make, x, eps):
    """The first of make(0), make(1), ... with every ReLU input at least 1e-3 from 0."""
    return next(model for model in map(make, range(100)) if np.abs(kink_signs(model, x, eps)).min() > 1e-3)


@pytest.mark.parametrize("observation", OBSERVATIONS)
@pytest.mark.parametrize("hidden, activation, n_samples, beta", [
    ((), "tanh", 1, 1.0), ((6,), "tanh", 3, 0.7), ((6, 4), "sigmoid", 1, 0.0), ((6, 4), "relu", 3, 1.0),
    ((6,), "relu", 1, 0.7)])
def test_gradients(observation, hidden, activation, n_samples, beta):
    observation = OBSERVATIONS[observation]()
    x, eps = data(observation), noise(n_samples=n_samples)
    model = away_from_kinks(lambda seed: new(observation, hidden, seed, activation=activation, beta=beta), x, eps)
    assert len(check_gradients(model, x, eps)) == len(model.named_parameters())


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_gradients_after_training(observation):
    observation = OBSERVATIONS[observation]()
    model = new(observation, (6,), activation="tanh", beta=0.7)
    sv.fit(model, data(observation, 40), epochs=5, batch_size=8, optimizer=sv.Adam(0.02), rng=np.random.default_rng(0))
    check_gradients(model, data(observation), noise())


def check_elbo_rises_along_its_gradient(observation):
    """A small step against the loss's gradient lowers the loss by about lr |grad|^2."""
    model, x, eps = new(observation, activation="tanh"), data(observation), noise()
    before, squares, lr = model.loss_and_grad(x, eps=eps).loss, np.sum(model.grad**2), 1e-6
    elbo = model.elbo(x, eps=eps).elbo.mean()
    model.theta -= lr * model.grad
    assert model.elbo(x, eps=eps).elbo.mean() > elbo
    np.testing.assert_allclose(before - model.loss_and_grad(x, eps=eps).loss, lr * squares, rtol=0.01)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_elbo_rises_along_its_gradient(observation):
    check_elbo_rises_along_its_gradient(OBSERVATIONS[observation]())


# ---- identities -----------------------------------------------------------------------------------------------

def check_terms(model, x, eps):
    """elbo = reconstruction - kl; loss = -mean(reconstruction - beta kl); each part by its own formula."""
    terms, each = model.loss_and_grad(x, eps=eps), model.elbo(x, eps=eps)
    assert all(part.shape == (len(x),) and part.dtype == model.dtype for part in each)
    np.testing.assert_allclose(each.elbo, each.reconstruction - each.kl, rtol=1e-12)
    np.testing.assert_allclose(terms[1:], [part.mean() for part in each], rtol=1e-12)
    np.testing.assert_allclose(terms.loss, model.beta * each.kl.mean() - each.reconstruction.mean(), rtol=1e-12)
    mu, log_var = model.encode(x)
    np.testing.assert_allclose(each.kl, 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1), rtol=1e-12)
    log_px = [model.observation.log_prob(x, model.decoder.forward(mu + np.exp(log_var / 2) * e)[0]) for e in eps]
    np.testing.assert_allclose(each.reconstruction, np.mean(log_px, axis=0), rtol=1e-12)


@pytest.mark.parametrize("observation", OBSERVATIONS)
@pytest.mark.parametrize("n_samples", [1, 3])
def test_terms(observation, n_samples):
    observation = OBSERVATIONS[observation]()
    check_terms(new(observation, beta=0.7), data(observation), noise(n_samples=n_samples))


def test_loss_is_minus_the_mean_elbo():
    model, x, eps = new(), data(sv.Bernoulli()), noise()
    np.testing.assert_allclose(model.loss_and_grad(x, eps=eps).loss, -model.elbo(x, eps=eps).elbo.mean(), rtol=1e-14)


def check_affine_in_beta(beta, other, observation=sv.Bernoulli()):
    """loss(beta) = -reconstruction + beta kl; elbo, reconstruction and kl know no beta; the gradient is affine too."""
    x, eps = data(observation), noise()
    terms, grads = {}, {}
    for b in (0.0, 1.0, beta, other):
        model = new(observation, beta=b)
        terms[b] = model.loss_and_grad(x, eps=eps)
        grads[b] = model.grad.copy()
        assert terms[b][1:] == terms[0.0][1:]
    for b in (beta, other):
        np.testing.assert_allclose(terms[b].loss, (1 - b) * terms[0.0].loss + b * terms[1.0].loss, rtol=1e-12)
        np.testing.assert_allclose(terms[b].loss - terms[0.0].loss, b * terms[0.0].kl, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(grads[b], (1 - b) * grads[0.0] + b * grads[1.0], rtol=1e-11, atol=1e-13 * (1 + b))


@FEW
@given(st.floats(0, 20), st.floats(0, 20), st.sampled_from(sorted(OBSERVATIONS)))
def test_affine_in_beta(beta, other, observation):
    check_affine_in_beta(beta, other, OBSERVATIONS[observation]())


def check_rows(n, n_samples):
    """Each example alone gives what it gives in the batch; permuting examples permutes; the batch gradient adds up."""
    model, x, eps = new(), data(sv.Bernoulli(), n), noise(n, n_samples=n_samples)
    whole = model.elbo(x, eps=eps)
    order = np.random.default_rng(n).permutation(n)
    for part, permuted in zip(whole, model.elbo(x[order], eps=eps[:, order])):
        np.testing.assert_allclose(permuted, part[order], rtol=1e-12)
    model.loss_and_grad(x, eps=eps)
    grad, total = model.grad.copy(), 0
    for i in range(n):
        for part, single in zip(whole, model.elbo(x[i:i + 1], eps=eps[:, i:i + 1])):
            np.testing.assert_allclose(single, part[i:i + 1], rtol=1e-12)
        model.loss_and_grad(x[i:i + 1], eps=eps[:, i:i + 1])
        total = total + model.grad / n
    np.testing.assert_allclose(grad, total, rtol=1e-11, atol=1e-14)


@FEW
@given(st.integers(1, 12), st.integers(1, 4))
def test_rows(n, n_samples):
    check_rows(n, n_samples)


def test_several_blocks_are_one(monkeypatch):
    """Shrunk to two rows a block, the ELBO and the evaluation are what they were."""
    model, x, eps = new(), data(sv.Bernoulli(), 23), noise(23, n_samples=2)
    whole, terms = model.elbo(x, eps=eps), model.evaluate(x, rng=np.random.default_rng(0))
    blocks = []
    monkeypatch.setattr(vae, "row_blocks", lambda x, *size: (
        blocks.append(slice(i, i + 2)) or blocks[-1] for i in range(0, len(x), 2)))
    for part, again in zip(whole, model.elbo(x, eps=eps)):
        np.testing.assert_allclose(again, part, rtol=1e-12)
    np.testing.assert_allclose(model.evaluate(x, rng=np.random.default_rng(0)), terms, rtol=1e-12)
    assert len(blocks) == 24


def check_no_noise_uses_mu():
    """eps = 0 is z = mu exactly; and one noise vector moves z by sigma eps, the standard deviation."""
    model, x = new(sv.Gaussian(0.3), ()), data(sv.Gaussian(1))
    mu, log_var = model.encode(x)
    exact = model.observation.log_prob(x, model.decoder.forward(mu)[0])
    assert np.array_equal(model.elbo(x, eps=np.zeros((N, K))).reconstruction, exact)
    assert np.array_equal(model.reconstruct(x), model.decode(mu))
    eps = noise()[0]
    moved = model.observation.log_prob(x, model.decoder.forward(mu + np.sqrt(np.exp(log_var)) * eps)[0])
    np.testing.assert_allclose(model.elbo(x, eps=eps).reconstruction, moved, rtol=1e-12)


def test_no_noise_uses_mu():
    check_no_noise_uses_mu()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_zero_last_layer_gives_d_log_2(dtype):
    model, x = new(dtype=dtype), data(sv.Bernoulli())
    last = model.decoder.layers[-1]
    last.W[:], last.b[:] = 0, 0
    tolerance = {"rtol": 4 * np.finfo(dtype).eps}
    np.testing.assert_allclose(model.elbo(x, eps=noise()).reconstruction, np.full(N, -D * np.log(2)), **tolerance)
    np.testing.assert_array_equal(model.decode(noise()[0]), np.full((N, D), 0.5))


def test_a_zero_encoder_has_no_kl():
    model = new()
    last = model.encoder.layers[-1]
    last.W[:], last.b[:] = 0, 0
    assert np.array_equal(model.elbo(data(sv.Bernoulli()), eps=noise()).kl, np.zeros(N))


def check_nothing_is_changed(observation):
    """A step's inputs are bit-identical afterwards, and a second pass gives the same."""
    model, x, eps = new(observation), data(observation), noise(n_samples=2)
    kept = x.copy(), eps.copy(), model.theta.copy()
    first, grad = model.forward_backward(x, eps=eps), model.grad.copy()
    model.elbo(x, eps=noise(seed=9))
    assert model.forward_backward(x, eps=eps) == first and np.array_equal(model.grad, grad)
    assert all(np.array_equal(a, b) for a, b in zip(kept, (x, eps, model.theta)))


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_nothing_is_changed(observation):
    check_nothing_is_changed(OBSERVATIONS[observation]())


def test_rng_is_the_same_as_its_noise():
    model, x = new(n_samples=2), data(sv.Bernoulli())
    drawn = model.loss_and_grad(x, rng=np.random.default_rng(8))
    assert drawn == model.loss_and_grad(x, eps=np.random.default_rng(8).standard_normal((2, N, K)))
    each = model.elbo(x, rng=np.random.default_rng(8))
    assert np.array_equal(each.elbo, model.elbo(x, eps=np.random.default_rng(8).standard_normal((1, N, K))).elbo)


# ---- truths in closed form ------------------------------------------------------------------------------------

def linear(v=0.3, k=K, seed=0):
    """A linear Gaussian VAE, and its matrices: x given z ~ N(z W + b, v I), code = x A + a."""
    model = new(sv.Gaussian(v), (), seed, k=k)
    return model, model.decoder.layers[0], model.encoder.layers[0]


def check_linear_elbo(v, k, seed):
    """E_q[log N(x; z W + b, v I)] - KL, by hand.

    log N is quadratic in eps, so the mean over the 2^K points eps in {-1, 1}^K (two Gauss-Hermite nodes of equal weight
    in each dimension) is its expectation, exactly.
    """
    model, decoder, encoder = linear(v, k, seed)
    x = data(sv.Gaussian(1), seed=seed)
    code = x @ encoder.W + encoder.b
    mu, variance = code[:, :k], np.exp(code[:, k:])
    squares = ((x - mu @ decoder.W - decoder.b) ** 2).sum(axis=1) + variance @ (decoder.W**2).sum(axis=1)
    reconstruction = -squares / (2 * v) - D / 2 * np.log(2 * np.pi * v)
    kl = 0.5 * (mu**2 + variance - 1 - np.log(variance)).sum(axis=1)
    eps = np.broadcast_to(np.array(list(itertools.product([-1.0, 1.0], repeat=k)))[:, None], (2**k, N, k))
    got = model.elbo(x, eps=eps)
    np.testing.assert_allclose(got.reconstruction, reconstruction, rtol=1e-10)
    np.testing.assert_allclose(got.kl, kl, rtol=1e-10)
    np.testing.assert_allclose(got.elbo, reconstruction - kl, rtol=1e-10)
    np.testing.assert_allclose(model.loss_and_grad(x, eps=eps).loss, -(reconstruction - kl).mean(), rtol=1e-10)


@FEW
@given(st.floats(0.05, 3), st.integers(1, 4), st.integers(0, 10**6))
def test_linear_elbo(v, k, seed):
    check_linear_elbo(v, k, seed)


def check_exact_posterior(k, v, seed=0):
    """With q the exact posterior the ELBO is log p(x); with any other q it is less, by KL(q || posterior).

    Rows of W orthogonal make the posterior of the linear Gaussian model diagonal: variances 1 / (1 + |w_k|^2 / v),
    means variance * w_k . (x - b) / v; and p(x) = N(b, W^T W + v I).
    """
    model, decoder, encoder = linear(v, k, seed)
    decoder.W[:] = np.linalg.qr(decoder.W.T)[0].T * np.linspace(0.7, 1.6, k)[:, None]
    x = data(sv.Gaussian(1), seed=seed + 1)
    posterior_var = 1 / (1 + (decoder.W**2).sum(axis=1) / v)
    gain = decoder.W.T * posterior_var / v  # (D, K)
    encoder.W[:] = np.concatenate([gain, np.zeros((D, k))], axis=1)
    encoder.b[:] = np.concatenate([-decoder.b @ gain, np.log(posterior_var)])
    covariance = decoder.W.T @ decoder.W + v * np.eye(D)
    r = x - decoder.b
    log_px = -0.5 * (np.einsum("nd,nd->n", r, np.linalg.solve(covariance, r.T).T)
                     + np.linalg.slogdet(2 * np.pi * covariance)[1])
    eps = np.broadcast_to(np.array(list(itertools.product([-1.0, 1.0], repeat=k)))[:, None], (2**k, N, k))
    np.testing.assert_allclose(model.elbo(x, eps=eps).elbo, log_px, rtol=1e-10)
    m = r @ gain
    for other in range(5):  # other encoders: the bound holds, and the gap is the KL between the two Gaussians
        rng = np.random.default_rng(other)
        encoder.W += 0.2 * rng.standard_normal(encoder.W.shape)
        encoder.b += 0.2 * rng.standard_normal(encoder.b.shape)
        mu, log_var = model.encode(x)
        gap = 0.5 * np.sum((np.exp(log_var) + (mu - m) ** 2) / posterior_var - 1 - log_var + np.log(posterior_var),
                           axis=1)
        assert (gap > 1e-4).all()
        np.testing.assert_allclose(log_px - model.elbo(x, eps=eps).elbo, gap, rtol=1e-9)
        np.testing.assert_allclose(gaussian.kl(mu, log_var, m, np.log(posterior_var)), gap, rtol=1e-10)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("v", [0.2, 1.0])
def test_exact_posterior(k, v):
    check_exact_posterior(k, v)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_the_gap_of_a_nonlinear_vae_is_the_kl_to_its_posterior(observation):
    """K = 1: log p(x) and KL(q || posterior) on a fine grid of z, the ELBO on one of eps; ELBO + KL = log p(x).

    For smooth functions that vanish at both ends the trapezoidal sum converges faster than any power of its step.
    """
    observation = OBSERVATIONS[observation]()
    model, x = new(observation, (6,), activation="tanh", k=1), data(observation)
    nodes, step = np.linspace(-9, 9, 801, retstep=True)
    weights = step * np.exp(-nodes**2 / 2) / np.sqrt(2 * np.pi)
    eps = np.broadcast_to(nodes[:, None, None], (len(nodes), N, 1))
    elbo = sum(w * model.elbo(x, eps=e).elbo for w, e in zip(weights, eps))
    z, dz = np.linspace(-40, 40, 8001, retstep=True)
    params = model.decoder.forward(z[:, None])[0]
    mu, log_var = model.encode(x)
    for n in range(N):
        joint = observation.log_prob(np.repeat(x[n:n + 1], len(z), 0), params) - z**2 / 2 - np.log(2 * np.pi) / 2
        log_px = np.log(np.exp(joint - joint.max()).sum() * dz) + joint.max()
        log_q = -0.5 * ((z - mu[n]) ** 2 / np.exp(log_var[n]) + log_var[n] + np.log(2 * np.pi))
        gap = (np.exp(log_q) * (log_q - (joint - log_px))).sum() * dz
        assert 0 < gap and elbo[n] < log_px
        np.testing.assert_allclose(elbo[n] + gap, log_px, rtol=1e-8)


@pytest.mark.parametrize("n_samples", [1, 4])
def test_monte_carlo_elbo_is_unbiased(n_samples):
    """The mean of many estimates agrees with quadrature within four of its own standard errors."""
    model, x = new(hidden=(6,), activation="tanh", k=1), data(sv.Bernoulli())[:1]
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights /= weights.sum()
    exact = weights @ np.array([model.elbo(x, eps=[[node]]).elbo[0] for node in nodes])
    eps = np.random.default_rng(0).standard_normal((n_samples, 4000, 1))
    estimates = model.elbo(np.repeat(x, 4000, 0), eps=eps).elbo
    assert abs(estimates.mean() - exact) < 4 * estimates.std() / np.sqrt(4000)


# ---- the interface --------------------------------------------------------------------------------------------

def test_named_parameters_lie_in_theta_in_the_order_of_the_data():
    model = new(sv.Gaussian("shared"), (6, 4))
    views = model.named_parameters()
    assert {name: view.shape for name, view in views.items()} == {
        "encoder.0.W": (D, 6), "encoder.0.b": (6,), "encoder.2.W": (6, 4), "encoder.2.b": (4,),
        "encoder.4.W": (4, 2 * K), "encoder.4.b": (2 * K,), "decoder.0.W": (K, 4), "decoder.0.b": (4,),
        "decoder.2.W": (4, 6), "decoder.2.b": (6,), "decoder.4.W": (6, D), "decoder.4.b": (D,), "decoder.5.c": (1,)}
    assert list(views)[:2] == ["encoder.0.W", "encoder.0.b"] and list(views)[-1] == "decoder.5.c"
    assert np.array_equal(np.concatenate([view.ravel() for view in views.values()]), model.theta)
    assert all(np.shares_memory(view, model.theta) for view in views.values())
    assert model.theta.shape == model.grad.shape and model.theta.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_shapes_dtypes_and_determinism(observation, dtype):
    observation = OBSERVATIONS[observation]()
    model, x = new(observation, dtype=dtype), data(observation)
    mu, log_var = model.encode(x)
    arrays = [mu, log_var, model.decode(mu), model.reconstruct(x), model.sample(4, rng=np.random.default_rng(0)),
              *model.elbo(x, rng=np.random.default_rng(0))]
    assert [a.shape for a in arrays] == [(N, K), (N, K), (N, D), (N, D), (4, D), (N,), (N,), (N,)]
    assert all(a.dtype == dtype and np.isfinite(a).all() for a in arrays)
    assert np.array_equal(arrays[4], model.sample(4, rng=np.random.default_rng(0)))
    assert np.array_equal(arrays[2], arrays[3])
    observation.accept(arrays[4])  # samples lie in the support
    terms = model.loss_and_grad(x, rng=np.random.default_rng(0))
    assert all(np.asarray(term).dtype == dtype and np.ndim(term) == 0 for term in terms) and model.grad.dtype == dtype


def test_float32_agrees_with_float64():
    single, double = new(dtype=np.float32), new()
    double.theta[:] = single.theta
    x, eps = data(sv.Bernoulli()), noise().astype(np.float32)
    np.testing.assert_allclose(single.loss_and_grad(x, eps=eps), double.loss_and_grad(x, eps=eps), rtol=1e-5)
    np.testing.assert_allclose(single.grad, double.grad, rtol=1e-3, atol=1e-6)


def check_sample_moments(n=40000):
    """Samples of a linear Gaussian VAE have mean b and covariance W^T W + v I, within sampling error."""
    model, decoder, _ = linear(0.3)
    X = model.sample(n, rng=np.random.default_rng(0))
    covariance = decoder.W.T @ decoder.W + 0.3 * np.eye(D)
    assert (np.abs(X.mean(axis=0) - decoder.b) < 5 * np.sqrt(np.diag(covariance) / n)).all()
    error = np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / n)
    assert (np.abs(np.cov(X.T) - covariance) < 5 * error).all()


def test_sample_has_the_decoders_mean():
    check_sample_moments()


@pytest.mark.parametrize("how, name", [
    ({"n_features": 0}, "n_features"), ({"n_features": 2.0}, "n_features"), ({"n_latent": 0}, "n_latent"),
    ({"n_latent": True}, "n_latent"), ({"hidden": (0,)}, "hidden"), ({"hidden": (3, -1)}, "hidden"),
    ({"hidden": 5}, "hidden"), ({"hidden": None}, "hidden"), ({"hidden": "ab"}, "hidden"),
    ({"activation": "softplus"}, "activation"), ({"activation": None}, "activation"),
    ({"observation": "bernoulli"}, "observation"), ({"observation": sv.Bernoulli}, "observation"),
    ({"observation": None}, "observation"), ({"observation": sv.Categorical()}, "observation"),
    ({"beta": -1}, "beta"), ({"beta": np.nan}, "beta"), ({"beta": np.inf}, "beta"), ({"n_samples": 0}, "n_samples"),
    ({"rng": None}, "rng"), ({"rng": 3}, "rng"),
    ({"dtype": np.float16}, "dtype"), ({"dtype": int}, "dtype"), ({"dtype": "nonsense"}, "dtype")])
def test_bad_arguments_are_refused_by_name(how, name):
    with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
        vae.VAE(**{"n_features": D, "rng": np.random.default_rng(0), **how})


def test_what_is_not_said_is_as_the_documentation_says():
    model = vae.VAE(D, rng=np.random.default_rng(0))
    assert (model.hidden, model.n_latent, model.beta, model.n_samples) == ((128,), 2, 1.0, 1)
    assert model.activation is sv.ReLU and isinstance(model.observation, sv.Bernoulli) and model.dtype is np.float32
    iwae = sv.IWAE(D, rng=np.random.default_rng(0))
    assert (iwae.hidden, iwae.n_latent, iwae.beta, iwae.n_samples) == ((128,), 2, 1.0, 5)


def test_without_rng_no_model():
    with pytest.raises(TypeError, match="rng"):
        vae.VAE(D)


BAD_NOISE = {"shape": np.zeros((N, K + 1)), "examples": np.zeros((N + 1, K)), "vector": np.zeros(N * K),
             "four axes": np.zeros((1, 1, N, K)), "NaN": np.full((N, K), np.nan), "none": None, "text": "noise",
             "no sample": np.zeros((0, N, K))}


@pytest.mark.parametrize("eps", BAD_NOISE.values(), ids=BAD_NOISE)
def test_bad_noise_is_refused_by_name(eps):
    model, x = new(), data(sv.Bernoulli())
    for call in (model.elbo, model.loss_and_grad):
        with pytest.raises((ValueError, TypeError), match="^rng: " if eps is None else "^eps: "):
            call(x, eps=eps)


@pytest.mark.parametrize("value", [np.full((N, D), np.nan), np.zeros((N, D + 1)), np.zeros((0, D)), np.zeros(D),
                                   np.full((N, D), "a"), np.full((N, D), 1j)])
def test_bad_data_is_refused_by_name(value):
    model, rng = new(), np.random.default_rng(0)
    for call in (model.encode, model.reconstruct, lambda X: model.elbo(X, rng=rng),
                 lambda X: model.loss_and_grad(X, rng=rng)):
        with pytest.raises((ValueError, TypeError), match="^X: "):
            call(value)
    with pytest.raises((ValueError, TypeError), match="^z: "):
        model.decode(value[:, :2] if value.ndim == 2 else value)


def test_bad_sample_sizes_are_refused_by_name():
    for n, rng, name in ((0, np.random.default_rng(0), "n"), (1.5, np.random.default_rng(0), "n"), (2, None, "rng")):
        with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
            new().sample(n, rng=rng)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_save_and_load(observation, dtype, tmp_path):
    observation, path = OBSERVATIONS[observation](), tmp_path / "vae.npz"
    model, x = new(observation, (6, 4), dtype=dtype, activation="sigmoid", beta=0.7, n_samples=2), data(observation)
    sv.save(model, path)
    again = sv.load(path)
    assert type(again) is vae.VAE and again.config() == model.config()
    assert again.theta.tobytes() == model.theta.tobytes()
    assert again.theta.dtype == dtype and repr(again.observation) == repr(observation)
    for one, other in zip(model.elbo(x, rng=np.random.default_rng(0)), again.elbo(x, rng=np.random.default_rng(0))):
        assert np.array_equal(one, other)
    assert model.loss_and_grad(x, rng=np.random.default_rng(1)) == again.loss_and_grad(x, rng=np.random.default_rng(1))


def test_noise_is_one_sample_unless_more_are_asked_for():
    vae = sv.VAE(5, hidden=(), n_latent=3, rng=np.random.default_rng(0))
    assert vae.noise(4, np.random.default_rng(0)).shape == (1, 4, 3)
    assert vae.noise(4, np.random.default_rng(0), 6).shape == (6, 4, 3)


def check_output_moves_with_z(seed):
    """A small step in one latent moves the decoded image, and half the step by half as much: continuous, and smooth."""
    vae, h = sv.VAE(5, hidden=(7,), n_latent=3, activation="tanh", rng=np.random.default_rng(seed), dtype=np.float64), 1e-3
    z = np.random.default_rng(seed + 1).standard_normal((6, 3))
    for step in h * np.eye(3):
        whole, half = (vae.decode(z + part * step) - vae.decode(z) for part in (1, 0.5))
        assert 0 < np.abs(whole).max() < 10 * h
        np.testing.assert_allclose(whole, 2 * half, rtol=1e-2, atol=1e-6)


def test_output_moves_with_z():
    check_output_moves_with_z(0)
