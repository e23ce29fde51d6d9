"""Films as people have them: every format, damaged ones, a kill in the middle, a pipe, and the page of a film."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lmf_fer.predict import clips
from lmf_fer.predict.command import doubt
from lmf_fer.predict.predictor import Answer
from lmf_fer.spot import Spotter, command, films, page, tables
from lmf_fer.spot.album import KEPT, Album
from lmf_fer.spot.events import AROUND, LONGEST
from lmf_fer.spot.films import Film
from stages.landmark.landmarker import Landmarks
from stages.landmark.params import Landmark
from stages.tables import params, parquet
from stages.tables.errors import Unusable, UserError
from tests import browser
from tests.conftest import ROOT, write_params
from tests.test_spot import track

ODD = 103


def written(file: Path, frames: list[np.ndarray], code: str = "mp4v", rate: float = 15) -> Path:
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*code), rate, frames[0].shape[1::-1])
    for frame in frames:
        writer.write(frame if frame.ndim == 3 else cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return file


def ramps(count: int = 20) -> list[np.ndarray]:
    """Frames of 160 x 120 that are told apart by their grey, bright above and dark below."""
    frames = [np.full((120, 160), 100 + 3 * k, np.uint8) for k in range(count)]
    for frame in frames:
        frame[60:] //= 2
    return frames


def spot(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "lmf_fer", "spot", *words], cwd=folder, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv", "a.flv", "a.ts", "a.mts", "a.gif", "a.webp", "a.tif"])
def test_every_format_has_its_frames_in_time(tmp_path: Path, name: str) -> None:
    frames, file = ramps(), tmp_path / name
    if file.suffix in films.ANIMATED:
        first, *others = map(Image.fromarray, frames)
        how = {"a.tif": {}, "a.webp": {"duration": 40, "lossless": True}}.get(name, {"duration": 40})
        first.save(file, save_all=True, append_images=others, **how)  # lossy WebP joins frames that are alike
    else:
        written(file, frames, {".flv": "FLV1", ".avi": "MJPG", ".mkv": "MJPG"}.get(file.suffix, "mp4v"), 25)
    assert films.find([tmp_path]) == [file]
    film = Film(file, 25)
    read = list(film)
    assert [frame.number for frame in read] == list(range(1, 21))
    np.testing.assert_allclose([frame.time for frame in read], np.arange(20) / 25, atol=2e-3)
    for frame, made in zip(read, frames, strict=True):
        assert abs(float(frame.grey[:50].mean()) - float(made[:50].mean())) < 5
    assert film.marks == []


def test_rotated_recordings_and_pictures_stand_upright(tmp_path: Path) -> None:
    written(tmp_path / "turned.mp4", ramps())
    content = (tmp_path / "turned.mp4").read_bytes()
    one, none = (value.to_bytes(4, "big", signed=True) for value in (1 << 16, 0))
    upright = one + none * 3 + one
    assert content.count(upright) == 2, "the matrices of the film and of its one track"
    place = content.rindex(upright)
    turned = none + one + none + (-(1 << 16)).to_bytes(4, "big", signed=True) + none
    (tmp_path / "turned.mp4").write_bytes(content[:place] + turned + content[place + len(turned) :])
    picture = Image.fromarray(ramps()[0])
    exif = picture.getexif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    (tmp_path / "folder").mkdir()
    picture.save(tmp_path / "folder/1.jpg", exif=exif)
    for name in ("turned.mp4", "folder"):
        grey = next(iter(Film(tmp_path / name))).grey
        assert grey.shape == (160, 120), name
        assert grey[:, 80:].mean() > 1.5 * grey[:, :40].mean(), f"{name}: what was above is on the right"


def test_linked_folders_are_searched_and_loops_are_not(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "films").mkdir()
    written(tmp_path / "elsewhere/a.avi", ramps(2), "MJPG")
    (tmp_path / "films/link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere/loop").symlink_to(tmp_path / "films", target_is_directory=True)
    assert films.find([tmp_path / "films"]) == [tmp_path / "films/link/a.avi"]


def odd(folder: Path) -> Iterator[tuple[Path, bool]]:
    """ODD films that are damaged or strange, and whether all their frames are there all the same."""
    generator = np.random.default_rng(0)
    whole = {code: written(folder / f"whole.{end}", ramps(40), code).read_bytes()
             for code, end in (("mp4v", "mp4"), ("MJPG", "avi"))}  # fmt: skip
    pictures = [Image.fromarray(frame) for frame in ramps(40)]
    pictures[0].save(folder / "whole.gif", save_all=True, append_images=pictures[1:], duration=40)
    whole["gif"] = (folder / "whole.gif").read_bytes()
    for code, content in whole.items():
        end = {"mp4v": "mp4", "MJPG": "avi"}.get(code, code)
        for k in range(16):  # cut short
            file = folder / f"cut {k} {code}.{end}"
            file.write_bytes(content[: len(content) * k // 16])
            yield file, False
        for k in range(14):  # bytes that fell over
            spoilt = np.frombuffer(content, np.uint8).copy()
            places = generator.integers(0, len(spoilt), 2 ** (k // 2 + 1))
            spoilt[places] = generator.integers(0, 256, len(places))
            file = folder / f"spoilt {k} {code}.{end}"
            file.write_bytes(spoilt.tobytes())
            yield file, False
    for name, code in (("avi.mp4", "MJPG"), ("mp4.gif", "mp4v"), ("gif.mov", "gif")):  # another ending
        (folder / name).write_bytes(whole[code])
        yield folder / name, True
    hours = bytearray(whole["MJPG"])
    for place in (hours.index(b"avih") + 24, hours.index(b"strh") + 40):  # the frames that its two headers tell
        hours[place : place + 4] = (8 * 3600 * 15).to_bytes(4, "little")
    (folder / "hours.avi").write_bytes(hours)
    (folder / "sizes").mkdir()
    for k, frame in enumerate(ramps(40)):
        cv2.imwrite(str(folder / f"sizes/{k}.png"), cv2.resize(frame, (200, 150)) if k < 20 else frame)
    (folder / "dots").mkdir()
    Image.new("L", (1, 1)).save(folder / "dots/1.png")
    yield from ((folder / name, False) for name in ("hours.avi", "sizes", "dots"))
    for name, size in (("dot", (1, 1)), ("line", (2000, 2)), ("small", (64, 64))):
        Image.new("L", size).save(folder / f"{name}.png")
        yield folder / f"{name}.png", False
    (folder / "list.ts").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    (folder / "text.mp4").write_text("no video")
    (folder / "nothing").mkdir()
    yield from ((folder / name, False) for name in ("list.ts", "text.mp4", "nothing", "nowhere.mp4"))


def test_a_hundred_odd_films_get_a_sentence_or_a_mark(tmp_path: Path) -> None:
    count = 0
    for file, whole in odd(tmp_path):
        film, frames, sentence = Film(file), 0, ""
        try:
            for _ in film:
                frames += 1
        except Unusable as why:
            sentence = str(why)
            assert sentence.startswith(str(file)), sentence
        assert whole == (frames == 40 and not film.marks) or "spoilt" in file.name, (file.name, frames, film.marks)
        assert frames > 0 or sentence, file.name
        if file.name == "hours.avi":
            assert film.marks == ["ends after 40 of the 432000 frames that its header tells"]
        if file.name == "sizes":
            assert film.marks == ["changes the size of its frames 1 times; each change counts as a cut"]
        if "cut" in file.name and 0 < frames < 39 and not file.name.endswith("gif"):
            assert film.marks == [f"ends after {frames} of the 40 frames that its header tells"]
        count += 1
    assert count == ODD


def test_predict_doubts_a_clip_that_is_not_one_expression_from_neutral_to_its_height(tmp_path: Path) -> None:
    seconds = np.arange(240) / 30
    bells = [8 * np.exp(-(((seconds - peak) / 0.3) ** 2) / 2) for peak in (2.0, 5.5)]
    rises = 8 / (1 + np.exp(-(seconds - 6) / 0.2))
    for course, words in ((bells[0] + bells[1], "holds 2 expressions"), (rises, None), (0 * seconds, None),
                          (bells[1], "highest in frame 16. of 240 and relaxes")):  # fmt: skip
        points = track(course, 0 * seconds).astype(np.float32)
        remark = doubt(tmp_path, Answer({}, 0, None, "", Landmarks(points, [], np.zeros(0))))
        if words is None:
            assert remark is None
        else:
            assert remark is not None
            assert re.match(words, remark.removeprefix("its expression is "))
            assert "lmf-fer spot" in remark


@pytest.fixture(scope="module")
def project(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a film of one expression, twice."""
    folder = tmp_path_factory.mktemp("films")
    write_params(folder)
    frames = list(clips.frames(sorted(simulated.glob("cohn-kanade-images/S001/*"))[0]))
    small = [cv2.resize(frame, (320, 245)) for frame in frames]
    film = [small[0]] * 20 + small + [small[-1]] * 3 + small[::-1] + [small[0]] * 20
    for name in ("1.avi", "2.avi"):
        written(folder / name, film, "MJPG")
    other = next(iter(clips.frames(sorted(simulated.glob("cohn-kanade-images/S002/*"))[0])))
    written(folder / "other.avi", [cv2.resize(other, (320, 245))], "MJPG")
    return folder


def test_several_faces_in_frames_of_several_sizes_keep_their_numbers(project: Path) -> None:
    """Two side by side, then one from nearer, then both again: nothing is silent, and nobody is counted twice."""
    one, other = (next(iter(Film(path))).grey for path in (project / "1.avi", project / "other.avi"))
    folder = project / "two"
    folder.mkdir()
    near = cv2.resize(other, None, fx=1.25, fy=1.25)
    for k, frame in enumerate([np.hstack([one, other])] * 6 + [near] * 6 + [np.hstack([one, other])] * 6):
        cv2.imwrite(str(folder / f"{k:02}.png"), frame)
    done = spot(project, "two", "--out", "several")
    output, errors = done.communicate()
    assert (done.returncode, b"Traceback" in errors) == (0, False), errors
    assert b"changes the size of its frames 2 times" in output
    frames = pd.read_csv(project / "several/frames.csv")
    assert frames.groupby("frame")["person"].apply(list).to_list() == [[1, 2]] * 6 + [[2]] * 6 + [[1, 2]] * 6


def test_a_camera_gives_frames_as_they_come_until_it_is_stopped(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    camera = films.Live(str(project / "1.avi"))  # a film in a camera's place: the same reader, and the clock's times
    start, times = time.monotonic(), []
    for frame in camera:
        times.append(frame.time)
        camera.stopped = frame.number == 5
    assert len(times) == 5
    assert times == sorted(set(times))
    assert times[-1] <= time.monotonic() - start
    monkeypatch.chdir(project)
    command.spot([], tmp_path / "seen", "shipped", 15, camera=str(project / "1.avi"))
    seen = pd.read_csv(tmp_path / "seen/frames.csv")
    assert len(seen) == len(list(Film(project / "1.avi")))
    assert "camera" in capsys.readouterr().out
    with pytest.raises(UserError, match="none of 1 films"):
        command.spot([], tmp_path / "missing", "shipped", 30, camera=99)
    assert "camera 99: not used; cannot be read; is it there" in capsys.readouterr().err


def state(spotter: Spotter, album: Album) -> int:
    """How many things a spotter and its album keep."""
    finders = [len(f.moments) + len(f.quiet) + len(f.waiting) for f in spotter.finders.values()]
    pictures = sum(len(pictures) for pictures in album.people.values())
    return sum(finders) + pictures + len(spotter.faces.gone) + len(spotter.faces.here) + len(spotter.anchored)


def test_memory_does_not_grow_with_the_film(project: Path) -> None:
    frames = [frame.grey for frame in Film(project / "1.avi")]
    spotter, album, kept, rate = Spotter(params.read(Landmark, project / "params.yaml")), Album(), [], 5
    for number in range(400):
        frame, time = frames[number % len(frames)], number / rate
        spotter(time, frame)
        for person, (moment, _) in spotter.moments.items():
            album.add(person, number + 1, time, frame, moment.points, 100)
        album.forget(time)
        kept.append(state(spotter, album))
    quiet, seconds = 300, KEPT + LONGEST + 4 * AROUND
    assert 300 < max(kept) < quiet + rate * seconds + 10


def made(folder: Path) -> dict[str, bytes]:
    """The bytes of everything that a run wrote, and the names of what it left."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_killed_and_run_again_gives_the_same_bytes_and_a_pipe_the_same_events(project: Path) -> None:
    assert spot(project, "1.avi", "2.avi", "--out", "whole", "--video").wait() == 0
    killed = spot(project, "1.avi", "2.avi", "--out", "killed", "--video")
    finished = "killed/films/[!.]*/done.json"  # a folder that begins with a dot is not finished
    while not list(project.glob(finished)):
        time.sleep(0.02)
        assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (first,) = project.glob(finished)
    before = first.stat().st_mtime_ns
    again = spot(project, "1.avi", "2.avi", "--out", "killed", "--video")
    output, errors = again.communicate()
    assert (again.returncode, b"Traceback" in errors) == (0, False), errors
    assert first.stat().st_mtime_ns == before, "what was finished is not done again"
    assert made(project / "killed") == made(project / "whole")
    assert {"001-1.avi.html", "001-1.avi.mp4", "events.csv"} <= set(made(project / "whole"))
    events, frames = pd.read_csv(project / "whole/events.csv"), pd.read_csv(project / "whole/frames.csv")
    assert len(events) == 2
    for event in events.itertuples():
        inside = frames[(frames["video"] == event.video) & (frames["event"] == event.event)]["frame"]
        assert list(inside) == list(range(event.onset, event.offset + 1))
    drawn = cv2.VideoCapture(str(project / "whole/001-1.avi.mp4"))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == frames[frames["video"] == "1.avi"]["frame"].max()
    piped = spot(project, "-", "--out", "piped")
    output, errors = piped.communicate((project / "1.avi").read_bytes())
    assert piped.returncode == 0, errors
    assert output.decode().startswith("person 1, "), "an expression is told when it ends"
    other = pd.read_csv(project / "piped/events.csv")
    pd.testing.assert_frame_equal(other.drop(columns="video"), events[:1].drop(columns="video"))


PROBE = """<!doctype html><body><iframe id="page" src="page.html" style="width:{width}px;height:800px"></iframe>
<script>
document.getElementById("page").addEventListener("load", async event => {{
  const page = event.target.contentWindow, body = page.document;
  await Promise.all([...body.images].map(image => image.decode().catch(() => 0)));
  const seen = element => page.getComputedStyle(element);
  const answer = document.createElement("pre");
  answer.id = "answer";
  answer.textContent = JSON.stringify({{
    overflow: body.documentElement.scrollWidth - page.innerWidth,
    broken: [...body.images].filter(image => !image.naturalWidth).length,
    unnamed: [...body.images].filter(image => !image.alt).length,
    smallest: Math.min(...[...body.querySelectorAll("body *")].map(element => parseFloat(seen(element).fontSize))),
    fetched: page.performance.getEntriesByType("resource").map(entry => entry.name.slice(0, 5)),
    focused: [...body.querySelectorAll("svg a, .scroll")].every(element => {{
      element.focus(); return body.activeElement == element; }}),
    lost: [...body.querySelectorAll("a")].filter(a => !body.querySelector(a.getAttribute("href"))).length,
  }});
  document.body.append(answer);
}});
</script>"""


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_in_a_browser(tmp_path: Path, width: int) -> None:
    row = {"video": "a", "person": 1, "status": "carried", "yaw": 0.0, "pitch": 0.0, "event": 0}
    row |= {"x": np.zeros(68), "y": np.zeros(68)}
    rows = [row | {"frame": k + 1, "time": k / 30, "size": k % 50 / 500} for k in range(300)]
    parquet.write(tmp_path / "frames.parquet", tables.FRAMES, rows)
    picture = page._address("jpeg", cv2.imencode(".jpg", np.zeros((192, 192), np.uint8))[1].tobytes())
    shares = dict.fromkeys(("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise"), 1 / 7)
    events = [{"event": k, "person": 1, "onset": 30 * k, "apex": 30 * k + 9, "offset": 30 * k + 20, "onset_time": k,
               "apex_time": k + 0.3, "offset_time": k + 0.7, "duration": 0.7, "kind": "micro" if k > 3 else "macro",
               "size": 0.1, "sfem": 0.02, "says": "happy", "share": 0.9, "colour": page.COLOURS[4], "map": picture,
               "faces": [(place, 1, 0.1, picture) for place in ("onset", "apex", "offset")],
               "methods": dict.fromkeys(("LMF-FER", "DTAGN", "Joint framework"), shares)}
              for k in range(1, 6)]  # fmt: skip
    name = "a <b>/" + "long" * 30
    html = "".join(page.render(name, "5 expressions", tmp_path / "frames.parquet", events, ["a note"], "run"))
    assert "a <b>" not in html
    (tmp_path / "page.html").write_text(html)
    (tmp_path / "probe.html").write_text(PROBE.format(width=width))
    seen = browser.answer(tmp_path / "probe.html", tmp_path / "profile")
    assert seen["overflow"] <= 0
    assert (seen["broken"], seen["unnamed"], seen["lost"]) == (0, 0, 0)
    assert set(seen["fetched"]) <= {"data:"}
    assert seen["smallest"] >= 12
    assert seen["focused"]
