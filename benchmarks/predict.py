"""How fast clips are read: a clip of 10 s, 640 x 480 pixels, 30 frames a second, from the file to the answer.

    python -m benchmarks.predict data/raw/simulated/cohn-kanade-images/S001/001      # after make reproduce

The clip is made of the frames of the sequence that is named, slowed down, with sensor noise. Starting up does not
count, nor does the first time through the clip, which compiles and loads. Writes predict.md beside this file.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks import common
from lmf_fer.predict import clips
from lmf_fer.predict.predictor import Answer, Predictor, measure
from stages.tables import stage
from stages.tables.errors import Unusable, UserError

FRAMES = 300


def make(file: Path, folder: Path) -> None:
    """The sequence in ``folder`` as a video of FRAMES frames."""
    frames = np.stack(list(clips.frames(folder)))[:, :480, :640].astype(np.float32)
    generator = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 30, (640, 480))
    for moment in np.linspace(0, len(frames) - 1, FRAMES):
        before = min(int(moment), len(frames) - 2)
        grey = frames[before] + (moment - before) * (frames[before + 1] - frames[before])
        grey = np.clip(np.rint(grey + generator.normal(0, 1, grey.shape)), 0, 255).astype(np.uint8)
        writer.write(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    writer.release()


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("sequence", type=Path, help="folder of one sequence of the data set")
    folder, predictor, answers = parser.parse_args().sequence, Predictor.load(), list[Answer]()
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "clip.mp4"
        try:
            make(file, folder)
        except Unusable as why:
            raise UserError(str(why)) from None

        def read() -> None:
            answers.append(predictor.answer(measure(clips.frames(file), predictor.settings, file)))

        seconds = common.fastest(read, 1)
    text = (
        f"{FRAMES} frames in {seconds:.1f} s: {FRAMES / seconds:.1f} frames/s on one core; {answers[0].branch} took it."
    )
    common.save("predict", "How fast clips are read", text)


if __name__ == "__main__":
    stage.run(main)
