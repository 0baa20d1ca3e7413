"""Measure a network: everything that needs Keras, once, into a signature that needs none.

The names stand in ``__init__.pyi``. `measure` itself is light: a LiteRT or ONNX file is measured
without TensorFlow, and the others are imported when they are first used.
"""

import lazy_loader

from modelcheck.measurement.routing import measure as measure

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
