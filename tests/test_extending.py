"""Does a class from outside work like ours? It trains, is saved and loaded, or is refused at once, by name.

Everything here uses only what `import scratchvae as sv` gives, as a stranger would.
"""
import importlib
import inspect
import re
import subprocess
import sys
from collections import namedtuple
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

import scratchvae as sv
from scratchvae.nn.callbacks import Function

ROOT = Path(__file__).resolve().parents[1]
D = 5


class Laplace(sv.Observation):
    """log p = -sum_j |x_j - m_j| / scale + log 2 scale. It has no `config`: its argument is an attribute."""

    measure = "lebesgue"

    def __init__(self, scale=1.0):
        self.scale = scale

    def value_and_grad(self, x, params):
        r = (x - params) / self.scale
        return -np.abs(r).sum(axis=1) - x.shape[1] * np.log(2 * self.scale), np.sign(r) / self.scale

    def mean(self, params):
        return params

    def sample(self, params, rng):
        return rng.laplace(params, self.scale)


class Gaussian(Laplace):
    """Not ours, although it is called so."""


class Swish(sv.Layer):
    """y = x sigmoid(x)."""

    def forward(self, x):
        s = 1 / (1 + np.exp(-x))
        return x * s, (x, s)

    def backward(self, dy, cache, need_dx=True):
        x, s = cache
        return dy * (s + x * s * (1 - s)) if need_dx else None


class Scale(sv.Layer):
    """y = x * s, with a learned s for each column."""

    def __init__(self, n, dtype=np.float64):
        self.shapes = {"s": (n,)}
        self.bind(np.ones(n, dtype), np.zeros(n, dtype))

    def forward(self, x):
        return x * self.s, x

    def backward(self, dy, x, need_dx=True):
        (dy * x).sum(axis=0, out=self.ds)
        return dy * self.s if need_dx else None


class Lion(sv.Optimizer):
    """The sign of a running mean. Source: Chen et al. 2023."""

    moments = ("m",)

    def __init__(self, lr=1e-3, *, beta=0.9, weight_decay=0.0):
        super().__init__(lr, weight_decay)
        self.beta = beta

    def update(self, theta, grad):
        self.m *= self.beta
        self.m += (1 - self.beta) * grad
        theta -= self.lr * np.sign(self.m)


class Regression(sv.Model):
    """y = network(x), the mean square its loss; from labels."""

    terms = namedtuple("Terms", "loss largest")

    def __init__(self, n_features, hidden=4, *, rng, dtype=np.float64):
        self.n_features, self.hidden = n_features, hidden
        how = {"rng": rng, "dtype": dtype}
        super().__init__(dtype, network=sv.Network([
            sv.Dense(n_features, hidden, **how), Swish(), Scale(hidden, dtype), sv.Dense(hidden, 1, **how)]))

    def accept(self, X, labels=None, name="X"):
        return np.asarray(X, self.dtype), np.asarray(labels, self.dtype)

    def forward_backward(self, x, y, *, rng=None):
        output, cache = self.network.forward(x)
        r = output[:, 0] - y
        self.network.backward(2 / len(x) * r[:, None], cache, need_dx=False)
        return self.terms((r**2).mean(), np.abs(r).max())

    def evaluate(self, x, y, *, rng=None):
        r = self.apply(self.network, x)[:, 0] - y
        return self.terms((r**2).mean(), np.abs(r).max())


def reals(n=40, d=D, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


def rng(seed=0):
    return np.random.default_rng(seed)


def vae(observation=None, **how):
    observation = observation or Laplace(0.5)
    return sv.VAE(D, hidden=(6,), n_latent=2, observation=observation, rng=rng(), dtype=np.float64, **how)


# ---- observation models -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("cls", [sv.VAE, sv.IWAE, sv.Autoencoder])
def test_an_own_observation_trains_saves_and_loads(cls, tmp_path):
    model = cls(D, hidden=(6,), n_latent=2, observation=Laplace(0.5), rng=rng(), dtype=np.float64)
    losses = sv.fit(model, reals(), epochs=20, optimizer=sv.Adam(1e-2), rng=rng()).train["loss"]
    assert losses[-1] < losses[0]
    sv.save(model, tmp_path / "model.npz")
    loaded = sv.load(tmp_path / "model.npz")
    assert type(loaded.observation) is Laplace and loaded.observation.scale == 0.5 and loaded.config() == model.config()
    np.testing.assert_array_equal(loaded.reconstruct(reals()), model.reconstruct(reals()))


def test_the_gradient_of_an_own_observation_is_checked_like_ours():
    model, eps = vae(activation="tanh"), reals(40, 2, seed=3)
    model.loss_and_grad(reals(), eps=eps)
    sv.check_gradient(lambda _: model.loss_and_grad(reals(), eps=eps).loss, model.theta, model.grad.copy(),
                      model.named_parameters())


def test_an_own_class_of_our_name_is_not_taken_for_ours(tmp_path):
    for observation in (Gaussian(0.5), sv.Gaussian(0.5)):
        model = vae(observation)
        sv.save(model, tmp_path / "model.npz")
        loaded = sv.load(tmp_path / "model.npz")
        assert type(loaded.observation) is type(observation)
        np.testing.assert_array_equal(loaded.elbo(reals(), rng=rng()).elbo, model.elbo(reals(), rng=rng()).elbo)


class Silent(Laplace):
    """Its argument is kept in no attribute of its name."""

    def __init__(self, width=1.0):
        super().__init__(width)


class Partial(Laplace):
    """Its `config` forgets the argument, so that it would come back with another scale."""

    def config(self):
        return {}


class NoJson(Laplace):
    def config(self):
        return {"scale": np.float32(self.scale)}


@pytest.mark.parametrize("observation, words", [
    (Silent(2.0), "Silent: its constructor takes width, which no attribute holds"),
    (Partial(2.0), "Partial: its `config` .* scale"), (NoJson(2.0), "NoJson: its `config` must be what JSON can hold")])
def test_what_could_not_be_built_again_is_refused_when_it_is_saved(observation, words, tmp_path):
    with pytest.raises(TypeError, match=words):
        sv.save(vae(observation), tmp_path / "model.npz")
    assert not list(tmp_path.iterdir()) and "VAE" in repr(vae(observation))


def test_an_observation_that_lacks_a_method_says_which():
    class Half(sv.Observation):
        pass

    with pytest.raises(NotImplementedError, match=r"^Half has no value_and_grad\(self, x, params\), which must give: log p"):
        sv.fit(vae(Half()), reals(), epochs=1, rng=rng())
    for call in (lambda: Half().mean(reals()), lambda: Half().sample(reals(), rng())):
        with pytest.raises(NotImplementedError, match="^Half has no (mean|sample).* must give: "):
            call()


SCRIPT = """
import sys, numpy as np, scratchvae as sv
sys.path.insert(0, sys.argv[2])
if sys.argv[3] != "unknown":
    import test_extending
    sys.modules["test_extending"].Laplace
try:
    print(type(sv.load(sys.argv[1]).observation).__name__)
except ValueError as error:
    print(error)
print("test_extending" in sys.modules)
"""


@pytest.mark.parametrize("known", ["known", "unknown"])
def test_another_process_loads_an_own_class_only_if_it_has_imported_it(known, tmp_path):
    """No module is imported because a file names it."""
    sv.save(vae(), tmp_path / "model.npz")
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "model.npz"), str(ROOT / "tests"), known],
                          cwd=ROOT, capture_output=True, text=True, timeout=60)
    *said, imported = done.stdout.splitlines()
    if known == "known":
        assert said == ["Laplace"]
    else:
        assert "no class 'test_extending.Laplace' is known here" in said[0] and "import its module" in said[0]
        assert "model.npz" in said[0] and imported == "False"


def test_a_class_of_the_program_that_was_run_is_told_to_move(tmp_path):
    script = ("import sys, numpy as np, scratchvae as sv\n"
              "class Swish(sv.Layer): pass\n"
              "sv.save(sv.VAE(4, n_latent=1, activation=Swish, rng=np.random.default_rng(0)), sys.argv[1])\n")
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "model.npz")], cwd=ROOT, check=True, timeout=60)
    with pytest.raises(ValueError, match="model.npz.*no class '__main__.Swish'.*keep it in a module that you import"):
        sv.load(tmp_path / "model.npz")


# ---- layers ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", [
    lambda: sv.VAE(D, (6,), 2, activation=Swish, observation=sv.Gaussian(1.0), rng=rng()),
    lambda: sv.Autoencoder(D, (6,), 2, activation=Swish, observation=sv.Gaussian(1.0), rng=rng()),
    lambda: sv.MADE(D, (6,), activation=Swish, rng=rng()),
    lambda: sv.Classifier(D, (6,), 3, activation=Swish, rng=rng())])
def test_an_own_activation_is_taken_saved_and_loaded(make, tmp_path):
    model = make()
    sv.save(model, tmp_path / "model.npz")
    loaded = sv.load(tmp_path / "model.npz")
    assert loaded.activation is Swish and loaded.config() == model.config()
    np.testing.assert_array_equal(loaded.theta, model.theta)
    networks = [part for part in vars(loaded).values() if isinstance(part, sv.Network)]
    assert any(isinstance(layer, Swish) for network in networks for layer in network.layers)


def test_an_encoder_with_an_own_activation_starts_a_classifier():
    assert sv.Classifier.from_encoder(vae(activation=Swish), 3, rng=rng()).activation is Swish


@pytest.mark.parametrize("activation", [sv.Dense, sv.Append, sv.Network, sv.Observation, int, np.tanh, Swish(), "swish",
                                        "test_extending.Nobody", "test_extending.Laplace", "VAE"])
def test_what_is_no_activation_is_refused(activation):
    with pytest.raises(ValueError):
        vae(activation=activation)


def test_a_layer_that_lacks_a_method_says_which():
    class Half(sv.Layer):
        pass

    with pytest.raises(NotImplementedError, match=r"^Half has no forward\(self, x\), which must give: y, and what"):
        sv.Network([Half()]).forward(reals())


@pytest.mark.parametrize("make", [lambda: sv.Dense(D, 4, rng=rng()), lambda: Scale(D), lambda: sv.Append(2),
                                  lambda: sv.Network([sv.Dense(D, 4, rng=rng()), sv.Tanh()])])
def test_a_layer_given_to_two_networks_is_refused_and_the_first_keeps_it(make):
    layer = make()
    first = sv.Network([layer])
    with pytest.raises(ValueError, match="^layers: .* is part of another network or model"):
        sv.Network([sv.Tanh(), layer])
    assert all(np.shares_memory(view, first.theta) for view in layer.named_parameters().values())
    second = sv.Network([deepcopy(layer)])  # the way out
    np.testing.assert_array_equal(first.theta, second.theta)


def test_a_network_given_to_two_models_is_refused():
    model = Regression(D, rng=rng())
    with pytest.raises(ValueError, match="part of another network or model"):
        sv.Model(np.float64, network=model.network)
    copy = deepcopy(model)
    with pytest.raises(ValueError, match="part of another network or model"):
        sv.Network([copy.network.layers[0]])


@pytest.mark.parametrize("name", ["encoder", "decoder", "networks", "theta", "grad"])
def test_what_a_model_trains_is_not_replaced(name):
    model, other = vae(), vae()
    with pytest.raises(AttributeError, match=f"^{name}: "):
        setattr(model, name, getattr(other, name))
    model.theta *= 2  # in place
    model.theta -= 0.1 * model.grad
    setattr(model, name, getattr(model, name))
    assert all(np.shares_memory(view, model.theta) for view in model.named_parameters().values())


@pytest.mark.parametrize("name", ["W", "b", "dW", "db", "theta", "grad"])
def test_a_parameter_is_written_into_and_not_replaced(name):
    layer = vae().encoder.layers[0]
    with pytest.raises(AttributeError, match=f"^{name}: "):
        setattr(layer, name, getattr(layer, name).copy())
    layer.W += 1
    layer.dW *= 0


def test_a_network_s_layers_are_not_replaced():
    network = vae().encoder
    with pytest.raises(AttributeError, match="^layers: "):
        network.layers = (sv.Tanh(),)
    with pytest.raises(TypeError):
        network.layers[0] = sv.Tanh()


def test_a_backward_that_replaces_its_gradient_is_found_at_once():
    class Wrong(Scale):
        def backward(self, dy, x, need_dx=True):
            self.ds = (dy * x).sum(axis=0)

    net = sv.Network([Wrong(D)])
    with pytest.raises(AttributeError, match="^ds: "):
        net.backward(reals(), net.forward(reals())[1])


# ---- optimizers -----------------------------------------------------------------------------------------------------

def test_an_own_optimizer_trains_and_continues_from_a_checkpoint(tmp_path):
    thetas = []
    for checkpoint, epochs in ((None, 6), (tmp_path / "run.npz", 3), (tmp_path / "run.npz", 6)):
        model = vae()
        sv.fit(model, reals(), epochs=epochs, batch_size=16, optimizer=Lion(1e-3, weight_decay=0.1), rng=rng(),
               checkpoint=checkpoint)
        thetas.append(model.theta)
    assert np.array_equal(thetas[0], thetas[2]) and not np.array_equal(thetas[0], thetas[1])
    with pytest.raises(ValueError, match="its optimizer, .*Lion, beta is 0.9, this one's 0.8"):
        sv.fit(vae(), reals(), epochs=6, batch_size=16, optimizer=Lion(1e-3, beta=0.8, weight_decay=0.1), rng=rng(),
               checkpoint=tmp_path / "run.npz")


def test_an_own_optimizer_is_the_formula():
    theta, g, lion = np.array([1.0, 1.0]), np.array([3.0, -2.0]), Lion(0.1)
    lion.step(theta, g)
    np.testing.assert_allclose(theta, [0.9, 1.1])
    with pytest.raises(ValueError, match="^grad: want float64"):
        lion.step(theta, np.ones(3))
    assert repr(lion) == "Lion(lr=0.1, beta=0.9, weight_decay=0.0)"


class Whole(sv.Optimizer):
    """It overrides `step` itself, and does not count."""

    moments = ("v",)

    def step(self, theta, grad):
        self.v = getattr(self, "v", 0) * 0.5 + grad
        theta -= self.lr * self.v


def test_an_optimizer_with_a_step_of_its_own_continues_too(tmp_path):
    thetas = []
    for checkpoint, epochs in ((None, 6), (tmp_path / "run.npz", 3), (tmp_path / "run.npz", 6)):
        model = vae()
        sv.fit(model, reals(), epochs=epochs, batch_size=16, optimizer=Whole(1e-3), rng=rng(), checkpoint=checkpoint)
        thetas.append(model.theta)
    assert np.array_equal(thetas[0], thetas[2])


class Plain(sv.Optimizer):
    """It does not call our constructor."""

    def __init__(self, lr):
        self.lr = lr

    def update(self, theta, grad):
        theta -= self.lr * grad


def test_an_optimizer_that_knows_only_its_rate_is_gradient_descent():
    thetas = []
    for optimizer in (Plain(0.01), sv.SGD(0.01)):
        model = vae()
        sv.fit(model, reals(), epochs=2, optimizer=optimizer, rng=rng())
        thetas.append(model.theta)
    np.testing.assert_array_equal(*thetas)
    assert repr(Plain(0.01)).startswith("Plain(lr=0.01")


def test_an_optimizer_without_a_formula_says_so():
    with pytest.raises(NotImplementedError, match=r"^Optimizer has no update\(self, theta, grad\), which must give: "):
        sv.fit(vae(), reals(), epochs=1, optimizer=sv.Optimizer(0.1), rng=rng())


# ---- models -----------------------------------------------------------------------------------------------------

def regression_data():
    X = reals(60)
    return X, np.sin(X[:, 0]) + X[:, 1]


def test_an_own_model_trains_validates_saves_and_loads(tmp_path):
    X, y = regression_data()
    model = Regression(D, rng=rng())
    history = sv.fit(model, X, y, epochs=60, optimizer=sv.Adam(3e-2), rng=rng(), valid=(X[:20], y[:20]), callbacks=[
        sv.EarlyStopping(50, monitor="largest", direction="fall")], checkpoint=tmp_path / "run.npz")
    assert history.train["loss"][-1] < 0.3 * history.train["loss"][0] and list(history.valid) == ["loss", "largest"]
    sv.save(model, tmp_path / "model.npz")
    loaded = sv.load(tmp_path / "model.npz")
    assert type(loaded) is Regression and loaded.hidden == 4 and loaded.config() == model.config()
    assert loaded.evaluate(X, y) == model.evaluate(X, y)


def test_the_gradient_of_an_own_model_and_layer():
    X, y = regression_data()
    model = Regression(D, rng=rng())
    model.theta += 0.1 * rng(1).standard_normal(model.theta.size)
    model.loss_and_grad(X, y)
    errors = sv.check_gradient(lambda _: model.loss_and_grad(X, y).loss, model.theta, model.grad.copy(),
                               model.named_parameters())
    assert list(errors) == ["network.0.W", "network.0.b", "network.2.s", "network.3.W", "network.3.b"]


@pytest.mark.parametrize("missing, words", [
    ("accept", r"Own has no accept\(self, X, .*which must give: The door: a tuple"),
    ("forward_backward", r"Own has no forward_backward\(self, \*data, rng\), which must give: The loss `terms`"),
    ("evaluate", r"Own has no evaluate\(self, \*data, rng\), which must give: The loss `terms` of many rows")])
def test_a_model_that_lacks_a_method_is_told_which_before_it_is_trained(missing, words):
    methods = {name: vars(Regression)[name] for name in ("accept", "forward_backward", "evaluate", "terms")}
    methods.pop(missing)
    Own = type("Own", (sv.Model,), methods)
    model = Own(np.float64, network=sv.Network([sv.Dense(D, 1, rng=rng(), dtype=np.float64)]))
    before, (X, y) = model.theta.copy(), regression_data()
    with pytest.raises(NotImplementedError, match=words):
        sv.fit(model, X, *([y] if missing != "accept" else []), epochs=1, rng=rng(),
               valid=(X, y) if missing != "accept" else None)
    assert np.array_equal(model.theta, before)
    if missing == "evaluate":  # which only validation needs
        assert len(sv.fit(model, X, y, epochs=1, rng=rng()).train["loss"]) == 1


@pytest.mark.parametrize("terms", [1.0, (1.0, 2.0), {"loss": 1.0}, None])
def test_loss_terms_that_are_no_namedtuple_are_refused_in_the_first_step(terms):
    class Bare(Regression):
        def forward_backward(self, *data, rng):
            return terms

    model, (X, y) = Bare(D, rng=rng()), regression_data()
    before = model.theta.copy()
    with pytest.raises(TypeError, match="^model: want a namedtuple with a `loss` from Bare, got"):
        sv.fit(model, X, y, epochs=1, rng=rng())
    assert np.array_equal(model.theta, before)


def test_a_check_that_gives_no_tuple_is_refused():
    class Bare(Regression):
        def accept(self, X, name="X"):
            return np.asarray(X)

    with pytest.raises(TypeError, match=r"^model: want a tuple of arrays .* \(x,\), from Bare.accept, got"):
        sv.fit(Bare(D, rng=rng()), reals(), epochs=1, rng=rng())


def test_a_model_of_parts_that_do_not_fit_is_refused():
    dense = sv.Dense(D, 1, rng=rng(), dtype=np.float64)
    with pytest.raises(TypeError, match="^network: want a Network"):
        sv.Model(np.float64, network=dense)
    with pytest.raises(ValueError, match="^dtype: want that of the networks, float64, got float32"):
        sv.Model(np.float32, network=sv.Network([dense]))


class MyVAE(sv.VAE):
    """With an argument more, which the inherited `config` does not know."""

    def __init__(self, *arguments, gamma=2.0, **named):
        super().__init__(*arguments, **named)
        self.gamma = gamma


class WholeVAE(MyVAE):
    def config(self):
        return {**super().config(), "gamma": self.gamma}


class Small(sv.VAE):
    """Without the arguments that the inherited `config` gives."""

    def __init__(self, *, rng):
        super().__init__(D, (), 2, rng=rng)


def test_a_subclass_of_ours_is_saved_whole_or_refused(tmp_path):
    with pytest.raises(TypeError, match="MyVAE: its `config` and its constructor's arguments do not both have gamma"):
        sv.save(MyVAE(D, gamma=5.0, rng=rng()), tmp_path / "model.npz")
    with pytest.raises(TypeError, match="Small: .* n_features"):
        sv.save(Small(rng=rng()), tmp_path / "model.npz")
    sv.save(WholeVAE(D, gamma=5.0, rng=rng()), tmp_path / "model.npz")
    loaded = sv.load(tmp_path / "model.npz")
    assert type(loaded) is WholeVAE and loaded.gamma == 5.0


@sv.saveable
class Table:
    """No model at all, decorated."""

    def __init__(self, n):
        self.n, self.values = n, np.zeros(n)

    def config(self):
        return {"n": self.n}

    def arrays(self):
        return {"values": self.values, "file": np.arange(2)}  # a name that numpy.savez would not take

    def load_arrays(self, arrays):
        self.values = arrays["values"]

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def test_a_decorated_class_is_saved_and_loaded(tmp_path):
    table = Table(3)
    table.values += [1, 2, 3]
    sv.save(table, tmp_path / "table.npz")
    np.testing.assert_array_equal(sv.load(tmp_path / "table.npz").values, [1, 2, 3])


def test_arrays_of_objects_and_a_second_header_are_refused(tmp_path):
    for arrays, error, words in (({"values": np.array([None])}, TypeError, "^values: .*never pickled objects"),
                                 ({"header": np.zeros(1)}, ValueError, "^arrays: .*'header'")):
        table = Table(3)
        table.arrays = lambda arrays=arrays: arrays
        with pytest.raises(error, match=words):
            sv.save(table, tmp_path / "table.npz")
    assert not list(tmp_path.iterdir())


# ---- one line each --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("thing, text", [
    (sv.Adam(0.01), "Adam(lr=0.01, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.0)"),
    (sv.Dense(3, 2, rng=rng()), "Dense(W (3, 2), b (2,))"), (sv.ReLU(), "ReLU()"),
    (sv.Network([sv.Dense(3, 2, rng=rng()), sv.Tanh()]), "Network(Dense(W (3, 2), b (2,)), Tanh())"),
    (sv.EarlyStopping(5), "EarlyStopping(patience=5, monitor='loss', direction='fall')"),
    (sv.KLWarmup(5), "KLWarmup(epochs=5)"), (sv.LearningRateDecay(), "LearningRateDecay(start=0.5)"),
    (sv.Progress("a"), "Progress(label='a', stream=None, interval=5.0)"), (sv.Callback(), "Callback()"),
    (Function(print), "Function(print)"), (sv.GaussianMixture(2), "GaussianMixture(n_components=2, floor=0.001, "
                                                                  "max_iter=200, tol=1e-05)"),
    (sv.History(), "History(0 epochs)"), (sv.Gaussian(0.5), "Gaussian(variance=0.5, floor=0.001)"),
    (Laplace(0.5), "Laplace(scale=0.5)"), (sv.PCA(2), "PCA(n_components=2, whiten=False, solver='svd')")])
def test_what_things_are_in_one_line(thing, text):
    assert repr(thing) == text


@pytest.mark.parametrize("model, words", [
    (lambda: vae(), ["VAE(n_features=5, hidden=(6,), n_latent=2", "Laplace(scale=0.5)", "beta=1.0", "float64",
                     f"{vae().theta.size} parameters)"]),
    (lambda: sv.IWAE(D, rng=rng()), ["IWAE(", "n_samples=5", "Bernoulli()"]),
    (lambda: sv.MADE(784, n_orders=8, rng=rng()), ["MADE(n_features=784, hidden=(500,)", "5702532 parameters)"]),
    (lambda: sv.FVBN(D, rng=rng()), ["FVBN(n_features=5"]), (lambda: sv.Classifier(D, rng=rng()), ["n_classes=10"]),
    (lambda: Regression(D, rng=rng()), ["Regression(n_features=5, hidden=4", "33 parameters)"])])
def test_what_a_model_is_in_one_line(model, words):
    text = repr(model())
    assert all(word in text for word in words) and "\n" not in text and len(text) < 250, text


def test_what_a_history_is_in_one_line():
    history = sv.fit(vae(), reals(), epochs=3, rng=rng(), valid=reals())
    assert repr(history) == ("History(3 epochs; train loss, elbo, reconstruction, kl; "
                             "valid loss, elbo, reconstruction, kl)")


# ---- CONTRIBUTING.md ------------------------------------------------------------------------------------------------

def contributed():
    """What the page's blocks define, as a stranger would who copies them."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    names = {"np": np, "sv": sv, "namedtuple": namedtuple, "__name__": "elsewhere"}
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        exec(block, names)
    return names


def test_the_page_on_contributing_works(tmp_path):
    made = contributed()  # with the page's own gradient check of its layer
    x, y = reals(40, 4), reals(40, 4, 1)[:, 0]
    model = sv.VAE(4, hidden=(6,), n_latent=2, observation=made["Laplace"](), activation=made["LeakyReLU"], rng=rng(),
                   dtype=np.float64)
    eps = reals(40, 2, 2)
    model.loss_and_grad(x, eps=eps)
    sv.check_gradient(lambda _: model.loss_and_grad(x, eps=eps).loss, model.theta, model.grad.copy(),
                      model.named_parameters())
    losses = sv.fit(model, x, epochs=30, optimizer=sv.Adam(1e-2), rng=rng()).train["loss"]
    assert losses[-1] < losses[0]
    sv.save(model, tmp_path / "vae.npz")
    np.testing.assert_array_equal(sv.load(tmp_path / "vae.npz").decode(eps), model.decode(eps))
    # integrates to one: the density of one x over a wide grid
    grid = np.linspace(-30, 30, 60_001)[:, None]
    assert np.exp(made["Laplace"]().log_prob(grid, np.full_like(grid, 0.3))).sum() * 1e-3 == pytest.approx(1, abs=1e-5)

    model = made["Regression"](4, rng=rng())
    model.forward_backward(x, y)
    sv.check_gradient(lambda _: model.forward_backward(x, y).loss, model.theta, model.grad.copy(), model.named_parameters())
    history = sv.fit(model, x, y, epochs=500, optimizer=sv.Adam(1e-2), rng=rng(), callbacks=[made["Stop"](0.5)])
    assert len(history.train["loss"]) < 500 and history.train["loss"][-1] < 0.5 <= history.train["loss"][-2]
    sv.save(model, tmp_path / "regression.npz")
    np.testing.assert_array_equal(sv.load(tmp_path / "regression.npz").theta, model.theta)


def test_the_page_on_contributing_names_what_is_there():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    for path in re.findall(r"`((?:scratchvae|tests|demos|nn|probability)/[\w/.]*)`", page):
        assert "NAME" in path or (ROOT / path).exists() or (ROOT / "scratchvae" / path).exists(), path
    edit = re.search(r'\("(nn\.\w+):(\w+)\.(\w+)", "(.*?)", ', page)
    source = inspect.getsource(getattr(getattr(importlib.import_module(f"scratchvae.{edit[1]}"), edit[2]), edit[3]))
    assert source.count(edit[4]) == 1
