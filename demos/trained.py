"""How do the lessons on what a VAE is worth come to one? All in the same way, each from its own seed."""
import numpy as np

import scratchvae as sv


def digit_vae(lesson, images, label, n_latent, stream, kind=sv.VAE, n_samples=1):
    """A VAE or IWAE of binary images, one hidden layer, stopped early on the validation images.

    label : before its progress line      stream : of the lesson's random numbers      kind : sv.VAE or sv.IWAE
    """
    hidden, epochs, batch_size, lr = (128,), lesson.pick(300, 8), 100, 3e-3
    if lesson.data is not None:
        hidden, epochs, batch_size, lr = (400,), lesson.pick(5, 1), 128, 1e-3
    rng = lesson.rng(stream)
    model = kind(images.train.shape[1], hidden=hidden, n_latent=n_latent, n_samples=n_samples, rng=rng)
    sv.fit(model, images.train, epochs=epochs, batch_size=batch_size, optimizer=sv.Adam(lr), rng=rng,
           valid=images.valid, callbacks=[sv.EarlyStopping(patience=20), lesson.progress(label)])
    return model


def fit_for_grid(lesson, vae, X, n, step):
    """The first n rows of X whose q a grid of this step resolves, no sigma below 1.5 steps. Says what it left out."""
    fine = np.exp(0.5 * vae.encode(X)[1]).min(axis=1) < 1.5 * step
    chosen = np.flatnonzero(~fine)[:n]
    if len(chosen) < n:
        raise ValueError(f"only {len(chosen)} images have a q that a grid of step {step} resolves, {n} are wanted")
    left_out = int(fine[:chosen[-1]].sum())
    if left_out:
        lesson.say(f"{left_out} of the first {chosen[-1] + 1} test images are left out: their q is too narrow for a "
                   f"grid of step {step}.")
    return chosen
