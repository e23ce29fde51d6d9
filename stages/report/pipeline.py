"""DVC's graph of stages as a figure: what is declared in dvc.yaml, not what somebody remembers of it."""

from __future__ import annotations

import textwrap
from pathlib import PurePosixPath
from typing import NamedTuple

import networkx as nx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from stages.report.style import WIDTH

BOX = (0.3, 0.68)
"""Largest width of a box as a share of the figure's, and its height in layers."""
GAP = 0.03
"""Between boxes side by side, as a share of the figure's width."""
LANES = (0.8, 0.98)
"""Between which shares of the figure's width the lines of further inputs run down."""
GREY = "#777777"


class Stage(NamedTuple):
    """A stage of DVC's: the addresses of those it depends on, and the paths it writes."""

    needs: list[str]
    outs: list[str]


def collapse(stages: dict[str, Stage]) -> nx.DiGraph:
    """The graph with one node for all folds of a model, edges in the direction in which data flow.

    ``stages`` maps addresses, for example ``train@lmf-0``, to stages. A node's ``count`` is the number of stages that
    it stands for, its ``outs`` the names of what they write.
    """
    graph = nx.DiGraph()
    for address, stage in sorted(stages.items()):
        name, folds = family(address)
        graph.add_node(name, count=graph.nodes[name]["count"] + 1 if name in graph else 1)
        paths = [PurePosixPath(out) for out in stage.outs]
        graph.nodes[name]["outs"] = list(dict.fromkeys(path.parent.name if folds else path.stem for path in paths))
    for address, stage in stages.items():
        graph.add_edges_from((family(below)[0], family(address)[0]) for below in stage.needs)
    return graph


def family(address: str) -> tuple[str, bool]:
    """The name without pipeline file and fold, and whether it has folds: ``train@lmf-0`` is one of ``train lmf``."""
    name, _, item = address.rpartition(":")[2].partition("@")
    return f"{name} {item.rpartition('-')[0]}".strip(), bool(item)


def draw(graph: nx.DiGraph) -> Figure:
    """Boxes from top to bottom in the order in which data flow, each with what it writes."""
    layers = [sorted(layer) for layer in nx.topological_generations(graph)]
    width = min(BOX[0], (LANES[0] - GAP) / max(map(len, layers)) - GAP)
    place = {
        name: ((LANES[0] - GAP) / 2 + (i - (len(layer) - 1) / 2) * (width + GAP), -float(depth))
        for depth, layer in enumerate(layers)
        for i, name in enumerate(layer)
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
    sources = sorted({start for start, _ in further}, key=lambda name: (place[name][1], name))
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
    for name, (x, y) in place.items():
        _box(axes, x, y, width, name, **graph.nodes[name])
    return figure


def _box(axes: Axes, x: float, y: float, width: float, name: str, count: int, outs: list[str]) -> None:
    height = BOX[1]
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(FancyBboxPatch(corner, width, height, "square,pad=0", facecolor="#e8f1f8", edgecolor="#0072B2"))
    axes.text(x, y + 0.14, f"{name} (x {count})" if count > 1 else name, ha="center", va="center", weight="bold")
    axes.text(x, y - 0.14, textwrap.fill(", ".join(outs), int(113 * width)), ha="center", va="center", fontsize=7)
