"""What a fit may take of a board."""

import dataclasses
from dataclasses import dataclass

from nonresnet_hls.recipe.checks import want_count


@dataclass(frozen=True)
class Budget:
    """`[budget]`: what `fit` may take of a resource, in place of a share of what the board has."""

    lut: int | None = None
    """LUTs; none: the share holds, as of all others."""
    ff: int | None = None
    """Flip-flops."""
    dsp: int | None = None
    """DSP blocks; on ECP5 multipliers of 18 x 18 bits."""
    bram_18k: int | None = None
    """Blocks of 18 Kbit; on ECP5 those are its EBR."""

    @property
    def named(self) -> set[str]:
        """The resources that it says something of."""
        return {one.name for one in dataclasses.fields(self) if getattr(self, one.name) is not None}

    def __post_init__(self) -> None:
        for name in self.named:
            want_count(getattr(self, name), name, 0)
