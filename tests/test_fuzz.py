"""Mutants of all kinds of files that come from others: one line and status 2, or the truth; nothing else is touched."""

import contextlib
import io
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot  # noqa: F401  # makes folders of its own when it is imported for the first time
import numpy as np
import pytest

from nonresnet_hls.cli import main
from nonresnet_hls.errors import NonResNetError
from nonresnet_hls.hls import configured, network
from nonresnet_hls.networks import saved
from nonresnet_hls.pipeline import runner, taken
from nonresnet_hls.recipe import Hls
from tests import mutants
from tests.formats import onnx_nets, test_pt2
from tests.watch import Hang, watched

# Of each kind, in `make test` and at night.
COUNTS = {"recipe": (60, 5000), "keras": (60, 4000), "h5": (40, 3000), "project": (60, 4000)}
COUNTS |= {"record": (30, 2000), "sealed": (20, 1000), "cache": (30, 2000), "types": (40, 2000)}
COUNTS |= {"onnx": (40, 3000), "pt2": (40, 3000)}


@pytest.fixture(autouse=True, scope="module")
def imported() -> None:
    """What is imported for the first time starts programs (uname) and makes folders: not by the mutants."""
    import hls4ml
    import qkeras  # noqa: F401

    assert hls4ml.__version__
    saved.quantizers()


def counts(kind: str) -> Any:
    few, many = COUNTS[kind]
    return pytest.mark.parametrize("count", [few, pytest.param(many, marks=pytest.mark.nightly)])


def survive(tmp_path: Path, count: int, make: Callable[[random.Random, Path], Callable[[], object]]) -> None:
    """Make mutants and do with each what `make` returns."""
    inside = tmp_path / "watched"
    inside.mkdir()
    for seed in range(count):
        rng = random.Random(seed)
        task = make(rng, inside)
        length = 0
        try:
            with watched(inside):
                task()
        except Hang:
            pytest.fail(f"mutant {seed} hangs")
        except NonResNetError as error:
            length = len(str(error))
        except Exception as error:
            raise AssertionError(f"mutant {seed}: {type(error).__name__}: {error!s:.300}") from error
        assert length < 6000, f"mutant {seed}"


def command(*arguments: str) -> Callable[[], None]:
    def run() -> None:
        status = main(list(arguments))
        assert status in (0, 1, 2)

    return run


@counts("recipe")
def test_recipes(built: Path, tmp_path: Path, count: int) -> None:
    text = (built / "models" / "tiny.toml").read_text() + '[rtl]\nmultipliers = "lut"\n[training]\nepochs = 0\n'
    built_in = [path.read_text() for path in sorted((Path(__file__).parents[1] / "models").glob("*.toml"))]

    def make(rng: random.Random, inside: Path) -> Callable[[], object]:
        place = inside / "place"
        if not place.exists():
            shutil.copytree(built, place, symlinks=True)
        path = place / "models" / "mutant.toml"
        original = text if rng.random() < 0.5 else rng.choice(built_in)
        path.write_text(mutants.of_text(original, rng), encoding="utf-8", errors="surrogatepass")
        # What is refused is refused before anything is trained; what is not must not be trained here.
        todo = rng.choice(["table2", "table1", "models"]) if rng.random() < 0.5 else "convert"
        if todo == "models":
            return command("models", "--workspace", str(place))
        if todo in ("convert", "table1") and not _is_cheap(path, rng):
            todo = "table2"
        return command(todo, str(path), "--workspace", str(place))

    survive(tmp_path, count, make)


def _is_cheap(path: Path, rng: random.Random) -> bool:
    """Whether all stages of a recipe refuse it or take moments; of those that take a second, one in ten."""
    from nonresnet_hls import recipe

    try:
        found = recipe.load(str(path))
    except NonResNetError:
        return True
    small = found.training.epochs == 0 and found.quantization.epochs == 0 and found.csim.samples < 100
    return (
        found.architecture.family is recipe.Family.KERAS and found.distillation is None and small and rng.random() < 0.1
    )


@counts("keras")
def test_configurations_of_keras_files(built: Path, tmp_path: Path, count: int) -> None:
    source = built / "models" / "tiny-net.keras"
    with zipfile.ZipFile(source) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(entries["config.json"])

    def make(rng: random.Random, inside: Path) -> Callable[[], object]:
        path = inside / "mutant.keras"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in entries.items():
                mutant = mutants.dumped(mutants.of_json(config, rng)).encode() if name == "config.json" else content
                archive.writestr(name, mutant)
        return lambda: saved.load(path)

    survive(tmp_path, count, make)


@counts("h5")
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_attributes_of_hdf5_files(built: Path, tmp_path: Path, count: int) -> None:
    import h5py

    model = saved.load(built / "models" / "tiny-net.keras")
    model.save(tmp_path / "good.h5")
    with h5py.File(tmp_path / "good.h5") as file:
        config = json.loads(file.attrs["model_config"])

    def make(rng: random.Random, inside: Path) -> Callable[[], object]:
        path = inside / "mutant.h5"
        shutil.copy(tmp_path / "good.h5", path)
        with h5py.File(path, "a") as file:
            groups = [file, file["model_weights"], *file["model_weights"].values()]
            if rng.random() < 0.7:
                text = mutants.dumped(mutants.of_json(config, rng))
                file.attrs.create("model_config", text[: 1 << 15], dtype=h5py.string_dtype())
            else:
                group = rng.choice(groups)
                name = rng.choice([*group.attrs, "layer_names", "weight_names", "keras_version", "backend"])
                odd = rng.choice(
                    [b"x", 3, np.zeros(3), np.array([b"a", b"b"]), "é", np.float64("nan"), h5py.Empty("f")]
                )
                group.attrs[name] = odd
        return lambda: saved.load(path)

    survive(tmp_path, count, make)


@counts("project")
def test_firmware_and_settings_of_projects(built: Path, tmp_path: Path, count: int) -> None:
    files = [f"firmware/{name}" for name in ("myproject.cpp", "defines.h", "parameters.h")] + ["hls4ml_config.yml"]
    texts = {name: (built / "hls_projects" / "tiny" / name).read_text() for name in files}
    weights = built / "hls_projects" / "tiny" / "firmware" / "weights"

    def make(rng: random.Random, inside: Path) -> Callable[[], object]:
        project = inside / "project"
        if not project.exists():
            shutil.copytree(weights, project / "firmware" / "weights")
        for name, text in texts.items():
            (project / name).write_text(text)
        name = rng.choice(files)
        (project / name).write_text(mutants.of_text(texts[name], rng), encoding="utf-8", errors="surrogatepass")
        if rng.random() < 0.3:
            return command("emulate", str(project), "--samples", "2")
        return command("fifos", str(project), *(["--write"] if rng.random() < 0.3 else []))

    survive(tmp_path, count, make)


@counts("types")
def test_hls4ml_configurations_of_types(built: Path, tmp_path: Path, count: int) -> None:
    model = saved.load(built / "models" / "tiny-net.keras")
    text = configured.text(configured.default(model))

    def make(rng: random.Random, inside: Path) -> Callable[[], object]:
        path = inside / "types.yml"
        path.write_text(mutants.of_text(text, rng))

        def task() -> None:
            graph, _ = configured.to_graph(model, configured.read(path), inside / "never", configured.Way())
            network.of_graph(graph)

        return task

    survive(tmp_path, count, make)


@counts("onnx")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_onnx_files(tmp_path: Path, count: int) -> None:
    import onnx
    from google.protobuf import json_format

    good = onnx_nets.residual().model("logits", 5)
    document = json_format.MessageToDict(good)

    def make(rng: random.Random, inside: Path) -> Callable[[], object]:
        path = inside / "mutant.onnx"
        content = bytearray(good.SerializeToString())
        if rng.random() < 0.2:
            for _ in range(rng.randint(1, 4)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        else:
            # What is no message any more is no mutant: another takes its turn.
            for _ in range(100):
                with contextlib.suppress(json_format.ParseError, TypeError, ValueError, OverflowError, RecursionError):
                    mutant = json_format.ParseDict(mutants.of_json(document, rng), onnx.ModelProto())
                    content = bytearray(mutant.SerializeToString())
                    break
        path.write_bytes(content)
        return lambda: taken.take(path, Hls(), inside / "never")

    survive(tmp_path, count, make)


@counts("pt2")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_programs_of_pytorch(tmp_path: Path, count: int) -> None:
    with zipfile.ZipFile(io.BytesIO(test_pt2.block().content("logits"))) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    documents = [name for name in entries if name.endswith(".json")]

    def make(rng: random.Random, inside: Path) -> Callable[[], object]:
        path, changed = inside / "mutant.pt2", rng.choice(documents)
        mutant = mutants.dumped(mutants.of_json(json.loads(entries[changed]), rng))
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in entries.items():
                archive.writestr(name, mutant if name == changed else content)
        return lambda: taken.take(path, Hls(), inside / "never")

    survive(tmp_path, count, make)


@counts("record")
def test_records_of_stages(tmp_path: Path, count: int) -> None:
    def produce(folder: Path) -> dict[str, Any]:
        (folder / "x.txt").write_text("x")
        return {"top1": 0.5}

    good = runner.run(tmp_path / "good", "make", {"size": 3}, {"model": "d"}, produce)
    record = json.loads((tmp_path / "good" / runner.RECORD).read_text())

    def make(rng: random.Random, inside: Path) -> Callable[[], object]:
        artefact = inside / "artefact"
        artefact.mkdir(exist_ok=True)
        (artefact / "x.txt").write_text("x")
        text = json.dumps(record, indent=2)
        mutant = mutants.dumped(mutants.of_json(record, rng)) if rng.random() < 0.6 else mutants.of_text(text, rng)
        (artefact / runner.RECORD).write_text(mutant, encoding="utf-8", errors="surrogatepass")

        def task() -> None:
            found = runner.load(artefact)
            if found is not None and json.loads(mutant).get("seal") == record["seal"]:
                # What has the seal still is what was sealed.
                assert (found.digest, dict(found.figures)) == (good.digest, dict(good.figures))

        return task

    survive(tmp_path, count, make)


@counts("sealed")
def test_records_that_are_sealed_by_whoever_forged_them(built: Path, tmp_path: Path, count: int) -> None:
    """Whoever can read can seal: a figure may be forged, but none may be a traceback."""
    folders = [f"models/tiny/{stage}" for stage in ("quantize", "csim")] + ["hls_projects/tiny"]
    records = {name: json.loads((built / name / runner.RECORD).read_text()) for name in folders}

    def make(rng: random.Random, inside: Path) -> Callable[[], object]:
        place = inside / "place"
        if not place.exists():
            shutil.copytree(built, place, symlinks=True)
        for name, record in records.items():
            (place / name / runner.RECORD).write_text(json.dumps(record))
        name = rng.choice(folders)
        forged = {key: value for key, value in records[name].items() if key != "seal"}
        forged["figures"] = mutants.of_json(forged["figures"], rng)
        if rng.random() < 0.2:
            forged["seconds"] = mutants.of_json([forged["seconds"]], rng)
        with contextlib.suppress(ValueError):  # what nobody can seal
            forged["seal"] = runner._digest(forged)
        (place / name / runner.RECORD).write_text(mutants.dumped(forged), encoding="utf-8", errors="surrogatepass")
        todo = ["table2 tiny", "table1 tiny", "fifos tiny", "convert tiny", "csim tiny", "csim tiny --json"]
        # How the weights came about is told by the comparison, too, which is then made anew.
        same = name != folders[0] or forged["figures"].get("weights") == records[name]["figures"]["weights"]
        todo = rng.choice(todo if same else todo[:4])
        return command(*todo.split(), "--workspace", str(place))

    survive(tmp_path, count, make)


@counts("cache")
def test_entries_of_the_cache(tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from nonresnet_hls.fixed.arithmetic import Wire
    from nonresnet_hls.rtl import adder_graph, cache

    kernel, wire = np.array([[1, -3], [2, 5], [0, 7]]), Wire(0, 3, 0)
    monkeypatch.setenv("NONRESNET_CACHE", str(tmp_path / "watched" / "cache"))
    made: list[Any] = []

    def make(rng: random.Random, inside: Path) -> Callable[[], object]:
        if not made:
            made.append(adder_graph.solve(kernel, wire))
            (path,) = (inside / "cache").iterdir()
            made.append((path, path.read_text()))
        path, text = made[1]
        content = text.rpartition("\n")[0]
        mutant = mutants.of_text(text, rng)
        if rng.random() < 0.7:  # sealed by whoever forged it
            forged = mutants.dumped(mutants.of_json(json.loads(content), rng))
            mutant = f"{forged}\n{cache._seal(path.name, forged)}"
        path.write_text(mutant, encoding="utf-8", errors="surrogatepass")

        def task() -> None:
            graph = adder_graph.solve(kernel, wire)
            for x in ([0, 0, 0], [3, 1, 2], [1, 3, 3]):
                assert graph.evaluate(x) == (np.array(x) @ kernel).tolist()

        return task

    survive(tmp_path, count, make)
