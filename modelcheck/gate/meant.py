"""Whether a run of pytest is meant as a gate, though it may never see a test of one: then silence would be a pass."""

from __future__ import annotations

import fnmatch
import os
from contextlib import suppress
from pathlib import Path

import pytest

from modelcheck.gate.run import Run
from modelcheck.gate.settings import SettingsError, has_settings

__all__ = ["find_suites", "is_asked_for", "is_part", "lies_ahead"]


def find_suites(run: Run, config: pytest.Config) -> tuple[Path, ...]:
    """Return the project's folders of suites, links followed: ``suites``, and the one that holds the criteria.

    The second counts for runs of whole folders alone: beside criteria in ``tests`` there may be unit
    tests, and a run of one of their files is no gate.

    Parameters
    ----------
    run : Run
        Of this process.
    config : pytest.Config
        Its own.
    """
    root = run.project.root
    usual = _real(root / "suites")
    if not has_settings(root):  # otherwise somebody else's folder of that name
        return (usual,) if (usual / "criteria.toml").exists() else ()
    folders = [usual]
    with suppress(SettingsError):
        if not is_part(config):
            folders.append(_real(run.load_settings().criteria.parent))
    return tuple(folder for folder in dict.fromkeys(folders) if folder != _real(root))


def is_asked_for(run: Run, config: pytest.Config) -> bool:
    """Say whether a run was asked for a gate: by an option, a path in the suites, or a path whose suites are gone.

    Parameters
    ----------
    run : Run
        Of this process.
    config : pytest.Config
        Its own.
    """
    if any(run.options[name] for name in ("candidate", "baseline")):
        return True
    folders, paths = find_suites(run, config), _find_paths(config)
    if any(path.is_relative_to(folder) for path in paths for folder in folders):
        return True
    # Asked for the whole project, whose suites are gone: silence would leave an old verdict standing.
    gone = has_settings(run.project.root) and not any(test for folder in folders for test in folder.rglob("test_*.py"))
    return gone and any(folder.is_relative_to(path) for path in paths for folder in folders)


def lies_ahead(run: Run, config: pytest.Config) -> bool:
    """Say whether collection will come to the suites of a project with settings, as far as options tell.

    Parameters
    ----------
    run : Run
        Of this process.
    config : pytest.Config
        Its own.
    """
    if not has_settings(run.project.root):
        return False
    here, option = config.invocation_params.dir, config.option
    left_out = [_real(here / str(path)) for path in option.ignore or ()]
    globs = [str(here / str(pattern)) for pattern in option.ignore_glob or ()]
    for folder in find_suites(run, config):
        above = (folder, *folder.parents)
        out = any(place in left_out for place in above) or any(fnmatch.fnmatch(str(folder), glob) for glob in globs)
        out = out or any(fnmatch.fnmatch(folder.name, pattern) for pattern in config.getini("norecursedirs"))
        if not out and any(path in above for path in _find_paths(config)):
            return True
    return False


def is_part(config: pytest.Config) -> bool:
    """Say whether files or single tests were asked for, not folders.

    Parameters
    ----------
    config : pytest.Config
        With its command line read.
    """
    return any("::" in str(arg) or str(arg).endswith(".py") for arg in config.args)


def _find_paths(config: pytest.Config) -> list[Path]:
    return [_real(config.invocation_params.dir / str(arg).split("::")[0]) for arg in config.args]


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # resolve() raises where links lead in a circle
