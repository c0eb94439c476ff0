"""One PCA solver of the `speed` lesson, in a process of its own: fits the data once and prints the seconds it took.

    python benchmarks/pca_solver.py SOLVER K X.npy COMPONENTS.npy

X.npy holds the data (N, D); the K components (K, D) are written to COMPONENTS.npy. scikit-learn is needed for its own
solvers only, and by nothing else in the project.
"""
import sys
import time

import numpy as np


def ours(solver):
    """scratchvae's PCA."""
    import scratchvae as sv
    return lambda X, k: sv.PCA(k, solver=solver).fit(X).components_


def plain_svd(X, k):
    """What one would write without a library: all of U, S and V."""
    return np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][:k]


def scikit_learn(solver):
    """scikit-learn's PCA."""
    from sklearn.decomposition import PCA
    return lambda X, k: PCA(k, svd_solver=solver, random_state=0).fit(X).components_


SOLVERS = {"scratchvae, svd": lambda: ours("svd"), "scratchvae, covariance": lambda: ours("covariance"),
           "numpy.linalg.svd": lambda: plain_svd,
           "scikit-learn, covariance": lambda: scikit_learn("covariance_eigh"),
           "scikit-learn, randomized": lambda: scikit_learn("randomized")}


def main(name, k, data, components):
    """Fit once, after a small fit that is not counted."""
    X, solver = np.load(data), SOLVERS[name]()
    solver(X[:1000], 2)
    start = time.perf_counter()
    V = solver(X, int(k))
    print(time.perf_counter() - start)
    np.save(components, V)


if __name__ == "__main__":
    main(*sys.argv[1:])
