"""Whether a panel has the columns of another one: those with which a baseline was approved."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from modelcheck.panel.columns import Column
from modelcheck.panel.errors import PanelError, shorten

if TYPE_CHECKING:
    from modelcheck.panel.table_panel import TablePanel

__all__ = ["check_like", "list_differences"]


def check_like(panel: TablePanel, columns: Sequence[Column]) -> None:
    """Refuse a panel whose columns are not those of the approval.

    Parameters
    ----------
    panel : TablePanel
        The panel.
    columns : sequence of Column
        The columns at the approval, in their order.

    Raises
    ------
    PanelError
        When columns are missing, new, renamed, of another kind, unit or order, or hold categories
        that were never seen; it names all of them.

    Examples
    --------
    >>> from modelcheck.panel import TablePanel
    >>> panel = TablePanel({"Age": [31, 58]}, [0.1, 0.2], target="income")
    >>> check_like(panel, [Column(name="age", kind="number", low=18, high=90)])
    Traceback (most recent call last):
    modelcheck.panel.errors.PanelError: The panel has not the columns of the approval:
    - 'age' is missing; 'Age' is new: was it renamed?
    Bring the columns of the approval (in Python TablePanel.from_frame(..., features_like=panel)), or approve anew: \
modelcheck approve
    """
    wrong = list_differences(panel.columns, columns)
    if wrong:
        raise PanelError(
            "\n- ".join(["The panel has not the columns of the approval:", *wrong])
            + "\nBring the columns of the approval (in Python TablePanel.from_frame(..., features_like=panel)), or "
            "approve anew: modelcheck approve"
        )


def list_differences(found: Sequence[Column], wanted: Sequence[Column]) -> list[str]:
    """Return in what columns differ from those of an approval, one clause each; empty where they do not.

    Examples
    --------
    >>> list_differences([Column(name="Age", kind="number")], [Column(name="age", kind="number")])
    ["'age' is missing; 'Age' is new: was it renamed?"]
    """
    return list(_find_differences(found, wanted))


def _find_differences(found: Sequence[Column], wanted: Sequence[Column]) -> Iterator[str]:
    now, then = ({column.name: column for column in columns} for columns in (found, wanted))
    new = [name for name in now if name not in then]
    for name in then:
        if name in now:
            yield from _list_changes(now[name], then[name])
            continue
        folded = {other.casefold(): other for other in new}
        near = difflib.get_close_matches(name.casefold(), folded, n=1)
        yield f"{name!r} is missing" + (f"; {folded[near[0]]!r} is new: was it renamed?" if near else "")
        new = [other for other in new if not near or other != folded[near[0]]]
    for name in new:
        yield f"{name!r} is new"
    if now.keys() == then.keys() and list(now) != list(then):
        first = next(k for k, (one, other) in enumerate(zip(now, then, strict=True)) if one != other)
        yield f"the order is another: column {first + 1} is {list(now)[first]!r}, and was {list(then)[first]!r}"


def _list_changes(now: Column, then: Column) -> Iterator[str]:
    if now.kind != then.kind:
        yield f"{now.name!r} holds {_PLURAL[now.kind]}, and held {_PLURAL[then.kind]}"
        return
    unseen = [value for value in now.values if value not in set(then.values)]
    if unseen:
        yield f"{now.name!r} holds categories that were never seen ({len(unseen)}): {shorten(map(repr, unseen))}"
    if now.unit and then.unit and now.unit != then.unit:
        yield f"{now.name!r} is in {now.unit!r}, and was in {then.unit!r}"


_PLURAL = {"number": "numbers", "category": "categories"}
