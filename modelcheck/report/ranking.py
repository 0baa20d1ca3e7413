"""Many candidates beside one baseline: what each came to, in the order in which one would choose."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelcheck.comparison import METRICS, NUMBERS, AnyComparison, shown_in, tell_record
from modelcheck.judgement.findings import Finding, overall
from modelcheck.judgement.measured import Measured
from modelcheck.report.words import OF_PICTURES
from modelcheck.signature import Record

__all__ = ["SCHEMA", "Ranked", "Ranking", "rank"]

SCHEMA = "modelcheck-compare-all/1"
_VERDICTS = ("pass", "inconclusive", "unmeasured", "fail", "error")
_VARIABLE = "driver_change"


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranked:
    """One candidate, and what it came to.

    Parameters
    ----------
    file : str
        As it was given.
    findings : tuple of Finding
        What was judged, waivers of this file applied, the most severe first.
    comparison : AnyComparison or None
        The candidate beside the baseline; None where it could not be measured.
    refusal : str
        Why it could not be measured; else empty.
    broken : tuple of str
        Sentences on waivers of this file that do not hold, which the gate counts as failures.
    seconds : float or None
        How long one answer took, where that is known.
    """

    file: str
    findings: tuple[Finding, ...] = ()
    comparison: AnyComparison | None = None
    refusal: str = ""
    broken: tuple[str, ...] = ()
    seconds: float | None = None

    @property
    def verdict(self) -> str:
        """The gate's word; ``error`` where the candidate could not be measured."""
        if self.comparison is None:
            return "error"
        found = overall(self.findings).value
        return "fail" if self.broken and found in ("pass", "inconclusive") else found

    @property
    def red(self) -> tuple[Finding, ...]:
        """What stands in the way of a release, the most severe first."""
        return tuple(found for found in self.findings if found.red)

    @property
    def model(self) -> Mapping[str, Any]:
        """What is known of the network; empty where it could not be measured."""
        return {} if self.comparison is None else self.comparison.candidate.model

    def values(self, metric: str) -> dict[str, float]:
        """Return a metric's known values by what they are about."""
        measures = {} if self.comparison is None else self.comparison.measures
        return {
            item.about: float(item.value)
            for item in measures.values()
            if item.metric == metric and math.isfinite(item.value)
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking:
    """Candidates beside one baseline, the best first.

    Parameters
    ----------
    baseline : Record
        The approved network's signature.
    rows : tuple of Ranked
        As `rank` orders them.
    criteria : str
        The file by which they were judged, in words.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    """

    baseline: Record
    rows: tuple[Ranked, ...]
    criteria: str
    noun: tuple[str, str]

    @property
    def of(self) -> str:
        """What the networks answer; see `modelcheck.comparison.tell_material`."""
        return tell_record(self.baseline)

    @property
    def names(self) -> dict[str, str]:
        """What each file is called: its name, and its path where two are named alike."""
        short = {row.file: row.file.rpartition("/")[2] for row in self.rows}
        called = list(short.values())
        return {file: name if called.count(name) == 1 else file for file, name in short.items()}

    @property
    def decision(self) -> str:
        """The metric that says how alike decisions are."""
        return self._first(shown_in("decision", of=self.of))

    @property
    def hidden(self) -> str:
        """The metric that says how alike hidden layers are: the one that says it of most of them."""
        metrics = shown_in("hidden", of=self.of)
        known = {metric: {name for row in self.rows for name in row.values(metric)} for metric in metrics}
        return max(metrics, key=lambda metric: len(known[metric] - {self._last}))

    @property
    def _last(self) -> str:
        return self.baseline.layers[-1].name if self.baseline.layers else ""

    @property
    def answered(self) -> str:
        """The metric that says how well each subject is answered; each class where the panel has no subjects."""
        return self._first(shown_in("answered", of=self.of))

    @property
    def who(self) -> str:
        """What `answered` is about, in a word; empty for all rows together."""
        about = METRICS[self.answered].about
        return {"subject": self.noun[0], "class_name": "class"}.get(about, "")

    @property
    def things(self) -> tuple[str, ...]:
        """What candidates are compared by, one by one: the baseline's layers in order, or a table's variables."""
        if self.of != OF_PICTURES:
            return tuple(dict.fromkeys(name for row in self.rows for name in row.values(_VARIABLE)))
        return tuple(layer.name for layer in self.baseline.layers)

    def _first(self, metrics: Sequence[str]) -> str:
        return next((name for name in metrics if any(row.values(name) for row in self.rows)), metrics[0])

    def decides(self, row: Ranked) -> float | None:
        """Return how alike the decision is to the baseline's."""
        return next(iter(row.values(self.decision).values()), None)

    def lowest(self, row: Ranked) -> Measured | None:
        """Return the hidden layer that is least like the baseline's."""
        found = row.values(self.hidden)
        hidden = {name: value for name, value in found.items() if name != self._last}
        about = min(hidden, key=lambda name: hidden[name], default=None)
        return None if about is None or row.comparison is None else row.comparison.measures[self.hidden, about]

    def worst_answered(self, row: Ranked) -> Measured | None:
        """Return the subject that is answered worst; of several the first by name."""
        found = row.values(self.answered)
        worst = _worst_of(self.of)
        about = worst(sorted(found), key=lambda name: found[name], default=None)
        return None if about is None or row.comparison is None else row.comparison.measures[self.answered, about]

    def by_thing(self, row: Ranked) -> dict[str, float]:
        """Return what is compared one by one: the likeness of each layer, or the change of each variable's share."""
        if self.of != OF_PICTURES:
            return row.values(_VARIABLE)
        return {**row.values(self.hidden), **row.values(self.decision)}

    def metric_of(self, thing: str) -> str:
        """Return the metric that a value of `by_thing` is of."""
        if self.of != OF_PICTURES:
            return _VARIABLE
        return self.decision if self.things and thing == self.things[-1] else self.hidden

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready builtins; see ``docs/how-to/compare_many.md``."""
        return {
            "schema": SCHEMA,
            "baseline": _describe(self.baseline.model),
            "panel": self.baseline.panel_digest,
            "criteria": self.criteria,
            "candidates": [self._row(place, row) for place, row in enumerate(self.rows, 1)],
        }

    def _row(self, place: int, row: Ranked) -> dict[str, Any]:
        return {
            "rank": place,
            "candidate": row.file,
            "verdict": row.verdict,
            "reason": row.refusal,
            "checks": sum(found.gating for found in row.findings),
            "red": len(row.red),
            "failed": [_describe_finding(found) for found in row.red],
            "waivers": list(row.broken),
            "worst": _describe_measured(self.worst_answered(row)),
            "answered": _round(row.values(self.answered)),
            "decision": {"metric": self.decision, "about": "", "value": _rounded(self.decides(row))},
            "lowest_layer": _describe_measured(self.lowest(row)),
            "layers" if self.of == OF_PICTURES else "variables": _round(self.by_thing(row)),
            **_describe(row.model),
            "seconds_per_answer": row.seconds,
        }


def rank(rows: Iterable[Ranked]) -> tuple[Ranked, ...]:
    """Return candidates in order: by verdict, then by how much is red, then by the worst subject, then by name.

    Parameters
    ----------
    rows : iterable of Ranked
        The candidates. A pass comes first, then inconclusive, unmeasured, fail, and last what could
        not be measured.

    Examples
    --------
    >>> [row.file for row in rank([Ranked(file="b.keras", refusal="broken"), Ranked(file="a.keras", refusal="gone")])]
    ['a.keras', 'b.keras']
    """
    return tuple(sorted(rows, key=_order))


def _order(row: Ranked) -> tuple[int, int, float, str]:
    of = OF_PICTURES if row.comparison is None else tell_record(row.comparison.baseline)
    metric = next((name for name in shown_in("answered", of=of) if row.values(name)), "")
    worst = _worst_of(of)(row.values(metric).values(), default=0.0)
    return (_VERDICTS.index(row.verdict), len(row.red), worst if of == NUMBERS else -worst, row.file)


def _worst_of(of: str) -> Callable[..., Any]:
    """Return what picks the worst of values: numbers are answered with errors, all else with accuracies."""
    return max if of == NUMBERS else min


def _describe(model: Mapping[str, Any]) -> dict[str, Any]:
    return {name: model.get(name) for name in ("name", "sha256", "parameters", "bytes")}


def _describe_finding(found: Finding) -> dict[str, Any]:
    row, rule = found.to_dict(), found.criterion
    told: dict[str, Any] = {name: row[name] for name in ("key", "metric", "about", "verdict", "value")}
    return {**told, "at_least": rule.at_least, "at_most": rule.at_most}


def _describe_measured(item: Measured | None) -> dict[str, Any] | None:
    return None if item is None else {"metric": item.metric, "about": item.about, "value": _rounded(item.value)}


def _round(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _rounded(value) for name, value in values.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)
