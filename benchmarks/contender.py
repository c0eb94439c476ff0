"""One contender of the `speed` lesson, in a process of its own: it prepares a VAE's training step and runs it when told to.

    python benchmarks/contender.py NAME CONFIG          reads commands from standard input, a line each:

    check PATH      load theta, x and eps from PATH (.npz), write loss and gradient to it
    steps N         run N training steps, print the seconds they took
    memory          print the peak resident memory in MiB

NAME is one of scratchvae, floor, "torch, default Adam", "torch, fused Adam", "jax"; CONFIG is JSON: sizes, activation, batch.
All do the same work: gather a minibatch, forward, draw noise, loss, backward, Adam; float32, Bernoulli, sum over pixels.
PyTorch and JAX are needed for their own contenders only, and by nothing else in the project.
"""
import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

N_DATA, LR = 4096, 1e-3


class Numpy:
    """The library itself."""

    def __init__(self, config):
        import scratchvae as sv
        self.config, self.sv = config, sv
        self.model = sv.VAE(config["n_features"], hidden=config["hidden"], n_latent=config["n_latent"],
                            activation=config["activation"], rng=np.random.default_rng(0))
        self.adam, self.rng, self.X = sv.Adam(LR), np.random.default_rng(1), data(config)

    def check(self, theta, x, eps):
        self.model.theta[:] = theta
        terms = self.model.loss_and_grad(x, eps=eps)
        return terms.loss, self.model.grad

    def step(self, rows):
        self.model.forward_backward(self.X[rows], rng=self.rng)
        self.adam.step(self.model.theta, self.model.grad)

    def finish(self):
        """Nothing is pending."""


class Floor(Numpy):
    """The same matrix products alone: forward, the weights' gradients, and the layers' inputs' but the first's."""

    def __init__(self, config):
        super().__init__(config)
        B, rng = config["batch"], np.random.default_rng(0)
        dense = [layer for network in (self.model.encoder, self.model.decoder) for layer in network.layers
                 if isinstance(layer, self.sv.Dense)]
        self.products = [(rng.standard_normal((B, layer.W.shape[0]), dtype=np.float32), layer.W, layer.dW,
                          rng.standard_normal((B, layer.W.shape[1]), dtype=np.float32)) for layer in dense]

    def step(self, rows):
        for x, W, dW, dy in self.products:
            x @ W
        for i, (x, W, dW, dy) in enumerate(self.products):
            np.matmul(x.T, dy, out=dW)
            if i:
                dy @ W.T


class Torch:
    """PyTorch, eager, as its own VAE example writes it."""

    def __init__(self, config, **adam):
        import torch
        self.torch, self.config, self.adam_options = torch, config, adam
        torch.set_num_threads(config["threads"])
        torch.manual_seed(1)
        self.X = torch.from_numpy(data(config))
        rng = np.random.default_rng(0)
        self.load([rng.normal(0, np.sqrt(2 / (shape[0] + shape[-1])), shape) if len(shape) == 2 else np.zeros(shape)
                   for shape in shapes(config)])

    def load(self, tensors):
        torch = self.torch
        # nn.Linear's layout: (n_out, n_in)
        self.p = [torch.tensor(np.ascontiguousarray(t.T), dtype=torch.float32, requires_grad=True) for t in tensors]
        self.adam = torch.optim.Adam(self.p, lr=LR, **self.adam_options)

    def loss(self, x, eps=None):
        F, config = self.torch.nn.functional, self.config
        act = {"relu": F.relu, "tanh": self.torch.tanh}[config["activation"]]
        n, h = len(config["hidden"]) + 1, x
        for i in range(n):
            h = F.linear(h, self.p[2 * i], self.p[2 * i + 1])
            h = act(h) if i < n - 1 else h
        mu, log_var = h.chunk(2, dim=1)
        eps = self.torch.randn_like(mu) if eps is None else eps
        h = mu + self.torch.exp(0.5 * log_var) * eps
        for i in range(n, 2 * n):
            h = F.linear(h, self.p[2 * i], self.p[2 * i + 1])
            h = act(h) if i < 2 * n - 1 else h
        bce = F.binary_cross_entropy_with_logits(h, x, reduction="sum")
        kl = -0.5 * self.torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
        return (bce + kl) / len(x)

    def check(self, theta, x, eps):
        self.load(unpacked(theta, self.config))
        loss = self.loss(self.torch.from_numpy(x), self.torch.from_numpy(eps))
        loss.backward()
        return loss.item(), np.concatenate([p.grad.numpy().T.ravel() for p in self.p])

    def step(self, rows):
        self.adam.zero_grad()
        self.loss(self.X[self.torch.from_numpy(rows)]).backward()
        self.adam.step()

    def finish(self):
        """Nothing is pending."""


class Jax:
    """JAX, the whole step compiled as one function, its parameters and moments updated in place (donated)."""

    def __init__(self, config):
        import jax
        import jax.numpy as jnp
        self.jax, self.config = jax, config
        self.X, self.key = jnp.asarray(data(config)), jax.random.key(1)
        rng = np.random.default_rng(0)
        self.p = [jnp.asarray(rng.normal(0, 0.05, shape), jnp.float32) for shape in shapes(config)]
        self.m, self.v = ([jnp.zeros_like(p) for p in self.p] for _ in range(2))
        self.t = 0
        act = {"relu": jax.nn.relu, "tanh": jnp.tanh}[config["activation"]]
        n = len(config["hidden"]) + 1

        def loss(p, x, eps):
            h = x
            for i in range(n):
                h = h @ p[2 * i] + p[2 * i + 1]
                h = act(h) if i < n - 1 else h
            mu, log_var = jnp.split(h, 2, axis=1)
            h = mu + jnp.exp(0.5 * log_var) * eps
            for i in range(n, 2 * n):
                h = h @ p[2 * i] + p[2 * i + 1]
                h = act(h) if i < 2 * n - 1 else h
            log_px = jnp.sum(x * h - jax.nn.softplus(h))
            kl = 0.5 * jnp.sum(mu**2 + jnp.exp(log_var) - 1 - log_var)
            return (kl - log_px) / len(x)

        def step(p, m, v, t, key, X, rows):
            x = X[rows]
            eps = jax.random.normal(key, (len(rows), config["n_latent"]))
            value, g = jax.value_and_grad(loss)(p, x, eps)
            m = [0.9 * a + 0.1 * b for a, b in zip(m, g)]
            v = [0.999 * a + 0.001 * b * b for a, b in zip(v, g)]
            a, b = LR / (1 - 0.9**t), 1 / (1 - 0.999**t)
            p = [w - a * i / (jnp.sqrt(b * j) + 1e-8) for w, i, j in zip(p, m, v)]
            return p, m, v, value

        self.value_and_grad, self.compiled = jax.jit(jax.value_and_grad(loss)), jax.jit(step, donate_argnums=(0, 1, 2))

    def check(self, theta, x, eps):
        p = [self.jax.numpy.asarray(t, dtype="float32") for t in unpacked(theta, self.config)]
        loss, grads = self.value_and_grad(p, x, eps)
        return float(loss), np.concatenate([np.asarray(g).ravel() for g in grads])

    def step(self, rows):
        self.t += 1
        self.key, key = self.jax.random.split(self.key)
        self.p, self.m, self.v, self.value = self.compiled(self.p, self.m, self.v, float(self.t), key, self.X, rows)

    def finish(self):
        self.value.block_until_ready()


CONTENDERS = {"scratchvae": Numpy, "floor": Floor, "torch, default Adam": Torch, "jax": Jax,
              "torch, fused Adam": lambda config: Torch(config, fused=True)}


def data(config):
    """Binary images of the right size; what is on them does not matter for the time."""
    return (np.random.default_rng(0).random((N_DATA, config["n_features"])) < 0.3).astype(np.float32)


def shapes(config):
    """The tensors' shapes in the order of theta: W, b of each layer, encoder first."""
    D, K, hidden = config["n_features"], config["n_latent"], config["hidden"]
    sizes = [D, *hidden, 2 * K], [K, *hidden[::-1], D]
    return [shape for s in sizes for n_in, n_out in zip(s, s[1:]) for shape in ((n_in, n_out), (n_out,))]


def unpacked(theta, config):
    """theta (P,) as the list of its tensors."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes(config)])
    return [part.reshape(shape) for part, shape in zip(np.split(theta, ends[:-1]), shapes(config))]


def peak_memory():
    """The peak resident memory of this process in MiB. (Linux's ru_maxrss begins with that of the process that started it.)"""
    try:
        return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def main(name, config):
    """Serve commands until standard input closes, on the first `threads` cores where the system lets us choose."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:config["threads"]])
    contender, rng = CONTENDERS[name](config), np.random.default_rng(2)
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "check":
            with np.load(rest[0]) as file:
                loss, grad = contender.check(file["theta"], file["x"], file["eps"])
            np.savez(rest[0], loss=loss, grad=grad)
            answer = "ok"
        elif command == "steps":
            batches = [rng.integers(N_DATA, size=config["batch"]) for _ in range(int(rest[0]))]
            start = time.perf_counter()
            for rows in batches:
                contender.step(rows)
            contender.finish()
            answer = time.perf_counter() - start
        else:
            answer = peak_memory()
        print(answer, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
