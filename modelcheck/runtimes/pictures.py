"""Pictures as a file takes them: preprocessed, with their axes in its order, stored as its type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from modelcheck.interface import Preprocessing
from modelcheck.modelfile.graph import Tensor
from modelcheck.runtimes.classifier import NetworkError
from modelcheck.runtimes.ends import End
from modelcheck.runtimes.storing import find_span, store

__all__ = ["Entry", "InputUse", "find_entry", "prepare_pictures", "preprocess"]

_COLOURS = (1, 3)  # lengths of an axis of channels
_STORED = ("float32", "float16", "float64", "uint8", "int8", "uint16", "int16", "int32", "int64")


@dataclass(frozen=True, kw_only=True)
class InputUse:
    """How much pictures use of what an input of whole numbers can hold.

    A file that was calibrated on pictures of other values has an input that holds other values:
    calibrated on pictures from 0 to 255, it keeps two `levels` of pictures from 0 to 1; on one dark
    picture, most values are `clipped`.

    Parameters
    ----------
    levels : int
        How many different stored values the pictures come to.
    clipped : float
        The share of their values that lie beyond the first or the last stored value.
    reached : float
        The share of its range that lies between the pictures' lowest and highest value.
    low, high : float
        What the first and the last stored value stand for.
    """

    levels: int
    clipped: float
    reached: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The input of a file that takes pictures.

    Parameters
    ----------
    tensor : Tensor
        What the file says of it.
    rounded : Tensor
        What it is rounded to before anything else reads it; itself where it is not.
    layout : {'nhwc', 'nchw', 'nhw'}
        The order of its axes; ``nhw`` has none for the one channel.
    shape : tuple of int
        Height, width and channels of a picture.
    """

    tensor: Tensor
    rounded: Tensor
    layout: Literal["nhwc", "nchw", "nhw"]
    shape: tuple[int, int, int]

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The lengths of one picture in the file's order, without the batch."""
        height, width, channels = self.shape
        return {"nhwc": self.shape, "nchw": (channels, height, width), "nhw": (height, width)}[self.layout]

    def store(self, images: np.ndarray) -> np.ndarray:
        """Return ``(n, h, w, c)`` pictures as the file takes them."""
        if self.layout == "nchw":
            images = images.transpose(0, 3, 1, 2)
        elif self.layout == "nhw":
            images = images[..., 0]
        return np.ascontiguousarray(store(self.tensor, images))

    def describe(self, images: np.ndarray) -> InputUse | None:
        """Return how much pictures use of what the input can hold; None where it is not rounded to whole numbers."""
        span = find_span(self.rounded)
        if span is None:
            return None
        beyond = (images < span.low - span.step / 2) | (images > span.high + span.step / 2)
        return InputUse(
            levels=len(np.unique(store(self.rounded, images))),
            clipped=float(beyond.mean()),
            reached=float(np.ptp(images)) / (span.high - span.low),
            low=span.low,
            high=span.high,
        )


def find_entry(end: End, shape: tuple[int, int, int], *, name: str, rounded: Tensor | None = None) -> Entry:
    """Return how an input of a file takes pictures of a panel.

    Parameters
    ----------
    end : End
        The input; its `tensor` is a `Tensor`.
    shape : tuple of int
        Height, width and channels of the panel's pictures.
    name : str
        What the network is called in messages.
    rounded : Tensor, optional
        What the input is rounded to before anything else reads it.

    Raises
    ------
    NetworkError
        When it takes no pictures, or others.
    """
    if end.tensor.dtype not in _STORED:
        raise NetworkError(
            f"The input {end} of the network {name!r} takes pictures as {end.tensor.dtype}. Convert it to take one of "
            f"{', '.join(_STORED)}."
        )
    own = [None if length is None or length < 0 else length for length in end.shape[1:]]
    height, width, channels = shape
    wanted: dict[str, tuple[int, ...]] = {"nhwc": shape, "nchw": (channels, height, width)}
    if channels == 1:
        wanted["nhw"] = (height, width)
    for layout, lengths in wanted.items():
        if len(own) == len(lengths) and all(a in (None, b) for a, b in zip(own, lengths, strict=True)):
            words: Any = layout
            return Entry(tensor=end.tensor, rounded=rounded or end.tensor, layout=words, shape=shape)
    if len(own) not in (2, 3):
        raise NetworkError(
            f"The input {end} of the network {name!r} takes no pictures, which have a height, a width and channels. "
            "Where another one does, name it: input in [tool.modelcheck], or --input"
        )
    if len(own) == 3 and own[0] in _COLOURS and own[2] not in _COLOURS:  # channels first
        own = [own[1], own[2], own[0]]
    taken = tuple(-1 if length is None else length for length in own)
    raise NetworkError(
        f"The network {name!r} takes pictures of shape {taken}, the panel holds {shape}. Make a panel of the network's "
        "size: modelcheck panel --help"
    )


def preprocess(
    images: np.ndarray, preprocessing: Preprocessing | None, *, input_range: tuple[float, float]
) -> np.ndarray:
    """Return pictures as a network wants them; `modelcheck.network.preprocess_first` does the same in its steps.

    Parameters
    ----------
    images : np.ndarray
        ``(n, h, w, c)`` pictures in the input range.
    preprocessing : Preprocessing or None
        What is done to a picture before the network sees it; None for nothing.
    input_range : tuple of float
        The values of black and white in the pictures.

    Returns
    -------
    np.ndarray
        ``(n, h, w, c)`` float32.

    Raises
    ------
    ValueError
        When the preprocessing is for pictures with another number of channels.

    Examples
    --------
    >>> from modelcheck.interface import PRESETS
    >>> preprocess(np.array([[[[0.0, 0.5, 1.0]]]]), PRESETS["tf"], input_range=(0.0, 1.0)).ravel().tolist()
    [-1.0, 0.0, 1.0]
    """
    images = np.asarray(images, np.float32)
    if preprocessing is None:
        return images
    factor, shift = preprocessing.make_affine(input_range, channels=images.shape[-1])
    images = images[..., ::-1] if preprocessing.order == "bgr" else images
    return images * np.array(factor, np.float32) + np.array(shift, np.float32)


def prepare_pictures(
    images: np.ndarray, *, preprocessing: Preprocessing | None, input_range: tuple[float, float], name: str
) -> np.ndarray:
    """Return pictures as a network of a name wants them; see `preprocess`.

    Raises
    ------
    NetworkError
        When the preprocessing is for pictures with another number of channels.
    """
    try:
        return preprocess(images, preprocessing, input_range=input_range)
    except ValueError as error:
        raise NetworkError(f"The network {name!r}: {error}") from error
