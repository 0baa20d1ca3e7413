"""Keras computes with TensorFlow here, whatever ``KERAS_BACKEND`` or a configuration file of Keras say.

A ``.keras`` file does not depend on the backend under which it was written; gradients, traced
ascents and the steps of a network are written for TensorFlow's.
"""

from __future__ import annotations

import importlib
import os
import sys

__all__ = ["require_tensorflow"]


def require_tensorflow() -> None:
    """Import Keras with TensorFlow as its backend, and leave the environment as it was.

    Raises
    ------
    ImportError
        When Keras has been imported with another backend in this process, which cannot be changed.
    """
    if "keras" not in sys.modules:
        given = os.environ.get("KERAS_BACKEND")
        os.environ["KERAS_BACKEND"] = "tensorflow"
        try:
            importlib.import_module("keras")
        finally:
            if given is None:
                del os.environ["KERAS_BACKEND"]
            else:
                os.environ["KERAS_BACKEND"] = given
    backend = importlib.import_module("keras").backend.backend()
    if backend != "tensorflow":
        raise ImportError(
            f"Keras has been imported with the backend {backend!r} in this process; modelcheck computes with "
            "TensorFlow. Import modelcheck.measurement, or whatever of modelcheck looks into a network, before Keras, "
            "or start with KERAS_BACKEND=tensorflow. Files that were saved under another backend can be read."
        )


require_tensorflow()
