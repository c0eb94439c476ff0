"""What if the machine pulls the plug? Training killed by SIGKILL at random moments ends as if nothing had happened.

`check_survives_kills` runs a training with a checkpoint in a process of its own, kills it at a random moment, starts it
again, and so on until it was killed often enough; then it lets it end, and compares every bit with a run that nobody
disturbed. `KILLS=60 pytest tests/test_faults.py` makes it a long evening. That a full disk and a read-only folder leave
the old file whole is in test_checkpoint.py, that a diverging run names epoch, batch and tensor in test_training.py.
"""
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import scratchvae as sv
from scratchvae.nn.checkpoint import read_arrays

ROOT = Path(__file__).resolve().parents[1]
KILLS = int(os.environ.get("KILLS", 6))
EPOCHS = 60


def models():
    """What is trained: maker of model and data, by name."""
    X = sv.binarize(sv.load_digits()[0][:96])
    labels = sv.load_digits()[1][:96]
    return {"vae": lambda: (sv.VAE(64, hidden=(24,), n_latent=3, rng=np.random.default_rng(0)), X, None),
            "made": lambda: (sv.MADE(64, hidden=(24,), n_orders=2, rng=np.random.default_rng(0)), X, None),
            "classifier": lambda: (sv.Classifier(64, hidden=(24,), rng=np.random.default_rng(0)), X, labels)}


class Signal(sv.Callback):
    """Tell whoever reads standard output that another epoch is over; and take a little time over it."""

    def __init__(self, seconds):
        self.seconds = seconds

    def epoch_end(self, run):
        if self.seconds:
            print(run.epoch, flush=True)
            time.sleep(self.seconds)


def train(kind, path=None, epochs=EPOCHS, seconds=0.0):
    """The run that must survive; returns all of its end state."""
    model, X, labels = models()[kind]()
    optimizer, rng = sv.Adam(3e-3, weight_decay=1e-3), np.random.default_rng(1)
    valid = (X[:20], labels[:20]) if labels is not None else X[:20]
    callbacks = [Signal(seconds), sv.EarlyStopping(patience=epochs), sv.LearningRateDecay(0.5)]
    history = sv.fit(model, X, labels, epochs=epochs, batch_size=16, optimizer=optimizer, rng=rng, valid=valid,
                     callbacks=callbacks, checkpoint=path)
    return {"theta": model.theta, **optimizer.state(), **{f"train {k}": v for k, v in history.train.items()},
            **{f"valid {k}": v for k, v in history.valid.items()}, "best": callbacks[1].best_theta,
            "next draw": rng.random(3)}


def start(kind, path, seconds):
    code = f"import test_faults; test_faults.train({kind!r}, {str(path)!r}, seconds={seconds!r})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
                   "PYTHONDONTWRITEBYTECODE": "1",
                   "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)


def check_survives_kills(kind, path, kills, seed=0, seconds=0.004):
    """Killed `kills` times: the file is whole after each, epochs never go back, and the end is the undisturbed end."""
    moments, killed, starts, done = random.Random(seed), 0, 0, 0
    while killed < kills:
        starts += 1
        assert starts < 3 * kills + 10
        process = start(kind, path, seconds)
        try:
            # from before its first epoch, through the middle of a batch or a write, to after some epochs
            if moments.random() < 0.8:
                process.stdout.readline()
            else:
                time.sleep(moments.uniform(0, 0.3))
            time.sleep(moments.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
        finally:
            process.kill()
            killed += process.wait() == -signal.SIGKILL
            process.stdout.close()
        if path.exists():
            header, arrays = read_arrays(path)
            assert done <= header["epoch"] == len(arrays["train.loss"]) <= EPOCHS
            done = header["epoch"]
            if done == EPOCHS:  # it was faster than we are: from the start again
                check_same(kind, path)
                path.unlink()
                done = 0
    check_same(kind, path)
    leftovers = [p for p in path.parent.iterdir() if p != path]
    assert len(leftovers) <= killed and all(p.name.startswith(f".{path.name}.") for p in leftovers)
    return killed, starts, len(leftovers)


def check_same(kind, path):
    want, got = train(kind), train(kind, path)
    assert got.keys() == want.keys()
    for name in want:
        assert np.asarray(got[name]).tobytes() == np.asarray(want[name]).tobytes(), name


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("kind", ["vae", "made", "classifier"])
def test_survives_kills(kind, tmp_path):
    check_survives_kills(kind, tmp_path / "run.npz", max(1, KILLS // 3))
