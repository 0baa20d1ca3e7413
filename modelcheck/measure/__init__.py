"""Measure a network: everything that needs Keras, once, into a signature that needs none."""

from modelcheck.measure.fitting import fitted, probe_rows
from modelcheck.measure.measuring import measure
from modelcheck.measure.meeting import Opposite
from modelcheck.measure.reading import layer_features
from modelcheck.measure.twins import untrained_twin

__all__ = ["Opposite", "fitted", "layer_features", "measure", "probe_rows", "untrained_twin"]
