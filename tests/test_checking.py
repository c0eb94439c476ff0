"""Do the doors keep out what the mathematics cannot use, and let the rest through untouched?"""
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from scratchvae import checking

NAN, INF = float("nan"), float("inf")


def check_refused(error, words, function, *arguments, **options):
    """`function("the_name", ...)` raises `error`, and the message holds the argument's name and all `words`."""
    with pytest.raises(error) as caught:
        function("the_name", *arguments, **options)
    for word in ("the_name", *words):
        assert word in str(caught.value), f"{word!r} is not in {caught.value}"


@given(strategies.seeds, strategies.sizes(2), strategies.dtypes)
def test_a_good_array_comes_back_as_it_is(seed, shape, dtype):
    X = strategies.normals(seed, *shape, dtype=dtype)
    assert checking.real_array("X", X) is X
    assert checking.matrix("X", X, shape[1], dtype) is X
    assert checking.matrix("X", X.tolist()).dtype == np.float64
    np.testing.assert_array_equal(checking.matrix("X", X.tolist(), dtype=dtype), X, strict=True)


@pytest.mark.parametrize("value, error, words", [
    (np.ma.masked_array([1.0, 2.0], mask=[0, 1]), TypeError, ["masked"]),
    ([[1.0], [2.0, 3.0]], ValueError, ["rectangular"]),
    (["a", "b"], TypeError, ["dtype <U1"]),
    ([1 + 2j], TypeError, ["complex"]),
    ([None, 1.0], TypeError, ["object", "None at row 0"]),
    (np.array([[1, 2], [3, None]], object), TypeError, ["object", "None at row 1, column 1"]),
    ([Fraction(1, 2)], TypeError, ["object"]),
    (np.array(["2020-01-01"], "datetime64[D]"), TypeError, ["datetime"]),
    ([], ValueError, ["empty", "(0,)"]),
    (np.zeros((3, 0)), ValueError, ["empty", "(3, 0)"]),
    ([1.0, NAN], ValueError, ["NaN"]),
    ([1.0, -INF], ValueError, ["infinity", "-inf at row 1 (as float64)"]),
    (NAN, ValueError, ["NaN or infinity: nan (as"]),
    (np.full((2, 3, 4), NAN), ValueError, ["nan at index (0, 0, 0)"]),
])
def test_real_array_refuses(value, error, words):
    check_refused(error, words, checking.real_array, value)


def test_one_bad_number_is_found_wherever_it_is():
    X = np.zeros((7, 400_003))  # several blocks, the last one short
    for row, column in ((0, 0), (3, 1), (6, 400_002)):
        X[row, column] = NAN
        check_refused(ValueError, [f"NaN or infinity: nan at row {row}, column {column}"], checking.real_array, X)
        X[row, column] = 0
    assert checking.real_array("X", X) is X


def test_a_number_too_large_for_float32_is_refused_there_and_only_there():
    check_refused(ValueError, ["infinity", "float32"], checking.real_array, [1e39], np.float32)
    assert checking.real_array("x", [1e39])[0] == 1e39


def test_the_first_number_that_breaks_a_rule_is_named_with_its_place():
    X = np.zeros((5, 300_000), np.float32)
    X[4, 7], X[4, 9] = 0.25, 3
    with pytest.raises(ValueError, match=r"^X: want 0, got 0.25 at row 4, column 7 \(all in \[0, 3\]\)$"):
        checking.every("X", X, lambda X: X == 0, "want 0, got {}")
    assert checking.every("X", X, lambda X: X <= 3, "") is X


@pytest.mark.parametrize("value, n_columns, words", [
    (np.zeros(3), None, ["(N, D)", "(3,)"]),
    (np.zeros((2, 3, 4)), None, ["(N, D)", "(2, 3, 4)"]),
    (1.0, None, ["(N, D)", "()"]),
    (np.zeros((2, 3)), 4, ["(N, 4)", "(2, 3)"]),
])
def test_matrix_refuses_other_shapes(value, n_columns, words):
    check_refused(ValueError, words, checking.matrix, value, n_columns)


@given(st.integers(1, 9), st.integers(0, 9), st.integers(1, 40))
def test_row_blocks_cover_every_row_once(n_columns, n_rows, size):
    X = np.arange(n_rows * n_columns).reshape(n_rows, n_columns)
    blocks = [X[rows] for rows in checking.row_blocks(X, size)]
    np.testing.assert_array_equal(np.concatenate(blocks) if blocks else X, X)
    assert all(1 <= len(block) <= max(1, size // n_columns) for block in blocks)


def test_class_labels_accept_any_integers():
    for dtype in (np.int8, np.uint8, np.int32, np.int64, np.uint64):
        labels = checking.class_labels("labels", np.array([2, 0, 1], dtype), n_rows=3, n_classes=3)
        np.testing.assert_array_equal(labels, np.array([2, 0, 1], np.intp), strict=True)


@pytest.mark.parametrize("value, error, words, options", [
    ([0.0, 1.0], TypeError, ["integers", "float64"], {}),
    ([True, False], TypeError, ["integers", "bool"], {}),
    ([0, -1], ValueError, ["0..C-1", "-1 at row 1", "[-1, 0]"], {}),
    ([0, 3], ValueError, ["0..2", "3 at row 1", "[0, 3]"], {"n_classes": 3}),
    ([[0, 1]], ValueError, ["(N,)", "(1, 2)"], {}),
    ([0, 1], ValueError, ["(3,)", "(2,)"], {"n_rows": 3}),
    ([], ValueError, ["empty"], {}),
    (np.array([2**63], np.uint64), ValueError, ["9223372036854775808"], {}),  # would turn negative
])
def test_class_labels_refuse(value, error, words, options):
    check_refused(error, words, checking.class_labels, value, **options)


def test_integer():
    for value in (3, np.int64(3), np.uint8(3)):
        got = checking.integer("n", value, low=3, high=3)
        assert got == 3 and type(got) is int
    for value in (True, np.bool_(True), 3.0, "3", None, np.array([3])):
        check_refused(TypeError, ["integer"], checking.integer, value)
    check_refused(ValueError, [">= 1", "0"], checking.integer, 0)
    check_refused(ValueError, ["from 0 to 4", "5"], checking.integer, 5, low=0, high=4)
    assert checking.integer("n", 0, low=0) == 0


def test_number():
    for value in (1, 1.0, np.float32(1), np.int8(1)):
        got = checking.number("x", value, low=1, high=1)
        assert got == 1.0 and type(got) is float
    for value in (True, np.bool_(False), "1", None, 1j, np.array(1.0), [1.0]):
        check_refused(TypeError, ["number"], checking.number, value)
    for value in (NAN, INF, -INF, np.float32(NAN)):
        check_refused(ValueError, [str(value)], checking.number, value, low=-INF)


def test_the_ends_of_a_number_s_interval_are_open_only_where_said():
    assert checking.number("x", 0, high=2) == 0 and checking.number("x", 2, high=2) == 2
    check_refused(ValueError, ["(0, 2]", "0"], checking.number, 0, high=2, open_low=True)
    check_refused(ValueError, ["[0, 2)", "2"], checking.number, 2, high=2, open_high=True)
    check_refused(ValueError, ["[0, inf)", "-1"], checking.number, -1)


def test_generator():
    rng = np.random.default_rng(0)
    assert checking.generator("rng", rng) is rng
    for value in (0, None, np.random, np.random.RandomState(0), np.random.default_rng):
        check_refused(TypeError, ["Generator"], checking.generator, value)


def test_float_type():
    assert checking.float_type("dtype", "float32") is np.float32
    assert checking.float_type("dtype", np.dtype(np.float64)) is np.float64
    for value in (None, int, "float16", np.complex64, "no such type", 64):  # numpy reads None as float64
        check_refused(TypeError, ["float32 or float64"], checking.float_type, value)


# ---- doors declared beside a name -----------------------------------------------------------------------------------

def test_an_entry_checks_in_turn_and_hands_on_what_came_of_it():
    @checking.entry(x=checking.matrix, y=lambda name, value, x: checking.matrix(name, value, x.shape[1]),
                    n=checking.size, p=checking.optional(checking.share))
    def f(x, y, *, n=2, p=None):
        return x, y, n, p

    x, y, n, p = f([[1, 2]], y=[[3, 4], [5, 6]])
    assert x.shape == (1, 2) and y.shape == (2, 2) and (n, p) == (2, None)
    for error, words, arguments in (
            (ValueError, r"^y: want shape \(N, 2\), got \(1, 3\)", {"y": [[1, 2, 3]]}), (ValueError, "^p: ", {"p": 1.0}),
            (TypeError, "^n: ", {"n": 1.5}), (TypeError, "f: got an unexpected keyword argument 'z'", {"z": 1})):
        with pytest.raises(error, match=words):
            f([[1, 2]], **{"y": [[3, 4]], **arguments})


def test_a_door_refuses_what_comes_out_and_an_entry_does_not():
    x = np.full(2, 1e300)
    with pytest.raises(FloatingPointError, match="^x: too large"):
        checking.door(x=checking.real_array)(lambda x: x * x)(x)
    with pytest.raises(FloatingPointError, match="^y: too large"):
        checking.door("y")(lambda x: (0.0, x * x))(x)
    with np.errstate(over="ignore"):
        assert np.isinf(checking.entry(x=checking.real_array)(lambda x: x * x)(x)).all()


def test_an_array_that_is_changed_in_place_and_one_like_another():
    x = np.zeros(3)
    assert checking.writeable("x", x) is x and checking.like("y", x, np.ones(3), "x") is x
    x.flags.writeable = False
    check_refused(ValueError, ["read-only"], checking.writeable, x)
    check_refused(TypeError, ["list"], checking.writeable, [1.0])
    check_refused(TypeError, ["ndarray"], checking.writeable, np.arange(3))
    check_refused(ValueError, ["as theta", "float32"], checking.like, np.zeros(3, np.float32), x, "theta")
