"""python -m stages.predict PATH...: folders of frames, videos, or trees of them -> what is said of each clip."""

import argparse
import re
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from stages.ingest.sequence import Unusable, printable
from stages.predict import clips, pictures, tables
from stages.predict.predictor import Measured, Predictor, Settings, measure
from stages.tables import room


def measured(clip: Path, settings: Settings) -> Measured | Unusable:
    """A clip's features, or why it has none; in a process of its own."""
    try:
        return measure(clips.frames(clip), settings, clip)
    except Unusable as why:
        return why


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stages.predict", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="folder of frames, video file, or tree")
    parser.add_argument("--out", type=Path, default=Path("results/clips"), help="folder for the tables and pictures")
    parser.add_argument("--video", action="store_true", help="also each clip as a video with what was found, .mp4")
    parser.add_argument("--strip", action="store_true", help="also each clip's frames and LMF maps as a picture, .png")
    arguments = parser.parse_args()
    predictor = Predictor.load()
    found = clips.find(arguments.paths)
    taken: Counter[str] = Counter()
    with tables.Writer(arguments.out, predictor.emotions) as out:
        work = partial(measured, settings=predictor.settings)
        for clip, result in zip(found, room.each(work, found, "predict"), strict=True):
            name = printable(str(clip))
            if isinstance(result, Unusable):
                reason = printable(str(result))
                print(f"{name}: {result.code}: {reason.removeprefix(f'{name}: ')}", file=sys.stderr)
                out.reject(name, result.code, reason)
            else:
                answer = predictor.answer(result)
                taken[answer.branch] += 1
                out.write(name, answer)
                plain = re.sub(r"[^\w.-]+", "_", printable(clip.name))
                picture = arguments.out / f"{taken.total():03}-{plain}"
                if arguments.strip:
                    pictures.strip(picture.with_name(f"{picture.name}.png"), clip, result, answer, predictor)
                if arguments.video:
                    pictures.video(picture.with_name(f"{picture.name}.mp4"), clip, result, answer, predictor)
    if not taken:
        raise room.RoomError(f"none of {len(found)} clips can be used; {arguments.out}/rejected.csv gives the reasons")
    branches = ", ".join(f"{count} by {branch}" for branch, count in taken.most_common())
    room.say("predict", f"{taken.total()} of {len(found)} clips ({branches}) -> {arguments.out}/clips.csv, frames.csv")


if __name__ == "__main__":
    room.run(main)
