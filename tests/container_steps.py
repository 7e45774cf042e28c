"""The steps of the container file without a container: python -m tests.container_steps [--build-only].

Each RUN and the CMD, in order, in an empty folder into which COPY puts what git keeps. The environment is empty but for
how packages are downloaded. Debian's packages are not installed here: apt-get is asked whether it could, where there
is one, and the commands that they bring must be on PATH. A program, no test module: it takes as long as the main job.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = re.compile(r"PIP_\w+|\w+_proxy|\w+_PROXY|SSL_CERT_\w+|REQUESTS_CA_BUNDLE")
"""Of the environment: how packages are downloaded."""


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Instructions of a container file and what stands behind them; lines that go on are joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name:
            yield name.upper(), rest.strip()


def packages(command: str) -> list[str]:
    """What a step has apt-get install."""
    (words,) = re.findall(r"apt-get install ([^&;|]*)", command)
    return [word for word in words.split() if not word.startswith("-")]


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="container-steps-") as scratch:
        folder, home, programs = (Path(scratch) / name for name in ("work", "home", "bin"))
        for one in (folder, home, programs):
            one.mkdir()
        # The image's own Python, in the version that it has in its name.
        (programs / "python3.11").symlink_to(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
        environment = {name: value for name, value in os.environ.items() if KEPT.fullmatch(name)}
        environment |= {"HOME": str(home), "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
        for name, rest in steps((ROOT / "Containerfile").read_text(encoding="utf-8")):
            began = time.monotonic()
            if name == "COPY":
                _copy(rest, folder)
            elif name == "RUN" and "apt-get" in rest:
                _ask(packages(rest), environment["PATH"])
            elif name == "RUN":
                subprocess.run(["/bin/sh", "-c", rest], cwd=folder, env=environment, check=True)
            elif name == "CMD" and "--build-only" not in arguments:
                subprocess.run(json.loads(rest), cwd=folder, env=environment, check=True)
            elif name not in ("FROM", "WORKDIR", "CMD"):
                raise SystemExit(f"Containerfile: FROM, WORKDIR, COPY, RUN or CMD wanted, not {name}")
            print(f"{time.monotonic() - began:6.1f} s  {name} {rest}", flush=True)
    return 0


def _copy(rest: str, folder: Path) -> None:
    if rest != ". .":
        raise SystemExit(f"Containerfile: COPY . . wanted, not {rest}")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)


def _ask(wanted: list[str], path: str) -> None:
    missing = [name for name in wanted if shutil.which(name, path=path) is None]
    if missing:
        raise SystemExit(f"Containerfile: on this machine {', '.join(missing)} wanted, to try the other steps")
    if shutil.which("apt-get") is None:
        print("        no apt-get here: whether Debian has these packages was not asked")
        return
    done = subprocess.run(
        ["apt-get", "install", "--simulate", "--yes", "--no-install-recommends", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"Containerfile: apt-get could not install {' '.join(wanted)}: {done.stderr.strip()}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
