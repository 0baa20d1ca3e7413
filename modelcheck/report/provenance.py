"""What a page rests on, as sections of names and values: criteria, panel, recipe, versions, digests and this run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelcheck.report.words import NOTHING, clean

__all__ = ["provenance", "sections"]

_VOLATILE = ("written", "today", "host", "seconds")


def provenance(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what a verdict document rests on."""
    given = document.get("provenance") or {}
    criteria, panel, volatile = (document.get(key) or {} for key in ("criteria", "panel", "volatile"))
    waivers = document.get("waivers") or {}
    return sections(
        {
            "Criteria": criteria,
            "Waivers": {key: waivers[key] for key in ("file", "sha256") if key in waivers},
            "Panel": {key: panel[key] for key in ("digest", "pictures", "classes", "subjects") if key in panel},
            "Recipe": document.get("recipe") or {},
            "Baseline": document.get("baseline") or {},
            "Candidate": document.get("candidate") or {},
            "Measured with other versions or on another machine": _name_lines(given.get("differences") or []),
            "Measured the baseline with": given.get("baseline") or {},
            "Measured the candidate with": given.get("candidate") or {},
            "This run": {
                key: volatile[key] for key in (*_VOLATILE, *sorted(set(volatile) - set(_VOLATILE))) if key in volatile
            },
        }
    )


def _name_lines(lines: Sequence[str]) -> dict[str, str]:
    return {name: value for name, _, value in (str(line).partition(": ") for line in lines)}


def sections(parts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return named parts as rows of text; parts without content are left out."""
    return [
        {"name": name, "rows": [(clean(key), _value(value)) for key, value in part.items()]}
        for name, part in parts.items()
        if part
    ]


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(key)} {_value(item)}" for key, item in value.items())
    if isinstance(value, float):
        return f"{value:.6g}"
    return clean(NOTHING if value is None else value)
