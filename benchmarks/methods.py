"""The table with other landmarks: how much of the micro column is the landmarks' error.

    python -m benchmarks.methods dlib-flow ckplus aam aam-flow   # after make reproduce; some eight minutes a method

On simulated faces, landmark.method: ckplus takes the landmarks that the data set comes with, which are true to the last
digit (between a micro sequence's originals they move evenly). Works in a copy of the project, and writes methods.md
beside this file.
"""

from __future__ import annotations

import pandas as pd

from benchmarks import common, project
from stages.tables import stage
from stages.tables.methods import METHODS

SHOWN = [*METHODS, "Linear SVM"]


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("methods", nargs="+", help="values of landmark.method")
    methods = parser.parse_args().methods
    with project.copied() as folder:
        tables = {method: project.percent(folder, f"landmark.method={method}") for method in methods}
    cells = {method: rows.loc[SHOWN].map("{:.2f}".format).agg(" / ".join, axis=1) for method, rows in tables.items()}
    text = f"""{pd.DataFrame(cells).T.rename_axis("landmarks").to_markdown()}

General / micro / mixed accuracy in percent; mixed: mean of all draws.
"""
    common.save("methods", "Other landmarks", text)


if __name__ == "__main__":
    stage.run(main)
