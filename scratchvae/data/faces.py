"""Which factors made the picture? Faces drawn by formula, so that what a model finds can be held against what is there.

The head is an ellipse; eyes, nose and mouth lie on a ball of its width, at a longitude a and a height v. To turn the
head moves them along their circle of latitude, and narrows those that come near its edge:

    u = r(v) sin(a + TURN pose)        r(v) = half the head's width at height v

The mouth is an arc, whose corners a smile lifts: v = MOUTH + BEND smile ((a / a_max)^2 - 2/5). Every edge is soft, so
that a small change of a factor is a small change of every pixel.
"""
import numpy as np

from scratchvae.checking import entry, generator, integer, number, optional, row_blocks, share
from scratchvae.checking.data import ink_of_faces, shifts_of_faces, smiles_and_poses

HEAD = 0.74, 0.92                       # half its width and its height; a picture reaches from -1 to 1 both ways
EYES, NOSE, MOUTH = 0.25, -0.05, -0.47  # their heights
TURN, BEND = 0.35, 0.28                 # the angle, in radians, of pose = 1; how far smile = 1 bends the mouth
CORNER = 0.6                            # the longitude a_max of the mouth's corner

pixels = lambda name, value: integer(name, value, 8, 256)


@entry(size=pixels, n=lambda name, value, size: integer(name, value, each=size * size), rng=generator,
       position=lambda name, value: number(name, value, high=0.5), brightness=share)
def faces(n, size=24, *, position=0.0, brightness=0.0, rng):
    """n faces (n, size * size) in [0, 1], 1 being ink, and their factors (n, 2): smile and pose, uniform on [-1, 1].

    position, brightness : what disturbs, and is not told: the head is moved by up to `position` half pictures to any
    side, and up to the share `brightness` of the ink is lacking; all uniform, all independent
    """
    factors, shift = rng.uniform(-1, 1, (n, 2)), position * rng.uniform(-1, 1, (n, 2))
    return draw_faces(factors, size, shift=shift, ink=1 - brightness * rng.random(n)), factors


@entry(factors=smiles_and_poses, size=pixels, shift=optional(shifts_of_faces), ink=optional(ink_of_faces))
def draw_faces(factors, size=24, *, shift=None, ink=None):
    """Faces (N, size * size) of factors (N, 2), smile and pose in [-1, 1]: (-1, 0) hangs its mouth, (0, 1) looks right.

    shift : (N, 2), by how much the head is moved right and up, in half pictures      ink : (N,), of the darkest pixel
    """
    shift = np.zeros_like(factors) if shift is None else shift
    faces = np.concatenate([drawn(factors[rows], size, shift[rows]) for rows in row_blocks(factors, width=size * size)])
    return faces if ink is None else ink[:, None] * faces


def drawn(factors, size, shift):
    """The faces at full ink, each feature a soft spot, the mouth as many spots in a row."""
    smile, pose, right, up = (column[:, None] for column in (*factors.T, *shift.T))
    middle = (np.arange(size) + 0.5) / size * 2 - 1                             # of the pixels, from left to right
    u, v = np.tile(middle, size) - right, np.repeat(-middle, size) - up         # (N, size * size)

    def spot(longitude, height, wide, high, reach=1.0):
        angle = longitude + TURN * pose
        at = reach * HEAD[0] * np.sqrt(1 - (height / HEAD[1]) ** 2) * np.sin(angle)
        squares = ((u - at) / (wide * np.cos(angle))) ** 2 + ((v - height) / high) ** 2
        return np.clip(1 - squares / 6, 0, None) ** 3                          # nearly e^(-squares / 2), but 0 far away

    eyes = [spot(longitude, EYES, 0.1, 0.11) for longitude in (-0.5, 0.5)]
    nose = 0.8 * spot(0.0, NOSE, 0.06, 0.13, reach=1.25)
    mouth = np.zeros_like(u)
    for a in np.linspace(-CORNER, CORNER, 15):
        np.maximum(mouth, spot(a, MOUTH + BEND * smile * ((a / CORNER) ** 2 - 0.4), 0.1, 0.1), out=mouth)
    edge = np.clip((1.08 - np.hypot(u / HEAD[0], v / HEAD[1])) / 0.16, 0, 1)
    skin = 0.75 * (1 - eyes[0]) * (1 - eyes[1]) * (1 - nose) * (1 - mouth)       # what no feature covers
    return edge**2 * (3 - 2 * edge) * (1 - skin)
