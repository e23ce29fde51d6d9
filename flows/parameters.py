"""``params.yaml`` as a whole: its check, the form of a run, and how changes are written into it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import reduce
from importlib import import_module
from importlib.util import find_spec
from operator import getitem
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import yaml
from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import apply_overrides
from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from stages.ingest.params import Dataset
from stages.landmark.params import Landmark
from stages.synthesize.params import Synthesize
from stages.tables import files, params
from stages.tables.errors import UserError
from stages.tables.machine import Machine
from stages.tables.params import PARAMS, Count, Section, Share
from stages.train.params import Train

ROOT = Path(__file__).parents[1]
PIPELINES = (ROOT / "dvc.yaml", ROOT / "data/dvc.yaml", ROOT / "networks/dvc.yaml")
COMMAND = re.compile(r"^ +cmd: python -m (stages[.\w]*)(?: (\w+))?", re.MULTILINE)


def check(path: Path | str = PARAMS) -> dict[str, Any]:
    """Everything that ``params.yaml`` says, after a check of all of it. Raises UserError with what is wrong."""
    return params.check(sections(), path)


def sections() -> list[type[Section]]:
    """The sections of all stages: those in the params.py of each that a pipeline file runs, and in its model's file.

    They are looked for in the commands, so that a new stage or model needs no line here.
    """
    commands = [command for file in PIPELINES for command in COMMAND.findall(file.read_text(encoding="utf-8"))]
    modules = {f"{stage}.params" for stage, _ in commands} | {f"{stage}.{model}" for stage, model in commands if model}
    classes: set[type[Section]] = {Machine}
    for module in filter(find_spec, sorted(modules)):
        values = vars(import_module(module)).values()
        classes |= {it for it in values if isinstance(it, type) and issubclass(it, Section) and it.section}
    return sorted(classes, key=lambda section: section.section)


def _line(name: str, description: str, section: type[Section] | None = None) -> Any:
    """A field for one line of params.yaml, named as there; empty leaves the line as it is.

    With the ``section`` of a line that has a few possible values, the form offers these.
    """
    values = get_args(section.model_fields[name.rpartition(".")[2]].annotation) if section else ()
    choices: dict[str, Any] = {"enum": [*values, None]} if values else {}  # None: what the form sends for an empty one
    return Field(default=None, title=name, description=description, json_schema_extra=choices)


def _without_null(schema: dict[str, Any]) -> None:
    """Prefect's form asks "value or None?" before each field that may be null; an empty field already says so."""
    for field in schema["properties"].values():
        field |= next(kind for kind in field.pop("anyOf") if kind != {"type": "null"})
        del field["default"]


class Changes(BaseModel):
    """The lines of params.yaml that are changed most; for any other there are the overrides."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_without_null)

    dataset: str | None = _line("dataset.name", "What the pipeline reads", Dataset)
    root: str | None = _line("dataset.root", "Folder that holds the data set, such as cohn-kanade-images/ and Emotion/")
    folds: list[int] | None = _line("protocol.folds", "The folds that are tested, one item each")
    subjects: Count | None = _line("simulate.subjects", "Simulated people")
    interpolator: str | None = _line("synthesize.interpolator", "How micro sequences are made", Synthesize)
    landmarks: str | None = _line("landmark.method", "How the 68 points are found", Landmark)
    seed: int | None = _line("train.seed", "Each model and fold derives its own from it")
    profile: str | None = _line(
        "train.profile", "default: narrow networks for a CPU; paper: the published widths, for a GPU", Train
    )
    lmf_epochs: Count | None = _line("train.lmf.schedule.epochs", "Epochs of LMF-FER")
    dtagn_epochs: Count | None = _line("train.dtagn.schedule.epochs", "Epochs of DTAN")
    micro_share: Share | None = _line("evaluate.micro_share", "Chance that a mixed sequence is micro")

    def overrides(self) -> list[str]:
        """The changes as ``dvc exp run -S`` takes them: train.seed=2018."""
        given = self.model_dump(exclude_none=True)
        return [f"{type(self).model_fields[field].title}={json.dumps(value, ensure_ascii=False)}"
                for field, value in given.items()]  # fmt: skip


def apply(overrides: Sequence[str], path: Path = PARAMS) -> list[str]:
    """Writes ``overrides``, in the grammar of ``dvc exp run -S``, into params.yaml; all else there stays as it is.

    Returns a line for each value that changed. Raises UserError for a name that params.yaml does not have, and for a
    value that it may not have, before or after; then nothing is changed.
    """
    before = params.flat(check(path))
    with TemporaryDirectory() as folder:  # DVC would also rewrite lines that do not change
        copy = Path(folder) / path.name
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        try:
            apply_overrides(copy, list(overrides))
        except InvalidArgumentError as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise UserError(f"{path} cannot take {' '.join(overrides)}: {reason}") from None
        after = params.flat(yaml.safe_load(copy.read_text(encoding="utf-8")))
    if before.keys() != after.keys():
        raise UserError(f"{path} has no {', '.join(sorted(before.keys() ^ after.keys()))}; only its own lines change")
    changed = {name: value for name, value in after.items() if value != before[name]}
    if changed:
        _write(changed, path)
    return [f"{path}: {name}: {before[name]} -> {value}" for name, value in changed.items()]


def _write(changed: dict[str, Any], path: Path) -> None:
    """Sets lines of a YAML file by their dotted names, if the whole is valid then; comments and order stay."""
    editor = YAML()
    editor.width, editor.preserve_quotes = 1000, True
    editor.representer.add_representer(  # it would write nothing for null
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    document = editor.load(path.read_text(encoding="utf-8"))
    for name, value in changed.items():
        *above, key = name.split(".")
        section = reduce(getitem, above, document)
        if isinstance(value, list):
            value = CommentedSeq(value)
            value.fa.set_flow_style()
        section[key] = value
    with files.atomic(path) as temporary:
        with temporary.open("w", encoding="utf-8") as file:
            editor.dump(document, file)
        try:
            check(temporary)
        except UserError as error:
            raise UserError(str(error).replace(str(temporary), str(path))) from None
