"""The download helper keeps what was asked for, whole, or nothing at all. The server is on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import stat
import tarfile
import threading
import zipfile

import pytest

from modelcheck.faces.cmu import read_cmu
from modelcheck.faces.download import Downloaded, DownloadError, download_cmu

PICTURE = b"P5\n32 30\n255\n" + bytes(960)
FILES = {
    "faces/an2i/an2i_left_angry_open_4.pgm": PICTURE,
    "faces/an2i/.anonr": b"",
    "faces/bpm/bpm_up_sad_open_4.bad": b"",
    "faces/bpm/bpm_up_happy_open_4.pgm": PICTURE,
}


def zipped(files):
    """Return a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files, *, kind=tarfile.REGTYPE):
    """Return a compressed tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type, entry.linkname = len(content), kind, "elsewhere"
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@contextlib.contextmanager
def served(content, *, promised=None, status=200):
    """Serve some bytes at one address; `describe_candidate` is the length that the server claims."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if promised is None else promised))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/faces.zip"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Reach the loopback directly, whatever proxy this machine uses for the rest."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.mark.parametrize(
    "content",
    [zipped(FILES), tarred(FILES), zipped({"readme.html": b"", "faces.tar.gz": tarred(FILES)})],
    ids=["zip", "tar.gz", "tar.gz in zip"],
)
@pytest.mark.parametrize("exists", [False, True], ids=["new folder", "empty folder"])
def test_archive_is_unpacked_and_readable(tmp_path, content, exists):
    """What was served can be read as CMU Faces, and the pinned checksum is confirmed."""
    digest = hashlib.sha256(content).hexdigest()
    if exists:
        (tmp_path / "cmu").mkdir()
    with served(content) as url:
        result = download_cmu(tmp_path / "cmu", url=url, sha256=digest.upper())
    assert result == Downloaded(folder=tmp_path / "cmu" / "faces", sha256=digest, pinned=True)
    assert "was pinned" in result.advice
    assert read_cmu(result.folder, resolution=4)["subject"].tolist() == ["an2i", "bpm"]
    assert [path.name for path in tmp_path.iterdir()] == ["cmu"]
    assert stat.S_IMODE(result.folder.stat().st_mode) & 0o500 == 0o500


def test_without_a_pin_the_result_says_how_to_pin(tmp_path):
    """An archive that was not pinned is kept, and the checksum seen is given for the next time."""
    content = zipped(FILES)
    with served(content) as url:
        result = download_cmu(tmp_path / "cmu", url=url)
    assert not result.pinned
    assert f"sha256={hashlib.sha256(content).hexdigest()!r}" in result.advice


def linked():
    """Return a zip archive that holds a symbolic link."""
    entry = zipfile.ZipInfo("faces/an2i/link")
    entry.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, "/etc")
    return buffer.getvalue()


damaged = bytearray(zipped({"faces/a/x.pgm": bytes(range(256)) * 9}))
damaged[60] ^= 0xFF
UNSAFE = "a path that may lead out of its folder. Refused"
REFUSED = {
    "parent": (zipped({"../evil": b"x"}), UNSAFE),
    "inner parent": (zipped({"faces/a/../../../evil": b"x"}), UNSAFE),
    "absolute": (zipped({"/evil": b"x"}), UNSAFE),
    "backslash": (zipped({"..\\evil": b"x"}), UNSAFE),
    "drive": (zipped({"C:/evil": b"x"}), UNSAFE),
    "tar parent": (tarred({"../evil": b"x"}), UNSAFE),
    "tar absolute": (tarred({"/evil": b"x"}), UNSAFE),
    "nested parent": (zipped({"faces.tar.gz": tarred({"../../evil": b"x"})}), UNSAFE),
    "zip link": (linked(), "no plain file. Refused"),
    "tar link": (tarred({"faces/a": b""}, kind=tarfile.SYMTYPE), "no plain file. Refused"),
    "tar hard link": (tarred({"faces/a": b""}, kind=tarfile.LNKTYPE), "no plain file. Refused|cannot be unpacked"),
    "tar device": (tarred({"faces/a": b""}, kind=tarfile.CHRTYPE), "no plain file. Refused"),
    "twice": (tarred({"faces/a/b": b"x", "faces/a//b": b"y"}), "cannot be unpacked"),
    "damaged": (bytes(damaged), "cannot be unpacked"),
    "truncated": (zipped(FILES)[:-30], "neither a zip nor a tar archive"),
    "truncated tar": (tarred({"faces/a/b": hashlib.sha256().digest() * 99})[:-20], "cannot be unpacked|neither"),
    "web page": (b"<html>moved</html>", "neither a zip nor a tar archive"),
    "no faces": (zipped({"readme": b""}), "holds no folder 'faces'"),
    "empty": (b"", "neither a zip nor a tar archive"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_unsafe_or_damaged_archive_leaves_nothing(tmp_path, content, message):
    """An archive that cannot be trusted or read is refused, and nothing of it is left, inside or outside."""
    with served(content) as url, pytest.raises(DownloadError, match=message):
        download_cmu(tmp_path / "deep" / "cmu", url=url)
    assert [path.name for path in tmp_path.rglob("*")] == ["deep"]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (zipped(FILES), {"promised": 10**6}, "could not be fetched"),
        (b"gone", {"status": 404}, "could not be fetched.*404"),
    ],
    ids=["stops early", "not found"],
)
def test_download_that_fails_leaves_nothing(tmp_path, content, options, message):
    """A server that stops early or says no is an error, and nothing half-written is left."""
    with served(content, **options) as url, pytest.raises(DownloadError, match=message):
        download_cmu(tmp_path / "cmu", url=url, timeout=5)
    assert list(tmp_path.iterdir()) == []


def test_server_that_is_not_there(tmp_path):
    """No server at the address is an error that names it."""
    with served(b"") as url:
        pass
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1.*could not be fetched"):
        download_cmu(tmp_path / "cmu", url=url, timeout=5)
    assert list(tmp_path.iterdir()) == []


def test_wrong_checksum_is_refused_before_unpacking(tmp_path, monkeypatch):
    """An archive other than the pinned one is not even opened, and is not kept."""
    monkeypatch.setattr("modelcheck.faces.download._unpack", None)
    content = zipped(FILES)
    expected = f"has the sha256 {hashlib.sha256(content).hexdigest()}, expected {'0' * 64}"
    with served(content) as url, pytest.raises(DownloadError, match=expected):
        download_cmu(tmp_path / "cmu", url=url, sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "most"), [("_MAX_UNPACKED_BYTES", 100), ("_MAX_FILES", 1)], ids=["bytes", "number of files"]
)
def test_archive_made_to_fill_a_disk_is_refused(tmp_path, monkeypatch, name, most):
    """Unpacking stops at a size and at a number of files, whatever the archive's own headers say."""
    monkeypatch.setattr(f"modelcheck.faces.download.{name}", most)
    with served(zipped(FILES)) as url, pytest.raises(DownloadError, match="far more than CMU Faces holds"):
        download_cmu(tmp_path / "cmu", url=url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sha256": "abc"}, "sha256 must be 64 hex digits, not 'abc'"),
        ({"url": "file:///etc/passwd"}, "must begin with https:// or http://"),
    ],
    ids=["checksum", "address"],
)
def test_impossible_request_is_refused_at_once(tmp_path, options, message):
    """A checksum that is none and an address of another kind never reach the network."""
    with pytest.raises(DownloadError, match=message):
        download_cmu(tmp_path / "cmu", **options)


@pytest.mark.parametrize("as_file", [False, True], ids=["folder", "file"])
def test_nothing_of_the_user_is_overwritten(tmp_path, as_file):
    """A folder that holds something, or a file in its place, is left alone."""
    mine = tmp_path / "cmu" if as_file else tmp_path / "cmu" / "mine"
    mine.parent.mkdir(exist_ok=True)
    mine.write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"is not an empty folder\. Name a new one"):
        download_cmu(tmp_path / "cmu")
    assert mine.read_bytes() == b"mine"
