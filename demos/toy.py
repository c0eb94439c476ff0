"""What is a VAE, all in one picture? One latent, data on a curve in the plane, and every density drawn.

p(z); the curve that the decoder makes of it, with its noise; p(x) as a map; the encoder; and for two x the true
posterior beside q. Then the evidence as a function of one number of the decoder, and bounds below it: with the
posterior of one place as q the bound touches there, and climbing it climbs the evidence; the encoder's q stays below.

Takes about 8 s. Writes toy_machine, toy_picture, toy_bound (.png).
"""
import copy

import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.lesson import Mean
from demos.toy_picture import bound_figure, picture
from scratchvae import plotting
from scratchvae.analysis import elbo, posterior
from scratchvae.probability import gaussian
from scratchvae.probability.log_space import log_mean_exp

NOISE = 0.1                                        # of the data, in both coordinates
GRID = sv.latent_grid(1, half_width=8, step=0.02)  # of z
SHIFTS = np.linspace(-0.6, 0.6, 41)                # of the decoder's curve, to the right
START, ROUNDS = 0.5, 3                             # of climbing the bound and making it touch again


def run(lesson):
    """Train, measure, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    rng = lesson.rng()
    X, test = (sv.arc(n, NOISE, rng=rng)[0] for n in (1000, lesson.pick(300, 40)))
    vae = sv.VAE(2, hidden=(32,), n_latent=1, activation="tanh", observation=sv.Gaussian("shared"), rng=rng,
                 dtype=np.float64)
    sv.fit(vae, X, epochs=lesson.pick(200, 20), batch_size=50, optimizer=sv.Adam(5e-3), rng=rng,
           callbacks=[sv.LearningRateDecay(0), lesson.progress("VAE, 1 latent")])

    pieces = elbo.on_grid(vae, test, vae.encode(test), GRID)
    values = {"log p(x)": elbo.evidence(pieces), "ELBO": elbo.elbo(pieces), "KL(q || posterior)": pieces.kl_posterior}
    numbers = {name: Mean.of(value) for name, value in values.items()}
    lesson.table(f"{len(test)} test points, nats a point, by quadrature over z (+- over points, of one VAE)",
                 ["", "mean", "median", "lowest", "highest"],
                 [(name, numbers[name], *(float(f(value)) for f in (np.median, np.min, np.max)))
                  for name, value in values.items()])
    chosen = np.argsort(pieces.kl_posterior)[[len(test) // 2, -1]]      # the middle gap, and the largest
    axes, log_px = density_map(vae, np.concatenate([X, test]), lesson.pick(120, 40))
    numbers |= {"noise": float(np.sqrt(vae.noise_variance)), "gaps shown": pieces.kl_posterior[chosen],
                "p(x) adds up to": float(np.exp(log_px).sum() * np.prod([axis[1] - axis[0] for axis in axes])),
                "peaks": [peaks(np.exp(pieces.log_posterior[i])) for i in chosen]}
    lesson.say(told(numbers))
    lesson.save(plotting.diagram(vae), "toy_machine")
    lesson.save(picture(vae, X, test[chosen], axes, log_px, GRID, numbers["gaps shown"]), "toy_picture")

    X = test[:100]
    rounds = climb(vae, X)
    lesson.table("Climbing: q is made the posterior, then the curve moved to where the bound is highest; nats a point",
                 ["round", "curve moved by", "log p(x)", "bound, q made the posterior", "highest bound of this q", "at"],
                 [(i, *(f"{r[key]:.4f}" for key in ("at", "evidence", "bound", "top", "top at")))
                  for i, r in enumerate(rounds, 1)])
    shifts = SHIFTS[::lesson.pick(1, 4)]
    log_p = [log_joint(vae, shift, X) for shift in shifts]
    log_qs = {"the encoder's q": gaussian.log_prob(GRID.z, *(part[:, None] for part in vae.encode(X))),
              **{f"q of round {i}": r["log_q"] for i, r in enumerate(rounds, 1)}}
    curves = {"log p(x)": np.array([evidence(p) for p in log_p]),
              **{name: np.array([bound(log_q, p) for p in log_p]) for name, log_q in log_qs.items()}}
    numbers |= {"rounds": [{key: r[key] for key in ("at", "evidence", "bound", "top", "top at")} for r in rounds],
                "closest": {name: float((curves["log p(x)"] - curve).min()) for name, curve in curves.items()},
                "slopes": slopes(vae, X, rounds[0])}
    lesson.say(climbed(numbers))
    lesson.save(bound_figure(shifts, curves, numbers["rounds"], touching(numbers)), "toy_bound")
    return numbers


# ---- p(x), and the evidence of a moved decoder ----------------------------------------------------------------------

def density_map(vae, X, side):
    """log p(x) : (side, side), y down and x across, on two axes that hold the points X and 5 sigma of noise around."""
    reach = 5 * np.sqrt(vae.noise_variance)
    axes = [np.linspace(low - reach, high + reach, side) for low, high in zip(X.min(axis=0), X.max(axis=0))]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    return axes, np.concatenate([evidence(log_joint(vae, 0.0, rows), each=True) for rows in np.split(points, side)]
                                ).reshape(side, side)


def log_joint(vae, shift, X):
    """log p(x, z) : (N, G), of the VAE with its curve moved to the right: one number of the decoder, a bias, moved."""
    other = copy.deepcopy(vae)
    other.decoder.layers[-2].b[0] += shift
    return posterior.grid_log_likelihood(other, X, GRID) + gaussian.log_prob(GRID.z, 0.0, np.zeros(1))


def evidence(log_p, each=False):
    """log p(x), from log p(x, z) : (N, G); the mean over the points, or each (N,)."""
    value = log_mean_exp(log_p, axis=1) + np.log(len(GRID.z)) + GRID.log_cell
    return value if each else float(value.mean())


def bound(log_q, log_p):
    """E_q[log p(x, z) - log q(z)], the mean over the points, from log q(z) and log p(x, z) : (N, G)."""
    return float((np.exp(log_q + GRID.log_cell) * (log_p - log_q)).sum(axis=1).mean())


def climb(vae, X):
    """EM in the one number: from START on, q is made the posterior, and the curve moved to where that bound is highest.

    The bound is a parabola in the shift t: highest where t = E_q[x1 - m1(z)], m the curve as it was trained.
    """
    rounds, at = [], START
    curve = vae.decode(GRID.z)[:, 0]
    for _ in range(ROUNDS):
        log_p = log_joint(vae, at, X)
        log_q = log_p - evidence(log_p, each=True)[:, None]
        top_at = float((X[:, 0] - np.exp(log_q + GRID.log_cell) @ curve).mean())
        rounds.append({"at": at, "evidence": evidence(log_p), "bound": bound(log_q, log_p), "log_q": log_q,
                       "top at": top_at, "top": bound(log_q, log_joint(vae, top_at, X))})
        at = top_at
    return rounds


def slopes(vae, X, touched, h=1e-4):
    """The slopes of log p(x) and of the bound where they touch, by central differences."""
    ends = [log_joint(vae, touched["at"] + sign * h, X) for sign in (-1, 1)]
    return tuple((f(ends[1]) - f(ends[0])) / (2 * h) for f in (evidence, lambda log_p: bound(touched["log_q"], log_p)))


def peaks(density):
    """How many separate peaks a density on a line has that reach a twentieth of the highest."""
    inner = density[1:-1]
    return int(((inner > density[:-2]) & (inner >= density[2:]) & (inner > density.max() / 20)).sum())


# ---- what it shows --------------------------------------------------------------------------------------------------

def told(numbers):
    """What the first table and the picture show."""
    middle, largest = numbers["gaps shown"]
    n = numbers["peaks"][1]
    return (f"The decoder's noise is {numbers['noise']:.3f}, that of the data {NOISE:g}. p(x), added up over the map: "
            f"{numbers['p(x) adds up to']:.4f}.\nFor A, the point with the middle gap, {middle:.3f} nats, q is "
            f"{'nearly' if middle < 0.1 else 'not'} the posterior. For B, with the largest, {largest:.2f} nats, "
            + ("the\nposterior has one peak, and q is not where, or not as wide as, it is.\n" if n == 1 else
               f"the\nposterior has {n} peaks, which one Gaussian cannot have.\n"))


def climbed(numbers):
    """What the climb shows."""
    rounds, (steep, steep_bound) = numbers["rounds"], numbers["slopes"]
    risen = all(b["evidence"] >= a["evidence"] for a, b in zip(rounds, rounds[1:]))
    below = numbers["closest"]["the encoder's q"]
    worst = max(abs(r["evidence"] - r["bound"]) for r in rounds)
    return (f"Where q is the posterior the bound is log p(x), to {worst:.0e} nats, and has its slope: {steep:.6f} and "
            f"{steep_bound:.6f}. Elsewhere it is below.\nSo what the bound gains, log p(x) gains at least: it "
            f"{'rises' if risen else 'does NOT rise'} in every round, from {rounds[0]['evidence']:.3f} to "
            f"{rounds[-1]['evidence']:.3f}.\nThe encoder's q is for the curve where it is; its bound stays "
            f"{below:.3f} nats below at least.\n")


def touching(numbers):
    """The title of the bound's figure."""
    return (f"A bound touches log p(x) where its q is the posterior; to climb it is to climb log p(x): "
            f"{numbers['rounds'][0]['evidence']:.2f} to {numbers['rounds'][-1]['evidence']:.2f} in {ROUNDS - 1} rounds")


if __name__ == "__main__":
    run_as_command(__spec__)
