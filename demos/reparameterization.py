"""Why is the randomness moved out of z? Two estimators of the same gradient, and how far each scatters.

First on E[x^2] under N(theta, 1), whose derivative is 2 theta and where the variances of both estimators are known:
the pathwise one follows x = theta + eps, the score function weighs the value x^2 by the derivative of log N(x; theta,
1). Then on the ELBO of VAEs with 2 and 8 latents trained on images, image by image. Both have the same mean; what
differs is how many samples one needs to see it. A baseline, subtracted from the value, helps the score function and
does not change its mean.

The images are the 8 x 8 digits, since each variance takes a thousand gradients of every image.
With --data DIR it does the same on MNIST-format files.
Takes about 6 s, on 60,000 images about 30 s. Writes reparameterization_machine, reparameterization_square,
reparameterization_variance, reparameterization_elbo (.png).
"""
import numpy as np

from demos import run_as_command
from demos.judgement import Finding
from demos.lesson import Mean
from demos.trained import digit_vae
from scratchvae import plotting
from scratchvae.analysis import gradient_estimators as estimators

PATHWISE, PLAIN, BASED = "pathwise", "score function", "score function, baseline"


def run(lesson):
    """Known variances, then the real ELBO; returns variances and their ratios."""
    lesson.say(__doc__.splitlines()[0])
    lesson.images(binary=True)  # what cannot be done is refused before anything is computed
    return {"square": square(lesson), "elbo": real(lesson)}


def square(lesson):
    """E[x^2] under N(theta, 1): measured variances beside the exact ones."""
    rng, n = lesson.rng(1), lesson.pick(200_000, 20_000)
    rows, numbers, within = [], {}, 0
    for theta in (0.0, 1.0, 2.0, 4.0):
        eps = rng.standard_normal(n)
        for name, (estimates, exact) in square_estimators(theta, eps).items():
            measured = Mean.of((estimates - 2 * theta) ** 2)   # the variance, since 2 theta is the mean
            away = (measured.value - exact) / measured.error
            within += abs(away) < 3
            rows.append((f"{theta:g}", name, Mean.of(estimates), 2 * theta, measured, exact, f"{away:+.1f}"))
            numbers[theta, name] = {"measured": measured, "exact": exact}
    lesson.table(f"d/dtheta E[x^2], x ~ N(theta, 1), from {n} samples",
                 ["theta", "estimator", "its mean", "truth", "its variance", "exact", "errors off"], rows)
    lesson.say(f"{within} of {len(rows)} variances are within three standard errors of theory. The pathwise variance "
               "is 4\nwherever theta is; the score function's is theta^4 + 14 theta^2 + 15, because it multiplies the "
               "score by the\nwhole value x^2. The best baseline, theta^2 + 3, leaves 8 theta^2 + 6: better, and "
               "still not 4.\n")

    theta, eps = 2.0, lesson.rng(2).standard_normal(400)
    names, truth = list(square_estimators(theta, eps)), 2 * theta
    figure, axes = plotting.panels(1, "Three clouds around the same truth: only the path keeps its samples close",
                                   size=(7.5, 3.4))
    with plotting.house_style():
        for i, name in enumerate(names):
            cloud = square_estimators(theta, eps)[name][0]
            height = i + lesson.rng(3).uniform(-0.28, 0.28, len(cloud))
            axes[0].scatter(cloud, height, s=8, alpha=0.55, linewidths=0, color=plotting.OTHER_COLOURS[i])
        axes[0].axvline(truth, color=plotting.COLOURS["truth"], linewidth=1.2)
        axes[0].annotate("truth: 2 theta", (truth, len(names) - 0.5), (4, 0), textcoords="offset points", size=9)
        axes[0].set_yticks(range(len(names)), names)
        axes[0].set(xlabel="estimates of d/dtheta E[x^2] at theta = 2, one sample each", ylim=(-0.5, len(names) - 0.3))
    lesson.save(figure, "reparameterization_square")

    thetas = np.linspace(0, 4, 41)
    lesson.save(plotting.lines(
        thetas, {name: np.array([square_estimators(theta, np.zeros(1))[name][1] for theta in thetas])
                 for name in names},
        "The pathwise variance stays where it is; the score function's grows with the value it multiplies",
        "theta", "variance of one sample (exact)", logy=True), "reparameterization_variance")
    return numbers


def square_estimators(theta, eps):
    """Name -> estimates of d/dtheta E[x^2], and their exact variance."""
    best = theta**2 + 3
    return {PATHWISE: (estimators.square_pathwise(theta, eps), 4.0),
            PLAIN: (estimators.square_score_function(theta, eps), estimators.square_score_function_variance(theta)),
            BASED: (estimators.square_score_function(theta, eps, best),
                    estimators.square_score_function_variance(theta, best))}


def real(lesson):
    """The ELBO of trained VAEs: dELBO/dmu and dELBO/dlog_var of single images, by the three estimators."""
    images = lesson.images(binary=True)
    n_images, n_samples = lesson.pick(100, 20), lesson.pick(1000, 100)
    rows, numbers, clouds, ratios, excess = [], {}, {}, {}, {}
    for n_latent in (2, 8):
        vae = digit_vae(lesson, images, f"VAE, {n_latent} latents", n_latent, stream=n_latent)
        x, rng = images.test[:n_images], lesson.rng(5)
        baseline = estimators.mean_log_likelihood(vae, x, vae.noise(n_images, rng, 100))   # from samples of its own
        eps = vae.noise(n_images, rng, n_samples)
        cloud = {PATHWISE: estimators.pathwise_gradient(vae, x, eps),
                 PLAIN: estimators.score_function_gradient(vae, x, eps),
                 BASED: estimators.score_function_gradient(vae, x, eps, baseline)}
        variance = {name: estimators.total_variance(*samples) for name, samples in cloud.items()}
        ratio = {name: variance[name] / variance[PATHWISE] for name in cloud}
        for name in cloud:
            apart = agreement(cloud[PATHWISE], cloud[name])                                            # (n_images,)
            number = {"variance": Mean.of(variance[name]), "ratio": Mean.of(ratio[name]),
                      "median ratio": float(np.median(ratio[name])), "means differ by": float(np.sqrt(apart.mean()))}
            numbers[n_latent, name] = number
            if name != PATHWISE:
                excess[n_latent, name] = Finding.of(apart - 1)
            rows.append((n_latent, name, *number.values()))
        clouds[n_latent], ratios[n_latent] = cloud, ratio

    lesson.table(f"dELBO/d(mu, log_var), {n_images} test images, {n_samples} samples each (+- over images)",
                 ["latents", "estimator", "variance, all parameters", "over the pathwise", "its median",
                  "means differ by"], rows)
    plain, based = ([numbers[n, name]["median ratio"] for n in (2, 8)] for name in (PLAIN, BASED))
    helps = all(ratios[n][PLAIN].mean() > 2 * ratios[n][BASED].mean() for n in (2, 8))
    lesson.say("The last column compares each mean with the pathwise one, in standard errors (root mean square over "
               f"all\nparameters; 1 is chance): {same_gradient(excess.values())}. To know it as well as from one "
               f"pathwise sample, the score\nfunction needs about {plain[0]:.0f} samples with 2 latents and "
               f"{plain[1]:.0f} with 8, and with one baseline per image\n{based[0]:.1f} and {based[1]:.1f}"
               + (": log p(x given z) is near one number for every z that q proposes, and that number says\nnothing "
                  "about where to move" if helps else "") + ". What the score function does not need is a derivative "
               "of the decoder, so it\nalso works where z is discrete.\n")

    cloud, ratio = clouds[2], ratios[2]
    image = int(np.argsort(ratio[PLAIN])[n_images // 2])       # the one with the median ratio
    figure, axes = plotting.panels(3, f"One test image, {min(n_samples, 400)} estimates of the same gradient each: "
                                      f"the score function's scatter {np.sqrt(ratio[PLAIN][image]):.3g} times as far "
                                      f"as the pathwise ones, with a baseline {np.sqrt(ratio[BASED][image]):.3g} "
                                      "times", size=(3.2, 3.8))
    centre = cloud[PATHWISE][0][:, image].mean(axis=0)
    reach = 1.05 * np.abs(cloud[PLAIN][0][:400, image] - centre).max()
    with plotting.house_style():
        for i, (ax, (name, samples)) in enumerate(zip(axes, cloud.items())):
            ax.scatter(*samples[0][:400, image].T, s=8, alpha=0.55, linewidths=0, color=plotting.OTHER_COLOURS[i])
            ax.plot(*centre, "+", color=plotting.COLOURS["truth"], markersize=11, markeredgewidth=1.5)
            ax.set(title=f"{name}\nvariance x {ratio[name][image]:.3g}", xlabel="dELBO/dmu, latent 1", aspect="equal",
                   xlim=(centre[0] - reach, centre[0] + reach), ylim=(centre[1] - reach, centre[1] + reach))
        axes[0].set_ylabel("dELBO/dmu, latent 2")
    lesson.save(figure, "reparameterization_elbo")
    lesson.save(plotting.diagram(vae), "reparameterization_machine")
    return numbers


def same_gradient(excess):
    """Whether means are apart by more than chance. excess : Findings over images of their square distance minus 1."""
    signs = [finding.sign(once_in=20 * len(excess)) for finding in excess]
    apart = f"{signs.count(1)} of {len(signs)} are farther apart than chance gives"
    return "the same gradient" if max(signs) <= 0 else apart


def agreement(a, b):
    """How far two estimators' means are apart, in squared standard errors, mean over each image's parameters : (N,)."""
    if a is b:
        return np.zeros(a[0].shape[1])
    squares = []
    for left, right in zip(a, b):
        difference = (right - left).astype(np.float64)
        squares.append((difference.mean(axis=0) / (difference.std(axis=0, ddof=1) / np.sqrt(len(left)))) ** 2)
    return np.concatenate(squares, axis=1).mean(axis=1)


if __name__ == "__main__":
    run_as_command(__spec__)
