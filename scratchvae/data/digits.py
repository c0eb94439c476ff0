"""What does a written digit look like in numbers? Bundled images of 8 x 8 and 28 x 28 pixels (see ATTRIBUTION.md)."""
from pathlib import Path

import numpy as np

from scratchvae.checking import entry, generator, real_array
from scratchvae.checking.data import grey, threshold_for


def load_digits():
    """The bundled digits, one image a row, 0 for paper and 1 for ink.

    returns : X (1797, 64) float64, multiples of 1/16 in [0, 1]; labels (1797,) integers 0..9
    Source: Alpaydin & Kaynak 1998.
    """
    images, labels = bundled("digits")
    return images / 16, labels


def load_mnist():
    """10,000 of MNIST's training images, 1,000 of each digit, shuffled; one image a row, 0 for paper and 1 for ink.

    returns : X (10000, 784) float32, multiples of 1/255 in [0, 1]; labels (10000,) integers 0..9
    Source: LeCun, Cortes & Burges 1998. These images are under CC BY-SA 3.0, not under the licence of the code.
    """
    images, labels = bundled("mnist")
    return images / np.float32(255), labels


def bundled(name):
    """The images (N, h w) in bytes, and the labels (N,), of a file beside this one."""
    with np.load(Path(__file__).with_name(f"{name}.npz"), allow_pickle=False) as file:
        images, labels = file["images"], file["labels"]
    return images.reshape(len(images), -1), labels.astype(np.intp)


@entry(X=real_array, threshold=threshold_for)
def binarize(X, threshold=None):
    """1 where x >= threshold, else 0.

    X : of any shape, in [0, 1], thresholded at 1/2; or any real numbers, with a threshold in their unit, warned of if
    it parts none of them from others
    returns : the same shape and dtype
    """
    return np.greater_equal(X, threshold, out=np.empty_like(X))


@entry(X=grey)
def stochastic_binarization(X):
    """A function of a generator that draws each pixel, 1 with the probability x: for `fit`, new data in every epoch.

        p(b_j = 1) = x_j,  so that  E[b] = x

    X : of any shape, floats in [0, 1]      returns : rng -> b, of X's shape and dtype
    For one draw that stays, as published fixed sets are: stochastic_binarization(X)(np.random.default_rng(0)).
    Source: Salakhutdinov & Murray 2008; drawn anew every epoch in Burda et al. 2016.
    """
    @entry(rng=generator)
    def stochastic_binarization(rng):
        u = rng.random(X.shape, dtype=X.dtype)
        return np.less(u, X, out=u)
    stochastic_binarization.__qualname__ = "stochastic_binarization"  # what a checkpoint calls it,
    stochastic_binarization.drawn_from = X  # and knows it by
    return stochastic_binarization
