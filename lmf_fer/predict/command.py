"""``lmf-fer predict``: folders of frames, videos, or trees of them -> tables and pictures of what each clip shows."""

from __future__ import annotations

import re
import sys
from collections import Counter
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

from flows import parameters
from lmf_fer.predict import clips, tables
from lmf_fer.predict.predictor import RUN, Answer, Measured, Predictor, Settings, measure
from lmf_fer.spot.events import Finder
from stages.ingest.sequence import printable
from stages.tables.errors import Unusable, UserError
from stages.tables.parallel import each

RELAXED = 0.5
"""Share of its apex's size below which a clip's expression has relaxed when it ends."""


def predict(
    paths: list[Path], out: Path, video: bool, strip: bool, networks: Literal["auto", "run", "shipped"]
) -> None:
    """Writes the tables of all clips in and below ``paths`` to the folder ``out``, and, if asked, a picture of each.

    A clip that cannot be used is a line on stderr and a row of rejected.csv. Raises UserError when none can be used.
    """
    parameters.check()
    predictor = Predictor.load(networks=networks)
    everything = clips.find(paths)
    branches: Counter[str] = Counter()
    with tables.Writer(out, predictor) as writer:
        work = partial(measured, settings=predictor.settings)
        for clip, result in zip(everything, each(work, everything, "predict"), strict=True):
            name = printable(str(clip))
            if isinstance(result, Unusable):
                reason = printable(str(result))
                print(f"{name}: {result.code}: {reason.removeprefix(f'{name}: ')}", file=sys.stderr)
                writer.reject(name, result.code, reason)
                continue
            answer = predictor.answer(result)
            branches[answer.branch] += 1
            writer.write(name, answer)
            if remark := doubt(clip, answer):
                print(f"{name}: {remark}", file=sys.stderr)
            plain = re.sub(r"[^\w.-]+", "_", printable(clip.name))
            stem = f"{branches.total():03}-{plain}"
            if strip or video:
                from lmf_fer.predict import pictures  # Matplotlib takes long
            if strip:
                pictures.strip(out / f"{stem}.png", clip, result, answer, predictor)
            if video:
                pictures.video(out / f"{stem}.mp4", clip, result, answer, predictor)
    if not branches:
        raise UserError(f"none of {len(everything)} clips can be used; {out}/rejected.csv gives the reasons")
    by_branch = ", ".join(f"{count} by {branch}" for branch, count in branches.most_common())
    whose = "the last run's networks" if predictor.source == RUN else "the shipped network"
    counts = f"{branches.total()} of {len(everything)} clips ({by_branch}) with {whose}"
    print(f"predict: {counts} -> {out}/clips.csv, frames.csv")


def doubt(clip: Path, answer: Answer) -> str | None:
    """Why the landmarks of a clip are not those of one expression from neutral to its height; None if they are."""
    finder, rate, points = Finder(1), clips.rate(clip), answer.landmarks.points
    moments, known = zip(*(finder(k + 1, k / rate, frame) for k, frame in enumerate(points)), strict=True)
    events = [*chain.from_iterable(known), *finder.close()]
    if len(events) > 1:
        return f"holds {len(events)} expressions, and was read as one; lmf-fer spot names each"
    if events and moments[-1].size < RELAXED * events[0].size:
        return (f"its expression is highest in frame {events[0].apex} of {len(points)} and relaxes again, but was read "
                "as one that ends at its height; lmf-fer spot names it at its apex")  # fmt: skip
    return None


def measured(clip: Path, settings: Settings) -> Measured | Unusable:
    """A clip's features, or why it has none; in a process of its own."""
    try:
        return measure(clips.frames(clip), settings, clip)
    except Unusable as why:
        return why
