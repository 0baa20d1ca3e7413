"""What a run must judge, and the evidence that it judges. Nothing here imports TensorFlow."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from modelcheck.comparison import (
    KERAS,
    METRICS,
    WHOLE,
    CompareError,
    Comparison,
    Offer,
    compare,
    find_offer,
    plan_metric,
    possible,
)
from modelcheck.gate.cache import load_or_measure
from modelcheck.gate.child import ChildError
from modelcheck.gate.renderable import refuse_shipped
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings, SettingsError
from modelcheck.interface.sentences import say_misreading
from modelcheck.judgement.criteria import (
    CriteriaError,
    Criterion,
    criterion_for,
    find_never_failing,
    inform_where_calibrated,
    read_criteria,
)
from modelcheck.judgement.document import TimingsRow
from modelcheck.judgement.waiver_file import check_waivers, read_waivers
from modelcheck.judgement.waivers import Waiver
from modelcheck.modelfile import tell_format
from modelcheck.panel import Panel, PanelError
from modelcheck.recipe import BLACK_BOX
from modelcheck.signature import Approval, Signature, find_approval, read_manifest, read_signature
from modelcheck.signature.counterparts import check_given
from modelcheck.signature.misreading import find_better_preprocessing
from modelcheck.support.commands import as_argument, write_command
from modelcheck.support.escaping import clean, one_line_repr
from modelcheck.support.files import hash_file

__all__ = ["Evidence", "Parts", "Plan", "check_answers", "check_panel", "gather", "make_plan", "read_parts"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a full run must judge: known before anything is measured.

    Parameters
    ----------
    criteria : tuple of Criterion
        The rows of limits, as they hold for this baseline.
    pairs : frozenset of tuple
        ``(metric, about)`` for every pair of a criterion and a thing it is about.
    layers, subjects, class_names, groups, methods : tuple of str
        What the suites make one test each for.
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
    nothing_to_ask: Mapping[str, str] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    waivers_sha256: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    never_failing: tuple[Criterion, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """``metric[about]`` for every pair of a criterion and a thing it is about."""
        return frozenset(f"{metric}[{about}]" if about else metric for metric, about in self.pairs)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Evidence:
    """What the tests of a run read.

    Parameters
    ----------
    panel : Panel
        The held-out pictures.
    comparison : Comparison
        What baseline and candidate say about each other.
    measured : {"now", "cached"}
        Whether this process measured the candidate, or found its signature in the cache.
    baseline_folder : Path
        Where the baseline lies.
    approval : Approval
        What its history says of it.
    note : str
        Why the cache was not believed, where it was not; else empty.
    seconds_per_picture : TimingsRow or None
        How long an answer took, for information; None where that of the candidate was not kept.
    """

    panel: Panel
    comparison: Comparison
    measured: Literal["now", "cached"]
    baseline_folder: Path
    approval: Approval
    note: str = ""
    seconds_per_picture: TimingsRow | None = None

    def __repr__(self) -> str:
        return one_line_repr("Evidence", f"{len(self.panel)} pictures", self.comparison)

    @property
    def baseline(self) -> Signature:
        """The approved network's signature."""
        return self.comparison.baseline

    @property
    def candidate(self) -> Signature:
        """The signature of the network that is proposed for release."""
        return self.comparison.candidate


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
    _check_baseline_model(settings, manifest)
    criteria, criteria_sha256 = read_criteria(settings.require("criteria"), metrics=METRICS)
    waivers, waivers_sha256 = read_waivers(settings.waivers, metrics=METRICS) if settings.waivers else ((), "")
    for row in criteria:
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
    layers = [layer["name"] for layer in manifest["layers"] if layer["name"] not in settings.acknowledged]
    asked = {METRICS[metric].domain for metric, _ in pairs}
    parts = {"layer": layers, "subject": manifest["subjects"], "group": manifest["groups"]}
    parts["method"] = offer.choose_methods(manifest["recipe"]["attribution_methods"])
    nothing = {} if parts["subject"] else {"subject": "the panel has no subjects that several pictures share"}
    if offer != WHOLE and not parts["method"]:
        lacking = f"the candidate can be asked for {' and '.join(BLACK_BOX)} alone, and the baseline's recipe has none"
        nothing |= {"group": lacking, "method": lacking}
    if offer != WHOLE:  # where all limits are on what takes a network's inside, there is nothing to ask
        limited = {(METRICS[metric].about, about) for metric, about in pairs}
        for name in ("layer", "group", "method"):
            parts[name] = [about for about in parts[name] if (name, about) in limited]
            if not parts[name]:
                nothing.setdefault(name, "no criterion is about what a file that ships can be asked for")
    for name in ("group", "method"):
        if manifest.get("regions", True) is False and name not in asked:
            nothing[name] = "the panel has no regions, and no criterion asks where the network looks"
    return Plan(
        criteria=criteria,
        pairs=frozenset(pairs),
        layers=tuple(parts["layer"]),
        subjects=tuple(parts["subject"]),
        class_names=tuple(plan_metric("class_accuracy", manifest)),
        groups=() if "group" in nothing else tuple(parts["group"]),
        methods=() if "method" in nothing else tuple(parts["method"]),
        criteria_sha256=criteria_sha256,
        nothing_to_ask=nothing,
        waivers=waivers,
        waivers_sha256=waivers_sha256,
        manifest=manifest,
        never_failing=find_never_failing(criteria, bounds),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """What a measurement of the candidate needs, read and found to fit together.

    Parameters
    ----------
    baseline : Signature
        The approved network's.
    panel : Panel
        The held-out pictures.
    request : Request
        What to measure.
    source : Request or None
        The network that the candidate was converted from, to be measured as well.
    """

    baseline: Signature
    panel: Panel
    request: Request
    source: Request | None = None


def read_parts(settings: Settings, *, manifest: Mapping[str, Any] | None = None) -> Parts:
    """Read baseline and panel, and see that they fit and that the candidate is there; nothing is measured.

    Parameters
    ----------
    settings : Settings
        What the run is about.
    manifest : mapping, optional
        The baseline's, where a plan was made by it before: the signature must be that one's.

    Raises
    ------
    ChildError, SignatureError, PanelError
        When a part is missing, damaged or does not fit the others.
    """
    baseline = read_signature(settings.require("baseline"), manifest=manifest)
    panel_path = settings.require("panel")
    panel = Panel.load(panel_path, max_gib=settings.panel_size)
    if panel.digest() != baseline.panel_digest:
        where = settings.require("baseline")
        raise PanelError(
            f"The panel {str(panel_path)!r} is not the one the baseline was measured on (digest {panel.digest()[:12]}, "
            f"the baseline's is {baseline.panel_digest[:12]}). Use the baseline's panel, or approve the release on "
            f"this one: modelcheck approve RELEASE.keras {write_command(['--panel', panel_path, '--to', where])} "
            "--reason '...'"
        )
    check_panel(panel, panel_path)
    panel.inputs(baseline.recipe.input_range)
    check_given(baseline, settings.layers)
    network = settings.require("candidate")
    for role, path in (("candidate", network), ("source", settings.source)):
        if path is not None and not path.exists():
            raise ChildError(f"There is no {role} {str(path)!r}. Give a file: pytest suites/ --{role} PATH")
    request = Request(
        network=network,
        panel=panel_path,
        like=settings.require("baseline"),
        baseline_model=settings.baseline_model,
        layers=settings.paired,
        interface=settings.interface or baseline.interface,
        custom_objects=settings.custom_objects,
        panel_size=settings.panel_size,
    )
    source = None if settings.source is None else replace(request, network=settings.source)
    return Parts(baseline=baseline, panel=panel, request=request, source=source)


def gather(
    settings: Settings, *, manifest: Mapping[str, Any] | None = None, tell: Callable[[str], None] | None = None
) -> Evidence:
    """Return the evidence of a run, measuring the candidate where the cache does not have it.

    Parameters
    ----------
    settings : Settings
        What the run is about.
    manifest : mapping, optional
        The baseline's, where a plan was made by it before: the signature must be that one's.
    tell : callable, optional
        Receives a line about the measurement as it proceeds.

    Raises
    ------
    ChildError, SignatureError, PanelError, CompareError
        When a part is missing, damaged or does not fit the others.
    """
    parts = read_parts(settings, manifest=manifest)
    baseline, panel = parts.baseline, parts.panel
    digests = {"baseline": baseline.digest(), "panel": panel.digest(), "recipe": baseline.recipe.digest()}
    if settings.baseline_model is not None:
        digests["baseline_model"] = str(baseline.model["sha256"])
    loaded = load_or_measure(parts.request, digests=digests, settings=settings, tell=tell)
    check_answers(loaded.signature)
    source = None
    if parts.source is not None:
        source = load_or_measure(parts.source, digests=digests, settings=settings, tell=tell)
    comparison = compare(
        baseline, loaded.signature, layers=settings.layers, source=None if source is None else source.signature
    )
    return Evidence(
        panel=panel,
        comparison=comparison,
        measured=loaded.measured,
        note=loaded.note,
        baseline_folder=settings.require("baseline"),
        approval=find_approval(settings.require("baseline"), signature=digests["baseline"]),
        seconds_per_picture=None
        if loaded.seconds_per_picture is None
        else {
            "candidate": loaded.seconds_per_picture,
            "source": None if source is None else source.seconds_per_picture,
        },
    )


def check_panel(panel: Panel, path: Path) -> None:
    """Refuse a panel on which no network can be judged; an approval asks the same before it measures.

    Raises
    ------
    PanelError
        When all of its pictures are of one subject, so that none is independent of another.
    """
    if panel.subjects is not None and len(set(panel.subjects.tolist())) < 2:
        raise PanelError(
            f"The panel {str(path)!r} holds one subject only, {clean(panel.subjects[0], longest=80)!r}: how others "
            "would fare cannot be said. Add pictures of at least one more, or, where its pictures are independent of "
            "each other, leave the subjects out of the panel."
        )


def check_answers(candidate: Signature) -> None:
    """Refuse scores that no criterion may need to look at: NaN wins every argmax, a constant is right by chance.

    Raises
    ------
    CompareError
        When a score is NaN or infinite, or every picture is answered alike.
    """
    scores = candidate.scores
    name = candidate.model["file"]
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores).all(axis=1)).sum())
        raise CompareError(
            f"{name!r} answers NaN or infinity on {bad} of {len(scores)} pictures: nothing can be judged."
        )
    better = find_better_preprocessing(candidate)
    if float(np.ptp(scores, axis=0).max()) <= 1e-6 * max(1.0, float(np.abs(scores).max())):
        raise CompareError(
            f"{name!r} gives every picture the same scores: it has learned nothing, or its input does not reach it."
            + (f" {say_misreading(better)}" if better else "")
        )


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


def _check_possible(row: Criterion, manifest: Mapping[str, Any]) -> None:
    low, high = possible(row.metric, manifest)
    if (row.at_least is not None and row.at_least > high) or (row.at_most is not None and row.at_most < low):
        raise CriteriaError(
            f"The criterion on {row.metric!r} can never hold: {row.limits} is asked, and the metric lies between "
            f"{low:g} and {high:g}."
        )
