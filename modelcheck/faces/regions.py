"""Where the face is: found by a detector, inferred from the person's other pictures, or brought by the user."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from modelcheck.panel import Panel
from modelcheck.support.files import read_file
from modelcheck.support.spelling import did_you_mean

__all__ = [
    "RegionError",
    "face_boxes",
    "panel_boxes",
    "read_boxes",
    "regions_from_boxes",
    "scale_boxes",
    "with_face_regions",
]

_BOX = ("row", "column", "height", "width")
_COLUMNS = ("name", *_BOX)
_OWN_BOXES = "give boxes of your own, a CSV with the columns name,row,column,height,width, to read_boxes"
# The detector's settings hold for pictures of this many rows; others are resized to it first.
_DETECTION_ROWS = 120
_MIN_FACE_PIXELS, _MAX_FACE_PIXELS = 30, 110
_SCALE_FACTOR, _STEP_RATIO = 1.1, 1
_WIDENED_SHARE = 0.2
# A detection is believed when this share of it lies where the person is expected: the detector also
# fires on throats and passers-by. On CMU Faces true ones share 0.67 or more, false ones 0.57 or
# less.
_MIN_SHARE_INSIDE = 0.6
# Which way the face moves in the picture, (rows, columns): the subject's left is the picture's
# right.
_TOWARDS = {"straight": (0, 0), "left": (0, 1), "right": (0, -1), "up": (-1, 0)}

_Box = tuple[float, float, float, float]


class RegionError(ValueError):
    """Face regions that cannot be had; the message says for whom and what to do."""


def face_boxes(frame: pd.DataFrame) -> pd.DataFrame:
    """Find or infer the face on each picture.

    Faces are looked for with scikit-image's cascade of local binary patterns for frontal faces. It
    finds straight faces and few others; where it finds none, or one where the person does not sit,
    the box is inferred: the median box of that person's straight pictures, widened by a fifth
    towards where they look.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a picture with the columns ``name``, ``subject``, ``pose`` (straight, left, right or
        up, as the subject sees it: their left is the picture's right) and ``image``, ``(h, w)`` or
        ``(h, w, c)`` of any range. The frame of `modelcheck.faces.cmu.read_cmu` at resolution 1
        will do.

    Returns
    -------
    pandas.DataFrame
        One row a picture in the frame's order: ``name``, ``row``, ``column``, ``height``, ``width``
        in pixels of its pictures, and ``how``, ``found`` or ``inferred``.

    Raises
    ------
    RegionError
        When a column is missing, a pose unknown, or no straight face of a subject is found.

    References
    ----------
    T. Ojala, M. Pietikäinen and T. Mäenpää, "Multiresolution gray-scale and rotation invariant
    texture classification with local binary patterns", IEEE TPAMI 24(7), 2002.
    """
    missing = [name for name in ("name", "subject", "pose", "image") if name not in frame.columns]
    if missing:
        raise RegionError(f"The table lacks the columns {missing}; it has {list(frame.columns)}.")
    if frame.empty:
        raise RegionError("The table has no rows: there is no face to look for.")
    poses = [str(pose) for pose in frame["pose"]]
    for pose in poses:
        if pose not in _TOWARDS:
            raise RegionError(f"There is no pose {pose!r}. {did_you_mean(pose, _TOWARDS)} Or {_OWN_BOXES}.")
    subjects = [str(subject) for subject in frame["subject"]]
    images = [np.asarray(image) for image in frame["image"]]
    detections = _detect(images)
    seats = _seats(subjects, poses, detections)
    rows = []
    for name, subject, pose, image, seen in zip(frame["name"], subjects, poses, images, detections, strict=True):
        expected = _widen(seats[subject], _TOWARDS[pose], image.shape)
        believed = [box for box in seen if _share(box, expected) >= _MIN_SHARE_INSIDE]
        box = max(believed, key=lambda found: _overlap(found, expected)) if believed else expected
        rows.append((str(name), *_whole(box), "found" if believed else "inferred"))
    return pd.DataFrame(rows, columns=[*_COLUMNS, "how"])


def panel_boxes(panel: Panel) -> pd.DataFrame:
    """Find or infer the face on each picture of a panel whose groups are poses; see `face_boxes`."""
    columns = {"name": panel.names, "subject": panel.subjects, "pose": panel.groups, "image": list(panel.images)}
    return face_boxes(pd.DataFrame(columns))


def with_face_regions(panel: Panel, boxes: pd.DataFrame | None = None) -> Panel:
    """Return the panel with face regions.

    Parameters
    ----------
    panel : Panel
        Any panel; its groups must be poses unless boxes are given.
    boxes : pandas.DataFrame, optional
        As `read_boxes` returns them, in pixels of the panel's pictures; `panel_boxes` by default.
    """
    if boxes is None:
        boxes = panel_boxes(panel)
    names = [] if panel.names is None else panel.names.tolist()
    return replace(panel, regions=regions_from_boxes(boxes, names=names, shape=panel.images.shape[1:3]))


def read_boxes(path: str | Path) -> pd.DataFrame:
    """Read boxes of your own.

    Parameters
    ----------
    path : str or Path
        A CSV file in UTF-8 with the columns ``name,row,column,height,width`` in pixels, row and
        column being the box's upper left corner from 0, and optionally ``how``.

    Returns
    -------
    pandas.DataFrame
        The same columns; ``how`` is ``given`` where the file has none.

    Raises
    ------
    RegionError
        When the file is missing or empty, a column is missing or unknown, a value is no whole
        number or out of range, or a name occurs twice. The message has the line.
    """
    try:
        text = io.StringIO(read_file(path).decode("utf-8-sig"), newline="")
        reader = csv.DictReader(text, strict=True)
        _check_columns(list(reader.fieldnames or ()), str(path))
        rows = [_row(row, f"line {reader.line_num} of {str(path)!r}") for row in reader]
    except OSError as error:
        raise RegionError(f"The boxes {str(path)!r} cannot be read: {error.strerror}.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise RegionError(f"The boxes {str(path)!r} are no CSV in UTF-8: {error}.") from error
    if not rows:
        raise RegionError(f"{str(path)!r} holds no box: expected one line a picture after the header.")
    boxes = pd.DataFrame(rows, columns=[*_COLUMNS, "how"])
    _check_distinct(boxes, str(path))
    return boxes


def scale_boxes(boxes: pd.DataFrame, factor: float) -> pd.DataFrame:
    """Bring boxes to another size of the same pictures.

    Parameters
    ----------
    boxes : pandas.DataFrame
        With the columns ``row``, ``column``, ``height``, ``width``.
    factor : float
        New size over old; 1/2 for half-size pictures. Edges go to the nearest pixel.

    Raises
    ------
    RegionError
        When the factor is not a finite positive number.
    """
    if not (np.isfinite(factor) and factor > 0):
        raise RegionError(f"The factor must be a positive number, for example 0.5, not {factor!r}.")
    scaled = boxes.copy()
    for start, length in (("row", "height"), ("column", "width")):
        first = np.floor(boxes[start].to_numpy() * factor + 0.5).astype(int)
        last = np.floor((boxes[start] + boxes[length]).to_numpy() * factor + 0.5).astype(int)
        scaled[start] = first
        scaled[length] = np.maximum(last - first, 1)
    return scaled


def regions_from_boxes(boxes: pd.DataFrame, *, names: Sequence[str], shape: tuple[int, ...]) -> np.ndarray:
    """Draw boxes as masks.

    Parameters
    ----------
    boxes : pandas.DataFrame
        With the columns ``name``, ``row``, ``column``, ``height``, ``width``; boxes of further
        pictures are allowed.
    names : sequence of str
        The pictures, in order.
    shape : tuple of int
        Their ``(h, w)``.

    Returns
    -------
    np.ndarray
        ``(n, h, w)`` booleans, True inside the box.

    Raises
    ------
    RegionError
        When a picture has no box or two, or a box is not inside the picture.
    """
    height, width = shape
    _check_distinct(boxes, "The table")
    corners = dict(zip(boxes["name"].astype(str), boxes[list(_BOX)].to_numpy().tolist(), strict=True))
    missing = [name for name in names if name not in corners]
    if missing:
        raise RegionError(
            f"{len(missing)} of {len(names)} pictures have no box, the first {', '.join(missing[:5])}. "
            "Add a line name,row,column,height,width for each."
        )
    masks = np.zeros((len(names), height, width), dtype=bool)
    for mask, name in zip(masks, names, strict=True):
        row, column, tall, wide = corners[name]
        if not (0 <= row < row + tall <= height and 0 <= column < column + wide <= width):
            raise RegionError(
                f"The box of {name!r} (row={row}, column={column}, height={tall}, width={wide}) is not inside "
                f"a picture of {height} x {width} pixels. Boxes are in pixels of the panel's pictures; "
                "scale_boxes brings them to another size."
            )
        mask[int(row) : int(row + tall), int(column) : int(column + wide)] = True
    return masks


def _detect(images: list[np.ndarray]) -> list[list[_Box]]:
    # Imported here: the detector takes a second to load and boxes of one's own do not need it.
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    cascade = Cascade(lbp_frontal_face_cascade_filename())
    return [_detect_one(cascade, _bytes(image)) for image in images]


def _bytes(image: np.ndarray) -> np.ndarray:
    # The detector compares sums of neighbouring pixels. In whole numbers these are exact; in
    # fractions, rounding decides between equal areas, so a flat wall would answer differently on
    # another processor. Each picture is scaled by itself: a box must not depend on which others are
    # looked at.
    if image.dtype == np.uint8:
        return image
    values = image.astype(np.float64)
    lowest, highest = float(values.min()), float(values.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise RegionError("A picture holds NaN or infinity: no face can be looked for. Repair the picture.")
    return np.rint((values - lowest) * (255 / max(highest - lowest, 1e-12))).astype(np.uint8)


def _detect_one(cascade: Any, image: np.ndarray) -> list[_Box]:
    from skimage.transform import resize

    grey = np.rint(image.mean(axis=2)).astype(np.uint8) if image.ndim == 3 else image
    factor = _DETECTION_ROWS / grey.shape[0]
    if grey.shape[0] != _DETECTION_ROWS:
        size = (_DETECTION_ROWS, max(1, round(grey.shape[1] * factor)))
        grey = np.rint(resize(grey, size, preserve_range=True, anti_aliasing=factor < 1)).astype(np.uint8)
    found = cascade.detect_multi_scale(
        img=np.ascontiguousarray(grey),
        scale_factor=_SCALE_FACTOR,
        step_ratio=_STEP_RATIO,
        min_size=(_MIN_FACE_PIXELS, _MIN_FACE_PIXELS),
        max_size=(_MAX_FACE_PIXELS, _MAX_FACE_PIXELS),
    )
    return [tuple(box[key] / factor for key in ("r", "c", "height", "width")) for box in found]


def _seats(subjects: list[str], poses: list[str], detections: list[list[_Box]]) -> dict[str, _Box]:
    straight: dict[str, list[_Box]] = {subject: [] for subject in sorted(set(subjects))}
    for subject, pose, seen in zip(subjects, poses, detections, strict=True):
        if pose == "straight" and seen:
            straight[subject].append(max(seen, key=lambda box: box[2] * box[3]))
    faceless = [subject for subject, found in straight.items() if not found]
    if faceless:
        raise RegionError(
            f"No straight face of {', '.join(faceless)} was found, so their other pictures have nothing to go "
            f"by. Add straight pictures of them, leave them out, or {_OWN_BOXES}."
        )
    seats = {}
    for subject, found in straight.items():
        row, column, height, width = np.median(found, axis=0).tolist()
        seats[subject] = (row, column, height, width)
    return seats


def _widen(box: _Box, towards: tuple[int, int], shape: tuple[int, ...]) -> _Box:
    row, column, height, width = box
    down, along = towards
    top = row - (_WIDENED_SHARE * height if down < 0 else 0)
    bottom = row + height + (_WIDENED_SHARE * height if down > 0 else 0)
    left = column - (_WIDENED_SHARE * width if along < 0 else 0)
    right = column + width + (_WIDENED_SHARE * width if along > 0 else 0)
    top, left = max(top, 0.0), max(left, 0.0)
    return top, left, min(bottom, shape[0]) - top, min(right, shape[1]) - left


def _shared_area(one: _Box, other: _Box) -> float:
    rows = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    columns = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(rows, 0.0) * max(columns, 0.0)


def _share(box: _Box, expected: _Box) -> float:
    return _shared_area(box, expected) / (box[2] * box[3])


def _overlap(one: _Box, other: _Box) -> float:
    both = _shared_area(one, other)
    return both / (one[2] * one[3] + other[2] * other[3] - both)


def _whole(box: _Box) -> tuple[int, int, int, int]:
    row, column = round(box[0]), round(box[1])
    return row, column, max(round(box[0] + box[2]) - row, 1), max(round(box[1] + box[3]) - column, 1)


def _check_columns(columns: list[str], where: str) -> None:
    for column in columns:
        if column not in (*_COLUMNS, "how"):
            raise RegionError(f"{where!r} has an unknown column {column!r}. {did_you_mean(column, _COLUMNS)}")
    missing = [column for column in _COLUMNS if column not in columns]
    if missing or len(set(columns)) != len(columns):
        raise RegionError(
            f"{where!r} has the columns {columns}; expected {','.join(_COLUMNS)} in its first line, each once."
        )


def _row(row: dict[str | Any, str | Any], where: str) -> tuple[str | int, ...]:
    if None in row or None in row.values():
        raise RegionError(f"{where} has too many or too few values; expected {','.join(_COLUMNS)}.")
    name = row["name"].strip()
    if not name:
        raise RegionError(f"{where} has no name: a box belongs to a picture.")
    numbers = []
    for column in _BOX:
        text = row[column].strip()
        lowest = 1 if column in ("height", "width") else 0
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= lowest):
            raise RegionError(f"{where}: {column} must be a whole number from {lowest}, not {text!r}.")
        numbers.append(int(text))
    return (name, *numbers, row.get("how", "given") or "given")


def _check_distinct(boxes: pd.DataFrame, where: str) -> None:
    twice = boxes["name"][boxes["name"].duplicated()].astype(str).tolist()
    if twice:
        raise RegionError(f"{where} has more than one box for {', '.join(twice[:5])}; expected one a picture.")
