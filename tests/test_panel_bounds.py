"""A panel file takes no more memory than it may: bounded in sum and by ratio, and its pictures lie there once."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings, read_settings
from modelcheck.panel import MAX_GIB, Panel, PanelError
from modelcheck.support.archive import ArchiveError, list_members, read_member
from signatures import make_panel

ROOT = Path(__file__).parents[1]


def arrays(count, **others):
    """Return the parts of a panel of some tiny pictures."""
    rows = np.arange(count) % 2
    parts = {"images": np.zeros((count, 1, 1, 1), np.uint8), "labels": rows, "subjects": np.array(["a", "b"])[rows]}
    return {**parts, "class_names": np.array(["x", "y"]), "format": np.int64(1), **others}


@pytest.mark.slow
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    """A file of some hundred kilobytes that becomes a hundred megabytes is refused by its listing."""
    path = tmp_path / "panel.npz"
    np.savez_compressed(path, **arrays(2, images=np.zeros((2, 2**13, 2**13, 1), np.uint8)))
    with pytest.raises(PanelError, match="more than 100 times as many"):
        Panel.load(path)


def test_the_users_settings_bound_a_panel(tmp_path):
    """What a panel may unpack to is 4 GiB, or what the settings say, which the measuring process is told."""
    path = tmp_path / "panel.npz"
    make_panel().save(path)
    with pytest.raises(PanelError, match=r"A panel may unpack to 1e-06 GiB: panel_size in \[tool.modelcheck\]"):
        Panel.load(path, max_gib=1e-6)
    assert Panel.load(path).digest() == make_panel().digest()
    (tmp_path / "pyproject.toml").write_text("[tool.modelcheck]\npanel_size = 8\n")
    assert read_settings(tmp_path).panel_size == 8
    asked = Request(network=path, panel=path, panel_size=8.0)
    assert Request.from_json(asked.to_json()).panel_size == 8
    assert Settings().panel_size == Request(network=path, panel=path).panel_size == MAX_GIB


LOAD = """
import re, sys
import numpy
from pathlib import Path
from modelcheck.panel import Panel

def most():  # not getrusage, which counts the process that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

before = most()
Panel.load(sys.argv[1]).digest()
print(most() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is told in other units elsewhere")
@pytest.mark.parametrize(("save", "most"), [(np.savez, 2.4), (np.savez_compressed, 1.5)], ids=["stored", "packed"])
def test_pictures_lie_in_memory_once(save, most, tmp_path):
    """Reading and digesting a panel takes the file's bytes and the pictures, and no copy of either."""
    rows = np.random.default_rng(0).integers(0, 256, (100, 25_000), dtype=np.uint8)
    pictures = np.repeat(rows, 40, axis=1).reshape(100, 1000, 1000, 1)
    save(tmp_path / "panel.npz", **arrays(100, images=pictures))
    command = [sys.executable, "-c", LOAD, str(tmp_path / "panel.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert float(done.stdout) < most * pictures.nbytes / 2**20


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (arrays(1_000_001), "more than 1000000"),
        (arrays(300_000, class_names=np.array(["x" * 5000, "y"])), "too long"),
        (arrays(2, subjects=np.full(2_000_000, "a")), "subjects must be 2 words"),
        (arrays(2, class_names=np.full(2_000_000, "a")), "class_names must be"),
    ],
    ids=["pictures", "letters", "subjects", "classes"],
)
def test_small_arrays_that_become_large_are_refused(parts, words, tmp_path):
    """Words and numbers take more room in Python than in a file: their number and length are bounded."""
    np.savez_compressed(tmp_path / "panel.npz", **parts)
    with pytest.raises(PanelError, match=words):
        Panel.load(tmp_path / "panel.npz")


def test_a_panel_still_owns_its_pictures():
    """What a caller does to arrays of its own, frozen for a while or not, does not change a panel."""
    pictures = np.zeros((2, 3, 3, 1), np.uint8)
    frozen = pictures[:]
    frozen.setflags(write=False)
    for given in (pictures, frozen):
        panel = Panel(given, np.array([0, 1]), subjects=["a", "b"], class_names=("x", "y"))
        pictures[:] = 9
        assert not panel.images.any()
        pictures[:] = 0


def zipped(method=zipfile.ZIP_DEFLATED):
    """Return an archive of one member of 3 MiB."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("a", bytes(range(256)) * (3 * 2**12))
    return stream.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_member_is_read_whole(method):
    """A member is the bytes that were packed; a stored one is a view of the archive."""
    data = zipped(method)
    (member,) = list_members(data)
    found = read_member(data, member)
    assert bytes(found) == bytes(range(256)) * (3 * 2**12)
    assert found.readonly
    assert (found.obj is data) == (method == zipfile.ZIP_STORED)


@pytest.mark.parametrize("place", [14, 18, 22, 8, 30])
def test_two_descriptions_of_a_member_must_agree(place):
    """Checksum, sizes, method and name stand in the listing and at the member: readers may use either."""
    data = bytearray(zipped())
    data[place] ^= 1
    with pytest.raises(ArchiveError, match="described otherwise"):
        list_members(bytes(data))


def test_a_listing_that_is_itself_too_large_is_refused():
    """So many entries that listing them takes the memory are not listed."""
    entry = b"PK\x01\x02" + b"\0" * 42
    data = b"PK\x03\x04" + entry * 100_000
    data += b"PK\x05\x06" + b"\0" * 4 + b"\1\0\1\0" + (46 * 100_000).to_bytes(4, "little") + b"\4\0\0\0" + b"\0\0"
    with pytest.raises(ArchiveError, match="its listing has 4600000 bytes"):
        list_members(data)
