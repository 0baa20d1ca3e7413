"""What the attribution methods say of the columns of a row: those that exist for pictures, on a picture of one line."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcheck.attributions import AttributionError, attribute
from modelcheck.network import NetworkError
from modelcheck.network.table_inputs import TableInputs
from modelcheck.network.tables import TableNetwork
from modelcheck.panel import TablePanel
from modelcheck.table_recipe import TableRecipe

__all__ = ["attribute_rows"]


def attribute_rows(
    network: TableNetwork,
    panel: TablePanel,
    encoded: np.ndarray,
    *,
    probes: np.ndarray,
    typical: np.ndarray,
    recipe: TableRecipe,
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the relevance of every column of some rows, and why methods could not be had.

    Parameters
    ----------
    network : TableNetwork
        The network.
    panel : TablePanel
        The rows with their truth: the score of a row's own class is explained, or the answer.
    encoded : np.ndarray
        ``(n, columns)`` the same rows, encoded.
    probes : np.ndarray
        ``(probes,)`` which of them.
    typical : np.ndarray
        ``(columns,)`` the row from which methods count that take a reference.
    recipe : TableRecipe
        Which methods.

    Returns
    -------
    relevance : dict of str to np.ndarray
        By method, ``(probes, columns)`` float32, signed.
    left_out : dict of str to str
        By method, why it could not be had.
    """
    if network.inputs is TableInputs.NAMED:
        why = "the network takes an input for each feature, not one vector"
        return {}, dict.fromkeys(recipe.attribution_methods, why)
    lines = network.as_lines(encoded[probes]).numpy()
    reference = typical.astype(np.float32).reshape(network.network.input_shape)
    # The one output of a target of numbers is read as the score of the second of two classes.
    targets = panel.truth[probes] if network.classes else np.ones(len(probes), np.int64)
    found, left_out = {}, {}
    for method in recipe.attribution_methods:
        try:
            maps = attribute(
                network.network, lines, targets, method=method, **_options(method, recipe, reference=reference)
            )
            found[method] = maps.reshape(len(probes), -1).astype(np.float32)
        except (AttributionError, NetworkError) as error:
            left_out[method] = str(error)
    return found, left_out


def _options(method: str, recipe: TableRecipe, *, reference: np.ndarray) -> dict[str, Any]:
    """Return what a method must be told: the typical row, from which others are counted, and the seed."""
    if method in ("integrated_gradients", "deeplift"):
        return {"reference": reference}
    if method == "occlusion":
        return {"reference": reference, "window": 1, "stride": 1}
    return {"seed": recipe.seed} if method in ("smoothgrad", "vargrad", "rise") else {}
