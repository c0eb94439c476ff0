"""How good is q? The true posterior of single images beside it, and the gap taken apart.

A VAE of two latents trained on binary MNIST digits. Bayes' rule on a grid gives p(z given x), whatever its shape; the
encoder gives an ellipse. The gap log p(x) - ELBO is what the encoder loses, because one network must answer for all
images (amortisation: q is optimised for each image alone and the bound rises), and what no Gaussian could avoid. Then
what the KL term buys: information about x, or only distance from the prior; and which latents are used at all.

With --data digits it does the same on the 8 x 8 digits (more test images), with --data DIR on MNIST-format files.
Takes about 55 s, on 60,000 images about 60 s. Writes posterior_machine, posterior_grid, posterior_gap (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding
from demos.lesson import Mean
from demos.trained import digit_vae, look, on_own_grids
from scratchvae import plotting
from scratchvae.analysis import elbo, posterior

CORNERS = (-1, 1), (1, 1), (-1, -1)   # of a panel, where an image may stand
# Where a Gaussian's density has fallen at 3, 2 and 1 sigma, as shares of its peak, and the greys of what lies above
LEVELS, SHADES = {"1.1 %": np.exp(-4.5), "14 %": np.exp(-2), "61 %": np.exp(-0.5)}, ("#CCCCCC", "#969696", "#525252")


def run(lesson):
    """Train, look, take apart; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(binary=True, default="mnist")
    vae = digit_vae(lesson, images, "VAE, 2 latents", 2, stream=1)
    lesson.save(plotting.diagram(vae), "posterior_machine")
    rows, boxes, pieces = on_own_grids(lesson, vae, images.test, lesson.pick(20 if images.large else 100, 6))
    X, labels, n = images.test[rows], images.test_labels[rows], len(rows)

    q = vae.encode(X)
    rng, steps = lesson.rng(2), lesson.pick(200, 10)
    near = sv.optimize_q(vae, X, steps=steps, rng=rng)                          # from the encoder's q
    covering = posterior_moments(vae, X, boxes)
    far = sv.optimize_q(vae, X, start=covering, steps=steps, rng=rng)           # from the posterior's own moments
    evidence, own = (np.array([line(p)[0] for p in pieces]) for line in (elbo.evidence, elbo.elbo))
    bounds = {"from the encoder's q": np.maximum(own, bound(vae, X, near, boxes)),
              "from the posterior's moments": bound(vae, X, far, boxes)}
    take_far = (bounds["from the posterior's moments"] > bounds["from the encoder's q"])[:, None]
    best = tuple(np.where(take_far, b, a) for a, b in zip(near, far))
    top = np.maximum(*bounds.values())
    parts = {"amortisation": top - own, "the Gaussian family": evidence - top}

    gap = evidence - own
    numbers = {"log p(x)": Mean.of(evidence), "ELBO": Mean.of(own), "gap": Mean.of(gap),
               **{name: Mean.of(part) for name, part in parts.items()}}
    lesson.table(f"The gap of {n} test images, nats (+- over images, of one "
                 "model)", ["", "mean", "median", "worst image"],
                 [(name, numbers[name], float(np.median(v)), float(worst(v))) for name, v in (
                     ("log p(x)", evidence), ("ELBO", own), ("gap", gap), *parts.items())])
    escaped = int(np.sum(bounds["from the posterior's moments"] > bounds["from the encoder's q"] + 0.1))
    numbers["width"] = Finding.of((q[1] - best[1]).mean(axis=1) / 2)
    lesson.say(whose_gap(Finding.of(parts["amortisation"]), numbers["gap"])
               + " Ascent from the encoder's q ended at a worse\noptimum than ascent from the posterior's own moments "
               f"by over 0.1 nats for {escaped} of {n} images. q* is the better of the two.\n"
               f"{too_narrow(numbers['width'])}\n")
    draw_posteriors(lesson, vae, images, X, labels, gap, q, best, boxes)
    gap_figure(lesson, gap, parts, labels)
    numbers["code"] = code(lesson, images, vae)
    return numbers


def whose_gap(amortisation, gap):
    """Whether a better Gaussian exists. amortisation : Finding of its ELBO minus the encoder's; gap : a Mean."""
    return amortisation.words(f"{amortisation.value / gap.value:.0%} of the gap is the encoder's: a better Gaussian "
                              "exists and it does not give it.",
                              "The ascent ended below the encoder's own q: too few steps.",
                              f"No clear part of the gap is the encoder's ({amortisation} nats).")


def too_narrow(width):
    """Whether q is too narrow. width : Finding over images of log sigma of q minus that of the best Gaussian q*."""
    return (f"Its sigma is {np.exp(width.value):.2f} times that of q* (geometric mean; +- "
            f"{np.exp(width.value) * width.error:.2f}): "
            + width.words("q is too wide here, though it was\nfitted in the order of the KL that rather gives too "
                          "narrow ones.",
                          "q is too narrow here.", "no clear difference.") + "\n")


def worst(values):
    """The value farthest from the median."""
    return values[np.abs(values - np.median(values)).argmax()]


def posterior_moments(vae, X, boxes):
    """mu, log_var of the posterior itself : each (N, 2)."""
    def moments(vae, x, q, grid):
        return np.stack(posterior.moments(sv.grid_posterior(vae, x, grid)))[:, 0]

    return tuple(np.array([look(vae, x[None], box, vae.encode(x[None]), moments) for x, box in zip(X, boxes)],
                          dtype=vae.dtype).swapaxes(0, 1))


def bound(vae, X, q, boxes):
    """The ELBO of this q : (N,), by quadrature; minus infinity where no grid resolves both it and the posterior."""
    found = [look(vae, X[[i]], box, tuple(part[[i]] for part in q), elbo.on_grid) for i, box in enumerate(boxes)]
    return np.array([-np.inf if p is None else elbo.elbo(p)[0] for p in found])


def draw_posteriors(lesson, vae, images, X, labels, gap, q, best, boxes):
    """Six images from the smallest gap to the largest: the posterior in grey, q and q* as ellipses."""
    chosen = np.argsort(gap)[np.linspace(0, len(gap) - 1, 6).round().astype(int)]
    figure, axes = plotting.panels(6, "The true posterior (grey) may be tilted or bent; q is an upright ellipse. From "
                                   f"the smallest gap, {gap.min():.2f} nats, to the largest, {gap.max():.2f}",
                                   n_columns=3, size=(3.5, 3.5))
    found = [look(vae, X[[i]], boxes[i], vae.encode(X[[i]]), lambda vae, x, q, grid: sv.grid_posterior(vae, x, grid))
             for i in chosen]
    codes = vae.encode(images.train[:1000])[0]
    turn = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    with plotting.house_style():
        for ax, i, (window, *_, (log_p,)) in zip(axes, chosen, found):
            ax.scatter(*codes.T, s=2, color=plotting.PALE, linewidths=0)
            m = int(np.sqrt(len(window.z)))
            density = np.exp(log_p - log_p.max()).reshape(m, m)
            ax.contourf(window.z[:m, 0], window.z[::m, 1], density, levels=[*LEVELS.values(), 1], colors=SHADES)
            for (mu, log_var), name, colour, line in (
                    (q, "q, the encoder's", plotting.COLOURS["VAE"], "-"),
                    (best, "q*, the best Gaussian", plotting.OTHER_COLOURS[0], "--")):
                for radius in (1, 2):
                    ax.plot(*(mu[i] + radius * np.exp(0.5 * log_var[i]) * circle).T, line, color=colour, linewidth=1.3,
                            label=name if radius == 1 else None)
            inside = density > np.exp(-4.5)
            points = np.concatenate([window.z.reshape(m, m, 2)[inside], q[0][[i]], best[0][[i]]])
            centre, reach = (points.max(axis=0) + points.min(axis=0)) / 2, 0.75 * np.ptp(points, axis=0).max() + 0.25
            ax.set(xlim=(centre[0] - reach, centre[0] + reach), ylim=(centre[1] - reach, centre[1] + reach),
                   aspect="equal",
                   title=f"class {images.names[labels[i]]}, gap {gap[i]:.2f} nats")
            ax.locator_params(nbins=4)
            # in the corner farthest from what is drawn, but for the legend's
            away = [np.linalg.norm(points - centre - 0.7 * reach * np.array(corner), axis=1).min() for corner in CORNERS]
            left, top = CORNERS[int(np.argmax(away))]
            inset = ax.inset_axes((0.38 + 0.36 * left, 0.38 + 0.36 * top, 0.24, 0.24))
            inset.imshow(X[i].reshape(images.shape), cmap="gray_r", vmin=0, vmax=1)
            inset.set(xticks=[], yticks=[])
            inset.spines[:].set_visible(True)
        for ax in axes[3:]:
            ax.set_xlabel("z1")
        for ax in axes[::3]:
            ax.set_ylabel("z2")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, title_fontsize=9.5,
                      title=f"from light to dark grey: p(z given x) above {', '.join(LEVELS)} of its peak; ellipses: 1 "
                            "and 2 sigma")
    lesson.save(figure, "posterior_grid")


def gap_figure(lesson, gap, parts, labels):
    """The gap of every image, sorted, in its two parts."""
    order = np.argsort(gap)
    figure, (ax,) = plotting.panels(1, few_or_many(gap[order], parts["amortisation"][order]), size=(7, 3.6))
    with plotting.house_style():
        bottom = np.zeros(len(gap))
        for (name, part), colour in zip(parts.items(), (plotting.COLOURS["VAE"], plotting.COLOURS["independent"])):
            ax.bar(np.arange(1, len(gap) + 1), part[order], 1.0, bottom=bottom, color=colour, label=name)
            bottom = bottom + part[order]
        ax.set(xlabel="test images, sorted by their gap", ylabel="log p(x) - ELBO, nats")
        ax.locator_params(axis="x", integer=True)
        ax.legend(loc="upper left")
    lesson.save(figure, "posterior_gap")


def few_or_many(gap, amortisation):
    """The title: how much of all gaps (N,), ascending, the largest tenth has, and how much there is the encoder's."""
    tenth = slice(-max(1, len(gap) // 10), None)
    n = len(gap[tenth])
    return (f"The largest gaps, {n} of {len(gap)}, are {gap[tenth].sum() / gap.sum():.0%} of them all together; there "
            f"{amortisation[tenth].sum() / gap[tenth].sum():.0%} is the encoder's, elsewhere "
            f"{amortisation[:-n].sum() / gap[:-n].sum():.0%}")


def code(lesson, images, flat):
    """What the KL pays for, with 2 and with 32 latents."""
    wide = digit_vae(lesson, images, "VAE, 32 latents", 32, stream=3)
    X = images.train[:lesson.pick(1000, 300)]
    numbers, rows = {}, []
    for name, vae in (("2 latents", flat), ("32 latents", wide)):
        split = sv.aggregate_kl(vae, X, n_samples=lesson.pick(5, 1), rng=lesson.rng(4))
        units = sv.active_units(vae, X)
        closed = Mean.of(sv.gaussian.kl_standard(*vae.encode(X)).astype(np.float64))
        numbers[name] = {"kl": Mean.of(split.kl), "mutual information": Mean.of(split.mutual_information),
                         "marginal kl": Mean.of(split.marginal_kl), "closed form": closed,
                         "active": int(units.active.sum()),
                         "least used, variance": float(units.variance.min())}
        rows.append((name, *numbers[name].values()))
    lesson.table(f"What the KL is paid for: {len(X)} training images, nats (+- over images); log N = "
                 f"{np.log(len(X)):.2f}",
                 ["model", "KL, sampled", "mutual information", "KL(aggregate || prior)", "KL, closed form",
                  "active latents",
                  "least Var[mu]"], rows)
    short, long = numbers["2 latents"], numbers["32 latents"]
    lesson.say(f"With 2 latents {short['mutual information'].value / short['kl'].value:.0%} of the KL is information "
               "about which image it was, the rest the price for codes that are not\n"
               "spread like the prior. With 32 latents the code could name the image: its information is at most log "
               f"N, and reaches\n{long['mutual information'].value:.2f}; {long['active']} of 32 latents are used "
               "(variance of mu above 0.01), "
               f"{'the others stay at the prior.' if long['active'] < 32 else 'none stays at the prior.'}\n"
               f"What is left of the KL, {long['marginal kl'].value:.2f} nats, is real distance or only that "
               f"{len(X)} codes cannot fill so many dimensions;\nthese numbers do not tell them apart.\n")
    return numbers


if __name__ == "__main__":
    run_as_command(__spec__)
