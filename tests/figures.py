"""What is wrong with a figure? Texts that overprint or are cut off, legends that hide points or lines: by their boxes."""
import re

import numpy as np
from matplotlib.legend import Legend
from matplotlib.text import Text

SLACK = 2.0  # pixels by which boxes may touch: they are larger than their letters


def announced(lesson):
    """The names of the figures that a lesson's docstring says it writes: "Writes a and b (.png), c (.gif)."."""
    parts = re.findall(r"([^()]*)\((\.\w+)\)", re.split("[Ww]rites ", lesson.__doc__)[1])
    return {f"{stem}{suffix}" for stems, suffix in parts for stem in re.findall(r"\w+", stems) if stem != "and"}


def boxes_of_texts(figure):
    """(words, box) of every text that can be seen, its box on the page in pixels."""
    figure.draw_without_rendering()
    found = []
    for text in figure.findobj(Text):
        if not text.get_visible() or not text.get_text().strip() or text.get_alpha() == 0:
            continue
        axes = text.axes
        if axes is not None and (not axes.get_visible() or not axes.axison and text in [*ticks(axes), axes.xaxis.label,
                                                                                        axes.yaxis.label]):
            continue
        found.append((text, corners(text)))
    seen = {id(text) for axes in figure.axes for text in ticks(axes)}
    allowed = {id(text) for axes in figure.axes for text in drawn_ticks(axes)}
    return [(text.get_text(), box) for text, box in found if id(text) not in seen or id(text) in allowed]


def corners(text):
    """The corners of a text's box on the page : (4, 2) in pixels, turned with it."""
    degrees, around = text.get_rotation(), Text.get_window_extent(text).get_points()
    text.set_rotation(0)
    half = np.ptp(Text.get_window_extent(text).get_points(), axis=0) / 2
    text.set_rotation(degrees)
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return around.mean(axis=0) + ((half - SLACK / 2).clip(0) * [[-1, -1], [1, -1], [1, 1], [-1, 1]]) @ [[c, s], [-s, c]]


def overlap(a, b):
    """Whether two rectangles, by their corners, have a point in common: no edge of either separates them."""
    for edge in (a[1] - a[0], a[2] - a[1], b[1] - b[0], b[2] - b[1]):
        along_a, along_b = a @ edge, b @ edge
        if along_a.max() <= along_b.min() or along_b.max() <= along_a.min():
            return False
    return True


def ticks(axes):
    """All tick labels an axes holds, also those that it does not draw now."""
    return [label for axis in (axes.xaxis, axes.yaxis) for tick in (*axis.majorTicks, *axis.minorTicks)
            for label in (tick.label1, tick.label2)] + [axis.offsetText for axis in (axes.xaxis, axes.yaxis)]


def drawn_ticks(axes):
    """The tick labels that are drawn."""
    drawn = []
    for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
        for tick in axis._update_ticks():
            drawn += [label for label in (tick.label1, tick.label2) if label.get_visible()]
    return drawn


def faults(figure):
    """What a reader would stumble on, in words; an empty list if there is nothing."""
    texts, page, told = boxes_of_texts(figure), figure.bbox, []
    for i, (words, box) in enumerate(texts):
        if (box < [page.x0, page.y0]).any() or (box > [page.x1, page.y1]).any():
            told.append(f"{words!r} is cut off")
        told += [f"{words!r} and {other!r} overprint" for other, other_box in texts[:i] if overlap(box, other_box)]
    for legend in figure.findobj(Legend):
        told += [f"a legend hides {hidden} points" for hidden in [hidden_by(legend)] if hidden]
        told += [f"a legend hides {share:.0%} of a line" for share in shares_hidden_by(legend) if share > 0.01]
    return told


def shares_hidden_by(legend):
    """Of each line of two points or more of a legend's own axes, the share that lies under it, looked at in steps."""
    if legend.axes is None or not legend.get_visible():
        return []
    frame, steps = legend.get_window_extent(), np.linspace(0, 1, 20)[:, None, None]
    corners = [line.get_transform().transform(line.get_xydata()) for line in legend.axes.lines if line.get_visible()]
    ways = [np.reshape(xy[:-1] * (1 - steps) + xy[1:] * steps, (-1, 2)) for xy in corners if len(xy) > 1]
    return [float(((way >= frame.min) & (way <= frame.max)).all(axis=1).mean()) for way in ways]


def hidden_by(legend):
    """How many marked points of its own axes lie under a legend."""
    if legend.axes is None or not legend.get_visible():
        return 0
    frame, hidden = legend.get_window_extent(), 0
    for line in legend.axes.lines:
        if line.get_visible() and line.get_marker() not in ("", None, "None", "none"):
            points = line.get_transform().transform(line.get_xydata())
            hidden += sum(frame.contains(*point) for point in points)
    return hidden
