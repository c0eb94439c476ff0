"""One contender of the `speed` lesson, in a process of its own: it prepares a VAE's training step and runs it if told.

    python benchmarks/contender.py NAME CONFIG          reads commands from standard input, a line each:

    check PATH      load theta, x and eps from PATH (.npz), write loss, gradient and Adam's next theta to it
    steps N         from the initial parameters, after one step that is not counted, run N and print their seconds
    memory          print in MiB the peak resident memory of the last steps, and what the process held before any

NAME is one of scratchvae, floor, "torch, default Adam", "torch, fused Adam", "jax"; CONFIG is JSON: sizes, activation,
batch, and threads, which PyTorch must be told (the others read the environment, or choose where that says nothing).
All do the same work: gather a batch, forward, draw noise, loss, backward, Adam; float32, Bernoulli, sum over pixels.
PyTorch and JAX are needed for their own contenders only, and by nothing else in the project.
"""
import json
import resource
import sys
import time
from contextlib import nullcontext
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
        self.rng, self.X = np.random.default_rng(1), data(config)

    def begin(self, theta):
        self.model.theta[:] = theta
        self.adam = self.sv.Adam(LR)

    def context(self):
        """As `sv.fit` chooses the number of threads; nothing where the environment chose."""
        from scratchvae.nn.threads import one_thread
        return one_thread()

    def check(self, theta, x, eps):
        self.begin(theta)
        terms = self.model.loss_and_grad(x, eps=eps)
        self.adam.step(self.model.theta, self.model.grad)
        return terms.loss, self.model.grad, self.model.theta

    def step(self, rows):
        self.model.forward_backward(self.X.take(rows, axis=0), rng=self.rng)
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
    """PyTorch, eager, as its own VAE example writes it: modules, autograd and torch.optim."""

    def __init__(self, config, **adam):
        import torch
        self.torch, self.config, self.adam_options = torch, config, adam
        torch.set_num_threads(config["threads"])
        torch.manual_seed(1)
        self.X = torch.from_numpy(data(config))
        activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[config["activation"]]

        def mlp(sizes):
            layers = [layer for pair in zip(sizes, sizes[1:]) for layer in (torch.nn.Linear(*pair), activation())]
            return torch.nn.Sequential(*layers[:-1])

        self.encoder, self.decoder = (mlp(sizes) for sizes in network_sizes(config))
        self.parameters = [*self.encoder.parameters(), *self.decoder.parameters()]

    def begin(self, theta):
        with self.torch.no_grad():
            for p, t in zip(self.parameters, unpacked(theta, self.config)):
                p.copy_(self.torch.from_numpy(t.T))  # nn.Linear's layout: (n_out, n_in)
        self.adam = self.torch.optim.Adam(self.parameters, lr=LR, **self.adam_options)

    def loss(self, x, eps=None):
        mu, log_var = self.encoder(x).chunk(2, dim=1)
        eps = self.torch.randn_like(mu) if eps is None else eps
        logits = self.decoder(mu + self.torch.exp(0.5 * log_var) * eps)
        bce = self.torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        kl = -0.5 * self.torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
        return (bce + kl) / len(x)

    def check(self, theta, x, eps):
        self.begin(theta)
        self.adam.zero_grad()
        loss = self.loss(self.torch.from_numpy(x), self.torch.from_numpy(eps))
        loss.backward()
        grad = np.concatenate([p.grad.numpy().T.ravel() for p in self.parameters])
        self.adam.step()
        return loss.item(), grad, self.theta()

    def theta(self):
        """All parameters in the order and layout of ours."""
        return np.concatenate([p.detach().numpy().T.ravel() for p in self.parameters])

    def step(self, rows, eps=None):
        self.adam.zero_grad()
        self.loss(self.X[self.torch.from_numpy(rows)], eps).backward()
        self.adam.step()

    def finish(self):
        """Nothing is pending."""


class Jax:
    """JAX, the whole step compiled as one function, its parameters, moments and key updated in place (donated)."""

    def __init__(self, config):
        import jax
        import jax.numpy as jnp
        self.jax, self.config, self.X = jax, config, jnp.asarray(data(config))
        activation = {"relu": jax.nn.relu, "tanh": jnp.tanh}[config["activation"]]
        n = len(config["hidden"]) + 1

        def mlp(p, h):
            for i in range(0, 2 * n, 2):
                h = h @ p[i] + p[i + 1]
                h = activation(h) if i < 2 * n - 2 else h
            return h

        def loss(p, x, eps):
            mu, log_var = jnp.split(mlp(p[:2 * n], x), 2, axis=1)
            logits = mlp(p[2 * n:], mu + jnp.exp(0.5 * log_var) * eps)
            log_px = jnp.sum(x * logits - jax.nn.softplus(logits))
            kl = 0.5 * jnp.sum(mu**2 + jnp.exp(log_var) - 1 - log_var)
            return (kl - log_px) / len(x)

        def adam(p, m, v, t, g):
            m = [0.9 * a + 0.1 * b for a, b in zip(m, g)]
            v = [0.999 * a + 0.001 * b * b for a, b in zip(v, g)]
            a, b = LR / (1 - 0.9**t), 1 / (1 - 0.999**t)
            return [w - a * i / (jnp.sqrt(b * j) + 1e-8) for w, i, j in zip(p, m, v)], m, v

        def step(p, m, v, t, key, X, rows):
            key, own = jax.random.split(key)
            value, g = jax.value_and_grad(loss)(p, X[rows], jax.random.normal(own, (len(rows), config["n_latent"])))
            return *adam(p, m, v, t + 1, g), t + 1, key, value

        self.value_and_grad, self.adam = jax.jit(jax.value_and_grad(loss)), jax.jit(adam)
        self.compiled = jax.jit(step, donate_argnums=(0, 1, 2, 3, 4))

    def begin(self, theta):
        jnp = self.jax.numpy
        self.p = [jnp.asarray(t) for t in unpacked(theta, self.config)]
        self.m, self.v = ([jnp.zeros_like(p) for p in self.p] for _ in range(2))
        self.t, self.key = jnp.float32(0), self.jax.random.key(1)

    def check(self, theta, x, eps):
        self.begin(theta)
        loss, g = self.value_and_grad(self.p, x, eps)
        p = self.adam(self.p, self.m, self.v, self.t + 1, g)[0]
        return float(loss), *(np.concatenate([np.asarray(a).ravel() for a in arrays]) for arrays in (g, p))

    def step(self, rows):
        self.p, self.m, self.v, self.t, self.key, self.value = self.compiled(
            self.p, self.m, self.v, self.t, self.key, self.X, rows)

    def finish(self):
        self.value.block_until_ready()


CONTENDERS = {"scratchvae": Numpy, "floor": Floor, "torch, default Adam": Torch, "jax": Jax,
              "torch, fused Adam": lambda config: Torch(config, fused=True)}


def data(config):
    """Binary images of the right size; what is on them does not matter for the time."""
    rng = np.random.default_rng(0)
    return (rng.random((N_DATA, config["n_features"]), dtype=np.float32) < 0.3).astype(np.float32)


def network_sizes(config):
    """The widths of the encoder's layers and of the decoder's."""
    D, K, hidden = config["n_features"], config["n_latent"], config["hidden"]
    return [D, *hidden, 2 * K], [K, *hidden[::-1], D]


def unpacked(theta, config):
    """theta (P,) as the list of its tensors: W, b of each layer, encoder first."""
    shapes = [shape for sizes in network_sizes(config) for n_in, n_out in zip(sizes, sizes[1:])
              for shape in ((n_in, n_out), (n_out,))]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(theta, ends[:-1]), shapes)]


def initial_theta(config):
    """Glorot's start, the same for everyone, so that no one meets other numbers than others (denormals are slow)."""
    n = sum((n_in + 1) * n_out for sizes in network_sizes(config) for n_in, n_out in zip(sizes, sizes[1:]))
    theta, rng = np.zeros(n, np.float32), np.random.default_rng(0)
    for W in unpacked(theta, config)[::2]:
        W[:] = rng.standard_normal(W.shape) * np.sqrt(2 / sum(W.shape))
    return theta


class Memory:
    """Resident memory of this process, in MiB: at the start, and the peak since `reset` (not on Linux: ever)."""

    def __init__(self):
        self.start = self.now("VmRSS")

    def reset(self):
        try:
            Path("/proc/self/clear_refs").write_text("5")  # VmHWM := VmRSS
        except OSError:
            pass

    def now(self, field="VmHWM"):
        try:
            return int(Path("/proc/self/status").read_text().split(field + ":")[1].split()[0]) / 1024
        except OSError:
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def main(name, config):
    """Serve commands until standard input closes."""
    contender, rng, theta = CONTENDERS[name](config), np.random.default_rng(2), initial_theta(config)
    memory = Memory()
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "check":
            with np.load(rest[0]) as file:
                loss, grad, after = contender.check(file["theta"], file["x"], file["eps"])
            np.savez(rest[0], loss=loss, grad=grad, theta=after)
            answer = "ok"
        elif command == "steps":
            first, *batches = [rng.integers(N_DATA, size=config["batch"]) for _ in range(int(rest[0]) + 1)]
            contender.begin(theta)
            contender.step(first)
            contender.finish()
            memory.reset()
            with getattr(contender, "context", nullcontext)():
                start = time.perf_counter()
                for rows in batches:
                    contender.step(rows)
                contender.finish()
                answer = time.perf_counter() - start
        else:
            answer = f"{memory.now()} {memory.start}"
        print(answer, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
