"""How few numbers can hold a picture? PCA, kernel PCA and the autoencoder, on a curve and on real images.

First where the truth is in plain sight: 300 noisy points of three quarters of a circle, one number each. PCA must
answer with a straight line; kernel PCA and an autoencoder can follow the curve, which a full circle shows the limits
of. Then the squared error per test image with k = 1, 2, 4, 8, 16, 32 numbers, several seeds of the autoencoder with
error bars. What there is to choose (kernel width, ridge, layers, epochs) was chosen on the validation digits, never on
the test digits.

With --data digits it does the same on the 8 x 8 digits, with --data DIR on MNIST-format files.
Takes about 72 s, on 60,000 images about 2 min. Writes dimension_reduction_machine, dimension_reduction_curve,
dimension_reduction_error, dimension_reduction_images (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding, where
from demos.lesson import Mean
from scratchvae import plotting

SIZES = (1, 2, 4, 8, 16, 32)
# Kernel width, at 64 pixels, and ridge by k: the best of 36 pairs on the validation digits, of 12 to 16 on MNIST's.
KERNEL = {1: (0.1, 1e-6), 2: (0.2, 1e-6), 4: (0.1, 1e-6), 8: (0.05, 1e-6), 16: (0.05, 1e-6), 32: (0.02, 1e-5)}
KERNEL_LARGE = {1: (0.2, 1e-6), 2: (0.2, 1e-6), 4: (0.2, 1e-6), 8: (0.1, 1e-6), 16: (0.05, 1e-6), 32: (0.05, 1e-6)}
NOISE = 0.05


def run(lesson):
    """Fit, measure, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    lesson.images(default="mnist")  # what cannot be done is refused before anything is trained
    curve = on_curves(lesson)
    return {"curve": curve, "digits": on_digits(lesson)}


# ---- a curve --------------------------------------------------------------------------------------------------------

def on_curves(lesson):
    """Squared error per point on arc and circle, each method with one number."""
    n_seeds, epochs = lesson.pick(5, 2), lesson.pick(600, 3)
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
    values = {key: np.array(of_seeds) for key, of_seeds in errors.items()}
    errors = {key: Finding.of(of_seeds) for key, of_seeds in values.items()}
    floor = NOISE ** 2  # only the noise across the curve is lost: one of its two coordinates
    lesson.table(f"Squared error per new point, one number each (+- is the standard error over {n_seeds} seeds; noise "
                 f"across the curve alone: {floor:g})", ["points", "PCA", "kernel PCA", "AE"],
                 [(shape, *(errors[shape, name] for name in ("PCA", "kernel PCA", "AE"))) for shape in panels])
    arc, circle = panels
    gain = Finding.of(values[arc, "PCA"] - values[arc, "AE"])
    cut = Finding.of(values[circle, "AE"] - values[arc, "AE"])
    lesson.say(bends(gain, errors[arc, "AE"].value / floor, cut))

    figure, axes = plotting.panels(6, "PCA must draw a straight line; the autoencoder may bend, and has "
                                   + " and ".join(f"{errors[shape, 'AE'].value / errors[shape, 'PCA'].value:.2g} "
                                                  f"times its error on {name}" for shape, name in ((arc, "the arc"),
                                                                                         (circle, "the circle"))),
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
    lesson.save(plotting.diagram(ae), "dimension_reduction_machine")
    return errors


def bends(gain, over_noise, cut):
    """What the curve shows. gain : PCA's error minus the autoencoder's on the arc; cut : the autoencoder's on the
    circle minus on the arc, Findings over seeds; over_noise : the autoencoder's error on the arc over the noise's."""
    arc = gain.words(f"On the arc PCA's straight line loses the bend, {gain} more than the autoencoder",
                     "On the arc the autoencoder loses more than PCA's straight line, by "
                     f"{Mean(-gain.value, gain.error)}",
                     f"On the arc the autoencoder is not clearly better than PCA's straight line ({gain})")
    return (f"{arc};\nthe autoencoder's error there is {over_noise:.1f} times that of the noise. The full circle no "
            "continuous one-number code can close:\nthe autoencoder has to cut it somewhere. "
            + (cut.words(f"It pays for the cut: {cut} more than on the arc", "It loses less there all the same "
                                                                             f"({cut})",
                         "What it pays for the cut is not clear of its error over seeds "
                         f"({cut})") if gain.sign() > 0 else
               "What that costs can only be seen in one that follows the arc")
            + ".\nThe figure shows the first seed, with its own errors.\n")


# ---- images ---------------------------------------------------------------------------------------------------------

def on_digits(lesson):
    """Squared error per test image against k."""
    images = lesson.images(default="mnist")
    n_seeds, kernels = lesson.pick(3 if images.large else 5, 2), KERNEL_LARGE if images.large else KERNEL
    train, test = images.train, images.test
    sample = train[:lesson.pick(2000, 200)]  # kernel PCA holds N x N numbers
    errors, restored = {}, {}
    shown = images.one_of_each()
    for k in SIZES:
        pca = sv.PCA(k).fit(train)
        gamma, alpha = kernels[k]
        kernel = sv.KernelPCA(k, kernel="rbf", gamma=gamma * 64 / train.shape[1], alpha=alpha).fit(sample)
        models = [trained(lesson, train, k, seed) for seed in range(n_seeds)]
        restored[k] = [*(m.inverse_transform(m.transform(test[shown])) for m in (pca, kernel)),
                       models[0].reconstruct(test[shown])]
        for name, model in (("PCA", pca), ("kernel PCA", kernel)):
            errors[name, k] = squared_errors(test, model.inverse_transform(model.transform(test)))        # (N,)
        errors["AE", k] = np.stack([squared_errors(test, m.reconstruct(test)) for m in models])           # (seeds, N)
    findings = {key: Finding.of(of_images) for key, of_images in errors.items()}
    pairs = (("PCA", "AE"), ("kernel PCA", "AE"), ("PCA", "kernel PCA"))
    apart = {(a, b): {k: Finding.of(errors[a, k] - errors[b, k]) for k in SIZES} for a, b in pairs}
    names = ("PCA", "kernel PCA", "AE")
    lesson.table(f"Squared error per test image of {train.shape[1]} pixels in [0, 1] (+- is the standard error over "
                 f"images, of AE over images and {n_seeds} seeds)", ["k", *names],
                 [(k, *(findings[name, k] for name in names)) for k in SIZES])
    lesson.table("The same images' differences (* is beyond what chance gives once in 20 times)",
                 ["k", *(f"{a} - {b}" for a, b in pairs)],
                 [(k, *(f"{apart[pair][k]}{' *' if apart[pair][k].sign() else ''}" for pair in pairs)) for k in SIZES])
    lesson.say(who_loses_less(apart))

    lesson.save(plotting.lines(
        np.array(SIZES), {name: tuple(np.array([findings[name, k] for k in SIZES]).T) for name in names},
        bent_or_flat(apart["PCA", "AE"]), "code size k (numbers per image)",
        "squared error per test image", logx=True, logy=True), "dimension_reduction_error")
    chosen, looked_at = lesson.pick((1, 2, 4, 8, 16), (2, 8)), 8
    stack = [test[shown]] + [restored[k][i] for k in chosen for i in range(3)]
    lesson.save(plotting.image_grid(
        np.concatenate(stack), f"What comes back of an image: with {looked_at} numbers the squared error is "
        + ", ".join(f"{findings[name, looked_at].value:.3g} ({name})" for name in names),
        n_columns=len(shown),
        row_labels=["original", *(f"k = {k}, {name}" for k in chosen for name in ("PCA", "kernel PCA", "AE"))],
        shape=images.shape),
        "dimension_reduction_images")
    return {"errors": findings, "differences": apart}


def who_loses_less(apart):
    """The comparisons in words. apart : (method, other) -> k -> Finding of the method's error minus the other's."""
    bent, ours, kernel = apart.values()
    lines = [f"The autoencoder loses clearly less than PCA {where(bent, 1, 'at k = {}')}, clearly more "
             f"{where(bent, -1, 'at k = {}')};",
             f"clearly less than kernel PCA {where(ours, 1, 'at k = {}')}, clearly more "
             f"{where(ours, -1, 'at k = {}')};",
             f"kernel PCA clearly less than PCA {where(kernel, 1, 'at k = {}')}, clearly more "
             f"{where(kernel, -1, 'at k = {}')}."]
    signs = {finding.sign() for finding in ours.values()}
    return "\n".join(lines) + (
        "\nKernel PCA has no training that can fail, the autoencoder is not bound to one kernel's idea of likeness"
        + ("; which is better\ndepends on k." if {1, -1} <= signs else ".") + "\n")


def bent_or_flat(gains):
    """The title: where the bent code loses less than the flat one. gains : k -> Finding of PCA's error minus AE's."""
    parts = [f"{word} {where(gains, sign, 'at k = {}')}" for word, sign in (("less", 1), ("more", -1))
             if any(gain.sign() == sign for gain in gains.values())]
    return ("The bent code of the autoencoder loses clearly " + ", ".join(parts) + " than PCA's flat one" if parts else
            "The autoencoder's bent code and PCA's flat one: no clear difference at any size")


def trained(lesson, train, k, seed):
    """An autoencoder D-128-64-k; where k is small with weight decay, else with more steps, of many pixels smaller ones."""
    rng = lesson.rng(100 * k + seed)
    model = sv.Autoencoder(train.shape[1], (128, 64) if k <= 16 else (128,), k, activation="tanh",
                           observation=sv.Gaussian(1.0), rng=rng)
    epochs = lesson.epochs(150 if k in (1, 32) else 100, 1, train)
    lr = 2e-3 if k > 4 and train.shape[1] > 256 else 5e-3
    sv.fit(model, train, epochs=epochs, batch_size=50, optimizer=sv.Adam(lr, weight_decay=0.1 if k <= 4 else 0.0),
           rng=rng,
           callbacks=[sv.LearningRateDecay(), lesson.progress(f"AE, k = {k}, seed {seed}")])
    return model


def squared_errors(X, X_mean):
    """|x - x_mean|^2 of each example : (N,)."""
    return ((X - X_mean) ** 2).sum(axis=1)


if __name__ == "__main__":
    run_as_command(__spec__)
