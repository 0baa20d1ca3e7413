"""A record of a network on a table: written whole, read as it was written, and refused where anything is wrong."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from modelcheck.interface import Interface
from modelcheck.panel.columns import Column
from modelcheck.signature import (
    LayerRecord,
    LocalEffect,
    ProfileExchange,
    SignatureError,
    TableSignature,
    read_manifest,
    read_record,
    read_signature,
)
from modelcheck.signature.storage import encode_canonical
from modelcheck.support.files import read_file
from modelcheck.table_recipe import TableRecipe

ROWS, PROBES = 30, 6
AGE = np.linspace(18, 90, ROWS)
WORK = np.array(["day", "night", ""] * (ROWS // 3))
SEX = np.array(["f"] * 12 + ["m"] * 13 + ["x"] * 5)


def make_record(*, seed=0, class_names=("no", "yes"), named=("age", "work/shift|[1]"), **changes):
    """Return a record of arrays that mean nothing, of the shapes that they must have."""
    draw = np.random.default_rng(seed)
    outputs = len(class_names) or 1
    age, work = named
    columns = (Column.seen(age, AGE, unit="years"), Column.seen(work, WORK))
    units = {"hidden": np.arange(3), "decision": np.arange(2)}

    def per_unit(*shape):
        return {layer: draw.normal(size=(len(shown), *shape)).astype(np.float32) for layer, shown in units.items()}

    parts = {
        "model": {"name": "net", "file": "net.keras", "sha256": "ab" * 32, "parameters": 9, "bytes": 100},
        "recipe": TableRecipe(),
        "panel_digest": "cd" * 32,
        "target": "bought",
        "class_names": class_names,
        "columns": columns,
        "layers": tuple(
            LayerRecord(name=layer, kind=kind, n_units=len(units[layer]), objective="mean", patch=False)
            for layer, kind in (("hidden", "dense"), ("decision", "decision"))
        ),
        "units": units,
        "typical": np.array([np.median(AGE), 0.0]),
        "profiles": {layer: values.astype(np.float64) for layer, values in per_unit(2).items()},
        "happiness": per_unit(),
        "at_rest": per_unit(),
        "gains": per_unit(2),
        "features": {
            layer: draw.normal(size=(PROBES, len(shown))).astype(np.float32) for layer, shown in units.items()
        },
        "scores": draw.normal(size=(ROWS, outputs)).astype(np.float32),
        "rows": {
            "truth": np.arange(ROWS) % 2 if class_names else AGE * 2,
            "names": np.array([f"row-{k}" for k in range(ROWS)]),
            "groups/sex": SEX,
        },
        "probes": np.arange(PROBES),
        "exchanges": {
            "rows": np.arange(4),
            "donors": np.arange(8).reshape(4, 2),
            "falls": draw.normal(size=(4, 2, 2)).astype(np.float32),
        },
        "effects": {
            age: LocalEffect(
                edges=np.linspace(18, 90, 4), bins=np.arange(ROWS) % 3, changes=draw.normal(size=(ROWS, outputs))
            ),
            work: LocalEffect(
                edges=np.empty(0), bins=np.arange(ROWS) % 2, changes=draw.normal(size=(ROWS, 2, outputs))
            ),
        },
        "shuffled": draw.normal(size=(2, 3)).astype(np.float32),
        "relevance": {"deeplift": draw.normal(size=(PROBES, 2)).astype(np.float32)},
        "fingerprint": {"0_2x3": np.float16([1.0, 2.0])},
        "exchange": ProfileExchange(profiles_sha256="ef" * 32, happiness=np.ones(2, "f4"), at_rest=np.zeros(2, "f4")),
        "provenance": {"versions": {"keras": "3"}},
    }
    return TableSignature(**{**parts, **changes})


WITH_TWINS = make_record(
    twins=(make_record(seed=1),), retrained=(make_record(seed=2).reduce_to_twin({"driver_distance": 0.5}),)
)
KINDS = {
    "classes": make_record(),
    "numbers": make_record(class_names=()),
    "twins": WITH_TWINS,
    "interface": make_record(interface=Interface(label=1)),
    "sparse": make_record(exchanges={}, effects={}, relevance={}, exchange=None, shuffled=np.empty((0, 0), "f4")),
}


@pytest.mark.parametrize("record", KINDS.values(), ids=KINDS)
def test_a_record_is_read_as_it_was_written(record, tmp_path):
    """Every part comes back, and the digest is that of the content."""
    record.write(tmp_path)
    found = read_record(tmp_path)
    assert isinstance(found, TableSignature)
    assert found.digest() == record.digest()
    assert found.columns == record.columns
    assert found.model == record.model
    for name in record.effects:
        np.testing.assert_allclose(found.effects[name].changes, record.effects[name].changes, rtol=1e-6)
    np.testing.assert_array_equal(found.rows["groups/sex"], SEX)
    assert [len(found.twins), len(found.retrained)] == [len(record.twins), len(record.retrained)]


@pytest.mark.parametrize("part", ["scores", "typical", "shuffled", "probes"])
def test_any_other_array_is_another_record(part):
    """The digest covers each array."""
    record = make_record()
    array = getattr(record, part)
    assert replace(record, **{part: array + np.asarray(1, array.dtype)}).digest() != record.digest()


def test_a_manifest_lists_populations_and_effects(tmp_path):
    """Sub-populations of ten rows or more are measured, smaller ones named; each column has an effect by division."""
    make_record().write(tmp_path)
    manifest = read_manifest(tmp_path)
    assert manifest["populations"] == ["sex=f", "sex=m"]
    assert manifest["small_populations"] == ["sex=x"]
    assert manifest["divisions"] == ["sex"]
    assert manifest["effects"] == ["age|sex", "work/shift|[1]|sex"]


def test_readers_of_pictures_refuse_a_table(tmp_path):
    """Whoever asks for a network on pictures is told that it is none."""
    make_record().write(tmp_path)
    with pytest.raises(SignatureError, match="on a table"):
        read_signature(tmp_path)


WRONG = {
    "scores": {"scores": np.zeros((ROWS, 3), np.float32)},
    "rows": {"rows": {"truth": np.zeros(ROWS - 1, int), "names": np.array(["a"] * ROWS)}},
    "typical": {"typical": np.zeros(3)},
    "profiles": {"profiles": {"hidden": np.zeros((3, 1)), "decision": np.zeros((2, 2))}},
    "falls": {"exchanges": {"rows": np.arange(4), "donors": np.zeros((4, 2)), "falls": np.zeros((4, 3, 2))}},
    "effects": {"effects": {**make_record().effects, "age": make_record().effects["work/shift|[1]"]}},
    "relevance": {"relevance": {"deeplift": np.zeros((PROBES, 5))}},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_parts_that_do_not_fit_are_refused(changes, tmp_path):
    """A record whose shapes contradict each other is no record."""
    make_record(**changes).write(tmp_path)
    with pytest.raises(SignatureError, match="incomplete"):
        read_record(tmp_path)


def test_a_manifest_that_was_edited_is_refused(tmp_path):
    """What follows from the rows cannot be said otherwise: a digest is no excuse for a smaller plan."""
    make_record().write(tmp_path)
    document = json.loads(read_file(tmp_path / "manifest.json"))
    document.pop("digest")
    document["effects"] = []
    document["digest"] = hashlib.sha256(encode_canonical(document)).hexdigest()
    (tmp_path / "manifest.json").write_bytes(encode_canonical(document))
    with pytest.raises(SignatureError, match="other effects than its rows give"):
        read_record(tmp_path)
