"""What is wrong with a figure? Texts that overprint or are cut off, legends that hide points: by their boxes."""
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SLACK = 1.0  # pixels by which boxes may touch: they are larger than their letters


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
        found.append((text, text.get_window_extent()))
    seen = {id(text) for axes in figure.axes for text in ticks(axes)}
    allowed = {id(text) for axes in figure.axes for text in drawn_ticks(axes)}
    return [(text.get_text(), box) for text, box in found if id(text) not in seen or id(text) in allowed]


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
        if box.x0 < page.x0 - SLACK or box.y0 < page.y0 - SLACK or box.x1 > page.x1 + SLACK or box.y1 > page.y1 + SLACK:
            told.append(f"{words!r} is cut off")
        for other, other_box in texts[:i]:
            common = Bbox.intersection(box, other_box)
            if common is not None and min(common.width, common.height) > SLACK:
                told.append(f"{words!r} and {other!r} overprint")
    for legend in figure.findobj(Legend):
        told += [f"a legend hides {hidden} points" for hidden in [hidden_by(legend)] if hidden]
    return told


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
