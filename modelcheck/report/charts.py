"""Where the marks of a chart stand; the templates draw them, so that no text ever enters a page unescaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelcheck.comparison import Comparison
from modelcheck.judgement.findings import Finding
from modelcheck.judgement.measured import Measured
from modelcheck.report.words import (
    COUNTS,
    MINUS,
    NOTHING,
    OF_PICTURES,
    SUBJECTS,
    Noun,
    area_of,
    clean,
    format_with_interval,
    limits,
    meaning,
    name_about,
    number,
    observations,
    title,
    typeset,
    what_decides,
)

__all__ = ["Axis", "describe_finding", "dot_plot", "layer_rows", "network_map", "row", "score_step"]

_EDGE = 3.0  # per cent kept free on both sides, so that a dot on the end of the axis is whole


@dataclass(frozen=True)
class Axis:
    """A linear scale over the width of a strip.

    Parameters
    ----------
    low, high : float
        Values at its two ends.
    step : float
        From one tick to the next.
    """

    low: float
    high: float
    step: float

    @classmethod
    def over(cls, values: Iterable[float | None], *, at_least: tuple[float, float]) -> Axis:
        """Return the axis that holds all values and at least the given span; its ends are round numbers."""
        finite = [value for value in values if value is not None and math.isfinite(value)]
        low, high = min([at_least[0], *finite]), max([at_least[1], *finite])
        scale = 10.0 ** math.floor(math.log10(high - low))
        step = next(
            scale * share for share in (0.1, 0.2, 0.25, 0.5, 1, 2) if (high - low) / (scale * share) <= 5 + 1e-9
        )
        return cls(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, step)

    def at(self, value: float | None) -> str | None:
        """Return where a value stands, as a percentage of the width; None for a value that is not there."""
        if value is None or not math.isfinite(value):
            return None
        return f"{self._percent(value):.2f}%"

    @property
    def ticks(self) -> list[tuple[str, str]]:
        """Round values: where they stand, and their labels."""
        values = [self.low + self.step * k for k in range(round((self.high - self.low) / self.step) + 1)]
        return [(f"{self._percent(value):.2f}%", f"{round(value, 9) + 0.0:g}".replace("-", MINUS)) for value in values]

    def strip(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return the marks of one row: candidate, baseline, interval, limits and what they allow."""
        ends = found["interval"] or (None, None)
        low = self.low if found["at_least"] is None else found["at_least"]
        high = self.high if found["at_most"] is None else found["at_most"]
        limited = found["at_least"] is not None or found["at_most"] is not None
        left, right = self._percent(max(low, self.low)), self._percent(min(high, self.high))
        return {
            "candidate": self.at(found["value"]),
            "baseline": self.at(found["baseline"]),
            "low": self.at(ends[0]),
            "high": self.at(ends[1]),
            "limits": [self.at(found[key]) for key in ("at_least", "at_most") if found[key] is not None],
            "allowed": (f"{left:.2f}%", f"{max(right - left, 0):.2f}%") if limited else None,
        }

    def _percent(self, value: float) -> float:
        span = self.high - self.low
        return _EDGE + (100 - 2 * _EDGE) * (value - self.low) / (span if span > 0 else 1)


def row(
    item: Measured, findings: Mapping[str, Finding], *, noun: Noun = SUBJECTS, of: str = OF_PICTURES
) -> dict[str, Any]:
    """Return a measure with what was judged of it, in numbers and in words.

    Parameters
    ----------
    item : Measured
        From a comparison.
    findings : mapping
        What was judged, by key; a measure without a finding is information.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    of : str
        What the panel holds: see `modelcheck.comparison.tell_material`.
    """
    found = findings.get(item.key)
    if found is not None:
        # What was judged, to the digit; the comparison may have been made again since.
        return describe_finding(found, noun=noun, of=of)
    unjudged = {
        "verdict": "info",
        "mark": "info",
        "red": False,
        "gating": False,
        "gravity": -1,
        "at_least": None,
        "at_most": None,
    }
    return {**_describe_measured(item, noun, of), **unjudged, "must": NOTHING, "why": "", "decides": ""}


def describe_finding(found: Finding, *, noun: Noun = SUBJECTS, of: str = OF_PICTURES) -> dict[str, Any]:
    """Return a finding with everything that the page says of it."""
    return {
        **_describe_measured(found.measured, noun, of),
        "verdict": found.verdict.value,
        # What has no say is a note, whatever it came to: a page that passes has nothing red.
        "mark": found.verdict.value if found.gating else "note",
        "red": found.red,
        "gating": found.gating,
        "gravity": found.verdict.gravity,
        "at_least": found.criterion.at_least,
        "at_most": found.criterion.at_most,
        "must": limits(found.criterion),
        "why": clean(found.criterion.why, longest=600),
        "decides": what_decides(found, noun=noun, of=of),
    }


def _describe_measured(item: Measured, noun: Noun, of: str) -> dict[str, Any]:
    whole = item.metric in COUNTS
    return {
        "key": item.key,
        "metric": item.metric,
        "title": title(item.metric),
        "meaning": typeset(meaning(item.metric)),
        "counted": observations(item.metric, item.n, noun=noun, of=of),
        "area": area_of(item.metric),
        "about": name_about(item.metric, item.about),
        "value": _finite(item.value),
        "interval": None if item.interval is None else [_finite(end) for end in item.interval],
        "baseline": _finite(item.baseline),
        "n": item.n,
        "says": format_with_interval(item.value, item.interval, whole=whole),
        "short": number(item.value, whole=whole),
        "was": number(item.baseline, whole=whole),
        "evidence": typeset(clean(item.evidence, longest=600)),
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def layer_rows(comparison: Comparison, layer: str, findings: Mapping[str, Finding]) -> list[dict[str, Any]]:
    """Return all measures of a layer with their meanings, most severe first.

    Parameters
    ----------
    comparison : Comparison
        The two networks.
    layer : str
        The baseline's name of it.
    findings : mapping
        What was judged, by key.
    """
    rows = [row(item, findings) for item in comparison.about(layer=layer) if item.metric != "floor_ssim"]
    return sorted(rows, key=_severity)


def _severity(described: Mapping[str, Any]) -> tuple[bool, int]:
    """Return the sort key that puts what needs a look first and information last."""
    return not described["gating"], -described["gravity"]


def dot_plot(title: str, of: str, rows: list[dict[str, Any]], span: tuple[float, float]) -> dict[str, Any]:
    """Return a dot plot, one row a subject, class or group, the mean over all last.

    Parameters
    ----------
    title, of : str
        What is shown, and of what.
    rows : list of dict
        From `row`.
    span : tuple of float
        What the axis holds at least.
    """
    keys = ("value", "baseline", "at_least", "at_most")
    ends = [end for item in rows for end in item["interval"] or ()]
    axis = Axis.over([*(item[key] for item in rows for key in keys), *ends], at_least=span)
    rows = sorted(rows, key=lambda item: (not item["about"], *_severity(item), item["value"] or 0))
    for item in rows:
        item["strip"], item["who"] = axis.strip(item), item["about"] or item["title"]
    whys = list(dict.fromkeys(item["why"] for item in rows if item["why"]))
    meanings = list(dict.fromkeys(item["meaning"] for item in rows if item["meaning"]))
    return {"title": title, "of": of, "rows": rows, "ticks": axis.ticks, "meanings": meanings, "whys": whys[:3]}


def score_step(score: float | None) -> str:
    """Return the step of the colour scale for a score from 0 to 1: ``0`` (pale) to ``4`` (dark), or ``none``."""
    if score is None or not math.isfinite(score):
        return "none"
    return str(min(max(int(score * 5), 0), 4))


_BOX, _GAP, _ROW, _TALL = 184, 88, 64, 46


def network_map(
    baseline: Sequence[Mapping[str, Any]], candidate: Sequence[Mapping[str, Any]], links: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Lay two networks out beside each other.

    Parameters
    ----------
    baseline, candidate : sequence of mapping
        Layers in order with ``name``, ``says`` and ``units``.
    links : sequence of mapping
        ``baseline`` and ``candidate`` (positions), ``score`` (or None) and ``anchor``.

    Returns
    -------
    dict
        Boxes and lines with their coordinates.
    """
    most = max([layer["units"] for layer in (*baseline, *candidate)], default=1)
    sides = []
    for side, layers in enumerate((baseline, candidate)):
        left = side * (_BOX + _GAP)
        sides.append(
            [
                {
                    **layer,
                    "name": clean(layer["name"], longest=21),
                    "x": left,
                    "y": k * _ROW,
                    "bar": round((_BOX - 24) * max(layer["units"] / most, 0.02), 1),
                }
                for k, layer in enumerate(layers)
            ]
        )
    lines = [
        {
            "x1": _BOX,
            "x2": _BOX + _GAP,
            "y1": link["baseline"] * _ROW + _TALL / 2,
            "y2": link["candidate"] * _ROW + _TALL / 2,
            "middle": (link["baseline"] + link["candidate"]) * _ROW / 2 + _TALL / 2,
            "step": score_step(link["score"]),
            "score": number(link["score"]),
            "anchor": link["anchor"],
            "tells": link["tells"],
        }
        for link in links
    ]
    tall = max(len(baseline), len(candidate)) * _ROW - (_ROW - _TALL)
    return {"width": 2 * _BOX + _GAP, "height": tall, "box": _BOX, "tall": _TALL, "sides": sides, "lines": lines}
