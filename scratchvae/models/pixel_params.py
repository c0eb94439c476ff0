"""Whose are a network's outputs, where a pixel needs more than one? All params of a pixel hear what the pixel may hear.

The observation model says in `columns` which of its params are a pixel's. Given what they hear, the pixels must be
independent, each by params of its own: then log p(x) is a sum over pixels, and the chain rule's.
"""
import numpy as np

from scratchvae.models.autoencoder import of_vectors


def for_params(mask, observation):
    """The mask of outputs for each pixel, (n_in, D), as one for its params : (n_in, n_params).

    What all pixels share hears nothing, and is a bias.
    """
    n_in, D = mask.shape
    own = observation.columns(D)[:, :observation.n_params(1) - observation.n_shared]
    of_params = np.zeros((n_in, observation.n_params(D)), mask.dtype)
    of_params[:, own] = mask[:, :, None]
    return of_params


def of_pixels(name, value, n_features):
    """A check: an observation model that is a distribution of each pixel by params of its own."""
    rng, observation = np.random.default_rng(0), of_vectors(name, value)
    if observation.measure is None:
        raise ValueError(f"{name}: want a distribution, for log p is to be exact, got {value!r}, which has no measure")
    about = observation.start(np.full(n_features, 0.5), np.full(n_features, 0.1))[0]
    params = about + 0.1 * rng.standard_normal((2, observation.n_params(n_features)))
    try:
        x = observation.sample(params, rng)
        apart = observation.value(x[..., None], params[:, observation.columns(n_features)]).sum(axis=1)
        fits = np.allclose(observation.value(x, params), apart, equal_nan=True)
    except (ValueError, IndexError):  # params that come in no blocks of n_features
        fits = False
    if not fits:
        raise ValueError(f"{name}: want one whose log p is a sum over features, each by its own params, those that "
                         f"`columns` names, got {value!r}")
    return observation
