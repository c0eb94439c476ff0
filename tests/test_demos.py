"""Do the lessons run, speak clearly and measure something? Each one with --quick, and the command line around them."""
import doctest
import gzip
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import scratchvae as sv
from figures import announced, faults
from demos import LESSONS, race
from demos.__main__ import about, first_line, lesson_module, main
from demos.images import checked, read
from demos.lesson import WIDTH, Lesson, Mean, number_text
from demos.trained import joined, look, on_a_finer_grid, on_own_grids
from scratchvae import plotting
from scratchvae.analysis import elbo

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


@pytest.fixture
def found(monkeypatch):
    """Name -> what is wrong with each figure that is saved."""
    save, found = plotting.save, {}

    def looked_at(figure, path):
        wide = figure.get_figwidth()
        found[path.name] = faults(figure) + ([] if wide == plotting.WIDTH else [f"{wide} wide"])
        return save(figure, path)

    monkeypatch.setattr(plotting, "save", looked_at)
    return found


# Those of 3 s and more with --quick.
SLOW = ("speed", "posterior", "latent_space", "mistakes", "few_labels", "unfolding", "toy", "elbo", "conditional", "faces",
        "autoregressive", "bayes", "dimension_reduction", "observation", "evidence")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in LESSONS])
def test_lesson_runs_quickly_and_returns_finite_numbers(name, tmp_path, capsys, found):
    with Lesson(name, quick=True, out=tmp_path) as lesson:
        numbers = numbers_in(lesson_module(name).run(lesson))
    assert {name: wrong for name, wrong in found.items() if wrong} == {}     # nothing overprints or is cut off
    assert len(numbers) >= 3 and np.isfinite(numbers).all()
    printed = capsys.readouterr().out
    assert first_line(name) in " ".join(printed.split())
    assert all(line in printed for line in (tmp_path / f"{name}.txt").read_text().splitlines())
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.txt"} | announced(lesson_module(name))
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
    assert re.search(r"[Tt]akes\s+about\s+\d+\s+s", text) and re.search(r"[Ww]rites \w+", text)
    assert ("--data DIR" in text) == bool(re.search(r"on\s60,000\simages\s(about\s\d+\s(s|min)|as\slong)", text))


def write_idx(folder, images, labels, test_images, test_labels):
    """A folder of MNIST-format files, the test's gzipped; gives the folder."""
    folder.mkdir(exist_ok=True)
    for opened, name, array in ((open, "train-images-idx3-ubyte", images), (open, "train-labels-idx1-ubyte", labels),
                                (gzip.open, "t10k-images-idx3-ubyte.gz", test_images),
                                (gzip.open, "t10k-labels-idx1-ubyte.gz", test_labels)):
        with opened(folder / name, "wb") as file:
            file.write(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape))
            file.write(array.astype(np.uint8).tobytes())
    return folder


def drawn_larger(rows):
    """The bundled digits of these rows as bytes, each pixel drawn as 2 x 2, and their labels."""
    X, labels = sv.load_digits()
    return np.round(255 * X.reshape(-1, 8, 8)).repeat(2, axis=1).repeat(2, axis=2)[rows], labels[rows]


@pytest.fixture(scope="module")
def mnist_like(tmp_path_factory):
    return write_idx(tmp_path_factory.mktemp("idx"), *drawn_larger(slice(0, 1200)), *drawn_larger(slice(1200, None)))


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Not square, three classes, labels from 1, sorted by class."""
    X, labels = drawn_larger(np.argsort(sv.load_digits()[1], kind="stable"))
    keep, test = np.isin(labels, (1, 4, 7)), np.arange(len(labels)) % 4 == 0
    X, labels = X[:, 1:15:2], np.searchsorted((1, 4, 7), labels) + 1                         # 7 x 16
    return write_idx(tmp_path_factory.mktemp("odd"), X[keep & ~test], labels[keep & ~test], X[keep & test],
                     labels[keep & test])


def test_lessons_take_mnist_format_files(mnist_like, tmp_path, capsys):
    with Lesson("pca", quick=True, out=tmp_path, data=mnist_like) as lesson:
        images = lesson.images()
        numbers = numbers_in(lesson_module("pca").run(lesson))
    assert [part.shape for part in images[:3]] == [(1100, 256), (100, 256), (597, 256)] and images.shape == (16, 16)
    assert images.test.min() == 0 and images.test.max() == 1 and set(images.test_labels) == set(range(10))
    pixel = images.test.reshape(-1, 16, 16)
    assert (pixel[:, ::2, ::2] == pixel[:, 1::2, 1::2]).all()  # read in the order in which they were written
    assert len(numbers) >= 3 and np.isfinite(numbers).all()
    printed = " ".join(capsys.readouterr().out.split())
    assert first_line("pca") in printed and f"saved {tmp_path}" in printed
    assert f"{mnist_like}: 1100 training, 100 validation and 597 test images of 16 x 16 pixels." in printed


@pytest.mark.parametrize("data, default, n_pixels", [(None, None, 64), (None, "mnist", 784), ("digits", "mnist", 64),
                                                     ("mnist", None, 784)])
def test_a_lesson_may_have_images_of_its_own_unless_others_are_asked_for(data, default, n_pixels, tmp_path, capsys):
    images = Lesson("vae", quick=True, out=tmp_path, data=data).images(default=default)
    assert images.train.shape[1] == n_pixels
    source = data or default
    assert ("training" in capsys.readouterr().out) == (source is not None)


def test_a_lesson_may_look_at_both_bundled_sets(tmp_path, capsys):
    both = Lesson("observation", quick=True, out=tmp_path)
    one = Lesson("observation", quick=True, out=tmp_path, data="digits")
    for _ in range(2):
        assert [both.images(default=name).train.shape[1] for name in ("digits", "mnist")] == [64, 784]
    assert capsys.readouterr().out.count(" training, ") == 2                     # each said once
    assert [one.images(default=name).train.shape[1] for name in ("digits", "mnist")] == [64, 64]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LESSONS if "--data DIR" in about(name) and name != "speed"])
def test_lessons_take_images_that_are_not_square_of_three_classes_in_order(name, odd, tmp_path, capsys, found):
    with Lesson(name, quick=True, out=tmp_path, data=odd, names="eins,vier,sieben") as lesson:
        numbers = numbers_in(lesson_module(name).run(lesson))
        images = lesson.images()
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert len(numbers) >= 3 and np.isfinite(numbers).all()
    assert images.shape == (7, 16) and images.names == ("eins", "vier", "sieben")
    assert "7 x 16 pixels. Classes: 3 (eins, vier, sieben)" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("quick", [False, True])
def test_images_are_split_shuffled_and_in_balance(odd, quick):
    images = read(odd, quick=quick)
    train, valid, test = (np.bincount(labels, minlength=3) / len(labels) for labels in images[3:6])
    assert np.abs(train - valid).max() < 0.1 and np.abs(train - test).max() < 0.1
    assert all(len(np.unique(labels[:20])) == 3 for labels in images[3:6])
    assert (read(odd, quick=quick).train == images.train).all()
    assert len(images.train) + len(images.valid) == 406 and images.one_of_each(2).shape == (2,)


def test_classes_are_named(odd, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("one\nfour\nseven\n")
    assert read(odd).names == ("1", "2", "3")
    assert read(odd, str(names)).names == ("one", "four", "seven")
    assert read(odd, "zero,one,two,three").names == ("one", "two", "three")    # of all labels, from 0 on
    assert read("digits").names == tuple("0123456789") and read().shape == (8, 8)
    with pytest.raises(ValueError, match="--names: want a name for each of the 3 classes 1, 2, 3, .* got 2: a, b"):
        read(odd, "a,b")


def noise(n, *shape):
    return np.random.default_rng(n).integers(256, size=(n, *shape))


BAD_IMAGES = {
    "few": (noise(99, 6, 6), noise(30, 6, 6), "at least 100 training images, got 99"),
    "few for the test": (noise(100, 6, 6), noise(29, 6, 6), "at least 30 test images, got 29"),
    "small": (noise(200, 5, 7), noise(40, 5, 7), "36 to 4096 pixels, got 5 x 7"),
    "large": (noise(200, 65, 64), noise(40, 65, 64), "36 to 4096 pixels, got 65 x 64"),
    "of two shapes": (noise(200, 6, 7), noise(40, 7, 6), "of one shape, got"),
    "all the same": (noise(200, 6, 6) * 0 + 7, noise(40, 6, 6), "are all the same"),
    "grey": (noise(200, 1, 1) + np.zeros((1, 6, 6)), noise(40, 6, 6), "differ in 1"),
    "dark": (noise(200, 6, 6) // 3, noise(40, 6, 6), "want training images that differ in more than 32 directions; these, "
             "binarised at one half, are all the same"),
    "the same for the test": (noise(200, 6, 6), noise(40, 6, 6) * 0, "want test images that differ in more than 9 directions; "
                              "these are all the same"),
    "few that differ for the test": (noise(200, 6, 6), noise(40, 6, 6)[np.arange(40) % 5], "these differ in 4"),
    "dark for the test": (noise(200, 6, 6), noise(40, 6, 6) // 3, "want test images that differ in more than 9 directions; "
                          "these, binarised at one half, are all the same"),
}


@pytest.mark.parametrize("name", ["vae", "mistakes", "observation", "reparameterization"])
@pytest.mark.parametrize("images, test_images, told", BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_images_that_no_lesson_can_use_are_refused_before_training(name, images, test_images, told, tmp_path,
                                                                  monkeypatch, capsys):
    monkeypatch.setattr(sv, "fit", lambda *_, **__: pytest.fail("trained"))
    labels, test_labels = (np.arange(len(part)) % 3 for part in (images, test_images))
    folder = write_idx(tmp_path / "idx", images, labels, test_images, test_labels)
    assert main([name, "--quick", "--out", str(tmp_path), "--data", str(folder)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"{name}: ") and told in error and len(error.splitlines()) == 1


@pytest.mark.parametrize("name", ["bayes", "kl", "few_labels", "latent_space", "explore"])
def test_lessons_that_compare_classes_want_two(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sv, "fit", lambda *_, **__: pytest.fail("trained"))
    folder = write_idx(tmp_path / "idx", noise(200, 6, 6), np.arange(200) == 0, noise(40, 6, 6), np.zeros(40))
    assert main([name, "--quick", "--out", str(tmp_path), "--data", str(folder)]) == 1
    assert "want at least 2 of 10 training images or more, got 1" in capsys.readouterr().err


def test_validation_images_are_looked_at_too():
    images = read("digits")
    with pytest.raises(ValueError, match="want validation images that differ in more than 1 directions; these are all the"):
        checked(images._replace(valid=images.valid[:1].repeat(20, axis=0)))


@pytest.mark.parametrize("name", ["bayes", "kl", "few_labels", "latent_space", "explore", "conditional"])
@pytest.mark.parametrize("test_labels, told", [
    (np.arange(40) % 2 + 2, "want test images of at least 2, got 0; left out are classes without training images, 2, 3"),
    (np.zeros(40), "want test images of at least 2, got 1"),
    (np.where(np.arange(40) < 8, np.arange(40) % 2, 2), "want test images that differ in more than 9 directions; these differ "
                                                        "in 7")])
def test_lessons_that_compare_classes_want_the_training_images_classes_in_the_test(name, test_labels, told, tmp_path,
                                                                                  monkeypatch, capsys):
    monkeypatch.setattr(sv, "fit", lambda *_, **__: pytest.fail("trained"))
    folder = write_idx(tmp_path / "idx", noise(200, 6, 6), np.arange(200) % 2, noise(40, 6, 6), test_labels)
    assert main([name, "--quick", "--out", str(tmp_path), "--data", str(folder)]) == 1
    assert told in capsys.readouterr().err


def test_classes_without_training_images_are_left_out_where_classes_are_compared_and_said_everywhere(tmp_path, capsys):
    labels = np.array([1, 4, 9])[np.arange(200) % 3]
    folder = write_idx(tmp_path / "idx", noise(200, 6, 6), labels, noise(100, 6, 6), np.array([1, 2, 4, 9])[np.arange(100) % 4])
    lesson = Lesson("vae", out=tmp_path, data=folder)
    every, known = lesson.images(), lesson.images(classes=2)
    assert every.names == ("1", "2", "4", "9") and known.names == ("1", "4", "9") and len(known.test) == 75
    assert "with 0 to 62 training images; no training images of 2." in " ".join(capsys.readouterr().out.split())
    for part in ("train", "valid", "test"):
        of = {image.tobytes(): every.names[c] for image, c in zip(getattr(every, part), getattr(every, f"{part}_labels"))}
        assert [known.names[c] for c in getattr(known, f"{part}_labels")] == [of[x.tobytes()] for x in getattr(known, part)]
    Lesson("conditional", out=tmp_path, data=folder).images(classes=2)
    assert "It leaves out classes without training images, 2, and" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("change, told", [
    (lambda X: X, False), (lambda X: 255 - X, True), (lambda X: np.minimum(X + 100, 255), True), (lambda X: X // 3, True)])
def test_test_images_unlike_the_training_images_are_said_to_be(change, told, tmp_path):
    X, labels = drawn_larger(slice(None))
    folder = write_idx(tmp_path / "idx", X[:1200], labels[:1200], change(X[1200:]), labels[1200:])
    assert ("The test images are unlike the training images: their mean pixels are" in read(folder).described()) is told


@pytest.mark.parametrize("side, n", [(6, 2400), (28, 1530), (64, 292)])
def test_quick_looks_at_fewer_images_where_they_are_large_and_trains_on_about_as_many_pixels(side, n, tmp_path, capsys):
    folder = write_idx(tmp_path / "idx", noise(2500, side, side), np.arange(2500) % 2, noise(2500, side, side),
                       np.arange(2500) % 2)
    lesson = Lesson("vae", quick=True, out=tmp_path, data=folder)
    images = lesson.images()
    assert len(images.train) + len(images.valid) == len(images.test) == n
    assert lesson.epochs(400, 8, images.train) == {6: 4, 28: 6, 64: 6}[side]
    assert ("times MNIST's pixels: --quick looks at fewer" in " ".join(capsys.readouterr().out.split())) is (side == 64)


@pytest.mark.parametrize("shape", [(40, 7), (7, 40)])
def test_eigenvalues_of_the_covariance_also_of_fewer_images_than_pixels(shape):
    X = np.random.default_rng(0).random(shape)
    want = np.linalg.eigvalsh(np.cov(X, rowvar=False, bias=True))[::-1]
    np.testing.assert_allclose(lesson_module("observation").eigenvalues(X), want, atol=1e-15)


# ---- grids of each image's own --------------------------------------------------------------------------------------

@pytest.mark.parametrize("narrow", [1, 3])
def test_every_image_has_a_grid_that_resolves_its_posterior(narrow, tmp_path):
    """log p(x) as on one fine grid over the whole prior, also of a decoder three times as steep; nothing is left out."""
    lesson, rng = Lesson("posterior", out=tmp_path), np.random.default_rng(0)
    vae = sv.VAE(64, hidden=(8,), n_latent=2, activation="tanh", rng=rng, dtype=np.float64)
    vae.decoder.layers[-1].W *= 2
    vae.decoder.layers[0].W *= narrow
    X = vae.sample(3, rng=rng)
    rows, boxes, pieces = on_own_grids(lesson, vae, X, 3)
    assert rows.tolist() == list(range(3)) and boxes.shape == (3, 2, 2) and not lesson.transcript
    whole = sv.grid_log_evidence(vae, X, sv.latent_grid(2, step=0.03))
    np.testing.assert_allclose([p.log_evidence[0] for p in pieces], whole, atol=1e-6)
    halved = [look(vae, X[[i]], boxes[i], vae.encode(X[[i]]), on_a_finer_grid) for i in rows]
    np.testing.assert_allclose(halved, whole, atol=1e-6)
    together = joined(pieces)
    np.testing.assert_allclose(elbo.elbo(together), [elbo.elbo(p)[0] for p in pieces], rtol=1e-12)
    assert all(np.ptp(values) < 1e-6 for values in zip(*list(elbo.derivation(joined(pieces[:1])).values())[:-1]))


def test_images_without_a_grid_are_left_out_aloud(tmp_path):
    lesson, rng = Lesson("posterior", out=tmp_path), np.random.default_rng(0)
    vae = sv.VAE(64, hidden=(8,), n_latent=2, rng=rng, dtype=np.float64)
    X = sv.binarize(sv.load_digits()[0])[:9]
    vae.encoder.layers[-1].b[2] = -60.0                                                  # q is a needle
    with pytest.raises(ValueError, match="no posterior is wide enough for a grid"):
        on_own_grids(lesson, vae, X, 2)
    (told,) = lesson.transcript
    assert " ".join(told.split()) == ("Left out of the first 9 test images, for a posterior too narrow or too long for 281 "
                                      "x 281 points: 9.")


def test_a_table_fits_a_page(tmp_path):
    lesson = Lesson("kl", out=tmp_path)
    number = Mean(-0.0041, 0.0027)
    lesson.table("A title of many words " * 9, ["what", "a header of several words " * 2, *["mean error"] * 4],
                 [["some long text that can be broken " * 2, number, number, "1.0 +- 0.1", 3.5, number]] * 2)
    lesson.say("words " * 40 + "\n\nlines\n  as they are")
    lines = "".join(lesson.transcript).splitlines()
    assert max(map(len, lines)) <= WIDTH and lines[-1] == "  as they are"
    assert sum(line.count("-0.0041 +- 0.0027") for line in lines) == 6 and sum(line.count("1.0 +- 0.1") for line in lines) == 2


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
        return race.agree([Contender()], config, np.random.default_rng(0))
    with pytest.raises(ValueError, match="^someone: it does not do the same work"):
        race.agree([Contender()], config, np.random.default_rng(0))


def test_show_opens_a_window_with_every_figure_before_it_is_saved_and_closed(tmp_path, monkeypatch, capsys):
    shown = []

    def show():
        shown.append([plt.figure(n)._suptitle.get_text() for n in plt.get_fignums()])

    monkeypatch.setattr(plt, "show", show)
    monkeypatch.setattr("demos.__main__.no_window", lambda: None)
    monkeypatch.setattr(matplotlib, "use", lambda *_: pytest.fail("--show must leave the backend to Matplotlib"))
    assert main(["kl", "--quick", "--show", "--out", str(tmp_path)]) == 0
    assert [len(titles) for titles in shown] == [1] * len(list(tmp_path.glob("*.png"))) == [1, 1, 1]
    assert len({titles[0] for titles in shown}) == 3 and plt.get_fignums() == []
    assert capsys.readouterr().out.count("saved") == 3


def test_show_without_a_window_says_so_before_training_and_goes_on(tmp_path, capsys):
    assert main(["kl", "--quick", "--show", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert told.err.startswith("--show: no window can be opened") and told.out.count("saved") == 3


@pytest.mark.slow
@pytest.mark.parametrize("environment, told", [
    ({"MPLBACKEND": "nonsense"}, "MPLBACKEND is 'nonsense': "), ({"MPLBACKEND": "agg"}, "MPLBACKEND is 'agg', which shows"),
    ({}, "there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set"),
    ({"DISPLAY": ":0"}, "there is no toolkit; install one, as by pip install PyQt6")])
def test_show_says_what_is_missing_in_one_line_and_goes_on(environment, told, tmp_path):
    kept = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "DISPLAY", "WAYLAND_DISPLAY")}
    for toolkit in ("tkinter", "_tkinter", "PyQt6", "PySide6", "PyQt5", "PySide2", "gi", "cairo", "wx", "tornado"):
        (tmp_path / f"{toolkit}.py").write_text("raise ImportError")
    if "DISPLAY" in environment and sys.platform != "linux":
        pytest.skip("DISPLAY is Linux's")
    done = subprocess.run([sys.executable, "-m", "demos", "kl", "--quick", "--show", "--out", tmp_path / "out"], cwd=ROOT,
                          capture_output=True, text=True, env={**kept, "PYTHONPATH": str(tmp_path), **environment})
    assert done.returncode == 0 and done.stdout.count("saved") == 3, done.stderr
    first, *rest = done.stderr.splitlines()
    assert first.startswith(f"--show: no window can be opened ({told}") and first.endswith("; figures are only saved")
    assert rest == []


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
    (["pca", "--out", "setup.cfg"], "--out: want a folder to write to, setup.cfg is none"),
])
def test_bad_options_end_with_one_clear_line(arguments, told, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main([*arguments, "--quick"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(arguments[0]) and told in error


def test_out_is_tried_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson_module("pca"), "run", lambda lesson: pytest.fail("it ran"))
    (tmp_path / "file").write_text("")
    assert main(["pca", "--out", str(tmp_path / "file" / "below")]) == 1


def test_of_all_lessons_one_that_refuses_does_not_stop_the_others(monkeypatch, tmp_path, capsys):
    def refuse(lesson):
        raise ValueError("--data: not with these")
    for name in LESSONS:
        monkeypatch.setattr(lesson_module(name), "run", refuse if name == "kl" else lambda lesson: None)
    assert main(["all", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "kl: --data: not with these\n"
    assert len(list(tmp_path.glob("*.txt"))) == len(LESSONS) - 1


@pytest.mark.parametrize("name", [name for name in LESSONS if "--data DIR" not in about(name)])
def test_a_lesson_without_images_takes_no_data(name):
    with pytest.raises(SystemExit):
        main([name, "--data", "somewhere"])


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


def test_a_lesson_runs_as_a_module(tmp_path):
    done = subprocess.run([sys.executable, "-W", "error", "-m", "demos.kl", "--quick", "--out", tmp_path], cwd=ROOT,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith("== kl =") and len(list(tmp_path.glob("*.png"))) == 3
    for name in LESSONS:
        assert Path(lesson_module(name).__file__).read_text().endswith("\n    run_as_command(__spec__)\n")


def test_the_list_and_the_help_import_neither_numpy_nor_matplotlib():
    code = ("import sys; from demos.__main__ import main, parser; main([]); parser('vae').format_help();"
            "sys.exit(any(m in sys.modules for m in ('numpy', 'matplotlib')))")
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="no pipes of this kind here")
@pytest.mark.parametrize("command", [["demos"], ["demos", "kl", "--quick"], ["demos.kl", "--quick"]])
def test_a_pipe_that_closes_ends_it_quietly(command, tmp_path):
    options = [] if len(command) == 1 else ["--out", tmp_path]
    process = subprocess.Popen([sys.executable, "-m", *command, *options], cwd=ROOT, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    process.stdout.close()   # a reader that has seen enough before the first word
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait() == -signal.SIGPIPE


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="no signals of this kind here")
@pytest.mark.parametrize("command", [["demos", "kl"], ["demos.kl"]])
@pytest.mark.parametrize("module", ["numpy", "matplotlib"])
def test_ctrl_c_during_an_import_ends_it_quietly(command, module, tmp_path):
    (tmp_path / f"{module}.py").write_text("import time; print('importing', flush=True); time.sleep(60)")
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ("", "") and process.returncode == -signal.SIGINT
