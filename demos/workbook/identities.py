"""What must be true of a function, whatever else it is? Identities in words, each with the numbers that break it.

The last resort of a diagnosis, where nothing else explains an answer; the tests ask them of the library's own functions.
An identity takes the function and gives what came out and what must, two numbers or arrays.
"""
import numpy as np

from demos.workbook.calls import close
from scratchvae.probability import gaussian, inference

TRUE_OF = {}  # blank -> ((words, identity), ...)


def of(name, words):
    def keep(identity):
        TRUE_OF.setdefault(name, []).append((words, identity))
        return identity
    return keep


def broken(name, function):
    """The first identity that `function` breaks, in words with its numbers; or None."""
    for words, identity in TRUE_OF.get(name, ()):
        try:
            with np.errstate(all="ignore"):
                got, want = (np.asarray(each, dtype=float) for each in identity(function))
        except Exception:  # it may give something that has no sum, or nothing
            continue
        if not close(got, want, 1e-5):
            if max(got.size, want.size) > 4:
                return f"{words}: here it is not"
            return f"{words}: here it is {written(got)}, not {written(want)}"
    return None


def written(array):
    """A few numbers as text."""
    numbers = ", ".join(f"{number:.6g}" for number in np.ravel(array))
    return numbers if np.size(array) == 1 else f"({numbers})"


def slope(f, at, h=1e-5):
    """The derivative of a function of one array, number by number, by central differences."""
    out = np.empty(at.size)
    for i in range(at.size):
        e = np.zeros(at.size)
        e[i] = h
        out[i] = (f(at + e.reshape(at.shape)) - f(at - e.reshape(at.shape))) / (2 * h)
    return out.reshape(at.shape)


MU, LOG_VAR = np.array([[0.7, -1.2]]), np.array([[-0.4, 0.9]])
P, Q = np.array([0.2, 0.5, 0.3]), np.array([0.6, 0.1, 0.3])

of("bayes", "the posterior sums to 1")(lambda f: (f(P, Q)[0].sum(), 1))
of("bayes", "where all hypotheses explain alike the posterior is the prior")(lambda f: (f(P, np.full(3, 0.4))[0], P))
of("update", "the first row is the prior")(lambda f: (f(P, np.log([Q, P]))[0], P))
of("update", "every row sums to 1")(lambda f: (f(P, np.log([Q, P])).sum(axis=1), np.ones(3)))
of("update", "each row is Bayes' rule on the row above")(
    lambda f: (f(P, np.log([Q]))[-1], np.asarray(inference.bayes(P, Q).posterior)))
of("gaussian_mle", "a shift of all values shifts the mean, and leaves the variance")(
    lambda f: (np.stack(f(MU.T + 3)), np.stack(f(MU.T)) + [[3], [0]]))
of("gaussian_mle", "the mean is the sum over the number")(lambda f: (f(np.array([[1.0], [2], [9]]))[0], [4]))
of("gaussian_mle", "the values -1 and 1 have the variance 1")(lambda f: (f(np.array([[1.0], [-1]]))[1], [1]))
of("gaussian_posterior", "without data, n = 0, it is the prior")(
    lambda f: (f(0, 3.0, 0.5, inference.Normal(0.2, 1.7)), (0.2, 1.7)))
of("gaussian_posterior", "one value as sure as the prior meets it half way")(
    lambda f: (f(1, 3.0, 2.0, inference.Normal(1.0, 2.0)), (2, 1)))
of("kl_table", "KL(p || p) = 0")(lambda f: (f(P, P), 0))
of("kl_table", "KL of (1/2, 1/2) from (1/4, 3/4) is 0.1438")(lambda f: (f(np.ones(2) / 2, np.array([0.25, 0.75])),
    0.14384103622589))
of("log_prob", "at x = mu with sigma = 1 it is -1/2 log 2 pi a dimension")(
    lambda f: (f(MU, MU, 0 * MU), [-np.log(2 * np.pi)]))
of("log_prob", "N(x; 0, 1) falls by 1/2 from x = 0 to x = 1")(
    lambda f: (f(np.zeros(1), np.zeros(1), np.zeros(1)) - f(np.ones(1), np.zeros(1), np.zeros(1)), 0.5))
of("log_prob", "the density integrates to 1")(lambda f: (
    sum(np.exp(f(np.array([x]), np.array([0.3]), np.array([-0.8]))) for x in np.linspace(-7, 7, 1401)) * 0.01, 1))
of("kl_standard", "it is 0 for mu = 0 and log_var = 0")(lambda f: (f(0 * MU, 0 * MU), [0]))
of("kl_standard", "for mu = 2 and log_var = 0, in one dimension, it is 2")(lambda f: (f(np.full((1, 1), 2.0),
    np.zeros((1, 1))), [2]))
of("kl_standard", "dimensions add up")(lambda f: (f(MU, LOG_VAR), f(MU[:, :1], LOG_VAR[:, :1]) + f(MU[:, 1:],
    LOG_VAR[:, 1:])))
of("kl_standard", "it is even in mu")(lambda f: (f(-MU, LOG_VAR), f(MU, LOG_VAR)))
of("kl_standard_grad", "the first is the slope of kl_standard in mu")(
    lambda f: (f(MU, LOG_VAR)[0], slope(lambda m: gaussian.kl_standard(m, LOG_VAR)[0], MU)))
of("kl_standard_grad", "the second is the slope of kl_standard in log_var")(
    lambda f: (f(MU, LOG_VAR)[1], slope(lambda v: gaussian.kl_standard(MU, v)[0], LOG_VAR)))
of("kl", "it is 0 for two that are the same")(lambda f: (f(MU, LOG_VAR, MU, LOG_VAR), [0]))
of("kl", "for a standard prior it is kl_standard")(lambda f: (f(MU, LOG_VAR, 0 * MU, 0 * MU), gaussian.kl_standard(MU,
    LOG_VAR)))
of("kl", "dimensions add up")(lambda f: (f(MU, LOG_VAR, LOG_VAR, MU), f(*(a[:, :1] for a in (MU, LOG_VAR, LOG_VAR, MU)))
                                         + f(*(a[:, 1:] for a in (MU, LOG_VAR, LOG_VAR, MU)))))
of("sigmoid", "at 0 it is 1/2")(lambda f: (f(np.zeros(1)), [0.5]))
of("sigmoid", "sigmoid(a) + sigmoid(-a) = 1, as for a = 0.7")(lambda f: (f(np.array([0.7])) + f(np.array([-0.7])), [1]))
of("sigmoid", "at 1 it is 0.731")(lambda f: (f(np.ones(1)), [0.7310585786]))
of("bernoulli_terms", "p(x = 0) + p(x = 1) = 1, for the logit 0.7")(
    lambda f: (sum(np.exp(f(np.full((1, 1), x), np.full((1, 1), 0.7))[0][0]) for x in (0.0, 1.0)), 1))
of("bernoulli_terms", "the second is the slope of the first in a")(
    lambda f: (f(np.round(P)[None], MU @ np.ones((2, 3)))[1], slope(lambda a: f(np.round(P)[None], a)[0][0],
                                                                    MU @ np.ones((2, 3)))))
of("softmax_terms", "the probabilities of a row sum to 1")(lambda f: (f(np.stack([P, 9 * Q]))[0].sum(axis=1), [1, 1]))
of("softmax_terms", "the second is the logarithm of the first")(lambda f: (f(Q[None])[1], np.log(f(Q[None])[0])))
of("softmax_terms", "two logits that differ by log 3 have the probabilities 1/4 and 3/4")(
    lambda f: (f(np.array([[0, np.log(3)]]))[0], [[0.25, 0.75]]))
of("reparameterize", "for eps = 0 it is mu")(lambda f: (f(MU, LOG_VAR, 0 * MU), MU))
of("reparameterize", "with eps = 1 it lies sigma = exp(log_var / 2) from mu, as for mu = 0 and log_var = log 4")(
    lambda f: (f(np.zeros((1, 1)), np.full((1, 1), np.log(4)), np.ones((1, 1))), [[2]]))
of("reparameterize_grad", "the first is the slope of z in mu, times dz")(
    lambda f: (f(MU[None], LOG_VAR, P[None, None, :2])[0], MU))
of("reparameterize_grad", "the second is the slope of z in log_var, times dz")(
    lambda f: (f(MU[None], LOG_VAR, P[None, None, :2])[1],
               slope(lambda v: np.sum(MU * gaussian.reparameterize(0 * MU, v, P[None, :2])), LOG_VAR)))
ONE = np.ones((1, 1))
for name in ("Tanh.backward", "Sigmoid.backward"):
    of(name, "where dy is 0, dx is 0")(lambda f: (f(None, 0 * ONE, 0.5 * ONE), [[0]]))
of("Tanh.backward", "where y is 0 the slope is 1: dx is dy, as 2")(lambda f: (f(None, 2 * ONE, 0 * ONE), [[2]]))
of("Tanh.backward", "where y is 1/2 the slope is 3/4")(lambda f: (f(None, ONE, 0.5 * ONE), [[0.75]]))
of("Sigmoid.backward", "where y is 1/2 the slope is 1/4")(lambda f: (f(None, ONE, 0.5 * ONE), [[0.25]]))
of("Sigmoid.backward", "where y is 1/4 the slope is 3/16")(lambda f: (f(None, ONE, 0.25 * ONE), [[0.1875]]))
of("ReLU.backward", "where the mask is 1, dx is dy, as 2")(lambda f: (f(None, 2 * ONE, ONE > 0), [[2]]))
of("ReLU.backward", "where the mask is 0, dx is 0")(lambda f: (f(None, 2 * ONE, ONE < 0), [[0]]))
of("Sigmoid.forward", "at 0 y is 1/2")(lambda f: (f(None, 0 * ONE)[0], [[0.5]]))
of("Sigmoid.forward", "at 1 y is 0.731")(lambda f: (f(None, ONE)[0], [[0.7310585786]]))
of("log_mean_exp", "of equal numbers it is that number")(lambda f: (f(np.full((3, 1), -1.5)), [-1.5]))
of("log_mean_exp", "of 0 and log 3 it is log 2")(lambda f: (f(np.array([[0.0], [np.log(3)]])), [np.log(2)]))
of("shares", "they sum to 1 over the samples")(lambda f: (f(np.stack([P, Q])).sum(axis=0), np.ones(3)))
of("shares", "weights of 1 and 3 have the shares 1/4 and 3/4")(lambda f: (f(np.array([0, np.log(3)])), [0.25, 0.75]))
of("effective_sample_size", "S equal weights count as S, as 5")(lambda f: (f(np.full((5, 1), -0.3)), [5]))
of("effective_sample_size", "where one weight has all it is 1")(lambda f: (f(np.array([[0.0], [-700], [-700]])), [1]))
of("order_mask", "a pixel does not see itself: the diagonal is 0")(lambda f: (np.diag(f(np.array([1, 2, 0]))),
    np.zeros(3)))
of("order_mask", "of each two pixels one sees the other: D (D - 1)/2 ones, 3 for D = 3")(
    lambda f: (np.sum(f(np.array([1, 2, 0]))), 3))
of("compress", "0 stays 0, and 1 stays 1")(lambda f: (f(np.array([0.0, 1.0])), [0, 1]))
of("compress", "x = 1/255 with mu = 255 gives 1/8")(lambda f: (f(np.array([1 / 255])), [0.125]))
of("compress", "it is odd")(lambda f: (f(np.array([-0.3])), -f(np.array([0.3]))))
of("expand", "0 stays 0, and 1 stays 1")(lambda f: (f(np.array([0.0, 1.0])), [0, 1]))
of("expand", "y = 1/8 with mu = 255 gives 1/255")(lambda f: (f(np.array([0.125])), [1 / 255]))
of("expand", "it is odd")(lambda f: (f(np.array([-0.3])), -f(np.array([0.3]))))
of("quantize", "the lowest y has the code 0, the highest the last one")(lambda f: (f(np.array([-1.0, 1.0]), 8), [0, 7]))
of("quantize", "y = 0.3 lies in the sixth of eight steps, whose code is 5")(lambda f: (f(np.array([0.3]), 8), [5]))
of("expectation", "the responsibilities of a code sum to 1")(
    lambda f: (f(MU, np.array([0.4, 0.6]), np.stack([P[:2], Q[:2]]), np.stack([np.eye(2)] * 2))[0].sum(axis=1), [1]))
of("maximisation", "the weights sum to 1")(lambda f: (f(np.stack([P, Q]), np.array([[0.3, 0.7], [0.6, 0.4]]),
                                                        np.eye(3))[0].sum(), 1))
of("maximisation", "one component has the mean of all codes")(
    lambda f: (f(np.stack([P, Q]), np.ones((2, 1)), np.eye(3))[1], [(P + Q) / 2]))
of("maximisation", "one component has the covariance of all codes, with the denominator N, and the floor")(
    lambda f: (f(np.stack([P, Q]), np.ones((2, 1)), np.eye(3))[2], [np.cov(np.stack([P, Q]).T, ddof=0) + np.eye(3)]))
of("centred", "all rows of the training points' own matrix sum to 0")(
    lambda f: (f(np.array([[2.0, 1], [1, 3]]), np.array([1.5, 2]), 1.75).sum(axis=1), [0, 0]))
