"""Is backward the derivative of forward? Numerical derivatives, and what to compare them with.

The central difference (f(t + h) - f(t - h)) / 2h has an error of f''' h^2 / 6 from the formula and of about
|f| 1e-16 / h from rounding. They balance near h = 1e-5 in float64, which leaves about ten digits.

What a gradient check cannot see: whether forward is the mathematics. A sampler that scales its noise by the variance
instead of the standard deviation, with a backward that agrees, passes. Identities, closed forms and planted mistakes are
for that: see the tests.
"""
import numpy as np

from scratchvae.checking import finite, function, number


def numerical_gradient(f, theta, h=1e-5):
    """df/dtheta by central differences, one coordinate at a time: 2 P evaluations of f.

        df/dt_i = (f(t + h_i e_i) - f(t - h_i e_i)) / 2 h_i        h_i = h max(1, |t_i|)

    theta : (P,) float64, moved in place and put back bit for bit, so that f may read it or a model may hold it.
    """
    numeric = np.empty_like(theta)
    for i, value in enumerate(theta):
        step = h * max(1.0, abs(value))
        try:
            theta[i] = value + step
            above, up = f(theta), theta[i]
            theta[i] = value - step
            below, down = f(theta), theta[i]
        finally:
            theta[i] = value
        numeric[i] = (above - below) / (up - down)  # the step that was really taken, after rounding
    return numeric


def relative_errors(analytic, numeric, names=None, floor=1e-3):
    """Tensor name -> max |a - n| / (max |a| + max |n|), the maxima taken over the tensor.

    `names` maps each name to an array (only its size and order count), as `model.named_parameters()` does. `floor`
    is the smallest denominator: where the true gradient is zero, the numerical one's rounding, about |f| 1e-11, is
    not an error of 1.
    """
    names = {"theta": analytic} if names is None else names
    errors, start = {}, 0
    for name, view in names.items():
        a, n = (g[start:start + view.size] for g in (analytic, numeric))
        with np.errstate(invalid="ignore"):  # NaN is an error that fails every tolerance
            errors[name] = float(np.abs(a - n).max() / max(np.abs(a).max() + np.abs(n).max(), floor))
        start += view.size
    if start != analytic.size:
        raise ValueError(f"names: its tensors hold {start} numbers, grad has {analytic.size}")
    return errors


@finite("f", "theta", "h")
def check_gradient(f, theta, grad, names=None, *, h=1e-5, tolerance=1e-7, floor=1e-3):
    """Compare `grad` with the central difference of `f` at `theta`, tensor by tensor.

    f : theta -> float, with all randomness held fixed      theta, grad : (P,) float64
    names : tensor name -> array, as `model.named_parameters()`; one tensor "theta" by default
    returns : tensor name -> relative error (see `relative_errors`)
    AssertionError where an error is not below `tolerance`, with the tensor, worst index, both values and the step.
    """
    for name, array in (("theta", theta), ("grad", grad)):
        is_vector = isinstance(array, np.ndarray) and array.ndim == 1 and array.size > 0
        if not is_vector or array.shape != getattr(theta, "shape", None):
            got = [a.shape if isinstance(a, np.ndarray) else type(a).__name__ for a in (array, theta)]
            raise ValueError(f"{name}: want a vector (P,), got {got[0]} beside theta {got[1]}")
        if array.dtype != np.float64:
            raise TypeError(f"{name}: want float64, in which a central difference has ten digits, got {array.dtype}")
    if not theta.flags.writeable or not np.isfinite(theta).all():
        raise ValueError("theta: want finite numbers that can be moved and put back; it has others, or is read-only")
    function("f", f)
    tolerance, floor = number("tolerance", tolerance), number("floor", floor, open_low=True)
    analytic = grad.copy()  # f may overwrite grad
    if np.ndim(value := f(theta)):
        raise ValueError(f"f: want one number for a theta, got {type(value).__name__} of shape {np.shape(value)}")
    numeric = numerical_gradient(f, theta, number("h", h, open_low=True))
    names = {"theta": theta} if names is None else names
    if not isinstance(names, dict) or not all(isinstance(view, np.ndarray) for view in names.values()):
        raise TypeError(f"names: want tensor name -> array, as model.named_parameters() gives, got {names!r}")
    errors = relative_errors(analytic, numeric, names, floor)
    start = 0
    for name, view in names.items():
        a, n = (g[start:start + view.size] for g in (analytic, numeric))
        start += view.size
        if not errors[name] < tolerance:  # so that NaN fails
            worst = int(np.argmax(np.abs(a - n)))
            index = tuple(int(i) for i in np.unravel_index(worst, view.shape))
            raise AssertionError(
                f"{name}{list(index)}: analytic {a[worst]:.12g}, numeric {n[worst]:.12g}, step {h:g}: "
                f"relative error of the tensor {errors[name]:.2e}, want below {tolerance:g}")
    return errors
