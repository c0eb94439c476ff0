"""Why reparameterize? Two unbiased estimators of the same gradient, and how much they scatter.

The ELBO is an expectation over a q that depends on the parameters we differentiate by, so the derivative cannot simply
be moved inside. With f(z) = log p(x given z) and phi = (mu, log_var) there are two ways in:

    pathwise         z = mu + sigma eps, and eps does not depend on phi:
                     d/dphi E_eps[f(z)] = E[f'(z) dz/dphi]                           uses the slope of f
    score function   d/dphi q = q d/dphi log q:
                     d/dphi E_q[f(z)] = E_q[(f(z) - b) d/dphi log q(z)]              uses only the value of f

The baseline b is any number that does not depend on this z: E_q[d/dphi log q] = d/dphi 1 = 0, so b changes nothing but
the scatter. One per example, near E_q[f], takes away what all its samples have in common. The KL is added in closed
form.

The smallest case is E[x^2] = theta^2 + 1 for x = theta + eps, eps ~ N(0, 1), with derivative 2 theta:

    pathwise         2 x                    Var = 4
    score function   (x^2 - b) eps          Var = theta^4 + 14 theta^2 + 15 - 2 b (theta^2 + 3) + b^2

(E[x^4 eps^2] = theta^4 + 18 theta^2 + 15 and E[x^2 eps^2] = theta^2 + 3 by the moments 1, 3, 15 of eps^2, eps^4,
eps^6.) The best b is theta^2 + 3, not the mean theta^2 + 1: it takes E[f s^2] / E[s^2] with s the score.
Source: Kingma & Welling 2014, section 2.2; Williams 1992 (score function, baseline); Mohamed et al. 2020.
"""
import numpy as np

from scratchvae.checking import door, only, real_array
from scratchvae.checking.analysis import data, likelihood_vae, noise, q_of, rows_of_codes
from scratchvae.models.vae import repeat
from scratchvae.probability.gaussian import kl_standard_grad, reparameterize, reparameterize_grad


def square_pathwise(theta, eps):
    """Estimates of d/dtheta E[x^2], x ~ N(theta, 1), by 2 x at x = theta + eps; of eps's shape."""
    return 2 * (theta + eps)


def square_score_function(theta, eps, baseline=0.0):
    """Estimates of d/dtheta E[x^2], x ~ N(theta, 1), by (x^2 - baseline) (x - theta) at x = theta + eps."""
    return ((theta + eps) ** 2 - baseline) * eps


def square_score_function_variance(theta, baseline=0.0):
    """theta^4 + 14 theta^2 + 15 - 2 b (theta^2 + 3) + b^2: the exact variance of `square_score_function`."""
    return theta**4 + 14 * theta**2 + 15 - 2 * baseline * (theta**2 + 3) + baseline**2


@door(vae=likelihood_vae, X=data, eps=noise, q=q_of)
def pathwise_gradient(vae, X, eps, q=None):
    """One estimate of dELBO/dmu and dELBO/dlog_var for every sample: two arrays (S, N, K).

        dELBO/dmu = dlog p(x given z)/dz - mu
        dELBO/dlog_var = dlog p(x given z)/dz * 1/2 sigma eps - 1/2 (sigma^2 - 1)

    X : (N, D)      eps : (S, N, K)      q : (mu, log_var), each (N, K), the encoder's if not given
    Their means over the samples are the gradient of the ELBO with S samples (`VAE.forward_backward`).
    """
    (S, N, K), (mu, log_var) = eps.shape, q
    z = reparameterize(mu, log_var, eps)                                         # (S, N, K)
    params, cache = vae.decoder.forward(z.reshape(S * N, K))
    dparams = vae.observation.value_and_grad(repeat(X, S), params)[1]
    dz = vae.decoder.backward(dparams, cache).reshape(S, N, K)                   # overwrites the decoder's part of grad
    dmu, dlog_var = reparameterize_grad(dz[None], log_var, eps[None])            # each sample's own
    kl_dmu, kl_dlog_var = kl_standard_grad(mu, log_var)
    return dmu - kl_dmu, dlog_var - kl_dlog_var


baseline_for = lambda name, value, vae, X: only(  # all, or one for each of X
    name, real_array(name, value, vae.dtype), lambda b: b.shape in ((), (len(X),)),
    f"want a number or shape ({len(X)},), got {{0.shape}}")


@door(vae=likelihood_vae, X=data, eps=noise, baseline=baseline_for, q=q_of)
def score_function_gradient(vae, X, eps, baseline=0.0, q=None):
    """One estimate of dELBO/dmu and dELBO/dlog_var for every sample: each (S, N, K). Equal in mean to the pathwise.

        dELBO/dmu = (log p(x given z) - baseline) eps / sigma - mu
        dELBO/dlog_var = (log p(x given z) - baseline) 1/2 (eps^2 - 1) - 1/2 (sigma^2 - 1)

    baseline : a number, or (N,), one per example, that does not depend on eps; see `mean_log_likelihood`
    """
    mu, log_var = q
    sigma = np.exp(0.5 * log_var)
    z = reparameterize(mu, log_var, eps)
    f = (vae.log_likelihood(X, z) - baseline)[:, :, None]                        # (S, N, 1)
    kl_dmu, kl_dlog_var = kl_standard_grad(mu, log_var)
    return f * (eps / sigma) - kl_dmu, f * (0.5 * (eps * eps - 1)) - kl_dlog_var


@door(vae=likelihood_vae, X=data, eps=noise, q=q_of)
def mean_log_likelihood(vae, X, eps, q=None):
    """1/S sum_s log p(x given z_s) : (N,), a baseline for other samples than these eps (S, N, K)."""
    return vae.log_likelihood(X, reparameterize(*q, eps)).mean(axis=0)


@door(vae=likelihood_vae, X=data, dmu=rows_of_codes, dlog_var=rows_of_codes)
def encoder_gradient(vae, X, dmu, dlog_var):
    """The gradient of 1/N sum_n ELBO_n with respect to the encoder's parameters, from those by mu and log_var (N, K).

    The chain rule's last part, which no longer has any randomness. Overwrites the encoder's part of `vae.grad`.
    """
    dcode = np.concatenate([dmu, dlog_var], axis=1) / vae.dtype(len(X))
    vae.encoder.backward(dcode, vae.encoder.forward(X)[1], need_dx=False)
    return vae.encoder.grad.copy()


def total_variance(*estimates):
    """sum of the variances over samples of all parameters, for each example : (N,), from arrays (S, N, K), S >= 2."""
    return sum(e.var(axis=0, ddof=1, dtype=np.float64).sum(axis=-1) for e in estimates)
