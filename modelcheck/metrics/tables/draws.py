"""What is drawn for intervals and tests: independent rows or subjects, anew or under other labels."""

from __future__ import annotations

import numpy as np

__all__ = ["permute_groups", "resample_rows"]

# Second keys, so that no two draws of a seed are the same.
_RESAMPLES, _PERMUTATIONS = 6 << 40, 7 << 40


def resample_rows(independent: np.ndarray, draws: int, *, seed: int = 0) -> np.ndarray:
    """Return how often each row is drawn when whole subjects are drawn with replacement.

    Parameters
    ----------
    independent : np.ndarray
        ``(rows,)`` words that two rows share where they are not independent.
    draws : int
        How many times.
    seed : int
        Of the draws.

    Returns
    -------
    np.ndarray
        ``(draws, rows)`` float64 counts; rows of one subject have the same.

    Examples
    --------
    >>> counts = resample_rows(np.array(["ada", "ada", "ben"]), 50)
    >>> bool((counts[:, 0] == counts[:, 1]).all()), set((counts[:, 0] + counts[:, 2]).tolist())
    (True, {2.0})
    """
    whose = np.unique(independent, return_inverse=True)[1]
    n = int(whose.max(initial=-1)) + 1
    if not n:
        return np.zeros((draws, 0))
    drawn = np.random.Generator(np.random.Philox(key=[seed, _RESAMPLES])).integers(n, size=(draws, n))
    counts = np.bincount((drawn + n * np.arange(draws)[:, None]).ravel(), minlength=draws * n)
    return np.asarray(counts.reshape(draws, n).astype(np.float64)[:, whose])


def permute_groups(groups: np.ndarray, independent: np.ndarray, draws: int, *, seed: int = 0) -> np.ndarray:
    """Return the groups of all rows under permuted labels.

    Where every subject lies in one group, whole subjects change places, as they do where each row is
    independent. Where a subject has rows in several groups, rows change places within their subject.

    Parameters
    ----------
    groups : np.ndarray
        ``(rows,)`` numbers of groups.
    independent : np.ndarray
        ``(rows,)`` words that two rows share where they are not independent.
    draws : int
        How many times.
    seed : int
        Of the draws.

    Returns
    -------
    np.ndarray
        ``(draws, rows)`` numbers of groups.

    Examples
    --------
    >>> drawn = permute_groups(np.array([0, 0, 1]), np.array(["ada", "ada", "ben"]), 20)
    >>> sorted(set(map(tuple, drawn.tolist())))
    [(0, 0, 1), (1, 1, 0)]
    """
    groups = np.asarray(groups)
    _, first, whose = np.unique(independent, return_index=True, return_inverse=True)
    generator = np.random.Generator(np.random.Philox(key=[seed, _PERMUTATIONS]))
    if (groups == groups[first][whose]).all():
        labels = np.tile(groups[first], (draws, 1))
        return np.asarray(generator.permuted(labels, axis=1)[:, whose])
    # Sorted by subject, then by chance: each place of a subject gets the label of one of its rows.
    places = np.argsort(whose, kind="stable")
    keys = whose + generator.random((draws, len(groups)))
    made = np.empty((draws, len(groups)), groups.dtype)
    made[:, places] = groups[np.argsort(keys, axis=1)]
    return made
