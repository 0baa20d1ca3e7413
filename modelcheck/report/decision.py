"""What the report shows of the decision: its maps by class, at full and at feature scale, and where two are alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcheck.metrics.similarity import local_ssim, low_pass
from modelcheck.report.pictures import Sheet, as_bytes, likeness_sheet, sheet, shrunk
from modelcheck.report.words import clean, format_objective
from modelcheck.signature import Signature

__all__ = ["decision_view"]

_LARGE = 192


def decision_view(baseline: Signature | None, candidate: Signature, sheets: list[Sheet]) -> dict[str, Any]:
    """Return the maps of the decision, one a class, at full and at feature scale.

    Parameters
    ----------
    baseline : Signature or None
        None in a gallery of one network.
    candidate : Signature
        The network.
    sheets : list of Sheet
        Receives the pictures.
    """
    made: dict[str, Any] = {"classes": [], "sides": {}}
    sides = {"baseline": baseline, "candidate": candidate}
    for role, signature in sides.items():
        if signature is None:
            continue
        for scale, stack in _scales(signature).items():
            pixels = as_bytes(shrunk(stack, side=_LARGE), signature.recipe.input_range)
            sheets.append(sheet(f"decision-{role}-{scale}", pixels))
            made["sides"][f"{role}_{scale}"] = sheets[-1]
    if baseline is not None:
        low, high = baseline.recipe.input_range
        stacks = _scales(baseline), _scales(candidate)
        for scale in stacks[0]:
            local = local_ssim(stacks[0][scale], stacks[1][scale], data_range=high - low)
            sheets.append(likeness_sheet(f"decision-local-{scale}", shrunk(local, side=_LARGE)))
            made["sides"][f"local_{scale}"] = sheets[-1]
    for k, name in enumerate(candidate.class_names):
        made["classes"].append(
            {
                "name": clean(name),
                "position": k,
                "candidate": format_objective(float(candidate.activations[candidate.decision.name][k])),
                "baseline": format_objective(float(baseline.activations[baseline.decision.name][k]))
                if baseline
                else None,
            }
        )
    return made


def _scales(signature: Signature) -> dict[str, np.ndarray]:
    """Return the decision's maps as drawn, at the scale of the features and among natural pictures."""
    maps = signature.maps[signature.decision.name]
    grey = float(np.mean(signature.recipe.input_range))
    coarse = low_pass(np.nan_to_num(maps, nan=grey), sigma=maps.shape[1] / 15)
    return {"full": maps, "coarse": coarse, "natural": signature.natural}
