"""Does every layer keep its contract, and is backward the derivative of forward?

Besides central differences there is an exact derivative: every forward here is analytic (ReLU piecewise), so the
imaginary part of forward(x + i h v) / h is the directional derivative J v without a subtraction, to the last digit at
h = 1e-30.
That makes the adjoint identity <dy, J v> = <J^T dy, v> a test with a tolerance of rounding.
The `check_...` functions take any layer, a network included; test_network uses them too.
"""
import numpy as np
import pytest
from hypothesis import given, reject, settings

import strategies
import scratchvae as sv
from scratchvae.models import masked
from scratchvae.nn import layers, network

KINDS = ["dense", "masked", "tanh", "relu", "sigmoid", "append"]


def make(kind, n_in=4, n_out=3, seed=0, dtype=np.float64):
    """A fresh layer from the class that the module holds now, its biases not zero."""
    made = {"dense": lambda: layers.Dense(n_in, n_out, rng=strategies.rng(seed), dtype=dtype),
            "masked": lambda: masked.MaskedDense(strategies.rng(seed).random((n_in, n_out)) < 0.6,
                                                         rng=strategies.rng(seed), dtype=dtype),
            "tanh": lambda: layers.Tanh(), "relu": lambda: layers.ReLU(), "sigmoid": lambda: layers.Sigmoid(),
            "append": lambda: layers.Append(n_out, dtype=dtype)}[kind]()
    return strategies.shake(made, seed)


def example(layer, x, seed=7):
    """y, its cache, and a random cotangent dy."""
    y, cache = layer.forward(x)
    return y, cache, strategies.normals(seed, *y.shape).astype(y.dtype)


def gradients(layer, x, dy, **options):
    """dx and a copy of the parameters' gradient after one forward and backward."""
    dx = layer.backward(dy, layer.forward(x)[1], **options)
    return dx, layer.grad.copy() if layer.n_parameters else np.zeros(0)


def arrays_in(cache):
    """All arrays of a cache, however nested."""
    if isinstance(cache, np.ndarray):
        return [cache]
    return [array for part in cache for array in arrays_in(part)] if isinstance(cache, (list, tuple)) else []


class Kink(Exception):
    """A step of the central difference crossed a ReLU's kink, where there is no derivative to compare."""


# ---- derivatives -------------------------------------------------------------------------------------------------

def check_layer_gradient(layer, x, seed=7):
    """Every parameter and x against central differences, under a random cotangent; Kink if a ReLU mask changes."""
    _, cache, dy = example(layer, x, seed)
    masks = [array for array in arrays_in(cache) if array.dtype == bool]
    P = layer.n_parameters
    theta, grad = np.concatenate([layer.theta if P else np.zeros(0), x.ravel()]), np.zeros(P + x.size)
    layer.bind(theta[:P], grad[:P])
    grad[P:] = layer.backward(dy, layer.forward(x)[1]).ravel()

    def f(t):
        y, cache = layer.forward(t[P:].reshape(x.shape))  # the parameters are views into t
        if any((a != b).any() for a, b in zip(masks, (a for a in arrays_in(cache) if a.dtype == bool))):
            raise Kink
        return float(np.sum(dy * y))

    return sv.check_gradient(f, theta, grad, {**layer.named_parameters(), "x": x})


def check_adjoint(layer, x, seed=7):
    """<dy, J v> = <J^T dy, v> over x and parameters together; J v by a complex step."""
    _, _, dy = example(layer, x, seed)
    dx, dtheta = gradients(layer, x, dy)
    v, w = strategies.normals(seed + 1, *x.shape), strategies.normals(seed + 2, len(dtheta))
    theta, grad = (layer.theta, layer.grad) if layer.n_parameters else (np.zeros(0), np.zeros(0))
    layer.bind(theta + 1e-30j * w, grad)
    Jv = layer.forward(x + 1e-30j * v)[0].imag / 1e-30
    layer.bind(theta, grad)
    size = np.abs(dy * Jv).sum() + np.abs(dx * v).sum() + np.abs(dtheta * w).sum()
    assert abs(np.sum(dy * Jv) - np.sum(dx * v) - dtheta @ w) <= 1e-13 * size


def check_linear_in_dy(layer, x):
    _, _, p = example(layer, x, 1)
    _, _, q = example(layer, x, 2)
    both, of_p, of_q = (gradients(layer, x, dy) for dy in (2.5 * p - 0.7 * q, p, q))
    for got, a, b in zip(both, of_p, of_q):
        np.testing.assert_allclose(got, 2.5 * a - 0.7 * b, rtol=0, atol=1e-12 * (1 + np.abs(got).max(initial=0)))


def check_batch_adds_up(layer, x):
    """A batch split in two: dx in parts, parameter gradients added."""
    _, _, dy = example(layer, x)
    dx, dtheta = gradients(layer, x, dy)
    parts = [gradients(layer, x[rows], dy[rows]) for rows in (slice(0, 1), slice(1, None))]
    np.testing.assert_allclose(np.concatenate([p[0] for p in parts]), dx, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(parts[0][1] + parts[1][1], dtheta, rtol=1e-12, atol=1e-12)


def check_rows_permute(layer, x):
    """Examples in another order: y and dx in that order, the parameters' gradient unchanged."""
    y, _, dy = example(layer, x)
    dx, dtheta = gradients(layer, x, dy)
    order = np.roll(strategies.rng(3).permutation(len(x)), 1)
    dx_of, dtheta_of = gradients(layer, x[order], dy[order])
    np.testing.assert_allclose(layer.forward(x[order])[0], y[order], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(dx_of, dx[order], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(dtheta_of, dtheta, rtol=1e-12, atol=1e-12)


def check_nothing_else_changes(layer, x):
    """x, y, dy, the cache and the parameters are bit-identical after backward; nothing new is left on the layer."""
    before = sorted(vars(layer))
    y, cache, dy = example(layer, x)
    watched = [x, y, dy, *arrays_in(cache), *layer.named_parameters().values()]
    bits = [array.tobytes() for array in watched]
    layer.backward(dy, cache)
    layer.backward(dy, cache, need_dx=False)
    assert [array.tobytes() for array in watched] == bits
    assert sorted(vars(layer)) == before


def check_backward_overwrites(layer, x):
    """What lay in grad before has no influence: gradients are not accumulated."""
    _, cache, dy = example(layer, x)
    results = []
    for old in (0.0, 1e6, np.nan):
        if layer.n_parameters:
            layer.grad[:] = old
        dx = layer.backward(dy, cache)
        results.append((dx, layer.grad.copy() if layer.n_parameters else np.zeros(0)))
    for dx, grad in results[1:]:
        np.testing.assert_array_equal(dx, results[0][0])
        np.testing.assert_array_equal(grad, results[0][1])


def check_need_dx_can_be_skipped(layer, x):
    _, _, dy = example(layer, x)
    dx, dtheta = gradients(layer, x, dy)
    none, same = gradients(layer, x, dy, need_dx=False)
    assert dx.shape == x.shape and none is None
    np.testing.assert_array_equal(same, dtheta)


def check_interleaved_forwards(layer, x):
    """A forward of something else between forward and backward is harmless."""
    _, cache, dy = example(layer, x)
    expected = gradients(layer, x, dy)
    layer.forward(strategies.normals(99, len(x) + 3, x.shape[1]))
    layer.forward(0.5 - x)
    dx = layer.backward(dy, cache)
    np.testing.assert_array_equal(dx, expected[0])
    if layer.n_parameters:
        np.testing.assert_array_equal(layer.grad, expected[1])


CHECKS = [check_layer_gradient, check_adjoint, check_linear_in_dy, check_batch_adds_up, check_rows_permute,
          check_nothing_else_changes, check_backward_overwrites, check_need_dx_can_be_skipped,
          check_interleaved_forwards]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12)
@given(seed=strategies.seeds, shape=strategies.sizes(3))
def test_contract(kind, check, seed, shape):
    N, n_in, n_out = shape
    try:
        check(make(kind, n_in, n_out, seed), strategies.normals(seed + 1, N, n_in))
    except Kink:
        reject()


# ---- values ------------------------------------------------------------------------------------------------------

def check_dense_values(layer, x):
    """y_nj = sum_i x_ni W_ij + b_j, one number at a time."""
    y = layer.forward(x)[0]
    for n in range(len(x)):
        for j in range(len(layer.b)):
            expected = sum(x[n, i] * layer.W[i, j] for i in range(x.shape[1])) + layer.b[j]
            assert abs(y[n, j] - expected) <= 1e-13 * (1 + abs(expected))


def check_activation_values(x):
    tanh = (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))
    np.testing.assert_allclose(layers.Tanh().forward(x)[0], tanh, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(layers.Sigmoid().forward(x)[0], 1 / (1 + np.exp(-x)), rtol=0, atol=3e-16)
    np.testing.assert_array_equal(layers.ReLU().forward(x)[0], np.where(x > 0, x, 0))


@given(strategies.seeds, strategies.sizes(3))
def test_dense_values(seed, shape):
    N, n_in, n_out = shape
    check_dense_values(make("dense", n_in, n_out, seed), strategies.normals(seed, N, n_in))


@given(strategies.reals((4, 3), 20.0))
def test_activation_values(x):
    check_activation_values(x)


def test_relu_at_its_kink_has_derivative_zero():
    x = np.array([[-0.0, 0.0, 1e-300, -1e-300]])
    y, mask = layers.ReLU().forward(x)
    np.testing.assert_array_equal(layers.ReLU().backward(np.ones_like(x), mask), [[0, 0, 1, 0]])
    np.testing.assert_array_equal(y, [[0, 0, 1e-300, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["tanh", "sigmoid"])
def test_saturated_activations_neither_overflow_nor_pass_a_gradient(kind, dtype):
    layer, x = make(kind), np.array([[-1e4, 1e4, -100, 100]], dtype)
    with np.errstate(all="raise", under="ignore"):
        y, cache = layer.forward(x)
        dx = layer.backward(np.ones_like(x), cache)
    np.testing.assert_array_equal(y, np.where(x > 0, 1, -1 if kind == "tanh" else 0).astype(dtype), strict=True)
    np.testing.assert_array_equal(dx, np.zeros_like(x), strict=True)


def test_append_repeats_its_numbers_after_x():
    layer, x = make("append", n_out=2), strategies.normals(0, 3, 4)
    y = layer.forward(x)[0]
    np.testing.assert_array_equal(y[:, :4], x)
    np.testing.assert_array_equal(y[:, 4:], np.tile(layer.c, (3, 1)))


@pytest.mark.parametrize("kind", KINDS)
def test_dtype_is_kept(kind):
    layer, x = make(kind, dtype=np.float32), strategies.normals(0, 5, 4, dtype=np.float32)
    y, cache, dy = example(layer, x)
    assert y.dtype == layer.backward(dy, cache).dtype == np.float32
    assert all(view.dtype == np.float32 for view in layer.named_parameters().values())


# ---- parameters --------------------------------------------------------------------------------------------------

def check_initial_spread(n_in=300, n_out=200, dtype=np.float32):
    """W and b are uniform in +-1/sqrt(n_in): mean, variance and fourth moment within 5 standard errors, ends reached."""
    layer = layers.Dense(n_in, n_out, rng=strategies.rng(1), dtype=dtype)
    for values in (layer.W, layer.b):
        u, n = values.astype(np.float64) * np.sqrt(n_in), values.size
        assert abs(u.mean()) < 5 * np.sqrt(1 / 3 / n)
        assert abs((u**2).mean() - 1 / 3) < 5 * np.sqrt((1 / 5 - 1 / 9) / n)
        assert abs((u**4).mean() - 1 / 5) < 5 * np.sqrt((1 / 9 - 1 / 25) / n)
        assert 1 - 20 / n < np.abs(u).max() <= 1 + 1e-6
        assert values.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_initial_spread(dtype):
    check_initial_spread(dtype=dtype)
    check_initial_spread(n_in=7, n_out=5000, dtype=dtype)


def test_initial_weights_come_from_the_generator_alone():
    first, again, other = (layers.Dense(5, 3, rng=strategies.rng(s)).W for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again, strict=True)
    assert (first != other).all()


def check_views(layer, theta, grad):
    """Every parameter is a view into theta, and its gradient into grad, end to end in the order of the names."""
    start = 0
    for name, view in layer.named_parameters().items():
        stop = start + view.size
        np.testing.assert_array_equal(view.ravel(), theta[start:stop])
        assert np.shares_memory(view, theta[start:stop]) and view.flags.c_contiguous
        assert view.__array_interface__["data"][0] == theta[start:].__array_interface__["data"][0]
        start = stop
    assert start == theta.size == grad.size == layer.n_parameters


def test_parameters_are_views_of_one_vector():
    layer = make("dense", 4, 3)
    check_views(layer, layer.theta, layer.grad)
    assert list(layer.named_parameters()) == ["W", "b"] and layer.n_parameters == 15
    theta, grad = np.arange(15.0), np.zeros(15)
    layer.bind(theta, grad)
    np.testing.assert_array_equal(layer.W, np.arange(12.0).reshape(4, 3))  # row-major
    np.testing.assert_array_equal(layer.b, [12, 13, 14])
    layer.dW[:], layer.db[:] = 1, 2
    np.testing.assert_array_equal(grad, [1] * 12 + [2] * 3)


@pytest.mark.parametrize("error, words, arguments", [
    (ValueError, "n_in", {"n_in": 0}), (TypeError, "n_in", {"n_in": 2.0}), (TypeError, "n_out", {"n_out": True}),
    (ValueError, "n_out", {"n_out": -1}), (TypeError, "rng", {"rng": 0}), (TypeError, "dtype", {"dtype": int}),
    (TypeError, "dtype", {"dtype": None}),
])
def test_dense_refuses(error, words, arguments):
    with pytest.raises(error, match=words):
        layers.Dense(**{"n_in": 2, "n_out": 3, "rng": strategies.rng(), **arguments})


def test_append_refuses():
    for n, error in ((0, ValueError), (1.0, TypeError)):
        with pytest.raises(error, match="n:"):
            layers.Append(n)
