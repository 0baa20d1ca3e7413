"""What runs of `suites/` and of `tests/` share in this repository, and nothing else.

The fixtures of the suites come from the installed plugin, those of the tests from
tests/conftest.py.
"""

import os
from pathlib import Path

import pytest

import modelcheck

# TensorFlow greets with a page of warnings about the processor; real errors are still shown.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_configure() -> None:
    """Refuse to run against another modelcheck than this checkout's: its answers would be somebody else's."""
    here, used = Path(__file__).parent, Path(modelcheck.__file__).parents[1]
    if not used.samefile(here):
        raise pytest.UsageError(
            f"This is the checkout {str(here)!r}, but Python imports modelcheck from {str(used)!r}. "
            "Install this one: pip install -e '.[test]'"
        )
