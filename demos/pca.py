"""Which flat picture of the data loses least? Principal components of real digits, and what they keep.

For k = 1, 2, 4, ..., 32 components fitted on the training digits: the squared error per image on training and test
digits, beside a random orthonormal basis of the same size; the training error is held against the discarded singular
values, which must give the same number. Draws the components, reconstructions, and the plane of the first two.

Takes about 2 s. Writes pca_error, pca_components, pca_reconstructions, pca_plane (.png).
"""
import numpy as np

import scratchvae as sv
from demos.lesson import Mean
from scratchvae import plotting

SIZES = (1, 2, 4, 8, 16, 32)


def run(lesson):
    """Fit, measure, draw; returns the table's numbers."""
    lesson.say(__doc__.splitlines()[0])
    images, rng = lesson.images(), lesson.rng()
    train, test = images.train.astype(np.float64), images.test.astype(np.float64)
    N, D = train.shape
    everything = sv.PCA().fit(train)
    numbers, rows = {}, []
    for k in SIZES:
        pca = sv.PCA(k).fit(train)
        test_error = Mean.of(squared_errors(test, pca.inverse_transform(pca.transform(test))))
        train_error = squared_errors(train, pca.inverse_transform(pca.transform(train))).mean()
        predicted = (everything.singular_values_[k:] ** 2).sum() / N
        basis = np.linalg.qr(rng.standard_normal((D, k)))[0]
        random_error = Mean.of(squared_errors(test - pca.mean_, (test - pca.mean_) @ basis @ basis.T))
        kept = pca.explained_variance_ratio_.sum()
        numbers[k] = {"test": test_error, "train": train_error, "predicted": predicted, "random basis": random_error,
                      "kept": kept}
        rows.append((k, f"{kept:.1%}", f"{train_error:.6f}", f"{predicted:.6f}", test_error, random_error))
    lesson.table(f"Squared error per image of {D} pixels in [0, 1] (+- is the standard error over test images)",
                 ["k", "variance kept", "train", "sum S^2 / N over j > k", "test", "test, random basis"], rows)
    enough = min(k for k in SIZES if numbers[k]["test"].value < numbers[32]["random basis"].value)
    gap = max(abs(n["train"] - n["predicted"]) / n["train"] for n in numbers.values())
    lesson.say(
        f"What PCA loses on its training data is the discarded singular values' share, to a relative {gap:.0e}.\n"
        f"A random basis of 32 directions loses {numbers[32]['random basis'].value:.2f} on the test images; {enough} "
        "principal components lose less.\n")

    lesson.save(plotting.lines(
        np.array(SIZES), {"PCA": tuple(np.array([numbers[k]["test"] for k in SIZES]).T),
                          "random basis": tuple(np.array([numbers[k]["random basis"] for k in SIZES]).T)},
        "The first components take most of what there is to lose",
        "number of components k", "squared error per test image", logx=True), "pca_error")
    # Components have both signs: zero is shown as middle grey.
    patterns = everything.components_[:20] / (2 * np.abs(everything.components_[:20]).max(axis=1, keepdims=True))
    lesson.save(plotting.image_grid(
        patterns + 0.5, "The first 20 components: from coarse patterns to fine ones (middle grey is 0)"),
        "pca_components")
    shown = np.array([np.flatnonzero(images.test_labels == label)[0] for label in np.unique(images.test_labels)])
    stack = [test[shown]]
    for k in SIZES:
        pca = sv.PCA(k).fit(train)
        stack.append(pca.inverse_transform(pca.transform(test[shown])))
    lesson.save(plotting.image_grid(
        np.concatenate(stack), "The more components, the more of the image comes back", n_columns=len(shown),
        row_labels=["original", *(f"k = {k}" for k in SIZES)]), "pca_reconstructions")
    lesson.save(plotting.latent_scatter(
        sv.PCA(2).fit(train).transform(test[:5000]), images.test_labels[:5000],
        "The best plane through the digits separates a few of them"), "pca_plane")
    return numbers


def squared_errors(X, X_mean):
    """|x - x_mean|^2 of each example : (N,)."""
    return ((X - X_mean) ** 2).sum(axis=1)
