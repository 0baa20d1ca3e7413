"""Two networks shown each other's maps: decision to decision, and hidden layers to their counterparts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from modelcheck.happymaps import unit_answers
from modelcheck.measurement.fitting import check_compatible
from modelcheck.measurement.reading import class_scores
from modelcheck.network import Network, NetworkError, flatten
from modelcheck.network.loading import ModelError, load_network
from modelcheck.panel import Panel, PanelError
from modelcheck.recipe import Recipe
from modelcheck.signature import Signature
from modelcheck.signature.counterparts import counterparts

__all__ = ["Meeting", "Opposite", "alike", "exchange_maps", "facing_network", "meeting_of", "responses_of"]

_NEAR = 0.05  # of the largest score: how far kernels of another machine, or half precision, move one


@dataclass(frozen=True, kw_only=True)
class Opposite:
    """What is known of the network behind the stimuli beside its signature.

    Parameters
    ----------
    model : str, path-like or None
        Its ``.keras`` file: the measured network's maps are then shown to it as well.
    layers : mapping of str to str
        By its hidden layers, counterparts that are given instead of found by their activations.
    """

    model: str | os.PathLike[str] | None = None
    layers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Meeting:
    """The network behind the stimuli, as far as it is here, and who of it meets whom."""

    baseline: Signature
    network: Network | None
    partners: Mapping[str, str]


def facing_network(
    path: str | os.PathLike[str],
    stimuli: Signature | None,
    panel: Panel,
    recipe: Recipe,
    outputs: Sequence[str] | None,
    custom_objects: Sequence[str],
) -> Network:
    """Load the network behind the stimuli, after making sure that it is that one."""
    if stimuli is None:
        raise ModelError(f"{os.fspath(path)!r} is the network behind no signature: give its signature too (--like).")
    if not alike(stimuli, panel, recipe):
        raise PanelError(
            f"The signature behind {os.fspath(path)!r} has another panel, recipe or classes: the two cannot be "
            "compared. Use the panel and the recipe of its signature."
        )
    model, sha = load_network(path, custom_objects=custom_objects)
    if sha != stimuli.model["sha256"]:
        raise ModelError(
            f"{os.fspath(path)!r} (sha256 {sha[:12]}) is not the network behind the signature "
            f"({str(stimuli.model['sha256'])[:12]}). Give the file that was approved."
        )
    network = flatten(model)
    # A baseline does not keep what its outputs mean; where it has as many as the candidate, they mean the same.
    same = outputs is not None and len(outputs) == max(network.n_outputs, 2)
    network = check_compatible(network, panel, outputs if same else None)
    rows = stimuli.probes
    scores = class_scores(network, panel.inputs(recipe.input_range)[rows])
    if not np.abs(scores - stimuli.scores[rows]).max() <= _NEAR * max(float(np.abs(stimuli.scores).max()), 1.0):
        raise ModelError(
            f"{os.fspath(path)!r} does not answer the panel as its signature says. Leave baseline_model out, or "
            "approve the network again."
        )
    return network


def alike(stimuli: Signature, panel: Panel, recipe: Recipe) -> bool:
    """Say whether another network was measured as this one is, so that the two can be compared."""
    told = (stimuli.panel_digest, stimuli.recipe, stimuli.class_names)
    return told == (panel.digest(), recipe, tuple(panel.class_names))


def meeting_of(signature: Signature, stimuli: Signature, facing: Network | None, given: Mapping[str, str]) -> Meeting:
    """Return who meets whom."""
    rows = counterparts(stimuli, signature, given)[:-1]
    partners = {record.name: partner.name for record, partner, _ in rows if partner is not None}
    return Meeting(baseline=stimuli, network=facing, partners=partners)


def exchange_maps(signature: Signature, network: Network, meeting: Meeting | None) -> Signature:
    """Show each hidden layer the maps of its counterpart, and the other network's layers and decision ours."""
    if meeting is None:
        return signature
    baseline, grey = meeting.baseline, sum(signature.recipe.input_range) / 2
    own = {layer.name: layer for layer in network.unit_layers()}
    theirs = {layer.name: layer for layer in meeting.network.unit_layers()} if meeting.network else {}
    answers, back = {}, {}
    for name, partner in meeting.partners.items():
        found = unit_answers(network, own[partner], baseline.maps_as_stored(name), grey=grey)
        answers[name] = found[:, signature.units[partner]]
        if meeting.network is not None:
            found = unit_answers(meeting.network, theirs[name], signature.maps_as_stored(partner), grey=grey)
            back[name] = found[:, baseline.units[name]]
    return replace(
        signature,
        partners=dict(meeting.partners),
        answers=answers,
        answers_back=back,
        responses_back=score_views(meeting.network, signature.stimuli()) if meeting.network else {},
    )


def responses_of(stimuli: Signature | None, network: Network) -> dict[str, Any]:
    """Show another network's decision maps to this one; a map that is not there gets no response."""
    if stimuli is None:
        return {}
    views = stimuli.stimuli()
    for maps in views.values():
        if maps.shape[1:] != network.input_shape:
            raise NetworkError(
                f"The baseline's pictures are {maps.shape[1:]}, the network takes {network.input_shape}: they cannot "
                "be compared. Approve a baseline of this size."
            )
    return {"responses": score_views(network, views), "stimuli_digest": stimuli.stimuli_sha256()}


def score_views(network: Network, views: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return by view the class scores on maps, ``(maps, classes)``; NaN for a map that is not there."""
    responses = {}
    for view, maps in views.items():
        there = np.isfinite(maps).all(axis=(1, 2, 3))
        responses[view] = np.full((len(maps), network.n_classes), np.nan, np.float32)
        if there.any():
            responses[view][there] = class_scores(network, maps[there])
    return responses
