"""Are layers in sequence one function of one vector? The layers' contract holds for networks, and nothing is copied."""
import numpy as np
import pytest
from hypothesis import given, reject, settings

import strategies
import test_layers
import scratchvae as sv
from scratchvae.nn import layers, network


def dense(n_in, n_out, seed=0, dtype=np.float64):
    return strategies.shake(layers.Dense(n_in, n_out, rng=strategies.rng(seed), dtype=dtype), seed)


# ---- the contract of a layer, and the chain rule -----------------------------------------------------------------

@pytest.mark.parametrize("check", test_layers.CHECKS)
@settings(max_examples=20)
@given(example=strategies.networks())
def test_contract(check, example):
    try:
        check(*example)
    except test_layers.Kink:
        reject()


@pytest.mark.parametrize("check", test_layers.CHECKS)
def test_contract_of_a_network_of_networks(check):
    inner = network.Network([dense(5, 4, 1), layers.Tanh(), dense(4, 6, 2)])
    outer = network.Network([layers.Sigmoid(), inner, layers.Append(2, dtype=np.float64)])
    check(strategies.shake(outer, 3), strategies.normals(4, 3, 5))


@given(strategies.networks())
def test_forward_is_the_composition(example):
    net, x = example
    y = x
    for layer in net.layers:
        y, _ = layer.forward(y)
    np.testing.assert_array_equal(net.forward(x)[0], y)


def check_two_dense_layers_are_one(seed, shape):
    """Without an activation in between, W = W1 W2 and b = b1 W2 + b2; also their gradients obey the chain rule."""
    N, n_in, n_hidden, n_out = shape
    first, second = dense(n_in, n_hidden, seed), dense(n_hidden, n_out, seed + 1)
    net, x, dy = network.Network([first, second]), strategies.normals(seed, N, n_in), strategies.normals(seed, N, n_out)
    y, cache = net.forward(x)
    np.testing.assert_allclose(y, x @ (first.W @ second.W) + (first.b @ second.W + second.b), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(net.backward(dy, cache), dy @ (first.W @ second.W).T, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(first.dW, x.T @ dy @ second.W.T, rtol=1e-11, atol=1e-12)


@given(strategies.seeds, strategies.sizes(4))
def test_two_dense_layers_are_one(seed, shape):
    check_two_dense_layers_are_one(seed, shape)


# ---- one vector --------------------------------------------------------------------------------------------------

def check_one_vector(net):
    """theta and grad are contiguous, every layer holds views into both, in the order of the layers."""
    assert net.theta.flags.c_contiguous and net.grad.flags.c_contiguous and not np.shares_memory(net.theta, net.grad)
    test_layers.check_views(net, net.theta, net.grad)
    start = 0
    for layer in net.layers:
        for name, view in layer.named_parameters().items():
            getattr(layer, "d" + name)[...] = np.arange(start, start + view.size).reshape(view.shape)
            start += view.size
    np.testing.assert_array_equal(net.grad, np.arange(net.n_parameters))  # no number left out, none shared


def check_packing_keeps_values(parts):
    trained = [part for part in parts if part.n_parameters]
    before = [part.theta.copy() for part in trained]
    net = network.Network(parts)
    np.testing.assert_array_equal(net.theta, np.concatenate(before))
    np.testing.assert_array_equal(net.grad, np.zeros(net.n_parameters))
    net.theta += 1  # what the layers compute with moves along
    for part, values in zip(trained, before):
        views = np.concatenate([view.ravel() for view in part.named_parameters().values()])
        np.testing.assert_array_equal(part.theta, values + 1)
        np.testing.assert_array_equal(views, values + 1)


@given(strategies.networks())
def test_one_vector(example):
    check_one_vector(example[0])


def test_packing_keeps_values():
    append = strategies.shake(layers.Append(2, dtype=np.float64), 5)
    check_packing_keeps_values([dense(4, 3, 1), layers.ReLU(), dense(3, 5, 2), append])


def test_names_are_in_the_order_of_the_data_flow():
    net = network.mlp(5, (4, 3), 8, activation="tanh", n_shared=2, rng=strategies.rng(), dtype=np.float64)
    shapes = {name: view.shape for name, view in net.named_parameters().items()}
    assert list(shapes.items()) == [("0.W", (5, 4)), ("0.b", (4,)), ("2.W", (4, 3)), ("2.b", (3,)),
                                    ("4.W", (3, 6)), ("4.b", (6,)), ("5.c", (2,))]
    assert net.n_parameters == net.theta.size == sum(int(np.prod(shape)) for shape in shapes.values())


def test_a_network_of_activations_alone_has_no_parameters():
    net, x = network.Network([layers.Tanh(), layers.Sigmoid()]), strategies.normals(0, 3, 2)
    assert net.n_parameters == net.theta.size == 0 and net.named_parameters() == {}
    y, cache = net.forward(x)
    t = np.tanh(x)
    np.testing.assert_allclose(net.backward(np.ones_like(y), cache), y * (1 - y) * (1 - t * t), rtol=1e-13)


@pytest.mark.parametrize("wrong, error, words", [
    ([], TypeError, "at least one"), ([np.tanh], TypeError, "layers"), ([layers.Tanh], TypeError, "layers"),
    (["tanh"], TypeError, "tanh"),
])
def test_network_refuses_what_is_no_layer(wrong, error, words):
    with pytest.raises(error, match=words):
        network.Network(wrong)


def test_network_refuses_mixed_dtypes():
    with pytest.raises(ValueError, match="float32.*float64"):
        network.Network([dense(3, 2, dtype=np.float32), dense(2, 3, dtype=np.float64)])


def test_every_activation_by_name_is_a_public_class():
    assert {getattr(sv, cls.__name__, None) for cls in layers.ACTIVATIONS.values()} == set(layers.ACTIVATIONS.values())


# ---- mlp ---------------------------------------------------------------------------------------------------------

def test_mlp_has_activations_between_its_dense_layers_and_none_after():
    for activation, cls in layers.ACTIVATIONS.items():
        for given_as in (activation, cls):
            net = network.mlp(5, [4, 3], 2, activation=given_as, rng=strategies.rng())
            assert [type(layer) for layer in net.layers] == [layers.Dense, cls, layers.Dense, cls, layers.Dense]
    assert [type(layer) for layer in network.mlp(5, (), 2, rng=strategies.rng()).layers] == [layers.Dense]


def test_mlp_is_float32_unless_told_otherwise():
    for dtype in (np.float32, np.float64):
        how = {} if dtype == np.float32 else {"dtype": dtype}
        net = network.mlp(5, (4,), 3, n_shared=1, rng=strategies.rng(), **how)
        y, cache = net.forward(strategies.normals(0, 6, 5, dtype=dtype))
        assert net.theta.dtype == net.grad.dtype == y.dtype == net.backward(y, cache).dtype == dtype


def test_the_output_bias_waits_for_the_data():
    net = network.mlp(5, (4,), 7, n_shared=2, rng=strategies.rng(2), dtype=np.float64)
    assert net.layers[0].b.all() and not net.layers[2].b.any() and not net.layers[3].c.any()


def check_start_outputs():
    """Outputs start at `params` and vary about them `spread` times as much as they would; once, and never after training."""
    net, same = (network.mlp(5, (4,), 7, n_shared=2, rng=strategies.rng(2), dtype=np.float64) for _ in range(2))
    x, params, spread = strategies.normals(0, 6, 5), strategies.normals(1, 7), np.array([2.0, 0, 1, 3, 0.5, 0, 0])
    assert network.start_outputs(net, params, spread)
    np.testing.assert_allclose(net.forward(x)[0], params + spread * same.forward(x)[0], rtol=1e-13)
    before = net.theta.copy()
    assert not network.start_outputs(net, params + 1, spread)
    np.testing.assert_array_equal(net.theta, before)


def test_start_outputs():
    check_start_outputs()


def test_shared_outputs_do_not_depend_on_the_input():
    net = strategies.shake(network.mlp(4, (3,), 7, n_shared=2, rng=strategies.rng(), dtype=np.float64), 1)
    y = net.forward(strategies.normals(0, 5, 4))[0]
    assert y.shape == (5, 7) and (y[:, :5].std(axis=0) > 0).all()
    np.testing.assert_array_equal(y[:, 5:], np.tile(net.layers[-1].c, (5, 1)))


@pytest.mark.parametrize("error, words, options", [
    (ValueError, "activation.*softmax", {"activation": "softmax"}), (ValueError, "activation", {"activation": None}),
    (ValueError, "hidden", {"hidden": (4, 0)}), (TypeError, "hidden", {"hidden": (4.0,)}),
    (TypeError, "rng", {"rng": 1}), (TypeError, "dtype", {"dtype": np.int32}),
])
def test_mlp_refuses(error, words, options):
    with pytest.raises(error, match=words):
        network.mlp(**{"n_in": 3, "hidden": (4,), "n_out": 2, "rng": strategies.rng(), **options})


def test_a_layer_of_one_parameter_twice_is_refused_too():
    layer = layers.Append(1)
    with pytest.raises(ValueError, match="^layers: want each layer with parameters once"):
        network.Network([layer, layer])
