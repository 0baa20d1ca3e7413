"""What takes answers alone: the same of a network that can be looked into and of the file that was made of it."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import networks
import shipped
from modelcheck.answers.condensing import fingerprint_kernels, pool_to_grid
from modelcheck.answers.exchanges import check_shown_exchanges, measure_exchanges
from modelcheck.answers.feeding import feed_otherwise
from modelcheck.answers.flipping import compute_flipping_curves
from modelcheck.answers.maps import score_views
from modelcheck.answers.occlusion import choose_window, occlude
from modelcheck.answers.panel import answer_panel, describe_pictures
from modelcheck.answers.probes import choose_probe_rows, choose_shown_pictures
from modelcheck.answers.rise import see_through_masks
from modelcheck.answers.stickers import measure_panel_shifts
from modelcheck.attributions import attribute
from modelcheck.interface import Interface
from modelcheck.measurement.fitting import fit_network
from modelcheck.metrics.exchanges import choose_stimuli
from modelcheck.network import KerasClassifier, flatten
from modelcheck.recipe import Recipe
from modelcheck.runtimes import NetworkError
from signatures import make_panel

# Keras 3.15 saves arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SHAPE = (12, 10, 1)
HEADS = {"softmax": (2, "softmax"), "sigmoid": (1, "sigmoid"), "three": (3, "softmax")}
NAMES = ("left", "straight", "right")
RECIPE = Recipe(sticker_faces=4)


@functools.cache
def make_model(head):
    """A small network with weights large enough that its answers differ from picture to picture."""
    classes, activation = HEADS[head]
    model = networks.plain(SHAPE, classes, activation=activation)
    model.set_weights([3 * weight for weight in model.get_weights()])
    return model


@functools.cache
def panel_of(head):
    return make_panel(size=SHAPE[:2], class_names=NAMES[: max(HEADS[head][0], 2)], per_subject=12)


@functools.cache
def ask_keras(head):
    return KerasClassifier(fit_network(make_model(head), panel_of(head), Interface(), recipe=RECIPE))


@functools.cache
def ask_file(head):
    pytest.importorskip("ai_edge_litert", reason="LiteRT is an extra: pip install modelcheck[litert]")
    return shipped.open_file(shipped.convert(make_model(head)), panel_of(head))


def pictures_of(head):
    return panel_of(head).inputs((0.0, 1.0))


# A network that is asked for answers alone


@pytest.mark.slow
@pytest.mark.parametrize("name", networks.ZOO)
def test_a_keras_network_answers_with_its_class_scores(name):
    """Any number of pictures, none included, is answered as the network answers them one by one."""
    network = flatten(networks.ZOO[name]())
    classifier = KerasClassifier(network)
    images = np.random.default_rng(0).random((9, *network.input_shape), dtype=np.float32)
    own = np.concatenate([network.class_scores(images[row : row + 1]).numpy() for row in range(9)])
    np.testing.assert_allclose(classifier.class_scores(images), own, rtol=1e-5, atol=1e-5)
    assert classifier.class_scores(images[:0]).shape == (0, network.n_classes)
    assert classifier.input_shape == network.input_shape


def test_no_answer_is_refused():
    """A score that is NaN or infinite on one picture ends a measurement before anything else is asked."""
    model = networks.plain(SHAPE)
    model.get_layer("decision").bias.assign([np.inf, 0.0])
    with pytest.raises(NetworkError, match="answers NaN or infinity on 5 of 5 pictures"):
        answer_panel(KerasClassifier(flatten(model)), np.zeros((5, *SHAPE), np.float32))


# Occlusion


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("window", [(4, 1), (3, 2), (5, 4)])
def test_occlusion_is_that_of_networks_that_can_be_looked_into(head, window):
    """Hiding windows and asking gives what `attribute` computes from the parts that change."""
    size, stride = window
    images, labels = pictures_of(head)[:8], panel_of(head).labels[:8]
    reference = pictures_of(head).mean(axis=0)
    ours = occlude(ask_keras(head), images, labels, window=size, stride=stride, reference=reference)
    theirs = attribute(
        make_model(head), images, labels, method="occlusion", window=size, stride=stride, reference=reference
    )
    np.testing.assert_allclose(ours, theirs[..., 0], atol=1e-5)
    assert np.abs(ours).max() > 0.1  # they agree on something


def test_occlusion_of_the_other_class_differs():
    """The oracle sees which class is watched."""
    images, labels = pictures_of("three")[:4], panel_of("three").labels[:4]
    told = {"window": 4, "stride": 2, "reference": np.zeros(SHAPE)}
    own = occlude(ask_keras("three"), images, labels, **told)
    assert np.abs(own - occlude(ask_keras("three"), images, (labels + 1) % 3, **told)).max() > 0.1


@given(st.integers(1, 400))
def test_a_window_is_a_fifth_of_a_picture_and_moves_by_a_third(height):
    """It fits into any picture, and its steps leave no pixel of it out."""
    window, stride = choose_window(height)
    assert 1 <= stride <= window <= height
    assert abs(window - height / 5) <= max(0.5, 1 - height / 5)


# Random masks


@pytest.mark.parametrize("head", HEADS)
def test_random_masks_show_what_they_show_of_networks_that_can_be_looked_into(head):
    """The same masks, and the same means of the score; another seed gives another map."""
    images, labels = pictures_of(head)[:3], panel_of(head).labels[:3]
    ours = see_through_masks(ask_keras(head), images, labels, samples=300, seed=3)
    theirs = attribute(make_model(head), images, labels, method="rise", samples=300, seed=3)
    np.testing.assert_allclose(ours, theirs[..., 0], atol=1e-4)
    assert np.abs(ours).max() > 0.01
    assert np.abs(ours - see_through_masks(ask_keras(head), images, labels, samples=300, seed=4)).max() > 1e-3


def test_as_many_masks_are_drawn_as_networks_that_can_be_looked_into_get():
    """A recipe names the method alone: what it is told by default must be one thing on both ways."""
    images, labels = pictures_of("three")[:1], panel_of("three").labels[:1]
    theirs = attribute(make_model("three"), images, labels, method="rise")
    np.testing.assert_allclose(see_through_masks(ask_keras("three"), images, labels), theirs[..., 0], atol=1e-4)


# Condensing


@given(st.integers(1, 9), st.integers(1, 9))
def test_a_grid_holds_the_means_of_its_cells(height, width):
    """At most four cells along an axis, each the mean of its pixels; every pixel is in one."""
    values = np.random.default_rng(height * 10 + width).random((3, height, width, 2))
    found = pool_to_grid(values)
    rows, columns = min(4, height), min(4, width)
    assert found.shape == (3, rows * columns, 2)
    heights = [len(part) for part in np.array_split(np.arange(height), rows)]
    widths = [len(part) for part in np.array_split(np.arange(width), columns)]
    areas = np.outer(heights, widths).ravel()
    np.testing.assert_allclose((found * areas[:, None]).sum(axis=1), values.sum(axis=(1, 2)))
    np.testing.assert_allclose(found[:, 0], values[:, : heights[0], : widths[0]].mean(axis=(1, 2)))


def test_what_has_no_places_is_one_cell():
    """Neurons are kept as they are."""
    values = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(pool_to_grid(values)[:, 0], values)


def test_a_fingerprint_is_of_kernels_and_knows_no_scale():
    """Biases are left out, a kernel's scale is too, and its sign is not."""
    weights = [np.random.default_rng(0).standard_normal((3, 3, 1, 80)), np.ones(80), np.arange(6.0).reshape(2, 3)]
    own = fingerprint_kernels(weights)
    assert list(own) == ["0:3x3x1x80", "1:2x3"]
    assert len(own["0:3x3x1x80"]) == 512
    for name, values in fingerprint_kernels([7 * weight for weight in weights]).items():
        np.testing.assert_allclose(values, own[name])
    turned = fingerprint_kernels([-weight for weight in weights])
    np.testing.assert_allclose(turned["1:2x3"], -own["1:2x3"])


# Another's maps


def test_a_map_that_is_not_there_has_no_scores():
    """NaN stands for it, and the others of its view are answered as they are alone."""
    views = {"free": pictures_of("three")[:3].copy(), "natural": np.full((3, *SHAPE), np.nan, np.float32)}
    views["free"][1, 0, 0] = np.nan
    scores = score_views(ask_keras("three"), views)
    assert np.isnan(scores["natural"]).all()
    assert np.isnan(scores["free"][1]).all()
    np.testing.assert_array_equal(scores["free"][[0, 2]], ask_keras("three").class_scores(views["free"][[0, 2]]))


# The file that was made of a network


@pytest.fixture(params=HEADS)
def both(request):
    """A network asked as Keras, the same one as a float32 file, its panel, and its own scores."""
    head = request.param
    keras_asked, file = ask_keras(head), ask_file(head)
    return keras_asked, file, panel_of(head), keras_asked.class_scores(pictures_of(head))


def compare_parts(one, other, *, atol=1e-3):
    """Hold two dictionaries of arrays against each other; what is NaN must be so in both."""
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(other[name], one[name], atol=atol, err_msg=name)


def test_a_file_answers_the_panel_alike(both):
    """Scores before the last activation, one column for each class."""
    asked, file, panel, scores = both
    np.testing.assert_allclose(answer_panel(file, panel.inputs((0.0, 1.0))), scores, atol=1e-3)
    assert (file.n_classes, file.input_shape) == (asked.n_classes, asked.input_shape)
    assert len(set(scores.argmax(axis=1))) > 1


def test_a_file_answers_exchanged_pictures_alike(both):
    """Cells of other pictures, and mixtures of two: falls, margins, leads and mosaics; half floats apart."""
    asked, file, panel, scores = both
    stimuli = choose_stimuli(panel.labels, panel.independent, size=SHAPE[:2], pictures=12, mosaics=20, seed=0)
    images = panel.inputs((0.0, 1.0))
    found = [measure_exchanges(each, images, panel.labels, scores=scores, stimuli=stimuli) for each in (asked, file)]
    for part in found:  # which of two equal scores is larger is decided by rounding
        for name in [name for name in part if name.endswith("/answers")]:
            part.pop(name)
    compare_parts(*found, atol=2e-2)
    check_shown_exchanges(file, images, stimuli)


def test_a_file_answers_stickers_alike(both):
    """The shifts of every sticker at every place, in units of the network's own gap."""
    asked, file, panel, scores = both
    compare_parts(*(measure_panel_shifts(each, panel, scores, recipe=RECIPE) for each in (asked, file)))


def test_a_file_is_occluded_and_flipped_alike(both):
    """Maps of occlusion, and margins while the pixels that they rank first are replaced."""
    asked, file, panel, _ = both
    images, probes = panel.inputs((0.0, 1.0)), choose_probe_rows(panel, 8)
    window, stride = choose_window(SHAPE[0])
    maps = {}
    for each in (asked, file):
        maps[each] = occlude(
            each, images[probes], panel.labels[probes], window=window, stride=stride, reference=images.mean(axis=0)
        )
    np.testing.assert_allclose(maps[file], maps[asked], atol=1e-3)
    curves = [
        compute_flipping_curves(
            each, images, labels=panel.labels, probes=probes, relevance={"map": maps[asked][..., None]}, seed=0
        )
        for each in (asked, file)
    ]
    compare_parts(*curves)


def test_a_file_is_fed_otherwise_alike(both):
    """What it answers to pictures that are preprocessed in other ways."""
    asked, file, panel, scores = both
    found = [feed_otherwise(each, panel, None, recipe=RECIPE, scores=scores) for each in (asked, file)]
    assert set(found[0]) > {"rows"}
    compare_parts(*found)


def test_a_file_is_shown_maps_alike(both):
    """Another network's maps, some of which are not there."""
    asked, file, panel, _ = both
    views = {"free": panel.inputs((0.0, 1.0))[:3].copy()}
    views["free"][0] = np.nan
    compare_parts(*(score_views(each, views) for each in (asked, file)))


def test_other_weights_answer_otherwise():
    """The oracle of this file: of another network hardly anything is alike."""
    other = networks.plain(SHAPE, 3, seed=1)
    file, panel = ask_file("three"), panel_of("three")
    scores = KerasClassifier(flatten(other)).class_scores(panel.inputs((0.0, 1.0)))
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(answer_panel(file, panel.inputs((0.0, 1.0))), scores, atol=1e-3)


# Which pictures


def test_shown_pictures_are_the_panels_and_some_between():
    """A cast to whole numbers shows on pictures between two of them."""
    panel = panel_of("three")
    shown = choose_shown_pictures(panel, RECIPE)
    np.testing.assert_array_equal(shown[: len(panel)], panel.inputs((0.0, 1.0)))
    assert len(panel) < len(shown) <= len(panel) + 32
    assert (np.abs(shown[len(panel) :] * 255 - np.rint(shown[len(panel) :] * 255)) > 0.1).any()


def test_subjects_of_one_picture_each_are_not_kept():
    """They say no more than the pictures do."""
    kept = describe_pictures(panel_of("three"))
    assert {"labels", "subjects"} <= kept.keys()
    alone = make_panel(subjects=[f"p{k}" for k in range(12)], per_subject=1)
    assert "subjects" not in describe_pictures(alone)


def test_what_is_asked_needs_no_gradients():
    """A classifier that is a plain object of numpy answers every function of the room."""

    class Mean:
        """Lighter pictures are of the second class."""

        name, input_shape, n_classes, plain = "mean", SHAPE, 2, True

        def class_scores(self, images, *, checked=None):
            assert checked is None or np.isfinite(images[checked]).all()
            bright = images.mean(axis=(1, 2, 3))
            return np.stack([np.zeros_like(bright), 40 * (bright - 0.4)], axis=1).astype(np.float32)

        def without_preprocessing(self):
            return self

    panel = panel_of("softmax")
    asked, images = Mean(), panel.inputs((0.0, 1.0))
    scores = answer_panel(asked, images)
    hidden = occlude(asked, images[:2], np.array([1, 1]), window=12, stride=12, reference=np.full(SHAPE, 0.4))
    for picture, own in zip(hidden, scores, strict=False):  # one window hides all: the fall is the whole score
        np.testing.assert_allclose(picture, own[1], atol=1e-4)
    assert measure_panel_shifts(asked, panel, scores, recipe=RECIPE)
