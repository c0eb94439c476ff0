"""What if MNIST's files are not what they say, or not where? A header is a promise, held against the file.

It is compared before memory is set aside, and no more is ever read, or inflated, than was promised plus the one byte
that shows there is more.
"""
import gzip
import math
import os
import re
import zlib
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from scratchvae.checking import instance, only

WORDS = {"train": ("train",), "test": ("t10k", "test")}
NAME = re.compile(r"(?:(.+)-)?(train|t10k|test)-(images[-.]idx3|labels[-.]idx1)-ubyte(\.gz)?")
PLACES = "*", "*/*", "*/raw/*"   # in the folder, or below it as in MNIST/raw
MISTAKEN = {b"<": "an HTML page, as a server sends in place of a file", b"PK": "a ZIP archive, to be unpacked",
            b"vers": "text, as Git LFS leaves in place of a file"}
MAX_ITEMS = 1 << 30   # 1 GiB of pixels, 4 GiB as float32
MAX_INFLATION = 100   # images deflate to a half or a fifth; deflate's best, 1032 to 1, is a bomb's
SMALL = 1 << 20       # bytes that any gzip file may inflate to


folder = lambda name, value: Path(instance(name, value, (str, os.PathLike), "a path"))


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
                     f".gz, {'no such folder' if named else 'got a file' if directory.is_file() else 'found none'}")


@contextmanager
def opened(path):
    """The plain content of a file as a stream; a failure to read or inflate it is a ValueError naming the file."""
    try:
        with (gzip.open if is_gzip(path) else open)(path, "rb") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: want a readable file, gzip or plain, got {error!r}") from error


def is_gzip(path):
    """Told by content: browsers like to unpack a download and leave its name."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def start_is(path, header, want):
    """Nothing, if the header has the bytes that it must start with, and all others."""
    if header[:4] != want:
        got = [what for start, what in MISTAKEN.items() if header.lstrip().startswith(start)]
        raise ValueError(f"{path}: want unsigned bytes in {want[3]} dimension(s), an IDX header that starts "
                         f"{want.hex(' ')}, got {(got or [header[:4].hex(' ') or 'an empty file'])[0]}")
    if len(header) < 4 + 4 * want[3]:
        raise ValueError(f"{path}: want a header of {4 + 4 * want[3]} bytes, got {len(header)}")


def can_hold(path, n_bytes, shape):
    """The shape, if the file may have so many items after the header's n_bytes."""
    n_items = math.prod(shape)  # Python's integers do not overflow
    if not 1 <= n_items <= MAX_ITEMS:
        raise ValueError(f"{path}: want 1 to {MAX_ITEMS} items, the header promises {n_items} in shape {shape}")
    size = os.path.getsize(path)
    room = max(SMALL, size * MAX_INFLATION) if is_gzip(path) else size
    if n_bytes + n_items > room:
        raise ValueError(f"{path}: want a file of {n_bytes + n_items} bytes for the shape {shape} that the "
                         f"header promises, this one may hold {room} at most")
    return shape


a_label_for_each = lambda n_labels, n_images, label_file, image_file: only(
    label_file, n_labels, lambda n: n == n_images,
    f"want a label for each of the {n_images} images in {image_file.name}, got {{0}}")


def read_exactly(path, file, n_bytes, start, total):
    """The next n_bytes of the file, which come after `start` of `total`; after the last there must be none."""
    content = file.read(n_bytes)
    if len(content) < n_bytes:
        raise ValueError(f"{path}: want {total} items, the file ends after {start + len(content)}")
    if start + n_bytes == total and file.read(1):  # at the end of a gzip file this also compares the checksum
        raise ValueError(f"{path}: want {total} items, more bytes follow")
    return content
