"""Is the step that the lesson shows the step that the library takes? Its lines, its numbers, its derivatives, its roads."""
import sys
from collections import namedtuple

import numpy as np
import pytest

import scratchvae as sv
from demos import step
from demos.lesson import Lesson
from demos.traced import watch


def run(tmp_path, seed=0, **options):
    lesson = Lesson("step", seed=seed, out=tmp_path, **options)
    return step.run(lesson), "".join(lesson.transcript)


@pytest.mark.parametrize("seed", range(4))
def test_every_derivative_of_the_walk_is_its_finite_difference(seed, tmp_path):
    numbers, said = run(tmp_path, seed)
    vae, eps, layers = step.small_vae(np.random.default_rng(0))
    beside, _ = step.finite_differences(vae, eps, layers)
    assert set(numbers["apart"]) == {f"{where}: {name}" for where, name in beside}       # each has met its line
    assert max(numbers["parameters apart"], *numbers["apart"].values()) < 1e-8
    assert said.count("  |") >= len(beside)


def test_watching_changes_nothing_and_the_step_is_that_of_the_library(tmp_path):
    numbers, _ = run(tmp_path, seed=5)
    vae, eps, _ = step.small_vae(Lesson("step", seed=5, out=tmp_path).rng())
    assert vae.loss_and_grad(step.X, eps=eps).loss == numbers["before"]
    sv.Adam(step.LR).step(vae.theta, vae.grad)
    assert vae.loss_and_grad(step.X, eps=eps).loss == numbers["after"]


@pytest.mark.parametrize("name, wrong", [
    ("kl_standard_grad", lambda mu, log_var: (mu, 0 * log_var)),
    ("reparameterize_grad", lambda dz, log_var, eps: (dz.sum(axis=0), (dz * eps).sum(axis=0) * np.exp(0.5 * log_var)))])
def test_a_wrong_derivative_stands_beside_a_finite_difference_that_is_not_it(name, wrong, tmp_path, monkeypatch):
    monkeypatch.setattr(f"scratchvae.models.vae.{name}", wrong)
    numbers, _ = run(tmp_path)
    apart = {name for name, value in numbers["apart"].items() if value > 1e-3}
    road = "VAE forward_backward: dlog_var" + ("_kl" if name == "kl_standard_grad" else "")
    assert road in apart and "encoder.2 backward: self.db" in apart and "VAE through_z: dz" not in apart
    assert numbers["parameters apart"] > 1e-3


def test_the_roads_add_up_to_the_derivative_of_the_last_encoder_layer_s_bias(tmp_path):
    numbers, _ = run(tmp_path, seed=2)
    vae, eps, layers = step.small_vae(Lesson("step", seed=2, out=tmp_path).rng())
    vae.loss_and_grad(step.X, eps=eps)
    np.testing.assert_allclose(layers["encoder.2"].db, np.sum(list(numbers["roads"].values()), axis=1), rtol=1e-12)


def test_the_title_and_the_verdict_follow_the_roads():
    same, apart = {"mu": (1.0, 0.5), "log_var": (-1.0, -2.0)}, {"mu": (1.0, 0.5), "log_var": (-1.0, 2.0)}
    assert step.meeting(same).endswith("on mu and log_var they pull the same way")
    assert step.meeting(apart).endswith("on mu they pull the same way, on log_var they pull opposite ways")
    numbers = {"before": 1.0, "after": 1.5, "by slope": -0.1, "parameters apart": 1e-9, "apart": {"a": 1e-8}, "roads": apart,
               "full steps": 3}
    said = step.verdict(numbers, 5)
    assert "rises from\n1.0000 to 1.5000, by +0.5000" in said and "further than 1e-08" in said
    assert said.count("they agree") == said.count("they disagree") == 1


def test_walk_waits_after_every_line_and_goes_on_where_nobody_answers(tmp_path, monkeypatch):
    waited, lines, told = [], [], step.told
    monkeypatch.setattr("builtins.input", lambda: waited.append(1))
    monkeypatch.setattr(step, "told", lambda line, beside: lines.append(line) or told(line, beside))
    _, everything = run(tmp_path, walk=True)
    assert len(waited) == len(lines) > 60
    tries = []

    def nobody():
        tries.append(1)
        raise EOFError
    monkeypatch.setattr("builtins.input", nobody)
    assert run(tmp_path, walk=True)[1] == everything and len(tries) == 1
    monkeypatch.setattr("builtins.input", lambda: pytest.fail("it waits without --walk"))
    run(tmp_path)


# ---- watching -------------------------------------------------------------------------------------------------------

Pair = namedtuple("Pair", "low high")


class Thing:
    def __init__(self):
        self.kept = np.zeros(2)

    def method(self, x):
        kept = self.kept
        # kept = kept + x
        kept += x
        y = inner(
            x)
        return Pair(y, y + 1)


def inner(x):
    if x.sum() > 0:
        x = x * 2
    return x


def test_watch_tells_what_each_statement_has_made():
    thing, before = Thing(), sys.gettrace()
    lines = watch(lambda: thing.method(np.array([1.0, 2.0])), [Thing.method, inner], {thing: "it"})
    assert sys.gettrace() is before
    assert [(line.depth, line.where, line.comment, line.text, sorted(line.made)) for line in lines] == [
        (0, "it method", "kept = kept + x", "kept += x", ["kept"]),
        (0, "it method", "", "y = inner( x)", []),
        (1, "inner", "", "x = x * 2", ["x"]),
        (0, "it method", "", "", ["y"]),
        (0, "it method", "", "return Pair(y, y + 1)", ["returns high"])]
    np.testing.assert_array_equal(lines[0].made["kept"], [1, 2])
    np.testing.assert_array_equal(lines[4].made["returns high"], [3, 5])


def test_watch_lets_go_where_what_it_watches_fails():
    def fails():
        inner(np.ones(2))
        raise ValueError("no")
    before = sys.gettrace()
    with pytest.raises(ValueError, match="no"):
        watch(fails, [inner])
    assert sys.gettrace() is before
