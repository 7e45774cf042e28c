"""A recipe for a model and data that somebody has at hand, as files of their own workspace."""

import io
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nonresnet_hls import files, progress
from nonresnet_hls import recipe as recipes
from nonresnet_hls.errors import DatasetError, RecipeError, shown
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.pipeline import designs
from nonresnet_hls.pipeline.workspace import Workspace
from nonresnet_hls.recipe import Recipe, Strategy

Tables = Mapping[str, Mapping[str, Any]]
"""Keys of a recipe by table: `{"hls": {"reuse_factor": 4}}`."""

_HEAD = "# Made for a model and data of your own; change what you like.\n"
# Post-training, and a reuse factor that models of any size convert with.
_DEFAULTS: Tables = {
    "quantization": {"weight_bits": 8, "activation_bits": 8, "epochs": 0},
    "hls": {"strategy": str(Strategy.RESOURCE), "reuse_factor": 16},
    "csim": {"samples": 100},
}
_ARRAYS = ("x", "y", "x_train", "y_train", "x_test", "y_test")


def make(
    model: Any,
    data: Any,
    workspace: Workspace,
    name: str | None = None,
    input_type: str | None = None,
    tables: Tables | None = None,
    keep: bool = False,
) -> Recipe:
    """Write `models/NAME.toml`, and beside it what is not in a file yet.

    Args:
        model: a Keras model, or the path of a .keras or .h5 file.
        data: the path of an .npz file with x (and y), or x_train, y_train, x_test, y_test; a mapping of such arrays;
            x alone, or (x, y).
        workspace: where the recipe is written.
        name: of the recipe; default: that of the file or of the model.
        input_type: fixed-point type of the input; default: the narrowest that holds the data.
        tables: other keys.
        keep: whether a recipe of that name for this model and these data stays as it is.

    Returns:
        The recipe. Another one of that name is kept aside.

    Raises:
        RecipeError: the model is none, a name cannot be one, a key is unknown.
        ModelError: the model cannot be saved.
        DatasetError: the data are no numbers.
    """
    path = Path(model) if isinstance(model, str | Path) else None
    if path is not None and not designs.is_keras_file(path):
        raise RecipeError(f"{path}: a Keras model (.keras or .h5) wanted")
    name = _name(path.stem if path is not None else str(getattr(model, "name", ""))) if name is None else name
    target = workspace.models / f"{name}.toml"
    named, data_path = arrays(data)
    kind, why = _input_type(named, input_type, data_path)
    if path is None:
        path = _save_model(model, target.with_suffix(".keras"))
    if data_path is None:
        data_path = _save_arrays(named, target.with_suffix(".npz"))
    if keep and target.is_file():
        there = workspace.recipe(str(target))
        if _same(there.architecture.file, path) and _same(there.dataset.file, data_path):
            return there
    progress.say(f"{target}: {data_path} has {why}: input_type {kind}")
    said: dict[str, Mapping[str, Any]] = {
        "architecture": {"family": "keras", "file": _relative(path, target)},
        "dataset": {"name": "npz", "file": _relative(data_path, target), "input_type": kind},
    }
    for table, keys in (*_DEFAULTS.items(), *(tables or {}).items()):
        said[table] = {**said.get(table, {}), **keys}
    text = _HEAD + "".join(_table(table, keys) for table, keys in said.items())
    text = text.replace(f'input_type = "{kind}"', f'input_type = "{kind}"  # {why}', 1)
    recipes.check(target, text)
    _put(target, text.encode())
    return workspace.recipe(str(target))


def _same(said: Path | None, path: Path) -> bool:
    return said is not None and said.is_file() and said.samefile(path)


def _name(text: str) -> str:
    """The nearest to a text that a recipe may be called."""
    parts = re.findall(r"[a-z0-9]+", text.lower())
    joined = "-".join(parts)[:100].rstrip("-") or "model"
    return joined if joined[0].isalpha() else f"model-{joined}"


def arrays(data: Any) -> tuple[dict[str, Any], Path | None]:
    """The arrays of data by name, and the file that they are in, if they are in one.

    Raises:
        DatasetError: they cannot be read, or are called otherwise.
    """
    import numpy as np

    from nonresnet_hls.training import npz

    if isinstance(data, str | Path):
        return npz.read_arrays(Path(data)), Path(data)
    if isinstance(data, Mapping):
        unknown = sorted(set(data) - set(_ARRAYS))
        if unknown:
            raise DatasetError(f"data: {', '.join(_ARRAYS)} wanted, not {shown(unknown[0])}")
        named = dict(data)
    elif isinstance(data, tuple) and len(data) == 2:  # a list is one of samples
        named = dict(zip(("x", "y"), data, strict=True))
    else:
        named = {"x": data}
    return {key: np.asarray(array) for key, array in named.items() if array is not None}, None


def _input_type(arrays: Mapping[str, Any], given: str | None, path: Path | None) -> tuple[str, str]:
    import numpy as np

    from nonresnet_hls.training import input_types

    if given is not None:
        return str(FixedPointType.parse(given)), "as you said"
    named = [arrays[name] for name in ("x", "x_train", "x_test") if name in arrays]
    where = "data" if path is None else str(path)
    if not named:
        raise DatasetError(f"{where}: x, or x_train and x_test, wanted, not {', '.join(sorted(arrays)) or 'nothing'}")
    try:
        kind, why = input_types.holding(np.concatenate([x.reshape(-1) for x in named]))
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}") from None
    return str(kind), why


def _save_model(model: Any, path: Path) -> Path:
    from nonresnet_hls.networks import saved

    if not saved.is_model(model):
        raise RecipeError(f"a Keras model or the path of one wanted, not an object of {type(model).__name__}")
    with tempfile.TemporaryDirectory(prefix="nonresnet-recipe-") as scratch:
        saved.save(model, Path(scratch) / path.name)
        return _put(path, (Path(scratch) / path.name).read_bytes())


def _save_arrays(arrays: Mapping[str, Any], path: Path) -> Path:
    import numpy as np

    content = io.BytesIO()
    np.savez(content, **arrays)
    return _put(path, content.getvalue())


def _put(path: Path, content: bytes) -> Path:
    """Write a file; another content of that name is kept aside."""
    if path.is_file() and not path.is_symlink():
        if path.read_bytes() == content:
            return path
        progress.say(f"{path} was another: kept as {files.keep_aside(path)}")
    with files.replacing(path) as stream:
        stream.write(content)
    return path


def _relative(path: Path, recipe: Path) -> str:
    """As a recipe says it: beside it by name, others by their whole path."""
    path, folder = path.absolute(), recipe.parent.absolute()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _table(name: str, keys: Mapping[str, Any]) -> str:
    lines = [f"{key} = {_value(f'{name}.{key}', value)}\n" for key, value in keys.items()]
    return f"\n[{name}]\n{''.join(lines)}"


def _value(key: str, value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # Of what JSON writes, TOML takes all but the halves of characters beyond 16 bits.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple | list):
        return f"[{', '.join(_value(key, item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{json.dumps(str(k))} = {_value(key, item)}' for k, item in value.items())} }}"
    raise RecipeError(f"{key}: a number, text, list or table wanted, not an object of {type(value).__name__}")
