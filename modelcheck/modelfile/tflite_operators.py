"""The operators of a LiteRT file that are allowed: those that only compute on tensors, and their settings.

Everything else is refused: control flow, other subgraphs, variables, tables of words, random
numbers, what an operator outside the runtime would do (CUSTOM, Flex), and StableHLO.

References
----------
TensorFlow, tensorflow/compiler/mlir/lite/schema/schema.fbs (schema version 3): the numbers of
operators and of their options, and the fields of each in their order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "ACTIVATIONS",
    "DEFAULTS",
    "LAYOUTS",
    "MAX_VERSION",
    "OPERATORS",
    "OPTIONAL",
    "PADDINGS",
    "REFUSED",
    "Allowed",
]

MAX_VERSION = 16
"""Of an operator; the highest that LiteRT 2.3 knows is 14."""
ACTIVATIONS = ("", "relu", "relu_n1_to_1", "relu6", "tanh", "sign_bit")
PADDINGS = ("same", "valid")
OPTIONAL = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3, "CONV_3D": 2}
"""The input that may be left out: the bias."""
# The type of a setting's field; "-" for one of old that must be left out.
LAYOUTS = {
    "activation": "b",
    "padding": "b",
    "byte": "b",
    "bool": "?",
    "int": "i",
    "positive": "i",
    "float": "f",
    "ints": "o",
    "-": "x",
}

DEFAULTS = {"dilation_d_factor": 1, "dilation_w_factor": 1, "dilation_h_factor": 1, "pot_scale_int16": 1}
"""Of settings that are left out, where it is not 0."""

# Name, number, number of its options (0 for none), and its settings: `name:kind`, or the kind alone.
_LISTED = """
ADD 0 11 activation pot_scale_int16:bool
AVERAGE_POOL_2D 1 5 padding stride_w:positive stride_h:positive filter_width:positive filter_height:positive
    activation
CONCATENATION 2 10 axis:int activation
CONV_2D 3 1 padding stride_w:positive stride_h:positive activation dilation_w_factor:positive
    dilation_h_factor:positive quantized_bias_type:byte
DEPTHWISE_CONV_2D 4 2 padding stride_w:positive stride_h:positive depth_multiplier:int activation
    dilation_w_factor:positive dilation_h_factor:positive
DEPTH_TO_SPACE 5 94 block_size:positive
DEQUANTIZE 6 38
FLOOR 8 0
FULLY_CONNECTED 9 8 activation weights_format:byte keep_num_dims:bool asymmetric_quantize_inputs:bool
    quantized_bias_type:byte -
L2_NORMALIZATION 11 12 activation
L2_POOL_2D 12 5 padding stride_w:positive stride_h:positive filter_width:positive filter_height:positive
    activation
LOCAL_RESPONSE_NORMALIZATION 13 13 radius:int bias:float alpha:float beta:float
LOGISTIC 14 0
MAX_POOL_2D 17 5 padding stride_w:positive stride_h:positive filter_width:positive filter_height:positive
    activation
MUL 18 21 activation
RELU 19 0
RELU_N1_TO_1 20 0
RELU6 21 0
RESHAPE 22 17 new_shape:ints
RESIZE_BILINEAR 23 15 - - align_corners:bool half_pixel_centers:bool
SOFTMAX 25 9 beta:float
SPACE_TO_DEPTH 26 19 block_size:positive
TANH 28 0
PAD 34 22
GATHER 36 23 axis:int batch_dims:int
BATCH_TO_SPACE_ND 37 24
SPACE_TO_BATCH_ND 38 25
TRANSPOSE 39 26
MEAN 40 27 keep_dims:bool
SUB 41 28 activation pot_scale_int16:bool
DIV 42 29 activation
SQUEEZE 43 30 squeeze_dims:ints
STRIDED_SLICE 45 32 begin_mask:int end_mask:int ellipsis_mask:int new_axis_mask:int shrink_axis_mask:int
    offset:bool
EXP 47 33
TOPK_V2 48 34
SPLIT 49 35 num_splits:positive
LOG_SOFTMAX 50 36
CAST 53 37 in_data_type:byte out_data_type:byte
PRELU 54 0
MAXIMUM 55 39
ARG_MAX 56 40 output_type:byte
MINIMUM 57 39
LESS 58 41
NEG 59 42
PADV2 60 43
GREATER 61 44
GREATER_EQUAL 62 45
LESS_EQUAL 63 46
SELECT 64 47
SLICE 65 48
SIN 66 0
TRANSPOSE_CONV 67 49 padding stride_w:positive stride_h:positive activation quantized_bias_type:byte
TILE 69 51
EXPAND_DIMS 70 52
EQUAL 71 53
NOT_EQUAL 72 54
LOG 73 0
SUM 74 27 keep_dims:bool
SQRT 75 0
RSQRT 76 0
SHAPE 77 55 out_type:byte
POW 78 56
ARG_MIN 79 57 output_type:byte
REDUCE_PROD 81 27 keep_dims:bool
REDUCE_MAX 82 27 keep_dims:bool
PACK 83 59 values_count:int axis:int
LOGICAL_OR 84 60
ONE_HOT 85 61 axis:int
LOGICAL_AND 86 62
LOGICAL_NOT 87 63
UNPACK 88 64 num:int axis:int
REDUCE_MIN 89 27 keep_dims:bool
FLOOR_DIV 90 65
REDUCE_ANY 91 27 keep_dims:bool
SQUARE 92 66
ZEROS_LIKE 93 67
FILL 94 68
FLOOR_MOD 95 72
RANGE 96 73
RESIZE_NEAREST_NEIGHBOR 97 74 align_corners:bool half_pixel_centers:bool
LEAKY_RELU 98 75 alpha:float
SQUARED_DIFFERENCE 99 76
MIRROR_PAD 100 77 mode:byte
ABS 101 78
SPLIT_V 102 79 num_splits:positive
CEIL 104 0
REVERSE_V2 105 81
ADD_N 106 82
GATHER_ND 107 83
COS 108 84
RANK 110 86
ELU 111 0
QUANTIZE 114 89
ROUND 116 0
HARD_SWISH 117 91
SELECT_V2 123 98
BATCH_MATMUL 126 101 adj_x:bool adj_y:bool asymmetric_quantize_inputs:bool
CUMSUM 128 102 exclusive:bool reverse:bool
BROADCAST_TO 130 104
CONV_3D 132 106 padding stride_d:positive stride_w:positive stride_h:positive activation
    dilation_d_factor:positive dilation_w_factor:positive dilation_h_factor:positive
REDUCE_ALL 140 27 keep_dims:bool
CONV_3D_TRANSPOSE 141 106 padding stride_d:positive stride_w:positive stride_h:positive activation
    dilation_d_factor:positive dilation_w_factor:positive dilation_h_factor:positive
BROADCAST_ARGS 145 0
GELU 150 116 approximate:bool
RELU_0_TO_1 152 0
ATAN2 156 122
SIGN 158 123
"""
_OTHERS = """
EMBEDDING_LOOKUP:7 HASHTABLE_LOOKUP:10 LSH_PROJECTION:15 LSTM:16 RNN:24 SVDF:27 CONCAT_EMBEDDINGS:29
SKIP_GRAM:30 CALL:31 CUSTOM:32 EMBEDDING_LOOKUP_SPARSE:33 UNIDIRECTIONAL_SEQUENCE_RNN:35
UNIDIRECTIONAL_SEQUENCE_LSTM:44 BIDIRECTIONAL_SEQUENCE_RNN:46 DELEGATE:51 BIDIRECTIONAL_SEQUENCE_LSTM:52
SPARSE_TO_DENSE:68 FAKE_QUANT:80 UNIQUE:103 WHERE:109 REVERSE_SEQUENCE:112 MATRIX_DIAG:113 MATRIX_SET_DIAG:115
IF:118 WHILE:119 NON_MAX_SUPPRESSION_V4:120 NON_MAX_SUPPRESSION_V5:121 SCATTER_ND:122 DENSIFY:124
SEGMENT_SUM:125 CALL_ONCE:129 RFFT2D:131 IMAG:133 REAL:134 COMPLEX_ABS:135 HASHTABLE:136 HASHTABLE_FIND:137
HASHTABLE_IMPORT:138 HASHTABLE_SIZE:139 VAR_HANDLE:142 READ_VARIABLE:143 ASSIGN_VARIABLE:144
RANDOM_STANDARD_NORMAL:146 BUCKETIZE:147 RANDOM_UNIFORM:148 MULTINOMIAL:149 DYNAMIC_UPDATE_SLICE:151
UNSORTED_SEGMENT_PROD:153 UNSORTED_SEGMENT_MAX:154 UNSORTED_SEGMENT_SUM:155 UNSORTED_SEGMENT_MIN:157
BITCAST:159 BITWISE_XOR:160 RIGHT_SHIFT:161 STABLEHLO_LOGISTIC:162 STABLEHLO_ADD:163 STABLEHLO_DIVIDE:164
STABLEHLO_MULTIPLY:165 STABLEHLO_MAXIMUM:166 STABLEHLO_RESHAPE:167 STABLEHLO_CLAMP:168
STABLEHLO_CONCATENATE:169 STABLEHLO_BROADCAST_IN_DIM:170 STABLEHLO_CONVOLUTION:171 STABLEHLO_SLICE:172
STABLEHLO_CUSTOM_CALL:173 STABLEHLO_REDUCE:174 STABLEHLO_ABS:175 STABLEHLO_AND:176 STABLEHLO_COSINE:177
STABLEHLO_EXPONENTIAL:178 STABLEHLO_FLOOR:179 STABLEHLO_LOG:180 STABLEHLO_MINIMUM:181 STABLEHLO_NEGATE:182
STABLEHLO_OR:183 STABLEHLO_POWER:184 STABLEHLO_REMAINDER:185 STABLEHLO_RSQRT:186 STABLEHLO_SELECT:187
STABLEHLO_SUBTRACT:188 STABLEHLO_TANH:189 STABLEHLO_SCATTER:190 STABLEHLO_COMPARE:191 STABLEHLO_CONVERT:192
STABLEHLO_DYNAMIC_SLICE:193 STABLEHLO_DYNAMIC_UPDATE_SLICE:194 STABLEHLO_PAD:195 STABLEHLO_IOTA:196
STABLEHLO_DOT_GENERAL:197 STABLEHLO_REDUCE_WINDOW:198 STABLEHLO_SORT:199 STABLEHLO_WHILE:200
STABLEHLO_GATHER:201 STABLEHLO_TRANSPOSE:202 DILATE:203 STABLEHLO_RNG_BIT_GENERATOR:204 REDUCE_WINDOW:205
STABLEHLO_COMPOSITE:206 STABLEHLO_SHIFT_LEFT:207 STABLEHLO_CBRT:208 STABLEHLO_CASE:209
"""
_OUTSIDE = "it is a program outside the runtime"
_CONTROL = "it runs other subgraphs"
_VARIABLE = "it is a variable: an answer would depend on those before"
_RANDOM = "it draws at random: no answer would be given twice"
_WHY = {
    **dict.fromkeys(("CUSTOM", "DELEGATE", "STABLEHLO_CUSTOM_CALL"), _OUTSIDE),
    **dict.fromkeys(("CALL", "CALL_ONCE", "IF", "WHILE", "STABLEHLO_WHILE", "STABLEHLO_CASE"), _CONTROL),
    **dict.fromkeys(("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"), _VARIABLE),
    **dict.fromkeys(("MULTINOMIAL", "RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL"), _RANDOM),
}


@dataclass(frozen=True)
class Allowed:
    """One operator that is allowed.

    Parameters
    ----------
    name : str
        The schema's name.
    options : int
        The number of the table that holds its settings, 0 where it has none.
    settings : tuple of (str, str)
        Name and kind of each setting, in the order of the table.
    """

    name: str
    options: int
    settings: tuple[tuple[str, str], ...]


def _read(entry: str) -> tuple[int, Allowed]:
    name, code, options, *settings = entry.split()
    pairs = [(setting.split(":")[0], setting.split(":")[-1]) for setting in settings]
    return int(code), Allowed(name, int(options), tuple(pairs))


OPERATORS: dict[int, Allowed] = dict(_read(entry) for entry in re.split(r"\n(?! )", _LISTED.strip()))
"""By the number of the operator."""
REFUSED: dict[int, tuple[str, str]] = {
    int(number): (name, _WHY.get(name, "it is not among those of which is known that they only compute on tensors"))
    for name, number in (entry.split(":") for entry in _OTHERS.split())
}
"""By the number of an operator that is not allowed, its name and why."""
