"""Is a step the paper's formula? Each optimizer against the textbook's loop, and on a problem it must solve."""
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from scratchvae.nn import optimizers


def textbook_adam(theta, gradients, lr, beta1, beta2, eps, weight_decay):
    """Kingma & Ba 2015, algorithm 1, line by line, after the decay of Loshchilov & Hutter 2019."""
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        theta = theta - lr * weight_decay * theta
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - lr * m_hat / (np.sqrt(v_hat) + eps)
    return theta


def textbook_sgd(theta, gradients, lr, momentum, weight_decay):
    v = 0.0
    for g in gradients:
        theta = theta - lr * weight_decay * theta
        v = momentum * v + g
        theta = theta - lr * v
    return theta


def textbook_adagrad(theta, gradients, lr, eps, weight_decay):
    """Duchi, Hazan & Singer 2011, with the diagonal of the sum of outer products."""
    outer = np.zeros((theta.size, theta.size))
    for g in gradients:
        theta = theta - lr * weight_decay * theta
        outer += np.outer(g, g)
        theta = theta - lr * g / (np.sqrt(np.diag(outer)) + eps)
    return theta


def walk(optimizer, theta, gradients):
    """theta after all steps, in a copy."""
    theta = theta.copy()
    for g in gradients:
        optimizer.step(theta, g)
    return theta


def make(kind, **options):
    """A fresh optimizer, from the class that the module holds now."""
    own = {"sgd": (optimizers.SGD, {"momentum": 0.8}), "adagrad": (optimizers.Adagrad, {}), "adam": (optimizers.Adam, {})}
    return own[kind][0](0.05, **{**own[kind][1], **options})


# ---- the formulas ------------------------------------------------------------------------------------------------

def check_adam_is_the_textbook(seed, P, scale=1.0, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0,
                               dtype=np.float64):
    theta = strategies.normals(seed, P, dtype=dtype)
    gradients = strategies.normals(seed + 1, 50, P, scale=scale, dtype=dtype)
    how = {"beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": weight_decay}
    expected = textbook_adam(theta.astype(np.float64), gradients.astype(np.float64), 0.01, **how)
    got = walk(optimizers.Adam(0.01, **how), theta, gradients)
    assert got.dtype == dtype
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def check_sgd_is_the_textbook(seed, P, momentum, weight_decay=0.0):
    theta, gradients = strategies.normals(seed, P), strategies.normals(seed + 1, 50, P)
    got = walk(optimizers.SGD(0.03, momentum, weight_decay=weight_decay), theta, gradients)
    expected = textbook_sgd(theta, gradients, 0.03, momentum, weight_decay)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


def check_adagrad_is_the_textbook(seed, P, eps=1e-8, weight_decay=0.0):
    theta, gradients = strategies.normals(seed, P), strategies.normals(seed + 1, 50, P)
    got = walk(optimizers.Adagrad(0.03, eps=eps, weight_decay=weight_decay), theta, gradients)
    np.testing.assert_allclose(got, textbook_adagrad(theta, gradients, 0.03, eps, weight_decay), rtol=1e-12, atol=1e-12)


def check_adam_first_step(gradient, lr=0.01, eps=1e-8):
    """Without bias m_hat = g and v_hat = g^2, so the first step is -lr g / (|g| + eps): nearly -lr sign(g)."""
    theta = np.zeros_like(gradient)
    optimizers.Adam(lr, eps=eps).step(theta, gradient)
    textbook = -lr * gradient / (np.abs(gradient) + eps)
    np.testing.assert_allclose(theta, textbook, rtol=1e-12, atol=1e-300)  # a subnormal gradient has few digits
    large = np.abs(gradient) > 1e-3
    np.testing.assert_allclose(theta[large], -lr * np.sign(gradient[large]), rtol=1.001e-5)


@given(strategies.seeds, st.integers(1, 9), st.sampled_from([1e-6, 1, 1e6]), st.sampled_from([0.0, 0.5, 0.9]),
       st.sampled_from([0.0, 0.9, 0.999]), st.sampled_from([1e-8, 1e-3]), st.sampled_from([0.0, 0.1]))
def test_adam_is_the_textbook(seed, P, scale, beta1, beta2, eps, weight_decay):
    check_adam_is_the_textbook(seed, P, scale, beta1, beta2, eps, weight_decay)


def test_adam_is_the_textbook_in_float32():
    check_adam_is_the_textbook(0, 200, dtype=np.float32)


@given(strategies.seeds, st.integers(1, 9), st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([0.0, 0.1]))
def test_sgd_is_the_textbook(seed, P, momentum, weight_decay):
    check_sgd_is_the_textbook(seed, P, momentum, weight_decay)


@given(strategies.seeds, st.integers(1, 9), st.sampled_from([1e-8, 1e-3]), st.sampled_from([0.0, 0.1]))
def test_adagrad_is_the_textbook(seed, P, eps, weight_decay):
    check_adagrad_is_the_textbook(seed, P, eps, weight_decay)


@given(strategies.reals(6, 100.0))
def test_adam_first_step(gradient):
    check_adam_first_step(gradient)


@given(strategies.seeds, st.sampled_from([2.0**-12, 2.0**9]))
def test_adam_does_not_see_the_gradient_s_scale(seed, scale):
    theta, gradients = strategies.normals(seed, 4), strategies.normals(seed + 1, 30, 4)
    near = walk(optimizers.Adam(0.01, eps=1e-300), theta, gradients)
    np.testing.assert_allclose(walk(optimizers.Adam(0.01, eps=1e-300), theta, scale * gradients), near, rtol=1e-12)


# ---- weight decay ------------------------------------------------------------------------------------------------

def check_weight_decay_is_decoupled(kind):
    """With a zero gradient theta shrinks by exactly 1 - lr weight_decay, and no moment hears of it."""
    theta = strategies.normals(0, 5)
    start, optimizer = theta.copy(), make(kind, weight_decay=0.2)
    for step in range(1, 6):
        optimizer.step(theta, np.zeros(5))
        np.testing.assert_allclose(theta, start * (1 - 0.05 * 0.2) ** step, rtol=1e-14)
    assert all((moment == 0).all() for name, moment in optimizer.state().items() if name != "t")


def check_weight_decay_is_added_to_the_plain_step(kind):
    theta, g = strategies.normals(0, 5), strategies.normals(1, 5)
    decayed, plain = (walk(make(kind, weight_decay=w), theta, [g]) for w in (0.2, 0.0))
    np.testing.assert_allclose(decayed, plain - 0.05 * 0.2 * theta, rtol=1e-13)


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adam"])
def test_weight_decay_is_decoupled(kind):
    check_weight_decay_is_decoupled(kind)
    check_weight_decay_is_added_to_the_plain_step(kind)


# ---- convergence -------------------------------------------------------------------------------------------------

def check_converges_on_a_quadratic(optimizer, steps):
    """f = 1/2 (theta - c)^T A (theta - c) with curvatures 1/2 to 4: the error falls by a factor of 1e6."""
    basis = np.linalg.qr(strategies.normals(2, 4, 4))[0]
    A, c = basis @ np.diag([0.5, 1, 2, 4]) @ basis.T, strategies.normals(3, 4)
    theta = c + strategies.normals(4, 4, scale=3)
    error = np.linalg.norm(theta - c)
    for _ in range(steps):
        optimizer.step(theta, A @ (theta - c))
    assert np.linalg.norm(theta - c) < 1e-6 * error


@pytest.mark.parametrize("optimizer, steps", [
    (lambda: optimizers.SGD(0.2), 200), (lambda: optimizers.SGD(0.1, 0.5), 200), (lambda: optimizers.Adam(0.1), 2000),
    (lambda: optimizers.Adagrad(1.0), 2000),
], ids=["SGD", "momentum", "Adam", "Adagrad"])
def test_converges_on_a_quadratic(optimizer, steps):
    check_converges_on_a_quadratic(optimizer(), steps)


# ---- in place, state, doors --------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adam"])
def test_a_step_moves_theta_in_place_and_leaves_grad(kind, dtype):
    whole = strategies.normals(0, 9, dtype=dtype)
    theta, g = whole[2:7], strategies.normals(1, 5, dtype=dtype)  # a view, as a layer's
    before, bits = whole.copy(), g.tobytes()
    optimizer = make(kind)
    assert optimizer.step(theta, g) is None and optimizer.step(theta, g) is None
    assert (whole[2:7] != before[2:7]).all() and g.tobytes() == bits and whole.dtype == dtype
    np.testing.assert_array_equal(np.delete(whole, range(2, 7)), np.delete(before, range(2, 7)))


def check_state_round_trip(kind, dtype=np.float64):
    """Stopped after 7 of 20 steps and continued in a fresh optimizer: bit for bit as if it had not stopped."""
    theta, gradients = strategies.normals(0, 6, dtype=dtype), strategies.normals(1, 20, 6, dtype=dtype)
    through = walk(make(kind, weight_decay=0.01), theta, gradients)
    first, second = (make(kind, weight_decay=0.01) for _ in range(2))
    halfway = walk(first, theta, gradients[:7])
    state = first.state()
    second.load_state(state)
    walk(first, halfway, gradients[7:])  # what the first does later must not reach the second
    np.testing.assert_array_equal(walk(second, halfway, gradients[7:]), through, strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adam"])
def test_state_round_trip(kind, dtype):
    check_state_round_trip(kind, dtype)


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adam"])
def test_the_state_before_the_first_step(kind):
    theta, gradients = strategies.normals(0, 6), strategies.normals(1, 5, 6)
    fresh = make(kind).state()
    assert list(fresh) == ["t"] and fresh["t"] == 0
    used = make(kind)
    walk(used, theta, gradients)
    used.load_state(fresh)  # forgets
    np.testing.assert_array_equal(walk(used, theta, gradients), walk(make(kind), theta, gradients))


@pytest.mark.parametrize("kind, error, words, options", [
    ("SGD", ValueError, "lr", {"lr": -0.1}), ("SGD", ValueError, "lr", {"lr": np.nan}),
    ("SGD", TypeError, "lr", {"lr": "0.1"}), ("Adam", ValueError, "lr", {"lr": np.inf}),
    ("Adam", TypeError, "lr", {"lr": None}), ("Adam", ValueError, "lr", {"lr": -1e-3}),
    ("SGD", ValueError, "momentum", {"momentum": 1.0}), ("SGD", ValueError, "momentum", {"momentum": -0.1}),
    ("Adam", ValueError, "beta1", {"beta1": 1.0}), ("Adam", ValueError, "beta1", {"beta1": -0.1}),
    ("Adam", ValueError, "beta2", {"beta2": 1}), ("Adam", ValueError, "beta2", {"beta2": np.nan}),
    ("Adagrad", ValueError, "eps", {"eps": 0}), ("Adagrad", TypeError, "lr", {"lr": None}),
    ("Adam", ValueError, "eps", {"eps": 0}), ("Adam", ValueError, "weight_decay", {"weight_decay": -1}),
])
def test_bad_settings_are_refused(kind, error, words, options):
    with pytest.raises(error, match=words + ":"):
        getattr(optimizers, kind)(**{"lr": 0.1, **options})


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adam"])
def test_a_gradient_of_another_shape_or_dtype_is_refused_and_nothing_moves(kind):
    optimizer, theta = make(kind, weight_decay=0.1), np.ones(3)
    for wrong in (np.ones(4), np.ones((3, 1)), np.ones(1), np.ones(3, np.float32)):
        with pytest.raises(ValueError, match="grad: want float64"):
            optimizer.step(theta, wrong)
    np.testing.assert_array_equal(theta, 1)
    assert optimizer.t == 0
    optimizer.step(theta, np.ones(3))
    with pytest.raises(ValueError, match=r"theta: want float64 \(3,\)"):
        optimizer.step(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match=r"theta: want float64 \(3,\) as in the first step, got float32"):
        optimizer.step(np.ones(3, np.float32), np.ones(3, np.float32))
    assert optimizer.t == 1


def test_a_used_optimizer_is_refused_to_another_model_and_not_to_its_own():
    import scratchvae as sv  # only here a model is trained

    X = (strategies.rng(0).random((20, 6)) < 0.5).astype(np.float32)

    def model():
        return sv.VAE(6, (), 2, rng=strategies.rng(0))

    first, optimizer = model(), optimizers.Adam()
    for _ in range(2):
        sv.fit(first, X, epochs=1, optimizer=optimizer, rng=strategies.rng(0))
    assert optimizer.t == 2
    second = model()
    before = second.theta.copy()
    with pytest.raises(ValueError, match="^optimizer: want a new one; this one has taken 2 steps with another model"):
        sv.fit(second, X, epochs=1, optimizer=optimizer, rng=strategies.rng(0))
    assert np.array_equal(second.theta, before) and optimizer.t == 2
    together = deepcopy((first, optimizer))  # a copy's optimizer goes on with the copy
    sv.fit(together[0], X, epochs=1, optimizer=together[1], rng=strategies.rng(0))


def test_the_door_is_passed_once_for_the_same_arrays(monkeypatch):
    optimizer, passed = make("adam"), []
    bind = optimizers.Optimizer.bind
    monkeypatch.setattr(optimizers.Optimizer, "bind", lambda self, *arrays: (passed.append(1), bind(self, *arrays)))
    theta, g = np.ones(3), np.ones(3)
    for _ in range(5):
        optimizer.step(theta, g)
    assert len(passed) == 1
    optimizer.step(theta, g.copy())
    assert len(passed) == 2


def test_a_state_that_is_loaded_into_a_used_optimizer_replaces_its_own():
    """Also where the next step has the very arrays of the last one, which no door looks at again."""
    theta, gradients = strategies.normals(0, 6), strategies.normals(1, 5, 6)
    for kind in ("sgd", "adagrad", "adam"):
        used, moved, g = make(kind), theta.copy(), gradients[0].copy()
        used.step(moved, g)
        used.load_state(make(kind).state())
        moved[:] = theta
        used.step(moved, g)
        np.testing.assert_array_equal(moved, walk(make(kind), theta, gradients[:1]))


@pytest.mark.parametrize("kind", ["sgd", "adagrad", "adam"])
def test_a_read_only_theta_and_negative_steps_are_refused(kind):
    theta = np.ones(3)
    theta.flags.writeable = False
    with pytest.raises(ValueError, match="^theta: it is changed in place"):
        make(kind).step(theta, np.ones(3))
    with pytest.raises(ValueError, match="^t: "):
        make(kind).load_state({"t": np.array(-1)})


# ---- clipping ----------------------------------------------------------------------------------------------------

def check_clip(g, limit):
    """One factor for all of g, in place: the norm is at most the limit, the direction stays, a shorter g is left alone."""
    clipped = g.copy()
    assert optimizers.clip(clipped, limit) is None and clipped.dtype == g.dtype
    norm = np.linalg.norm(g.astype(np.longdouble))
    want = g * min(1, float(limit / norm)) if norm else g
    np.testing.assert_allclose(clipped, want, rtol=1e-12 if g.dtype == np.float64 else 1e-5)
    assert norm > limit or clipped.tobytes() == g.tobytes()


@given(strategies.seeds, st.integers(1, 9), st.sampled_from([1e-3, 1.0, 5.0, 1e6]), st.sampled_from([np.float32, np.float64]))
def test_clip(seed, P, limit, dtype):
    check_clip(strategies.normals(seed, P, scale=2, dtype=dtype), limit)


@pytest.mark.parametrize("dtype, largest", [(np.float32, 1e30), (np.float64, 1e200)])
def test_a_gradient_whose_squares_overflow_is_clipped_like_any_other(dtype, largest):
    with np.errstate(all="ignore"):  # as in `fit`
        check_clip(dtype(largest) * strategies.normals(0, 7, dtype=dtype), 2.0)


def test_clipping_hides_no_number_that_is_none():
    for bad in (np.nan, np.inf, -np.inf):
        g = np.array([1.0, bad, 2.0])
        with np.errstate(all="ignore"):
            optimizers.clip(g, 1.0)
        assert not np.isfinite(g).all()


def test_a_gradient_of_zero_stays():
    check_clip(np.zeros(3), 1.0)
