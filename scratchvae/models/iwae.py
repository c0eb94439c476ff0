"""How can several samples make a tighter bound than one? The importance-weighted autoencoder."""
from collections import namedtuple

import numpy as np

from scratchvae.checking import BLOCK, row_blocks
from scratchvae.models.vae import VAE
from scratchvae.nn.flow import Node
from scratchvae.nn.halves import by_halves
from scratchvae.nn.threads import by_two
from scratchvae.probability.gaussian import reparameterize_grad
from scratchvae.probability.log_space import log_mean_exp, shares

BoundTerms = namedtuple("BoundTerms", "loss bound elbo")


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

    @by_halves(lambda self, x, rng=None, eps=None: {"eps": self.noise(len(x), rng, self.n_samples, eps)})
    def forward_backward(self, x, labels=None, *, rng=None, eps=None):
        """The loss terms of a batch; fills `grad` with dloss/dtheta.

            loss = -1/N sum_n log 1/S sum_s w_ns

        x : (N, D)      eps : (S, N, K) or (N, K), drawn from rng if not given      labels : (N,), if n_classes > 1
        """
        eps = self.noise(len(x), rng, self.n_samples, eps)
        S, N, K = eps.shape

        # forward, to log w = log p(x given z) + beta (log p(z) - log q(z given x))
        made = self.forward(x, eps, labels)
        z, log_var, log_px, dparams = made.z, made.log_var, made.log_px, made.dparams
        log_ratio = _log_prior_over_q(z, log_var, eps)                        # (S, N)
        log_w = log_px + self.beta * log_ratio

        # backward, through log 1/S sum_s w_s: each log w_s weighs softmax(log w)_s, its normalised importance weight
        share = shares(log_w)                                   # (S, N), sums to 1 over the samples

        # backward, through log p(x given z) and log p(z) to z, then to mu and log_var
        dparams *= -1 / N * share.reshape(S * N, 1)
        dz = self.decoder.backward(dparams, made.decoder_cache)[:, :K].reshape(S, N, K)
        dz += self.beta / N * share[:, :, None] * z                           # dlog p(z)/dz = -z
        dmu, dlog_var = reparameterize_grad(dz, log_var, eps)

        # backward, from log q: with eps held fixed, log q(z given x) = -1/2 sum_j (eps_j^2 + log_var_j + log 2 pi)
        dlog_var -= 0.5 * self.beta / N
        self.encoder.backward(np.concatenate([dmu, dlog_var], axis=1), made.encoder_cache, need_dx=False)

        return self._bound_terms(log_px, log_ratio)

    def flow(self):
        return [*super().flow(), Node("log 1/S sum_s w_s")]

    def evaluate(self, x, labels=None, *, rng):
        """The loss terms without a gradient, the bound with n_samples samples."""
        eps = self.noise(len(x), rng, self.n_samples)
        log_px, log_ratio = np.empty((2, *eps.shape[:2]), self.dtype)

        def of_rows(block):
            made = self.forward(x[block], eps[:, block], None if labels is None else labels[block])
            log_px[:, block], log_ratio[:, block] = made.log_px, _log_prior_over_q(made.z, made.log_var, eps[:, block])

        by_two(of_rows, row_blocks(x, BLOCK // len(eps), self.width), [self])
        return self._bound_terms(log_px, log_ratio)

    def _bound_terms(self, log_px, log_ratio):
        """The loss as it is trained, the bound and the sampled ELBO as they are for beta = 1; means over examples."""
        log_w, log_w_true = log_px + self.beta * log_ratio, log_px + log_ratio
        return BoundTerms(-log_mean_exp(log_w).mean(), log_mean_exp(log_w_true).mean(), log_w_true.mean())


def _log_prior_over_q(z, log_var, eps):
    """log p(z) - log q(z given x) at z = mu + sigma * eps : (S, N); the terms log 2 pi cancel."""
    return 0.5 * (eps * eps + log_var - z * z).sum(axis=-1)
