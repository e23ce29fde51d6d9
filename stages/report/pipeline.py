"""DVC's graph of stages as a figure."""

from __future__ import annotations

import textwrap
from pathlib import PurePosixPath

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from stages.report.style import BLUE, WIDTH

BOX = (0.3, 0.68)
"""Largest width of a box as a share of the figure's, and its height in layers."""
GAP = 0.03
"""Between boxes side by side, as a share of the figure's width."""
LANES = (0.8, 0.98)
"""Between which shares of the figure's width the lines of further inputs run down."""
GREY = "#777777"


def collapse(stages: nx.DiGraph) -> nx.DiGraph:
    """DVC's graph (stages/tables/pipeline.py) with one node for all folds of a model.

    Edges keep the direction in which data flow. A node's ``count`` is the number of stages that it stands for, its
    ``outs`` the names of what they write.
    """
    graph = nx.DiGraph()
    for address, outs in sorted(stages.nodes(data="outs")):
        shown = name(address)
        graph.add_node(shown, count=graph.nodes[shown]["count"] + 1 if shown in graph else 1)
        graph.nodes[shown]["outs"] = list(dict.fromkeys(map(_short, outs)))
    graph.add_edges_from((name(start), name(end)) for start, end in stages.edges)
    return graph


def _short(out: str) -> str:
    """The name of a table, or of what lies in results/, where a folder stands for all of its files."""
    parts = PurePosixPath(out).parts
    return PurePosixPath(parts[1] if parts[0] == "results" else parts[-1]).stem


def name(address: str) -> str:
    """A stage's name without pipeline file and fold: ``train-lmf@0`` is one of ``train-lmf``."""
    return address.rpartition(":")[2].partition("@")[0]


def draw(graph: nx.DiGraph) -> Figure:
    """Boxes from top to bottom in the order in which data flow, each with what it writes."""
    layers = [sorted(layer) for layer in nx.topological_generations(graph)]
    width = min(BOX[0], (LANES[0] - GAP) / max(map(len, layers)) - GAP)
    place = {
        node: ((LANES[0] - GAP) / 2 + (i - (len(layer) - 1) / 2) * (width + GAP), -float(depth))
        for depth, layer in enumerate(layers)
        for i, node in enumerate(layer)
    }
    figure = Figure((WIDTH, 0.8 * len(layers)))
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0.5 - len(layers), 0.5))
    axes.axis("off")
    direct = set(nx.transitive_reduction(graph).edges)
    for (x0, y0), (x1, y1) in [(place[start], place[end]) for start, end in sorted(direct)]:
        ends = (x0, y0 - BOX[1] / 2), (x1, y1 + BOX[1] / 2)
        axes.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=9, shrinkA=0, shrinkB=0, zorder=1))
    further = sorted(set(graph.edges) - direct)
    sources = sorted({start for start, _ in further}, key=lambda node: (place[node][1], node))
    for number, source in enumerate(sources):  # one line down from each source, the farthest up outermost
        lane, shift = (
            LANES[0] + (LANES[1] - LANES[0]) * number / max(len(sources) - 1, 1),
            0.09 * number - 0.045 * (len(sources) - 1),
        )
        targets = [end for start, end in further if start == source]
        (x, y), lowest = place[source], min(place[end][1] for end in targets) + shift
        axes.plot([x + width / 2, lane, lane], [y, y, lowest], color=GREY, linewidth=0.8, zorder=0)
        for x, y in (place[end] for end in targets):
            ends = (lane, y + shift), (x + width / 2, y + shift)
            axes.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=7, color=GREY, linewidth=0.8,
                                           shrinkA=0, shrinkB=0, zorder=0))  # fmt: skip
    for node, (x, y) in place.items():
        _box(axes, x, y, width, node, **graph.nodes[node])
    return figure


def _box(axes: Axes, x: float, y: float, width: float, title: str, count: int, outs: list[str]) -> None:
    height = BOX[1]
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(FancyBboxPatch(corner, width, height, "square,pad=0", facecolor="#e8f1f8", edgecolor=BLUE))
    axes.text(x, y + 0.14, f"{title} (x {count})" if count > 1 else title, ha="center", va="center", weight="bold")
    axes.text(x, y - 0.14, textwrap.fill(", ".join(outs), int(113 * width)), ha="center", va="center", fontsize=7)
