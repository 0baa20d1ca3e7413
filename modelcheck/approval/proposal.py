"""A change of a baseline before it is made: what there is, what takes its place, and what that means."""

from __future__ import annotations

import datetime
import getpass
import hashlib
import platform
import shlex
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modelcheck.approval.changes import changes, compare_if_possible, describe_missing_maps, describe_panel
from modelcheck.approval.misreading import Misreading, find_misreading
from modelcheck.approval.sheet import SHEET, contact_sheet
from modelcheck.approval.swap import PANEL, file_sha, manifest_sha, put_in_place
from modelcheck.approval.trial import Trial, gate_against_itself, judge_again
from modelcheck.gate.artefacts import ArtefactError, take_candidate
from modelcheck.gate.contradictions import find_contradiction
from modelcheck.gate.heldout import check_panel, is_table
from modelcheck.gate.jobs import measure_once
from modelcheck.gate.renderable import refuse_shipped
from modelcheck.gate.request import AnyRecipe, Request, recipe_for
from modelcheck.gate.settings import Settings
from modelcheck.interface import Interface
from modelcheck.panel import PanelError, load_panel
from modelcheck.report.reasons import main_reason
from modelcheck.signature import Record, SignatureError, TableSignature, read_record
from modelcheck.signature.history import Entry
from modelcheck.support.commands import as_argument
from modelcheck.support.escaping import clean, is_legible
from modelcheck.support.files import hash_file

__all__ = [
    "Proposal",
    "carry_out",
    "check_doubts",
    "describe_platform",
    "plan_replacement",
    "propose",
    "propose_from_report",
]

_WHAT = "a baseline"


@dataclass(frozen=True, kw_only=True, eq=False)
class Proposal:
    """A baseline that waits for somebody to say why.

    Parameters
    ----------
    folder : Path
        The baseline's.
    old : Record or None
        What is there; None where nothing is, or nothing that can be read.
    old_manifest : str
        The sha256 of the manifest that the change was worked out on.
    new : Record
        What takes its place.
    lines : tuple of str
        What changes, for people.
    sheet : bytes
        The same as a picture, a PNG.
    facts : mapping of str to str
        What the history keeps beside the usual.
    doubts : tuple of str
        What speaks against this baseline: it is made only by who says why even so.
    panel : Path or None
        The file of the panel, where it was given: the next command names it.
    """

    folder: Path
    old: Record | None
    old_manifest: str
    new: Record
    lines: tuple[str, ...]
    sheet: bytes
    facts: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    panel: Path | None = None


def propose(
    model: Path,
    panel: Path,
    folder: Path,
    *,
    recipe: AnyRecipe | None = None,
    interface: Interface | None = None,
    settings: Settings | None = None,
    stop_where_misread: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Proposal:
    """Measure a network in a child process and work out what changes if it becomes the baseline.

    The network is then gated against itself: a baseline that its own gate refuses, or whose outputs
    are misread, is a doubt.

    Parameters
    ----------
    model : Path
        The ``.keras`` file.
    panel : Path
        The held-out panel.
    folder : Path
        The baseline's folder, which is only read.
    recipe : AnyRecipe, optional
        How to measure; by default the old baseline's recipe, or the standard one.
    interface : Interface, optional
        How the network's inputs and outputs are to be understood, which the baseline keeps; by
        default as the old baseline's.
    settings : Settings, optional
        Criteria, waivers and cache for the gate against itself; time and memory limits, and custom
        objects.
    stop_where_misread : bool
        Whether a network that surely answers better with its pictures preprocessed otherwise, or its
        outputs in another order, is an error at once, instead of a doubt after minutes of rendering.
    tell : callable, optional
        Receives lines of progress.

    Raises
    ------
    ValueError, ChildError
        When something cannot be measured, the gate refuses the panel whatever the network, or the
        file is a LiteRT or ONNX file, which cannot be rendered.
    """
    settings = settings or Settings()
    refuse_shipped(model, what=_WHAT, instead=_write_approval(folder, panel=panel))
    held = load_panel(panel, max_gib=settings.panel_size)
    check_panel(held, panel)
    old, _, _ = _old(folder)
    interface = interface or (old.interface if old else Interface())
    request = Request(
        network=model,
        panel=panel,
        recipe=recipe or _choose_recipe(old, table=is_table(held)),
        interface=interface,
        custom_objects=settings.custom_objects,
        twins=False,
        stop_where_misread=stop_where_misread,
        panel_size=settings.panel_size,
    )
    with tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        new = measure_once(request, Path(aside) / "signature", settings=settings, tell=tell)
    trial = gate_against_itself(new, model, panel, settings=settings, tell=tell)
    proposal = plan_replacement(folder, new, facts={"platform": describe_platform(new, here=True)})
    proposal = replace(proposal, lines=(*describe_panel(held), *proposal.lines), panel=panel)
    return _add_trial(proposal, trial, _find_misreading(new))


def propose_from_report(report: Path, folder: Path, *, model: Path | None = None) -> Proposal:
    """Take the candidate of a finished run of the gate, after checking that everything belongs together.

    Parameters
    ----------
    report : Path
        The folder that the run wrote, for example an artefact of a build.
    folder : Path
        The baseline's folder, which is only read: it must be the baseline that the run compared
        with.
    model : Path, optional
        The file that is released, checked by its bytes.

    Raises
    ------
    ArtefactError, DocumentError, SignatureError, PanelError
        When verdict, signature, baseline, panel or file do not belong together, the verdict
        contradicts itself, or the run was not of full scope.
    SettingsError
        When the candidate was a LiteRT or ONNX file, which cannot be rendered.
    """
    document, new = take_candidate(report)
    parent = document["source"]["file"] if "source" in document else "PARENT.keras"
    instead = _write_approval(folder, panel="PANEL.npz", model=parent)
    refuse_shipped(new.model["file"], what=_WHAT, instead=instead, runtime=new.runtime)
    old, _, lost = _old(folder)
    if lost:
        raise ArtefactError(f"{lost} A report is approved only over the baseline that its run compared with.")
    compared = document["baseline"]
    against = compared.get("signature") if compared else None
    if old is None or old.digest() != against:
        raise ArtefactError(
            f"The run behind {str(report)!r} compared with another baseline ({str(against)[:12]}) than the one in "
            f"{str(folder)!r} ({old.digest()[:12] if old else 'nothing'}). Run the gate again on this baseline: pytest "
            f"suites/ --baseline {folder}"
        )
    if model is not None:
        sha = hash_file(model)
        if sha != new.model["sha256"]:
            raise ArtefactError(
                f"{str(model)!r} (sha256 {sha[:12]}) is not the network that the run judged "
                f"({str(new.model['sha256'])[:12]})."
            )
    wrong = find_contradiction(document)
    if wrong:
        raise ArtefactError(f"{wrong} Fetch the report of the run again, or run the gate again: pytest suites/")
    word = document["verdict"]
    first = clean(main_reason(document) or "no reason given", longest=200)
    judged = f"The run's verdict was {word.upper()}: {first}"
    facts = {"verdict": f"{word}, full scope, from a report", "platform": describe_platform(new)}
    proposal = plan_replacement(folder, new, facts=facts, before=judged)
    return _add_trial(proposal, judge_again(document, new), _find_misreading(new))


def _choose_recipe(old: Record | None, *, table: bool) -> AnyRecipe:
    """Return the old baseline's recipe, or the standard one where it is of another kind of panel."""
    if old is None or isinstance(old, TableSignature) != table:
        return recipe_for({}, table=table)
    return old.recipe


def _find_misreading(new: Record) -> Misreading | None:
    """Say how a network is fed or read otherwise than it should be; on a table nothing is fed as pictures are."""
    return None if isinstance(new, TableSignature) else find_misreading(new)


def _write_approval(folder: Path, *, panel: str | Path, model: str = "PARENT.keras") -> list[object]:
    """Return the words of the command that approves the Keras network behind a file that ships."""
    return ["modelcheck", "approve", as_argument(model), "--panel", panel, "--to", folder, "--reason", "..."]


def _add_trial(proposal: Proposal, trial: Trial, misread: Misreading | None) -> Proposal:
    """Return a proposal that tells what its network comes to as a candidate for its own place."""
    doubts = [misread.sentence] if misread else []
    doubts += describe_missing_maps(proposal.new)
    doubts += [] if trial.passed else [f"The gate refuses this very file: {trial.verdict.upper()}."]
    return replace(
        proposal,
        lines=(*proposal.lines, *trial.lines()),
        facts={**proposal.facts, "against itself": trial.fact},
        doubts=tuple(doubts),
    )


def check_doubts(proposal: Proposal, *, even_so: str) -> None:
    """Refuse a baseline that something speaks against, unless somebody says why it is made even so.

    Raises
    ------
    ValueError
        The message names everything that speaks against it.
    """
    if proposal.doubts and not is_legible(even_so):
        told = "".join(f"\n  {doubt}" for doubt in proposal.doubts)
        raise ValueError(
            f"This baseline is not made, for:{told}\nCorrect that, or say why it becomes the baseline all the same: "
            "--even-so 'why'. The history keeps it. Nothing was written."
        )


def carry_out(proposal: Proposal, *, reason: str, even_so: str = "") -> list[str]:
    """Make a proposal the baseline.

    Parameters
    ----------
    proposal : Proposal
        See `propose`.
    reason : str
        Why; kept in ``HISTORY.md``.
    even_so : str
        Why against all doubts; kept as well, where there are any.

    Returns
    -------
    list of str
        What was done, in plain lines.

    Raises
    ------
    ValueError
        Without a reason, with doubts and no reason against them, while another approval is at work,
        or when the baseline has changed since the proposal; nothing is then written.
    """
    if not is_legible(reason):
        raise ValueError("An approval needs a reason: --reason 'why this network becomes the baseline'.")
    check_doubts(proposal, even_so=even_so)
    old, new = proposal.old, proposal.new
    facts = {
        "reason": reason,
        "by": _who(),
        "network": f"{new.model['file']}, sha256 {new.model['sha256']}",
        "signature": new.digest(),
        "replaces": old.digest() if old else "unreadable" if proposal.old_manifest else "nothing",
        "panel": new.panel_digest,
        **proposal.facts,
        **({"even so": even_so} if proposal.doubts else {}),
        "contact sheet": hashlib.sha256(proposal.sheet).hexdigest(),
    }
    beside = file_sha(proposal.folder / PANEL)
    facts |= {"panel file": beside} if beside else {}
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    entry = Entry(when=when, facts=facts)
    put_in_place(proposal.folder, new, old=proposal.old_manifest, entry=entry, sheet=proposal.sheet)
    lines = [
        f"{proposal.folder} now holds {clean(new.model['file'], longest=80)} ({new.model['sha256'][:12]}).",
        f"Commit the folder: {proposal.folder / SHEET} shows the change to whoever reviews it.",
    ]
    if not new.retrained:
        lines.append(
            "What it looks for is judged by limits from another task until it keeps networks trained again: "
            f"modelcheck calibrate {shlex.quote(str(proposal.folder))}{_say_panel(proposal)} --twin A.keras --twin "
            "B.keras --twin C.keras"
        )
    return lines


def _say_panel(proposal: Proposal) -> str:
    return "" if proposal.panel is None else f" --panel {shlex.quote(str(proposal.panel))}"


def plan_replacement(folder: Path, new: Record, *, facts: Mapping[str, str], before: str = "") -> Proposal:
    """Work out what changes if a signature that is already there takes the baseline's place.

    Parameters
    ----------
    folder : Path
        The baseline's, which is only read.
    new : Record
        What would take its place.
    facts : mapping of str to str
        What the history keeps: ``platform`` at least.
    before : str
        A line to show first.
    """
    old, manifest, lost = _old(folder)
    comparison = compare_if_possible(old, new)
    lines = [*(line for line in (before, lost) if line), *changes(old, new, comparison)]
    if old is not None and old.retrained and not new.retrained:
        lines.append("Its retrained twins go with it: give the new one twins of its own, modelcheck calibrate.")
    named = new.classes_without_rows if isinstance(new, TableSignature) else new.classes_without_pictures
    if unseen := ", ".join(clean(name, longest=80) for name in named):
        one = "row" if isinstance(new, TableSignature) else "picture"
        lines.append(f"The panel holds no {one} of {unseen}: nothing is judged of such a class by itself.")
    return Proposal(
        folder=folder,
        old=old,
        old_manifest=manifest,
        new=new,
        lines=(*lines, *_panel_beside(folder, new)),
        sheet=contact_sheet(old, new, comparison),
        facts=facts,
    )


def _old(folder: Path) -> tuple[Record | None, str, str]:
    """Return the baseline that is there, the sha256 of its manifest, and why it cannot be read."""
    manifest = manifest_sha(folder)
    if not manifest:
        return None, "", ""
    try:
        return read_record(folder), manifest, ""
    except SignatureError as error:
        return None, manifest, f"The old baseline cannot be read, and would be replaced unseen: {error}"


def _panel_beside(folder: Path, new: Record) -> list[str]:
    """Say when the panel that the gate takes by default is not the one that was measured on."""
    path = folder / PANEL
    if not path.exists():
        return []
    try:
        same = load_panel(path).digest() == new.panel_digest
    except PanelError as error:
        return [str(error)]
    return [] if same else [f"{path} is another panel: give the gate the right one with --panel, or replace it."]


def describe_platform(new: Record, *, here: bool = False) -> str:
    """Return where and with what a signature was measured, in one line."""
    told: Mapping[str, Any] = new.provenance
    machine = f"{platform.system()} {platform.machine()}" if here else str(told.get("machine", "unknown machine"))
    versions = told.get("versions") or {}
    return ", ".join([machine, *(f"{name} {number}" for name, number in sorted(versions.items()))])


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return hashlib.sha256(platform.node().encode()).hexdigest()[:8]
