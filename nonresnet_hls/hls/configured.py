"""A Keras or QKeras model converted by hls4ml as a configuration of the user's own says, read and checked before."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from nonresnet_hls import generated
from nonresnet_hls.errors import ConversionError, shown
from nonresnet_hls.fixed.types import FixedPointError, FixedPointType
from nonresnet_hls.hls import fidelity, keras3
from nonresnet_hls.hls.convert import PROJECT, as_hls4ml_knows_it, one_line, quiet
from nonresnet_hls.networks import saved
from nonresnet_hls.networks.flat import flattened

Configuration = dict[str, Any]
"""What `convert_from_keras_model(hls_config=...)` takes."""

IoType = Literal["io_stream", "io_parallel"]

_SECTIONS = ("Model", "LayerName", "LayerType")
_MOST_BITS = 1024
_MOST_ENTRIES = 1 << 20


@dataclass(frozen=True)
class Way:
    """How a model is converted, types and tables apart."""

    backend: str = "Vivado"
    io_type: IoType = "io_stream"
    part: str = "xc7z020clg400-1"
    clock_ns: float = 5.0


def read(path: Path) -> Configuration:
    """A configuration in a YAML file: what `config_from_keras_model` gives, or hls4ml's own file of a project.

    Raises:
        ConversionError: it cannot be read, is no such configuration, or has a value that hls4ml cannot have.
    """
    data = generated.plain_yaml(path)
    if isinstance(data, dict) and isinstance(data.get("HLSConfig"), dict):
        data = data["HLSConfig"]
    return checked(data, str(path))


def checked(config: Any, where: str) -> Configuration:
    """A configuration, if it is one.

    Raises:
        ConversionError: it is none; names the key.
    """
    if not isinstance(config, Mapping) or not config:
        raise ConversionError(f"{where}: a configuration with {', '.join(_SECTIONS)} wanted, not {shown(config)}")
    for key, section in config.items():
        if key not in _SECTIONS:
            raise ConversionError(f"{where}: {', '.join(_SECTIONS)} wanted as keys, not {shown(key)}")
        if not isinstance(section, Mapping):
            raise ConversionError(f"{where}: {key}: a table wanted, not {shown(section)}")
    named = {"Model": config.get("Model", {})}
    for kind in ("LayerName", "LayerType"):
        named |= {f"{kind}: {name}": value for name, value in config.get(kind, {}).items()}
    for name, layer in named.items():
        if not isinstance(layer, Mapping):
            raise ConversionError(f"{where}: {name}: a table wanted, not {shown(layer)}")
        for key, value in layer.items():
            _check_value(f"{where}: {name}: {key}", str(key), value)
    default = named["Model"].get("Precision", {})
    default = default.get("default") if isinstance(default, Mapping) else default
    if default in (None, "auto"):
        raise ConversionError(f"{where}: Model: Precision: a type as default wanted, not {shown(default)}")
    return {key: _copied(section) for key, section in config.items()}


def _copied(value: Any) -> Any:
    return {str(key): _copied(one) for key, one in value.items()} if isinstance(value, Mapping) else value


def _check_value(where: str, key: str, value: Any) -> None:
    if key == "Precision":
        types = value if isinstance(value, Mapping) else {"default": value}
        for role, text in types.items():
            if text != "auto":
                kind_of(text, f"{where}: {role}")
    elif key.endswith("_t") and isinstance(value, str):
        kind_of(value, where)
    elif key in ("TableSize", "ReuseFactor", "ParallelizationFactor"):
        most = _MOST_ENTRIES if key == "TableSize" else 1 << 31
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ConversionError(f"{where}: a whole number from 1 to {most} wanted, not {shown(value)}")


def kind_of(text: Any, where: str) -> FixedPointType:
    """A type as hls4ml's configurations write it: `fixed<16,6>`, `ap_ufixed<8,0,RND,SAT>`, `ap_uint<8>`, `int8`.

    Raises:
        ConversionError: it is none.
    """
    if isinstance(text, str):
        plain = text.replace(" ", "").replace("AP_", "")
        whole = re.fullmatch(r"(?:ap_)?(u?)int<?(\d{1,4})>?", plain)
        if whole:
            plain = f"{whole[1]}fixed<{whole[2]},{whole[2]}>"
        # Bits of saturation, which hls4ml writes as a fifth argument.
        plain = re.sub(r",0>$", ">", plain) if plain.count(",") == 4 else plain
        try:
            kind = FixedPointType.parse(plain)
        except FixedPointError:
            kind = None
        if kind is not None and kind.width <= _MOST_BITS and abs(kind.integer_bits) <= _MOST_BITS:
            return kind
    wanted = f"a type as fixed<16,6> of at most {_MOST_BITS} bits, or auto,"
    raise ConversionError(f"{where}: {wanted} wanted, not {shown(text)}")


def text(config: Configuration) -> str:
    """A configuration as YAML, as `read` takes it."""
    dumped: str = yaml.safe_dump(config, sort_keys=False, default_flow_style=False)
    return dumped


def default(model: Any, backend: str = "Vivado") -> Configuration:
    """hls4ml's own choice for a model: `config_from_keras_model(granularity="name")`.

    Raises:
        ConversionError: hls4ml cannot take the model.
    """
    return of_hls4ml(as_hls4ml_knows_it(flattened(model)), backend)


def of_hls4ml(model: Any, backend: str) -> Configuration:
    """The same of a model as hls4ml's parser is given it, of either Keras."""
    with quiet():
        import hls4ml

        try:
            found: Configuration = _plain(
                hls4ml.utils.config_from_keras_model(model, granularity="name", backend=backend)
            )
        except Exception as error:  # bare ones; its own words are all there is to say
            raise ConversionError(f"model {model.name}: hls4ml cannot take it: {one_line(error)}") from error
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def to_graph(model: Any, config: Configuration, directory: Path, way: Way) -> tuple[Any, tuple[str, ...]]:
    """The `ModelGraph` of a model with a configuration of the user's own.

    Args:
        model: Keras or QKeras.
        config: types, tables, strategies.
        directory: where the project would be written.
        way: the rest.

    Returns:
        The graph, and what hls4ml drops of the model that changes values alone, a line each.

    Raises:
        ConversionError: hls4ml cannot take the two, or would make another network of the model.
    """
    model = as_hls4ml_knows_it(model)
    if all(type(layer).__name__ == "InputLayer" for layer in model.layers):
        raise ConversionError(f"model {model.name}: a layer between inputs and outputs wanted, there is none")
    fidelity.refuse(model, structural_only=True)
    notes = tuple(str(loss) for loss in fidelity.losses(model))
    model = as_hls4ml_knows_it(flattened(model))
    config = _copied(config)
    graph = converted(model, config, directory, way, bit_exact=False)
    wrong = misfolded(graph)
    if wrong:
        default = _default_type(config)
        for name in wrong:
            entry = config.setdefault("LayerName", {}).setdefault(name, {})
            own = entry.get("Precision", {})
            own = dict(own) if isinstance(own, Mapping) else {"default": own}
            entry["Precision"] = own | {"result": default}
            notes += (f"layer {name!r}: {_MISFOLDED}",)
        graph = converted(model, config, directory, way, bit_exact=False)
    return graph, notes


_MISFOLDED = (
    "hls4ml folds the batch norm behind this depthwise convolution into it wrongly, every weight times every factor; it"
    " is taken with a result of its own type here, which keeps the two apart"
)


def misfolded(graph: Any) -> list[str]:
    """Depthwise layers of a `ModelGraph` with other weights than they have inputs, since a batch norm was folded in."""
    found = []
    for node in graph.get_layers():
        if node.class_name.startswith("Depthwise"):
            size = node.get_attr("n_chan") * node.get_attr("filt_height", 1) * node.get_attr("filt_width")
            if int(node.weights["weight"].data.size) != int(size) * int(node.get_attr("depth_multiplier", 1)):
                found.append(str(node.name))
    return found


def _default_type(config: Configuration) -> str:
    precision = config.get("Model", {}).get("Precision", {})
    return str(precision.get("default") if isinstance(precision, Mapping) else precision)


def converted(model: Any, config: Configuration, directory: Path, way: Way, bit_exact: bool | None = None) -> Any:
    """What hls4ml's converter makes of a model of either Keras; `bit_exact` as it takes it.

    Raises:
        ConversionError: hls4ml cannot take the two, or would make another network of the model.
    """
    with quiet():
        import hls4ml

        try:
            graph = hls4ml.converters.convert_from_keras_model(
                model,
                hls_config=_copied(config),
                output_dir=str(directory),
                project_name=PROJECT,
                backend=way.backend,
                part=way.part,
                clock_period=way.clock_ns,
                io_type=way.io_type,
                bit_exact=bit_exact,
            )
            if not saved.is_keras3(model):  # hls4ml has another parser for it
                fidelity.check_weights(model)
                fidelity.check_shapes(model, graph)
        except ConversionError:
            raise
        except Exception as error:  # as above
            said = keras3.cure(error) or f"hls4ml cannot take it: {one_line(error)}"
            raise ConversionError(f"model {model.name}: {said}") from error
    return graph
