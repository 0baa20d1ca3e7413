"""The effect of a variable by the library effector: accumulated local effects, plain (ALE) or robust (RHALE)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from modelcheck.answers.cross_checks.extras import load_extra
from modelcheck.answers.tables import Ask, make_asker
from modelcheck.metrics.tables import view_scores
from modelcheck.metrics.tables.encoding import encode_rows
from modelcheck.panel.columns import ColumnKind
from modelcheck.panel.table_panel import TablePanel
from modelcheck.runtimes.table_classifier import TableClassifier

__all__ = ["effector_curve"]

_STEP = 1e-3  # of a column's range: from there the slope is taken


def effector_curve(
    classifier: TableClassifier,
    panel: TablePanel,
    column: str,
    grid: np.ndarray,
    *,
    method: Literal["ale", "rhale"] = "rhale",
) -> np.ndarray:
    """Return the model's effect of a column of numbers as effector estimates it.

    RHALE takes slopes at the rows and chooses its parts by how much the slopes vary; ALE takes
    differences over equal parts. Ours are parts by quantiles: the three agree but for that.

    Parameters
    ----------
    classifier : TableClassifier
        The network.
    panel : TablePanel
        The rows; those with something missing are left out.
    column : str
        A feature of numbers.
    grid : np.ndarray
        ``(k,)`` values at which the effect is wanted, such as `EffectComparison.grid`.
    method : {'rhale', 'ale'}
        Which.

    Returns
    -------
    np.ndarray
        ``(k, views)`` in units of the scores, each view with mean 0 over the grid.

    Raises
    ------
    MissingExtraError
        When effector is not installed.
    ValueError
        When the column is not one of numbers.

    References
    ----------
    Apley and Zhu, "Visualizing the effects of predictor variables in black box supervised learning
    models", 2020. Gkolemis and others, "RHALE: robust and heterogeneity-aware accumulated local
    effects", 2023.
    """
    effector = load_extra("effector", "The cross-check of effects")
    columns = panel.columns
    place = {item.name: k for k, item in enumerate(columns) if item.kind is ColumnKind.NUMBER}
    if column not in place:
        raise ValueError(f"{column!r} is no column of numbers; those are {', '.join(place) or 'none'}.")
    at = place[column]
    encoded = encode_rows(panel.values, columns)
    encoded = encoded[np.isfinite(encoded).all(axis=1)]
    ask = make_asker(classifier, columns)
    step = _STEP * (columns[at].high - columns[at].low)
    curves = []
    for view in range(view_scores(ask(encoded[:1])).shape[1]):
        score = _take_view(ask, view)
        slopes = _take_slopes(score, at, step)
        found = effector.RHALE(encoded, score, slopes) if method == "rhale" else effector.ALE(encoded, score)
        found.fit(features=[at], centering=True)
        curve = np.asarray(found.eval(at, xs=np.asarray(grid, np.float64), centering=True))
        curves.append(curve - curve.mean())
    return np.stack(curves, axis=1)


_Score = Callable[[np.ndarray], np.ndarray]


def _take_view(ask: Ask, view: int) -> _Score:
    return lambda rows: np.asarray(view_scores(ask(rows))[:, view])


def _take_slopes(score: _Score, at: int, step: float) -> _Score:
    """Return a function of the derivatives by one column; those by the others are not asked for, and 0."""

    def slopes(rows: np.ndarray) -> np.ndarray:
        lower, upper, made = rows.copy(), rows.copy(), np.zeros(rows.shape)
        lower[:, at] -= step
        upper[:, at] += step
        made[:, at] = (score(upper) - score(lower)) / (2 * step)
        return made

    return slopes
