"""The form of a run: which lines of params.yaml it changes, and how they are written there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import yaml
from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import apply_overrides
from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

PARAMS = Path("params.yaml")


class Section(BaseModel):
    """Some lines of params.yaml; what is left empty stays as it is there."""

    model_config = ConfigDict(extra="forbid")


class Dataset(Section):
    """What the pipeline reads."""

    name: Literal["simulated", "ckplus"] | None = None
    root: str | None = Field(default=None, description="Folder that holds cohn-kanade-images/ and Emotion/")


class Protocol(Section):
    """Who is tested when."""

    folds: list[int] | None = Field(default=None, description="Subject-independent folds")


class Simulate(Section):
    """The embedded data set; real data never runs this."""

    subjects: int | None = Field(default=None, gt=1, description="People")


class Synthesize(Section):
    """Micro sequences."""

    interpolator: Literal["flow", "average"] | None = None


class Landmark(Section):
    """How the 68 points are found."""

    method: Literal["dlib-flow", "dlib", "aam-flow", "aam", "ckplus"] | None = None


class Schedule(Section):
    """How long and how fast a network learns."""

    epochs: int | None = Field(default=None, gt=0)
    learning_rate: float | None = Field(default=None, gt=0)


class Network(Section):
    """One network."""

    width: float | None = Field(default=None, gt=0, description="Multiplies the channels; 1 is the published network")
    schedule: Schedule = Schedule()


class Train(Section):
    """The two networks."""

    seed: int | None = None
    lmf: Network = Field(default=Network(), title="LMF-FER")
    dtagn: Network = Field(default=Network(), title="DTAGN")


class Evaluate(Section):
    """The results table."""

    micro_share: float | None = Field(default=None, ge=0, le=1, description="Chance that a mixed sequence is micro")


class Changes(Section):
    """The lines of params.yaml that are changed most; every other one goes through the overrides."""

    dataset: Dataset = Dataset()
    protocol: Protocol = Protocol()
    simulate: Simulate = Simulate()
    synthesize: Synthesize = Synthesize()
    landmark: Landmark = Landmark()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()

    def overrides(self) -> list[str]:
        """The changes as ``dvc exp run -S`` takes them: train.lmf.width=0.125."""
        given = _flat(self.model_dump(exclude_none=True))
        return [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given]


def apply(overrides: Sequence[str], path: Path = PARAMS) -> list[str]:
    """Writes ``overrides``, in the grammar of ``dvc exp run -S``, into params.yaml; all else there stays as it is.

    Returns a line for each value that changed. Raises ValueError for a name that params.yaml does not have.
    """
    text = path.read_text()
    before = dict(_flat(yaml.safe_load(text)))
    with TemporaryDirectory() as folder:  # DVC would also rewrite lines that do not change
        copy = Path(folder) / path.name
        copy.write_text(text)
        try:
            apply_overrides(copy, list(overrides))
        except InvalidArgumentError as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise ValueError(f"{path} cannot take {' '.join(overrides)}: {reason}") from None
        after = dict(_flat(yaml.safe_load(copy.read_text())))
    if before.keys() != after.keys():
        raise ValueError(f"{path} has no {', '.join(sorted(before.keys() ^ after.keys()))}; only its own lines change")
    changed = {name: value for name, value in after.items() if value != before[name]}
    if changed:
        editor = YAML()
        editor.width, editor.preserve_quotes = 1000, True
        document = editor.load(text)
        for name, value in changed.items():
            *sections, key = name.split(".")
            section = reduce(getitem, sections, document)
            if isinstance(value, list):
                value = CommentedSeq(value)
                value.fa.set_flow_style()
            section[key] = value
        temporary = path.with_name(path.name + ".tmp")
        with temporary.open("w", encoding="utf-8") as file:
            editor.dump(document, file)
        os.replace(temporary, path)
    return [f"{path}: {name}: {before[name]} -> {value}" for name, value in changed.items()]


def value(name: str, path: Path = PARAMS) -> Any:
    """One line of params.yaml, by its name, such as train.threads."""
    return dict(_flat(yaml.safe_load(path.read_text())))[name]


def _flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
