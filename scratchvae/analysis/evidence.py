"""How probable does a VAE find x? The evidence log p(x), estimated by sampling.

    p(x) = integral p(x given z) p(z) dz = E_r[w(z)]        w(z) = p(x given z) p(z) / r(z)        z ~ r

for any proposal r that is positive wherever the integrand is. The mean of S weights is unbiased for p(x) whatever r is;
what differs is how many of them count. With r = p(z), the prior, w = p(x given z), which is nearly 0 almost everywhere:
a handful of weights carry the sum, or none does and the estimate is far too low. The encoder q(z given x) proposes z
that matter for x. Where the true posterior has more mass than q, however, weights are rare and huge; a wider q or a
defensive mixture with the prior keeps them bounded: r >= share * prior gives w <= p(x given z) / share.

How good is an estimate? The weights themselves tell, provided that the samples have found where the mass is:

    effective sample size   ess = (sum_s w_s)^2 / sum_s w_s^2, from 1 (one weight has it all) to S (all are equal)
    (standard error)^2      of log p(x): Var[w] / (S E[w]^2) = E[w^2] / (S E[w]^2) - 1 / S = 1 / ess - 1 / S

The logarithm is concave, so the estimate of log p(x) is too low on average, and its mean over draws of k weights is a
lower bound of its own, the multi-sample bound, which is the ELBO for k = 1 and rises to log p(x) with k:

    L_k = E[log 1/k sum_s w_s] <= log E[w] = log p(x)

Source: Rezende et al. 2014, appendix E; Burda et al. 2016, equation 8 and theorem 1; Hesterberg 1995 (defensive
mixtures).
"""
from collections import namedtuple
from functools import partial

import numpy as np

from scratchvae.checking import (BLOCK, choice, door, entry, every, fields, generator, instance, integer, number,
                                 optional, positive, reals, size)
from scratchvae.checking.analysis import beside_data, data, likelihood_of_classes
from scratchvae.nn.progress import Progress
from scratchvae.probability import gaussian
from scratchvae.probability.log_space import log_mean_exp

Evidence = namedtuple("Evidence", "value ess")
Bound = namedtuple("Bound", "value error")
Proposal = namedtuple("Proposal", "widen prior_share", defaults=(1.0, 0.0))

PROPOSALS = {"importance": Proposal(), "widened": Proposal(widen=1.5), "defensive": Proposal(prior_share=0.1),
             "prior": Proposal(prior_share=1.0)}
a_progress = partial(instance, kind=Progress, example='an sv.Progress("log p(x)")')


def as_proposal(name, method):
    """A check: the Proposal of this name, or the one given."""
    if isinstance(method, Proposal):
        return fields(Proposal, widen=positive, prior_share=partial(number, high=1))(name, method)
    return PROPOSALS[choice(name, method, list(PROPOSALS))]


@door("X", "method", vae=likelihood_of_classes, X=data, labels=beside_data, n_samples=size, rng=generator,
      method=as_proposal, progress=optional(a_progress))
def log_evidence(vae, X, labels=None, *, n_samples=1000, rng, method="importance", progress=None):
    """log p(x) of each example by importance sampling: Evidence(value (N,), ess (N,)), value in nats.

        log p(x) ~ log 1/S sum_s p(x given z_s) p(z_s) / r(z_s)        z_s ~ r
        r(z) = (1 - prior_share) N(z; mu, (widen sigma)^2) + prior_share N(z; 0, I)

    X : (N, D)      method : "importance" (r = q), "widened" (1.5 sigma), "defensive" (9 parts q, 1 of prior), "prior",
    or a Proposal(widen, prior_share) of your own. `standard_error(ess, n_samples)` is the value's.
    labels : (N,), or one for all, where the VAE has classes: log p(x given y); of log p(x) see `class_posterior`
    progress : an sv.Progress, which says how far it is; without one it is silent
    Works in blocks: memory does not grow with N * n_samples. ValueError under an observation model that is no
    likelihood.
    """
    value, ess = np.empty((2, len(X)))
    for rows, log_w in _weight_blocks(vae, X, labels, n_samples, method, rng, progress):
        value[rows] = log_mean_exp(log_w)
        ess[rows] = effective_sample_size(log_w)
    return Evidence(value, ess)


@door("X", "method", vae=likelihood_of_classes, X=data, labels=beside_data, k=size, rng=generator, method=as_proposal,
      progress=optional(a_progress), n_repeats=lambda name, value, k: integer(name, value, low=2, each=k))
def multi_sample_bound(vae, X, labels=None, *, k, n_repeats=20, rng, method="importance", progress=None):
    """The bound L_k on log p(x) of each example: Bound(value (N,), error (N,)), the standard error over the repeats.

        L_k = E[log 1/k sum_s w_s] ~ mean over n_repeats >= 2 independent draws of k weights

    X : (N, D)      k = 1 is the ELBO with its KL sampled      Source: Burda et al. 2016, equation 8.
    """
    value, error = np.empty((2, len(X)))
    for rows, log_w in _weight_blocks(vae, X, labels, n_repeats * k, method, rng, progress):
        bounds = log_mean_exp(log_w.reshape(n_repeats, k, -1), axis=1)            # (n_repeats, N of the block)
        value[rows], error[rows] = bounds.mean(axis=0), bounds.std(axis=0, ddof=1) / np.sqrt(n_repeats)
    return Bound(value, error)


effective_sizes = lambda name, value, n_samples: every(
    name, reals(name, value), lambda ess: (ess >= 1) & (ess <= n_samples * (1 + 1e-6)),  # but for rounding
    f"want effective sample sizes from 1 to {n_samples}, got {{}}")


@entry(n_samples=lambda name, value: integer(name, value, low=2), ess=effective_sizes)
def standard_error(ess, n_samples):
    """Of log p(x) estimated with n_samples weights: sqrt(1 / ess - 1 / S), to first order in Var[w] (delta method).

    n_samples : S >= 2, for one weight has no spread
    It knows only of the mass that the samples found: an estimate that missed a mode has a small one and is wrong.
    """
    return np.sqrt(np.maximum(1 / ess - 1 / n_samples, 0))


def log_weights(vae, x, n_samples, proposal, rng):
    """log w = log p(x given z) + log p(z) - log r(z) of n_samples z for each x (N, D) : (n_samples, N), at once."""
    mu, log_var = vae.encode(x)
    z, log_r = propose(mu, log_var, n_samples, proposal, rng)
    log_pz = gaussian.log_prob(z, 0.0, np.zeros_like(mu))
    return vae.log_likelihood(x, z) + log_pz - log_r


def propose(mu, log_var, n_samples, proposal, rng):
    """z ~ r for each row of mu, log_var (N, K), and log r(z) : (S, N, K), (S, N)."""
    shape, share = (n_samples, *mu.shape), proposal.prior_share
    wide = log_var + 2 * np.log(mu.dtype.type(proposal.widen))
    eps = rng.standard_normal(shape, dtype=mu.dtype)
    from_prior = rng.random((*shape[:2], 1)) < share
    z = np.where(from_prior, eps, gaussian.reparameterize(mu, wide, eps))
    with np.errstate(divide="ignore"):  # log 0 = -infinity is right: a part with no share adds nothing
        log_shares = np.log(np.array([1 - share, share], mu.dtype))
    # log r = log((1 - share) N(z; mu, (widen sigma)^2) + share N(z; 0, I))
    return z, np.logaddexp(log_shares[0] + gaussian.log_prob(z, mu, wide),
                           log_shares[1] + gaussian.log_prob(z, 0.0, np.zeros_like(mu)))


def effective_sample_size(log_w):
    """(sum_s w_s)^2 / sum_s w_s^2 along the first axis."""
    w = np.exp(log_w - log_w.max(axis=0))
    return w.sum(axis=0) ** 2 / (w * w).sum(axis=0)


def _weight_blocks(vae, x, labels, n_samples, proposal, rng, progress):
    """Rows of x, and their log-weights (n_samples, rows) in float64, few enough at a time to stay small in memory."""
    pairs = max(1, BLOCK // vae.width)                     # (sample, image) pairs that the decoder sees at once
    n_rows = max(1, pairs // n_samples)
    step = max(1, pairs // n_rows)                         # samples at once
    parts = []
    for label in [None] if labels is None else np.unique(labels):
        rows = np.arange(len(x)) if label is None else np.flatnonzero(labels == label)
        one = vae if label is None else vae.given(label)
        parts += [(one, rows[start:start + n_rows]) for start in range(0, len(rows), n_rows)]
    for one, rows in parts if progress is None else progress.along(parts):
        log_w = np.empty((n_samples, len(x[rows])))
        for s in range(0, n_samples, step):
            log_w[s:s + step] = log_weights(one, x[rows], len(log_w[s:s + step]), proposal, rng)
        yield rows, log_w
