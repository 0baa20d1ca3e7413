"""What a signature shows of itself in a notebook: the network, its layers, and the maps of its decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from modelcheck.support.drawing import as_bytes
from modelcheck.support.notebook import MOST_BYTES, Figure, card, choose_evenly, figures, heading, table
from modelcheck.support.numbers import number

if TYPE_CHECKING:
    from modelcheck.signature.record import Signature

__all__ = ["show_decision", "show_signature"]

_CLASSES, _LAYERS = 12, 40
_RENDERED = ("keras",)  # the runtimes whose networks have maps


def show_signature(signature: Signature) -> str:
    """Return the HTML of a signature."""
    model = signature.model
    parameters = model.get("parameters")
    facts = [
        *([] if not model.get("file") else [model["file"]]),
        *([] if parameters is None else [f"{parameters:,} parameters"]),
        f"{len(signature.scores)} pictures",
        f"{len(signature.twins)} untrained and {len(signature.retrained)} retrained twins",
        f"runtime {signature.runtime}",
    ]
    shown = choose_evenly(len(signature.layers), _LAYERS)
    layers = table(
        ("layer", "kind", "units", "rendered", "with a map"),
        [
            (record.name, record.kind, record.n_units, *_count_maps(signature, record.name))
            for record in (signature.layers[k] for k in shown)
        ],
        words=2,
    )
    left_out = len(signature.layers) - len(shown)
    note = f"{left_out} of {len(signature.layers)} layers are left out" if left_out else ""
    parts = [*show_decision(signature, most_bytes=MOST_BYTES), heading("Layers", note=note), layers]
    return card("Signature", model["name"], parts, facts=facts)


def show_decision(signature: Signature, *, most_bytes: int, title: str = "Maps of the decision") -> list[str]:
    """Return the HTML of a decision's maps, one a class, each with the margin over the other classes that it reached.

    Parameters
    ----------
    signature : Signature
        Of the network.
    most_bytes : int
        What the pictures may hold; see `modelcheck.support.notebook.figures`.
    title : str
        What stands above them.
    """
    if signature.runtime not in _RENDERED:
        return [heading(title, note="none: a file that ships answers, and nothing can be rendered from it")]
    name = signature.decision.name
    units, maps, reached = (part[name] for part in (signature.units, signature.maps, signature.activations))
    places = choose_evenly(len(units), _CLASSES)
    shown = []
    for place in places:
        picture = as_bytes(maps[place][None], signature.recipe.input_range)[0]
        there = bool(np.isfinite(maps[place]).all() and np.isfinite(reached[place]))
        shown.append(
            Figure(
                picture if there else None,
                signature.class_names[int(units[place])],
                f"{signature.decision.objective} {number(float(reached[place]))}",
            )
        )
    note = f"{len(places)} of {len(units)} classes" if len(places) < len(units) else ""
    return [heading(title, note=note), figures(shown, most_bytes=most_bytes)]


def _count_maps(signature: Signature, layer: str) -> tuple[int, int]:
    """Return how many units were rendered, and how many of them have a map."""
    reached = signature.activations[layer]
    return len(reached) if signature.runtime in _RENDERED else 0, int(np.isfinite(reached).sum())
