"""What the user sees while work goes on: lines on stderr, so that stdout holds results alone."""

import sys
import time

_started = time.monotonic()


def say(line: str) -> None:
    """Print one line of progress, with the seconds since the start."""
    print(f"[{time.monotonic() - _started:6.1f} s] {line}", file=sys.stderr, flush=True)
