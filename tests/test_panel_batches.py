"""A panel of what a training pipeline gives: batched or not, labels of any form, and nothing that is no picture."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from modelcheck.panel import Panel, PanelError

PICTURES = np.arange(3 * 4 * 5 * 3, dtype=np.float32).reshape(3, 4, 5, 3)
LABELS = np.array([1, 0, 1])
CLASSES = ["cat", "dog"]

FORMS = {
    "one batch": [(PICTURES, LABELS)],
    "two batches": [(PICTURES[:2], LABELS[:2]), (PICTURES[2:], LABELS[2:])],
    "one by one": list(zip(PICTURES, LABELS, strict=True)),
    "one-hot": [(PICTURES, np.eye(2)[LABELS])],
    "one-hot, one by one": list(zip(PICTURES, np.eye(2)[LABELS], strict=True)),
    "a column of floats": [(PICTURES, LABELS[:, np.newaxis].astype(np.float32))],
    "names": [(PICTURES, np.array(["dog", "cat", "dog"]))],
    "bytes of names": [(PICTURES, np.array([b"dog", b"cat", b"dog"], dtype=object))],
    "lists": [[PICTURES.tolist(), LABELS.tolist()]],
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
def test_any_form_gives_the_same_panel(data):
    """Batches, single pictures, one-hot rows, columns and names are the same panel."""
    panel = Panel.from_dataset(iter(data), class_names=CLASSES)
    assert panel.digest() == Panel(PICTURES, LABELS, class_names=CLASSES).digest()


def test_a_batch_of_grey_pictures_gets_its_channel():
    """Three axes with a label for each of the first are grey pictures; two axes are one."""
    grey = PICTURES[..., 0]
    expected = Panel(grey, LABELS, class_names=CLASSES).digest()
    for data in ([(grey, LABELS)], zip(grey, LABELS, strict=True)):
        assert Panel.from_dataset(data, class_names=CLASSES).digest() == expected


def test_a_dataset_of_tensorflow_is_read_without_a_word_of_it(tmp_path):
    """A `tf.data.Dataset` is an iterable like any other, and its class names are taken and held against given ones."""
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((PICTURES, LABELS)).batch(2)
    assert Panel.from_dataset(data, class_names=CLASSES).labels.tolist() == LABELS.tolist()
    with pytest.raises(PanelError, match="Name the classes in the order"):
        Panel.from_dataset(data)
    data.class_names = CLASSES
    assert Panel.from_dataset(data, subjects=["a", "b", "a"]).class_names == ("cat", "dog")
    with pytest.raises(PanelError, match="the data set's labels count"):
        Panel.from_dataset(data, class_names=CLASSES[::-1])


WRONG = {
    "triple": ([(PICTURES, LABELS, LABELS)], "no pair .* but 3 parts"),
    "no iterable": (3, "iterable of .image, label., not int"),
    "dict": ([{"image": PICTURES, "label": LABELS}], "no pair .* but dict"),
    "empty": ([], "has no pictures"),
    "other sizes": (
        [(PICTURES, LABELS), (PICTURES[:, :2], LABELS)],
        "4x5x3 float32 at first, 2x5x3 float32 in element 1",
    ),
    "channels first": ([(PICTURES.transpose(0, 3, 1, 2)[..., :2], LABELS)], "channels first"),
    "several labels": ([(PICTURES, np.ones((3, 2)))], "not one-hot rows of 2 classes"),
    "other width": ([(PICTURES, np.eye(3))], "not one-hot rows of 2 classes"),
    "fractions": ([(PICTURES, LABELS / 2)], "between whole numbers"),
    "nan": ([(PICTURES, np.full(3, np.nan))], "between whole numbers"),
    "out of range": ([(PICTURES, LABELS + 1)], "labels 1 to 2, but there are 2 classes"),
    "strange name": ([(PICTURES, np.array(["dog", "cat", "fox"]))], "labels .'fox'. that are none"),
    "fewer labels": ([(PICTURES, LABELS[:2])], "expected|labels of shape"),
    "ragged": ([([[1], [2, 3]], LABELS)], "cannot be read as arrays"),
    "two labels of one picture": ([(PICTURES[[0, 0]], [0, 1])], r"number 0 \(cat\) = number 1 \(dog\)"),
    "nan in pictures": ([(np.where(PICTURES == 7, np.nan, PICTURES), LABELS)], "NaN"),
}


@pytest.mark.parametrize(("data", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_pair_of_pictures_and_labels_is_refused(data, message):
    """Each fault is an error that says where, and what to do."""
    with pytest.raises(PanelError, match=message):
        Panel.from_dataset(data, class_names=CLASSES)


def test_a_dataset_without_an_end_is_refused(monkeypatch):
    """What repeats for ever is stopped at the bound of a panel."""
    monkeypatch.setattr("modelcheck.panel.batches.MAX_GIB", 1e-6)
    with pytest.raises(PanelError, match=r"without .repeat\(\)"):
        Panel.from_dataset(itertools.repeat((PICTURES, LABELS)), class_names=CLASSES)


def test_numbers_in_an_array_of_objects_stay_positions():
    """Classes that are called by numbers are not taken for positions, nor positions for their names."""
    element = (np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1), np.array([0, 1], dtype=object))
    assert Panel.from_dataset([element], class_names=["1", "0"]).labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    "labels",
    [np.array([np.inf, 0]), np.array([1e30, 0]), np.array([2**64 - 1, 0], np.uint64), np.array([b"\xff", b"0"]),
     np.array([None, "1"], dtype=object), np.array(["1", 0], dtype=object)],
    ids=["infinity", "huge", "unsigned", "no text", "none", "mixed"],
)  # fmt: skip
def test_labels_that_are_none_are_refused(labels):
    """Neither a warning nor a label of another class comes of them."""
    element = (np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1), labels)
    with pytest.raises(PanelError, match="label"):
        Panel.from_dataset([element], class_names=["1", "0"])


def test_words_and_numbers_in_turn_are_refused():
    """A position after names is not taken for a name."""
    pictures = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    elements = [(pictures, np.array(["1", "0"])), (pictures + 9, np.array([0, 1]))]
    with pytest.raises(PanelError, match="words and numbers"):
        Panel.from_dataset(elements, class_names=["1", "0"])
