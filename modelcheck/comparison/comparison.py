"""Two signatures side by side: which units and layers correspond, and every metric of the difference.

A comparison is a pure value: it knows numbers and the evidence for them, and no limits.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, overload

from modelcheck.comparison.answers import AnswerChanges, compare_answers, measure_answers
from modelcheck.comparison.asking import Offer, find_offer, is_saturated, offer_of, say_saturated, say_unasked
from modelcheck.comparison.catalogue import METRICS, find_floor
from modelcheck.comparison.common import check_alike, check_named, choose_one, keep_measures, round_value
from modelcheck.comparison.controversial import PictureExchanges
from modelcheck.comparison.conversion import Conversion, adopt_source, measure_conversion
from modelcheck.comparison.decision import measure_decision
from modelcheck.comparison.exchange import accept_exchange
from modelcheck.comparison.layers import LayerComparison, is_as_retrained, match_layer, measure_layer
from modelcheck.comparison.lineage import measure_lineage
from modelcheck.comparison.notebook import show_comparison
from modelcheck.comparison.places import measure_places
from modelcheck.comparison.recognition import MapAnswer, read_map_answers
from modelcheck.comparison.regions import compute_mass_changes, measure_regions
from modelcheck.comparison.statistics import NetworkStatistics, compute_statistics
from modelcheck.comparison.tables import TableComparison, compare_tables
from modelcheck.comparison.triggers import measure_reach, measure_trigger
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.calibration import calibrate
from modelcheck.metrics.triggers import ReachScan, TriggerScan
from modelcheck.signature import Record, Signature, TableSignature, read_record
from modelcheck.signature.counterparts import CompareError, find_counterparts
from modelcheck.support.escaping import one_line_repr
from modelcheck.support.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "compare", "reduce_twin"]

# A signature, or the folder where one is kept.
Kept = Record | str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Comparison:
    """Everything that two signatures say about each other.

    Parameters
    ----------
    baseline, candidate : Signature
        The two networks, always in this order; a change is candidate minus baseline.
    layers : tuple of LayerComparison
        One for each layer of the baseline, in its order.
    measures : mapping of (str, str) to Measured
        Every metric's value for everything it is about, by ``(metric, about)``, in a stable order.
    trigger : TriggerScan or None
        The search for a planted trigger; None where it cannot be made.
    exchanges : PictureExchanges or None
        What exchanging cells between pictures shows; None where it could not be compared.
    reach : ReachScan or None
        How far ascent drives each class, beside clean networks; None where there are too few.
    conversion : Conversion or None
        The candidate beside the network that it was converted from; None where that was not given.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> baseline = read_signature("baselines/drawn-faces")
    >>> found = compare(baseline, baseline)
    >>> found.find("kappa").value, found.metrics["subject_change[visitor_zoe]"]
    (1.0, 0.0)
    >>> {item.metric for item in found.about(subject="visitor_zoe")} == {"subject_accuracy", "subject_change"}
    True
    """

    baseline: Signature
    candidate: Signature
    layers: tuple[LayerComparison, ...]
    measures: Mapping[tuple[str, str], Measured]
    trigger: TriggerScan | None = None
    exchanges: PictureExchanges | None = None
    reach: ReachScan | None = None
    conversion: Conversion | None = None

    def __repr__(self) -> str:
        networks = f"{self.baseline.model['name']} -> {self.candidate.model['name']}"
        return one_line_repr("Comparison", networks, f"{len(self.layers)} layers", f"{len(self.measures)} measures")

    def _repr_html_(self) -> str:
        """Return the first numbers and the maps of both decisions, for a notebook."""
        return show_comparison(self)

    @property
    def metrics(self) -> dict[str, float]:
        """Flat names, like ``transfer[decision]``, with their values; NaN where nothing could be measured."""
        return {item.key: item.value for item in self.measures.values()}

    @property
    def subjects(self) -> tuple[str, ...]:
        """Of whom or what the held-out pictures are, in alphabetical order; none where the panel has no subjects."""
        return self.baseline.subjects

    @cached_property
    def calibrated(self) -> Mapping[tuple[str, str], float]:
        """Every measure on the scale where untrained twins, or what says nothing, stand at 0 and retrained ones at 1.

        NaN where there are too few twins, or where they cannot be told apart; see
        `modelcheck.metrics.calibration.calibrate`.
        """
        return {
            key: calibrate(item.value, floor=find_floor(item), ceiling=item.ceiling)
            for key, item in self.measures.items()
        }

    @property
    def rendered(self) -> bool:
        """Whether the candidate has maps: from a file that ships nothing can be rendered."""
        return "maps" in offer_of(self.candidate).parts

    @property
    def layers_as_retrained(self) -> tuple[str, ...]:
        """The hidden layers that are as alike as a second training leaves them."""
        known = (item for (metric, _), item in self.measures.items() if metric == "layer_likeness")
        return tuple(item.about for item in known if is_as_retrained(item))

    @property
    def _offer(self) -> Offer:
        """What the candidate can be asked for."""
        return find_offer(self.candidate.runtime, source=self.conversion is not None)

    @cached_property
    def answer_changes(self) -> AnswerChanges:
        """The pictures on which the candidate's answer turned wrong, and how many turned right."""
        return compare_answers(self.baseline, self.candidate)

    @cached_property
    def map_answers(self) -> tuple[MapAnswer, ...]:
        """What the candidate makes of the baseline's map of each class; nothing of maps that it was not shown."""
        baseline, candidate, _ = accept_exchange(self.baseline, self.candidate)
        return read_map_answers(baseline, candidate)

    @cached_property
    def statistics(self) -> Mapping[str, NetworkStatistics]:
        """What each network's signature says of it alone, under ``baseline`` and ``candidate``."""
        sides = {"baseline": self.baseline, "candidate": self.candidate}
        return {role: compute_statistics(signature) for role, signature in sides.items()}

    def find(self, metric: str, about: str = "") -> Measured:
        """Return one measure.

        Parameters
        ----------
        metric : str
            The metric's name, for example ``recognition``.
        about : str
            What it was measured of: a layer, a subject, a class, a group, a method; empty for the network as
            a whole.

        Raises
        ------
        CompareError
            When there is no such metric, or not for that. What the candidate, a file that ships, cannot
            be asked for is no error: the measure says so, and `check` leaves it out.
        """
        if metric not in METRICS:
            raise CompareError(f"There is no metric {metric!r}. {did_you_mean(metric, METRICS)}")
        if (metric, about) in self.measures:
            return self.measures[metric, about]
        if not self._offer.holds(METRICS[metric].takes):
            return Measured(
                metric=metric, about=about, value=math.nan, evidence=say_unasked(self.candidate), asked=False
            )
        known = [other for name, other in self.measures if name == metric]
        raise CompareError(f"{metric} was not measured for {about!r}. {did_you_mean(about, known)}")

    def about(
        self,
        *,
        layer: str | None = None,
        subject: str | None = None,
        class_name: str | None = None,
        group: str | None = None,
        method: str | None = None,
    ) -> tuple[Measured, ...]:
        """Return all that was measured of one thing; exactly one must be named.

        Parameters
        ----------
        layer : str, optional
            A layer of the baseline. Of one that the configuration takes out on purpose nothing was
            measured.
        subject : str, optional
            Of whom or what pictures are, where the panel says so.
        class_name : str, optional
            A class that the panel holds pictures of.
        group : str, optional
            A group of pictures, for example one pose: what was measured of the attributions on it.
        method : str, optional
            An attribution method: its randomisation check and its flipping check.

        Raises
        ------
        CompareError
            When none or several are named, or there is none of that name.
        """
        given = {"layer": layer, "subject": subject, "class_name": class_name, "group": group, "method": method}
        sort, name = choose_one(given, example="layer='conv1'")
        if sort == "class_name" and name in self.baseline.classes_without_pictures:
            raise CompareError(
                f"The panel holds no picture of the class {name!r}: nothing can be said of it. A baseline that plans "
                "for it all the same was approved by an older modelcheck: approve it again, modelcheck approve --help"
            )
        known = self._names(sort)
        if sort == "subject" and not known:
            raise CompareError(
                "The panel has no subjects that several pictures share: nothing is measured of one by itself."
            )
        check_named(sort, name, known)
        return tuple(
            item for (metric, about), item in self.measures.items() if about == name and METRICS[metric].about == sort
        )

    def _names(self, sort: str) -> tuple[str, ...]:
        """Return the names of all things of a sort that this comparison is about."""
        if sort == "layer":
            return tuple(layer.baseline.name for layer in self.layers)
        if sort == "method":
            return self._offer.choose_methods(self.candidate.recipe.attribution_methods)
        if sort == "class_name":
            return self.baseline.class_names
        return self.subjects if sort == "subject" else tuple(sorted(set(self.baseline.pictures["groups"].tolist())))

    def table(self) -> pd.DataFrame:
        """Return one row per layer of the baseline: its counterpart and every layer metric."""
        import pandas as pd

        names = [name for name, metric in METRICS.items() if metric.about == "layer"]
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


@overload
def compare(
    baseline: TableSignature,
    candidate: TableSignature,
    *,
    layers: Mapping[str, str | None] | None = ...,
    source: None = ...,
) -> TableComparison: ...
@overload
def compare(
    baseline: Signature,
    candidate: Signature,
    *,
    layers: Mapping[str, str | None] | None = ...,
    source: Kept | None = ...,
) -> Comparison: ...
@overload
def compare(
    baseline: Kept,
    candidate: Kept,
    *,
    layers: Mapping[str, str | None] | None = ...,
    source: Kept | None = ...,
) -> Comparison | TableComparison: ...
def compare(
    baseline: Kept,
    candidate: Kept,
    *,
    layers: Mapping[str, str | None] | None = None,
    source: Kept | None = None,
) -> Comparison | TableComparison:
    """Compare two signatures that were measured alike, on pictures or on a table.

    Parameters
    ----------
    baseline, candidate : Signature, TableSignature, str or path-like
        Two networks that were measured with one recipe on one panel, or the folders where their
        signatures are kept. What the candidate answers to
        the baseline's maps, where it was shown them, gives recognition and happiness transfer.
    layers : mapping of str to str or None, optional
        Counterparts that are given instead of found: baseline layer to candidate layer, or None
        where the candidate has none on purpose.
    source : Signature, str or path-like, optional
        The Keras network that a LiteRT or ONNX candidate was converted from, measured as a candidate
        is: its untrained twins are then the file's, and the two are compared layer by layer.

    Returns
    -------
    Comparison or TableComparison
        Every metric, with its evidence; the second of two networks on a table.

    Raises
    ------
    CompareError
        When one is no signature, recipe, panel, classes, target or columns differ, one was measured
        on pictures and the other on a table, `layers` names a layer that is not there, or the candidate
        was not converted from its source.
    SignatureError
        When a folder holds no signature that can be read.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> baseline = read_signature("baselines/drawn-faces")
    >>> compare(baseline, baseline, layers={"conv2": None})
    Comparison(experiment0 -> experiment0, 5 layers, 89 measures)
    >>> compare("baselines/drawn-faces", "baselines/drawn-faces").find("kappa").value
    1.0
    """
    one, other = _read("baseline", baseline), _read("candidate", candidate)
    if isinstance(one, TableSignature) or isinstance(other, TableSignature):
        return _compare_tables(one, other, layers=layers, source=source)
    origin = None if source is None else _read("source", source)
    if isinstance(origin, TableSignature):
        raise CompareError("The source was measured on a table, and the candidate on pictures: measure it alike.")
    return _compare_pictures(one, other, layers=layers or {}, source=origin)


def _compare_tables(
    baseline: Record, candidate: Record, *, layers: Mapping[str, str | None] | None, source: Kept | None
) -> TableComparison:
    if not (isinstance(baseline, TableSignature) and isinstance(candidate, TableSignature)):
        on_table = "baseline" if isinstance(baseline, TableSignature) else "candidate"
        raise CompareError(
            f"The {on_table} was measured on a table, and the other one on pictures. Measure both on one panel: "
            "modelcheck measure --help"
        )
    if source is not None:
        raise CompareError("A network on a table has no source: no file that ships is read on a table. Leave it out.")
    return compare_tables(baseline, candidate, layers=layers)


def _compare_pictures(
    baseline: Signature, candidate: Signature, *, layers: Mapping[str, str | None], source: Signature | None
) -> Comparison:
    check_alike(
        [
            ("recipe", baseline.recipe.digest(), candidate.recipe.digest()),
            ("panel", baseline.panel_digest, candidate.panel_digest),
            ("classes", baseline.class_names, candidate.class_names),
        ]
    )
    candidate, conversion = adopt_source(candidate, source)
    trigger, scan = measure_trigger(baseline, candidate)
    reach, reached = measure_reach(baseline, candidate)
    places, exchanges = measure_places(baseline, candidate)
    shows, shown, refusal = accept_exchange(baseline, candidate)
    pairs = find_counterparts(baseline, candidate, layers)
    compared = tuple(match_layer(baseline, candidate, pair) for pair in pairs)
    measures = [
        *_measure_layers(baseline, shown, compared, refusal),
        *measure_decision(shows, shown, refusal=refusal),
        measure_lineage(baseline, candidate),
        *places,
        *measure_answers(baseline, candidate),
        *measure_regions(baseline, candidate),
        trigger,
        reach,
        *measure_conversion(conversion, about=baseline.decision.name),
    ]
    offer = find_offer(candidate.runtime, source=conversion is not None)
    asked = [item for item in measures if offer.holds(METRICS[item.metric].takes)]
    if is_saturated(candidate.model):
        asked = [_without_margins(item, candidate) for item in asked]
    return Comparison(
        baseline=baseline,
        candidate=candidate,
        layers=compared,
        measures=keep_measures(asked),
        trigger=scan,
        exchanges=exchanges,
        reach=reached,
        conversion=conversion,
    )


def _without_margins(item: Measured, candidate: Signature) -> Measured:
    """Return a measure that rests on margins as one that could not be made."""
    if "margins" not in METRICS[item.metric].takes:
        return item
    why = say_saturated(float(candidate.model["saturation"]))
    return Measured(metric=item.metric, about=item.about, value=math.nan, n=item.n, evidence=why)


def _measure_layers(
    baseline: Signature, candidate: Signature, layers: tuple[LayerComparison, ...], refusal: str
) -> Iterator[Measured]:
    wanted = [layer for layer in layers if not layer.acknowledged]
    alone = all(layer.candidate is None for layer in wanted[:-1])
    for layer in wanted:
        yield from measure_layer(baseline, candidate, layer, alone=alone, refusal=refusal)


def reduce_twin(baseline: Signature, twin: Signature) -> Signature:
    """Return what a baseline keeps of a clean network: its decision, its answers, and how it compares.

    Parameters
    ----------
    baseline, twin : Signature
        Two networks that were measured alike; the twin without untrained twins of its own.

    Raises
    ------
    CompareError
        When recipe, panel or classes differ.
    """
    metrics = compare(replace(baseline, retrained=()), twin).metrics
    changes = {} if twin.same_architecture(baseline) else compute_mass_changes(baseline, twin)
    return twin.reduce_to_twin(metrics | {key: round_value(value) for key, value in changes.items()})


def _read(role: str, kept: Kept) -> Record:
    """Return a signature as it is given, or read the folder that is."""
    if isinstance(kept, Signature | TableSignature):
        return kept
    if not isinstance(kept, str | os.PathLike):
        raise CompareError(
            f"The {role} is a Signature, or the folder of one, not {type(kept).__name__}. Networks are measured "
            "first: modelcheck.measure(path, panel)"
        )
    if Path(kept).is_file():
        raise CompareError(
            f"The {role} {os.fspath(kept)!r} is a file, and signatures are compared, or the folders of such. "
            "Measure a network first: modelcheck.measure(path, panel)"
        )
    return read_record(kept)
