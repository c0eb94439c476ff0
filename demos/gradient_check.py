"""Is every derivative right? Each layer, observation model and loss held against finite differences.

A table with the relative error |analytic - numeric| / (|analytic| + |numeric|) of every tensor's gradient, in float64,
with the noise held fixed; and the V-shaped curve of that error against the step h.

Takes about 3 s. Writes gradient_check_step (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from scratchvae import plotting
from scratchvae.nn.gradcheck import numerical_gradient, relative_errors

N, D, H, K = 5, 7, 6, 3  # all different, so that a transposed or mixed-up shape cannot hide


def run(lesson):
    """Check everything; returns name -> largest relative error."""
    lesson.say(__doc__.splitlines()[0])
    rng = lesson.rng()
    errors = {**layer_errors(rng), **observation_errors(rng), **model_errors(rng)}
    lesson.table("Relative error of the gradient, largest over the tensors (below 1e-7 passes)",
                 ["what", "derivative with respect to", "tensors", "error"],
                 [(what, to, len(e), f"{max(e.values()):.1e}") for (what, to), e in errors.items()])
    worst = max(max(e.values()) for e in errors.values())
    lesson.say(f"All {sum(map(len, errors.values()))} gradients agree with their finite differences; the worst "
               f"relative error is {worst:.1e}.\n")

    steps = 10.0 ** np.arange(-12, 0)
    model, x, eps = small_vae(rng), observed(sv.Bernoulli(), rng), rng.standard_normal((N, K))
    model.loss_and_grad(x, eps=eps)
    analytic, f = model.grad.copy(), lambda theta: model.loss_and_grad(x, eps=eps).loss
    curve = np.array([max(relative_errors(analytic, numerical_gradient(f, model.theta, h),
                                          model.named_parameters()).values()) for h in steps])
    best = steps[curve.argmin()]
    lesson.save(v_curve(steps, curve, f"Too small a step drowns in rounding, too large a one in curvature: "
                        f"h = {best:.0e} is best here"), "gradient_check_step")
    lesson.say(f"The error is smallest, {curve.min():.1e}, at h = {best:.0e}.\n")

    lesson.say("What this proves is that backward is the derivative of forward. It cannot see a forward that is not "
               "the\nmathematics: a sampler that multiplies its noise by the variance, with a backward that agrees, "
               "passes too.")
    return {f"{what}: {to}": max(e.values()) for (what, to), e in errors.items()}


def v_curve(steps, curve, title):
    """The measured error over the step, with the two slopes that theory predicts through its measured ends."""
    figure, (ax,) = plotting.panels(1, title, size=(6.4, 4.2))
    with plotting.house_style():
        for slope, end, name in ((-1, 1, "rounding: grows as 1 / h"), (2, -2, "formula: grows as h squared")):
            line = curve[end] * (steps / steps[end]) ** slope
            near = line > curve.min() / 10
            ax.plot(steps[near], line[near], "--", color=plotting.GREY)
            ax.annotate(name, (steps[end], curve[end]), (12, 12) if slope < 0 else (-12, 12),
                        textcoords="offset points",
                        ha="left" if slope < 0 else "right", color=plotting.GREY)
        ax.plot(steps, curve, "o-", color=plotting.COLOURS["VAE"], label="VAE loss, all tensors")
        ax.set(xscale="log", yscale="log", xlabel="step h", ylabel="relative error, largest over the tensors")
        ax.legend(loc="upper center")
    return figure


def layer_errors(rng):
    """Each layer under a random cotangent dy: derivatives of <dy, y> with respect to its parameters and to x."""
    how = {"rng": rng, "dtype": np.float64}
    layers = {"Dense": sv.Dense(D, H, **how), "Tanh": sv.Tanh(), "ReLU": sv.ReLU(), "Sigmoid": sv.Sigmoid(),
              "Append": sv.Append(K, dtype=np.float64),
              "Network": sv.Network([sv.Dense(D, H, **how), sv.Tanh(), sv.Dense(H, K, **how)])}
    errors = {}
    for name, layer in layers.items():
        x = rng.standard_normal((N, D))
        x += 0.01 * np.sign(x)  # no step reaches across ReLU's kink at 0
        if layer.n_parameters:
            layer.theta += 0.3 * rng.standard_normal(layer.n_parameters)
        dy = rng.standard_normal(layer.forward(x)[0].shape)
        dx = layer.backward(dy, layer.forward(x)[1])
        flat = x.ravel().copy()
        errors[name, "x"] = sv.check_gradient(
            lambda v: (dy * layer.forward(v.reshape(N, D))[0]).sum(), flat, dx.ravel(), {"x": x})
        if layer.n_parameters:
            errors[name, "parameters"] = sv.check_gradient(
                lambda v: (dy * layer.forward(x)[0]).sum(), layer.theta, layer.grad, layer.named_parameters())
    return errors


def observation_errors(rng):
    """Each observation model under a random weight of every example."""
    models = [sv.Bernoulli(), sv.CrossEntropy(), sv.ContinuousBernoulli(), sv.Gaussian(0.3), sv.Gaussian("shared"),
              sv.Gaussian("diagonal"), sv.Categorical()]
    errors = {}
    for observation in models:
        x, params = observed(observation, rng), rng.standard_normal((N, observation.n_params(D)))
        weight = rng.standard_normal(N)
        grad = weight[:, None] * observation.log_prob_and_grad(x, params)[1]
        errors[name_of(observation), "params"] = sv.check_gradient(
            lambda v: weight @ observation.log_prob(x, v.reshape(params.shape)), params.ravel(), grad.ravel(),
            {"params": params})
    return errors


def model_errors(rng):
    """Each model's loss, the noise held fixed, at random parameters."""
    how = {"hidden": (H,), "n_latent": K, "activation": "tanh", "rng": rng, "dtype": np.float64}
    likelihoods = (sv.Bernoulli(), sv.ContinuousBernoulli(), sv.Gaussian(0.3), sv.Gaussian("shared"),
                   sv.Gaussian("diagonal"))
    models = {f"VAE, {name_of(o)}": sv.VAE(D, observation=o, beta=0.7, **how) for o in likelihoods}
    models["VAE, 4 samples"] = sv.VAE(D, n_samples=4, **how)
    models["Autoencoder"] = sv.Autoencoder(D, **how)
    models["Autoencoder, denoising"] = sv.Autoencoder(D, noise=0.4, **how)
    errors = {}
    for name, model in models.items():
        x = observed(model.observation, rng)
        model.theta += 0.3 * rng.standard_normal(model.theta.size)
        eps = rng.standard_normal({"Autoencoder": (N, D),
                                   "VAE": (getattr(model, "n_samples", 1), N, K)}[type(model).__name__])
        model.loss_and_grad(x, eps=eps)
        errors[f"{name}: loss", "parameters"] = sv.check_gradient(
            f_of(model, x, eps), model.theta, model.grad, model.named_parameters())
    return errors


def f_of(model, x, eps):
    """The loss as a function of theta; the checker moves the model's own theta."""
    return lambda theta: model.loss_and_grad(x, eps=eps).loss


def observed(observation, rng):
    """x (N, D) in the observation model's support."""
    if isinstance(observation, sv.Categorical):
        return rng.integers(D, size=N)
    x = rng.random((N, D))
    return sv.binarize(x) if type(observation) is sv.Bernoulli else x


def name_of(observation):
    """Gaussian('shared') rather than its whole configuration."""
    variance = observation.config().get("variance")
    return type(observation).__name__ + (f"({variance!r})" if variance is not None else "")


def small_vae(rng):
    """A VAE of few parameters, all of them random."""
    model = sv.VAE(D, hidden=(H,), n_latent=K, activation="tanh", rng=rng, dtype=np.float64)
    model.theta += 0.3 * rng.standard_normal(model.theta.size)
    return model


if __name__ == "__main__":
    run_as_command(__spec__)
