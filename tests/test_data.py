"""What do we learn from? Facts about the bundled digits, refusals of the IDX reader, curves on their curve.

The `check_...` functions look their subject up in `scratchvae.data` when called, so a planted mistake meets them.
"""
import gzip
import hashlib
import importlib
import struct
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchvae import data

idx = importlib.import_module("scratchvae.data.idx")

DIGITS_PER_CLASS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
IMAGES, LABELS = np.arange(5 * 3 * 4, dtype=np.uint8).reshape(5, 3, 4) * 4, np.array([3, 0, 255, 9, 3], np.uint8)
NAMES = [(mark, suffix) for mark in "-." for suffix in ("", ".gz")]
CURVES = ["arc", "circle", "spiral", "s_curve"]
FEW = settings(max_examples=60, deadline=None)


def rng(seed=0):
    return np.random.default_rng(seed)


def idx_bytes(items, shape=None, magic=None):
    """An IDX file as it should be, unless told to lie about its shape or its first four bytes."""
    shape = items.shape if shape is None else shape
    return (magic or bytes([0, 0, 8, len(shape)])) + struct.pack(f">{len(shape)}I", *shape) + items.tobytes()


def write_split(directory, images=None, labels=None, mark="-", suffix="", prefix="train"):
    """Write the two files of a split from raw bytes (by default a valid pair); gives the two paths."""
    directory = Path(directory)
    paths = [directory / f"{prefix}-{name}-ubyte{suffix}" for name in (f"images{mark}idx3", f"labels{mark}idx1")]
    paths[0].write_bytes(idx_bytes(IMAGES) if images is None else images)
    paths[1].write_bytes(idx_bytes(LABELS) if labels is None else labels)
    return paths


# ---- digits ---------------------------------------------------------------------------------------------------

def check_digits():
    X, labels = data.load_digits()
    assert X.shape == (1797, 64) and X.dtype == np.float64 and X.flags.c_contiguous
    assert labels.shape == (1797,) and labels.dtype.kind == "i"
    assert X.min() == 0 and X.max() == 1
    assert (X * 16 == np.round(X * 16)).all() and (X * 16).sum() == 561718
    assert np.bincount(labels).tolist() == DIGITS_PER_CLASS
    assert labels[:10].tolist() == list(range(10))
    assert (X[0].reshape(8, 8)[:2] * 16).tolist() == [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0]]


def test_digits_are_the_digits():
    check_digits()


def test_digits_are_fresh_each_time():
    X, labels = data.load_digits()
    X[:], labels[:] = 7, 7
    check_digits()


def check_mnist():
    X, labels = data.load_mnist()
    assert X.shape == (10_000, 784) and X.dtype == np.float32 and X.flags.c_contiguous and X.flags.writeable
    assert labels.shape == (10_000,) and labels.dtype == np.intp and np.bincount(labels).tolist() == [1000] * 10
    assert X.min() == 0 and X.max() == 1
    grey = np.round(X.astype(np.float64) * 255)
    np.testing.assert_array_equal((grey / 255).astype(np.float32), X)
    assert 0.12 < X.mean() < 0.14                              # MNIST's mean is 0.1307
    ink = X.reshape(-1, 28, 28).sum(axis=0)
    assert ink[4:24, 4:24].sum() > 0.96 * ink.sum()


def test_mnist_is_mnist():
    check_mnist()


def test_mnist_is_the_digits_on_more_pixels():
    """Nothing is mirrored, turned or mislabelled: so the classes' mean images agree best with the small digits'."""
    (small, small_labels), (large, labels) = data.load_digits(), data.load_mnist()
    small = small.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4))
    large = large.reshape(-1, 28, 28)[:, 4:24, 4:24].reshape(-1, 4, 5, 4, 5).mean(axis=(2, 4))

    def agreement(images, labels):
        means = [np.stack([A[y == c].mean(axis=0) for c in range(10)]).reshape(10, -1) - A.mean(axis=0).ravel()
                 for A, y in ((images, labels), (small, small_labels))]
        return np.corrcoef(*(m.ravel() for m in means))[0, 1]
    right = agreement(large, labels)
    assert right > 0.4
    for wrong in (large.transpose(0, 2, 1), large[:, ::-1], large[:, :, ::-1]):
        assert agreement(wrong, labels) < right - 0.15
    assert agreement(large, (labels + 1) % 10) < 0.2


def test_the_attribution_travels_with_the_digits():
    text = Path(data.__file__).with_name("ATTRIBUTION.md").read_text(encoding="ascii")
    for words in ("E. Alpaydin and C. Kaynak (1998)", "https://doi.org/10.24432/C50P49", "CC BY 4.0", "repacked",
                  "Y. LeCun, C. Cortes, C. J. C. Burges, 1998", "Attribution-Share Alike 3.0", "licenses/by-sa/3.0",
                  "1,000 images of each digit drawn from the training set"):
        assert words in text


def check_binarize():
    grey = np.array([[0.0, 0.25, 0.5], [np.nextafter(0.5, 0), 0.75, 1.0]])
    for dtype in (np.float32, np.float64):
        black_white = data.binarize(grey.astype(dtype))
        assert black_white.dtype == dtype
    assert black_white.tolist() == [[0, 0, 1], [0, 1, 1]]
    assert data.binarize(grey, threshold=0.8).tolist() == [[0, 0, 0], [0, 0, 1]]
    assert data.binarize(data.load_digits()[0]).sum() == 37151


def test_binarize():
    check_binarize()


@pytest.mark.parametrize("X, odd", [
    (np.array([[0, 70], [128, 255]], np.uint8), "70 at row 0, column 1"), (np.array([[0.0, 16.0]]), "16.0 at row 0, column 1"),
    (np.array([[-1.0, 1.0]]), "-1.0 at row 0, column 0"), (np.array([0, 2]), "2 at row 1"),
])
def test_binarize_takes_no_other_scale_in_silence(X, odd):
    with pytest.raises(ValueError, match=rf"^X: want values in \[0, 1\], got {odd}; divide by the largest .*threshold=128"):
        data.binarize(X)
    threshold = (float(X.min()) + float(X.max())) / 2
    assert data.binarize(X, threshold).tolist() == (X >= threshold).tolist() and data.binarize(X, threshold).dtype == X.dtype


@pytest.mark.parametrize("X, threshold, becomes", [
    ([0.2, 1.0], 128, 0), ([0.2, 1.0], 1.01, 0), ([0.2, 1.0], 0.2, 1), ([3, 255], -1, 1), ([False, True], 2, 0)])
def test_a_threshold_that_parts_nothing_is_warned_of(X, threshold, becomes):
    with pytest.warns(UserWarning, match=f"^threshold: want one inside the range of X, .* become {becomes}$"):
        assert (data.binarize(np.array(X), threshold) == becomes).all()


@pytest.mark.parametrize("X, threshold", [([0.2, 1.0], 1), ([0.2, 1.0], 0.21), ([0.1, 0.2], None), ([0, 0], 0.5), ([1.0], 0.5)])
def test_a_threshold_in_the_range_or_of_the_house_is_not(X, threshold):
    data.binarize(np.array(X), threshold)


def test_binarize_takes_black_and_white_of_any_kind():
    for dtype in (bool, np.uint8, np.int64, np.float16, np.float32):
        X = np.array([[0, 1], [1, 0]], dtype)
        np.testing.assert_array_equal(data.binarize(X), X, strict=True)


def test_binarize_leaves_its_input_alone():
    grey = np.array([0.2, 0.7])
    data.binarize(grey)
    assert grey.tolist() == [0.2, 0.7]


@pytest.mark.parametrize("X, threshold, error, word", [
    ([0.1, np.nan], 0.5, ValueError, "X"), ([], 0.5, ValueError, "X"), (["a"], 0.5, TypeError, "X"),
    ([0.1], np.nan, ValueError, "threshold"), ([0.1], "half", TypeError, "threshold")])
def test_binarize_refuses(X, threshold, error, word):
    with pytest.raises(error, match=word):
        data.binarize(X, threshold)


# ---- split ----------------------------------------------------------------------------------------------------

def check_split(labels, sizes, seed=0):
    labels = np.asarray(labels)
    parts = data.split(labels, sizes, seed)
    assert [len(part) for part in parts] == list(sizes)
    together = np.concatenate(parts)
    assert together.dtype.kind == "i" and together.min() >= 0 and together.max() < len(labels)
    assert len(set(together.tolist())) == len(together), "an example is in two parts"
    for part in parts:
        for c in np.unique(labels):
            count, share = np.sum(labels[part] == c), len(part) * np.sum(labels == c) / len(labels)
            assert abs(count - share) <= 1 + 1e-9, f"class {c}: {count} examples for a share of {share}"
    return parts


def check_split_of_the_digits():
    parts = check_split(data.load_digits()[1], (1000, 297, 500))
    for part, default in zip(parts, data.split(data.load_digits()[1])):
        assert (part == default).all()
    digest = hashlib.sha256(np.concatenate(parts).astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == "a82affe7ec98f287"


def test_split_of_the_digits_is_fixed():
    check_split_of_the_digits()


def test_split_depends_on_the_seed_and_is_shuffled():
    labels = data.load_digits()[1]
    first, other = data.split(labels)[0], data.split(labels, seed=1)[0]
    assert set(first) != set(other)
    assert np.abs(np.corrcoef(np.arange(1000), first)[0, 1]) < 0.15
    assert np.abs(np.corrcoef(np.arange(1000), labels[first])[0, 1]) < 0.15


def check_start_of_each_part(seed):
    """The first 100 of every part have about 10 of each of ten classes: to 4 standard deviations."""
    labels = np.repeat(np.arange(10), 1000)
    for part in data.split(labels, (8000, 1000, 1000), seed):
        assert np.abs(np.bincount(labels[part[:100]], minlength=10) - 10).max() <= 12


@pytest.mark.parametrize("seed", range(3))
def test_a_part_of_a_part_is_a_fair_sample(seed):
    check_start_of_each_part(seed)


@st.composite
def labels_and_sizes(draw):
    class_sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=9))
    labels = np.repeat(np.arange(len(class_sizes)) * 3, class_sizes)   # classes need not be consecutive
    cuts = draw(st.sets(st.integers(1, len(labels)), min_size=1, max_size=6))
    return labels, np.diff([0, *sorted(cuts)]).tolist()                # often leaves some over


@given(labels_and_sizes(), st.integers(0, 2**32))
@settings(FEW, max_examples=200)
def test_split_is_disjoint_and_balanced(labels_sizes, seed):
    check_split(*labels_sizes, seed)


def test_split_is_balanced_where_giving_each_part_its_most_deserving_classes_is_not():
    counts = importlib.import_module("scratchvae.data.split").class_counts([12, 5, 12, 5, 10, 2], [17, 11, 5, 9, 4])
    assert counts.sum(axis=0).tolist() == [12, 5, 12, 5, 10, 2] and counts.sum(axis=1).tolist() == [17, 11, 5, 9, 4]
    assert np.abs(counts - np.outer([17, 11, 5, 9, 4], [12, 5, 12, 5, 10, 2]) / 46).max() <= 1


@pytest.mark.parametrize("labels, sizes, seed, error, word", [
    ([0, 1, 1], (2, 2), 0, ValueError, "sizes"), ([0, 1, 1], (2, 0), 0, ValueError, r"sizes\[1\]"),
    ([0, 1, 1], (4, -1), 0, ValueError, r"sizes\[1\]"), ([0, 1, 1], (1.0,), 0, TypeError, r"sizes\[0\]"),
    ([0, 1, 1], 2, 0, TypeError, "sizes"),
    ([], (1,), 0, ValueError, "labels"), ([0.0, 1.0], (1,), 0, TypeError, "labels"),
    ([[0], [1]], (1,), 0, ValueError, "labels"), ([-1, 0], (1,), 0, ValueError, "labels"),
    ([0, 1], (1,), -1, ValueError, "seed"), ([0, 1], (1,), None, TypeError, "seed")])
def test_split_refuses(labels, sizes, seed, error, word):
    with pytest.raises(error, match=word):
        data.split(labels, sizes, seed)


# ---- idx: what is read ----------------------------------------------------------------------------------------

def check_idx_loads(directory, split="train"):
    X, labels = data.load_idx(directory, split)
    assert X.shape == (5, 12) and X.dtype == np.float32 and X.flags.c_contiguous
    assert X.tobytes() == (IMAGES.reshape(5, 12) / np.float32(255)).astype(np.float32).tobytes()
    assert labels.dtype == np.intp and labels.tolist() == LABELS.tolist()


def packed(content, suffix):
    return gzip.compress(content) if suffix == ".gz" else content


@pytest.mark.parametrize("split, prefix", [("train", "train"), ("test", "t10k")])
@pytest.mark.parametrize("mark, suffix", NAMES)
@pytest.mark.parametrize("kind", ["", ".gz"])
def test_idx_round_trip_for_all_names_and_either_content(tmp_path, split, prefix, mark, suffix, kind):
    write_split(tmp_path, packed(idx_bytes(IMAGES), kind), packed(idx_bytes(LABELS), kind), mark, suffix, prefix)
    check_idx_loads(tmp_path, split)       # only this split's files are there, so no other is read
    check_idx_loads(str(tmp_path), split)


@given(st.integers(1, 7), st.integers(1, 5), st.integers(1, 5), st.integers(1, 9), st.integers(0, 99))
@FEW
def test_idx_blocks_are_joined_wherever_they_end(n, rows, columns, block, seed):
    images = rng(seed).integers(0, 256, (n, rows, columns), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        write_split(directory, gzip.compress(idx_bytes(images)), idx_bytes(images[:, 0, 0].copy()))
        patch.setattr(idx, "BLOCK", block)
        X, labels = data.load_idx(directory)
    assert (np.round(X * 255) == images.reshape(n, -1)).all() and (labels == images[:, 0, 0]).all()
    assert np.abs(X - images.reshape(n, -1) / 255).max() < 1e-7


def check_idx_memory(directory):
    """The peak is X, the labels and a little: the images are never there a second time, not even as bytes."""
    images = np.random.default_rng(0).integers(16, size=(4096, 32, 32), dtype=np.uint8)     # 4 MiB, X is 16 MiB
    labels = np.zeros(4096, np.uint8)
    for pack in (bytes, lambda content: gzip.compress(content, 1)):
        write_split(directory, pack(idx_bytes(images)), pack(idx_bytes(labels)))
        tracemalloc.start()
        X, _ = data.load_idx(directory)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < X.nbytes + 2 * 2**20, f"peak {peak} for {X.nbytes} bytes of X"


def test_idx_memory(tmp_path):
    check_idx_memory(tmp_path)


# ---- idx: what is refused -------------------------------------------------------------------------------------

def check_idx_refused(directory, path, word):
    """ValueError, naming the file and what was wanted."""
    with pytest.raises(ValueError) as caught:
        data.load_idx(directory)
    assert type(caught.value) is ValueError and str(path) in str(caught.value)
    assert "want" in str(caught.value) and word in str(caught.value), caught.value


def check_idx_refused_unallocated(directory, path, word):
    """As `check_idx_refused`, and before memory is set aside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(idx, "read_items", lambda *args, **kwargs: pytest.fail("set memory aside for a bad header"))
        check_idx_refused(directory, path, word)


BAD_HEADERS = {
    "labels under the name of images": (idx_bytes(LABELS), "got 00 00 08 01"),
    "items of two bytes": (idx_bytes(IMAGES, magic=b"\0\0\x0b\x03"), "got 00 00 0b 03"),
    "four dimensions": (idx_bytes(IMAGES[None]), "got 00 00 08 04"),
    "not IDX": (b"\x89PNG\r\n\x1a\n" + bytes(90), "got 89 50 4e 47"),
    "big-endian mark": (idx_bytes(IMAGES, magic=b"\x08\x03\0\0"), "got 08 03 00 00"),
    "an empty file": (b"", "an empty file"),
    "three bytes": (b"\0\0\x08", "got 00 00 08"),
    "half a header": (idx_bytes(IMAGES)[:15], "header of 16 bytes, got 15"),
    "no images": (idx_bytes(IMAGES[:0]), "promises 0 "),
    "no rows": (idx_bytes(IMAGES[:, :0]), "promises 0 "),
    "2^40 items": (idx_bytes(IMAGES, shape=(2**20, 2**10, 2**10)), f"promises {2**40} "),
    "2^96 items": (idx_bytes(IMAGES, shape=(2**32 - 1,) * 3), f"promises {(2**32 - 1)**3} "),
    "2^64 items": (idx_bytes(IMAGES, shape=(2**31, 2**31, 4)), f"promises {2**64} "),   # 0 in 64 bits
    "1 GiB and a bit": (idx_bytes(IMAGES, shape=(2**15 + 1, 2**8, 2**7)), "promises"),
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("content, word", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_idx_refuses_a_bad_header(tmp_path, content, word, suffix):
    path, _ = write_split(tmp_path, packed(content, suffix), suffix=suffix)
    check_idx_refused_unallocated(tmp_path, path, word)


def test_idx_refuses_a_bad_header_of_the_labels(tmp_path):
    _, path = write_split(tmp_path, labels=idx_bytes(IMAGES))
    check_idx_refused_unallocated(tmp_path, path, "got 00 00 08 03")


@pytest.mark.parametrize("n, word", [(4, "5 images"), (6, "5 images")])
def test_idx_refuses_counts_that_differ(tmp_path, n, word):
    _, path = write_split(tmp_path, labels=idx_bytes(np.zeros(n, np.uint8)))
    check_idx_refused_unallocated(tmp_path, path, word)


def test_idx_refuses_a_promise_beyond_the_file(tmp_path):
    path, _ = write_split(tmp_path, idx_bytes(IMAGES)[:-1])
    check_idx_refused_unallocated(tmp_path, path, "may hold 75 at most")


def test_idx_refuses_a_decompression_bomb(tmp_path):
    """Zeros deflate about 1000 : 1, honest header or not; a file of up to 1 MiB may, one of real images (5 : 1) does."""
    zeros, labels = np.zeros((1000, 40, 100), np.uint8), idx_bytes(np.zeros(1000, np.uint8))
    bomb = gzip.compress(idx_bytes(zeros))
    path, _ = write_split(tmp_path, bomb, labels)
    assert zeros.size > 900 * len(bomb)
    check_idx_refused_unallocated(tmp_path, path, f"may hold {2**20} at most")

    write_split(tmp_path, gzip.compress(idx_bytes(zeros[:, :, :26])), labels)    # a mere 1,040,016 bytes
    assert data.load_idx(tmp_path)[0].shape == (1000, 1040)

    five_to_one = zeros.copy()
    five_to_one[:, :6] = np.random.default_rng(0).integers(256, size=(1000, 6, 100))
    write_split(tmp_path, gzip.compress(idx_bytes(five_to_one)), labels)
    assert data.load_idx(tmp_path)[0].shape == (1000, 4000)


GZIPPED = gzip.compress(idx_bytes(IMAGES), mtime=0)
DAMAGED = {
    "plain, one byte more": (idx_bytes(IMAGES) + b"\0", "more bytes follow"),
    "gzip, one byte more": (gzip.compress(idx_bytes(IMAGES) + b"\0"), "more bytes follow"),
    "gzip, a second member": (GZIPPED + gzip.compress(b"more"), "more bytes follow"),
    "gzip, one byte less": (gzip.compress(idx_bytes(IMAGES)[:-1]), "ends after 59"),
    "gzip, half a file": (GZIPPED[:len(GZIPPED) // 2], "EOFError"),
    "gzip, no checksum": (GZIPPED[:-8], "EOFError"),
    "gzip, wrong checksum": (GZIPPED[:-5] + bytes([GZIPPED[-5] ^ 1]) + GZIPPED[-4:], "CRC"),
    "gzip, wrong length": (GZIPPED[:-1] + b"\1", "length"),
    "gzip, then rubbish": (GZIPPED + b"rubbish", "BadGzipFile"),
    "gzip, unknown method": (GZIPPED[:2] + b"\7" + GZIPPED[3:], "BadGzipFile"),
    "gzip, invalid block": (GZIPPED[:10] + b"\xff" + GZIPPED[11:], "error('Error -3"),   # zlib.error
    "gzip, two bytes": (GZIPPED[:2], "EOFError"),
}


@pytest.mark.parametrize("content, word", DAMAGED.values(), ids=DAMAGED)
def test_idx_refuses_damage(tmp_path, content, word):
    path, _ = write_split(tmp_path, content)
    check_idx_refused(tmp_path, path, word)


def test_idx_accepts_zeros_after_the_end_of_a_gzip_file(tmp_path):
    """As gzip itself does: tapes and some servers pad a file to whole blocks, and the content is not touched."""
    write_split(tmp_path, GZIPPED + bytes(512))
    check_idx_loads(tmp_path)


def test_idx_refuses_damage_in_the_labels(tmp_path):
    _, path = write_split(tmp_path, labels=gzip.compress(idx_bytes(LABELS))[:-8])
    check_idx_refused(tmp_path, path, "EOFError")


def check_idx_inflates_no_bomb(directory):
    """A file that goes on for 64 MiB is read to one byte past the promise, and no further."""
    path, _ = write_split(directory, gzip.compress(idx_bytes(IMAGES) + bytes(2**26), 1))
    sizes, read = [], gzip.GzipFile.read

    def counted_read(self, size=-1):
        content = read(self, size)
        sizes.append(len(content))
        return content

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gzip.GzipFile, "read", counted_read)
        tracemalloc.start()
        check_idx_refused(directory, path, "more bytes follow")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert sum(sizes) <= 16 + 16 + IMAGES.size + 1   # the header is read twice
    assert peak < 2 * 2**20


def test_idx_inflates_no_bomb(tmp_path):
    check_idx_inflates_no_bomb(tmp_path)


def test_idx_says_what_is_missing(tmp_path):
    for directory, found in ((tmp_path, "found none"), (tmp_path / "nowhere", "no such folder")):
        check_idx_refused(directory, directory, "train-images-idx3-ubyte and train-labels-idx1-ubyte")
        check_idx_refused(directory, directory, found)
    images, labels = write_split(tmp_path)
    check_idx_refused(images, images, "got a file")
    labels.unlink()
    check_idx_refused(tmp_path, images, "want its labels beside it, train-labels-idx1-ubyte")
    labels.mkdir()   # a directory is not a file
    check_idx_refused(tmp_path, images, "want its labels")
    with pytest.raises(ValueError, match="t10k-images-idx3-ubyte"):
        data.load_idx(tmp_path, "test")
    images.unlink()
    labels.rmdir()
    labels.write_bytes(idx_bytes(LABELS))
    check_idx_refused(tmp_path, labels, "want its images beside it, train-images-idx3-ubyte")


@pytest.mark.parametrize("content, word", [
    (b"\n<!DOCTYPE html><html>", "an HTML page"), (b"PK\3\4 and so on", "a ZIP archive"),
    (b"version https://git-lfs.github.com/spec/v1", "Git LFS")])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_says_what_a_file_is_that_is_no_idx_file(tmp_path, content, word, suffix):
    for content in (content, gzip.compress(content)):
        path, _ = write_split(tmp_path, content, suffix=suffix)
        check_idx_refused_unallocated(tmp_path, path, word)


@pytest.mark.parametrize("folder", ["raw", "MNIST", "MNIST/raw"])
def test_idx_files_may_lie_below(tmp_path, folder):
    (tmp_path / folder).mkdir(parents=True)
    write_split(tmp_path / folder)
    check_idx_loads(tmp_path)


def test_idx_takes_one_set_of_several_by_its_name(tmp_path):
    for name in ("emnist-balanced", "emnist-letters"):
        write_split(tmp_path, prefix=f"{name}-train")
        write_split(tmp_path, prefix=f"{name}-test", suffix=".gz")
        check_idx_loads(tmp_path / name)
        check_idx_loads(tmp_path / name, "test")
        if name == "emnist-balanced":
            check_idx_loads(tmp_path)   # the only one so far
    check_idx_refused(tmp_path, tmp_path, f"{tmp_path / 'emnist-balanced'}, {tmp_path / 'emnist-letters'}")
    check_idx_refused(tmp_path / "emnist", tmp_path / "emnist", "no such folder")


def test_idx_images_that_are_not_square_keep_their_shape(tmp_path):
    write_split(tmp_path)
    assert (data.load_idx(tmp_path, flat=False)[0] == data.load_idx(tmp_path)[0].reshape(IMAGES.shape)).all()


@pytest.mark.parametrize("split", ["valid", "", "t10k", None, 0, ["train"]])
def test_idx_refuses_an_unknown_split(tmp_path, split):
    with pytest.raises(ValueError, match="split: want one of train, test, got"):
        data.load_idx(tmp_path, split)


def test_idx_refuses_what_is_no_path():
    with pytest.raises(TypeError, match="directory"):
        data.load_idx(None)
    with pytest.raises(TypeError, match="flat: want True or False, got 'no'"):
        data.load_idx(".", flat="no")


def check_idx_loads_or_refuses(images=None, labels=None):
    """Whatever the bytes, the outcome is a pair of arrays that fit, or a ValueError that names the file."""
    with tempfile.TemporaryDirectory() as directory:
        paths = write_split(directory, images, labels)
        try:
            X, y = data.load_idx(directory)
        except ValueError as error:
            assert str(paths[0]) in str(error) or str(paths[1]) in str(error)
            return None
    assert X.ndim == 2 and y.shape == (len(X),) and X.dtype == np.float32 and 0 <= X.min() <= X.max() <= 1
    return X


@given(st.binary(max_size=200), st.booleans(), st.booleans(),
       st.sampled_from([b"", b"\0\0\x08\x03", idx_bytes(IMAGES)[:16], b"\x1f\x8b\x08", GZIPPED[:60]]))
@settings(FEW, max_examples=200)
def test_idx_arbitrary_bytes(tail, zipped, as_labels, head):
    content = gzip.compress(head + tail) if zipped else head + tail
    check_idx_loads_or_refuses(**{"labels" if as_labels else "images": content})


@pytest.mark.parametrize("content", [idx_bytes(IMAGES), GZIPPED], ids=["plain", "gzip"])
def test_idx_every_flipped_bit(content):
    """A flipped bit gives the same shape or a refusal; under gzip's checksum it never gives other pixels."""
    truth = check_idx_loads_or_refuses(content)
    loaded = 0
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        X = check_idx_loads_or_refuses(bytes(damaged))
        loaded += X is not None
        assert X is None or X.shape == truth.shape
        assert X is None or content is not GZIPPED or (X == truth).all()
    if content is GZIPPED:
        assert loaded >= 8 * 6   # the time, the level and the system in gzip's header say nothing about the pixels
    else:
        assert loaded == 8 * IMAGES.size


@given(st.data())
@FEW
def test_idx_many_flipped_bits(draws):
    content = bytearray(draws.draw(st.sampled_from([idx_bytes(LABELS), gzip.compress(idx_bytes(LABELS), mtime=0)])))
    for bit in draws.draw(st.sets(st.integers(0, 8 * len(content) - 1), min_size=2, max_size=6)):
        content[bit // 8] ^= 1 << bit % 8
    X = check_idx_loads_or_refuses(labels=bytes(content))
    assert X is None or X.shape == (5, 12)


# ---- curves ---------------------------------------------------------------------------------------------------

def check_on_curve(name):
    """Without noise, every point solves the curve's own equation, at the place that t says."""
    X, t = getattr(data, name)(500, noise=0, rng=rng())
    assert X.shape == (500, 2) and X.dtype == np.float64 and t.shape == (500,)
    x, y = X.T
    if name == "s_curve":
        np.testing.assert_allclose(x**2 + (np.abs(y) - 1)**2, 1, atol=1e-12)   # one of two unit circles
        assert (y * t <= 0).all() and np.abs(t).max() <= 1.5 * np.pi
        centre_angle = np.arctan2(x * np.sign(t), 1 - np.abs(y)) % (2 * np.pi)
        np.testing.assert_allclose(centre_angle, np.abs(t), atol=1e-7)
    else:
        radius = t / (4 * np.pi) if name == "spiral" else 1
        np.testing.assert_allclose(np.hypot(x, y), radius, atol=1e-12)
        np.testing.assert_allclose(np.arctan2(y, x) % (2 * np.pi), t % (2 * np.pi), atol=1e-12)
        end = {"arc": 1.5, "circle": 2, "spiral": 4}[name] * np.pi
        assert 0 <= t.min() and 0.98 * end < t.max() <= end


def check_uniform_along_curve(name, tolerance):
    """The length travelled grows as the number of points passed (Kolmogorov-Smirnov's distance)."""
    X, t = getattr(data, name)(20000, noise=0, rng=rng())
    length = np.cumsum(np.linalg.norm(np.diff(X[np.argsort(t)], axis=0), axis=1))
    assert np.abs(length / length[-1] - np.arange(1, 20000) / 19999).max() < tolerance


def check_noise(name):
    """Noise comes after t: the same seed gives the same places, displaced with the stated standard deviation."""
    curve = getattr(data, name)
    clean, t = curve(20000, noise=0, rng=rng())
    for noise, displaced in ((0.3, curve(20000, noise=0.3, rng=rng())), (0.05, curve(20000, rng=rng()))):
        assert (displaced[1] == t).all()
        z = (displaced[0] - clean) / noise
        assert (np.abs(z.mean(axis=0)) < 4 / np.sqrt(20000)).all()
        np.testing.assert_allclose(z.std(axis=0), 1, atol=4 / np.sqrt(40000))
        assert abs(np.mean(z[:, 0] * z[:, 1])) < 4 / np.sqrt(20000)
        np.testing.assert_allclose(np.mean(z**4), 3, atol=4 * np.sqrt(96 / 40000))   # Gaussian, not merely wide


@pytest.mark.parametrize("name", CURVES)
def test_curve_lies_on_its_curve(name):
    check_on_curve(name)


@pytest.mark.parametrize("name", CURVES)
def test_curve_is_uniform_in_arc_length(name):
    # 0.014 is passed by chance once in 1000 seeds; the spiral's own bias is 0.013
    check_uniform_along_curve(name, tolerance=0.03 if name == "spiral" else 0.014)


@pytest.mark.parametrize("name", CURVES)
def test_curve_noise(name):
    check_noise(name)


def test_arc_of_a_given_angle():
    X, t = data.arc(1000, noise=0, rng=rng(), angle=0.5)
    assert t.max() <= 0.5 and t.max() > 0.49 and (X[:, 0] >= np.cos(0.5)).all()


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("arguments, error, word", [
    (dict(n=0), ValueError, "n"), (dict(n=2.0), TypeError, "n"), (dict(noise=-0.1), ValueError, "noise"),
    (dict(noise=np.nan), ValueError, "noise"), (dict(rng=0), TypeError, "rng"), (dict(rng=None), TypeError, "rng")])
def test_curves_refuse(name, arguments, error, word):
    with pytest.raises(error, match=f"^{word}: "):
        getattr(data, name)(**{"n": 5, "rng": rng(), **arguments})


@pytest.mark.parametrize("angle", [0, -1, 7, np.inf])
def test_arc_refuses_an_angle_that_is_no_arc(angle):
    with pytest.raises(ValueError, match="angle"):
        data.arc(5, rng=rng(), angle=angle)
