"""How can an autoencoder's code be made good to generate from? The variational autoencoder.

A latent z ~ p(z) = N(0, I) is turned into x ~ p(x given z) by a decoder with parameters theta. Its likelihood
p(x) = integral p(z) p(x given z) dz is intractable; an encoder with parameters phi, q(z given x) = N(mu(x), diag sigma(x)^2),
proposes the z that matter for x, and gives a lower bound:

    log p(x) >= ELBO(x) = E_q[log p(x given z)] - KL(q(z given x) || p(z))
                          reconstruction          kl

The expectation is estimated with z = mu + sigma * eps, eps ~ N(0, I): the randomness is outside, so that z, and the loss
with it, can be differentiated with respect to mu and log_var = log sigma^2. By the chain rule

    dz/dmu = 1                          dz/dlog_var = d/dlog_var exp(log_var / 2) eps = 1/2 sigma eps

and from the closed form KL = 1/2 sum_j (mu_j^2 + sigma_j^2 - 1 - log sigma_j^2)

    dKL/dmu = mu                        dKL/dlog_var = 1/2 (sigma^2 - 1).

Two roads lead from the loss to the encoder, one through z and one through the KL; their derivatives add up.
Source: Kingma & Welling 2014; beta as in Higgins et al. 2017 (1 for the true bound).
"""
from collections import namedtuple

import numpy as np

from scratchvae.checking import BLOCK, finite, generator, integer, matrix, number, real_array, row_blocks
from scratchvae.models.autoencoder import CodeModel
from scratchvae.probability.gaussian import kl_standard, reparameterize
from scratchvae.probability.log_space import log_mean_exp
from scratchvae.probability.observation import Bernoulli

ELBO = namedtuple("ELBO", "elbo reconstruction kl")
Terms = namedtuple("Terms", "loss elbo reconstruction kl")
BoundTerms = namedtuple("BoundTerms", "loss bound elbo")


class VAE(CodeModel):
    """x (N, D) -> q(z given x) = N(mu, diag exp(log_var)), z (N, K) -> p(x given z), trained by `fit`.

    hidden        sizes of the encoder's hidden layers, mirrored in the decoder; () for the linear VAE
    observation   p(x given z), what the decoder's output means
    beta          weight of the KL in the loss; the ELBO itself is always reported with weight 1
    n_samples     how many z are drawn for each example in a training step
    """

    terms = Terms

    def __init__(self, n_features, hidden=(128,), n_latent=2, *, activation="relu", observation=Bernoulli(), beta=1.0,
                 n_samples=1, rng, dtype=np.float32):
        self.beta, self.n_samples = number("beta", beta), integer("n_samples", n_samples)
        super().__init__(n_features, hidden, n_latent, 2 * integer("n_latent", n_latent), activation, observation,
                         rng, dtype)
        # q starts at sigma = e^-1 for every x: narrower than the prior, so that the decoder hears z from the first step on
        head = self.encoder.layers[-1]
        head.W[:, n_latent:], head.b[n_latent:] = 0, -2

    def forward_backward(self, x, *, rng=None, eps=None):
        """The loss terms of a batch; fills `grad` with dloss/dtheta.

            loss = -1/N sum_n (1/S sum_s log p(x_n given z_ns) - beta KL_n)

        x : (N, D)      eps : (S, N, K) or (N, K), drawn from rng if not given
        """
        N, K = len(x), self.n_latent
        eps = self.noise(N, rng, self.n_samples) if eps is None else np.reshape(eps, (-1, N, K))
        S = len(eps)

        # forward:  x -> mu, log_var -> z = mu + sigma * eps -> log p(x given z)
        code, encoder_cache = self.encoder.forward(x)                         # (N, 2 K)
        mu, log_var = code[:, :K].copy(), code[:, K:].copy()                  # contiguous: strided views are slower
        sigma = np.exp(0.5 * log_var)
        z = mu + sigma * eps                                                  # (S, N, K)
        params, decoder_cache = self.decoder.forward(z.reshape(S * N, K))     # (S N, n_params)
        log_px, dparams = self.observation.value_and_grad(repeat(x, S), params)
        kl = kl_standard(mu, log_var)

        # backward, first road: from log p(x given z) through the decoder to z, mu and log_var
        dparams *= -1 / (S * N)
        dz = self.decoder.backward(dparams, decoder_cache).reshape(S, N, K)
        dmu = dz.sum(axis=0)                                                  # dz/dmu = 1
        dlog_var = (dz * eps).sum(axis=0) * (0.5 * sigma)                     # dz/dlog_var = 1/2 sigma eps

        # backward, second road: from the KL
        dmu += self.beta / N * mu                                             # dKL/dmu = mu
        dlog_var += 0.5 * self.beta / N * (sigma * sigma - 1)                 # dKL/dlog_var = 1/2 (sigma^2 - 1)
        self.encoder.backward(np.concatenate([dmu, dlog_var], axis=1), encoder_cache, need_dx=False)

        return self._terms(log_px.sum() / (S * N), kl.sum() / N)

    @finite("X", "eps")
    def elbo(self, X, *, rng=None, eps=None):
        """ELBO(elbo, reconstruction, kl) of each example, each (N,), in nats.

            elbo = 1/S sum_s log p(x given z_s) - KL(q || prior)

        X : (N, D)      eps : (N, K) or (S, N, K), drawn from rng if not given (one sample)
        """
        (x,) = self.accept(X)
        return self._elbo(x, self._check_noise(len(x), rng, eps))

    def _elbo(self, x, eps):
        reconstruction, kl = np.empty((2, len(x)), self.dtype)
        for rows in row_blocks(x, BLOCK // len(eps), self.width):
            mu, log_var = self._code(x[rows])
            log_px = self.log_likelihood(x[rows], reparameterize(mu, log_var, eps[:, rows]))
            reconstruction[rows], kl[rows] = log_px.mean(axis=0), kl_standard(mu, log_var)
        return ELBO(reconstruction - kl, reconstruction, kl)

    def log_likelihood(self, x, z):
        """log p(x given z) : (S, N), for x (N, D) and z (S, N, K)."""
        S, N, K = z.shape
        params = self.decoder.forward(z.reshape(S * N, K))[0]
        return self.observation.value_and_grad(repeat(x, S), params)[0].reshape(S, N)

    def evaluate(self, x, *, rng):
        """The loss terms without a gradient."""
        terms = self._elbo(x, self.noise(len(x), rng))
        return self._terms(terms.reconstruction.mean(), terms.kl.mean())

    def _terms(self, reconstruction, kl):
        return Terms(self.beta * kl - reconstruction, reconstruction - kl, reconstruction, kl)

    @finite("X")
    def encode(self, X):
        """mu, log_var of q(z given x), each (N, K)."""
        return self._code(matrix("X", X, self.n_features, self.dtype))

    def _code(self, x):
        code = self.apply(self.encoder, x)
        return code[:, :self.n_latent], code[:, self.n_latent:]

    @finite("X")
    def reconstruct(self, X):
        """The mean of p(x given z) at z = mu(x) : (N, D)."""
        return self.decode(self.encode(X)[0])

    def sample(self, n, *, rng):
        """n new x (n, D): z ~ N(0, I), then x ~ p(x given z)."""
        n = integer("n", n, each=self.n_features)
        z = generator("rng", rng).standard_normal((n, self.n_latent), dtype=self.dtype)
        return self.observation.sample(self.decoder.forward(z)[0], rng)

    def noise(self, n, rng, n_samples=1):
        """eps ~ N(0, I) : (S, n, K), drawn in the model's dtype."""
        return generator("rng", rng).standard_normal((n_samples, n, self.n_latent), dtype=self.dtype)

    @finite("X", "eps")
    def loss_and_grad(self, X, *, rng=None, eps=None):
        (x,) = self.accept(X)
        return self.forward_backward(x, eps=self._check_noise(len(x), rng, eps, self.n_samples))

    def _check_noise(self, n, rng, eps, n_samples=1):
        """eps : (S, n, K), checked if it is given, drawn if not."""
        if eps is None:
            return self.noise(n, rng, n_samples)
        eps = real_array("eps", eps, self.dtype)
        if eps.shape[-2:] != (n, self.n_latent) or eps.ndim not in (2, 3):
            raise ValueError(f"eps: want shape (N, K) = {(n, self.n_latent)} or (S, N, K), got {eps.shape}")
        return eps.reshape(-1, n, self.n_latent)

    def config(self):
        return {**super().config(), "beta": self.beta, "n_samples": self.n_samples}


class IWAE(VAE):
    """The VAE trained on a tighter bound: S samples are averaged before the logarithm, not after it.

        bound = log 1/S sum_s w_s        w_s = p(x given z_s) (p(z_s) / q(z_s given x))^beta        loss = -bound

    Arguments as `VAE`; for beta = 1 it is a bound: the ELBO for S = 1, with its KL sampled, and E[bound] rises to log p(x)
    with S. Good samples count more: the gradient of log sum_s w_s is a mean of the gradients of log w_s, weighted by
    softmax(log w)_s. `elbo` is as for any VAE; `sv.multi_sample_bound` measures the bound.
    Source: Burda et al. 2016, equations 8 and 13.
    """

    terms = BoundTerms

    def __init__(self, n_features, hidden=(128,), n_latent=2, *, n_samples=5, **arguments):
        super().__init__(n_features, hidden, n_latent, n_samples=n_samples, **arguments)

    def forward_backward(self, x, *, rng=None, eps=None):
        """The loss terms of a batch; fills `grad` with dloss/dtheta.

            loss = -1/N sum_n log 1/S sum_s w_ns

        x : (N, D)      eps : (S, N, K) or (N, K), drawn from rng if not given
        """
        N, K = len(x), self.n_latent
        eps = self.noise(N, rng, self.n_samples) if eps is None else np.reshape(eps, (-1, N, K))
        S = len(eps)

        # forward:  x -> mu, log_var -> z -> log w = log p(x given z) + beta (log p(z) - log q(z given x))
        code, encoder_cache = self.encoder.forward(x)                         # (N, 2 K)
        mu, log_var = code[:, :K].copy(), code[:, K:].copy()
        sigma = np.exp(0.5 * log_var)
        z = mu + sigma * eps                                                  # (S, N, K)
        params, decoder_cache = self.decoder.forward(z.reshape(S * N, K))     # (S N, n_params)
        log_px, dparams = self.observation.value_and_grad(repeat(x, S), params)
        log_ratio = _log_prior_over_q(z, log_var, eps)                        # (S, N)
        log_px = log_px.reshape(S, N)
        log_w = log_px + self.beta * log_ratio

        # backward, through log 1/S sum_s w_s: each log w_s weighs softmax(log w)_s, its normalised importance weight
        share = np.exp(log_w - log_w.max(axis=0))
        share /= share.sum(axis=0)                                            # (S, N), sums to 1 over the samples

        # backward, through log p(x given z) and log p(z) to z, then to mu and log_var
        dparams *= -1 / N * share.reshape(S * N, 1)
        dz = self.decoder.backward(dparams, decoder_cache).reshape(S, N, K)
        dz += self.beta / N * share[:, :, None] * z                           # dlog p(z)/dz = -z
        dmu = dz.sum(axis=0)                                                  # dz/dmu = 1
        dlog_var = (dz * eps).sum(axis=0) * (0.5 * sigma)                     # dz/dlog_var = 1/2 sigma eps

        # backward, from log q: with eps held fixed, log q(z given x) = -1/2 sum_j (eps_j^2 + log_var_j + log 2 pi)
        dlog_var -= 0.5 * self.beta / N
        self.encoder.backward(np.concatenate([dmu, dlog_var], axis=1), encoder_cache, need_dx=False)

        return self._bound_terms(log_px, log_ratio)

    def evaluate(self, x, *, rng):
        """The loss terms without a gradient, the bound with n_samples samples."""
        eps = self.noise(len(x), rng, self.n_samples)
        log_px, log_ratio = np.empty((2, *eps.shape[:2]), self.dtype)
        for rows in row_blocks(x, BLOCK // len(eps), self.width):
            mu, log_var = self._code(x[rows])
            z = reparameterize(mu, log_var, eps[:, rows])
            log_px[:, rows] = self.log_likelihood(x[rows], z)
            log_ratio[:, rows] = _log_prior_over_q(z, log_var, eps[:, rows])
        return self._bound_terms(log_px, log_ratio)

    def _bound_terms(self, log_px, log_ratio):
        """The loss as it is trained, the bound and the sampled ELBO as they are for beta = 1; all means over examples."""
        trained, log_w = log_px + self.beta * log_ratio, log_px + log_ratio
        return BoundTerms(-log_mean_exp(trained).mean(), log_mean_exp(log_w).mean(), log_w.mean())


def _log_prior_over_q(z, log_var, eps):
    """log p(z) - log q(z given x) at z = mu + sigma * eps : (S, N); the terms log 2 pi cancel."""
    return 0.5 * (eps * eps + log_var - z * z).sum(axis=-1)


def repeat(x, S):
    """x (N, D) S times over : (S N, D); no copy for S = 1."""
    return x if S == 1 else np.tile(x, (S, 1))
