"""Which variables drive a network by Shapley values, as the library SHAP estimates them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelcheck.answers.cross_checks.extras import load_extra
from modelcheck.answers.tables import make_asker
from modelcheck.metrics.tables import correlate_ranks, view_scores
from modelcheck.metrics.tables.encoding import encode_rows
from modelcheck.panel.table_panel import TablePanel
from modelcheck.runtimes.table_classifier import TableClassifier

__all__ = ["ShapDrivers", "shap_drivers"]

_ROWS, _BACKGROUND = 1, 2  # what a draw is for


@dataclass(frozen=True, kw_only=True, eq=False)
class ShapDrivers:
    """Which variables drive a network, by Shapley values.

    Parameters
    ----------
    columns : tuple of str
        The features, in the panel's order.
    shares : np.ndarray
        ``(columns,)`` of the mean absolute Shapley value, summing to 1; NaN where nothing moves the
        answer.
    values : np.ndarray
        ``(explained, columns, views)`` in units of the scores.
    rows : np.ndarray
        ``(explained,)`` positions in the panel.
    """

    columns: tuple[str, ...]
    shares: np.ndarray
    values: np.ndarray
    rows: np.ndarray

    def correlate(self, shares: np.ndarray) -> float:
        """Return the rank correlation with other shares, for example those of the exchange map.

        Columns that hold less than half of an even share by both are left out: see
        ``driver_rank_agreement``.

        Parameters
        ----------
        shares : np.ndarray
            ``(columns,)`` that sum to 1, such as ``comparison.drivers.candidate``.

        Examples
        --------
        >>> found = np.array([0.7, 0.2, 0.1])
        >>> drivers = ShapDrivers(columns=("a", "b", "c"), shares=found, values=np.empty(0), rows=np.empty(0))
        >>> drivers.correlate(found)
        1.0
        """
        return correlate_ranks(self.shares, np.asarray(shares))[0]


def shap_drivers(
    classifier: TableClassifier,
    panel: TablePanel,
    *,
    rows: int = 100,
    background: int = 40,
    permutations: int = 4,
    seed: int = 0,
) -> ShapDrivers:
    """Return which variables drive a network, by SHAP's permutation explainer.

    A variable's value for a row is by how much the answer changes when it is put into rows of the
    background, over orders of the variables. The exchange map asks about one variable at a time on
    rows of another class; where two variables say the same, the two differ, and neither is wrong.

    Parameters
    ----------
    classifier : TableClassifier
        The network.
    panel : TablePanel
        Rows to explain, and the background.
    rows, background : int
        At most how many of each are drawn.
    permutations : int
        Orders of the variables for each row.
    seed : int
        Of the draws.

    Raises
    ------
    MissingExtraError
        When shap is not installed.
    NetworkError
        When an answer is NaN or infinite.
    """
    shap = load_extra("shap", "The cross-check of drivers")
    encoded = encode_rows(panel.values, panel.columns)
    ask = make_asker(classifier, panel.columns)
    names = tuple(panel.values)
    explained = _draw(len(panel), rows, seed, _ROWS)
    behind = encoded[_draw(len(panel), background, seed, _BACKGROUND)]
    before = np.random.get_state()  # noqa: NPY002 (SHAP draws from numpy's global generator; it is given back as it was)
    try:
        masker = shap.maskers.Independent(behind, max_samples=len(behind))
        explainer = shap.PermutationExplainer(lambda asked: view_scores(ask(asked)), masker, seed=seed)
        budget = permutations * (2 * len(names) + 1)
        values = np.asarray(explainer(encoded[explained], max_evals=budget, silent=True).values)
    finally:
        np.random.set_state(before)  # noqa: NPY002 (as above)
    values = values.reshape(len(explained), len(names), -1)
    strengths = np.abs(values).mean(axis=(0, 2))
    total = strengths.sum()
    shares = strengths / total if total > 0 else np.full(len(names), np.nan)
    return ShapDrivers(columns=names, shares=shares, values=values, rows=explained)


def _draw(n: int, most: int, seed: int, what: int) -> np.ndarray:
    return np.sort(np.random.Generator(np.random.Philox(key=[seed, what])).permutation(n)[:most])
