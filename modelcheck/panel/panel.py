"""The panel: held-out pictures with what is known of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelcheck.panel.batches import read_batches
from modelcheck.panel.checks import (
    check_class_names,
    check_conversion,
    check_images,
    check_labels,
    check_regions,
    check_words,
)
from modelcheck.panel.conversion import Conversion
from modelcheck.panel.errors import PanelError, count
from modelcheck.panel.folders import list_folder
from modelcheck.panel.notebook import show_panel
from modelcheck.panel.reading import read_rows
from modelcheck.panel.remarks import find_remarks
from modelcheck.panel.storage import MAX_GIB, PICTURES, build_panel, read_parts, write_parts
from modelcheck.panel.tables import list_table
from modelcheck.support.escaping import one_line_repr

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Panel"]

# The digest's order; a part that a panel lacks leaves its digest as it was.
_PARTS = ("images", "labels", "subjects", "class_names", "regions", "names", "groups", "conversion")
_OF_ALL = ("class_names", "conversion")  # parts that are not one value a picture
_AS_IT_IS = Conversion()


@dataclass(frozen=True, eq=False, repr=False)
class Panel:
    """Held-out pictures with their truth: what they show, of whom or what they are, and where the evidence may lie.

    Parameters
    ----------
    images : np.ndarray
        ``(n, h, w, c)``; ``uint8`` (bytes that are mapped linearly onto the network's input range)
        or floats that already lie in the network's input range. ``(n, h, w)`` is taken as one
        channel.
    labels : np.ndarray or sequence of str
        ``(n,)`` whole numbers, positions in `class_names`; or those names.
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
    conversion : str, optional
        What was done to the pictures when they were read, as scaling, in words.

    Raises
    ------
    PanelError
        When the parts do not fit together, or a value is NaN or out of range.

    Examples
    --------
    >>> pictures = np.zeros((2, 6, 5), np.uint8)
    >>> panel = Panel(pictures, ["not left", "left"], class_names=("left", "not left"), subjects=["an2i", "bpm"])
    >>> len(panel), panel.images.shape, panel.groups.tolist()
    (2, (2, 6, 5, 1), ['not left', 'left'])
    """

    images: np.ndarray
    labels: Any  # an array of positions once built; callers give positions or names
    _: KW_ONLY
    class_names: tuple[str, ...]
    subjects: Any = None  # an array once built, or None; callers give any sequence
    regions: np.ndarray | None = None
    names: Any = None  # an array once built; callers may leave it out
    groups: Any = None  # an array once built; callers may leave it out
    conversion: str | None = None

    def __post_init__(self) -> None:
        images = check_images(self.images)
        n = len(images)
        class_names = check_class_names(self.class_names)
        labels = check_labels(self.labels, n, class_names)
        subjects = None if self.subjects is None else check_words(self.subjects, n, "subjects")
        # Through check_words like given ones: words of one width give one digest, before and after a
        # file.
        groups = [class_names[label] for label in labels.tolist()] if self.groups is None else self.groups
        groups = check_words(groups, n, "groups")
        of_whom = ["picture"] * n if subjects is None else subjects.tolist()
        names = [f"{who}-{row:04d}" for row, who in enumerate(of_whom)] if self.names is None else self.names
        names = check_words(names, n, "names")
        if len(set(names.tolist())) != n:
            raise PanelError("names must be distinct: a report points at pictures by name.")
        regions = None if self.regions is None else check_regions(self.regions, images.shape[:3])
        conversion = None if self.conversion is None else check_conversion(self.conversion)
        values = (images, labels, subjects, class_names, regions, names, groups, conversion)
        for name, value in zip(_PARTS, values, strict=True):
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        height, width, channels = self.images.shape[1:]
        pictures = f"{count(len(self), 'picture')} {height}x{width}x{channels}"
        parts = [pictures] if self.subjects is None else [pictures, count(len(set(self.subjects.tolist())), "subject")]
        parts.append(f"classes: {', '.join(self.class_names)}")
        return one_line_repr("Panel", *parts, *([] if self.conversion is None else [self.conversion]))

    def _repr_html_(self) -> str:
        """Return some pictures of each class, with their names, for a notebook."""
        return show_panel(self)

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

    @property
    def remarks(self) -> tuple[str, ...]:
        """What speaks against the panel without forbidding it, a sentence each.

        Classes without pictures, subjects with pictures of one class only, and pictures that are
        there more than once.
        """
        return find_remarks(self)

    def subset(self, rows: np.ndarray) -> Panel:
        """Return the panel of some pictures.

        Parameters
        ----------
        rows : np.ndarray
            Indices or a boolean mask over the pictures.
        """
        parts: dict[str, Any] = {name: part[rows] for name, part in self._list_parts() if name not in _OF_ALL}
        return Panel(class_names=self.class_names, conversion=self.conversion, **parts)

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
        write_parts(path, dict(self._list_parts()))

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
        _, parts = read_parts(path, layouts=(PICTURES,), max_gib=max_gib)
        return build_panel(path, cls.from_parts, parts)

    @classmethod
    def from_parts(cls, parts: Mapping[str, Any]) -> Panel:
        """Return the panel that the parts of a file make, as `modelcheck.panel.storage.read_parts` gives them.

        Raises
        ------
        PanelError
            When they do not fit together.
        """
        return cls(**parts)

    @classmethod
    def from_frame(
        cls,
        frame: str | os.PathLike[str] | Mapping[str, Sequence[Any]] | pd.DataFrame,
        *,
        class_names: Sequence[str] | None = None,
        root: str | Path | None = None,
        conversion: Conversion = _AS_IT_IS,
        skip_bad: bool = False,
    ) -> Panel:
        """Build a panel from a table of picture files, as Pillow reads them.

        Pillow scales a PGM by its maxval; CMU Faces, where that would change every exposure
        differently, has a reader of its own.

        Parameters
        ----------
        frame : path, mapping or pandas.DataFrame
            A CSV file, a dict of columns, or a DataFrame, with columns ``path`` and ``label`` (a
            class name, or its position in `class_names`); optional ``subject``, ``name`` (the path
            by default) and ``group``; optional box columns ``row``, ``column``, ``height``,
            ``width`` in pixels of the file (all four), or ``mask``, the path of a grey picture that
            is 0 where no evidence lies.
        class_names : sequence of str, optional
            The classes in the order of the network's outputs; the sorted labels by default.
        root : str or Path, optional
            The folder that relative paths start from; by default that of the CSV file, or the
            working folder.
        conversion : Conversion
            What is done to each picture: nothing by default.
        skip_bad : bool
            Leave out pictures that cannot be read; `Panel.conversion` then counts them.

        Raises
        ------
        PanelError
            When a column is missing, or rows or pictures cannot be used; it names all of them.

        Examples
        --------
        >>> table = {"path": ["networks/none.png"], "label": ["left"]}
        >>> Panel.from_frame(table, class_names=["left", "other"])
        Traceback (most recent call last):
        modelcheck.panel.errors.PanelError: 1 of 1 pictures cannot be used:
        - No such file or directory: row 0, 'networks/none.png'
        Mend them, or leave out what cannot be read: --skip-bad (in Python skip_bad=True).
        """
        listed = list_table(frame, class_names=class_names, root=root)
        parts, _ = read_rows(listed, conversion, skip_bad=skip_bad)
        return cls(**parts)

    @classmethod
    def from_folder(
        cls,
        folder: str | os.PathLike[str],
        *,
        class_names: Sequence[str] | None = None,
        conversion: Conversion = _AS_IT_IS,
        skip_bad: bool = False,
    ) -> Panel:
        """Build a panel from a folder that holds a folder for each class.

        It is the layout of ``keras.utils.image_dataset_from_directory``, with the same order of
        classes. Pictures are named by their path in the folder.

        Parameters
        ----------
        folder : path
            ``class/picture``, or ``class/subject/picture`` for all pictures.
        class_names : sequence of str, optional
            The classes in the order of the network's outputs; the folders' names, sorted, by default.
        conversion : Conversion
            What is done to each picture: nothing by default.
        skip_bad : bool
            Leave out files that are no pictures or cannot be read; `Panel.conversion` then counts
            them.

        Raises
        ------
        PanelError
            When folders or pictures cannot be used; it names all of them.
        """
        parts, _ = read_rows(list_folder(folder, class_names=class_names), conversion, skip_bad=skip_bad)
        return cls(**parts)

    @classmethod
    def from_dataset(
        cls,
        dataset: Iterable[Any],
        *,
        class_names: Sequence[str] | None = None,
        subjects: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
    ) -> Panel:
        """Build a panel of what a training pipeline gives: the very pixels that the network sees.

        Parameters
        ----------
        dataset : iterable
            ``(image, label)``, batched or not, as of a ``tf.data.Dataset`` or a loader: images
            ``(n, h, w, c)`` or one of them, bytes or floats in the network's input range; labels as
            whole numbers, one-hot rows or class names.
        class_names : sequence of str, optional
            The classes in the order of the labels; `dataset.class_names` where it has them.
        subjects, names, groups : sequence of str, optional
            As of `Panel`, in the order of the pictures: give them only where it is not shuffled.

        Raises
        ------
        PanelError
            When an element is no such pair, or pictures differ in shape.

        Examples
        --------
        >>> batches = [(np.zeros((2, 8, 8, 3), np.uint8) + np.uint8([[[[1]]], [[[2]]]]), np.array([0, 1]))]
        >>> Panel.from_dataset(batches, class_names=["cat", "dog"])
        Panel(2 pictures 8x8x3, classes: cat, dog)
        """
        parts = read_batches(dataset, class_names=class_names)
        return cls(**parts, subjects=subjects, names=names, groups=groups)

    def _list_parts(self) -> Iterator[tuple[str, np.ndarray]]:
        for name in _PARTS:
            part = getattr(self, name)
            if part is not None:
                yield name, np.asarray(part)
