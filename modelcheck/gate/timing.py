"""How long an answer takes, beside a measurement: for information, in no digest and in no judgement."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

from modelcheck.support.files import read_file
from modelcheck.support.folders import PathKind, kind_of, place
from modelcheck.support.tables import json_document

__all__ = ["read_timing", "write_timing"]

_FILE, _KEY = "timing.json", "seconds_per_picture"
_MAX_BYTES = 200
_LONGEST = 1e6  # seconds


def write_timing(folder: Path, seconds: float | None) -> None:
    """Write how long one answer took beside a signature; what cannot be written is left out.

    Parameters
    ----------
    folder : Path
        The signature's.
    seconds : float or None
        For one picture; None where it was not measured.
    """
    with contextlib.suppress(OSError):
        if seconds is None or not math.isfinite(seconds):
            (folder / _FILE).unlink(missing_ok=True)  # of an earlier measurement
            return
        place(folder / _FILE, json.dumps({_KEY: round(seconds, 7)}).encode())


def read_timing(folder: Path) -> float | None:
    """Return how long one answer took, in seconds; None where that was not kept, or is no such number."""
    path = folder / _FILE
    try:
        if kind_of(path) != PathKind.FILE:
            return None
        document = json_document(read_file(path, max_bytes=_MAX_BYTES))
        seconds = document[_KEY]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return float(seconds) if type(seconds) in (int, float) and 0 <= seconds < _LONGEST else None
