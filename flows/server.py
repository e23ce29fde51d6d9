"""Prefect's home inside the project, and the server that ``lmf-fer ui`` runs there. Import this before prefect."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import warnings
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from filelock import FileLock, Timeout

from flows import supervised
from stages.tables import files
from stages.tables.errors import UserError

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".prefect"
ADDRESS = HOME / "address"
"""The address of the running server's page, such as http://127.0.0.1:4200."""
LOG = HOME / "server.log"
PATIENCE = 180
"""Seconds for a server to start: in an empty home it first makes its data base."""
LEAST = 50_000_000
"""Free bytes without which the server would not even start."""
UI_LOCK = HOME / "ui.lock"
"""Held while ``lmf-fer ui`` runs; the system frees it when its holder dies."""

FOREIGN = {".env": r"(?im)^\s*(export\s+)?PREFECT_", "prefect.toml": r"\S"}
"""Files of ROOT from which Prefect would read settings too, if this is in them."""
IGNORED: list[str] = []
"""Prefect's settings in the surroundings, such as another project's or an account's: none of them is this project's."""
if "prefect" not in sys.modules:  # else Prefect itself started this process, and has told it its server
    IGNORED = [name for name in os.environ if name.startswith("PREFECT_") and os.environ.pop(name)]
    if os.environ.pop("PYTHONWARNINGS", ""):  # with "error" any library's warning would end the server or the run
        warnings.simplefilter("ignore")
    os.environ |= {"PREFECT_HOME": str(HOME), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}


def local(address: str) -> bool:
    """Whether it is on this machine."""
    return urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")


def healthy(address: str) -> bool:
    """Whether a Prefect server answers there."""
    try:
        opener = build_opener(*[ProxyHandler({})] * local(address))
        with opener.open(f"{address}/api/health", timeout=5) as answer:
            return bool(answer.status == 200 and answer.read() == b"true")
    except (OSError, ValueError, HTTPException):
        return False


def report_to(address: str) -> None:
    """Lets this process and its children report to this server: on this machine by no proxy and no certificate."""
    os.environ["PREFECT_API_URL"] = f"{address}/api"
    if local(address):
        os.environ |= {"no_proxy": "*", "NO_PROXY": "*"}
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):  # a file that is not there would end the run
            os.environ.pop(name, None)


def make_home() -> None:
    """Makes Prefect's folder.

    Raises UserError when nothing can be written or locked there, or when Prefect would read settings from ROOT.
    """
    for name, setting in FOREIGN.items():
        if (ROOT / name).is_file() and re.search(setting, (ROOT / name).read_text(encoding="utf-8", errors="replace")):
            raise UserError(
                f"{ROOT / name}: Prefect would take its settings from there instead of this project's; move them"
            )
    files.write(HOME / ".gitignore", "*\n")
    try:
        with FileLock(HOME / "trial.lock", fallback_to_soft=False):
            pass
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise UserError(
            f"{ROOT}: the file system has no locks ({reason}), which DVC and Prefect need; use a local disk"
        ) from None


def free(port: int = 0) -> int:
    """The port, or a free one for 0. Raises OSError when another program uses it."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        trial.bind(("127.0.0.1", port))
        return int(trial.getsockname()[1])


def serve(port: int) -> subprocess.Popen[str]:
    """Starts a server that ends with this process, and lets this process and its children report to it.

    Raises UserError when the disk has no space for what it writes.
    """
    address = f"http://127.0.0.1:{port}"
    report_to(address)
    os.environ["PREFECT_UI_API_URL"] = f"{address}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    make_home()
    free = shutil.disk_usage(HOME).free
    if free < LEAST:
        raise UserError(
            f"{ROOT}: {free // 10**6} MB are free on the disk, and a run needs {LEAST // 10**6}; free some space"
        )
    with LOG.open("a", encoding="utf-8") as log:
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


def connect(given: str | None = None) -> subprocess.Popen[str] | None:
    """Lets this process report to a server, and prints which.

    It is the ``given`` one, or else that of ``lmf-fer ui`` if it runs, or else this process's own, which is returned.
    Raises UserError when no server answers at the given address.
    """
    own, address = None, page()
    if given is not None:
        address, whose = given.rstrip("/").removesuffix("/api"), "as --server says"
        if not healthy(address):
            raise UserError(f"no Prefect server answers at '{given}'; without --server a run has its own")
        report_to(address)
    elif address is not None:
        whose = "of lmf-fer ui"
        report_to(address)
    else:
        own = serve(port := free())
        atexit.register(supervised.stop, own)  # after Prefect's own last messages, since it is imported later
        address, whose = f"http://127.0.0.1:{port}", "this run's own"
    unread = f"; {', '.join(IGNORED)} is not read, --server names another one" if IGNORED else ""
    print(f"Prefect's server: {address}, {whose}{unread}", file=sys.stderr)
    return own


def page() -> str | None:
    """The address of the server of ``lmf-fer ui``, if it runs."""
    if not ADDRESS.is_file():
        return None
    try:
        with FileLock(UI_LOCK, timeout=0):
            return None  # nobody holds the lock: the address is that of a server that was killed
    except Timeout:
        address = ADDRESS.read_text(encoding="utf-8")
        return address if healthy(address) else None
