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
    arrays = [getattr(single, name) for name in pca.PCA.FITTED if name != "n_samples_"] + [Z, single.inverse_transform(Z)]
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
