"""Does the comparison with published numbers keep what was done, and say what its lines say?"""
import json
import struct
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import scratchvae as sv
from benchmarks import published, reproduce

COMMITTED = Path(reproduce.__file__).parent


def write_digits(folder):
    """The bundled digits as MNIST-format files: 400 for training, 100 for the test."""
    X, labels = sv.load_digits()
    for begin, rows in (("train", slice(400)), ("t10k", slice(400, 500))):
        for kind, array in (("images-idx3", (255 * X[rows]).reshape(-1, 8, 8)), ("labels-idx1", labels[rows])):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / f"{begin}-{kind}-ubyte").write_bytes(head + array.astype(np.uint8).tobytes())


def test_every_training_leaves_a_line_and_none_is_done_twice(tmp_path, monkeypatch, capsys):
    write_digits(tmp_path)
    for name in reproduce.TRAININGS:
        if not name.startswith("torch"):  # PyTorch is none of the tests' packages
            reproduce.main(["--data", str(tmp_path), "--only", name, "--epochs", "1", "--out", str(tmp_path)])
    file = tmp_path / "reproduced.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["training"], line["seed"]) for line in lines] == [
        (name, seed) for name, (_, seeds, _) in reproduce.TRAININGS.items() for seed in seeds
        if not name.startswith("torch")]
    table = (tmp_path / "reproduced.txt").read_text()
    for row in published.ROWS:
        assert row.training.startswith("torch") or row.published in table
    assert max(map(len, table.splitlines())) <= 96 and "cut short" in table and "shortened" in table

    none = {name: (None, *rest) for name, (_, *rest) in reproduce.TRAININGS.items()}
    monkeypatch.setattr(reproduce, "TRAININGS", none)
    reproduce.main(["--data", str(tmp_path), "--only", "vae,made,latents", "--epochs", "1", "--out", str(tmp_path)])
    assert len(file.read_text().splitlines()) == len(lines)
    with pytest.raises(TypeError):  # more epochs are another training: None, here, cannot be called
        reproduce.main(["--data", str(tmp_path), "--only", "made", "--epochs", "2", "--out", str(tmp_path)])
    assert len(file.read_text().splitlines()) == len(lines)


@pytest.mark.parametrize("arguments", [["--table", "--data", "x"], [], ["--table", "--only", "vea"],
                                       ["--data", "x", "--epochs", "0"],
                                       ["--data", "x", "--epochs", "-1"], ["--data", "x", "--images", "9"]])
def test_what_cannot_be_meant_is_refused(arguments, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        reproduce.main([*arguments, "--out", str(tmp_path)])
    assert "want" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(3))
def test_averaged_logits_sum_to_more_than_one_and_the_bound_is_below_it(seed):
    """Over all 2^D images, for a model with orders that disagree."""
    rng = np.random.default_rng(seed)
    model = sv.MADE(9, (12,), 8, rng=rng, dtype=np.float64)
    model.theta += 2 * rng.standard_normal(model.theta.shape)
    everything = np.array(list(product((0.0, 1.0), repeat=9)))
    np.testing.assert_allclose(np.exp(model.log_prob(everything)).sum(), 1, rtol=1e-12)
    log_sum = np.log(np.exp(reproduce.score(model, everything)).sum())
    told = reproduce.averaged_logits(model, everything, np.random.default_rng(seed))
    exact = np.exp(model.log_prob(everything)) @ (reproduce.score(model, everything) - model.log_prob(everything))
    assert abs(log_sum) > 0.01 and exact < log_sum  # no distribution; the bound holds
    assert abs(told["log_sum"] - exact) < 4 * told["log_sum_error"]


def test_sentences_judge_by_their_lines():
    line = {"training": "orders", "seed": 0, "asked": 9, "epochs": 9, "log_p": -100.0, "score": -80.0, "error": 0.2}
    told = published.averaged_logits({"orders": [{**line, "log_sum": 9.0, "log_sum_error": 0.5}]})
    assert "above the best published" in told and "e^9.0 or more" in told
    told = published.averaged_logits({"orders": [{**line, "score": -90.0, "log_sum": 0.5, "log_sum_error": 0.5}]})
    assert "above" not in told and "not to be seen" in told
    noise = np.random.default_rng(0).standard_normal(100)
    done = {name: [{**line, "first": noise + shift}] for name, shift in (("burda-iwae", 0.0), ("burda-vae", 1.0))}
    assert "the reverse" in published.importance(done)
    assert "no clear difference" in published.importance({**done, "burda-vae": [{"first": noise[::-1]}]})


def test_the_committed_table_is_that_of_the_committed_lines(tmp_path):
    lines = (COMMITTED / "reproduced.jsonl").read_text()
    (tmp_path / "reproduced.jsonl").write_text(lines)
    reproduce.main(["--table", "--out", str(tmp_path)])
    assert (tmp_path / "reproduced.txt").read_text() == (COMMITTED / "reproduced.txt").read_text()
