"""Keras -> QKeras: batch-norm folding, fixed-point types, quantization-aware fine-tuning, exact evaluation."""
