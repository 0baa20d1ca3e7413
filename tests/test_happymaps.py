"""HappyMaps: closed forms where there are any, the same map in any company, and no map where there is none."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from modelcheck.happymaps import ascend, margins, natural_pictures, render_happy_maps
from modelcheck.happymaps.climbing import trace_climb
from modelcheck.metrics.similarity import find_moved_pixels
from modelcheck.network import NetworkError, flatten
from modelcheck.recipe import Recipe
from networks import nested, plain, residual

BARE = Recipe(pull=0, blur=0, copies=1, shift=0, jitter=0, start_noise=0, steps=80)
QUICK = Recipe(steps=8, copies=3)


def dense_network(weights, shape):
    """Return one hidden dense layer of given weights, then a decision."""
    model = keras.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(weights.shape[1], name="units")])
    model.add(layers.Dense(2, name="decision"))
    model.get_layer("units").set_weights([weights, np.zeros(weights.shape[1])])
    return model


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)]))
def test_a_linear_unit_wants_exactly_its_positive_weights(seed, box):
    """In a box, a linear unit is happiest with the highest value where its weight is positive, the lowest elsewhere."""
    weights = np.random.default_rng(seed).choice([-1.0, 1.0], (20, 3)) * np.random.default_rng(seed).uniform(
        0.5, 1, (20, 3)
    )
    recipe = Recipe(**{**BARE.to_dict(), "input_range": box})
    outcome = render_happy_maps(dense_network(weights, (5, 4, 1)), "units", recipe=recipe)
    expected = np.where(weights.T.reshape(3, 5, 4, 1) > 0, box[1], box[0])
    np.testing.assert_allclose(outcome.maps, expected, atol=1e-3 * (box[1] - box[0]))
    best = np.where(weights > 0, weights * box[1], weights * box[0]).sum(axis=0)
    np.testing.assert_allclose(outcome.activations, best, rtol=1e-3)


@pytest.mark.slow
def test_what_a_network_crops_away_is_moved_by_no_ascent():
    """Two networks that see the lower half: above it, but for the reach of the shifts, nothing counts as likeness."""
    maps = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        parts = [layers.Cropping2D(((16, 0), (0, 0))), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2, name="d")]
        model = keras.Sequential([layers.Input((32, 12, 1)), *parts])
        maps.append(render_happy_maps(model, "d", recipe=replace(QUICK, start_noise=0.05)).maps)
    moved = find_moved_pixels(*maps, input_range=(0.0, 1.0))
    assert not moved[:10].any()
    assert moved[16:].mean() > 0.9


def test_a_quadratic_unit_finds_its_optimum():
    """A unit -(x - t)^2, built from layers, is happiest at its target t inside the box."""
    target = np.random.default_rng(0).uniform(0.2, 0.8, (4, 4, 1)).astype(np.float32)
    start = layers.Input((4, 4, 1))
    shifted = layers.Rescaling(1.0, offset=-target, name="shift")(start)
    squared = layers.Multiply(name="square")([shifted, shifted])
    units = layers.Dense(1, name="units")(layers.Flatten()(squared))
    model = keras.Model(start, layers.Dense(2, name="decision")(units))
    model.get_layer("units").set_weights([-np.ones((16, 1)), np.zeros(1)])
    recipe = Recipe(**{**BARE.to_dict(), "steps": 300, "step_size": 0.02})
    outcome = render_happy_maps(model, "units", recipe=recipe)
    np.testing.assert_allclose(outcome.maps[0], target, atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("make", [plain, residual, nested], ids=["plain", "residual", "nested"])
def test_a_unit_has_the_same_map_alone_and_in_company(make):
    """Batch, order and repetition do not matter: the map of a unit depends on the unit alone."""
    network = flatten(make())
    for layer in network.unit_layers():
        together = ascend(network, layer, recipe=QUICK)
        alone = ascend(network, layer, recipe=QUICK, units=together.units[::-1][:1])
        np.testing.assert_allclose(alone.maps[0], together.maps[-1], atol=2e-3)
        assert together.maps.dtype == np.float32
        assert (np.isnan(together.maps) | ((together.maps >= 0) & (together.maps <= 1))).all()


def test_small_batches_change_nothing(monkeypatch):
    """The memory bound splits the work, never the result, whatever is left for the last batch."""
    network = flatten(plain())
    layer = network.unit_layers()[1]
    whole = ascend(network, layer, recipe=QUICK)
    monkeypatch.setattr("modelcheck.happymaps.answers.MAX_BATCH_BYTES", 1)
    np.testing.assert_allclose(ascend(network, layer, recipe=QUICK).maps, whole.maps, atol=2e-3)


@pytest.mark.slow
def test_permuting_channels_permutes_maps():
    """A network with its filters in another order has the same maps in that order."""
    model, other = plain(seed=3), plain(seed=3)
    order = np.array([2, 0, 3, 1])
    kernel, bias = model.get_layer("conv1").get_weights()
    other.get_layer("conv1").set_weights([kernel[..., order], bias[order]])
    after = other.get_layer("conv2").get_weights()
    other.get_layer("conv2").set_weights([after[0][:, :, order], after[1]])
    one, two = (render_happy_maps(network, "conv1", recipe=QUICK) for network in (model, other))
    np.testing.assert_allclose(two.maps, one.maps[order], atol=2e-3)
    deep = [render_happy_maps(network, "conv2", recipe=QUICK).maps for network in (model, other)]
    np.testing.assert_allclose(deep[0], deep[1], atol=2e-2)


@pytest.mark.slow
def test_conv_maps_are_their_receptive_fields():
    """A convolution's maps are patches of the size its unit sees; the decision's are whole pictures."""
    model = plain(shape=(30, 28, 1))
    assert render_happy_maps(model, "conv1", recipe=QUICK).maps.shape == (4, 3, 3, 1)
    assert render_happy_maps(model, "conv2", recipe=QUICK).maps.shape == (5, 8, 8, 1)
    assert render_happy_maps(model, "decision", recipe=QUICK).maps.shape == (2, 30, 28, 1)


@pytest.mark.slow
def test_ascent_climbs():
    """Every unit that has a map is happier on it than on grey, and the margin of a class wins it the picture."""
    network = flatten(plain(seed=1))
    for layer in network.unit_layers():
        outcome = ascend(network, layer, recipe=Recipe())
        alive = np.isfinite(outcome.activations)
        assert (outcome.activations[alive] > outcome.at_rest[alive]).all()
    scores = network.class_scores(tf.constant(outcome.maps)).numpy()
    np.testing.assert_array_equal(scores.argmax(axis=1), [0, 1])


def test_a_dead_unit_has_no_map():
    """A unit that no picture moves gets NaN, never the start noise; its neighbours are not disturbed."""
    weights = np.random.default_rng(0).normal(size=(20, 3))
    weights[:, 1] = 0
    outcome = render_happy_maps(dense_network(weights, (5, 4, 1)), "units", recipe=QUICK)
    assert np.isnan(outcome.maps[1]).all()
    assert np.isnan(outcome.activations[1])
    assert np.isfinite(outcome.maps[[0, 2]]).all()


def noise_shy(size=6):
    """Return a network that answers only pictures without fine noise: 2 brightness, or 0 where there are checks."""
    checks = np.indices((size, size)).sum(axis=0).ravel() % 2 - 0.5
    model = keras.Sequential([layers.Input((size, size, 1)), layers.Flatten(), layers.Dense(3, activation="relu")])
    model.add(layers.Dense(1, activation="relu"))
    model.add(layers.Dense(2, name="decision"))
    bright = np.full(size * size, 1 / size**2)
    model.layers[1].set_weights([np.stack([bright, checks, -checks], axis=1), np.array([0, -0.01, -0.01])])
    model.layers[2].set_weights([np.array([[2.0], [-3000.0], [-3000.0]]), np.zeros(1)])
    model.layers[3].set_weights([np.array([[1.0, 0.0]]), np.zeros(2)])
    return flatten(model)


@pytest.mark.slow
def test_a_class_that_noise_drowns_gets_its_map_with_less_of_it(monkeypatch):
    """Where the recipe's jitter leaves a class without a map it falls back, alone as in company."""
    network, recipe = noise_shy(), replace(QUICK, start_noise=0, shift=0, pull=0)
    decision = network.unit_layers()[-1]
    found = ascend(network, decision, recipe=recipe)
    assert np.isfinite(found.activations).all()
    np.testing.assert_array_equal(ascend(network, decision, recipe=recipe, units=[1]).maps[0], found.maps[1])
    monkeypatch.setattr("modelcheck.happymaps.ascent._CALMER", ())
    assert np.isfinite(ascend(network, decision, recipe=recipe).activations).all()  # by plain ascent, at last
    monkeypatch.setattr("modelcheck.happymaps.ascent._calm", lambda recipe: None)
    assert np.isnan(ascend(network, decision, recipe=recipe).activations).all()


@pytest.mark.slow
def test_a_calmer_ascent_is_not_traced_anew(monkeypatch):
    """With less jitter the same step is taken: one class climbs several times, and is traced once."""
    traced, climbed = [], []

    def counted(*args, **kwargs):
        climb = trace_climb(*args, **kwargs)
        traced.append(kwargs["copies"])

        def noted(units, start, jitter):
            climbed.append(jitter)
            return climb(units, start, jitter)

        return noted

    monkeypatch.setattr("modelcheck.happymaps.ascent.trace_climb", counted)
    network, recipe = noise_shy(), replace(QUICK, start_noise=0, shift=0, pull=0)
    ascend(network, network.unit_layers()[-1], recipe=recipe, units=[1])
    assert len(climbed) == len(set(climbed)) > 1
    assert traced == [recipe.copies]


@pytest.mark.slow
def test_a_natural_map_that_noise_drowns_is_found_with_less_of_it(monkeypatch):
    """Among natural pictures too: accuracy halves under the recipe's jitter, and no class is without a map."""
    network, recipe = noise_shy(), replace(QUICK, shift=0)
    levels = np.random.default_rng(0).uniform(0.2, 0.9, (40, 1, 1, 1))
    pictures = np.tile(levels, (1, 6, 6, 1)).astype(np.float32)
    assert (network.class_scores(pictures).numpy().argmax(axis=1) == 0).all()
    shaken = pictures + np.random.default_rng(1).uniform(-0.15, 0.15, pictures.shape).astype(np.float32)
    assert (network.class_scores(shaken).numpy()[:, 0] > 0).mean() < 0.5
    among = natural_pictures(pictures, components=2)
    decision = network.unit_layers()[-1]
    assert np.isfinite(ascend(network, decision, recipe=recipe, among=among, units=[0]).activations).all()
    monkeypatch.setattr("modelcheck.happymaps.ascent._calm", lambda recipe: None)
    assert np.isnan(ascend(network, decision, recipe=recipe, among=among, units=[0]).activations).all()


@pytest.mark.slow
def test_a_class_that_has_a_map_keeps_it(monkeypatch):
    """Falling back is for classes without a map: the others' maps are those of the recipe's jitter."""
    network = flatten(plain(seed=1))
    maps = ascend(network, network.unit_layers()[-1], recipe=QUICK).maps
    monkeypatch.setattr("modelcheck.happymaps.ascent._calm", lambda recipe: None)
    np.testing.assert_array_equal(ascend(network, network.unit_layers()[-1], recipe=QUICK).maps, maps)


def test_a_saturated_softmax_does_not_stop_the_ascent():
    """Scores so large that the probability is 1 in single precision still give a map: softmax is bypassed."""
    model = plain(seed=2)
    kernel, bias = model.get_layer("decision").get_weights()
    model.get_layer("decision").set_weights([kernel * 1e4, bias])
    assert np.isfinite(render_happy_maps(model, "decision", recipe=QUICK).maps).all()


def test_the_network_is_not_changed():
    """Rendering reads; weights stay as they are."""
    model = plain()
    before = [weight.copy() for weight in model.get_weights()]
    render_happy_maps(model, "conv1", recipe=QUICK)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 5))
def test_margin_is_score_minus_the_rest(seed, classes):
    """The margin equals the log odds of the class; adding one number to all scores changes nothing."""
    scores = np.random.default_rng(seed).normal(size=(3, classes))
    probability = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(margins(tf.constant(scores)), np.log(probability / (1 - probability)), atol=1e-9)
    np.testing.assert_allclose(margins(tf.constant(scores + 7)), margins(tf.constant(scores)), atol=1e-9)


@pytest.mark.parametrize("scores", [[3.0, 3.0, -1.0], [90.0, -90.0, 0.0, 1.0], [0.0, 60.0, 60.0, 60.0, -60.0]], ids=str)
def test_a_margin_has_the_slope_of_the_margin(scores):
    """One for its own score, and less the share of each other among the others, also where exponentials vanish."""
    given = tf.constant([scores], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(given)
        made = margins(given)
    found = tape.jacobian(made, given)[0, :, 0].numpy()
    apart = np.array(scores)
    for k in range(len(scores)):
        others = np.where(np.arange(len(scores)) == k, -np.inf, apart)
        shares = np.exp(others - others.max())
        np.testing.assert_allclose(found[k], np.eye(len(scores))[k] - shares / shares.sum(), atol=1e-12)


def test_unknown_layers_and_units_are_named():
    """A mistyped layer gets a suggestion, an absent unit the range that exists."""
    with pytest.raises(NetworkError, match="Did you mean 'decision'"):
        render_happy_maps(plain(), "decison", recipe=QUICK)
    with pytest.raises(NetworkError, match="has units 0 to 3"):
        render_happy_maps(plain(), "conv1", units=[4], recipe=QUICK)


@pytest.mark.parametrize(
    ("layer", "objective"),
    [
        *[("decision", name) for name in ("margin", "logit", "probability")],
        *[("conv2", name) for name in ("channel", "neuron", "channel_mean")],
    ],
)
def test_every_objective_reaches_what_it_reports(layer, objective):
    """The value reported is the objective's own value on the map, by a slow second evaluation, and beats grey."""
    model = plain(shape=(20, 18, 1))
    outcome = render_happy_maps(model, layer, recipe=QUICK, objective=objective)
    network = flatten(model)
    (read,) = [item.read for item in network.unit_layers() if item.name == layer]
    for unit in np.flatnonzero(np.isfinite(outcome.activations)):
        picture = outcome.maps[unit][None]
        if objective == "channel":  # the patch, put where the centre unit looks
            assert picture.shape[1:] == (8, 8, 1)
            continue
        output = network.evaluate(tf.constant(picture), [read])[0].numpy()[0]
        np.testing.assert_allclose(outcome.activations[unit], slowly(objective, output, unit), rtol=1e-4, atol=1e-5)


def slowly(objective, output, unit):
    """Return an objective's value from the layer's output on one picture, as a textbook has it."""
    if objective == "logit":
        return output[unit]
    if objective == "neuron":
        return output[output.shape[0] // 2, output.shape[1] // 2, unit]
    if objective == "channel_mean":
        return np.where(output > 0, output, 0.02 * output)[..., unit].mean()
    scores = np.exp(output - output.max())
    return (
        scores[unit] / scores.sum()
        if objective == "probability"
        else np.log(scores[unit] / np.delete(scores, unit).sum())
    )


def test_an_objective_that_a_layer_lacks_is_named():
    """A dense layer has no channels, and a typing error gets a suggestion."""
    with pytest.raises(NetworkError, match="Did you mean 'channel_mean'"):
        render_happy_maps(plain(), "conv1", recipe=QUICK, objective="chanel_mean")
    with pytest.raises(NetworkError, match="no objective 'margin'"):
        render_happy_maps(plain(), "conv1", recipe=QUICK, objective="margin")


def test_the_direction_of_one_unit_is_that_unit():
    """The direction e_k gives unit k's map; minus e_k gives the map of the opposite."""
    weights = np.random.default_rng(0).choice([-1.0, 1.0], (20, 3))
    model = dense_network(weights, (5, 4, 1))
    units = render_happy_maps(model, "units", recipe=QUICK)
    along = render_happy_maps(model, "units", recipe=QUICK, directions=np.eye(3) * 7)
    np.testing.assert_allclose(along.maps, units.maps, atol=1e-5)
    against = render_happy_maps(model, "units", recipe=BARE, directions=-np.eye(3))
    np.testing.assert_allclose(against.maps, (weights.T < 0).reshape(3, 5, 4, 1), atol=1e-3)
    for wrong in (np.eye(2), np.zeros((1, 3)), np.full((1, 3), np.nan)):
        with pytest.raises(NetworkError, match="irection"):
            render_happy_maps(model, "units", recipe=QUICK, directions=wrong)


@pytest.mark.slow
def test_more_starts_never_make_a_unit_less_happy():
    """Of several starts the best is kept, and the first of them is the single one."""
    one, three = (ascend_all(plain(seed=4), replace(QUICK, starts=count)) for count in (1, 3))
    for before, after in zip(one, three, strict=True):
        known = np.isfinite(before.activations)
        assert (after.activations[known] >= before.activations[known]).all()
        same = after.activations == before.activations
        np.testing.assert_array_equal(after.maps[same], before.maps[same])


def ascend_all(model, recipe):
    network = flatten(model)
    return [ascend(network, layer, recipe=recipe) for layer in network.unit_layers()]


@pytest.mark.slow
def test_total_variation_makes_maps_smoother():
    """With a weight on the total variation, neighbouring pixels of a map differ less."""
    rough, smooth = (
        render_happy_maps(plain(seed=5), "decision", recipe=Recipe(steps=16, copies=1, total_variation=weight)).maps
        for weight in (0.0, 0.5)
    )
    assert np.abs(np.diff(smooth, axis=1)).mean() < 0.8 * np.abs(np.diff(rough, axis=1)).mean()


@pytest.mark.slow
def test_natural_maps_stay_among_the_pictures():
    """A natural map is the mean plus components, no further away than a picture of the panel typically is."""
    images = np.random.default_rng(0).uniform(0.3, 0.7, (30, 20, 18, 1)).astype(np.float32)
    pictures = natural_pictures(images, components=8)
    outcome = render_happy_maps(plain(shape=(20, 18, 1)), "decision", recipe=QUICK, among=pictures)
    there = np.isfinite(outcome.activations)
    assert there.any()
    apart = (outcome.maps - pictures.mean)[there].reshape(there.sum(), -1)
    weights = np.linalg.lstsq(pictures.components.T.astype(np.float64), apart.T.astype(np.float64), rcond=None)[0]
    np.testing.assert_allclose(weights.T @ pictures.components, apart, atol=1e-4)
    assert (np.linalg.norm(weights, axis=0) <= np.sqrt(8) * 1.001).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.integers(3, 12))
def test_natural_pictures_have_the_panels_covariance(seed, count):
    """All components together give back the panel's covariance, as a slow sum of outer products."""
    images = np.random.default_rng(seed).normal(size=(count, 3, 2, 1))
    pictures = natural_pictures(images, components=count)
    np.testing.assert_allclose(
        pictures.components.T @ pictures.components, np.cov(images.reshape(count, -1).T), atol=1e-5
    )
