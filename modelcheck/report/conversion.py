"""What the report shows of a conversion: a file that ships beside its source, layer by layer, and what it changed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from modelcheck.comparison import BROKEN_BELOW, METRICS, Comparison, Conversion
from modelcheck.judgement.findings import Finding
from modelcheck.metrics.similarity import shrink
from modelcheck.panel import Panel
from modelcheck.report.charts import Axis, row
from modelcheck.report.pictures import Sheet, photograph_sheet
from modelcheck.report.shipped import format_decibels, list_facts, say_break
from modelcheck.report.words import MINUS, clean, count

__all__ = ["conversion_view"]

_SIDE = 96
_CHANGED = 8  # pictures at most whose answer changed
_LEFT, _RIGHT = 9.0, 97.0  # per cent of the chart's width between which its layers stand
_TOP, _BOTTOM = 40, 180  # pixels from the top of the chart
_LABELS = 12  # layers that are written beneath the chart
_LETTERS = 50  # of the layers' names, for which there is room


def conversion_view(
    comparison: Comparison, findings: Mapping[str, Finding], panel: Panel | None, sheets: list[Sheet]
) -> dict[str, Any] | None:
    """Return everything of the section *Conversion*; None for a candidate that was not converted.

    Parameters
    ----------
    comparison : Comparison
        The two networks, and what became of the candidate's source.
    findings : mapping
        What was judged, by key.
    panel : Panel or None
        The pictures; None leaves them out.
    sheets : list of Sheet
        Receives the pictures.
    """
    found = comparison.conversion
    if found is None:
        return None if comparison.rendered else {"source": False}
    measures = [item for item in comparison.measures.values() if "source" in METRICS[item.metric].takes]
    broken = next((layer for layer in found.layers if layer.source == found.breaks), None)
    return {
        "source": True,
        "facts": list_facts(comparison.candidate.model, found.source.model),
        "broken": broken is not None,
        "sentence": _say_whole(found)
        if broken is None
        else say_break(*(broken.source, broken.snr), changed=len(found.changed), pictures=found.n),
        "chart": _draw(found) if found.layers else None,
        "layers": [
            {
                "at": k + 1,
                "name": clean(layer.source),
                "file": clean(layer.file) if layer.file != layer.source else "",
                "snr": format_decibels(layer.snr),
                "cosine": f"{layer.cosine:.5f}".replace("-", MINUS),
                "mark": _mark(layer.snr, first=layer is broken),
            }
            for k, layer in enumerate(found.layers)
        ],
        "rows": [row(item, findings) for item in measures],
        "changed": _show_changed(comparison, found, panel, sheets),
    }


def _mark(snr: float, *, first: bool) -> str:
    if snr >= BROKEN_BELOW:
        return ""
    return "breaks first" if first else "broken"


def _say_whole(found: Conversion) -> str:
    lowest, changed = found.lowest, len(found.changed)
    answers = f"{count(changed, 'answer')} of {found.n} changed" if changed else "no answer changed"
    if lowest is None:
        return f"No layer of the file could be compared with its source; {answers}."
    return (
        f"No layer breaks: each keeps {format_decibels(lowest.snr)} of signal to noise of its source or more, and "
        f"{answers}."
    )


def _draw(found: Conversion) -> dict[str, Any]:
    """Lay the signal to noise out along the network: across in per cent, down in pixels."""
    axis = Axis.over((layer.snr for layer in found.layers), at_least=(0, 2 * BROKEN_BELOW))
    many = len(found.layers)
    step = (_RIGHT - _LEFT) / max(many, 2)

    def down(value: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * (value - axis.low) / (axis.high - axis.low), 1)

    across = [_LEFT + step * (k + 0.5) for k in range(many)]
    written = [clean(layer.source, longest=40) for layer in found.layers]
    named = many * max(map(len, written)) <= _LETTERS
    every = -(-many // _LABELS)
    points = [
        {
            "x": f"{x:.2f}%",
            "y": down(layer.snr),
            "label": (name if named else str(k + 1)) if k % every == 0 else "",
            "value": f"{layer.snr:.0f}".replace("-", MINUS) if many <= _LABELS else "",
            "broken": layer.snr < BROKEN_BELOW,
            "first": layer.source == found.breaks,
            "anchor": "start" if x < 20 else "end" if x > 80 else "middle",
        }
        for k, (x, layer, name) in enumerate(zip(across, found.layers, written, strict=True))
    ]
    listed = ", ".join(f"{name} {layer.snr:.0f} dB" for name, layer in zip(written, found.layers, strict=True))
    first = f"; {clean(found.breaks)} breaks first" if found.breaks else ""
    values = [axis.low + axis.step * k for k in range(round((axis.high - axis.low) / axis.step) + 1)]
    return {
        "points": points,
        "lines": list(itertools.pairwise(points)),
        "ticks": [(down(x), label) for x, (_, label) in zip(values, axis.ticks, strict=True)],
        "border": down(BROKEN_BELOW),
        "limit": f"{BROKEN_BELOW:.0f}",
        "top": _TOP,
        "bottom": _BOTTOM,
        "named": named,
        "tells": f"Signal to noise along the network, border {BROKEN_BELOW:.0f} dB: {clean(listed)}{first}",
    }


def _show_changed(
    comparison: Comparison, found: Conversion, panel: Panel | None, sheets: list[Sheet]
) -> dict[str, Any]:
    """Return the pictures that source and file answer differently, those first on which the file is surest."""
    shown = found.changed[:_CHANGED]
    if panel is not None and len(shown):
        pixels = shrink(panel.inputs(comparison.candidate.recipe.input_range)[shown], side=_SIDE)
        sheets.append(photograph_sheet("converted", pixels))
    names = [clean(name) for name in comparison.candidate.class_names]
    return {
        "total": len(found.changed),
        "pictures": found.n,
        "left_out": len(found.changed) - len(shown),
        "sheet": sheets[-1] if panel is not None and len(shown) else None,
        "rows": [_describe(comparison, found, int(i), names) | {"at": place} for place, i in enumerate(shown)],
    }


def _describe(comparison: Comparison, found: Conversion, i: int, names: Sequence[str]) -> dict[str, Any]:
    pictures = comparison.candidate.pictures
    return {
        "name": clean(pictures["names"][i]) if "names" in pictures else f"picture {i}",
        "subject": clean(pictures["subjects"][i]) if comparison.subjects else "",
        "truth": names[int(pictures["labels"][i])],
        "source": names[int(found.source.scores[i].argmax())],
        "file": names[int(comparison.candidate.scores[i].argmax())],
    }
