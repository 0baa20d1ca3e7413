"""Two networks compared without a project: each is a file, which is measured, or the folder of a signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from modelcheck.comparison import KERAS, CompareError, Comparison, compare, say_unrelated
from modelcheck.gate.cache import load_or_measure
from modelcheck.gate.evidence import check_answers
from modelcheck.gate.renderable import refuse_shipped
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.interface import Interface
from modelcheck.modelfile import tell_format
from modelcheck.panel import Panel, PanelError
from modelcheck.recipe import Recipe
from modelcheck.signature import Signature, read_signature
from modelcheck.support.commands import as_argument, write_command

__all__ = ["Pair", "compare_pair"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Two networks beside each other.

    Parameters
    ----------
    comparison : Comparison
        What they say about each other.
    panel : Panel or None
        The held-out pictures, where they were given.
    unrelated : str
        Why the second, a file that ships, was not converted from the first, in a sentence; empty
        where it may have been, or is none.
    seconds : mapping of str to float
        By file, how long an answer took where it was measured, for information.
    """

    comparison: Comparison
    panel: Panel | None
    unrelated: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)


def compare_pair(
    one: Path,
    other: Path,
    *,
    panel: Path | None = None,
    recipe: Recipe | None = None,
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
    recipe : Recipe, optional
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
    pictures = None if panel is None else Panel.load(panel, max_gib=settings.panel_size)
    for place, signature in ((one, first), (other, second)):
        if signature is not None and pictures is not None and pictures.digest() != signature.panel_digest:
            raise PanelError(
                f"The panel {str(panel)!r} is not the one that {str(place)!r} was measured on (digest "
                f"{pictures.digest()[:12]}, that one's is {signature.panel_digest[:12]}). Give that one: --panel PATH"
            )
    if first is not None and second is not None:
        return _compare(first, second, panel=pictures, seconds={})
    if panel is None or pictures is None:
        again = write_command(["modelcheck", "compare", as_argument(one), as_argument(other)])
        raise CompareError(f"A file is measured on a panel, and none was given: {again} --panel PANEL.npz")
    known = first or second
    asked = _Asked(
        path=panel,
        panel=pictures,
        recipe=known.recipe if known else recipe or Recipe(),
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
        _as_baseline(first).write(folder)
    if second is None:
        second = _measure(asked, other, like=(folder, _as_baseline(first)), seconds=seconds)
    return _compare(first, second, panel=pictures, seconds=seconds)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """On what files are measured, and how."""

    path: Path
    panel: Panel
    recipe: Recipe
    interface: Interface
    settings: Settings
    tell: Callable[[str], None] | None


def _read(place: Path) -> Signature | None:
    """Return the signature in a folder, None for a file."""
    if place.is_dir():
        return read_signature(place)
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
    known: Sequence[Signature | None],
    recipe: Recipe | None,
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
    like: tuple[Path, Signature] | None = None,
    twins: bool = True,
    seconds: dict[str, float],
) -> Signature:
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
    loaded = load_or_measure(request, digests=digests, settings=asked.settings, tell=asked.tell)
    check_answers(loaded.signature)
    if loaded.seconds_per_picture is not None:
        seconds[network.name] = loaded.seconds_per_picture
    return loaded.signature


def _as_baseline(signature: Signature) -> Signature:
    """Return a signature without the untrained twins, as an approval measures it."""
    return replace(signature, twins=())


def _compare(first: Signature, second: Signature, *, panel: Panel | None, seconds: Mapping[str, float]) -> Pair:
    """Compare two signatures; a file that ships has the first as its source, too, where it can have been that."""
    unrelated = say_unrelated(second, first) if second.runtime != KERAS else ""
    source = first if second.runtime != KERAS and not unrelated else None
    found = compare(_as_baseline(first), second, source=source)
    return Pair(comparison=found, panel=panel, unrelated=unrelated, seconds=seconds)
