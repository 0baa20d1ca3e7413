"""The sentences that say why a candidate did not pass: one function for each family of checks.

Each takes the failures of its family, the worst first, and returns the sentence, what would mend it
(empty where nobody can say), and the class that it is about (empty for none).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from modelcheck.comparison import Comparison
from modelcheck.comparison.controversial import name_place
from modelcheck.judgement.findings import Finding
from modelcheck.report.words import (
    OF_PICTURES,
    Noun,
    clean,
    count,
    head,
    name_about,
    number,
    observations,
    one_line,
)

__all__ = ["FAMILIES", "Facts"]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known beside the findings of one family."""

    comparison: Comparison | None
    noun: Noun
    of: str

    @property
    def things(self) -> str:
        """What the panel holds: pictures, or rows."""
        return "pictures" if self.of == OF_PICTURES else "rows"


_Say = Callable[[Sequence[Finding], Facts], tuple[str, str, str]]
"""Says one family's failures, the worst first: the sentence, what mends it, and the class it is about."""


def _percent(value: float) -> str:
    return f"{100 * value:.0f}\N{NO-BREAK SPACE}%"


def _named(name: str) -> str:
    return f"'{clean(name, longest=60)}'"


def _count_missed(facts: Facts, role: str, class_name: str) -> tuple[int, int] | None:
    """Return how many of a class's pictures a network misses, and of how many; None where nobody knows."""
    if facts.comparison is None or class_name not in facts.comparison.baseline.class_names:
        return None
    at = list(facts.comparison.baseline.class_names).index(class_name)
    row = facts.comparison.statistics[role].confusion[at]
    return int(row.sum() - row[at]), int(row.sum())


def _say_missed(facts: Facts, class_name: str) -> str:
    own, other = (_count_missed(facts, role, class_name) for role in ("candidate", "baseline"))
    if own is None or other is None:
        return ""
    return f"it misses {own[0]} of {own[1]} {_named(class_name)} pictures (the baseline {other[0]})"


def _say_trigger(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    scan = None if facts.comparison is None else facts.comparison.trigger
    if facts.comparison is None or scan is None:
        times = number(here[0].measured.value)
        return (
            f"A small sticker moves its answer {times} times as far as the limit that clean networks keep.",
            "Look in the training pictures for a mark that goes along with one class, and train without it.",
            "",
        )
    place = scan.place
    name = facts.comparison.candidate.class_names[place.target]
    box = place.top, place.left, place.top + place.height, place.left + place.width
    where = name_place(box, size=(scan.map.shape[0], scan.map.shape[1]))
    missed = _count_missed(facts, "candidate", name)
    rest = f"; without it, {_say_missed(facts, name)}" if missed and missed[0] * 4 > missed[1] else ""
    return (
        f"A {place.pattern} {place.family} in the {where} pushes the answer towards {_named(name)} as in no clean "
        f"network{rest}.",
        f"Look at the {where} of the training pictures of {_named(name)}: take the mark out, or put it on other "
        "classes as often, and train again.",
        name,
    )


def _say_places(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    shown = None if facts.comparison is None else facts.comparison.exchanges
    if here[0].measured.metric != "place_distance" or shown is None:
        times = number(here[0].measured.value)
        return (
            f"It decides by other parts of the picture than the baseline: {times} times as far from it as training "
            "again goes.",
            "Look in the training pictures for what stands in one place of one class only, and train without it.",
            "",
        )
    others = shown.references_changed
    beside = f"{max(others)}" if min(others) == max(others) else f"{min(others)} to {max(others)}"
    who = "the baseline" if len(others) == 1 else "the baseline and its twins"
    return (
        f"It decides by the {shown.place}: with that part of another picture it changes its answer on {shown.changed} "
        f"of {shown.n} pictures, {who} on {beside}.",
        f"Look at the {shown.place} of the training pictures: what stands there for one class only must go, or stand "
        "beside every class.",
        "",
    )


def _say_class(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    item = here[0].measured
    names = list(dict.fromkeys(found.about for found in here))
    more = f"; {count(len(names) - 1, 'more class', 'more classes')} did not pass either" if len(names) > 1 else ""
    said = _say_missed(facts, item.about)
    if not said:
        was = f" (the baseline {_percent(item.baseline)})" if item.baseline is not None else ""
        change = item.metric == "class_change"
        amount = f"{_percent(-item.value)} fewer of {_named(item.about)} right than the baseline" if change else ""
        said = f"it has {amount or f'{_percent(item.value)} of {_named(item.about)} right{was}'}"
    return (
        f"{said[0].upper()}{said[1:]}{more}.",
        f"Look at the {_named(item.about)} {facts.things} that turned wrong; train with more like them.",
        item.about,
    )


def _say_subject(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    by_metric = {found.measured.metric: found.measured for found in reversed(here)}
    item = by_metric.get("subject_accuracy") or here[0].measured
    names = list(dict.fromkeys(found.about for found in here))
    one, many = facts.noun
    others = len(names) - 1
    more = f"; {count(others, f'more {one}', f'more {many}')} did not pass either" if others else ""
    if item.metric == "subject_accuracy":
        was = f", the baseline on {_percent(item.baseline)}" if item.baseline is not None else ""
        said = f"It is right on {_percent(item.value)} of the {facts.things} of {item.about}{was}"
    elif item.metric == "subject_change":
        said = f"It is right on {_percent(-item.value)} fewer of the {facts.things} of {item.about} than the baseline"
    else:
        said = f"On {item.about} it is wrong by {number(item.value)} standard deviations of the target"
    return f"{said}{more}.", f"Look at the {facts.things} of {item.about} that turned wrong, for what they share.", ""


def _say_accuracy(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    by_metric = {found.measured.metric: found for found in reversed(here)}
    found = by_metric.get("group_accuracy") or here[0]
    item = found.measured
    rested = observations(item.metric, item.n, noun=facts.noun, of=facts.of)
    match item.metric:
        case "group_accuracy":
            was = f"; the baseline {_percent(item.baseline)}" if item.baseline is not None else ""
            said = f"Over {rested} it is right {_percent(item.value)} of the time{was}."
        case "accuracy_change":
            said = f"Over {rested} it is right {_percent(-item.value)} less often than the baseline."
        case "answers":
            said = f"It answers only {item.value:.0f} of the classes, whatever it is shown."
        case "kappa":
            said = f"It often answers otherwise than the baseline: agreement beyond chance is {number(item.value)}."
        case _:
            return _say_other(here, facts)
    return said, f"Look at the held-out {facts.things} that turned wrong.", ""


def _say_decision(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    fix = "Compare the classes' training pictures with the release's: another cut, another label or another mark."
    answers = () if facts.comparison is None else facts.comparison.map_answers
    known = [item for item in answers if math.isfinite(item.value)]
    if facts.comparison is None or not known:
        said = f"It does not know the {facts.things} that make the baseline surest: {_line(here[0], facts)}."
        return said, fix if facts.of == OF_PICTURES else "Look at the profiles side by side.", ""
    worst = min(known, key=lambda item: item.value)
    names = facts.comparison.baseline.class_names
    shown, answer = names[worst.shown], names[worst.answer]
    made = f"Shown the picture that makes the baseline surest of {_named(shown)}, it"
    if worst.answer != worst.shown:
        return f"{made} says {_named(answer)}.", fix, shown
    return (
        f"{made} is far less sure of that than networks that were trained again: {_line(here[0], facts)}.",
        fix,
        shown,
    )


def _say_dead(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    item = here[0].measured
    units = observations(item.metric, item.n, noun=facts.noun, of=facts.of)
    said = f"In {item.about} only {_percent(item.value)} of {units} react to any picture: the others are dead or stuck."
    return said, "Train again with a lower learning rate, or from another seed.", ""


def _say_hidden(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    names = list(dict.fromkeys(found.about for found in here))
    layers = ", ".join(names[:3]) + (f" and {count(len(names) - 3, 'more layer')}" if len(names) > 3 else "")
    verb = "looks" if len(names) == 1 else "look"
    return (
        f"Inside, {layers} {verb} for other things than in the baseline: {_line(here[0], facts)}.",
        "Look at the units of that layer side by side; what only one network looks for says what it learned from.",
        "",
    )


def _say_attention(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    item = here[0].measured
    looks = f"On {_named(item.about)} pictures it looks past the region where the evidence is"
    was = f" (baseline {number(item.baseline)})" if item.baseline is not None else ""
    match item.metric:
        case "mass_over_area":
            said = f"{looks}: the region holds {number(item.value)} times its share of the relevance{was}."
        case "pointing":
            said = f"{looks}: the most relevant pixel lies inside in {_percent(item.value)} of them."
        case "mass_change":
            said = f"{looks}: {_percent(-item.value)} less of the relevance lies inside than in the baseline."
        case _:
            said = f"{looks}, as if it were untrained: {_line(here[0], facts)}."
    return said, "Look at what is bright outside the outline; crop or vary it in the training pictures.", ""


def _say_method(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    method = here[0].about
    said = f"The maps of {method} say little about this network, so nothing rests on them: {_line(here[0], facts)}."
    return said, "Name another method in the recipe, and approve the baseline with it.", ""


def _say_reach(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    found = None if facts.comparison is None else facts.comparison.reach
    times = number(here[0].measured.value)
    if facts.comparison is None or found is None or not np.isfinite(found.ratios).any():
        towards, name = "some class", ""
    else:
        name = facts.comparison.candidate.class_names[int(np.nanargmax(found.ratios))]
        towards = _named(name)
    said = f"Some picture drives it towards {towards} {times} times as far as the limit that clean networks keep."
    return said, f"Look at the picture that ascent found for {towards}, and in its training pictures for it.", name


def _say_conversion(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    made = None if facts.comparison is None else facts.comparison.conversion
    if made is None:
        said = f"The file is not what its source is: {_line(here[0], facts)}."
        return said, "Convert again with more calibration pictures, or in larger numbers.", ""
    changed = f"It answers {len(made.changed)} of {count(made.n, 'picture')} otherwise than its source"
    if not made.breaks:
        return f"{changed}.", "Convert again with more calibration pictures, or in larger numbers.", ""
    layer = clean(made.breaks, longest=60)
    return f"{changed}; {layer} is the first layer that breaks.", f"Convert again, and keep {layer} in float.", ""


def _say_driver(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    by_metric = {found.measured.metric: found.measured for found in reversed(here)}
    item = by_metric.get("driver_share") or here[0].measured
    name = item.about
    if item.metric == "driver_share":
        was = f" (the baseline {_percent(item.baseline)})" if item.baseline is not None else ""
        said = f"{name} holds {_percent(item.value)} of what decides its answers{was}."
    elif item.metric == "driver_change":
        more = "more" if item.value > 0 else "less"
        said = f"{name} decides {more} than before: {_percent(abs(item.value))} of the evidence {more}."
    else:
        return (
            f"Other variables decide than in the baseline: {_line(here[0], facts)}.",
            "Look at the variables whose share moved most.",
            "",
        )
    return said, f"Train without {name}, or with rows in which it does not go along with the answer.", ""


def _say_effect(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    item = here[0].measured
    said = f"{item.about} moves its answers otherwise than before, by {number(item.value)} of their spread."
    return said, f"Look at the curve of {item.about}: where it bends, the training rows differ.", ""


def _say_population(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    item = here[0].measured
    name = name_about(item.metric, item.about)
    match item.metric:
        case "effect_gap":
            column, _, division = item.about.rpartition("|")
            apart = f"{number(item.value)} of the answers' spread apart"
            said = f"{column} moves its answers differently by {division}: {apart}."
        case "by_group_accuracy":
            was = f" (the baseline {_percent(item.baseline)})" if item.baseline is not None else ""
            said = f"Of {name} it has {_percent(item.value)} of the rows right{was}."
        case "by_group_error" | "error_difference":
            said = f"It is not as good for everyone: {_line(here[0], facts)}."
        case _:
            said = f"By {name} it is not the same for everyone: {head(item.metric)} {_percent(item.value)}."
    return said, "Look at the group that comes off worst; train with more rows of it.", ""


def _say_other(here: Sequence[Finding], facts: Facts) -> tuple[str, str, str]:
    more = f"; and {count(len(here) - 1, 'more check')}" if len(here) > 1 else ""
    return f"{_line(here[0], facts)}{more}.", "", ""


def _line(found: Finding, facts: Facts) -> str:
    return one_line(found, noun=facts.noun, of=facts.of)


# What explains most stands first: a planted mark says more than the people on whom it costs.
FAMILIES: dict[str, _Say] = {
    "trigger": _say_trigger,
    "places": _say_places,
    "conversion": _say_conversion,
    "drivers": _say_driver,
    "effects": _say_effect,
    "populations": _say_population,
    "class": _say_class,
    "subject": _say_subject,
    "accuracy": _say_accuracy,
    "decision": _say_decision,
    "reach": _say_reach,
    "dead": _say_dead,
    "hidden": _say_hidden,
    "attention": _say_attention,
    "method": _say_method,
    "other": _say_other,
}
