"""Does the lesson measure faces rightly? What is read off an image, how far a slider moves, what turning costs, what is said."""
import numpy as np
import pytest

import scratchvae as sv
from demos import face_labels, face_sliders, faces
from demos.judgement import Finding


class Ideal:
    """A code that is the factors, turned and stretched, and a decoder that draws them: what a perfect VAE would be."""

    n_latent = 2

    def __init__(self, W):
        self.W = np.array(W, float)

    def encode(self, X):
        return face_sliders.read_face(X) @ self.W, None

    def decode(self, z):
        return sv.draw_faces(np.clip(z @ np.linalg.inv(self.W), -1, 1))


def test_a_drawn_face_is_read_to_the_grid_s_step():
    factors = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    assert np.abs(face_sliders.read_face(sv.draw_faces(factors)) - factors).max() < 1 / (face_sliders.SIDE - 1) + 0.05


@pytest.mark.parametrize("angle", [0, 0.5, 1.2])
def test_the_right_direction_moves_its_factor_alone_and_a_turned_axis_both(angle):
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    vae = Ideal(2 * turn)
    X, factors = sv.faces(20, rng=np.random.default_rng(0))
    _, steps = face_sliders.along(vae, X, factors)
    for k in (0, 1):
        moved, other, stays = face_sliders.slide(vae, steps[k], k)
        assert abs(moved - 1.6) < 0.15 and other < 0.1 and abs(stays - 1) < 0.1
        assert face_sliders.slide(vae, -steps[k], k) == (moved, other, stays)           # a way back is the same way
    along_axis = face_sliders.slide(vae, np.eye(2)[0], 0)
    assert (along_axis[1] > 0.3) == (angle > 0)


def test_turning_changes_no_density_and_costs_the_upright_q():
    rng = np.random.default_rng(3)
    X, _ = sv.faces(30, 12, rng=rng)
    vae = sv.VAE(144, hidden=(8,), n_latent=3, observation=sv.Gaussian(0.05), rng=rng)
    sv.fit(vae, sv.faces(300, 12, rng=rng)[0], epochs=20, rng=rng)
    cost = face_sliders.turned_cost(vae, X, rng, steps=100)
    np.testing.assert_allclose(cost.turn @ cost.turn.T, np.eye(3), atol=1e-12)
    assert cost.decoded < 1e-12 and cost.prior < 1e-12
    np.testing.assert_allclose(cost.bounds[0], cost.bounds[1], atol=8)                        # the same posterior, turned
    assert [bound.shape for bound in cost.bounds] == [(30,), (30,)] and (cost.bounds[0] != cost.bounds[1]).all()


def test_the_cost_of_turning_is_the_closed_form_s_in_a_linear_vae():
    """The best upright q of a Gaussian posterior of precision A loses 1/2 (sum_j log A_jj - log det A) nats."""
    rng = np.random.default_rng(3)
    vae = sv.VAE(5, hidden=(), n_latent=2, observation=sv.Gaussian(0.5), rng=rng, dtype=np.float64)
    vae.decoder.layers[0].W[:] = [[2, 0, 0, 0, 0], [0, 0.2, 0, 0, 0]]                          # an upright posterior
    cost = face_sliders.turned_cost(vae, rng.standard_normal((4, 5)), rng, steps=1500)
    W = vae.decoder.layers[0].W

    def lost(W):
        A = np.eye(2) + W @ W.T / 0.5
        return 0.5 * (np.log(np.diag(A)).sum() - np.linalg.slogdet(A)[1])
    expected = lost(cost.turn.T @ W) - lost(W)
    assert expected > 0.1
    np.testing.assert_allclose((cost.bounds[0] - cost.bounds[1]).mean(), expected, atol=0.1 * expected + 0.02)


def table(linear, nearest, gap, runs=3):
    rng = np.random.default_rng(3)
    return np.repeat([[linear] * 2 + [nearest] * 2 + [gap] * 2], runs, axis=0) + 1e-3 * rng.standard_normal((runs, 6))


def test_what_is_said_follows_the_table():
    measured = {(2, 1, False): table(0.5, 0.99, 0.1), (2, 16, False): table(0.95, 0.99, 0.8), (2, 1, True): table(0.2, 0.3, 0)}
    said = faces.told(measured, (2,), (1, 16))
    assert "0.9 or more in 6 runs, linearly in 3." in said
    assert "in 3 of 9 runs; the mean gap is 0.30" in said
    assert said.count("the gap of") == said.count(" grows by ") == 2
    assert "2 latents hold less of the smile" in said
    other = {**measured, (2, 16, False): table(0.95, 0.99, 0.0), (2, 1, True): measured[2, 1, False]}
    assert faces.told(other, (2,), (1, 16)).count(" falls by ") == 2
    assert "no clear difference" in faces.told(other, (2,), (1, 16))
    assert isinstance(Finding.between([1.0, 2.0], [0.0, 1.0]).words("a", "b"), str)


# ---- told by a label ------------------------------------------------------------------------------------------------

class Told(Ideal):
    """A perfect VAE that is told the fifth of factor k: z is the other factor, under each label by its own sign."""

    def __init__(self, k, signs):
        self.k, self.signs = k, np.array(signs, float)

    def encode(self, X, labels):
        return self.signs[labels, None] * face_sliders.read_face(X)[:, [1 - self.k]], None

    def decode(self, z, label):
        middle = np.linspace(*face_sliders.ENDS, face_labels.FIFTHS)[label]
        return sv.draw_faces(np.insert(self.signs[label] * z, self.k, middle, axis=1))


def test_fifths_are_equal_and_a_slider_goes_from_the_middle_of_the_first_to_that_of_the_last():
    assert face_labels.fifth(np.array([-1, -0.61, -0.59, 0, 0.59, 0.61, 1])).tolist() == [0, 0, 1, 2, 3, 4, 4]
    assert face_labels.fifth(np.array(face_sliders.ENDS)).tolist() == [0, 4]
    np.testing.assert_allclose(face_sliders.ENDS, [-1 + 1 / face_labels.FIFTHS, 1 - 1 / face_labels.FIFTHS])


@pytest.mark.parametrize("k", [0, 1])
def test_a_moved_label_moves_its_factor_and_keeps_or_turns_over_the_other(k):
    kept, turned = (face_labels.relabel(Told(k, signs), k) for signs in ([1] * 5, [1, 1, 1, -1, -1]))
    np.testing.assert_allclose(kept, (1.6, 0, 1), atol=0.08)
    np.testing.assert_allclose(turned, (1.6, 2 * np.abs(np.linspace(-0.7, 0.7, 9)).mean(), -1), atol=0.08)


def test_what_is_moved_is_measured_from_both_ends():
    start = face_sliders.starts(1)
    np.testing.assert_allclose(face_sliders.moved(start, start + [0.1, 1.5], 1), (1.5, 0.1, 1))
    np.testing.assert_allclose(face_sliders.moved(start, start * [-0.5, 0.25], 1), (0.6, 1.5 * 7 / 18, -0.5), atol=0.01)
    constant = face_sliders.moved(start, np.full((9, 2), 0.3), 1)
    assert constant[2] == 0.0 and Finding.of([constant[2]] * 3).sign() == 0          # rounding gives it no sign


def test_a_smile_at_both_ends_of_the_pose_changes_other_pixels_a_turn_much_the_same():
    assert face_labels.same_pixels(0) > 0.3 and face_labels.same_pixels(1) < -0.3


@pytest.mark.parametrize("told", [None, 0])
def test_what_a_code_says_is_legible_and_what_noise_says_is_not(told):
    """z1 = smile, z2 = pose, little noise; or, told the smile, noise alone in z1."""
    class Code:
        n_latent = 2

        def encode(self, X, labels=None):
            mu = face_sliders.read_face(X) * [told is None, 1]
            return mu, np.zeros_like(mu) + ([-9, -9] if told is None else [0, -9])

    rng = np.random.default_rng(5)
    shares = face_labels.legible(Code(), sv.faces(600, rng=rng), sv.faces(300, rng=rng), told, rng, epochs=40)
    assert shares[1] > 0.8 and (shares[0] > 0.8 if told is None else shares[0] < 0.3)


def test_what_is_said_of_sliders_and_codes_follows_their_numbers():
    noise = 1e-3 * np.random.default_rng(2).standard_normal((4, 2, 3))
    found = dict(zip(faces.SLIDERS, (noise + np.array(row) for row in ((0.8, 0.3, 0.5), (1.5, 0.3, 0.5), (1.6, 0.1, -1)))))
    said = faces.compared(found)
    assert said.count(" more than the labelled direction") == said.count("are turned over") == 2
    assert said.count("no clear difference") == 0 and "The label moves the pose by 0.20" in said
    assert "differences in smile stay" in faces.compared({**found, faces.SLIDERS[2]: -found[faces.SLIDERS[2]]})
    shares = {"nothing": 0.8 + noise[:, :, 0], "smile": [0.2, 0.8] + noise[:, :, 1], "pose": [0.9, 0.5] + noise[:, :, 2]}
    said = faces.still_said(shares)
    assert "told the smile, its z, beside that of one that is told nothing, says of it less" in said
    assert "no more than chance; of the pose as much" in said and "yet more than chance; of the smile more" in said
