"""What values show in a notebook: one piece of HTML that is small, whole and harmless, whoever named what is in it."""

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from modelcheck.comparison import compare
from modelcheck.happymaps import HappyMaps
from modelcheck.panel import Panel
from modelcheck.signature import LayerRecord
from modelcheck.support.drawing import as_bytes
from modelcheck.support.escaping import clean
from modelcheck.support.notebook import Figure, card, choose_evenly, figures, heading, table, text
from modelcheck.support.numbers import MINUS, NOTHING
from signatures import make_panel, make_signature

MOST = 300_000  # bytes of HTML
ELEMENTS = {"div", "span", "b", "br", "table", "tr", "th", "td", "figure", "figcaption", "img"}
VOID = {"br", "img"}
PANEL = make_panel()
SIGNATURE = make_signature("half_filters")
COMPARISON = compare(make_signature("experiment0", seed=1), SIGNATURE)
NAMES = st.one_of(
    st.text(min_size=1),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "\" onload='x' b=\"",
            "</div></table><img src=x onerror=alert(1)>",
            "$\\href{javascript:alert(1)}{x}$",
            "\\(x\\) and $$y$$",
            "\u202eleft\x1b[31m",
            "http://tracker.example/x.png",
            "n" * 5000,
        ]
    ),
).filter(lambda name: bool(name.strip("\0 \t\r\n")))


class Look(HTMLParser):
    """What a browser and a notebook would make of a piece of HTML, and what is wrong with it."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.pictures, self.runs = [], [], [], []
        self.feed(page)
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        if tag not in ELEMENTS or not set(known) <= {"style", "class", "alt", "src"} or len(known) != len(attrs):
            self.wrong.append((tag, attrs))
        if re.search(r"url\(|expression|@import", known.get("style", "")):
            self.wrong.append((tag, known["style"]))
        if tag == "img":
            self.pictures.append(decode(known["src"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data):
        self.runs.append(data)
        if len(data.strip()) > 1 and re.search(r"[$\\]", data):
            self.wrong.append(data)  # MathJax would read a formula
        if clean(data, longest=10**6) != data.strip():
            self.wrong.append(data)

    def handle_decl(self, decl):
        self.wrong.append(decl)

    handle_comment = handle_pi = unknown_decl = handle_decl

    @property
    def words(self):
        return " ".join("".join(self.runs).split())


def decode(uri):
    """Return the pixels of a data URI; anything else fails."""
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data, validate=True))))


def noise(*shape):
    """Return bytes that no PNG makes smaller."""
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def named(name):
    """Return one value of each kind, with a name of somebody else's wherever a name may stand."""
    record = LayerRecord(name=name, kind=name, n_units=2, objective=name, patch=False)
    last = SIGNATURE.decision.name
    parts = {
        part: {name: getattr(SIGNATURE, part)[last]} for part in ("units", "maps", "activations", "at_rest", "features")
    }
    signature = dataclasses.replace(
        SIGNATURE,
        model={**SIGNATURE.model, "name": name, "file": name},
        class_names=(name, "left"),
        layers=(record,),
        **parts,
    )
    panel = Panel(
        PANEL.images[:2],
        np.array([0, 1]),
        subjects=(name, name),
        class_names=(name, f"not {name}"),
        names=(name, f"not {name}"),
        conversion=name if name.isprintable() and len(name) < 100 else None,
    )
    measures = {key: dataclasses.replace(item, about=name) for key, item in COMPARISON.measures.items()}
    comparison = dataclasses.replace(COMPARISON, candidate=signature, baseline=signature, measures=measures)
    maps = HappyMaps(np.zeros((2, 3, 3, 1)), np.array([1.0, np.nan]), names=(name, name))
    return [panel, signature, comparison, maps]


@settings(max_examples=30, deadline=None)
@given(NAMES)
def test_a_name_acts_on_nothing(name):
    """Whatever a class, a layer, a picture or a file is called, it is text: no element, no address, no formula."""
    for value in named(name):
        page = value._repr_html_()
        assert Look(page).wrong == []
        assert len(page) <= MOST


@pytest.mark.parametrize(
    "page",
    [
        "<div><script>x</script></div>",
        "<div onclick=x></div>",
        "<div style='background:url(http://a.b)'></div>",
        "<div>",
        "<b>$x$</b>",
        "<b>\\(x\\)</b>",
        "<!-- x -->",
        "<b>a\u202eb</b>",
    ],
)
def test_what_acts_is_found(page):
    """The look above can fail: elements, handlers, addresses, formulas, comments and open elements are seen."""
    assert Look(page).wrong != []


@pytest.mark.parametrize("uri", ["http://a.b/x.png", "data:text/html;base64,AAAA", "pictures/x.png"])
def test_a_picture_from_elsewhere_is_found(uri):
    """A picture that is not in the page fails the look."""
    with pytest.raises(AssertionError):
        Look(f"<img src='{uri}'>")


def large():
    """Return one value of each kind that holds more than a notebook should: noise in colour, many classes."""
    classes = tuple(f"class {k}" for k in range(20))
    pictures = noise(160, 112, 112, 3)
    panel = Panel(pictures, np.arange(160) % 20, class_names=classes)
    record = SIGNATURE.decision
    wide = {
        "units": {record.name: np.arange(20)},
        "maps": {record.name: pictures[:20] / np.float32(255)},
        "activations": {record.name: np.arange(20.0)},
    }
    signature = dataclasses.replace(SIGNATURE, class_names=classes, layers=(record,), **wide)
    comparison = dataclasses.replace(COMPARISON, baseline=signature, candidate=signature)
    return [panel, signature, comparison, HappyMaps(pictures / np.float32(255), np.arange(160.0))]


@pytest.mark.parametrize("value", large(), ids=lambda value: type(value).__name__)
def test_a_large_value_is_shown_small(value):
    """Noise in colour, of 160 units or twenty classes, stays below 300 kB, and what is left out is counted."""
    page = value._repr_html_()
    assert 20_000 < len(page) <= MOST
    look = Look(page)
    assert look.wrong == []
    assert len(look.pictures) >= 12
    assert min(min(picture.shape[:2]) for picture in look.pictures) >= 16
    assert " of " in look.words


def test_maps_are_shown_as_they_are():
    """The pictures of HappyMaps are the maps on the scale of the input range, each with its name and activation."""
    maps = np.random.default_rng(0).uniform(-1, 1, (3, 5, 4, 1))
    maps[1] = np.nan
    found = HappyMaps(maps, np.array([1.25, np.nan, -3.5]), names=("a:0", "a:1", "a:2"), input_range=(-1.0, 1.0))
    look = Look(found._repr_html_())
    np.testing.assert_array_equal(look.pictures, as_bytes(maps[[0, 2]], (-1.0, 1.0)))
    assert "2 of 3 units have a map" in look.words
    assert f"a:01.25nomapa:1{NOTHING}a:2{MINUS}3.50" in "".join(look.words.split())


def test_a_panel_shows_pictures_of_each_class():
    """A panel shows at most six pictures of each class as they are, counts all, and names those it shows."""
    look = Look(PANEL._repr_html_())
    assert "24 pictures" in look.words
    assert "other 12 pictures" in look.words
    assert "left 12 pictures" in look.words
    assert len(look.pictures) == 12
    rows = [int(row) for row in np.flatnonzero([any(name == run for run in look.runs) for name in PANEL.names])]
    assert sorted(PANEL.labels[rows].tolist()) == [0] * 6 + [1] * 6
    shown = {picture.tobytes() for picture in look.pictures}
    assert shown == {PANEL.images[row, ..., 0].tobytes() for row in rows}


def test_a_class_without_pictures_is_counted():
    """A class of which the panel holds nothing is named, with no picture."""
    panel = Panel(PANEL.images[:2], np.array([0, 0]), class_names=("left", "right"))
    assert "right 0 pictures" in Look(panel._repr_html_()).words


@pytest.mark.parametrize("scale", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-2.5, 2.5)])
def test_a_panel_of_floats_says_its_scale(scale):
    """Floats are shown between 0 and 1, or what they span where that is more, and the panel says which."""
    low, high = scale
    panel = Panel(np.linspace(low, high, 2 * 64).reshape(2, 8, 8), np.array([0, 1]), class_names=("a", "b"))
    look = Look(panel._repr_html_())
    assert f"black {low:g}, white {high:g}" in look.words
    assert (look.pictures[0].min(), look.pictures[1].max()) == (0, 255)


def test_a_signature_shows_its_layers_and_decision():
    """A signature shows the map of each class, and a row for each layer."""
    look = Look(SIGNATURE._repr_html_())
    kept = SIGNATURE.maps["decision"]
    np.testing.assert_array_equal(look.pictures, as_bytes(kept, SIGNATURE.recipe.input_range))
    assert all(record.name in look.runs for record in SIGNATURE.layers)
    assert set(SIGNATURE.class_names) <= set(look.runs)


def test_a_file_that_ships_shows_no_maps():
    """Of a LiteRT file nothing was rendered: it says so, shows no picture, and no unit counts as rendered."""
    blank = {name: np.full_like(values, np.nan) for name, values in SIGNATURE.activations.items()}
    shipped = dataclasses.replace(SIGNATURE, model={**SIGNATURE.model, "runtime": "litert"}, activations=blank)
    look = Look(shipped._repr_html_())
    assert look.pictures == []
    assert "nothing can be rendered from it" in look.words
    assert "runtime litert" in look.words
    assert look.words.endswith("decisiondecision200")  # kind, units, rendered, with a map


def test_a_comparison_shows_both_decisions_and_its_numbers():
    """A comparison shows the maps of the baseline, then those of the candidate, and numbers with what they rest on."""
    look = Look(COMPARISON._repr_html_())
    sides = [COMPARISON.baseline, COMPARISON.candidate]
    wanted = np.concatenate([as_bytes(side.maps["decision"], side.recipe.input_range) for side in sides])
    np.testing.assert_array_equal(look.pictures, wanted)
    worst = min(item.value for item in COMPARISON.measures.values() if item.metric == "subject_accuracy")
    assert "Subject accuracy" in look.words
    assert f"{worst:.2f}" in look.runs
    assert "experiment0 → half_filters" in look.words


def test_a_comparison_without_numbers_says_so():
    """Where nothing could be measured there is no table, and a sentence."""
    measures = {key: dataclasses.replace(item, value=float("nan")) for key, item in COMPARISON.measures.items()}
    look = Look(dataclasses.replace(COMPARISON, measures=measures)._repr_html_())
    assert "No number could be measured" in look.words
    assert f"0 of {len(measures)} measures have a value" in look.words


@given(st.integers(0, 500), st.integers(1, 64))
def test_what_is_chosen_is_spread_evenly(total, most):
    """At most so many are chosen, none twice, the first and the last among them."""
    chosen = choose_evenly(total, most)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(total, most)
    if total and most > 1:
        assert (chosen[0], chosen[-1]) == (0, total - 1)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 90), st.integers(1, 90), st.sampled_from([(), (3,)]))
def test_pictures_keep_to_their_bound(n, height, width, colours):
    """However many and large they are, pictures hold no more bytes than allowed, unless they are at their smallest."""
    shown = [Figure(noise(height, width, *colours), str(k)) for k in range(n)]
    look = Look(figures(shown, most_bytes=20_000))
    assert len(look.pictures) == n
    held = sum(picture.size for picture in look.pictures)
    assert held <= 20_000 or max(look.pictures[0].shape[:2]) <= 8
    if n * shown[0].pixels.size <= 20_000:
        np.testing.assert_array_equal(look.pictures[0], shown[0].pixels)


def test_parts_hold_what_they_are_given():
    """A card, a heading and a table show their words in order, and nothing else."""
    page = card("Kind", "head", [heading("above", note="beside"), table(("a", "b"), [("c", 1)])], facts=["x", "y"])
    assert Look(page).words == "Kind headx · yabove besideabc1"
    assert text("a&b") == "a&amp;b"
