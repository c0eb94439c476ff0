"""Is the toy's picture true? Its bound, its evidence, its climb and its map against each other and against closed forms."""
import numpy as np
import pytest

import scratchvae as sv
from demos import toy
from demos.lesson import Lesson
from scratchvae.analysis import elbo
from scratchvae.models.probabilistic_pca import linear_decoder, linear_log_prob
from scratchvae.probability import gaussian


def linear(seed=0):
    """A VAE with a straight curve, whose evidence has a closed form, and points."""
    rng = np.random.default_rng(seed)
    vae = sv.VAE(2, hidden=(), n_latent=1, observation=sv.Gaussian("shared"), rng=rng, dtype=np.float64)
    vae.theta += 0.2 * rng.standard_normal(vae.theta.size)
    return vae, rng.standard_normal((7, 2))


@pytest.mark.parametrize("shift", [0.0, 0.3, -0.5])
def test_evidence_of_a_moved_line_is_the_closed_form(shift):
    vae, X = linear()
    W, mean, variance = linear_decoder(vae)
    exact = linear_log_prob(X, W, mean + [shift, 0], variance)
    log_p = toy.log_joint(vae, shift, X)
    np.testing.assert_allclose(toy.evidence(log_p, each=True), exact, rtol=1e-9)
    np.testing.assert_allclose(toy.evidence(log_p), exact.mean(), rtol=1e-9)


def test_the_bound_is_the_elbo_and_never_above_the_evidence():
    vae, X = linear()
    log_q = gaussian.log_prob(toy.GRID.z, *(part[:, None] for part in vae.encode(X)))
    log_p = toy.log_joint(vae, 0.0, X)
    expected = elbo.elbo(elbo.on_grid(vae, X, vae.encode(X), toy.GRID)).mean()
    np.testing.assert_allclose(toy.bound(log_q, log_p), expected, rtol=1e-9)
    assert toy.bound(log_q, log_p) < toy.evidence(log_p)
    posterior = log_p - toy.evidence(log_p, each=True)[:, None]
    np.testing.assert_allclose(toy.bound(posterior, log_p), toy.evidence(log_p), rtol=1e-12)


def test_each_round_climbs_to_the_top_of_its_bound_and_log_p_never_falls():
    vae, X = linear()
    rounds = toy.climb(vae, X)
    for r in rounds:
        near = [toy.bound(r["log_q"], toy.log_joint(vae, r["top at"] + step, X)) for step in (-1e-3, 1e-3)]
        assert r["top"] > max(near) and abs(near[0] - near[1]) < 1e-9
        assert abs(r["evidence"] - r["bound"]) < 1e-9
    for before, after in zip(rounds, rounds[1:]):
        assert after["at"] == before["top at"] and after["evidence"] >= before["top"] >= before["bound"]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_the_lesson_s_numbers_hold_together(seed, tmp_path):
    lesson = Lesson("toy", quick=True, seed=seed, out=tmp_path)
    numbers = toy.run(lesson)
    assert abs(numbers["p(x) adds up to"] - 1) < 1e-3
    np.testing.assert_allclose(*numbers["slopes"], rtol=1e-5)
    assert min(numbers["closest"].values()) > -1e-9 and numbers["closest"]["the encoder's q"] > 0
    assert numbers["log p(x)"].value > numbers["ELBO"].value


def test_peaks_counts_separate_ones_that_are_high_enough():
    z = toy.GRID.z[:, 0]

    def bump(at, height=1.0):
        return height * np.exp(-(z - at) ** 2 / 0.1)
    assert [toy.peaks(density) for density in (bump(0), bump(-2) + bump(1), bump(-2) + bump(1, 0.02))] == [1, 2, 1]


def test_what_is_said_follows_the_numbers():
    numbers = {"gaps shown": (0.01, 3.0), "peaks": [1, 2], "noise": 0.1, "p(x) adds up to": 1.0}
    assert "nearly the posterior" in toy.told(numbers) and "has 2 peaks" in toy.told(numbers)
    numbers |= {"gaps shown": (0.5, 3.0), "peaks": [1, 1]}
    assert "is not the posterior" in toy.told(numbers) and "has one peak" in toy.told(numbers)
    rounds = [{"evidence": -2.0, "bound": -2.0}, {"evidence": -3.0, "bound": -3.0}]
    said = toy.climbed({"rounds": rounds, "slopes": (1.0, 1.0), "closest": {"the encoder's q": 0.5}})
    assert "does NOT rise" in said and "0.500 nats below" in said
