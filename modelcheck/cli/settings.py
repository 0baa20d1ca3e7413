"""The settings of the working folder, for commands that measure outside a project, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelcheck.gate.settings import Settings, has_settings, read_settings

__all__ = ["find_settings"]


def find_settings(aside: Path, options: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings of the working folder; where it is no project and has no cache, with a cache put aside.

    Parameters
    ----------
    aside : Path
        A folder for the time of one command.
    options : mapping, optional
        What was typed; see `modelcheck.gate.settings.read_settings`.
    """
    settings = read_settings(Path.cwd(), options)
    if has_settings(Path.cwd()) or settings.cache.exists():
        return settings
    return replace(settings, cache=aside / "cache")
