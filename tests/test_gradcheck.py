"""Who checks the checker? It must find a planted mistake, name it, and leave theta as it was, whatever happens."""
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from scratchvae.nn import gradcheck

NAMES = {"first.W": np.zeros((3, 4)), "first.b": np.zeros(4), "c": np.zeros(2)}  # 18 numbers


def smooth(theta):
    """A function with curvature everywhere, and its gradient."""
    weights = np.arange(1, theta.size + 1) / theta.size
    return float(np.sum(np.sin(theta) * np.exp(0.3 * theta) * weights))


def smooth_gradient(theta):
    weights = np.arange(1, theta.size + 1) / theta.size
    return (np.cos(theta) + 0.3 * np.sin(theta)) * np.exp(0.3 * theta) * weights


# ---- right gradients pass, wrong ones are named ------------------------------------------------------------------

def check_right_gradient_passes(theta):
    errors = gradcheck.check_gradient(smooth, theta, smooth_gradient(theta), NAMES)
    assert list(errors) == list(NAMES) and all(type(e) is float and 0 <= e < 1e-7 for e in errors.values())


def check_wrong_gradient_is_named(seed, place, error):
    """One wrong number among 18: the tensor, the index inside it, both values and the step are in the message."""
    theta = strategies.normals(seed, 18)
    right = smooth_gradient(theta)
    wrong = right.copy()
    wrong[place] += error
    name, index = [("first.W", [i, j]) for i in range(3) for j in range(4)][place] if place < 12 else (
        ("first.b", [place - 12]) if place < 16 else ("c", [place - 16]))
    with pytest.raises(AssertionError) as caught:
        gradcheck.check_gradient(smooth, theta, wrong, NAMES, h=2e-5)
    message = str(caught.value)
    found = re.match(r"(\S+?)(\[[\d, ]+\]): analytic (\S+), numeric (\S+), step (\S+?):", message)
    assert found, message
    assert (found[1], found[2], float(found[5])) == (name, str(index), 2e-5)
    np.testing.assert_allclose([float(found[3]), float(found[4])], [wrong[place], right[place]], rtol=1e-7, atol=1e-8)


@given(strategies.seeds)
def test_right_gradient_passes(seed):
    check_right_gradient_passes(strategies.normals(seed, 18))


@given(strategies.seeds, st.integers(0, 17), st.sampled_from([1e-4, -0.3, 100.0]))
def test_wrong_gradient_is_named(seed, place, error):
    check_wrong_gradient_is_named(seed, place, error)


@pytest.mark.parametrize("wrong", [lambda g: -g, lambda g: 2 * g, lambda g: 0 * g, lambda g: g[::-1],
                                   lambda g: g + 1e-5])
def test_common_mistakes_are_found(wrong):
    theta = strategies.normals(0, 18)
    with pytest.raises(AssertionError, match="relative error"):
        gradcheck.check_gradient(smooth, theta, np.ascontiguousarray(wrong(smooth_gradient(theta))))


def test_swapped_tensors_are_found():
    """The gradient of b laid before that of W: right numbers in a wrong place."""
    theta = strategies.normals(0, 18)
    g = smooth_gradient(theta)
    with pytest.raises(AssertionError, match=r"first\.W\["):
        gradcheck.check_gradient(smooth, theta, np.concatenate([g[12:16], g[:12], g[16:]]), NAMES)


def test_without_names_there_is_one_tensor_called_theta():
    theta = strategies.normals(0, 5)
    assert list(gradcheck.check_gradient(smooth, theta, smooth_gradient(theta))) == ["theta"]
    with pytest.raises(AssertionError, match=r"theta\[\d\]: analytic"):
        gradcheck.check_gradient(smooth, theta, 1.01 * smooth_gradient(theta))


def test_the_tolerance_is_the_caller_s():
    theta = strategies.normals(0, 5)
    nearly = smooth_gradient(theta) * (1 + 1e-5)
    assert gradcheck.check_gradient(smooth, theta, nearly, tolerance=1e-5)["theta"] == pytest.approx(5e-6, rel=1e-2)
    with pytest.raises(AssertionError, match="want below 4e-06"):
        gradcheck.check_gradient(smooth, theta, nearly, tolerance=4e-6)


def test_f_may_overwrite_grad():
    """As a model's loss does, which fills model.grad at every call."""
    theta = strategies.normals(0, 5)
    right = smooth_gradient(theta)

    def overwriting(grad, by):
        def f(t):
            grad[:] = by
            return smooth(t)
        return f

    grad = right.copy()
    gradcheck.check_gradient(overwriting(grad, 0.0), theta, grad)
    grad = 1.1 * right
    with pytest.raises(AssertionError, match="relative error"):
        gradcheck.check_gradient(overwriting(grad, right), theta, grad)


# ---- zeros, NaN, infinity ----------------------------------------------------------------------------------------

def check_zero_gradient_passes():
    """Where the true gradient is zero, rounding in the numerical one is not an error of 1; a real number there is."""
    theta = strategies.normals(0, 18)

    def f(t):  # first.b has no influence, but the sum's rounding makes its difference quotient not quite zero
        return float(np.sum(np.sin(t[:12])) + np.sum(t[16:] ** 2) + 0.1 * t[12:16].sum() - (t[12:16] * 0.1).sum())

    grad = np.concatenate([np.cos(theta[:12]), np.zeros(4), 2 * theta[16:]])
    assert gradcheck.check_gradient(f, theta, grad, NAMES, floor=1e-3)["first.b"] < 1e-7
    grad[13] = 1e-6
    with pytest.raises(AssertionError, match=r"first\.b\[1\]"):
        gradcheck.check_gradient(f, theta, grad, NAMES, floor=1e-3)


def check_not_finite_fails(bad):
    theta = strategies.normals(0, 18)
    grad = smooth_gradient(theta)
    grad[14] = bad
    with np.errstate(invalid="ignore"), pytest.raises(AssertionError, match=r"first\.b\[2\]"):
        gradcheck.check_gradient(smooth, theta, grad, NAMES)
    with np.errstate(invalid="ignore"), pytest.raises(AssertionError, match=r"first\.W\[0, 0\].*nan"):
        gradcheck.check_gradient(lambda t: bad, theta, smooth_gradient(theta), NAMES)


def test_zero_gradient_passes():
    check_zero_gradient_passes()
    zero = np.zeros(3)
    assert gradcheck.check_gradient(lambda t: 1.0, np.ones(3), zero) == {"theta": 0.0}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_fails(bad):
    check_not_finite_fails(bad)


# ---- the numerical derivative itself -----------------------------------------------------------------------------

def check_theta_is_put_back(theta):
    """Bit for bit: also -0.0, tiny and huge numbers, and when f raises in the middle."""
    bits, identity = theta.tobytes(), id(theta)
    gradcheck.numerical_gradient(lambda t: float(np.sum(np.tanh(t))), theta)
    assert theta.tobytes() == bits
    for last in range(1, 2 * theta.size + 1):
        calls = []

        def f(t):
            calls.append(t)
            if len(calls) == last:
                raise RuntimeError("f fails")
            return float(np.sum(np.tanh(t)))

        with pytest.raises(RuntimeError, match="f fails"):
            gradcheck.numerical_gradient(f, theta)
        assert theta.tobytes() == bits and all(id(t) == identity for t in calls)


@given(strategies.reals(4, 1e12))
def test_theta_is_put_back(theta):
    check_theta_is_put_back(theta)
    check_theta_is_put_back(np.array([-0.0, 5e-324, 0.1]))


@given(strategies.reals(5, 1e3), strategies.seeds)
def test_a_linear_function_is_differentiated_to_rounding_and_a_quadratic_too(theta, seed):
    """The central difference's error is f''' h^2 / 6: none here but rounding, |f| eps / h."""
    a = strategies.normals(seed, 5)
    for f, grad in ((lambda t: float(a @ t), a), (lambda t: float(a @ t**2), 2 * a * theta)):
        size = np.abs(a) @ (1 + np.abs(theta) + theta**2)
        np.testing.assert_allclose(gradcheck.numerical_gradient(f, theta.copy()), grad, rtol=0, atol=1e-10 * size)


def check_error_curve_is_v_shaped():
    """Error against h: it falls with slope 2 down to h near 1e-5, then rises again with slope -1 from rounding."""
    theta = np.array([0.3, -0.8, 0.5])
    exact = smooth_gradient(theta)
    steps = 10.0 ** -np.arange(1, 13)
    errors = np.array([np.abs(gradcheck.numerical_gradient(smooth, theta, h) - exact).max() for h in steps])
    best = int(errors.argmin())
    assert 1e-7 < steps[best] < 1e-4 and errors[best] < 1e-10
    slopes = np.log10(errors[:3] / errors[1:4])
    np.testing.assert_allclose(slopes, 2, atol=0.1)          # truncation: h^2
    assert 4 < np.log10(errors[-1] / errors[best + 1]) < 8   # rounding: 1 / h
    assert errors[4] < 1e-9                                  # the default h = 1e-5 has its ten digits


def test_error_curve_is_v_shaped():
    check_error_curve_is_v_shaped()


def test_the_step_grows_with_the_number():
    """At theta = 1e8 a step of 1e-5 would be lost in rounding; h max(1, |theta|) is not."""
    theta = np.array([1e8])
    np.testing.assert_allclose(gradcheck.numerical_gradient(lambda t: float(t @ t) / 2, theta), theta, rtol=1e-10)
    visited = []
    gradcheck.numerical_gradient(lambda t: visited.append(t.copy()) or 0.0, np.array([-300.0, 0.5]), h=1e-3)
    np.testing.assert_allclose(visited, [[-299.7, 0.5], [-300.3, 0.5], [-300, 0.501], [-300, 0.499]], rtol=1e-12)


def test_relative_errors_are_taken_over_the_tensor():
    analytic, numeric = np.array([1.0, 2, 10, 0]), np.array([1.0, 2.5, 10, 0])
    names = {"a": np.zeros((1, 2)), "b": np.zeros(1), "zero": np.zeros(1)}
    assert gradcheck.relative_errors(analytic, numeric, names) == {"a": 0.5 / 4.5, "b": 0.0, "zero": 0.0}
    assert gradcheck.relative_errors(analytic, numeric) == {"theta": 0.5 / 20}
    tiny = gradcheck.relative_errors(np.array([2e-5]), np.array([1e-5]))
    assert tiny == pytest.approx({"theta": 1e-5 / 1e-3})  # the floor


# ---- doors -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("theta, grad, error, words", [
    (np.ones(3, np.float32), np.ones(3), TypeError, "theta: want float64.*float32"),
    (np.ones(3), np.ones(3, np.float32), TypeError, "grad: want float64.*float32"),
    (np.ones(3, int), np.ones(3), TypeError, "theta: want float64"),
    (np.ones(3), np.ones(4), ValueError, r"grad: want a vector \(P,\), got \(4,\)"),
    (np.ones((3, 1)), np.ones((3, 1)), ValueError, "theta: want a vector"),
    (np.ones(0), np.ones(0), ValueError, "theta: want a vector"),
    ([1.0, 2.0], np.ones(2), ValueError, "theta: want a vector"),
    (np.ones(2), [1.0, 2.0], ValueError, "grad: want a vector"),
])
def test_check_gradient_refuses(theta, grad, error, words):
    with pytest.raises(error, match=words):
        gradcheck.check_gradient(lambda t: 0.0, theta, grad)


@pytest.mark.parametrize("h", [0, -1e-5, np.nan])
def test_a_step_must_be_positive(h):
    with pytest.raises(ValueError, match="h:"):
        gradcheck.check_gradient(smooth, np.ones(2), np.ones(2), h=h)


@pytest.mark.parametrize("names", [{"a": np.zeros(2)}, {"a": np.zeros(3), "b": np.zeros(2)}])
def test_names_must_hold_as_many_numbers_as_grad(names):
    with pytest.raises(ValueError, match="names: its tensors hold"):
        gradcheck.check_gradient(smooth, np.ones(4), np.ones(4), names)


def test_a_function_of_theta_that_gives_more_than_a_number_is_refused():
    with pytest.raises(ValueError, match=r"^f: want one number for a theta, got ndarray of shape \(2,\)"):
        gradcheck.check_gradient(lambda t: t, np.ones(2), np.ones(2))
