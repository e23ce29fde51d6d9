"""Prefect's home inside the project, and the server that ``lmf-fer ui`` runs there. Import this before prefect."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

from filelock import FileLock, Timeout

from flows import supervised
from stages.tables.errors import UserError

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".prefect"
ADDRESS = HOME / "address"
"""The address of the running server's page, such as http://127.0.0.1:4200."""
LOG = HOME / "server.log"
PATIENCE = 180
"""Seconds for a server to start: in an empty home it first makes its data base."""
UI_LOCK = HOME / "ui.lock"
"""Held while ``lmf-fer ui`` runs; the system frees it when its holder dies."""

os.environ.setdefault("PREFECT_HOME", str(HOME))
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")


def healthy(address: str) -> bool:
    """Whether a Prefect server answers there."""
    try:
        with urlopen(f"{address}/api/health", timeout=5) as answer:
            return bool(answer.status == 200 and answer.read() == b"true")
    except (OSError, ValueError):
        return False


def free(port: int = 0) -> int:
    """The port, or a free one for 0. Raises OSError when another program uses it."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind(("127.0.0.1", port))
        return int(trial.getsockname()[1])


def serve(port: int) -> subprocess.Popen[str]:
    """Starts a server that ends with this process, and lets this process and its children report to it."""
    address = f"http://127.0.0.1:{port}"
    os.environ |= {"PREFECT_API_URL": f"{address}/api", "PREFECT_UI_API_URL": f"{address}/api"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    HOME.mkdir(exist_ok=True)
    with LOG.open("a") as log:
        return supervised.start(command, to_the_end=True, stdout=log, stderr=log)


def await_server(server: subprocess.Popen[str]) -> str:
    """The address of a server that was started, once it answers. Raises UserError when it does not start."""
    address = os.environ["PREFECT_API_URL"].removesuffix("/api")
    until = time.monotonic() + PATIENCE
    while not healthy(address):
        if server.poll() is not None or time.monotonic() > until:
            raise UserError(f"Prefect's server did not start; its log is {LOG}")
        time.sleep(0.2)
    return address


def connect() -> subprocess.Popen[str] | None:
    """Lets this process report to the server of ``lmf-fer ui`` if it runs, or else to its own, which it returns."""
    if "PREFECT_API_URL" in os.environ:
        return None
    if ADDRESS.is_file():
        try:
            with FileLock(UI_LOCK, timeout=0):
                pass  # nobody holds the lock: the address is that of a server that was killed
        except Timeout:
            if healthy(address := ADDRESS.read_text()):
                os.environ["PREFECT_API_URL"] = f"{address}/api"
                return None
    server = serve(free())
    atexit.register(supervised.stop, server)  # after Prefect's own last messages, since it is imported later
    return server
