"""Leave one subject out, on any data set: the three lines of params.yaml that this takes, and the run."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from lmf_fer.run import reproduce
from stages.ingest.datasets import DATASETS
from stages.tables.errors import Unusable, UserError


def run(name: str, root: Path, workers: int) -> None:
    """Prints the table of data set ``name`` in ``root``, of as many folds as it has people with a label.

    Raises UserError when it is not there, and as ``run.reproduce``.
    """
    from flows.parameters import Changes

    if name not in DATASETS:
        raise UserError(f"{name} is no data set; there is {', '.join(DATASETS)}")
    count = len(subjects(name, root))
    if count < 2:
        raise UserError(f"{root}: has labels of {count} people; leaving one out takes two")
    changes = Changes(dataset=name, root=str(root.resolve()), folds=list(range(count)))
    print(f"leave-one-subject-out: {count} folds", flush=True)
    print(reproduce(changes.overrides(), workers))


def subjects(name: str, root: Path) -> set[str]:
    """The people of a data set that have a labelled sequence. Raises UserError when it cannot be read."""
    reader, labelled = DATASETS[name].reader, set()
    for sequence in reader.sequences(root):
        with suppress(Unusable):
            reader.emotion(sequence)
            labelled.add(sequence.subject)
    return labelled
