"""What the report shows of drivers: which share of its evidence each variable holds, baseline beside candidate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from modelcheck.comparison import METRICS
from modelcheck.comparison.tables.comparison import TableComparison
from modelcheck.comparison.tables.drivers import Drivers
from modelcheck.judgement.findings import Finding, Verdict
from modelcheck.report.charts import row
from modelcheck.report.tables.plots import draw_bar
from modelcheck.report.tables.values import name_column, say_percent
from modelcheck.report.words import MINUS, Noun, clean, gravest, number

__all__ = ["driver_rows", "drivers_view"]

_OPEN, _LONG = 12, 16  # rows that stand open where there are more than so many
_SHORT = 32  # letters of a name on the first screen
_TIES = ("driver_share", "driver_change")


def drivers_view(
    comparison: TableComparison, findings: Mapping[str, Finding], *, noun: Noun, of: str
) -> dict[str, Any]:
    """Return everything of the section *Same drivers*.

    Parameters
    ----------
    comparison : TableComparison
        The two networks.
    findings : mapping
        What was judged, by key; empty where there is no gate.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    of : str
        What the panel holds: see `modelcheck.comparison.tell_material`.
    """
    rows = driver_rows(comparison, findings)
    first = _OPEN if len(rows) > _LONG else len(rows)
    shown = [item for k, item in enumerate(rows) if k < first or item["red"]]
    drivers = comparison.drivers
    return {
        "measured": drivers is not None,
        "missing": "" if drivers is not None else _say_missing(comparison),
        "judged": any(item["must"] for item in rows),
        "rows": shown,
        "rest": [item for item in rows if item not in shown],
        "twins": 0 if drivers is None else len(drivers.twins),
        "methods": [] if drivers is None else [_name_method(name) for name in drivers.relevance],
        "shuffled": drivers is not None and len(drivers.shuffled.get("candidate", ())) > 0,
        "measures": [
            row(item, findings, noun=noun, of=of)
            for item in comparison.measures.values()
            if METRICS[item.metric].area == "drivers" and not METRICS[item.metric].about
        ],
    }


def _say_missing(comparison: TableComparison) -> str:
    """Return why nothing is known of what drives the networks."""
    said = (item.evidence for (metric, _), item in comparison.measures.items() if METRICS[metric].area == "drivers")
    return clean(next(filter(None, said), "No values were exchanged."), longest=400)


def driver_rows(comparison: TableComparison, findings: Mapping[str, Finding]) -> list[dict[str, Any]]:
    """Return one row a variable, that with the largest share in either network first; none without exchanges."""
    drivers = comparison.drivers
    if drivers is None:
        return []
    every = [*drivers.baseline.tolist(), *drivers.candidate.tolist(), *drivers.intervals.ravel().tolist()]
    most = max([share for share in every if math.isfinite(share)], default=1.0)
    rows = [_describe(drivers, k, most, findings) for k in range(len(drivers.columns))]
    return sorted(rows, key=lambda item: -item["size"])


def _describe(drivers: Drivers, k: int, most: float, findings: Mapping[str, Finding]) -> dict[str, Any]:
    name = drivers.columns[k]
    judged = [findings[key] for metric in _TIES if (key := f"{metric}[{name}]") in findings]
    state = gravest(judged)
    told = next((found for found in judged if found.gating and found.verdict.value == state), None)
    told = told or next(iter(judged), None)
    before, after = float(drivers.baseline[k]), float(drivers.candidate[k])
    low, high = (draw_bar(float(end), most) for end in drivers.intervals[k])
    return {
        "column": name,
        "name": name_column(name),
        "short": name_column(name, longest=_SHORT),
        "size": max(before if math.isfinite(before) else 0.0, after if math.isfinite(after) else 0.0),
        "before": say_percent(before),
        "after": say_percent(after),
        "bars": {"baseline": draw_bar(before, most), "candidate": draw_bar(after, most)},
        "interval": (low, high) if low and high else None,
        "twins": [place for share in drivers.twins[:, k].tolist() if (place := draw_bar(share, most))],
        "shuffled": _pair(drivers.shuffled, k),
        "relevance": {
            _name_method(method): (say_percent(float(shares[0, k])), say_percent(float(shares[1, k])))
            for method, shares in drivers.relevance.items()
        },
        "state": state if judged else "info",
        "red": any(found.red for found in judged),
        "waived": any(found.verdict is Verdict.WAIVED for found in judged),
        "must": _say_limit(told),
        "why": clean(told.criterion.why, longest=600) if told else "",
    }


def _pair(shuffled: Mapping[str, Any], k: int) -> tuple[str, str] | None:
    """Return permutation importance of both networks; None where no column was shuffled."""
    sides: Sequence[Any] = [shuffled.get(role, ()) for role in ("baseline", "candidate")]
    if any(len(side) <= k for side in sides):
        return None
    return number(float(sides[0][k][0])), number(float(sides[1][k][0]))


def _say_limit(found: Finding | None) -> str:
    """Return a limit in per cent of the evidence; one on the change says that it is one."""
    if found is None:
        return ""
    low, high = found.criterion.at_least, found.criterion.at_most
    change = "" if found.measured.metric == "driver_share" else "change "
    if low is not None and high is not None and low == -high:
        return f"{change}±{_say_exactly(high)}"
    if low is not None and high is not None:
        return f"{change}{_say_exactly(low)} to {_say_exactly(high)}"
    return (
        f"{change}at least {_say_exactly(low)}" if low is not None else f"{change}at most {_say_exactly(high or 0.0)}"
    )


def _say_exactly(share: float) -> str:
    return f"{100 * share:g}\N{NO-BREAK SPACE}%".replace("-", MINUS)


def _name_method(method: str) -> str:
    return clean(method, longest=40).replace("_", " ")
