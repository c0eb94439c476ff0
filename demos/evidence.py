"""How probable is x? Why sampling the prior fails, what four estimators of log p(x) are worth, and a tighter bound.

On VAEs of 2 and of 16 latents trained on binary images. With 2 the truth is known, from a grid over z; with 16 it is
not, and the best estimate takes its place. Each estimator comes with its effective sample size: how many of the samples
count. Then the multi-sample bound: how it rises with k, its gradient with k = 1 beside that of the ELBO with the KL in
closed form, and what it gains to train it (the importance-weighted autoencoder).

With --data DIR it does the same on MNIST-format files (fewer test images).
Takes about 55 s, on 60,000 images about 4 min. Writes evidence_samples, evidence_bound (.png).
"""
from math import exp, factorial

import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding, listing
from demos.lesson import Mean
from demos.trained import digit_vae, look, on_a_finer_grid, on_own_grids
from scratchvae import plotting

NAMES = {"importance": "q", "widened": "q, 1.5 times as wide", "defensive": "9 parts q, 1 prior", "prior": "prior"}


def run(lesson):
    """Train, estimate, compare; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(binary=True)
    flat, deep = (digit_vae(lesson, images, f"VAE, {k} latents", k, stream=k) for k in (2, 16))
    n_samples = lesson.pick(1000, 50)

    rows, boxes, pieces = on_own_grids(lesson, flat, images.test, lesson.pick(20 if images.large else 200, 20))
    X, truth = images.test[rows], np.array([p.log_evidence[0] for p in pieces])
    few = X[:5]
    halved = np.array([look(flat, x[None], box, flat.encode(x[None]), on_a_finer_grid) for x, box in zip(few, boxes)])
    best, unsure, told = reference(lesson, deep, X, lesson.pick(10 if images.large else 30, 3) * n_samples)
    lesson.say(f"\nThe grid's log p(x) moves by {np.abs(halved - truth[:5]).max():.0e} at most when its step is halved "
               f"({len(few)} images). {told}")
    references = {"2 latents": (flat, truth), "16 latents": (deep, best)}
    numbers = {"estimators": estimators(lesson, X, references, {"2 latents": 0.0, "16 latents": unsure}, n_samples)}
    samples_figure(lesson, X, references)
    numbers["bound"] = bound(lesson, X, references)
    numbers["one sample"] = one_sample(lesson, X[:20], references)
    numbers["training"] = training(lesson, images, deep)
    return numbers


def reference(lesson, vae, X, n):
    """log p(x) and its standard error, both (N,), from two halves of n samples each; and how far these agree."""
    halves = [sv.log_evidence(vae, X, n_samples=n, rng=lesson.rng(30 + half), method="defensive") for half in (0, 1)]
    (a, b), errors = [half.value for half in halves], np.array([sv.standard_error(half.ess, n) for half in halves])
    best, unsure = np.logaddexp(a, b) - np.log(2), np.sqrt((errors**2).sum(axis=0)) / 2
    apart = np.abs(a - b)
    return best, unsure, (
        f"For {vae.n_latent} latents the reference is the defensive mixture with {2 * n} samples: standard error "
        f"{np.median(unsure):.3f} nats for the median image, {unsure.max():.2f} for the worst, "
        f"of the mean {np.sqrt(np.sum(unsure**2)) / len(X):.0e}. Its halves differ by {np.median(apart):.3f} nats for "
        f"the median image and by {apart.max():.2f} for the worst, and by more than three of their errors for "
        f"{np.sum(apart > 3 * np.hypot(*errors))} of {len(X)}. The last column of the table counts the reference's "
        "error beside the estimate's own.")


def estimators(lesson, X, references, unsure, n_samples):
    """Four proposals on both models, against the reference, which has a standard error itself."""
    rows, numbers, sizes = [], {}, {}
    for model, (vae, truth) in references.items():
        for method, name in NAMES.items():
            value, ess = sv.log_evidence(vae, X, n_samples=n_samples, rng=lesson.rng(40), method=method)
            off = value - truth
            outside = float(np.mean(np.abs(off) > 3 * np.hypot(sv.standard_error(ess, n_samples), unsure[model])))
            sizes[model, method] = size = np.abs(off)
            number = {"off": Mean.of(off), "|off|": Mean.of(size), "|off|, median": float(np.median(size)),
                      "|off|, worst 1 %": float(np.percentile(size, 99)), "ess": float(ess.mean()),
                      "ess, median": float(np.median(ess)), "ess, worst 1 %": float(np.percentile(ess, 1)),
                      "outside": outside}
            numbers[model, method] = number
            rows.append((model.split()[0], name, *(
                f"{n:.1f}" if "ess" in key else f"{n:.3f}" if isinstance(n, float) else n
                for key, n in number.items() if key != "ess")))
    lesson.table(f"log p(x) of {len(X)} test images with {n_samples} samples, minus the reference, nats (+- over "
                 "images)",
                 ["latents", "proposal", "mean error", "|error|: mean", "median", "worst 1 %", "ess: median",
                  "worst 1 %", "> 3 errors"], rows)
    small, large = numbers["2 latents", "prior"], numbers["16 latents", "prior"]
    plain, mixed = numbers["2 latents", "importance"], numbers["2 latents", "defensive"]
    apart = {(model, method): Finding.of(sizes[model, method] - sizes[model, "importance"])
             for model in references for method in ("defensive", "widened")}
    lost = bool(large["ess, median"] < n_samples / 20)
    lesson.say(f"The prior: in 2 dimensions {small['ess, median']:.0f} of {n_samples} blind samples count as a "
               f"median, and the mean |error| is {small['|off|'].value:.2f} nats.\n"
               f"In 16 dimensions {large['ess, median']:.1f} count and the mean |error| is "
               f"{large['|off|'].value:.1f} nats{': for nearly every z p(x given z) is next to nothing' * lost}.\n"
               f"The encoder, 2 latents: mean |error| {plain['|off|'].value:.3f} nats with q as it is, worst 1 % from "
               f"{plain['|off|, worst 1 %']:.2f} up; with a tenth of the samples\n"
               f"from the prior {mixed['|off|'].value:.3f} and {mixed['|off|, worst 1 %']:.2f}: "
               f"{outside_q(apart['2 latents', 'defensive'])}.\n"
               f"A q that is 1.5 times as wide changes the mean |error| by {apart['2 latents', 'widened']} with 2 "
               f"latents ({apart['2 latents', 'widened'].words('worse', 'better')}), by\n"
               f"{apart['16 latents', 'widened']} "
               f"with 16 ({apart['16 latents', 'widened'].words('worse', 'better')}).\n"
               "An error of either sign is small in a mean of many images: judge one image's estimate by the mean "
               "|error|.\n")
    lesson.say(too_often({f"{NAMES[method]}, {model}": round(number["outside"] * len(X))
                          for (model, method), number in numbers.items()}, len(X)))
    return numbers


def outside_q(apart):
    """Whether samples from the prior help q. apart : Finding over images of |error| with them minus without."""
    return apart.words("the prior's share costs more than it brings",
                       "where the posterior reaches outside q, q alone misses it; look at the\nworst 1 % of its ess",
                       f"no clear difference ({apart})")


def too_often(beyond, n, expected=0.0027):
    """Which estimates are off by more than they say. beyond : name -> how many of n images are off by over 3 errors."""
    def chance(count):  # of so many or more, Poisson
        return 1 - sum(exp(-n * expected) * (n * expected) ** i / factorial(i) for i in range(count))

    off = [f"{name} ({count})" for name, count in beyond.items() if chance(count) < 0.05 / len(beyond)]
    return ("An estimate's own standard error knows only of what its samples found. With Gaussian errors "
            f"{n * expected:.1f} of {n} images would be off by more than three. Clearly more are, beyond what chance "
            f"gives once in 20 such tables: {listing(off)}.\n")


def samples_figure(lesson, X, references):
    """Error and effective sample size against the number of samples."""
    counts = np.array(lesson.pick((1, 3, 10, 30, 100, 300), (1, 10)))
    everything = {model: {name: [sv.log_evidence(vae, X, n_samples=int(n), rng=lesson.rng(50 + i), method=method)
                                 for i, n in enumerate(counts)] for method, name in NAMES.items()}
                  for model, (vae, _) in references.items()}
    blind = ", ".join(f"{np.median(found['prior'][-1].ess):.1f} with {model}" for model, found in everything.items())
    figure, axes = plotting.panels(4, f"Of {counts[-1]} blind samples from the prior so many count for the median "
                                      f"image: {blind}",
                                   n_columns=2, size=(4.6, 3.2))
    for column, (model, (vae, truth)) in enumerate(references.items()):
        found = everything[model]
        plotting.lines(counts, {name: np.array([np.abs(e.value - truth).mean() for e in each])
                                for name, each in found.items()},
                       f"{model}: how wrong log p(x) is", "samples", "mean |error|, nats", logx=True, logy=True,
                       ax=axes[column])
        plotting.lines(counts, {name: np.array([np.median(e.ess) for e in each]) for name, each in found.items()},
                       f"{model}: how many samples count", "samples", "effective samples, median", logx=True, logy=True,
                       ax=axes[2 + column])
    for row in (axes[:2], axes[2:]):  # models side by side are compared on one scale
        low, high = np.transpose([ax.get_ylim() for ax in row])
        for ax in row:
            ax.set_ylim(low.min(), high.max())
    for ax in axes[:3]:  # in the last there is room for it
        ax.get_legend().remove()
    lesson.save(figure, "evidence_samples")


def bound(lesson, X, references):
    """L_k for k = 1, 5, 50: the sampling error only, for the same images throughout."""
    numbers, rows = {}, []
    for model, (vae, truth) in references.items():
        for k in (1, 5, 50):
            value, error = sv.multi_sample_bound(vae, X, k=k, n_repeats=20, rng=lesson.rng(60 + k))
            numbers[model, k] = Mean(float(value.mean()), float(np.sqrt(np.sum(error**2)) / len(X)))
        numbers[model, "log p(x)"] = float(truth.mean())
        rows.append((model, *(numbers[model, k] for k in (1, 5, 50)), float(truth.mean())))
    lesson.table("The multi-sample bound, nats per image (+- from sampling, 20 repeats)",
                 ["model", "k = 1: the ELBO", "k = 5", "k = 50", "log p(x)"], rows)
    steps = [Finding(numbers[m, b].value - numbers[m, a].value, *((numbers[m, k].error, np.inf) for k in (a, b)))
             for m in references for a, b in ((1, 5), (5, 50))]
    lesson.say(rising([step.sign() for step in steps]))
    return numbers


def rising(signs):
    """Whether the bound rises with k as it must in the mean: the sign of each step, 0 where sampling hides it."""
    return (f"More samples before the logarithm cannot hurt in the mean: of {len(signs)} steps in k the bound clearly "
            f"rises in {signs.count(1)} and\nclearly falls in {signs.count(-1) or 'none'} (error: sampling).\n")


def one_sample(lesson, X, references):
    """The gradients of the ELBO with its KL in closed form and of the bound with k = 1, from the same noise."""
    n_blocks, n_draws, rng = lesson.pick(10, 2), lesson.pick(100, 10), lesson.rng(80)
    rows, numbers, n, closed, sampled = [], {}, n_blocks * n_draws, "in closed form", "sampled: k = 1"
    for model, (vae, _) in references.items():
        single = sv.IWAE(vae.n_features, vae.hidden, vae.n_latent, n_samples=1, rng=rng)
        single.theta[:] = vae.theta
        ways = {closed: vae, sampled: single}
        bounds, variances = ({name: [] for name in ways} for _ in range(2))
        # Sums of the difference and its square, for the encoder; the decoder's gradients are the same.
        apart, squares = np.zeros((2, len(vae.encoder.grad)))
        for _ in range(n_blocks):
            sums = {name: np.zeros((2, len(apart))) for name in ways}
            for _ in range(n_draws):
                eps = vae.noise(len(X), rng)
                for name, way in ways.items():
                    bounds[name].append(-way.loss_and_grad(X, eps=eps).loss)
                    g = way.encoder.grad.astype(np.float64)
                    sums[name] += g, g * g
                difference = g - vae.encoder.grad
                apart += difference
                squares += difference**2
            for name, (total, of_squares) in sums.items():
                variances[name].append(((of_squares - total**2 / n_draws) / (n_draws - 1)).sum())
        # Of the mean difference; 0 for a unit that no image excites.
        error = np.sqrt((squares - apart**2 / n) / (n - 1) / n)
        off = float(np.sqrt(np.mean((apart / n / np.where(error > 0, error, np.inf))[error > 0] ** 2)))
        for name in ways:
            numbers[model, name] = {"bound": Mean.of(bounds[name]), "variance": Mean.of(variances[name]),
                                    "ratio": Mean.of(np.divide(variances[name], variances[closed])),
                                    "off": off if name == sampled else 0.0}
            rows.append((model, name, *numbers[model, name].values()))
    lesson.table(f"The gradient of the encoder's parameters, {len(X)} images a step, {n} steps from the same noise (+- "
                 "from sampling)",
                 ["model", "KL", "bound", "variance, all parameters", "over the closed form's", "means differ by"],
                 rows)
    ratios = [numbers[model, sampled]["ratio"].value for model in references]
    lesson.say("With k = 1 the multi-sample bound is the ELBO whose KL is sampled too, log q(z given x) - log p(z) at "
               "the one z. Bound and\ngradient have the same mean (the last column is in standard errors, root mean "
               f"square over the parameters; 1 is\nchance); the gradient's variance is {ratios[0]:.2f} and "
               f"{ratios[1]:.2f} times that with the KL in closed form.\nThe value is another matter: its own error is "
               "in the column of the bound.\n")
    return numbers


def training(lesson, images, vae):
    """Train the bound with k = 5; a VAE with 5 samples a step tells how much of a difference is only less noise.

    Several runs of each, for two runs differ by more than the images tell; run r of all has the same start and batches.
    """
    test, n_samples = images.test[:lesson.pick(500, 50)], lesson.pick(400, 50)
    kinds = {"VAE": {}, "VAE, 5 samples": {"n_samples": 5}, "IWAE, k = 5": {"kind": sv.IWAE, "n_samples": 5}}
    values, active = {}, {}
    for name, how in kinds.items():
        runs = [vae if (name, run) == ("VAE", 0) else
                digit_vae(lesson, images, f"{name}, run {run + 1}", 16, stream=16 + 100 * run, **how)
                for run in range(lesson.pick(2 if images.large else 5, 2))]
        values[name] = {key: np.array(each, dtype=np.float64) for key, each in {                        # (runs, N)
            "ELBO": [sv.multi_sample_bound(model, test, k=1, n_repeats=lesson.pick(20, 5),
                                           rng=lesson.rng(70)).value for model in runs],
            "bound, k = 50": [sv.multi_sample_bound(model, test, k=50, n_repeats=4,
                                                    rng=lesson.rng(71)).value for model in runs],
            "log p(x)": [sv.log_evidence(model, test, n_samples=n_samples, rng=lesson.rng(72),
                                         method="defensive").value for model in runs]}.items()}
        active[name] = [int(sv.active_units(model, images.train).active.sum()) for model in runs]
    n_runs = len(active["VAE"])
    lesson.table(f"Trained on a bound of one sample or of five, 16 latents: {len(test)} test images, nats (+- over "
                 f"images and {n_runs} runs)", ["model", *values["VAE"], "log p(x) - ELBO", "active latents"],
                 [(name, *map(Finding.of, each.values()), Finding.of(each["log p(x)"] - each["ELBO"]),
                   " or ".join(map(str, sorted(set(active[name]))))) for name, each in values.items()])
    others = list(kinds)[1:]
    gains = {(name, key): Finding.of(values[name][key] - of_vae)
             for name in others for key, of_vae in values["VAE"].items()}
    lesson.table("The same, minus the VAE's, run by run and image by image", ["model", *values["VAE"]],
                 [(name, *(gains[name, key] for key in values["VAE"])) for name in others])
    gain, bound_lost = (gains["IWAE, k = 5", key] for key in ("log p(x)", "ELBO"))
    beyond = Finding.of(values["IWAE, k = 5"]["log p(x)"] - values["VAE, 5 samples"]["log p(x)"])
    lesson.say(worth_of_five(gain, gains["VAE, 5 samples", "log p(x)"], beyond, bound_lost))
    title = five_samples(gain, bound_lost)
    figure, (ax,) = plotting.panels(1, title, size=(6.8, 3.6))
    with plotting.house_style():
        for i, (name, each) in enumerate(values.items()):
            means = [Mean.of((v - values["VAE"]["log p(x)"]).mean(axis=1)) for v in each.values()]
            ax.errorbar(range(3), [m.value for m in means], [m.error for m in means], marker="os^"[i], capsize=3,
                        color=(plotting.COLOURS["VAE"], *plotting.OTHER_COLOURS)[i], label=name)
        ax.set_xticks(range(3), values["VAE"])
        ax.set(ylabel="nats, minus the VAE's log p(x)")
        ax.grid(color=plotting.PALE, linewidth=0.6)
        ax.legend()
    lesson.save(figure, "evidence_bound")
    return {"gain": gains, "active": active,
            "log p(x)": {name: Finding.of(each["log p(x)"]) for name, each in values.items()}}


def worth_of_five(gain, control, beyond, bound):
    """What it brings to train the bound of five. gain, bound : log p(x) and ELBO of the IWAE minus the VAE's;
    control : log p(x) of the VAE with five samples minus the VAE's; beyond : the IWAE's minus the control's."""
    return (f"Training the bound with k = 5 changes test log p(x) by {gain} nats ({gain.words('better', 'worse')}); "
            f"five samples a step\nin the plain ELBO by {control} ({control.words('better', 'worse')}). Between the "
            f"two: {beyond}, {beyond.words('better', 'worse')}.\nThe IWAE's q is free to cover more than one sample "
            "must hit, so its ELBO may fall "
            f"while its log p(x) rises;\nhere the ELBO changes by {bound} ({bound.words('it rises', 'it falls')}).\n")


def five_samples(gain, bound):
    """The title: what training the bound of five does to likelihood and ELBO, the IWAE's minus the VAE's."""
    return (f"Trained on the bound of five samples: {gain.words('more', 'less', 'no clear change of')} likelihood, "
            f"{bound.words('a higher', 'a lower', 'no clear change of the')} ELBO")


if __name__ == "__main__":
    run_as_command(__spec__)
