"""What each part of a panel must be: arrays that fit together, owned by the panel alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from modelcheck.panel.errors import PanelError, shorten
from modelcheck.support.validation import array_of, check_value, name_list

__all__ = [
    "MAX_PICTURES",
    "check_class_names",
    "check_conversion",
    "check_images",
    "check_labels",
    "check_regions",
    "check_words",
    "is_missing",
    "join_words",
    "spell",
]

MAX_PICTURES = 1_000_000
_MAX_CHARACTERS = 2**26  # of all words of one kind, each as long as the longest
_MAX_CONVERSION = 2000  # characters
_CLASS_NAMES = name_list("at least two distinct names", at_least=2)


def _own(values: Any) -> np.ndarray:
    """Return an array that nobody else can write to: a copy, unless the memory behind it is frozen already."""
    behind: Any = values
    while isinstance(behind, np.ndarray) and not behind.flags.writeable:
        behind = behind.base
    return values if isinstance(values, np.ndarray) and behind is None else np.array(values)


def check_images(images: Any) -> np.ndarray:
    """Return pictures as ``(n, h, w, c)``, bytes or finite float32."""
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
    if len(array) > MAX_PICTURES:
        raise PanelError(f"The panel has {len(array)} pictures, more than {MAX_PICTURES}. Take a sample of them.")
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise PanelError(f"images must be uint8 or float, not {array.dtype}.")
    if array.dtype.kind == "f":
        # Before the check for infinity: a double may not fit.
        with np.errstate(over="ignore", under="ignore"):
            array = array.astype(np.float32)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = np.unique(np.argwhere(~np.isfinite(array))[:, 0])
        raise PanelError(f"Pictures that hold NaN or infinity: {len(bad)}; the first is number {bad[0]}.")
    return array


def check_class_names(class_names: Any) -> tuple[str, ...]:
    """Return the names of the classes: at least two, distinct."""
    names = tuple(check_words(class_names, None, "class_names").tolist())
    check_value("class_names", names, _CLASS_NAMES, error=PanelError)
    return names


def check_labels(
    labels: Any, n: int, class_names: tuple[str, ...], *, what: str = "labels", of: str = "picture"
) -> np.ndarray:
    """Return ``(n,)`` positions in the classes, from positions or from the names of classes."""
    try:
        array = np.asarray(labels)
    except ValueError as error:
        raise PanelError(f"{what} must be {n} whole numbers or names of classes: {error}.") from error
    words = array.dtype.kind in "OT" and any(isinstance(label, str | bytes) for label in array.flat)
    if array.dtype.kind in "US" or words:
        return _find_classes(check_words(labels, n, what, of=of).tolist(), class_names, what)
    check_value(what, array, array_of(f"{n} whole numbers", kinds="iu", shape=(n,)), error=PanelError)
    if array.min() < 0 or array.max() >= len(class_names):
        outside = int(np.sum((array < 0) | (array >= len(class_names))))
        raise PanelError(
            f"{what} span {array.min()} to {array.max()}, but there are {len(class_names)} classes: "
            f"{', '.join(class_names)}. {outside} of {n} labels are no position in them."
        )
    return array.astype(np.int64)


def _find_classes(labels: list[str], class_names: tuple[str, ...], what: str) -> np.ndarray:
    places = {name: place for place, name in enumerate(class_names)}
    strange = Counter(label for label in labels if label not in places)
    if strange:
        shown = shorten(f"{name!r} ({times})" for name, times in strange.most_common())
        raise PanelError(f"{what} hold names of no class: {shown}. The classes are {shorten(map(repr, class_names))}.")
    return np.array([places[label] for label in labels], dtype=np.int64)


def check_words(words: Any, n: int | None, what: str, *, of: str = "picture") -> np.ndarray:
    """Return words as an array of text: `n` of them, one of each of what `of` says, none empty."""
    wanted = "a list of words" if n is None else f"{n} words, one a {of}"
    if isinstance(words, np.ndarray) and words.size > (MAX_PICTURES if n is None else n):
        raise PanelError(f"{what} must be {wanted}, not {words.size}.")
    given = np.asarray(words, dtype=object)
    check_value(what, given, array_of(wanted, kinds="O", shape=(n,)), error=PanelError)
    missing = [row for row, word in enumerate(given.tolist()) if is_missing(word)]
    if missing:
        raise PanelError(f"{what} must not be empty; number {missing[0]} is.")
    return join_words([spell(word, what) for word in given.tolist()], what)


def join_words(spelled: list[str], what: str) -> np.ndarray:
    """Return words as an array of text, unless they are so long that it would fill the memory."""
    if len(spelled) * max(map(len, spelled), default=0) > _MAX_CHARACTERS:
        raise PanelError(
            f"{what} are too long: {len(spelled)} words, the longest of {max(map(len, spelled))} characters."
        )
    return np.array(spelled, dtype=np.str_)


def spell(word: Any, what: str) -> str:
    """Return a word as text; bytes are UTF-8, as TensorFlow and HDF5 give text.

    Raises
    ------
    PanelError
        When it is no UTF-8.

    Examples
    --------
    >>> spell(b"cat", "labels"), spell(7, "labels")
    ('cat', '7')
    """
    try:
        text = word.decode() if isinstance(word, bytes) else str(word)
        text.encode()  # of a name that is no UTF-8 on the disk Python makes text that no file can hold
    except UnicodeError as error:
        raise PanelError(f"{what} hold {word!r}, which is no text in UTF-8. Rename it, or decode it first.") from error
    return text


def is_missing(word: Any) -> bool:
    """Say whether a word is none: nothing, blank, or NaN, NaT or NA, which a table holds in an empty cell."""
    if isinstance(word, bytes):
        return not word.strip(b"\0 \t\r\n")
    try:
        if word is None or not bool(word == word):  # noqa: PLR0124 - NaN and NaT are not themselves
            return True
    except (TypeError, ValueError):  # of pandas' NA nobody can say whether it is itself
        return True
    return not str(word).strip("\0 \t\r\n")


def check_regions(regions: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return ``(n, h, w)`` booleans."""
    masks = array_of(f"booleans of shape {shape}", kinds="b", shape=shape)
    return np.asarray(check_value("regions", _own(regions), masks, error=PanelError))


def check_conversion(conversion: Any) -> str:
    """Return what was done to the pictures when they were read, in one short text."""
    text = np.asarray(conversion)
    if text.shape != () or text.dtype.kind != "U" or is_missing(text.item()) or len(text.item()) > _MAX_CONVERSION:
        raise PanelError(f"conversion must be one text of at most {_MAX_CONVERSION} characters, or left out.")
    return str(text.item())
