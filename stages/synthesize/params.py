"""``params.yaml``: how micro sequences are made."""

from __future__ import annotations

from typing import ClassVar, Literal

from stages.tables.params import Name, Section


class Synthesize(Section):
    section: ClassVar[str] = "synthesize"

    interpolator: Literal["flow", "average", "sepconv", "rife"]
    weights: Name  # file with those of SepConv
