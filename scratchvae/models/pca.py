"""Which flat subspace lies closest to the data? Principal component analysis by the singular value decomposition.

Centre the data, X_c = X - mean, and look for an orthonormal basis B (D, k) that loses least when the centred rows x_n
are projected on it. Because |x|^2 = |x B|^2 + |x - x B B^T|^2 (Pythagoras), losing least is keeping most variance:

    min_B sum_n |x_n - x_n B B^T|^2   <=>   max_B trace(B^T X_c^T X_c B)

With X_c = U S V^T, X_c^T X_c = V S^2 V^T, and the trace is largest when B spans the first k columns of V (Ky Fan):
what is kept is S_1^2 + ... + S_k^2, what is lost the sum of the other squared singular values (Eckart & Young 1936).

The N x N factor U is never formed. Two ways lead to S and V from something small:

    "svd"          X_c = Q R with orthonormal Q: X_c and the triangle R (D, D) share S and V. The most accurate.
    "covariance"   X_c^T X_c = V S^2 V^T (D, D), an eigenvalue problem. Several times faster, but it squares the
                   singular values: those below sqrt(D precision) of the largest are lost, and given as 0.

Both work in float64, a block of rows at a time; only what is kept is rounded to X's dtype. (Squares in float32
would take two thirds of the covariance's time, but leave small variances five digits, and data below 1e-19 none.)

All that PCA must know of the rows it has seen is how many they were, their mean, and S V^T, which has the same scatter
as they. So more rows can come later, by `partial_fit`: with d the difference of the means of two parts of N and M rows,

    scatter of both = scatter of one + scatter of the other + N M / (N + M) d d^T       (Chan, Golub & LeVeque 1979)
"""
from collections import namedtuple

import numpy as np

from scratchvae.checking import (a_bool, choice, door, float_matrix, integer, matrix, number, optional, reals,
                                 row_blocks)
from scratchvae.models.fit_once import fitted, options, points, several_rows
from scratchvae.models.linear_gaussian import SpikedGaussian
from scratchvae.nn.threads import ONE_THREAD, by_two, halves, one_thread
from scratchvae.probability.gaussian import means

EPS = np.finfo(np.float64).eps
Seen = namedtuple("Seen", "n mean root")  # of rows: how many, their mean (D,), S V^T (r, D), in float64


def more_rows(name, value, self):
    """`value` as floats, as wide as the rows before, if there were any."""
    if hasattr(self, "components_") and self._seen is None:
        raise ValueError(f"{name}: this PCA was fitted by `fit`, which keeps nothing to go on from; begin a new one "
                         "with `partial_fit`")
    return float_matrix(name, value, self._seen and len(self._seen.mean))


def count_or_share(name, value):
    """`value` as a number of components; or, a float in (0, 1), as the share of the variance that they must keep."""
    if is_share(value):
        return number(name, value, 0, 1, open_low=True, open_high=True)
    return integer(name, value)


is_share = lambda n_components: isinstance(n_components, (float, np.floating))
codes = lambda name, value, self: float_matrix(name, value, self.components_.shape[0])   # (N, k)


class PCA(SpikedGaussian):
    """The k directions of largest variance, in scikit-learn's names.

    n_components : k; None for all min(N, D); or a share in (0, 1), for the fewest that keep more of the variance
    whiten : codes are divided by their standard deviations (by 1 where that is 0), so that each has the variance 1
    solver : "svd", or "covariance", for N far above D (see the module's docstring; `python -m demos speed` has both)

    After `fit(X)`, X : (N, D), N >= 2:
        mean_ (D,)    components_ (k, D), orthonormal rows, the largest absolute entry of each positive
        singular_values_ (k,), 0 where nothing but rounding is left    explained_variance_ (k,) = S^2 / (N - 1)
        explained_variance_ratio_ (k,)    noise_variance_ : mean of the discarded variances, 0 if there are none
        n_samples_, n_features_in_, n_components_ : N, D, k
    float32 stays float32; anything else is computed in float64.

    >>> PCA(1).fit([[0, 0], [1, 1], [3, 3]]).components_
    array([[0.70710678, 0.70710678]])
    """

    FITTED = {"mean_": "D", "components_": "kD", "singular_values_": "k", "explained_variance_": "k",
              "explained_variance_ratio_": "k", "noise_variance_": "", "n_samples_": ""}
    _seen = None  # by `partial_fit`
    n_components_ = property(lambda self: len(self.components_))  # k, however it was asked for

    @options(n_components=optional(count_or_share), whiten=a_bool,
             solver=lambda name, value: choice(name, value, list(SOLVERS)))
    def __init__(self, n_components=None, *, whiten=False, solver="svd"):
        self.n_components, self.whiten, self.solver = n_components, whiten, solver

    @door(X=several_rows)
    def fit(self, X, y=None):
        """Fit to X (N, D) alone; returns self. ValueError if n_components exceeds min(N, D) or X has one row."""
        vars(self).update(self._described(*joined(None, X, self.solver), X.dtype), _seen=None)
        return self

    @door(X=more_rows)
    def partial_fit(self, X, y=None):
        """Fit to X (N, D) and all rows that came so before; returns self. However parted, it is `fit` to them all.

        None is kept, but a (D, D) array. With fewer rows than n_components, or one, nothing is fitted yet. ValueError
        after `fit`, which keeps no such array.
        """
        seen, S, Vt = joined(self._seen, X, self.solver)
        k = 1 if self.n_components is None or is_share(self.n_components) else self.n_components
        enough = seen.n >= max(2, integer("n_components", k, high=X.shape[1]))
        vars(self).update(self._described(seen, S, Vt, X.dtype) if enough else {}, _seen=seen)
        return self

    def _described(self, seen, S, Vt, dtype):
        """The fitted attributes, by name."""
        # singular values that rounding makes are none
        S = np.where(S > S[0] * max(seen.n, Vt.shape[1]) * EPS, S, 0)
        deviation = np.linalg.norm(seen.root, axis=0) / np.sqrt(seen.n)
        S = S * (deviation > 8 * np.finfo(dtype).eps * np.abs(seen.mean)).any()  # or that of X's own numbers
        variance = S**2 / (seen.n - 1)
        total = variance.sum()
        share = variance / (total or 1)  # constant rows have no variance to share
        if is_share(self.n_components):
            k = min(int(np.searchsorted(np.cumsum(share), self.n_components, side="right")) + 1, len(S))
        else:
            k = len(S) if self.n_components is None else integer("n_components", self.n_components, high=len(S))
        described = {"mean_": seen.mean, "components_": upright(Vt[:k]), "singular_values_": S[:k],
                     "explained_variance_": variance[:k], "explained_variance_ratio_": share[:k],
                     "noise_variance_": variance[k:].mean() if k < len(S) else np.float64(0)}
        described = {name: value.astype(dtype) for name, value in described.items()}
        if not (np.isfinite(total) and all(np.isfinite(value).all() for value in described.values())):
            raise FloatingPointError("the variance is not finite")
        return {**described, "n_samples_": seen.n}

    def _scale(self):
        """What codes are divided by: 1, or whitened the standard deviation; 1 where in X's dtype that is rounding."""
        S = self.singular_values_
        return np.where(S > S[0] * np.finfo(S.dtype).eps, np.sqrt(self.explained_variance_), 1) if self.whiten else 1

    @ONE_THREAD
    @door(self=fitted, X=points)
    def transform(self, X):
        """The codes z = (x - mean) V, divided by their deviations if whitened : (N, k)."""
        # in blocks of rows, which spares a centred copy of X; X V - mean V would cancel far from the origin
        return np.concatenate([(X[rows] - self.mean_) @ self.components_.T for rows in row_blocks(X)]) / self._scale()

    @ONE_THREAD
    @door(self=fitted, Z=codes)
    def inverse_transform(self, Z):
        """The points x = mean + z V^T of the subspace, z times its deviations if whitened : (N, D)."""
        return Z * self._scale() @ self.components_ + self.mean_

    def arrays(self):
        """What a file must hold besides `config`: the fitted attributes, and what `partial_fit` goes on from."""
        seen = self._seen._asdict() if self._seen else {}
        return {**super().arrays(), **{f"seen_{name}": np.asarray(value) for name, value in seen.items()}}

    def load_arrays(self, arrays):
        super().load_arrays(arrays)
        if "seen_root" in arrays:
            D = self.n_features_in_
            self._seen = Seen(integer("seen_n", int(arrays["seen_n"])), reals("seen_mean", arrays["seen_mean"], (D,)),
                              matrix("seen_root", arrays["seen_root"], D, np.float64))


def upright(V):
    """Directions V (k, D) with signs of their own: the largest absolute entry of each positive, the first of equals."""
    size = np.abs(V)
    largest = np.argmax(size >= (1 - 1e-9) * size.max(axis=1, keepdims=True), axis=1)
    return V * np.sign(V[np.arange(len(V)), largest])[:, None]


def joined(seen, X, solver):
    """What is `Seen` of X and the rows before, if any, together, and S (r,) and V^T (r, D) of them, r = min(N, D)."""
    seen = seen or Seen(0, np.zeros(X.shape[1]), np.zeros((0, X.shape[1])))
    m, mean_X = len(X), means(X)[0]
    n, d = seen.n + m, mean_X - seen.mean
    # scatter of both = scatter of one + scatter of the other + N M / (N + M) d d^T
    root = np.concatenate([seen.root, np.sqrt(seen.n * m / n) * d[None]])[:len(seen.root) + (seen.n > 0)]
    S, Vt = (part[:min(n, len(d))] for part in SOLVERS[solver](root, X, mean_X))
    return Seen(n, seen.mean + m / n * d, S[:, None] * Vt), S, Vt


@ONE_THREAD
def from_triangle(root, X, mean):
    """S (r,) and V^T (r, D) of [root; X - mean], (n, D) and (N, D), in float64, r = min(n + N, D), by QR factorisation.

    Block after block of rows: if X_1 = Q_1 R_1, then [X_1; X_2] and [R_1; X_2] have the same R, so that only a few
    blocks and a triangle are ever in memory. NumPy factorises in float64 whatever it is given: the triangle costs
    nothing more.
    """
    R = root
    for rows in row_blocks(X, max(1 << 15, 8 * X.shape[1] ** 2)):  # blocks much taller than R, which each carries along
        R = np.linalg.qr(np.concatenate([R, X[rows] - mean]), mode="r")
    # R = U S V^T
    _, S, Vt = np.linalg.svd(R, full_matrices=False)
    return S, Vt


def from_covariance(root, X, mean):
    """S (r,) and V^T (r, D) of [root; X - mean], as `from_triangle`, from the eigenvectors of their scatter matrix."""
    D = X.shape[1]
    if len(root) + len(X) < D:  # then the scatter matrix is larger than they, and most of it is null space
        return from_triangle(root, X, mean)

    def scatter_of(half):
        scatter = np.zeros((D, D))
        for rows in row_blocks(X[half]):
            centred = X[half][rows] - mean
            scatter += centred.T @ centred
        return scatter

    with one_thread():
        scatter = sum(by_two(scatter_of, halves(len(X), X.size * D)), start=root.T @ root)
    # X_c^T X_c = V S^2 V^T, eigenvalues ascending; what rounding leaves of a zero, also below it, is zero
        squares, V = np.linalg.eigh(scatter)
    S = np.sqrt(np.where(squares > D * EPS * squares[-1], squares, 0))
    return S[::-1], V.T[::-1]


SOLVERS = {"svd": from_triangle, "covariance": from_covariance}
