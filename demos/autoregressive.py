"""What does an exact p(x) buy, and what does it cost? FVBN and MADE beside the VAE.

On the bundled 8 x 8 digits (small, since eight models are trained in several runs), binarised at one half, five
answers to how probable a test image is, in the same nats: independent pixels, an FVBN (a logistic regression for each
pixel on those before it), a MADE (masked hidden layer) with one order of the pixels and with four averaged, and a
VAE, by its bound and by importance sampling. Then: drawing samples, D steps against one; completing half an image;
and what changes when the pixels come in another order (`demos/pixel_order.py`).
Then the grey pixels themselves, in levels, under all of these models (`demos/grey_levels.py`), and one MADE on images
that one can read, 28 x 28 (`demos/pixel_by_pixel.py`).
Last, why not simply count neighbours: kernel density estimates on growing squares of MNIST's pixels, and on pixels
together with continuous numbers (`demos/kernel_density.py`).

What was tuned, by validation alone (seed 0): FVBN's L2 in {0, .0003, .001, .002, .003, .005, .01}; for MADE one
hidden layer of 200, 500 or 1000 or two of 200, weight decay in {0, .05, .1, .2, .3, 1}, 1, 2, 4, 8 or 16 orders, for
the VAE one layer of 128 or 256 or two of 200 or 300, 8 or 16 latents, weight decay in {0, .1, .2, .3}; not every
combination. The settings below are the best of each (the VAE's by its ELBO), but for a MADE of 1000 units, which gained
0.13 nats on the validation images and took twice as long; the epoch is chosen at every run.

With --data DIR it does the same on MNIST-format files, on 10,000 of their images (the last MADE on all), but for grey
levels in several orders. There few epochs must do, at higher rates: these, weight decay, epochs and batch size were
chosen by the validation part of the bundled MNIST.
Takes about 130 s, on 60,000 images about 6 min. Writes autoregressive_machine, autoregressive_masks,
autoregressive_log_prob, autoregressive_samples, autoregressive_completions, autoregressive_grey,
autoregressive_pixels, autoregressive_time (.png).
"""
from time import perf_counter

import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.grey_levels import grey_levels, verdict
from demos.judgement import Finding
from demos.kernel_density import kernels
from demos.lesson import Mean
from demos.mask_picture import masks_figure
from demos.pixel_by_pixel import pixel_by_pixel
from demos.pixel_order import completions, reading_order
from demos.vae import independent_pixels
from scratchvae import plotting

SETTINGS = {  # of the digits and of large images: learning rate, weight decay, most epochs, if of 1,000 images
    "FVBN": ((1e-2, 0.0, 200), (4e-2, 0.0, 100)), "MADE": ((2e-3, 0.3, 250), (1.6e-2, 0.0, 120)),
    "MADE, 4 orders": ((2e-3, 0.1, 300), (1.2e-2, 0.0, 120)), "VAE": ((1e-3, 0.2, 250), (2e-3, 0.05, 400))}
BATCH_SIZE = 64, 128


def run(lesson):
    """Train, measure, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(binary=True, most=10_000)
    D, test = images.train.shape[1], images.test[:500]
    lesson.say(f"{len(images.train)} training, {len(images.valid)} validation and {len(test)} test images of {D} "
               "pixels, binarised at one half.\n")

    n_runs = lesson.pick(3, 2)

    def train(label, build, kind, stream):
        return [train_once(f"{label}, run {run + 1}", build, kind, stream + 100 * run) for run in range(n_runs)]

    def train_once(label, build, kind, stream):
        lr, weight_decay, epochs = SETTINGS[kind][images.large]
        rng = lesson.rng(stream)
        model = build(rng)
        monitor = {"monitor": "log_prob"} if kind == "FVBN" else {}   # its loss has the penalty in it
        epochs = lesson.epochs(epochs, 2, images.train)
        sv.fit(model, images.train, epochs=epochs, batch_size=BATCH_SIZE[images.large],
               optimizer=sv.Adam(lr, weight_decay=weight_decay), rng=rng, valid=images.valid[:1000],
               callbacks=[sv.EarlyStopping(60, **monitor), sv.LearningRateDecay(), lesson.progress(label)])
        return model

    lesson.save(masks_figure(), "autoregressive_masks")
    pixels = np.arange(D)
    orders = {"raster": pixels, "reversed": pixels[::-1], "by column": pixels.reshape(images.shape).T.ravel(),
              "random": lesson.rng(20).permutation(D)}
    fvbns = {name: train(f"FVBN, {name}", lambda rng, order=order: sv.FVBN(D, l2=1e-3, order=order, rng=rng), "FVBN", 1)
             for name, order in orders.items()}
    single = train("MADE", lambda rng: sv.MADE(D, (500,), order=pixels, rng=rng), "MADE", 2)
    random = train("MADE, random", lambda rng: sv.MADE(D, (500,), order=rng.permutation(D), rng=rng), "MADE", 2)
    several = train("MADE, 4 orders", lambda rng: sv.MADE(D, (500,), 4, rng=rng), "MADE, 4 orders", 3)
    vae = train("VAE", lambda rng: sv.VAE(D, (200, 200), 16, rng=rng), "VAE", 4)

    lesson.save(plotting.diagram(single[0]), "autoregressive_machine")
    log_p = densities(lesson, images.train, test, fvbns["raster"], single, several, vae)
    differences = compare(lesson, log_p)
    by_order = {kind: {name: np.stack([run.log_prob(test) for run in runs]) for name, runs in models.items()}
                for kind, models in (("FVBN", fvbns), ("MADE", {"raster": single, "random": random}))}
    completed = completions(lesson, test, {name: runs[0] for name, runs in fvbns.items()}, single[0], images.shape)
    reading_order(lesson, by_order, completed)
    seconds = sampling_time(lesson)
    draw_samples(lesson, images, fvbns["raster"][0], several[0], vae[0])
    grey = grey_levels(lesson)
    lesson.say(bound_or_model(*(grey["differences"][name] for name in (
        "VAE's ELBO - MADE", "VAE - MADE", "VAE - VAE's ELBO")), other="the MADE of one order"))
    return {"log_prob": {name: Finding.of(values) for name, values in log_p.items()}, "differences": differences,
            "by_order": {f"{kind}, {name}": Finding.of(values) for kind, named in by_order.items()
                         for name, values in named.items()},
            "completed": {way: Mean.of(agree) for way, agree in completed.items()}, "seconds": seconds,
            "grey": grey, "pixels": pixel_by_pixel(lesson), "kernels": kernels(lesson)}


def densities(lesson, train, test, fvbn, single, several, vae):
    """log p(x), or the bound, of every test image under every run of each model: name -> (runs, N)."""
    n_samples, n_runs = lesson.pick(1000, 20), len(vae)
    evidence = [sv.log_evidence(run, test, n_samples=n_samples, rng=lesson.rng(10)) for run in vae]
    log_p = {"independent": [independent_pixels(train, test)] * n_runs, "FVBN": [run.log_prob(test) for run in fvbn],
             "MADE": [run.log_prob(test) for run in single], "MADE, 4 orders": [run.log_prob(test) for run in several],
             "VAE's ELBO": [run.elbo(test, rng=lesson.rng(11)).elbo for run in vae], "VAE": [e.value for e in evidence]}
    log_p = {name: np.array(values, dtype=np.float64) for name, values in log_p.items()}
    kinds = ("exact", "exact", "exact", "exact, the average over 4 orders", "lower bound",
             f"importance sampling, {n_samples} draws")
    lesson.table(f"Test images, nats per image (more is better; +- is the standard error over images and {n_runs} "
                 "runs)",
                 ["model", "log p(x)", "how"],
                 [(name, Finding.of(values), how) for (name, values), how in zip(log_p.items(), kinds)])
    ess = np.array([e.ess for e in evidence])
    sampling = np.sqrt(np.mean(sv.standard_error(ess, n_samples) ** 2) / ess.size)
    lesson.say(f"Of the {n_samples} draws for an image, as a median {np.median(ess):.0f} count (effective "
               "sample size). " + (f"Sampling adds {sampling:.3f} nats to the VAE's\nstandard error; "
                                   if np.median(ess) >= 10 else "These are too few for an\nerror of their own; ")
               + "what the draws miss can only make the VAE look worse than it is.\n")
    by_bound, by_estimate = (np.mean(log_p[name] - log_p["MADE, 4 orders"]) for name in ("VAE's ELBO", "VAE"))
    lesson.save(plotting.bars(
        {name: values.mean() for name, values in log_p.items()},
        f"The VAE against the MADE of 4 orders: {by_bound:+.1f} nats judged by its bound, {by_estimate:+.1f} by its "
        "log p(x)".replace("-", "\N{MINUS SIGN}"),
        "log p(x) or its bound, nats per image", {name: Finding.of(values).error for name, values in log_p.items()},
        {"MADE, 4 orders": plotting.COLOURS["MADE"], "VAE's ELBO": plotting.COLOURS["VAE"]}), "autoregressive_log_prob")
    return log_p


def compare(lesson, log_p):
    """Paired differences: the same images under two models, so that what is hard for both cancels."""
    pairs = [("FVBN", "independent"), ("MADE", "FVBN"), ("MADE, 4 orders", "MADE"), ("VAE", "VAE's ELBO"),
             ("VAE's ELBO", "FVBN"), ("VAE's ELBO", "MADE, 4 orders"), ("VAE", "FVBN"), ("VAE", "MADE, 4 orders")]
    differences = {f"{a} - {b}": Finding.of(log_p[a] - log_p[b]) for a, b in pairs}
    lesson.table(f"Paired differences on the same images, in nats (+- over images and {len(log_p['VAE'])} runs)",
                 ["models", "difference", "verdict"],
                 [(name, d, verdict(name, d)) for name, d in differences.items()])
    lesson.say(bound_or_model(*(differences[name] for name in (
        "VAE's ELBO - MADE, 4 orders", "VAE - MADE, 4 orders", "VAE - VAE's ELBO"))))
    return differences


def bound_or_model(by_bound, by_estimate, gap, other="the MADE of 4 orders"):
    """What the VAE is worth beside another model, judged by its ELBO and by its log p(x); and their gap."""
    told = [f"{d} nats from {other} ({d.words('better', 'worse')})" for d in (by_bound, by_estimate)]
    return (f"Judged by its bound the VAE is {told[0]},\nby its log p(x), as far as the draws find it, {told[1]}.\n"
            f"The bound is at least {gap} nats loose: whoever compares a bound with an exact likelihood judges the "
            f"bound, not the model.{' Here the verdict changes.' if by_bound.sign() != by_estimate.sign() else ''}\n")


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
    lesson.say("One pass gives all D conditionals of a known x, but x is drawn pixel by pixel: D steps for the "
               f"batch. With D = {sizes[-1]} pixels\nthe MADE takes {seconds['MADE'][-1] / seconds['VAE'][-1]:.0f} "
               "times as long as the VAE, which needs one pass of its decoder.\n")
    lesson.save(plotting.lines(sizes, seconds, "Drawing D pixels one after another takes D steps; a VAE takes one",
                               "pixels D", "seconds for 100 images", logx=True, logy=True), "autoregressive_time")
    return {name: dict(zip(map(str, sizes), row)) for name, row in seconds.items()}


def draw_samples(lesson, images, fvbn, made, vae):
    """Samples of every model beside real images."""
    n, rng = 24, lesson.rng(15)
    p = (images.train.sum(axis=0) + 1) / (len(images.train) + 2)
    rows = [images.test[:n], (rng.random((n, len(p))) < p).astype(float), fvbn.sample(n, rng=rng),
            made.sample(n, rng=rng),
            vae.sample(n, rng=rng)]
    names = ("real", "independent", "FVBN", "MADE, 4 orders", "VAE")
    labels = [label for name in names for label in (name, "")]
    lesson.save(plotting.image_grid(
        np.concatenate(rows), "How often neighbouring pixels are alike: " + ", ".join(
            f"{alike(x, images.shape):.0%} ({name})" for name, x in zip(names, rows)), 12, row_labels=labels,
        shape=images.shape),
        "autoregressive_samples")


def alike(x, shape):
    """The share of neighbouring pixels that are equal in images x (N, D) of this shape."""
    x = x.reshape(-1, *shape)
    pairs = [x[:, 1:] == x[:, :-1], x[:, :, 1:] == x[:, :, :-1]]
    return np.mean(np.concatenate([equal.ravel() for equal in pairs]))


if __name__ == "__main__":
    run_as_command(__spec__)
