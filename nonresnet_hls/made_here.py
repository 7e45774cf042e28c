"""Which projects were made here: anybody can write a project with all its digests, but not into this user's own notes.

For each project there is an empty file, named by the digest of its content, in the user's folder for state
(`$XDG_STATE_HOME`). Where none can be kept, every project counts as one from elsewhere. The command line keeps notes;
a program that uses this package keeps none, touches nothing but what it names, and must know itself whom it trusts.
"""

import contextlib
import os
import stat
from pathlib import Path

_kept = False


def keep_notes() -> None:
    """Keep notes from now on, and believe in nothing else."""
    global _kept
    _kept = True


def is_kept() -> bool:
    """Whether notes are kept in this process."""
    return _kept


def _folder() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "nonresnet_hls" / "projects"


def remember(content: str) -> None:
    """Note that what has this digest was made here."""
    if not _kept:
        return
    with contextlib.suppress(OSError, RuntimeError):  # no home, say
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(folder / content, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def is_known(content: str) -> bool:
    """Whether what has this digest was made here; where no notes are kept nothing speaks against it."""
    if not _kept:
        return True
    with contextlib.suppress(OSError, RuntimeError):
        status = (_folder() / content).lstat()
        return stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid()
    return False
