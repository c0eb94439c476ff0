"""What may come into this room? Tables of probabilities, and arrays that fit those above them."""
import numpy as np

from scratchvae.checking import binary, broadcastable, every, only, positive, real_matrix, reals, vector

# Tables of probabilities, and numbers of a kind:
distribution = lambda name, value: only(
    name, reals(name, value, (..., "C")),
    lambda p: p.min() >= 0 and p.max() <= 2 and np.abs(p.sum(axis=-1) - 1).max() <= 1e-9,
    "want probabilities >= 0 that sum to 1, got {0}")                                                # (..., C)
distribution_beside_p = lambda name, value, p: only(
    name, broadcastable(name, distribution(name, value), p=p), lambda q: q.shape[-1] == p.shape[-1],
    f"want as many classes as p of shape {p.shape} has, got {{0.shape}}")
one_distribution = lambda name, value: vector(name, distribution(name, value))
rows_beside_prior = lambda name, value, prior: real_matrix(name, value, len(prior))
possible = lambda name, value, prior: only(
    name, every(name, reals(name, value, prior.shape), lambda p: p >= 0, "want values >= 0, got {}"),
    lambda likelihood: (likelihood * prior).any(),
    "the evidence is 0: what was observed is impossible under every hypothesis that is held possible, or too "
    "unlikely for this computation, and then `update` takes logarithms; got {0}")

positives = lambda name, value: every(name, reals(name, value), lambda x: x > 0, "want positive numbers, got {}")
open_unit = lambda name, value: every(
    name, reals(name, value), lambda p: (p > 0) & (p < 1), "want values in (0, 1), got {}")
binary_matrix = lambda name, value: binary(name, real_matrix(name, value))
counts_up_to_n = lambda name, value, n: every(
    name, reals(name, value), lambda k: (k >= 0) & (k <= n) & (k == np.round(k)), f"want integers in 0..{n}, got {{}}")
peaked = lambda name, beta: only(name, beta, lambda beta: min(beta) >= 1 and sum(beta) > 2,
                                 "want a, b >= 1 and not both 1, for a single finite mode, got {0}")

# Densities on a grid, or at samples:
several = lambda name, value: only(
    name, vector(name, value), lambda x: len(x) > 1, "want shape (S,), S >= 2, got {0.shape}")
beside_log_p = lambda name, value, log_p: reals(name, value, log_p.shape)
beside_weights = lambda name, value, weights: reals(name, value, weights.shape)
even_grid = lambda name, value, log_p: only(
    name, beside_log_p(name, value, log_p), lambda z: np.ptp(np.diff(z)) <= 1e-6 * np.abs(np.diff(z)).max(),
    "want an even grid, each point at the same distance from the one before, got {0}")


def normalising(name, value, log_p):
    """`value` as the size of a grid's cell with which log_p is that of a density."""
    cell = positive(name, value)
    only("log_p", np.exp(log_p).sum() * cell, lambda total: abs(total - 1) <= 1e-6,
         "want a density that sums to 1 on the grid, got {0}")
    return cell

# Gaussians with full covariances:
points = lambda name, value: reals(name, value, (..., "K"))
points_beside_mean = lambda name, value, mean: reals(name, value, (..., mean.shape[-1]))


def covariances(name, value, mean):
    """`value` as (..., K, K) for a mean (..., K): symmetric, positive definite."""
    K = mean.shape[-1]
    C = reals(name, value, (..., K, K))
    only(name, C, lambda C: np.abs(C - np.swapaxes(C, -1, -2)).max() <= 1e-10 * np.abs(C).max(),  # one triangle is read
         "want a symmetric matrix, got {0}")
    try:
        np.linalg.cholesky(C)
    except np.linalg.LinAlgError:
        raise ValueError(f"{name}: want a positive definite matrix, got {C}") from None
    return C


covariances_beside = lambda name, value, mean, covariance, other_mean: broadcastable(
    name, covariances(name, value, mean), mean=mean[..., None], covariance=covariance, other_mean=other_mean[..., None])

# An observation model and its data:
an_observation = lambda name, value: only(
    name, value, lambda o: hasattr(o, "log_prob_and_grad") and not isinstance(o, type),
    "want an observation model such as Bernoulli(), got {0!r}", TypeError)


def observed(name, value, observation):
    """`value` as x (N, D) in the support of the observation model."""
    x = observation.accept(value, name, dtype=np.float64)
    only("observation", observation, lambda _: x.ndim == 2,
         "want a model of x (N, D), got {0!r}; of labels the shares are most likely", TypeError)
    return x


def params_or_zeros(name, value, observation, x):
    """`value` as params (n_params,) for x, or 0 for None."""
    n = observation.n_params(x.shape[1])
    return np.zeros(n) if value is None else only(
        name, reals(name, value), lambda start: start.shape == (n,),
        f"want shape ({n},), as x has {x.shape[1]} features, got {{0.shape}}")
