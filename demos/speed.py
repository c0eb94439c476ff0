"""How fast can NumPy be? A training step beside its bare matrix products, and beside PyTorch and JAX where installed.

Times a full training step of four VAEs (gather, forward, noise, loss, backward, Adam) in processes of their own, in
turn, on one core and on two, and prints each ratio with its spread over rounds; what that cannot bear is not judged.
Beside it stands the floor: the same matrix products alone. PyTorch and JAX take part if they can be imported
(pip install -e '.[compare]'), after their loss and gradient have been compared with ours on the same parameters and
noise. Then the number of threads that the library chooses beside one thread, idle and beside a busy process; PCA on
60,000 x 784 numbers; and cost against size with fitted slopes. Worth something on a machine that does nothing else.

With --data DIR, PCA is of MNIST-format files. Takes about 300 s with PyTorch, JAX and scikit-learn, 180 s
without; on 60,000 images as long. Writes speed_step, speed_scaling,
speed_sampling and speed_memory (.png).
"""
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import scratchvae as sv
from demos import race, run_as_command
from demos.growth import cost_against_size, memory_against_size, own_threads
from demos.machine import cores, described
from demos.race import BENCHMARKS, Ratio, pinned, verdicts
from scratchvae import plotting
from scratchvae.models.pca import SOLVERS, joined

CONFIGS = {
    "a: 784-400-20 ReLU, batch 128": (784, [400], 20, "relu", 128),
    "b: 784-500-20 tanh, batch 100": (784, [500], 20, "tanh", 100),
    "c: 64-128-8 ReLU, batch 64": (64, [128], 8, "relu", 64),
    "d: 784-1024-512-32 ReLU, batch 256": (784, [1024, 512], 32, "relu", 256),
}
FRAMEWORKS = {"torch, default Adam": "torch", "torch, fused Adam": "torch", "jax": "jax"}


def run(lesson):
    """Race, measure, draw; returns the medians and ratios."""
    lesson.say(__doc__.splitlines()[0])
    lesson.say(described())
    here = [name for name, module in FRAMEWORKS.items() if is_installed(module)]
    absent = sorted({module for name, module in FRAMEWORKS.items() if name not in here})
    lesson.say(f"{', '.join(absent)} not installed: left out." if absent else "PyTorch and JAX are installed.")
    labels = lesson.pick(list(CONFIGS), list(CONFIGS)[2:3])
    numbers = {(label, threads): race.race(lesson, label, config(label, threads), ["scratchvae", "floor", *here])
               for threads in range(1, lesson.pick(min(cores(), 2), 1) + 1) for label in labels}
    step_tables(lesson, numbers, here)
    by_threads = race.threads(lesson, {label: config(label, None) for label in labels if label[0] != "b"})

    shares = profile(lesson)
    lesson.table(f"Where the time of step a goes, as shares of the step ({own_threads()})", ["part", "share"],
                 [(name, f"{share:.0%}") for name, share in shares.items()])
    lesson.say("What a compiler has over NumPy is fused elementwise work: one pass over memory where NumPy takes one "
               "for each\noperation, and all threads at it where NumPy has one. Matrix products are the work of each "
               "one's own library.")
    lesson.save(step_figure(numbers), "speed_step")
    pca = pca_race(lesson)
    scaling = cost_against_size(lesson)
    grown, memory_slopes = memory_against_size(lesson)
    scaling.update(memory_slopes)
    lesson.table("Slopes on log-log axes over the last three sizes: time, or memory, grows as size to this power",
                 ["what", "power"], [(name, f"{value:.2f}") for name, value in scaling.items()])
    return {"steps": {f"{label}, {threads} threads": n for (label, threads), n in numbers.items()}, "shares": shares,
            "threads": by_threads, "pca": pca, "slopes": scaling, "memory": grown}


def config(label, threads):
    """A step's sizes, as benchmarks/contender.py reads them."""
    names = "n_features", "hidden", "n_latent", "activation", "batch"
    return {**dict(zip(names, CONFIGS[label])), "threads": threads}


def is_installed(module):
    """Whether a framework can be imported; it is not, here."""
    return importlib.util.find_spec(module) is not None


# ---- a step ---------------------------------------------------------------------------------------------------------

def step_tables(lesson, numbers, here):
    """The races' ratios, what may be said of them, and memory."""
    first = next(iter(numbers.values()))
    lesson.table("Median step time in ms, and the ratio of ours to the others' (less is better), in turn in one run; "
                 "in brackets nine rounds in ten",
                 ["step", "threads", "ours, ms", *(f"ours / {name}" for name in first["over"])],
                 [(label, threads, f"{n['ms']:.3f}", *map(str, n["over"].values())) for (label, threads), n in
                  numbers.items()])
    for name in here:
        ratios = {f"{label[0]} ({threads})": n["over"][name] for (label, threads), n in numbers.items()}
        lesson.say(f"Beside {name}, step (threads): ours is {verdicts(ratios)}.")
    lesson.table("The same times over the bare matrix products': how far everyone is from the floor",
                 ["step", "threads", *(f"{name} / floor" for name in first["floor"])],
                 [(label, threads, *map(str, n["floor"].values())) for (label, threads), n in numbers.items()])
    lesson.table("Peak resident memory while training, in MiB, and how much of it the process did not hold before its "
                 "first step", ["step", *first["memory"]],
                 [(label, *(f"{peak:.0f}, {peak - before:.0f}" for peak, before in n["memory"].values()))
                  for (label, threads), n in numbers.items() if threads == 1])


def profile(lesson):
    """Shares of step a that its parts take when timed alone, and what they add up to."""
    D, hidden, K, activation, B = list(CONFIGS.values())[0]
    rng = lesson.rng(1)
    vae = sv.VAE(D, hidden=hidden, n_latent=K, activation=activation, rng=rng)
    X, adam = (rng.random((4096, D)) < 0.3).astype(np.float32), sv.Adam(1e-3)
    rows, dense = rng.integers(4096, size=B), [n.layers[i] for n in (vae.encoder, vae.decoder) for i in (0, 2)]
    pairs = [(*(rng.standard_normal((B, n), dtype=np.float32) for n in layer.W.shape), layer.W) for layer in dense]

    def products():
        for i, (x, dy, W) in enumerate(pairs):
            x @ W, x.T @ dy
            if i:
                dy @ W.T

    def elementwise():
        for (x, dy, W), layer in zip(pairs, dense):
            dy += layer.b
            dy.sum(axis=0, out=layer.db)
        for _, h, _ in pairs[::2]:  # the hidden layers
            mask = h > 0
            h * mask, h * mask

    x, logits = X[rows], np.ones((B, D), np.float32)
    parts = {"step": lambda: (vae.forward_backward(X.take(rows, axis=0), rng=rng), adam.step(vae.theta, vae.grad)),
             "matrix products": products, "Adam": lambda: adam.step(vae.theta, vae.grad),
             "gather the batch": lambda: X.take(rows, axis=0), "draw noise": lambda: vae.noise(B, rng),
             "loss and its gradient": lambda: vae.observation.value_and_grad(x, logits),
             "biases and activations": elementwise}
    seconds = {name: [] for name in parts}
    for _ in range(lesson.pick(150, 5)):
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: np.median(s) for name, s in seconds.items()}
    whole = medians.pop("step")
    shares = {name: float(m / whole) for name, m in medians.items()}
    return {**shares, "all of these, each timed alone": sum(shares.values())}


def step_figure(numbers):
    """Bars: our step time over each framework's (the floor's, where there is none), by configuration and threads."""
    threads, first = sorted({t for _, t in numbers}), next(iter(numbers.values()))["over"]
    colours = {"torch, default Adam": plotting.OTHER_COLOURS[0], "torch, fused Adam": plotting.OTHER_COLOURS[1],
               "jax": plotting.OTHER_COLOURS[2]}
    names = [name for name in colours if name in first] or ["floor"]
    colours["floor"] = plotting.GREY
    ranges = [(name, *np.quantile([n["over"][name].value for n in numbers.values()], (0, 1))) for name in names]
    title = "A step written by hand over theirs: " + ", ".join(
        f"{low:.2f} to {high:.2f} ({name})" for name, low, high in ranges)
    figure, axes = plotting.panels(len(threads), title, n_columns=1, size=(8.5, 2.9))
    with plotting.house_style():
        for ax, t in zip(axes, threads):
            rows = {label: n for (label, own), n in numbers.items() if own == t}
            for i, name in enumerate(names):
                places = np.arange(len(rows)) + (i - (len(names) - 1) / 2) * 0.8 / len(names)
                value, low, high = np.transpose([n["over"][name] for n in rows.values()])
                ax.bar(places, value, 0.75 / len(names), yerr=(value - low, high - value), capsize=2,
                       color=colours[name], error_kw={"linewidth": 1}, label=name)
                for place, ratio, top in zip(places, value, high):
                    ax.annotate(f"{ratio:.2f}", (place, top), (0, 2), textcoords="offset points", ha="center", size=8,
                                path_effects=plotting.HALO, zorder=4)
            ax.axhline(1, color=plotting.COLOURS["VAE"], label="equal; below it ours is faster")
            ax.set_xticks(range(len(rows)),
                          [label.replace(" ReLU", "\nReLU").replace(" tanh", "\ntanh") for label in rows])
            ax.set(ylabel="our step time / theirs\n(whiskers: nine rounds in ten)",
                   title=f"{t} thread{'s' if t > 1 else ''}")
            ax.margins(y=0.12)
        axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


# ---- PCA ------------------------------------------------------------------------------------------------------------

def pca_race(lesson):
    """PCA on N x 784 float32, 50 components: seconds and accuracy of our solvers, NumPy's SVD and scikit-learn's."""
    N, D, k = lesson.pick(60_000, 2_000), lesson.pick(784, 64), lesson.pick(50, 5)
    rng = lesson.rng(2)
    if lesson.data is not None:
        X = lesson.images().train[:N]
    else:  # variances that fall as 1 / j^2, as those of images do, under an arbitrary rotation
        X = rng.standard_normal((N, D), dtype=np.float32) / np.arange(1, D + 1, dtype=np.float32)
        X = X @ np.linalg.qr(rng.standard_normal((D, D)))[0].astype(np.float32)
    mean = X.mean(axis=0, dtype=np.float64)
    R = np.linalg.qr(X - mean, mode="r")  # in one piece: the angles of "svd" below are not those to its own answer
    _, S, Vt = np.linalg.svd(R)
    exact = Vt[:k].T

    def angle(V):  # the sine of the largest angle between the subspaces: the part of V that the exact one lacks
        return float(np.linalg.norm(V - exact @ (exact.T @ V), 2))

    def excess(V):  # |X_c - X_c V V^T|^2 over the least possible, less 1
        return float(np.sum((R - R @ V @ V.T) ** 2) / np.sum(S[k:] ** 2)) - 1

    solvers = ["scratchvae, svd", "scratchvae, covariance", "numpy.linalg.svd"]
    if is_installed("sklearn"):
        solvers += ["scikit-learn, covariance", "scikit-learn, randomized"]
    seconds, errors = {name: [] for name in solvers}, {}
    with tempfile.TemporaryDirectory() as folder:
        data, components = Path(folder, "X.npy"), Path(folder, "components.npy")
        np.save(data, X)
        for _ in range(lesson.pick(3, 1)):
            for name in solvers:
                print(f"  PCA by {name}", flush=True)
                command = [sys.executable, str(BENCHMARKS / "pca_solver.py"), name, str(k), str(data), str(components)]
                done = subprocess.run(command, text=True, check=True, capture_output=True, **pinned(cores()))
                seconds[name].append(float(done.stdout))
                V = np.load(components).T.astype(np.float64)
                errors[name] = (angle(V), excess(V))
    # ours once more, before the components are rounded to the data's float32
    inside = {f"scratchvae, {name}": angle(joined(None, X, name)[2][:k].T) for name in SOLVERS}
    over = {name: Ratio.of(s, seconds["numpy.linalg.svd"]) for name, s in seconds.items()}
    lesson.table(f"PCA of {len(X)} x {X.shape[1]} float32, {k} components, {cores()} threads; the angle is to the "
                 "float64 solution's subspace",
                 ["solver", "seconds", "over numpy.linalg.svd", "squared error above the least",
                  "largest angle, radians", "before rounding to float32"],
                 [(name, f"{np.median(s):.2f}", str(over[name]), f"{errors[name][1]:.1e}",
                   f"{errors[name][0]:.1e}", f"{inside[name]:.1e}" if name in inside else "")
                  for name, s in seconds.items()])
    return {name: {"seconds": float(np.median(s)), "over": over[name], "angle": errors[name][0],
                   "excess": errors[name][1]} for name, s in seconds.items()}


if __name__ == "__main__":
    run_as_command(__spec__)
