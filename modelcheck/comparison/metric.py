"""What a row of the catalogue of metrics is: the facts that are kept of a metric, and where it is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from modelcheck.metrics.power import Narrowing

__all__ = ["ABOUT", "AREAS", "CLASSES", "NUMBERS", "PICTURES", "PLACES", "Area", "Metric"]

# What a metric has one value for, and the kind of thing that is: a suite has one test for each. The
# network as a whole is no such thing.
ABOUT = {
    "layer": "layer",
    "decision": "layer",
    "calibrated": "layer",
    "hidden": "layer",
    "calibrated_hidden": "layer",
    "subject": "subject",
    "class": "class_name",
    "group": "group",
    "method": "method",
    "column": "column",
    "effect": "effect",
    "population": "population",
    "division": "division",
    "network": "",
}

PICTURES, CLASSES, NUMBERS = "pictures", "classes", "numbers"
"""What networks answer: held-out pictures, rows of a table with a target of classes, or with one of numbers."""

# Where some metrics are shown, beside the section of the report that shows all of an area.
PLACES = {
    "column": "a column of the terminal's tables, as far as there is room",
    "headline": "the number on the tile of its area, at the top of the report",
    "strip": "the report's strips between untrained and retrained twins",
    "twin": "the line on each network that `modelcheck calibrate` takes in",
    "summary": "the lines of `modelcheck compare` and of an approval",
    "decision": "how alike decisions are, in `modelcheck compare-all`: the first that any has",
    "hidden": "how alike hidden layers are, in `modelcheck compare-all`: what most have",
    "answered": "who is answered worst, in `modelcheck compare-all`: the first that any has",
}


@dataclass(frozen=True, kw_only=True)
class Area:
    """A part of the report: metrics that answer one question.

    Parameters
    ----------
    title : str
        Its heading.
    question : str
        What it asks of the candidate; empty for an area without a tile of its own.
    of : tuple of str
        Of what it is asked: `PICTURES`, `CLASSES`, `NUMBERS`.
    """

    title: str
    question: str = ""
    of: tuple[str, ...] = (PICTURES,)


AREAS = {
    "features": Area(
        title="Same features", question="Does it look for the same things?", of=(PICTURES, CLASSES, NUMBERS)
    ),
    "drivers": Area(title="Same drivers", question="Do the same variables drive it?", of=(CLASSES, NUMBERS)),
    "effects": Area(title="Same effects", question="Does each variable move it as before?", of=(CLASSES, NUMBERS)),
    "places": Area(title="Same places", question="Does it decide by the same parts of the picture?"),
    "accuracy": Area(
        title="Held-out data", question="Is it right about what it never saw?", of=(PICTURES, CLASSES, NUMBERS)
    ),
    "populations": Area(title="Sub-populations", question="Is it the same for everyone?", of=(CLASSES, NUMBERS)),
    "attention": Area(title="Attention", question="Does it look where the evidence is?"),
    "triggers": Area(title="Hidden triggers", question="Does a small planted sign flip its answer?"),
    "other": Area(title="Other checks"),
}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What a metric is, and how it is shown.

    Parameters
    ----------
    name : str
        Its name in code, criteria and verdicts, for example ``subject_accuracy``.
    domain : str
        What it has one value for, a key of `ABOUT`; ``calibrated`` is the decision, and
        ``calibrated_hidden`` the other layers, of a baseline that keeps retrained twins.
    area : str
        The part of the report that shows it, a key of `AREAS`.
    of : tuple of str
        Of what it is measured: `PICTURES`, `CLASSES`, `NUMBERS`.
    explanation : str
        One sentence or two for the reader of a report.
    lowest, highest : float
        The values that it can have at all; infinite where nothing bounds it.
    unit : tuple of str
        What its number of observations counts, one and many; ``subject`` where those are counted, which in a
        panel without subjects are pictures, or rows; ``picture`` where a table's rows are counted too: see
        `modelcheck.comparison.unit_of`.
    whole : bool
        Whether its value counts whole things; where `highest` does not bound them they are classes,
        so that there are at most as many as the panel has.
    two_classes : bool
        Whether it is asked of networks of two classes alone, of which the last is the positive one.
    spelled : str
        Its name in words where the rule does not give it: abbreviations.
    beside : str
        Its name beside the name of what it is about, ``accuracy`` in "accuracy of ada"; empty where
        that is its name in words.
    brief : str
        What its column of the terminal says, in a few words.
    spread : float or None
        How far a training with another seed moves it, to either side: its interval where fewer than
        three retrained twins calibrate it. Seen on CMU Faces in retrained, halved, deeper and wider
        networks. None for a metric without such an interval.
    chance : float or None
        Where what says nothing stands by construction: the floor of the calibrated scale in the
        place of untrained twins, which scatter around it. None where only those know.
    awaits_twins : bool
        Whether it cannot be measured before the baseline is calibrated with retrained twins, and is
        planned all the same.
    takes : tuple of str
        What it takes of the candidate beside answers, parts of an `modelcheck.comparison.Offer`: a
        file that ships cannot be asked for every part.
    narrows : {'', 'share', 'change', 'mean'}
        How more observations narrow its interval; see `modelcheck.metrics.power.observations_to_decide`.
        Empty where they do not: its interval is none of sampling, or it has none.
    mean_of : str
        The metric whose mean over all subjects it is; the report shows the two in one chart.
    room : float
        How far below what the release itself reaches a starting limit lies that is made for it, or
        above it where less is better; 0 for a metric for which none is made.
    span : tuple of float
        What the axis of its chart shows at least.
    shown : mapping of str to int
        Where it is shown on its own, keys of `PLACES`, and its rank there: 1 is named first, and
        left out last.

    Examples
    --------
    >>> from modelcheck.comparison import METRICS
    >>> METRICS["natural_recognition"].title, METRICS["map_ssim"].title, METRICS["map_ssim"].head
    ('Natural recognition', 'Map SSIM', 'map SSIM')
    """

    name: str
    domain: str
    area: str
    of: tuple[str, ...] = (PICTURES,)
    explanation: str
    lowest: float = -math.inf
    highest: float = math.inf
    unit: tuple[str, str]
    whole: bool = False
    two_classes: bool = False
    spelled: str = ""
    beside: str = ""
    brief: str = ""
    spread: float | None = None
    chance: float | None = None
    awaits_twins: bool = False
    takes: tuple[str, ...] = ()
    narrows: Narrowing | Literal[""] = ""
    mean_of: str = ""
    room: float = 0.0
    span: tuple[float, float] = (0.0, 1.0)
    shown: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def title(self) -> str:
        """The name in words, as a heading: ``Natural recognition``."""
        return self.spelled or self.name.replace("_", " ").capitalize()

    @property
    def head(self) -> str:
        """The name in words, within a sentence or above a column: ``natural recognition``."""
        first, *rest = self.title.split(" ")
        return " ".join([first if first.isupper() else first.lower(), *rest])

    @property
    def about(self) -> str:
        """The kind of thing that it has one value for; empty for the network as a whole."""
        return ABOUT[self.domain]
