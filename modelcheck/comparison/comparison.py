"""Two signatures side by side: which units and layers correspond, and every metric of the difference.

A comparison is a pure value: it knows numbers and the evidence for them, and no limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelcheck.comparison.catalogue import METRICS
from modelcheck.comparison.decision import decision_measures
from modelcheck.comparison.layers import LayerComparison, layer_measures, match_layer
from modelcheck.comparison.lineage import lineage_measure
from modelcheck.comparison.people import people_measures
from modelcheck.comparison.regions import changes_of, region_measures
from modelcheck.comparison.triggers import trigger_measure
from modelcheck.judgement.measured import Measured
from modelcheck.signature import Signature
from modelcheck.signature.counterparts import CompareError, counterparts
from modelcheck.support.escaping import one_line_repr
from modelcheck.support.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "compare", "reduce_twin"]

_OF_LAYERS = ("layer", "decision", "calibrated", "hidden")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Comparison:
    """Everything that two signatures say about each other.

    Parameters
    ----------
    baseline, candidate : Signature
        Always in this order; a change is candidate minus baseline.
    layers : tuple of LayerComparison
        One a layer of the baseline, in its order.
    measures : tuple of Measured
        Every metric's value for everything it is about.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> baseline = read_signature("baselines/drawn-faces")
    >>> found = compare(baseline, baseline)
    >>> found.measured("kappa").value, found.metrics["subject_change[visitor_zoe]"]
    (1.0, 0.0)
    """

    baseline: Signature
    candidate: Signature
    layers: tuple[LayerComparison, ...]
    measures: tuple[Measured, ...]

    def __repr__(self) -> str:
        networks = f"{self.baseline.model['name']} -> {self.candidate.model['name']}"
        return one_line_repr("Comparison", networks, f"{len(self.layers)} layers", f"{len(self.measures)} measures")

    @property
    def metrics(self) -> dict[str, float]:
        """Flat names, like ``transfer[decision]``, with their values; NaN where nothing could be measured."""
        return {item.key: item.value for item in self.measures}

    @property
    def subjects(self) -> tuple[str, ...]:
        """The held-out people, in alphabetical order."""
        return tuple(sorted(set(self.baseline.pictures["subjects"].tolist())))

    def measured(self, metric: str, about: str = "") -> Measured:
        """Return one measure.

        Raises
        ------
        CompareError
            When there is no such metric, or not for that.
        """
        if metric not in METRICS:
            raise CompareError(f"There is no metric {metric!r}. {did_you_mean(metric, METRICS)}")
        for item in self.measures:
            if (item.metric, item.about) == (metric, about):
                return item
        known = [item.about for item in self.measures if item.metric == metric]
        raise CompareError(f"{metric} was not measured for {about!r}. {did_you_mean(about, known)}")

    def about_layer(self, layer: str) -> tuple[Measured, ...]:
        """Return all that was measured of one layer of the baseline."""
        return self._about(layer, _OF_LAYERS)

    def about_subject(self, subject: str) -> tuple[Measured, ...]:
        """Return all that was measured of one held-out person."""
        return self._about(subject, ("subject",))

    def about_group(self, group: str) -> tuple[Measured, ...]:
        """Return all that was measured of the attributions on one group of pictures, for example one pose."""
        return self._about(group, ("group",))

    def about_method(self, method: str) -> tuple[Measured, ...]:
        """Return what an attribution method did to earn its say."""
        return self._about(method, ("method",))

    def _about(self, about: str, domains: Sequence[str]) -> tuple[Measured, ...]:
        return tuple(item for item in self.measures if item.about == about and METRICS[item.metric].domain in domains)

    def table(self) -> pd.DataFrame:
        """Return one row per layer of the baseline: its counterpart and every layer metric."""
        import pandas as pd

        names = [name for name, metric in METRICS.items() if metric.domain in _OF_LAYERS]
        rows = [
            {
                "layer": layer.baseline.name,
                "kind": layer.baseline.kind,
                "candidate": layer.candidate.name if layer.candidate else None,
                "pairs": len(layer.matching.pairs),
                **{name: self.metrics.get(f"{name}[{layer.baseline.name}]", math.nan) for name in names},
            }
            for layer in self.layers
        ]
        return pd.DataFrame(rows).set_index("layer")


def compare(baseline: Signature, candidate: Signature, *, layers: Mapping[str, str | None] | None = None) -> Comparison:
    """Compare two signatures that were measured alike.

    Parameters
    ----------
    baseline, candidate : Signature
        Measured with one recipe on one panel. The candidate's responses to the baseline's maps, where it has them,
        give the happiness transfer.
    layers : mapping of str to str or None, optional
        Counterparts that are given instead of found: baseline layer to candidate layer, or None where the candidate
        has none on purpose.

    Returns
    -------
    Comparison

    Raises
    ------
    CompareError
        When recipe, panel or classes differ, or `layers` names a layer that is not there.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> baseline = read_signature("baselines/drawn-faces")
    >>> compare(baseline, baseline, layers={"conv2": None})
    Comparison(experiment0 -> experiment0, 5 layers, 73 measures)
    """
    _check(baseline, candidate)
    pairs = counterparts(baseline, candidate, layers or {})
    measures: list[Measured] = []
    compared = []
    for record, partner, acknowledged in pairs:
        layer = match_layer(baseline, candidate, record, partner, acknowledged)
        compared.append(layer)
        if not acknowledged:
            measures.extend(layer_measures(baseline, candidate, layer))
    measures.extend(decision_measures(baseline, candidate))
    measures.append(lineage_measure(baseline, candidate))
    measures.extend(people_measures(baseline, candidate))
    measures.extend(region_measures(baseline, candidate))
    measures.append(trigger_measure(baseline, candidate))
    scores = tuple(_round(item) for item in measures)
    return Comparison(baseline=baseline, candidate=candidate, layers=tuple(compared), measures=scores)


def reduce_twin(baseline: Signature, twin: Signature) -> Signature:
    """Return what a baseline keeps of a clean network: its decision, its answers, and how it compares.

    Parameters
    ----------
    baseline, twin : Signature
        Measured alike; the twin without untrained twins of its own.

    Raises
    ------
    CompareError
        When recipe, panel or classes differ.
    """
    known = compare(replace(baseline, retrained=()), twin).metrics
    changes = {} if twin.same_architecture(baseline) else changes_of(baseline, twin)
    return twin.reduce_to_twin(known | {key: _six(value) for key, value in changes.items()})


def _round(item: Measured) -> Measured:
    """Round to six decimals: kernels and machines differ in the digits after those, and no limit hangs on them."""
    ends = None if item.interval is None else (_six(item.interval[0]), _six(item.interval[1]))
    before = None if item.baseline is None else _six(item.baseline)
    return replace(item, value=_six(item.value), interval=ends, baseline=before)


def _six(value: float) -> float:
    return round(float(value), 6) + 0.0  # which turns minus zero into zero


def _check(baseline: Signature, candidate: Signature) -> None:
    for what, one, other in (
        ("recipe", baseline.recipe.digest(), candidate.recipe.digest()),
        ("panel", baseline.panel_digest, candidate.panel_digest),
        ("classes", baseline.class_names, candidate.class_names),
    ):
        if one != other:
            raise CompareError(
                f"The two signatures differ in their {what}: baseline {_short(one)}, candidate {_short(other)}. "
                "Measure both alike: modelcheck measure --help"
            )


def _short(value: object) -> str:
    return value[:12] if isinstance(value, str) else str(value)
