"""The command line: parses, calls, prints.

Each module of this package is one subcommand: `NAME`, `HELP`, `configure(parser)` and `run(args) -> int`
(the exit status). Nothing heavy is imported before `run`, so that `--help` answers at once.
"""

import argparse
import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Sequence

from nonresnet_hls import __version__, extras, guardian, made_here, one_keras, progress
from nonresnet_hls.errors import NonResNetError

# In the order in which the data flows.
COMMANDS: tuple[str, ...] = (
    "models",
    "skips",
    "recipe",
    "train",
    "distill",
    "eval",
    "quantize",
    "convert",
    "csim",
    "emulate",
    "explain",
    "export",
    "fifos",
    "fit",
    "explore",
    "synth",
    "report",
    "table1",
    "table2",
    "page",
    "doctor",
)


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    top = argparse.ArgumentParser(
        prog="nonresnet-hls",
        description="Remove the skips of a residual Keras network and turn it into a bit-exact hls4ml project.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = importlib.import_module(f"nonresnet_hls.cli.{name}")
        sub = commands.add_parser(module.NAME, help=module.HELP, description=module.__doc__)
        module.configure(sub)
        sub.set_defaults(run=module.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status (2: the user's input is wrong; 1: a check failed)."""
    args = parser().parse_args(argv)
    # TensorFlow says that it traced a function anew.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    one_keras.quiet()
    try:
        with contextlib.ExitStack() as scope:
            scope.enter_context(progress.printable_stdout())
            if argv is None:  # a process of its own
                scope.enter_context(guardian.temporary_files())
                made_here.keep_notes()
            with extras.told(args.command):
                status: int = args.run(args)
            sys.stdout.flush()
    except NonResNetError as error:
        return _told(str(error), error.exit_status)
    except KeyboardInterrupt:
        print("nonresnet-hls: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain once more while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        # A full disk, a folder that must not be written to, a file where a folder should be.
        where = "" if error.filename is None else f"{error.filename}: "
        return _told(f"{where}{error.strerror or error}", NonResNetError.exit_status)
    except MemoryError as error:
        return _told(f"more memory wanted than there is: {error or 'no more to be had'}", NonResNetError.exit_status)
    return status


_LONGEST = 2000
"""Characters of an error; more is no line that anybody reads."""


def _told(text: str, status: int) -> int:
    line = progress.printable(text)
    line = line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
    print(f"nonresnet-hls: {line}", file=sys.stderr)
    return status
