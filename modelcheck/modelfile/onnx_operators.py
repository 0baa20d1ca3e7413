"""The operators of an ONNX file that are allowed: those that only compute on tensors.

Everything else is refused: control flow, which holds graphs within the graph, sequences, optional
values and text, random numbers, and the operators of other domains, which are programs outside the
runtime. Of ONNX Runtime's own domain, ``com.microsoft``, those are allowed which its quantiser
writes.

References
----------
ONNX, docs/Operators.md (operator set 28); ONNX Runtime, docs/ContribOperators.md.
"""

from __future__ import annotations

__all__ = ["MAX_IR", "MAX_OPSET", "MIN_IR", "MIN_OPSET", "OPERATORS", "QUANTISED", "refusal_of"]

MIN_IR, MAX_IR = 3, 14
"""Of the file format."""
MIN_OPSET, MAX_OPSET = 7, 28
"""Of the operator set; 7 is the oldest that ONNX Runtime promises to read."""


def _split(names: str) -> frozenset[str]:
    return frozenset(names.split())


OPERATORS: dict[str, frozenset[str]] = {
    "": _split(
        """
        Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization BitShift
        BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu CenterCropPad Clip Concat Constant
        ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Div Dropout
        DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND
        Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization
        HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu
        Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool Mean
        MeanVarianceNormalization Min Mish Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow QLinearConv QLinearMatMul
        QuantizeLinear RMSNormalization RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
        ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence Round
        ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign
        SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze
        Upsample Where Xor
        """
    ),
    "com.microsoft": _split(
        """
        DequantizeLinear DynamicQuantizeMatMul MatMulIntegerToFloat QGemm QLinearAdd QLinearAveragePool QLinearConcat
        QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearSigmoid QLinearSoftmax QLinearWhere QuantizeLinear
        """
    ),
}
"""By domain."""

_CONTROL = "it holds graphs within the graph"
_RANDOM = "it draws at random: no answer would be given twice"
_KNOWN_BAD = {
    **dict.fromkeys(("If", "Loop", "Scan", "SequenceMap"), _CONTROL),
    **dict.fromkeys(
        ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), _RANDOM
    ),
}

# Where a quantised value stands, where its scale and its zero point do, and along which axis scales differ
# unless the operator says so.
QUANTISED: dict[str, tuple[tuple[str, int, int, int, int], ...]] = {
    "DequantizeLinear": (("in", 0, 1, 2, 1),),
    "QuantizeLinear": (("out", 0, 1, 2, 1),),
    "QLinearConv": (("in", 0, 1, 2, 1), ("in", 3, 4, 5, 0), ("out", 0, 6, 7, 1)),
    "QLinearMatMul": (("in", 0, 1, 2, -2), ("in", 3, 4, 5, -1), ("out", 0, 6, 7, -2)),
}


def refusal_of(domain: str, name: str) -> str:
    """Say why an operator is refused; empty where it is not."""
    if domain not in OPERATORS:
        return "it belongs to another domain: a program outside the runtime"
    if name in OPERATORS[domain]:
        return ""
    return _KNOWN_BAD.get(name, "it is not among those of which is known that they only compute on tensors")
