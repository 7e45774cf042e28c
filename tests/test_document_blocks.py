"""Every command and every piece of code in the documentation is run: at night where it takes long, and what needs an
environment of its own by the `make` target that has one.
"""

import os
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonresnet_hls import cli

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "models/README.md")),
    *sorted(ROOT.glob("docs/*.md")),
]

COMMANDS_OF = {
    **dict.fromkeys(
        ("exactness", "explain", "fifos", "fit", "onnx-pytorch", "qonnx", "reports", "rtl", "skips"), "here"
    ),
    "own-model": "tests/test_own_model.py::test_the_page_runs",
    "explore": "tests/explore/test_workers.py::test_24_trials_of_the_digits_network_are_the_same_wherever_they_run",
    "page": "tests/page/test_recipe.py::test_the_command_writes_one_file_and_names_it",
}
"""Who runs the commands of a page."""

CODE_OF = {
    **dict.fromkeys(("exactness", "explain", "python", "rtl"), "here"),
    "README": "tests/test_documents.py::test_the_python_of_readme_runs",
    "own-model": "tests/test_own_model.py::test_the_page_runs",
    "keras3": "make test-keras3: tests/beside_keras3.py",
    "qonnx": "make test-finn: tests/beside_finn.py",
    "page": "tests/page/test_recipe.py::test_the_command_writes_one_file_and_names_it",
}
"""Who runs the Python of a page."""

NOT_RUN = {
    "nonresnet-hls train shortresnet20 resnet20 nonresnet20 plain20-scratch plain20-from-resnet20": "half a day",
    "podman build -t nonresnet-hls .": "wants a container engine",
    "podman run --rm nonresnet-hls": "wants a container engine",
    ".venv/bin/twine upload dist/*.whl dist/*.tar.gz": "releases",
}
"""What no test can run, and why; that the first is a command is tested."""

DIRECTIVES = {"{include}", "{toctree}", "{command-line}", "{recipe-keys}", "{eval-rst}"}
"""What `make docs` executes."""

_KIND = re.compile(r"(make|pip|podman|nonresnet-hls|\.venv/bin/twine)(\s|$)")


@dataclass(frozen=True)
class Block:
    """Something set apart from the text of a page."""

    page: str
    kind: str
    """Of a fence what stands behind it; "command" of an indented line that begins like one; else empty."""
    text: str
    said: str = ""
    """What stands below a command that begins with a dollar."""

    @property
    def command(self) -> str:
        """Without its comment."""
        return re.split(r"\s#", self.text)[0].strip()


def blocks(page: Path) -> Iterator[Block]:
    """All of a page, in order."""
    name = page.stem if page.parent.name != "models" else "models/README"
    parts = re.finditer(
        r"^```(\S*)[^\n]*\n(.*?)^```|((?:^ {4,}\S[^\n]*\n)+)", page.read_text(), re.DOTALL | re.MULTILINE
    )
    for found in parts:
        kind, fenced, indented = found.groups()
        text = fenced if indented is None else re.sub(r"^ {4}", "", indented, flags=re.MULTILINE)
        if kind and not text.startswith("$ "):
            yield Block(name, kind, text)
        elif text.startswith("$ "):
            first, _, below = text.partition("\n")
            yield Block(name, "command", first[2:], below)
        elif indented is not None and not kind:
            # An indented list of commands, or what is none.
            for line in text.splitlines():
                yield Block(name, "command" if _KIND.match(line.strip()) else "", line.strip())
        else:
            yield Block(name, "", text)


BLOCKS = [block for page in PAGES for block in blocks(page)]


def _commands(page: str) -> list[Block]:
    found = [one for one in BLOCKS if one.page == page and one.kind == "command"]
    return [one for one in found if one.command.startswith("nonresnet-hls ") and one.command not in NOT_RUN]


def test_every_block_has_what_runs_it() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    makefile = (ROOT / "Makefile").read_text()
    counted = dict.fromkeys(("command", "python", "toml"), 0)
    for block in BLOCKS:
        counted[block.kind] = counted.get(block.kind, 0) + 1
        if block.kind == "python":
            _exists(CODE_OF[block.page], makefile)
        elif block.kind == "toml":
            assert block.page in ("own-model", "recipes", "explore"), block  # written and run there; loaded below
        elif block.kind == "command" and block.command not in NOT_RUN:
            if block.command.startswith("nonresnet-hls "):
                _exists(COMMANDS_OF[block.page], makefile)
            elif block.command.startswith("pip "):
                assert set(",".join(re.findall(r"\[(.*?)\]", block.command)).split(",")) - {""} <= set(extras), block
            else:  # that it is a target: test_make_has_every_target_that_is_named
                assert all(
                    re.search(rf"^{one}:", makefile, re.MULTILINE) or one == "all" for one in block.command.split()[1:]
                )
        elif block.kind not in ("command", ""):
            assert block.kind in DIRECTIVES, block
    assert min(counted.values()) > 0
    assert counted["command"] > 40
    assert all(any(one.command == command for one in BLOCKS) for command in NOT_RUN)


def _exists(runner: str, makefile: str) -> None:
    if runner.startswith("make "):
        target, _, program = runner.removeprefix("make ").partition(": ")
        assert f"\n{target}:" in makefile
        assert f"{program} " in makefile + " " or f"{program}\n" in makefile
        assert "docs/" in (ROOT / program).read_text(), program
    elif runner != "here":
        file, _, name = runner.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text()


def test_the_recipe_of_the_page_on_recipes_is_one(tmp_path: Path) -> None:
    from nonresnet_hls import recipe

    (text,) = (one.text for one in BLOCKS if (one.page, one.kind) == ("recipes", "toml"))
    path = tmp_path / text.partition("\n")[0].removeprefix("# ")
    path.parent.mkdir()
    path.write_text(text)
    for name in ("mine.keras", "mine.npz"):
        (path.parent / name).touch()
    found = recipe.load("mine", path.parent)
    assert found.hls.reuse_factor == 16
    assert str(found.dataset.input_type) == "ufixed<8,0>"


def test_the_study_of_the_page_on_explore_is_one(tmp_path: Path) -> None:
    from nonresnet_hls.explore import study

    (text,) = (one.text for one in BLOCKS if (one.page, one.kind) == ("explore", "toml"))
    path = tmp_path / "digits.toml"
    path.write_text(text)
    assert len(study.load(path).axes) == 3


# What the pages take for granted.


@pytest.fixture
def at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Prepare an empty folder for a page; gives the names that its Python knows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["nonresnet-hls"])

    def prepare(page: str) -> dict[str, Any]:
        if page in ("python", "exactness", "explain", "rtl"):
            return _residual()
        if page == "onnx-pytorch":
            _foreign()
        if page == "fit":
            Path("models").mkdir()
            Path("mine.toml").write_text('[mine]\npart = "xczu7ev-ffvc1156-2-e"\nclock_ns = 5.0\n')
        if page == "skips":
            from tensorflow import keras

            keras.utils.set_random_seed(0)
            keras.applications.ResNet50(weights=None).save("resnet50.keras")
        if page == "reports":
            Path("tests").symlink_to(ROOT / "tests")
        return {}

    return prepare


def _residual() -> dict[str, Any]:
    """A small residual model in the names and files that pages use, with hls4ml's configuration and project of it."""
    import hls4ml
    import yaml
    from tensorflow import keras

    import nonresnet_hls as nr
    from nonresnet_hls.hls import plain
    from nonresnet_hls.recipe import Hls

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((6, 6, 2), name="image")
    x = layers.ReLU(name="relu1")(layers.Conv2D(3, 3, padding="same", name="conv1")(image))
    y = layers.Conv2D(3, 3, padding="same", name="conv2")(x)
    x = layers.ReLU(name="relu2")(layers.Add(name="add")([x, y]))
    model = keras.Model(image, layers.Dense(4, name="logits")(layers.Flatten(name="flat")(x)), name="small")
    model.save("mine.keras")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (20, 6, 6, 2)) / 256, np.arange(20) % 4
    np.savez("test.npz", x=x, y=y)
    np.save("x.npy", x)
    plain.write_plain(model, Hls(), Path("path/to/project"))
    config = hls4ml.utils.config_from_keras_model(model, granularity="name")
    Path("hls4ml.yml").write_text(yaml.safe_dump(config))
    design = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir="design", io_type="io_stream", backend="Vivado"
    )
    return {
        "nr": nr,
        "hls4ml": hls4ml,
        "model": model,
        "keras_model": model,
        "config": config,
        "hls_model": design,
        "x": x,
        "y": y,
    }


def _foreign() -> None:
    import nonresnet_hls as nr
    from tests.formats import test_pt2

    nr.export("resblock", output="block.onnx")
    Path("block.pt2").write_bytes(test_pt2.block().content("logits"))
    np.savez("x.npz", x=np.random.default_rng(0).integers(0, 4, (4, 16, 8, 8)).astype(np.float32))
    np.save("x.npy", np.load("x.npz")["x"])


def _needs_cifar(command: str) -> bool:
    return "resnet20" in command.split()


def _has_cifar() -> bool:
    return (Path(os.environ.get("NONRESNET_DATA", "nowhere")) / "cifar-10-batches-py").is_dir()


@pytest.mark.nightly
@pytest.mark.parametrize("page", [name for name, who in COMMANDS_OF.items() if who == "here"])
def test_the_commands_of_a_page_run(
    page: str, at_hand: Callable[[str], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    at_hand(page)
    left = []
    for block in _commands(page):
        if _needs_cifar(block.command) and not _has_cifar():
            left.append(block.command)
            continue
        capsys.readouterr()
        assert cli.main(shlex.split(block.command)[1:]) == 0, block.command
        told = capsys.readouterr()
        said = {_settled(line) for line in (told.out + told.err).splitlines()}
        for line in block.said.splitlines():
            assert line.strip() in ("", "...") or _settled(line) in said, line
    if left:
        pytest.skip(f"CIFAR-10 is not under NONRESNET_DATA; not run: {'; '.join(left)}")


def _settled(line: str) -> str:
    """A line without what is another in every run: seconds, and the space between columns."""
    return re.sub(r"\s+", " ", re.sub(r"\d+\.\d+ s\b", "N s", line)).strip()


@pytest.mark.nightly
@pytest.mark.parametrize("page", [name for name, who in CODE_OF.items() if who == "here"])
def test_the_python_of_a_page_runs(page: str, at_hand: Callable[[str], dict[str, Any]]) -> None:
    known = at_hand(page)
    for block in BLOCKS:
        if (block.page, block.kind) == (page, "python"):
            exec(compile(block.text, page, "exec"), known)
    if page == "exactness":
        assert known["y"].shape == (20, 4)
    if page == "rtl":
        assert known["report"]["simulation"]["values_compared"] > 0
    if page == "explain":
        assert known["found"].found.cure is not None
