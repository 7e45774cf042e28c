"""From the C++ that hls4ml generates to the exact network: each call of a layer's function as a plain layer.

What a function computes is read off hls4ml's own templates (`nnet_utils`): which casts it makes, and in which order
it adds up where that matters. What is not known is refused, naming the layer.
"""

from pathlib import Path
from typing import Any

from nonresnet_hls.errors import ConversionError, NonResNetError
from nonresnet_hls.fixed.network import Network
from nonresnet_hls.hls import elementwise, firmware, moving, windows
from nonresnet_hls.hls.reader import Reader

_BUILDERS = {**elementwise.BUILDERS, **windows.BUILDERS, **moving.BUILDERS}


def of_project(directory: Path) -> Network:
    """The network of a project directory that hls4ml 1.x wrote (Vivado or Vitis back end, streams or arrays).

    Raises:
        ConversionError: it cannot be read, or has a layer or type that is not known; names the layer.
    """
    try:
        return Reader(firmware.of_project(directory)).network(_BUILDERS)
    # Such text can be wrong in more ways than one can name.
    except (LookupError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        if isinstance(error, NonResNetError):
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ConversionError(f"{directory / 'firmware'}: C++ as hls4ml writes it wanted ({reason})") from None


def of_graph(model: Any) -> Network:
    """The network of an hls4ml `ModelGraph`, after its optimizers.

    Raises:
        ConversionError: it has a layer or type that is not known; names the layer.
    """
    return Reader(firmware.of_graph(model)).network(_BUILDERS)
