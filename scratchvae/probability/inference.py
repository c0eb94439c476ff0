"""What do data say about what we cannot see? Bayes' rule, likelihood, maximum likelihood, MAP.

Bayes' rule writes p(h, x) in two ways, p(x given h) p(h) = p(h given x) p(x), and divides by p(x):

    p(h given x) = p(x given h) p(h) / p(x)                p(x) = sum_h p(x given h) p(h)
    posterior    = likelihood * prior / evidence

The same function p(x given h) has two names. For a fixed h it is a probability over x, and sums to one. For the x that
was seen it is the likelihood, a function of h, and sums to nothing in particular. With continuous x it is a density.

Maximum likelihood takes the h that makes the data most likely: log-likelihood, its derivative, zero. For N values with
mean m' and mean square deviation v' the Gaussian's is -N/2 (log v + (v' + (m' - m)^2) / v), hence

    0 = N (m' - m) / v            => m = m'
    0 = N/2 (v' / v^2 - 1 / v)    => v = v'                (denominator N, not N - 1)

and for k ones among N, k log p + (N - k) log(1 - p) gives k / p = (N - k) / (1 - p), hence p = k / N. MAP maximises
likelihood times prior instead. A conjugate prior acts like data seen before: Beta(a, b) like a - 1 ones and b - 1
zeros, N(m0, v0) like v / v0 values equal to m0.
"""
from collections import namedtuple
from math import lgamma

import numpy as np

from scratchvae.checking import (any_number, broadcastable, door, entry, fields, function, integer, number, positive,
                                 real_matrix, reals, whole)
from scratchvae.checking.probability import (an_observation, binary_matrix, counts_up_to_n, observed, one_distribution,
                                             open_unit, params_or_zeros, peaked, possible, rows_beside_prior)

Belief = namedtuple("Belief", "posterior evidence")
Normal = namedtuple("Normal", "mean variance")
Beta = namedtuple("Beta", "a b")

a_normal, a_beta = fields(Normal, mean=any_number, variance=positive), fields(Beta, a=positive, b=positive)

_lgamma = np.vectorize(lgamma, otypes=[float])


# ---- Bayes' rule on a table of hypotheses -------------------------------------------------------------------------

@door(prior=one_distribution, likelihood=possible)
def bayes(prior, likelihood):
    """Belief(posterior (H,), evidence) in H hypotheses, of which one is true, after one observation.

        evidence = sum_h likelihood_h prior_h        posterior_h = likelihood_h prior_h / evidence

    prior : (H,), sums to 1      likelihood : (H,), p(x given h) >= 0 of what was observed
    ValueError if the evidence is 0: every hypothesis that was held possible is refuted.

    >>> bayes(prior=[0.5, 0.5], likelihood=[0.9, 0.3]).posterior
    array([0.75, 0.25])
    """
    joint = likelihood * prior
    evidence = joint.sum()
    return Belief(joint / evidence, evidence)


@door(prior=one_distribution, log_likelihood=rows_beside_prior)
def update(prior, log_likelihood):
    """The posteriors (N + 1, H) before and after each of N observations that are independent given the hypothesis.

        posterior_n proportional to prior * exp(sum_{i <= n} log_likelihood_i)

    Each row is `bayes` of the row above; together, in logarithms, so that nothing underflows.
    prior : (H,), sums to 1      log_likelihood : (N, H), log p(x_i given h), finite: for a likelihood of 0 see `bayes`
    """
    # log 0 = -inf: what was impossible stays impossible
    log_joint = np.log(prior) + np.vstack([np.zeros(len(prior)), np.cumsum(log_likelihood, axis=0)])
    joint = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
    return joint / joint.sum(axis=1, keepdims=True)


# ---- one formula, two readings ------------------------------------------------------------------------------------

@door("k", "n", "p", n=whole, k=counts_up_to_n,
      p=lambda name, value, k: broadcastable(name, open_unit(name, value), k=k))
def binomial_log_prob(k, n, p):
    """log p(k ones among n throws of a coin), in nats: a probability over k = 0 ... n, a likelihood of p in (0, 1).

        log n! / (k! (n - k)!) + k log p + (n - k) log(1 - p)

    k and p broadcast. Summed over k it is 1 for every p; integrated over p it is 1 / (n + 1) for every k.
    """
    log_choices = lgamma(n + 1) - _lgamma(k + 1) - _lgamma(n - k + 1)
    return log_choices + k * np.log(p) + (n - k) * np.log1p(-p)


# ---- maximum likelihood -------------------------------------------------------------------------------------------

@door(x=real_matrix)
def gaussian_mle(x):
    """Normal(mean (D,), variance (D,)) under which x (N, D) is most likely: variance = sum (x - mean)^2 / N."""
    return Normal(x.mean(axis=0), x.var(axis=0))


@entry(x=binary_matrix)
def bernoulli_mle(x):
    """The probabilities of a one (D,) under which x (N, D) in {0, 1} is most likely: the share of ones."""
    return x.mean(axis=0)


@entry(observation=an_observation, x=observed, start=params_or_zeros)
def mle_by_ascent(observation, x, *, start=None, lr=0.5, n_steps=10_000, tolerance=1e-12):
    """The params (n_params,), the same for every example, under which x (N, D) is most likely, by gradient ascent.

        params = params + lr * 1/N sum_n d log p(x_n given params) / dparams

    observation : an observation model, as `Bernoulli()`      start : (n_params,), 0 if not given
    ValueError if it does not settle: lr is too large, or there is no maximum (an x that is always 0 wants logit -inf).
    """
    def gradient(params):
        return observation.value_and_grad(x, np.broadcast_to(params, (len(x), len(params))))[1].mean(axis=0)

    return ascend(gradient, start, lr=lr, n_steps=n_steps, tolerance=tolerance)


@entry(gradient=function, theta=reals, lr=positive, n_steps=integer, tolerance=number)
def ascend(gradient, theta, *, lr, n_steps=10_000, tolerance=1e-12):
    """theta (P,) where `gradient(theta)` (P,) is at most `tolerance`, by theta = theta + lr * gradient(theta).

    ValueError if n_steps steps do not lead there.
    """
    theta = theta.copy()
    with np.errstate(all="ignore"):  # a diverging step overflows, and is refused below
        for _ in range(n_steps):
            grad = gradient(theta)
            if np.abs(grad).max() <= tolerance:
                return theta
            theta += lr * grad
    raise ValueError(f"lr: the gradient is still {np.abs(grad).max():.3g} after {n_steps} steps of {lr:g}; "
                     "take other steps, or ask whether there is a maximum")


# ---- MAP with conjugate priors ------------------------------------------------------------------------------------

@door("n", "mean", "variance", "prior", n=whole, mean=any_number, variance=positive, prior=a_normal)
def gaussian_posterior(n, mean, variance, prior):
    """The posterior Normal of an unknown mean after n values with this mean; its mean is the MAP estimate.

        1 / v' = 1 / v0 + n / v            m' = v' (m0 / v0 + n mean / v)

    n >= 0      variance : v of one value, known      prior : Normal(m0, v0)
    Limits: v0 -> infinity or n -> infinity give the MLE, n = 0 gives the prior.
    Source: Bishop 2006, equations 2.141 and 2.142.
    """
    m0, v0 = prior
    posterior_variance = 1 / (1 / v0 + n / variance)
    return Normal(posterior_variance * (m0 / v0 + n * mean / variance), posterior_variance)


@entry(prior=a_beta, n=whole, n_ones=lambda name, value, n: integer(name, value, low=0, high=n))
def beta_posterior(n_ones, n, prior):
    """The posterior Beta of an unknown probability after n_ones ones among n: Beta(a + n_ones, b + n - n_ones).

    Source: Bishop 2006, equation 2.18.
    """
    return Beta(prior.a + n_ones, prior.b + n - n_ones)


@door(beta=lambda name, value: peaked(name, a_beta(name, value)))
def beta_mode(beta):
    """Where Beta(a, b) is highest, (a - 1) / (a + b - 2): the MAP estimate. Beta(1, 1) is flat and has no mode."""
    return (beta.a - 1) / (beta.a + beta.b - 2)


@door(p=open_unit, beta=a_beta)
def beta_log_prob(p, beta):
    """log of the density of Beta(a, b) at p in (0, 1), in nats, p of any shape.

        (a - 1) log p + (b - 1) log(1 - p) - log B(a, b)        B(a, b) = G(a) G(b) / G(a + b), G the gamma function
    """
    log_b = lgamma(beta.a) + lgamma(beta.b) - lgamma(beta.a + beta.b)
    return (beta.a - 1) * np.log(p) + (beta.b - 1) * np.log1p(-p) - log_b
