"""How does a latent space organise itself? An autoencoder's and a VAE's, side by side, while they train.

Both compress the same MNIST digits, binarised, to two numbers with the same network. Two things differ: the VAE draws
its code, z = mu + sigma eps, and its loss has a KL. Every frame shows where the training images lie after so many epochs,
of the VAE the means mu. The last frame's spread is printed: the root-mean-square distance of the
codes from the origin, and how far their mean is off it.

With --data digits it does the same on the 8 x 8 digits, with --data DIR on 5,000 images of MNIST-format files.
Takes about 27 s, on 60,000 images about 30 s.
Writes unfolding (.gif), unfolding_autoencoder and unfolding_machine (.png).
"""
import os

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import PillowWriter

import scratchvae as sv
from demos import run_as_command
from scratchvae import plotting


def run(lesson):
    """Train both, film both; returns the spread of the last frame."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(binary=True, most=5000, default="mnist")
    x, labels = images.train[:1000], images.train_labels[:1000]
    epochs = max(lesson.pick(40, 6), lesson.epochs(200, 6, images.train))
    # more of them early, when most happens
    frames = np.unique(np.geomspace(1, epochs + 1, lesson.pick(44, 4)).astype(int) - 1)
    films = {}
    for stream, (name, cls) in enumerate({"AE": sv.Autoencoder, "VAE": sv.VAE}.items()):
        rng = lesson.rng(stream)
        model = cls(x.shape[1], hidden=images.layers_to_a_plane, n_latent=2, rng=rng)
        codes = (lambda: model.encode(x)[0]) if name == "VAE" else (lambda: model.encode(x))
        film = [codes()]
        sv.fit(model, images.train, epochs=epochs, batch_size=64, rng=rng,
               callbacks=[lambda run: film.append(codes()) if run.epoch in frames else None, lesson.progress(name)])
        films[name] = film
        lesson.save(plotting.diagram(model), "unfolding_machine" if name == "VAE" else "unfolding_autoencoder")
    path = film_of(films, frames, labels, images.names, lesson.out / "unfolding.gif",
                   hold=lesson.pick(12, 1))  # two seconds
    numbers = {name: {"radius": float(np.sqrt((film[-1] ** 2).sum(axis=1).mean())),
                      "offset": float(np.linalg.norm(film[-1].mean(axis=0)))} for name, film in films.items()}
    lesson.table(f"The codes after {epochs} epochs",
                 ["model", "root-mean-square radius", "distance of the mean from the origin"],
                 [(name, n["radius"], n["offset"]) for name, n in numbers.items()])
    lesson.say(spread({name: n["radius"] for name, n in numbers.items()}))
    print(f"  saved {path}", flush=True)
    return numbers


def spread(radius):
    """How far each model's codes lie from the origin in this film, of one run each, beside N(0, I) in the plane."""
    scale = {name: r / np.sqrt(2) for name, r in radius.items()}
    ae = f"here they end {scale['AE']:.1f} times as far from the origin as draws from N(0, I)"
    vae = (f"{'holds the means near' if 0.5 < scale['VAE'] < 1.5 else 'has not brought the means to'} the scale of "
           f"N(0, I) ({scale['VAE']:.1f} times it)")
    return f"Nothing tells the autoencoder where to put its codes: {ae}.\nThe VAE's KL {vae}, where one looks for them."


def film_of(films, frames, labels, class_names, path, hold):
    """Write the codes of every frame, models side by side, as a GIF, the last `hold` times more; whole or not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    limits = {name: 1.1 * max(float(np.abs(frame).max()) for frame in film) for name, film in films.items()}
    figure, axes = plotting.panels(len(films), "epoch 000", size=(3.5, 3.5))
    writer, temporary = PillowWriter(fps=6), path.with_name(f".{path.name}.{os.getpid()}.gif")
    try:
        with plotting.house_style(), writer.saving(figure, temporary, dpi=80):
            for i, epoch in enumerate(frames):
                for ax, (name, film) in zip(axes, films.items()):
                    ax.clear()
                    plotting.latent_scatter(film[i], labels, name, circles=name == "VAE", names=class_names, ax=ax)
                    ax.set_aspect("equal", adjustable="box")
                    ax.set(xlim=(-limits[name], limits[name]), ylim=(-limits[name], limits[name]))
                    ax.title.set_color(plotting.COLOURS[name])
                figure.suptitle(f"Two numbers an image, coloured by label: epoch {epoch}")
                writer.grab_frame()
                figure.set_layout_engine("none")  # it stays where the first frame put it
            for _ in range(hold):
                writer.grab_frame()
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        plt.close(figure)
    return path


if __name__ == "__main__":
    run_as_command(__spec__)
