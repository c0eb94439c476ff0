"""Is PCA the best flat subspace? Against the covariance's eigenvectors, and every identity that makes it best.

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.models import pca

FEW = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 10**6)
SIZES = st.tuples(st.integers(2, 30), st.integers(1, 12))  # N < D and N > D


def data(n=40, d=6, seed=0, mean=3.0):
    """Correlated points away from the origin, with clearly different variances."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * 0.6 ** np.arange(d) @ np.linalg.qr(rng.standard_normal((d, d)))[0] + mean


def squared_residual(X, fitted):
    return np.sum((X - fitted.inverse_transform(fitted.transform(X))) ** 2)


def projector(V):
    """The projection on the rows of V; the same for every orthonormal basis of a subspace."""
    return V.T @ V


def check_against_eigenvectors(X):
    """Variances and projectors against eigh of the covariance; projectors only where the spectrum has a gap."""
    N, D = X.shape
    r = min(N, D)
    X_c = X - X.mean(axis=0)
    values, vectors = np.linalg.eigh(X_c.T @ X_c / (N - 1))
    values, vectors = values[::-1], vectors[:, ::-1].T
    fitted = pca.PCA().fit(X)
    np.testing.assert_allclose(fitted.explained_variance_, values[:r], rtol=1e-10, atol=1e-12 * values[0])
    gaps = [k for k in range(1, r + 1) if k == D or values[k - 1] - values[k] > 0.01 * values[0]]
    for k in gaps:
        np.testing.assert_allclose(projector(fitted.components_[:k]), projector(vectors[:k]), rtol=0, atol=1e-10)
    some = pca.PCA(gaps[0]).fit(X)
    assert np.array_equal(some.components_, fitted.components_[:gaps[0]])
    return len(gaps)


@FEW
@given(SIZES, SEEDS)
def test_against_eigenvectors(size, seed):
    check_against_eigenvectors(data(*size, seed))


def test_against_eigenvectors_of_the_digits():
    assert check_against_eigenvectors(sv.load_digits()[0]) >= 5


def check_identities(X):
    """Orthonormal, sorted, the sum the trace, the loss the discarded squares, for every k."""
    N, D = X.shape
    r = min(N, D)
    X_c = X - X.mean(axis=0)
    S, trace = np.linalg.svd(X_c, compute_uv=False), np.sum(X_c**2) / (N - 1)
    everything = pca.PCA().fit(X)
    np.testing.assert_allclose(everything.explained_variance_.sum(), trace, rtol=1e-12)
    np.testing.assert_allclose(everything.explained_variance_ratio_.sum(), 1, rtol=1e-12)
    np.testing.assert_allclose(everything.inverse_transform(everything.transform(X)), X, rtol=0,
                               atol=1e-12 * np.abs(X).max())
    assert everything.noise_variance_ == 0
    for k in range(1, r + 1):
        fitted = pca.PCA(k).fit(X)
        V, variances = fitted.components_, fitted.explained_variance_
        assert V.shape == (k, D) and fitted.singular_values_.shape == variances.shape == (k,)
        np.testing.assert_allclose(V @ V.T, np.eye(k), rtol=0, atol=1e-13)
        assert (np.diff(variances) <= 0).all() and (variances >= 0).all()
        np.testing.assert_allclose(fitted.mean_, X.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(variances, fitted.singular_values_**2 / (N - 1), rtol=1e-14)
        np.testing.assert_allclose(fitted.explained_variance_ratio_, variances / trace, rtol=1e-11)
        np.testing.assert_allclose(squared_residual(X, fitted), (S[k:]**2).sum(), rtol=1e-10, atol=1e-24 * np.sum(X**2))
        Z = fitted.transform(X)
        atol = 1e-12 * variances[0]
        np.testing.assert_allclose(Z.mean(axis=0), np.zeros(k), atol=1e-12 * np.abs(X).max())
        np.testing.assert_allclose(Z.T @ Z / (N - 1), np.diag(variances), rtol=1e-10, atol=atol)
        if k < r:  # scikit-learn's: the mean of the discarded among min(N, D)
            np.testing.assert_allclose(fitted.noise_variance_, (trace - variances.sum()) / (r - k), rtol=1e-9,
                                       atol=atol)
        largest = V[np.arange(k), np.abs(V).argmax(axis=1)]
        assert (largest > 0).all()


@FEW
@given(SIZES, SEEDS)
def test_identities(size, seed):
    check_identities(data(*size, seed))


def check_no_basis_beats_it(seed, k):
    X = data(seed=seed)
    fitted = pca.PCA(k).fit(X)
    best, X_c, rng = squared_residual(X, fitted), X - X.mean(axis=0), np.random.default_rng(seed)
    for size in (10, 1, 0.1, 0.01, 1e-4):  # far away, and in the neighbourhood
        V = np.linalg.qr(fitted.components_.T + size * rng.standard_normal((6, k)))[0].T
        assert np.sum((X_c - X_c @ projector(V)) ** 2) >= best * (1 - 1e-12)
        b = X.mean(axis=0) + size * rng.standard_normal(6)  # and no other centre
        assert np.sum((X - b - (X - b) @ projector(fitted.components_)) ** 2) >= best * (1 - 1e-12)


@FEW
@given(SEEDS, st.integers(1, 5))
def test_no_basis_beats_it(seed, k):
    check_no_basis_beats_it(seed, k)


def check_translation_rotation_scale(seed, k, solver):
    """Translating X moves mean_ alone; rotating X turns the subspace; scaling X scales the variances."""
    X, rng = data(seed=seed), np.random.default_rng(seed)
    fitted = pca.PCA(k, solver=solver).fit(X)
    P, variances = projector(fitted.components_), fitted.explained_variance_
    shift, Q, scale = 10 * rng.standard_normal(6), np.linalg.qr(rng.standard_normal((6, 6)))[0], rng.uniform(0.1, 10)
    values = np.append(pca.PCA().fit(X).explained_variance_, 0)
    same_subspace = {"rtol": 0, "atol": 1e-13 * values[0] / (values[k - 1] - values[k])}
    for name, moved, P_moved, factor, mean in (
            ("translation", X + shift, P, 1, fitted.mean_ + shift),
            ("rotation", X @ Q, Q.T @ P @ Q, 1, fitted.mean_ @ Q),
            ("scaling", X * scale, P, scale**2, fitted.mean_ * scale)):
        other = pca.PCA(k, solver=solver).fit(moved)
        np.testing.assert_allclose(other.explained_variance_, variances * factor, rtol=1e-11, err_msg=name)
        np.testing.assert_allclose(projector(other.components_), P_moved, **same_subspace, err_msg=name)
        np.testing.assert_allclose(other.mean_, mean, rtol=1e-11, atol=1e-12, err_msg=name)


@FEW
@given(SEEDS, st.integers(1, 6), st.sampled_from(["svd", "covariance"]))
def test_translation_rotation_scale(seed, k, solver):
    check_translation_rotation_scale(seed, k, solver)


@pytest.mark.parametrize("solver", ["svd", "covariance"])
@pytest.mark.parametrize("dtype, offset", [(np.float64, 1e6), (np.float32, 1e3)])
def test_codes_far_from_the_origin(dtype, offset, solver):
    """The codes of the same points, moved. `mean_` is rounded at the size of the offset, which moves all codes alike;
    their differences are as exact as near the origin, for the mean is subtracted before anything is multiplied."""
    far = (data(200, 6, mean=0) + offset).astype(dtype)
    near = far.astype(np.float64) - offset  # exact
    Z = pca.PCA(3, solver=solver).fit(far).transform(far).astype(np.float64)
    want, eps = pca.PCA(3, solver=solver).fit(near).transform(near), np.finfo(dtype).eps
    assert np.abs(Z - want).max() <= 4 * eps * offset
    assert np.abs((Z - Z[0]) - (want - want[0])).max() <= 20 * eps * np.abs(near).max()


def check_centred():
    """Points far from the origin along one axis and spread along the other: the spread is the direction."""
    X = np.stack([np.full(9, 100.0), np.arange(9.0)], axis=1)
    X[:, 0] += np.tile([0.1, -0.1, 0], 3)
    fitted = pca.PCA(1).fit(X)
    assert abs(fitted.components_[0, 1]) > 0.999
    np.testing.assert_allclose(fitted.mean_, [100, 4], rtol=1e-14)


def test_centred():
    check_centred()


def test_known_answer():
    """Four points on the diagonal with the second number doubled: one direction, (1, 2) / sqrt(5), variance 5 * 5/3."""
    X = np.array([[0.0, 0], [1, 2], [2, 4], [3, 6]])
    fitted = pca.PCA(2).fit(X)
    np.testing.assert_allclose(fitted.components_[0], [1 / 5**0.5, 2 / 5**0.5], rtol=1e-14)
    np.testing.assert_allclose(fitted.explained_variance_, [25 / 3, 0], rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(fitted.transform(X)[:, 0], np.array([-1.5, -0.5, 0.5, 1.5]) * 5**0.5, rtol=1e-13)


def test_rows_in_another_order_give_the_same():
    X = data()
    one, other = pca.PCA(3).fit(X), pca.PCA(3).fit(X[np.random.default_rng(0).permutation(len(X))])
    np.testing.assert_allclose(other.components_, one.components_, rtol=0, atol=1e-13)  # signs included
    np.testing.assert_allclose(other.singular_values_, one.singular_values_, rtol=1e-13)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_sign_does_not_depend_on_the_data(sign):
    X = data()
    np.testing.assert_allclose(pca.PCA(3).fit(sign * X).components_, pca.PCA(3).fit(X).components_, rtol=0, atol=1e-13)


def test_the_digits():
    X = sv.load_digits()[0]
    check_identities(X[:150, ::7])
    fitted = pca.PCA(2).fit(X)
    assert fitted.fit_transform(X).shape == (1797, 2)
    np.testing.assert_allclose(fitted.transform(X), (X - X.mean(axis=0)) @ fitted.components_.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fitted.explained_variance_ratio_, [0.14890594, 0.13618771], rtol=1e-6)


# ---- the other solver, and blocks -----------------------------------------------------------------------------

def check_covariance_agrees(X):
    """The same variances and leading subspace as by "svd", which is compared with eigh above."""
    svd, other = pca.PCA().fit(X), pca.PCA(solver="covariance").fit(X)
    S = svd.singular_values_
    np.testing.assert_allclose(other.mean_, svd.mean_, rtol=1e-13)
    assert other.components_.shape == svd.components_.shape and (np.diff(other.singular_values_) <= 0).all()
    np.testing.assert_allclose(other.components_ @ other.components_.T, np.eye(len(S)), rtol=0, atol=1e-12)
    # squares are summed: S^2 is right to about 1e-16 of the largest S^2
    np.testing.assert_allclose(other.singular_values_**2, S**2, rtol=1e-10, atol=1e-13 * S[0] ** 2)
    np.testing.assert_allclose(other.explained_variance_ratio_, svd.explained_variance_ratio_, rtol=1e-10, atol=1e-13)
    largest = other.components_[np.arange(len(S)), np.abs(other.components_).argmax(axis=1)]
    assert (largest > 0).all()
    gaps = [k for k in range(1, len(S)) if S[k - 1] ** 2 - S[k] ** 2 > 0.01 * S[0] ** 2]
    for k in gaps:
        np.testing.assert_allclose(projector(other.components_[:k]), projector(svd.components_[:k]), rtol=0, atol=1e-10)
    return len(gaps)


@FEW
@given(SIZES, SEEDS)
def test_covariance_agrees(size, seed):
    check_covariance_agrees(data(*size, seed))


def test_covariance_agrees_on_the_digits():
    assert check_covariance_agrees(sv.load_digits()[0]) >= 5


def test_covariance_loses_what_lies_below_the_root_of_the_precision():
    """Singular values 1, 1e-4, 1e-11: the SVD has all three, the squares lose the last, which is below 1e-8."""
    rng = np.random.default_rng(0)
    U = np.linalg.qr(rng.standard_normal((50, 4)) - 0)[0]
    U = np.linalg.qr(U - U.mean(axis=0))[0][:, :3]
    true = np.array([1, 1e-4, 1e-11])
    X = U * true @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    svd, other = pca.PCA().fit(X), pca.PCA(solver="covariance").fit(X)
    np.testing.assert_allclose(svd.singular_values_, true, rtol=1e-4)
    np.testing.assert_allclose(other.singular_values_[:2], true[:2], rtol=1e-7)
    assert other.singular_values_[2] < 3e-8 and abs(other.singular_values_[2] / true[2] - 1) > 0.1
    np.testing.assert_allclose(projector(other.components_[:1]), projector(svd.components_[:1]), rtol=0, atol=1e-10)


@pytest.mark.parametrize("n, d", [(9, 1), (30, 2), (100, 3), (101, 3), (1000, 5)])
def test_blocks_give_what_one_factorisation_gives(n, d):
    """A block holds 8 d rows here, so that all of these have several, the last one shorter, or exactly one row long."""
    X = data(n, d)
    assert n > 8 * d
    S, Vt = pca.from_triangle(np.zeros((0, d)), X, X.mean(axis=0))
    R = np.linalg.qr(X - X.mean(axis=0), mode="r")
    _, S_one, Vt_one = np.linalg.svd(R, full_matrices=False)
    np.testing.assert_allclose(S, S_one, rtol=1e-12)
    np.testing.assert_allclose(np.abs(np.sum(Vt * Vt_one, axis=1)), np.ones(d), rtol=1e-12)


@pytest.mark.parametrize("n, d", [(9, 1), (100, 3), (30, 4)])
def test_blocks_of_the_covariance_add_up(monkeypatch, n, d):
    X = data(n, d)
    whole = pca.from_covariance(np.zeros((0, d)), X, X.mean(axis=0))
    blocks = pca.row_blocks
    monkeypatch.setattr(pca, "row_blocks", lambda X: blocks(X, 3 * d))
    for one, other in zip(pca.from_covariance(np.zeros((0, d)), X, X.mean(axis=0)), whole):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("solver", ["svd", "covariance"])
@pytest.mark.parametrize("n, d, rank", [(9, 4, 0), (2, 3, 1), (5, 40, 3), (30, 8, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_degenerate_data_by_either_solver(solver, n, d, rank, dtype):
    """Rank r: r variances, the rest 0 to rounding; orthonormal components all the same; nothing is lost."""
    rng = np.random.default_rng(1)
    X = (rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d)) + 0.25).astype(dtype)
    fitted = pca.PCA(solver=solver).fit(X)
    eps, k = np.finfo(dtype).eps, min(n, d)
    np.testing.assert_allclose(fitted.components_ @ fitted.components_.T, np.eye(k), rtol=0, atol=20 * eps)
    variance = fitted.explained_variance_
    assert (variance >= 0).all() and (variance[rank:] <= 1e3 * eps * max(variance[0], eps)).all()
    np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(X)), X, rtol=0,
                               atol=100 * eps * max(np.abs(X).max(), 1))


def test_a_refused_fit_leaves_what_was_fitted():
    fitted = pca.PCA(2).fit(data())
    before = {name: np.copy(a) for name, a in fitted.arrays().items()}
    for bad in (np.full((9, 6), np.nan), data(9, 1), np.where(np.eye(40, 6), 1e300, 1.0)):
        with pytest.raises((ValueError, FloatingPointError), match="X|n_components"):
            fitted.fit(bad)
        assert all(np.array_equal(a, before[name]) for name, a in fitted.arrays().items())


# ---- numbers as they come -------------------------------------------------------------------------------------

def test_float32_stays_float32_and_is_accurate():
    X = sv.load_digits()[0]
    single, double = pca.PCA(5).fit(X.astype(np.float32)), pca.PCA(5).fit(X)  # multiples of 1/16: no rounding in X
    Z = single.transform(X.astype(np.float32))
    arrays = [getattr(single, name) for name in pca.PCA.FITTED if name != "n_samples_"]
    arrays += [Z, single.inverse_transform(Z)]
    assert all(np.asarray(a).dtype == np.float32 for a in arrays)
    np.testing.assert_allclose(single.explained_variance_, double.explained_variance_, rtol=1e-5)
    np.testing.assert_allclose(projector(single.components_), projector(double.components_), rtol=0, atol=1e-5)
    np.testing.assert_allclose(Z, double.transform(X), rtol=0, atol=2e-5)


def test_float32_far_from_the_origin():
    """A mean a thousand times the spread costs what it costs in X's own rounding, 1e3 * 6e-8, and little more."""
    X = data(5000, 6, mean=1000).astype(np.float32)
    single, double = pca.PCA(3).fit(X), pca.PCA(3).fit(X.astype(np.float64))
    np.testing.assert_allclose(single.explained_variance_, double.explained_variance_, rtol=1e-4)
    np.testing.assert_allclose(single.transform(X), double.transform(X), rtol=0, atol=10 * 1000 * 6e-8)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool, np.float16])
def test_other_numbers_are_computed_in_float64(dtype):
    X = (data() > 3).astype(dtype)
    fitted = pca.PCA(2).fit(X)
    assert fitted.components_.dtype == np.float64 and fitted.transform(X).dtype == np.float64
    assert np.array_equal(fitted.components_, pca.PCA(2).fit(X.astype(np.float64)).components_)


def test_many_rows_need_no_n_by_n_matrix():
    X = data(20000, 8)
    tracemalloc.start()
    pca.PCA(2).fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * X.nbytes, peak  # N x N would be 2500 times X


def test_fit_leaves_the_data_alone():
    X = data()
    X.flags.writeable = False
    pca.PCA(2).fit_transform(X)


@pytest.mark.parametrize("n, d", [(5, 40), (2, 3), (2, 1), (7, 7)])
def test_fewer_rows_than_columns(n, d):
    X = data(n, d)
    check_identities(X)
    assert pca.PCA().fit(X).components_.shape == (min(n, d), d)
    # n centred points span n - 1 directions
    assert pca.PCA().fit(X).explained_variance_[-1] < 1e-20 * X.size * 9 or n > d


@pytest.mark.parametrize("rank", [1, 3])
def test_rank_deficient(rank):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, rank)) @ rng.standard_normal((rank, 8)) + 2
    fitted = pca.PCA(5).fit(X)
    np.testing.assert_allclose(fitted.components_ @ fitted.components_.T, np.eye(5), rtol=0, atol=1e-13)
    assert (fitted.explained_variance_[rank:] < 1e-25 * fitted.explained_variance_[0]).all()
    np.testing.assert_allclose(fitted.explained_variance_ratio_[:rank].sum(), 1, rtol=1e-12)
    np.testing.assert_allclose(pca.PCA(rank).fit(X).inverse_transform(pca.PCA(rank).fit_transform(X)), X, rtol=0,
                               atol=1e-13 * 30)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_data_has_no_variance(dtype):
    X = np.full((9, 4), 0.25, dtype)
    fitted = pca.PCA(2).fit(X)
    assert np.array_equal(fitted.explained_variance_, [0, 0])
    assert np.array_equal(fitted.explained_variance_ratio_, [0, 0])
    assert fitted.noise_variance_ == 0
    np.testing.assert_allclose(fitted.components_ @ fitted.components_.T, np.eye(2), rtol=0, atol=1e-6)
    np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(X)), X, rtol=1e-6)


# ---- refusals and files ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("k", [0, -1, 1.5, True, "2"])
def test_bad_n_components_is_refused(k):
    with pytest.raises((ValueError, TypeError), match="^n_components: "):
        pca.PCA(k)


@pytest.mark.parametrize("n, d, k", [(10, 3, 4), (3, 10, 4)])
def test_more_components_than_directions_are_refused(n, d, k):
    with pytest.raises(ValueError, match="^n_components: .*from 1 to 3.*got 4"):
        pca.PCA(k).fit(data(n, d))


@pytest.mark.parametrize("X", [np.ones((1, 3)), np.ones(3), np.ones((0, 3)), np.ones((3, 0)), [[1, np.nan], [1, 2]],
                               [[1, np.inf], [1, 2]], [["a"], ["b"]], [[1j], [2]], np.ones((2, 2, 2)), [[1], [1, 2]],
                               None])
def test_bad_data_is_refused(X):
    model = pca.PCA(1)
    with pytest.raises((ValueError, TypeError), match="^X: "):
        model.fit(X)
    assert not hasattr(model, "components_")


def test_wrong_widths_are_refused():
    fitted = pca.PCA(2).fit(data())
    with pytest.raises(ValueError, match="^X: .*6"):
        fitted.transform(np.ones((2, 5)))
    with pytest.raises(ValueError, match="^Z: .*2"):
        fitted.inverse_transform(np.ones((2, 3)))


def test_an_unfitted_pca_says_so(tmp_path):
    model = pca.PCA(2)
    for call in (lambda: model.transform(data()), lambda: model.inverse_transform(data()[:, :2]),
                 lambda: sv.save(model, tmp_path / "pca.npz")):
        with pytest.raises(ValueError, match="not fitted"):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("k", [None, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_save_and_load(tmp_path, k, dtype):
    X, path = data().astype(dtype), tmp_path / "pca.npz"
    fitted = pca.PCA(k).fit(X)
    sv.save(fitted, path)
    again = sv.load(path)
    assert type(again) is pca.PCA and again.n_components == k
    for name in pca.PCA.FITTED:
        one, other = np.asarray(getattr(fitted, name)), np.asarray(getattr(again, name))
        assert one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes(), name
    assert np.array_equal(again.transform(X), fitted.transform(X))


@pytest.mark.parametrize("change", [
    {"mean_": np.zeros(5)}, {"components_": np.zeros((2, 5))}, {"components_": np.zeros(6)},
    {"components_": np.full((2, 6), np.nan)}, {"mean_": np.array(["a"] * 6)}, {"explained_variance_": np.zeros(3)},
    {"noise_variance_": np.zeros(2)}, {"mean_": None}])
def test_a_file_whose_arrays_do_not_fit_is_refused(tmp_path, change):
    path, fitted = tmp_path / "pca.npz", pca.PCA(2).fit(data())
    arrays = {name: a for name, a in {**fitted.arrays(), **change}.items() if a is not None}
    sv.nn.checkpoint.write_arrays(path, {"class": "PCA", "config": fitted.config()}, arrays)
    with pytest.raises(ValueError, match="pca.npz"):
        sv.load(path)


@pytest.mark.parametrize("solver", sorted(pca.SOLVERS))
def test_the_sign_does_not_depend_on_rounding_where_two_entries_tie(solver):
    """Mirrored features: both entries of the component have the same size, and the order of rows moves the last bit."""
    for seed in range(10):
        X = np.random.default_rng(seed).standard_normal((9, 1)) * [1, -1]
        one, other = (pca.PCA(1, solver=solver).fit(Y).components_ for Y in (X, X[::-1]))
        np.testing.assert_allclose(one, other, atol=1e-12)
        assert one[0, 0] > 0


def test_wide_data_need_no_matrix_of_all_their_features():
    X = np.random.default_rng(0).standard_normal((4, 2000))
    tracemalloc.start()
    fitted = pca.PCA(2, solver="covariance").fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * X.nbytes
    np.testing.assert_allclose(fitted.components_, pca.PCA(2).fit(X).components_, atol=1e-12)


# ---- how many components, whitened, how likely ----------------------------------------------------------------

def check_share_of_variance(X, share):
    """The fewest components that keep more than this share of the variance, and those of a fit to as many."""
    kept = np.cumsum(pca.PCA().fit(X).explained_variance_ratio_)
    fitted = pca.PCA(share).fit(X)
    k = fitted.n_components_
    assert k == len(kept) or kept[k - 1] > share
    assert k == 1 or kept[k - 2] <= share
    assert np.array_equal(fitted.components_, pca.PCA(k).fit(X).components_)
    assert fitted.n_components == share and fitted.n_features_in_ == X.shape[1] and fitted.n_samples_ == len(X)


@FEW
@given(SIZES, SEEDS, st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_share_of_variance(size, seed, share):
    check_share_of_variance(data(*size, seed), share)


def test_a_share_that_is_met_exactly_is_not_exceeded():
    """Two equal variances keep 1/2 and 1: more than 1/2 takes both, as scikit-learn counts."""
    X = np.concatenate([np.eye(2), -np.eye(2)])
    assert [pca.PCA(share).fit(X).n_components_ for share in (0.49, 0.5, 0.99)] == [1, 2, 2]
    assert pca.PCA(1).fit(X).n_components_ == 1  # an integer is a count
    assert pca.PCA(np.float32(0.25)).fit(X).n_components_ == 1
    assert pca.PCA(0.5).fit(np.ones((5, 3))).explained_variance_.sum() == 0


@pytest.mark.parametrize("share", [1.0, 0.0, -0.5, np.nan, np.float32(1)])
def test_a_share_outside_of_0_to_1_is_refused(share):
    with pytest.raises(ValueError, match=r"^n_components: want a number in \(0, 1\)"):
        pca.PCA(share)


def check_whitened(X, k, solver="svd"):
    """Codes of covariance I, and the way back as without."""
    white, plain = pca.PCA(k, whiten=True, solver=solver).fit(X), pca.PCA(k, solver=solver).fit(X)
    Z = white.transform(X)
    np.testing.assert_allclose(np.cov(Z, rowvar=False), np.eye(k), rtol=0, atol=1e-9)
    np.testing.assert_allclose(Z * np.sqrt(plain.explained_variance_), plain.transform(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(white.inverse_transform(Z), plain.inverse_transform(plain.transform(X)), rtol=0,
                               atol=1e-12 * np.abs(X).max())
    np.testing.assert_array_equal(white.get_covariance(), plain.get_covariance())


@FEW
@given(SEEDS, st.integers(2, 6), st.sampled_from(["svd", "covariance"]))
def test_whitened(seed, k, solver):
    check_whitened(data(seed=seed), k, solver)


@pytest.mark.parametrize("solver", ["svd", "covariance"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n, d, rank", [(30, 8, 2), (9, 40, 3), (100, 3, 1)])
def test_whitening_leaves_directions_without_variance_alone(n, d, rank, dtype, solver):
    """Their codes are rounding, and stay so: not noise of variance 1. New points off the subspace come back, too."""
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d)) + 2).astype(dtype)
    fitted = pca.PCA(whiten=True, solver=solver).fit(X)
    Z = fitted.transform(X)
    assert np.abs(Z[:, rank:]).max(initial=0) < 1e3 * np.finfo(dtype).eps * np.abs(X).max()
    if n > d:
        new = rng.standard_normal((4, d)).astype(dtype)
        np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(new)), new, atol=2e4 * np.finfo(dtype).eps)
    constant = pca.PCA(2, whiten=True).fit(np.ones((5, 3), dtype))
    np.testing.assert_array_equal(constant.transform(np.ones((2, 3), dtype)), np.zeros((2, 2)))


def check_score(X, k, whiten=False):
    """The density of N(mean, C), by determinant and inverse of C (D, D), which has the data's variances."""
    fitted = pca.PCA(k, whiten=whiten).fit(X)
    C, D = fitted.get_covariance(), X.shape[1]
    V, S = fitted.components_, np.cov(X, rowvar=False)
    np.testing.assert_allclose(C @ V.T, S @ V.T, rtol=0, atol=1e-11 * np.abs(S).max())
    np.testing.assert_allclose(np.trace(C), np.trace(S), rtol=1e-11)  # N > D, so that all discarded variances count
    c = X - X.mean(axis=0)
    want = -0.5 * (np.einsum("ni,ij,nj->n", c, np.linalg.inv(C), c) + np.linalg.slogdet(C)[1] + D * np.log(2 * np.pi))
    np.testing.assert_allclose(fitted.score_samples(X), want, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(fitted.get_precision() @ C, np.eye(D), rtol=0, atol=1e-8)
    assert fitted.score(X) == pytest.approx(want.mean(), rel=1e-12) == fitted.score(X, y=np.arange(len(X)))


@FEW
@given(SEEDS, st.integers(1, 6), st.booleans())
def test_score(seed, k, whiten):
    check_score(data(seed=seed), k, whiten)


def test_its_gaussian_is_that_of_probabilistic_pca_but_for_the_denominator():
    X, N = data(50), 50
    one, other = pca.PCA(3).fit(X), sv.ProbabilisticPCA(3).fit(X)
    np.testing.assert_allclose(other.noise_variance_, one.noise_variance_ * (N - 1) / N, rtol=1e-11)
    np.testing.assert_allclose(other.get_covariance(), one.get_covariance() * (N - 1) / N, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(other.get_precision() @ other.get_covariance(), np.eye(6), atol=1e-10)
    assert other.score(X) >= one.score(X)  # for it is the most likely
    wide = data(5, 9)  # four directions have variance; PCA's mean is over two of 5 discarded, the other's over 7 of 9
    one, other = pca.PCA(2).fit(wide), sv.ProbabilisticPCA(2).fit(wide)
    np.testing.assert_allclose(one.noise_variance_ * 3 * 4 / 5, other.noise_variance_ * 7, rtol=1e-11)


def test_float32_scores_are_right_to_its_data():
    X = data(2000).astype(np.float32)
    one, other = pca.PCA(3).fit(X), pca.PCA(3).fit(X.astype(np.float64))
    np.testing.assert_allclose(one.score_samples(X), other.score_samples(X), rtol=1e-4, atol=1e-4)
    assert one.get_covariance().dtype == np.float32


@pytest.mark.parametrize("solver", ["svd", "covariance"])
def test_without_noise_there_is_no_density(solver):
    rng = np.random.default_rng(0)
    flat = rng.standard_normal((30, 2)) @ rng.standard_normal((2, 5))
    for k, X in ((2, flat), (3, flat), (5, flat), (None, data(4, 9))):
        fitted = pca.PCA(k, solver=solver).fit(X)
        for call in (lambda: fitted.score_samples(X), lambda: fitted.score(X), fitted.get_precision):
            with pytest.raises(ValueError, match="^n_components: a density needs variance in every direction"):
                call()
    assert pca.PCA(1, solver=solver).fit(flat).score(flat) < np.inf


# ---- rows that come in parts ----------------------------------------------------------------------------------

def check_partial_fit(X, sizes, k=None, solver="svd"):
    """However the rows are parted, what one fit to all of them gives."""
    parts = np.split(X, np.cumsum(sizes))
    whole, model = pca.PCA(k, solver=solver).fit(X), pca.PCA(k, solver=solver)
    for part in parts:
        if len(part):
            assert model.partial_fit(part) is model
    scale = whole.singular_values_[0]
    for name in pca.PCA.FITTED:
        one, other = getattr(model, name), getattr(whole, name)
        assert np.shape(one) == np.shape(other), name
        if name == "singular_values_":  # a zero may be the root of a rounding error
            one, other = one**2 / scale**2, other**2 / scale**2
        if name != "components_":
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10, err_msg=name)
    variance = np.append(whole.explained_variance_, [0] * (len(whole.components_) < X.shape[1]))
    for j in range(1, len(variance)):
        if variance[j - 1] - variance[j] > 0.01 * variance[0]:
            np.testing.assert_allclose(projector(model.components_[:j]), projector(whole.components_[:j]), atol=1e-10)


@FEW
@given(SIZES, SEEDS, st.lists(st.integers(1, 9), max_size=6), st.sampled_from(["svd", "covariance"]))
def test_partial_fit(size, seed, sizes, solver):
    check_partial_fit(data(*size, seed), sizes, None, solver)


@pytest.mark.parametrize("solver", ["svd", "covariance"])
@pytest.mark.parametrize("k", [None, 1, 4, 0.9])
def test_partial_fit_one_row_at_a_time(k, solver):
    check_partial_fit(data(40), [1] * 39, k, solver)
    check_partial_fit(data(40, mean=1e4), [1] * 39, k, solver)
    check_partial_fit(data(7, 30), [1] * 6, k, solver)


@pytest.mark.parametrize("solver", ["svd", "covariance"])
def test_partial_fit_of_images(solver):
    X = sv.load_digits()[0]
    check_partial_fit(X, [3, 500, 1, 700], 10, solver)


def test_until_there_are_rows_enough_nothing_is_fitted():
    X, model = data(), pca.PCA(4)
    for n in range(3):
        with pytest.raises(ValueError, match="not fitted"):
            model.partial_fit(X[[n]]).transform(X)
    assert model.partial_fit(X[[3]]).transform(X).shape == (40, 4)
    with pytest.raises(ValueError, match="not fitted"):
        pca.PCA().partial_fit(X[:1]).transform(X)
    with pytest.raises(ValueError, match="^n_components: .*from 1 to 6, got 7"):
        pca.PCA(7).partial_fit(X)


def test_partial_fit_and_fit_do_not_mix_in_silence():
    X = data()
    with pytest.raises(ValueError, match="^X: this PCA was fitted by `fit`"):
        pca.PCA(2).fit(X).partial_fit(X)
    model = pca.PCA(2).partial_fit(X[:9]).fit(X)
    assert np.array_equal(model.mean_, pca.PCA(2).fit(X).mean_) and "seen_root" not in model.arrays()
    begun = pca.PCA(2).partial_fit(X)
    before = {name: np.copy(a) for name, a in begun.arrays().items()}
    for bad in (X[:, :5], np.full((2, 6), np.nan), np.full((2, 6), 1e300)):
        with pytest.raises((ValueError, FloatingPointError), match="^X"):
            begun.partial_fit(bad)
        assert all(np.array_equal(a, before[name]) for name, a in begun.arrays().items())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_partial_fit_goes_on_from_a_file(tmp_path, dtype):
    X = data().astype(dtype)
    model = pca.PCA(3).partial_fit(X[:20])
    sv.save(model, tmp_path / "pca.npz")
    again = sv.load(tmp_path / "pca.npz").partial_fit(X[20:])
    model.partial_fit(X[20:])
    assert all(np.array_equal(a, again.arrays()[name]) for name, a in model.arrays().items())
    assert again.components_.dtype == dtype
    np.testing.assert_allclose(again.explained_variance_, pca.PCA(3).fit(X).explained_variance_, rtol=1e-6)


def test_partial_fit_keeps_no_rows():
    model = pca.PCA(2)
    for n in range(20):
        model.partial_fit(data(500, 4, seed=n))
    assert sum(a.size for a in model.arrays().values()) < 60 and model.n_samples_ == 10000


@pytest.mark.parametrize("solver", ["svd", "covariance"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 9.81, -7.7, 3.0])
def test_constant_rows_have_no_variance_to_share(value, dtype, solver):
    """Whatever rounding makes of their mean, or of their last digit: codes of a point near by are small, whitened too."""
    X = np.full((100, 3), value, dtype)
    last = np.where(np.arange(100)[:, None] % 2, X, np.nextafter(X, dtype(np.inf)))
    for rows in (X, last):
        for made in (sv.PCA(1, whiten=True, solver=solver).fit(rows),
                     sv.PCA(1, whiten=True, solver=solver).partial_fit(rows[:37]).partial_fit(rows[37:])):
            assert made.explained_variance_ == made.explained_variance_ratio_ == made.noise_variance_ == 0
            assert np.abs(made.transform(X[:1] + dtype(1e-3))).max() < 2e-3
            with pytest.raises(ValueError, match="rows that differ"):
                made.score(rows)
    varied = np.column_stack([X, np.random.default_rng(0).normal(size=(100, 2))]).astype(dtype)
    np.testing.assert_allclose(sv.PCA(2, solver=solver).fit(varied).components_[:, :3], 0, atol=1e-14)


@pytest.mark.parametrize("gap", [[], [(2, 1)], [(0, 0), (3, 2)]])
@pytest.mark.parametrize("value", [3.0, 0.1])
def test_of_constant_columns_the_fault_is_said_to_be_theirs(value, gap):
    X = np.full((10, 3), value)
    X[tuple(np.array(gap, int).reshape(-1, 2).T)] = np.nan
    for model in (sv.ProbabilisticPCA(1), *([] if gap else (sv.KernelPCA(1), sv.KernelPCA(1, kernel="rbf")))):
        with pytest.raises(ValueError, match="^X: want rows that differ; all its columns are constant"):
            model.fit(X)
