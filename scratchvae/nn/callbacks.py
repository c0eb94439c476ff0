"""What else happens between epochs? Early stopping, functions of your own, and the schedules of `schedules.py`.

A callback is told of a training run at its begin, before and after every epoch, and at its end; any plain function
can be one too, and is called after every epoch. What a callback must remember over a restart it gives in `state`.
The run it is handed has: model, optimizer, rng, epoch (how many are done), epochs, history, stop (set it to end it).
"""
from contextlib import ExitStack, contextmanager
from warnings import warn

import numpy as np

from scratchvae.checking import choice, entry, integer, like, only, optional, real_array
from scratchvae.extending import Described, class_name, function_name
from scratchvae.nn.model import Model


class Callback(Described):
    """Does nothing, at every occasion. One of your own says what it does at some, and what it remembers.

    settled : int         the number of epochs until what it does to the loss is done, if it changes that, as a warm-up
                          of beta; `EarlyStopping` then waits until after them. A plain function may have it, too
    """

    settled = 0

    def begin(self, run):
        """Before the first epoch, or before the first after a restart: `load_state` was called then."""

    def epoch_begin(self, run):
        """Before an epoch's first step."""

    def epoch_trained(self, run):
        """After an epoch's last step, before validation: what was changed for training alone is put back here."""

    def epoch_end(self, run):
        """After validation; `run.epoch` counts the epoch, the history has its terms."""

    def end(self, run):
        """After the last epoch, however the run ends; other callbacks' ends are called even if this one raises."""

    def settings(self, run):
        """By name what a continued run must have in common with the one before, as JSON can hold it.

        The arguments that change what is learned; and `run.epochs`, if the callback computes with it.
        """
        return {}

    def state(self):
        """Arrays by name, enough to continue from; of numbers or texts."""
        return {}

    def load_state(self, state):
        """Take over what `state` gave; ValueError if this callback could not have given it."""


def is_foreign(callback):
    """Whether it may do what we cannot know: a function, or of a class that is not this package's."""
    return isinstance(callback, Function) or "." in class_name(type(callback))


def warn_of_a_short_run(callback, run, least, first=True):
    """A warning, where a run has fewer epochs than the callback needs; in the model's `first` run only if asked for."""
    again = run.epoch == 0 and bool(getattr(getattr(run.model, "history", None), "train", None))
    if run.epoch < run.epochs < least and (first or again):
        hint = ("; it begins again, the model was trained before. Give one call of fit all epochs (a callback does "
                "what stands between two), or continue by `checkpoint=`")
        warn(f"{callback!r} stays unfinished: it takes {least} epochs or more, this run has epochs={run.epochs}"
             + hint * again)


@contextmanager
def begun(callbacks, run):
    """A context: every callback's begin, and at its end, however it comes, the end of each that has begun."""
    started = []
    try:
        for callback in callbacks:
            callback.begin(run)
            started.append(callback)
        yield
    finally:
        with ExitStack() as ends:  # calls all, in their order, and raises what one of them raised
            for callback in reversed(started):
                ends.callback(callback.end, run)


class Function(Callback):
    """A plain function of the run, called after every epoch."""

    def __init__(self, function):
        self.function = self.epoch_end = function
        self.settled = getattr(function, "settled", 0)

    def settings(self, run):
        return {"function": function_name(self.function)}

    def __repr__(self):
        return f"Function({function_name(self.function)})"


RISE, FALL = ("elbo", "bound", "log_prob", "reconstruction", "accuracy"), ("loss", "kl")
term_name = lambda name, value: only(
    name, value, lambda v: isinstance(v, str) and v, "want the name of a loss term, got {0!r}", TypeError)


def better(name, value, monitor):
    """Whether the monitored term should "rise" or "fall": known of some terms, of others `value` must say it."""
    given = optional(choice)(name, value, ("rise", "fall"))
    known = "rise" if monitor in RISE else "fall" if monitor in FALL else None
    only(name, given or known, bool, f"want 'rise' or 'fall', whichever is better for {monitor!r}; known are only "
                                     f"{', '.join(RISE)} (rise) and {', '.join(FALL)} (fall)")
    return only(name, given or known, lambda way: known in (None, way), f"{monitor} should {known}, got {{0!r}}")


class EarlyStopping(Callback):
    """Stop when a validation term has not improved for `patience` epochs, and put back the best parameters.

    Epochs of a warm-up do not count (`Callback.settled`): a loss that training does not yet minimise may rise.

    monitor : the name of one of the model's loss terms. The loss and the KL should fall; the ELBO, a bound, log p, the
    reconstruction and the accuracy should rise; of any other name `direction` says which, "rise" or "fall".
    Validation terms are those at full weight, also during a KL warm-up.
    """

    @entry(patience=integer, monitor=term_name, direction=better)
    def __init__(self, patience=20, monitor="loss", direction=None):
        self.patience, self.monitor, self.direction = patience, monitor, direction

    def begin(self, run):
        if not run.has_valid:
            raise ValueError("valid: EarlyStopping needs validation data")
        names = getattr(run.model, "terms", Model.terms)._fields
        if self.monitor not in names:
            raise ValueError(f"monitor: want one of {', '.join(names)}, the `terms` of {type(run.model).__name__}, "
                             f"got {self.monitor!r}")
        if run.epoch > 0:  # the run continues from a checkpoint, and `load_state` came first
            like("checkpoint's best_theta", self.best_theta, run.model.theta, "the model's theta")
            run.stop = run.stop and not self.stopped or self._is_patience_over(run)  # it may be larger now
        else:
            self.best, self.best_epoch = np.inf if self.direction == "fall" else -np.inf, 0
            self.best_theta, self.stopped = run.model.theta.copy(), False
            warn_of_a_short_run(self, run, 2, first=False)

    def epoch_end(self, run):
        value = run.history.valid[self.monitor][-1]
        if value < self.best if self.direction == "fall" else value > self.best:
            self.best, self.best_epoch = value, run.epoch
            self.best_theta[:] = run.model.theta
        self.stopped = not run.stop and self._is_patience_over(run)
        run.stop = run.stop or self.stopped

    def _is_patience_over(self, run):
        return run.epoch - max(self.best_epoch, *(c.settled for c in run.callbacks)) >= self.patience

    def end(self, run):
        run.model.theta[:] = self.best_theta

    def settings(self, run):
        return {"monitor": self.monitor, "direction": self.direction}

    def state(self):
        return {"best": np.array(self.best), "best_epoch": np.array(self.best_epoch), "best_theta": self.best_theta,
                "patience": np.array(self.patience), "stopped": np.array(self.stopped)}

    def load_state(self, state):
        if self.patience < int(state["patience"]):
            raise ValueError(f"patience: that run had {int(state['patience'])}, want as much or more, got "
                             f"{self.patience}, with which it might have stopped before")
        self.best, self.best_epoch = float(state["best"]), int(state["best_epoch"])
        self.best_theta, self.stopped = real_array("best_theta", state["best_theta"]).copy(), bool(state["stopped"])
