from .exchange import ExchangePartner
from .fitting import fit_network
from .reading import compute_layer_features
from .routing import measure
from .tables import measure_table
from .twins import make_untrained_twin

__all__ = [
    "ExchangePartner",
    "compute_layer_features",
    "fit_network",
    "make_untrained_twin",
    "measure",
    "measure_table",
]
