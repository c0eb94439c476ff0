"""Which model finds grey images most probable? Levels as counts, under all models, in the lesson `autoregressive`.

A pixel that is stored in L levels has a probability, so the models of grey images can be compared as those of black and
white ones are: in nats per image, and in bits per pixel, what a pixel costs to store if the model is known.

    bits per pixel = -log p(x) / (D log 2)

Tuned by validation as in `demos/autoregressive.py`, among rates of 1e-3 to 3e-3, weight decay of 0 to 1, one hidden
layer or two; for the VAE, 8 to 16 latents.
"""
import numpy as np

import scratchvae as sv
from demos.judgement import Finding, listing
from scratchvae import plotting

SETTINGS = {  # as in `demos/autoregressive.py`; of large images' few epochs each of 4 orders would see a quarter
    "FVBN": ((1e-3, 0.0, 250), (8e-3, 0.0, 60)), "MADE": ((3e-3, 0.3, 250), (6e-3, 0.05, 60)),
    "MADE, 4 orders": ((2e-3, 0.3, 350), None), "VAE": ((1e-3, 0.3, 250), (2e-3, 0.0, 100))}
BATCH_SIZE = 64, 128


def grey_levels(lesson):
    """Train, compare, draw : name -> Finding of log p(x), and of the paired differences."""
    images = lesson.images(most=10_000)
    D, test, n_levels = images.train.shape[1], images.test[:500], levels_of(images.train)
    n_runs, observation = lesson.pick(3, 2), sv.DiscretizedLogistic(n_levels)
    build = {"FVBN": lambda rng: sv.FVBN(D, observation=observation, rng=rng),
             "MADE": lambda rng: sv.MADE(D, (500,), observation=observation, rng=rng),
             "MADE, 4 orders": lambda rng: sv.MADE(D, (500,), 4, observation=observation, rng=rng),
             "VAE": lambda rng: sv.VAE(D, (300, 300), 16, observation=observation, rng=rng)}
    runs = {name: [trained(lesson, images, build[name], name, 40 + 100 * run) for run in range(n_runs)]
            for name in build if SETTINGS[name][images.large]}

    shares, n_samples = level_shares(images.train, n_levels), lesson.pick(250 if images.large else 1000, 20)
    evidence = [sv.log_evidence(run, test, n_samples=n_samples, rng=lesson.rng(42)) for run in runs["VAE"]]
    log_p = {"independent": [np.log(shares[level(test, n_levels), np.arange(D)]).sum(axis=1)] * n_runs,
             **{name: [run.log_prob(test) for run in runs[name]] for name in runs if name != "VAE"},
             "VAE's ELBO": [run.elbo(test, rng=lesson.rng(41)).elbo for run in runs["VAE"]],
             "VAE": [each.value for each in evidence]}
    log_p = {name: np.array(values, dtype=np.float64) for name, values in log_p.items()}
    bits = {name: Finding.of(values / (-D * np.log(2))) for name, values in log_p.items()}
    how = dict.fromkeys(log_p, "exact") | {
        "independent": f"exact, {n_levels} shares a pixel", "MADE, 4 orders": "exact, the average over 4 orders",
        "VAE's ELBO": "lower bound", "VAE": f"importance sampling, {n_samples} draws"}
    lesson.table(f"Grey levels: test images in {n_levels} levels (+- is the standard error over images and {n_runs} "
                 "runs)",
                 ["model", "log p(x), nats per image", "bits per pixel", "how"],
                 [(name, Finding.of(values), bits[name], how[name]) for name, values in log_p.items()])
    models = {name: values for name, values in log_p.items() if name != "VAE's ELBO"}
    apart = {f"{a} - {b}": Finding.of(log_p[a] - log_p[b]) for a, b in (
        ("FVBN", "independent"), ("MADE", "FVBN"), ("MADE, 4 orders", "MADE"), ("VAE", "VAE's ELBO"),
        ("VAE's ELBO", "MADE"), ("VAE", "MADE"), ("VAE", "MADE, 4 orders")) if {a, b} <= log_p.keys()}
    lesson.table("Grey levels, paired differences on the same images, in nats", ["models", "difference", "verdict"],
                 [(name, d, verdict(name, d)) for name, d in apart.items()])
    lesson.say(f"Of the {n_samples} draws for an image, as a median {np.median([e.ess for e in evidence]):.0f} count "
               "(effective sample size); what they miss can only make the VAE look worse than it is.")
    best = max(models, key=lambda name: models[name].mean())
    lesson.say(winner(best, {name: Finding.of(models[best] - values) for name, values in models.items()
                             if name != best}, np.log2(n_levels)))

    made = "MADE" if images.large else "MADE, 4 orders"
    draw(lesson, images, shares, {name: runs[name][0] for name in ("VAE", made)}, bits)
    return {"log_prob": {name: Finding.of(values) for name, values in log_p.items()}, "bits": bits,
            "differences": apart}


def levels_of(X):
    """In how many levels pixels are stored: 17 for the bundled digits, a byte's 256 for others, black and white too."""
    sixteenths = np.rint(X * 16)
    return 17 if np.array_equal(X * 16, sixteenths) and (sixteenths % 16).any() else 256


def level(X, n_levels):
    """The index of each pixel's level : integers 0..L-1 of X's shape."""
    return np.rint(X * (n_levels - 1)).astype(int)


def level_shares(X, n_levels):
    """Each pixel's share of each level, one added to every count : (L, D)."""
    counts = np.ones((n_levels, X.shape[1]))
    np.add.at(counts, (level(X, n_levels), np.arange(X.shape[1])), 1)
    return counts / counts.sum(axis=0)


def trained(lesson, images, build, name, stream):
    """One model of one run, stopped early."""
    (lr, weight_decay, epochs), rng = SETTINGS[name][images.large], lesson.rng(stream)
    model = build(rng)
    sv.fit(model, images.train, epochs=lesson.epochs(epochs, 1, images.train), batch_size=BATCH_SIZE[images.large],
           optimizer=sv.Adam(lr, weight_decay=weight_decay), rng=rng, valid=images.valid[:1000],
           callbacks=[sv.EarlyStopping(40), sv.LearningRateDecay(), lesson.progress(f"grey levels, {name}")])
    return model


def verdict(name, apart):
    """What a row of differences says; log p(x) is never below its own bound, whatever the images."""
    return "never below 0" if name == "VAE - VAE's ELBO" else apart.words("the first is better", "the second is better")


def winner(best, over, bits):
    """Which model is best, and by how much : over, name of another model -> log p of the best minus its own."""
    second = min(over, key=lambda name: over[name].value)
    unclear = [name for name, apart in over.items() if apart.sign(once_in=20 * len(over)) < 1]
    return (f"Of the {len(over) + 1} models {best} "
            + (f"has the most, but not clearly more than {listing(unclear)}" if unclear else "is the best")
            + f": {over[second]} nats from {second}, the next. Without any model a pixel of so many levels costs "
            f"{bits:.2f} bits.")


def draw(lesson, images, shares, models, bits):
    """Samples of the models beside real images."""
    n, rng = 24, lesson.rng(43)
    n_levels, D = shares.shape
    u = rng.random((n, 1, D))
    independent = (u > shares.cumsum(axis=0)).sum(axis=1).clip(0, n_levels - 1) / (n_levels - 1)
    rows = {"real": images.test[:n], "independent": independent,
            **{name: model.sample(n, rng=rng) for name, model in models.items()}}
    lesson.save(plotting.image_grid(
        np.concatenate(list(rows.values())), f"Images drawn in {n_levels} levels. What a pixel of a test image costs, "
        "in bits: " + ", ".join(f"{bits[name].value:.2f} ({name})" for name in rows if name != "real"), 12,
        row_labels=[label for name in rows for label in (name, "")], shape=images.shape), "autoregressive_grey")
