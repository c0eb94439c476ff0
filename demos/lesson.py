"""What every lesson needs: the options of the command line, data with a fixed split, tables, and a place for figures.

What a lesson says and its tables are printed and, when it is done, written to NAME.txt beside its figures.

A lesson is a module whose docstring says what it shows, how long it takes and what it writes, and whose `run(lesson)`
prints a table of measured numbers and returns them as a dictionary.
"""
import time
from collections import namedtuple
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import scratchvae as sv
from scratchvae import plotting

Images = namedtuple("Images", "train valid test train_labels valid_labels test_labels")


class Lesson:
    """The options of one run, and how it speaks. As a context it prints the name first and the time taken last."""

    def __init__(self, name, *, seed=0, quick=False, out="out", data=None, show=False):
        if seed < 0:
            raise ValueError(f"--seed: want an integer >= 0, got {seed}")
        self.name, self.seed, self.quick, self.out, self.data, self.show = name, seed, quick, Path(out), data, show
        self.transcript = []

    def __enter__(self):
        self._start = time.monotonic()
        print(f"\n== {self.name} " + "=" * (100 - len(self.name)))
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.out.mkdir(parents=True, exist_ok=True)
            (self.out / f"{self.name}.txt").write_text("".join(self.transcript))
            print(f"({self.name} took {time.monotonic() - self._start:.1f} s)", flush=True)

    def rng(self, stream=0):
        """A generator of its own for each `stream`, all following from --seed."""
        return np.random.default_rng([self.seed, stream])

    def pick(self, full, quick):
        """The first for a real run, the second for --quick."""
        return quick if self.quick else full

    def images(self, binary=False):
        """Train, validation and test images (N, D) in [0, 1] and their labels; no lesson tunes on the test part.

        The bundled digits, split 1000 / 297 / 500 with the classes in balance, or with --data the MNIST-format files,
        the last twelfth of the training file for validation. binary : pixels of at least one half become 1, the others
        0.
        """
        treat = sv.binarize if binary else np.asarray
        if self.data is None:
            X, labels = sv.load_digits()
            parts = sv.split(labels)
            X = treat(X.astype(np.float32))
            return Images(*(X[rows] for rows in parts), *(labels[rows] for rows in parts))
        X, labels = sv.load_idx(self.data, "train")
        X, n = treat(X), len(X) - len(X) // 12
        X_test, test_labels = sv.load_idx(self.data, "test")
        if self.quick:
            X, labels, n = X[:2400], labels[:2400], min(n, 2000)
        return Images(X[:n], X[n:], treat(X_test), labels[:n], labels[n:], test_labels)

    def progress(self, label):
        """A callback for `fit`: one line a terminal rewrites, or a few lines in a log."""
        return sv.Progress(f"  {label}:")

    def say(self, text=""):
        """Print a paragraph, and keep it for the transcript."""
        self.transcript.append(text + "\n")
        print(text, flush=True)

    def table(self, title, headers, rows):
        """Print rows of text and numbers under their headers; numbers to the right, as given by `number_text`."""
        cells = [[str(h) for h in headers]] + [[number_text(cell) for cell in row] for row in rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(headers))]
        left = [all(isinstance(row[i], str) for row in rows) for i in range(len(headers))]
        lines = ["", title]
        for n, row in enumerate(cells):
            padded = (f"{c:<{w}}" if to_left else f"{c:>{w}}" for c, w, to_left in zip(row, widths, left))
            lines.append("  " + "  ".join(padded).rstrip())
            if n == 0:
                lines.append("  " + "  ".join("-" * w for w in widths))
        self.say("\n".join(lines) + "\n")

    def save(self, figure, name):
        """Show the figure if asked to, write it to the --out folder, and say where."""
        if self.show:
            plt.show()
        path = plotting.save(figure, self.out / f"{name}.png")
        print(f"  saved {path}", flush=True)
        return path


class Mean(namedtuple("Mean", "value error")):
    """A mean with its standard error, printed as 1.23 +- 0.04."""

    @classmethod
    def of(cls, values):
        """The mean of independent values (N,), N >= 2, and its standard error s / sqrt(N)."""
        values = np.asarray(values, dtype=np.float64)
        return cls(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))

    def __str__(self):
        digits = 2 if self.error == 0 else int(np.clip(1 - np.floor(np.log10(self.error)), 0, 6))
        return f"{self.value:.{digits}f} +- {self.error:.{digits}f}"


def number_text(cell):
    """A cell as the tables print it."""
    if isinstance(cell, float):
        return f"{cell:.4g}" if abs(cell) < 1000 else f"{cell:.0f}"
    return str(cell)
