"""How probable is x? Why sampling the prior fails, what four estimators of log p(x) are worth, and a tighter bound.

On VAEs of 2 and of 16 latents trained on binary images. With 2 the truth is known, from a grid over z; with 16 it is
not, and the best estimate takes its place. Each estimator comes with its effective sample size: how many of the samples
count. Then the multi-sample bound: how it rises with k, its gradient with k = 1 beside that of the ELBO with the KL in
closed form, and what it gains to train it (the importance-weighted autoencoder).

The images are the 8 x 8 digits: on a grid of codes the truth is known in seconds.
With --data DIR it does the same on MNIST-format files (fewer test images).
Takes about 55 s, on 60,000 images about 4 min. Writes evidence_machine, evidence_samples, evidence_bound (.png).
"""
from math import exp, factorial

import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding, listing
from demos.lesson import Mean
from demos.tighter_bound import bound, one_sample, training
from demos.trained import digit_vae, look, on_a_finer_grid, on_own_grids
from scratchvae import plotting

NAMES = {"importance": "q", "widened": "q, 1.5 times as wide", "defensive": "9 parts q, 1 prior", "prior": "prior"}


def run(lesson):
    """Train, estimate, compare; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(binary=True)
    flat, deep = (digit_vae(lesson, images, f"VAE, {k} latents", k, stream=k) for k in (2, 16))
    n_samples = lesson.pick(1000, 50)

    n = lesson.pick(20 if images.large else 200, max(5, int(20 / lesson.larger(images.test))))
    rows, boxes, pieces = on_own_grids(lesson, flat, images.test, n)
    X, truth = images.test[rows], np.array([p.log_evidence[0] for p in pieces])
    few = X[:lesson.pick(5, 1)]
    halved = np.array([look(flat, x[None], box, flat.encode(x[None]), on_a_finer_grid) for x, box in zip(few, boxes)])
    best, unsure, told = reference(lesson, deep, X, lesson.pick(10 if images.large else 30, 3) * n_samples)
    moves = np.abs(halved - truth[:len(few)]).max()
    lesson.say(f"\nThe grid's log p(x) moves by {moves:.0e} at most when its step is halved ({len(few)} images). {told}")
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
    lesson.say(f"The prior: of {n_samples} blind samples in 2 dimensions {small['ess, median']:.1f} count, as a "
               f"median, and the mean |error| is {small['|off|'].value:.2f} nats.\n"
               f"In 16 dimensions it is {large['ess, median']:.1f}, and the mean |error| is "
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


if __name__ == "__main__":
    run_as_command(__spec__)
