"""Do the examples in the docstrings hold? Those of the README are run by test_demos.py."""
import doctest
import importlib
import pkgutil

import pytest

import scratchvae

MODULES = [m.name for m in pkgutil.walk_packages(scratchvae.__path__, "scratchvae.")]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    module = importlib.import_module(name)
    assert module.__doc__ and doctest.testmod(module).failed == 0


def test_there_are_examples():
    assert sum(doctest.testmod(importlib.import_module(name)).attempted for name in MODULES) >= 7
