"""How is a Gaussian handled by hand? Density, standardising, reparameterization, and KL in closed form.

Everywhere a diagonal Gaussian over K dimensions is given by its mean `mu` and `log_var` = log sigma^2, so that
every real number is allowed and sigma = exp(log_var / 2) is always positive.

Why the KL has a closed form. Write q = N(mu, sigma^2), p = N(m, s^2) in one dimension. Then

    KL(q || p) = E_q[log q(z) - log p(z)]
               = E_q[-1/2 log sigma^2 - (z - mu)^2 / (2 sigma^2) + 1/2 log s^2 + (z - m)^2 / (2 s^2)]

and only two moments are needed, E_q[(z - mu)^2] = sigma^2 and E_q[(z - m)^2] = sigma^2 + (mu - m)^2:

    KL(q || p) = 1/2 (log s^2 - log sigma^2 - 1 + (sigma^2 + (mu - m)^2) / s^2).

Dimensions are independent, so they add up. With r = log sigma^2 - log s^2 the part without the means is
1/2 (e^r - 1 - r), computed as expm1(r) - r: at r = 1e-8 the plain formula would lose every digit.

This is the arithmetic of a training step, and but for `standardize` it trusts its input; the doors are the models'.
"""
import numpy as np

from scratchvae.checking import broadcastable, door, reals, row_blocks
from scratchvae.checking.probability import positives

LOG_2PI = float(np.log(2 * np.pi))


def log_prob(x, mu, log_var):
    """log N(x; mu, diag exp(log_var)) of each example, in nats.

        log N = -1/2 sum_j ((x_j - mu_j)^2 / sigma_j^2 + log sigma_j^2 + log 2 pi)

    x, mu, log_var : (..., K), broadcast together      returns : (...)
    """
    squares = (x - mu) ** 2 * np.exp(-log_var)
    return -0.5 * np.sum(squares + log_var + LOG_2PI, axis=-1)


def varies(x):
    """Which columns of x (N, D) vary, by more than the rounding of their own numbers : (D,) bool. NaN is left out.

        largest - smallest > 8 eps max |x|        eps that of x's dtype

    A variance cannot tell: 0.1 a thousand times has a rounded mean, and lies off it.
    """
    low, high = (np.float64(extreme.reduce(x, axis=0)) for extreme in (np.fmin, np.fmax))
    eps = np.finfo(x.dtype if x.dtype.kind == "f" else np.float64).eps
    with np.errstate(over="ignore"):
        return high - low > 8 * eps * np.maximum(np.abs(low), np.abs(high))


def means(x):
    """The mean of each column of x (N, D), float64, its first value if it does not vary; and if it does : two (D,)."""
    vary = varies(x)
    return np.where(vary, x.mean(axis=0, dtype=np.float64), x[0]), vary


def moments(x):
    """The mean and the variance of each column of x (N, D), both (D,) float64; infinite where x is too large.

    The variance is 0 where the column does not vary (see `varies`).
    """
    with np.errstate(over="ignore"):
        mean, vary = means(x)
        variance = sum(((x[rows] - mean) ** 2).sum(axis=0) for rows in row_blocks(x, 1 << 16)) / len(x)
    return mean, np.where(vary, variance, 0)


@door(x=reals, mu=reals, sigma=lambda name, value, x, mu: broadcastable(name, positives(name, value), x=x, mu=mu))
def standardize(x, mu, sigma):
    """(x - mu) / sigma: how many standard deviations x lies above the mean; N(0, 1) if x ~ N(mu, sigma^2)."""
    return (x - mu) / sigma


# ---- the sampler and the KL, each with its derivative: what a VAE adds to an autoencoder -----------------------------

def reparameterize(mu, log_var, eps):
    """z ~ N(mu, diag exp(log_var)) as a differentiable function of mu and log_var, given eps ~ N(0, I).

        z = mu + sigma * eps        sigma = exp(log_var / 2), the standard deviation, not the variance

    mu, log_var : (N, K)      eps : (N, K) or (S, N, K)      returns : z, shaped like eps
    Source: Kingma & Welling 2014, section 2.4.
    """
    return mu + np.exp(0.5 * log_var) * eps


def reparameterize_grad(dz, log_var, eps):
    """dmu, dlog_var, each (N, K), of z = mu + sigma * eps, summed over the S samples that share mu and log_var.

        dz/dmu = 1        dz/dlog_var = d/dlog_var exp(log_var / 2) eps = 1/2 sigma eps

    dz, eps : (S, N, K)      With dz[None], eps[None], (1, S, N, K), every sample keeps its own: each (S, N, K).
    """
    sigma = np.exp(0.5 * log_var)
    return dz.sum(axis=0), (dz * eps).sum(axis=0) * (0.5 * sigma)


def kl_standard(mu, log_var):
    """KL(N(mu, diag exp(log_var)) || N(0, I)) of each example, in nats.

        KL = 1/2 sum_j (mu_j^2 + sigma_j^2 - 1 - log sigma_j^2)

    mu, log_var : (N, K)      returns : (N,)
    Source: Kingma & Welling 2014, appendix B (theirs is -KL).

    >>> kl_standard(mu=np.array([[0.0, 0.0], [1.0, 2.0]]), log_var=np.zeros((2, 2)))
    array([0. , 2.5])
    """
    if mu.shape != log_var.shape:
        raise ValueError(f"want equal shapes, got mu {mu.shape} and log_var {log_var.shape}")
    return 0.5 * (mu * mu + (np.expm1(log_var) - log_var)).sum(axis=-1)


def kl_standard_grad(mu, log_var):
    """dKL/dmu, dKL/dlog_var of each example, each (N, K).

        dKL/dmu = mu        dKL/dlog_var = 1/2 (sigma^2 - 1)
    """
    sigma = np.exp(0.5 * log_var)
    return mu, 0.5 * (sigma * sigma - 1)


def kl(mu, log_var, prior_mu, prior_log_var):
    """KL(N(mu, diag exp(log_var)) || N(prior_mu, diag exp(prior_log_var))) of each example, in nats.

        KL = 1/2 sum_j (e^r_j - 1 - r_j + (mu_j - m_j)^2 / s_j^2)        r_j = log sigma_j^2 - log s_j^2

    all : (..., K), broadcast together      returns : (...)
    """
    r = log_var - prior_log_var
    return 0.5 * np.sum(np.expm1(r) - r + (mu - prior_mu) ** 2 * np.exp(-prior_log_var), axis=-1)
