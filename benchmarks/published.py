"""What was published, what did we measure, may the two be compared? The tables of `reproduce.py`, made of its lines."""
from collections import namedtuple

import numpy as np

from demos.judgement import Finding, listing
from demos.lesson import Mean

Row = namedtuple("Row", "model training number published compared")

EXAMPLE = 106.66        # test loss of PyTorch's example after 7 epochs, from its log
BEST_MADE = -86.64      # Germain et al. 2015, table 6: two layers of 8,000 units, 32 orders
STOPPED = "fvbn", "made", "orders"     # trained until early stopping

ROWS = [
    Row("VAE of PyTorch's example, test loss", "vae", "test", f"{EXAMPLE}", "numbers: same data, same training"),
    Row("the same in PyTorch, our start and noise", "torch", "test", "", "numbers, seed by seed"),
    Row("the same in PyTorch, its own start", "torch-own", "test", "", "numbers: beside the published one"),
    Row("FVBN, log p(x)", "fvbn", "log_p", "none found", "beside MADE, trained alike"),
    Row("MADE, 500 units, 1 order, log p(x)", "made", "log_p", "-94.5",
        "numbers, roughly: pixels drawn otherwise"),
    Row("MADE, 500 units, 8 orders, log p(x)", "orders", "log_p", f"{BEST_MADE}",
        "ranking only: theirs has 2 layers of 8,000 units, 32 orders"),
    Row("its averaged logits: a score, no log p(x)", "orders", "score", "-79.3",
        "nothing: 10 orders theirs, 8 ours, and no distribution either"),
    Row("VAE, 5 samples, log p(x)", "burda-vae", "log_p", "-86.47", "ranking only: shortened"),
    Row("IWAE, 5 samples, log p(x)", "burda-iwae", "log_p", "-85.54", "ranking only: shortened")]

SETTINGS = [  # trainings, as their names begin; how they train; epochs of the source, if not the same; the source
    ("vae", "784-400-20 ReLU, batch 128, Adam 1e-3, grey pixels", None, "PyTorch's examples, vae, its log"),
    ("torch", "the same", None, ""),
    ("fvbn", "5 images in 6 (the others validate), one draw of the pixels, batch 100, Adam 1e-3, early stopping", None,
     "Frey 1998"),
    ("made", "500 units and direct connections (theirs has none), else as FVBN", None, "karpathy/pytorch-made, README"),
    ("orders", "as MADE", None,
     "Germain et al. 2015, table 6; the score: pytorch-made, README, whose run.py averages logits"),
    ("burda", "784-200-200-50 tanh, batch 20, Adam 1e-3 to 1e-4 in 8 steps, new pixels every epoch", 3280,
     "Burda et al. 2016, table 1"),
    ("latents", "784-500-K tanh, batch 100, Adagrad 0.02, new pixels every epoch", 1667,
     "Kingma & Welling 2014, figure 2")]


def report(lesson, lines):
    """The tables and what they show, of each data set trained on; lines : (data, training, seed) -> numbers."""
    for data in dict.fromkeys(data for data, _, _ in lines):
        done = {}
        for (name, training, _), line in lines.items():
            if name == data:
                done.setdefault(training, []).append(line)
        results(lesson, done, data)
        for sentence in filter(None, (tell(done) for tell in (example, orders, averaged_logits, importance))):
            lesson.say(sentence)
            lesson.say()
        latents(lesson, done)
        settings(lesson, done, data)


def results(lesson, done, data):
    """The table of single numbers."""
    rows = [(row.model, row.published, number(done[row.training], row.number),
             ("cut short: " if cut(done[row.training][0]) else "") + row.compared)
            for row in ROWS if row.training in done]
    if rows:
        lesson.table(f"On {data}: published and ours, in nats per test image (+- over seeds where there are several, "
                     "else over images)",
                     ["model", "published", "ours", "what can be compared"], rows)


def cut(line):
    """Whether early stopping had not yet come when the epochs ended."""
    return line["training"] in STOPPED and line["epochs"] == line["asked"]


def number(lines, name):
    """A number's mean with its error, as a text."""
    values = [line[name] for line in lines]
    if len(values) > 1:
        return f"{Mean.of(values)} ({len(values)} seeds)"
    return str(Mean(values[0], lines[0]["error"])) if "error" in lines[0] else f"{values[0]:.2f}"


def example(done):
    """Ours beside the published number, and beside PyTorch's own run of the same."""
    told = []
    if "vae" in done:
        ours = [line["test"] for line in done["vae"]]
        side = "below" if np.mean(ours) < EXAMPLE else "above"
        told.append(f"The example's test loss is {np.mean(ours):.2f} by this library (epochs: "
                    f"{done['vae'][0]['epochs']}), {abs(np.mean(ours) - EXAMPLE):.2f} {side} the "
                    f"published one (epochs: 7); {np.max(ours):.2f} in the worst of {len(ours)} runs.")
    if "vae" in done and "torch" in done:
        theirs = {line["seed"]: line["test"] for line in done["torch"]}
        apart = [line["test"] - theirs[line["seed"]] for line in done["vae"] if line["seed"] in theirs]
        told.append(f"From PyTorch's, with the same start, minibatches and noise, it is {np.abs(apart).max():.2f} away "
                    f"at most ({', '.join(f'{a:+.2f}' for a in apart)}); the test noise is another in each.")
    if "torch-own" in done:
        told.append(f"PyTorch's from its own start ends at {done['torch-own'][0]['test']:.2f} (one run).")
    return " ".join(told)


def paired(done, first, second):
    """The difference of two models' log p on the same images, in the sources' own words; one training of each."""
    if first not in done or second not in done:
        return None
    return Finding.of(np.subtract(done[first][0]["first"], done[second][0]["first"]))


def orders(done):
    """A hidden layer beside none, several orders beside one."""
    told = []
    for first, second, what in (("made", "fvbn", "MADE of one order - FVBN"),
                                ("orders", "made", "MADE of 8 orders - of one")):
        if (gap := paired(done, first, second)) is not None:
            told.append(f"{what}: {gap} nats, {gap.words('the first is better', 'the second is better')}, "
                        f"epochs: {done[first][0]['epochs']} and {done[second][0]['epochs']}.")
    return " ".join(told + ["The error is over images: one training of each."] * bool(told))


def averaged_logits(done):
    """What the mistake would have had us publish, and why it is none of the probabilities."""
    if "orders" not in done:
        return ""
    line = done["orders"][0]
    gain, (total, error) = line["score"] - line["log_p"], (line["log_sum"], line["log_sum_error"])
    told = (f"The mistake: with the logits of all orders averaged the formula of log p(x) gives {line['score']:.2f}, "
            f"{gain:+.2f} beside the exact value"
            f"{', above the best published MADE' if line['score'] > BEST_MADE else ''}. ")
    if total > 3 * error:
        return told + (f"It is no distribution: over all images it sums to e^{total:.1f} or more (+- {error:.1f} in "
                       "the exponent; a bound, by Jensen's inequality, from images that the model drew itself), where "
                       "a distribution sums to 1.")
    return told + (f"That it sums to more than 1 is not to be seen: to e^{total:.2f} or more, +- {error:.2f} in the "
                   "exponent.")


def importance(done):
    """Whether the ranking of Burda et al. is found."""
    gap = paired(done, "burda-iwae", "burda-vae")
    return "" if gap is None else (
        f"IWAE - VAE: {gap} nats, {gap.words('the ranking of Burda et al.', 'the reverse of what Burda et al. found')} "
        f"(published: {-85.54 + 86.47:+.2f}). The error is over images: one training of each.")


def latents(lesson, done):
    """Figure 2 as a table: the bound against the number of training images seen."""
    curves = {name.rpartition("-")[2]: lines[0] for name, lines in done.items() if name.startswith("latents")}
    if not curves:
        return
    n = min(len(line["test"]) for line in curves.values())
    shown = sorted({min(n, 2**i) for i in range(n.bit_length() + 1)})
    lesson.table("Kingma & Welling's figure 2: ELBO of test images (in brackets: training images, while learned)",
                 ["images seen", *(f"{K} latents" for K in curves)],
                 [(f"{epochs * next(iter(curves.values()))['images']:,}",
                   *(f"{line['test'][epochs - 1]:.1f} ({line['train'][epochs - 1]:.1f})" for line in curves.values()))
                  for epochs in shown])
    ranked = sorted(curves, key=lambda K: curves[K]["test"][n - 1])
    as_published = ranked == sorted(ranked, key=int)
    lesson.say(f"From worst to best: {listing(ranked)} latents{', as published' if as_published else ''}. Theirs sees "
               "up to 100,000,000 images; only the ranking can be compared, and one training of each cannot swear to "
               "it.")


def settings(lesson, done, data):
    """How each was trained, for how long, and after whom."""
    rows = []
    for begin, how, published, source in SETTINGS:
        lines = [line for name, each in done.items() if name.startswith(begin) for line in each]
        if lines:
            rows.append((begin, how, length(lines[0], published), source))
    lesson.table(f"On {data}: how they were trained", ["training", "how", "epochs", "source"], rows)


def length(line, published):
    """How many epochs, and whether that is what the source had."""
    if published:
        return f"{line['epochs']} of {published}: shortened"
    stopped = ", early stopping" if line["training"] in STOPPED else ""
    return f"{line['epochs']}" + (": cut short" if cut(line) else stopped)
