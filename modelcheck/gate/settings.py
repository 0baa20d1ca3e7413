"""What a run is about: options from the command line over `[tool.modelcheck]` of pyproject.toml."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from modelcheck.interface import Interface, spell_preprocessing
from modelcheck.support.commands import join_names
from modelcheck.support.escaping import clean
from modelcheck.support.files import read_file
from modelcheck.support.tables import toml_document
from modelcheck.support.validation import TABLE, Check, check_keys, check_table, check_value, name_list, number, one_of

__all__ = [
    "Settings",
    "SettingsError",
    "has_settings",
    "near",
    "read_interface",
    "read_settings",
    "split_names",
    "write_options",
]

_CUSTOM = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*>[A-Za-z_]\w*")
_PATHS = ("candidate", "source", "baseline", "baseline_model", "panel", "criteria", "waivers", "report", "cache")
_WAIVERS = "suites/waivers.toml"  # read where it is there


class SettingsError(ValueError):
    """Settings that cannot be used; the message names the key and what to do."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One gate run.

    Parameters
    ----------
    candidate : Path or None
        The file that is proposed for release: ``.keras``, ``.tflite`` or ``.onnx``.
    source : Path or None
        The ``.keras`` file that a ``.tflite`` or ``.onnx`` candidate was converted from.
    baseline : Path or None
        The folder of an approved signature.
    baseline_model : Path or None
        The ``.keras`` file that the baseline was approved from: the candidate's maps are then shown
        to it, too.
    panel : Path or None
        The held-out panel; by default ``panel.npz`` in the baseline's folder.
    criteria : Path
        The rows of limits.
    waivers : Path or None
        The file of waivers; by default ``suites/waivers.toml`` where it is there.
    report : Path
        The folder that receives ``index.html``, ``verdict.json`` and ``summary.md``.
    cache : Path
        Where measurements are kept, keyed by what was measured and how.
    interface : Interface
        How the candidate's inputs and outputs are to be understood: in TOML each of its parts is a
        key of its own. Where nothing is said, the candidate is read as the baseline was approved.
    layers : mapping of str to str or None
        Counterparts of the baseline's layers that are given; None (``false`` in TOML) means none,
        on purpose.
    timeout : float
        Seconds that measuring the candidate may take.
    memory : float
        GiB of memory that measuring the candidate may take.
    panel_size : float
        GiB that the panel may unpack to.
    custom_objects : tuple of str
        Classes and functions outside Keras, ``module>name``, that a network may name; the child
        imports them.
    workers : int or None
        How many processes of this machine measure at once; by default one, without blocks. Results
        are the same for any number.
    scheduler : str or None
        The address of a Dask scheduler whose workers measure instead, such as
        ``tcp://192.0.2.1:8786``.
    inconclusive : {'fail', 'pass'}
        What the exit code makes of an inconclusive finding; the verdict names it either way.
    subject_name : tuple of str
        What reports call one and several subjects; empty for "subject" and "subjects".

    Examples
    --------
    >>> settings = Settings(layers={"conv1": "stem", "conv2": None}, timeout=60.0)
    >>> settings.paired, settings.acknowledged
    ({'conv1': 'stem'}, ('conv2',))
    """

    candidate: Path | None = None
    source: Path | None = None
    baseline: Path | None = None
    baseline_model: Path | None = None
    panel: Path | None = None
    criteria: Path = Path("suites/criteria.toml")
    waivers: Path | None = None
    report: Path = Path("report")
    cache: Path = Path(".modelcheck")
    interface: Interface = field(default_factory=Interface)
    layers: Mapping[str, str | None] = field(default_factory=dict)
    timeout: float = 3600.0
    memory: float = 16.0
    panel_size: float = 4.0
    custom_objects: tuple[str, ...] = ()
    workers: int | None = None
    scheduler: str | None = None
    inconclusive: str = "fail"
    subject_name: tuple[str, ...] = ()

    @property
    def acknowledged(self) -> tuple[str, ...]:
        """The baseline's layers that have no counterpart on purpose."""
        return tuple(name for name, partner in self.layers.items() if partner is None)

    @property
    def paired(self) -> dict[str, str]:
        """The baseline's layers whose counterpart is given."""
        return {name: partner for name, partner in self.layers.items() if partner is not None}

    def require(self, name: str) -> Path:
        """Return a path that the run cannot do without.

        Raises
        ------
        SettingsError
            When it was not given.
        """
        if name == "panel" and self.panel is None and self.baseline is not None:
            return self.baseline / "panel.npz"
        value = getattr(self, name)
        if value is None:
            raise SettingsError(
                f"No {name} was given, so nothing can be judged. Use: pytest suites/ --{name} PATH, or set {name} in "
                "[tool.modelcheck] of pyproject.toml."
            )
        return value


def split_names(text: str, *, at: str = ",") -> list[str]:
    """Return the names of a list that a person typed; one that holds the separator stands in double quotes.

    Parameters
    ----------
    text : str
        For example what follows ``--outputs`` on a command line.
    at : str
        The separator, one character.

    Raises
    ------
    SettingsError
        When a quote is not closed, or text follows a closing quote.

    Examples
    --------
    >>> split_names('left,"left, up"')
    ['left', 'left, up']
    """
    try:
        rows = list(csv.reader([text], delimiter=at, strict=True))
    except csv.Error as error:
        raise SettingsError(
            f"{text!r} is not a list of names ({error}). A name that holds {at!r} stands in double quotes: "
            f"'one{at}\"two{at} three\"'."
        ) from error
    return rows[0] if rows else []


def has_settings(root: Path) -> bool:
    """Say whether ``root/pyproject.toml`` has a ``[tool.modelcheck]``; a file that cannot be read may have one.

    Examples
    --------
    >>> has_settings(Path()), has_settings(Path("docs"))
    (True, False)
    """
    try:
        return bool(_table(root / "pyproject.toml"))
    except SettingsError:
        return True


def read_settings(root: Path, options: Mapping[str, Any] | None = None) -> Settings:
    """Read ``[tool.modelcheck]`` of ``root/pyproject.toml``, with options laid over it.

    Parameters
    ----------
    root : Path
        The project's folder; relative paths in the file start there.
    options : mapping, optional
        Values from the command line, relative to the working directory; None means not given.

    Raises
    ------
    SettingsError
        When a key is unknown (with the nearest known one) or a value has the wrong type.

    Examples
    --------
    >>> settings = read_settings(Path("docs"), {"outputs": "left,right"})
    >>> settings.interface.outputs, settings.candidate
    (('left', 'right'), None)
    """
    given = {key: value for key, value in (options or {}).items() if value is not None}
    table = _table(root / "pyproject.toml")
    own = [item.name for item in fields(Settings) if item.name != "interface"]
    known = [*own, *(item.name for item in fields(Interface))]
    check_keys(table, known, where="[tool.modelcheck]", error=SettingsError)
    values: dict[str, Any] = {}
    for key in _PATHS:
        if key in given:
            values[key] = near(Path(_check_path(key, str(given[key]))).absolute())
        elif (key, "baseline" in given) == ("baseline_model", True) or (key, "candidate" in given) == ("source", True):
            continue  # the file's is that of the file's baseline, or of its candidate
        elif key in table:
            values[key] = near(root / _check_path(key, table[key]))
        elif key in ("criteria", "report", "cache"):
            values[key] = near(root / getattr(Settings(), key))
        elif key == "waivers" and (root / _WAIVERS).exists():
            values[key] = near(root / _WAIVERS)
    layers = check_value("layers", table.get("layers", {}), TABLE, error=SettingsError)
    for name, partner in layers.items():
        if partner is not False and not (isinstance(partner, str) and partner):
            raise SettingsError(
                f"[tool.modelcheck.layers] {name} must be the candidate's layer in quotes, or false where it has none, "
                f"not {partner!r}."
            )
    return Settings(
        **values,
        **_limits(table),
        **_read_workers(given, table),
        interface=read_interface(given, table),
        subject_name=_name_subjects(table["subject_name"]) if "subject_name" in table else (),
        layers={name: None if partner is False else partner for name, partner in layers.items()},
    )


def read_interface(given: Mapping[str, Any], table: Mapping[str, Any] | None = None) -> Interface:
    """Return how a network's inputs and outputs are to be understood, by what a person typed over a table of settings.

    Parameters
    ----------
    given : mapping
        What was typed, by the names of the parts: text, a list of ``name=value`` for ``inputs``,
        and None for what was not given; other keys are left alone.
    table : mapping, optional
        The settings of a file, of which the parts of an interface are read.

    Raises
    ------
    SettingsError
        When a part is not what it must be.

    Examples
    --------
    >>> read_interface({"threshold": "0.5", "inputs": ["age=1"]}).to_dict()
    {'inputs': {'age': 1.0}, 'threshold': 0.5}
    """
    names = [item.name for item in fields(Interface)]
    values = {name: value for name, value in (table or {}).items() if name in names}
    values |= {name: _TYPED.get(name, str)(given[name]) for name in names if given.get(name) not in (None, ())}
    try:
        return Interface.from_dict(values)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def write_options(interface: Interface) -> list[str]:
    """Return the words of a command line that say the same, as `read_interface` understands them.

    Examples
    --------
    >>> write_options(Interface(label="hat", outputs=("smile", "hat"), inputs={"age": 0.5}))
    ['--outputs', 'smile,hat', '--label', 'hat', '--inputs', 'age=0.5']
    """
    said = interface.to_dict()
    outputs, inputs = said.pop("outputs", None), said.pop("inputs", {})
    words = ["--outputs", join_names(outputs)] if outputs else []
    words += [word for name, value in said.items() for word in (f"--{name}", _write_value(value))]
    return words + [word for name, value in inputs.items() for word in ("--inputs", join_names([name, value], at="="))]


def _write_value(value: Any) -> str:
    """Return a value as it is typed: a table as in a file of settings, in one line."""
    return spell_preprocessing(value) if isinstance(value, dict) else str(value)


def _read_number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # refused where the number is checked, as it was typed


def _read_numbers(pairs: Sequence[str]) -> dict[str, float | str]:
    split = [split_names(pair, at="=") for pair in pairs]
    if not all(len(pair) == 2 and all(pair) for pair in split):
        raise SettingsError(f"An input is held at a value, such as age=0.5, not {', '.join(pairs)!r}.")
    if len({name for name, _ in split}) < len(split):
        raise SettingsError(f"An input is held at one value, not at several: {', '.join(pairs)!r}.")
    return {name: _read_number(value) for name, value in split}


def _name_subjects(given: Any) -> tuple[str, ...]:
    """Return what one and several subjects are called; of one word, the plural follows the usual rule."""
    named = check_value("subject_name", given, _SUBJECT_NAME, error=SettingsError)
    return (named, _plural(named)) if isinstance(named, str) else tuple(named)


def _plural(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") and word[-2:-1] not in "aeiou" else f"{word}s"


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and clean(value, longest=40) == value


_SUBJECT_NAME = Check(
    'a word such as "patient", or one and several as in ["person", "people"]',
    lambda value: _is_word(value) or (isinstance(value, list) and len(value) == 2 and all(map(_is_word, value))),
)


def _read_preprocessing(text: str) -> Any:
    """Return a name as it is, and a table, written as in a file of settings, as one."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        table = toml_document(f"preprocessing = {text}\n".encode())
    except ValueError as error:
        raise SettingsError(f"preprocessing {text!r} is no table such as '{{ scale = 0.0039 }}': {error}") from error
    if len(table) > 1:
        raise SettingsError(f"preprocessing {text!r} is more than one table such as '{{ scale = 0.0039 }}'.")
    return table["preprocessing"]


def _check_path(key: str, value: Any) -> str:
    """Refuse what names no file: nothing at all, and the one character that no name can hold."""
    return str(check_value(key, value, _PATH, error=SettingsError))


_TYPED: dict[str, Callable[[Any], Any]] = {
    "outputs": split_names,
    "inputs": _read_numbers,
    "threshold": _read_number,
    "preprocessing": _read_preprocessing,
}
_PATH = Check("a path in quotes", lambda value: isinstance(value, str) and value != "" and "\0" not in value)


_LIMITS = {
    "timeout": number("a positive number of seconds, less than 1e7", above=0, below=1e7),
    "memory": number("a number of GiB from 0.5, less than 1e6", at_least=0.5, below=1e6),
    "panel_size": number("a positive number of GiB, less than 1e6", above=0, below=1e6),
    "custom_objects": name_list(
        "a list such as ['mypackage.layers>MyLayer']",
        accepts=lambda name: bool(_CUSTOM.fullmatch(name)),
        distinct=False,
    ),
    "inconclusive": one_of("fail", "pass"),
}


def _limits(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what bounds a run: seconds, memory, what a network may name, and what inconclusive means."""
    given = {name: table.get(name, getattr(Settings, name)) for name in _LIMITS}
    return check_table(given, _LIMITS, where="[tool.modelcheck]", error=SettingsError)


def _read_workers(given: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a run measures: of two that are named, what was typed goes before the file."""
    named = given if _WORKERS.keys() & given.keys() else table
    values = {name: named[name] for name in _WORKERS if named.get(name) is not None}
    if isinstance(values.get("workers"), str) and re.fullmatch("[0-9]{1,4}", values["workers"]):
        values["workers"] = int(values["workers"])
    if len(values) > 1:
        raise SettingsError("workers are processes of this machine, scheduler names others: give one of the two.")
    return {name: check_value(name, value, _WORKERS[name], error=SettingsError) for name, value in values.items()}


_WORKERS = {
    "workers": Check(
        "a number of processes from 1 to 256",
        lambda value: type(value) is int and 1 <= value <= 256,
    ),
    "scheduler": Check(
        "an address such as 'tcp://192.0.2.1:8786'",
        lambda value: isinstance(value, str) and bool(re.fullmatch(r"[a-z]+://[^\s]+:[0-9]{1,5}", value)),
    ),
}


def near(path: Path) -> Path:
    """Write a path from the working directory where it lies below, so that verdicts name no machine.

    Examples
    --------
    >>> near(Path.cwd() / "report") == Path("report")
    True
    """
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path


def _table(path: Path) -> dict[str, Any]:
    try:
        document = toml_document(read_file(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SettingsError(f"{str(path)!r} is not valid TOML: {error}.") from error
    tools = check_value("tool", document.get("tool", {}), TABLE, error=SettingsError)
    return dict(check_value("tool.modelcheck", tools.get("modelcheck", {}), TABLE, error=SettingsError))
