"""Fuzzing every reader of files: damaged or hostile bytes give the reader's own error or a correct result.

Sixty inputs a reader in an ordinary run; many more with, for example,
`MODELCHECK_FUZZ=20000 pytest tests/test_fuzz.py -k panel`.
"""

import contextlib
import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile import honest, packed
from modelcheck.archive import ArchiveError, read_arrays
from modelcheck.compare import METRICS
from modelcheck.criteria import CriteriaError, Criterion, read_criteria
from modelcheck.faces.cmu import CmuError, read_pgm
from modelcheck.faces.regions import RegionError, read_boxes, regions_from_boxes
from modelcheck.panel import Panel, PanelError
from modelcheck.scan import ScanReport, scan_bytes
from modelcheck.settings import Settings, SettingsError, has_settings, read_settings
from modelcheck.signature import Signature, SignatureError, read_manifest, read_signature
from modelcheck.waivers import LONGEST, Waiver, WaiverError, read_waivers
from signatures import make_panel, make_signature

EXAMPLES = int(os.environ.get("MODELCHECK_FUZZ", "60"))
# A function's own folder serves all its examples: each overwrites the file.
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

WORDS = [
    b"\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"-1",
    b"NaN",
    b"1e999",
    b"[",
    b"{",
    b'"',
    b"#",
    b"\n",
    b"\xef\xbb\xbf",
]


@st.composite
def damaged(draw, data):
    """Return the bytes with one to four changes: bytes set, cut out, put in, doubled, or everything cut off."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(changed) - 1, 0)))
        # Headers are short and decide everything; half of the changes go there.
        place = place % 300 if draw(st.booleans()) else place
        length = draw(st.integers(1, 16))
        kind = draw(st.sampled_from(["set", "cut", "put", "double", "end"]))
        if kind == "set":
            changed[place : place + length] = draw(st.binary(min_size=length, max_size=length))
        elif kind == "cut":
            del changed[place : place + length]
        elif kind == "put":
            changed[place:place] = draw(st.sampled_from(WORDS) | st.binary(max_size=length))
        elif kind == "double":
            changed[place:place] = changed[place : place + 64 * length]
        else:
            del changed[place:]
    return bytes(changed)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "..", "/x", "__lambda__", "Lambda", "function", 2**63, -1, 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def altered(draw, document):
    """Return a JSON document with one to three values anywhere replaced, taken away or added."""
    changed = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        node = changed
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], dict | list) and draw(st.integers(0, 3)):
                node = node[key]
                continue
            kind = draw(st.sampled_from(["replace", "remove", "add"]))
            if kind == "replace":
                node[key] = draw(JSON)
            elif kind == "remove":
                del node[key]
            elif isinstance(node, dict):
                node[draw(st.text(max_size=8))] = draw(JSON)
            else:
                node.append(draw(JSON))
            break
    return changed


PANEL = make_panel(subjects=("ada", "ben"), size=(6, 5), per_subject=4)


def zipped(arrays):
    """Return an .npz file."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def panel_bytes():
    """Return a whole panel file."""
    parts = {name: getattr(PANEL, name) for name in ("images", "labels", "subjects", "regions", "names", "groups")}
    return zipped({"format": np.int64(1), "class_names": np.array(PANEL.class_names), **parts})


def unzipped(data):
    """Return the members of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


WHOLE = panel_bytes()
MEMBERS = unzipped(WHOLE)


@st.composite
def inner_damage(draw, members):
    """Return a zip archive with one member damaged and every checksum right."""
    name = draw(st.sampled_from(sorted(members)))
    return packed({**members, name: draw(damaged(members[name]))})


DTYPES = [
    "<f4",
    "<f8",
    ">f8",
    "|u1",
    "<i8",
    "<u8",
    "|b1",
    "<U3",
    "|O",
    "<c8",
    "|V4",
    "<M8[s]",
    "[('a','<f4')]",
    "<f2",
    "|S3",
]


@st.composite
def headed(draw, members):
    """Return a panel of which one member has another header: shape, dtype or order of somebody's choice."""
    name = draw(st.sampled_from(sorted(members)))
    shape = tuple(draw(st.lists(st.integers(-1, 9) | st.sampled_from([2**31, 2**40, 2**62]), max_size=4)))
    dtype = draw(st.sampled_from(DTYPES))
    described = dtype if dtype.startswith("[") else repr(dtype)
    text = f"{{'descr': {described}, 'fortran_order': {draw(st.booleans())}, 'shape': {shape}, }}".encode()
    head = text + b" " * (-(len(text) + 11) % 64) + b"\n"
    body = draw(st.binary(max_size=64)) if draw(st.booleans()) else members[name][128:]
    return packed({**members, name: b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + body})


def reads_panel(data, folder):
    """Read a panel: PanelError, or a panel that satisfies its own rules."""
    path = folder / "panel.npz"
    path.write_bytes(data)
    try:
        panel = Panel.load(path)
    except PanelError:
        return
    assert len(panel.labels) == len(panel) > 0
    assert panel.labels.min() >= 0
    assert panel.labels.max() < len(panel.class_names)
    assert np.isfinite(panel.images).all()
    panel.save(path)
    assert Panel.load(path).digest() == panel.digest()


@FUZZ
@given(st.binary(max_size=200) | damaged(WHOLE) | inner_damage(MEMBERS) | headed(MEMBERS))
def test_panel(tmp_path, data):
    """Any bytes as a panel."""
    reads_panel(data, tmp_path)


@FUZZ
@given(st.binary(max_size=200) | damaged(WHOLE) | inner_damage(MEMBERS) | headed(MEMBERS))
def test_arrays(data):
    """Any bytes as an .npz file: plain arrays of no more bytes than the members have."""
    try:
        arrays = read_arrays(data)
    except ArchiveError:
        return
    assert all(array.dtype.kind in "biufU" for array in arrays.values())
    assert sum(array.nbytes for array in arrays.values()) <= sum(map(len, unzipped(data).values()))


SIGNATURE = make_signature(panel=PANEL, probes=4, twins=1)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the folder of a whole signature, and its manifest."""
    folder = tmp_path_factory.mktemp("signature")
    SIGNATURE.write(folder)
    return folder, json.loads((folder / "manifest.json").read_bytes())


def reads_signature(folder):
    """Read a signature: SignatureError, or a Signature."""
    for read, kind in ((read_manifest, dict), (read_signature, Signature)):
        with contextlib.suppress(SignatureError):
            assert isinstance(read(folder), kind)


@FUZZ
@given(data=st.data())
def test_manifest(written, data):
    """Any bytes as a manifest, and any JSON under a digest that is right."""
    folder, document = written
    whole = (folder / "manifest.json").read_bytes()
    made = data.draw(st.binary(max_size=80) | damaged(whole) | altered(document).map(redigested))
    try:
        (folder / "manifest.json").write_bytes(made)
        reads_signature(folder)
    finally:
        (folder / "manifest.json").write_bytes(whole)
    assert read_signature(folder).digest() == SIGNATURE.digest()


def redigested(document):
    """Return a manifest whose digest is right, as somebody who means harm would write it."""
    if isinstance(document, dict):
        document.pop("digest", None)
        text = json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
        document["digest"] = hashlib.sha256(text).hexdigest()
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


@FUZZ
@given(data=st.data())
def test_member(written, tmp_path, data):
    """Any bytes as a member of a signature that the manifest vouches for."""
    folder, document = written
    name = data.draw(st.sampled_from(sorted(document["members"])))
    whole = (folder / name).read_bytes()
    made = data.draw(damaged(whole) | inner_damage(unzipped(whole)) | headed(unzipped(whole)))
    sha = hashlib.sha256(made).hexdigest()
    members = {**document["members"]}
    del members[name]
    aside = f"{name.split('-')[0]}-{sha[:16]}.npz"
    manifest = redigested({**document, "members": {**members, aside: sha}})
    for other in members:
        target = tmp_path / other
        if not target.exists():
            target.write_bytes((folder / other).read_bytes())
    (tmp_path / aside).write_bytes(made)
    (tmp_path / "manifest.json").write_bytes(manifest)
    reads_signature(tmp_path)
    (tmp_path / aside).unlink()


def test_values_beyond_all_bounds_are_kept(tmp_path):
    """Attributions that are infinite, on a scale of zero, are read as NaN, which never passes, without a warning."""
    SIGNATURE.write(tmp_path)
    document = json.loads((tmp_path / "manifest.json").read_bytes())
    for part, key, value in (("attributions", "attributions", np.inf), ("numbers", "scales", 0)):
        name = next(name for name in document["members"] if name.startswith(part))
        arrays = read_arrays((tmp_path / name).read_bytes())
        arrays |= {where: np.full_like(array, value) for where, array in arrays.items() if where.startswith(f"{key}/")}
        data = zipped(arrays)
        sha = hashlib.sha256(data).hexdigest()
        del document["members"][name]
        document["members"][f"{part}-{sha[:16]}.npz"] = sha
        (tmp_path / f"{part}-{sha[:16]}.npz").write_bytes(data)
    (tmp_path / "manifest.json").write_bytes(redigested(document))
    found = read_signature(tmp_path)
    assert all(np.isnan(maps).all() for maps in found.attributions.values())


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
where = "conv*"
judged_by = "interval"
advisory = true
optional = false
why = "because"
"""
ROW = ["metric", "at_least", "at_most", "where", "judged_by", "advisory", "optional", "why"]


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
        rows = read_criteria(path, metrics=METRICS)
    except CriteriaError:
        return
    assert rows
    for row in rows:
        assert isinstance(row, Criterion)
        assert isinstance(row.advisory, bool)
        assert isinstance(row.optional, bool)


WAIVERS = b"""[[waiver]]
metric = "kappa"
where = "*"
candidate = "%s"
owner = "ada"
reason = "because"
created = 2026-03-01
expires = 2026-04-01
value = 0.5
""" % (b"0a" * 32)
ALLOWED = ["metric", "where", "candidate", "owner", "reason", "created", "expires", "value", "x"]


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


HONEST = honest()
CONFIG = json.loads(HONEST["config.json"])
NETWORK = packed(HONEST)


@st.composite
def networks(draw):
    """Return a network file: damaged outside or in a member, or of another configuration."""
    kind = draw(st.sampled_from(["bytes", "outside", "config", "json", "metadata", "weights", "listing"]))
    if kind == "bytes":
        return draw(st.binary(max_size=200))
    if kind == "outside":
        return draw(damaged(NETWORK))
    if kind == "listing":
        # The listing stands at the end.
        return NETWORK[:-400] + draw(damaged(NETWORK[-400:]))
    if kind == "json":
        return packed({**HONEST, "config.json": json.dumps(draw(altered(CONFIG))).encode()})
    name = {"config": "config.json", "metadata": "metadata.json", "weights": "model.weights.h5"}[kind]
    return packed({**HONEST, name: draw(damaged(HONEST[name]))})


@FUZZ
@given(networks())
def test_scan(data):
    """Any bytes as a network: a report, whose lines hold nothing that a terminal acts on once they are cleaned."""
    report = scan_bytes(data, name="x.keras", custom_objects=["own>X"])
    assert isinstance(report, ScanReport)
    assert report.sha256 == hashlib.sha256(data).hexdigest()
    assert all(isinstance(line, str) for line in report.lines())
    assert all(refusal.reason.isprintable() and refusal.where.isprintable() for refusal in report.refusals)


def array_file(dtype):
    """Return a panel whose labels are of a dtype that must not be read."""
    stream = io.BytesIO()
    np.save(stream, np.zeros(8, dtype), allow_pickle=True)
    return packed({**MEMBERS, "labels.npy": stream.getvalue()})


class Bomb:
    """Unpickling this writes the canary."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "ran")


def npz_attacks(canary):
    """Return, by name, panels that attack the reader."""
    stream = io.BytesIO()
    np.save(stream, np.array([Bomb(canary)], dtype=object), allow_pickle=True)
    head = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }"
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    huge = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
    zeros = packed({**MEMBERS, "labels.npy": MEMBERS["labels.npy"] + b"\0" * 2**27}, method=zipfile.ZIP_DEFLATED)
    return {
        "pickled objects": packed({**MEMBERS, "labels.npy": stream.getvalue()}),
        "a pickle as a member": packed({**MEMBERS, "labels.npy": stream.getvalue()[128:]}),
        "objects": array_file(object),
        "fields": array_file([("a", "f4")]),
        "dates": array_file("M8[s]"),
        "a header of eight terabytes": packed({**MEMBERS, "labels.npy": huge}),
        "a bomb": zeros,
        "a path": packed({**MEMBERS, "../labels.npy": MEMBERS["labels.npy"]}),
        "two names": packed({**MEMBERS, "labels": MEMBERS["labels.npy"]}),
        "bzip2": packed(MEMBERS, method=zipfile.ZIP_BZIP2),
    }


def read_attack(path, name):
    """Read a panel that must be refused."""
    Panel.load(path)
    pytest.fail(f"{name} was read")


def test_npz_attacks(tmp_path):
    """Pickles, objects, bombs and paths in an .npz file are refused as panels, and nothing is unpickled."""
    canary = tmp_path / "canary"
    for name, data in npz_attacks(canary).items():
        path = tmp_path / "panel.npz"
        path.write_bytes(data)
        with pytest.raises(PanelError, match="cannot be read as a panel"):
            read_attack(path, name)
    assert not canary.exists()
    with np.load(io.BytesIO(npz_attacks(canary)["pickled objects"]), allow_pickle=True) as file:
        _ = file["labels"]
    assert canary.exists(), "the attack is real: numpy runs it where it is allowed to"


def test_the_fuzzers_reach_both_ends(tmp_path):
    """The whole inputs, undamaged, are read; so an error is the damage's doing."""
    reads_panel(WHOLE, tmp_path)
    (tmp_path / "p.npz").write_bytes(WHOLE)
    assert Panel.load(tmp_path / "p.npz").digest() == PANEL.digest()
    assert not scan_bytes(NETWORK, name="x").refusals
    (tmp_path / "boxes.csv").write_bytes(BOXES)
    assert len(read_boxes(tmp_path / "boxes.csv")) == 2
    (tmp_path / "pyproject.toml").write_bytes(SETTINGS)
    assert read_settings(tmp_path).memory == 2.5
    (tmp_path / "c.toml").write_bytes(CRITERIA)
    assert len(read_criteria(tmp_path / "c.toml", metrics=METRICS)) == 1
    (tmp_path / "w.toml").write_bytes(WAIVERS)
    assert len(read_waivers(tmp_path / "w.toml", metrics=METRICS)[0]) == 1
    for data in PGMS:
        (tmp_path / "x.pgm").write_bytes(data)
        assert read_pgm(tmp_path / "x.pgm").shape in ((2, 3), (2, 2))
