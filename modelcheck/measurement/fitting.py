"""How a network and a panel fit together: size, classes, and which pictures are looked at closely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelcheck.network import Network, NetworkError
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.support.spelling import did_you_mean

__all__ = ["check_compatible", "choose_probe_rows", "choose_shown_pictures"]

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


def check_compatible(network: Network, panel: Panel, outputs: Sequence[str] | None = None) -> Network:
    """Check that the network takes the panel's pictures and answers with its classes."""
    if tuple(panel.images.shape[1:]) != network.input_shape:
        raise NetworkError(
            f"The network {network.model.name!r} takes pictures of shape {network.input_shape}, the panel holds "
            f"{tuple(panel.images.shape[1:])}. Make a panel of the network's size: modelcheck panel --help"
        )
    n_outputs = max(network.n_outputs, 2)
    if outputs is None:
        if n_outputs != len(panel.class_names):
            raise NetworkError(
                f"The network {network.model.name!r} has {n_outputs} outputs, the panel {len(panel.class_names)} "
                f"classes ({', '.join(panel.class_names)}). If several outputs mean one class, say which: outputs = "
                "['left', 'not_left', ...] in [tool.modelcheck]."
            )
        return network
    for name in outputs:
        if name not in panel.class_names:
            raise NetworkError(f"outputs names the class {name!r}. {did_you_mean(name, panel.class_names)}")
    if len(outputs) != n_outputs or set(outputs) != set(panel.class_names):
        raise NetworkError(
            f"outputs must name a class for each of the {n_outputs} outputs and every class once or more, not "
            f"{list(outputs)}."
        )
    if len(outputs) == len(panel.class_names):
        if tuple(outputs) != tuple(panel.class_names):
            raise NetworkError(
                f"outputs {list(outputs)} puts the panel's classes {list(panel.class_names)} into another order. It "
                "joins outputs into classes where there are more outputs than classes; as many are taken in the "
                "panel's order, so that no setting swaps the answers. Leave outputs out, and where the network was "
                "trained on another order, make the panel in that order: modelcheck panel --help"
            )
        return network
    return network.join_outputs([panel.class_names.index(name) for name in outputs])
