"""Does the map answer to the mouse? The events of `explore`, without a screen."""
import time
from contextlib import nullcontext
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent
from numpy.testing import assert_allclose, assert_array_equal

from figures import faults
from demos.explore import N_STEPS, Explorer

matplotlib.use("Agg")
SIDE = 3


@pytest.fixture(params=[2, 4])
def explorer(request):
    """An explorer whose image's first pixels are z itself."""
    K = request.param
    rng = np.random.default_rng(0)

    def decode(z):
        assert z.ndim == 2 and z.shape[1] == K
        return np.concatenate([z, np.zeros((len(z), SIDE**2 - K))], axis=1)

    explorer = Explorer(decode, rng.standard_normal((50, K)), rng.integers(10, size=50), (SIDE, SIDE))
    yield explorer
    plt.close("all")


def shown(ax):
    return ax.images[0].get_array().data.ravel()


def mouse(explorer, name, ax, x, y, button=1):
    """What the window system would send when the pointer is at (x, y) of an axes."""
    explorer.figure.canvas.draw()
    pixels = ax.transData.transform((x, y))
    event = MouseEvent(name, explorer.figure.canvas, *pixels, button=button if "button" in name else None)
    explorer.figure.canvas.callbacks.process(name, event)


def test_the_image_under_the_pointer_is_decoded(explorer):
    K = len(explorer.z)
    mouse(explorer, "motion_notify_event", explorer.map, 0.5, -1.25)
    assert_allclose(shown(explorer.image)[:K], [0.5, -1.25, 0, 0][:K], atol=1e-2)
    assert_allclose([s.val for s in explorer.sliders], explorer.z, atol=1e-12)
    assert_allclose(np.ravel(explorer.here.get_data()), explorer.z[:2])


def test_outside_the_map_nothing_moves(explorer):
    before = shown(explorer.image).copy()
    mouse(explorer, "motion_notify_event", explorer.image, 1, 1)
    assert_array_equal(shown(explorer.image), before)


def test_each_slider_moves_its_own_dimension(explorer):
    for k, slider in enumerate(explorer.sliders):
        slider.set_val(1.5)
        assert explorer.z[k] == shown(explorer.image)[k] == 1.5
    assert_array_equal(explorer.z, 1.5)


def test_the_pointer_keeps_the_further_dimensions(explorer):
    explorer.move(np.full(len(explorer.z), 0.7))
    mouse(explorer, "motion_notify_event", explorer.map, -1, 1)
    assert_allclose(explorer.z[:2], [-1, 1], atol=1e-2)
    assert_array_equal(explorer.z[2:], 0.7)


def test_two_clicks_walk_in_a_straight_line_and_a_third_begins_anew(explorer):
    mouse(explorer, "button_press_event", explorer.map, -1, 0)
    assert len(explorer.ends) == 1 and not shown(explorer.walk[0]).any()
    mouse(explorer, "button_press_event", explorer.map, 1, 2)
    steps = np.array([shown(ax)[:2] for ax in explorer.walk])
    assert len(steps) == N_STEPS
    assert_allclose(steps, np.linspace([-1, 0], [1, 2], N_STEPS), atol=2e-2)
    assert_allclose(np.diff(steps, axis=0), np.tile(np.diff(steps, axis=0)[:1], (N_STEPS - 1, 1)), atol=1e-12)
    mouse(explorer, "button_press_event", explorer.map, 0, 0)
    assert len(explorer.ends) == 1


@pytest.mark.parametrize("mode", ["pan/zoom", "zoom rect"])
def test_while_the_toolbar_pans_or_zooms_the_pointer_is_its_own(explorer, mode):
    explorer.figure.canvas.toolbar = SimpleNamespace(mode=mode, _wait_cursor_for_draw_cm=nullcontext)
    for name in ("button_press_event", "motion_notify_event"):
        mouse(explorer, name, explorer.map, -1, 1)
    assert explorer.ends == [] and not explorer.z.any()
    explorer.figure.canvas.toolbar.mode = ""
    mouse(explorer, "button_press_event", explorer.map, -1, 1)
    assert len(explorer.ends) == 1


def test_another_button_chooses_nothing(explorer):
    mouse(explorer, "button_press_event", explorer.map, -1, 1, button=3)
    assert explorer.ends == []


def pixels(explorer):
    return np.asarray(explorer.figure.canvas.buffer_rgba()).copy()


def test_what_is_drawn_anew_is_what_a_whole_drawing_shows(explorer):
    explorer.figure.canvas.draw()
    before = pixels(explorer)
    for z in (0.5, -0.8):
        explorer.choose(np.full(len(explorer.z), z))
        explorer.move(np.full(len(explorer.z), z))
    blitted = pixels(explorer)
    explorer.figure.canvas.draw()
    assert (blitted != before).any()
    assert_array_equal(blitted, pixels(explorer))


def test_the_saved_view_shows_what_moves(explorer, tmp_path):
    views = []
    for z in (0.0, 0.9):
        explorer.move(np.full(len(explorer.z), z))
        explorer.figure.savefig(tmp_path / "view.png")
        views.append(plt.imread(tmp_path / "view.png"))
    assert (views[0] != views[1]).any()


@pytest.mark.slow
def test_it_fits_on_a_small_screen_with_any_number_of_latents():
    for K in (2, 3, 10, 20):
        z = np.random.default_rng(0).standard_normal((30, K))
        explorer = Explorer(lambda z: np.zeros((len(z), 4)), z, np.arange(30) % 3, (2, 2))
        assert explorer.figure.bbox.height <= 768 - 110 and explorer.figure.bbox.width <= 1024
        assert faults(explorer.figure) == []
        plt.close("all")


def test_a_move_takes_less_than_30_ms():
    rng = np.random.default_rng(0)
    W = rng.standard_normal((2, 784))
    explorer = Explorer(lambda z: z @ W, rng.standard_normal((2000, 2)), np.arange(2000) % 10, (28, 28))
    explorer.figure.canvas.draw()
    took = []
    for z in rng.standard_normal((15, 2)):
        start = time.process_time()
        explorer.move(z)
        took.append(time.process_time() - start)
    plt.close("all")
    assert np.median(took) < 0.03
