"""Does the classifier learn labels from few and many? Gradients, probabilities, a trained encoder's start, the door.

The `check_...` functions look their subject up in the module when called, so a planted mistake meets them.
"""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.models import classifier

FEW = settings(max_examples=20, deadline=None)


def rng(seed=0):
    return np.random.default_rng(seed)


def small(hidden=(4, 3), activation="tanh", seed=0, dtype=np.float64):
    """N, D, H, C all different, biases not zero."""
    model = classifier.Classifier(5, hidden, 6, activation=activation, rng=rng(seed), dtype=dtype)
    model.theta += 0.3 * rng(seed + 1).normal(size=model.theta.shape)
    return model, rng(seed + 2).normal(size=(8, 5)), rng(seed + 3).integers(0, 6, 8)


def check_gradient(hidden, activation, seed=0):
    model, X, labels = small(hidden, activation, seed)
    model.loss_and_grad(X, labels)
    sv.check_gradient(lambda theta: model.evaluate(X, labels).loss, model.theta, model.grad.copy(),
                      model.named_parameters())


def check_loss_and_probabilities(seed=0):
    """Against softmax written out, one example at a time."""
    model, X, labels = small(seed=seed)
    logits = model.network.forward(X)[0]
    p = np.array([[np.exp(a) for a in row] / sum(np.exp(a) for a in row) for row in logits])
    np.testing.assert_allclose(model.predict_proba(X), p, rtol=1e-12)
    terms = model.loss_and_grad(X, labels)
    np.testing.assert_allclose(terms.loss, -np.mean([np.log(row[c]) for row, c in zip(p, labels)]), rtol=1e-12)
    hits = [row.argmax() == c for row, c in zip(p, labels)]
    assert terms.accuracy == model.score(X, labels) == np.mean(hits)
    assert (model.predict(X) == p.argmax(axis=1)).all()
    assert model.evaluate(X, labels) == pytest.approx(terms, rel=1e-12)


def check_start_from_encoder(make):
    """The layers are the encoder's, copied: its code, through the activation, is the last hidden layer."""
    encoder = make(7, (5, 4), 3, activation="tanh", observation=sv.Gaussian(1.0), rng=rng(), dtype=np.float64)
    encoder.theta += 0.2 * rng(1).normal(size=encoder.theta.shape)
    before, X = encoder.theta.copy(), rng(2).normal(size=(9, 7))
    model = classifier.Classifier.from_encoder(encoder, 6, rng=rng(3))
    z = encoder.encode(X)
    z = z[0] if isinstance(encoder, sv.VAE) else z
    np.testing.assert_allclose(model.features(X), np.tanh(z), rtol=1e-12)
    assert model.hidden == (5, 4, 3) and model.dtype is encoder.dtype and model.predict_proba(X).shape == (9, 6)
    sv.fit(model, X, np.arange(9) % 6, epochs=3, optimizer=sv.Adam(0.1), rng=rng())
    assert (encoder.theta == before).all()
    assert not np.allclose(model.network.layers[0].W, encoder.encoder.layers[0].W)


def check_ties():
    """Of labels that are equally probable the smallest, in `predict`, in `score` and in the accuracy while training."""
    model, X, labels = small(hidden=(), seed=0)
    model.theta[:] = 0
    assert (model.predict(X) == 0).all()
    model.theta[-6:] = [0, 2, 1, 2, 2, 0]
    assert (model.predict(X) == 1).all()
    share = (labels == 1).mean()
    assert 0 < share != (labels == 4).mean() != (labels == 3).mean()
    assert model.score(X, labels) == model.evaluate(X, labels).accuracy == model.loss_and_grad(X, labels).accuracy == share


def test_ties():
    check_ties()


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_gradient(hidden, activation):
    check_gradient(hidden, activation)


def test_gradient_after_some_steps():
    model, X, labels = small()
    sv.fit(model, X, labels, epochs=5, batch_size=3, optimizer=sv.Adam(0.05), rng=rng())
    model.loss_and_grad(X, labels)
    sv.check_gradient(lambda theta: model.evaluate(X, labels).loss, model.theta, model.grad.copy(),
                      model.named_parameters())


@given(st.integers(0, 1000))
@FEW
def test_the_loss_is_minus_log_softmax(seed):
    check_loss_and_probabilities(seed)


@pytest.mark.parametrize("make", [sv.Autoencoder, sv.VAE])
def test_it_starts_from_a_trained_encoder(make):
    check_start_from_encoder(make)


def test_huge_logits_give_probabilities_and_finite_losses():
    model, X, labels = small(hidden=())
    model.theta *= 1e5
    p = model.predict_proba(X)
    assert np.isfinite(p).all() and p.sum(axis=1) == pytest.approx(1)
    assert np.isfinite(model.loss_and_grad(X, labels).loss) and np.isfinite(model.grad).all()


def test_a_zero_top_layer_gives_log_C():
    model, X, labels = small(hidden=())
    model.theta[:] = 0
    assert model.evaluate(X, labels).loss == pytest.approx(np.log(6), rel=1e-12)


def test_a_linear_classifier_finds_the_exact_probabilities_of_counts():
    # one feature that is always 0: only the biases matter, and the best softmax is the labels' frequencies
    labels = np.repeat([0, 1, 2], [7, 2, 1])
    model = classifier.Classifier(1, (), 3, rng=rng(), dtype=np.float64)
    sv.fit(model, np.zeros((10, 1)), labels, epochs=2000, batch_size=10, optimizer=sv.SGD(0.5, momentum=0.5), rng=rng())
    np.testing.assert_allclose(model.predict_proba(np.zeros((1, 1)))[0], [0.7, 0.2, 0.1], rtol=1e-6)


def test_ten_labels_are_learned_by_heart_and_many_generalise():
    X, labels = sv.load_digits()
    train, _, test = sv.split(labels)
    few = np.array([train[labels[train] == c][0] for c in range(10)])
    model = classifier.Classifier(64, (64,), 10, rng=rng())
    sv.fit(model, X[few], labels[few], epochs=100, batch_size=10, optimizer=sv.Adam(1e-2), rng=rng())
    assert model.score(X[few], labels[few]) == 1 and model.score(X[test], labels[test]) > 0.4
    model = classifier.Classifier(64, (64,), 10, rng=rng())
    history = sv.fit(model, X[train], labels[train], epochs=30, optimizer=sv.Adam(3e-3), rng=rng(),
                     valid=(X[test], labels[test]))
    assert model.score(X[test], labels[test]) == pytest.approx(history.valid["accuracy"][-1])
    assert history.valid["accuracy"][-1] > 0.95
    assert set(history.train) == {"loss", "accuracy"}


def test_a_frozen_encoder_is_a_linear_classifier_on_its_codes():
    X, labels = (part[:200] for part in sv.load_digits())
    encoder = sv.Autoencoder(64, (32,), 16, observation=sv.CrossEntropy(), noise=0.3, corruption="masking", rng=rng())
    before = encoder.theta.copy()
    codes = encoder.encode(X)
    frozen = classifier.Classifier(codes.shape[1], (), 10, rng=rng())
    sv.fit(frozen, codes, labels, epochs=300, optimizer=sv.Adam(1e-2, weight_decay=0.1), rng=rng())
    assert (encoder.theta == before).all() and frozen.score(codes, labels) > 0.85


def test_the_same_seed_gives_the_same_classifier_and_a_file_keeps_it(tmp_path):
    model, X, labels = small(dtype=np.float32)
    twin, _, _ = small(dtype=np.float32)
    for m in (model, twin):
        sv.fit(m, X, labels, epochs=3, batch_size=3, rng=rng(4))
    assert (model.theta == twin.theta).all() and model.theta.dtype == np.float32
    sv.save(model, tmp_path / "m.npz")
    again = sv.load(tmp_path / "m.npz")
    assert (again.predict_proba(X) == model.predict_proba(X)).all() and again.config() == model.config()


def test_features_without_a_hidden_layer_are_the_data():
    model, X, _ = small(hidden=())
    assert (model.features(X) == X).all()


@pytest.mark.parametrize("labels, told", [
    (None, "needs labels beside it"), (np.zeros(8, int), "two classes or more"),
    (np.arange(8), r"want classes in 0\.\.5"),
    (np.arange(7) % 6, r"want shape \(8,\)"), (np.full(8, -1), "classes"), (np.zeros((8, 1), int), "want shape")])
def test_bad_labels_are_refused(labels, told):
    model, X, _ = small()
    with pytest.raises(ValueError, match=told):
        sv.fit(model, X, labels, epochs=1, rng=rng())


def test_real_labels_are_refused():
    model, X, _ = small()
    with pytest.raises(TypeError, match="labels: want integers"):
        sv.fit(model, X, np.linspace(0, 5, 8), epochs=1, rng=rng())


def test_fewer_labels_than_classes_are_refused_to_fit_but_a_batch_may_be_small():
    model, X, labels = small()
    with pytest.raises(ValueError, match="labels: want at least one for each of 6 classes, got 5"):
        sv.fit(model, X[:5], labels[:5], epochs=1, rng=rng())
    assert np.isfinite(model.loss_and_grad(X[:1], labels[:1]).loss)
    assert model.score(X[:1], model.predict(X[:1])) == 1


def test_validation_data_without_labels_are_refused_by_name():
    model, X, labels = small()
    with pytest.raises(ValueError, match="valid: a classifier needs labels"):
        sv.fit(model, X, labels, epochs=1, rng=rng(), valid=X)
    with pytest.raises(ValueError, match="valid labels: want"):
        sv.fit(model, X, labels, epochs=1, rng=rng(), valid=(X, labels[:3]))


@pytest.mark.parametrize("arguments, kind, told", [
    ({"n_classes": 1}, ValueError, "n_classes"), ({"n_features": 0}, ValueError, "n_features"),
    ({"hidden": (0,)}, ValueError, "hidden"), ({"activation": "gelu"}, ValueError, "activation"),
    ({"rng": 0}, TypeError, "rng"), ({"dtype": np.int32}, TypeError, "dtype")])
def test_bad_arguments_are_refused(arguments, kind, told):
    with pytest.raises(kind, match=told):
        classifier.Classifier(**{"n_features": 5, "rng": rng(), **arguments})


def test_only_an_encoder_can_be_the_start():
    with pytest.raises(TypeError, match="model: want an Autoencoder or a VAE, got PCA"):
        classifier.Classifier.from_encoder(sv.PCA(2), rng=rng())
