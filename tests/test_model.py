"""What does every trainable model do with many rows? The same as with few, and without room for their hidden layers."""
import tracemalloc

import numpy as np
import pytest

import scratchvae as sv

D, HIDDEN = 64, 512
CALLS = {
    "VAE.encode": lambda rng: lambda X, vae=sv.VAE(D, hidden=(HIDDEN,), n_latent=2, rng=rng): np.hstack(vae.encode(X)),
    "VAE.decode": lambda rng: sv.VAE(2, hidden=(HIDDEN,), n_latent=D, rng=rng).decode,
    "Autoencoder.encode": lambda rng: sv.Autoencoder(D, hidden=(HIDDEN,), n_latent=2, rng=rng).encode,
    "Autoencoder.decode": lambda rng: sv.Autoencoder(2, hidden=(HIDDEN,), n_latent=D, rng=rng).decode,
    "Classifier.predict_proba": lambda rng: sv.Classifier(D, hidden=(HIDDEN,), n_classes=3, rng=rng).predict_proba,
}


@pytest.mark.parametrize("name", CALLS)
def test_every_row_is_there_whatever_its_block(name):
    rng = np.random.default_rng(0)
    call, X = CALLS[name](rng), rng.random((5000, D), dtype=np.float32)  # three blocks of 2,048 rows
    order = rng.permutation(len(X))
    np.testing.assert_allclose(call(X[order]), call(X)[order], atol=1e-5)


@pytest.mark.parametrize("name", CALLS)
def test_memory_does_not_grow_with_the_hidden_layers_of_all_rows(name):
    rng = np.random.default_rng(0)
    call, X = CALLS[name](rng), rng.random((20000, D), dtype=np.float32)
    tracemalloc.start()
    call(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * len(X) * HIDDEN * X.itemsize, peak
