"""The file of waivers: read as it is written, and held against what can be measured at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelcheck.judgement.criteria import FARTHEST
from modelcheck.judgement.waivers import Waiver, WaiverError
from modelcheck.support.escaping import clean
from modelcheck.support.files import read_file
from modelcheck.support.spelling import did_you_mean
from modelcheck.support.tables import toml_document
from modelcheck.support.validation import ANY_NUMBER, DAY, TEXT, check_table

__all__ = ["check_waivers", "read_waivers"]


def check_waivers(
    waivers: Iterable[Waiver], *, things: Mapping[str, Sequence[str]], bounds: Mapping[str, tuple[float, float]]
) -> None:
    """Refuse waivers that could excuse everything: a value that no network has, a glob that leaves nothing out.

    Parameters
    ----------
    waivers : iterable of Waiver
        The rows of the file.
    things : mapping of str to sequence of str
        By metric, all that it is measured for: layers, subjects, classes, groups; ``[""]`` for the network.
    bounds : mapping of str to tuple of float
        By metric, the lowest and the highest value that it can have. Where nothing bounds a metric,
        `criteria.FARTHEST` does.

    Raises
    ------
    WaiverError
        The message names the row and what to write.

    Examples
    --------
    >>> import datetime
    >>> first, last = datetime.date(2026, 1, 1), datetime.date(2026, 1, 31)
    >>> who = {"candidate": "0" * 64, "owner": "Ada", "reason": "One picture is blurred."}
    >>> waiver = Waiver(metric="kappa", value=-2, created=first, expires=last, **who)
    >>> check_waivers([waiver], things={"kappa": [""]}, bounds={"kappa": (-1.0, 1.0)})
    Traceback (most recent call last):
    modelcheck.judgement.waivers.WaiverError: The waiver of kappa: value is -2, and kappa lies between -1 and 1. \
Copy the value from verdict.json.
    """
    for row in waivers:
        lowest, highest = bounds[row.metric]
        low, high = max(lowest, -FARTHEST), min(highest, FARTHEST)
        if not low <= row.value <= high:
            raise WaiverError(
                f"{row.name}: value is {row.value:g}, and {row.metric} lies between {low:g} and {high:g}. Copy the "
                "value from verdict.json."
            )
        known = things[row.metric]
        if len(known) > 1 and all(row.matches(row.metric, about) for about in known):
            raise WaiverError(
                f"{row.name}: about matches all {len(known)} that {row.metric} is measured for "
                f"({clean(', '.join(known), longest=200)}). Name the one that is excused."
            )


def read_waivers(path: str | Path, *, metrics: Iterable[str]) -> tuple[tuple[Waiver, ...], str]:
    """Read the rows of a waiver file, ``[[waiver]]`` tables in TOML.

    Parameters
    ----------
    path : str or Path
        The file. One without rows is no error: the last waiver was removed.
    metrics : iterable of str
        The metrics that exist; a row on any other is an error.

    Returns
    -------
    tuple
        The rows and the sha256 of the file's bytes.

    Raises
    ------
    WaiverError
        When the file is missing, is no TOML, or a row is malformed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     read_waivers(file.name, metrics=["kappa"])[0]
    ()
    """
    try:
        data = read_file(path)
        document = toml_document(data)
    except OSError as error:
        raise WaiverError(
            f"No waivers in {str(path)!r} ({error.strerror}). Remove the setting, or the typo."
        ) from error
    except ValueError as error:
        raise WaiverError(f"{str(path)!r} is not valid TOML: {error}") from error
    rows = document.pop("waiver", [])
    if document:
        key = next(iter(document))
        raise WaiverError(f"{str(path)!r} has an unknown key {key!r}. {did_you_mean(key, ['waiver'])}")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise WaiverError(f"{str(path)!r} must hold [[waiver]] rows.")
    known = list(metrics)
    made = tuple(_waiver(row, str(path), known) for row in rows)
    if len(set(made)) != len(made):
        raise WaiverError(f"{str(path)!r} holds a row twice. Remove one.")
    return made, hashlib.sha256(data).hexdigest()


_ROW = {
    **dict.fromkeys(("metric", "candidate", "owner", "reason", "about"), TEXT),
    **dict.fromkeys(("created", "expires"), DAY),
    "value": ANY_NUMBER,  # `Waiver` says why NaN is none
}


def _waiver(row: dict[str, Any], path: str, metrics: list[str]) -> Waiver:
    if "where" in row:
        raise WaiverError(f"A waiver in {path!r} has the key 'where', which is called 'about' now. Rename it.")
    check_table(row, _ROW, where=f"a waiver in {path!r}", required=_ROW.keys() - {"about"}, error=WaiverError)
    if row["metric"] not in metrics:
        raise WaiverError(
            f"A waiver in {path!r} is about the metric {row['metric']!r}, which does not exist. "
            f"{did_you_mean(row['metric'], metrics)}"
        )
    try:
        return Waiver(**row)
    except WaiverError as error:
        raise WaiverError(f"{path!r}: {error}") from error
