"""Where is the truth in plain sight? Points near a curve: two coordinates, but one number tells almost all.

Each function draws n points and gives them with that number:

    n points, noise = standard deviation in both coordinates, rng = numpy.random.Generator
    returns : X (n, 2) float64, the noisy points; t (n,), the position along the curve of the point before noise
"""
import numpy as np

from scratchvae.checking import entry, generator, integer, number

SPIRAL_ANGLE = 4 * np.pi  # two turns

drawn = entry(n=lambda name, value: integer(name, value, each=2), noise=number, rng=generator)


@drawn
@entry(angle=lambda name, value: number(name, value, high=2 * np.pi, open_low=True))
def arc(n, noise=0.05, *, rng, angle=1.5 * np.pi):
    """An arc of the unit circle, counter-clockwise from (1, 0): (cos t, sin t).

    t, in radians, is uniform on [0, angle), which is uniform in arc length; 0 < angle <= 2 pi
    """
    t = angle * rng.random(n)
    return scatter(np.cos(t), np.sin(t), noise, rng), t


def circle(n, noise=0.05, *, rng):
    """The whole unit circle, where the ends of t meet: no continuous code on a line covers it. See `arc`."""
    return arc(n, noise, rng=rng, angle=2 * np.pi)


@drawn
def spiral(n, noise=0.05, *, rng):
    """Two turns of Archimedes' spiral out to radius 1: (t / 4 pi) (cos t, sin t).

    t, in radians, is 4 pi sqrt(u) with u uniform on [0, 1). The density of t grows as t, that of arc length as
    sqrt(1 + t^2): uniform in arc length but for too few points in the first fraction of a turn.
    """
    t = SPIRAL_ANGLE * np.sqrt(rng.random(n))
    radius = t / SPIRAL_ANGLE
    return scatter(radius * np.cos(t), radius * np.sin(t), noise, rng), t


@drawn
def s_curve(n, noise=0.05, *, rng):
    """Two three-quarter unit circles joined at the origin: (sin t, sign(t) (cos t - 1)).

    t is uniform on [-3 pi / 2, 3 pi / 2) and is the signed arc length from the origin.
    """
    t = 3 * np.pi * (rng.random(n) - 0.5)
    return scatter(np.sin(t), np.sign(t) * (np.cos(t) - 1), noise, rng), t


def scatter(x, y, noise, rng):
    """The points (x, y) with Gaussian noise in both coordinates, (n, 2)."""
    points = np.stack([x, y], axis=1)
    return points + noise * rng.standard_normal(points.shape)
