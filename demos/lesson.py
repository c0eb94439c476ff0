"""What every lesson needs: the options of the command line, its images, tables, and a place for figures.

What a lesson says and its tables are printed and, when it is done, written to NAME.txt beside its figures.

A lesson is a module whose docstring says what it shows, how long it takes and what it writes, and whose `run(lesson)`
prints a table of measured numbers and returns them as a dictionary.
"""
import tempfile
import textwrap
import time
from collections import namedtuple
from itertools import zip_longest
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import scratchvae as sv
from demos.images import checked, read
from scratchvae import plotting

WIDTH = 96      # characters that a page shows without scrolling


class Lesson:
    """The options of one run, and how it speaks. As a context it prints the name first and the time taken last."""

    def __init__(self, name, *, seed=0, quick=False, out="out", data=None, names=None, show=False,
                 walk=False):
        if seed < 0:
            raise ValueError(f"--seed: want an integer >= 0, got {seed}")
        self.name, self.seed, self.quick, self.out, self.data, self.show = name, seed, quick, Path(out), data, show
        self.names, self.walk, self.transcript, self._images = names, walk, [], {}

    def __enter__(self):
        self._start = time.monotonic()
        self.try_out()
        print(f"\n== {self.name} " + "=" * (100 - len(self.name)))
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            (self.out / f"{self.name}.txt").write_text("".join(self.transcript))
            print(f"({self.name} took {time.monotonic() - self._start:.1f} s)", flush=True)

    def try_out(self):
        """Make the --out folder and write to it, before anything is trained; OSError if it cannot be."""
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.out).close()
        except OSError as error:
            raise OSError(f"--out: want a folder to write to, {self.out} is none: {error.strerror}") from error

    def rng(self, stream=0):
        """A generator of its own for each `stream`, all following from --seed."""
        return np.random.default_rng([self.seed, stream])

    def pick(self, full, quick):
        """The first for a real run, the second for --quick."""
        return quick if self.quick else full

    def epochs(self, full, quick, X):
        """As `pick`, for a thousand images; of more, as many epochs as see about as many images, at least one.

        With --quick of MNIST's size: of larger ones, as many epochs as see about as many pixels.
        """
        wanted = self.pick(full, quick)
        return int(np.clip(round(wanted * 1000 / (len(X) * self.larger(X))), 1, wanted))

    def larger(self, X):
        """How many times MNIST's pixels the images X have, at least 1; 1 without --quick, when time is no matter."""
        return self.pick(1, max(1, X.shape[1] / 784))

    def images(self, binary=False, most=None, classes=1, default=None):
        """`demos.images.Images`: train, validation and test images and their labels; no lesson tunes on the test part.

        binary : pixels of at least one half become 1, the others 0      most : so many training images at most
        classes : ValueError if fewer have 10 training images      default : without --data, as "mnist"
        What --data or the default holds is said when it is first read.
        """
        source = default if self.data is None else self.data
        first = source not in self._images
        if first:
            self._images[source] = read(source, self.names, self.quick)
        images = self._images[source]
        if first and source is not None:
            self.say(f"{source}: {images.described()}")
            if self.larger(images.train) > 1:
                self.say(f"They have {self.larger(images.train):.1f} times MNIST's pixels: --quick looks at fewer of "
                         "them and takes about 10 to 20 s, `autoregressive`, which draws pixel by pixel, a minute or two.")
        if most is not None and len(images.train) > most:
            if first:
                self.say(f"To save time this lesson trains on {most} of the {len(images.train)} training images.")
            images = images.some(most)
        if classes > 1:
            images, unknown = images.of_known_classes()
            n, tested = np.sum(np.bincount(images.train_labels) >= 10), len(np.unique(images.test_labels))
            if n < classes:
                raise ValueError(f"--data: this lesson compares classes: want at least {classes} of 10 training images "
                                 f"or more, got {n}")
            left_out = f"classes without training images, {', '.join(unknown)}"
            if tested < classes:
                raise ValueError(f"--data: this lesson compares classes: want test images of at least {classes}, got "
                                 f"{tested}" + f"; left out are {left_out}" * bool(unknown))
            if unknown:
                checked(images)
            if first and unknown:
                self.say(f"This lesson compares classes. It leaves out {left_out}, and their test images.")
        return images.binarized() if binary else images

    def progress(self, label):
        """A callback for `fit`: one line a terminal rewrites, or a few lines in a log."""
        return sv.Progress(f"  {label}:")

    def say(self, text=""):
        """Print paragraphs, filled anew where a line is wider than a page, and keep them for the transcript."""
        self._print("\n\n".join(map(filled, text.split("\n\n"))))

    def _print(self, text):
        self.transcript.append(text + "\n")
        print(text, flush=True)

    def wait(self):
        """With --walk, go on when Enter is pressed; where nobody can press it, go on."""
        try:
            self.walk and input()
        except EOFError:
            self.walk = False

    def table(self, title, headers, rows):
        """Print rows of text and numbers under their headers; numbers to the right, as given by `number_text`."""
        left = [all(isinstance(row[i], str) for row in rows) for i in range(len(headers))]
        cells = broken([[str(h) for h in headers]] + [[number_text(cell) for cell in row] for row in rows], left)
        widths = [max(len(line) for row in cells for line in row[i]) for i in range(len(headers))]
        lines = ["", textwrap.fill(title, WIDTH)]
        for n, row in enumerate(cells):
            for parts in zip_longest(*row, fillvalue=""):
                padded = (f"{c:<{w}}" if to_left else f"{c:>{w}}" for c, w, to_left in zip(parts, widths, left))
                lines.append("  " + "  ".join(padded).rstrip())
            if n == 0:
                lines.append("  " + "  ".join("-" * w for w in widths))
        self._print("\n".join(lines) + "\n")

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


def filled(paragraph):
    """The paragraph filled anew if a line is wider than a page; the line ends before and after it stay."""
    text = paragraph.strip("\n")
    wide = any(len(line) > WIDTH for line in text.split("\n"))
    return paragraph.replace(text, textwrap.fill(text.replace("\n", " "), WIDTH)) if wide else paragraph


def broken(cells, left):
    """Each cell as a list of lines, so that the rows fit a page: first headers are broken, then texts, never numbers."""
    def lines(cell, width):
        return [line.replace("\0", " +- ") for line in
                textwrap.wrap(cell.replace(" +- ", "\0"), width, break_long_words=False, break_on_hyphens=False)] or [""]
    head, body = cells[0], cells[1:]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    whole = [max((len(row[i]) for row in body), default=0) for i in range(len(head))]
    word = [max((len(line) for row in cells for line in lines(row[i], 1)), default=0) for i in range(len(head))]
    least = [[max(a, max(map(len, lines(h, 1)))) for a, h in zip(whole, head)],
             [w if to_left else max(w, a) for w, a, to_left in zip(word, whole, left)]]
    for limits in least:
        while sum(widths) + 2 * len(widths) > WIDTH:
            spare = [w * (w > limit) for w, limit in zip(widths, limits)]
            if not any(spare):
                break
            widths[spare.index(max(spare))] -= 1
    return [[lines(cell, width) for cell, width in zip(row, widths)] for row in cells]


def number_text(cell):
    """A cell as the tables print it."""
    if isinstance(cell, float):
        return f"{cell:.4g}" if abs(cell) < 1000 else f"{cell:.0f}"
    return str(cell)
