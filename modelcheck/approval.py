"""Make a measured network the baseline: the only writer of baselines."""

from __future__ import annotations

import datetime
import getpass
import hashlib
import platform
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from modelcheck.child import measure_in_child
from modelcheck.compare import compare
from modelcheck.panel import Panel
from modelcheck.recipe import Recipe
from modelcheck.signature import Signature, SignatureError, read_signature

__all__ = ["approve"]


def approve(
    model: Path,
    panel: Path,
    folder: Path,
    *,
    reason: str,
    recipe: Recipe | None = None,
    outputs: Sequence[str] = (),
    tell: Callable[[str], None] | None = None,
) -> list[str]:
    """Measure a network in a child process and put its signature in the baseline's place.

    Parameters
    ----------
    model : Path
        The ``.keras`` file.
    panel : Path
        The held-out panel.
    folder : Path
        The baseline's folder; other files in it are left alone.
    reason : str
        Why; kept in ``HISTORY.md``.
    recipe : Recipe, optional
        How to measure; by default the old baseline's recipe, or the standard one.
    outputs : sequence of str
        See `modelcheck.measure.measure`.
    tell : callable, optional
        Receives lines of progress.

    Returns
    -------
    list of str
        What changed, in plain lines.

    Raises
    ------
    ValueError, ChildError
        When something cannot be measured; nothing is then written. A damaged old baseline is replaced, and said.
    """
    if not reason.strip():
        raise ValueError("An approval needs a reason: --reason 'why this network becomes the baseline'.")
    Panel.load(panel)
    old, lost = _old(folder)
    with tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        new = measure_in_child(
            model,
            panel,
            Path(aside) / "signature",
            recipe=recipe or (old.recipe if old else Recipe()),
            outputs=outputs,
            twins=False,
            tell=tell,
        )
    lines = [*([f"The old baseline cannot be read and is replaced: {lost}"] if lost else []), *_changes(old, new)]
    new.write(folder)
    if read_signature(folder).digest() != new.digest():
        raise SignatureError(f"What was written to {str(folder)!r} reads back differently; approve again.")
    _record(folder, old, new, reason)
    return [*lines, f"{folder} now holds {new.model['file']} ({new.model['sha256'][:12]})."]


def _old(folder: Path) -> tuple[Signature | None, str]:
    """Return the baseline that is there, or why it cannot be read."""
    if not (folder / "manifest.json").exists():
        return None, ""
    try:
        return read_signature(folder), ""
    except SignatureError as error:
        return None, str(error)


def _changes(old: Signature | None, new: Signature) -> list[str]:
    if old is None:
        layers = ", ".join(record.name for record in new.layers)
        return [f"First approval: {new.model['parameters']:,} parameters, layers {layers}."]
    before, after = ({record.name for record in side.layers} for side in (old, new))
    lines = [
        f"Replaces {old.model['file']} ({old.model['sha256'][:12]}, {old.model['parameters']:,} parameters) with "
        f"{new.model['file']} ({new.model['sha256'][:12]}, {new.model['parameters']:,} parameters)."
    ]
    lines += [f"Layers added: {', '.join(sorted(after - before))}."] if after - before else []
    lines += [f"Layers removed: {', '.join(sorted(before - after))}."] if before - after else []
    if old.panel_digest != new.panel_digest or old.recipe != new.recipe or old.class_names != new.class_names:
        return [*lines, "Panel, recipe or classes changed as well: the old numbers do not compare."]
    comparison = compare(old, new)
    for metric, about in (
        ("coarse_similarity", old.decision.name),
        ("group_accuracy", ""),
        ("accuracy_change", ""),
        *(("subject_change", subject) for subject in comparison.subjects),
    ):
        item = comparison.measured(metric, about)
        lines.append(f"{item.key}: {item.value:.3f}")
    return lines


def _record(folder: Path, old: Signature | None, new: Signature, reason: str) -> None:
    """Append to the history: it is a log, so a line that is lost with a crash loses no baseline."""
    path = folder / "HISTORY.md"
    if not path.exists():
        path.write_text("# Approvals\n\nWritten by `modelcheck approve`; newest last.\n", encoding="utf-8")
    words = " ".join(reason.split())
    lines = [
        "",
        f"## {datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')}",
        "",
        f"* reason: {words}",
        f"* by: {_who()}",
        f"* network: {new.model['file']}, sha256 {new.model['sha256']}",
        f"* signature: {new.digest()}",
        f"* replaces: {old.digest() if old else 'nothing'}",
        f"* panel: {new.panel_digest}",
        f"* platform: {platform.system()} {platform.machine()}, "
        + ", ".join(f"{name} {number}" for name, number in new.provenance["versions"].items()),
        "",
    ]
    with path.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines))


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return hashlib.sha256(platform.node().encode()).hexdigest()[:8]
