"""How do a Gaussian, its likelihood and its posterior look? Three figures of `bayes`, of numbers that it measured."""
import numpy as np

from scratchvae import plotting
from scratchvae.probability import gaussian, inference, normal_table

PRIOR, LIKELIHOOD, POSTERIOR = plotting.COLOURS["independent"], plotting.COLOURS["AE"], plotting.COLOURS["VAE"]


def density(x, mean, variance):
    """N(x; mean, variance) : (N,)."""
    return np.exp(gaussian.log_prob(np.asarray(x)[:, None], float(mean), float(np.log(variance))))


def height(x, mean, variance):
    """N(x; mean, variance) of one x."""
    return float(density([x], mean, variance)[0])


def gaussian_figure(ink, mean, sd):
    """What mu does, what sigma does, and an interval's probability as an area, over the ink (N,) that was counted."""
    low, high = mean - sd, mean + sd
    area, counted = float(normal_table.normal_interval(low, high, mean, sd)), np.mean((ink > low) & (ink < high))
    figure, axes = plotting.panels(3, "mu moves the curve, sigma makes it wide and low; the area over an interval is "
                                   f"its probability: {area:.1%} of N({mean:.2f}, {sd:.3f}\N{SUPERSCRIPT TWO}) within "
                                   f"one sigma, {counted:.1%} of the test images", size=(3.05, 3.1))
    x = np.linspace(-5, 5, 401)
    with plotting.house_style():
        for ax, name, curves in ((axes[0], "mu", [(m, 1.0) for m in (-2, 0, 2)]),
                                 (axes[1], "sigma", [(0, s) for s in (0.5, 1.0, 2.0)])):
            for (m, s), colour in zip(curves, plotting.OTHER_COLOURS):
                ax.plot(x, density(x, m, s**2), color=colour)
                value = f"{m if name == 'mu' else s:g}".replace("-", "\N{MINUS SIGN}")
                at = m if name == "mu" else 1.2 * s
                plotting.label(ax, at, height(at, m, s**2), f"{name} = {value}",
                               (0, 9) if name == "mu" else (30, 2), size=9, color=colour)
            ax.set(title="sigma = 1" if name == "mu" else "mu = 0", xlabel="x", xlim=(-5, 5),
                   ylim=(0, 0.46 if name == "mu" else 0.9))
        axes[0].set_ylabel("density")
        x, inside = np.linspace(mean - 4 * sd, mean + 4 * sd, 401), np.linspace(low, high, 101)
        axes[2].hist(ink, bins=25, density=True, color=plotting.PALE)
        axes[2].fill_between(inside, density(inside, mean, sd**2), color=POSTERIOR, alpha=0.45, linewidth=0)
        axes[2].plot(x, density(x, mean, sd**2), color=POSTERIOR)
        plotting.label(axes[2], mean, 0.4 * height(mean, mean, sd**2), f"{area:.1%}", size=11, weight="bold")
        axes[2].set(title="ink of the test images, grey", xlabel="share of the page that is black")
    return figure


def likelihood_figure(x, variance):
    """A Gaussian of known variance slid over values x (n,): three places, and the log-likelihood of every place."""
    best, sd = float(inference.gaussian_mle(x[:, None]).mean[0]), float(np.sqrt(variance))
    places = {"too far left": best - 1.7 * sd, "most likely": best, "too far right": best + 1.7 * sd}
    colours = dict(zip(places, (plotting.OTHER_COLOURS[0], POSTERIOR, plotting.OTHER_COLOURS[1])))
    means = np.linspace(best - 2.5 * sd, best + 2.5 * sd, 201)
    log_likelihood = lambda m: float(np.log(density(x, m, variance)).sum())
    figure, axes = plotting.panels(2, f"A Gaussian slid over {len(x)} values: they are most likely where it stands "
                                   f"over their mean, {best:.3f}", size=(4.5, 3.7))
    grid = np.linspace(min(x.min(), best) - 3 * sd, max(x.max(), best) + 3 * sd, 401)
    with plotting.house_style():
        for name, m in places.items():
            axes[0].plot(grid, density(grid, m, variance), color=colours[name], linestyle="-" if m == best else "--")
            axes[1].plot(m, log_likelihood(m), "o", color=colours[name], markersize=8, zorder=3)
            for ax, top, up in ((axes[0], height(m, m, variance), 9),
                                (axes[1], log_likelihood(m), 12 if m == best else -14)):
                plotting.label(ax, m, top, name, (0, up), size=9, color=colours[name])
        axes[0].vlines(x, 0, density(x, best, variance), color=POSTERIOR, linewidth=0.9, alpha=0.6)
        axes[0].plot(x, np.zeros_like(x), "o", color=plotting.INK, markersize=6, clip_on=False, zorder=4)
        peak = height(0.0, 0.0, variance)
        axes[0].set(title="the values (dots) and the densities they get", xlabel="ink, share of the page",
                    ylabel="density", ylim=(0, 1.2 * peak))
        curve = np.array([log_likelihood(m) for m in means])
        axes[1].plot(means, curve, color=plotting.GREY)
        low, span = curve.min(), np.ptp(curve)
        axes[1].vlines(best, low - 0.1 * span, curve.max(), color=plotting.GREY, linestyle=":", linewidth=1.2)
        axes[1].set(title="the sum of their logs", xlabel="where the Gaussian's mean stands",
                    ylabel="log-likelihood, nats", ylim=(low - 0.1 * span, low + 1.2 * span))
    return figure


def posterior_figure(seen, variance, prior, name):
    """Prior times likelihood gives the posterior. seen : n -> the mean of n values      name : of the class"""
    posteriors = {n: inference.gaussian_posterior(n, m, variance, prior) for n, m in seen.items()}
    sd = [np.sqrt(posterior.variance / prior.variance) for posterior in posteriors.values()]
    figure, axes = plotting.panels(len(seen), "Prior times likelihood gives the posterior: after "
                                   f"{', '.join(map(str, seen))} images of class {name} it is "
                                   f"{', '.join(f'{s:.0%}' for s in sd)} as wide as the prior", size=(3.05, 3.3))
    curves = {n: {"prior": (PRIOR, prior), "likelihood": (LIKELIHOOD, inference.Normal(m, variance / n)),
                  "posterior": (POSTERIOR, posteriors[n])} for n, m in seen.items()}
    reach = [m + 3 * side * v**0.5 for drawn in curves.values() for _, (m, v) in drawn.values() for side in (-1, 1)]
    x = np.linspace(min(reach), max(reach), 801)
    with plotting.house_style():
        for ax, (n, drawn) in zip(axes, curves.items()):
            for what, (colour, (m, v)) in drawn.items():
                ax.plot(x, density(x, m, v), "--" if what == "likelihood" else "-", color=colour, label=what)
            ax.fill_between(x, density(x, *posteriors[n]), color=POSTERIOR, alpha=0.25, linewidth=0)
            ax.set(title=f"{n} image{'s' * (n > 1)} seen", xlabel="mean ink of the class", xlim=x[[0, -1]])
        axes[0].set_ylabel("density (likelihood: its area made 1)")
        axes[0].legend(loc="upper left", fontsize=8.5)
        top = max(ax.get_ylim()[1] for ax in axes)
        for ax in axes:
            ax.set_ylim(0, 1.15 * top)
    return figure
