"""Fuzzing every reader of files: damaged or hostile bytes give the reader's own error or a correct result.

Sixty inputs a reader in an ordinary run; many more with, for example,
`MODELCHECK_FUZZ=20000 pytest tests/test_fuzz.py -k panel`. tests/test_fuzz_texts.py has texts and
pictures.
"""

import contextlib
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import FUZZ, altered, damaged
from hostile import honest, packed
from modelcheck.modelfile import ScanReport, scan_bytes
from modelcheck.panel import Panel, PanelError
from modelcheck.signature import Signature, SignatureError, read_manifest, read_signature
from modelcheck.support.archive import ArchiveError
from modelcheck.support.arrays import read_arrays
from signatures import make_panel, make_signature

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


@pytest.mark.slow
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


@pytest.mark.slow
@FUZZ
@given(data=st.data())
def test_member(written, tmp_path, data):
    """Any bytes as a member of a signature that the manifest lists."""
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


@pytest.mark.slow
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


def test_whole_files_are_read(tmp_path):
    """The whole inputs, undamaged, are read; so an error is the damage's doing."""
    reads_panel(WHOLE, tmp_path)
    (tmp_path / "p.npz").write_bytes(WHOLE)
    assert Panel.load(tmp_path / "p.npz").digest() == PANEL.digest()
    assert not scan_bytes(NETWORK, name="x").refusals
