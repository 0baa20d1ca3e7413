"""How numbers, names, findings, reasons and next steps are written for people.

This is the one place that makes sentences of them. Facts come in as values, `Finding` and the rows
of the verdict document; no sentence is ever taken apart again. Everything that comes from outside
is cleaned here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modelcheck.comparison import AREAS as _CATALOGUE_AREAS
from modelcheck.comparison import CLASSES, METRICS, NUMBERS, count_missing, unit_of
from modelcheck.comparison import PICTURES as OF_PICTURES
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.document import VerdictDocument
from modelcheck.judgement.findings import Finding, Verdict
from modelcheck.support.escaping import clean
from modelcheck.support.numbers import MINUS, NOTHING, number
from modelcheck.support.provenance import Difference

__all__ = [
    "AREAS",
    "COUNTS",
    "MINUS",
    "NOTHING",
    "OF_PICTURES",
    "PICTURES",
    "ROWS",
    "STATES",
    "SUBJECTS",
    "Noun",
    "area_of",
    "call",
    "choose_noun",
    "clean",
    "compare_sizes",
    "count",
    "describe_augmentation",
    "describe_difference",
    "describe_interface",
    "format_bytes",
    "format_objective",
    "format_with_interval",
    "gravest",
    "group_digits",
    "head",
    "limits",
    "material_of",
    "meaning",
    "name_about",
    "noun_of",
    "number",
    "observations",
    "one_line",
    "plain",
    "proportion",
    "surroundings",
    "title",
    "typeset",
    "what_decides",
    "worst",
]

STATES = tuple(reversed(Verdict))  # most severe first
# The areas of the catalogue with their headings, and the metrics whose values are whole numbers.
AREAS = {key: area.title for key, area in _CATALOGUE_AREAS.items()}
COUNTS = tuple(name for name, metric in METRICS.items() if metric.whole)
_NEGATIVE = re.compile(r"(?<![\w.-])-(?=\.?\d)")
_LAYERS_SHOWN = 4
Noun = tuple[str, str]
SUBJECTS: Noun = ("subject", "subjects")
PICTURES: Noun = ("picture", "pictures")
ROWS: Noun = ("row", "rows")
_FRACTIONS = (
    (1.0, "as many"),
    (0.5, "half the"),
    (1 / 3, "a third of the"),
    (0.25, "a quarter of the"),
    (2.0, "twice the"),
)


def choose_noun(subjects: Sequence[str], given: Sequence[str] = (), *, of: str = OF_PICTURES) -> Noun:
    """Return what one and several of a panel's independent units are called.

    Parameters
    ----------
    subjects : sequence of str
        The panel's; empty where every picture or row counts by itself.
    given : sequence of str
        What the settings call one and several subjects, where they do (``subject_name``).
    of : str
        What the panel holds: see `modelcheck.comparison.tell_material`.

    Examples
    --------
    >>> choose_noun(["p1", "p2"]), choose_noun(["p1", "p2"], ["patient", "patients"]), choose_noun([])
    (('subject', 'subjects'), ('patient', 'patients'), ('picture', 'pictures'))
    >>> choose_noun([], of="classes")
    ('row', 'rows')
    """
    if not subjects:
        return PICTURES if of == OF_PICTURES else ROWS
    one, many = given or SUBJECTS
    return clean(one, longest=40), clean(many, longest=40)


def noun_of(document: VerdictDocument) -> Noun:
    """Return what a verdict calls one and several of the panel's independent units; see `choose_noun`."""
    panel, settings = document["panel"], document["settings"]
    given = settings.get("subject_name", ()) if settings else ()
    return choose_noun(panel["subjects"] if panel else SUBJECTS, given, of=material_of(document))


def material_of(document: VerdictDocument) -> str:
    """Return what a verdict was judged on: pictures, or rows of a table with a target of classes or of numbers.

    See `modelcheck.comparison.tell_material`; pictures where there is no panel.
    """
    panel = document["panel"]
    if panel is None or "rows" not in panel:
        return OF_PICTURES
    return CLASSES if panel["classes"] else NUMBERS


def title(metric: str) -> str:
    """Return a metric's name in words; an unknown metric is its own name.

    Examples
    --------
    >>> title("mass_over_area"), head("mass_over_area"), title("cka"), head("cka")
    ('Mass over area', 'mass over area', 'CKA', 'CKA')
    """
    return METRICS[metric].title if metric in METRICS else clean(metric).replace("_", " ")


def head(metric: str) -> str:
    """Return a metric's name in words as it stands within a sentence or above a column."""
    return METRICS[metric].head if metric in METRICS else title(metric)


def meaning(metric: str) -> str:
    """Return what a metric says; nothing of an unknown one."""
    return METRICS[metric].explanation if metric in METRICS else ""


def area_of(metric: str) -> str:
    """Return the part of the report that a metric belongs to, a key of `AREAS`."""
    return METRICS[metric].area if metric in METRICS else "other"


def format_bytes(size: int) -> str:
    """Return the size of a file, ``70 kB`` or ``1.2 MB``."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def format_objective(value: float) -> str | None:
    """Return the objective on a unit's map in words; None for a unit without a map."""
    return number(value) if math.isfinite(value) else None


def format_with_interval(
    value: float | None, interval: tuple[float, float] | list[float | None] | None, *, whole: bool = False
) -> str:
    """Return a value with its interval, ``0.50 (0.31 to 0.69)``."""
    if value is None or not math.isfinite(value):
        return "not measured"
    if interval is None or any(end is None or not math.isfinite(end) for end in interval):
        return number(value, whole=whole)
    return f"{number(value, whole=whole)} ({number(interval[0])} to {number(interval[1])})"


def limits(criterion: Criterion | None, *, signs: bool = False) -> str:
    """Return limits in words, ``at least 0.5``, or signs, ``≥ 0.5``; a dash for no criterion.

    Examples
    --------
    >>> limits(Criterion(metric="driver_change", at_least=-0.1, at_most=0.1, why="as agreed"))
    'within ±0.1'
    """
    if criterion is None:
        return NOTHING
    if criterion.at_least is not None and criterion.at_most == -criterion.at_least:
        return f"within ±{criterion.at_most:g}"
    low, high = ("≥", "≤") if signs else ("at least", "at most")
    # As it was written: a limit that is rounded would look like another one.
    parts = [
        f"{word} {end:g}" for word, end in ((low, criterion.at_least), (high, criterion.at_most)) if end is not None
    ]
    return " and ".join(parts).replace("-", MINUS)


def name_about(metric: str, about: str) -> str:
    """Return what a value is about, for people: a variable and what divides the rows as ``age by sex``.

    Examples
    --------
    >>> name_about("effect_gap", "age|sex"), name_about("driver_share", "age|sex")
    ('age by sex', 'age|sex')
    """
    if metric in METRICS and METRICS[metric].about == "effect":
        column, _, division = about.rpartition("|")
        return f"{clean(column)} by {clean(division)}"
    return clean(about)


def one_line(found: Finding, *, noun: Noun = SUBJECTS, of: str = OF_PICTURES) -> str:
    """Return what did not pass in a few words, the number and the limit first; see `noun_of` and `material_of`.

    Examples
    --------
    >>> from modelcheck.judgement.findings import judge
    >>> from modelcheck.judgement.measured import Measured
    >>> limit = Criterion(metric="subject_accuracy", at_least=0.75, why="As agreed.")
    >>> one_line(judge(Measured(metric="subject_accuracy", about="ada", value=0.5, n=24), limit))
    'accuracy of ada 0.50 < 0.75 (24 pictures)'
    """
    item, rule = found.measured, found.criterion
    metric = METRICS.get(item.metric)
    name = (metric.beside if metric and item.about else "") or head(item.metric)
    about = clean(name_about(item.metric, item.about), longest=60)
    named = f"{name} of {about}" if about else name
    if not math.isfinite(item.value):
        why = f": {clean(item.evidence, longest=300)}" if item.evidence else ""
        return f"{named} not measured, must be {limits(rule, signs=True)}{why}"
    below = rule.at_least is not None and item.value < rule.at_least
    above = rule.at_most is not None and item.value > rule.at_most
    crossed = rule.at_least if below else rule.at_most if above else None
    value = number(item.value, whole=item.metric in COUNTS)
    if crossed is not None and abs(float(value.replace(MINUS, "-")) - crossed) < 1e-12:
        value = f"{item.value:.4g}".replace("-", MINUS)  # rounded, it would look as if it lay on the limit
    limit = limits(rule, signs=True) if crossed is None else f"{'<' if below else '>'} {crossed:g}".replace("-", MINUS)
    interval = ""
    if found.verdict is Verdict.INCONCLUSIVE and item.interval is not None:
        interval = f" ({number(item.interval[0])} to {number(item.interval[1])})"
    facts = [observations(item.metric, item.n, noun=noun, of=of)] if item.n is not None else []
    decides = what_decides(found, noun=noun, of=of)
    facts += [decides] if decides else []
    return f"{named} {value}{interval} {limit}" + (f" ({'; '.join(facts)})" if facts else "")


def call(network: Mapping[str, Any] | None) -> str:
    """Return what a person calls a network: its file's name, and the name in it where there is no file.

    Examples
    --------
    >>> call({"name": "release", "file": "networks/retrained.keras"}), call({"name": "net", "file": ""}), call(None)
    ('retrained.keras', 'net', '')
    """
    if not network:
        return ""
    file = str(network.get("file") or "").replace("\\", "/").rstrip("/").rpartition("/")[2]
    return clean(file or str(network.get("name") or ""), longest=60)


def plain(found: Finding, *, noun: Noun = SUBJECTS, of: str = OF_PICTURES) -> str:
    """Return a finding as one sentence for who never saw the suite; see `noun_of` and `material_of`."""
    item = found.measured
    about = f" ({name_about(item.metric, item.about)})" if item.about else ""
    whole = item.metric in COUNTS
    value = format_with_interval(item.value, item.interval, whole=whole)
    parts = [f"{title(item.metric)}{about}: {value}, must be {limits(found.criterion)}"]
    if item.baseline is not None:
        parts.append(f"baseline {number(item.baseline, whole=whole)}")
    if item.n is not None:
        parts.append(observations(item.metric, item.n, noun=noun, of=of))
    decides = what_decides(found, noun=noun, of=of)
    return "; ".join([*parts, decides] if decides else parts) + "."


def what_decides(found: Finding, *, noun: Noun = SUBJECTS, of: str = OF_PICTURES) -> str:
    """Return how many more observations would settle an inconclusive finding, in words; empty for any other.

    See `modelcheck.comparison.count_missing`; the number is rounded up to two digits.

    Examples
    --------
    >>> from modelcheck.judgement.findings import judge
    >>> from modelcheck.judgement.measured import Measured
    >>> limit = Criterion(metric="class_accuracy", at_least=0.75, why="As agreed.")
    >>> what_decides(judge(Measured(metric="class_accuracy", value=0.6, interval=(0.39, 0.78), n=20), limit))
    'about 12 more pictures of this class would decide it'
    """
    missing = count_missing(found)
    if not missing:
        return ""
    unit = unit_of(found.measured.metric, noun=noun, of=of)
    if math.isinf(missing):
        return f"more {unit[1]} alone would not decide it"
    step = 10 ** max(len(f"{missing:.0f}") - 2, 0)
    amount = math.ceil(missing / step) * step
    thing = {"subject": noun[0], "class_name": "class", "population": "sub-population"}.get(
        METRICS[found.measured.metric].about
    )
    of = f" of this {thing}" if thing else ""
    return f"about {count(amount, *(f'more {word}' for word in unit))}{of} would decide it"


def typeset(text: str) -> str:
    """Return a text with real minus signs before its numbers.

    Examples
    --------
    >>> typeset("from -0.46 to 1, in conv-2, on 2026-01-31").replace(MINUS, "minus ")
    'from minus 0.46 to 1, in conv-2, on 2026-01-31'
    """
    return _NEGATIVE.sub(MINUS, text)


def count(amount: int, one: str, many: str | None = None) -> str:
    """Return an amount with its noun, ``1 picture`` or ``2 pictures``; thousands are set apart."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}".replace(",", "\u2009")


def observations(metric: str, n: int | None, *, noun: Noun = SUBJECTS, of: str = OF_PICTURES) -> str:
    """Return how many observations a value rests on, in the metric's own unit; a dash for none.

    Examples
    --------
    >>> observations("subject_accuracy", 16), observations("group_accuracy", 1, noun=("person", "people"))
    ('16 pictures', '1 person')
    >>> observations("kappa", 200, of="classes")
    '200 rows'
    """
    return NOTHING if n is None else count(n, *unit_of(metric, noun=noun, of=of))


def proportion(candidate: float, baseline: float) -> str:
    """Say how a size compares with the baseline's, in words.

    Examples
    --------
    >>> proportion(64_000, 128_000), proportion(100, 100), proportion(430, 100), proportion(38, 100)
    ('half the', 'as many', '4.3 times the', '38 % of the')
    """
    ratio = candidate / baseline
    for value, word in _FRACTIONS:
        if abs(ratio - value) <= 0.03 * value:
            return word
        if value != 1 and abs(ratio - value) <= 0.1 * value:
            return f"about {word}"
    return f"{ratio:.1f} times the" if ratio > 1.2 else f"{100 * ratio:.0f} % of the"


def compare_sizes(candidate: Mapping[str, Any] | None, baseline: Mapping[str, Any] | None) -> str:
    """Return one sentence on the sizes of the two networks; empty where one is unknown."""
    if not candidate or not baseline or not candidate.get("parameters") or not baseline.get("parameters"):
        return ""
    own, other = int(candidate["parameters"]), int(baseline["parameters"])
    word = proportion(own, other)
    tail = "parameters as the baseline" if word == "as many" else "parameters of the baseline"
    sizes = group_digits(own) if own == other else f"{group_digits(own)} against {group_digits(other)}"
    return f"The candidate has {word} {tail}: {sizes}."


def describe_difference(row: Difference, *, roles: tuple[str, str] = ("baseline", "candidate")) -> str:
    """Return a setting that differs, ``keras: 3.15 (baseline), 3.16 (candidate)``."""
    return clean(f"{row['name']}: {row['baseline']} ({roles[0]}), {row['candidate']} ({roles[1]})", longest=160)


def surroundings(document: VerdictDocument, *, most: int = 4) -> str:
    """Return one sentence on what else differed between the two measurements than the network; empty for nothing."""
    provenance = document["provenance"]
    lines = [describe_difference(row) for row in provenance["differences"]] if provenance else []
    if not lines:
        return ""
    more = f"; and {len(lines) - most} more" if len(lines) > most else ""
    return f"Measured with other versions or on another machine: {'; '.join(lines[:most])}{more}."


def describe_augmentation(network: Mapping[str, Any] | None) -> str:
    """Return what to heed in using a network that augments in a plain call; empty where it does not."""
    names = list((network or {}).get("augments") or ())
    if not names:
        return ""
    shown = ", ".join(repr(clean(name, longest=60)) for name in names[:_LAYERS_SHOWN])
    more = f" and {len(names) - _LAYERS_SHOWN} more" if len(names) > _LAYERS_SHOWN else ""
    return (
        f"In a plain call this network augments ({'layer' if len(names) == 1 else 'layers'} {shown}{more}): serve it "
        "with predict or training=False. So it was measured."
    )


def group_digits(amount: int) -> str:
    """Return a whole number with its thousands set apart."""
    return f"{amount:,}".replace(",", "\u2009")


def worst(findings: Sequence[Finding], most: int) -> list[int]:
    """Return the positions of the findings to name first: one of every metric, then seconds.

    Parameters
    ----------
    findings : sequence of Finding
        The verdict document's, most severe first.
    most : int
        How many at most.
    """
    seen: dict[str, int] = {}
    ranked = []
    for k, found in enumerate(findings):
        if found.red:
            metric = found.measured.metric
            ranked.append((seen.get(metric, 0), k))
            seen[metric] = seen.get(metric, 0) + 1
    return sorted(k for _, k in sorted(ranked)[:most])


def gravest(findings: Iterable[Finding]) -> str:
    """Return the most severe verdict among the findings that gate; ``info`` where none does."""
    gating = [found.verdict for found in findings if found.gating]
    return max(gating, key=lambda verdict: verdict.gravity).value if gating else "info"


def describe_interface(said: Mapping[str, Any]) -> str:
    """Return how a network's inputs and outputs were understood, in a few words; empty where nothing was said.

    Parameters
    ----------
    said : mapping
        See `modelcheck.interface.Interface.to_dict`.

    Examples
    --------
    >>> describe_interface({"label": "hat", "threshold": 0.4, "inputs": {"age": 0.5}})
    'label hat, threshold 0.4, inputs age=0.5'
    >>> describe_interface({"preprocessing": {"scale": 0.5, "mean": [1.0, 2.0], "order": "bgr"}})
    'preprocessing scale=0.5 mean=1,2 order=bgr'
    """
    return clean(", ".join(f"{name} {_describe_part(value)}" for name, value in said.items()), longest=200)


def _describe_part(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_describe_part(item).replace(' ', ',')}" for name, item in value.items())
    if isinstance(value, list):
        return " ".join(map(_describe_part, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
