"""How unlike are two distributions, and why does the order matter? The Kullback-Leibler divergence, measured.

On tables: where each class's ink lies, every class against every other; never negative, 0 only on the diagonal, and
not symmetric. Between two Gaussians: closed form, quadrature and Monte Carlo with its standard error must agree. The
Gaussian closest to a two-bump density: forward KL(p || q) covers both bumps, reverse KL(q || p), the VAE's order, sits
on one.

The images are the 8 x 8 digits, whose ink is a table of 64 cells. With --data DIR the tables are of MNIST-format files.
Takes about 3 s, on 60,000 images about 5 s. Writes kl_digits, kl_monte_carlo, kl_orders (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding
from demos.lesson import Mean
from scratchvae import plotting
from scratchvae.probability import divergence

# p(z) with two bumps: weights, means, log variances
BUMPS = np.array([0.6, 0.4]), np.array([-2.0, 2.0]), np.log(np.array([0.6, 0.8]) ** 2)


def run(lesson):
    """Measure, compare, fit, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    return {"digits": between_digits(lesson), "gaussians": four_ways(lesson), "orders": two_orders(lesson)}


def between_digits(lesson):
    """KL between tables: p_c says in which pixel a drop of ink of class c falls."""
    images = lesson.images(classes=2)
    ink = np.stack([images.train[images.train_labels == c].sum(axis=0, dtype=np.float64)
                    for c in range(len(images.names))])
    drawn = np.flatnonzero(ink.sum(axis=1))                                    # classes with any ink at all
    ink, names, C = ink[drawn], [images.names[c] for c in drawn], len(drawn)   # (C, D)
    raw = ink / ink.sum(axis=1, keepdims=True)
    apart = divergence.kl_table(raw[:, None], raw[None])                       # (C, C)
    infinite = int(np.isinf(apart).sum())
    # A grain of ink in every pixel of every class: no table says "never" any more
    grain = ink + 0.01 * ink.mean()
    p = grain / grain.sum(axis=1, keepdims=True)
    kl = divergence.kl_table(p[:, None], p[None])
    others = kl[~np.eye(C, dtype=bool)]
    near, far = (np.unravel_index(arg, kl.shape) for arg in ((kl + 99 * np.eye(C)).argmin(), kl.argmax()))
    odd = np.unravel_index((kl - kl.T).argmax(), kl.shape)
    lesson.table("KL(p_c || p_d) of the tables of ink, in nats per drop", ["what", "value"], [
        ("classes against themselves", float(np.abs(np.diag(kl)).max())),
        ("smallest of two different classes", others.min()),
        (f"  {names[near[0]]} against {names[near[1]]}", kl[near]),
        (f"largest: {names[far[0]]} against {names[far[1]]}", kl[far]),
        (f"most one-sided: {names[odd[0]]} against {names[odd[1]]}", kl[odd]),
        (f"  {names[odd[1]]} against {names[odd[0]]}", kl[odd[::-1]]),
        ("infinite ones before the grain of ink", infinite)])
    lesson.say(called_impossible(infinite, others.size))
    figure, (ax,) = plotting.panels(1, "KL is 0 for equal distributions, never negative, and not symmetric",
                                    size=(5.6, 4.9))
    with plotting.house_style():
        picture = ax.imshow(kl, cmap="Greys", vmin=0, vmax=1.25 * kl.max())
        for c in range(C if C <= 12 else 0):
            for d in range(C):
                ax.text(d, c, f"{kl[c, d]:.2f}", ha="center", va="center", size=7.5,
                        color="white" if kl[c, d] > 0.75 * kl.max() else plotting.INK)
        ax.set_xticks(range(C), names, rotation=90 if max(map(len, names)) > 2 or C > 12 else 0)
        ax.set_yticks(range(C), names)
        ax.set(xlabel="q: table of ink of class", ylabel="p: table of ink of class")
        ax.figure.colorbar(picture, label="KL(p || q), nats per drop of ink", shrink=0.85)
    lesson.save(figure, "kl_digits")
    return {"diagonal": float(np.abs(np.diag(kl)).max()), "smallest": others.min(), "largest": kl[far],
            "one-sided": (kl[odd], kl[odd[::-1]]), "infinite": infinite}


def called_impossible(infinite, n):
    """What the grain of ink is for: how many of n divergences are infinite without it."""
    why = ("somewhere c puts ink where d never did, and no\nfinite price covers what was called impossible." if infinite
           else "every class puts ink wherever another does,\nand none calls impossible what another does.")
    return (f"Without the grain (a hundredth of the mean) {infinite or 'none'} of {n} are infinite: {why} In the order "
            "(c || d) the price is counted where c is.")


def four_ways(lesson):
    """KL between two Gaussians of one dimension, by formula, on a grid and from samples."""
    mu, log_var, m, log_s = 1.0, np.log(0.5**2), 0.0, 0.0
    closed = float(sv.gaussian.kl_standard(np.array([mu]), np.array([log_var])))
    z = np.linspace(-6, 8, 701)
    grid = divergence.kl_quadrature(*(sv.gaussian.log_prob(z[:, None], *q) for q in ((mu, log_var), (m, log_s))),
                                    z[1] - z[0])
    sizes, n_repeats, rng = (10, 30, 100, 300, 1000, 3000, 10_000), lesson.pick(400, 50), lesson.rng(1)
    rows = [("closed form", f"{closed:.10f}", "0", ""),
            ("quadrature, 701 points", f"{grid:.10f}", f"{abs(grid - closed):.0e}", "")]
    spread, claimed, inside = [], [], []
    for S in sizes:
        draws = mu + np.exp(log_var / 2) * rng.standard_normal((n_repeats, S))
        log_p, log_q = (sv.gaussian.log_prob(draws[..., None], *q) for q in ((mu, log_var), (m, log_s)))
        estimates = np.array([divergence.kl_monte_carlo(a, b) for a, b in zip(log_p, log_q)])
        spread.append(estimates[:, 0].std(ddof=1))
        claimed.append(estimates[:, 1].mean())
        inside.append(np.abs(estimates[:, 0] - closed) < 2 * estimates[:, 1])
        first = divergence.Estimate(*estimates[0])
        rows.append((f"Monte Carlo, {S} samples", str(Mean(*first)), f"{abs(first.value - closed):.0e}",
                     f"{inside[-1].mean():.1%}"))
    lesson.table("KL(N(1, 0.5^2) || N(0, 1)), in nats (+- is the estimate's own standard error)",
                 ["way", "value of one run", "off by", f"of {n_repeats} runs within 2 errors"], rows)
    lesson.say(own_errors({S: near.mean() for S, near in zip(sizes, inside)}, n_repeats))
    lesson.save(plotting.lines(
        np.array(sizes), {"spread over runs": np.array(spread), "own standard error": np.array(claimed),
                          "as 1 / sqrt(S)": spread[0] * np.sqrt(sizes[0] / np.array(sizes))},
        f"Monte Carlo's error goes as the samples' power {np.polyfit(np.log(sizes), np.log(spread), 1)[0]:.2f}; what "
        f"it says of itself is {claimed[0] / spread[0]:.2f} of that with {sizes[0]} samples, "
        f"{claimed[-1] / spread[-1]:.2f} "
        f"with {sizes[-1]:,}", "samples S", "error of the KL, in nats",
        logx=True, logy=True, colours={"as 1 / sqrt(S)": plotting.GREY}, theory=("as 1 / sqrt(S)",)), "kl_monte_carlo")
    return {"closed": closed, "quadrature": grid, "spread": np.array(spread), "claimed": np.array(claimed),
            "inside": np.mean(inside, axis=1)}


def own_errors(inside, n_repeats):
    """Whether estimates keep within two of their own errors as often as they should: samples -> share that does."""
    expected = 0.9545
    few, many = min(inside), max(inside)
    told = {S: Finding(inside[S] - expected, (np.sqrt(expected * (1 - expected) / n_repeats), np.inf)).words(
        "more often", "less often: there the error, too, is an estimate, and a poor one") for S in (few, many)}
    return (f"{expected:.1%} within two standard errors are expected. With {few} samples it is {inside[few]:.1%} "
            f"({told[few]}),\n"
            f"with {many:,} {inside[many]:.1%} ({told[many]}).\nEach further digit costs a hundred times the samples, "
            "which is why the VAE takes the closed form where there is one.")


def two_orders(lesson):
    """The closest Gaussian to a two-bump density, in both orders."""
    def target(z):
        return divergence.mixture_log_prob_and_grad(z, *BUMPS)

    z = np.linspace(-14, 14, 2801)
    log_p = target(z)[0]
    fits = {"forward: KL(p || q)": divergence.fit_forward(log_p, z),
            "reverse: KL(q || p), from the left": divergence.fit_reverse(target, -1.0, 0.0),
            "reverse: KL(q || p), from the right": divergence.fit_reverse(target, 1.0, 0.0)}
    numbers = {}
    for name, fit in fits.items():
        log_q = sv.gaussian.log_prob(z[:, None], *fit)
        numbers[name] = {"mu": fit.mu, "sigma": np.exp(fit.log_var / 2),
                         "forward": divergence.kl_quadrature(log_p, log_q, z[1] - z[0]),
                         "reverse": divergence.kl_quadrature(log_q, log_p, z[1] - z[0])}
    lesson.table(f"The Gaussian q closest to p, bumps of weight {BUMPS[0][0]} and {BUMPS[0][1]}",
                 ["fit", "mu", "sigma", "KL(p || q)", "KL(q || p)"],
                 [(name, *(f"{v:.3f}" for v in row.values())) for name, row in numbers.items()])
    left, right = (row["reverse"] for row in list(numbers.values())[1:])
    lesson.say(
        "Each fit wins in its own order. Forward has the mean and variance of p and puts its middle where p is "
        "nearly 0. Reverse\n"
        f"stays where p is: on one bump of weight w it costs about -log w ({left:.3f} and {right:.3f}; -log w "
        f"is {-np.log(BUMPS[0][0]):.3f} and "
        f"{-np.log(BUMPS[0][1]):.3f}), and\nthere is a local minimum at each. A VAE's encoder is fitted in "
        "reverse too. Whether its q is too narrow for it, `posterior` measures.\n")
    figure, axes = plotting.panels(2, "Forward KL covers both bumps, reverse KL sits on one", size=(4.3, 3.3))
    for ax, names, title in ((axes[0], list(fits)[:1], "forward: smallest KL(p || q)"),
                             (axes[1], list(fits)[1:], "reverse: smallest KL(q || p), two starts")):
        curves = {"truth": np.exp(log_p)} | {f"q, {name.split(', ')[-1]}" if len(names) > 1 else "q": np.exp(
            sv.gaussian.log_prob(z[:, None], *fits[name])) for name in names}
        plotting.lines(z, curves, title, "z", "density", ax=ax)
        ax.set_xlim(-7, 7)
    axes[0].set_ylim(axes[1].get_ylim())  # the truth is the same in both
    lesson.save(figure, "kl_orders")
    return numbers


if __name__ == "__main__":
    run_as_command(__spec__)
