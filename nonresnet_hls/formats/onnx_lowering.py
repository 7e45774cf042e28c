"""An ONNX or QONNX graph in the shape in which hls4ml's converter computes what it says.

Channels last, as hardware has them; weights and their quantizers as numbers on one grid; the type of every tensor of
which it is known, quantizers as the types of what they follow. What hls4ml would drop or take for something else is
refused by the name of the node, with what to write.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nonresnet_hls.errors import ModelError, shown
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.formats import onnx_files, onnx_rules
from nonresnet_hls.formats.onnx_values import (
    CHANNELS_LAST,
    MAX_BITS,
    QONNX,
    Data,
    Node,
    OtherOrderError,
    Range,
    range_of,
    rounded_to,
)


@dataclass(frozen=True)
class Lowered:
    """What hls4ml is given."""

    proto: Any
    """`onnx.ModelProto`."""
    precision: dict[str, dict[str, str]]
    """Types by layer and place."""
    results: dict[str, tuple[FixedPointType | None, tuple[int, ...]]]
    """Type and shape of each tensor of the graph, by name."""
    shape: tuple[int, ...]
    """Of the input in the file."""
    input_first: bool
    """Whether images go in with their channels first."""
    output_first: bool
    """Whether they come out so."""
    input_type: FixedPointType | None
    """Of a quantizer, if the input goes into one alone."""
    notes: tuple[str, ...]
    """What hardware has otherwise, a line each."""


def lower(model: Any, where: str) -> Lowered:
    """The graph of a model that `onnx_files.check` let pass.

    Raises:
        ModelError: a node that hls4ml has no layer for, or would take for another; names it.
    """
    try:
        return _Lowering(model, where, last=False).lowered()
    except OtherOrderError as error:
        try:  # a graph that was made channels last before
            return _Lowering(model, where, last=True).lowered()
        except OtherOrderError:
            raise ModelError(str(error)) from None


class _Lowering:
    """Goes over the nodes; `onnx_rules` say what becomes of each kind."""

    def __init__(self, model: Any, where: str, last: bool) -> None:
        self.graph, self.where, self.last = model.graph, where, last
        self.opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
        self.values: dict[str, Any] = {"": None}
        self.nodes: list[Node] = []
        self.taken: set[str] = set()
        self.uses = Counter(name for node in self.graph.node for name in node.input)
        self.uses.update(one.name for one in self.graph.output)
        self.node: Any = None
        self.source: Data | None = None
        self.input_type: FixedPointType | None = None
        self.notes: list[str] = []

    def lowered(self) -> Lowered:
        from onnx import numpy_helper

        for tensor in self.graph.initializer:
            self._give(tensor.name, numpy_helper.to_array(tensor))
        given = [one for one in self.graph.input if one.name not in self.values]
        if len(given) != 1 or len(self.graph.output) != 1:
            got = f"{len(given)} and {len(self.graph.output)}"
            raise ModelError(f"{self.where}: one input and one output wanted, not {got}")
        self.source = source = self._input(given[0])
        for node in self.graph.node:
            self.node = node
            self._lower()
        name = self.graph.output[0].name
        result = self.values.get(name)
        named = f"{self.where}: output {shown(name)}"
        if not isinstance(result, Data):
            raise ModelError(f"{named}: what is computed of the input wanted")
        result = self.settle(result)
        if not self.nodes or result.name == source.name:
            raise ModelError(f"{named}: a layer between input and output wanted, there is none")
        if result.flattened:
            raise ModelError(f"{named}: a dense layer behind the flatten wanted, or no flatten")
        return self._made(source, result)

    def _give(self, name: str, value: Any) -> None:
        import numpy as np

        if not name or name in self.values:
            raise ModelError(f"{self.where}: tensor {shown(name)}: a name of its own for each tensor wanted")
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ModelError(f"{self.where}: tensor {shown(name)}: finite numbers wanted")
        self.values[name] = value

    def _input(self, given: Any) -> Data:
        sizes = [size.dim_value for size in given.type.tensor_type.shape.dim]
        named = f"{self.where}: input {shown(given.name)}"
        fixed = len(sizes) in (2, 3, 4) and all(size > 0 for size in sizes[1:])
        if not fixed or math.prod(sizes[1:]) > onnx_files.MAX_NUMBERS:
            wanted = f"a batch of a fixed shape of 1 to 3 sizes, {onnx_files.MAX_NUMBERS} numbers at most,"
            raise ModelError(f"{named}: {wanted} wanted, not {shown(tuple(sizes))}")
        if sizes[0] not in (0, 1):
            raise ModelError(f"{named}: a batch of 1 or of any size wanted, not {sizes[0]}: export it so")
        data = Data(self.named(given.name), (1, *sizes[1:]), last=self.last and len(sizes) > 2)
        data.uses = self.uses[given.name]
        self._give(given.name, data)
        return data

    def named(self, name: str) -> str:
        """A name that C++ takes, and nobody else has."""
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:80] or "tensor"
        plain = plain if plain[0].isalpha() else f"n_{plain}"
        plain = f"{plain}_" if plain == "input" else plain  # hls4ml keeps it for itself
        count, found = 1, plain
        while found in self.taken:
            count += 1
            found = f"{plain}_{count}"
        self.taken.add(found)
        return found

    def refuse(self, text: str) -> ModelError:
        """An error that names the node at hand."""
        return ModelError(f"{self.where}: node {onnx_files.name_of(self.node)}: {text}")

    def _lower(self) -> None:
        node, kind = self.node, self.node.op_type
        for name in node.input:
            if name not in self.values:
                raise self.refuse(f"nodes in the order of their work wanted, {shown(name)} is not there yet")
        if not node.output or not node.output[0] or any(node.output[1:]):
            raise self.refuse(f"one output wanted, not {len(node.output)}")
        inputs = [self.values[name] for name in node.input]
        computed = any(isinstance(value, Data) for value in inputs)
        rule = (onnx_rules.RULES if computed else onnx_rules.FOLDED).get(kind)
        if rule is None:
            known = ", ".join(sorted(onnx_rules.RULES))
            what = "" if computed else " of numbers that are known"
            raise self.refuse(f"an operator that hls4ml has a layer for wanted ({known}), not {shown(kind)}{what}")
        try:
            value = rule(self, inputs)
        except (ValueError, IndexError, TypeError, OverflowError) as error:  # NumPy's, of what makes no sense together
            raise self.refuse(f"inputs and attributes that {kind} can have wanted: {error}") from None
        if not isinstance(value, Data) and value.size > onnx_files.MAX_NUMBERS:
            raise self.refuse(f"at most {onnx_files.MAX_NUMBERS} numbers wanted, not {value.size}")
        self._give(node.output[0], value)

    # What rules use

    def attribute(self, name: str, default: Any = None) -> Any:
        """Of the node at hand; lists as tuples."""
        from onnx import helper

        found = next((one for one in self.node.attribute if one.name == name), None)
        if found is None:
            return default
        value = helper.get_attribute_value(found)
        value = value.decode(errors="replace") if isinstance(value, bytes) else value
        return value if isinstance(value, int | float | str) or hasattr(value, "dims") else tuple(value)

    def known(self, value: Any, what: str) -> Any:
        """Numbers that are known."""
        if value is None or isinstance(value, Data):
            got = "none" if value is None else "computed ones"
            raise self.refuse(f"{what}: numbers that are known wanted, not {got}")
        return value

    def computed(self, value: Any) -> Data:
        """A tensor, with all applied to it."""
        if not isinstance(value, Data):
            raise self.refuse(f"a first input that is computed wanted, not {'none' if value is None else 'numbers'}")
        return self.settle(value)

    def emit(
        self,
        kind: str,
        sources: Sequence[Data],
        shape: Sequence[int],
        values: Range | None = None,
        flattened: tuple[int, ...] | None = None,
        pooled: bool = False,
        **options: Any,
    ) -> Data:
        """A node of the new graph, and what it gives."""
        if any(size < 1 for size in shape) or math.prod(shape) > onnx_files.MAX_NUMBERS:
            wanted = f"an output of 1 to {onnx_files.MAX_NUMBERS} numbers"
            raise self.refuse(f"{wanted} wanted, not {shown(tuple(shape))}")
        last = sources[0].last and len(shape) > 2
        data = Data("", tuple(shape), values, last, flattened, pooled, self.uses[self.node.output[0]])
        name = self.named(self.node.name or self.node.output[0])
        data.made_by = Node(kind, name, [one.name for one in sources], data.in_hardware, **options)
        data.name = data.made_by.output
        if values is not None:
            data.made_by.precision.setdefault("result", values.kind)
        self.nodes.append(data.made_by)
        return data

    def settle(self, data: Data) -> Data:
        """Apply what is still to be applied to a tensor: as a convolution's bias, or by a batch norm."""
        import numpy as np

        if data.affine is None or data.base is None:
            return data
        (scale, offset), base = data.affine, data.base
        data.affine = None
        maker, constants = base.made_by, range_of(offset)
        is_bias = maker is not None and maker.kind == "Conv" and not maker.is_quantized and base.uses == 1
        if is_bias and (scale == 1).all() and len(maker.constants) < 2:  # type: ignore[union-attr]
            assert maker is not None
            maker.constants.append(offset)
            data.range = None if base.range is None or constants is None else base.range.plus(constants)
            maker.precision = {}
            if data.range is not None:
                maker.precision = {"accum": data.range.kind, "result": data.range.kind}
            data.name, data.made_by = base.name, maker
            return data
        factors = range_of(scale)
        if base.range is not None and (factors is None or constants is None):
            # Of floating point as many bits as float32 has: a quantizer behind them will hardly see the difference.
            scale, offset = rounded_to(scale, MAX_BITS), rounded_to(offset, MAX_BITS)
            factors, constants = range_of(scale), range_of(offset)
            self.notes.append(
                f"node {shown(data.name)}: factors and summands are floating point: {MAX_BITS} bits are kept"
            )
        data.range = None
        precision: dict[str, FixedPointType] = {}
        if base.range is not None and factors is not None and constants is not None:
            data.range = base.range.times(factors).plus(constants)
            precision = {"scale": factors.kind, "bias": constants.kind, "result": data.range.kind}
        shape = data.in_hardware
        made = Node("BatchNormalization", data.name, [base.name], shape, CHANNELS_LAST if len(shape) > 2 else "")
        made.attributes = {"epsilon": 0.0}
        made.constants = [scale, offset, np.zeros_like(scale), np.ones_like(scale)]
        made.precision = precision
        self.nodes.append(made)
        data.name, data.made_by = made.output, made
        return data

    def _made(self, source: Data, result: Data) -> Lowered:
        from onnx import TensorProto, helper

        writer = _Writer()
        for one in self.nodes:
            writer.add(one)
        # hls4ml looks for the layers of the graph from its end.
        nodes = [*(one for one in writer.nodes if one.output[0] != result.name)]
        nodes += [one for one in writer.nodes if one.output[0] == result.name]
        ends = [helper.make_tensor_value_info(one.name, TensorProto.FLOAT, one.in_hardware) for one in (source, result)]
        graph = helper.make_graph(nodes, "lowered", ends[:1], ends[1:], writer.constants, value_info=writer.infos)
        precision = {
            one.name: {key: str(kind) for key, kind in one.precision.items()} for one in self.nodes if one.precision
        }
        if self.input_type is not None:
            precision[source.name] = {"result": str(self.input_type)}
        return Lowered(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]),
            precision,
            {one.output: (one.precision.get("result"), one.shape[1:]) for one in self.nodes},
            source.shape,
            source.is_image and not source.last,
            result.is_image and not result.last and not result.pooled,
            self.input_type,
            tuple(self.notes),
        )


class _Writer:
    """Nodes as ONNX has them."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.infos: list[Any] = []

    def add(self, one: Node) -> None:
        from onnx import TensorProto, helper

        inputs, attributes = list(one.inputs), dict(one.attributes)
        for number, values in enumerate(one.constants):
            inputs.append(self._constant(f"{one.name}_c{number}", values, one.kind in ("Conv", "MatMul")))
        image = attributes.pop("image", None)
        if image is not None:
            # hls4ml reads the sizes of what a global pool is given channels first, wherever the channels are.
            self.nodes.append(helper.make_node("Identity", inputs, [f"{one.name}_in"], name=f"{one.name}_before"))
            inputs = [f"{one.name}_in"]
            self.infos.append(helper.make_tensor_value_info(inputs[0], TensorProto.FLOAT, image))
        self.nodes.append(
            helper.make_node(one.kind, inputs, [one.output], name=one.name, domain=one.domain, **attributes)
        )
        self.infos.append(helper.make_tensor_value_info(one.output, TensorProto.FLOAT, one.shape))

    def _constant(self, key: str, values: Any, quantized: bool) -> str:
        """Numbers, with a quantizer that tells hls4ml their type where they have one."""
        import numpy as np
        from onnx import TensorProto, helper

        self._array(key, values)
        found = range_of(values) if quantized else None
        if found is None:
            return key
        name, kind = f"{key}_on_grid", found.kind
        if (np.abs(values) == 1).all() and np.ndim(values) > 1:
            inputs = [key, self._array(f"{key}_scale", [1.0])]
            self.nodes.append(helper.make_node("BipolarQuant", inputs, [name], name=f"{key}_quant", domain=QONNX))
        else:
            inputs = [key, self._array(f"{key}_scale", [float(kind.lsb)])]
            inputs += [self._array(f"{key}_zero", [0.0]), self._array(f"{key}_bits", [float(kind.width)])]
            options: dict[str, Any] = {"signed": int(kind.signed), "narrow": 0, "rounding_mode": "ROUND"}
            self.nodes.append(helper.make_node("Quant", inputs, [name], name=f"{key}_quant", domain=QONNX, **options))
        self.infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, np.shape(values)))
        return name

    def _array(self, key: str, values: Any) -> str:
        import numpy as np
        from onnx import TensorProto, helper, numpy_helper

        array = np.asarray(values, np.float32)
        self.constants.append(numpy_helper.from_array(array, key))
        self.infos.append(helper.make_tensor_value_info(key, TensorProto.FLOAT, array.shape))
        return key
