"""What a network comes to as a candidate for its own place: no baseline should be one that its own gate refuses."""

from __future__ import annotations

import datetime
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modelcheck.comparison import (
    METRICS,
    PICTURES,
    Sureness,
    compare,
    measure_sureness,
    tell_record,
    unit_of,
    with_retrained,
)
from modelcheck.gate.child import ChildError
from modelcheck.gate.evidence import gather
from modelcheck.gate.judging import judge_all
from modelcheck.gate.plan import make_plan
from modelcheck.gate.settings import Settings
from modelcheck.judgement.criteria import Criterion
from modelcheck.judgement.document import VerdictDocument
from modelcheck.judgement.findings import Finding, Verdict, judge, overall, read_findings, read_limits
from modelcheck.judgement.waivers import apply_waivers
from modelcheck.report.sureness import say_sureness
from modelcheck.report.words import SUBJECTS, Noun, choose_noun, noun_of, what_decides
from modelcheck.signature import Record, TableSignature, read_manifest, read_record
from modelcheck.support.escaping import clean

__all__ = ["Trial", "gate_against_itself", "judge_again", "judge_twins"]

_SHOWN = 5
_ROWS = 12


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A network judged as a candidate for its own place.

    Parameters
    ----------
    criteria : str
        By what it was judged, in words.
    findings : tuple of Finding
        As the gate would find them, waivers of this file applied.
    refusal : str
        Why the gate would come to no verdict at all; empty where it comes to one.
    left_out : tuple of str
        What could not be judged here.
    never_failing : tuple of Criterion
        Rows that gate, and that no value can fail.
    lenient : bool
        Whether what is inconclusive is let through, as the settings say.
    uncalibrated : bool
        Whether the baseline waits for its retrained twins: what takes them is no fault of it yet.
    sureness : tuple of Sureness
        The smallest drops in accuracy that the panel finds red.
    noun : tuple of str
        What one and several of the panel's independent units are called.
    of : str
        What the networks answer; see `modelcheck.comparison.tell_material`.
    """

    criteria: str
    findings: tuple[Finding, ...] = ()
    refusal: str = ""
    left_out: tuple[str, ...] = ()
    never_failing: tuple[Criterion, ...] = ()
    lenient: bool = False
    uncalibrated: bool = False
    sureness: tuple[Sureness, ...] = ()
    noun: Noun = SUBJECTS
    of: str = PICTURES

    @property
    def awaiting(self) -> tuple[str, ...]:
        """What is red only until the baseline is calibrated."""
        return tuple(found.key for found in self.findings if found.red and self._awaits(found))

    def _awaits(self, found: Finding) -> bool:
        metric = METRICS.get(found.measured.metric)
        return self.uncalibrated and found.verdict is Verdict.UNMEASURED and metric is not None and metric.awaits_twins

    @property
    def verdict(self) -> str:
        """The gate's word; ``error`` where it comes to no verdict."""
        return "error" if self.refusal else overall(self.findings).value

    @property
    def passed(self) -> bool:
        """Whether the gate lets the network through, or will when the baseline is calibrated."""
        if self.refusal:
            return False
        allowed = {Verdict.PASS, *([Verdict.INCONCLUSIVE] if self.lenient else [])}
        return overall(found for found in self.findings if not self._awaits(found)) in allowed

    @property
    def fact(self) -> str:
        """What the history keeps of it."""
        red = [found.key for found in self.findings if found.red]
        return f"{self.verdict}, by {self.criteria}" + (f": {', '.join(red[:_SHOWN])}" if red else "")

    def lines(self) -> list[str]:
        """Return the verdict and what stands in its way, in plain lines."""
        head = f"Gating this very file against itself, by {self.criteria}: {self.verdict.upper()}"
        if self.refusal:
            return [f"{head}. {self.refusal}"]
        red = sorted((found for found in self.findings if found.red), key=lambda found: -found.verdict.gravity)
        gating = sum(found.gating for found in self.findings)
        told = f"{len(red)} of {gating} checks did not pass." if red else f"{gating} checks that gate the release."
        lines = [f"{head}, {told}"]
        lines += [f"  {_say_red(found, self.noun, of=self.of)}" for found in red[:_SHOWN]]
        lines += [f"  and {len(red) - _SHOWN} more."] if len(red) > _SHOWN else []
        if self.awaiting:
            lines.append(f"  Retrained twins are what it takes for {', '.join(self.awaiting)}: modelcheck calibrate.")
        if self.left_out:
            names = clean(", ".join(self.left_out), longest=300)
            lines.append(f"  Not judged again, for it takes the network itself: {names}.")
        lines += [f"  The limit on {row.metric}, {row.limits}, can never fail." for row in self.never_failing[:_SHOWN]]
        return [*lines, *(say_sureness(self.sureness, noun=self.noun) if self.of == PICTURES else ())]


def _say_red(found: Finding, noun: Noun, *, of: str) -> str:
    decides = what_decides(found, noun=noun)
    said = found.sentence(unit_of(found.criterion.metric, noun=noun, of=of))
    return said + (f" {decides[0].upper()}{decides[1:]}." if decides else "")


def gate_against_itself(
    new: Record,
    model: Path,
    panel: Path,
    *,
    settings: Settings,
    tell: Callable[[str], None] | None = None,
) -> Trial:
    """Gate a network's file against the baseline that it would be, as ``pytest suites/`` will.

    Parameters
    ----------
    new : Record
        The baseline that the file would be.
    model : Path
        The ``.keras`` file.
    panel : Path
        The panel.
    settings : Settings
        Criteria, waivers, cache and limits; the cache then holds what the gate's first run asks for.
    tell : callable, optional
        Receives lines of progress.
    """
    # As in a verdict, no place on this machine is named.
    words = clean(settings.criteria.name if settings.criteria.is_absolute() else settings.criteria, longest=200)
    lenient = settings.inconclusive == "pass"
    with tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        new.write(Path(aside) / "baseline")
        own = replace(
            settings,
            candidate=model,
            baseline=Path(aside) / "baseline",
            baseline_model=None,
            panel=panel,
            interface=new.interface,
            layers={},
        )
        try:
            plan = make_plan(own)
            comparison = gather(own, manifest=plan.manifest, known=True, tell=tell).comparison
        except (ValueError, ChildError) as error:
            return Trial(criteria=words, refusal=clean(error, longest=600))
    findings = judge_all(plan, comparison)
    sha = str(new.model["sha256"])
    own_waivers = [waiver for waiver in plan.waivers if waiver.candidate == sha]
    today = datetime.datetime.now(datetime.UTC).date()
    findings, _ = apply_waivers(findings, own_waivers, candidate=sha, today=today)
    return Trial(
        criteria=words,
        findings=tuple(findings),
        never_failing=plan.never_failing,
        lenient=lenient,
        # Twins do not help where no sticker was stamped.
        uncalibrated=not (new.retrained or isinstance(new, TableSignature)) and bool(new.stickers),
        sureness=_measure_sureness(new, plan.criteria),
        noun=choose_noun(new.subjects, settings.subject_name, of=tell_record(new)),
        of=tell_record(new),
    )


def _measure_sureness(new: Record, criteria: Sequence[Criterion]) -> tuple[Sureness, ...]:
    """Return the smallest drops in accuracy that the panel finds red; of a table none is worked out."""
    return () if isinstance(new, TableSignature) else measure_sureness(new, criteria)


def judge_again(document: VerdictDocument, new: Record) -> Trial:
    """Judge what a run measured of its candidate against the candidate itself, by the run's own limits.

    What was measured against the run's baseline, which the candidate is to replace, says nothing of
    the candidate's own gate: it is measured anew where the kept signature is enough for that, and
    left out where it takes the network.

    Parameters
    ----------
    document : VerdictDocument
        The run's verdict.
    new : Record
        The candidate's, as the baseline that it may become.
    """
    comparison = compare(new, new)
    findings, left_out = [], []
    for row in read_findings(document):
        measured = comparison.measures.get((row.measured.metric, row.about))
        metric = METRICS.get(row.measured.metric)
        if measured is not None and math.isfinite(measured.value):
            again = judge(measured, row.criterion)
            # What is the same as in the run was waived there, by somebody who answers for it.
            excused = row.verdict is Verdict.WAIVED and measured.value == row.measured.value
            findings.append(row if excused else again)
        elif metric is not None and metric.area == "features":
            left_out += [row.key] if row.gating else []
        else:
            findings.append(row)
    return Trial(
        criteria="the criteria of its run",
        findings=tuple(findings),
        left_out=tuple(left_out),
        sureness=_measure_sureness(new, read_limits(document)),
        noun=noun_of(document),
        of=tell_record(new),
    )


def judge_twins(
    folder: Path, twins: Mapping[Path, Record], *, kept: Mapping[Path, Record], settings: Settings
) -> list[str]:
    """Say how many retrained twins the baseline's gate would refuse, and by which metrics.

    Each is judged as a candidate against the baseline with the other twins. What takes untrained
    twins of the twin, or more retrained ones, cannot be judged here: it is named, and nobody is red
    by it.

    Parameters
    ----------
    folder : Path
        The baseline's.
    twins : mapping of Path to Record
        By its file, each network of the baseline's architecture, as it was measured.
    kept : mapping of Path to Record
        The same as the baseline will keep them.
    settings : Settings
        The criteria, and what inconclusive means.

    Returns
    -------
    list of str
        Plain lines.
    """
    words = clean(settings.criteria.name if settings.criteria.is_absolute() else settings.criteria, longest=200)
    baseline, on_disk = read_record(folder), read_manifest(folder)
    red: dict[str, list[str]] = {}
    refused, unjudged = set[Path](), set[str]()
    for path, twin in twins.items():
        others = with_retrained(baseline, (other for name, other in kept.items() if name != path))
        manifest = {**on_disk, "retrained": [dict(other.model) for other in others.retrained]}
        try:
            own = replace(settings, candidate=path, baseline=folder, baseline_model=None, waivers=None, layers={})
            findings = judge_all(make_plan(own, manifest=manifest), compare(others, twin))
        except ValueError as error:
            return [f"Whether the twins would be red by {words} cannot be said: {clean(error, longest=400)}"]
        for found in findings:
            if found.red and found.verdict is Verdict.UNMEASURED:
                unjudged.add(found.measured.metric)
            elif found.red and not (found.verdict is Verdict.INCONCLUSIVE and settings.inconclusive == "pass"):
                refused.add(path)
                red.setdefault(found.key, []).append(f"{clean(path.name, longest=40)} {found.measured.value:.2f}")
    return _say_twins(
        red, unjudged, f"{len(refused) or 'None'} of {len(twins)} retrained twins would be red by {words}"
    )


def _say_twins(red: Mapping[str, Sequence[str]], unjudged: set[str], head: str) -> list[str]:
    ranked = sorted(red.items(), key=lambda item: (-len(item[1]), item[0]))
    lines = [head + (":" if ranked else ".")]
    lines += [f"  {len(entries)} by {clean(key, longest=80)}: {', '.join(entries)}" for key, entries in ranked[:_ROWS]]
    lines += [f"  and {len(ranked) - _ROWS} more metrics."] if len(ranked) > _ROWS else []
    if ranked:
        lines.append("  A limit that a second training misses is tighter than the variation between trainings.")
    if unjudged:
        lines.append(
            f"  Not judged here, for it takes untrained twins, or more of these: {', '.join(sorted(unjudged))}."
        )
    return lines
