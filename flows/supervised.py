"""Commands that never outlive the process that started them, however it ends.

``start`` puts a small supervisor between: it runs the command in a process group of its own and holds the read end of a
pipe. When the pipe closes, because ``stop`` closed it or because the starting process died (kill -9 included), the
supervisor ends the whole group, and when the command itself ends, whatever it left behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

INSISTENCE = ((signal.SIGINT, 5.0), (signal.SIGTERM, 5.0), (getattr(signal, "SIGKILL", signal.SIGTERM), 0.0))
"""How a group is asked to end, and for how many seconds it may take its time."""

_running: set[subprocess.Popen[str]] = set()
_lock = threading.Lock()
_closed = False


def start(command: Sequence[str], to_the_end: bool = False, **options: Any) -> subprocess.Popen[str]:
    """Starts ``command`` under a supervisor; ``options`` are Popen's. The exit status is the command's own.

    ``stop_all`` spares a command that is to live to the end of this process.

    Raises RuntimeError after ``stop_all``, so that no thread starts another command while the process is ending.
    """
    with _lock:
        if _closed:
            raise RuntimeError("the run is being stopped")
        # -I -S: the supervisor needs the standard library only, and starts in a hundredth of a second.
        process = subprocess.Popen([sys.executable, "-I", "-S", __file__, *command], stdin=subprocess.PIPE,
                                   encoding="utf-8", errors="replace", **options)  # fmt: skip
        if not to_the_end:
            _running.add(process)
    return process


def stop(process: subprocess.Popen[str]) -> int:
    """Ends the command and everything it started, if that has not happened yet; returns its exit status."""
    assert process.stdin is not None
    process.stdin.close()
    with _lock:
        _running.discard(process)
    return process.wait()


def stop_all() -> None:
    """Ends all commands and refuses new ones: for a process that is about to end. Waits for none of them."""
    global _closed
    with _lock:
        _closed = True
        for process in _running:
            assert process.stdin is not None
            process.stdin.close()


def _end(group: int) -> None:
    for number, patience in INSISTENCE:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: PermissionError for a group of zombies
            os.killpg(group, number)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            try:
                os.killpg(group, 0)
            except (ProcessLookupError, PermissionError):
                return
            time.sleep(0.05)


def _supervise(command: Sequence[str]) -> int:
    # A handler, since an ignored signal would be ignored by the command too. Only the pipe decides.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def watch() -> None:
        while os.read(0, 1):
            pass
        _end(child.pid)

    threading.Thread(target=watch, daemon=True).start()
    status = child.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)  # what it left behind would hold its output open
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(_supervise(sys.argv[1:]))
