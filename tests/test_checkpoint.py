"""Is a file whole or not there at all, and is anything else refused by name?

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
import errno
import json
import os
import random
import re
import stat
import subprocess
import sys
import tempfile
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import scratchvae as sv
from scratchvae.nn import checkpoint

ROOT = Path(__file__).resolve().parents[1]


def model(seed=0, hidden=(6,)):
    return sv.VAE(7, hidden=hidden, n_latent=3, rng=np.random.default_rng(seed))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


def check_round_trip(path):
    """Arrays come back bit for bit, in dtype and shape, with the header."""
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.float32([1e-45, np.inf]), "c": np.array(7), "d.e": np.zeros((0, 2)),
              "f": np.asfortranarray(np.arange(6).reshape(2, 3))}
    checkpoint.write_arrays(path, {"text": "a\u00e9", "n": [1, 2]}, arrays)
    header, got = checkpoint.read_arrays(path)
    assert header == {"format": checkpoint.FORMAT, "text": "a\u00e9", "n": [1, 2]}
    assert got.keys() == arrays.keys()
    for name, a in arrays.items():
        assert got[name].dtype == a.dtype and got[name].shape == a.shape and got[name].tobytes() == a.tobytes()


def test_round_trip(path):
    check_round_trip(path)
    assert list(path.parent.iterdir()) == [path]


def test_paths_may_be_text_have_any_suffix_and_lie_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("model", "model.bin", "a b.npz"):
        sv.save(model(), name)
        assert np.array_equal(sv.load(name).theta, model().theta)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a b.npz", "model", "model.bin"]


def test_a_file_is_plain_npz(path):
    sv.save(model(), path)
    with np.load(path, allow_pickle=False) as file:
        assert np.array_equal(file["theta"], model().theta)


def test_saving_again_replaces(path):
    sv.save(model(0), path)
    sv.save(model(1), path)
    assert np.array_equal(sv.load(path).theta, model(1).theta) and list(path.parent.iterdir()) == [path]


# ---- a failed write -------------------------------------------------------------------------------------------

def check_failed_write(path, reason=errno.ENOSPC):
    """An OSError that names the file, the old file whole, and no temporary one."""
    content = path.read_bytes()
    with pytest.raises(OSError, match=re.escape(str(path))) as caught:
        checkpoint.save(model(1), path)
    assert caught.value.errno == reason and "untouched" in str(caught.value)
    assert path.read_bytes() == content and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("module, name", [(os, "fsync"), (os, "replace"), (np.lib.format, "write_array")])
def test_a_full_disk_leaves_the_old_file(path, monkeypatch, module, name):
    checkpoint.save(model(0), path)

    def full(*arguments, **named):
        if name == "write_array":
            arguments[0].write(b"half a file")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, name, full)
    check_failed_write(path)


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such permission there")
def test_a_read_only_folder_leaves_the_old_file():
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, into whose parents no one but we may look
        path = Path(folder, "model.npz")
        checkpoint.save(model(0), path)
        path.chmod(0o644)
        os.chmod(folder, 0o555)
        root = os.geteuid() == 0
        if root:  # to whom permissions mean nothing
            os.seteuid(65534)
        try:
            check_failed_write(path, errno.EACCES)
        finally:
            if root:
                os.seteuid(0)
            os.chmod(folder, 0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE is POSIX")
def test_a_real_limit_on_the_file_size(path):
    checkpoint.save(model(0), path)
    content = path.read_bytes()
    code = (
        "import resource, signal, sys, numpy as np, scratchvae as sv\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "sv.save(sv.VAE(700, rng=np.random.default_rng(0)), sys.argv[1])\n")
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}, timeout=60)
    assert done.returncode == 1 and f"could not write {path}" in done.stderr
    assert path.read_bytes() == content and list(path.parent.iterdir()) == [path]


def test_ctrl_c_while_writing_leaves_the_old_file(path, monkeypatch):
    checkpoint.save(model(0), path)
    content = path.read_bytes()

    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(model(1), path)
    assert path.read_bytes() == content and list(path.parent.iterdir()) == [path]


def test_the_data_is_on_the_disk_before_the_rename(path, monkeypatch):
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (calls.append(os.fstat(descriptor).st_size), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda old, new: (calls.append("rename"), replace(old, new)))
    checkpoint.save(model(), path)
    assert calls == [path.stat().st_size, "rename"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        checkpoint.save(model(), tmp_path / "nowhere" / "model.npz")


def test_a_folder_in_the_place_of_the_file(path):
    path.mkdir()
    with pytest.raises(OSError, match=re.escape(str(path))):
        checkpoint.save(model(), path)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("thing", [None, sv.Bernoulli(), np.zeros(3), sv.VAE])
def test_what_cannot_be_saved_is_refused(path, thing):
    with pytest.raises(TypeError, match="^model: .*VAE"):
        checkpoint.save(thing, path)
    assert not path.exists()


def standardizer(n=64):
    return sv.Standardizer().fit(np.random.default_rng(0).random((9, n)))


@pytest.mark.parametrize("make, spoil, words", [
    (lambda rng: sv.VAE(64, rng=rng), lambda m: m.theta.fill(np.nan), "^theta: contains NaN or infinity"),
    (lambda rng: sv.MADE(9, rng=rng), lambda m: m.theta.put(3, np.inf), "^theta: contains NaN or infinity"),
    (lambda rng: sv.VAE(64, rng=rng), lambda m: setattr(m, "standardizer", standardizer(3)),
     r"^standardizer: want shape \(64,\), got \(3,\)"),
    (lambda rng: sv.VAE(64, rng=rng), lambda m: setattr(m, "standardizer", sv.Standardizer()), "not fitted yet"),
    (lambda rng: sv.VAE(64, rng=rng), lambda m: (setattr(m, "standardizer", standardizer()),
                                                 m.standardizer.scale_.put(0, np.nan)), "^scale_: contains NaN"),
    (lambda rng: sv.VAE(64, n_classes=3, rng=rng), lambda m: m.class_shares.fill(np.nan), "^class_shares: "),
    (lambda rng: sv.VAE(64, n_classes=3, rng=rng), lambda m: m.class_shares.fill(0.5), "^class_shares: "),
    (lambda rng: sv.VAE(64, rng=rng), lambda m: setattr(m, "beta", -5), "^beta: want a number"),
    (lambda rng: sv.IWAE(64, rng=rng), lambda m: setattr(m, "n_samples", 0), "^n_samples: want an integer"),
    (lambda rng: sv.FVBN(9, rng=rng), lambda m: setattr(m, "l2", -1.0), "^l2: want a number"),
    (lambda rng: sv.PCA(2).fit(rng.random((9, 4))), lambda m: m.mean_.put(0, np.nan), "^mean_: contains NaN")])
def test_what_load_would_refuse_is_not_saved_over_a_good_file(path, make, spoil, words):
    thing = make(np.random.default_rng(0))
    checkpoint.save(thing, path)
    before = path.read_bytes()
    spoil(thing)
    with pytest.raises(ValueError, match=words):
        checkpoint.save(thing, path)
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
    checkpoint.load(path)


def test_a_run_whose_callback_spoils_theta_keeps_the_checkpoint_before(path):
    def spoil(run):
        if run.epoch == 3:
            run.model.theta[5] = np.nan

    def run(epochs, *callbacks):
        vae = model()
        X = (np.random.default_rng(0).random((20, vae.n_features)) < 0.5).astype(float)
        return sv.fit(vae, X, epochs=epochs, rng=np.random.default_rng(1), callbacks=callbacks, checkpoint=path)

    with pytest.raises(ValueError, match="^theta: contains NaN"):
        run(5, spoil)
    assert checkpoint.read_arrays(path)[0]["epoch"] == 2


def test_saving_says_nothing_that_making_the_model_has_said(path):
    with pytest.warns(UserWarning, match="^hidden: "):
        made = sv.MADE(9, hidden=(3,), direct=False, rng=np.random.default_rng(0))
    checkpoint.save(made, path)


# ---- a file of another kind -----------------------------------------------------------------------------------

def check_refused(path):
    with pytest.raises(ValueError, match=re.escape(str(path))):
        checkpoint.load(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x93NUMPY", bytes(1000)])
def test_no_npz_at_all_is_refused(path, content):
    path.write_bytes(content)
    check_refused(path)


def test_no_file_and_a_folder_are_refused(path):
    check_refused(path)
    path.mkdir()
    check_refused(path)


def test_every_truncation_is_refused(path):
    checkpoint.save(model(), path)
    content = path.read_bytes()
    for length in [*range(0, len(content), 37), *range(len(content) - 30, len(content))]:
        path.write_bytes(content[:length])
        check_refused(path)


def check_flipped_bits(path, n=400):
    """A flipped bit is refused, or was in a place without meaning (a time stamp): never another model."""
    checkpoint.save(model(), path)
    content, places, refused = path.read_bytes(), random.Random(0), 0
    for _ in range(n):
        place, bit = places.randrange(len(content)), places.randrange(8)
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1:])
        try:
            loaded = checkpoint.load(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            assert loaded.config() == model().config() and np.array_equal(loaded.theta, model().theta), (place, bit)
    assert refused > 0.8 * n


def test_flipped_bits(path):
    check_flipped_bits(path)


def write(path, header, **arrays):
    with open(path, "wb") as file:
        np.savez(file, **({} if header is None else {"header": np.array(header)}), **arrays)


CONFIG = '{"format": "scratchvae 1", "class": "VAE", "config": %s}'


@pytest.mark.parametrize("header", [
    None, "", "[]", "3", "{}", '{"format": "scratchvae 2"}', '{"format": "scratchvae 1"}',
    '{"format": "scratchvae 1", "class": "VAE"}', '{"format": "scratchvae 1", "class": "Run", "config": {}}',
    '{"format": "scratchvae 1", "class": ["VAE"], "config": {}}',
    CONFIG % "{}", CONFIG % "[]", CONFIG % "null", CONFIG % '"abc"', CONFIG % '{"observation": 3}',
    CONFIG % '{"observation": ["Nobody", {}]}', CONFIG % '{"observation": ["Bernoulli", {"x": 1}]}',
    CONFIG % '{"observation": ["Bernoulli", {}], "n_features": -3}',
    CONFIG % '{"observation": ["Bernoulli", {}], "n_features": 7, "hidden": [1000000, 1000000000]}',
    CONFIG % f'{{"observation": ["Bernoulli", {{}}], "n_features": 7, "hidden": [{10**30}]}}',
    CONFIG % '{"observation": ["Bernoulli", {}], "n_features": 7, "hidden": 6}',
    CONFIG % '{"observation": ["Bernoulli", {}], "n_features": 7, "surprise": 6}'])
def test_headers_of_another_kind_are_refused(path, header):
    write(path, header, theta=np.zeros(3, np.float32))
    check_refused(path)


@pytest.mark.parametrize("theta", [
    None, np.zeros(3, np.float32), model().theta.astype(np.float64), model().theta[None], np.full_like(model().theta, np.nan),
    model().theta.astype(">f4"), np.array(["a"])])
def test_parameters_that_do_not_fit_are_refused(path, theta):
    checkpoint.write_arrays(path, {"class": "VAE", "config": model().config()}, {} if theta is None else {"theta": theta})
    check_refused(path)


def test_a_refused_load_leaves_the_model(path):
    one = model()
    before = one.theta.copy()
    with pytest.raises(ValueError, match="^theta: "):
        one.load_arrays({"theta": np.zeros(3, np.float32)})
    assert np.array_equal(one.theta, before)


class Trap:
    """Pickled, it would create a file where it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


@pytest.mark.parametrize("where", ["header", "theta", "another"])
def test_pickled_content_is_refused_and_not_run(path, where):
    target = path.parent / "trap"
    arrays = {"header": np.array(CONFIG % "{}"), "theta": model().theta, where: np.array([Trap(target)], dtype=object)}
    with open(path, "wb") as file:
        np.savez(file, **arrays)
    check_refused(path)
    assert not target.exists()


def test_compressed_files_are_refused(path):
    """A whole, right model, but compressed: such a file could promise far more than it has."""
    with open(path, "wb") as file:
        np.savez_compressed(file, header=np.array(json.dumps({"format": checkpoint.FORMAT, "class": "VAE",
                                                              "config": model().config()})), theta=model().theta)
    check_refused(path)


@pytest.mark.parametrize("name, config", [
    ("FVBN", {"n_features": 10_000}), ("MADE", {"n_features": 10_000, "hidden": [10_000], "n_orders": 1}),
    ("MADE", {"n_features": 2, "hidden": [1], "n_orders": 10**9}),
    ("MADE", {"n_features": 1, "hidden": [1], "n_orders": 10**9, "order": [[0]]}),
    ("VAE", {"n_features": 1, "hidden": [1], "n_latent": 3_000_000, "observation": ["Bernoulli", {}]}),
    ("Classifier", {"n_features": 1, "hidden": [1], "n_classes": 5_000_000}),
    ("VAE", {"n_features": 10_000, "hidden": [10_000], "n_latent": 2, "observation": ["Bernoulli", {}]}),
    ("Classifier", {"n_features": 10_000, "hidden": [3, 10_000, 10_000], "n_classes": 3}),
    ("Autoencoder", {"n_features": 20_000, "hidden": [], "n_latent": 5000, "observation": ["Bernoulli", {}]})])
def test_a_model_far_larger_than_its_file_is_not_built(path, name, config):
    """A few hundred bytes that ask for networks of 400 megabytes."""
    checkpoint.write_arrays(path, {"class": name, "config": config}, {"theta": np.zeros(3, np.float32)})
    tracemalloc.start()
    check_refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize("name, change", [
    ("KernelPCA", {"dual_coef_": np.zeros((3, 3))}), ("KernelPCA", {"gamma_": np.array(np.nan)}), ("KernelPCA", {"K_fit_rows_": None}),
    ("ProbabilisticPCA", {"W_": np.zeros((2, 9))}), ("ProbabilisticPCA", {"noise_variance_": np.zeros(2)}),
    ("ProbabilisticPCA", {"mean_": np.array(["a"] * 4)})])
def test_fitted_arrays_that_do_not_fit_are_refused(path, name, change):
    fitted = getattr(sv, name)(2).fit(np.random.default_rng(0).standard_normal((9, 4)))
    arrays = {key: a for key, a in {**fitted.arrays(), **change}.items() if a is not None}
    checkpoint.write_arrays(path, {"class": name, "config": fitted.config()}, arrays)
    check_refused(path)


def test_a_promise_of_more_than_there_is_is_refused_without_making_room(path):
    """An array header that claims 8 TB over 24 bytes."""
    write(path, CONFIG % "{}", theta=np.zeros(3))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["theta.npy"] = members["theta.npy"].replace(b"(3,), }            ", b"(1000000000000,), }")
    assert b"1000000000000" in members["theta.npy"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    check_refused(path)


def test_a_whole_model_of_another_format_is_refused(path):
    header = {"format": "scratchvae 2", "class": "VAE", "config": model().config()}
    with open(path, "wb") as file:
        np.savez(file, header=np.array(json.dumps(header)), theta=model().theta)
    check_refused(path)


def test_an_array_of_another_format_version_is_refused(path):
    sv.save(model(), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if name == "theta.npy":
                with archive.open(name, "w") as file:
                    np.lib.format.write_array(file, model().theta, version=(2, 0))
            else:
                archive.writestr(name, content)
    check_refused(path)


# ---- several writers, links, modes ----------------------------------------------------------------------------------

@pytest.mark.skipif(sys.platform == "win32", reason="a file that is being read is not replaced there")
def test_threads_that_save_to_one_path_leave_whole_files(path):
    """Whoever reads, however often, finds one of the models."""
    models, wrong = [model(seed, hidden=(60,)) for seed in range(4)], []
    checkpoint.save(models[0], path)

    def write(one):
        for _ in range(20):
            checkpoint.save(one, path)

    def read():
        for _ in range(60):
            theta = checkpoint.load(path).theta
            wrong.extend([theta] * (not any(np.array_equal(theta, one.theta) for one in models)))

    with ThreadPoolExecutor() as pool:
        for done in [*(pool.submit(write, one) for one in models), pool.submit(read), pool.submit(read)]:
            done.result()
    assert not wrong and list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes and links")
def test_a_mode_and_a_link_are_kept(path):
    real = path.parent / "real.npz"
    path.symlink_to("real.npz")  # a relative link to nothing yet
    for seed, mode in ((0, None), (1, 0o640), (2, 0o400)):
        if mode:
            real.chmod(mode)
        checkpoint.save(model(seed), path)
        assert path.is_symlink() and np.array_equal(sv.load(real).theta, model(seed).theta)
        assert mode is None or stat.S_IMODE(real.stat().st_mode) == mode
    assert sorted(path.parent.iterdir()) == [path, real]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_new_file_has_the_mode_of_any_new_file(path):
    checkpoint.save(model(), path)
    other = path.with_name("other")
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_is_no_file_is_not_replaced(path):
    os.mkfifo(path)
    with pytest.raises(OSError, match=f"could not write {re.escape(str(path))}.*is no file"):
        checkpoint.save(model(), path)
    assert stat.S_ISFIFO(path.stat().st_mode) and list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="paths are short there")
def test_a_long_name_leaves_room_for_the_temporary_one(path):
    path = path.with_name("m" * 250 + ".npz")
    checkpoint.save(model(), path)
    assert np.array_equal(sv.load(path).theta, model().theta)
