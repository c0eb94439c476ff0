"""Do the models that are fitted once work as steps of scikit-learn? Its Pipeline, GridSearchCV and clone, on the digits.

    python benchmarks/pipeline.py

scikit-learn is needed here and by nothing in the library, whose models only speak its names. What works: `clone`; any step
of a Pipeline, the last one too; GridSearchCV over all their parameters, in a Pipeline and alone, where `score` chooses;
`cross_val_score`. What cannot be had without its base classes: `set_output` (pandas tables) and names of output columns,
sparse tables, and the coloured boxes of a notebook.
"""
import sys
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).parent.parent))
import scratchvae as sv  # noqa: E402

SIZES = [0.5, 0.9, 4, np.int64(16), 32]


def classifier(scale, pca):
    """Standardised, reduced to whitened codes, classified."""
    return make_pipeline(scale, pca, LogisticRegression(max_iter=2000))


def search(pipeline, X, labels):
    """The best number of components by 3-fold cross-validation, and its accuracy on the folds."""
    grid = GridSearchCV(pipeline, {"pca__n_components": SIZES, "pca__whiten": [False, True]}, cv=3)
    grid.fit(X, labels)
    return grid


def number_of_latents(X, missing=0.0):
    """The number of latents that held-out likelihood chooses, alone, without labels; a share of the values is missing."""
    X = np.where(np.random.default_rng(0).random(X.shape) < missing, np.nan, X)
    grid = GridSearchCV(sv.ProbabilisticPCA(1), {"n_components": [2, 4, 8, 16, 32]}, cv=3, error_score="raise").fit(X)
    return grid.best_params_["n_components"], grid.best_score_


def main():
    """Prints what works, beside scikit-learn's own."""
    X, labels = sv.load_digits()
    train, test, _ = sv.split(labels)
    ours = search(classifier(sv.Standardizer(), sv.PCA(whiten=True)), X[train], labels[train])
    theirs = search(classifier(StandardScaler(), PCA(whiten=True, svd_solver="full")), X[train], labels[train])
    print("GridSearchCV over a Pipeline of Standardizer, PCA and scikit-learn's LogisticRegression")
    for name, grid in (("scratchvae", ours), ("scikit-learn", theirs)):
        print(f"  {name:14}{grid.best_params_}  {grid.best_score_:.4f} on the folds, {grid.score(X[test], labels[test]):.4f} "
              "on the test images")
    difference = np.abs(ours.cv_results_["mean_test_score"] - theirs.cv_results_["mean_test_score"]).max()
    print(f"  the largest difference of a grid point's accuracy: {difference:.4f}")

    print("\nTheir log-likelihoods alone, 3-fold, in nats per image: mean of `score`, 10 components")
    varied = X[:, X.var(axis=0) > 1e-3]
    for name, model in (("scratchvae PCA", sv.PCA(10)), ("scikit-learn PCA", PCA(10, svd_solver="full")),
                        ("scratchvae ProbabilisticPCA", sv.ProbabilisticPCA(10))):
        print(f"  {name:30}{cross_val_score(model, varied, cv=3).mean():.6f}")

    print("\nThe number of latents of ProbabilisticPCA by GridSearchCV, without labels")
    for missing in (0.0, 0.2):
        k, score = number_of_latents(varied[:300], missing)
        print(f"  {missing:4.0%} of the values missing: {k} latents, {score:.3f} nats per image of what is observed")

    print("\nclone: " + ", ".join(repr(clone(model)) for model in (
        sv.Standardizer(), sv.PCA(np.int64(3), whiten=True), sv.ProbabilisticPCA(2), sv.GaussianMixture(2, floor=1))))
    last = make_pipeline(sv.Standardizer(), sv.KernelPCA(5, kernel="rbf", gamma=0.01, alpha=0.1)).fit(X[train])
    restored = last.inverse_transform(last.transform(X[test]))
    print(f"a Pipeline that ends in KernelPCA and its way back: {X[test].shape} -> {last.transform(X[test]).shape} -> "
          f"{restored.shape}")


if __name__ == "__main__":
    main()
