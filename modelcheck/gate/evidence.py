"""The evidence that a run judges. Nothing here imports TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from modelcheck.comparison import AnyComparison, CompareError, compare
from modelcheck.gate.cache import load_or_measure
from modelcheck.gate.child import ChildError
from modelcheck.gate.heldout import check_fit, check_panel, name_rows
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.gate.workers import open_workers
from modelcheck.interface.sentences import say_misreading
from modelcheck.judgement.document import TimingsRow
from modelcheck.panel import AnyPanel, load_panel
from modelcheck.signature import Approval, Record, TableSignature, find_approval, read_record
from modelcheck.signature.counterparts import check_given
from modelcheck.signature.misreading import find_better_preprocessing
from modelcheck.support.escaping import one_line_repr

__all__ = ["Evidence", "Parts", "check_answers", "gather", "read_parts"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Evidence:
    """What the tests of a run read.

    Parameters
    ----------
    panel : AnyPanel
        The held-out pictures, or rows of a table.
    comparison : AnyComparison
        What baseline and candidate say about each other.
    measured : {"now", "cached"}
        Whether this process measured the candidate, or found its signature in the cache.
    baseline_folder : Path
        Where the baseline lies.
    approval : Approval
        What its history says of it.
    note : str
        Why the cache was not believed, where it was not; else empty.
    seconds_per_picture : TimingsRow or None
        How long an answer took, for information; None where that of the candidate was not kept.
    """

    panel: AnyPanel
    comparison: AnyComparison
    measured: Literal["now", "cached"]
    baseline_folder: Path
    approval: Approval
    note: str = ""
    seconds_per_picture: TimingsRow | None = None

    def __repr__(self) -> str:
        return one_line_repr("Evidence", f"{len(self.panel)} {name_rows(self.panel)}", self.comparison)

    @property
    def baseline(self) -> Record:
        """The approved network's signature."""
        return self.comparison.baseline

    @property
    def candidate(self) -> Record:
        """The signature of the network that is proposed for release."""
        return self.comparison.candidate


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """What a measurement of the candidate needs, read and found to fit together.

    Parameters
    ----------
    baseline : Record
        The approved network's.
    panel : AnyPanel
        The held-out pictures, or rows of a table.
    request : Request
        What to measure.
    source : Request or None
        The network that the candidate was converted from, to be measured as well.
    """

    baseline: Record
    panel: AnyPanel
    request: Request
    source: Request | None = None

    @property
    def digests(self) -> dict[str, str]:
        """By name, the digest of everything that decides a measurement apart from the network."""
        baseline = self.baseline
        found = {"baseline": baseline.digest(), "panel": self.panel.digest(), "recipe": baseline.recipe.digest()}
        if self.request.baseline_model is not None:
            found["baseline_model"] = str(baseline.model["sha256"])
        return found


def read_parts(settings: Settings, *, manifest: Mapping[str, Any] | None = None) -> Parts:
    """Read baseline and panel, and see that they fit and that the candidate is there; nothing is measured.

    Parameters
    ----------
    settings : Settings
        What the run is about.
    manifest : mapping, optional
        The baseline's, where a plan was made by it before: the signature must be that one's.

    Raises
    ------
    ChildError, SignatureError, PanelError
        When a part is missing, damaged or does not fit the others.
    """
    folder, panel_path = settings.require("baseline"), settings.require("panel")
    baseline = read_record(folder, manifest=manifest)
    panel = load_panel(panel_path, max_gib=settings.panel_size)
    check_fit(panel, panel_path, baseline=baseline, folder=folder)
    check_panel(panel, panel_path)
    check_given(baseline, settings.layers)
    network = settings.require("candidate")
    for role, path in (("candidate", network), ("source", settings.source)):
        if path is not None and not path.exists():
            raise ChildError(f"There is no {role} {str(path)!r}. Give a file: pytest suites/ --{role} PATH")
    request = Request(
        network=network,
        panel=panel_path,
        like=folder,
        baseline_model=settings.baseline_model,
        layers=settings.paired,
        interface=settings.interface or baseline.interface,
        custom_objects=settings.custom_objects,
        panel_size=settings.panel_size,
    )
    source = None if settings.source is None else replace(request, network=settings.source)
    return Parts(baseline=baseline, panel=panel, request=request, source=source)


def gather(
    settings: Settings,
    *,
    manifest: Mapping[str, Any] | None = None,
    known: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Evidence:
    """Return the evidence of a run, measuring the candidate where the cache does not have it.

    Parameters
    ----------
    settings : Settings
        What the run is about.
    manifest : mapping, optional
        The baseline's, where a plan was made by it before: the signature must be that one's.
    known : bool
        Whether the candidate is the baseline's own network, which was measured just now: what is
        known of it is not measured again.
    tell : callable, optional
        Receives a line about the measurement as it proceeds.

    Raises
    ------
    ChildError, SignatureError, PanelError, CompareError
        When a part is missing, damaged or does not fit the others.
    """
    parts = read_parts(settings, manifest=manifest)
    baseline, panel, digests = parts.baseline, parts.panel, parts.digests
    request = replace(parts.request, known=known)
    with open_workers(settings) as workers:
        loaded = load_or_measure(request, digests=digests, settings=settings, workers=workers, tell=tell)
        check_answers(loaded.signature)
        source = None
        if parts.source is not None:
            source = load_or_measure(parts.source, digests=digests, settings=settings, workers=workers, tell=tell)
    comparison = compare(
        baseline, loaded.signature, layers=settings.layers, source=None if source is None else source.signature
    )
    return Evidence(
        panel=panel,
        comparison=comparison,
        measured=loaded.measured,
        note=loaded.note,
        baseline_folder=settings.require("baseline"),
        approval=find_approval(settings.require("baseline"), signature=digests["baseline"]),
        seconds_per_picture=None
        if loaded.seconds_per_picture is None
        else {
            "candidate": loaded.seconds_per_picture,
            "source": None if source is None else source.seconds_per_picture,
        },
    )


def check_answers(candidate: Record) -> None:
    """Refuse answers that no criterion may need to look at: NaN wins every argmax, a constant is right by chance.

    Raises
    ------
    CompareError
        When a score is NaN or infinite, or everything is answered alike.
    """
    scores = candidate.scores
    name, one = candidate.model["file"], "row" if isinstance(candidate, TableSignature) else "picture"
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores).all(axis=1)).sum())
        raise CompareError(f"{name!r} answers NaN or infinity on {bad} of {len(scores)} {one}s: nothing can be judged.")
    better = None if isinstance(candidate, TableSignature) else find_better_preprocessing(candidate)
    if float(np.ptp(scores, axis=0).max()) <= 1e-6 * max(1.0, float(np.abs(scores).max())):
        raise CompareError(
            f"{name!r} gives every {one} the same scores: it has learned nothing, or its input does not reach it."
            + (f" {say_misreading(better)}" if better else "")
        )
