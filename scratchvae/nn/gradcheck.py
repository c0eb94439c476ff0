"""Is backward the derivative of forward? Numerical derivatives, and what to compare them with.

The central difference (f(t + h) - f(t - h)) / 2h has an error of f''' h^2 / 6 from the formula and of about
|f| 1e-16 / h from rounding. They balance near h = 1e-5 in float64, which leaves about ten digits.

It is the mean of two slopes, (f(t) - f(t - h)) / h to the left and (f(t + h) - f(t)) / h to the right. Where f is
smooth their gap is f'' h: with a hundredth of the step a hundredth of it is left. At a kink, as that of a ReLU, it
stays; or it goes and the mean moves as far, then the kink lies beside t. At a kink there is no derivative to compare
with, but a number between the slope to the left and that to the right is right. (Where kinks of opposite sign meet, as
behind a code of exactly 0, the chain rule need not give such a number, and is refused there: check beside it.)

What a gradient check cannot see: whether forward is the mathematics. A sampler that scales its noise by the variance
instead of the standard deviation, with a backward that agrees, passes. Identities, closed forms and planted mistakes
are for that: see the tests.
"""
import numpy as np

from scratchvae.checking import door, doubles, function, number, positive, real_array, tensors, writeable

CLOSER = 0.01   # the step of a second look, as a share of the first
SIGMAS = 10.0   # how many standard deviations of rounding are no error: the largest among P numbers stays below it


@door("f", "theta", "h", theta=lambda name, value: writeable(name, real_array(name, doubles(name, value))),
      grad=lambda name, value, theta: doubles(name, value, len(theta)).copy(),  # f may overwrite grad
      names=tensors, f=function, h=positive, tolerance=number, floor=positive)
def check_gradient(f, theta, grad, names=None, *, h=1e-5, tolerance=1e-7, floor=1e-3):
    """Compare `grad` with the central difference of `f` at `theta`, tensor by tensor.

    f : theta -> float, with all randomness held fixed      theta, grad : (P,) float64
    names : tensor name -> array, as `model.named_parameters()`; one tensor "theta" by default
    returns : tensor name -> relative error (see `relative_errors`), and as `.kinks` how many kinks of f were met; at a
    kink the error is the distance to the slopes between left and right. What rounding in f explains is no error.
    AssertionError where an error is not below `tolerance`, with the tensor, worst index, both values and the step; and
    where rounding in f, or the `floor` of the errors' denominators, could hide a hundredth of the largest derivative.
    """
    slope = slopes(f, theta, h)
    numeric, at_kink, floor = look_again(f, theta, h, grad, slope, names, tolerance, floor)
    errors = relative_errors(grad, numeric, names, floor)
    for name, (a, n, kink) in by_tensor(names, grad, numeric, at_kink).items():
        if not errors[name] < tolerance:  # so that NaN fails
            worst = int(np.argmax(np.abs(a - n)))
            index = [int(i) for i in np.unravel_index(worst, names[name].shape)]
            raise AssertionError(
                f"{name}{index}: analytic {a[worst]:.12g}, numeric {n[worst]:.12g}, step {h:g}: relative error of the "
                f"tensor {errors[name]:.2e}, want below {tolerance:g}"
                + ("; f has a kink here, and of its slopes this one is the nearest" if kink[worst] else ""))
    refuse_hidden(f, theta, h, grad, numeric, tolerance * floor, floor)
    return GradientErrors(errors, at_kink.sum())


class GradientErrors(dict):
    """Tensor name -> relative error; `kinks` is the number of coordinates with a kink of f within the step."""

    def __init__(self, errors, kinks):
        super().__init__(errors)
        self.kinks = int(kinks)


def slopes(f, theta, h=1e-5, where=None):
    """The slopes of f to the left and to the right of theta, along every coordinate or those in `where`: (2, P).

        (f(t) - f(t - h_i e_i)) / h_i        (f(t + h_i e_i) - f(t)) / h_i        h_i = h max(1, |t_i|)

    theta : (P,) float64, moved in place and put back bit for bit, so that f may read it or a model may hold it.
    """
    where = range(len(theta)) if where is None else where
    both, here = np.empty((2, len(where))), one_number(f(theta))
    left, right = both
    for k, i in enumerate(where):
        value = theta[i]
        step = h * max(1.0, abs(value))
        try:
            theta[i] = value + step
            right[k] = (f(theta) - here) / (theta[i] - value)  # the step that was really taken, after rounding
            theta[i] = value - step
            left[k] = (here - f(theta)) / (value - theta[i])
        finally:
            theta[i] = value
    return both


def numerical_gradient(f, theta, h=1e-5):
    """df/dtheta (P,) by central differences, one coordinate at a time: 2 P + 1 evaluations of f.

        df/dt_i = (f(t + h_i e_i) - f(t - h_i e_i)) / 2 h_i, the mean of the two slopes
    """
    return slopes(f, theta, h).mean(axis=0)


def one_number(value):
    """`value`, if it is what f must give for a theta."""
    if np.ndim(value):
        raise ValueError(f"f: want one number for a theta, got {type(value).__name__} of shape {np.shape(value)}")
    return value


def relative_errors(analytic, numeric, names=None, floor=1e-3):
    """Tensor name -> max |a - n| / (max |a| + max |n|), the maxima taken over the tensor.

    `names` maps each name to an array (only its size and order count), as `model.named_parameters()` does. `floor`
    is the smallest denominator: where the true gradient is zero, the numerical one's rounding is not an error of 1.
    """
    parts = by_tensor({"theta": analytic} if names is None else names, analytic, numeric)
    with np.errstate(invalid="ignore"):  # NaN is an error that fails every tolerance
        return {name: float(np.abs(a - n).max() / size_of(a, n, floor)) for name, (a, n) in parts.items()}


def by_tensor(names, *vectors):
    """Tensor name -> its part of each vector (P,), in the order of `names`, whose arrays say how long they are."""
    starts = np.cumsum([0, *(view.size for view in names.values())])
    if starts[-1] != len(vectors[0]):
        raise ValueError(f"names: its tensors hold {starts[-1]} numbers, grad has {len(vectors[0])}")
    return dict(zip(names, zip(*(np.split(vector, starts[1:-1]) for vector in vectors))))


def size_of(a, n, floor):
    """max |a| + max |n|, or the floor if that is larger."""
    return max(np.abs(a).max() + np.abs(n).max(), floor)


# ---- second looks: where a kink or rounding may be all that is wrong ----------------------------------------------

def look_again(f, theta, h, analytic, slope, names, tolerance, floor):
    """numeric (P,), at_kink (P,) bool and a floor, from the two slopes (2, P): right where the difference is not.

    Looked at again is where it differs from the analytic derivative, or its two slopes from each other; the floor rises
    where rounding in f is large beside the step.
    """
    numeric, at_kink = slope.mean(axis=0), np.zeros(len(theta), bool)
    parts = by_tensor(names, analytic, numeric).values()
    size = np.concatenate([np.full(len(a), size_of(a, n, floor)) for a, n in parts])
    doubtful = np.flatnonzero((np.abs(analytic - numeric) >= tolerance * size) | (np.ptp(slope, axis=0) > 0.01 * size))
    if len(doubtful):
        noise = SIGMAS * rounding(f, theta)
        if noise / max(h, 1e-6) > 0.01 * size.max():
            raise AssertionError(f"f: rounding in its value adds up to {noise / h:.2g} to a slope, and the largest "
                                 f"derivatives are of size {size.max():.2g}; want smaller values of f, or a larger h")
        numeric[doubtful], at_kink[doubtful] = second_look(doubtful, f, theta, h, analytic, slope, noise / h)
        floor = max(floor, noise / max(h, 1e-6) / tolerance)  # a step smaller still pays for its rounding itself
    return numeric, at_kink, floor


def second_look(where, f, theta, h, analytic, slope, noise):
    """The derivatives of f along the coordinates `where`, the nearest to the analytic ones; whether f has a kink there.

    No kink: the central difference n_h, or (4 n_h - n_2h) / 3, whose error falls with h^4. A kink: with a hundredth of
    the step the two slopes are still apart, or their mean is another; then all between them, each taken without its
    curvature as 2 s_(h/2) - s_h. Slopes further apart than before are a jump's, or of noise that is not held fixed.
    noise : what rounding may add to n_h
    """
    a, n_h, gap = analytic[where], slope[:, where].mean(axis=0), np.ptp(slope[:, where], axis=0)
    wide, near, half = (slopes(f, theta, share * h, where) for share in (2, CLOSER, CLOSER / 2))
    n_2h, n_near, near_gap, noise = wide.mean(axis=0), near.mean(axis=0), np.ptp(near, axis=0), noise / CLOSER
    better = (4 * n_h - n_2h) / 3
    moved = (np.abs(n_near - n_h) > CLOSER * gap + noise) & (np.abs(n_near - better) > noise)
    kink = (moved | (near_gap > 2 * CLOSER * gap + noise)) & (near_gap < 2 * gap + noise)
    low, high = np.sort(2 * half - near, axis=0)
    smooth = np.where(np.abs(a - better) < np.abs(a - n_h), better, n_h)
    return np.where(kink, np.clip(a, low - 2 * noise, high + 2 * noise), smooth), kink


def refuse_hidden(f, theta, h, analytic, numeric, hidden, floor):
    """Nothing, but where all derivatives, though not 0, are too small to compare: below a hundred `hidden` errors."""
    a, n = np.abs(analytic).max(), np.abs(numeric).max()
    if max(a, n) < floor:
        noise = SIGMAS * rounding(f, theta)
        hidden = max(hidden, noise / h)
        if max(a, h * n) > noise and max(a, n) < 100 * hidden:  # else they are as good as 0
            raise AssertionError(f"f: nothing was compared: its largest derivative is {max(a, n):.2g}, beside which "
                                 f"errors of {hidden:.2g} pass; multiply f by a constant, lower `floor`, or take from "
                                 "f what is large and does not change")


def rounding(f, theta):
    """The standard deviation of the rounding error in f(theta): how far from a cubic f is where a cubic it must be.

    The median of |fourth differences| along a line, 1e-8 a step; they weigh rounding by sqrt(1 + 16 + 36 + 16 + 1).
    Never taken for less than eps |f|, nor for more than a thousand times that: what scatters more is no rounding.
    Source: More & Wild 2011.
    """
    kept, values = theta.copy(), []
    try:
        for k in range(13):
            theta[:] = kept + 1e-8 * k * np.maximum(1.0, np.abs(kept))
            values.append(f(theta))
    finally:
        theta[:] = kept
    size, eps = np.abs(values).max(), np.finfo(np.float64).eps
    return np.clip(np.median(np.abs(np.diff(values, 4))) / (0.67 * 70 ** 0.5), eps * size, 1e3 * eps * max(1.0, size))
