"""Is kernel PCA PCA in feature space? Explicit features, PCA as the linear case, centring, and the way back.

The `check_...` functions look their subject up in the module when called, so a planted mistake meets them.
"""
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.models import kernel_pca

FEW = settings(max_examples=25, deadline=None)
ALL = [{"kernel": "linear"}, {"kernel": "poly", "gamma": 0.3, "degree": 2, "coef0": 0.7}, {"kernel": "rbf", "gamma": 0.02}]


def rng(seed=0):
    return np.random.default_rng(seed)


def data(n=23, d=5, seed=0):
    return rng(seed).normal(size=(n, d)) * np.arange(1, d + 1) + 3


def same_up_to_sign(A, B, tolerance):
    signs = np.sign((A * B).sum(axis=0))
    np.testing.assert_allclose(A, B * signs, rtol=0, atol=tolerance)


# ---- the mathematics ------------------------------------------------------------------------------------------

def check_linear_kernel_is_pca(seed=0):
    X, X_new, k = data(seed=seed), data(7, seed=seed + 1), 4
    pca, kernel = sv.PCA(k).fit(X), kernel_pca.KernelPCA(k, alpha=0.5).fit(X)
    same_up_to_sign(kernel.transform(X), pca.transform(X), 1e-8)
    same_up_to_sign(kernel.transform(X_new), pca.transform(X_new), 1e-8)
    # lambda = S^2
    np.testing.assert_allclose(kernel.eigenvalues_, pca.singular_values_**2, rtol=1e-10)
    # a ridge alpha shrinks the way back along each component by lambda / (lambda + alpha)
    flat = pca.inverse_transform(pca.transform(X_new) * kernel.eigenvalues_ / (kernel.eigenvalues_ + 0.5))
    np.testing.assert_allclose(kernel.inverse_transform(kernel.transform(X_new)), flat, rtol=0, atol=1e-9)


def check_centring(seed=0):
    """Against H K H, and against explicitly centred features of points that were not in the fit."""
    features = rng(seed).normal(size=(9, 6)) + 2
    new = rng(seed + 1).normal(size=(4, 6)) + 2
    K = features @ features.T
    H = np.eye(9) - 1 / 9
    rows, mean = K.mean(axis=0), K.mean()
    np.testing.assert_allclose(kernel_pca.centred(K, rows, mean), H @ K @ H, rtol=0, atol=1e-12)
    middle = features.mean(axis=0)
    np.testing.assert_allclose(kernel_pca.centred(new @ features.T, rows, mean), (new - middle) @ (features - middle).T,
                               rtol=0, atol=1e-12)


def check_kernels(seed=0):
    X, Y = data(6, 3, seed), data(4, 3, seed + 1)
    c = Y.mean(axis=0)
    expected = {"linear": lambda x, y: sum((x - c) * (y - c)), "poly": lambda x, y: (0.3 * sum(x * y) + 0.7) ** 3,
                "rbf": lambda x, y: np.exp(-0.3 * sum((x - y) ** 2))}
    for name, k in expected.items():
        np.testing.assert_allclose(kernel_pca.kernel_matrix(X, Y, name, 0.3, 3, 0.7), [[k(x, y) for y in Y] for x in X],
                                   rtol=1e-11)


def check_linear_kernel_far_from_the_origin(offset=1e8):
    """As if the data lay at the origin, but for the rounding of the data themselves, which is offset eps."""
    X = data(12, 5, 0)
    near, far = (kernel_pca.KernelPCA(3).fit(Y) for Y in (X, X + offset))
    same_up_to_sign(far.transform(X + offset), near.transform(X), 100 * offset * np.finfo(float).eps)


def test_a_linear_kernel_far_from_the_origin():
    check_linear_kernel_far_from_the_origin()


def check_quadratic_kernel_is_pca_of_its_features(seed=0):
    """(g x^T y + c)^2 has the features g x_i x_j, sqrt(2 g c) x_i and c."""
    X, X_new, g, c, k = data(17, 2, seed), data(5, 2, seed + 1), 0.3, 0.7, 4
    def phi(X):
        return np.column_stack([g * X[:, 0] ** 2, g * X[:, 1] ** 2, np.sqrt(2) * g * X[:, 0] * X[:, 1],
                                np.sqrt(2 * g * c) * X, np.full(len(X), c)])
    pca = sv.PCA(k).fit(phi(X))
    kernel = kernel_pca.KernelPCA(k, kernel="poly", gamma=g, degree=2, coef0=c).fit(X)
    same_up_to_sign(kernel.transform(X_new), pca.transform(phi(X_new)), 1e-7)


def check_training_points(how, seed=0):
    X = data(seed=seed)
    model = kernel_pca.KernelPCA(3, **how)
    Z = model.fit_transform(X)
    np.testing.assert_allclose(model.transform(X), Z, rtol=0, atol=1e-8 * np.abs(Z).max())
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-10 * np.abs(Z).max())
    np.testing.assert_allclose(Z.T @ Z, np.diag(model.eigenvalues_), rtol=0, atol=1e-9 * model.eigenvalues_[0])
    np.testing.assert_allclose(model.eigenvectors_.T @ model.eigenvectors_, np.eye(3), atol=1e-11)
    assert (np.diff(model.eigenvalues_) <= 0).all() and model.eigenvalues_[-1] > 0
    assert (model.eigenvectors_[np.abs(model.eigenvectors_).argmax(axis=0), range(3)] > 0).all()


def check_way_back(seed=0):
    """The ridge regression's weights make its gradient vanish, and a tiny ridge gives the training points back."""
    X = data(12, 3, seed)
    model = kernel_pca.KernelPCA(kernel="rbf", gamma=0.1, alpha=0.4).fit(X)
    Z = model.X_transformed_fit_
    K = kernel_pca.kernel_matrix(Z, Z, "rbf", 0.1, 3, 1.0)
    # 1/2 |X - mean - K W|^2 + alpha/2 tr W^T K W has the gradient K ((K + alpha I) W - (X - mean))
    np.testing.assert_allclose(K @ (K @ model.dual_coef_ - X + X.mean(axis=0)) + 0.4 * K @ model.dual_coef_, 0, atol=1e-9)
    np.testing.assert_allclose(model.inverse_transform(Z), model.mean_ + K @ model.dual_coef_, rtol=0, atol=1e-10)
    exact = kernel_pca.KernelPCA(kernel="rbf", gamma=1.0, alpha=1e-10).fit(X)
    np.testing.assert_allclose(exact.inverse_transform(exact.transform(X)), X, rtol=0, atol=1e-6)


@given(st.integers(0, 1000))
@FEW
def test_a_linear_kernel_gives_pca(seed):
    check_linear_kernel_is_pca(seed)


@given(st.integers(0, 1000))
@FEW
def test_centring_is_that_of_the_features(seed):
    check_centring(seed)


def test_kernels_are_their_formulas():
    check_kernels()


def test_the_quadratic_kernel_gives_pca_of_its_features():
    check_quadratic_kernel_is_pca_of_its_features()


@pytest.mark.parametrize("how", ALL, ids=lambda how: how["kernel"])
def test_training_points_have_the_fitted_codes(how):
    check_training_points(how)


def test_the_way_back_is_ridge_regression():
    check_way_back()


def test_on_the_digits_the_linear_kernel_is_pca_to_1e_8():
    X = sv.load_digits()[0][:400]
    same_up_to_sign(kernel_pca.KernelPCA(5).fit(X[:300]).transform(X), sv.PCA(5).fit(X[:300]).transform(X), 1e-8)


def test_far_from_the_origin_rbf_loses_no_digits():
    X = data()
    near, far = (kernel_pca.KernelPCA(3, kernel="rbf", gamma=0.1).fit(x).eigenvalues_ for x in (X, X + 1e6))
    np.testing.assert_allclose(far, near, rtol=1e-7)


def test_two_rings_are_told_apart_by_the_rbf_kernel_and_not_by_pca():
    t, r = rng().uniform(0, 2 * np.pi, 200), np.repeat([0.3, 1.0], 100)
    X = np.column_stack([r * np.cos(t), r * np.sin(t)])
    def best_split(z):
        shares = [((z[:100] < c).mean() + (z[100:] > c).mean()) / 2 for c in np.linspace(-1, 1, 201)]
        return max(*shares, 1 - min(shares))
    kernel = kernel_pca.KernelPCA(5, kernel="rbf", gamma=3.0).fit_transform(X)
    assert max(best_split(z) for z in kernel.T) == 1
    assert max(best_split(z) for z in sv.PCA(2).fit(X).transform(X).T) < 0.8


# ---- kernels of one's own ----------------------------------------------------------------------------------------

def check_own_kernel(kernel, named):
    """A function's codes are those of the kernel that it computes, also of new points."""
    X, X_new = data(20, 3), data(7, 3, 1)
    own, ours = kernel_pca.KernelPCA(3, kernel=kernel).fit(X), kernel_pca.KernelPCA(3, **named).fit(X)
    np.testing.assert_allclose(own.transform(X_new), ours.transform(X_new), rtol=0, atol=1e-8)
    np.testing.assert_allclose(own.eigenvalues_, ours.eigenvalues_, rtol=1e-9)
    np.testing.assert_allclose(own.transform(X_new[:1]), ours.transform(X_new[:1]), rtol=0, atol=1e-8)
    Z, X_c = own.X_transformed_fit_, X - X.mean(axis=0)
    # the way back is linear in the codes
    want = own.transform(X_new) @ np.linalg.solve(Z.T @ Z + np.eye(3), Z.T @ X_c) + X.mean(axis=0)
    np.testing.assert_allclose(own.inverse_transform(own.transform(X_new)), want, rtol=0, atol=1e-8)


RBF = {"kernel": "rbf", "gamma": 0.3}


@pytest.mark.parametrize("kernel, named", [
    (np.dot, {"kernel": "linear"}), (lambda x, y: x @ y, {"kernel": "linear"}),
    (lambda X, Y: X @ Y.T, {"kernel": "linear"}),
    (lambda x, y: np.exp(-0.3 * np.sum((x - y)**2)), RBF),
    (lambda x, y: float(np.exp(-0.3 * ((x - y)**2).sum(-1))), RBF),
    (lambda X, Y: np.exp(-0.3 * ((X[:, None] - Y)**2).sum(-1)), RBF),
    (lambda x, y: (0.5 * sum(a * b for a, b in zip(x, y)) + 1)**2, {"kernel": "poly", "gamma": 0.5, "degree": 2})],
    ids=["dot", "rows", "matrices", "rbf of rows", "rbf of rows, a float", "rbf of matrices", "poly of rows"])
def test_a_kernel_of_ones_own_is_served_with_rows_or_matrices(kernel, named):
    check_own_kernel(kernel, named)


def test_a_kernel_for_x_alone_need_not_take_codes():
    A = np.diag([1.0, 2, 3, 4, 5])
    X = data(15, 5)
    own = kernel_pca.KernelPCA(2, kernel=lambda x, y: x @ A @ y).fit(X)
    same_up_to_sign(own.transform(X), kernel_pca.KernelPCA(2).fit(X @ np.sqrt(A)).transform(X @ np.sqrt(A)), 1e-8)
    assert own.inverse_transform(own.transform(X)).shape == X.shape
    two = kernel_pca.KernelPCA(1, kernel=lambda x, y: np.sqrt(np.abs(x) @ np.abs(y))**2).fit(X[:2])  # two rows suffice
    assert two.eigenvalues_.shape == (1,)


@pytest.mark.parametrize("kernel, error, told", [
    (lambda x, y: np.nan, ValueError, "kernel: contains NaN"), (lambda x, y: x, ValueError, "kernel: want shape"),
    (lambda x, y: "one", TypeError, "kernel: want real numbers"),
    (lambda x, y: x[0] - y[0], ValueError, "kernel: want k"),
    (lambda x, y: -x @ y, ValueError, "kernel: want a kernel matrix of eigenvalues >= 0"),
    (lambda X, Y: 1 / 0, ZeroDivisionError, "zero"),
    (lambda x, y: 1.0, ValueError, "^kernel: to rounding all rows have the same features")])
def test_what_is_no_kernel_is_refused(kernel, error, told):
    with pytest.raises(error, match=told):
        kernel_pca.KernelPCA(1, kernel=kernel).fit(data())


# ---- the door -------------------------------------------------------------------------------------------------

def test_all_components_are_as_many_as_the_rank():
    X = data(20, 3)
    assert kernel_pca.KernelPCA().fit(X).eigenvalues_.shape == (3,)
    assert kernel_pca.KernelPCA(kernel="poly", degree=2).fit(X).eigenvalues_.shape == (9,)
    assert kernel_pca.KernelPCA(kernel="rbf").fit(X).eigenvalues_.shape == (19,)


@pytest.mark.parametrize("scale, told", [
    (16, "below 0.05 between most rows and their nearest, and new points get codes much alike"),
    (0.01, "above 0.99 between all rows, and PCA does the same")])
def test_a_gamma_too_large_or_too_small_is_told_with_one_that_would_do(scale, told):
    X = scale * sv.load_digits()[0][:200]
    with pytest.warns(UserWarning, match=f"^gamma: with 0.0156 k is {told}; the median squared distance is .*would do$") as seen:
        model = kernel_pca.KernelPCA(2, kernel="rbf").fit(X)
    squares = ((X[:, None] - X) ** 2).sum(axis=2)[np.triu_indices(200, 1)]
    median, gamma = (float(part.split()[0].rstrip(",")) for part in re.split("distance is |gamma=", str(seen[0].message))[1:])
    np.testing.assert_allclose([median, gamma], [np.median(squares), 1 / np.median(squares)], rtol=0.05)
    assert model.eigenvalues_.shape == (2,)
    kernel_pca.KernelPCA(2, kernel="rbf", gamma=gamma).fit(X)                             # in silence


@pytest.mark.parametrize("X, gamma, told", [
    (255 * sv.load_digits()[0][:200], None, "below 0.05"), (sv.load_digits()[0][:200], 1e-18, "above 0.99"),
    (np.array([[0.0, 0], [0, 100]]), 1.0, "below 0.05")])
def test_a_kernel_matrix_that_is_the_identity_or_constant_is_refused(X, gamma, told):
    with pytest.raises(ValueError, match=f"^gamma: with .* k is {told} .*would do$"):
        kernel_pca.KernelPCA(1, kernel="rbf", gamma=gamma).fit(X)


def test_rows_of_which_most_are_one_still_have_a_median_distance():
    X = np.zeros((5000, 2))
    X[-2:] = 1e-2
    with pytest.warns(UserWarning, match="^gamma: .*distance is 0.0002, for which gamma=5e[+]03"):
        kernel_pca.KernelPCA(1, kernel="rbf").fit(X[-1200:])


@pytest.mark.parametrize("gamma, told", [(1e-20, "to rounding all rows have the same features"),
                                         (1e-14, "want a kernel matrix of eigenvalues >= 0")])
def test_a_poly_kernel_of_no_width_names_gamma(gamma, told):
    with pytest.raises(ValueError, match=f"^gamma, X: {told}"):
        kernel_pca.KernelPCA(1, kernel="poly", gamma=gamma).fit(data(200))


def test_gamma_is_1_over_d_by_default():
    assert kernel_pca.KernelPCA(2, kernel="rbf").fit(data(9, 4)).gamma_ == 0.25


@pytest.mark.parametrize("arguments, told", [
    ({"kernel": "cosine"}, "kernel: want one of linear, poly, rbf, got 'cosine'"), ({"kernel": "rbf", "gamma": 0}, "gamma"),
    ({"gamma": -1.0}, "gamma"), ({"gamma": np.inf}, "gamma"), ({"n_components": 0}, "n_components"), ({"degree": 0}, "degree"),
    ({"coef0": -1.0}, "coef0"), ({"alpha": 0}, "alpha")])
def test_bad_arguments_are_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        kernel_pca.KernelPCA(**arguments)


def test_more_components_than_the_rank_are_refused():
    with pytest.raises(ValueError, match="n_components: want at most 3, the rank"):
        kernel_pca.KernelPCA(4).fit(data(20, 3))
    with pytest.raises(ValueError, match="n_components: want at most 7"):
        kernel_pca.KernelPCA(8, kernel="rbf").fit(data(8, 3))


@pytest.mark.parametrize("X, told", [
    (np.ones((5, 2)), "^X: want rows that differ; all its columns are constant"), (np.zeros((1, 2)), "2 to 5000 rows"), (np.full((4, 2), np.nan), "NaN"),
    (np.zeros((kernel_pca.MAX_ROWS + 1, 1)), "N x N numbers"), (np.zeros(4), "want shape")])
def test_bad_data_are_refused(X, told):
    with pytest.raises(ValueError, match=told):
        kernel_pca.KernelPCA(1).fit(X)


def test_an_unfitted_model_and_wrong_widths_are_refused():
    for method in ("transform", "inverse_transform"):
        with pytest.raises(ValueError, match="not fitted"):
            getattr(kernel_pca.KernelPCA(2), method)(data())
    model = kernel_pca.KernelPCA(2).fit(data())
    with pytest.raises(ValueError, match="X: want shape"):
        model.transform(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="Z: want shape"):
        model.inverse_transform(np.zeros((3, 5)))


def test_blocks_of_rows_give_the_same_codes(monkeypatch):
    X, model = data(), kernel_pca.KernelPCA(3, kernel="rbf", gamma=0.1).fit(data())
    whole = model.transform(X), model.inverse_transform(model.transform(X))
    monkeypatch.setattr(kernel_pca, "row_blocks", lambda X, width: [slice(i, i + 4) for i in range(0, len(X), 4)])
    parts = model.transform(X), model.inverse_transform(model.transform(X))
    for a, b in zip(whole, parts):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_saved_and_loaded_it_gives_the_same_codes(tmp_path):
    X, model = data(), kernel_pca.KernelPCA(3, kernel="poly", degree=2).fit(data())
    sv.save(model, tmp_path / "m.npz")
    twin = sv.load(tmp_path / "m.npz")
    assert (twin.transform(X) == model.transform(X)).all() and twin.config() == model.config()
    assert (twin.inverse_transform(twin.transform(X)) == model.inverse_transform(model.transform(X))).all()


def test_the_data_are_left_alone_and_copied():
    X = data()
    before = X.copy()
    model = kernel_pca.KernelPCA(2, kernel="rbf", gamma=0.05).fit(X)
    Z = model.transform(before)
    assert (X == before).all()
    X += 1
    assert (model.transform(before) == Z).all()


def test_what_fit_transform_gives_is_the_callers_own():
    X = np.random.default_rng(0).standard_normal((9, 3))
    model = kernel_pca.KernelPCA(2, kernel="rbf", gamma=0.5)
    Z = model.fit_transform(X)
    before = model.inverse_transform(Z[:2])
    code = Z[:2].copy()
    Z *= 0
    np.testing.assert_array_equal(model.inverse_transform(code), before)
