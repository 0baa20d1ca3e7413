"""Write the tables of docs/metrics.md from the catalogue: ``python docs/make_metrics.py``.

What stands between the marks of the page is replaced; the prose around them is written by hand.
"""

from __future__ import annotations

import math
from pathlib import Path

from modelcheck.comparison import AREAS, CLASSES, METRICS, NUMBERS, PICTURES, PLACES, Metric, unit_of

PAGE = Path(__file__).parent / "metrics.md"
BEGIN, END = "<!-- begin tables: made by docs/make_metrics.py -->", "<!-- end tables -->"
HEAD = ("metric", "in words", "of", "one for each", "can be", "measured on", "shown as", "what it says")
OF = {
    (PICTURES,): "pictures",
    (PICTURES, CLASSES): "pictures, classes",
    (PICTURES, CLASSES, NUMBERS): "all",
    (CLASSES, NUMBERS): "classes, numbers",
    (CLASSES,): "classes",
    (NUMBERS,): "numbers",
}
DOMAINS = {
    "layer": "layer",
    "decision": "decision layer",
    "calibrated": "decision layer, with retrained twins",
    "hidden": "hidden layer",
    "calibrated_hidden": "hidden layer, with retrained twins",
    "subject": "subject, where the panel has them",
    "class": "class that the panel has",
    "group": "group of pictures",
    "method": "attribution method",
    "column": "variable",
    "effect": "variable and division of the rows",
    "population": "sub-population of enough rows",
    "division": "division of the rows into sub-populations",
    "network": "network",
}


def main() -> None:
    """Write the page with the tables of today."""
    PAGE.write_text(fill_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def fill_page(page: str) -> str:
    """Return a page with the tables between its marks."""
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        raise ValueError(f"The page has no place for the tables: write {BEGIN} and {END} where they belong.")
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def tables() -> str:
    """Return one table for each area, and what the places are."""
    parts = []
    for key, area in AREAS.items():
        rows = [metric for metric in METRICS.values() if metric.area == key]
        if rows:
            lines = [HEAD, ("---",) * len(HEAD), *(row(metric) for metric in rows)]
            parts.append(f"## {area.title}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines))
    places = "\n".join(f"* *{place}*: {words}." for place, words in PLACES.items())
    return "\n\n".join([*parts, f"Every metric is shown in the section of its area. It is also shown as\n\n{places}"])


def row(metric: Metric) -> tuple[str, ...]:
    """Return the cells of a metric."""
    return (
        f"`{metric.name}`",
        metric.title,
        "two classes" if metric.two_classes else OF[metric.of],
        DOMAINS[metric.domain],
        possible_values(metric),
        ", ".join(dict.fromkeys(unit_of(metric.name, of=of)[1] for of in metric.of)),
        ", ".join(place for place in PLACES if place in metric.shown) or "–",  # noqa: RUF001
        metric.explanation,
    )


def possible_values(metric: Metric) -> str:
    """Return the range of a metric in words."""
    if metric.whole and math.isinf(metric.highest):
        return f"{metric.lowest:g} to the number of classes"
    if math.isfinite(metric.lowest) and math.isfinite(metric.highest):
        return f"{metric.lowest:g} to {metric.highest:g}"
    return f"{metric.lowest:g} or more" if math.isfinite(metric.lowest) else "any number"


if __name__ == "__main__":
    main()
