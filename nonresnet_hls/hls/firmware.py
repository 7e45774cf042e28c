"""The C++ that hls4ml generates, as text and as the facts in it: calls, constants, types, weights.

That text is the one source that every hls4ml 1.x leaves behind, from a `ModelGraph` as well as in a project
directory, for io_stream and io_parallel, and it is exactly what is simulated and synthesised.
"""

import ast
import importlib.metadata
import importlib.util
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nonresnet_hls import bounds, generated, progress
from nonresnet_hls.errors import ConversionError, shown
from nonresnet_hls.fixed.types import MAX_WIDTH, FixedPointError, FixedPointType

# nnet::relu<layer2_t, layer4_t, relu_config4>(layer2_out, layer4_out); // q_activation
_CALL = re.compile(
    r"nnet::(?P<function>\w++)\s*+<(?P<types>[^;()]{0,2000}+)\((?P<arguments>[^;()]{0,4000}+)\)\s*+;"
    r"[ \t]*+(?://[ \t]*+(?P<layer>\S++))?"
)
# auto& layer20_out = layer29_cpy2;
_ALIAS = re.compile(r"\bauto\s*+&\s*+(?P<alias>\w++)\s*+=\s*+(?P<name>\w++)\s*+;")
# hls::stream<input_t> &input_1     or     input_t input_1[8*8*3]
_STREAM_PORT = re.compile(r"hls::stream\s*+<(?P<type>[^>]{1,1000}+)>\s*+&\s*+(?P<name>\w++)")
_ARRAY_PORT = re.compile(r"\b(?P<type>\w++)\s++(?P<name>\w++)\s*+\[(?P<size>[^\]]{1,1000}+)\]")
_NNET_ARRAY = re.compile(r"nnet::array\s*<\s*(?P<element>.+?)\s*,\s*(?P<size>[\d\s*]+)>$", re.DOTALL)
_DEFINE = re.compile(r"#define\s++(?P<name>\w++)\s++(?P<value>[^\n]++)")
# static const unsigned in_height = 34;      static constexpr float exp_scale = 1.0;
_CONSTANT = re.compile(
    r"\bstatic\s++(?:const|constexpr)\s++[\w:]++\s++(?P<name>\w++)\s*+=\s*+(?P<value>[^;]{1,4000}+);"
)
# using kernel = nnet::DenseLatency<data_T, res_T, CONFIG_T>;     using product = nnet::product::mult<x_T, y_T>;
_USING = re.compile(r"\busing\s++(?P<name>\w++)\s*+=\s*+(?:\w++::)++(?P<type>\w++)")
# const slope5_t hard_sigmoid_config5::slope = 0.2;
_MEMBER = re.compile(r"\bconst\s++(?P<type>\w++)\s++(?P<struct>\w++)::(?P<name>\w++)\s*+=\s*+(?P<value>[^;]{1,4000}+);")
# unsigned config4_perm[3] = {1, 0, 2};
_LIST = re.compile(r"\bunsigned\s++(?P<name>\w++)\s*+\[\d++\]\s*+=\s*+\{(?P<values>[\d,\s]*+)\}")
_FIXED = re.compile(r"ap_(?P<unsigned>u?)fixed\s*<(?P<arguments>[^<>]*)>$")
_INTEGER = re.compile(r"ap_(?P<unsigned>u?)int\s*<\s*(?P<width>\d+)\s*>$")

_GENERATED = "nnet_code_gen.h"
"""The header that hls4ml writes for each project."""

_MOST_ENTRIES = 1 << 20
"""Of a table of an activation; by default 1024."""
_MOST_NUMBERS = 1 << 26
"""Of a tensor. The largest of a ResNet50 has 0.8 million."""
_OPERATORS: Mapping[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
    ast.Mod: operator.mod,
}
_MACROS: Mapping[str, Callable[..., int]] = {"DIV_ROUNDUP": lambda n, d: -(-n // d), "MIN": min, "MAX": max}


@dataclass(frozen=True)
class Call:
    """One call of a layer's function: `arguments` are the C++ names, aliases resolved."""

    layer: str
    function: str
    types: tuple[str, ...]
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Port:
    """An argument of the top function that is data."""

    name: str
    type_name: str
    size: int | None
    """Numbers; None for a stream, whose length the layers tell."""


@dataclass(frozen=True)
class Struct:
    """One layer's compile-time constants: numbers and enumerators as text, types and templates by name."""

    name: str
    constants: Mapping[str, str]
    types: Mapping[str, str]

    def integer(self, key: str, default: int | None = None) -> int:
        """The value of a constant.

        Raises:
            ConversionError: it is missing (and there is no default) or no integer expression.
        """
        if key not in self.constants:
            if default is None:
                raise ConversionError(f"struct {self.name}: constant {key!r} wanted, none found")
            return default
        most = _MOST_ENTRIES if key.endswith("table_size") else generated.MOST
        return evaluate(self.constants[key], self.integer, f"struct {self.name}: {key}", most)

    def symbol(self, key: str, default: str = "") -> str:
        """The last name of an enumerator, as `latency` of `nnet::latency`."""
        return self.constants.get(key, default).rsplit("::", 1)[-1].strip()


@dataclass(frozen=True)
class Firmware:
    """All that the C++ says of a network."""

    name: str
    source: str
    """What messages call it: a path, or the model's name."""
    is_stream: bool
    ports: tuple[Port, ...]
    calls: tuple[Call, ...]
    structs: Mapping[str, Struct]
    typedefs: Mapping[str, str]
    lists: Mapping[str, tuple[int, ...]]
    """Numbers of arrays that configurations point to."""
    aliases: Mapping[str, str]
    weights: Callable[[str], npt.NDArray[np.float64]] = field(repr=False)
    """The numbers of a weight array, as the C simulation reads them."""

    def kind(self, text: str, what: str) -> FixedPointType:
        """The fixed-point type that a name or C++ type stands for; of a stream's word, that of its numbers.

        Raises:
            ConversionError: it is none.
        """
        return scalar(self.resolved(text)[0], what)

    def resolved(self, text: str) -> tuple[str, int]:
        """The C++ scalar behind a name, and how many of them a word of a stream has (1 where it is no word)."""
        elements, seen = 1, set()
        while True:
            array = _NNET_ARRAY.match(text)
            if array is not None:
                for factor in array["size"].split("*"):
                    elements *= generated.integer(factor, f"{self.source}: words of {shown(text)}")
                text = array["element"]
            elif text in self.typedefs and text not in seen:
                seen.add(text)
                text = self.typedefs[text]
            else:
                return text, elements


def scalar(text: str, what: str) -> FixedPointType:
    """A C++ scalar as fixed-point type.

    >>> str(scalar("ap_ufixed<8,2,AP_RND_CONV,AP_SAT,0>", "result")), str(scalar("ap_int<4>", "result"))
    ('ufixed<8,2,RND_CONV,SAT>', 'fixed<4,4>')

    Raises:
        ConversionError: it is no `ap_fixed` or `ap_int`.
    """
    integer = _INTEGER.match(text)
    if integer is not None:
        width = generated.integer(integer["width"], f"{what}: width of {shown(text)}", MAX_WIDTH)
        return FixedPointType(width, width, signed=not integer["unsigned"])
    fixed = _FIXED.match(text)
    if fixed is not None:
        parts = [part.strip() for part in fixed["arguments"].split(",")]
        try:
            if len(parts) > 4 and int(parts[4]) != 0:
                raise ValueError
            return FixedPointType.parse(f"{fixed['unsigned']}fixed<{','.join(parts[:4])}>")
        except (FixedPointError, ValueError):
            pass
    raise ConversionError(f"{what}: ap_fixed or ap_int wanted, not {shown(text)}")


def evaluate(text: str, lookup: Callable[[str], int], what: str, most: int = generated.MOST) -> int:
    """A C++ integer expression.

    Raises:
        ConversionError: it is none.
    """

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return int(node.value)
        if isinstance(node, ast.Name):
            return {"true": 1, "false": 0}[node.id] if node.id in ("true", "false") else lookup(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        if isinstance(node, ast.BinOp):
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return _MACROS[node.func.id](*map(value, node.args))
        raise ValueError(ast.dump(node))

    try:
        found = value(ast.parse(" ".join(text.split()), mode="eval").body)
    except (SyntaxError, LookupError, TypeError, ArithmeticError, ValueError, RecursionError, MemoryError):
        raise ConversionError(f"{what}: an integer expression wanted, not {text.strip()[:60]!r}") from None
    if abs(found) > most:
        raise ConversionError(f"{what}: at most {most} wanted, not {shown(found)}")
    return found


def numbers(layer: str, *sizes: int) -> int:
    """How many numbers a tensor of that shape has.

    Raises:
        ConversionError: more than any design has, of which nothing must be computed.
    """
    found = math.prod(sizes)
    if min(sizes, default=0) < 0 or found > _MOST_NUMBERS:
        raise ConversionError(
            f"layer {layer!r}: a tensor of at most {_MOST_NUMBERS} numbers wanted, not {shown(sizes)}"
        )
    return found


def of_project(directory: Path) -> Firmware:
    """The firmware of a project directory that hls4ml wrote.

    Raises:
        ConversionError: a file is missing or unreadable, or no C++ of hls4ml's Vivado or Vitis back end.
    """
    name = _top(directory)
    firmware = directory / "firmware"
    top, defines, parameters = (
        generated.read(firmware / file) for file in (f"{name}.cpp", "defines.h", "parameters.h")
    )

    def weights(array: str) -> npt.NDArray[np.float64]:
        path = firmware / "weights" / f"{array}.txt"
        try:
            values = np.array([float(token) for token in _text(path).split(",")], dtype=np.float64)
        except ValueError as error:
            raise ConversionError(f"{path}: numbers between commas wanted: {error}") from None
        _same_as_header(values, firmware / "weights" / f"{array}.h")
        return values

    _say_of_other_headers(firmware / "nnet_utils")
    return parse(name, str(directory), top, defines, parameters, weights)


def _say_of_other_headers(folder: Path) -> None:
    """What a layer computes is known from the headers of one hls4ml: say which of a project's are others."""
    spec = importlib.util.find_spec("hls4ml")
    if spec is None or spec.origin is None:
        return
    templates = Path(spec.origin).parent / "templates"
    others = []
    for header in sorted(folder.glob("*.h")):
        known = [templates / back_end / "nnet_utils" / header.name for back_end in ("vivado", "vitis")]
        texts = [_unguarded(path) for path in known if path.is_file()]
        if header.name != _GENERATED and texts and _unguarded(header) not in texts:
            others.append(header.name)
    if others:
        version = importlib.metadata.version("hls4ml")
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        progress.say(
            f"{folder}: not as hls4ml {version} has them, whose arithmetic is known: {', '.join(others[:3])}{more};"
            " only the C simulation tells whether this project computes the same"
        )


def _unguarded(header: Path) -> list[str]:
    """The words of a header, but for those of its include guard."""
    lines = _text(header).splitlines()
    return " ".join(line for line in lines if not line.startswith(("#ifndef NNET_", "#define NNET_"))).split()


def _top(directory: Path) -> str:
    """The name of a project's top function."""
    if not directory.is_dir():
        raise ConversionError(f"{directory}: a project directory that hls4ml wrote wanted")
    settings, path = generated.settings_of(directory)
    backend = settings.get("Backend", "Vivado")
    if backend.lower() not in ("vivado", "vitis", "openrtl", "vivadoaccelerator", "vitisaccelerator"):
        raise ConversionError(f"{path}: a project of hls4ml's Vivado or Vitis back end wanted, not {shown(backend)}")
    return str(settings["ProjectName"])


def _text(path: Path) -> str:
    try:
        return bounds.read_text(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        reason = str(error) if isinstance(error, bounds.TooLargeError) else reason
        raise ConversionError(f"{path}: cannot be read ({reason})") from None


def _same_as_header(values: npt.NDArray[np.float64], header: Path) -> None:
    """The C simulation reads the text, synthesis the header: they must not differ."""
    found = re.search(r"=\s*+\{(?P<values>[^{}]*+)\}", _text(header))
    if found is None:
        return  # weights in a file that only the test bench reads
    try:
        own = np.array([float(token) for token in found["values"].split(",") if token.strip()], dtype=np.float64)
    except ValueError as error:
        raise ConversionError(f"{header}: numbers between commas wanted: {error}") from None
    if own.shape != values.shape or (own != values).any():
        raise ConversionError(
            f"{header}: other numbers than in {header.with_suffix('.txt').name}: one of them was changed since the"
            " project was written; convert the model again"
        )


def of_graph(model: Any) -> Firmware:
    """The C++ of an hls4ml `ModelGraph` (Vivado, Vitis or OpenRTL back end) as its writer would write it.

    Raises:
        ConversionError: a layer has no C++.
    """
    typedefs: dict[str, str] = {}
    lines, structs, aliases = [], [], []
    from hls4ml.model.types import InplaceTensorVariable

    arrays = {}
    for node in model.get_layers():
        for type_name, kind in node.get_layer_precision().items():
            written = kind.definition_cpp()
            # The first is what hls4ml writes: an in-place reshape has a type of its input's name and other words.
            typedefs.setdefault(type_name, next(iter(generated.typedefs(written).values()), written))
        for variable in node.get_variables():
            if isinstance(variable, InplaceTensorVariable):
                aliases.append(f"auto& {variable.name} = {variable.input_var.name};")
        for weight in node.get_weights():
            arrays[weight.name] = weight
        function = node.get_attr("function_cpp")
        if function is not None:
            lines += [f"{line.rstrip()} // {node.name}" for line in function.split("\n") if line.strip()]
        elif node.class_name not in ("Input", "InputLayer", "Constant") and not _is_alias(node):
            raise ConversionError(f"layer {node.name!r}: hls4ml has no C++ for {node.class_name}")
        structs.append(node.get_attr("config_cpp") or "")
    ports = []
    for variable in (*model.get_input_variables(), *model.get_output_variables()):
        ports.append(Port(variable.name, variable.type.name, int(variable.size())))

    def weights(array: str) -> npt.NDArray[np.float64]:
        if array not in arrays:
            raise ConversionError(f"model {model.config.get_project_name()}: no weights {array!r}")
        return np.array([float(token) for token in arrays[array]], dtype=np.float64)

    io_type = model.config.get_config_value("IOType")
    name = model.config.get_project_name()
    return _firmware(
        name, f"model {name}", io_type == "io_stream", ports, "\n".join([*aliases, *lines]), typedefs,
        "\n".join(structs), weights,
    )  # fmt: skip


def _is_alias(node: Any) -> bool:
    from hls4ml.model.types import InplaceTensorVariable

    return all(isinstance(variable, InplaceTensorVariable) for variable in node.get_variables())


def parse(
    name: str,
    source: str,
    top: str,
    defines: str,
    parameters: str,
    weights: Callable[[str], npt.NDArray[np.float64]],
) -> Firmware:
    """The three generated texts.

    Raises:
        ConversionError: they are not hls4ml's.
    """
    code = generated.body(top, f"{source}: firmware/{name}.cpp")
    signature = re.search(rf"\b{re.escape(name)}\s*+\((?P<arguments>[^()]*+)\)\s*+{{", code)
    if signature is None:
        raise ConversionError(f"{source}: function {name} wanted in firmware/{name}.cpp, none found")
    defines = generated.header(defines, f"{source}: firmware/defines.h")
    parameters = generated.header(parameters, f"{source}: firmware/parameters.h")
    macros = {m["name"]: m["value"] for m in _DEFINE.finditer(defines)}

    def macro(key: str) -> int:
        return evaluate(macros[key], macro, f"{source}: macro {key}")

    arguments = signature["arguments"]
    ports = [Port(m["name"], m["type"].strip(), None) for m in _STREAM_PORT.finditer(arguments)]
    is_stream = bool(ports)
    if not is_stream:
        for m in _ARRAY_PORT.finditer(arguments):
            ports.append(Port(m["name"], m["type"], evaluate(m["size"], macro, f"{source}: size of {m['name']}")))
    known = generated.sizes(defines)
    typedefs = generated.typedefs(generated.with_sizes(defines, known))
    parameters = generated.with_sizes(parameters, known)
    return _firmware(name, source, is_stream, ports, code[signature.end() :], typedefs, parameters, weights)


def _firmware(
    name: str,
    source: str,
    is_stream: bool,
    ports: list[Port],
    body: str,
    typedefs: dict[str, str],
    parameters: str,
    weights: Callable[[str], npt.NDArray[np.float64]],
) -> Firmware:
    aliases: dict[str, str] = {}
    for m in _ALIAS.finditer(body):
        aliases[m["alias"]] = aliases.get(m["name"], m["name"])
    calls = []
    for m in _CALL.finditer(body):
        types = m["types"].rstrip()
        if m["function"].startswith("load_") or m["function"] == "save_layer_output" or not types.endswith(">"):
            continue
        arguments = tuple(aliases.get(part, part) for part in _parts(m["arguments"]))
        calls.append(Call(m["layer"] or m["function"], m["function"], _parts(types[:-1]), arguments))
    if len(calls) > generated.MAX_CALLS:
        raise ConversionError(f"{source}: at most {generated.MAX_CALLS} layers wanted, not {len(calls)}")
    if not calls or not ports:
        raise ConversionError(f"{source}: calls of layers in the C++ of hls4ml's Vivado or Vitis back end wanted")
    structs = {}
    for struct, text in generated.structs(parameters):
        types = generated.typedefs(text) | {t["name"]: t["type"] for t in _USING.finditer(text)}
        structs[struct] = Struct(struct, {c["name"]: c["value"] for c in _CONSTANT.finditer(text)}, types)
    for m in _MEMBER.finditer(parameters):
        if m["struct"] in structs:
            one = structs[m["struct"]]
            structs[m["struct"]] = Struct(
                one.name, {**one.constants, m["name"]: m["value"]}, {**one.types, f"{m['name']}_t": m["type"]}
            )
    lists = {
        m["name"]: tuple(
            int(v) if v.strip() == "0" else generated.integer(v, m["name"]) for v in m["values"].split(",") if v.strip()
        )
        for m in _LIST.finditer(parameters)
    }
    return Firmware(name, source, is_stream, tuple(ports), tuple(calls), structs, typedefs, lists, aliases, weights)


def _parts(text: str) -> tuple[str, ...]:
    """What stands between commas, `<...>` being one."""
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text + ","):
        depth += (letter == "<") - (letter == ">")
        if letter == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return tuple(part for part in parts if part)
