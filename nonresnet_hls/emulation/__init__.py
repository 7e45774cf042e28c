"""The exact outputs of a network in fixed point, for whole test sets."""

from nonresnet_hls.emulation.emulator import Emulator

__all__ = ["Emulator"]
