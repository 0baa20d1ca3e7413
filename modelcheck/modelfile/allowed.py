"""What a network's configuration may name: Keras classes and functions that only compute on tensors.

Everything else is refused. `tests/test_modelfile.py` holds each row against the Keras that is
installed.
"""

from __future__ import annotations

__all__ = ["CLASSES", "FUNCTIONS", "KNOWN_BAD", "LOOKUPS", "PLAIN", "ROOTS"]

_LAYERS = """
Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention AugMix
AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization Bidirectional
CategoryEncoding CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM2D
Cropping1D Cropping2D Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU
EinsumDense Embedding Equalization Flatten GRU GaussianDropout GaussianNoise GlobalAveragePooling1D
GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
GroupNormalization GroupQueryAttention HashedCrossing Hashing Identity InputLayer IntegerLookup LSTM LayerNormalization
LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MixUp MultiHeadAttention Multiply
Normalization PReLU Permute Pipeline RMSNormalization RandAugment RandomBrightness RandomColorDegeneration
RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur
RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation
RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing SeparableConv1D
SeparableConv2D SimpleRNN Softmax Solarization SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization
StringLookup Subtract TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D
ZeroPadding2D ZeroPadding3D
"""
_LOSSES = """
BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy CategoricalFocalCrossentropy
CategoricalGeneralizedCrossEntropy CategoricalHinge Circle CosineSimilarity Dice Hinge Huber KLDivergence LogCosh
MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError Poisson
SparseCategoricalCrossentropy SquaredHinge Tversky
"""
_METRICS = """
AUC Accuracy BinaryAccuracy BinaryCrossentropy BinaryIoU CategoricalAccuracy CategoricalCrossentropy CategoricalHinge
ConcordanceCorrelation CosineSimilarity F1Score FBetaScore FalseNegatives FalsePositives Hinge IoU KLDivergence
LogCoshError Mean MeanAbsoluteError MeanAbsolutePercentageError MeanIoU MeanSquaredError MeanSquaredLogarithmicError
OneHotIoU OneHotMeanIoU PearsonCorrelation Poisson Precision PrecisionAtRecall R2Score Recall RecallAtPrecision
RootMeanSquaredError SensitivityAtSpecificity SparseCategoricalAccuracy SparseCategoricalCrossentropy
SparseTopKCategoricalAccuracy SpecificityAtSensitivity SquaredHinge Sum TopKCategoricalAccuracy TrueNegatives
TruePositives
"""

# Module to classes, both as Keras writes them.
CLASSES: dict[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "keras": "DTypePolicy FloatDTypePolicy Functional Sequential",
        "keras.src.models.functional": "Functional",
        "keras.layers": _LAYERS,
        # Layers that Keras defines beside the networks that have them.
        "keras.src.applications.convnext": "LayerScale StochasticDepth",
        "keras.src.applications.inception_resnet_v2": "CustomScaleLayer",
        "keras.src.layers.preprocessing.feature_space": "TFDConcat TFDIdentity",
        "keras.initializers": "Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal "
        "LecunUniform Ones Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal "
        "VarianceScaling Zeros",
        "keras.regularizers": "L1 L1L2 L2 OrthogonalRegularizer",
        "keras.constraints": "MaxNorm MinMaxNorm NonNeg UnitNorm",
        "keras.dtype_policies": "DTypePolicy FloatDTypePolicy",
        "keras.optimizers": "Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer Muon Nadam "
        "RMSprop SGD ScheduleFreeAdamW",
        "keras.optimizers.schedules": "CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay "
        "PiecewiseConstantDecay PolynomialDecay",
        "keras.losses": _LOSSES,
        "keras.metrics": _METRICS,
        # Operations written into a functional network as keras.ops.relu(x), x + y, x[:, 1:].
        "keras.src.ops.nn": "Elu Gelu HardSigmoid HardSilu LeakyRelu LogSoftmax Relu Relu6 Selu Sigmoid Silu Softmax "
        "Softplus Softsign",
        "keras.src.ops.numpy": "Absolute Add Clip Concatenate Divide Exp ExpandDims GetItem Log Max Maximum Mean Min "
        "Minimum Multiply Negative Pad Power Reshape Sqrt Square Squeeze Subtract Sum Tanh Transpose TrueDivide",
        "keras.src.ops.core": "Cast",
    }.items()
}

# Functions by their public module; "builtins" is how Keras writes one that it finds by name alone.
FUNCTIONS: dict[str, frozenset[str]] = {
    module: frozenset(names.split())
    for module, names in {
        "keras.activations": "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh "
        "leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus "
        "softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold",
        "keras.losses": "binary_crossentropy binary_focal_crossentropy categorical_crossentropy "
        "categorical_focal_crossentropy categorical_hinge cosine_similarity hinge huber kl_divergence log_cosh "
        "mean_absolute_error mean_squared_error poisson sparse_categorical_crossentropy squared_hinge",
        "keras.metrics": "binary_accuracy categorical_accuracy sparse_categorical_accuracy "
        "sparse_top_k_categorical_accuracy top_k_categorical_accuracy",
    }.items()
}
FUNCTIONS["builtins"] = frozenset().union(*FUNCTIONS.values())

# What a whole network may be.
ROOTS = ("Functional", "Sequential")

# Values that Keras writes in the form of an object, without a module.
PLAIN = ("__keras_tensor__", "__tensor__", "__numpy__", "__slice__", "__ellipsis__")

_PROGRAM = "it holds a program of its own, which runs when the network does"
# Layers of tables: they hold the words that they look up, and could be made to read them from any file.
LOOKUPS = ("IntegerLookup", "StringLookup")
KNOWN_BAD: dict[str, str] = {
    "Lambda": "a Lambda layer holds Python code, which runs when the network does",
    "__lambda__": "it is Python code, which runs when the network does",
    "__typespec__": "it names any class of any module",
    "TFSMLayer": "it loads another SavedModel from a path, and a SavedModel is a program",
    "TorchModuleWrapper": "it unpickles a PyTorch module, and a pickle is a program",
    "JaxLayer": _PROGRAM,
    "FlaxLayer": _PROGRAM,
    "TextVectorization": "it reads a vocabulary from a file, and neither pictures nor tables have texts",
}
