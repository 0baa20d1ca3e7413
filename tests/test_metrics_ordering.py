"""An order of the outputs is named where a good network has another one, and for no network that is only weak."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.metrics.accuracy import balanced_accuracy
from modelcheck.metrics.ordering import find_better_order, split_in_halves
from modelcheck.metrics.separation import find_best_order, is_surely_better

few = settings(max_examples=40, deadline=None)


def draw(labels, generator, *, classes, accuracy):
    """Return scores that are right so often, and otherwise name any other class."""
    right = generator.random(len(labels)) < accuracy
    answers = np.where(right, labels, (labels + generator.integers(1, classes, len(labels))) % classes)
    return np.eye(classes)[answers]


def propose_on_the_same(scores, labels):
    """Say whether the best order is surely better on the very pictures that it was chosen on."""
    now = balanced_accuracy(labels, scores.argmax(axis=1), confidence=0.99)
    return is_surely_better(find_best_order(scores, labels).rate, now)


@pytest.mark.slow
@few
@given(st.data())
def test_every_order_of_a_good_network_is_found(data):
    """Whatever the permutation of its outputs: the order that undoes it, and what it answers then."""
    classes = data.draw(st.integers(2, 8))
    order = np.array(data.draw(st.permutations(range(classes))))
    labels = np.arange(16 * classes) % classes
    scores = draw(labels, np.random.default_rng(data.draw(st.integers(0, 99))), classes=classes, accuracy=0.97)
    found = find_better_order(scores[:, order], labels)
    if (order == np.arange(classes)).all():
        assert found is None
        return
    assert found.order == tuple(order)
    assert found.rate == balanced_accuracy(labels, scores.argmax(axis=1), confidence=0.99)
    assert found.now == balanced_accuracy(labels, scores[:, order].argmax(axis=1), confidence=0.99)


@few
@given(st.data())
def test_no_subject_is_in_both_halves(data):
    """And without subjects no class has more than one picture more in one half than in the other."""
    labels = np.array(data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=40)))
    subjects = np.array(data.draw(st.lists(st.sampled_from("abcdefg"), min_size=len(labels), max_size=len(labels))))
    first = split_in_halves(labels, subjects)
    assert not set(subjects[first]) & set(subjects[~first])
    alone = split_in_halves(labels)
    for label in range(4):
        assert abs((alone & (labels == label)).sum() - (~alone & (labels == label)).sum()) <= 1


def test_subjects_with_pictures_of_each_class_are_shared_out_evenly():
    """Eight people of two classes each: four in each half, and both classes."""
    labels, subjects = np.arange(64) % 2, np.arange(64) // 8
    first = split_in_halves(labels, subjects)
    assert first.sum() == 32
    assert labels[first].sum() == 16


def test_an_order_that_holds_for_one_subject_alone_is_none():
    """What one person's many pictures say is not tested on the same person: nothing is named."""
    labels = np.arange(120) % 3
    subjects = np.where(np.arange(120) < 90, "ada", np.where(np.arange(120) < 105, "ben", "eve"))
    answers = np.where(subjects == "ada", (labels + 1) % 3, labels)
    scores = np.eye(3)[answers]
    assert find_better_order(scores, labels, subjects=subjects) is None
    assert find_better_order(np.eye(3)[(labels + 1) % 3], labels, subjects=subjects) is not None


@pytest.mark.parametrize(("classes", "pictures"), [(2, 40), (2, 224), (3, 80), (10, 40), (10, 224)])
@pytest.mark.parametrize("accuracy", [0.3, 0.4, 0.5, 0.6, "shuffled"])
def test_a_weak_network_is_not_said_to_have_another_order(classes, pictures, accuracy):
    """In none of 60 seeded draws: 0.3 of two classes is the opposite of a weak rule, and shuffled labels are chance."""
    generator = np.random.default_rng(0)
    labels = np.arange(pictures) % classes
    for _ in range(60):
        told = generator.permutation(labels) if accuracy == "shuffled" else labels
        share = 0.95 if accuracy == "shuffled" else accuracy
        assert find_better_order(draw(told, generator, classes=classes, accuracy=share), labels) is None


@pytest.mark.slow
def test_the_best_order_on_the_same_pictures_would_cry_wolf():
    """On the draws above the order that is only chosen, and not tested, is proposed for many a weak network."""
    generator, labels = np.random.default_rng(0), np.arange(224) % 2
    assert all(propose_on_the_same(draw(labels, generator, classes=2, accuracy=0.3), labels) for _ in range(20))
    ten = np.arange(40) % 10
    chance = [propose_on_the_same(draw(ten, generator, classes=10, accuracy=0.1), ten) for _ in range(60)]
    assert sum(chance) > 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "pictures", "least"), [(2, 40, 45), (2, 80, 58), (3, 40, 57), (10, 40, 58), (10, 224, 60)]
)
def test_a_good_network_in_another_order_is_found(classes, pictures, least):
    """In at least so many of 60 seeded draws of a network that is right on 0.97 and moves every class."""
    generator = np.random.default_rng(1)
    labels, turn = np.arange(pictures) % classes, np.roll(np.arange(classes), 1)
    found = [
        find_better_order(draw(labels, generator, classes=classes, accuracy=0.97)[:, turn], labels) for _ in range(60)
    ]
    assert sum(one is not None and one.order == tuple(turn) for one in found) >= least


def test_two_of_ten_exchanged_are_found_on_eighty_pictures():
    """The eight classes that stay where they are do not hide the two that move."""
    labels, two = np.arange(80) % 10, np.array([1, 0, *range(2, 10)])
    assert find_better_order(np.eye(10)[labels][:, two], labels).order == tuple(two)


def test_two_classes_that_are_taken_for_each_other_are_no_order():
    """A good network that guesses between two of its ten classes: exchanged they are as bad."""
    generator, labels = np.random.default_rng(2), np.arange(224) % 10
    for _ in range(60):
        answers = np.where(labels < 2, generator.integers(0, 2, 224), labels)
        assert find_better_order(np.eye(10)[answers], labels) is None


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_answer_has_no_order(wrong):
    """NaN wins every argmax; no pictures at all say nothing."""
    labels = np.arange(40) % 2
    scores = np.eye(2)[1 - labels]
    scores[3] = wrong
    assert find_better_order(scores, labels) is None
    assert find_better_order(np.empty((0, 2)), np.empty(0, int)) is None


def test_a_class_without_pictures_is_no_hindrance():
    """Two of three classes are exchanged, and nothing is known of the third, which stays."""
    labels = np.arange(60) % 2
    assert find_better_order(np.eye(3)[1 - labels], labels).order == (1, 0, 2)
