"""Programs that fail: the one line that is shown is the one that says why."""

import sys
from pathlib import Path

import pytest

from nonresnet_hls import tools
from nonresnet_hls.errors import ToolError

ASSERTION = 'bench: ap_fixed_base.h:12: ap_fixed_base(): Assertion `(_AP_W > 0) && "width"\' failed.'
CASES = {
    "an assertion, after talk of errors": (f"checking for error handling\n{ASSERTION}\nAborted", ASSERTION),
    "a compiler": (
        "In file included from /home/me/error/a.h:1,\na.h:2:1: error: 'x' is no type\ncompilation terminated.",
        "a.h:2:1: error: 'x' is no type",
    ),
    "a failed static assertion": ("note: see\nb.h:3: error: static assertion failed: odd", "b.h:3: error: static asse"),
    "a linker": (
        "a.o: in function `main':\na.cpp:(.text+0x5): undefined reference to `top()'\ncollect2: error: ld returned 1",
        "a.cpp:(.text+0x5): undefined reference to `top()'",
    ),
    "Verilator": ("- V e r i l a t o r\n%Error-WIDTH: a.sv:3: no\n%Error: Exiting", "%Error-WIDTH: a.sv:3: no"),
    "an exception of C++": ("terminate called after throwing 'std::bad_alloc'\n", "terminate called after throwing"),
    "an exception of Python": ("Traceback (most recent call last):\n  x = 1\nValueError: no\n", "ValueError: no"),
    "nothing that tells": ("one\ntwo\n\n", "two"),
}


def _program(folder: Path, body: str) -> list[str]:
    path = folder / "program.py"
    path.write_text(f"import os, sys\n{body}\n")
    return [sys.executable, str(path)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_line_that_tells_is_shown(case: str, stream: str, tmp_path: Path) -> None:
    text, wanted = CASES[case]
    command = _program(tmp_path, f"print('hello'); sys.{stream}.write({text!r}); sys.exit(3)")
    with pytest.raises(ToolError, match=r": exit status 3: ") as error:
        tools.run(command, tmp_path)
    assert str(error.value).partition("exit status 3: ")[2].startswith(wanted)
    assert "\n" not in str(error.value)


def test_a_signal_is_named_and_stderr_counts_first_where_nothing_tells(tmp_path: Path) -> None:
    command = _program(tmp_path, "sys.stderr.write('last words\\n'); print('progress', flush=True); os.abort()")
    with pytest.raises(ToolError, match=r"exit status -6 \(SIGABRT\): last words$"):
        tools.run(command, tmp_path)
    with pytest.raises(ToolError, match=r"exit status 1: \(it printed nothing\)$"):
        tools.run(_program(tmp_path, "sys.exit(1)"), tmp_path)


def test_what_it_printed_is_returned(tmp_path: Path) -> None:
    assert tools.run(_program(tmp_path, "print('fine')"), tmp_path) == "fine\n"
    with pytest.raises(ToolError, match=r"^/no/such/program: cannot be run: "):
        tools.run(["/no/such/program"], tmp_path)
