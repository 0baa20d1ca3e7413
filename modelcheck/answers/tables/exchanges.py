"""What a network answers where one column of a row has another row's value."""

from __future__ import annotations

import numpy as np

from modelcheck.answers.tables.asking import Ask, ask_with
from modelcheck.answers.tables.choosing import choose_donors, choose_rows
from modelcheck.metrics.exchanges import compute_falls
from modelcheck.panel.table_panel import TablePanel

__all__ = ["exchange_columns"]


def exchange_columns(
    ask: Ask, panel: TablePanel, encoded: np.ndarray, *, scores: np.ndarray, count: int, seed: int
) -> dict[str, np.ndarray]:
    """Return what exchanged values do to the answers; nothing where no two rows can exchange any.

    Parameters
    ----------
    ask : callable
        What answers; see `modelcheck.answers.tables.asking.Ask`.
    panel : TablePanel
        The rows with their truth and subjects.
    encoded : np.ndarray
        ``(n, columns)`` the same rows, encoded.
    scores : np.ndarray
        ``(n, outputs)`` the answers to them.
    count : int
        How many rows get other rows' values, at most; 0 for none.
    seed : int
        Which rows, and whose values: the same for every network.

    Returns
    -------
    dict of str to np.ndarray
        ``rows`` ``(m,)``, ``donors`` ``(m, k)`` and ``falls`` ``(m, columns, k)``; see
        `modelcheck.signature.TableSignature`. Of a target of numbers a fall is the answer
        afterwards minus that before.
    """
    rows = choose_rows(panel, count, seed=seed)
    donors = choose_donors(panel, rows, seed=seed)
    if not len(rows) or not len(donors):
        return {}
    own = encoded[rows]
    after = np.stack(
        [ask_with(ask, own, column, encoded[donors, column]) for column in range(encoded.shape[1])], axis=1
    )
    if panel.class_names:
        falls = compute_falls(scores[rows], after, panel.truth[rows], panel.truth[donors])
    else:
        falls = after[..., 0] - scores[rows][:, None, :]
    return {"rows": rows, "donors": donors, "falls": falls.astype(np.float32)}
