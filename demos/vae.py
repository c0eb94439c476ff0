"""Can a network learn to draw? The variational autoencoder, trained and measured on real images.

Trains VAEs on 8,000 MNIST digits of 28 x 28 pixels, binarised at one half, stopped early on the validation images, and
prints the test ELBO and its two terms in nats per image with standard errors. Beside them stand two baselines:
independent pixels, and a VAE with a linear decoder. A VAE of two latents draws the map of its latent space. Layers,
latents and the learning rate were chosen on the validation images.

With --data digits it does the same on the 8 x 8 digits, with --data DIR on MNIST-format files.
Takes about 37 s, on 60,000 images about 50 s. Writes vae_machine, vae_training, vae_reconstructions, vae_samples,
vae_traversal, vae_manifold, vae_latent (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding, neighbours_agree
from demos.lesson import Mean
from demos.pca import same_label
from scratchvae import plotting


def run(lesson):
    """Train, measure, say, draw; returns the table's numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(binary=True, default="mnist")
    n_features = images.train.shape[1]
    hidden, n_latent, lr = ((200,), 20, 2e-3) if images.large else ((128,), 8, 1e-3)
    epochs = lesson.epochs(400, 8, images.train)
    lesson.say("Their pixels are binarised at one half.\n")

    def trained(label, hidden, n_latent, stream):
        rng = lesson.rng(stream)
        model = sv.VAE(n_features, hidden=hidden, n_latent=n_latent, observation=sv.Bernoulli(), rng=rng)
        stopping = sv.EarlyStopping(patience=40)
        history = sv.fit(model, images.train, epochs=epochs, batch_size=100 if images.large else 64,
                         optimizer=sv.Adam(lr), rng=rng, valid=images.valid,
                         callbacks=[stopping, lesson.progress(label)])
        return model, history, stopping.best_epoch

    name = f"VAE, {n_latent} latents"
    vae, history, best = trained(name, hidden, n_latent, stream=1)
    linear, _, _ = trained("linear decoder", (), n_latent, stream=2)
    flat, _, _ = trained("VAE, 2 latents", images.layers_to_a_plane, 2, stream=3)

    independent = independent_pixels(images.train, images.test)
    numbers, elbo = {"independent pixels": (Mean.of(independent), "", "")}, {}
    for label, model in ((f"linear decoder, {n_latent} latents", linear), ("VAE, 2 latents", flat), (name, vae)):
        terms = model.elbo(images.test, rng=lesson.rng(9))
        numbers[label], elbo[label] = tuple(Mean.of(term) for term in terms), terms.elbo
    lesson.table("Test images, nats per image (more is better; +- is the standard error over images)",
                 ["model", "log p(x) or its bound", "reconstruction", "KL"],
                 [(label, *row) for label, row in numbers.items()])
    lesson.say(learned(Finding.of(elbo[name] - independent), numbers[name][2],
                       Finding.of(elbo[name] - elbo["VAE, 2 latents"])))

    draw(lesson, images, vae, flat, history, best)
    return {label: {"elbo": row[0], "reconstruction": row[1], "kl": row[2]} for label, row in numbers.items()}


def draw(lesson, images, vae, flat, history, best):
    """The figures: of the VAE and its training, and of the one with two latents, the map."""
    rng, n_latent = lesson.rng(10), vae.n_latent
    lesson.save(plotting.diagram(vae), "vae_machine")
    lesson.save(plotting.training_curves(
        history.train, history.valid, course(history.valid["elbo"], history.valid["kl"], best), best=best),
        "vae_training")
    shown = rng.choice(len(images.test), 10, replace=False)
    lost = {k: unexplained(images.test, model.reconstruct(images.test)) for k, model in ((n_latent, vae), (2, flat))}
    lesson.save(plotting.image_grid(
        np.concatenate([images.test[shown], vae.reconstruct(images.test[shown]), flat.reconstruct(images.test[shown])]),
        "Of the test images' variance " + ", ".join(f"{k} numbers restore {1 - left:.0%}" for k, left in lost.items()),
        row_labels=["original", f"{n_latent} latents", "2 latents"], shape=images.shape), "vae_reconstructions")
    z = rng.standard_normal((40, n_latent))
    lesson.save(plotting.image_grid(vae.decode(z), "Images that never were: z drawn from N(0, I), decoded (mean of "
                                    "p(x given z))", shape=images.shape), "vae_samples")
    values = np.linspace(-2.5, 2.5, 11)
    centre = vae.encode(images.test[shown[:1]])[0][0]
    moved = np.tile(centre, (n_latent, len(values), 1))
    for j in range(n_latent):
        moved[j, :, j] = values
    change = np.array([np.linalg.norm(np.diff(vae.decode(row[[0, -1]]), axis=0)) for row in moved])
    most = np.sort(np.argsort(-change)[:10])       # on one page
    lesson.save(plotting.traversal(
        vae.decode(moved[most].reshape(-1, n_latent)), values, moving(change),
        [f"z{j + 1}" for j in most], shape=images.shape), "vae_traversal")
    lesson.save(plotting.manifold(flat.decode(plotting.manifold_grid(13 if images.large else 15)),
                                  "Moving z1 and z2 changes the image continuously: the decoded map of the plane",
                                  shape=images.shape),
                                  "vae_manifold")
    z, labels = flat.encode(images.test[:5000])[0], images.test_labels[:5000]
    lesson.save(plotting.latent_scatter(z, labels, sorted_by_label(z, labels), circles=True, names=images.names),
                "vae_latent")


# ---- what the lesson says, of any numbers ---------------------------------------------------------------------------

def learned(gain, kl, over_flat):
    """What the VAE is worth. gain : its ELBO minus independent pixels' log p(x); kl : Mean of its KL; over_flat : its
    ELBO minus the two-latent VAE's; Findings over images."""
    told = gain.words(f"Even so this VAE is\n{gain} nats above: it has learned which pixels go together.",
                      f"This VAE is\n{Mean(-gain.value, gain.error)} nats below: its bound does not show that it has "
                      "learned which pixels go together.",
                      f"This VAE is\n{gain} nats above, no clear difference: its bound does not show that it has "
                      "learned which pixels go together.")
    flat = over_flat.words(f"The two-latent VAE pays {over_flat} nats of it for a map that fits on paper.",
                           f"The two-latent VAE is the better one here, by {Mean(-over_flat.value, over_flat.error)} "
                           "nats.",
                           f"The two-latent VAE is not clearly worse ({over_flat} nats).")
    return ("Independent pixels give an exact log p(x); the others give the ELBO, which can only be below theirs. "
            f"{told}\nOf what it knows of an image, the KL is what the code costs ({kl.value:.1f} nats) and the "
            f"reconstruction what is still missing\nafter it. {flat} (+- over images, of one run each)\n")


def course(elbo, kl, best):
    """The title of the training: what the validation images' ELBO and KL do up to the best epoch, and what follows."""
    if best == 1:
        return f"The validation images' ELBO is highest after epoch 1, {elbo[0]:.1f}"
    at = best - 1
    rises, grows = (curve[at] > curve[0] for curve in (elbo, kl))
    end = f"after epoch {best} it rises no more" if best < len(elbo) else "it is highest at the end"
    return (f"Up to epoch {best} the validation images' ELBO {'rises' if rises else 'does not rise'} "
            f"({elbo[0]:.1f} to {elbo[at]:.1f}) and the KL {'grows' if grows else 'does not grow'} ({kl[0]:.1f} to "
            f"{kl[at]:.1f}); {end}")


def unexplained(X, X_mean):
    """The squared error as a share of the variance of X : from 0 to about 1 for their mean image."""
    return float(((X - X_mean) ** 2).sum() / ((X - X.mean(axis=0)) ** 2).sum())


def moving(change, shown=10):
    """The title of the traversal: how far images at both ends of each latent's walk are apart : (K,)."""
    still = int((change < 0.1 * change.max()).sum())
    return ("One latent moved at a time, the others held" + f" (the {shown} of {len(change)} that change it most)"
            * (shown < len(change)) + f": images at the ends differ by {change.min():.1f} to "
            f"{change.max():.1f}" + (f"; {still} of {len(change)} latents hardly change the image" if still else ""))


def sorted_by_label(z, labels):
    """The title of the map: where codes lie, and whether neighbours have the same label."""
    radius = np.sqrt((z * z).sum(axis=1).mean() / z.shape[1])
    return (f"Codes lie at {radius:.1f} times N(0, I)'s distance from the centre; no label was shown, and "
            f"{neighbours_agree(z, labels).mean():.0%} of the nearest neighbours share theirs (by chance "
            f"{same_label(labels):.0%})")


def independent_pixels(train, test):
    """log p(x) : (N,) of the test images if every pixel is a coin of its own, with p = (ones + 1) / (images + 2)."""
    p = (train.sum(axis=0, dtype=np.float64) + 1) / (len(train) + 2)
    logits = np.log(p) - np.log1p(-p)
    return sv.Bernoulli().log_prob(test, np.broadcast_to(logits, test.shape))


if __name__ == "__main__":
    run_as_command(__spec__)
