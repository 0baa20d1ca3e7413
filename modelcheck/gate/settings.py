"""What a run is about: options from the command line over `[tool.modelcheck]` of pyproject.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from modelcheck.support.spelling import did_you_mean
from modelcheck.support.tables import toml_document

__all__ = ["Settings", "SettingsError", "has_settings", "read_settings"]

_CUSTOM = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*>[A-Za-z_]\w*")
_PATHS = ("candidate", "baseline", "baseline_model", "panel", "criteria", "waivers", "report", "cache")
_WAIVERS = "suites/waivers.toml"  # read where it is there


class SettingsError(ValueError):
    """Settings that cannot be used; the message names the key and what to do."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One gate run.

    Parameters
    ----------
    candidate : Path or None
        The ``.keras`` file that is proposed for release.
    baseline : Path or None
        The folder of an approved signature.
    baseline_model : Path or None
        The ``.keras`` file that the baseline was approved from: the candidate's maps are then shown to it, too.
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
    outputs : tuple of str
        For candidates with more outputs than classes; see `modelcheck.measurement.measure`.
    layers : mapping of str to str or None
        Counterparts of the baseline's layers that are given; None (``false`` in TOML) means none, on purpose.
    timeout : float
        Seconds that measuring the candidate may take.
    memory : float
        GiB of memory that measuring the candidate may take.
    custom_objects : tuple of str
        Classes and functions outside Keras, ``module>name``, that a network may name; the child imports them.
    inconclusive : {'fail', 'pass'}
        What the exit code makes of an inconclusive finding; the verdict names it either way.
    """

    candidate: Path | None = None
    baseline: Path | None = None
    baseline_model: Path | None = None
    panel: Path | None = None
    criteria: Path = Path("suites/criteria.toml")
    waivers: Path | None = None
    report: Path = Path("report")
    cache: Path = Path(".modelcheck")
    outputs: tuple[str, ...] = ()
    layers: Mapping[str, str | None] = field(default_factory=dict)
    timeout: float = 3600.0
    memory: float = 16.0
    custom_objects: tuple[str, ...] = ()
    inconclusive: str = "fail"

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


def has_settings(root: Path) -> bool:
    """Say whether ``root/pyproject.toml`` has a ``[tool.modelcheck]``; a file that cannot be read may have one."""
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
    """
    given = {key: value for key, value in (options or {}).items() if value is not None}
    table = _table(root / "pyproject.toml")
    known = [item.name for item in fields(Settings)]
    for key in table:
        if key not in known:
            raise SettingsError(f"[tool.modelcheck] has an unknown key {key!r}. {did_you_mean(key, known)}")
    values: dict[str, Any] = {}
    for key in _PATHS:
        if key in given:
            values[key] = _near(Path(given[key]).absolute())
        elif key == "baseline_model" and "baseline" in given:
            continue  # the file's is that of the file's baseline
        elif key in table:
            values[key] = _near(root / _check_type(key, table[key], str, "a path in quotes"))
        elif key in ("criteria", "report", "cache"):
            values[key] = _near(root / getattr(Settings(), key))
        elif key == "waivers" and (root / _WAIVERS).exists():
            values[key] = _near(root / _WAIVERS)
    outputs = given["outputs"].split(",") if "outputs" in given else table.get("outputs", [])
    if not isinstance(outputs, list) or not all(isinstance(name, str) for name in outputs):
        raise SettingsError(f"outputs must be a list of class names, not {outputs!r}.")
    layers = _check_type("layers", table.get("layers", {}), dict, "a table")
    for name, partner in layers.items():
        if partner is not False and not (isinstance(partner, str) and partner):
            raise SettingsError(
                f"[tool.modelcheck.layers] {name} must be the candidate's layer in quotes, or false where it has none, "
                f"not {partner!r}."
            )
    return Settings(
        **values,
        **_limits(table),
        outputs=tuple(outputs),
        layers={name: None if partner is False else partner for name, partner in layers.items()},
    )


def _limits(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return what bounds a run: seconds, memory, what a network may name, and what inconclusive means."""
    timeout = table.get("timeout", Settings.timeout)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < 1e7:
        raise SettingsError(f"timeout must be a positive number of seconds, not {timeout!r}.")
    memory = table.get("memory", Settings.memory)
    if isinstance(memory, bool) or not isinstance(memory, int | float) or not 0.5 <= memory < 1e6:
        raise SettingsError(f"memory must be a number of GiB from 0.5, not {memory!r}.")
    custom = table.get("custom_objects", [])
    if not isinstance(custom, list) or not all(isinstance(name, str) and _CUSTOM.fullmatch(name) for name in custom):
        raise SettingsError(f"custom_objects must be a list such as ['mypackage.layers>MyLayer'], not {custom!r}.")
    inconclusive = table.get("inconclusive", "fail")
    if inconclusive not in ("fail", "pass"):
        raise SettingsError(f"inconclusive must be 'fail' or 'pass', not {inconclusive!r}.")
    return {
        "timeout": float(timeout),
        "memory": float(memory),
        "custom_objects": tuple(custom),
        "inconclusive": inconclusive,
    }


def _near(path: Path) -> Path:
    """Write a path from the working directory where it lies below, so that verdicts name no machine."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path


def _table(path: Path) -> dict[str, Any]:
    try:
        document = toml_document(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SettingsError(f"{str(path)!r} is not valid TOML: {error}") from error
    tools = _check_type("tool", document.get("tool", {}), dict, "a table")
    return _check_type("tool.modelcheck", tools.get("modelcheck", {}), dict, "a table")


def _check_type(key: str, value: Any, kind: type, words: str) -> Any:
    if not isinstance(value, kind):
        raise SettingsError(f"{key} must be {words}, not {value!r}.")
    return value
