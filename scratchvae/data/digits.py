"""What does a written digit look like in 64 numbers? The 1797 bundled 8 x 8 images (see ATTRIBUTION.md)."""
from pathlib import Path

import numpy as np

from scratchvae import checking

DIGITS = Path(__file__).with_name("digits.npz")


def load_digits():
    """The bundled digits, one image a row, 0 for paper and 1 for ink.

    returns : X (1797, 64) float64, multiples of 1/16 in [0, 1]; labels (1797,) integers 0..9
    Source: Alpaydin & Kaynak 1998.
    """
    with np.load(DIGITS, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    return images.reshape(len(images), -1) / 16, labels.astype(np.intp)


def binarize(X, threshold=0.5):
    """1 where x >= threshold, else 0.

    X : real numbers of any shape      returns : the same shape and dtype
    """
    X = checking.real_array("X", X)
    return np.greater_equal(X, checking.number("threshold", threshold, low=-np.inf), out=np.empty_like(X))
