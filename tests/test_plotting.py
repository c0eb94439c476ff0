"""Facts in the figure objects: orientation, tick values, completeness, titles that fit, files that repeat."""
import sys

import matplotlib

matplotlib.use("Agg")

import os
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.colors import to_rgb, to_rgba, to_rgba_array
from numpy.testing import assert_allclose, assert_array_equal

import scratchvae as sv
from figures import faults
from scratchvae import plotting

LONG = "A finding that needs many words: " + "the reconstruction of the held-out digits keeps improving " * 4


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def tile_value(ax, x, y):
    """The grey value that the axes' picture shows at the point (x, y)."""
    image, = ax.images
    left, right, bottom, top = image.get_extent()
    assert image.origin == "upper"
    picture = image.get_array()
    row = int((top - y) / (top - bottom) * picture.shape[0])
    column = int((x - left) / (right - left) * picture.shape[1])
    return picture[row, column]


def ticks(axis):
    """tick place -> the number written there"""
    names = [label.get_text().replace("\N{MINUS SIGN}", "-") for label in axis.get_ticklabels()]
    return dict(zip(axis.get_ticklocs(), map(float, names)))


def suptitle(figure):
    return figure._suptitle.get_text()


def texts(ax):
    return [text.get_text() for text in ax.texts]


def every_kind(rng, title):
    """One figure of each kind, small."""
    images, x = rng.random((12, 9)), np.arange(1, 5)
    history = {"elbo": -x, "reconstruction": -x, "kl": x}
    yield plotting.image_grid(images, title, n_columns=4, row_labels=["original", "reconstruction", "PCA, 8"])
    yield plotting.image_grid(images[:1], title)
    yield plotting.latent_scatter(rng.normal(size=(30, 2)), np.arange(30) % 10, title, circles=True)
    yield plotting.manifold(images[:9], title)
    yield plotting.traversal(images, [-3, -1, 1, 3], title, ["z1", "z2", "z3"])
    yield plotting.training_curves(history, history, title, best=3)
    yield plotting.training_curves(history, None, title, terms=["elbo"])
    yield plotting.lines(x, {"PCA": x, "VAE": (x, x / 10)}, title, "x", "y", logx=True, logy=True)
    yield plotting.bars({"FVBN": -3.0, "a name of many words": 2.5}, title, "nats", errors={"FVBN": 0.2})
    yield plotting.panels(4, title)[0]


# ---- images ---------------------------------------------------------------------------------------------------------

def test_image_grid_is_upright_dark_on_light_and_clipped():
    image = np.array([[-0.5, 0.25, 0.5], [0.75, 1, 1.5]])  # all but two places differ, once clipped
    ax, = plotting.image_grid(image.reshape(1, 6), "one", shape=(2, 3)).axes
    shown = [[tile_value(ax, (c + 0.5) / 3, 1 - (r + 0.5) / 2) for c in range(3)] for r in range(2)]
    assert_array_equal(shown, image.clip(0, 1))
    picture, = ax.images
    assert picture.get_interpolation() == "nearest" and picture.get_clim() == (0, 1)
    assert picture.cmap(0.0)[:3] == (1, 1, 1) and picture.cmap(1.0)[:3] == (0, 0, 0)


SCALES = {
    "bytes": (lambda grey: np.round(255 * grey).astype(np.uint8), (0, 255)), "sixteenths": (lambda grey: 16 * grey, (0, 16)),
    "from -1 to 1": (lambda grey: 2 * grey - 1, (-1, 1)), "standardised": (lambda grey: (grey - 0.13) / 0.31, (-0.42, 2.81)),
    "white on black": (lambda grey: 255 - 255 * grey, (255, 0)),
}


@pytest.mark.parametrize("name", SCALES)
def test_images_on_another_scale_are_refused_or_scaled_by_name(name, rng):
    scaled, ink = SCALES[name]
    grey = np.where(rng.random((9, 16)) < 0.8, 0, rng.random((9, 16)))
    kinds = [lambda images, **ink: plotting.image_grid(images, "t", **ink),
             lambda images, **ink: plotting.manifold(images, "t", **ink),
             lambda images, **ink: plotting.traversal(images, [1, 2, 3], "t", ["a", "b", "c"], **ink)]
    for draw in kinds:
        with pytest.raises(ValueError, match="^images: want pixels from 0, paper, to 1, ink, got values in .*ink="):
            draw(scaled(grey))
        shown, = draw(scaled(grey), ink=ink).axes[0].images
        wanted, = draw(grey).axes[0].images
        assert_allclose(shown.get_array(), wanted.get_array(), atol=0.005)


def test_a_decoder_s_pixels_a_little_outside_are_shown(rng):
    grey = (rng.random((9, 16)) < 0.3) + 0.35 * rng.normal(size=(9, 16))
    shown, = plotting.image_grid(grey, "t").axes[0].images
    assert shown.get_array().min() >= 0 and shown.get_array().max() <= 1 and grey.min() < 0 and grey.max() > 1


@pytest.mark.parametrize("ink, error", [(5, TypeError), ((1, 1), ValueError), ((0, 1, 2), TypeError), ((0, "a"), TypeError),
                                        ((0, np.inf), ValueError)])
def test_wrong_values_of_ink_are_refused(ink, error):
    with pytest.raises(error, match="^ink: want"):
        plotting.image_grid([[0, 1, 1, 0]], "t", ink=ink)


def test_image_grid_orders_images_by_rows_and_leaves_missing_places_white():
    images = np.repeat(np.linspace(0.1, 0.8, 5)[:, None], 16, axis=1)
    ax, = plotting.image_grid(images, "five", n_columns=3, row_labels=["first", "second"]).axes
    shown = [[tile_value(ax, c + 0.5, y) for c in range(3)] for y in (1.5, 0.5)]
    assert_allclose(shown, [images[:3, 0], [*images[3:, 0], 0]])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    assert_array_equal(ax.get_yticks(), [1.5, 0.5])


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (4, 16), (40, 40)])
def test_pixels_are_square_and_the_gap_is_thin(shape, rng):
    figure = plotting.image_grid(rng.random((6, shape[0] * shape[1])), "six", n_columns=3, shape=shape)
    figure.draw_without_rendering()
    ax, = figure.axes
    rows, columns = ax.images[0].get_array().shape
    box = ax.get_window_extent()
    assert_allclose(box.height / rows, box.width / columns, rtol=1e-6)
    assert 1 < columns / (3 * shape[1] * max(1, 32 // max(shape))) < 1.1


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_manifold_grid_has_the_stated_quantiles(n):
    grid = plotting.manifold_grid(n).reshape(n, n, 2)
    z1, z2 = grid[0, :, 0], grid[::-1, 0, 1]
    assert_allclose([NormalDist().cdf(value) for value in z1], (np.arange(n) + 0.5) / n, rtol=1e-12)
    assert_array_equal(z1, z2)
    assert (grid[..., 0] == z1).all() and (grid[::-1, :, 1] == z2[:, None]).all()


@pytest.mark.parametrize("n", [1, 2, 3, 6, 9, 20])
def test_manifold_shows_each_image_at_its_code(n):
    grid = plotting.manifold_grid(n)
    grey = {tuple(code): i / n**2 for i, code in enumerate(grid)}
    ax, = plotting.manifold(np.repeat(np.array(list(grey.values()))[:, None], 16, axis=1), "plane").axes
    z = np.unique(grid[:, 0])
    for column, z1 in enumerate(z):
        for row, z2 in enumerate(z):  # from the bottom
            assert_allclose(tile_value(ax, column + 0.5, row + 0.5), grey[z1, z2])
    assert_allclose(tile_value(ax, n - 0.5, n - 0.5), grey[tuple(grid.max(axis=0))])  # top right: both largest
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("z1", "z2")
    assert ax.get_xlim() == ax.get_ylim() == (0, n)
    for axis in (ax.xaxis, ax.yaxis):
        found = ticks(axis)
        assert min(n, 2) <= len(found) <= 5
        assert_allclose(list(found.values()), [z[int(place)] for place in found], atol=0.005)
        assert {0.5, n - 0.5} <= set(found)


def test_all_images_have_one_range_whatever_is_in_them():
    """A grey that is the darkest of its page is still a grey: 0 is white and 1 is black, on every page."""
    images = np.repeat(np.array([[0.4], [0.45], [0.5], [0.6]]), 16, axis=1)
    for figure in (plotting.image_grid(images, "t"), plotting.manifold(images, "t"),
                   plotting.traversal(images, [1, 2], "t", ["z1", "z2"]), plotting.image_grid(0 * images, "t")):
        picture, = figure.axes[0].images
        assert_allclose(np.asarray(picture.get_array())[[0, -1], 0], 0.15)  # the frame, a light grey
        assert picture.get_clim() == (0, 1) and (picture.norm.vmin, picture.norm.vmax) == (0, 1)
        assert picture.cmap(0.0)[:3] == (1, 1, 1) and picture.cmap(1.0)[:3] == (0, 0, 0)


def test_traversal_has_a_row_per_dimension_and_a_column_per_value():
    values = np.linspace(-3, 3, 4)
    images = np.repeat(np.arange(8)[:, None] / 8, 16, axis=1)
    ax, = plotting.traversal(images, values, "two", ["z1", "z2"]).axes
    assert_array_equal([[tile_value(ax, c + 0.5, y) for c in range(4)] for y in (1.5, 0.5)],
                       images[:, 0].reshape(2, 4))
    assert_allclose(list(ticks(ax.xaxis).values()), values)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["z1", "z2"]
    assert ax.get_xlabel() == "value of the latent dimension"


def test_traversal_thins_out_the_ticks_of_many_columns():
    values = np.linspace(-3, 3, 61)
    ax, = plotting.traversal(np.zeros((61, 16)), values, "one", ["z1"]).axes
    found = ticks(ax.xaxis)
    assert len(found) == 11
    assert_allclose(list(found.values()), [values[int(place)] for place in found], atol=1e-9)


# ---- codes ----------------------------------------------------------------------------------------------------------

def test_scatter_has_every_point_in_its_colour_and_every_digit_at_its_median(rng):
    z, labels = rng.normal(size=(200, 2)), np.repeat([0, 3, 4, 9], 50)
    ax, = plotting.latent_scatter(z, labels, "codes").axes
    for digit, points, text in zip([0, 3, 4, 9], ax.collections, ax.texts, strict=True):
        assert_array_equal(points.get_offsets(), z[labels == digit])
        assert_allclose(points.get_facecolor()[:, :3], [to_rgb(plotting.DIGIT_COLOURS[digit])])
        assert text.get_text() == str(digit) and text.get_path_effects()
        assert_allclose(text.xy, np.median(z[labels == digit], axis=0))


def test_scatter_names_any_number_of_classes(rng):
    names = [f"class {c}" for c in range(47)]
    ax, = plotting.latent_scatter(rng.normal(size=(47, 2)), np.arange(47), "t", names=names).axes
    assert [text.get_text() for text in ax.texts] == names
    assert ax.get_aspect() == 1 and (ax.get_xlabel(), ax.get_ylabel()) == ("z1", "z2")
    assert not ax.patches


def test_scatter_circles_are_one_and_two_standard_deviations(rng):
    ax, = plotting.latent_scatter(rng.normal(size=(9, 2)), np.zeros(9, dtype=int), "codes", circles=True).axes
    assert [(circle.center, circle.radius) for circle in ax.patches] == [((0, 0), 1), ((0, 0), 2)]
    assert texts(ax) == ["0", "1 sigma", "2 sigma"] and [label.xy for label in ax.texts[1:]] == [(0, -1), (0, -2)]


@pytest.mark.parametrize("reach", [0.1, 3, 10, 50, 1000])
def test_labels_never_overprint_wherever_their_points_are(reach, rng):
    figure, axes = plotting.panels(2, "two", size=(5, 4.8))
    plotting.latent_scatter(reach * rng.uniform(-1, 1, size=(400, 2)), np.arange(400) % 10, "codes", circles=True,
                            ax=axes[0])
    assert faults(figure) == []
    assert set(texts(axes[0])) == {*map(str, range(10)), "1 sigma", "2 sigma"}


def test_forty_seven_classes_at_one_place_have_forty_seven_places_and_lines_to_them(rng):
    names = [f"class {c}" for c in range(47)]
    figure = plotting.latent_scatter(np.repeat(rng.normal(size=(10, 2)), 47, axis=0), np.arange(470) % 47, "t",
                                     names=names)
    assert faults(figure) == []
    labels = figure.axes[0].texts
    far = [np.hypot(*label.xyann) >= 12 for label in labels]
    assert [label.arrow_patch.get_visible() for label in labels] == far and sum(far) > 30
    colours = {tuple(points.get_facecolor()[0]) for points in figure.axes[0].collections}
    assert len(colours) == 47


@pytest.mark.parametrize("style, place, found", [("-", "center", ["of a line"]), ("o", "upper right", ["1 points"]),
                                                 ("-", "upper left", [])])
def test_a_legend_over_points_or_a_line_is_a_fault(style, place, found):
    figure, (ax,) = plotting.panels(1, "t")
    ax.plot([0, 1], [0, 1], style, label="a")
    ax.legend(loc=place)
    assert [any(words in told for told in faults(figure)) for words in found] == [True] * len(found)
    assert bool(faults(figure)) == bool(found)


def test_names_too_long_to_stand_among_the_points_stand_beside_them(rng):
    z, names = rng.normal(size=(400, 2)), [f"a class with a long name, {c}" for c in range(40)]
    figure = plotting.latent_scatter(z, np.arange(400) % 40, "t", names=names)
    assert faults(figure) == [] and [label.get_text() for label in figure.axes[0].texts] == [str(c) for c in range(40)]
    key, = figure.legends
    assert [text.get_text() for text in key.get_texts()] == [f"{c}  {name}" for c, name in enumerate(names)]
    for handle, points in zip(key.legend_handles, figure.axes[0].collections, strict=True):
        assert_array_equal(handle.get_facecolor(), points.get_facecolor())
    few = plotting.latent_scatter(z, np.arange(400) % 12, "t", names=names[:12])
    assert faults(few) == [] and few.legends == [] and few.axes[0].texts[3].get_text() == names[3]


def test_labels_of_classes_beyond_a_hundred_keep_their_colours(rng):
    figure = plotting.latent_scatter(rng.normal(size=(20, 2)), np.arange(20) % 4 * 101, "t")
    colours = [points.get_facecolor()[0, :3] for points in figure.axes[0].collections]
    assert min(np.abs(a - b).max() for i, a in enumerate(colours) for b in colours[:i]) > 0.1


@pytest.mark.parametrize("rows, shape", [(20, (12, 90)), (3, (30, 20))])
def test_row_labels_fit_rows_however_low(rng, rows, shape):
    figure = plotting.image_grid(rng.random((10 * rows, *shape)), "t", row_labels=[f"a label of row {i}" for i in range(rows)])
    assert faults(figure) == []
    sizes = {label.get_size() for label in figure.axes[0].get_yticklabels()}
    assert sizes == {9} if rows == 3 else max(sizes) < 9


def test_a_label_alone_stands_where_it_is_wanted_and_among_others_finds_a_place_at_every_size(tmp_path):
    figure, (ax,) = plotting.panels(1, "t", size=(9, 4))
    ax.plot([0, 1], [0, 1], label="a line")
    ax.legend(loc="upper left")
    ax.text(0.5, 0.5, "a text that is there", ha="center")
    free, crowded, under = (plotting.label(ax, *at, "a label") for at in ((0.7, 0.1), (0.5, 0.5), (0, 1)))
    for size in ((9, 4), (4, 6), (9, 4)):
        figure.set_size_inches(size)
        assert faults(figure) == [] and free.xyann == (0, 0) and crowded.xyann != (0, 0) != under.xyann
        assert not free.arrow_patch.get_visible()


def test_colours_are_all_different():
    for colours in (plotting.COLOURS.values(), plotting.DIGIT_COLOURS):
        assert len(set(colours)) == len(colours)
    assert len(plotting.DIGIT_COLOURS) == 10
    assert not set(plotting.OTHER_COLOURS) & set(plotting.COLOURS.values())


# ---- numbers --------------------------------------------------------------------------------------------------------

def test_lines_draw_the_data_in_the_table_colours_and_order_the_legend_by_the_ends():
    x, low, high = np.array([1, 2, 4]), np.array([5, 4, 1]), np.array([3, 3, 3])
    figure = plotting.lines(x, {"PCA": low, "stranger": high}, "t", "size", "error", logx=True,
                            errors={"PCA": [1, 1, 0]})
    ax, = figure.axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("size", "error")
    assert ticks(ax.xaxis) == {1: 1, 2: 2, 4: 4}
    pca, stranger = ax.containers
    assert_array_equal(pca.lines[0].get_xydata(), np.stack([x, low], axis=1))
    assert pca.lines[0].get_color() == plotting.COLOURS["PCA"]
    assert stranger.lines[0].get_color() not in plotting.COLOURS.values()
    assert pca.lines[0].get_marker() != stranger.lines[0].get_marker()
    assert [segment[:, 1].tolist() for segment in pca.lines[2][0].get_segments()] == [[4, 6], [3, 5], [1, 1]]
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["stranger", "PCA"]
    assert [to_rgba_array(handle.get_color())[0].tolist()
            for handle in legend.legend_handles] == [[*to_rgba(bar.lines[0].get_color())] for bar in (stranger, pca)]


def test_lines_take_errors_as_a_pair_too():
    x = np.arange(3)
    one, = plotting.lines(x, {"AE": (x, x / 4)}, "t", "x", "y").axes
    two, = plotting.lines(x, {"AE": x}, "t", "x", "y", errors={"AE": x / 4}).axes
    assert_array_equal(*(ax.containers[0].lines[2][0].get_segments() for ax in (one, two)))


def test_long_curves_differ_in_their_dashes_and_a_logarithmic_axis_has_plain_numbers():
    x = np.linspace(1, 50, 100)
    figure = plotting.lines(x, {"AE": x, "VAE": 2 * x}, "t", "x", "y", logy=True)
    figure.draw_without_rendering()
    ax, = figure.axes
    assert [(c.get_label(), c.lines[0].get_linestyle(), c.lines[0].get_color()) for c in ax.containers] == [
        ("AE", "-", plotting.COLOURS["AE"]), ("VAE", "--", plotting.COLOURS["VAE"])]
    shown = {label.get_text() for label in ax.get_yticklabels(which="both")}
    assert {"1", "10", "2", "50"} <= shown and not any("$" in text for text in shown)


@pytest.mark.parametrize("low, high, plain",
                         [(0.003, 0.6, True), (1e-4, 0.2, True), (1e-7, 0.2, False), (0.2, 3e6, False),
                                              (2e-6, 3e-5, False), (30, 900, True), (1, 1, True)])
def test_a_logarithmic_axis_has_one_notation(low, high, plain):
    y = np.geomspace(low, high, 40)
    figure = plotting.lines(np.arange(40), {"AE": y}, "t", "x", "y", logy=True)
    figure.draw_without_rendering()
    axis = figure.axes[0].yaxis
    bottom, top = axis.get_view_interval()
    shown = {place: label.get_text() for minor in (False, True)
             for place, label in zip(axis.get_ticklocs(minor=minor), axis.get_ticklabels(minor=minor))
             if label.get_text() and bottom <= place <= top}
    assert shown and len(shown) >= min(2, high / low)
    assert {"$" in text for text in shown.values()} == {not plain}
    for place, text in shown.items():
        number = float(text) if plain else eval(
            text.strip("$").replace(r"\cdot ", "*").replace("^{", "**(").replace("}", ")"))
        assert_allclose(number, place, rtol=1e-12)
        assert not plain or "e" not in text


def test_theory_is_dashed_and_has_no_marks():
    x = np.arange(1, 5)
    ax, = plotting.lines(x, {"measured": x, "as predicted": x}, "t", "x", "y", theory=("as predicted",)).axes
    assert [(c.lines[0].get_linestyle(), c.lines[0].get_marker()) for c in ax.containers] == [("-", "o"), ("--", "")]


def test_up_to_thirty_points_are_marked():
    for n, marked in ((30, True), (31, False)):
        ax, = plotting.lines(np.arange(n), {"a": np.arange(n), "b": np.arange(n)}, "t", "x", "y").axes
        assert [bool(c.lines[0].get_marker()) for c in ax.containers] == [marked] * 2


def test_given_colours_win_over_the_table_and_over_the_free_ones():
    given = {"PCA": "#123456", "b": "red"}
    ax, = plotting.lines(X, {"a": X, "PCA": X, "b": X}, "t", "x", "y", colours=given).axes
    assert [c.lines[0].get_color() for c in ax.containers] == [plotting.OTHER_COLOURS[0], "#123456", "red"]
    ax, = plotting.bars({"a": 1, "PCA": 2, "b": 3}, "t", "y", colours=given).axes
    assert [to_rgb(bar.get_facecolor()) for bar in ax.patches] == [*map(to_rgb, (plotting.OTHER_COLOURS[0], "#123456",
                                                                                 "red"))]
    assert given == {"PCA": "#123456", "b": "red"}
    first, second = plotting.OTHER_COLOURS[:2]
    ax, = plotting.lines(X, {"a": X, "b": X}, "t", "x", "y", colours={"b": first}).axes
    assert [c.lines[0].get_color() for c in ax.containers] == [second, first]


@pytest.mark.parametrize("n, name, upward", [(8, "a name of words {}", False), (12, "n{}", False), (12, "unbroken-{}-name", True),
                                             (40, "name {}", True), (60, "model number {}", True)])
def test_names_of_many_bars_are_read_upward(n, name, upward, rng):
    values = dict(zip(map(name.format, range(n)), 30 * rng.standard_normal(n)))
    figure = plotting.bars(values, "many", "nats", errors={name.format(3): 3.0})
    assert faults(figure) == []
    labels = figure.axes[0].get_xticklabels()
    assert [" ".join(label.get_text().split()) for label in labels] == list(values)
    assert {label.get_rotation() for label in labels} == {90 if upward else 0} and labels[0].get_size() >= 6


def test_bars_too_many_for_their_names_are_refused_without_a_figure():
    with pytest.raises(ValueError, match="^values: want at most 62 bars here, for their names to be read, got 100;"):
        plotting.bars({f"m{i}": i for i in range(100)}, "t", "y")
    assert plt.get_fignums() == []
    figure, axes = plotting.panels(3, "three")
    with pytest.raises(ValueError, match="^values: want at most 1[0-9] bars here, .* got 40;"):
        plotting.bars({f"m{i}": i for i in range(40)}, "t", "y", ax=axes[0])


def test_many_images_fill_a_page_rather_than_a_strip(rng):
    for m, shape, columns in ((100, (8, 8), 10), (40, (16, 4), 13), (1000, (8, 8), 32), (1000, (4, 16), 16)):
        ax, = plotting.image_grid(rng.random((m, shape[0] * shape[1])), "many", shape=shape).axes
        n_rows = -(-m // columns)
        assert ax.images[0].get_extent() == [0, columns, 0, n_rows]
        assert 0.8 < n_rows * shape[0] / (columns * shape[1]) < 1.3 or m == 40
    rows = plotting.image_grid(rng.random((400, 9)), "rows", row_labels=list(map(str, range(40)))).axes[0]
    assert rows.images[0].get_extent() == [0, 10, 0, 40]


def test_bars_print_their_values_beyond_the_error_bars():
    ax, = plotting.bars({"AE": 0.83, "MADE": -20.984}, "t", "nats", errors={"MADE": 0.2}).axes
    assert [bar.get_height() for bar in ax.patches] == [0.83, -20.984]
    assert [to_rgb(bar.get_facecolor()) for bar in ax.patches] == [
        to_rgb(plotting.COLOURS[name]) for name in ("AE", "MADE")]
    assert texts(ax) == ["0.83", "\N{MINUS SIGN}20.98\n± 0.2"]
    assert [text.xy[1] for text in ax.texts] == [0.83, -21.184]
    assert [segment.tolist() for bar in ax.containers if hasattr(bar, "has_yerr") and bar.has_yerr
            for segment in bar.lines[2][0].get_segments()] == [[[1, -20.984 - 0.2], [1, -20.984 + 0.2]]]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["AE", "MADE"]
    baseline = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 2]
    assert ax.get_ylabel() == "nats" and baseline == [[0, 0]]


def test_training_curves_show_each_term_for_train_and_valid():
    epochs = np.arange(1, 6)
    train = {"elbo": -10.0 / epochs, "reconstruction": -9.0 / epochs, "kl": 1.0 / epochs, "loss": 10.0 / epochs}
    valid = {term: 2 * values for term, values in train.items()}
    figure = plotting.training_curves(train, valid, "t", best=4)
    for ax, term in zip(figure.axes, ("elbo", "reconstruction", "kl"), strict=True):
        first, second, mark = ax.lines
        assert_array_equal(first.get_xydata(), np.stack([epochs, train[term]], axis=1))
        assert_array_equal(second.get_xydata(), np.stack([epochs, valid[term]], axis=1))
        assert (first.get_linestyle(), second.get_linestyle(), mark.get_linestyle()) == ("-", "--", ":")
        assert (first.get_label(), second.get_label()) == ("train", "valid")
        assert (first.get_color(), second.get_color()) == (plotting.COLOURS["VAE"], plotting.INK)
        assert ax.get_title() == {"elbo": "ELBO", "reconstruction": "reconstruction", "kl": "KL"}[term]
        assert mark.get_xdata() == [4, 4] and ax.get_xlabel() == "epoch"
    assert figure.axes[0].get_ylabel() == "nats per example"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["train", "valid", "best epoch: 4"]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_epochs_are_marked_by_whole_numbers_and_one_epoch_is_seen(n):
    figure = plotting.training_curves({"elbo": np.arange(n) - 9.0}, {"elbo": np.arange(n) - 8.0}, best=1)
    figure.draw_without_rendering()
    ax, = figure.axes
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high] == [*range(1, n + 1)]
    assert [line.get_marker() not in ("", "None") for line in ax.lines[:2]] == [n == 1] * 2
    assert "8" in suptitle(figure) and suptitle(figure).count("after") == min(n, 2) and faults(figure) == []


def test_whole_numbers_have_whole_ticks_and_others_need_not():
    for x, whole in ((np.array([2, 4, 6]), True), (np.array([0.1, 0.7, 1.5]), False)):
        figure = plotting.lines(x, {"a": x}, "t", "x", "y")
        figure.draw_without_rendering()
        assert (figure.axes[0].get_xticks() % 1 == 0).all() == whole


def history(epochs, **terms):
    made = sv.History()
    for epoch in range(epochs):
        made.append("train", {name: curve[epoch] for name, curve in terms.items()})
    return made


def test_a_history_alone_is_drawn():
    vae = sv.VAE(9, hidden=(3,), rng=np.random.default_rng(0))
    x = np.float32(np.random.default_rng(1).random((50, 9)) < 0.5)
    course = sv.fit(vae, x, epochs=3, rng=np.random.default_rng(0))
    figure = plotting.training_curves(course)
    assert [ax.get_title() for ax in figure.axes] == ["ELBO", "reconstruction", "KL"]
    assert_array_equal(figure.axes[2].lines[0].get_ydata(), course.train["kl"])
    assert suptitle(figure).startswith("ELBO: \N{MINUS SIGN}") and "after 3" in suptitle(figure)
    course = sv.fit(vae, x, epochs=3, rng=np.random.default_rng(0), valid=x[:9])
    assert "of the validation data" in suptitle(figure := plotting.training_curves(course))
    assert_array_equal(figure.axes[0].lines[1].get_ydata(), course.valid["elbo"])


@pytest.mark.parametrize("terms, shown", [
    ({"loss": [2, 1], "accuracy": [0.5, 0.75]}, ["loss", "accuracy"]), ({"loss": [2, 1]}, ["loss"]),
    ({"loss": [2, 1], "log_prob": [-2, -1]}, ["log prob"]),
    ({"loss": [9, 8], "elbo": [-2, -1], "reconstruction": [1, 1], "kl": [3, 2]},
     ["loss", "ELBO", "reconstruction", "KL"])])
def test_the_loss_is_shown_unless_another_term_says_the_same(terms, shown):
    figure = plotting.training_curves(history(2, **{name: np.float64(curve) for name, curve in terms.items()}))
    assert [ax.get_title() for ax in figure.axes] == shown
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "share" if name == "accuracy" else "nats per example" * (i == 0) for i, name in enumerate(shown)]


def test_the_first_epochs_do_not_fill_the_axis_and_are_counted():
    elbo = -100 - 1.0 / np.arange(1, 61)
    elbo[:2] = -900, -400
    ax, = plotting.training_curves({"elbo": elbo}).axes
    low, high = ax.get_ylim()
    assert ax.get_xlabel() == "epoch (first 3 off the scale)" and low < elbo[3:].min() and elbo[3:].max() < high
    assert high - low < 2 * np.ptp(elbo[3:])
    steady, = plotting.training_curves({"elbo": np.linspace(-9, -1, 60)}).axes
    assert steady.get_xlabel() == "epoch" and steady.get_ylim()[0] < -9
    flat, = plotting.training_curves({"elbo": np.r_[-9.0, np.ones(59)]}).axes
    assert flat.get_xlabel() == "epoch"


# ---- colours and other shapes ---------------------------------------------------------------------------------------

def test_colour_images_are_shown_as_they_are(rng):
    images = rng.random((5, 6, 4, 3))
    ax, = plotting.image_grid(images, "t", n_columns=3).axes
    h, w, scale = 6, 4, 5
    picture = np.asarray(ax.images[0].get_array())
    assert picture.shape == (2 * (h * scale + 2), 3 * (w * scale + 2), 3)
    first = picture[1:1 + h * scale, 1:1 + w * scale]
    assert_array_equal(first[::scale, ::scale], images[0])
    assert (picture[-h * scale:, -w * scale:] == 1).all()                    # the missing sixth place is white
    for draw in (plotting.manifold(images[:4], "t"),
                 plotting.traversal(255 * images[:4], [1, 2], "t", ["a", "b"], ink=(0, 255))):
        assert_allclose(np.asarray(draw.axes[0].images[0].get_array())[1:1 + h * scale:scale, 1:1 + w * scale:scale],
                        images[0])


def test_images_that_have_their_shape_need_none_said(rng):
    images = rng.random((4, 3, 5))
    one, = plotting.image_grid(images, "t").axes
    two, = plotting.image_grid(images.reshape(4, 15), "t", shape=(3, 5)).axes
    assert_array_equal(one.images[0].get_array(), two.images[0].get_array())


# ---- the page -------------------------------------------------------------------------------------------------------

def assert_nothing_is_cut_off(figure, title):
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    box = figure.get_tightbbox().transformed(figure.dpi_scale_trans)
    assert -1 <= box.x0 and box.x1 <= width + 1 and -1 <= box.y0 and box.y1 <= height + 1
    assert "".join(suptitle(figure).split()) == "".join(title.split())
    top = max(ax.get_tightbbox().y1 for ax in figure.axes)
    assert not title or figure._suptitle.get_window_extent().y0 >= top - 1


def test_nothing_is_cut_off_in_any_kind_of_figure(rng):
    for figure in every_kind(rng, LONG):
        assert_nothing_is_cut_off(figure, LONG)


@pytest.mark.parametrize("title", ["W" * 300, "i" * 300, "two lines\nof one title", "$1 and $2, {x}_y^", "", " "])
def test_no_title_is_cut_off(title, rng):
    assert_nothing_is_cut_off(plotting.image_grid(rng.random((3, 9)), title), title.strip())


def test_titles_break_between_words_into_lines_of_like_length(rng):
    lines = suptitle(plotting.image_grid(rng.random((10, 9)), LONG)).split("\n")
    assert " ".join(lines) == LONG.strip() and "held-out" in LONG
    assert len(lines) > 2 and min(map(len, lines)) > 0.6 * max(map(len, lines))


def test_panel_titles_stay_in_their_own_panel(rng):
    figure, axes = plotting.panels(3, "three", n_columns=3)
    for ax in axes:
        assert plotting.image_grid(rng.random((4, 9)), LONG[:90], n_columns=2, ax=ax) is figure
    figure.draw_without_rendering()
    boxes = [ax.title.get_window_extent() for ax in axes]
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:]))
    assert boxes[0].x0 >= 0 and boxes[-1].x1 <= figure.bbox.width


def test_every_drawing_of_one_axes_goes_into_a_panel(rng):
    figure, axes = plotting.panels(6, "six")
    x = np.arange(4.0)
    plotting.image_grid(rng.random((4, 9)), "a", ax=axes[0])
    plotting.manifold(rng.random((4, 9)), "b", ax=axes[1])
    plotting.traversal(rng.random((4, 9)), x, "c", ["z1"], ax=axes[2])
    plotting.latent_scatter(rng.normal(size=(4, 2)), np.arange(4), "d", ax=axes[3])
    plotting.lines(x, {"AE": x}, "e", "x", "y", ax=axes[4])
    plotting.bars({"AE": 1}, "f", "y", ax=axes[5])
    assert [ax.get_title() for ax in figure.axes] == list("abcdef") and plt.get_fignums() == [figure.number]


def test_panels_are_as_many_as_asked():
    figure, axes = plotting.panels(5, "five", n_columns=2)
    assert len(axes) == len(figure.axes) == 5


def test_the_caller_keeps_its_own_style(rng):
    before = dict(matplotlib.rcParams)
    for figure in every_kind(rng, "t"):
        plt.close(figure)
    assert dict(matplotlib.rcParams) == before


NOTEBOOK = """
import matplotlib, sys, types
from matplotlib.backends import backend_agg
backend = types.ModuleType("notebook_backend")   # as Jupyter's: named by MPLBACKEND, it turns interactive mode on
backend.FigureCanvas = backend_agg.FigureCanvasAgg
class Loader:
    def find_spec(self, name, path=None, target=None):
        from importlib.machinery import ModuleSpec
        return ModuleSpec(name, self) if name == "notebook_backend" else None
    def create_module(self, spec):
        return backend
    def exec_module(self, module):
        matplotlib.interactive(True)
sys.meta_path.insert(0, Loader())
from scratchvae import plotting
import matplotlib.pyplot as plt
assert not plt.isinteractive()
{first}
assert "notebook_backend" in sys.modules and plt.isinteractive(), "our first figure switched the user's figures off"
"""


@pytest.mark.slow
@pytest.mark.parametrize("first", [
    "plotting.panels(1, 'ours')",
    "plotting.save(plotting.bars({'AE': 1}, 'ours', 'y'), sys.argv[1] + '/ours.png')",
    "with plotting.house_style(): plt.plot([1, 2])",
    "plt.plot([1, 2]); plotting.image_grid([[0, 1, 1, 0]], 'ours')",
])
def test_a_notebook_s_figures_stay_on_whoever_draws_first(first, tmp_path):
    done = subprocess.run([sys.executable, "-c", NOTEBOOK.format(first=first), tmp_path], text=True, capture_output=True,
                          env={**os.environ, "MPLBACKEND": "module://notebook_backend"}, cwd=Path(__file__).parent.parent)
    assert done.returncode == 0, done.stderr


def test_a_notebook_that_shows_a_figure_has_it_from_pyplot_no_more():
    """As IPython asks: `_ipython_display_` first, and after a NotImplementedError for an image."""
    figure = plotting.panels(1, "ours")[0]
    for shown in range(2):  # the second time it is asked for in a later cell
        with pytest.raises(NotImplementedError):
            figure._ipython_display_()
        assert plt.get_fignums() == [] and figure._repr_png_().startswith(b"\x89PNG")
    in_a_window = plotting.panels(1, "ours")[0]
    in_a_window.canvas.manager = type("Window", (FigureManagerBase,), {})(in_a_window.canvas, in_a_window.number)
    assert in_a_window._ipython_display_() is None and plt.get_fignums() == [in_a_window.number]


def test_a_mode_that_is_set_inside_the_house_style_stays():
    with plotting.house_style():
        plt.ion()
    assert plt.isinteractive()
    plt.ioff()


def test_inputs_are_left_as_they_were(rng):
    images, z, labels = rng.random(size=(4, 9)), rng.normal(size=(4, 2)), np.arange(4)
    for array in (images, z, labels):
        array.flags.writeable = False
    plotting.image_grid(images, "t"), plotting.manifold(images, "t"), plotting.latent_scatter(z, labels, "t")
    errors = {}
    plotting.lines(labels, {"AE": (labels, labels)}, "t", "x", "y", errors=errors)
    assert errors == {}


def test_save_writes_small_equal_files_and_closes(tmp_path, rng):
    z, labels = rng.normal(size=(1797, 2)), rng.integers(0, 10, 1797)
    contents = []
    for run in range(2):
        path = tmp_path / f"run {run}" / "deep" / "figure.png"
        assert plotting.save(plotting.latent_scatter(z, labels, LONG, circles=True), str(path)) == path
        assert [file.name for file in path.parent.iterdir()] == ["figure.png"]
        contents.append(path.read_bytes())
    assert contents[0] == contents[1] and len(contents[0]) < 200_000
    assert contents[0].startswith(b"\x89PNG") and b"Software" not in contents[0] and b"Date" not in contents[0]
    assert plt.get_fignums() == []


@pytest.mark.parametrize("end, begins", [
    (".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89P")])
def test_a_figure_is_written_in_the_format_of_its_name_in_the_size_that_is_asked(end, begins, tmp_path, rng):
    z, labels = rng.normal(size=(50, 2)), np.arange(50) % 10
    files = [plotting.save(plotting.latent_scatter(z, labels, LONG), tmp_path / f"{i}{end}", dpi=dpi, size=size)
             for i, (dpi, size) in enumerate([(110, None), (110, None), (50, (4, 6))])]
    one, two, small = (path.read_bytes() for path in files)
    assert one == two != small and one.startswith(begins)
    if end == ".png":
        assert plt.imread(files[0]).shape[1] == round(110 * plotting.WIDTH)
        assert plt.imread(files[2]).shape[:2] == (300, 200)
    if end == ".svg":
        assert b'width="288pt" height="432pt"' in small
    if end == ".pdf":
        assert b"/MediaBox [ 0 0 288 432 ]" in small


def test_a_figure_of_another_size_cuts_nothing_off(tmp_path, rng, monkeypatch):
    figure = plotting.image_grid(rng.random((3, 9)), LONG)
    monkeypatch.setattr(plt, "close", lambda figure: None)
    plotting.save(figure, tmp_path / "a.png", size=(4, 8))
    assert_nothing_is_cut_off(figure, LONG)


def test_every_page_has_one_width(rng):
    for figure in (*every_kind(rng, "t"), plotting.panels(5, "t", n_columns=5, size=(4, 2))[0]):
        assert figure.get_figwidth() == plotting.WIDTH and faults(figure) == []


def test_save_of_images_is_small(tmp_path, rng):
    figure = plotting.manifold(rng.random((400, 64)), "noise, the hardest to compress")
    assert plotting.save(figure, tmp_path / "manifold.png").stat().st_size < 200_000


def test_a_failed_save_leaves_the_old_file_whole_and_nothing_else(tmp_path, rng, monkeypatch):
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    figure = plotting.image_grid(rng.random((1, 9)), "t")

    def full_disk(file, **_):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", full_disk)
    with pytest.raises(OSError, match="disk full"):
        plotting.save(figure, path)
    assert [file.name for file in tmp_path.iterdir()] == ["figure.png"] and path.read_bytes() == b"old"
    assert plt.get_fignums() == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes and links")
def test_a_figure_saved_through_a_link_keeps_link_and_mode(tmp_path, rng):
    real, link = tmp_path / "real.png", tmp_path / "figure.png"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    assert plotting.save(plotting.image_grid(rng.random((1, 9)), "t"), link) == link
    assert link.is_symlink() and real.read_bytes()[:4] == b"\x89PNG" and real.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [link, real]


# ---- what is refused ------------------------------------------------------------------------------------------------

IMAGES, Z, LABELS, X = np.zeros((4, 9)), np.zeros((4, 2)), np.arange(4), np.arange(4.0)
HISTORY = {"elbo": X, "reconstruction": X, "kl": X}


@pytest.mark.parametrize("name, draw", [
    ("images", lambda: plotting.image_grid(np.zeros((2, 3, 3, 4)), "t")),
    ("images", lambda: plotting.image_grid(np.zeros((2, 3, 3, 3, 1)), "t")),
    ("images", lambda: plotting.image_grid(np.zeros((2, 3, 4)), "t", shape=(4, 3))),
    ("images", lambda: plotting.image_grid(np.zeros(9), "t")),
    ("images", lambda: plotting.image_grid(np.zeros((0, 9)), "t")),
    ("images", lambda: plotting.image_grid(np.full((1, 9), np.nan), "t")),
    ("images", lambda: plotting.image_grid(np.zeros((1, 8)), "t")),
    ("images", lambda: plotting.image_grid(IMAGES, "t", shape=(2, 4))),
    ("shape", lambda: plotting.image_grid(IMAGES, "t", shape=(-3, -3))),
    ("n_columns", lambda: plotting.image_grid(IMAGES, "t", n_columns=0)),
    ("row_labels", lambda: plotting.image_grid(IMAGES, "t", n_columns=2, row_labels=["one"])),
    ("images", lambda: plotting.manifold(np.zeros((5, 9)), "t")),
    ("n", lambda: plotting.manifold_grid(0)),
    ("images", lambda: plotting.traversal(IMAGES, [1, 2, 3], "t", ["z1"])),
    ("values", lambda: plotting.traversal(IMAGES, [[1, 2]], "t", ["z1", "z2"])),
    ("row_labels", lambda: plotting.traversal(IMAGES, [1, 2], "t", [])),
    ("row_labels", lambda: plotting.image_grid(IMAGES, "t", n_columns=2, row_labels=3)),
    ("row_labels", lambda: plotting.image_grid(IMAGES, "t", n_columns=2, row_labels=[None] * 9)),
    ("shape", lambda: plotting.image_grid(IMAGES, "t", shape=3)),
    ("shape", lambda: plotting.image_grid(IMAGES, "t", shape=(2, 2, 1))),
    ("ax", lambda: plotting.lines([1, 2], {"a": [1, 2]}, "t", "x", "y", ax="here")),
    ("title", lambda: plotting.lines([1, 2], {"a": [1, 2]}, None, "x", "y")),
    ("terms", lambda: plotting.training_curves({"elbo": [1, 2]}, None, "t", terms=3)),
    ("terms", lambda: plotting.training_curves({"elbo": [1, 2]}, None, "t", terms=())),
    ("colour", lambda: plotting.training_curves({"elbo": [1, 2]}, None, "t", terms=("elbo",), colour="none such")),
    ("figure", lambda: plotting.save("figure", "x.png")),
    ("z", lambda: plotting.latent_scatter(np.zeros((4, 3)), LABELS, "t")),
    ("z", lambda: plotting.latent_scatter(Z + np.inf, LABELS, "t")),
    ("labels", lambda: plotting.latent_scatter(Z, LABELS[:3], "t")),
    ("labels", lambda: plotting.latent_scatter(Z, LABELS, "t", names=["one"])),
    ("names", lambda: plotting.latent_scatter(Z, LABELS, "t", names=list(range(10)))),
    ("x", lambda: plotting.lines([], {"AE": []}, "t", "x", "y")),
    ("x", lambda: plotting.lines(X, {"AE": X}, "t", "x", "y", logx=True)),
    ("curves", lambda: plotting.lines(X, {}, "t", "x", "y")),
    ("curves['AE']", lambda: plotting.lines(X, {"AE": X[:2]}, "t", "x", "y")),
    ("curves['AE']", lambda: plotting.lines(X, {"AE": X - 1}, "t", "x", "y", logy=True)),
    ("errors['AE']", lambda: plotting.lines(X, {"AE": (X, -X)}, "t", "x", "y")),
    ("errors", lambda: plotting.lines(X, {"AE": X}, "t", "x", "y", errors={"VAE": X})),
    ("colours", lambda: plotting.lines(X, {"AE": X}, "t", "x", "y", colours={"VAE": "red"})),
    ("colours['AE']", lambda: plotting.lines(X, {"AE": X}, "t", "x", "y", colours={"AE": "no colour"})),
    ("colours", lambda: plotting.bars({"AE": 1}, "t", "y", colours={"VAE": "red"})),
    ("theory", lambda: plotting.lines(X, {"AE": X}, "t", "x", "y", theory=("VAE",))),
    ("values", lambda: plotting.bars({}, "t", "y")),
    ("values['AE']", lambda: plotting.bars({"AE": np.nan}, "t", "y")),
    ("errors['AE']", lambda: plotting.bars({"AE": 1}, "t", "y", errors={"AE": -1})),
    ("errors", lambda: plotting.bars({"AE": 1}, "t", "y", errors={"VAE": 1})),
    ("train", lambda: plotting.training_curves({"loss": X}, None, "t", terms=("elbo",))),
    ("train", lambda: plotting.training_curves([X])),
    ("train", lambda: plotting.training_curves(sv.History())),
    ("valid", lambda: plotting.training_curves(HISTORY, [])),
    ("title", lambda: plotting.training_curves(HISTORY, title=3)),
    ("dpi", lambda: plotting.save(plt.figure(), "figure.png", dpi=0)),
    ("size", lambda: plotting.save(plt.figure(), "figure.png", size=3)),
    ("size", lambda: plotting.save(plt.figure(), "figure.png", size=(0, 3))),
    ("text", lambda: plotting.label(plt.figure().add_subplot(), 0, 0, 3)),
    ("x", lambda: plotting.label(plt.figure().add_subplot(), np.nan, 0, "t")),
    ("ax", lambda: plotting.label(None, 0, 0, "t")),
    ("valid['elbo']", lambda: plotting.training_curves(HISTORY, {**HISTORY, "elbo": X[:3]}, "t")),
    ("train['kl']", lambda: plotting.training_curves({**HISTORY, "kl": X + np.nan}, HISTORY, "t")),
    ("best", lambda: plotting.training_curves(HISTORY, HISTORY, "t", best=5)),
    ("n", lambda: plotting.panels(0, "t")),
    ("path", lambda: plotting.save(plt.figure(), "figure.jpg")),
])
def test_bad_input_is_named_and_leaves_no_figure(name, draw):
    with pytest.raises((ValueError, TypeError)) as caught:
        draw()
    assert str(caught.value).startswith(f"{name}: ")
    assert plt.get_fignums() == [] or name in ("dpi", "size", "text", "x")  # their figures are the caller's


def test_a_list_where_a_dict_belongs_is_a_type_error():
    with pytest.raises(TypeError, match="^curves: "):
        plotting.lines(X, [X], "t", "x", "y")
    with pytest.raises(TypeError, match="^values: "):
        plotting.bars([1], "t", "y")


@pytest.mark.parametrize("dtype", [np.uint8, bool])
def test_integers_and_truth_values_are_drawn_as_numbers(dtype):
    x, y = np.arange(1.0, 3), np.array([0, 1], dtype)
    plt.close(plotting.lines(x, {"a": y, "b": (y, y)}, "t", "x", "y"))
    plt.close(plotting.traversal(np.zeros((2, 4)), y, "t", ["z1"]))
