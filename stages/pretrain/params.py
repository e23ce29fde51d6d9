"""``params.yaml``: what the shipped network learns from, and how."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from stages.tables.params import Range, Section, Seed
from stages.train import lmf


class Pretrain(Section):
    """None of its lines belongs to another stage, so that no change for a data set makes the shipped network stale."""

    section: ClassVar[str] = "pretrain"

    people: Annotated[int, Field(ge=2, le=100_000_000)]  # actors, each with one sequence
    frames: Range[Annotated[int, Field(ge=4, le=1000)]]  # in a sequence
    seed: Seed  # of the actors and of the training
    profile: Literal["default", "paper"]  # which of its two widths the network has
    threads: Annotated[int, Field(ge=1, le=1024)]  # of the training; it changes how sums are rounded
    lmf: lmf.Config  # the network and its training; an epoch sees each actor once

    @model_validator(mode="after")
    def _fills_a_batch(self) -> Pretrain:
        if self.people < self.lmf.schedule.batch:
            raise ValueError("people must be as many as lmf.schedule.batch at least")
        return self
