"""What a signature says of a network's file, and of where it was measured."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

__all__ = ["choose_name", "describe_platform"]


def choose_name(model: Any, path: str | os.PathLike[str]) -> str:
    """Return what a network is called: a name that Keras gave by itself says nothing, the file's does."""
    automatic = re.fullmatch(r"(sequential|functional|model)(_\d+)?", model.name)
    return Path(path).stem if automatic else str(model.name)


def describe_platform() -> dict[str, Any]:
    """Return versions and machine of a measurement."""
    names = ("modelcheck", "tensorflow", "keras", "numpy", "scikit-image")
    return {
        "versions": {name: version(name) for name in names},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "float": keras.config.floatx(),
    }
