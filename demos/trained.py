"""How do the lessons on what a VAE is worth come to one, and to its posterior? All in one way, from their own seed.

A posterior may be narrow, or bent, and where it lies is another place for each image. So each image has a grid of its
own: a coarse one over the whole prior finds where log p(x, z) comes near its largest value, and finer ones look there.
"""
import numpy as np

import scratchvae as sv
from scratchvae.analysis import elbo, posterior
from scratchvae.probability import gaussian
from scratchvae.probability.log_space import log_mean_exp

SIDES = 141, 281   # points along each dimension of a grid; the second where the first is too coarse
NEAR = 30.0        # nats below the largest log p(x, z) that may matter, seen on a grid that may miss the peak
SIGMAS = 8         # of a q that must lie within the grid


def digit_vae(lesson, images, label, n_latent, stream, kind=sv.VAE, epochs=None, **how):
    """A VAE of binary images, one hidden layer, stopped early on the validation images.

    label : before its progress line      stream : of the lesson's random numbers      epochs : so many and no stop
    kind, how : another model, `sv.IWAE` or `sv.Autoencoder`, and what else it takes
    """
    hidden, batch_size, lr = ((400,), 128, 1e-3) if images.large else ((128,), 100, 3e-3)
    rng = lesson.rng(stream)
    model = kind(images.train.shape[1], hidden=hidden, n_latent=n_latent, rng=rng, **how)
    most = lesson.epochs(200 if images.large else 300, 8, images.train)
    sv.fit(model, images.train, epochs=epochs or most, batch_size=batch_size, optimizer=sv.Adam(lr), rng=rng,
           valid=images.valid,
           callbacks=[*([] if epochs else [sv.EarlyStopping(patience=20)]), lesson.progress(label)])
    return model


def on_own_grids(lesson, vae, X, n, sides=None):
    """The first n images that can be resolved, each on a grid of its own; says what was left out.

    returns : rows (n,) of X, boxes (n, 2, 2) around them, `elbo.Pieces` of each
    """
    sides, first = sides or sides_for(X), sides_for(X)[0]
    width = max(7.0, float(np.abs(reach(*vae.encode(X))).max()))
    prior = grid_over(np.array([[-width] * 2, [width] * 2]), first)
    rows, boxes, pieces, limit = [], [], [], min(len(X), max(4 * n, 100))
    for start in range(0, limit, 20):             # the decoder runs once on the prior's grid for so many
        for row, log_px in enumerate(posterior.grid_log_likelihood(vae, X[start:start + 20], prior), start):
            box = box_of(prior, log_px)
            finer = grid_over(box, first // 2)
            box = box_of(finer, posterior.grid_log_likelihood(vae, X[[row]], finer)[0])
            found = look(vae, X[[row]], box, vae.encode(X[[row]]), elbo.on_grid, sides)
            if found is not None:
                rows, boxes, pieces = [*rows, row], [*boxes, box], [*pieces, found]
            if len(rows) == n or row + 1 == limit:
                if len(rows) < row + 1:
                    lesson.say(f"Left out of the first {row + 1} test images, for a posterior too narrow or too long for "
                               f"{sides[-1]} x {sides[-1]} points: {row + 1 - len(rows)}.")
                if len(rows) < 2:
                    raise ValueError("no posterior is wide enough for a grid: nothing can be compared with the truth")
                return np.array(rows), np.array(boxes), pieces


def sides_for(X):
    """SIDES; for images larger than MNIST's a smaller one before them, by which half as many pixels are decoded."""
    return SIDES if X.shape[1] <= 784 else (2 * int(SIDES[0] / 2 * np.sqrt(784 / 2 / X.shape[1])) + 1, *SIDES)


def look(vae, x, box, q, measure, sides=None):
    """measure(vae, x (1, D), q, grid) on the first grid over the box and q that resolves both; None if none does."""
    ends = reach(*q)
    box = np.stack([np.minimum(box[0], ends[0]), np.maximum(box[1], ends[1])])
    for side in sides or sides_for(x):
        try:
            return measure(vae, x, q, grid_over(box, side))
        except ValueError:   # the library's word for a grid that is too coarse
            continue


def reach(mu, log_var):
    """The corners (2, K) of a box that holds all of these q."""
    sigma = np.exp(0.5 * log_var)
    return np.stack([(mu - SIGMAS * sigma).min(axis=0), (mu + SIGMAS * sigma).max(axis=0)])


def box_of(grid, log_px):
    """The corners (2, 2) of the points, and two more, where log p(x, z) is at most NEAR below its largest value."""
    log_joint = log_px + gaussian.log_prob(grid.z, 0.0, np.zeros(2))
    z = grid.z[log_joint > log_joint.max() - NEAR]
    step = np.exp(0.5 * grid.log_cell)
    return np.stack([z.min(axis=0) - 2 * step, z.max(axis=0) + 2 * step])


def grid_over(box, side):
    """A grid of side * side points, side odd, over the square around a box with these corners (2, 2)."""
    half = np.ptp(box, axis=0).max() / 2
    grid = sv.latent_grid(2, half_width=0.999 * half, step=half / (side // 2))   # 0.999: rounding must add no point
    return grid._replace(z=grid.z + box.mean(axis=0))


def on_a_finer_grid(vae, x, q, grid):
    """log p(x) of x (1, D) with half the step: the mean over the grid and its three copies half a step aside."""
    half = 0.5 * np.exp(0.5 * grid.log_cell)
    shifted = [grid._replace(z=grid.z + half * np.array(shift)) for shift in ((0, 0), (0, 1), (1, 0), (1, 1))]
    return float(log_mean_exp(np.array([sv.grid_log_evidence(vae, x, each)[0] for each in shifted])))


def joined(pieces):
    """`Pieces` of several images, each on its own grid of as many points, as one."""
    def expect(f):
        rows = np.broadcast_to(f, np.shape(logs[1]))
        return np.concatenate([p.expect(row[None]) for p, row in zip(pieces, rows)])

    logs = [np.concatenate([np.atleast_2d(p[k]) for p in pieces]) for k in range(1, 6)]
    return elbo.Pieces(expect, *logs, *(np.concatenate([p[k] for p in pieces]) for k in range(6, 9)))
