"""A few noiseless pictures of one person, cropped around the face."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from stages.simulate import sequence, tree
from stages.simulate.params import Variety
from stages.simulate.plan import SUBJECTS
from stages.simulate.score import draw
from stages.tables import images
from stages.tables.schema import EMOTIONS

FIRST = 10_000 * SUBJECTS
"""Number of the first person: far beyond any subject of the data set, so that nobody is in both."""
MARGIN = 0.25
"""Around the landmarks, in widths of the face."""


def portraits(number: int, pictures: int, seed: int, variety: Variety) -> list[dict[str, Any]]:
    """Rows of a frames table: person ``number``, from neutral to the apex of one emotion, in ``pictures`` steps."""
    assets, maps = tree.model()
    who = sequence.subject(assets, variety, np.random.default_rng([seed, FIRST + number, 0]))
    generator = np.random.default_rng([seed, FIRST + number, 1])
    score = draw(number % len(EMOTIONS) + 1, 2 * pictures, who.habits, variety, generator)
    kept = np.linspace(0, 2 * pictures - 1, pictures).round().astype(int)
    score = replace(score, actions=score.actions[kept], poses=score.poses[kept])
    filmed = list(sequence.film(assets, maps, who, score, 0.0, generator))
    points = filmed[0][1]
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * (high[0] - low[0])
    left, top = np.maximum(low - margin, 0).astype(int)
    right, bottom = (high + margin).astype(int)
    return [
        {"sequence": f"P{number:03d}/001", "frame": t, "png": images.encode(image[top:bottom, left:right])}
        for t, (image, _) in enumerate(filmed, 1)
    ]
