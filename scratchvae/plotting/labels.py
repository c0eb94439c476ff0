"""Where does a name stand? At what it names, or as near to it as no other text is."""
import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation, Text

from scratchvae.checking import any_number, entry, instance
from scratchvae.checking.plotting import text as a_text
from scratchvae.plotting.page import GREY, HALO

FAR = 12  # points; from there on a line leads from the point to its name
# Where a place is looked for, in points from the point: ever larger rings, right and left before above and below.
TURNS = np.pi / 8 * np.array([0, 8, 12, 4, 2, 6, 10, 14, 1, 3, 5, 7, 9, 11, 13, 15])
PLACES = np.concatenate([[[0, 0]], *(r * np.stack([np.cos(TURNS), np.sin(TURNS)], 1) for r in range(6, 151, 6))])


@entry(ax=lambda name, value: instance(name, value, Axes, "one of the axes that `panels` gives"), x=any_number,
       y=any_number, text=a_text)
def label(ax, x, y, text, offset=(0, 0), **style):
    """Name the point (x, y) of the axes; `offset` in points is where the name's middle would like to be.

    Its place is found anew whenever the figure is drawn, so it holds for every size: inside the axes, clear of other
    texts and of the legend. Labels are placed in the order in which they are made.
    """
    named = Label(text, (x, y), offset, **{"ha": "center", "va": "center", "path_effects": HALO, "zorder": 6, **style})
    return ax.add_artist(named)


class Label(Annotation):
    """A text that finds its place when it is drawn."""

    def __init__(self, text, xy, offset, **style):
        self.offset = np.array(offset, float)
        super().__init__(text, xy, xytext=offset, textcoords="offset points", parse_math=False, arrowprops={
            "arrowstyle": "-", "color": GREY, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}, **style)
        self.set_in_layout(False)

    def draw(self, renderer):
        if self.get_visible():
            self._find_place(renderer)
        super().draw(renderer)

    def _find_place(self, renderer):
        self.xyann = tuple(self.offset)
        self.update_positions(renderer)
        box = Text.get_window_extent(self, renderer).padded(1).get_points()
        there = box + renderer.points_to_pixels(1) * PLACES[:, None]                   # (places, 2 corners, x and y)
        # what is overprinted of other texts or sticks out of the axes, in square pixels
        lost = np.ptp(box, axis=0).prod() - common(there, self.axes.get_window_extent(renderer))
        for other in self._taken(renderer):
            lost += common(there, other)
        place = PLACES[np.argmin(np.round(lost, 3))]  # the first of the best, and so the nearest
        self.xyann = tuple(self.offset + place)
        self.arrow_patch.set_visible(bool(np.hypot(*place) >= FAR))

    def _taken(self, renderer):
        """The boxes of the axes' other texts, of its legend, and of the labels made before this one."""
        texts = self.axes.texts[:self.axes.texts.index(self)] + [
            other for other in self.axes.texts[self.axes.texts.index(self):] if not isinstance(other, Label)]
        boxes = [Text.get_window_extent(other, renderer) for other in texts if other.get_text() and other.get_visible()]
        legend = self.axes.get_legend()
        return boxes + ([] if legend is None else [legend.get_window_extent(renderer)])


def common(boxes, other):
    """The areas that boxes (M, 2, 2), by lower left and upper right corners, have in common with another : (M,)."""
    low, high = np.maximum(boxes[:, 0], other.min), np.minimum(boxes[:, 1], other.max)
    return (high - low).clip(0).prod(axis=1)
