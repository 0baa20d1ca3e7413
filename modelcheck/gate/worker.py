"""What a worker on another machine does: bytes in, bytes out, and in between a confined measuring process.

A task is a zip archive of the request, the files that it names, and the limits. The result is a
zip archive of what the process wrote, which whoever asked for it reads as strictly as anything
that comes from elsewhere. A worker with other versions refuses, for its results would differ.
"""

from __future__ import annotations

import io
import json
import tempfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelcheck.gate.cache import describe_code, digest_custom
from modelcheck.gate.child import ChildError, carry_out
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.signature import read_manifest
from modelcheck.support.archive import ArchiveError, list_members, read_member
from modelcheck.support.files import MAX_NETWORK_BYTES, read_file
from modelcheck.support.folders import PathKind, kind_of
from modelcheck.support.tables import json_document

__all__ = ["pack_task", "unpack_result", "work"]

_TASK, _TOOK = "task.json", "took.json"
_MAX_BYTES = 8 * 2**30  # of a panel, a baseline and two networks


def pack_task(request: Request, *, settings: Settings, seconds: float) -> bytes:
    """Return all that a worker needs to carry out a request, as the bytes of a zip archive.

    Parameters
    ----------
    request : Request
        What to measure; the files that it names are read now.
    settings : Settings
        The limit of memory counts.
    seconds : float
        How long it may take.
    """
    files: dict[str, bytes] = {"panel/panel.npz": read_file(request.panel, max_bytes=MAX_NETWORK_BYTES)}
    places: dict[str, str | None] = {"panel": "panel/panel.npz", "like": None, "baseline_model": None}
    for name in ("network", "baseline_model"):
        path: Path | None = getattr(request, name)
        if path is not None:  # by its own name, which a signature keeps
            places[name] = f"{name}/{path.name}"
            files[f"{name}/{path.name}"] = read_file(path, max_bytes=MAX_NETWORK_BYTES)
    if request.like is not None:
        places["like"] = "like"
        for name in ("manifest.json", *read_manifest(request.like)["members"]):
            files[f"like/{name}"] = read_file(request.like / name, max_bytes=MAX_NETWORK_BYTES)
    told = {
        "request": request.to_json(),
        "places": places,
        "code": describe_code(),
        "custom": digest_custom(request.custom_objects),
        "memory": settings.memory,
        "seconds": seconds,
        "timeout": settings.timeout,
    }
    return _pack({_TASK: json.dumps(told).encode(), **files})


def work(task: bytes) -> bytes:
    """Carry out a task of `pack_task` in a confined process of its own, and return what it wrote.

    Any `concurrent.futures.Executor` can run it, here or elsewhere: it needs nothing but its
    argument, the temporary folder and the same versions as who asked.

    Parameters
    ----------
    task : bytes
        See `pack_task`.

    Raises
    ------
    ChildError
        When this worker has other versions, or as `modelcheck.gate.child.measure_in_child`.
    """
    with tempfile.TemporaryDirectory(prefix="modelcheck-") as aside:
        inside, result = Path(aside) / "task", Path(aside) / "result"
        try:
            _unpack(task, inside)
            told = json_document(read_file(inside / _TASK))
            places: dict[str, Any] = {
                name: None if place is None else inside / place for name, place in told["places"].items()
            }
            request = replace(Request.from_json(told["request"]), **places)
            settings = Settings(memory=float(told["memory"]), timeout=float(told["timeout"]))
        except (ArchiveError, ValueError, KeyError, TypeError, OSError) as error:
            raise ChildError(f"A task cannot be read: {error}.") from error
        _check_code(told["code"] | told["custom"], describe_code() | digest_custom(request.custom_objects))
        start = time.monotonic()
        carry_out(request, result, settings=settings, seconds=float(told["seconds"]))
        took = json.dumps({"seconds": time.monotonic() - start}).encode()
        files = {path.name: read_file(path, max_bytes=MAX_NETWORK_BYTES) for path in sorted(result.iterdir())}
        return _pack({_TOOK: took, **files})


def unpack_result(data: bytes, folder: Path) -> float:
    """Write the files of a result of `work` to a folder, and return how many seconds they took.

    Parameters
    ----------
    data : bytes
        See `work`. What is in the files is for their reader to check.
    folder : Path
        Where they go; nothing else may be there.

    Raises
    ------
    ChildError
        When they are no result.
    """
    try:
        _unpack(data, folder, flat=True)
        seconds = json_document(read_file(folder / _TOOK, max_bytes=100))["seconds"]
        (folder / _TOOK).unlink()
        if not isinstance(seconds, float) or not seconds >= 0:
            raise ValueError(f"it says that it took {seconds!r} seconds")
    except (ArchiveError, ValueError, KeyError, OSError) as error:
        raise ChildError(f"The result of a worker cannot be read: {error}.") from error
    return seconds


def _check_code(wanted: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse to measure with other versions, for the results would differ and be kept as if they did not."""
    wanted, here = _flat(wanted), _flat(here)
    other = [
        f"{name} is {here.get(name, 'missing')} here and {wanted.get(name, 'missing')} where it is asked for"
        for name in sorted({*wanted, *here})
        if wanted.get(name) != here.get(name)
    ]
    if other:
        raise ChildError(
            f"A worker cannot measure this, for its results would differ: {'; '.join(other)}. Install the same "
            "versions on every worker, and set the same TF_ variables there."
        )


def _flat(table: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in table.items():
        found |= {name: str(value)[:12]} if not isinstance(value, Mapping) else {k: str(v) for k, v in value.items()}
    return found


def _pack(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def _unpack(data: bytes, folder: Path, *, flat: bool = False) -> None:
    """Write the members of an archive whose listing can be believed below a folder that is not there yet."""
    for member in list_members(data, max_bytes=_MAX_BYTES):
        if flat and "/" in member.name:
            raise ValueError(f"it holds {member.name!r}, in a folder")
        path = folder / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind_of(path) != PathKind.MISSING:
            raise ValueError(f"{member.name!r} is there twice")
        path.write_bytes(read_member(data, member))
