"""Small quantized models, one per layer kind and setting, with seeded random weights on their grids."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tensorflow import keras

from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.quantization import quantizers
from nonresnet_hls.quantization.quantize import finish

UNSIGNED = FixedPointType(4, 1, signed=False)
SIGNED = FixedPointType(5, 2)

Tensors = Callable[[Any], Any]


def model(body: Tensors, shape: tuple[int, ...] = (6, 6, 3), seed: int = 0) -> Any:
    """The finished model of what `body` makes of an input tensor; all weights random, batch norms on a grid."""
    x = keras.Input(shape, name="x")
    made = keras.Model(x, body(x), name="small")
    rng = np.random.default_rng(seed)
    for layer in made.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = layer.moving_mean.shape[0]
            gamma = np.ldexp(rng.integers(-20, 21, channels).astype(float), -4)
            beta = np.ldexp(rng.integers(-40, 41, channels).astype(float), -3)
            layer.set_weights([gamma, beta, np.zeros(channels), np.ones(channels)])
        else:
            layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    return finish(made)


def conv(filters: int = 3, size: Any = 3, bits: int = 5, bias: bool = True, **options: Any) -> Any:
    import qkeras

    kernel = quantizers.binary() if bits == 1 else quantizers.signed(bits, 0)
    own = {"bias_quantizer": quantizers.signed(8, 1)} if bias else {}
    return qkeras.QConv2D(filters, size, kernel_quantizer=kernel, use_bias=bias, **own, **options)


def depthwise(size: Any = 3, bits: int = 5, **options: Any) -> Any:
    import qkeras

    return qkeras.QDepthwiseConv2D(
        size,
        depthwise_quantizer=quantizers.binary() if bits == 1 else quantizers.signed(bits, 0),
        bias_quantizer=quantizers.signed(8, 1),
        **options,
    )


def conv1d(filters: int = 3, size: int = 3, bits: int = 5, **options: Any) -> Any:
    import qkeras

    own = {"kernel_quantizer": quantizers.signed(bits, 0), "bias_quantizer": quantizers.signed(8, 1)}
    return qkeras.QConv1D(filters, size, **own, **options)


def depthwise1d(size: int = 3, bits: int = 5, **options: Any) -> Any:
    from nonresnet_hls.networks.grids import QDepthwiseConv1D

    own = {"depthwise_quantizer": quantizers.signed(bits, 0), "bias_quantizer": quantizers.signed(8, 1)}
    return QDepthwiseConv1D(size, **own, **options)


def dense(units: int = 4, bits: int = 5, bias: bool = True) -> Any:
    import qkeras

    kernel = quantizers.binary() if bits == 1 else quantizers.signed(bits, 0)
    own = {"bias_quantizer": quantizers.signed(8, 1)} if bias else {}
    return qkeras.QDense(units, kernel_quantizer=kernel, use_bias=bias, **own)


def relu(bits: int = 4, integer: int = 2) -> Any:
    import qkeras

    return qkeras.QActivation(str(quantizers.unsigned(bits, integer)))


def linear(bits: int = 5, integer: int = 2) -> Any:
    import qkeras

    return qkeras.QActivation(str(quantizers.signed(bits, integer)))


def table(function: str, bits: int = 8, size: int = 256) -> Any:
    from nonresnet_hls.networks.grids import FixedPointTable

    signed = function in ("tanh", "softsign")
    integer = {"softplus": 4}.get(function, 0)
    return FixedPointTable(function, size, str(quantizers.grid(bits, integer, signed)))


def batch_norm() -> Any:
    return keras.layers.BatchNormalization(epsilon=0.0)


def chain(*layers: Any) -> Tensors:
    def body(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return x

    return body


def _add(x: Any) -> Any:
    y = relu(4, 1)(conv(3, padding="same")(x))
    return relu()(keras.layers.Add()([conv(3, padding="same")(y), y]))


def _add_linear(x: Any) -> Any:
    # A linear activation before a sum: hls4ml alone lets such sums overflow.
    y = linear(5, 0)(conv(3, padding="same")(x))
    z = linear(4, 3)(conv(3, 1)(x))
    return keras.layers.Add()([y, z])


def _concatenate(x: Any) -> Any:
    y = relu(4, 1)(conv(2, padding="same")(x))
    z = linear(4, 3)(conv(3, 1)(x))
    return conv(2, 1)(keras.layers.Concatenate()([y, z]))


def _three_readers(x: Any) -> Any:
    y = relu(4, 1)(conv(3, padding="same")(x))
    z = keras.layers.Add()([conv(3, 1)(y), y])
    return keras.layers.Add()([z, conv(3, padding="same")(y)])


def _twice(x: Any) -> Any:
    return keras.layers.Add()([x, x])


def _subtract(x: Any) -> Any:
    y = relu(4, 1)(conv(3, padding="same")(x))
    return keras.layers.Subtract()([y, linear(6, 1)(conv(3, 1)(x))])


def _multiply(x: Any) -> Any:
    y = relu(4, 1)(conv(3, padding="same")(x))
    return relu()(keras.layers.Multiply()([y, linear(6, 1)(conv(3, 1)(x))]))


def _excited(x: Any) -> Any:
    # Squeeze and excite: a pixel times an image.
    y = relu(4, 1)(conv(4, padding="same")(x))
    z = relu(6, 1)(keras.layers.GlobalAveragePooling2D(keepdims=True)(y))
    z = table("sigmoid")(linear(8, 3)(conv(4, 1)(z)))
    return relu(6, 1)(keras.layers.Multiply()([y, keras.layers.UpSampling2D(6)(z)]))


def _series(x: Any) -> Any:
    x = keras.layers.Reshape((12, 9))(x)
    y = relu(5, 2)(conv1d(4, 3, padding="same")(x))
    z = keras.layers.Add()([conv1d(4, 5, padding="same")(y), conv1d(4, 1)(x)])
    return dense(3)(relu(6, 2)(keras.layers.GlobalAveragePooling1D()(relu(5, 3)(z))))


def bodies() -> dict[str, Tensors]:
    """What can be converted, by name; its layers are made when it is called, since a layer belongs to one model."""

    def called(make: Callable[[], Tensors]) -> Tensors:
        return lambda x: make()(x)

    return {name: called(make) for name, make in _made().items()}


def _made() -> dict[str, Callable[[], Tensors]]:
    layers = keras.layers
    return {
        "conv same": lambda: chain(conv(padding="same")),
        "conv valid": lambda: chain(conv(), relu()),
        "conv same stride 2": lambda: chain(conv(padding="same", strides=2), relu()),
        "conv valid stride 2": lambda: chain(conv(strides=2), relu()),
        "conv 1x1 stride 2": lambda: chain(conv(size=1, strides=2), relu()),
        "conv 1x1": lambda: chain(conv(size=1), relu()),
        "conv 3x1 same": lambda: chain(conv(size=(3, 1), padding="same"), relu()),
        "conv 2x2 same": lambda: chain(conv(size=2, padding="same"), relu()),
        "conv strides 2x1": lambda: chain(conv(strides=(2, 1)), relu()),
        "conv without bias": lambda: chain(conv(bias=False, padding="same"), relu()),
        "conv binary": lambda: chain(conv(bits=1, bias=False, padding="same"), batch_norm(), relu(2, 2)),
        "conv binary with bias": lambda: chain(conv(bits=1, padding="same"), relu()),
        "conv one filter": lambda: chain(conv(1, padding="same"), relu()),
        "depthwise same": lambda: chain(depthwise(padding="same"), relu()),
        "depthwise valid stride 2": lambda: chain(depthwise(strides=2), relu()),
        "depthwise 1x1": lambda: chain(depthwise(1), relu()),
        "depthwise multiplier 2": lambda: chain(depthwise(depth_multiplier=2), relu()),
        "depthwise binary": lambda: chain(depthwise(bits=1, padding="same"), relu()),
        "dense": lambda: chain(layers.Flatten(), dense(), relu(), dense(3)),
        "dense binary": lambda: chain(
            layers.Flatten(), dense(bits=1, bias=False), batch_norm(), relu(2, 2), dense(3, bits=1)
        ),
        "dense of pixels": lambda: chain(dense(4), relu()),
        "batch norm of input": lambda: chain(batch_norm(), relu()),
        "batch norm twice": lambda: chain(batch_norm(), batch_norm()),
        "relu layer": lambda: chain(conv(), layers.ReLU()),
        "relu activation": lambda: chain(conv(), layers.Activation("relu"), conv(size=1)),
        "linear activation": lambda: chain(conv(), layers.Activation("linear")),
        "activation of input": lambda: chain(relu(3, 1)),
        "activation signed": lambda: chain(conv(), linear(), conv(size=1)),
        "activation of 1 bit": lambda: chain(conv(), relu(1, 1)),
        "activation finer than input": lambda: chain(relu(9, 2)),
        "add": lambda: _add,
        "add linear": lambda: _add_linear,
        "add twice the same": lambda: _twice,
        "three readers": lambda: _three_readers,
        "concatenate": lambda: _concatenate,
        "max pool": lambda: chain(layers.MaxPooling2D(2), conv(size=1)),
        "max pool 3 stride 2": lambda: chain(layers.MaxPooling2D(3, 2)),
        "max pool same": lambda: chain(layers.MaxPooling2D(2, padding="same")),
        "max pool 3x2": lambda: chain(layers.MaxPooling2D((3, 2))),
        "max pool of negatives": lambda: chain(conv(padding="same"), layers.MaxPooling2D(2)),
        "max pool with a rest": lambda: chain(layers.MaxPooling2D(4)),
        "global max pool": lambda: chain(conv(), layers.GlobalMaxPooling2D(), dense(3)),
        "global max pool keepdims": lambda: chain(conv(), layers.GlobalMaxPooling2D(keepdims=True)),
        "average pool": lambda: chain(conv(padding="same"), layers.AveragePooling2D(2), relu()),
        "average pool 2x1": lambda: chain(layers.AveragePooling2D((2, 1))),
        "average pool stride 1": lambda: chain(layers.AveragePooling2D(2, 1)),
        "global average pool": lambda: chain(conv(), layers.GlobalAveragePooling2D(), relu(4, 2), dense(3)),
        "global average pool signed": lambda: chain(conv(), layers.GlobalAveragePooling2D()),
        "global average pool keepdims": lambda: chain(conv(), layers.GlobalAveragePooling2D(keepdims=True)),
        "zero padding": lambda: chain(layers.ZeroPadding2D(1), conv(), relu()),
        "zero padding uneven": lambda: chain(layers.ZeroPadding2D(((1, 0), (0, 2))), conv()),
        "zero padding last": lambda: chain(layers.ZeroPadding2D(2)),
        "up-sampling": lambda: chain(conv(), layers.UpSampling2D(2), conv(size=1)),
        "up-sampling 2x1": lambda: chain(layers.UpSampling2D((2, 1))),
        "up-sampling 1x3": lambda: chain(layers.UpSampling2D((1, 3))),
        "flatten": lambda: chain(conv(), layers.Flatten()),
        "reshape": lambda: chain(conv(), layers.Reshape((2, 8, 3)), conv(size=1)),
        "reshape flat": lambda: chain(conv(), layers.Reshape((48,)), dense(3)),
        "reshape channels": lambda: chain(conv(), layers.Reshape((-1, 2, 6)), conv(size=1)),
        "reshape that splits pixels": lambda: chain(conv(), layers.Reshape((-1, 2, 2)), conv(size=1)),
        "series": lambda: _series,
        "conv 1D valid stride 2": lambda: chain(layers.Reshape((12, 9)), conv1d(strides=2), relu()),
        "conv 1D causal": lambda: chain(layers.Reshape((12, 9)), conv1d(padding="causal"), relu()),
        "depthwise 1D": lambda: chain(layers.Reshape((12, 9)), depthwise1d(padding="same"), relu()),
        "depthwise 1D stride 2": lambda: chain(layers.Reshape((12, 9)), depthwise1d(2, strides=2), relu()),
        "pools 1D": lambda: chain(layers.Reshape((12, 9)), layers.MaxPooling1D(2), layers.AveragePooling1D(2), relu()),
        "global max pool 1D": lambda: chain(layers.Reshape((12, 9)), layers.GlobalMaxPooling1D(), dense(3)),
        "zero padding and up-sampling 1D": lambda: chain(
            layers.Reshape((12, 9)), layers.ZeroPadding1D((1, 2)), conv1d(), layers.UpSampling1D(2), relu()
        ),
        "average pool 3": lambda: chain(conv(padding="same"), layers.AveragePooling2D(3), relu(6, 2), conv(size=1)),
        "average pool 3x2 signed": lambda: chain(conv(padding="same"), layers.AveragePooling2D((3, 2)), linear(8, 2)),
        "average of 6x6 pixels": lambda: chain(layers.GlobalAveragePooling2D(), linear(9, 2), dense(3)),
        "average pool 1D of 3": lambda: chain(layers.Reshape((12, 9)), layers.AveragePooling1D(3), linear(7, 2)),
        "average flattened": lambda: chain(layers.AveragePooling2D(3), layers.Flatten(), linear(6, 2), dense(3)),
        "subtract": lambda: _subtract,
        "multiply": lambda: _multiply,
        "squeeze and excite": lambda: _excited,
        "leaky relu": lambda: chain(conv(padding="same"), layers.LeakyReLU(0.125), linear(8, 2)),
        "leaky relu beyond 1": lambda: chain(conv(), layers.LeakyReLU(1.5)),
        "leaky relu below 0": lambda: chain(conv(), layers.LeakyReLU(-0.25)),
        "sigmoid": lambda: chain(conv(), linear(8, 3), table("sigmoid"), conv(size=1)),
        "tanh of finer numbers": lambda: chain(conv(), linear(12, 2), table("tanh", 6)),
        "softplus": lambda: chain(linear(5, 3), table("softplus", 10)),
        "softsign": lambda: chain(conv(), table("softsign")),
        "W16A16": lambda: chain(
            conv(4, bits=16, padding="same"), relu(16, 2), conv(4, bits=16, padding="same"), relu(16, 4)
        ),
        "up-sampling bilinear": lambda: chain(layers.UpSampling2D(2, interpolation="bilinear")),
        "max pool same with a rest": lambda: chain(layers.MaxPooling2D(4, padding="same")),
    }


def _net_a(x: Any) -> Any:
    layers = keras.layers
    x = relu(4, 2)(conv(3, 2, padding="same")(x))
    x = relu(4, 3)(conv(4, (3, 1), padding="same", bias=False)(x))
    x = layers.ReLU()(conv(3, 1, strides=2)(x))
    x = relu(3, 4)(layers.Activation("linear")(conv(3, strides=(2, 1))(x)))
    return dense(3, bias=False)(linear(5, 5)(dense(4)(layers.Flatten()(x))))


def _net_b(x: Any) -> Any:
    layers = keras.layers
    x = relu(4, 2)(conv(3)(layers.ZeroPadding2D(((1, 0), (0, 2)))(x)))
    x = linear(5, 3)(depthwise(padding="same")(layers.MaxPooling2D((2, 1))(x)))
    x = relu(5, 3)(layers.AveragePooling2D(2)(layers.UpSampling2D(2)(x)))
    x = layers.Concatenate()([relu(4, 3)(conv(2, 1)(x)), linear(4, 2)(conv(3, padding="same")(x))])
    x = relu(6, 3)(layers.GlobalAveragePooling2D()(relu(4, 4)(conv(4, (2, 1), strides=(1, 2))(x))))
    return dense(3)(x)


def _net_c(x: Any) -> Any:
    layers = keras.layers
    x = relu(2, 2)(batch_norm()(conv(4, bits=1, bias=False, padding="same")(x)))
    y = batch_norm()(conv(4, bits=1, bias=False, padding="same")(x))
    x = relu(2, 3)(layers.Add()([y, x]))
    z = linear(4, 4)(layers.Add()([batch_norm()(conv(4, 1, bits=1)(x)), x]))
    x = relu(1, 3)(layers.Add()([z, linear(5, 2)(depthwise(padding="same", bits=1)(x))]))
    x = layers.Activation("relu")(conv(3, 1)(layers.Reshape((2, 16, 4))(layers.MaxPooling2D(2)(_up(x)))))
    return dense(3, bits=1)(linear(8, 6)(layers.GlobalMaxPooling2D()(x)))


def _up(x: Any) -> Any:
    return keras.layers.ZeroPadding2D(((1, 0), (1, 0)))(keras.layers.UpSampling2D((1, 2))(x))


def _net_e(x: Any) -> Any:
    layers = keras.layers
    x = relu(4, 3)(depthwise(2)(x))
    x = layers.MaxPooling2D(2)(relu(4, 3)(dense(4)(x)))  # 7x7 pixels: one row and column are left over
    x = relu(4, 3)(layers.AveragePooling2D((2, 1))(x))
    x = relu(4, 4)(conv(3, (1, 3))(layers.Reshape((2, 3, 2))(x)))
    return layers.Flatten()(conv(2, 1)(relu(5, 4)(layers.GlobalAveragePooling2D(keepdims=True)(x))))


def _net_f(x: Any) -> Any:
    layers = keras.layers
    x = relu(14, 6)(batch_norm()(batch_norm()(x)))
    x = layers.Add()([x, x])
    x = conv(1, 3, padding="same", strides=2)(layers.UpSampling2D((2, 1))(x))
    return layers.ZeroPadding2D(1)(layers.GlobalMaxPooling2D(keepdims=True)(linear(7, 6)(x)))


def _net_d(x: Any) -> Any:
    x = relu(16, 2)(conv(4, bits=16, padding="same")(x))
    return relu(16, 5)(keras.layers.Add()([conv(4, bits=16, padding="same")(x), x]))


def one_bit_block(x: Any) -> Any:
    """A residual block of 1-bit weights and 2-bit activations."""
    x = relu(2, 2)(batch_norm()(conv(4, bits=1, bias=False, padding="same")(x)))
    y = batch_norm()(conv(4, bits=1, bias=False, padding="same")(x))
    return relu(2, 3)(keras.layers.Add()([y, x]))


def nets() -> dict[str, Tensors]:
    """Every kind of layer in few models (8x8x3), so that few need to be compiled."""
    return {"W5A4": _net_a, "W5A6": _net_b, "W1A2": _net_c, "W16A16": _net_d, "odd": _net_e, "odd ends": _net_f}
