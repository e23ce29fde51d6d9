"""``params.yaml``: the people that SepConv learns on."""

from __future__ import annotations

from typing import ClassVar

from stages.tables.params import Count, Section, Seed


class Portraits(Section):
    section: ClassVar[str] = "portraits"

    people: Count
    pictures: Count  # of each
    seed: Seed
