"""What PyTorch's `torch.export.save` writes, read without PyTorch and without its pickles, as an ONNX graph.

Such a file is an archive of the graph as JSON and of the weights as they lie in memory. `torch.export.load` would
unpickle what else is in it; here nothing of it is run.
"""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls import bounds
from nonresnet_hls.errors import ModelError, shown

SUFFIX = ".pt2"
_NUMBERS = {4: "int32", 5: "int64", 7: "float32", 8: "float64"}
"""Types of tensors by their numbers in such a file."""
_MOST_NODES = 1 << 16
_MOST_SIZE = 1 << 31


@dataclass(frozen=True)
class Call:
    """A call of an operator of ATen."""

    name: str
    target: str
    """As `conv2d.default`."""
    arguments: Mapping[str, Any]
    """Tensors as `Tensor`, sizes of the batch as 1."""
    output: str


@dataclass(frozen=True)
class Tensor:
    """A tensor by its name."""

    name: str


@dataclass(frozen=True)
class Program:
    """A graph with its weights."""

    calls: tuple[Call, ...]
    weights: Mapping[str, Any]
    """NumPy arrays by the names of tensors."""
    source: str
    shape: tuple[int, ...]
    """Of the input; the batch 1, or 0 for any."""
    result: str


def load(path: Path) -> Program:
    """The program in a file.

    Raises:
        ModelError: there is none, or it has what no network needs; names it.
    """
    try:
        with bounds.open_plain(path) as stream:
            return read(stream, str(path))
    except OSError as error:
        raise ModelError(f"{path}: a file of torch.export wanted: {error.strerror or error}") from None


def read(stream: Any, where: str) -> Program:
    """The same of an open file.

    Raises:
        ModelError: as `load`.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            stored = stream.seek(0, io.SEEK_END)
            bounds.check_size(sum(info.file_size for info in archive.infolist()), stored)
            return _Reader(archive, where).program()
    except ModelError:
        raise
    except (
        *(KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError),
        *bounds.DAMAGED_ARCHIVE,
    ) as error:
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ModelError(f"{where}: a file as torch.export.save of PyTorch 2.9 writes it wanted ({told})") from None
    except ValueError as error:
        raise ModelError(f"{where}: a file of torch.export wanted: {' '.join(str(error).split())}") from None


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a name wanted, not {shown(value)}")
    value.encode()  # Unicode, or UnicodeEncodeError, which is a ValueError
    return value


class _Reader:
    def __init__(self, archive: zipfile.ZipFile, where: str) -> None:
        self.archive, self.where = archive, where
        names = [name for name in archive.namelist() if name.endswith("models/model.json")]
        if len(names) != 1:
            wanted = "a file as torch.export.save of PyTorch 2.9 or later writes it"
            raise ModelError(f"{where}: {wanted} wanted; export the model anew")
        self.folder = names[0].removesuffix("models/model.json")
        if self._text("byteorder", "little").strip() != "little":
            raise ModelError(f"{where}: weights of a little-endian machine wanted")
        self.model = json.loads(archive.read(names[0]))
        self.batches: set[str] = set()

    def _text(self, name: str, default: str) -> str:
        path = self.folder + name
        return self.archive.read(path).decode() if path in self.archive.namelist() else default

    def program(self) -> Program:
        module = self.model["graph_module"]
        graph, signature = module["graph"], module["signature"]
        if len(graph["nodes"]) > _MOST_NODES:
            raise ModelError(f"{self.where}: at most {_MOST_NODES} nodes wanted, not {len(graph['nodes'])}")
        places, sources = {}, []
        for spec in signature["input_specs"]:
            ((kind, said),) = spec.items()
            if kind == "user_input":
                sources.append(_name(said["arg"]["as_tensor"]["name"]))
            elif kind in ("parameter", "buffer"):
                places[_name(said["arg"]["name"])] = str(said[f"{kind}_name"])
            else:
                raise ModelError(f"{self.where}: inputs, parameters and buffers wanted, not {shown(kind)}")
        results = [_name(spec["user_output"]["arg"]["as_tensor"]["name"]) for spec in signature["output_specs"]]
        if len(sources) != 1 or len(results) != 1:
            raise ModelError(f"{self.where}: one input and one output wanted, not {len(sources)} and {len(results)}")
        stored = json.loads(self._text("data/weights/model_weights_config.json", "{}")).get("config", {})
        weights = {name: self._weight(key, stored) for name, key in places.items()}
        calls = tuple(call for node in graph["nodes"] if (call := self._call(node)) is not None)
        sizes = graph["tensor_values"][sources[0]]["sizes"]
        shape = tuple(self._size(size, place) for place, size in enumerate(sizes))
        return Program(calls, weights, sources[0], shape, results[0])

    def _size(self, size: Mapping[str, Any], place: int) -> int:
        if "as_int" in size:
            found = int(size["as_int"])
            if not 0 < found < _MOST_SIZE:
                raise ModelError(f"{self.where}: an input of 1 to {_MOST_SIZE - 1} a side wanted, not {shown(found)}")
            return found
        if place == 0:
            return 0
        raise ModelError(f"{self.where}: an input of fixed sizes but for the batch wanted, not {shown(size)}")

    def _weight(self, key: str, stored: Mapping[str, Any]) -> Any:
        import numpy as np

        named = f"{self.where}: weights {shown(key)}"
        if key not in stored:
            raise ModelError(f"{named}: there are none in the file")
        entry = stored[key]
        meta = entry["tensor_meta"]
        if entry["use_pickle"] or meta["dtype"] not in _NUMBERS:
            raise ModelError(f"{named}: plain float32 wanted, not a pickle or another type: model.float().cpu()")
        shape = [int(one["as_int"]) for one in meta["sizes"]]
        dtype = np.dtype(_NUMBERS[meta["dtype"]])
        steps = [int(one["as_int"]) for one in meta["strides"]]
        whole = [math.prod(shape[place + 1 :]) for place in range(len(shape))]
        moved = any(step != usual for step, usual, size in zip(steps, whole, shape, strict=True) if size > 1)
        if moved or int(meta["storage_offset"]["as_int"]):
            raise ModelError(f"{named}: weights in the order of their sizes wanted: tensor.contiguous()")
        path = f"{self.folder}data/weights/{entry['path_name']}"
        if path not in self.archive.namelist():
            raise ModelError(f"{named}: {shown(entry['path_name'])} in the archive wanted, it is not there")
        content = self.archive.read(path)
        if any(size < 0 for size in shape) or len(content) != math.prod(shape) * dtype.itemsize:
            raise ModelError(f"{named}: {shown(shape)} numbers wanted, not {len(content)} bytes")
        return np.frombuffer(content, dtype).reshape(shape)

    def _call(self, node: Mapping[str, Any]) -> Call | None:
        target, name = _name(node["target"]), _name(node["name"] or node["outputs"][0]["as_tensor"]["name"])
        if target == "torch.ops.aten.sym_size.int":
            dimension = next(self._value(one["arg"], name) for one in node["inputs"] if one["name"] == "dim")
            if dimension != 0:
                raise ModelError(f"{self.where}: node {shown(name)}: the size of the batch wanted, not of {dimension}")
            self.batches.add(node["outputs"][0]["as_sym_int"]["as_name"])
            return None
        if not target.startswith("torch.ops.aten."):
            raise ModelError(f"{self.where}: node {shown(name)}: an operator of ATen wanted, not {shown(target)}")
        arguments = {str(one["name"]): self._value(one["arg"], name) for one in node["inputs"]}
        if len(node["outputs"]) != 1 or "as_tensor" not in node["outputs"][0]:
            raise ModelError(f"{self.where}: node {shown(name)}: one output wanted")
        return Call(
            name, target.removeprefix("torch.ops.aten."), arguments, _name(node["outputs"][0]["as_tensor"]["name"])
        )

    def _value(self, argument: Mapping[str, Any], name: str) -> Any:
        ((kind, value),) = argument.items()
        if kind == "as_none":
            return None
        if kind == "as_tensor":
            return Tensor(_name(value["name"]))
        if kind == "as_tensors":
            return tuple(Tensor(_name(one["name"])) for one in value)
        if kind in ("as_int", "as_float", "as_bool", "as_string"):
            return value
        if kind in ("as_ints", "as_floats", "as_bools"):
            return tuple(value)
        if kind == "as_sym_ints":
            return tuple(self._symbolic(one, name) for one in value)
        if kind == "as_sym_int":
            return self._symbolic(value, name)
        raise ModelError(f"{self.where}: node {shown(name)}: numbers and tensors wanted, not {shown(kind)}")

    def _symbolic(self, value: Mapping[str, Any], name: str) -> int:
        if "as_int" in value:
            return int(value["as_int"])
        if value.get("as_name") in self.batches:
            return 1
        raise ModelError(f"{self.where}: node {shown(name)}: a size that is known wanted, not {shown(value)}")
