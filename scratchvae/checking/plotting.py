"""What may come into a picture? Images that fit their shape and scale, texts, and numbers that an axis can show."""
from math import isqrt

import numpy as np

from scratchvae.checking import any_number, class_labels, every, instance, number, only, real_array, sizes
from scratchvae.checking import vector as finite_vector

MOST_CLIPPED = 0.2  # of a pixel's range on average: what noise of standard deviation 0.4 around paper and ink loses


def labels_of(name, value, n=None):
    """`value` as a list of texts, at least one, or n of them."""
    only(name, value, lambda v: isinstance(v, (list, tuple)) and all(isinstance(text, str) for text in v),
         "want a list of texts, got {0!r}", TypeError)
    only(name, len(value), lambda got: got == (n or max(1, got)), f"want {n or 'one or more'}, got {{0}}")
    return list(value)


vector = lambda name, value, n=None, positive=False: every(  # positive for a logarithmic axis
    name, finite_vector(name, value, n), lambda a: a > (0 if positive else -np.inf),
    "want numbers > 0 for a logarithmic axis, got {}")
with_flow = lambda name, value: only(
    name, value, lambda v: callable(getattr(v, "flow", None)) and not isinstance(v, type),
    "want a network or a model, which say in flow() what they are made of, got {0!r}", TypeError)
text = lambda name, value: instance(name, value, str, "a text")
labels_of_points = lambda name, value, z, names: class_labels(name, value, len(z), names and len(names))

# Images:
height_and_width = lambda name, value: only(
    name, sizes(name, value), lambda shape: len(shape) == 2, "want (h, w), got {0}")


def paper_and_ink(name, value):
    """`value` as two different numbers."""
    only(name, value, lambda v: isinstance(v, (tuple, list)) and len(v) == 2,
         "want the values of paper and of ink, as (0, 255), got {0!r}", TypeError)
    return only(name, tuple(any_number(name, each) for each in value), lambda v: v[0] != v[1],
                "want two different values, of paper and of ink, got {0}")


def tiles(name, value, shape, ink):
    """`value` as tiles (M, h, w) in [0, 1], from rows of pixels (M, D), D a square unless `shape` gives (h, w), or from
    (M, h, w); or in colour, from (M, h, w, 3)."""
    images = real_array(name, value)
    if images.ndim not in (2, 3, 4) or images.shape[3:] not in ((), (3,)):
        raise ValueError(f"{name}: want rows of pixels (M, D), or (M, h, w), or colours (M, h, w, 3), "
                         f"got {images.shape}")
    h, w = images.shape[1:3] if images.ndim > 2 else shape or (isqrt(images.shape[1]),) * 2
    if shape not in (None, (h, w)) or images.ndim == 2 and h * w != images.shape[1]:
        raise ValueError(f"{name}: want {f'{shape[0]} * {shape[1]}' if shape else 'a square number of'} pixels, got "
                         + " * ".join(map(str, images.shape[1:3])) + ("" if shape else "; give shape=(h, w)"))
    low, high = ink or (0, 1)
    grey = (images - low) / (high - low)
    clipped = grey.clip(0, 1)
    lost = np.abs(grey - clipped).mean()
    if ink is None and lost > MOST_CLIPPED:
        raise ValueError(f"{name}: want pixels from 0, paper, to 1, ink, got values in [{images.min():g}, "
                         f"{images.max():g}], of which clipping would take {lost:.2g} a pixel; rescale them, as "
                         "images / 255, or say ink=(value of paper, value of ink)")
    return clipped.reshape(-1, h, w, *images.shape[3:])


width_and_height = lambda name, value: tuple(number(name, each, low=1, high=200) for each in only(
    name, value, lambda v: isinstance(v, (tuple, list)) and len(v) == 2, "want (width, height) in inches, got {0!r}",
    TypeError))
tiles_of_a_square = lambda name, value, shape, ink: only(
    name, tiles(name, value, shape, ink), lambda images: isqrt(len(images)) ** 2 == len(images),
    "want a square number of images, as manifold_grid gives codes, got those of {0.shape}")
tiles_in_rows = lambda name, value, values, shape, ink: only(
    name, tiles(name, value, shape, ink), lambda images: len(images) % len(values) == 0,
    f"want {len(values)} a row, one for each of values, got those of {{0.shape}}")
