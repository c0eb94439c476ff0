"""Would you have noticed? Well-known mistakes, what training looks like with each, and the check that catches it.

Plants one mistake after another in the running library (see `demos/catalogue_of_mistakes.py`) and measures two things.
For every one: does a gradient check alone, tensor by tensor against central differences, find it? And for some of the
VAE's: train on the bundled digits with the mistake in the code, and compare the test ELBO that the wrong code reports
with the ELBO of the very same parameters under the right code. The curve of training often looks fine.

With --data DIR it trains on MNIST-format files (2 epochs).
Takes about 25 s. Writes mistakes_curves and mistakes_elbo (.png).
"""
from collections import Counter

import numpy as np

import scratchvae as sv
from demos.catalogue_of_mistakes import MISTAKES, gradient_check_fails, plant
from demos.lesson import Mean
from scratchvae import plotting

# What is trained below: catalogue name -> a short one for the figures.
TRAINED = {
    "sigma is exp(log_var), the variance": "sigma := variance",
    "the KL halved": "KL halved",
    "the KL off by a constant: the -1 forgotten": "KL without -1",
    "the KL with its arguments swapped": "KL swapped",
    "the KL summed but the reconstruction averaged over pixels": "mean over pixels",
    "the KL's gradient forgotten": "no KL gradient",
    "fresh noise between forward and backward": "fresh noise",
    "dz/dlog_var without its 1/2": "1/2 forgotten",
    "softplus where the derivative has sigmoid": "softplus",
    "weights drawn with the variance for a standard deviation": "small weights",
    "Adam without bias correction": "uncorrected Adam",
}
RIGHT = "right code"
COLOUR = {RIGHT: plotting.COLOURS["VAE"]}


def run(lesson):
    """Plant, check, train, compare; returns the measured numbers."""
    lesson.say(__doc__.splitlines()[0])
    seen = what_a_gradient_check_sees(lesson)
    numbers = what_training_looks_like(lesson, seen)
    return {"mistakes": len(MISTAKES), "gradient check": dict(Counter(seen.values())), "trained": numbers,
            "a pixel sees itself": too_good(lesson)}


def what_a_gradient_check_sees(lesson):
    """Mistake -> "yes" or "no", or "-" where there is no derivative to check; prints the catalogue."""
    seen = {}
    for mistake in MISTAKES:
        if mistake.gradient is None:
            seen[mistake.name] = "-"
            continue
        with plant(mistake):
            seen[mistake.name] = "yes" if gradient_check_fails(mistake.gradient) else "no"
    rows = [row for m in MISTAKES for row in ((f"{m.topic}: {m.name}", seen[m.name], m.check.removeprefix("test_")),
                                              (f"    {m.look}", "", ""))]
    lesson.table(f"{len(MISTAKES)} mistakes and, under each, what one sees; does a gradient check alone find it? "
                 "(- where there is no derivative)", ["mistake", "found", "rejected by, in tests/test_..."], rows)
    counts = Counter(seen.values())
    lesson.say(
        f"A gradient check alone finds {counts['yes']} of the {len(MISTAKES)}. It compares backward with forward, so it"
        " is blind where both are wrong in the\n"
        f"same way or where the mistake is in neither ({counts['no']} passed it), and it has nothing to say where"
        f" nothing is differentiated ({counts['-']}).\n"
        "The checks in the last column reject them all: tests/test_mutants.py plants each one to see them fail.\n")
    return seen


def what_training_looks_like(lesson, seen):
    """Train a VAE with each mistake of `TRAINED`; what it reports and what is true of the same parameters."""
    images = lesson.images(binary=True)
    epochs, test = lesson.pick(60, 2), images.test[:2000]
    epochs = epochs if lesson.data is None else lesson.pick(2, 1)
    by_name, curves, rows, numbers = {m.name: m for m in MISTAKES}, {}, [], {}

    def trained_and_reported():
        model = sv.VAE(images.train.shape[1], (128,), 8, rng=lesson.rng(1))
        history = sv.fit(model, images.train, epochs=epochs, rng=lesson.rng(2), optimizer=sv.Adam(1e-3))
        return model, history.train["elbo"], model.elbo(test, rng=lesson.rng(9)).elbo

    for name in (None, *TRAINED):
        label = RIGHT if name is None else TRAINED[name]
        if name is None:
            model, curve, reported = trained_and_reported()
        else:
            with plant(by_name[name]):
                model, curve, reported = trained_and_reported()
        truth = model.elbo(test, rng=lesson.rng(9)).elbo  # the same parameters and noise, under the right code
        curves[label] = curve
        numbers[label] = {"reported": Mean.of(reported), "true": Mean.of(truth)}
        rows.append((name or RIGHT, Mean.of(reported), Mean.of(truth), "" if name is None else seen[name]))
    lesson.table(f"Test ELBO after {epochs} epochs, nats per image: what the wrong code says, and what is true of its "
                 "parameters",
                 ["in the code", "reported", "true", "gradient check alone"], rows)
    right = numbers[RIGHT]["true"].value
    reports = {label: row["reported"].value - row["true"].value for label, row in numbers.items()}
    wrong = [label for label, gap in reports.items() if abs(gap) > 0.5]
    near = [label for label, row in numbers.items() if label != RIGHT and row["true"].value > right - 0.5]
    told = ", ".join(f"{label} by {reports[label]:+.1f}" for label in wrong)
    lesson.say(
        f"{len(wrong)} of {len(TRAINED)} report a number that is wrong by more than half a nat:\n{told}.\n"
        f"The other {len(TRAINED) - len(wrong)} report the truth: what such a mistake costs, or by luck gains, is real."
        f"\nJudged by the right code, {len(near)} of the models are as good as the right one, or less than half a nat "
        f"worse:\n{', '.join(near) or 'none'}.\nNo run stopped. What gives a mistake away is a number that can be "
        "computed in another way, not the curve.\n")
    drawn = ("sigma := variance", "KL halved", "KL without -1", "KL swapped", "1/2 forgotten", "softplus")
    lesson.save(plotting.lines(
        np.arange(1, epochs + 1), {label: curves[label] for label in (RIGHT, *drawn)},
        "Without its label, which of these curves is the right code's? All rise and settle, as they should",
        "epoch", "ELBO that training reports, nats per image", colours=COLOUR), "mistakes_curves")
    figure, axes = plotting.panels(
        2, "Where wrong code reports a gain, its parameters have none under the right code", size=(5.6, 3.6))
    titles = {"reported": "what the code reports", "true": "its parameters, under the right code"}
    for ax, (key, title) in zip(axes, titles.items()):
        plotting.bars({label: numbers[label][key].value for label in (RIGHT, *drawn[:4])}, title,
                      "test ELBO, nats per image", colours=COLOUR, ax=ax)
    lesson.save(figure, "mistakes_elbo")
    return numbers


def too_good(lesson):
    """An FVBN whose pixels see themselves: the likelihood it reports, and the sum of p over all inputs of 12 pixels."""
    mistake = next(m for m in MISTAKES if m.topic == "FVBN")
    images = lesson.images(binary=True)
    pixels = np.argsort(-images.train.var(axis=0), kind="stable")[:12]  # the 12 that vary most
    every = (np.arange(2**12)[:, None] >> np.arange(12) & 1).astype(np.float32)

    def trained():
        model = sv.FVBN(12, rng=lesson.rng(1))
        sv.fit(model, images.train[:, pixels], epochs=lesson.pick(40, 4), rng=lesson.rng(2), optimizer=sv.Adam(0.02))
        total = np.exp(model.log_prob(every), dtype=np.float64).sum()
        return Mean.of(model.log_prob(images.test[:, pixels])), float(total)

    right = trained()
    with plant(mistake):
        wrong = trained()
    lesson.table("FVBN on 12 pixels of the test images",
                 ["in the code", "log p(x), nats", "sum of p over all 4096 images"],
                 [(RIGHT, *right), (mistake.name, *wrong)])
    lesson.say("Whoever sees the answer predicts it: the better likelihood is that of no distribution, "
               "as its sum says at once.")
    return {"right": right, "wrong": wrong}
