"""DVC's own graph of stages, as Prefect needs it: names, and who waits for whom."""

from __future__ import annotations

import networkx as nx
from dvc.repo import Repo


def stages() -> dict[str, list[str]]:
    """Every stage that ``dvc repro`` at the repository's root would visit, in dependency order.

    Returns {address: addresses it depends on}, an address being what ``dvc repro`` takes. Stages of other pipeline
    files are there only when something in the root's dvc.yaml needs them, so that real data never runs the simulation.
    """
    with Repo() as repo:
        graph = repo.index.graph  # edges point from a stage to what it depends on
        wanted = {stage for stage in graph if stage.path_in_repo == "dvc.yaml"}
        wanted |= {below for stage in wanted for below in nx.descendants(graph, stage)}
        upward = graph.subgraph(wanted).reverse()
        order = nx.lexicographical_topological_sort(upward, key=lambda stage: stage.addressing)
        return {stage.addressing: sorted(below.addressing for below in graph.successors(stage)) for stage in order}
