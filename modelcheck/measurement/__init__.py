"""Measure a network: everything that needs Keras, once, into a signature that needs none."""

from modelcheck.measurement.exchange import ExchangePartner
from modelcheck.measurement.fitting import fit_network
from modelcheck.measurement.measuring import measure
from modelcheck.measurement.reading import compute_layer_features
from modelcheck.measurement.twins import make_untrained_twin

__all__ = [
    "ExchangePartner",
    "compute_layer_features",
    "fit_network",
    "make_untrained_twin",
    "measure",
]
