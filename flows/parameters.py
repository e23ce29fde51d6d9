"""The form of a run: which lines of params.yaml it changes, and how they are written there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import apply_overrides
from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from stages.tables import panel, room

PARAMS = Path("params.yaml")


def _line(name: str, description: str, **limits: Any) -> Any:
    """A field for one line of params.yaml, named as there; empty leaves the line as it is."""
    return Field(default=None, title=name, description=description, **limits)


def _without_null(schema: dict[str, Any]) -> None:
    """Prefect's form asks "value or None?" before each field that may be null; an empty field already says so."""
    for field in schema["properties"].values():
        field |= next(kind for kind in field.pop("anyOf") if kind != {"type": "null"})
        del field["default"]
        if "enum" in field:
            field["enum"].append(None)  # what the form sends for an empty one


class Changes(BaseModel):
    """The lines of params.yaml that are changed most; for any other there are the overrides."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_null)

    dataset: panel.DatasetName | None = _line("dataset.name", "What the pipeline reads")
    root: str | None = _line("dataset.root", "Folder that holds the data set, such as cohn-kanade-images/ and Emotion/")
    folds: list[int] | None = _line("protocol.folds", "The folds that are tested, one item each")
    subjects: int | None = _line("simulate.subjects", "Simulated people", ge=2)
    interpolator: panel.Interpolator | None = _line("synthesize.interpolator", "How micro sequences are made")
    landmarks: panel.LandmarkMethod | None = _line("landmark.method", "How the 68 points are found")
    seed: int | None = _line("train.seed", "Each model and fold derives its own from it")
    profile: panel.Profile | None = _line(
        "train.profile", "default: narrow networks for a CPU; paper: the published widths, for a GPU"
    )
    lmf_epochs: int | None = _line("train.lmf.schedule.epochs", "Epochs of LMF-FER", ge=1)
    dtagn_epochs: int | None = _line("train.dtagn.schedule.epochs", "Epochs of DTAN", ge=1)
    micro_share: float | None = _line("evaluate.micro_share", "Chance that a mixed sequence is micro", ge=0, le=1)

    def overrides(self) -> list[str]:
        """The changes as ``dvc exp run -S`` takes them: train.seed=2018."""
        given = self.model_dump(exclude_none=True)
        return [f"{type(self).model_fields[field].title}={json.dumps(value, ensure_ascii=False)}"
                for field, value in given.items()]  # fmt: skip


def apply(overrides: Sequence[str], path: Path = PARAMS) -> list[str]:
    """Writes ``overrides``, in the grammar of ``dvc exp run -S``, into params.yaml; all else there stays as it is.

    Returns a line for each value that changed. Raises ValueError for a name that params.yaml does not have, and
    RoomError for a value that it may not have, before or after; then nothing is changed.
    """
    panel.read(path)
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
        editor.representer.add_representer(  # it would write nothing for null
            type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
        )
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
        try:
            panel.read(temporary)
        except room.RoomError as error:
            temporary.unlink()
            raise room.RoomError(str(error).replace(temporary.name, path.name)) from None
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
