"""What a full run of the gate must judge, before anything is measured. Nothing here imports TensorFlow."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelcheck.comparison import (
    CLASSES,
    KERAS,
    METRICS,
    NUMBERS,
    PICTURES,
    WHOLE,
    Offer,
    find_offer,
    plan_metric,
    possible,
    tell_material,
)
from modelcheck.gate.renderable import refuse_on_table, refuse_shipped
from modelcheck.gate.settings import Settings, SettingsError
from modelcheck.judgement.criteria import (
    CriteriaError,
    Criterion,
    criterion_for,
    find_never_failing,
    inform_where_calibrated,
    read_criteria,
)
from modelcheck.judgement.waiver_file import check_waivers, read_waivers
from modelcheck.judgement.waivers import Waiver
from modelcheck.modelfile import tell_format
from modelcheck.panel.populations import SMALLEST_GROUP
from modelcheck.recipe import BLACK_BOX
from modelcheck.signature import read_manifest
from modelcheck.support.commands import as_argument, write_command
from modelcheck.support.escaping import clean
from modelcheck.support.files import hash_file

__all__ = ["Plan", "make_plan"]

_MATERIALS = {
    PICTURES: "pictures",
    CLASSES: "a table with a target of classes",
    NUMBERS: "a table with a target of numbers",
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a full run must judge: known before anything is measured.

    Parameters
    ----------
    criteria : tuple of Criterion
        The rows of limits, as they hold for this baseline.
    pairs : frozenset of tuple
        ``(metric, about)`` for every pair of a criterion and a thing it is about.
    layers, subjects, class_names, groups, methods, columns, effects, populations, divisions : tuple of str
        What the suites make one test each for; the last four of a table alone.
    nothing_to_ask : mapping of str to str
        By the name of a test's argument, why there is no such test although a suite has one.
    criteria_sha256 : str
        Of the file that the rows were read from.
    waivers : tuple of Waiver
        Red findings that somebody answers for, until a day.
    waivers_sha256 : str
        Of their file; empty where there is none.
    manifest : mapping
        The baseline's, as it was read for this plan; the signature is held against it.
    never_failing : tuple of Criterion
        Those of the rows that gate, and that no value can fail.
    """

    criteria: tuple[Criterion, ...]
    pairs: frozenset[tuple[str, str]]
    layers: tuple[str, ...]
    subjects: tuple[str, ...]
    class_names: tuple[str, ...]
    groups: tuple[str, ...]
    methods: tuple[str, ...]
    criteria_sha256: str
    columns: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    populations: tuple[str, ...] = ()
    divisions: tuple[str, ...] = ()
    nothing_to_ask: Mapping[str, str] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    waivers_sha256: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    never_failing: tuple[Criterion, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """``metric[about]`` for every pair of a criterion and a thing it is about."""
        return frozenset(f"{metric}[{about}]" if about else metric for metric, about in self.pairs)


def make_plan(settings: Settings, *, manifest: Mapping[str, Any] | None = None) -> Plan:
    """Read criteria, waivers and the baseline's manifest, and list what has to be judged.

    Parameters
    ----------
    settings : Settings
        What the run is about.
    manifest : mapping, optional
        The baseline's, where it is not that of its folder: of one that is about to be calibrated.

    Raises
    ------
    CriteriaError, WaiverError, SignatureError, SettingsError
        When one of them cannot be used.
    """
    offer = _find_offer(settings)
    manifest = manifest or read_manifest(settings.require("baseline"))
    refuse_on_table(settings, manifest)
    _check_baseline_model(settings, manifest)
    criteria, criteria_sha256 = read_criteria(settings.require("criteria"), metrics=METRICS)
    waivers, waivers_sha256 = read_waivers(settings.waivers, metrics=METRICS) if settings.waivers else ((), "")
    for row in criteria:
        _check_material(row, manifest)
        _check_possible(row, manifest)
        matches = [x for x in plan_metric(row.metric, manifest) if fnmatch.fnmatchcase(x, row.about)]
        # Of a panel without subjects nothing is asked of each; a row that names one asks all the same.
        unasked = METRICS[row.metric].about == "subject" and not manifest["subjects"] and row.about == "*"
        if not matches and not row.optional and not unasked:
            known = ", ".join(plan_metric(row.metric, manifest)) or "nothing"
            raise CriteriaError(
                f"The criterion on {row.metric!r} for about={row.about!r} matches nothing; there is: {known}. "
                "Correct it, remove the row, or write optional = true."
            )
    bounds = {metric: possible(metric, manifest) for metric in METRICS}
    check_waivers(waivers, things={metric: plan_metric(metric, manifest) for metric in METRICS}, bounds=bounds)
    matched = {
        (metric, about): criterion_for(criteria, metric, about)
        for metric in {row.metric for row in criteria}
        for about in plan_metric(metric, manifest, acknowledged=settings.acknowledged, offer=offer)
    }
    pairs = {pair: row for pair, row in matched.items() if row is not None}
    criteria = inform_where_calibrated(criteria, {row.metric for row in pairs.values() if not row.advisory})
    things, nothing = _list_things(manifest, frozenset(pairs), acknowledged=settings.acknowledged, offer=offer)
    return Plan(
        criteria=criteria,
        pairs=frozenset(pairs),
        layers=things["layer"],
        subjects=things["subject"],
        class_names=things["class_name"],
        groups=things["group"],
        methods=things["method"],
        columns=things["column"],
        effects=things["effect"],
        populations=things["population"],
        divisions=things["division"],
        criteria_sha256=criteria_sha256,
        nothing_to_ask=nothing,
        waivers=waivers,
        waivers_sha256=waivers_sha256,
        manifest=manifest,
        never_failing=find_never_failing(criteria, bounds),
    )


def _list_things(
    manifest: Mapping[str, Any], pairs: frozenset[tuple[str, str]], *, acknowledged: Sequence[str], offer: Offer
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return what suites make one test each for, by the name of a test's argument, and why there is none of some."""
    table = tell_material(manifest) != PICTURES
    layers = [layer["name"] for layer in manifest["layers"] if layer["name"] not in acknowledged]
    listed: dict[str, Sequence[str]] = {
        "layer": layers,
        "subject": manifest["subjects"],
        "class_name": plan_metric("class_accuracy", manifest),
        "group": () if table else manifest["groups"],
        "method": () if table else offer.choose_methods(manifest["recipe"]["attribution_methods"]),
        "column": [column["name"] for column in manifest.get("columns", ())],
        **{name: manifest.get(f"{name}s", ()) for name in ("effect", "population", "division")},
    }
    nothing = dict(_why_none_of_table(manifest) if table else _why_none_of_pictures(listed, offer))
    if offer != WHOLE:  # where all limits are on what takes a network's inside, there is nothing to ask
        limited = {(METRICS[metric].about, about) for metric, about in pairs}
        for name in ("layer", "group", "method"):
            listed[name] = [about for about in listed[name] if (name, about) in limited]
            if not listed[name]:
                nothing.setdefault(name, "no criterion is about what a file that ships can be asked for")
    asked = {METRICS[metric].domain for metric, _ in pairs}
    for name in ("group", "method"):
        if manifest.get("regions", True) is False and name not in asked:
            nothing[name] = "the panel has no regions, and no criterion asks where the network looks"
    if not manifest["subjects"]:
        nothing["subject"] = f"the panel has no subjects that several {'rows' if table else 'pictures'} share"
    kept = {name: () if name in nothing and name in ("group", "method") else listed[name] for name in listed}
    return {name: tuple(values) for name, values in kept.items()}, nothing


def _why_none_of_pictures(listed: Mapping[str, Sequence[str]], offer: Offer) -> Iterator[tuple[str, str]]:
    for name in ("column", "effect", "population", "division"):
        yield name, "the baseline is of pictures, which have no variables and no sub-populations"
    if offer != WHOLE and not listed["method"]:
        lacking = f"the candidate can be asked for {' and '.join(BLACK_BOX)} alone, and the baseline's recipe has none"
        yield from (("group", lacking), ("method", lacking))


def _why_none_of_table(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("group", "method"):
        yield name, "the baseline is of a table, whose rows have no regions"
    if not manifest["class_names"]:
        yield "class_name", f"the target {clean(manifest['target'], longest=80)!r} is of numbers, and has no classes"
    if not manifest["populations"]:
        yield "population", f"the panel names no sub-population of {SMALLEST_GROUP} rows or more"
    for name in ("effect", "division"):
        if not manifest[f"{name}s"]:
            yield name, f"nothing divides the panel into two sub-populations of {SMALLEST_GROUP} rows or more"


def _find_offer(settings: Settings) -> Offer:
    """Return what the candidate can be asked for, by the first bytes of its file."""
    path = settings.require("candidate")
    runtime = tell_format(path)
    if settings.source is not None:
        instead = ["pytest", "suites/", "--candidate", as_argument(path), "--source", "PARENT.keras"]
        refuse_shipped(settings.source, what="a source", instead=instead)
    if settings.source is not None and runtime == KERAS:
        raise SettingsError(
            f"source is the network that a .tflite or .onnx candidate was converted from, and {str(path)!r} is none. "
            "Leave source out of [tool.modelcheck] and of the command."
        )
    return find_offer(runtime, source=settings.source is not None)


def _check_baseline_model(settings: Settings, manifest: Mapping[str, Any]) -> None:
    """Refuse another network than the one that the baseline was approved from."""
    path = settings.baseline_model
    if path is None:
        return
    given = ["pytest", "suites/", "--modelcheck-baseline-model", "PARENT.keras"]
    refuse_shipped(path, what="a baseline", instead=given)
    try:
        sha = hash_file(path)
    except OSError as error:
        raise SettingsError(
            f"baseline_model {str(path)!r} cannot be read ({error.strerror}). Give the file that the baseline was "
            "approved from, or take baseline_model out of [tool.modelcheck]: it is optional."
        ) from error
    approved = str(manifest["model"].get("sha256"))
    if sha != approved:
        command = ["modelcheck", "approve", as_argument(path), "--to", settings.require("baseline")]
        raise SettingsError(
            f"baseline_model {str(path)!r} (sha256 {sha[:12]}) is not the network that the baseline "
            f"{str(settings.baseline)!r} was approved from (sha256 {approved[:12]}). Give that file, approve this one "
            f"({write_command(command)}), or take baseline_model out of [tool.modelcheck]."
        )


def _check_material(row: Criterion, manifest: Mapping[str, Any]) -> None:
    """Refuse a row that is about pictures for a table, or about a table for pictures, unless it may match nothing."""
    material = tell_material(manifest)
    if material in METRICS[row.metric].of or row.optional:
        return
    asked = " and ".join(_MATERIALS[other] for other in METRICS[row.metric].of)
    raise CriteriaError(
        f"The criterion on {row.metric!r} is asked of {asked}, and the baseline is of {_MATERIALS[material]}. Remove "
        "the row, or write optional = true; rows that fit are written by: modelcheck init"
    )


def _check_possible(row: Criterion, manifest: Mapping[str, Any]) -> None:
    low, high = possible(row.metric, manifest)
    if (row.at_least is not None and row.at_least > high) or (row.at_most is not None and row.at_most < low):
        raise CriteriaError(
            f"The criterion on {row.metric!r} can never hold: {row.limits} is asked, and the metric lies between "
            f"{low:g} and {high:g}."
        )
