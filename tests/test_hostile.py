"""Does every public door hold? Whatever comes in is served right, or refused by name, and nothing else ever happens.

`DOORS` (`doors.py`) has a valid call of every public name; `TRUSTING` has those that are no doors, with the reason. A
walk through the package finds names that are in neither, so that a new door cannot be forgotten. At each argument of
each door are thrown `strangers`, things of any kind, and `relatives`, the valid array in other dtypes, orders, strides,
shapes and scales; and Hypothesis makes arrays of its own. What is served must be what a plain copy of the argument gives.
"""
import inspect
import os
import re
import signal
import tracemalloc
import warnings
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.figure import Figure

import scratchvae as sv
from doors import BITS, CLASSIFIER, D, DOORS, Fresh, K, LABELS, MODULES, N, reals, rng, state_of, vae
from scratchvae import plotting

matplotlib.use("Agg")

TRUSTING = {  # a pattern of names -> why they are no doors
    r".*\.(forward|backward|bind|forward_backward|evaluate|value|value_and_grad|value_of_pairs|noise|damage|draw|update|start|"
    r"through_z|through_kl|penalty_and_grad)": "a training step: its input came through `fit`'s door",
    r"gaussian\.(log_prob|kl|kl_standard|reparameterize|\w+_grad|moments|means|varies)": "the arithmetic of a training step",
    r".*\.(config|arrays|state|flow|named_parameters|n_params|n_features|columns)": "takes nothing, or a model's number",
    r".*\.(get_params|get_covariance|get_precision)": "takes nothing that counts",
    r"(?!PCA).*\.set_params": "the constructor's door, as PCA.set_params shows",
    r".*\.(load_arrays|load_state|from_config)": "behind the doors `load` and `fit(checkpoint=)`, which refuse for them",
    r".*\.(log_likelihood|reconstruction_and_kl)|vae\.repeat|Gaussian\.variance_terms|"
    r".*\.(scale_terms|variances_to_start|mean_of_x|joined)": "inside `elbo`, and of analysis behind its doors",
    r".*\.(accept_rows|begin|end|epoch_begin|epoch_trained|epoch_end|settings|of|multiplier)|History\.append":
        "called by `fit` with its run",
    r".*\.(apply|along)": "behind `encode`, `decode`, `predict` and their like; inside `log_evidence`",
    r"elbo\.(evidence|expected_evidence|bayes|times_q_over_q|three_terms|two_divergences|elbo|derivation)": "wants Pieces",
    r"elbo\.(log_gaussian|linear_log_likelihood)": "inside `in_closed_form`",
    r"evidence\.(log_weights|propose|effective_sample_size)": "inside `log_evidence`",
    r"evidence\.(as_proposal|effective_sizes)|gradient_estimators\.baseline_for|posterior\.(fine_step|grid_or_default)|"
    r"network\.(layers_once|activation_class|activation_name)": "is itself the check at a door",
    r"gradient_estimators\.(square_\w+|total_variance)": "formulas of a lesson: one line each",
    r"posterior\.(grid_log_likelihood|moments)": "inside `grid_posterior`, and of what it returns",
    r"gradcheck\.(slopes|numerical_gradient|one_number|look_again|rounding|by_tensor|size_of|relative_errors|second_look|refuse_hidden|"
    r"GradientErrors.*)": "inside `check_gradient`, which checks for them, or what it returns",
    r".*\.terms|saveable": "a class, and a decorator of classes",
    r"(Model|Observation|Optimizer)\.\w+": "what a base class leaves to its subclasses, whose doors are here",
    r"network\.(pack|share_out|start_outputs)": "inside `Network`",
    r"gaussian_mixture\.(spread_points|expectation|maximisation)|latent_space\.nearest_distances":
        "inside `fit`, inside `isolated_share`"}


def public_names():
    """All public functions, classes and methods of scratchvae's first level, of its modules there and of analysis."""
    for home, module in {"": sv, **MODULES}.items():
        for name, thing in vars(module).items():
            elsewhere = home and (getattr(thing, "__module__", None) != module.__name__ or getattr(sv, name, None) is thing)
            if name.startswith("_") or inspect.ismodule(thing) or not callable(thing) or elsewhere:
                continue
            name = f"{home}.{name}" if home else name
            is_tuple = inspect.isclass(thing) and issubclass(thing, tuple)  # a namedtuple holds what it is given
            if not (home and is_tuple):
                yield name
            if inspect.isclass(thing) and not is_tuple:
                yield from (f"{name}.{m}" for m in dir(thing) if not m.startswith("_") and callable(getattr(thing, m)))


def test_no_door_is_forgotten():
    names = set(public_names())
    trusting = {name for name in names if any(re.fullmatch(pattern, name) for pattern in TRUSTING)} - DOORS.keys()
    doors = {name.split()[0] for name in DOORS}  # "fit with labels" is another way through `fit`
    assert names - trusting - doors == set()
    assert doors - names == set()
    assert [p for p in TRUSTING if not any(re.fullmatch(p, name) for name in names)] == []
    assert {name.split(".")[0] for name in names} >= {"VAE", "PCA", "fit"}
    submodules = {n for n, m in vars(sv).items() if inspect.ismodule(m)} - {"__main__"}  # which a test that ran it leaves
    assert submodules <= {*MODULES, *"analysis checking data models nn probability plotting extending writing".split()}


# ---- what is thrown -------------------------------------------------------------------------------------------------

def strangers():
    """Things of every kind, none of which is an array that anything here wants."""
    return {
        "None": None, "text": "text", "empty text": "", "bytes": b"bytes", "True": True, "0": 0, "-1": -1, "0.0": 0.0,
        "-1.5": -1.5, "nan": np.nan, "inf": np.inf, "-inf": -np.inf, "1e300": 1e300, "1e-300": 1e-300, "2^63": 2**63,
        "10^400": 10**400, "-10^400": -(10**400), "10^5000": 10**5000, "long double": np.longdouble("1e4000"),
        "complex": 1j, "object": object(), "class": int, "builtin": len, "dict": {"a": 1}, "set": {1, 2},
        "empty list": [], "empty tuple": (), "ragged": [[1.0], [1.0, 2.0]], "words": ["a", "b"],
        "list of None": [None, None], "generator": (i for i in range(3)), "array of object": np.array([None, 1]),
        "0-d object": np.array(None), "words as array": np.array(["a", "b"]), "dates": np.array(["2020-01-01"], "M8[D]"),
        "time": np.array([3], "m8[s]"), "structured": np.zeros(N, [("a", float), ("b", int)]),
        "complex array": np.ones((N, D), complex), "empty": np.zeros(0), "no rows": np.zeros((0, D)),
        "no columns": np.zeros((N, 0)), "0-d nan": np.array(np.nan), "masked constant": np.ma.masked,
        "masked": np.ma.masked_array(np.ones((N, D)), np.eye(N, D)), "RandomState": np.random.RandomState(0),
        "seed sequence": np.random.SeedSequence(0), "pair": (None, None), "strange dtype": np.dtype("f2"),
        "deep list": [[[[1.0]]]], "Fresh": Fresh(None)}


def relatives(good):
    """`good` (an array) in other dtypes, orders, strides, shapes and scales; name -> array."""
    flat, doubled, read_only = good.reshape(-1), np.repeat(good, 2, axis=0), good.copy()
    read_only.flags.writeable = False
    thrown = {
        "F": np.asfortranarray(good), "strided": doubled[::2], "reversed": good[::-1].copy()[::-1],
        "read-only": read_only, "list": good.tolist(), "tuple": tuple(good.tolist()),
        "big-endian": good.astype(good.dtype.newbyteorder(">")), "matrix": good.view(np.matrix) if good.ndim == 2 else good,
        "memoryview": memoryview(np.ascontiguousarray(good)),
        "unaligned": np.frombuffer(b"x" + good.tobytes(), np.uint8)[1:].view(good.dtype).reshape(good.shape),
        "transposed": good.T, "flat": flat, "one more dimension": good[None], "column": flat[:, None],
        "row": flat[None], "one row": good[:1], "twice the rows": doubled, "one row less": good[:-1],
        "more columns": np.concatenate([good, good], -1), "fewer columns": good[..., :-1], "0-d": np.array(good.flat[0]),
        "scalar": good.flat[0], "same everywhere": np.full_like(good, good.flat[0]),
        "broadcast row": np.broadcast_to(good[:1], good.shape), "zeros": np.zeros_like(good), "ones": np.ones_like(good),
        "negative": -1.0 * good - 1, "permuted": good[::-1], "object": good.astype(object), "words": good.astype(str),
        "complex": good.astype(complex), "bytes": np.ascontiguousarray(good).view(np.uint8)}
    for dtype in map(np.dtype, ("f2", "f4", "f8", np.longdouble, "i1", "u1", "i2", "i8", "u8", bool)):
        with np.errstate(all="ignore"):
            thrown[dtype.name] = (np.abs(good) if dtype.kind == "u" else good).astype(dtype)
    for value in (np.nan, np.inf, -np.inf, 1e-320, -1e9, 1e19, -3e38, 1e39, -1e155, 1.7e308):
        planted = good.astype(np.float64)
        planted.flat[good.size // 2] = value
        thrown[f"planted {value}"], thrown[f"all {value}"] = planted, np.full(good.shape, value)
    return thrown


NEVER_NUMBERS = strangers().keys() - {"None", "True", "0", "-1", "0.0", "-1.5", "1e300", "1e-300", "2^63", "empty list",
                                      "empty tuple", "empty", "no rows", "no columns", "pair", "deep list"}
INFINITE = {"divergence.kl_table", "mu_law.signal_to_noise"}  # what these give may be


def serves_gaps(name):
    """Whether NaN is a missing value here."""
    return name.startswith("ProbabilisticPCA.") and not name.endswith(("inverse_transform", "sample"))


def is_number(good):
    return isinstance(good, (int, float)) and not isinstance(good, bool)


def never_served(name, argument, good, what):
    """Whether this stranger must not be served at this argument, by the kind of what is good there."""
    if (name, argument) == ("FVBN.loss_and_grad", "rng"):  # which draws nothing
        return False
    if what == "None":
        return not (good is None or DOORS[name].defaults.get(argument) is None)
    if isinstance(good, np.ndarray):
        return re.match("empty [lt]|empty$|no ", what) or what in NEVER_NUMBERS and what != "long double"
    if isinstance(good, bool):
        return what != "True"
    if is_number(good):
        no_integers = ("True", "0.0", "-1.5", "1e300", "1e-300", "deep list")
        return what in NEVER_NUMBERS or isinstance(good, int) and what in no_integers
    return isinstance(good, (np.random.Generator, sv.nn.model.Model))


# ---- what is asserted -----------------------------------------------------------------------------------------------

def fingerprint(value):
    if isinstance(value, np.ndarray) and value is not np.ma.masked:
        content = repr(value) if value.dtype.hasobject else value.tobytes()
        return value.dtype.str, value.shape, value.strides, content
    if isinstance(value, tuple):
        return tuple(fingerprint(v) for v in value)
    return None


def drawn(values):
    """Where every generator among the values stands: a call refused at the door draws nothing."""
    return [repr(v.bit_generator.state) for v in values if isinstance(v, np.random.Generator)]


def numbers_in(result):
    """All numeric arrays in what a door returned."""
    if isinstance(result, (np.ndarray, np.generic, float, int)):
        return [np.asarray(result)]
    parts = ()
    if isinstance(result, (tuple, list)):
        parts = result
    elif isinstance(result, dict):
        parts = result.values()
    elif isinstance(result, sv.History):
        parts = result.train, result.valid
    elif hasattr(result, "__dict__") and not callable(result):
        parts = [part for name, part in vars(result).items() if name not in ("networks", "by_order")]
    return [a for part in parts for a in numbers_in(part)]


def plain(value):
    """The same numbers as a plain array of native bytes in C order, or the value itself if it is no array."""
    if isinstance(value, (np.ndarray, list, memoryview)) or (isinstance(value, tuple) and type(value) is tuple):
        array = np.array(value, order="C", subok=False)
        return array.astype(array.dtype.newbyteorder("="))
    return value


@contextmanager
def at_most(seconds):
    """A hang is a failure, too (where there are alarms)."""
    def ring(*arguments):
        raise TimeoutError(f"took over {seconds} seconds")

    if not hasattr(signal, "setitimer"):
        yield
        return
    old = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def check_served_or_refused(name, argument, value, what, must_refuse=False):
    """One call with one strange argument; returns whether it was served."""
    door = DOORS[name]
    (owner, call), good = door.make(), door.good()
    model = good.get("model", good.get("vae"))
    look = lambda: ([state_of(thing) for thing in (owner, model)], [fingerprint(v) for v in (*good.values(), value)])
    before, before_draws = look(), drawn(good.values())
    names = {argument, *(door.partners if argument not in ("rng", "vae") else ())}
    with warnings.catch_warnings(), at_most(10):
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", f"({'|'.join(names)}): ", UserWarning)                 # told by name, and served
        try:
            result = call(**{**good, argument: value})
        except (ValueError, TypeError, FloatingPointError) as error:
            message = f"{name}({argument}={what}): {type(error).__name__}: {error}"
            is_path = argument in ("path", "directory", "checkpoint") and any(
                text in str(error) for text in (str(value), repr(value)))
            assert is_path or any(re.search(rf"\b{n}\b", str(error)) for n in names), f"not named: {message}"
            has_trained = isinstance(error, FloatingPointError) and "at epoch" in str(error)  # before it diverged
            assert look() == before or has_trained, f"changed, though refused: {message}"
            if not isinstance(error, FloatingPointError):  # which shows only in the middle of a computation
                assert drawn(good.values()) == before_draws, f"drew, though refused: {message}"
            return False
        except AssertionError:
            assert name == "check_gradient"
            return False
        except BaseException as error:
            raise AssertionError(f"{name}({argument}={what}): {type(error).__name__}: {error}") from error
    assert not must_refuse, f"{name}({argument}={what}) was served: {result!r}"
    if not name.endswith(".step"):  # which changes theta: that is its service
        assert look()[1] == before[1], f"{name}({argument}={what}) changed its input"
    got = numbers_in(result)
    finite = name in INFINITE or all(np.isfinite(a).all() for a in got if a.dtype.kind == "f")
    assert finite, f"{name}({argument}={what}) gave {result!r}"
    if isinstance(door.good()[argument], np.ndarray) and isinstance(value, (np.ndarray, list, memoryview)):
        want = numbers_in(door.make()[1](**{**door.good(), argument: plain(value)}))
        assert len(got) == len(want)
        for one, other in zip(got, want):
            scale = np.abs(other[np.isfinite(other)]).max(initial=0) if other.dtype.kind == "f" else 0
            # What check_gradient gives is rounding error itself, another one for another memory layout.
            atol = 1e-7 if name == "check_gradient" else 1e-5 * float(scale)
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=atol, err_msg=f"{name}({argument}={what})")
    return True


def arguments(kind=object):
    return [(name, argument) for name, door in DOORS.items()
            for argument, good in door.good().items() if isinstance(good, kind)]


ARRAYS = arguments(np.ndarray)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder of its own, with a model in it."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("hostile"))
    sv.save(vae(), "kept.npz")
    yield
    os.chdir(before)


@pytest.mark.parametrize("name", sorted(set(DOORS) - {"load_idx"}))
def test_what_is_good_is_served(name, here):
    door = DOORS[name]
    door.make()[1](**door.good())


@pytest.mark.parametrize("name, argument", arguments())
def test_strangers(name, argument, here):
    good = DOORS[name].good()[argument]
    for what, value in strangers().items():
        if what == "10^5000" and not is_number(good) or what in ("class", "builtin") and callable(good):
            continue  # Python itself refuses to print it; a function's own errors are its own
        check_served_or_refused(name, argument, value, what, never_served(name, argument, good, what))


@pytest.mark.parametrize("name, argument", ARRAYS)
def test_relatives(name, argument, here):
    good = DOORS[name].good()[argument]
    served = set()
    for what, value in relatives(good).items():
        refuse = re.search("nan|inf|object|words|complex", what) is not None
        if serves_gaps(name) and "nan" in what:
            continue  # which marks a missing value: tests/test_missing_values.py
        if name.endswith(".step") and re.match("planted|all", what):
            continue  # a step is arithmetic; `fit` looks at every loss and says what is not finite
        if check_served_or_refused(name, argument, value, what, refuse):
            served.add(what)
    if not name.endswith(".step") and name != "check_gradient":  # which want theta's very dtype and kind
        assert served >= {"F", "strided", "reversed", "read-only", "unaligned", "list"}


@st.composite
def arrays(draw):
    """Any dtype that numbers come in, and some that they do not; any few sizes; any order and stride."""
    dtype = draw(st.one_of(
        hnp.floating_dtypes(endianness="?"), hnp.integer_dtypes(endianness="?"), hnp.unsigned_integer_dtypes(),
        hnp.boolean_dtypes(), hnp.complex_number_dtypes(), hnp.unicode_string_dtypes(max_len=3)))
    shape = draw(st.one_of(st.sampled_from([(N, D), (N, K), (N,), (3, N, K), (K,), (3,)]),
                           hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7)))
    array = draw(hnp.arrays(dtype, shape))
    if array.ndim and draw(st.booleans()):
        array = array[::draw(st.sampled_from([-1, 2, -2]))]
    return array.T if draw(st.booleans()) else array


@settings(max_examples=int(os.environ.get("HOSTILE_EXAMPLES", 200)))
@given(st.sampled_from(ARRAYS), arrays())
def test_arbitrary_arrays(where, value):
    if not where[0].endswith(".step"):  # whose numbers `fit` looks at
        check_served_or_refused(*where, value, f"{value!r} {value.strides}", value.dtype.kind in "cU" or not value.size)


@pytest.mark.parametrize("name, argument", ARRAYS[::3])
def test_memory(name, argument):
    """A bad array of 4 MB is refused in a small multiple of its size, wherever the bad number is."""
    bad = np.ones((1 << 17, 4))
    bad[-1, -1] = np.inf
    tracemalloc.start()
    check_served_or_refused(name, argument, bad, "a large array with infinity at its end", must_refuse=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * bad.nbytes, (name, argument, peak / bad.nbytes)  # its fingerprints, two copies, are among them


# ---- doors that take more than one thing at once --------------------------------------------------------------------

NO_NUMBERS = {"text": "1", "NaN": np.nan, "infinity": np.inf, "None": None, "True": True, "array": np.ones(2), "complex": 1j,
              "10^400": 10**400, "list": [1.0], "negative": -1.5, "zero": 0.0}


@pytest.mark.parametrize("what", NO_NUMBERS)
@pytest.mark.parametrize("name, argument", [
    ("gaussian_posterior", "prior"), ("beta_posterior", "prior"), ("beta_mode", "beta"), ("beta_log_prob", "beta")])
def test_members_of_a_prior(name, argument, what):
    """A namedtuple holds what it is given, so whoever uses it must look at its members, and names the wrong one."""
    door = DOORS[f"inference.{name}"]
    good = door.good()[argument]
    for member in good._fields:
        if member != "mean" or what not in ("negative", "zero"):  # a mean may be any number
            with pytest.raises((ValueError, TypeError), match=rf"^{argument}\.{member}: "):
                door.make()[1](**{**door.good(), argument: good._replace(**{member: NO_NUMBERS[what]})})


def fit(model, *data, **how):
    return sv.fit(model, *data, **{"epochs": 1, "rng": rng(), **how})


@pytest.mark.parametrize("error, words, call", [
    (TypeError, "^valid: want X or .X, labels., got 3 things", lambda vae, c: fit(
        c, BITS, LABELS, valid=(BITS, LABELS, LABELS))),
    (TypeError, "^labels, valid: VAE learns from X alone", lambda vae, c: fit(vae, BITS, valid=(BITS, BITS, BITS))),
    (TypeError, "^valid: ", lambda vae, c: fit(c, BITS, LABELS, valid=())),
    (ValueError, "^valid: a classifier needs labels", lambda vae, c: fit(c, BITS, LABELS, valid=BITS)),
    (ValueError, "^model: KLWarmup raises a VAE's beta, Classifier has none", lambda vae, c: fit(
        c, BITS, LABELS, callbacks=[sv.KLWarmup(3)])),
    (ValueError, "^monitor: want one of loss, elbo, reconstruction, kl, the `terms` of VAE, got 'accuracy'",
     lambda vae, c: fit(vae, BITS, valid=BITS, callbacks=[sv.EarlyStopping(monitor="accuracy")])),
    (TypeError, "^layers: ", lambda vae, c: sv.Network([sv.Tanh(), np.tanh])),
    (TypeError, "^layers: ", lambda vae, c: sv.Network([vae])), (TypeError, "^layers: ", lambda vae, c: sv.Network([])),
    (ValueError, "^layers: want each layer with parameters once", lambda vae, c: sv.Network(
        [layer := sv.Dense(3, 3, rng=rng()), sv.Tanh(), layer])),
    (ValueError, "^layers: want each layer with parameters once", lambda vae, c: sv.Network(
        [layer := sv.Network([sv.Dense(3, 3, rng=rng())]), layer])),
    (ValueError, "^log_p: want shape .N,., got .2, 3.", lambda vae, c: sv.divergence.fit_forward(
        -np.ones((2, 3)), np.arange(6.0).reshape(2, 3)))])
def test_what_is_wrong_only_together(error, words, call):
    model = vae()
    before = state_of(model)
    with pytest.raises(error, match=words):
        call(model, CLASSIFIER.new())
    assert state_of(model) == before


MODELS = {"VAE": lambda **how: sv.VAE(D, rng=rng(), **how), "IWAE": lambda **how: sv.IWAE(D, rng=rng(), **how),
          "Autoencoder": lambda **how: sv.Autoencoder(D, noise=0.1, corruption="masking", rng=rng(), **how),
          "FVBN": lambda **how: sv.FVBN(D, rng=rng(), **how), "MADE": lambda **how: sv.MADE(D, rng=rng(), **how)}


@pytest.mark.parametrize("name, setting, values", [
    ("VAE", "beta", (-5, np.nan, None, "1")), ("VAE", "n_samples", (0, 1.5, -1)), ("IWAE", "beta", (-1,)),
    ("IWAE", "n_samples", (0,)), ("Autoencoder", "noise", (-0.1, 2)), ("FVBN", "l2", (-1, np.inf)),
    ("MADE", "l2", (-1,)), ("VAE", "observation", (sv.Categorical(),))])
@pytest.mark.parametrize("by_callback", [False, True])
def test_a_model_s_setting_that_its_constructor_refuses_is_not_trained_with(name, setting, values, by_callback):
    for value in values:
        model = MODELS[name]()
        spoil = lambda run=None: setattr(model, setting, value)
        spoil() if not by_callback else None
        before = model.theta.copy()
        with pytest.raises((ValueError, TypeError), match=rf"^model\.{setting}: want "):
            fit(model, BITS, epochs=3, callbacks=[spoil] if by_callback else [])
        assert by_callback == (model.history is not None) and by_callback != np.array_equal(model.theta, before)


OTHERS = [(lambda: sv.SGD(0.1), {"lr": (-1, "1"), "momentum": (1, -0.1), "weight_decay": (-1,)}),
          (lambda: sv.Adam(), {"lr": (np.nan,), "beta1": (1,), "beta2": (-1,), "eps": (0,)}),
          (lambda: sv.Adagrad(), {"eps": (-1,)}), (lambda: sv.KLWarmup(1), {"epochs": (0,)}),
          (lambda: sv.StepDecay((1,)), {"epochs": ((),), "factor": (-1,)}),
          (lambda: sv.LearningRateDecay(), {"start": (1,)}),
          (lambda: sv.EarlyStopping(1), {"patience": (0,), "direction": ("rise",)})]


@pytest.mark.parametrize("make, settings", OTHERS)
def test_nor_with_one_of_an_optimizer_or_a_callback(make, settings):
    for setting, values in settings.items():
        for value in values:
            thing, model = make(), vae()
            setattr(thing, setting, value)
            before = state_of(model)
            is_optimizer = isinstance(thing, sv.Optimizer)
            how = {"optimizer": thing} if is_optimizer else {"callbacks": [thing], "valid": BITS}
            where = "optimizer" if is_optimizer else r"callbacks\[0\]"
            with pytest.raises((ValueError, TypeError), match=rf"^{where}\.{setting}: "):
                fit(model, BITS, **how)
            assert state_of(model) == before


@pytest.mark.parametrize("setting, value", [("floor", -1e-4), ("variance", -1.0)])
def test_nor_with_one_of_an_observation_model(setting, value):
    model = sv.VAE(D, observation=sv.Gaussian(), rng=rng())
    setattr(model.observation, setting, value)
    with pytest.raises(ValueError, match=rf"^model\.observation\.{setting}: "):
        fit(model, BITS)


def test_a_learning_rate_that_a_callback_lets_fall_below_0_ends_the_run():
    def fall(run):
        run.optimizer.lr = 1e-3 * (1 - run.epoch / 2)

    model = vae()
    with pytest.raises(ValueError, match=r"^optimizer\.lr: want a number in \[0, inf\), got -0.0005"):
        fit(model, BITS, epochs=9, callbacks=[fall])
    assert len(model.history.train["loss"]) == 3


@pytest.mark.parametrize("name, how", [("VAE", {"n_samples": 10**9}), ("IWAE", {"n_samples": 10**9}),
                                       ("FVBN", {}), ("Autoencoder", {})])
def test_a_step_that_no_memory_holds_is_refused(name, how):
    class Many:  # rows by index, more of them than there are
        shape, dtype = (10**12, D), np.dtype(np.float32)
        __len__ = lambda self: self.shape[0]
        __getitem__ = lambda self, rows: np.zeros((len(rows), D), np.float32)

    model, many = MODELS[name](**how), not how
    words = rf"^batch_size: {10**11} rows times \d+ numbers" if many else rf"^batch_size, n_samples: {N} rows times {10**9} "
    with pytest.raises(ValueError, match=words):
        fit(model, Many() if many else BITS, batch_size=10**11 if many else 64)
    assert model.history is None
    if not how:
        fit(model, BITS, batch_size=10**11)  # of few rows: all at once


@pytest.mark.parametrize("layer", [sv.Tanh, sv.ReLU, sv.Sigmoid])
def test_a_layer_without_parameters_may_be_used_twice(layer):
    one, dense = layer(), sv.Dense(4, 4, rng=rng(), dtype=np.float64)
    y, caches = sv.Network([one, dense, one]).forward(reals(3, 4))
    np.testing.assert_array_equal(y, layer().forward(dense.forward(layer().forward(reals(3, 4))[0])[0])[0])


# ---- figures --------------------------------------------------------------------------------------------------------

CURVE, IMAGES = np.arange(1.0, 5), np.linspace(0, 1, 36).reshape(4, 9)
TERMS, HISTORY = dict.fromkeys(("elbo", "reconstruction", "kl"), CURVE), sv.History()
HISTORY.append("train", {"loss": 1.0, "log_prob": -1.0})
lines = lambda x=CURVE, curves={"AE": CURVE}, **how: plotting.lines(x, curves, "t", "x", "y", **how)
curves = lambda train, valid=None, **how: plotting.training_curves(train, valid, "t", **how)
FIGURES = {  # what a figure shows -> how it is drawn, the names of its arguments, and what is good
    "image_grid images": (lambda images: plotting.image_grid(images, "t"), "images", IMAGES),
    "image_grid n_columns": (lambda n: plotting.image_grid(IMAGES, "t", n_columns=n), "n_columns", 2),
    "manifold images": (lambda images: plotting.manifold(images, "t"), "images", IMAGES),
    "manifold_grid n": (plotting.manifold_grid, "n", 3),
    "traversal images": (lambda images: plotting.traversal(images, [-1, 1], "t", ["a", "b"]), "images row_labels", IMAGES),
    "latent_scatter z": (lambda z: plotting.latent_scatter(z, LABELS, "t"), "z labels", reals(N, 2)),
    "latent_scatter labels": (lambda labels: plotting.latent_scatter(reals(N, 2), labels, "t"), "labels", LABELS),
    "lines x": (lines, "x curves", CURVE), "lines curve": (lambda y: lines(curves={"AE": y}), "curves", CURVE),
    "lines error": (lambda e: lines(errors={"AE": e}), "errors", CURVE),
    "lines curves": (lambda curves: lines(curves=curves), "curves", {"AE": CURVE}),
    "bars value": (lambda value: plotting.bars({"AE": value}, "t", "y"), "values", 1.0),
    "bars values": (lambda values: plotting.bars(values, "t", "y"), "values", {"AE": 1.0}),
    "training_curves term": (lambda term: curves({**TERMS, "elbo": term}), "train", CURVE),
    "training_curves history": (plotting.training_curves, "train terms", HISTORY),
    "training_curves valid": (lambda valid: curves(TERMS, valid), "valid", TERMS),
    "training_curves best": (lambda best: curves(TERMS, TERMS, best=best), "best", 2),
    "label x": (lambda x: plotting.label(Figure().add_subplot(), x, 1, "name"), "x", 2.0),
    "diagram model": (lambda model: plotting.diagram(model), "model", sv.Network([sv.Tanh()])),
    "panels n": (lambda n: plotting.panels(n, "t"), "n", 2)}
SAMPLES = ("list", "read-only", "strided", "big-endian", "object", "words", "complex", "one row", "more columns",
           "planted nan", "planted inf", "all -inf")


@pytest.mark.parametrize("where", FIGURES)
def test_figures(where):
    """The data of every figure: drawn, or refused by name before a figure is made; and left as they were."""
    draw, names, good = FIGURES[where]
    thrown = {what: value for what, value in strangers().items() if what != "10^5000"}
    if isinstance(good, np.ndarray):
        thrown |= {what: value for what, value in relatives(good).items() if what in SAMPLES}
    drawn = set()
    with warnings.catch_warnings(), at_most(60):
        warnings.simplefilter("error")
        for what, value in thrown.items():
            before = fingerprint(value)
            try:
                draw(value)
                drawn.add(what)
            except (ValueError, TypeError) as error:
                assert str(error).startswith(tuple(names.split())), (what, error)
                assert plt.get_fignums() == [], what
            plt.close("all")
            assert fingerprint(value) == before, what
        draw(good)
        plt.close("all")
    if isinstance(good, np.ndarray):
        assert not drawn & {*NEVER_NUMBERS, "planted nan", "planted inf", "all -inf"}
        assert drawn >= {"list", "read-only", "strided", "big-endian"}


# ---- files ----------------------------------------------------------------------------------------------------------

@st.composite
def almost_files(draw, real):
    """Arbitrary bytes; after a zip's first bytes; or a real file with a piece cut out, doubled or replaced."""
    junk = draw(st.binary(max_size=200))
    start, stop = sorted((draw(st.integers(0, len(real))), draw(st.integers(0, len(real)))))
    return draw(st.sampled_from([junk, real[:4] + junk, real[:start] + junk + real[stop:], real[:stop] + real[start:],
                                 real[:start] + real[stop:]]))


@settings(max_examples=int(os.environ.get("HOSTILE_EXAMPLES", 150)))
@given(st.data())
def test_load_of_arbitrary_bytes(here, data):
    """A model that is whole, or ValueError with the file's name; never anything else."""
    Path("doubtful.npz").write_bytes(data.draw(almost_files(Path("kept.npz").read_bytes())))
    with warnings.catch_warnings(), at_most(10):
        warnings.simplefilter("error")
        try:
            model = sv.load("doubtful.npz")
        except ValueError as error:
            assert "doubtful.npz" in str(error)
        else:
            assert np.isfinite(model.theta).all() and model.config() == sv.load("kept.npz").config()


@pytest.mark.parametrize("name, argument", [tuple(door.rsplit(" ", 1)) for door in (
    "VAE n_features", "FVBN n_features", "VAE hidden", "Classifier n_classes", "VAE.sample n", "FVBN.sample n", "arc n",
    "speech_like n", "GaussianMixture.sample n", "GaussianMixture.grid n_nodes", "GaussianMixture.standard K",
    "log_evidence n_samples", "multi_sample_bound k", "latent_grid step")])
def test_counts_whose_numbers_no_memory_holds_are_refused_by_name(name, argument):
    huge = {"hidden": (2**39,), "step": 2**-39}.get(argument, 2**39)
    with pytest.raises(ValueError, match=rf"^(\w+\[\d\]: |half_width, )?{argument}"):
        DOORS[name].make()[1](**{**DOORS[name].good(), argument: huge})
    with pytest.raises(ValueError, match="^n_out"):
        sv.VAE(10**6, hidden=(10**6,), rng=rng())
