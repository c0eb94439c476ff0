"""How does a mask make a network blind? A MADE of a few pixels: its connections, and which pixel each output hears."""
import numpy as np

from scratchvae import plotting
from scratchvae.models.made import degree_masks, hidden_degrees

D, H = 5, 8


def masks_figure():
    """The network of the raster order, in colour what one output hears; the ways from pixel to output in two orders."""
    orders = {"raster order": np.arange(D), "odd pixels first": np.argsort(np.arange(D) % 2, kind="stable")}
    masks = {name: degree_masks(order, (H,)) for name, order in orders.items()}
    ways = {name: first.astype(int) @ last for name, (first, last) in masks.items()}
    joined = {name: int((way > 0).sum()) for name, way in ways.items()}
    itself = sum(int(np.trace(way)) for way in ways.values())
    figure, axes = plotting.panels(3, "Masks take out every way from a pixel to its own output or to an earlier one: "
                                   f"{joined['raster order']} of {D * D} pairs stay joined, {itself} ways lead back to "
                                   "the pixel itself", size=(3.05, 3.6))
    with plotting.house_style():
        network(axes[0], *masks["raster order"], heard=D // 2)
        for ax, (name, order) in zip(axes[1:], orders.items()):
            # rows and columns as the pixels are named, 1 to D
            ax.imshow(ways[name] > 0, cmap="Blues", vmin=0, vmax=1.6)
            for i in range(D):
                for j in range(D):
                    ax.text(j, i, str(ways[name][i, j]), ha="center", va="center", size=9)
            ax.set(title=f"{name}: {' '.join(str(i + 1) for i in order)}", xlabel="output of pixel",
                   ylabel="from pixel", xticks=range(D), yticks=range(D), xticklabels=range(1, D + 1),
                   yticklabels=range(1, D + 1))
    return figure


def network(ax, first, last, heard):
    """Pixels, hidden units with their degrees, outputs, from left to right; coloured, what output `heard` hears."""
    place = lambda n, i: 1 - (i + 0.5) / n
    through = last[:, heard]                                          # the hidden units that it hears
    colour = plotting.COLOURS["MADE"]
    for mask, x, on in ((first, 0, first & through), (last, 1, last & (np.arange(D) == heard))):
        for i, j in np.argwhere(mask):
            ax.plot([x, x + 1], [place(mask.shape[0], i), place(mask.shape[1], j)], zorder=2 if on[i, j] else 1,
                    color=colour if on[i, j] else "#C4C4C4", linewidth=1.8 if on[i, j] else 0.9)
    names = range(1, D + 1), hidden_degrees(H, D), range(1, D + 1)
    lit = (first & through).any(axis=1), through, np.arange(D) == heard
    for x, (labels, bright) in enumerate(zip(names, lit)):
        for i, (name, on) in enumerate(zip(labels, bright)):
            ax.plot(x, place(len(labels), i), "o", markersize=15, markeredgecolor=plotting.INK, zorder=3,
                    markerfacecolor=colour if on else "white")
            ax.text(x, place(len(labels), i), str(name), ha="center", va="center", size=9, zorder=4)
    ax.set(title=f"what output {heard + 1} hears", xticks=range(3), yticks=[],
           xticklabels=["pixels", "units,\nby degree", "outputs"], xlim=(-0.3, 2.3), ylim=(0, 1))
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
