"""python -m stages.ingest: the data set's tree -> sequences, frames, tracks, rejected_ingest and classes.parquet."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from stages.ingest import datasets, faces, protocol
from stages.ingest.params import Dataset, Ingest
from stages.ingest.sequence import Sequence, printable
from stages.tables import parallel, params, parquet, schema, stage
from stages.tables.errors import Unusable, UserError

SEQUENCES_PATH = "data/interim/sequences.parquet"
FRAMES_PATH = "data/interim/frames.parquet"
TRACKS_PATH = "data/interim/tracks.parquet"
REJECTED_PATH = "data/interim/rejected_ingest.parquet"
CLASSES_PATH = "data/interim/classes.parquet"


def main() -> None:
    dataset, options = params.read(Dataset), params.read(Ingest)
    known = datasets.DATASETS[dataset.name]
    recorded = known.reader.sequences(Path(dataset.root))
    recorded = [sequence.with_middle() for sequence in recorded] if options.middle_apex else recorded
    labelled: list[tuple[Sequence, int]] = []
    rejected: list[dict[str, str]] = []

    def reject(sequence: Sequence, why: Unusable) -> None:
        rejected.append(Unusable(why.code, printable(why.reason)).rejected(sequence.name, "ingest"))

    for sequence in recorded:
        try:
            labelled.append((sequence, known.reader.emotion(sequence)))
        except Unusable as why:
            reject(sequence, why)

    def group(sequence: Sequence) -> str:
        return sequence.dataset if options.folds_by == "dataset" else sequence.subject

    groups = {group(sequence) for sequence, _ in labelled}
    if options.folds_by == "dataset" and len(groups) < 2:
        raise UserError(f"params.yaml: ingest.folds_by: dataset needs several data sets, and {dataset.name} is one")
    fold = protocol.folds(groups, len(params.line("protocol.folds", params.Folds)))
    rows: list[dict[str, Any]] = []
    with (
        parquet.Writer(FRAMES_PATH, schema.FRAMES) as frames,
        parquet.Writer(TRACKS_PATH, schema.LANDMARKS) as tracks,
    ):
        read: Any = known.reader.measured if known.tracks else partial(
            faces.crops_or_reason, files=known.reader.frames, options=options)  # fmt: skip
        results = parallel.each(read, [sequence for sequence, _ in labelled], "ingest")
        for (sequence, emotion), result in zip(labelled, results, strict=True):
            if isinstance(result, Unusable):
                reject(sequence, result)
                continue
            geometry, recorded_frames = result
            count = len(recorded_frames[schema.GENERAL] if known.tracks else recorded_frames)
            names = {"subject": printable(sequence.subject), "session": printable(sequence.session)}
            names |= {"dataset": sequence.dataset or dataset.name, "apex": sequence.ends}
            numbers = {"emotion": emotion, "frames": count, "fold": fold[group(sequence)]}
            rows.append({"sequence": sequence.name} | names | numbers | geometry)
            if known.tracks:
                tracks.write(landmarks(sequence.name, recorded_frames))
            else:
                pngs = enumerate(recorded_frames, 1)
                frames.write([{"sequence": sequence.name, "frame": i, "png": png} for i, png in pngs])
        if len({row["subject"] for row in rows}) < 2:
            first = f"; the first reason: {rejected[0]['reason']}" if rejected else ""
            raise UserError(f"{dataset.root}: {len(rows)} usable sequences of fewer than two subjects{first}")
    parquet.write(SEQUENCES_PATH, schema.SEQUENCES, rows)
    parquet.write(REJECTED_PATH, schema.REJECTED, rejected)
    parquet.write(CLASSES_PATH, schema.CLASSES, datasets.classes(dataset.name))
    reasons = ", ".join(f"{count} {code}" for code, count in sorted(Counter(r["code"] for r in rejected).items()))
    counts = len(recorded), len({sequence.subject for sequence in recorded})
    other = known.sequences and not known.whole(*counts)
    whole = f"; {counts[0]} sequences of {counts[1]} subjects, published: {known.sequences} of {known.subjects}"
    what = f"{tracks.rows} frames of landmarks" if known.tracks else f"{frames.rows} face crops"
    line = f"{dataset.root} -> {len(rows)} of {counts[0]} sequences, {what}, {len({*fold.values()})}"
    stage.summary("ingest", f"{line} folds; set aside: {reasons or 'none'}{whole if other else ''}")


def landmarks(sequence: str, points: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the landmark table of a sequence that came as landmarks: ``points`` (frames, 68, 2) by set."""
    return [
        {"sequence": sequence, "set": kind, "frame": i, "x": p[:, 0], "y": p[:, 1], "status": "given", "jitter": 0.0}
        for kind, values in points.items()
        for i, p in enumerate(values, 1)
    ]


if __name__ == "__main__":
    stage.run(main, __doc__)
