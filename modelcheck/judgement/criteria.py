"""Limits: what is asked of a number, why, and how a file of them is read."""

from __future__ import annotations

import fnmatch
import hashlib
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from modelcheck.judgement.document import CriterionRow
from modelcheck.support.escaping import is_legible
from modelcheck.support.files import read_file
from modelcheck.support.spelling import did_you_mean
from modelcheck.support.tables import toml_document
from modelcheck.support.validation import ANY_NUMBER, FLAG, TEXT, check_table, check_value, one_of

__all__ = [
    "FARTHEST",
    "CriteriaError",
    "Criterion",
    "criterion_for",
    "find_never_failing",
    "inform_where_calibrated",
    "read_criteria",
]

FARTHEST = 1000.0
"""How far from zero a value of a metric without bounds may lie to be believed: all are ratios, or near 1."""


class CriteriaError(ValueError):
    """Criteria that cannot be applied; the message says which row and what to do."""


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One limit on one metric, both ends inclusive.

    Parameters
    ----------
    metric : str
        The metric's name without the part in brackets, for example ``subject_accuracy``.
    at_least, at_most : float, optional
        The limits; at least one of them is needed.
    why : str
        The reason for the limit, for the person who reads a red report.
    about : str
        A glob over what the metric is about (a layer, a subject, a group); of several rows for one
        metric the last that matches counts, as in a CODEOWNERS file. ``[`` opens a set of letters;
        a literal one is written ``[[]``.
    judged_by : {'value', 'interval'}
        ``value``: the value must lie within the limits; outside, it is inconclusive while its
        interval still reaches them. ``interval``: the whole interval must lie within the limits
        (non-inferiority); partly inside is inconclusive.
    advisory : bool
        Reported; does not gate the release.
    optional : bool
        Whether `about` may match nothing; otherwise that is an error, for it is most likely a typo.
    calibrated_by : str
        The metric on the scale of retrained twins that judges in this row's place where the
        baseline keeps such twins: the row then informs. Empty for a row that always holds as it is
        written.

    Examples
    --------
    >>> limit = Criterion(metric="kappa", at_least=0.5, why="It must answer alike.")
    >>> limit.limits, limit.about, limit.judged_by
    ('at least 0.5', '*', 'value')
    """

    metric: str
    why: str
    at_least: float | None = None
    at_most: float | None = None
    about: str = "*"
    judged_by: str = "value"
    advisory: bool = False
    optional: bool = False
    calibrated_by: str = ""

    def __post_init__(self) -> None:
        if not self.metric or not is_legible(self.why):
            raise CriteriaError(f"A criterion needs a metric and a why: {self!r}.")
        limits = [limit for limit in (self.at_least, self.at_most) if limit is not None]
        if not limits or not all(abs(limit) <= sys.float_info.max for limit in limits):  # NaN is not
            raise CriteriaError(f"The criterion on {self.metric!r} needs a finite at_least or at_most.")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise CriteriaError(
                f"The criterion on {self.metric!r} can never hold: at_least={self.at_least:g} is above "
                f"at_most={self.at_most:g}."
            )
        check_value("judged_by", self.judged_by, one_of("value", "interval"), error=CriteriaError)

    @property
    def limits(self) -> str:
        """The limits in words, for example ``at least 0.5``."""
        parts = [("at least", self.at_least), ("at most", self.at_most)]
        return " and ".join(f"{word} {limit:g}" for word, limit in parts if limit is not None)

    def to_dict(self) -> CriterionRow:
        """Return JSON-ready builtins: everything but the metric."""
        return {
            "about": self.about,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "judged_by": self.judged_by,
            "advisory": self.advisory,
            "optional": self.optional,
            "calibrated_by": self.calibrated_by,
            "why": self.why,
        }


def criterion_for(criteria: Sequence[Criterion], metric: str, about: str) -> Criterion | None:
    """Return the last row for the metric whose `about` matches, or None.

    Examples
    --------
    >>> every = Criterion(metric="map_ssim", at_least=0.5, why="As agreed.")
    >>> first = Criterion(metric="map_ssim", at_least=0.8, why="Edges are stable.", about="conv1")
    >>> criterion_for([every, first], "map_ssim", "conv1").limits
    'at least 0.8'
    >>> criterion_for([every, first], "kappa", "") is None
    True
    """
    rows = [row for row in criteria if row.metric == metric and fnmatch.fnmatchcase(about, row.about)]
    return rows[-1] if rows else None


def inform_where_calibrated(criteria: Sequence[Criterion], gating: Container[str]) -> tuple[Criterion, ...]:
    """Return the rows as they hold for a baseline: where a calibrated metric judges, absolute limits inform.

    Parameters
    ----------
    criteria : sequence of Criterion
        The rows, as they are written.
    gating : container of str
        The metrics that are judged of this baseline, and have a say in the release.

    Examples
    --------
    >>> row = Criterion(metric="recognition", at_least=0.7, why="As agreed.", calibrated_by="likeness")
    >>> [inform_where_calibrated([row], gating)[0].advisory for gating in ((), ("likeness",))]
    [False, True]
    """
    return tuple(replace(row, advisory=True) if row.calibrated_by in gating else row for row in criteria)


def find_never_failing(
    criteria: Sequence[Criterion], bounds: Mapping[str, tuple[float, float]]
) -> tuple[Criterion, ...]:
    """Return the rows that gate a release and that no value of their metric can fail.

    They are legal, and said to be so: what was not measured is red under them all the same. A file
    in which no other row gates judges nothing.

    Parameters
    ----------
    criteria : sequence of Criterion
        The rows.
    bounds : mapping of str to tuple of float
        By metric, the lowest and the highest value that it can have. Where nothing bounds a metric,
        a limit of `FARTHEST` or more is as good as none.

    Raises
    ------
    CriteriaError
        When every row that gates is one of them.

    Examples
    --------
    >>> rows = [Criterion(metric="kappa", at_least=low, why="As agreed.") for low in (0.4, -1)]
    >>> [row.limits for row in find_never_failing(rows, {"kappa": (-1.0, 1.0)})]
    ['at least -1']
    """
    gating = [row for row in criteria if not row.advisory]
    found = tuple(row for row in gating if not _can_fail(row, *bounds[row.metric]))
    if gating and len(found) == len(gating):
        first = found[0]
        raise CriteriaError(
            f"No value can fail any of the {len(gating)} criteria that gate the release; the first is {first.metric} "
            f"{first.limits}, and it is never less than {bounds[first.metric][0]:g} or more than "
            f"{bounds[first.metric][1]:g}. Set limits that a network can miss."
        )
    return found


def _can_fail(row: Criterion, lowest: float, highest: float) -> bool:
    low, high = max(lowest, -FARTHEST), min(highest, FARTHEST)
    return (row.at_least is not None and row.at_least > low) or (row.at_most is not None and row.at_most < high)


def read_criteria(path: str | Path, *, metrics: Iterable[str]) -> tuple[tuple[Criterion, ...], str]:
    """Read the rows of a criteria file, ``[[criterion]]`` tables in TOML.

    Parameters
    ----------
    path : str or Path
        The file.
    metrics : iterable of str
        The metrics that exist; a row on any other is an error.

    Returns
    -------
    tuple
        The rows and the sha256 of the bytes that they were read from.

    Raises
    ------
    CriteriaError
        When the file is missing, is no TOML, holds no row, or a row has an unknown key or metric.

    Examples
    --------
    >>> from modelcheck.comparison.catalogue import METRICS
    >>> rows, sha256 = read_criteria("suites/criteria.toml", metrics=METRICS)
    >>> rows[0].metric, rows[0].limits
    ('mapped_units', 'at least 0.5')
    """
    try:
        data = read_file(path)
        document = toml_document(data)
    except OSError as error:
        raise CriteriaError(f"No criteria in {str(path)!r} ({error.strerror}): nothing would be judged.") from error
    except ValueError as error:
        raise CriteriaError(f"{str(path)!r} is not valid TOML: {error}") from error
    rows = document.pop("criterion", [])
    if document:
        key = next(iter(document))
        raise CriteriaError(f"{str(path)!r} has an unknown key {key!r}. {did_you_mean(key, ['criterion'])}")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise CriteriaError(f"{str(path)!r} holds no [[criterion]] row: nothing would be judged.")
    known_metrics = list(metrics)
    made = tuple(_criterion(row, str(path), known_metrics) for row in rows)
    _check_replacements(made, str(path))
    return made, hashlib.sha256(data).hexdigest()


_ROW = {
    **dict.fromkeys(("metric", "why", "about", "judged_by", "calibrated_by"), TEXT),
    **dict.fromkeys(("at_least", "at_most"), ANY_NUMBER),  # `Criterion` says which numbers are no limits
    **dict.fromkeys(("advisory", "optional"), FLAG),
}


def _check_replacements(rows: Sequence[Criterion], path: str) -> None:
    """Refuse a row that would leave its metric to nobody: what takes its place must gate."""
    gating = {row.metric for row in rows if not row.advisory and not row.calibrated_by}
    for row in rows:
        if row.calibrated_by and row.advisory:
            raise CriteriaError(
                f"A row of {path!r} on {row.metric!r} is advisory, so nothing can take its place: remove calibrated_by."
            )
        if row.calibrated_by and row.calibrated_by not in gating:
            raise CriteriaError(
                f"A row of {path!r} on {row.metric!r} says calibrated_by = {row.calibrated_by!r}, and no row on that "
                "metric gates. Add one, or remove calibrated_by."
            )


def _criterion(row: dict[str, Any], path: str, metrics: list[str]) -> Criterion:
    if "where" in row:
        raise CriteriaError(f"A row of {path!r} has the key 'where', which is called 'about' now. Rename it.")
    check_table(row, _ROW, where=f"a row of {path!r}", error=CriteriaError)
    metric = row.get("metric", "")
    if metric not in metrics:
        raise CriteriaError(
            f"A row of {path!r} limits the metric {metric!r}, which does not exist. {did_you_mean(metric, metrics)}"
        )
    try:
        return Criterion(**{"why": "", **row})
    except CriteriaError as error:
        raise CriteriaError(f"{path!r}: {error}") from error
