"""python -m stages.landmark: the frames of both sets -> 68 landmarks per frame, in native pixels."""

from functools import partial
from pathlib import Path

from stages.landmark.sequence import Settings, jobs, landmarks
from stages.landmark.training import model
from stages.tables import parquet, room
from stages.tables.schema import GENERAL, LANDMARKS, MICRO, REJECTED, SEQUENCES

SEQUENCE_TABLE = Path("data/interim/sequences.parquet")
FRAME_TABLES = {GENERAL: Path("data/interim/frames.parquet"), MICRO: Path("data/interim/micro.parquet")}
LANDMARK_TABLE = Path("data/interim/landmarks.parquet")
REJECTED_TABLE = Path("data/interim/rejected_landmark.parquet")


def main() -> None:
    settings = Settings(
        **room.params("landmark"),
        root=Path(room.params("dataset")["root"]),
        originals=room.params("synthesize")["originals"],
    )
    sequences = parquet.read(SEQUENCE_TABLE, SEQUENCES)
    models = {}
    if settings.method.startswith("aam"):
        folds = sorted(sequences["fold"].unique())
        learn = partial(model, sequences=sequences, path=FRAME_TABLES[GENERAL], root=settings.root)
        models = dict(zip(folds, room.each(learn, folds, "landmark: fit"), strict=True))
    work = [job for which, path in FRAME_TABLES.items() for job in jobs(sequences, path, which)]
    reason = f"{SEQUENCE_TABLE} and {FRAME_TABLES[GENERAL]} share no sequence"
    with parquet.Writer(LANDMARK_TABLE, LANDMARKS) as found, parquet.Writer(REJECTED_TABLE, REJECTED) as rejected:
        for rows, set_aside in room.each(partial(landmarks, settings=settings, models=models), work, "landmark"):
            found.write(rows)
            rejected.write(set_aside)
            reason = set_aside[0]["reason"] if set_aside else reason
        if not found.rows:
            raise room.RoomError(f"no sequence has landmarks; the last one: {reason}")
    counts = f"{len(work)} sequences, {found.rows} frames by {settings.method}, {rejected.rows} rejected"
    room.say("landmark", f"{counts} -> {LANDMARK_TABLE}")


if __name__ == "__main__":
    room.run(main, __doc__)
