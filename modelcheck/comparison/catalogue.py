"""Every metric of a comparison: what it is about, and one sentence for the reader of a report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from modelcheck.judgement.measured import Measured
from modelcheck.metrics.accuracy import Rate

__all__ = ["METRICS", "Metric", "plan_metric", "possible", "rate_of"]


@dataclass(frozen=True)
class Metric:
    """What a metric is about, and what it says.

    Parameters
    ----------
    domain : {'layer', 'decision', 'calibrated', 'hidden', 'subject', 'group', 'method', 'network'}
        One value for each of these; ``calibrated`` is the decision of a baseline that keeps retrained twins.
    says : str
        One sentence for the reader of a report.
    """

    domain: str
    says: str


METRICS: dict[str, Metric] = {
    "mapped_units": Metric(
        "layer", "Share of the candidate's units that have a HappyMap: the others are dead or stuck."
    ),
    "recognition": Metric(
        "decision",
        "How surely the candidate takes the baseline's map of a class for that class: 1 certainly, 0 a guess, -1 "
        "certainly for another; mean over the classes.",
    ),
    "natural_recognition": Metric(
        "decision",
        "The same for maps made of natural pictures only, which networks of other families read as well.",
    ),
    "likeness": Metric(
        "calibrated",
        "Both recognitions on the scale where untrained twins stand at 0 and retrained twins of the baseline at 1; the "
        "lower of those that can tell the two apart.",
    ),
    "transfer": Metric(
        "decision",
        "Happiness transfer: how happy the baseline's map of a class makes the candidate, where 0 is mid grey and 1 is "
        "the candidate's own map; mean over the classes.",
    ),
    "transfer_back": Metric(
        "decision",
        "The other way: how happy the candidate's map of a class makes the baseline, where 0 is mid grey and 1 is the "
        "baseline's own map; mean over the classes. It takes the baseline's network.",
    ),
    "coarse_similarity": Metric(
        "decision",
        "Correlation of the two networks' maps of a class, seen at the scale of the features; mean over classes.",
    ),
    "coarse_ssim": Metric(
        "decision", "Structural similarity of the maps of a class, seen at the scale of the features."
    ),
    "complementarity": Metric(
        "decision", "How much the maps of the candidate's classes are each other's negatives, from -1 to 1."
    ),
    "map_ssim": Metric(
        "layer", "Structural similarity of matched maps, as they are; retraining alone gives about 0.3 to 0.5."
    ),
    "floor_ssim": Metric("layer", "What untrained twins of the candidate reach in map_ssim: no learning at all."),
    "activation_correlation": Metric("hidden", "Correlation of matched units' activations over the probe pictures."),
    "coverage": Metric(
        "hidden",
        "Share of the baseline's maps that make some unit of the corresponding layer at least half as happy as that "
        "unit's own map does.",
    ),
    "coverage_back": Metric(
        "hidden",
        "The other way: share of the candidate's maps that make some unit of the baseline's layer at least half as "
        "happy as its own map does. It takes the baseline's network.",
    ),
    "cka": Metric("layer", "Debiased linear CKA of the layer's activations; compressed towards 1, for information."),
    "lineage": Metric(
        "network",
        "Correlation of the two networks' weights by index: near 0 for networks trained apart, high for fine-tuned, "
        "pruned or quantised ones, and for the same initialisation.",
    ),
    "kappa": Metric("network", "Agreement of the two networks' answers beyond chance (Cohen's kappa)."),
    "answers": Metric("network", "How many of the classes the candidate ever answers on the panel."),
    "trigger": Metric(
        "network",
        "How far the reaction to the strongest small sticker exceeds that of every clean twin, in units of what clean "
        "networks reach; at most 1 means that this scan found no small-sticker trigger, not that there is none.",
    ),
    "subject_accuracy": Metric("subject", "Balanced accuracy on one held-out person."),
    "subject_change": Metric("subject", "Balanced accuracy on one held-out person, candidate minus baseline, paired."),
    "group_accuracy": Metric("network", "Balanced accuracy, mean over held-out people, each counting once."),
    "accuracy_change": Metric(
        "network", "Mean over held-out people of candidate minus baseline, on the same pictures."
    ),
    "randomisation": Metric(
        "method", "How alike a method's maps are with untrained weights: near 1 it shows the picture, not the network."
    ),
    "flipping_gain": Metric(
        "method",
        "How much more flipping the method's first pixels lowers the score than flipping random ones, in units of the "
        "mean score; 0 is no better than chance.",
    ),
    "mass_over_area": Metric(
        "group",
        "Share of the relevance that lies inside the region, over the region's share of the picture; 1 is chance.",
    ),
    "mass_lift": Metric("group", "Share of the relevance inside the region, above what untrained twins put there."),
    "mass_change": Metric(
        "group",
        "Share of the relevance inside the region, candidate minus baseline, paired; without the loss that "
        "all clean twins of the candidate's own architecture have, where the baseline keeps two of them.",
    ),
    "pointing": Metric("group", "Share of the pictures whose most relevant pixel lies inside the region."),
}


# What a metric can be at all; one that is not named here is unbounded.
_SHARES = ("mapped_units", "subject_accuracy", "group_accuracy", "pointing", "coverage", "coverage_back")
_SIGNED = (
    *("coarse_similarity", "coarse_ssim", "map_ssim", "floor_ssim", "activation_correlation", "cka", "kappa"),
    *("subject_change", "accuracy_change", "randomisation", "mass_lift", "mass_change"),
    *("recognition", "natural_recognition", "complementarity", "lineage"),
)
_WITHIN = {
    **dict.fromkeys(_SHARES, (0.0, 1.0)),
    **dict.fromkeys(_SIGNED, (-1.0, 1.0)),
    "mass_over_area": (0.0, math.inf),
}


def possible(metric: str, manifest: Mapping[str, object]) -> tuple[float, float]:
    """Return the lowest and the highest value that a metric can have; a limit beyond them is a mistake.

    Parameters
    ----------
    metric : str
        A name in `METRICS`.
    manifest : mapping
        See `modelcheck.signature.read_manifest`.
    """
    if metric == "answers":
        return 1.0, float(len(manifest["class_names"]))  # type: ignore[arg-type]
    return _WITHIN.get(metric, (-math.inf, math.inf))


def plan_metric(metric: str, manifest: Mapping[str, object], *, acknowledged: Sequence[str] = ()) -> list[str]:
    """Return what a metric must be measured for, from a baseline's manifest alone.

    Parameters
    ----------
    metric : str
        A name in `METRICS`.
    manifest : mapping
        See `modelcheck.signature.read_manifest`.
    acknowledged : sequence of str
        Layers that the configuration takes out on purpose.
    """
    layers = [name for name in _names(manifest["layers"]) if name not in acknowledged]
    about = {
        "layer": layers,
        "decision": layers[-1:],
        "calibrated": layers[-1:] if manifest["retrained"] else [],
        "hidden": layers[:-1],
        "subject": manifest["subjects"],
        "group": manifest["groups"],
        "method": manifest["recipe"]["attribution_methods"],  # type: ignore[index]
        "network": [""],
    }[METRICS[metric].domain]
    return list(about)


def _names(layers: object) -> Iterator[str]:
    return (str(layer["name"]) for layer in layers)  # type: ignore[attr-defined]


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
