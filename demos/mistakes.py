"""Would you have noticed? Well-known mistakes, what training looks like with each, and the check that catches it.

Plants one mistake after another in the running library (see `demos/catalogue_of_mistakes.py`) and measures two things.
For every one: does a gradient check alone, tensor by tensor against central differences, find it? And for some of the
VAE's: train on the bundled digits with the mistake in the code, in several runs, and compare the test ELBO that the
wrong code reports with the ELBO of the very same parameters under the right code. The curve of training often looks
fine.

The images are the 8 x 8 digits, since every mistake is trained several times.
With --data DIR it trains on MNIST-format files (2 epochs of 60,000 images).
Takes about 45 s, on 60,000 images about 70 s. Writes mistakes_machine,
mistakes_curves and mistakes_elbo (.png).
"""
from collections import Counter
from contextlib import nullcontext

import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.catalogue_of_mistakes import MISTAKES, gradient_check_fails, plant
from demos.judgement import Finding, listing
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
    "weights that start within 1/n_in, where 1/sqrt(n_in) belongs": "small weights",
    "Adam without bias correction": "uncorrected Adam",
}
KNOWN = (*TRAINED, "a ReLU whose backward ignores the mask", "gradients added to those of the step before",
         "Adam's epsilon under the root", "data that are not centred", "a mask that lets a pixel see itself",
         "a last mask that is off by one", "averaged logits over orders reported as a likelihood")
RIGHT = "right code"
COLOUR = {RIGHT: plotting.COLOURS["VAE"]}


def run(lesson):
    """Plant, check, train, compare; returns the measured numbers."""
    lesson.say(__doc__.splitlines()[0])
    lesson.images(binary=True)  # what cannot be done is refused before anything is trained
    seen = what_a_gradient_check_sees(lesson)
    numbers = what_training_looks_like(lesson, seen)
    return {"mistakes": len(MISTAKES), "gradient check": dict(Counter(seen.values())), "trained": numbers,
            "a pixel sees itself": too_good(lesson)}


def what_a_gradient_check_sees(lesson):
    """Mistake -> "yes" or "no", or "-" where there is no derivative to check; prints the well-known and the counts."""
    seen = {}
    for mistake in MISTAKES:
        if mistake.gradient is None:
            seen[mistake.name] = "-"
            continue
        with plant(mistake):
            seen[mistake.name] = "yes" if gradient_check_fails(mistake.gradient) else "no"
    known = [m for m in MISTAKES if m.name in KNOWN]
    lesson.table("Well-known mistakes: does a gradient check alone find them? (- where there is no derivative)",
                 ["mistake", "found", "rejected by, in tests/test_..."],
                 [(m.name, seen[m.name], m.check.removeprefix("test_")) for m in known])
    lesson.table("What one sees of them", ["mistake", "sign"], [(m.name, m.look) for m in known])
    topics = {m.topic: Counter(seen[other.name] for other in MISTAKES if other.topic == m.topic) for m in MISTAKES}
    lesson.table(f"All {len(MISTAKES)} mistakes, by topic: how many a gradient check alone finds",
                 ["topic", "mistakes", "found", "passed", "no derivative"],
                 [(topic, n.total(), n["yes"], n["no"], n["-"]) for topic, n in topics.items()])
    counts = Counter(seen.values())
    lesson.say(
        f"A gradient check alone finds {counts['yes']} of the {len(MISTAKES)}. It compares backward with forward, so it"
        " is blind where both are wrong in the\n"
        f"same way or where the mistake is in neither ({counts['no']} passed it), and it has nothing to say where"
        f" nothing is differentiated ({counts['-']}).\n"
        "The suite's own checks reject them all: tests/test_mutants.py plants each one to see them fail.\n")
    return seen


def what_training_looks_like(lesson, seen):
    """Train a VAE with each mistake of `TRAINED`; what it reports and what is true of the same parameters."""
    images = lesson.images(binary=True)
    epochs, test = max(2, lesson.epochs(60, 2, images.train)), images.test[:2000]
    n_runs = lesson.pick(2 if images.large else 3, 2)
    by_name, curves, rows, numbers, elbo = {m.name: m for m in MISTAKES}, {}, [], {}, {}

    def trained_and_reported(run):
        model = sv.VAE(images.train.shape[1], (128,), 8, rng=lesson.rng(1 + 100 * run))
        history = sv.fit(model, images.train, epochs=epochs, rng=lesson.rng(2 + 100 * run), optimizer=sv.Adam(1e-3))
        return model, history.train["elbo"], model.elbo(test, rng=lesson.rng(9)).elbo

    for name in (None, *TRAINED):
        label = RIGHT if name is None else TRAINED[name]
        with nullcontext() if name is None else plant(by_name[name]):
            runs = [trained_and_reported(run) for run in range(n_runs)]
        if name is None:
            right = runs[0][0]
        curves[label] = runs[0][1]
        elbo[label] = {"reported": np.array([reported for *_, reported in runs], dtype=np.float64),     # (runs, N)
                       # the same parameters and noise, under the right code
                       "true": np.array([model.elbo(test, rng=lesson.rng(9)).elbo for model, *_ in runs], np.float64)}
        numbers[label] = {key: Finding.of(values) for key, values in elbo[label].items()}
        rows.append((name or RIGHT, *numbers[label].values(), "" if name is None else seen[name]))
    lesson.table(f"Test ELBO after {epochs} epochs, nats per image: what the wrong code says, and what is true of its "
                 f"parameters (+- over images and {n_runs} runs)",
                 ["in the code", "reported", "true", "gradient check alone"], rows)
    lesson.save(plotting.diagram(right), "mistakes_machine")
    apart = {label: {"reports": Finding.of(e["reported"] - e["true"]),
                          "claims": Finding.of(e["reported"] - elbo[RIGHT]["true"]),
                          "costs": Finding.of(elbo[RIGHT]["true"] - e["true"])}
                  for label, e in elbo.items() if label != RIGHT}
    lesson.say(what_is_reported({label: n["reports"] for label, n in apart.items()},
                                {label: n["costs"] for label, n in apart.items()}))
    drawn = ("sigma := variance", "KL halved", "KL without -1", "KL swapped", "1/2 forgotten", "softplus")
    lesson.save(plotting.lines(
        np.arange(1, epochs + 1), {label: curves[label] for label in (RIGHT, *drawn)},
        "Without its label, which of these curves is the right code's? "
        f"{sum(curves[label][-1] > curves[label][0] for label in (RIGHT, *drawn))} of {1 + len(drawn)} rise from the "
        "first epoch to the last", "epoch", "ELBO that training reports, nats per "
                                            "image", colours=COLOUR), "mistakes_curves")
    figure, axes = plotting.panels(2, claimed_gains({label: (n["claims"].sign(), -n["costs"].sign())
                                                     for label, n in apart.items() if label in drawn[:4]}),
                                   size=(5.6, 3.6))
    titles = {"reported": "what the code reports", "true": "its parameters, under the right code"}
    for ax, (key, title) in zip(axes, titles.items()):
        plotting.bars({label: numbers[label][key].value for label in (RIGHT, *drawn[:4])}, title,
                      "test ELBO, nats per image", colours=COLOUR, ax=ax)
    lesson.save(figure, "mistakes_elbo")
    return numbers


def what_is_reported(reports, costs, much=0.5):
    """Which mistakes' numbers are wrong, and which models bad. reports : mistake -> Finding of what it reports minus
    the truth; costs : of the right code's ELBO minus its own, judged by the right code."""
    wrong = {label: gap for label, gap in reports.items() if gap.sign() and abs(gap.value) > much}
    worse, better = ([label for label, cost in costs.items() if cost.sign() == sign] for sign in (1, -1))
    rest = [label for label in costs if label not in (*worse, *better)]
    told = f":\n{', '.join(f'{label} by {gap.value:+.1f}' for label, gap in wrong.items())}." if wrong else "."
    return (f"{len(wrong) or 'None'} of {len(reports)} report a number that is clearly wrong by more than half a "
            f"nat{told}\n"
            f"The other {len(reports) - len(wrong)} report the truth, to half a nat or to its error: what such a "
            "mistake costs is real.\n"
            f"Judged by the right code, clearly worse models: {listing(worse)}; clearly better: {listing(better)};\n"
            f"no clear difference: {listing(rest)}.\nNo run stopped. What gives a mistake away is a number that can be "
            "computed in another way, not the curve.\n")


def claimed_gains(signs):
    """The title of the bars. signs : mistake -> those of its reported and of its true ELBO minus the right code's."""
    claims = [label for label, (claimed, _) in signs.items() if claimed > 0]
    true = [label for label in claims if signs[label][1] > 0]
    if not claims:
        return "None of these mistakes reports more than the right code's ELBO"
    return (f"Above the right code's ELBO report: {listing(claims)}. Truly above it are, judged by the right code: "
            f"{listing(true)}")


def too_good(lesson):
    """An FVBN whose pixels see themselves: the likelihood it reports, and the sum of p over all inputs of 12 pixels."""
    mistake = next(m for m in MISTAKES if m.topic == "FVBN")
    images = lesson.images(binary=True)
    pixels = np.argsort(-images.train.var(axis=0), kind="stable")[:12]  # the 12 that vary most
    every = (np.arange(2**12)[:, None] >> np.arange(12) & 1).astype(np.float32)

    def trained():
        model = sv.FVBN(12, rng=lesson.rng(1))
        sv.fit(model, images.train[:, pixels], epochs=lesson.epochs(40, 4, images.train), rng=lesson.rng(2),
               optimizer=sv.Adam(0.02))
        total = np.exp(model.log_prob(every), dtype=np.float64).sum()
        return model.log_prob(images.test[:, pixels]).astype(np.float64), float(total)

    right = trained()
    with plant(mistake):
        wrong = trained()
    lesson.table("FVBN on 12 pixels of the test images",
                 ["in the code", "log p(x), nats", "sum of p over all 4096 images"],
                 [(name, Mean.of(log_p), total) for name, (log_p, total) in ((RIGHT, right), (mistake.name, wrong))])
    lesson.say(no_distribution(Finding.of(wrong[0] - right[0]), wrong[1]))
    return {"right": (Mean.of(right[0]), right[1]), "wrong": (Mean.of(wrong[0]), wrong[1])}


def no_distribution(gain, total):
    """What a pixel that sees itself reports. gain : Finding of its log p minus the right one; total : its sum of p."""
    return (f"Whoever sees the answer predicts it: it reports {gain} nats more ({gain.words('better', 'worse')}), and "
            f"its sum, {total:.3g}, is {'1 all the same' if abs(total - 1) < 1e-3 else 'that of no distribution'}.")


if __name__ == "__main__":
    run_as_command(__spec__)
