"""Which pictures a network's file says that it takes: read from its configuration or its graph, nothing is built."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelcheck.modelfile import Port, ScanError, read_model_file, scan_bytes, tell_format
from modelcheck.modelfile.config import read_json
from modelcheck.support.archive import ArchiveError, list_members, read_member
from modelcheck.support.files import MAX_NETWORK_BYTES

__all__ = ["read_picture_shape"]

_CONFIG, _MAX_CONFIG_BYTES = "config.json", 2**23
_MAX_LENGTH = 2**31
_COLOURS = (1, 3)  # channels that a picture may have


def read_picture_shape(path: str | os.PathLike[str]) -> tuple[int | None, ...] | None:
    """Return the shape of the pictures that a network file takes, as its only input says it.

    A hint, and no judgement: whether the file may be loaded is for the scan to say, and whether
    network and panel fit for the measurement.

    Parameters
    ----------
    path : str or path-like
        A file on this machine.

    Returns
    -------
    tuple or None
        ``(h, w, c)``, None for a length that is open; None for a network of several inputs, of
        something else than pictures, or whose file does not say it.

    Raises
    ------
    ScanError
        When there is no such file, it is no archive with a configuration that can be read, or the
        scan refuses a LiteRT or ONNX file.

    Examples
    --------
    >>> read_picture_shape("networks/half_filters.keras")
    (60, 64, 1)
    """
    data = read_model_file(path)
    if tell_format(data) != "keras":
        report = scan_bytes(data, name=Path(path).name)
        if report.refusals:
            raise ScanError(f"it is refused: {report.refusals[0]}")
        return _find_shape_of_input(report.inputs)
    try:
        members = {member.name: member for member in list_members(data, max_bytes=MAX_NETWORK_BYTES)}
        if _CONFIG not in members or members[_CONFIG].size > _MAX_CONFIG_BYTES:
            raise ScanError(f"it has no {_CONFIG} of at most {_MAX_CONFIG_BYTES:,} bytes")
        document, wrong = read_json(read_member(data, members[_CONFIG]), _CONFIG)
    except ArchiveError as error:
        raise ScanError(f"it is no .keras archive: {error}") from error
    if wrong is not None:
        raise ScanError(wrong.reason)
    return _find_shape(document.get("config"))


def _find_shape_of_input(inputs: Sequence[Port]) -> tuple[int | None, ...] | None:
    """Return height, width and channels of the only input of a graph, whichever of them comes first."""
    shape = inputs[0].shape if len(inputs) == 1 else ()
    if len(shape) not in (3, 4):
        return None
    own = tuple(length if length > 0 else None for length in shape[1:])
    if len(own) == 2:
        return (*own, 1)
    return (own[1], own[2], own[0]) if own[0] in _COLOURS and own[2] not in _COLOURS else own


def _find_shape(config: Any) -> tuple[int | None, ...] | None:
    layers = config.get("layers") if isinstance(config, dict) else None
    inputs = [
        layer["config"]
        for layer in (layers if isinstance(layers, list) else [])
        if isinstance(layer, dict) and layer.get("class_name") == "InputLayer" and isinstance(layer.get("config"), dict)
    ]
    shape = inputs[0].get("batch_shape") if len(inputs) == 1 else None
    if not isinstance(shape, list) or len(shape) not in (3, 4) or not all(_is_length(length) for length in shape):
        return None
    return (*shape[1:], 1) if len(shape) == 3 else tuple(shape[1:])


def _is_length(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_LENGTH)
