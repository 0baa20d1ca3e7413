"""Unit health and ablation: words by their statistics, effects by rebuilding the network without the unit."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.cli.main import main
from modelcheck.happymaps import margins
from modelcheck.metrics.health import HEALTH, unit_health
from modelcheck.network import flatten
from modelcheck.pruning.ablation import ablation_effects
from modelcheck.pruning.layer_units import LayerUnits, read_layer_units, write_layer_units
from networks import plain, residual
from signatures import make_panel

RNG = np.random.default_rng(0)
ALIVE = np.ones((3, 4, 1))


def word(picture, features=ALIVE):
    return unit_health(np.asarray(picture, dtype=float)[None, ..., None], features, input_range=(0.0, 1.0))[0]


def test_each_word_has_its_picture():
    """Bright, dark, even, noisy and shaped maps get their words; a silent unit is dead whatever its map shows."""
    shaped = np.outer(np.linspace(0, 1, 20), np.linspace(1, 0, 20))
    pictures = {
        "all on": np.full((20, 20), 0.99),
        "all off": np.full((20, 20), 0.05),
        "flat": np.full((20, 20), 0.5),
        "static": RNG.uniform(0, 1, (20, 20)),
        "structured": shaped,
    }
    assert {name: word(picture) for name, picture in pictures.items()} == {name: name for name in pictures}
    assert word(shaped, np.zeros((3, 4, 1))) == "dead"
    assert word(np.full((20, 20), np.nan)) == "dead"
    assert set(HEALTH) == {*pictures, "dead"}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(-100, 100), st.floats(0.1, 300))
def test_the_word_does_not_depend_on_the_range(seed, low, span):
    """The same map in another input range looks the same."""
    maps = np.random.default_rng(seed).uniform(0, 1, (5, 9, 9, 1)) ** 3
    features = np.ones((2, 1, 5))
    moved = unit_health(maps * span + low, features, input_range=(low, low + span))
    assert moved == unit_health(maps, features, input_range=(0.0, 1.0))


def test_ablation_equals_a_network_rebuilt_without_the_unit():
    """Setting a unit's weights to nought and its bias to its mean gives, slowly, the same effect."""
    model = plain(seed=3)
    network = flatten(model)
    images = RNG.uniform(0, 1, (6, *network.input_shape)).astype(np.float32)
    layer = next(item for item in network.unit_layers() if item.kind == "dense")
    effects = ablation_effects(network, layer, images, units=np.arange(layer.n_units))
    kernel, bias = model.get_layer(layer.name).get_weights()
    means = network.evaluate(images, [layer.activated])[0].numpy().mean(axis=0)

    def gaps():
        scores = network.class_scores(images).numpy()
        return scores[:, 0] - scores[:, 1]

    before = gaps()
    for unit in range(layer.n_units):
        other, shift = kernel.copy(), bias.copy()
        other[:, unit], shift[unit] = 0, means[unit]
        model.get_layer(layer.name).set_weights([other, shift])
        expected = np.abs(gaps() - before).mean() / before.std()
        model.get_layer(layer.name).set_weights([kernel, bias])
        np.testing.assert_allclose(effects[unit], expected, rtol=1e-3, atol=1e-6)
    assert effects.max() > 0


def test_ablation_goes_down_every_branch():
    """Where a residual branches off, both ways see the silenced channel: every later step runs again, slowly."""
    network = flatten(residual(seed=3))
    images = RNG.uniform(0, 255, (5, *network.input_shape)).astype(np.float32)
    layer = network.unit_layers()[0]
    (effect,) = ablation_effects(network, layer, images, units=np.array([2]))
    values = {0: images}
    for position, step in enumerate(network.steps[1:], start=1):
        values[position] = step.run([values[source] for source in step.inputs])
        if position == layer.activated:
            gone = values[position].numpy()
            gone[..., 2] = gone[..., 2].mean()
            values[position] = gone
    before = margins(network.class_scores(images)).numpy()
    after = margins(network.as_class_scores(values[network.logits])).numpy()
    assert effect == pytest.approx((np.abs(after - before).mean(axis=0) / before.std(axis=0)).mean(), rel=1e-3)
    assert effect > 0


def test_a_dead_unit_is_to_spare_and_a_needed_one_is_not():
    """Dead or flat without effect, or of hardly any effect: to spare. An effect that is not known spares nobody."""
    row = LayerUnits(
        name="conv1",
        kind="conv",
        units=np.arange(5),
        health=("dead", "all on", "structured", "flat", "all off"),
        effects=np.array([0.0, 0.3, 0.001, 0.2, np.nan]),
    )
    assert row.spare.tolist() == [True, False, True, False, False]


def test_what_was_found_comes_back_from_a_file(tmp_path):
    """Every part, an effect that is not known too; a file that is not there or none is a clear error."""
    row = LayerUnits(
        name="conv1", kind="conv", units=np.array([0, 3]), health=("dead", "flat"), effects=np.array([0.25, np.nan])
    )
    write_layer_units(tmp_path / "units.json", [row])
    [back] = read_layer_units(tmp_path / "units.json")
    assert (back.name, back.kind, back.health) == (row.name, row.kind, row.health)
    np.testing.assert_array_equal(back.units, row.units)
    np.testing.assert_array_equal(back.effects, row.effects)
    (tmp_path / "other.json").write_text('[{"name": "conv1"}]')
    for name in ("other.json", "absent.json"):
        with pytest.raises(ValueError, match="Run it again"):
            read_layer_units(tmp_path / name)


def run_command(folder, monkeypatch, *words):
    """Run modelcheck in a folder."""
    monkeypatch.chdir(folder)
    return CliRunner().invoke(main, list(words))


@pytest.mark.parametrize("command", [["units"], ["measure", "--to", "signature"]], ids=lambda words: words[0])
def test_commands_look_at_networks_within_the_limits_of_the_settings(command, tmp_path, monkeypatch):
    """A file is loaded in the child alone: one that has hardly any time is stopped, and leaves nothing."""
    make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6).save(tmp_path / "panel.npz")
    (tmp_path / "network.keras").write_bytes(b"anything")
    (tmp_path / "pyproject.toml").write_text("[tool.modelcheck]\ntimeout = 0.01\n")
    done = run_command(tmp_path, monkeypatch, command[0], "network.keras", "--panel", "panel.npz", *command[1:])
    assert done.exit_code == 4
    assert "more than 0.01 seconds and was stopped" in " ".join(done.output.split())
    assert not (tmp_path / "signature").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_every_hidden_unit_is_examined(tmp_path, monkeypatch):
    """From a file and a panel to one row a unit, by the command; a unit without weights is dead and to spare."""
    model = plain(seed=1)
    kernel, bias = model.get_layer("conv2").get_weights()
    kernel[..., 2], bias[2] = 0, 0
    model.get_layer("conv2").set_weights([kernel, bias])
    model.save(tmp_path / "network.keras")
    make_panel(subjects=("ada", "ben"), size=(12, 10), per_subject=6).save(tmp_path / "panel.npz")
    (tmp_path / "recipe.toml").write_text("steps = 4")
    words = ("units", "network.keras", "--panel", "panel.npz", "--recipe", "recipe.toml", "--csv", "units.csv")
    done = run_command(tmp_path, monkeypatch, *words)
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "units.csv")
    assert table.groupby("layer").size().to_dict() == {"conv1": 4, "conv2": 5, "dense1": 6}
    dead = table[(table.layer == "conv2") & (table.unit == 2)].iloc[0]
    assert (dead.health, dead.spare) == ("dead", True)
    assert table.ablation.notna().all()
