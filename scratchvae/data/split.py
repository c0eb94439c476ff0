"""Which examples train, which choose, which judge? Disjoint parts with the classes in equal proportion.

A part of s examples out of N should hold s n_c / N of a class with n_c examples: rarely a whole number. Rounding
every share down leaves each part a few examples short and each class a few examples over. Part after part, one
more example of the classes with most left over closes both gaps, and never twice the same class in a part: the
true shares show that such a choice exists, and taking the largest first then finds it.
Source: Gale 1957, Ryser 1957 (0/1 tables with given row and column sums).
"""
import numpy as np

from scratchvae.checking import class_labels, entry, integer
from scratchvae.checking.data import part_sizes


@entry(labels=class_labels, sizes=part_sizes, seed=lambda name, value: integer(name, value, low=0, high=2**128 - 1))
def split(labels, sizes=(1000, 297, 500), seed=0):
    """Disjoint, shuffled index arrays of exactly these sizes, fixed by the seed.

    |count of class c in part k  -  s_k n_c / N| <= 1

    labels : (N,) integers      returns : a tuple, one (s_k,) integer array per size
    Raises ValueError for a size below 1 and for more than N examples in all.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    sizes = [*sizes, len(labels) - sum(sizes)]                               # what is left is a part, too
    counts = class_counts(np.unique(labels, return_counts=True)[1], sizes)   # (parts, classes)
    order = rng.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]               # shuffled within each class
    part = np.empty(len(labels), dtype=np.intp)
    part[by_class] = np.repeat(np.tile(np.arange(len(sizes)), counts.shape[1]), counts.T.ravel())
    # in an order of its own: by `order` a later part would begin with the classes whose earlier shares fill up first
    return tuple(rng.permutation(np.flatnonzero(part == k)) for k in range(len(sizes) - 1))


def class_counts(class_sizes, sizes):
    """How many examples of each class each part gets; rows add up to `sizes`, columns to `class_sizes`.

    class_sizes : (classes,)      sizes : (parts,), the same sum      returns : (parts, classes)
    """
    counts = np.outer(sizes, class_sizes) // np.sum(sizes)   # shares rounded down
    left_over = class_sizes - counts.sum(axis=0)             # (classes,)
    for row, size in zip(counts, sizes):
        chosen = np.argsort(-left_over, kind="stable")[:size - row.sum()]
        row[chosen] += 1
        left_over[chosen] -= 1
    return counts
