"""The layers of a file that have units: which they are, what they are called, where their activations are read."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, replace

from modelcheck.modelfile.graph import Operator
from modelcheck.runtimes.kernels import Weights, find_weights
from modelcheck.runtimes.wiring import Wiring
from modelcheck.support.archive import ArchiveError, check_member_name
from modelcheck.units import LayerKind

__all__ = ["ReadableLayer", "find_layers"]

# What may stand between a layer and its activation: a bias or a folded normalisation, and rounding.
_SCALING = {"ADD", "SUB", "MUL", "DIV", "Add", "Sub", "Mul", "Div", "BatchNormalization"}
_PASSING = {"BATCH_TO_SPACE_ND", "QUANTIZE", "DEQUANTIZE", "DequantizeLinear", "Cast"}
_ROUNDING = "QuantizeLinear"
_ACTIVATIONS = {
    "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU", "PRELU", "ELU", "TANH", "LOGISTIC", "HARD_SWISH",
    "GELU", "Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Tanh", "Sigmoid", "HardSigmoid", "HardSwish",
    "Gelu", "Softplus", "Softsign", "Mish", "ThresholdedRelu",
}  # fmt: skip
_GATES = {"LOGISTIC": "MUL", "Sigmoid": "Mul", "HardSigmoid": "Mul"}  # x * sigmoid(x) is one activation
# How TensorFlow calls the operation of a layer, behind the layer's path.
_OPERATION = re.compile(r"(convolution|depthwise|separable_conv2d|conv_transpose|MatMul|BiasAdd|Conv|Gemm)\d*")
_PARAMETER = re.compile(r"([^/;]+)\.weight(_quantized)?")  # PyTorch's name of a kernel
_LONGEST_NAME = 200


@dataclass(frozen=True)
class ReadableLayer:
    """A layer of a file whose activations can be read.

    Parameters
    ----------
    name : str
        Its path in the network that the file was made of, for example ``backbone/conv1``; where the
        file does not say it, its kind and number, for example ``conv_3``.
    kind : LayerKind
        The last one is the decision, whatever its type.
    n_units : int
        Length of the last axis of its activations.
    position : int
        The tensor that is read.
    channels_first : bool
        Whether that tensor has its channels before height and width.
    """

    name: str
    kind: LayerKind
    n_units: int
    position: int
    channels_first: bool = False

    def can_have(self, shape: tuple[int, ...], n: int) -> bool:
        """Say whether an array of that shape can be its activations on so many pictures."""
        if self.kind is LayerKind.DECISION:
            return math.prod(shape) == n * self.n_units
        axis = 1 if self.channels_first else -1
        return len(shape) in ((4,) if self.channels_first else (2, 4)) and shape[0] == n and shape[axis] == self.n_units


def find_layers(wiring: Wiring, position: int, *, n_outputs: int) -> tuple[ReadableLayer, ...]:
    """Return the layers that have units, in order; the last is the decision, read where the class scores are.

    Parameters
    ----------
    wiring : Wiring
        The graph.
    position : int
        The tensor that holds the class scores.
    n_outputs : int
        How many they are.
    """
    needed = set(map(id, wiring.needed(position)))
    found: list[ReadableLayer] = []
    for weights in find_weights(wiring):
        if id(weights.operator) not in needed or _is_first_half(wiring, weights):
            continue
        read = _follow(wiring, weights.operator, until=position)
        used = {layer.name for layer in found}
        name = _name_layer(wiring, weights, read)
        if not name or name in used:
            number = sum(layer.kind is weights.kind for layer in found)
            name = next(made for k in itertools.count(number) if (made := f"{weights.kind}_{k}") not in used)
        first = weights.kind is LayerKind.CONV and wiring.graph.format == "onnx"
        found.append(ReadableLayer(name, weights.kind, weights.n_units, read, first))
    if not found:
        return ()
    last = replace(found[-1], kind=LayerKind.DECISION, n_units=n_outputs, position=position, channels_first=False)
    return (*found[:-1], last)


def _is_first_half(wiring: Wiring, weights: Weights) -> bool:
    """Say whether a layer is the depthwise half of a separable convolution: nothing stands before the other half."""
    if not weights.depthwise or weights.operator.attributes.get("activation"):
        return False
    reader = wiring.read_alone(weights.operator.outputs[0])
    bias = None if weights.bias is None else wiring.read_real(weights.bias)
    if reader is None or reader.name not in ("CONV_2D", "Conv") or (bias is not None and bias.any()):
        return False
    kernel = wiring.tensor(reader.inputs[1]).shape
    return (kernel[1:3] if reader.name == "CONV_2D" else kernel[2:]) == (1, 1)


def _follow(wiring: Wiring, operator: Operator, *, until: int) -> int:
    """Return the tensor behind a layer's activation, or behind its normalisation where there is none."""
    position = end = operator.outputs[0]
    while position != until and not operator.attributes.get("activation"):
        gated = _find_gate(wiring, position)
        reader = wiring.read_alone(position) if gated is None else gated
        if reader is None:
            break
        scaling = reader.name in _SCALING and all(
            at == position or wiring.constant(at) is not None for at in reader.inputs
        )
        if gated is not None or reader.name in _ACTIVATIONS:
            return reader.outputs[0]
        if not scaling and reader.name not in _PASSING | {_ROUNDING}:
            break
        operator, position = reader, reader.outputs[0]
        end = end if reader.name == _ROUNDING else position  # what is rounded is read once it is restored
    return end


def _find_gate(wiring: Wiring, position: int) -> Operator | None:
    """Return the product of a tensor and its own sigmoid, which alone read it."""
    readers = wiring.readers.get(position, [])
    if len(readers) != 2 or _GATES.get(readers[0].name) != readers[1].name:
        return None
    gate, product = readers
    return product if set(product.inputs) == {position, *gate.outputs} else None


def _name_layer(wiring: Wiring, weights: Weights, read: int) -> str:
    """Return the layer's path in the network that the file was made of; empty where no tensor says it."""
    tensors = [weights.constant, weights.kernel, *weights.operator.outputs, read]
    pieces = [piece for at in tensors for piece in wiring.tensor(at).name.split(";")]
    paths = [path for piece in pieces if (path := _find_path(piece))]
    name = paths[0] if paths else _find_path(wiring.tensor(read).name.split(";")[0], last=True)
    try:
        check_member_name(f"layers/{name}/units")
    except ArchiveError:
        return ""
    return name if len(name) <= _LONGEST_NAME else ""


def _find_path(piece: str, *, last: bool = False) -> str:
    """Return of a tensor's name the layer's path, ``conv2`` of ``model_1/conv2_1/convolution``."""
    torch = _PARAMETER.fullmatch(piece)
    if torch is not None:
        return torch[1]
    parts = piece.strip("/").split("/")
    ends = [at for at, part in enumerate(parts) if at >= 2 and _OPERATION.fullmatch(part)]
    end = ends[0] if ends else len(parts) - 1 if last else 0
    path = parts[1:end]
    # TensorFlow numbers a name that occurs again, and a Keras network is traced for a second time.
    traced = all(part.endswith("_1") for part in parts[:end])
    return "/".join(part.removesuffix("_1") if traced else part for part in path)
