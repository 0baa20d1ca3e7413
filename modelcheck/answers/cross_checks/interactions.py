"""Whether a variable moves a network's answers alike in every sub-population, by regression: statsmodels' test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelcheck.answers.cross_checks.extras import load_extra
from modelcheck.metrics.tables import adjust_holm, view_scores
from modelcheck.panel.columns import Column, ColumnKind
from modelcheck.panel.table_panel import TablePanel

__all__ = ["InteractionTest", "regress_interaction"]

_FEWEST = 2  # clusters


@dataclass(frozen=True, kw_only=True)
class InteractionTest:
    """A Wald test of the interaction of a variable and a division in a network's answers.

    Parameters
    ----------
    column, division : str
        The feature, and what divides the rows.
    p : float
        Of the hypothesis that its slope is the same in every sub-population; with several views the
        smallest after Holm's correction.
    slopes : mapping of str to float
        By sub-population, the slope in the first view: scores for a standard deviation of a number;
        empty for categories.
    n, clusters : int
        Rows, and independent subjects or rows.
    """

    column: str
    division: str
    p: float
    slopes: dict[str, float]
    n: int
    clusters: int


def regress_interaction(scores: np.ndarray, panel: TablePanel, column: str, division: str) -> InteractionTest:
    """Test by regression whether a variable moves a network's answers alike in every sub-population.

    The answers are regressed on the variable, the sub-populations, their product, and all other
    variables; errors are clustered by subject, with statsmodels. It sees straight lines alone, where
    ``effect_gap`` sees any curve; it needs no common support, because it extrapolates.

    Parameters
    ----------
    scores : np.ndarray
        ``(rows, outputs)`` of a network on the panel's rows, such as ``signature.scores``.
    panel : TablePanel
        The rows.
    column, division : str
        The feature, and what divides the rows.

    Raises
    ------
    MissingExtraError
        When statsmodels is not installed.
    ValueError
        When there is no such column or division, scores are not of these rows, or too little is left
        without missing values.
    """
    linear = load_extra("statsmodels.regression.linear_model", "The cross-check of gaps")
    groups = panel.groups or {}
    for name, known in ((column, panel.values), (division, groups)):
        if name not in known:
            raise ValueError(f"The panel has no {name!r}; it has {', '.join(known) or 'none'}.")
    if len(scores) != len(panel):
        raise ValueError(f"There are scores of {len(scores)} rows, and the panel has {len(panel)}.")
    words = np.asarray(groups[division])
    populations = sorted({word for word in words.tolist() if word})
    own = {item.name: _regressors(item, panel.values[item.name]) for item in panel.columns}
    member = np.stack([words == word for word in populations], axis=1).astype(np.float64)
    products = [own[column] * member[:, [k]] for k in range(1, len(populations))]
    beside = [part for name, part in own.items() if name not in (column, division)]
    tested = np.concatenate(products, axis=1) if products else np.empty((len(panel), 0))
    design = np.concatenate([member, own[column], tested, *beside], axis=1)
    views = view_scores(scores)
    kept = np.isfinite(design).all(axis=1) & np.isfinite(views).all(axis=1) & (words != "")
    clusters = np.unique(panel.independent[kept], return_inverse=True)[1]
    n_clusters = int(clusters.max(initial=-1)) + 1
    if len(populations) < 2 or n_clusters < _FEWEST or kept.sum() <= design.shape[1]:
        raise ValueError(
            f"{column!r} by {division!r} cannot be tested: {int(kept.sum())} whole rows of {n_clusters} subjects in "
            f"{len(populations)} sub-populations, for {design.shape[1]} coefficients."
        )
    at = len(populations) + own[column].shape[1]
    which = np.eye(design.shape[1])[at : at + tested.shape[1]]
    found, first = [], None
    for view in views.T:
        fitted = linear.OLS(view[kept], design[kept]).fit(cov_type="cluster", cov_kwds={"groups": clusters})
        found.append(float(np.squeeze(fitted.wald_test(which, use_f=True, scalar=True).pvalue)))
        first = fitted.params if first is None else first
    slopes = {}
    if panel.values[column].dtype.kind == "f" and first is not None:
        more = [0.0, *first[at : at + tested.shape[1]].tolist()]
        slopes = {word: float(first[at - 1] + extra) for word, extra in zip(populations, more, strict=True)}
    return InteractionTest(
        column=column,
        division=division,
        p=min(adjust_holm(found)),
        slopes=slopes,
        n=int(kept.sum()),
        clusters=n_clusters,
    )


def _regressors(column: Column, values: np.ndarray) -> np.ndarray:
    """Return a number in standard deviations, or a column for each category but the first; NaN where missing."""
    if column.kind is ColumnKind.NUMBER:
        centred = values - np.nanmean(values)
        spread = float(np.nanstd(values))
        return (centred / spread if spread > 0 else centred)[:, None]
    made = np.stack([values == word for word in column.values[1:]], axis=1).astype(np.float64)
    made[values == ""] = np.nan
    return made
