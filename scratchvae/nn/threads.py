"""How many threads should compute? One; two, each with half of the rows, where the work is large.

NumPy's BLAS shares every product out among all cores and waits, spinning, for the last of them: beside another busy
program every product waits for the scheduler. Milliseconds a training step on two cores, with the BLAS at two threads,
at one, and as it is done here:

                                     idle                  beside one busy process
    64-128-8, batch 64               0.35   0.25   0.25    45     1.3    1.3
    784-400-20, batch 128            5.8    7.6    7.6     230    27     27
    784-1024-512-32, batch 256       31     50     33      83     54     58

So what computes here holds the BLAS at one thread meanwhile and puts its number back on leaving; and where a step or
the rows of `apply` are work enough, two Python threads take half each: they wait for one another once in a step and not
at each product (`by_two`, and `halves.py`). What is halved follows from sizes alone, never from the clock: the same
seed gives the same bits. The BLAS is left alone where it is not known or the environment says how many threads it is to
use (OMP_NUM_THREADS); where that is one, or there is one core, all is done by one.
"""
import ctypes
import os
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ContextDecorator, nullcontext
from contextvars import copy_context
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock, local

import numpy as np

LARGE = 1 << 29  # multiply-adds: rows times parameters
IN_CACHE = 1 << 16  # numbers that a processor's second cache holds, with a few arrays like them
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
SECOND = ThreadPoolExecutor(1)  # one that stays: a new thread's memory is cold, a tenth of a step


def one_thread():
    """A context in which every product has one thread."""
    return AS_IT_IS if here.inside else ONE_THREAD


def after_a_fork():
    """The child has one thread, the one that forked: neither a second nor others that are inside or hold the lock."""
    global SECOND
    SECOND, ONE_THREAD.lock, ONE_THREAD.inside = ThreadPoolExecutor(1), Lock(), here.inside
    if not here.inside and ONE_THREAD.kept > 1:
        blas()[1](ONE_THREAD.kept)
        ONE_THREAD.kept = 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_a_fork)


def halves(n, work):
    """range(n) as two slices, where `work` multiply-adds are LARGE and the BLAS has two threads; else as one."""
    if n > 1 and work >= LARGE:
        with ONE_THREAD:
            if ONE_THREAD.kept > 1:
                return [slice(0, n // 2), slice(n // 2, n)]
    return [slice(0, n)]


def ours(thing):
    """Whether it and its parts are the library's, no method replaced: another's may keep what it last saw."""
    parts = *getattr(thing, "layers", ()), *getattr(thing, "networks", {}).values(), getattr(thing, "observation", None)
    return thing is None or (
        type(thing).__module__.startswith("scratchvae.") and all(map(ours, parts))
        and not any(callable(value) and hasattr(type(thing), name) for name, value in vars(thing).items()))


def by_two(f, items, parts=()):
    """[f(item) for item in items]: where the BLAS has two threads, two Python threads take the next in turn.

    parts : models and networks that f uses: if they are not `ours`, all is done by one thread
    """
    items = list(items)
    with ONE_THREAD if len(items) > 1 else AS_IT_IS:
        if len(items) < 2 or ONE_THREAD.kept == 1 or not all(map(ours, parts)):
            return list(map(f, items))
        results, left = [None] * len(items), iter(range(len(items)))

        def work():
            try:
                for i in left:
                    results[i] = f(items[i])
            except BaseException:
                list(left)  # the other need not go on
                raise

        try:
            done = SECOND.submit(copy_context().run, work)  # with NumPy's errstate as it is here
        except RuntimeError:  # the interpreter ends: it starts no thread
            return list(map(f, items))
        try:
            work()
        finally:
            if not done.cancel():  # it never began: the second works for another, or is who asks here
                wait([done])
        if not done.cancelled():
            done.result()
        return results
