"""How can an autoencoder's code be made good to generate from? The variational autoencoder.

A latent z ~ p(z) = N(0, I) is turned into x ~ p(x given z) by a decoder with parameters theta. Its likelihood
p(x) = integral p(z) p(x given z) dz is intractable; an encoder with parameters phi, q(z given x) = N(mu(x), diag
sigma(x)^2), proposes the z that matter for x, and gives a lower bound:

    log p(x) >= ELBO(x) = E_q[log p(x given z)] - KL(q(z given x) || p(z))
                          reconstruction          kl

The expectation is estimated with z = mu + sigma * eps, eps ~ N(0, I): the randomness is outside, so that z, and the
loss with it, can be differentiated with respect to mu and log_var = log sigma^2. KL and sampler, each beside its
derivative, are in probability/gaussian.py. Two roads lead from the loss to the encoder, one through z and one through
the KL; their derivatives add up.
Source: Kingma & Welling 2014; beta as in Higgins et al. 2017 (1 for the true bound).
"""
from collections import namedtuple

import numpy as np

from scratchvae.checking import BLOCK, door, entry, generator, integer, number, real_array, row_blocks, size
from scratchvae.models.autoencoder import CodeModel
from scratchvae.nn.flow import Array, Node, through
from scratchvae.nn.model import accepted, new_rows, rows
from scratchvae.probability.gaussian import kl_standard, kl_standard_grad, reparameterize, reparameterize_grad
from scratchvae.probability.log_space import log_mean_exp, shares
from scratchvae.probability.observation import Bernoulli

IN_CACHE = 1 << 16  # numbers of a layer that a processor's second cache holds: where only values are wanted, a block

ELBO = namedtuple("ELBO", "elbo reconstruction kl")
Terms = namedtuple("Terms", "loss elbo reconstruction kl")
BoundTerms = namedtuple("BoundTerms", "loss bound elbo")
Pass = namedtuple("Pass", "mu log_var z log_px dparams encoder_cache decoder_cache")  # what forward leaves


class VAE(CodeModel):
    """x (N, D) -> q(z given x) = N(mu, diag exp(log_var)), z (N, K) -> p(x given z), trained by `fit`.

    hidden        sizes of the encoder's hidden layers, mirrored in the decoder; () for the linear VAE
    observation   p(x given z), what the decoder's output means
    beta          weight of the KL in the loss; the ELBO itself is always reported with weight 1
    n_samples     how many z are drawn for each example in a training step
    """

    terms = Terms

    @entry(n_latent=size, beta=number, n_samples=integer)
    def __init__(self, n_features, hidden=(128,), n_latent=2, *, activation="relu", observation=Bernoulli(), beta=1.0,
                 n_samples=1, rng, dtype=np.float32):
        self.beta, self.n_samples = beta, n_samples
        super().__init__(n_features, hidden, n_latent, 2 * n_latent, activation, observation, rng, dtype)
        # q starts at sigma = e^-1 for every x: narrower than the prior, so that the decoder hears z from the first step
        head = self.encoder.layers[-1]
        head.W[:, n_latent:], head.b[n_latent:] = 0, -2

    def forward(self, x, eps):
        """x (N, D) -> mu, log_var (N, K) -> z = mu + sigma * eps -> log p(x given z) (S, N), for eps (S, N, K).

        returns : `Pass`; `dparams` (S N, n_params) is the derivative of log p(x given z) in the decoder's output
        """
        S, N, K = eps.shape
        code, encoder_cache = self.encoder.forward(x)                         # (N, 2 K)
        mu, log_var = code[:, :K].copy(), code[:, K:].copy()                  # contiguous: strided views are slower
        z = reparameterize(mu, log_var, eps)                                  # (S, N, K)
        params, decoder_cache = self.decoder.forward(z.reshape(S * N, K))     # (S N, n_params)
        log_px, dparams = self.observation.value_and_grad(repeat(x, S), params)
        return Pass(mu, log_var, z, log_px.reshape(S, N), dparams, encoder_cache, decoder_cache)

    def forward_backward(self, x, *, rng=None, eps=None):
        """The loss terms of a batch; fills `grad` with dloss/dtheta.

            loss = -1/N sum_n (1/S sum_s log p(x_n given z_ns) - beta KL_n)

        x : (N, D)      eps : (S, N, K) or (N, K), drawn from rng if not given
        """
        eps = self.noise(len(x), rng, self.n_samples, eps)
        S, N, K = eps.shape

        # forward:  x -> mu, log_var -> z = mu + sigma * eps -> log p(x given z)
        made = self.forward(x, eps)
        mu, log_var, log_px, dparams = made.mu, made.log_var, made.log_px, made.dparams
        kl = kl_standard(mu, log_var)                                         # (N,)

        # backward: two roads lead to mu and log_var, and their derivatives add up
        dmu, dlog_var = self.through_z(dparams, log_var, eps, made.decoder_cache)
        dmu_kl, dlog_var_kl = self.through_kl(mu, log_var)
        self.encoder.backward(np.concatenate([dmu + dmu_kl, dlog_var + dlog_var_kl], axis=1),
                              made.encoder_cache, need_dx=False)

        return self._terms(log_px.sum() / (S * N), kl.sum() / N)

    def through_z(self, dlog_px, log_var, eps, decoder_cache):
        """dloss/dmu, dloss/dlog_var, each (N, K), by the first road: log p(x given z), the decoder, z.

            loss = -1/(S N) sum_ns log p(x_n given z_ns) + ...        dz/dmu = 1        dz/dlog_var = 1/2 sigma eps

        dlog_px : (S N, n_params), dlog p(x given z)/dparams      log_var : (N, K)      eps : (S, N, K)
        """
        S, N, K = eps.shape
        dparams = dlog_px * (-1 / (S * N))
        dz = self.decoder.backward(dparams, decoder_cache).reshape(S, N, K)
        return reparameterize_grad(dz, log_var, eps)

    def through_kl(self, mu, log_var):
        """dloss/dmu, dloss/dlog_var, each (N, K), by the second road.        loss = ... + beta/N sum_n KL_n"""
        dmu, dlog_var = kl_standard_grad(mu, log_var)                         # mu, 1/2 (sigma^2 - 1)
        return self.beta / len(mu) * dmu, self.beta / len(mu) * dlog_var

    @door("X", "eps", X=accepted)
    def elbo(self, X, *, rng=None, eps=None):
        """ELBO(elbo, reconstruction, kl) of each example, each (N,), in nats.

            elbo = 1/S sum_s log p(x given z_s) - KL(q || prior)

        X : (N, D)      eps : (N, K) or (S, N, K), drawn from rng if not given (one sample)
        """
        reconstruction, kl = self.reconstruction_and_kl(X, self.noise(len(X), rng, eps=eps))
        return ELBO(reconstruction - kl, reconstruction, kl)

    def reconstruction_and_kl(self, x, eps):
        """The ELBO's two terms, each (N,), for x (N, D) and eps (S, N, K), in blocks of rows."""
        reconstruction, kl = np.empty((2, len(x)), self.dtype)
        for block in row_blocks(x, BLOCK // len(eps), self.width):
            made = self.forward(x[block], eps[:, block])
            reconstruction[block], kl[block] = made.log_px.mean(axis=0), kl_standard(made.mu, made.log_var)
        return reconstruction, kl

    def flow(self):
        lead, K = "N" if self.n_samples == 1 else f"{self.n_samples}, N", self.n_latent
        return super().flow(
            Array("x", ("N", self.n_features)), *through(self.encoder)[0],
            (Array("mu", ("N", K)), Array("log_var", ("N", K))),
            Node("mu +\nsigma * eps", f"eps ~ N(0, I)\n({lead}, {K})", "noise"), lead=lead)

    def log_likelihood(self, x, z):
        """log p(x given z) : (S, N), for x (N, D) and z (S, N, K)."""
        log_px = np.empty(z.shape[:2], self.dtype)
        for some in row_blocks(z, IN_CACHE, len(x) * self.width):
            params = self.decoder.forward(z[some].reshape(-1, self.n_latent))[0]
            log_px[some] = self.observation.value(x, params.reshape(-1, len(x), params.shape[1]))
        return log_px

    def evaluate(self, x, *, rng):
        """The loss terms without a gradient."""
        reconstruction, kl = self.reconstruction_and_kl(x, self.noise(len(x), rng))
        return self._terms(reconstruction.mean(), kl.mean())

    def _terms(self, reconstruction, kl):
        return Terms(self.beta * kl - reconstruction, reconstruction - kl, reconstruction, kl)

    @door(X=rows)
    def encode(self, X):
        """mu, log_var of q(z given x), each (N, K)."""
        code = self.apply(self.encoder, X)
        return code[:, :self.n_latent], code[:, self.n_latent:]

    @door(X=rows)
    def reconstruct(self, X):
        """The mean of p(x given z) at z = mu(x) : (N, D)."""
        return self.decode(self.encode(X)[0])

    @entry(n=new_rows, rng=generator)
    def sample(self, n, *, rng):
        """n new x (n, D): z ~ N(0, I), then x ~ p(x given z)."""
        z = rng.standard_normal((n, self.n_latent), dtype=self.dtype)
        return self.observation.sample(self.decoder.forward(z)[0], rng)

    def noise(self, n, rng, n_samples=1, eps=None):
        """eps ~ N(0, I) : (S, n, K), drawn in the model's dtype; or what is given as (S, n, K), or (n, K) for S = 1."""
        shape = (n, self.n_latent)
        if eps is None:
            return generator("rng", rng).standard_normal((n_samples, *shape), dtype=self.dtype)
        eps = real_array("eps", eps, self.dtype)
        if eps.shape[-2:] != shape or eps.ndim not in (2, 3):
            raise ValueError(f"eps: want shape (N, K) = {shape} or (S, N, K), got {eps.shape}")
        return eps.reshape(-1, *shape)

    @door("X", "eps", X=accepted)
    def loss_and_grad(self, X, *, rng=None, eps=None):
        return self.forward_backward(X, rng=rng, eps=eps)

    def config(self):
        return {**super().config(), "beta": self.beta, "n_samples": self.n_samples}


class IWAE(VAE):
    """The VAE trained on a tighter bound: S samples are averaged before the logarithm, not after it.

        bound = log 1/S sum_s w_s        w_s = p(x given z_s) (p(z_s) / q(z_s given x))^beta        loss = -bound

    Arguments as `VAE`; for beta = 1 it is a bound: the ELBO for S = 1, with its KL sampled, and E[bound] rises to log
    p(x) with S. Good samples count more: the gradient of log sum_s w_s is a mean of the gradients of log w_s, weighted
    by softmax(log w)_s. `elbo` is as for any VAE; `sv.multi_sample_bound` measures the bound.
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
        eps = self.noise(len(x), rng, self.n_samples, eps)
        S, N, K = eps.shape

        # forward, to log w = log p(x given z) + beta (log p(z) - log q(z given x))
        made = self.forward(x, eps)
        z, log_var, log_px, dparams = made.z, made.log_var, made.log_px, made.dparams
        log_ratio = _log_prior_over_q(z, log_var, eps)                        # (S, N)
        log_w = log_px + self.beta * log_ratio

        # backward, through log 1/S sum_s w_s: each log w_s weighs softmax(log w)_s, its normalised importance weight
        share = shares(log_w)                                                 # (S, N), sums to 1 over the samples

        # backward, through log p(x given z) and log p(z) to z, then to mu and log_var
        dparams *= -1 / N * share.reshape(S * N, 1)
        dz = self.decoder.backward(dparams, made.decoder_cache).reshape(S, N, K)
        dz += self.beta / N * share[:, :, None] * z                           # dlog p(z)/dz = -z
        dmu, dlog_var = reparameterize_grad(dz, log_var, eps)

        # backward, from log q: with eps held fixed, log q(z given x) = -1/2 sum_j (eps_j^2 + log_var_j + log 2 pi)
        dlog_var -= 0.5 * self.beta / N
        self.encoder.backward(np.concatenate([dmu, dlog_var], axis=1), made.encoder_cache, need_dx=False)

        return self._bound_terms(log_px, log_ratio)

    def flow(self):
        return [*super().flow(), Node("log 1/S sum_s w_s")]

    def evaluate(self, x, *, rng):
        """The loss terms without a gradient, the bound with n_samples samples."""
        eps = self.noise(len(x), rng, self.n_samples)
        log_px, log_ratio = np.empty((2, *eps.shape[:2]), self.dtype)
        for block in row_blocks(x, BLOCK // len(eps), self.width):
            made = self.forward(x[block], eps[:, block])
            log_px[:, block], log_ratio[:, block] = made.log_px, _log_prior_over_q(made.z, made.log_var, eps[:, block])
        return self._bound_terms(log_px, log_ratio)

    def _bound_terms(self, log_px, log_ratio):
        """The loss as it is trained, the bound and the sampled ELBO as they are for beta = 1; means over examples."""
        log_w, log_w_true = log_px + self.beta * log_ratio, log_px + log_ratio
        return BoundTerms(-log_mean_exp(log_w).mean(), log_mean_exp(log_w_true).mean(), log_w_true.mean())


def _log_prior_over_q(z, log_var, eps):
    """log p(z) - log q(z given x) at z = mu + sigma * eps : (S, N); the terms log 2 pi cancel."""
    return 0.5 * (eps * eps + log_var - z * z).sum(axis=-1)


def repeat(x, S):
    """x (N, D) S times over : (S N, D); no copy for S = 1."""
    return x if S == 1 else np.tile(x, (S, 1))
