"""A process of its own that runs a part of the samples through a compiled project; see `simulate`.

    python -m nonresnet_hls.hls.worker LIBRARY FUNCTION INPUTS OUTPUTS PROGRESS NEXT INPUT_SIZES OUTPUT_SIZES

INPUTS and OUTPUTS are .npy files of float64, a row a sample, read and written in place; PROGRESS is a file of one
int64, the row that is being simulated; NEXT one that all processes share, the first row that none of them has taken:
who is done takes the next, so that none waits for a slower one. The sizes, between commas, are those of the tensors in
a row, each of which the function takes by a pointer.
"""

import ctypes
import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


def main(arguments: list[str]) -> int:
    """Run the rows; what the C++ ends, ends this process."""
    library, function, inputs, outputs, progress, following, *sizes = arguments
    read, written = ([int(size) for size in one.split(",")] for one in sizes)
    top = getattr(ctypes.CDLL(library), function)
    source, target = np.load(inputs, mmap_mode="r"), np.load(outputs, mmap_mode="r+")
    mark = np.memmap(progress, dtype=np.int64, mode="r+", shape=(1,))
    for row in _rows(following, len(source)):
        mark[0] = row
        sample = np.ascontiguousarray(source[row], dtype=np.float64)
        result = np.empty(target.shape[1:], np.float64)
        top(*pointers(sample, read), *pointers(result, written))
        target[row] = result
    target.flush()
    return 0


def pointers(row: Any, sizes: Sequence[int]) -> list[Any]:
    """Where each of the tensors begins that stand one after the other in a row of float64."""
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return [row[start:].ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for start in starts]


def _rows(following: str, count: int) -> Iterator[int]:
    """The rows that this process takes, one by one."""
    shared = os.open(following, os.O_RDWR)
    try:
        while True:
            fcntl.flock(shared, fcntl.LOCK_EX)
            row = int.from_bytes(os.pread(shared, 8, 0), sys.byteorder)
            os.pwrite(shared, (row + 1).to_bytes(8, sys.byteorder), 0)
            fcntl.flock(shared, fcntl.LOCK_UN)
            if row >= count:
                return
            yield row
    finally:
        os.close(shared)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
