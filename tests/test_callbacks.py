"""Do the callbacks do what they say between epochs, and is training silent without them?

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
import io
import warnings
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

import scratchvae as sv
from scratchvae.nn import callbacks, progress, schedules

D = 12


def binary(n=40, seed=0):
    return (np.random.default_rng(seed).random((n, D)) < 0.4).astype(np.float32)


def train(*given, epochs=6, valid=None, model=None, optimizer=None, X=None):
    """A short run with these callbacks; gives model and history."""
    model = model or sv.VAE(D, hidden=(9,), n_latent=3, beta=0.8, rng=np.random.default_rng(0))
    history = sv.fit(model, binary() if X is None else X, epochs=epochs, batch_size=16,
                     optimizer=optimizer or sv.Adam(1e-2),
                     rng=np.random.default_rng(1), valid=valid, callbacks=given)
    return model, history


class Diary(sv.Callback):
    """Writes down every occasion, and what `look` sees at the beginning of an epoch."""

    def __init__(self, look=lambda run: run.epoch):
        self.look, self.lines = look, []

    def begin(self, run):
        self.lines.append("begin")

    def epoch_begin(self, run):
        self.lines.append(self.look(run))

    def epoch_end(self, run):
        self.lines.append(f"end of {run.epoch}")

    def end(self, run):
        self.lines.append("end")


# ---- occasions ------------------------------------------------------------------------------------------------

def test_silence(capfd):
    train(sv.KLWarmup(3), sv.LearningRateDecay(), sv.EarlyStopping(3), valid=binary(9))
    assert capfd.readouterr() == ("", "")


def test_occasions_come_in_order():
    diary = Diary()
    train(diary, epochs=2)
    assert diary.lines == ["begin", 0, "end of 1", 1, "end of 2", "end"]


def test_a_plain_function_is_called_after_every_epoch_and_sees_the_run():
    seen = []
    model, history = train(lambda run: seen.append((run.epoch, run.epochs, len(run.history.train["loss"]), run.model)),
                           epochs=3)
    assert seen == [(1, 3, 1, model), (2, 3, 2, model), (3, 3, 3, model)]


def test_a_function_can_stop_the_run():
    def stop(run):
        run.stop = run.epoch == 2

    assert len(train(stop)[1].train["loss"]) == 2


def check_the_end_comes_also_after_a_failure():
    """Learning rate and beta are put back when an epoch fails, and the failure passes through."""
    def fail(run):
        raise RuntimeError("as planned")

    model, optimizer = sv.VAE(D, beta=0.8, rng=np.random.default_rng(0)), sv.Adam(0.02)
    diary = Diary()
    with pytest.raises(RuntimeError, match="as planned"):
        train(sv.KLWarmup(4), sv.LearningRateDecay(0.0), diary, fail, model=model, optimizer=optimizer)
    assert diary.lines[-1] == "end" and model.beta == 0.8 and optimizer.lr == 0.02


def test_the_end_comes_also_after_a_failure():
    check_the_end_comes_also_after_a_failure()


# ---- warm-up and decay ----------------------------------------------------------------------------------------

def check_warmup(epochs, n_warm, beta=0.8):
    """beta_e = beta min(1, e / n_warm), e = 1, 2, ...; training has it in its loss, validation the whole beta."""
    diary, model = Diary(lambda run: run.model.beta), sv.VAE(D, beta=beta, rng=np.random.default_rng(0))
    _, history = train(schedules.KLWarmup(n_warm), diary, epochs=epochs, model=model, valid=binary(9))
    want = [beta * min(1, e / n_warm) for e in range(1, epochs + 1)]
    np.testing.assert_allclose([line for line in diary.lines if isinstance(line, float)], want, rtol=1e-14)
    assert model.beta == beta
    np.testing.assert_allclose(history.train["loss"],
                               np.array(want) * history.train["kl"] - history.train["reconstruction"],
                               rtol=1e-5)
    np.testing.assert_allclose(history.valid["loss"], beta * history.valid["kl"] - history.valid["reconstruction"],
                               rtol=1e-5)


@pytest.mark.parametrize("epochs, n_warm", [(6, 1), (6, 4), (6, 6), (20, 20)])
def test_warmup(epochs, n_warm):
    check_warmup(epochs, n_warm)


@pytest.mark.parametrize("schedule, epochs, least", [
    (sv.KLWarmup(20), 6, 20), (sv.KLWarmup(2), 1, 2), (sv.StepDecay((3, 50)), 6, 51), (sv.StepDecay((6,)), 6, 7)])
def test_a_schedule_that_a_run_cannot_finish_says_so_once(schedule, epochs, least):
    with pytest.warns(UserWarning) as said:
        train(schedule, epochs=epochs)
    assert [str(each.message) for each in said] == [
        f"{schedule!r} stays unfinished: it takes {least} epochs or more, this run has epochs={epochs}"]
    # In a run that is long enough, also where something else ends it, and in a run of no epochs, silence.
    stop = lambda run: setattr(run, "stop", True)
    train(schedule, epochs=least) if least < 10 else train(schedule, stop, epochs=least)
    train(schedule, epochs=0)


def check_decay(epochs, start, lr=0.01):
    """lr until the share `start` of the epochs, then on a straight line that reaches 0 after the last."""
    diary, optimizer = Diary(lambda run: run.optimizer.lr), sv.SGD(lr)
    train(schedules.LearningRateDecay(start), diary, epochs=epochs, optimizer=optimizer)
    got = [line for line in diary.lines if isinstance(line, float)]
    np.testing.assert_allclose(got, np.interp(np.arange(epochs), [start * epochs, epochs], [lr, 0]), rtol=1e-12)
    assert optimizer.lr == lr and min(got) > 0


@pytest.mark.parametrize("start", [0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("epochs", [1, 6, 7])
def test_decay(epochs, start):
    check_decay(epochs, start)


def check_steps(epochs=8, milestones=(2, 5), factor=0.3, lr=0.01):
    """lr, from the third epoch on lr factor, from the sixth on lr factor^2; and lr is put back."""
    diary, optimizer = Diary(lambda run: run.optimizer.lr), sv.SGD(lr)
    train(schedules.StepDecay(milestones, factor), diary, epochs=epochs, optimizer=optimizer)
    want = [lr * factor ** sum(m < e for m in milestones) for e in range(1, epochs + 1)]
    np.testing.assert_allclose([line for line in diary.lines if isinstance(line, float)], want, rtol=1e-12)
    assert optimizer.lr == lr


@pytest.mark.parametrize("milestones", [(2, 5), [1], range(2, 8, 2)])
def test_steps(milestones):
    check_steps(milestones=milestones)


def test_burdas_schedule():
    burda = sv.StepDecay([sum(3**i for i in range(n)) for n in range(1, 8)], 10 ** (-1 / 7))
    assert burda.epochs == [1, 4, 13, 40, 121, 364, 1093]
    for i in range(8):
        first = sum(3**j for j in range(i))
        for epoch in (first, first + 3**i - 1):
            np.testing.assert_allclose(burda.multiplier(SimpleNamespace(epoch=epoch)), 10 ** (-i / 7))


def test_two_schedules_of_one_number_are_refused():
    for two in ((sv.LearningRateDecay(), sv.StepDecay((2,))), (sv.KLWarmup(2), sv.KLWarmup(3)), (sv.StepDecay((1,)),) * 2):
        with pytest.raises(ValueError, match="^callbacks: want one schedule of (lr|beta)"):
            train(*two)
    train(sv.KLWarmup(2), sv.StepDecay((2,)))


@pytest.mark.parametrize("make", [lambda: sv.KLWarmup(4), lambda: sv.LearningRateDecay(), lambda: sv.StepDecay((1, 3)),
                                  lambda: sv.EarlyStopping(3)])
def test_a_loop_over_fit_is_told_that_its_callbacks_begin_again(make):
    model, _ = train(epochs=1)
    for callback in (make(), make()):
        with pytest.warns(UserWarning, match=r"or more, this run has epochs=1; it begins again, the model was trained"):
            train(callback, epochs=1, model=model, valid=binary(9))
    train(make(), epochs=6, model=model, valid=binary(9))  # a second, whole run is no loop


def test_a_run_that_continues_begins_no_schedule_again(tmp_path):
    model = sv.VAE(D, hidden=(9,), n_latent=3, rng=np.random.default_rng(0))
    for epochs in (1, 2, 3, 4):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            sv.fit(model, binary(), epochs=epochs, rng=np.random.default_rng(0), callbacks=[sv.KLWarmup(4)],
                   checkpoint=tmp_path / "run.npz")
        assert ["begins again" in str(each.message) for each in said] == [False] * (epochs < 4)


# ---- early stopping -------------------------------------------------------------------------------------------

class Script(sv.Callback):
    """Replaces the validation terms by a script; stands before EarlyStopping in the list."""

    def __init__(self, name, values):
        self.name, self.values, self.thetas = name, values, []

    def epoch_end(self, run):
        run.history.valid[self.name][-1] = self.values[run.epoch - 1]
        self.thetas.append(run.model.theta.copy())


def check_early_stopping(values, patience, stops_after, best, name="loss"):
    """Stops `patience` epochs after the best one, and puts back the parameters of the best."""
    script = Script(name, values)
    model, history = train(script, callbacks.EarlyStopping(patience, monitor=name), epochs=len(values),
                           valid=binary(9))
    assert len(history.train["loss"]) == stops_after
    assert np.array_equal(model.theta, script.thetas[best - 1])


@pytest.mark.parametrize("values, patience, stops_after, best", [
    ([5, 4, 3, 4, 5, 1], 2, 5, 3), ([5, 4, 3, 4, 5, 1], 3, 6, 6), ([5, 6, 7, 8], 1, 2, 1), ([5, 4, 4, 4, 4], 2, 4, 2),
    ([5, np.nan, 4, 6, 7], 2, 5, 3), ([1, 2, 3], 9, 3, 1)])
def test_early_stopping(values, patience, stops_after, best):
    check_early_stopping([float(v) for v in values], patience, stops_after, best)
    check_early_stopping([-float(v) for v in values], patience, stops_after, best, name="elbo")


def check_patience_waits(values, n_warm, stops_after, best):
    """Patience of 2 that counts from the end of a warm-up, ours or one's own, anywhere in the list."""
    def own_function(run):
        """Nothing, after an epoch."""

    own_function.settled = n_warm
    for warm_up in (sv.KLWarmup(n_warm), type("Own", (sv.Callback,), {"settled": n_warm})(), own_function):
        for first in (True, False):
            script = Script("loss", values)
            given = [script, callbacks.EarlyStopping(2)]
            model, history = train(*[warm_up] * first, *given, *[warm_up] * (not first), epochs=len(values),
                                   valid=binary(9))
            assert len(history.train["loss"]) == stops_after
            assert np.array_equal(model.theta, script.thetas[best - 1])


@pytest.mark.parametrize("values, n_warm, stops_after, best", [
    ([5.0, 6, 7, 8, 9, 9, 9], 4, 6, 1), ([5.0, 6, 7, 8, 4, 9, 9, 1], 4, 7, 5), ([5.0, 6, 7, 8, 9], 1, 3, 1),
    ([5.0, 6, 3, 8, 9, 9, 9], 4, 6, 3), ([5.0, 6, 7, 8, 9], 5, 5, 1)])
def test_patience_waits_for_a_warm_up(values, n_warm, stops_after, best):
    check_patience_waits(values, n_warm, stops_after, best)


@pytest.mark.parametrize("stop_at", [2, 4, 5, 6])
def test_patience_waits_over_a_restart_too(stop_at, tmp_path):
    def run(callback):
        script = Script("loss", [5.0, 6, 7, 8, 9, 9, 9, 9])
        given = [script, sv.EarlyStopping(2), sv.KLWarmup(4)]
        model = sv.VAE(D, rng=np.random.default_rng(0))
        return sv.fit(model, binary(), epochs=8, rng=np.random.default_rng(1), valid=binary(9), callbacks=[
            *given, callback], checkpoint=tmp_path / "run.npz")

    class Interrupt(sv.Callback):
        def epoch_begin(self, run):
            if run.epoch == self.at:
                raise KeyboardInterrupt

    interrupt = Interrupt()
    interrupt.at = stop_at
    with pytest.raises(KeyboardInterrupt) if stop_at < 6 else nullcontext():
        run(interrupt)
    interrupt.at = None
    assert len(run(interrupt).train["loss"]) == 6


def test_early_stopping_can_be_used_again():
    stopping, thetas = sv.EarlyStopping(2), []
    for _ in range(2):
        thetas.append(train(stopping, valid=binary(9))[0].theta)
    assert np.array_equal(*thetas)


def test_early_stopping_puts_back_the_best_after_divergence():
    """The parameters of the best epoch survive the one in which the run diverged."""
    def explode(run):
        run.optimizer.lr = 1e30 if run.epoch == 2 else run.optimizer.lr

    script = Script("loss", [2.0, 1.0, 0.0])
    model = sv.VAE(D, rng=np.random.default_rng(0))
    with pytest.raises(FloatingPointError):
        train(script, sv.EarlyStopping(3), explode, epochs=9, model=model, valid=binary(9), optimizer=sv.SGD(1e-3))
    assert np.array_equal(model.theta, script.thetas[1])


def test_early_stopping_where_no_epoch_is_ever_better_keeps_the_start():
    """Patience counts from the start, and the start is what is put back."""
    model = sv.VAE(D, rng=np.random.default_rng(0))
    before = model.theta.copy()
    _, history = train(Script("loss", [np.inf] * 6), sv.EarlyStopping(2), model=model, valid=binary(9))
    assert len(history.train["loss"]) == 2 and np.array_equal(model.theta, before)


def test_early_stopping_without_validation_is_refused():
    model = sv.VAE(D, rng=np.random.default_rng(0))
    before = model.theta.copy()
    with pytest.raises(ValueError, match="^valid: "):
        train(sv.EarlyStopping(), model=model)
    assert np.array_equal(model.theta, before)


@pytest.mark.parametrize("make, name", [
    (lambda: sv.EarlyStopping(0), "patience"), (lambda: sv.EarlyStopping(1.5), "patience"),
    (lambda: train(type("Own", (sv.Callback,), {"settled": 0.5})()), r"callbacks\[0\].settled"),
    (lambda: sv.KLWarmup(0), "epochs"), (lambda: sv.StepDecay(()), "epochs"), (lambda: sv.StepDecay((3, 2)), "epochs"),
    (lambda: sv.StepDecay(3), "epochs"), (lambda: sv.StepDecay((0, 2)), r"epochs\[0\]"), (lambda: sv.StepDecay((1,), 0), "factor"),
    (lambda: sv.LearningRateDecay(1), "start"), (lambda: sv.LearningRateDecay(-0.1), "start"),
    (lambda: sv.Progress(interval=-1), "interval"), (lambda: sv.Progress(interval="often"), "interval")])
def test_bad_arguments_are_refused_by_name(make, name):
    with pytest.raises((ValueError, TypeError), match=f"^{name}: "):
        make()


# ---- progress -------------------------------------------------------------------------------------------------

class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("interval, n_lines", [(0.0, 6), (1000.0, 2)])
def test_progress_in_a_log(interval, n_lines):
    """At most one line an epoch, and a last one; no control characters."""
    out = io.StringIO()
    train(sv.Progress("vae", out, interval=interval), valid=binary(9))
    lines = out.getvalue().splitlines()
    assert len(lines) == n_lines and out.getvalue().endswith("\n")
    assert "\r" not in out.getvalue() and "\x1b" not in out.getvalue()
    assert lines[-1].startswith("vae epoch 6/6  loss ") and lines[-1].endswith("done") and "valid loss" in lines[-1]
    assert lines[0].startswith("vae epoch 1/6  loss ") and lines[0].endswith(" s left")
    assert all(word in lines[0] for word in ("elbo", "reconstruction", "kl"))


def test_progress_tells_the_time_left(monkeypatch):
    """Epochs of two seconds each: after e of 6, 2 (6 - e) s are left."""
    now, out = [100.0], io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def two_seconds(run):
        now[0] += 2
    train(two_seconds, sv.Progress("", out, interval=0))
    assert [line.split("  ")[-1] for line in out.getvalue().splitlines()] == [
        "10 s left", "8 s left", "6 s left", "4 s left", "2 s left", "done"]
    assert sv.Progress().interval == 5


def test_progress_of_a_run_that_continues_knows_only_its_own_epochs(monkeypatch):
    """From epoch 4 of 8, one epoch in two seconds: three are left, 6 s, whatever the first four took."""
    now, out = [100.0], io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    run = SimpleNamespace(epoch=4, epochs=8, stop=False, history=SimpleNamespace(train={"loss": [1.0]}, valid={}))
    speaker = sv.Progress("", out, interval=0)
    speaker.begin(run)
    now[0], run.epoch = 102.0, 5
    speaker.epoch_end(run)
    assert out.getvalue().rstrip().endswith("  6 s left")


def test_progress_on_a_terminal():
    """One line, rewritten in place, ended once."""
    out = Terminal()
    train(sv.Progress("vae", out))
    assert out.getvalue().count("\n") == 1 and out.getvalue().endswith("done\n")
    assert out.getvalue().startswith("\r\x1b[Kvae epoch 1/6")


@pytest.mark.parametrize("stream", [Terminal, io.StringIO])
@pytest.mark.parametrize("order", [1, -1])
def test_progress_says_the_last_word_however_the_run_ends(stream, order):
    """Also when another callback, before or after it in the list, stops the run."""
    def stop(run):
        run.stop = run.epoch == 2

    out = stream()
    train(*[sv.Progress("vae", out, interval=1000), stop][::order])
    assert out.getvalue().endswith("done\n") and out.getvalue().count("done") == 1
    assert "epoch 2/6" in out.getvalue().replace("\r", "\n").splitlines()[-1]


def test_progress_ends_its_line_after_a_failure():
    def fail(run):
        raise RuntimeError

    out = Terminal()
    with pytest.raises(RuntimeError):
        train(sv.Progress("vae", out), fail)
    assert out.getvalue().endswith("\n") and "done" not in out.getvalue()


def test_progress_goes_to_standard_error_by_default(capsys):
    train(sv.Progress())
    captured = capsys.readouterr()
    assert captured.out == "" and "epoch 6/6" in captured.err


def test_progress_shows_the_values_of_the_history():
    out = io.StringIO()
    _, history = train(sv.Progress("", out, interval=0))
    assert all(f"loss {loss:.3f}" in line for loss, line in zip(history.train["loss"], out.getvalue().splitlines()))


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_progress_is_as_short_as_the_terminal_is_narrow(columns, monkeypatch):
    """No line is broken, which would leave it standing: the loss and what is left come first."""
    class Window(Terminal):
        def fileno(self):
            return 7

    monkeypatch.setattr(progress.os, "get_terminal_size", lambda fd: {7: SimpleNamespace(columns=columns)}[fd])
    out = Window()
    train(sv.Progress("  a VAE of the first lesson:", out), valid=binary(9))
    lines = out.getvalue().rstrip("\n").split("\r\x1b[K")[1:]
    assert max(map(len, lines)) < columns and lines[-1].endswith("done")
    assert "lesson: epoch 6/6  loss " in lines[-1]
    assert (columns < 60) != lines[-1].startswith("a VAE of the first lesson:")
    assert columns < 200 or all(word in lines[-1] for word in ("elbo", "kl", "valid loss"))


def test_progress_on_a_terminal_of_unknown_width_takes_80_columns():
    out = Terminal()
    train(sv.Progress("a VAE with a very long label that takes most of the room of a line:", out), valid=binary(9))
    assert all(len(line.rstrip("\n")) < 80 and "loss" in line for line in out.getvalue().split("\r\x1b[K")[1:])


def test_progress_speaks_first_on_a_machine_that_has_just_started(monkeypatch):
    monkeypatch.setattr(progress.time, "monotonic", lambda: 3.0)
    out = io.StringIO()
    train(sv.Progress("", out, interval=1000))
    assert len(out.getvalue().splitlines()) == 2


def test_progress_says_that_a_run_is_continued(tmp_path):
    for epochs, said in ((2, []), (4, ["vae continued after epoch 2 of 4"]), (4, ["vae continued after epoch 4 of 4"])):
        out = io.StringIO()
        sv.fit(sv.VAE(D, (), 2, rng=np.random.default_rng(0)), binary(), epochs=epochs, rng=np.random.default_rng(1),
               callbacks=[sv.Progress("vae", out)], checkpoint=tmp_path / "run.npz")
        assert [line for line in out.getvalue().splitlines() if "continued" in line] == said


# ---- ends and begins ----------------------------------------------------------------------------------------------

class Careless(sv.Callback):
    def end(self, run):
        raise RuntimeError("as planned")


@pytest.mark.parametrize("order", [1, -1])
def test_an_end_that_raises_does_not_keep_the_others_from_theirs(order):
    model, optimizer = sv.VAE(D, beta=2.0, rng=np.random.default_rng(0)), sv.SGD(0.01)
    diary = Diary()
    stopping = sv.EarlyStopping(9)
    with pytest.raises(RuntimeError, match="as planned"):
        train(*[Careless(), sv.KLWarmup(5), sv.LearningRateDecay(), stopping, diary, Careless()][::order], model=model,
              optimizer=optimizer, valid=binary(9))
    assert model.beta == 2.0 and optimizer.lr == 0.01 and diary.lines[-1] == "end"
    assert np.array_equal(model.theta, stopping.best_theta)


def test_a_begin_that_refuses_ends_what_has_begun_and_nothing_else():
    first, last = Diary(), Diary()
    with pytest.raises(ValueError, match="^valid: "):
        train(first, sv.EarlyStopping(), last)
    assert first.lines == ["begin", "end"] and last.lines == []


def test_the_occasions_of_an_epoch():
    class Full(Diary):
        def epoch_trained(self, run):
            self.lines.append(f"trained {sorted(run.history.train)[:1]} {len(run.history.valid.get('loss', ()))}")

    diary = Full()
    train(diary, epochs=1, valid=binary(9))
    assert diary.lines == ["begin", 0, "trained [] 0", "end of 1", "end"]


# ---- what is watched --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, better", [
    ("loss", "fall"), ("kl", "fall"), ("elbo", "rise"), ("bound", "rise"), ("log_prob", "rise"),
    ("reconstruction", "rise"), ("accuracy", "rise")])
def test_the_direction_follows_from_the_name(name, better):
    for given in (None, better):
        assert sv.EarlyStopping(monitor=name, direction=given).direction == better
    with pytest.raises(ValueError, match=f"^direction: {name} should {better}"):
        sv.EarlyStopping(monitor=name, direction={"rise": "fall", "fall": "rise"}[better])


def test_an_unknown_name_asks_for_its_direction():
    for direction, error in ((None, "^direction: want 'rise' or 'fall', .* 'score'"), ("up", "^direction: want one")):
        with pytest.raises(ValueError, match=error):
            sv.EarlyStopping(monitor="score", direction=direction)
    assert sv.EarlyStopping(monitor="score", direction="rise").direction == "rise"


@pytest.mark.parametrize("monitor, direction", [("accuracy", None), ("bound", None), ("score", "rise")])
def test_a_term_that_the_model_has_not_is_refused_before_the_first_epoch(monitor, direction):
    model, diary = sv.VAE(D, rng=np.random.default_rng(0)), Diary()
    before = model.theta.copy()
    with pytest.raises(ValueError, match="^monitor: want one of loss, elbo, reconstruction, kl, the `terms` of VAE"):
        train(sv.EarlyStopping(monitor=monitor, direction=direction), diary, model=model, valid=binary(9))
    assert np.array_equal(model.theta, before) and model.history is None


@pytest.mark.parametrize("make, terms", [
    (lambda rng: sv.VAE(D, rng=rng), "loss elbo reconstruction kl"),
    (lambda rng: sv.IWAE(D, rng=rng), "loss bound elbo"),
    (lambda rng: sv.Autoencoder(D, rng=rng), "loss reconstruction"), (lambda rng: sv.MADE(D, rng=rng), "loss log_prob"),
    (lambda rng: sv.FVBN(D, rng=rng), "loss log_prob"),
    (lambda rng: sv.Classifier(D, n_classes=2, rng=rng), "loss accuracy")])
def test_the_terms_of_a_model_are_known_before_training(make, terms):
    model = make(np.random.default_rng(0))
    assert " ".join(model.terms._fields) == terms
    labels = [np.arange(40) % 2] if terms.endswith("accuracy") else []
    history = sv.fit(model, binary(), *labels, epochs=1, rng=np.random.default_rng(0), valid=(binary(), *labels))
    assert " ".join(history.train) == " ".join(history.valid) == terms


def watched(callbacks, cls, epochs=60, checkpoint=None):
    """A run on 400 digits that overfits: its model's validation loss at the end, at full beta, and its history."""
    X, _ = sv.load_digits()
    X = sv.binarize(X.astype(np.float32))
    model = cls(64, hidden=(64,), n_latent=4, rng=np.random.default_rng(0))
    history = sv.fit(model, X[:400], epochs=epochs, optimizer=sv.Adam(3e-3), rng=np.random.default_rng(1),
                     valid=X[400:600], callbacks=callbacks, checkpoint=checkpoint)
    return model.evaluate(X[400:600], rng=np.random.default_rng(2)).loss, history


@pytest.mark.parametrize("cls", [sv.VAE, sv.IWAE])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("monitor", ["loss", "elbo"])
def test_early_stopping_beside_a_warm_up_judges_at_full_weight(cls, order, monitor):
    """What is put back is the best epoch at full beta: never one of the first, whose own weight was next to nothing."""
    stopping = sv.EarlyStopping(10, monitor)
    loss, history = watched([sv.KLWarmup(20), stopping][::order], cls)
    best = history.valid[monitor].argmin() if monitor == "loss" else history.valid[monitor].argmax()
    assert stopping.best_epoch == 1 + best and 10 < stopping.best_epoch < len(history.train["loss"])
    assert stopping.best == history.valid[monitor][best] and abs(loss - history.valid["loss"][best]) < 0.5
    plain, _ = watched([sv.EarlyStopping(10, monitor)], cls)
    assert loss < plain + 0.5


def test_early_stopping_beside_a_warm_up_continues_from_a_checkpoint(tmp_path):
    def callbacks():
        return [sv.EarlyStopping(10), sv.KLWarmup(20)]

    want, _ = watched(callbacks(), sv.VAE, 25)
    with pytest.warns(UserWarning, match="stays unfinished: it takes 20 epochs or more, this run has epochs=8"):
        watched(callbacks(), sv.VAE, 8, tmp_path / "run.npz")  # in the midst of the warm-up
    assert watched(callbacks(), sv.VAE, 25, tmp_path / "run.npz")[0] == want
