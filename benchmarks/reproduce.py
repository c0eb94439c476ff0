"""Do the models reach what was published? Numbers of papers and of public code beside ours, on MNIST's own files.

    python benchmarks/reproduce.py --data DIR                     every row: hours, on MNIST
    python benchmarks/reproduce.py --data DIR --only vae,made     of: vae, torch, fvbn, made, orders, burda, latents
    python benchmarks/reproduce.py --data DIR --epochs 20         none trains longer; the table says which were cut
    python benchmarks/reproduce.py --data DIR --images 12000      none trains on more; these have a table of their own
    python benchmarks/reproduce.py --data DIR --quick             a minute, to see that it runs
    python benchmarks/reproduce.py --table                        prints the table of what was done

Each training adds its line to OUT/reproduced.jsonl when it ends. What stands there is not done again, so that a stop
costs one training at most, and the table (OUT/reproduced.txt) is made of these lines alone. PyTorch is needed for its
own rows only.
"""
import argparse
import json
import sys
import time
from collections import namedtuple
from pathlib import Path
from zlib import crc32

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
import scratchvae as sv  # noqa: E402
from benchmarks import published  # noqa: E402
from demos.lesson import Lesson  # noqa: E402
from scratchvae.writing import whole_file  # noqa: E402

KEPT = 1000     # test images whose own log p is kept, so that models can be compared image by image
RATES = 8       # Burda et al.: 3^i epochs at 10^(-i/7) of the rate, i = 0..7

Data = namedtuple("Data", "train test name")


# ---- trainings: (data, seed, epochs, callbacks) -> numbers -----------------------------------------------------------

def example(data, seed):
    """The VAE of PyTorch's example, as it starts, and the generator that goes on with it."""
    rng = np.random.default_rng(seed)
    vae = sv.VAE(data.train.shape[1], (400,), 20, observation=sv.CrossEntropy(), rng=rng)
    vae.start(data.train)
    return vae, rng


def vae(data, seed, epochs, callbacks):
    """PyTorch's example by this library: 784-400-20, ReLU, batch 128, Adam 1e-3, cross-entropy on grey pixels."""
    model, rng = example(data, seed)
    history = sv.fit(model, data.train, epochs=epochs, batch_size=128, rng=rng, valid=data.test, callbacks=callbacks)
    return {"train": history.train["loss"][-1], "test": history.valid["loss"][-1]}


def torch(own_start=False):
    """The same by PyTorch: from the same parameters or its own, with the same minibatches and noise in training."""
    def train(data, seed, epochs, callbacks):
        from benchmarks.contender import Torch
        model, rng = example(data, seed)
        twin = Torch({"n_features": data.train.shape[1], "hidden": [400], "n_latent": 20, "activation": "relu",
                      "threads": 1})
        X, test = map(twin.torch.from_numpy, (data.train, data.test))
        twin.X = X
        twin.begin(twin.theta() if own_start else model.theta)
        for _ in range(epochs):
            order = rng.permutation(len(X))  # as `sv.fit` draws it, and for each minibatch its noise
            for start in range(0, len(X), 128):
                rows = order[start:start + 128]
                twin.step(rows, twin.torch.from_numpy(model.noise(len(rows), rng)[0]))
        with twin.torch.no_grad():
            return {"test": twin.loss(test, twin.torch.from_numpy(model.noise(len(test), rng)[0])).item()}
    return train


def one_draw(data):
    """Training, validation and test images with each pixel drawn once, for all models: 5 parts of 6 are trained on."""
    rng = np.random.default_rng(0)
    train, test = (sv.stochastic_binarization(X)(rng) for X in (data.train, data.test))
    n = len(train) - len(train) // 6
    return train[:n], train[n:], test


def autoregressive(build):
    """A training of a model with an exact log p: Adam 1e-3, batch 100, early stopping (patience 10)."""
    def train(data, seed, epochs, callbacks):
        images, valid, test = one_draw(data)
        rng = np.random.default_rng(seed)
        model = build(images.shape[1], rng)
        history = sv.fit(model, images, epochs=epochs, batch_size=100, rng=rng, valid=valid,
                         callbacks=[sv.EarlyStopping(10), *callbacks])
        numbers = {**of_images(model.log_prob(test)), "epochs": len(history.train["loss"])}
        return {**numbers, **averaged_logits(model, test, rng)} if len(model.orders) > 1 else numbers
    return train


def averaged_logits(model, test, rng):
    """What the logits' average over the orders scores, and how much more than 1 it must sum to.

        log sum_x s(x) = log E_p[s(x) / p(x)] >= E_p[log s(x) - log p(x)]        (Jensen), with x drawn from p itself
    """
    own = model.sample(200, rng=rng)
    excess = score(model, own) - model.log_prob(own)
    return {"score": score(model, test).mean(), "log_sum": excess.mean(), "log_sum_error": error(excess)}


def score(model, X):
    """log s(x), the formula of log p(x) with the average of the logits of all orders : (N,). No distribution."""
    logits = sum(model.logits(X, k) for k in range(len(model.orders))) / len(model.orders)
    return sv.Bernoulli().log_prob(X, logits)


def burda(Model):
    """784-200-200-50, tanh, 5 samples, batch 20, Adam with eps 1e-4, new pixels every epoch: Burda et al. 2016."""
    def train(data, seed, epochs, callbacks):
        rng = np.random.default_rng(seed)
        ends = np.cumsum([max(1, round(epochs * 3**i / 3280)) for i in range(RATES)]).tolist()
        model = Model(data.train.shape[1], (200, 200), 50, activation="tanh", n_samples=5, rng=rng)
        sv.fit(model, sv.stochastic_binarization(data.train), epochs=ends[-1], batch_size=20, rng=rng,
               optimizer=sv.Adam(1e-3, eps=1e-4), callbacks=[sv.StepDecay(ends[:-1], 10 ** (-1 / 7)), *callbacks])
        test = one_draw(data)[-1][:KEPT]
        log_p = sv.log_evidence(model, test, n_samples=500, rng=np.random.default_rng(0)).value
        return {**of_images(log_p), "epochs": ends[-1]}
    return train


def latents(n_latent):
    """784-500-K, tanh, batch 100, Adagrad 0.02, pixels drawn anew every epoch: Kingma & Welling 2014, figure 2."""
    def train(data, seed, epochs, callbacks):
        rng = np.random.default_rng(seed)
        model = sv.VAE(data.train.shape[1], (500,), n_latent, activation="tanh", rng=rng)
        history = sv.fit(model, sv.stochastic_binarization(data.train), epochs=epochs, batch_size=100, rng=rng,
                         optimizer=sv.Adagrad(0.02), valid=one_draw(data)[-1], callbacks=callbacks)
        return {"images": len(data.train), "train": list(history.train["elbo"]), "test": list(history.valid["elbo"])}
    return train


def of_images(log_p):
    """The mean of log p (N,), its error over the images, and the first images' own."""
    return {"log_p": log_p.mean(), "error": error(log_p), "first": log_p[:KEPT].round(2)}


def error(values):
    """The standard error of a mean."""
    return values.std(ddof=1) / np.sqrt(len(values))


# name: the training, its seeds, how many epochs at most
TRAININGS = {
    "vae": (vae, (0, 1, 2), 7), "torch": (torch(), (0, 1, 2), 7), "torch-own": (torch(own_start=True), (0,), 7),
    "fvbn": (autoregressive(lambda D, rng: sv.FVBN(D, rng=rng)), (0,), 300),
    "made": (autoregressive(lambda D, rng: sv.MADE(D, (500,), rng=rng)), (0,), 300),
    "orders": (autoregressive(lambda D, rng: sv.MADE(D, (500,), 8, rng=rng)), (0,), 300),
    "burda-vae": (burda(sv.VAE), (0,), 100), "burda-iwae": (burda(sv.IWAE), (0,), 100),
    **{f"latents-{K}": (latents(K), (0,), 40) for K in (3, 5, 10, 20)}}


# ---- doing them, a line each -----------------------------------------------------------------------------------------

def read_data(folder, most, most_test=None):
    """Both files' images, so many at most, and by what a line's data are known again."""
    train, test = (sv.load_idx(folder, split)[0][:n] for split, n in (("train", most), ("test", most_test)))
    return Data(train, test, f"{len(train)} + {len(test)} images, CRC-32 {crc32(test):08x}")


def read_lines(file):
    """The lines of what was done, the latest of each training and seed."""
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return {(line["data"], line["training"], line["seed"]): line for line in lines}


def do(data, names, most, file):
    """Run what is not done yet with as many epochs."""
    for name in names:
        train, seeds, epochs = TRAININGS[name]
        asked = min(epochs, most or epochs)
        for seed in seeds:
            done = read_lines(file).get((data.name, name, seed))
            if done and done["asked"] >= asked:
                continue
            start = time.monotonic()
            try:
                numbers = train(data, seed, asked, [sv.Progress(f"  {name}, seed {seed}:")])
            except ModuleNotFoundError as absent:
                if absent.name != "torch":
                    raise
                print(f"  {name}: left out, PyTorch is not installed", flush=True)
                break
            line = {"data": data.name, "training": name, "seed": seed, "asked": asked, "epochs": asked, **numbers,
                    "minutes": (time.monotonic() - start) / 60}
            before = file.read_bytes() if file.exists() else b""
            with whole_file(file) as out:
                out.write(before + json.dumps(line, default=lambda value: np.round(value, 4).tolist()).encode() + b"\n")


def main(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="DIR", help="the folder of MNIST-format files")
    parser.add_argument("--only", metavar="NAME,...", default="", help="trainings whose names begin so; by default all")
    parser.add_argument("--epochs", type=int, help="no training is longer")
    parser.add_argument("--images", type=int, help="none trains on more")
    parser.add_argument("--quick", action="store_true", help="1,200 images, one epoch; the numbers mean nothing")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("out"), help="where the two files go (out/)")
    parser.add_argument("--table", action="store_true", help="train nothing, print the table")
    options = parser.parse_args(arguments)
    begins = tuple(options.only.split(","))
    names = [name for name in TRAININGS if name.startswith(begins)]
    for begin in begins:
        if not any(name.startswith(begin) for name in TRAININGS):
            parser.error(f"--only: want beginnings of {', '.join(TRAININGS)}, got {begin!r}")
    too_few = any(n is not None and n < least for n, least in ((options.epochs, 1), (options.images, 100)))
    if too_few or (options.data is None) != options.table:
        parser.error("want --data DIR, with --epochs of 1 or more, --images of 100 or more if given, or --table alone")
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "reproduced.jsonl"
    if not options.table:
        data = read_data(options.data, *(1200, 200) if options.quick else (options.images,))
        do(data, names, 1 if options.quick else options.epochs, file)
    with Lesson("reproduced", out=options.out) as lesson:
        published.report(lesson, read_lines(file))


if __name__ == "__main__":
    main(sys.argv[1:])
