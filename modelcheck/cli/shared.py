"""What several commands share: recipe files, progress bars, the console."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from modelcheck.gate.progress import Estimate, progress_line, read_progress
from modelcheck.support.files import read_file
from modelcheck.support.tables import json_document, toml_document

if TYPE_CHECKING:
    from modelcheck.recipe import Recipe

__all__ = ["FILE", "child_progress", "progress", "read_recipe_settings", "recipe_from", "say"]

FILE = click.Path(path_type=Path)


def say(line: str) -> None:
    """Print a line that may hold names from outside: nothing in it acts, and it is never folded."""
    Console(highlight=False, soft_wrap=True).print(line, markup=False)


def recipe_from(path: Path | None) -> Recipe:
    """Read recipe settings, or return the standard recipe."""
    from modelcheck.recipe import Recipe

    return Recipe() if path is None else Recipe.from_dict(read_recipe_settings(path))


def read_recipe_settings(path: Path) -> dict[str, Any]:
    """Read the settings of a recipe, of pictures or of a table, as they stand in a file."""
    read = json_document if path.suffix == ".json" else toml_document
    try:
        return read(read_file(path))
    except OSError as error:
        raise ValueError(f"The recipe {str(path)!r} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ValueError(f"{str(path)!r} cannot be read as recipe settings: {error}") from error


@contextmanager
def progress(*, plain: bool, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[str, float], None]]:
    """Yield a function that shows progress: a bar and the time left on a terminal, else a line a minute.

    If `plain`, each call is a line, for the process that started this one.
    """
    if plain:
        yield lambda what, share: click.echo(progress_line(what, share))
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console, estimate = Console(stderr=True), Estimate(clock)
    if not console.is_terminal:
        yield lambda what, share: _log(estimate.log(what, share))
        return
    columns = (
        TextColumn("measuring"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, completed=share, description=estimate.words(what, share))


def _log(line: str) -> None:
    if line:
        click.echo(line, err=True)


@contextmanager
def child_progress(*, plain: bool = False) -> Iterator[Callable[[str], None]]:
    """Yield a function that takes a measuring child's lines and shows them as `progress` does."""
    with progress(plain=plain) as show:

        def tell(line: str) -> None:
            read = read_progress(line)
            if read is not None:
                show(*read)

        yield tell
