"""How does a VAE of one latent look? Its densities in six panels, and its bounds below the evidence."""
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle

import scratchvae as sv
from scratchvae import plotting
from scratchvae.probability import gaussian

COLOURS, REACH = "viridis", 2.5  # of z, from -REACH to REACH: one colour for one z in all panels
MARKS = "AB"


def picture(vae, X, chosen, axes, log_px, grid, gaps):
    """Six panels: p(z), p(x given z), p(x), the encoder, and two posteriors beside their q.

    X : (N, 2), the data      chosen : (2, 2), the points A and B      axes, log_px : the map of p(x)
    """
    figure, panel = plotting.panels(6, "z is drawn from N(0, 1), the decoder bends it to a curve and adds noise: that "
                                    "is p(x). Back from an x to its z leads Bayes' rule, for which q stands in",
                                    size=(3.3, 3.1))
    z, sd = grid.z[:, 0], float(np.sqrt(vae.noise_variance))
    line = np.abs(z) <= 3.2
    q, posterior = vae.encode(chosen), np.exp(sv.grid_posterior(vae, chosen, grid).log_posterior)
    with plotting.house_style():
        prior = np.exp(gaussian.log_prob(grid.z, 0.0, np.zeros(1)))
        coloured(panel[0], z[line], prior[line], z[line], width=4)
        panel[0].fill_between(z[line], prior[line], color=plotting.PALE, alpha=0.6)
        panel[0].set(title="p(z): the prior", xlabel="z", ylabel="density", ylim=(0, None))

        curve = vae.decode(grid.z)[line]
        band(panel[1], curve, sd)
        coloured(panel[1], *curve.T, z[line], width=4)
        panel[1].set(title="p(x given z): curve and noise")
        panel[2].imshow(np.exp(log_px), origin="lower", extent=[*axes[0][[0, -1]], *axes[1][[0, -1]]], cmap="gray_r",
                        aspect="equal", interpolation="bilinear")
        panel[2].set(title="p(x): the prior through both")
        panel[3].scatter(*X.T, s=5, c=vae.encode(X)[0][:, 0], cmap=COLOURS, vmin=-REACH, vmax=REACH, linewidths=0)
        panel[3].set(title="the encoder: mu(x), in colours of z")
        for ax in panel[1:4]:
            ax.set(xlim=axes[0][[0, -1]], ylim=axes[1][[0, -1]], xlabel="x1", ylabel="x2", aspect="equal")
        for ax in panel[2:4]:
            for mark, point in zip(MARKS, chosen):
                ax.plot(*point, "o", markersize=7, markerfacecolor="none", markeredgecolor=plotting.COLOURS["VAE"])
                ax.annotate(mark, point, (7, 5), textcoords="offset points", color=plotting.COLOURS["VAE"],
                            weight="bold", path_effects=plotting.HALO)
        for ax, mark, density, mu, log_var, gap in zip(panel[4:], MARKS, posterior, *q, gaps):
            own = np.exp(gaussian.log_prob(grid.z, mu, log_var))
            ax.fill_between(z, density, color=plotting.COLOURS["independent"], label="true posterior")
            ax.plot(z, own, color=plotting.COLOURS["VAE"], label="q")
            seen = np.flatnonzero((density > 0.002 * density.max()) | (own > 0.002 * own.max()))
            ax.set(title=f"p(z given {mark}): gap {gap:.2g} nats", xlabel="z", xlim=z[seen[[0, -1]]],
                   ylim=(0, 1.35 * max(density.max(), own.max())))
        panel[4].set_ylabel("density")
        panel[4].legend(loc="upper right")
    return figure


def coloured(ax, x, y, z, width):
    """The line through the points (x, y), in the colours of z."""
    points = np.stack([x, y], axis=1)
    pairs = np.stack([points[:-1], points[1:]], axis=1)
    lines = LineCollection(pairs, cmap=COLOURS, linewidths=width, capstyle="round")
    lines.set_array(z[:-1])
    lines.set_clim(-REACH, REACH)
    ax.add_collection(lines)
    ax.autoscale_view()


def band(ax, curve, sd):
    """One and two deviations of noise around the curve, in grey: discs along it."""
    for radius, shade in ((2 * sd, "#E4E4E4"), (sd, "#C4C4C4")):
        for point in curve:
            ax.add_patch(Circle(point, radius, color=shade, linewidth=0))


def bound_figure(shifts, curves, rounds, title):
    """log p(x) over the shift of the decoder's curve, the bounds below it, and where they touch."""
    figure, (ax,) = plotting.panels(1, title, size=(9.9, 4.4))
    truth = curves["log p(x)"]
    with plotting.house_style():
        ax.plot(shifts, truth, color=plotting.COLOURS["truth"], linewidth=2.6, label="log p(x)")
        ax.plot(shifts, curves["the encoder's q"], "--", color=plotting.COLOURS["VAE"], label="bound, encoder's q")
        for i, (r, colour) in enumerate(zip(rounds, plotting.OTHER_COLOURS), 1):
            ax.plot(shifts, curves[f"q of round {i}"], color=colour, linewidth=1.3,
                    label=f"bound, q the posterior\nof round {i}")
            ax.plot(r["at"], r["bound"], "o", color=colour, markersize=6)
            ax.annotate("", (r["top at"], r["top"]), (r["at"], r["bound"]),
                        arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.5})
        span = np.ptp(truth)
        ax.set(xlabel="the decoder's curve, moved to the right by", ylabel="nats a point, mean over 100 points",
               ylim=(truth.min() - 0.25 * span, truth.max() + 0.12 * span), xlim=shifts[[0, -1]])
        ax.grid(color=plotting.PALE, linewidth=0.6)
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
