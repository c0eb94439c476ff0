"""Do two threads, each with half of the batch, take the step that one would take?"""
import copy
import gc
import os
import pickle
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

import scratchvae as sv
from scratchvae.nn import halves, optimizers, threads
from scratchvae.nn.layers import Tanh
from scratchvae.nn.threads import by_two

D, K, WHOLE = 7, 2, 1 << 62


@contextmanager
def two_threads(large=1):
    """A BLAS of two threads, for which a step of `large` multiply-adds is a large one."""
    number = [2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "blas", lambda: (lambda: number[0], lambda n: number.__setitem__(0, n)))
        patch.setattr(threads, "LARGE", large)
        yield
    assert number == [2]


@pytest.fixture(autouse=True)
def everything_is_large():
    with two_threads():
        yield


def rng(seed=0):
    return np.random.default_rng(seed)


def data(N=9):
    return (rng(1).random((N, D)) < 0.4).astype(np.float64), rng(2).integers(0, 3, N)


MODELS = {
    "vae": (sv.VAE, {}, False), "three samples": (sv.VAE, {"n_samples": 3, "beta": 2.0}, False),
    "diagonal": (sv.VAE, {"observation": sv.Gaussian("diagonal")}, False),
    "conditional": (sv.VAE, {"n_classes": 3}, True), "iwae": (sv.IWAE, {"n_samples": 3}, False),
    "autoencoder": (sv.Autoencoder, {}, False), "denoising": (sv.Autoencoder, {"noise": 0.3}, False),
    "masking": (sv.Autoencoder, {"noise": 0.3, "corruption": "masking"}, False),
}


def new(name, seed=0):
    cls, options, labelled = MODELS[name]
    x, labels = data()
    return cls(D, hidden=(5,), n_latent=K, rng=rng(seed), dtype=np.float64, **options), (x, labels)[:1 + labelled]


def classifier():
    return sv.Classifier(D, hidden=(5,), n_classes=3, rng=rng(), dtype=np.float64), data()


BUILD = {**{name: lambda name=name: new(name) for name in MODELS}, "classifier": classifier}


def check_two_halves(name="three samples", n=9):
    """Terms and gradient of two halves are those of the whole batch."""
    model, batch = BUILD[name]()
    batch, results = tuple(array[:n] for array in batch), []
    for large in (1, WHOLE):
        with two_threads(large):
            results.append((model.forward_backward(*batch, rng=rng(3)), model.grad.copy()))
        assert model in halves.TWINS
    (terms, grad), (of_whole, grad_of_whole) = results
    assert type(terms) is type(of_whole) and terms == pytest.approx(of_whole, rel=1e-12)
    np.testing.assert_allclose(grad, grad_of_whole, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("name", BUILD)
@pytest.mark.parametrize("n", [2, 8, 9])
def test_two_halves_are_the_whole(name, n):
    check_two_halves(name, n)


@pytest.mark.parametrize("name", ["vae", "three samples", "iwae", "conditional"])
def test_given_noise_is_shared_out_by_rows(name, monkeypatch):
    model, batch = new(name)
    eps = model.noise(9, rng(5), model.n_samples)
    terms = model.loss_and_grad(*batch, eps=eps)
    monkeypatch.setattr(threads, "LARGE", WHOLE)
    assert terms == pytest.approx(model.loss_and_grad(*batch, eps=eps), rel=1e-12)


def test_labels_may_be_named():
    model, (x, labels) = new("conditional")
    assert model.forward_backward(x, labels=labels, rng=rng(3)) == model.forward_backward(x, labels, rng=rng(3))


def test_the_gradient_of_two_halves_is_that_of_their_loss():
    model, (x,) = new("vae")
    eps = model.noise(9, rng(4))
    model.forward_backward(x, eps=eps)
    grad = model.grad.copy()
    errors = sv.check_gradient(lambda theta: model.forward_backward(x, eps=eps).loss, model.theta, grad,
                               model.named_parameters())
    assert 0 < max(errors.values()) < 1e-7


@pytest.mark.parametrize("name", BUILD)
def test_training_is_that_of_one_thread_and_the_same_bits_each_time(name, monkeypatch):
    def trained():
        model, batch = BUILD[name]()
        sv.fit(model, *batch, epochs=3, batch_size=4, rng=rng(8), valid=batch if len(batch) > 1 else batch[0],
               callbacks=[sv.KLWarmup(2)] if hasattr(model, "beta") else ())
        return model.theta

    first, second = trained(), trained()
    np.testing.assert_array_equal(first, second)
    monkeypatch.setattr(threads, "LARGE", WHOLE)
    np.testing.assert_allclose(first, trained(), rtol=1e-6, atol=1e-9)


def check_twin_follows():
    """What was changed on the model since its first step, as a warm-up changes beta, holds for both halves."""
    (used, (x,)), (fresh, _) = new("vae"), new("vae")
    eps = used.noise(9, rng(4))
    with two_threads():
        used.forward_backward(x, eps=eps)
        used.beta = fresh.beta = 7.0
        terms = used.forward_backward(x, eps=eps)
        assert terms == fresh.forward_backward(x, eps=eps)
    assert terms.loss == pytest.approx(7 * terms.kl - terms.reconstruction)
    np.testing.assert_array_equal(used.grad, fresh.grad)


def test_the_twin_follows():
    check_twin_follows()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_has_a_twin_of_its_own(copied):
    model, (x,) = new("vae")
    model.forward_backward(x, rng=rng())
    other = copied(model)
    other.theta[:] = 0
    other.forward_backward(x, rng=rng())
    for each in (model, other):
        networks, _ = halves.TWINS[each]
        assert np.shares_memory(networks["encoder"].theta, each.theta)
    assert model.theta.any()


def test_a_model_and_its_twin_are_freed_whatever_leads_back_to_it():
    model, (x,) = new("vae")
    model.shown, model.me = model.decode, model
    model.forward_backward(x, rng=rng())
    assert model in halves.TWINS
    freed = weakref.ref(model)
    del model
    threads.SECOND.submit(int).result()  # it has looked at what was cancelled, too
    gc.collect()
    assert freed() is None


def test_what_an_interrupt_left_of_a_twin_is_made_again(monkeypatch):
    model, (x,) = new("vae")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(halves, "share_out", interrupt)
        model.forward_backward(x, rng=rng())
    terms = model.forward_backward(x, rng=rng())
    assert terms == new("vae")[0].forward_backward(x, rng=rng())


def interrupt(*_):
    raise KeyboardInterrupt


def test_a_checkpoint_continues_bit_for_bit(tmp_path):
    runs = []
    for stops in ([4], [2, 4]):
        for epochs in stops:
            model, (x,) = new("vae")
            sv.fit(model, x, epochs=epochs, batch_size=4, rng=rng(8), checkpoint=tmp_path / str(len(stops)))
        runs.append(model.theta)
    np.testing.assert_array_equal(*runs)


class Together(sv.VAE):
    """Whose loss may be one of the batch, not of each example."""


class Remembers(Tanh):
    """A layer that keeps what it last saw."""


class Buffered(sv.Bernoulli):
    """An observation model that gives out one array again and again."""


def replaced(model):
    layer = model.encoder.layers[0]
    layer.forward = layer.forward
    return model


STRANGERS = {
    "a subclass": lambda: Together(D, hidden=(5,), n_latent=K, rng=rng()),
    "a layer": lambda: sv.VAE(D, hidden=(5,), n_latent=K, activation=Remembers, rng=rng()),
    "an observation": lambda: sv.VAE(D, hidden=(5,), n_latent=K, observation=Buffered(), rng=rng()),
    "a method": lambda: replaced(sv.VAE(D, hidden=(5,), n_latent=K, rng=rng())),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_what_a_stranger_made_stays_whole_and_in_one_thread(who, monkeypatch):
    model, x = STRANGERS[who](), np.float32(data()[0])
    model.forward_backward(x, rng=rng())
    assert model not in halves.TWINS
    monkeypatch.setattr("scratchvae.nn.model.row_blocks", lambda *_, **__: [slice(0, 4), slice(4, 9)])
    monkeypatch.setattr("scratchvae.models.vae.row_blocks", lambda *_, **__: [slice(0, 4), slice(4, 9)])
    callers, forward = set(), sv.Network.forward
    monkeypatch.setattr(sv.Network, "forward", lambda self, x: (callers.add(threading.get_ident()), forward(self, x))[1])
    model.elbo(x, rng=rng())
    if who in ("a layer", "a method"):  # what `encode` goes through
        model.encode(x)
    assert callers == {threading.get_ident()}


class Normed(sv.SGD):
    """A step of length lr: of the whole gradient, not of each block."""

    def update(self, theta, grad):
        theta -= self.lr * grad / np.linalg.norm(grad)


@pytest.mark.parametrize("make", [
    lambda: sv.SGD(0.1, momentum=0.9), lambda: sv.Adagrad(0.1), lambda: sv.Adam(0.1, weight_decay=0.1), lambda: Normed(0.1)])
@pytest.mark.parametrize("two", [True, False])
def test_an_optimizer_s_blocks_take_the_same_step_to_the_bit(make, two, monkeypatch):
    thetas = []
    monkeypatch.setattr(optimizers, "BLOCK", 4)
    if not two:
        monkeypatch.setattr(threads, "blas", lambda: None)
    for large in (1, WHOLE):
        monkeypatch.setattr(optimizers, "BEYOND_CACHE", large)
        optimizer, theta = make(), rng(1).standard_normal(11).astype(np.float32)
        for i in range(4):
            optimizer.lr *= 0.9  # as a schedule does
            optimizer.step(theta, rng(i).standard_normal(11).astype(np.float32) if i == 0 else optimizer.grad)
        thetas.append((theta, optimizer.state()))
    (theta, state), (whole, whole_state) = thetas
    np.testing.assert_array_equal(theta, whole)
    for name in state:
        np.testing.assert_array_equal(state[name], whole_state[name])


def test_many_rows_go_through_a_network_as_before(monkeypatch):
    x = (rng(3).random((4000, D)) < 0.5).astype(np.float64)
    model, _ = new("vae")
    monkeypatch.setattr("scratchvae.models.vae.BLOCK", 1 << 10)
    apart = model.elbo(x, rng=rng(1))
    monkeypatch.setattr(threads, "blas", lambda: None)
    for one, two in zip(model.elbo(x, rng=rng(1)), apart):
        np.testing.assert_array_equal(one, two)


def test_log_prob_of_several_orders_by_two_is_that_of_one(monkeypatch):
    x = (rng(3).random((40, D)) < 0.5).astype(np.float64)
    made = sv.MADE(D, (9,), 3, rng=rng(), dtype=np.float64)
    made.theta[:] = rng(4).standard_normal(made.theta.size)
    monkeypatch.setattr("scratchvae.models.autoregressive.row_blocks",
                        lambda X, width: (slice(start, start + 3) for start in range(0, len(X), 3)))
    by_two_threads = made.log_prob(x)
    monkeypatch.setattr(threads, "blas", lambda: None)
    np.testing.assert_array_equal(by_two_threads, made.log_prob(x))
    np.testing.assert_array_equal(by_two_threads[::-1], made.log_prob(x[::-1]))


def test_both_threads_work_and_results_keep_their_order():
    both = threading.Barrier(2, timeout=10)

    def work(i):
        if i < 2:
            both.wait()  # which one thread alone would wait for in vain
        return i * i

    assert by_two(work, range(9)) == [i * i for i in range(9)]


@pytest.mark.parametrize("where", [0, 1])
def test_an_error_in_either_half_is_told_and_ends_the_other_s_work(where):
    both, done = threading.Barrier(2, timeout=10), []

    def work(i):
        if i < 2:
            both.wait()
        if i == where:
            raise KeyError("this one")
        done.append(i)

    with pytest.raises(KeyError, match="this one"):
        by_two(work, range(1000))
    assert len(done) < 1000


def test_both_threads_keep_the_caller_s_errstate():
    both = threading.Barrier(2, timeout=10)

    def overflow(_):
        both.wait()
        return np.exp(np.float32(1000))

    with warnings.catch_warnings(), np.errstate(over="ignore"):
        warnings.simplefilter("error")
        assert by_two(overflow, range(2)) == [np.inf, np.inf]
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        by_two(overflow, range(2))


def test_pca_s_covariance_of_two_halves(monkeypatch):
    X = rng(1).standard_normal((50, 4)) @ rng(2).standard_normal((4, 4))
    two = sv.PCA(3, solver="covariance").fit(X)
    monkeypatch.setattr(threads, "LARGE", WHOLE)
    one = sv.PCA(3, solver="covariance").fit(X)
    np.testing.assert_allclose(two.components_, one.components_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(two.explained_variance_, one.explained_variance_, rtol=1e-12)


def test_a_diverging_half_is_told_as_ever():
    model, (x,) = new("vae")
    with pytest.raises(FloatingPointError, match="epoch"):
        sv.fit(model, x, epochs=50, optimizer=sv.SGD(1e30), rng=rng(0))


def test_work_within_work_and_beside_another_thread_s_ends():
    assert by_two(lambda i: by_two(lambda j: i * j, range(3)), range(3)) == [[0, 0, 0], [0, 1, 2], [0, 2, 4]]
    results = {}
    callers = [threading.Thread(target=lambda k=k: results.update({k: by_two(lambda i: i + k, range(50))})) for k in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    assert results == {k: [i + k for i in range(50)] for k in range(4)}


def test_an_interrupt_takes_the_second_thread_from_no_one(monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(threads, "wait", interrupt)
        slow = threading.Event()
        by_two(lambda i: i or slow.wait(0.2), range(2))
    both = threading.Barrier(2, timeout=10)
    by_two(lambda _: both.wait(), range(2))  # which one thread alone would wait for in vain


def test_at_the_interpreter_s_end_one_thread_does_it_all(monkeypatch):
    ended = ThreadPoolExecutor(1)
    ended.shutdown()
    monkeypatch.setattr(threads, "SECOND", ended)
    assert by_two(abs, range(-3, 0)) == [3, 2, 1]


def test_other_threads_comings_and_goings_do_not_decide_what_is_halved():
    leave = threading.Event()

    def come_and_go():
        while not leave.is_set():
            with threads.ONE_THREAD:
                pass

    others = [threading.Thread(target=come_and_go) for _ in range(3)]
    for other in others:
        other.start()
    assert {len(threads.halves(8, 8)) for _ in range(2000)} == {2}
    leave.set()
    for other in others:
        other.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_a_second_thread_of_its_own():
    by_two(abs, range(4))  # the second thread is there
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons': a fork of a process with threads
        child = os.fork()
    if not child:
        os.write(write, bytes(by_two(lambda i: i + 1, range(4))))
        os._exit(0)
    os.close(write)
    assert os.read(read, 9) == b"\1\2\3\4"
    os.close(read)
    os.waitpid(child, 0)
