"""How long the stages took, and how much memory, as a table: one row for all folds of a model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import networkx as nx

from stages.report.pipeline import collapse, name

ITSELF = "report"
"""Is still running when the table is written."""


class Time(NamedTuple):
    """When a stage last started, seconds since 1970, how many seconds it took, and its largest process, bytes."""

    started: float
    seconds: float
    memory: int = 0  # files of earlier versions lack it


class Row(NamedTuple):
    """``recorded`` of ``stages`` have a time; ``seconds`` is their sum, ``started`` the first one's, if any.

    ``gigabytes`` is the largest process of all.
    """

    name: str
    stages: int
    recorded: int
    seconds: float
    longest: float
    started: str | None
    gigabytes: float


def rows(stages: nx.DiGraph, times: Mapping[str, Time]) -> list[Row]:
    """A row per stage, or per model with all of its folds, in the order in which data flow.

    ``stages`` is DVC's graph (stages/tables/pipeline.py), whose addresses ``times`` has too.
    """
    table = []
    for shown in nx.lexicographical_topological_sort(collapse(stages)):
        members = [address for address in stages if name(address) == shown]
        own = [times[address] for address in members if address in times]
        seconds = [time.seconds for time in own]
        first = min((time.started for time in own), default=None)
        started = None if first is None else datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%d %H:%M")
        if shown != ITSELF:
            longest, memory = max(seconds, default=0.0), max((time.memory for time in own), default=0) / 1e9
            table.append(Row(shown, len(members), len(own), sum(seconds), longest, started, memory))
    return table
