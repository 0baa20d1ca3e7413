"""Fetch CMU Faces: nothing is unpacked before its checksum is right, and nothing half-written stays."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

__all__ = ["CMU_FACES_URL", "DownloadError", "Downloaded", "download_cmu"]

CMU_FACES_URL = "https://archive.ics.uci.edu/static/public/124/cmu+face+images.zip"
"""The archive of CMU Faces at the UCI Machine Learning Repository."""

_MAX_UNPACKED_BYTES = 1 << 30  # CMU Faces unpacks to some 60 MB; far more is an archive made to fill a disk.
_MAX_FILES = 20_000
_CHUNK_BYTES = 1 << 20


class DownloadError(ValueError):
    """An archive that was not fetched or not unpacked; the message says why, and nothing was left behind."""


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """What a download brought.

    Parameters
    ----------
    folder : Path
        The folder with one folder a subject, for `modelcheck.faces.cmu.read_cmu`.
    sha256 : str
        The archive's checksum, in hex.
    pinned : bool
        Whether the checksum was asked for, and so proves that these are the bytes meant.
    """

    folder: Path
    sha256: str
    pinned: bool

    @property
    def advice(self) -> str:
        """What to do next, in one sentence."""
        if self.pinned:
            return f"The archive is the one that was pinned. Pictures: {str(self.folder)!r}."
        return (
            f"The archive's checksum was not pinned. Pin what was seen: "
            f"download_cmu(..., sha256={self.sha256!r}). Pictures: {str(self.folder)!r}."
        )


def download_cmu(
    folder: str | Path,
    *,
    url: str = CMU_FACES_URL,
    sha256: str | None = None,
    timeout: float = 60.0,
) -> Downloaded:
    """Download and unpack CMU Faces.

    Parameters
    ----------
    folder : str or Path
        Where the unpacked archive goes; it must not exist yet, or be empty.
    url : str
        A ``.zip`` or ``.tar.gz`` archive, over http or https.
    sha256 : str, optional
        The checksum that the archive must have, 64 hex digits. Without one any archive is taken;
        the result then says what was seen and how to pin it.
    timeout : float
        Seconds to wait for the server each time.

    Returns
    -------
    Downloaded
        Where the pictures are, and the checksum seen.

    Raises
    ------
    DownloadError
        When the folder is not empty, the server cannot be reached or stops early, the checksum is
        wrong, or the archive is damaged, unsafe (paths that lead out of the folder, links, too
        large) or holds no faces. Nothing is left behind.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DownloadError(f"{str(target)!r} is not an empty folder. Name a new one, or move it away.")
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise DownloadError(f"sha256 must be 64 hex digits, not {sha256!r}.")
    if not re.match("https?://", url):
        raise DownloadError(f"The address must begin with https:// or http://, not {url!r}.")
    with _aside(target) as aside:
        archive, unpacked = aside / "archive", aside / "unpacked"
        seen = _fetch(url, archive, timeout=timeout)
        if sha256 is not None and seen != sha256.lower():
            raise DownloadError(
                f"{url!r} has the sha256 {seen}, expected {sha256.lower()}. Nothing was kept: the archive is another "
                "one, or was damaged or tampered with on the way. Find out which before you pin the new value."
            )
        _unpack(archive, unpacked)
        if _faces(unpacked) is None:
            # The archive has also been handed on as a tarball within an archive.
            for inner in sorted(unpacked.rglob("faces*.tar.gz")):
                _unpack(inner, unpacked)
        faces = _faces(unpacked)
        if faces is None:
            raise DownloadError("The archive holds no folder 'faces' with a folder a subject. Nothing was kept.")
        if target.exists():
            target.rmdir()
        unpacked.replace(target)
    return Downloaded(folder=target / faces, sha256=seen, pinned=sha256 is not None)


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    # Beside the target, so that the last step is a rename within one file system.
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _fetch(url: str, archive: Path, *, timeout: float) -> str:
    # Imported here: requests is slow to load, and most runs never download.
    import pooch
    import requests

    download = pooch.HTTPDownloader(progressbar=False, timeout=timeout)
    try:
        download(url, str(archive), None)
    except (requests.RequestException, OSError) as error:
        raise DownloadError(
            f"{url!r} could not be fetched: {error}. Nothing was kept; look at the address and the connection and "
            "try again."
        ) from error
    with archive.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(archive: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    budget = [_MAX_UNPACKED_BYTES, _MAX_FILES]
    try:
        for name, content in _members(archive):
            with content:
                _write(content, folder / _safe(name), budget)
    except DownloadError:
        raise
    except Exception as error:
        # zipfile, tarfile and the decompressors raise a dozen kinds on damaged bytes.
        raise DownloadError(f"The archive cannot be unpacked: {error}. Nothing was kept; fetch it again.") from error


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                kind = (entry.external_attr >> 16) & 0o170000
                if kind not in (0, 0o100000, 0o040000):
                    raise DownloadError(f"The archive holds {entry.filename!r}, which is no plain file. Refused.")
                _safe(entry.filename)
                if not entry.is_dir():
                    yield entry.filename, packed.open(entry)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tarred:
            for member in tarred:
                _safe(member.name)
                if member.isdir():
                    continue
                content = tarred.extractfile(member) if member.isfile() else None
                if content is None:
                    raise DownloadError(f"The archive holds {member.name!r}, which is no plain file. Refused.")
                yield member.name, content
    else:
        raise DownloadError("What came is neither a zip nor a tar archive. Nothing was kept; look at the address.")


def _safe(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name or not name:
        raise DownloadError(f"The archive holds {name!r}, a path that may lead out of its folder. Refused.")
    return name


def _write(content: IO[bytes], path: Path, budget: list[int]) -> None:
    budget[1] -= 1
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        while chunk := content.read(_CHUNK_BYTES):
            budget[0] -= len(chunk)
            if min(budget) < 0:
                raise DownloadError("The archive unpacks to far more than CMU Faces holds. Refused.")
            file.write(chunk)


def _faces(unpacked: Path) -> Path | None:
    found = [path.parent for path in unpacked.rglob("faces/*") if path.is_dir()]
    return min(found, key=lambda path: (len(path.parts), path)).relative_to(unpacked) if found else None
