"""CK+'s folders and files, as the University of Pittsburgh ships them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from stages.simulate import sequence, skin
from stages.simulate.assets import Assets, load
from stages.simulate.params import Simulate
from stages.simulate.score import draw
from stages.tables.errors import UserError

NOTE = "SIMULATED.txt"
"""Lies in every tree that this stage wrote, so that it never replaces one that it did not."""


@contextmanager
def replaced(root: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``root`` when the block ends well, and is removed when it does not.

    Raises UserError when ``root`` holds something that simulate did not write.
    """
    if root.exists() and not (root / NOTE).is_file() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(
            f"{root}: holds something that simulate did not write; point dataset.root in params.yaml elsewhere,"
            " or remove it yourself"
        )
    temporary = root.with_name(root.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        (temporary / NOTE).write_text(
            "Simulated faces in the layout of CK+: no real person, no recording.\n", encoding="utf-8"
        )
        shutil.rmtree(root, ignore_errors=True)
        temporary.rename(root)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@lru_cache(maxsize=1)
def model() -> tuple[Assets, np.ndarray]:
    """The face model and its wrinkle maps, once a process."""
    assets = load()
    return assets, skin.wrinkle_maps(assets)


def write_subject(root: Path, options: Simulate, item: tuple[int, list[int]]) -> int:
    """Films one subject: ``item`` is the subject's number, from 0, and the emotions of its sessions.

    Every random choice comes from the seed, the subject and the session. Returns the number of frames written.
    """
    number, emotions = item
    assets, maps = model()
    subject = f"S{number + 1:03d}"
    who = sequence.subject(assets, options.variety, np.random.default_rng([options.seed, number, 0]))
    total = 0
    for session, emotion in enumerate(emotions, 1):
        generator = np.random.default_rng([options.seed, number, session])
        length = int(generator.integers(options.frames[0], options.frames[1] + 1))
        score = draw(emotion, length, who.habits, options.variety, generator)
        folders = {
            name: root / name / subject / f"{session:03d}"
            for name in ("cohn-kanade-images", "Emotion", "Landmarks", "FACS")
        }
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        stem = f"{subject}_{session:03d}_"
        for t, (image, points) in enumerate(sequence.film(assets, maps, who, score, options.noise, generator), 1):
            (folders["cohn-kanade-images"] / f"{stem}{t:08d}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
            lines = "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points)
            (folders["Landmarks"] / f"{stem}{t:08d}_landmarks.txt").write_text(lines, encoding="utf-8")
        (folders["Emotion"] / f"{stem}{length:08d}_emotion.txt").write_text(f"   {emotion:.7e}\n", encoding="utf-8")
        units = "".join(f"   {unit:.7e}   {level:.7e}\n" for unit, level in sequence.intensities(score))
        (folders["FACS"] / f"{stem}{length:08d}_facs.txt").write_text(units, encoding="utf-8")
        total += length
    return total
