"""A model that no recipe tells of, as hls4ml makes a design of it, beside what the model itself computes."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import DatasetError, ModelError
from nonresnet_hls.hls import fidelity, plain
from nonresnet_hls.networks.prediction import called
from nonresnet_hls.recipe import Hls

ONNX_FILES = (".onnx",)
KERAS_FILES = (".keras", ".h5")
PYTORCH_FILES = (".pt2", ".pt", ".pth")


@dataclass(frozen=True, eq=False)
class Reference:
    """What evaluates a model as it is."""

    name: str
    run: Callable[[Any], Any]
    """Of float32 samples, channels last; gives (samples, numbers), as hardware has them."""


@dataclass(frozen=True, eq=False)
class Taken:
    """A design, and where it came from."""

    graph: Any
    """`ModelGraph`."""
    notes: tuple[str, ...] = ()
    """What it does not have of the model, or has otherwise, a line each."""
    reference: Reference | None = None
    shape: tuple[int, ...] | None = None
    """Of a sample as the model takes it, where that is channels first: hardware has them last."""
    limits: tuple[float, float] | None = None
    """Where the quantizer at the model's input, which is the type of the hardware's, cuts off."""

    def arranged(self, x: Any) -> Any:
        """Samples as hardware takes them: as they are, or those that the model takes, with their channels moved."""
        import numpy as np

        if self.shape is None and self.limits is None:
            return x
        array = np.asarray(x)
        if array.dtype.kind not in "fiub":
            return x
        if self.limits is not None:
            array = np.where(np.isfinite(array), np.clip(array, *self.limits), array)
        if self.shape is None:
            return array
        if array.shape[1:] == self.shape:
            return np.moveaxis(array, 1, -1)
        last = (*self.shape[1:], self.shape[0])
        if array.shape[1:] != last:
            raise DatasetError(f"samples of shape {self.shape}, or {last}, wanted, not {array.shape[1:]}")
        return array


def is_file(path: Path) -> bool:
    """Whether a path is called as a file of a model is."""
    return path.suffix in (*KERAS_FILES, *ONNX_FILES, *PYTORCH_FILES)


def take(design: Any, hls: Hls, directory: Path, shape: tuple[int, ...] | None = None) -> Taken:
    """A design as a `ModelGraph` (io_stream).

    Args:
        design: a model of Keras, ONNX or PyTorch or its file, or a `ModelGraph`.
        hls: how a model is converted.
        directory: where its project would be written.
        shape: of a sample, of a module of PyTorch's, which does not know it.

    Raises:
        RecipeError: it is nothing of these.
        ModelError: the model cannot be read, or holds what hls4ml has no layer for; names it.
        ConversionError: hls4ml cannot take it.
    """
    if plain.is_graph(design):
        return Taken(design, reference=_keras(design))
    if _is_onnx(design):
        return _onnx(design, hls, directory)
    if _is_pytorch(design):
        return _pytorch(design, hls, directory, shape)
    from nonresnet_hls.pipeline import designs

    graph, notes = plain.to_graph(designs.keras_model(design), hls, directory)
    return Taken(graph, notes, _keras(graph))


def is_foreign(design: Any) -> bool:
    """Whether a design is a model of another library than Keras."""
    return _is_onnx(design) or _is_pytorch(design)


def _is_pytorch(design: Any) -> bool:
    from nonresnet_hls.formats import pt2_torch

    if isinstance(design, str | Path):
        return Path(design).suffix in PYTORCH_FILES
    return pt2_torch.is_module(design) or pt2_torch.is_program(design)


def _is_onnx(design: Any) -> bool:
    if isinstance(design, str | Path):
        return Path(design).suffix in ONNX_FILES
    return type(design).__name__ == "ModelProto" and hasattr(design, "opset_import")


def _keras(graph: Any) -> Reference | None:
    """The Keras model that a graph was made of."""
    import numpy as np

    model = fidelity.model_of(graph)
    if model is None or len(model.inputs) != 1 or len(model.outputs) != 1:
        return None

    def run(x: Any) -> Any:
        given = x.reshape(len(x), *model.inputs[0].shape[1:])
        parts = [called(model, given[start : start + 256]) for start in range(0, len(given), 256)]
        return np.concatenate(parts).reshape(len(x), -1)

    return Reference("Keras", run)


def _onnx(design: Any, hls: Hls, directory: Path) -> Taken:
    from nonresnet_hls.formats import onnx_executor, onnx_files

    if isinstance(design, str | Path):
        where, model = str(design), onnx_files.load(Path(design))
    else:
        where, model = design.graph.name or "ONNX model", design
        onnx_files.check(model, where)
    execute = (lambda x: onnx_executor.execute(model, x)) if onnx_executor.is_installed() else None
    return _lowered(model, where, hls, directory, "qonnx's executor", execute)


def _pytorch(design: Any, hls: Hls, directory: Path, shape: tuple[int, ...] | None) -> Taken:
    from nonresnet_hls.formats import onnx_files, pt2, pt2_onnx, pt2_torch

    if isinstance(design, str | Path):
        where, path = str(design), Path(design)
        if path.suffix != pt2.SUFFIX:
            cure = "torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')"
            raise ModelError(
                f"{where}: a file of torch.export wanted, not a pickle, which would run what it brings: {cure}"
            )
        program = pt2.load(path)
    else:
        if pt2_torch.is_module(design):
            if shape is None:
                wanted = "what torch.export.export(model, (example,)) gives wanted, since a module knows no input shape"
                raise ModelError(f"module {type(design).__name__}: {wanted}")
            design = pt2_torch.exported(design, shape)
        where = "exported program"
        program = pt2.read(pt2_torch.content(design), where)
    model = pt2_onnx.to_onnx(program, where)
    onnx_files.check(model, where)
    execute = (lambda x: pt2_torch.execute(program, x)) if importlib.util.find_spec("torch") else None
    return _lowered(model, where, hls, directory, "PyTorch", execute)


def _lowered(
    model: Any, where: str, hls: Hls, directory: Path, name: str, execute: Callable[[Any], Any] | None
) -> Taken:
    """A design of an ONNX graph, beside what computes that."""
    import numpy as np

    from nonresnet_hls.formats import onnx_lowering
    from nonresnet_hls.hls import onnx

    lowered = onnx_lowering.lower(model, where)
    graph = onnx.to_graph(lowered.proto, lowered.precision, lowered.results, hls, directory, where)
    shape = lowered.shape[1:] if lowered.input_first else None
    kind = lowered.input_type
    limits = None if kind is None else (float(kind.min), float(kind.max))
    reference = None
    if execute is not None:

        def run(x: Any) -> Any:
            found = execute(np.moveaxis(x, -1, 1) if lowered.input_first else x)
            return (np.moveaxis(found, 1, -1) if lowered.output_first else found).reshape(len(x), -1)

        reference = Reference(name, run)
    return Taken(graph, lowered.notes, reference, shape, limits)
