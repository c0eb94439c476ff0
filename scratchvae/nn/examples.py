"""Where do the examples of an epoch come from? From arrays, from a function that draws them, or row by row from a file.

To `fit` all three are one: so many rows, `some` to start at, an epoch's, a minibatch of these; and the `form` and the
`fingerprint` by which a checkpoint knows them again.
"""
import json
from copy import deepcopy
from hashlib import blake2b
from zlib import crc32

import numpy as np

from scratchvae.checking import numeric_array, only, row_blocks
from scratchvae.extending import function_name

SAMPLE = 1 << 22  # numbers from which a run starts that cannot look at all of them


class Examples:
    """What is the same wherever they come from, if nothing else is said."""

    form = None

    def of_epoch(self, run):
        return self

    def fingerprint(self):
        return fingerprint(self.some())

    def watch(self):
        """Nothing: they are looked at whenever they are drawn or read, and only `fit` holds them."""


class Held(Examples):
    """Arrays in memory, looked at once: (x,) or (x, labels) as the model accepted them.

    given : the caller's, of which they are copies or which they are, as the dtypes have it
    """

    def __init__(self, name, arrays, given):
        self.name, self.arrays, self.given = name, arrays, [a for a in given if isinstance(a, np.ndarray)]
        self.seen = None

    def __len__(self):
        return len(self.arrays[0])

    def some(self):
        return self.arrays

    def take(self, rows):
        return [array.take(rows, axis=0) for array in self.arrays]

    def watch(self):
        """ValueError if the caller's arrays changed since the last call: 0.1 s for 60,000 x 784 in float32."""
        before, self.seen = self.seen, [checksum(array) for array in self.given]
        if before not in (None, self.seen):
            raise ValueError(f"{self.name}: changed while it was trained on; it is looked at once, and copied if its "
                             "dtype is not the model's. Give data that change as a function of the generator, as "
                             "sv.stochastic_binarization(X)")


class Drawn(Examples):
    """What a function of the generator gives, once an epoch, and looked at every time.

    look : X -> Held or ByRow, with the labels, which stay
    """

    def __init__(self, name, function, look, rng):
        self.name, self.function, self.look, self.form = name, function, look, None
        ahead = deepcopy(rng)  # a run that is refused has drawn nothing
        self.before, self.now, self.after = state_of(rng), self.draw(ahead), ahead.bit_generator.state
        self.n = len(self.now)

    def draw(self, rng):
        """An epoch's examples, of the form of the first one's."""
        X = called(self.name, self.function, rng)
        form = f"{X.dtype} {tuple(X.shape)} from {function_name(self.function)}"
        if self.form not in (None, form):
            raise ValueError(f"{self.name}: want {self.form} in every epoch, as in the first, got {form}")
        self.form = form
        return self.look(X)

    def __len__(self):
        return self.n

    def some(self):
        return self.now.some()

    def of_epoch(self, run):
        if state_of(run.rng) == self.before:  # drawn already, at the door
            run.rng.bit_generator.state, self.before = self.after, None
        else:
            self.now = None  # to have memory for the new
            self.now = self.draw(run.rng)
        return self.now

    def fingerprint(self):
        held = getattr(self.function, "drawn_from", None)  # an array, if the function says so
        return fingerprint([*([] if held is None else [np.asarray(held)]), *self.some()[1:]])


def state_of(rng):
    """The generator's state as a text, from which it can be set again."""
    return json.dumps(rng.bit_generator.state, default=np.ndarray.tolist)


def called(name, function, rng):
    """What a function of the generator gives, as something with a shape and a dtype."""
    try:
        X = function(rng)
    except TypeError as error:
        raise TypeError(f"{name}: {function_name(function)}, called with a generator, raised: {error}") from error
    only(name, X, lambda X: not isinstance(X, tuple), "want an array from the function, got a tuple; labels cannot be "
         "drawn: they stay, and go beside it, as fit(model, draw, labels) or valid=(draw, labels)", TypeError)
    return X if hasattr(X, "dtype") else numeric_array(name, X)


class ByRow(Examples):
    """Rows that are read when their batch comes, and looked at then: for data that are larger than memory.

    look : (rows of X, and of labels if any; their numbers) -> what the model accepts
    labels : of classes all are looked at beforehand, for they are in memory: `of_classes`
    """

    def __init__(self, X, labels, look, of_classes=False):
        self.X, self.labels, self.look, self.of_classes = X, labels, look, of_classes
        self.form = f"{X.dtype} {tuple(X.shape)} by row"

    def __len__(self):
        return self.X.shape[0]

    def some(self):
        """All rows, or as many of them, drawn always alike, as hold `SAMPLE` numbers; a hundred at least.

        And all labels of classes: a sample may lack a class, and has other shares.
        """
        n, most = len(self), max(100, SAMPLE // self.X.shape[1])
        rows = np.arange(n) if n <= most else np.random.default_rng(0).choice(n, most, replace=False)
        x, *labels = self.take(rows)
        return [x, *(self.labels if self.of_classes else labels)]

    def take(self, rows):
        order = np.argsort(rows)  # forwards through the file, as disks like it and HDF5 wants it
        data = self.look(self.X[rows[order]], *(labels[rows[order]] for labels in self.labels), rows=rows[order])
        return [array.take(np.argsort(order), axis=0) for array in data]


def fingerprint(arrays):
    """What tells arrays from others: BLAKE2 of dtype, shape and bytes; 0.3 s for 60,000 x 784 in float32."""
    total = blake2b(digest_size=16)
    for array in arrays:
        total.update(f"{array.dtype.str} {array.shape}".encode())
        for rows in row_blocks(array):
            total.update(np.ascontiguousarray(array[rows]))
    return total.hexdigest()


def checksum(array):
    """CRC-32 of the bytes: a third of the time."""
    total = 0
    for rows in row_blocks(array):
        total = crc32(np.ascontiguousarray(array[rows]), total)
    return total
