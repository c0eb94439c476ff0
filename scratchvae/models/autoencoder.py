"""How far can x be compressed and still be restored? The autoencoder.

    z = encoder(x)        x_mean = decoder(z)        loss = -log p(x given decoder(z))

x is its own label: nobody has to name what is on the picture. The code z is narrower than x, so the network has to find
what the data has in common. The decoder mirrors the encoder, and an observation model says what the loss is: under a
Gaussian of fixed variance it is the squared error over 2 variance, plus a constant.

A denoising autoencoder (`noise` > 0) sees a damaged x and must restore the whole one; then copying is no solution even
for a wide code (Vincent et al. 2008).
"""
from collections import namedtuple

import numpy as np

from scratchvae.checking import (choice, door, entry, float_type, generator, like, matrix, not_too_large, number,
                                 order_of_one, real_array, row_blocks, size, sizes)
from scratchvae.extending import built, described
from scratchvae.nn.flow import Array, Node, through
from scratchvae.nn.halves import by_halves
from scratchvae.nn.model import Model, rows
from scratchvae.nn.network import activation_class, activation_name, mlp, start_outputs
from scratchvae.nn.threads import by_two
from scratchvae.probability.gaussian import moments
from scratchvae.probability.observation import Bernoulli, Categorical, Gaussian, Observation

Terms = namedtuple("Terms", "loss reconstruction")


def of_vectors(name, value):
    """`value` if it is an observation model of x, not of a label."""
    if not isinstance(value, Observation) or isinstance(value, Categorical):
        raise TypeError(f"{name}: want an observation model such as Bernoulli(), got {value!r}")
    return value


codes = lambda name, value, self: matrix(name, value, self.n_latent, self.dtype)  # z : (N, K)


class CodeModel(Model):
    """What an autoencoder and a VAE share: mirror-image networks, an observation model, a decoder to x_mean."""

    @entry(n_features=size, hidden=sizes, n_latent=size, activation=activation_class, observation=of_vectors,
           rng=generator, dtype=float_type)
    def __init__(self, n_features, hidden, n_latent, n_code_params, activation, observation, rng, dtype,
                 n_joined=0):
        self.n_features, self.hidden, self.n_latent = n_features, hidden, n_latent
        self.activation, self.observation = activation, observation
        how = {"activation": activation, "rng": rng, "dtype": dtype}
        super().__init__(
            dtype,
            encoder=mlp(n_features + n_joined, hidden, n_code_params, **how),
            decoder=mlp(n_latent + n_joined, hidden[::-1], observation.n_params(n_features),
                        n_shared=observation.n_shared, **how))

    def accept(self, X, *, name="X"):
        """The door: X as finite (N, n_features) of the model's dtype, inside the observation model's support."""
        return (self.observation.accept(X, name, self.n_features, self.dtype),)

    def start(self, x):
        """Start where the data are: x enters centred, and the outputs are those of the best p(x) that ignores z.

        For a decoder this is its bias's maximum likelihood, from which only what z adds is left to learn.
        """
        mean, variance = moments(x)
        order_of_one("X", x, mean, variance, self.observation.bounded)
        if start_outputs(self.decoder, *self.observation.start(mean, variance)):
            first = self.encoder.layers[0]
            first.b -= mean @ first.W[:len(mean)]  # x's part: what is joined to it is not centred

    @property
    def noise_variance(self):
        """The variance of p(x given z) where it is one number, fixed or learned."""
        if not isinstance(self.observation, Gaussian) or self.observation.variance == "diagonal":
            raise AttributeError(f"noise_variance: {self.observation!r} has no single variance")
        c = getattr(self.decoder.layers[-1], "c", self.theta[:0])
        return float(self.observation.variance_terms(c[None])[0][0, 0])

    def flow(self, *encoding, lead="N", beside=()):
        """Its parts in order (see nn/flow.py), for `plotting.diagram`; `encoding` are those from x to before z.

        beside : arrays that go into the decoder with z
        """
        hidden, n_params = through(self.decoder, lead=lead)
        z = Array("z", (lead, self.n_latent))
        return [*encoding, (z, *beside) if beside else z, *hidden, Array(self.observation.params, (lead, n_params)),
                Node(f"{type(self.observation).__name__}\np(x given {', '.join(['z', *(a.name for a in beside)])})",
                     kind="result")]

    @door(z=codes)
    def decode(self, z):
        """The mean of p(x given z) : (N, D), for z : (N, K)."""
        return self.mean_of_x(z)

    def mean_of_x(self, inputs):
        """The mean of p(x) : (N, D) that the decoder makes of its inputs (N, ...)."""
        return self.observation.mean(not_too_large(self.apply(self.decoder, inputs)))

    def config(self):
        return {"n_features": self.n_features, "hidden": list(self.hidden), "n_latent": self.n_latent,
                "activation": activation_name(self.activation), "dtype": np.dtype(self.dtype).name,
                "observation": described(self.observation)}

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "observation": built(config["observation"], Observation)})


class Autoencoder(CodeModel):
    """x (N, D) -> z (N, K) -> x_mean (N, D), trained by `fit`.

    hidden        sizes of the encoder's hidden layers, mirrored in the decoder; () for the linear autoencoder
    observation   what the decoder's output means; the loss is -log p(x given z) in nats per example
    noise         0 for a plain autoencoder; otherwise the damage done to x in training: the standard deviation of
                  Gaussian noise, or for corruption="masking" the probability with which each feature is set to 0
    """

    terms = Terms

    @entry(corruption=lambda name, value: choice(name, value, ("gaussian", "masking")),
           noise=lambda name, value, corruption: number(name, value, high=1 if corruption == "masking" else np.inf))
    def __init__(self, n_features, hidden=(128,), n_latent=2, *, activation="relu", observation=Bernoulli(),
                 noise=0.0, corruption="gaussian", rng, dtype=np.float32):
        self.noise, self.corruption = noise, corruption
        super().__init__(n_features, hidden, n_latent, n_latent, activation, observation, rng, dtype)

    @door(X=rows)
    def encode(self, X):
        """The code z : (N, K) of x : (N, D)."""
        return self.apply(self.encoder, X)

    @door(X=rows)
    def reconstruct(self, X):
        """The mean of p(x given encode(X)) : (N, D)."""
        return self.decode(self.encode(X))

    @by_halves(lambda self, x, rng=None, eps=None: {"eps": self.draw(x, rng, eps)} if self.noise else {})
    def forward_backward(self, x, *, rng=None, eps=None):
        """The loss terms of a batch; fills `grad`.

            loss = -1/N sum_n log p(x_n given decoder(encoder(damaged x_n)))
        """
        N = len(x)
        z, encoder_cache = self.encoder.forward(self.damage(x, rng, eps) if self.noise else x)
        params, decoder_cache = self.decoder.forward(z)
        log_px, dparams = self.observation.value_and_grad(x, params)

        dparams *= -1 / N
        dz = self.decoder.backward(dparams, decoder_cache)
        self.encoder.backward(dz, encoder_cache, need_dx=False)

        reconstruction = log_px.mean()
        return Terms(-reconstruction, reconstruction)

    def flow(self):
        masking, x = self.corruption == "masking", Array("x", ("N", self.n_features))
        damage = [Node(*(("x * kept", f"0 with probability {self.noise:g}, else 1") if masking else
                         (f"x + {self.noise:g} eps", "eps ~ N(0, I)")), "noise"), x._replace(name="damaged x")]
        return super().flow(x, *damage * (self.noise > 0), *through(self.encoder)[0])

    def damage(self, x, rng=None, eps=None):
        """x with Gaussian noise added, or with features masked; eps as `draw` makes it."""
        eps = self.draw(x, rng, eps)
        return x * (eps >= self.noise) if self.corruption == "masking" else x + self.noise * eps

    def draw(self, x, rng, eps=None):
        """eps (N, D), normal, or uniform for masking; or what is given as such."""
        if eps is None:
            rng = generator("rng", rng)
            eps = (rng.random if self.corruption == "masking" else rng.standard_normal)(x.shape, dtype=self.dtype)
        return like("eps", real_array("eps", eps, self.dtype), x, "x")

    def evaluate(self, x, *, rng=None):
        """The loss terms without a gradient, on undamaged x, in blocks."""
        blocks = row_blocks(x, width=self.width)
        log_px = np.concatenate(by_two(lambda rows: self.observation.value(
            x[rows], self.decoder.forward(self.encoder.forward(x[rows])[0])[0]), blocks, [self]))
        reconstruction = log_px.mean()
        return Terms(-reconstruction, reconstruction)

    def config(self):
        return {**super().config(), "noise": self.noise, "corruption": self.corruption}
