"""Does z1 smile, and z2 turn the head? Faces whose factors are known, and what a VAE's code knows of them.

Faces are drawn with a smile and a pose, uniform and independent; nobody tells the VAE. Measured is how much of each
factor can be read off the code, linearly and from the nearest face, and whether it lies on an axis (mutual information
gap), for 2, 4 and 8 latents, beta 1, 4 and 16, several runs; and with position and ink disturbed. Then why a factor
need not lie on an axis, and what does put it on a slider: a direction that a few labelled faces give, or a VAE that is
told the factor, whose label is moved while z is kept.

Takes about 110 s. With --show the last window is to play with. Writes faces_machine, faces_drawn, faces_gap,
faces_axes, faces_sliders, faces_told, faces_labels, faces_pose_labels, faces_explore (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.face_labels import FIFTHS, fifth, legible, relabel, same_pixels
from demos.face_pictures import axes_figure, drawn_figure, explorer, gap_figure, labels_figure, sliders_figure
from demos.face_sliders import ENDS, along, code_of, slide, turned_cost
from demos.judgement import Finding
from demos.lesson import Mean
from scratchvae import plotting
from scratchvae.analysis import factors as known

FACTORS = "smile", "pose"
DISTURBED = {"position": 0.05, "brightness": 0.2}
LABELLED = 50                                # faces with labels, for the sliders
SLIDERS = "best axis", f"{LABELLED} labelled faces", "label of a VAE told it"
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
    told_a_factor = [[trained(lesson, latents[-1], betas[0], False, lesson.rng(100 * (len(settings) + k) + n), given=k)
                      for n in range(n_runs)] for k in range(len(FACTORS))]
    numbers["sliders"] = sliders(lesson, chosen, told_a_factor)
    numbers["legible"] = left_in_z(lesson, {"nothing": chosen, **dict(zip(FACTORS, told_a_factor))})
    return numbers


def trained(lesson, K, beta, disturbed, rng, given=None):
    """A VAE of K latents on faces, and those: vae, (X, factors) it learned from, (X, factors) it has not seen.

    given : the factor whose fifth it is told as a label, or None
    """
    how = DISTURBED if disturbed else {}
    seen, unseen = (sv.faces(n, rng=rng, **how) for n in lesson.pick((2000, 1000), (300, 200)))
    vae = sv.VAE(576, hidden=(128,), n_latent=K, observation=sv.Gaussian(0.05), beta=beta,
                 n_classes=1 if given is None else FIFTHS, rng=rng)
    sv.fit(vae, seen[0], None if given is None else fifth(seen[1][:, given]), epochs=lesson.pick(30, 6),
           batch_size=100, optimizer=sv.Adam(2e-3), rng=rng, callbacks=[sv.LearningRateDecay(0)])
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


def sliders(lesson, models, given):
    """For each factor: the best axis and the direction of a few labelled faces, moved, and the label of a VAE that is
    told the factor, given[k]; what the decoded faces show.
    """
    found = {name: [] for name in SLIDERS}
    for (vae, seen, (X, factors)), *labelled in zip(models, *given):
        z = code_of(vae, X)
        information = known.mutual_information(z, factors)[0]
        few = known.directions(code_of(vae, seen[0][:LABELLED]), seen[1][:LABELLED])[1]
        for name, ways in zip(SLIDERS, (np.eye(z.shape[1])[information.argmax(axis=0)], few)):
            found[name].append([slide(vae, way, k) for k, way in enumerate(ways)])
        found[SLIDERS[-1]].append([relabel(one[0], k) for k, one in enumerate(labelled)])
    found = {name: np.array(rows) for name, rows in found.items()}                  # (runs, factors, 3)
    table = {(factor, name): [Mean.of(values) for values in rows[:, k].T]
             for k, factor in enumerate(FACTORS) for name, rows in found.items()}
    lesson.table(f"A slider from {ENDS[0]} to {ENDS[1]}, of the same latents and beta, read off the decoded faces (+- "
                 f"is the standard error over {len(models)} runs)",
                 ["factor", "slider", f"the factor moves by ({np.ptp(ENDS):g} is right)", "the other moves by",
                  "of its differences stay (1 is right)"],
                 [(*key, *row) for key, row in table.items()])
    lesson.say(compared(found) + "\n")
    vae, seen, _ = models[0]
    lesson.save(plotting.diagram(vae), "faces_machine")
    lesson.save(plotting.diagram(given[0][0][0], "A VAE that is told the fifth of the smile, y"), "faces_told")
    lesson.save(axes_figure(vae, code_of(vae, seen[0])), "faces_axes")
    way = along(vae, seen[0][:LABELLED], seen[1][:LABELLED])
    lesson.save(sliders_figure(vae, *way, LABELLED), "faces_sliders")
    for k, name in enumerate(("faces_labels", "faces_pose_labels")):
        lesson.save(labels_figure(given[k][0][0], vae, way[1], k, *(found[which][:, k] for which in SLIDERS[:0:-1])),
                    name)
    lesson.save(explorer(vae, code_of(vae, seen[0]), seen[1], *way).figure, "faces_explore")
    return {f"{factor}, {name}": row for (factor, name), row in table.items()}


def left_in_z(lesson, models):
    """What z still says of each factor where the VAE is told nothing, the smile, or the pose; name -> its runs."""
    shares = {name: np.array([legible(*one, None if name == "nothing" else FACTORS.index(name), lesson.rng(900 + n))
                              for n, one in enumerate(runs)]) for name, runs in models.items()}
    means = {name: [Mean.of(column) for column in rows.T] for name, rows in shares.items()}
    lesson.table(f"How often a network tells the fifth of a factor from z as the decoder gets it (1 in {FIFTHS} is "
                 "chance)", ["the VAE was told", *FACTORS], [(name, *row) for name, row in means.items()])
    lesson.say(still_said(shares) + "\n")
    return means


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


def compared(found):
    """Which slider ends where it should, and what it leaves of the other factor. found : name -> (runs, factors, 3)."""
    axis, few, label = found.values()
    miss = lambda rows, k: np.abs(rows[:, k, 0] - np.ptp(ENDS))
    lines = []
    for k, factor in enumerate(FACTORS):
        stays = Finding.of(label[:, k, 2])
        lines.append(
            f"The best axis of {factor} misses the end of the slider by "
            + unlike(Finding.of(miss(axis, k) - miss(few, k))) + " than the labelled direction, the label by "
            + unlike(Finding.between(miss(label, k), miss(few, k))) + f". The label moves the {FACTORS[1 - k]} by "
            + unlike(Finding.between(label[:, k, 1], few[:, k, 1]))
            + f" than the direction does, and the faces' differences in {FACTORS[1 - k]} "
            f"{stays.words('stay', 'are turned over', 'are lost')} ({stays} of them). What the {FACTORS[1 - k]} changes "
            f"in the pixels at one end of the {factor} and at the other has a cosine of {same_pixels(k):.2f}.")
    return "\n".join(lines)


def unlike(gap):
    """A difference in words."""
    return (f"{Mean(abs(gap.value), gap.error)} {'more' if gap.value > 0 else 'less'}"
            + gap.words("", "", " (no clear difference)"))


def still_said(shares):
    """What telling a factor takes out of z. shares : told what -> (runs, factors), how often z tells each."""
    lines = []
    for k, factor in enumerate(FACTORS):
        own, other = (Finding.between(shares[factor][:, j], shares["nothing"][:, j]) for j in (k, 1 - k))
        beyond = Finding.of(shares[factor][:, k] - 1 / FIFTHS)
        alike = "as much, as far as can be told"
        lines.append(
            f"Where the VAE is told the {factor}, its z, beside that of one that is told nothing, says of it "
            + own.words("more", "less", alike) + f" ({own.value:+.3f} +- {own.error:.3f}), "
            + beyond.words("yet more", "no more", "no more") + f" than chance; of the {FACTORS[1 - k]} "
            + other.words("more", "less", alike) + f" ({other.value:+.3f} +- {other.error:.3f}).")
    return "\n".join(lines)


def on_an_axis(measured):
    """How often both factors have an axis of their own: a gap above one half, in all runs together."""
    gaps = np.concatenate([rows[:, 4:] for rows in measured.values()])
    both = int((gaps.min(axis=1) > 0.5).sum())
    return (f"Smile and pose have an axis each (gaps above one half) in {both} of {len(gaps)} runs; the mean gap is "
            f"{gaps.mean():.2f}")


if __name__ == "__main__":
    run_as_command(__spec__)
