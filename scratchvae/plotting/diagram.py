"""How does the machine look? A model's parts from left to right: layers, arrays that flow between them, noise, masks.

Which parts there are a model says itself, in `model.flow()` (nn/flow.py), and nothing is placed by hand: a bar's height
grows with the logarithm of its width, letters are measured, and a model too long for one row goes on in the next.
"""
from functools import lru_cache

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Polygon, Rectangle
from matplotlib.textpath import TextPath

from scratchvae.checking import entry, optional
from scratchvae.checking.plotting import text, with_flow
from scratchvae.plotting.page import GREY, INK, WIDTH, house_style, panels

SIZE, GAP, BAR, MASK = 8, 0.2, 0.09, 1.3    # of letters in points; between parts, of an array, of a mask in inches
TINTS = {"layer": "#D6E6F4", "noise": "#FBE0CC", "result": "#D5EFE4", "": "#ECECEC"}


@entry(model=with_flow, title=optional(text))
@house_style()
def diagram(model, title=None):
    """The machine of a network, a model, or whatever has `flow()`: layers, arrays with their shapes, noise, masks.

    A mask stands below its layer: a row for each number that goes in, a column for each that comes out; dark passes.
    """
    rows = in_rows(model.flow())
    reach = [above_and_below(row) for row in rows]
    figure, (ax,) = panels(1, title or f"{type(model).__name__}: {model.theta.size:,} parameters",
                           size=(WIDTH, sum(map(sum, reach)) + 0.2))
    ax.axis("off")
    top, end = 0, None
    for row, (above, below) in zip(rows, reach):
        y = top - above
        spans, total = places(row)
        _draw(ax, row, spans := spans - total / 2, y, -below)
        if end is not None:  # the dotted way from the row above
            last, beyond, y_last = end
            left = -total / 2 - 0.1
            ax.plot([last, beyond, beyond, left, left], [y_last, y_last, top, top, y], ":", color=GREY, linewidth=1.2)
            _arrow(ax, (left, y), (spans[0][0], y))
        end, top = (spans[-1][1], total / 2 + 0.1, y), y - below
    half = max((WIDTH - 0.3) / 2, *(places(row)[1] / 2 + GAP for row in rows))
    ax.set(xlim=(-half, half), ylim=(top, 0), aspect="equal")
    return figure


# ---- how large -------------------------------------------------------------------------------------------------------

@lru_cache
def letters(words):
    """Width and height of a text in inches."""
    font, lines = FontProperties(family="DejaVu Sans"), words.split("\n")
    wide = max(TextPath((0, 0), line or "-", size=SIZE, prop=font).get_extents().width for line in lines)
    return wide / 72, 1.25 * SIZE * len(lines) / 72


def arrays_of(part):
    """The arrays side by side at this place; none at a layer or a node."""
    return part if type(part) is tuple else (part,) if hasattr(part, "shape") else ()


def source_of(part):
    """What goes into a node from above, as text and mask, or None."""
    source = getattr(part, "source", None)
    return source if source is None or hasattr(source, "mask") else (source, None)


def height(array):
    """Of an array's bar, or of several on top of each other with their names between them."""
    several = arrays_of(array)
    return sum(0.4 + 0.6 * np.log10(1 + a.shape[-1]) for a in several) / len(several) + 0.5 * (len(several) - 1)


def shown(array):
    """The words at a bar: name over shape."""
    return f"{array.name}\n({', '.join(map(str, array.shape))})"


def width(part):
    """Of a part."""
    if arrays_of(part):
        return BAR
    if not hasattr(part, "source"):
        return max(0.8, letters(part.text)[0] + 0.2, (MASK + 0.1) * (part.mask is not None))
    source = source_of(part)
    above = 0 if source is None else max(letters(source[0])[0] + 0.2, MASK * (source[1] is not None)) + 4 * GAP
    return max(letters(part.text)[0] + 0.2 + 2 * GAP, above)


def places(row):
    """Where each part begins and ends, from 0 on, and the whole length; words of neighbouring arrays do not touch."""
    x, spans, words_end = 0, [], -0.1
    for part in row:
        if arrays_of(part):
            half = max(letters(shown(a))[0] for a in arrays_of(part)) / 2
            x = max(x, words_end + 0.1 + half - BAR / 2)
            words_end = x + BAR / 2 + half
        spans.append((x, x + width(part)))
        x += width(part)
    return np.array(spans), max(x, words_end)


def in_rows(parts):
    """The parts in as few rows as fit on a page; a row ends with the array that begins the next, a narrow one."""
    ends = [i for i, part in enumerate(parts) if hasattr(part, "shape") and i] + [len(parts) - 1]

    def filled(limit):
        rows, start = [], 0
        while start < len(parts) - 1:
            after = [i for i in ends if i > start]
            stop = max((i for i in after if places(parts[start:i + 1])[1] <= limit), default=after[0])
            rows.append(parts[start:stop + 1])
            start = stop
        return rows
    layouts = [filled(limit) for limit in np.arange(WIDTH - 0.6, 1, -0.1)]
    return min(layouts, key=lambda rows: (len(rows), sum(height(row[-1]) for row in rows[:-1])))


def above_and_below(row):
    """How far a row reaches above and below its middle."""
    bars = [(height(part) / 2, len(arrays_of(part)) > 1) for part in row if arrays_of(part)]
    above = max([half + 0.45 * several for half, several in bars])
    below = max([half + 0.6 for half, _ in bars])
    for part in row:
        if source := source_of(part):
            mask = (MASK + 0.4) * (source[1] is not None)
            above = max(above, letters(part.text)[1] / 2 + 0.7 + letters(source[0])[1] + mask)
    masks = any(getattr(part, "mask", None) is not None for part in row)
    return above + 0.15, below + (MASK + 0.3) * masks + 0.15


# ---- drawing ---------------------------------------------------------------------------------------------------------

def _draw(ax, row, spans, y, bottom):
    """The row's parts at their places around height y, its masks down at `bottom` from there."""
    masks_top = y + bottom + MASK + 0.1
    for i, (part, (left, right)) in enumerate(zip(row, spans)):
        x = (left + right) / 2
        if arrays_of(part):
            # words begin below what the layers at both sides take up there
            half, reach = height(part) / 2, max(letters(shown(a))[0] for a in arrays_of(part)) / 2
            lower = [(height(row[j]) / 2 - half) * reach / abs(np.mean(spans[j]) - x) for j in (i - 2, i + 2)
                     if 0 <= j < len(row) and hasattr(row[(i + j) // 2], "mask") and arrays_of(row[j])]
            _bars(ax, x, y, arrays_of(part), max(0, 0, *lower))
        elif not hasattr(part, "source"):
            before, after = (height(near) / 2 for near in (row[i - 1], row[i + 1]))
            left, right = spans[i - 1][1] + 0.03, spans[i + 1][0] - 0.03
            ax.add_patch(Polygon([(left, y - before), (left, y + before), (right, y + after), (right, y - after)],
                                 facecolor=TINTS["layer"], edgecolor=GREY, linewidth=0.8))
            _words(ax, (left + right) / 2, y, part.text)
            if part.mask is not None:
                _mask(ax, x, masks_top, part.mask)
        else:
            half = letters(part.text)[0] / 2 + 0.1
            _node(ax, x, y, part.text, part.kind if part.kind == "result" else "")
            for place in _middles(y, arrays_of(row[i - 1])) or [y]:
                start = spans[i - 1][1] if arrays_of(row[i - 1]) else spans[i - 1][1] - GAP
                _arrow(ax, (start + 0.03, place), (x - half, y))
            if i + 1 < len(row) and arrays_of(row[i + 1]):
                _arrow(ax, (x + half, y), (spans[i + 1][0] - 0.02, _middles(y, arrays_of(row[i + 1]))[0]))
            if source := source_of(part):
                high, words = letters(part.text)[1] / 2 + 0.1, letters(source[0])[1]
                middle = y + high + 0.45 + words / 2
                _node(ax, x, middle, source[0], part.kind)
                _arrow(ax, (x, middle - words / 2 - 0.1), (x, y + high))
                if source[1] is not None:
                    _mask(ax, x, middle + words / 2 + 0.15 + MASK, source[1])


def _middles(y, arrays):
    """The heights of the middles of arrays on top of each other around y."""
    total, middles = height(arrays) if arrays else 0, []
    top = y + total / 2
    for array in arrays:
        middles.append(top - height(array) / len(arrays) / 2)
        top -= height(array) / len(arrays) + 0.5
    return middles


def _bars(ax, x, y, arrays, lower):
    for i, (array, middle) in enumerate(zip(arrays, _middles(y, arrays))):
        half = height(array) / len(arrays) / 2
        ax.add_patch(Rectangle((x - BAR / 2, middle - half), BAR, 2 * half, color=INK, linewidth=0))
        over = len(arrays) > 1 and i == 0
        edge = half + 0.06 + lower
        _words(ax, x, middle + (edge if over else -edge), shown(array), "bottom" if over else "top")


def _arrow(ax, start, end):
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1, "shrinkA": 0,
                                            "shrinkB": 0})


def _words(ax, x, y, words, va="center", **style):
    ax.text(x, y, words, ha="center", va=va, size=SIZE, linespacing=1.1, parse_math=False, **style)


def _node(ax, x, y, words, tint):
    _words(ax, x, y, words, zorder=4, bbox={"boxstyle": f"round,pad={0.1 * 72 / SIZE}", "facecolor": TINTS[tint],
                                            "edgecolor": GREY, "linewidth": 0.8})


def _mask(ax, x, top, mask):
    _words(ax, x, top + 0.04, "mask: dark passes", "bottom")
    ax.imshow(mask > 0, cmap="gray_r", vmin=0, vmax=1, extent=(x - MASK / 2, x + MASK / 2, top - MASK, top))
    ax.add_patch(Rectangle((x - MASK / 2, top - MASK), MASK, MASK, fill=False, edgecolor=GREY, linewidth=0.8))
