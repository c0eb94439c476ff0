"""Does looking at unlabelled images help where labels are few? An encoder without labels, then a classifier with few.

All 8,000 training images are there, but only 10, 20, 50, 100 or 200 of their labels. Classifiers that start at random
are compared, on the same labels, with ones that start from the encoder of an autoencoder, of a denoising autoencoder
and of a VAE (fine-tuned, or frozen under a linear layer), with linear models on pixels and on PCA codes, and with the
nearest neighbour. 5 seeds of 3 draws of labels each; differences are paired, and their errors count seeds and test
images. What there is to choose was chosen on the validation part of the 8 x 8 digits.

With --data digits it does the same on the 8 x 8 digits, with --data DIR on MNIST-format files, with 1 to 20 labels for
each class.
Takes about 75 s, on 60,000 images about 100 s. Writes few_labels_machine, few_labels_restored,
few_labels_accuracy, few_labels_gain (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding, listing, where
from scratchvae import plotting

SIZES = (1, 2, 5, 10, 20)  # labels for each class
WIDTH = 256
RANDOM = "random start"
COLOURS = {RANDOM: plotting.COLOURS["independent"], "AE, fine-tuned": plotting.COLOURS["AE"],
           "denoising AE, fine-tuned": plotting.OTHER_COLOURS[1], "VAE, fine-tuned": plotting.COLOURS["VAE"],
           "AE, frozen": plotting.OTHER_COLOURS[0], "denoising AE, frozen": plotting.OTHER_COLOURS[2],
           "VAE, frozen": plotting.OTHER_COLOURS[4], "linear on PCA": plotting.COLOURS["PCA"],
           "linear on pixels": plotting.OTHER_COLOURS[3], "1 nearest neighbour": plotting.OTHER_COLOURS[5]}
MARKERS = dict(zip(COLOURS, "os^Dvp<>X*"))


def run(lesson):
    """Train, compare, draw; returns accuracies and paired differences with their errors."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(classes=2, default="mnist")
    train, labels, test, test_labels = images.train, images.train_labels, images.test[:2000], images.test_labels[:2000]
    sizes = [n * len(images.names) for n in lesson.pick(SIZES, SIZES[::2][:2]) if n * len(images.names) < len(train)]
    n_classes, n_seeds, n_draws = len(images.names), lesson.pick(5, 2), lesson.pick(3, 1)
    epochs = lesson.epochs(50, 1, train)
    lesson.say(f"{len(train)} training images without labels, some labels, {len(test)} test images; {n_seeds} seeds, "
               f"{n_draws} {'draws' if n_draws > 1 else 'draw'} of labels each.\n")

    right = {}  # (method, size) -> whether each test image is named rightly (n_seeds, n_draws, N)
    for seed in range(n_seeds):
        features = {"linear on pixels": np.asarray, "linear on PCA": sv.PCA(20).fit(train).transform}
        encoders = {}
        for name, kind, how in (("AE", sv.Autoencoder, {}), ("VAE", sv.VAE, {}),
                                ("denoising AE", sv.Autoencoder, {"noise": 0.3, "corruption": "masking"})):
            rng = lesson.rng(10 * seed)
            model = encoders[name] = kind(train.shape[1], (WIDTH,), WIDTH, observation=sv.CrossEntropy(), rng=rng,
                                          **how)
            sv.fit(model, train, epochs=epochs, batch_size=50, optimizer=sv.Adam(1e-3), rng=rng,
                   callbacks=[lesson.progress(f"{name}, seed {seed}")])
            features[f"{name}, frozen"] = (lambda X, vae=model: vae.encode(X)[0]) if name == "VAE" else model.encode
        for draw in range(n_draws):
            for size in sizes:
                rows = balanced_draw(labels, size, lesson.rng(1000 + 10 * seed + draw))
                results = {"1 nearest neighbour": nearest_neighbour(train[rows], labels[rows], test)}
                for name, transform in features.items():
                    results[name] = linear_model(transform, train[rows], labels[rows], test, n_classes,
                                                 lesson.rng(seed + 1))
                for name, model in ((RANDOM, None), *((f"{n}, fine-tuned", m) for n, m in encoders.items())):
                    results[name] = network(model, train[rows], labels[rows], test, n_classes, lesson.rng(seed + 1))
                for name, found in results.items():
                    right.setdefault((name, size), np.empty((n_seeds, n_draws, len(test)), bool))[seed, draw] = (
                        found == test_labels)

    restored_figure(lesson, images, encoders)
    methods = [RANDOM,
               *(f"{name}, {how}" for how in ("fine-tuned", "frozen") for name in ("AE", "denoising AE", "VAE")),
               "linear on pixels", "linear on PCA", "1 nearest neighbour"]
    lesson.save(plotting.diagram(encoders["denoising AE"]), "few_labels_machine")
    # the draws of one seed share an encoder, so a seed is one measurement
    percent = {key: 100 * r.mean(axis=1) for key, r in right.items()}                                 # (n_seeds, N)
    accuracy = {m: {n: Finding.of(percent[m, n]) for n in sizes} for m in methods}
    gain = {m: {n: Finding.of(percent[m, n] - percent[RANDOM, n]) for n in sizes} for m in methods[1:]}
    lesson.table(f"Test accuracy in percent by number of labels (+- is the standard error over {n_seeds} seeds and "
                 "over images)", ["method", *map(str, sizes)], [(m, *(accuracy[m][n] for n in sizes)) for m in methods])
    lesson.table("Points gained over the random start, paired; * is beyond what chance gives once in 20 cells",
                 ["method", *map(str, sizes)],
                 [(m, *(f"{gain[m][n]}{' *' if gain[m][n].sign() else ''}" for n in sizes)) for m in methods[1:]])
    for m in methods[1:]:
        lesson.say(f"- {verdict(m, gain[m])}")
    best = {n: [m for m in methods if accuracy[m][n].value == max(row[n].value for row in accuracy.values())]
            for n in sizes}
    frozen, flat = "denoising AE, frozen", "linear on PCA"
    over = {n: Finding.of(percent[frozen, n] - percent[flat, n]) for n in sizes}
    lesson.say(f"\nIs it the encoder, or only that fewer weights are trained? {frozen} minus {flat}, at {min(sizes)} "
               f"labels: {over[min(sizes)]};\nclearly better {where(over, 1, 'at {} labels')}, clearly worse "
               f"{where(over, -1, 'at {} labels')}.")
    against = {n: Finding.of(percent["VAE, frozen", n] - percent["AE, frozen", n]) for n in sizes}
    lesson.say("\n" + better_features(against))
    lesson.say(f"\nThe largest mean at each size, clear of the others or not:\n"
               f"{'; '.join(f'{n} labels, {listing(names)}' for n, names in best.items())}.\n"
               f"Of {len(methods[1:]) * len(sizes)} cells about {len(methods[1:]) * len(sizes) / 20:.0f} would have a star by "
               "chance alone.\n")

    accuracy_figure(lesson, accuracy, sizes)
    gain_figure(lesson, gain, sizes)
    return {"accuracy": accuracy, "gain": gain, f"{frozen} - {flat}": over, "VAE - AE, frozen": against}


def balanced_draw(labels, n, rng):
    """n row numbers, the classes as equally frequent as n and their sizes allow."""
    classes = np.unique(labels)
    shuffled = [rng.permutation(np.flatnonzero(labels == c)) for c in classes]
    turns = range(max(map(len, shuffled)))
    return np.array([rows[i] for i in turns for rows in shuffled if i < len(rows)][:n])


def network(model, X, labels, test, n_classes, rng):
    """What a network of two hidden layers, trained on all of X at once from a trained encoder or, if None, a random
    start, calls the test images."""
    if model is None:
        classifier = sv.Classifier(X.shape[1], (WIDTH, WIDTH), n_classes=n_classes, rng=rng)
    else:
        classifier = sv.Classifier.from_encoder(model, n_classes=n_classes, rng=rng)
    sv.fit(classifier, X, labels, epochs=20, batch_size=len(X), optimizer=sv.Adam(3e-3), rng=rng)
    return classifier.predict(test)


def linear_model(transform, X, labels, test, n_classes, rng, steps=100):
    """What multinomial logistic regression on transform(X), scaled to a mean |z|^2 of 10, calls the test images.

    The problem is convex, so it starts at 0. Gradient descent does not care how the axes of z are turned; Adam, which
    gives each coordinate the same step, would blow up the smallest principal components (measured on the 8 x 8 digits:
    at 10 labels 67 becomes 54 percent).
    """
    Z, Z_test = transform(X), transform(test)
    scale = np.sqrt(10 / (Z * Z).sum(axis=1).mean())
    varies = scale * Z.std(axis=0) >= 0.01  # `fit` refuses the others, from which no step would learn anything
    Z, Z_test = Z[:, varies], Z_test[:, varies]
    classifier = sv.Classifier(Z.shape[1], (), n_classes=n_classes, rng=rng)
    classifier.theta[:] = 0
    sv.fit(classifier, scale * Z, labels, epochs=steps, batch_size=len(X), optimizer=sv.SGD(0.1, momentum=0.9), rng=rng)
    return classifier.predict(scale * Z_test)


def nearest_neighbour(X, labels, test):
    """The label of the nearest labelled image."""
    # |t - x|^2 = |t|^2 + |x|^2 - 2 t^T x, and |t|^2 is the same for all x
    nearest = ((X * X).sum(axis=1) - 2 * test @ X.T).argmin(axis=1)
    return labels[nearest]


def verdict(method, gains):
    """One sentence on where the method helps, hurts, or neither. gains : number of labels -> Finding."""
    parts = [f"{word} {where(gains, sign, 'at {} labels')}" for word, sign in (("better than a random "
                                                                                "start", 1), ("worse", -1))
             if any(gain.sign() == sign for gain in gains.values())]
    return f"{method}: {' and '.join(parts) or 'no clear difference from a random start at any size'}."


def better_features(against):
    """Whether a VAE's features are better than an autoencoder's. against : number of labels -> Finding of the points
    that a linear model gains on them."""
    return ("Are a VAE's features better? A linear model on its mu minus one on the codes of an autoencoder of the "
            "same shape: " + ", ".join(f"{d} points at {n} labels" for n, d in against.items())
            + f"; clearly better {where(against, 1, 'at {}')}, clearly worse {where(against, -1, 'at {}')}.")


def what_matters(accuracy, sizes):
    """The title: what more labels bring, and what lies between methods. accuracy : method -> size -> Finding."""
    rise = [row[sizes[-1]].value - row[sizes[0]].value for row in accuracy.values()]
    apart = max(max(values) - min(values) for values in (
        [row[n].value for row in accuracy.values()] for n in sizes))
    return (f"From {sizes[0]} to {sizes[-1]} labels methods gain {min(rise):.0f} to {max(rise):.0f} points; at one "
            f"number of labels they are at most {apart:.0f} apart")


def restored_figure(lesson, images, encoders):
    """Test images, damaged as in training, and what the last seed's autoencoders make of them."""
    test, shown = images.test[:500], images.one_of_each()
    damaged = encoders["denoising AE"].damage(test, lesson.rng(2000))
    rows = {"original": test, "damaged": damaged,
            **{f"by the {name}": encoders[name].reconstruct(damaged) for name in ("denoising AE", "AE")}}
    erased, restored, plain = [((X - test) ** 2).sum(axis=1).mean() for X in list(rows.values())[1:]]
    lesson.save(plotting.image_grid(
        np.concatenate([X[shown] for X in rows.values()]),
        f"{encoders['denoising AE'].noise:.0%} of the pixels erased: squared error {erased:.1f}; restored by the "
        f"denoising autoencoder {restored:.1f}, by the plain one {plain:.1f}",
        n_columns=len(shown), row_labels=list(rows), shape=images.shape), "few_labels_restored")


def accuracy_figure(lesson, accuracy, sizes):
    """All methods side by side at each size, for as lines they would lie on each other."""
    figure, (ax,) = plotting.panels(1, what_matters(accuracy, sizes), size=(8.6, 4.4))
    with plotting.house_style():
        for i, (method, colour) in enumerate(COLOURS.items()):
            means = [accuracy[method][n] for n in sizes]
            ax.errorbar(np.arange(len(sizes)) + 0.09 * (i - (len(COLOURS) - 1) / 2), [m.value for m in means],
                        [m.error for m in means], fmt=MARKERS[method], color=colour, capsize=2, elinewidth=1.2,
                        label=method)
        ax.set_xticks(range(len(sizes)), [f"{n} labels" for n in sizes])
        ax.set_ylabel("test accuracy, percent")
        ax.grid(axis="y", color=plotting.PALE, linewidth=0.6)
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    lesson.save(figure, "few_labels_accuracy")


def gain_figure(lesson, gain, sizes):
    """Points gained over the random start: by networks from an encoder, and where few weights are trained, or none."""
    deep, flat = ([m for m in COLOURS if m in gain and m.endswith("fine-tuned") == tuned] for tuned in (True, False))
    often = {m: sum(g.sign() > 0 for g in row.values()) for m, row in gain.items()}
    figure, axes = plotting.panels(2, "A clear gain over a random start: fine-tuned from a denoising autoencoder at "
                                   f"{often['denoising AE, fine-tuned']} of {len(sizes)} sizes, from a plain one at "
                                   f"{often['AE, fine-tuned']}; linear on PCA, with no encoder, at "
                                   f"{often['linear on PCA']}", size=(4.8, 4.2))
    for ax, methods, title in ((axes[0], deep, "all weights trained, from an encoder"),
                               (axes[1], flat, "few weights trained, or none")):
        plotting.lines(np.array(sizes, dtype=float),
                       {m: tuple(np.array([gain[m][n] for n in sizes]).T) for m in methods}, title,
                       "labelled images", "points gained over a random start", logx=True,
                       colours={m: COLOURS[m] for m in methods}, ax=ax)
        for bars, method in zip(ax.containers, methods):
            bars[0].set_marker(MARKERS[method])
        handles, names = dict(zip(methods, ax.containers)), [text.get_text() for text in ax.get_legend().get_texts()]
        with plotting.house_style():
            ax.legend([handles[name] for name in names], names, loc="upper center", bbox_to_anchor=(0.5, -0.16),
                      ncols=2)
        ax.axhline(0, color=plotting.INK, linewidth=0.8)
    axes[0].set_ylim(axes[1].get_ylim())
    lesson.save(figure, "few_labels_gain")


if __name__ == "__main__":
    run_as_command(__spec__)
