"""Loading a library of the extra ``tables``, or saying how to install it."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["MissingExtraError", "load_extra"]


class MissingExtraError(ImportError):
    """A library that a cross-check takes is not installed."""


def load_extra(module: str, what: str) -> Any:
    """Import a module of an optional library.

    Parameters
    ----------
    module : str
        Its dotted name.
    what : str
        What takes it, as the subject of a sentence.

    Raises
    ------
    MissingExtraError
        When it is not installed.

    Examples
    --------
    >>> load_extra("no_such_library", "A test")
    Traceback (most recent call last):
    modelcheck.answers.cross_checks.extras.MissingExtraError: A test takes no_such_library, which is not installed. \
Install it: pip install 'modelcheck[tables]'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{what} takes {module.partition('.')[0]}, which is not installed. Install it: "
            "pip install 'modelcheck[tables]'"
        ) from error
