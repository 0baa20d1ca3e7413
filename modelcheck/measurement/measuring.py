"""From a Keras network's file to its signature."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
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
from modelcheck.measurement.costs import TWIN_CLASSES, count_costs, schedule_parts
from modelcheck.measurement.describing import choose_name, describe_platform
from modelcheck.measurement.exchange import (
    ExchangePartner,
    exchange_maps,
    find_partner_layers,
    prepare_partner,
)
from modelcheck.measurement.fitting import fit_network
from modelcheck.measurement.grouping import choose_group
from modelcheck.measurement.heads import describe_head
from modelcheck.measurement.reading import (
    Begin,
    Inputs,
    Progress,
    measure_layers,
    measure_rest,
    prepare_inputs,
    see_layers,
)
from modelcheck.measurement.twins import make_untrained_twin
from modelcheck.network import Network, NetworkError, as_functional, check_agreement, find_augmenting_layers, normalises
from modelcheck.network.choosing import choose_layers
from modelcheck.network.front import name_own_scaling
from modelcheck.network.loading import load_network
from modelcheck.panel import Panel, PanelError
from modelcheck.recipe import Recipe
from modelcheck.signature import Signature, check_storable
from modelcheck.signature.misreading import list_misreadings
from modelcheck.signature.parts import Block, Part, StagePart, join_parts, take_stage

__all__ = ["measure_block", "measure_network"]

_MIN_PICTURES = 4  # debiased alignment is undefined for fewer


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
    recipe = recipe or Recipe()
    part = measure_block(
        model_path,
        panel,
        recipe,
        block=Block(stages=tuple(range(1 + (recipe.untrained_twins if twins else 0)))),
        stimuli=stimuli,
        interface=interface,
        stop_where_misread=stop_where_misread,
        custom_objects=custom_objects,
        progress=progress,
    )
    if timed is not None and part.seconds_per_picture is not None:
        timed(part.seconds_per_picture)
    return join_parts([part])


def measure_block(
    model_path: str | os.PathLike[str],
    panel: Panel,
    recipe: Recipe,
    *,
    block: Block,
    stimuli: Signature | ExchangePartner | None = None,
    interface: Interface | None = None,
    stop_where_misread: bool = False,
    custom_objects: Sequence[str] = (),
    progress: Progress | None = None,
) -> Part:
    """Measure one block of a Keras network on a panel: some of its layers, of it and of some of its untrained twins.

    Whatever the blocks, `modelcheck.signature.parts.join_parts` makes the same signature of them.
    The block with the decision of the trained network also looks whether the network is misread.
    """
    interface = interface or Interface()
    tell = progress or (lambda what, share: None)
    tell("loading", 0.0)
    loaded, sha = load_network(model_path, custom_objects=custom_objects)
    if len(panel) < _MIN_PICTURES:
        raise PanelError(f"The panel has {len(panel)} pictures; comparing activations takes at least {_MIN_PICTURES}.")
    network = fit_network(loaded, panel, interface, recipe=recipe)
    layers = choose_layers(network, recipe.hidden_layers)
    check_storable([layer.name for layer in layers])
    check_agreement(network, choose_shown_pictures(panel, recipe))
    partner = prepare_partner(
        stimuli, network, panel=panel, recipe=recipe, interface=interface, custom_objects=custom_objects
    )
    inputs = prepare_inputs(network, panel, recipe=recipe)
    positions = choose_group(network, recipe, group=block.group, groups=block.groups)
    known = _find_known(stimuli, sha, panel=panel, recipe=recipe, interface=interface)
    first: dict[str, Any] = {}
    seconds: float | None = None
    if len(layers) - 1 in positions and 0 in block.stages:
        seconds = inputs.classifier.seconds_per_picture(inputs.images)
        if known is None:
            first = _measure_first(inputs, interface, stop_where_misread=stop_where_misread)
            first["model"] = _describe_file(loaded, model_path, sha=sha) | first["model"]
    # By what the trained network makes of pictures, and so before it has a twin's weights.
    counterparts = {} if partner is None else find_partner_layers(partner, see_layers(inputs))
    parts = []
    costs = count_costs(network, panel, recipe, partner=None if partner is None else network)
    if known is not None:
        costs = tuple(cost for cost in costs if cost.stage or cost.part == "exchanged maps")
    before = schedule_parts(
        network,
        costs,
        stages=block.stages,
        layers=[layers[position].name for position in positions],
        rest=len(layers) - 1 in positions,
    )
    for stage in sorted(block.stages):
        begin = _tell_stage(tell, before, stage=stage)
        if stage:
            begin("an untrained twin's weights")
            _set_untrained(inputs, stage=stage)
        if stage == 0 and known is not None:
            part = take_stage(known, positions)
        else:
            part = _measure_stage(inputs, stage, positions=positions, first=first, begin=begin)
        if partner is not None:
            begin("exchanged maps")
            own_layers = [record.name for at, record in part.layers.items() if at < len(layers) - 1]
            exchange = exchange_maps(
                {**part.arrays, **(part.rest or {})},
                network,
                partner=partner,
                counterparts=counterparts,
                hidden=own_layers,
            )
            part = replace(part, exchange=exchange)
        parts.append(part)
    tell("done", 1.0)
    return Part(sha256=sha, stages=tuple(parts), seconds_per_picture=seconds)


def _find_known(
    stimuli: Signature | ExchangePartner | None, sha: str, *, panel: Panel, recipe: Recipe, interface: Interface
) -> Signature | None:
    """Return what is known already of a file, measured by what is installed here; None where nothing is."""
    if not (isinstance(stimuli, ExchangePartner) and stimuli.known):
        return None
    found = stimuli.signature
    asked = (sha, panel.digest(), recipe, interface, describe_platform())
    of = (found.model["sha256"], found.panel_digest, found.recipe, found.interface, found.provenance)
    return found if of == asked else None


def _measure_first(inputs: Inputs, interface: Interface, *, stop_where_misread: bool) -> dict[str, Any]:
    """Return what is asked of the trained network alone, before anything is rendered; refuse one that is misread."""
    network, panel, recipe = inputs.network, inputs.panel, inputs.recipe
    facts: dict[str, Any] = _describe_unit(network)
    if (hidden := len(network.unit_layers()) - 1) > len(inputs.layers) - 1:
        facts["hidden_layers"] = hidden
    own = name_own_scaling(network)
    if own:
        facts["own_scaling"] = list(own)
    scores = answer_panel(inputs.classifier, inputs.images)
    fed = feed_otherwise(inputs.classifier, panel, interface.front, recipe=recipe, scores=scores)
    if stop_where_misread:
        _refuse_misread(fed, scores, panel=panel, recipe=recipe, interface=interface, own_scaling=own)
    return {"model": facts, "interface": interface, "fed_otherwise": fed, "scores": scores}


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


def _measure_stage(
    inputs: Inputs, stage: int, *, positions: Collection[int], first: Mapping[str, Any], begin: Begin
) -> StagePart:
    """Measure layers of the network with the weights that it has now, and with its decision all that is no layer's."""
    count = len(inputs.layers)
    decides = count - 1 in positions
    most = TWIN_CLASSES if stage else None
    if decides and not stage:
        check_shown_exchanges(inputs.classifier, inputs.images, inputs.stimuli)
    arrays = measure_layers(inputs, begin, positions=positions, most_classes=most)
    rest = None
    if decides:
        rest = _measure_rest(inputs, stage, first={} if stage else first, most_classes=most, begin=begin)
    return StagePart(stage=stage, layers=arrays.pop("layers"), arrays=arrays, rest=rest)


def _measure_rest(
    inputs: Inputs, stage: int, *, first: Mapping[str, Any], most_classes: int | None, begin: Begin
) -> dict[str, Any]:
    """Return what a signature holds that is no layer's; `first` is what is already known of the trained network."""
    panel, recipe = inputs.panel, inputs.recipe
    scores = first["scores"] if first else answer_panel(inputs.classifier, inputs.images)
    arrays = measure_rest(inputs, begin, scores=scores, most_classes=most_classes)
    relevance = arrays.pop("relevance")
    rest = arrays | {
        "model": {"name": f"untrained twin {stage}"},
        "pictures": {},
        "recipe": recipe,
        "panel_digest": inputs.panel_digest,
        "class_names": panel.class_names,
        "attributions": {method: maps.sum(axis=-1) for method, maps in relevance.items()},
    }
    if stage:
        return rest
    begin("flipping curves")
    flipping = compute_flipping_curves(
        inputs.classifier,
        inputs.images,
        labels=panel.labels,
        probes=arrays["probes"],
        relevance=relevance,
        seed=recipe.seed,
        slopes=SLOPES,
    )
    if recipe.sticker_faces:
        begin("stickers")
    stickers = measure_panel_shifts(inputs.classifier, panel, arrays["scores"], recipe=recipe)
    return {
        **rest,
        **first,
        "pictures": describe_pictures(panel),
        "provenance": describe_platform(),
        "flipping": flipping,
        "stickers": stickers,
        "fingerprint": fingerprint_kernels(inputs.network.model.get_weights()),
    }


def _set_untrained(inputs: Inputs, *, stage: int) -> None:
    """Give the network the weights of an untrained twin, which it keeps."""
    # The twins borrow the network, which nobody else holds: what was traced for it serves them too.
    holder = as_functional(inputs.network.model)
    holder.set_weights(make_untrained_twin(holder, seed=inputs.recipe.seed + stage).get_weights())


def _tell_stage(tell: Progress, before: Mapping[tuple[int, str], float], *, stage: int) -> Begin:
    """Return what is called when a part of one network begins: the trained one is stage 0, its twins follow."""
    prefix = f"untrained twin {stage}: " if stage else ""
    reached = [min((share for (number, _), share in before.items() if number == stage), default=0.0)]

    def begin(part: str) -> None:
        reached.append(max(reached[-1], before.get((stage, part), 0.0)))
        tell(prefix + part, reached[-1])

    return begin


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
