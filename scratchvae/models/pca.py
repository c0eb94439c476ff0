"""Which flat subspace lies closest to the data? Principal component analysis by the singular value decomposition.

Centre the data, X_c = X - mean, and look for an orthonormal basis B (D, k) that loses least when the centred rows x_n
are projected on it. Because |x|^2 = |B^T x|^2 + |x - B B^T x|^2 (Pythagoras), losing least is keeping most variance:

    min_B sum_n |x_n - B B^T x_n|^2   <=>   max_B trace(B^T X_c^T X_c B)

With X_c = U S V^T, X_c^T X_c = V S^2 V^T, and the trace is largest when B spans the first k columns of V (Ky Fan):
what is kept is S_1^2 + ... + S_k^2, what is lost the sum of the other squared singular values (Eckart & Young 1936).

The N x N factor U is never formed. Two ways lead to S and V from something small:

    "svd"          X_c = Q R with orthonormal Q: X_c and the triangle R (D, D) share S and V. The most accurate.
    "covariance"   X_c^T X_c = V S^2 V^T (D, D), an eigenvalue problem. Several times faster, but it squares the
                   singular values: those below sqrt(precision) of the largest are lost.

Both work in float64, a block of rows at a time; only what is kept is rounded to X's dtype.
"""
import numpy as np

from scratchvae.checking import choice, door, entry, float_matrix, integer, matrix, optional, row_blocks
from scratchvae.models.fit_once import FitOnce, fitted
from scratchvae.nn.threads import threads_for


def several_rows(name, value):
    """`value` as floats with two rows or more: one point has no variance."""
    if len(X := float_matrix(name, value)) < 2:
        raise ValueError(f"{name}: want at least 2 rows, for one point has no variance, got {len(X)}")
    return X


points = lambda name, value, self: float_matrix(name, value, self.components_.shape[1])  # (N, D)
codes = lambda name, value, self: float_matrix(name, value, self.components_.shape[0])   # (N, k)


class PCA(FitOnce):
    """The k directions of largest variance, in scikit-learn's names.

    n_components : k, or None for all min(N, D)
    solver : "svd", or "covariance", for N far above D (see the module's docstring; `python -m demos speed` measures
    both)

    After `fit(X)`, X : (N, D), N >= 2:
        mean_ (D,)    components_ (k, D), orthonormal rows, the largest absolute entry of each positive
        singular_values_ (k,)    explained_variance_ (k,) = S^2 / (N - 1)    explained_variance_ratio_ (k,)
        noise_variance_ : mean of the discarded variances, 0 if there are none
    float32 stays float32; anything else is computed in float64.

    >>> PCA(1).fit([[0, 0], [1, 1], [3, 3]]).components_
    array([[0.70710678, 0.70710678]])
    """

    OPTIONS = ("n_components", "solver")
    FITTED = ("mean_", "components_", "singular_values_", "explained_variance_", "explained_variance_ratio_",
              "noise_variance_")

    @entry(n_components=optional(integer), solver=lambda name, value: choice(name, value, list(SOLVERS)))
    def __init__(self, n_components=None, *, solver="svd"):
        self.n_components, self.solver = n_components, solver

    @door(X=several_rows)
    def fit(self, X):
        """Fit to X (N, D); returns self. ValueError if n_components exceeds min(N, D) or X has one row."""
        N, D = X.shape
        k = integer("n_components", min(N, D) if self.n_components is None else self.n_components, high=min(N, D))
        mean = X.mean(axis=0, dtype=np.float64)
        S, Vt = SOLVERS[self.solver](X, mean)
        # A singular vector is determined up to its sign: make the largest absolute entry positive, the first of equals.
        size = np.abs(Vt)
        largest = np.argmax(size >= (1 - 1e-9) * size.max(axis=1, keepdims=True), axis=1)
        Vt *= np.sign(Vt[np.arange(len(Vt)), largest])[:, None]
        variance = S**2 / (N - 1)
        total = variance.sum()
        fitted = {"mean_": mean, "components_": Vt[:k], "singular_values_": S[:k], "explained_variance_": variance[:k],
                  "explained_variance_ratio_": variance[:k] / (total or 1),  # constant rows have no variance to share
                  "noise_variance_": variance[k:].mean() if k < len(S) else np.float64(0)}
        fitted = {name: value.astype(X.dtype) for name, value in fitted.items()}
        if not (np.isfinite(total) and all(np.isfinite(value).all() for value in fitted.values())):
            raise FloatingPointError("the variance is not finite")
        vars(self).update(fitted)
        return self

    @threads_for(0)
    @door(self=fitted, X=points)
    def transform(self, X):
        """The codes z = (x - mean) V : (N, k)."""
        # in blocks of rows, which spares a centred copy of X; X V - mean V would cancel far from the origin
        return np.concatenate([(X[rows] - self.mean_) @ self.components_.T for rows in row_blocks(X)])

    @threads_for(0)
    @door(self=fitted, Z=codes)
    def inverse_transform(self, Z):
        """The points x = mean + z V^T of the subspace : (N, D)."""
        return Z @ self.components_ + self.mean_

    def _shapes(self, arrays):
        k, D = matrix("components_", arrays["components_"]).shape
        shapes = {"mean_": (D,), "components_": (k, D), "noise_variance_": ()}
        return {name: shapes.get(name, (k,)) for name in self.FITTED}


@threads_for(0)
def from_triangle(X, mean):
    """S (min(N, D),) and V^T (min(N, D), D) of X - mean in float64, through its QR factorisation.

    Block after block of rows: if X_1 = Q_1 R_1, then [X_1; X_2] and [R_1; X_2] have the same R, so that only a few
    blocks and a triangle are ever in memory. NumPy factorises in float64 whatever it is given: the triangle costs
    nothing more.
    """
    R = np.zeros((0, X.shape[1]))
    for rows in row_blocks(X, max(1 << 15, 8 * X.shape[1] ** 2)):  # blocks much taller than R, which each carries along
        R = np.linalg.qr(np.concatenate([R, X[rows] - mean]), mode="r")
    # R = U S V^T
    _, S, Vt = np.linalg.svd(R, full_matrices=False)
    return S, Vt


def from_covariance(X, mean):
    """S (min(N, D),) and V^T (min(N, D), D) of X - mean, from the eigenvectors of its scatter matrix, in float64."""
    if len(X) < X.shape[1]:  # then the scatter matrix is larger than X, and most of it is null space
        return from_triangle(X, mean)
    scatter = np.zeros((X.shape[1],) * 2)
    with threads_for(X.size * X.shape[1]):
        for rows in row_blocks(X):
            centred = X[rows] - mean
            scatter += centred.T @ centred
    # X_c^T X_c = V S^2 V^T, eigenvalues ascending; rounding can leave a zero slightly negative
    with threads_for(0):
        squares, V = np.linalg.eigh(scatter)
    n = min(X.shape)
    S = np.sqrt(np.maximum(squares[::-1][:n], 0))
    return S, V.T[::-1][:n]


SOLVERS = {"svd": from_triangle, "covariance": from_covariance}
