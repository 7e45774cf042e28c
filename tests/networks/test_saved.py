"""Models in files: nothing that a file brings is run; what is refused is named."""

import json
import time
import zipfile

import h5py
import numpy as np
import pytest

from nonresnet_hls import networks
from nonresnet_hls.cli import main
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import saved
from nonresnet_hls.recipe import SkipStyle


@pytest.fixture(params=[".keras", ".h5"])
def path(request, tmp_path):
    return tmp_path / f"model{request.param}"


def small():
    return networks.resnet(SkipStyle.SHORT, (8, 8, 1), 3, (4,), 1, seed=1)


def test_what_is_saved_comes_back(tmp_path):
    model = small()
    saved.save(model, tmp_path / "new" / "model.keras")
    back = saved.load(tmp_path / "new" / "model.keras")
    assert back.to_json() == model.to_json()
    assert all((a == b).all() for a, b in zip(back.get_weights(), model.get_weights(), strict=True))
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["model.keras"]


def test_equal_models_make_equal_files(tmp_path):
    one, other = tmp_path / "one.keras", tmp_path / "other.keras"
    saved.save(small(), one)
    time.sleep(2.1)  # the clock of zip archives ticks every two seconds
    saved.save(small(), other)
    assert one.read_bytes() == other.read_bytes()
    assert saved.load(one).to_json() == small().to_json()


def test_the_state_of_the_optimizer_is_not_saved(tmp_path):
    model = small()
    model.compile("adam", "mse")
    model.fit(np.zeros((2, 8, 8, 1)), np.zeros((2, 3)), verbose=0)
    saved.save(model, tmp_path / "trained.keras")
    back = saved.load(tmp_path / "trained.keras")
    assert back.optimizer is None
    saved.save(small(), tmp_path / "plain.keras")
    sizes = [(tmp_path / name).stat().st_size for name in ("trained.keras", "plain.keras")]
    assert sizes[0] < 1.1 * sizes[1]


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_quantized_models_are_taken(path):
    import qkeras
    from tensorflow import keras

    image = keras.Input((4, 4, 2))
    x = qkeras.QConv2D(2, 3, kernel_quantizer="quantized_bits(4,0,1)", bias_quantizer="quantized_bits(4)")(image)
    keras.Model(image, qkeras.QActivation("quantized_relu(4)")(x)).save(path)
    assert [type(layer).__name__ for layer in saved.load(path).layers] == ["InputLayer", "QConv2D", "QActivation"]


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_a_lambda_is_refused_by_name_unless_it_is_allowed(path):
    from tensorflow import keras

    image = keras.Input((2,))
    keras.Model(image, keras.layers.Lambda(lambda x: x + 1, name="adder")(image)).save(path)
    with pytest.raises(ModelError, match="layer 'adder' is a Lambda"):
        saved.load(path)
    assert saved.load(path, allow=["adder"])(np.zeros((1, 2))).numpy().tolist() == [[1.0, 1.0]]


def test_a_lambda_inside_another_layer_is_found(tmp_path):
    from tensorflow import keras

    image = keras.Input((3, 2))
    inner = keras.layers.TimeDistributed(keras.layers.Lambda(lambda x: x, name="hidden"))
    keras.Model(image, inner(image)).save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match="'hidden' is a Lambda"):
        saved.load(tmp_path / "m.keras")


def test_a_class_that_nobody_knows_is_refused_by_name(tmp_path):
    from tensorflow import keras

    class Mine(keras.layers.Layer):
        pass

    image = keras.Input((2,))
    keras.Model(image, Mine(name="own")(image)).save(tmp_path / "m.keras")
    with pytest.raises(ModelError, match="'own' is of the unknown class 'Mine'"):
        saved.load(tmp_path / "m.keras")
    with keras.utils.custom_object_scope({"Mine": Mine}):
        assert isinstance(saved.load(tmp_path / "m.keras", allow=["Mine"]).layers[1], Mine)


def tampered(tmp_path, change):
    """A saved model whose configuration somebody has changed."""
    saved.save(small(), tmp_path / "good.keras")
    with zipfile.ZipFile(tmp_path / "good.keras") as good, zipfile.ZipFile(tmp_path / "bad.keras", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            bad.writestr(name, content)
    return tmp_path / "bad.keras"


def test_a_module_of_others_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("open('imported', 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def change(config):
        config["config"]["layers"][1] |= {"module": "evil", "registered_name": "Conv2D"}

    with pytest.raises(ModelError, match="unknown class"):
        saved.load(tampered(tmp_path, change))
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "m.keras").write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.keras: cannot be read"):
        saved.load(tmp_path / "m.keras")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"m\.keras: no such file"):
        saved.load(tmp_path / "m.keras")


def _keras_3(path, version="3.15.0"):
    """A file as Keras 3 writes it: version and configuration, as far as they are read."""
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
    dense = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "dense", "units": 1, "dtype": policy}}
    config = json.dumps({"class_name": "Functional", "config": {"name": "functional", "layers": [dense]}})
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.attrs.update({"keras_version": version, "backend": "jax", "model_config": config})
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": version}))
            archive.writestr("config.json", config)
            archive.writestr("model.weights.h5", b"")


@pytest.mark.parametrize("command", ["skips", "fifos"])
def test_a_file_of_keras_3_is_called_so(path, command, capsys):
    _keras_3(path)
    assert main([command, str(path)]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"nonresnet-hls: {path}: saved by Keras 3.15.0; a file of Keras 2 wanted, since QKeras ")
    assert "TF_USE_LEGACY_KERAS=1" in line
    assert line.count("\n") == 1
    with pytest.raises(ModelError, match=r"saved by Keras 3\.15\.0"):
        saved.is_quantized(path)


@pytest.mark.parametrize("name", ["model.weights.h5", "weights.h5"])
def test_weights_without_a_model_are_called_so(tmp_path, name):
    small().save_weights(tmp_path / name)
    with pytest.raises(ModelError, match=r"weights\.h5: holds weights without a model; one saved by model\.save\(\) "):
        saved.load(tmp_path / name)


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(ModelError, match=r"no such file; a \.keras or \.h5 file wanted, not a folder"):
        saved.load(tmp_path)


@pytest.mark.parametrize("metadata", [b"[]", b"{}", b'{"keras_version": null}', b'{"keras_version": "three"}', b"\xff"])
def test_metadata_that_say_nothing(tmp_path, metadata):
    saved.save(small(), tmp_path / "good.keras")
    with zipfile.ZipFile(tmp_path / "good.keras") as good, zipfile.ZipFile(tmp_path / "odd.keras", "w") as odd:
        for name in good.namelist():
            odd.writestr(name, metadata if name == "metadata.json" else good.read(name))
    try:
        saved.load(tmp_path / "odd.keras")
    except ModelError as error:
        assert "odd.keras: cannot be read as" in str(error)  # noqa: PT017  # either is right
