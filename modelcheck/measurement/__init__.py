"""Measure a network: everything that needs Keras, once, into a signature that needs none."""

from modelcheck.measurement.fitting import check_compatible, probe_rows
from modelcheck.measurement.measuring import measure
from modelcheck.measurement.meeting import Opposite
from modelcheck.measurement.reading import layer_features
from modelcheck.measurement.twins import make_untrained_twin

__all__ = ["Opposite", "check_compatible", "layer_features", "make_untrained_twin", "measure", "probe_rows"]
