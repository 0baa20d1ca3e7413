"""How a Keras network and a panel fit together: size and classes."""

from __future__ import annotations

from typing import Any

from modelcheck.interface import Interface
from modelcheck.measurement.heads import read_head
from modelcheck.network import Network, NetworkError, flatten, preprocess_first
from modelcheck.network.picking import pick
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe

__all__ = ["fit_network"]

_GLANCED = 8  # pictures that show whether an output is a probability


def fit_network(model: Any, panel: Panel, interface: Interface, *, recipe: Recipe) -> Network:
    """Flatten a network and fit it to a panel: which picture it takes, and what its outputs say of the classes.

    Parameters
    ----------
    model : keras.Model
        The network. Where it has several inputs or outputs, that of the returned one is another.
    panel : Panel
        The pictures and their classes.
    interface : Interface
        How its inputs and outputs are to be understood.
    recipe : Recipe
        Its `input_range` says how the pictures are given.

    Raises
    ------
    NetworkError
        When the two do not fit, or the interface does not fit the network.
    """
    network = flatten(pick(model, interface), size=panel.images.shape[1:3])
    if tuple(panel.images.shape[1:]) != network.input_shape:
        raise NetworkError(
            f"The network {network.model.name!r} takes pictures of shape {network.input_shape}, the panel holds "
            f"{tuple(panel.images.shape[1:])}. Make a panel of the network's size: modelcheck panel --help"
        )
    network = preprocess_first(network, interface.front, input_range=recipe.input_range)
    images = panel.inputs(recipe.input_range)[:_GLANCED]
    return read_head(network, panel.class_names, interface, images)
