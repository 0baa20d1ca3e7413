"""Judgements: what a measured number answered to a criterion, and what all answers come to."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.document import FindingRow, VerdictDocument, WaiverRow, check_schema
from modelcheck.judgement.measured import Measured
from modelcheck.support.escaping import clean, one_line_repr

__all__ = ["Finding", "Verdict", "judge", "overall", "read_findings", "read_limits", "severity"]


class Verdict(StrEnum):
    """What a measurement says about a criterion, the least grave first.

    Only `PASS` passes; `WAIVED` did not, and somebody answers for it.

    Examples
    --------
    >>> Verdict.FAIL.gravity > Verdict.UNMEASURED.gravity > Verdict.PASS.gravity
    True
    """

    PASS = "pass"
    WAIVED = "waived"
    INCONCLUSIVE = "inconclusive"
    UNMEASURED = "unmeasured"
    FAIL = "fail"

    @property
    def gravity(self) -> int:
        """How grave it is, from 0 for a pass to 4 for a failure: the only order of gravity."""
        return list(Verdict).index(self)


@dataclass(frozen=True, kw_only=True, repr=False)
class Finding:
    """One judgement: one criterion applied to one measured value. One row of the report.

    Parameters
    ----------
    measured : Measured
        The value, and what it is about.
    criterion : Criterion
        The limits, as they are written.
    verdict : Verdict
        What the value says about the limits.
    waiver : WaiverRow, optional
        The row of the waiver that excuses it, where the verdict is `Verdict.WAIVED`.

    Examples
    --------
    >>> limit = Criterion(metric="accuracy", at_least=0.9, why="As agreed.")
    >>> found = judge(Measured(metric="accuracy", value=0.85, n=40), limit)
    >>> found.red, found.sentence()
    (True, 'FAIL: accuracy = 0.850, must be at least 0.9; 40 observations.')
    """

    measured: Measured
    criterion: Criterion
    verdict: Verdict
    waiver: WaiverRow | None = None

    def __repr__(self) -> str:
        return one_line_repr("Finding", self.sentence())

    @property
    def about(self) -> str:
        """What was measured: a layer, a subject, a group; empty for the network as a whole."""
        return self.measured.about

    @property
    def key(self) -> str:
        """The flat name of what was judged, ``metric[about]``."""
        return self.measured.key

    @property
    def gating(self) -> bool:
        """Whether the finding has a say in the release; a silent measure has one only where it is asked for by name."""
        named = self.criterion.about == self.about
        return not self.criterion.advisory and (named or not self.measured.silent)

    @property
    def red(self) -> bool:
        """Whether the finding stands in the way of a release."""
        return self.gating and self.verdict not in (Verdict.PASS, Verdict.WAIVED)

    def describe(self, unit: tuple[str, str] = ("observation", "observations")) -> str:
        """Return what was judged as one harmless line: value, limit, baseline, evidence."""
        item = self.measured
        value = "not measured" if math.isnan(item.value) else f"{item.value:.3f}"
        if item.interval is not None and all(math.isfinite(end) for end in item.interval):
            value += f" [{item.interval[0]:.3f}, {item.interval[1]:.3f}]"
        parts = [f"{self.key} = {value}, must be {self.criterion.limits}"]
        if item.off_scale:
            parts.append(f"no twin has the candidate's kind of layers: {item.off_scale}")
        if item.baseline is not None:
            parts.append(f"baseline {item.baseline:.3f}")
        if item.n is not None:
            parts.append(f"{item.n} {unit[item.n != 1]}")
        line = "; ".join(parts)
        return clean(f"{line}. {item.evidence}" if item.evidence else f"{line}.", longest=2000)

    def sentence(self, unit: tuple[str, str] = ("observation", "observations")) -> str:
        """Return the finding as one harmless line, verdict first: what a failing test says.

        Parameters
        ----------
        unit : tuple of str
            What `n` counts, one and many; see `modelcheck.comparison.unit_of`.
        """
        return clean(f"{self.verdict.value.upper()}: {self.describe(unit)}", longest=2000)

    def to_dict(self) -> FindingRow:
        """Return the finding's row in the verdict document; NaN and infinity become None."""
        item = self.measured
        row: FindingRow = {
            "key": self.key,
            "metric": item.metric,
            "about": item.about,
            "verdict": self.verdict.value,
            "gating": self.gating,
            "value": _number(item.value),
            "interval": None if item.interval is None else [_number(end) for end in item.interval],
            "baseline": _number(item.baseline),
            "n": None if item.n is None else int(item.n),
            "evidence": item.evidence,
            "criterion": self.criterion.to_dict(),
            "waiver": self.waiver,
        }
        return {**row, "off_scale": item.off_scale} if item.off_scale else row

    @classmethod
    def from_dict(cls, row: FindingRow) -> Finding:
        """Rebuild a finding from its row.

        Raises
        ------
        ValueError
            When the row contradicts itself: another key than its metric has, a say in the release
            that its criterion does not give, or a waiver where nothing is waived.
        """
        interval = row["interval"]
        criterion = Criterion(metric=row["metric"], **row["criterion"])
        made = cls(
            measured=Measured(
                metric=row["metric"],
                about=row["about"],
                value=_or_nan(row["value"]),
                interval=None if interval is None else (_or_nan(interval[0]), _or_nan(interval[1])),
                baseline=row["baseline"],
                n=row["n"],
                evidence=row["evidence"],
                silent=not row["gating"] and not criterion.advisory,
                off_scale=row.get("off_scale", ""),
            ),
            criterion=criterion,
            verdict=Verdict(row["verdict"]),
            waiver=row["waiver"],
        )
        excused = made.verdict is Verdict.WAIVED
        if (made.key, made.gating, excused) != (row["key"], row["gating"], made.waiver is not None):
            raise ValueError(f"the finding {row['key']!r} contradicts itself in its key, gating or waiver")
        return made


def judge(measured: Measured, criterion: Criterion) -> Finding:
    """Apply a criterion to a measured value.

    Parameters
    ----------
    measured : Measured
        A value of NaN or infinity is `Verdict.UNMEASURED`, never a pass. The interval must be
        finite and in order; without such an interval, a criterion judged by it is unmeasured. A
        value that is off its scale is `Verdict.INCONCLUSIVE`.
    criterion : Criterion
        The limits, on the same metric.

    Returns
    -------
    Finding

    Raises
    ------
    ValueError
        When the criterion is on another metric.

    Examples
    --------
    >>> limit = Criterion(metric="accuracy", at_least=0.9, why="as agreed")
    >>> judge(Measured(metric="accuracy", value=0.93), limit).verdict.value
    'pass'
    >>> judge(Measured(metric="accuracy", value=float("nan")), limit).verdict.value
    'unmeasured'
    """
    if measured.metric != criterion.metric:
        raise ValueError(f"The criterion on {criterion.metric!r} cannot judge {measured.metric!r}.")
    return Finding(measured=measured, criterion=criterion, verdict=_verdict(measured, criterion))


def _verdict(measured: Measured, criterion: Criterion) -> Verdict:
    value = float(measured.value)
    low = -math.inf if criterion.at_least is None else criterion.at_least
    high = math.inf if criterion.at_most is None else criterion.at_most
    ends = None if measured.interval is None else (float(measured.interval[0]), float(measured.interval[1]))
    if ends is not None and not (math.isfinite(ends[0]) and math.isfinite(ends[1]) and ends[0] <= ends[1]):
        ends = None
    if not math.isfinite(value) or (criterion.judged_by == "interval" and ends is None):
        return Verdict.UNMEASURED
    if measured.off_scale:
        return Verdict.INCONCLUSIVE
    reaches = ends is not None and ends[0] <= high and low <= ends[1]
    held = ends if criterion.judged_by == "interval" and ends is not None else (value, value)
    if low <= held[0] and held[1] <= high:
        return Verdict.PASS
    return Verdict.INCONCLUSIVE if reaches else Verdict.FAIL


def overall(findings: Iterable[Finding]) -> Verdict:
    """Return the gravest verdict of all gating findings; waived passes, none is unmeasured.

    Examples
    --------
    >>> limit = Criterion(metric="accuracy", at_least=0.9, why="As agreed.")
    >>> found = [judge(Measured(metric="accuracy", value=value), limit) for value in (0.95, 0.5)]
    >>> overall(found).value, overall([]).value
    ('fail', 'unmeasured')
    """
    verdicts = {
        Verdict.PASS if found.verdict is Verdict.WAIVED else found.verdict for found in findings if found.gating
    }
    return max(verdicts, key=lambda verdict: verdict.gravity, default=Verdict.UNMEASURED)


def severity(found: Finding) -> tuple[bool, int, float, str]:
    """Return what sorts findings: those that gate first, then by verdict, then by how far the value is from its limit.

    Examples
    --------
    >>> limit = Criterion(metric="accuracy", at_least=0.9, why="As agreed.")
    >>> found = [judge(Measured(metric="accuracy", value=value), limit) for value in (0.95, 0.5, 0.7)]
    >>> [row.measured.value for row in sorted(found, key=severity)]
    [0.5, 0.7, 0.95]
    """
    limits = [
        found.measured.value - limit if sign > 0 else limit - found.measured.value
        for limit, sign in ((found.criterion.at_least, 1), (found.criterion.at_most, -1))
        if limit is not None
    ]
    room = min(limits, default=0.0)
    return (not found.gating, -found.verdict.gravity, -math.inf if math.isnan(room) else room, found.key)


def read_findings(document: VerdictDocument) -> tuple[Finding, ...]:
    """Return the findings of a verdict document, in its order.

    Raises
    ------
    DocumentError
        When the document is of another schema.
    ValueError
        When a row contradicts itself.

    Examples
    --------
    >>> from modelcheck.judgement.document import SCHEMA
    >>> limit = Criterion(metric="accuracy", at_least=0.9, why="As agreed.")
    >>> row = judge(Measured(metric="accuracy", value=0.95), limit).to_dict()
    >>> read_findings({"schema": SCHEMA, "findings": [row]})
    (Finding(PASS: accuracy = 0.950, must be at least 0.9.),)
    """
    check_schema(document, "The verdict")
    return tuple(Finding.from_dict(row) for row in document["findings"])


def read_limits(document: VerdictDocument) -> tuple[Criterion, ...]:
    """Return the rows of the file of limits that a verdict document names, in its order; none where it names none.

    Raises
    ------
    CriteriaError
        When a row is none that a file of limits can hold.

    Examples
    --------
    >>> read_limits({"criteria": None})
    ()
    """
    rows = document["criteria"]["rows"] if document["criteria"] else []
    return tuple(Criterion(**{name: row[name] for name in _CRITERION}) for row in rows)  # type: ignore[literal-required]


_CRITERION = tuple(item.name for item in dataclasses.fields(Criterion))


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), 6)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
