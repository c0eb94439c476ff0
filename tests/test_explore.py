"""Does the map answer to the mouse? The events of `explore`, without a screen."""
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent
from numpy.testing import assert_allclose, assert_array_equal

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
    explorer.figure.draw_without_rendering()
    explorer.figure.set_layout_engine("none")  # laid out once is enough here, and twice as fast
    yield explorer
    plt.close("all")


def shown(ax):
    return ax.images[0].get_array().data.ravel()


def mouse(explorer, name, ax, x, y):
    """What the window system would send when the pointer is at (x, y) of an axes."""
    explorer.figure.canvas.draw()
    pixels = ax.transData.transform((x, y))
    event = MouseEvent(name, explorer.figure.canvas, *pixels, button=1 if "button" in name else None)
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
    assert len(explorer.ends) == 1 and not explorer.walk[0].images
    mouse(explorer, "button_press_event", explorer.map, 1, 2)
    steps = np.array([shown(ax)[:2] for ax in explorer.walk])
    assert len(steps) == N_STEPS
    assert_allclose(steps, np.linspace([-1, 0], [1, 2], N_STEPS), atol=2e-2)
    assert_allclose(np.diff(steps, axis=0), np.tile(np.diff(steps, axis=0)[:1], (N_STEPS - 1, 1)), atol=1e-12)
    mouse(explorer, "button_press_event", explorer.map, 0, 0)
    assert len(explorer.ends) == 1
