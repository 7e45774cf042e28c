"""What Keras computes of samples, also where TensorFlow's oneDNN does not.

oneDNN knows a convolution by its sizes alone: where one of 1x1 from one channel to one was computed before, it takes a
depthwise one of the same sizes for that, or the other way round, and aborts. XLA, which does without it, computes both.
"""

from typing import Any

from nonresnet_hls import samples
from nonresnet_hls.errors import ModelError, shown


def predicted(model: Any, inputs: Any, batch_size: int = 64) -> Any:
    """What a Keras model makes of samples: an array (samples, *output shape), of several outputs a list of them.

    Args:
        model: the Keras model.
        inputs: (samples, *input shape); of several inputs records in the model's order, or a list of arrays.
        batch_size: samples that are computed at once.

    Raises:
        ModelError: neither oneDNN nor XLA computes it.
    """
    given = _given(inputs)
    try:
        return model.predict(given, batch_size=batch_size, verbose=0)
    except Exception as error:
        if not aborted(error):
            raise
    return _by_xla(model, given, batch_size)


def called(model: Any, inputs: Any) -> Any:
    """The same of one batch, layer by layer as Keras calls them: without the start that `predict` needs."""
    import numpy as np

    given = _given(inputs)
    try:
        outputs = model(given, training=False)
    except Exception as error:
        if not aborted(error):
            raise
        return _by_xla(model, given, len(given[0] if isinstance(given, list) else given))
    return [np.asarray(one) for one in outputs] if isinstance(outputs, list | tuple) else np.asarray(outputs)


def aborted(error: Exception) -> bool:
    """Whether that is what `predicted` goes round."""
    # By its name: a Keras 3 may stand on another library than TensorFlow.
    return type(error).__name__ == "AbortedError"


def refusal(error: Exception) -> ModelError:
    """The one line for where nothing goes round it: a training."""
    lines = [line for line in str(getattr(error, "message", error)).splitlines() if line.strip()]
    reason = next((line for line in lines if "primitive" in line), lines[0] if lines else type(error).__name__)
    return ModelError(
        "TensorFlow's oneDNN takes one of the model's convolutions for another one, and aborts"
        f" ({shown(reason, 120)}); set TF_ENABLE_ONEDNN_OPTS=0 in the environment"
    )


def _given(inputs: Any) -> Any:
    return inputs if isinstance(inputs, list) else samples.for_keras(inputs)


def _by_xla(model: Any, given: Any, batch_size: int) -> Any:
    import numpy as np
    import tensorflow as tf

    parts = given if isinstance(given, list) else [given]
    compiled = tf.function(
        lambda *batch: model(list(batch) if isinstance(given, list) else batch[0], training=False), jit_compile=True
    )
    found: list[list[Any]] = []
    try:
        for start in range(0, len(parts[0]), batch_size):
            outputs = compiled(*(tf.constant(part[start : start + batch_size], tf.float32) for part in parts))
            found.append([one.numpy() for one in (outputs if isinstance(outputs, list | tuple) else [outputs])])
    except tf.errors.OpError as error:
        raise refusal(error) from error
    joined = [np.concatenate(batches) for batches in zip(*found, strict=True)]
    return joined if len(joined) > 1 else joined[0]
