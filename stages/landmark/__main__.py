"""python -m stages.landmark: the frames of both sets -> 68 landmarks per frame, in native pixels."""

from functools import partial
from pathlib import Path

from stages.landmark.methods import METHODS
from stages.landmark.params import Landmark
from stages.landmark.sequence import Find, as_shipped, by_landmarker, jobs, landmarks
from stages.tables import parallel, params, parquet, stage
from stages.tables.errors import UserError
from stages.tables.schema import GENERAL, LANDMARKS, MICRO, REJECTED, SEQUENCES

SEQUENCE_TABLE = Path("data/interim/sequences.parquet")
FRAME_TABLES = {GENERAL: Path("data/interim/frames.parquet"), MICRO: Path("data/interim/micro.parquet")}
LANDMARK_TABLE = Path("data/interim/landmarks.parquet")
REJECTED_TABLE = Path("data/interim/rejected_landmark.parquet")


def main() -> None:
    settings = params.read(Landmark)
    root, originals = Path(params.line("dataset.root", str)), params.line("protocol.originals", params.Frames)
    sequences = parquet.read(SEQUENCE_TABLE, SEQUENCES)
    method, models = METHODS[settings.method], {}
    if method.fit:
        folds = sorted(sequences["fold"].unique())
        fit = partial(method.fit, sequences=sequences, frames=FRAME_TABLES[GENERAL], root=root)
        models = dict(zip(folds, parallel.each(fit, folds, "landmark: fit"), strict=True))
    find: Find
    if method.shipped:
        find = partial(as_shipped, read=method.shipped, root=root, originals=originals)
    elif method.landmarker:
        find = partial(by_landmarker, make=partial(method.landmarker, settings), models=models)
    work = [job for kind, path in FRAME_TABLES.items() for job in jobs(sequences, path, kind)]
    reason = f"{SEQUENCE_TABLE} and {FRAME_TABLES[GENERAL]} share no sequence"
    with parquet.Writer(LANDMARK_TABLE, LANDMARKS) as table, parquet.Writer(REJECTED_TABLE, REJECTED) as rejected:
        for rows, set_aside in parallel.each(partial(landmarks, find=find), work, "landmark"):
            table.write(rows)
            rejected.write(set_aside)
            reason = set_aside[0]["reason"] if set_aside else reason
        if not table.rows:
            raise UserError(f"no sequence has landmarks; the last one: {reason}")
    counts = f"{len(work)} sequences, {table.rows} frames by {settings.method}, {rejected.rows} rejected"
    stage.summary("landmark", f"{counts} -> {LANDMARK_TABLE}")


if __name__ == "__main__":
    stage.run(main, __doc__)
