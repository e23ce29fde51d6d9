"""The table over several seeds of training: how much of it is chance.

    python -m benchmarks.seeds 2017 2018 2019        # after make reproduce; some seven minutes a seed on two cores

Works in a copy of the project, where only what depends on the seed runs again. Writes seeds.md beside this file: mean
and standard deviation over the seeds, least and most, and how often the joint framework is best.
"""

from __future__ import annotations

import pandas as pd

from benchmarks import common, project
from stages.tables import stage
from stages.tables.methods import DTAGN, JOINT, LMF_FER


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("seeds", nargs="+", type=int, help="values of train.seed; the data stay as they are")
    seeds = parser.parse_args().seeds
    with project.copied() as folder:
        tables = {seed: project.percent(folder, f"train.seed={seed}") for seed in seeds}
    rows = pd.concat(tables, names=["seed"])
    cells = rows.groupby("method").agg(lambda v: f"{v.mean():.2f} ± {v.std():.2f} ({v.min():.2f} to {v.max():.2f})")
    mixed = rows["mixed"].unstack("method")
    best = int((mixed[JOINT] > mixed[[DTAGN, LMF_FER]].max(axis=1)).sum())
    text = f"""{cells.to_markdown()}

Percent, over the training seeds {", ".join(map(str, seeds))}: mean, standard deviation, least and most. On the mixed
set the {JOINT.lower()} is above both {DTAGN} and {LMF_FER} in {best} of {len(mixed)} seeds.
"""
    common.save("seeds", "Seeds of training", text)


if __name__ == "__main__":
    stage.run(main)
