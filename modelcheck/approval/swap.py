"""Put a signature in the baseline's place, so that a writer killed at any moment leaves the old one or the new one.

Everything is first written aside, into ``.approval`` of the same folder, read back, and listed in a
plan. Then the members move in, and last the manifest: that one rename is the approval. History and
contact sheet follow; where a writer was killed before they could, the next one finds the plan, sees
by the manifest's digest whether the approval took place, and finishes or forgets it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from modelcheck.approval.sheet import SHEET
from modelcheck.signature import Record, SignatureError, find_stray_members, read_manifest, read_record
from modelcheck.signature.history import HEADING, HISTORY, Entry, HistoryError, parse_history
from modelcheck.support.files import hash_file, read_file
from modelcheck.support.folders import PathKind, kind_of, move, place, remove
from modelcheck.support.locks import folder_lock
from modelcheck.support.tables import json_document

__all__ = ["PANEL", "faults", "file_sha", "find_unfinished", "leftovers", "manifest_sha", "put_in_place", "settle"]

PANEL = "panel.npz"
_ASIDE = ".approval"
_PLAN, _ENTRY = "plan.json", "entry.md"
_MANIFEST = "manifest.json"
_MOST = 4 * 2**30  # bytes of a file that is written here


@dataclass(frozen=True)
class _Plan:
    """What an approval was about to do: the sha256 of the new manifest, of the entry and of the contact sheet."""

    manifest: str
    entry: str
    sheet: str


def put_in_place(folder: Path, new: Record, *, old: str, entry: Entry, sheet: bytes, timeout: float = 60.0) -> None:
    """Replace a baseline.

    Parameters
    ----------
    folder : Path
        The baseline's folder; a panel and other files in it are left alone.
    new : Record
        What it will hold.
    old : str
        The sha256 of the manifest that is replaced, as `manifest_sha` gave it when the change was
        shown; empty where there was none.
    entry : Entry
        For the history.
    sheet : bytes
        The contact sheet.
    timeout : float
        Seconds to wait for another approval of the same baseline.

    Raises
    ------
    FolderBusyError, SignatureError
        When another approval is at work, or has replaced the baseline meanwhile, or what was
        written reads back differently. The old baseline is then untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with folder_lock(folder, timeout=timeout):
        settle(folder)
        _check_places(folder)
        if manifest_sha(folder) != old:
            raise SignatureError(
                f"Another approval has replaced the baseline in {str(folder)!r} since the change was shown. Nothing "
                "was written; look at the new one (modelcheck history) and approve again."
            )
        aside = folder / _ASIDE
        aside.mkdir()
        new.write(aside)
        if read_record(aside).digest() != new.digest():
            remove(aside)
            raise SignatureError(f"What was written to {str(aside)!r} reads back differently; is the disk sound?")
        text = entry.text().encode()
        place(aside / _ENTRY, text)
        place(aside / SHEET, sheet)
        plan = _Plan(manifest_sha(aside), hashlib.sha256(text).hexdigest(), hashlib.sha256(sheet).hexdigest())
        place(aside / _PLAN, json.dumps(vars(plan)).encode())
        for name in read_manifest(aside)["members"]:
            move(aside / name, folder / name)
        move(aside / _MANIFEST, folder / _MANIFEST)
        settle(folder)


def _check_places(folder: Path) -> None:
    """Refuse what could stop an approval after it took place: a history or picture that cannot be written."""
    for name in (_MANIFEST, HISTORY, SHEET):
        kind = kind_of(folder / name)
        if kind in (PathKind.FOLDER, PathKind.SPECIAL_FILE):
            raise SignatureError(
                f"{str(folder / name)!r} is a {kind} where a file of the baseline is due. Nothing was written; remove "
                "it and approve again."
            )
    _history(folder)


def manifest_sha(folder: Path) -> str:
    """Return the sha256 of a folder's manifest; empty where there is none."""
    return file_sha(folder / _MANIFEST)


def file_sha(path: Path) -> str:
    """Return the sha256 of a file; empty where there is none."""
    try:
        return hash_file(path)
    except FileNotFoundError:
        return ""


def settle(folder: Path) -> list[str]:
    """Finish or forget what a killed approval left; the caller holds the folder's lock.

    Returns
    -------
    list of str
        What was done, in plain lines.
    """
    done = []
    aside = folder / _ASIDE
    plan = find_unfinished(folder)
    if plan is not None:
        text = _whole(aside / _ENTRY, plan.entry)
        before = _history(folder)
        # Only the last entry can be this one: the same change, back and forth, may stand further up
        # word for word.
        if text is not None and not before.endswith(text.decode()):
            place(folder / HISTORY, (before + text.decode()).encode())
            done.append(f"Finished the history of an approval that was interrupted: {folder / HISTORY}.")
        if _whole(aside / SHEET, plan.sheet) is not None:
            move(aside / SHEET, folder / SHEET)
    # Whoever holds the lock is the only writer: what lies there, of whatever kind, is left over.
    if kind_of(aside) != PathKind.MISSING:
        remove(aside)
        done.append(f"Removed {aside}.")
    for stray in leftovers(folder):
        remove(stray)
        done.append(f"Removed {stray}.")
    return done


def find_unfinished(folder: Path) -> _Plan | None:
    """Return the plan of an approval that took place but was killed before its history was written."""
    if kind_of(folder / _ASIDE) != PathKind.FOLDER:
        return None
    try:
        plan = _Plan(**json_document(read_file(folder / _ASIDE / _PLAN)))
    except (OSError, ValueError, TypeError):
        return None
    return plan if plan.manifest and plan.manifest == manifest_sha(folder) else None


def leftovers(folder: Path) -> list[Path]:
    """Return files that killed writers left beside a baseline; none where its manifest cannot be read."""
    with suppress(SignatureError, OSError):
        return find_stray_members(folder, read_manifest(folder)["members"])
    return []


def faults(folder: Path) -> list[str]:
    """Check a whole baseline: record, panel, history and contact sheet, each against the others.

    The gate itself checks what it judges by: record and panel. History and contact sheet tell
    people how the baseline came about, so a change of them is named here.

    Returns
    -------
    list of str
        What is wrong, in plain lines; empty when all is well.
    """
    from modelcheck.panel import PanelError, load_panel

    found = []
    digest = panel = ""
    try:
        signature = read_record(folder)
        digest, panel = signature.digest(), signature.panel_digest
    except SignatureError as error:
        found.append(str(error))
    if (folder / PANEL).exists() and panel:
        try:
            if load_panel(folder / PANEL).digest() != panel:
                found.append(f"{str(folder / PANEL)!r} is not the panel that the baseline was measured on.")
        except PanelError as error:
            found.append(str(error))
    if find_unfinished(folder) is not None:
        return [
            *found,
            "An approval was killed before it wrote its history; the next one, or modelcheck gc, writes it.",
        ]
    try:
        entries = parse_history(_history(folder))
    except (HistoryError, UnicodeDecodeError, OSError) as error:
        return [*found, str(error)]
    last = entries[-1].facts if entries else {}
    if digest and last.get("signature") != digest:
        found.append("The baseline is not the one that was approved last: its signature is not in the history.")
    for one, other in itertools.pairwise(entries):
        if other.facts["replaces"] not in (one.facts["signature"], "unreadable"):
            found.append(f"The approval of {other.when} replaced another baseline than the one approved before it.")
    for name, fact in ((SHEET, "contact sheet"), (PANEL, "panel file")):
        if fact in last and file_sha(folder / name) != last[fact]:
            found.append(f"{str(folder / name)!r} is missing, or not the file that was there at the last approval.")
    return found


def _history(folder: Path) -> str:
    try:
        return read_file(folder / HISTORY).decode("utf-8")
    except FileNotFoundError:
        return HEADING


def _whole(path: Path, sha: str) -> bytes | None:
    try:
        data = read_file(path, max_bytes=_MOST)
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == sha else None
