"""Does a VAE train on small tables, in any seed? Beside probabilistic PCA of as many latents, on scikit-learn's tables.

    python benchmarks/tables.py        with scikit-learn installed, as by `pip install '.[compare]'`; about a minute

hidden 64, 2 latents, Gaussian("diagonal"), 100 epochs of Adam 1e-3, batches of 64: standardised, and in the tables' own units
where these are of order one. Nats per row, of the rows themselves: this asks how training ends, not how it generalises.
"""
import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

import scratchvae as sv


def elbos(x, n_seeds=8):
    """The mean ELBO of x after training on it, one for each seed."""
    ends = []
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        vae = sv.VAE(x.shape[1], (64,), 2, observation=sv.Gaussian("diagonal"), rng=rng)
        sv.fit(vae, x, epochs=100, rng=rng)
        ends.append(vae.elbo(x, eps=rng.standard_normal((20, len(x), 2))).elbo.mean())
    return ends


for name, load in (("iris", load_iris), ("wine", load_wine), ("breast cancer", load_breast_cancer)):
    own = load().data
    for units, x in (("standardised", sv.Standardizer().fit(own).transform(own)), ("own units", own)):
        best = sv.ProbabilisticPCA(2).fit(x).log_prob(x).mean()
        try:
            ends = elbos(x)
        except ValueError as refusal:
            print(f"{name}, {units}: refused, {refusal}")
        else:
            print(f"{name}, {units}: ELBO {min(ends):.2f} to {max(ends):.2f}, probabilistic PCA {best:.2f}")
