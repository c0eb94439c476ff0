"""What may come into an analysis? A VAE that is a likelihood, its data, a q and noise of their shape; codes."""
from warnings import warn

import numpy as np

from scratchvae.checking import class_labels, only, real_array, real_matrix, vector
from scratchvae.checking.probability import distribution
from scratchvae.models.autoencoder import CodeModel
from scratchvae.models.fit_once import varied
from scratchvae.models.labels import classes_of, without_labels
from scratchvae.models.vae import VAE
from scratchvae.probability.gaussian import varies
from scratchvae.probability.observation import Bernoulli, ContinuousBernoulli

# A VAE and what belongs to it:
a_vae = lambda name, value: only(
    name, value, lambda v: isinstance(v, VAE), f"want a VAE, got {type(value).__name__}", TypeError)
likelihood_of_classes = lambda name, value: only(  # with labels or without
    name, a_vae(name, value), lambda vae: vae.observation.measure is not None,
    "{0.observation!r} is a loss, not a likelihood; it gives x no probability")
likelihood_vae = lambda name, value: without_labels(name, likelihood_of_classes(name, value))


def prior_of_classes(name, value, vae):
    """`value` as p(y) (n_classes,); for None the shares of the last training, and a UserWarning if some are 0."""
    absent = np.flatnonzero(vae.class_shares == 0)
    if value is None and len(absent):
        warn(f"{name}: the labels of the last training had none of class {', '.join(map(str, absent))}, so p(y) there "
             "is 0, whatever x shows; give a prior if they may come", stacklevel=3)
    return vector(name, distribution(name, vae.class_shares if value is None else value), vae.n_classes)


def q_of(name, value, vae, X):
    """`value` as a q's (mu, log_var), each (N, K); the encoder's for None."""
    is_pair = isinstance(value, (tuple, list)) and len(value) == 2 or np.shape(value)[:1] == (2,)
    if value is not None and not is_pair:
        raise TypeError(f"{name}: want (mu, log_var), got {value!r}")
    mu, log_var = vae.encode(X) if value is None else value
    return rows_of_codes(f"{name}.mu", mu, vae, X), rows_of_codes(f"{name}.log_var", log_var, vae, X)


noise = lambda name, value, vae, X: real_array(name, value, vae.dtype, ("S", len(X), vae.n_latent))
data = lambda name, X, vae: CodeModel.accept(vae, X, name=name)[0]
several_data = lambda name, X, vae: only(
    name, data(name, X, vae), lambda x: len(x) > 1, "want at least 2 rows, for one has no spread, got {0.shape}")
beside_data = lambda name, value, vae, X: classes_of(name, value, vae, len(X))
rows_of_codes = lambda name, value, vae, X: real_array(name, value, vae.dtype, (len(X), vae.n_latent))

# Codes and samples:
two_rows = lambda name, value, n_columns=None: only(
    name, real_matrix(name, value, n_columns), lambda rows: len(rows) > 1, "want at least 2 rows, got {0.shape}")
two_labels = lambda name, labels: only(
    name, labels, lambda labels: len(labels) > 1, "want at least 2, got {0.shape}")
beside_codes = lambda name, value, codes: real_matrix(name, value, codes.shape[1])
beside_features = lambda name, value, features: two_rows(name, value, features.shape[1])


def labels_of_many(name, value, z, n_classes=1):
    """`value` as the labels (N,) of codes z (N, K), more than K of each class, of n_classes or more."""
    labels, K = class_labels(name, value, len(z)), z.shape[1]
    classes, counts = np.unique(labels, return_counts=True)
    only(name, counts.min(), lambda least: least > K,
         f"want more than {K} codes of each class, got {{0}} of class {classes[counts.argmin()]}")
    only(name, len(classes), lambda n: n >= n_classes, "want two classes or more to compare, got {0}")
    return labels


labels_of_several = lambda name, value, z: labels_of_many(name, value, z, n_classes=2)


def fittable(name, value, self):
    """`value` as codes (N, K) with more rows than columns and components, not all equal."""
    Z = real_matrix(name, value)
    (N, K), C = Z.shape, self.n_components
    only(name, N, lambda N: N > K and N >= C,
         f"want more rows than its {K} columns and at least {C}, one a component, got {{0}}")
    return varied(name, Z)


# ---- a decoder of logits, and a sampler for its codes ---------------------------------------------------------------

def decoder_of_logits(name, value):
    """`value`, if it is a model of two latents whose log p(x given a) is x^T a - A(a)."""
    if not isinstance(value, CodeModel) or not isinstance(value.observation, (Bernoulli, ContinuousBernoulli)):
        raise TypeError(f"{name}: want an Autoencoder or VAE under (Continuous)Bernoulli, got {type(value).__name__} "
                        f"under {getattr(value, 'observation', None)!r}")
    if value.n_latent != 2:
        raise ValueError(f"{name}: want 2 latents for quadrature on a grid, got {value.n_latent}")
    return without_labels(name, value)


sampler_with_grid = lambda name, value: only(
    name, value, lambda sampler: callable(getattr(sampler, "grid", None)) and not isinstance(sampler, type),
    "want a GaussianMixture, got {0!r}", TypeError)

# Codes and what is known of their images:
ten_rows = lambda name, value: only(
    name, real_matrix(name, value), lambda z: len(z) >= 10,
    "want at least 10 rows, with which two columns have bins to share, got {0.shape}")
several_latents = lambda name, value: only(
    name, ten_rows(name, value), lambda z: z.shape[1] > 1, "want two latents or more to compare, got {0.shape}")
rows_of_factors = lambda name, value, z: only(
    name, real_matrix(name, value), lambda f: len(f) == len(z),
    f"want a row for each of {len(z)} codes, got {{0.shape}}")
beside_factors = lambda name, value, factors, z_test: only(
    name, real_matrix(name, value, factors.shape[1]), lambda f: len(f) == len(z_test) and varies(f).all(),
    f"want a row for each of {len(z_test)} codes, and factors that vary, got {{0}}")
