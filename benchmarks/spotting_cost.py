"""What ``lmf-fer spot`` costs: frames a CPU second from file to page, and memory of an hour of film against a minute.

    python -m benchmarks.spotting_cost              # some minutes on one core

One rendered film of a person with expressions is shown again and again, forwards and backwards. Speed is of all that
the command does with a film (decoding, spotting, naming, tables, page), in CPU seconds of all threads together. Memory
is the largest, as Linux tells it, of a process of its own, which gets the frames one by one at 5 a second, so that an
hour takes minutes.
Writes spotting_cost.md beside this file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks import common, films
from lmf_fer.predict.predictor import Predictor
from lmf_fer.spot import command
from lmf_fer.spot.films import Film, Grey
from stages.simulate.params import Simulate
from stages.tables import params, stage

PERSON, SECONDS = 300, 12.0
"""Who is filmed, and the length of what is shown again and again, s."""
SIZES = {"640 x 490": (640, 490), "3840 x 2160": (3840, 2160)}
FRAMES = {"640 x 490": 900, "3840 x 2160": 240}
SMALL, RATE = (320, 245), 5
"""The picture and the rate of the films whose memory is measured."""
LENGTHS = {"a minute": 60, "an hour": 3600}


class Repeated(Film):
    """A film that shows ``frames`` again and again, ``count`` in all."""

    def __init__(self, frames: list[np.ndarray], count: int) -> None:
        super().__init__(Path("repeated"), RATE)
        self.frames, self.length = frames, count

    def _frames(self) -> Grey:
        for number, frame in enumerate(islice(cycle(self.frames), self.length)):
            yield number / RATE, frame


def there_and_back() -> list[np.ndarray]:
    """A rendered film of an expressive person, forwards and backwards."""
    settings = params.read(Simulate)
    told = films.script(PERSON, SECONDS, True, settings.variety)
    frames = [image for image, _ in films.rendered(PERSON, told, settings.variety, settings.noise)]
    return frames + frames[::-1]


def speed(frames: list[np.ndarray], size: tuple[int, int], count: int, folder: Path) -> float:
    """Frames a CPU second of a video of ``count`` frames in which the picture fills the height."""
    file, (width, height) = folder / "film.mp4", size
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), 30, size)
    for frame in islice(cycle(frames), count):
        across = round(height * frame.shape[1] / frame.shape[0])
        large = cv2.resize(frame, (across, height), interpolation=cv2.INTER_CUBIC)
        side = width - across
        writer.write(cv2.cvtColor(cv2.copyMakeBorder(large, 0, 0, side // 2, side - side // 2, cv2.BORDER_REPLICATE),
                                  cv2.COLOR_GRAY2BGR))  # fmt: skip
    writer.release()
    predictor, work = Predictor.load(networks="shipped"), folder / f"{width}"
    work.mkdir()
    start = time.process_time()
    command.one(Film(file), work, predictor)
    return count / (time.process_time() - start)


def memory(file: Path, seconds: int) -> float:
    """Largest memory, MB, of a process that spots in so many seconds of film."""
    program = [sys.executable, "-m", "benchmarks.spotting_cost", "--memory", str(file), str(seconds)]
    done = subprocess.run(program, cwd=common.ROOT, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--memory", nargs=2, metavar=("FRAMES", "SECONDS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    common.one_thread()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.memory:
            film = Repeated(list(np.load(arguments.memory[0])), RATE * int(arguments.memory[1]))
            command.one(film, folder, Predictor.load(networks="shipped"))
            status = Path("/proc/self/status").read_text(encoding="ascii")  # ru_maxrss is at least the parent's
            print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
            return
        frames = there_and_back()
        rates = {name: speed(frames, size, FRAMES[name], folder) for name, size in SIZES.items()}
        step = len(frames) // round(2 * SECONDS * RATE)
        np.save(
            folder / "frames.npy", [cv2.resize(frame, SMALL, interpolation=cv2.INTER_AREA) for frame in frames[::step]]
        )
        peaks = {name: memory(folder / "frames.npy", seconds) for name, seconds in LENGTHS.items()}
    ratio = peaks["an hour"] / peaks["a minute"]
    text = f"""{common.markdown(pd.DataFrame({"frames a CPU second": rates}), "{:.0f}".format)}
From file to page, one thread.

{common.markdown(pd.DataFrame({"largest memory, MB": peaks}), "{:.0f}".format)}
Films of {SMALL[0]} x {SMALL[1]} px and {RATE} frames a second. An hour takes {ratio:.2f} times the memory of a minute.
"""
    common.save("spotting_cost", "What spotting costs", text)


if __name__ == "__main__":
    stage.run(main)
