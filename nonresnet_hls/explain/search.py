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

_JUDGED = 2000
_LEAST_BITS = 2


@dataclass(frozen=True, eq=False)
class Asked:
    """What is sought."""

    name: str
    inputs: tuple[Any, ...]
    keras: Any
    """(samples, numbers) of the model."""
    labels: Any
    """Classes of the samples; None where they are not known."""
    has_classes: bool
    """Whether the outputs are classes."""
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


def score(outputs: Any, asked: Asked, count: int | None = None) -> float:
    """From 0 to 1: top-1; without labels agreement with Keras; of what is no class 1 - mean error / range.

    Args:
        outputs: (samples, numbers) of the hardware, or Keras' own.
        asked: what they are compared with.
        count: of the first samples; None: all.
    """
    keras = asked.keras[:count]
    if not asked.has_classes:
        span = float(keras.max() - keras.min()) or 1.0
        return 1.0 - float(np.abs(outputs - keras).mean()) / span
    return float((outputs.argmax(1) == _right(asked, count)).mean())


def _right(asked: Asked, count: int | None) -> Any:
    """The right class of each sample."""
    return asked.keras[:count].argmax(1) if asked.labels is None else asked.labels[:count]


def metric(asked: Asked) -> str:
    """What `score` counts."""
    if not asked.has_classes:
        return "1 - mean error / range"
    return "agreement with Keras" if asked.labels is None else "top-1"


def smooth(outputs: Any, asked: Asked, count: int) -> float:
    """As `score`, of classes by the share that a softmax gives to the right one: on some samples it says more.

    Whether the greatest is the right one changes for a few samples in a thousand, as chance will have it; how near they
    are to it changes for all.
    """
    if not asked.has_classes:
        return score(outputs, asked, count)
    # Of a model that ends in a softmax Keras' outputs are shares already, and the hardware's come from before it.
    shares = outputs if _are_shares(outputs) else _softmax(outputs)
    return float(shares[np.arange(len(shares)), _right(asked, count)].mean())


def _are_shares(values: Any) -> bool:
    return bool(values.min() >= 0 and np.abs(values.sum(1) - 1).max() < _NEARLY_ONE)


_NEARLY_ONE = 1e-3


def _softmax(values: Any) -> Any:
    powers = np.exp(values - values.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def confirmed(found: Search, hardware: float) -> Search:
    """The search with what the hardware is worth in the end."""
    kept = hardware >= found.keras - found.max_loss / 100
    return replace(found, hardware=hardware, kept=kept)


class _Searcher:
    def __init__(self, asked: Asked, proposed: Callable[[Budget], Proposal]) -> None:
        self.asked, self.proposed = asked, proposed
        self.judged = min(_JUDGED, len(asked.keras))
        self.tried = 0
        self.allowed = smooth(asked.keras[: self.judged], asked, self.judged) - asked.max_loss / 100

    def run(self) -> tuple[Search, Budget]:
        began = time.monotonic()
        budget = self._uniform()
        steps = [budget, *self._greedy(budget)]
        budget = self._confirmed(steps)
        keras = score(self.asked.keras, self.asked)
        found = Search(
            max_loss=self.asked.max_loss,
            metric=metric(self.asked),
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

    def _outputs(self, budget: Budget, count: int) -> Any:
        self.tried += 1
        network = _without_softmax(self.proposed(budget).network)
        found = Emulator(network)(walk.taken_in(network, [one[:count] for one in self.asked.inputs]))
        return found[0] if isinstance(found, list) else found

    def _passes(self, budget: Budget) -> bool:
        """Whether a budget seems to be enough, of the samples that are judged on."""
        return smooth(self._outputs(budget, self.judged), self.asked, self.judged) >= self.allowed

    def _keeps(self, budget: Budget) -> bool:
        """Whether it is, of all samples."""
        outputs = self._outputs(budget, len(self.asked.keras))
        return score(outputs, self.asked) >= score(self.asked.keras, self.asked) - self.asked.max_loss / 100

    def _uniform(self) -> Budget:
        """The fewest bits that all weights, then all results, can have alike."""
        most = self.asked.bits
        if not self._passes(Budget(most, most)):
            return Budget(most, most)
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

    def _greedy(self, budget: Budget) -> list[Budget]:
        """Bit by bit off each layer, the largest first, until none can be spared: each budget on the way."""
        moves, steps, done = _moves(self.proposed(budget)), [], 0
        with progress.watched(f"{self.asked.name}: fewest bits", len(moves), lambda: done, "layers"):
            for kind, layer in moves:
                while (narrower := self._narrower(budget, kind, layer)) is not None:
                    budget = narrower
                    steps.append(budget)
                done += 1
        return steps

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

    def _confirmed(self, steps: list[Budget]) -> Budget:
        """The narrowest of the steps that keeps the promise on all samples; where none does, a wider one.

        Each step is narrower than the one before, so that half of them can be left out at a time.
        """
        if self._keeps(steps[-1]):
            return steps[-1]
        low, high = -1, len(steps) - 1
        while high - low > 1:
            middle = (low + high) // 2
            if self._keeps(steps[middle]):
                low = middle
            else:
                high = middle
        if low >= 0:
            return steps[low]
        budget = steps[0]
        while max(budget.weights, budget.results) < self.asked.bits:
            weights, results = (min(bits + 1, self.asked.bits) for bits in (budget.weights, budget.results))
            budget = Budget(weights, results)
            if self._keeps(budget):
                break
        return budget


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
