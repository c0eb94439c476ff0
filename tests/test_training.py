"""Does the loop train what it says, the same every time, and the same after an interruption?

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
import os
import pickle
import random
import re
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import namedtuple
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.nn import training
from scratchvae.nn.checkpoint import read_arrays, write_arrays

ROOT = Path(__file__).resolve().parents[1]
N, D = 61, 12  # 61 = 3 * 16 + 13: the last batch is smaller


def binary(n=N, d=D, seed=0, dtype=np.float32):
    return (np.random.default_rng(seed).random((n, d)) < np.linspace(0.1, 0.9, d)).astype(dtype)


def new_vae(seed=0, d=D, dtype=np.float32, **how):
    return sv.VAE(d, hidden=(9,), n_latent=3, n_samples=2, rng=np.random.default_rng(seed), dtype=dtype, **how)


class Interrupt(sv.Callback):
    """Ctrl-C before the epoch after `epoch`, or never."""

    def __init__(self, epoch=None):
        self.epoch = epoch

    def epoch_begin(self, run):
        if run.epoch == self.epoch:
            raise KeyboardInterrupt


class Slow(sv.Callback):
    """Sleeps after every epoch, so that a killer can hit."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def epoch_end(self, run):
        time.sleep(self.seconds)


def state_of(model, optimizer, rng, history, stopping):
    """Everything a run leaves behind, as arrays by name."""
    parts = {"optimizer": optimizer.state(), "train": history.train, "valid": history.valid,
             "stopping": stopping.state(),
             "run": {"theta": model.theta, "beta": np.array(model.beta), "lr": np.array(optimizer.lr),
                     "rng": np.array(str(rng.bit_generator.state))}}
    return {f"{part}.{name}": np.array(a) for part, arrays in parts.items() for name, a in arrays.items()}


def run_once(checkpoint=None, epochs=9, interrupt=None, patience=20, lr=5e-3, seconds=0.0, optimizer=None):
    """A run with all that can go wrong at a restart: fresh objects, warm-up, decay, early stopping, validation."""
    model, rng = new_vae(), np.random.default_rng(7)
    optimizer, stopping = optimizer or sv.Adam(lr), sv.EarlyStopping(patience, monitor="elbo")
    callbacks = [sv.KLWarmup(6), sv.LearningRateDecay(0.25), stopping, Interrupt(interrupt), Slow(seconds)]
    try:
        history = training.fit(model, binary(), epochs=epochs, batch_size=16, optimizer=optimizer, rng=rng,
                               valid=binary(17, seed=5), callbacks=callbacks, checkpoint=checkpoint)
    except KeyboardInterrupt:
        return None
    return state_of(model, optimizer, rng, history, stopping)


def check_same(got, want):
    """Bit for bit the same arrays."""
    assert got.keys() == want.keys()
    for name in want:
        assert got[name].dtype == want[name].dtype and got[name].tobytes() == want[name].tobytes(), name


# ---- the loop -------------------------------------------------------------------------------------------------

def check_same_seed_same_bits():
    check_same(run_once(), run_once())


def test_same_seed_same_bits():
    check_same_seed_same_bits()


def test_another_seed_gives_other_bits():
    thetas = []
    for seed in (1, 2):
        model = new_vae()
        training.fit(model, binary(), epochs=1, rng=np.random.default_rng(seed))
        thetas.append(model.theta)
    assert not np.array_equal(*thetas)


def check_against_a_loop_by_hand(batch_size=16, epochs=2, clip_norm=None):
    """fit is: a permutation, then minibatches of it, noise from the same generator, one SGD step each; no longer than lr
    times the limit over all parameters together.
    """
    X, by_fit, by_hand = binary(dtype=np.float64), new_vae(dtype=np.float64), new_vae(dtype=np.float64)
    history = training.fit(by_fit, X, epochs=epochs, batch_size=batch_size, optimizer=sv.SGD(0.05),
                           clip_norm=clip_norm, rng=np.random.default_rng(4))
    rng, losses, norms = np.random.default_rng(4), [], []
    by_hand.start(X)
    for _ in range(epochs):
        order, total = rng.permutation(len(X)), 0
        for start in range(0, len(X), batch_size):
            x = X[order[start:start + batch_size]]
            eps = rng.standard_normal((2, len(x), 3))
            total += len(x) * by_hand.loss_and_grad(x, eps=eps).loss
            norms.append(np.sqrt((by_hand.grad**2).sum()))
            by_hand.theta -= 0.05 * by_hand.grad * min(1, (clip_norm or np.inf) / norms[-1])
        losses.append(total / len(X))
    np.testing.assert_allclose(by_fit.theta, by_hand.theta, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(history.train["loss"], losses, rtol=1e-12)
    assert clip_norm is None or min(norms) < clip_norm < max(norms)


def check_clipping_against_a_loop_by_hand():
    check_against_a_loop_by_hand(clip_norm=0.93)


def test_clipping_against_a_loop_by_hand():
    check_clipping_against_a_loop_by_hand()


@pytest.mark.parametrize("batch_size", [1, 16, 61, 1000])
def test_against_a_loop_by_hand(batch_size):
    check_against_a_loop_by_hand(batch_size)


Terms = namedtuple("Terms", "loss square")


class Witness:
    """A model that learns nothing and writes down what it is shown; its loss is the mean of the batch."""

    def __init__(self):
        self.theta, self.grad, self.seen, self.valid_noise = np.zeros(2), np.zeros(2), [], []

    def accept(self, X, name="X"):
        return (X,)

    def config(self):
        return {}

    def forward_backward(self, x, *, rng):
        self.seen.append(x[:, 0].copy())
        return Terms(x.mean(), (x**2).mean())

    def evaluate(self, x, *, rng):
        self.valid_noise.append(rng.random())
        return Terms(x.mean(), (x**2).mean())


def check_epochs(n, batch_size, epochs=3):
    """Every example once an epoch, in a new order; full batches but the last; averages over examples, not batches."""
    X, model = np.random.default_rng(n).standard_normal((n, 1)) + np.arange(n)[:, None], Witness()
    valid = X[: n // 2 + 1] - 1
    history = training.fit(model, X, epochs=epochs, batch_size=batch_size, rng=np.random.default_rng(n), valid=valid)
    per_epoch = -(-n // batch_size)
    assert len(model.seen) == epochs * per_epoch
    orders = []
    for epoch in range(epochs):
        batches = model.seen[epoch * per_epoch:(epoch + 1) * per_epoch]
        assert [len(b) for b in batches[:-1]] == [batch_size] * (per_epoch - 1)
        orders.append(np.concatenate(batches))
        np.testing.assert_array_equal(np.sort(orders[-1]), np.sort(X[:, 0]))
    assert n < 20 or not np.array_equal(orders[0], orders[1])
    for values, data in ((history.train, X), (history.valid, valid)):
        assert list(values) == ["loss", "square"]
        np.testing.assert_allclose(values["loss"], np.full(epochs, data.mean()), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(values["square"], np.full(epochs, (data**2).mean()), rtol=1e-12)
    assert len(set(model.valid_noise)) == 1  # the same noise at every validation


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 45))
def test_epochs(n, batch_size):
    check_epochs(n, batch_size)


def test_batches_hold_64_examples_by_default():
    model = Witness()
    training.fit(model, np.arange(130.0)[:, None], epochs=1, rng=np.random.default_rng(0))
    assert [len(batch) for batch in model.seen] == [64, 64, 2]


@pytest.mark.parametrize("given", [sv.EarlyStopping(), [3], [sv.Progress(), "often"], [sv.Progress], [sv.EarlyStopping]])
def test_callbacks_that_are_none_are_refused_before_anything_is_changed(given):
    model = new_vae()
    before = model.theta.copy()
    with pytest.raises(TypeError, match="^callbacks: want a list"):
        training.fit(model, binary(), epochs=1, rng=np.random.default_rng(0), callbacks=given)
    assert np.array_equal(model.theta, before)


def test_zero_epochs_change_nothing():
    model = new_vae()
    before = model.theta.copy()
    history = training.fit(model, binary(), epochs=0, rng=np.random.default_rng(0))
    assert history.train == {} and history.valid == {} and np.array_equal(model.theta, before)


def test_training_lowers_the_loss_and_history_is_in_nats_per_example():
    model = new_vae()
    history = training.fit(model, binary(400), epochs=30, optimizer=sv.Adam(1e-2), rng=np.random.default_rng(0))
    assert list(history.train) == ["loss", "elbo", "reconstruction", "kl"]
    assert history.train["loss"][-1] < history.train["loss"][0] - 1
    np.testing.assert_allclose(history.train["loss"], -history.train["elbo"], rtol=1e-5)
    np.testing.assert_allclose(history.train["elbo"], history.train["reconstruction"] - history.train["kl"], rtol=1e-5)


def check_validation_draws_nothing(bits=np.random.PCG64):
    """Watched or not, training has the same bits and leaves the generator in the same state."""
    plain, watched = new_vae(), new_vae()
    rng, other = np.random.Generator(bits(3)), np.random.Generator(bits(3))
    training.fit(watched, binary(), epochs=4, rng=rng, valid=binary(17, seed=5))
    training.fit(plain, binary(), epochs=4, rng=other)
    assert np.array_equal(plain.theta, watched.theta)
    assert repr(rng.bit_generator.state) == repr(other.bit_generator.state)


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_validation_draws_nothing(bits):
    check_validation_draws_nothing(bits)


def test_the_validation_noise_follows_from_the_generator():
    seeds = [training.Run(None, None, np.random.default_rng(seed), 1, [], True).valid_seed for seed in (3, 3, 4)]
    assert seeds[0] == seeds[1] != seeds[2]


def test_validation_uses_the_models_terms():
    model, valid = new_vae(dtype=np.float64), binary(17, seed=5)
    history = training.fit(model, binary(), epochs=2, rng=np.random.default_rng(3), valid=valid)
    seed = training.Run(model, None, np.random.default_rng(3), 2, [], True).valid_seed
    want = model.elbo(valid, rng=np.random.default_rng(seed))
    np.testing.assert_allclose([history.valid[name][-1] for name in ("elbo", "reconstruction", "kl")],
                               [part.mean() for part in want], rtol=1e-12)


# ---- the data -------------------------------------------------------------------------------------------------

def test_data_of_the_models_dtype_is_not_copied():
    X = binary(20000, 100)
    model = new_vae(d=100)
    assert np.shares_memory(model.accept(X)[0], X)
    tracemalloc.start()
    training.fit(model, X, epochs=1, rng=np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert X.nbytes == 8_000_000 and peak < 0.6 * X.nbytes, peak


@pytest.mark.parametrize("dtype", [np.float64, np.int64, bool, np.uint8])
def test_data_of_another_dtype_is_converted_once(dtype, monkeypatch):
    shown = []
    forward_backward = sv.VAE.forward_backward
    monkeypatch.setattr(sv.VAE, "forward_backward", lambda self, x, **how: (
        shown.append(x.dtype), forward_backward(self, x, **how))[1])
    other, same = new_vae(), new_vae()
    training.fit(other, binary().astype(dtype), epochs=2, rng=np.random.default_rng(0))
    assert set(shown) == {np.dtype(np.float32)}
    training.fit(same, binary(), epochs=2, rng=np.random.default_rng(0))
    assert np.array_equal(other.theta, same.theta)


def test_data_is_left_as_it_was():
    X, valid = binary(), binary(17, seed=5)
    X.flags.writeable = valid.flags.writeable = False
    training.fit(new_vae(), X, epochs=2, rng=np.random.default_rng(0), valid=valid)


BAD_DATA = {
    "NaN": np.where(np.arange(N * D).reshape(N, D) == 77, np.nan, binary()), "empty": np.zeros((0, D)),
    "wrong width": binary(d=D + 1), "grey": np.full((N, D), 0.5), "a vector": np.zeros(D),
}


@pytest.mark.parametrize("data", BAD_DATA.values(), ids=BAD_DATA)
@pytest.mark.parametrize("argument", ["X", "valid"])
def test_bad_data_is_refused_by_name(argument, data):
    model, rng = new_vae(), np.random.default_rng(0)
    before, state = model.theta.copy(), rng.bit_generator.state
    X, valid = (data, None) if argument == "X" else (binary(), data)
    with pytest.raises(ValueError, match=f"^{argument}: "):
        training.fit(model, X, epochs=1, rng=rng, valid=valid)
    assert np.array_equal(model.theta, before) and rng.bit_generator.state == state


@pytest.mark.parametrize("how, name", [
    ({"epochs": -1}, "epochs"), ({"epochs": 1.5}, "epochs"), ({"batch_size": 0}, "batch_size"),
    ({"batch_size": True}, "batch_size"), ({"rng": 0}, "rng"), ({"rng": None}, "rng")])
def test_bad_arguments_are_refused_by_name(how, name):
    model = new_vae()
    before = model.theta.copy()
    with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
        training.fit(model, binary(), **{"epochs": 1, "rng": np.random.default_rng(0), **how})
    assert np.array_equal(model.theta, before)


def test_labels_for_a_model_that_takes_none_are_refused():
    for labels, valid in ((np.zeros(N, int), None), (None, (binary(), np.zeros(N, int)))):
        with pytest.raises(TypeError):
            training.fit(new_vae(), binary(), labels, epochs=1, rng=np.random.default_rng(0), valid=valid)


# ---- divergence -----------------------------------------------------------------------------------------------

def check_divergence(lr, dtype, valid=False, batch_size=16, **how):
    model = sv.VAE(D, hidden=(9,), n_latent=3, rng=np.random.default_rng(0), dtype=dtype, **how)
    X = np.random.default_rng(1).standard_normal((N, D)) if "observation" in how else binary()
    with pytest.raises(FloatingPointError) as caught:
        training.fit(model, X, epochs=100, batch_size=batch_size, optimizer=sv.SGD(lr), rng=np.random.default_rng(0),
                     valid=X[:9] if valid else None)
    found = re.search(r"epoch (\d+), (batch \d+|validation); first tensor that is not finite: (.+);", str(caught.value))
    assert found, caught.value
    epoch, where, tensor = int(found[1]), found[2], found[3]
    assert 1 <= epoch <= 100 and where in ["batch 1", "batch 2", "batch 3", "batch 4", *["validation"] * valid]
    names = list(model.named_parameters())
    assert tensor in [*names, *(f"gradient of {name}" for name in names), "the loss alone"]


@pytest.mark.parametrize("valid, batch_size", [(False, 16), (True, 16), (True, 61)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lr", [1e3, 1e10])
@pytest.mark.parametrize("how", [{}, {"observation": sv.Gaussian(0.1)}], ids=["Bernoulli", "Gaussian"])
def test_divergence(lr, dtype, how, valid, batch_size):
    check_divergence(lr, dtype, valid, batch_size, **how)


def test_divergence_seen_by_validation_alone():
    class Overfull(Witness):
        named_parameters = dict

        def evaluate(self, x, *, rng):
            return Terms(np.float32(3e38) * np.float32(10), 0)  # overflows, as a diverging network's forward does

    with pytest.raises(FloatingPointError, match="the loss is inf at epoch 1, validation; .*: the loss alone"):
        training.fit(Overfull(), np.ones((3, 1)), epochs=1, rng=np.random.default_rng(0), valid=np.ones((2, 1)))


@pytest.mark.parametrize("place, named", list(enumerate(["gradient of " + name for name in "aabccc"])))
def test_divergence_names_the_gradient_that_is_not_finite(place, named):
    class Undefined(Witness):
        """One number of its gradient is NaN, and so is its loss."""

        def __init__(self):
            super().__init__()
            self.theta, self.grad = np.zeros(6), np.zeros(6)

        def named_parameters(self):
            return {"a": self.theta[:2], "b": self.theta[2:3], "c": self.theta[3:]}

        def forward_backward(self, x, *, rng):
            self.grad[place] = np.nan
            return Terms(np.nan, 0)

    with pytest.raises(FloatingPointError, match=f"first tensor that is not finite: {named};"):
        training.fit(Undefined(), np.ones((3, 1)), epochs=1, rng=np.random.default_rng(0))


@pytest.mark.parametrize("n_batches", [1, 3])
def test_divergence_in_the_last_step_of_an_epoch_is_found_in_it(n_batches):
    class Exploding(Witness):
        """Its gradient, finite until then, turns infinite in the last batch."""

        def named_parameters(self):
            return {"a": self.theta[:1], "b": self.theta[1:]}

        def forward_backward(self, x, *, rng):
            terms = super().forward_backward(x, rng=rng)
            self.grad[1] = np.inf if len(self.seen) == n_batches else 1
            return terms

    with pytest.raises(FloatingPointError, match=f"epoch 1, batch {n_batches}; first tensor that is not finite: b;"):
        training.fit(Exploding(), np.ones((n_batches, 1)), epochs=1, batch_size=1, optimizer=sv.SGD(1.0),
                     rng=np.random.default_rng(0))


def test_a_gradient_whose_square_overflows_is_no_silent_standstill():
    """In float32 Adam's v turns infinite, every step is 0 from then on, and loss and theta stay finite."""
    X = np.random.default_rng(1).standard_normal((40, 5))
    model = sv.Autoencoder(5, hidden=(), n_latent=2, observation=sv.Gaussian(1e-20), rng=np.random.default_rng(0))
    with pytest.raises(FloatingPointError, match="epoch 1, .* first tensor that is not finite: optimizer.v; .* smaller scale"):
        training.fit(model, X, epochs=5, rng=np.random.default_rng(0))


# ---- interruptions --------------------------------------------------------------------------------------------

def check_resume(path, interrupt, patience=20, lr=5e-3):
    """Interrupted after `interrupt` epochs, then continued with fresh objects: bit for bit the undisturbed run."""
    want = run_once(patience=patience, lr=lr)
    assert run_once(path, interrupt=interrupt, patience=patience, lr=lr) is None and path.exists()
    check_same(run_once(path, patience=patience, lr=lr), want)
    check_same(run_once(path, patience=patience, lr=lr), want)  # a finished run is only read back


@pytest.mark.parametrize("interrupt", [1, 4, 8])
def test_resume(tmp_path, interrupt):
    check_resume(tmp_path / "run.npz", interrupt)


def test_the_checkpoint_itself_changes_nothing(tmp_path):
    check_same(run_once(tmp_path / "run.npz"), run_once())


def test_resume_after_early_stopping_ended_the_run(tmp_path):
    path = tmp_path / "run.npz"
    want = run_once(path, epochs=60, patience=1, lr=0.5)
    assert len(want["train.loss"]) < 60  # it did stop early
    content = path.read_bytes()
    check_same(run_once(path, epochs=60, patience=1, lr=0.5), want)
    assert path.read_bytes() == content


@pytest.mark.parametrize("optimizer", [lambda: sv.SGD(1e-3, momentum=0.9), lambda: sv.Adam(1e-3, weight_decay=0.01)])
def test_resume_with_another_optimizer(tmp_path, optimizer):
    path = tmp_path / "run.npz"
    assert run_once(path, interrupt=4, optimizer=optimizer()) is None
    check_same(run_once(path, optimizer=optimizer()), run_once(optimizer=optimizer()))


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.Philox, np.random.SFC64, np.random.PCG64DXSM])
def test_resume_with_any_generator(tmp_path, bits):
    path, thetas = tmp_path / "run.npz", []
    for epochs, checkpoint in ((4, None), (2, path), (4, path)):
        model = new_vae()
        training.fit(model, binary(), epochs=epochs, rng=np.random.Generator(bits(5)), checkpoint=checkpoint)
        thetas.append(model.theta)
    assert np.array_equal(thetas[0], thetas[2]) and not np.array_equal(thetas[0], thetas[1])


def start_run(path, **how):
    """`run_once(path, ...)` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    code = f"import test_training; test_training.run_once({str(path)!r}, **{how!r})"
    return subprocess.Popen([sys.executable, "-c", code], env=environment)


def test_resume_in_another_process(tmp_path):
    path = tmp_path / "run.npz"
    assert run_once(path, interrupt=4) is None
    assert start_run(path).wait(60) == 0
    content = path.read_bytes()
    check_same(run_once(path), run_once())  # the other process finished it
    assert path.read_bytes() == content


# ---- a checkpoint of another run ------------------------------------------------------------------------------

OTHERS = {  # what is different in the other run -> what the message must say
    "config": {"model": lambda: sv.VAE(D, hidden=(8,), n_latent=3, n_samples=2, rng=np.random.default_rng(0))},
    "class": {"model": lambda: sv.Autoencoder(D, hidden=(9,), n_latent=3, rng=np.random.default_rng(0))},
    "optimizer": {"optimizer": lambda: sv.SGD(1e-3)},
    "batch_size": {"batch_size": 8},
    "n_examples": {"X": binary(N + 1)},
    "callbacks": {"callbacks": lambda: [print]},
    "Generator": {"bits": np.random.MT19937},
}


def fit_variant(path, model=new_vae, optimizer=sv.Adam, batch_size=16, X=binary(), callbacks=list, bits=np.random.PCG64,
                valid=None):
    """Train or continue; returns the end state. A refusal leaves model, optimizer and generator as they were."""
    model, optimizer, rng = model(), optimizer(), np.random.Generator(bits(0))

    def state():
        return model.theta.tobytes(), sorted(optimizer.state()), optimizer.t, repr(rng.bit_generator.state)

    before = state()
    try:
        training.fit(model, X, epochs=2, batch_size=batch_size, optimizer=optimizer, rng=rng,
                     callbacks=callbacks(), checkpoint=path, valid=valid)
    except BaseException:
        assert state() == before
        raise
    return state()


@pytest.mark.parametrize("what", OTHERS)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, what):
    path = tmp_path / "run.npz"
    fit_variant(path)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}: checkpoint of another run.*") as caught:
        fit_variant(path, **OTHERS[what])
    assert what == "Generator" or f"its {what}" in str(caught.value)
    assert path.read_bytes() == content


def test_a_checkpoint_with_or_without_validation_is_refused_to_the_other(tmp_path):
    for had, has in ((None, binary(17)), (binary(17), None)):
        path = tmp_path / f"{had is None}.npz"
        fit_variant(path, valid=had)
        with pytest.raises(ValueError, match=re.escape(str(path))):
            fit_variant(path, valid=has)


def test_a_saved_model_is_not_a_checkpoint(tmp_path):
    path = tmp_path / "model.npz"
    sv.save(new_vae(), path)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        fit_variant(path)


@pytest.mark.parametrize("change", [
    {"optimizer.m": np.zeros(3, np.float32)}, {"optimizer.v": None}, {"optimizer.t": np.array("x")},
    {"callback0.best_theta": None}, {"theta": np.zeros(3, np.float32)}, {"theta": None},
    {"rng": "{}"}, {"rng": "no json"}, {"rng": 3}, {"epoch": None}, {"epoch": "x"}, {"valid_seed": None},
    {"class": "IWAE"}],
    ids=str)
def test_a_checkpoint_with_a_part_missing_or_wrong_is_refused(tmp_path, change):
    path = tmp_path / "run.npz"
    fit_variant(path, callbacks=lambda: [sv.EarlyStopping()], valid=binary(17))
    header, arrays = read_arrays(path)
    for name, value in change.items():
        part = arrays if name in arrays else header
        part.pop(name)
        if value is not None:
            part[name] = value
    write_arrays(path, header, arrays)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=re.escape(str(path))):
        fit_variant(path, callbacks=lambda: [sv.EarlyStopping()], valid=binary(17))
    assert path.read_bytes() == content


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("optimizer, moment", [(sv.Adam, "m"), (sv.Adam, "v"), (lambda: sv.SGD(0.01, 0.9), "v")])
def test_a_checkpoint_whose_moments_are_not_numbers_is_refused(tmp_path, optimizer, moment, bad):
    def run(epochs):
        model = sv.VAE(D, hidden=(), n_latent=2, rng=np.random.default_rng(0))
        return model, sv.fit(model, binary(), epochs=epochs, optimizer=optimizer(), rng=np.random.default_rng(1),
                             checkpoint=tmp_path / "run.npz")

    run(2)
    header, arrays = read_arrays(tmp_path / "run.npz")
    arrays[f"optimizer.{moment}"][5] = bad
    write_arrays(tmp_path / "run.npz", header, arrays)
    with pytest.raises(ValueError, match=f"run.npz: .*optimizer.{moment}: contains NaN or infinity"):
        run(3)


def check_flipped_checkpoint(path, n=100):
    """A flipped bit or a cut end is refused, or was in a place without meaning: no run continues from another state."""
    want = fit_variant(path)
    content, places, refused = path.read_bytes(), random.Random(0), 0
    for i in range(n):
        place, bit = places.randrange(len(content)), places.randrange(8)
        flipped = content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1:]
        path.write_bytes(flipped if i % 4 else content[:place])
        try:
            assert fit_variant(path) == want
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 0.8 * n


def test_flipped_checkpoint(tmp_path):
    check_flipped_checkpoint(tmp_path / "run.npz")


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_checkpoint(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.npz")
        path.write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(str(path))):
            fit_variant(path)
        assert path.read_bytes() == content


def test_a_failed_checkpoint_says_so_and_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    run_once(path, interrupt=4)
    content = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=re.escape(str(path))):
        run_once(path)
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    check_same(run_once(path), run_once())


def test_valid_may_be_x_alone_or_a_tuple_of_it_and_no_more_than_it_and_labels():
    X = sv.binarize(sv.load_digits()[0][:20])
    classifier = sv.Classifier(64, hidden=(), n_classes=2, rng=np.random.default_rng(0))
    histories = [sv.fit(sv.VAE(64, hidden=(), n_latent=2, rng=np.random.default_rng(0)), X, epochs=1, valid=valid,
                        rng=np.random.default_rng(0)).valid for valid in (X, (X,))]
    np.testing.assert_equal(*histories)
    labels = np.arange(20) % 2
    for valid in ((), (X, labels, X)):
        with pytest.raises(TypeError, match="valid: want X or "):
            sv.fit(classifier, X, labels, epochs=1, valid=valid, rng=np.random.default_rng(0))


@pytest.mark.parametrize("copied", [deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("make", [
    lambda rng: sv.VAE(64, hidden=(8,), n_latent=2, rng=rng), lambda rng: sv.MADE(64, hidden=(8,), n_orders=2, rng=rng),
    lambda rng: sv.VAE(64, hidden=(), n_latent=2, observation=sv.Gaussian("shared"), rng=rng)])
def test_a_copy_learns_like_the_original(make, copied):
    """A copy's layers hold views into the copy's theta, not into arrays that nobody trains."""
    X = sv.binarize(sv.load_digits()[0][:50])
    model = make(np.random.default_rng(0))
    other = copied(model)
    for each in (model, other):
        sv.fit(each, X, epochs=2, batch_size=16, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(other.theta, model.theta)
    assert all(np.shares_memory(view, other.theta) for view in other.named_parameters().values())


@pytest.mark.parametrize("change", [
    {"callback0.best_theta": np.full(3, 7.0, np.float32)}, {"callback0.best_theta": np.full(1, np.nan, np.float32)},
    {"train.loss": np.array(["a"])}, {"train.loss": np.zeros(7)}, {"epoch": -5}, {"stop": "no"}, {"theta": np.zeros(3)}])
def test_a_checkpoint_of_other_contents_is_refused_and_callbacks_stay_as_they_were(tmp_path, change):
    X = sv.binarize(sv.load_digits()[0][:40]).astype(np.float32)

    def run(epochs, stopping):
        model = sv.VAE(64, hidden=(), n_latent=2, rng=np.random.default_rng(0))
        return sv.fit(model, X, epochs=epochs, valid=X, rng=np.random.default_rng(1), callbacks=[stopping],
                      checkpoint=tmp_path / "run.npz")

    run(2, sv.EarlyStopping(5))
    header, arrays = read_arrays(tmp_path / "run.npz")
    for name, value in change.items():
        (header if name in header else arrays)[name] = value
    write_arrays(tmp_path / "run.npz", header, arrays)
    stopping = sv.EarlyStopping(5)
    before = dict(vars(stopping))
    with pytest.raises(ValueError, match="checkpoint"):
        run(3, stopping)
    if "callback0.best_theta" not in change:
        assert vars(stopping) == before


def test_a_checkpoint_in_no_folder_is_refused_before_training(tmp_path):
    model = sv.VAE(64, hidden=(), n_latent=2, rng=np.random.default_rng(0))
    theta = model.theta.copy()
    for path in (tmp_path / "none" / "run.npz", "a\0b", "."):
        with pytest.raises(ValueError, match="^checkpoint: "):
            sv.fit(model, np.ones((4, 64)), epochs=1, rng=np.random.default_rng(0), checkpoint=path)
    np.testing.assert_array_equal(model.theta, theta)


# ---- a checkpoint says what it is of ------------------------------------------------------------------------------

def continued(path, epochs=4, *, X=None, labels=None, valid=None, callbacks=(), model=None, batch_size=16):
    model = model or new_vae()
    data = (binary() if X is None else X,) if labels is None else (X, labels)
    history = training.fit(model, *data, epochs=epochs, batch_size=batch_size, rng=np.random.default_rng(7),
                           valid=valid, callbacks=list(callbacks), checkpoint=path)
    return model.theta.copy(), history


def test_folds_of_a_cross_validation_are_told_apart(tmp_path):
    """As many rows, other rows: another run; also one number that differs, another order, other labels."""
    path, X = tmp_path / "run.npz", binary()
    want, _ = continued(path)
    last_bit = X.copy()
    last_bit[-1, -1] = 1 - last_bit[-1, -1]
    for other in (binary(seed=1), last_bit, X[::-1]):
        with pytest.raises(ValueError, match=f"{re.escape(str(path))}: .* of another run: its data's fingerprint is"):
            continued(path, X=other)
    for same in (X.astype(np.float64), np.asfortranarray(X), X.astype(bool), X.tolist()):
        np.testing.assert_array_equal(continued(path, X=same)[0], want)


def test_other_labels_and_other_validation_data_are_told_apart(tmp_path):
    X, labels = binary(), np.arange(N) % 3

    def run(labels=labels, valid=labels):
        return continued(tmp_path / "run.npz", 2, X=X, labels=labels, valid=(X, valid),
                         model=sv.Classifier(D, (4,), 3, rng=np.random.default_rng(0)))

    run()
    for change in ("labels", "valid"):
        with pytest.raises(ValueError, match=("data" if change == "labels" else "valid") + "'s fingerprint is"):
            run(**{change: labels[::-1]})
    run()


def check_continued_is_undisturbed(path, first, then):
    """Continued with other arguments, a run is bit for bit the one that had them from its start."""
    want = continued(None, **then())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* stays unfinished: ")  # its schedule ends in the second part
        continued(path, **first())
    got = continued(path, **then())
    np.testing.assert_array_equal(got[0], want[0])
    check_same(got[1].train | got[1].valid, want[1].train | want[1].valid)


def test_a_finished_run_is_continued_to_more_epochs(tmp_path):
    check_continued_is_undisturbed(tmp_path / "run.npz", lambda: {"epochs": 3}, lambda: {"epochs": 8})
    check_continued_is_undisturbed(
        tmp_path / "warm.npz", *(lambda n=n: {"epochs": n, "valid": binary(17, seed=5), "callbacks": [
            sv.KLWarmup(5), sv.EarlyStopping(9)]} for n in (3, 8)))


@pytest.mark.parametrize("change", [
    lambda run: setattr(run.optimizer, "lr", 0.7 * run.optimizer.lr), lambda run: setattr(run.model, "beta", 1 / (1 + run.epoch)),
    lambda run: setattr(run.optimizer, "lr", 1e-2 / (1 + run.epoch))], ids=["lr, by steps", "beta", "lr"])
@pytest.mark.parametrize("more", [list, lambda: [sv.EarlyStopping(9), Slow()]])
def test_what_a_function_did_to_the_learning_rate_and_to_beta_lasts_over_a_restart(tmp_path, change, more):
    check_continued_is_undisturbed(tmp_path / "run.npz", *(
        lambda n=n: {"epochs": n, "valid": binary(17, seed=5), "callbacks": [change, *more()]} for n in (3, 8)))


def test_what_a_function_did_is_not_taken_for_where_a_schedule_begins(tmp_path):
    class Halving(sv.Callback):
        def begin(self, run):
            self.lr = run.optimizer.lr

        def epoch_begin(self, run):
            run.optimizer.lr = self.lr / 2**run.epoch

    spoil = lambda run: setattr(run.optimizer, "lr", 1e-9)
    for n, schedule in enumerate((Halving, lambda: sv.StepDecay((1, 2, 5)))):
        check_continued_is_undisturbed(tmp_path / f"{n}.npz", *(
            lambda n=n: {"epochs": n, "callbacks": [spoil, schedule()]} for n in (3, 8)))


def stopped(patience, epochs=12, values=(5, 4, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6)):
    """A run whose validation loss is a script, stopped early."""
    def script(run):
        run.history.valid["loss"][-1] = values[run.epoch - 1]

    return {"epochs": epochs, "valid": binary(17, seed=5), "callbacks": [script, sv.EarlyStopping(patience)]}


def test_a_stopped_run_goes_on_with_more_patience(tmp_path):
    path = tmp_path / "run.npz"
    assert len(continued(None, **stopped(2))[1].train["loss"]) == 5
    assert len(continued(None, **stopped(5))[1].train["loss"]) == 12
    check_continued_is_undisturbed(path, lambda: stopped(2), lambda: stopped(5))
    check_continued_is_undisturbed(tmp_path / "3.npz", lambda: stopped(2), lambda: stopped(3))
    with pytest.raises(ValueError, match="patience: that run had 5, want as much or more, got 4"):
        continued(path, **stopped(4))


def test_a_run_that_something_else_stopped_stays_so_with_more_patience(tmp_path):
    def stop(run):
        run.stop = run.epoch == 5

    for first, then in ((2, 4), (9, 12)):
        path = tmp_path / f"{first}.npz"
        for patience in (first, then):
            how = stopped(patience)
            how["callbacks"] = [*how["callbacks"][:1], stop, *how["callbacks"][1:]]
            assert len(continued(path, **how)[1].train["loss"]) == 5


def test_two_early_stoppings_each_have_their_say_again(tmp_path):
    for order in (1, -1):
        path = tmp_path / f"{order}.npz"
        for patiences, epochs in (((2, 2), 5), ((9, 2), 5), ((9, 3), 6), ((9, 9), 12)):
            how = stopped(1)
            how["callbacks"] = [*how["callbacks"][:1], *[sv.EarlyStopping(p) for p in patiences][::order]]
            assert len(continued(path, **how)[1].train["loss"]) == epochs, (order, patiences)


@pytest.mark.parametrize("first, then, words", [
    ({"epochs": 4}, {"epochs": 3}, "epochs: that run has done 4 already, want as many or more, got 3"),
    ({"epochs": 4}, {"epochs": 0}, "epochs: that run has done 4 already"),
    ({"callbacks": lambda: [sv.KLWarmup(3)]}, {"callbacks": lambda: [sv.KLWarmup(4)]},
     r"its callbacks\[0\], KLWarmup, epochs is 3, this one's 4"),
    ({"callbacks": lambda: [sv.KLWarmup(3)]}, {}, r"its callbacks is \['KLWarmup'\], this one's \[\]"),
    ({"callbacks": lambda: [sv.LearningRateDecay()]}, {"callbacks": lambda: [sv.LearningRateDecay()], "epochs": 8},
     r"its callbacks\[0\], LearningRateDecay, epochs is 4, this one's 8"),
    ({"callbacks": lambda: [sv.LearningRateDecay(0.5)]}, {"callbacks": lambda: [sv.LearningRateDecay(0.6)]},
     r"LearningRateDecay, start is 0.5, this one's 0.6"),
    ({"callbacks": lambda: [sv.EarlyStopping(9)]}, {"callbacks": lambda: [sv.EarlyStopping(9, "elbo")]},
     r"EarlyStopping, monitor is loss, this one's elbo"),
    ({"callbacks": lambda: [print]}, {"callbacks": lambda: [repr]}, r"Function, function is print, this one's repr"),
    ({"model": lambda: new_vae(beta=1.0)}, {"model": lambda: new_vae(beta=2.0)}, "its config, beta is 1.0, this one's 2.0$"),
    ({"model": lambda: new_vae(observation=sv.Bernoulli())}, {"model": lambda: new_vae(observation=sv.Gaussian(1.0))},
     "its config, observation is \\['Bernoulli', {}\\], this one's \\['Gaussian', {[^}]*}\\]$")])
def test_another_run_is_refused_and_told_what_differs(tmp_path, first, then, words, capfd):
    path = tmp_path / "run.npz"

    def run(how):
        how = {key: value() if callable(value) else value for key, value in how.items()}
        return continued(path, valid=binary(17, seed=5), **how)

    run(first)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}: checkpoint of another run.*{words}"):
        run(then)
    assert path.read_bytes() == content
    run(first)


# ---- a run that goes on with other settings, on purpose ---------------------------------------------------------------

def go_on(path, lr=1e-2, batch_size=16, epochs=6, clip_norm=None, changed=(), decay=False, **how):
    model, optimizer = new_vae(), sv.Adam(lr, **how)
    history = training.fit(model, binary(), epochs=epochs, batch_size=batch_size, optimizer=optimizer, clip_norm=clip_norm,
                           rng=np.random.default_rng(7), checkpoint=path, changed=changed,
                           callbacks=[sv.LearningRateDecay()] if decay else [])
    return model.theta, history


CHANGES = [({"lr": 1e-3}, "lr", "optimizer, Adam, lr from 0.01 to 0.001"), ({"batch_size": 8}, "batch_size", "batch_size from 16 to 8"),
           ({"clip_norm": 0.5}, "clip_norm", "clip_norm from None to 0.5"),
           ({"weight_decay": 0.1}, "weight_decay", "optimizer, Adam, weight_decay from 0.0 to 0.1"),
           ({"epochs": 9, "decay": True}, "epochs", "callbacks[0], LearningRateDecay, epochs from 3 to 9")]


@pytest.mark.parametrize("how, name, words", CHANGES, ids=[name for _, name, _ in CHANGES])
def test_a_setting_is_changed_on_purpose_and_the_history_says_so(tmp_path, how, name, words):
    path, before = tmp_path / "run.npz", {"decay": how.get("decay", False)}
    go_on(path, epochs=3, **before)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=rf"another run: its .*; to go on so on purpose: changed=\['{name}'\]"):
        go_on(path, **how)
    assert path.read_bytes() == content
    theta, history = go_on(path, changed=[name], **how)
    assert history.changes == [f"{words} after epoch 3"] and words in repr(history)
    assert not np.array_equal(theta, go_on(None, **before)[0]) and len(history.train["loss"]) == how.get("epochs", 6)
    for changed in ([name], []):  # the file is of the new run now: the same call again goes on with it, silently
        again, later = go_on(path, changed=changed, **how)
        assert np.array_equal(again, theta) and later.changes == history.changes


def test_the_first_epochs_are_the_old_run_s_and_the_later_ones_as_if_by_hand(tmp_path):
    """With lr changed after epoch 3: as with a callback that changes it then."""
    path = tmp_path / "run.npz"
    go_on(path, epochs=3)
    theta, history = go_on(path, lr=2e-3, changed=("lr",))
    model = new_vae()

    def lower(run):
        run.optimizer.lr = 2e-3 if run.epoch >= 3 else 1e-2

    want = training.fit(model, binary(), epochs=6, batch_size=16, optimizer=sv.Adam(1e-2), rng=np.random.default_rng(7),
                        callbacks=[lower])
    assert np.array_equal(theta, model.theta) and np.array_equal(history.train["loss"], want.train["loss"])


def test_only_settings_can_be_changed_and_only_those_that_are_named(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.raises(ValueError, match="^changed: want nothing without a checkpoint"):
        go_on(None, changed=["lr"])
    for bad in ("lr", 3, None):
        with pytest.raises(TypeError, match="^changed: want a list"):
            go_on(path, changed=bad)
    for bad in ("learning_rate", "config", "data's fingerprint", "n_examples", 3):
        with pytest.raises(ValueError, match="^changed: want one of .*batch_size.*clip_norm.*lr"):
            go_on(path, changed=[bad])
    go_on(path, epochs=3)
    with pytest.raises(ValueError, match="its batch_size is 16, this one's 8"):
        go_on(path, lr=1e-3, batch_size=8, changed=["lr"])
    assert go_on(path, lr=1e-3, batch_size=8, changed=["lr", "batch_size"])[1].changes == [
        "batch_size from 16 to 8 after epoch 3", "optimizer, Adam, lr from 0.01 to 0.001 after epoch 3"]


class Keeper(sv.Callback):
    """Remembers something that is no array of numbers."""

    def __init__(self, kept):
        self.kept = kept

    def state(self):
        return self.kept


@pytest.mark.parametrize("kept", [
    {"best": None}, {"best": print}, {"best": [1, None]}, {"best": np.array([{}])}, None, 3])
def test_a_callback_that_remembers_an_object_is_refused_by_name_and_nothing_is_pickled(tmp_path, kept):
    path = tmp_path / "run.npz"
    with pytest.raises(TypeError, match=r"^callbacks\[1\]: want arrays of numbers or texts by name from Keeper.state"):
        continued(path, callbacks=[sv.KLWarmup(3), Keeper(kept)])
    assert not list(tmp_path.iterdir())


def test_settings_that_no_file_can_hold_are_refused_before_training(tmp_path):
    class Odd(sv.Callback):
        def settings(self, run):
            return {"rate": np.float32(1)}

    model = new_vae()
    with pytest.raises(TypeError, match=r"^callbacks: want `settings` that JSON can hold.*callbacks\[0\], Odd, rate"):
        continued(tmp_path / "run.npz", model=model, callbacks=[Odd()])
    assert model.history is None


def test_a_callback_may_remember_texts_and_numbers(tmp_path):
    for epochs in (2, 3):
        continued(tmp_path / "run.npz", epochs, callbacks=[Keeper({"name": "best", "n": 3, "list": [1.0, 2.0]})])


def test_the_history_is_on_the_model_after_an_interrupt_and_a_failure(tmp_path):
    for failure in (KeyboardInterrupt, RuntimeError):
        model = new_vae()

        def fail(run):
            if run.epoch == 3:
                raise failure

        with pytest.raises(failure):
            continued(None, 9, model=model, valid=binary(17, seed=5), callbacks=[fail])
        assert len(model.history.train["loss"]) == len(model.history.valid["loss"]) == 3
    last = continued(None, 2, model=model)[1]
    assert model.history is last
    assert deepcopy(model).history.train["loss"].shape == (2,)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX links")
def test_a_checkpoint_through_a_symbolic_link_leaves_the_link(tmp_path):
    (tmp_path / "real").mkdir()
    link, real = tmp_path / "run.npz", tmp_path / "real" / "run.npz"
    link.symlink_to(real)  # there is nothing yet
    continued(link, 2)
    assert link.is_symlink() and real.is_file()
    continued(link, 4)
    np.testing.assert_array_equal(continued(real, 4)[0], continued(None, 4)[0])
