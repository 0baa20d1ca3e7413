"""Measure a network: everything that needs Keras, once, into a signature that needs none."""

from modelcheck.measurement.exchange import ExchangePartner
from modelcheck.measurement.fitting import choose_probe_rows, choose_shown_pictures, fit_network
from modelcheck.measurement.measuring import measure
from modelcheck.measurement.reading import compute_layer_features
from modelcheck.measurement.twins import make_untrained_twin

__all__ = [
    "ExchangePartner",
    "choose_probe_rows",
    "choose_shown_pictures",
    "compute_layer_features",
    "fit_network",
    "make_untrained_twin",
    "measure",
]
