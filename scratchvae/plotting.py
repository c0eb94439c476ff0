"""What does it look like? Arrays in, Matplotlib figures out; no model is known here.

Every function checks its arrays, draws in one house style and returns the figure. Given `ax`, one of `panels`, it
draws there instead, and the title becomes that panel's. Images are rows of pixels in [0, 1], 1 being ink; what lies
outside is clipped. Titles are plain text, broken into lines where they would not fit. `save` writes and closes.
"""
import os
from math import isqrt
from pathlib import Path
from statistics import NormalDist
from textwrap import fill

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patheffects import withStroke

from scratchvae.checking import class_labels, integer, matrix, number, real_array

# One colour for one thing in every lesson: Okabe & Ito 2008, their yellow darkened for a white page.
COLOURS = {"truth": "#222222", "PCA": "#E69F00", "kernel PCA": "#009E73", "probabilistic PCA": "#9C8A00",
           "AE": "#0072B2", "VAE": "#D55E00", "FVBN": "#CC79A7", "MADE": "#56B4E9", "independent": "#8C8C8C"}
# For names that are not in the table: part of Paul Tol's "muted" scheme.
OTHER_COLOURS = ("#332288", "#44AA99", "#882255", "#999933", "#AA4499", "#661100")
# Digits 0 to 9: Petroff 2021, "Accessible color sequences for data visualization".
DIGIT_COLOURS = ("#3F90DA", "#FFA90E", "#BD1F01", "#94A4A2", "#832DB6",
                 "#A96B59", "#E76300", "#B9AC70", "#717581", "#92DADD")

INK, GREY, PALE = "#222222", "#666666", "#DDDDDD"
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 10, "text.color": INK, "figure.facecolor": "white", "figure.dpi": 110,
    "figure.titlesize": 12, "figure.titleweight": "normal", "figure.constrained_layout.w_pad": 0.07,
    "figure.constrained_layout.h_pad": 0.07, "savefig.facecolor": "auto", "axes.facecolor": "white",
    "axes.titlesize": 10.5, "axes.labelsize": 10, "axes.labelcolor": INK, "axes.edgecolor": INK, "axes.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "lines.linewidth": 1.8,
    "lines.markersize": 5, "legend.edgecolor": "white", "legend.framealpha": 0.9, "legend.fontsize": 9.5,
}
HALO = [withStroke(linewidth=3, foreground="white")]


def house_style():
    """The style of all figures, as a context (`with house_style():`) or a decorator (`@house_style()`)."""
    return matplotlib.rc_context(STYLE)


# ---- the page -------------------------------------------------------------------------------------------------------

@house_style()
def panels(n, title, n_columns=None, size=(3.4, 3.1)):
    """A figure with `title` above n empty panels of `size` inches: (figure, axes), axes an array of length n."""
    n = integer("n", n)
    n_columns = min(n, 3) if n_columns is None else integer("n_columns", n_columns)
    n_rows = -(-n // n_columns)
    figure, axes = plt.subplots(n_rows, n_columns, squeeze=False, layout="constrained",
                                figsize=(n_columns * size[0], n_rows * size[1]))
    for ax in axes.flat[n:]:
        ax.remove()
    for ax in axes.flat[:n]:  # ticks are made when they are drawn, so their style must be told to the axes
        ax.tick_params(which="both", labelsize=9, length=3, width=0.8, color=INK, labelcolor=INK)
    text = figure.suptitle(title, parse_math=False)
    _wrap(text, figure.get_figwidth() - 0.3)
    figure.set_figheight(figure.get_figheight() + 0.22 * len(text.get_text().splitlines()))
    return figure, axes.flat[:n]


def _wrap(text, inches):
    """Break a Matplotlib text into as few lines as fit in `inches`, and these into about equal lengths."""
    lines, words, best = text.get_text().splitlines(), text.get_text().split(), None
    longest, limit = max(map(len, lines), default=0), inches * text.get_figure().dpi
    upper = int(1.3 * longest * limit / max(1, text.get_window_extent().width))  # more characters will not fit
    for width in range(min(longest, upper), 0, -1):
        broken = "\n".join(fill(line, width, break_on_hyphens=False) for line in lines)
        if best and (broken.count("\n") > best.count("\n") or width < max(map(len, words))):
            break
        text.set_text(broken)
        if text.get_window_extent().width <= limit:
            best = broken
    text.set_text(best or text.get_text())


def _page(ax, title, size):
    """The axes to draw in: a page of its own, or the panel `ax` under this title."""
    if ax is None:
        return panels(1, title, size=size)[1][0]
    inches = ax.get_position(original=True).width * ax.figure.get_figwidth()
    _wrap(ax.set_title(title, parse_math=False), 1.15 * inches)
    return ax


def save(figure, path):
    """Write the figure as a PNG, whole or not at all and the same bytes every time; close it; return the path."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.suffix.lower() != ".png":
            raise ValueError(f"path: want a name that ends in .png, got {path.name!r}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with house_style():
            figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None},
                           pil_kwargs={"optimize": True})
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        plt.close(figure)
    return path


# ---- images ---------------------------------------------------------------------------------------------------------

def _tiles(images, shape):
    """Rows of pixels (M, D) as tiles (M, h, w); D must be a square unless `shape` gives (h, w)."""
    images = matrix("images", images)
    n_pixels = images.shape[1]
    h, w = shape or (isqrt(n_pixels),) * 2
    if h * w != n_pixels or h < 1:
        raise ValueError(f"images: want {f'{h} * {w}' if shape else 'a square number of'} pixels, got {n_pixels}"
                         + ("" if shape else "; give shape=(h, w)"))
    return images.clip(0, 1).reshape(-1, h, w)


def _show_tiles(tiles, n_columns, title, ax, row_labels=None, margins=(0.3, 0.3)):
    """All tiles as one picture, row by row from the top, on axes that count tiles: (0, 0) is the lower left corner."""
    n_rows = -(-len(tiles) // n_columns)
    if row_labels is not None and len(row_labels) != n_rows:
        raise ValueError(f"row_labels: want {n_rows}, one a row, got {len(row_labels)}")
    scale = max(1, 32 // max(tiles.shape[1:]))  # small images are enlarged, so that their frames stay thin
    tiles = np.pad(tiles.repeat(scale, 1).repeat(scale, 2), ((0, 0), (1, 1), (1, 1)), constant_values=0.15)
    m, h, w = tiles.shape
    picture = np.zeros((n_rows * n_columns, h, w))  # a place without an image stays white
    picture[:m] = tiles
    picture = picture.reshape(n_rows, n_columns, h, w).swapaxes(1, 2).reshape(n_rows * h, n_columns * w)
    width = min(0.75 * max(1, w / h), 7 / n_columns, 7 * w / h / n_rows)  # of a tile, in inches
    wide = n_columns * width + margins[0] + (0 if row_labels is None else 0.08 * max(map(len, row_labels)))
    ax = _page(ax, title, (max(4.5, wide), n_rows * width * h / w + margins[1]))
    ax.imshow(picture, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", origin="upper",
              extent=(0, n_columns, 0, n_rows), aspect=h / w)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set(xticks=[], yticks=[])
    if row_labels is not None:
        ax.set_yticks(np.arange(n_rows)[::-1] + 0.5, row_labels)
    return ax


def _ticks(values, at):
    """Places and labels of the ticks of tiles that stand for `values`, at the chosen indices."""
    at = np.unique(at)
    return at + 0.5, [_short(round(values[i], 2) + 0.0) for i in at]


def _short(value, spec="g"):
    return f"{value:{spec}}".replace("-", "\N{MINUS SIGN}")


@house_style()
def image_grid(images, title, n_columns=10, row_labels=None, shape=None, ax=None):
    """The images (M, D), upright, row by row from the top left; `row_labels` says what each row is."""
    tiles = _tiles(images, shape)
    n_columns = min(integer("n_columns", n_columns), len(tiles))
    return _show_tiles(tiles, n_columns, title, ax, row_labels).figure


def _quantiles(n):
    return np.array([NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)])


def manifold_grid(n):
    """The codes (z1, z2) of `manifold`: each the quantiles (i + 1/2) / n of N(0, 1), equal shares of the prior.

    returns : (n * n, 2), row by row from the top: z1 grows to the right, z2 upward
    """
    z = _quantiles(integer("n", n))
    return np.stack([np.tile(z, n), np.repeat(z[::-1], n)], axis=1)


@house_style()
def manifold(images, title, shape=None, ax=None):
    """What a decoder makes of `manifold_grid(n)`: images (n * n, D) in that order, on axes ticked in z1 and z2."""
    tiles = _tiles(images, shape)
    n = isqrt(len(tiles))
    if n * n != len(tiles):
        raise ValueError(f"images: want a square number of images, as manifold_grid gives codes, got {len(tiles)}")
    ax = _show_tiles(tiles, n, title, ax, margins=(0.75, 0.7))
    middle = [n // 2] if n % 2 else []
    places, names = _ticks(_quantiles(n), [0, n // 4, *middle, n - 1 - n // 4, n - 1])
    ax.set_xticks(places, names)
    ax.set_yticks(places, names)
    ax.set(xlabel="z1", ylabel="z2")
    return ax.figure


@house_style()
def traversal(images, values, title, row_labels, shape=None, ax=None):
    """One row of images for each latent dimension, one column for each of its `values` (V,); images (K * V, D)."""
    tiles, values = _tiles(images, shape), _vector("values", values)
    if len(tiles) % len(values):
        raise ValueError(f"images: want {len(values)} a row, one for each of values, got {len(tiles)} in all")
    ax = _show_tiles(tiles, len(values), title, ax, row_labels, margins=(0.3, 0.75))
    ax.set_xticks(*_ticks(values, np.linspace(0, len(values) - 1, min(11, len(values))).round().astype(int)))
    ax.set_xlabel("value of the latent dimension")
    return ax.figure


# ---- codes ----------------------------------------------------------------------------------------------------------

@house_style()
def latent_scatter(z, labels, title, circles=False, ax=None):
    """Codes z (N, 2) coloured by their labels (N,) in 0..9, each class's digit at its median.

    circles : also draw the circles of radius 1 and 2, standard deviations of the prior N(0, I)
    """
    z = matrix("z", z, 2)
    labels = class_labels("labels", labels, len(z), len(DIGIT_COLOURS))
    ax = _page(ax, title, (6, 5.8))
    for digit in np.unique(labels):
        points, colour = z[labels == digit], matplotlib.colors.to_rgb(DIGIT_COLOURS[digit])
        ax.scatter(*points.T, s=9, color=colour, alpha=0.75, linewidths=0)
        ax.text(*np.median(points, axis=0), str(digit), size=15, weight="bold", ha="center", va="center",
                color=0.6 * np.array(colour), path_effects=HALO, zorder=4)
    for radius in (1, 2) if circles else ():
        ax.add_patch(plt.Circle((0, 0), radius, fill=False, color=GREY, linewidth=1.2, zorder=3))
        ax.annotate(f"{radius} sigma", (0, -radius), (0, -3), textcoords="offset points", size=8.5, ha="center",
                    va="top", color=GREY, path_effects=HALO, zorder=3)
    ax.set(xlabel="z1", ylabel="z2")
    ax.set_aspect("equal", adjustable="datalim")
    return ax.figure


# ---- numbers --------------------------------------------------------------------------------------------------------

def _vector(name, value, n=None, positive=False):
    """`value` as a finite (n,) array, of positive numbers if a logarithmic axis wants them."""
    array = real_array(name, value)
    if array.ndim != 1 or n not in (None, len(array)):
        raise ValueError(f"{name}: want shape ({n or 'N'},), got {array.shape}")
    if positive and array.min() <= 0:
        raise ValueError(f"{name}: want numbers > 0 for a logarithmic axis, got {array.min():g}")
    return array


def _named(name, value, known=None):
    """A dict of name -> numbers, of `known` names if given, and then perhaps empty."""
    if not isinstance(value, dict):
        raise TypeError(f"{name}: want a dict of name -> numbers, got {type(value).__name__}")
    if known is None and not value:
        raise ValueError(f"{name}: got an empty dict")
    if known is not None and not set(value) <= set(known):
        raise ValueError(f"{name}: want names among {list(known)}, got {list(value)}")
    return value


def _colours(names):
    """The table's colour of each name, or else one that is not in the table."""
    strangers = [name for name in names if name not in COLOURS]
    return {**COLOURS, **{name: OTHER_COLOURS[i % len(OTHER_COLOURS)] for i, name in enumerate(strangers)}}


def _plain_numbers(axis):
    """Short numbers on a logarithmic axis: 0.1, 1, 10, powers of ten beyond, 2 and 5 between if it has few decades."""
    def decade(value, _):
        return f"{value:g}" if len(f"{value:g}") < 5 else f"$10^{{{np.log10(value):.0f}}}$"

    def between(value, _):
        few = np.ptp(np.log10(axis.get_view_interval())) < 2.5
        return f"{value:g}" if few and f"{value:e}"[0] in "25" else ""

    axis.set_major_formatter(decade)
    axis.set_minor_formatter(between)


@house_style()
def lines(x, curves, title, xlabel, ylabel, logx=False, logy=False, errors=None, ax=None):
    """Curves over x (N,): a dict of name -> y (N,) or (y, standard error); `errors`, name -> (N,), gives them apart.

    On a page of its own the legend stands at the right, in the order in which the curves end.
    """
    x, drawn = _vector("x", x, positive=logx), {}
    errors = dict(_named("errors", errors or {}, known=_named("curves", curves)))
    for name, y in curves.items():
        if isinstance(y, tuple) and len(y) == 2 and np.ndim(y[0]) == 1:
            y, errors[name] = y
        drawn[name] = _vector(f"curves[{name!r}]", y, len(x), positive=logy)
    for name, error in errors.items():
        if _vector(f"errors[{name!r}]", error, len(x)).min() < 0:
            raise ValueError(f"errors[{name!r}]: want standard errors >= 0, got {np.min(error):g}")
    alone, ax = ax is None, _page(ax, title, (7.2, 4.2))
    colours, few = _colours(drawn), len(x) <= 30  # the second cue besides colour: markers, or dashes on long curves
    for i, (name, y) in enumerate(drawn.items()):
        ax.errorbar(x, y, errors.get(name), color=colours[name], label=name, capsize=2.5, elinewidth=1.2,
                    marker="os^Dvp"[i % 6] if few else "", linestyle="-" if few else ("-", "--", "-.", ":")[i % 4])
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if logx else "linear", yscale="log" if logy else "linear")
    for axis in [ax.xaxis] * logx + [ax.yaxis] * logy:
        _plain_numbers(axis)
    names, steps = [f"{value:g}" for value in x], np.diff(np.log(np.sort(x))) if logx else 0
    if logx and len(x) > 1 and max(map(len, names)) < 5 and 9 * steps.min() > steps.sum():  # there is room for all x
        ax.set_xticks(x, names)
        ax.set_xticks([], minor=True)
    ax.grid(color=PALE, linewidth=0.6)
    handles = dict(zip(drawn, ax.get_legend_handles_labels()[0]))
    order = sorted(drawn, key=lambda name: -drawn[name][-1])
    ax.legend([handles[name] for name in order], order, **(
        {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if alone else {}))
    return ax.figure


@house_style()
def bars(values, title, ylabel, errors=None, ax=None):
    """One bar for each name -> number, with the number (and its standard error, if `errors` has one) at its end."""
    errors = _named("errors", errors or {}, known=_named("values", values))
    values = {name: number(f"values[{name!r}]", value, low=-np.inf) for name, value in values.items()}
    errors = {name: number(f"errors[{name!r}]", error) for name, error in errors.items()}
    ax, colours = _page(ax, title, (max(4.5, min(9, 1.2 + 1.1 * len(values))), 4.2)), _colours(values)
    for i, (name, value) in enumerate(values.items()):
        error, sign = errors.get(name, 0), 1 if value >= 0 else -1
        ax.bar(i, value, 0.65, color=colours[name])
        ax.errorbar(i, value, error or None, color=INK, capsize=3, linewidth=1.2)
        ax.annotate(_short(value, ".4g") + (f"\n± {error:.2g}" if name in errors else ""), (i, value + sign * error),
                    (0, 3 * sign), textcoords="offset points", ha="center", va="bottom" if sign > 0 else "top", size=9)
    ax.set_xticks(range(len(values)), [fill(name, 12, break_long_words=False) for name in values])
    ax.tick_params(axis="x", length=0)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.margins(y=0.18)
    ax.set_ylabel(ylabel)
    return ax.figure


@house_style()
def training_curves(train, valid, title, terms=("elbo", "reconstruction", "kl"), best=None, colour=COLOURS["VAE"]):
    """A panel for each term, in nats per example over epochs 1, 2, ...: train solid, valid (or None) dashed.

    train, valid : dicts of term -> (epochs,)      best : the epoch that early stopping chose
    """
    histories, curves, n_epochs = {"train": train, **({} if valid is None else {"valid": valid})}, {}, None
    for name, history in histories.items():
        for term in terms:
            if term not in _named(name, history):
                raise ValueError(f"{name}: want the term {term!r}, got {', '.join(history)}")
            curves[name, term] = _vector(f"{name}[{term!r}]", history[term], n_epochs)
            n_epochs = len(curves[name, term])
    best = best if best is None else integer("best", best, 1, n_epochs)
    figure, axes = panels(len(terms), title)
    for term, ax in zip(terms, axes):
        for name, linestyle, shade in zip(histories, ("-", "--"), (colour, INK)):
            ax.plot(np.arange(1, n_epochs + 1), curves[name, term], linestyle, color=shade, label=name)
        if best is not None:
            ax.axvline(best, color=GREY, linewidth=1.2, linestyle=":", label=f"best epoch: {best}")
        ax.set(title={"elbo": "ELBO", "kl": "KL"}.get(term, term), xlabel="epoch")
        ax.grid(color=PALE, linewidth=0.6)
    axes[0].set_ylabel("nats per example")
    axes[0].legend()
    return figure
