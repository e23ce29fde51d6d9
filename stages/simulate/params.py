"""``params.yaml``: the simulated data set."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from stages.tables.params import Noise, Range, Section, Seed


class Simulate(Section):
    section: ClassVar[str] = "simulate"

    subjects: Annotated[int, Field(ge=1, le=10_000)]  # people
    sequences: Annotated[int, Field(ge=1, le=6)]  # at most, of a subject
    frames: Range[Annotated[int, Field(ge=4, le=1000)]]  # in a sequence
    noise: Noise  # standard deviation of the sensor noise, grey levels
    seed: Seed
