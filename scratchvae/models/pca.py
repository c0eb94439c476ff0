"""Which flat subspace lies closest to the data? Principal component analysis by the singular value decomposition.

Centre the data, X_c = X - mean, and look for an orthonormal basis V (D, k) that loses least when points are projected on
it. Because |x|^2 = |V^T x|^2 + |x - V V^T x|^2 (Pythagoras), losing least is keeping most variance:

    min_V sum_n |x_n - V V^T x_n|^2   <=>   max_V trace(V^T X_c^T X_c V)

With X_c = U S W^T, X_c^T X_c = W S^2 W^T, and the trace is largest when V spans the first k right singular vectors (Ky Fan):
what is kept is S_1^2 + ... + S_k^2, what is lost the sum of the other squared singular values (Eckart & Young 1936).

The N x N factor U is never formed. X_c = Q R with an orthonormal Q means that X_c and the small R share S and W.
"""
import numpy as np

from scratchvae.checking import integer, matrix, real_array
from scratchvae.nn.checkpoint import saveable


@saveable
class PCA:
    """The k directions of largest variance, in scikit-learn's names.

    n_components : k, or None for all min(N, D)

    After `fit(X)`, X : (N, D), N >= 2:
        mean_ (D,)    components_ (k, D), orthonormal rows, the largest absolute entry of each positive
        singular_values_ (k,)    explained_variance_ (k,) = S^2 / (N - 1)    explained_variance_ratio_ (k,)
        noise_variance_ : mean of the discarded variances, 0 if there are none
    float32 stays float32; anything else is computed in float64.
    """

    FITTED = ("mean_", "components_", "singular_values_", "explained_variance_", "explained_variance_ratio_",
              "noise_variance_")

    def __init__(self, n_components=None):
        self.n_components = None if n_components is None else integer("n_components", n_components)

    def fit(self, X):
        """Fit to X (N, D); returns self. ValueError if n_components exceeds min(N, D) or X has one row."""
        X = _floats("X", X)
        N, D = X.shape
        if N < 2:
            raise ValueError(f"X: want at least 2 rows, for one point has no variance, got {N}")
        k = integer("n_components", min(N, D) if self.n_components is None else self.n_components, high=min(N, D))
        self.mean_ = X.mean(axis=0, dtype=np.float64).astype(X.dtype)
        # X_c = Q R, R = U S V^T
        R = np.linalg.qr(X - self.mean_, mode="r")
        _, S, Vt = np.linalg.svd(R, full_matrices=False)
        # A singular vector is determined up to its sign: make the largest absolute entry positive.
        Vt *= np.sign(Vt[np.arange(len(Vt)), np.abs(Vt).argmax(axis=1)])[:, None]
        variance = S**2 / (N - 1)
        total = variance.sum()
        self.components_, self.singular_values_, self.explained_variance_ = Vt[:k], S[:k], variance[:k]
        self.explained_variance_ratio_ = variance[:k] / total if total > 0 else np.zeros_like(variance[:k])
        self.noise_variance_ = variance[k:].mean() if k < len(S) else variance.dtype.type(0)
        return self

    def transform(self, X):
        """The codes z = (x - mean) V : (N, k)."""
        # (X - mean) V = X V - mean V spares a centred copy of X
        return self._door("X", X, 1) @ self.components_.T - self.mean_ @ self.components_.T

    def inverse_transform(self, Z):
        """The points x = mean + z V^T of the subspace : (N, D)."""
        return self._door("Z", Z, 0) @ self.components_ + self.mean_

    def fit_transform(self, X):
        """`fit(X)`, then `transform(X)`."""
        return self.fit(X).transform(X)

    def _door(self, name, value, axis):
        self._check_fitted()
        return _floats(name, value, self.components_.shape[axis])

    def _check_fitted(self):
        if not hasattr(self, "components_"):
            raise ValueError("this PCA is not fitted yet; call fit(X) first")

    def config(self):
        return {"n_components": self.n_components}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def arrays(self):
        self._check_fitted()
        return {name: np.asarray(getattr(self, name)) for name in self.FITTED}

    def load_arrays(self, arrays):
        k, D = matrix("components_", arrays["components_"]).shape
        shapes = {"mean_": (D,), "components_": (k, D), "noise_variance_": ()}
        for name in self.FITTED:
            array, shape = real_array(name, arrays[name]), shapes.get(name, (k,))
            if array.shape != shape:
                raise ValueError(f"{name}: want shape {shape}, got {array.shape}")
            setattr(self, name, array[()])  # a number, where the shape is ()


def _floats(name, value, n_columns=None):
    array = matrix(name, value, n_columns)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
