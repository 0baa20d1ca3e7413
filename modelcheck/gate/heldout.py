"""What the gate says and asks of the held-out panel, whichever it is: pictures, or rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelcheck.judgement.document import AnyPanelRow, PanelRow, TablePanelRow
from modelcheck.panel import AnyPanel, Panel, PanelError, TablePanel
from modelcheck.panel.likeness import list_differences
from modelcheck.panel.populations import list_populations
from modelcheck.signature import Record, TableSignature
from modelcheck.support.commands import write_command
from modelcheck.support.escaping import clean

__all__ = ["check_fit", "check_panel", "describe_panel", "is_table", "name_rows"]


def is_table(panel: AnyPanel) -> bool:
    """Say whether a panel holds rows of a table, and not pictures."""
    return isinstance(panel, TablePanel)


def name_rows(panel: AnyPanel) -> str:
    """Return what a panel is made of, in the plural.

    Examples
    --------
    >>> name_rows(TablePanel({"age": [31.0, 58.0]}, [0.1, 0.2], target="income"))
    'rows'
    """
    return "rows" if is_table(panel) else "pictures"


def check_panel(panel: AnyPanel, path: Path) -> None:
    """Refuse a panel on which no network can be judged; an approval asks the same before it measures.

    Raises
    ------
    PanelError
        When all of it is of one subject, so that nothing is independent of anything else.
    """
    if panel.subjects is not None and len(set(panel.subjects.tolist())) < 2:
        what = name_rows(panel)
        raise PanelError(
            f"The panel {str(path)!r} holds one subject only, {clean(panel.subjects[0], longest=80)!r}: how others "
            f"would fare cannot be said. Add {what} of at least one more, or, where its {what} are independent of "
            "each other, leave the subjects out of the panel."
        )


def check_fit(panel: AnyPanel, path: Path, *, baseline: Record, folder: Path) -> None:
    """Refuse another panel than the one that a baseline was measured on, and say in what it differs.

    Parameters
    ----------
    panel : AnyPanel
        The held-out panel.
    path : Path
        Its file.
    baseline : Record
        What was measured on the right one.
    folder : Path
        The baseline's.

    Raises
    ------
    PanelError
        When it is another, with the next command.
    """
    if panel.digest() == baseline.panel_digest:
        if isinstance(panel, Panel) and not isinstance(baseline, TableSignature):
            panel.inputs(baseline.recipe.input_range)
        return
    again = write_command(["modelcheck", "approve", "RELEASE.keras", "--panel", path, "--to", folder])
    raise PanelError(
        f"The panel {str(path)!r} is not the one the baseline was measured on (digest {panel.digest()[:12]}, "
        f"the baseline's is {baseline.panel_digest[:12]}).{_say_difference(panel, baseline)} Use the baseline's panel, "
        f"or approve the release on this one: {again} --reason '...'"
    )


def _say_difference(panel: AnyPanel, baseline: Record) -> str:
    """Return in what a panel is another one than a baseline's, as far as that can be seen, with a space before it."""
    if is_table(panel) != isinstance(baseline, TableSignature):
        return f" It holds {name_rows(panel)}, and the baseline is of {_OTHER[name_rows(panel)]}."
    if isinstance(panel, TablePanel) and isinstance(baseline, TableSignature):
        found = list_differences(panel.columns, baseline.columns)
        return f" Its variables are others: {'; '.join(found)}." if found else " Its variables are the same."
    return ""


def describe_panel(panel: AnyPanel, *, subjects: Sequence[str]) -> AnyPanelRow:
    """Return the row of a verdict document on its panel.

    Parameters
    ----------
    panel : AnyPanel
        What was judged on.
    subjects : sequence of str
        Those that are judged by themselves.
    """
    return _describe_rows(panel, subjects) if isinstance(panel, TablePanel) else _describe_pictures(panel, subjects)


_OTHER = {"rows": "pictures", "pictures": "rows of a table"}


def _describe_pictures(panel: Panel, subjects: Sequence[str]) -> PanelRow:
    row: PanelRow = {
        "digest": panel.digest(),
        "pictures": len(panel),
        "subjects": list(subjects),
        "classes": list(panel.class_names),
    }
    if panel.classes_without_pictures:
        row["classes_without_pictures"] = list(panel.classes_without_pictures)
    if panel.regions is None:
        row["regions"] = False
    if panel.conversion is not None:
        row["conversion"] = panel.conversion
    return row


def _describe_rows(panel: TablePanel, subjects: Sequence[str]) -> TablePanelRow:
    found = list_populations(panel.groups or {})
    row: TablePanelRow = {
        "digest": panel.digest(),
        "rows": len(panel),
        "subjects": list(subjects),
        "target": panel.target,
        "classes": list(panel.class_names),
        "columns": [{"name": x.name, "kind": x.kind.value, "missing": x.missing} for x in panel.columns],
        "populations": list(found.measured),
        "small_populations": list(found.small),
        "divisions": list(found.divisions),
    }
    there = set(panel.truth.tolist())
    if unseen := [name for k, name in enumerate(panel.class_names) if k not in there]:
        row["classes_without_rows"] = unseen
    if panel.conversion is not None:
        row["conversion"] = panel.conversion
    return row
