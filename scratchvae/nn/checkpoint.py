"""How does a model survive the end of the program? One `.npz` file, written whole or not at all.

A file holds a header (JSON: the format's version, the class, the constructor's arguments) and plain arrays, stored
without compression, and never a pickled object. It may come from anyone: its members are read in `checking/files.py`.
"""
import json
import zipfile
from warnings import catch_warnings, simplefilter

import numpy as np

from scratchvae.checking import entry
from scratchvae.checking import path as a_path
from scratchvae.checking.files import blaming, read_members, refuse_promise, storable, storable_arrays
from scratchvae.extending import class_named, described
from scratchvae.writing import whole_file

FORMAT = "scratchvae 1"


@entry(model=storable, path=a_path)
def save(model, path):
    """Write a model to `path` as one `.npz` file.

    What `load` would refuse, as parameters that are NaN, is refused as there, before a file is touched.
    OSError, with the old file left whole, if the disk is full or the folder cannot be written.
    """
    (name, config), arrays = described(model), storable_arrays("arrays", model.arrays())
    with catch_warnings():
        simplefilter("ignore")  # the user has had them, when the model was made
        rebuilt(type(model), config, dict(arrays))
    write_arrays(path, {"class": name, "config": config}, arrays)


@entry(path=a_path)
def load(path):
    """The model that `save` wrote to `path`. ValueError, naming the file, if it holds no such thing.

    A class of your own must be defined before (its module imported): no name in a file is ever imported.
    """
    header, arrays = read_arrays(path)
    with blaming(path, "want a saved model of this version"):
        return rebuilt(class_named(header["class"]), header["config"], arrays)


def rebuilt(cls, config, arrays):
    """The model of this class that a file's `config` and `arrays` describe."""
    refuse_promise(cls, config, arrays)
    model = cls.from_config(config)
    model.load_arrays(arrays)
    return model


@entry(arrays=storable_arrays)
def write_arrays(path, header, arrays):
    """Write a JSON header and named arrays to `path`, whole or not at all; TypeError for an array of objects."""
    arrays = {"header": np.array(json.dumps({"format": FORMAT, **header})), **arrays}
    with whole_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # as numpy.savez does
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), version=(1, 0), allow_pickle=False)


def read_arrays(path):
    """The header and the arrays that `write_arrays` wrote. ValueError, naming the file, for anything else."""
    with blaming(path, "want a file that scratchvae wrote"):
        arrays = read_members(path)
        header = json.loads(str(arrays.pop("header")))
        if header["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
    return header, arrays
