"""What does a label do to a face? A VAE told one factor, in fifths: its label moved, z kept; what z still says."""
import numpy as np

import scratchvae as sv
from demos.face_sliders import ENDS, moved, read_face, starts

FIFTHS = 5       # of [-1, 1], the classes; a slider's ENDS are the middles of the first and the last


def fifth(factor):
    """In which fifth of [-1, 1] each number lies, from 0 to 4."""
    return np.digitize(factor, np.linspace(-1, 1, FIFTHS + 1)[1:-1])


def codes(vae, X, factors, told):
    """mu, log_var (N, K) of the faces by a VAE that is told the fifth of factor `told`, or nothing if that is None."""
    return vae.encode(X) if told is None else vae.encode(X, fifth(factors[:, told]))


def relabel(vae, k):
    """What is `moved` of the faces at the slider's beginning when z is kept and the label of factor k is moved, from
    the first fifth to the last.
    """
    start = starts(k)
    z, _ = codes(vae, sv.draw_faces(start), start, k)
    return moved(start, read_face(vae.decode(z, FIFTHS - 1)), k)


def same_pixels(k):
    """The cosine between what the other factor, from -0.5 to 0.5, changes in the pixels at both ENDS of factor k."""
    factors = np.zeros((2, 2, 2))
    factors[..., k], factors[..., 1 - k] = np.array(ENDS)[:, None], (-0.5, 0.5)
    a, b = np.diff(sv.draw_faces(factors.reshape(4, 2)).reshape(2, 2, -1), axis=1)[:, 0]
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def legible(vae, seen, unseen, told, rng, epochs=30):
    """How often a network tells the fifth of each factor of unseen faces from z : two shares.

    z is drawn from q, as the decoder gets it: of mu a network may read what no decoder can, for it drowns in the noise.
    """
    def draw(mu, log_var):
        eps = rng.standard_normal(mu.shape, dtype=mu.dtype)
        return sv.gaussian.reparameterize(mu, log_var, eps)

    z, z_unseen = (draw(*codes(vae, *faces, told)) for faces in (seen, unseen))
    shares = []
    for y, y_unseen in zip(fifth(seen[1]).T, fifth(unseen[1]).T):
        network = sv.Classifier(vae.n_latent, hidden=(64,), n_classes=FIFTHS, rng=rng)
        sv.fit(network, z, y, epochs=epochs, batch_size=100, optimizer=sv.Adam(3e-3), rng=rng)
        shares.append(float(network.score(z_unseen, y_unseen)))
    return shares
