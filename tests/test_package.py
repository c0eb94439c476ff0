"""Is the table of contents whole? Every module stands in it with the question it answers."""
import ast
import configparser
import inspect
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import scratchvae as sv
from scratchvae.__main__ import contents
from scratchvae.analysis import aggregate, evidence, gaussian_mixture, latent_space, posterior

PACKAGE = Path(sv.__file__).parent
MODULES = sorted(p for p in PACKAGE.rglob("*.py")
                 if p.name != "__main__.py" and (p.name != "__init__.py" or p.parent != PACKAGE and "\ndef " in p.read_text()))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_every_module_opens_with_its_question_and_stands_in_the_contents(path):
    first = ast.get_docstring(ast.parse(path.read_text())).splitlines()[0]
    answered = {file: question for part in contents().values() for file, question in part.items()}
    assert "?" in first and answered[path.relative_to(PACKAGE).as_posix()] == first.split("?")[0] + "?"


def test_the_contents_name_no_module_twice_and_none_that_is_not_there():
    named = [file for part in contents().values() for file in part]
    assert sorted(named) == [p.relative_to(PACKAGE).as_posix() for p in MODULES]


def test_running_the_package_prints_the_contents():
    done = subprocess.run([sys.executable, "-m", "scratchvae"], cwd=PACKAGE.parent, capture_output=True, text=True)
    printed = [tuple(line.split(maxsplit=1)) for line in done.stdout.splitlines() if line.startswith("    ")]
    assert printed == [pair for part in contents().values() for pair in part.items()] and done.stderr == ""


def test_the_oldest_versions_that_setup_cfg_allows_are_tried():
    options = configparser.ConfigParser()
    options.read(PACKAGE.parent / "setup.cfg")
    workflow = (PACKAGE.parent / ".github/workflows/tests.yml").read_text()
    for line in options["options"]["install_requires"].split():
        assert f'"{line.replace(">=", "==")}.*"' in workflow
    assert f'"{options["options"]["python_requires"].removeprefix(">=")}"' in workflow


def test_our_warnings_are_errors_and_a_stranger_s_are_not():
    for kind in (DeprecationWarning, FutureWarning, UserWarning, ResourceWarning):
        with pytest.raises(kind):
            warnings.warn("a line of ours", kind)
        for module in ("scratchvae.nn.layers", "demos.vae"):
            with pytest.raises(kind):
                warnings.warn_explicit("a line of ours", kind, "ours.py", 1, module)
    with pytest.raises(RuntimeWarning, match="overflow"):
        np.exp(np.full(3, 1e4))
    warnings.warn_explicit("a deprecated name", DeprecationWarning, "theirs.py", 1, "matplotlib.font_manager")


def test_the_documented_defaults():
    """What a user gets who says nothing; a change of these changes every result."""
    assert sv.Adam().config() == {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    assert sv.SGD(0.1).config() == {"lr": 0.1, "momentum": 0.0, "weight_decay": 0.0}
    assert sv.Gaussian().config() == {"variance": "shared", "floor": 1e-3}
    assert (sv.EarlyStopping().patience, sv.EarlyStopping().monitor) == (20, "loss")
    assert {name: tuple(proposal) for name, proposal in evidence.PROPOSALS.items()} == {
        "importance": (1, 0), "widened": (1.5, 0), "defensive": (1, 0.1), "prior": (1, 1)}
    for function, wanted in {
            sv.log_evidence: {"n_samples": 1000, "method": "importance"},
            sv.multi_sample_bound: {"n_repeats": 20, "method": "importance"},
            aggregate.active_units: {"threshold": 0.01}, aggregate.aggregate_kl: {"n_samples": 10},
            latent_space.isolated_share: {"quantile": 0.99}, latent_space.grid_log_prob: {"n_nodes": 40000},
            gaussian_mixture.GaussianMixture: {"n_components": 1, "floor": 1e-3, "max_iter": 200, "tol": 1e-5},
            posterior.latent_grid: {"half_width": 7.0, "step": 0.1},
            posterior.optimize_q: {"start": None, "steps": 300, "n_samples": 16, "lr": 0.03},
            sv.speech_like: {"rate": 8000, "breath": 0.02}, sv.MADE: {"n_orders": 1, "order": None}}.items():
        found = inspect.signature(function).parameters
        assert {name: found[name].default for name in wanted} == wanted
    defaults = {name: p.default for name, p in inspect.signature(sv.check_gradient).parameters.items()}
    assert (defaults["h"], defaults["tolerance"], defaults["floor"]) == (1e-5, 1e-7, 1e-3)
