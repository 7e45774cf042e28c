"""Nothing of a killed process lives on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nonresnet_hls import guardian, tools
from nonresnet_hls.errors import ToolError

# A compiler is a program that starts another, which does the work.
_COMPILER = "sleep 300 & echo $! > child; echo $$ > self; wait"
_PROGRAM = f"""
import signal, sys; from pathlib import Path; from nonresnet_hls import guardian, tools
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs do not have
with guardian.temporary_files():
    import tempfile
    (Path(tempfile.mkdtemp()) / "half").touch()
    tools.run(["sh", "-c", {_COMPILER!r}], Path(sys.argv[1]))
"""


def alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def wait_for(condition, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_programs_end_with_the_process_that_started_them(tmp_path: Path, how: signal.Signals) -> None:
    place, temporary = tmp_path / "place", tmp_path / "temporary"
    place.mkdir()
    temporary.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, place], env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        assert wait_for(lambda: (place / "self").is_file() and (place / "self").read_text())
        numbers = [int((place / name).read_text()) for name in ("self", "child")]
        assert all(alive(number) for number in numbers)
        process.send_signal(how)
        process.wait(60)
    assert wait_for(lambda: not any(alive(number) for number in numbers))
    left = list(temporary.iterdir())
    assert len(left) == (0 if how is signal.SIGINT else 1)
    # The next start clears up.
    program = "from nonresnet_hls import guardian\nwith guardian.temporary_files() as folder: print(folder)"
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert Path(ran.stdout.strip()).parent == temporary
    assert list(temporary.iterdir()) == []


def test_temporary_files_of_a_living_process_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "nonresnet-hls-link").symlink_to("/nowhere")
    with guardian.temporary_files() as one:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        guardian.remove_leftovers()
        assert one.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["nonresnet-hls-link"]


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="/nonexistent: cannot be run"):
        tools.run(["/nonexistent"], tmp_path)
    with pytest.raises(ToolError, match="exit status 3: error: so"):
        tools.run(["sh", "-c", "echo error: so >&2; exit 3"], tmp_path)
    assert tools.run(["sh", "-c", "cat; echo done"], tmp_path) == "done\n"


def test_programs_that_others_start_end_too(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys; from pathlib import Path; from nonresnet_hls import guardian\n"
        "with guardian.starting():\n"
        f"    subprocess.run(['sh', '-c', {_COMPILER!r}], cwd=sys.argv[1])\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stderr=subprocess.DEVNULL) as process:
        assert wait_for(lambda: (tmp_path / "self").is_file() and (tmp_path / "self").read_text())
        numbers = [int((tmp_path / name).read_text()) for name in ("self", "child")]
        assert all(alive(number) for number in numbers)
        process.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not any(alive(number) for number in numbers))


def test_the_processes_of_a_c_simulation_end_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a part of the samples; here a library that never comes back."""
    program = (
        "import os, sys; from pathlib import Path; import numpy as np\n"
        "from nonresnet_hls.hls import simulate\n"
        "one = simulate.Simulation.__new__(simulate.Simulation)\n"
        "one._scratch, one._project = Path(sys.argv[1]), Path('x')\n"
        "one.library(np.zeros((2, 1)), (1,), jobs=2)\n"
    )
    (tmp_path / "x.c").write_text(
        '#include <stdio.h>\n#include <unistd.h>\n'
        "void myproject_double(double *x, double *y) {\n"
        '    char name[64]; snprintf(name, 64, "pid-%d", getpid()); fclose(fopen(name, "w")); sleep(300);\n}\n'
    )  # fmt: skip
    tools.run(["gcc", "-shared", "-fPIC", "x.c", "-o", "library.so"], tmp_path)
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stderr=subprocess.DEVNULL) as process:
        assert wait_for(lambda: len(list(tmp_path.glob("pid-*"))) == 2, 60.0)
        numbers = [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]
        process.send_signal(signal.SIGKILL)
    assert wait_for(lambda: not any(alive(number) for number in numbers))
