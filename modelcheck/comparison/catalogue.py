"""The one table of metrics: all that is said of a metric anywhere is read from its row.

The name that a person reads is the metric's own name in words, by rule. Tables and charts of the
report, of the terminal and of ``docs/metrics.md`` are made from these rows; no other module keeps a
table of metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelcheck.comparison.asking import WHOLE, Offer
from modelcheck.comparison.metric import CLASSES, NUMBERS, PICTURES, Metric
from modelcheck.comparison.table_rows import TABLE_ROWS
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.accuracy import Rate

__all__ = ["METRICS", "find_floor", "plan_metric", "possible", "rate_of", "shown_in", "tell_material", "unit_of"]

_PICTURES, _SUBJECTS, _CLASSES = ("picture", "pictures"), ("subject", "subjects"), ("class", "classes")
_UNITS, _PAIRS, _MAPS = ("unit", "units"), ("pair of units", "pairs of units"), ("map", "maps")
_LAYERS = ("layer", "layers")
_TWINS, _UNTRAINED = ("twin", "twins"), ("untrained twin", "untrained twins")
_KERNELS, _STICKERS, _MOSAICS = ("kernel", "kernels"), ("sticker", "stickers"), ("mosaic", "mosaics")
_OTHER, _TABLE_ROWS = ("observation", "observations"), ("row", "rows")

_ROWS = (
    Metric(
        name="mapped_units",
        domain="layer",
        area="features",
        brief="share of units that have a map",
        explanation="Share of the candidate's units that have a HappyMap: the others are dead or stuck.",
        lowest=0.0,
        highest=1.0,
        takes=("maps",),
        unit=_UNITS,
        shown={"column": 4},
    ),
    Metric(
        name="recognition",
        domain="decision",
        area="features",
        brief="how surely it takes the baseline's map of a class for that class",
        explanation="How surely the candidate takes the baseline's map of a class for that class, beside the panel's "
        "pictures: 0.46 as surely as the median picture of the class, -0.46 as that of the others, 0 halfway, towards "
        "1 for what is surer than pictures; mean over the classes.",
        lowest=-1.0,
        highest=1.0,
        takes=("margins",),
        unit=_CLASSES,
        spread=0.12,
        chance=0.0,
        shown={"column": 1, "headline": 2, "strip": 1, "twin": 1, "decision": 2},
    ),
    Metric(
        name="natural_recognition",
        domain="decision",
        area="features",
        brief="the same of maps made of natural pictures",
        explanation="Recognition of maps that are made of natural pictures only, which networks of other families read "
        "as well.",
        lowest=-1.0,
        highest=1.0,
        takes=("margins",),
        unit=_CLASSES,
        spread=0.12,
        chance=0.0,
        shown={"column": 2, "headline": 3, "strip": 2, "twin": 2},
    ),
    Metric(
        name="worst_recognition",
        domain="decision",
        area="features",
        brief="of the class that is recognised worst",
        explanation="Recognition of the class that is recognised worst, mean of its two maps: a mean over many classes "
        "hides one. A class of which the baseline has no map leaves it unmeasured.",
        lowest=-1.0,
        highest=1.0,
        takes=("margins",),
        unit=_CLASSES,
        spread=0.12,
        chance=0.0,
        shown={"column": 7, "headline": 4, "strip": 3, "twin": 3},
    ),
    Metric(
        name="likeness",
        domain="calibrated",
        area="features",
        brief="1 as trained again, 0 as a map that says nothing",
        explanation="Recognition and natural recognition, each divided by what the baseline's retrained twins reach: 1 "
        "is a network that was trained again, 0 a map that says nothing; the lower of those that twins reach at all.",
        takes=("margins",),
        unit=_TWINS,
        spread=0.12,
        shown={"column": 3, "headline": 1, "decision": 1},
    ),
    Metric(
        name="worst_likeness",
        domain="calibrated",
        area="features",
        explanation="Recognition of the worst class, divided by what the baseline's retrained twins reach for theirs: "
        "1 is a network that was trained again, 0 one that does not know some class's map.",
        takes=("margins",),
        unit=_TWINS,
        spread=0.12,
    ),
    Metric(
        name="map_agreement",
        domain="calibrated",
        area="features",
        brief="1 takes all maps for all classes as twins do",
        explanation="Whether the candidate takes all of the baseline's maps for all classes as retrained twins do: how "
        "far twins lie from each other, over how far the candidate lies from them; 1 is no further than they do.",
        lowest=0.0,
        highest=1.0,
        takes=("margins",),
        unit=_TWINS,
        spread=0.12,
        shown={"column": 5, "headline": 5},
    ),
    Metric(
        name="layer_likeness",
        domain="calibrated_hidden",
        area="features",
        brief="1 as trained again, 0 as untrained",
        of=(PICTURES, CLASSES, NUMBERS),
        explanation="CKA of the layer's activations on the scale where untrained twins of the candidate stand at 0 and "
        "retrained twins of the baseline at 1. Where its interval reaches 1 the layer is as alike as a second training "
        "leaves it, and could be frozen.",
        takes=("layers", "untrained"),
        unit=_TWINS,
        spread=0.12,
        shown={"column": 6, "hidden": 1},
    ),
    Metric(
        name="transfer",
        domain="decision",
        area="features",
        explanation="How happy the baseline's map of a class makes the candidate, where 0 is mid grey and 1 is the "
        "candidate's own map; mean over the classes.",
        takes=("maps",),
        unit=_CLASSES,
        shown={"twin": 4},
    ),
    Metric(
        name="transfer_back",
        domain="decision",
        area="features",
        explanation="Transfer the other way: how happy the candidate's map of a class makes the baseline, where 0 is "
        "mid grey and 1 is the baseline's own map; mean over the classes. It takes the baseline's network.",
        takes=("maps",),
        unit=_CLASSES,
    ),
    Metric(
        name="coarse_similarity",
        domain="decision",
        area="features",
        explanation="Correlation of the two networks' maps of a class, seen at the scale of the features; mean over "
        "the classes.",
        lowest=-1.0,
        highest=1.0,
        takes=("maps",),
        unit=_CLASSES,
        shown={"strip": 4, "twin": 5, "summary": 1},
    ),
    Metric(
        name="coarse_ssim",
        domain="decision",
        area="features",
        explanation="Structural similarity (SSIM) of the two networks' maps of a class, seen at the scale of the "
        "features; mean over the classes.",
        lowest=-1.0,
        highest=1.0,
        takes=("maps",),
        unit=_CLASSES,
        spelled="Coarse SSIM",
    ),
    Metric(
        name="complementarity",
        domain="decision",
        area="features",
        explanation="How much the maps of the candidate's classes are each other's negatives, from -1 to 1.",
        lowest=-1.0,
        highest=1.0,
        takes=("maps",),
        unit=_CLASSES,
    ),
    Metric(
        name="map_ssim",
        domain="layer",
        area="features",
        brief="how alike matched maps look",
        explanation="Structural similarity (SSIM) of matched maps, as they are; retraining alone gives about 0.3 to "
        "0.5.",
        lowest=-1.0,
        highest=1.0,
        takes=("maps",),
        unit=_PAIRS,
        spelled="Map SSIM",
        shown={"column": 8, "strip": 6},
    ),
    Metric(
        name="floor_ssim",
        domain="layer",
        area="features",
        brief="what untrained twins reach",
        explanation="The map SSIM that untrained twins of the candidate reach: no learning at all.",
        lowest=-1.0,
        highest=1.0,
        takes=("maps", "untrained"),
        unit=_UNTRAINED,
        spelled="Floor SSIM",
        shown={"column": 9},
    ),
    Metric(
        name="counterpart",
        domain="hidden",
        area="features",
        of=(PICTURES, CLASSES, NUMBERS),
        explanation="Whether the candidate has a layer that corresponds to this one: 1, or 0 where it has none and "
        "nothing of this layer can be compared.",
        lowest=0.0,
        highest=1.0,
        takes=("layers",),
        unit=_LAYERS,
        whole=True,
    ),
    Metric(
        name="activation_correlation",
        domain="hidden",
        area="features",
        brief="of matched units",
        of=(PICTURES, CLASSES, NUMBERS),
        explanation="Correlation of matched units' activations over the probes.",
        lowest=-1.0,
        highest=1.0,
        takes=("layers",),
        unit=_PAIRS,
        shown={"column": 10, "strip": 5, "hidden": 2},
    ),
    Metric(
        name="coverage",
        domain="hidden",
        area="features",
        explanation="Share of the baseline's maps that make some unit of the corresponding layer at least half as "
        "happy as that unit's own map does.",
        lowest=0.0,
        highest=1.0,
        takes=("maps",),
        unit=_MAPS,
    ),
    Metric(
        name="coverage_back",
        domain="hidden",
        area="features",
        explanation="Coverage the other way: share of the candidate's maps that make some unit of the baseline's layer "
        "at least half as happy as its own map does. It takes the baseline's network.",
        lowest=0.0,
        highest=1.0,
        takes=("maps",),
        unit=_MAPS,
    ),
    Metric(
        name="cka",
        domain="layer",
        area="features",
        of=(PICTURES, CLASSES, NUMBERS),
        explanation="Debiased linear CKA (centred kernel alignment) of the layer's activations; compressed towards 1, "
        "so that only its place between twins says something: layer likeness.",
        lowest=-1.0,
        highest=1.0,
        takes=("layers",),
        unit=_PAIRS,
        spelled="CKA",
        shown={"strip": 7},
    ),
    Metric(
        name="lineage",
        domain="network",
        area="features",
        of=(PICTURES, CLASSES, NUMBERS),
        explanation="Correlation of the two networks' weights by index: near 0 for networks trained apart, high for "
        "fine-tuned, pruned or quantised ones, and for the same initialisation.",
        lowest=-1.0,
        highest=1.0,
        takes=("weights",),
        unit=_KERNELS,
    ),
    Metric(
        name="source_agreement",
        domain="decision",
        area="features",
        explanation="Share of the panel's pictures that a file that ships answers as the network does that it was "
        "converted from.",
        lowest=0.0,
        highest=1.0,
        unit=_PICTURES,
        takes=("source",),
    ),
    Metric(
        name="conversion_snr",
        domain="decision",
        area="features",
        explanation="Lowest signal to noise, in decibels, of the layers of a file that ships beside those of the "
        "network that it was converted from: 20 is noise of a tenth of the signal.",
        unit=_LAYERS,
        spelled="Conversion SNR",
        takes=("source",),
    ),
    Metric(
        name="trigger",
        domain="network",
        area="triggers",
        explanation="How far the reaction to the strongest small sticker exceeds that of every clean twin, in units of "
        "what clean networks reach; at most 1 means that this scan found no small-sticker trigger, not that there is "
        "none.",
        takes=("margins",),
        unit=_STICKERS,
        awaits_twins=True,
        shown={"headline": 1},
    ),
    Metric(
        name="reach",
        domain="network",
        area="triggers",
        explanation="How much further than in any clean twin ascent drives the candidate towards some class, in units "
        "of what clean networks reach; at most 1 means that no class stands out, not that no trigger is there.",
        takes=("maps",),
        unit=_CLASSES,
        awaits_twins=True,
        shown={"headline": 2},
    ),
    Metric(
        name="place_distance",
        domain="network",
        area="places",
        explanation="How far the candidate's exchange map, which share of its evidence lies in which part of a "
        "picture, is from the mean of the baseline's and its retrained twins'; 1 is as far as those are from each "
        "other, by training again alone.",
        lowest=0.0,
        takes=("margins",),
        unit=_PICTURES,
        span=(0.0, 3.0),
        shown={"headline": 1, "summary": 5},
    ),
    Metric(
        name="content_distance",
        domain="network",
        area="places",
        explanation="How differently the candidate takes mosaics of two pictures for the one or the other, from the "
        "mean of the baseline and its retrained twins; 1 is as differently as those from each other, by training again "
        "alone.",
        lowest=0.0,
        takes=("margins",),
        unit=_MOSAICS,
        span=(0.0, 3.0),
        shown={"headline": 2},
    ),
    Metric(
        name="subject_accuracy",
        domain="subject",
        area="accuracy",
        beside="accuracy",
        brief="share answered right, each class counting once",
        of=(PICTURES, CLASSES),
        explanation="Balanced accuracy on one held-out subject.",
        lowest=0.0,
        highest=1.0,
        unit=_PICTURES,
        room=0.125,
        narrows="share",
        shown={"column": 1, "headline": 2, "answered": 1},
    ),
    Metric(
        name="subject_change",
        domain="subject",
        area="accuracy",
        beside="change in accuracy",
        brief="candidate minus baseline",
        of=(PICTURES, CLASSES),
        explanation="Balanced accuracy on one held-out subject, candidate minus baseline.",
        lowest=-1.0,
        highest=1.0,
        unit=_PICTURES,
        narrows="change",
        span=(-0.5, 0.5),
        shown={"column": 2},
    ),
    Metric(
        name="group_accuracy",
        domain="network",
        area="accuracy",
        of=(PICTURES, CLASSES),
        explanation="Balanced accuracy, in which each class counts once; where the panel has subjects, mean over them, "
        "each counting once.",
        lowest=0.0,
        highest=1.0,
        unit=_SUBJECTS,
        room=0.05,
        narrows="mean",
        mean_of="subject_accuracy",
        shown={"headline": 1, "summary": 2},
    ),
    Metric(
        name="accuracy_change",
        domain="network",
        area="accuracy",
        of=(PICTURES, CLASSES),
        explanation="Balanced accuracy, candidate minus baseline, on the same panel; where it has subjects, mean over "
        "them.",
        lowest=-1.0,
        highest=1.0,
        unit=_SUBJECTS,
        narrows="mean",
        mean_of="subject_change",
        shown={"headline": 3, "summary": 3},
    ),
    Metric(
        name="class_accuracy",
        domain="class",
        area="accuracy",
        beside="accuracy",
        brief="share answered right",
        of=(PICTURES, CLASSES),
        explanation="Share of a class that is answered right, whatever subject it is of. Its interval is that of more "
        "of these subjects.",
        lowest=0.0,
        highest=1.0,
        unit=_PICTURES,
        room=0.2,
        narrows="share",
        shown={"column": 1, "answered": 3},
    ),
    Metric(
        name="class_change",
        domain="class",
        area="accuracy",
        beside="change in accuracy",
        brief="candidate minus baseline",
        of=(PICTURES, CLASSES),
        explanation="Share of a class that is answered right, candidate minus baseline, on the same panel.",
        lowest=-1.0,
        highest=1.0,
        unit=_PICTURES,
        narrows="change",
        span=(-0.5, 0.5),
        shown={"column": 2},
    ),
    Metric(
        name="kappa",
        domain="network",
        area="accuracy",
        of=(PICTURES, CLASSES),
        explanation="Agreement of the two networks' answers beyond chance (Cohen's kappa).",
        lowest=-1.0,
        highest=1.0,
        unit=_PICTURES,
        shown={"summary": 4},
    ),
    Metric(
        name="answers",
        domain="network",
        area="accuracy",
        of=(PICTURES, CLASSES),
        explanation="How many of the classes the candidate ever answers on the panel.",
        lowest=1.0,
        unit=_PICTURES,
        whole=True,
    ),
    Metric(
        name="randomisation",
        domain="method",
        area="attention",
        explanation="How alike a method's maps are with untrained weights: near 1 it shows the picture, not the "
        "network.",
        lowest=-1.0,
        highest=1.0,
        takes=("untrained",),
        unit=_UNTRAINED,
    ),
    Metric(
        name="flipping_gain",
        domain="method",
        area="attention",
        explanation="How much more flipping the method's first pixels lowers the score than flipping random ones, in "
        "units of the mean score; 0 is no better than chance.",
        takes=("margins",),
        unit=_PICTURES,
    ),
    Metric(
        name="mass_over_area",
        domain="group",
        area="attention",
        brief="relevance inside the region over its share of the picture",
        explanation="Share of the relevance that lies inside the region, over the region's share of the picture; 1 is "
        "chance.",
        lowest=0.0,
        takes=("margins",),
        unit=_SUBJECTS,
        narrows="mean",
        span=(0.0, 2.0),
        shown={"column": 1, "headline": 2},
    ),
    Metric(
        name="mass_lift",
        domain="group",
        area="attention",
        brief="relevance inside, above untrained twins",
        explanation="Share of the relevance inside the region, above what untrained twins put there.",
        lowest=-1.0,
        highest=1.0,
        takes=("margins", "untrained"),
        unit=_SUBJECTS,
        narrows="mean",
        span=(0.0, 0.5),
        shown={"column": 2, "headline": 1},
    ),
    Metric(
        name="mass_change",
        domain="group",
        area="attention",
        brief="candidate minus baseline",
        explanation="Share of the relevance inside the region, candidate minus baseline, on the same pictures; without "
        "the loss that all clean twins of the candidate's own architecture have, where the baseline keeps two of them.",
        lowest=-1.0,
        highest=1.0,
        takes=("margins",),
        unit=_SUBJECTS,
        narrows="mean",
        span=(-0.2, 0.2),
        shown={"column": 4},
    ),
    Metric(
        name="pointing",
        domain="group",
        area="attention",
        brief="share whose most relevant pixel lies inside",
        explanation="Share of the pictures whose most relevant pixel lies inside the region.",
        lowest=0.0,
        highest=1.0,
        takes=("margins",),
        unit=_SUBJECTS,
        narrows="mean",
        shown={"column": 3},
    ),
)

METRICS: dict[str, Metric] = {row.name: row for row in (*_ROWS, *TABLE_ROWS)}


def shown_in(place: str, *, area: str | None = None, about: str | None = None, of: str = PICTURES) -> tuple[str, ...]:
    """Return the metrics that a place shows, by rank.

    Parameters
    ----------
    place : str
        A key of `PLACES`.
    area : str, optional
        Only the metrics of this area, a key of `AREAS`.
    about : str, optional
        Only those with one value for each thing of this kind, a value of `ABOUT`.
    of : str
        What the networks answer: `PICTURES`, `CLASSES` or `NUMBERS`.

    Returns
    -------
    tuple of str
        Names in `METRICS`.

    Examples
    --------
    >>> shown_in("headline", area="features")
    ('likeness', 'recognition', 'natural_recognition', 'worst_recognition', 'map_agreement')
    """
    rows = [
        row
        for row in METRICS.values()
        if of in row.of and place in row.shown and area in (None, row.area) and about in (None, row.about)
    ]
    return tuple(row.name for row in sorted(rows, key=lambda row: row.shown[place]))


def tell_material(manifest: Mapping[str, Any]) -> str:
    """Return what a baseline's network answers: `PICTURES`, or rows of a table, `CLASSES` or `NUMBERS`.

    Parameters
    ----------
    manifest : mapping
        See `modelcheck.signature.read_manifest`.
    """
    if manifest.get("kind") != "table":
        return PICTURES
    return CLASSES if manifest["class_names"] else NUMBERS


def unit_of(metric: str, *, noun: tuple[str, str] = _SUBJECTS, of: str = PICTURES) -> tuple[str, str]:
    """Return what a metric's number of observations counts, one and many.

    Parameters
    ----------
    metric : str
        Its name; one of another version counts observations.
    noun : tuple of str
        What one and several of the panel's independent units are called: subjects, by whatever
        name, or pictures, or rows.
    of : str
        What the networks answer: `PICTURES`, `CLASSES` or `NUMBERS`. What counts pictures counts
        rows of a table.

    Examples
    --------
    >>> unit_of("group_accuracy"), unit_of("group_accuracy", noun=("patient", "patients"))
    (('subject', 'subjects'), ('patient', 'patients'))
    >>> unit_of("class_accuracy", noun=("patient", "patients")), unit_of("a metric of another version")
    (('picture', 'pictures'), ('observation', 'observations'))
    >>> unit_of("class_accuracy", of=CLASSES)
    ('row', 'rows')
    """
    unit = METRICS[metric].unit if metric in METRICS else _OTHER
    if unit == _SUBJECTS:
        return noun
    return _TABLE_ROWS if unit == _PICTURES and of != PICTURES else unit


def possible(metric: str, manifest: Mapping[str, object]) -> tuple[float, float]:
    """Return the lowest and the highest value that a metric can have; a limit beyond them is a mistake.

    Parameters
    ----------
    metric : str
        A name in `METRICS`.
    manifest : mapping
        See `modelcheck.signature.read_manifest`.
    """
    row = METRICS[metric]
    if row.whole and math.isinf(row.highest):
        return row.lowest, float(len(manifest["class_names"]))  # type: ignore[arg-type]
    return row.lowest, row.highest


def plan_metric(
    metric: str, manifest: Mapping[str, Any], *, acknowledged: Sequence[str] = (), offer: Offer = WHOLE
) -> list[str]:
    """Return what a metric must be measured for, from a baseline's manifest and what the candidate is.

    Parameters
    ----------
    metric : str
        A name in `METRICS`.
    manifest : mapping
        See `modelcheck.signature.read_manifest`.
    acknowledged : sequence of str
        Layers that the configuration takes out on purpose.
    offer : Offer
        What the candidate can be asked for: by default all, as a Keras network.
    """
    row = METRICS[metric]
    if tell_material(manifest) not in row.of or not offer.holds(row.takes):
        return []
    if row.two_classes and len(manifest["class_names"]) != 2:
        return []
    layers = [name for name in _names(manifest["layers"]) if name not in acknowledged]
    # Not there in a manifest that was written before it was: all classes are planned then.
    unseen = (*manifest.get("classes_without_pictures", ()), *manifest.get("classes_without_rows", ()))
    groups: Sequence[str] = manifest.get("groups", ())
    methods = offer.choose_methods(manifest["recipe"]["attribution_methods"])
    about = {
        "layer": layers,
        "decision": layers[-1:],
        "calibrated": layers[-1:] if manifest["retrained"] else [],
        "hidden": layers[:-1],
        "calibrated_hidden": layers[:-1] if manifest["retrained"] else [],
        "subject": manifest["subjects"],
        "class": [name for name in manifest["class_names"] if name not in unseen],
        "group": groups if methods or offer == WHOLE else [],
        "method": methods,
        "column": [column["name"] for column in manifest.get("columns", ())],
        "effect": manifest.get("effects", ()),
        "population": manifest.get("populations", ()),
        "division": manifest.get("divisions", ()),
        "network": [""],
    }[row.domain]
    return list(about)


def _names(layers: object) -> Iterator[str]:
    return (str(layer["name"]) for layer in layers)  # type: ignore[attr-defined]


def find_floor(item: Measured) -> tuple[float, ...]:
    """Return the floor of a value's calibrated scale: what says nothing by construction, or what untrained twins reach.

    Parameters
    ----------
    item : Measured
        The value, with its twins.
    """
    chance = METRICS[item.metric].chance
    return item.floor if chance is None else (chance, chance)


def rate_of(metric: str, about: str, rate: Rate, *, baseline: float | None = None, evidence: str = "") -> Measured:
    """Return a rate as a measure of a metric."""
    return Measured(
        metric=metric,
        about=about,
        value=rate.value,
        interval=rate.interval,
        baseline=baseline,
        n=rate.n,
        evidence=evidence,
    )
