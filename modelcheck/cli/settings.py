"""The settings of the working folder, for commands that measure outside a project, too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from modelcheck.gate.settings import Settings, has_settings, read_settings

__all__ = ["find_settings"]


def find_settings(aside: Path) -> Settings:
    """Return the settings of the working folder; where it is no project and has no cache, with a cache put aside.

    Parameters
    ----------
    aside : Path
        A folder for the time of one command.
    """
    settings = read_settings(Path.cwd())
    if has_settings(Path.cwd()) or settings.cache.exists():
        return settings
    return replace(settings, cache=aside / "cache")
