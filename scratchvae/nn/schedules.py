"""What changes with the epochs? The weight of the KL at the start of a run, the learning rate towards its end.

A schedule multiplies one number before every epoch, counted from its run's first, and at the end puts it back.
"""
from scratchvae.checking import entry, integer, only, positive, share
from scratchvae.nn.callbacks import Callback, warn_of_a_short_run


class Schedule(Callback):
    """Multiplies the attribute `name` of `of(run)` by `multiplier(run)` before every epoch.

    least : int           the epochs in which it is done, or for one `with_the_run` does anything at all
    """

    with_the_run = False  # whether it is as long as the run

    def begin(self, run):
        """Takes the number to be multiplied; a warning where the run is too short for that."""
        if sum(getattr(c, "name", None) == self.name for c in run.callbacks if isinstance(c, Schedule)) > 1:
            raise ValueError(f"callbacks: want one schedule of {self.name}, got two: the last would silence the other")
        self.value = getattr(self.of(run), self.name)
        warn_of_a_short_run(self, run, self.least, first=not self.with_the_run)

    def epoch_begin(self, run):
        setattr(self.of(run), self.name, self.value * self.multiplier(run))

    def end(self, run):
        setattr(self.of(run), self.name, self.value)

    def settings(self, run):
        return self.config()


class KLWarmup(Schedule):
    """Raise beta from 1/epochs of its value to its value over the first `epochs` epochs.

        beta_e = beta min(1, e / epochs),  e = 1, 2, ...

    At the start the decoder ignores z, and the KL alone would push q to the prior before z means anything.
    Only training is warmed up: validation has the full beta, so that its epochs can be compared.
    """

    name, of = "beta", staticmethod(lambda run: run.model)

    @entry(epochs=integer)
    def __init__(self, epochs):
        self.epochs = epochs

    def begin(self, run):
        if not hasattr(run.model, "beta"):
            raise ValueError(f"model: KLWarmup raises a VAE's beta, {type(run.model).__name__} has none")
        super().begin(run)

    def multiplier(self, run):
        return min(1, (run.epoch + 1) / self.epochs)

    def epoch_trained(self, run):
        run.model.beta = self.value

    settled = least = property(lambda self: self.epochs)


class LearningRateDecay(Schedule):
    """Keep the learning rate for the share `start` of the epochs, then lower it linearly to 0.

        lr_e = lr min(1, (1 - e / epochs) / (1 - start)),  e = 0, 1, ... epochs done
    """

    name, of, with_the_run = "lr", staticmethod(lambda run: run.optimizer), True

    @entry(start=share)
    def __init__(self, start=0.5):
        self.start = start

    def multiplier(self, run):
        return min(1, (1 - run.epoch / run.epochs) / (1 - self.start))

    @property
    def least(self):
        return int(1 / (1 - self.start)) + 1  # epochs (1 - start) > 1, or not one epoch is below lr

    def settings(self, run):
        return {**self.config(), "epochs": run.epochs}


def increasing(name, value):
    """`value` as a list of whole numbers >= 1, each larger than the one before."""
    only(name, value, lambda v: isinstance(v, (list, tuple, range)) and v, "want epochs, as (30, 60), got {0!r}",
         TypeError)
    epochs = [integer(f"{name}[{i}]", epoch) for i, epoch in enumerate(value)]
    return only(name, epochs, lambda v: v == sorted(set(v)), "want them in increasing order, got {0}")


class StepDecay(Schedule):
    """Multiply the learning rate by `factor` each time one of `epochs` is done.

        lr_e = lr factor^(how many of `epochs` are <= e),  e = 0, 1, ... epochs done

    StepDecay(range(10, 100, 10), 0.5) halves it every ten epochs. Burda et al. 2016 had
    StepDecay((1, 4, 13, 40, 121, 364, 1093), 10**(-1 / 7)): 3^i epochs at 10^(-i / 7) of lr.
    """

    name, of = "lr", staticmethod(lambda run: run.optimizer)

    @entry(epochs=increasing, factor=positive)
    def __init__(self, epochs, factor=0.1):
        self.epochs, self.factor = epochs, factor

    def multiplier(self, run):
        return self.factor ** sum(epoch <= run.epoch for epoch in self.epochs)

    least = property(lambda self: self.epochs[-1] + 1)
