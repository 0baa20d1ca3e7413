"""Many candidates beside one baseline: each is measured, or found in the cache, and judged as by the gate."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from modelcheck.comparison import compare, tell_record
from modelcheck.gate.cache import Loaded
from modelcheck.gate.child import ChildError
from modelcheck.gate.evidence import Parts, check_answers, read_parts
from modelcheck.gate.jobs import Job, measure_all
from modelcheck.gate.judging import judge_all
from modelcheck.gate.plan import Plan, make_plan
from modelcheck.gate.settings import Settings, near
from modelcheck.judgement.findings import severity
from modelcheck.judgement.waivers import WaiverState, apply_waivers
from modelcheck.report.ranking import Ranked, Ranking, rank
from modelcheck.report.reasons import describe_use
from modelcheck.report.words import choose_noun
from modelcheck.signature import Record, read_record
from modelcheck.support.escaping import clean

__all__ = ["rank_candidates"]


def rank_candidates(
    candidates: Iterable[Path],
    *,
    settings: Settings,
    today: datetime.date | None = None,
    tell: Callable[[str], None] | None = None,
    executor: Executor | None = None,
) -> Ranking:
    """Measure candidates beside the approved baseline, judge each by the criteria, and put them in order.

    Parameters
    ----------
    candidates : iterable of Path
        Network files; one that is named twice counts once. What cannot be measured stops no other.
    settings : Settings
        The baseline, the panel, criteria, waivers, cache, limits and workers. A waiver of another
        file says nothing of a candidate here.
    today : datetime.date, optional
        What waivers are held against; by default this day in UTC.
    tell : callable, optional
        Receives lines of progress.
    executor : concurrent.futures.Executor, optional
        What measures instead of the workers of the settings.

    Raises
    ------
    SettingsError, CriteriaError, WaiverError, SignatureError, PanelError
        When baseline, panel, criteria or waivers cannot be used: then no candidate can be judged.
    """
    common = replace(settings, source=None)
    make_plan(replace(common, candidate=Path("candidate.keras")))  # what is wrong for all is said once
    baseline = read_record(settings.require("baseline"))
    rows: list[Ranked] = []
    planned: list[tuple[Path, Plan]] = []
    parts: Parts | None = None
    named: dict[Path, Path] = {}
    for path in candidates:
        named.setdefault(path.resolve(), near(path))
    for path in named.values():
        own = replace(common, candidate=path)
        if not path.is_file():
            what = "is a folder, not a network's file" if path.is_dir() else "is not there"
            rows.append(_refuse(path, f"{str(path)!r} {what}."))
            continue
        parts = parts or read_parts(own)
        try:
            planned.append((path, make_plan(own)))
        except ValueError as error:
            rows.append(_refuse(path, error))
    if parts is not None:
        request, digests = parts.request, parts.digests
        jobs = [Job(request=replace(request, network=path), digests=digests) for path, _ in planned]
        measured = measure_all(jobs, settings=settings, tell=tell, executor=executor)
        rows += _judge(planned, measured, baseline=baseline, settings=settings, today=today)
    words = settings.criteria.name if settings.criteria.is_absolute() else settings.criteria
    return Ranking(
        baseline=baseline,
        rows=rank(rows),
        criteria=clean(words, longest=200),
        noun=choose_noun(baseline.subjects, settings.subject_name, of=tell_record(baseline)),
    )


def _judge(
    planned: Sequence[tuple[Path, Plan]],
    measured: Sequence[Loaded | ChildError],
    *,
    baseline: Record,
    settings: Settings,
    today: datetime.date | None,
) -> Iterable[Ranked]:
    day = today or datetime.datetime.now(datetime.UTC).date()
    for (path, plan), loaded in zip(planned, measured, strict=True):
        if isinstance(loaded, ChildError):
            yield _refuse(path, loaded)
            continue
        try:
            check_answers(loaded.signature)
            comparison = compare(baseline, loaded.signature, layers=settings.layers)
        except ValueError as error:
            yield _refuse(path, error)
            continue
        sha = str(loaded.signature.model["sha256"])
        waivers = [waiver for waiver in plan.waivers if waiver.candidate == sha]
        findings, uses = apply_waivers(judge_all(plan, comparison), waivers, candidate=sha, today=day)
        yield Ranked(
            file=path.as_posix(),
            findings=tuple(sorted(findings, key=severity)),
            comparison=comparison,
            broken=tuple(describe_use(use.to_dict()) for use in uses if use.state is not WaiverState.USED),
            seconds=loaded.seconds_per_picture,
        )


def _refuse(path: Path, why: object) -> Ranked:
    return Ranked(file=path.as_posix(), refusal=clean(why, longest=600))
