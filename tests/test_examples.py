"""Does training hear every epoch's data: arrays, a function's, rows of a file; and is each looked at?

The `check_...` functions look their subject up in its module when called, so a planted mistake meets them.
"""
import re
import tracemalloc

import numpy as np
import pytest

import scratchvae as sv
from scratchvae.data import digits
from scratchvae.nn import examples, training
from test_training import Interrupt, Witness, binary, check_same, new_vae, state_of

N, D = 61, 12


def grey(n=N, d=D, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).random((n, d)).astype(dtype)


def memory_map(folder, X, name="X.dat"):
    """X in a file, open for reading."""
    np.memmap(folder / name, X.dtype, "w+", shape=X.shape)[:] = X
    return np.memmap(folder / name, X.dtype, "r", shape=X.shape)


class Rows:
    """What HDF5 gives: shape, dtype, rows by rising indices; and it counts what was read."""

    def __init__(self, X):
        self.X, self.shape, self.dtype, self.most, self.read = X, X.shape, X.dtype, 0, 0

    def __len__(self):
        return len(self.X)

    def __getitem__(self, rows):
        assert isinstance(rows, np.ndarray) and (np.diff(rows) > 0).all(), "HDF5 wants rising indices"
        self.most, self.read = max(self.most, len(rows)), self.read + len(rows)
        return self.X[rows]


def trained(X, labels=None, *, model=None, epochs=3, batch_size=16, **how):
    model = model or new_vae()
    data = (X,) if labels is None else (X, labels)
    history = training.fit(model, *data, epochs=epochs, batch_size=batch_size, rng=np.random.default_rng(7), **how)
    return model, history


# ---- a function of the generator --------------------------------------------------------------------------------------

def check_new_every_epoch(epochs=4):
    """Each epoch's data are what the function gives for the run's generator, once an epoch, the first before the start."""
    calls, model, rng = [], Witness(), np.random.default_rng(5)
    model.start = lambda x: calls.append("start")

    def draw(rng):
        calls.append(rng.random((23, 1)))
        return calls[-1]

    training.fit(model, draw, epochs=epochs, batch_size=5, rng=rng)
    drawn = [call for call in calls if not isinstance(call, str)]
    assert len(drawn) == epochs and isinstance(calls[1], str)
    by_hand = np.random.default_rng(5)
    for epoch, data in enumerate(drawn):
        np.testing.assert_array_equal(data, by_hand.random((23, 1)))
        np.testing.assert_array_equal(np.concatenate(model.seen[5 * epoch:5 * epoch + 5]), data[by_hand.permutation(23), 0])
    assert repr(rng.bit_generator.state) == repr(by_hand.bit_generator.state)


def test_new_every_epoch():
    check_new_every_epoch()


def test_a_callback_that_draws_has_other_numbers_than_the_data():
    """Also before the first epoch, whose data were drawn at the door already."""
    for occasion in ("begin", "epoch_begin"):
        callback = type("Drawing", (sv.Callback,), {occasion: lambda self, run: numbers.append(run.rng.random(23))})()
        numbers, model = [], Witness()
        training.fit(model, lambda rng: rng.random((23, 1)), epochs=2, batch_size=23, rng=np.random.default_rng(5),
                     callbacks=[callback])
        assert len(set(np.concatenate([*model.seen, *numbers]))) == 23 * (2 + len(numbers))


def check_stochastic_binarization(n=4000):
    """0 and 1 in X's dtype, with X as their mean within five standard errors; 0 and 1 stay; another draw every time."""
    for dtype in (np.float32, np.float64):
        X = np.linspace(0, 1, 9, dtype=dtype)
        rng, draw = np.random.default_rng(0), digits.stochastic_binarization(np.tile(X, (n, 1)))
        b, other = draw(rng), draw(rng)
        assert b.dtype == dtype and b.shape == (n, 9) and set(np.unique(b)) == {0, 1}
        assert (np.abs(b.mean(axis=0) - X) <= 5 * np.sqrt(X * (1 - X) / n)).all()
        np.testing.assert_allclose((b != other).mean(axis=0), 2 * X * (1 - X), atol=5 * np.sqrt(0.25 / n))
        assert abs(np.corrcoef(b[:, 3], b[:, 4])[0, 1]) < 5 / np.sqrt(n)  # pixels are drawn one by one
        np.testing.assert_array_equal(draw(np.random.default_rng(0)), b)


def test_stochastic_binarization():
    check_stochastic_binarization()


def test_stochastic_binarization_keeps_shape_and_refuses_what_is_no_share():
    assert sv.stochastic_binarization(np.ones((2, 3, 4), int))(np.random.default_rng(0)).dtype == np.float64
    for bad, words in ((grey() + 1, r"^X: want values in \[0, 1\]"), (np.full((2, 2), np.nan), "^X: contains NaN"), ("X", "^X: ")):
        with pytest.raises((ValueError, TypeError), match=words):
            sv.stochastic_binarization(bad)
    with pytest.raises(TypeError, match="^rng: want a numpy.random.Generator"):
        sv.stochastic_binarization(grey())(0)


def test_stochastic_binarization_takes_no_more_memory_than_what_it_gives():
    X = grey(20000, 50)
    draw = sv.stochastic_binarization(X)
    tracemalloc.start()
    draw(np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.3 * X.nbytes


def test_one_epoch_s_data_are_held_at_a_time():
    """8 MB in float32; in the making 16 MB of float64 more; nothing else that is as large."""
    tracemalloc.start()
    trained(lambda rng: rng.integers(0, 2, (20000, 100)).astype(float), model=new_vae(d=100), epochs=3, batch_size=2000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 37e6, peak  # integers and float64 while they are drawn, float64 and float32 while they are accepted


def run(path=None, epochs=9, interrupt=None, X=None):
    """All that can go wrong at a restart, on data that change: warm-up, steps, early stopping, a drawn validation."""
    model, rng, optimizer, stopping = new_vae(), np.random.default_rng(7), sv.Adam(5e-3), sv.EarlyStopping(20)
    try:
        history = training.fit(
            model, X or sv.stochastic_binarization(grey()), epochs=epochs, batch_size=16, optimizer=optimizer, rng=rng,
            valid=sv.stochastic_binarization(grey(17, seed=5)), checkpoint=path, clip_norm=3.0,
            callbacks=[sv.KLWarmup(6), sv.StepDecay((3, 6)), stopping, Interrupt(interrupt)])
    except KeyboardInterrupt:
        return None
    return state_of(model, optimizer, rng, history, stopping)


def check_resume_of_a_function(path, interrupt=4):
    want = run()
    assert run(path, interrupt=interrupt) is None
    check_same(run(path), want)
    check_same(run(path), want)  # a finished run is only read back


@pytest.mark.parametrize("interrupt", [1, 4, 8])
def test_resume_of_a_function(tmp_path, interrupt):
    check_resume_of_a_function(tmp_path / "run.npz", interrupt)


def test_another_function_or_another_form_is_refused_to_a_checkpoint(tmp_path):
    path = tmp_path / "run.npz"
    with pytest.warns(UserWarning, match="stays unfinished"):
        run(path, epochs=2)
    content = path.read_bytes()

    def other(rng):
        return binary()

    for X, words in ((other, "its data is float32 (61, 12) from stochastic_binarization, this one's float32 (61, 12) from"),
                     (sv.stochastic_binarization(grey(dtype=np.float64)), "this one's float64 (61, 12)"),
                     (sv.stochastic_binarization(grey(60)), "its n_examples is 61, this one's 60")):
        with pytest.raises(ValueError, match=re.escape(words)):
            run(path, epochs=3, X=X)
    with pytest.raises(ValueError, match="its callbacks is|its data"):
        trained(binary(), checkpoint=path)
    assert path.read_bytes() == content


def test_labels_beside_a_function_stay_and_are_told_apart(tmp_path):
    labels, seen = np.arange(N) % 3, []

    class Seer(sv.Classifier):
        def forward_backward(self, x, labels, *, rng=None):
            seen.extend(np.column_stack([x[:, 0], labels]).tolist())
            return super().forward_backward(x, labels)

    def mark(rng):
        return np.column_stack([np.arange(N) / N, rng.standard_normal((N, D - 1))])

    def fit(labels, epochs):
        model = Seer(D, (4,), 3, rng=np.random.default_rng(0))
        return trained(mark, labels, model=model, epochs=epochs, valid=(mark, labels), checkpoint=tmp_path / "run.npz")

    fit(labels, 2)
    assert len(seen) == 2 * N and all(round(x * N) % 3 == label for x, label in seen)
    fit(labels.astype(np.int16), 3)
    with pytest.raises(ValueError, match="its data's fingerprint is"):
        fit(labels[::-1], 4)


NAN, OTHER = "^X: contains NaN", r"^X: want float32 \(61, 12\) from .*draw in every epoch, as in the first, got "


@pytest.mark.parametrize("bad, done, words", [
    (np.where(np.arange(D) == 7, np.float32(np.nan), binary()), 0, NAN), (grey(), 0, "^X: Bernoulli wants every value 0 or 1"),
    (binary(d=D + 1), 0, r"^X: want shape \(N, 12\)"), (np.zeros((0, D)), 0, "^X: got an empty array"), ("text", 0, "^X: "),
    (np.where(np.arange(D) == 7, np.float32(np.nan), binary()), 2, NAN), (grey(), 2, "^X: Bernoulli wants every value 0 or 1"),
    (binary(N - 1), 2, OTHER + r"float32 \(60, 12\)"), (binary(d=D + 1), 2, OTHER), (binary(dtype=np.float64), 2, OTHER + "float64")])
def test_what_a_function_gives_is_looked_at_in_every_epoch(bad, done, words):
    """In the first before anything is changed; in the third when it comes, with the two epochs before it done."""
    calls = []

    def draw(rng):
        calls.append(0)
        return bad if len(calls) > done else binary()

    model, rng = new_vae(), np.random.default_rng(7)
    before, state = model.theta.copy(), rng.bit_generator.state
    with pytest.raises((ValueError, TypeError), match=words):
        training.fit(model, draw, epochs=5, rng=rng)
    if done:
        assert len(model.history.train["loss"]) == done
    else:
        assert model.history is None and np.array_equal(model.theta, before) and rng.bit_generator.state == state


def test_a_function_that_wants_something_else_is_refused_by_name():
    for function, words in ((len, "^X: len, called with a generator, raised"), (lambda: 0, "^X: .*lambda.*raised")):
        with pytest.raises(TypeError, match=words):
            trained(function)
    with pytest.raises(TypeError, match="^valid: len, called"):
        trained(binary(), valid=len)


@pytest.mark.parametrize("result, words", [
    ((binary(), np.zeros(9, int)), "^{}: want an array from the function, got a tuple; labels cannot be drawn: "),
    ([binary(), np.zeros(9, int)], "^{}: want a rectangular array of numbers"), ({"x": binary()}, "^{}: want real numbers")])
def test_a_function_that_gives_no_array_is_refused_by_name(result, words):
    with pytest.raises((ValueError, TypeError), match=words.format("X")):
        trained(lambda rng: result)
    with pytest.raises((ValueError, TypeError), match=words.format("valid")):
        trained(binary(), valid=lambda rng: result)


def test_a_validation_function_is_called_once_and_its_draw_is_every_run_s(tmp_path):
    calls, shown = [], []

    def draw(rng):
        calls.append(repr(rng.bit_generator.state))
        return np.float32(rng.random((9, D)) < 0.5)

    class Seer(sv.VAE):
        def evaluate(self, x, *, rng):
            shown.append(x)
            return super().evaluate(x, rng=rng)

    for seed in (1, 2):
        training.fit(Seer(D, (4,), 2, rng=np.random.default_rng(seed)), binary(), epochs=3, rng=np.random.default_rng(seed), valid=draw)
    assert len(calls) == 2 and len(set(calls)) == 1
    assert len(shown) == 6 and all(np.array_equal(x, shown[0]) for x in shown)


def test_validation_data_that_come_by_row_are_read_at_once(tmp_path):
    want = trained(binary(), valid=binary(17))[1].valid["loss"]
    for valid in (Rows(binary(17)), memory_map(tmp_path, binary(17)), lambda rng: Rows(binary(17))):
        np.testing.assert_array_equal(trained(binary(), valid=valid)[1].valid["loss"], want)


def test_a_function_may_give_rows_by_index():
    model, _ = trained(lambda rng: Rows(np.float32(rng.random((N, D)) < 0.4)))
    same, _ = trained(lambda rng: np.float32(rng.random((N, D)) < 0.4))
    np.testing.assert_array_equal(model.theta, same.theta)


# ---- rows by index ------------------------------------------------------------------------------------------------

def check_by_row(folder, dtype=np.float32):
    """Bit for bit the run on the same rows in memory, read a batch at a time, each row once an epoch."""
    X, labels = binary(dtype=dtype), np.arange(N) % 3
    want, rows = trained(X)[0].theta, Rows(X)
    for by_row in (memory_map(folder, X), rows):
        np.testing.assert_array_equal(trained(by_row)[0].theta, want)
    assert rows.read == 2 + N + 3 * N  # at the door, at the start, in three epochs

    def classifier():
        return sv.Classifier(D, (4,), 3, rng=np.random.default_rng(0))

    want = trained(X, labels, model=classifier(), batch_size=4)[0].theta  # whose batches may lack classes, and do
    for by_row in (memory_map(folder, X), Rows(X)):
        np.testing.assert_array_equal(trained(by_row, labels, model=classifier(), batch_size=4)[0].theta, want)


def test_what_has_no_rows_is_refused_by_name():
    class Sparse(Rows):
        def __len__(self):
            raise TypeError("sparse array length is ambiguous")

    for argument in ("X", "valid"):
        with pytest.raises(TypeError, match=f"^{argument}: want real numbers, got dtype object"):
            trained(**{"X": binary(), argument: Sparse(binary())})


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, bool])
def test_by_row(tmp_path, dtype):
    check_by_row(tmp_path, dtype)


def test_memory_for_a_memory_map_does_not_grow_with_its_rows(tmp_path, monkeypatch):
    """Nor is it looked at as a whole: 40 MB of float64, of which no more than a few batches and the sample are held."""
    monkeypatch.setattr(examples, "SAMPLE", 1 << 17)
    X = np.memmap(tmp_path / "X.dat", np.float64, "w+", shape=(50000, 100))
    for start in range(0, 50000, 5000):
        X[start:start + 5000] = binary(5000, 100, seed=start)
    peaks = []
    for n in (5000, 50000):
        rows = Rows(X[:n])
        for data in (X[:n], rows):
            tracemalloc.start()
            trained(data, model=new_vae(d=100), epochs=1, batch_size=256, checkpoint=tmp_path / f"{n}{type(data)}.npz")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert rows.most <= 1 << 17
    assert max(peaks) < 8e6 and max(peaks[2:]) < max(peaks[:2]) + 8 * 50000 + 1e6, peaks  # 8 bytes a row: the order


def test_a_number_that_is_none_is_reported_with_its_row(tmp_path):
    X = binary(3000, D)
    X[2345, 7] = np.nan
    for by_row in (memory_map(tmp_path, X), Rows(X)):
        with pytest.raises(ValueError, match=r"^X: contains NaN or infinity: nan at row 2345, column 7 \(as float32\)"):
            trained(by_row)
    X[2345, 7] = 0.5
    with pytest.raises(ValueError, match="^X: Bernoulli wants every value 0 or 1, got 0.5 at row 2345, column 7"):
        trained(Rows(X))


def test_the_start_of_large_data_is_made_of_rows_from_everywhere(tmp_path, monkeypatch):
    monkeypatch.setattr(examples, "SAMPLE", 600 * D)
    X = binary(6000, D)
    X[3000:, :2] = 1  # sorted, as files often are
    by_row, in_memory = new_vae(), new_vae()
    by_row.start(*examples.ByRow(X, [], lambda x, rows: (x,)).some())
    in_memory.start(X)
    bias = [model.decoder.layers[-1].b for model in (by_row, in_memory)]
    np.testing.assert_allclose(bias[0], bias[1], atol=0.5)
    assert np.abs(bias[0] - bias[1]).max() > 0


def test_a_made_knows_how_many_rows_there_are_and_not_only_of_the_sample(monkeypatch):
    monkeypatch.setattr(examples, "SAMPLE", 300 * D)
    X = binary(3000, D)
    penalties = []
    for data in (X, Rows(X), lambda rng: Rows(X)):
        model = sv.MADE(D, (8,), rng=np.random.default_rng(0))
        sv.fit(model, data, epochs=1, batch_size=500, rng=np.random.default_rng(1))
        penalties.append(model.penalty)
    np.testing.assert_allclose(penalties, penalties[0], rtol=0.1)  # the sample's variances, and all rows


@pytest.mark.parametrize("seed", range(3))
def test_shares_of_classes_are_those_of_all_rows_and_not_of_the_sample(monkeypatch, seed):
    monkeypatch.setattr(examples, "SAMPLE", 100 * D)
    X, labels = binary(3000, D), np.zeros(3000, np.uint8)
    labels[np.random.default_rng(seed).choice(3000, 2, replace=False)] = 1, 2
    for kind, given in ((sv.VAE, Rows(X)), (sv.IWAE, lambda rng: Rows(X))):
        model = kind(D, (4,), 2, n_classes=3, rng=np.random.default_rng(0))
        sv.fit(model, given, labels, epochs=1, batch_size=500, rng=np.random.default_rng(0))
        np.testing.assert_array_equal(model.class_shares, np.array([2998, 1, 1]) / 3000)


def test_a_run_on_draws_from_other_pictures_is_another_run(tmp_path):
    """Of the same shape and dtype, by the same function: also what one pixel was drawn from tells them apart."""
    X = np.random.default_rng(0).random((40, D), np.float32)
    other = X.copy()
    other[39, 3] = 1 - other[39, 3]
    for first, again in ((X, X.copy()), (X, 1 - X), (X, other)):
        path = tmp_path / f"{again.sum()}.npz"

        def run(X, epochs):
            model = new_vae(d=D)
            sv.fit(model, sv.stochastic_binarization(X), epochs=epochs, rng=np.random.default_rng(0), checkpoint=path)
            return model.theta
        whole = new_vae(d=D)
        sv.fit(whole, sv.stochastic_binarization(first), epochs=2, rng=np.random.default_rng(0))
        run(first, 1)
        if (first == again).all():
            np.testing.assert_array_equal(run(again, 2), whole.theta)
        else:
            with pytest.raises(ValueError, match="checkpoint of another run: its data's fingerprint"):
                run(again, 2)


def test_a_label_outside_the_sample_is_looked_at_before_training_and_known_again(tmp_path, monkeypatch):
    monkeypatch.setattr(examples, "SAMPLE", 100 * D)
    X, labels = Rows(binary(3000, D)), np.arange(3000) % 3

    def run(labels):
        model = sv.VAE(D, (4,), 2, n_classes=3, rng=np.random.default_rng(0))
        before = model.theta.copy()
        try:
            sv.fit(model, X, labels, epochs=1, batch_size=500, checkpoint=tmp_path / "c.npz", rng=np.random.default_rng(0))
        except ValueError:
            np.testing.assert_array_equal(model.theta, before)
            raise
    for row in (1, 1234, 2998):
        with pytest.raises(ValueError, match=f"^labels: want classes in 0..2, got 3 at row {row}"):
            run(np.where(np.arange(3000) == row, 3, labels))
    run(labels)
    for row in (1, 1234, 2998):
        with pytest.raises(ValueError, match="data's fingerprint"):
            run(np.where(np.arange(3000) == row, 0, labels))


def test_a_classifier_is_refused_one_class_by_row_as_in_memory():
    for X in (binary(30), Rows(binary(30))):
        with pytest.raises(ValueError, match="^labels: want two classes or more to tell apart, got only class 1"):
            trained(X, np.ones(30, int), model=sv.Classifier(D, (4,), 3, rng=np.random.default_rng(0)))
    with pytest.raises(ValueError, match="^labels: want at least one for each of 3 classes, got 2"):
        trained(Rows(binary(2)), np.array([0, 1]), model=sv.Classifier(D, (4,), 3, rng=np.random.default_rng(0)))


def test_wrong_rows_are_refused_by_name_before_anything_is_changed(tmp_path):
    class Short(Rows):
        def __getitem__(self, rows):
            return self.X[rows[:-1]]

    for X, labels, words in ((Rows(binary(d=D + 1)), None, r"^X: want shape \(N, 12\)"), (Short(binary()), None, r"^X\[2 indices\]: want shape"),
                             (Rows(binary().astype(complex)), None, "^X: want real numbers"), (Rows(binary()[:0]), None, "^X: "),
                             (memory_map(tmp_path, np.arange(5.0)), None, r"^X: want shape")):
        model = new_vae()
        before = model.theta.copy()
        with pytest.raises((ValueError, TypeError), match=words):
            trained(X, labels, model=model)
        assert np.array_equal(model.theta, before)
    with pytest.raises(ValueError, match=r"^labels: want shape \(61,\), got \(60,\)"):
        trained(Rows(binary()), np.arange(N - 1) % 3, model=sv.Classifier(D, (4,), 3, rng=np.random.default_rng(0)))


def test_a_checkpoint_knows_rows_by_index_again(tmp_path):
    path, X = tmp_path / "run.npz", binary()
    want = trained(X, epochs=4)[0].theta
    trained(memory_map(tmp_path, X), epochs=2, checkpoint=path)
    with pytest.raises(ValueError, match=r"its data is float32 \(61, 12\) by row, this one's None"):
        trained(X, epochs=4, checkpoint=path)
    with pytest.raises(ValueError, match="its data's fingerprint is"):
        trained(memory_map(tmp_path, 1 - X, "other"), epochs=4, checkpoint=path)
    np.testing.assert_array_equal(trained(memory_map(tmp_path, X), epochs=4, checkpoint=path)[0].theta, want)


# ---- arrays that change while they are trained on ------------------------------------------------------------------

@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("change", [
    lambda X: np.copyto(X, 1 - X), lambda X: X.__setitem__((3, 5), 1 - X[3, 5]), lambda X: np.copyto(X, X[::-1].copy()),
    lambda X: np.copyto(X, X[:, ::-1].copy())], ids=["all", "one", "rows", "columns"])
@pytest.mark.parametrize("occasion", ["epoch_begin", "epoch_trained", "epoch_end", "function"])
def test_a_callback_that_writes_into_the_data_is_refused_in_every_dtype(dtype, change, occasion):
    for name in ("X", "valid"):
        data = {"X": binary(dtype=dtype), "valid": binary(17, dtype=dtype, seed=5)}
        writer = lambda run: change(data[name]) if run.epoch in (1, 2) else None
        if occasion != "function":
            writer = type("Writer", (sv.Callback,), {occasion: lambda self, run, write=writer: write(run)})()
        model = new_vae()
        with pytest.raises(ValueError, match=f"^{name}: changed while it was trained on.*as sv.stochastic_binarization"):
            trained(data["X"][:], valid=data["valid"], callbacks=[writer], epochs=6, model=model)
        assert 1 <= len(model.history.train["loss"]) <= 2


def test_labels_that_change_are_refused_and_data_that_do_not_are_not():
    labels = np.arange(N) % 3
    model = sv.Classifier(D, (4,), 3, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="^X: changed"):
        trained(binary(), labels, model=model, callbacks=[lambda run: labels.sort()])
    for X in (binary(), binary()[::-1], np.asfortranarray(binary()), binary().tolist(), binary().T.copy().T):
        trained(X, valid=X, callbacks=[lambda run: None])
