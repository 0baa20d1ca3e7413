"""Several files written at once: all of them, or nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from modelcheck.support.commands import as_argument, write_command
from modelcheck.support.folders import place

__all__ = ["write_all"]


def write_all(texts: Mapping[Path, bytes]) -> None:
    """Write files, with the folders that they need: all of them, or nothing; links of the user's are followed.

    Parameters
    ----------
    texts : mapping of Path to bytes
        What is to be in each file, in the order of writing.

    Raises
    ------
    ValueError
        When something else stands where a file or a folder is due.
    OSError
        When something cannot be written; what was written before is then taken away again.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_all({Path(folder) / "suites" / "note.txt": b"whole"})
    ...     (Path(folder) / "suites" / "note.txt").read_bytes()
    b'whole'
    """
    texts = {_find_place(path, texts): data for path, data in texts.items()}
    made: list[Path] = []
    kept: dict[Path, Path] = {}
    try:
        for number, (path, data) in enumerate(texts.items(), start=1):
            for part in (*reversed(path.parent.parents), path.parent):
                if not part.exists():
                    part.mkdir()
                    made.append(part)
            if not os.path.lexists(path):
                place(path, data)
                made.append(path)
                continue
            if number < len(texts):  # what is written after it may fail
                aside = path.with_name(f".{path.name}.before-init")
                aside.unlink(missing_ok=True)  # of a run that was killed; the file itself is whole
                os.link(path, aside)
                kept[path] = aside
            place(path, data, mode=stat.S_IMODE(path.stat().st_mode))
    except BaseException:
        for path, aside in kept.items():
            with suppress(OSError):
                os.rename(aside, path)  # noqa: PTH104 - takes no room on a full disk
                aside.unlink(missing_ok=True)  # still there where the two were one file
        for path in reversed(made):
            with suppress(OSError):  # a folder that somebody else has used meanwhile stays
                path.rmdir() if path.is_dir() else path.unlink()
        raise
    for aside in kept.values():
        aside.unlink()


def _find_place(path: Path, texts: Collection[Path]) -> Path:
    """Return where a file is written, a link of the user's followed.

    Raises
    ------
    ValueError
        When something else is there.
    """
    for part in path.parents:
        if part in texts or (os.path.lexists(part) and not part.is_dir()):
            raise ValueError(
                f"{str(path)!r} cannot be written, so nothing was: {str(part)!r} is no folder. Move it away, or name "
                "another file in [tool.modelcheck] of pyproject.toml, then modelcheck init again."
            )
    if not os.path.lexists(path):
        return path
    if not path.is_file():
        raise ValueError(
            f"{str(path)!r} cannot be written, so nothing was: it is no file"
            f"{' but a link that leads to none' if path.is_symlink() else ''}. Move it away, then modelcheck init "
            "again."
        )
    if not os.access(path, os.W_OK):
        raise ValueError(
            f"{str(path)!r} may not be written to, so nothing was written. Allow it: "
            f"{write_command(['chmod', 'u+w', as_argument(path)])}"
        )
    return path.resolve() if path.is_symlink() else path
