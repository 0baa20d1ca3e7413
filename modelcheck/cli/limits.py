"""What a panel and a baseline can be asked, and the limits to start from that fit them."""

from __future__ import annotations

import glob
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING

from modelcheck.support.escaping import clean
from modelcheck.support.tables import toml_document

if TYPE_CHECKING:
    from modelcheck.judgement.measured import Measured
    from modelcheck.panel import AnyPanel, TablePanel
    from modelcheck.signature import Record, TableSignature

__all__ = ["Questions", "find_questions", "fit_to_release", "missing_rows", "starter_criteria", "starter_text"]

_ROW = "[[criterion]]\n"
_PARTS_OF_PICTURES = ("places", "subjects", "regions", "triggers")
_PARTS_OF_TABLE = ("drivers", "subjects", "populations", "divisions")
# Of a table, what it takes to ask for metrics that have one value for each of these, or for an area.
_NEEDS = {"subject": "subjects", "population": "populations", "division": "divisions", "effect": "divisions"}
_NEEDS |= {"column": "drivers", "drivers": "drivers"}
_SO_FAR = {"at_least": " at the least", "at_most": " at the most"}
_MOST = 8  # rows of their own for one metric: beyond that one row holds for all


@dataclass(frozen=True, kw_only=True)
class Questions:
    """What can be asked of a candidate, as far as panel and baseline say.

    Parameters
    ----------
    subjects : bool
        Whether several pictures of the panel share a subject.
    regions : bool
        Whether it says where the evidence must lie.
    places : bool
        Whether the baseline's recipe exchanges parts of pictures; True where there is none yet.
    triggers : bool
        Whether the baseline has clean twins enough to look for planted triggers.
    table : {'', 'classes', 'numbers'}
        What the target is of, where all of it is about rows of a table, and not about pictures.
    drivers : bool
        Of a table, whether the baseline's recipe exchanges values between rows; True where there is
        none yet.
    populations : bool
        Of a table, whether it names a sub-population of rows enough.
    divisions : bool
        Of a table, whether something divides it into two of those or more.
    """

    subjects: bool = False
    regions: bool = False
    places: bool = True
    triggers: bool = False
    table: str = ""
    drivers: bool = True
    populations: bool = False
    divisions: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """The optional parts of limits and suites that fit."""
        names = _PARTS_OF_TABLE if self.table else _PARTS_OF_PICTURES
        return tuple(name for name in names if getattr(self, name))


def find_questions(panel: AnyPanel | None, baseline: Record | None) -> Questions:
    """Return what can be asked, from what there is.

    Parameters
    ----------
    panel : AnyPanel or None
        The held-out pictures, or rows of a table; None where they are not there yet.
    baseline : Record or None
        The approved network's; None where it is not there yet, or where it is of the other kind.

    Examples
    --------
    >>> from modelcheck import Panel, read_signature
    >>> find_questions(Panel.load("baselines/drawn-faces/panel.npz"), read_signature("baselines/drawn-faces")).parts
    ('places', 'subjects', 'regions', 'triggers')
    >>> find_questions(None, None).parts
    ('places',)
    """
    from modelcheck.metrics.triggers.detection import MIN_TWINS
    from modelcheck.panel import TablePanel
    from modelcheck.signature import TableSignature

    if isinstance(panel, TablePanel) or (panel is None and isinstance(baseline, TableSignature)):
        return _find_questions_of_table(panel, baseline if isinstance(baseline, TableSignature) else None)
    if isinstance(baseline, TableSignature):
        baseline = None
    return Questions(
        subjects=panel is not None and panel.shared_subjects is not None,
        regions=panel is not None and panel.regions is not None,
        places=baseline is None or bool(baseline.recipe.exchange_pictures),
        triggers=baseline is not None
        and bool(baseline.stickers)
        and 1 + len(baseline.twins_like(baseline)) >= MIN_TWINS,
    )


def _find_questions_of_table(panel: TablePanel | None, baseline: TableSignature | None) -> Questions:
    from modelcheck.panel.populations import list_populations

    groups = (panel.groups if panel is not None else baseline.groups if baseline is not None else None) or {}
    classes = panel.class_names if panel is not None else baseline.class_names if baseline is not None else ()
    found = list_populations(groups)
    return Questions(
        table="classes" if classes else "numbers",
        subjects=panel is not None and panel.shared_subjects is not None,
        drivers=baseline is None or bool(baseline.recipe.exchange_rows),
        populations=bool(found.measured),
        divisions=bool(found.divisions),
    )


def starter_criteria(questions: Questions) -> str:
    """Return the limits to start from, one row for each metric that a suite can ask.

    Examples
    --------
    >>> 'metric = "subject_accuracy"' in starter_criteria(Questions())
    False
    >>> 'metric = "effect_gap"' in starter_criteria(Questions(table="classes", divisions=True))
    True
    """
    if questions.table:
        text = starter_text("criteria_table.toml")
        rows = [row for metric, row in _split(text) if _fits(metric, questions)]
        return "\n".join([text.split(f"\n{_ROW}")[0].rstrip("\n") + "\n", *rows])
    return "\n".join(starter_text(name) for name in ("criteria.toml", *_part_files(questions)))


def missing_rows(text: str, questions: Questions) -> dict[str, str]:
    """Return the rows, by metric, that fit and whose metric has no row in a file of criteria.

    Parameters
    ----------
    text : str
        The file's, in TOML.
    questions : Questions
        What can be asked.

    Raises
    ------
    ValueError
        When the text is no TOML.

    Examples
    --------
    >>> text = starter_criteria(Questions())
    >>> list(missing_rows(text, Questions())), list(missing_rows(text, Questions(triggers=True)))
    ([], ['trigger', 'reach'])
    """
    known = {row.get("metric") for row in _read_rows(text)}
    return {metric: row for metric, row in _split(starter_criteria(questions)) if metric not in known}


def _fits(metric: str, questions: Questions) -> bool:
    """Say whether a metric can be asked of a table."""
    from modelcheck.comparison import METRICS

    row = METRICS[metric]
    needs = {part for part in (_NEEDS.get(row.about), _NEEDS.get(row.area)) if part}
    return questions.table in row.of and needs <= set(questions.parts)


def fit_to_release(text: str, baseline: Record) -> tuple[list[str], list[str]]:
    """Give what the release itself does not clear by a margin a limit of its own, below what the release reaches.

    Only where the starting limit is as it was written, and alone: what somebody chose stays, and no
    limit is loosened twice.

    Parameters
    ----------
    text : str
        A file of criteria, in TOML.
    baseline : Record
        The release's.

    Returns
    -------
    rows : list of str
        The rows to add, on single subjects and classes.
    said : list of str
        A line on each of them.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> _, said = fit_to_release(starter_criteria(Questions(subjects=True)), read_signature("baselines/drawn-faces"))
    >>> [line.split(":")[0] for line in said]
    ['subject_accuracy[visitor_ravi]', 'subject_accuracy[visitor_zoe]']
    """
    from modelcheck.comparison import METRICS

    known = _read_rows(text)
    measured = _measure_release(baseline)
    asked = replace(find_questions(None, baseline), subjects=True)
    rows, said = list[str](), list[str]()
    for metric, row in _split(starter_criteria(asked)):
        ours = toml_document(row.encode())["criterion"]
        if not METRICS[metric].room or [other for other in known if other.get("metric") == metric] != ours:
            continue
        end, sign = ("at_least", 1) if "at_least" in ours[0] else ("at_most", -1)
        room, limit = METRICS[metric].room, sign * ours[0][end]
        # What cannot be measured of the release gets no limit of its own.
        low: dict[str | None, float] = {
            item.about: item.value for item in measured if item.metric == metric and sign * item.value - room < limit
        }
        if len(low) > _MOST:
            low = {None: sign * min(sign * value for value in low.values())}  # for all of them: no name is None
        for about, value in low.items():
            fitted = max(0.01, sign * math.floor(100 * (sign * value - room)) / 100)
            by_chance = sign > 0 and fitted <= 1 / len(baseline.class_names)
            rows.append(_write_row(metric, about, limit=(end, fitted), reached=value, advisory=by_chance))
            of_whom = "[*]" if about is None else f"[{clean(about)}]" if about else ""
            said.append(
                f"{metric}{of_whom}: the release itself reaches {value:.2f}, so the limit "
                f"is {fitted:g}{', which chance reaches: it gates nothing.' if by_chance else '.'}"
            )
    return rows, said


def _read_rows(text: str) -> list[dict[str, object]]:
    """Return the rows of a file that somebody may have written: what is no row is for the gate to refuse."""
    rows = toml_document(text.encode()).get("criterion", [])
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _measure_release(baseline: Record) -> Sequence[Measured]:
    """Return how right a release is on its own panel."""
    from modelcheck.comparison import compare
    from modelcheck.comparison.answers import measure_answers
    from modelcheck.signature import TableSignature

    if isinstance(baseline, TableSignature):
        return list(compare(baseline, baseline).measures.values())
    return list(measure_answers(baseline, baseline))


def _write_row(metric: str, about: str | None, *, limit: tuple[str, float], reached: float, advisory: bool) -> str:
    lines = [f'metric = "{metric}"']
    if about != "":
        # A name may hold what a glob means otherwise.
        pattern = "*" if about is None else glob.escape(about)
        # JSON strings are TOML strings, but for one character.
        quoted = json.dumps(pattern, ensure_ascii=False).replace("\x7f", "\\u007f")
        lines += [f"about = {quoted}", "optional = true"]
    lines += [f"{limit[0]} = {limit[1]:g}", *(["advisory = true"] if advisory else [])]
    so_far = _SO_FAR[limit[0]] * (about is None)
    lines += [f'why = "The release itself reaches {reached:.2f} here{so_far}: known, and watched."']
    return _ROW + "\n".join(lines) + "\n"


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Yield the rows of our own text, by metric."""
    for part in f"\n{text}".split(f"\n{_ROW}")[1:]:
        row = _ROW + part.strip("\n") + "\n"
        yield toml_document(row.encode())["criterion"][0]["metric"], row


def _part_files(questions: Questions) -> Iterable[str]:
    return (f"criteria_{part}.toml" for part in questions.parts)


def starter_text(name: str) -> str:
    """Return one of the files that new projects start from."""
    return (files("modelcheck.cli") / "starter" / name).read_text(encoding="utf-8")
