"""The loaders, on the real files where they are there, on broken ones, and on the user's own."""

import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nonresnet_hls.errors import DatasetError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.recipe import Dataset, DatasetName
from nonresnet_hls.training import datasets, downloads
from nonresnet_hls.training import npz as own

SHARED = Path(__file__).parents[2] / ".." / "shared"
needs_samples = pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="../shared, with real samples, is not here")


@pytest.fixture(autouse=True)
def no_cache(monkeypatch, tmp_path):
    """Nothing of this machine is found by accident, and nothing is remembered."""
    datasets._own.cache_clear()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(downloads.VARIABLE, str(tmp_path / "data"))
    yield
    datasets._own.cache_clear()


def place(tmp_path, source, folder):
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / folder).symlink_to(source.resolve(), target_is_directory=True)


def check(data, name):
    spec = datasets.spec(Dataset(name))
    assert (data.input_type, data.classes) == (spec.input_type, spec.classes)
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert x.dtype == np.float32
        assert x.shape == (len(y), *spec.shape)
        spec.input_type.mantissas(x[:500])  # refuses a value off the grid
        assert y.min() >= 0
        assert y.max() < spec.classes


def test_digits_are_pixels_by_sixteen_and_split_evenly():
    import sklearn.datasets

    data = datasets.load(Dataset(DatasetName.DIGITS))
    check(data, DatasetName.DIGITS)
    assert (len(data.x_train), len(data.x_test)) == (1437, 360)
    assert np.bincount(data.y_test).min() >= 34
    raw = {tuple(image.ravel()) for image in sklearn.datasets.load_digits().images}
    assert all(tuple(image.ravel() * 16.0) in raw for image in data.x_test)
    assert data.x_train.max() == 1.0


@needs_samples
def test_cifar100_from_the_official_pickles(tmp_path):
    sample = SHARED / "data" / "cifar-100-python-sample"
    place(tmp_path, sample, "cifar-100-python")
    data = datasets.load(Dataset(DatasetName.CIFAR100))
    check(data, DatasetName.CIFAR100)
    assert (len(data.x_train), len(data.x_test)) == (2000, 500)
    with (sample / "test").open("rb") as stream:
        official = pickle.load(stream, encoding="latin1")
    keys = {key if isinstance(key, str) else key.decode(): value for key, value in official.items()}
    for i in (0, 250, 499):
        red, green, blue = np.asarray(keys["data"][i]).reshape(3, 32, 32)
        assert (data.x_test[i] * 256 == np.stack([red, green, blue], axis=-1)).all()
    assert data.y_test.tolist() == list(keys["fine_labels"])


@needs_samples
def test_svhn_from_the_official_mat_files(tmp_path):
    import scipy.io

    sample = SHARED / "data" / "svhn-sample"
    place(tmp_path, sample, "svhn")
    data = datasets.load(Dataset(DatasetName.SVHN))
    check(data, DatasetName.SVHN)
    assert (len(data.x_train), len(data.x_test)) == (883, 200)
    official = scipy.io.loadmat(sample / "test_32x32.mat")
    assert (data.x_test[7] * 256 == official["X"][:, :, :, 7]).all()
    labels = official["y"].ravel()
    assert (data.y_test[labels == 10] == 0).all()
    assert (data.y_test[labels != 10] == labels[labels != 10]).all()


@pytest.mark.nightly
@needs_samples
def test_the_whole_of_cifar10(tmp_path):
    tool = SHARED / "tools" / "unpack_datasets.py"
    subprocess.run([sys.executable, str(tool.resolve()), str(tmp_path / "data")], check=True)
    data = datasets.load(Dataset(DatasetName.CIFAR10))
    check(data, DatasetName.CIFAR10)
    assert (len(data.x_train), len(data.x_test)) == (50000, 10000)
    assert np.bincount(data.y_train).tolist() == [5000] * 10
    assert np.bincount(data.y_test).tolist() == [1000] * 10


def write_cifar10(folder, labels=(3, 1), data=None):
    folder.mkdir(parents=True)
    pixels = np.arange(2 * 3072, dtype=np.uint64).astype(np.uint8).reshape(2, 3072) if data is None else data
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        with (folder / name).open("wb") as stream:
            pickle.dump({b"data": pixels, b"labels": list(labels)}, stream, protocol=2)
    return pixels


def test_cifar10_images_are_rows_of_three_planes(tmp_path):
    pixels = write_cifar10(tmp_path / "data" / "cifar-10-batches-py")
    data = datasets.load(Dataset(DatasetName.CIFAR10))
    check(data, DatasetName.CIFAR10)
    assert len(data.x_train) == 10
    assert data.x_test[1, 2, 5, 1] * 256 == pixels[1, 1024 + 2 * 32 + 5]


def test_keras_cache_is_searched(tmp_path):
    write_cifar10(tmp_path / "home" / ".keras" / "datasets" / "cifar-10-batches-py")
    assert "home" in datasets.load(Dataset(DatasetName.CIFAR10)).source


@pytest.mark.parametrize(
    ("labels", "data", "message"),
    [
        ((3, 10), None, r"data_batch_1: labels 0\.\.9 wanted, not 10"),
        ((3,), None, "one row of 3072 bytes for each of 1 labels"),
        ((3, 1), np.zeros((2, 3072), np.float32), "an array of bytes wanted"),
        ((3, 10**30), None, "a list of integers wanted as labels, not object"),
        ((3, 1.5), None, "a list of integers wanted as labels, not float64"),
        (("3", "1"), None, "a list of integers wanted as labels, not <U1"),
        (((3,), (1,)), None, r"a list of integers wanted as labels, not int64 \(2, 1\)"),
        ((), None, "a list of integers wanted as labels"),
    ],
)
def test_a_wrong_cifar_file_is_refused(tmp_path, labels, data, message):
    write_cifar10(tmp_path / "data" / "cifar-10-batches-py", labels, data)
    with pytest.raises(DatasetError, match=message):
        datasets.load(Dataset(DatasetName.CIFAR10))


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}r\xff\xff\xff\x7f.",  # remembered under the number 2^31 - 1: a table of 16 GB
        b"\x80\x02\x8b\xff\xff\xff\x7f",
        b"\x80\x02" + b"(" * 10**6 + b"t" * 10**6 + b".",
        b"\x80\x02" + b"]" * 10**5 + b"a" * (10**5 - 1) + b".",
        b"I" + b"9" * 5000 + b"\n.",
        b"\x80\x02}.",
        b"\x80\x02K\x05.",
        b"\x80\x7f.",
    ],
    ids=range(8),
)
def test_odd_pickles_are_one_line(tmp_path, content):
    write_cifar10(tmp_path / "data" / "cifar-10-batches-py")
    (tmp_path / "data" / "cifar-10-batches-py" / "data_batch_1").write_bytes(content)
    with pytest.raises(DatasetError, match=r"data_batch_1: ('data' and 'labels' wanted|cannot be read)") as caught:
        datasets.load(Dataset(DatasetName.CIFAR10))
    assert len(str(caught.value)) < 600


class Evil:
    def __reduce__(self):
        return (exec, ("open('broken-in', 'w')",))


@pytest.mark.parametrize("content", [pickle.dumps({b"data": Evil()}), b"", b"\x80\x02}q\x00(", pickle.dumps([1])])
def test_a_pickle_runs_nothing_and_a_damaged_one_is_named(tmp_path, content, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "cifar-10-batches-py"
    write_cifar10(folder)
    (folder / "data_batch_2").write_bytes(content)
    with pytest.raises(DatasetError, match="data_batch_2: cannot be read"):
        datasets.load(Dataset(DatasetName.CIFAR10))
    assert not (tmp_path / "broken-in").exists()


def test_a_damaged_mat_file_is_named(tmp_path):
    folder = tmp_path / "data" / "svhn"
    folder.mkdir(parents=True)
    for name in ("train_32x32.mat", "test_32x32.mat"):
        (folder / name).write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(DatasetError, match=r"train_32x32\.mat: cannot be read as SVHN"):
        datasets.load(Dataset(DatasetName.SVHN))


GRID = FixedPointType.parse("ufixed<8,0>")


def npz(tmp_path, **arrays):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    return Dataset(DatasetName.NPZ, path, GRID)


def test_own_arrays_every_fifth_is_a_test_sample(tmp_path):
    x = np.arange(10, dtype=np.float64).reshape(10, 1) / 256
    dataset = npz(tmp_path, x=x, y=np.arange(10) % 3)
    data = datasets.load(dataset)
    assert (data.x_test.ravel() * 256).tolist() == [4, 9]
    assert (data.x_train.ravel() * 256).tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    assert data.y_test.tolist() == [1, 0]
    assert (data.classes, datasets.spec(dataset).shape) == (3, (1,))


def test_own_arrays_with_their_own_split(tmp_path):
    x, y = np.full((4, 2, 2, 1), 0.5), np.array([[0], [1], [0], [1]])
    data = datasets.load(npz(tmp_path, x_train=x, y_train=y, x_test=x[:1], y_test=y[:1]))
    assert (data.x_train.shape, data.x_test.shape, data.y_train.tolist()) == ((4, 2, 2, 1), (1, 2, 2, 1), [0, 1, 0, 1])


@pytest.mark.parametrize(
    "y",
    [np.eye(3)[[0, 1, 2, 0, 1]], np.eye(3, dtype=int)[[0, 1, 2, 0, 1]], np.array([0.0, 1.0, 2.0, 0.0, 1.0])],
    ids=["one-hot", "one-hot integers", "whole numbers"],
)
def test_classes_are_read_however_they_are_written(tmp_path, y):
    data = datasets.load(npz(tmp_path, x=np.zeros((5, 1)), y=y))
    assert (data.classes, data.y_train.tolist(), data.y_test.tolist()) == (3, [0, 1, 2, 0], [1])


@pytest.mark.parametrize(
    "y",
    [None, np.linspace(0, 1, 5), np.zeros((5, 8, 8, 1)), np.ones((5, 3)), np.array([[0, 1, 1]] * 5)],
    ids=["none", "regression", "images", "numbers", "several classes a sample"],
)
def test_data_without_classes_has_none(tmp_path, capsys, y):
    arrays = {} if y is None else {"y": y}
    data = datasets.load(npz(tmp_path, x=np.zeros((5, 1)), **arrays))
    assert (data.classes, data.y_train, data.y_test) == (0, None, None)
    assert len(data.x_test) == 1


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x": np.full((5, 1), 1.3), "y": np.zeros(5, int)},
            r"x\[0, 0\]: values in 0\.\.255/256 .* not 1\.3; .*ufixed<8,1> would",
        ),
        (
            {"x": np.full((5, 1), -2.0), "y": np.zeros(5, int)},
            r"x\[0, 0\]: .* not -2\.0; input_type fixed<8,2> would hold all",
        ),
        ({"x": np.full((5, 1), np.nan), "y": np.zeros(5, int)}, r"x\[0, 0\]: values in .* not nan$"),
        ({"x": np.full((5, 1), np.nan), "y": np.zeros(5, int)}, "not nan"),
        ({"x": np.array([[0.0], [1.0]] * 3), "y": np.zeros(6, int)}, r"x\[1, 0\]: .* not 1\.0"),
        ({"x": np.zeros((5, 1)), "y": np.zeros(4, int)}, "y: 5 labels wanted"),
        ({"x": np.zeros((5, 1)), "y": np.array(["a"] * 5)}, "y: 5 labels wanted, not <U1"),
        ({"x": np.zeros((4, 1))}, "x: 5 or more samples wanted"),
        ({"x": np.zeros((5, 1)), "y": np.full(5, -1)}, "labels from 0 on wanted, not -1"),
        ({"x": np.zeros((5, 1)), "y": np.full(5, 1 << 40)}, "y: labels below 65536 wanted, not 1099511627776"),
        ({"x": np.zeros(5), "y": np.zeros(5, int)}, "x: .* numbers wanted"),
        ({"x": np.array([["a"]] * 5), "y": np.zeros(5, int)}, "x: .* numbers wanted"),
        ({"x": np.array([[None]] * 5, dtype=object), "y": np.zeros(5, int)}, "cannot be read as .npz of plain arrays"),
        ({"images": np.zeros((5, 1))}, "wanted, not images"),
    ],
)
def test_own_arrays_that_do_not_fit_are_refused(tmp_path, arrays, message):
    with pytest.raises(DatasetError, match=message):
        datasets.load(npz(tmp_path, **arrays))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + bytes(50)])
def test_a_damaged_npz_is_refused(tmp_path, content):
    path = tmp_path / "own.npz"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"own\.npz"):
        datasets.load(Dataset(DatasetName.NPZ, path, GRID))


@pytest.mark.parametrize(
    "divide",
    [
        lambda k: k / np.float32(255),
        lambda k: k * np.float32(1 / 255),
        lambda k: k / 255.0,
        lambda k: (k / np.float32(255)).astype(np.float64),
        lambda k: (k / 255).astype(np.float16),
        lambda k: k.astype(np.float16) * np.float16(1 / 255),
    ],
)
@pytest.mark.parametrize("grid", ["ufixed<8,0>", "ufixed<8,8>"])
def test_bytes_by_255_are_given_as_bytes_and_the_factor_is_told(tmp_path, divide, grid, capsys):
    pixels = np.arange(256).reshape(-1, 1).astype(np.float32)
    dataset = npz(tmp_path, x=divide(pixels), y=np.arange(256) % 3)
    data = datasets.load(Dataset(DatasetName.NPZ, dataset.file, FixedPointType.parse(grid)))
    lsb = data.input_type.lsb
    assert sorted((np.concatenate([data.x_train, data.x_test]) / float(lsb)).ravel().tolist()) == list(range(256))
    assert data.factor * lsb == Fraction(1, 255)
    assert data.x_test_given is None
    own._say_once.cache_clear()
    datasets.load(dataset)
    assert "x is bytes / 255" in capsys.readouterr().err


def test_values_off_the_grid_are_rounded_and_told_and_kept_for_the_float_network(tmp_path, capsys):
    x = np.linspace(0, 0.99, 50).reshape(-1, 1)
    data = datasets.load(npz(tmp_path, x=x, y=np.zeros(50, int)))
    assert (
        data.x_test == GRID.quantize_array(x[4::5] + 0.5 / 256)
    ).mean() > 0.9  # truncation half a bit up is rounding
    assert (np.abs(data.x_test - x[4::5]) <= 0.5 / 256).all()
    assert (data.x_test_float == x[4::5].astype(np.float32)).all()
    assert data.factor == 1
    said = capsys.readouterr().err
    assert "x: " in said
    assert "values are rounded to ufixed<8,0>, by 0.00" in said


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_bytes_by_256_are_no_bytes_by_255(tmp_path, dtype):
    pixels = np.arange(256).reshape(-1, 1)
    data = datasets.load(npz(tmp_path, x=(pixels / 256).astype(dtype), y=np.arange(256) % 3))
    assert data.factor == 1
    assert sorted((256 * np.concatenate([data.x_train, data.x_test])).ravel().tolist()) == list(range(256))


def test_zeros_and_ones_are_no_bytes_by_255(tmp_path):
    data = datasets.load(
        Dataset(DatasetName.NPZ, npz(tmp_path, x=np.eye(10), y=np.zeros(10, int)).file, FixedPointType(8, 1, False))
    )
    assert data.factor == 1
    assert set(np.concatenate([data.x_train, data.x_test]).ravel().tolist()) == {0.0, 1.0}


def several(tmp_path, kinds=None, **arrays):
    path = tmp_path / "own.npz"
    np.savez(path, **arrays)
    kinds = kinds or {"b": FixedPointType(8, 2), "a": GRID}
    return Dataset(DatasetName.NPZ, path, input_types=kinds)


def test_what_tells_nothing_of_the_samples_is_left_alone(tmp_path):
    x, y = np.zeros((10, 2)), np.arange(10)
    more = {
        "y": y,
        "odd": np.float64(3),
        "odd_train": y,
        "part": y[:3],
        "text": np.array(["a"] * 10),
        "end_train": y[:8],
    }
    data = datasets.load(several(tmp_path, a=x, b=x, **more))
    assert set(data.targets) == {"y"}
    assert (data.classes, data.y_test.tolist()) == (10, [4, 9])


def test_each_of_several_inputs_is_an_entry_of_its_name(tmp_path):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (10, 3, 2, 1)) / 256, rng.integers(-128, 128, (10, 4)) / 64
    classes, box = np.arange(10) % 3, rng.normal(0, 1, (10, 2))
    data = datasets.load(several(tmp_path, a=a, b=b, **{"class": classes}, box=box, other=np.zeros(3)))
    assert datasets.spec(several(tmp_path, a=a, b=b)).shape == {"b": (4,), "a": (3, 2, 1)}
    assert (len(data.x_train), len(data.x_test)) == (8, 2)
    assert (data.x_test["a"] == a[4::5]).all()
    assert (data.x_train["b"] == np.delete(b, [4, 9], 0)).all()
    assert set(data.targets) == {"class", "box"}
    assert (data.targets["box"].test == box[4::5]).all()
    train, test = own.classes_of(data.targets["class"])
    assert train.tolist() == np.delete(classes, [4, 9]).tolist()
    assert test.tolist() == classes[4::5].tolist()
    assert own.classes_of(data.targets["box"]) is None
    split = datasets.load(
        several(tmp_path, a_train=a, a_test=a[:3], b_train=b, b_test=b[:3], y_train=classes, y_test=classes[:3])
    )
    assert (len(split.x_train), len(split.x_test), split.classes) == (10, 3, 3)
    assert (split.x_test["b"] == b[:3]).all()
    assert split.y_test.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("arrays", "wanted"),
    [
        ({"a": np.zeros((10, 2))}, "b_train and b_test (or b) wanted for input b, not a"),
        (
            {"a": np.zeros((10, 2)), "b": np.zeros((9, 2))},
            "a: 8 training and 1 test samples as of b wanted, not 8 and 2",
        ),
        ({"a": np.zeros((10, 2)), "b": np.full((10, 2), 7.0)}, "b[0, 0]: values in -2..127/64 (fixed<8,2>) wanted"),
        ({"a": np.zeros((3, 2)), "b": np.zeros((3, 2))}, "b: 5 or more samples wanted"),
        ({"a": np.zeros(10), "b": np.zeros((10, 2))}, "a: (samples, ...) numbers wanted"),
        (
            {"a": np.zeros((10, 2)), "b_train": np.zeros((8, 2)), "b_test": np.zeros((2, 3))},
            "b_test: samples of shape (2,) wanted, not (3,)",
        ),
    ],
)
def test_several_inputs_that_do_not_go_together_are_refused(tmp_path, arrays, wanted):
    with pytest.raises(DatasetError) as error:
        datasets.load(several(tmp_path, **arrays))
    assert wanted in str(error.value)
    assert "\n" not in str(error.value)
