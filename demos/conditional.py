"""Can one ask for a digit, and have the same model tell which digit it sees?

Trains VAEs with labels on the MNIST-10k digits, binarised at one half: p(x given z, y) and q(z given x, y), y one-hot.
Draws each digit on demand, and has a classifier trained on real digits say what was drawn; keeps the z of an image and
changes y, so that all digits come in one handwriting; and asks by Bayes' rule, from the evidence under each class,
which digit an image shows, beside a network and logistic regression that learned nothing else.
+- counts runs and images.

With --data DIR it does the same on MNIST-format files of any classes, or with --data digits on the small digits.
Takes about 50 s, on 60,000 images about 60 s. Writes conditional_machine, conditional_digits, conditional_handwriting,
conditional_calibration (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding
from scratchvae import plotting

BAYES, NETWORK, LOGISTIC = "VAE, Bayes' rule", "network", "logistic regression"
COLOURS = {BAYES: plotting.COLOURS["VAE"], NETWORK: plotting.COLOURS["AE"], LOGISTIC: plotting.COLOURS["PCA"]}


def run(lesson):
    """Train, ask, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(binary=True, classes=2, default="mnist")
    n_runs, n_each, n_samples = lesson.pick((2, 100, 50), (2, 20, 10))
    test, labels = (part[:lesson.pick(1000, 100)] for part in (images.test, images.test_labels))
    runs = [one_run(lesson, images, test, labels, r, n_each, n_samples) for r in range(n_runs)]
    right = {name: np.array([run["p"][name].argmax(axis=1) == labels for run in runs], float) for name in runs[0]["p"]}
    sure = {name: np.array([run["p"][name].max(axis=1) for run in runs]) for name in right}
    nats = {name: np.array([log_of_the_label(run["p"][name], labels) for run in runs]) for name in right}

    asked, changed = (Finding.of(np.array([run[what] for run in runs], float)) for what in ("asked", "changed"))
    own, slanted, inked = (Finding.of(values) for values in (
        right[NETWORK], *(np.array([run[what] for run in runs]) for what in ("slant", "ink"))))
    lesson.table("What a network trained on real images recognises (shares)", ["images", "recognised as wanted"],
                 [("real test images", own), ("decoded, of the class asked for, z ~ N(0, I)", asked),
                  ("decoded, z of a test image, each other class", changed)])
    lesson.table("What stays when z is kept and the class is changed: correlations with the original, classes apart",
                 ["of the image", "correlation"], [("slant", slanted), ("ink", inked)])
    lesson.say(on_demand(asked, own) + "\n" + kept({"slant": slanted, "amount of ink": inked}) + "\n")
    lesson.table("Which class is it? (test images)", ["by", "accuracy", "log p(label), nats", "said p of the answer"],
                 [(name, Finding.of(right[name]), Finding.of(nats[name]), Finding.of(sure[name])) for name in right])
    excess = {name: Finding.of(sure[name] - right[name]) for name in right}
    lesson.say(told(Finding.of(right[BAYES] - right[LOGISTIC]), Finding.of(right[BAYES] - right[NETWORK])) + "\n"
               + calibrated(excess) + ".\n")

    draw(lesson, images, runs[0]["vae"], test, labels, asked, slanted)
    lesson.save(plotting.diagram(runs[0]["vae"]), "conditional_machine")
    lesson.save(reliability(sure, right, excess), "conditional_calibration")
    return {"recognised": {"real": own, "asked for": asked, "class changed": changed},
            "kept": {"slant": slanted, "ink": inked},
            "by": {name: {"accuracy": Finding.of(right[name]), "log p": Finding.of(nats[name])} for name in right}}


def one_run(lesson, images, test, labels, r, n_each, n_samples):
    """One VAE and the two classifiers, from starts of their own, and what they make of the test images."""
    C, D = len(images.names), images.train.shape[1]
    hidden = (400,) if images.large else (128,)
    data, valid = (images.train, images.train_labels), (images.valid, images.valid_labels)

    def trained(model, name, patience):
        sv.fit(model, *data, epochs=lesson.epochs(160, 16, images.train), batch_size=64, rng=rng, valid=valid,
               callbacks=[sv.EarlyStopping(patience=patience), lesson.progress(f"{name}, run {r + 1}")])
        return model

    rng = lesson.rng(10 * r)
    vae = trained(sv.VAE(D, hidden=hidden, n_latent=6, n_classes=C, rng=rng), "VAE with labels", 5)
    network = trained(sv.Classifier(D, hidden=(256,), n_classes=C, rng=rng), NETWORK, 5)
    logistic = trained(sv.Classifier(D, hidden=(), n_classes=C, rng=rng), LOGISTIC, 5)

    y = np.repeat(np.arange(C), n_each)
    asked = network.predict(vae.sample(len(y), y, rng=rng, mean=True)) == y
    # every class in the handwriting of each of the first test images : (n, C, D)
    n = min(len(test), 2 * n_each)
    z, others = vae.encode(test[:n], labels[:n])[0], np.arange(C) != labels[:n, None]
    drawn = vae.decode(np.repeat(z, C, axis=0), np.tile(np.arange(C), n))
    changed = (network.predict(drawn).reshape(n, C) == np.arange(C)).sum(axis=1, where=others) / (C - 1)
    measured = {name: agreement(of(test[:n]), of(drawn).reshape(n, C), labels[:n], others)
                for name, of in (("slant", lambda X: slant(X, images.shape)), ("ink", lambda X: X.mean(axis=1)))}
    by_bayes = sv.class_posterior(vae, test, n_samples=n_samples, rng=rng,
                                  progress=lesson.progress(f"p(x given y), run {r + 1}"))
    p = {BAYES: by_bayes.probability, NETWORK: network.predict_proba(test), LOGISTIC: logistic.predict_proba(test)}
    return {"vae": vae, "asked": asked, "changed": changed, "p": p, **measured}


def log_of_the_label(p, labels):
    """log p(label) : (N,), of p (N, C); what is below 1e-30 counts as that."""
    return np.log(np.maximum(p[np.arange(len(p)), labels], 1e-30))


def slant(X, shape):
    """How far each image (N, D) leans, in columns a row : (N,), the slope of its ink's columns on its rows."""
    row, column = (index.ravel() for index in np.indices(shape))
    ink = X / np.maximum(X.sum(axis=1, keepdims=True), 1e-9)
    covariance = ink @ (row * column) - (ink @ row) * (ink @ column)
    return -covariance / np.maximum(ink @ row**2 - (ink @ row) ** 2, 1e-9)


def agreement(original, drawn, labels, others):
    """Products (N,) whose mean is the correlation of a measure of the originals (N,) with that of what is drawn (N, C)
    in their handwriting of all `others` (N, C) of the classes; each class's own mean is taken out of both.
    """
    a = original - np.array([original[labels == c].mean() for c in labels])
    b = (drawn - drawn.mean(axis=0)).mean(axis=1, where=others)
    return (a - a.mean()) * (b - b.mean()) / max(a.std() * b.std(), 1e-12)


# ---- what is said ---------------------------------------------------------------------------------------------------

def on_demand(asked, own):
    """How often what is drawn is what was asked for; shares, Findings."""
    return (f"Of the images drawn to order {asked.value:.1%} are recognised as the class that was asked for, by a "
            f"network that recognises\n{own.value:.1%} of real test images.")


def kept(measures):
    """What of the style stays; name -> Finding of a correlation."""
    stays = ["the " + name for name, each in measures.items() if each.sign() > 0]
    lost = [name for name in measures if "the " + name not in stays]
    return ("y says the class, so z need not: "
            + (f"with y changed, {' and '.join(stays)} of the original stay" + "s" * (len(stays) == 1) if stays else "")
            + (", but " if stays and lost else "")
            + (f"no {' or '.join(lost)} of the original can be found again" if lost else "") + ".")


def told(over_logistic, over_network):
    """Whether Bayes' rule tells classes as well as those who learned it; Findings of differences of accuracy."""
    line = over_logistic.words("more often right than logistic regression", "less often right than logistic regression",
                               "right as often as logistic regression, as far as can be told")
    net = over_network.words("more often than the network", "less often than the network",
                             "as often as the network, as far as can be told")
    return (f"A model that learned to draw classes, not to tell them apart, is by Bayes' rule {line}\n"
            f"({signed(over_logistic)}), and {net} ({signed(over_network)}).")


def signed(difference):
    """A difference of shares in points."""
    return f"{100 * difference.value:+.1f} +- {100 * difference.error:.1f} points"


def calibrated(excess):
    """Whether the stated probabilities are the frequencies; name -> Finding of stated minus right."""
    def judged(each):
        return each.words(f"{100 * each.value:.1f} points too sure", f"{-100 * each.value:.1f} points not sure enough",
                          "as sure as it is right")
    return "; ".join(f"{name}: {judged(each)}" for name, each in excess.items())


# ---- what is drawn --------------------------------------------------------------------------------------------------

def draw(lesson, images, vae, test, labels, asked, slanted):
    """Digits on demand; and one handwriting a row, its own digit first."""
    C = min(len(images.names), 10)
    shown = "all classes" if C == len(images.names) else f"{C} of the {len(images.names)} classes"
    y = np.repeat(np.arange(C), 10)
    lesson.save(plotting.image_grid(
        vae.sample(len(y), y, rng=lesson.rng(99), mean=True), f"Drawn to order, {shown} in rows, z ~ N(0, I): "
        f"{asked.value:.0%} are recognised as what was asked for", row_labels=list(images.names[:C]),
        shape=images.shape), "conditional_digits")
    rows = images.one_of_each(8)
    rows = rows[rows < len(test)]
    z = vae.encode(test[rows], labels[rows])[0]
    drawn = vae.decode(np.repeat(z, C, axis=0), np.tile(np.arange(C), len(rows))).reshape(len(rows), C, -1)
    tiles = np.concatenate([test[rows][:, None], drawn], axis=1).reshape(-1, test.shape[1])
    lesson.save(plotting.image_grid(
        tiles, f"A real image, and {shown} in its style: z kept, y changed (slant correlates by "
        f"{slanted.value:.2f})", n_columns=C + 1, row_labels=[images.names[c] for c in labels[rows]],
        shape=images.shape), "conditional_handwriting")


@plotting.house_style()
def reliability(sure, right, excess):
    """How often answers are wrong against how often they say they are: five groups of equal size, by what they say."""
    figure, (ax,) = plotting.panels(1, calibrated(excess), size=(6.8, 4.2))
    low = 1e-4
    ax.plot([low, 1], [low, 1], color=plotting.GREY, linestyle="--", linewidth=1.2, label="as it should be")
    for marker, name in zip("os^", sure):
        doubt, wrong = 1 - sure[name].ravel(), 1 - right[name].ravel()
        groups = np.array_split(np.argsort(doubt, kind="stable"), 5)
        ax.plot([max(doubt[g].mean(), low) for g in groups], [(wrong[g].sum() + 1) / (len(g) + 2) for g in groups],
                marker=marker, color=COLOURS[name], label=name)
    ax.set(xscale="log", yscale="log", xlabel=f"probability of being wrong that it states (at least {low:g} is shown)",
           ylabel="share of wrong answers (and one of each kind more)")
    ax.grid(color=plotting.PALE, linewidth=0.6)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


if __name__ == "__main__":
    run_as_command(__spec__)
