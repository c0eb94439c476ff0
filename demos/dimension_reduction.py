"""How few numbers can hold a picture? PCA, kernel PCA and the autoencoder, on a curve and on real digits.

First where the truth is in plain sight: 300 noisy points of three quarters of a circle, one number each. PCA must
answer with a straight line; kernel PCA and an autoencoder can follow the curve, which a full circle shows the limits
of. Then the squared error per test digit with k = 1, 2, 4, 8, 16, 32 numbers, several seeds of the autoencoder with
error bars. What there is to choose (kernel width, ridge, layers, epochs) was chosen on the validation digits, never on
the test digits.

Takes about 30 s. Writes dimension_reduction_curve, dimension_reduction_error, dimension_reduction_images (.png).
"""
import numpy as np

import scratchvae as sv
from demos.lesson import Mean
from scratchvae import plotting

SIZES = (1, 2, 4, 8, 16, 32)
# Kernel width and ridge by k, the best of 36 pairs on the validation digits.
KERNEL = {1: (0.1, 1e-6), 2: (0.2, 1e-6), 4: (0.1, 1e-6), 8: (0.05, 1e-6), 16: (0.05, 1e-6), 32: (0.02, 1e-5)}
NOISE = 0.05


def run(lesson):
    """Fit, measure, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    curve = on_curves(lesson)
    return {"curve": curve, "digits": on_digits(lesson)}


# ---- a curve --------------------------------------------------------------------------------------------------------

def on_curves(lesson):
    """Squared error per point on arc and circle, each method with one number."""
    n_seeds, epochs = lesson.pick(3, 2), lesson.pick(600, 3)
    errors, panels = {}, {}
    for shape, make in (("three quarters of a circle", sv.arc), ("whole circle", sv.circle)):
        for seed in range(n_seeds):
            rng = lesson.rng(seed)
            (X, _), (X_test, _) = make(300, NOISE, rng=rng), make(1000, NOISE, rng=rng)
            ae = sv.Autoencoder(2, (16, 16), 1, activation="tanh", observation=sv.Gaussian(1.0), rng=rng,
                                dtype=np.float64)
            sv.fit(ae, X, epochs=epochs, batch_size=50, optimizer=sv.Adam(1e-2), rng=rng,
                   callbacks=[sv.LearningRateDecay(), lesson.progress(f"AE, {shape}, seed {seed}")])
            pca, kernel = sv.PCA(1).fit(X), sv.KernelPCA(1, kernel="rbf", gamma=1.0, alpha=1e-4).fit(X)
            restored = {"PCA": pca.inverse_transform(pca.transform(X_test)),
                        "kernel PCA": kernel.inverse_transform(kernel.transform(X_test)), "AE": ae.reconstruct(X_test)}
            for name, X_mean in restored.items():
                errors.setdefault((shape, name), []).append(squared_errors(X_test, X_mean).mean())
            panels.setdefault(shape, (X_test, restored))
    errors = {key: Mean.of(values) for key, values in errors.items()}
    floor = NOISE ** 2  # only the noise across the curve is lost: one of its two coordinates
    lesson.table(f"Squared error per new point, one number each (+- is the standard error over {n_seeds} seeds; noise "
                 f"across the curve alone: {floor:g})", ["points", "PCA", "kernel PCA", "AE"],
                 [(shape, *(errors[shape, name] for name in ("PCA", "kernel PCA", "AE"))) for shape in panels])
    lesson.say("On the arc PCA's straight line loses the bend, and the autoencoder comes close to the noise. The full "
               "circle no\ncontinuous one-number code can close: the autoencoder has to cut it somewhere, and pays at "
               "the cut.\nThe figure shows the first seed, with its own errors.\n")

    figure, axes = plotting.panels(6, "PCA must draw a straight line; the autoencoder follows the curve, but cannot "
                                      "close a circle",
                                   n_columns=3, size=(3.0, 3.0))
    for i, (shape, (X, restored)) in enumerate(panels.items()):
        for j, (name, X_mean) in enumerate(restored.items()):
            ax = axes[3 * i + j]
            ax.scatter(*X.T, s=3, color=plotting.GREY, alpha=0.35, linewidths=0)
            ax.scatter(*X_mean.T, s=6, color=plotting.COLOURS[name], linewidths=0)
            with plotting.house_style():
                ax.set_title(f"{name}: error {squared_errors(X, X_mean).mean():.2g}", parse_math=False)  # this seed's
            ax.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1], xlabel="x1", ylabel="x2")
            ax.set_aspect("equal")
    lesson.save(figure, "dimension_reduction_curve")
    return errors


# ---- digits ---------------------------------------------------------------------------------------------------------

def on_digits(lesson):
    """Squared error per test image against k."""
    images, n_seeds = lesson.images(), lesson.pick(3, 2)
    train, test = images.train, images.test
    sample = train[:lesson.pick(2000, 200)]  # kernel PCA holds N x N numbers
    errors, restored = {}, {}
    shown = np.array([np.flatnonzero(images.test_labels == c)[0] for c in np.unique(images.test_labels)])
    for k in SIZES:
        pca = sv.PCA(k).fit(train)
        gamma, alpha = KERNEL[k]
        kernel = sv.KernelPCA(k, kernel="rbf", gamma=gamma * 64 / train.shape[1], alpha=alpha).fit(sample)
        models = [trained(lesson, train, k, seed) for seed in range(n_seeds)]
        restored[k] = [*(m.inverse_transform(m.transform(test[shown])) for m in (pca, kernel)),
                       models[0].reconstruct(test[shown])]
        for name, model in (("PCA", pca), ("kernel PCA", kernel)):
            errors[name, k] = squared_errors(test, model.inverse_transform(model.transform(test))).mean()
        errors["AE", k] = Mean.of([squared_errors(test, m.reconstruct(test)).mean() for m in models])
    lesson.table(f"Squared error per test image of {train.shape[1]} pixels in [0, 1] (+- is the standard error over "
                 f"{n_seeds} seeds)",
                 ["k", "PCA", "kernel PCA", "AE", "PCA - AE"],
                 [(k, float(errors["PCA", k]), float(errors["kernel PCA", k]), errors["AE", k],
                   float(errors["PCA", k] - errors["AE", k].value)) for k in SIZES])

    def where(better, worse):
        values = {k: (errors[better, k], errors[worse, k]) for k in SIZES}
        number = {k: [getattr(e, "value", e) for e in pair] for k, pair in values.items()}
        return ", ".join(str(k) for k, (a, b) in number.items() if a < b) or "none"

    lesson.say(f"The autoencoder loses less than PCA at k = {where('AE', 'PCA')}, less than kernel PCA at k = "
               f"{where('AE', 'kernel PCA')}; kernel PCA less than PCA at k =\n"
               f"{where('kernel PCA', 'PCA')}. Kernel PCA has no training that can fail, and the autoencoder is not "
               "bound to one kernel's\nidea of likeness; which is better depends on k.\n")

    lesson.save(plotting.lines(
        np.array(SIZES), {"PCA": np.array([errors["PCA", k] for k in SIZES]),
                          "kernel PCA": np.array([errors["kernel PCA", k] for k in SIZES]),
                          "AE": tuple(np.array([errors["AE", k] for k in SIZES]).T)},
        "A bent code holds more than a flat one of the same size", "code size k (numbers per image)",
        "squared error per test image", logx=True, logy=True), "dimension_reduction_error")
    chosen = lesson.pick((1, 2, 4, 8, 16), (2, 8))
    stack = [test[shown]] + [restored[k][i] for k in chosen for i in range(3)]
    lesson.save(plotting.image_grid(
        np.concatenate(stack), "With two to eight numbers the autoencoder's digits can be read where PCA's blur",
        n_columns=len(shown),
        row_labels=["original", *(f"k = {k}, {name}" for k in chosen for name in ("PCA", "kernel PCA", "AE"))]),
        "dimension_reduction_images")
    return errors


def trained(lesson, train, k, seed):
    """An autoencoder 64-128-64-k; where k is small with weight decay, else with more steps."""
    rng = lesson.rng(100 * k + seed)
    model = sv.Autoencoder(train.shape[1], (128, 64) if k <= 16 else (128,), k, activation="tanh",
                           observation=sv.Gaussian(1.0), rng=rng)
    epochs = lesson.pick(max(2, (150 if k in (1, 32) else 100) * 1000 // len(train)), 1)
    sv.fit(model, train, epochs=epochs, batch_size=50, optimizer=sv.Adam(5e-3, weight_decay=0.1 if k <= 4 else 0.0),
           rng=rng,
           callbacks=[sv.LearningRateDecay(), lesson.progress(f"AE, k = {k}, seed {seed}")])
    return model


def squared_errors(X, X_mean):
    """|x - x_mean|^2 of each example : (N,)."""
    return ((X - X_mean) ** 2).sum(axis=1)
