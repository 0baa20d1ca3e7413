"""From a Keras network's file and the panel of a table to its signature."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from modelcheck.answers.condensing import fingerprint_kernels
from modelcheck.answers.tables import (
    Profiles,
    choose_rows,
    describe_rows,
    find_profiles,
    measure_answers,
    read_decision,
)
from modelcheck.interface import Interface
from modelcheck.measurement.describing import choose_name, describe_platform
from modelcheck.measurement.heads import describe_head
from modelcheck.measurement.table_fitting import check_partner, fit_table_network
from modelcheck.measurement.table_relevance import attribute_rows
from modelcheck.measurement.twins import make_untrained_twin
from modelcheck.metrics.tables.encoding import encode_rows, find_typical_row, list_trials
from modelcheck.network import Network, as_functional, normalises
from modelcheck.network.loading import load_network
from modelcheck.network.table_agreement import check_table_agreement
from modelcheck.network.tables import TableNetwork
from modelcheck.panel import PanelError, TablePanel
from modelcheck.signature import LayerRecord, ProfileExchange, TableSignature, check_storable
from modelcheck.table_recipe import TableRecipe
from modelcheck.units import LayerKind

__all__ = ["measure_table"]

_MIN_ROWS = 4  # debiased alignment is undefined for fewer
_SHOWN = 512  # rows on which a network must answer as Keras does

Progress = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Inputs:
    """What every measurement of one network starts from: the panel's rows, encoded, and what follows from them."""

    network: TableNetwork
    panel: TablePanel
    panel_digest: str
    encoded: np.ndarray
    typical: np.ndarray
    trials: Sequence[np.ndarray]
    probes: np.ndarray
    recipe: TableRecipe
    stimuli: TableSignature | None


def measure_table(
    model_path: str | os.PathLike[str],
    panel: TablePanel,
    recipe: TableRecipe | None = None,
    *,
    stimuli: TableSignature | None = None,
    interface: Interface | None = None,
    twins: bool = True,
    custom_objects: Sequence[str] = (),
    progress: Progress | None = None,
    timed: Callable[[float], None] | None = None,
) -> TableSignature:
    """Measure a Keras network on the rows of a table.

    Parameters
    ----------
    model_path : str or path-like
        The ``.keras`` file.
    panel : TablePanel
        Held-out rows, whose features and target fit the network.
    recipe : TableRecipe, optional
        How to measure.
    stimuli : TableSignature, optional
        Another network, usually the baseline, whose profiles are shown to this one.
    interface : Interface, optional
        How the network's outputs are to be understood.
    twins : bool
        Whether to measure the recipe's untrained twins too; a baseline does without.
    custom_objects : sequence of str
        Classes outside Keras that are knowingly allowed; see
        `modelcheck.network.loading.load_network`.
    progress : callable, optional
        ``progress(what, share_done)``, called as work proceeds.
    timed : callable, optional
        ``timed(seconds)``, called once with the median of some answers to one row: for information.

    Returns
    -------
    TableSignature
        Its `model` names under ``not_asked`` the attribution methods that could not be had, and why.

    Raises
    ------
    ModelError, NetworkError, PanelError
        When the file, the network, the panel or the other network's profiles cannot be measured
        together, or the network does not answer as its layers do.
    SignatureError
        When a layer has a name under which nothing can be kept.
    """
    recipe, interface = recipe or TableRecipe(), interface or Interface()
    tell = progress or (lambda what, share: None)
    tell("loading", 0.0)
    loaded, sha = load_network(model_path, custom_objects=custom_objects)
    if len(panel) < _MIN_ROWS:
        raise PanelError(f"The panel has {len(panel)} rows; comparing activations takes at least {_MIN_ROWS}.")
    if stimuli is not None:
        check_partner(stimuli, panel)
    encoded = encode_rows(panel.values, panel.columns)
    network = fit_table_network(loaded, panel, encoded, interface, recipe=recipe)
    check_storable([layer.name for layer in network.network.unit_layers()])
    check_table_agreement(network, encoded[choose_rows(panel, _SHOWN, seed=recipe.seed)])
    inputs = _Inputs(
        network=network,
        panel=panel,
        panel_digest=panel.digest(),
        encoded=encoded,
        typical=find_typical_row(encoded, panel.columns),
        trials=list_trials(encoded, panel.columns, most=recipe.profile_values),
        probes=choose_rows(panel, recipe.probe_rows, seed=recipe.seed),
        recipe=recipe,
        stimuli=stimuli,
    )
    network.ask(encoded)  # whoever misses values anywhere in the panel hears of it first
    if timed is not None:
        timed(network.seconds_per_row(encoded))
    stages = 1 + (recipe.untrained_twins if twins else 0)
    parts = _measure_parts(inputs, _tell_stage(tell, 0, stages=stages))
    relevance, left_out = attribute_rows(
        network, panel, encoded, probes=inputs.probes, typical=inputs.typical, recipe=recipe
    )
    signature = TableSignature(
        model=_describe_network(loaded, network, model_path, sha=sha) | ({"not_asked": left_out} if left_out else {}),
        rows=describe_rows(panel),
        provenance=describe_platform(),
        fingerprint=fingerprint_kernels(_read_kernels(network.network)),
        interface=interface,
        relevance=relevance,
        **parts,
    )
    # Of an untrained twin nobody looks at hidden units.
    bare = replace(inputs, network=replace(network, shown={name: units[:0] for name, units in network.shown.items()}))
    untrained = []
    for number in range(1, stages):
        # The twins borrow the network, which nobody else holds: what was traced for it serves them too.
        holder = as_functional(loaded)
        holder.set_weights(make_untrained_twin(holder, seed=recipe.seed + number).get_weights())
        parts = _measure_parts(bare, _tell_stage(tell, number, stages=stages))
        untrained.append(TableSignature(model={"name": f"untrained twin {number}"}, rows={}, **parts))
    tell("done", 1.0)
    return replace(signature, twins=tuple(untrained))


def _measure_parts(inputs: _Inputs, tell: Progress) -> dict[str, Any]:
    """Return all that signatures of a network and of its untrained twins hold about the weights that it has now."""
    network, panel, recipe, encoded = inputs.network, inputs.panel, inputs.recipe, inputs.encoded
    scores = network.ask(encoded)
    tell("exchanged values, effects and shuffled columns", 0.0)
    answers = measure_answers(network.ask, panel, encoded, scores=scores, recipe=recipe)
    tell("profiles", 0.2)
    profiles = _find_profiles(inputs)
    tell("activations", 0.8)
    shown, decision = encoded[inputs.probes], network.network.unit_layers()[-1].name
    decided = scores[inputs.probes] if network.classes else read_decision(scores[inputs.probes], classes=False)
    features = {**network.read_features(shown), decision: decided}
    units = {**network.shown, decision: _choose_outputs(inputs)}
    return {
        "recipe": recipe,
        "panel_digest": inputs.panel_digest,
        "target": panel.target,
        "class_names": panel.class_names,
        "columns": panel.columns,
        "layers": _list_layers(network, features),
        "units": units,
        "typical": inputs.typical,
        "profiles": {name: found.rows for name, found in profiles.items()},
        "happiness": {name: found.happiness.astype(np.float32) for name, found in profiles.items()},
        "at_rest": {name: found.at_rest.astype(np.float32) for name, found in profiles.items()},
        "gains": {name: found.gains.astype(np.float32) for name, found in profiles.items()},
        "features": features,
        "scores": scores,
        "probes": inputs.probes,
        "exchange": _show_profiles(inputs),
        **answers,
    }


def _find_profiles(inputs: _Inputs) -> dict[str, Profiles]:
    """Return by layer the profiles of its units; all are sought at once, for one answer gives every unit."""
    network = inputs.network
    outputs = _choose_outputs(inputs)

    def ask(rows: np.ndarray) -> np.ndarray:
        scores, units = network.read_units(rows)
        return np.concatenate([units, read_decision(scores, classes=network.classes)[:, outputs]], axis=1)

    found = find_profiles(
        ask, inputs.encoded, typical=inputs.typical, trials=inputs.trials, starts=inputs.recipe.profile_starts
    )
    counts = {**{name: len(units) for name, units in network.shown.items()}, _name_decision(network): len(outputs)}
    ends = np.cumsum(list(counts.values()))
    parts = {name: slice(end - counts[name], end) for name, end in zip(counts, ends.tolist(), strict=True)}
    return {name: found.take(part) for name, part in parts.items()}


def _choose_outputs(inputs: _Inputs) -> np.ndarray:
    """Return which units of the decision get a profile: as many as of a hidden layer, evenly spaced."""
    count = inputs.network.n_outputs if inputs.network.classes else 2
    return np.unique(np.linspace(0, count - 1, min(count, inputs.recipe.units_per_layer)).astype(int))


def _name_decision(network: TableNetwork) -> str:
    return network.network.unit_layers()[-1].name


def _list_layers(network: TableNetwork, features: Mapping[str, np.ndarray]) -> tuple[LayerRecord, ...]:
    objective = "lead" if network.classes else "answer"
    return tuple(
        LayerRecord(
            name=layer.name,
            kind=layer.kind,
            n_units=features[layer.name].shape[1],
            objective=objective if layer.kind == LayerKind.DECISION else "pre-activation",
            patch=False,
        )
        for layer in network.network.unit_layers()
    )


def _show_profiles(inputs: _Inputs) -> ProfileExchange | None:
    """Return what the network makes of another one's profiles of the decision."""
    if inputs.stimuli is None:
        return None
    theirs, decision = inputs.stimuli, inputs.stimuli.decision.name
    shown = np.concatenate([theirs.profiles[decision], theirs.typical[None]])
    units = theirs.units[decision]
    found = read_decision(inputs.network.ask(shown), classes=inputs.network.classes)[:, units].astype(np.float32)
    return ProfileExchange(
        profiles_sha256=theirs.profiles_sha256(), happiness=np.diagonal(found[:-1]).copy(), at_rest=found[-1]
    )


def _describe_network(model: Any, network: TableNetwork, path: str | os.PathLike[str], *, sha: str) -> dict[str, Any]:
    alone = network.classes and (network.network.n_outputs == 1 or network.network.readout.unit is not None)
    return {
        "name": choose_name(model, path),
        "file": Path(path).name,
        "sha256": sha,
        "parameters": int(model.count_params()),
        "normalises": normalises(model),
        "bytes": Path(path).stat().st_size,
        "inputs": network.inputs.value,
        **({"head": describe_head(network.network)} if alone else {}),
    }


def _read_kernels(network: Network) -> list[np.ndarray]:
    """Return the weights that are learned; what a layer knows of the table, such as means, is no kernel."""
    return [np.asarray(weight) for weight in network.model.get_weights() if weight.dtype.kind == "f"]


def _tell_stage(tell: Progress, number: int, *, stages: int) -> Progress:
    """Return the progress of one network: the trained one is number 0, its twins follow."""
    prefix = f"untrained twin {number}: " if number else ""
    return lambda what, share: tell(prefix + what, (number + share) / stages)
