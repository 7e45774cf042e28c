"""Any Keras or QKeras model as hls4ml would convert it by itself, for analyses that need no exact types."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.hls import fidelity
from nonresnet_hls.hls.convert import PROJECT, one_line
from nonresnet_hls.networks.flat import flattened
from nonresnet_hls.recipe import Hls


def write_plain(model: Any, hls: Hls, directory: Path) -> tuple[str, ...]:
    """Write an io_stream project with hls4ml's own choice of types into `directory`.

    Unlike `convert.to_model_graph` this takes every layer that hls4ml takes, and promises nothing about values: it
    returns what hls4ml drops of the model that changes values alone.

    Raises:
        ConversionError: hls4ml cannot take the model, or would make another network of it.
    """
    if all(type(layer).__name__ == "InputLayer" for layer in model.layers):
        raise ConversionError(f"model {model.name}: a layer between inputs and outputs wanted, there is none")
    fidelity.refuse(model, structural_only=True)
    notes = tuple(str(loss) for loss in fidelity.losses(model))
    model = flattened(model)  # hls4ml fails on some models inside a model
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hls4ml, QKeras and Keras warn of each other
        import hls4ml

        backend = str(hls.backend).capitalize()
        strategy = str(hls.strategy).capitalize()
        try:
            config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
            config["Model"] |= {"Strategy": strategy, "ReuseFactor": hls.reuse_factor}
            for layer in config["LayerName"].values():
                layer |= {"Strategy": strategy, "ReuseFactor": hls.reuse_factor}
            graph = hls4ml.converters.convert_from_keras_model(
                model,
                hls_config=config,
                output_dir=str(directory),
                project_name=PROJECT,
                backend=backend,
                part=hls.part,
                clock_period=hls.clock_ns,
                io_type="io_stream",
            )
            fidelity.check_weights(model)
            fidelity.check_shapes(model, graph)
            graph.write()
        except ConversionError:
            raise
        # hls4ml raises bare Exceptions; its own words are all there is to say.
        except Exception as error:
            raise ConversionError(f"model {model.name}: hls4ml cannot take it: {one_line(error)}") from error
    return notes
