"""How is a file written whole or not at all? Beside its place, onto the disk, and renamed over what was there."""
import errno
import os
import secrets
import stat
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path):
    """A context: a file, open for bytes, that takes the place of `path` when the block ends, and only if it ends well.

    A crash at any moment leaves the old file or the new one; of several threads and processes that write at once, one
    wins. A symbolic link stays one, and the file that it names is written; a file that was there keeps its mode.
    OSError, with the old file left whole, if the disk is full or the folder cannot be written.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(8)}")  # no other writer's
    try:
        mode = target.stat().st_mode if target.exists() else None
        if mode is not None and not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is there, and is no file")
        with open(temporary, "xb") as file:
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise OSError(error.errno, f"could not write {path}; what it held before is untouched "
                                   f"({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)
