"""Remove the skips of residual Keras networks and turn them into bit-exact hls4ml projects."""

__version__ = "0.1.0"
