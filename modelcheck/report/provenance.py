"""What a page rests on, as sections of names and values: criteria, panel, recipe, versions, digests and this run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelcheck.judgement.document import AnyPanelRow, CriteriaRow, VerdictDocument
from modelcheck.report.shipped import describe_record
from modelcheck.report.words import NOTHING, clean
from modelcheck.support.provenance import Difference

__all__ = ["provenance", "sections"]

_SHOWN_ELSEWHERE = "seconds_per_picture"  # beside the facts of a conversion
_VOLATILE = ("written", "measured", "today", "host", "seconds")


def provenance(document: VerdictDocument) -> list[dict[str, Any]]:
    """Return what a verdict document rests on."""
    given, waivers = document["provenance"], document["waivers"]
    volatile: Mapping[str, Any] = document["volatile"]
    others = sorted(volatile.keys() - {*_VOLATILE, _SHOWN_ELSEWHERE})
    return sections(
        {
            "Criteria": _summarise_criteria(document["criteria"]),
            "Settings": document["settings"],
            "Suites": document["suites"],
            "Waivers": {"file": waivers["file"], "sha256": waivers["sha256"]} if waivers else None,
            "Panel": _name_columns(document["panel"]),
            "Recipe": document["recipe"],
            "Baseline": document["baseline"],
            "Candidate": describe_record(document["candidate"]) if document["candidate"] else None,
            "Source of the candidate": document.get("source"),
            "Measured with other versions or on another machine": _name_differences(given["differences"])
            if given
            else None,
            "Measured the baseline with": given["baseline"] if given else None,
            "Measured the candidate with": given["candidate"] if given else None,
            "This run": {"run_id": document["run_id"]}
            | {key: volatile[key] for key in (*_VOLATILE, *others) if key in volatile},
        }
    )


def _name_columns(panel: AnyPanelRow | None) -> dict[str, Any] | None:
    """Return a panel's row, the variables of a table by name alone: their kinds and ranges stand in the sections."""
    if panel is None:
        return None
    if "pictures" not in panel:
        rest = {key: value for key, value in panel.items() if key != "columns"}
        return rest | {"variables": [row["name"] for row in panel["columns"]]}
    return {**panel}


def _summarise_criteria(criteria: CriteriaRow | None) -> dict[str, Any] | None:
    return None if criteria is None else {**criteria, "rows": len(criteria["rows"])}


def _name_differences(rows: Sequence[Difference]) -> dict[str, str]:
    return {row["name"]: f"{row['baseline']} (baseline), {row['candidate']} (candidate)" for row in rows}


def sections(parts: Mapping[str, Mapping[str, Any] | None]) -> list[dict[str, Any]]:
    """Return named parts as rows of text; parts without content are left out."""
    return [
        {"name": name, "rows": [(clean(key), _value(value)) for key, value in part.items()]}
        for name, part in parts.items()
        if part
    ]


def _value(value: Any) -> str:
    if value in (None, "", [], (), {}):
        return NOTHING
    if isinstance(value, list | tuple):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(key)} {_value(item)}" for key, item in value.items())
    if isinstance(value, float):
        return f"{value:.6g}"
    return clean(value)
