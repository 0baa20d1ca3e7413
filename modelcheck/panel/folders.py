"""Pictures listed by folders: one for each class, and in it, if there are any, one for each subject."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from modelcheck.panel.checks import check_class_names
from modelcheck.panel.errors import PanelError, name_classes, shorten
from modelcheck.panel.rows import PictureRow, Rows
from modelcheck.support.commands import write_command

__all__ = ["find_files", "list_folder"]

_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev", "held", "heldout", "holdout"}
_JUNK = {"thumbs.db", "desktop.ini"}  # what file managers leave


def find_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return all files below a folder, sorted, and the hidden ones among them.

    Raises
    ------
    PanelError
        When there is no such folder, or one below it cannot be read or is a link, which is not
        followed: what is behind it would be left out.
    """
    if not folder.is_dir():
        raise PanelError(f"There is no folder {os.fspath(folder)!r}. Give one that holds a folder for each class.")

    def refuse(error: OSError) -> None:
        raise PanelError(f"The folder {error.filename!r} cannot be read: {error.strerror}.") from error

    shown: list[Path] = []
    hidden: list[Path] = []
    links: list[str] = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(folders)
        links += [os.fspath(path) for name in folders if (path := Path(place) / name).is_symlink()]
        for name in names:
            path = Path(place) / name
            parts = path.relative_to(folder).parts
            is_hidden = any(part.startswith(".") for part in parts) or name.lower() in _JUNK
            (hidden if is_hidden else shown).append(path)
    if links:
        raise PanelError(
            f"Folders are links, which are not followed ({len(links)}): {shorten(links)}. Put folders in their place, "
            "or list the pictures in a table with a column path."
        )
    return sorted(shown), sorted(hidden)


def list_folder(folder: str | os.PathLike[str], *, class_names: Sequence[str] | None = None) -> Rows:
    """Return the pictures of a folder that holds a folder for each class.

    Parameters
    ----------
    folder : path
        ``class/picture`` or ``class/subject/picture``, as of `Panel.from_folder`.
    class_names : sequence of str, optional
        The classes in the order of the network's outputs; the folders' names, sorted, by default.
    """
    start = Path(folder)
    files, hidden = find_files(start)
    folders = sorted(path.name for path in start.iterdir() if path.is_dir() and not path.name.startswith("."))
    _check_classes(start, folders, files, class_names)
    classes = check_class_names(folders if class_names is None else class_names)
    parts = [path.relative_to(start).parts for path in files]
    depth = _find_depth(parts)
    empty = [name for name in folders if name not in {place[0] for place in parts}]
    if empty:
        raise PanelError(
            f"Folders of classes hold no picture ({len(empty)}): {shorten(empty)}. "
            "Fill or delete them; classes without pictures can be named with --classes (in Python class_names=)."
        )
    rows = [
        PictureRow(
            where="/".join(place),
            path=path,
            name="/".join(place),
            label=classes.index(place[0]),
            subject=place[1] if depth == 3 else None,
        )
        for path, place in zip(files, parts, strict=True)
    ]
    return Rows(rows=tuple(rows), class_names=classes, remarks=tuple(_remarks(start, classes, class_names, hidden)))


def _check_classes(start: Path, folders: list[str], files: list[Path], given: Sequence[str] | None) -> None:
    where = os.fspath(start)
    loose = [path.name for path in files if path.parent == start]
    if not folders:
        raise PanelError(
            f"The folder {where!r} holds no folders, where there must be one for each class"
            + (f"; files lie in it ({len(loose)}): {shorten(loose)}." if loose else ".")
        )
    if loose:
        raise PanelError(
            f"Files lie beside the folders of the classes ({len(loose)}): {shorten(loose)}. Move them "
            "into a class, or away."
        )
    if (
        given is None
        and len(folders) > 1
        and {name.lower().replace("-", "").replace("_", "") for name in folders} <= _SPLITS
    ):
        options = name_classes(folders)
        raise PanelError(
            f"The folders of {where!r} are {shorten(folders)}: parts of a data set, not classes. Give the one that no "
            f"network was trained on, for example {where.rstrip('/')}/{folders[0]}; if they are classes, name them "
            f"with {write_command(options)}.",
            options=options,
        )
    if given is None and len(folders) == 1:
        options = name_classes([folders[0], "other" if folders[0] != "other" else "another"])
        raise PanelError(
            f"The folder {where!r} has one class only, {folders[0]!r}. Name all classes in the order of the network's "
            f"outputs: {write_command(options)} (in Python class_names=).",
            options=options,
        )
    strange = [name for name in folders if given is not None and name not in given]
    if strange:
        raise PanelError(
            f"Folders of {where!r} are none of the classes {shorten(given or ())} ({len(strange)}): {shorten(strange)}."
        )


def _find_depth(parts: Sequence[tuple[str, ...]]) -> int:
    """Return how deep the pictures lie: 2 for class/picture, 3 for class/subject/picture."""
    depths = {len(place): "/".join(place) for place in parts}
    if len(depths) > 1 or max(depths, default=2) > 3:
        raise PanelError(
            f"Pictures must lie in class/picture or all in class/subject/picture; here {shorten(depths.values())}. "
            "Move them, or list them in a table: modelcheck panel from-table --help"
        )
    return next(iter(depths), 2)


def _remarks(start: Path, classes: tuple[str, ...], given: Sequence[str] | None, hidden: list[Path]) -> list[str]:
    remarks = []
    if hidden:
        names = [path.relative_to(start).as_posix() for path in hidden]
        remarks.append(f"Hidden files were left out ({len(hidden)}): {shorten(names)}.")
    if given is None and all(name.isascii() and name.isdigit() for name in classes):
        numbers = sorted(classes, key=int)
        if numbers != list(classes):
            remarks.append(
                f"The classes stand in the order of words, as Keras has them: {shorten(classes)}. If the network has "
                f"them in the order of numbers: --classes {','.join(numbers)}."
            )
    return remarks
