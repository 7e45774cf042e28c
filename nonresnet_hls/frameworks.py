"""TensorFlow, Keras and QKeras, imported in the one order in which they agree on what Keras is.

QKeras imports tensorflow-model-optimization, which sets TF_USE_LEGACY_KERAS for the whole process; whatever part of
`tf.keras` TensorFlow resolves after that comes from the package tf_keras, a twin of Keras 2.15 that takes over the
names under which layers are saved. Loading a `.keras` file then mixes layers of both and never returns. So all
parts are resolved first and the variable is put back. Import this module inside the functions that need it: it
takes seconds.
"""

import logging
import os
import warnings

import tensorflow as tf

keras = tf.keras
for _lazy in (keras, tf.compat.v1.keras, tf.compat.v2.keras):
    _ = _lazy.layers.Layer  # resolves it

_before = os.environ.get("TF_USE_LEGACY_KERAS")
import qkeras  # noqa: E402  (after Keras has been resolved, see above)

if _before is None:
    os.environ.pop("TF_USE_LEGACY_KERAS", None)
else:
    os.environ["TF_USE_LEGACY_KERAS"] = _before

# That a model was traced anew; and that QKeras' constraints are no Keras objects (they are restored all the same).
tf.get_logger().setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message=r"The `keras\.(constraints|initializers)\.serialize\(\)` API")

__all__ = ["keras", "qkeras", "tf"]
