"""params.yaml: train, less the sections of the models, which stand in their files."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stages.tables.params import Section, Seed


class Train(Section):
    """What all networks share."""

    section: ClassVar[str] = "train"

    profile: Literal["default", "paper"]  # which of its two widths a network has
    compile: bool  # on a GPU: torch.compile
    threads: Annotated[int, Field(ge=1, le=1024)]  # of one training; it changes how sums are rounded
    seed: Seed  # each model and fold derives its own from it
    held_out: Annotated[float, Field(ge=0, lt=1)]  # share of the training subjects whose loss picks the epoch
