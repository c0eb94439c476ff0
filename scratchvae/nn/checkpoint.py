"""How does a model survive the end of the program? One `.npz` file, written whole or not at all.

A file holds a header (JSON: the format's version, the class, the constructor's arguments) and plain arrays, stored without
compression and read with `allow_pickle=False`. It is written to a temporary file in the same folder, flushed to the disk
and renamed over the old one, so that a crash at any moment leaves either the old file or the new one.
"""
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from scratchvae import checking

FORMAT = "scratchvae 1"
SAVED_CLASSES = {}  # class name -> class, of all that a file can hold


def saveable(cls):
    """Class decorator: `save` and `load` know the class. It needs `config`, `arrays`, `load_arrays`, `from_config`."""
    SAVED_CLASSES[cls.__name__] = cls
    return cls


def save(model, path):
    """Write a model to `path` as one `.npz` file.

    OSError, with the old file left whole, if the disk is full or the folder cannot be written.
    """
    if SAVED_CLASSES.get(type(model).__name__) is not type(model):
        raise TypeError(f"model: want one of {', '.join(SAVED_CLASSES)}, got {type(model).__name__}")
    write_arrays(checking.path("path", path), {"class": type(model).__name__, "config": model.config()}, model.arrays())


def load(path):
    """The model that `save` wrote to `path`. ValueError, naming the file, if it holds no such thing."""
    header, arrays = read_arrays(checking.path("path", path))
    try:
        _refuse_promise(header["config"], arrays)
        model = SAVED_CLASSES[header["class"]].from_config(header["config"])
        model.load_arrays(arrays)
    except (KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise ValueError(f"{path}: want a saved model of this version, but {_reason(error)}") from error
    return model


def _refuse_promise(config, arrays):
    """Networks are not built unless the file holds their parameters, nor orders that it does not hold one by one."""
    if "n_features" in config:
        D = config["n_features"]
        widths = [D, *config.get("hidden", ()), config.get("n_latent", config.get("n_classes", D))]
        promised = sum(a * b for a, b in zip(widths, widths[1:]))
        if promised > arrays["theta"].size:
            raise ValueError(f"its networks want at least {promised} parameters, it holds {arrays['theta'].size}")
    if "n_orders" in config and config["n_orders"] != len(config["order"]):
        raise ValueError(f"it promises {config['n_orders']} orders and holds {len(config['order'])}")


def write_arrays(path, header, arrays):
    """Write a JSON header and named arrays to `path`, whole or not at all."""
    path = Path(path)
    header = np.array(json.dumps({"format": FORMAT, **header}))
    try:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(temporary, "wb") as file:
                np.savez(file, header=header, **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, f"could not write {path}; what it held before is untouched "
                                   f"({error.strerror})") from error


def read_arrays(path):
    """The header and the arrays that `write_arrays` wrote. ValueError, naming the file, for anything else."""
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_expansion(archive, os.path.getsize(path))
            arrays = {name.removesuffix(".npy"): _read_array(archive, name) for name in archive.namelist()}
        header = json.loads(str(arrays.pop("header")))
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; want one that scratchvae.save wrote") from None
    except Exception as error:  # a damaged zip or array header can fail in a dozen ways, all of them the file's fault
        raise ValueError(f"{path}: want a file that scratchvae wrote, but {_reason(error)}") from error
    return header, arrays


def _refuse_expansion(archive, file_size):
    """Stored members cannot promise more bytes than the file has; compressed ones could, and are not ours."""
    members = archive.infolist()
    if any(m.compress_type != zipfile.ZIP_STORED for m in members) or sum(m.file_size for m in members) > file_size:
        raise ValueError("it is compressed, or promises more bytes than it has")


def _read_array(archive, name):
    """One `.npy` member, after its header's promise was held against the member's size."""
    size = archive.getinfo(name).file_size
    with archive.open(name) as file:
        if np.lib.format.read_magic(file) != (1, 0):  # the version in which these arrays are written
            raise ValueError(f"{name} is of another version of the array format")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.hasobject:
            raise ValueError(f"{name} holds pickled objects")
        if size - file.tell() != dtype.itemsize * int(np.prod(shape, dtype=object)):
            raise ValueError(f"{name} promises another number of bytes than it has")
    with archive.open(name) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _reason(error):
    return f"{type(error).__name__}: {error}"
