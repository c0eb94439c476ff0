"""What may come in as data? Signals and their codes, thresholds, and the sizes of parts."""
from warnings import warn

import numpy as np

from scratchvae.checking import (any_number, as_floats, class_labels, every, integer, only, real_array, real_matrix,
                                 reals, unit_interval)


def signal(name, value):
    """`value` as floats in [-1, 1]; float16 and float32 stay."""
    array = real_array(name, value)
    array = array if array.dtype in (np.float16, np.float32, np.float64) else reals(name, array)
    return every(name, array, lambda x: np.abs(x) <= 1, "want values in [-1, 1], got {}")


def codes(name, value, n_codes):
    """`value` as integers 0..n_codes-1 of any shape."""
    array = real_array(name, value)
    return class_labels(name, array.reshape(-1), n_classes=n_codes).reshape(array.shape)


def part_sizes(name, value, labels):
    """`value` as a list of sizes >= 1, no more in all than labels."""
    only(name, value, lambda v: isinstance(v, (tuple, list, range)) or getattr(v, "ndim", 0) == 1,
         "want a tuple of integers, got {0!r}", TypeError)
    sizes = [integer(f"{name}[{k}]", size) for k, size in enumerate(value)]
    only(name, sum(sizes), lambda n: n <= len(labels), f"want at most {len(labels)} examples in all, got {{0}}")
    return sizes


def threshold_for(name, value, X):
    """`value` as a number; 1/2 for None, if X is in [0, 1]."""
    if value is not None:
        threshold, low, high = any_number(name, value), X.min(), X.max()
        if low < high and not low < threshold <= high:
            warn(f"{name}: want one inside the range of X, [{low:g}, {high:g}], got {threshold:g}, by which all values "
                 f"become {int(low >= threshold)}")
        return threshold
    unit_interval("X", X, hint=", or give a threshold, as threshold=128")
    return 0.5


grey = lambda name, value: unit_interval(name, as_floats(real_array(name, value)))
even = lambda name, value: only(name, integer(name, value, low=2), lambda n: n % 2 == 0, "want an even number, got {0}")
longer_than_width = lambda name, value, width: only(
    name, real_array(name, value), lambda x: x.ndim == 1 and len(x) > width,
    f"want shape (n,) with n > width = {width}, got {{0.shape}}")
audible = lambda name, value: only(
    name, reals(name, value), lambda x: np.square(x).sum() > 0, "want a signal, got 0 everywhere")
beside_x = lambda name, value, x: reals(name, value, x.shape)
smiles_and_poses = lambda name, value: every(
    name, real_matrix(name, value, 2), lambda f: np.abs(f) <= 1, "want smile and pose in [-1, 1], got {}")
shifts_of_faces = lambda name, value, factors: every(
    name, reals(name, value, factors.shape), lambda s: np.abs(s) <= 2, "want shifts in [-2, 2], got {}")
ink_of_faces = lambda name, value, factors: unit_interval(name, reals(name, value, factors.shape[:1]))
