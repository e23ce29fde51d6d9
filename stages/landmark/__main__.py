"""python -m stages.landmark: the frames of both sets -> 68 landmarks per frame, in native pixels."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stages.landmark.methods import METHODS
from stages.landmark.params import Landmark
from stages.landmark.sequence import Find, as_shipped, as_tracked, by_landmarker, jobs, landmarks
from stages.tables import parallel, params, parquet, stage
from stages.tables.errors import UserError
from stages.tables.schema import GENERAL, LANDMARKS, MICRO, REJECTED, SEQUENCES

SEQUENCE_TABLE = Path("data/interim/sequences.parquet")
FRAME_TABLES = {GENERAL: Path("data/interim/frames.parquet"), MICRO: Path("data/interim/micro.parquet")}
TRACKS = Path("data/interim/tracks.parquet")
LANDMARK_TABLE = Path("data/interim/landmarks.parquet")
REJECTED_TABLE = Path("data/interim/rejected_landmark.parquet")


def main() -> None:
    settings = params.read(Landmark)
    root, originals = Path(params.line("dataset.root", str)), params.line("protocol.originals", params.Frames)
    frames = params.line("protocol.frames", params.Frames)
    sequences = parquet.read(SEQUENCE_TABLE, SEQUENCES)
    method, models = METHODS[settings.method], {}
    tracks = parquet.keys(TRACKS, LANDMARKS)
    if method.fit and tracks.empty:
        folds = sorted(sequences["fold"].unique())
        fit = partial(method.fit, sequences=sequences, frames=FRAME_TABLES[GENERAL], root=root)
        models = dict(zip(folds, parallel.each(fit, folds, "landmark: fit"), strict=True))
    find: Find
    if method.shipped:
        find = partial(as_shipped, read=method.shipped, root=root, originals=originals)
    elif method.landmarker:
        find = partial(by_landmarker, make=partial(method.landmarker, settings), models=models)
    work: list[Any]
    function: Callable[[Any], tuple[list[dict[str, Any]], list[dict[str, Any]]]]
    if len(tracks):  # the data set is landmarks already
        work = [(name, dict(zip(group["set"], group.index, strict=True))) for name, group in tracks.groupby("sequence")]
        function = partial(as_tracked, path=TRACKS, originals=originals, frames=frames)
    else:
        work = [job for kind, path in FRAME_TABLES.items() for job in jobs(sequences, path, kind)]
        function = partial(landmarks, find=find)
    reason = f"{SEQUENCE_TABLE} and {FRAME_TABLES[GENERAL]} share no sequence"
    with parquet.Writer(LANDMARK_TABLE, LANDMARKS) as table, parquet.Writer(REJECTED_TABLE, REJECTED) as rejected:
        for rows, set_aside in parallel.each(function, work, "landmark"):
            table.write(rows)
            rejected.write(set_aside)
            reason = set_aside[0]["reason"] if set_aside else reason
        if not table.rows:
            raise UserError(f"no sequence has landmarks; the last one: {reason}")
    by = settings.method if tracks.empty else "another program"
    counts = f"{len(work)} sequences, {table.rows} frames by {by}, {rejected.rows} rejected"
    stage.summary("landmark", f"{counts} -> {LANDMARK_TABLE}")


if __name__ == "__main__":
    stage.run(main, __doc__)
