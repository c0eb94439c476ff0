"""Is the drawn machine the model's? Its parts against the model's own arrays, and every text in a place of its own."""
import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle
from numpy.testing import assert_array_equal

import scratchvae as sv
from scratchvae import plotting
from scratchvae.nn.flow import Array, Box, Node
from figures import faults


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def rng():
    return np.random.default_rng(0)


OBSERVATIONS = (sv.Bernoulli(), sv.CrossEntropy(), sv.ContinuousBernoulli(), sv.Gaussian(), sv.Gaussian(0.1),
                sv.Gaussian("diagonal"))
MODELS = {
    "network": lambda: sv.Network([sv.Dense(5, 3, rng=rng()), sv.Tanh(), sv.Dense(3, 1, rng=rng())]),
    "activation alone": lambda: sv.Network([sv.Tanh()]),
    "autoencoder": lambda: sv.Autoencoder(784, rng=rng()),
    "denoising": lambda: sv.Autoencoder(784, hidden=(200, 50), n_latent=20, noise=0.25, rng=rng()),
    "masking": lambda: sv.Autoencoder(64, hidden=(), n_latent=8, noise=0.25, corruption="masking", rng=rng()),
    "linear VAE": lambda: sv.VAE(64, hidden=(), n_latent=1, rng=rng()),
    "VAE of four hidden layers": lambda: sv.VAE(784, hidden=(500, 200, 100, 50), n_latent=2, rng=rng()),
    "wide code": lambda: sv.VAE(30, hidden=(20,), n_latent=1000, rng=rng()),
    "VAE of samples": lambda: sv.VAE(30, hidden=(9,), n_samples=7, rng=rng()),
    "VAE with labels": lambda: sv.VAE(784, hidden=(200, 50), n_classes=10, rng=rng()),
    "IWAE": lambda: sv.IWAE(784, hidden=(200, 100, 50, 20), n_latent=50, rng=rng()),
    "classifier": lambda: sv.Classifier(64, hidden=(30,), n_classes=3, rng=rng()),
    "linear classifier": lambda: sv.Classifier(4, hidden=(), n_classes=2, rng=rng()),
    "FVBN": lambda: sv.FVBN(64, rng=rng()),
    "MADE": lambda: sv.MADE(16, hidden=(30,), rng=rng()),
    "MADE of levels": lambda: sv.MADE(16, hidden=(30,), observation=sv.DiscretizedLogistic(5), rng=rng()),
    "FVBN of one variance": lambda: sv.FVBN(6, observation=sv.Gaussian(), rng=rng()),
    "MADE of orders": lambda: sv.MADE(784, hidden=(50, 40, 30, 20), n_orders=4, rng=rng()),
    **{f"VAE under {o!r}": lambda o=o: sv.VAE(64, hidden=(32,), observation=o, rng=rng()) for o in OBSERVATIONS},
}


@pytest.mark.parametrize("name", MODELS)
def test_every_machine_is_legible_and_of_one_width(name):
    figure = plotting.diagram(MODELS[name]())
    assert faults(figure) == [] and figure.get_figwidth() == plotting.WIDTH


def widths(model):
    return [part.shape[-1] for part in model.flow() if isinstance(part, Array)]


def test_the_parts_are_the_model_s():
    vae = sv.VAE(9, hidden=(7, 5), n_latent=3, observation=sv.Gaussian(), rng=rng())
    mu, log_var = vae.encode(np.zeros((1, 9)))
    assert widths(vae) == [9, 7, 5, 3, 5, 7, 10] == [
        9, *(layer.shapes["W"][1] for layer in vae.encoder.layers[:-1:2]), mu.shape[1],
        *(layer.shapes["W"][1] for layer in vae.decoder.layers[:3:2]), vae.observation.n_params(9)]
    assert (Array("mu", ("N", 3)), Array("log_var", ("N", 3))) in vae.flow()
    assert [part.name for part in vae.flow() if isinstance(part, Array)] == ["x", "h", "h", "z", "h", "h", "m, s"]
    boxes = [part.text for part in vae.flow() if isinstance(part, Box)]
    assert boxes[0] == "Dense\nW (9, 7)\nReLU" and boxes[-1] == "Dense\nW (7, 9)\nAppend"
    noise, end = [part for part in vae.flow() if isinstance(part, Node)]
    labelled = sv.VAE(6, hidden=(), n_classes=3, rng=rng())
    assert labelled.flow()[-1].text == "Bernoulli\np(x given z, y)" and labelled.given(2).flow()[-1].text.endswith("z)")
    assert noise.source == "eps ~ N(0, I)\n(N, 3)" and end.text == "Gaussian\np(x given z)"
    iwae = sv.IWAE(9, hidden=(7,), n_samples=6, rng=rng())
    assert Array("z", ("6, N", 2)) in iwae.flow() and iwae.flow()[-1].text == "log 1/S sum_s w_s"


def test_params_and_observation_model_of_grey_pixels_are_drawn():
    parts = MODELS["MADE of levels"]().flow()
    assert Array("f(x)", ("N", 32)) in parts and Array("m, t", ("N", 32)) in parts
    assert parts[-1].text == "DiscretizedLogistic\np(x_j given the\npixels before j)"


def test_flow_leaves_the_model_as_it_was():
    vae = sv.VAE(9, rng=rng())
    theta, grad = vae.theta.copy(), vae.grad.copy()
    plotting.diagram(vae)
    assert_array_equal(vae.theta, theta)
    assert_array_equal(vae.grad, grad)


@pytest.mark.parametrize("name", ["FVBN", "MADE", "MADE of orders", "MADE of levels", "FVBN of one variance"])
def test_every_mask_is_drawn_as_it_is(name):
    model = MODELS[name]()
    ax, = plotting.diagram(model).axes
    masks = [layer.mask for network in model.by_order[0] for layer in network.layers if hasattr(layer, "mask")]
    for shown, mask in zip(ax.images, masks, strict=True):
        assert_array_equal(shown.get_array(), mask > 0)         # one with a gain, too
        assert shown.cmap(1.0)[:3] == (0, 0, 0) and shown.get_clim() == (0, 1)


def test_a_bar_grows_with_the_logarithm_of_its_width():
    ax, = plotting.diagram(sv.Network([sv.Dense(999, 99, rng=rng()), sv.Dense(99, 9, rng=rng())])).axes
    heights = [patch.get_height() for patch in ax.patches if isinstance(patch, Rectangle)]
    assert len(heights) == 3 and heights[0] - heights[1] == pytest.approx(heights[1] - heights[2]) and heights[2] > 0


def test_a_long_machine_goes_on_in_a_new_row_at_its_narrowest_array():
    ax, = plotting.diagram(MODELS["VAE of four hidden layers"]()).axes
    names = [text.get_text() for text in ax.texts]
    assert names.count("z\n(N, 2)") == 2 and names.count("x\n(N, 784)") == names.count("logits\n(N, 784)") == 1


def test_a_model_of_one_s_own_is_drawn_too():
    class Own(sv.Model):
        def __init__(self):
            super().__init__(np.float64, first=sv.Network([sv.Dense(4, 3, rng=rng(), dtype=np.float64)]),
                             second=sv.Network([sv.Dense(3, 2, rng=rng(), dtype=np.float64), sv.Sigmoid()]))

    assert [getattr(part, "name", part[0]) for part in Own().flow()] == ["x", "Dense\nW (4, 3)", "first",
                                                                         "Dense\nW (3, 2)\nSigmoid", "second"]
    assert faults(plotting.diagram(Own(), "mine")) == []


@pytest.mark.parametrize("stranger", [None, 3, "VAE", sv.VAE, np.zeros(3), sv.PCA(2)])
def test_what_has_no_machine_is_refused(stranger):
    with pytest.raises(TypeError, match="^model: want a network or a model"):
        plotting.diagram(stranger)
    assert plt.get_fignums() == []
