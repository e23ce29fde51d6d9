"""python -m flows.ui: Prefect's server and page on this machine, with the flow ready to be started from its form.

Runs until Ctrl-C. Server, runner and everything they started end with it, however it ends. All of Prefect's files are
in .prefect/ in the project.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time

from filelock import FileLock, Timeout

from flows import home, supervised

NAME = "this-machine"


def serve() -> None:
    """The runner: registers the flow and waits for runs of it, one at a time, since all work in this folder."""
    from flows.reproduce import reproduce

    reproduce.serve(name=NAME, limit=1, print_starting_message=False, pause_on_shutdown=False,
                    description=f"Runs in {home.ROOT} and changes its results and its params.yaml.")  # fmt: skip


def run(port: int) -> None:
    """Server and runner, until one of them ends or this process is stopped."""
    try:
        home.free(port)
    except OSError:
        sys.exit(f"error: port {port} is used by another program; choose another one: make ui PORT={port + 1}")
    runner, server = None, home.serve(port)
    try:
        address = home.await_server(server)
        home.ADDRESS.write_text(address)
        print(f"{address}  Prefect; to start a run: Deployments, {NAME}, Run. Ctrl-C here stops it all.", flush=True)
        runner = supervised.start([sys.executable, "-m", "flows.ui", "--runner"], cwd=home.ROOT)
        while server.poll() is None and runner.poll() is None:
            time.sleep(0.5)
        ended = "runner" if server.poll() is None else "server"
        sys.exit(f"error: Prefect's {ended} ended; start again with make ui (the server's words are in {home.LOG})")
    finally:
        home.ADDRESS.unlink(missing_ok=True)
        if runner is not None:
            supervised.stop(runner)  # before the server, which is to learn how its run ended
        supervised.stop(server)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m flows.ui", description=__doc__)
    parser.add_argument("--port", type=int, default=4200)
    parser.add_argument("--runner", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.runner:
        return serve()
    home.HOME.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        with FileLock(home.UI_LOCK, timeout=0):
            run(arguments.port)
    except Timeout:
        print(f"{home.ADDRESS.read_text() if home.ADDRESS.is_file() else 'It'}  is running already.")
    except KeyboardInterrupt:
        print("stopped", flush=True)


if __name__ == "__main__":
    main()
