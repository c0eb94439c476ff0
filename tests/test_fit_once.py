"""Do all models that are fitted once behave as scikit-learn's tools expect? Options, twins, y, and files.

That they do inside scikit-learn itself is shown where it may be imported: `benchmarks/pipeline.py`.
"""
import inspect

import numpy as np
import pytest

import scratchvae as sv

X = np.random.default_rng(0).standard_normal((30, 4)) @ np.diag([3.0, 2, 1, 0.5]) + 1
MODELS = {
    "Standardizer": lambda: sv.Standardizer(), "PCA": lambda: sv.PCA(2, whiten=True),
    "PCA by share": lambda: sv.PCA(0.8),
    "KernelPCA": lambda: sv.KernelPCA(np.int64(2), kernel="rbf", gamma=1, alpha=np.float32(0.5)),
    "KernelPCA by function": lambda: sv.KernelPCA(2, kernel=np.dot),
    "ProbabilisticPCA": lambda: sv.ProbabilisticPCA(np.int64(2)),
    "GaussianMixture": lambda: sv.GaussianMixture(2, floor=1)}
models = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def fit(model, y=None):
    if isinstance(model, sv.GaussianMixture):
        return model.fit(X, y, rng=np.random.default_rng(0))
    return model.fit(X, y)


@models
def test_parameters_are_kept_as_they_were_given(make):
    model = make()
    names = [p for p in inspect.signature(type(model)).parameters]
    params = model.get_params()
    assert list(params) == names == list(model.get_params(deep=False))
    twin = type(model)(**params)
    assert all(twin.get_params()[name] is value for name, value in params.items())  # the very same: so `clone` asks
    assert repr(twin) == repr(model)
    fit(model)
    assert all(model.get_params()[name] is value for name, value in params.items())
    with pytest.raises(ValueError, match="not fitted"):
        twin.arrays()
    assert not hasattr(twin, "n_features_in_") and model.n_features_in_ == 4


@models
def test_parameters_are_set_by_name_or_refused_by_name(make):
    model = fit(make())
    before = model.get_params()
    fitted = {name: value for name, value in vars(model).items() if name.endswith("_")}
    with pytest.raises(ValueError, match="^shape: .* has no such parameter"):
        model.set_params(shape=3)
    for name in before:
        with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
            model.set_params(**{name: "nonsense"})
    assert model.set_params(**before) is model and model.set_params() is model
    assert all(model.get_params()[name] is value for name, value in before.items())
    assert all(vars(model)[name] is value for name, value in fitted.items())  # what is fitted stays, until the next fit
    if "n_components" in before:
        assert model.set_params(n_components=1).get_params() == {**before, "n_components": 1}


@models
def test_y_is_not_looked_at(make):
    one, other = fit(make()), fit(make(), y=np.array(["a", None] * 15))
    for name in one.FITTED:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    if hasattr(one, "transform"):
        np.testing.assert_array_equal(make().fit_transform(X, y="labels"), make().fit_transform(X))


@models
def test_files_hold_numpy_s_numbers_and_all_that_was_fitted(make, tmp_path):
    model = fit(make())
    if callable(model.get_params().get("kernel")):
        with pytest.raises(TypeError, match="^kernel: a file holds no functions"):
            sv.save(model, tmp_path / "model.npz")
        return
    sv.save(model, tmp_path / "model.npz")
    again = sv.load(tmp_path / "model.npz")
    assert again.get_params() == model.get_params()
    for name in model.FITTED:
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
    if isinstance(model, sv.GaussianMixture):
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


class Sparse:
    """What SciPy's sparse matrices have."""
    nnz, shape, toarray = 3, (5, 4), None


@models
def test_sparse_matrices_are_refused_by_name(make):
    name = "Z" if isinstance(make(), sv.GaussianMixture) else "X"
    with pytest.raises(TypeError, match=f"^{name}: got a sparse matrix; want a dense array, as {name}.toarray"):
        make().fit(Sparse(), **({"rng": np.random.default_rng(0)} if name == "Z" else {}))


def test_what_scikit_learn_asks_is_answered():
    tags = sv.PCA().__sklearn_tags__()
    assert tags.requires_fit and not tags.input_tags.sparse and not tags.target_tags.required
