"""The fewest bits for a loss of accuracy that the user names: layer by layer, with the emulator as judge."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nonresnet_hls import progress
from nonresnet_hls.emulation import Emulator
from nonresnet_hls.explain import walk
from nonresnet_hls.explain.proposal import Budget, Proposal
from nonresnet_hls.fixed.network import Network, Softmax
from nonresnet_hls.fixed.types import Overflow

_JUDGED = 1000
_LEAST_BITS = 2


@dataclass(frozen=True, eq=False)
class Asked:
    """What is sought."""

    name: str
    inputs: tuple[Any, ...]
    keras: Any
    """(samples, numbers) of the model."""
    labels: Any
    max_loss: float
    """In points."""
    bits: int
    """The most that a weight or result may have."""


@dataclass(frozen=True)
class LayerBits:
    """Of one layer; None: of what it has not, or has from hls4ml or its input."""

    layer: str
    weight_bits: int | None
    result_bits: int | None


@dataclass(frozen=True)
class Search:
    """What was found."""

    max_loss: float
    metric: str
    samples: int
    """All, on which it was confirmed."""
    judged: int
    """Samples that each step was judged on."""
    keras: float
    """The metric of the model, on all samples."""
    hardware: float
    """Of the hardware, converted anew."""
    kept: bool
    """Whether no more than `max_loss` was lost."""
    tried: int
    seconds: float
    bits: tuple[LayerBits, ...]


def least(asked: Asked, proposed: Callable[[Budget], Proposal]) -> tuple[Search, Budget]:
    """The fewest bits that a greedy search finds.

    Args:
        asked: what is sought.
        proposed: types for a budget, and the network with them.
    """
    return _Searcher(asked, proposed).run()


def score(hardware: Any, keras: Any, labels: Any) -> float:
    """From 0 to 1: top-1; without labels agreement with Keras; of one output 1 - mean error / range."""
    if keras.shape[1] == 1:
        span = float(keras.max() - keras.min()) or 1.0
        return 1.0 - float(np.abs(hardware - keras).mean()) / span
    wanted = keras.argmax(1) if labels is None else labels
    return float((hardware.argmax(1) == wanted).mean())


def metric(keras: Any, labels: Any) -> str:
    """What `score` counts."""
    if keras.shape[1] == 1:
        return "1 - mean error / range"
    return "agreement with Keras" if labels is None else "top-1"


def confirmed(found: Search, hardware: float) -> Search:
    """The search with what the hardware is worth in the end."""
    kept = hardware >= found.keras - found.max_loss / 100
    return replace(found, hardware=hardware, kept=kept)


class _Searcher:
    def __init__(self, asked: Asked, proposed: Callable[[Budget], Proposal]) -> None:
        self.asked, self.proposed = asked, proposed
        self.judged = min(_JUDGED, len(asked.keras))
        self.tried = 0
        self.history: list[Budget] = []

    def run(self) -> tuple[Search, Budget]:
        began = time.monotonic()
        budget = self._uniform()
        budget = self._greedy(budget) if budget is not None else Budget(self.asked.bits, self.asked.bits)
        budget = self._confirmed() if self.history else budget
        keras = score(self.asked.keras, self.asked.keras, self.asked.labels)
        found = Search(
            max_loss=self.asked.max_loss,
            metric=metric(self.asked.keras, self.asked.labels),
            samples=len(self.asked.keras),
            judged=self.judged,
            keras=keras,
            hardware=0.0,
            kept=False,
            tried=self.tried,
            seconds=round(time.monotonic() - began, 1),
            bits=_table(self.proposed(budget)),
        )
        return found, budget

    def _passes(self, budget: Budget, count: int | None = None) -> bool:
        self.tried += 1
        count = self.judged if count is None else count
        network = _without_softmax(self.proposed(budget).network)
        given = walk.taken_in(network, [one[:count] for one in self.asked.inputs])
        outputs = Emulator(network)(given)
        labels = None if self.asked.labels is None else self.asked.labels[:count]
        keras = self.asked.keras[:count]
        outputs = outputs[0] if isinstance(outputs, list) else outputs
        passed = score(outputs, keras, labels) >= score(keras, keras, labels) - self.asked.max_loss / 100
        if passed and count == self.judged:
            self.history.append(budget)
        return passed

    def _uniform(self) -> Budget | None:
        """The fewest bits that all weights, then all results, can have alike; None where even the most are too few."""
        most = self.asked.bits
        if not self._passes(Budget(most, most)):
            return None
        weights = self._fewest(most, lambda bits: Budget(bits, most))
        results = self._fewest(most, lambda bits: Budget(weights, bits))
        return Budget(weights, results)

    def _fewest(self, most: int, budget: Callable[[int], Budget]) -> int:
        low, high = _LEAST_BITS, most
        while low < high:
            middle = (low + high) // 2
            if self._passes(budget(middle)):
                high = middle
            else:
                low = middle + 1
        return high

    def _greedy(self, budget: Budget) -> Budget:
        """Bit by bit off each layer, the largest first, until none can be spared."""
        proposal = self.proposed(budget)
        moves = _moves(proposal)
        done = 0
        with progress.watched(f"{self.asked.name}: fewest bits", len(moves), lambda: done, "layers"):
            for kind, layer in moves:
                while (narrower := self._narrower(budget, kind, layer)) is not None:
                    budget = narrower
                done += 1
        return budget

    def _narrower(self, budget: Budget, kind: str, layer: str) -> Budget | None:
        if kind == "weights":
            bits = budget.of_weights.get(layer, budget.weights) - 1
            candidate = replace(budget, of_weights={**budget.of_weights, layer: bits})
            return candidate if bits >= _LEAST_BITS and self._passes(candidate) else None
        bits = budget.of_results.get(layer, budget.results) - 1
        if bits < _LEAST_BITS:
            return None
        candidate = replace(budget, of_results={**budget.of_results, layer: bits})
        if self._passes(candidate):
            return candidate
        # Rather than the last bit, the first one.
        cut = {**budget.cut, layer: budget.cut.get(layer, 0) + 1}
        candidate = replace(candidate, cut=cut)
        return candidate if self._passes(candidate) else None

    def _confirmed(self) -> Budget:
        """The last budget of all that passed that does so on all samples, too."""
        count = len(self.asked.keras)
        if count == self.judged or self._passes(self.history[-1], count):
            return self.history[-1]
        low, high = 0, len(self.history) - 1  # the first is the widest
        while low < high:
            middle = (low + high + 1) // 2
            if middle < len(self.history) - 1 and self._passes(self.history[middle], count):
                low = middle
            else:
                high = middle - 1
        return self.history[low]


def _moves(proposal: Proposal) -> list[tuple[str, str]]:
    """What can be narrowed, the most bits first."""
    sizes: list[tuple[int, str, str]] = []
    layers = {layer.name: layer for layer in proposal.network.layers}
    for name, types in proposal.types.items():
        layer = layers.get(name)
        if layer is None:
            continue
        if types.weight is not None:
            sizes.append((int(getattr(layer, "kernel", np.empty(0)).size), "weights", name))
        if types.result is not None and types.result.overflow is not Overflow.WRAP and not isinstance(layer, Softmax):
            stream = proposal.network.streams[layer.outputs[0]]
            sizes.append((stream.channels * stream.words, "results", name))
    return [(kind, name) for _, kind, name in sorted(sizes, reverse=True)]


def _table(proposal: Proposal) -> tuple[LayerBits, ...]:
    def bits(kind: Any) -> int | None:
        return None if kind is None else int(kind.width)

    types: Mapping[str, Any] = proposal.types
    return tuple(LayerBits(name, bits(one.weight), bits(one.result)) for name, one in types.items())


def _without_softmax(network: Network) -> Network:
    """The network that ends before a softmax, which leaves the greatest the greatest."""
    last = network.layers[-1]
    if isinstance(last, Softmax) and network.outputs == last.outputs:
        return replace(network, layers=network.layers[:-1], outputs=last.inputs)
    return network
