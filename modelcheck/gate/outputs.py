"""What may be written where: nothing that a command writes may be, lie in, or hold what it reads.

Compared is what paths lead to, links followed, and files by their identity: another spelling, ``..``,
another case where the disk does not tell them apart, or a hard link is the same file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from modelcheck.gate.settings import Settings, SettingsError

__all__ = ["OutputError", "check_baseline_outputs", "check_outputs", "check_run_outputs", "name_other_outputs"]

_REPORT = ("verdict.json", "index.html", "summary.md", "pictures", "candidate", "partial")
_CACHE = ("signatures", ".gitignore")
_BASELINE = ("manifest.json", "HISTORY.md", "contact_sheet.png", ".approval")


class OutputError(SettingsError):
    """An output that would overwrite what is read, or an approved baseline; nothing has been written."""


def check_outputs(outputs: Mapping[Path, str], *, inputs: Mapping[str, Path | None], baselines: bool = True) -> None:
    """Refuse outputs that would overwrite an input, or anything of an approved baseline.

    Parameters
    ----------
    outputs : mapping of Path to str
        What is written, a file or a whole folder, and the option that names it.
    inputs : mapping of str to Path or None
        What is read, by its name in a message: files or folders; None for what is not given.
    baselines : bool
        Whether approved baselines are kept as well, those that are no input among them.

    Raises
    ------
    OutputError
        With both, and the option to change.

    Examples
    --------
    >>> check_outputs({Path("report/index.html"): "--to"}, inputs={"baseline": Path("baselines/mine")})
    """
    for path, option in outputs.items():
        for name, given in inputs.items():
            if given is not None and _overlap(path, given):
                raise OutputError(
                    f"{option} would write {str(path)!r}, which is, lies in or holds the {name} {str(given)!r}. "
                    f"Nothing was written. Give another place: {option} PATH"
                )
        kept = next((place for place in _upwards(path) if _is_approved(place)), None)
        if baselines and kept is not None:
            raise OutputError(
                f"{option} would write {str(path)!r} into the baseline {str(kept)!r}, which only modelcheck approve "
                f"writes. Nothing was written. Give another place: {option} PATH"
            )


def check_run_outputs(settings: Settings, *, root: Path, more: Mapping[Path, str] | None = None) -> None:
    """Refuse a run of the gate whose report, cache or other output would overwrite what it judges by.

    Parameters
    ----------
    settings : Settings
        What the run is about.
    root : Path
        The project's folder.
    more : mapping of Path to str, optional
        Other files that the run writes, and the option that names each.

    Raises
    ------
    OutputError
        With both paths.
    """
    report, cache = "--modelcheck-report", "cache in [tool.modelcheck] ="
    outputs = {settings.report / name: report for name in _REPORT}
    outputs |= {settings.cache / name: cache for name in _CACHE}
    files = {
        "candidate": settings.candidate,
        "baseline's network": settings.baseline_model,
        "panel": settings.panel,
        "criteria": settings.criteria,
        "waivers": settings.waivers,
        "settings": root / "pyproject.toml",
    }
    # A folder in the place of a file, as an empty name gives, is for its own reader to refuse.
    inputs = {name: path for name, path in files.items() if path is None or not path.is_dir()}
    check_outputs({**outputs, **(more or {})}, inputs={"baseline": settings.baseline, **inputs})
    # Whatever is put beside baselines, or suites, is taken for one of them.
    places = {"folder of the baselines": settings.baseline.parent if settings.baseline else None}
    places |= {"folder of the suites": root / "suites"}
    for folder, option in ((settings.report, report), (settings.cache, cache)):
        taken = {**places, "project's folder": root} if folder == settings.cache else places
        for name, place in taken.items():
            if place is not None and _same(_real(folder), _real(place)):
                raise OutputError(
                    f"{option} names {str(folder)!r}, the {name}. Nothing was written. Give another place: "
                    f"{option} PATH"
                )


def name_other_outputs(config: pytest.Config) -> dict[Path, str]:
    """Return what a run writes beside report and cache, and the option or variable that names each file."""
    named = {
        "--junitxml": getattr(config.option, "xmlpath", None),
        "GITHUB_STEP_SUMMARY": os.environ.get("GITHUB_STEP_SUMMARY"),
    }
    return {config.invocation_params.dir / path: option for option, path in named.items() if path}


def check_baseline_outputs(folder: Path, *, inputs: Mapping[str, Path | None], within: Path | None = None) -> None:
    """Refuse to put a baseline where it would overwrite what it is made from.

    Parameters
    ----------
    folder : Path
        The baseline's.
    inputs : mapping of str to Path or None
        What is read, by its name in a message.
    within : Path, optional
        The report that it is made from: a folder in which no baseline may stand.

    Raises
    ------
    OutputError
        With both paths.
    """
    check_outputs({folder / name: "--to" for name in _BASELINE}, inputs=inputs, baselines=False)
    if within is not None:
        check_outputs({folder: "--to"}, inputs={"report": within}, baselines=False)


def _overlap(one: Path, other: Path) -> bool:
    target = _real(one)
    # Of an input both the link and what it leads to.
    return any(_lies_in(target, place) or _lies_in(place, target) for place in {_real(other), _plain(other)})


def _lies_in(path: Path, folder: Path) -> bool:
    return any(_same(place, folder) for place in (path, *path.parents))


def _same(one: Path, other: Path) -> bool:
    try:
        return one == other or one.samefile(other)
    except OSError:  # one of them is not there
        return False


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _plain(path: Path) -> Path:
    """Return a path whose last part alone may be a link."""
    return _real(path.absolute().parent) / path.name if path.name not in ("", "..") else _real(path)


def _upwards(path: Path) -> Iterator[Path]:
    real = _real(path)
    yield from (real, *real.parents)


def _is_approved(folder: Path) -> bool:
    return (folder / "HISTORY.md").is_file() and (folder / "manifest.json").is_file()
