"""What exactly is the ELBO a bound of, and by how much? The derivation line by line, as numbers that must agree.

Every line of the derivation is evaluated on images: for a linear VAE in closed form, for any q; for a VAE of two
latents trained on binary images, where the decoder is a network, by quadrature. Then the bound is raised in q alone:
log p(x) stays, KL(q || posterior) falls. Then linear VAEs trained by Adam beside the closed-form maximum, probabilistic
PCA. Last, what the KL term costs in reconstruction, and what too little training costs: VAEs beside autoencoders.

The images are the 8 x 8 digits, for quadrature decodes thousands of codes for every image.
With --data DIR it does the same on MNIST-format files (2,000 of them for the linear VAE).
Takes about 40 s, on 60,000 images about 3 min. Writes elbo_machine, elbo_bars, elbo_raised (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding
from demos.trained import digit_vae, joined, look, on_a_finer_grid, on_own_grids, sides_for
from scratchvae import plotting
from scratchvae.analysis import elbo
from scratchvae.models.linear_gaussian import linear_log_prob
from scratchvae.models.probabilistic_pca import linear_decoder, linear_vae

COLOURS = {"log p(x)": plotting.COLOURS["truth"], "ELBO": plotting.COLOURS["VAE"],
           **dict(zip(("reconstruction", "KL(q || prior)", "KL(q || posterior)"), plotting.OTHER_COLOURS[1:]))}


def run(lesson):
    """The lines, the bars, the climb, the race against the closed form; returns all the numbers."""
    lesson.say(__doc__.splitlines()[0])
    grey, images = lesson.images(), lesson.images(binary=True)
    X = grey.train[:2000].astype(np.float64)
    model = sv.ProbabilisticPCA(2).fit(X)
    exact = linear_vae(model)
    vae = digit_vae(lesson, images, "VAE, 2 latents", 2, stream=1)
    lesson.save(plotting.diagram(vae), "elbo_machine")

    x = X[:lesson.pick(20, 4)]
    sides = sides_for(images.test)[lesson.pick(1, 0):]
    rows, boxes, on_grids = on_own_grids(lesson, vae, images.test, len(x), sides)
    mu, log_var = exact.encode(x)
    rng = lesson.rng(2)
    arbitrary = mu + 0.5 * rng.standard_normal(mu.shape), log_var + 0.5 * rng.standard_normal(mu.shape)
    pieces = {"linear VAE, q = posterior": elbo.in_closed_form(exact, x),
              "linear VAE, another q": elbo.in_closed_form(exact, x, arbitrary),
              "VAE, its encoder": joined(on_grids)}
    finer = [look(vae, images.test[[row]], box, vae.encode(images.test[[row]]), on_a_finer_grid, sides)
             for row, box in zip(rows[:lesson.pick(5, 1)], boxes)]
    coarse = np.abs(np.subtract(finer, elbo.evidence(pieces["VAE, its encoder"])[:len(finer)])).max()
    numbers = {"lines": lines(lesson, pieces, len(x), float(coarse))}
    bars(lesson, pieces)
    numbers["raised"] = raised(lesson, exact, x)
    numbers["trained"] = race(lesson, X)
    n = int((500 if images.large else 1000) / lesson.larger(images.train))
    numbers["restored"] = restored(lesson, images.some(n), few=3)
    return numbers


def lines(lesson, pieces, n, coarse):
    """The table of the derivation: each line's mean over the images, and how far lines are apart at most."""
    table = {name: elbo.derivation(p) for name, p in pieces.items()}
    texts = list(next(iter(table.values())))
    apart = {name: max(float(np.abs(a - b).max()) for a, b in zip(list(d.values())[:-1], list(d.values())[1:-1]))
             for name, d in table.items()}
    lesson.table(f"Each line of the derivation, nats, mean over {n} images (the first two columns are densities of "
                 "grey images)",
                 ["", "line", *(name for name in table)],
                 [("=" if 0 < i < len(texts) - 1 else "" if i == 0 else ">=", text,
                   *(f"{d[text].mean():.10f}" for d in table.values()))
                  for i, text in enumerate(texts)])
    lesson.say("Largest difference between adjacent lines that must agree, over all images: "
               + ", ".join(f"{apart[name]:.0e} ({name})" for name in apart) + ".\nThe last column agrees by "
               "construction: all its lines are sums over one grid. What tests the grid is half its step,\nat which "
               f"log p(x) moves by {coarse:.0e} at "
               "most.")
    gaps = {name: elbo.evidence(p) - elbo.elbo(p) for name, p in pieces.items()}
    lesson.say("log p(x) - ELBO minus KL(q || posterior), largest: "
               + ", ".join(f"{np.abs(gaps[name] - p.kl_posterior).max():.0e}" for name, p in pieces.items())
               + ". The gap is that KL, no more and no less;\nwith q = posterior it is 0 and the ELBO is log p(x).\n")
    return {name: {"log p(x)": float(elbo.evidence(p).mean()), "elbo": float(elbo.elbo(p).mean()),
                   "kl posterior": float(p.kl_posterior.mean()), "smallest gap": float(gaps[name].min()),
                   "lines apart": apart[name], "gap is kl, to": float(np.abs(gaps[name] - p.kl_posterior).max())}
            for name, p in pieces.items()}


def bars(lesson, pieces):
    """For each model: from the reconstruction down by the KL to the prior, up to log p(x) by that to the posterior."""
    figure, axes = plotting.panels(len(pieces), "Take KL(q || prior) from the reconstruction and the ELBO is left; "
                                   "KL(q || posterior) fills it up to log p(x)", size=(3.3, 3.8))
    with plotting.house_style():
        for ax, (name, p) in zip(axes, pieces.items()):
            reconstruction = p.expect(p.log_likelihood).mean()
            bound, evidence = elbo.elbo(p).mean(), elbo.evidence(p).mean()
            steps = [("reconstruction", 0, reconstruction), ("KL(q || prior)", reconstruction, bound),
                     ("ELBO", 0, bound),
                     ("KL(q || posterior)", bound, evidence), ("log p(x)", 0, evidence)]
            low, high = (pick(v for _, *ends in steps for v in ends) for pick in (min, max))
            digits = 2 if max(high, -low) < 100 else 0                      # five numbers fit side by side
            for i, (label, start, stop) in enumerate(steps):
                ax.bar(i, stop - start, 0.7, bottom=start, color=COLOURS[label])
                top = max(start, stop) + 0.02 * (high - low)
                ax.text(i, top, f"{stop - start:+.{digits}f}".replace("-", "\N{MINUS SIGN}"), ha="center", va="bottom",
                        size=8.5)
            for i, level in ((0, reconstruction), (1, bound), (3, evidence)):
                ax.plot([i - 0.35, i + 1.35], [level, level], color=plotting.INK, linewidth=0.8)
            ax.plot([2 - 0.35, 3.35], [bound, bound], color=plotting.INK, linewidth=0.8)
            ax.axhline(0, color=plotting.INK, linewidth=0.8)
            ax.set_xticks(range(5), [s[0] for s in steps], rotation=40, ha="right")
            ax.set_title(name)
            ax.set_ylim(low - 0.04 * (high - low), high + 0.12 * (high - low))
        axes[0].set_ylabel("nats per image")
    lesson.save(figure, "elbo_bars")


def raised(lesson, exact, x):
    """Gradient ascent on the ELBO in q alone, from a bad q: log p(x) does not move."""
    K, rounds, rng = exact.n_latent, lesson.pick(15, 8), lesson.rng(3)
    q = 1.5 * rng.standard_normal((len(x), K)), np.zeros((len(x), K))
    bound, gap, evidence = [], [], []
    for _ in range(rounds):
        p = elbo.in_closed_form(exact, x, q)
        bound.append(elbo.elbo(p).mean())
        gap.append(p.kl_posterior.mean())
        evidence.append(p.log_evidence.mean())
        q = sv.optimize_q(exact, x, start=q, steps=20, lr=0.05, rng=rng)
    steps = 20.0 * np.arange(rounds)
    figure, axes = plotting.panels(2, "Raising the ELBO in q moves only q: what the bound gains, KL(q || posterior) "
                                      "loses", size=(4.3, 3.5))
    curves = {"log p(x)": np.array(evidence), "ELBO": np.array(bound)}, {"KL(q || posterior)": np.array(gap)}
    for ax, drawn, title in zip(axes, curves, (f"The bound: {amount(evidence[-1] - bound[-1])} nats short in the end",
                                              f"The gap: from {amount(gap[0])} to {amount(gap[-1])} nats")):
        plotting.lines(steps, drawn, title, "gradient steps in q", "nats per image", logy=ax is axes[1],
                       colours={name: COLOURS[name] for name in drawn}, ax=ax)
    lesson.save(figure, "elbo_raised")
    lesson.say(f"Raising the ELBO in q alone, in {20 * (rounds - 1)} steps: ELBO {bound[0]:.2f} to {bound[-1]:.4f}, "
               f"KL(q || posterior) {gap[0]:.2f} to {gap[-1]:.4f},\nlog p(x) {evidence[0]:.4f} throughout.\n")
    return {"elbo": (bound[0], bound[-1]), "kl posterior": (gap[0], gap[-1]), "log p(x)": (evidence[0], evidence[-1])}


def amount(nats):
    """Two digits of a number, and a whole number where that has more."""
    return f"{nats:,.0f}" if nats >= 10 else f"{nats:.2g}"


def race(lesson, X):
    """Linear VAEs trained by Adam against the closed-form maximum likelihood."""
    numbers = {}
    for n_latent in (2, 8):
        best = sv.ProbabilisticPCA(n_latent).fit(X).log_prob(X)
        rng = lesson.rng(10 + n_latent)
        model = sv.VAE(X.shape[1], hidden=(), n_latent=n_latent, observation=sv.Gaussian("shared"), n_samples=4,
                       rng=rng,
                       dtype=np.float64)
        sv.fit(model, X, epochs=lesson.pick(300, 20), batch_size=100, optimizer=sv.Adam(0.02), rng=rng,
               callbacks=[sv.LearningRateDecay(0), lesson.progress(f"linear VAE, {n_latent} latents")])
        p = elbo.in_closed_form(model, X)
        numbers[n_latent] = {"closed form": float(best.mean()),
                             "adam": float(linear_log_prob(X, *linear_decoder(model)).mean()),
                             "elbo": float(elbo.elbo(p).mean()), "kl posterior": float(p.kl_posterior.mean())}
    lesson.table(f"The linear VAE after Adam, all exact, nats per image, mean over the same {len(X)} training images",
                 ["latents", "closed-form maximum", "log p(x) reached", "short of it by", "ELBO", "KL(q || posterior)"],
                 [(k, f"{r['closed form']:.4f}", f"{r['adam']:.4f}", f"{r['closed form'] - r['adam']:.4f}",
                   f"{r['elbo']:.4f}",
                   f"{r['kl posterior']:.4f}") for k, r in numbers.items()])
    short = [r["closed form"] - r["adam"] for r in numbers.values()]
    lesson.say(f"Adam, which saw only a noisy lower bound, ends {'within' if max(short) < 0.02 else 'NOT within'} 0.02 "
               f"nats of the best likelihood that any such model has{', never above it' if min(short) >= 0 else ''}.\n"
               f"The bound costs at most {max(r['kl posterior'] for r in numbers.values()):.3f} nats here: the "
               "posterior of a linear model is Gaussian, its mean linear in x, and\n"
               "the encoder can be it exactly, once the decoder's directions are orthogonal.\n")
    return numbers


def restored(lesson, images, few):
    """Squared error of reconstructions: an autoencoder after a few epochs, trained, and a VAE, in several runs."""
    kinds = {f"AE, {few} epochs": {"kind": sv.Autoencoder, "epochs": few}, "AE": {"kind": sv.Autoencoder}, "VAE": {}}
    n_runs, errors = lesson.pick(2 if images.large else 5, 2), {}
    for k in (2, 8):
        for name, how in kinds.items():
            models = [digit_vae(lesson, images, f"{name}, {k} latents, run {run + 1}", k, 50 + k + 100 * run, **how)
                      for run in range(n_runs)]
            errors[k, name] = np.array([((model.reconstruct(images.test) - images.test) ** 2).sum(axis=1)
                                        for model in models], dtype=np.float64)
    cost = {k: Finding.of(errors[k, "VAE"] - errors[k, "AE"]) for k in (2, 8)}
    lesson.table(f"Squared error of the reconstruction, test images of {images.test.shape[1]} binary pixels, "
                 f"{len(images.train)} to train on (+- over images and {n_runs} runs; a VAE's from the mean of q)", ["latents", *kinds, "VAE - AE"],
                 [(k, *(Finding.of(errors[k, name]) for name in kinds), cost[k]) for k in (2, 8)])
    lesson.say(centred_codes(cost))
    lesson.say(why_unlike(Finding.of(errors[2, "AE"] - errors[8, "AE"]),
                          Finding.of(errors[8, f"AE, {few} epochs"] - errors[8, "AE"]),
                          Finding.of(errors[8, f"AE, {few} epochs"] - errors[2, "AE"]), few))
    return {"errors": {key: Finding.of(values) for key, values in errors.items()}, "VAE - AE": cost}


def centred_codes(cost):
    """Whether a VAE reconstructs better. cost : latents -> Finding of its squared error minus the autoencoder's."""
    told = [f"{d} with {k} latents ({d.words('worse', 'better')})" for k, d in cost.items()]
    return ("A VAE's codes are more centred. Does it reconstruct better for it? Its error minus the autoencoder's: "
            f"{', '.join(told)}. Its loss has the KL beside the reconstruction, and pays one with the other.\n")


def why_unlike(nodes, training, against, few):
    """What an output unlike the input tells. nodes : error with 2 codes minus with 8; training : with 8, after a few
    epochs minus trained; against : with 8 after a few epochs minus with 2, trained."""
    return (f"An output unlike the input: too few code nodes, or too little training? 8 codes instead of 2 take "
            f"{nodes} off the error ({nodes.words('better', 'worse')}), training beyond {few} epochs takes "
            f"{training} off that of 8 codes ({training.words('better', 'worse')}). "
            + against.words("8 codes hardly trained lose more than 2 well trained: the error alone does not tell "
                            "which.",
                            "8 codes hardly trained still lose less than 2 well trained.",
                            "8 codes hardly trained and 2 well trained: no clear difference, so the error alone does "
                            "not tell which.") + "\n")


if __name__ == "__main__":
    run_as_command(__spec__)
