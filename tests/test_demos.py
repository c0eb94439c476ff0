"""Do the lessons run, speak clearly and measure something? Each one with --quick, and the command line around them."""
import doctest
import gzip
import re
import shlex
import struct
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import scratchvae as sv
from demos import LESSONS
from demos.__main__ import first_line, lesson_module, main
from demos.lesson import Lesson, Mean, number_text

matplotlib.use("Agg")
ROOT = Path(__file__).parent.parent


def numbers_in(value):
    """All numbers in nested dictionaries, tuples and arrays."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [n for item in value for n in numbers_in(item)]
    return [] if isinstance(value, str) or value is None else [float(n) for n in np.ravel(value)]


@pytest.fixture(autouse=True)
def without_frameworks(monkeypatch):
    """What the tests take and find must not depend on what else is installed."""
    monkeypatch.setattr(lesson_module("speed"), "is_installed", lambda module: False)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name == "speed" else ()) for name in LESSONS])
def test_lesson_runs_quickly_and_returns_finite_numbers(name, tmp_path, capsys):
    with Lesson(name, quick=True, out=tmp_path) as lesson:
        numbers = numbers_in(lesson_module(name).run(lesson))
    assert len(numbers) >= 3 and np.isfinite(numbers).all()
    printed = capsys.readouterr().out
    assert first_line(name) in printed
    assert all(line in printed for line in (tmp_path / f"{name}.txt").read_text().splitlines())
    announced, suffix = re.search(r"[Ww]rites ([^()]*)\((\.\w+)\)", lesson_module(name).__doc__).groups()
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.txt"} | {
        f"{stem}{suffix}" for stem in re.findall(r"\w+", announced) if stem != "and"}
    assert all(path.stat().st_size < {".png": 200_000, ".gif": 1_500_000,
                                      ".txt": 25_000}[path.suffix] for path in tmp_path.iterdir())


@pytest.mark.parametrize("name", LESSONS)
def test_help_says_what_it_shows_how_long_it_takes_and_what_it_writes(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80 < len(printed)
    text = " ".join(printed.replace("-\n", "-").split())
    assert stop.value.code == 0
    assert first_line(name)[-1] in ".?" and first_line(name) in text
    assert re.search(r"[Tt]akes about \d+ s", text) and re.search(r"[Ww]rites \w+", text)


@pytest.fixture(scope="module")
def mnist_like(tmp_path_factory):
    """A folder of MNIST-format files, two of the four gzipped: the bundled digits, each pixel drawn as 2 x 2."""
    folder = tmp_path_factory.mktemp("idx")
    X, labels = sv.load_digits()
    pixels = np.round(255 * X.reshape(-1, 8, 8)).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    for name, rows, opened in (("train", slice(0, 1200), open), ("t10k", slice(1200, None), gzip.open)):
        for kind, array in (("images-idx3-ubyte", pixels[rows]), ("labels-idx1-ubyte", labels[rows].astype(np.uint8))):
            suffix = ".gz" if opened is gzip.open else ""
            with opened(folder / f"{name}-{kind}{suffix}", "wb") as file:
                file.write(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())
    return folder


@pytest.mark.parametrize("name", ["vae", "elbo", "autoregressive", "few_labels"])
def test_lessons_take_mnist_format_files(name, mnist_like, tmp_path, capsys):
    with Lesson(name, quick=True, out=tmp_path, data=mnist_like) as lesson:
        images = lesson.images()
        numbers = numbers_in(lesson_module(name).run(lesson))
    assert [part.shape for part in images[:3]] == [(1100, 256), (100, 256), (597, 256)]
    assert images.test.min() == 0 and images.test.max() == 1 and set(images.test_labels) == set(range(10))
    pixel = images.test.reshape(-1, 16, 16)
    assert (pixel[:, ::2, ::2] == pixel[:, 1::2, 1::2]).all()  # read in the order in which they were written
    assert len(numbers) >= 3 and np.isfinite(numbers).all()
    printed = capsys.readouterr().out
    assert first_line(name) in printed and f"saved {tmp_path}" in printed


@pytest.mark.parametrize("part", ["loss", "gradient", "step", None])
def test_the_race_refuses_who_does_other_work(part):
    config = {"n_features": 12, "hidden": [7], "n_latent": 3, "activation": "tanh", "batch": 5, "threads": 1}

    class Contender:
        name = "someone"

        def ask(self, command):
            path = command.split()[1]
            vae = sv.VAE(12, hidden=(7,), n_latent=3, activation="tanh", rng=np.random.default_rng(0))
            with np.load(path) as file:
                vae.theta[:] = before = file["theta"]
                loss = vae.loss_and_grad(file["x"], eps=file["eps"]).loss
            sv.Adam(1e-3).step(vae.theta, vae.grad)
            np.savez(path, loss=loss * (1 + 0.001 * (part == "loss")), grad=vae.grad * (1 + 0.001 * (part == "gradient")),
                     theta=vae.theta + 0.01 * (part == "step") * (vae.theta - before))

    if part is None:
        return lesson_module("speed").agree([Contender()], config, np.random.default_rng(0))
    with pytest.raises(ValueError, match="^someone: it does not do the same work"):
        lesson_module("speed").agree([Contender()], config, np.random.default_rng(0))


def test_show_opens_a_window_with_every_figure_before_it_is_saved_and_closed(tmp_path, monkeypatch, capsys):
    shown = []

    def show():
        shown.append([plt.figure(n)._suptitle.get_text() for n in plt.get_fignums()])

    monkeypatch.setattr(plt, "show", show)
    monkeypatch.setattr(matplotlib, "use", lambda *_: pytest.fail("--show must leave the backend to Matplotlib"))
    assert main(["kl", "--quick", "--show", "--out", str(tmp_path)]) == 0
    assert [len(titles) for titles in shown] == [1] * len(list(tmp_path.glob("*.png"))) == [1, 1, 1]
    assert len({titles[0] for titles in shown}) == 3 and plt.get_fignums() == []
    assert capsys.readouterr().out.count("saved") == 3


def test_without_show_no_window_opens(tmp_path, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("no window was asked for"))
    assert main(["kl", "--quick", "--out", str(tmp_path)]) == 0


def test_without_a_name_every_lesson_is_listed_with_its_question(capsys):
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in LESSONS:
        assert any(line.split()[:1] == [name] and first_line(name) in line for line in lines)


def test_a_wrong_name_suggests_the_nearest(capsys):
    assert main(["gradient_chek"]) == 2
    assert "did you mean 'gradient_check'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments, told", [
    (["vae", "--data", "no/such/folder"], "no/such/folder"),
    (["pca", "--seed", "-1"], "--seed"),
    (["pca", "--out", "setup.cfg"], "setup.cfg"),
])
def test_bad_options_end_with_one_clear_line(arguments, told, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main([*arguments, "--quick"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(arguments[0]) and told in error


def test_ctrl_c_ends_a_lesson_with_what_was_saved(capsys, monkeypatch):
    def interrupted(lesson):
        raise KeyboardInterrupt
    monkeypatch.setattr(lesson_module("pca"), "run", interrupted)
    assert main(["pca"]) == 130
    assert "whole" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_numbers(tmp_path):
    def numbers(seed):
        return numbers_in(lesson_module("reparameterization").run(Lesson("reparameterization", quick=True,
                                                                         out=tmp_path, seed=seed)))
    assert numbers(3) == numbers(3) != numbers(4)


def test_tables_print_means_with_digits_that_their_errors_justify():
    assert str(Mean(-18.8712, 0.2431)) == "-18.87 +- 0.24"
    assert str(Mean(0.12345, 0.00051)) == "0.12345 +- 0.00051"
    value, error = Mean.of([1.0, 2.0, 3.0, 6.0])
    assert (value, error) == (3.0, pytest.approx(np.sqrt(14 / 3) / 2, rel=1e-12))
    assert [number_text(x) for x in (3, 0.123456, 12345.6, "text")] == ["3", "0.1235", "12346", "text"]


def test_the_readme_command_that_ci_runs_is_there_and_the_lesson_command_names_a_lesson():
    commands = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert shlex.split(commands[0])[-3:] == ["-m", "demos", "vae"]
    assert shlex.split(commands[1])[-2:] == ["-m", "pytest"]


def test_the_readme_examples_print_what_they_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert (failed, tried) == (0, 19) and {path.name for path in tmp_path.iterdir()} == {"drawn.png", "vae.npz"}


def test_a_lesson_runs_as_a_command_without_a_warning(tmp_path):
    done = subprocess.run([sys.executable, "-W", "error::RuntimeWarning", "-m", "demos", "pca", "--quick", "--out", tmp_path],
                          cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
