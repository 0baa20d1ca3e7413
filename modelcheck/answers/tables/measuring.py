"""Everything that a signature on a table keeps of answers alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcheck.answers.tables.asking import Ask
from modelcheck.answers.tables.effects import measure_effects
from modelcheck.answers.tables.exchanges import exchange_columns
from modelcheck.answers.tables.shuffles import shuffle_columns
from modelcheck.panel.table_panel import TablePanel
from modelcheck.table_recipe import TableRecipe

__all__ = ["describe_rows", "measure_answers", "read_decision"]


def measure_answers(
    ask: Ask, panel: TablePanel, encoded: np.ndarray, *, scores: np.ndarray, recipe: TableRecipe
) -> dict[str, Any]:
    """Return the parts ``exchanges``, ``effects`` and ``shuffled`` of a signature.

    Parameters
    ----------
    ask : callable
        What answers; see `modelcheck.answers.tables.asking.Ask`.
    panel : TablePanel
        The rows.
    encoded : np.ndarray
        ``(n, columns)`` the same rows, encoded.
    scores : np.ndarray
        ``(n, outputs)`` the answers to them.
    recipe : TableRecipe
        How to measure.
    """
    count, shuffles, seed = recipe.exchange_rows, recipe.shuffles, recipe.seed
    return {
        "exchanges": exchange_columns(ask, panel, encoded, scores=scores, count=count, seed=seed),
        "effects": measure_effects(ask, encoded, panel.columns, bins=recipe.effect_bins),
        "shuffled": shuffle_columns(ask, panel, encoded, scores=scores, shuffles=shuffles, seed=seed),
    }


def read_decision(scores: np.ndarray, *, classes: bool) -> np.ndarray:
    """Return how happy answers make the units of the decision.

    Parameters
    ----------
    scores : np.ndarray
        ``(n, outputs)`` class scores, or ``(n, 1)`` numbers.
    classes : bool
        Whether they are scores of classes.

    Returns
    -------
    np.ndarray
        ``(n, units)``: each class's lead over the strongest other, or the answer and its negative,
        the highest and the lowest.

    Examples
    --------
    >>> read_decision(np.array([[1.0, 3.0]]), classes=True), read_decision(np.array([[2.0]]), classes=False)
    (array([[-2.,  2.]]), array([[ 2., -2.]]))
    """
    if not classes:
        return np.concatenate([scores, -scores], axis=1)
    second, first = np.sort(scores, axis=1)[:, -2:].T
    others = np.repeat(first[:, None], scores.shape[1], axis=1)
    others[np.arange(len(scores)), scores.argmax(axis=1)] = second
    return scores - others


def describe_rows(panel: TablePanel) -> dict[str, np.ndarray]:
    """Return what a signature keeps of a panel's rows."""
    kept = {"truth": panel.truth, "names": panel.names}
    if panel.shared_subjects is not None:
        kept["subjects"] = panel.shared_subjects
    return kept | {f"groups/{name}": words for name, words in (panel.groups or {}).items()}
