"""What does the code say about x, and where do all codes lie together? The KL split in two; active units.

Averaged over the data, the KL term of the ELBO is two things at once. With the aggregated posterior,
q(z) = 1/N sum_n q(z given x_n), multiply and divide by q(z) inside the logarithm:

    1/N sum_n KL(q(z given x_n) || p(z)) = 1/N sum_n E[log q(z given x_n) / q(z)]  +  E_q(z)[log q(z) / p(z)]
                                             mutual information I(n; z)              KL(aggregate || prior)

The first is what the code tells of which x it came from, at most log N, and worth paying for. The second only says that
codes as a whole do not follow the prior, so that a sampled z may be one that no x has: a price without a gain.
Source: Hoffman & Johnson 2016.
"""
from collections import namedtuple

import numpy as np

from scratchvae.checking import BLOCK, door, generator, integer, number
from scratchvae.checking.analysis import data, likelihood_vae, several_data
from scratchvae.probability import gaussian
from scratchvae.probability.log_space import log_mean_exp

AggregateKL = namedtuple("AggregateKL", "kl mutual_information marginal_kl")
ActiveUnits = namedtuple("ActiveUnits", "active variance")


@door("X", vae=likelihood_vae, X=data, n_samples=integer, rng=generator)
def aggregate_kl(vae, X, *, n_samples=10, rng):
    """The KL of each example and its two parts: AggregateKL(kl, mutual_information, marginal_kl), each (N,), in nats.

        log q(z given x) / p(z) = log q(z given x) / q(z) + log q(z) / p(z)        z ~ q(z given x), n_samples of them

    X : (N, D), which is also the data that q(z) is the aggregate of; N^2 * n_samples densities, in blocks. The kl is
    sampled, so that the parts add up exactly; its mean is that of the closed form. Single parts may be negative.
    """
    mu, log_var = (a.astype(np.float64) for a in vae.encode(X))
    N, K = mu.shape
    total = np.zeros((2, N))
    step = max(1, BLOCK // (N * K))
    for _ in range(n_samples):
        for start in range(0, N, step):
            rows = slice(start, start + step)
            z = gaussian.reparameterize(mu[rows], log_var[rows], rng.standard_normal(mu[rows].shape))
            log_q = gaussian.log_prob(z, mu[rows], log_var[rows])
            # log q(z) = log 1/N sum_m q(z given x_m)
            log_aggregate = log_mean_exp(gaussian.log_prob(z[:, None], mu, log_var), axis=1)
            log_prior = gaussian.log_prob(z, 0.0, np.zeros(K))
            total[:, rows] += log_q - log_aggregate, log_aggregate - log_prior
    mutual_information, marginal_kl = total / n_samples
    return AggregateKL(mutual_information + marginal_kl, mutual_information, marginal_kl)


@door("X", vae=likelihood_vae, X=several_data, threshold=number)
def active_units(vae, X, threshold=0.01):
    """Which latents the encoder uses: ActiveUnits(active (K,) bool, variance (K,)), by variance of mu_j(x) > threshold.

    X : (N, D), N >= 2      A collapsed latent has q = prior for every x: mu = 0 whatever x is.
    Source: Burda et al. 2016, section 5.2.
    """
    variance = vae.encode(X)[0].var(axis=0, dtype=np.float64)
    return ActiveUnits(variance > threshold, variance)
