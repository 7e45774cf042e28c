"""For all tests: one Keras, whichever test module imports QKeras first (see `nonresnet_hls.one_keras`)."""

import nonresnet_hls  # noqa: F401  # installs the alias of tf_keras
from tests.tiny import built, tiny

__all__ = ["built", "tiny"]
