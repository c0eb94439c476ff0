"""How does evidence change a belief, and which parameter is most likely? Bayes' rule and its relatives, on real images.

Bayes' rule: which class is this image of, as its pixels are uncovered one by one? Each class has a coin for each
pixel. Likelihood against probability: one formula, read along the data or along the parameter. Maximum likelihood, in
closed form and by gradient ascent; MAP of a probability, where a prior helps and where it harms, and of a mean, with
both limits. Standardising: shares of the images from the normal table, read both ways.

The images are the 8 x 8 digits, whose pixels one can count and uncover one by one.
With --data DIR it does the same on MNIST-format files.
Takes about 3 s, on 60,000 images about 5 s. Writes bayes_update, bayes_likelihood, bayes_mle, bayes_map,
bayes_posterior, bayes_gaussian (.png).
"""
import numpy as np

import scratchvae as sv
from demos import bayes_pictures, run_as_command
from demos.judgement import Finding, t_limit, where
from demos.lesson import Mean
from scratchvae import plotting
from scratchvae.probability import inference, normal_table


def run(lesson):
    """Infer, estimate, standardise, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    binary, grey = lesson.images(binary=True, classes=2), lesson.images(classes=2)
    return {"rule": uncover(lesson, binary), "likelihood": two_readings(lesson), "mle": two_roads(lesson, binary, grey),
            "map": with_a_prior(lesson, binary), "map of a mean": mean_with_a_prior(lesson, grey),
            "standardising": standardising(lesson, grey)}


# ---- Bayes' rule --------------------------------------------------------------------------------------------------

def uncover(lesson, images):
    """Posterior of the classes, given the first 0, 1, ... D pixels of test images, row by row from the top."""
    counts = np.maximum(np.bincount(images.train_labels, minlength=len(images.names)), 1e-9)  # a class may be absent
    prior, D = counts / counts.sum(), images.train.shape[1]
    # p(pixel j is 1 given class c), the MAP estimate under Beta(2, 2): (ones + 1) / (images + 2), never 0 or 1
    ones = np.stack([images.train[images.train_labels == c].sum(axis=0, dtype=np.float64) for c in range(len(counts))])
    p = (ones + 1) / (counts[:, None] + 2)                                    # (10, D)
    X, labels = images.test[:500], images.test_labels[:500]
    beliefs = np.stack([inference.update(prior, np.where(x[:, None] == 1, np.log(p.T), np.log1p(-p.T))) for x in X])
    steps = [0, *(round(D * share) for share in (1/8, 1/4, 1/2, 1))]
    numbers = {n: {"right": Mean.of(beliefs[:, n].argmax(axis=1) == labels), "sure": Mean.of(beliefs[:, n].max(axis=1))}
               for n in steps}
    lesson.table(f"Bayes' rule, pixel by pixel: {len(X)} test images (+- is the standard error over images)",
                 ["pixels seen", "share right", "mean posterior of the answer"],
                 [(n, row["right"], row["sure"]) for n, row in numbers.items()])
    end = numbers[D]
    end["excess"] = Finding.of(beliefs[:, D].max(axis=1) - (beliefs[:, D].argmax(axis=1) == labels))
    lesson.say(honesty(end["right"], end["sure"], end["excess"]))
    # Of the images that are above 0.9 for the right class in the end, the one that was longest in doubt.
    right = beliefs[np.arange(len(X)), -1, labels] > 0.9
    n = np.where(right, (1 - beliefs.max(axis=2)).sum(axis=1), -1).argmax()
    figure, (left, ax) = plotting.panels(2, course_of_belief(beliefs[n].argmax(axis=1) == labels[n]), size=(4.2, 3.6))
    plotting.image_grid(X[n:n + 1], f"uncovered row by row: of class {images.names[labels[n]]}", shape=images.shape,
                        ax=left)
    ax.stackplot(np.arange(D + 1), beliefs[n].T, colors=plotting.DIGIT_COLOURS)
    for c in beliefs[n].max(axis=0).argsort()[::-1]:  # the widest bands choose first
        top = beliefs[n, :, c].argmax()
        plotting.label(ax, float(top), float(beliefs[n, top, :c].sum() + beliefs[n, top, c] / 2), images.names[c],
                       size=13 if len(images.names[c]) < 3 else 9, weight="bold")
    ax.set(xlim=(0, D), ylim=(0, 1), xlabel="pixels seen", ylabel="posterior of each class (they sum to 1)")
    lesson.save(figure, "bayes_update")
    return numbers


def honesty(right, sure, excess):
    """Is the posterior as sure as it is right? Shares of the images, and the Finding of sure minus right."""
    told = excess.words(
        "surer than it is right: the rule is exact,\nthe likelihood is not. It takes neighbouring pixels for separate "
        "witnesses, though they say much the same, and so counts\nthe same evidence many times.",
        "less sure than it is right: the likelihood\nis not the true one.",
        "no clear difference: what neighbouring\npixels say twice does no visible harm here.")
    return ("Each pixel's posterior is the next one's prior. In the end the answer is right for "
            f"{right.value:.1%} of the images and\nclaims to be {sure.value:.1%} sure, {told}")


def course_of_belief(right):
    """The title: from which pixel on the answer stays right, of right (D + 1,), whether it is after so many pixels."""
    if not right[-1]:
        return "Pixel after pixel, evidence moves the belief, here to a wrong answer"
    n = len(right) - right[::-1].argmin() if not right.all() else 0
    return f"Pixel after pixel, evidence moves the belief: here the answer stays right from pixel {n} on"


# ---- likelihood against probability -------------------------------------------------------------------------------

def two_readings(lesson):
    """p(3 ones in 10 throws of a coin): summed over the data, integrated over the parameter; and a density's point."""
    k, n, p = 3, 10, (np.arange(2000) + 0.5) / 2000
    likelihood = np.exp(inference.binomial_log_prob(k, n, p))
    probability = np.exp(inference.binomial_log_prob(np.arange(n + 1), n, 0.3))
    numbers = {"sum over the data": probability.sum(), "integral over the parameter": likelihood.mean(),
               "highest at p": p[likelihood.argmax()]}
    lesson.table("One formula, (10 choose k) p^k (1 - p)^(10 - k), two readings", ["what", "value"], [
        ("probability: summed over k = 0 ... 10, for p = 0.3", numbers["sum over the data"]),
        ("likelihood: integrated over p, for k = 3 (exactly 1/11)", numbers["integral over the parameter"]),
        ("likelihood: highest at p =", numbers["highest at p"])])
    widths = (1.0, 0.1, 0.01, 0.001)
    rows = [(w, float(normal_table.normal_interval(1 - w / 2, 1 + w / 2, 0, 1))) for w in widths]
    lesson.table("A continuous X ~ N(0, 1): an interval around 1 has a probability, the point 1 has none, only a "
                 "density",
                 ["width", "probability", "probability / width"], [(w, f"{P:.6f}", f"{P / w:.6f}") for w, P in rows])
    lesson.say(f"The density at 1 is {np.exp(sv.gaussian.log_prob(np.ones(1), 0.0, 0.0)):.6f}: what probability "
               "/ width tends to.")
    figure, axes = plotting.panels(2, "The same formula: a probability over the data, a likelihood of the parameter",
                                   size=(4.2, 3.4))
    with plotting.house_style():
        axes[0].bar(np.arange(n + 1), probability, color="#BBBBBB")
        axes[0].bar(k, probability[k], color=plotting.OTHER_COLOURS[0])
        axes[0].set(title="p = 0.3 fixed: the bars sum to 1", xlabel="ones k among 10 throws", ylabel="p(k given p)")
        axes[1].plot(p, likelihood, color=plotting.OTHER_COLOURS[0])
        axes[1].fill_between(p, likelihood, color=plotting.OTHER_COLOURS[0], alpha=0.2, linewidth=0)
        axes[1].axvline(0.3, color=plotting.GREY, linestyle=":", linewidth=1.2)
        axes[1].set(title="k = 3 seen: the area is 1/11, not 1", xlabel="parameter p", ylim=(0, None))
    lesson.save(figure, "bayes_likelihood")
    numbers["interval / width"] = rows[-1][1] / widths[-1]
    return numbers


# ---- maximum likelihood and MAP -----------------------------------------------------------------------------------

def two_roads(lesson, binary, grey):
    """Maximum likelihood by derivative = zero, and by walking uphill."""
    ink = 10 * grey.train.mean(axis=1, dtype=np.float64)[:, None]  # tenths of the page: the ascent likes numbers near 1
    fit = inference.gaussian_mle(ink)
    # The curvature is 1 / variance.
    m, s = inference.mle_by_ascent(sv.Gaussian("shared", floor=0.0), ink, lr=min(0.1, fit.variance[0]))
    shares = binary.train.mean(axis=0, dtype=np.float64)
    pixel = np.abs(shares - 0.3).argmin()
    x = binary.train[:, pixel:pixel + 1].astype(np.float64)
    p = inference.bernoulli_mle(x)[0]
    a = inference.mle_by_ascent(sv.Bernoulli(), x, lr=4.0)[0]
    numbers = {"mean": (fit.mean[0], m), "variance": (fit.variance[0], np.exp(s)), "p": (p, 1 / (1 + np.exp(-a)))}
    lesson.table(f"Maximum likelihood on the {len(ink)} training images",
                 ["parameter", "closed form", "gradient ascent", "difference"],
                 [(f"Gaussian of the ink (10 = all black): {name}" if name != "p" else f"Bernoulli of pixel {pixel}: p",
                   f"{c:.8f}", f"{g:.8f}", f"{abs(c - g):.0e}") for name, (c, g) in numbers.items()])
    lesson.save(bayes_pictures.likelihood_figure(ink[:12, 0] / 10, float(fit.variance[0]) / 100), "bayes_mle")
    return {name: np.array(pair) for name, pair in numbers.items()}


def with_a_prior(lesson, images):
    """How far MLE and MAP, from n training images, are from a pixel's share over all of them."""
    rng, n_draws = lesson.rng(1), lesson.pick(2000, 200)
    shares = images.train.mean(axis=0, dtype=np.float64)
    prior, sizes = inference.Beta(3, 3), (1, 2, 5, 10, 20, 50, 100)
    chosen = {f"black in {shares[pixel]:.1%} of the images": pixel for pixel in (
        np.abs(shares - 0.5).argmin(), np.abs(shares - 0.01).argmin())}
    numbers, rows, gains, curves = {}, [], {}, {}
    for name, pixel in chosen.items():
        errors, gains[name] = {"MLE": [], "MAP, prior Beta(3, 3)": []}, {}
        for n in sizes:
            ones = images.train[rng.integers(len(images.train), size=(n_draws, n)), pixel].sum(axis=1).astype(int)
            posteriors = [inference.beta_posterior(int(k), n, prior) for k in ones]
            squares = {"MLE": (ones / n - shares[pixel]) ** 2, "MAP, prior Beta(3, 3)": (
                np.array([inference.beta_mode(beta) for beta in posteriors]) - shares[pixel]) ** 2}
            for key, values in squares.items():
                errors[key].append(Mean.of(values))
            gains[name][n] = Finding.of(np.subtract(*squares.values()))
            rows.append((name, n, *(f"{e[-1].value:.5f} +- {e[-1].error:.5f}" for e in errors.values())))
        numbers[name] = {key: np.array(values) for key, values in errors.items()}
        curves[name] = {key: tuple(values.T) for key, values in numbers[name].items()}
    lesson.table(f"Mean squared error of a pixel's estimated p (+- is the standard error over {n_draws} draws of n "
                 "images)", ["pixel", "n", "MLE", "MAP"], rows)
    none = inference.beta_mode(inference.beta_posterior(0, 0, prior))
    lesson.say(f"With no data the MAP estimate is the prior's mode, {none:.2f}; with the flat prior Beta(1, 1) it is "
               f"the MLE. For a pixel\n{worth_of_the_prior(gains)}.")
    figure, axes = plotting.panels(len(gains), "A prior that expects one half: " + "; ".join(
        f"better at {sum(g.sign() > 0 for g in row.values())} of {len(sizes)} sizes, worse at "
        f"{sum(g.sign() < 0 for g in row.values())} for a pixel {name}" for name, row in gains.items()),
        size=(4.4, 3.5))
    for ax, (name, drawn) in zip(axes, curves.items()):
        plotting.lines(np.array(sizes), drawn, name, "images seen n", "mean squared error of p", logx=True, logy=True,
                       ax=ax)
    lesson.save(figure, "bayes_map")
    return numbers


def worth_of_the_prior(gains):
    """Where MAP is better and where worse than MLE: pixel -> n -> the Finding of squared error of MLE minus MAP."""
    return ";\n".join(f"{name} MAP is clearly better than the MLE {where(row, 1, 'at n = {}')}, clearly worse "
                      f"{where(row, -1, 'at n = {}')}" for name, row in gains.items())


def mean_with_a_prior(lesson, images):
    """MAP of a Gaussian's mean: the ink of class 1, with the ink of all images as prior; and both limits."""
    ink, labels = images.train.mean(axis=1, dtype=np.float64), images.train_labels
    c = 1 if np.sum(labels == 1) > 1 else np.bincount(labels).argmax()
    ones = ink[labels == c]
    variance, prior = ones.var(), inference.Normal(float(ink.mean()), float(ink.var()))
    rng = lesson.rng(2)
    rows, numbers = [], {}

    def row(what, n, mle, prior):
        posterior = inference.gaussian_posterior(n, mle, variance, prior)
        share = (posterior.mean - prior.mean) / (mle - prior.mean) if n else 0.0
        numbers[what] = {"MLE": mle, "MAP": posterior.mean, "share": share}
        rows.append((what, f"{prior.mean:.4f}", f"{mle:.4f}" if n else "none", f"{posterior.mean:.4f}", f"{share:.3f}",
                     f"{np.sqrt(posterior.variance):.4f}"))

    row("no image", 0, 0.0, prior)
    for n in (1, 3, 10, 100):
        row(f"{n} images" if n > 1 else "1 image", n, float(rng.choice(ones, n).mean()), prior)
    seen = {n: numbers[f"{n} images" if n > 1 else "1 image"]["MLE"] for n in (1, 3, 10)}
    lesson.save(bayes_pictures.posterior_figure(seen, variance, prior, images.names[c]), "bayes_posterior")
    row("1 image, flat prior", 1, numbers["1 image"]["MLE"], inference.Normal(prior.mean, 1e12))
    lesson.table(f"The mean ink of class {images.names[c]}, known to vary by {np.sqrt(variance):.3f}; prior: the ink "
                 "of any image, "
                 f"N({prior.mean:.3f}, {np.sqrt(prior.variance):.3f}^2)",
                 ["seen", "prior's mode", "MLE", "MAP", "way from prior to MLE", "posterior sigma"], rows)
    lesson.say("MAP lies between the prior's mode and the MLE, weighed by 1 / (prior variance) and n / (data "
               "variance). With no data it is\nthe prior's mode, with a flat prior or many images the MLE.\n")
    return numbers


# ---- standardising ------------------------------------------------------------------------------------------------

def standardising(lesson, images):
    """What the normal table predicts of the test images' ink, and what is counted."""
    mean, variance = (v[0] for v in inference.gaussian_mle(images.train.mean(axis=1, dtype=np.float64)[:, None]))
    z = sv.gaussian.standardize(images.test.mean(axis=1, dtype=np.float64), mean, np.sqrt(variance))
    numbers = {}
    for low, high in ((-1, 1), (-2, 2), (-3, 3), (0, 1), (1.64, 9)):
        predicted = float(normal_table.normal_interval(low, high, 0, 1))
        numbers[f"{low} < z < {high}"] = {"table": predicted, "counted": Mean.of((z > low) & (z < high))}
    lesson.table(f"z = (ink - {mean:.3f}) / {np.sqrt(variance):.3f}: shares of the test images between two z",
                 ["interval", "normal table", "counted (+- standard error)"],
                 [(k, f"{v['table']:.4f}", v["counted"]) for k, v in numbers.items()])
    lesson.save(bayes_pictures.gaussian_figure(images.test.mean(axis=1), mean, np.sqrt(variance)), "bayes_gaussian")
    both_ways = {share: normal_table.normal_quantile(share) for share in (0.5, 0.9, 0.95, 0.975, 0.995)}
    lesson.table("The normal table, read both ways, and the ink it means",
                 ["share below", "z", "share below z again", "ink", "counted below"],
                 [(f"{share:g}", f"{q:.4f}", f"{normal_table.normal_cdf(q):.4f}", f"{mean + np.sqrt(variance) * q:.4f}",
                   Mean.of(z < q)) for share, q in both_ways.items()])
    # In standard errors of a share whose true value the table gives
    off = {k: abs(v["table"] - v["counted"].value) / np.sqrt(v["table"] * (1 - v["table"]) / len(z))
           for k, v in numbers.items()}
    worst = max(off, key=off.get)
    lesson.say("One table serves every Gaussian. Whether ink, a sum over many pixels, is one: the interval "
               f"that fits worst, {worst},\n"
               f"is {off[worst]:.1f} standard errors off, {chance(off[worst], len(off))}.\n")
    return numbers | {f"z below which {share:g} lie": q for share, q in both_ways.items()}


def chance(worst, n):
    """Whether the largest of n deviations, in standard errors, is more than chance gives once in 20 times."""
    limit = t_limit(np.inf, 20 * n)  # each once in 20 n times, so that any one is at most once in 20
    return (f"{'more than' if worst > limit else 'which is within what'} chance gives among {n} intervals "
            f"({limit:.1f} once in 20 times)")


if __name__ == "__main__":
    run_as_command(__spec__)
