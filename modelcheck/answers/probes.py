"""Which pictures of a panel are looked at closely."""

from __future__ import annotations

import numpy as np

from modelcheck.panel import Panel
from modelcheck.recipe import Recipe

__all__ = ["choose_probe_rows", "choose_shown_pictures"]

_BETWEEN = 32  # pictures between two of the panel's


def choose_probe_rows(panel: Panel, count: int) -> np.ndarray:
    """Return at most `count` rows of a panel, spread evenly over subjects, classes and groups, in order.

    Parameters
    ----------
    panel : Panel
        The pictures.
    count : int
        At most how many rows.
    """
    strata: dict[tuple[str, int, str], list[int]] = {}
    # Pictures without subjects are spread over classes and groups alone.
    subjects = [""] * len(panel) if panel.subjects is None else panel.subjects.tolist()
    keys = zip(subjects, panel.labels.tolist(), panel.groups.tolist(), strict=True)
    for row, key in enumerate(keys):
        strata.setdefault(key, []).append(row)
    # First pictures of all strata come before second ones; within a round, strata keep a fixed
    # order.
    ranked = sorted((place, key, row) for key, rows in strata.items() for place, row in enumerate(rows))
    if len(strata) > count:
        picked = np.linspace(0, len(strata) - 1, count).round().astype(int)
        return np.sort(np.array([ranked[place][2] for place in picked]))
    return np.sort(np.array([row for _, _, row in ranked[:count]]))


def choose_shown_pictures(panel: Panel, recipe: Recipe) -> np.ndarray:
    """Return the pictures on which a network must answer as Keras does: the panel's, and some between two of them.

    An input that casts is no different on a panel whose values are whole numbers; the ascent and
    the attributions move between them.

    Parameters
    ----------
    panel : Panel
        The pictures.
    recipe : Recipe
        Its `input_range` says how they are given.
    """
    images = panel.inputs(recipe.input_range)
    probes = images[choose_probe_rows(panel, _BETWEEN + 1)]
    return np.concatenate([images, (probes[1:] + probes[:-1]) / 2])
