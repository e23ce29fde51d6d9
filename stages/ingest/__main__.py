"""python -m stages.ingest: the data set's tree -> sequences.parquet, frames.parquet, rejected_ingest.parquet."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from stages.ingest import ckplus, faces, protocol
from stages.tables import parquet, room, schema

OUT = Path("data/interim")


def ingest(item: tuple[ckplus.Sequence, int], margin: float, upsample: int) -> Any:
    """One labelled sequence's row and crops, or the reason why it cannot be used."""
    sequence, _ = item
    try:
        return faces.face_crops(ckplus.frames(sequence), margin, upsample)
    except ckplus.Unusable as why:
        return why


def main() -> None:
    dataset, options = room.params("dataset"), room.params("ingest")
    found = ckplus.sequences(Path(dataset["root"]))
    labelled: list[tuple[ckplus.Sequence, int]] = []
    rejected: list[dict[str, str]] = []

    def reject(sequence: ckplus.Sequence, why: ckplus.Unusable) -> None:
        rejected.append(
            {"sequence": sequence.name, "stage": "ingest", "code": why.code, "reason": ckplus.printable(str(why))}
        )

    for sequence in found:
        try:
            labelled.append((sequence, ckplus.emotion(sequence)))
        except ckplus.Unusable as why:
            reject(sequence, why)
    fold = protocol.folds((sequence.subject for sequence, _ in labelled), len(room.params("protocol")["folds"]))
    rows: list[dict[str, Any]] = []
    with parquet.Writer(OUT / "frames.parquet", schema.FRAMES) as frames:
        results = room.each(partial(ingest, **options), labelled, "ingest")
        for (sequence, emotion), result in zip(labelled, results, strict=True):
            if isinstance(result, ckplus.Unusable):
                reject(sequence, result)
                continue
            geometry, pngs = result
            row = {
                "sequence": sequence.name,
                "subject": ckplus.printable(sequence.subject),
                "session": ckplus.printable(sequence.session),
            }
            rows.append(row | {"emotion": emotion, "frames": len(pngs), "fold": fold[sequence.subject]} | geometry)
            frames.write([{"sequence": sequence.name, "frame": i, "png": png} for i, png in enumerate(pngs, 1)])
        if len({row["subject"] for row in rows}) < 2:
            first = f"; the first reason: {rejected[0]['reason']}" if rejected else ""
            raise room.RoomError(f"{dataset['root']}: {len(rows)} usable sequences of fewer than two subjects{first}")
    parquet.write(OUT / "sequences.parquet", schema.SEQUENCES, rows)
    parquet.write(OUT / "rejected_ingest.parquet", schema.REJECTED, rejected)
    reasons = ", ".join(f"{count} {code}" for code, count in sorted(Counter(r["code"] for r in rejected).items()))
    room.say("ingest", f"{dataset['root']} -> {len(rows)} of {len(found)} sequences, {frames.rows} face crops, "
             f"{len(set(fold.values()))} folds; set aside: {reasons or 'none'}")  # fmt: skip


if __name__ == "__main__":
    room.run(main)
