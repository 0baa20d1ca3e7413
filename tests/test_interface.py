"""How inputs and outputs are to be understood: one value, which settings, requests and records keep alike."""

import json
import shlex
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcheck.approval.changes import changes
from modelcheck.gate import evidence
from modelcheck.gate.child import ChildError
from modelcheck.gate.inputs import describe_settings
from modelcheck.gate.settings import Settings, SettingsError, read_interface, read_settings, write_options
from modelcheck.gate.verdict import _network, error_document
from modelcheck.interface import (
    PRESETS,
    Interface,
    reverse_channels,
    say_better_preprocessing,
    say_class_order,
    say_preprocessing_cure,
    spell_preprocessing,
    write_preprocessing,
)
from modelcheck.report.overview import networks
from modelcheck.signature import SignatureError, read_manifest, read_signature
from signatures import make_panel, make_signature

NAMES = st.text(min_size=1)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
INTERFACES = st.builds(
    Interface,
    outputs=st.lists(NAMES, max_size=3).map(tuple),
    output=st.none() | NAMES | st.integers(0, 9),
    input=st.none() | NAMES,
    inputs=st.dictionaries(NAMES, NUMBERS, max_size=2),
    label=st.none() | NAMES | st.integers(0, 9),
    threshold=st.none() | NUMBERS,
)
MODEL = {"name": "n", "file": "f", "sha256": "0" * 64, "parameters": 1, "bytes": 2}
SCHEMA = json.loads(Path("docs/verdict.schema.json").read_text(encoding="utf-8"))
ALL = Interface(outputs=("a", "b"), output="o", input="i", inputs={"age": 1}, label=1, threshold=0, preprocessing="tf")


@given(INTERFACES)
def test_an_interface_survives_its_table(interface):
    """What is said is kept, what is left open stays open."""
    assert Interface.from_dict(interface.to_dict()) == interface
    assert bool(interface) == bool(interface.to_dict())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lable": "a"}, "Did you mean 'label'"),
        ({"threshold": float("nan")}, "threshold must be a finite number"),
        ({"threshold": True}, "threshold must be a finite number"),
        ({"label": ""}, "label must be a name"),
        ({"output": -1}, "output must be a name"),
        ({"output": True}, "output must be a name"),
        ({"inputs": {"age": "old"}}, "inputs must be a table"),
        ({"outputs": "a"}, "outputs must be a list"),
    ],
)
def test_a_part_that_is_none_is_named(values, words):
    """A value of another type, or a part that there is not, is an error that names it."""
    with pytest.raises(ValueError, match=words):
        Interface.from_dict(values)
    with pytest.raises(SettingsError, match="threshold must be a finite number"):
        read_interface({"threshold": "half"})
    with pytest.raises(SettingsError, match="held at a value"):
        read_interface({"inputs": ("age",)})
    with pytest.raises(SettingsError, match="not at several"):
        read_interface({"inputs": ("age=1", "age=2")})
    with pytest.raises(SettingsError, match="more than one table"):
        read_interface({"preprocessing": "{ scale = 1 }\nlabel = 2"})


@pytest.mark.parametrize("parts", [{"scale": 1e308, "std": 1e-308}, {"scale": 1e-320}, {"mean": 1e300}, {"std": 1e300}])
def test_a_preprocessing_that_leaves_nothing_of_a_picture_is_refused(parts):
    """Finite parts whose quotient is infinite, or nothing, in the numbers of a network."""
    with pytest.raises(ValueError, match="no network can tell apart"):
        Interface(preprocessing=parts)


def test_settings_hold_each_part_as_a_key(tmp_path):
    """Keys of the file are the parts, and an option wins over the file."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.modelcheck]\nlabel = 2\nthreshold = 0.5\noutput = "smile"\n[tool.modelcheck.inputs]\nage = 1\n'
    )
    settings = read_settings(tmp_path, {"label": "hat"})
    assert settings.interface == Interface(label="hat", threshold=0.5, output="smile", inputs={"age": 1.0})
    assert describe_settings(settings)["label"] == "hat"


WORDS = st.text('abc,=" -', min_size=1)


@given(
    st.builds(
        Interface,
        outputs=st.lists(WORDS, max_size=3).map(tuple),
        label=st.none() | WORDS,
        inputs=st.dictionaries(WORDS, NUMBERS, max_size=2),
        threshold=st.none() | NUMBERS,
        preprocessing=st.sampled_from(
            [None, "none", "torch", {"scale": 0.5}, {"mean": [0.1, 2, 3e-9], "std": 1e9, "order": "bgr"}]
        ),
    )
)
def test_options_say_the_same(interface):
    """The words that a verdict offers for the next command are read as what was judged."""
    words = write_options(interface)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    given = {name.removeprefix("--"): value for name, value in pairs if name != "--inputs"}
    assert read_interface({**given, "inputs": [value for name, value in pairs if name == "--inputs"]}) == interface


@pytest.mark.parametrize("said", [Interface(), Interface(label="-x", threshold=-1, preprocessing={"scale": 0.5})])
def test_the_command_that_runs_the_gate_again_reads_the_candidate_alike(said):
    """What pytest's options said of inputs and outputs stands in the next command, as the options understand it."""
    reason = {"kind": "error", "text": "x"}
    document = error_document({"verdict": "fail", "reasons": []}, reason, settings=Settings(interface=said))
    words = shlex.split(document["next"][0]["command"])[6:]
    given = dict(word.removeprefix("--modelcheck-").split("=", 1) for word in words)
    assert read_interface(given) == said


@pytest.mark.parametrize(("said", "taken"), [(Interface(), ALL), (Interface(label=2), Interface(label=2))])
def test_a_candidate_is_read_as_the_baseline_was(monkeypatch, tmp_path, said, taken):
    """Where the settings say nothing; where they say anything, by that alone."""
    panel = make_panel()
    panel.save(tmp_path / "panel.npz")
    replace(make_signature(panel=panel), interface=ALL).write(tmp_path / "baseline")
    (tmp_path / "a.keras").touch()

    def asked(request, **_):
        raise ChildError(repr(request.interface))

    monkeypatch.setattr(evidence, "load_or_measure", asked)
    settings = Settings(
        candidate=tmp_path / "a.keras", baseline=tmp_path / "baseline", panel=tmp_path / "panel.npz", interface=said
    )
    with pytest.raises(ChildError) as raised:
        evidence.gather(settings)
    assert str(raised.value) == repr(taken)


def test_a_record_keeps_its_interface(tmp_path):
    """Written and read it is the same, and a record without one has the digest that it always had."""
    plain = make_signature()
    said = replace(plain, interface=ALL)
    said.write(tmp_path / "said")
    plain.write(tmp_path / "plain")
    assert read_signature(tmp_path / "said").interface == ALL
    assert read_signature(tmp_path / "said").digest() == said.digest() != plain.digest()
    assert "interface" not in read_manifest(tmp_path / "plain")
    assert read_signature("baselines/drawn-faces").digest()[:12] == read_manifest_digest()


def read_manifest_digest():
    """Return the digest of the embedded baseline's signature, as its history names it."""
    from modelcheck.signature.history import parse_history
    from modelcheck.support.files import read_file

    entries = parse_history(read_file("baselines/drawn-faces/HISTORY.md").decode())
    return entries[-1].facts["signature"][:12]


def test_a_damaged_interface_is_refused(tmp_path):
    """A manifest whose interface is none cannot be read."""
    record = replace(make_signature(), interface=replace(ALL))
    object.__setattr__(record.interface, "threshold", "half")
    record.write(tmp_path)
    with pytest.raises(SignatureError, match="interface must be an interface"):
        read_signature(tmp_path)


@pytest.mark.parametrize("part", ["network", "settings"])
def test_a_verdict_says_how_networks_were_understood(part):
    """Its schema has every part, of the networks and of the settings, and the report says them in words."""
    row = _network(replace(make_signature(), interface=ALL, model=MODEL))
    made = row if part == "network" else describe_settings(Settings(interface=ALL))
    jsonschema.validate(made, {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{part}"})
    shown = networks(row, None)[0]["interface"]
    assert shown == "outputs a b, output o, input i, inputs age=1, label 1, threshold 0, preprocessing tf"


def test_an_approval_says_what_it_understands_otherwise():
    """The lines of a change name both, and a first baseline what it was given."""
    plain = make_signature()
    said = replace(plain, interface=Interface(label="hat"))
    assert "Inputs and outputs: as its file says -> label hat." in changes(plain, said, None)
    assert "Inputs and outputs: label hat." in changes(None, said, None)
    assert not [line for line in changes(None, plain, None) if line.startswith("Inputs")]


def test_every_part_is_said():
    """The example above leaves no part out."""
    assert all(item.name in ALL.to_dict() for item in fields(Interface))


def test_reversed_channels_are_said_in_words_and_with_a_setting_that_works(tmp_path):
    """A table is typed once, in the cure, which is read again as the same; the fact says what it means."""
    table = spell_preprocessing(write_preprocessing(reverse_channels(PRESETS["torch"], (0.0, 1.0))))
    fact = say_better_preprocessing(table, now=0.5, reached=1.0, alike=("caffe",))
    assert fact.endswith("0.50 now, and 1.00 with the channels reversed, or as good with 'caffe'.")
    (tmp_path / "pyproject.toml").write_text(
        "[tool.modelcheck]\n"
        + say_preprocessing_cure(table, approving=False).split("say it: ")[1].removesuffix(" in [tool.modelcheck]")
    )
    kept = read_settings(tmp_path).interface.preprocessing
    assert kept == {"scale": 1 / 255, "mean": [0.406, 0.456, 0.485], "std": [0.225, 0.224, 0.229], "order": "bgr"}
    typed = shlex.split(say_preprocessing_cure(table, approving=True).split("say it: ")[1])
    assert typed[0] == "--preprocessing"
    assert read_interface({"preprocessing": typed[1]}).preprocessing == kept


def test_of_many_classes_in_another_order_a_few_are_said():
    """Three, and how many more; names from outside are harmless and cut."""
    classes = [f"class{k}" for k in range(40)]
    said = say_class_order(classes, classes[1:] + classes[:1], now=0.0, reached=1.0)
    assert said.count("what it calls") == 3
    assert "and 37 more are moved" in said
    alike = ["a" * 60 + "x", "a" * 60 + "y"]
    assert say_class_order(alike, alike[::-1], now=0, reached=1).count("what it calls") == 2
    assert len(say_class_order(["a" * 500, "\x1b[31m"], ["\x1b[31m", "a" * 500], now=0, reached=1)) < 800
    assert "\x1b" not in say_class_order(["a", "\x1b[31m"], ["\x1b[31m", "a"], now=0, reached=1)
