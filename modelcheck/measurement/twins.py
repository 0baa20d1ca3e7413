"""Untrained twins: the floor under everything that a network seems to have learned."""

from __future__ import annotations

import copy
from typing import Any

import keras

__all__ = ["make_untrained_twin"]


def make_untrained_twin(model: Any, *, seed: int) -> Any:
    """Return a network of the same architecture with fresh weights from each layer's own initialiser.

    Parameters
    ----------
    model : keras.Model
        The network; it is not changed.
    seed : int
        Of the fresh weights. Keras' global seed is neither read nor set.
    """
    config = copy.deepcopy(model.get_config())
    _seed_initialisers(config, [seed * 100_003])
    with keras.saving.custom_object_scope(_custom_objects(model)):
        twin = type(model).from_config(config)
    for one, other in zip(model._flatten_layers(), twin._flatten_layers(), strict=True):
        if isinstance(one, keras.layers.Normalization) and one.get_weights():
            # Adapted to the data, not trained: without its statistics the twin would see other
            # pictures.
            other.set_weights(one.get_weights())
            other.finalize_state()
    return twin


def _custom_objects(model: Any) -> dict[str, Any]:
    """Return classes and activation functions outside Keras by the names under which a configuration has them."""
    used = [part for layer in model._flatten_layers() for part in (type(layer), getattr(layer, "activation", None))]
    own = (
        part for part in used if getattr(part, "__module__", "keras").partition(".")[0] not in ("keras", "tensorflow")
    )
    return {keras.saving.get_registered_name(part): part for part in own if hasattr(part, "__name__")}


def _seed_initialisers(part: Any, counter: list[int]) -> None:
    """Give every initialiser of a configuration its own seed, in the order of the layers."""
    if isinstance(part, dict):
        inner = part.get("config")
        if str(part.get("module", "")).startswith("keras.initializers") and isinstance(inner, dict) and "seed" in inner:
            counter[0] += 1
            inner["seed"] = counter[0]
        for value in part.values():
            _seed_initialisers(value, counter)
    elif isinstance(part, list | tuple):
        for value in part:
            _seed_initialisers(value, counter)
