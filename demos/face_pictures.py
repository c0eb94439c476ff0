"""How do the faces look, drawn and decoded? What an axis does to a face, and what a slider does."""
import numpy as np

import scratchvae as sv
from demos.explore import Explorer
from demos.face_labels import FIFTHS, codes
from demos.face_sliders import ENDS, code_of
from scratchvae import plotting

SHAPE = 24, 24
COLOURS = {"smile": plotting.OTHER_COLOURS[0], "pose": plotting.OTHER_COLOURS[1]}


def drawn_figure():
    """Drawn faces: the smile to the right, the pose upward."""
    axis = np.linspace(-1, 1, 7)
    factors = np.stack([np.tile(axis, 7), np.repeat(axis[::-1], 7)], axis=1)
    return plotting.image_grid(sv.draw_faces(factors), "Faces drawn by formula: the smile grows to the right, the head "
                               "turns from below upward", n_columns=7, shape=SHAPE)


def gap_figure(numbers, latents, betas, title):
    """Read off linearly, and the gap, over beta, a line for each number of latents."""
    figure, axes = plotting.panels(4, title, n_columns=2, size=(4.6, 3))
    for row, what in enumerate(("linear R^2", "gap")):
        for column, factor in enumerate(COLOURS):
            found = {f"{K} latents": [numbers[K, beta, False][f"{what}, {factor}"] for beta in betas] for K in latents}
            ax = axes[2 * row + column]
            plotting.lines(betas, {name: [m.value for m in means] for name, means in found.items()},
                           f"{factor}: {what}", "beta", "1: an axis of its own" if what == "gap" else "on unseen faces",
                           logx=True,
                           errors={name: [m.error for m in means] for name, means in found.items()}, ax=ax)
            ax.set_ylim(min(0, ax.get_ylim()[0]), 1.08)
    return figure


def axes_figure(vae, z):
    """One latent moved at a time from the middle of the codes z (N, K), by two of their deviations to both sides."""
    steps = np.linspace(-2, 2, 9)
    moved = z.mean(axis=0) + steps[:, None] * (np.eye(z.shape[1]) * z.std(axis=0))[:, None]       # (K, steps, K)
    return plotting.traversal(vae.decode(moved.reshape(-1, z.shape[1])), steps, "Does an axis smile? Each latent moved "
                              "by itself, in deviations of its codes", [f"z{j + 1}" for j in range(z.shape[1])],
                              shape=SHAPE)


def sliders_figure(vae, middle, steps, n):
    """The sliders of smile and pose that n labelled faces give, each moved by itself."""
    values = np.linspace(-1, 1, 9)
    faces = vae.decode(np.concatenate([middle + values[:, None] * step for step in steps]))
    figure = plotting.traversal(faces, values, f"A smile and a pose on sliders: the directions that {n} labelled faces "
                                "give", list(COLOURS), shape=SHAPE)
    figure.axes[0].set_xlabel("value of the slider")
    return figure


def labels_figure(told, vae, steps, k, by_label, along):
    """Five heads, one a row, their factor k moved: under each label of a VAE told it, and by steps[k] (K,) of z.

    by_label, along : (runs, 3), what was `moved` from end to end of a slider
    """
    name, other = list(COLOURS)[k], list(COLOURS)[1 - k]
    values = np.linspace(*ENDS, FIFTHS)
    factors = np.stack([values[[4, 1, 3, 0, 2]], values], axis=1)[:, ::1 - 2 * k]        # the other in order, by rows
    X, n = sv.draw_faces(factors), len(factors)
    kept = np.repeat(codes(told, X, factors, k)[0], FIFTHS, axis=0)
    moved = code_of(vae, X)[:, None] + (values - factors[:, [k]])[..., None] * steps[k]               # (n, FIFTHS, K)
    rows = told.decode(kept, np.tile(np.arange(FIFTHS), n)), vae.decode(moved.reshape(-1, vae.n_latent))
    says = ["moves {0:.2f} and the {3} {1:.2f}, of whose differences {2:.2f} stay".format(*each.mean(axis=0), other)
            for each in (by_label, along)]
    figure, axes = plotting.panels(2, f"A {name} that should move by {np.ptp(ENDS):g}, a head a row: by its label it "
                                   f"{says[0]}; along the labelled direction it {says[1]}", size=(4.4, 4.5))
    for ax, decoded, title in zip(axes, rows, ("z kept, label moved", "z moved along the labelled direction")):
        tiles = np.concatenate([X[:, None], decoded.reshape(n, FIFTHS, -1)], axis=1).reshape(-1, X.shape[1])
        plotting.image_grid(tiles, title, n_columns=FIFTHS + 1, shape=SHAPE, ax=ax)
        ax.set_xticks(np.arange(FIFTHS + 1) + 0.5, ["drawn", *(f"{value:.1f}" for value in values)])
        ax.set_xlabel(f"{name} asked for")
    return figure


def explorer(vae, z, factors, middle, steps):
    """The window of the lesson `explore`, with a slider for the smile and one for the pose; at first at a smile.

    z : (N, K), codes, of which the map shows what their labelled directions say      factors : (N, 2), for the colours
    """
    read = (z - middle) @ np.linalg.pinv(steps)
    mood = np.digitize(factors[:, 0], (-1 / 3, 1 / 3))
    window = Explorer(lambda f: vae.decode(middle + f @ steps), read, mood, SHAPE, ("sad", "calm", "happy"),
                      axes=tuple(COLOURS), reach=1.5)
    window.image.set_title("decoded here")
    window.map.set_yticks((-1, 0, 1))
    window.figure.suptitle("Smile and pose of a face on two sliders")
    for end in ((-0.9, -0.5), (0.9, 0.5)):
        window.choose(np.array(end))
    window.move(np.array((0.9, 0.5)))
    return window
