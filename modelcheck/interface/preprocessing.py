"""What is done to a picture before a network sees it: scale, mean, standard deviation and order of the channels."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelcheck.support.spelling import did_you_mean
from modelcheck.support.validation import Check, check_table, check_value, number, one_of

__all__ = [
    "NONE",
    "PRESETS",
    "REVERSED",
    "WORDS",
    "Preprocessing",
    "list_alternatives",
    "parse_preprocessing",
    "reverse_channels",
    "spell_preprocessing",
    "write_preprocessing",
]

NONE = "none"
"""The word for no preprocessing: the network takes pictures as the recipe's `input_range` gives them."""

REVERSED = "reversed"
"""The word in a record for the preprocessing that a network has, with the channels in the other order."""

_MOST = 1e30  # well within what float32 holds
_FINITE, _POSITIVE = number(), number("a finite number above 0", above=0)


def _channels(one: Check, words: str) -> Check:
    """Return the check of a number for each channel, or of one for all; kept as a tuple."""

    def accepts(value: Any) -> bool:
        values = value if isinstance(value, list | tuple) else [value]
        return bool(values) and all(one.accepts(item) for item in values)

    return Check(
        words,
        accepts,
        lambda value: tuple(one.convert(item) for item in (value if isinstance(value, list | tuple) else [value])),
    )


_CHECKS = {
    "scale": _POSITIVE,
    "mean": _channels(_FINITE, "a finite number, or a list of one for each channel"),
    "std": _channels(_POSITIVE, "a finite number above 0, or a list of one for each channel"),
    "order": one_of("rgb", "bgr"),
}


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How a network wants its pictures, of values from 0 to 255: ``(scale * picture - mean) / std``.

    Parameters
    ----------
    scale : float
        What each value is multiplied by first, above 0: 1/255 for pictures from 0 to 1.
    mean, std : tuple of float
        What is then subtracted, and what that is divided by: one number for all channels, or one
        for each in the network's own order.
    order : {'rgb', 'bgr'}
        The order in which the network takes the channels of a colour picture.

    Raises
    ------
    ValueError
        When a part is not such a value, `mean` and `std` are of different lengths, or pictures would
        come to numbers that float32 does not hold.

    Examples
    --------
    >>> Preprocessing(scale=1 / 127.5, mean=(1.0,)) == PRESETS["tf"]
    True
    >>> PRESETS["tf"].make_affine((0.0, 1.0), channels=1)
    ((2.0,), (-1.0,))
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    order: str = "rgb"

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check_value(name, getattr(self, name), check, where="preprocessing"))
        if len({len(self.mean), len(self.std)} - {1}) > 1:
            raise ValueError("mean and std must have one number for each channel, or one for all, in preprocessing.")
        reach = [255 * self.scale / std for std in self.std] + [mean / std for mean in self.mean for std in self.std]
        if max(map(abs, reach)) > _MOST or 255 * self.scale / max(self.std) < 1 / _MOST:
            raise ValueError(
                f"preprocessing makes numbers beyond {_MOST:g}, or below {1 / _MOST:g}, of pictures from 0 to 255, "
                "which no network can tell apart. Mend scale, mean or std."
            )

    @property
    def channels(self) -> int | None:
        """How many channels a picture must have; None where any number will do."""
        longest = max(len(self.mean), len(self.std))
        return longest if longest > 1 else 3 if self.order == "bgr" else None

    def make_affine(
        self, input_range: tuple[float, float], *, channels: int
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return factor and shift of each channel, in the network's order, for pictures in a range.

        Parameters
        ----------
        input_range : tuple of float
            The values of black and white in the pictures; they stand for 0 and 255.
        channels : int
            How many channels the pictures have.

        Raises
        ------
        ValueError
            When the preprocessing is for pictures with another number of channels.
        """
        if self.channels not in (None, channels):
            raise ValueError(
                f"The preprocessing {write_preprocessing(self)!r} is for pictures of {self.channels} channels, and "
                f"these have {channels}. Give one that fits them, or none: preprocessing = {NONE!r}."
            )
        low, high = input_range
        bytes_of_one = 255.0 / (high - low)
        means, deviations = (part * channels if len(part) == 1 else part for part in (self.mean, self.std))
        pairs = tuple(zip(means, deviations, strict=True))
        factors = tuple(bytes_of_one * self.scale / deviation for _, deviation in pairs)
        shifts = tuple((-low * bytes_of_one * self.scale - mean) / deviation for mean, deviation in pairs)
        return factors, shifts

    def is_same(self, other: Preprocessing | None, input_range: tuple[float, float], *, channels: int) -> bool:
        """Say whether another preprocessing, or none, makes the same of pictures in a range, but for rounding.

        Examples
        --------
        >>> PRESETS["rescale"].is_same(None, (0.0, 1.0), channels=3)
        True
        """
        own = self.make_affine(input_range, channels=channels)
        if other is None:
            theirs, order = ((1.0,) * channels, (0.0,) * channels), "rgb"
        else:
            theirs, order = other.make_affine(input_range, channels=channels), other.order
        return self.order == order and all(
            math.isclose(one, another, rel_tol=1e-6, abs_tol=1e-6)
            for mine, its in zip(own, theirs, strict=True)
            for one, another in zip(mine, its, strict=True)
        )


PRESETS: Mapping[str, Preprocessing] = {
    "bytes": Preprocessing(),
    "rescale": Preprocessing(scale=1 / 255),
    "tf": Preprocessing(scale=1 / 127.5, mean=(1.0,)),
    "torch": Preprocessing(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "caffe": Preprocessing(mean=(103.939, 116.779, 123.68), order="bgr"),
    "bgr": Preprocessing(scale=1 / 255, order="bgr"),
}
"""By name: values from 0 to 255, from 0 to 1, the three of ``keras.applications``, by its own names, and
values from 0 to 1 with blue first, as OpenCV reads pictures.
"""

WORDS: Mapping[str, str] = {
    NONE: "values as input_range has them",
    "bytes": "values from 0 to 255",
    "rescale": "values from 0 to 1",
    "tf": "values from -1 to 1",
    "torch": "values from 0 to 1, less ImageNet's mean and divided by its standard deviation",
    "caffe": "values from 0 to 255, blue first, less ImageNet's mean",
    "bgr": "values from 0 to 1, blue first",
}
"""By name, what the network is then given."""


def parse_preprocessing(value: Any, *, error: type[ValueError] = ValueError) -> Preprocessing | None:
    """Return the preprocessing that a setting asks for; None for ``none``.

    Parameters
    ----------
    value : str or dict
        The name of a preset, or a table of `Preprocessing`'s parts.
    error : type
        The kind of ValueError that is raised.

    Raises
    ------
    ValueError
        Of the kind `error`, when it is neither.

    Examples
    --------
    >>> parse_preprocessing("caffe").order, parse_preprocessing({"scale": 0.5}).scale, parse_preprocessing("none")
    ('bgr', 0.5, None)
    >>> parse_preprocessing("torhc")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: preprocessing must be 'none', ... or a table of scale, mean, std and order, not 'torhc'. Did you ...
    """
    known = (NONE, *PRESETS)
    if isinstance(value, str) and value in known:
        return PRESETS.get(value)
    if not isinstance(value, dict):
        near = f" {did_you_mean(value, known)}" if isinstance(value, str) else ""
        raise error(
            f"preprocessing must be {', '.join(map(repr, known))} or a table of scale, mean, std and order, not "
            f"{value!r}.{near}"
        )
    parts = check_table(value, _CHECKS, where="preprocessing", error=error)
    try:
        return Preprocessing(**parts)
    except ValueError as wrong:
        raise error(str(wrong)) from wrong


def write_preprocessing(preprocessing: Preprocessing | None) -> str | dict[str, Any]:
    """Return a preprocessing as it is written in settings and kept in a record: a name, or a table for any other.

    Examples
    --------
    >>> write_preprocessing(PRESETS["torch"]), write_preprocessing(None)
    ('torch', 'none')
    >>> write_preprocessing(Preprocessing(scale=0.5))
    {'scale': 0.5, 'mean': [0.0], 'std': [1.0], 'order': 'rgb'}
    """
    if preprocessing is None:
        return NONE
    for name, preset in PRESETS.items():
        if preset == preprocessing:
            return name
    values = dataclasses.asdict(preprocessing)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def spell_preprocessing(written: str | Mapping[str, Any]) -> str:
    """Return a preprocessing as it is typed on a command line: a name, or a table in one line.

    Parameters
    ----------
    written : str or mapping
        From `write_preprocessing`, or as settings have it.

    Examples
    --------
    >>> spell_preprocessing("tf"), spell_preprocessing({"scale": 0.5, "mean": [1.0], "order": "bgr"})
    ('tf', '{ scale = 0.5, mean = [1.0], order = "bgr" }')
    """
    # JSON's numbers, texts and lists are TOML's.
    if isinstance(written, str):
        return written
    return f"{{ {', '.join(f'{name} = {json.dumps(part)}' for name, part in written.items())} }}"


def reverse_channels(preprocessing: Preprocessing | None, input_range: tuple[float, float]) -> Preprocessing:
    """Return a preprocessing that makes the same of pictures of three channels, given in the other order.

    It feeds a network whose first kernel has its channels reversed as the other feeds it as it was.

    Parameters
    ----------
    preprocessing : Preprocessing or None
        What is done to pictures now.
    input_range : tuple of float
        The values of black and white in the pictures, which matter where nothing is done.

    Examples
    --------
    >>> reverse_channels(None, (0.0, 1.0)) == PRESETS["bgr"]
    True
    >>> reverse_channels(reverse_channels(PRESETS["torch"], (0.0, 1.0)), (0.0, 1.0)) == PRESETS["torch"]
    True
    """
    low, high = input_range
    now = preprocessing or Preprocessing(scale=(high - low) / 255.0, mean=(-low,))
    order = "rgb" if now.order == "bgr" else "bgr"
    return Preprocessing(scale=now.scale, mean=now.mean[::-1], std=now.std[::-1], order=order)


def list_alternatives(
    preprocessing: Preprocessing | None, input_range: tuple[float, float], *, channels: int
) -> dict[str, Preprocessing | None]:
    """Return by name every known preprocessing that makes something else of pictures than the present one.

    Those are `PRESETS`, `NONE`, and for pictures of three channels `REVERSED`, where none of the
    others does the same.

    Parameters
    ----------
    preprocessing : Preprocessing or None
        What is done to pictures now.
    input_range : tuple of float
        The values of black and white in the pictures.
    channels : int
        How many channels they have.

    Examples
    --------
    >>> list(list_alternatives(None, (0.0, 1.0), channels=1)), list(list_alternatives(None, (0.0, 1.0), channels=3))
    (['bytes', 'tf'], ['bytes', 'tf', 'torch', 'caffe', 'bgr'])
    >>> list_alternatives(PRESETS["bytes"], (0.0, 1.0), channels=3)["reversed"]
    Preprocessing(scale=1.0, mean=(0.0,), std=(1.0,), order='bgr')
    """
    known: dict[str, Preprocessing | None] = {
        name: preset for name, preset in PRESETS.items() if preset.channels in (None, channels)
    }
    known[NONE] = None
    if channels == 3:
        known[REVERSED] = reverse_channels(preprocessing, input_range)
    told: dict[str, Preprocessing | None] = {}
    for name, other in known.items():
        if not any(_is_same(other, seen, input_range, channels=channels) for seen in (preprocessing, *told.values())):
            told[name] = other
    return told


def _is_same(
    one: Preprocessing | None, other: Preprocessing | None, span: tuple[float, float], *, channels: int
) -> bool:
    if one is None:
        return other is None or other.is_same(None, span, channels=channels)
    return one.is_same(other, span, channels=channels)
