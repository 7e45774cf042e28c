"""Which layer of the hardware stands for which steps of the Keras model.

hls4ml keeps the names of Keras' layers, drops some (batch norms that it folds, linear activations, reshapes) and adds
others (copies, padding). What a tensor stands for is told by those who read it: behind a layer, all steps that no
layer of the hardware bears the name of are part of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nonresnet_hls.errors import ModelError
from nonresnet_hls.explain.meaning import Meaning
from nonresnet_hls.fixed.arithmetic import Cast
from nonresnet_hls.fixed.network import Clone, Elementwise, Layer, Network, Rearrange

_ALPHA = "_alpha"


@dataclass(frozen=True)
class Pair:
    """A layer of the hardware, and the steps between what it reads and what it leaves."""

    layer: Layer
    sources: Mapping[str, str]
    """The stream that stands for each step that is read."""
    segment: tuple[str, ...]
    """The steps, in order; empty where the layer only casts what it reads, or stands for nothing of Keras'."""
    stands_for: str | None
    """The step whose values the layer leaves; None where there is none."""

    @property
    def head(self) -> str:
        """The step of the layer's own name."""
        return next((name for name in self.segment if name == self.layer.name), self.segment[0])


@dataclass(frozen=True)
class Pairing:
    """All of a network."""

    pairs: tuple[Pair, ...]
    """Of all layers that compute, in the order in which the data flows."""
    origins: Mapping[str, str]
    """For each stream, the one with the same numbers, before copies, padding and reshapes."""
    meanings: Mapping[str, str]
    """For each such stream, the step that it stands for, where there is one."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """Layers that stand for nothing of Keras', and are not the first half of one that does."""
        halves = {pair.layer.name.removesuffix(_ALPHA) for pair in self.pairs if pair.stands_for is not None}
        return tuple(one.layer.name for one in self.pairs if one.stands_for is None and one.layer.name not in halves)


def pair(network: Network, meaning: Meaning) -> Pairing:
    """Pair the layers of a network with the steps of a model.

    Raises:
        ModelError: the model is another one than that of the network.
    """
    if len(network.inputs) != len(meaning.inputs) or len(network.outputs) != len(meaning.outputs):
        counts = f"{len(network.inputs)} and {len(network.outputs)}"
        got = f"{len(meaning.inputs)} and {len(meaning.outputs)}"
        raise ModelError(f"model {meaning.name}: {counts} inputs and outputs wanted as the hardware has, not {got}")
    readers = meaning.readers()
    named = {layer.name for layer in network.layers}
    origins = {name: name for name in network.inputs}
    meanings = dict(zip(network.inputs, meaning.inputs, strict=True))
    for stream, step in meanings.items():
        _same_size(network, stream, meaning, step)
    pairs: list[Pair] = []
    for layer in network.layers:
        if layer.name not in meaning.steps and _passes_on(layer):
            origins |= dict.fromkeys(layer.outputs, origins[layer.inputs[0]])
            continue
        (output,) = layer.outputs if len(layer.outputs) == 1 else layer.outputs[:1]
        origins |= dict.fromkeys(layer.outputs, output)
        made = _pair(layer, meaning, readers, named, origins, meanings)
        if made.stands_for is not None:
            meanings[output] = made.stands_for
            _same_size(network, output, meaning, made.stands_for)
        pairs.append(made)
    ends = [meanings.get(origins[name]) for name in network.outputs]
    if not any(one.segment for one in pairs) or None in ends:
        wanted = "the model that the hardware was made of wanted"
        called, got = (", ".join(list(some)[:4]) for some in (named, meaning.steps))
        raise ModelError(f"model {meaning.name}: {wanted}, with layers called {called}, ..., not {got}, ...")
    return Pairing(tuple(pairs), origins, meanings)


def _passes_on(layer: Layer) -> bool:
    """Whether a layer that hls4ml added leaves the numbers that it reads, and zeros between them."""
    if isinstance(layer, Clone):
        return True
    if not isinstance(layer, Rearrange):
        return False
    kept = layer.source[layer.source >= 0]
    return bool(np.array_equal(kept, np.arange(len(kept))))


def _only_casts(layer: Layer) -> bool:
    """Whether a layer gives numbers another type and does nothing else, as linear activations of hls4ml's do."""
    return isinstance(layer, Elementwise) and all(isinstance(operation, Cast) for operation in layer.chain)


def _pair(
    layer: Layer,
    meaning: Meaning,
    readers: Mapping[str, list[str]],
    named: set[str],
    origins: Mapping[str, str],
    meanings: Mapping[str, str],
) -> Pair:
    name = layer.name
    # A scale that QKeras keeps apart from its weights is a layer behind these; both are one step.
    alpha = f"{name}{_ALPHA}" in named
    own = name.removesuffix(_ALPHA) if name not in meaning.steps else name
    if own not in meaning.steps or alpha:
        source = origins[layer.inputs[0]]
        if _only_casts(layer) and source in meanings:
            return Pair(layer, {meanings[source]: source}, (), meanings[source])
        return Pair(layer, {}, (), None)
    sources: dict[str, str] = {}
    segment: list[str] = [own]
    for index, source in enumerate(meaning.steps[own].inputs):
        streams = [layer.inputs[index]] if index < len(layer.inputs) else []
        streams += [stream for stream in layer.inputs if stream not in streams]
        known = {
            meanings[origins[stream]]: origins[stream] for stream in reversed(streams) if origins[stream] in meanings
        }
        if name != own:  # reads what its first half left
            known |= {step: stream for stream, step in meanings.items() if step not in known}
        steps, found = [], source
        while found not in known and found not in named and len(meaning.steps[found].inputs) == 1:
            steps.append(found)
            (found,) = meaning.steps[found].inputs
        if found not in known:
            return Pair(layer, {}, (), None)
        sources[found] = known[found]
        segment = [*reversed(steps), *segment]
    last = own
    while last not in meaning.outputs and len(readers[last]) == 1:
        (following,) = readers[last]
        if following in named or len(meaning.steps[following].inputs) != 1:
            break
        segment.append(following)
        last = following
    return Pair(layer, sources, tuple(dict.fromkeys(segment)), last)


def _same_size(network: Network, stream: str, meaning: Meaning, step: str) -> None:
    found = network.streams[stream]
    wanted = int(np.prod(meaning.steps[step].shape))
    if found.words * found.channels != wanted:
        raise ModelError(
            f"layer {step}: {wanted} numbers wanted as in the Keras model, the hardware has"
            f" {found.words * found.channels}: it was made of another model"
        )
