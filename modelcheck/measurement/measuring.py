"""From a network's file to its signature."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

from modelcheck.happymaps import Climbs, natural_pictures
from modelcheck.measurement.fitting import check_compatible
from modelcheck.measurement.meeting import Opposite, alike, exchange_maps, facing_network, meeting_of, responses_of
from modelcheck.measurement.reading import Progress, arrays_of, fingerprint_of, flipping_curves
from modelcheck.measurement.stickers import panel_shifts
from modelcheck.measurement.twins import make_untrained_twin
from modelcheck.network import flatten
from modelcheck.network.loading import load_network
from modelcheck.panel import Panel, PanelError
from modelcheck.recipe import Recipe
from modelcheck.signature import Signature

__all__ = ["measure"]

_FEWEST = 4  # pictures; debiased alignment is undefined for fewer


def measure(
    model_path: str | os.PathLike[str],
    panel: Panel,
    recipe: Recipe | None = None,
    *,
    stimuli: Signature | None = None,
    opposite: Opposite | None = None,
    outputs: Sequence[str] | None = None,
    twins: bool = True,
    custom_objects: Sequence[str] = (),
    progress: Progress | None = None,
) -> Signature:
    """Measure a network on a panel.

    Parameters
    ----------
    model_path : str or path-like
        A ``.keras`` file.
    panel : Panel
        Held-out pictures, whose size and classes fit the network.
    recipe : Recipe, optional
        How to measure.
    stimuli : Signature, optional
        Another network, usually the baseline, whose maps are shown to this one: those of the decision, and where it was
        measured alike those of each hidden layer to the layer that corresponds to it.
    opposite : Opposite, optional
        The file of the network behind `stimuli`, for the other way, and given counterparts of its layers.
    outputs : sequence of str, optional
        For a network with more outputs than the panel has classes: the panel's class that each output belongs
        to. Scores of one class are joined by logsumexp, as their probabilities add.
    twins : bool
        Whether to measure the recipe's untrained twins too; a baseline does without.
    custom_objects : sequence of str
        Classes outside Keras that are knowingly allowed; see `modelcheck.network.loading.load_network`.
    progress : callable, optional
        ``progress(what, share_done)``, called as work proceeds.

    Returns
    -------
    Signature

    Raises
    ------
    ModelError, NetworkError, PanelError
        When the file, the network or the panel cannot be measured together, or the opposite's file is another network
        than the one behind `stimuli`.
    """
    recipe = recipe or Recipe()
    tell = progress or (lambda what, share: None)
    tell("loading", 0.0)
    model, sha = load_network(model_path, custom_objects=custom_objects)
    if len(panel) < _FEWEST:
        raise PanelError(f"The panel has {len(panel)} pictures; comparing activations takes at least {_FEWEST}.")
    network = check_compatible(flatten(model), panel, outputs)
    images = panel.inputs(recipe.input_range)
    opposite = opposite or Opposite()
    facing = (
        None
        if opposite.model is None
        else facing_network(opposite.model, stimuli, panel, recipe, outputs, custom_objects)
    )
    among = natural_pictures(images, components=recipe.natural_components)
    stages = 1 + (recipe.untrained_twins if twins else 0)
    common: dict[str, Any] = {"recipe": recipe, "panel_digest": panel.digest(), "class_names": panel.class_names}
    facts = {
        "name": model.name,
        "file": Path(model_path).name,
        "sha256": sha,
        "parameters": int(model.count_params()),
        "bytes": Path(model_path).stat().st_size,
    }
    climbs: Climbs = {}

    def everything_of(number: int) -> dict[str, Any]:
        prefix = f"untrained twin {number}: " if number else ""
        found = arrays_of(
            network,
            panel,
            images,
            among,
            recipe,
            climbs,
            lambda what, share: tell(prefix + what, (number + share) / stages),
        )
        if not number:
            found["flipping"] = flipping_curves(network, images, panel.labels, found, recipe)
        found["attributions"] = {method: maps.sum(axis=-1) for method, maps in found.pop("relevance").items()}
        return found | responses_of(stimuli, network)

    own = everything_of(0)
    own["stickers"] = panel_shifts(network, panel, own["scores"], recipe=recipe)
    own["fingerprint"] = fingerprint_of(model)
    signature = Signature(
        model=facts,
        pictures={"labels": panel.labels, "subjects": panel.subjects, "groups": panel.groups, "names": panel.names},
        provenance=_provenance(),
        **own,
        **common,
    )
    meeting = None
    # Signatures that were measured in different ways are never compared, so nobody would read the answers.
    if stimuli is not None and alike(stimuli, panel, recipe):
        meeting = meeting_of(signature, stimuli, facing, opposite.layers)
    signature = exchange_maps(signature, network, meeting)
    untrained = []
    for number in range(1, stages):
        # The twins borrow the network, which nobody else holds: what was traced for it serves them too.
        model.set_weights(make_untrained_twin(model, seed=recipe.seed + number).get_weights())
        about = {"name": f"untrained twin {number}"}
        twin = Signature(model=about, pictures={}, **everything_of(number), **common)
        untrained.append(exchange_maps(twin, network, meeting))
    tell("done", 1.0)
    return replace(signature, twins=tuple(untrained))


def _provenance() -> dict[str, Any]:
    names = ("modelcheck", "tensorflow", "keras", "numpy", "scikit-image")
    return {
        "versions": {name: version(name) for name in names},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "float": keras.config.floatx(),
    }
