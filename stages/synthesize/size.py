"""The size of SepConv: what ``params.yaml``, the network and its files all speak of."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stages.tables.params import Count, Section


class Size(Section):
    width: Count  # channels of the first level; each of the five levels doubles them ...
    widest: Count  # ... up to this many
    taps: Annotated[int, Field(ge=1, le=255)]  # length of a filter, px, odd: follows a motion of taps - 1 px
    contrast: Annotated[int, Field(ge=0, le=255)]  # window in which the input gets mean 0 and contrast 1, px; 0: as is
