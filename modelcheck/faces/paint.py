"""What is painted on a drawn person's surface, by position in the frame of the head or of the body.

x runs to the picture's right when the person looks straight ahead, y up, z towards the camera; the
unit is about two thirds of a head's width, and 0 the head's middle.
"""

from __future__ import annotations

import numpy as np

from modelcheck.faces.people import Subject

__all__ = ["is_hair", "paint"]


def is_hair(point: np.ndarray, style: str) -> np.ndarray:
    """Return which points of the hair's shell carry hair, ``(h, w)`` bool.

    Parameters
    ----------
    point : np.ndarray
        ``(3, h, w)`` x, y, z in the head's frame.
    style : str
        The subject's `hair_style`.
    """
    # The hairline by depth: high above the face, down past the temples to the ears, low at the
    # back.
    high = 1.6 if style == "bald" else 0.62
    x, y, z = point
    hairline: np.ndarray = np.interp(z + 0.08 * x, [-0.5, -0.2, 0.1, 0.45, 0.7], [-0.55, -0.15, 0.1, high - 0.1, high])
    hair: np.ndarray = y > hairline
    return hair


def paint(kind: str, point: np.ndarray, subject: Subject, expression: str, eyes: str) -> np.ndarray:
    """Return the grey of each point of a part before light falls on it, ``(h, w)`` in [0, 1].

    Parameters
    ----------
    kind : str
        skin, nose, ear, hair, mane, neck or top.
    point : np.ndarray
        ``(3, h, w)`` x, y, z in the part's frame, head or body.
    subject : Subject
        Who.
    expression, eyes : str
        As for `draw`.
    """
    x, y, z = point
    if kind in ("hair", "mane"):
        strands: np.ndarray = subject.hair * (1 + 0.1 * np.sin(23 * x + 9 * y))
        return strands
    if kind == "top":
        return _cloth(point, subject)
    grey = np.full(x.shape, subject.skin, dtype=np.float32)
    if kind == "neck":
        return grey * np.where(y > -1.25, 0.7, 0.85)  # under the chin it is darker
    if kind == "nose":
        nostrils = (np.hypot((np.abs(x) - 0.06) / 0.045, (y + 0.36 * subject.nose) / 0.06) < 1) & (z > 0.7)
        grey[nostrils] *= 0.35
        return grey
    if kind == "ear":
        return grey * 0.9
    front = z > 0.05
    if subject.beard:
        grey[front & (y < -0.3) & (y < -0.42 + 0.35 * np.abs(x))] = 0.5 * (subject.hair + 0.4 * subject.skin)
    _paint_mouth(grey, point, expression)
    _paint_eyes(grey, point, subject, expression)
    side = np.abs(x)
    if eyes == "sunglasses":
        lens = np.hypot((side - 0.31) / 0.27, (y - 0.03) / 0.2) < 1
        grey[front & (lens | ((side < 0.1) & (np.abs(y - 0.1) < 0.04)))] = 0.03
        grey[(side > 0.5) & (np.abs(y - 0.1) < 0.05) & (z > -0.15)] = 0.03
    elif subject.glasses:
        rim = np.abs(np.hypot((side - 0.31) / 0.24, (y - 0.03) / 0.19) - 1) < 0.16
        grey[front & (rim | ((side < 0.08) & (np.abs(y - 0.08) < 0.03)))] = 0.1
        grey[(side > 0.54) & (np.abs(y - 0.1) < 0.03) & (z > -0.15)] = 0.1
    return grey


def _paint_mouth(grey: np.ndarray, point: np.ndarray, expression: str) -> None:
    x, y, z = point
    bend, wide, thick = {
        "neutral": (0.0, 0.22, 0.035),
        "happy": (1.3, 0.3, 0.045),
        "sad": (-1.4, 0.22, 0.04),
        "angry": (-0.3, 0.26, 0.06),
    }[expression]
    level = -0.56 + bend * (x**2 - wide**2 / 2)
    here = (np.abs(x) < wide) & (z > 0.2)
    grey[here & (np.abs(y - level) < thick)] *= 0.25
    if expression == "happy":
        grey[here & (np.abs(x) < 0.22) & (y - level > thick) & (y - level < 0.11)] = 0.95
    else:
        grey[here & (np.abs(x) < 0.16) & (y - level < -thick) & (y - level > -thick - 0.07)] *= 0.75


def _paint_eyes(grey: np.ndarray, point: np.ndarray, subject: Subject, expression: str) -> None:
    x, y, z = point
    side, front = np.abs(x), z > 0.1
    open_by = {"neutral": 0.08, "happy": 0.065, "sad": 0.06, "angry": 0.055}[expression]
    slope = {"neutral": 0.0, "happy": -0.1, "sad": -0.45, "angry": 0.55}[expression]
    lift = {"neutral": 0.0, "happy": 0.04, "sad": 0.02, "angry": -0.06}[expression]
    socket = np.hypot((side - 0.3) / 0.22, (y - 0.08) / 0.16) < 1
    grey[front & socket] *= 0.85
    eye = np.hypot((side - 0.3) / 0.15, (y - 0.04) / open_by) < 1
    grey[front & eye] = min(1.0, subject.skin + 0.2)
    grey[front & eye & (np.hypot(side - 0.3, y - 0.04) < 0.075)] = 0.05
    brow = np.abs(y - 0.25 - lift - slope * (side - 0.3)) < 0.045 * subject.brow
    grey[front & brow & (side > 0.12) & (side < 0.48)] = min(subject.hair, 0.6 * subject.skin)


def _cloth(point: np.ndarray, subject: Subject) -> np.ndarray:
    x, y, z = point
    grey = np.full(x.shape, subject.top, dtype=np.float32)
    other = subject.top - 0.35 if subject.top > 0.5 else subject.top + 0.35
    if subject.pattern == "stripes":
        grey[np.sin(14 * y) > 0.2] = other
    elif subject.pattern == "check":
        grey[(np.sin(13 * x) > 0) ^ (np.sin(13 * y) > 0)] = other
    elif subject.pattern == "collar":
        grey[(np.abs(x) < 0.5) & (y > -1.95 + 0.9 * (np.abs(x) - 0.25)) & (z > 0)] = 0.95
    return grey
