"""How HappyMaps are shown: taken apart, on a sheet, as a figure; and from a file, a model or a network alike."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcheck.happymaps import HappyMaps, render_happy_maps
from modelcheck.network import NetworkError, flatten
from modelcheck.network.loading import ModelError
from modelcheck.recipe import Recipe
from modelcheck.support.drawing import as_bytes
from modelcheck.support.numbers import NOTHING
from networks import plain

QUICK = Recipe(steps=3, copies=1, starts=1)


def some(n, height, width, channels):
    """Return maps of noise, the second of them missing where there is one."""
    maps = np.random.default_rng(0).random((n, height, width, channels))
    reached = np.arange(float(n))
    if n > 1:
        maps[1], reached[1] = np.nan, np.nan
    return HappyMaps(maps, reached)


def test_maps_are_taken_apart():
    """HappyMaps are maps and activations, in this order."""
    found = some(3, 4, 5, 1)
    maps, activations = found
    assert maps is found.maps
    assert activations is found.activations
    assert found.names == ("unit 0", "unit 1", "unit 2")


@pytest.mark.parametrize(
    ("maps", "activations", "names"),
    [((2, 3, 3, 1), 3, ()), ((2, 3, 3), 2, ()), ((2, 3, 3, 1), 2, ("one",))],
)
def test_maps_that_do_not_fit_together_are_refused(maps, activations, names):
    """As many maps as activations and names, each with rows, columns and channels, or an error that counts them."""
    with pytest.raises(ValueError, match=r"maps \(n, h, w, c\) with n activations and n names"):
        HappyMaps(np.zeros(maps), np.zeros(activations), names=names)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 7), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]), st.integers(1, 30))
def test_a_sheet_holds_every_map_as_blocks(n, height, width, channels, side):
    """On the sheet each pixel of a map is a block of its own colour, and what has no map is no picture of one."""
    found = some(n, height, width, channels)
    times = max(1, side // max(height, width))
    sheet = np.asarray(found.to_image(columns=2, side=side))
    pixels = as_bytes(found.maps, (0.0, 1.0))
    for k in range(n):
        top, left = 6 + k // 2 * (height * times + 6), 6 + k % 2 * (width * times + 6)
        shown = sheet[top : top + height * times, left : left + width * times]
        if k == 1:
            assert set(np.unique(shown)) <= {128, 255}
            assert (shown[0, 0], shown[-1, -1]) == pytest.approx((128, 128))
            continue
        np.testing.assert_array_equal(shown, pixels[k].repeat(times, axis=0).repeat(times, axis=1))


def test_a_sheet_is_square_by_default():
    """Without columns a sheet has as many rows as columns."""
    assert some(9, 10, 10, 1).to_image(side=10).size == (54, 54)


@pytest.mark.parametrize("asked", [{"columns": 0}, {"side": 0}])
def test_a_sheet_of_nothing_is_refused(asked):
    """Columns and pixels are at least one."""
    with pytest.raises(ValueError, match="of at least 1, not 0"):
        some(2, 3, 3, 1).to_image(**asked)


def test_a_figure_has_axes_for_each_map():
    """The figure shows each map with its name and activation, the missing one as such, and reads no formula."""
    pytest.importorskip("matplotlib", reason="to_figure draws with matplotlib, which is no dependency")
    found = HappyMaps(*some(3, 4, 5, 1), names=("a:0", "$\\frac$", "a:2"))
    figure = found.to_figure(columns=2)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["a:0\n0.00", "$\\frac$\n" + NOTHING, "a:2\n2.00"]
    assert [len(axes.images) for axes in figure.axes] == [1, 0, 1]
    np.testing.assert_array_equal(figure.axes[2].images[0].get_array(), as_bytes(found.maps, (0.0, 1.0))[2])
    figure.canvas.draw()


def test_a_figure_without_matplotlib_names_the_command(monkeypatch):
    """Where matplotlib is not installed, the error says how to install it and what does without."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install matplotlib. to_image\(\) does without"):
        some(2, 3, 3, 1).to_figure()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")  # Keras saves so
def test_a_file_a_model_and_a_network_have_the_same_maps(tmp_path):
    """A path, a keras.Model and a Network give the same maps, with the names of their units."""
    model = plain()
    model.save(tmp_path / "network.keras")
    given_as = [model, flatten(model), tmp_path / "network.keras", str(tmp_path / "network.keras")]
    found = [render_happy_maps(network, "conv1", [2, 0], QUICK) for network in given_as]
    for other in found[1:]:
        np.testing.assert_array_equal(other.maps, found[0].maps)
        assert other.names == ("conv1:2", "conv1:0")
    along = render_happy_maps(model, "decision", recipe=QUICK, directions=np.eye(2))
    assert along.names == ("decision, direction 0", "decision, direction 1")


@pytest.mark.parametrize("wrong", [7, None, np.zeros(3)])
def test_what_is_no_network_is_named(wrong):
    """What is neither a path nor a network is refused by its type, with what is expected."""
    with pytest.raises(
        NetworkError, match=r"path of a .keras file, a keras.Model or a Network, not " + type(wrong).__name__
    ):
        render_happy_maps(wrong, "conv1")


def test_a_folder_is_no_network(tmp_path):
    """A signature's folder is refused, with the call that reads it."""
    with pytest.raises(ModelError, match=r"is a folder.*modelcheck.read_signature"):
        render_happy_maps(tmp_path, "conv1")
