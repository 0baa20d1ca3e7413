"""The page as a value: all that the templates show, worked out beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelcheck.compare import Comparison
from modelcheck.panel import Panel
from modelcheck.report.attention import attention_pictures, attention_view
from modelcheck.report.charts import worded
from modelcheck.report.features import decision_view, feature_view, gallery_layers
from modelcheck.report.people import confusion, people_view
from modelcheck.report.pictures import Sheet
from modelcheck.report.triggers import trigger_view
from modelcheck.report.words import (
    AREAS,
    NOTHING,
    STATES,
    bad,
    clean,
    compared,
    count,
    plain,
    reasons,
    verdict_line,
    waived,
    worst,
)
from modelcheck.signature import Signature

__all__ = ["ReportError", "comparison_page", "gallery_page", "verdict_page"]

_WORDS = {
    "pass": "Pass",
    "fail": "Fail",
    "inconclusive": "Inconclusive",
    "unmeasured": "Not measured",
    "waived": "Waived",
    "error": "Error",
    "info": "Not judged",
}
_TILES = (
    ("features", "Same features", "Does it look for the same things?"),
    ("people", "Held-out people", "Is it right about people it never saw?"),
    ("attention", "Attention", "Does it look where the evidence is?"),
)
_HEADLINES = {
    "features": ("likeness", "recognition", "natural_recognition"),
    "people": ("group_accuracy", "subject_accuracy", "accuracy_change"),
    "attention": ("mass_lift", "mass_over_area"),
}
_SENTENCES = 5
_VOLATILE = ("written", "today", "host", "seconds")


class ReportError(ValueError):
    """A report that would show something else than what was judged; the message says what does not fit."""


def verdict_page(
    document: Mapping[str, Any], comparison: Comparison | None, panel: Panel | None, *, redact_inputs: bool
) -> dict[str, Any]:
    """Return the view of a judged run.

    Parameters
    ----------
    document : mapping
        The verdict document.
    comparison : Comparison or None
        None where the gate could not get that far.
    panel : Panel or None
        The pictures.
    redact_inputs : bool
        Leave photographs out.

    Raises
    ------
    ReportError
        When the panel is not the one that was measured.
    """
    rows = [worded(found) for found in document.get("findings") or []]
    findings = {found["key"]: found for found in rows}
    sheets: list[Sheet] = []
    excused = waived(document)
    verdict = document.get("verdict", "error")
    # A pass that somebody answers for is amber, never green.
    page = _page("waived" if verdict == "pass" and excused else verdict, verdict_line(document), sheets)
    page |= {
        "stamps": {**_WORDS, "waived": "Pass, with waivers"},
        "title": f"{_WORDS[page['state']]}: {clean((document.get('candidate') or {}).get('name', 'no candidate'))}",
        "judged": True,
        "scope": clean(document.get("scope", "full")),
        "enforced": bool(document.get("enforced", True)),
        "waived": [{"at": k, "says": plain(rows[k]), "why": words} for k, words in excused],
        "reasons": reasons(document),
        "networks": _networks(document.get("candidate"), document.get("baseline")),
        "compared": compared(document.get("candidate"), document.get("baseline")),
        "panel": _panel(document.get("panel"), judged=True),
        "counts": _counts(rows),
        "next": [clean(command, longest=2000) for command in document.get("next") or []],
        "findings": rows,
        "worst": _worst(rows),
        "not_judged": [clean(key) for key in document.get("not_judged") or []],
        "acknowledged": [clean(name) for name in document.get("acknowledged") or []],
        "provenance": _provenance(document),
        "island": _island(rows),
    }
    if comparison is not None:
        _compared_sections(page, comparison, findings, panel, sheets, redact_inputs=redact_inputs)
        page["tiles"] = _tiles(rows)
    return page


def comparison_page(comparison: Comparison, panel: Panel | None, *, redact_inputs: bool) -> dict[str, Any]:
    """Return the view of two networks beside each other, without a verdict."""
    sheets: list[Sheet] = []
    candidate, baseline = comparison.candidate.model, comparison.baseline.model
    names = f"{clean(candidate.get('name', 'candidate'))} beside {clean(baseline.get('name', 'baseline'))}"
    page = _page("info", names, sheets)
    page |= {
        "title": names,
        "reasons": ["No criteria were applied: this page compares, it does not judge."],
        "networks": _networks(candidate, baseline),
        "compared": compared(candidate, baseline),
        "panel": _panel(_about_panel(comparison.candidate)),
        "provenance": _sections(
            {
                "Recipe": comparison.candidate.recipe.to_dict(),
                "Measured the baseline with": comparison.baseline.provenance,
                "Measured the candidate with": comparison.candidate.provenance,
            }
        ),
    }
    _compared_sections(page, comparison, {}, panel, sheets, redact_inputs=redact_inputs)
    return page


def gallery_page(signature: Signature, panel: Panel | None, *, redact_inputs: bool) -> dict[str, Any]:
    """Return the view of one network alone, which shows what each layer learned."""
    sheets: list[Sheet] = []
    name = clean(signature.model.get("name", "network"))
    photos = _fitting(panel, signature.panel_digest, redact_inputs=redact_inputs)
    page = _page("info", f"What did each layer of {name} learn?", sheets)
    return page | {
        "title": f"Gallery: {name}",
        "reasons": ["Every picture is the input that makes one unit of the network happiest."],
        "networks": [{**_networks(signature.model, None)[0], "role": "Network"}],
        "panel": _panel(_about_panel(signature)),
        "redacted": redact_inputs,
        "hero": None,
        "gallery": {
            "decision": decision_view(None, signature, sheets),
            "layers": gallery_layers(signature, sheets),
            "confusion": confusion(signature),
            "classes": [clean(name) for name in signature.class_names],
        },
        "attention": {"plots": [], "checks": [], **attention_pictures(None, signature, photos, sheets)},
        "provenance": _sections({"Recipe": signature.recipe.to_dict(), "Measured with": signature.provenance}),
    }


def _page(state: str, line: str, sheets: list[Sheet]) -> dict[str, Any]:
    """Return a page with every part in its place, so that a template never meets a name that is not there."""
    return {
        "state": state if state in _WORDS else "error",
        "words": _WORDS,
        "stamps": _WORDS,
        "areas": AREAS,
        "line": line,
        "sheets": sheets,
        "judged": False,
        "scope": "full",
        "enforced": True,
        "waived": [],
        "reasons": [],
        "networks": [],
        "compared": "",
        "panel": "",
        "counts": [],
        "next": [],
        "findings": [],
        "not_judged": [],
        "acknowledged": [],
        "worst": [],
        "tiles": [],
        "hero": None,
        "features": None,
        "triggers": None,
        "people": None,
        "attention": None,
        "gallery": None,
        "redacted": False,
        "provenance": [],
        "island": [],
    }


def _compared_sections(
    page: dict[str, Any],
    comparison: Comparison,
    findings: Mapping[str, Mapping[str, Any]],
    panel: Panel | None,
    sheets: list[Sheet],
    *,
    redact_inputs: bool,
) -> None:
    photos = _fitting(panel, comparison.candidate.panel_digest, redact_inputs=redact_inputs)
    page["features"] = feature_view(comparison, findings, sheets)
    page["triggers"] = trigger_view(comparison, findings, photos, sheets)
    page["people"] = people_view(comparison, findings, photos, sheets)
    page["attention"] = attention_view(comparison, findings, photos, sheets)
    page["redacted"] = redact_inputs
    # The classes whose maps differ most stand on the first screen.
    worst = [pair.baseline for pair in comparison.layers[-1].matching.pairs[:2]]
    classes = page["features"]["decision"]["classes"]
    page["hero"] = [classes[k] for k in sorted(worst)] or classes[:2]


def _fitting(panel: Panel | None, digest: str, *, redact_inputs: bool) -> Panel | None:
    if panel is None or redact_inputs:
        return None
    if panel.digest() != digest:
        raise ReportError(
            f"The panel for the pictures has digest {panel.digest()[:12]}, but the networks were measured on "
            f"{digest[:12]}. Give the panel of the measurement, or none."
        )
    return panel


def _networks(candidate: Mapping[str, Any] | None, baseline: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    made = []
    for role, network in (("Baseline", baseline), ("Candidate", candidate)):
        if not network:
            continue
        parameters, size = network.get("parameters"), network.get("bytes")
        made.append(
            {
                "role": role,
                "name": clean(network.get("name") or "unnamed"),
                "file": clean(network.get("file") or ""),
                "folder": clean(network.get("folder") or ""),
                "sha256": clean(network.get("sha256") or ""),
                "parameters": count(int(parameters), "parameter") if parameters else "",
                "size": _bytes(int(size)) if size else "",
            }
        )
    return made


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _about_panel(signature: Signature) -> dict[str, Any]:
    return {
        "digest": signature.panel_digest,
        "pictures": len(signature.pictures["labels"]),
        "subjects": sorted(set(np.asarray(signature.pictures["subjects"]).tolist())),
        "classes": list(signature.class_names),
    }


def _panel(panel: Mapping[str, Any] | None, *, judged: bool = False) -> str:
    if not panel:
        return ""
    people = count(len(panel.get("subjects") or []), "person", "people")
    classes = " or ".join(clean(name) for name in panel.get("classes") or [])
    pictures = count(int(panel.get("pictures") or 0), "picture")
    return f"{'Judged' if judged else 'Measured'} on {pictures} of {people} held out from training: {classes}."


def _counts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    gating = [row["verdict"] for row in rows if row["gating"]]
    return [{"state": state, "n": gating.count(state)} for state in STATES]


def _worst(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the gravest findings as sentences, with where they stand in the table."""
    named = [(k, rows[k]) for k in worst(rows, _SENTENCES)]
    return [{"at": k, "verdict": row["verdict"], "says": plain(row), "why": row["why"]} for k, row in named]


def _tiles(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the three questions of the report with their gravest answers."""
    tiles = []
    for area, name, question in _TILES:
        here = [row for row in rows if row["area"] == area and row["gating"]]
        state = next((state for state in STATES if any(row["verdict"] == state for row in here)), "info")
        failed = [row for row in here if bad(row)]
        wanted = [row for metric in _HEADLINES[area] for row in _lowest_first(rows, metric)]
        # The number that explains the colour: a failing one where there is one.
        head = next(iter([*(row for row in wanted if row["verdict"] == state), *failed, *wanted, *here]), None)
        tiles.append(
            {
                "area": area,
                "name": name,
                "question": question,
                "state": state,
                "head": head,
                "checks": len(here),
                "bad": len(failed),
                "waived": sum(row["verdict"] == "waived" for row in here),
            }
        )
    return tiles


def _lowest_first(rows: Sequence[Mapping[str, Any]], metric: str) -> list[Mapping[str, Any]]:
    return sorted((row for row in rows if row["metric"] == metric), key=lambda row: row["value"] or 0)


def _island(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what the script sorts and filters by."""
    order = {state: k for k, state in enumerate(STATES)}
    return [
        {
            "state": row["verdict"],
            "area": row["area"],
            "bad": bad(row),
            "order": order.get(row["verdict"], 9) + (0 if row["gating"] else 4),
            "value": row["value"],
            "baseline": row["baseline"],
            "n": row["n"],
            "title": row["title"],
            "text": " ".join(
                [row["key"], row["title"], row["about"], row["why"], row["evidence"], row["verdict"]]
            ).lower(),
        }
        for row in rows
    ]


def _provenance(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = document.get("provenance") or {}
    criteria, panel, volatile = (document.get(key) or {} for key in ("criteria", "panel", "volatile"))
    waivers = document.get("waivers") or {}
    return _sections(
        {
            "Criteria": criteria,
            "Waivers": {key: waivers[key] for key in ("file", "sha256") if key in waivers},
            "Panel": {key: panel[key] for key in ("digest", "pictures", "classes", "subjects") if key in panel},
            "Recipe": document.get("recipe") or {},
            "Baseline": document.get("baseline") or {},
            "Candidate": document.get("candidate") or {},
            "Measured with other versions or on another machine": _named(given.get("differences") or []),
            "Measured the baseline with": given.get("baseline") or {},
            "Measured the candidate with": given.get("candidate") or {},
            "This run": {
                key: volatile[key] for key in (*_VOLATILE, *sorted(set(volatile) - set(_VOLATILE))) if key in volatile
            },
        }
    )


def _named(lines: Sequence[str]) -> dict[str, str]:
    return {name: value for name, _, value in (str(line).partition(": ") for line in lines)}


def _sections(parts: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
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
