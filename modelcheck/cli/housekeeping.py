"""`modelcheck gc`: what no suite uses any more. It shows first; only ``--delete`` removes anything."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from modelcheck.cli.shared import FILE, say
from modelcheck.gate.entries import SIGNATURES, check_files, hold_entry
from modelcheck.support.folders import PathKind, UnsafePathError, has_folder, kind_of, measure_size, remove
from modelcheck.support.locks import FolderBusyError, folder_lock

__all__ = ["Unused", "baselines_beside", "find_unused_measurements", "gc"]


@dataclass(frozen=True)
class Unused:
    """A cached measurement that may go, or what lies in the place of one: its folder, why, and its size in bytes."""

    folder: Path
    why: str
    size: int


def find_unused_measurements(cache: Path, *, baselines: Collection[str], days: float, now: float) -> list[Unused]:
    """Return the cached measurements that no run will read again, or that none has read for long.

    Parameters
    ----------
    cache : Path
        The cache's folder.
    baselines : collection of str
        What each of today's baselines shows to candidates: a measurement made against another one
        is of no use.
    days : float
        A measurement that was not used for so many days may go.
    now : float
        The time, in seconds since 1970.

    Raises
    ------
    UnsafePathError
        When the cache, or its folder of entries, is a link.
    """
    if not has_folder(cache, SIGNATURES):
        return []
    found = []
    for folder in sorted((cache / SIGNATURES).iterdir()):
        if folder.suffix == ".lock" and kind_of(folder) == PathKind.FILE:
            continue
        why = check_files(folder) or _why(folder, baselines=baselines, days=days, now=now)
        if why:
            found.append(Unused(folder, why, measure_size(folder)))
    return found


def _why(folder: Path, *, baselines: Collection[str], days: float, now: float) -> str:
    from modelcheck.signature import SignatureError, read_manifest

    try:
        manifest = read_manifest(folder)
        used = (folder / "manifest.json").stat().st_mtime
    except (SignatureError, OSError):
        return "it was never finished, or is damaged"
    # Whose maps, or of a table whose profiles, it was shown.
    if manifest.get("stimuli_digest", manifest.get("profiles_digest")) not in baselines:
        return "it was measured against a baseline that no longer exists"
    other = _other_versions(manifest["provenance"])
    if other:
        return f"it was measured with another {other}"
    idle = (now - used) / 86400
    return f"nobody used it for {idle:.0f} days" if idle > days else ""


def _other_versions(provenance: Mapping[str, Any]) -> str:
    """Return the first library whose version is not the installed one; a run would measure again."""
    from importlib.metadata import PackageNotFoundError, version

    for name, number in (provenance.get("versions") or {}).items():
        try:
            if version(name) != number:
                return str(name)
        except (PackageNotFoundError, ValueError):  # ValueError: a name that no package can have
            return str(name)
    return ""


def baselines_beside(baseline: Path) -> Iterator[Path]:
    """Yield the folders of baselines beside one, itself among them."""
    for path in sorted(baseline.parent.glob("*")):
        if path.is_dir() and any(kind_of(path / name) != PathKind.MISSING for name in ("manifest.json", ".approval")):
            yield path


@click.command()
@click.option("--delete", is_flag=True, help="Remove what is shown; without it nothing is touched.")
@click.option("--days", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Days without use.")
@click.option("--baseline", "baselines", type=FILE, multiple=True, help="Another baseline whose measurements stay.")
def gc(*, delete: bool, days: float, baselines: tuple[Path, ...]) -> None:
    """Show, or with --delete remove, what no suite uses any more.

    That is: cached measurements against a baseline that no longer exists, made with other versions,
    unfinished, or unused for long; and beside baselines, files that killed approvals left. What a
    baseline's manifest lists, and every other file, is never touched.

    \b
    Examples:
      modelcheck gc
      modelcheck gc --delete --days 7
    """
    from modelcheck.gate.settings import read_settings
    from modelcheck.signature import SignatureError, TableSignature, read_record

    if not math.isfinite(days):
        raise ValueError(f"--days must be a number of days, for example 30, not {days}.")
    settings = read_settings(Path.cwd())
    if settings.baseline is None and not baselines:
        raise ValueError(
            "No baseline is known, so what is still used is unknown. Name it: modelcheck gc --baseline PATH, or set "
            "baseline in [tool.modelcheck] of pyproject.toml."
        )
    folders = dict.fromkeys([*(baselines_beside(settings.baseline) if settings.baseline else ()), *baselines])
    digests = set()
    for folder in folders:
        try:
            record = read_record(folder)
            shown = record.profiles_sha256() if isinstance(record, TableSignature) else record.stimuli_sha256()
            digests.add(shown)
        except SignatureError as error:
            raise SignatureError(f"{error} Until it can be read, nothing is removed.") from error
    idle = find_unused_measurements(settings.cache, baselines=digests, days=days, now=time.time())
    sizes = []
    for folder in folders:
        if kind_of(folder) == PathKind.FOLDER:  # what a link leads to is tidied where it lies
            sizes += _tidy_baseline(folder, delete=delete)
    for unused in idle:
        if not delete or _remove_if_free(unused):
            say(f"{'removed' if delete else 'would remove'} {unused.folder} ({_bytes(unused.size)}): {unused.why}")
            sizes.append(unused.size)
    size = sum(sizes)
    if not sizes:
        say("Nothing to remove.")
    elif delete:
        say(f"{_bytes(size)} removed.")
    else:
        say(f"{_bytes(size)} can be removed: modelcheck gc --delete")


def _tidy_baseline(folder: Path, *, delete: bool) -> list[int]:
    """Settle what killed approvals left beside a baseline, or only show it; return the size of each thing."""
    from modelcheck.approval import find_unfinished, leftovers, settle

    with folder_lock(folder, timeout=5.0):
        strays = leftovers(folder)
        aside = [path for path in (folder / ".approval",) if kind_of(path) != PathKind.MISSING]
        sizes = [measure_size(path) for path in (*strays, *aside)]
        if delete:
            for line in settle(folder):
                say(line)
            return sizes
        if find_unfinished(folder) is not None:
            say(f"would finish the history of an interrupted approval in {folder}")
        elif aside:
            say(f"would remove {aside[0]}: an approval that was interrupted before it took place")
        for path in strays:
            say(f"would remove {path}: no manifest lists it")
    return sizes


def _remove_if_free(unused: Unused) -> bool:
    """Remove a measurement unless a run holds it; the manifest first, so that a killed removal leaves no half."""
    try:
        with hold_entry(unused.folder, timeout=0, busy="a run is using it"):
            if kind_of(unused.folder) == PathKind.FOLDER:
                remove(unused.folder / "manifest.json")
            remove(unused.folder)
    except (FolderBusyError, UnsafePathError) as error:
        say(f"kept {unused.folder}: {error}")
        return False
    return True


def _bytes(size: float) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
