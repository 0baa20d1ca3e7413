"""Pictures and labels as a training pipeline gives them: a ``tf.data.Dataset``, a loader, any iterable of batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from modelcheck.panel.checks import MAX_PICTURES, check_class_names, spell
from modelcheck.panel.errors import PanelError
from modelcheck.panel.repeats import check_repeats
from modelcheck.panel.storage import MAX_GIB

__all__ = ["read_batches"]

_MOST = 2**31  # beyond any number of classes, within every type of whole numbers


def read_batches(dataset: Iterable[Any], *, class_names: Sequence[str] | None) -> dict[str, Any]:
    """Return images, labels and class names of an iterable of ``(image, label)``, batched or not.

    Parameters
    ----------
    dataset : iterable
        As of `Panel.from_dataset`.
    class_names : sequence of str, optional
        As of `Panel.from_dataset`.

    Raises
    ------
    PanelError
        When an element is no such pair, or pictures differ in shape.
    """
    if not isinstance(dataset, Iterable):
        raise PanelError(f"A data set is an iterable of (image, label), not {type(dataset).__name__}.")
    classes = _find_class_names(dataset, class_names)
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    size = n = 0
    for number, element in enumerate(dataset):
        pictures, answers = _take_element(element, number, len(classes))
        if images and (pictures.shape[1:], pictures.dtype) != (images[0].shape[1:], images[0].dtype):
            raise PanelError(
                f"Pictures of the data set differ: {_form(images[0])} at first, {_form(pictures)} in element {number}. "
                "Bring them to one shape and type in the data set, as the network's training does."
            )
        if labels and (answers.dtype.kind == "U") != (labels[0].dtype.kind == "U"):
            raise PanelError(
                f"Labels of the data set are words and numbers; the first of the others is in element {number}. Give "
                "one kind of them: names of classes, or their positions."
            )
        images.append(pictures)
        labels.append(answers)
        size, n = size + pictures.nbytes, n + len(pictures)
        if size > MAX_GIB * 2**30 or n > MAX_PICTURES:
            raise PanelError(
                f"The data set gives more than {MAX_GIB:g} GiB or {MAX_PICTURES} pictures; {n} were read. Take a part "
                "of it, for example dataset.take(100), and one that ends: without .repeat()."
            )
    if not n:
        raise PanelError("The data set has no pictures: a panel needs some.")
    stack, every = np.concatenate(images), np.concatenate(labels)
    if every.dtype.kind == "U":
        strange = sorted(set(every.tolist()) - set(classes))
        if strange:
            raise PanelError(f"The data set has labels {strange[:5]} that are none of the classes {list(classes)}.")
        every = np.array([classes.index(label) for label in every.tolist()])
    if every.min() < 0 or every.max() >= len(classes):
        raise PanelError(
            f"The data set has labels {every.min()} to {every.max()}, but there are {len(classes)} classes."
        )
    check_repeats(stack, every, names=[f"number {row}" for row in range(n)], class_names=classes)
    return {"images": stack, "labels": every, "class_names": classes}


def _form(pictures: np.ndarray) -> str:
    return f"{'x'.join(map(str, pictures.shape[1:]))} {pictures.dtype}"


def _find_class_names(dataset: Any, class_names: Sequence[str] | None) -> tuple[str, ...]:
    own = getattr(dataset, "class_names", None)  # image_dataset_from_directory has them
    if class_names is None and own is None:
        raise PanelError("Name the classes in the order of the network's outputs: class_names=[...].")
    classes = check_class_names(own if class_names is None else class_names)
    if own is not None and tuple(map(str, own)) != classes:
        raise PanelError(
            f"class_names are {list(classes)}, but the data set's labels count {list(own)}. Give its order."
        )
    return classes


def _take_element(element: Any, number: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures, ``(n, h, w, c)``, and labels, ``(n,)``, of one element."""
    where = f"element {number} of the data set"
    if not isinstance(element, tuple | list) or len(element) != 2:
        what = f"{len(element)} parts" if isinstance(element, tuple | list) else type(element).__name__
        raise PanelError(
            f"{where} is no pair (image, label) but {what}. Bring it to pairs, for example "
            "dataset.map(lambda image, label, weight: (image, label))."
        )
    try:
        pictures, labels = np.asarray(element[0]), np.asarray(element[1])
    except Exception as error:  # of tensors on a device, ragged lists: whatever their library raises
        raise PanelError(f"{where} cannot be read as arrays: {type(error).__name__}: {error}.") from error
    if labels.dtype.kind in "OS":
        labels = _spell_labels(labels, where)
    # A batch of grey pictures and a picture in colour have three axes both: their labels tell.
    single = pictures.ndim == 2 or (pictures.ndim == 3 and (labels.ndim == 0 or labels.shape != (len(pictures),)))
    if single:
        pictures, labels = pictures[np.newaxis], labels[np.newaxis]
    if pictures.ndim == 3:
        pictures = pictures[..., np.newaxis]
    if pictures.ndim != 4 or not len(pictures):
        raise PanelError(f"{where} has images of shape {pictures.shape}; expected (n, height, width, channels).")
    if pictures.shape[-1] not in (1, 3, 4) and pictures.shape[1] in (1, 3):
        raise PanelError(
            f"{where} has images of shape {pictures.shape}, with channels first. Bring them last, for example "
            "((images.permute(0, 2, 3, 1), labels) for images, labels in loader)."
        )
    return pictures, _flat_labels(labels, len(pictures), n_classes, where)


def _spell_labels(labels: np.ndarray, where: str) -> np.ndarray:
    """Return labels in an array of objects as words or as numbers, whichever all of them are."""
    if all(isinstance(label, str | bytes) for label in labels.flat):
        return np.array([spell(label, f"labels of {where}") for label in labels.flat]).reshape(labels.shape)
    if all(isinstance(label, int | float | np.number) for label in labels.flat):
        return np.array(labels.tolist())
    raise PanelError(f"{where} has labels that are neither all words nor all numbers.")


def _flat_labels(labels: np.ndarray, n: int, n_classes: int, where: str) -> np.ndarray:
    """Return ``(n,)`` labels of whole numbers, of whole floats, of one-hot rows, or of words."""
    if labels.shape == (n, 1):
        labels = labels[:, 0]
    if labels.dtype.kind == "U" and labels.shape == (n,):
        return labels
    if labels.dtype.kind not in "iufb" or len(labels) != n or labels.ndim not in (1, 2):
        raise PanelError(f"{where} has labels of shape {labels.shape} {labels.dtype} for {n} pictures.")
    numbers = labels.astype(np.float64)
    if not np.array_equal(numbers, np.rint(numbers)):
        raise PanelError(f"{where} has labels between whole numbers; a panel holds one class for each picture.")
    if not (np.abs(numbers) < _MOST).all():
        raise PanelError(
            f"{where} has labels that are no positions of classes: {numbers.min():g} to {numbers.max():g}."
        )
    if labels.ndim == 1:
        return numbers.astype(np.int64)
    if labels.shape[1] != n_classes or numbers.min() < 0 or numbers.max() > 1 or (numbers.sum(axis=1) != 1).any():
        raise PanelError(
            f"{where} has labels of shape {labels.shape}, not one-hot rows of {n_classes} classes. A panel holds one "
            "class for each picture: of several labels, choose the one that is judged."
        )
    return numbers.argmax(axis=1)
