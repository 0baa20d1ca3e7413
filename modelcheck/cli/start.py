"""`modelcheck init`: settings, suites and limits that fit the panel and the baseline; nothing is ever written over."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from modelcheck.cli.candidate import say_misfit, say_shipped
from modelcheck.cli.limits import (
    Questions,
    find_questions,
    fit_to_release,
    missing_rows,
    starter_criteria,
    starter_text,
)
from modelcheck.cli.shared import FILE, say
from modelcheck.cli.writing import write_all
from modelcheck.support.commands import as_argument, write_command
from modelcheck.support.files import read_file
from modelcheck.support.tables import toml_document

if TYPE_CHECKING:
    from modelcheck.panel import AnyPanel
    from modelcheck.signature import Record

__all__ = ["SUITES", "SUITES_OF_TABLE", "Paths", "init", "write_configuration"]

# By the part of the limits that a suite asks about; empty for what is always asked.
SUITES = (
    ("", "test_same_features.py"),
    ("places", "test_same_places.py"),
    ("", "test_held_out_subjects.py"),
    ("regions", "test_attention.py"),
    ("triggers", "test_no_triggers.py"),
)
SUITES_OF_TABLE = {
    "classes": (
        ("", "test_same_features.py"),
        ("drivers", "test_same_drivers.py"),
        ("populations", "test_same_for_everyone.py"),
        ("", "test_held_out_rows.py"),
    ),
}
SUITES_OF_TABLE["numbers"] = (*SUITES_OF_TABLE["classes"][:-1], ("", "test_held_out_numbers.py"))
_LACKING_OF_TABLE = {
    "subjects": "Accuracy is judged by row alone, and by class: the panel has no subjects that several rows share.",
    "drivers": "Which variables drive it is not judged: the recipe has exchange_rows = 0.",
    "divisions": "Whether it is the same for everyone is not judged: the panel names nothing that divides it into two "
    "sub-populations of 10 rows or more (groups).",
}
_LACKING = {
    "subjects": "Accuracy is judged by picture and class: the panel has no subjects that several pictures share.",
    "regions": "Where the network looks is not judged: the panel has no regions. To add them: modelcheck help suites",
    "triggers": "Planted triggers are not looked for: that takes two retrained twins or more, modelcheck calibrate.",
    "places": "Which parts of a picture decide is not judged: the recipe has exchange_pictures = 0.",
}


@dataclass(frozen=True, kw_only=True)
class Paths:
    """What a project's settings name, relative to its folder.

    Parameters
    ----------
    candidate, baseline, panel : str
        The network to be released, the approved signature's folder, and the held-out panel.
    criteria : str
        The file of limits.
    baseline_model : str
        The file that the baseline was approved from, where it is there; else empty.
    source : str
        The file that a LiteRT or ONNX candidate was converted from; empty where it is none, or not
        known.
    """

    candidate: str
    baseline: str
    panel: str
    criteria: str = "suites/criteria.toml"
    baseline_model: str = ""
    source: str = ""


def write_configuration(
    folder: Path, paths: Paths, *, questions: Questions, release: Record | None = None
) -> list[str]:
    """Write settings, suites and limits where they are missing: all of them, or nothing.

    A file of limits that is there gets the rows that fit and whose metric has none, at its end;
    what it says already stays as it is.

    Parameters
    ----------
    folder : Path
        The project's.
    paths : Paths
        What new settings name.
    questions : Questions
        What panel and baseline can be asked.
    release : Record, optional
        The baseline: new limits on accuracy are fitted to what it reaches itself.

    Returns
    -------
    list of str
        What was written or added, and what was there and kept.

    Raises
    ------
    ValueError
        When pyproject.toml or the limits cannot be extended; nothing has been written then.
    OSError
        When something cannot be written, on a full disk for example; what was written before is
        then taken away again.
    """
    settings, criteria = folder / "pyproject.toml", folder / paths.criteria
    extended = _extend_pyproject(settings, paths)
    texts: dict[Path, str] = {}
    said = [f"{'kept' if extended is None else 'wrote':7} {settings}: [tool.modelcheck]"]
    limits, lines = _extend_criteria(criteria, questions, release)
    for part, name in SUITES_OF_TABLE[questions.table] if questions.table else SUITES:
        path = folder / "suites" / name
        if part and part not in questions.parts:
            continue
        if not os.path.lexists(path):
            texts[path] = starter_text(f"{name}.txt")
        lines.append(f"{'wrote' if path in texts else 'kept':7} {path}")
    if limits is not None:
        texts[criteria] = limits
    # Last, so that a file that was there is the old one or the new one.
    if extended is not None:
        texts[settings] = extended
    write_all({path: text.encode() for path, text in texts.items()})
    return [*said, *lines]


def _extend_criteria(path: Path, questions: Questions, release: Record | None) -> tuple[str | None, list[str]]:
    """Return the limits as they are to be, None where they stay, and lines about them."""
    before = ""
    try:
        if there := os.path.lexists(path):
            before = read_file(path).decode("utf-8")
        missing = missing_rows(before, questions)
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be read, so nothing was written: {error.strerror}.") from error
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not valid TOML, so nothing was written: {error}.") from error
    if there:
        _check_limits(path, before)
        _check_extension(path, before, list(missing.values()))
    whole = _join(before, list(missing.values())) if there else starter_criteria(questions)
    fitted, fits = ([], []) if release is None else fit_to_release(whole, release)
    fits = [f"        {line}" for line in fits]
    if not there:
        return _join(whole, fitted), [f"wrote   {path}", *fits]
    if not missing and not fitted:
        return None, [f"kept    {path}: every metric that can be asked has a row"]
    added = f"rows on {', '.join(missing)}" if missing else "limits of their own"
    return _join(whole, fitted), [f"added   {path}: {added}; the others are kept as they are", *fits]


def _check_limits(path: Path, text: str) -> None:
    """Refuse limits that the gate would refuse: nothing is added to what must be mended first."""
    from modelcheck.comparison import METRICS
    from modelcheck.judgement.criteria import CriteriaError, read_criteria

    try:
        if toml_document(text.encode()):
            read_criteria(path, metrics=METRICS)
    except CriteriaError as error:
        raise ValueError(f"{str(error).rstrip('.')}. Until that is mended nothing was written.") from error


def _check_extension(path: Path, before: str, rows: Sequence[str]) -> None:
    """Refuse a file whose rows would not stay what they are when others follow at its end."""
    try:
        after = toml_document(_join(before, rows).encode()).get("criterion", [])
        same = not rows or after[: -len(rows)] == toml_document(before.encode()).get("criterion", [])
    except (ValueError, TypeError):
        same = False
    if not same:
        raise ValueError(
            f"{str(path)!r} cannot be extended at its end, so nothing was written. Add by hand:\n" + "\n".join(rows)
        )


def _join(text: str, rows: Sequence[str]) -> str:
    return "\n".join([text if text.endswith("\n") or not text else f"{text}\n", *rows])


def _extend_pyproject(path: Path, paths: Paths) -> str | None:
    """Return pyproject.toml with our table at its end, None where it has one."""
    try:
        data = read_file(path)
        before, document = data.decode("utf-8"), toml_document(data)
    except FileNotFoundError:
        before, document = "", {}
    except OSError as error:
        raise ValueError(f"{str(path)!r} cannot be read, so nothing was written: {error.strerror}.") from error
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not valid TOML, so nothing was written: {error}.") from error
    tools = document.get("tool", {})
    if not isinstance(tools, dict) or not isinstance(tools.get("modelcheck", {}), dict):
        raise ValueError(f"{str(path)!r} has a tool or tool.modelcheck that is no table, so nothing was written.")
    if "modelcheck" in tools:
        return None
    # JSON strings are TOML strings, whatever a path holds.
    names = ("candidate", "source", "baseline", "baseline_model", "panel", "criteria")
    rows = [(name, getattr(paths, name)) for name in names]
    table = "".join(f"{name} = {json.dumps(value)}\n" for name, value in rows if value)
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
@click.option("--candidate", default="candidate.keras", show_default=True, help="The file to be released.")
@click.option("--source", default="", help="The .keras file that a .tflite or .onnx candidate was converted from.")
@click.option("--baseline", default="baselines/release", show_default=True, help="The approved signature's folder.")
@click.option("--panel", default="heldout.npz", show_default=True, help="The held-out panel.")
@click.option("--in", "folder", type=FILE, default=Path(), show_default=True, help="The project's folder.")
def init(*, candidate: str, source: str, baseline: str, panel: str, folder: Path) -> None:
    """Write settings, suites and limits that fit the panel and the baseline, and say what to do next.

    Nothing that is there is changed. Run it again when something came later, such as regions or
    retrained twins: it adds the limits and suites that are missing. Where there are settings, they
    count, and the options do not.

    \b
    Examples:
      modelcheck init --candidate models/new.keras --panel data/heldout.npz
      modelcheck init --candidate phone.tflite --source models/new.keras --panel data/heldout.npz
    """
    paths = _find_paths(folder, Paths(candidate=candidate, source=source, baseline=baseline, panel=panel))
    panel_there, release = _read_panel(folder, paths), _read_baseline(folder / paths.baseline)
    questions = find_questions(panel_there, release)
    typed = click.get_current_context().get_parameter_source
    given = {"candidate": candidate, "source": source, "baseline": baseline, "panel": panel}
    asked = {name: value for name, value in given.items() if typed(name) is ParameterSource.COMMANDLINE}
    notes = list(_say_settings(folder, paths, asked=asked))  # before anything is written: it reads
    lines = write_configuration(folder, paths, questions=questions, release=release)
    for line in [*lines, *(notes if lines[0].startswith("kept") else [])]:
        say(line)
    for line in say_shipped(folder / paths.candidate, source=bool(paths.source), table=bool(questions.table)):
        say(line)
    if panel_there is not None:
        for line in (
            *_say_lacking(questions, calibrated=release is not None),
            *say_misfit(folder / paths.candidate, panel_there),
        ):
            say(line)
    for line in _say_next(folder, paths, panel=panel_there, release=release):
        say(line)


def _find_paths(folder: Path, given: Paths) -> Paths:
    """Return what the project's settings name, as far as they do, and else what was given."""
    from modelcheck.gate.settings import SettingsError, has_settings, read_settings

    if not has_settings(folder):
        return replace(given, baseline_model=_find_model(folder, given.baseline))
    try:
        settings = read_settings(folder)
    except SettingsError as error:
        raise ValueError(f"{str(error).rstrip('.')}. Until that is mended nothing was written.") from error

    def name(path: Path | None, other: str) -> str:
        return other if path is None else os.path.relpath(path, folder)

    panel = settings.require("panel") if settings.panel is not None or settings.baseline is not None else None
    return Paths(
        candidate=name(settings.candidate, given.candidate),
        source=name(settings.source, ""),
        baseline=name(settings.baseline, given.baseline),
        panel=name(panel, given.panel),
        criteria=name(settings.criteria, given.criteria),
    )


def _find_model(folder: Path, baseline: str) -> str:
    """Return the file that the baseline was approved from, where it lies in the project's folder; else nothing."""
    from modelcheck.comparison import PICTURES, tell_material
    from modelcheck.signature import read_manifest
    from modelcheck.support.files import hash_file

    if not (folder / baseline / "manifest.json").exists():
        return ""
    manifest = read_manifest(folder / baseline)
    if tell_material(manifest) != PICTURES:  # whose maps are shown back
        return ""
    model = manifest["model"]
    file = folder / Path(str(model["file"])).name
    try:
        return file.name if hash_file(file) == model["sha256"] else ""
    except OSError:
        return ""


def _read_panel(folder: Path, paths: Paths) -> AnyPanel | None:
    from modelcheck.panel import load_panel

    path = folder / paths.panel
    return load_panel(path) if path.exists() else None


def _read_baseline(path: Path) -> Record | None:
    from modelcheck.signature import read_record

    return read_record(path) if (path / "manifest.json").exists() else None


def _say_settings(folder: Path, paths: Paths, *, asked: Mapping[str, str]) -> Iterator[str]:
    """Yield what settings that were there lack, and what was asked for and is otherwise in them."""
    from modelcheck.gate.settings import read_settings

    file, settings = folder / "pyproject.toml", read_settings(folder)
    named = {name: getattr(settings, name) for name in ("candidate", "baseline", "panel")}
    if settings.baseline is not None:
        named["panel"] = settings.require("panel")
    lacking = [name for name, path in named.items() if path is None]
    if lacking:
        yield f"[tool.modelcheck] of {file} does not name all that the gate needs. Add to it:"
        yield from (f"        {name} = {json.dumps(getattr(paths, name))}" for name in lacking)
    for name, value in asked.items():
        path = settings.source if name == "source" else named[name]
        if name == "source" and path is None:
            yield f"Not used: --source {value}. {file} names none. Add to its [tool.modelcheck]:"
            yield f"        source = {json.dumps(value)}"
        if path is not None and path.resolve() != (folder / value).resolve():
            yield f"Not used: --{name} {value}. {file} names {path}, and that counts: change {name} there."


def _say_lacking(questions: Questions, *, calibrated: bool) -> Iterator[str]:
    for part, line in (_LACKING_OF_TABLE if questions.table else _LACKING).items():
        if part not in questions.parts and (calibrated or part != "triggers"):
            yield line


def _say_next(folder: Path, paths: Paths, *, panel: AnyPanel | None, release: Record | None) -> Iterator[str]:
    """Yield what to do next, the command last."""
    go = "" if folder.absolute() == Path.cwd() else f"{write_command(['cd', as_argument(folder)])} && "
    if panel is None:
        yield f"The panel {folder / paths.panel} is not there yet, so nothing is known of subjects and regions, or of"
        yield "variables and sub-populations."
        yield "Next:    make the panel, then modelcheck init again. How: modelcheck panel --help"
        return
    if release is not None and panel.digest() != release.panel_digest:
        yield f"The panel {folder / paths.panel} is not the one of the baseline, and the gate refuses another. Name"
        yield "that one in [tool.modelcheck], or approve the release on this one:"
    if release is None or panel.digest() != release.panel_digest:
        words = ["RELEASE.keras", "--panel", paths.panel, "--to", paths.baseline, "--reason"]
        words.append("first release" if release is None else "another panel")
        yield f"Next:    {go}{write_command(['modelcheck', 'approve', *words])}"
        yield "         Then modelcheck init again: it adds limits that fit what the release reaches."
        return
    if not release.retrained:
        yield "Uncalibrated: the limits on what the network looks for come from other tasks. Train the release again"
        words = [as_argument(paths.baseline), "--twin", "A.keras", "--twin", "B.keras", "--twin", "C.keras"]
        yield f"with other seeds: {go}{write_command(['modelcheck', 'calibrate', *words])}"
        yield "Then modelcheck init again: it adds what twins make possible."
    if not (folder / paths.candidate).exists():
        yield f"The candidate {folder / paths.candidate} is not there yet."
        yield f"Next:    {go}pytest suites/ --candidate YOUR_CANDIDATE.keras"
        return
    yield f"Next:    {go}pytest suites/"
