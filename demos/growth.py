"""How do time and memory grow with size? Slopes on logarithmic axes, for the `speed` lesson."""
import os
import time
import tracemalloc

import numpy as np

import scratchvae as sv
from scratchvae import plotting


def own_threads():
    """How many threads this process's matrix products use."""
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    return "1 thread" if threads == "1" else f"{threads} threads"


def cost_against_size(lesson):
    """Step time over batch, width and latents; time to draw images from a VAE and from FVBN over the pixels; slopes."""
    rng = lesson.rng(3)

    def step_seconds(batch=128, width=400, n_latent=20):
        vae, adam = sv.VAE(784, hidden=(width,), n_latent=n_latent, rng=rng), sv.Adam(1e-3)
        x = (rng.random((batch, 784)) < 0.3).astype(np.float32)
        return median_seconds(lambda: (vae.forward_backward(x, rng=rng), adam.step(vae.theta, vae.grad)),
                              lesson.pick(7, 2))

    sizes = lesson.pick(np.array([32, 64, 128, 256, 512, 1024]), np.array([32, 64]))
    curves = {name: np.array([1e3 * step_seconds(**{name: int(size)}) for size in sizes])
              for name in ("batch", "width", "n_latent")}
    slopes = {name: slope(sizes, ms) for name, ms in curves.items()}
    names = {"batch": "the batch", "width": "the hidden layers", "n_latent": "the code"}
    lesson.save(with_fits(plotting.lines(
        sizes, {f"{names[name]} (slope {slopes[name]:.2f})": ms for name, ms in curves.items()},
        "How a step's time grows at the largest sizes: as " + ", ".join(
            f"{names[name]} to the power {slopes[name]:.2f}" for name in names),
        "size (else: batch 128, width 400, code 20)", f"ms a step ({own_threads()})", logx=True, logy=True),
        sizes, curves), "speed_scaling")

    pixels = lesson.pick(np.array([64, 144, 256, 400, 784]), np.array([16, 36]))
    drawing = {"VAE": [], "FVBN": []}
    for D in pixels.tolist():
        vae, fvbn = sv.VAE(D, hidden=(400,), n_latent=20, rng=rng), sv.FVBN(D, rng=rng)
        for name, model in (("VAE", vae), ("FVBN", fvbn)):
            drawing[name].append(1e3 * median_seconds(lambda: model.sample(100, rng=rng), lesson.pick(3, 1)))
    drawing = {name: np.array(ms) for name, ms in drawing.items()}
    slopes.update({f"sample, {name}": slope(pixels, ms) for name, ms in drawing.items()})
    lesson.save(with_fits(plotting.lines(
        pixels, drawing, f"Drawing 100 images: one pass for the VAE, one pass a pixel for the autoregressive model "
        f"(slopes {slopes['sample, VAE']:.1f} and {slopes['sample, FVBN']:.1f})",
        "pixels", f"ms for 100 images ({own_threads()})", logx=True, logy=True), pixels, drawing), "speed_sampling")
    return slopes


def memory_against_size(lesson):
    """Peak memory that `fit` and PCA ask for, over the data's own, against N; and of 1 epoch against 4."""
    def peak(action):
        tracemalloc.start()
        action()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 2**20

    def train(X, epochs):
        rng = lesson.rng(4)
        return lambda: sv.fit(sv.VAE(784, hidden=(64,), n_latent=20, rng=rng), X, epochs=epochs, batch_size=256,
                              rng=rng)

    sizes = lesson.pick(np.array([2_000, 8_000, 32_000]), np.array([1_000, 2_000]))
    everything = (lesson.rng(4).random((sizes[-1], 784), dtype=np.float32) < 0.3).astype(np.float32)
    methods = {"VAE, 1 epoch": lambda X: train(X, 1), "VAE, 4 epochs": lambda X: train(X, 4),
               "PCA, svd": lambda X: lambda: sv.PCA(50, solver="svd").fit(X),
               "PCA, covariance": lambda X: lambda: sv.PCA(50, solver="covariance").fit(X)}
    grown = {name: np.array([peak(method(everything[:N])) for N in sizes]) for name, method in methods.items()}
    data = sizes * 784 * 4 / 2**20
    lesson.table("Memory asked for beyond the data, at its peak, in MiB", ["N", "the data", *grown],
                 [(f"{N:,}", f"{d:.1f}", *(f"{mib[i]:.1f}" for mib in grown.values()))
                  for i, (N, d) in enumerate(zip(sizes, data))])
    lesson.save(with_fits(plotting.lines(
        sizes, {"the data itself": data, **grown},
        f"From {sizes[0]:,} to {sizes[-1]:,} examples the memory asked for beyond the data grows " + ", ".join(
            f"{mib[-1] / mib[0]:.1f} times ({name})" for name, mib in grown.items()),
        "examples, 784 float32 each", "MiB", logx=True, logy=True), sizes, grown), "speed_memory")
    return grown, {f"memory, {name}": slope(sizes, mib) for name, mib in grown.items()}


def median_seconds(action, rounds):
    """The median time of `rounds` calls, after one that is not counted."""
    action()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def power_law(sizes, values):
    """(p, log c) of the best fit value = c size^p to the last three sizes: what is constant weighs least there."""
    return np.polyfit(np.log(sizes[-3:]), np.log(values[-3:]), 1)


def slope(sizes, values):
    """The exponent of the fit."""
    return float(power_law(sizes, values)[0])


def with_fits(figure, sizes, curves):
    """The figure of `plotting.lines` with its curves' fits, dashed."""
    ax = figure.axes[0]
    for values in curves.values():
        ax.plot(sizes[-3:], np.exp(np.polyval(power_law(sizes, values), np.log(sizes[-3:]))), color="black",
                linestyle=(0, (3, 3)), linewidth=1, zorder=5)
    return figure
