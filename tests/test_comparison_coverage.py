"""Maps shown both ways: who is happy with whose, the same by a slow oracle, and never 1 of nothing."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest

from modelcheck.comparison import CompareError, compare
from modelcheck.gate.artefacts import as_baseline
from modelcheck.measurement import ExchangePartner, measure
from modelcheck.network.loading import ModelError
from modelcheck.panel import PanelError
from modelcheck.recipe import Recipe
from modelcheck.signature import Signature, read_signature
from networks import plain
from signatures import make_panel

RECIPE = Recipe(steps=12, copies=1, untrained_twins=1, probe_pictures=6, sticker_faces=0, attribution_methods=())


HIDDEN = ("conv1", "conv2", "dense1")


# Keras 3.15 saves arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def wide(seed):
    """Like the plain network, with a first kernel of 5 pixels: other fields, the second as wide as the picture."""
    keras.utils.set_random_seed(seed)
    layers = plain(seed=seed).layers
    wider = keras.layers.Conv2D(4, 5, padding="same", activation="relu", name="conv1")
    return keras.Sequential([keras.layers.Input((12, 10, 1)), wider, *layers[1:]], name="wide")


def shuffled(model, order):
    """Return a copy of the plain network with its second convolution's channels in another order."""
    twin = keras.models.clone_model(model)
    twin.set_weights(model.get_weights())
    kernel, bias = model.get_layer("conv2").get_weights()
    twin.get_layer("conv2").set_weights([kernel[..., order], bias[order]])
    kernel, bias = model.get_layer("dense1").get_weights()
    grid = kernel.reshape(6, 5, 5, -1)[:, :, order]
    twin.get_layer("dense1").set_weights([grid.reshape(kernel.shape), bias])
    return twin


@pytest.fixture(scope="module")
def panel():
    return make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a folder of saved networks."""
    folder = tmp_path_factory.mktemp("networks")
    for name, model in (("one", plain(seed=4)), ("two", plain(seed=5)), ("wide", wide(6))):
        model.save(folder / f"{name}.keras")
    shuffled(plain(seed=5), [3, 0, 4, 1, 2]).save(folder / "shuffled.keras")
    return folder


@pytest.fixture(scope="module")
def alone(saved, panel):
    """Return the signatures of networks by themselves, as baselines are measured."""
    return {name: measure(saved / f"{name}.keras", panel, RECIPE, twins=False) for name in ("one", "two", "wide")}


@pytest.fixture(scope="module")
def exchanged(saved, panel, alone):
    """Return a function from two names to the comparison of the first, the baseline, with the second."""
    made = {}

    def between(baseline, candidate, *, twins=False):
        if (baseline, candidate, twins) not in made:
            partner = ExchangePartner(signature=alone[baseline], model=saved / f"{baseline}.keras")
            made[baseline, candidate, twins] = measure(
                saved / f"{candidate}.keras", panel, RECIPE, stimuli=partner, twins=twins
            )
        return compare(alone[baseline], made[baseline, candidate, twins])

    return between


@pytest.mark.slow
def test_a_network_covers_itself_both_ways(exchanged):
    """Against its own copy every coverage is 1, and happiness transfers fully in both directions."""
    comparison = exchanged("one", "one", twins=True)
    for layer in HIDDEN:
        assert comparison.metrics[f"coverage[{layer}]"] == 1
        assert comparison.metrics[f"coverage_back[{layer}]"] == 1
        assert len(comparison.find("coverage", layer).floor) == 1
        assert "Untrained twins: " in comparison.find("coverage_back", layer).evidence
    for metric in ("transfer", "transfer_back"):
        assert comparison.metrics[f"{metric}[decision]"] == pytest.approx(1, abs=0.02)
    assert len(comparison.find("transfer_back", "decision").floor) == 1


@pytest.mark.slow
def test_swapping_the_roles_swaps_the_directions(exchanged):
    """What is coverage from one side is coverage_back from the other, to the last answer; so is the transfer."""
    there, back = exchanged("one", "two"), exchanged("two", "one")
    for layer in HIDDEN:
        one, other = there.candidate.exchange, back.candidate.exchange
        np.testing.assert_array_equal(one.unit_answers[layer], other.unit_answers_back[layer])
        np.testing.assert_array_equal(one.unit_answers_back[layer], other.unit_answers[layer])
        assert there.metrics[f"coverage[{layer}]"] == back.metrics[f"coverage_back[{layer}]"]
        assert there.metrics[f"coverage_back[{layer}]"] == back.metrics[f"coverage[{layer}]"]
    for one, other in (("transfer", "transfer_back"), ("transfer_back", "transfer")):
        assert there.metrics[f"{one}[decision]"] == pytest.approx(back.metrics[f"{other}[decision]"], abs=1e-6)


@pytest.mark.slow
def test_permuting_a_networks_units_changes_no_coverage(exchanged):
    """The same network with its channels in another order is covered, and covers, as before."""
    before, after = exchanged("one", "two"), exchanged("one", "shuffled")
    for layer in HIDDEN:
        for metric in ("coverage", "coverage_back"):
            assert before.metrics[f"{metric}[{layer}]"] == after.metrics[f"{metric}[{layer}]"], (metric, layer)


# Where the centre unit's field begins and how large it is, by hand: conv1 is read at row 6, column
# 5, conv2 at row 3, column 2 after pooling. The wide network's second field is as wide as the
# picture, so it sees all of that.
_SMALL = {"conv1": ((5, 4), (3, 3)), "conv2": ((3, 1), (8, 8))}


FIELDS = {"one": _SMALL, "two": _SMALL, "wide": {"conv1": ((4, 3), (5, 5))}}


CENTRES = {"conv1": (6, 5), "conv2": (3, 2)}


def slow_answers(model, name, layer, patch):
    """Put a map pixel by pixel around the middle of what the units see in a grey picture; run Keras layer by layer."""
    (top, left), size = FIELDS[name].get(layer, ((0, 0), (12, 10)))
    picture = np.full((1, 12, 10, 1), 0.5, np.float32)
    before = [
        (want - have) // 2 if want > have else -((have - want) // 2)
        for want, have in zip(size, patch.shape[:2], strict=True)
    ]
    for row in range(patch.shape[0]):
        for column in range(patch.shape[1]):
            at = row + before[0], column + before[1]
            if 0 <= at[0] < size[0] and 0 <= at[1] < size[1]:
                picture[0, top + at[0], left + at[1]] = patch[row, column]
    value = picture
    for step in model.layers:
        if step.name == layer:
            kernel, bias = step.get_weights()
            if layer not in CENTRES:
                return (np.asarray(value) @ kernel + bias)[0]
            return keras.ops.conv(value, kernel, padding="same").numpy()[0][CENTRES[layer]] + bias
        value = step(value)
    raise AssertionError(layer)


def slow_coverage(shows, sees, model, name, layer):
    """Return the coverage by loops over maps and units; their answers to grey and to their own maps are read anew."""
    rest = slow_answers(model, name, layer, np.full((1, 1, 1), 0.5, np.float32))
    own = [slow_answers(model, name, layer, patch) for patch in sees.maps_as_stored(layer)]
    covered = []
    for patch, reached in zip(shows.maps_as_stored(layer), shows.activations[layer], strict=True):
        if not math.isfinite(reached):
            continue
        shown, best = slow_answers(model, name, layer, patch), -math.inf
        for place, there in enumerate(sees.activations[layer]):
            if math.isfinite(there):
                unit = sees.units[layer][place]
                best = max(best, (shown[unit] - rest[unit]) / (own[place][unit] - rest[unit]))
        covered.append(best >= 0.5)
    return sum(covered) / len(covered)


@pytest.mark.slow
@pytest.mark.parametrize("pair", [("one", "two"), ("one", "wide"), ("wide", "one")], ids="-".join)
def test_a_slow_oracle_agrees(exchanged, alone, saved, pair):
    """Placed by hand in a picture, run by Keras, unit by unit: the same shares, also between fields of other sizes."""
    comparison = exchanged(*pair)
    models = {name: keras.models.load_model(saved / f"{name}.keras") for name in pair}
    for layer in HIDDEN:
        there = slow_coverage(comparison.baseline, comparison.candidate, models[pair[1]], pair[1], layer)
        back = slow_coverage(comparison.candidate, comparison.baseline, models[pair[0]], pair[0], layer)
        assert comparison.metrics[f"coverage[{layer}]"] == pytest.approx(there, abs=1e-6), layer
        assert comparison.metrics[f"coverage_back[{layer}]"] == pytest.approx(back, abs=1e-6), layer


@pytest.mark.slow
def test_the_oracle_can_disagree(exchanged, saved):
    """Asked with another network's weights, the oracle gives other shares: it is no formality."""
    comparison = exchanged("one", "two")
    shares = {
        name: [
            slow_coverage(comparison.baseline, comparison.candidate, model, "two", layer)
            for model in [keras.models.load_model(saved / f"{name}.keras")]
            for layer in ("conv2", "dense1")
        ]
        for name in ("one", "two")
    }
    assert shares["one"] != shares["two"]


@pytest.mark.slow
def test_another_file_is_not_the_baselines_network(saved, panel, alone):
    """The file must be the one behind the signature, measured with the same panel and recipe."""
    for signature, error, words in (
        (alone["two"], ModelError, r"is not the network behind the signature"),
        (replace(alone["one"], panel_digest="0" * 64), PanelError, "another panel, recipe"),
        (replace(alone["one"], scores=-alone["one"].scores), ModelError, "does not answer the"),
    ):
        partner = ExchangePartner(signature=signature, model=saved / "one.keras")
        with pytest.raises(error, match=words):
            measure(saved / "two.keras", panel, RECIPE, stimuli=partner)


@pytest.mark.slow
def test_given_counterparts_exchange_maps(saved, panel, alone):
    """A table of counterparts decides who is shown whose maps; an unknown layer is an error."""
    crossed = measure(
        *(saved / "two.keras", panel, RECIPE),
        stimuli=ExchangePartner(signature=alone["one"], layers={"conv1": "conv2"}),
        twins=False,
    )
    exchange = crossed.exchange
    assert (exchange.counterparts["conv1"], exchange.counterparts["dense1"]) == ("conv2", "dense1")
    assert exchange.unit_answers["conv1"].shape == (4, 5)
    metrics = compare(alone["one"], crossed, layers={"conv1": "conv2"}).metrics
    assert math.isfinite(metrics["coverage[conv1]"])
    assert math.isnan(metrics["coverage_back[conv1]"])
    found = compare(alone["one"], crossed).find("coverage", "conv1")
    assert math.isnan(found.value)
    assert "'conv2' as its counterpart" in found.evidence
    partner = ExchangePartner(signature=alone["one"], layers={"conv1": "conv9"})
    with pytest.raises(CompareError, match="which the candidate lacks"):
        measure(saved / "two.keras", panel, RECIPE, stimuli=partner)


@pytest.mark.slow
def test_measured_otherwise_only_decisions_exchange_maps(saved, panel, alone):
    """Maps of a network that was measured on another panel are shown for its decision alone: the two never compare."""
    strange = replace(alone["one"], panel_digest="0" * 64)
    signature = measure(saved / "two.keras", panel, RECIPE, stimuli=strange, twins=False)
    assert (signature.exchange.counterparts, signature.exchange.unit_answers) == ({}, {})
    assert set(signature.exchange.class_scores) == {"free", "natural"}


@pytest.mark.slow
def test_a_measurement_hashes_the_shown_maps_once(saved, panel, alone, monkeypatch):
    """However many networks are shown them, twins too, the partner's maps are hashed once."""
    hashed, digest = [], Signature.stimuli_sha256
    monkeypatch.setattr(Signature, "stimuli_sha256", lambda own: hashed.append(own) or digest(own))
    signature = measure(saved / "two.keras", panel, RECIPE, stimuli=alone["one"])
    assert len(signature.twins) == 1
    assert [network.model["name"] for network in hashed] == [alone["one"].model["name"]]
    shown = {network.exchange.stimuli_sha256 for network in (signature, *signature.twins)}
    assert shown == {digest(alone["one"])}


def test_answers_survive_the_folder(exchanged, tmp_path):
    """What was answered is read back as it was written, and an approval takes none of it along."""
    candidate = exchanged("one", "two").candidate
    candidate.write(tmp_path / "s")
    again = read_signature(tmp_path / "s")
    assert again.digest() == candidate.digest()
    before, after = candidate.exchange, again.exchange
    assert (after.stimuli_sha256, after.counterparts) == (before.stimuli_sha256, before.counterparts)
    for part in ("class_scores", "unit_answers", "unit_answers_back", "class_scores_back"):
        assert getattr(after, part).keys() == getattr(before, part).keys() != set()
        for name, array in getattr(before, part).items():
            np.testing.assert_array_equal(getattr(after, part)[name], array)
    assert as_baseline(candidate).exchange is None
