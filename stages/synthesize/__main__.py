"""frames.parquet -> micro.parquet: the first frames of every sequence, interpolated to the working length."""

from __future__ import annotations

from functools import partial

from stages.synthesize.interpolators import NETWORKS, choose
from stages.synthesize.micro import synthesize
from stages.synthesize.recursion import depth
from stages.tables import parquet, room
from stages.tables.schema import FRAMES, REJECTED, SEQUENCES

SEQUENCES_PATH = "data/interim/sequences.parquet"
FRAMES_PATH = "data/interim/frames.parquet"
MICRO_PATH = "data/interim/micro.parquet"
REJECTED_PATH = "data/interim/rejected_synthesize.parquet"


def main() -> None:
    chosen = room.params("synthesize")
    levels = depth(chosen["originals"], room.params("protocol")["frames"])
    device = str(room.device()) if chosen["interpolator"] in NETWORKS else "cpu"  # asking takes torch
    interpolator = (chosen["interpolator"], chosen["weights"], device)
    choose(*interpolator)  # a wrong name or a wrong file fails here, before any work
    names = parquet.read(SEQUENCES_PATH, SEQUENCES, ["sequence"])["sequence"]
    work = partial(
        synthesize,
        path=FRAMES_PATH,
        originals=chosen["originals"],
        levels=levels,
        interpolator=interpolator,
    )
    kept = 0
    with parquet.Writer(MICRO_PATH, FRAMES) as micro, parquet.Writer(REJECTED_PATH, REJECTED) as rejected:
        for frames, reasons in room.each(work, list(enumerate(names)), "synthesize"):
            micro.write(frames)
            rejected.write(reasons)
            kept += bool(frames)
    room.say(
        "synthesize",
        f"read {len(names)} sequences, interpolated {kept} with '{chosen['interpolator']}' ({len(names) - kept}"
        f" rejected), wrote {micro.rows} frames to {MICRO_PATH}",
    )


if __name__ == "__main__":
    room.run(main, __doc__)
