"""Which module reads which data set of tables/datasets.py; what it must have is said in sequence.py."""

from __future__ import annotations

from typing import Any

from stages.ingest import casme2, ckplus, samm, smic

READERS: dict[str, Any] = {"simulated": ckplus, "ckplus": ckplus, "casme2": casme2, "samm": samm, "smic": smic}
