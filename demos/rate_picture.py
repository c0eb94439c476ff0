"""What does a nat buy? Squared error against KL over beta: linear VAEs of the lesson `observation`, and the optimum."""
import numpy as np

from scratchvae import plotting


def rate_figure(measured, theory):
    """measured : beta -> (KL, squared error) of a trained VAE      theory : (n, 2), the same of the best, any beta"""
    betas, points = sorted(measured), np.array([measured[beta] for beta in sorted(measured)])
    (high, least), (low, most) = points[0], points[-1]
    figure, (ax,) = plotting.panels(1, f"From beta = {betas[-1]:g} to {betas[0]:g} the code goes from {abs(low):.1f} "
                                    f"to {high:.1f} nats an image, the squared error from {most:.2f} to {least:.2f}",
                                    size=(7.4, 4.4))
    right, top = 1.12 * max(theory[:, 0].max(), points[:, 0].max()), 1.12 * max(theory[:, 1].max(), points[:, 1].max())
    together = {}                                                        # betas whose marks lie on each other
    for beta, point in zip(betas, points):
        near = [other for other in together if (np.abs(other - point) < [0.015 * right, 0.015 * top]).all()]
        together.setdefault(near[0] if near else tuple(point), []).append(f"{beta:g}")
    with plotting.house_style():
        ax.plot(*theory.T, "--", color=plotting.COLOURS["truth"], label="the best linear VAE, every beta")
        ax.plot(*points.T, "o", color=plotting.COLOURS["VAE"], markersize=8, label="trained")
        for point, names in together.items():
            plotting.label(ax, *point, f"beta = {', '.join(names)}", (24 + 3 * len(", ".join(names)), 10), size=9,
                           color=plotting.COLOURS["VAE"])
        ax.set(xlabel="KL, nats per image: what the code says", ylabel="squared error per image, z drawn from q",
               xlim=(-0.03 * right, right), ylim=(0, top))
        ax.grid(color=plotting.PALE, linewidth=0.6)
        ax.legend(loc="upper right")
    return figure
