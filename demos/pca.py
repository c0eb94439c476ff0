"""Which flat picture of the data loses least? Principal components of real images, and what they keep.

For k = 1, 2, 4, ..., 32 components fitted on the training images: the squared error per image on training and test
images, beside random orthonormal bases of the same size; the training error is held against the discarded singular
values, which must give the same number. Draws the axes of a cloud in the plane (the ink of each image's two halves),
the components and what they add to the mean image, reconstructions, the plane of the first two, and how much of the
variance each number of components keeps.

Then pixels are hidden at random in training and test images, and probabilistic PCA fills them in.

The images are the 8 x 8 digits, whose whole spectrum fits on a page.
With --data DIR it does the same on MNIST-format files.
Takes about 5 s, on 60,000 images about 70 s. Writes pca_axes, pca_error, pca_kept, pca_mean, pca_components,
pca_reconstructions, pca_plane, pca_missing (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding, neighbours_agree
from demos.lesson import Mean
from demos.pca_picture import axes_figure, halves, mean_figure
from scratchvae import plotting

SIZES = (1, 2, 4, 8, 16, 32)
N_BASES = 5
SHARES = (0.5, 0.8, 0.9, 0.95, 0.99)  # of the variance
MISSING = 0.5                         # of the pixels
FEW, N_LATENT = 1000, 8               # training images with gaps


def run(lesson):
    """Fit, measure, draw; returns the table's numbers."""
    lesson.say(__doc__.splitlines()[0])
    images, rng = lesson.images(), lesson.rng()
    train, test = images.train.astype(np.float64), images.test.astype(np.float64)
    N, D = train.shape
    lesson.save(axes_figure(halves(train[:1000], images.shape)), "pca_axes")
    everything = sv.PCA().fit(train)
    numbers, rows, by_pca, by_chance = {}, [], {}, {}
    fitted = {k: sv.PCA(k).fit(train) for k in SIZES}
    for k, pca in fitted.items():
        by_pca[k] = squared_errors(test, pca.inverse_transform(pca.transform(test)))
        train_error = squared_errors(train, pca.inverse_transform(pca.transform(train))).mean()
        predicted = (everything.singular_values_[k:] ** 2).sum() / N
        bases = [np.linalg.qr(rng.standard_normal((D, k)))[0] for _ in range(N_BASES)]
        centred = test - pca.mean_
        by_chance[k] = np.stack([squared_errors(centred, centred @ basis @ basis.T) for basis in bases])
        numbers[k] = {"test": Mean.of(by_pca[k]), "train": train_error, "predicted": predicted,
                      "random basis": Finding.of(by_chance[k]), "kept": pca.explained_variance_ratio_.sum()}
        rows.append((k, f"{numbers[k]['kept']:.1%}", f"{train_error:.6f}", f"{predicted:.6f}", numbers[k]["test"],
                     numbers[k]["random basis"]))
    lesson.table(f"Squared error per image of {D} pixels in [0, 1] (+- is the standard error over test images, and "
                 f"over {N_BASES} random bases)",
                 ["k", "variance kept", "train", "sum S^2 / N over j > k", "test", "test, random basis"], rows)
    gap = max(abs(n["train"] - n["predicted"]) / n["train"] for n in numbers.values())
    most = SIZES[-1]
    lesson.say(
        f"What PCA loses on its training data is the discarded singular values' share, to a relative {gap:.0e}.\n"
        f"A random basis of {most} directions loses {numbers[most]['random basis'].value:.2f} on the test images; "
        + enough({k: Finding.of(by_chance[most] - by_pca[k]) for k in SIZES}) + "\n")

    lesson.save(plotting.lines(
        np.array(SIZES), {"PCA": tuple(np.array([numbers[k]["test"] for k in SIZES]).T),
                          "random basis": tuple(np.array([numbers[k]["random basis"] for k in SIZES]).T)},
        kept_by({k: numbers[k]["kept"] for k in SIZES}, D),
        "number of components k", "squared error per test image", logx=True), "pca_error")
    numbers["to keep"] = {share: sv.PCA(share).fit(train).n_components_ for share in SHARES}
    lesson.say("More than " + ", ".join(f"{share:.0%}" for share in SHARES) + " of the variance is kept by "
               + ", ".join(f"{k}" for k in numbers["to keep"].values()) + " components.\n")
    kept = np.cumsum(everything.explained_variance_ratio_)
    lesson.save(plotting.lines(
        np.arange(1, len(kept) + 1), {"PCA": kept, "95%": np.full(len(kept), 0.95)},
        f"{numbers['to keep'][0.95]} of {D} components keep 95% of the variance",
        "number of components k", "share of the training images' variance kept", logx=True), "pca_kept")
    lesson.save(mean_figure(sv.PCA(4).fit(train), images.shape), "pca_mean")
    # Components have both signs: zero is shown as middle grey.
    patterns = everything.components_[:20] / (2 * np.abs(everything.components_[:20]).max(axis=1, keepdims=True))
    rough = roughness(everything.components_[:20], images.shape)
    lesson.save(plotting.image_grid(
        patterns + 0.5, f"The first {len(rough)} components (middle grey is 0): neighbouring pixels differ "
        f"{rough[-5:].mean() / rough[:5].mean():.1f} times as much in the last five as in the first",
        shape=images.shape),
        "pca_components")
    shown = images.one_of_each()
    stack = [test[shown], *(pca.inverse_transform(pca.transform(test[shown])) for pca in fitted.values())]
    lesson.save(plotting.image_grid(
        np.concatenate(stack), "The more components, the more of the image comes back", n_columns=len(shown),
        row_labels=["original", *(f"k = {k}" for k in SIZES)], shape=images.shape), "pca_reconstructions")
    z, labels = fitted[2].transform(test[:5000]), images.test_labels[:5000]
    numbers["neighbours agree"] = Mean.of(neighbours_agree(z, labels))
    lesson.save(plotting.latent_scatter(
        z, labels, f"The best plane through the images: {numbers['neighbours agree'].value:.0%} of the nearest "
        f"neighbours have the same label, by chance {same_label(labels):.0%}", names=images.names), "pca_plane")
    return {**numbers, "missing": fill_in(lesson, images, train, test)}


def fill_in(lesson, images, train, test):
    """Hide pixels and have them filled in; returns the squared errors per hidden pixel of a test image."""
    rng, few = lesson.rng(1), train[:FEW]
    hidden = rng.random(few.shape) < MISSING
    hidden[0] = False                                                # no pixel is hidden in every image
    hidden_test = rng.random(test.shape) < MISSING
    gaps, test_gaps = np.where(hidden, np.nan, few), np.where(hidden_test, np.nan, test)
    whole, partial = (sv.ProbabilisticPCA(N_LATENT).fit(X) for X in (few, gaps))
    filled = {"the pixel's mean": np.where(hidden_test, np.nanmean(gaps, axis=0), test),
              f"PPCA, learned from images with {MISSING:.0%} missing": partial.impute(test_gaps),
              "PPCA, learned from whole images": whole.impute(test_gaps)}
    errors = {name: squared_errors(test, X) / hidden_test.sum(axis=1).clip(1) for name, X in filled.items()}
    means, learned, best = errors.values()
    lesson.table(f"{MISSING:.0%} of the pixels of each test image hidden: squared error per hidden pixel, {N_LATENT} "
                 f"latents, {len(few)} training images", ["filled in by", "squared error", "of the mean's"],
                 [(name, Mean.of(e), f"{e.mean() / means.mean():.0%}") for name, e in errors.items()])
    lesson.say(f"EM took {len(partial.log_likelihood_)} turns. "
               + worth(Finding.of(means - learned), Finding.of(learned - best)) + "\n")
    shown = images.one_of_each()
    stack = [test[shown], np.where(hidden_test, 0.5, test)[shown], *(X[shown] for X in list(filled.values())[:2])]
    lesson.save(plotting.image_grid(
        np.concatenate(stack), f"Half of the pixels filled in from the others: {learned.mean() / means.mean():.0%} of "
        "the squared error of their means", n_columns=len(shown),
        row_labels=["original", "seen (grey: hidden)", "their means", "PPCA"], shape=images.shape), "pca_missing")
    return {name: Mean.of(e) for name, e in errors.items()}


def worth(gain, loss):
    """What PPCA gains over the mean, and what it loses by having learned from images with gaps, each a Finding."""
    return ("Filled in from what is seen of the image, hidden pixels are "
            + gain.words("clearly nearer to", "clearly farther from", "not clearly nearer to")
            + " the truth than their means; a model that learned from whole images is "
            + loss.words("clearly better", "clearly worse", "not clearly better") + " than one that learned from gaps.")


def enough(gains):
    """How many components lose less: k -> Finding of what the random basis loses more than k components."""
    fewer = [k for k, gain in gains.items() if gain.sign() > 0]
    return (f"{min(fewer)} principal component{'s lose' if min(fewer) > 1 else ' loses'} clearly less." if fewer else
            "so many principal components lose "
            f"{gains[max(gains)].words('', 'clearly more', 'no clearly different amount')}.")


def kept_by(kept, D):
    """The title: from how many components on half of the variance is kept. kept : k -> share of the variance."""
    half = [k for k, share in kept.items() if share >= 0.5]
    return " and ".join(f"{k} of {D} components keep {kept[k]:.0%}" for k in dict.fromkeys([*half[:1], max(kept)])) + (
        " of the training images' variance")


def roughness(patterns, shape):
    """Mean square difference of neighbouring pixels of patterns (n, D) of this shape, over their mean square : (n,)."""
    p = patterns.reshape(-1, *shape)
    squares = (np.diff(p, axis=1) ** 2).mean(axis=(1, 2)) + (np.diff(p, axis=2) ** 2).mean(axis=(1, 2))
    return squares / (2 * (p**2).mean(axis=(1, 2)))


def same_label(labels):
    """How often two images drawn from these have the same label."""
    return float(np.sum((np.unique(labels, return_counts=True)[1] / len(labels)) ** 2))


def squared_errors(X, X_mean):
    """|x - x_mean|^2 of each example : (N,)."""
    return ((X - X_mean) ** 2).sum(axis=1)


if __name__ == "__main__":
    run_as_command(__spec__)
