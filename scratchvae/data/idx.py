"""How are MNIST and its kin stored? The IDX format.

    byte 0, 1   zero
    byte 2      the type of the items: 8 for unsigned bytes
    byte 3      the number of dimensions: 3 for images (N, rows, columns), 1 for labels (N,)
    then        one big-endian 32-bit size per dimension
    then        the items, the last dimension fastest

Read with the distrust of `checking/idx.py`.
Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
"""
import math
import struct

import numpy as np

from scratchvae.checking import a_bool, choice, entry
from scratchvae.checking.idx import (WORDS, a_label_for_each, can_hold, find_files, folder, opened, read_exactly,
                                     start_is)

UNSIGNED_BYTE = 8
BLOCK = 1 << 18       # bytes read in one go


@entry(directory=folder, split=lambda name, value: choice(name, value, WORDS), flat=a_bool)
def load_idx(directory, split="train", flat=True):
    """Images and labels of one split from MNIST-format files, gzip or plain.

    directory : holds the files, or a folder of them, as MNIST/raw; where it holds several sets, as EMNIST's does, name
    one of them: DIR/emnist-letters      split : "train" (files train-*) or "test" (files t10k-* or test-*)
    returns : X (N, rows * columns) float32 in [0, 1], or (N, rows, columns) if not flat; labels (N,) integers 0..255
    Raises ValueError, naming the file, if one is missing, mislabelled, damaged, promises over 1 GiB of pixels, or
    inflates more than a hundredfold to over 1 MiB.
    """
    image_file, label_file = find_files(directory, split)
    n_images, *shape = read_shape(image_file, n_dims=3)
    n_labels, = read_shape(label_file, n_dims=1)
    a_label_for_each(n_labels, n_images, label_file, image_file)
    X = read_items(image_file, (n_images, math.prod(shape)) if flat else (n_images, *shape), n_dims=3, dtype=np.float32)
    X /= 255  # in place: the images are in memory only once
    return X, read_items(label_file, (n_labels,), n_dims=1, dtype=np.intp)


def read_shape(path, n_dims):
    """The sizes of the dimensions, from the header."""
    with opened(path) as file:
        header = file.read(4 + 4 * n_dims)
    start_is(path, header, bytes([0, 0, UNSIGNED_BYTE, n_dims]))
    return can_hold(path, len(header), struct.unpack(f">{n_dims}I", header[4:]))


def read_items(path, shape, n_dims, dtype):
    """The items after the header as an array of this shape and dtype, converted block by block."""
    items = np.empty(math.prod(shape), dtype)
    with opened(path) as file:
        file.read(4 + 4 * n_dims)
        for start in range(0, items.size, BLOCK):
            block = items[start:start + BLOCK]
            block[:] = np.frombuffer(read_exactly(path, file, block.size, start, items.size), np.uint8)
    return items.reshape(shape)
