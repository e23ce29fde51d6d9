"""DVC's own graph of stages: what dvc.yaml declares, for those who show it and those who run it."""

from __future__ import annotations

import sqlite3
from contextlib import nullcontext

import networkx as nx
from dvc.exceptions import DvcException
from dvc.repo import Repo

from stages.tables.errors import UserError


def graph(opened: Repo | None = None) -> nx.DiGraph:
    """Every stage that ``dvc repro`` at the repository's root would visit.

    Nodes are addresses, which is what ``dvc repro`` takes, with the stage's command as ``cmd`` and the paths that it
    writes as ``outs``; edges lead from a stage to those that wait for it. Stages of other pipeline files are there
    only when something in the root's dvc.yaml needs them, so that real data never runs the simulation. A repository
    that is ``opened`` already has parsed its files.

    Raises UserError when DVC cannot read the pipeline.
    """
    try:
        with nullcontext(opened) if opened else Repo() as repo:
            whole = repo.index.graph  # edges point from a stage to what it depends on
            wanted = {stage for stage in whole if stage.path_in_repo == "dvc.yaml"}
            wanted |= {below for stage in wanted for below in nx.descendants(whole, stage)}
            stages = nx.relabel_nodes(whole.subgraph(wanted).reverse(), lambda stage: stage.addressing)
            for stage in wanted:
                outs = [out.def_path for out in stage.outs]
                stages.nodes[stage.addressing].update(cmd=getattr(stage, "cmd", None), outs=outs)
            return stages
    except DvcException as error:
        raise UserError(f"dvc.yaml: DVC cannot read the pipeline here ({error}); run from the repository") from None
    except (OSError, sqlite3.Error) as error:
        raise UserError(f"DVC cannot write its files ({error}); free some space or change its permissions") from None


def order(stages: nx.DiGraph) -> list[str]:
    """The addresses in an order in which each comes after those that it waits for."""
    return list(nx.lexicographical_topological_sort(stages))
