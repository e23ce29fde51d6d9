"""``lmf-fer spot``: films -> a folder for each with its events and frames, then the tables and pages of all of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from flows import parameters
from lmf_fer.predict.predictor import NETWORK, RUN, Answer, Measured, Predictor
from lmf_fer.spot import drawing, films, page, tables
from lmf_fer.spot.album import KEPT, Album
from lmf_fer.spot.events import Event
from lmf_fer.spot.films import PIPE, Film, Live
from lmf_fer.spot.spotter import Spotter
from stages.featurize.sequence import motion
from stages.ingest.sequence import printable
from stages.landmark.landmarker import Landmarks
from stages.tables import files, params, parquet
from stages.tables.errors import Unusable, UserError
from stages.tables.schema import GENERAL
from stages.tables.stage import progress

if sys.platform != "win32":
    import fcntl

AT_ONCE = 256
"""Rows that are written together."""


def spot(
    paths: list[Path],
    out: Path,
    networks: Literal["auto", "run", "shipped"],
    rate: float,
    video: bool = False,
    camera: int | str | None = None,
) -> None:
    """Writes events, frames and rejected of all films in and below ``paths`` to ``out``, and a page of each.

    A film that was finished before with the same parameters is not done again. Raises UserError when none can be used.
    """
    parameters.check()
    live = [Live(camera, rate)] if camera is not None else []
    live += [Live(PIPE, rate)] if Path(PIPE) in paths else []
    if not paths and not live:
        raise UserError("nothing to do: name a film, or a camera with --camera")
    if video and live:
        raise UserError("--video reads a film twice, which a camera or a pipe does not allow; record it first")
    predictor = Predictor.load(networks=networks)
    everything = [*live, *(Film(path, rate) for path in films.find([p for p in paths if p != Path(PIPE)]))]
    folders, usable = [], 0
    for number, film in enumerate(everything, 1):
        folder = out / "films" / _name(film, predictor)
        with _own(folder) as work:
            if film.live or not (folder / "done.json").is_file():
                one(film, work, predictor)
                shutil.rmtree(folder, ignore_errors=True)
                work.rename(folder)
        told = json.loads((folder / "done.json").read_text(encoding="utf-8"))
        if video and told["frames"] and not (folder / "film.mp4").is_file():
            rows = parquet.read(folder / "events.parquet", tables.events(predictor)).to_dict("records")
            shown = [page.brief(row, predictor) for row in rows]
            with _own(folder) as work:
                drawing.video(
                    work / "film.mp4", Film(film.path, rate), folder / "frames.parquet", shown, told["length"]
                )
                (work / "film.mp4").rename(folder / "film.mp4")
        folders.append(folder)
        usable += told["frames"] > 0
        print(f"{film.name}: {told['answer']}", file=sys.stdout if told["frames"] else sys.stderr)
        plain = re.sub(r"[^\w.-]+", "_", printable(film.path.name))
        for file in folder.glob("film.*"):
            if file.suffix == ".html" or video:
                with files.atomic(out / f"{number:03}-{plain}{file.suffix}") as copy:
                    shutil.copyfile(file, copy)
    for kind, table in {"events": tables.events(predictor), "frames": tables.FRAMES,
                        "rejected": tables.REJECTED}.items():  # fmt: skip
        tables.join([folder / f"{kind}.parquet" for folder in folders], out / f"{kind}.parquet", table)
    if not usable:
        raise UserError(f"none of {len(everything)} films can be used; {out}/rejected.csv gives the reasons")
    print(f"spot: {usable} of {len(everything)} films -> {out}/events.csv, frames.csv, rejected.csv, a page of each")


def _name(film: Film, predictor: Predictor) -> str:
    """The name of a film's folder: another file, parameter, network or version of this code gives another."""
    if film.live:
        return film.name.replace(" ", "-")
    path, code = film.path, sorted(Path(__file__).parent.iterdir())
    networks = sorted(Path("results/models").glob("*")) if predictor.source == RUN else [NETWORK]
    about = [str(path.resolve()), predictor.source, str(film.rate), json.dumps(params.values(), default=str)]
    about += [file.read_text(encoding="utf-8") for file in code if file.is_file()]
    inside = sorted(path.iterdir()) if path.is_dir() else [path]
    states = [(file.name, file.stat()) for file in [*inside, *networks] if file.exists()]
    about += [f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states]
    return hashlib.sha256("\n".join(about).encode("utf-8", "surrogateescape")).hexdigest()[:16]


@contextmanager
def _own(folder: Path) -> Iterator[Path]:
    """A working folder beside ``folder``, empty and this process's alone; what one that was killed left is removed."""
    work = folder.with_name(f".{folder.name}")
    work.mkdir(parents=True, exist_ok=True)
    held = os.open(work, os.O_RDONLY)
    try:
        if sys.platform != "win32":
            fcntl.flock(held, fcntl.LOCK_EX)  # another process that does the same film is waited for
        for left in work.iterdir() if work.exists() else ():
            left.unlink()
        yield work
        if work.exists() and not any(work.iterdir()):
            work.rmdir()
    finally:
        os.close(held)


def one(film: Film, folder: Path, predictor: Predictor) -> None:
    """One film into ``folder``: its tables, its page, and what there is to say of it."""
    spotter, album, name = Spotter(predictor.settings.landmark), Album(), film.name
    found: list[dict[str, Any]] = []
    shown = page.Kept(folder / "shown.jsonl")
    waiting: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []

    def ended(events: list[Event]) -> None:
        for event in events:
            answer = _answer(event, album, predictor)
            found.append(tables.row(name, len(found) + 1, event, answer, predictor))
            shown.add(page.shown(found[-1], event, answer, album.of(event), predictor))
            for row in waiting:
                if row["person"] == event.person and event.onset <= row["frame"] <= event.offset:
                    row["event"] = len(found)
            if film.live:
                print(tables.sentence(found[-1]), flush=True)

    with _ends_with_ctrl_c(film), parquet.Writer(folder / "frames.parquet", tables.FRAMES, tables.GROUP) as frames:
        try:
            stream = iter(film)
            start = list(islice(stream, 1))  # now the film knows its length
            for frame in progress(chain(start, stream), printable(film.path.name), total=film.length):
                events = spotter(frame.time, frame.grey)
                for person, (moment, status) in spotter.moments.items():
                    waiting.append({
                        "video": name, "person": person, "frame": moment.frame, "time": moment.time, "status": status,
                        "size": moment.size, "yaw": moment.turn[0], "pitch": moment.turn[1], "event": 0,
                        "x": moment.points[:, 0], "y": moment.points[:, 1],
                    })  # fmt: skip
                    width = spotter.faces.here[person].box.width
                    album.add(person, frame.number, frame.time, frame.grey, moment.points, width)
                ended(events)
                if frame.number % AT_ONCE == 0:
                    album.forget(frame.time)
                    old = sum(row["time"] < frame.time - KEPT for row in waiting)
                    frames.write(waiting[:old])
                    del waiting[:old]
        except Unusable as why:
            rejected.append({"video": name, "code": why.code, "reason": printable(str(why))})
        ended(spotter.close())
        frames.write(waiting)
    rejected += [{"video": name, "code": "marked", "reason": f"{name}: {mark}"} for mark in film.marks]
    if spotter.frame and not frames.rows:
        rejected.append({"video": name, "code": "no face", "reason": f"{name}: shows no frontal face"})
    parquet.write(folder / "events.parquet", tables.events(predictor), found)
    parquet.write(folder / "rejected.parquet", tables.REJECTED, rejected)
    counts = f"{len(found)} expressions" if len(found) > 1 else "1 expression" if found else "no expression"
    answer, notes = counts if frames.rows else "not used", [r["reason"].removeprefix(f"{name}: ") for r in rejected]
    if frames.rows:
        html = page.render(name, answer, folder / "frames.parquet", shown, notes, predictor.source)
        with (folder / "film.html").open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(html)
    shown.path.unlink(missing_ok=True)
    told = {"frames": frames.rows, "length": spotter.frame, "answer": "; ".join([answer, *notes])}
    files.write(folder / "done.json", json.dumps(told))


def _answer(event: Event, album: Album, predictor: Predictor) -> Answer:
    """What the methods say of an event; only a run's networks look at faces."""
    settings, dtagn, width = predictor.settings, {}, 0.0
    moved = motion(event.points, settings.featurize.eps, settings.frames)
    if predictor.source == RUN:
        faces = album.faces(event, settings.featurize.face_size)
        dtagn = {"set": GENERAL, "faces": faces.tobytes(), "points": moved["points"]}
        width = album.of(event)[0].width
    return predictor.answer(Measured(moved, dtagn, Landmarks(event.points, [], np.zeros(0)), round(width)))


@contextmanager
def _ends_with_ctrl_c(film: Film) -> Iterator[None]:
    """In the block, Ctrl-C ends a live film as its end would."""
    if not film.live:
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: setattr(film, "stopped", True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
