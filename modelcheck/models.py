"""Load a network file, with the care that a file from somewhere else deserves."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras

__all__ = ["ModelError", "file_sha256", "load_network"]


class ModelError(ValueError):
    """A network file that is refused or cannot be read; the message says why and what to do."""


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the sha256 of a file's bytes, in hex.

    Raises
    ------
    ModelError
        When there is no such regular file.
    """
    if not Path(path).is_file():
        raise ModelError(f"There is no network file {os.fspath(path)!r}. Give a .keras file on this machine.")
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_network(path: str | os.PathLike[str]) -> tuple[Any, str]:
    """Load a ``.keras`` file: ``compile=False``, ``safe_mode=True``, from a private copy that was hashed.

    Loading a network can run code that its file names. This refuses what is not a ``.keras`` archive and Lambda
    layers, but it is no sandbox: measuring happens in a child process for that reason.

    Parameters
    ----------
    path : str or path-like
        A local ``.keras`` file.

    Returns
    -------
    tuple
        The ``keras.Model`` and the sha256 of the very bytes that were loaded.

    Raises
    ------
    ModelError
        When the file is missing, is no ``.keras`` archive, or Keras refuses it.
    """
    name = os.fspath(path)
    if not Path(path).is_file():
        raise ModelError(f"There is no network file {name!r}. Give a .keras file on this machine.")
    with tempfile.TemporaryDirectory() as private:
        copy = Path(private) / "network.keras"
        copy.write_bytes(Path(path).read_bytes())
        sha = file_sha256(copy)
        if not zipfile.is_zipfile(copy):
            raise ModelError(
                f"{name!r} is no .keras archive. modelcheck loads only the Keras 3 format; convert it with "
                "model.save('network.keras') where you trust the file."
            )
        try:
            model = keras.models.load_model(copy, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises many types, all meaning that the file is not loaded
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(f"Keras refused {name!r} (safe mode): {reason}") from error
    return model, sha
