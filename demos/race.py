"""Who is faster, and is that certain? Processes that take turns, and ratios with their spread over the rounds.

Every contender prepares its step in a process of its own (benchmarks/contender.py) and runs some steps when told to: in
each round all of them, one after another. So each round has a ratio of its own, from times a second apart, and

    a ratio is judged where nine rounds in ten lie on one side of 1.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import scratchvae as sv
from demos.judgement import listing
from scratchvae.nn.threads import CHOSEN

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


class Ratio(namedtuple("Ratio", "value low high")):
    """A ratio of times: the median over the rounds, and between which values nine of ten rounds lie."""

    @classmethod
    def of(cls, ours, theirs):
        """From the times of both (R,), round by round."""
        return cls(*map(float, np.quantile(np.divide(ours, theirs), (0.5, 0.05, 0.95))))

    def sign(self):
        """-1 where ours is faster, 1 where it is slower, 0 where the rounds do not agree."""
        return int(self.low > 1) - int(self.high < 1)

    def __str__(self):
        return f"{self.value:.2f} ({self.low:.2f}-{self.high:.2f})"


def verdicts(ratios):
    """What may be said of ratios by name: which are faster, which slower, which nobody can tell."""
    told = {sign: [name for name, ratio in ratios.items() if ratio.sign() == sign] for sign in (-1, 1, 0)}
    words = {-1: "faster in", 1: "slower in", 0: "not to be told apart in"}
    return "; ".join(f"{words[sign]} {listing(names)}" for sign, names in told.items() if names)


def pinned(threads):
    """What makes a new process use that many threads, on the first cores where the system lets us choose.

    None : as many as it likes, on all cores, whatever this process was told
    """
    env = {name: value for name, value in os.environ.items() if name not in CHOSEN}
    chosen = dict.fromkeys(CHOSEN, str(threads)) if threads else {}
    how = {"env": {**env, "PYTHONPATH": str(BENCHMARKS.parent), **chosen}}
    if threads and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        how["preexec_fn"] = lambda: os.sched_setaffinity(0, cores)
    return how


class Racer:
    """A contender's process: see benchmarks/contender.py."""

    def __init__(self, name, config, anywhere=False):
        self.name = name
        how = pinned(config["threads"])
        if anywhere:  # the system may move it, as it may move a user's
            how.pop("preexec_fn", None)
        command = [sys.executable, str(BENCHMARKS / "contender.py"), name, json.dumps(config)]
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **how)

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


@contextmanager
def started(racers):
    """A context at whose end the racers' processes end."""
    try:
        yield racers
    finally:
        for racer in racers:
            racer.close()


def rounds_of(racers, n_rounds, seconds, pause=0.0, n_most=2000):
    """Milliseconds a step (R, racers), the racers in turn; and how many steps each turn has.

    seconds : about how long the first racer's turn takes      pause : between turns, for threads that spin after work
    """
    for _ in range(2):  # the first time is a warm-up, as it is for the others below
        first = float(racers[0].ask("steps 5")) / 5
    steps = int(np.clip(round(seconds / first), 5, n_most))
    for racer in racers[1:]:
        racer.ask(f"steps {steps}")
    rounds = np.zeros((n_rounds, len(racers)))
    for row in rounds:
        for i, racer in enumerate(racers):
            time.sleep(pause)
            row[i] = 1e3 * float(racer.ask(f"steps {steps}")) / steps
    return rounds, steps


def race(lesson, label, config, names):
    """Our ms a step, its Ratio to each contender's, everyone's to the floor, everyone's memory."""
    with started([Racer(name, config) for name in names]) as racers:
        agree(racers, config, lesson.rng())
        rounds, steps = rounds_of(racers, lesson.pick(9, 3), lesson.pick(0.08, 0.02), 0.08 * (config["threads"] > 1))
        memory = {racer.name: [float(mib) for mib in racer.ask("memory").split()] for racer in racers
                  if racer.name != "floor"}
    lesson.say(f"  {label}, {config['threads']} thread(s): {len(rounds)} rounds of {steps} steps each")
    ms = dict(zip(names, rounds.T))
    return {"ms": float(np.median(ms["scratchvae"])), "memory": memory,
            "over": {name: Ratio.of(ms["scratchvae"], ms[name]) for name in names[1:]},
            "floor": {name: Ratio.of(ms[name], ms["floor"]) for name in names if name != "floor"}}


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


# ---- threads --------------------------------------------------------------------------------------------------------

@contextmanager
def busy(n):
    """A context beside which n processes keep a core busy each."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def threads(lesson, configs):
    """Our step as the library chooses its threads, beside one thread: idle and beside one busy process."""
    rows = {}
    for label, config in configs.items():
        ways = [Racer("scratchvae", {**config, "threads": n}, anywhere=True) for n in (None, 1)]
        with started(ways) as racers:
            for where, n in (("idle", 0), ("one busy process", 1)):
                with busy(n):
                    rounds, _ = rounds_of(racers, lesson.pick(9, 3), lesson.pick(0.08, 0.02), 0.05)
                default, one = rounds.T
                rows[label, where] = {"default": float(np.median(default)), "one": float(np.median(one)),
                                      "ratio": Ratio.of(default, one)}
    lesson.table("Threads: ms a step with the library's own choice and with one thread (their ratio, in brackets nine "
                 "rounds in ten)", ["step", "beside it", "own choice, ms", "one thread, ms", "own choice / one thread"],
                 [(*key, f"{row['default']:.3f}", f"{row['one']:.3f}", str(row["ratio"])) for key, row in rows.items()])
    lesson.say(f"With its own choice it is {verdicts(short(rows))}.\n{within(rows)}")
    return {f"{label}, {where}": row for (label, where), row in rows.items()}


def short(rows):
    """Their ratios, under short names."""
    return {f"{label[0]} ({where})": row["ratio"] for (label, where), row in rows.items()}


def within(rows, limit=1.1):
    """Whether the library is ever slower by more than a tenth than with one thread, as far as the rounds can tell."""
    above = [name for name, ratio in short(rows).items() if ratio.low > limit]
    unsure = [name for name, ratio in short(rows).items() if ratio.low <= limit < ratio.high]
    return (f"More than a tenth slower than with one thread: {listing(above)}."
            + (f" Rounds on both sides of that limit: {listing(unsure)}." if unsure else ""))
