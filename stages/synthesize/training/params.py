"""``params.yaml``: the training of SepConv."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from stages.synthesize.size import Size
from stages.tables.params import Count, Factor, Noise, Pixels, Range, Section, Seed


class Warps(Section):
    """What the triplets that it learns from are like."""

    patch: Annotated[int, Field(ge=8, le=1024)]  # side of the middle frame, px
    motion: Pixels  # largest motion between the first and the last frame
    noise: Noise  # largest standard deviation of the sensor noise in the first and the last frame, grey levels
    smooth: Range[Pixels]  # distance over which the motion changes


class Schedule(Section):
    """How long and how fast it learns."""

    steps: Count  # batches
    batch: Count  # triplets
    learning_rate: Factor  # of Muon: peak, after a warm-up of a twentieth of the steps, then falling to 0
    guidance: Annotated[float, Field(ge=0)]  # weight of the distance to cubic interpolation's filters, at the start


class Sepconv(Section):
    section: ClassVar[str] = "sepconv"

    network: Size
    warps: Warps
    schedule: Schedule
    seed: Seed
