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
import re
import struct
import zlib
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import numpy as np

WORDS = {"train": ("train",), "test": ("t10k", "test")}
NAME = re.compile(r"(?:(.+)-)?(train|t10k|test)-(images[-.]idx3|labels[-.]idx1)-ubyte(\.gz)?")
PLACES = "*", "*/*", "*/raw/*"   # in the folder, or below it as in MNIST/raw
MISTAKEN = {b"<": "an HTML page, as a server sends in place of a file", b"PK": "a ZIP archive, to be unpacked",
            b"vers": "text, as Git LFS leaves in place of a file"}
UNSIGNED_BYTE = 8
MAX_ITEMS = 1 << 30   # 1 GiB of pixels, 4 GiB as float32
MAX_INFLATION = 100   # images deflate to a half or a fifth; deflate's best, 1032 to 1, is a bomb's
SMALL = 1 << 20       # bytes that any gzip file may inflate to
BLOCK = 1 << 18       # bytes read in one go


def load_idx(directory, split="train", flat=True):
    """Images and labels of one split from MNIST-format files, gzip or plain.

    directory : holds the files, or a folder of them, as MNIST/raw; where it holds several sets, as EMNIST's does, name
    one of them: DIR/emnist-letters      split : "train" (files train-*) or "test" (files t10k-* or test-*)
    returns : X (N, rows * columns) float32 in [0, 1], or (N, rows, columns) if not flat; labels (N,) integers 0..255
    Raises ValueError, naming the file, if one is missing, mislabelled, damaged, promises over 1 GiB of pixels, or
    inflates more than a hundredfold to over 1 MiB.
    """
    if not isinstance(directory, (str, os.PathLike)):
        raise TypeError(f"directory: want a path, got {directory!r}")
    if not isinstance(split, str) or split not in WORDS:
        raise ValueError(f"split: want 'train' or 'test', got {split!r}")
    image_file, label_file = find_files(Path(directory), split)
    n_images, *shape = read_shape(image_file, n_dims=3)
    n_labels, = read_shape(label_file, n_dims=1)
    if n_images != n_labels:
        raise ValueError(f"{label_file}: want a label for each of the {n_images} images in {image_file.name}, "
                         f"got {n_labels}")
    X = read_items(image_file, (n_images, math.prod(shape)) if flat else (n_images, *shape), n_dims=3, dtype=np.float32)
    X /= 255  # in place: the images are in memory only once
    return X, read_items(label_file, (n_labels,), n_dims=1, dtype=np.intp)


def find_files(directory, split):
    """The paths of the images and the labels of this split: of the one set that is there."""
    named = not directory.exists()   # perhaps a set's name, as emnist-letters
    for word, place in product(WORDS[split], PLACES[:1] if named else PLACES):
        sets = {}                    # (folder, name of the set) -> {"images": path, "labels": path}, plain before gzip
        for path in sorted((directory.parent if named else directory).glob(place), key=lambda p: (p.suffix, p)):
            match = NAME.fullmatch(path.name)
            if match and match[2] == word and (not named or match[1] == directory.name) and path.is_file():
                sets.setdefault((path.parent, match[1] or ""), {}).setdefault(match[3][:6], path)
        if len(sets) > 1:
            raise ValueError(f"{directory}: want one set of images, got {len(sets)}; give one of "
                             + ", ".join(str(folder / name) for folder, name in sets))
        for found in sets.values():
            if len(found) < 2:
                (kind, path), = found.items()
                other = ("labels", "idx1") if kind == "images" else ("images", "idx3")
                raise ValueError(f"{path}: want its {other[0]} beside it, {word}-{other[0]}-{other[1]}-ubyte or .gz, "
                                 "found none")
            return found["images"], found["labels"]
    stem = WORDS[split][0]
    raise ValueError(f"{directory}: want a folder with {stem}-images-idx3-ubyte and {stem}-labels-idx1-ubyte, plain or "
                     f".gz, {'found no such folder' if named else 'got a file' if directory.is_file() else 'found none'}")


def read_shape(path, n_dims):
    """The sizes of the dimensions, once the header is known to be right and its promise to be possible."""
    with opened(path) as file:
        header = file.read(header_size(n_dims))
    want = bytes([0, 0, UNSIGNED_BYTE, n_dims])
    if header[:4] != want:
        got = [what for start, what in MISTAKEN.items() if header.lstrip().startswith(start)]
        raise ValueError(f"{path}: want unsigned bytes in {n_dims} dimension(s), an IDX header that starts "
                         f"{want.hex(' ')}, got {(got or [header[:4].hex(' ') or 'an empty file'])[0]}")
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
