"""DVC's own graph of stages, as Prefect needs it: names, and who waits for whom."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path

import networkx as nx
from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo, lock_repo

LOCK_FILES = (Path("dvc.lock"), Path("data/dvc.lock"))

_one_at_a_time = threading.Lock()  # DVC's objects are not made for threads


def stages() -> nx.DiGraph:
    """Every stage that ``dvc repro`` at the repository's root would visit.

    Nodes are addresses, which is what ``dvc repro`` takes; edges lead from a stage to those that wait for it. Stages of
    other pipeline files are there only when something in the root's dvc.yaml needs them, so that real data never runs
    the simulation.
    """
    with Repo() as repo:
        graph = repo.index.graph  # edges point from a stage to what it depends on
        wanted = {stage for stage in graph if stage.path_in_repo == "dvc.yaml"}
        wanted |= {below for stage in wanted for below in nx.descendants(graph, stage)}
        return nx.relabel_nodes(graph.subgraph(wanted).reverse(), lambda stage: stage.addressing)


def order(graph: nx.DiGraph) -> list[str]:
    """The stages in an order in which each comes after those that it waits for."""
    return list(nx.lexicographical_topological_sort(graph))


def mend() -> list[Path]:
    """Removes files that a DVC which was killed left half-written, and which it could not read again.

    Without dvc.lock, DVC takes what it has from its run cache, so nothing runs again that ran to its end.
    """
    removed = []
    with contextlib.suppress(LockError), Repo() as repo, repo.lock:  # held by another process: it is being written
        for path in LOCK_FILES:
            try:
                Lockfile(repo, str(path)).load()
            except DvcException:
                removed.append(path)
        waiting = Path(repo.tmp_dir or "", "rwlock")
        try:
            json.loads(waiting.read_text() if waiting.is_file() else "{}")
        except ValueError:
            removed.append(waiting)
        for path in removed:
            path.unlink()
    return removed


def unchanged(name: str) -> bool:
    """Whether ``dvc repro --single-item`` would skip this stage: DVC's own question, without the start of a process.

    False also when DVC cannot say now, because another process holds its lock: then the command itself is to wait.
    """
    try:
        with _one_at_a_time, Repo() as repo, lock_repo(repo):
            return not any(stage.changed() for stage in repo.stage.collect(name))
    except DvcException:
        return False
