"""A process of its own that runs a part of the samples through a compiled project; see `simulate`.

    python -m nonresnet_hls.hls.worker LIBRARY FUNCTION INPUTS OUTPUTS PROGRESS FIRST LAST

INPUTS and OUTPUTS are .npy files of float64, of which the rows FIRST to LAST - 1 are read and written in place;
PROGRESS is a file of one int64, the row that is being simulated.
"""

import ctypes
import sys

import numpy as np


def main(arguments: list[str]) -> int:
    """Run the rows; what the C++ ends, ends this process."""
    library, function, inputs, outputs, progress = arguments[:5]
    first, last = (int(one) for one in arguments[5:7])
    top = getattr(ctypes.CDLL(library), function)
    pointer = ctypes.POINTER(ctypes.c_double)
    source, target = np.load(inputs, mmap_mode="r"), np.load(outputs, mmap_mode="r+")
    mark = np.memmap(progress, dtype=np.int64, mode="r+", shape=(1,))
    for row in range(first, last):
        mark[0] = row
        sample = np.ascontiguousarray(source[row], dtype=np.float64)
        result = np.empty(target.shape[1:], np.float64)
        top(sample.ctypes.data_as(pointer), result.ctypes.data_as(pointer))
        target[row] = result
    target.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
