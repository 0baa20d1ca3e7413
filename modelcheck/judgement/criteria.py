"""Limits, verdicts and findings: what is asked of a number, and what the number answered."""

from __future__ import annotations

import fnmatch
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from modelcheck.support.escaping import clean, one_line_repr
from modelcheck.support.spelling import did_you_mean
from modelcheck.support.tables import toml_document
from modelcheck.support.validation import ANY_NUMBER, FLAG, TEXT, check_table, check_value, one_of

__all__ = [
    "CriteriaError",
    "Criterion",
    "Finding",
    "Measured",
    "Verdict",
    "criterion_for",
    "judge",
    "judge_measured",
    "overall",
    "read_criteria",
]


class CriteriaError(ValueError):
    """Criteria that cannot be applied; the message says which row and what to do."""


class Verdict(StrEnum):
    """What a measurement says about a criterion. Only `PASS` passes; `WAIVED` did not, and somebody answers for it."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    UNMEASURED = "unmeasured"
    WAIVED = "waived"


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
    where : str
        A glob over what the metric is about (a layer, a subject, a group); of several rows for one metric
        the last that matches counts, as in a CODEOWNERS file.
    judged_by : {'value', 'interval'}
        ``value``: the value must lie within the limits; outside, it is inconclusive while its interval
        still reaches them. ``interval``: the whole interval must lie within the limits (non-inferiority);
        partly inside is inconclusive.
    advisory : bool
        Reported, but without a say in the release.
    optional : bool
        Whether `where` may match nothing; otherwise that is an error, for it is most likely a typo.
    """

    metric: str
    why: str
    at_least: float | None = None
    at_most: float | None = None
    where: str = "*"
    judged_by: str = "value"
    advisory: bool = False
    optional: bool = False

    def __post_init__(self) -> None:
        if not self.metric or not self.why.strip():
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


@dataclass(frozen=True, kw_only=True, repr=False)
class Measured:
    """A metric's value for one thing, with what is needed to judge and to explain it.

    Parameters
    ----------
    metric : str
        The metric's name, for example ``subject_accuracy``.
    about : str
        What was measured: a layer, a subject, a group; empty for the network as a whole.
    value : float
        The candidate's value; NaN means that it could not be measured.
    interval : tuple of float, optional
        Its confidence interval, or the spread that retraining alone brings.
    baseline : float, optional
        The baseline's value of the same metric.
    n : int, optional
        The number of observations behind it: pictures, units or subjects.
    evidence : str
        One plain sentence.
    floor, ceiling : tuple of float
        The same metric of the candidate's untrained twins and of the baseline's retrained ones, where there are any.
    silent : bool
        Whether the statistic cannot tell these networks apart by its own calibration: it is unmeasured then, and has
        no say, whatever the criterion.
    """

    metric: str
    value: float
    about: str = ""
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    n: int | None = None
    evidence: str = ""
    floor: tuple[float, ...] = ()
    ceiling: tuple[float, ...] = ()
    silent: bool = False

    def __repr__(self) -> str:
        ends = "" if self.interval is None else f" [{self.interval[0]:.3g}, {self.interval[1]:.3g}]"
        return one_line_repr("Measured", f"{self.key} = {self.value:.3g}{ends}", f"n = {self.n}")

    @property
    def key(self) -> str:
        """The flat name, ``metric[about]``."""
        return f"{self.metric}[{self.about}]" if self.about else self.metric


@dataclass(frozen=True, kw_only=True, repr=False)
class Finding:
    """One judgement: one criterion applied to one value. One row of the report."""

    subject: str
    criterion: Criterion
    value: float
    verdict: Verdict
    interval: tuple[float, float] | None = None
    baseline: float | None = None
    n: int | None = None
    evidence: str = ""
    waiver: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        return one_line_repr("Finding", self.sentence())

    @property
    def key(self) -> str:
        """The flat name of the metric, ``metric[subject]``."""
        return f"{self.criterion.metric}[{self.subject}]" if self.subject else self.criterion.metric

    @property
    def gating(self) -> bool:
        """Whether the finding has a say in the release."""
        return not self.criterion.advisory

    @property
    def red(self) -> bool:
        """Whether the finding stands in the way of a release."""
        return self.gating and self.verdict not in (Verdict.PASS, Verdict.WAIVED)

    def sentence(self, unit: tuple[str, str] = ("observation", "observations")) -> str:
        """Return the finding as one harmless line: what, value, limit, baseline, evidence.

        Parameters
        ----------
        unit : tuple of str
            What `n` counts, one and many; see `modelcheck.comparison.unit_of`.
        """
        value = "not measured" if math.isnan(self.value) else f"{self.value:.3f}"
        if self.interval is not None and all(math.isfinite(end) for end in self.interval):
            value += f" [{self.interval[0]:.3f}, {self.interval[1]:.3f}]"
        parts = [f"{self.key} = {value}, must be {self.criterion.limits}"]
        if self.baseline is not None:
            parts.append(f"baseline {self.baseline:.3f}")
        if self.n is not None:
            parts.append(f"{self.n} {unit[self.n != 1]}")
        line = f"{self.verdict.value.upper()}: {'; '.join(parts)}"
        return clean(f"{line}. {self.evidence}" if self.evidence else f"{line}.", longest=2000)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready builtins; NaN becomes None."""

        def number(value: float | None) -> float | None:
            return None if value is None or not math.isfinite(value) else round(float(value), 6)

        return {
            "key": self.key,
            "metric": self.criterion.metric,
            "subject": self.subject,
            "verdict": self.verdict.value,
            "gating": self.gating,
            "value": number(self.value),
            "interval": None if self.interval is None else [number(end) for end in self.interval],
            "baseline": number(self.baseline),
            "n": self.n,
            "at_least": self.criterion.at_least,
            "at_most": self.criterion.at_most,
            "judged_by": self.criterion.judged_by,
            "where": self.criterion.where,
            "why": self.criterion.why,
            "evidence": self.evidence,
            "waiver": None if self.waiver is None else dict(self.waiver),
        }

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Finding:
        """Rebuild a finding from `to_dict`, as the controller of a distributed run does."""
        return cls(
            subject=row["subject"],
            criterion=Criterion(
                metric=row["metric"],
                why=row["why"],
                at_least=row["at_least"],
                at_most=row["at_most"],
                where=row["where"],
                judged_by=row["judged_by"],
                advisory=not row["gating"],
            ),
            value=math.nan if row["value"] is None else row["value"],
            verdict=Verdict(row["verdict"]),
            interval=None if row["interval"] is None else (_or_nan(row["interval"][0]), _or_nan(row["interval"][1])),
            baseline=row["baseline"],
            n=row["n"],
            evidence=row["evidence"],
            waiver=row["waiver"],
        )


def judge(
    value: float,
    criterion: Criterion,
    *,
    subject: str = "",
    interval: tuple[float, float] | None = None,
    baseline: float | None = None,
    n: int | None = None,
    evidence: str = "",
) -> Finding:
    """Apply a criterion to a value.

    Parameters
    ----------
    value : float
        NaN or infinity is `Verdict.UNMEASURED`, never a pass.
    criterion : Criterion
        The limits.
    subject : str
        What the value is about: a layer, a subject, a group.
    interval : tuple of float, optional
        Lowest and highest plausible value, finite; without one, a criterion judged by its interval is unmeasured.
    baseline, n, evidence
        Carried into the finding.

    Returns
    -------
    Finding

    Examples
    --------
    >>> judge(0.93, Criterion(metric="accuracy", at_least=0.9, why="as agreed")).verdict.value
    'pass'
    >>> judge(float("nan"), Criterion(metric="accuracy", at_least=0.0, why="as agreed")).verdict.value
    'unmeasured'
    """
    value = float(value)
    low = -math.inf if criterion.at_least is None else criterion.at_least
    high = math.inf if criterion.at_most is None else criterion.at_most
    ends = None if interval is None else (float(interval[0]), float(interval[1]))
    usable = ends is not None and math.isfinite(ends[0]) and math.isfinite(ends[1]) and ends[0] <= ends[1]
    if not math.isfinite(value) or (criterion.judged_by == "interval" and not usable):
        verdict = Verdict.UNMEASURED
    elif criterion.judged_by == "interval" and ends is not None:
        inside = low <= ends[0] and ends[1] <= high
        apart = ends[1] < low or high < ends[0]
        verdict = Verdict.PASS if inside else Verdict.FAIL if apart else Verdict.INCONCLUSIVE
    elif low <= value <= high:
        verdict = Verdict.PASS
    else:
        reaches = usable and ends is not None and ends[0] <= high and low <= ends[1]
        verdict = Verdict.INCONCLUSIVE if reaches else Verdict.FAIL
    return Finding(
        subject=subject,
        criterion=criterion,
        value=value,
        verdict=verdict,
        interval=ends,
        baseline=None if baseline is None else float(baseline),
        n=None if n is None else int(n),
        evidence=evidence,
    )


def judge_measured(item: Measured, criterion: Criterion) -> Finding:
    """Apply a criterion to a measure; one that is silent by its own calibration has no say."""
    return judge(
        item.value,
        replace(criterion, advisory=True) if item.silent else criterion,
        subject=item.about,
        interval=item.interval,
        baseline=item.baseline,
        n=item.n,
        evidence=item.evidence,
    )


def overall(findings: Iterable[Finding]) -> Verdict:
    """Return the one verdict over all gating findings, the gravest first; no finding is unmeasured, waived passes."""
    verdicts = {Verdict.PASS if row.verdict is Verdict.WAIVED else row.verdict for row in findings if row.gating}
    for verdict in (Verdict.FAIL, Verdict.UNMEASURED, Verdict.INCONCLUSIVE, Verdict.PASS):
        if verdict in verdicts:
            return verdict
    return Verdict.UNMEASURED


def criterion_for(criteria: Sequence[Criterion], metric: str, about: str) -> Criterion | None:
    """Return the last row for the metric whose `where` matches, or None."""
    rows = [row for row in criteria if row.metric == metric and fnmatch.fnmatchcase(about, row.where)]
    return rows[-1] if rows else None


def read_criteria(path: str | Path, *, metrics: Iterable[str]) -> tuple[Criterion, ...]:
    """Read the rows of a criteria file, ``[[criterion]]`` tables in TOML.

    Parameters
    ----------
    path : str or Path
        The file.
    metrics : iterable of str
        The metrics that exist; a row on any other is an error.

    Raises
    ------
    CriteriaError
        When the file is missing, is no TOML, holds no row, or a row has an unknown key or metric.
    """
    try:
        document = toml_document(Path(path).read_bytes())
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
    return tuple(_criterion(row, str(path), known_metrics) for row in rows)


_ROW = {
    **dict.fromkeys(("metric", "why", "where", "judged_by"), TEXT),
    **dict.fromkeys(("at_least", "at_most"), ANY_NUMBER),  # `Criterion` says which numbers are no limits
    **dict.fromkeys(("advisory", "optional"), FLAG),
}


def _criterion(row: dict[str, Any], path: str, metrics: list[str]) -> Criterion:
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


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
