"""Which images does a lesson look at? The bundled digits or a folder's, looked at first and split in one way.

Training and validation images are drawn from the same labelled ones, shuffled, classes in balance, by one seed for all
lessons; so the first n of any part are a fair sample of it. Labels become 0..C-1, whatever the files call them.
"""
import os
import re
from collections import namedtuple
from pathlib import Path

import numpy as np

import scratchvae as sv

COMPONENTS = 32            # the most that a lesson asks for
PIXELS = 36, 4096          # more than the components, and D x D numbers fit in memory
FEWEST = {"training": 100, "test": 30}
QUICK = 2400, 1_200_000    # images of a part's file, and their pixels, at most with --quick
UNLIKE = 0.15              # of the training images' variance, between the parts' mean images, is said
DIFFER = {"training": COMPONENTS, "validation": 1, "test": 9}   # directions, of which each part must have more


class Images(namedtuple("Images", "train valid test train_labels valid_labels test_labels shape names")):
    """Three parts, each (N, D) float32 in [0, 1], their labels 0..C-1, the images' (h, w) and the classes' C names."""

    @property
    def large(self):
        """Whether these are MNIST's size rather than the bundled digits', and want a larger network."""
        return self.train.shape[1] > 256

    @property
    def layers_to_a_plane(self):
        """Hidden layers of a network with two latents, by the validation images' ELBO: at 784 pixels a second one gains
        13 nats (with 20 latents it costs 5)."""
        return (200, 200) if self.large else (128,)

    def one_of_each(self, most=10):
        """The first test image of each class that has one, of at most so many classes : row numbers."""
        return np.unique(self.test_labels, return_index=True)[1][:most]

    def some(self, n):
        """The same with the first n training images."""
        return self._replace(train=self.train[:n], train_labels=self.train_labels[:n])

    def binarized(self):
        """Pixels of at least one half become 1, the others 0; ValueError if little is left of the images."""
        binary = self._replace(**{part: sv.binarize(getattr(self, part)) for part in ("train", "valid", "test")})
        return checked(binary, ", binarised at one half, ")

    def of_known_classes(self):
        """The same without the classes that the training images have none of : Images, and the names left out."""
        known = np.unique(self.train_labels)
        kept = {}
        for part in ("train", "valid", "test"):
            labels = getattr(self, f"{part}_labels")
            rows = np.isin(labels, known)
            kept |= {part: getattr(self, part)[rows], f"{part}_labels": np.searchsorted(known, labels[rows])}
        return (self._replace(**kept, names=tuple(self.names[c] for c in known)),
                [name for c, name in enumerate(self.names) if c not in known])

    def described(self):
        """One sentence on what there is."""
        counts = np.unique(np.bincount(self.train_labels, minlength=len(self.names)))
        unlike = self.unlike()
        names = ", ".join(self.names[:12]) + (", ..." if len(self.names) > 12 else "")
        absent = {part: [name for c, name in enumerate(self.names) if not (labels == c).any()]
                  for part, labels in (("training", self.train_labels), ("test", self.test_labels))}
        return (f"{len(self.train)} training, {len(self.valid)} validation and {len(self.test)} test images of "
                f"{self.shape[0]} x {self.shape[1]} pixels.\nClasses: {len(self.names)} ({names}), each with "
                f"{' to '.join(map(str, counts[[0, -1]] if len(counts) > 1 else counts))} training images"
                + "".join(f"; no {part} images of {', '.join(without)}" for part, without in absent.items() if without)
                + "." + (f"\nThe test images are unlike the training images: {unlike}." if unlike else ""))

    def unlike(self):
        """How the mean test image differs from the mean training image, where that is more than chance; else ""."""
        train, test = (part.mean(axis=0, dtype=np.float64) for part in (self.train, self.test))
        apart = ((train - test) ** 2).sum() / self.train.var(axis=0, dtype=np.float64).sum()
        return (f"their mean pixels are {test.mean():.2f} and {train.mean():.2f}, and the squared distance of the mean "
                f"images is {apart:.1f} times the training images' variance") if apart > UNLIKE else ""


def read(source=None, names=None, quick=False):
    """The Images of a source: "digits" (or None) and "mnist" for the bundled ones, else a folder of MNIST-format files.

    names : of the classes, separated by commas, or a file of them      ValueError for what no lesson can look at
    """
    if source in SOURCES:
        parts = bundled(*SOURCES[source], quick)
    else:
        parts = from_folder(source, quick)
    shapes = {X.shape[1:] for X, _ in parts}
    if len(shapes) > 1:
        raise ValueError(f"--data: want training and test images of one shape, got {' and '.join(map(str, shapes))}")
    (h, w), = shapes
    if not PIXELS[0] <= h * w <= PIXELS[1]:
        raise ValueError(f"--data: want images of {PIXELS[0]} to {PIXELS[1]} pixels, got {h} x {w}")
    classes = np.unique(np.concatenate([labels for _, labels in parts]))
    images, labels = zip(*((X.reshape(len(X), -1), np.searchsorted(classes, labels)) for X, labels in parts))
    return checked(Images(*images, *labels, (h, w), class_names(names, classes)))


def bundled(load, side, sizes, quick):
    """Training, validation and test part of a bundled set, in so many images each."""
    X, labels = load()
    sizes = [min(n, QUICK[0] * n // sizes[0]) for n in sizes] if quick else sizes
    return [(X[rows].astype(np.float32).reshape(-1, side, side), labels[rows]) for rows in sv.split(labels, sizes)]


def from_folder(folder, quick):
    """The training file less a twelfth of it, that twelfth for validation, and the test file, all shuffled."""
    (X, labels), test = (sv.load_idx(folder, split, flat=False) for split in ("train", "test"))
    for (what, fewest), n in zip(FEWEST.items(), (len(X), len(test[0]))):
        if n < fewest:
            raise ValueError(f"{folder}: want at least {fewest} {what} images, got {n}")
    most = max(FEWEST["training"], min(QUICK[0], QUICK[1] // X[0].size)) if quick else None
    n, n_test = (len(part[:most]) for part in (X, test[0]))
    return [(images[rows], labels[rows]) for images, labels, sizes in ((X, labels, (n - n // 12, n // 12)),
                                                                      (*test, (n_test,)))
            for rows in sv.split(labels, sizes)]


DIGITS = sv.load_digits, 8, (1000, 297, 500)       # how to load them, their side in pixels, the parts' sizes
MNIST = sv.load_mnist, 28, (8000, 1000, 1000)
SOURCES = {None: DIGITS, "digits": DIGITS, "mnist": MNIST}


def checked(images, treated=" "):
    """The images; ValueError where the first 400 of a part differ in no more directions than it must."""
    for (part, directions), X in zip(DIFFER.items(), images):
        rank = np.linalg.matrix_rank(X[:400] - X[0])
        if rank <= directions:
            raise ValueError(f"--data: want {part} images that differ in more than {directions} directions; "
                             f"these{treated}" + (f"differ in {rank}" if rank else "are all the same"))
    return images


def class_names(names, classes):
    """A name for each of the classes, the labels in the files in order : a tuple of texts."""
    if names is None:
        return tuple(map(str, classes))
    text = Path(names).read_text(encoding="utf-8") if os.path.isfile(names) else names
    given = [name.strip() for name in re.split("[,\n]", text) if name.strip()]
    if len(given) == len(classes):
        return tuple(given)
    if len(given) > classes.max():           # of all classes, from 0 on, where some are absent
        return tuple(given[c] for c in classes)
    raise ValueError(f"--names: want a name for each of the {len(classes)} classes {', '.join(map(str, classes))}, or "
                     f"a file of them, got {len(given)}: {', '.join(given)}")
