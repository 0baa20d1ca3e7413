"""pytest for what a neural network learned.

The public names stand in ``__init__.pyi``, which type checkers read. Each is imported when it is
first used, so that ``import modelcheck`` loads neither TensorFlow nor pytest; with
``EAGER_IMPORT=1`` in the environment all are imported at once. No public name is also the name of a
submodule: whoever imported that would get a module in its place.

Examples
--------
>>> import modelcheck as mc
>>> mc.Unit("conv1", 7)
Unit(layer='conv1', index=7)
"""

from __future__ import annotations

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    return _load(name)
