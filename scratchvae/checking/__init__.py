"""What may come in? The checks at every public door.

Public names check, and say so in a line above theirs: `@entry(x=matrix, rng=generator)`, or `@door(...)` where the
result must be finite too. The arithmetic of a training step trusts: forward, backward, forward_backward, evaluate, an
observation model's value_and_grad, the Gaussian's formulas, an optimizer's update. Every name is one or the other,
never a pair of both.

A check is a function of an argument's name and value. It gives back what the mathematics can use as it is, or raises
`TypeError` (the wrong kind of thing) or `ValueError` (the wrong shape or values), naming the argument, what it got and
what it wants. Values are looked at in blocks, so that none needs a second copy of the data. Here are the checks that
many need, in `door.py` the decorators; the other files of this folder have the checks of one room each.
"""
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np

from scratchvae.checking.door import as_constructed, door, entry, optional

BLOCK = 1 << 20      # numbers looked at in one go
MAX_COUNT = 1 << 40    # no count here is larger
MAX_NUMBERS = 1 << 31  # no array has more: refused before room is made for them


def row_blocks(X, size=BLOCK, width=None):
    """The array's rows in slices of about `size` numbers, at least a row each, of `width` or what it holds."""
    step = max(1, size // (width or max(1, X[:1].size)))
    return (slice(start, start + step) for start in range(0, len(X), step))


def numeric_array(name, value):
    """`value` as a non-empty array of real numbers, NaN and infinity among them."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: got a masked array; fill or drop the masked values first")
    if hasattr(value, "nnz") and hasattr(value, "toarray"):  # SciPy's and its kin
        raise TypeError(f"{name}: got a sparse matrix; want a dense array, as {name}.toarray()")
    try:
        array = np.asarray(value)
    except ValueError as error:  # ragged lists
        raise ValueError(f"{name}: want a rectangular array of numbers ({error})") from None
    if array.dtype.kind not in "biuf":
        odd = (f", as {v!r}{place(i)}" for i, v in np.ndenumerate(array) if not isinstance(v, (int, float, np.number)))
        raise TypeError(f"{name}: want real numbers, got dtype {array.dtype}" + next(odd, "") * (array.dtype == object))
    if array.size == 0:
        raise ValueError(f"{name}: got an empty array of shape {array.shape}")
    return array


def place(index):
    """Where a number of an array stands, in words."""
    words = {0: "", 1: " at row {}", 2: " at row {}, column {}"}
    return words.get(len(index), f" at index {tuple(map(int, index))}").format(*index)


def every(name, array, good, complaint):
    """`array`, if `good` holds for all its numbers, asked by blocks; else ValueError with the first that breaks it.

    complaint : a text with {} for that number and its row and column
    """
    rows_of = array.reshape(1) if array.ndim == 0 else array
    for rows in row_blocks(rows_of):
        fine = good(rows_of[rows])
        if not fine.all():
            row, *rest = np.argwhere(~fine)[0]
            index = (rows.start + row, *rest) if array.ndim else ()
            low, high = array.min(), array.max()
            span = f" (all in [{low:g}, {high:g}])" if array.ndim and np.isfinite([low, high]).all() else ""
            raise ValueError(f"{name}: {complaint.format(f'{array[index]}{place(index)}')}{span}")
    return array


def only(name, value, good, complaint, error=ValueError):
    """`value`, if it is good; else the error with the complaint, a text with {0} for the value."""
    if not good(value):
        raise error(f"{name}: {complaint.format(value)}")
    return value


def shaped(name, array, shape):
    """`array`, if it has this shape: each axis's length, a name where any will do, `...` first for any axes before."""
    got = array.shape[max(0, array.ndim + 1 - len(shape)):] if ... in shape else array.shape
    wanted = shape[1:] if ... in shape else shape
    if len(wanted) != len(got) or any(axis != n for axis, n in zip(wanted, got) if not isinstance(axis, str)):
        words = ", ".join("..." if axis is ... else str(axis) for axis in shape) + "," * (len(shape) == 1)
        raise ValueError(f"{name}: want shape ({words}), got {array.shape}")
    return array


def real_array(name, value, dtype=None, shape=(...,)):
    """`value` as an array of finite real numbers, of this dtype (copied only if need be) and shape, as for `shaped`."""
    array = numeric_array(name, value)
    with np.errstate(over="ignore"):  # a float64 beyond float32's range turns infinite, and is refused below
        # Without a dtype its own, in this machine's byte order: foreign float32 is float32.
        array = array.astype(array.dtype.newbyteorder("=") if dtype is None else dtype, copy=False)
    every(name, array, np.isfinite, f"contains NaN or infinity: {{}} (as {array.dtype})")
    return shaped(name, array, shape)


def order_of_one(name, x, mean, variance, bounded=False):
    """Nothing, if a network can learn on every column of x (N, D), whose means and variances (D,) are given.

    A step of Adam moves each weight by lr whatever the units: on a column of hundreds it is a leap, on one of
    thousandths it does nothing; and far off its centre a column is felt by every unit as a second bias. Refused are a
    root mean square above 30, and a column of varied values with a deviation below 0.01, or with a mean beyond 2 and
    beyond 5 deviations (in fewer than 30 rows values are alike by chance).

    bounded : whether x is in [0, 1] and must stay there: then a pixel may be quiet, unless nothing is above 0.01
    """
    deviation = np.sqrt(variance)
    size = np.hypot(mean, deviation)
    wrong, small = size > 30, (deviation < 0.01) & (not bounded or x.max() < 0.01)
    off = np.abs(mean) > np.maximum(2, 5 * deviation)
    # The median, for most numbers of a rare pixel are equal.
    for j in np.flatnonzero((small | off) & (variance > 0) & (len(x) >= 30)):
        wrong[j] = np.median(np.abs(x[:, j] - np.median(x[:, j]))) > 0
    if wrong.any():
        j = int(wrong.argmax())
        mend = "divide by the largest possible, once" if bounded else (
            "standardise: sv.Standardizer().fit(X).transform(X)")
        raise ValueError(f"{name}: networks learn on numbers of order one, but column {j} has mean {mean[j]:.3g} and "
                         f"standard deviation {deviation[j]:.2g}; {mend}")


def class_labels(name, value, n_rows=None, n_classes=None):
    """`value` as an (N,) integer array of classes 0, 1, ..., below `n_classes` and as long as `n_rows`, if given."""
    array = real_array(name, value, shape=(n_rows or "N",))
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: want integers, got dtype {array.dtype}")
    end = np.iinfo(np.intp).max if n_classes is None else n_classes
    last = n_classes - 1 if n_classes else "C-1"
    every(name, array, lambda a: (a >= 0) & (a < end), f"want classes in 0..{last}, got {{}}")
    return array.astype(np.intp, copy=False)


def integer(name, value, low=1, high=None, *, each=0):
    """`value` as an int with low <= value (<= high, at most MAX_COUNT by default); True is not an integer here.

    each : how many numbers every one of them takes, where so many are held at once
    """
    if isinstance(value, (bool, np.bool_, np.timedelta64)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: want an integer, got {value!r}")
    if value < low or value > (MAX_COUNT if high is None else high):
        want = f"from {low} to {high}" if high is not None else f">= {low}"
        got = value if abs(value) < 1e300 else "one of over 300 digits"
        raise ValueError(f"{name}: want an integer {want}, got {got}")
    if each and int(value) * each > MAX_NUMBERS:
        raise ValueError(f"{name}: {value} times {each} numbers are more than {MAX_NUMBERS}, the most at once")
    return int(value)


def number(name, value, low=0.0, high=np.inf, *, open_low=False, open_high=False):
    """`value` as a finite float in [low, high]; an open end is left out."""
    if isinstance(value, (bool, np.bool_, np.timedelta64)) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"{name}: want a number, got {value!r}")
    if isinstance(value, int) and abs(value) > 2**1023:
        raise ValueError(f"{name}: want a number that a float can hold, got one of {value.bit_length()} bits")
    got = float(value)
    inside = (got > low if open_low else got >= low) and (got < high if open_high else got <= high)
    if not (inside and abs(got) < np.inf):
        raise ValueError(f"{name}: want a number in {'(' if open_low else '['}{low:g}, {high:g}"
                         f"{')' if open_high or high == np.inf else ']'}, got {got}")
    return got


def broadcastable(name, array, **others):
    """`array`, if it and the others broadcast together."""
    shapes = {**{other: a.shape for other, a in others.items()}, name: array.shape}
    try:
        np.broadcast_shapes(*shapes.values())
    except ValueError:
        raise ValueError(f"{', '.join(shapes)}: want shapes that broadcast together, got {shapes}") from None
    return array


def fields(kind, **checks):
    """The check of a namedtuple of this `kind`: each field by a check of its own."""
    def check(name, value):
        instance(name, value, kind, f"{kind.__name__}({', '.join(kind._fields)})")
        return kind(**{field: check(f"{name}.{field}", getattr(value, field)) for field, check in checks.items()})
    return check


def not_too_large(result):
    """An intermediate `result`, if it is finite; else FloatingPointError; a `door` adds the arguments to blame."""
    if not np.isfinite(result).all():
        raise FloatingPointError("an intermediate result is not finite")
    return result


def float_type(name, value):
    """`value` as float32 or float64, the two types in which the library computes."""
    try:
        dtype = None if value is None else np.dtype(value)  # np.dtype(None) would be float64
    except TypeError:
        dtype = None
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"{name}: want float32 or float64, got {value!r}")
    return dtype.type


# ---- the same in a line ---------------------------------------------------------------------------------------------

matrix = lambda name, value, n_columns=None, dtype=None: real_array(name, value, dtype, ("N", n_columns or "D"))
real_matrix = partial(matrix, dtype=np.float64)
float_matrix = lambda name, value, n_columns=None: as_floats(matrix(name, value, n_columns))
as_floats = lambda array: array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
reals = lambda name, value, shape=(...,): real_array(name, value, np.float64, shape)
vector = lambda name, value, n=None: reals(name, value, (n or "N",))
binary = lambda name, array, wants="want", hint="": every(
    name, array, lambda x: (x == 0) | (x == 1), f"{wants} every value 0 or 1, got {{}}{hint}")
unit_interval = lambda name, array, wants="want", hint="": every(
    name, array, lambda x: (x >= 0) & (x <= 1),
    f"{wants} values in [0, 1], got {{}}; divide by the largest possible, as X / 255{hint}")
floats = lambda name, value: only(  # already, as what is changed in place must be
    name, value, lambda v: isinstance(v, np.ndarray) and v.dtype.kind == "f",
    f"want an array of floats, got {type(value).__name__}", TypeError)
writeable = lambda name, value: only(
    name, floats(name, value), lambda a: a.flags.writeable, "it is changed in place, and is read-only")
like = lambda name, array, other, what: only(  # in shape and dtype
    name, array, lambda a: (a.shape, a.dtype) == (other.shape, other.dtype),
    f"want {other.dtype} {other.shape} as {what}, got {{0.dtype}} {{0.shape}}")
doubles = lambda name, value, n="P": only(  # already
    name, shaped(name, instance(name, value, np.ndarray, "a vector (P,)"), (n,)), lambda v: v.dtype == np.float64,
    "want float64, in which a central difference has ten digits, got {0.dtype}", TypeError)
tensors = lambda name, value, theta: {"theta": theta} if value is None else only(  # by name; all of theta for None
    name, value, lambda views: isinstance(views, dict) and all(isinstance(view, np.ndarray) for view in views.values()),
    "want tensor name -> array, as model.named_parameters() gives, got {0!r}", TypeError)

any_number = partial(number, low=-np.inf)
positive = partial(number, open_low=True)
share = partial(number, high=1, open_high=True)            # from 0 to below 1
whole = partial(integer, low=0)
size = partial(integer, each=1)                            # a number of numbers that are held at once
sizes = lambda name, value: tuple(size(name, n) for n in only(  # perhaps none
    name, value, lambda v: isinstance(v, (tuple, list, range, np.ndarray)) and getattr(v, "ndim", 1) == 1,
    "want a tuple of integers, as (128,) or (), got {0!r}", TypeError))

instance = lambda name, value, kind, example: only(
    name, value, lambda v: isinstance(v, kind), f"want {example}, got {{0!r}}", TypeError)
a_bool = partial(instance, kind=bool, example="True or False")
# Nothing here draws from a global state.
generator = partial(
    instance, kind=np.random.Generator, example="a numpy.random.Generator, as numpy.random.default_rng(0)")
function = partial(only, good=callable, complaint="want a function, got {0!r}", error=TypeError)
choice = lambda name, value, options: only(
    name, value, lambda v: isinstance(v, str) and v in options, f"want one of {', '.join(options)}, got {{0!r}}")
path = lambda name, value: only(  # of a file, as it is
    name, only(name, value, lambda v: isinstance(v, (str, PathLike)) and str(v), "want a path, got {0!r}", TypeError),
    lambda v: "\0" not in str(v) and Path(v).name, "want the path of a file, got {0!r}")
