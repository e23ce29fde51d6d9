"""``params.yaml``: the data set, the protocol, and how faces are cropped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from stages.ingest.datasets import DATASETS
from stages.tables.params import Folds, Name, Section

if TYPE_CHECKING:  # no type checker knows the names
    DatasetName: TypeAlias = str
else:
    DatasetName = Literal[tuple(DATASETS)]


class Dataset(Section):
    section: ClassVar[str] = "dataset"

    name: DatasetName
    root: Name  # the folder that holds its archives

    @model_validator(mode="after")
    def _simulation_stays_in_the_project(self) -> Dataset:
        outside = Path(self.root).is_absolute() or ".." in Path(self.root).parts
        if self.name == "simulated" and outside:
            raise ValueError(f"root is {self.root!r}, outside of this project, where nothing is simulated")
        return self


class Protocol(Section):
    section: ClassVar[str] = "protocol"

    folds: Folds
    frames: Annotated[int, Field(ge=3, le=257)]  # of a sequence that LMF sees
    originals: Annotated[int, Field(ge=2, le=257)]  # first frames that a micro sequence is made from

    @model_validator(mode="after")
    def _midpoints_reach_the_working_length(self) -> Protocol:
        gaps, wanted = self.originals - 1, self.frames - 1
        if wanted % gaps or (wanted // gaps).bit_count() != 1:
            raise ValueError(
                f"midpoints cannot turn protocol.originals: {self.originals} into protocol.frames: {self.frames};"
                " choose them so that frames - 1 is originals - 1 doubled a few times (3 and 9, 5 and 9, 2 and 9)"
            )
        return self


class Ingest(Section):
    section: ClassVar[str] = "ingest"

    margin: Annotated[float, Field(ge=0, le=2)]  # of the crop on each side of the face box, box sides
    upsample: Annotated[int, Field(ge=0, le=3)]  # times the frame is doubled before the face detector runs
    folds_by: Literal["subject", "dataset"]  # what is never in training and test at once
    middle_apex: bool  # whether the frame in the middle stands for an apex that is not coded, or cannot be
