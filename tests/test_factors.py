"""Does the gap know what it should? Factors as the code, turned, noise; what is read off; the directions of a regression."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.analysis import factors as known
from scratchvae.data.faces import EYES, HEAD, TURN

N = 5000


def uniform(seed, n=N, columns=2):
    return np.random.default_rng(seed).uniform(-1, 1, (n, columns))


def turned(z, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return z @ np.array([[c, s], [-s, c]])


def check_gap_of_known_codes(seed):
    """Factors as code near 1; turned by 45 degrees near 0; noise near 0; a second copy of the code takes all of the gap."""
    f, noise = uniform(seed), np.random.default_rng(seed + 1).standard_normal((N, 3))
    assert known.mutual_information_gap(f, f).min() > 0.98
    assert known.mutual_information_gap(turned(f, 45), f).max() < 0.03
    assert known.mutual_information_gap(noise, f).max() < 0.01
    assert known.mutual_information_gap(np.hstack([f, f]), f).max() < 0.01
    assert known.mutual_information_gap(np.column_stack([f[:, 0], noise]), f)[1] < 0.01
    assert known.mutual_information_gap(f > 0, f > 0).min() > 0.98                 # two coins, each on an axis of its own


@pytest.mark.parametrize("seed", range(3))
def test_gap_of_known_codes(seed):
    check_gap_of_known_codes(seed)


def check_gap_falls_as_the_code_is_turned(seed):
    gaps = np.array([known.mutual_information_gap(turned(uniform(seed), angle), uniform(seed)).mean()
                     for angle in (0, 10, 20, 30, 45)])
    assert (np.diff(gaps) < 0).all()
    back = known.mutual_information_gap(turned(turned(uniform(seed), 45), -45), uniform(seed))
    np.testing.assert_allclose(back, 1, atol=0.02)


def test_gap_falls_as_the_code_is_turned():
    check_gap_falls_as_the_code_is_turned(0)


def check_information_of_a_gaussian_pair(rho):
    """I = -1/2 log(1 - rho^2) of two Gaussians; bins lose a little, never gain."""
    a, b = np.random.default_rng(0).standard_normal((2, 200_000))
    information, H = known.mutual_information(a[:, None], (rho * a + np.sqrt(1 - rho**2) * b)[:, None], n_bins=50)
    exact = -0.5 * np.log(1 - rho**2)
    assert 0.94 * exact - 0.002 < information[0, 0] < exact + 0.002
    np.testing.assert_allclose(H, np.log(50), rtol=1e-3)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8])
def test_information_of_a_gaussian_pair(rho):
    check_information_of_a_gaussian_pair(rho)


def test_information_in_classes_is_counted_exactly():
    """A fair coin known from a fair four-sided die's parity: log 2; from its upper half, nothing."""
    die = np.tile(np.arange(4), 10_000)[:, None]
    information, H = known.mutual_information(np.hstack([die, die // 2]), die % 2)
    np.testing.assert_allclose(information[:, 0], [np.log(2), 0], atol=1e-3)
    np.testing.assert_allclose(H, np.log(2), atol=1e-3)


@pytest.mark.parametrize("values", [(0, 1), (1, 0), (0, 1, 7), (-2, 0.5, 3, 3.5)])
@pytest.mark.parametrize("rare", [2, 30, 400])
def test_a_rare_class_keeps_a_bin_of_its_own(values, rare):
    """However few have the last value, and wherever it lies among the others: H is that of the shares."""
    counts = np.array([N - rare * (len(values) - 1), *[rare] * (len(values) - 1)])
    f = np.repeat(values, counts)[:, None].astype(float)
    information, H = known.mutual_information(np.hstack([f, uniform(0)]), f)
    p = counts / N
    np.testing.assert_allclose([H[0], information[0, 0]], -(p * np.log(p)).sum() + (len(p) - 1) / (2 * N), rtol=1e-12)
    assert known.mutual_information_gap(np.hstack([f, uniform(0)]), f) > 0.5


def check_few_rows(n=100):
    """On average over 50 draws below 0.06 nats, where 20 x 20 cells gave 1.2 of 100 rows; ten classes too, of 100."""
    draws = [np.random.default_rng(seed) for seed in range(50)]
    found = np.array([[known.mutual_information(rng.standard_normal((n, 1)), np.column_stack(
        [rng.standard_normal(n), rng.integers(0, 10, n)]))[0][0]] for rng in draws]).mean(axis=0)[0]
    assert found[0] < 0.06 and (found[1] < 0.12 or n == 50)
    gaps = np.array([known.mutual_information_gap(np.column_stack([z, noise]), z[:, None])[0]
                     for z, noise in (rng.standard_normal((2, n)) for rng in draws)])
    assert gaps.mean() > 0.9                                                  # and what is the factor itself says all


@pytest.mark.parametrize("n", [10, 20, 50, 100, 300, 1000])
def test_independent_columns_share_next_to_nothing_however_few_the_rows(n):
    check_few_rows(n)


def test_fewer_rows_than_two_bins_take_are_refused():
    for n in (2, 5, 9):
        with pytest.raises(ValueError, match=rf"^z: want at least 10 rows, .*, got \({n}, 2\)"):
            known.mutual_information(uniform(0, n), uniform(1, n))


def test_twenty_bins_want_a_thousand_rows():
    """From there on as many as asked for, before that sqrt(2 N / 5)."""
    bins = {n: round(np.exp(known.mutual_information(uniform(0, n), uniform(1, n))[1][0] - 0.5 / n)) for n in (
        10, 100, 999, 1000, 5000)}
    assert bins == {10: 2, 100: 6, 999: 19, 1000: 20, 5000: 20}


def test_a_factor_that_never_varies_moves_no_code():
    f = uniform(0, 50)
    middle, steps = known.directions(f @ [[1, 2], [3, 4]] + 5, np.column_stack([f, np.full(50, 2.0)]))
    np.testing.assert_allclose(steps, [[1, 2], [3, 4], [0, 0]], atol=1e-12)
    np.testing.assert_allclose(middle, [5, 5])


@given(st.integers(0, 20))
def test_gap_sees_neither_scale_nor_bend_nor_sign_of_a_latent(seed):
    f, z = uniform(seed, 300), uniform(seed + 100, 300, 3)
    z[:, 0] += f[:, 0]
    bent = np.column_stack([np.exp(3 * z[:, 0]), 7 * z[:, 1] + 2, z[:, 2] ** 3])
    np.testing.assert_allclose(known.mutual_information_gap(bent, f), known.mutual_information_gap(z, f), atol=1e-12)
    assert (known.mutual_information_gap(z, f) >= 0).all()
    np.testing.assert_array_equal(known.mutual_information_gap(z[:, ::-1], f), known.mutual_information_gap(z, f))


def test_a_factor_that_never_changes_has_no_gap():
    f = np.column_stack([uniform(0)[:, 0], np.ones(N)])
    assert known.mutual_information_gap(uniform(0), f)[1] == 0


def check_read_off(seed):
    """A turned code: all linearly; a bent one: from the nearest; a lost factor: nothing, and from the nearest less than that."""
    rng, f, f_test = np.random.default_rng(seed), uniform(seed), uniform(seed + 1, 500)
    W = rng.standard_normal((2, 4))
    linear, nearest = known.read_off(f @ W + 2, f, f_test @ W + 2, f_test)
    np.testing.assert_allclose(linear, 1, atol=1e-12)
    assert nearest.min() > 0.99

    def circle(f):
        return np.column_stack([np.cos(3 * f[:, 0]), np.sin(3 * f[:, 0])])
    linear, nearest = known.read_off(circle(f), f, circle(f_test), f_test)
    assert linear[0] < 0.95 < 0.99 < nearest[0] and linear[1] < 0.05 and -1.5 < nearest[1] < -0.5


@pytest.mark.parametrize("seed", range(2))
def test_read_off(seed):
    check_read_off(seed)


@pytest.mark.parametrize("origin", [1e3, 1e8, -1e9])
def test_what_is_read_off_does_not_depend_on_the_origin(origin):
    f, f_test = uniform(0, 300), uniform(1, 100)
    W = np.array([[1.0, 2, 0], [0, 1, 3]])
    here, there = (known.read_off(f @ W + c, f, f_test @ W + c, f_test) for c in (0, origin))
    np.testing.assert_allclose(there, here, atol=1e-5)


def check_directions(seed):
    """Exact where codes are linear in the factors; a step moves what `read_off` reads by one factor's unit alone."""
    rng, f = np.random.default_rng(seed), uniform(seed, 12)
    middle, steps = rng.standard_normal(5), rng.standard_normal((2, 5))
    found_middle, found = known.directions(middle + f @ steps, f)
    np.testing.assert_allclose(found_middle, middle, atol=1e-12)
    np.testing.assert_allclose(found, steps, atol=1e-12)


def test_directions():
    check_directions(0)


# ---- the faces -------------------------------------------------------------------------------------------------------

def check_faces_and_their_factors():
    """Images, and factors that are uniform and independent."""
    X, f = sv.faces(4000, 12, rng=np.random.default_rng(0))
    assert X.shape == (4000, 144) and f.shape == (4000, 2) and X.min() == 0 and 0.9 < X.max() <= 1
    assert np.abs(f).max() <= 1 and abs(np.corrcoef(f.T)[0, 1]) < 0.05
    np.testing.assert_allclose(np.quantile(f, [0.25, 0.5, 0.75], axis=0), [[-0.5] * 2, [0] * 2, [0.5] * 2], atol=0.06)
    np.testing.assert_array_equal(X, sv.draw_faces(f, 12))


def test_faces_and_their_factors():
    check_faces_and_their_factors()


def test_a_face_turned_the_other_way_is_its_mirror_image():
    f = uniform(0, 20)
    mirrored = sv.draw_faces(f * [1, -1]).reshape(-1, 24, 24)[:, :, ::-1]
    np.testing.assert_allclose(sv.draw_faces(f).reshape(-1, 24, 24), mirrored, atol=1e-12)


def check_a_smile_and_a_pose():
    """A smile lifts the corners of the mouth and moves nothing to a side; a pose moves the nose."""
    def centre_of_change(a, b):
        """Row and column, from the top left, of the ink that b has and a has not."""
        more = np.clip(sv.draw_faces([b])[0] - sv.draw_faces([a])[0], 0, None).reshape(24, 24)
        return (np.indices((24, 24)) * more).sum(axis=(1, 2)) / more.sum(), more
    (row, column), more = centre_of_change([0, 0], [1, 0])
    assert row > 12 and abs(column - 11.5) < 1e-9
    sides = np.argwhere(more > 0.3)
    assert sides[np.abs(sides[:, 1] - 11.5).argmax()][0] < sides[np.abs(sides[:, 1] - 11.5).argmin()][0]   # corners higher
    assert centre_of_change([0, -1], [0, 1])[0][1] > 12.5


def test_a_smile_and_a_pose():
    check_a_smile_and_a_pose()


def check_the_far_eye_is_narrower():
    """Of a head that looks right, the right eye: as the cosines of their angles."""
    size = 192
    row = sv.draw_faces([[0, 1]], size)[0].reshape(size, size)[round((1 - EYES) / 2 * size)]
    middle = HEAD[0] * np.sqrt(1 - (EYES / HEAD[1]) ** 2) * np.sin(TURN + np.array([-0.5, 0.5]))
    level, u = (row[size // 2] + 1) / 2, (np.arange(size) + 0.5) / size * 2 - 1        # halfway from skin to ink
    near, far = (((row > level) & (np.abs(u - m) < 0.25)).sum() for m in middle)
    np.testing.assert_allclose(far / near, np.cos(TURN + 0.5) / np.cos(TURN - 0.5), atol=0.08)


def test_the_far_eye_is_narrower():
    check_the_far_eye_is_narrower()


def test_faces_change_smoothly():
    grid = np.linspace(-1, 1, 201)
    for k in (0, 1):
        X = sv.draw_faces(np.insert(np.zeros((201, 1)), k, grid, axis=1))
        assert np.abs(np.diff(X, axis=0)).max() < 0.05
        assert np.linalg.norm(np.diff(X, axis=0), axis=1).min() > 0.01                      # and each step shows


def check_what_disturbs():
    """It moves and fades the whole face."""
    f, n = np.zeros((2, 2)), 2 / 24
    plain, moved = sv.draw_faces(f, shift=[[0, 0], [n, 0]]).reshape(2, 24, 24)
    np.testing.assert_allclose(moved[:, 1:], plain[:, :-1], atol=1e-12)
    np.testing.assert_allclose(sv.draw_faces(f, ink=[0.25, 1.0]), sv.draw_faces(f) * [[0.25], [1]], rtol=1e-12)
    X, _ = sv.faces(500, position=0.1, brightness=0.5, rng=np.random.default_rng(0))
    ink = X.max(axis=1)
    assert 0.45 < ink.min() < 0.55 and ink.max() > 0.95


def test_what_disturbs():
    check_what_disturbs()


def test_bad_faces_are_refused_by_name():
    for what, call in (("factors", lambda: sv.draw_faces([[0, 2]])), ("size", lambda: sv.faces(2, 3, rng=np.random.default_rng(0))),
                       ("position", lambda: sv.faces(2, position=2, rng=np.random.default_rng(0))),
                       ("z", lambda: known.mutual_information_gap(uniform(0, 9, 1), uniform(0, 9)))):
        with pytest.raises(ValueError, match=f"^{what}"):
            call()
