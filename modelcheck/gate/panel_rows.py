"""What follows from a verdict's row on its panel, and from a baseline's manifest: pictures, or rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modelcheck.comparison import CLASSES, METRICS, NUMBERS, PICTURES, tell_material
from modelcheck.judgement.document import AnyPanelRow
from modelcheck.panel.populations import Populations

__all__ = ["find_unseen", "is_asked", "list_facts", "list_things", "tell_row_material"]


def tell_row_material(panel: AnyPanelRow | None) -> str:
    """Return of what a verdict is, by its panel: `PICTURES`, or rows of a table, `CLASSES` or `NUMBERS`."""
    if panel is None or "rows" not in panel:
        return PICTURES
    return CLASSES if panel["classes"] else NUMBERS


def find_unseen(panel: AnyPanelRow) -> list[str]:
    """Return the classes that nothing of a panel shows; usually there are none."""
    found = panel.get("classes_without_rows") if "rows" in panel else panel.get("classes_without_pictures")
    return list(found or ())


def is_asked(metric: str, panel: AnyPanelRow | None) -> bool:
    """Say whether a metric is asked of such a panel at all: of pictures, of a table, of two classes alone."""
    row = METRICS[metric]
    two = panel is not None and len(panel["classes"]) == 2
    return tell_row_material(panel) in row.of and (two or not row.two_classes)


def list_things(panel: AnyPanelRow | None) -> dict[str, list[str]]:
    """Return what metrics of a table have one value for, by their domain; nothing of pictures."""
    if panel is None or "rows" not in panel:
        return {}
    columns = [column["name"] for column in panel["columns"]]
    found = Populations(
        measured=tuple(panel["populations"]),
        small=tuple(panel["small_populations"]),
        divisions=tuple(panel["divisions"]),
    )
    return {
        "column": columns,
        "effect": list(found.list_effects(columns)),
        "population": list(found.measured),
        "division": list(found.divisions),
    }


def list_facts(manifest: Mapping[str, Any], panel: AnyPanelRow | None) -> Iterator[tuple[str, object, object]]:
    """Yield in what a verdict's panel must agree with a baseline's manifest, beside classes and subjects.

    Parameters
    ----------
    manifest : mapping
        The baseline's.
    panel : AnyPanelRow or None
        The verdict's.

    Yields
    ------
    tuple
        What it is, in words, what the manifest says, and what the row says.
    """
    table = tell_material(manifest) != PICTURES
    yield "kind of panel", tell_material(manifest), tell_row_material(panel)
    unseen = manifest.get(f"classes_without_{'rows' if table else 'pictures'}", [])
    yield f"set of classes without {'rows' if table else 'pictures'}", unseen, panel and find_unseen(panel)
    if panel is None or "rows" not in panel or not table:
        return
    yield "target", manifest["target"], panel["target"]
    told = [{name: column[name] for name in ("name", "kind", "missing")} for column in manifest["columns"]]
    yield "table of variables", told, panel["columns"]
    yield "set of sub-populations", manifest["populations"], panel["populations"]
    yield "set of small sub-populations", manifest["small_populations"], panel["small_populations"]
    yield "set of divisions", manifest["divisions"], panel["divisions"]
