"""Is p(x) a distribution, does no pixel see its future, and is backward the derivative? FVBN and MADE, in two levels and
in more."""
import copy
import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.models import autoregressive, fvbn, made, masked
from scratchvae.nn import checkpoint, network
from strategies import normals, rng, seeds, shake

D = 6


def binary(n, n_features, seed=0):
    """Correlated bits (n, D): neighbours agree more often than not, so that there is something to learn."""
    flips = rng((seed, n)).random((n, n_features)) < 0.25
    return (np.cumsum(flips, axis=1) % 2).astype(float)


def everything(n_features, n_levels=2):
    """All L^D inputs, in the order of their digits."""
    return np.array(list(product(np.arange(n_levels) / (n_levels - 1), repeat=n_features)))


def grey(n, n_features, seed=0):
    """Correlated pixels (n, D) of four levels: each the mean of two bits, and of the one before."""
    x, r = np.zeros((n, n_features)), rng((seed, n))
    for j in range(n_features):
        x[:, j] = np.clip(x[:, j - 1] + r.integers(-1, 2, n) / 3 + (r.random(n) < 0.1), 0, 1)
    return np.rint(3 * x) / 3


def data(kind, n, n_features, seed=0):
    """What a model of this kind takes."""
    return (grey if kind in GREY else binary)(n, n_features, seed)


def build(kind, seed=0, n_features=D, dtype=np.float64, moved=True):
    """A model off its special values: order(s) not the raster, biases not zero."""
    r = rng((seed, n_features))
    order = r.permutation(n_features)
    several = np.stack([r.permutation(n_features) for _ in range(3)])
    model = {
        "FVBN": lambda: fvbn.FVBN(n_features, l2=0.03, order=order, rng=r, dtype=dtype),
        "MADE": lambda: made.MADE(n_features, (11,), order=order, rng=r, dtype=dtype),
        "narrow": lambda: made.MADE(n_features, (3,), activation="tanh", rng=r, dtype=dtype),
        "deep": lambda: made.MADE(n_features, (9, 7), activation="tanh", l2=0.02, order=order, rng=r, dtype=dtype),
        "indirect": lambda: made.MADE(n_features, (13, 12), direct=False, order=order, rng=r, dtype=dtype),
        "orders": lambda: made.MADE(n_features, (10,), 3, activation="sigmoid", gain=0.7, l2=0.05, order=several, rng=r, dtype=dtype),
        "deep orders": lambda: made.MADE(n_features, (8, 13), 3, rng=r, dtype=dtype),
        "grey FVBN": lambda: fvbn.FVBN(n_features, l2=0.03, order=order, observation=LEVELS(), rng=r, dtype=dtype),
        "grey MADE": lambda: made.MADE(n_features, (9, 7), activation="tanh", l2=0.02, order=order,
                                       observation=LEVELS(), rng=r, dtype=dtype),
        "grey orders": lambda: made.MADE(n_features, (10,), 3, order=several, observation=LEVELS(), rng=r, dtype=dtype),
        "one scale": lambda: made.MADE(n_features, (11,), order=order, observation=LEVELS(scale="shared"), rng=r,
                                       dtype=dtype),
        "fixed scale": lambda: made.MADE(n_features, (11,), 2, direct=False, observation=LEVELS(scale=0.3), rng=r,
                                         dtype=dtype),
    }[kind]()
    return shake(model_as_part(model), seed, 1.5).model if moved else model


def masked_layers(model, k=0):
    """All layers of order k that have a mask, with the networks' names."""
    return [layer for network in model.by_order[k] for layer in network.layers if hasattr(layer, "mask")]


class model_as_part:
    """What `shake` wants of a part."""

    def __init__(self, model):
        self.model, self.theta, self.n_parameters = model, model.theta, model.theta.size


LEVELS = lambda **how: sv.DiscretizedLogistic(4, uniform=0.01, **how)
BINARY = ("FVBN", "MADE", "narrow", "deep", "indirect", "orders", "deep orders")
GREY = ("grey FVBN", "grey MADE", "grey orders", "one scale", "fixed scale")
KINDS = BINARY + GREY
binary_kinds, kinds = st.sampled_from(BINARY), st.sampled_from(KINDS)


def trained(kind, n_features=D):
    model = build(kind, n_features=n_features, moved=False)
    sv.fit(model, data(kind, 90, n_features), epochs=8, batch_size=30, optimizer=sv.Adam(0.02), rng=rng(1))
    return model


# ---- a distribution -------------------------------------------------------------------------------------------------

def all_of(model):
    """All that x can be."""
    return everything(model.n_features, getattr(model.observation, "n_levels", 2))


def check_sums_to_one(model):
    assert abs(np.exp(model.log_prob(all_of(model))).sum() - 1) < 1e-10


@settings(max_examples=25, deadline=None)
@given(kinds, seeds, st.integers(1, 8))
def test_probabilities_sum_to_one_untrained(kind, seed, n_features):
    check_sums_to_one(build(kind, seed, 1 + n_features % 5 if kind in GREY else n_features))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_features", [7, 12])
def test_probabilities_sum_to_one_trained(kind, n_features):
    check_sums_to_one(trained(kind, n_features // 2 if kind in GREY else n_features))


def check_conditionals(model):
    """Each p(x_j given the pixels before j), by params, is what the table of p(x) over all x says: summed, divided."""
    X, D = all_of(model), model.n_features
    table, order = np.exp(model.log_prob(X)), model.orders[0]
    params = model.params(X)[:, model.observation.columns(D)]
    for t, j in enumerate(order):
        alike = [(X[:, None, before] == X[:, before]).all(axis=2) for before in (order[:t], order[:t + 1])]
        less, more = (each @ table for each in alike)        # p(the pixels before), p(those and j)
        np.testing.assert_allclose(np.exp(model.observation.log_prob(X[:, [j]], params[:, j])), more / less, rtol=1e-9)


@pytest.mark.parametrize("kind", ["MADE", "grey FVBN", "grey MADE", "one scale"])
def test_conditionals_are_those_of_the_table(kind):
    check_conditionals(build(kind, n_features=3))


def test_averaged_logits_would_not_be_a_distribution():
    model, X = build("orders", seed=1), everything(D)
    logits = np.mean([model.logits(X, k) for k in range(3)], axis=0)
    assert abs(np.exp(sv.Bernoulli().log_prob(X, logits)).sum() - 1) > 1e-3


def check_probability_is_the_average(model, X):
    """p(x) = 1/K sum_k prod_j p_k(x_j given the pixels before j), with each conditional written out."""
    by_order, columns = [], model.observation.columns(model.n_features)
    for k in range(len(model.orders)):
        params = model.params(X, k)
        p = [1 / (1 + np.exp((1 - 2 * x) * a)) for x, a in zip(X.T, params.T)] if isinstance(model.observation, sv.Bernoulli) else [
            np.exp(model.observation.log_prob(X[:, [j]], params[:, columns[j]])) for j in range(model.n_features)]
        by_order.append(np.prod(p, axis=0))
    np.testing.assert_allclose(np.exp(model.log_prob(X)), np.mean(by_order, axis=0), rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(kinds, seeds)
def test_probability_is_the_average_over_orders(kind, seed):
    check_probability_is_the_average(build(kind, seed), data(kind, 9, D, seed))


@pytest.mark.parametrize("kind", BINARY)
def test_zero_parameters_are_fair_coins(kind):
    model = build(kind)
    model.theta[:] = 0
    np.testing.assert_allclose(model.log_prob(binary(5, D)), -D * np.log(2), rtol=1e-14)


def test_fvbn_is_one_logistic_regression_a_pixel():
    model, X = build("FVBN"), binary(8, D)
    W, b = model.layer.W, model.layer.b
    for t, j in enumerate(model.orders[0]):
        before = model.orders[0][:t]
        np.testing.assert_allclose(model.logits(X)[:, j], X[:, before] @ W[before, j] + b[j], rtol=1e-12, atol=1e-14)


def test_fvbn_finds_the_truth_of_a_markov_chain():
    # x_j copies x_(j-1) with probability 3/4: then a_j = log 3 (2 x_(j-1) - 1), and nothing else counts
    X = binary(40_000, 4, seed=5)
    model = sv.FVBN(4, rng=rng(), dtype=np.float64)
    sv.fit(model, X, epochs=40, batch_size=2000, optimizer=sv.Adam(0.1), rng=rng(1), callbacks=[sv.LearningRateDecay()])
    W = model.layer.W * model.layer.mask
    expected = np.diag([2 * np.log(3)] * 3, k=1)
    np.testing.assert_allclose(W, expected, atol=0.12)          # standard errors are near 0.025
    np.testing.assert_allclose(model.layer.b[1:], -np.log(3), atol=0.1)


# ---- the order ------------------------------------------------------------------------------------------------------

def check_sees_only_the_past(model, X, k):
    """Changing pixel j changes no param of a pixel at or before j in the order, not by one bit."""
    position, own = autoregressive.positions(model.orders[k]), model.observation.columns(model.n_features)
    params = model.params(X, k)
    for j in range(model.n_features):
        changed = X.copy()
        changed[:, j] = 1 - changed[:, j]
        deaf = own[position <= position[j]]
        np.testing.assert_array_equal(model.params(changed, k)[:, deaf], params[:, deaf])


def check_jacobian(model, X, k):
    """d param / d x_j for those of pixel i, by the backward pass: exactly 0 unless j comes before i."""
    position, own = autoregressive.positions(model.orders[k]), model.observation.columns(model.n_features)
    params, caches = model.forward(X, k)
    for i in range(model.n_features):
        for c in own[i]:
            dparams = np.zeros_like(params)
            dparams[:, c] = normals(i, len(X))
            dx = model.backward(dparams, caches, k)
            assert not dx[:, position >= position[i]].any()


@settings(max_examples=30, deadline=None)
@given(kinds, seeds, st.integers(1, 9), st.integers(0, 2), st.sampled_from([1.0, 1e6]))
def test_no_pixel_sees_itself_or_its_future(kind, seed, n_features, k, scale):
    model, X = build(kind, seed, n_features), data(kind, 4, n_features, seed)
    model.theta *= scale  # no value of theta can break the order
    k %= len(model.orders)
    check_sees_only_the_past(model, X, k)
    check_jacobian(model, X, k)


@pytest.mark.parametrize("kind", KINDS)
def test_every_pixel_can_see_all_its_past(kind):
    """The masks forbid what they must, no more: paths from every earlier pixel, directly and through hidden layers (of
    which the narrow one has too few units)."""
    model = build(kind)
    for k, networks in enumerate(model.by_order):
        position = autoregressive.positions(model.orders[k])
        may_see = position[:, None] < position
        for network in networks:
            paths = np.linalg.multi_dot([np.eye(D), *(layer.mask for layer in network.layers if hasattr(layer, "mask"))])
            through_few = kind == "narrow" and network is networks[0]
            own = model.observation.columns(D)
            for column in own.T[:model.observation.n_params(1) - model.observation.n_shared]:
                seen = paths[:, column] > 0
                assert (seen == may_see).all() if not through_few else not seen[~may_see].any()
            assert not model.observation.n_shared or not paths[:, -1].any()


def test_degrees_come_in_equal_shares():
    for n_units, n_features in ((7, 8), (14, 8), (500, 64), (3, 8), (5, 2)):
        degrees = made.hidden_degrees(n_units, n_features)
        assert len(degrees) == n_units and degrees.min() >= 1 and degrees.max() == n_features - 1
        counts = np.bincount(degrees, minlength=n_features)[1:]
        assert np.ptp(counts) <= 1 and (np.diff(degrees) >= 0).all()


def check_default_orders():
    """Drawn with the generator, all different; the raster of an FVBN, and of one order beside it with units enough."""
    for one in (fvbn.FVBN(9, rng=rng()), made.MADE(9, (8, 9), rng=rng())):
        assert one.orders.tolist() == [list(range(9))]
    for how in ({"direct": False}, {"n_orders": 5}, {"hidden": (9, 7)}):
        orders, again, other = (made.MADE(9, **{"hidden": (14,), **how}, rng=rng(seed)).orders for seed in (1, 1, 2))
        assert (np.sort(orders, axis=1) == np.arange(9)).all() and (orders != np.arange(9)).any(axis=1).all()
        assert len(np.unique(orders, axis=0)) == len(orders)
        assert (again == orders).all() and (other != orders).any(axis=1).all()


def test_default_orders():
    check_default_orders()


def check_hidden_start(activation):
    """As the same layers without masks: for a ReLU with its weights, for tanh with its own; but for one order beside
    direct connections the last hidden layer's weights start at N / 50,000 of that, once."""
    free = network.mlp(40, (160, 90), 40, activation=activation, rng=rng(1), dtype=np.float64)
    for last, how in ((0.01, {}), (1, {"n_orders": 2}), (1, {"direct": False})):
        model = made.MADE(40, (160, 90), activation=activation, rng=rng(0), dtype=np.float64, **how)
        for _ in range(2):  # the second time it is trained, for all that it knows
            model.start(binary(500, 40))
        for i, scale in ((0, 1), (2, last)):
            np.testing.assert_allclose(model.network.layers[i].W.std(), scale * free.layers[i].W.std(), rtol=0.05)
            assert model.network.layers[i].b.any() == free.layers[i].b.any()


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_hidden_start(activation):
    check_hidden_start(activation)


# ---- the gradient ---------------------------------------------------------------------------------------------------

def check_gradients(model, X):
    """Every tensor, in every order; the loss is a fixed function of theta. ReLUs must not switch on the way."""
    for k in range(len(model.orders)):
        model.loss_and_grad(X, order=k)
        sv.check_gradient(lambda _: model.loss_and_grad(X, order=k).loss, model.theta, model.grad,
                          model.named_parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [0, 3])
def test_gradient(kind, steps):
    model = build(kind, seed=3)
    sv.fit(model, data(kind, 20, D), epochs=steps, batch_size=10, rng=rng(2))
    check_gradients(model, data(kind, 5, D, seed=7))


def check_layer_gradient(seed=0):
    """The masked layer alone, under a random cotangent: dW, db by theta, dx by x."""
    layer = shake(masked.MaskedDense(rng(seed).random((5, 4)) < 0.5, rng=rng(seed), dtype=np.float64), seed)
    x, dy = normals(seed, 3, 5), normals(seed + 1, 3, 4)
    y, cache = layer.forward(x)
    dx = layer.backward(dy, cache)
    grad = layer.grad.copy()
    sv.check_gradient(lambda _: float(np.sum(dy * layer.forward(x)[0])), layer.theta, grad, layer.named_parameters())
    flat = x.ravel()
    sv.check_gradient(lambda v: float(np.sum(dy * layer.forward(v.reshape(3, 5))[0])), flat, dx.ravel())
    assert layer.backward(dy, cache, need_dx=False) is None
    np.testing.assert_array_equal(layer.grad, grad)  # overwritten, not added up


@pytest.mark.parametrize("seed", range(4))
def test_masked_layer_gradient(seed):
    check_layer_gradient(seed)


def check_masked_gradient_is_zero(model, X):
    """Masked entries get exactly zero gradient, and theta there changes no probability."""
    for k in range(len(model.orders)):
        model.loss_and_grad(X, order=k)
        for layer in masked_layers(model, k):
            assert not layer.dW[layer.mask == 0].any() and layer.dW[layer.mask > 0].any()
    if len(model.by_order) == 1:
        before = model.log_prob(X)
        for layer in masked_layers(model):
            layer.W[layer.mask == 0] = 1e9
        np.testing.assert_array_equal(model.log_prob(X), before)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_entries_get_exactly_zero_gradient(kind):
    check_masked_gradient_is_zero(build(kind, seed=1), data(kind, 40, D))


def test_penalty_is_in_the_loss_and_spares_biases():
    model, X = build("FVBN"), binary(6, D)
    terms, W = model.loss_and_grad(X), model.layer.W * model.layer.mask
    assert terms.loss == pytest.approx(-terms.log_prob + 0.03 * np.sum(W**2), rel=1e-14)
    assert tuple(model.evaluate(*model.accept(X))) == pytest.approx(tuple(terms), rel=1e-13)
    unpenalised = build("FVBN")
    unpenalised.l2 = 0.0
    unpenalised.loss_and_grad(X)
    np.testing.assert_array_equal(unpenalised.layer.db, model.layer.db)
    np.testing.assert_allclose(model.layer.dW - unpenalised.layer.dW, 2 * 0.03 * W, rtol=1e-10, atol=1e-14)


def check_penalty(model, X):
    """Written out weight by weight: what the order lets pass, of hidden layers alone; and only in training."""
    free = made.MADE.from_config({**model.config(), "l2": 0.0})
    free.theta[:] = model.theta
    for k, (network, *_) in enumerate(model.by_order):
        want = sum(model.penalty * layer.W[i, j] ** 2 for layer in network.layers if hasattr(layer, "mask")
                   for i, j in zip(*np.nonzero(layer.mask)))
        want += sum(model.penalty * b**2 for layer in network.layers[:-1:2] for b in layer.b)
        terms, without = model.loss_and_grad(X, order=k), free.loss_and_grad(X, order=k)
        assert want > 0 and terms.loss - without.loss == pytest.approx(want, rel=1e-9)
        assert terms.log_prob == without.log_prob == -without.loss
        changed = {name for name, part in gradients(model).items() if (part != gradients(free)[name]).any()}
        *hidden, last = (name for name in model.named_parameters() if name.startswith("network"))
        assert changed == {name for name, part in zip(hidden, (model.named_parameters()[name] for name in hidden))
                           if part.any()}
    assert model.evaluate(X).loss == free.evaluate(X).loss == -model.log_prob(X).mean()


def gradients(model):
    """Tensor name -> its part of `grad`."""
    sizes = np.cumsum([view.size for view in model.named_parameters().values()])
    return dict(zip(model.named_parameters(), np.split(model.grad, sizes[:-1])))


@pytest.mark.parametrize("kind", ["MADE", "deep", "indirect", "orders", "grey MADE", "one scale"])
def test_penalty_of_hidden_layers(kind):
    model, X = build(kind), data(kind, 6, D)
    model.start(X)
    check_penalty(model, X)


def check_default_penalty(n=30):
    """5 v / N^(3/2), written out; the loss has it times each weight that is heard, squared. Several orders have 2e-4."""
    for N in (n, 4 * n):
        X = binary(N, D)
        v = sum(share * (1 - share) for share in X.mean(axis=0))
        model = made.MADE(D, (8,), rng=rng(), dtype=np.float64)
        model.start(X)
        terms = model.loss_and_grad(X)
        heard = np.concatenate([layer.W[layer.mask > 0] for layer in model.network.layers[::2]]
                               + [model.network.layers[0].b])
        assert terms.loss + terms.log_prob == pytest.approx(5 * v / (N * N**0.5) * heard @ heard, rel=1e-9)
        several = made.MADE(D, (8,), 2, rng=rng())
        several.start(X)
        assert several.penalty == 2e-4


def test_default_penalty():
    check_default_penalty()


def test_the_penalty_lasts_over_a_file_and_a_resumed_run(tmp_path):
    X = binary(30, D)
    def trained(epochs, path=None):
        model = made.MADE(D, (8,), rng=rng(1))
        sv.fit(model, X, epochs=epochs, batch_size=10, rng=rng(2), checkpoint=path)
        return model
    trained(2, tmp_path / "run.npz")
    whole, resumed = trained(4), trained(4, tmp_path / "run.npz")
    penalty = pytest.approx(5 * X.var(axis=0, dtype=np.float64).sum() / 30**1.5, rel=1e-12)
    assert resumed.penalty == whole.penalty == penalty and resumed.theta.tobytes() == whole.theta.tobytes()
    sv.save(whole, tmp_path / "made.npz")
    assert sv.load(tmp_path / "made.npz").penalty == penalty


@pytest.mark.parametrize("hidden", [(1,), (2,), (3,), (9, 3), (4,)])
def test_few_hidden_units_are_saved_and_loaded(hidden, tmp_path):
    model = made.MADE(D, hidden, rng=rng())
    assert model.gain == min(1, 4 / np.sqrt(hidden[-1]))
    sv.save(model, tmp_path / "made.npz")
    np.testing.assert_array_equal(sv.load(tmp_path / "made.npz").theta, model.theta)


def check_gain(n_units=40):
    """a = b + gain h (V * mask) + x (A * mask), written out; 4 / sqrt(H) beside direct connections, else 1."""
    model = shake(model_as_part(made.MADE(D, (n_units,), rng=rng(), dtype=np.float64)), 1).model
    first, activation, last = model.network.layers
    X, gain = binary(5, D), 4 / np.sqrt(n_units)
    h = activation.forward(first.forward(X)[0])[0]
    f = gain * h @ (last.W * made.degree_masks(model.orders[0], (n_units,))[-1])
    np.testing.assert_allclose(model.logits(X), last.b + f + X @ (model.direct_0.layers[0].W * fvbn.order_mask(model.orders[0])),
                               rtol=1e-12)
    assert model.gain == gain and made.MADE(D, (n_units,), gain=0.3, rng=rng()).gain == 0.3
    for how in ({"direct": False}, {"n_orders": 2}):
        assert made.MADE(D, (n_units,), rng=rng(), **how).gain == 1


def test_gain():
    check_gain()


def test_a_file_without_gain_and_penalty_is_a_model_without():
    old = {name: value for name, value in build("MADE").config().items() if name not in ("gain", "l2")}
    model = made.MADE.from_config(old)
    assert (model.gain, model.l2) == (1, 0)
    model.start(binary(6, D))
    model.load_arrays({"theta": model.theta})  # as such a file has it
    assert model.penalty == 0


def test_hidden_layers_do_not_learn_few_rows_by_heart():
    """Where logistic regressions are the truth hidden layers can only do harm; gain and penalty halve it."""
    r = rng(5)
    W, X = np.triu(r.normal(0, 0.5, (40, 40)), 1), np.zeros((1300, 40))
    for j in range(40):
        X[:, j] = r.random(len(X)) < 1 / (1 + np.exp(0.5 - X @ W[:, j]))
    log_p = []
    for how in ({}, {"gain": 1.0, "l2": 0.0}):
        model = sv.MADE(40, (200,), rng=rng(1), **how)
        sv.fit(model, X[:300], epochs=400, batch_size=100, optimizer=sv.Adam(1e-3), rng=rng(2), valid=X[300:500],
               callbacks=[sv.EarlyStopping(10)])
        log_p.append(model.log_prob(X[500:]))
    difference = log_p[0] - log_p[1]
    assert difference.mean() > 3 * difference.std() / np.sqrt(len(difference))


def test_several_orders_train_one_theta():
    model = build("orders")
    assert all(np.shares_memory(network.theta, model.theta) for networks in model.by_order for network in networks)
    before = model.log_prob(binary(5, D))
    model.network.layers[-1].b += 1
    assert (model.log_prob(binary(5, D)) != before).all()
    X = binary(5, D)
    losses = {model.loss_and_grad(X, order=k).loss for k in range(3)}
    drawn = {model.loss_and_grad(X, rng=r).loss for r in [rng(4)] for _ in range(40)}
    assert drawn == losses and len(losses) == 3
    # Jensen: the average loss is never below -log of the average
    assert np.mean(list(losses)) >= model.evaluate(X).loss


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_rows_change_nothing(kind, monkeypatch):
    model, X = build(kind), data(kind, 30, D)
    want, terms = model.log_prob(X), model.evaluate(X, rng=rng(1))
    monkeypatch.setattr(autoregressive, "row_blocks", lambda x, width: (slice(i, i + 4) for i in range(0, len(x), 4)))
    np.testing.assert_allclose(model.log_prob(X), want, rtol=1e-12)
    assert tuple(model.evaluate(X, rng=rng(1))) == pytest.approx(tuple(terms), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_training_helps_and_evaluate_is_log_prob(kind):
    X = data(kind, 200, D)
    before, after = build(kind, moved=False).log_prob(X).mean(), trained(kind).log_prob(X).mean()
    assert after > before + 0.05
    model = trained(kind)
    assert model.evaluate(X).log_prob == pytest.approx(model.log_prob(X).mean(), rel=1e-14)


# ---- sampling -------------------------------------------------------------------------------------------------------

def check_frequencies(x, p, n_sigma=5):
    """How often each of all inputs was drawn, against its probability (L^D,); Monte Carlo error only."""
    L = round(len(p) ** (1 / x.shape[1]))
    counts = np.bincount(np.rint((L - 1) * x @ L ** np.arange(x.shape[1])[::-1]).astype(int), minlength=len(p))
    error = np.sqrt(len(x) * p * (1 - p)) + 1
    assert (np.abs(counts - len(x) * p) < n_sigma * error).all()


def check_samples(model, n=20_000):
    check_frequencies(model.sample(n, rng=rng(8)), np.exp(model.log_prob(all_of(model))))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_models_probabilities(kind):
    check_samples(build(kind, seed=2, n_features=4))


def recording(observation):
    """The observation model, which notes in `drawn` the params (N, n_params(1)) by which it draws."""
    noted, sample = copy.copy(observation), observation.sample
    noted.drawn = []
    noted.sample = lambda params, rng: noted.drawn.append(params) or sample(params, rng)
    return noted


def check_passes(kind, n=1000):
    """D draws for a batch, whatever n; with K orders D for the rows of each, so D n pixels in all."""
    model = build(kind)
    model.observation = recording(model.observation)
    model.sample(n, rng=rng())
    shapes = [params.shape for params in model.observation.drawn]
    assert len(shapes) == len(model.orders) * model.n_features
    assert sum(rows for rows, _ in shapes) == n * model.n_features
    assert {columns for _, columns in shapes} == {model.observation.n_params(1)}  # one pixel at a time


def check_drawing_keeps_up(model):
    """The params by which pixels are drawn, updated by one pixel after another, are those of the finished x."""
    x, some = binary(40, model.n_features), normals(1, 40, model.n_features) > 0
    columns, observation = model.observation.columns(model.n_features), model.observation
    for known in (np.zeros_like(some), some):
        for k, order in enumerate(model.orders):
            model.observation, drawn = recording(observation), x * known
            model._draw(drawn, known, k, rng(2))
            assert (drawn != x * known).any() and (drawn == x)[known].all()
            np.testing.assert_allclose(np.stack(model.observation.drawn, axis=1),
                                       model.params(drawn, k)[:, columns[order]], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_drawing_keeps_up(kind):
    check_drawing_keeps_up(build(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_sampling_takes_as_many_passes_as_pixels(kind):
    check_passes(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_samples(kind):
    model = build(kind, dtype=np.float32)
    x = model.sample(20, rng=rng(5))
    assert x.dtype == np.float32 and np.isin(x, all_of(model).astype(np.float32)).all()
    np.testing.assert_array_equal(x, model.sample(20, rng=rng(5)))
    assert (x != model.sample(20, rng=rng(6))).any()


def posterior(model, x, known):
    """p(all pixels given those known to be x's) : (L^D,), by Bayes' rule over all inputs."""
    X = all_of(model)
    p = np.exp(model.log_prob(X)) * (X[:, known] == x[known]).all(axis=1)
    return p / p.sum()


def check_completion(model, known, n_draws=1, n_sigma=5):
    x = binary(1, model.n_features, seed=9)[0]  # black and white are levels, too
    X = np.broadcast_to(x, (6000, model.n_features))
    completed = model.complete(X, known, n_draws=n_draws, rng=rng(3))
    assert (completed[:, known] == x[known]).all()
    check_frequencies(completed, posterior(model, x, known), n_sigma)


@pytest.mark.parametrize("kind", ["FVBN", "deep", "deep orders", "grey FVBN", "grey MADE", "one scale"])
def test_completion_is_exact_where_the_known_come_first(kind):
    model = build(kind, seed=4, n_features=4)
    if kind == "deep orders":  # three orders that all begin with pixels 1 and 3
        model = shake(model_as_part(made.MADE(4, (12,), 3, order=[[1, 3, 0, 2], [3, 1, 2, 0], [1, 3, 2, 0]],
                                              rng=rng(1), dtype=np.float64)), 4, 1.5).model
        known = np.array([False, True, False, True])
    else:
        known = np.isin(np.arange(4), model.orders[0][:2])
    check_completion(model, known)


def check_completion_from_behind(n_draws=150, kind="FVBN"):
    """The known pixels come last: only the weights of many proposals let the drawn ones listen to them."""
    model = build(kind, seed=4, n_features=4)
    check_completion(model, np.isin(np.arange(4), model.orders[0][2:]), n_draws, n_sigma=6)


@pytest.mark.parametrize("kind", ["FVBN", "grey FVBN"])
def test_completion_with_the_known_last_needs_more_draws(kind):
    with pytest.raises(AssertionError):
        check_completion_from_behind(1, kind)
    check_completion_from_behind(kind=kind)


def check_completion_of_rows_that_know_different_pixels(n=3000, n_draws=60):
    """Each row keeps the pixels that it knows itself, and is weighed by them alone."""
    model = build("FVBN", seed=4, n_features=4)
    x, order = binary(1, 4, seed=9)[0], model.orders[0]
    masks = [np.isin(np.arange(4), pixels) for pixels in (order[:2], order[2:], order[[0, 3]], [])]
    known = np.tile(masks, (n, 1))
    completed = model.complete(np.tile(x, (len(known), 1)), known, n_draws=n_draws, rng=rng(3))
    for i, mask in enumerate(masks):
        assert (completed[i::4][:, mask] == x[mask]).all()
        check_frequencies(completed[i::4], posterior(model, x, mask), n_sigma=6)


def test_completion_of_rows_that_know_different_pixels():
    check_completion_of_rows_that_know_different_pixels()


def test_completion_ignores_what_is_unknown_and_keeps_its_input():
    model, known = build("orders"), np.arange(D) < 3
    X = binary(5, D)
    damaged = np.where(known, X, np.nan)
    kept = damaged.copy()
    np.testing.assert_array_equal(model.complete(damaged, known, rng=rng(1)), model.complete(X, known, rng=rng(1)))
    np.testing.assert_array_equal(damaged, kept)
    each = np.broadcast_to(known, X.shape)
    np.testing.assert_array_equal(model.complete(X, each, rng=rng(1)), model.complete(X, known, rng=rng(1)))
    np.testing.assert_array_equal(model.complete(X, np.ones(D, bool), rng=rng(1)), X)


# ---- the doors ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bad", [np.full((2, D), 0.5), np.full((2, D), np.nan), np.zeros((2, D + 1)), np.zeros(D),
                                 np.zeros((0, D)), np.full((2, D), 2)])
def test_data_outside_the_support_is_refused(kind, bad):
    model = build(kind)  # for which one half is no level
    for door in (model.log_prob, model.logits, model.loss_and_grad, lambda X: sv.fit(model, X, epochs=1, rng=rng()),
                 lambda X: model.complete(X, np.ones(D, bool), rng=rng())):
        with pytest.raises(ValueError, match="^X: "):
            door(bad)


@pytest.mark.parametrize("make, error, name", [
    (lambda: sv.FVBN(0, rng=rng()), ValueError, "n_features"),
    (lambda: sv.FVBN(3, l2=-1, rng=rng()), ValueError, "l2"),
    (lambda: sv.FVBN(3, order=[0, 1], rng=rng()), ValueError, "order"),
    (lambda: sv.FVBN(3, order=[0, 1, 1], rng=rng()), ValueError, "order"),
    (lambda: sv.FVBN(3, order=[1, 2, 3], rng=rng()), ValueError, "order"),
    (lambda: sv.FVBN(3, rng=0), TypeError, "rng"),
    (lambda: sv.FVBN(3, rng=rng(), dtype=np.int32), TypeError, "dtype"),
    (lambda: sv.MADE(3, (), rng=rng()), ValueError, "hidden"),
    (lambda: sv.MADE(3, (0,), rng=rng()), ValueError, "hidden"),
    (lambda: sv.MADE(3, (4,), 0, rng=rng()), ValueError, "n_orders"),
    (lambda: sv.MADE(3, (4,), 2, order=[0, 1, 2], rng=rng()), ValueError, "order"),
    (lambda: sv.MADE(3, (4,), activation="elu", rng=rng()), ValueError, "activation"),
    (lambda: build("FVBN").sample(0, rng=rng()), ValueError, "n"),
    (lambda: build("FVBN").sample(3, rng=None), TypeError, "rng"),
    (lambda: build("orders").loss_and_grad(binary(2, D)), TypeError, "rng"),
    (lambda: build("orders").loss_and_grad(binary(2, D), order=3), ValueError, "order"),
    (lambda: build("FVBN").logits(binary(2, D), 1), ValueError, "order"),
    (lambda: build("FVBN").complete(binary(2, D), np.ones(D), rng=rng()), ValueError, "known"),
    (lambda: build("FVBN").complete(binary(2, D), np.ones(D - 1, bool), rng=rng()), ValueError, "known"),
    (lambda: build("FVBN").complete(binary(2, D), np.ones(D, bool), n_draws=0, rng=rng()), ValueError, "n_draws"),
])
def test_bad_arguments_are_refused(make, error, name):
    with pytest.raises(error, match=f"^{name}: "):
        make()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saved_and_loaded_models_are_the_same(kind, dtype, tmp_path):
    model, X = build(kind, dtype=dtype), data(kind, 7, D)
    sv.save(model, tmp_path / "model.npz")
    again = sv.load(tmp_path / "model.npz")
    assert type(again) is type(model) and again.config() == model.config()
    assert again.log_prob(X).dtype == dtype
    np.testing.assert_array_equal(again.log_prob(X), model.log_prob(X))
    np.testing.assert_array_equal(again.sample(5, rng=rng(2)), model.sample(5, rng=rng(2)))


def test_a_file_from_before_direct_connections(tmp_path):
    """Its config does not name them: the model has none, whatever the default is now, and the same numbers."""
    model, X = build("indirect"), binary(7, D)
    config = {name: value for name, value in model.config().items() if name != "direct"}
    checkpoint.write_arrays(tmp_path / "old.npz", {"class": "MADE", "config": config}, model.arrays())
    again = sv.load(tmp_path / "old.npz")
    np.testing.assert_array_equal(again.log_prob(X), model.log_prob(X))


@pytest.mark.parametrize("hidden", [(D - 2,), (20, 3)])
def test_too_few_units_without_direct_connections_are_told(hidden):
    with pytest.warns(UserWarning, match=f"^hidden: .*want at least {D - 1} units"):
        made.MADE(D, hidden, direct=False, rng=rng())


def test_enough_units_or_direct_connections_are_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.MADE(D, (D - 1, 20), direct=False, rng=rng())
        made.MADE(D, (2,), rng=rng())


# ---- more than two levels -------------------------------------------------------------------------------------------

def best_logistic(shares, uniform):
    """m, t of the discretised logistic that has these three levels' probabilities: two numbers, two equations.

        sigmoid((1/4 - m) / s) = P_0, sigmoid((3/4 - m) / s) = P_0 + P_1, where shares = (1 - uniform) P + uniform / 3
    """
    P = (np.asarray(shares) - uniform / 3) / (1 - uniform)
    low, high = (np.log(p / (1 - p)) for p in (P[0], P[0] + P[1]))
    s = 0.5 / (high - low)
    return 0.25 - s * low, np.log(s - 1 / 60)


def check_best_logistic(build):
    """Pixels of three levels that are independent in the data, to the last one: training finds each one's shares."""
    shares = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    counts = np.rint(100 * np.outer(*shares)).astype(int).ravel()
    X = np.repeat(everything(2, 3), counts, axis=0)
    for D in (1, 2):
        model = build(D, observation=sv.DiscretizedLogistic(3, uniform=0.01), rng=rng(), dtype=np.float64)
        sv.fit(model, X[:, :D], epochs=1500, batch_size=100, optimizer=sv.Adam(0.02), rng=rng(1),
               callbacks=[sv.LearningRateDecay()])
        log_p = [np.log(shares[j])[np.rint(2 * X[:, j]).astype(int)] for j in range(D)]
        np.testing.assert_allclose(model.log_prob(X[:, :D]), np.sum(log_p, axis=0), atol=2e-3)
        want = np.transpose([best_logistic(shares[j], 0.01) for j in range(D)]).ravel()
        np.testing.assert_allclose(model.params(X[:, :D]), np.tile(want, (len(X), 1)), atol=5e-3)


@pytest.mark.parametrize("build", [fvbn.FVBN, lambda D, **how: made.MADE(D, (4,), l2=0.0, **how)])
def test_independent_pixels_in_closed_form(build):
    check_best_logistic(build)


def test_two_levels_of_one_scale_are_a_bernoulli():
    """sigmoid((1/2 - m) / 1) = p(x = 0): a Bernoulli of logit m - 1/2, with the same weights."""
    two = sv.DiscretizedLogistic(2, scale=1, uniform=1e-12)
    for kind in ("FVBN", "deep", "orders"):
        model = build(kind)
        again = type(model).from_config({**model.config(), "observation": ["DiscretizedLogistic", two.config()]})
        again.theta[:] = model.theta
        again.network.layers[-1].b += 0.5
        np.testing.assert_allclose(again.log_prob(everything(D)), model.log_prob(everything(D)), rtol=1e-9)


def test_gaussian_pixels_are_least_squares():
    """A density: each pixel's regression on those before it, by `lstsq`, is where the gradient is zero."""
    X, v = normals(3, 50, 4) @ normals(4, 4, 4), 0.7
    model = fvbn.FVBN(4, observation=sv.Gaussian(v), rng=rng(), dtype=np.float64)
    log_p = 0
    for j in range(4):
        with_one = np.column_stack([X[:, :j], np.ones(len(X))])
        fitted, *_ = np.linalg.lstsq(with_one, X[:, j])
        model.layer.W[:j, j], model.layer.b[j] = fitted[:-1], fitted[-1]
        log_p = log_p - 0.5 * ((X[:, j] - with_one @ fitted) ** 2 / v + np.log(2 * np.pi * v))
    model.loss_and_grad(X)
    assert np.abs(model.grad).max() < 1e-12
    np.testing.assert_allclose(model.log_prob(X), log_p, rtol=1e-12)


def check_start_of_levels(model, X):
    """Before training the pixels are independent, of their params at the start, also one that never varies."""
    model.start(X)
    params = model.observation.start(X.mean(axis=0), X.var(axis=0))[0]
    np.testing.assert_allclose(model.params(X), np.tile(params, (len(X), 1)), rtol=1e-6)
    np.testing.assert_allclose(model.log_prob(X), model.observation.log_prob(X, np.tile(params, (len(X), 1))), rtol=1e-6)


@pytest.mark.parametrize("kind", GREY)
def test_start_of_levels(kind):
    check_start_of_levels(build(kind, moved=False), grey(50, D))


@pytest.mark.parametrize("level", [0, 1 / 3, 1])
def test_a_pixel_that_never_varies(level):
    X = grey(300, D)
    X[:, 2] = level
    model = made.MADE(D, (20,), observation=LEVELS(), rng=rng())
    history = sv.fit(model, X, epochs=60, batch_size=30, optimizer=sv.Adam(1e-2), rng=rng(1))
    loss = history.train["loss"]
    assert np.isfinite(model.theta).all() and loss[-1] < loss[0] - 1
    own = model.params(X)[:, model.observation.columns(D)[2]]
    assert model.observation.log_prob(X[:, [2]], own).mean() > -0.02  # of which uniform = 0.01 takes 0.0075
    X[0, 2] = 1 / 3 if level != 1 / 3 else 1
    assert np.log(0.01 / 4) - 1e-4 < model.observation.log_prob(X[:1, [2]], own[:1])[0] < -2


def test_levels_resume_and_old_files(tmp_path):
    X = grey(30, D)

    def trained(epochs, path=None):
        model = made.MADE(D, (8,), 2, observation=LEVELS(), rng=rng(1))
        sv.fit(model, X, epochs=epochs, batch_size=10, rng=rng(2), checkpoint=path)
        return model
    trained(2, tmp_path / "run.npz")
    assert trained(4, tmp_path / "run.npz").theta.tobytes() == trained(4).theta.tobytes()
    for kind in ("FVBN", "MADE"):  # from before there was a choice
        model = build(kind)
        config = {name: value for name, value in model.config().items() if name != "observation"}
        checkpoint.write_arrays(tmp_path / "old.npz", {"class": type(model).__name__, "config": config}, model.arrays())
        again = sv.load(tmp_path / "old.npz")
        assert repr(again.observation) == repr(sv.Bernoulli())
        np.testing.assert_array_equal(again.log_prob(binary(7, D)), model.log_prob(binary(7, D)))


class Joint(sv.Observation):
    """Neighbours' product enters: features are not independent."""

    measure = "lebesgue"

    def value_and_grad(self, x, params):
        return -((x - params * np.roll(x, 1, axis=1)) ** 2).sum(axis=1), 0 * params

    def sample(self, params, rng):
        return rng.standard_normal(params.shape)


class Interleaved(sv.Gaussian):
    """m_1, s_1, m_2, s_2, ..., of which `columns` says nothing."""

    def __init__(self):
        super().__init__("diagonal")

    def value_and_grad(self, x, params, need_grad=True):
        return super().value_and_grad(x, np.concatenate([params[..., ::2], params[..., 1::2]], axis=-1), need_grad)


class Covariance(sv.Observation):
    """More params than features have of their own."""

    measure = "lebesgue"

    def n_params(self, n_features):
        return n_features + n_features * (n_features + 1) // 2

    def value_and_grad(self, x, params):
        return x[:, 0] * params[:, 0], 0 * params

    def sample(self, params, rng):
        return rng.standard_normal((len(params), 4))


@pytest.mark.parametrize("observation, error, message", [
    (sv.CrossEntropy(), ValueError, "want a distribution"), (sv.Categorical(), TypeError, "want an observation model"),
    ("logistic", TypeError, "want an observation model"), (Joint(), ValueError, "a sum over features"),
    (Interleaved(), ValueError, "a sum over features"), (Covariance(), ValueError, "a sum over features")])
@pytest.mark.parametrize("cls", [sv.FVBN, sv.MADE])
def test_what_is_no_distribution_of_single_pixels_is_refused(cls, observation, error, message):
    with pytest.raises(error, match=f"^observation: .*{message}"):
        cls(4, observation=observation, rng=rng())


def test_levels_off_the_grid_are_refused_by_name():
    model = build("grey MADE")
    with pytest.raises(ValueError, match="^X: DiscretizedLogistic wants one of 4 levels, k / 3, got 0.5"):
        sv.fit(model, np.full((9, D), 0.5), epochs=1, rng=rng())
    with pytest.raises(ValueError, match="^X: .*standardise"):
        sv.fit(sv.MADE(D, observation=sv.Gaussian(), rng=rng()), 100 + normals(0, 90, D), epochs=1, rng=rng())


# ---- MADE and FVBN --------------------------------------------------------------------------------------------------

def check_contains_the_fvbn(X):
    """With nothing in its hidden layers' last weights, a MADE is the FVBN of its direct connections, to the last bit."""
    fvbn_, made_ = build("FVBN"), None
    made_ = made.MADE(D, (7,), order=fvbn_.orders[0], rng=rng(), dtype=np.float64)
    made_.network.layers[-1].W[:], made_.network.layers[-1].b[:] = 0, fvbn_.layer.b
    made_.direct_0.layers[0].W[:] = fvbn_.layer.W
    np.testing.assert_allclose(made_.log_prob(X), fvbn_.log_prob(X), rtol=1e-13)


def test_a_made_contains_the_fvbn():
    check_contains_the_fvbn(binary(20, D))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_where_pairs_say_all_a_made_is_not_below_the_fvbn(seed):
    """40 columns, each a logistic regression on those before it, 300 rows: what hidden units could learn is noise."""
    W, X = np.triu(0.5 * normals(5 + seed, 40, 40), 1), np.zeros((2500, 40))
    for j, draw in enumerate(rng(seed).random((40, len(X)))):
        X[:, j] = draw < 1 / (1 + np.exp(0.5 - X @ W[:, j]))
    log_p = []
    for model in (fvbn.FVBN(40, rng=rng(seed)), made.MADE(40, rng=rng(seed))):
        sv.fit(model, X[:300], epochs=1000, batch_size=100, optimizer=sv.Adam(1e-3), rng=rng(seed), valid=X[300:500],
               callbacks=[sv.EarlyStopping(10)])
        log_p.append(model.log_prob(X[500:]).astype(float))
    difference = log_p[1] - log_p[0]
    assert difference.mean() > -2 * difference.std() / np.sqrt(len(difference))


@pytest.mark.parametrize("kind", KINDS)
def test_the_data_is_left_alone(kind):
    model, X = build(kind), data(kind, 7, D)
    kept, theta = X.copy(), model.theta.copy()
    model.log_prob(X), model.logits(X), model.loss_and_grad(X, rng=rng()), model.sample(3, rng=rng())
    model.complete(X, np.arange(D) < 2, rng=rng())
    np.testing.assert_array_equal(X, kept)
    np.testing.assert_array_equal(model.theta, theta)
