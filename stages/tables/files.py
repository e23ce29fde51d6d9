"""Files that are whole or not there."""

from __future__ import annotations

import errno
import glob
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from stages.tables.errors import UserError

if sys.platform != "win32":
    import fcntl

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a full disk says."""
UNWRITABLE = (*FULL, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EEXIST,
              errno.ENOTEMPTY)  # fmt: skip
"""What it says when it is full or read-only, or when something is in the way."""


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """A temporary path to write to, renamed to ``path`` when the block ends well and removed when it does not."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # two runs at once must not share one
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        with temporary.open("ab") as held:
            with suppress(OSError):  # not every file system knows locks; then nothing is ever taken for a leftover
                _lock(held)
            yield temporary
            os.replace(temporary, path)
    except OSError as error:
        about = Path(os.fsdecode(error.filename or temporary))
        if error.errno not in UNWRITABLE or about not in (temporary, path, *path.parents):
            raise
        raise unwritable(path, error) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def full_disk() -> Iterator[None]:
    """Raises UserError where a full disk stops whatever is written."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise unwritable(error.filename or "a file", error) from None


def unwritable(path: object, error: OSError) -> UserError:
    """The sentence for a file that cannot be written."""
    reason = os.strerror(error.errno or 0).lower()
    return UserError(f"{path}: cannot be written ({reason}); free some space or change its permissions")


def write(path: Path | str, content: str | bytes) -> None:
    """Writes a whole file; see ``atomic``."""
    with atomic(path) as temporary:
        temporary.write_bytes(content if isinstance(content, bytes) else content.encode())


def _lock(file: IO[bytes]) -> None:
    """Locks a file until it is closed. Raises OSError when another process has locked it, or without locks."""
    if sys.platform == "win32":
        raise OSError("no locks here")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_leftovers(path: Path) -> None:
    """Removes the temporary files of ``path`` whose process was killed: nobody holds their lock any more.

    A process that was killed can be listed long after, until somebody collects it, and its number says nothing on
    another machine: its locks go at once, and everywhere.
    """
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError), left.open("rb+") as file:  # it is in use, or somebody else's
            _lock(file)
            left.unlink()
