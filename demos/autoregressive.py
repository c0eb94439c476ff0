"""What does an exact p(x) buy, and what does it cost? FVBN and MADE beside the VAE.

On the bundled digits, binarised at one half, five answers to how probable a test image is, in the same nats:
independent pixels, an FVBN (a logistic regression for each pixel on those before it), a MADE (masked hidden layer)
with one order of the pixels and with four averaged, and a VAE, by its bound and by importance sampling. Then: drawing
samples, D steps against one; completing half an image; and what changes when the pixels come in another order.

What was tuned, by validation alone (seed 0): FVBN's L2 in {0, .0003, .001, .002, .003, .005, .01}; for MADE one
hidden layer of 200, 500 or 1000 or two of 200, weight decay in {0, .05, .1, .2, .3, 1}, 1, 2, 4, 8 or 16 orders, for
the VAE one layer of 128 or 256 or two of 200 or 300, 8 or 16 latents, weight decay in {0, .1, .2, .3}; not every
combination. The settings below are the best of each (the VAE's by its ELBO), but for a MADE of 1000 units, which gained
0.13 nats on the validation images and took twice as long; the epoch is chosen at every run.

With --data DIR it does the same on MNIST-format files, for a few epochs and with the same settings.
Takes about 18 s. Writes autoregressive_log_prob, autoregressive_samples, autoregressive_completions,
autoregressive_time (.png).
"""
from time import perf_counter

import numpy as np

import scratchvae as sv
from demos.lesson import Mean
from demos.vae import independent_pixels
from scratchvae import plotting

SETTINGS = {  # the tuned settings: learning rate, weight decay, most epochs
    "FVBN": (1e-2, 0.0, 200), "MADE": (2e-3, 0.3, 250), "MADE, 4 orders": (2e-3, 0.1, 300), "VAE": (1e-3, 0.2, 250)}


def run(lesson):
    """Train, measure, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(binary=True)
    D, test = images.train.shape[1], images.test[:500]
    side = int(np.sqrt(D))
    lesson.say(f"{len(images.train)} training, {len(images.valid)} validation and {len(test)} test images of {D} "
               "pixels, binarised at one half.\n")

    def train(label, build, kind, stream):
        lr, weight_decay, epochs = SETTINGS[kind]
        rng = lesson.rng(stream)
        model = build(rng)
        monitor = {"monitor": "log_prob"} if kind == "FVBN" else {}   # its loss has the penalty in it
        epochs = lesson.pick(epochs if lesson.data is None else 8, 2)
        sv.fit(model, images.train, epochs=epochs, batch_size=64, optimizer=sv.Adam(lr, weight_decay=weight_decay),
               rng=rng, valid=images.valid,
               callbacks=[sv.EarlyStopping(60, **monitor), sv.LearningRateDecay(), lesson.progress(label)])
        return model

    pixels = np.arange(D)
    orders = {"raster": pixels, "reversed": pixels[::-1], "by column": pixels.reshape(-1, side).T.ravel(),
              "random": lesson.rng(20).permutation(D)}
    fvbns = {name: train(f"FVBN, {name}", lambda rng, order=order: sv.FVBN(D, l2=1e-3, order=order, rng=rng), "FVBN", 1)
             for name, order in orders.items()}
    single = train("MADE", lambda rng: sv.MADE(D, (500,), rng=rng), "MADE", 2)
    several = train("MADE, 4 orders", lambda rng: sv.MADE(D, (500,), 4, rng=rng), "MADE, 4 orders", 3)
    vae = train("VAE", lambda rng: sv.VAE(D, (200, 200), 16, rng=rng), "VAE", 4)

    log_p = densities(lesson, images.train, test, fvbns["raster"], single, several, vae)
    differences = compare(lesson, log_p)
    by_order = {name: Mean.of(fvbn.log_prob(test)) for name, fvbn in fvbns.items()}
    completed = completions(lesson, test, fvbns, single, side)
    reading_order(lesson, by_order, completed)
    seconds = sampling_time(lesson)
    draw_samples(lesson, images, fvbns["raster"], several, vae)
    return {"log_prob": {name: Mean.of(values) for name, values in log_p.items()}, "differences": differences,
            "by_order": by_order, "completed": completed, "seconds": seconds}


def densities(lesson, train, test, fvbn, single, several, vae):
    """log p(x), or the bound, of every test image under each model: name -> (N,)."""
    n_samples = lesson.pick(1000, 20)
    evidence = sv.log_evidence(vae, test, n_samples=n_samples, rng=lesson.rng(10))
    log_p = {"independent": independent_pixels(train, test), "FVBN": fvbn.log_prob(test),
             "MADE": single.log_prob(test), "MADE, 4 orders": several.log_prob(test),
             "VAE's ELBO": vae.elbo(test, rng=lesson.rng(11)).elbo, "VAE": evidence.value}
    kinds = ("exact", "exact", "exact", "exact, the average over 4 orders", "lower bound",
             f"importance sampling, {n_samples} draws")
    lesson.table("Test images, nats per image (more is better; +- is the standard error over images)",
                 ["model", "log p(x)", "how"],
                 [(name, Mean.of(values), how) for (name, values), how in zip(log_p.items(), kinds)])
    sampling = np.sqrt(np.mean(sv.standard_error(evidence.ess, n_samples) ** 2) / len(test))
    lesson.say(f"Of the {n_samples} draws for an image, as a median {np.median(evidence.ess):.0f} count (effective "
               f"sample size). Sampling adds {sampling:.3f} nats to the VAE's\n"
               "standard error; what it misses can only make the VAE look worse than it is.\n")
    by_bound, by_estimate = (np.mean(log_p[name] - log_p["MADE, 4 orders"]) for name in ("VAE's ELBO", "VAE"))
    lesson.save(plotting.bars(
        {name: values.mean() for name, values in log_p.items()},
        f"The VAE against the MADE of 4 orders: {by_bound:+.1f} nats judged by its bound, {by_estimate:+.1f} by its "
        "log p(x)".replace("-", "\N{MINUS SIGN}"),
        "log p(x) or its bound, nats per image", {name: Mean.of(values).error for name, values in log_p.items()},
        {"MADE, 4 orders": plotting.COLOURS["MADE"], "VAE's ELBO": plotting.COLOURS["VAE"]}), "autoregressive_log_prob")
    return log_p


def compare(lesson, log_p):
    """Paired differences: the same images under two models, so that what is hard for both cancels."""
    pairs = [("FVBN", "independent"), ("MADE", "FVBN"), ("MADE, 4 orders", "MADE"), ("VAE", "VAE's ELBO"),
             ("VAE's ELBO", "FVBN"), ("VAE's ELBO", "MADE, 4 orders"), ("VAE", "FVBN"), ("VAE", "MADE, 4 orders")]
    differences = {f"{a} - {b}": Mean.of(log_p[a].astype(float) - log_p[b]) for a, b in pairs}

    def verdict(d):
        better = "the first" if d.value > 0 else "the second"
        return f"{better} is better" if abs(d.value) > 2 * d.error else "within two standard errors"

    lesson.table("Paired differences on the same images, in nats", ["models", "difference", "verdict"],
                 [(name, d, verdict(d)) for name, d in differences.items()])
    by_bound, by_estimate = (differences[f"{name} - MADE, 4 orders"] for name in ("VAE's ELBO", "VAE"))
    gap = differences["VAE - VAE's ELBO"]
    lesson.say(f"Judged by its bound the VAE is {by_bound.value:+.2f} +- {by_bound.error:.2f} nats from the MADE of 4 "
               f"orders, by its log p(x) {by_estimate.value:+.2f} +- {by_estimate.error:.2f}.\n"
               f"The bound is {gap.value:.2f} nats loose: whoever compares a bound with an exact likelihood judges the "
               "bound, not the model.\n")
    return differences


def completions(lesson, test, fvbns, made, side):
    """How many missing pixels are drawn as they were, by model and by which half is given; the figure."""
    top = np.arange(side * side) < side * side // 2
    raster, backward = fvbns["raster"], fvbns["reversed"]
    n_draws = lesson.pick(50 if lesson.data is None else 4, 3)
    ways = {("top", "FVBN, raster"): (raster, top, 1), ("top", "MADE, raster"): (made, top, 1),
            ("bottom", "FVBN, raster"): (raster, ~top, 1),
            ("bottom", f"FVBN, raster, {n_draws} draws"): (raster, ~top, n_draws),
            ("bottom", "FVBN, reversed"): (backward, ~top, 1)}
    x = test[:lesson.pick(200, 30)]
    drawn = {way: model.complete(x, known, n_draws=n, rng=lesson.rng(12)) for way, (model, known, n) in ways.items()}
    agree = {f"{half} given: {name}": Mean.of(100 * np.mean((drawn[half, name] == x)[:, ~ways[half, name][1]], axis=1))
             for half, name in drawn}
    shown = lesson.rng(13).choice(len(x), 12, replace=False)
    rows, labels = [x[shown]], ["test image"]
    for half, known in (("top", top), ("bottom", ~top)):
        rows.append(np.where(known, x[shown], 0.35))
        labels.append(f"{half} half given")
        for (given, name), images in drawn.items():
            if given == half:
                rows.append(images[shown])
                labels.append(name)
    lesson.save(plotting.image_grid(
        np.concatenate(rows), "A half is completed to fit if it came first: with the bottom given, the raster order "
        "draws the top without having seen it", 12, row_labels=labels), "autoregressive_completions")
    return agree


def reading_order(lesson, by_order, completed):
    """What changes with the order of the pixels."""
    lesson.table("FVBN, the pixels in another order: log p(x) of the test images, nats per image",
                 ["order", "log p(x)"],
                 list(by_order.items()))
    lesson.table("Completing half an image: missing pixels drawn as they were, percent", ["half and model", "agree"],
                 list(completed.items()))
    values = [mean.value for mean in by_order.values()]
    _, _, deaf, weighted, exact = (mean.value for mean in completed.values())
    lesson.say(
        "The chain rule holds in every order; how well logistic regressions fit its factors could differ, and does by "
        f"{max(values) - min(values):.2f} nats.\nWhat the order decides is which questions are easy. A completion is "
        "exact when the given pixels come first: the top for the raster\n"
        "order, the bottom for the reversed one. Given the bottom, the raster order draws the top before it has seen "
        f"the bottom: {deaf:.0f} %\nagree, against {exact:.0f} % reversed; weighting many draws by how well the bottom "
        f"follows from them gives {weighted:.0f} %.\n")


def sampling_time(lesson):
    """Seconds for 100 images of D pixels, one by one and by a VAE's decoder; untrained, which costs the same."""
    sizes = lesson.pick((16, 32, 64, 128, 256), (16, 32))
    seconds = {"FVBN": [], "MADE": [], "VAE": []}
    for D in sizes:
        rng = lesson.rng(14)
        for name, model in (("FVBN", sv.FVBN(D, rng=rng)), ("MADE", sv.MADE(D, (500,), rng=rng)),
                            ("VAE", sv.VAE(D, (500,), 16, rng=rng))):
            times = []
            for _ in range(3):
                start = perf_counter()
                model.sample(100, rng=rng)
                times.append(perf_counter() - start)
            seconds[name].append(min(times))
    lesson.table("Seconds to draw 100 images (the fastest of 3; hidden layers of 500)",
                 ["pixels D", *seconds, "MADE / VAE"],
                 [(D, *(row[i] for row in seconds.values()), seconds["MADE"][i] / seconds["VAE"][i])
                  for i, D in enumerate(sizes)])
    lesson.say("One pass gives all D conditionals of a known x, but x is drawn pixel by pixel: D passes for the "
               f"batch. With D = {sizes[-1]} pixels\nthe MADE takes {seconds['MADE'][-1] / seconds['VAE'][-1]:.0f} "
               "times as long as the VAE, which needs one pass of its decoder.\n")
    lesson.save(plotting.lines(sizes, seconds, "Drawing D pixels one after another takes D passes; a VAE takes one",
                               "pixels D", "seconds for 100 images", logx=True, logy=True), "autoregressive_time")
    return {name: dict(zip(map(str, sizes), row)) for name, row in seconds.items()}


def draw_samples(lesson, images, fvbn, made, vae):
    """Samples of every model beside real images."""
    n, rng = 24, lesson.rng(15)
    p = (images.train.sum(axis=0) + 1) / (len(images.train) + 2)
    rows = [images.test[:n], (rng.random((n, len(p))) < p).astype(float), fvbn.sample(n, rng=rng),
            made.sample(n, rng=rng),
            vae.sample(n, rng=rng)]
    labels = [label for name in ("real", "independent", "FVBN", "MADE, 4 orders", "VAE") for label in (name, "")]
    lesson.save(plotting.image_grid(
        np.concatenate(rows), "Independent pixels draw specks; FVBN, MADE and VAE draw strokes, and some are digits",
        12,
        row_labels=labels), "autoregressive_samples")
