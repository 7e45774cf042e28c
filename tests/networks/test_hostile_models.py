"""Model files of strangers: nothing that they name runs, nothing that they claim is believed, nothing hangs."""

import io
import json
import shutil
import zipfile

import h5py
import numpy as np
import pytest

from nonresnet_hls import networks
from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import saved
from nonresnet_hls.recipe import SkipStyle

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A small residual model in both containers, and one with operations; not to be changed."""
    from tensorflow import keras

    folder = tmp_path_factory.mktemp("good")
    model = networks.resnet(SkipStyle.RESIDUAL, (8, 8, 1), 3, (4,), 1, seed=1)
    image = keras.Input((4,), name="image")
    operations = keras.Model(image, (image + 1.0) * 0.5)
    for suffix in (".keras", ".h5"):
        model.save(folder / f"good{suffix}")
        operations.save(folder / f"operations{suffix}")
    return folder


def changed(source, target, change, weights=None, more=()):
    """A copy of a model file with its configuration changed; `change` gets the model's dictionary."""
    if source.suffix == ".h5":
        shutil.copy(source, target)
        with h5py.File(target, "a") as file:
            config = json.loads(file.attrs["model_config"])
            file.attrs["model_config"] = json.dumps(change(config) or config)
        return target
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                content = json.dumps(change(config) or config).encode()
            if name == "model.weights.h5" and weights is not None:
                content = weights
            new.writestr(name, content)
        for name, content in more:
            new.writestr(name, content)
    return target


@pytest.fixture(params=[".keras", ".h5"])
def suffix(request):
    return request.param


@pytest.fixture
def refused(good, tmp_path, suffix, monkeypatch):
    """Refuses a change to the good file, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)

    def check(change, match, name="good"):
        bad = changed(good / f"{name}{suffix}", tmp_path / f"bad{suffix}", change)
        with pytest.raises(ModelError, match=match) as caught:
            saved.load(bad)
        assert str(caught.value).startswith(f"{bad}: ")
        assert "\n" not in str(caught.value)
        assert sorted(file.name for file in tmp_path.iterdir()) == [bad.name]

    return check


def layers(config):
    return config["config"]["layers"]


def named(config, kind):
    return next(entry for entry in layers(config) if entry["class_name"] == kind)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("io.write_file", {"filename": "written", "contents": "x"}),
        ("load_op_library", {}),
        ("load_library", {}),
        ("io.gfile.GFile", {}),
        ("py_function", {}),
        ("keras.models.load_model", {}),
        (["add"], {}),
        (None, {}),
    ],
)
def test_a_function_of_tensorflow_is_not_called(refused, function, arguments):
    def change(config):
        entry = named(config, "TFOpLambda")
        entry["config"]["function"] = function
        entry["inbound_nodes"] = [["_CONSTANT_VALUE", -1, "written", arguments]]

    refused(change, "calls the TensorFlow function", "operations")


def test_an_operation_on_constants_alone_is_not_computed(refused):
    # `pad` of constants would fill the memory while the model is loaded.
    def change(config):
        entry = named(config, "TFOpLambda")
        entry["config"]["function"] = "pad"
        entry["inbound_nodes"] = [["_CONSTANT_VALUE", -1, [1.0], {"paddings": [[0, 10**12]]}]]

    refused(change, "not on constants alone", "operations")


@pytest.mark.parametrize(
    "extra",
    [
        {"class_name": "ClassMethod", "config": {"cls_symbol": "io.TFRecordWriter", "method_name": "x", "name": "m"}},
        {"class_name": "InstanceMethod", "config": {"attr_name": "numpy", "name": "m"}},
        {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd", "name": "m"}},
        {"class_name": "TextVectorization", "config": {"vocabulary": "/etc/passwd", "name": "m"}},
        {"class_name": "Adam", "config": {"name": "m"}},
        {"class_name": "TypeSpec", "type_spec": "tf.TensorSpec", "serialized": []},
        {"class_name": "CompositeTensor", "spec": {}, "tensors": []},
        {"class_name": "__typespec__", "spec_name": "system", "module": "os", "registered_name": None, "config": []},
        {"class_name": ["Dense"], "config": {}},
    ],
    ids=lambda entry: str(entry["class_name"]),
)
def test_classes_that_do_more_than_compute_are_refused(refused, extra):
    def change(config):
        named(config, "Conv2D")["config"]["kernel_initializer"] = extra

    refused(change, "unknown class|class_name: a name wanted")


@pytest.mark.parametrize(
    ("module", "name"), [("os", "system"), ("builtins", "exec"), ("evil", "run"), ("keras.activations", "get")]
)
def test_a_function_of_another_module_is_not_imported(refused, module, name):
    def change(config):
        kind = {"class_name": "function", "config": name, "module": module, "registered_name": name}
        named(config, "Dense")["config"]["activation"] = kind

    refused(change, "unknown (function|class)")


def test_a_class_under_two_names_is_refused(refused):
    def change(config):
        layers(config)[1] |= {"module": "keras.src.saving.serialization_lib", "registered_name": "importlib"}

    refused(change, "'importlib' at once")


@pytest.mark.parametrize(
    "text", ["range(10000000000000)", "get_quantizer('x')", "deserialize", "quantized_bits(__a())"]
)
@pytest.mark.parametrize("key", ["activation", "kernel_quantizer", "kernel_initializer", "kernel_constraint"])
def test_a_text_that_would_be_called_is_refused(refused, text, key):
    def change(config):
        named(config, "Conv2D")["config"][key] = text

    refused(change, f"{key}: unknown function")


@pytest.mark.parametrize("text", ["quantized_bits(" + ", " * 200 + "!", "quantized_bits(10000000000)"])
def test_a_text_that_takes_for_ever_is_refused(refused, text):
    # The first had 2^200 ways to be no call; of the second QKeras computes 2 to the power of it.
    def change(config):
        named(config, "Conv2D")["config"]["kernel_regularizer"] = text

    refused(change, "kernel_regularizer: unknown function")


def _huge_bits(config):
    kind = {"class_name": "quantized_bits", "module": "qkeras", "registered_name": None, "config": {"bits": 10**10}}
    named(config, "Conv2D")["config"]["kernel_regularizer"] = kind


def _unrolled(config):
    kind = {"class_name": "LSTM", "config": {"name": "lstm", "units": 1, "unroll": True}}
    named(config, "Conv2D")["config"]["layer"] = kind


def _power_iterations(config):
    named(config, "Conv2D")["config"]["power_iterations"] = 10**9


def _splits(config):
    named(config, "Add")["inbound_nodes"][0][0][3]["num_or_size_splits"] = 10**7


@pytest.mark.parametrize("change", [_huge_bits, _unrolled, _power_iterations, _splits])
def test_what_keras_would_turn_for_ever_is_refused(refused, change):
    refused(change, "at most .* wanted|unroll: false wanted")


def test_models_within_models_that_call_each_other_are_counted(refused):
    def change(config):
        for _ in range(15):
            layer = {"class_name": "Functional", "name": "inner", "config": config["config"]}
            layer["inbound_nodes"] = [[["image", 0, 0, {}]], [["inner", 1, 0, {}]], [["inner", 2, 0, {}]]]
            image = {"class_name": "InputLayer", "name": "image", "config": {"name": "image"}, "inbound_nodes": []}
            inside = {"name": "m", "layers": [image, layer], "input_layers": [["image", 0, 0]]}
            config = {"class_name": "Functional", "config": inside | {"output_layers": [["inner", 3, 0]]}}
        return config

    refused(change, "at most 50000 calls of layers wanted")


def test_tools_of_qkeras_are_not_imported(refused):
    def change(config):
        named(config, "ReLU")["module"] = "qkeras.autoqkeras"

    refused(change, "unknown class 'ReLU' of module 'qkeras.autoqkeras'")


def test_a_lambda_in_what_is_not_inspected_is_not_loaded(good, tmp_path):
    """HDF5 with an archive behind it: the archive is harmless, and what Keras reads is not."""
    from tensorflow import keras

    image = keras.Input((2,))
    keras.Model(image, keras.layers.Lambda(lambda x: x + 1, name="adder")(image)).save(tmp_path / "bad.h5")
    archive = (good / "good.keras").read_bytes()
    with (tmp_path / "bad.h5").open("ab") as stream:
        stream.write(archive)
    assert zipfile.is_zipfile(tmp_path / "bad.h5")
    with pytest.raises(ModelError, match="'adder' is a Lambda"):
        saved.load(tmp_path / "bad.h5")
    assert not saved.is_quantized(tmp_path / "bad.h5")


def test_what_is_loaded_is_what_was_inspected(good, tmp_path):
    """Both in one file named `.keras`: Keras reads the archive."""
    both = tmp_path / "both.keras"
    both.write_bytes((good / "operations.h5").read_bytes() + (good / "good.keras").read_bytes())
    assert len(saved.load(both).layers) > 5


@pytest.mark.parametrize(
    "reference", [["{}", 0, 0, {}], ["conv", "conv", 0, {}], ["nobody", 0, 0, {}], ["{}", 7, 0, {}]]
)
def test_layers_that_never_become_ready_are_refused(refused, reference):
    def change(config):
        entry = named(config, "Add")
        layer, *rest = reference
        entry["inbound_nodes"][0][0] = [layer.format(entry["name"]), *rest]

    refused(change, "circle|call, output|not there")


def test_a_circle_of_two_layers_is_refused(refused):
    def change(config):
        one, other = [entry for entry in layers(config) if entry["class_name"] == "Conv2D"][:2]
        one["inbound_nodes"] = [[[other["name"], 0, 0, {}]]]
        other["inbound_nodes"] = [[[one["name"], 0, 0, {}]]]

    refused(change, "not a circle through")


@pytest.mark.parametrize("value", [["image", 0, 5], ["tf.math.multiply", 0, 0], ["image", None, 0]])
def test_keyword_arguments_that_never_become_ready_are_refused(refused, value):
    def change(config):
        first = named(config, "TFOpLambda")
        last = [entry for entry in layers(config) if entry["class_name"] == "TFOpLambda"][-1]
        first["inbound_nodes"][0][3]["y"] = [value[0].replace("tf.math.multiply", last["name"]), *value[1:]]

    refused(change, "circle|output|not there", "operations")


def test_two_layers_of_one_name_are_refused(refused):
    def change(config):
        layers(config).append(layers(config)[1])

    refused(change, "two layers of this name")


def test_weights_that_the_file_does_not_have_take_no_memory(refused):
    def change(config):
        named(config, "Dense")["config"]["units"] = 10**12

    refused(change, "weights of the shapes in its configuration wanted|cannot be read")


@pytest.mark.parametrize("depth", [150, 100_000])
def test_deep_configurations_are_refused(good, tmp_path, suffix, depth):
    bad = changed(good / f"good{suffix}", tmp_path / f"bad{suffix}", lambda config: None)
    text = '{"class_name": "Sequential", "config": ' + "[" * depth + "]" * depth + "}"
    if suffix == ".h5":
        with h5py.File(bad, "a") as file:
            del file.attrs["model_config"]
            file.attrs.create("model_config", text, dtype=h5py.string_dtype())
    else:
        bad = tmp_path / "deep.keras"
        with zipfile.ZipFile(good / "good.keras") as old, zipfile.ZipFile(bad, "w") as new:
            new.writestr("metadata.json", old.read("metadata.json"))
            new.writestr("config.json", text)
            new.writestr("model.weights.h5", old.read("model.weights.h5"))
    with pytest.raises(ModelError, match=r"nested too deeply|within one another wanted"):
        saved.load(bad)


@pytest.mark.parametrize("value", ["[]", "1", '"x"', "null", "{", '{"class_name": "Functional"}', "1" * 5000, "1e999"])
def test_what_is_no_configuration_is_named(good, tmp_path, value):
    bad = tmp_path / "bad.keras"
    with zipfile.ZipFile(good / "good.keras") as old, zipfile.ZipFile(bad, "w") as new:
        new.writestr("metadata.json", old.read("metadata.json"))
        new.writestr("config.json", value)
        new.writestr("model.weights.h5", old.read("model.weights.h5"))
    with pytest.raises(ModelError, match=r"bad\.keras: ") as caught:
        saved.load(bad)
    assert len(str(caught.value)) < 600


def test_a_configuration_that_unpacks_to_gigabytes_is_not_unpacked(good, tmp_path):
    bad = tmp_path / "bad.keras"
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        new.writestr("metadata.json", '{"keras_version": "2.15.0"}')
        new.writestr("config.json", bytes(40 << 20))
    with pytest.raises(ModelError, match=r"config\.json: at most \d+ bytes wanted"):
        saved.load(bad)


def weights_of(**arrays):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, (shape, options) in arrays.items():
            file.create_dataset(name, shape, dtype="f4", **options)
    return stream.getvalue()


def test_arrays_that_unpack_to_gigabytes_are_not_unpacked(good, tmp_path):
    huge = weights_of(bomb=((1 << 14, 1 << 14), {"compression": "gzip", "chunks": (1 << 10, 1 << 10)}))
    assert len(huge) < 1 << 20
    bad = changed(good / "good.keras", tmp_path / "bad.keras", lambda config: None, huge)
    with pytest.raises(ModelError, match="at most 200 bytes for a byte of the file wanted, not 1073741824 of"):
        saved.load(bad)


def test_a_block_larger_than_its_array_is_not_unpacked(good, tmp_path):
    # Sixteen bytes of which the first takes a gigabyte.
    odd = weights_of(x=((4,), {"compression": "gzip", "chunks": (1 << 28,), "maxshape": (None,)}))
    bad = changed(good / "good.keras", tmp_path / "bad.keras", lambda config: None, odd)
    with pytest.raises(ModelError, match="at most 200 bytes for a byte of the file wanted, not 1073741824 of"):
        saved.load(bad)


def test_weights_that_unpack_to_gigabytes_are_not_unpacked(good, tmp_path):
    bad = tmp_path / "bad.keras"
    with zipfile.ZipFile(good / "good.keras") as old, zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED, True, 1) as new:
        for name in ("metadata.json", "config.json"):
            new.writestr(name, old.read(name))
        with new.open("model.weights.h5", "w") as entry:
            entry.write(old.read("model.weights.h5"))
            for _ in range(200):
                entry.write(bytes(1 << 20))
    with pytest.raises(ModelError, match=r"model\.weights\.h5: at most 200 bytes for a byte of the file wanted"):
        saved.load(bad)


def test_a_damaged_archive_of_another_compression_is_named(good, tmp_path):
    bad = tmp_path / "bad.keras"
    with zipfile.ZipFile(good / "good.keras") as old, zipfile.ZipFile(bad, "w", zipfile.ZIP_LZMA) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    content = bytearray(bad.read_bytes())
    for at in range(80, 200):
        content[at] ^= 0x5A
    bad.write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.keras: cannot be read as \.keras or \.h5: "):
        saved.load(bad)


@pytest.mark.parametrize("kind", ["link", "storage", "virtual", "object"])
def test_weights_in_other_files_are_not_read(good, tmp_path, kind):
    bad = tmp_path / "bad.h5"
    shutil.copy(good / "good.h5", bad)
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["x"] = np.zeros(4)
    with h5py.File(bad, "a") as file:
        if kind == "link":
            file["model_weights/theirs"] = h5py.ExternalLink("secret.h5", "x")
        elif kind == "storage":
            file.create_dataset("theirs", (4,), "f8", external=[("/etc/hostname", 0, 32)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4,), "f8")
            layout[:] = h5py.VirtualSource("secret.h5", "x", (4,))
            file.create_virtual_dataset("theirs", layout)
        else:
            file.create_dataset("theirs", data=["text"], dtype=h5py.string_dtype())
    with pytest.raises(ModelError, match=r"theirs: (a link to elsewhere|an array)"):
        saved.load(bad)


def test_pickled_weights_are_not_read(good, tmp_path):
    """Without `model.weights.h5` Keras would unpickle `model.weights.npz`."""

    class Evil:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    packed = io.BytesIO()
    np.savez(packed, **{"layers/dense": np.array(Evil(), dtype=object)})
    bad = tmp_path / "bad.keras"
    with zipfile.ZipFile(good / "good.keras") as old, zipfile.ZipFile(bad, "w") as new:
        new.writestr("metadata.json", old.read("metadata.json"))
        new.writestr("config.json", old.read("config.json"))
        new.writestr("model.weights.npz", packed.getvalue())
    with pytest.raises(ModelError, match=r"no item named 'model\.weights\.h5'"):
        saved.load(bad)
    assert not (tmp_path / "ran").exists()


def test_what_else_is_in_an_archive_is_not_unpacked(good, tmp_path, monkeypatch):
    import tempfile

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    packed = changed(good / "good.keras", tmp_path / "m.keras", lambda config: None, more=[("assets/a/b", "x")])

    def no(*_, **__):
        raise AssertionError("unpacked")

    monkeypatch.setattr(zipfile.ZipFile, "extractall", no)
    assert saved.load(packed).layers
    assert not list((tmp_path / "temporary").iterdir())


def test_how_a_part_was_to_be_trained_is_not_built(good, tmp_path):
    def change(config):
        kind = {"class_name": "function", "config": "system", "module": "os", "registered_name": "system"}
        config["compile_config"] = {"loss": kind, "optimizer": "adam"}
        layers(config)[1]["compile_config"] = {"loss": kind, "optimizer": "adam"}

    packed = changed(good / "good.keras", tmp_path / "m.keras", change)
    assert saved.load(packed).optimizer is None


def test_no_module_is_imported_for_a_class_that_is_allowed(good, tmp_path, monkeypatch):
    (tmp_path / "own_layers.py").write_text("raise AssertionError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)

    def change(config):
        named(config, "ReLU").update(class_name="Own", module="own_layers", registered_name="Own")

    packed = changed(good / "good.keras", tmp_path / "m.keras", change)
    with pytest.raises(ModelError, match="'Own' of module 'own_layers'; register it"):
        saved.load(packed, ["Own"])


@pytest.fixture(scope="module")
def everything():
    """A model with what people use: operations on tensors, nested models, recurrent layers, shared layers, QKeras."""
    import qkeras
    import tensorflow as tf
    from tensorflow import keras

    layer = keras.layers
    image = keras.Input((8, 8, 3))
    x = layer.Normalization(mean=[0.0] * 3, variance=[1.0] * 3)(layer.Rescaling(1 / 255)(image))
    x = layer.RandomContrast(0.1)(layer.RandomRotation(0.1)(layer.RandomFlip()(x)))
    regular = {"kernel_regularizer": "l2", "kernel_constraint": keras.constraints.MaxNorm(2)}
    x = layer.PReLU(shared_axes=[1, 2])(layer.Conv2D(4, 3, padding="same", **regular)(x))
    y = layer.LeakyReLU()(layer.SeparableConv2D(4, 3, padding="same", activation=tf.nn.relu6)(x))
    y = qkeras.QConv2D(
        4, 3, padding="same", kernel_quantizer=qkeras.quantized_bits(4, 0, 1), bias_quantizer="binary()"
    )(y)
    y = qkeras.QActivation("quantized_relu(4,2)")(qkeras.QConv2DBatchnorm(4, 1, kernel_quantizer="ternary")(y))
    z = tf.nn.relu(x + y) * 0.5 + [1.0, 2.0, 3.0, 4.0]
    z = tf.subtract(2.0 - z / 3.0, tf.add(x, y))[:, ::2, 1:]
    z = layer.ELU()(layer.Conv1D(4, 3)(layer.Reshape((-1, 4))(tf.pad(z, [[0, 0], [1, 1], [1, 1], [0, 0]]))))
    z = layer.Bidirectional(layer.LSTM(3, return_sequences=True))(layer.Conv1DTranspose(4, 3)(z))
    z, *states = layer.LSTM(3, return_sequences=True, return_state=True)(z)
    z = layer.LSTM(3)(z, initial_state=states)
    inner = keras.Sequential([keras.Input((3,)), layer.Dense(3, activation="gelu"), layer.Dense(3)])
    vector = keras.Input((3,))
    functional = keras.Model(vector, layer.Softmax()(vector))
    return keras.Model(image, functional(inner(inner(z))))


def test_what_people_use_is_not_refused(tmp_path, suffix, everything):
    model = everything
    model.save(tmp_path / f"m{suffix}")
    back = saved.load(tmp_path / f"m{suffix}")
    assert [type(layer).__name__ for layer in back.layers] == [type(layer).__name__ for layer in model.layers]
    assert all((a == b).all() for a, b in zip(back.get_weights(), model.get_weights(), strict=True))


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2", "EfficientNetB0", "MobileNetV3Small", "DenseNet121"])
def test_published_networks_are_not_refused(tmp_path, suffix, name):
    from tensorflow import keras

    model = getattr(keras.applications, name)(weights=None, input_shape=(96, 96, 3), classes=10)
    model.save(tmp_path / f"m{suffix}")
    assert saved.load(tmp_path / f"m{suffix}").count_params() == model.count_params()
