"""What is wrong with an autoencoder's latent space, and what does the VAE cure? Each complaint measured, in the plane.

An autoencoder and a VAE of the same shape, 784-200-200-2, trained on binarised MNIST digits with several seeds.
Measured: how far off the centre the codes lie, how uneven the room of the classes is, and what comes out when codes
are drawn from N(0, I), from a Gaussian and from a mixture of 20 Gaussians fitted to the codes: log p(x) of test
images by quadrature, the share of samples in gaps, whether all classes appear, the Frechet distance to real images.
Both planes are decoded.

With --data digits it does the same on the 8 x 8 digits, with --data DIR on MNIST-format files.
Takes about 125 s, on 60,000 images about 4 min. Writes latent_space_machine, latent_space_planes, latent_space_codes,
latent_space_log_prob, latent_space_samples, latent_space_interpolation (.png).
"""
from textwrap import fill

import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding
from demos.lesson import Mean
from scratchvae import plotting
from scratchvae.analysis import latent_space
from scratchvae.analysis.gaussian_mixture import GaussianMixture

MODELS = {"AE": sv.Autoencoder, "VAE": sv.VAE}
SAMPLERS = ("N(0, I)", "one Gaussian", "20 Gaussians")
LOG_P, ISOLATED, ENTROPY, FRECHET = range(4)  # what is measured of a sampler, in this order


def run(lesson):
    """Train, measure, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(binary=True, classes=2, default="mnist")
    train, labels, test, C = images.train, images.train_labels, images.test[:500], len(images.names)
    common = np.bincount(labels)[labels] >= 10  # a class of two codes has no area
    n_seeds, n_samples = lesson.pick(5, 2), len(test)
    batch_size, lr = (100, 2e-3) if images.large else (50, 3e-3)
    epochs, nodes = lesson.epochs(200, 2, train), lesson.pick(20_000, 1_000)
    most_turns, tol = lesson.pick((1000, 1e-5), (200, 1.0))
    judge = sv.Classifier(train.shape[1], (128,), n_classes=C, rng=lesson.rng(1))
    sv.fit(judge, train, labels, epochs=lesson.epochs(30, 1, train), optimizer=sv.Adam(),
           rng=lesson.rng(2))
    lesson.say(f"{len(train)} training images, {n_seeds} seeds; the judge of the samples, a classifier trained on real "
               f"images, names {judge.score(images.test, images.test_labels):.1%}\n"
               "of the test images rightly.\n")

    place, generation, log_p, first = {name: [] for name in (*MODELS, "VAE, sampled")}, {}, {}, {}
    for seed in range(n_seeds):
        for name, Model in MODELS.items():
            rng = lesson.rng(10 * seed + 5)
            model = Model(train.shape[1], images.layers_to_a_plane, 2, activation="tanh", observation=sv.Bernoulli(),
                          rng=rng)
            sv.fit(model, train, epochs=epochs, batch_size=batch_size, optimizer=sv.Adam(lr), rng=rng,
                   valid=images.valid,
                   callbacks=[sv.EarlyStopping(patience=20), lesson.progress(f"{name}, seed {seed}")])
            z = codes(model, train)
            samplers = dict(zip(SAMPLERS, (GaussianMixture.standard(2), GaussianMixture(1).fit(z, rng=rng),
                                           GaussianMixture(20, max_iter=most_turns, tol=tol).fit(z, rng=rng))))
            first.setdefault(name, (model, samplers))
            place[name].append((latent_space.off_centre(z), latent_space.area_spread(z[common], labels[common])))
            if name == "VAE":
                mu, log_var = model.encode(train)
                drawn = sv.gaussian.reparameterize(mu, log_var, rng.standard_normal(mu.shape, dtype=mu.dtype))
                place["VAE, sampled"].append((latent_space.off_centre(drawn),
                                              latent_space.area_spread(drawn[common], labels[common])))
            for sampler_name, sampler in samplers.items():
                z_new = sampler.sample(n_samples, rng=rng)
                x_new = model.observation.sample(model.decoder.forward(z_new.astype(model.dtype))[0], rng)
                each = latent_space.grid_log_prob(model, test, sampler, n_nodes=nodes)
                log_p.setdefault((name, sampler_name), []).append(each)
                generation.setdefault((name, sampler_name), []).append((
                    each.mean(),
                    latent_space.isolated_share(sampler.sample(4 * n_samples, rng=rng), z[:2000]),
                    latent_space.label_entropy(judge.predict(x_new), C),
                    latent_space.frechet_distance(judge.features(x_new), judge.features(test))))

    floor = (latent_space.label_entropy(images.test_labels, C),
             latent_space.frechet_distance(judge.features(train[:n_samples]), judge.features(test)))
    place = {name: np.array(values) for name, values in place.items()}
    generation = {key: np.array(values, dtype=np.float64) for key, values in generation.items()}
    plus = f"(+- is the standard error over {n_seeds} seeds)"
    lesson.table(f"Where the training codes lie {plus}",
                 ["codes", "|mean| / radius", "spread of the classes' log areas"],
                 [(name, *map(Mean.of, values.T)) for name, values in place.items()])
    lesson.table(f"What comes out when codes are sampled {plus}",
                 ["model", "codes from", "log p(test x), nats", "isolated codes, %", "label entropy",
                  "Frechet distance"],
                 [(*key, *map(Mean.of, (values * (1, 100, 1, 1)).T)) for key, values in generation.items()]
                 + [("real images", "", "", "", floor[0], floor[1])])

    def compare(a, b, column):
        if column == LOG_P:  # of every image, so that the images' error counts too
            return Finding.of(np.subtract(log_p[a], log_p[b]))
        return Finding.of(generation[a][:, column] - generation[b][:, column])

    ae, vae, one, many = ("AE", "N(0, I)"), ("VAE", "N(0, I)"), ("AE", "one Gaussian"), ("AE", "20 Gaussians")
    findings = {
        "Off centre: the autoencoder's codes minus the VAE's": Finding.of(place["AE"][:, 0] - place["VAE"][:, 0]),
        "Unevenness of the classes' areas: AE minus the VAE's means": Finding.of(
            place["AE"][:, 1] - place["VAE"][:, 1]),
        "Unevenness of the classes' areas: AE minus the VAE's sampled codes": Finding.of(
            place["AE"][:, 1] - place["VAE, sampled"][:, 1]),
        "log p of test images from N(0, I): VAE minus AE": compare(vae, ae, LOG_P),
        "Evenness of the classes sampled from N(0, I): VAE minus AE": compare(vae, ae, ENTROPY),
        "Frechet distance of samples from N(0, I): VAE minus AE": compare(vae, ae, FRECHET),
        "log p: VAE with N(0, I) minus AE with a fitted Gaussian": compare(vae, one, LOG_P),
        "log p: VAE with N(0, I) minus AE with 20 fitted Gaussians": compare(vae, many, LOG_P),
        "Frechet distance: VAE with N(0, I) minus AE with a fitted Gaussian": compare(vae, one, FRECHET),
        "Frechet distance: VAE with N(0, I) minus AE with 20 fitted Gaussians": compare(vae, many, FRECHET),
        "Gaps between the VAE's means, share of N(0, I) in them beyond 1 in 100":
            Finding.of(generation[vae][:, ISOLATED] - 0.01),
        "Gaps between the AE's codes, share of their Gaussian in them beyond 1 in 100":
            Finding.of(generation[one][:, ISOLATED] - 0.01),
        "log p of AE: a fitted Gaussian minus N(0, I)": compare(one, ae, LOG_P),
        "log p of VAE: 20 fitted Gaussians minus N(0, I)": compare(("VAE", "20 Gaussians"), vae, LOG_P)}
    lesson.say("Paired over seeds (log p over images too), is the effect there? (yes: beyond what chance gives once "
               "in 20 times)")
    for what, finding in findings.items():
        lesson.say(f"- {what}: {finding}: {'yes' if finding.sign() else 'no clear difference'}.")
    at_home, in_ae, in_vae, fitted = (findings[key].sign() for key in (
        "log p of test images from N(0, I): VAE minus AE",
        "Gaps between the AE's codes, share of their Gaussian in them beyond 1 in 100",
        "Gaps between the VAE's means, share of N(0, I) in them beyond 1 in 100",
        "log p of AE: a fitted Gaussian minus N(0, I)"))
    fits = [findings[f"log p: VAE with N(0, I) minus AE with {what}"].sign()
            for what in ("a fitted Gaussian", "20 fitted Gaussians")]
    even = findings["Evenness of the classes sampled from N(0, I): VAE minus AE"].sign()
    hidden = Finding.of(generation[ae][:, ISOLATED] - 0.01).sign() <= 0
    lesson.say(story(at_home, *fits, in_ae, in_vae, even, hidden))
    titles = {"codes": where_they_lie({name: Mean.of(place[name][:, 0]) for name in MODELS}),
              "log p": what_is_needed(fitted, fits[0]), "samples": how_many_classes(even)}
    draw(lesson, images, first, generation, titles, judge)
    return {"place": {name: tuple(map(Mean.of, values.T)) for name, values in place.items()},
            "generation": {key: tuple(map(Mean.of, values.T)) for key, values in generation.items()},
            "findings": findings}


def codes(model, X):
    """The codes of X (N, 2) in float64, of a VAE their means."""
    z = model.encode(X)
    return np.asarray(z[0] if isinstance(model, sv.VAE) else z, dtype=np.float64)


def story(at_home, one, many, in_ae, in_vae, even, hidden):
    """What the comparisons add up to, from their signs: 1, -1, or 0 for no clear difference.

    at_home : log p from N(0, I), VAE minus AE      one, many : VAE with N(0, I) minus AE with 1 or 20 fitted Gaussians
    in_ae, in_vae : codes in gaps beyond 1 in 100      even : how even the classes are, VAE minus AE
    hidden : whether AE's codes from N(0, I) are in gaps no more than 1 in 100
    """
    first = {1: "The VAE's gain is that N(0, I) itself is a better place to draw codes from.",
             0: "N(0, I) is not clearly a better place to draw codes from for the VAE.",
             -1: "N(0, I) is even the better place to draw codes from for the autoencoder."}[at_home]
    words = {1: "the VAE is still better", 0: "no clear difference is left", -1: "the autoencoder is better"}
    then = f", and {words[many]}" if one != many else ", nor is one" if many == 0 else ", and so"
    own, prior = "where the autoencoder's own Gaussian draws", "where N(0, I) does for the VAE"
    gaps = {(1, 1): f"Gaps are clear {own} and {prior}.", (1, 0): f"Gaps are clear {own}, not {prior}.",
            (0, 1): f"Gaps are clear {prior}, not {own}.", (0, 0): f"Gaps are clear neither {own} nor {prior}."}[
                max(in_ae, 0), max(in_vae, 0)]
    classes = {1: "From N(0, I) the autoencoder draws fewer of the classes"
                  + (", which no count of gaps shows: a wide cloud of codes has none at its "
                     "middle." if hidden else ".") + " ",
               0: "", -1: "From N(0, I) the autoencoder draws the classes more evenly. "}[even]
    return "\n" + fill(
        f"{first} Nobody told the autoencoder where to put its codes; once somebody looks where they are and fits a "
        f"Gaussian, {words[one]} in log p(x){then} with 20 of them. {gaps} {classes}The VAE needs no second fit, and "
        "a bound on its log p(x) is what it was trained for.", 116) + "\n"


def where_they_lie(off_centre):
    """The title of the codes: model -> Mean of |mean code| / radius over the seeds."""
    return "Distance of the codes' mean from the origin, over their radius: " + ", ".join(
        f"{value.value:.0%} ({name})" for name, value in off_centre.items())


def what_is_needed(fitted, one):
    """The title of log p(x): whether AE gains by a fitted Gaussian, and whether the VAE with N(0, I) is then better."""
    gain = {1: "A Gaussian fitted to its codes helps the autoencoder", 0: "A fitted Gaussian brings the autoencoder "
            "no clear gain", -1: "A fitted Gaussian harms the autoencoder"}[fitted]
    return gain + {1: "; the VAE is better without one", 0: "; the VAE without one is not clearly better or worse",
                   -1: ", and it is then better than the VAE without one"}[one]


def how_many_classes(even):
    """The title of the samples: whether the VAE's from N(0, I) show the classes more evenly than the autoencoder's."""
    return {1: "From N(0, I) the autoencoder draws fewer of the classes than the VAE",
            0: "Samples: from N(0, I) neither model draws the classes clearly more evenly",
            -1: "From N(0, I) the autoencoder draws the classes more evenly than the VAE"}[even]


def names_of(judge, x_mean):
    """The classes that the judge sees in the images of these means (N, D), each in at least 1 of 100."""
    share = np.bincount(judge.predict(sv.binarize(x_mean))) / len(x_mean)
    return np.flatnonzero(share >= 0.01)


def plane(name, seen, names):
    """The title of a decoded plane: how many of the classes a classifier sees in it."""
    things = "digits" if all(str(each).isdigit() for each in names) else "classes"
    return f"{'Autoencoder' if name == 'AE' else name}: {len(seen)} of {len(names)} {things}"


def on_the_way(named, n):
    """The title of the walks: of n decoded steps, how many the judge names as neither end, for each model."""
    return f"On the line between two codes, of {n} decoded steps the classifier names as neither end: " + ", ".join(
        f"{count} ({name})" for name, count in named.items())


def draw(lesson, images, first, generation, titles, judge):
    """The six figures, of the first seed's models."""
    share = {name: names_of(judge, model.decode(plotting.manifold_grid(40))) for name, (model, _) in first.items()}
    figure, axes = plotting.panels(2, "What the decoder makes of codes z from all over N(0, I), and what a classifier sees",
                                   size=(4.5, 4.75))
    figure.get_layout_engine().set(rect=(0.01, 0.02, 0.98, 0.97))
    for ax, (name, (model, _)) in zip(axes, first.items()):
        plotting.image_grid(model.decode(plotting.manifold_grid(9)), "", n_columns=9, shape=images.shape, ax=ax)
        ax.set_title(plane(name, share[name], images.names), fontsize=18, color=plotting.COLOURS[name], weight="bold")
    lesson.save(figure, "latent_space_planes")

    figure, axes = plotting.panels(2, titles["codes"], size=(5, 4.8))
    for ax, (name, (model, _)) in zip(axes, first.items()):
        plotting.latent_scatter(codes(model, images.test[:5000]), images.test_labels[:5000],
                                "autoencoder: z" if name == "AE" else "VAE: mean of q(z given x)", circles=True,
                                names=images.names, ax=ax)
    lesson.save(figure, "latent_space_codes")
    lesson.save(plotting.diagram(first["VAE"][0]), "latent_space_machine")

    means = {f"{name}, {sampler}": Mean.of(values[:, LOG_P]) for (name, sampler), values in generation.items()}
    figure, axes = plotting.panels(1, titles["log p"], size=(6.6, 3.2))
    for i, ((name, sampler), mean) in enumerate(zip(generation, means.values())):
        axes[0].errorbar(mean.value, -i, xerr=mean.error, fmt="o", color=plotting.COLOURS[name], capsize=3)
        axes[0].annotate(str(mean).replace("+-", "±").replace("-", "\N{MINUS SIGN}"), (mean.value, -i), (0, 6),
                         textcoords="offset points", ha="center", size=8.5)
    axes[0].set_yticks(-np.arange(len(means)), list(means))
    axes[0].set(xlabel="log p(x), nats per test image (right is better)")
    axes[0].margins(x=0.12, y=0.15)
    lesson.save(figure, "latent_space_log_prob")

    rng, n = lesson.rng(99), 12
    rows = [model.decode(samplers[s].sample(n, rng=rng)) for model, samplers in first.values() for s in SAMPLERS]
    lesson.save(plotting.image_grid(
        np.concatenate(rows), titles["samples"], n_columns=n,
        row_labels=[f"{name}, {s}" for name in first for s in SAMPLERS], shape=images.shape), "latent_space_samples")

    t = np.linspace(0, 1, n)[:, None]
    names, shown = [images.names[c] for c in images.test_labels], images.one_of_each()
    pairs = [(shown[a], shown[b]) for a, b in ((0, 1), (4, 7), (2, 6)) if max(a, b) < len(shown)]
    rows, neither = [], dict.fromkeys(first, 0)
    for i, j in pairs:
        for name, (model, _) in first.items():
            z = codes(model, images.test[[i, j]])
            rows.append(model.decode((1 - t) * z[0] + t * z[1]))
            neither[name] += int((~np.isin(judge.predict(sv.binarize(rows[-1])), images.test_labels[[i, j]])).sum())
    lesson.save(plotting.image_grid(
        np.concatenate(rows), on_the_way(neither, len(pairs) * n),
        n_columns=n, shape=images.shape,
        row_labels=[f"{names[i]} to {names[j]}, {name}" for i, j in pairs for name in first]),
        "latent_space_interpolation")


if __name__ == "__main__":
    run_as_command(__spec__)
