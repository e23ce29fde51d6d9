"""python -m stages.featurize: landmarks.parquet, frames.parquet, micro.parquet -> lmf.parquet, dtagn.parquet."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.featurize.params import Featurize
from stages.featurize.sequence import features, motion
from stages.tables import images, parallel, params, parquet, schema, stage
from stages.tables.errors import UserError

IN, OUT = Path("data/interim"), Path("data/features")
COLUMNS = ["sequence", "subject", "emotion", "fold", "crop_x", "crop_y"]
IMAGES = {schema.GENERAL: IN / "frames.parquet", schema.MICRO: IN / "micro.parquet"}


def featurize(row: dict[str, Any], settings: Featurize, frames: int) -> Any:
    """Both tables' row for one sequence, numbered ``points`` among those of landmarks and ``images`` of the frames.

    Without images there is no row for DTAGN.
    """
    kind = row["set"]
    landmarks = parquet.read_sequence(IN / "landmarks.parquet", schema.LANDMARKS, row["points"])
    points = np.stack([np.stack(list(landmarks[axis])) for axis in ("x", "y")], axis=-1)
    if pd.isna(row["images"]):
        head = {key: row[key] for key in ("sequence", "subject", "emotion", "fold", "set")}
        return head | motion(points, settings.eps, frames), None
    pngs = parquet.read_sequence(IMAGES[kind], schema.FRAMES, int(row["images"]))["png"]
    crops = images.decode(pngs, f"{IMAGES[kind]}: {row['sequence']}")
    return features(row, kind, crops, points, settings, frames)


def plan() -> pd.DataFrame:
    """A line for each sequence of landmarks, in their order: what ``featurize`` needs to know of it.

    Raises UserError when the tables are not of one run.
    """
    sequences = parquet.read(IN / "sequences.parquet", schema.SEQUENCES, COLUMNS)
    stored = pd.concat(
        parquet.keys(path, schema.FRAMES).reset_index(names="images").assign(set=kind) for kind, path in IMAGES.items()
    )
    landmarks = parquet.keys(IN / "landmarks.parquet", schema.LANDMARKS).reset_index(names="points")
    work = landmarks.merge(stored, "left", on=["sequence", "set"]).merge(sequences, on="sequence")
    if len(work) < len(landmarks) or (len(stored) and work["images"].isna().any()):
        raise UserError(f"{IN}: its tables are not of one run; run the stages that write them: dvc repro featurize")
    return work


def main() -> None:
    function = partial(featurize, settings=params.read(Featurize), frames=params.line("protocol.frames", params.Frames))
    work = plan()
    with (
        parquet.Writer(OUT / "lmf.parquet", schema.LMF) as lmf,
        parquet.Writer(OUT / "dtagn.parquet", schema.DTAGN) as dtagn,
    ):
        for maps_row, dtagn_row in parallel.each(function, parquet.records(work), "featurize", total=len(work)):
            lmf.write([maps_row])
            dtagn.write([dtagn_row] if dtagn_row else [])
    counts = f"{lmf.rows} rows of LMF maps, {dtagn.rows} of DTAGN"
    stage.summary("featurize", f"{len(work)} sequences of landmarks -> {counts}")


if __name__ == "__main__":
    stage.run(main, __doc__)
