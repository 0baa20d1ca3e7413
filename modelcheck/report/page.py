"""The page as a value: all that the templates show, worked out beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelcheck.comparison import AREAS as CATALOGUE
from modelcheck.comparison import CLASSES, METRICS, NUMBERS, Comparison
from modelcheck.comparison.statistics import compute_statistics
from modelcheck.comparison.tables.comparison import TableComparison
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.document import VerdictDocument
from modelcheck.judgement.findings import Finding, read_findings, read_limits
from modelcheck.panel import Panel
from modelcheck.panel.table_panel import TablePanel
from modelcheck.report.accuracy import accuracy_view, confusion, mistakes
from modelcheck.report.attention import attention_pictures, attention_view
from modelcheck.report.charts import describe_finding
from modelcheck.report.conversion import conversion_view
from modelcheck.report.decision import decision_view
from modelcheck.report.features import feature_view
from modelcheck.report.layers import gallery_layers
from modelcheck.report.opening import choose_classes, opening_view
from modelcheck.report.overview import about_panel, counts, networks, next_steps, panel_line, tiles
from modelcheck.report.parts import describe_making, fold_parts
from modelcheck.report.pictures import Sheet
from modelcheck.report.places import places_view
from modelcheck.report.provenance import provenance, sections
from modelcheck.report.reasons import describe_missing_scan, list_unasked, list_waivers, reasons, verdict_line
from modelcheck.report.shipped import describe_release, is_shipped, name_file, time_fact
from modelcheck.report.tables import gallery_view, table_view
from modelcheck.report.triggers import trigger_view
from modelcheck.report.why import Explanation, explain
from modelcheck.report.words import (
    AREAS,
    OF_PICTURES,
    STATES,
    Noun,
    call,
    choose_noun,
    clean,
    compare_sizes,
    material_of,
    noun_of,
    plain,
)
from modelcheck.signature import Signature, TableSignature

__all__ = ["ReportError", "comparison_page", "gallery_page", "verdict_page"]

_WORDS = {
    "pass": "Pass",
    "fail": "Fail",
    "inconclusive": "Inconclusive",
    "unmeasured": "Not measured",
    "waived": "Waived",
    "error": "Error",
    "info": "Not judged",
    "note": "Note",
    "unasked": "Not asked",
}


class ReportError(ValueError):
    """A report that would show something else than what was judged; the message says what does not fit."""


def verdict_page(
    document: VerdictDocument,
    comparison: Comparison | TableComparison | None,
    panel: Panel | TablePanel | None,
    *,
    redact_inputs: bool,
) -> dict[str, Any]:
    """Return the view of a judged run.

    Parameters
    ----------
    document : VerdictDocument
        What the run came to.
    comparison : Comparison, TableComparison or None
        None where the gate could not get that far.
    panel : Panel, TablePanel or None
        The pictures, or the rows.
    redact_inputs : bool
        Leave the panel's pictures out.

    Raises
    ------
    ReportError
        When the panel is not the one that was measured.
    DocumentError
        When the document is of another schema.
    """
    findings = read_findings(document)
    noun, of = noun_of(document), material_of(document)
    rows = [{**describe_finding(found, noun=noun, of=of), "at": k} for k, found in enumerate(findings)]
    sheets: list[Sheet] = []
    excused = list_waivers(findings, today=document["volatile"]["today"])
    verdict, candidate = document["verdict"], document["candidate"]
    unasked = list_unasked(document)
    why = explain(findings, comparison=comparison, noun=noun, of=of) if verdict != "pass" else ()
    # A pass that somebody answers for is amber, never green.
    page = _page("waived" if verdict == "pass" and excused else verdict, verdict_line(document, findings), sheets)
    page |= {
        "stamps": {**_WORDS, "waived": "Pass, with waivers"},
        "title": f"{_WORDS[page['state']]}: {call(candidate) or 'no candidate'}",
        "judged": True,
        "areas": {key: name for key, name in AREAS.items() if key == "other" or of in CATALOGUE[key].of},
        "scope": clean(document["scope"]),
        "enforced": document["enforced"],
        "waived": [{"at": k, "says": plain(findings[k], noun=noun, of=of), "why": words} for k, words in excused],
        "reasons": reasons(document, findings, unasked=False),
        "networks": networks(candidate, document["baseline"]),
        "compared": compare_sizes(candidate, document["baseline"]),
        "panel": panel_line(document["panel"], noun=noun, judged=True),
        "counts": counts(findings, unasked=len(unasked)),
        "parts": fold_parts(findings),
        "made": describe_making(document),
        "who": call(candidate),
        "states": [*(state.value for state in STATES), "note"],
        "next": next_steps(document),
        "release": describe_release(document),
        "findings": rows,
        "why": [_look(item) for item in why],
        "unasked": unasked,
        "not_judged": [clean(key) for key in document["not_judged"]],
        "acknowledged": _acknowledged(document),
        "provenance": provenance(document),
        "island": _island(findings, rows),
    }
    by_key = {found.key: found for found in findings}
    if isinstance(comparison, TableComparison):
        _fitting(panel, comparison.candidate.panel_digest, redact_inputs=redact_inputs)
        page["table"] = table_view(comparison, by_key, noun=noun, of=of, redact_inputs=redact_inputs)
        page["tiles"], page["redacted"] = tiles(findings, noun=noun, of=of), redact_inputs
    elif comparison is not None:
        limits = read_limits(document)
        _add_sections(
            page, comparison, by_key, panel, sheets, criteria=limits, noun=noun, redact_inputs=redact_inputs, why=why
        )
        if page["conversion"] and page["conversion"]["source"]:
            if page["conversion"]["broken"] and "conversion" in page["parts"]:
                page["parts"]["conversion"]["open"] = True
            page["conversion"]["facts"] += time_fact(document["volatile"].get("seconds_per_picture"))
        page["tiles"] = tiles(findings, noun=noun, of=of)
    return page


def comparison_page(
    comparison: Comparison | TableComparison,
    panel: Panel | TablePanel | None,
    *,
    redact_inputs: bool,
    subject_name: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the view of two networks beside each other, without a verdict."""
    of = _tell_material(comparison.candidate)
    noun = choose_noun(comparison.subjects, subject_name, of=of)
    sheets: list[Sheet] = []
    candidate, baseline = comparison.candidate.model, comparison.baseline.model
    names = f"{call(candidate) or 'candidate'} beside {call(baseline) or 'baseline'}"
    page = _page("info", names, sheets)
    page |= {
        "title": names,
        "reasons": ["No criteria were applied: this page compares, it does not judge.", *_list_missing(comparison)],
        "networks": networks(candidate, baseline),
        "compared": compare_sizes(candidate, baseline),
        "panel": panel_line(about_panel(comparison.candidate), noun=noun),
        "provenance": sections(
            {
                "Recipe": comparison.candidate.recipe.to_dict(),
                "Measured the baseline with": comparison.baseline.provenance,
                "Measured the candidate with": comparison.candidate.provenance,
            }
        ),
    }
    if isinstance(comparison, TableComparison):
        _fitting(panel, comparison.candidate.panel_digest, redact_inputs=redact_inputs)
        page["table"] = table_view(comparison, {}, noun=noun, of=of, redact_inputs=redact_inputs)
        page["redacted"] = redact_inputs
    else:
        _add_sections(page, comparison, {}, panel, sheets, criteria=(), noun=noun, redact_inputs=redact_inputs)
    return page


def _tell_material(signature: Signature | TableSignature) -> str:
    if isinstance(signature, TableSignature):
        return CLASSES if signature.class_names else NUMBERS
    return OF_PICTURES


def _list_missing(comparison: Comparison | TableComparison) -> list[str]:
    """Return the sentence that no scan for triggers could be made, where that is so."""
    found = {name: item for (name, _), item in comparison.measures.items() if METRICS[name].area == "triggers"}
    evidence = next((item.evidence for item in found.values()), "")
    said = describe_missing_scan({name: {"": item.value} for name, item in found.items()}, evidence)
    return [said] if said else []


def gallery_page(
    signature: Signature | TableSignature,
    panel: Panel | TablePanel | None,
    *,
    redact_inputs: bool,
    subject_name: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the view of one network alone, which shows what each layer learned, or what drives it on a table."""
    if isinstance(signature, TableSignature):
        return _table_gallery(signature, panel, redact_inputs=redact_inputs, subject_name=subject_name)
    sheets: list[Sheet] = []
    name = call(signature.model) or "network"
    photos = _fitting(panel, signature.panel_digest, redact_inputs=redact_inputs)
    rendered = not is_shipped(signature.model)
    page = _page(
        "info",
        f"What {'did each layer of' if rendered else 'does'} {name} {'learn' if rendered else 'answer'}?",
        sheets,
    )
    network, statistics = {"candidate": signature}, {"candidate": compute_statistics(signature)}
    return page | {
        "title": f"Gallery: {name}",
        "reasons": ["Every picture is the input that makes one unit of the network happiest."]
        if rendered
        else [f"It is {name_file(signature.runtime)}, which answers pictures: nothing can be rendered from it."],
        "networks": [{**networks(signature.model, None)[0], "role": "Network"}],
        "panel": panel_line(about_panel(signature), noun=choose_noun(signature.subjects, subject_name)),
        "redacted": redact_inputs,
        "hero": None,
        "gallery": {
            "decision": decision_view(network, statistics, sheets) if rendered else None,
            "layers": gallery_layers(signature, statistics["candidate"], sheets) if rendered else [],
            "confusion": confusion(statistics["candidate"].confusion, signature.class_names),
            "mistakes": mistakes(statistics["candidate"].confusion, signature.class_names),
            "classes": [clean(name) for name in signature.class_names],
        },
        "attention": {"plots": [], "checks": [], **attention_pictures(network, statistics, photos, sheets)},
        "provenance": sections({"Recipe": signature.recipe.to_dict(), "Measured with": signature.provenance}),
    }


def _table_gallery(
    signature: TableSignature, panel: Panel | TablePanel | None, *, redact_inputs: bool, subject_name: Sequence[str]
) -> dict[str, Any]:
    name, of = call(signature.model) or "network", _tell_material(signature)
    noun = choose_noun(signature.subjects, subject_name, of=of)
    _fitting(panel, signature.panel_digest, redact_inputs=redact_inputs)
    return _page("info", f"Which variables drive {name}, and how?", []) | {
        "title": f"Gallery: {name}",
        "reasons": ["What one network alone shows: nothing is compared, and nothing is judged."],
        "networks": [{**networks(signature.model, None)[0], "role": "Network"}],
        "panel": panel_line(about_panel(signature), noun=noun),
        "redacted": redact_inputs,
        "table": gallery_view(signature, noun=noun, of=of, redact_inputs=redact_inputs),
        "provenance": sections({"Recipe": signature.recipe.to_dict(), "Measured with": signature.provenance}),
    }


def _page(state: str, line: str, sheets: list[Sheet]) -> dict[str, Any]:
    """Return a page with every part in its place, so that a template never meets a name that is not there."""
    return {
        "state": state if state in _WORDS else "error",
        "words": _WORDS,
        "stamps": _WORDS,
        "areas": AREAS,
        "states": [state.value for state in STATES],
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
        "parts": {},
        "made": None,
        "who": "",
        "next": [],
        "release": "",
        "findings": [],
        "not_judged": [],
        "acknowledged": [],
        "why": [],
        "unasked": [],
        "opening": None,
        "tiles": [],
        "hero": None,
        "table": None,
        "conversion": None,
        "features": None,
        "places": None,
        "triggers": None,
        "accuracy": None,
        "attention": None,
        "gallery": None,
        "redacted": False,
        "provenance": [],
        "island": [],
    }


def _acknowledged(document: VerdictDocument) -> list[str]:
    """Return the baseline's layers that have no counterpart on purpose."""
    layers = document["settings"]["layers"] if document["settings"] else {}
    return [clean(name) for name, partner in layers.items() if partner is None]


def _add_sections(
    page: dict[str, Any],
    comparison: Comparison,
    findings: Mapping[str, Finding],
    panel: Panel | TablePanel | None,
    sheets: list[Sheet],
    *,
    criteria: Sequence[Criterion],
    noun: Noun,
    redact_inputs: bool,
    why: Sequence[Explanation] = (),
) -> None:
    photos = _fitting(panel, comparison.candidate.panel_digest, redact_inputs=redact_inputs)
    page["conversion"] = conversion_view(comparison, findings, photos, sheets)
    page["features"] = feature_view(comparison, findings, sheets)
    page["places"] = places_view(comparison, findings, photos, sheets)
    page["triggers"] = trigger_view(comparison, findings, photos, sheets)
    page["accuracy"] = accuracy_view(comparison, findings, photos, sheets, criteria=criteria, noun=noun)
    page["attention"] = attention_view(comparison, findings, photos, sheets, noun=noun)
    page["redacted"] = redact_inputs
    page["opening"] = opening_view(comparison, why, photos, sheets)
    # The classes of the reasons, or those on which the two networks differ most, stand on the first screen.
    classes = page["features"]["decision"]["classes"]
    chosen = choose_classes(comparison, why)
    page["hero"] = sorted((item for item in classes if item["class"] in chosen), key=lambda x: chosen.index(x["class"]))
    page["hero"] = page["hero"] or classes[:2]


def _look(item: Explanation) -> dict[str, str]:
    """Return a reason with where the page shows it."""
    return {"says": item.says, "fix": item.fix, "anchor": item.area, "look": AREAS.get(item.area, "Conversion")}


def _fitting(panel: Panel | TablePanel | None, digest: str, *, redact_inputs: bool) -> Panel | None:
    """Return the pictures to show; a panel of a table is held against the measurement, and has none."""
    if panel is None or redact_inputs:
        return None
    if panel.digest() != digest:
        raise ReportError(
            f"The panel for the report has digest {panel.digest()[:12]}, but the networks were measured on "
            f"{digest[:12]}. Give the panel of the measurement, or none."
        )
    return panel if isinstance(panel, Panel) else None


def _island(findings: Sequence[Finding], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what the script sorts and filters by; `rows` describes the findings one by one."""
    return [
        {
            "state": row["mark"],
            "area": row["area"],
            "bad": found.red,
            # Ascending puts the most severe first, and all that has no say behind all that has.
            "order": (0 if found.gating else len(STATES)) - found.verdict.gravity,
            "value": row["value"],
            "baseline": row["baseline"],
            "n": row["n"],
            "title": row["title"],
            "text": " ".join(
                [row["key"], row["title"], row["about"], row["why"], row["evidence"], row["verdict"]]
            ).lower(),
        }
        for found, row in zip(findings, rows, strict=True)
    ]
