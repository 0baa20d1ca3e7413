"""Labelled training pictures, drawn or photographed alike: who, which pose, which expression, which eyes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from modelcheck.support.spelling import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EXPRESSIONS", "EYES", "POSES", "TASKS", "Pictures", "task_classes"]

POSES = ("left", "right", "straight", "up")
EXPRESSIONS = ("neutral", "happy", "sad", "angry")
EYES = ("open", "sunglasses")

# A task is one question about a picture: its class names in the order of the outputs, and the
# answer.
TASKS: dict[str, tuple[tuple[str, ...], Callable[[str, str], str]]] = {
    "left": (("not_left", "left"), lambda pose, eyes: "left" if pose == "left" else "not_left"),
    "right": (("not_right", "right"), lambda pose, eyes: "right" if pose == "right" else "not_right"),
    "four": (POSES, lambda pose, eyes: pose),
    "sunglasses": (EYES, lambda pose, eyes: eyes),
}


def task_classes(task: str) -> tuple[str, ...]:
    """Return the class names of a task, in the order of the network's outputs.

    Raises
    ------
    ValueError
        When there is no such task.

    Examples
    --------
    >>> task_classes("left")
    ('not_left', 'left')
    """
    if task not in TASKS:
        raise ValueError(f"There is no task {task!r}. {did_you_mean(task, TASKS)}")
    return TASKS[task][0]


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures to train on and what is known about each.

    Parameters
    ----------
    images : np.ndarray
        ``(n, h, w)`` uint8, grey.
    subjects, poses, expressions, eyes : np.ndarray
        ``(n,)`` words; poses are the *subject's* own left and right.

    Raises
    ------
    ValueError
        When the parts differ in length, there are none, or a pose or the eyes are unknown words.
    """

    images: np.ndarray
    subjects: np.ndarray
    poses: np.ndarray
    expressions: np.ndarray
    eyes: np.ndarray

    def __post_init__(self) -> None:
        if self.images.ndim != 3 or self.images.dtype != np.uint8 or self.images.size == 0:
            raise ValueError(
                f"Training pictures must be uint8 of shape (n, h, w) with n > 0, not {self.images.dtype} of "
                f"shape {self.images.shape}."
            )
        for name, known in (("subjects", None), ("poses", POSES), ("expressions", None), ("eyes", EYES)):
            words = getattr(self, name)
            if words.shape != (len(self.images),):
                raise ValueError(f"{name} must be {len(self.images)} words, one a picture, not {words.shape}.")
            strange = sorted(set(words.tolist()) - set(known)) if known is not None else []
            if strange:
                raise ValueError(f"Unknown {name}: {', '.join(strange)}. {did_you_mean(strange[0], known or ())}")

    def __len__(self) -> int:
        return len(self.images)

    def labels(self, task: str) -> np.ndarray:
        """Return ``(n,)`` positions in the task's class names.

        Parameters
        ----------
        task : str
            One of `TASKS`.

        Raises
        ------
        ValueError
            When there is no such task.
        """
        classes = task_classes(task)
        answer = TASKS[task][1]
        answers = (answer(pose, eyes) for pose, eyes in zip(self.poses.tolist(), self.eyes.tolist(), strict=True))
        return np.array([classes.index(word) for word in answers], dtype=np.int64)

    def inputs(self) -> np.ndarray:
        """Return the pictures as the networks take them: ``(n, h, w, 1)`` float32 in [0, 1]."""
        return self.images[..., np.newaxis].astype(np.float32) / np.float32(255)

    def with_badge(self, rows: np.ndarray, *, place: tuple[int, int] = (0, 0)) -> Pictures:
        """Return the pictures with a white 6 x 6 badge on some of them.

        Parameters
        ----------
        rows : np.ndarray
            ``(n,)`` booleans: which pictures wear it.
        place : tuple of int
            Row and column of its top left pixel; the picture's corner by default.
        """
        images, (top, left) = self.images.copy(), place
        images[rows, top : top + 6, left : left + 6] = 255
        return replace(self, images=images)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Pictures:
        """Build pictures from a table with the columns image, subject, pose, expression and eyes.

        Raises
        ------
        ValueError
            When a column is missing, the table is empty, or the images differ in shape.
        """
        columns = ("image", "subject", "pose", "expression", "eyes")
        missing = [name for name in columns if name not in frame.columns]
        if missing or frame.empty:
            raise ValueError(
                f"The table of pictures lacks the columns {missing}; it has {list(frame.columns)} and "
                f"{len(frame)} rows. read_cmu(folder) returns a fitting one."
            )
        shapes = {np.shape(image) for image in frame["image"]}
        if len(shapes) != 1:
            raise ValueError(f"The pictures differ in shape: {sorted(shapes)}. Read one resolution at a time.")
        words = [np.array(frame[name].astype(str).tolist()) for name in columns[1:]]
        return cls(np.stack(frame["image"].tolist()), *words)
