"""Is the autoencoder's loss -log p(x given decoder(encoder(x))), and its gradient the derivative of that?

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.models import autoencoder

N, D, K = 5, 7, 3  # all different, and different from the hidden sizes
FEW = settings(max_examples=25, deadline=None)
OBSERVATIONS = {
    "bernoulli": sv.Bernoulli, "continuous bernoulli": sv.ContinuousBernoulli, "cross-entropy": sv.CrossEntropy,
    "gaussian fixed": lambda: sv.Gaussian(0.3), "gaussian shared": lambda: sv.Gaussian("shared"),
    "gaussian diagonal": lambda: sv.Gaussian("diagonal", floor=0.05)}


def data(observation, n=N, seed=0):
    """x inside the observation model's support."""
    rng = np.random.default_rng(seed)
    if type(observation) is sv.Bernoulli:
        return (rng.random((n, D)) < 0.4).astype(np.float64)
    return rng.standard_normal((n, D)) if isinstance(observation, sv.Gaussian) else rng.random((n, D))


def new(observation=None, hidden=(6,), seed=0, dtype=np.float64, **how):
    """A model whose every parameter, the biases and the learned log-variance too, is away from zero."""
    rng = np.random.default_rng(seed)
    model = autoencoder.Autoencoder(D, hidden=hidden, n_latent=K, observation=observation or sv.Bernoulli(), rng=rng,
                                    dtype=dtype, **how)
    model.theta += 0.3 * rng.standard_normal(model.theta.shape).astype(dtype)
    return model


def damage_noise(corruption="gaussian", n=N, seed=1):
    rng = np.random.default_rng(seed)
    return rng.random((n, D)) if corruption == "masking" else rng.standard_normal((n, D))


def kink_inputs(model, x):
    """All ReLU inputs of a forward pass on (damaged) x, as one vector; [1] if there is no ReLU."""
    inputs = [np.ones(1)]
    for layer in model.encoder.layers + model.decoder.layers:
        inputs += [x.ravel()] if isinstance(layer, sv.ReLU) else []
        x, _ = layer.forward(x)
    return np.concatenate(inputs)


# ---- gradients ------------------------------------------------------------------------------------------------

def check_gradients(model, x, eps=None):
    """model.grad is dloss/dtheta with the damage held fixed, tensor by tensor; no ReLU changes sides meanwhile."""
    seen = model.damage(x, eps=eps) if model.noise else x
    model.loss_and_grad(x, eps=eps)
    grad, before = model.grad.copy(), kink_inputs(model, seen) > 0

    def loss(theta):
        assert theta is model.theta and np.array_equal(kink_inputs(model, seen) > 0, before), "a kink was crossed"
        return model.loss_and_grad(x, eps=eps).loss

    return sv.check_gradient(loss, model.theta, grad, model.named_parameters())


@pytest.mark.parametrize("observation", OBSERVATIONS)
@pytest.mark.parametrize("hidden, activation, how", [
    ((), "tanh", {}), ((6,), "tanh", {"noise": 0.4}), ((6, 4), "sigmoid", {"noise": 0.3, "corruption": "masking"}),
    ((6, 4), "relu", {}), ((6,), "relu", {"noise": 0.4})])
def test_gradients(observation, hidden, activation, how):
    observation = OBSERVATIONS[observation]()
    x, eps = data(observation), damage_noise(how.get("corruption"))
    models = (new(observation, hidden, seed, activation=activation, **how) for seed in range(100))
    model = next(m for m in models if np.abs(kink_inputs(m, m.damage(x, eps=eps) if m.noise else x)).min() > 1e-3)
    assert len(check_gradients(model, x, eps)) == len(model.named_parameters())


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_gradients_after_training(observation):
    observation = OBSERVATIONS[observation]()
    model = new(observation, activation="tanh", noise=0.2)
    sv.fit(model, data(observation, 40), epochs=5, batch_size=8, optimizer=sv.Adam(0.02), rng=np.random.default_rng(0))
    check_gradients(model, data(observation), damage_noise())


# ---- identities -----------------------------------------------------------------------------------------------

def check_loss(observation):
    """loss = -1/N sum_n log p(x_n given decoder(encoder(x_n))), by the observation model's own log_prob."""
    model, x = new(observation, activation="tanh"), data(observation)
    terms = model.loss_and_grad(x)
    want = observation.log_prob(x, model.decoder.forward(model.encode(x))[0])
    np.testing.assert_allclose(terms.loss, -want.mean(), rtol=1e-13)
    assert terms.reconstruction == -terms.loss
    np.testing.assert_allclose(model.evaluate(x), terms, rtol=1e-13)
    single = [model.loss_and_grad(x[i:i + 1]).loss for i in range(N)]
    np.testing.assert_allclose(np.mean(single), terms.loss, rtol=1e-13)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_loss(observation):
    check_loss(OBSERVATIONS[observation]())


def test_gaussian_loss_is_the_squared_error():
    """Under a Gaussian of variance v: the squared error over 2 v, plus D/2 log 2 pi v."""
    v = 0.3
    model, x = new(sv.Gaussian(v)), data(sv.Gaussian(1))
    squares = np.sum((x - model.reconstruct(x)) ** 2, axis=1)
    np.testing.assert_allclose(model.loss_and_grad(x).loss, squares.mean() / (2 * v) + D / 2 * np.log(2 * np.pi * v),
                               rtol=1e-13)


def check_batches_add_up(n, cut):
    """The gradient of a batch is the weighted mean of its parts'; the order of the examples does not matter."""
    model, x = new(), data(sv.Bernoulli(), n)
    order, grads = np.random.default_rng(n).permutation(n), []
    for part in (x, x[order], x[:cut], x[cut:]):
        model.loss_and_grad(part)
        grads.append(model.grad.copy())
    np.testing.assert_allclose(grads[1], grads[0], rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose((cut * grads[2] + (n - cut) * grads[3]) / n, grads[0], rtol=1e-11, atol=1e-14)


@FEW
@given(st.integers(1, 8), st.integers(1, 8))
def test_batches_add_up(cut, rest):
    check_batches_add_up(cut + rest, cut)


def test_several_blocks_are_one(monkeypatch):
    model, x = new(), data(sv.Bernoulli(), 23)
    whole = model.evaluate(x)
    monkeypatch.setattr(autoencoder, "row_blocks", lambda x, width: (slice(i, i + 2) for i in range(0, len(x), 2)))
    np.testing.assert_allclose(model.evaluate(x), whole, rtol=1e-13)


@pytest.mark.parametrize("how", [{}, {"noise": 0.3}, {"noise": 0.3, "corruption": "masking"}])
def test_nothing_is_changed(how):
    model, x, eps = new(**how), data(sv.Bernoulli()), damage_noise(how.get("corruption"))
    kept = x.copy(), eps.copy(), model.theta.copy()
    first, grad = model.forward_backward(x, eps=eps), model.grad.copy()
    model.reconstruct(1 - x)
    assert model.forward_backward(x, eps=eps) == first and np.array_equal(model.grad, grad)
    assert all(np.array_equal(a, b) for a, b in zip(kept, (x, eps, model.theta)))


def test_a_zero_last_layer_gives_d_log_2():
    model = new()
    last = model.decoder.layers[-1]
    last.W[:], last.b[:] = 0, 0
    np.testing.assert_allclose(model.loss_and_grad(data(sv.Bernoulli())).loss, D * np.log(2), rtol=1e-15)


def check_linear_autoencoder_never_beats_pca(seed):
    """Without hidden layers the reconstruction lies on a K-dimensional plane, and PCA's is the closest one."""
    X = np.random.default_rng(seed).standard_normal((30, D)) * 0.7 ** np.arange(D)
    model = new(sv.Gaussian(1), (), seed)
    fitted = sv.PCA(K).fit(X)
    best = np.sum((X - fitted.inverse_transform(fitted.transform(X))) ** 2)
    assert np.sum((X - model.reconstruct(X)) ** 2) >= best
    # and reaches it: encoder V, decoder V^T, biases from the mean
    encoder, decoder = model.encoder.layers[0], model.decoder.layers[0]
    encoder.W[:], encoder.b[:] = fitted.components_.T, -fitted.components_ @ fitted.mean_
    decoder.W[:], decoder.b[:] = fitted.components_, fitted.mean_
    np.testing.assert_allclose(np.sum((X - model.reconstruct(X)) ** 2), best, rtol=1e-12)
    model.loss_and_grad(X)
    assert np.abs(model.grad).max() < 1e-12  # a stationary point


@FEW
@given(st.integers(0, 10**6))
def test_linear_autoencoder_never_beats_pca(seed):
    check_linear_autoencoder_never_beats_pca(seed)


def test_a_linear_autoencoder_is_trained_to_pca():
    X = np.random.default_rng(0).standard_normal((200, D)) * 0.7 ** np.arange(D) + 1
    model = autoencoder.Autoencoder(D, hidden=(), n_latent=K, observation=sv.Gaussian(1), rng=np.random.default_rng(0),
                                    dtype=np.float64)
    sv.fit(model, X, epochs=1000, batch_size=50, optimizer=sv.Adam(0.02), rng=np.random.default_rng(0),
           callbacks=[sv.LearningRateDecay()])
    fitted = sv.PCA(K).fit(X)
    best = np.sum((X - fitted.inverse_transform(fitted.transform(X))) ** 2)
    assert best <= np.sum((X - model.reconstruct(X)) ** 2) < (1 + 1e-5) * best


# ---- denoising ------------------------------------------------------------------------------------------------

def check_damage():
    """Gaussian: x + noise * eps. Masking: 0 where eps < noise, so the share `noise` is lost, and the rest is x."""
    n, x = 4000, np.random.default_rng(5).random((4000, D)) + 1
    gaussian, masking = new(sv.Gaussian(1), noise=0.3), new(sv.Gaussian(1), noise=0.3, corruption="masking")
    eps = damage_noise(n=n)
    np.testing.assert_array_equal(gaussian.damage(x, eps=eps), x + 0.3 * eps)
    moved = gaussian.damage(x, np.random.default_rng(0)) - x
    assert abs(moved.mean()) < 4 * 0.3 / (n * D) ** 0.5 and abs(moved.std() - 0.3) < 4 * 0.3 / (2 * n * D) ** 0.5
    masked = masking.damage(x, np.random.default_rng(0))
    assert ((masked == 0) | (masked == x)).all()
    assert abs((masked == 0).mean() - 0.3) < 4 * (0.3 * 0.7 / (n * D)) ** 0.5
    np.testing.assert_array_equal(masking.damage(x, eps=damage_noise("masking", n)) == 0,
                                  damage_noise("masking", n) < 0.3)


def test_damage():
    check_damage()


def check_target_is_the_whole_x(how):
    """The loss compares the reconstruction of the damaged x with the undamaged one; evaluation damages nothing."""
    observation = sv.Gaussian(0.3)
    model, x, eps = new(observation, **how), data(observation), damage_noise(how["corruption"])
    damaged = model.damage(x, eps=eps)
    want = observation.log_prob(x, model.decoder.forward(model.encode(damaged))[0]).mean()
    np.testing.assert_allclose(model.loss_and_grad(x, eps=eps).reconstruction, want, rtol=1e-13)
    clean = observation.log_prob(x, model.decoder.forward(model.encode(x))[0]).mean()
    np.testing.assert_allclose(model.evaluate(x, rng=np.random.default_rng(0)).reconstruction, clean, rtol=1e-13)


@pytest.mark.parametrize("corruption", ["gaussian", "masking"])
def test_target_is_the_whole_x(corruption):
    check_target_is_the_whole_x({"noise": 0.4, "corruption": corruption})


@pytest.mark.parametrize("corruption", ["gaussian", "masking"])
def test_rng_is_the_same_as_its_noise(corruption):
    model, x = new(noise=0.4, corruption=corruption), data(sv.Bernoulli())
    drawn = model.loss_and_grad(x, rng=np.random.default_rng(1))
    assert drawn == model.loss_and_grad(x, eps=damage_noise(corruption))


# ---- the interface --------------------------------------------------------------------------------------------

def test_named_parameters_lie_in_theta_in_the_order_of_the_data():
    model = new(sv.Gaussian("shared"), (6, 4))
    views = model.named_parameters()
    assert {name: view.shape for name, view in views.items()} == {
        "encoder.0.W": (D, 6), "encoder.0.b": (6,), "encoder.2.W": (6, 4), "encoder.2.b": (4,),
        "encoder.4.W": (4, K), "encoder.4.b": (K,), "decoder.0.W": (K, 4), "decoder.0.b": (4,), "decoder.2.W": (4, 6),
        "decoder.2.b": (6,), "decoder.4.W": (6, D), "decoder.4.b": (D,), "decoder.5.c": (1,)}
    assert np.array_equal(np.concatenate([view.ravel() for view in views.values()]), model.theta)
    assert all(np.shares_memory(view, model.theta) for view in views.values())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_shapes_and_dtypes(observation, dtype):
    observation = OBSERVATIONS[observation]()
    model, x = new(observation, dtype=dtype, noise=0.2), data(observation)
    z = model.encode(x)
    arrays = [z, model.decode(z), model.reconstruct(x)]
    assert [a.shape for a in arrays] == [(N, K), (N, D), (N, D)] and np.array_equal(*arrays[1:])
    assert all(a.dtype == dtype and np.isfinite(a).all() for a in arrays)
    terms = model.loss_and_grad(x, rng=np.random.default_rng(0))
    assert all(np.asarray(term).dtype == dtype and np.ndim(term) == 0 for term in terms) and model.grad.dtype == dtype
    assert model.damage(x.astype(dtype), eps=damage_noise()).dtype == dtype


@pytest.mark.parametrize("how, name", [
    ({"n_features": 0}, "n_features"), ({"n_latent": 0}, "n_latent"), ({"n_latent": 2.0}, "n_latent"),
    ({"hidden": (0,)}, "hidden"), ({"hidden": 5}, "hidden"), ({"activation": "softplus"}, "activation"),
    ({"observation": "bernoulli"}, "observation"), ({"observation": sv.Categorical()}, "observation"),
    ({"noise": -1}, "noise"), ({"noise": np.nan}, "noise"), ({"noise": 1.5, "corruption": "masking"}, "noise"),
    ({"corruption": "salt"}, "corruption"), ({"rng": None}, "rng"), ({"dtype": np.float16}, "dtype")])
def test_bad_arguments_are_refused_by_name(how, name):
    with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
        autoencoder.Autoencoder(**{"n_features": D, "rng": np.random.default_rng(0), **how})


@pytest.mark.parametrize("eps", [np.zeros((N, D + 1)), np.zeros(D), np.full((N, D), np.nan), "noise", None])
def test_bad_noise_is_refused_by_name(eps):
    with pytest.raises((ValueError, TypeError), match="^rng: " if eps is None else "^eps: "):
        new(noise=0.2).loss_and_grad(data(sv.Bernoulli()), eps=eps)


@pytest.mark.parametrize("value", [np.full((N, D), np.nan), np.zeros((N, D + 1)), np.zeros((0, D)), np.zeros(D)])
def test_bad_data_is_refused_by_name(value):
    model = new()
    for call in (model.encode, model.reconstruct, model.loss_and_grad):
        with pytest.raises(ValueError, match="^X: "):
            call(value)
    with pytest.raises(ValueError, match="^X: .*Bernoulli"):
        model.loss_and_grad(np.full((N, D), 0.5))
    with pytest.raises(ValueError, match="^z: "):
        model.decode(np.zeros((N, K + 1)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_save_and_load(observation, dtype, tmp_path):
    observation, path = OBSERVATIONS[observation](), tmp_path / "autoencoder.npz"
    how = {"activation": "sigmoid", "noise": 0.2, "corruption": "masking"}
    model, x = new(observation, (6, 4), dtype=dtype, **how), data(observation)
    sv.save(model, path)
    again = sv.load(path)
    assert type(again) is autoencoder.Autoencoder and again.config() == model.config()
    assert again.theta.tobytes() == model.theta.tobytes() and again.theta.dtype == dtype
    assert repr(again.observation) == repr(observation) and np.array_equal(again.reconstruct(x), model.reconstruct(x))
    assert model.loss_and_grad(x, rng=np.random.default_rng(1)) == again.loss_and_grad(x, rng=np.random.default_rng(1))
