"""How does one put a factor on a slider? Ways through a latent space of faces, and what decoded faces show on them."""
import copy
from collections import namedtuple
from functools import lru_cache

import numpy as np

import scratchvae as sv
from scratchvae.analysis import factors as known

ENDS = -0.8, 0.8                             # where a slider begins, and where it should end
SIDE = 41                                    # of the grid of faces that what is decoded is held against
STEPS = np.linspace(-6, 6, 61)               # how far a slider is tried to be moved, in the latent space

Cost = namedtuple("Cost", "turn decoded prior bounds")


def code_of(vae, X):
    """mu of the faces in float64 : (N, K)."""
    return vae.encode(X)[0].astype(np.float64)


def along(vae, X, factors):
    """The slider of labelled faces X: smile and pose (N, 2) -> codes (N, K) as its middle (K,) and its steps (2, K)."""
    return known.directions(code_of(vae, X), factors)


def read_face(X):
    """Smile and pose (N, 2) of images (N, D): of all drawn faces on a fine grid, those of the nearest."""
    grid, faces = face_grid()
    return grid[((faces**2).sum(axis=1) - 2 * X @ faces.T).argmin(axis=1)]


@lru_cache
def face_grid():
    """Smile and pose on a fine grid (G, 2), and their faces (G, D)."""
    axis = np.linspace(-1, 1, SIDE)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return grid, sv.draw_faces(grid).astype(np.float32)


def starts(k):
    """Nine faces' factors (9, 2): factor k at the slider's beginning, the other from -0.7 to 0.7."""
    factors = np.full((9, 2), ENDS[0])
    factors[:, 1 - k] = np.linspace(-0.7, 0.7, 9)
    return factors


def moved(start, end, k):
    """From factors (9, 2) to others: how far k moves on average; how far the other factor; and what stays of the
    other's differences: the slope of its end on its start, 1 where all stays, -1 where it is turned over.
    """
    own, other = (end - start)[:, k].mean(), np.abs(end - start)[:, 1 - k].mean()
    slope = np.polyfit(start[:, 1 - k], end[:, 1 - k], 1)[0]
    return float(own), float(other), round(float(slope), 9) + 0.0           # where nothing stays, rounding has no sign


def slide(vae, way, k):
    """What is `moved` when factor k is taken from the slider's beginning along `way` (K,), as far as brings its mean
    closest to the slider's end.
    """
    start = starts(k)
    z, unit = code_of(vae, sv.draw_faces(start)), way / np.linalg.norm(way)
    along = z + STEPS[:, None, None] * unit                                                   # (steps, 9, K)
    ends = read_face(vae.decode(along.reshape(-1, vae.n_latent))).reshape(len(STEPS), 9, 2)
    return moved(start, ends[np.abs(ends[:, :, k].mean(axis=1) - ENDS[1]).argmin()], k)


def turned_cost(vae, X, rng, steps):
    """Turn the latent space, z' = z R, and the decoder back: Cost of that, measured.

    decoded, prior : how far decoded faces, and log densities of the prior, are apart at most; p(x) follows from both
    bounds : the ELBO (N,) of the best upright Gaussian q of each face, as trained and turned
    """
    K = vae.n_latent
    turn = np.linalg.qr(rng.standard_normal((K, K)))[0]
    plain = sv.VAE(vae.n_features, hidden=vae.hidden, n_latent=K, observation=vae.observation, rng=rng,
                   dtype=np.float64)
    plain.theta[:] = vae.theta
    other = copy.deepcopy(plain)
    other.decoder.layers[0].W[:] = turn.T @ plain.decoder.layers[0].W
    z = rng.standard_normal((1000, K))
    prior = [sv.gaussian.log_prob(codes, 0.0, np.zeros(K)) for codes in (z, z @ turn)]
    mu, log_var = plain.encode(X)
    starts = (mu, log_var), (mu @ turn, np.log(np.exp(log_var) @ turn**2))   # the moments of q, turned
    eps = rng.standard_normal((100, len(X), K))
    bounds = []
    for model, start in zip((plain, other), starts):
        mu, log_var = sv.optimize_q(model, X, start=start, steps=steps, rng=rng)
        z_q = sv.gaussian.reparameterize(mu, log_var, eps)
        reconstruction = model.log_likelihood(X.astype(np.float64), z_q).mean(axis=0)
        bounds.append(reconstruction - sv.gaussian.kl_standard(mu, log_var))
    return Cost(turn, float(np.abs(plain.decode(z) - other.decode(z @ turn)).max()),
                float(np.abs(prior[0] - prior[1]).max()), bounds)
