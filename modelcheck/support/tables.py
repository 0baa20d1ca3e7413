"""Parse untrusted TOML; every failure is a ValueError."""

from __future__ import annotations

import tomllib
from typing import Any

__all__ = ["toml_document"]


def toml_document(data: bytes) -> dict[str, Any]:
    """Parse a TOML document.

    Parameters
    ----------
    data : bytes
        Content of the file.

    Raises
    ------
    ValueError
        When it is not TOML in UTF-8, is nested too deeply, or holds a number of more digits than
        Python prints.

    Examples
    --------
    >>> toml_document(b"timeout = 60")
    {'timeout': 60}
    """
    try:
        document = tomllib.loads(data.decode("utf-8"))
        repr(document)  # numbers in base 16 are read at any length, and fail in the message that would name them
    except RecursionError as error:
        raise ValueError("it is nested too deeply to be read") from error
    return document
