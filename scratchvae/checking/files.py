"""What if a file is not what it says? Promises are held against what is there before room is made for them.

Nothing is unpickled, nothing unpacked, and no class of ours built that is larger than its file.
"""
import os
import zipfile
from contextlib import contextmanager

import numpy as np

from scratchvae.extending import CLASSES, class_name

NEEDS = ("config", "arrays", "load_arrays", "from_config")  # of a class whose things `save` and `load` take


def storable(name, value):
    """`value`, if it is of a class that `load` can build."""
    cls = type(value)
    if class_name(cls) not in CLASSES or not all(hasattr(cls, each) for each in NEEDS):
        raise TypeError(f"{name}: want a model, as a VAE, or a thing of a class decorated with @scratchvae.saveable "
                        f"that has {', '.join(NEEDS)}; got {cls.__name__}")
    return value


def storable_arrays(name, arrays):
    """The arrays by name, if they hold numbers and texts, and none is called header, which is the file's own."""
    if "header" in arrays:
        raise ValueError(f"{name}: want another name than 'header', which is the file's own")
    for key, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise TypeError(f"{key}: a file holds arrays of numbers and texts, never pickled objects, got {array!r}")
    return arrays


@contextmanager
def blaming(path, what):
    """A context: whatever fails in it, and a file can be damaged in a dozen ways, is a ValueError naming the file."""
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; want one that scratchvae.save wrote") from None
    except Exception as error:
        raise ValueError(f"{path}: {what} ({type(error).__name__}: {error})") from error


def read_members(path):
    """Name -> array, of all `.npy` members of an uncompressed zip file."""
    with zipfile.ZipFile(path) as archive:
        # Stored members cannot promise more bytes than the file has; compressed ones could, and are not ours.
        members, size = archive.infolist(), os.path.getsize(path)
        if any(m.compress_type != zipfile.ZIP_STORED for m in members) or sum(m.file_size for m in members) > size:
            raise ValueError("it is compressed, or promises more bytes than it has")
        return {name.removesuffix(".npy"): _read_array(archive, name) for name in archive.namelist()}


def refuse_promise(cls, config, arrays):
    """Networks are not built unless the file holds their parameters, nor orders that it does not hold one by one."""
    if "." in class_name(cls):
        return  # a stranger's class, whose names may mean other things
    if "n_features" in config:
        D = config["n_features"]
        widths = [D, *config.get("hidden", ()), config.get("n_latent", config.get("n_classes", D))]
        promised = sum(a * b for a, b in zip(widths, widths[1:]))
        if promised > arrays["theta"].size:
            raise ValueError(f"its networks want at least {promised} parameters, it holds {arrays['theta'].size}")
    if "n_orders" in config and config["n_orders"] != len(config["order"]):
        raise ValueError(f"it promises {config['n_orders']} orders and holds {len(config['order'])}")


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
