"""Measure a network: everything that needs Keras, once, into a signature that needs none."""

from modelcheck.measurement.fitting import fitted, probe_rows
from modelcheck.measurement.measuring import measure
from modelcheck.measurement.meeting import Opposite
from modelcheck.measurement.reading import layer_features
from modelcheck.measurement.twins import untrained_twin

__all__ = ["Opposite", "fitted", "layer_features", "measure", "probe_rows", "untrained_twin"]
