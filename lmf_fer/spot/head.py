"""The average head by which turns are explained: MakeHuman's (CC0), as the simulated faces have it.

python -m lmf_fer.spot.head    # writes head.json beside this file
"""

from __future__ import annotations

import json
from pathlib import Path

from stages.simulate import assets
from stages.tables import files
from stages.tables.points import EYE_CORNERS

FILE = Path(__file__).with_name("head.json")


def make() -> str:
    """The content of head.json: 68 landmarks around the middle of the eyes, x right, y down, z to the camera.

    The unit is the distance of the outer corners of the eyes. Raises UserError when MakeHuman's files are not there.
    """
    model = assets.load()
    points = model.landmarks(model.vertices).astype(float) * [1, -1, 1]
    left, right = points[list(EYE_CORNERS)]
    scale = ((right - left) ** 2).sum() ** 0.5
    head = ((points - (left + right) / 2) / scale).round(4) + 0.0  # no "-0.0"
    lines = ",\n".join(json.dumps(point) for point in head.tolist())
    return f'{{"made by": "python -m lmf_fer.spot.head", "points": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    files.write(FILE, make())
