"""Measurements that are kept: found by everything that decides them, or made once behind a lock."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modelcheck.gate import child
from modelcheck.gate.child import ChildError, RefusedError
from modelcheck.gate.confine import count_threads
from modelcheck.gate.entries import (
    BLOCKS,
    KEY,
    KeptBlocks,
    hold_entry,
    is_sealed,
    load_cached,
    make_cache,
    read_key,
    seal,
)
from modelcheck.gate.request import Request
from modelcheck.gate.settings import Settings
from modelcheck.gate.timing import read_timing
from modelcheck.modelfile import ScanError, ScanReport
from modelcheck.signature import Record, read_record
from modelcheck.support.commands import write_command
from modelcheck.support.files import read_file
from modelcheck.support.folders import remove
from modelcheck.support.locks import FolderBusyError

if TYPE_CHECKING:
    from modelcheck.gate.workers import Workers

__all__ = [
    "MEASURING",
    "Loaded",
    "cache_key",
    "describe_code",
    "digest_custom",
    "load_or_measure",
    "measuring_files",
    "scan",
]

# The rooms whose source decides what is measured, whole: a file that is added to one needs no
# thought. Of the rooms in which the measuring process starts, what it runs there.
# tests/test_gate_cache.py holds them against all that the process imports.
MEASURING = (
    *(
        "answers",
        "attributions",
        "happymaps",
        "measurement",
        "metrics",
        "modelfile",
        "network",
        "panel",
        "recipe",
        "table_recipe",
        "interface",
    ),
    *("runtimes", "signature", "support", "units"),
    *("cli/__init__", "cli/child", "cli/shared", "gate/__init__", "gate/progress", "gate/request", "gate/timing"),
)
_VERSIONS = ("modelcheck", "tensorflow", "keras", "numpy", "scipy", "scikit-image")
_RUNTIMES = ("ai-edge-litert", "onnxruntime")  # where they are installed
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A network's signature, and where it comes from.

    Parameters
    ----------
    signature : Record
        What was measured.
    measured : {"now", "cached"}
        Whether this process measured it, or found it in the cache.
    note : str
        Why the cache was not believed, where it was not; else empty.
    seconds_per_picture : float or None
        How long it took for one answer, for information; None where that was not kept.
    """

    signature: Record
    measured: Literal["now", "cached"]
    note: str = ""
    seconds_per_picture: float | None = None


def load_or_measure(
    request: Request,
    *,
    digests: Mapping[str, str],
    settings: Settings,
    workers: Workers | None = None,
    tell: Callable[[str], None] | None = None,
) -> Loaded:
    """Return a network's signature from the cache, or measure it there in a child process.

    Parameters
    ----------
    request : Request
        What to measure.
    digests : mapping of str to str
        By name, the digest of everything that the request names by a path, apart from the network:
        the panel, the signature `like`, its recipe, and the network behind it where that is given.
    settings : Settings
        The cache's folder, and the limits of time and memory.
    workers : Workers, optional
        Where it is measured, in blocks that are kept in the cache until all are there; by default
        in one child process here.
    tell : callable, optional
        Receives the child's lines of progress.

    Raises
    ------
    SettingsError, UnsafePathError
        When the key in the environment is too short; when a link lies in the cache's way.
    RefusedError
        When the scan refuses the file, or the baseline's network; nothing is loaded then.
    ChildError
        When the child fails, is killed, takes too long or too much memory: its last lines are in
        the message.
    """
    key = read_key(os.environ)
    network = request.network
    report = scan(network, request.custom_objects, settings)
    custom = set(report.custom)
    if request.baseline_model is not None:
        custom |= set(scan(request.baseline_model, request.custom_objects, settings).custom)
    name = cache_key(request, digests={**digests, "network": report.sha256}, custom=custom)
    folder = make_cache(settings.cache) / name[:24]
    busy = (
        f"Another run has been measuring {str(network)!r} for {settings.timeout:g} seconds. Wait for it, or remove "
        f"{str(folder.with_suffix('.lock'))!r} if it is gone."
    )
    try:
        with hold_entry(folder, timeout=settings.timeout, busy=busy):
            signature = load_cached(folder, report.sha256)
            believed = key is None or signature is None or is_sealed(folder, signature, name=name, key=key)
            measured: Literal["now", "cached"] = "cached"
            if signature is None or not believed:
                measured = "now"
                remove(folder)  # whatever lay there, a link too
                if workers is None:
                    signature = child.measure_in_child(request, folder, settings=settings, tell=tell)
                else:
                    kept = KeptBlocks(folder.with_suffix(BLOCKS), name=name, key=key)
                    workers.measure(request, folder, report=report, settings=settings, kept=kept, tell=tell)
                    signature = read_record(folder)
                _check_unchanged(signature, report, request, folder)
                if key is not None:
                    seal(folder, signature, name=name, key=key)
            seconds = read_timing(folder)
    except FolderBusyError as error:
        raise ChildError(str(error)) from error
    return Loaded(
        # The entry is named by content: another file with the same bytes may have made it.
        signature=replace(signature, model={**signature.model, "file": network.name}),
        measured=measured,
        note="" if believed else f"{str(folder)!r} is not sealed by {KEY}, and {network.name} was measured again.",
        seconds_per_picture=seconds,
    )


def _check_unchanged(signature: Record, report: ScanReport, request: Request, folder: Path) -> None:
    """Refuse, and remove, what was measured of other bytes than those that were looked at."""
    if signature.model["sha256"] != report.sha256:
        remove(folder)
        raise ChildError(
            f"{str(request.network)!r} changed while it was measured. Run again when nothing writes to it."
        )


def cache_key(request: Request, *, digests: Mapping[str, str], custom: set[str]) -> str:
    """Return the sha256, in hex, of everything that decides a measurement: equal keys, equal results.

    Parameters
    ----------
    request : Request
        What is measured; its paths count by `digests` alone.
    digests : mapping of str to str
        By name, the digest of each file or folder that the request names.
    custom : set of str
        The custom objects, ``module>name``, that the files really use; their packages' source
        counts.
    """
    facts = {
        **describe_code(),
        "digests": dict(digests),
        "outputs": list(request.interface.outputs),
        **request.interface.to_dict(),
        "layers": dict(request.layers),
        "twins": request.twins,
        "custom": digest_custom(custom),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def describe_code() -> dict[str, Any]:
    """Return what decides a measurement apart from what is measured and how: code, versions, arithmetic."""
    return {
        "code": _source_digest([(path.relative_to(_PACKAGE).as_posix(), path) for path in measuring_files()]),
        "versions": {name: version(name) for name in _VERSIONS} | dict(_find_runtimes()),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "threads": count_threads(os.environ),
    }


def digest_custom(names: Collection[str]) -> dict[str, str]:
    """Return by custom object, ``module>name``, a digest of the package that it comes from."""
    return {name: _package_digest(name.split(">", maxsplit=1)[0]) for name in names}


def _find_runtimes() -> Iterator[tuple[str, str]]:
    for name in _RUNTIMES:
        with contextlib.suppress(PackageNotFoundError):
            yield name, version(name)


def measuring_files() -> list[Path]:
    """Return every source file of the rooms in `MEASURING`, in order."""
    rooms = [_PACKAGE / room for room in MEASURING]
    found = [sorted(room.rglob("*.py")) if room.is_dir() else [room.with_suffix(".py")] for room in rooms]
    return [path for files in found for path in files]


def scan(network: Path, custom_objects: Sequence[str], settings: Settings) -> ScanReport:
    """Look at a network's file in a process of its own.

    Raises
    ------
    RefusedError
        When the file cannot be looked at, or is refused.
    """
    try:
        report = child.scan_in_child(network, custom_objects=custom_objects, settings=settings)
    except ScanError as error:
        raise RefusedError(str(error)) from error
    if report.refusals:
        raise RefusedError(
            f"{str(network)!r} is refused, and was not loaded:\n{report.sentence()}\n"
            f"See: modelcheck help model_files, and: {write_command(['modelcheck', 'scan', network])}"
        )
    return report


def _package_digest(module: str) -> str:
    """Return a digest of the package that a custom object comes from, found without importing it."""
    package = module.split(".", maxsplit=1)[0]
    # As the child looks: in the working folder last, where a class of the project's own may lie.
    here = str(Path.cwd())
    spec = PathFinder.find_spec(package, [*(place for place in sys.path if place not in ("", here)), here])
    if spec is None:  # installed in place, so that a finder of its own knows where it is
        with contextlib.suppress(ValueError):  # a running script has no place
            spec = find_spec(package)
    places = [] if spec is None else list(spec.submodule_search_locations or ([spec.origin] if spec.origin else []))
    files = [
        (path.relative_to(place).as_posix() if path != place else path.name, path)
        for place in map(Path, places)
        for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place])
    ]
    return _source_digest(files)


def _source_digest(files: Sequence[tuple[str, Path]]) -> str:
    digest = hashlib.sha256()
    for name, path in files:
        data = read_file(path)
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()
