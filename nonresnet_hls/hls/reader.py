"""Goes through the calls of generated C++ and keeps what they say of tensors: types and sizes."""

from collections.abc import Callable, Mapping

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.fixed import tables
from nonresnet_hls.fixed.network import Layer, Network, Stream
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls.firmware import Call, Firmware, Struct, numbers


class Reader:
    """Goes through the calls; knows the type and the size of every tensor so far."""

    def __init__(self, firmware: Firmware) -> None:
        self.firmware = firmware
        self.layers: list[Layer] = []
        self.type_names: dict[str, str] = {port.name: port.type_name for port in firmware.ports}
        self.sizes: dict[str, int] = {port.name: port.size for port in firmware.ports if port.size is not None}

    def network(self, builders: "Mapping[str, Builder]") -> Network:
        """All of it; `builders` by function of the C++."""
        written: list[str] = []
        for call in self.firmware.calls:
            function = call.function
            builder = builders.get(function)
            if builder is None:
                raise ConversionError(f"layer {call.layer!r}: no exact arithmetic of nnet::{function} is known")
            before = len(self.layers)
            builder(self, call)
            written += [name for layer in self.layers[before:] for name in layer.outputs]
        ports = [port.name for port in self.firmware.ports]
        aliases = self.firmware.aliases
        outputs = tuple(aliases.get(name, name) for name in ports if aliases.get(name, name) in written)
        inputs = tuple(name for name in ports if aliases.get(name, name) not in written)
        twice = [name for name in ports if ports.count(name) > 1]
        if twice:
            raise ConversionError(f"{self.firmware.source}: {twice[0]}: one argument of that name wanted, not two")
        read = {name for layer in self.layers for name in layer.inputs}
        idle = [name for name in inputs if aliases.get(name, name) not in read]
        if idle and outputs:
            raise ConversionError(
                f"{self.firmware.source}: {idle[0]}: a layer that reads or writes it wanted, none found"
            )
        if not (inputs and outputs):
            which = "output" if inputs else "input"
            raise ConversionError(f"{self.firmware.source}: an {which} wanted among {', '.join(ports) or 'no ports'}")
        streams = {name: self._stream(name) for name in (*inputs, *written)}
        return Network(self.firmware.name, streams, tuple(self.layers), inputs, outputs)

    def _stream(self, name: str) -> Stream:
        if name not in self.sizes:
            raise ConversionError(f"{self.firmware.source}: tensor {name}: no layer tells its size")
        _, channels = self.firmware.resolved(self.type_names[name])
        size = self.sizes[name]
        if size % channels:
            raise ConversionError(f"{self.firmware.source}: tensor {name}: {size} numbers in words of {channels}")
        return Stream(name, channels, size // channels, self.kind_of(name), 1, name)

    def kind_of(self, name: str) -> FixedPointType:
        """The type of a tensor's numbers."""
        return self.firmware.kind(self.type_names[name], f"tensor {name}")

    def kind(self, call: Call, text: str, what: str) -> FixedPointType:
        """The type behind a C++ name, for one layer."""
        return self.firmware.kind(text, f"layer {call.layer!r}: {what}")

    def struct(self, call: Call, name: str) -> Struct:
        """A layer's constants; `config2::depthwise_config` is that member of them."""
        first, *rest = name.split("::")
        found = self.firmware.structs.get(first)
        for member in rest:
            found = self.firmware.structs.get(found.types.get(member, "")) if found else None
        if found is None:
            raise ConversionError(f"layer {call.layer!r}: constants {name} wanted in parameters.h, none found")
        return found

    def struct_type(self, call: Call, struct: Struct, member: str) -> FixedPointType:
        """The type that a layer's constants name."""
        if member not in struct.types:
            raise ConversionError(f"layer {call.layer!r}: type {member} wanted in {struct.name}, none found")
        return self.kind(call, struct.types[member], member)

    def weights(self, call: Call, array: str, kind: FixedPointType, count: int) -> list[int]:
        """The mantissas of a weight array; hls4ml writes decimal numbers and its C++ casts what it reads."""
        found = self.firmware.weights(array)
        if found.size != count:
            raise ConversionError(f"layer {call.layer!r}: {count} numbers wanted in {array}, got {found.size}")
        return list(tables.all_quantized(found.reshape(-1), kind))

    def number(self, call: Call, at: int) -> int:
        """How many numbers a tensor has, of which a template argument tells."""
        try:
            return numbers(call.layer, int(call.types[at][:20]))
        except (LookupError, ValueError):
            wanted = f"a number as template argument {at + 1}"
            raise ConversionError(f"layer {call.layer!r}: {wanted} of nnet::{call.function} wanted") from None

    def source(self, call: Call, at: int, size: int) -> str:
        """A tensor that a layer reads, which must have so many numbers."""
        name = call.arguments[at]
        if name not in self.type_names:
            raise ConversionError(f"layer {call.layer!r}: reads {name}, which no layer before it writes")
        known = self.sizes.setdefault(name, numbers(call.layer, size))
        if known != size:
            raise ConversionError(f"layer {call.layer!r}: {size} numbers wanted in {name}, which has {known}")
        return name

    def size_of(self, call: Call, at: int) -> int:
        """How many numbers a tensor has that a layer reads."""
        name = call.arguments[at]
        if name not in self.sizes:
            raise ConversionError(f"layer {call.layer!r}: the size of {name} is not known")
        return self.sizes[name]

    def target(self, call: Call, at: int, type_name: str, size: int) -> str:
        """A tensor that a layer writes."""
        name = call.arguments[at]
        self.type_names[name] = type_name
        known = self.sizes.setdefault(name, numbers(call.layer, size))
        if known != size:
            raise ConversionError(f"layer {call.layer!r}: {size} numbers for {name}, which has {known}")
        return name

    def same_words(self, call: Call, source: str, result: str) -> None:
        """Refuse a layer that takes the words of a stream for longer or shorter than they are.

        Raises:
            ConversionError: hls4ml's C++ would read or write beside them.
        """
        before = self.firmware.resolved(self.type_names[source])[1]
        after = self.firmware.resolved(result)[1]
        if self.firmware.is_stream and before != after:
            wanted = f"words of {after} numbers"
            raise ConversionError(
                f"layer {call.layer!r}: {wanted} wanted in a stream for nnet::{call.function}, not {before}"
            )

    def is_binary(self, type_name: str) -> bool:
        """Whether numbers are of `ap_uint<1>`."""
        return self.firmware.resolved(type_name)[0].replace(" ", "") == "ap_uint<1>"


Builder = Callable[[Reader, Call], None]
"""Adds the layers of one call."""


def product(call: Call, struct: Struct) -> str:
    """How a layer multiplies: the name of hls4ml's class."""
    found = struct.types.get("product")
    if found is None:
        raise ConversionError(f"layer {call.layer!r}: the kind of product wanted in {struct.name}, none found")
    return found
