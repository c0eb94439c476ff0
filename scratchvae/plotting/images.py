"""What does the model see and make? Grids of images, the map of a latent plane, and what each latent does.

Images are rows of pixels, 0 for paper and 1 for ink, shown upright. A decoder's pixels may lie a little outside and are
clipped; images on another scale are refused: `ink=(0, 255)` says which values are paper and ink, and clips the rest.
"""
from math import isqrt
from statistics import NormalDist

import numpy as np

from scratchvae.checking import integer, matrix, number, sizes
from scratchvae.plotting.page import axes_of, house_style, labels_of, short_number, vector


MOST_CLIPPED = 0.2  # of a pixel's range on average: what noise of standard deviation 0.4 around paper and ink loses


def _tiles(images, shape, ink):
    """Rows of pixels (M, D) as tiles (M, h, w) in [0, 1]; D must be a square unless `shape` gives (h, w)."""
    images = matrix("images", images)
    n_pixels = images.shape[1]
    shape = None if shape is None else sizes("shape", shape)
    if shape is not None and len(shape) != 2:
        raise ValueError(f"shape: want (h, w), got {shape}")
    h, w = shape or (isqrt(n_pixels),) * 2
    if h * w != n_pixels:
        raise ValueError(f"images: want {f'{h} * {w}' if shape else 'a square number of'} pixels, got {n_pixels}"
                         + ("" if shape else "; give shape=(h, w)"))
    if ink is not None and (not isinstance(ink, (tuple, list)) or len(ink) != 2):
        raise TypeError(f"ink: want the values of paper and of ink, as (0, 255), got {ink!r}")
    low, high = (number("ink", value, low=-np.inf) for value in ink or (0, 1))
    if low == high:
        raise ValueError(f"ink: want two different values, of paper and of ink, got {ink!r}")
    grey = (images - low) / (high - low)
    clipped = grey.clip(0, 1)
    lost = np.abs(grey - clipped).mean()
    if ink is None and lost > MOST_CLIPPED:
        raise ValueError(f"images: want pixels from 0, paper, to 1, ink, got values in [{images.min():g}, "
                         f"{images.max():g}], of which clipping would take {lost:.2g} a pixel; rescale them, as "
                         "images / 255, or say ink=(value of paper, value of ink)")
    return clipped.reshape(-1, h, w)


def _show_tiles(tiles, n_columns, title, ax, row_labels=None, margins=(0.3, 0.3)):
    """All tiles as one picture, row by row from the top, on axes that count tiles: (0, 0) is the lower left corner."""
    n_rows = -(-len(tiles) // n_columns)
    row_labels = row_labels if row_labels is None else labels_of("row_labels", row_labels, n_rows)
    scale = max(1, 32 // max(tiles.shape[1:]))  # small images are enlarged, so that their frames stay thin
    tiles = np.pad(tiles.repeat(scale, 1).repeat(scale, 2), ((0, 0), (1, 1), (1, 1)), constant_values=0.15)
    m, h, w = tiles.shape
    picture = np.zeros((n_rows * n_columns, h, w))  # a place without an image stays white
    picture[:m] = tiles
    picture = picture.reshape(n_rows, n_columns, h, w).swapaxes(1, 2).reshape(n_rows * h, n_columns * w)
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
    return ax


def _ticks(values, at):
    """Places and labels of the ticks of tiles that stand for `values`, at the chosen indices."""
    at = np.unique(at)
    return at + 0.5, [short_number(round(values[i], 2) + 0.0) for i in at]


@house_style()
def image_grid(images, title, n_columns=10, row_labels=None, shape=None, ink=None, ax=None):
    """The images (M, D), upright, row by row from the top left; `row_labels` says what each row is."""
    tiles = _tiles(images, shape, ink)
    n_columns = min(integer("n_columns", n_columns), len(tiles))
    return _show_tiles(tiles, n_columns, title, ax, row_labels).figure


def _quantiles(n):
    return np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])


def manifold_grid(n):
    """The codes (z1, z2) of `manifold`: each the quantiles (i + 1/2) / n of N(0, 1), equal shares of the prior.

    returns : (n * n, 2), row by row from the top: z1 grows to the right, z2 upward
    """
    z = _quantiles(integer("n", n))
    return np.stack([np.tile(z, n), np.repeat(z[::-1], n)], axis=1)


@house_style()
def manifold(images, title, shape=None, ink=None, ax=None):
    """What a decoder makes of `manifold_grid(n)`: images (n * n, D) in that order, on axes ticked in z1 and z2."""
    tiles = _tiles(images, shape, ink)
    n = isqrt(len(tiles))
    if n * n != len(tiles):
        raise ValueError(f"images: want a square number of images, as manifold_grid gives codes, got {len(tiles)}")
    ax = _show_tiles(tiles, n, title, ax, margins=(0.75, 0.7))
    middle = [n // 2] if n % 2 else []
    places, names = _ticks(_quantiles(n), [0, n // 4, *middle, n - 1 - n // 4, n - 1])
    ax.set_xticks(places, names)
    ax.set_yticks(places, names)
    ax.set(xlabel="z1", ylabel="z2")
    return ax.figure


@house_style()
def traversal(images, values, title, row_labels, shape=None, ink=None, ax=None):
    """One row of images for each latent dimension, one column for each of its `values` (V,); images (K * V, D)."""
    tiles, values = _tiles(images, shape, ink), vector("values", values)
    if len(tiles) % len(values):
        raise ValueError(f"images: want {len(values)} a row, one for each of values, got {len(tiles)} in all")
    ax = _show_tiles(tiles, len(values), title, ax, row_labels, margins=(0.3, 0.75))
    ax.set_xticks(*_ticks(values, np.linspace(0, len(values) - 1, min(11, len(values))).round().astype(int)))
    ax.set_xlabel("value of the latent dimension")
    return ax.figure
