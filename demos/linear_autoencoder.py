"""What does an autoencoder learn if nothing in it bends? A linear one beside PCA: its loss, and its subspace.

Trains linear autoencoders of k = 2 and 8 codes on the bundled digits, under a learning rate that decays to 0 and under
a constant one, several seeds each, and follows over the epochs how much they lose in excess of PCA of the same size
and the largest principal angle between their subspace and PCA's.

On the 8 x 8 digits training comes so close to the closed form that the rest can be measured. With --data DIR it does
the same on 1,000 images of MNIST-format files.
Takes about 18 s, on 60,000 images about 40 s. Writes linear_autoencoder_machine, linear_autoencoder_training,
linear_autoencoder_angle, linear_autoencoder_components (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding
from scratchvae import plotting

SIZES = (2, 8)
DECAYING, CONSTANT = "decaying rate", "constant rate"
COLOURS = dict(zip([(k, schedule) for k in SIZES for schedule in (DECAYING, CONSTANT)], plotting.OTHER_COLOURS))


def run(lesson):
    """Train, follow loss and angle, draw; returns the table's numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(most=1000)
    train = images.train.astype(np.float64)
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
            excess, angle = (Finding.of([getattr(path, kind)[-1] for path in paths]) for kind in ("excess", "angles"))
            numbers[k, schedule] = {"excess": excess, "angle": angle, "pca": best}
            rows.append((k, schedule, best, f"{excess.value:.1e} +- {excess.error:.0e}",
                         f"{angle.value:.2g} +- {angle.error:.1g}",
                         variances[k - 1] - variances[k]))
    lesson.table("Training loss and subspace after the last epoch (+- is the standard error over seeds)",
                 ["k", "learning rate", "PCA's squared error", "relative excess", "largest angle, degrees",
                  "variance gap at k"], rows)

    powers = np.array([slope(path) for path in curves[SIZES[-1], DECAYING]])
    decay = {k: Finding.of([np.log10(still.excess[-1] / decaying.excess[-1]) for still, decaying in
                            zip(curves[k, CONSTANT], curves[k, DECAYING])]) for k in SIZES}
    lowest = min(0.0, *(min(path.excess) for paths in curves.values() for path in paths))
    lesson.say(
        "\n".join(what_decay_gains(k, decay[k], numbers[k, DECAYING]["excess"], numbers[k, CONSTANT]["excess"])
                  for k in SIZES)
        + f"\nNo linear autoencoder beats PCA: the excess is never below {lowest:.1g}.\n"
        "The axes are another matter. The loss knows only the subspace, so the code's axes are any basis of it, "
        "neither\northogonal nor in order.\n\nThe angle lags where the loss is flat at its minimum. Turn one axis "
        "by an angle from component i towards a\ndiscarded j, and the loss grows by sin(angle)^2 (variance_i - "
        "variance_j): quadratic, so an excess of 1e-6 still\nallows an angle near 1e-3 radians, and more where the "
        f"variances at i and j are close. Measured for k = {SIZES[-1]} under the\ndecaying rate, over the second half "
        f"of training: the angle goes as the excess to the power {Finding.of(powers)}\n(1/2 if the excess were that "
        "one angle's alone).\n")
    numbers["power"] = float(np.median(powers))

    figure, axes = plotting.panels(2, which_comes_last(SIZES[-1], curves[SIZES[-1], DECAYING][0]), size=(4.6, 3.6))
    x = np.array(curves[SIZES[0], DECAYING][0].epochs)
    for ax, kind, ylabel in zip(axes, ("excess", "angles"),
                                ("loss in excess of PCA, relative", "largest principal angle, degrees")):
        plotting.lines(x, {f"k = {k}, {schedule}": np.exp(np.mean([np.log(getattr(p, kind)) for p in paths], axis=0))
                           for (k, schedule), paths in curves.items()},
                       "", "epoch", ylabel, logy=True,
                       colours={f"k = {k}, {schedule}": colour for (k, schedule), colour in COLOURS.items()}, ax=ax)
    for ax in axes:
        ax.get_legend().remove()
    with plotting.house_style():
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    lesson.save(figure, "linear_autoencoder_training")

    figure, axes = plotting.panels(1, "Angle and loss, late in training: while the excess falls to a hundredth, the "
                                      f"angle is multiplied by {100 ** -numbers['power']:.2g} (k = "
                                      f"{SIZES[-1]})", size=(6.6, 4.2))
    with plotting.house_style():
        for k in SIZES:
            colour, paths = COLOURS[k, DECAYING], curves[k, DECAYING]
            for path in paths:
                axes[0].loglog(path.angles, path.excess, "o", color=colour, markersize=3, alpha=0.25, markeredgewidth=0)
            middle = [np.median([getattr(path, what) for path in paths], axis=0) for what in ("angles", "excess")]
            axes[0].loglog(*middle, color=colour, linewidth=2.2,
                           label=f"k = {k}, {DECAYING}: median of the seeds (dots)")
        angles = np.array([0.01, 30.0])
        axes[0].loglog(angles, 0.3 * np.sin(np.radians(angles)) ** 2, "--", color=plotting.COLOURS["truth"],
                       label="slope 2: 0.3 sin(angle)^2")
        axes[0].set(xlabel="largest principal angle, degrees", ylabel="loss in excess of PCA, relative")
        axes[0].legend()
    lesson.save(figure, "linear_autoencoder_angle")

    k = SIZES[-1]
    pca, model = sv.PCA(k).fit(train), models[k, DECAYING]
    lesson.save(plotting.diagram(model), "linear_autoencoder_machine")
    axes_ae = model.decoder.layers[0].W
    projected = axes_ae @ pca.components_.T @ pca.components_
    outside = np.linalg.norm(axes_ae - projected) / np.linalg.norm(axes_ae)
    shown = np.concatenate([pca.components_, axes_ae, projected])
    shown = 0.5 + shown / (2 * np.abs(shown).max(axis=1, keepdims=True))
    lesson.save(plotting.image_grid(
        shown, f"Projected on PCA's subspace the autoencoder's axes change by {outside:.1%} of their length (middle "
               "grey is 0)",
        n_columns=k, row_labels=["PCA's axes", "autoencoder's", "projected"], shape=images.shape),
        "linear_autoencoder_components")
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


def slope(path):
    """d log angle / d log excess, from a fit over the second half of training."""
    half = len(path.epochs) // 2
    return np.polyfit(np.log(path.excess[half:]), np.log(path.angles[half:]), 1)[0]


def what_decay_gains(k, decay, decaying, constant):
    """Whether the decaying rate ends nearer to PCA. decay : Finding of log10(constant / decaying) of the excesses."""
    ends = f"{decaying.value:.0e} of PCA's loss with a rate that decays, {constant.value:.0e} at a constant one"
    return f"k = {k}: the excess ends at {ends}; " + decay.words(
        "there minibatch noise keeps it.", "the decaying one is still under "
                                           "way.", "no clear difference over the seeds.")


def which_comes_last(k, path, near=0.01, degree=1.0):
    """The title: when, in one run, the loss comes within 1 % of PCA's and the subspace within 1 degree."""
    def first(values, limit):
        epochs = [epoch for epoch, value in zip(path.epochs, values) if value < limit]
        return f"after {epochs[0]} epochs" if epochs else f"not in {path.epochs[-1]} epochs"

    return (f"k = {k}, decaying rate, first seed: the loss comes within {near:.0%} of PCA's "
            f"{first(path.excess, near)}, the "
            f"subspace within {degree:g} degree {first(path.angles, degree)}")


if __name__ == "__main__":
    run_as_command(__spec__)
