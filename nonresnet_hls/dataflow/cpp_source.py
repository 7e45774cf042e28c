"""Reads the C++ that hls4ml generates for an io_stream design: its streams, layer calls and layer constants.

The generated text is the one source that every hls4ml 1.x leaves behind, from a `ModelGraph` as well as in a
project directory, and it is exactly what will be synthesized. Three files hold all of it:

    firmware/<top>.cpp      streams with their depth pragmas, one function call per layer
    firmware/defines.h      the token type of every stream
    firmware/parameters.h   one struct of compile-time constants per layer
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nonresnet_hls import generated
from nonresnet_hls.errors import ConversionError, shown
from nonresnet_hls.fixed.types import MAX_WIDTH

# hls::stream<layer4_t> layer4_out("layer4_out");
_STREAM = re.compile(r'hls::stream\s*+<(?P<type>[^>]{1,1000}+)>\s++(?P<name>\w++)\s*+(?:\("[^"]{0,1000}+"\)\s*+)?;')
# hls::stream<input_t> &input_1
_PORT = re.compile(r"hls::stream\s*+<(?P<type>[^>]{1,1000}+)>\s*+&\s*+(?P<name>\w++)")
# #pragma HLS STREAM variable=layer4_out depth=1024
_DEPTH = re.compile(
    r"#pragma\s++HLS\s++STREAM\s++variable\s*+=\s*+(?P<name>\w++)\s++depth\s*+=\s*+(?P<depth>\d++)", re.I
)
# auto& layer20_out = layer29_cpy2;
_ALIAS = re.compile(r"\bauto\s*+&\s*+(?P<alias>\w++)\s*+=\s*+(?P<name>\w++)\s*+;")
# nnet::relu<layer2_t, layer4_t, relu_config4>(layer2_out, layer4_out); // q_activation
_CALL = re.compile(
    r"nnet::(?P<function>\w++)\s*+<(?P<types>[^;()]{0,2000}+)\((?P<arguments>[^;()]{0,4000}+)\)\s*+;"
    r"[ \t]*+(?://[ \t]*+(?P<layer>\S++))?"
)
_TYPE_STRUCT = re.compile(r"\btypedef\s++struct\s++(?P<name>\w++)\s*+\{(?P<members>[^}]{0,4000}+)\}\s*+(?P=name)\s*+;")
# typedef nnet::array<ap_fixed<16,6>, 3*1> input_t;
_ARRAY = re.compile(r"nnet::array\s*<\s*(?P<element>.+)\s*,\s*(?P<size>[\d\s*]+)>$", re.DOTALL)
_ELEMENT = re.compile(r"(?:ap_|ac_|hls::)?(?P<kind>u?fixed|u?int|fixed_point)\s*<\s*(?P<width>\d+)\s*[,>]")
_MORE_THAN_CUT = re.compile(r"\bAP_(?:RND\w*|SAT\w*)")
_NATIVE_BITS = {"float": 32, "double": 64, "half": 16, "bool": 1, "char": 8, "short": 16, "int": 32}
# static const unsigned in_height = 34;
_CONSTANT = re.compile(
    r"\bstatic\s++(?:const|constexpr)\s++[\w:]++\s++(?P<name>\w++)\s*+=\s*+(?P<value>[^;]{1,4000}+);"
)
# using kernel = nnet::DenseResource_rf_leq_nin<data_T, res_T, CONFIG_T>;
_KERNEL = re.compile(r"\busing\s++(?P<name>kernel)\s*+=\s*+nnet::(?P<type>\w++)")

_OPERATORS: Mapping[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
    ast.Mod: operator.mod,
}
_MACROS: Mapping[str, Callable[..., int]] = {"DIV_ROUNDUP": lambda n, d: -(-n // d), "MIN": min, "MAX": max}


@dataclass(frozen=True)
class TokenType:
    """What one token of a stream carries: `elements` values of `element_bits` bits each."""

    elements: int
    element_bits: int

    @property
    def bits(self) -> int:
        """Bits of one token when its values are packed side by side."""
        return self.elements * self.element_bits


@dataclass(frozen=True)
class StreamDeclaration:
    """One `hls::stream` of the top function; `depth` is None where no pragma sets one (tool default 2)."""

    name: str
    type_name: str
    depth: int | None


@dataclass(frozen=True)
class LayerCall:
    """One `nnet::` call of the top function.

    `layer` is the layer's name as hls4ml comments it; `types` and `arguments` are the C++ template arguments
    and arguments in order.
    """

    layer: str
    function: str
    types: tuple[str, ...]
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Statement:
    """A call as it stands at `start:end` of the C++ text, and the processes it makes (one, or two)."""

    start: int
    end: int
    calls: tuple[LayerCall, ...]


@dataclass(frozen=True)
class Config:
    """The compile-time constants of one layer: `static const` members as text, nested types by name."""

    name: str
    constants: Mapping[str, str]
    types: Mapping[str, str]

    def integer(self, key: str, default: int | None = None) -> int:
        """The value of constant `key`.

        Raises:
            ConversionError: the constant is missing (and there is no default) or not an integer expression.
        """
        if key not in self.constants:
            if default is None:
                raise ConversionError(f"struct {self.name} in parameters.h: constant {key!r} wanted, none found")
            return default
        text = self.constants[key]
        try:
            value = self._evaluate(ast.parse(" ".join(text.split()), mode="eval").body)
        except (SyntaxError, LookupError, TypeError, ArithmeticError, ValueError, RecursionError, MemoryError):
            where = f"struct {self.name} in parameters.h"
            raise ConversionError(f"{where}: {key} should be an integer expression, not {shown(text)}") from None
        if abs(value) > generated.MOST:
            where = f"struct {self.name} in parameters.h"
            raise ConversionError(f"{where}: {key}: at most {generated.MOST} wanted, not {shown(value)}")
        return value

    def symbol(self, key: str, default: str = "") -> str:
        """The last name of an enumerator, as `latency` of `nnet::latency`."""
        return self.constants.get(key, default).rsplit("::", 1)[-1].strip()

    def _evaluate(self, node: ast.expr) -> int:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return int(node.value)
        if isinstance(node, ast.Name):
            return {"true": 1, "false": 0}[node.id] if node.id in ("true", "false") else self.integer(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._evaluate(node.operand)
        if isinstance(node, ast.BinOp):
            return _OPERATORS[type(node.op)](self._evaluate(node.left), self._evaluate(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return _MACROS[node.func.id](*map(self._evaluate, node.args))
        raise ValueError(ast.dump(node))


@dataclass(frozen=True)
class CppSource:
    """The streams, calls and constants of one generated design.

    Attributes:
        top: name of the top function.
        ports: its stream arguments.
        streams: the streams that it declares.
        inner_streams: streams inside a layer function that is a dataflow region of its own.
        statements: its layer calls, in order.
        token_types: type name of a stream -> what a token carries.
        type_texts: type name -> its C++.
        configs: struct name -> constants.
        other_arguments: how many arguments of the top function are no streams (weights in external memory).
        namespace: that the top function is in, "" for none.
        text: of the file of the top function.
    """

    top: str
    ports: tuple[StreamDeclaration, ...]
    streams: tuple[StreamDeclaration, ...]
    inner_streams: tuple[StreamDeclaration, ...]
    statements: tuple[Statement, ...]
    token_types: Mapping[str, TokenType]
    type_texts: Mapping[str, str]
    configs: Mapping[str, Config]
    other_arguments: int
    namespace: str
    text: str = field(repr=False)

    @property
    def calls(self) -> tuple[LayerCall, ...]:
        """All layer calls, a separable convolution as two."""
        return tuple(call for statement in self.statements for call in statement.calls)

    @property
    def declarations(self) -> dict[str, StreamDeclaration]:
        """Every stream by name."""
        return {stream.name: stream for stream in (*self.ports, *self.streams, *self.inner_streams)}

    def bits_of(self, type_name: str) -> int:
        """Bits of a scalar type named in defines.h, such as a `weight2_t`."""
        return scalar_bits(generated.resolved(type_name, self.type_texts))

    def rounds(self, type_name: str) -> bool:
        """Whether values become a stream's type by more than cutting bits off: rounded, or saturated."""
        text = generated.resolved(type_name, self.type_texts)
        array = _ARRAY.match(text)
        element = text if array is None else generated.resolved(array["element"].strip(), self.type_texts)
        return _MORE_THAN_CUT.search(element) is not None


def read_firmware(firmware: Path, top: str) -> CppSource:
    """Read `firmware/{top}.cpp`, `defines.h` and `parameters.h`.

    Raises:
        ConversionError: a file is missing or unreadable, or the design is not one of io_stream.
    """
    return parse_source(top, *(generated.read(firmware / name) for name in (f"{top}.cpp", "defines.h", "parameters.h")))


def parse_source(top: str, cpp: str, defines: str, parameters: str) -> CppSource:
    """Parse the three generated texts; see `read_firmware`."""
    code = generated.body(cpp, f"{top}.cpp")
    signature = re.search(rf"\b{re.escape(top)}\s*+\((?P<arguments>[^()]*+)\)\s*+{{", code)
    arguments = signature["arguments"] if signature else ""
    ports = tuple(StreamDeclaration(m["name"], m["type"].strip(), None) for m in _PORT.finditer(arguments))
    if not ports:
        raise ConversionError(f"{top}.cpp: hls::stream arguments wanted (io_stream), none found")
    namespace = re.search(r"\bnamespace\s++(\w++)\s*+{", code)
    depths = {m["name"]: generated.integer(m["depth"], f"depth of stream {m['name']}") for m in _DEPTH.finditer(code)}
    streams = tuple(
        StreamDeclaration(m["name"], m["type"].strip(), depths.get(m["name"])) for m in _STREAM.finditer(code)
    )
    defines = generated.header(defines, "defines.h")
    known = generated.sizes(defines)
    defines = generated.with_sizes(defines, known)
    type_texts = generated.typedefs(defines)
    # Weights that are powers of two, or compressed: a struct of several numbers.
    for m in _TYPE_STRUCT.finditer(defines):
        members = [" ".join(member.rsplit(None, 1)[0].split()) for member in m["members"].split(";") if member.strip()]
        type_texts[m["name"]] = f"ap_uint<{sum(scalar_bits(member) for member in members)}>"
    needed = {port.type_name for port in ports} | {stream.type_name for stream in streams}
    token_types = {name: _token_type(name, type_texts) for name in sorted(needed)}
    names = {declaration.name for declaration in (*ports, *streams)}
    aliases: dict[str, str] = {}
    for m in _ALIAS.finditer(code):
        aliases[m["alias"]] = aliases.get(m["name"], m["name"])
    statements = tuple(
        Statement(m.start(), m.end(), _split(call))
        for m in _calls(code, top)
        # Tracing reads a stream and fills it again, which is no process of the design.
        if names & set((call := _layer_call(m, aliases)).arguments) and call.function != "save_layer_output"
    )
    inner = [c for statement in statements if len(statement.calls) > 1 for c in statement.calls[:1]]
    token_types.update({call.types[1]: _token_type(call.types[1], type_texts) for call in inner})
    return CppSource(
        top=top,
        ports=ports,
        streams=streams,
        inner_streams=tuple(StreamDeclaration(call.arguments[1], call.types[1], None) for call in inner),
        statements=statements,
        token_types=token_types,
        type_texts=type_texts,
        configs=_configs(generated.with_sizes(generated.header(parameters, "parameters.h"), known)),
        other_arguments=len(arguments.split(",")) - len(ports),
        namespace=namespace[1] if namespace else "",
        text=cpp,
    )


def _calls(code: str, top: str) -> list[re.Match[str]]:
    found = [m for m in _CALL.finditer(code) if m["types"].rstrip().endswith(">")]
    if len(found) > generated.MAX_CALLS:
        raise ConversionError(f"{top}.cpp: at most {generated.MAX_CALLS} layers wanted, not {len(found)}")
    return found


def scalar_bits(text: str) -> int:
    """Width in bits of a C++ scalar type.

    >>> scalar_bits("ap_ufixed<8,2,AP_RND_CONV,AP_SAT,0>")
    8

    Raises:
        ConversionError: the type is not one that hls4ml writes.
    """
    if text in _NATIVE_BITS:
        return _NATIVE_BITS[text]
    found = _ELEMENT.match(text)
    if found is None:
        raise ConversionError(f"defines.h: ap_fixed, ap_int or a native type wanted, not {shown(text)}")
    return generated.integer(found["width"], f"width of {shown(text)}", MAX_WIDTH)


def _token_type(name: str, type_texts: Mapping[str, str]) -> TokenType:
    text = generated.resolved(name, type_texts)
    array = _ARRAY.match(text)
    if array is None:
        return TokenType(1, scalar_bits(text))
    size = 1
    for factor in array["size"].split("*"):
        size = generated.integer(str(size * generated.integer(factor, f"elements of {name}")), f"elements of {name}")
    return TokenType(size, scalar_bits(generated.resolved(array["element"].strip(), type_texts)))


def _layer_call(match: re.Match[str], aliases: Mapping[str, str]) -> LayerCall:
    def parts(text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())

    arguments = tuple(aliases.get(name, name) for name in parts(match["arguments"]))
    types = parts(match["types"].rstrip()[:-1])
    return LayerCall(match["layer"] or match["function"], match["function"], types, arguments)


def _split(call: LayerCall) -> tuple[LayerCall, ...]:
    """A separable convolution is a dataflow region of its own: two processes with a stream between them."""
    found = re.fullmatch(r"separable_conv_(?P<dims>[12])d_cl", call.function)
    if found is None:
        return (call,)
    source, sink, depthwise, pointwise, depthwise_bias, pointwise_bias = call.arguments
    data, middle, result, config = call.types
    inner = f"{call.layer}_depthwise_res"
    return (
        LayerCall(
            f"{call.layer}.depthwise",
            f"depthwise_conv_{found['dims']}d_cl",
            (data, middle, f"{config}::depthwise_config"),
            (source, inner, depthwise, depthwise_bias),
        ),
        LayerCall(
            f"{call.layer}.pointwise",
            f"pointwise_conv_{found['dims']}d_cl",
            (middle, result, f"{config}::pointwise_config"),
            (inner, sink, pointwise, pointwise_bias),
        ),
    )


def _configs(parameters: str) -> dict[str, Config]:
    configs = {}
    for name, body in generated.structs(parameters):
        types = generated.typedefs(body)
        types.update({m["name"]: m["type"] for m in _KERNEL.finditer(body)})
        constants = {m["name"]: m["value"].strip() for m in _CONSTANT.finditer(body)}
        configs[name] = Config(name, constants, types)
    return configs
