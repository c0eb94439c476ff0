"""Why not count neighbours? Kernel density estimation on growing squares of pixels, beside a chain of regressions.

Every training image x_n spreads its share of probability around itself, each binary pixel flipped with probability h,

    p(x) = 1/N sum_n prod_j h^[x_j != x_nj] (1 - h)^[x_j = x_nj]        (Aitchison & Aitken 1976)

and where numbers c stand beside the pixels, each kernel is multiplied by a Gaussian of width s around c_n. h and s are
chosen on the validation images. The larger D is, the farther even the nearest image: h must grow until it blurs what
there is to know, or few images carry the sum. How many do is their effective number, (sum_n w_n)^2 / sum_n w_n^2.
"""
import numpy as np

import scratchvae as sv
from demos.images import read
from demos.judgement import Finding, where
from demos.vae import independent_pixels
from scratchvae.analysis.evidence import effective_sample_size
from scratchvae.probability import gaussian
from scratchvae.probability.log_space import log_mean_exp

FLIPS, WIDTHS = np.geomspace(1e-3, 0.4, 14), np.geomspace(0.05, 2.0, 9)     # h and s to choose from
SIDES = 2, 4, 8, 16


def kernels(lesson):
    """Pixels alone, then pixels and moments of the whole image; test log p and paired differences, in several runs."""
    images = read("mnist" if lesson.data is None else lesson.data, lesson.names, lesson.quick)
    n_runs, n = lesson.pick(3, 2), lesson.pick(2000, 200)
    drawn = [lesson.rng(600 + run).permutation(len(images.train))[:n] for run in range(n_runs)]
    parts = [{"train": images.train[rows], "valid": images.valid[:300], "test": images.test[:500]} for rows in drawn]
    h, w = images.shape
    sides = [side for side in lesson.pick(SIDES, SIDES[:2]) if side <= min(h, w)] or [1]
    squares = [(np.arange(h * w).reshape(h, w)[(h - side) // 2:, (w - side) // 2:][:side, :side]).ravel()
               for side in sides]
    found = {len(pixels): [one_run(lesson, each, pixels, images.shape, run) for run, each in enumerate(parts)]
             for pixels in squares}
    alone = {D: {key: np.array([run[key] for run in runs]) for key in runs[0]} for D, runs in found.items()}
    apart = {D: Finding.of(v["kernels"] - v["FVBN"]) for D, v in alone.items()}
    told = {D: Finding.of(v["kernels, c"] - v["regression, c"]) for D, v in alone.items()}
    lesson.table(f"Kernels on the middle D pixels of {len(parts[0]['train'])} training images: log p(x) of "
                 f"{len(parts[0]['test'])} test images, nats (+- over images and {n_runs} runs, each with other "
                 "training images)",
                 ["D", "independent", "kernels", "FVBN", "kernels - FVBN", "flip h", "images that count"],
                 [(D, *(Finding.of(v[key]) for key in ("independent", "kernels", "FVBN")), apart[D],
                   f"{v['h'].mean():.3f}", f"{np.median(v['count']):.1f}") for D, v in alone.items()])
    lesson.say(many_pixels(apart))
    lesson.table(f"Mixed variables: D binary pixels and {len(MOMENTS)} continuous moments c of the whole image "
                 "(mean row and column, spreads, slant), log densities in nats",
                 ["D", "kernels: p(x, c)", "FVBN, then regression", "log p(c given x): kernels", "regression",
                  "difference"],
                 [(D, *(Finding.of(v[key]) for key in ("kernels, both", "chain, both", "kernels, c", "regression, c")),
                   told[D]) for D, v in alone.items()])
    lesson.say(mixed(told))
    return {"kernels - FVBN": apart, "given x": told}


def one_run(lesson, parts, pixels, shape, run):
    """Every number of one training set and one square of pixels: name -> (N,) over the test images, or one."""
    x = {name: sv.binarize(X[:, pixels]).astype(np.float64) for name, X in parts.items()}
    c = {name: moments(X, shape) for name, X in parts.items()}
    mean, std = c["train"].mean(axis=0), np.maximum(c["train"].std(axis=0), 1e-3)    # of a pixel's side
    c = {name: (values - mean) / std for name, values in c.items()}
    D = len(pixels)
    flips = {name: x[name] @ (1 - x["train"]).T + (1 - x[name]) @ x["train"].T for name in ("valid", "test")}   # (N, M)
    apart = {name: ((c[name][:, None] - c["train"]) ** 2).sum(axis=2) for name in ("valid", "test")}            # (N, M)

    def of_pixels(name, h):
        return flips[name] * np.log(h) + (D - flips[name]) * np.log1p(-h)

    def of_numbers(name, s):
        return -0.5 * (apart[name] / s**2 + len(MOMENTS) * (2 * np.log(s) + gaussian.LOG_2PI))

    h = max(FLIPS, key=lambda h: log_mean_exp(of_pixels("valid", h), axis=1).mean())
    both = {(h, s): log_mean_exp(of_pixels("valid", h) + of_numbers("valid", s), axis=1).mean()
            for h in FLIPS for s in WIDTHS}
    h_both, s = max(both, key=both.get)
    joint = log_mean_exp(of_pixels("test", h_both) + of_numbers("test", s), axis=1)
    rng = lesson.rng(700 + run)
    fvbn = sv.FVBN(D, l2=1e-3, rng=rng)
    sv.fit(fvbn, x["train"], epochs=lesson.pick(25, 2), batch_size=64, optimizer=sv.Adam(1e-2), rng=rng,
           valid=x["valid"], callbacks=[sv.EarlyStopping(8, monitor="log_prob"), sv.LearningRateDecay(0.1),
                                        lesson.progress(f"FVBN, {D} pixels, run {run + 1}")])
    by_fvbn, given = fvbn.log_prob(x["test"]).astype(np.float64), regression(x, c)
    return {"independent": independent_pixels(x["train"], x["test"]), "FVBN": by_fvbn,
            "kernels": log_mean_exp(of_pixels("test", h), axis=1), "h": h,
            "count": effective_sample_size(of_pixels("test", h).T), "kernels, both": joint,
            "chain, both": by_fvbn + given, "regression, c": given,
            "kernels, c": joint - log_mean_exp(of_pixels("test", h_both), axis=1)}


def many_pixels(apart):
    """How kernels fare as pixels grow in number. apart : D -> Finding of their log p(x) minus the FVBN's."""
    few, many = min(apart), max(apart)
    return (f"Kernels against regressions: {apart[few]} nats with {few} pixels "
            f"({apart[few].words('better', 'worse')}), {apart[many]} with {many} "
            f"({apart[many].words('better', 'worse')}). Clearly worse {where(apart, -1, 'with {} pixels')}, clearly "
            f"better {where(apart, 1, 'with {} pixels')}."
            + " As D grows every image is far from every other, and one h for all pixels must serve what varies and "
            "what never does." * (apart[many].sign() < 0) + "\n")


def mixed(told):
    """Whether kernels tell c from x. told : D -> Finding of their log p(c given x) minus the regression's."""
    few, many = min(told), max(told)
    return (f"What the kernels know of c given x, minus what a linear regression knows: {told[few]} nats with {few} "
            f"pixels ({told[few].words('better', 'worse')}), {told[many]} with {many} "
            f"({told[many].words('better', 'worse')})."
            + " Nearness is one number made of flips and of distances, and the more pixels there are, the less c says "
            "which images are near; a chain of conditionals gives every variable a model of its own "
            "kind." * (told[many].sign() < 0) + "\n")


MOMENTS = "row", "column", "height", "width", "slant"


def moments(X, shape):
    """Where the ink of images X (N, D) lies: its means, standard deviations and covariance in pixels : (N, 5)."""
    ink = X.astype(np.float64) / np.maximum(X.sum(axis=1, keepdims=True), 1e-9)     # an image may be blank
    at = np.stack(np.indices(shape)).reshape(2, -1)
    mean = ink @ at.T
    square = ink @ np.stack([at[0] ** 2, at[1] ** 2, at[0] * at[1]]).T
    variance = np.maximum(square[:, :2] - mean**2, 0)
    return np.column_stack([mean, np.sqrt(variance), square[:, 2] - mean[:, 0] * mean[:, 1]])


def regression(x, c):
    """log p(c given x) : (N,) of the test images, c = x B + b + Gaussian noise, the ridge chosen by validation."""
    A = {name: np.column_stack([values, np.ones(len(values))]) for name, values in x.items()}
    scores = {}
    for ridge in np.geomspace(1e-2, 1e3, 11):
        B = np.linalg.solve(A["train"].T @ A["train"] + ridge * np.eye(A["train"].shape[1]), A["train"].T @ c["train"])
        log_var = np.log(((c["valid"] - A["valid"] @ B) ** 2).mean(axis=0))
        scores[ridge] = log_var.sum(), gaussian.log_prob(c["test"], A["test"] @ B, log_var)
    return min(scores.values(), key=lambda score: score[0])[1]
