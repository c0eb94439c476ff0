"""How does a loss come back to the encoder? A step of a VAE drawn with its numbers: forward in grey, back in colour."""
import numpy as np
from matplotlib.patches import Rectangle

from scratchvae import plotting
from scratchvae.plotting.page import short_number

HALF, LINE, APART = 0.6, 0.46, 0.13  # half a box's width, a line of numbers, half the way between two arrows
NEAR, FAR = 1.7, -1.7                # the heights of the road through z, and of the road through the KL
# box -> its middle, and which of the step's arrays it holds
BOXES = {"x": (0, 0, "x"), "h": (2.6, 0, "encoder.1 forward: y"), "mu": (6.0, NEAR, "VAE forward: mu"),
         "log_var": (6.0, FAR, "VAE forward: log_var"), "eps": (9.4, 3.5, "eps"), "z": (9.4, NEAR, "VAE forward: z"),
         "h'": (11.9, NEAR, "decoder.1 forward: y"), "logits": (14.4, NEAR, "VAE forward: params"),
         "log p(x given z)": (17.2, NEAR, "VAE forward: log_px"), "KL": (9.4, FAR, "VAE forward_backward: kl"),
         "loss": (17.2, FAR, "VAE forward_backward: returns loss")}
FORWARD = (("x", "h"), ("h", "mu"), ("h", "log_var"), ("mu", "z"), ("log_var", "z"), ("eps", "z"), ("z", "h'"),
           ("h'", "logits"), ("logits", "log p(x given z)"), ("log p(x given z)", "loss"), ("mu", "KL"),
           ("log_var", "KL"), ("KL", "loss"))
GROUND = "#F4F4F4"                   # of a box
COLOURS = {"z": plotting.COLOURS["VAE"], "KL": plotting.COLOURS["AE"], "sum": plotting.INK}


def roads_figure(seen, W, title):
    """The picture. seen : name -> array, what the step has made      W : (3, 2), which makes mu and log_var from h

    The numbers on a coloured arrow are the loss's derivatives in the numbers of the box that it leads to.
    """
    d = {name: seen[f"VAE forward_backward: d{name}"].item() for name in ("mu", "log_var", "mu_kl", "log_var_kl")}
    roads = (("loss", "log p(x given z)", "z", [-1]),
             ("log p(x given z)", "logits", "z", seen["VAE through_z: dparams"]),
             ("logits", "h'", "z", seen["decoder.2 backward: returns"]), ("h'", "z", "z", seen["VAE through_z: dz"]),
             ("z", "mu", "z", d["mu"]), ("z", "log_var", "z", d["log_var"]), ("loss", "KL", "KL", [1]),
             ("KL", "mu", "KL", d["mu_kl"]), ("KL", "log_var", "KL", d["log_var_kl"]))
    figure, (ax,) = plotting.panels(1, title, size=(10, 4.5))
    with plotting.house_style():
        high = {name: LINE * np.size(seen[key]) / 2 + 0.08 for name, (*_, key) in BOXES.items()}
        for start, end in FORWARD:
            arrow(ax, start, end, high, plotting.GREY, 0.9)
        for start, end, road, numbers in roads:
            column(ax, *arrow(ax, start, end, high, COLOURS[road], 2), np.ravel(numbers), COLOURS[road])
        for start in ("mu", "log_var"):
            arrow(ax, start, "h", high, COLOURS["sum"], 2)
        # dh = dcode W^T, on each road
        through = W @ np.array([[d["mu"], d["mu_kl"]], [d["log_var"], d["log_var_kl"]]])
        for i, (road, numbers) in enumerate(zip(COLOURS, (*through.T, through.sum(axis=1)))):
            x, y = BOXES["h"][0] - 1.15 + 1.15 * i, -high["h"] - 0.55
            ax.text(x, y, ("via z", "+ via KL", "= dh")[i], ha="center", va="center", size=9, color=COLOURS[road])
            column(ax, x, y - 0.1, numbers, COLOURS[road])
        for name, (x, y, key) in BOXES.items():
            ax.add_patch(Rectangle((x - HALF, y - high[name]), 2 * HALF, 2 * high[name], facecolor=GROUND,
                                   edgecolor=plotting.INK, linewidth=1, zorder=4))
            above, aside = y > FAR, 0.35 if name == "z" else 0      # below in the lower row; beside the arrow from eps
            edge = y + (high[name] + 0.1) * (1 if above else -1)
            ax.text(x - aside, edge, name, size=9.5, weight="bold", ha="center", va="bottom" if above else "top",
                    path_effects=plotting.HALO, zorder=5)
            column(ax, x, y + high[name] + 0.07, seen[key].ravel(), plotting.INK, GROUND)
        for road, y, name in (("z", NEAR + 2.0, "the road through z"), ("KL", FAR + 0.6, "the road through the KL")):
            ax.text(13.3, y, name, color=COLOURS[road], ha="center", va="center", size=11)
        figure.supxlabel("in a box: its numbers, made forward along grey arrows;\nbeside a coloured arrow: the loss's "
                         "derivatives in the numbers of the box it leads to", size=9.5)
        ax.set(xlim=(-0.7, 18.6), ylim=(-3.0, 4.4), aspect="equal")
        ax.axis("off")
    return figure


def arrow(ax, start, end, high, colour, width):
    """An arrow between two boxes, a little to the left of its way, where one back has room; where its numbers begin."""
    a, b = (np.array(BOXES[name][:2], float) for name in (start, end))
    way = (b - a) / np.hypot(*(b - a))
    side = APART * np.array([-way[1], way[0]])
    ends = []
    for middle, name, sign in ((a, start, 1), (b, end, -1)):      # from edge to edge
        reach = min(size / max(abs(step), 1e-9) for size, step in zip((HALF, high[name]), way))
        ends.append(middle + sign * (reach + 0.06) * way + side)
    ax.annotate("", ends[1], ends[0], zorder=2, arrowprops={
        "arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11})
    if abs(way[0]) > 0.99:
        return (ends[0] + ends[1]) / 2 - [0, 0.05]                # below its middle
    if abs(way[1]) > 0.99:
        return (ends[0] + ends[1]) / 2 + [0.55, LINE]             # beside it
    return ends[0] + 0.68 * (ends[1] - ends[0]) + [0, LINE / 2 + 0.15]    # on it, nearer to its head


def column(ax, x, y, numbers, colour, ground="white"):
    """Numbers one below the other, under the point (x, y)."""
    for i, number in enumerate(numbers):
        ax.text(x, y - 0.15 - LINE * (i + 0.5), short_number(number, ".3f" if number % 1 else "g"), ha="center",
                va="center", size=8.5, color=colour, zorder=6,
                bbox={"facecolor": ground, "edgecolor": "none", "pad": 1})
