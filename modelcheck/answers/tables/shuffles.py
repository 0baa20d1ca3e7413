"""How much worse a network answers when one column is shuffled over the rows: permutation importance."""

from __future__ import annotations

import numpy as np

from modelcheck.answers.tables.asking import Ask, ask_with
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
    before = _measure_losses(panel, scores[:, None])
    losses = np.empty((width, shuffles), np.float32)
    for column in range(width):
        losses[column] = _measure_losses(panel, ask_with(ask, encoded, column, encoded[orders, column])) - before
    return losses


def _measure_losses(panel: TablePanel, scores: np.ndarray) -> np.ndarray:
    """Return ``(k,)`` how wrong each of ``(n, k, outputs)`` answers is."""
    if panel.class_names:
        right = scores.argmax(axis=2) == panel.truth[:, None]
        return np.asarray(1.0 - np.mean([right[panel.truth == k].mean(axis=0) for k in np.unique(panel.truth)], axis=0))
    spread = float(panel.truth.std())
    errors = np.asarray(scores[..., 0], np.float64) - panel.truth[:, None]
    return np.asarray(np.sqrt((errors**2).mean(axis=0)) / (spread or np.nan))
