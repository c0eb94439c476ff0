"""How many threads should a product have? One, unless it is large.

NumPy's BLAS shares every product out among all cores and waits, spinning, for the last of them: beside another busy
program every product waits for the scheduler. Milliseconds a training step on two cores, with two threads and with one:

                                     idle            beside one busy process    at a load of six
    64-128-8, batch 64               0.35   0.25     45     1.3                 110    5
    784-400-20, batch 128            5.8    7.6      230    27
    784-1024-512-32, batch 256       34     49       840    150

So what computes here holds the BLAS at one thread meanwhile and puts its number back on leaving. A network's pass of
at least LARGE multiply-adds, rows times parameters, keeps its threads; a decomposition, many small products, does not.
The choice follows from sizes alone, never from the clock: the same seed gives the same bits. Nothing is done where the
BLAS is not known, where it has one thread already, or where the environment says how many to use (OMP_NUM_THREADS).
"""
import ctypes
import os
from contextlib import ContextDecorator, nullcontext
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock, local

import numpy as np

LARGE = 1 << 29
CHOSEN = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
# How each is asked for its number of threads, and told: OpenBLAS, by names of NumPy's wheels and its own, MKL, BLIS.
NAMES = [(f"{prefix}openblas_get_num_threads{suffix}", f"{prefix}openblas_set_num_threads{suffix}")
         for prefix in ("scipy_", "") for suffix in ("64_", "_64", "")]
NAMES += [("MKL_Get_Max_Threads", "MKL_Set_Num_Threads"), ("bli_thread_get_num_threads", "bli_thread_set_num_threads")]


def libraries():
    """Where to look: in NumPy's own library, through which all that it depends on is seen, but not on Windows."""
    yield import_module("numpy._core._multiarray_umath").__file__
    yield from Path(np.__file__).parent.parent.glob("numpy.libs/*openblas*.dll")


@cache
def blas():
    """The functions that get and set the number of threads of NumPy's BLAS; None if unknown or not ours to set."""
    if any(os.environ.get(name) for name in CHOSEN):
        return None
    try:
        for library in map(ctypes.CDLL, map(str, libraries())):
            for get, set_ in NAMES:
                if hasattr(library, get) and hasattr(library, set_):
                    get, set_ = getattr(library, get), getattr(library, set_)
                    set_.argtypes, set_.restype = [ctypes.c_ssize_t], None
                    return get, set_
    except (ImportError, OSError):  # another layout of NumPy, or a system that does not open libraries
        pass
    return None


class Here(local):
    """How many contexts this Python thread is inside of: in a second there is nothing to do, and no time to lose."""

    inside = 0


class OneThread(ContextDecorator):
    """Of all that are inside, in every Python thread, the first sets one thread and the last puts the number back."""

    def __init__(self):
        self.lock, self.inside, self.kept = Lock(), 0, 1

    def __enter__(self):
        here.inside += 1
        with self.lock:
            self.inside += 1
            if self.inside == 1 and blas():
                get, set_ = blas()
                self.kept = get()
                if self.kept > 1:
                    set_(1)

    def __exit__(self, *_):
        here.inside -= 1
        with self.lock:
            self.inside -= 1
            if self.inside == 0 and self.kept > 1:
                blas()[1](self.kept)
                self.kept = 1


here, ONE_THREAD, AS_IT_IS = Here(), OneThread(), nullcontext()


def threads_for(work):
    """A context (for a small `work` also a decorator) in which `work` multiply-adds have the threads they merit."""
    return ONE_THREAD if work < LARGE and not here.inside else AS_IT_IS
