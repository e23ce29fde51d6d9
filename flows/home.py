"""Prefect's home inside the project, and the server that ``make ui`` runs there. Import this before prefect."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from urllib.request import urlopen

from filelock import FileLock, Timeout

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".prefect"
ADDRESS = HOME / "address"
"""The address of the running server's page, such as http://127.0.0.1:4200."""
UI_LOCK = HOME / "ui.lock"
"""Held while ``make ui`` runs; the system frees it when its holder dies."""

os.environ.setdefault("PREFECT_HOME", str(HOME))
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# The first start of an empty home creates its data base, which takes a while on a slow disk.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")


def healthy(address: str) -> bool:
    """Whether a Prefect server answers there."""
    try:
        with urlopen(f"{address}/api/health", timeout=5) as answer:
            return bool(answer.status == 200 and answer.read() == b"true")
    except (OSError, ValueError):
        return False


def connect() -> None:
    """Lets this process report to the server of ``make ui``, if it runs; otherwise Prefect starts one for the run."""
    if "PREFECT_API_URL" in os.environ or not ADDRESS.is_file():
        return
    with contextlib.suppress(Timeout), FileLock(UI_LOCK, timeout=0):
        return  # nobody holds the lock: the address is that of a server that was killed
    if healthy(address := ADDRESS.read_text()):
        os.environ["PREFECT_API_URL"] = f"{address}/api"
