"""Is the mean of numbers that no float can hold the mean?

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scratchvae.probability import log_space
from strategies import reals, sizes

TABLES = sizes(2, low=1).flatmap(lambda shape: reals(shape, bound=50))


def check_far_below_every_float():
    a = np.array([[-2000.0, -3.0], [-2001.0, -np.inf]])
    with np.errstate(all="ignore"):
        value = log_space.log_mean_exp(a)
    np.testing.assert_allclose(value, [-2000 + np.log((1 + np.exp(-1)) / 2), -3 - np.log(2)], rtol=1e-14)
    np.testing.assert_allclose(log_space.log_mean_exp(a.T + 3000, axis=1), value + 3000, rtol=1e-14)


def check_shift_and_bounds(a, shift):
    """A factor comes out; the mean lies above that of the logarithms (Jensen) and below the largest."""
    value = log_space.log_mean_exp(a)
    np.testing.assert_allclose(log_space.log_mean_exp(a + shift), value + shift, rtol=1e-12, atol=1e-10)
    assert (value >= a.mean(axis=0) - 1e-12 * 50).all() and (value <= a.max(axis=0) + 1e-12).all()


def check_shares():
    """Shares sum to 1 in each column and are in the ratio of the weights, where e^log_w is 0 to a float, too."""
    log_w = np.array([[-2000.0, 3.0], [-2001.0, 1.0], [-2000.0, -np.inf]])
    with np.errstate(all="ignore"):
        share = log_space.shares(log_w)
    np.testing.assert_allclose(share.sum(axis=0), 1, rtol=1e-14)
    np.testing.assert_allclose(share[1] / share[0], np.exp(log_w[1] - log_w[0]), rtol=1e-14)
    np.testing.assert_allclose(log_space.shares(log_w + 1500), share, rtol=1e-12)


def test_shares():
    check_shares()


def test_far_below_every_float():
    check_far_below_every_float()


@given(TABLES, st.floats(-1e4, 1e4))
def test_shift_and_bounds(a, shift):
    check_shift_and_bounds(a, shift)


@given(TABLES)
def test_the_definition_where_it_can_be_computed(a):
    np.testing.assert_allclose(log_space.log_mean_exp(a), np.log(np.exp(a).mean(axis=0)), rtol=1e-12, atol=1e-12)
