"""What is the bound of several samples worth, as a value, as a gradient, and to train? Three tables of `evidence`."""
import numpy as np

import scratchvae as sv
from demos.judgement import Finding
from demos.lesson import Mean
from demos.trained import digit_vae
from scratchvae import plotting


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
    n, n_samples = lesson.pick((500, 400), (max(10, int(50 / lesson.larger(images.test))), 50))
    test = images.test[:n]
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
    lesson.save(plotting.diagram(runs[0]), "evidence_machine")  # the last kind, the IWAE
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
