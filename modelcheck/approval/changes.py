"""What changes when one signature takes another's place, in plain lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from modelcheck.approval.table_changes import (
    describe_columns,
    describe_drivers,
    describe_rows,
    describe_scores,
    measure_rows,
)
from modelcheck.comparison import (
    METRICS,
    AnyComparison,
    Comparison,
    TableComparison,
    compare,
    find_classes_without_map,
    shown_in,
    tell_record,
)
from modelcheck.comparison.tables.drivers import measure_drivers
from modelcheck.interface import describe_own_scaling
from modelcheck.metrics.accuracy import balanced_accuracy
from modelcheck.panel import AnyPanel, TablePanel
from modelcheck.panel.remarks import remark_repeats, remark_subjects
from modelcheck.report.words import (
    describe_augmentation,
    describe_difference,
    describe_interface,
    number,
    title,
)
from modelcheck.signature import LayerRecord, Record, TableSignature
from modelcheck.support.escaping import clean
from modelcheck.support.provenance import differences

__all__ = [
    "changes",
    "comparable",
    "compare_if_possible",
    "describe_missing_maps",
    "describe_network",
    "describe_panel",
]

_MOST = 40  # accuracies that are listed


def describe_network(signature: Record) -> str:
    """Return a network in a few words: file, digest, size."""
    model = signature.model
    name = clean(model.get("file") or model["name"], longest=80)
    return f"{name} ({str(model.get('sha256', ''))[:12]}, {int(model.get('parameters', 0)):,} parameters)"


def describe_missing_maps(signature: Record) -> list[str]:
    """Say which classes have no map, by view: no candidate can be held against them. On a table every one has one."""
    if isinstance(signature, TableSignature):
        return []
    views = {"free": "from free pixels", "natural": "among natural pictures"}
    return [
        f"No ascent {views[view]} makes {clean(', '.join(names), longest=300)} happy: what the network looks for there "
        "is not known, and worst_recognition and likeness of every candidate are unmeasured."
        for view, names in find_classes_without_map(signature).items()
        if names
    ]


def describe_panel(panel: AnyPanel) -> list[str]:
    """Say what is taken for independent where nothing shares a subject, and what speaks against the panel."""
    if isinstance(panel, TablePanel):
        return describe_rows(panel)
    lines = [*remark_subjects(panel), *remark_repeats(panel)]
    if panel.subjects is None:
        lines.append(
            "The panel has no subjects: every picture counts by itself. Where several show one and the same thing, "
            "name it as their subject, or every interval is too narrow."
        )
    elif panel.shared_subjects is None:
        lines.append(
            f"Each of the {len(panel)} subjects has one picture: as subjects they say nothing, and every picture "
            "counts by itself."
        )
    return lines


def comparable(old: Record, new: Record) -> bool:
    """Say whether the two were measured alike, so that their numbers compare."""
    sides = [(tell_record(side), side.panel_digest, side.recipe, side.class_names) for side in (old, new)]
    return sides[0] == sides[1]


def compare_if_possible(old: Record | None, new: Record) -> AnyComparison | None:
    """Return the comparison of two signatures, None where their numbers do not compare."""
    return compare(old, new) if old is not None and comparable(old, new) else None


def changes(
    old: Record | None,
    new: Record,
    comparison: AnyComparison | None,
    *,
    roles: tuple[str, str] = ("old", "new"),
) -> list[str]:
    """Say what changes from one signature to another.

    Parameters
    ----------
    old : Record or None
        What is there; None where nothing is.
    new : Record
        What takes its place.
    comparison : AnyComparison or None
        Of the two, where `comparable`.
    roles : tuple of str
        What to call the two sides.

    Returns
    -------
    list of str
        Networks, layers, variables of a table, accuracy on each subject, or else each class, or the error,
        scores, versions. Names in them are cleaned.
    """
    if old is None:
        layers = ", ".join(clean(record.name, longest=80) for record in new.layers)
        return [
            f"Network: {describe_network(new)}.",
            *_interface_lines(None, new),
            f"Layers: {layers}.",
            *filter(None, [describe_own_scaling(new.model.get("own_scaling", ())), describe_augmentation(new.model)]),
            *(f"{what}: {number(value)}." for what, value in _shorten(_accuracies(new))),
            *_first_drivers(new),
        ]
    if old.digest() == new.digest():
        return ["Nothing: the two signatures are the same, digest for digest."]
    lines = [f"Network: {describe_network(old)} -> {describe_network(new)}."]
    lines += filter(None, [describe_augmentation(new.model)])
    lines += _interface_lines(old, new)
    lines += _layer_lines(old, new)
    lines += _settings_lines(old, new)
    lines += _material_lines(old, new)
    before, after = _accuracies(old), _accuracies(new)
    for what, value in _shorten(after):
        tail = f" -> {number(value)} ({value - before[what]:+.2f})" if what in before else ", new"
        lines.append(f"{what}: {number(before.get(what, value))}{tail}.")
    lines += [f"{what}: no longer measured." for what, _ in _shorten(before) if what not in after]
    lines += (
        _describe_scores(comparison)
        if comparison
        else ["Panel, recipe or classes differ: the other numbers do not compare."]
    )
    return [
        *lines,
        *(
            f"Measured with {describe_difference(row, roles=roles)}."
            for row in differences(old.provenance, new.provenance)
        ),
    ]


def _interface_lines(old: Record | None, new: Record) -> list[str]:
    said = [describe_interface(side.interface.to_dict()) or "as its file says" for side in (old or new, new)]
    if old is None:
        return [f"Inputs and outputs: {said[1]}."] if new.interface else []
    return [f"Inputs and outputs: {said[0]} -> {said[1]}."] if said[0] != said[1] else []


def _layer_lines(old: Record, new: Record) -> Iterator[str]:
    before, after = ({record.name: record for record in side.layers} for side in (old, new))
    for what, names in (
        ("added", [name for name in after if name not in before]),
        ("removed", [name for name in before if name not in after]),
    ):
        if names:
            yield f"Layers {what}: {', '.join(clean(name, longest=80) for name in names)}."
    for name in before:
        if name in after and before[name] != after[name]:
            yield f"Layer {clean(name, longest=80)} changed: {_in_words(before[name])} -> {_in_words(after[name])}."


def _in_words(record: LayerRecord) -> str:
    return f"{record.kind}, {record.n_units} units, {record.objective}{', receptive fields' if record.patch else ''}"


def _settings_lines(old: Record, new: Record) -> Iterator[str]:
    if old.panel_digest != new.panel_digest:
        yield f"Panel: {old.panel_digest[:12]} -> {new.panel_digest[:12]}."
    if old.class_names != new.class_names:
        yield "Classes: " + " -> ".join(clean(", ".join(side.class_names)) for side in (old, new)) + "."
    one, other = (dataclasses.asdict(side.recipe) for side in (old, new))
    for name in one:
        if name in other and one[name] != other[name]:
            yield f"Recipe: {name} {one[name]} -> {other[name]}."


def _material_lines(old: Record, new: Record) -> Iterator[str]:
    """Yield what became of the variables of a table, or that the one is of pictures and the other of a table."""
    if isinstance(old, TableSignature) and isinstance(new, TableSignature):
        yield from describe_columns(old, new)
    elif isinstance(old, TableSignature) or isinstance(new, TableSignature):
        yield "One is of pictures, and the other of a table: another task."


def _first_drivers(new: Record) -> list[str]:
    """Say which variables drive a network that replaces none; of pictures nothing."""
    return describe_drivers(measure_drivers(new, new)[1], changed=False) if isinstance(new, TableSignature) else []


def _accuracies(signature: Record) -> dict[str, float]:
    """Return the balanced accuracy on each subject, without subjects on each class, or the error, in words."""
    if isinstance(signature, TableSignature):
        return measure_rows(signature)
    labels, answers = np.asarray(signature.pictures["labels"]), signature.scores.argmax(axis=1)
    metric = "subject_accuracy" if signature.subjects else "class_accuracy"
    parts = {subject: signature.independent == subject for subject in signature.subjects}
    parts = parts or {name: labels == k for k, name in enumerate(signature.class_names) if k in labels}
    return {
        f"{title(metric)} of {clean(name, longest=80)}": balanced_accuracy(labels[here], answers[here]).value
        for name, here in parts.items()
    }


def _shorten(accuracies: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the first of many accuracies, in their order; the report has them all."""
    return list(accuracies.items())[:_MOST]


def _describe_scores(comparison: AnyComparison) -> Iterator[str]:
    return describe_scores(comparison) if isinstance(comparison, TableComparison) else _scores(comparison)


def _scores(comparison: Comparison) -> Iterator[str]:
    for layer in comparison.layers:
        name = layer.baseline.name
        if layer.candidate is None:
            continue
        value = comparison.find("map_ssim", name).value
        partner = "" if layer.candidate.name == name else f" and {clean(layer.candidate.name, longest=80)}"
        yield f"{title('map_ssim')} of {clean(name, longest=80)}{partner}: {number(value)}."
    decision = comparison.baseline.decision.name
    for metric in shown_in("summary"):
        value = comparison.find(metric, decision if METRICS[metric].about == "layer" else "").value
        yield f"{title(metric)}: {number(value)}."
