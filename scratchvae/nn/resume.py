"""How does a stopped run go on? Its whole state in one file, and a transaction that takes it up.

The file is written after every epoch. A run takes it up as a whole or refuses it and stays as it was.
"""
import json
from copy import deepcopy
from pathlib import Path

import numpy as np

from scratchvae.checking import any_number, choice, instance, integer, like, real_array
from scratchvae.checking.files import blaming
from scratchvae.extending import class_name, described
from scratchvae.nn.callbacks import Callback, is_foreign
from scratchvae.nn.checkpoint import read_arrays, write_arrays
from scratchvae.nn.examples import fingerprint, state_of
from scratchvae.nn.schedules import Schedule

CONFIG = "config, "   # before the name of each of the model's settings


class Checkpoint:
    """The file `path` of a run, or for None no file at all; `setup` says which run it is.

    changed : names of settings in which a continued run may differ
    """

    def __init__(self, path, run, data, valid, batch_size, changed=()):
        self.path, self.run, self.changed = path, run, changed
        if path is None:
            return
        name, config = described(run.model)
        settings = {f"callbacks[{i}], {type(c).__name__}, {key}": value for i, c in enumerate(run.callbacks)
                    for key, value in c.settings(run).items()}
        setup = {"class": name, "config": config, "optimizer": described(run.optimizer),
                 "callbacks": [class_name(type(c)) for c in run.callbacks], **settings, "batch_size": batch_size,
                 "clip_norm": run.clip_norm, "n_examples": len(data), "n_valid": len(valid) if run.has_valid else 0,
                 "data": data.form, "data's fingerprint": data.fingerprint(),
                 "valid's fingerprint": fingerprint(valid.arrays if run.has_valid else ())}
        try:
            self.setup = json.loads(json.dumps(setup))  # as it comes back from a file
        except TypeError as error:
            raise TypeError(f"callbacks: want `settings` that JSON can hold ({error}), got {settings}") from None
        named = [key.split(", ")[-1] for key in one_by_one(self.setup) if ", " in key and not key.startswith(CONFIG)]
        self.settings = {"batch_size", "clip_norm", *named}
        for each in changed:
            choice("changed", each, sorted(self.settings))

    def save(self):
        """Write the whole state, whole or not at all."""
        if self.path is None:
            return
        run = self.run
        header = {**self.setup, "epoch": run.epoch, "stop": bool(run.stop), "changes": run.history.changes,
                  "valid_seed": run.valid_seed, "rng": state_of(run.rng),
                  "left": {name: float(getattr(thing, name)) for name, thing in left_by_functions(run).items()}}
        parts = {"optimizer": run.optimizer.state(), "train": run.history.train, "valid": run.history.valid}
        for i, callback in enumerate(run.callbacks):
            parts[f"callback{i}"] = state = callback.state()
            if not isinstance(state, dict) or any(np.asarray(array).dtype.hasobject for array in state.values()):
                raise TypeError(f"callbacks[{i}]: want arrays of numbers or texts by name from "
                                f"{type(callback).__name__}.state, as files never hold pickled objects; got {state!r}")
        write_arrays(self.path, header, {**run.model.arrays(), **{
            f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}})

    def load(self):
        """Continue from the file, if it is there; ValueError if another run wrote it."""
        if self.path is None or not Path(self.path).exists():
            return
        header, arrays = read_arrays(self.path)
        with blaming(self.path, "checkpoint of another run"):
            before, this, run = one_by_one(header), one_by_one(self.setup), self.run
        changes = []
        for key in [*this, *(key for key in before if key.startswith(CONFIG) and key not in this)]:
            value = this.get(key)
            if before.get(key) != value:
                setting = key if key.startswith(CONFIG) else key.split(", ")[-1]
                if setting not in self.changed:
                    on_purpose = f"; to go on so on purpose: changed=[{setting!r}]" if setting in self.settings else ""
                    raise ValueError(f"{self.path}: checkpoint of another run: its {key} is {before.get(key)}, "
                                     f"this one's {value}{on_purpose}")
                changes.append(f"{key} from {before.get(key)} to {value} after epoch {header.get('epoch')}")
        # Optimizer and generator are tried as copies, callbacks are put back, the model comes last: a refused file
        # changes nothing.
        optimizer, rng = deepcopy((run.optimizer, run.rng))
        kept = [dict(vars(callback)) for callback in run.callbacks]
        try:
            with blaming(self.path, "checkpoint of another run"):
                run.history.changes = [*header.get("changes", ()), *changes]
                left = {name: any_number(name, value) for name, value in header.get("left", {}).items()}
                self._take_up(header, arrays, optimizer, rng)
        except BaseException:
            for callback, attributes in zip(run.callbacks, kept):
                callback.__dict__ = attributes
            raise
        vars(run.optimizer).update(vars(optimizer))
        run.rng.bit_generator.state = rng.bit_generator.state
        for name, thing in left_by_functions(run).items():
            if name in left and not any(f", {name} from" in change for change in changes):
                setattr(thing, name, left[name])

    def _take_up(self, header, arrays, optimizer, rng):
        def part(name):
            return {key.removeprefix(name + "."): a for key, a in arrays.items() if key.startswith(name + ".")}

        run = self.run
        run.epoch = integer("epoch", header["epoch"])
        if run.epoch > run.epochs:
            raise ValueError(f"epochs: that run has done {run.epoch} already, want as many or more, got {run.epochs}")
        run.valid_seed = integer("valid_seed", header["valid_seed"], low=0, high=2**62)
        run.stop = instance("stop", header["stop"], bool, "true or false")
        run.history.train, run.history.valid = part("train"), part("valid")
        for name, values in (*run.history.train.items(), *run.history.valid.items()):
            if real_array(name, values, np.float64).shape != (run.epoch,):
                raise ValueError(f"{name}: want {run.epoch} values, one an epoch, got shape {values.shape}")
        optimizer.load_state(part("optimizer"))
        for name in set(optimizer.moments) & set(optimizer.state()):
            real_array(f"optimizer.{name}", like(name, optimizer.state()[name], run.model.theta, "theta"))
        rng.bit_generator.state = json.loads(header["rng"])
        for i, callback in enumerate(run.callbacks):
            callback.load_state(part(f"callback{i}"))
        run.model.load_arrays(arrays)


def left_by_functions(run):
    """lr -> optimizer, beta -> model, where they go on as a function left them: no other callback begins from them."""
    if any(is_foreign(c) and (type(c).begin, type(c).epoch_begin) != (Callback.begin, Callback.epoch_begin)
           for c in run.callbacks):
        return {}
    scheduled = [c.name for c in run.callbacks if isinstance(c, Schedule)]
    things = {"lr": run.optimizer, "beta": run.model}
    return {name: thing for name, thing in things.items() if hasattr(thing, name) and name not in scheduled}


def one_by_one(setup):
    """The setup with each setting of the model and the optimizer by a name of its own, as the callbacks' have."""
    (name, optimizer), setup = setup["optimizer"], dict(setup)
    config = setup.pop("config")
    return {**setup, "optimizer": name, **{f"{CONFIG}{key}": value for key, value in config.items()},
            **{f"optimizer, {name}, {key}": value for key, value in optimizer.items()}}
