"""What the report shows of the decision: its maps by class, at full and at feature scale, and where two are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelcheck.comparison.local import locate_decision_similarity
from modelcheck.comparison.statistics import NetworkStatistics
from modelcheck.metrics.similarity import shrink
from modelcheck.report.pictures import Sheet, as_bytes, likeness_sheet, sheet
from modelcheck.report.words import clean, format_objective
from modelcheck.signature import Signature

__all__ = ["LARGE", "choose_classes", "decision_view"]

LARGE = 192  # pixels at most of the longer side of a map of the decision
_CLASSES = 12  # whose maps fit into a page


def decision_view(
    networks: Mapping[str, Signature],
    statistics: Mapping[str, NetworkStatistics],
    sheets: list[Sheet],
    *,
    ranked: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Return the maps of the decision, one a class, at full and at feature scale; of many classes, those of some.

    Parameters
    ----------
    networks : mapping of str to Signature
        The candidate, and the baseline unless it is a gallery of one network, by role.
    statistics : mapping of str to NetworkStatistics
        What was computed of each, by role.
    sheets : list of Sheet
        Receives the pictures.
    ranked : sequence of int, optional
        The classes in the order in which they are to be shown, of which there may be too many; by
        default they are evenly spaced.
    """
    made: dict[str, Any] = {"classes": [], "sides": {}}
    candidate, baseline = networks["candidate"], networks.get("baseline")
    shown = choose_classes(len(candidate.class_names), ranked)
    made |= {"total": len(candidate.class_names), "left_out": len(candidate.class_names) - len(shown)}
    for role, signature in networks.items():
        for scale, maps in statistics[role].decision_maps.items():
            pixels = as_bytes(shrink(maps[shown], side=LARGE), signature.recipe.input_range)
            sheets.append(sheet(f"decision-{role}-{scale}", pixels))
            made["sides"][f"{role}_{scale}"] = sheets[-1]
    if baseline is not None:
        for scale, local in locate_decision_similarity(baseline, candidate).items():
            sheets.append(likeness_sheet(f"decision-local-{scale}", shrink(local[shown], side=LARGE)))
            made["sides"][f"local_{scale}"] = sheets[-1]
    for place, k in enumerate(shown):
        made["classes"].append(
            {
                "name": clean(candidate.class_names[k]),
                "class": k,
                "position": place,
                "candidate": format_objective(float(candidate.activations[candidate.decision.name][k])),
                "baseline": format_objective(float(baseline.activations[baseline.decision.name][k]))
                if baseline
                else None,
            }
        )
    return made


def choose_classes(total: int, ranked: Sequence[int] | None) -> list[int]:
    """Return the classes whose maps are shown, in order."""
    if total <= _CLASSES:
        return list(range(total))
    if ranked is None:
        return np.linspace(0, total - 1, _CLASSES).round().astype(int).tolist()
    return sorted(ranked[:_CLASSES])
