"""The emulator: a network's exact outputs for any number of samples."""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from nonresnet_hls.emulation import tensorflow_kernels
from nonresnet_hls.emulation.integers import evaluate
from nonresnet_hls.emulation.lowering import Group, groups
from nonresnet_hls.emulation.plan import Arithmetic, plan
from nonresnet_hls.errors import NonResNetError
from nonresnet_hls.fixed.network import Network, Stream

FloatArray = npt.NDArray[np.float64]

_BATCH = 64
# Of the largest array of windows, samples x positions x rows, in numbers.
_LARGEST = 1 << 23


class EmulationError(NonResNetError):
    """Inputs that a network cannot take."""


@dataclass(frozen=True)
class LayerProof:
    """What was proved of one layer, and what follows."""

    layer: str
    kind: str
    bits: int
    """That its greatest number needs, were all numbers in it counted in the finest unit."""
    arithmetic: Arithmetic


@dataclass(frozen=True)
class _Segment:
    """Groups that run one after the other in one arithmetic."""

    groups: tuple[Group, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    run: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None
    """The fast form; None: in integers."""


class Emulator:
    """Evaluates a network exactly as the hardware does, every cast, wrap-around and saturation included.

    Layers whose numbers are proved to fit run in float32 or float64 on TensorFlow's kernels, where TensorFlow is
    installed; all others, and without it, in integers.
    """

    def __init__(self, network: Any, fast: bool = True) -> None:
        """Prove the ranges of a network, and prepare it.

        Args:
            network: a `fixed.network.Network`, or an hls4ml `ModelGraph`.
            fast: use floating-point kernels where they are proved exact.

        Raises:
            ConversionError: a layer or type is not known; names the layer.
        """
        if not isinstance(network, Network):
            # A ModelGraph; the room that knows hls4ml reads it, so that this one runs where there is no hls4ml.
            network = importlib.import_module("nonresnet_hls.hls.network").of_graph(network)
        self.network: Network = network
        self._groups = groups(self.network, plan(self.network))
        self._fast = fast and tensorflow_kernels.available()
        self._segments = tuple(self._divided())

    def __repr__(self) -> str:
        return f"<Emulator of {self.network.name}: {len(self.proof)} layers, {self.kernels}>"

    @property
    def kernels(self) -> str:
        """Whose kernels evaluate the network: TensorFlow's with its version, or NumPy's."""
        if any(segment.run is not None for segment in self._segments):
            return f"kernels of TensorFlow {tensorflow_kernels.version()}"
        return "kernels of NumPy, in integers"

    @property
    def proof(self) -> tuple[LayerProof, ...]:
        """A row a layer: the bits that it needs, and the arithmetic that it is evaluated in."""
        return tuple(
            LayerProof(
                step.layer.name,
                type(step.layer).__name__,
                step.bits,
                group.arithmetic if self._fast else Arithmetic.INTEGERS,
            )
            for group in self._groups
            for step in group.steps
        )

    def __call__(self, inputs: Any) -> Any:
        """Outputs, float64, samples x shape of the output's words and channels, in order; a list for several.

        Args:
            inputs: samples x shape; for several inputs a list of such arrays in the network's order. Numbers between
                those of the input's type are converted as the type does, as the C simulation would.

        Raises:
            EmulationError: an input has another size, or numbers that are not finite or outside of its type.
        """
        given = self._given(inputs)
        found: list[list[FloatArray]] = []
        count = len(given[0])
        for start in range(0, count, _BATCH):
            batch = [x[start : start + _BATCH] for x in given]
            found.append(self._run(batch, start))
        results = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        return results if len(results) > 1 else results[0]

    def _given(self, inputs: Any) -> list[Any]:
        names = self.network.inputs
        given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if len(given) != len(names):
            raise EmulationError(f"network {self.network.name}: {len(names)} inputs wanted, not {len(given)}")
        arrays = [np.asarray(x) for x in given]
        for name, x in zip(names, arrays, strict=True):
            stream = self.network.streams[name]
            size = stream.words * stream.channels
            # Of a stream it is known what stands side by side: other orders of the axes would be other images. (Of an
            # array it is not, nor does it matter of one channel.)
            other_order = x.ndim > 2 and stream.words > 1 < stream.channels != x.shape[-1]
            fits = x.ndim >= 1 and len(x) and int(np.prod(x.shape[1:])) == size and not other_order
            if x.dtype.kind not in "fiub" or not fits:
                wanted = f"samples of {size} numbers ({stream.words} x {stream.channels})"
                raise EmulationError(f"input {name}: {wanted} wanted, not an array {x.shape} of {x.dtype}")
            if len(x) != len(arrays[0]):
                raise EmulationError(f"input {name}: {len(arrays[0])} samples wanted as in {names[0]}, not {len(x)}")
        return arrays

    def _run(self, batch: list[Any], start: int) -> list[FloatArray]:
        values: dict[str, Any] = {}
        for name, x in zip(self.network.inputs, batch, strict=True):
            values[name] = _mantissas(self.network.streams[name], x, start)
        for segment in self._segments:
            if segment.run is not None:
                values.update(segment.run(values))
            else:
                for group in segment.groups:
                    self._in_integers(group, values)
        return [_numbers(self.network.streams[name], values[name]) for name in self.network.outputs]

    def _in_integers(self, group: Group, values: dict[str, Any]) -> None:
        for step in group.steps:
            dtype: Any = np.int64 if step.bits <= Arithmetic.INTEGERS.bits else object
            given = [_as(values[name], dtype) for name in step.layer.inputs]
            count, size = len(given[0]), _window_numbers(step.layer)
            portion = max(1, _LARGEST // size)
            parts = [
                evaluate(step.layer, [x[at : at + portion] for x in given], step.inputs, step.sums, step.bits)
                for at in range(0, count, portion)
            ]
            values.update(dict.fromkeys(step.layer.outputs, parts[0] if len(parts) == 1 else np.concatenate(parts)))

    def _divided(self) -> Iterator[_Segment]:
        """The groups in runs that one graph can hold."""
        runs: list[list[Group]] = []
        for group in self._groups:
            fast = self._fast and group.arithmetic is not Arithmetic.INTEGERS
            if runs and self._is_fast(runs[-1][0]) == fast:
                runs[-1].append(group)
            else:
                runs.append([group])
        for index, run in enumerate(runs):
            written = {name for group in run for name in group.outputs}
            read = [name for group in run for name in group.head.layer.inputs]
            inputs = tuple(dict.fromkeys(name for name in read if name not in written))
            later = {n for other in runs[index + 1 :] for group in other for n in group.head.layer.inputs}
            wanted = tuple(n for n in dict.fromkeys(written) if n in later or n in self.network.outputs)
            fast = self._is_fast(run[0])
            built = tensorflow_kernels.build(self.network, run, inputs, wanted) if fast else None
            yield _Segment(tuple(run), inputs, wanted, built)

    def _is_fast(self, group: Group) -> bool:
        return self._fast and group.arithmetic is not Arithmetic.INTEGERS


def _window_numbers(layer: Any) -> int:
    """Numbers that a sample takes where a layer spreads out its windows."""
    window, kernel = getattr(layer, "window", None), getattr(layer, "kernel", None)
    if kernel is not None:
        positions = window.positions if window is not None else 1
        return int(positions * (kernel.shape[0] + kernel.shape[1]))
    if window is not None:
        return int(window.positions * window.kernel_height * window.kernel_width * max(1, layer.channels))
    return 1


def _as(values: Any, dtype: Any) -> Any:
    if values.dtype.kind == "f" and dtype is object:
        values = values.astype(np.int64)
    return values if values.dtype == dtype else values.astype(dtype)


def _mantissas(stream: Stream, x: Any, start: int) -> Any:
    """The whole numbers that stand for a batch; numbers between those of the type as the type converts them."""
    kind = stream.kind
    values = x.reshape(len(x), -1)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        sample = int(np.argwhere(~np.isfinite(values))[0, 0])
        raise EmulationError(f"input {stream.name}: finite numbers wanted, sample {start + sample} has others")
    low, high = float(kind.min), float(kind.max)
    outside = (values < low) | (values >= high + float(kind.lsb))
    if outside.any():
        sample, number = (int(one) for one in np.argwhere(outside)[0])
        got = f"sample {start + sample} has {values[sample, number]}"  # no !r, of which NumPy 2 makes np.float64(...)
        raise EmulationError(f"input {stream.name}: numbers of {kind} ({low} to {high}) wanted, {got}")
    if kind.width <= 53:
        values = values.astype(np.float64)
        scaled = np.ldexp(values, kind.fraction_bits)
        whole = np.rint(scaled)
        if (whole != scaled).any() or (whole > kind.max_mantissa).any() or (whole < kind.min_stored).any():
            whole = np.ldexp(kind.quantize_array(values), kind.fraction_bits)
        return whole.astype(np.float32) if kind.width <= Arithmetic.FLOAT32.bits else whole.astype(np.int64)
    flat = [int(kind.quantize(Fraction(float(one))) / kind.lsb) for one in values.ravel()]
    return np.array(flat, dtype=object).reshape(values.shape)


def _numbers(stream: Stream, values: Any) -> FloatArray:
    fraction = stream.kind.fraction_bits
    if values.dtype == object:
        flat = [float(Fraction(int(one)) * stream.kind.lsb) for one in values.ravel()]
        return np.array(flat, dtype=np.float64).reshape(values.shape)
    found: FloatArray = np.ldexp(values.astype(np.float64), -fraction) + 0.0
    return found


def as_sequence(found: Any) -> Sequence[FloatArray]:
    """The outputs of an emulator as a sequence, be it one or several."""
    return found if isinstance(found, list) else [found]
