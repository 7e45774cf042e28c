"""What a model file may name: classes, functions and modules that do nothing but build and compute a network.

Missing on purpose: layers that read files (`StringLookup`, `TextVectorization`, ...), that hold code (`Lambda`), that
call methods by name (`ClassMethod`, ...), or that work in Python loops without bound (`LocallyConnected2D`, `unstack`).
"""

import re


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MODELS = _names("Functional Model Sequential")

_LAYERS = _names("""
    InputLayer Dense Activation Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise GaussianDropout
    AlphaDropout ActivityRegularization Flatten Reshape Permute RepeatVector Masking Embedding EinsumDense Identity
    Conv1D Conv2D Conv3D Convolution1D Convolution2D Convolution3D SeparableConv1D SeparableConv2D
    SeparableConvolution1D SeparableConvolution2D DepthwiseConv1D DepthwiseConv2D
    Conv1DTranspose Conv2DTranspose Conv3DTranspose Convolution2DTranspose Convolution3DTranspose
    MaxPooling1D MaxPooling2D MaxPooling3D MaxPool1D MaxPool2D MaxPool3D
    AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D
    GlobalAvgPool3D
    BatchNormalization BatchNormalizationV1 BatchNormalizationV2 SyncBatchNormalization LayerNormalization
    GroupNormalization UnitNormalization SpectralNormalization
    Normalization Rescaling Resizing CenterCrop RandomCrop RandomFlip RandomTranslation RandomRotation RandomZoom
    RandomContrast RandomBrightness RandomHeight RandomWidth
    ReLU LeakyReLU PReLU ELU ThresholdedReLU Softmax
    Add Subtract Multiply Average Maximum Minimum Concatenate Dot
    ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D UpSampling1D UpSampling2D UpSampling3D
    LSTM GRU SimpleRNN LSTMCell GRUCell SimpleRNNCell RNN StackedRNNCells Bidirectional TimeDistributed
    ConvLSTM1D ConvLSTM2D ConvLSTM3D ConvLSTM1DCell ConvLSTM2DCell ConvLSTM3DCell
    Attention AdditiveAttention MultiHeadAttention
""")

QUANTIZERS = _names("""
    quantized_linear quantized_bits bernoulli ternary stochastic_ternary binary stochastic_binary
    quantized_relu quantized_ulaw quantized_tanh quantized_sigmoid quantized_po2 quantized_relu_po2 quantized_hswish
""")
_QKERAS = QUANTIZERS | _names("""
    QInitializer Clip QDense QConv1D QConv2D QConv2DTranspose QDepthwiseConv2D QSeparableConv1D QSeparableConv2D
    QActivation QAdaptiveActivation QBatchNormalization QConv2DBatchnorm
    QDepthwiseConv2DBatchnorm QAveragePooling2D QGlobalAveragePooling2D
    QSimpleRNN QSimpleRNNCell QLSTM QLSTMCell QGRU QGRUCell QBidirectional
""")

INITIALIZERS = _names("""
    Zeros Ones Constant RandomNormal RandomUniform TruncatedNormal VarianceScaling Orthogonal Identity
    GlorotUniform GlorotNormal HeNormal HeUniform LecunNormal LecunUniform
    zeros ones constant random_normal random_uniform truncated_normal variance_scaling orthogonal identity
    glorot_uniform glorot_normal he_normal he_uniform lecun_normal lecun_uniform zero one normal uniform
    ZerosV2 OnesV2 ConstantV2 RandomNormalV2 RandomUniformV2 TruncatedNormalV2 VarianceScalingV2 OrthogonalV2
    IdentityV2 GlorotUniformV2 GlorotNormalV2 HeNormalV2 HeUniformV2 LecunNormalV2 LecunUniformV2
""")
REGULARIZERS = _names("L1 L2 L1L2 OrthogonalRegularizer l1 l2 l1_l2 orthogonal_regularizer")
CONSTRAINTS = _names("""
    MaxNorm NonNeg UnitNorm MinMaxNorm RadialConstraint max_norm non_neg unit_norm min_max_norm radial_constraint
""")

_OWN = _names("FixedPoint FixedPointActivation FixedPointElu FixedPointTable QDepthwiseConv1D QDenseBatchnorm")
"""Ours, of `networks.grids`."""

CLASSES = MODELS | _LAYERS | _QKERAS | _OWN | INITIALIZERS | REGULARIZERS | CONSTRAINTS | _names("Policy PolicyV1")

STRUCTURE = _names("TensorShape __tuple__ __ellipsis__")
"""What Keras writes for values that JSON has no word for."""

FUNCTIONS = _names("""
    linear relu relu6 elu selu gelu silu swish mish sigmoid hard_sigmoid tanh softmax log_softmax softplus softsign
    exponential leaky_relu ReLU LeakyReLU PReLU ELU Softmax ThresholdedReLU
    smooth_sigmoid smooth_tanh hard_tanh binary_sigmoid binary_tanh
""")
"""Activations of Keras and QKeras; layers among them, as Keras accepts their names there."""

OPERATIONS = _names("""
    __operators__.add __operators__.mul __operators__.sub
    math.add math.add_n math.subtract math.multiply math.divide math.truediv math.divide_no_nan math.negative math.abs
    math.maximum math.minimum math.square math.squared_difference math.sqrt math.rsqrt math.pow math.exp math.log
    math.reciprocal math.sigmoid math.tanh math.softplus math.round math.floor math.ceil math.sign
    math.reduce_mean math.reduce_sum math.reduce_max math.reduce_min math.reduce_prod
    nn.relu nn.relu6 nn.leaky_relu nn.elu nn.selu nn.gelu nn.silu nn.swish nn.softmax nn.log_softmax nn.softplus
    nn.softsign nn.tanh nn.sigmoid nn.bias_add nn.avg_pool nn.max_pool nn.avg_pool2d nn.max_pool2d
    compat.v1.nn.avg_pool compat.v1.nn.max_pool compat.v1.nn.relu6 compat.v1.nn.softmax compat.v1.nn.leaky_relu
    compat.v1.math.softmax compat.v1.math.log_softmax
    keras.backend.relu keras.activations.relu keras.activations.gelu keras.activations.swish
    clip_by_value cast identity reshape transpose squeeze expand_dims concat stack split pad
    compat.v1.transpose compat.v1.squeeze compat.v1.expand_dims compat.v1.pad compat.v1.reduce_mean
    compat.v1.reduce_sum compat.v1.reduce_max compat.v1.reduce_min compat.v1.clip_by_value
    image.flip_left_right image.flip_up_down image.resize
""")
"""Functions of TensorFlow that compute a tensor from tensors and numbers, and do nothing else."""
SLICES = _names("__operators__.getitem")

EFFORTS = {"power_iterations": 100, "num_or_size_splits": 1024, "number_of_unrolls": 100, "bits": 1024, "integer": 1024}
"""Keys whose numbers are loops, counts of outputs or exponents in Python: how large (or how many) at most."""

DTYPES = _names("""
    float16 bfloat16 float32 float64 half float double int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool
""")

MODULE = re.compile(
    r"builtins|(?:keras|tf_keras)(?:\.[A-Za-z_]\w*)*|nonresnet_hls\.networks\.grids"
    r"|qkeras(?:\.(?:quantizers|q[a-z0-9]+(?:_batchnorm)?))?"
)
"""Modules that a class of these names may be taken from; of QKeras not its tools (`qtools`, `autoqkeras`)."""
ELSEWHERE = frozenset(
    (f"tensorflow.python.ops.init_ops{suffix}", kind) for suffix in ("", "_v2") for kind in INITIALIZERS
)
"""Classes in other modules."""

MODULE_OF_KERAS3 = re.compile(
    r"keras(?:\.(?:layers|initializers|regularizers|constraints|activations|src\.models\.(?:functional|sequential|model)))?"
)
KERAS3_OPERATIONS = re.compile(r"keras\.src\.ops\.(?:nn|numpy|core|math)")
OPERATIONS_OF_KERAS3 = _names("""
    Add Subtract Multiply Divide TrueDivide Negative Absolute Maximum Minimum Square Sqrt Exp Log Sum Mean Max Min
    Relu Relu6 LeakyRelu Elu Selu Gelu Silu Sigmoid HardSigmoid LogSigmoid Softmax LogSoftmax Softplus Softsign Tanh
    Concatenate Stack Reshape Transpose Squeeze ExpandDims Pad Clip Cast GetItem Flip
""")
"""Of Keras 3's operations those that compute a tensor from tensors and numbers, and do nothing else."""
