"""Does a VAE with labels give each class its own p(x given y), and Bayes' rule the class of each x?

The linear one in closed form: a mixture of Gaussians, one a class, whose posterior is known.
"""
import itertools
import warnings

import numpy as np
import pytest

import scratchvae as sv
from scratchvae.analysis import class_posterior as posterior_of_classes
from scratchvae.models import iwae, labels, vae
from scratchvae.models.linear_gaussian import linear_log_prob
from strategies import normals, rng

N, D, K, C, H = 7, 5, 3, 4, 6   # all different
LABELS = np.array([0, 3, 1, 1, 2, 0, 1])
CLASSES = "VAE", "IWAE"


def binary(n=N, seed=0):
    return (rng(seed).random((n, D)) < 0.5).astype(np.float64)


def new(cls="VAE", seed=0, hidden=(H,), observation=None, scale=0.4, **how):
    """A model of C classes whose every parameter is away from zero."""
    how = {"n_latent": K, "activation": "tanh", "dtype": np.float64, "n_classes": C, **how}
    model = getattr(sv, cls)(D, hidden, observation=observation or sv.Bernoulli(), rng=rng(seed), **how)
    model.theta += scale * normals(seed + 1, len(model.theta)).astype(model.dtype)
    return model


def linear(seed=0, v=0.3):
    """A linear VAE of C classes whose q is each class's exact posterior; the means (C, D) of p(x given y), W and v.

    Rows of W orthogonal make the posterior diagonal: variances 1 / (1 + |w_k|^2 / v), means variance * w_k . (x - m_y) / v.
    """
    model = new(hidden=(), observation=sv.Gaussian(v), seed=seed)
    decoder, encoder = model.decoder.layers[0], model.encoder.layers[0]
    decoder.W[:K] = np.linalg.qr(decoder.W[:K].T)[0].T * np.linspace(0.7, 1.6, K)[:, None]
    W, means = decoder.W[:K], decoder.W[K:] + decoder.b
    variance = 1 / (1 + (W**2).sum(axis=1) / v)
    gain = W.T * variance / v                                                       # (D, K)
    encoder.W[:] = np.block([[gain, np.zeros((D, K))], [-means @ gain, np.zeros((C, K))]])
    encoder.b[:] = np.concatenate([np.zeros(K), np.log(variance)])
    return model, means, W.copy(), v


# ---- gradients, and the VAE without labels --------------------------------------------------------------------------

def check_gradients(cls="VAE", hidden=(H,), n_samples=2):
    model, x, eps = new(cls, hidden=hidden, beta=0.7), binary(), normals(3, n_samples, N, K)
    model.loss_and_grad(x, LABELS, eps=eps)
    grad = model.grad.copy()
    assert (np.abs(model.encoder.layers[0].dW[D:]).min(axis=1) > 0).all()            # every class's row
    sv.check_gradient(lambda _: model.loss_and_grad(x, LABELS, eps=eps).loss, model.theta, grad,
                      model.named_parameters())


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("hidden, n_samples", [((), 1), ((H,), 2), ((H, 2), 3)])
def test_gradients(cls, hidden, n_samples):
    check_gradients(cls, hidden, n_samples)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_class_is_the_vae_to_the_last_bit(cls, dtype):
    """One class adds no input: the same draws, steps, evaluations and samples as without the argument."""
    x, models = binary(40), []
    for how in ({}, {"n_classes": 1}):
        model = getattr(sv, cls)(D, (H,), K, rng=rng(3), dtype=dtype, **how)
        history = sv.fit(model, x, epochs=3, batch_size=8, rng=rng(4), valid=x[:9])
        models.append((model.theta, *history.train.values(), *history.valid.values(), *model.elbo(x, rng=rng(5)),
                       model.sample(4, rng=rng(6)), model.reconstruct(x), sv.log_evidence(model, x, n_samples=9, rng=rng(7)).value,
                       model.given(0).theta, *(f(x, labels=0) for f in (model.encode, model.reconstruct))))
    for one, other in zip(*models):
        np.testing.assert_array_equal(one, other)
    assert model.width == D or model.width == H


@pytest.mark.parametrize("cls", CLASSES)
def test_terms_and_evaluation(cls):
    """The step's terms are the means over examples of what each example's own class gives; `evaluate` the same."""
    model, x, eps = new(cls), binary(), normals(3, 1, N, K)
    terms, each = model.loss_and_grad(x, LABELS, eps=eps), model.elbo(x, LABELS, eps=eps)
    singly = [model.elbo(x[n:n + 1], LABELS[n:n + 1], eps=eps[:, n:n + 1]).elbo[0] for n in range(N)]
    np.testing.assert_allclose(each.elbo, singly, rtol=1e-12)
    if cls == "VAE":
        np.testing.assert_allclose(terms.elbo, np.mean(singly), rtol=1e-12)
    drawn = model.evaluate(x, LABELS, rng=rng(9))
    assert drawn == pytest.approx(model.loss_and_grad(x, LABELS, eps=model.noise(N, rng(9), model.n_samples)), rel=1e-12)


def test_several_blocks_are_one(monkeypatch):
    model, x = new("IWAE"), binary(23)
    y = np.arange(23) % C
    whole = model.elbo(x, y, rng=rng(1)), model.evaluate(x, y, rng=rng(2))
    for module in (vae, iwae):
        monkeypatch.setattr(module, "BLOCK", 3 * model.width * model.n_samples)
    for one, other in zip(whole, (model.elbo(x, y, rng=rng(1)), model.evaluate(x, y, rng=rng(2)))):
        np.testing.assert_allclose(one, other, rtol=1e-12)


# ---- one class of it ------------------------------------------------------------------------------------------------

def check_given(cls="VAE", hidden=(H,)):
    """`given` is the whole for that class; and a class is heard by the encoder and by the decoder."""
    model, x, z, eps = new(cls, hidden=hidden), binary(), normals(2, N, K), normals(3, 2, N, K)
    for c in range(C):
        one, y = model.given(c), np.full(N, c)
        assert one.n_classes == 1 and type(one) is type(model)
        pairs = [(one.elbo(x, eps=eps), model.elbo(x, y, eps=eps)), (one.encode(x), model.encode(x, y)),
                 (one.decode(z), model.decode(z, y)), (one.reconstruct(x), model.reconstruct(x, c)),
                 (one.sample(5, rng=rng(1)), model.sample(5, c, rng=rng(1)))]
        for a, b in pairs:
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)
        assert one.loss_and_grad(x, eps=eps) == pytest.approx(model.loss_and_grad(x, y, eps=eps), rel=1e-11)
    others = [np.stack(f(0)) != np.stack(f(1)) for f in (lambda c: model.encode(x, c), lambda c: model.decode(z, c))]
    assert all(differ.all() for differ in others)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("hidden", [(), (H,)])
def test_given(cls, hidden):
    check_given(cls, hidden)


def test_given_is_a_copy():
    model = new()
    before = model.theta.copy()
    model.given(1).theta[:] = 0
    np.testing.assert_array_equal(model.theta, before)


# ---- the linear one in closed form ----------------------------------------------------------------------------------

def check_linear_elbo(seed=0):
    """With each class's exact posterior as q, the ELBO is log N(x; m_y, W^T W + v I), whatever the noise, and others are below."""
    model, means, W, v = linear(seed)
    x = normals(seed + 5, N, D)
    eps = np.broadcast_to(np.array(list(itertools.product([-1.0, 1.0], repeat=K)))[:, None], (2**K, N, K))
    for y in (LABELS, (LABELS + 1) % C):
        exact = np.array([linear_log_prob(x[[n]], W, means[y[n]], v)[0] for n in range(N)])
        np.testing.assert_allclose(model.elbo(x, y, eps=eps).elbo, exact, rtol=1e-9)
        np.testing.assert_allclose(model.loss_and_grad(x, y, eps=eps).loss, -exact.mean(), rtol=1e-9)
        assert np.abs(np.diff(exact)).min() > 0
    model.encoder.layers[0].W[D:] += 0.3 * normals(seed, C, 2 * K)                  # another q: the labels' part of it moved
    assert (model.elbo(x, y, eps=eps).elbo < exact - 1e-4).all()


@pytest.mark.parametrize("seed", range(3))
def test_linear_elbo(seed):
    check_linear_elbo(seed)


def check_class_posterior(prior=(0.1, 0.2, 0.3, 0.4), seed=0):
    """Of the linear one: Bayes' rule for a mixture of Gaussians, exactly, for each weight is the same."""
    model, means, W, v = linear(seed)
    x = normals(seed + 5, N, D)
    log_px_y = np.stack([linear_log_prob(x, W, m, v) for m in means], axis=1)
    joint = np.exp(log_px_y) * prior
    found = posterior_of_classes.class_posterior(model, x, prior=prior, n_samples=5, rng=rng(1))
    np.testing.assert_allclose(found.log_likelihood, log_px_y, rtol=1e-9)
    np.testing.assert_allclose(found.log_evidence, np.log(joint.sum(axis=1)), rtol=1e-9)
    np.testing.assert_allclose(found.probability, joint / joint.sum(axis=1, keepdims=True), rtol=1e-7)
    np.testing.assert_allclose(found.ess, 5, rtol=1e-9)
    np.testing.assert_allclose(sv.log_evidence(model, x, LABELS, n_samples=5, rng=rng(1)).value,
                               log_px_y[np.arange(N), LABELS], rtol=1e-9)


@pytest.mark.parametrize("prior", [(0.25,) * 4, (0.1, 0.2, 0.3, 0.4), (0.0, 0.5, 0.5, 0.0)])
def test_class_posterior(prior):
    check_class_posterior(prior)


def test_a_class_without_a_share_is_told():
    """After a training on some classes p(y) is 0 for the others, whatever x shows: said, unless a prior is given."""
    model, x = new(), binary()
    sv.fit(model, x, np.full(len(x), 2), epochs=1, rng=rng())
    with pytest.warns(UserWarning, match="^prior: the labels of the last training had none of class 0, 1, 3,") as told:
        found = sv.class_posterior(model, x, n_samples=5, rng=rng())
    assert (found.probability[:, [0, 1, 3]] == 0).all() and len(told) == 1 and told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sv.class_posterior(model, x, prior=model.class_shares, n_samples=5, rng=rng())


def check_sum_over_classes():
    """The sum over y of p(y) p(x given y) is p(x): over all 2^D images it is one, and so is p(y given x) over y."""
    model = new(n_latent=2)
    every = np.array(list(itertools.product([0.0, 1.0], repeat=D)))
    model.class_shares = np.array([0.1, 0.2, 0.3, 0.4])
    by_grid = np.stack([sv.grid_log_evidence(model.given(c), every) for c in range(C)], axis=1)
    p_x = np.exp(by_grid) @ model.class_shares
    np.testing.assert_allclose(p_x.sum(), 1, rtol=1e-9)
    found = posterior_of_classes.class_posterior(model, every, n_samples=4000, rng=rng(0), method="prior")
    np.testing.assert_allclose(found.probability.sum(axis=1), 1, rtol=1e-12)
    errors = np.sqrt(((np.exp(by_grid) * model.class_shares * sv.standard_error(found.ess, 4000)) ** 2).sum(axis=1)) / p_x
    assert (np.abs(found.log_evidence - np.log(p_x)) < 5 * errors).all()
    # evidence and bound class by class
    y = np.arange(len(every)) % C
    for value, error in ((lambda e: (e.value, sv.standard_error(e.ess, 4000)))(
            sv.log_evidence(model, every, y, n_samples=4000, rng=rng(1), method="prior")),
            sv.multi_sample_bound(model, every, y, k=200, n_repeats=20, rng=rng(2), method="prior")):
        assert (np.abs(value - by_grid[np.arange(len(y)), y]) < 5 * error + 0.02).all()


def test_sum_over_classes():
    check_sum_over_classes()


# ---- training, samples, files ---------------------------------------------------------------------------------------

def check_learns_classes():
    """Two bars, one a class: after training a class asked for is a class drawn, and p(y) is the labels' shares."""
    y = (rng(0).random(300) < 0.3).astype(int)
    x = np.where(y[:, None] == np.array([0, 0, 1, 1]), 1.0, rng(1).random((300, 4)) < 0.3)
    model = sv.VAE(4, (8,), n_latent=1, n_classes=2, rng=rng(2))
    sv.fit(model, x, y, epochs=60, batch_size=50, optimizer=sv.Adam(0.01), rng=rng(3), valid=(x[:50], y[:50]))
    np.testing.assert_allclose(model.class_shares, [1 - y.mean(), y.mean()])
    for c, bar in ((0, slice(0, 2)), (1, slice(2, 4))):
        drawn = model.sample(200, c, rng=rng(4), mean=True)
        assert drawn[:, bar].mean() > 0.95 and np.delete(drawn, np.arange(4)[bar], axis=1).mean() < 0.45
    found = sv.class_posterior(model, x, n_samples=50, rng=rng(5))
    assert (found.probability.argmax(axis=1) == y).mean() > 0.85
    asked = model.sample(2000, rng=rng(6))                                           # drawn from p(y) first
    assert abs((asked[:, 2:].sum(axis=1) > asked[:, :2].sum(axis=1)).mean() - y.mean() * 0.93) < 0.08


def test_learns_classes():
    check_learns_classes()


def test_labels_one_each_or_one_for_all():
    model, z = new(), normals(0, N, K)
    np.testing.assert_array_equal(model.decode(z, 2), model.decode(z, np.full(N, 2)))
    np.testing.assert_array_equal(model.decode(z, np.int32(2)), model.decode(z, [2] * N))
    rows = np.stack([model.decode(z[[n]], LABELS[n])[0] for n in range(N)])
    np.testing.assert_allclose(model.decode(z, LABELS), rows, rtol=1e-13)


@pytest.mark.parametrize("n_classes", [1, C])
def test_a_mean_is_what_its_samples_have_on_average(n_classes):
    """`sample(mean=True)` draws the same z, and gives for each the mean of p(x given z) instead of an x."""
    model = new(n_classes=n_classes)
    y = np.arange(6) % n_classes if n_classes > 1 else None
    z = rng(1).standard_normal((6, K))
    np.testing.assert_array_equal(model.sample(6, y, rng=rng(1), mean=True), model.decode(z, y))
    assert set(np.unique(model.sample(6, y, rng=rng(1)))) <= {0, 1}


def test_saved_and_loaded_with_its_classes(tmp_path):
    model, x = new(), binary(20)
    sv.fit(model, x, np.minimum(np.arange(20), C - 1), epochs=1, rng=rng(0))
    sv.save(model, tmp_path / "model.npz")
    again = sv.load(tmp_path / "model.npz")
    assert again.config() == model.config() and again.config()["n_classes"] == C
    np.testing.assert_array_equal(again.class_shares, [1 / 20, 1 / 20, 1 / 20, 17 / 20])
    np.testing.assert_array_equal(again.sample(9, rng=rng(1)), model.sample(9, rng=rng(1)))


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path):
    x, y = binary(30), np.arange(30) % C
    whole, parts = new(), new()
    sv.fit(whole, x, y, epochs=4, batch_size=8, rng=rng(0))
    sv.fit(parts, x, y, epochs=2, batch_size=8, rng=rng(0), checkpoint=tmp_path / "run.npz")
    resumed = new(seed=5)
    sv.fit(resumed, x, y, epochs=4, batch_size=8, rng=rng(9), checkpoint=tmp_path / "run.npz")
    np.testing.assert_array_equal(resumed.theta, whole.theta)
    np.testing.assert_array_equal(resumed.class_shares, whole.class_shares)


# ---- doors ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("given, error, words", [
    (None, ValueError, "^labels: want the class of each row, from 0 to 3, got None"),
    (LABELS + 1, ValueError, r"^labels: want classes in 0\.\.3, got 4"), (LABELS[1:], ValueError, "^labels: want shape"),
    (LABELS + 0.5, TypeError, "^labels: want integers"), (4, ValueError, "^labels: want an integer from 0 to 3, got 4"),
    (-1, ValueError, "^labels: want an integer"), ("3", TypeError, "^labels: "), (True, (ValueError, TypeError), "^labels: ")])
def test_labels_that_are_none_are_refused_everywhere(given, error, words):
    model, x, z = new(), binary(), normals(0, N, K)
    calls = [lambda: model.elbo(x, given, rng=rng()), lambda: model.encode(x, given), lambda: model.decode(z, given),
             lambda: model.reconstruct(x, given), lambda: model.loss_and_grad(x, given, rng=rng()),
             lambda: sv.fit(model, x, given, epochs=1, rng=rng()), lambda: sv.log_evidence(model, x, given, rng=rng()),
             lambda: sv.multi_sample_bound(model, x, given, k=2, rng=rng())]
    for call in calls + ([] if given is None else [lambda: model.sample(N, given, rng=rng())]):
        with pytest.raises(error, match=words):
            call()


def test_the_validation_labels_are_named():
    with pytest.raises(ValueError, match="^valid labels: want the class of each row"):
        sv.fit(new(), binary(), LABELS, epochs=1, rng=rng(), valid=binary())


@pytest.mark.parametrize("call", [
    lambda model, x: sv.grid_log_evidence(model, x), lambda model, x: sv.active_units(model, x),
    lambda model, x: sv.aggregate_kl(model, x, rng=rng()), lambda model, x: sv.optimize_q(model, x, rng=rng()),
    lambda model, x: sv.Classifier.from_encoder(model, rng=rng()),
    lambda model, x: sv.latent_space.grid_log_prob(model, x, sv.GaussianMixture.standard(2)),
    lambda model, x: sv.pathwise_gradient(model, x, normals(0, 1, N, 2))])
def test_what_is_done_with_one_class_says_so(call):
    model, x = new(n_latent=2), binary()
    with pytest.raises(ValueError, match=r"^(vae|model): want a model without labels, or one class of it: vae\.given"):
        call(model, x)
    call(model.given(2), x)


@pytest.mark.parametrize("prior, words", [((0.5, 0.5), "prior: want shape"), ((0.5, 0.6, 0, 0), "prior: want probabilities"),
                                          ((2, -1, 0, 0), "prior: want probabilities")])
def test_a_prior_that_is_none_is_refused(prior, words):
    with pytest.raises(ValueError, match=words):
        sv.class_posterior(new(), binary(), prior=prior, rng=rng())


@pytest.mark.parametrize("shares", [[0.5, 0.5], [1.0, 1, 0, 0], [np.nan] * 4, None])
def test_a_file_whose_shares_are_none_is_refused(shares):
    model = new()
    arrays, before = {**model.arrays(), "class_shares": np.array(shares, float)}, model.theta.copy()
    if shares is None:
        del arrays["class_shares"]
    with pytest.raises((ValueError, KeyError), match="class_shares"):
        model.load_arrays({**arrays, "theta": 2 * arrays["theta"]})
    np.testing.assert_array_equal(model.theta, before)


def test_one_hot_codes_are_ones():
    np.testing.assert_array_equal(labels.joined(np.ones((2, 3, 1)), np.array([2, 0, 1]), 3),
                                  np.column_stack([np.ones(6), np.tile(np.eye(3)[[2, 0, 1]], (2, 1))]))
