"""How is a model trained? Minibatches, a loop, its history, and a checkpoint to continue from.

    model.start(x)                                outputs as the data are, before the first step
    for every epoch:                              one pass over the data, in a new random order
        for every minibatch x:
            model.forward_backward(x)             fills model.grad
            optimizer.step(model.theta, model.grad)
"""
from functools import partial
from hashlib import blake2b

import numpy as np

from scratchvae.checking import as_constructed, entry, generator, integer, optional, positive
from scratchvae.checking.training import (at_once, list_of_callbacks, names_of_settings, optimizer_for,
                                          path_in_a_folder, refuse_not_finite, trainable, training_data,
                                          validation_data)
from scratchvae.nn.callbacks import begun, is_foreign
from scratchvae.nn.examples import state_of
from scratchvae.nn.optimizers import clip
from scratchvae.nn.resume import Checkpoint
from scratchvae.nn.threads import one_thread


@entry(model=trainable, rng=generator, X=training_data, valid=optional(validation_data),
       epochs=partial(integer, low=0), batch_size=at_once, optimizer=optimizer_for, clip_norm=optional(positive),
       callbacks=list_of_callbacks, checkpoint=optional(path_in_a_folder), changed=names_of_settings)
def fit(model, X, labels=None, *, epochs, batch_size=64, optimizer=None, clip_norm=None, rng, valid=None, callbacks=(),
        checkpoint=None, changed=()):
    """Train `model` in place by minibatch gradient descent; returns its `History`, also found in `model.history`.

    X : (N, D)            checked once, and converted once to the model's dtype if it has another; an untrained model
                          then starts where X is (`model.start`): its outputs at the best p(x) that ignores its input.
                          Or a function rng -> X, called with `rng` before each epoch, checked each time. Or a
                          numpy.memmap, or what is no array but has shape, dtype and X[indices], as a data set of HDF5:
                          never read as a whole, each batch is checked as it is read, and the start is from a sample
                          (labels of classes are all looked at)
    labels : (N,)         for a model that learns from labels
    optimizer             Adam(1e-3) by default
    clip_norm             the whole gradient is shortened to this norm where it is longer
    rng                   the same seed gives the same bits on one machine, for the same cores and OMP_NUM_THREADS
    valid                 held-out X, or (X, labels): its terms are recorded after every epoch; training does not
                          depend on it, but through callbacks. A function is called once, with default_rng(0): every
                          epoch of every run is judged by the same draw
    callbacks             `Callback`s, or functions of the run; without one that speaks, training is silent
    checkpoint : path     written after every epoch; if it exists, training continues from it (not from this `model`,
                          `optimizer` and `rng`), bit for bit as if it had never stopped and had had these `epochs` and
                          this patience from its start. ValueError, with what differs, if that cannot be: other data
                          (of a function the name, the form, and the array that it says it has `drawn_from`, if any),
                          another model, optimizer, batch size or warm-up, less patience, fewer epochs, or more of
                          them with a learning rate that decays over them
    changed               names of settings, as ["lr", "batch_size"], in which this run differs on purpose from the
                          checkpoint: it goes on with its own, and the history's `changes` say so
    FloatingPointError, with epoch, batch and tensor, if the loss stops being finite. After that, or an interrupt, the
    epochs that were done are in `model.history`.
    """
    data = X  # where examples come from, by now: `examples.py`
    run = Run(model, optimizer, rng, epochs, callbacks, has_valid=valid is not None, clip_norm=clip_norm)
    file = Checkpoint(checkpoint, run, data, valid, batch_size, changed)
    file.load()
    run.watch(data, valid)
    with begun(callbacks, run):
        if run.epoch == 0 and epochs > 0 and hasattr(model, "start"):
            model.n_examples = len(data)
            try:
                model.start(*data.some())
            finally:
                del model.n_examples
        model.history = run.history
        while run.epoch < epochs and not run.stop:
            run.tell("epoch_begin")
            trained = train_epoch(run, data.of_epoch(run), batch_size)
            run.tell("epoch_trained")
            validated = validate(run, valid) if run.has_valid else {}
            run.history.append("train", trained)
            run.history.append("valid", validated)
            run.epoch += 1
            run.tell("epoch_end")
            run.watch(data, valid)
            file.save()
    return run.history


def train_epoch(run, data, batch_size):
    """One pass over the data in a random order; the average of every loss term."""
    model, optimizer, n = run.model, run.optimizer, len(data)
    if run.is_watched:
        as_constructed("model", model)
        as_constructed("optimizer", optimizer)
    order = run.rng.permutation(n)
    sums = 0.0
    # A diverging step overflows before its loss is found not to be finite, below.
    with one_thread(), np.errstate(all="ignore"):
        for batch, start in enumerate(range(0, n, batch_size)):
            rows = order[start:start + batch_size]
            terms = model.forward_backward(*data.take(rows), rng=run.rng)
            refuse_not_finite(run, terms, f"batch {batch + 1}")
            if run.clip_norm is not None:
                clip(model.grad, run.clip_norm)
            optimizer.step(model.theta, model.grad)
            sums += len(rows) * np.array(terms, dtype=np.float64)
    # The last step's loss is never computed; and where a gradient's square overflows, Adam only stands still.
    refuse_not_finite(run, terms, f"batch {batch + 1}", (model.theta, *optimizer.state().values()))
    return dict(zip(terms._fields, sums / n))


def validate(run, valid):
    """The loss terms of the held-out data, always with the same noise."""
    with np.errstate(all="ignore"):  # as in train_epoch
        terms = run.model.evaluate(*valid.arrays, rng=np.random.default_rng(run.valid_seed))
    refuse_not_finite(run, terms, "validation")
    return terms._asdict()


class History:
    """Loss terms by epoch: `train` and `valid` map each term's name to an array (epochs,), in nats (accuracy: a share).

    The training terms are averages over the epoch's minibatches, taken while the parameters moved.
    `changes` lists the settings that were changed when the run was continued, and after which epoch.
    """

    def __init__(self):
        self.train, self.valid, self.changes = {}, {}, []

    def __repr__(self):
        n = len(next(iter(self.train.values()), ()))
        parts = "".join(f"; {part} {', '.join(entries)}" for part, entries in vars(self).items() if entries)
        return f"History({n} epochs{parts})"

    def append(self, part, terms):
        """Add one epoch's terms (name -> value) to `train` or `valid`."""
        values = getattr(self, part)
        for name, value in terms.items():
            values[name] = np.append(values.get(name, np.zeros(0)), value)


class Run:
    """A training run: everything that a callback may look at and a checkpoint must hold."""

    def __init__(self, model, optimizer, rng, epochs, callbacks, has_valid, clip_norm=None):
        self.model, self.optimizer, self.rng, self.epochs = model, optimizer, rng, epochs
        self.callbacks, self.has_valid, self.clip_norm = callbacks, has_valid, clip_norm
        self.is_watched = any(is_foreign(callback) for callback in callbacks)  # who might write anywhere
        self.epoch, self.stop, self.history = 0, False, History()
        # Validation always uses the same noise, so that epochs differ by the model alone, and draws nothing from rng.
        self.valid_seed = int.from_bytes(blake2b(state_of(rng).encode(), digest_size=7).digest(), "big")

    def watch(self, *sources):
        """Call `watch` of what was given, if there is a callback that might have written into it."""
        if self.is_watched:
            for examples in filter(None, sources):
                examples.watch()

    def tell(self, occasion):
        """Call every callback's method of this name."""
        for callback in self.callbacks:
            getattr(callback, occasion)(self)
