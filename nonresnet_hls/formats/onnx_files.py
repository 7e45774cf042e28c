"""ONNX files of others, looked into before anything is made of them; nothing of them is run or followed outside."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nonresnet_hls import bounds
from nonresnet_hls.errors import ModelError, shown

DOMAINS = ("", "ai.onnx", "onnx.brevitas", "qonnx.custom_op.general", "qonnx.custom_op.channels_last")
"""Whose operators mean something here."""

OPSETS = range(9, 24)
MAX_NODES = 1 << 16
MAX_NUMBERS = 1 << 26
"""Of a tensor; the largest of a ResNet50 has 2.4 million."""


def load(path: Path) -> Any:
    """The model in a file, as `onnx.ModelProto`; weights that lie beside it are read, from its own folder alone.

    Raises:
        ModelError: there is no such file, it is damaged, or asks for what no model needs; names it.
        MissingExtraError: onnx is not installed.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        with bounds.open_plain(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > bounds.machine_bytes() // 8:
                raise ModelError(f"{path}: at most an eighth of the memory wanted, not {size} bytes")
            content = stream.read()
    except OSError as error:
        raise ModelError(f"{path}: an ONNX file wanted: {error.strerror or error}") from None
    try:
        model = onnx.ModelProto.FromString(content)
    except (DecodeError, RecursionError, ValueError) as error:
        raise ModelError(f"{path}: an ONNX file wanted: {' '.join(str(error).split()) or 'damaged'}") from None
    check(model, str(path), path.parent)
    return model


def check(model: Any, where: str, folder: Path | None = None) -> None:
    """See that a model has nothing but nodes of known domains, and tensors of the sizes that they say.

    Args:
        model: `onnx.ModelProto`.
        where: for errors.
        folder: of weights that lie beside it, which are read into it; None: there must be none.

    Raises:
        ModelError: it has; names what.
    """
    graph = model.graph
    if not graph.node or not graph.output:
        raise ModelError(f"{where}: an ONNX model wanted, there is no node or no output in it")
    if len(graph.node) > MAX_NODES:
        raise ModelError(f"{where}: at most {MAX_NODES} nodes wanted, not {len(graph.node)}")
    if model.functions:
        name = shown(model.functions[0].name)
        raise ModelError(f"{where}: function {name}: operators of ONNX and QONNX alone wanted, no functions of a file")
    versions = [one.version for one in model.opset_import if one.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in OPSETS:
        wanted = f"one opset of ONNX from {OPSETS.start} to {OPSETS.stop - 1}"
        raise ModelError(f"{where}: {wanted} wanted, not {', '.join(map(str, versions)) or 'none'}")
    if graph.sparse_initializer:
        raise ModelError(f"{where}: dense weights wanted, not sparse ones")
    for node in graph.node:
        if node.domain not in DOMAINS:
            known = ", ".join(domain or "ai.onnx" for domain in DOMAINS if domain != "ai.onnx")
            told = f"an operator of {known} wanted, not {shown(node.op_type)} of {shown(node.domain)}"
            raise ModelError(f"{where}: node {name_of(node)}: {told}")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs or attribute.ref_attr_name:
                key = shown(attribute.name)
                raise ModelError(f"{where}: node {name_of(node)}: {key}: no graph within a node wanted")
    for tensor in _tensors(graph):
        if tensor.data_location == tensor.EXTERNAL:
            _read_external(tensor, where, folder)
        _check_size(tensor, where)


def name_of(node: Any) -> str:
    """A node as errors name it: by its name, or by what it gives."""
    return shown(node.name or next(iter(node.output), "") or node.op_type)


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("sparse_tensor"):
                yield attribute.sparse_tensor.values


def _itemsize(tensor: Any, where: str) -> int:
    from onnx import TensorProto

    sizes = {
        TensorProto.FLOAT: 4,
        TensorProto.DOUBLE: 8,
        TensorProto.FLOAT16: 2,
        TensorProto.INT64: 8,
        TensorProto.INT32: 4,
        TensorProto.INT16: 2,
        TensorProto.INT8: 1,
        TensorProto.UINT8: 1,
        TensorProto.BOOL: 1,
    }
    if tensor.data_type not in sizes:
        raise ModelError(f"{where}: tensor {shown(tensor.name)}: numbers wanted, not type {tensor.data_type} of ONNX")
    return sizes[tensor.data_type]


def _count(tensor: Any, where: str) -> int:
    """Numbers of a tensor by its shape."""
    if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > MAX_NUMBERS:
        wanted = f"a shape of at most {MAX_NUMBERS} numbers"
        raise ModelError(f"{where}: tensor {shown(tensor.name)}: {wanted} wanted, not {shown(tuple(tensor.dims))}")
    return math.prod(tensor.dims)


def _check_size(tensor: Any, where: str) -> None:
    """As many numbers as the shape says; onnx itself would find out while it makes room for them."""
    from onnx import TensorProto

    wanted, itemsize = _count(tensor, where), _itemsize(tensor, where)
    if tensor.HasField("raw_data"):
        got = len(tensor.raw_data) / itemsize
    else:
        fields = {TensorProto.FLOAT: tensor.float_data, TensorProto.DOUBLE: tensor.double_data}
        fields[TensorProto.INT64] = tensor.int64_data
        got = len(fields.get(tensor.data_type, tensor.int32_data))
    if got != wanted:
        shape = tuple(tensor.dims)
        raise ModelError(f"{where}: tensor {shown(tensor.name)}: {wanted} numbers of {shape} wanted, not {got:g}")


def _read_external(tensor: Any, where: str, folder: Path | None) -> None:
    """Weights beside the model: of a file in its own folder, as many bytes as the shape says."""
    named = f"{where}: tensor {shown(tensor.name)}"
    if folder is None:
        raise ModelError(f"{named}: weights within the model wanted, not in another file")
    said = {entry.key: entry.value for entry in tensor.external_data}
    location = said.get("location", "")
    parts = Path(location).parts
    if not location or "\0" in location or Path(location).is_absolute() or ".." in parts or "\\" in location:
        raise ModelError(f"{named}: weights in a file of its own folder wanted, not in {shown(location)}")
    path = folder / location
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ModelError(f"{named}: weights in a file of its own folder wanted, not behind the link {shown(location)}")
    size = _count(tensor, where) * _itemsize(tensor, where)
    try:
        offset, length = int(said.get("offset") or 0), int(said.get("length") or size)
    except ValueError:
        offset, length = -1, -1
    if offset < 0 or length != size:
        raise ModelError(f"{named}: {size} bytes at an offset wanted, not {shown(said)}")
    try:
        with bounds.open_plain(path) as stream:
            if os.fstat(stream.fileno()).st_size < offset + length:
                raise ModelError(f"{named}: {offset + length} bytes in {shown(location)} wanted, not fewer")
            stream.seek(offset)
            tensor.raw_data = stream.read(length)
    except OSError as error:
        raise ModelError(f"{named}: {shown(location)}: {error.strerror or error}") from None
    tensor.data_location = tensor.DEFAULT
    del tensor.external_data[:]
