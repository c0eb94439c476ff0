"""How fast can NumPy be? A training step beside its bare matrix products, and beside PyTorch and JAX where installed.

Times a full training step of four VAEs (gather, forward, noise, loss, backward, Adam) in processes of their own, in
turn, on one core and on two, and prints medians and ratios. Beside it stands the floor: the same matrix products alone.
PyTorch and JAX take part if they can be imported (pip install -e '.[compare]'), after their loss and gradient have been
compared with ours on the same parameters and noise. Then PCA on 60,000 x 784 numbers, and cost against size with fitted
slopes.

With --data DIR, PCA is of MNIST-format files. Takes about 480 s with PyTorch, JAX and scikit-learn, 170 s
without; on 60,000 images as long. Writes speed_step, speed_scaling,
speed_sampling and speed_memory (.png).
"""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

import scratchvae as sv
from demos import run_as_command
from scratchvae import plotting
from scratchvae.models.pca import SOLVERS

CONFIGS = {
    "a: 784-400-20 ReLU, batch 128": (784, [400], 20, "relu", 128),
    "b: 784-500-20 tanh, batch 100": (784, [500], 20, "tanh", 100),
    "c: 64-128-8 ReLU, batch 64": (64, [128], 8, "relu", 64),
    "d: 784-1024-512-32 ReLU, batch 256": (784, [1024, 512], 32, "relu", 256),
}
FRAMEWORKS = {"torch, default Adam": "torch", "torch, fused Adam": "torch", "jax": "jax"}
BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def run(lesson):
    """Race, measure, draw; returns the medians and ratios."""
    lesson.say(__doc__.splitlines()[0])
    here = [name for name, module in FRAMEWORKS.items() if is_installed(module)]
    absent = sorted({module for name, module in FRAMEWORKS.items() if name not in here})
    lesson.say(f"{', '.join(absent)} not installed: left out." if absent else "PyTorch and JAX are installed.")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    numbers = {}
    for threads in range(1, lesson.pick(min(cores, 2), 1) + 1):
        for label in lesson.pick(list(CONFIGS), list(CONFIGS)[2:3]):
            numbers[label, threads] = race(lesson, label, threads, ["scratchvae", "floor", *here])
    contenders = ["floor", *here]
    lesson.table("Median step time in ms, and the ratio of ours to the others' (less is better), in turn in one run",
                 ["step", "threads", "ours, ms", *(f"ours / {name}" for name in contenders)],
                 [(label, threads, f"{n['scratchvae']:.3f}",
                   *(f"{n['scratchvae'] / n[name]:.2f}" for name in contenders))
                  for (label, threads), n in numbers.items()])
    middle, most = np.quantile(np.concatenate([n["spread"] for n in numbers.values()]), (0.5, 0.9))
    lesson.say(f"The ratio of a single round lay within {middle:.0%} of the one printed in half of all rounds, within "
               f"{most:.0%} in nine of ten.")
    everyone = ["scratchvae", *here]
    lesson.table("The same times over the bare matrix products': how far everyone is from the floor",
                 ["step", "threads", *(f"{name} / floor" for name in everyone)],
                 [(label, threads, *(f"{n[name] / n['floor']:.2f}" for name in everyone))
                  for (label, threads), n in numbers.items()])
    memory = {label: n["memory"] for (label, threads), n in numbers.items() if threads == 1}
    lesson.table("Peak resident memory while training, in MiB, and how much of it the process did not hold before its "
                 "first step",
                 ["step", *next(iter(memory.values()))],
                 [(label, *(f"{peak:.0f}, {peak - before:.0f}" for peak, before in m.values()))
                  for label, m in memory.items()])

    shares = profile(lesson)
    lesson.table(f"Where the time of step a goes, as shares of the step ({own_threads()})", ["part", "share"],
                 [(name, f"{share:.0%}") for name, share in shares.items()])
    lesson.say("What a compiler has over NumPy is fused elementwise work: one pass over memory where NumPy takes one "
               "for each\noperation, and all threads at it where NumPy has one. Matrix products are the work of each "
               "one's own library.")
    lesson.save(step_figure(numbers), "speed_step")
    pca = pca_race(lesson, cores)
    scaling = cost_against_size(lesson)
    grown, memory_slopes = memory_against_size(lesson)
    scaling.update(memory_slopes)
    lesson.table("Slopes on log-log axes over the last three sizes: time, or memory, grows as size to this power",
                 ["what", "power"], [(name, f"{value:.2f}") for name, value in scaling.items()])
    return {"steps": {f"{label}, {threads} threads": n for (label, threads), n in numbers.items()}, "shares": shares,
            "pca": pca, "slopes": scaling, "memory": grown}


def is_installed(module):
    """Whether a framework can be imported; it is not, here."""
    return importlib.util.find_spec(module) is not None


# ---- the race -------------------------------------------------------------------------------------------------------

def pinned(threads):
    """What makes a new process use that many threads, on the first cores where the system lets us choose."""
    libraries = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    how = {"env": {**os.environ, **libraries, "PYTHONPATH": str(BENCHMARKS.parent)}}
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        how["preexec_fn"] = lambda: os.sched_setaffinity(0, cores)
    return how


def own_threads():
    """How many threads this process's matrix products use."""
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    return "1 thread" if threads == "1" else f"{threads} threads"


class Racer:
    """A contender's process: see benchmarks/contender.py."""

    def __init__(self, name, config):
        self.name = name
        command = [sys.executable, str(BENCHMARKS / "contender.py"), name, json.dumps(config)]
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        **pinned(config["threads"]))

    def ask(self, command):
        """Send a command, return the answer."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise OSError(f"the process of {self.name} ended before it answered {command!r}")
        return answer

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def race(lesson, label, threads, names):
    """Median milliseconds a step of each contender, from alternating rounds; how ratios spread; everyone's memory."""
    D, hidden, K, activation, batch = CONFIGS[label]
    config = {"n_features": D, "hidden": hidden, "n_latent": K, "activation": activation, "batch": batch,
              "threads": threads}
    racers = [Racer(name, config) for name in names]
    try:
        agree(racers, config, lesson.rng())
        for _ in range(2):  # the first time is a warm-up, as it is for the others below
            ours = float(racers[0].ask("steps 20")) / 20
        steps = max(5, round(lesson.pick(0.12, 0.02) / ours))
        for racer in racers:
            racer.ask(f"steps {steps}")
        rounds = []
        for _ in range(lesson.pick(25, 2)):
            rounds.append([])
            for racer in racers:
                if threads > 1:  # the second thread of the racer before still spins for a while, waiting for work
                    time.sleep(0.2)
                rounds[-1].append(1e3 * float(racer.ask(f"steps {steps}")) / steps)
        memory = {racer.name: [float(mib) for mib in racer.ask("memory").split()] for racer in racers
                  if racer.name != "floor"}
    finally:
        for racer in racers:
            racer.close()
    lesson.say(f"  {label}, {threads} thread(s): {len(rounds)} rounds of {steps} steps each")
    rounds = np.array(rounds)
    medians = np.median(rounds, axis=0)
    ratios = rounds[:, :1] / rounds[:, 1:] * (medians[1:] / medians[0])
    return {**dict(zip(names, medians)), "spread": np.abs(ratios - 1).ravel(), "memory": memory}


def agree(racers, config, rng):
    """Hold everyone's loss, gradient and Adam step against ours, on the same parameters, data and noise."""
    D, K, B = config["n_features"], config["n_latent"], config["batch"]
    vae = sv.VAE(D, hidden=config["hidden"], n_latent=K, activation=config["activation"], rng=rng)
    x, eps = (rng.random((B, D)) < 0.3).astype(np.float32), rng.standard_normal((B, K), dtype=np.float32)
    before = vae.theta.copy()
    terms = vae.loss_and_grad(x, eps=eps)
    sv.Adam(1e-3).step(vae.theta, vae.grad)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "check.npz"
        for racer in racers:
            np.savez(path, theta=before, x=x, eps=eps)
            racer.ask(f"check {path}")
            with np.load(path) as file:
                loss_error = abs(float(file["loss"]) / terms.loss - 1)
                grad_error = np.abs(file["grad"] - vae.grad).max() / np.abs(vae.grad).max()
                # Adam's first step is 0.001 times each gradient's sign, and the sign of a few is all rounding
                step_error = np.linalg.norm(file["theta"] - vae.theta) / np.linalg.norm(vae.theta - before)
            if max(loss_error, grad_error) > 1e-4 or step_error > 2e-3:
                raise ValueError(f"{racer.name}: it does not do the same work; its loss, gradient and step are apart "
                                 f"from ours by {loss_error:.1e}, {grad_error:.1e} and {step_error:.1e}")


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
    threads, first = sorted({t for _, t in numbers}), next(iter(numbers.values()))
    colours = {"torch, default Adam": plotting.OTHER_COLOURS[0], "torch, fused Adam": plotting.OTHER_COLOURS[1],
               "jax": plotting.OTHER_COLOURS[2]}
    names = [name for name in colours if name in first] or ["floor"]
    colours["floor"] = plotting.GREY
    ranges = [(name, *np.quantile([n["scratchvae"] / n[name] for n in numbers.values()], (0, 1))) for name in names]
    title = "A step written by hand over theirs: " + ", ".join(
        f"{low:.2f} to {high:.2f} ({name})" for name, low, high in ranges)
    figure, axes = plotting.panels(len(threads), title, n_columns=1, size=(8.5, 2.9))
    with plotting.house_style():
        for ax, t in zip(axes, threads):
            rows = {label: n for (label, own), n in numbers.items() if own == t}
            for i, name in enumerate(names):
                places = np.arange(len(rows)) + (i - (len(names) - 1) / 2) * 0.8 / len(names)
                ratios = [n["scratchvae"] / n[name] for n in rows.values()]
                ax.bar(places, ratios, 0.75 / len(names), color=colours[name], label=name)
                for place, ratio in zip(places, ratios):
                    ax.annotate(f"{ratio:.2f}", (place, ratio), (0, 2), textcoords="offset points", ha="center", size=8,
                                path_effects=plotting.HALO, zorder=4)
            ax.axhline(1, color=plotting.COLOURS["VAE"], label="equal; below it ours is faster")
            ax.set_xticks(range(len(rows)),
                          [label.replace(" ReLU", "\nReLU").replace(" tanh", "\ntanh") for label in rows])
            ax.set(ylabel="our step time / theirs", title=f"{t} thread{'s' if t > 1 else ''}")
            ax.margins(y=0.12)
        axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


# ---- PCA ------------------------------------------------------------------------------------------------------------

def pca_race(lesson, cores):
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
                command = [sys.executable, str(BENCHMARKS / "pca_solver.py"), name, str(k), str(data), str(components)]
                done = subprocess.run(command, text=True, check=True, capture_output=True, **pinned(cores))
                seconds[name].append(float(done.stdout))
                V = np.load(components).T.astype(np.float64)
                errors[name] = (angle(V), excess(V))
    # ours once more, before the components are rounded to the data's float32
    inside = {f"scratchvae, {name}": angle(solve(X, mean)[1][:k].T) for name, solve in SOLVERS.items()}
    medians = {name: float(np.median(s)) for name, s in seconds.items()}
    lesson.table(f"PCA of {len(X)} x {X.shape[1]} float32, {k} components, {cores} threads; the angle is to the "
                 "float64 solution's subspace",
                 ["solver", "seconds", "over numpy.linalg.svd", "squared error above the least",
                  "largest angle, radians", "before rounding to float32"],
                 [(name, f"{s:.2f}", f"{s / medians['numpy.linalg.svd']:.2f}", f"{errors[name][1]:.1e}",
                   f"{errors[name][0]:.1e}", f"{inside[name]:.1e}" if name in inside else "")
                  for name, s in medians.items()])
    return {name: {"seconds": s, "angle": errors[name][0], "excess": errors[name][1]} for name, s in medians.items()}


# ---- cost against size ----------------------------------------------------------------------------------------------

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

    sizes = lesson.pick(np.array([2_000, 8_000, 32_000, 64_000]), np.array([1_000, 2_000]))
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


def fit(sizes, values):
    """(p, log c) of the best fit value = c size^p to the last three sizes: what is constant weighs least there."""
    return np.polyfit(np.log(sizes[-3:]), np.log(values[-3:]), 1)


def slope(sizes, values):
    """The exponent of the fit."""
    return float(fit(sizes, values)[0])


def with_fits(figure, sizes, curves):
    """The figure of `plotting.lines` with its curves' fits, dashed."""
    ax = figure.axes[0]
    for values in curves.values():
        ax.plot(sizes[-3:], np.exp(np.polyval(fit(sizes, values), np.log(sizes[-3:]))), color="black",
                linestyle=(0, (3, 3)), linewidth=1, zorder=5)
    return figure


if __name__ == "__main__":
    run_as_command(__spec__)
