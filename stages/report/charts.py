"""The figures that are drawn from numbers: evaluate's table and curves, and train's losses."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from stages.report.style import BLUE, COLOURS, MARKERS, MIXED, RECORDINGS, SETS, WIDTH
from stages.tables.methods import DTAGN, JOINT, LMF_FER, METHODS

SIZE = "SFEM, 1/px (logarithmic)"


def table(tidy: pd.DataFrame) -> Figure:
    """The poster's table as a chart: a row per method and set, with Wilson's interval and the poster's value."""
    figure = Figure((WIDTH, 4.2))
    axes = figure.subplots()
    rows = tidy[tidy["method"].isin(METHODS)].set_index(["set", "method"])
    for s, name in enumerate(SETS):
        for m, method in enumerate(METHODS):
            row, y = rows.loc[(name, method)], 4 * s + m
            colour, marker = COLOURS[method], MARKERS[method]
            bar = 100 * np.array([[row["accuracy"] - row["wilson_low"]], [row["wilson_high"] - row["accuracy"]]])
            axes.errorbar(100 * row["accuracy"], y, xerr=bar, fmt=marker, color=colour, capsize=3, clip_on=False)
            if name == MIXED:
                axes.plot(100 * row["mean"], y, "|", color="black", markersize=13, markeredgewidth=1.4)
            if not np.isnan(row["poster_accuracy"]):
                axes.plot(100 * row["poster_accuracy"], y, "D", color="black", markerfacecolor="none", markersize=8)
            share = row["mean"] if name == MIXED else row["accuracy"]
            axes.text(101.5, y, f"{100 * share:.1f}%", va="center", ha="left")
    axes.set_yticks([4 * s + m for s in range(len(SETS)) for m in range(len(METHODS))], METHODS * len(SETS))
    for s, name in enumerate(SETS):
        axes.text(-0.29, 4 * s + 1, name, transform=axes.get_yaxis_transform(), rotation=90, va="center", weight="bold")
        axes.axhline(4 * s - 1, color="#999999", linewidth=0.6) if s else None
    axes.set(xlim=(0, 100), ylim=(10.7, -0.7), xlabel="accuracy, %")
    axes.grid(axis="y", visible=False)
    keys = [
        Line2D([], [], color="#444444", marker="o", label="ours, 95% interval"),
        Line2D([], [], color="black", marker="|", linestyle="", markersize=12, label="ours, mean of all mixed draws"),
        Line2D([], [], color="black", marker="D", linestyle="", markerfacecolor="none", label="the poster (CK+)"),
    ]
    figure.legend(handles=keys, loc="outside upper center", ncols=3, handletextpad=0.5, columnspacing=1.2)
    return figure


def confusion(pairs: pd.DataFrame, emotions: Iterable[str]) -> Figure:
    """A matrix per method and recording: counts in the cells, the share of the actual emotion as shade.

    ``emotions`` names the data set's, in the order of rows and columns; those that occur nowhere are left out.
    """
    occurring = set(pairs.drop(columns="sequence").to_numpy().ravel())
    emotions = [name for name in emotions if name in occurring]
    figure = Figure((WIDTH, 9.2))
    grid = figure.subplots(len(METHODS), 2, sharex=True, sharey=True)
    for m, method in enumerate(METHODS):
        for r, recording in enumerate(RECORDINGS):
            counts = pd.crosstab(pairs["actual"], pairs[f"{method} {recording}"])
            counts = counts.reindex(index=emotions, columns=emotions, fill_value=0)
            _matrix(grid[m, r], counts.to_numpy(), emotions)
            grid[m, r].set_title(f"{method}, {recording}")
            if r == 0:
                grid[m, r].set_ylabel("actual")
        if m == len(METHODS) - 1:
            for axes in grid[m]:
                axes.set_xlabel("predicted")
    return figure


def _matrix(axes: Axes, counts: np.ndarray, names: list[str]) -> None:
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (i, j), count in np.ndenumerate(counts):
        if count:
            axes.text(j, i, count, ha="center", va="center", color="white" if share[i, j] > 0.55 else "black")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    axes.spines[["top", "right"]].set_visible(True)


def gate(sfem: pd.DataFrame, curve: pd.DataFrame, thresholds: list[float]) -> Figure:
    """Above: how large general and micro expressions are, and the gate. Below: what another gate would have given."""
    figure = Figure((WIDTH, 5.2))
    above, below = figure.subplots(2, 1, sharex=True)
    moving = sfem[sfem["sfem"] > 0]
    edges = np.geomspace(moving["sfem"].min(), moving["sfem"].max() * 1.0001, 41)
    for (name, colour), hatch in zip(RECORDINGS.items(), ("", "////"), strict=True):
        values = moving.loc[moving["set"] == name, "sfem"]
        above.hist(values, edges, color=colour, alpha=0.65, hatch=hatch, edgecolor="white", linewidth=0.3, label=name)
    above.set(ylabel="sequences", xscale="log")
    above.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*above.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    limit, mean, colour = curve["threshold"], 100 * curve["mean"], COLOURS[JOINT]
    below.fill_between(limit, 100 * curve["low"], 100 * curve["high"], color=colour, alpha=0.25, linewidth=0)
    below.plot(limit, mean, color=colour)
    below.set(xlabel=SIZE, ylabel="joint framework,\nmixed accuracy, %")
    for axes in (above, below):
        axes.axvspan(min(thresholds), max(thresholds), color="black", alpha=0.35, linewidth=0)
        axes.axvline(float(np.median(thresholds)), color="black", linestyle="--", linewidth=1.2)
    above.text(float(np.median(thresholds)), 1.01, "gate", transform=above.get_xaxis_transform(), ha="center")
    below.text(0.01, 0.04, f"all to {DTAGN}", transform=below.transAxes)
    below.text(0.99, 0.04, f"all to {LMF_FER}", transform=below.transAxes, ha="right")
    _plain(below)
    return figure


def size(bins: pd.DataFrame) -> Figure:
    """Accuracy against the size of the expression."""
    figure = Figure((WIDTH, 3.4))
    axes = figure.subplots()
    for shift, method in zip((0.97, 1.0, 1.03), METHODS, strict=True):
        rows = bins[(bins["method"] == method) & (bins["sfem_median"] > 0)]
        bars = 100 * np.array([rows["accuracy"] - rows["wilson_low"], rows["wilson_high"] - rows["accuracy"]])
        axes.errorbar(rows["sfem_median"] * shift, 100 * rows["accuracy"], yerr=bars, marker=MARKERS[method],
                      color=COLOURS[method], capsize=2, elinewidth=1, label=method)  # fmt: skip
    axes.set(xscale="log", ylim=(0, 104), xlabel=SIZE, ylabel="accuracy, %")
    _plain(axes)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def _plain(axes: Axes) -> None:
    """Numbers one can read on a logarithmic axis: 0.02, 0.05, 0.1, ..."""
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def share(curve: pd.DataFrame, drawn: float) -> Figure:
    """Accuracy on a mixed set against the share of it that is micro."""
    figure = Figure((WIDTH, 3.2))
    axes = figure.subplots()
    for method in METHODS:
        at, mean, sd = curve["micro_share"], 100 * curve[method], 100 * curve[f"{method} sd"]
        axes.fill_between(at, mean - sd, mean + sd, color=COLOURS[method], alpha=0.2, linewidth=0)
        axes.plot(at, mean, MARKERS[method] + "-", color=COLOURS[method], markevery=4, label=method)
    axes.axvline(drawn, color="black", linestyle=":", linewidth=1.2)
    axes.set(xlim=(0, 1), ylim=(None, 102), xlabel="probability that a sequence is the micro one", ylabel="accuracy, %")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def learning(history: pd.DataFrame) -> Figure:
    """The training loss of each network: mean of the folds, lowest and highest fold."""
    networks = list(dict.fromkeys(history["network"]))
    columns = min(2, len(networks))
    lines = -(-len(networks) // columns)
    figure = Figure((WIDTH, 0.4 + 2.0 * lines))
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for axes, network in zip(grid, networks, strict=False):
        losses = history[history["network"] == network].groupby("epoch")["loss"].agg(["mean", "min", "max"])
        axes.fill_between(losses.index, losses["min"], losses["max"], color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(losses.index, losses["mean"], color=BLUE)
        axes.set(title=network, xlabel="epoch", ylabel="training loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    grid[0].set_ylim(0, None)  # of all, once all have drawn
    for axes in grid[1::columns]:
        axes.set_ylabel("")
    for axes in grid[len(networks) :]:
        axes.remove()
    return figure
