"""What does an autoencoder learn if nothing in it bends? A linear one finds PCA's subspace, and its angle comes last.

Trains linear autoencoders of k = 2 and 8 codes on the bundled digits, under a learning rate that decays to 0 and under
a constant one, several seeds each, and follows over the epochs how much they lose in excess of PCA of the same size
and the largest principal angle between their subspace and PCA's. One falls below 1e-6, the other stalls between 1e-3
and 1e-2.

Takes about 18 s. Writes linear_autoencoder_training, linear_autoencoder_angle, linear_autoencoder_components (.png).
"""
import numpy as np

import scratchvae as sv
from demos.lesson import Mean
from scratchvae import plotting

SIZES = (2, 8)
DECAYING, CONSTANT = "decaying rate", "constant rate"
COLOURS = dict(zip([(k, schedule) for k in SIZES for schedule in (DECAYING, CONSTANT)], plotting.OTHER_COLOURS))


def run(lesson):
    """Train, follow loss and angle, draw; returns the table's numbers."""
    lesson.say(__doc__.splitlines()[0])
    train = lesson.images().train[:1000].astype(np.float64)
    epochs, n_seeds, every = lesson.pick(500, 6), lesson.pick(3, 2), lesson.pick(10, 2)
    lesson.say(f"{len(train)} training images of {train.shape[1]} pixels; {epochs} epochs of batches of 50, Adam, "
               f"{n_seeds} seeds.\n")

    numbers, rows, curves, models = {}, [], {}, {}
    for k in SIZES:
        pca = sv.PCA(k).fit(train)
        best = ((train - pca.inverse_transform(pca.transform(train))) ** 2).sum(axis=1).mean()
        variances = sv.PCA(k + 1).fit(train).explained_variance_
        for schedule in (DECAYING, CONSTANT):
            paths = []
            for seed in range(n_seeds):
                rng = lesson.rng(seed + 100 * k)
                model = sv.Autoencoder(train.shape[1], (), k, observation=sv.Gaussian(1.0), rng=rng, dtype=np.float64)
                path = Path(train, pca.components_, best, every)
                sv.fit(model, train, epochs=epochs, batch_size=50, optimizer=sv.Adam(1e-2), rng=rng, callbacks=[
                    path, *([sv.LearningRateDecay()] if schedule == DECAYING else []),
                    lesson.progress(f"k = {k}, {schedule}, seed {seed}")])
                paths.append(path)
            models[k, schedule], curves[k, schedule] = model, paths
            excess, angle = (Mean.of([getattr(path, kind)[-1] for path in paths]) for kind in ("excess", "angles"))
            numbers[k, schedule] = {"excess": excess, "angle": angle, "pca": best}
            rows.append((k, schedule, best, f"{excess.value:.1e} +- {excess.error:.0e}",
                         f"{angle.value:.2g} +- {angle.error:.1g}",
                         variances[k - 1] - variances[k]))
    lesson.table("Training loss and subspace after the last epoch (+- is the standard error over seeds)",
                 ["k", "learning rate", "PCA's squared error", "relative excess", "largest angle, degrees",
                  "variance gap at k"], rows)

    lag = np.concatenate([slopes(path) for path in curves[SIZES[-1], DECAYING]])
    worst = max(numbers[k, DECAYING]["excess"].value for k in SIZES)
    stall = " and ".join(f"at {numbers[k, CONSTANT]['excess'].value:.1e} for k = {k}" for k in SIZES)
    lesson.say(
        f"With a rate that decays the excess falls to {worst:.0e} of PCA's loss or less; at a constant rate minibatch "
        f"noise\nkeeps it {stall}. It is never below 0: no linear autoencoder beats PCA.\n"
        "The axes are another matter. The loss knows only the subspace, so the code's axes are any basis of it, "
        "neither\northogonal nor in order.\n\nThe angle lags because the loss is flat at its minimum. Turn one axis "
        "by an angle from component i towards a\ndiscarded j, and the loss grows by sin(angle)^2 (variance_i - "
        "variance_j): quadratic, so an excess of 1e-6 still\nallows an angle near 1e-3 radians, and more where the "
        f"variances at i and j are close. Measured for k = {SIZES[-1]}: while the\n"
        f"excess falls, the angle goes as its power {np.median(lag):.2f} (1/2 if the excess were that one angle's "
        "alone).\n")
    numbers["power"] = float(np.median(lag))

    figure, axes = plotting.panels(2, "The loss is PCA's long before the subspace is: the angle comes last",
                                   size=(4.6, 3.6))
    x = np.array(curves[SIZES[0], DECAYING][0].epochs)
    for ax, kind, ylabel in zip(axes, ("excess", "angles"),
                                ("loss in excess of PCA, relative", "largest principal angle, degrees")):
        plotting.lines(x, {f"k = {k}, {schedule}": np.exp(np.mean([np.log(getattr(p, kind)) for p in paths], axis=0))
                           for (k, schedule), paths in curves.items()},
                       "", "epoch", ylabel, logy=True,
                       colours={f"k = {k}, {schedule}": colour for (k, schedule), colour in COLOURS.items()}, ax=ax)
    axes[1].get_legend().remove()
    lesson.save(figure, "linear_autoencoder_training")

    figure, axes = plotting.panels(1, "The angle lags behind the loss: while the excess falls to a hundredth, the "
                                      f"angle falls to 1 / {100 ** numbers['power']:.0f} (k = {SIZES[-1]})", size=(6, 4))
    with plotting.house_style():
        for k in SIZES:
            for n, path in enumerate(curves[k, DECAYING]):
                axes[0].loglog(path.angles, path.excess, "o-", color=COLOURS[k, DECAYING], markersize=3, linewidth=0.8,
                               label=f"k = {k}, {DECAYING}, one line a seed" if n == 0 else None)
        angles = np.array([0.01, 30.0])
        axes[0].loglog(angles, 0.3 * np.sin(np.radians(angles)) ** 2, "--", color=plotting.COLOURS["truth"],
                       label="slope 2: 0.3 sin(angle)^2")
        axes[0].set(xlabel="largest principal angle, degrees", ylabel="loss in excess of PCA, relative")
        axes[0].legend()
    lesson.save(figure, "linear_autoencoder_angle")

    k = SIZES[-1]
    pca, model = sv.PCA(k).fit(train), models[k, DECAYING]
    axes_ae = model.decoder.layers[0].W
    shown = np.concatenate([pca.components_, axes_ae, axes_ae @ pca.components_.T @ pca.components_])
    shown = 0.5 + shown / (2 * np.abs(shown).max(axis=1, keepdims=True))
    lesson.save(plotting.image_grid(
        shown, "Same subspace, other axes: projected on PCA's subspace the autoencoder's do not change (middle grey "
               "is 0)",
        n_columns=k, row_labels=["PCA's axes", "autoencoder's", "projected"]), "linear_autoencoder_components")
    return numbers


class Path(sv.Callback):
    """Every few epochs, the loss in excess of PCA's, relative, and the subspaces' largest angle in degrees."""

    def __init__(self, train, components, best, every):
        self.train, self.components, self.best, self.every = train, components, best, every
        self.epochs, self.excess, self.angles = [], [], []

    def epoch_end(self, run):
        if run.epoch % self.every and run.epoch != run.epochs:
            return
        loss = ((self.train - run.model.reconstruct(self.train)) ** 2).sum(axis=1).mean()
        self.epochs.append(run.epoch)
        self.excess.append(loss / self.best - 1)
        self.angles.append(np.degrees(principal_angles(self.components, run.model.decoder.layers[0].W).max()))


def principal_angles(A, B):
    """Angles in radians between the row spaces of A and B, each (k, D): 0 where they share a direction.

    sin(angle_i) are the singular values of Q_B - Q_B Q_A^T Q_A, Q orthonormal rows; exact for small angles, where the
    cosine is 1 to all digits. Source: Bjorck & Golub 1973.
    """
    Q_A, Q_B = (np.linalg.qr(M.T)[0].T for M in (A, B))
    sines = np.linalg.svd(Q_B - Q_B @ Q_A.T @ Q_A, compute_uv=False)
    return np.arcsin(np.minimum(sines, 1))


def slopes(path):
    """d log angle / d log excess, from a fit over the second half of training, where the excess falls."""
    half = len(path.epochs) // 2
    return [np.polyfit(np.log(path.excess[half:]), np.log(path.angles[half:]), 1)[0]]
