import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def test_the_second_copy_of_keras_is_the_first():
    import keras
    import qkeras
    import tensorflow as tf
    import tf_keras

    from nonresnet_hls import one_keras

    assert tf_keras is keras
    assert qkeras.QConv2D.__mro__[1] is tf.keras.layers.Conv2D
    assert one_keras.is_single()


# Model Optimization leaves the wish for the copy to the children of its process, too.
LEGACY = {**os.environ, "TF_USE_LEGACY_KERAS": "1"}


def _python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=LEGACY)


def test_who_asks_tensorflow_for_the_copy_gets_the_first():
    done = _python(
        "import nonresnet_hls, keras, tensorflow; from tensorflow.keras import layers;"
        "from nonresnet_hls.networks import saved; saved.quantizers(); print(layers.Layer is keras.layers.Layer)"
    )
    assert done.stdout == "True\n", done.stderr


def test_a_copy_that_came_before_is_refused():
    done = _python("import tensorflow; from nonresnet_hls.networks import saved; saved.quantizers()")
    assert done.returncode != 0
    assert "ModelError: Keras is there twice: import nonresnet_hls before tensorflow and qkeras" in done.stderr


def test_beside_another_keras_nothing_is_done(monkeypatch):
    from nonresnet_hls import one_keras

    monkeypatch.setattr(one_keras.metadata, "version", lambda _: "3.15.1")
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    one_keras.install()
    (finder,) = (one for one in sys.meta_path if isinstance(one, one_keras._Alias))
    assert finder.find_spec("tf_keras", None) is None
    assert finder.find_spec("tensorflow", None) is None
    assert os.environ["TF_USE_LEGACY_KERAS"] == "1"


def test_models_are_saved_in_any_thread(tmp_path: Path) -> None:
    from tensorflow import keras

    from nonresnet_hls import one_keras
    from nonresnet_hls.networks import saved

    image = keras.Input((4,), name="image")
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(image), name="small")
    paths = [tmp_path / f"{number}.keras" for number in range(3)]

    def save() -> None:
        one_keras.in_this_thread()
        for path in paths:
            saved.save(model, path)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(save).result()
    assert len({path.read_bytes() for path in paths}) == 1
