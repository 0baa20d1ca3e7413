"""A Keras network as a flat list of steps.

Every room that looks inside a network (HappyMaps, receptive fields, attributions) reads it through
this one: nested networks are unfolded, activations given as arguments become steps of their own,
separable convolutions become their two halves, and batch normalisation, `Normalization` and
`Rescaling` become one per-channel affine step. The user's network is read, never changed, and a
step can be evaluated in any float dtype.
"""

from modelcheck.network._backend import require_tensorflow
from modelcheck.network.agreement import check_agreement
from modelcheck.network.answering import KerasClassifier
from modelcheck.network.diagnosis import find_augmenting_layers
from modelcheck.network.front import preprocess_first
from modelcheck.network.kinds import StepKind
from modelcheck.network.layers import normalises
from modelcheck.network.steps import Network, NetworkError, Step, UnitLayer, Window
from modelcheck.network.tracing import as_functional
from modelcheck.network.unfold import flatten

__all__ = [
    "KerasClassifier",
    "Network",
    "NetworkError",
    "Step",
    "StepKind",
    "UnitLayer",
    "Window",
    "as_functional",
    "check_agreement",
    "find_augmenting_layers",
    "flatten",
    "normalises",
    "preprocess_first",
    "require_tensorflow",
]
