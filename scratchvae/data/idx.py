"""How are MNIST and its kin stored? The IDX format, read with distrust.

    byte 0, 1   zero
    byte 2      the type of the items: 8 for unsigned bytes
    byte 3      the number of dimensions: 3 for images (N, rows, columns), 1 for labels (N,)
    then        one big-endian 32-bit size per dimension
    then        the items, the last dimension fastest

A header is a promise. It is compared with what the file can hold before memory is set aside, and no more is
ever read, or inflated, than was promised plus the one byte that shows there is more.
Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
"""
import gzip
import math
import os
import struct
import zlib
from contextlib import contextmanager
from pathlib import Path

import numpy as np

PREFIX = {"train": "train", "test": "t10k"}
UNSIGNED_BYTE = 8
MAX_ITEMS = 1 << 30   # 1 GiB of pixels, 4 GiB as float32
MAX_INFLATION = 100   # images deflate to a half or a fifth; deflate's best, 1032 to 1, is a bomb's
SMALL = 1 << 20       # bytes that any gzip file may inflate to
BLOCK = 1 << 18       # bytes read in one go


def load_idx(directory, split="train"):
    """Images and labels of one split from MNIST-format files, gzip or plain.

    split : "train" (files train-*) or "test" (files t10k-*)
    returns : X (N, rows * columns) float32 in [0, 1], labels (N,) integers 0..255
    Raises ValueError, naming the file, if one is missing, mislabelled, damaged, promises over 1 GiB of pixels, or
    inflates more than a hundredfold to over 1 MiB.
    """
    if not isinstance(directory, (str, os.PathLike)):
        raise TypeError(f"directory: want a path, got {directory!r}")
    if not isinstance(split, str) or split not in PREFIX:
        raise ValueError(f"split: want 'train' or 'test', got {split!r}")
    image_file = find_file(directory, f"{PREFIX[split]}-images", n_dims=3)
    label_file = find_file(directory, f"{PREFIX[split]}-labels", n_dims=1)
    n_images, rows, columns = read_shape(image_file, n_dims=3)
    n_labels, = read_shape(label_file, n_dims=1)
    if n_images != n_labels:
        raise ValueError(f"{label_file}: want a label for each of the {n_images} images in {image_file.name}, "
                         f"got {n_labels}")
    X = read_items(image_file, (n_images, rows * columns), n_dims=3, dtype=np.float32)
    X /= 255  # in place: the images are in memory only once
    return X, read_items(label_file, (n_labels,), n_dims=1, dtype=np.intp)


def find_file(directory, stem, n_dims):
    """The path of the first of the four customary names that is there."""
    names = [f"{stem}{mark}idx{n_dims}-ubyte{suffix}" for suffix in ("", ".gz") for mark in "-."]
    for path in (Path(directory, name) for name in names):
        if path.is_file():
            return path
    raise ValueError(f"{directory}: want a file named {' or '.join(names)}, found none")


def read_shape(path, n_dims):
    """The sizes of the dimensions, once the header is known to be right and its promise to be possible."""
    with opened(path) as file:
        header = file.read(header_size(n_dims))
    want = bytes([0, 0, UNSIGNED_BYTE, n_dims])
    if header[:4] != want:
        raise ValueError(f"{path}: want unsigned bytes in {n_dims} dimension(s), an IDX header that starts "
                         f"{want.hex(' ')}, got {header[:4].hex(' ') or 'an empty file'}")
    if len(header) < header_size(n_dims):
        raise ValueError(f"{path}: want a header of {header_size(n_dims)} bytes, got {len(header)}")
    shape = struct.unpack(f">{n_dims}I", header[4:])
    n_items = math.prod(shape)  # Python's integers do not overflow
    if not 1 <= n_items <= MAX_ITEMS:
        raise ValueError(f"{path}: want 1 to {MAX_ITEMS} items, the header promises {n_items} in shape {shape}")
    size = os.path.getsize(path)
    room = max(SMALL, size * MAX_INFLATION) if is_gzip(path) else size
    if len(header) + n_items > room:
        raise ValueError(f"{path}: want a file of {len(header) + n_items} bytes for the shape {shape} that the "
                         f"header promises, this one may hold {room} at most")
    return shape


def read_items(path, shape, n_dims, dtype):
    """The file's items as an array of this shape and dtype, converted block by block."""
    items = np.empty(math.prod(shape), dtype)
    with opened(path) as file:
        file.read(header_size(n_dims))
        for start in range(0, items.size, BLOCK):
            block = items[start:start + BLOCK]
            content = file.read(block.size)
            if len(content) < block.size:
                raise ValueError(f"{path}: want {items.size} items, the file ends after {start + len(content)}")
            block[:] = np.frombuffer(content, np.uint8)
        if file.read(1):  # at the end of a gzip file this also compares the checksum
            raise ValueError(f"{path}: want {items.size} items, more bytes follow")
    return items.reshape(shape)


def header_size(n_dims):
    """Bytes before the first item."""
    return 4 + 4 * n_dims


def is_gzip(path):
    """Told by content: browsers like to unpack a download and leave its name."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


@contextmanager
def opened(path):
    """The plain content of a file as a stream; a failure to read or inflate it is a ValueError naming the file."""
    try:
        with (gzip.open if is_gzip(path) else open)(path, "rb") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: want a readable file, gzip or plain, got {error!r}") from error
