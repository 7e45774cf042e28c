"""An ONNX graph in the shape that hls4ml's converter computes as it is, as a `ModelGraph` of the types it needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls.convert import PROJECT, one_line, quiet
from nonresnet_hls.recipe import Hls


def to_graph(
    proto: Any,
    precision: Mapping[str, Mapping[str, str]],
    results: Mapping[str, tuple[FixedPointType | None, tuple[int, ...]]],
    hls: Hls,
    directory: Path,
    where: str,
) -> Any:
    """What `convert_from_onnx_model` (io_stream) makes of a graph.

    Args:
        proto: channels last, weights and biases as constants.
        precision: types by layer and place ("result", "accum", ...); of others hls4ml's own choice.
        results: type, where it is known, and shape of each tensor.
        hls: part, clock, strategy, reuse factor, backend.
        directory: where the project would be written.
        where: of errors.

    Raises:
        ConversionError: hls4ml cannot take the graph, or makes tensors of another type or shape of it.
    """
    backend = str(hls.backend).capitalize()
    with quiet():
        import hls4ml

        try:
            config = hls4ml.utils.config_from_onnx_model(proto, granularity="name", backend=backend)
            settings = {"Strategy": str(hls.strategy).capitalize(), "ReuseFactor": hls.reuse_factor}
            for name, types in precision.items():
                layer = config["LayerName"].setdefault(name, {})
                layer.setdefault("Precision", {}).update(types)
            for section in (config["Model"], *config["LayerName"].values()):
                section |= settings
            graph = hls4ml.converters.convert_from_onnx_model(
                proto,
                hls_config=config,
                output_dir=str(directory),
                project_name=PROJECT,
                backend=backend,
                part=hls.part,
                clock_period=hls.clock_ns,
                io_type="io_stream",
            )
        except Exception as error:  # bare ones; its own words are all there is to say
            raise ConversionError(f"{where}: hls4ml cannot take it: {one_line(error)}") from error
    _check(graph, results, where)
    return graph


def _check(graph: Any, results: Mapping[str, tuple[FixedPointType | None, tuple[int, ...]]], where: str) -> None:
    """See that tensors have the shapes and types that were asked for."""
    for node in graph.get_layers():
        for name in node.outputs:
            kind, shape = results.get(name, (None, ()))
            variable = node.get_output_variable(name)
            got = tuple(int(size) for size in variable.shape)
            if shape and got != shape:
                raise ConversionError(f"{where}: layer {node.name!r}: output {shape} wanted, hls4ml makes it {got}")
            if kind is not None:
                made = variable.type.precision
                found = (int(made.width), int(getattr(made, "integer", made.width)), bool(made.signed))
                if found != (kind.width, kind.integer_bits, kind.signed):
                    raise ConversionError(f"{where}: layer {node.name!r}: {kind} wanted, hls4ml makes it {made}")
