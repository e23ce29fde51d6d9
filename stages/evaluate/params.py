"""``params.yaml``: evaluate."""

from __future__ import annotations

from typing import ClassVar

from stages.tables import params


class Evaluate(params.Section):
    section: ClassVar[str] = "evaluate"

    micro_share: params.Share  # probability that a sequence of the mixed set is the micro one
    draws: params.Count  # mixed sets drawn
    seed: params.Seed  # of the draws
