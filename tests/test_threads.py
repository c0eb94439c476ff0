"""Are small products multiplied by one thread, and is the user's number put back whatever happens?"""
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import scratchvae as sv
from scratchvae.nn import threads
from scratchvae.nn.threads import OneThread, one_thread

ROOT = Path(__file__).parent.parent


@pytest.fixture
def fake(monkeypatch):
    """A BLAS of four threads that keeps a list of what it was told."""
    class Fake(list):
        def get(self):
            return self[-1]
    told = Fake([4])
    monkeypatch.setattr(threads, "blas", lambda: (told.get, told.append))
    return told


def test_one_thread_inside_and_the_number_put_back(fake):
    with one_thread():
        assert fake.get() == 1
        with one_thread():
            assert fake.get() == 1
        assert fake.get() == 1
    assert fake == [4, 1, 4]


def test_an_error_puts_the_number_back(fake):
    @one_thread()
    def fails():
        raise RuntimeError(fake.get())

    for _ in range(2):
        with pytest.raises(RuntimeError, match="^1$"):
            fails()
    assert fake == [4, 1, 4, 1, 4]


def test_a_number_that_is_one_already_is_never_raised(fake):
    fake[:] = [1]
    with one_thread():
        pass
    assert fake == [1]


def test_a_blas_that_is_not_known_is_left_alone(monkeypatch):
    monkeypatch.setattr(threads, "blas", lambda: None)
    with one_thread():
        pass


def test_python_threads_that_overlap_leave_the_number_as_it_was(fake):
    """The one that came first leaves first: the other still has one thread, and the last puts back what the first found."""
    inside, leave = threading.Event(), threading.Event()

    def other():
        with one_thread():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with one_thread():
        thread.start()
        assert inside.wait(10)
    assert fake.get() == 1
    leave.set()
    thread.join()
    assert fake == [4, 1, 4]


def test_many_python_threads_at_once(fake):
    hold = OneThread()

    def enter_and_leave():
        for _ in range(300):
            with hold:
                assert fake.get() == 1

    workers = [threading.Thread(target=enter_and_leave) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert fake.get() == 4 and hold.inside == 0


@pytest.mark.parametrize("name", threads.CHOSEN)
def test_the_environment_s_number_is_the_user_s(name, monkeypatch):
    for each in threads.CHOSEN:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "3")
    assert threads.blas.__wrapped__() is None


@pytest.mark.parametrize("large", [1, threads.LARGE])
def test_fit_holds_one_thread_in_steps_small_and_large(large, fake, monkeypatch):
    monkeypatch.setattr(threads, "LARGE", large)
    model = sv.VAE(6, hidden=(5,), n_latent=2, rng=np.random.default_rng(0))
    seen, layer = [], model.encoder.layers[0]
    forward = layer.forward

    def spied(x):
        seen.append(fake.get())
        return forward(x)

    layer.forward = spied
    sv.fit(model, np.eye(6), epochs=2, rng=np.random.default_rng(0), valid=np.eye(6))
    assert set(seen) == {1} and fake.get() == 4


def test_fit_puts_the_number_back_when_it_fails(fake):
    model = sv.VAE(6, hidden=(5,), n_latent=2, rng=np.random.default_rng(0))
    with pytest.raises(FloatingPointError):
        sv.fit(model, np.eye(6), epochs=50, optimizer=sv.SGD(1e30), rng=np.random.default_rng(0))
    assert fake.get() == 4 and 1 in fake


@pytest.mark.parametrize("work", [
    lambda vae, X: vae.encode(X), lambda vae, X: vae.elbo(X, rng=np.random.default_rng(0)), lambda vae, X: vae.decode(X[:, :2]),
    lambda vae, X: vae.loss_and_grad(X, rng=np.random.default_rng(0)),
    lambda vae, X: sv.log_evidence(vae, X, n_samples=5, rng=np.random.default_rng(0)),
    lambda vae, X: sv.optimize_q(vae, X, steps=2, rng=np.random.default_rng(0)),
    lambda vae, X: sv.PCA(2).fit(X), lambda vae, X: sv.PCA(2, solver="covariance").fit(X),
    lambda vae, X: sv.KernelPCA(2).fit(X), lambda vae, X: sv.ProbabilisticPCA(2).fit(X),
    lambda vae, X: sv.GaussianMixture(2).fit(X[:, :2], rng=np.random.default_rng(0)),
    lambda vae, X: sv.MADE(6, hidden=(5,), rng=np.random.default_rng(0)).sample(3, rng=np.random.default_rng(0)),
])
def test_everything_that_users_wait_for_holds_one_thread(work, fake):
    work(sv.VAE(6, hidden=(5,), n_latent=2, rng=np.random.default_rng(0)), np.eye(6))
    assert 1 in fake and fake.get() == 4


REAL = """
import numpy as np, scratchvae as sv, zlib
from scratchvae.nn import threads
X = sv.binarize(sv.load_digits()[0][:256])
vae = sv.VAE(64, hidden=(96,), n_latent=4, rng=np.random.default_rng(0))
seen = [threads.blas()[0]()] if threads.blas() else [0]
sv.fit(vae, X, epochs=1, batch_size=128, rng=np.random.default_rng(0),
       callbacks=[lambda run: seen.append(threads.blas()[0]() if threads.blas() else 0)])
with threads.one_thread():
    inside = threads.blas()[0]() if threads.blas() else 0
print(*seen, inside, zlib.crc32(vae.theta.tobytes()))
"""


def test_the_real_blas_is_told_and_the_bits_are_those_of_one_thread():
    """NumPy's own wheels on Linux and Windows come with a BLAS that is known; others may not."""
    free = {name: value for name, value in os.environ.items() if name not in threads.CHOSEN}
    runs = [subprocess.run([sys.executable, "-c", REAL], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
            for env in (free, {**free, "OMP_NUM_THREADS": "1"})]
    (before, after, inside, bits), (*_, bits_of_one) = (run.stdout.split() for run in runs)
    assert before == after and inside == ("1" if before != "0" else "0") and bits == bits_of_one
    if sys.platform == "linux" and "openblas" in np.show_config("dicts")["Build Dependencies"]["blas"]["name"]:
        assert before != "0"
