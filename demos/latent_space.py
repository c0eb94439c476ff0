"""What is wrong with an autoencoder's latent space, and what does the VAE cure? Each complaint measured, in the plane.

An autoencoder and a VAE of the same shape, 64-128-2, trained on the binarised digits with several seeds. Measured: how
far off the centre the codes lie, how uneven the room of the classes is, and what comes out when one samples codes from
N(0, I), from a Gaussian and from a mixture of 20 Gaussians fitted to the codes: log p(x) of test images by quadrature,
the share of samples in gaps, whether all digits appear, the Frechet distance to real images.

Takes about 22 s. Writes latent_space_codes, latent_space_log_prob, latent_space_samples, latent_space_interpolation
(.png).
"""
import numpy as np

import scratchvae as sv
from demos.lesson import Mean
from scratchvae import plotting
from scratchvae.analysis import latent_space
from scratchvae.analysis.gaussian_mixture import GaussianMixture

MODELS = {"AE": sv.Autoencoder, "VAE": sv.VAE}
SAMPLERS = ("N(0, I)", "one Gaussian", "20 Gaussians")
# t distribution at 1 in 20: 5 seeds leave 4 degrees of freedom, the 2 of --quick only 1.
T_LIMIT = {5: 2.78, 2: 12.7}


def run(lesson):
    """Train, measure, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images(binary=True)
    train, labels, test = images.train, images.train_labels, images.test[:500]
    n_seeds, n_samples = lesson.pick(5, 2), len(test)
    epochs, nodes = lesson.pick(max(3, 200_000 // len(train)), 2), lesson.pick(20_000, 1_000)
    em_steps = lesson.pick(200, 3)
    judge = sv.Classifier(train.shape[1], (128,), rng=lesson.rng(1))
    sv.fit(judge, train, labels, epochs=lesson.pick(max(2, 30_000 // len(train)), 1), optimizer=sv.Adam(),
           rng=lesson.rng(2))
    lesson.say(f"{len(train)} training images, {n_seeds} seeds; the judge of the samples, a classifier trained on real "
               f"images, names {judge.score(images.test, images.test_labels):.1%}\n"
               "of the test images rightly.\n")

    place, generation, first = {name: [] for name in (*MODELS, "VAE, sampled")}, {}, {}
    for seed in range(n_seeds):
        for name, Model in MODELS.items():
            rng = lesson.rng(10 * seed + 5)
            model = Model(train.shape[1], (128,), 2, activation="tanh", observation=sv.Bernoulli(), rng=rng)
            sv.fit(model, train, epochs=epochs, batch_size=50, optimizer=sv.Adam(3e-3), rng=rng, valid=images.valid,
                   callbacks=[sv.EarlyStopping(patience=20), lesson.progress(f"{name}, seed {seed}")])
            z = codes(model, train)
            samplers = dict(zip(SAMPLERS, (GaussianMixture.standard(2), GaussianMixture(1).fit(z, rng=rng),
                                           GaussianMixture(20, max_iter=em_steps).fit(z, rng=rng))))
            first.setdefault(name, (model, samplers))
            place[name].append((latent_space.off_centre(z), latent_space.area_spread(z, labels)))
            if name == "VAE":
                mu, log_var = model.encode(train)
                drawn = sv.gaussian.reparameterize(mu, log_var, rng.standard_normal(mu.shape, dtype=mu.dtype))
                place["VAE, sampled"].append((latent_space.off_centre(drawn), latent_space.area_spread(drawn, labels)))
            for sampler_name, sampler in samplers.items():
                z_new = sampler.sample(n_samples, rng=rng)
                x_new = model.observation.sample(model.decoder.forward(z_new.astype(model.dtype))[0], rng)
                generation.setdefault((name, sampler_name), []).append((
                    latent_space.grid_log_prob(model, test, sampler, n_nodes=nodes).mean(),
                    latent_space.isolated_share(sampler.sample(4 * n_samples, rng=rng), z[:2000]),
                    latent_space.label_entropy(judge.predict(x_new)),
                    latent_space.frechet_distance(judge.features(x_new), judge.features(test))))

    floor = (latent_space.label_entropy(images.test_labels),
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

    def compare(a, b, column, values):
        return judged(values[a][:, column] - values[b][:, column])

    ae, vae = ("AE", "N(0, I)"), ("VAE", "N(0, I)")
    findings = {
        "centre": judged(place["AE"][:, 0] - place["VAE"][:, 0]),
        "areas, means": judged(place["AE"][:, 1] - place["VAE"][:, 1]),
        "areas, sampled": judged(place["AE"][:, 1] - place["VAE, sampled"][:, 1]),
        "log p, N(0, I)": compare(vae, ae, 0, generation), "entropy, N(0, I)": compare(vae, ae, 2, generation),
        "Frechet, N(0, I)": compare(vae, ae, 3, generation),
        "log p, VAE - AE with one Gaussian": compare(vae, ("AE", "one Gaussian"), 0, generation),
        "log p, VAE - AE with 20 Gaussians": compare(vae, ("AE", "20 Gaussians"), 0, generation),
        "Frechet, VAE - AE with one Gaussian": compare(vae, ("AE", "one Gaussian"), 3, generation),
        "Frechet, VAE - AE with 20 Gaussians": compare(vae, ("AE", "20 Gaussians"), 3, generation),
        "isolated, N(0, I), less the 1 % of no gaps": judged(generation[vae][:, 1] - 0.01),
        "isolated, AE with one Gaussian, less 1 %": judged(generation["AE", "one Gaussian"][:, 1] - 0.01),
        "VAE, log p, 20 Gaussians - N(0, I)": compare(("VAE", "20 Gaussians"), vae, 0, generation)}
    sentences = {
        "centre": "Off centre: the autoencoder's codes minus the VAE's",
        "areas, means": "Unevenness of the classes' areas: AE minus the VAE's means",
        "areas, sampled": "Unevenness of the classes' areas: AE minus the VAE's sampled codes",
        "log p, N(0, I)": "log p of test images from N(0, I): VAE minus AE",
        "entropy, N(0, I)": "Evenness of the digits sampled from N(0, I): VAE minus AE",
        "Frechet, N(0, I)": "Frechet distance of samples from N(0, I): VAE minus AE",
        "log p, VAE - AE with one Gaussian": "log p: VAE with N(0, I) minus AE with a fitted Gaussian",
        "log p, VAE - AE with 20 Gaussians": "log p: VAE with N(0, I) minus AE with 20 fitted Gaussians",
        "Frechet, VAE - AE with one Gaussian": "Frechet distance: VAE with N(0, I) minus AE with a fitted Gaussian",
        "Frechet, VAE - AE with 20 Gaussians": "Frechet distance: VAE with N(0, I) minus AE with 20 fitted Gaussians",
        "isolated, N(0, I), less the 1 % of no gaps": "Gaps between the VAE's means, share of N(0, I) in them beyond "
                                                      "1 in 100",
        "isolated, AE with one Gaussian, less 1 %": "Gaps between the AE's codes, share of their Gaussian in them "
                                                    "beyond 1 in 100",
        "VAE, log p, 20 Gaussians - N(0, I)": "VAE, log p: 20 fitted Gaussians minus N(0, I)"}
    limit = T_LIMIT[n_seeds]
    lesson.say("Paired over seeds, is the effect there? (yes: beyond what chance gives once in 20 times)")
    for key, finding in findings.items():
        there = abs(finding.value) > limit * finding.error
        lesson.say(f"- {sentences[key]}: {finding}: {'yes' if there else 'no clear difference'}.")
    lesson.say(story(findings, limit))

    draw(lesson, images, first, generation)
    return {"place": {name: tuple(map(Mean.of, values.T)) for name, values in place.items()},
            "generation": {key: tuple(map(Mean.of, values.T)) for key, values in generation.items()},
            "findings": findings}


def codes(model, X):
    """The codes of X (N, 2) in float64, of a VAE their means."""
    z = model.encode(X)
    return np.asarray(z[0] if isinstance(model, sv.VAE) else z, dtype=np.float64)


judged = Mean.of


def story(findings, limit):
    """What the comparisons add up to."""
    def sign(key):
        value, error = findings[key]
        return 0 if abs(value) <= limit * error else 1 if value > 0 else -1

    prior = sign("log p, N(0, I)") > 0
    one, many = sign("log p, VAE - AE with one Gaussian"), sign("log p, VAE - AE with 20 Gaussians")
    words = {1: "the VAE is still better", 0: "no clear difference is left", -1: "the autoencoder is better"}
    return (f"\nThe VAE's gain is{'' if prior else ' not even'} that N(0, I) itself is the right place to draw codes "
            "from. Nobody told the\nautoencoder where to put its codes; once somebody looks where they are and fits a "
            f"Gaussian, {words[one]} in\nlog p(x)"
            f"{', nor is one' if one == many == 0 else f', and {words[many]}'} with 20 of them. "
            "The pictures' gaps are in the VAE's means\ntoo. That few draws from N(0, I) count as isolated in the "
            "autoencoder says only that its wide cloud covers them: they all\nfall on the same few digits, and the label "
            "entropy shows it. The VAE "
            "needs no second fit, and a\nbound on its log p(x) is what it was trained for.\n")


def draw(lesson, images, first, generation):
    """The four figures, of the first seed's models."""
    figure, axes = plotting.panels(2, "The autoencoder's codes lie anywhere, the VAE's where N(0, I) is", size=(5, 4.8))
    for ax, (name, (model, _)) in zip(axes, first.items()):
        plotting.latent_scatter(codes(model, images.test[:5000]), images.test_labels[:5000],
                                "autoencoder: z" if name == "AE" else "VAE: mean of q(z given x)", circles=True, ax=ax)
    lesson.save(figure, "latent_space_codes")

    means = {f"{name}, {sampler}": Mean.of(values[:, 0]) for (name, sampler), values in generation.items()}
    figure, axes = plotting.panels(1, "The VAE needs only N(0, I); the autoencoder needs a density fitted to its "
                                      "codes", size=(6.6, 3.2))
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
        np.concatenate(rows), "From N(0, I) the autoencoder draws the same shapes again and again", n_columns=n,
        row_labels=[f"{name}, {s}" for name in first for s in SAMPLERS]), "latent_space_samples")

    t = np.linspace(0, 1, n)[:, None]
    labels = images.test_labels
    pairs = [(np.flatnonzero(labels == a)[0], np.flatnonzero(labels == b)[0]) for a, b in ((0, 1), (4, 7), (2, 6))]
    rows = []
    for i, j in pairs:
        for model, _ in first.values():
            z = codes(model, images.test[[i, j]])
            rows.append(model.decode((1 - t) * z[0] + t * z[1]))
    lesson.save(plotting.image_grid(
        np.concatenate(rows), "On the line between two codes lie other digits and blurred ones, in both models",
        n_columns=n, row_labels=[f"{labels[i]} to {labels[j]}, {name}" for i, j in pairs for name in first]),
        "latent_space_interpolation")
