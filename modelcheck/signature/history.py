"""HISTORY.md: one entry an approval, for people to read, and for the gate and `modelcheck history` to check.

Reading it is a matter of the record; only `modelcheck.approval` writes one.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from modelcheck.support.escaping import clean
from modelcheck.support.files import read_file

if TYPE_CHECKING:  # what judges is no part of what measures
    from modelcheck.judgement.document import ApprovalRow

__all__ = [
    "HEADING",
    "HISTORY",
    "Approval",
    "ApprovalState",
    "Entry",
    "HistoryError",
    "find_approval",
    "parse_history",
]

HISTORY = "HISTORY.md"
HEADING = "# Approvals\n\nWritten by `modelcheck approve`; newest last.\n"
_TIME = re.compile(r"## (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)")
_FACT = re.compile(r"\* ([a-z][a-z ]*): (.+)")
_SEAL = "entry"
_FACTS = (
    *(
        "reason",
        "by",
        "network",
        "signature",
        "replaces",
        "panel",
        "platform",
        "contact sheet",
        "panel file",
        "verdict",
        "retrained twins",
        "clean networks",
        "against itself",
        "even so",
    ),
    _SEAL,
)
_REQUIRED = ("reason", "by", "network", "signature", "replaces", "panel", "platform")
_SHA = re.compile(r"[0-9a-f]{64}")


class HistoryError(ValueError):
    """A history that was not written by `modelcheck approve`, or was changed since; the message names the line."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One approval.

    Parameters
    ----------
    when : str
        The time, in UTC.
    facts : mapping of str to str
        ``reason``, ``by``, ``network``, ``signature`` (the new digest), ``replaces`` (the old one),
        ``panel``, ``platform``; ``contact sheet`` and ``panel file`` (the sha256 of the files in
        the folder); ``verdict`` where a report was approved; ``retrained twins`` where a
        calibration keeps some, and ``clean networks`` of others; ``against itself``, the verdict
        that the network had as a candidate for its own place, and ``even so``, why it became the
        baseline all the same.
    sealed : bool
        Whether the entry holds the digest of its own text.
    """

    when: str
    facts: Mapping[str, str]
    sealed: bool = True

    def text(self) -> str:
        """Return the entry as it stands in the file: names and reasons cannot act in it, whatever they hold."""
        lines = ["", f"## {self.when}", ""]
        lines += [f"* {name}: {_format_value(value)}" for name, value in self.facts.items()]
        if not self.sealed:
            return "\n".join([*lines, ""])
        seal = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return "\n".join([*lines, f"* {_SEAL}: {seal}", ""])


def parse_history(text: str) -> list[Entry]:
    """Read a history, oldest first.

    Parameters
    ----------
    text : str
        Of the whole file.

    Raises
    ------
    HistoryError
        When it is not exactly what approvals wrote, one after another.
    """
    if not text.startswith(HEADING):
        raise HistoryError(f"The history does not begin with {HEADING.splitlines()[0]!r}. {_RESTORE}")
    blocks = re.split(r"\n(?=## )", text[len(HEADING) :])
    if blocks[0] != "":
        raise HistoryError(f"The history has text before its first entry: {clean(blocks[0], longest=80)!r}. {_RESTORE}")
    return [_entry(f"\n{block}") for block in blocks[1:]]


class ApprovalState(StrEnum):
    """What a baseline's history says of the signature that lies beside it. Only `APPROVED` is as it should be.

    `OUTDATED` was approved once, and another one since; `UNKNOWN` never was, and the history has
    other entries; `UNRECORDED` has no history at all; `UNREADABLE` has one that was not written by
    approvals alone.

    Examples
    --------
    >>> ApprovalState("approved") is ApprovalState.APPROVED
    True
    """

    APPROVED = "approved"
    OUTDATED = "outdated"
    UNKNOWN = "unknown"
    UNRECORDED = "unrecorded"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True)
class Approval:
    """How the signature in a baseline's folder came to be there.

    Parameters
    ----------
    state : ApprovalState
        What the history says of it.
    when, by, even_so : str
        Of the approval of this very signature, the last one: its time, who made it, and why it was
        made against a verdict that would have stood in its way. Empty where there is none.

    Examples
    --------
    >>> Approval(state=ApprovalState.UNRECORDED).to_dict()["state"]
    'unrecorded'
    """

    state: ApprovalState
    when: str = ""
    by: str = ""
    even_so: str = ""

    def to_dict(self) -> ApprovalRow:
        """Return JSON-ready builtins."""
        return {"state": self.state.value, "when": self.when, "by": self.by, "even_so": self.even_so}


def find_approval(folder: Path, *, signature: str) -> Approval:
    """Say whether the signature in a baseline's folder is the one that was approved last.

    Entries are sealed against damage and edits by hand, not against forgers: who can write the
    folder can write a history to it. Keep it under version control, and have its changes reviewed.

    Parameters
    ----------
    folder : Path
        The baseline's.
    signature : str
        The digest of the signature that was read there; see `Signature.digest`.

    Returns
    -------
    Approval
        Never an error: a history that cannot be read says nothing for the baseline.

    Examples
    --------
    >>> from modelcheck import read_signature
    >>> folder = Path("baselines/drawn-faces")
    >>> find_approval(folder, signature=read_signature(folder).digest()).state.value
    'approved'
    >>> find_approval(folder, signature="0" * 64).state.value
    'unknown'
    """
    try:
        entries = parse_history(read_file(folder / HISTORY).decode("utf-8"))
    except FileNotFoundError:
        return Approval(state=ApprovalState.UNRECORDED)
    except (OSError, HistoryError, UnicodeDecodeError):
        return Approval(state=ApprovalState.UNREADABLE)
    known = [entry for entry in entries if entry.facts["signature"] == signature]
    if not known:
        return Approval(state=ApprovalState.UNKNOWN if entries else ApprovalState.UNRECORDED)
    last = known[-1]
    return Approval(
        state=ApprovalState.APPROVED if last is entries[-1] else ApprovalState.OUTDATED,
        when=last.when,
        by=last.facts["by"],
        even_so=last.facts.get("even so", ""),
    )


_RESTORE = "Restore it from version control: only modelcheck approve writes it."


def _entry(block: str) -> Entry:
    lines = block.split("\n")
    heading = _TIME.fullmatch(lines[1])
    found = [_FACT.fullmatch(line) for line in lines[3:-1]]
    facts = {match[1]: _read(match[2]) for match in found if match}
    seal = facts.pop(_SEAL, None)
    where = f"The history's entry {clean(lines[1], longest=40)!r}"
    if heading is None or not all(found):
        raise HistoryError(f"{where} cannot be read. {_RESTORE}")
    entry = Entry(when=heading[1], facts=facts, sealed=seal is not None)
    wrong = [name for name in ("signature", "panel") if not _SHA.fullmatch(facts.get(name, ""))]
    missing = [name for name in _REQUIRED if name not in facts]
    unknown = [name for name in facts if name not in _FACTS]
    if wrong or missing or unknown:
        raise HistoryError(f"{where} is wrong in: {', '.join((*missing, *unknown, *wrong))}. {_RESTORE}")
    # The first entries had no seal, no escapes and nothing but the required facts: their form alone
    # can be checked.
    intact = entry.text() == block if entry.sealed else set(facts) == set(_REQUIRED)
    if (lines[0], lines[2], lines[-1]) != ("", "", "") or not intact:
        raise HistoryError(f"{where} was changed since it was written. {_RESTORE}")
    return entry


# What could open a tag, a picture or a link; entities show as the character itself.
_ACTIVE = str.maketrans({sign: f"&#{ord(sign)};" for sign in "&<>[]"})


def _format_value(value: str) -> str:
    return (clean(value, longest=2000) or "(nothing that can be shown)").translate(_ACTIVE)


def _read(value: str) -> str:
    try:
        return html.unescape(value)
    except ValueError:  # a character's number of some thousand digits; no approval wrote it
        return value
