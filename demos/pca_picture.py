"""How do principal axes look? On a cloud in the plane, and as steps away from the mean image."""
import numpy as np

import scratchvae as sv
from scratchvae import plotting

AXES = "#0072B2", "#D55E00"        # the first and the second
STEPS = np.linspace(-2, 2, 9)      # in standard deviations along a component


def halves(X, shape):
    """The ink of each image's upper and lower half, in tenths of what that half can hold : (N, 2)."""
    X, middle = np.reshape(X, (-1, *shape)), shape[0] // 2
    return 10 * np.stack([half.mean(axis=(1, 2)) for half in (X[:, :middle], X[:, middle:])], axis=1)


def axes_figure(points):
    """The cloud (N, 2), its mean and principal axes, two standard deviations long; a few points' way to the first."""
    pca = sv.PCA(2).fit(points)
    kept, sd = pca.explained_variance_ratio_[0], np.sqrt(pca.explained_variance_)
    figure, (ax,) = plotting.panels(1, f"Along the first axis lies {kept:.0%} of the variance of these two numbers; "
                                    "the second stands at a right angle to it and has the rest", size=(6.2, 5.6))
    z = pca.transform(points)
    along = np.array_split(z[:, 0].argsort(), 8)             # of each eighth along the axis, one that is usual
    shown = [rows[np.abs(np.abs(z[rows, 1]) - sd[1]).argmin()] for rows in along]
    with plotting.house_style():
        ax.scatter(*points.T, s=9, color=plotting.COLOURS["independent"], alpha=0.55, linewidths=0)
        feet = pca.mean_ + z[shown, :1] * pca.components_[0]
        for point, foot in zip(points[shown], feet):
            ax.plot(*np.stack([point, foot]).T, color=plotting.INK, linewidth=0.9)
            ax.plot(*point, "o", color=plotting.INK, markersize=3.5)
        ends = pca.mean_ + z[[z[:, 0].argmin(), z[:, 0].argmax()], :1] * pca.components_[0]
        ax.plot(*ends.T, ":", color=AXES[0], linewidth=1.2)
        for v, length, colour, name in zip(pca.components_, 2 * sd, AXES, ("first axis", "second axis")):
            tip = pca.mean_ + length * v
            ax.annotate("", tip, pca.mean_, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.6,
                                                        "shrinkA": 0, "shrinkB": 0, "mutation_scale": 16}, zorder=4)
            ax.plot([], [], color=colour, linewidth=2.6, label=f"{name}:\n2 sigma = {length:.2g}")
        ax.plot(*pca.mean_, "o", color=plotting.INK, markersize=8, markeredgecolor="white", zorder=5)
        ax.legend(loc="best")
        middle, reach = (points.max(axis=0) + points.min(axis=0)) / 2, 0.55 * np.ptp(points, axis=0).max()
        ax.set(xlabel="ink of the upper half (10 = all black)", ylabel="ink of the lower half (10 = all black)")
        ax.set(**dict(zip(("xlim", "ylim"), zip(middle - reach, middle + reach))), aspect="equal")
    return figure


def mean_figure(pca, shape):
    """The mean image in the middle; to both sides of it, what each of the components adds."""
    sd = np.sqrt(pca.explained_variance_)
    images = pca.mean_ + (STEPS[:, None] * sd[:, None, None] * pca.components_[:, None]).reshape(-1, len(pca.mean_))
    shares = pca.explained_variance_ratio_
    figure = plotting.traversal(
        images.clip(0, 1), STEPS, "Every image is the mean image (middle column) and so much of each component: the "
        f"first {len(shares)} have {shares.sum():.0%} of the variance",
        [f"component {k} ({share:.0%})" for k, share in enumerate(shares, 1)], shape=shape)
    figure.axes[0].set_xlabel("standard deviations along the component")
    return figure
