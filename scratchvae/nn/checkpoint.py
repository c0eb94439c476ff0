"""How does a model survive the end of the program? One `.npz` file, written whole or not at all.

A file holds a header (JSON: the format's version, the class, the constructor's arguments) and plain arrays, stored
without compression, and never a pickled object. Its members are read in `distrust.py`: it may come from anyone.
"""
import json
import zipfile

import numpy as np

from scratchvae import checking
from scratchvae.extending import CLASSES, class_name, class_named, described
from scratchvae.nn.distrust import read_members, reason, refuse_promise
from scratchvae.writing import whole_file

FORMAT = "scratchvae 1"
NEEDS = ("config", "arrays", "load_arrays", "from_config")  # of a class whose things `save` and `load` take


def save(model, path):
    """Write a model to `path` as one `.npz` file.

    OSError, with the old file left whole, if the disk is full or the folder cannot be written.
    """
    cls = type(model)
    if class_name(cls) not in CLASSES or not all(hasattr(cls, name) for name in NEEDS):
        raise TypeError(f"model: want a model, as a VAE, or a thing of a class decorated with @scratchvae.saveable "
                        f"that has {', '.join(NEEDS)}; got {cls.__name__}")
    name, config = described(model)
    write_arrays(checking.path("path", path), {"class": name, "config": config}, model.arrays())


def load(path):
    """The model that `save` wrote to `path`. ValueError, naming the file, if it holds no such thing.

    A class of your own must be defined before (its module imported): no name in a file is ever imported.
    """
    header, arrays = read_arrays(checking.path("path", path))
    try:
        cls = class_named(header["class"])
        refuse_promise(cls, header["config"], arrays)
        model = cls.from_config(header["config"])
        model.load_arrays(arrays)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
        raise ValueError(f"{path}: want a saved model of this version, but {reason(error)}") from error
    return model


def write_arrays(path, header, arrays):
    """Write a JSON header and named arrays to `path`, whole or not at all; TypeError for an array of objects."""
    if "header" in arrays:
        raise ValueError("arrays: want another name than 'header', which is the file's own")
    arrays = {"header": np.array(json.dumps({"format": FORMAT, **header})), **arrays}
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise TypeError(f"{name}: a file holds arrays of numbers and texts, never pickled objects, got {array!r}")
    with whole_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # as numpy.savez does
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), version=(1, 0), allow_pickle=False)


def read_arrays(path):
    """The header and the arrays that `write_arrays` wrote. ValueError, naming the file, for anything else."""
    try:
        arrays = read_members(path)
        header = json.loads(str(arrays.pop("header")))
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; want one that scratchvae.save wrote") from None
    except Exception as error:  # a damaged zip or array header can fail in a dozen ways, all of them the file's fault
        raise ValueError(f"{path}: want a file that scratchvae wrote, but {reason(error)}") from error
    return header, arrays
