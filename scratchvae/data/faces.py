"""Which factors made the picture? Faces drawn by formula, so that what a model finds can be held against what is there.

A head is an ellipse; eyes, nose and mouth lie on a ball behind it, at a longitude a and a height v. Turning the head by an
angle moves them along their circle of latitude, and those that come near the edge become narrow:

    u = r(v) sin(a + pose / 2)        r(v) = half the head's width at that height        pose from -1, left, to 1, right

The mouth is an arc, its corners a little above its middle or below: v = m + smile (a^2 - c). All edges are soft, so that a
small change of a factor is a small change of every pixel.
"""
import numpy as np

from scratchvae.checking import entry, generator, integer, row_blocks, share
from scratchvae.checking.data import beside_smile, in_minus_one_to_one

HEAD = 0.74, 0.92           # half its width and half its height; the picture reaches from -1 to 1
EYES, NOSE, MOUTH = 0.3, -0.02, -0.44  # their heights
SKIN, LINE = 0.3, 0.085     # how dark the head is beside its features, and how thick these are
TURN = 0.6                  # the angle, in radians, of pose = 1


def on_head(longitude, height, pose, reach=1.0):
    """u (N, ...) of points at this longitude and height, and how wide one sees what lies there, for pose (N, 1...)."""
    angle = longitude + TURN * pose
    return reach * HEAD[0] * np.sqrt(1 - (height / HEAD[1]) ** 2) * np.sin(angle), np.cos(angle)


@entry(smile=in_minus_one_to_one, pose=beside_smile, size=lambda name, value: integer(name, value, low=8, high=512))
def draw_faces(smile, pose, size=24, *, shift=(0.0, 0.0)):
    """A face for each smile and pose, both (N,) in [-1, 1] : (N, size * size), 0 for paper to 1 for ink."""
