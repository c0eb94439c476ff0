"""What may come into this room? Tables of probabilities, and arrays that fit those above them."""
import numpy as np

from scratchvae.checking import binary, broadcastable, every, positive, real_matrix, reals, vector


# ---- tables of probabilities, and numbers of a kind -----------------------------------------------------------------

def distribution(name, value):
    """`value` as a table (..., C) of probabilities: >= 0, summing to 1 over the last axis within 1e-9."""
    table = reals(name, value)
    if table.ndim == 0 or table.min() < 0 or table.max() > 2 or np.abs(table.sum(axis=-1) - 1).max() > 1e-9:
        raise ValueError(f"{name}: want probabilities >= 0 that sum to 1, got {table}")
    return table


def distribution_beside_p(name, value, p):
    """The same of the classes that p has, broadcasting with p."""
    q = broadcastable(name, distribution(name, value), p=p)
    if p.shape[-1] != q.shape[-1]:
        raise ValueError(f"p, {name}: want the same number of classes, got {p.shape} and {q.shape}")
    return q


def possible(name, value, prior):
    """`value` as a likelihood of each of the prior's hypotheses, not 0 for all that were held possible."""
    likelihood = every(name, reals(name, value, prior.shape), lambda p: p >= 0, "want values >= 0, got {}")
    if not (likelihood * prior).any():
        raise ValueError(f"{name}: the evidence is 0; what was observed is impossible under every hypothesis")
    return likelihood


def counts_up_to_n(name, value, n):
    """`value` as whole numbers from 0 to n."""
    return every(name, reals(name, value), lambda k: (k >= 0) & (k <= n) & (k == np.round(k)),
                 f"want integers in 0..{n}, got {{}}")


def peaked(name, beta):
    """`beta` if its density has a single finite mode."""
    if min(beta) < 1 or sum(beta) <= 2:
        raise ValueError(f"{name}: want a, b >= 1 and not both 1, for a single finite mode, got {beta}")
    return beta


one_distribution = lambda name, value: vector(name, distribution(name, value))
rows_beside_prior = lambda name, value, prior: real_matrix(name, value, len(prior))
binary_matrix = lambda name, value: binary(name, real_matrix(name, value))
open_unit = lambda name, value: every(name, reals(name, value), lambda p: (p > 0) & (p < 1), "want values in (0, 1), got {}")
positives = lambda name, value: every(name, reals(name, value), lambda x: x > 0, "want positive numbers, got {}")


# ---- densities on a grid, or at samples; Gaussians with full covariances --------------------------------------------

beside_log_p = lambda name, value, log_p: reals(name, value, log_p.shape)
beside_weights = lambda name, value, weights: reals(name, value, weights.shape)


def several(name, value):
    """`value` as (S,), S >= 2."""
    if len(x := vector(name, value)) < 2:
        raise ValueError(f"{name}: want shape (S,), S >= 2, got {x.shape}")
    return x


def normalising(name, value, log_p):
    """`value` as the size of a grid's cell with which log_p is that of a density."""
    total = np.exp(log_p).sum() * positive(name, value)
    if not abs(total - 1) <= 1e-6:
        raise ValueError(f"log_p: want a density that sums to 1 on the grid, got {total}")
    return float(value)


def even_grid(name, value, log_p):
    """`value` as points at equal distances, one for each of the (M,) log_p."""
    steps = np.diff(z := reals(name, value, log_p.shape))
    if np.ptp(steps) > 1e-6 * np.abs(steps).max():
        raise ValueError(f"{name}: want an even grid, each point at the same distance from the one before")
    return z


def points(name, value, mean=None):
    """`value` as (..., K), with the mean's K if there is a mean."""
    if (x := reals(name, value)).ndim == 0 or mean is not None and x.shape[-1] != mean.shape[-1]:
        raise ValueError(f"{name}: want shape (..., {'K' if mean is None else mean.shape[-1]}), got {x.shape}")
    return x


def covariances(name, value, mean):
    """`value` as (..., K, K) for a mean (..., K): symmetric, positive definite."""
    C, K = reals(name, value), mean.shape[-1]
    if C.shape[-2:] != (K, K):
        raise ValueError(f"{name}: want shape (..., {K}, {K}), for the mean has {K} columns, got {C.shape}")
    if np.abs(C - np.swapaxes(C, -1, -2)).max() > 1e-10 * np.abs(C).max():  # only one triangle would be read
        raise ValueError(f"{name}: want a symmetric matrix, got {C}")
    try:
        np.linalg.cholesky(C)
    except np.linalg.LinAlgError:
        raise ValueError(f"{name}: want a positive definite matrix, got {C}") from None
    return C


points_beside_mean = lambda name, value, mean: points(name, value, mean)
covariances_beside = lambda name, value, mean, covariance, other_mean: broadcastable(
    name, covariances(name, value, mean), mean=mean[..., None], covariance=covariance, other_mean=other_mean[..., None])


# ---- an observation model and its data ------------------------------------------------------------------------------

def an_observation(name, value):
    """`value` if it is an observation model."""
    if isinstance(value, type) or not hasattr(value, "log_prob_and_grad"):
        raise TypeError(f"{name}: want an observation model such as Bernoulli(), got {value!r}")
    return value


def observed(name, value, observation):
    """`value` as x (N, D) in the support of the observation model."""
    x = observation.accept(value, name, dtype=np.float64)
    if x.ndim != 2:
        raise TypeError(f"observation: want a model of x (N, D), got {observation!r}; of labels the shares are most likely")
    return x


def params_or_zeros(name, value, observation, x):
    """`value` as params (n_params,) for x, or 0 for None."""
    n_params = observation.n_params(x.shape[1])
    start = np.zeros(n_params) if value is None else reals(name, value)
    if start.shape != (n_params,):
        raise ValueError(f"{name}: want shape ({n_params},), as x has {x.shape[1]} features, got {start.shape}")
    return start
