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


def binarize(X, threshold=None):
    """1 where x >= threshold, else 0.

    X : of any shape, in [0, 1], thresholded at 1/2; or any real numbers, with a threshold in their unit
    returns : the same shape and dtype
    """
    X = checking.real_array("X", X)
    if threshold is None:
        threshold = 0.5
        checking.every("X", X, lambda X: (X >= 0) & (X <= 1), "want values in [0, 1], got {}; divide by the largest "
                       "possible, as X / 255, or give a threshold, as threshold=128")
    return np.greater_equal(X, checking.number("threshold", threshold, low=-np.inf), out=np.empty_like(X))
