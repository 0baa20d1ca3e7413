"""A plan before the work: counts as they run, a ladder that gives up no more than it must, and the command."""

from dataclasses import replace
from math import prod

import keras
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.cli.main import main
from modelcheck.cli.shared import progress
from modelcheck.happymaps import ascent
from modelcheck.measurement import measure
from modelcheck.measurement.costs import count_costs
from modelcheck.network import KerasClassifier, flatten
from modelcheck.network.operations import count_multiplications
from modelcheck.planning.ladder import RUNGS, propose_recipe
from modelcheck.planning.plan import Estimate, Plan
from modelcheck.recipe import Recipe
from modelcheck.support.tables import toml_document
from networks import plain, residual
from signatures import make_panel

RECIPE = Recipe(steps=3, copies=1, untrained_twins=1, smoothgrad_samples=2, probe_pictures=6, sticker_faces=0)
# Keras 3.15 saves arrays in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def panel():
    """Return a panel of the small networks' size."""
    return make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6)


@pytest.fixture(scope="module")
def saved(tmp_path_factory, panel):
    """Return a folder with a network and its panel."""
    folder = tmp_path_factory.mktemp("networks")
    plain(seed=4).save(folder / "plain.keras")
    panel.save(folder / "panel.npz")
    return folder


def count_by_layers(model):
    """Return the multiplications of a network, from the shapes that Keras tells of its layers."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            total += prod(layer.output.shape[1:]) * prod(layer.kernel_size)
        elif isinstance(layer, keras.layers.SeparableConv2D):
            places, channels = prod(layer.output.shape[1:3]), layer.input.shape[-1]
            total += places * channels * (prod(layer.kernel_size) + layer.filters)
        elif isinstance(layer, keras.layers.Conv2D):
            total += prod(layer.output.shape[1:]) * prod(layer.kernel_size) * layer.input.shape[-1] // layer.groups
        elif isinstance(layer, keras.layers.Dense):
            total += layer.input.shape[-1] * layer.units
    return total


@pytest.mark.parametrize("build", [plain, residual])
def test_multiplications_are_those_of_the_layers(build):
    """What is counted from steps is what the shapes of Keras' layers say."""
    model = build(seed=1)
    network = flatten(model)
    assert count_multiplications(network, network.logits) == count_by_layers(model)


@pytest.mark.slow
def test_multiplications_of_a_known_network():
    """MobileNetV2 takes 0.30 billion at 224 x 224, as its authors say."""
    network = flatten(keras.applications.MobileNetV2(input_shape=(224, 224, 3), weights=None))
    assert count_multiplications(network, network.logits) / 1e9 == pytest.approx(0.30, abs=0.005)


@pytest.mark.slow
def test_counts_are_what_runs(saved, panel, monkeypatch):
    """As many pictures climb and are asked for answers as were counted; progress knows each part, and never falls."""
    ran = {"both": 0, "answers": 0, "stickers": 0}
    trace, ask = ascent.trace_climb, KerasClassifier.class_scores

    def count_climbs(*args, **kwargs):
        climb = trace(*args, **kwargs)

        def counted(units, start, jitter):
            ran["both"] += len(units) * kwargs["copies"] * kwargs["recipe"].steps
            return climb(units, start, jitter)

        return counted

    def count_answers(self, images, *, checked=None):
        if checked is None:
            ran["answers"] += len(images)
        elif len(checked) < len(images):  # stamped pictures, of which Keras is shown some
            ran["stickers"] += len(images) + len(checked)
        return ask(self, images, checked=checked)

    monkeypatch.setattr(ascent, "trace_climb", count_climbs)
    monkeypatch.setattr(KerasClassifier, "class_scores", count_answers)
    monkeypatch.setattr("modelcheck.measurement.measuring.feed_otherwise", lambda *args, **kwargs: {})
    begun = []
    recipe = replace(RECIPE, sticker_faces=4)
    measure(saved / "plain.keras", panel, recipe, progress=lambda what, share: begun.append((what, share)))
    costs = count_costs(flatten(plain(seed=4)), panel, recipe)
    assert ran["both"] == sum(cost.both for cost in costs if cost.part.startswith("HappyMaps"))
    assert ran["stickers"] == sum(cost.forward for cost in costs if cost.part == "stickers")
    asked = ("the panel", "exchanged pictures", "flipping curves")
    unstamped = recipe.sticker_faces  # those that get stickers, without one
    assert ran["answers"] == unstamped + sum(cost.forward for cost in costs if cost.part in asked)
    shares = [share for _, share in begun]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    told = {what.removeprefix("untrained twin 1: ") for what, _ in begun} - {"loading", "done"}
    assert told <= {cost.part for cost in costs}
    assert {"HappyMaps of conv1", "HappyMaps among natural pictures", "attributions by occlusion"} <= told


@settings(max_examples=40, deadline=None)
@given(
    weights=st.fixed_dictionaries({name: st.floats(0, 5) for name, value in RUNGS if not isinstance(value, tuple)}),
    seconds=st.floats(0.1, 2000),
)
def test_the_ladder_gives_up_no_more_than_it_must(weights, seconds):
    """The proposal fits or is the smallest, raises no setting, and with any rung given back it would not fit."""

    def estimate(recipe):
        return sum(weight * getattr(recipe, name) for name, weight in weights.items())

    found, fits = propose_recipe(Recipe(), seconds=seconds, estimate=estimate)
    smallest = replace(Recipe(), **dict(RUNGS))
    assert fits == (estimate(found) <= seconds)
    assert fits or found == smallest
    for name, weight in weights.items():
        now, start = getattr(found, name), getattr(Recipe(), name)
        assert now <= start
        higher = min(
            (value for other, value in RUNGS if other == name and value > now), default=start if now < start else None
        )
        if fits and weight and higher is not None:
            assert estimate(replace(found, **{name: higher})) > seconds


def test_a_plan_survives_its_journey():
    """A plan as JSON gives an equal plan, and what is no plan is an error."""
    estimate = Estimate(hidden_layers=2, units=8, passes=90, seconds=30.0, gib=0.8, parts={"the panel": 1.0})
    sizes = {"hidden_layers": 3, "parameters": 900, "multiplications": 10**6, "pictures": 12}
    plan = Plan(**sizes, default=estimate, proposed=estimate, recipe=Recipe(hidden_layers=2), fits=True)
    assert Plan.from_json(plan.to_json()) == plan
    with pytest.raises(ValueError, match="plan"):
        Plan.from_json("{}")


@pytest.mark.parametrize(("minutes", "recipe", "told"), [(60, (), 1), (9, (), 0), (60, ("--recipe",), 0)])
def test_an_approval_that_takes_long_names_the_plan_and_goes_on(saved, tmp_path, monkeypatch, minutes, recipe, told):
    """One line where the default recipe takes over ten minutes, none where it does not or a recipe is given."""
    estimate = Estimate(hidden_layers=2, units=8, passes=90, seconds=60.0 * minutes, gib=0.8, parts={})
    sizes = {"hidden_layers": 3, "parameters": 900, "multiplications": 10**6, "pictures": 12}
    plan = Plan(**sizes, default=estimate, proposed=estimate, recipe=Recipe(), fits=True)
    monkeypatch.setattr("modelcheck.cli.baselines._SMALL", 0)
    monkeypatch.setattr("modelcheck.cli.plan.make_plan", lambda *_, **__: plan)

    def propose(*_, **__):
        raise ValueError("it went on")

    monkeypatch.setattr("modelcheck.approval.propose", propose)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "recipe.toml"
    file.write_text("steps = 3\n")
    command = ["approve", str(saved / "plain.keras"), "--panel", str(saved / "panel.npz"), "--to", "baseline"]
    done = CliRunner().invoke(main, [*command, "--dry-run", *(word for name in recipe for word in (name, str(file)))])
    assert done.output.count("takes about 60 minutes here. For a lighter one: modelcheck plan") == told
    assert "it went on" in done.output


@pytest.mark.slow
def test_the_command_writes_a_recipe_and_keeps_what_is_there(saved, tmp_path):
    """A small network needs to give up nothing in ten minutes; in a second nothing fits; no file is written over."""
    to = tmp_path / "recipe.toml"
    command = ["plan", str(saved / "plain.keras"), "--panel", str(saved / "panel.npz"), "--to", str(to)]
    told = CliRunner().invoke(main, command)
    assert told.exit_code == 0, told.output
    assert "3 of 3" in told.output
    assert Recipe.from_dict(toml_document(to.read_bytes())) == Recipe()
    before = to.read_bytes()
    again = CliRunner().invoke(main, command)
    assert (again.exit_code, to.read_bytes()) == (4, before)
    assert "is there already" in again.output
    tight = CliRunner().invoke(main, [*command[:4], "--minutes", "0.02"])
    assert tight.exit_code == 4
    assert "No recipe fits into 0.02 minutes" in tight.output


def test_a_log_has_a_line_a_minute(capsys):
    """Where no terminal watches, progress is a line when a minute has passed, with the time left, and none between."""
    now = iter(float(second) for second in range(0, 2000, 20))
    with progress(plain=False, clock=lambda: next(now)) as show:
        for step in range(1, 11):
            show(f"part {step}", step / 20)
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 5
    assert all("left: part" in line and line.startswith("measuring: ") for line in lines)
