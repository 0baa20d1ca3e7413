"""The sanity checks for attributions that need a network with other weights.

A method explains a network only if its maps change when the weights are drawn anew (cascading from
the decision down to the input, each variable by its layer's own initialiser), and when another
class is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from modelcheck.attributions.methods import attribute
from modelcheck.attributions.reading import AttributionError
from modelcheck.metrics.faithfulness import map_similarity
from modelcheck.network import Network, flatten

__all__ = ["other_targets", "random_logit_similarity", "randomisation_similarity", "randomise_layers"]

_MOVING = {"moving_mean": "zeros", "moving_variance": "ones"}


def randomise_layers(model: Any, *, seed: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield copies of a network whose weights are drawn anew from the decision down, one more layer each time.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional; not changed.
    seed : int
        Each variable's draw depends on the seed and its layer's path alone.

    Yields
    ------
    tuple of str and keras.Model
        The layer drawn last, and the copy: the same object each time, one more layer changed.

    Raises
    ------
    AttributionError
        When a layer with weights names no initialiser for them.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    steps = {step.name: step.layer for step in flatten(copy).steps if getattr(step.layer, "weights", ())}
    drawn: set[int] = set()
    for name, layer in reversed(steps.items()):
        if id(layer) not in drawn:
            drawn.add(id(layer))
            _draw_weights(layer, name, seed)
            yield name, copy


def _draw_weights(layer: Any, name: str, seed: int) -> None:
    for variable in layer.variables:
        if "seed" in variable.name:
            continue
        own = getattr(layer, f"{variable.name}_initializer", None) or _MOVING.get(variable.name)
        own = keras.initializers.get(own) if own is not None else None
        if own is None:
            if not layer.trainable_weights:
                return  # statistics of the data, like those of Normalization, were not learned
            raise AttributionError(
                f"Layer {name!r} names no initialiser for its weight {variable.name!r}, so it cannot be drawn anew. "
                "Exclude the network from the randomisation test."
            )
        settings = own.get_config()
        if "seed" in settings:
            digest = hashlib.sha256(f"{seed}/{name}/{variable.name}".encode()).digest()
            settings["seed"] = int.from_bytes(digest[:4], "little") >> 1
        variable.assign(type(own).from_config(settings)(variable.shape, dtype=variable.dtype))


def randomisation_similarity(
    model: Any,
    images: np.ndarray,
    targets: np.ndarray | int,
    *,
    method: str,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Return how alike the maps stay while the network is drawn anew, layer by layer from the decision down.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional; not changed.
    images, targets, method
        The pictures, their targets and the method, as for `attribute`.
    options : mapping, optional
        The method's own options.
    seed : int
        Seed of the weights that are drawn.

    Returns
    -------
    dict of str to np.ndarray
        From each layer, in the order of drawing, to Spearman's correlation of |R| with the trained
        network's, ``(n,)``; NaN where a map is constant.

    References
    ----------
    Adebayo et al. 2018, "Sanity checks for saliency maps", section 3.1.
    """
    own = attribute(model, images, targets, method=method, **(options or {}))
    return {
        name: map_similarity(own, attribute(copy, images, targets, method=method, **(options or {})))
        for name, copy in randomise_layers(model, seed=seed)
    }


def other_targets(targets: np.ndarray, n_classes: int, *, seed: int = 0) -> np.ndarray:
    """Return for each picture a class other than its own, ``(n,)``; the i-th depends on the seed and i alone."""
    if n_classes < 2:
        raise AttributionError(f"Another class needs at least two of them, not {n_classes}.")
    moves = [
        np.random.Generator(np.random.Philox(key=[seed, row])).integers(1, n_classes) for row in range(len(targets))
    ]
    return (np.asarray(targets) + np.array(moves)) % n_classes


def random_logit_similarity(
    model: Any,
    images: np.ndarray,
    targets: np.ndarray,
    *,
    method: str,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Return how alike the maps of the target and of another class are, ``(n,)``; signs count.

    Parameters
    ----------
    model, images, targets, method, options, seed
        The same as for `randomisation_similarity`; the seed draws the other classes.

    References
    ----------
    Sixt et al. 2020, "When explanations lie: why many modified BP attributions fail".
    """
    network = model if isinstance(model, Network) else flatten(model)
    classes = np.broadcast_to(np.asarray(targets), (len(images),))
    others = other_targets(classes, network.n_classes, seed=seed)
    own = attribute(model, images, classes, method=method, **(options or {}))
    other = attribute(model, images, others, method=method, **(options or {}))
    return map_similarity(own, other, absolute=False)
