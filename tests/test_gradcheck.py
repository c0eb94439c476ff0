"""Who checks the checker? It must find a planted mistake, name it, and leave theta as it was, whatever happens."""
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scratchvae as sv
import strategies
from demos import catalogue_of_mistakes as catalogue
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


@pytest.mark.parametrize("scale, level", [(1e-12, 0.0), (1e-12, 5.0), (1e-10, 1e3), (1e-40, 0.0)])
def test_derivatives_so_small_that_nothing_is_compared(scale, level):
    """Right or wrong: that the check saw nothing is said; and with a floor or a scale in which it sees, it sees."""
    theta = strategies.normals(0, 18)
    f, right = lambda t: level + scale * smooth(t), scale * smooth_gradient(theta)
    for grad in (right, -right):
        with pytest.raises(AssertionError, match="^f: nothing was compared"):
            gradcheck.check_gradient(f, theta, grad, NAMES)
    if not level:
        gradcheck.check_gradient(f, theta, right, NAMES, floor=1e-3 * scale)
        gradcheck.check_gradient(lambda t: f(t) / scale, theta, right / scale, NAMES)
        with pytest.raises(AssertionError, match="relative error"):
            gradcheck.check_gradient(f, theta, -right, NAMES, floor=1e-3 * scale)


@pytest.mark.parametrize("scale", [1e-7, 1e-9, 1e-11, 1e-14])
def test_no_mistake_of_a_hundredth_passes_however_small_the_derivatives(scale):
    theta = strategies.normals(0, 18)
    right = scale * smooth_gradient(theta)
    for wrong in (-right, 1.02 * right, 0 * right):
        with pytest.raises(AssertionError):
            gradcheck.check_gradient(lambda t: scale * smooth(t), theta, wrong, NAMES)


def test_derivatives_that_are_0_but_for_rounding_pass():
    theta = strategies.normals(0, 18)
    for garbage in (np.zeros(18), 1e-16 * theta):
        gradcheck.check_gradient(lambda t: 3 + 7 * float(np.cos(t).sum() ** 2 / np.cos(t).sum() ** 2), theta, garbage)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_fails(bad):
    check_not_finite_fails(bad)


# ---- kinks -------------------------------------------------------------------------------------------------------

def check_one(f, at, derivative):
    """How many kinks the check of one number finds, or None if it refuses the derivative."""
    try:
        errors = gradcheck.check_gradient(lambda t: float(f(t[0])), np.array([at]), np.array([float(derivative)]))
    except AssertionError as error:
        assert str(error).startswith("theta[0]: analytic ")
        return None
    assert list(errors) == ["theta"] and errors["theta"] < 1e-7
    return errors.kinks


def bent(t):
    """A kink at 0 from slope 2 to slope 3, among curvature."""
    return 2 * t + max(t, 0) + np.sin(t) ** 2 + 7


def huber(t):
    return 0.5 * t * t if abs(t) <= 1 else abs(t) - 0.5


def check_every_slope_at_a_kink():
    """At a kink every number between the two slopes is served, and none beside them."""
    relu, small, curved = (lambda t: max(t, 0)), (lambda t: -1e-3 * abs(t)), (lambda t: abs(t) - 50 * t * t)
    for f, low, high in ((abs, -1, 1), (relu, 0, 1), (small, -1e-3, 1e-3), (bent, 2, 3), (curved, -1, 1)):
        width = high - low
        for derivative in (low, low + 0.3 * width, low + 0.5 * width, high):
            assert check_one(f, 0.0, derivative) == 1
        for derivative in (low - 1e-3 * width, high + 1e-3 * width, high + width, np.nan, np.inf):
            assert check_one(f, 0.0, derivative) is None


@pytest.mark.parametrize("distance", [1e-7, 4e-7, 1e-6, 3e-6, 5e-6, 8.57e-6, 9.9e-6])
def test_a_kink_within_the_step_but_beside_theta(distance):
    """The derivative is that of theta's own side; a number between the two slopes is none."""
    for at, derivative in ((distance, 3 + np.sin(2 * distance)), (-distance, 2 - np.sin(2 * distance))):
        assert check_one(bent, at, derivative) == 1
        for wrong in (2.5, derivative + 1e-3, derivative - 1e-3, 3.1, 1.9):
            assert check_one(bent, at, wrong) is None


def test_no_kink_no_count():
    for at in (1.2e-5, 1.9e-5, 0.3):
        assert check_one(bent, at, 3 + np.sin(2 * at)) == 0 and check_one(bent, at, 2.999) is None
    # neither a kink beyond the step nor much curvature is one
    assert check_one(lambda t: max(t, 0) + 2000 * t * t, 1.2e-5, 1 + 4000 * 1.2e-5) == 0
    assert check_one(lambda t: np.sin(1000 * t), 0.3, 1000 * np.cos(300)) == 0


def test_every_slope_at_a_kink_and_nothing_else():
    check_every_slope_at_a_kink()


@pytest.mark.parametrize("at, derivative", [(1.0, 1.0), (-1.0, -1.0), (1 + 3e-6, 1.0), (1 - 3e-6, 1 - 3e-6),
                                            (0.2, 0.2)])
def test_a_kink_of_the_derivative(at, derivative):
    assert check_one(huber, at, derivative) is not None
    assert check_one(huber, at, derivative + 1e-4) is None


def test_kinks_are_counted_and_named():
    theta = np.array([0.0, 1.0, 0.0, -2.0])
    errors = gradcheck.check_gradient(lambda t: float(np.abs(t).sum()), theta, np.sign(theta))
    assert errors == {"theta": pytest.approx(0, abs=1e-9)} and errors.kinks == 2
    words = r"theta\[2\]: analytic 1.5, numeric 1(\.0000\d+)?, step 1e-05: .*f has a kink here"
    with pytest.raises(AssertionError, match=words):
        gradcheck.check_gradient(lambda t: float(np.abs(t).sum()), theta, np.array([0.0, 1, 1.5, -1]))


def test_only_doubtful_coordinates_cost_more():
    calls = []

    def f(t):
        calls.append(1)
        return smooth(t) + max(t[3], 0)

    theta = strategies.normals(0, 18)
    theta[3] = 0
    assert gradcheck.check_gradient(f, theta, smooth_gradient(theta)).kinks == 1
    assert len(calls) <= 2 * 18 + 2 + 13 + 3 * 3


def check_noise_that_is_not_held_fixed(scale):
    """A new draw at every call is neither rounding nor a kink: no gradient agrees."""
    rng, theta = strategies.rng(0), strategies.normals(0, 18)
    for grad in (smooth_gradient(theta), np.zeros(18)):
        with pytest.raises(AssertionError, match="relative error"):
            gradcheck.check_gradient(lambda t: smooth(t) + scale * rng.standard_normal(), theta, grad)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-9])
def test_noise_that_is_not_held_fixed_is_refused(scale):
    check_noise_that_is_not_held_fixed(scale)


def test_a_jump_is_no_kink():
    for derivative in (0.0, 1.0, 1e5):
        assert check_one(lambda t: float(t > 0), 0.0, derivative) is None


def zero_rows(seed, cls=sv.VAE, activation="relu"):
    """A model whose hidden units get exactly 0 from two rows of zeros, for its biases are 0; its data; its noise."""
    rng = np.random.default_rng(seed)
    x, how = rng.integers(0, 2, (10, 6)).astype(float), {"activation": activation, "rng": rng, "dtype": np.float64}
    x[::5] = 0
    data, noise = (x,), {}
    if cls is sv.MADE:
        # Not beside direct connections: for ten rows the last hidden layer then starts at a 5,000th of its size, and
        # its kinks, 1e-8 of a slope, are below what a difference of rounded losses can tell.
        model = sv.MADE(6, (9, 7), direct=False, **how)
    elif cls is sv.Classifier:
        model, data = sv.Classifier(6, (8, 5), 3, **how), (x, np.arange(10) % 3)
    else:
        model, noise = cls(6, (8,), 2, **how), {"eps": rng.standard_normal((3, 10, 2))}
    for name, view in model.named_parameters().items():
        if name.endswith(".b"):
            view[:] = 0
    return model, data, noise


def check_model(model, data, noise):
    """The check's answer for a model whose analytic gradient is its own."""
    grad = (model.loss_and_grad(*data, **noise), model.grad.copy())[1]
    return gradcheck.check_gradient(lambda _: model.loss_and_grad(*data, **noise).loss, model.theta, grad,
                                    model.named_parameters())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cls", [sv.VAE, sv.IWAE, sv.Classifier, sv.MADE])
def test_right_networks_pass_on_rows_of_zeros(cls, seed):
    model, data, noise = zero_rows(seed, cls)
    assert check_model(model, data, noise).kinks >= 5
    sv.fit(model, *data, epochs=5, batch_size=5, rng=np.random.default_rng(seed))
    assert check_model(model, data, noise).kinks < len(model.theta) / 10


PLANTED = [m for m in catalogue.MISTAKES if m.name in (
    "softplus where the derivative has sigmoid", "a ReLU whose backward ignores the mask",
    "fresh noise between forward and backward", "the KL's gradient forgotten", "dz/dlog_var without its 1/2",
    "layers that compute with a copy of theta", "log q's gradient without its -1/2", "dlog p(z)/dz forgotten",
    "weights normalised over examples, not samples")]


@pytest.mark.parametrize("mistake", PLANTED, ids=lambda mistake: mistake.name)
def test_a_planted_mistake_is_refused_on_rows_of_zeros_too(mistake):
    with catalogue.plant(mistake), pytest.raises(AssertionError, match="relative error"):
        check_model(*zero_rows(0, sv.IWAE if mistake.topic == "multi-sample bound" else sv.VAE))


@pytest.mark.parametrize("tensor", ["encoder.0.W", "encoder.0.b", "encoder.2.W", "decoder.0.b", "decoder.2.W"])
@pytest.mark.parametrize("wrong", [lambda g: 1.1 * g, lambda g: -g, lambda g: 0 * g, lambda g: g[::-1]])
def test_a_wrong_tensor_is_named_on_rows_of_zeros_too(tensor, wrong):
    model, data, noise = zero_rows(1)
    model.loss_and_grad(*data, **noise)
    grad, start = model.grad.copy(), 0
    for name, view in model.named_parameters().items():
        if name == tensor:
            grad[start:start + view.size] = wrong(grad[start:start + view.size])
        start += view.size
    with pytest.raises(AssertionError, match=re.escape(tensor) + r"\["):
        gradcheck.check_gradient(lambda _: model.loss_and_grad(*data, **noise).loss, model.theta, grad,
                                 model.named_parameters())


# ---- rounding ----------------------------------------------------------------------------------------------------

def check_near_an_optimum():
    """Gradients of 3e-5 beside a loss of hundreds: right code passes, one percent of a gradient too much does not."""
    theta = 1 + 3e-5 * np.array([1.0, -1.0, 0.3])
    for level in (0.1, 20.3, 500.3, -500.3):
        def f(t):
            return level + float(((t - 1) ** 2).sum() / 2)

        assert gradcheck.check_gradient(f, theta, theta - 1).kinks == 0
        for wrong in (0 * theta, 0.5 * (theta - 1), 1.01 * (theta - 1), 1 - theta):
            with pytest.raises(AssertionError, match="relative error"):
                gradcheck.check_gradient(f, theta, wrong)


def test_near_an_optimum():
    check_near_an_optimum()


def test_steps_that_are_too_large_or_too_small():
    """A large step's curvature is taken away, and is no kink; a tiny step's rounding is not excused."""
    def f(t):
        return float(np.sin(t).sum()) + 3

    theta = np.array([0.0, 0.4])
    assert gradcheck.check_gradient(f, theta, np.cos(theta), h=3e-3).kinks == 0
    theta = strategies.normals(0, 18)
    for h in (0.1, 1e-10, 1e-11):
        with pytest.raises(AssertionError, match=f"step {h:g}: relative error"):
            gradcheck.check_gradient(smooth, theta, smooth_gradient(theta), h=h)


def test_a_loss_near_zero_of_large_terms_has_their_rounding():
    x, theta = np.linspace(3, 4, 997), np.array([3.5, 0.2])

    def f(t):  # terms of 1e5 that cancel
        return float(np.sum(100 * np.cos(x * t[0])) - np.sum(100 * np.cos(x * 3.5)) + 1e-6 * t[1])

    grad = np.array([-np.sum(100 * x * np.sin(x * 3.5)), 1e-6])
    assert abs(f(theta)) < 1 and gradcheck.rounding(f, theta) > 1e-13
    gradcheck.check_gradient(f, theta, grad, {"a": theta[:1], "b": theta[1:]})


def test_rounding_is_measured():
    """Within a factor of 3 of the scatter about a fitted line, and never beyond a thousand times eps |f|."""
    theta = strategies.normals(0, 5)
    for f in (lambda t: float(np.exp(t).sum()), lambda t: float(np.log(np.exp(20 * t).sum()))):
        steps = np.arange(200) * 1e-9
        values = [f(theta + step) for step in steps]
        scatter = np.std(values - np.polyval(np.polyfit(steps * 1e7, values, 2), steps * 1e7))
        bits = theta.tobytes()
        assert scatter / 3 < gradcheck.rounding(f, theta) < 6 * max(scatter, np.finfo(float).eps * abs(values[0]))
        assert theta.tobytes() == bits
    assert gradcheck.rounding(lambda t: abs(t[0] - 3.5e-8) + 7, np.zeros(1)) < 1e-14  # a kink on the way is none
    random = strategies.rng(0)
    assert gradcheck.rounding(lambda t: random.normal(), theta) < 1e-12


@pytest.mark.parametrize("build", [
    lambda rng: (sv.Classifier(6, (), 3, rng=rng, dtype=np.float64), (np.arange(40) % 3,)),
    lambda rng: (sv.FVBN(6, l2=0.01, rng=rng, dtype=np.float64), ())])
def test_models_at_their_optimum(build):
    """What is convex is descended until its gradient is below 3e-5; the check accepts it, and refuses a zero for it."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (40, 6)).astype(float)
    model, labels = build(rng)
    while model.loss_and_grad(x, *labels) and np.abs(model.grad).max() > 3e-5:
        model.theta -= 0.5 * model.grad
    assert check_model(model, (x, *labels), {}).kinks == 0
    with pytest.raises(AssertionError, match="relative error"):
        gradcheck.check_gradient(lambda _: model.loss_and_grad(x, *labels).loss, model.theta, 0 * model.theta)


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
    np.testing.assert_allclose(
        visited, [[-300, 0.5], [-299.7, 0.5], [-300.3, 0.5], [-300, 0.501], [-300, 0.499]], rtol=1e-12)


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
    (np.ones(3), np.ones(4), ValueError, r"grad: want shape \(3,\), got \(4,\)"),
    (np.ones((3, 1)), np.ones((3, 1)), ValueError, r"theta: want shape \(P,\), got \(3, 1\)"),
    (np.ones(0), np.ones(0), ValueError, "theta: got an empty array"),
    ([1.0, 2.0], np.ones(2), TypeError, "theta: want a vector"),
    (np.ones(2), [1.0, 2.0], TypeError, "grad: want a vector"),
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


@pytest.mark.parametrize("offset", [1e6, -1e8])
def test_a_function_whose_rounding_hides_its_derivative_is_said_so(offset):
    theta, slope = np.zeros(2), np.array([1e-3, 2e-3])
    for grad in (slope, 1.1 * slope):
        with pytest.raises(AssertionError, match="^f: rounding in its value"):
            sv.check_gradient(lambda t: offset + slope @ t, theta, grad)
    sv.check_gradient(lambda t: 10 + slope @ t, theta, slope)
    with pytest.raises(AssertionError, match="relative error"):
        sv.check_gradient(lambda t: 10 + slope @ t, theta, 1.01 * slope)
