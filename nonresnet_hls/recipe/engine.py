"""The choices of the open RTL engine that a recipe may make."""

from dataclasses import dataclass
from enum import StrEnum

from nonresnet_hls.recipe.checks import want_count


class Multipliers(StrEnum):
    """What the multiplications of a folded unit are made of."""

    AUTO = "auto"
    """DSP blocks where both factors have at least 5 bits."""
    DSP = "dsp"
    LUT = "lut"
    PACKED = "packed"
    """As `auto`, but two products that share an input in one DSP block of 25 x 18 bits where they fit: half the blocks,
    for some LUTs each."""


class WeightMemory(StrEnum):
    """Where the weights of a folded unit are kept."""

    AUTO = "auto"
    """Constants (one LUT a bit) up to 64 folds and 32 Kbit, block RAM above."""
    CONSTANT = "constant"
    BLOCK_RAM = "block_ram"


class Padding(StrEnum):
    """How windows of convolutions and pools come by the zeros around an image."""

    SHARED = "shared"
    """A row and a column of them is shifted in, shared by rows and images: (H + 1) x (W + 1) cycles for 3x3 pixels."""
    MASKED = "masked"
    """None is shifted in: H x W cycles, for registers beside those of the window."""


class Skips(StrEnum):
    """What feeds a skip beside convolutions whose padded windows hold the same pixels."""

    COPIED = "copied"
    """A copy of their input, in a FIFO as deep as they take to answer."""
    TAPPED = "tapped"
    """The windows themselves, in whose registers a pixel passes by about a row before the join needs it."""


@dataclass(frozen=True)
class RtlOptions:
    """`[rtl]`: what the open RTL engine is left to choose; the rest it takes from the HLS project."""

    adders_per_stage: int = 2
    """Adders between two registers of an adder graph (layers with reuse factor 1)."""
    most_thresholds: int = 3
    """Steps up to which a bias, scale and activation become comparisons."""
    multipliers: Multipliers = Multipliers.AUTO
    weights: WeightMemory = WeightMemory.AUTO
    padding: Padding = Padding.SHARED
    skips: Skips = Skips.COPIED

    def __post_init__(self) -> None:
        want_count(self.adders_per_stage, "adders_per_stage")
        want_count(self.most_thresholds, "most_thresholds", 0)
