"""The fixed held-out material on which networks are judged, and its one file format."""

from __future__ import annotations

import hashlib
import math
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelcheck.support.archive import ArchiveError
from modelcheck.support.arrays import read_arrays
from modelcheck.support.escaping import one_line_repr
from modelcheck.support.files import read_file
from modelcheck.support.pictures import PictureError, read_picture
from modelcheck.support.validation import array_of, check_value, name_list

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MAX_GIB", "Panel", "PanelError"]

_FORMAT = 1
MAX_GIB = 4.0
"""What a panel may unpack to, unless the user's own settings (``panel_size``) say otherwise."""
_MAX_RATIO = 100  # bytes of the arrays to bytes of the file, above 64 MiB; drawn faces come to 15
_MAX_PICTURES = 1_000_000
_MAX_NAMED = 5  # unknown parts in a message
_MAX_CHARACTERS = 2**26  # of all words of one kind, each as long as the longest
_PARTS = ("images", "labels", "subjects", "class_names", "regions", "names", "groups")  # the digest's order
_REQUIRED = ("images", "labels", "class_names")
_BOX = ("row", "column", "height", "width")
_CLASS_NAMES = name_list("at least two distinct names", at_least=2)


class PanelError(ValueError):
    """A panel that cannot be used; the message says what is wrong with it and what to do."""


@dataclass(frozen=True, eq=False, repr=False)
class Panel:
    """Held-out pictures with their truth: what they show, of whom or what they are, and where the evidence may lie.

    Parameters
    ----------
    images : np.ndarray
        ``(n, h, w, c)``; ``uint8`` (bytes that are mapped linearly onto the network's input range)
        or floats that already lie in the network's input range. ``(n, h, w)`` is taken as one
        channel.
    labels : np.ndarray
        ``(n,)`` whole numbers, positions in `class_names`.
    class_names : sequence of str
        ``(n_classes,)``, in the order of the network's outputs.
    subjects : sequence of str, optional
        ``(n,)`` of whom or what each picture is: a person, a patient, a machine. Pictures of one
        subject are not independent of each other; without subjects every picture counts as
        independent.
    regions : np.ndarray, optional
        ``(n, h, w)`` booleans: where the evidence may lie, for example the face.
    names : sequence of str, optional
        ``(n,)`` a distinct name for each picture; ``subject-0007`` by default, ``picture-0007``
        without subjects.
    groups : sequence of str, optional
        ``(n,)`` a further division by which region checks are reported, for example the pose; the
        class by default.

    Raises
    ------
    PanelError
        When the parts do not fit together, or a value is NaN or out of range.

    Examples
    --------
    >>> pictures = np.zeros((2, 6, 5), np.uint8)
    >>> panel = Panel(pictures, np.array([1, 0]), class_names=("left", "not left"), subjects=["an2i", "bpm"])
    >>> len(panel), panel.images.shape, panel.groups.tolist()
    (2, (2, 6, 5, 1), ['not left', 'left'])
    """

    images: np.ndarray
    labels: np.ndarray
    _: KW_ONLY
    class_names: tuple[str, ...]
    subjects: Any = None  # an array once built, or None; callers give any sequence
    regions: np.ndarray | None = None
    names: Any = None  # an array once built; callers may leave it out
    groups: Any = None  # an array once built; callers may leave it out

    def __post_init__(self) -> None:
        images = _check_images(self.images)
        n = len(images)
        class_names = tuple(_check_words(self.class_names, None, "class_names").tolist())
        check_value("class_names", class_names, _CLASS_NAMES, error=PanelError)
        labels = _check_labels(self.labels, n, class_names)
        subjects = None if self.subjects is None else _check_words(self.subjects, n, "subjects")
        # Through _words like given ones: words of one width give one digest, before and after a
        # file.
        groups = [class_names[label] for label in labels.tolist()] if self.groups is None else self.groups
        groups = _check_words(groups, n, "groups")
        of_whom = ["picture"] * n if subjects is None else subjects.tolist()
        names = [f"{who}-{row:04d}" for row, who in enumerate(of_whom)] if self.names is None else self.names
        names = _check_words(names, n, "names")
        if len(set(names.tolist())) != n:
            raise PanelError("names must be distinct: a report points at pictures by name.")
        regions = None if self.regions is None else _check_regions(self.regions, images.shape[:3])
        for name, value in zip(_PARTS, (images, labels, subjects, class_names, regions, names, groups), strict=True):
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width, channels = self.images.shape[1:]
        pictures = f"{len(self)} pictures {height}x{width}x{channels}"
        parts = [pictures] if self.subjects is None else [pictures, f"{len(set(self.subjects.tolist()))} subjects"]
        return one_line_repr("Panel", *parts, f"classes: {', '.join(self.class_names)}")

    @property
    def shared_subjects(self) -> np.ndarray | None:
        """``(n,)`` of whom or what each picture is; None where no two pictures are of the same, or nobody said."""
        known = self.subjects
        return known if known is not None and len(set(known.tolist())) < len(self) else None

    @property
    def independent(self) -> np.ndarray:
        """``(n,)`` words that two pictures share where they are not independent: subjects, else each its own name."""
        return np.asarray(self.names if self.subjects is None else self.subjects)

    @property
    def classes_without_pictures(self) -> tuple[str, ...]:
        """The classes of which it holds no picture."""
        there = set(self.labels.tolist())
        return tuple(name for k, name in enumerate(self.class_names) if k not in there)

    def subset(self, rows: np.ndarray) -> Panel:
        """Return the panel of some pictures.

        Parameters
        ----------
        rows : np.ndarray
            Indices or a boolean mask over the pictures.
        """
        parts: dict[str, Any] = {name: part[rows] for name, part in self._list_parts() if name != "class_names"}
        return Panel(class_names=self.class_names, **parts)

    def inputs(self, input_range: tuple[float, float]) -> np.ndarray:
        """Return the pictures as the network takes them: float32 in `input_range`, ``(n, h, w, c)``.

        Raises
        ------
        PanelError
            When the pictures are floats outside the range.
        """
        low, high = input_range
        if self.images.dtype == np.uint8:
            return (low + self.images.astype(np.float32) * np.float32((high - low) / 255)).astype(np.float32)
        lowest, highest = float(self.images.min()), float(self.images.max())
        slack = 1e-6 * (high - low)
        if lowest < low - slack or highest > high + slack:
            raise PanelError(
                f"The panel's pictures span {lowest:g} to {highest:g}, outside the network's input range "
                f"{low:g} to {high:g}. Scale them, store them as uint8, or approve the baseline "
                "with another input_range: modelcheck approve --recipe recipe.toml"
            )
        return self.images.astype(np.float32)

    def digest(self) -> str:
        """Return the sha256 over every part's name, dtype, shape and bytes, in hex."""
        digest = hashlib.sha256()
        for name, part in self._list_parts():
            digest.update(f"{name}|{part.dtype.str}|{part.shape}|".encode())
            digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the panel as one compressed ``.npz`` file: whole, or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Not mkstemp: its files are readable by their owner alone, and a panel is for a team.
        aside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        parts: dict[str, Any] = dict(self._list_parts())
        try:
            with aside.open("xb") as file:
                np.savez_compressed(file, format=np.int64(_FORMAT), **parts)
            aside.replace(target)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_gib: float = MAX_GIB) -> Panel:
        """Read a panel file.

        Parameters
        ----------
        path : str or path-like
            The ``.npz`` file.
        max_gib : float
            GiB that it may unpack to; more than 100 times its own bytes are refused in any case
            above 64 MiB.

        Raises
        ------
        PanelError
            When the file is missing, no panel, of a newer format, or its content does not fit
            together.
        """
        most = int(max_gib * 2**30)
        try:
            parts: dict[str, Any] = dict(read_arrays(read_file(path, max_bytes=most), max_bytes=most, ratio=_MAX_RATIO))
        except FileNotFoundError as error:
            raise PanelError(
                f"There is no panel file {os.fspath(path)!r}. Make one with: modelcheck panel --help"
            ) from error
        except (ArchiveError, OSError, MemoryError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise PanelError(
                f"{os.fspath(path)!r} cannot be read as a panel (.npz): {reason}. A panel may unpack to {max_gib:g} "
                "GiB: panel_size in [tool.modelcheck]."
            ) from error
        for part in parts.values():
            _freeze(part)  # so that the panel need not copy what nobody else has
        version = np.asarray(parts.pop("format", 0))
        if version.shape != () or version.dtype.kind not in "iu" or int(version) != _FORMAT:
            raise PanelError(
                f"{os.fspath(path)!r} has panel format {version!r}; this modelcheck reads format {_FORMAT}. "
                "Write it again with Panel.save, or update modelcheck."
            )
        missing = [name for name in _REQUIRED if name not in parts]
        unknown = [name for name in parts if name not in _PARTS]
        if missing or unknown:
            more = f" and {len(unknown) - _MAX_NAMED} more" if len(unknown) > _MAX_NAMED else ""
            raise PanelError(
                f"{os.fspath(path)!r} is no panel: missing parts {missing}, unknown parts "
                f"{[name[:80] for name in unknown[:_MAX_NAMED]]}{more}."
            )
        try:
            return cls(**parts)
        except PanelError as error:
            raise PanelError(f"{os.fspath(path)!r} is no panel that can be used: {error}") from error

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, *, class_names: Sequence[str] | None = None, root: str | Path = "."
    ) -> Panel:
        """Build a panel from a table of picture files, as Pillow reads them.

        Pillow scales a PGM by its maxval; CMU Faces, where that would change every exposure
        differently, has a reader of its own.

        Parameters
        ----------
        frame : pandas.DataFrame
            Columns ``path`` and ``label`` (a class name); optional ``subject``, ``name`` and
            ``group``; optional box columns ``row``, ``column``, ``height``, ``width`` in pixels
            (all four).
        class_names : sequence of str, optional
            The classes in the order of the network's outputs; the sorted labels by default.
        root : str or Path
            The folder that relative paths start from.

        Raises
        ------
        PanelError
            When a column is missing, a picture cannot be read, or shapes differ.
        """
        missing = [name for name in ("path", "label") if name not in frame.columns]
        if missing:
            raise PanelError(f"The table lacks the columns {missing}; it has {list(frame.columns)}.")
        if frame.empty:
            raise PanelError("The table has no rows: a panel needs pictures.")
        used = [name for name in ("path", "label", "subject", "name", "group", *_BOX) if name in frame.columns]
        holes = [name for name in used if frame[name].isna().any()]
        if holes:
            raise PanelError(f"The columns {holes} of the table have empty cells. Fill them or drop their rows.")
        labels = frame["label"].astype(str)
        classes = tuple(class_names) if class_names is not None else tuple(sorted(set(labels)))
        strange = sorted(set(labels) - set(classes))
        if strange:
            raise PanelError(f"Labels {strange} are not among the classes {list(classes)}.")
        paths = [Path(root) / str(path) for path in frame["path"]]
        images = _read_pictures(paths)
        present = [name for name in _BOX if name in frame.columns]
        if present and len(present) < len(_BOX):
            raise PanelError(f"Boxes need all of {list(_BOX)}; the table has only {present}.")
        return cls(
            images,
            np.array([classes.index(label) for label in labels]),
            class_names=classes,
            subjects=np.array(frame["subject"].astype(str).tolist()) if "subject" in frame.columns else None,
            regions=_draw_boxes(frame[list(_BOX)].to_numpy(), images.shape[:3]) if present else None,
            names=np.array(frame["name"].astype(str).tolist()) if "name" in frame.columns else None,
            groups=np.array(frame["group"].astype(str).tolist()) if "group" in frame.columns else None,
        )

    def _list_parts(self) -> Iterator[tuple[str, np.ndarray]]:
        for name in _PARTS:
            part = getattr(self, name)
            if part is not None:
                yield name, np.asarray(part)


def _freeze(array: np.ndarray | None) -> None:
    """Let nobody write to an array, nor to the memory behind it."""
    while isinstance(array, np.ndarray):
        array.setflags(write=False)
        array = array.base


def _own(values: Any) -> np.ndarray:
    """Return an array that nobody else can write to: a copy, unless the memory behind it is frozen already."""
    behind: Any = values
    while isinstance(behind, np.ndarray) and not behind.flags.writeable:
        behind = behind.base
    return values if isinstance(values, np.ndarray) and behind is None else np.array(values)


def _check_images(images: Any) -> np.ndarray:
    try:
        array = _own(images)
    except ValueError as error:
        raise PanelError(f"images must be one array: {error}. Bring them to one shape first.") from error
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.ndim != 4:
        raise PanelError(f"images must be (n, h, w, c), not of shape {array.shape}.")
    if array.size == 0:
        raise PanelError(f"The panel is empty (images of shape {array.shape}): it can judge nothing.")
    if len(array) > _MAX_PICTURES:
        raise PanelError(f"The panel has {len(array)} pictures, more than {_MAX_PICTURES}. Take a sample of them.")
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise PanelError(f"images must be uint8 or float, not {array.dtype}.")
    if array.dtype.kind == "f":
        # Before the check for infinity: a double may not fit.
        with np.errstate(over="ignore", under="ignore"):
            array = array.astype(np.float32)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = np.unique(np.argwhere(~np.isfinite(array))[:, 0])
        raise PanelError(f"{len(bad)} pictures hold NaN or infinity; the first is number {bad[0]}.")
    return array


def _check_labels(labels: Any, n: int, class_names: tuple[str, ...]) -> np.ndarray:
    array = np.asarray(labels)
    check_value("labels", array, array_of(f"{n} whole numbers", kinds="iu", shape=(n,)), error=PanelError)
    if array.min() < 0 or array.max() >= len(class_names):
        raise PanelError(
            f"labels span {array.min()} to {array.max()}, but there are {len(class_names)} classes: "
            f"{', '.join(class_names)}."
        )
    return array.astype(np.int64)


def _check_words(words: Any, n: int | None, what: str) -> np.ndarray:
    wanted = "a list of words" if n is None else f"{n} words, one a picture"
    if isinstance(words, np.ndarray) and words.size > (_MAX_PICTURES if n is None else n):
        raise PanelError(f"{what} must be {wanted}, not {words.size}.")
    given = np.asarray(words, dtype=object)
    check_value(what, given, array_of(wanted, kinds="O", shape=(n,)), error=PanelError)
    missing = [row for row, word in enumerate(given.tolist()) if _is_missing(word)]
    if missing:
        raise PanelError(f"{what} must not be empty; number {missing[0]} is.")
    spelled = [str(word) for word in given.tolist()]
    if len(spelled) * max(map(len, spelled), default=0) > _MAX_CHARACTERS:
        raise PanelError(
            f"{what} are too long: {len(spelled)} words, the longest of {max(map(len, spelled))} characters."
        )
    return np.array(spelled, dtype=np.str_)


def _is_missing(word: Any) -> bool:
    # NaN is what a table holds in an empty cell.
    return word is None or (isinstance(word, float) and math.isnan(word)) or not str(word).strip("\0 \t\r\n")


def _check_regions(regions: Any, shape: tuple[int, ...]) -> np.ndarray:
    masks = array_of(f"booleans of shape {shape}", kinds="b", shape=shape)
    return np.asarray(check_value("regions", _own(regions), masks, error=PanelError))


def _read_pictures(paths: Sequence[Path]) -> np.ndarray:
    """Read pictures of one shape into one array."""
    stack: np.ndarray | None = None
    for row, path in enumerate(paths):
        try:
            picture = read_picture(path)
        except PictureError as error:
            raise PanelError(f"The picture {str(path)!r} cannot be read: {error}.") from error
        if stack is None:
            if len(paths) * picture.nbytes > MAX_GIB * 2**30:
                raise PanelError(
                    f"{len(paths)} pictures of the shape {picture.shape}, as {str(path)!r} has it, take more than "
                    f"{MAX_GIB:g} GiB. Bring them to the network's input size first."
                )
            stack = np.empty((len(paths), *picture.shape), dtype=np.uint8)
        if picture.shape != stack.shape[1:]:
            raise PanelError(
                f"Pictures differ in shape: {str(paths[0])!r} is {stack.shape[1:]}, {str(path)!r} is "
                f"{picture.shape}. Bring them to the network's input size first."
            )
        stack[row] = picture
    if stack is None:
        raise PanelError("The table has no rows: a panel needs pictures.")
    return stack if stack.ndim == 4 else stack[..., np.newaxis]


def _draw_boxes(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    try:
        whole = boxes.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise PanelError(f"Boxes must be whole numbers of pixels: {error}.") from error
    if not np.array_equal(whole, np.rint(whole)) or not np.isfinite(whole).all():
        raise PanelError("Boxes must be whole numbers of pixels; some are fractions or infinite.")
    masks = np.zeros(shape, dtype=bool)
    for mask, (row, column, height, width) in zip(masks, whole.astype(int).tolist(), strict=True):
        if min(row, column) < 0 or min(height, width) < 1 or row + height > shape[1] or column + width > shape[2]:
            raise PanelError(
                f"The box row={row}, column={column}, height={height}, width={width} is not inside a picture "
                f"of {shape[1]} x {shape[2]} pixels."
            )
        mask[row : row + height, column : column + width] = True
    return masks
