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

With `n_classes` > 1 a label y goes with each x: its one-hot code is joined to x before the encoder and to z before the
decoder (`models/labels.py`). Then p(x given z, y) draws any class on demand, and z holds what the class does not say.
Source: Kingma & Welling 2014; beta as in Higgins et al. 2017 (1 for the true bound); labels as in Kingma et al. 2014.
"""
from collections import namedtuple

import numpy as np

from scratchvae.checking import (BLOCK, a_bool, door, entry, generator, integer, number, optional,
                                 real_array, row_blocks, size, vector)
from scratchvae.checking.probability import distribution
from scratchvae.models.autoencoder import CodeModel, codes
from scratchvae.models.labels import beside_x, beside_z, classes_of, for_one_class, joined
from scratchvae.nn.flow import Array, Node, through
from scratchvae.nn.halves import by_halves
from scratchvae.nn.model import new_rows, rows
from scratchvae.nn.threads import IN_CACHE, by_two
from scratchvae.probability.gaussian import kl_standard, kl_standard_grad, reparameterize, reparameterize_grad
from scratchvae.probability.observation import Bernoulli

ELBO = namedtuple("ELBO", "elbo reconstruction kl")
Terms = namedtuple("Terms", "loss elbo reconstruction kl")
Pass = namedtuple("Pass", "mu log_var z log_px dparams encoder_cache decoder_cache")  # what forward leaves
observed = lambda name, value, self: CodeModel.accept(self, value, name=name)[0]  # x alone, in the model's support


class VAE(CodeModel):
    """x (N, D) -> q(z given x) = N(mu, diag exp(log_var)), z (N, K) -> p(x given z), trained by `fit`.

    hidden        sizes of the encoder's hidden layers, mirrored in the decoder; () for the linear VAE
    observation   p(x given z), what the decoder's output means
    beta          weight of the KL in the loss; the ELBO itself is always reported with weight 1
    n_samples     how many z are drawn for each example in a training step
    n_classes     of the labels 0, 1, ... that go with x everywhere, in training too; 1 for a VAE without labels
    class_shares  p(y) : (n_classes,), of all labels of its last training; equal before it
    """

    terms = Terms

    @entry(n_latent=size, beta=number, n_samples=integer, n_classes=size)
    def __init__(self, n_features, hidden=(128,), n_latent=2, *, activation="relu", observation=Bernoulli(), beta=1.0,
                 n_samples=1, n_classes=1, rng, dtype=np.float32):
        self.beta, self.n_samples, self.n_classes = beta, n_samples, n_classes
        self.class_shares = np.full(n_classes, 1 / n_classes)
        super().__init__(n_features, hidden, n_latent, 2 * n_latent, activation, observation, rng, dtype,
                         n_joined=n_classes if n_classes > 1 else 0)
        # q starts at sigma = e^-1 for every x: narrower than the prior, so that the decoder hears z from the first step
        head = self.encoder.layers[-1]
        head.W[:, n_latent:], head.b[n_latent:] = 0, -2
        # and y is heard over z: in a one-hot code one number of n_in speaks, so its weights start in +-3. Were they as
        # small as the others, z would have learned to say the class before y is heard, and y would stay unheard
        first = self.decoder.layers[0].W
        first[n_latent:] *= 3 * np.sqrt(len(first))

    def accept(self, X, labels=None, *, name="X"):
        """The door of `fit`: X as (N, D) inside the support, and with n_classes > 1 labels (N,)."""
        x = observed(name, X, self)
        if self.n_classes == 1:
            return (x,)
        return x, classes_of("labels" if name == "X" else f"{name} labels", labels, self, len(x))

    def start(self, x, labels=None):
        super().start(x)
        if labels is not None:
            self.class_shares = np.bincount(labels, minlength=self.n_classes) / len(labels)

    def given(self, label):
        """p(x, z given y = label), and its q, as a VAE of n_classes=1: for all that is done with one class alone."""
        label = integer("label", label, low=0, high=self.n_classes - 1)
        one = type(self).from_config({**self.config(), "n_classes": 1})
        for network, copy in ((self.encoder, one.encoder), (self.decoder, one.decoder)):
            for_one_class(network, label, copy)
        one.standardizer = self.standardizer
        return one

    def forward(self, x, eps, labels=None):
        """x (N, D) -> mu, log_var (N, K) -> z = mu + sigma * eps -> log p(x given z) (S, N), for eps (S, N, K).

        returns : `Pass`; `dparams` (S N, n_params) is the derivative of log p(x given z) in the decoder's output
        """
        S, N, K = eps.shape
        code, encoder_cache = self.encoder.forward(joined(x, labels, self.n_classes))        # (N, 2 K)
        mu, log_var = code[:, :K].copy(), code[:, K:].copy()                  # contiguous: strided views are slower
        z = reparameterize(mu, log_var, eps)                                  # (S, N, K)
        params, decoder_cache = self.decoder.forward(joined(z, labels, self.n_classes))      # (S N, n_params)
        log_px, dparams = self.observation.value_and_grad(repeat(x, S), params)
        return Pass(mu, log_var, z, log_px.reshape(S, N), dparams, encoder_cache, decoder_cache)

    @by_halves(lambda self, x, rng=None, eps=None: {"eps": self.noise(len(x), rng, self.n_samples, eps)})
    def forward_backward(self, x, labels=None, *, rng=None, eps=None):
        """The loss terms of a batch; fills `grad` with dloss/dtheta.

            loss = -1/N sum_n (1/S sum_s log p(x_n given z_ns) - beta KL_n)

        x : (N, D)      eps : (S, N, K) or (N, K), drawn from rng if not given      labels : (N,), if n_classes > 1
        """
        eps = self.noise(len(x), rng, self.n_samples, eps)
        S, N, K = eps.shape

        # forward:  x -> mu, log_var -> z = mu + sigma * eps -> log p(x given z)
        made = self.forward(x, eps, labels)
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
        dz = self.decoder.backward(dparams, decoder_cache)[:, :K].reshape(S, N, K)    # not of y
        return reparameterize_grad(dz, log_var, eps)

    def through_kl(self, mu, log_var):
        """dloss/dmu, dloss/dlog_var, each (N, K), by the second road.        loss = ... + beta/N sum_n KL_n"""
        dmu, dlog_var = kl_standard_grad(mu, log_var)                         # mu, 1/2 (sigma^2 - 1)
        return self.beta / len(mu) * dmu, self.beta / len(mu) * dlog_var

    @door("X", "eps", X=observed, labels=beside_x)
    def elbo(self, X, labels=None, *, rng=None, eps=None):
        """ELBO(elbo, reconstruction, kl) of each example, each (N,), in nats.

            elbo = 1/S sum_s log p(x given z_s) - KL(q || prior)

        X : (N, D)      eps : (N, K) or (S, N, K), drawn from rng if not given (one sample)
        labels : (N,), or one for all, where there are classes: the bound is then one on log p(x given y)
        """
        reconstruction, kl = self.reconstruction_and_kl(X, self.noise(len(X), rng, eps=eps), labels)
        return ELBO(reconstruction - kl, reconstruction, kl)

    def reconstruction_and_kl(self, x, eps, labels=None):
        """The ELBO's two terms, each (N,), for x (N, D) and eps (S, N, K), in blocks of rows."""
        reconstruction, kl = np.empty((2, len(x)), self.dtype)

        def of_rows(block):
            made = self.forward(x[block], eps[:, block], None if labels is None else labels[block])
            reconstruction[block], kl[block] = made.log_px.mean(axis=0), kl_standard(made.mu, made.log_var)

        by_two(of_rows, row_blocks(x, BLOCK // len(eps), self.width), [self])
        return reconstruction, kl

    def flow(self):
        lead, K = "N" if self.n_samples == 1 else f"{self.n_samples}, N", self.n_latent
        x, y = Array("x", ("N", self.n_features)), [Array("y", ("N", self.n_classes))] * (self.n_classes > 1)
        return super().flow(
            (x, *y) if y else x, *through(self.encoder)[0],
            (Array("mu", ("N", K)), Array("log_var", ("N", K))),
            Node("mu +\nsigma * eps", f"eps ~ N(0, I)\n({lead}, {K})", "noise"), lead=lead, beside=y)

    def log_likelihood(self, x, z, labels=None):
        """log p(x given z) : (S, N), for x (N, D) and z (S, N, K)."""
        log_px = np.empty(z.shape[:2], self.dtype)
        for some in row_blocks(z, IN_CACHE, len(x) * self.width):
            params = self.decoder.forward(joined(z[some], labels, self.n_classes))[0]
            log_px[some] = self.observation.value(x, params.reshape(-1, len(x), params.shape[1]))
        return log_px

    def evaluate(self, x, labels=None, *, rng):
        """The loss terms without a gradient."""
        reconstruction, kl = self.reconstruction_and_kl(x, self.noise(len(x), rng), labels)
        return self._terms(reconstruction.mean(), kl.mean())

    def _terms(self, reconstruction, kl):
        return Terms(self.beta * kl - reconstruction, reconstruction - kl, reconstruction, kl)

    @door("X", X=rows, labels=beside_x)
    def encode(self, X, labels=None):
        """mu, log_var of q(z given x), each (N, K)."""
        code = self.apply(self.encoder, joined(X, labels, self.n_classes))
        return code[:, :self.n_latent], code[:, self.n_latent:]

    @door("z", z=codes, labels=beside_z)
    def decode(self, z, labels=None):
        """The mean of p(x given z) : (N, D), for z : (N, K)."""
        return self.mean_of_x(joined(z, labels, self.n_classes))

    @door("X", X=rows, labels=beside_x)
    def reconstruct(self, X, labels=None):
        """The mean of p(x given z) at z = mu(x) : (N, D)."""
        return self.decode(self.encode(X, labels)[0], labels)

    @entry(n=new_rows, rng=generator, mean=a_bool, labels=optional(classes_of))
    def sample(self, n, labels=None, *, rng, mean=False):
        """n new x (n, D): z ~ N(0, I), then x ~ p(x given z), or with mean=True the mean of that.

        labels : (n,), or one for all; drawn from `class_shares` if there are classes and none is given
        """
        if labels is None and self.n_classes > 1:
            labels = rng.choice(self.n_classes, n, p=self.class_shares)
        z = rng.standard_normal((n, self.n_latent), dtype=self.dtype)
        params = self.decoder.forward(joined(z, labels, self.n_classes))[0]
        return self.observation.mean(params) if mean else self.observation.sample(params, rng)

    def noise(self, n, rng, n_samples=1, eps=None):
        """eps ~ N(0, I) : (S, n, K), drawn in the model's dtype; or what is given as (S, n, K), or (n, K) for S = 1."""
        shape = (n, self.n_latent)
        if eps is None:
            return generator("rng", rng).standard_normal((n_samples, *shape), dtype=self.dtype)
        eps = real_array("eps", eps, self.dtype)
        if eps.shape[-2:] != shape or eps.ndim not in (2, 3):
            raise ValueError(f"eps: want shape (N, K) = {shape} or (S, N, K), got {eps.shape}")
        return eps.reshape(-1, *shape)

    @door("X", "eps", X=observed, labels=beside_x)
    def loss_and_grad(self, X, labels=None, *, rng=None, eps=None):
        return self.forward_backward(X, labels, rng=rng, eps=eps)

    def config(self):
        return {**super().config(), "beta": self.beta, "n_samples": self.n_samples, "n_classes": self.n_classes}

    def arrays(self):
        return {**super().arrays(), **({"class_shares": self.class_shares} if self.n_classes > 1 else {})}

    def load_arrays(self, arrays):
        p_y = arrays["class_shares"] if self.n_classes > 1 else [1.0]
        p_y = vector("class_shares", distribution("class_shares", p_y), self.n_classes)
        super().load_arrays(arrays)
        self.class_shares = p_y


def repeat(x, S):
    """x (N, D) S times over : (S N, D); no copy for S = 1."""
    return x if S == 1 else np.tile(x, (S, 1))
