"""How fast clips are read: a clip of 10 s, 640 x 480 pixels, 30 frames a second, from the file to the answer.

    python -m benchmarks.predict SEQUENCE     # folder of one sequence of the data set; after make reproduce

The clip is made of the sequence's own frames, slowed down, with sensor noise. Start-up is not counted, nor is the
clip's first passage, which compiles and loads.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from stages.predict import clips
from stages.predict.predictor import Predictor, measure

FRAMES = 300


def make(file: Path, folder: Path) -> None:
    """The sequence in ``folder`` as a video of FRAMES frames."""
    frames = np.stack(list(clips.frames(folder)))[:, :480, :640].astype(np.float32)
    generator = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 30, (640, 480))
    for time_ in np.linspace(0, len(frames) - 1, FRAMES):
        before = min(int(time_), len(frames) - 2)
        grey = frames[before] + (time_ - before) * (frames[before + 1] - frames[before])
        grey = np.clip(np.rint(grey + generator.normal(0, 1, grey.shape)), 0, 255).astype(np.uint8)
        writer.write(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    writer.release()


def main() -> None:
    predictor = Predictor.load()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip.mp4"
        make(file, Path(sys.argv[1]))
        for _ in range(2):
            start = time.perf_counter()
            answer = predictor.answer(measure(clips.frames(file), predictor.settings, file))
            seconds = time.perf_counter() - start
    print(f"{FRAMES} frames in {seconds:.1f} s: {FRAMES / seconds:.1f} frames/s on one core; {answer.branch} took it")


if __name__ == "__main__":
    main()
