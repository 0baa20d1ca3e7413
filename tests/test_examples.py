"""The examples in docstrings run, and give what they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import modelcheck

ROOT = Path(__file__).parents[1]
# Read as text: a module is imported only to run its own examples.
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "modelcheck").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
# Public names whose docstring shows no example yet. It must shrink: one that has an example leaves
# it.
WITHOUT_EXAMPLE: set[str] = set()


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    """Every example of a module that shows some is run, in the module's own names."""
    found = doctest.testmod(importlib.import_module(name), report=False)
    assert found.attempted > 0
    assert found.failed == 0


def test_a_wrong_example_is_seen():
    """An example that gives something else is a failure, so the rule above is no formality."""
    parsed = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert doctest.DocTestRunner(verbose=False).run(parsed, out=lambda _: None).failed == 1


def test_every_public_name_shows_an_example():
    """The public names whose docstring has no example are those listed as such, and no others."""
    documented = {name: getattr(modelcheck, name).__doc__ or "" for name in modelcheck.__all__}
    assert {name for name, text in documented.items() if ">>> " not in text} == WITHOUT_EXAMPLE
