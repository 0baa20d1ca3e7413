"""Two networks compared without a project: each is a file, which is measured, or the folder of a signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modelcheck.comparison import KERAS, AnyComparison, CompareError, compare, say_unrelated, without_untrained
from modelcheck.gate.cache import load_or_measure
from modelcheck.gate.evidence import check_answers
from modelcheck.gate.heldout import is_table
from modelcheck.gate.renderable import refuse_on_rows, refuse_shipped
from modelcheck.gate.request import AnyRecipe, Request, recipe_for
from modelcheck.gate.settings import Settings
from modelcheck.gate.workers import open_workers
from modelcheck.interface import Interface
from modelcheck.modelfile import tell_format
from modelcheck.panel import AnyPanel, PanelError, load_panel
from modelcheck.signature import Record, Signature, read_record
from modelcheck.support.commands import as_argument, write_command

__all__ = ["Pair", "compare_pair"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Two networks beside each other.

    Parameters
    ----------
    comparison : AnyComparison
        What they say about each other.
    panel : AnyPanel or None
        The held-out panel, where they were given.
    unrelated : str
        Why the second, a file that ships, was not converted from the first, in a sentence; empty
        where it may have been, or is none.
    seconds : mapping of str to float
        By file, how long an answer took where it was measured, for information.
    """

    comparison: AnyComparison
    panel: AnyPanel | None
    unrelated: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)


def compare_pair(
    one: Path,
    other: Path,
    *,
    panel: Path | None = None,
    recipe: AnyRecipe | None = None,
    interface: Interface | None = None,
    settings: Settings,
    aside: Path,
    tell: Callable[[str], None] | None = None,
) -> Pair:
    """Compare two networks, the first in the role of the baseline.

    A file is measured in a child process, or found in the cache; beside a signature as that was. A
    file that ships is compared with the first as its source too, unless their weights say that it
    was not converted from it.

    Parameters
    ----------
    one : Path
        A ``.keras`` file, or the folder of a Keras network's signature.
    other : Path
        A ``.keras``, ``.tflite`` or ``.onnx`` file, or the folder of a signature.
    panel : Path, optional
        The held-out panel: files are measured on it, and a signature must have been.
    recipe : AnyRecipe, optional
        How two files are measured; by default the standard recipe.
    interface : Interface, optional
        How inputs and outputs of what is measured are to be understood; by default like those of the
        signature beside it.
    settings : Settings
        The cache, limits and custom objects.
    aside : Path
        A folder for what is needed meanwhile.
    tell : callable, optional
        Receives lines of progress.

    Raises
    ------
    CompareError, PanelError, SettingsError, SignatureError, ChildError
        When something is missing, damaged, cannot be measured or does not fit together, or the first
        is a file that ships: a baseline is rendered.
    """
    first, second = _read(one), _read(other)
    given = ["modelcheck", "compare", "PARENT.keras", as_argument(other), "--panel", panel or "PANEL.npz"]
    file, runtime = (one, None) if first is None else (first.model["file"], first.runtime)
    refuse_shipped(file, what="a baseline", instead=given, runtime=runtime)
    _refuse_unused(one, other, known=(first, second), recipe=recipe, interface=interface)
    held = None if panel is None else load_panel(panel, max_gib=settings.panel_size)
    for place, signature in ((one, first), (other, second)):
        if signature is not None and held is not None and held.digest() != signature.panel_digest:
            raise PanelError(
                f"The panel {str(panel)!r} is not the one that {str(place)!r} was measured on (digest "
                f"{held.digest()[:12]}, that one's is {signature.panel_digest[:12]}). Give that one: --panel PATH"
            )
    if first is not None and second is not None:
        return _compare(first, second, panel=held, seconds={})
    if panel is None or held is None:
        again = write_command(["modelcheck", "compare", as_argument(one), as_argument(other)])
        raise CompareError(f"A file is measured on a panel, and none was given: {again} --panel PANEL.npz")
    if is_table(held):
        refuse_on_rows(other, instead=["modelcheck", "compare", as_argument(one), "PARENT.keras", "--panel", panel])
    known = first or second
    asked = _Asked(
        path=panel,
        panel=held,
        recipe=known.recipe if known else recipe or recipe_for({}, table=is_table(held)),
        interface=interface or (known.interface if known else Interface()),
        settings=settings,
        tell=tell,
    )
    seconds: dict[str, float] = {}
    folder = one
    if first is None:
        ships = tell_format(other) != KERAS if second is None else second.runtime != KERAS
        first = _measure(asked, one, twins=ships, seconds=seconds)  # a file that ships has those of its source
        folder = aside / "baseline"
        without_untrained(first).write(folder)
    if second is None:
        second = _measure(asked, other, like=(folder, without_untrained(first)), seconds=seconds)
    return _compare(first, second, panel=held, seconds=seconds)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """On what files are measured, and how."""

    path: Path
    panel: AnyPanel
    recipe: AnyRecipe
    interface: Interface
    settings: Settings
    tell: Callable[[str], None] | None


def _read(place: Path) -> Record | None:
    """Return the signature in a folder, None for a file."""
    if place.is_dir():
        return read_record(place)
    if not place.exists():
        raise CompareError(
            f"There is nothing at {str(place)!r}. Give a network's file, or the folder of a signature: modelcheck "
            "compare --help"
        )
    return None


def _refuse_unused(
    one: Path,
    other: Path,
    *,
    known: Sequence[Record | None],
    recipe: AnyRecipe | None,
    interface: Interface | None,
) -> None:
    """Refuse what says how to measure where that is decided already."""
    there = [str(place) for place, signature in zip((one, other), known, strict=True) if signature is not None]
    if there and recipe is not None:
        raise CompareError(f"{there[0]!r} is a signature, which already brings a recipe: leave --recipe out.")
    if len(there) == len(known) and interface:
        raise CompareError(
            "Both are signatures, measured already: leave out how inputs and outputs are to be understood "
            f"({', '.join('--' + name for name in interface.to_dict())})."
        )


def _measure(
    asked: _Asked,
    network: Path,
    *,
    like: tuple[Path, Record] | None = None,
    twins: bool = True,
    seconds: dict[str, float],
) -> Record:
    """Return a file's signature, shown the maps of another where there is one, and note how long an answer took."""
    digests = {"panel": asked.panel.digest(), "recipe": asked.recipe.digest()}
    request = Request(
        network=network,
        panel=asked.path,
        like=None if like is None else like[0],
        recipe=asked.recipe if like is None else None,
        interface=asked.interface,
        custom_objects=asked.settings.custom_objects,
        twins=twins,
        panel_size=asked.settings.panel_size,
    )
    if like is not None:
        digests["baseline"] = like[1].digest()
    with open_workers(asked.settings) as workers:
        loaded = load_or_measure(request, digests=digests, settings=asked.settings, workers=workers, tell=asked.tell)
    check_answers(loaded.signature)
    if loaded.seconds_per_picture is not None:
        seconds[network.name] = loaded.seconds_per_picture
    return loaded.signature


def _compare(first: Record, second: Record, *, panel: AnyPanel | None, seconds: Mapping[str, float]) -> Pair:
    """Compare two signatures; a file that ships has the first as its source, too, where it can have been that."""
    unrelated, source = "", None
    if second.runtime != KERAS and isinstance(first, Signature) and isinstance(second, Signature):
        unrelated = say_unrelated(second, first)
        source = None if unrelated else first
    found = compare(without_untrained(first), second, source=source)
    return Pair(comparison=found, panel=panel, unrelated=unrelated, seconds=seconds)
