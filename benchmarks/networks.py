"""Networks for the FIFO tables: MLPerf Tiny's ResNet-8 as others synthesized it, a MobileNetV2 and a U-Net."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PART = "xczu7ev-ffvc1156-2-e"
_ROUNDED = "fixed<8,3,RND_CONV,SAT>"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """hls4ml, QKeras and Keras print, and warn of each other."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def mlperf_resnet8(project: Path) -> None:
    """The ResNet-8 whose csynth report is at hand, stream for stream of the same width, written to `project`.

    Vitis, io_stream, Resource, reuse factor 72; batch norms are layers of their own; types as in the report.
    """
    with quiet():
        import hls4ml
        import qkeras
        from tensorflow import keras

        layers = keras.layers

        def conv(x: Any, name: str, filters: int, size: int, stride: int = 1) -> Any:
            kind = qkeras.quantized_bits(8, 0, alpha=1)
            return qkeras.QConv2D(
                filters, size, stride, padding="same", kernel_quantizer=kind, bias_quantizer=kind, name=name
            )(x)

        def relu(x: Any, name: str) -> Any:
            return qkeras.QActivation(qkeras.quantized_relu(8, 2), name=name)(x)

        image = keras.Input((32, 32, 3), name="in_image")
        x = relu(layers.BatchNormalization(name="stem_bn")(conv(image, "stem", 16, 3)), "stem_relu")
        for block, (filters, stride) in enumerate(((16, 1), (32, 2), (64, 2)), start=1):
            y = layers.BatchNormalization(name=f"b{block}_bn1")(conv(x, f"b{block}_conv1", filters, 3, stride))
            y = conv(relu(y, f"b{block}_relu1"), f"b{block}_conv2", filters, 3)
            y = layers.BatchNormalization(name=f"b{block}_bn2")(y)
            if stride == 2:
                x = layers.Activation("linear", name=f"b{block}_scale")(conv(x, f"b{block}_proj", filters, 1, stride))
            x = relu(layers.Add(name=f"b{block}_add")([y, x]), f"b{block}_relu2")
        x = layers.Flatten()(layers.AveragePooling2D(8, name="pool")(x))
        kind = qkeras.quantized_bits(8, 0, alpha=1)
        logits = qkeras.QDense(10, kernel_quantizer=kind, bias_quantizer=kind, name="logits")(x)
        model = keras.Model(image, logits)
        config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend="Vitis")
        for name, layer in config["LayerName"].items():
            layer["Strategy"] = "Resource"
            layer["ReuseFactor"] = 1 if "bn" in name else 72
            if name.endswith(("_bn2", "_proj", "_proj_linear")):
                layer["Precision"]["result"] = _ROUNDED
            if name.endswith("_scale"):
                layer["Precision"]["result"] = "fixed<16,6>"
        config["LayerName"]["b2_proj"]["ReuseFactor"] = 16
        config["LayerName"]["b3_proj"]["ReuseFactor"] = 32
        config["LayerName"]["logits"]["ReuseFactor"] = 64
        config["LayerName"]["pool"]["Precision"]["result"] = "ufixed<8,2,RND_CONV,SAT>"
        hls4ml.converters.convert_from_keras_model(
            model,
            hls_config=config,
            output_dir=str(project),
            backend="Vitis",
            part=PART,
            clock_period=10,
            io_type="io_stream",
        ).write()


def mobilenet(size: int = 32) -> Any:
    """A MobileNetV2-style QKeras network: inverted residuals with depthwise convolutions, 8 bits."""
    with quiet():
        import qkeras
        from tensorflow import keras

        def kind() -> Any:
            return qkeras.quantized_bits(8, 0, alpha=1)

        def pointwise(x: Any, filters: int) -> Any:
            return qkeras.QConv2D(filters, 1, kernel_quantizer=kind(), bias_quantizer=kind())(x)

        def relu(x: Any) -> Any:
            return qkeras.QActivation(qkeras.quantized_relu(8, 3))(x)

        def inverted(x: Any, filters: int, stride: int, expansion: int = 4) -> Any:
            y = relu(pointwise(x, expansion * x.shape[-1]))
            y = qkeras.QDepthwiseConv2D(
                3, strides=stride, padding="same", depthwise_quantizer=kind(), bias_quantizer=kind()
            )(y)
            y = pointwise(relu(y), filters)
            return keras.layers.Add()([x, y]) if stride == 1 and x.shape[-1] == filters else y

        image = keras.Input((size, size, 3), name="image")
        x = qkeras.QConv2D(8, 3, 2, padding="same", kernel_quantizer=kind(), bias_quantizer=kind())(image)
        x = relu(x)
        for filters, stride in ((8, 1), (16, 2), (16, 1), (16, 1), (24, 2), (24, 1)):
            x = inverted(x, filters, stride)
        x = relu(pointwise(x, 64))
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.Model(image, qkeras.QDense(10, kernel_quantizer=kind(), bias_quantizer=kind())(x))


def unet(size: int = 32, depth: int = 3) -> Any:
    """A U-Net-style QKeras network: long skips that end in a concatenation, nested in each other, 8 bits."""
    with quiet():
        import qkeras
        from tensorflow import keras

        def conv(x: Any, filters: int, kernel: int = 3) -> Any:
            kind = qkeras.quantized_bits(8, 0, alpha=1)
            x = qkeras.QConv2D(filters, kernel, padding="same", kernel_quantizer=kind, bias_quantizer=kind)(x)
            return qkeras.QActivation(qkeras.quantized_relu(8, 2))(x)

        image = x = keras.Input((size, size, 1), name="image")
        skips = []
        for level in range(depth):
            x = conv(x, 4 << level)
            skips.append(x)
            x = keras.layers.MaxPooling2D(2)(x)
        x = conv(x, 4 << depth)
        for level in reversed(range(depth)):
            x = keras.layers.UpSampling2D(2)(x)
            x = conv(keras.layers.Concatenate()([x, skips[level]]), 4 << level)
        return keras.Model(image, conv(x, 1, 1))
