"""Why a design's hardware gives other numbers than Keras, and which types cure it: all of it for one design."""

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nonresnet_hls import progress
from nonresnet_hls.emulation import Emulator
from nonresnet_hls.explain import config as configuration
from nonresnet_hls.explain import fitting, keras_rounding, pairing, rewriting, search, twin, walk
from nonresnet_hls.explain import meaning as meanings
from nonresnet_hls.explain.findings import KerasRounding, LayerReport, Reason
from nonresnet_hls.explain.meaning import Meaning
from nonresnet_hls.explain.pairing import Pairing
from nonresnet_hls.explain.proposal import Budget, Proposal, input_types, propose
from nonresnet_hls.explain.search import Search
from nonresnet_hls.fixed.network import Matrix, Network
from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.hls import configured
from nonresnet_hls.hls import network as networks
from nonresnet_hls.networks.flat import flattened
from nonresnet_hls.networks.prediction import predicted

_WALKED = 64
_RANGED = 512
_BATCH = 64
_QUANTIZED_CONSTANT_BITS = 24


@dataclass(frozen=True, eq=False)
class Question:
    """A design beside its Keras model."""

    name: str
    model: Any
    """Keras or QKeras, as hls4ml takes it."""
    network: Network
    inputs: tuple[Any, ...]
    """(samples, *input shape) for each input."""
    labels: Any = None
    """(samples,) of classes; None where there are none."""
    given: configured.Configuration = field(default_factory=dict)
    """The configuration that the hardware was made with, as far as it is known."""
    way: configured.Way = field(default_factory=configured.Way)
    data_told: str = ""
    """What the samples are, in words."""
    notes: tuple[str, ...] = ()
    """What hls4ml drops of the model, a line each."""

    @property
    def has_classes(self) -> bool:
        """Whether the outputs are one number for each class, and no image."""
        shape = self.model.outputs[0].shape
        return len(shape) == 2 and int(shape[-1]) > 1


@dataclass(frozen=True)
class Wish:
    """What the cure is to be like."""

    bits: int = 16
    """Of weights and results, where they need as many."""
    max_loss: float | None = None
    """Points of accuracy that fewer bits may cost; None: no bits are sought to be saved."""
    walked: int = _WALKED
    """Samples that every layer is looked at on."""


@dataclass(frozen=True)
class Agreement:
    """How far the outputs of hardware and Keras agree."""

    samples: int
    values: int
    different: int
    """Outputs that are not equal; of a float model nearly all, by their last bits."""
    largest_error: float
    mean_error: float
    predictions_different: int | None
    """None where the outputs are no classes."""
    top1_keras: float | None
    top1_hardware: float | None


@dataclass(frozen=True)
class Cost:
    """Bits of a design."""

    weight_bits: int
    """All weights."""
    result_bits: int
    """Of a word of each stream."""
    accumulator_bits: int
    """Of one accumulator for each output of each layer of products."""


@dataclass(frozen=True, eq=False)
class Cure:
    """Types that cure, as a configuration, and what became of it when it was checked."""

    config: configured.Configuration
    """What `convert_from_keras_model(hls_config=...)` takes."""
    model: Any
    """The model to convert where it must be another than the one given; None: that one."""
    rewritten: tuple[str, ...]
    """What is changed in that model, a line each."""
    before: Agreement
    after: Agreement
    bound: float | None
    """How far an output can be from the quantized twin's, proved; None where a layer has no twin."""
    beyond_bound: int
    """Outputs that are farther from it on the samples that were looked at: none, or the cure is refuted."""
    cost_before: Cost
    cost_after: Cost
    search: Search | None
    network: Network = field(repr=False)
    layers: tuple[LayerReport, ...] = ()
    """Each layer beside Keras' with these types."""
    notes: tuple[str, ...] = ()

    @property
    def yaml(self) -> str:
        """The configuration as text."""
        return configured.text(self.config)


@dataclass(frozen=True, eq=False)
class Explanation:
    """All that was found."""

    name: str
    data_told: str
    layers: tuple[LayerReport, ...]
    """In the order in which the data flows, the inputs first."""
    agreement: Agreement
    """On the samples that were looked at."""
    is_quantized: bool
    """Whether the model has quantizers: then every number can be equal."""
    keras_rounding: KerasRounding | None
    """Where Keras' own float32 is not what the model means; the hardware is compared with float64."""
    cure: Cure | None
    """None where there is nothing to cure."""
    notes: tuple[str, ...]

    @property
    def first(self) -> LayerReport | None:
        """The first layer that makes a difference."""
        return next((layer for layer in self.layers if layer.made_here), None)

    @property
    def worst(self) -> LayerReport | None:
        """The layer that loses most: the energy of what it changes is the greatest share of that of its numbers."""
        made = [layer for layer in self.layers if layer.made_here]
        return max(made, key=lambda layer: layer.loss, default=None)

    @property
    def equal(self) -> bool:
        """Whether every output that was looked at is equal."""
        return self.agreement.different == 0

    @property
    def holds(self) -> bool:
        """Whether nothing is to be cured, or the cure keeps what it promises on all samples."""
        if self.cure is None:
            return True
        missed = self.cure.search is not None and not self.cure.search.kept
        worse = self.cure.search is None and self.cure.after.mean_error > self.cure.before.mean_error
        return not self.cure.beyond_bound and not missed and not worse


def explain(question: Question, wish: Wish) -> Explanation:
    """Explain a design.

    Raises:
        ModelError: the model is another one than that of the hardware, or cannot be evaluated.
        ConversionError: a layer that the emulator does not know, or a proposal that hls4ml does not take.
    """
    meaning = meanings.of(flattened(question.model))
    pairs = pairing.pair(question.network, meaning)
    looked = tuple(one[: wish.walked] for one in question.inputs)
    done = [0]
    with progress.watched(f"explaining {question.name}", len(looked[0]), lambda: done[-1], "samples"):
        found = walk.walk(question.network, pairs, meaning, looked, done.append)
    rounding = keras_rounding.find(question.model, meaning, looked) if meaning.quantized else None
    labels = None if question.labels is None else question.labels[: wish.walked]
    agreement = agree(found.outputs[0], found.wanted[0], labels, question.has_classes)
    made = any(layer.made_here for layer in found.layers)
    cure = _cure(question, wish, meaning, pairs, found) if made or wish.max_loss is not None else None
    return Explanation(
        question.name,
        question.data_told,
        found.layers,
        agreement,
        meaning.quantized,
        rounding,
        cure,
        question.notes,
    )


def agree(hardware: Any, keras: Any, labels: Any, classes: bool) -> Agreement:
    """Compare outputs, (samples, numbers) each."""
    error = np.abs(hardware - keras)
    return Agreement(
        samples=len(keras),
        values=int(keras.size),
        different=int((error > 0).sum()),
        largest_error=float(error.max(initial=0.0)),
        mean_error=float(error.mean()) if error.size else 0.0,
        predictions_different=int((hardware.argmax(1) != keras.argmax(1)).sum()) if classes else None,
        top1_keras=float((keras.argmax(1) == labels).mean()) if classes and labels is not None else None,
        top1_hardware=float((hardware.argmax(1) == labels).mean()) if classes and labels is not None else None,
    )


def cost(network: Network, looked_at: Pairing) -> Cost:
    """Bits of a network."""
    weights = accumulators = results = 0
    for pair in looked_at.pairs:
        layer, stream = pair.layer, network.streams[pair.layer.outputs[0]]
        results += stream.bits
        if isinstance(layer, Matrix):
            numbers = layer.kernel.size // (layer.kernel.shape[1] if layer.depthwise else 1)
            weights += numbers * layer.kernel_width
            accumulators += layer.kernel.shape[1] * (layer.accumulator.width if layer.accumulator else 0)
    return Cost(weights, results, accumulators)


def _cure(question: Question, wish: Wish, meaning: Meaning, pairs: Pairing, found: walk.Walk) -> Cure:
    model, network = question.model, question.network
    rewritten: list[str] = []
    own = configured.default(model, question.way.backend)
    changed = rewriting.rewritten(model, found.layers, question.way.io_type)
    if changed is not None:
        model, rewritten = changed
        own = configured.default(model, question.way.backend)
        network = _converted(model, own, question.way)
        meaning = meanings.of(flattened(model))
        pairs = pairing.pair(network, meaning)
    ranges = _ranges(meaning, question.inputs)
    inputs = _inputs(question, meaning, wish)
    budget = Budget(max(wish.bits, _QUANTIZED_CONSTANT_BITS) if meaning.quantized else wish.bits, wish.bits)
    sought = None
    expected = _keras_outputs(question.model, meaning, question.inputs)

    def proposed(budget: Budget) -> Proposal:
        return propose(network, pairs, meaning, ranges, budget, inputs)

    labels = question.labels if question.has_classes else None
    asked = search.Asked(
        question.name, question.inputs, expected, labels, question.has_classes, wish.max_loss or 0.0, wish.bits
    )
    if wish.max_loss is not None:
        sought, budget = search.least(asked, proposed)
    proposal = proposed(budget)
    config = configuration.configure(own, question.given, proposal)
    cured = _converted(model, config, question.way)
    cured_pairs = pairing.pair(cured, meaning)
    if any(pair.layer.name not in proposal.types for pair in cured_pairs.pairs):
        # What has the types that hls4ml infers has others now: those behind it are to fit these.
        proposal = propose(cured, cured_pairs, meaning, ranges, budget, inputs)
        config = configuration.configure(own, question.given, proposal)
        cured = _converted(model, config, question.way)
        cured_pairs = pairing.pair(cured, meaning)
    looked = tuple(one[: wish.walked] for one in question.inputs)
    checked = walk.walk(cured, cured_pairs, meaning, looked)
    bound, beyond = _against_twin(cured, cured_pairs, meaning, looked, checked.outputs)
    outputs = _outputs(cured, question.inputs)
    if sought is not None:
        sought = search.confirmed(sought, search.score(outputs, asked))
    before, after = (
        agree(one, expected, question.labels, question.has_classes)
        for one in (_outputs(question.network, question.inputs), outputs)
    )
    return Cure(
        config=config,
        model=None if changed is None else model,
        rewritten=tuple(rewritten),
        before=before,
        after=after,
        bound=bound,
        beyond_bound=beyond,
        cost_before=cost(question.network, pairing.pair(question.network, meanings.of(flattened(question.model)))),
        cost_after=cost(cured, cured_pairs),
        search=sought,
        network=cured,
        layers=checked.layers,
        notes=(*_other_types(cured, proposal), *_not_cured(checked.layers)),
    )


def _converted(model: Any, config: configured.Configuration, way: configured.Way) -> Network:
    """The network that hls4ml makes of a configuration; nothing is written."""
    with tempfile.TemporaryDirectory(prefix="nonresnet-explain-") as folder:
        graph, _ = configured.to_graph(model, configured.checked(config, "proposal"), Path(folder) / "project", way)
        return networks.of_graph(graph)


def _ranges(meaning: Meaning, inputs: tuple[Any, ...]) -> dict[str, tuple[float, float]]:
    """Least and greatest number of each step, in Keras."""
    found: dict[str, tuple[float, float]] = {}
    for start in range(0, min(len(inputs[0]), _RANGED), _BATCH):
        part = slice(start, start + _BATCH)
        values = meaning.evaluate(dict(zip(meaning.inputs, (one[part] for one in inputs), strict=True)), meaning.steps)
        for name, array in values.items():
            low, high = found.get(name, (np.inf, -np.inf))
            found[name] = (min(low, float(array.min())), max(high, float(array.max())))
    return found


def _inputs(question: Question, meaning: Meaning, wish: Wish) -> dict[str, FixedPointType]:
    """Types of the inputs: as they are, if they hold all samples."""

    def holds(kind: FixedPointType, values: Any) -> bool:
        return bool(kind.width <= wish.bits and (fitting.cast(values, kind) == values).all())

    found = input_types(question.network, list(question.inputs), wish.bits, holds)
    if not meaning.quantized:
        return found
    # What goes into a quantizer must be exact as far as the quantizer looks; what is not on a grid gets more bits.
    pairs = zip(found.items(), question.inputs, strict=True)
    return {name: kind if holds(kind, one) else _finer(kind) for (name, kind), one in pairs}


def _finer(kind: FixedPointType) -> FixedPointType:
    return replace(kind, width=max(kind.width, _QUANTIZED_CONSTANT_BITS))


def _keras_outputs(model: Any, meaning: Meaning, inputs: tuple[Any, ...]) -> Any:
    """What the model gives for all samples, (samples, numbers): in float64 where it has quantizers, else as Keras."""
    given = [np.asarray(one, np.float32) for one in inputs]
    if not meaning.quantized:
        found = predicted(model, given if len(given) > 1 else given[0], 128)
        first = found[0] if isinstance(found, list) else found
        return np.asarray(first, np.float64).reshape(len(given[0]), -1)
    parts = []
    for start in range(0, len(given[0]), _BATCH):
        named = dict(zip(meaning.inputs, (one[start : start + _BATCH] for one in inputs), strict=True))
        part = meaning.evaluate(named, meaning.outputs[:1])[meaning.outputs[0]]
        parts.append(part.reshape(len(part), -1))
    return np.concatenate(parts)


def _outputs(network: Network, inputs: tuple[Any, ...]) -> Any:
    """The first output of the hardware for all samples, (samples, numbers)."""
    found = Emulator(network)(walk.taken_in(network, inputs))
    return found[0] if isinstance(found, list) else found


def _against_twin(
    cured: Network, pairs: Pairing, meaning: Meaning, inputs: tuple[Any, ...], outputs: tuple[Any, ...]
) -> tuple[float | None, int]:
    """The proved bound, and how many outputs are farther from the twin's than that."""
    if pairs.unknown:
        return None, 0
    model = twin.Twin(cured, pairs, meaning)
    bounds = twin.bounds(cured, pairs, meaning)
    wanted = model(walk.taken_in(cured, inputs))
    beyond = sum(
        int((np.abs(one - other) > bound).sum()) for one, other, bound in zip(outputs, wanted, bounds, strict=True)
    )
    return max(bounds), beyond


def _not_cured(layers: tuple[LayerReport, ...]) -> tuple[str, ...]:
    """Functions that are still others than Keras'."""
    return tuple(
        f"layer {layer.layer}: {cause.told or cause.reason}; no type cures that"
        for layer in layers
        for cause in layer.causes
        if cause.reason is Reason.FUNCTION
    )


def _other_types(cured: Network, proposal: Proposal) -> tuple[str, ...]:
    """Where hls4ml made another type than was proposed."""
    wanted = {layer.name: layer for layer in proposal.network.layers}
    notes = []
    for layer in cured.layers:
        types = proposal.types.get(layer.name)
        if layer.name not in wanted or types is None or types.result is None:
            continue
        got = cured.streams[layer.outputs[0]].kind
        if got != types.result:
            notes.append(f"layer {layer.name}: result {types.result} proposed, hls4ml makes it {got}")
    return tuple(notes)
