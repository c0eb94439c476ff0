"""What does a wrong noise model do to a VAE? Observation models on the same images, and what each one hides.

A fixed variance on pixels in [0, 1], 1 for one, may collapse latents: the eigenvalues of the data's covariance say
which before any training. Squared error with a weighted KL is a fixed variance in disguise. A variance learned for
each pixel runs away where pixels are exactly 0, until a floor stops it. Then binary pixels under Bernoulli and grey
ones under the continuous Bernoulli, with what the cross-entropy on grey pixels leaves out; densities are compared only
where that means something.

The predictions are tested on the 8 x 8 digits, on which linear VAEs come to their optimum in seconds; the densities are
compared on MNIST. With --data digits or mnist all is on one of them, with --data DIR on MNIST-format files (10,000 of
the training images).
Takes about 55 s, on 60,000 images about 2 min. Writes observation_machine, observation_collapse, observation_beta,
observation_floor, observation_reconstructions (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding, listing
from demos.lesson import Mean
from demos.rate_picture import rate_figure
from scratchvae import plotting

K = 8  # latents
FLOORS = (1e-1, 1e-2, 1e-3, 1e-4)


def run(lesson):
    """Predict, train, compare, draw; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    small, large = (lesson.images(most=10_000, default=name) for name in ("digits", "mnist"))
    lesson.images(binary=True, default="mnist")  # refuses before anything is trained
    return {"collapse": collapse(lesson, small), "beta": disguise(lesson, small), "floor": runaway(lesson, small),
            "models": compare(lesson, large)}


def trained(lesson, images, observation, label, hidden=(128,), beta=1.0, stream=1):
    """A VAE of K latents: hidden=() for the linear one, trained to the end with a decaying rate, else stopped early."""
    rng, X = lesson.rng(stream), images.train
    vae = sv.VAE(images.train.shape[1], hidden=hidden, n_latent=K, observation=observation, beta=beta, rng=rng)
    if hidden:
        epochs, lr, valid = lesson.epochs(150, 2, X), 3e-3, images.valid
        callbacks = [sv.EarlyStopping(patience=30)]
    else:
        epochs, lr, valid = lesson.epochs(100, 3, X), 1e-2, None
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
    X = (X - X.mean(axis=0)) / np.sqrt(len(X))
    spectrum = np.linalg.eigvalsh(X @ X.T if len(X) < X.shape[1] else X.T @ X)[::-1]   # of X X^T too: the rest are 0
    return np.pad(spectrum, (0, X.shape[1] - len(spectrum)))


def predicted_kl(values, variance):
    """The KL of each latent of a linear VAE at its optimum, in nats : (K,).

        q = posterior: E[mu_j^2] = 1 - v / l_j, sigma_j^2 = v / l_j        KL_j = 1/2 log(l_j / v) if l_j > v, else 0
    """
    return 0.5 * np.log(np.maximum(values[:K] / variance, 1))


def predicted_error(values, variance):
    """E_q |x - m|^2 at the same optimum: v along a latent that lives, l_j along every other direction.

        m_j = w_j z_j, w_j^2 = l_j - v        E (x_j - m_j)^2 = v^2 / l_j + (l_j - v) v / l_j = v
    """
    return np.minimum(values[:K], variance).sum() + values[K:].sum()


def collapse(lesson, images):
    """Latents alive and KL at several fixed variances: predicted, in a linear VAE, in a deeper one."""
    values = eigenvalues(images.train.astype(np.float64))
    variances = (1.0, 0.5, 0.25, 0.1, 0.05)
    lesson.say(f"{len(images.train)} training images of {images.train.shape[1]} grey pixels in [0, 1]. The "
               "eigenvalues of their covariance are "
               f"{', '.join(f'{v:.3f}' for v in values[:4])} ...\nA latent pays where an eigenvalue exceeds the "
               f"variance: with variance 1, {int((values > 1).sum())} of them do.\n")
    numbers, rows = {}, []
    for v in variances:
        kl = [predicted_kl(values, v)]
        for hidden in ((), (128,)):
            vae = trained(lesson, images, sv.Gaussian(v), f"variance {v:g}, {'deep' if hidden else 'linear'}", hidden)
            kl.append(kl_per_latent(vae, images.train))
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
               f"off. A deep one can bend and need not say the same: {numbers[0.25]['kl'][2]:.2f} nats beside "
               f"{numbers[0.25]['kl'][0]:.2f} at variance 0.25 (one run each).")
    figure, axes = plotting.panels(2, who_lives(*map(int, one["alive"])), size=(4.3, 3.5))
    count = np.arange(1, min(17, len(values)))
    axes[0].bar(count, values[:len(count)], color=plotting.COLOURS["PCA"])
    for v in (1.0, 0.5, 0.25):
        axes[0].axhline(v, color=plotting.GREY, linewidth=1.2, linestyle="--")
        plotting.label(axes[0], float(count[-1]), v, f"noise variance {v:g}", (-40, 8), size=9)
    with plotting.house_style():
        axes[0].set_title("what the data offers")
    axes[0].set(xlabel="principal direction", ylabel="eigenvalue of the covariance", yscale="log",
                xlim=(0.3, len(count) + 0.7), ylim=(0.7 * min(0.25, values[len(count) - 1]), 1.8 * max(1.0, values[0])))
    axes[0].yaxis.set_major_formatter("{x:g}")
    kl = np.array([numbers[v]["kl"] for v in variances]).T
    plotting.lines(np.array(variances), {"predicted, linear": kl[0], "linear": kl[1], "VAE": kl[2]},
                   "what the latents say",
                   "fixed noise variance v", "KL, nats per image", logx=True, theory=("predicted, linear",),
                   ax=axes[1])
    lesson.save(figure, "observation_collapse")
    return numbers


def who_lives(predicted, linear, deep):
    """The title: how many of K latents live at variance 1."""
    def count(n):
        return {0: "none", K: f"all {K}"}.get(n, f"{n} of {K}")

    return ("Latents live where the data's variance exceeds the noise's: at variance 1 "
            f"{count(predicted)} should; {count(linear)} {'does' if linear < 2 else 'do'} in the linear VAE, "
            f"{count(deep)} in the deep one")


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
        terms = vae.elbo(images.train, rng=lesson.rng(9))                # log N(x; m, 1/2) = -|x - m|^2 - D/2 log pi
        numbers[name] = {"kl": float(terms.kl.mean(dtype=np.float64)),
                         "error": -float(terms.reconstruction.mean(dtype=np.float64)) - 0.5 * D * np.log(np.pi)}
        numbers[name] |= {"variance": beta / 2, "difference": off, "predicted": alive, "alive": shown}
        rows.append((name, f"{beta:g}", f"{beta / 2:g}", f"{off:.0e}", alive, shown))
    lesson.table("Squared error with a weighted KL, and the Gaussian it is", [
        "loss", "beta", "its variance", "gradients differ by", "alive, predicted", "alive, linear VAE"], rows)
    lesson.say(
        "The same gradient in every coordinate, up to the factor beta and rounding. So the weight of the KL is "
        "no free knob\n"
        f"beside the likelihood: it is the noise's variance, chosen unseen. An error averaged over {D} pixels "
        f"means variance {D / 2:g}.")
    smooth = np.geomspace(0.5 * min(recipes.values()), 2 * values[0], 200)
    theory = np.array([(predicted_kl(values, b / 2).sum(), predicted_error(values, b / 2)) for b in smooth])
    lesson.save(rate_figure({beta: (numbers[name]["kl"], numbers[name]["error"]) for name, beta in recipes.items()},
                            theory), "observation_beta")
    return numbers


# ---- a variance learned for each pixel ----------------------------------------------------------------------------

def runaway(lesson, images):
    """Which pixels sit on the floor, how much of log p(x given z) they bring, and what the floor does not enter."""
    test, numbers, rows, errors = images.test[:1000], {}, [], {}
    dead, zero, n_runs = images.train.max(axis=0) == 0, test == 0, lesson.pick(2 if images.large else 3, 2)
    for floor in FLOORS:
        on, log_p, squares = ([] for _ in range(3))
        for run in range(n_runs):
            vae = trained(lesson, images, sv.Gaussian("diagonal", floor=floor), f"diagonal, floor {floor:g}, run "
                                                                                f"{run + 1}",
                          stream=4 + 100 * run)
            m, s = np.split(decoded(vae, test), 2, axis=1)
            on.append(np.exp(s) < floor)                      # v = floor + e^s is mostly floor
            log_p.append(sv.gaussian.log_prob(test[..., None], m[..., None], np.log(floor + np.exp(s))[..., None]))
            squares.append((m - test) ** 2)
        on, log_p, squares = map(np.array, (on, log_p, squares))                             # each (runs, N, D)
        errors[floor] = squares.sum(axis=2)
        numbers[floor] = {"on the floor": float(on.mean()), "of these 0": float((on & zero).sum() / max(1, on.sum())),
                          "nats on it": float((log_p * on).sum(axis=2).mean()),
                          "nats elsewhere": float((log_p * ~on).sum(axis=2).mean()),
                          "most a pixel": float(-0.5 * np.log(2 * np.pi * floor)),
                          "error": Finding.of(errors[floor]),
                          "error, not 0": Finding.of((squares * ~zero).sum(axis=2))}
        row = numbers[floor]
        rows.append((f"{floor:g}", *(f"{100 * row[key]:.1f}" for key in ("on the floor", "of these 0")),
                     *(f"{row[key]:+.1f}" for key in ("nats on it", "nats elsewhere")),
                     f"{row['most a pixel']:.2f}", row["error"], row["error, not 0"]))
    lesson.table(f"A variance v for each pixel; 0 in all training images: {int(dead.sum())} of {len(dead)} pixels, "
                 f"and {zero.mean():.0%} of all test pixels (+- over images and {n_runs} runs)",
                 ["floor", "pixels with v < 2 floor, %", "of these exactly 0, %", "log p(x given z) from them, nats",
                  "from the others", "nats for a hit", "squared error", "of it where x > 0"], rows)
    last = numbers[FLOORS[-1]]
    best = min(FLOORS, key=lambda floor: numbers[floor]["error"].value)
    over = {floor: Finding.of(errors[floor] - errors[best]) for floor in FLOORS if floor != best}
    lesson.say(
        f"At the lowest floor {last['on the floor']:.0%} of the pixels sit on it, {last['of these 0']:.0%} of them "
        f"exactly 0, and bring {round(last['nats on it']):+d} nats an image, the others\n"
        f"{round(last['nats elsewhere']):+d}. A "
        "hit there is worth -1/2 log(2 pi floor), "
        f"{0.5 * np.log(10):.2f} nats more for every power of ten that the floor is lowered, without\nend and "
        "whatever was learned. So no ELBO stands in this table: between its rows it would compare floors, "
        "which were chosen by hand.\nWhat may be compared is what the floor does not enter: how far the means are "
        f"from x. {best_floor(best, over)}.")
    sv.comparable(*(sv.Gaussian("diagonal", floor=floor) for floor in FLOORS))
    lesson.say("sv.comparable would let the densities pass, for all are in the same units. It sees the measure, not "
               "who chose the floor.")
    figure, axes = plotting.panels(2, f"At the lowest floor the {last['on the floor']:.0%} of the pixels on it bring "
                                   f"{round(last['nats on it']):+d} nats, the others "
                                   f"{round(last['nats elsewhere']):+d}. "
                                   f"{best_floor(best, over)}".replace("-", "\N{MINUS SIGN}"), size=(4.4, 3.5))
    plotting.lines(np.array(FLOORS), {name: np.array([numbers[f][key] for f in FLOORS]) for name, key in (
        ("pixels on the floor", "nats on it"), ("the others", "nats elsewhere"))}, "what brings log p(x given z)",
        "floor of the learned variance", "nats per test image", logx=True, ax=axes[0])
    plotting.lines(np.array(FLOORS), {name: tuple(np.array([numbers[f][key] for f in FLOORS]).T) for name, key in (
        ("all pixels", "error"), ("pixels that are not 0", "error, not 0"))}, "what may be compared",
        "floor of the learned variance", "squared error per test image", logx=True,
        colours=dict(zip(("all pixels", "pixels that are not 0"), plotting.OTHER_COLOURS[2:])), ax=axes[1])
    axes[1].set_ylim(0, None)
    for ax in axes:
        ax.invert_xaxis()
    lesson.save(figure, "observation_floor")
    lesson.save(plotting.diagram(vae), "observation_machine")
    return numbers


def best_floor(best, over):
    """Where the squared error is smallest. over : the other floors -> Finding of their error minus that at the best."""
    near = [f"{floor:g}" for floor, more in over.items() if more.sign() <= 0]
    return (f"The squared error is smallest at floor {best:g}, " + ("not clearly smaller than at "
                                                                    f"{listing(near)}" if near else
                                                                    "clearly smaller than at the others"))


# ---- which numbers may stand side by side -------------------------------------------------------------------------

def compare(lesson, images):
    """Grey pixels under four densities; under the cross-entropy, and what that omits; binary pixels under Bernoulli."""
    models = {"Gaussian, variance 1": sv.Gaussian(1.0), "Gaussian, variance 0.1": sv.Gaussian(0.1),
              "Gaussian, one learned variance": sv.Gaussian("shared"), "continuous Bernoulli": sv.ContinuousBernoulli()}
    sv.comparable(*models.values())
    test, numbers, rows, pictures, elbo = images.test, {}, [], [], {}
    lesson.say(f"\nNow images of {images.shape[0]} x {images.shape[1]} grey pixels.")
    zero, split, n_runs = test == 0, {}, lesson.pick(2 if images.large else 3, 2)
    shown = images.one_of_each()

    def report(name, runs):
        terms = [vae.elbo(test, rng=lesson.rng(9)) for vae in runs]
        elbo[name] = np.array([t.elbo for t in terms], dtype=np.float64)
        numbers[name] = {"elbo": Finding.of(elbo[name]), "kl": Finding.of([t.kl for t in terms]),
                         "error": Finding.of([squared_error(vae, test) for vae in runs])}
        rows.append((name, *numbers[name].values()))
        pictures.append(runs[0].reconstruct(test[shown]))

    def runs_of(observation, label, stream):
        return [trained(lesson, images, observation, f"{label}, run {run + 1}", stream=stream + 100 * run)
                for run in range(n_runs)]

    for i, (name, observation) in enumerate(models.items()):
        runs = runs_of(observation, name, stream=5 + i)
        report(name, runs)
        if name == "Gaussian, one learned variance":
            params = decoded(runs[0], test)
            log_variance = np.log(observation.floor + np.exp(params[:, -1]))
            split[name] = on_and_off(sv.gaussian.log_prob(
                test[..., None], params[:, :-1, None], log_variance[:, None, None]), zero)
    split[name] = on_and_off(observation.log_prob(
        test.reshape(-1, 1), decoded(runs[0], test).reshape(-1, 1)).reshape(test.shape), zero)
    plain = runs_of(sv.CrossEntropy(), "cross-entropy", stream=5 + i)
    score = np.array([vae.elbo(test, rng=lesson.rng(9)).elbo for vae in plain], dtype=np.float64)
    # The same decoders, read as the densities they would be with their normalising constant
    densities = [sv.VAE(vae.n_features, n_latent=K, observation=sv.ContinuousBernoulli(), rng=lesson.rng(0))
                 for vae in plain]
    for density, vae in zip(densities, plain):
        density.theta[:] = vae.theta
    omitted = np.array([vae.elbo(test, rng=lesson.rng(9)).elbo for vae in densities], dtype=np.float64) - score
    pictures.append(plain[0].reconstruct(test[shown]))
    read_so = "trained on cross-entropy, read as c. B."
    report(read_so, densities)
    lesson.table("Grey test images: the ELBO as log density in nats (+- is the standard error over images and "
                 f"{n_runs} runs)", ["p(x given z)", "ELBO", "KL", "squared error"], rows)
    learned = "Gaussian, one learned variance"
    more = [b.value - a.value for a, b in zip(*split.values())]
    apart = Finding.of(elbo[read_so] - elbo["continuous Bernoulli"])
    lesson.say(
        "All are densities of the same x, so they may be compared. One learned variance reaches "
        f"{np.exp(log_variance[0]):.3f}; "
        + guesses({f"{v:g}": Finding.of(elbo[f"Gaussian, variance {v:g}"] - elbo[learned]) for v in (0.1, 1.0)}) + "\n"
        + where_it_gains(Finding.of(elbo["continuous Bernoulli"] - elbo[learned]), *more, zero.mean()) + "\n\n"
        f"The cross-entropy on grey pixels scores {Finding.of(score)}. That is no log-likelihood: exp of it does "
        "not integrate to 1. It omits\n"
        f"log C(a), here {Finding.of(omitted)} nats an image, which depends on the logits, so training without "
        "it ends elsewhere: with it\nadded the same decoder is "
        f"{apart} nats from the one trained on the density ({apart.words('better', 'worse')}). Its mean is\nnot "
        f"sigmoid(a) either: read so, the squared error is {np.mean([squared_error(vae, test) for vae in plain]):.2f}.")
    binary = lesson.images(binary=True, most=10_000, default="mnist")
    coin = trained(lesson, binary, sv.Bernoulli(), "Bernoulli, binary pixels", stream=10)
    numbers["Bernoulli, binary"] = {"elbo": Mean.of(coin.elbo(binary.test, rng=lesson.rng(9)).elbo)}
    try:
        sv.comparable(sv.Bernoulli(), sv.ContinuousBernoulli(), sv.CrossEntropy())
    except ValueError as refusal:
        lesson.say(f"\nBinary pixels under Bernoulli: {numbers['Bernoulli, binary']['elbo']} nats, of a "
                   "probability, so at most 0. And beside the densities?\n"
                   f"sv.comparable refuses: {str(refusal).replace(': {', ':' + chr(10) + '{')}\n")
    numbers["cross-entropy"] = {"score": Finding.of(score), "omitted": Finding.of(omitted)}
    lesson.save(plotting.image_grid(
        np.concatenate([test[shown], *pictures]), "The same network under different noise: the code says "
        + ", ".join(f"{numbers[name]['kl'].value:.1f} nats ({name})" for name in list(models)[:2]),
        n_columns=len(shown),
        row_labels=["original", "variance 1", "variance 0.1", "learned variance", "continuous B.", "cross-entropy",
                    "cross-entropy, read as c. B."], shape=images.shape),
        "observation_reconstructions")
    return numbers


def guesses(apart):
    """What a guessed variance costs: variance -> Finding of its ELBO minus that of the learned one."""
    told = [f"the guess {v} is {difference} nats from it ({difference.words('better', 'worse')})"
            for v, difference in apart.items()]
    return ", ".join(told) + "."


def where_it_gains(apart, on_zero, elsewhere, share):
    """The continuous Bernoulli's ELBO minus the learned Gaussian's, and the parts of log p(x given z): where x is 0 (a
    `share` of the pixels) and on the others."""
    told = (f"The continuous Bernoulli is {apart} nats from it ({apart.words('better', 'worse')}); of log p(x given "
            f"z) it has {on_zero:+.0f}\non the {share:.0%} of the pixels that are exactly 0 and {elsewhere:+.0f} on "
            "the others (first run)")
    return told + (": like the diagonal\nGaussian it can peak where values repeat." if on_zero > 0 > elsewhere else ".")


if __name__ == "__main__":
    run_as_command(__spec__)
