"""What happens in one training step? Every line of it, with every number.

A VAE of four pixels, three hidden units and one latent sees one image. The library's own lines are watched while they
run: forward, backward on both roads, Adam. Each derivative stands beside its finite difference, and the loss after the
step beside the loss before it.

With --walk it stops after each line until Enter is pressed. Takes about 1 s. Writes step_machine, step_roads (.png).
"""
import textwrap

import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.lesson import WIDTH
from demos.roads import roads_figure
from demos.traced import watch
from scratchvae import plotting
from scratchvae.nn.gradcheck import by_tensor, numerical_gradient
from scratchvae.probability import gaussian
from scratchvae.probability.observation import bernoulli

X = np.array([[1.0, 0.0, 0.0, 1.0]])  # a stroke from corner to corner of 2 x 2 pixels
LR = 0.05
WATCHED = (sv.VAE.forward_backward, sv.VAE.forward, sv.VAE.through_z, sv.VAE.through_kl, sv.Dense.forward,
           sv.Dense.backward, sv.Tanh.forward, sv.Tanh.backward, bernoulli.bernoulli_terms, gaussian.reparameterize,
           gaussian.reparameterize_grad, gaussian.kl_standard, gaussian.kl_standard_grad, sv.Adam.update)
SHOWN = 6  # numbers of a vector of all parameters in the walk; the table has every one


def run(lesson):
    """The step line by line, parameter by parameter, as a picture; returns losses, errors, what each road says."""
    lesson.say(__doc__.splitlines()[0])
    vae, eps, layers = small_vae(lesson.rng())
    beside, numeric = finite_differences(vae, eps, layers)
    theta, W, adam, terms = vae.theta.copy(), layers["encoder.2"].W.copy(), sv.Adam(LR), {}

    def step():
        terms["before the step"] = vae.loss_and_grad(X, eps=eps)
        adam.step(vae.theta, vae.grad)

    lesson.say(f"x = [1 0 0 1], a stroke from corner to corner of 2 x 2 pixels. eps = {eps.item():.5f}, drawn once.\n"
               "Left of | stands what the line has made, right of it the finite difference in the same numbers.\n")
    seen, apart = {"x": X, "eps": eps}, {}
    for line in watch(step, WATCHED, {layer: name for name, layer in layers.items()}):
        lesson.say(told(line, beside))
        lesson.wait()
        for name, value in line.made.items():
            seen[f"{line.where}: {name}"] = value
            if (line.where, name) in beside:
                apart[f"{line.where}: {name}"] = float(np.abs(value.ravel() - beside[line.where, name]).max())
    hand = vae.grad.copy()
    terms["after it"] = vae.loss_and_grad(X, eps=eps)

    names = vae.named_parameters()
    parts = by_tensor(names, theta, hand, numeric, vae.theta - theta, vae.theta)
    lesson.table("Every parameter: its derivative by hand and by finite difference, and what Adam makes of it",
                 ["parameter", "before", "by hand", "finite difference", "Adam's step", "after"],
                 [(f"{name}[{', '.join(map(str, index))}]", *(f"{part[i]: .6f}" for part in parts[name]))
                  for name in names for i, index in enumerate(np.ndindex(names[name].shape))])
    lesson.table("The loss and its terms, nats", ["term", *terms, "change"],
                 [(term, *(f"{value: .6f}" for value in (before, after, after - before)))
                  for term, before, after in zip(sv.VAE.terms._fields, *terms.values())])
    numbers = {"before": float(terms["before the step"].loss), "after": float(terms["after it"].loss),
               "by slope": float(hand @ (vae.theta - theta)), "parameters apart": float(np.abs(hand - numeric).max()),
               "apart": apart, "full steps": int(np.sum(np.abs(np.abs(vae.theta - theta) / LR - 1) < 0.01)),
               "roads": {name: (float(seen[f"VAE forward_backward: d{name}"].item()),
                                float(seen[f"VAE forward_backward: d{name}_kl"].item())) for name in ("mu", "log_var")}}
    lesson.say(verdict(numbers, len(theta)))
    lesson.save(plotting.diagram(vae), "step_machine")
    lesson.save(roads_figure(seen, W, meeting(numbers["roads"])), "step_roads")
    return numbers


def small_vae(rng):
    """The VAE, its noise (1, 1, 1), and its layers by name."""
    vae = sv.VAE(4, hidden=(3,), n_latent=1, activation="tanh", rng=rng, dtype=np.float64)
    vae.theta += 0.5 * rng.standard_normal(vae.theta.size)  # as if it had learned something: nothing is 0 by design
    return vae, rng.standard_normal((1, 1, 1)), {
        f"{part}.{i}": layer for part, network in vae.networks.items() for i, layer in enumerate(network.layers)}


def finite_differences(vae, eps, layers):
    """(where, name) -> the finite differences of what is made there; and those of all parameters (P,)."""
    def output(name, term="loss"):
        """d term / d what the layer of this name gives, each of its numbers moved in turn."""
        layer = layers[name]
        forward = layer.forward

        def moved(shift):
            layer.forward = lambda x: (forward(x)[0] + shift, forward(x)[1])
            try:
                return getattr(vae.loss_and_grad(X, eps=eps), term)
            finally:
                del layer.forward
        return numerical_gradient(moved, np.zeros(widths[name]))

    sigma = np.exp(vae.encode(X)[1] / 2)
    # z = mu + sigma eps is moved by moving eps
    z = numerical_gradient(lambda shift: vae.loss_and_grad(X, eps=eps + shift / sigma).loss, np.zeros(1))
    numeric = numerical_gradient(lambda _: vae.loss_and_grad(X, eps=eps).loss, vae.theta)
    widths = {"encoder.0": 3, "encoder.1": 3, "encoder.2": 2, "decoder.0": 3, "decoder.1": 3, "decoder.2": 4}
    by_z, by_kl = -output("encoder.2", "reconstruction"), output("encoder.2", "kl")
    dlog_px = output("decoder.2", "reconstruction")
    found = {("VAE forward", "dparams"): dlog_px, ("VAE forward_backward", "dparams"): dlog_px,
             ("VAE through_z", "dparams"): output("decoder.2"), ("VAE through_z", "dz"): z,
             ("decoder.0 backward", "returns"): z}
    for i, name in enumerate(("dmu", "dlog_var")):
        found |= {("VAE forward_backward", name): by_z[i], ("VAE forward_backward", f"{name}_kl"): by_kl[i]}
    for below, name in (("encoder.1", "encoder.2"), ("encoder.0", "encoder.1"),
                        ("decoder.1", "decoder.2"), ("decoder.0", "decoder.1")):
        found[f"{name} backward", "returns"] = output(below)
    for name, (part,) in by_tensor(vae.named_parameters(), numeric).items():
        layer, _, tensor = name.rpartition(".")
        found[f"{layer} backward", f"self.d{tensor}"] = part
    return found, numeric


def told(line, beside):
    """A line as the walk prints it: the comment above it, itself, and what it made beside its finite differences."""
    pad = "  " * line.depth
    text = f"{pad}{line.where}:  {line.text}" if line.text else f"{pad}{line.where}, back from there:"
    note = ""
    if len(text) > WIDTH:  # broken here, so that the numbers below keep their columns
        text, _, note = text.partition("  # ")
    texts = [f"{pad}# {comment}" for comment in (line.comment, note) if comment]
    texts += textwrap.wrap(text, WIDTH, subsequent_indent=pad + "    ", break_on_hyphens=False)
    for name, value in line.made.items():
        rows = value.reshape(-1, value.shape[-1] if value.ndim else 1)
        check = beside.get((line.where, name))
        checks = [None] * len(rows) if check is None else np.reshape(check, rows.shape)
        label = f"{name} {value.shape}" if value.ndim else name
        for i, (row, check) in enumerate(zip(rows, checks)):
            more = f"  ... {row.size} in all" if row.size > 2 * SHOWN else ""
            texts.append(f"{pad}  {label if i == 0 else '':<14}{in_line(row[:SHOWN if more else None])}{more}"
                         + ("" if check is None else f"  |{in_line(check)}"))
    return "\n".join(texts)


def in_line(numbers):
    """The numbers to five digits after the point."""
    return "".join(f" {number:8.5f}" for number in numbers)


def verdict(numbers, n_parameters):
    """What the numbers show."""
    change = numbers["after"] - numbers["before"]
    worst = max(numbers["parameters apart"], *numbers["apart"].values())
    agreement = [f"On {name} the road through z says {z:+.4f}, the road through the KL {kl:+.4f}: "
                 f"{'they agree' if z * kl > 0 else 'they disagree'}, and the sum is {z + kl:+.4f}."
                 for name, (z, kl) in numbers["roads"].items()]
    return "\n".join([
        f"Of {n_parameters} parameters and {len(numbers['apart'])} arrays on the way, no derivative is further than "
        f"{worst:.0e} from its finite difference.", *agreement,
        f"Adam's first step is the learning rate, {LR:g}, up or down, for {numbers['full steps']} parameters, whatever "
        "their derivative's size;", "it is 0 where the derivative is 0, as for the weights of pixels that are off. The "
        f"loss {'falls' if change < 0 else 'rises'} from",
        f"{numbers['before']:.4f} to {numbers['after']:.4f}, by {change:+.4f}; derivative times step, summed, foretold "
        f"{numbers['by slope']:+.4f}. The rest is curvature.\n"])


def meeting(roads):
    """The title: how the two roads meet. roads : name -> (derivative through z, derivative through the KL)"""
    on = {name: "pull the same way" if z * kl > 0 else "pull opposite ways" for name, (z, kl) in roads.items()}
    return ("The loss comes back on two roads, through z and through the KL, and their derivatives add up: " + (
        f"on mu and log_var they {on['mu']}" if on["mu"] == on["log_var"] else
        f"on mu they {on['mu']}, on log_var they {on['log_var']}"))


if __name__ == "__main__":
    run_as_command(__spec__)
