"""What do the numbers say? Codes by label, curves, bars."""
from functools import partial
from textwrap import fill

import numpy as np
from matplotlib.colors import is_color_like, to_rgb
from matplotlib.patches import Circle

from scratchvae.checking import entry, every, matrix, number, only, optional
from scratchvae.checking.plotting import labels_of, labels_of_points, vector
from scratchvae.plotting.labels import label
from scratchvae.plotting.page import (COLOURS, DIGIT_COLOURS, GREY, INK, OTHER_COLOURS, PALE, WIDTH, axes_of,
                                      axes_width, house_style, short_number, whole_ticks)


MOST_LETTERS = 400  # that name classes among their points
MOST_CURVES = 18    # whose names have room beside them
LINE = 0.13         # inches from one line of letters to the next, at least


@entry(z=lambda name, value: matrix(name, value, 2), names=optional(labels_of), labels=labels_of_points)
@house_style()
def latent_scatter(z, labels, title, circles=False, names=None, ax=None):
    """Codes z (N, 2) coloured by their labels (N,), each class's name, or else its number, at its median.

    circles : also draw the circles of radius 1 and 2, standard deviations of the prior N(0, I)
    Names that are too long to stand among the points, all together, stand beside them, and their numbers there.
    """
    called = {c: str(c) if names is None else names[c] for c in np.unique(labels)}
    aside = ax is None and names is not None and sum(map(len, called.values())) > MOST_LETTERS
    ax = axes_of(ax, title, (WIDTH if aside else 6, 5.8))
    for c, name in called.items():  # beyond ten classes the colours come again, darker
        points, colour = z[labels == c], 0.65 ** (c // 10 % 5) * np.array(to_rgb(DIGIT_COLOURS[c % 10]))
        ax.scatter(*points.T, s=9, color=colour, alpha=0.75, linewidths=0, label=f"{c}  {name}" if aside else None)
        name = str(c) if aside else name
        label(ax, *np.median(points, axis=0), name, size=15 if len(name) < 3 else 10, weight="bold", color=0.6 * colour)
    for radius in (1, 2) if circles else ():
        ax.add_patch(Circle((0, 0), radius, fill=False, color=GREY, linewidth=1.2, zorder=3))
        label(ax, 0, -radius, f"{radius} sigma", (0, -8), size=8.5, color=GREY)
    ax.set(xlabel="z1", ylabel="z2")
    ax.set_aspect("equal", adjustable="datalim")
    if aside:
        ax.figure.legend(loc="outside right center", ncols=-(-len(called) // 30), fontsize=8, markerscale=2)
    return ax.figure


def named(name, value, known=None):
    """A dict of name -> numbers, of `known` names if given, and then perhaps empty."""
    if not isinstance(value, dict):
        raise TypeError(f"{name}: want a dict of name -> numbers, got {type(value).__name__}")
    if known is None and not value:
        raise ValueError(f"{name}: got an empty dict")
    if known is not None and not set(value) <= set(known):
        raise ValueError(f"{name}: want names among {list(known)}, got {list(value)}")
    return value


colour_of = partial(only, good=is_color_like, complaint="want a colour such as '#0072B2', got {0!r}")


def _colours(names, given):
    """The colour of each name: the one given, or else the table's, or else one that is not in the table."""
    for name, colour in named("colours", given or {}, known=names).items():
        colour_of(f"colours[{name!r}]", colour)
    table = {**COLOURS, **(given or {})}
    strangers = [name for name in names if name not in table]
    free = [colour for colour in OTHER_COLOURS if colour not in (given or {}).values()] or OTHER_COLOURS
    return {**table, **{name: free[i % len(free)] for i, name in enumerate(strangers)}}


def _plain_numbers(axis):
    """Short numbers on a logarithmic axis, 2 and 5 too if decades are few: all like 0.01, 0.1 or all powers of ten."""
    def text(value, _):
        low, high = np.sort(axis.get_view_interval())
        digit, exponent = f"{value:e}"[0], int(np.floor(np.log10(value) + 1e-9))
        if digit != "1" and (digit not in "25" or high / low > 300):
            return ""
        if low >= 5e-5 and high < 2e5:
            return f"{value:.{max(0, -exponent)}f}"
        return f"$10^{{{exponent}}}$" if digit == "1" else rf"${digit}\cdot 10^{{{exponent}}}$"

    axis.set_major_formatter(text)
    axis.set_minor_formatter(text)


@house_style()
def lines(x, curves, title, xlabel, ylabel, logx=False, logy=False, errors=None, colours=None, theory=(), ax=None):
    """Curves over x (N,): a dict of name -> y (N,) or (y, standard error); `errors`, name -> (N,), gives them apart.

    colours : name -> colour, for names that another figure shows too; the others have the table's, or one that is free

    theory : names of curves that were not measured: dashed, without marks

    On a page of its own the legend stands at the right, in the order in which the curves end.
    """
    logx, logy, drawn = bool(logx), bool(logy), {}
    x = vector("x", x, positive=logx)
    errors = dict(named("errors", errors or {}, known=named("curves", curves)))
    only("curves", len(curves), lambda n: n <= MOST_CURVES,
         f"want at most {MOST_CURVES}, to tell them apart, got {{0}}; draw some of them, or their mean with its error")
    for name, y in curves.items():
        if isinstance(y, tuple) and len(y) == 2 and np.ndim(y[0]) == 1:
            y, errors[name] = y
        drawn[name] = vector(f"curves[{name!r}]", y, len(x), positive=logy)
    errors = {name: vector(f"errors[{name!r}]", error, len(x)) for name, error in errors.items()}
    for name, error in errors.items():
        every(f"errors[{name!r}]", error, lambda e: e >= 0, "want standard errors >= 0, got {}")
    named("theory", dict.fromkeys(theory), known=drawn)
    colours, few = _colours(drawn, colours), len(x) <= 30
    alone, ax = ax is None, axes_of(ax, title, (7.2, 4.2))
    for i, (name, y) in enumerate(drawn.items()):  # the second cue besides colour: markers, or dashes on long curves
        marks = few and name not in theory
        ax.errorbar(x, y, errors.get(name), color=colours[name], label=name, capsize=2.5, elinewidth=1.2,
                    marker="os^Dvp"[(i + i // 6) % 6] if marks else "",  # another with the same colour
                    linestyle="--" if name in theory else "-" if few else ("-", "--", "-.", ":")[(i + i // 12) % 4])
    ax.set(xlabel=xlabel, ylabel=ylabel, xscale="log" if logx else "linear", yscale="log" if logy else "linear")
    for axis in [ax.xaxis] * logx + [ax.yaxis] * logy:
        _plain_numbers(axis)
    if not logx and (x == np.round(x)).all():
        whole_ticks(ax)
    names, steps = [f"{value:g}" for value in x], np.diff(np.log(np.sort(x))) if logx else 0
    if logx and len(x) > 1 and len("".join(names)) < 37 and 9 * steps.min() > steps.sum():  # there is room for all x
        ax.set_xticks(x, names)
        ax.set_xticks([], minor=True)
    ax.grid(color=PALE, linewidth=0.6)
    handles = dict(zip(drawn, ax.get_legend_handles_labels()[0]))
    order = sorted(drawn, key=lambda name: -drawn[name][-1])
    ax.legend([handles[name] for name in order], order, **(
        {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if alone else {}))
    return ax.figure


@house_style()
def bars(values, title, ylabel, errors=None, colours=None, ax=None):
    """One bar for each name -> number, with the number (and its standard error, if `errors` has one) at its end.

    colours : name -> colour, as `lines` takes them
    Names and numbers wider than a bar's place are written upward; ValueError where they would not fit so, either.
    """
    errors = named("errors", errors or {}, known=named("values", values))
    values = {name: number(f"values[{name!r}]", value, low=-np.inf) for name, value in values.items()}
    errors = {name: number(f"errors[{name!r}]", error) for name, error in errors.items()}
    colours = _colours(values, colours)
    wide = max(4.5, min(9, 1.2 + 1.1 * len(values)))
    inches = 0.9 * wide if ax is None else axes_width(ax)
    most = int(inches / LINE)
    only("values", len(values), lambda n: n <= most,
         f"want at most {most} bars here, for their names to be read, got {{0}}; draw the largest, or `lines`")
    ax, texts = axes_of(ax, title, (wide, 4.2)), []
    for i, (name, value) in enumerate(values.items()):
        error, sign = errors.get(name, 0), 1 if value >= 0 else -1
        ax.bar(i, value, 0.65, color=colours[name])
        ax.errorbar(i, value, error or None, color=INK, capsize=3, linewidth=1.2)
        texts.append(ax.annotate(
            short_number(value, ".4g") + (f"\n± {error:.2g}" if name in errors else ""), (i, value + sign * error),
            (0, 3 * sign), textcoords="offset points", ha="center", va="bottom" if sign > 0 else "top", size=9))
    ax.tick_params(axis="x", length=0)
    place = inches / len(values)
    upward = {"rotation": 90, "size": min(9, 50 * place)}

    def fit(those):
        return max(text.get_window_extent().width for text in those) < place * ax.figure.dpi

    for letters in (12, 8):
        ax.set_xticks(range(len(values)), [fill(name, letters, break_long_words=False) for name in values])
        if names_fit := fit(ax.get_xticklabels()):
            break
    if not names_fit:
        ax.set_xticks(range(len(values)), list(values), **upward)
    numbers_fit = fit(texts)
    for text in texts if not numbers_fit else ():
        text.set(text=text.get_text().replace("\n", " "), **upward)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.margins(y=0.18 if numbers_fit else 0.3)
    ax.set_ylabel(ylabel)
    return ax.figure
