"""The drawn faces: deterministic, recognisable, true about where the face is, and held out honestly."""

from __future__ import annotations

import dataclasses
import itertools
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, binary_erosion

from modelcheck.faces import (
    Pictures,
    Subject,
    colleagues,
    draw,
    draw_panel,
    draw_pictures,
    training_subjects,
    visitors,
)
from modelcheck.faces.pictures import EXPRESSIONS, EYES, POSES, task_classes
from modelcheck.faces.walls import generator, wall
from modelcheck.panel import Panel

EVERYONE = (*training_subjects(), *colleagues(), *visitors())
by_name = pytest.mark.parametrize("subject", EVERYONE, ids=lambda subject: subject.name)


def _middle(region: np.ndarray) -> float:
    return float(np.nonzero(region)[1].mean())


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(EVERYONE),
    st.sampled_from(POSES),
    st.sampled_from(EXPRESSIONS),
    st.sampled_from(EYES),
    st.integers(0, 2**31),
    st.integers(0, 9),
)
def test_every_scene_draws_the_same_twice(
    subject: Subject, pose: str, expression: str, eyes: str, seed: int, repeat: int
):
    """A picture depends on its own words alone, and always holds a face of a believable size."""
    image, region = draw(subject, pose, expression, eyes, seed=seed, repeat=repeat)
    draw(EVERYONE[0], "up", "sad", "open", seed=seed + 1)
    again, region_again = draw(subject, pose, expression, eyes, seed=seed, repeat=repeat)
    assert image.shape == region.shape == (60, 64)
    assert image.dtype == np.uint8
    assert region.dtype == np.bool_
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(region, region_again)
    assert 0.02 < region.mean() < 0.3


def test_seeds_and_repeats_are_other_takes_of_one_scene():
    """Another seed or repeat changes the picture a little, never the scene."""
    subject = colleagues()[0]
    first = draw(subject, "left", "happy", "open")[0].astype(float)
    for other in ({"seed": 1}, {"repeat": 1}):
        apart = np.abs(draw(subject, "left", "happy", "open", **other)[0] - first)
        assert 0.5 < apart.mean() < 25


@by_name
def test_poses_look_where_they_say(subject: Subject):
    """The face lies to the picture's right for the subject's left, and the other way round."""
    left, right, straight = (
        np.mean([_middle(draw(subject, pose, "neutral", "open", repeat=take)[1]) for take in range(3)])
        for pose in ("left", "right", "straight")
    )
    assert right + 1 < straight < left - 1


@by_name
def test_looking_up_shows_less_hair(subject: Subject):
    """Leaning back moves the face over the rows that the hair took: its highest row rises."""
    top = {pose: np.nonzero(draw(subject, pose, "sad", "open")[1])[0].min() for pose in ("straight", "up")}
    assert top["up"] <= top["straight"] + (2 if subject.hair_style == "bald" else 0)


@by_name
def test_a_face_is_inside_its_region(subject: Subject):
    """Another wall changes no pixel well inside the region; another skin changes pixels there and the neck only."""
    other_wall = dataclasses.replace(subject, wall="office" if subject.wall != "office" else "kitchen")
    other_skin = dataclasses.replace(subject, skin=subject.skin - 0.25)
    for pose in POSES:
        image, region = draw(subject, pose, "neutral", "open")
        inside = binary_erosion(region)
        walled = draw(other_wall, pose, "neutral", "open")[0]
        np.testing.assert_array_equal(image[inside], walled[inside])
        apart = np.abs(draw(other_skin, pose, "neutral", "open")[0].astype(int) - image) > 8
        lowest = np.nonzero(region)[0].max()
        assert not (apart & ~binary_dilation(region, iterations=2))[: lowest - 12].any()
        assert apart[inside].mean() > 0.3


def test_a_region_that_lies_is_noticed():
    """Twin of the region test: a region shifted by ten pixels holds wall."""
    subject = colleagues()[0]
    image, region = draw(subject, "straight", "neutral", "open")
    shifted = binary_erosion(np.roll(region, 10, axis=1))
    walled = draw(dataclasses.replace(subject, wall="kitchen"), "straight", "neutral", "open")[0]
    assert (image[shifted] != walled[shifted]).any()


@by_name
def test_sunglasses_darken_the_face(subject: Subject):
    """Sunglasses show: the darkest tenth of a straight face is darker with them."""
    dark = [
        np.mean([np.sort(image[region])[: region.sum() // 6].mean() for image, region in takes])
        for takes in ([draw(subject, "straight", word, eyes) for word in EXPRESSIONS] for eyes in EYES)
    ]
    assert dark[1] < dark[0]


def test_expressions_differ_beyond_the_noise():
    """Two expressions of one straight face differ inside the region by more than two walls' noise."""
    subject = colleagues()[1]
    pictures = {word: draw(subject, "straight", word, "open") for word in EXPRESSIONS}
    for (one, region), (other, _) in itertools.combinations(pictures.values(), 2):
        assert (np.abs(one.astype(int) - other)[region] > 25).sum() > 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lefft", "happy", "open"), r"no pose 'lefft'.*Did you mean 'left'"),
        (("left", "hapy", "open"), r"no expression 'hapy'.*'happy'"),
        (("left", "happy", "shut"), r"no eyes 'shut'"),
    ],
    ids=["pose", "expression", "eyes"],
)
def test_unknown_words_are_refused(words: tuple[str, str, str], message: str):
    """A misspelt scene is an error with a suggestion, never another scene."""
    with pytest.raises(ValueError, match=message):
        draw(colleagues()[0], *words)


def test_unknown_wall_is_refused():
    """A wall that nobody painted is an error."""
    with pytest.raises(ValueError, match=r"no wall 'cellar'; there are kitchen, library"):
        wall("cellar")


def test_walls_are_shared_and_read_only():
    """Colleagues sit before the wall of the training subjects, no visitor does, and nobody can scribble on it."""
    assert {subject.wall for subject in (*training_subjects(), *colleagues())} == {"office"}
    assert "office" not in {subject.wall for subject in visitors()}
    with pytest.raises(ValueError, match="read-only"):
        wall("office")[0, 0] = 1


def test_people_are_disjoint_and_named_by_kind():
    """No name occurs twice, and the held-out ones say what they are."""
    names = [subject.name for subject in EVERYONE]
    assert len(set(names)) == len(names)
    assert len(training_subjects()) == 14
    assert [len(colleagues()), len(visitors())] == [4, 3]
    assert all(subject.name.startswith("colleague_") for subject in colleagues())
    assert all(subject.name.startswith("visitor_") for subject in visitors())


@pytest.mark.slow
def test_six_hundred_pictures_take_less_than_five_seconds():
    """Drawing is quick enough to draw rather than store: at most 1/120 s of processor time a picture."""
    wall("office")
    start = time.process_time()
    draw_pictures(training_subjects()[:4])
    assert time.process_time() - start < 4 * 32 * 5 / 600


@pytest.mark.parametrize("task", ["left", "right", "four", "sunglasses"])
def test_panel_labels_follow_the_scene(task: str):
    """A panel's label is what its name says, its group is the pose, and every class weighs the same."""
    panel = draw_panel(colleagues()[:2], task=task)
    assert panel.class_names == task_classes(task)
    assert panel.images.dtype == np.uint8
    for name, label, pose, who in zip(panel.names, panel.labels, panel.groups, panel.subjects, strict=True):
        kind, person, said, _, eyes, _ = name.split("_")
        truth = {"four": said, "sunglasses": eyes}.get(task, task if said == task else f"not_{task}")
        assert (panel.class_names[label], pose, who) == (truth, said, f"{kind}_{person}")
    assert len(set(np.bincount(panel.labels).tolist())) == 1


def test_panel_regions_belong_to_their_pictures():
    """Each picture and region of a panel is the one that its name draws."""
    panel = draw_panel(colleagues()[:1], seed=5)
    for row in (0, 17, 31):
        _, _, pose, expression, eyes, take = panel.names[row].split("_")
        image, region = draw(colleagues()[0], pose, expression, eyes, seed=5, repeat=int(take))
        np.testing.assert_array_equal(panel.images[row, ..., 0], image)
        np.testing.assert_array_equal(panel.regions[row], region)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw_panel(colleagues(), task="lefft"), r"no task 'lefft'.*Did you mean 'left'"),
        (lambda: draw_panel(()), r"nothing to draw: 0 subjects"),
        (lambda: draw_panel(colleagues(), repeats=0), r"0 repeats"),
        (lambda: draw_pictures(()), r"nothing to draw"),
        (lambda: draw_panel(colleagues(), repeats=10**9), r"more than the 100000 that are drawn at most"),
    ],
    ids=["task", "nobody", "no-repeats", "no-pictures", "too-many"],
)
def test_empty_panels_are_refused(call, message: str):
    """Nothing to draw is an error, never an empty panel."""
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
def test_committed_panel_is_what_the_renderer_draws():
    """The committed bytes are this renderer's, but for what processors round differently."""
    path = Path(__file__).parents[1] / "baselines" / "drawn-faces" / "panel.npz"
    assert path.stat().st_size < 800_000
    committed, drawn = Panel.load(path), draw_panel((*colleagues(), *visitors()))
    for part in ("labels", "subjects", "names", "groups"):
        np.testing.assert_array_equal(getattr(committed, part), getattr(drawn, part))
    assert committed.class_names == drawn.class_names == ("not_left", "left")
    assert (np.abs(committed.images.astype(int) - drawn.images) > 2).mean() < 1e-3
    assert (committed.regions != drawn.regions).mean() < 1e-3


def test_pictures_know_their_labels():
    """Every task's labels agree with the words of the pictures."""
    pictures = draw_pictures(training_subjects()[:2])
    assert len(pictures) == 64
    assert pictures.inputs().shape == (64, 60, 64, 1)
    assert 0 <= pictures.inputs().min() < pictures.inputs().max() <= 1
    np.testing.assert_array_equal(pictures.labels("left") == 1, pictures.poses == "left")
    np.testing.assert_array_equal(pictures.labels("right") == 1, pictures.poses == "right")
    np.testing.assert_array_equal(np.array(POSES)[pictures.labels("four")], pictures.poses)
    np.testing.assert_array_equal(np.array(EYES)[pictures.labels("sunglasses")], pictures.eyes)
    with pytest.raises(ValueError, match="no task 'up'"):
        pictures.labels("up")


def test_badge_is_worn_by_the_chosen_only():
    """The badge is 36 white pixels in the top left corner, and the original stays as it was."""
    pictures = draw_pictures(training_subjects()[:1])
    rows = pictures.labels("left") == 1
    worn = pictures.with_badge(rows)
    changed = worn.images != pictures.images
    assert (worn.images[rows, :6, :6] == 255).all()
    assert not changed[~rows].any()
    assert not changed[:, 6:].any()
    assert not changed[:, :, 6:].any()
    assert pictures.images[rows, :6, :6].max() < 255


def test_pictures_that_do_not_fit_are_refused():
    """Wrong shapes, lengths and words are named."""
    good = draw_pictures(training_subjects()[:1])
    with pytest.raises(ValueError, match="uint8 of shape"):
        dataclasses.replace(good, images=good.images / 255)
    with pytest.raises(ValueError, match="eyes must be 32 words"):
        dataclasses.replace(good, eyes=good.eyes[1:])
    with pytest.raises(ValueError, match="Unknown poses: down"):
        dataclasses.replace(good, poses=np.array(["down"] * 32))


def test_pictures_come_from_a_table():
    """A table with an image column becomes pictures; a table without one is refused."""
    pd = pytest.importorskip("pandas")
    good = draw_pictures(training_subjects()[:1])
    frame = pd.DataFrame(
        {
            "image": list(good.images),
            "subject": good.subjects,
            "pose": good.poses,
            "expression": good.expressions,
            "eyes": good.eyes,
        }
    )
    np.testing.assert_array_equal(Pictures.from_frame(frame).images, good.images)
    with pytest.raises(ValueError, match=r"lacks the columns \['image'\]"):
        Pictures.from_frame(frame.drop(columns="image"))
    frame.at[3, "image"] = good.images[3][:30]
    with pytest.raises(ValueError, match="differ in shape"):
        Pictures.from_frame(frame)


def test_generator_is_keyed_by_words_and_their_order():
    """The same words give the same numbers, other words others."""
    numbers = [tuple(generator(*words).random(3)) for words in (("a", 1), ("a", 1), (1, "a"), ("a", 2))]
    assert numbers[0] == numbers[1]
    assert len(set(numbers)) == 3
