"""CMU Faces as distributed: each file is read, ignored for a stated reason, or refused by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from modelcheck.faces.pictures import TASKS
from modelcheck.faces.regions import face_boxes, regions_from_boxes, scale_boxes
from modelcheck.panel import Panel
from modelcheck.support.files import read_file
from modelcheck.support.spelling import did_you_mean

__all__ = ["CmuError", "cmu_panel", "read_cmu", "read_pgm", "task_labels"]

_NAME = re.compile(
    r"(?P<stem>(?P<subject>[A-Za-z0-9]+)_(?P<pose>left|right|straight|up)_"
    r"(?P<expression>neutral|happy|sad|angry)_(?P<eyes>open|sunglasses))(?:_(?P<reduced>[24]))?\.pgm"
)
_SUFFIX = {1: "", 2: "_2", 4: "_4"}
_COLUMNS = ["name", "path", "subject", "pose", "expression", "eyes", "image"]
# Possessive repeats keep a hostile header linear in its length.
_GAP = rb"(?:\s|#[^\r\n]*+[\r\n])++"
_HEADER = re.compile(rb"P([25])" + _GAP + rb"(\d++)" + _GAP + rb"(\d++)" + _GAP + rb"(\d++)(?=[\s#])")
_COMMENT = re.compile(rb"#[^\r\n]*+")
_MAX_DIGITS = 9


class CmuError(ValueError):
    """A folder or picture of CMU Faces that cannot be used; the message names every file concerned."""


@dataclass(frozen=True, kw_only=True)
class _Picture:
    stem: str
    path: Path
    subject: str
    pose: str
    expression: str
    eyes: str
    resolution: int


def read_pgm(path: str | Path) -> np.ndarray:
    """Read one grey picture in PGM, plain (``P2``) or raw (``P5``).

    The values are the file's own, *not* divided by its maxval: in CMU Faces the maxval is the
    brightest pixel of each picture, so dividing by it would stretch every picture's exposure
    differently. Divide by 255 to get comparable pictures in [0, 1].

    Parameters
    ----------
    path : str or Path
        The file, one picture.

    Returns
    -------
    np.ndarray
        ``(h, w)``; ``uint8`` for a maxval up to 255, else ``uint16``.

    Raises
    ------
    CmuError
        When the file cannot be read, is no PGM, is shorter or longer than its header says, or holds
        a value above its maxval.

    References
    ----------
    The PGM format: https://netpbm.sourceforge.net/doc/pgm.html
    """
    try:
        content = read_file(path)
    except OSError as error:
        raise CmuError(f"The picture {str(path)!r} cannot be read: {error.strerror}.") from error
    try:
        return _parse_pgm(content)
    except CmuError as error:
        raise CmuError(f"The picture {str(path)!r} is no whole PGM file: {error}. Fetch it again.") from None


def read_cmu(folder: str | Path, *, resolution: int = 2, subjects: Sequence[str] | None = None) -> pd.DataFrame:
    """Read pictures of CMU Faces from the distributed layout.

    Files are ``<subject>/<subject>_<pose>_<expression>_<eyes>[_2|_4].pgm``. Hidden files and files
    that end in ``.bad`` are ignored; `DataFrame.attrs` holds them with the reason, under
    ``ignored``.

    Parameters
    ----------
    folder : str or Path
        The folder that holds one folder a subject, usually called ``faces``.
    resolution : {1, 2, 4}
        The reduction: 1 is 128 x 120 pixels (120 rows), 2 is 64 x 60, 4 is 32 x 30.
    subjects : sequence of str, optional
        Who is read; everyone by default. Only these folders are looked at.

    Returns
    -------
    pandas.DataFrame
        One row a picture, sorted by name: ``name`` (the file's stem without the reduction),
        ``path``, ``subject``, ``pose`` (left, right, straight, up; as the subject sees it),
        ``expression``, ``eyes`` (open, sunglasses), ``image`` (``uint8``, ``(h, w)``; divide by
        255, see `read_pgm`).

    Raises
    ------
    CmuError
        When the folder or a subject is missing, there is nothing to read at this resolution, or any
        file is unreadable, truncated, malformed, 16-bit, of another size or of an unknown name: one
        error that lists them all.
    """
    if resolution not in (1, 2, 4):
        raise CmuError(f"resolution is 1, 2 or 4 (full, half or quarter size), not {resolution!r}.")
    root = Path(folder)
    who = _subjects(root, subjects)
    pictures, troubles, ignored = _catalogue(root, who)
    wanted = [picture for picture in pictures if picture.resolution == resolution]
    if not wanted and not troubles:
        present = sorted({picture.resolution for picture in pictures})
        raise CmuError(
            f"{str(folder)!r} holds no picture at resolution {resolution}; it has the resolutions {present}. "
            "Ask for one of these, or fetch the archive again."
        )
    troubles += [
        f"{stem}: there at another resolution, missing at {resolution}"
        for stem in sorted({picture.stem for picture in pictures} - {picture.stem for picture in wanted})
        if str(root / stem.split("_")[0] / f"{stem}{_SUFFIX[resolution]}.bad") not in ignored
    ]
    high, wide = 120 // resolution, 128 // resolution
    rows = []
    for picture in sorted(wanted, key=lambda item: item.stem):
        try:
            image = read_pgm(picture.path)
        except CmuError as error:
            troubles.append(str(error))
            continue
        if image.dtype != np.uint8:
            troubles.append(f"{picture.path}: 16-bit; CMU Faces is 8-bit and any scaling would be a guess")
        elif image.shape != (high, wide):
            found = f"{image.shape[1]} x {image.shape[0]}"
            troubles.append(f"{picture.path}: {found} pixels, expected {wide} x {high}")
        else:
            parts = (picture.subject, picture.pose, picture.expression, picture.eyes)
            rows.append((picture.stem, str(picture.path), *parts, image))
    if troubles:
        listed = "\n".join(f"  {trouble}" for trouble in troubles)
        raise CmuError(
            f"{len(troubles)} files of {str(folder)!r} cannot be used:\n{listed}\n"
            "No picture is skipped in silence: fetch these again, or move them out of the folder."
        )
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    frame.attrs["ignored"] = ignored
    return frame


def task_labels(frame: pd.DataFrame, task: str) -> np.ndarray:
    """Return what each picture shows, for one task.

    Parameters
    ----------
    frame : pandas.DataFrame
        Pictures with the columns ``pose`` and ``eyes``, as `read_cmu` returns them.
    task : {'left', 'right', 'four', 'sunglasses'}
        The question; `modelcheck.faces.pictures.TASKS` has its class names.

    Returns
    -------
    np.ndarray
        ``(n,)`` int64, positions among the task's class names.

    Raises
    ------
    CmuError
        When the task is unknown.
    """
    if task not in TASKS:
        raise CmuError(f"There is no task {task!r}. {did_you_mean(str(task), TASKS)}")
    classes, answer = TASKS[task]
    pairs = zip(frame["pose"].astype(str), frame["eyes"].astype(str), strict=True)
    return np.array([classes.index(answer(pose, eyes)) for pose, eyes in pairs], dtype=np.int64)


def cmu_panel(
    folder: str | Path,
    *,
    resolution: int = 2,
    subjects: Sequence[str] | None = None,
    task: str = "left",
    boxes: pd.DataFrame | None = None,
) -> Panel:
    """Build a panel from CMU Faces, with face regions.

    Parameters
    ----------
    folder, resolution, subjects
        As in `read_cmu`.
    task : {'left', 'right', 'four', 'sunglasses'}
        The question that the labels answer.
    boxes : pandas.DataFrame, optional
        Boxes of your own (`modelcheck.faces.regions.read_boxes`), in pixels of this resolution. By
        default the faces are looked for in the full-size pictures; without any of these the panel
        has no regions.

    Returns
    -------
    Panel
        ``uint8`` pictures ``(n, h, w, 1)``, the poses as groups, the file stems as names.

    Raises
    ------
    CmuError
        As `read_cmu`, or when the task is unknown.
    modelcheck.faces.regions.RegionError
        When a subject's face is not found, or boxes of your own do not fit.

    Notes
    -----
    For masks of your own: ``dataclasses.replace(panel, regions=masks)``.
    """
    frame = read_cmu(folder, resolution=resolution, subjects=subjects)
    labels = task_labels(frame, task)
    if boxes is None and _has_full_size(frame):
        full = frame if resolution == 1 else read_cmu(folder, resolution=1, subjects=subjects)
        boxes = scale_boxes(face_boxes(full), 1 / resolution)
    images = np.stack(frame["image"].tolist())
    regions = None
    if boxes is not None:
        regions = regions_from_boxes(boxes, names=frame["name"].tolist(), shape=images.shape[1:3])
    return Panel(
        images,
        labels,
        subjects=np.array(frame["subject"].tolist()),
        class_names=TASKS[task][0],
        regions=regions,
        names=np.array(frame["name"].tolist()),
        groups=np.array(frame["pose"].tolist()),
    )


def _parse_pgm(content: bytes) -> np.ndarray:
    header = _HEADER.match(content)
    if header is None:
        raise CmuError("it does not begin with P2 or P5 and width, height and maxval")
    kind, *numbers = header.groups()
    if any(len(number) > _MAX_DIGITS for number in numbers):
        raise CmuError("its header holds an absurdly large number")
    width, height, maxval = (int(number) for number in numbers)
    if not (width > 0 and height > 0 and 0 < maxval < 65536):
        raise CmuError(f"its header says {width} x {height} pixels with maxval {maxval}")
    values = (_raw if kind == b"5" else _plain)(content[header.end() :], width * height, maxval)
    if values.max() > maxval:
        raise CmuError(f"it holds the value {values.max()}, above its maxval {maxval}")
    return values.astype(np.uint8 if maxval < 256 else np.uint16).reshape(height, width)


def _raw(body: bytes, size: int, maxval: int) -> np.ndarray:
    depth = 1 if maxval < 256 else 2
    # Exactly one blank parts header and values: the first value may itself look like a blank.
    values, rest = body[1 : 1 + size * depth], body[1 + size * depth :]
    if body[:1] == b"#":
        raise CmuError("a comment stands where its values should begin")
    if len(values) < size * depth or rest.strip():
        raise CmuError(f"it has {len(body) - 1} bytes of values where its header promises {size * depth}")
    return np.frombuffer(values, dtype=np.uint8 if depth == 1 else ">u2")


def _plain(body: bytes, size: int, maxval: int) -> np.ndarray:
    words = _COMMENT.sub(b"", body).split()
    if len(words) != size:
        raise CmuError(f"it has {len(words)} values where its header promises {size}")
    strange = next((word for word in words if not word.isdigit() or len(word) > _MAX_DIGITS), None)
    if strange is not None:
        raise CmuError(f"it holds {strange[:20]!r} where a number up to {maxval} is expected")
    return np.array([int(word) for word in words], dtype=np.int64)


def _subjects(root: Path, subjects: Sequence[str] | None) -> list[str]:
    if not root.is_dir():
        raise CmuError(f"There is no folder {str(root)!r}. Give the folder with one folder a subject, usually 'faces'.")
    present = sorted(item.name for item in root.iterdir() if item.is_dir() and not item.name.startswith("."))
    if present == ["faces"]:
        raise CmuError(f"{str(root)!r} holds the folder 'faces': give {str(root / 'faces')!r}.")
    if not present:
        raise CmuError(f"{str(root)!r} holds no subject's folder. Expected <subject>/<subject>_left_...pgm.")
    if subjects is None:
        return present
    if isinstance(subjects, str) or not list(subjects):
        raise CmuError(f"subjects must be a list of one or more names, not {subjects!r}.")
    for subject in subjects:
        if subject not in present:
            raise CmuError(f"{str(root)!r} has no subject {subject!r}. {did_you_mean(str(subject), present)}")
    return sorted(set(subjects))


def _catalogue(root: Path, subjects: list[str]) -> tuple[list[_Picture], list[str], dict[str, str]]:
    pictures, troubles, ignored = [], [], {}
    loose = [path for path in root.iterdir() if not path.is_dir()]
    inside = [path for subject in subjects for path in (root / subject).iterdir()]
    for path in sorted(loose + inside):
        name = _NAME.fullmatch(path.name)
        if path.name.startswith("."):
            ignored[str(path)] = "hidden: left by a system or the archive's makers, no picture"
        elif path.suffix == ".bad":
            ignored[str(path)] = "marked by the makers of CMU Faces as spoiled by the camera"
        elif name is None or name["subject"] != path.parent.name:
            troubles.append(f"{path}: its name is not <subject>_<pose>_<expression>_<eyes>[_2|_4].pgm")
        else:
            pictures.append(
                _Picture(
                    stem=name["stem"],
                    path=path,
                    subject=name["subject"],
                    pose=name["pose"],
                    expression=name["expression"],
                    eyes=name["eyes"],
                    resolution=int(name["reduced"] or 1),
                )
            )
    return pictures, troubles, ignored


def _has_full_size(frame: pd.DataFrame) -> bool:
    return any(
        Path(path).with_name(f"{name}.pgm").exists() for path, name in zip(frame["path"], frame["name"], strict=True)
    )
