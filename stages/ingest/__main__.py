"""python -m stages.ingest: the data set's tree -> sequences.parquet, frames.parquet, rejected_ingest.parquet."""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from stages.ingest import faces, protocol
from stages.ingest.sequence import Sequence, Unusable, printable, reader
from stages.tables import parquet, room, schema
from stages.tables.datasets import DATASETS

OUT = Path("data/interim")


def ingest(item: tuple[Sequence, int], name: str, margin: float, upsample: int) -> Any:
    """One labelled sequence's row and crops, or the reason why it cannot be used."""
    sequence, _ = item
    try:
        return faces.face_crops(reader(name).frames(sequence), margin, upsample)
    except Unusable as why:
        return why


def main() -> None:
    dataset, options = room.params("dataset"), room.params("ingest")
    name, source = dataset["name"], reader(dataset["name"])
    found = source.sequences(Path(dataset["root"]))
    labelled: list[tuple[Sequence, int]] = []
    rejected: list[dict[str, str]] = []

    def reject(sequence: Sequence, why: Unusable) -> None:
        rejected.append({"sequence": sequence.name, "stage": "ingest", "code": why.code, "reason": printable(str(why))})

    for sequence in found:
        try:
            labelled.append((sequence, source.emotion(sequence)))
        except Unusable as why:
            reject(sequence, why)
    fold = protocol.folds((sequence.subject for sequence, _ in labelled), len(room.params("protocol")["folds"]))
    rows: list[dict[str, Any]] = []
    with parquet.Writer(OUT / "frames.parquet", schema.FRAMES) as frames:
        results = room.each(partial(ingest, name=name, **options), labelled, "ingest")
        for (sequence, emotion), result in zip(labelled, results, strict=True):
            if isinstance(result, Unusable):
                reject(sequence, result)
                continue
            geometry, pngs = result
            row = {
                "sequence": sequence.name,
                "subject": printable(sequence.subject),
                "session": printable(sequence.session),
            }
            rows.append(row | {"emotion": emotion, "frames": len(pngs), "fold": fold[sequence.subject]} | geometry)
            frames.write([{"sequence": sequence.name, "frame": i, "png": png} for i, png in enumerate(pngs, 1)])
        if len({row["subject"] for row in rows}) < 2:
            first = f"; the first reason: {rejected[0]['reason']}" if rejected else ""
            raise room.RoomError(f"{dataset['root']}: {len(rows)} usable sequences of fewer than two subjects{first}")
    parquet.write(OUT / "sequences.parquet", schema.SEQUENCES, rows)
    parquet.write(OUT / "rejected_ingest.parquet", schema.REJECTED, rejected)
    reasons = ", ".join(f"{count} {code}" for code, count in sorted(Counter(r["code"] for r in rejected).items()))
    counts, known = (len(found), len({sequence.subject for sequence in found})), DATASETS[name]
    other = known.sequences and counts != (known.sequences, known.subjects)
    whole = f"; {counts[0]} sequences of {counts[1]} subjects, published: {known.sequences} of {known.subjects}"
    room.say("ingest", f"{dataset['root']} -> {len(rows)} of {len(found)} sequences, {frames.rows} face crops, "
             f"{len(set(fold.values()))} folds; set aside: {reasons or 'none'}{whole if other else ''}")  # fmt: skip


if __name__ == "__main__":
    room.run(main, __doc__)
