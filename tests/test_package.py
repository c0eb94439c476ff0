"""Is the table of contents whole? Every module stands in it with the question it answers."""
import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import scratchvae as sv

PACKAGE = Path(sv.__file__).parent
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if not p.name.startswith("__") or "\ndef " in p.read_text())


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_every_module_opens_with_its_question_and_stands_in_the_contents(path):
    question = ast.get_docstring(ast.parse(path.read_text())).splitlines()[0].split("?")[0] + "?"
    line, = [line for line in sv.__doc__.splitlines()
             if line.split()[:1] == [path.relative_to(PACKAGE).as_posix()]]
    assert line.split(maxsplit=1)[1] == question


def test_the_contents_name_no_module_that_is_not_there():
    named = [line.split()[0] for line in sv.__doc__.splitlines() if line.startswith("    ")]
    assert sorted(named) == [p.relative_to(PACKAGE).as_posix() for p in MODULES]


def test_running_the_package_prints_the_contents():
    done = subprocess.run([sys.executable, "-m", "scratchvae"], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.stdout.strip() == sv.__doc__.strip() and done.stderr == ""


def test_the_documented_defaults():
    """What a user gets who says nothing; a change of these changes every result."""
    assert sv.Adam().config() == {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    assert sv.SGD(0.1).config() == {"lr": 0.1, "momentum": 0.0, "weight_decay": 0.0}
    assert sv.Gaussian().config() == {"variance": "shared", "floor": 1e-3}
    assert (sv.EarlyStopping().patience, sv.EarlyStopping().monitor) == (20, "loss")
    defaults = {name: p.default for name, p in inspect.signature(sv.check_gradient).parameters.items()}
    assert (defaults["h"], defaults["tolerance"], defaults["floor"]) == (1e-5, 1e-7, 1e-3)
