"""From a Keras network's file to its signature."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from modelcheck.answers.condensing import fingerprint_kernels
from modelcheck.answers.exchanges import check_shown_exchanges
from modelcheck.answers.feeding import feed_otherwise
from modelcheck.answers.flipping import compute_flipping_curves
from modelcheck.answers.panel import answer_panel, describe_pictures
from modelcheck.answers.probes import choose_shown_pictures
from modelcheck.answers.stickers import measure_panel_shifts
from modelcheck.attributions import SLOPES
from modelcheck.interface import Interface
from modelcheck.interface.sentences import say_misreading
from modelcheck.measurement.describing import choose_name, describe_platform
from modelcheck.measurement.exchange import (
    CheckedPartner,
    ExchangePartner,
    exchange_maps,
    find_partner_layers,
    prepare_partner,
)
from modelcheck.measurement.fitting import fit_network
from modelcheck.measurement.heads import describe_head
from modelcheck.measurement.reading import (
    Inputs,
    Progress,
    measure_arrays,
    prepare_inputs,
)
from modelcheck.measurement.twins import make_untrained_twin
from modelcheck.network import Network, NetworkError, as_functional, check_agreement, find_augmenting_layers, normalises
from modelcheck.network.front import name_own_scaling
from modelcheck.network.loading import load_network
from modelcheck.panel import Panel, PanelError
from modelcheck.recipe import Recipe
from modelcheck.signature import Signature, check_storable
from modelcheck.signature.misreading import list_misreadings

__all__ = ["measure_network"]

_MIN_PICTURES = 4  # debiased alignment is undefined for fewer
# Of untrained twins the maps of so many classes are rendered: their mean is a floor, and nobody looks at one.
_TWIN_CLASSES = 16


def measure_network(  # noqa: PLR0913 - those of `measure`, and the clock
    model_path: str | os.PathLike[str],
    panel: Panel,
    recipe: Recipe | None = None,
    *,
    stimuli: Signature | ExchangePartner | None = None,
    interface: Interface | None = None,
    twins: bool = True,
    stop_where_misread: bool = False,
    custom_objects: Sequence[str] = (),
    progress: Progress | None = None,
    timed: Callable[[float], None] | None = None,
) -> Signature:
    """Measure a Keras network on a panel; see `modelcheck.measurement.measure`.

    ``timed(seconds)`` is called once with the median of some answers to one picture: for information,
    for it is different each time, and no part of the signature.
    """
    recipe, interface = recipe or Recipe(), interface or Interface()
    tell = progress or (lambda what, share: None)
    tell("loading", 0.0)
    loaded, sha = load_network(model_path, custom_objects=custom_objects)
    if len(panel) < _MIN_PICTURES:
        raise PanelError(f"The panel has {len(panel)} pictures; comparing activations takes at least {_MIN_PICTURES}.")
    network = fit_network(loaded, panel, interface, recipe=recipe)
    model = network.model  # of several inputs or outputs the part that is judged
    check_storable([layer.name for layer in network.unit_layers()])
    check_agreement(network, choose_shown_pictures(panel, recipe))
    partner = prepare_partner(
        stimuli, network, panel=panel, recipe=recipe, interface=interface, custom_objects=custom_objects
    )
    inputs = prepare_inputs(network, panel, recipe=recipe)
    stages = 1 + (recipe.untrained_twins if twins else 0)
    facts = _describe_file(loaded, model_path, sha=sha) | _describe_unit(network)
    if own := name_own_scaling(network):
        facts["own_scaling"] = list(own)
    scores = answer_panel(inputs.classifier, inputs.images)
    if timed is not None:
        timed(inputs.classifier.seconds_per_picture(inputs.images))
    fed = feed_otherwise(inputs.classifier, panel, interface.front, recipe=recipe, scores=scores)
    if stop_where_misread:
        _refuse_misread(fed, scores, panel=panel, recipe=recipe, interface=interface, own_scaling=own)
    signature = _measure_trained(inputs, model, facts=facts, scores=scores, tell=_tell_stage(tell, 0, stages=stages))
    signature = replace(signature, fed_otherwise=fed)
    counterparts = find_partner_layers(partner, signature)
    signature = _add_exchange(signature, network, partner=partner, counterparts=counterparts)
    untrained = []
    for number in range(1, stages):
        twin = _measure_twin(inputs, model, number=number, tell=_tell_stage(tell, number, stages=stages))
        untrained.append(_add_exchange(twin, network, partner=partner, counterparts=counterparts))
    tell("done", 1.0)
    return replace(signature, interface=interface, twins=tuple(untrained))


def _refuse_misread(
    fed: Mapping[str, np.ndarray],
    scores: np.ndarray,
    *,
    panel: Panel,
    recipe: Recipe,
    interface: Interface,
    own_scaling: Sequence[str],
) -> None:
    """Refuse a network that surely answers better when it is fed otherwise, or its outputs are in another order."""
    found = list_misreadings(
        fed,
        scores,
        labels=panel.labels,
        subjects=panel.shared_subjects,
        class_names=panel.class_names,
        interface=interface,
        input_range=recipe.input_range,
        own_scaling=own_scaling,
    )
    if found:
        told = " ".join(say_misreading(reason, approving=True) for reason in reversed(found))
        raise NetworkError(f"Nothing was rendered. {told}")


def _measure_trained(
    inputs: Inputs, model: Any, *, facts: Mapping[str, Any], scores: np.ndarray, tell: Progress
) -> Signature:
    """Return the signature of the trained network, without twins and without an exchange of maps."""
    panel, recipe = inputs.panel, inputs.recipe
    check_shown_exchanges(inputs.classifier, inputs.images, inputs.stimuli)
    arrays = measure_arrays(inputs, tell, scores=scores)
    flipping = compute_flipping_curves(
        inputs.classifier,
        inputs.images,
        labels=panel.labels,
        probes=arrays["probes"],
        relevance=arrays["relevance"],
        seed=recipe.seed,
        slopes=SLOPES,
    )
    return Signature(
        model=facts,
        pictures=describe_pictures(panel),
        provenance=describe_platform(),
        flipping=flipping,
        stickers=measure_panel_shifts(inputs.classifier, panel, arrays["scores"], recipe=recipe),
        fingerprint=fingerprint_kernels(model.get_weights()),
        **_shared_parts(inputs, arrays),
    )


def _measure_twin(inputs: Inputs, model: Any, *, number: int, tell: Progress) -> Signature:
    """Return the signature of an untrained twin; the network keeps the twin's weights."""
    # The twins borrow the network, which nobody else holds: what was traced for it serves them too.
    holder = as_functional(model)
    holder.set_weights(make_untrained_twin(holder, seed=inputs.recipe.seed + number).get_weights())
    scores = answer_panel(inputs.classifier, inputs.images)
    parts = _shared_parts(inputs, measure_arrays(inputs, tell, scores=scores, most_classes=_TWIN_CLASSES))
    return Signature(model={"name": f"untrained twin {number}"}, pictures={}, **parts)


def _shared_parts(inputs: Inputs, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts that signatures of a network and of its twins have in common."""
    kept = {name: values for name, values in arrays.items() if name != "relevance"}
    return kept | {
        "recipe": inputs.recipe,
        "panel_digest": inputs.panel_digest,
        "class_names": inputs.panel.class_names,
        "attributions": {method: maps.sum(axis=-1) for method, maps in arrays["relevance"].items()},
    }


def _add_exchange(
    signature: Signature, network: Network, *, partner: CheckedPartner | None, counterparts: Mapping[str, str]
) -> Signature:
    if partner is None:
        return signature
    return replace(signature, exchange=exchange_maps(signature, network, partner=partner, counterparts=counterparts))


def _tell_stage(tell: Progress, number: int, *, stages: int) -> Progress:
    """Return the progress of one network: the trained one is number 0, its twins follow."""
    prefix = f"untrained twin {number}: " if number else ""
    return lambda what, share: tell(prefix + what, (number + share) / stages)


def _describe_file(model: Any, path: str | os.PathLike[str], *, sha: str) -> dict[str, Any]:
    augments = list(find_augmenting_layers(model))
    return {
        "name": choose_name(model, path),
        "file": Path(path).name,
        "sha256": sha,
        "parameters": int(model.count_params()),
        "normalises": normalises(model),
        "bytes": Path(path).stat().st_size,
        **({"augments": augments} if augments else {}),
    }


def _describe_unit(network: Network) -> dict[str, str]:
    """Return what a unit gives that answers alone: the units in which its threshold is said."""
    alone = network.n_outputs == 1 or network.readout.unit is not None
    return {"head": describe_head(network)} if alone else {}
