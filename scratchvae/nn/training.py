"""How is a model trained? Minibatches, a loop, its history, and a checkpoint to continue from.

    for every epoch:                              one pass over the data, in a new random order
        for every minibatch x:
            model.forward_backward(x)             fills model.grad
            optimizer.step(model.theta, model.grad)
"""
import json
from copy import deepcopy
from inspect import signature
from pathlib import Path

import numpy as np

from scratchvae.checking import generator, instance, integer, path, real_array
from scratchvae.nn.callbacks import Callback, Function
from scratchvae.nn.checkpoint import read_arrays, write_arrays
from scratchvae.nn.optimizers import Adam, Optimizer


class History:
    """Loss terms by epoch: `train` and `valid` map each term's name to an array (epochs,), in nats (accuracy: a share).

    The training terms are averages over the epoch's minibatches, taken while the parameters moved.
    """

    def __init__(self):
        self.train, self.valid = {}, {}

    def append(self, part, terms):
        """Add one epoch's terms (name -> value) to `train` or `valid`."""
        for name, value in terms.items():
            part[name] = np.append(part.get(name, np.zeros(0)), value)


class Run:
    """A training run: everything that a callback may look at and a checkpoint must hold."""

    def __init__(self, model, optimizer, rng, epochs, callbacks, has_valid):
        self.model, self.optimizer, self.rng, self.epochs = model, optimizer, rng, epochs
        self.callbacks, self.has_valid = callbacks, has_valid
        self.epoch, self.stop, self.history = 0, False, History()
        self.valid_seed = 0

    def save(self, path, setup):
        """Write the whole state to `path`, whole or not at all."""
        header = {**setup, "epoch": self.epoch, "stop": bool(self.stop), "valid_seed": self.valid_seed,
                  "rng": json.dumps(self.rng.bit_generator.state, default=np.ndarray.tolist)}
        parts = {"optimizer": self.optimizer.state(), "train": self.history.train, "valid": self.history.valid,
                 **{f"callback{i}": callback.state() for i, callback in enumerate(self.callbacks)}}
        write_arrays(path, header, {"theta": self.model.theta, **{
            f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}})

    def load(self, path, setup):
        """Continue from the state in `path`; ValueError if another run wrote it."""
        header, arrays = read_arrays(path)
        for key, value in setup.items():
            if header.get(key) != value:
                raise ValueError(f"{path}: checkpoint of another run: its {key} is {header.get(key)}, this one's {value}")

        def part(name):
            return {key.removeprefix(name + "."): a for key, a in arrays.items() if key.startswith(name + ".")}

        # Optimizer and generator are tried as copies, callbacks and model are put back: a refused file changes nothing.
        optimizer, rng = deepcopy((self.optimizer, self.rng))
        kept = [dict(vars(callback)) for callback in self.callbacks]
        try:
            self.epoch = integer("epoch", header["epoch"])
            self.valid_seed = integer("valid_seed", header["valid_seed"], low=0, high=2**62)
            self.stop = instance("stop", header["stop"], bool, "true or false")
            self.history.train, self.history.valid = part("train"), part("valid")
            for name, values in (*self.history.train.items(), *self.history.valid.items()):
                if real_array(name, values, np.float64).shape != (self.epoch,):
                    raise ValueError(f"{name}: want {self.epoch} values, one an epoch, got shape {values.shape}")
            optimizer.load_state(part("optimizer"))
            theta = self.model.theta
            for moment in (getattr(optimizer, name) for name in optimizer.moments if optimizer.t):
                if (moment.shape, moment.dtype) != (theta.shape, theta.dtype) or not np.isfinite(moment).all():
                    raise ValueError("optimizer: its moments are not finite numbers of theta's shape and dtype")
            rng.bit_generator.state = json.loads(header["rng"])
            for i, callback in enumerate(self.callbacks):
                callback.load_state(part(f"callback{i}"))
            self.model.load_arrays(arrays)
        except (KeyError, TypeError, ValueError) as error:
            for callback, state in zip(self.callbacks, kept):
                vars(callback).clear()
                vars(callback).update(state)
            raise ValueError(f"{path}: checkpoint of another run ({type(error).__name__}: {error})") from error
        vars(self.optimizer).update(vars(optimizer))
        self.rng.bit_generator.state = rng.bit_generator.state


def fit(model, X, labels=None, *, epochs, batch_size=64, optimizer=None, rng, valid=None, callbacks=(), checkpoint=None):
    """Train `model` in place by minibatch gradient descent; returns its `History`.

    X : (N, D)            checked once, and converted once to the model's dtype if it has another
    labels : (N,)         for a model that learns from labels
    optimizer             Adam(1e-3) by default
    valid                 held-out X, or (X, labels): its terms are recorded after every epoch
    callbacks             `Callback`s, or functions of the run; without one that speaks, training is silent
    checkpoint : path     written after every epoch; if it exists, training continues from it, bit for bit as if it had
                          never stopped (with the same data, model, optimizer, callbacks and batch size)
    FloatingPointError, with epoch, batch and tensor, if the loss stops being finite.
    """
    if isinstance(model, type) or not all(hasattr(model, name) for name in ("check", "forward_backward", "theta", "grad")):
        raise TypeError(f"model: want a model that `fit` can train, as VAE(...), got {model!r}")
    takes_labels = "labels" in signature(model.check).parameters
    if not takes_labels and (labels is not None or isinstance(valid, tuple) and len(valid) != 1):
        raise TypeError(f"labels, valid: {type(model).__name__} learns from X alone, and wants no labels beside it")
    if isinstance(valid, tuple) and not 1 <= len(valid) <= 2:
        raise TypeError(f"valid: want X or (X, labels), got {len(valid)} things")
    if checkpoint is not None:
        path("checkpoint", checkpoint)
        if not Path(checkpoint).parent.is_dir():
            raise ValueError(f"checkpoint: want a path in a folder that is there, got {checkpoint!r}")
    data = model.check(X) if labels is None else model.check(X, labels)
    valid = valid if isinstance(valid, tuple) or valid is None else (valid,)
    valid = None if valid is None else model.check(*valid, name="valid")
    epochs, batch_size = integer("epochs", epochs, low=0), integer("batch_size", batch_size)
    if not isinstance(callbacks, (list, tuple)) or not all(
            isinstance(c, Callback) or callable(c) and not isinstance(c, type) for c in callbacks):
        raise TypeError(f"callbacks: want a list of callbacks, such as Progress(), or functions, got {callbacks!r}")
    callbacks = [c if isinstance(c, Callback) else Function(c) for c in callbacks]
    optimizer = Adam() if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer: want SGD(...) or Adam(...), got {optimizer!r}")
    run = Run(model, optimizer, generator("rng", rng), epochs, callbacks, has_valid=valid is not None)
    setup = {"class": type(model).__name__, "config": model.config(),
             "optimizer": [type(optimizer).__name__, optimizer.config()], "callbacks": [type(c).__name__ for c in callbacks],
             "batch_size": batch_size, "n_examples": len(data[0]), "n_valid": len(valid[0]) if run.has_valid else 0}
    setup = json.loads(json.dumps(setup))  # as it comes back from a file
    if checkpoint is not None and Path(checkpoint).exists():
        run.load(checkpoint, setup)
    _each(callbacks, "begin", run)
    if run.has_valid and run.epoch == 0:  # validation always uses the same noise: epochs differ by the model alone
        run.valid_seed = int(rng.integers(2**62))
    try:
        while run.epoch < epochs and not run.stop:
            _each(callbacks, "epoch_begin", run)
            run.history.append(run.history.train, _train_epoch(run, data, batch_size))
            if run.has_valid:
                run.history.append(run.history.valid, _validate(run, valid))
            run.epoch += 1
            _each(callbacks, "epoch_end", run)
            if checkpoint is not None:
                run.save(checkpoint, setup)
    finally:
        _each(callbacks, "end", run)
    return run.history


def _each(callbacks, occasion, run):
    for callback in callbacks:
        getattr(callback, occasion)(run)


def _train_epoch(run, data, batch_size):
    """One pass over the data in a random order; the average of every loss term."""
    model, optimizer, n = run.model, run.optimizer, len(data[0])
    order = run.rng.permutation(n)
    sums = 0.0
    with np.errstate(all="ignore"):  # a diverging step overflows before its loss is found not to be finite, below
        for batch, start in enumerate(range(0, n, batch_size)):
            rows = order[start:start + batch_size]
            terms = model.forward_backward(*(array.take(rows, axis=0) for array in data), rng=run.rng)
            if not np.isfinite(terms.loss):
                raise FloatingPointError(_where_not_finite(run, f"epoch {run.epoch + 1}, batch {batch + 1}", terms))
            optimizer.step(model.theta, model.grad)
            sums += len(rows) * np.array(terms, dtype=np.float64)
    # The last step's loss is never computed; and where a gradient's square overflows, Adam only stands still.
    if not all(np.isfinite(array).all() for array in (model.theta, *optimizer.state().values())):
        raise FloatingPointError(_where_not_finite(run, f"epoch {run.epoch + 1}, batch {batch + 1}", terms))
    return dict(zip(terms._fields, sums / n))


def _validate(run, valid):
    """The loss terms of the held-out data, always with the same noise."""
    with np.errstate(all="ignore"):  # as in _train_epoch
        terms = run.model.evaluate(*valid, rng=np.random.default_rng(run.valid_seed))
    if not np.isfinite(terms.loss):
        raise FloatingPointError(_where_not_finite(run, f"epoch {run.epoch + 1}, validation", terms))
    return terms._asdict()


def _where_not_finite(run, where, terms):
    """Name the first tensor that is not finite: a parameter, a gradient, a moment of the optimizer, else the loss alone."""
    views = run.model.named_parameters()
    others, start = {}, 0
    for name, view in views.items():
        others["d" + name] = run.model.grad[start:start + view.size]
        start += view.size
    others |= {f"optimizer.{name}": array for name, array in run.optimizer.state().items()}
    bad = [name for name, array in {**views, **others}.items() if not np.isfinite(array).all()]
    return (f"the loss is {terms.loss} at {where}; first tensor that is not finite: {bad[0] if bad else 'the loss alone'}; "
            "try a smaller learning rate, or data on a smaller scale")
