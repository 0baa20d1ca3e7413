"""Fuzzing the readers of texts and pictures, as tests/test_fuzz.py does those of records and networks."""

import hashlib
import json

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import FUZZ, damaged
from modelcheck.comparison import METRICS
from modelcheck.faces.cmu import CmuError, read_pgm
from modelcheck.faces.regions import RegionError, read_boxes, regions_from_boxes
from modelcheck.gate.settings import Settings, SettingsError, has_settings, read_settings
from modelcheck.judgement.criteria import CriteriaError, Criterion, read_criteria
from modelcheck.judgement.waiver_file import read_waivers
from modelcheck.judgement.waivers import LONGEST, Waiver, WaiverError

PGMS = [b"P5 3 2 255\n" + bytes(range(6)), b"P2\n# made\n3 2\n9\n1 2 3\n4 5 6\n", b"P5 2 2 65535\n" + bytes(8)]


@FUZZ
@given(st.binary(max_size=60) | st.sampled_from(PGMS).flatmap(damaged))
def test_pgm(tmp_path, data):
    """Any bytes as a picture."""
    path = tmp_path / "x.pgm"
    path.write_bytes(data)
    try:
        image = read_pgm(path)
    except CmuError:
        return
    assert image.ndim == 2
    assert image.size > 0
    assert image.dtype in (np.uint8, np.uint16)


BOXES = b"name,row,column,height,width,how\nada,1,2,3,4,found\nben,0,0,6,5,given\n"


@FUZZ
@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode) | damaged(BOXES))
def test_boxes(tmp_path, data):
    """Any bytes as a table of boxes, and the masks that follow from it."""
    path = tmp_path / "boxes.csv"
    path.write_bytes(data)
    try:
        boxes = read_boxes(path)
    except RegionError:
        return
    assert isinstance(boxes, pd.DataFrame)
    assert boxes["name"].is_unique
    try:
        masks = regions_from_boxes(boxes, names=["ada", "ben"], shape=(6, 5))
    except RegionError:
        return
    assert masks.shape == (2, 6, 5)
    assert masks.any(axis=(1, 2)).all()


SETTINGS = (
    b'[tool.modelcheck]\ncandidate = "a.keras"\noutputs = ["x"]\ntimeout = 5\nmemory = 2.5\n'
    b'custom_objects = ["a.b>C"]\n[tool.modelcheck.layers]\nconv1 = "conv2"\ndense1 = false\n'
)


VALUES = [
    b'""',
    b"0",
    b"-1",
    b"nan",
    b"inf",
    b"true",
    b"[]",
    b"{}",
    b"1979-05-27",
    b"9e99",
    b"1" + b"0" * 400,
    b"9" * 5000,
    b"0x" + b"f" * 5000,
    b'["\\u0000"]',
    b"[[1]]",
    b'"\\u0000"',
]


@st.composite
def toml_of(draw, keys, header):
    """Return a table whose keys are known ones and whose values are of every kind."""
    lines = [header] + [
        draw(st.sampled_from(keys)).encode() + b" = " + draw(st.sampled_from(VALUES))
        for _ in range(draw(st.integers(1, 4)))
    ]
    return b"\n".join(lines)


KEYS = ["candidate", "baseline", "panel", "criteria", "report", "cache", "outputs", "layers", "timeout", "memory"]


@FUZZ
@given(
    st.binary(max_size=60)
    | damaged(SETTINGS)
    | toml_of([*KEYS, "custom_objects", "layers.conv1"], b"[tool.modelcheck]")
    | toml_of(["tool", "tool.modelcheck", "x"], b"")
)
def test_settings(tmp_path, data):
    """Any bytes as pyproject.toml."""
    (tmp_path / "pyproject.toml").write_bytes(data)
    assert has_settings(tmp_path) in (True, False)
    try:
        found = read_settings(tmp_path)
    except SettingsError:
        return
    assert isinstance(found, Settings)
    assert 0 < found.timeout < 1e7
    assert found.memory > 0


CRITERIA = b"""[[criterion]]
metric = "transfer"
at_least = 0.5
at_most = 1
about = "conv*"
judged_by = "interval"
advisory = true
optional = false
why = "because"
"""


ROW = ["metric", "at_least", "at_most", "about", "judged_by", "advisory", "optional", "calibrated_by", "why"]


@FUZZ
@given(
    st.binary(max_size=60)
    | damaged(CRITERIA)
    | toml_of(ROW, b'[[criterion]]\nmetric = "transfer"\nwhy = "x"')
    | toml_of(ROW, b'[[criterion]]\nmetric = "transfer"')
)
def test_criteria(tmp_path, data):
    """Any bytes as criteria."""
    path = tmp_path / "criteria.toml"
    path.write_bytes(data)
    try:
        rows, _ = read_criteria(path, metrics=METRICS)
    except CriteriaError:
        return
    assert rows
    for row in rows:
        assert isinstance(row, Criterion)
        assert isinstance(row.advisory, bool)
        assert isinstance(row.optional, bool)


WAIVERS = b"""[[waiver]]
metric = "kappa"
about = "conv*"
candidate = "%s"
owner = "ada"
reason = "because"
created = 2026-03-01
expires = 2026-04-01
value = 0.5
""" % (b"0a" * 32)


ALLOWED = ["metric", "about", "candidate", "owner", "reason", "created", "expires", "value", "x"]


@st.composite
def excused(draw):
    """Return a whole row of which one value is of another kind."""
    lines = WAIVERS.splitlines()
    place = draw(st.integers(1, len(lines) - 1))
    lines[place] = lines[place].split(b" = ")[0] + b" = " + draw(st.sampled_from(VALUES))
    return b"\n".join(lines)


@FUZZ
@given(st.binary(max_size=60) | damaged(WAIVERS) | excused() | toml_of(ALLOWED, b"[[waiver]]") | toml_of(ALLOWED, b""))
def test_waivers(tmp_path, data):
    """Any bytes as waivers."""
    path = tmp_path / "waivers.toml"
    path.write_bytes(data)
    try:
        rows, digest = read_waivers(path, metrics=METRICS)
    except WaiverError:
        return
    assert digest == hashlib.sha256(data).hexdigest()
    for row in rows:
        assert isinstance(row, Waiver)
        assert np.isfinite(row.value)
        assert 0 <= (row.expires - row.created).days <= LONGEST
        assert json.dumps(row.to_dict(), allow_nan=False)


def test_whole_texts_are_read(tmp_path):
    """The whole inputs, undamaged, are read; so an error is the damage's doing."""
    (tmp_path / "boxes.csv").write_bytes(BOXES)
    assert len(read_boxes(tmp_path / "boxes.csv")) == 2
    (tmp_path / "pyproject.toml").write_bytes(SETTINGS)
    assert read_settings(tmp_path).memory == 2.5
    (tmp_path / "c.toml").write_bytes(CRITERIA)
    assert len(read_criteria(tmp_path / "c.toml", metrics=METRICS)[0]) == 1
    (tmp_path / "w.toml").write_bytes(WAIVERS)
    assert len(read_waivers(tmp_path / "w.toml", metrics=METRICS)[0]) == 1
    for data in PGMS:
        (tmp_path / "x.pgm").write_bytes(data)
        assert read_pgm(tmp_path / "x.pgm").shape in ((2, 3), (2, 2))
