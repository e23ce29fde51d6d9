"""The models by name. Each is one file of this folder that stands alone.

It offers:

    TABLE    the feature table that it reads
    Config   its section of params.yaml
    METHODS  its rows of the results table
    RUN      what surrounds the training of a fold: Run, or for networks NetworkRun (networks.py)
    fit      (rows to learn from, Config, Trainer or None) -> what was learnt, such as a network
    predict  (what was learnt, rows) -> by method, the probabilities of the emotions, float32 (rows, 7)

A network is a torch module made from its Config and what its attribute ``sizes`` holds: so weights.load rebuilds it.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from stages.tables.errors import UserError
from stages.tables.params import Section

FOLDER = Path(__file__).parent


class Run:
    """What surrounds the training of a fold: nothing, for a model that learns at once and leaves no weights.

    ``rows`` are those to learn from, ``trainer`` is what ``fit`` is given to learn with.
    """

    together: ClassVar[bool] = True
    """Whether one command trains all folds, whose predictions fill one table."""
    rows: pd.DataFrame
    trainer: Any = None

    def __init__(self, model: str, fold: int, config: Section, train: pd.DataFrame, table: Path) -> None:
        self.rows = train

    def finish(self, network: Any) -> None:
        """Called when the predictions are written, with what was learnt, or None where the fold has no subjects."""


def names() -> list[str]:
    """All models, sorted: the files here that declare a Config."""
    return sorted(
        file.stem
        for file in FOLDER.glob("*.py")
        if re.search(r"^class Config\(", file.read_text(encoding="utf-8"), re.M)
    )


def load(name: str) -> Any:
    """The model's module. Raises UserError where there is no such model."""
    if name not in names():
        raise UserError(f"there is no model {name!r}; there is {', '.join(names())}")
    return importlib.import_module(f"stages.train.{name}")
