"""Waivers: a red finding of one candidate that somebody answers for, until a day that comes soon.

A waiver excuses what it was granted for and nothing else. Worse than granted, much better than
granted, too old, not yet begun, for another candidate, or matching nothing: each is a failure of
its own, so that the file never holds an excuse nobody needs, or one that nothing could outgrow.
What could not be measured cannot be waived.
"""

from __future__ import annotations

import dataclasses
import datetime
import fnmatch
import math
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.document import WaiverRow, WaiverUseRow
from modelcheck.judgement.findings import Finding, Verdict
from modelcheck.support.escaping import clean, is_legible

__all__ = [
    "LONGEST",
    "NOTICE",
    "Use",
    "Waiver",
    "WaiverError",
    "WaiverState",
    "apply_waivers",
    "recheck_waivers",
]

LONGEST = 90  # days between `created` and `expires`
NOTICE = 14  # days before the end from which on everybody is told
_DIGITS = 6  # a verdict holds so many; what is granted is copied from there
# How much further from the limit a waiver may reach than what is measured: the same file is measured
# a little differently on another machine, and no more than that.
_SLACK, _SHARE = 0.05, 0.25
_WILD = re.compile(r"\*|\?|\[!?\]?[^\]]*\]")


class WaiverError(ValueError):
    """Waivers that cannot be applied; the message says which row and what to do."""


class WaiverState(StrEnum):
    """What became of a waiver in a run. Only `USED` is no failure.

    Examples
    --------
    >>> WaiverState("expired") is WaiverState.EXPIRED
    True
    """

    USED = "used"
    WORSE = "worse"
    WIDE = "granted for more"
    EXPIRED = "expired"
    EARLY = "not yet valid"
    STRANGER = "for another candidate"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """One excuse.

    Parameters
    ----------
    metric : str
        The criterion's metric.
    about : str
        What the finding is about: a layer, a subject, a group; empty for the network as a whole. A
        glob over several begins or ends with letters of their names, like ``visitor_*``.
    candidate : str
        The sha256 of the one file that is excused.
    owner : str
        Who answers for it.
    reason : str
        Why the release is acceptable all the same.
    created, expires : datetime.date
        The first and the last day, in UTC, on which it holds; at most `LONGEST` days apart.
    value : float
        What was measured when it was granted. Further from the limit than this is not excused.

    Examples
    --------
    >>> first, last = datetime.date(2026, 1, 1), datetime.date(2026, 1, 31)
    >>> who = {"candidate": "0" * 64, "owner": "Ada", "reason": "One picture is blurred."}
    >>> waiver = Waiver(metric="kappa", value=0.4, created=first, expires=last, **who)
    >>> limit = Criterion(metric="kappa", at_least=0.5, why="As agreed.")
    >>> waiver.covers(0.45, limit), waiver.covers(0.3, limit)
    (True, False)
    """

    metric: str
    candidate: str
    owner: str
    reason: str
    created: datetime.date
    expires: datetime.date
    value: float
    about: str = ""

    def __post_init__(self) -> None:
        if not (is_legible(self.owner) and is_legible(self.reason)):
            raise WaiverError(f"{self.name} needs an owner and a reason.")
        if not re.fullmatch(r"[0-9a-f]{64}", self.candidate):
            raise WaiverError(f"{self.name}: candidate must be the file's sha256, 64 hex digits: sha256sum MINE.keras")
        if not abs(self.value) <= sys.float_info.max:  # NaN is not
            raise WaiverError(f"{self.name}: value must be the number that was measured; NaN cannot be waived.")
        if _is_glob(self.about) and not _has_fixed_end(self.about):
            raise WaiverError(
                f"{self.name}: about must begin or end with letters of what is excused (visitor_zoe, visitor_*); "
                f"{clean(self.about, longest=80)!r} could excuse everything. Write a row for each."
            )
        if not 0 <= (self.expires - self.created).days <= LONGEST:
            raise WaiverError(
                f"{self.name} holds from {self.created} to {self.expires}; it must end on or after the day it begins, "
                f"and within {LONGEST} days."
            )

    @property
    def name(self) -> str:
        """How messages point at it."""
        return clean(f"The waiver of {self.metric}[{self.about}]" if self.about else f"The waiver of {self.metric}")

    def matches(self, metric: str, about: str) -> bool:
        """Say whether it is about this finding."""
        return metric == self.metric and fnmatch.fnmatchcase(about, self.about)

    def covers(self, value: float, criterion: Criterion) -> bool:
        """Say whether a value lies no further beyond the limit that it misses than the one it was granted for."""
        beyond, granted = self._measure_missed(value, criterion)
        return beyond <= granted

    def exceeds(self, value: float, criterion: Criterion) -> bool:
        """Say whether it was granted for a value much further beyond the limit than this one."""
        beyond, granted = self._measure_missed(value, criterion)
        return granted > max(beyond, 0.0) * (1 + _SHARE) + _SLACK

    def _measure_missed(self, value: float, criterion: Criterion) -> tuple[float, float]:
        """Return how far beyond the limit that a value misses, or is nearest to, it lies and the granted one does."""
        own, granted = _beyond(value, criterion), _beyond(self.value, criterion)
        at = own.index(max(own))
        return own[at], granted[at]

    @classmethod
    def from_dict(cls, row: WaiverRow) -> Waiver:
        """Rebuild a waiver from its row in a verdict document; what became of it is left out.

        Raises
        ------
        WaiverError
            When no waiver can be like that.
        """
        try:
            days = {name: datetime.date.fromisoformat(row[name]) for name in ("created", "expires")}
        except ValueError as error:
            raise WaiverError(f"The waiver of {clean(row['metric'], longest=80)} has a day that is none.") from error
        kept = {item.name: row[item.name] for item in dataclasses.fields(cls)}  # type: ignore[literal-required]
        return cls(**{**kept, **days})

    def to_dict(self) -> WaiverRow:
        """Return JSON-ready builtins; days are like 2026-01-31."""
        return {
            "metric": self.metric,
            "about": self.about,
            "candidate": self.candidate,
            "owner": self.owner,
            "reason": self.reason,
            "created": str(self.created),
            "expires": str(self.expires),
            "value": self.value,
        }


@dataclass(frozen=True, kw_only=True)
class Use:
    """A waiver and what became of it.

    Parameters
    ----------
    waiver : Waiver
        The row.
    state : WaiverState
        What became of it.
    keys : tuple of str
        The findings that it excuses, or, where it is `WORSE`, does not.

    Examples
    --------
    >>> first, last = datetime.date(2026, 1, 1), datetime.date(2026, 1, 31)
    >>> who = {"candidate": "0" * 64, "owner": "Ada", "reason": "One picture is blurred."}
    >>> waiver = Waiver(metric="kappa", value=0.4, created=first, expires=last, **who)
    >>> Use(waiver=waiver, state=WaiverState.USED, keys=("kappa",)).to_dict()["findings"]
    ['kappa']
    """

    waiver: Waiver
    state: WaiverState
    keys: tuple[str, ...] = ()

    def to_dict(self) -> WaiverUseRow:
        """Return JSON-ready builtins."""
        return {**self.waiver.to_dict(), "state": self.state.value, "findings": list(self.keys)}


def apply_waivers(
    findings: Iterable[Finding],
    waivers: Sequence[Waiver],
    *,
    candidate: str,
    today: datetime.date,
    unjudged: Collection[tuple[str, str]] = (),
) -> tuple[list[Finding], list[Use]]:
    """Excuse the findings that a waiver covers, and say what became of every waiver.

    Parameters
    ----------
    findings : iterable of Finding
        As judged.
    waivers : sequence of Waiver
        The rows of the file.
    candidate : str
        The sha256 of the file that was measured.
    today : datetime.date
        In UTC.
    unjudged : collection of tuple
        ``(metric, about)`` that a run which was narrowed on purpose left out: a waiver of one of
        them may stand.

    Returns
    -------
    tuple
        The findings, those that are excused with the verdict `waived`; and a `Use` for each waiver,
        in order.

    Examples
    --------
    >>> first, last = datetime.date(2026, 1, 1), datetime.date(2026, 1, 31)
    >>> who = {"candidate": "0" * 64, "owner": "Ada", "reason": "One picture is blurred."}
    >>> waiver = Waiver(metric="kappa", value=0.4, created=first, expires=last, **who)
    >>> _, uses = apply_waivers([], [waiver], candidate="0" * 64, today=last)
    >>> uses[0].state.value
    'unmatched'
    """
    rows, keys = list(findings), {row: set[str]() for row in range(len(waivers))}
    worse = {row: set[str]() for row in range(len(waivers))}
    near = set[int]()  # the waivers one of whose findings is about as bad as they were granted for
    valid = [row for row in waivers if row.candidate == candidate and row.created <= today <= row.expires]
    for place, found in enumerate(rows):
        about = [row for row in valid if found.red and row.matches(found.measured.metric, found.about)]
        excused = [row for row in about if found.verdict is not Verdict.UNMEASURED]
        excused = [row for row in excused if row.covers(found.measured.value, found.criterion)]
        for row in about:
            at = waivers.index(row)
            (keys if row in excused else worse)[at].add(found.key)
            if row in excused and not row.exceeds(found.measured.value, found.criterion):
                near.add(at)
        if excused:
            rows[place] = dataclasses.replace(found, verdict=Verdict.WAIVED, waiver=excused[-1].to_dict())
    uses = []
    for place, row in enumerate(waivers):
        if row.candidate != candidate:
            state = WaiverState.STRANGER
        elif row.created > today:
            state = WaiverState.EARLY
        elif row.expires < today:
            state = WaiverState.EXPIRED
        elif worse[place]:
            state = WaiverState.WORSE
        elif keys[place] and place not in near:
            state = WaiverState.WIDE
        elif keys[place] or any(row.matches(*pair) for pair in unjudged):
            state = WaiverState.USED
        else:
            state = WaiverState.UNMATCHED
        named = worse[place] if state is WaiverState.WORSE else keys[place]
        uses.append(Use(waiver=row, state=state, keys=tuple(sorted(named))))
    return rows, uses


def recheck_waivers(
    findings: Iterable[Finding], rows: Iterable[WaiverUseRow], *, candidate: str, today: datetime.date
) -> tuple[list[Use], list[str]]:
    """Hold the waivers of a verdict document against its findings and the day once more.

    Parameters
    ----------
    findings : iterable of Finding
        The document's; see `read_findings`.
    rows : iterable of WaiverUseRow
        The document's waivers.
    candidate : str
        The sha256 of the file that was judged.
    today : datetime.date
        Of the reader, in UTC.

    Returns
    -------
    tuple
        The waivers that do not hold, each with what became of it, and the keys of findings that are
        said to be waived and that no waiver excuses. Both empty when all is well.

    Raises
    ------
    WaiverError
        When a row is one that no file of waivers can hold.

    Examples
    --------
    >>> first, last = datetime.date(2026, 1, 1), datetime.date(2026, 1, 31)
    >>> who = {"candidate": "0" * 64, "owner": "Ada", "reason": "One picture is blurred."}
    >>> waiver = Waiver(metric="kappa", value=0.4, created=first, expires=last, **who)
    >>> limit = Criterion(metric="kappa", at_least=0.5, why="As agreed.")
    >>> from modelcheck.judgement import Measured, judge
    >>> red = [judge(Measured(metric="kappa", value=0.4), limit)]
    >>> found, uses = apply_waivers(red, [waiver], candidate="0" * 64, today=last)
    >>> rows = [use.to_dict() for use in uses]
    >>> recheck_waivers(found, rows, candidate="0" * 64, today=last)
    ([], [])
    >>> lapsed, bare = recheck_waivers(found, rows, candidate="0" * 64, today=datetime.date(2026, 2, 1))
    >>> lapsed[0].state.value, bare
    ('expired', ['kappa'])
    """
    said = list(findings)
    # A value with six digits may meet the limit that the measured one missed: it is not judged again
    # here, only what the waiver says of it.
    bare = [
        dataclasses.replace(found, verdict=_without_waiver(found), waiver=None)
        if found.verdict is Verdict.WAIVED
        else found
        for found in said
    ]
    again, uses = apply_waivers(bare, [Waiver.from_dict(row) for row in rows], candidate=candidate, today=today)
    lost = [
        before.key
        for before, after in zip(said, again, strict=True)
        if before.verdict is Verdict.WAIVED and before.to_dict()["waiver"] != after.to_dict()["waiver"]
    ]
    return [use for use in uses if use.state is not WaiverState.USED], lost


def _without_waiver(found: Finding) -> Verdict:
    return Verdict.FAIL if math.isfinite(found.measured.value) else Verdict.UNMEASURED


def _is_glob(about: str) -> bool:
    return bool(_WILD.search(about))


def _has_fixed_end(about: str) -> bool:
    """Say whether a glob begins or ends with a letter that stands for itself."""
    stretches = [(match.start(), match.end()) for match in _WILD.finditer(about)]
    return stretches[0][0] > 0 or stretches[-1][1] < len(about)


def _beyond(value: float, criterion: Criterion) -> tuple[float, float]:
    """Return how far a value lies below and above the limits; negative within them."""
    value = round(value, _DIGITS)
    low = -math.inf if criterion.at_least is None else criterion.at_least - value
    high = -math.inf if criterion.at_most is None else value - criterion.at_most
    return low, high
