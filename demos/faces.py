"""Does z1 smile, and z2 turn the head? Faces whose factors are known, and what a VAE's code knows of them.

Faces are drawn with a smile and a pose, uniform and independent; nobody tells the VAE. Measured is how much of each
factor can be read off the code, linearly and from the nearest face, and whether it lies on an axis (mutual information
gap), for 2, 4 and 8 latents, beta 1, 4 and 16, several runs; and with position and ink disturbed. Then why a factor
need not lie on an axis, and what does put it on a slider: a direction that a few labelled faces give.

Takes about 100 s. With --show the last window is
to play with. Writes faces_machine, faces_drawn, faces_gap, faces_axes, faces_sliders, faces_explore (.png).
"""
import numpy as np

import scratchvae as sv
from demos import face_sliders, run_as_command
from demos.face_pictures import axes_figure, drawn_figure, explorer, gap_figure, sliders_figure
from demos.face_sliders import along, code_of, slide, turned_cost
from demos.judgement import Finding
from demos.lesson import Mean
from scratchvae import plotting
from scratchvae.analysis import factors as known

FACTORS = "smile", "pose"
DISTURBED = {"position": 0.05, "brightness": 0.2}
LABELLED = 50                                # faces with labels, for the sliders
MEASURES = [f"{what}, {factor}" for what in ("linear R^2", "nearest R^2", "gap") for factor in FACTORS]


def run(lesson):
    """Train, measure, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    latents, betas, n_runs = lesson.pick(((2, 4, 8), (1, 4, 16), 4), ((2, 4), (1, 16), 2))
    settings = [(K, beta, False) for K in latents for beta in betas] + [(K, betas[0], True) for K in latents]
    models, measured = {}, {}
    for i, setting in enumerate(settings):
        models[setting] = [trained(lesson, *setting, lesson.rng(100 * i + n)) for n in range(n_runs)]
        measured[setting] = np.array([measure(*each) for each in models[setting]])        # (runs, measures)
        print(f"  {i + 1} of {len(settings)} settings, {n_runs} runs each", flush=True)
    numbers = {setting: {name: Mean.of(values) for name, values in zip(MEASURES, rows.T)}
               for setting, rows in measured.items()}
    for factor in FACTORS:
        measures = [name for name in MEASURES if name.endswith(factor)]
        lesson.table(f"What the codes of unseen faces say of {factor} (+- is the standard error over {n_runs} runs)",
                     ["latents", "beta", "faces", *measures],
                     [(K, beta, "disturbed" if disturbed else "plain", *(row[name] for name in measures))
                      for (K, beta, disturbed), row in numbers.items()])
    lesson.say(told(measured, latents, betas))
    lesson.save(drawn_figure(), "faces_drawn")
    lesson.save(gap_figure(numbers, latents, betas, on_an_axis(measured)), "faces_gap")

    chosen = models[latents[-1], betas[0], False]      # the most latents, and the bound itself
    numbers["turned"] = turned(lesson, chosen[0])
    numbers["sliders"] = sliders(lesson, chosen)
    return numbers


def trained(lesson, K, beta, disturbed, rng):
    """A VAE of K latents on faces, and those: vae, (X, factors) it learned from, (X, factors) it has not seen."""
    how = DISTURBED if disturbed else {}
    seen, unseen = (sv.faces(n, rng=rng, **how) for n in lesson.pick((2000, 1000), (300, 200)))
    vae = sv.VAE(576, hidden=(128,), n_latent=K, observation=sv.Gaussian(0.05), beta=beta, rng=rng)
    sv.fit(vae, seen[0], epochs=lesson.pick(30, 6), batch_size=100, optimizer=sv.Adam(2e-3), rng=rng,
           callbacks=[sv.LearningRateDecay(0)])
    return vae, seen, unseen


def measure(vae, seen, unseen):
    """The MEASURES, from the codes mu of faces seen and unseen."""
    z, z_unseen = code_of(vae, seen[0]), code_of(vae, unseen[0])
    return np.ravel([*known.read_off(z, seen[1], z_unseen, unseen[1]),
                     known.mutual_information_gap(z_unseen, unseen[1])])


# ---- why not on an axis, and how on a slider ------------------------------------------------------------------------

def turned(lesson, model):
    """One VAE with its latent space turned: what changes in the decoder's densities, in the gap, and in the bound."""
    vae, _, (X, factors) = model
    cost = turned_cost(vae, X[:lesson.pick(40, 10)], lesson.rng(7), steps=lesson.pick(200, 20))
    z = code_of(vae, X)
    gaps = [known.mutual_information_gap(codes, factors) for codes in (z, z @ cost.turn)]
    lesson.table(f"A VAE of {vae.n_latent} latents, beta {vae.beta:g}: its latent space turned at random, its decoder "
                 "back",
                 ["", "as trained", "turned"],
                 [("decoded faces differ by at most", "", f"{cost.decoded:.0e}"),
                  ("densities of N(0, I) differ by at most", "", f"{cost.prior:.0e}"),
                  *((f"gap of {name}", *(f"{gap[k]:.3f}" for gap in gaps)) for k, name in enumerate(FACTORS)),
                  ("ELBO of the best upright q, nats", *(Mean.of(bound) for bound in cost.bounds))])
    lost = Finding.of(cost.bounds[0] - cost.bounds[1])
    lesson.say("So p(x) is the same to rounding, and nothing in it prefers an axis. The bound can: its q is upright, "
               "and fits the posterior best where that is upright, too. Turned, it "
               + lost.words(f"loses {lost} nats.", f"gains {Mean(-lost.value, lost.error)} nats.",
                            f"changes by {lost} nats, no clear difference.")
               + " Which axes are upright is the decoder's affair; of smiles it knows nothing.\n")
    return {"decoded": cost.decoded, "prior": cost.prior, "gaps": gaps, "lost": lost}


def sliders(lesson, models):
    """For each factor: the best axis, and the direction of a few labelled faces, moved; what the decoded faces show."""
    found = {name: [] for name in ("best axis", f"{LABELLED} labelled faces")}
    for vae, seen, (X, factors) in models:
        z = code_of(vae, X)
        information = known.mutual_information(z, factors)[0]
        few = known.directions(code_of(vae, seen[0][:LABELLED]), seen[1][:LABELLED])[1]
        for name, ways in zip(found, (np.eye(z.shape[1])[information.argmax(axis=0)], few)):
            found[name].append([slide(vae, way, k) for k, way in enumerate(ways)])
    table = {(factor, name): [Mean.of([run[k][part] for run in rows]) for part in range(2)]
             for k, factor in enumerate(FACTORS) for name, rows in found.items()}
    lesson.table("A slider from -0.7 to 0.7, of the same latents and beta, read off the decoded faces (+- is the "
                 f"standard error over {len(models)} runs)",
                 ["factor", "slider", "the factor moves by (1.4 is right)", "the other moves by"],
                 [(*key, *row) for key, row in table.items()])
    right = face_sliders.ENDS[1] - face_sliders.ENDS[0]
    short = {factor: Finding.of([abs(axis[k][0] - right) - abs(few[k][0] - right)
                                 for axis, few in zip(*found.values())]) for k, factor in enumerate(FACTORS)}
    lesson.say(" ".join(
        f"The best axis of {factor} " + gap.words(
            f"misses the end of the slider by {gap} more than the labelled direction.",
            f"misses the end of the slider by {Mean(-gap.value, gap.error)} less than the labelled direction.",
            f"misses the end of the slider by {gap} more than the labelled direction, no clear difference.")
        for factor, gap in short.items()) + "\n")
    vae, seen, _ = models[0]
    lesson.save(plotting.diagram(vae), "faces_machine")
    lesson.save(axes_figure(vae, code_of(vae, seen[0])), "faces_axes")
    way = along(vae, seen[0][:LABELLED], seen[1][:LABELLED])
    lesson.save(sliders_figure(vae, *way, LABELLED), "faces_sliders")
    lesson.save(explorer(vae, code_of(vae, seen[0]), seen[1], *way).figure, "faces_explore")
    return {f"{factor}, {name}": row for (factor, name), row in table.items()}


# ---- what the tables show -------------------------------------------------------------------------------------------

def told(measured, latents, betas):
    """What the first table shows: held by the code, linearly, on an axis; what beta changes."""
    plain = {setting: rows for setting, rows in measured.items() if not setting[2]}
    rows = np.concatenate(list(plain.values()))
    nearest, linear = rows[:, 2:4].min(axis=1), rows[:, :2].min(axis=1)
    lines = [f"Plain faces, {len(rows)} runs. From the nearest face both factors can be read with an R^2 of 0.9 or "
             f"more in {(nearest >= 0.9).sum()} runs, linearly in {(linear >= 0.9).sum()}. {on_an_axis(measured)}."]
    for k, factor in enumerate(FACTORS):
        low, high = (np.concatenate([plain[K, beta, False][:, 4 + k] for K in latents]) 
                     for beta in (betas[0], betas[-1]))
        gain = Finding.between(high, low)
        lines.append(f"From beta {betas[0]} to {betas[-1]} the gap of {factor} " + gain.words(
            f"grows by {gain}.", f"falls by {Mean(-gain.value, gain.error)}.",
            f"changes by {gain}, no clear difference."))
    for K in latents:
        lost = Finding.between(plain[K, betas[0], False][:, 2], measured[K, betas[0], True][:, 2])
        lines.append(f"With position and ink disturbed, {K} latents hold " + lost.words(
            f"less of the smile, by {lost} in R^2 from the nearest.",
            f"more of the smile, by {Mean(-lost.value, lost.error)}.",
            f"as much of the smile ({lost}, no clear difference)."))
    return " ".join(lines) + "\n"


def on_an_axis(measured):
    """How often both factors have an axis of their own: a gap above one half, in all runs together."""
    gaps = np.concatenate([rows[:, 4:] for rows in measured.values()])
    both = int((gaps.min(axis=1) > 0.5).sum())
    return (f"Smile and pose have an axis each (gaps above one half) in {both} of {len(gaps)} runs; the mean gap is "
            f"{gaps.mean():.2f}")


if __name__ == "__main__":
    run_as_command(__spec__)
