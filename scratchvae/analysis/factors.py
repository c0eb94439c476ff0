"""What does a code hold of a factor, and on which axis? Known factors, as a smile, beside the codes of their images.

A code can hold a factor in three ways, each weaker than the one before: on an axis of its own; linearly, along some
direction; or anyhow, so that faces with codes near each other are alike in it. Turning all codes changes the first and
not the others. For the first there is a gap of mutual information. With I(a; b) between two columns sorted into bins of
equal counts, and H the entropy of the factor's,

    gap_k = (the largest over j of I(z_j; f_k) - the second largest) / H(f_k)

1 if one latent says everything of the factor and no other says anything; 0 if two say equally much, or none anything.

In cells with less than a row or two I is counted, not measured: two columns that know nothing of each other share 1.2
nats in 20 x 20 cells of 100 rows, and 0.04 where 5 rows make two cells. So there are at most sqrt(2 N / 5) bins.
Source: Chen et al. 2018 (mutual information gap); Miller 1955 (what counting adds to an entropy).
"""
from math import isqrt

import numpy as np

from scratchvae.checking import door, entry, integer, real_matrix
from scratchvae.checking.analysis import beside_factors, rows_of_factors, several_latents, ten_rows, two_rows

_bins = lambda name, value: integer(name, value, 2, 1000)


@entry(z=ten_rows, factors=rows_of_factors, n_bins=_bins)
def mutual_information(z, factors, n_bins=20):
    """I(z_j; f_k) in nats : (K, F), and H(f_k) : (F,), of columns sorted into bins of equal counts.

        I = H(z_j) + H(f_k) - H(z_j, f_k)        H = -sum_b p_b log p_b + (bins that occur - 1) / 2 N

    z : (N, K), N >= 10      factors : (N, F), numbers or classes      n_bins : at most, and at most sqrt(2 N / 5)
    Equal values share a bin. Up to n_bins and N / 5 of them have one each, so that classes stay what they are.
    """
    codes, known = ([_sorted_into(column, n_bins) for column in table.T] for table in (z, factors))
    joint = np.array([[_entropy(a * (n_bins + 1) + b) for b in known] for a in codes])
    own, H = (np.array([_entropy(column) for column in columns]) for columns in (codes, known))
    return np.maximum(own[:, None] + H - joint, 0), H


@entry(z=several_latents, factors=rows_of_factors, n_bins=_bins)
def mutual_information_gap(z, factors, n_bins=20):
    """How far each factor is on one axis of the code alone : (F,), from 0 to 1; see above.

    z : (N, K), N >= 10, K >= 2      factors : (N, F)      returns 0 for a factor that is always the same
    """
    information, H = mutual_information(z, factors, n_bins)
    second, first = np.sort(information, axis=0)[-2:]
    return np.divide(first - second, H, out=np.zeros_like(H), where=H > 0)


def _sorted_into(column, n_bins):
    """The bin of each value (N,), from 0 to n_bins: its own where there are few, else bounded by quantiles."""
    values, own = np.unique(column, return_inverse=True)
    if len(values) <= min(n_bins, len(column) / 5):  # or a rare class would fall in with the one below it
        return own
    n_bins = min(n_bins, isqrt(2 * len(column) // 5))
    edges = np.quantile(column, np.arange(1, n_bins) / n_bins)
    return np.searchsorted(np.unique(edges), column, side="right")


def _entropy(bins):
    """H in nats of bin numbers (N,), with what is lacking on average because N is finite."""
    counts = np.unique(bins, return_counts=True)[1]
    p = counts / len(bins)
    return -(p * np.log(p)).sum() + (len(counts) - 1) / (2 * len(bins))


@door(z=two_rows, factors=rows_of_factors)
def directions(z, factors):
    """The codes that go with factors, by least squares: middle (K,) and steps (F, K) with z = middle + factors @ steps.

    A few labelled examples make a slider: z + t steps[k] moves factor k by t and, on average, no other.
    """
    mean = factors.mean(axis=0)
    steps = np.linalg.lstsq(factors - mean, z, rcond=None)[0]  # centred: a factor that never varies has a step of 0
    return z.mean(axis=0) - mean @ steps, steps


@door(z=two_rows, factors=rows_of_factors, z_test=lambda name, value, z: real_matrix(name, value, z.shape[1]),
      factors_test=beside_factors)
def read_off(z, factors, z_test, factors_test):
    """R^2 on test codes of each factor, read off linearly and from the nearest code : two (F,); 1 is all, 0 nothing.

    z : (N, K), factors : (N, F) to learn from      z_test : (M, K), factors_test : (M, F)
    """
    z, z_test = z - z.mean(axis=0), z_test - z.mean(axis=0)             # or far from the origin all would cancel
    ones = np.ones((len(z), 1)), np.ones((len(z_test), 1))
    W = np.linalg.lstsq(np.hstack([ones[0], z]), factors, rcond=None)[0]
    distance = (z**2).sum(axis=1) - 2 * z_test @ z.T                    # less |z_test|^2, which is one for each row
    guesses = np.hstack([ones[1], z_test]) @ W, factors[distance.argmin(axis=1)]
    spread = ((factors_test - factors_test.mean(axis=0)) ** 2).mean(axis=0)
    return tuple(1 - ((guess - factors_test) ** 2).mean(axis=0) / spread for guess in guesses)
