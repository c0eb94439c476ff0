"""What does a wrong noise model do to a VAE? Observation models on the same digits, and what each one hides.

A fixed variance of 1 on pixels in [0, 1] collapses every latent: the eigenvalues of the data's covariance say so
before any training. Squared error with a weighted KL is a fixed variance in disguise. A variance learned for each pixel
runs away where pixels are exactly 0, until a floor stops it. Then binary pixels under Bernoulli and grey ones under the
continuous Bernoulli, with what the cross-entropy on grey pixels leaves out; densities are compared only where that
means something.

With --data DIR it does the same on MNIST-format files (10,000 of the training images).
Takes about 13 s. Writes observation_collapse, observation_floor, observation_reconstructions (.png).
"""
import numpy as np

import scratchvae as sv
from demos.lesson import Mean
from scratchvae import plotting

K = 8  # latents
FLOORS = (1e-1, 1e-2, 1e-3, 1e-4)


def run(lesson):
    """Predict, train, compare, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    images = lesson.images()
    images = images._replace(train=images.train[:10_000])
    collapsed, deep = collapse(lesson, images)
    return {"collapse": collapsed, "beta": disguise(lesson, images), "floor": runaway(lesson, images),
            "models": compare(lesson, images, deep)}


def trained(lesson, images, observation, label, hidden=(128,), beta=1.0, stream=1):
    """A VAE of K latents: hidden=() for the linear one, trained to the end with a decaying rate, else stopped early."""
    rng, big = lesson.rng(stream), lesson.data is not None
    vae = sv.VAE(images.train.shape[1], hidden=hidden, n_latent=K, observation=observation, beta=beta, rng=rng)
    if hidden:
        epochs, lr, valid = lesson.pick(4 if big else 150, 2), 3e-3, images.valid
        callbacks = [sv.EarlyStopping(patience=30)]
    else:
        epochs, lr, valid = lesson.pick(10 if big else 100, 3), 1e-2, None
        callbacks = [sv.LearningRateDecay()]
    sv.fit(vae, images.train, epochs=epochs, batch_size=100, optimizer=sv.Adam(lr), rng=rng, valid=valid,
           callbacks=[*callbacks, lesson.progress(label)])
    return vae


def kl_per_latent(vae, X):
    """The mean KL of each latent over X : (K,), in nats; 0 is a latent that says nothing."""
    mu, log_var = vae.encode(X)
    return np.array([sv.gaussian.kl_standard(mu[:, [k]], log_var[:, [k]]).mean(dtype=np.float64) for k in range(K)])


def squared_error(vae, X):
    """|x - x_mean|^2 of each image : (N,)."""
    return ((vae.reconstruct(X) - X) ** 2).sum(axis=1)


def decoded(vae, X):
    """The decoder's output at z = mu(x), in float64 : (N, n_params)."""
    return vae.decoder.forward(vae.encode(X)[0])[0].astype(np.float64)


def on_and_off(log_p, zero):
    """Sums over the pixels that are 0 and over the others, of log p per pixel (N, D) : two Means."""
    return Mean.of((log_p * zero).sum(axis=1)), Mean.of((log_p * ~zero).sum(axis=1))


# ---- a variance fixed beforehand ----------------------------------------------------------------------------------

def eigenvalues(X):
    """Variances of the data along its principal directions, denominator N, largest first."""
    return np.linalg.eigvalsh(np.cov(X, rowvar=False, bias=True))[::-1]


def predicted_kl(values, variance):
    """The KL of each latent of a linear VAE at its optimum, in nats : (K,).

        q = posterior: E[mu_j^2] = 1 - v / l_j, sigma_j^2 = v / l_j        KL_j = 1/2 log(l_j / v) if l_j > v, else 0
    """
    return 0.5 * np.log(np.maximum(values[:K] / variance, 1))


def collapse(lesson, images):
    """Latents alive and KL at several fixed variances: predicted, in a linear VAE, in a deeper one; the deeper ones."""
    values = eigenvalues(images.train.astype(np.float64))
    variances = (1.0, 0.5, 0.25, 0.1, 0.05)
    lesson.say(f"{len(images.train)} training images of {images.train.shape[1]} grey pixels in [0, 1]. The "
               "eigenvalues of their covariance are "
               f"{', '.join(f'{v:.3f}' for v in values[:4])} ...\nA latent pays where an eigenvalue exceeds the "
               "variance: with variance 1, "
               f"{int((values > 1).sum())} of them do.\n")
    numbers, rows, deep = {}, [], {}
    for v in variances:
        kl = [predicted_kl(values, v)]
        for hidden in ((), (128,)):
            vae = trained(lesson, images, sv.Gaussian(v), f"variance {v:g}, {'deep' if hidden else 'linear'}", hidden)
            kl.append(kl_per_latent(vae, images.train))
        deep[v] = vae
        alive = [int((k > 0.02).sum()) for k in kl]
        numbers[v] = {"alive": np.array(alive), "kl": np.array([k.sum() for k in kl]),
                      "elbo": Mean.of(vae.elbo(images.test, rng=lesson.rng(9)).elbo)}
        rows.append((f"{v:g}", *(f"{n} of {K}" for n in alive), *(f"{k.sum():.3f}" for k in kl), numbers[v]["elbo"]))
    lesson.table("A fixed variance v: latents alive (KL above 0.02 nats on the training images) and total KL in nats",
                 ["v", "predicted", "linear", "deep", "KL predicted", "KL linear", "KL deep", "test ELBO, deep"], rows)
    one, off = numbers[1.0], max(abs(row["kl"][1] - row["kl"][0]) for row in numbers.values())
    lesson.say("Variance 1 looks harmless and says that a pixel's noise is as wide as its whole range: "
               f"{one['alive'][1]} latents alive in the\n"
               f"linear VAE, {one['alive'][2]} in the deep one. The prediction is for the linear VAE at its "
               f"optimum; trained, it is at most {off:.2f} nats\n"
               f"off. A deep one can bend and may find more to say: {numbers[0.25]['kl'][2]:.2f} nats instead "
               f"of {numbers[0.25]['kl'][0]:.2f} at variance 0.25.")
    figure, axes = plotting.panels(2, "Latents live where the data's variance exceeds the noise's: at variance 1, "
                                      "none does",
                                   size=(4.3, 3.5))
    count = np.arange(1, min(17, len(values)))
    axes[0].bar(count, values[:len(count)], color=plotting.COLOURS["PCA"])
    for v in (1.0, 0.5, 0.25):
        axes[0].axhline(v, color=plotting.GREY, linewidth=1.2, linestyle="--")
        axes[0].annotate(f"noise variance {v:g}", (count[-1], v), (0, 3), textcoords="offset points", size=9,
                         ha="right",
                         path_effects=plotting.HALO)
    with plotting.house_style():
        axes[0].set_title("what the data offers")
    axes[0].set(xlabel="principal direction", ylabel="eigenvalue of the covariance",
                ylim=(0, max(1.1, 1.1 * values[0])))
    kl = np.array([numbers[v]["kl"] for v in variances]).T
    plotting.lines(np.array(variances), {"predicted, linear": kl[0], "linear": kl[1], "VAE": kl[2]},
                   "what the latents say",
                   "fixed noise variance v", "KL, nats per image", logx=True, ax=axes[1])
    lesson.save(figure, "observation_collapse")
    return numbers, deep


# ---- squared error with a weighted KL -----------------------------------------------------------------------------

def disguise(lesson, images):
    """|x - x_mean|^2 + beta KL is beta times the Gaussian loss of variance beta / 2: equal gradients at any theta."""
    D, values, numbers = images.train.shape[1], eigenvalues(images.train.astype(np.float64)), {}
    x, rng = images.train[:50].astype(np.float64), lesson.rng(2)
    eps, rows = rng.standard_normal((50, K)), []
    recipes = {"mean over pixels + KL": float(D), "half the sum + KL": 2.0, "sum + KL": 1.0, "sum + 0.5 KL": 0.5,
               "sum + 0.1 KL": 0.1}
    for name, beta in recipes.items():
        def gradient(observation, beta):
            vae = sv.VAE(D, n_latent=K, observation=observation, beta=beta, rng=lesson.rng(3), dtype=np.float64)
            vae.loss_and_grad(x, eps=eps)
            return vae.grad.copy()

        # Gaussian(1/2): -log p = |x - x_mean|^2 + constant, so this is the squared error with beta KL
        squares, likelihood = gradient(sv.Gaussian(0.5), beta), gradient(sv.Gaussian(beta / 2), 1.0)
        off = np.abs(squares - beta * likelihood).max() / np.abs(squares).max()
        alive = int((predicted_kl(values, beta / 2) > 0).sum())
        vae = trained(lesson, images, sv.Gaussian(0.5), name, hidden=(), beta=beta)
        shown = int((kl_per_latent(vae, images.train) > 0.02).sum())
        numbers[name] = {"variance": beta / 2, "difference": off, "predicted": alive, "alive": shown}
        rows.append((name, f"{beta:g}", f"{beta / 2:g}", f"{off:.0e}", alive, shown))
    lesson.table("Squared error with a weighted KL, and the Gaussian it is", [
        "loss", "beta", "its variance", "gradients differ by", "alive, predicted", "alive, linear VAE"], rows)
    lesson.say(
        "The same gradient in every coordinate, up to the factor beta and rounding. So the weight of the KL is "
        "no free knob\n"
        f"beside the likelihood: it is the noise's variance, chosen unseen. An error averaged over {D} pixels "
        f"means variance {D / 2:g}.")
    return numbers


# ---- a variance learned for each pixel ----------------------------------------------------------------------------

def runaway(lesson, images):
    """Which pixels sit on the floor, how much of log p(x given z) they bring, and what the floor does not enter."""
    test, numbers, rows = images.test[:1000], {}, []
    dead, zero = images.train.max(axis=0) == 0, test == 0
    for floor in FLOORS:
        observation = sv.Gaussian("diagonal", floor=floor)
        vae = trained(lesson, images, observation, f"diagonal, floor {floor:g}", stream=4)
        m, s = np.split(decoded(vae, test), 2, axis=1)
        on = np.exp(s) < floor                                # v = floor + e^s is mostly floor
        log_p = sv.gaussian.log_prob(test[..., None], m[..., None], np.log(floor + np.exp(s))[..., None])
        numbers[floor] = {"on the floor": float(on.mean()), "of these 0": float((on & zero).sum() / max(1, on.sum())),
                          "share": float(log_p[on].sum() / log_p.sum()),
                          "most a pixel": float(-0.5 * np.log(2 * np.pi * floor)),
                          "error": Mean.of(((m - test) ** 2).sum(axis=1)),
                          "error, not 0": Mean.of(((m - test) ** 2 * ~zero).sum(axis=1))}
        row = numbers[floor]
        rows.append((f"{floor:g}", *(f"{100 * row[key]:.1f}" for key in ("on the floor", "of these 0", "share")),
                     f"{row['most a pixel']:.2f}", row["error"], row["error, not 0"]))
    lesson.table(f"A variance v for each pixel; {int(dead.sum())} pixels are 0 in all training images, "
                 f"{zero.mean():.0%} of all test pixels are 0",
                 ["floor", "pixels with v < 2 floor, %", "of these exactly 0, %", "their share of log p(x given z), %",
                  "nats for a hit", "squared error", "of it where x > 0"], rows)
    first, last = numbers[FLOORS[0]], numbers[FLOORS[-1]]
    best = min(FLOORS, key=lambda floor: numbers[floor]["error"].value)
    lesson.say(
        f"At the lowest floor {last['on the floor']:.0%} of the pixels sit on it, nearly all of them exactly 0, and "
        f"bring {last['share']:.0%} of log p(x given z). A hit\nthere is worth -1/2 log(2 pi floor), "
        f"{0.5 * np.log(10):.2f} nats more for every power of ten that the floor is lowered, without end and\n"
        "whatever was learned. So no log-density stands in this table: between its rows it would compare floors, "
        "which were chosen\nby hand. What may be compared is what the floor does not enter: how far the means are "
        f"from x. The squared error is {first['error'].value:.2f}\nat the first floor, {last['error'].value:.2f} at "
        f"the last and smallest at {best:g}.")
    sv.comparable(*(sv.Gaussian("diagonal", floor=floor) for floor in FLOORS))
    lesson.say("sv.comparable would let the densities pass, for all are in the same units. It sees the measure, not "
               "who chose the floor.")
    figure, axes = plotting.panels(2, f"At the lowest floor {last['on the floor']:.0%} of the pixels bring "
                                   f"{last['share']:.0%} of the density; the means are best at floor {best:g}",
                                   size=(4.4, 3.5))
    plotting.lines(np.array(FLOORS), {name: 100 * np.array([numbers[f][key] for f in FLOORS]) for name, key in (
        ("of log p(x given z)", "share"), ("of all pixels", "on the floor"))}, "what sits on the floor",
        "floor of the learned variance", "percent", logx=True, ax=axes[0])
    axes[0].set_ylim(0, 105)
    plotting.lines(np.array(FLOORS), {name: tuple(np.array([numbers[f][key] for f in FLOORS]).T) for name, key in (
        ("all pixels", "error"), ("pixels that are not 0", "error, not 0"))}, "what may be compared",
        "floor of the learned variance", "squared error per test image", logx=True,
        colours=dict(zip(("all pixels", "pixels that are not 0"), plotting.OTHER_COLOURS[2:])), ax=axes[1])
    axes[1].set_ylim(0, None)
    for ax in axes:
        ax.invert_xaxis()
    lesson.save(figure, "observation_floor")
    return numbers


# ---- which numbers may stand side by side -------------------------------------------------------------------------

def compare(lesson, images, deep):
    """Grey pixels under four densities; under the cross-entropy, and what that omits; binary pixels under Bernoulli."""
    models = {"Gaussian, variance 1": sv.Gaussian(1.0), "Gaussian, variance 0.1": sv.Gaussian(0.1),
              "Gaussian, one learned "
              "variance": sv.Gaussian("shared"), "continuous Bernoulli": sv.ContinuousBernoulli()}
    sv.comparable(*models.values())
    test, numbers, rows, pictures = images.test, {}, [], []
    zero, split = test == 0, {}
    shown = np.array([np.flatnonzero(images.test_labels == c)[0] for c in np.unique(images.test_labels)])

    def report(name, vae):
        terms = vae.elbo(test, rng=lesson.rng(9))
        numbers[name] = {"elbo": Mean.of(terms.elbo), "kl": Mean.of(terms.kl),
                         "error": Mean.of(squared_error(vae, test))}
        rows.append((name, *numbers[name].values()))
        pictures.append(vae.reconstruct(test[shown]))

    for i, (name, observation) in enumerate(models.items()):
        vae = deep.get(observation.variance) if isinstance(observation, sv.Gaussian) else None
        vae = vae or trained(lesson, images, observation, name, stream=5 + i)
        report(name, vae)
        if name == "Gaussian, one learned variance":
            params = decoded(vae, test)
            log_variance = np.log(observation.floor + np.exp(params[:, -1]))
            split[name] = on_and_off(sv.gaussian.log_prob(
                test[..., None], params[:, :-1, None], log_variance[:, None, None]), zero)
    split[name] = on_and_off(observation.log_prob(
        test.reshape(-1, 1), decoded(vae, test).reshape(-1, 1)).reshape(test.shape), zero)
    plain = trained(lesson, images, sv.CrossEntropy(), "cross-entropy", stream=5 + i)
    score = plain.elbo(test, rng=lesson.rng(9)).elbo
    # The same decoder, read as the density it would be with its normalising constant
    density = sv.VAE(plain.n_features, n_latent=K, observation=sv.ContinuousBernoulli(), rng=lesson.rng(0))
    density.theta[:] = plain.theta
    omitted = density.elbo(test, rng=lesson.rng(9)).elbo - score
    pictures.append(plain.reconstruct(test[shown]))
    report("trained on cross-entropy, read as c. B.", density)
    lesson.table("Grey test images: the ELBO as log density in nats (+- is the standard error over images)",
                 ["p(x given z)", "ELBO", "KL", "squared error"], rows)
    learned, grey = (numbers[name]["elbo"].value for name in split)
    more = [b.value - a.value for a, b in zip(*split.values())]
    lesson.say(
        "All are densities of the same x, so they may be compared. One learned variance reaches "
        f"{np.exp(log_variance[0]):.3f}; the guess 0.1 is "
        f"{learned - numbers['Gaussian, variance 0.1']['elbo'].value:.1f}\n"
        f"nats below, the guess 1 {learned - numbers['Gaussian, variance 1']['elbo'].value:.1f}. The continuous "
        f"Bernoulli is {grey - learned:.0f} nats above it, but of log p(x given z) it gains {more[0]:+.0f} on\n"
        f"the {zero.mean():.0%} of the pixels that are exactly 0 and {more[1]:+.0f} on the others: like the "
        "diagonal Gaussian it can peak where values repeat.\n\n"
        f"The cross-entropy on grey pixels scores {score.mean():.1f}. That is no log-likelihood: exp of it does "
        "not integrate to 1. It omits\n"
        f"log C(a), here {omitted.mean():.1f} nats an image, which depends on the logits, so training without "
        "it ends elsewhere: with it added the\n"
        f"same decoder has {numbers['trained on cross-entropy, read as c. B.']['elbo'].value:.1f} nats, the one "
        f"trained on the density {grey:.1f}. Its mean is not sigmoid(a) either: read so,\n"
        f"the squared error is {squared_error(plain, test).mean():.2f}.")
    binary = lesson.images(binary=True)
    binary = binary._replace(train=binary.train[:10_000])
    coin = trained(lesson, binary, sv.Bernoulli(), "Bernoulli, binary pixels", stream=10)
    numbers["Bernoulli, binary"] = {"elbo": Mean.of(coin.elbo(binary.test, rng=lesson.rng(9)).elbo)}
    try:
        sv.comparable(sv.Bernoulli(), sv.ContinuousBernoulli(), sv.CrossEntropy())
    except ValueError as refusal:
        lesson.say(f"\nBinary pixels under Bernoulli: {numbers['Bernoulli, binary']['elbo']} nats, of a "
                   "probability, so at most 0. And beside the densities?\n"
                   f"sv.comparable refuses: {str(refusal).replace(': {', ':' + chr(10) + '{')}\n")
    numbers["cross-entropy"] = {"score": Mean.of(score), "omitted": Mean.of(omitted)}
    lesson.save(plotting.image_grid(
        np.concatenate([test[shown], *pictures]), "The same network under different noise: variance 1 sees one "
                                                  "average image",
        n_columns=len(shown),
        row_labels=["original", "variance 1", "variance 0.1", "learned variance", "continuous B.", "cross-entropy",
                    "cross-entropy, read as c. B."]),
        "observation_reconstructions")
    return numbers
