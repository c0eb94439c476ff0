"""What else happens between epochs? Progress, early stopping, warm-up, a learning rate that decays.

A callback is told of a training run at its begin, before and after every epoch, and at its end; any plain function can
be one too, and is called after every epoch. What a callback must remember over a restart it gives in `state`.
The run it is handed has: model, optimizer, rng, epoch (how many are done), epochs, history, stop (set it to end the run).
"""
import sys
import time

import numpy as np

from scratchvae.checking import integer, number, real_array


class Callback:
    """Does nothing, at every occasion."""

    def begin(self, run): ...

    def epoch_begin(self, run): ...

    def epoch_end(self, run): ...

    def end(self, run): ...

    def state(self):
        """Arrays by name, enough to continue from."""
        return {}

    def load_state(self, state): ...


class Function(Callback):
    """A plain function of the run, called after every epoch."""

    def __init__(self, function):
        self.epoch_end = function


class Progress(Callback):
    """Epoch, loss terms and the time left: one line rewritten on a terminal, and in a log a line now and then.

    interval : seconds between two lines of a log; never more than one line an epoch, and one when the run is over
    """

    def __init__(self, label="", stream=None, interval=5.0):
        self.label, self.stream, self.interval = label, stream, number("interval", interval)

    def begin(self, run):
        self._out = self.stream or sys.stderr
        self._start, self._first, self._last = time.monotonic(), run.epoch, 0.0

    def epoch_end(self, run):
        now = time.monotonic()
        if run.stop or run.epoch == run.epochs or now - self._last < (0.1 if self._out.isatty() else self.interval):
            return
        self._last = now
        left = (now - self._start) / (run.epoch - self._first) * (run.epochs - run.epoch)
        self._write(run, f"{left:.0f} s left")

    def end(self, run):
        # The last word is for here: a callback further down the list may stop the run after our `epoch_end`.
        if run.stop or run.epoch == run.epochs:
            self._write(run, "done")
        if self._out.isatty():
            self._out.write("\n")

    def _write(self, run, rest):
        terms = "  ".join(f"{name} {values[-1]:.3f}" for name, values in run.history.train.items())
        valid = f"  | valid loss {run.history.valid['loss'][-1]:.3f}" if run.history.valid else ""
        line = f"{self.label} epoch {run.epoch}/{run.epochs}  {terms}{valid}  {rest}".strip()
        self._out.write(f"\r\x1b[K{line}" if self._out.isatty() else line + "\n")
        self._out.flush()


class EarlyStopping(Callback):
    """Stop when the validation loss has not fallen for `patience` epochs, and put back the best parameters.

    monitor : the validation term that should be small. With a KL warm-up the loss changes its meaning from epoch to
    epoch, so give `monitor="elbo", sign=-1`: of the ELBO, more is better.
    """

    def __init__(self, patience=20, monitor="loss", sign=1):
        self.patience, self.monitor, self.sign = integer("patience", patience), monitor, number("sign", sign, -1, 1)
        if not isinstance(monitor, str) or not monitor:
            raise TypeError(f"monitor: want the name of a loss term, got {monitor!r}")
        if abs(self.sign) != 1:
            raise ValueError(f"sign: want 1 or -1, got {self.sign:g}")

    def begin(self, run):
        if not run.has_valid:
            raise ValueError("valid: EarlyStopping needs validation data")
        if run.epoch > 0:  # the run continues from a checkpoint, and `load_state` came first
            if self.best_theta.shape != run.model.theta.shape or self.best_theta.dtype != run.model.theta.dtype:
                raise ValueError(f"checkpoint: its best parameters have the shape {self.best_theta.shape}, "
                                 f"the model's {run.model.theta.shape}")
        else:
            self.best, self.best_epoch, self.best_theta = np.inf, 0, run.model.theta.copy()

    def epoch_end(self, run):
        if self.monitor not in run.history.valid:
            raise ValueError(f"monitor: want one of {', '.join(run.history.valid)}, got {self.monitor!r}")
        value = self.sign * run.history.valid[self.monitor][-1]
        if value < self.best:
            self.best, self.best_epoch = value, run.epoch
            self.best_theta[:] = run.model.theta
        run.stop = run.stop or run.epoch - self.best_epoch >= self.patience

    def end(self, run):
        run.model.theta[:] = self.best_theta

    def state(self):
        return {"best": np.array(self.best), "best_epoch": np.array(self.best_epoch), "best_theta": self.best_theta}

    def load_state(self, state):
        self.best, self.best_epoch = float(state["best"]), int(state["best_epoch"])
        self.best_theta = real_array("best_theta", state["best_theta"]).copy()


class KLWarmup(Callback):
    """Raise beta from 1/epochs of its value to its value over the first `epochs` epochs.

        beta_e = beta min(1, e / epochs),  e = 1, 2, ...

    At the start the decoder ignores z, and the KL alone would push q to the prior before z means anything.
    """

    def __init__(self, epochs):
        self.epochs = integer("epochs", epochs)

    def begin(self, run):
        if not hasattr(run.model, "beta"):
            raise ValueError(f"model: KLWarmup raises a VAE's beta, {type(run.model).__name__} has none")
        self.beta = run.model.beta

    def epoch_begin(self, run):
        run.model.beta = self.beta * min(1, (run.epoch + 1) / self.epochs)

    def end(self, run):
        run.model.beta = self.beta


class LearningRateDecay(Callback):
    """Keep the learning rate for the share `start` of the epochs, then lower it linearly to 0.

        lr_e = lr min(1, (1 - e / epochs) / (1 - start)),  e = 0, 1, ... epochs done
    """

    def __init__(self, start=0.5):
        self.start = number("start", start, high=1, open_high=True)

    def begin(self, run):
        self.lr = run.optimizer.lr

    def epoch_begin(self, run):
        run.optimizer.lr = self.lr * min(1, (1 - run.epoch / run.epochs) / (1 - self.start))

    def end(self, run):
        run.optimizer.lr = self.lr
