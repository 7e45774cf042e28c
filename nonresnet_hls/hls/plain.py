"""Any Keras or QKeras model as hls4ml would convert it by itself, for analyses that need no exact types."""

import sys
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ConversionError, NonResNetError
from nonresnet_hls.hls import configured, fidelity, keras3
from nonresnet_hls.hls.convert import as_hls4ml_knows_it, one_line, quiet
from nonresnet_hls.networks import saved
from nonresnet_hls.networks.flat import flattened
from nonresnet_hls.recipe import Hls


def write_plain(model: Any, hls: Hls, directory: Path) -> tuple[str, ...]:
    """Write an io_stream project with hls4ml's own choice of types into `directory`.

    Returns:
        As `to_graph`.

    Raises:
        ConversionError: hls4ml cannot take the model, or would make another network of it.
    """
    graph, notes = to_graph(model, hls, directory)
    write_graph(graph, directory)
    return notes


def is_graph(value: Any) -> bool:
    """Whether a value is an hls4ml `ModelGraph`."""
    graph = sys.modules.get("hls4ml.model.graph")  # whoever has one has imported that
    return graph is not None and isinstance(value, graph.ModelGraph)


def write_graph(graph: Any, directory: Path, name: str | None = None) -> None:
    """Write the project of a `ModelGraph` into `directory`, wherever its own is.

    Args:
        graph: the graph.
        directory: where to.
        name: of the project; None: its own.

    Raises:
        ConversionError: hls4ml cannot write it.
    """
    settings = graph.config.config
    own = {key: settings[key] for key in ("OutputDir", "ProjectName")}
    settings |= {"OutputDir": str(directory), "ProjectName": name or own["ProjectName"]}
    with quiet():
        try:
            graph.write()
        except NonResNetError:
            raise
        except Exception as error:
            name = graph.config.get_project_name()
            raise ConversionError(f"{name}: hls4ml cannot write it: {one_line(error)}") from error
        finally:
            settings |= own


def to_graph(model: Any, hls: Hls, directory: Path, backend: str | None = None) -> tuple[Any, tuple[str, ...]]:
    """The `ModelGraph` (io_stream) of a Keras or QKeras model, with hls4ml's own choice of types.

    Unlike `convert.to_model_graph` this takes every layer that hls4ml takes, and promises nothing about values: it
    returns what hls4ml drops of the model that changes values alone.

    Args:
        model: Keras or QKeras.
        hls: part, clock, strategy, reuse factor, backend.
        directory: where the project would be written.
        backend: another registered hls4ml backend than that of `hls`.

    Returns:
        The graph, and what of the model it does not have.

    Raises:
        ConversionError: hls4ml cannot take the model, or would make another network of it.
    """
    notes: tuple[str, ...] = ()
    if saved.is_keras3(model):
        keras3.refuse(model)
    else:
        if all(type(layer).__name__ == "InputLayer" for layer in model.layers):
            raise ConversionError(f"model {model.name}: a layer between inputs and outputs wanted, there is none")
        fidelity.refuse(model, structural_only=True)
        notes = tuple(str(loss) for loss in fidelity.losses(model))
        model = as_hls4ml_knows_it(flattened(model))  # it fails on some models inside a model
    way = configured.Way(backend or str(hls.backend).capitalize(), "io_stream", hls.part, hls.clock_ns)
    config = configured.of_hls4ml(model, way.backend)
    settings = {"Strategy": str(hls.strategy).capitalize(), "ReuseFactor": hls.reuse_factor}
    for section in (config["Model"], *config["LayerName"].values()):
        section |= settings
    return configured.converted(model, config, directory, way), notes
