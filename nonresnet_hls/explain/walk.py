"""Both graphs walked side by side: every layer of the hardware beside Keras', on samples, with its reasons."""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from nonresnet_hls.errors import ModelError
from nonresnet_hls.explain import fitting
from nonresnet_hls.explain.findings import Cause, Change, Difference, Histogram, LayerReport, Reason, in_binary
from nonresnet_hls.explain.meaning import Meaning
from nonresnet_hls.explain.pairing import Pair, Pairing
from nonresnet_hls.explain.probes import Probed, Values
from nonresnet_hls.explain.reasons import changes, folded, outside
from nonresnet_hls.fixed.network import Network
from nonresnet_hls.fixed.types import FixedPointType, Overflow

_BATCH = 16
_WORST = 5
_MORE_BITS = 4

Inputs = Sequence[Any]
"""(samples, *input shape) for each input of a network."""


def taken_in(network: Network, inputs: Inputs) -> list[Any]:
    """Inputs as the hardware's types take them, overflow and all: (samples, numbers) float64.

    Raises:
        ModelError: an input has another size, or numbers that are not finite.
    """
    found = []
    if len(inputs) != len(network.inputs):
        raise ModelError(f"{len(network.inputs)} inputs wanted, not {len(inputs)}")
    for name, given in zip(network.inputs, inputs, strict=True):
        stream, values = network.streams[name], np.asarray(given, np.float64)
        size = stream.words * stream.channels
        if int(np.prod(values.shape[1:])) != size:
            raise ModelError(f"input {name}: samples of {size} numbers wanted, not of shape {values.shape[1:]}")
        if not np.isfinite(values).all():
            sample = int(np.argwhere(~np.isfinite(values.reshape(len(values), -1)))[0, 0])
            raise ModelError(f"input {name}: finite numbers wanted, sample {sample} has others")
        found.append(fitting.cast(values.reshape(len(values), -1), stream.kind))
    return found


@dataclass
class _Tally:
    """What is summed up of a layer, batch by batch."""

    values: int = 0
    different: int = 0
    made_here: int = 0
    largest_error: float = 0.0
    largest_made_here: float = 0.0
    energy: float = 0.0
    lost: float = 0.0
    causes: dict[tuple[Reason, str], list[float]] = field(default_factory=dict)
    worst: list[tuple[float, int, int, float, float]] = field(default_factory=list)
    powers: Counter[int] = field(default_factory=Counter)
    zeros: int = 0
    least: float = np.inf
    greatest: float = -np.inf

    def see(self, wanted: Any, ideal: Any, own: Any, first: int) -> None:
        """Keras' numbers, Keras' of the hardware's inputs, the hardware's."""
        error, made = np.abs(own - wanted), np.abs(own - ideal)
        self.values += own.size
        self.different += int((error > 0).sum())
        self.made_here += int((made > 0).sum())
        self.largest_error = max(self.largest_error, float(error.max(initial=0.0)))
        self.largest_made_here = max(self.largest_made_here, float(made.max(initial=0.0)))
        self.energy += float(np.square(wanted).sum())
        self.lost += float(np.square(made).sum())
        self.least, self.greatest = min(self.least, float(wanted.min())), max(self.greatest, float(wanted.max()))
        nonzero = wanted[wanted != 0]
        self.zeros += wanted.size - nonzero.size
        powers, counts = np.unique(np.frexp(nonzero)[1] - 1, return_counts=True)
        self.powers.update(dict(zip(powers.tolist(), counts.tolist(), strict=True)))
        flat = made.ravel()
        for at in np.argsort(flat)[::-1][:_WORST]:
            if flat[at] > 0:
                sample, number = divmod(int(at), own.shape[1])
                got = float(own[sample, number])
                self.worst.append((float(flat[at]), first + sample, number, float(ideal[sample, number]), got))
        self.worst = sorted(self.worst, key=lambda one: -one[0])[:_WORST]

    def blame(self, change: Change) -> None:
        """One of its reasons."""
        entry = self.causes.setdefault((change.reason, change.told), [0, 0.0, 0.0])
        error = np.abs(change.error)
        entry[0] += int((error > 0).sum())
        entry[1] = max(entry[1], float(error.max(initial=0.0)))
        entry[2] += float(np.square(error).sum())

    def report(self, name: str, kind: FixedPointType, keras: str, shape: tuple[int, ...]) -> LayerReport:
        """All of it."""
        causes = [
            Cause(reason, int(n), most, energy, told) for (reason, told), (n, most, energy) in self.causes.items()
        ]
        histogram = Histogram(kind, dict(sorted(self.powers.items())), self.zeros, self.least, self.greatest)
        return LayerReport(
            layer=name,
            kind=kind,
            keras=keras,
            values=self.values,
            different=self.different,
            made_here=self.made_here,
            largest_error=self.largest_error,
            largest_made_here=self.largest_made_here,
            loss=self.lost / self.energy if self.energy else float(self.lost > 0),
            causes=tuple(sorted(causes, key=lambda one: -one.energy)) if self.made_here else (),
            worst=tuple(_difference(one, shape, kind) for one in self.worst),
            histogram=histogram if self.values else None,
        )


def _difference(one: tuple[float, int, int, float, float], shape: tuple[int, ...], kind: FixedPointType) -> Difference:
    _, sample, number, wanted, got = one
    index = tuple(int(i) for i in np.unravel_index(number, shape))
    finer = dataclasses.replace(kind, width=kind.width + _MORE_BITS)  # so many more behind the point
    low, high = sorted((_mantissa(wanted, finer), 0))
    needed = FixedPointType.covering(low, high, Fraction(1))
    shown = dataclasses.replace(needed, integer_bits=needed.width - finer.fraction_bits)
    return Difference(
        sample,
        index,
        wanted,
        got,
        in_binary(round(got / float(kind.lsb)), kind),
        in_binary(_mantissa(wanted, finer), shown),
    )


def _mantissa(value: float, kind: FixedPointType) -> int:
    return round(math.ldexp(value, kind.fraction_bits))


@dataclass(frozen=True, eq=False)
class Walk:
    """What was found on some samples."""

    layers: tuple[LayerReport, ...]
    outputs: tuple[Any, ...]
    """Of the hardware, (samples, numbers) for each output."""
    wanted: tuple[Any, ...]
    """Keras' in float64."""


def walk(
    network: Network, pairing: Pairing, meaning: Meaning, inputs: Inputs, look: Callable[[int], None] = lambda _: None
) -> Walk:
    """Walk both graphs on samples.

    Args:
        network: the hardware.
        pairing: its layers beside the model's.
        meaning: of the model.
        inputs: for each input of the network.
        look: is told how many samples are done.

    Raises:
        ModelError: inputs that the network cannot take.
        ConversionError: a layer that the emulator does not know.
    """
    probed = Probed(network)
    given = taken_in(network, inputs)
    tallies: dict[str, _Tally] = {name: _Tally() for name in network.inputs}
    tallies |= {pair.layer.name: _Tally() for pair in pairing.pairs if pair.stands_for is not None}
    weights = {pair.layer.name: folded(pair, meaning) for pair in pairing.pairs if pair.segment}
    outputs: list[list[Any]] = [[] for _ in network.outputs]
    ends: list[list[Any]] = [[] for _ in network.outputs]
    count = len(given[0])
    every = dict(pairing.meanings)
    for first in range(0, count, _BATCH):
        part = slice(first, first + _BATCH)
        values = probed([one[part] for one in given])
        true = dict(zip(meaning.inputs, (np.asarray(one[part], np.float64) for one in inputs), strict=True))
        wanted = meaning.evaluate(true, {*every.values(), *meaning.outputs})
        for step, numbers in wanted.items():
            if not np.isfinite(numbers).all():
                raise ModelError(f"layer {step}: finite numbers wanted, Keras itself gives others")
        for name, step in zip(network.inputs, meaning.inputs, strict=True):
            _see_input(tallies[name], network.streams[name].kind, _flat(wanted[step]), values[name].own, first)
        for pair in pairing.pairs:
            if pair.stands_for is not None:
                tally = tallies[pair.layer.name]
                _see(
                    tally,
                    pair,
                    meaning,
                    values,
                    network,
                    _flat(wanted[pair.stands_for]),
                    weights.get(pair.layer.name),
                    first,
                )
        for index, (stream, step) in enumerate(zip(network.outputs, meaning.outputs, strict=True)):
            outputs[index].append(values[stream].own)
            ends[index].append(_flat(wanted[step]))
        look(min(first + _BATCH, count))
    found = []
    for name, step in zip(network.inputs, meaning.inputs, strict=True):
        found.append(tallies[name].report(name, network.streams[name].kind, step, meaning.steps[step].shape))
    for pair in pairing.pairs:
        if pair.stands_for is not None:
            kind, step = network.streams[pair.layer.outputs[0]].kind, pair.stands_for
            found.append(tallies[pair.layer.name].report(pair.layer.name, kind, step, meaning.steps[step].shape))
    joined = (tuple(np.concatenate(parts) for parts in several) for several in (outputs, ends))
    return Walk(tuple(found), *joined)


def _flat(values: Any) -> Any:
    return values.reshape(len(values), -1)


def _see_input(tally: _Tally, kind: FixedPointType, wanted: Any, own: Any, first: int) -> None:
    tally.see(wanted, wanted, own, first)
    error = own - wanted
    beyond = outside(wanted, kind)
    over = Reason.RESULT_WRAPS if kind.overflow is Overflow.WRAP else Reason.RESULT_SATURATES
    for reason, mask in ((over, beyond), (Reason.RESULT_ROUNDED, ~beyond)):
        if (error * mask).any():
            tally.blame(Change(reason, error * mask, f"input {kind}"))


def _see(
    tally: _Tally,
    pair: Pair,
    meaning: Meaning,
    values: dict[str, Values],
    network: Network,
    wanted: Any,
    weights: Any,
    first: int,
) -> None:
    """One batch of one layer."""
    (output, *_) = pair.layer.outputs
    own = values[output]
    given = {step: values[stream].own for step, stream in pair.sources.items()}
    ideal = wanted
    if pair.stands_for is not None:
        ideal = _flat(meaning.evaluate(given, [pair.stands_for], [*pair.segment, *given])[pair.stands_for])
    tally.see(wanted, ideal, own.own, first)
    if (own.own == ideal).all():
        return
    inputs = [values[name].own for name in pair.layer.inputs]
    for change in changes(pair, meaning, own, inputs, ideal, network.streams[output].kind, weights):
        # Steps that cancel out are no reasons.
        changed = np.where(own.own != ideal, change.error, 0.0)
        if changed.any():
            tally.blame(dataclasses.replace(change, error=changed))
