"""`modelcheck init`: the smallest configuration that works, written once and never over anything."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import click

from modelcheck.cli.shared import FILE, say
from modelcheck.support.files import read_file
from modelcheck.support.folders import place
from modelcheck.support.tables import toml_document

__all__ = ["init", "starter_criteria", "write_configuration"]

_SUITES = ("test_same_features.py", "test_same_places.py", "test_held_out_subjects.py", "test_no_triggers.py")
_REGION_SUITE = "test_attention.py"


def write_configuration(folder: Path, *, candidate: str, baseline: str, panel: str, regions: bool) -> list[str]:
    """Write settings, suites and criteria where they are missing: all of them, or nothing.

    Parameters
    ----------
    folder : Path
        The project's.
    candidate, baseline, panel : str
        Paths, relative to it.
    regions : bool
        Whether the panel says where the evidence must lie; only then can attributions be judged.

    Returns
    -------
    list of str
        What was written, and what was there and kept.

    Raises
    ------
    ValueError
        When pyproject.toml cannot be extended; nothing has been written then.
    OSError
        When something cannot be written, on a full disk for example; what was written before is
        then taken away again.
    """
    settings = folder / "pyproject.toml"
    extended = _extend_pyproject(settings, candidate=candidate, baseline=baseline, panel=panel)
    criteria = starter_criteria(regions=regions)
    texts = {name: _template(f"{name}.txt") for name in (*_SUITES, *((_REGION_SUITE,) if regions else ()))}
    said = [f"wrote   {settings}: [tool.modelcheck]"]
    if extended is None:
        said = [f"kept    {settings}: it has a [tool.modelcheck]"]
    made: list[Path] = []
    try:
        for part in (*reversed(folder.parents), folder, folder / "suites"):
            if not part.exists():
                part.mkdir()
                made.append(part)
        for name, text in {"criteria.toml": criteria, **texts}.items():
            path = folder / "suites" / name
            if os.path.lexists(path):
                said.append(f"kept    {path}: it is there")
            else:
                place(path, text.encode())
                made.append(path)
                said.append(f"wrote   {path}")
        # Last, and at once: the one file that may have been there is the old one or the new one.
        if extended is not None:
            place(settings, extended.encode())
    except BaseException:
        for path in reversed(made):
            with suppress(OSError):  # a folder that somebody else has used meanwhile stays
                path.rmdir() if path.is_dir() else path.unlink()
        raise
    return said


def starter_criteria(*, regions: bool) -> str:
    """Return the limits to start from, with those on attention where the panel has regions."""
    return _template("criteria.toml") + (_template("criteria_regions.toml") if regions else "")


def _template(name: str) -> str:
    return (files("modelcheck.cli") / "starter" / name).read_text(encoding="utf-8")


def _extend_pyproject(path: Path, *, candidate: str, baseline: str, panel: str) -> str | None:
    """Return pyproject.toml with our table at its end, None where it has one."""
    try:
        data = read_file(path)
        before, document = data.decode("utf-8"), toml_document(data)
    except FileNotFoundError:
        before, document = "", {}
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be read, so nothing was written: {error.strerror}.") from error
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not valid TOML, so nothing was written: {error}") from error
    tools = document.get("tool", {})
    if not isinstance(tools, dict) or not isinstance(tools.get("modelcheck", {}), dict):
        raise ValueError(f"{str(path)!r} has a tool or tool.modelcheck that is no table, so nothing was written.")
    if "modelcheck" in tools:
        return None
    # JSON strings are TOML strings, whatever a path holds.
    rows = [("candidate", candidate), ("baseline", baseline), ("panel", panel), ("criteria", "suites/criteria.toml")]
    table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in rows)
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    after = f"{before}{gap}[tool.modelcheck]\n{table}"
    try:
        same = {**toml_document(after.encode())["tool"], "modelcheck": None} == {**tools, "modelcheck": None}
    except ValueError:
        same = False
    if not same:
        raise ValueError(f"{str(path)!r} cannot be extended at its end, so nothing was written. Add by hand:\n{table}")
    return after


@click.command()
@click.option("--candidate", default="candidate.keras", show_default=True, help="The network to be released.")
@click.option("--baseline", default="baselines/release", show_default=True, help="The approved signature's folder.")
@click.option("--panel", default="heldout.npz", show_default=True, help="The held-out panel.")
@click.option("--in", "folder", type=FILE, default=Path(), show_default=True, help="The project's folder.")
def init(*, candidate: str, baseline: str, panel: str, folder: Path) -> None:
    """Write the smallest configuration that works, and say what to do next; nothing that is there is changed.

    \b
    Example:
      modelcheck init --candidate models/new.keras --panel data/heldout.npz
    """
    from modelcheck.panel import Panel
    from modelcheck.signature import read_manifest

    pictures = Panel.load(folder / panel) if (folder / panel).exists() else None
    regions = pictures is not None and pictures.regions is not None
    for line in write_configuration(folder, candidate=candidate, baseline=baseline, panel=panel, regions=regions):
        say(line)
    if not regions:
        why = "has no regions" if pictures is not None else "is not there yet"
        say(f"Where the network looks is not judged: the panel {why}. docs/suites.md says how to add it.")
    if pictures is None:
        say(f"Next:    make the panel {folder / panel}: modelcheck panel --help")
    elif not (folder / baseline / "manifest.json").exists():
        say(f"Next:    modelcheck approve RELEASE.keras --panel {panel} --to {baseline} --reason 'first release'")
    else:
        if not read_manifest(folder / baseline)["retrained"]:
            say("Uncalibrated: the limits on what the network looks for come from another task. Train the release")
            say(f"again with other seeds: modelcheck calibrate {baseline} --twin A.keras --twin B.keras --twin C.keras")
        say("Next:    pytest suites/")
