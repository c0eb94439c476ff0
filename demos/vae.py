"""Can a network learn to write digits? The variational autoencoder, trained and measured on real ones.

Trains VAEs on the bundled digits, binarised at one half (pixels of at least 8/16 become 1), stopped early on the
validation digits, and prints the test ELBO and its two terms in nats per image with standard errors. Beside them stand
two baselines: independent pixels, and a VAE with a linear decoder. A VAE of two latents draws the map of its latent
space.

With --data DIR it does the same on MNIST-format files (784-400-20, 5 epochs).
Takes about 7 s. Writes vae_training, vae_reconstructions, vae_samples, vae_traversal, vae_manifold
and vae_latent (.png).
"""
import numpy as np

import scratchvae as sv
from demos.lesson import Mean
from scratchvae import plotting


def run(lesson):
    """Train, measure, draw; returns the table's numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(binary=True)
    n_features = images.train.shape[1]
    hidden, n_latent, epochs, batch_size = (128,), 8, lesson.pick(400, 8), 64
    if lesson.data is not None:
        hidden, n_latent, epochs, batch_size = (400,), 20, lesson.pick(5, 1), 128
    lesson.say(f"{len(images.train)} training, {len(images.valid)} validation and {len(images.test)} test images of "
               f"{n_features} pixels, binarised at one half.\n")

    def trained(label, hidden, n_latent, stream):
        rng = lesson.rng(stream)
        model = sv.VAE(n_features, hidden=hidden, n_latent=n_latent, observation=sv.Bernoulli(), rng=rng)
        stopping = sv.EarlyStopping(patience=40)
        history = sv.fit(model, images.train, epochs=epochs, batch_size=batch_size, optimizer=sv.Adam(1e-3), rng=rng,
                         valid=images.valid, callbacks=[stopping, lesson.progress(label)])
        return model, history, stopping.best_epoch

    name = f"VAE, {n_latent} latents"
    vae, history, best = trained(name, hidden, n_latent, stream=1)
    linear, _, _ = trained("linear decoder", (), n_latent, stream=2)
    flat, _, _ = trained("VAE, 2 latents", hidden, 2, stream=3)

    numbers = {"independent pixels": (Mean.of(independent_pixels(images.train, images.test)), "", "")}
    for label, model in ((f"linear decoder, {n_latent} latents", linear), ("VAE, 2 latents", flat), (name, vae)):
        terms = model.elbo(images.test, rng=lesson.rng(9))
        numbers[label] = tuple(Mean.of(term) for term in terms)
    lesson.table("Test images, nats per image (more is better; +- is the standard error over images)",
                 ["model", "log p(x) or its bound", "reconstruction", "KL"],
                 [(label, *row) for label, row in numbers.items()])
    gain = numbers[name][0].value - numbers["independent pixels"][0].value
    lesson.say(
        "Independent pixels give an exact log p(x); the others give the ELBO, which can only be below theirs. Even so "
        f"the\nVAE is {gain:.1f} nats above: it has learned which pixels go together. Of what it knows of an image, "
        f"the KL is\nwhat the code costs ({numbers[name][2].value:.1f} nats) and the reconstruction what is still "
        "missing after it.\nThe two-latent VAE pays for a map that fits on paper.\n")

    rng = lesson.rng(10)
    lesson.save(plotting.training_curves(
        history.train, history.valid, "The ELBO rises while its KL grows: the code learns to say something, then the "
        "validation curve tells when to stop", best=best), "vae_training")
    shown = rng.choice(len(images.test), 10, replace=False)
    lesson.save(plotting.image_grid(
        np.concatenate([images.test[shown], vae.reconstruct(images.test[shown]), flat.reconstruct(images.test[shown])]),
        f"{n_latent} numbers keep an image's shape; 2 keep little more than its kind",
        row_labels=["original", f"{n_latent} latents", "2 latents"]), "vae_reconstructions")
    z = rng.standard_normal((40, n_latent))
    lesson.save(plotting.image_grid(vae.decode(z), "Images that never were: z drawn from N(0, I), decoded (mean of "
                                    "p(x given z))"), "vae_samples")
    values = np.linspace(-2.5, 2.5, 11)
    centre = vae.encode(images.test[shown[:1]])[0][0]
    moved = np.tile(centre, (n_latent, len(values), 1))
    for j in range(n_latent):
        moved[j, :, j] = values
    lesson.save(plotting.traversal(
        vae.decode(moved.reshape(-1, n_latent)), values, "One latent moved at a time, the others held: each changes "
        "the image in its own way, or hardly at all", [f"z{j + 1}" for j in range(n_latent)]), "vae_traversal")
    lesson.save(plotting.manifold(flat.decode(plotting.manifold_grid(15)),
                                  "Moving z1 and z2 changes the image continuously, through all kinds of images"),
                                  "vae_manifold")
    lesson.save(plotting.latent_scatter(
        flat.encode(images.test[:5000])[0], images.test_labels[:5000],
        "Codes gather at the centre and sort themselves by label, though no label was ever shown", circles=True),
        "vae_latent")
    return {label: {"elbo": row[0], "reconstruction": row[1], "kl": row[2]} for label, row in numbers.items()}


def independent_pixels(train, test):
    """log p(x) : (N,) of the test images if every pixel is a coin of its own, with p = (ones + 1) / (images + 2)."""
    p = (train.sum(axis=0, dtype=np.float64) + 1) / (len(train) + 2)
    logits = np.log(p) - np.log1p(-p)
    return sv.Bernoulli().log_prob(test, np.broadcast_to(logits, test.shape))
