"""The table with other landmarks: how much of the micro column is the landmarks' error.

    python -m benchmarks.methods ckplus aam aam-flow    # after make reproduce; some eight minutes a method on two cores

On simulated faces, landmark.method: ckplus takes the landmarks that the data set comes with, which are true to the last
digit (between a micro sequence's originals they move evenly). Works in a copy of the project, as benchmarks.variant
does, and writes methods.md beside this file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from benchmarks.variant import copied, run
from stages.tables import panel, room

HERE = Path(__file__).parent
SHOWN = ("DTAGN", "LMF-FER", "Joint framework", "Linear SVM")


def percent(folder: Path, landmarks: str) -> pd.Series:
    """General, micro and mixed accuracy of the methods of the table, in percent."""
    table = pd.read_csv(folder / "results/table.csv").pivot_table(index="method", columns="set", values="mean")
    cells = table[["general", "micro", "mixed"]].mul(100).map("{:.2f}".format).agg(" / ".join, axis=1)
    return cells.loc[list(SHOWN)].rename(landmarks)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.methods", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("methods", nargs="+", help="values of landmark.method beside the last run's")
    methods = parser.parse_args().methods
    with copied() as folder:
        rows = [percent(folder, panel.read(folder / "params.yaml")["landmark"]["method"])]
        for method in methods:
            run(f"python -m flows.reproduce -S landmark.method={method}", folder)
            rows.append(percent(folder, method))
    text = f"""{pd.DataFrame(rows).rename_axis("landmarks").to_markdown()}

General / micro / mixed accuracy in percent; mixed: mean of all draws.
"""
    print(text)
    with room.renamed(HERE / "methods.md") as file:
        file.write_text(text)


if __name__ == "__main__":
    room.run(main)
