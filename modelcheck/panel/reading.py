"""Listed pictures become the parts of a panel: each is read once, and all that is wrong is said at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelcheck.panel.checks import MAX_PICTURES
from modelcheck.panel.conversion import Conversion, size_words
from modelcheck.panel.errors import Fault, PanelError, list_faults, shorten
from modelcheck.panel.repeats import check_repeats
from modelcheck.panel.rows import Box, PictureRow, Rows
from modelcheck.panel.storage import MAX_GIB
from modelcheck.support.pictures import PictureError, TurnedPictureError, read_picture

__all__ = ["read_rows"]


def read_rows(listed: Rows, conversion: Conversion, *, skip_bad: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the parts of a panel from pictures that were listed, and what is to be said of the reading.

    Parameters
    ----------
    listed : Rows
        The pictures, and what cannot be used of their list.
    conversion : Conversion
        What is done to each.
    skip_bad : bool
        Leave out pictures that cannot be read, and say so in the panel.

    Raises
    ------
    PanelError
        When rows or pictures cannot be used, differ in size or colours, or are the same picture
        under two labels; it names all of them.
    """
    if not isinstance(conversion, Conversion):
        raise PanelError(f"conversion must be a Conversion, such as Conversion(size=(96, 128)), not {conversion!r}.")
    if len(listed.rows) > MAX_PICTURES:
        raise PanelError(f"{len(listed.rows)} pictures are listed, more than {MAX_PICTURES}. Take a sample of them.")
    reader = _Reader(listed.rows, conversion)
    for row in listed.rows:
        reader.read(row)
    _refuse(listed, reader, skip_bad=skip_bad)
    if reader.stack is None:
        raise PanelError(f"None of {len(listed.rows)} pictures can be used.\n{list_faults(reader.faults)}")
    rows, n = reader.kept, len(reader.kept)
    images = reader.stack[:n]
    labels = np.array([row.label for row in rows], dtype=np.int64)
    names = [row.name for row in rows]
    check_repeats(images, labels, names=names, class_names=listed.class_names)
    done = [conversion.describe(reader.sizes, reader.colours)]
    if reader.faults:
        done.append(f"{len(reader.faults)} of {len(listed.rows)} pictures left out that cannot be used")
    parts = {
        "images": images,
        "labels": labels,
        "class_names": listed.class_names,
        "names": names,
        "subjects": _column([row.subject for row in rows]),
        "groups": _column([row.group for row in rows]),
        "regions": None if reader.masks is None else reader.masks[:n],
        "conversion": "; ".join(filter(None, done)) or None,
    }
    left_out = (f"Left out, because they cannot be used:\n{list_faults(reader.faults)}",) if reader.faults else ()
    return parts, (*listed.remarks, *left_out)


def _column(words: Sequence[str | None]) -> list[str | None] | None:
    return None if all(word is None for word in words) else list(words)


class _Reader:
    """The pictures as far as they were read: those of the first one's shape, and counts of all.

    Parameters
    ----------
    rows : sequence of PictureRow
        All that will be read.
    conversion : Conversion
        What is done to each.
    """

    def __init__(self, rows: Sequence[PictureRow], conversion: Conversion) -> None:
        self.conversion = conversion
        self.n = len(rows)
        self.marked = any(row.box or row.mask for row in rows)
        self.stack: np.ndarray | None = None
        self.masks: np.ndarray | None = None
        self.kept: list[PictureRow] = []
        self.faults: list[Fault] = []
        self.sizes: Counter[str] = Counter()
        self.colours: Counter[str] = Counter()
        self.shapes: dict[tuple[int, ...], str] = {}
        self.turned = 0

    def read(self, row: PictureRow) -> None:
        """Read one picture and its mask, or note why they cannot be used."""
        try:
            stored = read_picture(row.path, turn=self.conversion.turn)
            mask = _read_mask(row, stored.shape[:2]) if self.marked else None
        except PictureError as error:
            self.turned += isinstance(error, TurnedPictureError)
            self.faults.append(Fault(row.where, str(error)))
            return
        self.sizes[size_words(stored.shape)] += 1
        self.colours["rgb" if stored.ndim == 3 else "grey"] += 1
        picture = self.conversion.convert(stored)
        self.shapes.setdefault(picture.shape, row.where)
        if self.stack is None:
            self.stack = self._make_room(picture.shape, row)
        if picture.shape != self.stack.shape[1:]:
            return
        self.stack[len(self.kept)] = picture
        if mask is not None and self.masks is not None:
            self.masks[len(self.kept)] = self.conversion.convert_mask(mask)
        self.kept.append(row)

    def _make_room(self, shape: tuple[int, ...], row: PictureRow) -> np.ndarray:
        if self.n * int(np.prod(shape)) > MAX_GIB * 2**30:
            raise PanelError(
                f"{self.n} pictures of {size_words(shape)}, as {row.where} has it, take more than {MAX_GIB:g} GiB. "
                "Bring them to the network's input size with --size HEIGHTxWIDTH (in Python Conversion(size=...))."
            )
        self.masks = np.zeros((self.n, *shape[:2]), dtype=bool) if self.marked else None
        # Not touched until it is filled, so pictures of other shapes take no memory.
        return np.empty((self.n, *shape), dtype=np.uint8)


def _read_mask(row: PictureRow, shape: tuple[int, ...]) -> np.ndarray:
    if row.mask is None:
        return _draw_box(row.box, shape)
    try:
        mask = read_picture(row.mask)
    except PictureError as error:
        raise PictureError(f"its mask cannot be read: {error}") from error
    if mask.shape != shape:
        found = size_words(mask.shape) if mask.ndim == 2 else f"{size_words(mask.shape)} in colour"
        raise PictureError(f"its mask must be grey and of its size, not {found} for {size_words(shape)}")
    if len(np.unique(mask)) > 2 or (mask.min() > 0 and mask.max() > mask.min()):
        raise PictureError("its mask must hold two values, 0 and another; what is between is a guess")
    return mask > 0


def _draw_box(box: Box | None, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    if box is None:
        return mask
    top, left, height, width = box
    if top + height > shape[0] or left + width > shape[1]:
        raise PictureError(
            f"its box row={top}, column={left}, height={height}, width={width} is not inside a picture of "
            f"{size_words(shape)} pixels"
        )
    mask[top : top + height, left : left + width] = True
    return mask


def _refuse(listed: Rows, reader: _Reader, *, skip_bad: bool) -> None:
    """Raise one error of all that is wrong, with the options that make it right."""
    texts, options = list[str](), list[str]()
    faults = [*listed.faults, *([] if skip_bad else reader.faults)]
    if faults:
        n = len({fault.where for fault in faults})
        texts.append(f"{n} of {len(listed.rows) + len(listed.faults)} pictures cannot be used:\n{list_faults(faults)}")
    if reader.turned and not skip_bad:
        texts.append(
            "Turn those that are stored turned upright with --exif apply, or take them as they are stored, as "
            "TensorFlow's decoders do, with --exif ignore (in Python Conversion(exif=...)): what the product does."
        )
        options += ["--exif", "apply"]
    sizes = {size_words(shape) for shape in reader.shapes}
    if len(sizes) > 1:
        ranked = reader.sizes.most_common()
        texts.append(
            f"Pictures have {len(sizes)} sizes (height x width): {shorten(f'{size} ({n})' for size, n in ranked)}. A "
            f"panel has one, the network's input size. Nothing is scaled unasked: --size {ranked[0][0]} scales "
            f"them, with your network's size (in Python Conversion(size=({ranked[0][0].replace('x', ', ')})))."
        )
        options += ["--size", ranked[0][0]]
    if len({shape[-1] for shape in reader.shapes}) > 1:
        texts.append(
            f"{reader.colours['grey']} pictures are grey and {reader.colours['rgb']} are in colour. Take what "
            "the network takes: --colours rgb, or --colours grey (in Python Conversion(colours=...))."
        )
        options += ["--colours", "rgb"]
    if reader.faults and not skip_bad:
        texts.append("Mend them, or leave out what cannot be read: --skip-bad (in Python skip_bad=True).")
        if len(reader.faults) > reader.turned:
            options.append("--skip-bad")
    if texts:
        raise PanelError("\n".join(texts), options=options)
