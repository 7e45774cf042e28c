"""What a recipe may say: its tables are the dataclasses below, its keys their fields."""

import dataclasses
import html
import os
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from nonresnet_hls.fixed.types import FixedPointType
from nonresnet_hls.recipe.budget import Budget
from nonresnet_hls.recipe.checks import want, want_count, want_seed
from nonresnet_hls.recipe.engine import RtlOptions

# Ends up in Tcl and C++.
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Family(StrEnum):
    """What kind of model a recipe builds."""

    RESNET = "resnet"
    """A whole network: stem, resolution groups of blocks, pooling, dense."""
    BLOCK = "block"
    """The first block of a network of another recipe, alone."""
    KERAS = "keras"
    """A `.keras` file of the user's own."""


class SkipStyle(StrEnum):
    """Where a block's skip leaves and joins (paper, Fig. 1)."""

    RESIDUAL = "residual"
    """One skip over both convolutions."""
    SHORT = "short"
    """One skip, over the first convolution only."""
    PLAIN = "plain"
    """No skip."""
    MERGED = "merged"
    """No skip: that of `residual` goes through both convolutions, in channels of their own; the same function."""


class DatasetName(StrEnum):
    """The data sets that we can load."""

    DIGITS = "digits"
    CIFAR10 = "cifar10"
    CIFAR100 = "cifar100"
    SVHN = "svhn"
    NPZ = "npz"
    """A file of the user's own."""


class Optimizer(StrEnum):
    """How the weights follow the gradient."""

    SGD = "sgd"
    ADAM = "adam"


class Schedule(StrEnum):
    """How the learning rate goes over the epochs of a phase."""

    CONSTANT = "constant"
    COSINE = "cosine"
    ONE_CYCLE = "one_cycle"
    """Linear warm-up to the peak, then cosine to zero."""
    STEPS = "steps"
    """A tenth after 1/2 and again after 3/4 of the epochs."""


class Distribution(StrEnum):
    """On what a training runs (`tf.distribute`)."""

    NONE = "none"
    """One device."""
    MIRRORED = "mirrored"
    """All GPUs of this machine, or all of its logical CPU devices where it has none."""
    MULTI_WORKER = "multi_worker"
    """The machines that the environment variable TF_CONFIG names."""


class Precision(StrEnum):
    """In which numbers a training computes (Keras' dtype policies); weights, outputs and losses are float32 always."""

    FLOAT32 = "float32"
    MIXED_BFLOAT16 = "mixed_bfloat16"
    """Faster where the processor computes in bfloat16."""


class Loss(StrEnum):
    """What an output is trained to."""

    CROSS_ENTROPY = "cross_entropy"
    """One class for each sample."""
    BINARY_CROSS_ENTROPY = "binary_cross_entropy"
    """0 or 1 for each number (several labels for a sample), of a sigmoid or of logits."""
    MEAN_SQUARED_ERROR = "mean_squared_error"
    MEAN_ABSOLUTE_ERROR = "mean_absolute_error"
    HUBER = "huber"
    """Squared up to an error of 1, then linear."""


class Metric(StrEnum):
    """What is told of a trained output."""

    TOP1 = "top1"
    """Share of the samples whose label is the greatest output; cross_entropy only."""
    ACCURACY = "accuracy"
    """Share of the numbers on the right side of 1/2 (of logits: of 0)."""
    MEAN_SQUARED_ERROR = "mean_squared_error"
    MEAN_ABSOLUTE_ERROR = "mean_absolute_error"


class DistillationLoss(StrEnum):
    """What a student learns from its teacher besides the labels."""

    NONE = "none"
    LOGIT_MSE = "logit_mse"
    """(1 - weight) cross-entropy + weight mean squared error of the logits (Tailor)."""
    TEMPERATURE_KL = "temperature_kl"
    """(1 - weight) cross-entropy + weight T^2 KL of the softened outputs (Hinton et al., 2015)."""


class Teacher(StrEnum):
    """Whose logits a phase of Algorithm 1 learns from."""

    PREVIOUS = "previous"
    """The model that the previous phase ended with."""
    START = "start"
    """The network with all skips that Algorithm 1 starts from."""
    NETWORK = "network"
    """Another trained network, that of the recipe `network`."""


class Order(StrEnum):
    """Which skips go in which phase of Algorithm 1."""

    GROUPS = "groups"
    """One resolution group a phase, from the input on, as in the paper."""
    GROUPS_FROM_TAIL = "groups_from_tail"
    HEAD = "head"
    """One skip a phase, from the input on."""
    TAIL = "tail"
    ALL = "all"
    """All at once, in one phase."""


class Backend(StrEnum):
    """The two of hls4ml's backends that write Xilinx HLS projects."""

    VIVADO = "vivado"
    VITIS = "vitis"


class Strategy(StrEnum):
    """How hls4ml builds the multiplications of a layer."""

    LATENCY = "latency"
    RESOURCE = "resource"


class FifoDepths(StrEnum):
    """How deep the streams between layers are made."""

    TENSOR = "tensor"
    """As hls4ml does by itself: each holds its whole tensor."""
    SIZED = "sized"
    """The least that neither deadlock nor cost throughput."""


_MOST_BLOCKS = 1000
_MOST_WEIGHTS = 1 << 30
"""Of a network of ours: ResNet1202 has 20 million, in 600 blocks."""


@dataclass(frozen=True)
class Architecture:
    """`[architecture]`: the float network."""

    family: Family
    skips: SkipStyle | None = None
    """Of every block; resnet and block only."""
    filters: tuple[int, ...] = (16, 32, 64)
    """Channels of each resolution group; resnet only."""
    blocks_per_group: int = 3
    """resnet only; 3 groups of 3 blocks are ResNet20, of 1 ResNet8."""
    network: str | None = None
    """Recipe of the network whose first block this is, by name or path; block only."""
    file: Path | None = None
    """A saved Keras model; keras only. Relative to the recipe."""
    remove_skips: bool = False
    """Whether all skips are taken out of `file`; keras only."""

    @property
    def trained(self) -> "Architecture":
        """What is trained: skips are merged afterwards."""
        return replace(self, skips=SkipStyle.RESIDUAL) if self.skips is SkipStyle.MERGED else self

    def __post_init__(self) -> None:
        needed = {Family.RESNET: "skips", Family.BLOCK: "network", Family.KERAS: "file"}[self.family]
        want(getattr(self, needed) is not None, needed, f"a value (family is {self.family})", None)
        want(self.family is not Family.BLOCK or self.skips is not None, "skips", "a value", None)
        want(bool(self.filters), "filters", "one or more positive integers", self.filters)
        for count in self.filters:
            want_count(count, "filters")
        want_count(self.blocks_per_group, "blocks_per_group")
        blocks = len(self.filters) * self.blocks_per_group
        want(blocks <= _MOST_BLOCKS, "blocks_per_group", f"at most {_MOST_BLOCKS} blocks in all groups", blocks)
        weights = 18 * self.blocks_per_group * sum(count**2 for count in self.filters)
        want(weights <= _MOST_WEIGHTS, "filters", f"at most {_MOST_WEIGHTS} weights in all blocks", weights)


@dataclass(frozen=True)
class Dataset:
    """`[dataset]`: what the network is trained and compared on."""

    name: DatasetName
    file: Path | None = None
    """`.npz` with x_train, y_train, x_test, y_test (or x, y: every fifth is a test sample); npz only. Of several inputs
    or outputs NAME_train and NAME_test (or NAME) of each."""
    input_type: FixedPointType | None = None
    """Fixed-point type of the network's input; npz only (it is known of the others)."""
    input_types: dict[str, FixedPointType] | None = None
    """`[dataset.input_types]`: of a model with several inputs, by their names, in place of `input_type`."""

    def __post_init__(self) -> None:
        own = self.name is DatasetName.NPZ
        want(own == (self.file is not None), "file", "a path for npz and none else", self.file)
        if self.input_types is not None:
            want(own, "input_types", "none but for npz", list(self.input_types))
            want(bool(self.input_types), "input_types", "a type for each input", self.input_types)
            want(self.input_type is None, "input_type", "none beside input_types", self.input_type)
            return
        want(own == (self.input_type is not None), "input_type", "a type for npz and none else", self.input_type)

    def same_as(self, other: "Dataset") -> bool:
        """Whether it is the same data, however the path of its file is written."""
        mine, theirs = (
            dataclasses.replace(one, file=one.file and Path(os.path.realpath(one.file))) for one in (self, other)
        )
        return mine == theirs


@dataclass(frozen=True)
class Training:
    """`[training]`: one training phase."""

    epochs: int = 30
    batch_size: int = 64
    optimizer: Optimizer = Optimizer.SGD
    learning_rate: float = 0.1
    """Peak of the schedule."""
    schedule: Schedule = Schedule.COSINE
    momentum: float = 0.9
    """Nesterov momentum; sgd only."""
    weight_decay: float = 1e-4
    """L2 penalty on convolution and dense kernels, taken beside the gradient (decoupled)."""
    label_smoothing: float = 0.0
    augment: bool = False
    """Random horizontal flip and shift by up to an eighth of the image."""
    flip: bool = True
    """Whether `augment` flips (digits must not be)."""
    jitter: float = 0.0
    """Colour jitter: brightness, contrast and, of 3 channels (red, green, blue), saturation of each image, by factors
    drawn from 1 - jitter to 1 + jitter; values stay in the range of the training samples, whose least is black."""
    mixup: float = 0.0
    """Alpha of mixup (Zhang et al., 2018): each batch is mixed, images and labels, with itself in another order, in
    shares of Beta(alpha, alpha); cross_entropy and binary_cross_entropy only."""
    mixup_tail: int = 0
    """So many last epochs of each phase, and of the fine-tuning, are not mixed."""
    seed: int = 0
    test_every: int = 1
    """Epochs from one measurement on the test samples to the next (the last epoch is always measured)."""
    precision: Precision = Precision.FLOAT32
    distribution: Distribution = Distribution.NONE
    loss: Loss = Loss.CROSS_ENTROPY
    """Of all outputs that `losses` does not name."""
    losses: dict[str, Loss] | None = None
    """`[training.losses]`, by output; their sum is what is trained to."""
    metric: Metric | None = None
    """None: top1 with cross_entropy, accuracy with binary_cross_entropy, else mean_absolute_error."""
    metrics: dict[str, Metric] | None = None
    """`[training.metrics]`, by output."""
    on_demand: bool = True
    """Whether other stages may start this training; where not, they take untrained weights and say so."""

    def __post_init__(self) -> None:
        want_count(self.epochs, "epochs", 0)
        want_count(self.batch_size, "batch_size")
        want(self.learning_rate > 0, "learning_rate", "a positive number", self.learning_rate)
        want(0 <= self.momentum < 1, "momentum", "a number in [0, 1)", self.momentum)
        want(self.weight_decay >= 0, "weight_decay", "0 or more", self.weight_decay)
        want(0 <= self.label_smoothing < 1, "label_smoothing", "a number in [0, 1)", self.label_smoothing)
        want(0 <= self.jitter <= 1, "jitter", "a number in [0, 1]", self.jitter)
        want(self.mixup >= 0, "mixup", "0 or more", self.mixup)
        for loss in (self.loss, *(self.losses or {}).values()):
            mixes = loss in (Loss.CROSS_ENTROPY, Loss.BINARY_CROSS_ENTROPY)
            off = f"0 with loss {loss} (cross_entropy or binary_cross_entropy mix)"
            want(mixes or not self.mixup, "mixup", off, self.mixup)
        want_count(self.mixup_tail, "mixup_tail", 0)
        want_seed(self.seed)
        want_count(self.test_every, "test_every")

    @property
    def is_special(self) -> bool:
        """Whether something else than one class a sample is trained to."""
        return (self.loss, self.losses, self.metric, self.metrics) != (Loss.CROSS_ENTROPY, None, None, None)

    @property
    def identity(self) -> "Training":
        """What decides about the weights: who may start a training does not."""
        return dataclasses.replace(self, on_demand=True)


@dataclass(frozen=True)
class Distillation:
    """`[distillation]`: Algorithm 1; each of its phases trains as `[training]` says."""

    start: str
    """Recipe of the trained network with skips: a name, or a path relative to the recipe."""
    order: Order = Order.GROUPS
    loss: DistillationLoss = DistillationLoss.LOGIT_MSE
    weight: float = 0.35
    """Of the teacher in the loss; the labels have the rest (Tailor: 0.35)."""
    temperature: float = 4.0
    """temperature_kl only."""
    teacher: Teacher = Teacher.START
    network: str | None = None
    """Recipe of the teacher; with teacher = "network" only."""

    def __post_init__(self) -> None:
        wanted = "a recipe's name" if self.teacher is Teacher.NETWORK else f"none with teacher = {self.teacher!s}"
        want((self.network is not None) == (self.teacher is Teacher.NETWORK), "network", wanted, self.network)
        want(0 <= self.weight <= 1, "weight", "a number in [0, 1]", self.weight)
        want(self.temperature > 0, "temperature", "a positive number", self.temperature)


@dataclass(frozen=True)
class Quantization:
    """`[quantization]`: bits, and the quantization-aware fine-tuning."""

    weight_bits: int = 8
    """1: binary weights, the batch norm stays as a scale; else the batch norm is folded into the weights."""
    activation_bits: int = 8
    epochs: int = 2
    batch_size: int = 64
    learning_rate: float = 1e-3
    """Of Adam, falling as a cosine; 1e-5 where a model of the user's own is fine-tuned at 6 bits or more."""
    seed: int = 0

    def __post_init__(self) -> None:
        want(self.weight_bits == 1 or 3 <= self.weight_bits <= 16, "weight_bits", "1 or 3..16", self.weight_bits)
        want(1 <= self.activation_bits <= 16, "activation_bits", "1..16", self.activation_bits)
        want_count(self.epochs, "epochs", 0)
        want_count(self.batch_size, "batch_size")
        want(self.learning_rate > 0, "learning_rate", "a positive number", self.learning_rate)
        want_seed(self.seed)


@dataclass(frozen=True)
class Hls:
    """`[hls]`: what the HLS project is made for."""

    backend: Backend = Backend.VIVADO
    part: str = "xc7z020clg400-1"
    clock_ns: float = 5.0
    reuse_factor: int = 1
    """A target: every layer gets the nearest that it can take."""
    strategy: Strategy = Strategy.LATENCY
    fifo_depths: FifoDepths = FifoDepths.TENSOR
    reuse_factors: dict[str, int] = field(default_factory=dict)
    """`[hls.reuse_factors]`, by layer: taken as they are, refused where they do not fit."""

    def __post_init__(self) -> None:
        want(bool(_PART.fullmatch(self.part)), "part", "letters, digits, '-', '.' and '_'", self.part)
        want(0 < self.clock_ns <= 1000, "clock_ns", "a positive number of nanoseconds", self.clock_ns)
        want_count(self.reuse_factor, "reuse_factor")
        for layer, factor in self.reuse_factors.items():
            want_count(factor, f"reuse_factors.{layer}")


@dataclass(frozen=True)
class Csim:
    """`[csim]`: what the C simulation is compared on."""

    samples: int = 360
    """Of the test data (for a block: of what it receives within its network), besides the adversarial ones."""
    seed: int = 0
    """Of the random adversarial inputs."""

    def __post_init__(self) -> None:
        want_count(self.samples, "samples")
        want_seed(self.seed)


@dataclass(frozen=True)
class Recipe:
    """One model, from architecture to HLS project."""

    name: str
    architecture: Architecture
    dataset: Dataset
    training: Training = field(default_factory=Training)
    distillation: Distillation | None = None
    quantization: Quantization = field(default_factory=Quantization)
    hls: Hls = field(default_factory=Hls)
    csim: Csim = field(default_factory=Csim)
    rtl: RtlOptions = field(default_factory=RtlOptions)
    budget: Budget = field(default_factory=Budget)
    description: str = ""
    title: str = ""
    """The name as tables print it; `name` where it is empty."""
    trained_as: str = ""
    """Name under which the float weights are kept: that of the first recipe in the chain of `extends` that
    trains the same network in the same way, so that precisions share one training."""
    tuned_as: str = ""
    """The same of fine-tuned weights: of the first that quantizes in the same way, too."""

    def _repr_html_(self) -> str:
        """What a notebook shows: the keys that are not at their defaults, by table."""
        told = [f"<b>{html.escape(self.title or self.name)}</b> {html.escape(self.description)}"]
        for one in dataclasses.fields(self):
            table = getattr(self, one.name)
            if dataclasses.is_dataclass(table):
                keys = "\n".join(
                    f"{name} = {_plain(value)}" for name, value in (stated(table) or {}).items() if value != {}
                )
                told.append(f"[{one.name}]\n{html.escape(keys)}" if keys else "")
        return f"<pre>{chr(10).join(text for text in told if text)}</pre>"


def _plain(value: Any) -> str:
    return f"{value}" if isinstance(value, StrEnum | Path | FixedPointType | tuple) else repr(value)


def stated(table: Any) -> dict[str, Any] | None:
    """The keys of a recipe's table that are not at their defaults; None for no table.

    What identifies a training that took hours: a new key must not make it another one. (So a default, once
    published, stays.) Of a recipe that is named by its path, the name counts, wherever it lies.
    """
    if table is None:
        return None

    def plain(value: Any) -> Any:
        return Path(value).stem if isinstance(value, str) and value.endswith(".toml") else value

    values = {f.name: (f, getattr(table, f.name)) for f in dataclasses.fields(table)}
    return {name: plain(value) for name, (f, value) in values.items() if value != f.default}
