"""How far is the training, and how long will it take? One line of a terminal, or a few of a log."""
import os
import sys
import time
from types import SimpleNamespace

import numpy as np

from scratchvae.checking import entry, number
from scratchvae.nn.callbacks import Callback


class Progress(Callback):
    """Epoch, loss terms and the time left: one line rewritten on a terminal, and in a log a line now and then.

    interval : seconds between two lines of a log; never more than one line an epoch, and one when the run is over
    On a terminal the line is as short as the window is narrow: terms that do not fit are left out, the loss last of
    all, and of the label the beginning.
    """

    unit = "epoch"

    @entry(interval=number)
    def __init__(self, label="", stream=None, interval=5.0):
        self.label, self.stream, self.interval = label, stream, interval

    def begin(self, run):
        self._out = self.stream or sys.stderr
        self._is_terminal, self._is_open = self._out.isatty(), False
        self._start, self._first, self._last = time.monotonic(), run.epoch, -np.inf
        if run.epoch:
            self._out.write(f"{self.label} continued after epoch {run.epoch} of {run.epochs}\n".lstrip())

    def epoch_end(self, run):
        now = time.monotonic()
        if run.stop or run.epoch == run.epochs or now - self._last < (0.1 if self._is_terminal else self.interval):
            return
        self._last = now
        left = (now - self._start) / (run.epoch - self._first) * (run.epochs - run.epoch)
        self._write(run, f"{left:.0f} s left")

    def end(self, run):
        # The last word is for here: a callback further down the list may stop the run after our `epoch_end`.
        if run.stop or run.epoch == run.epochs:
            self._write(run, "done")
        if self._is_open:
            self._out.write("\n")

    def _write(self, run, rest):
        terms = [f"{name} {values[-1]:.3f}" for name, values in run.history.train.items()]
        valid = [f"| valid loss {run.history.valid['loss'][-1]:.3f}"] if run.history.valid else []
        head = f"{self.label} {self.unit} {run.epoch}/{run.epochs}".strip()
        room = self._room() if self._is_terminal else np.inf
        while len(line := "  ".join([head, *terms, *valid, rest])) > room and (len(terms) > 1 or valid):
            (terms if len(terms) > 1 else valid).pop()
        self._out.write(f"\r\x1b[K{line[-room:]}" if self._is_terminal else line + "\n")
        self._is_open = self._is_terminal
        self._out.flush()

    def along(self, parts, unit="block"):
        """The parts of a computation one by one, and a line on how far that is, as of the epochs of a training."""
        run = SimpleNamespace(epoch=0, epochs=len(parts), stop=False, history=SimpleNamespace(train={}, valid={}))
        self.unit = unit
        self.begin(run)
        try:
            for part in parts:
                yield part
                run.epoch += 1
                self.epoch_end(run)
        finally:
            self.end(run)

    def _room(self):
        """How many characters the terminal's line takes without breaking."""
        try:
            return max(os.get_terminal_size(self._out.fileno()).columns or 80, 2) - 1
        except (AttributeError, OSError, ValueError):  # a stream that says it is a terminal, and knows no size
            return 79
