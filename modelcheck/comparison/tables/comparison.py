"""Two signatures of networks on one table side by side: every metric of the difference, and the evidence for it.

A comparison is a pure value: it knows numbers and the evidence for them, and no limits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from modelcheck.comparison.catalogue import METRICS, find_floor
from modelcheck.comparison.common import check_alike, check_named, choose_one, keep_measures
from modelcheck.comparison.layers import is_as_retrained
from modelcheck.comparison.lineage import measure_lineage
from modelcheck.comparison.tables.answers import measure_table_answers
from modelcheck.comparison.tables.drivers import Drivers, measure_drivers
from modelcheck.comparison.tables.effects import EffectComparison, measure_effects
from modelcheck.comparison.tables.gaps import EffectGap, measure_effect_gaps
from modelcheck.comparison.tables.groups import GroupRates, measure_groups
from modelcheck.comparison.tables.layers import TableLayer, match_layers, measure_layers
from modelcheck.comparison.tables.notebook import show_table_comparison
from modelcheck.comparison.tables.profiles import ProfilePair, measure_profiles
from modelcheck.judgement.measured import Measured
from modelcheck.metrics.calibration import calibrate
from modelcheck.panel.populations import list_populations
from modelcheck.signature import TableSignature
from modelcheck.signature.counterparts import CompareError
from modelcheck.support.escaping import one_line_repr
from modelcheck.support.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TableComparison", "compare_tables", "reduce_table_twin"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TableComparison:
    """Everything that two signatures of networks on one table say about each other.

    Parameters
    ----------
    baseline, candidate : TableSignature
        The two networks, always in this order; a change is candidate minus baseline.
    layers : tuple of TableLayer
        One for each layer of the baseline, in its order.
    measures : mapping of (str, str) to Measured
        Every metric's value for everything it is about, by ``(metric, about)``, in a stable order.
    drivers : Drivers or None
        Which variables drive each network; None where no columns were exchanged.
    effects : tuple of EffectComparison
        One for each column.
    gaps : tuple of EffectGap
        One for each column and division.
    groups : tuple of GroupRates
        One for each sub-population, those of too few rows among them.
    profiles : tuple of ProfilePair
        Of the decision's units first, then of matched hidden units, the most alike of a layer first.

    Examples
    --------
    >>> import tempfile, warnings
    >>> import keras
    >>> from modelcheck import TablePanel, TableRecipe, compare, measure
    >>> ages = np.linspace(18.0, 90.0, 30)
    >>> panel = TablePanel({"age": ages, "pay": ages[::-1] / 7}, ["no", "yes"] * 15, target="bought",
    ...                    class_names=("no", "yes"))
    >>> weights = keras.initializers.RandomNormal(seed=1)
    >>> network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer=weights, name="out")])
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):  # of Keras, to NumPy
    ...     network.save(f"{folder}/release.keras")
    ...     signature = measure(f"{folder}/release.keras", panel, TableRecipe(untrained_twins=0))
    >>> found = compare(signature, signature)
    >>> found.find("driver_rank_agreement").value, found.find("driver_change", "age").value
    (1.0, 0.0)
    """

    baseline: TableSignature
    candidate: TableSignature
    layers: tuple[TableLayer, ...]
    measures: Mapping[tuple[str, str], Measured]
    drivers: Drivers | None
    effects: tuple[EffectComparison, ...]
    gaps: tuple[EffectGap, ...]
    groups: tuple[GroupRates, ...]
    profiles: tuple[ProfilePair, ...]

    def __repr__(self) -> str:
        networks = f"{self.baseline.model['name']} -> {self.candidate.model['name']}"
        return one_line_repr("TableComparison", networks, f"{len(self.measures)} measures")

    def _repr_html_(self) -> str:
        """Return the first numbers and what drives each network, for a notebook."""
        return show_table_comparison(self)

    @property
    def metrics(self) -> dict[str, float]:
        """Flat names, like ``driver_share[age]``, with their values; NaN where nothing could be measured."""
        return {item.key: item.value for item in self.measures.values()}

    @property
    def subjects(self) -> tuple[str, ...]:
        """Of whom or what the held-out rows are, in alphabetical order; none where the panel has no subjects."""
        return self.baseline.subjects

    @cached_property
    def confusions(self) -> Mapping[str, np.ndarray]:
        """By ``baseline`` and ``candidate``, ``(classes, classes)`` rows by true class and answer; {} for numbers."""
        sides = {"baseline": self.baseline, "candidate": self.candidate} if self.baseline.class_names else {}
        return {role: _count_answers(signature) for role, signature in sides.items()}

    @property
    def conversion(self) -> None:
        """Nothing: no file that ships is read on a table."""
        return

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
    def layers_as_retrained(self) -> tuple[str, ...]:
        """The hidden layers that are as alike as a second training leaves them."""
        known = (item for (metric, _), item in self.measures.items() if metric == "layer_likeness")
        return tuple(item.about for item in known if is_as_retrained(item))

    def find(self, metric: str, about: str = "") -> Measured:
        """Return one measure.

        Parameters
        ----------
        metric : str
            The metric's name, for example ``driver_share``.
        about : str
            What it was measured of: a column, an effect ``age|sex``, a sub-population ``sex=f``, a
            division, a layer, a subject, a class; empty for the network as a whole.

        Raises
        ------
        CompareError
            When there is no such metric, or not for that.
        """
        if metric not in METRICS:
            raise CompareError(f"There is no metric {metric!r}. {did_you_mean(metric, METRICS)}")
        if (metric, about) in self.measures:
            return self.measures[metric, about]
        known = [other for name, other in self.measures if name == metric]
        if not known:
            raise CompareError(f"{metric} is not measured of these networks: it is asked of others.")
        raise CompareError(f"{metric} was not measured for {about!r}. {did_you_mean(about, known)}")

    def about(
        self,
        *,
        column: str | None = None,
        effect: str | None = None,
        population: str | None = None,
        division: str | None = None,
        layer: str | None = None,
        subject: str | None = None,
        class_name: str | None = None,
    ) -> tuple[Measured, ...]:
        """Return all that was measured of one thing; exactly one must be named.

        Parameters
        ----------
        column : str, optional
            A variable.
        effect : str, optional
            A variable and what divides the rows, ``age|sex``.
        population : str, optional
            A sub-population, ``sex=f``.
        division : str, optional
            What divides the rows into sub-populations, ``sex``.
        layer : str, optional
            A layer of the baseline. Of one that the configuration takes out on purpose nothing was
            measured.
        subject : str, optional
            Of whom or what rows are, where the panel says so.
        class_name : str, optional
            A class that the panel holds rows of.

        Raises
        ------
        CompareError
            When none or several are named, or there is none of that name.
        """
        given = {
            "column": column,
            "effect": effect,
            "population": population,
            "division": division,
            "layer": layer,
            "subject": subject,
            "class_name": class_name,
        }
        sort, name = choose_one(given, example="column='age'")
        self._refuse_unmeasured(sort, name)
        check_named(sort, name, self._names(sort))
        return tuple(
            item for (metric, about), item in self.measures.items() if about == name and METRICS[metric].about == sort
        )

    def _refuse_unmeasured(self, sort: str, name: str) -> None:
        """Refuse what the panel has, or could have, but too little of."""
        if sort == "class_name" and name in self.baseline.classes_without_rows:
            raise CompareError(f"The panel holds no row of the class {name!r}: nothing can be said of it.")
        if sort == "population" and name in list_populations(self.baseline.groups).small:
            raise CompareError(f"The sub-population {name!r} has too few rows to be measured.")
        if sort == "subject" and not self.subjects:
            raise CompareError(
                "The panel has no subjects that several rows share: nothing is measured of one by itself."
            )

    def _names(self, sort: str) -> tuple[str, ...]:
        """Return the names of all things of a sort that this comparison is about."""
        if sort == "column":
            return tuple(column.name for column in self.baseline.columns)
        if sort == "layer":
            return tuple(layer.baseline.name for layer in self.layers)
        if sort == "class_name":
            return self.baseline.class_names
        if sort == "subject":
            return self.subjects
        found = list_populations(self.baseline.groups)
        effects = found.list_effects(self._names("column"))
        return {"population": found.measured, "division": found.divisions, "effect": effects}[sort]

    def table(self) -> pd.DataFrame:
        """Return one row a column: what drives each network, and how far its effect changed and differs."""
        import pandas as pd

        divisions = list_populations(self.baseline.groups).divisions
        names = [name for name, metric in METRICS.items() if metric.about == "column"]
        values = self.metrics
        rows = [
            {
                "column": column.name,
                "kind": column.kind.value,
                "baseline_share": math.nan if self.drivers is None else float(self.drivers.baseline[k]),
                **{name: values.get(f"{name}[{column.name}]", math.nan) for name in names},
                **{
                    f"effect_gap|{division}": values.get(f"effect_gap[{column.name}|{division}]", math.nan)
                    for division in divisions
                },
            }
            for k, column in enumerate(self.baseline.columns)
        ]
        return pd.DataFrame(rows).set_index("column")


def compare_tables(
    baseline: TableSignature, candidate: TableSignature, *, layers: Mapping[str, str | None] | None = None
) -> TableComparison:
    """Compare two signatures that were measured alike on a table.

    Parameters
    ----------
    baseline, candidate : TableSignature
        Two networks that were measured with one recipe on one panel. What the candidate answers to
        the baseline's profiles, where it was shown them, gives profile transfer.
    layers : mapping of str to str or None, optional
        Counterparts that are given instead of found: baseline layer to candidate layer, or None
        where the candidate has none on purpose.

    Returns
    -------
    TableComparison
        Every metric, with its evidence.

    Raises
    ------
    CompareError
        When recipe, panel, target, classes or columns differ, or `layers` names a layer that is not
        there.
    """
    check_alike(_list_facts(baseline, candidate))
    matched = match_layers(baseline, candidate, layers or {})
    transfer, profiles = measure_profiles(baseline, candidate, matched)
    driven, drivers = measure_drivers(baseline, candidate)
    moved, effects = measure_effects(baseline, candidate)
    apart, gaps = measure_effect_gaps(baseline, candidate)
    rates, groups = measure_groups(baseline, candidate)
    measures = [
        transfer,
        *measure_layers(baseline, candidate, matched),
        measure_lineage(baseline, candidate),
        *driven,
        *moved,
        *apart,
        *measure_table_answers(baseline, candidate),
        *rates,
    ]
    return TableComparison(
        baseline=baseline,
        candidate=candidate,
        layers=matched,
        measures=keep_measures(measures),
        drivers=drivers,
        effects=effects,
        gaps=gaps,
        groups=groups,
        profiles=profiles,
    )


def _count_answers(signature: TableSignature) -> np.ndarray:
    counts = np.zeros((len(signature.class_names),) * 2, np.int64)
    np.add.at(counts, (np.asarray(signature.rows["truth"]), signature.scores.argmax(axis=1)), 1)
    return counts


def _list_facts(baseline: TableSignature, candidate: TableSignature) -> Iterator[tuple[str, object, object]]:
    """Yield what two signatures must agree in."""
    yield "recipe", baseline.recipe.digest(), candidate.recipe.digest()
    yield "target", baseline.target, candidate.target
    yield "classes", baseline.class_names, candidate.class_names
    yield "columns", _describe_columns(baseline), _describe_columns(candidate)
    yield "panel", baseline.panel_digest, candidate.panel_digest


def _describe_columns(signature: TableSignature) -> tuple[str, ...]:
    return tuple(f"{column.name} ({column.kind.value})" for column in signature.columns)


def reduce_table_twin(baseline: TableSignature, twin: TableSignature) -> TableSignature:
    """Return what a baseline keeps of a retrained network: its answers, exchanges and effects, and how it compares.

    Parameters
    ----------
    baseline, twin : TableSignature
        Two networks that were measured alike; the twin without untrained twins of its own.

    Raises
    ------
    CompareError
        When recipe, panel, target, classes or columns differ.
    """
    return twin.reduce_to_twin(compare_tables(replace(baseline, retrained=()), twin).metrics)
