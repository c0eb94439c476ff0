"""How does a page look? The house style, the colours that mean the same thing everywhere, panels, and saving."""
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from scratchvae.checking import entry, instance, integer, number, optional
from scratchvae.checking import path as a_path
from scratchvae.checking.plotting import text, width_and_height
from scratchvae.writing import whole_file

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
WIDTH = 9.2    # of every page in inches: in one column of text, figures have letters of one size
HALO = [withStroke(linewidth=3, foreground="white")]


@contextmanager
def house_style():
    """The style of all figures, as a context (`with house_style():`) or a decorator (`@house_style()`).

    Only the style is put back afterwards: what else is set inside stays, as a notebook's interactive mode that comes
    with the first figure (`matplotlib.rc_context` would switch it off).
    """
    kept = {name: plt.rcParams[name] for name in STYLE}
    plt.rcParams.update(STYLE)
    try:
        yield
    finally:
        plt.rcParams.update(kept)


class Page(Figure):
    """A figure that a notebook shows once: where it is asked for, or at the end of its cell."""

    def _ipython_display_(self):
        if type(self.canvas.manager) in (FigureManagerBase, type(None)):  # else it has a window of its own
            plt.close(self)            # pyplot, which shows its figures at the end of the cell, need not show this one
            raise NotImplementedError  # and IPython looks for an image, below

    def _repr_png_(self):
        file = BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


@entry(n=integer, title=text, n_columns=optional(integer))
@house_style()
def panels(n, title, n_columns=None, size=(3.4, 3.1)):
    """A figure with `title` above n empty panels of `size` inches: (figure, axes), axes an array of length n.

    The page is WIDTH inches wide, with the panels in its middle; panels too wide for it are made smaller.
    """
    n_columns = n_columns or min(n, 3)
    n_rows = -(-n // n_columns)
    share = n_columns * size[0] / WIDTH
    figure, axes = plt.subplots(n_rows, n_columns, squeeze=False, layout="constrained", FigureClass=Page,
                                figsize=(WIDTH, n_rows * size[1] / max(1, share)))
    figure.get_layout_engine().set(rect=(max(0, 1 - share) / 2, 0, min(1, share), 1))
    for ax in axes.flat[n:]:
        ax.remove()
    for ax in axes.flat[:n]:  # ticks are made when they are drawn, so their style must be told to the axes
        ax.tick_params(which="both", labelsize=9, length=3, width=0.8, color=INK, labelcolor=INK)
    heading = figure.suptitle(title, parse_math=False)
    _wrap(heading, figure.get_figwidth() - 0.3)
    figure.set_figheight(figure.get_figheight() + 0.22 * len(heading.get_text().splitlines()))
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


def axes_of(ax, title, size):
    """The axes to draw in: a page of its own, or the panel `ax` under this title."""
    if ax is None:
        return panels(1, title, size=size)[1][0]
    inches = axes_width(ax)
    _wrap(ax.set_title(title, parse_math=False), 1.15 * inches)
    return ax


def axes_width(ax):
    """Inches, about: the layout is done when the figure is drawn."""
    instance("ax", ax, Axes, "one of the axes that `panels` gives")
    return ax.get_position(original=True).width * ax.figure.get_figwidth()


# By the end of a file's name: what keeps a file the same bytes every time.
FORMATS = {".png": {"metadata": {"Software": None}, "pil_kwargs": {"optimize": True}},
           ".svg": {"metadata": {"Date": None}}, ".pdf": {"metadata": {"CreationDate": None}}}


@entry(path=a_path, figure=lambda name, value: instance(name, value, Figure, "a figure"),
       dpi=partial(number, low=10, high=2400), size=optional(width_and_height))
def save(figure, path, dpi=110, size=None):
    """Write the figure as PNG, SVG or PDF, by the path's end, whole or not at all; close it; return the path.

    dpi : dots an inch, of a PNG and of images within the others      size : (width, height) in inches, if another
    The same figure gives the same bytes.
    """
    path = Path(path)
    try:
        if path.suffix.lower() not in FORMATS:
            raise ValueError(f"path: want a name that ends in {', '.join(FORMATS)}, got {path.name!r}")
        if size is not None:
            figure.set_size_inches(size)
            if figure._suptitle is not None:
                _wrap(figure._suptitle, size[0] - 0.3)
        path.parent.mkdir(parents=True, exist_ok=True)
        with house_style(), plt.rc_context({"svg.hashsalt": "scratchvae"}), whole_file(path) as file:
            figure.savefig(file, format=path.suffix[1:].lower(), dpi=dpi, **FORMATS[path.suffix.lower()])
    finally:
        plt.close(figure)
    return path


def whole_ticks(ax):
    """Ticks of the x axis at whole numbers alone, for what is counted."""
    ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def short_number(value, spec="g"):
    """The number with a true minus sign."""
    return f"{value:{spec}}".replace("-", "\N{MINUS SIGN}")
