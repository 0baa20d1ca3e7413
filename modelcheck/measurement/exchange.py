"""Two networks show each other their HappyMaps, decision to decision and layer to counterpart."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelcheck.answers.maps import score_views
from modelcheck.happymaps import unit_answers
from modelcheck.interface import Interface
from modelcheck.measurement.fitting import fit_network
from modelcheck.network import KerasClassifier, Network, NetworkError, check_agreement
from modelcheck.network.loading import ModelError, load_network
from modelcheck.panel import Panel, PanelError
from modelcheck.recipe import Recipe
from modelcheck.signature import MapExchange, Signature
from modelcheck.signature.counterparts import SeenLayers, find_counterparts
from modelcheck.signature.storage import narrow, widen

__all__ = ["CheckedPartner", "ExchangePartner", "exchange_maps", "find_partner_layers", "prepare_partner"]

# Of the largest score: how far kernels of another machine, or half precision, move one.
_TOLERANCE = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class ExchangePartner:
    """The network with which a measured network exchanges maps, usually the baseline.

    Parameters
    ----------
    signature : Signature
        Its signature, whose maps are shown to the measured network.
    model : str, path-like or None
        Its ``.keras`` file: the measured network's maps are then shown to it as well.
    layers : mapping of str to str
        Counterparts of its hidden layers that are given instead of found by their activations.
    known : bool
        Whether it is the measured network itself: what stands in its signature is taken as it is,
        and only untrained twins and exchanged maps are measured. Counts only if file, panel, recipe,
        interface and platform are those of the signature.

    Examples
    --------
    The way back takes the partner's file::

        partner = ExchangePartner(signature=baseline, model="release.keras")
        measure("candidate.keras", panel, baseline.recipe, stimuli=partner)
    """

    signature: Signature
    model: str | os.PathLike[str] | None = None
    layers: Mapping[str, str] = field(default_factory=dict)
    known: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class CheckedPartner:
    """An exchange partner that was checked, with its network loaded where its file was given.

    Parameters
    ----------
    signature : Signature
        Its signature.
    stimuli : mapping of str to np.ndarray
        By view, the maps of its decision; see `modelcheck.signature.Signature.stimuli`.
    stimuli_sha256 : str
        Their digest.
    network : Network or None
        Its network, None where its file was not given.
    layers : mapping of str to str
        Counterparts of its hidden layers that are given.
    comparable : bool
        Whether it was measured with the same panel, recipe and classes. Hidden layers exchange maps
        only then, for other signatures are never compared and nobody would read the answers.
    """

    signature: Signature
    stimuli: Mapping[str, np.ndarray]
    stimuli_sha256: str
    network: Network | None
    layers: Mapping[str, str]
    comparable: bool


def prepare_partner(
    stimuli: Signature | ExchangePartner | None,
    network: Network,
    *,
    panel: Panel,
    recipe: Recipe,
    interface: Interface,
    custom_objects: Sequence[str],
) -> CheckedPartner | None:
    """Check an exchange partner and load its network, before anything is measured.

    Raises
    ------
    ModelError, NetworkError, PanelError
        When its maps do not fit the network, or its file is not the network behind its signature.
    """
    if stimuli is None:
        return None
    given = ExchangePartner(signature=stimuli) if isinstance(stimuli, Signature) else stimuli
    signature, views = given.signature, given.signature.stimuli()
    for maps in views.values():
        if maps.shape[1:] != network.input_shape:
            raise NetworkError(
                f"The baseline's pictures are {maps.shape[1:]}, the network takes {network.input_shape}: they cannot "
                "be compared. Approve a baseline of this size."
            )
    measured_with = (signature.panel_digest, signature.recipe, signature.class_names)
    comparable = measured_with == (panel.digest(), recipe, tuple(panel.class_names))
    if given.model is not None and not comparable:
        raise PanelError(
            f"The signature behind {os.fspath(given.model)!r} has another panel, recipe or classes: the two cannot be "
            "compared. Use the panel and the recipe of its signature."
        )
    return CheckedPartner(
        signature=signature,
        stimuli=views,
        stimuli_sha256=signature.stimuli_sha256(),
        network=None
        if given.model is None
        else _load_network(given.model, signature, panel=panel, interface=interface, custom_objects=custom_objects),
        layers=given.layers,
        comparable=comparable,
    )


def _load_network(
    path: str | os.PathLike[str],
    signature: Signature,
    *,
    panel: Panel,
    interface: Interface,
    custom_objects: Sequence[str],
) -> Network:
    """Load the network behind a signature, after making sure that it is that one."""
    model, sha = load_network(path, custom_objects=custom_objects)
    if sha != signature.model["sha256"]:
        raise ModelError(
            f"{os.fspath(path)!r} (sha256 {sha[:12]}) is not the network behind the signature "
            f"({str(signature.model['sha256'])[:12]}). Give the file that was approved."
        )
    interface = _find_interface(signature, model, candidate=interface)
    network = fit_network(model, panel, interface, recipe=signature.recipe)
    rows = signature.probes
    pictures = panel.inputs(signature.recipe.input_range)[rows]
    check_agreement(network, pictures)
    scores = KerasClassifier(network).class_scores(pictures)
    largest = max(float(np.abs(signature.scores).max()), 1.0)
    if not np.abs(scores - signature.scores[rows]).max() <= _TOLERANCE * largest:
        raise ModelError(
            f"{os.fspath(path)!r} does not answer the panel as its signature says. Leave baseline_model out, or "
            "approve the network again."
        )
    return network


def _find_interface(signature: Signature, model: Any, *, candidate: Interface) -> Interface:
    """Return how the network behind a signature is to be understood: as it was approved.

    Older records do not keep it; where the network has as many outputs as the candidate, they mean
    the same.
    """
    same = len(candidate.outputs) == model.outputs[0].shape[-1]
    return Interface(outputs=candidate.outputs) if same and not signature.interface else signature.interface


def find_partner_layers(partner: CheckedPartner, seen: SeenLayers) -> dict[str, str]:
    """Return by hidden layer of the partner the network's counterpart; none if never compared."""
    if not partner.comparable:
        return {}
    pairs = find_counterparts(partner.signature, seen, partner.layers)[:-1]
    return {pair.baseline.name: pair.candidate.name for pair in pairs if pair.candidate is not None}


def exchange_maps(
    arrays: Mapping[str, Any],
    network: Network,
    *,
    partner: CheckedPartner,
    counterparts: Mapping[str, str],
    hidden: Collection[str],
) -> MapExchange:
    """Show a network the partner's maps, and a partner whose network is at hand its own.

    Parameters
    ----------
    arrays : mapping
        What was measured of the network's layers: ``units`` and ``maps`` by layer, and where the
        decision is among them its maps among ``natural`` pictures.
    network : Network
        The flattened network.
    partner : CheckedPartner
        The other network.
    counterparts : mapping of str to str
        Which layers exchange maps; see `find_partner_layers`.
    hidden : collection of str
        The network's hidden layers that are measured here.
    """
    grey = sum(partner.signature.recipe.input_range) / 2
    own = {layer.name: layer for layer in network.unit_layers()}
    here = {name: counterpart for name, counterpart in counterparts.items() if counterpart in hidden}
    answers, back = {}, {}
    for name, counterpart in here.items():
        found = unit_answers(network, own[counterpart], partner.signature.maps_as_stored(name), grey=grey)
        answers[name] = found[:, arrays["units"][counterpart]]
    if partner.network is not None:
        theirs = {layer.name: layer for layer in partner.network.unit_layers()}
        for name, counterpart in here.items():
            shown = _as_stored(arrays["maps"][counterpart])
            back[name] = unit_answers(partner.network, theirs[name], shown, grey=grey)[:, partner.signature.units[name]]
    shown_back = {}
    if "natural" in arrays:
        decision = arrays["maps"][network.unit_layers()[-1].name]
        shown_back = {"free": _as_stored(decision), "natural": _as_stored(arrays["natural"])}
    return MapExchange(
        stimuli_sha256=partner.stimuli_sha256,
        class_scores=score_views(KerasClassifier(network), partner.stimuli) if shown_back else {},
        counterparts=dict(counterparts),
        unit_answers=answers,
        class_scores_back=score_views(KerasClassifier(partner.network), shown_back)
        if shown_back and partner.network is not None
        else {},
        unit_answers_back=back,
    )


def _as_stored(maps: np.ndarray) -> np.ndarray:
    """Return maps in the precision in which they are kept; see `Signature.maps_as_stored`."""
    return widen(narrow(maps, np.float16))
