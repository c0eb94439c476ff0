"""What does the model see and make? Grids of images, the map of a latent plane, and what each latent does.

Images are rows of pixels (M, D), 0 for paper and 1 for ink, shown upright; D is a square, or `shape` says (h, w). They
may come as (M, h, w), too, and in colour as (M, h, w, 3): red, green and blue, 0 for dark and 1 for light. A decoder's
pixels may lie a little outside and are clipped; images on another scale are refused: `ink=(0, 255)` says which values
are paper and ink (or dark and light), and clips the rest.
"""
from math import ceil, isqrt, sqrt
from statistics import NormalDist

import numpy as np

from scratchvae.checking import entry, integer, optional
from scratchvae.checking.plotting import (height_and_width, labels_of, paper_and_ink, tiles, tiles_in_rows,
                                          tiles_of_a_square, vector)
from scratchvae.plotting.page import axes_of, house_style, short_number

look = {"shape": optional(height_and_width), "ink": optional(paper_and_ink)}


def _show_tiles(tiles, n_columns, title, ax, row_labels=None, margins=(0.3, 0.3)):
    """All tiles as one picture, row by row from the top, on axes that count tiles: (0, 0) is the lower left corner."""
    n_rows = -(-len(tiles) // n_columns)
    row_labels = row_labels if row_labels is None else labels_of("row_labels", row_labels, n_rows)
    scale = max(1, 32 // max(tiles.shape[1:3]))  # small images are enlarged, so that their frames stay thin
    colour = tiles.ndim == 4
    tiles = np.pad(tiles.repeat(scale, 1).repeat(scale, 2), ((0, 0), (1, 1), (1, 1), (0, 0))[:tiles.ndim],
                   constant_values=0.85 if colour else 0.15)
    m, h, w, *rgb = tiles.shape
    picture = np.full((n_rows * n_columns, h, w, *rgb), float(colour))  # a place without an image stays white
    picture[:m] = tiles
    picture = picture.reshape(n_rows, n_columns, h, w, *rgb).swapaxes(1, 2).reshape(n_rows * h, n_columns * w, *rgb)
    width = min(0.75 * max(1, w / h), 7 / n_columns, 7 * w / h / n_rows)  # of a tile, in inches
    wide = n_columns * width + margins[0] + (0 if row_labels is None else 0.08 * max(map(len, row_labels)))
    ax = axes_of(ax, title, (max(4.5, wide), n_rows * width * h / w + margins[1]))
    ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", origin="upper",
              extent=(0, n_columns, 0, n_rows), aspect=h / w)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set(xticks=[], yticks=[])
    if row_labels is not None:
        ax.set_yticks(np.arange(n_rows)[::-1] + 0.5, row_labels)
        row = width * h / w  # a label is no higher than its row
        ax.tick_params(axis="y", labelsize=min(9, 0.8 * 72 * row))
    return ax


def _ticks(values, at):
    """Places and labels of the ticks of tiles that stand for `values`, at the chosen indices."""
    at = np.unique(at)
    return at + 0.5, [short_number(round(values[i], 2) + 0.0) for i in at]


@entry(**look, images=tiles, n_columns=optional(integer))
@house_style()
def image_grid(images, title, n_columns=None, row_labels=None, shape=None, ink=None, ax=None):
    """The images, upright, row by row from the top left; `row_labels` says what each row is.

    n_columns : 10 if not given; without `row_labels` more where the rows would be too many for a page
    """
    M, h, w = images.shape[:3]
    if n_columns is None:  # as high as wide, at most: n_rows h = n_columns w
        n_columns = 10 if row_labels is not None else max(10, ceil(sqrt(M * h / w)))
    return _show_tiles(images, min(n_columns, M), title, ax, row_labels).figure


def _quantiles(n):
    return np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])


@entry(n=integer)
def manifold_grid(n):
    """The codes (z1, z2) of `manifold`: each the quantiles (i + 1/2) / n of N(0, 1), equal shares of the prior.

    returns : (n * n, 2), row by row from the top: z1 grows to the right, z2 upward
    """
    z = _quantiles(n)
    return np.stack([np.tile(z, n), np.repeat(z[::-1], n)], axis=1)


@entry(**look, images=tiles_of_a_square)
@house_style()
def manifold(images, title, shape=None, ink=None, ax=None):
    """What a decoder makes of `manifold_grid(n)`: images (n * n, D) in that order, on axes ticked in z1 and z2."""
    n = isqrt(len(images))
    ax = _show_tiles(images, n, title, ax, margins=(0.75, 0.7))
    middle = [n // 2] if n % 2 else []
    places, names = _ticks(_quantiles(n), [0, n // 4, *middle, n - 1 - n // 4, n - 1])
    ax.set_xticks(places, names)
    ax.set_yticks(places, names)
    ax.set(xlabel="z1", ylabel="z2")
    return ax.figure


@entry(**look, values=vector, images=tiles_in_rows)
@house_style()
def traversal(images, values, title, row_labels, shape=None, ink=None, ax=None):
    """One row of images for each latent dimension, one column for each of its `values` (V,); images (K * V, D)."""
    ax = _show_tiles(images, len(values), title, ax, row_labels, margins=(0.3, 0.75))
    ax.set_xticks(*_ticks(values, np.linspace(0, len(values) - 1, min(11, len(values))).round().astype(int)))
    ax.set_xlabel("value of the latent dimension")
    return ax.figure
