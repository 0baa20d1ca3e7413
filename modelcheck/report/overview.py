"""What stands at the top of the page: the networks, the panel, the counts, three tiles and the gravest findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelcheck.comparison import AREAS, shown_in
from modelcheck.report.words import STATES, bad, clean, count, plain, worst
from modelcheck.signature import Signature

__all__ = ["about_panel", "counts", "gravest", "networks", "next_steps", "panel_line", "tiles"]

_TILES = tuple((key, area.title, area.question) for key, area in AREAS.items() if area.question)
_HEADLINES = {key: shown_in("headline", area=key) for key in AREAS}
_SENTENCES = 5
# What a command is good for, by its first two words.
_PASSED = {"modelcheck approve": "To make the candidate the new baseline, for a reason that its history keeps:"}
_NOT_PASSED = {
    "modelcheck approve": "Mend the candidate and let it be judged again. Only if the change is wanted, "
    "make the candidate the new baseline, for a reason that its history keeps:",
    "pytest suites/": "When the cause is mended, let the candidate be judged again:",
}


def networks(candidate: Mapping[str, Any] | None, baseline: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return what is known of the two networks: name, size, file and digest."""
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


def about_panel(signature: Signature) -> dict[str, Any]:
    """Return what a signature tells of its panel, in the words of a verdict document."""
    return {
        "digest": signature.panel_digest,
        "pictures": len(signature.pictures["labels"]),
        "subjects": sorted(set(np.asarray(signature.pictures["subjects"]).tolist())),
        "classes": list(signature.class_names),
    }


def panel_line(panel: Mapping[str, Any] | None, *, judged: bool = False) -> str:
    """Return one sentence on the panel; empty where there is none."""
    if not panel:
        return ""
    people = count(len(panel.get("subjects") or []), "person", "people")
    classes = " or ".join(clean(name) for name in panel.get("classes") or [])
    pictures = count(int(panel.get("pictures") or 0), "picture")
    return f"{'Judged' if judged else 'Measured'} on {pictures} of {people} held out from training: {classes}."


def counts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return how many checks with a say ended in each state, the gravest first."""
    gating = [row["verdict"] for row in rows if row["gating"]]
    return [{"state": state, "n": gating.count(state)} for state in STATES]


def next_steps(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the commands to run next, each in parts that stay on one line, with what it is good for.

    Parameters
    ----------
    document : mapping
        The verdict document.
    """
    made = []
    for command in document.get("next") or []:
        first, *options = clean(command, longest=2000).split(" --")
        verb = " ".join(first.split()[:2])
        says = _PASSED if document.get("verdict") == "pass" else _NOT_PASSED
        made.append({"says": says.get(verb, ""), "parts": [first, *(f"--{option}" for option in options)]})
    return made


def gravest(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the gravest findings as sentences, with where they stand in the table."""
    named = [(k, rows[k]) for k in worst(rows, _SENTENCES)]
    return [{"at": k, "verdict": row["verdict"], "says": plain(row), "why": row["why"]} for k, row in named]


def tiles(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the three questions of the report with their gravest answers."""
    made = []
    for area, name, question in _TILES:
        here = [row for row in rows if row["area"] == area and row["gating"]]
        state = next((state for state in STATES if any(row["verdict"] == state for row in here)), "info")
        failed = [row for row in here if bad(row)]
        wanted = [row for metric in _HEADLINES[area] for row in _lowest_first(rows, metric)]
        # The number that explains the colour: a failing one where there is one.
        head = next(iter([*(row for row in wanted if row["verdict"] == state), *failed, *wanted, *here]), None)
        made.append(
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
    return made


def _lowest_first(rows: Sequence[Mapping[str, Any]], metric: str) -> list[Mapping[str, Any]]:
    return sorted((row for row in rows if row["metric"] == metric), key=lambda row: row["value"] or 0)
