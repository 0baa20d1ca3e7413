"""How much worse a network answers when one column is shuffled over the rows: permutation importance."""

from __future__ import annotations

import numpy as np

from modelcheck.answers.tables.asking import Ask, ask_with
from modelcheck.metrics.accuracy import balanced_accuracy
from modelcheck.panel.table_panel import TablePanel

__all__ = ["shuffle_columns"]

_ORDER = 10 << 40  # what the draws are for: part of their key


def shuffle_columns(
    ask: Ask, panel: TablePanel, encoded: np.ndarray, *, scores: np.ndarray, shuffles: int, seed: int
) -> np.ndarray:
    """Return by how much balanced accuracy falls, or the error rises, where a column is shuffled.

    Parameters
    ----------
    ask : callable
        What answers; see `modelcheck.answers.tables.asking.Ask`.
    panel : TablePanel
        The rows with their truth.
    encoded : np.ndarray
        ``(n, columns)`` the same rows, encoded.
    scores : np.ndarray
        ``(n, outputs)`` the answers to them.
    shuffles : int
        How many times each column is shuffled.
    seed : int
        Of the orders: each is keyed by seed and number, and the same for every column and network.

    Returns
    -------
    np.ndarray
        ``(columns, shuffles)`` float32. The error is the root mean square, in units of the target's
        standard deviation; NaN where the target never varies.
    """
    width = encoded.shape[1]
    if not shuffles:
        return np.empty((0, 0), np.float32)
    orders = np.stack(
        [
            np.random.Generator(np.random.Philox(key=[seed, _ORDER + k])).permutation(len(encoded))
            for k in range(shuffles)
        ],
        axis=1,
    )
    before = _measure_loss(panel, scores)
    losses = np.empty((width, shuffles), np.float32)
    for column in range(width):
        answers = ask_with(ask, encoded, column, encoded[orders, column])
        losses[column] = [_measure_loss(panel, answers[:, k]) - before for k in range(shuffles)]
    return losses


def _measure_loss(panel: TablePanel, scores: np.ndarray) -> float:
    if panel.class_names:
        return 1.0 - balanced_accuracy(panel.truth, scores.argmax(axis=1)).value
    spread = float(panel.truth.std())
    error = float(np.sqrt(((np.asarray(scores[:, 0], np.float64) - panel.truth) ** 2).mean()))
    return error / spread if spread else float("nan")
