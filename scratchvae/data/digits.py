"""What does a written digit look like in 64 numbers? The 1797 bundled 8 x 8 images (see ATTRIBUTION.md)."""
from pathlib import Path

import numpy as np

from scratchvae.checking import entry, real_array
from scratchvae.checking.data import threshold_for

DIGITS = Path(__file__).with_name("digits.npz")


def load_digits():
    """The bundled digits, one image a row, 0 for paper and 1 for ink.

    returns : X (1797, 64) float64, multiples of 1/16 in [0, 1]; labels (1797,) integers 0..9
    Source: Alpaydin & Kaynak 1998.
    """
    with np.load(DIGITS, allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    return images.reshape(len(images), -1) / 16, labels.astype(np.intp)


@entry(X=real_array, threshold=threshold_for)
def binarize(X, threshold=None):
    """1 where x >= threshold, else 0.

    X : of any shape, in [0, 1], thresholded at 1/2; or any real numbers, with a threshold in their unit
    returns : the same shape and dtype
    """
    return np.greater_equal(X, threshold, out=np.empty_like(X))
