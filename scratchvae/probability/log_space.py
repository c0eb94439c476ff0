"""How are probabilities averaged that no float can hold? By their logarithms.

The p(x) of an image is about e^-100, that of a large one e^-1000, which is 0 to a float. Their logarithms are ordinary
numbers, and so is the logarithm of their mean, if the largest is taken out first:

    log 1/S sum_s e^a_s = top + log 1/S sum_s e^(a_s - top)        top = max_s a_s

The largest term of the sum is e^0 = 1: nothing overflows, and what underflows did not count.
"""
import numpy as np


def log_mean_exp(a, axis=0):
    """log of the mean of e^a along an axis.

    >>> log_mean_exp(np.array([[-2000.0], [-2000.0]]))
    array([-2000.])
    """
    top = a.max(axis=axis, keepdims=True)
    return np.log(np.exp(a - top).mean(axis=axis)) + top.squeeze(axis)


def shares(log_w):
    """w_s / sum_s w_s of weights known by their logarithms, along the first axis: what share of the sum each one has.

    >>> shares(np.array([-2000.0, -2000.0]))
    array([0.5, 0.5])
    """
    # e^(log w_s - top) / sum_s e^(log w_s - top)
    w = np.exp(log_w - log_w.max(axis=0))
    return w / w.sum(axis=0)
