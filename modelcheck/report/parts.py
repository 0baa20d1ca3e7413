"""The parts of a page: which stand open and which are folded, and the line at its foot."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from modelcheck.comparison import METRICS
from modelcheck.judgement.document import VerdictDocument
from modelcheck.judgement.findings import Finding
from modelcheck.report.words import area_of, clean, count, gravest

__all__ = ["describe_making", "fold_parts"]

# Where builds say what they were made of and by which run: GitHub's, GitLab's and Azure's names.
_COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA", "BUILD_SOURCEVERSION")


def fold_parts(findings: Sequence[Finding]) -> dict[str, dict[str, Any]]:
    """Return the parts of a judged page by their anchors: whether each stands open, and its result in words.

    What did not pass stands open, and what passed is folded.

    Examples
    --------
    >>> fold_parts([])["findings"]["open"]
    False
    """
    by_part: dict[str, list[Finding]] = {}
    for found in findings:
        if found.gating:
            by_part.setdefault(_part_of(found.measured.metric), []).append(found)
    made = {key: _describe(here) for key, here in by_part.items()}
    made["findings"] = _describe([found for found in findings if found.gating])
    return made


def _part_of(metric: str) -> str:
    row = METRICS.get(metric)
    return "conversion" if row is not None and "source" in row.takes else area_of(metric)


def _describe(here: Sequence[Finding]) -> dict[str, Any]:
    red = sum(found.red for found in here)
    total = count(len(here), "check")
    said = f"{red} of {total} did not pass" if red else f"{total} passed" if here else ""
    return {"open": red > 0, "state": gravest(here), "says": said}


def describe_making(document: VerdictDocument, *, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return when, by which version, of which commit and by which run a page was made; empty where nobody knows.

    Parameters
    ----------
    document : VerdictDocument
        What the run came to.
    environment : mapping, optional
        Of the process, by default; builds name their commit and their run in it.
    """
    from modelcheck import __version__

    said = os.environ if environment is None else environment
    server, repository, run = (said.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    link = f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""
    link = link or said.get("CI_PIPELINE_URL", "")
    return {
        "when": clean(document["volatile"]["written"], longest=40)
        .replace("T", " ")
        .replace("+00:00", " UTC")
        .replace("Z", " UTC"),
        "version": __version__,
        "commit": clean(next((said[name] for name in _COMMITS if said.get(name)), ""), longest=64)[:12],
        "run": clean(document["run_id"] or "", longest=120),
        "link": clean(link, longest=300) if link.startswith("https://") else "",
    }


def _say_when(written: str) -> str:
    words = clean(written, longest=40).replace("T", " ")
    return words.replace("+00:00", " UTC").replace("Z", " UTC")
