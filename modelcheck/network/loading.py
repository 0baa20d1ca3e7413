"""Load a network file, with the care that a file from somewhere else deserves."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import keras

from modelcheck.modelfile import FORMATS, ScanError, read_model_file, scan_bytes

__all__ = ["ModelError", "load_network", "open_model"]


class ModelError(ValueError):
    """A network file that is refused or cannot be read; the message says why and what to do."""


def load_network(path: str | os.PathLike[str], *, custom_objects: Collection[str] = ()) -> tuple[Any, str]:
    """Scan a ``.keras`` file and load the very bytes that were scanned: ``compile=False``, ``safe_mode=True``.

    The file is read once; what is hashed, scanned and loaded is that one copy, so that nobody can
    put another file in its place in between. This is no sandbox: measuring happens in a child
    process for that reason.

    Parameters
    ----------
    path : str or path-like
        A local ``.keras`` file.
    custom_objects : collection of str
        Classes and functions outside Keras that are knowingly allowed, ``module>name``. Those that
        the file names are imported.

    Returns
    -------
    tuple
        The ``keras.Model`` and the sha256 of the very bytes that were loaded.

    Raises
    ------
    ModelError
        When the file is missing, the scan refuses it, a custom object cannot be had, or Keras
        refuses it.
    """
    name = os.fspath(path)
    try:
        data = read_model_file(path) if not Path(path).is_dir() else b""
    except ScanError as error:
        raise ModelError(str(error)) from error
    report = scan_bytes(data, name=Path(path).name, custom_objects=custom_objects)
    if report.refusals:
        raise ModelError(
            f"{name!r} is refused, and was not loaded:\n{report.sentence()}\nSee: modelcheck help model_files"
        )
    if report.format != "keras":
        raise ModelError(
            f"{name!r} is a file of {FORMATS[report.format]}, and Keras reads none. Give the Keras network that it was "
            "made from, as model.save('network.keras') writes it."
        )
    custom = _import_custom(report.custom)
    if keras.src.saving.serialization_lib.in_safe_mode() is False:
        raise ModelError(
            "Something in this process has called keras.config.enable_unsafe_deserialization(), which overrides safe "
            "mode. Remove that call."
        )
    # A folder of mode 0700, for Keras loads from a file.
    with tempfile.TemporaryDirectory() as private:
        copy = Path(private) / "network.keras"
        copy.write_bytes(data)
        try:
            model = keras.models.load_model(copy, custom_objects=custom, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises many types, all meaning that the file is not loaded
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(f"Keras refused {name!r} (safe mode): {reason}") from error
    return model, report.sha256


def open_model(model: Any) -> Any:
    """Return a model as it is given, or that of the ``.keras`` file whose path is given: see `load_network`.

    Raises
    ------
    ModelError
        When the file cannot be loaded, or is a folder.
    """
    if not isinstance(model, str | os.PathLike):
        return model
    if Path(model).is_dir():
        raise ModelError(
            f"{os.fspath(model)!r} is a folder, and a network is the path of a .keras file, a keras.Model or a "
            "Network. What a signature's folder keeps is read by modelcheck.read_signature."
        )
    return load_network(model)[0]


def _import_custom(named: Mapping[str, str]) -> dict[str, Any]:
    """Import what the configuration allows and the file names, and nothing that calls itself so."""
    objects: dict[str, Any] = {}
    for spelled, registered in named.items():
        module, own = spelled.split(">", 1)
        try:
            found = getattr(importlib.import_module(module), own)
        except (ImportError, AttributeError) as error:
            raise ModelError(
                f"The custom object {spelled!r} cannot be imported ({error}). Put its package on PYTHONPATH, or take "
                "it out of custom_objects in [tool.modelcheck]."
            ) from error
        if keras.saving.get_registered_name(found) != registered:
            raise ModelError(
                f"The file asks for {registered!r}, but {spelled!r} is registered as "
                f"{keras.saving.get_registered_name(found)!r}. Save the network again with this version of the package."
            )
        objects[registered] = found
    return objects
