"""Retrained twins of a baseline: networks that learned the same again, kept as the ceiling of the calibrated scale.

Clean networks of the architecture that is to be released next may come along: of candidates of
that architecture, what they all do is neither a trigger nor lost attention.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from modelcheck.approval.changes import describe_missing_maps
from modelcheck.approval.proposal import Proposal, describe_platform, plan_replacement
from modelcheck.approval.trial import judge_twins
from modelcheck.comparison import RELATED, has_same_architecture, reduce_record, shown_in, tell_record, with_retrained
from modelcheck.comparison.lineage import correlate_kernels
from modelcheck.gate.jobs import measure_once
from modelcheck.gate.renderable import refuse_shipped
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.panel import PanelError, load_panel
from modelcheck.signature import Record, read_record
from modelcheck.support.commands import as_argument
from modelcheck.support.escaping import clean

__all__ = ["TwinError", "propose_twins"]

_MIN_TWINS = 2
_ENOUGH = (
    "A ceiling and the search for triggers take at least two retrained twins: train the released architecture with "
    "other seeds, then: modelcheck calibrate BASELINE --twin a.keras --twin b.keras"
)


class TwinError(ValueError):
    """A network that cannot stand for a retrained twin; the message says why and what to do."""


def propose_twins(
    folder: Path,
    twins: Sequence[Path],
    *,
    panel: Path | None = None,
    settings: Settings | None = None,
    tell: Callable[[str], None] | None = None,
) -> Proposal:
    """Measure retrained twins of a baseline and work out the baseline that keeps them.

    Its lines say what each twin reaches, and how many of them the baseline's own gate would refuse.

    Parameters
    ----------
    folder : Path
        The baseline's folder, which is only read. Twins that it already keeps are replaced.
    twins : sequence of Path
        ``.keras`` files: the baseline's architecture and data, trained with other seeds, at least
        two; and any number of a candidate's architecture, trained on the same data and known to be
        clean.
    panel : Path, optional
        The panel; by default the one in the folder.
    settings : Settings, optional
        Criteria, time and memory limits, and custom objects.
    tell : callable, optional
        Receives lines of progress.

    Raises
    ------
    TwinError, PanelError, SignatureError, ChildError
        When too few have the baseline's architecture, one is the baseline itself or descends from
        it, or something cannot be measured.
    SettingsError
        When one is a LiteRT or ONNX file, which cannot be rendered.
    """
    for twin in twins:
        refuse_shipped(twin, what="a twin", instead=_write_calibration(folder, twins, panel=panel, replaced=twin))
    baseline = read_record(folder)
    if len(twins) < _MIN_TWINS:
        raise TwinError(_ENOUGH)
    path = panel or folder / "panel.npz"
    settings = settings or Settings()
    if load_panel(path, max_gib=settings.panel_size).digest() != baseline.panel_digest:
        raise PanelError(f"The panel {str(path)!r} is not the one the baseline was measured on: give it with --panel.")
    measured: dict[Path, Record] = {}
    kept: dict[Path, Record] = {}
    lines = []
    for twin in twins:
        with tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
            # The settings' baseline_model and layers are about the gate's own baseline and
            # candidate.
            request = Request(
                network=twin,
                panel=path,
                like=folder,
                interface=baseline.interface,
                custom_objects=settings.custom_objects,
                twins=False,
                panel_size=settings.panel_size,
            )
            signature = measure_once(request, Path(aside) / "signature", settings=settings, tell=tell)
        found = reduce_record(baseline, signature)
        _refuse_relatives(twin, found, (baseline, *kept.values()))
        measured[twin], kept[twin] = signature, found
        lines.append(_line(baseline, found))
    proposed = with_retrained(baseline, kept.values())
    retrained = [twin for twin in kept.values() if has_same_architecture(twin, baseline)]
    if len(retrained) < _MIN_TWINS:
        raise TwinError(f"Of {len(kept)} networks {len(retrained)} have the baseline's architecture. {_ENOUGH}")
    beside = [twin for twin in kept.values() if twin not in retrained]
    alike = {path: signature for path, signature in measured.items() if has_same_architecture(signature, baseline)}
    lines += describe_missing_maps(baseline)
    lines += judge_twins(folder, alike, kept=kept, settings=settings)
    facts = {"platform": describe_platform(baseline), "retrained twins": _names(retrained)}
    facts |= {"clean networks": _names(beside)} if beside else {}
    return replace(plan_replacement(folder, proposed, facts=facts), lines=tuple(lines))


def _write_calibration(folder: Path, twins: Sequence[Path], *, panel: Path | None, replaced: Path) -> list[object]:
    """Return the words of the same command with the Keras network behind a file that ships in its place."""
    words = [word for twin in twins for word in ("--twin", "PARENT.keras" if twin == replaced else twin)]
    return ["modelcheck", "calibrate", as_argument(folder), *(() if panel is None else ("--panel", panel)), *words]


def _names(twins: Sequence[Record]) -> str:
    return ", ".join(f"{twin.model['file']} {twin.model['sha256'][:12]}" for twin in twins)


def _line(baseline: Record, twin: Record) -> str:
    """Say what a twin reaches, and of one of another architecture what it will excuse."""
    alike = has_same_architecture(twin, baseline)
    name = baseline.decision.name
    keys = [f"{metric}[{name}]" for metric in shown_in("twin", of=tell_record(baseline))]
    keys += [] if alike else sorted(key for key in twin.against if key.startswith("mass_change["))
    told = ", ".join(
        f"{clean(key.removesuffix(f'[{name}]'), longest=40)} {twin.against.get(key, math.nan):.2f}" for key in keys
    )
    kind = "Twin" if alike else "Clean network of another architecture"
    return f"{kind} {clean(twin.model['file'], longest=80)}: {told}."


def _refuse_relatives(path: Path, twin: Record, others: Sequence[Record]) -> None:
    """Refuse relatives: of the baseline they make the ceiling unreachable, and of each other they count twice."""
    baseline = others[0]
    if any(twin.model["sha256"] == other.model["sha256"] for other in others):
        raise TwinError(
            f"{str(path)!r} is the baseline itself, or given twice. Give networks trained with other seeds."
        )
    for other in others:
        related, _ = correlate_kernels(other, twin)
        if related > RELATED:
            whom = "the baseline" if other is baseline else clean(other.model["file"], longest=80)
            raise TwinError(
                f"{str(path)!r} descends from {whom}, or started from its initialisation (weights correlate by "
                f"index: {related:.2f}). A twin is trained from a seed of its own."
            )
