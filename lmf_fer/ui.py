"""Prefect's server and page on this machine, with the flow ready to be started from its form.

Server, runner and everything they started end with this process, however it ends. All of Prefect's files are in
.prefect/ in the project.
"""

from __future__ import annotations

import signal
import sys
import time

from filelock import FileLock, Timeout

from flows import server, supervised
from stages.tables.errors import UserError

NAME = "this-machine"


def serve(address: str) -> None:
    """The runner: registers the flow at the server and waits for runs of it, one at a time: all work in this folder."""
    server.report_to(address)
    from flows.reproduce import reproduce

    reproduce.serve(name=NAME, limit=1, print_starting_message=False, pause_on_shutdown=False,
                    description=f"Runs in {server.ROOT} and changes its results and its params.yaml.")  # fmt: skip


def open(port: int) -> None:
    """Server and runner on this ``port``, until Ctrl-C. Raises UserError when one of them ends."""
    server.make_home()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        with FileLock(server.UI_LOCK, timeout=0):
            _run(port)
    except Timeout:
        print(
            f"{server.ADDRESS.read_text(encoding='utf-8') if server.ADDRESS.is_file() else 'It'}  is running already."
        )
    except KeyboardInterrupt:
        print("stopped", flush=True)


def _run(port: int) -> None:
    try:
        server.free(port)
    except OSError:
        message = f"port {port} is used by another program; choose another one: make ui PORT={port + 1}"
        raise UserError(message) from None
    runner, prefect = None, server.serve(port)
    try:
        address = server.await_server(prefect)
        server.ADDRESS.write_text(address, encoding="utf-8")
        print(f"{address}  Prefect; to start a run: Deployments, {NAME}, Run. Ctrl-C here stops it all.", flush=True)
        runner = supervised.start([sys.executable, "-m", "lmf_fer", "ui", "--runner", address], cwd=server.ROOT)
        while prefect.poll() is None and runner.poll() is None:
            time.sleep(0.5)
        ended = "runner" if prefect.poll() is None else "server"
        raise UserError(f"Prefect's {ended} ended; start again with make ui (the server's log is {server.LOG})")
    finally:
        server.ADDRESS.unlink(missing_ok=True)
        if runner is not None:
            supervised.stop(runner)  # before the server, which must still hear how its run ended
        supervised.stop(prefect)
