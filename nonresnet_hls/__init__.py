"""Remove the skips of residual Keras networks and turn them into bit-exact hls4ml projects."""

import os

from nonresnet_hls import one_keras

__version__ = "0.1.0"

# TensorFlow greets with a screenful about CUDA on every machine without a GPU; its errors still come as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

one_keras.install()
