"""Fuzzing the readers of JSON and TOML documents: each gives a value or its own error, whatever stands there."""

import dataclasses
import datetime
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import FUZZ, altered, damaged
from modelcheck.approval.swap import faults, find_unfinished
from modelcheck.cli.housekeeping import find_unused_measurements
from modelcheck.cli.limits import Questions
from modelcheck.cli.shared import recipe_from
from modelcheck.cli.start import Paths, write_configuration
from modelcheck.gate.artefacts import ArtefactError, take_candidate
from modelcheck.gate.entries import load_cached
from modelcheck.gate.plan import make_plan
from modelcheck.gate.promotion import promotable, refusal
from modelcheck.gate.reading import read_verdict
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings, SettingsError, has_settings, read_settings
from modelcheck.interface import Interface
from modelcheck.judgement.criteria import CriteriaError, Criterion, read_criteria
from modelcheck.judgement.document import DocumentError, seal
from modelcheck.judgement.waiver_file import read_waivers
from modelcheck.judgement.waivers import WaiverError
from modelcheck.modelfile.config import read_json, walk
from modelcheck.recipe import Recipe
from modelcheck.signature import SignatureError, read_manifest, read_signature
from modelcheck.signature.history import HEADING, Entry, HistoryError, parse_history
from modelcheck.support.tables import json_document, toml_document
from reports import make_case, make_document
from signatures import make_signature
from test_fuzz import redigested

ROOT = Path(__file__).parents[1]
TODAY = datetime.date(2026, 3, 10)
DOCUMENT = make_document(make_case()[1])
# What a person or a program may write that takes a reader by surprise.
SURPRISES = ["1" + "0" * 400, "-1" + "0" * 400, "1" * 5000, "[" * 100_000, "1e999", "NaN", "-Infinity", '{"a":' * 5000]


@st.composite
def surprised(draw, document):
    """Return the JSON of a document in which one value is a surprise, which json.dumps would not write."""
    text = json.dumps(document)
    places = [k for k, sign in enumerate(text) if sign == ":"]
    place = draw(st.sampled_from(places)) + 1
    end = min((at for at in (text.find(",", place), text.find("}", place)) if at >= 0), default=len(text))
    return (text[:place] + draw(st.sampled_from(SURPRISES)) + text[end:]).encode()


def mutated(document):
    """Return any bytes in the place of a JSON document."""
    whole = json.dumps(document).encode()
    return (
        st.binary(max_size=60)
        | damaged(whole)
        | altered(document).map(lambda made: json.dumps(made).encode())
        | surprised(document)
    )


@FUZZ
@given(mutated({"a": [1, 2.5, {"b": "c"}], "d": None}))
def test_json(data):
    """Any bytes as JSON: a ValueError, or a value that can be written again."""
    try:
        document = json_document(data)
    except ValueError:
        return
    assert json_document(json.dumps(document, allow_nan=False).encode()) == document


@FUZZ
@given(st.binary(max_size=80) | damaged((ROOT / "pyproject.toml").read_bytes()) | st.text(max_size=80).map(str.encode))
def test_toml(data):
    """Any bytes as TOML: a ValueError, or a table that Python can print."""
    try:
        document = toml_document(data)
    except ValueError:
        return
    assert repr(document)


def test_the_whole_verdict_is_read(tmp_path):
    """The whole input, undamaged, is read; so an error is the damage's doing."""
    (tmp_path / "verdict.json").write_text(json.dumps(DOCUMENT))
    assert read_verdict(tmp_path / "verdict.json") == json.loads(json.dumps(DOCUMENT))


def reseal(data):
    """Return a verdict document under a digest that is right, where there is a document."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    if not isinstance(document, dict):
        return data
    try:
        return json.dumps({**document, "digest": seal(document)}).encode()
    except (ValueError, TypeError, RecursionError):
        return data


@FUZZ
@given(mutated(DOCUMENT), st.booleans())
def test_verdict(tmp_path, data, resealed):
    """Any bytes as a verdict: a DocumentError, or a document on which every question has an answer."""
    (tmp_path / "verdict.json").write_bytes(reseal(data) if resealed else data)
    (tmp_path / "a.keras").write_bytes(b"")
    with pytest.raises((ArtefactError, DocumentError, SignatureError)):
        take_candidate(tmp_path)
    try:
        document = read_verdict(tmp_path / "verdict.json")
    except DocumentError:
        return
    if not refusal(document, tmp_path / "a.keras", today=TODAY):
        promotable(document)


REQUEST = json.loads(
    Request(
        network=Path("a"),
        panel=Path("b"),
        recipe=Recipe(),
        interface=Interface(outputs=("a", "b")),
        custom_objects=("c>D",),
    ).to_json()
)


@FUZZ
@given(mutated(REQUEST))
def test_request(data):
    """Any text as a request: a ValueError, or a request."""
    try:
        made = Request.from_json(data.decode("utf-8", "replace"))
    except ValueError:
        return
    assert Request.from_json(made.to_json()) == made


@FUZZ
@given(mutated(Recipe().to_dict()), st.sampled_from(["x.json", "x.toml"]))
def test_recipe(tmp_path, data, name):
    """Any bytes as recipe settings: a ValueError, or a recipe with a digest."""
    (tmp_path / name).write_bytes(data)
    try:
        made = recipe_from(tmp_path / name)
    except ValueError:
        return
    assert len(made.digest()) == 64


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the folder of a whole signature, and its manifest."""
    folder = tmp_path_factory.mktemp("baseline")
    make_signature(twins=1).write(folder)
    shutil.copy(ROOT / "suites" / "criteria.toml", folder / "criteria.toml")
    return folder, json.loads((folder / "manifest.json").read_bytes())


def read_everything(folder):
    """Read a manifest in every way in which the package does, each with the errors of its own."""
    settings = Settings(candidate=folder / "x", baseline=folder, criteria=folder / "criteria.toml")
    for read in (read_manifest, read_signature, lambda _: make_plan(settings)):
        try:
            read(folder)
        except (SignatureError, CriteriaError):
            continue
    assert all(isinstance(line, str) for line in faults(folder))
    find_unused_measurements(folder, baselines=[], days=1, now=0)


def test_a_manifest_without_a_key_is_an_error(written, tmp_path):
    """Each key of a manifest, taken away under a digest that is right or given another kind of value, is told."""
    folder, document = written
    cache = tmp_path / "signatures" / "x"
    shutil.copytree(folder, cache)
    for key in set(document) - {"digest"}:
        for changed in ({**document, key: 30}, {name: value for name, value in document.items() if name != key}):
            cache.mkdir(exist_ok=True)
            (cache / "manifest.json").write_bytes(redigested(changed))
            with pytest.raises(SignatureError):
                read_signature(cache)
            read_everything(cache)
            assert find_unused_measurements(tmp_path, baselines=[""], days=1e9, now=0)
            assert load_cached(cache, "0" * 64) is None
    assert not cache.exists()


@pytest.mark.slow
@FUZZ
@given(data=st.data())
def test_manifest_of_a_plan(written, data):
    """Any JSON under a digest that is right, read for a plan, a history's check and the tidying of a cache."""
    folder, document = written
    whole = (folder / "manifest.json").read_bytes()
    try:
        (folder / "manifest.json").write_bytes(data.draw(altered(document).map(redigested) | mutated(document)))
        read_everything(folder)
    finally:
        (folder / "manifest.json").write_bytes(whole)


FACTS = {
    **dict.fromkeys(("reason", "by", "network", "platform"), "x"),
    "signature": "a" * 64,
    "replaces": "nothing",
    "panel": "b" * 64,
}
HISTORY = (HEADING + Entry(when="2026-03-01T10:00:00+00:00", facts=FACTS).text()).encode()


@FUZZ
@given(damaged(HISTORY) | st.sampled_from([HISTORY.replace(b": x", b": &#" + b"1" * 5000 + b";")]))
def test_history(data):
    """Any bytes as a history: a HistoryError, or its entries."""
    try:
        entries = parse_history(data.decode("utf-8", "replace"))
    except HistoryError:
        return
    assert all(entry.facts["reason"] for entry in entries)


def test_the_whole_history_is_read():
    """The whole input, undamaged, is read; so an error is the damage's doing."""
    assert [entry.facts for entry in parse_history(HISTORY.decode())] == [FACTS]


@FUZZ
@given(mutated({"manifest": "a" * 64, "entry": "b" * 64, "sheet": "c" * 64}))
def test_plan_of_an_approval(tmp_path, data):
    """Any bytes as the plan that an approval left: it is unfinished only where the manifest is the plan's."""
    (tmp_path / ".approval").mkdir(exist_ok=True)
    (tmp_path / ".approval" / "plan.json").write_bytes(data)
    assert find_unfinished(tmp_path) is None


TOOLS = [
    b"tool = 3",
    b"tool = []",
    b"[tool]\nmodelcheck = 3",
    b"[[tool]]\na = 1",
    b"[tool.modelcheck]\ntimeout = 1" + b"0" * 400,
    b"a = " + b"[" * 50_000,
    b"a." * 50_000 + b"b = 1",
    b"a = 0x" + b"f" * 9000,
    b"a = {b = " * 20_000,
    b"\xff",
    b"a = 1\na = 2",
]


@pytest.mark.parametrize("text", TOOLS, ids=range(len(TOOLS)))
def test_no_project_file_is_a_traceback(text, tmp_path):
    """Whatever stands in pyproject.toml, settings and `init` read it or say what is wrong."""
    (tmp_path / "pyproject.toml").write_bytes(text)
    for read in (read_settings, has_settings):
        try:
            read(tmp_path)
        except SettingsError:
            continue
    with pytest.raises(ValueError, match=r"pyproject.toml|tool"):
        list(write_configuration(tmp_path, Paths(candidate="a", baseline="b", panel="c"), questions=Questions()))
    assert (tmp_path / "pyproject.toml").read_bytes() == text


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1" + "0" * 400, "0x" + "f" * 400, "1e999", "nan"])
def test_no_number_is_a_traceback(number, tmp_path):
    """A number that no float can hold is an error of the file in which it stands."""
    path = tmp_path / "x.toml"
    path.write_text(f'[[criterion]]\nmetric = "kappa"\nat_least = {number}\nwhy = "x"\n')
    with pytest.raises(CriteriaError):
        read_criteria(path, metrics=["kappa"])
    path.write_text(f'[[waiver]]\nmetric = "kappa"\nvalue = {number}\n')
    with pytest.raises(WaiverError):
        read_waivers(path, metrics=["kappa"])
    path.write_text(f"steps = {number}\n")
    with pytest.raises(ValueError, match=r"recipe|steps"):
        recipe_from(path)
    path.write_text(f"[tool.modelcheck]\nmemory = {number}\n")
    path.rename(tmp_path / "pyproject.toml")
    with pytest.raises(SettingsError):
        read_settings(tmp_path)


@pytest.mark.parametrize("value", [10**400, -(10**400)])
def test_no_number_from_python_is_a_traceback(value):
    """The same from Python: a criterion's limit or a recipe's strength beyond any float is a ValueError."""
    with pytest.raises(ValueError, match=r"at_least|finite|limit"):
        Criterion(metric="kappa", at_least=value, why="x")
    with pytest.raises(ValueError, match="blur"):
        dataclasses.replace(Recipe(), blur=value)


@FUZZ
@given(mutated({"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"name": "a"}}]}}))
def test_configuration(data):
    """Any bytes as a configuration: a refusal, or what it names."""
    document, refusal_of = read_json(data, "config.json")
    if refusal_of is None:
        assert all(isinstance(name, str) for name in walk(document).layers)
