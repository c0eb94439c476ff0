"""Can PCA follow a curve? Kernel PCA: principal components in a space of features that is never entered.

Map x to many features phi(x), in which curved data may lie flat, and do PCA on phi(x_1), ..., phi(x_N). PCA needs
nothing but inner products, and a kernel gives these without the features:

    k(x, y) = phi(x)^T phi(y)      linear  x^T y      poly  (gamma x^T y + coef0)^degree      rbf  exp(-gamma |x - y|^2)

Let K_nm = k(x_n, x_m), (N, N). Every principal direction is a combination of the centred features,
v = sum_n a_n phi_c(x_n), and

    cov v = lambda v / N      <=>      K_c a = lambda a                   K_c = H K H,   H = I - 1 1^T / N

since the centred inner products phi_c(x_n)^T phi_c(x_m) are K less its row means and column means, plus its mean. From
|v|^2 = a^T K_c a = lambda |a|^2 = 1, a = (unit eigenvector) / sqrt(lambda), and x is projected on v as
sum_n a_n k_c(x, x_n).

The way back is not given: most points of feature space are the features of no x. So x is learned from its code z by
kernel ridge regression with the same kernel, now between codes, W = (K_z + alpha I)^-1 (X - mean):
x_mean = mean + k(z, z_n) W.
Source: Schoelkopf, Smola & Mueller 1998; the way back, Bakir, Weston & Schoelkopf 2004.

The price: K has N x N numbers and its eigenvectors take of the order of N^3 operations, where PCA's cost grows as N.
"""
from warnings import warn

import numpy as np

from scratchvae.checking import (choice, door, integer, matrix, not_too_large, number, optional, positive, real_array,
                                 row_blocks)
from scratchvae.models.fit_once import Transformer, fitted, options, varied
from scratchvae.nn.threads import ONE_THREAD
from scratchvae.probability.gaussian import means

MAX_ROWS = 5000  # 200 MB for K, about four times that at work, and about a minute


def kernel_matrix(X, Y, kernel, gamma, degree, coef0):
    """k(x_n, y_m) : (N, M), for X (N, D) and Y (M, D); the linear kernel with its origin at the mean of Y."""
    if callable(kernel):
        return by_function(kernel, X, Y)
    if kernel == "poly":
        return (gamma * (X @ Y.T) + coef0) ** degree
    # The origin moves into the data, where least cancels. No distance changes, nor any centred inner product.
    centre = means(Y)[0]
    X, Y = X - centre, Y - centre
    if kernel == "linear":
        return X @ Y.T
    # |x - y|^2 = |x|^2 + |y|^2 - 2 x^T y
    squares = (X * X).sum(axis=1)[:, None] + (Y * Y).sum(axis=1) - 2 * X @ Y.T
    return np.exp(-gamma * np.maximum(squares, 0))


def by_function(kernel, X, Y):
    """k(x_n, y_m) : (N, M), by a function of two rows; or of two matrices, if it takes them and gives (N, M)."""
    n = 3 if X.shape[1] != 3 else 4  # rows, by which x y^T of two rows can be confused with no product of two matrices
    try:
        at_once = np.shape(kernel(X[[0, -1]], Y[[0] * n])) == (2, n)
    except Exception:  # it wants rows, or is wrong, which shows below
        at_once = False
    K = real_array("kernel", kernel(X, Y) if at_once else [[kernel(x, y) for y in Y] for x in X], np.float64)
    return real_array("kernel", K, shape=(len(X), len(Y)))


def centred(K, rows, mean):
    """Inner products of centred features, from those of the features.

        phi_c(x)^T phi_c(x_m) = K_xm - mean_n K_xn - mean_n K_nm + mean_nm K_nm

    K : (M, N), k(x, x_n)      rows : (N,), mean_n K_nm, and mean, their mean, of the training points
    """
    return K - K.mean(axis=1, keepdims=True) - rows + mean


def few_rows(name, value):
    """`value` as (N, D) in float64, N from 2 to MAX_ROWS, not all alike."""
    X = matrix(name, value, dtype=np.float64)
    if not 2 <= len(X) <= MAX_ROWS:
        raise ValueError(f"{name}: want 2 to {MAX_ROWS} rows, for the kernel matrix holds N x N numbers "
                         f"({8e-9 * len(X) ** 2:.1g} GB here), got {len(X)}; take some of the rows, or PCA")
    return varied(name, X)


def of_some_width(K, X, gamma):
    """Nothing, if the rbf kernel K (N, N) tells near rows of X from far ones; else a warning with a gamma that would.

    Too narrow, K is the identity: PCA of nothing, in which new points are all alike. Too wide, K_c is 2 gamma X_c X_c^T
    and PCA does the same. ValueError where to rounding nothing else is left.
    """
    nearest, rounding = np.where(np.eye(len(K), dtype=bool), 0, K).max(axis=1), len(K) * np.finfo(np.float64).eps
    blind, flat = np.median(nearest) < 0.05, K.min() > 0.99
    if blind or flat:
        some = np.unique(X, axis=0)
        some = some[::-(-len(some) // 500)]
        G = kernel_matrix(some, some, "linear", None, None, None)
        squares = np.diag(G)[:, None] + np.diag(G) - 2 * G
        median = np.median(squares[squares > 1e-12 * squares.max()])
        fault = ("below 0.05 between most rows and their nearest, and new points get codes much alike" if blind
                 else "above 0.99 between all rows, and PCA does the same")
        told = (f"gamma: with {gamma:.3g} k is {fault}; the median squared distance is {median:.3g}, for which "
                f"gamma={1 / median:.2g} would do")
        if nearest.max() < rounding or K.min() > 1 - rounding:
            raise ValueError(told)
        warn(told)


class KernelPCA(Transformer):
    """The k directions of largest variance in feature space, in scikit-learn's names.

    n_components : k, or None for as many as the data's rank in feature space
    kernel       : "linear", "poly", "rbf", or a function k(x, y) of two rows (D,) that gives a number, as scikit-learn
                   wants it, or of matrices (N, D), (M, D) that gives (N, M), which is far faster
    gamma : > 0, 1 / D by default, of "poly" and "rbf"
    degree, coef0 : of "poly"                     alpha : > 0, the ridge of the way back, `inverse_transform`

    After `fit(X)`, X : (N, D), 2 <= N <= MAX_ROWS, for K holds N x N numbers:
        eigenvalues_ (k,), of the centred kernel matrix    eigenvectors_ (N, k), largest absolute entry of each positive
        X_fit_ (N, D)    X_transformed_fit_ (N, k), the codes of X    dual_coef_ (N, D), W    gamma_    mean_ (D,)
        K_fit_rows_ (N,), K_fit_all_, the means by which new points are centred
    Computed in float64. Unlike scikit-learn, the way back is always fitted, and to X - mean_, so that the ridge does
    not pull the mean towards 0: with the linear kernel and alpha -> 0 it is PCA's. Where the kernel is a function, made
    for x and not for codes, the way back has the linear one.
    """

    FITTED = {"eigenvalues_": "k", "eigenvectors_": "Nk", "X_fit_": "ND", "X_transformed_fit_": "Nk",
              "dual_coef_": "ND", "gamma_": "", "mean_": "D", "K_fit_rows_": "N", "K_fit_all_": ""}

    @options(n_components=optional(integer), gamma=optional(positive), degree=integer, coef0=number, alpha=positive,
             kernel=lambda name, value: callable(value) or choice(name, value, ("linear", "poly", "rbf")))
    def __init__(self, n_components=None, *, kernel="linear", gamma=None, degree=3, coef0=1.0, alpha=1.0):
        self.n_components, self.kernel, self.gamma = n_components, kernel, gamma
        self.degree, self.coef0, self.alpha = degree, coef0, alpha

    @ONE_THREAD
    @door(X=few_rows)
    def fit(self, X, y=None):
        """Fit to X (N, D); returns self. ValueError if N is not in 2..MAX_ROWS or n_components exceeds the rank.

        Warns of a gamma with which "rbf" sees no neighbours or no distance.
        """
        N, D = X.shape
        gamma = 1 / D if self.gamma is None else self.gamma
        K = not_too_large(kernel_matrix(X, X, self.kernel, gamma, self.degree, self.coef0))
        if callable(self.kernel) and np.abs(K - K.T).max() > 1e-8 * np.abs(K).max():
            raise ValueError("kernel: want k(x, y) = k(y, x), as inner products are")
        fault = "kernel" if callable(self.kernel) else "X" if self.kernel == "linear" else "gamma, X"
        if self.kernel == "rbf":
            of_some_width(K, X, gamma)
        rows, mean = K.mean(axis=0), K.mean()
        # K_c a = lambda a; eigh gives the eigenvalues in ascending order
        eigenvalues, vectors = np.linalg.eigh(centred(K, rows, mean))
        if eigenvalues[0] < -1e-5 * eigenvalues[-1]:  # a kernel of the house is one, but for rounding
            raise ValueError(f"{fault}: want a kernel matrix of eigenvalues >= 0, as inner products have it, "
                             f"got {eigenvalues[0]:.2g} beside {eigenvalues[-1]:.2g}")
        # rounding of K by eps max|K| moves eigenvalues by up to N times that: what is smaller counts as 0
        rank = int((eigenvalues > N * np.finfo(np.float64).eps * np.abs(K).max()).sum())
        if rank == 0:
            raise ValueError(f"{fault}: to rounding all rows have the same features, and no direction has variance")
        k = rank if self.n_components is None else self.n_components
        if k > rank:
            raise ValueError(f"n_components: want at most {rank}, the rank of the centred kernel matrix, got {k}")
        eigenvalues, vectors = eigenvalues[:-k - 1:-1], vectors[:, :-k - 1:-1]
        vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(k)])
        # the codes K_c a with a = eigenvector / sqrt(lambda) are eigenvector * sqrt(lambda)
        Z, X_mean = vectors * np.sqrt(eigenvalues), X.mean(axis=0)
        # W = (K_z + alpha I)^-1 (X - mean)
        K_z = kernel_matrix(Z, Z, self._kernel_of_codes(), gamma, self.degree, self.coef0)
        W = not_too_large(np.linalg.solve(K_z + self.alpha * np.eye(N), X - X_mean))
        self.gamma_, self.X_fit_, self.mean_, self.K_fit_rows_, self.K_fit_all_ = gamma, X.copy(), X_mean, rows, mean
        self.eigenvalues_, self.eigenvectors_, self.X_transformed_fit_, self.dual_coef_ = eigenvalues, vectors, Z, W
        return self

    def _kernel_of_codes(self):
        return "linear" if callable(self.kernel) else self.kernel

    def _rows(self, X, Y, kernel):
        """k(x_n, y_m) of some rows of X after others, so that no more than about 2^20 values are held at a time."""
        for rows in row_blocks(X, width=len(Y)):
            yield kernel_matrix(X[rows], Y, kernel, self.gamma_, self.degree, self.coef0)

    @ONE_THREAD
    @door(self=fitted, X=lambda name, value, self: matrix(name, value, self.X_fit_.shape[1], np.float64))
    def transform(self, X):
        """The codes z = K_c(X, X_fit_) eigenvectors_ / sqrt(eigenvalues_) : (N, k)."""
        a = self.eigenvectors_ / np.sqrt(self.eigenvalues_)
        return np.concatenate([centred(K_rows, self.K_fit_rows_, self.K_fit_all_) @ a
                               for K_rows in self._rows(X, self.X_fit_, self.kernel)])

    @ONE_THREAD
    @door(self=fitted, Z=lambda name, value, self: matrix(name, value, len(self.eigenvalues_), np.float64))
    def inverse_transform(self, Z):
        """The points x_mean = mean_ + k(z, z_n) W of the codes Z (N, k) : (N, D)."""
        return np.concatenate([self.mean_ + K_rows @ self.dual_coef_
                               for K_rows in self._rows(Z, self.X_transformed_fit_, self._kernel_of_codes())])

    def fit_transform(self, X, y=None):
        """`fit(X)`, then the codes of X."""
        return self.fit(X).X_transformed_fit_.copy()

    def config(self):
        """The constructor's arguments. TypeError if the kernel is a function, which no file can hold."""
        if callable(self.kernel):
            raise TypeError(f"kernel: a file holds no functions; got {self.kernel!r}")
        return super().config()
