"""Films: an expression that comes and goes is found where it is, and what is odd about a film is said."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from lmf_fer.predict import clips
from lmf_fer.spot import command, films, head
from lmf_fer.spot.events import HEAD, Event, Finder
from lmf_fer.spot.tracking import Faces, eye_distance
from stages.landmark.params import Landmark
from stages.tables import params
from stages.tables.errors import UserError
from tests.conftest import write_params


def track(course: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Landmarks (frames, 68, 2) of the average head whose mouth's corners rise by ``course`` px; ``yaw`` in degrees."""
    generator = np.random.default_rng(0)
    points = np.repeat(100 * HEAD[None, :, :2] + 300, len(course), axis=0)
    points[:, :, 0] += 100 * np.sin(np.deg2rad(yaw))[:, None] * HEAD[:, 2]
    points[:, [48, 54, 60, 64], 1] -= course[:, None]
    return points + generator.normal(0, 0.05, points.shape)


def test_the_average_head_is_what_its_command_makes() -> None:
    assert head.FILE.read_text() == head.make()


def test_an_expression_is_found_where_it_is_and_a_turn_of_the_head_is_none() -> None:
    time = np.arange(180) / 30
    bell = 8 * np.exp(-(((time - 3) / 0.4) ** 2) / 2)
    for course, wanted in ((bell, 1), (0 * bell, 0)):
        finder = Finder(1)
        points = track(course, 8 * np.sin(time))
        results = [finder(k + 1, t, p)[1] for k, (t, p) in enumerate(zip(time, points, strict=True))]
        events = [event for known in [*results, finder.close()] for event in known]
        assert len(events) == wanted
        for event in events:
            assert abs(event.apex_time - 3) < 0.2
            assert 2 < event.onset_time < 2.8
            assert 3.2 < event.offset_time < 4
            assert event.kind == "macro"
            assert len(event.points) == event.apex - event.onset + 1


def bells(time: np.ndarray, *places: float) -> np.ndarray:
    return sum((8 * np.exp(-(((time - place) / 0.2) ** 2) / 2) for place in places), np.zeros(len(time)))


def spotted(points: np.ndarray) -> list[Event]:
    finder = Finder(1)
    known = [event for k, frame in enumerate(points) for event in finder(k + 1, k / 30, frame)[1]]
    return known + finder.close()


def test_what_nearly_ceases_in_between_is_two_expressions_and_two_phases_are_one() -> None:
    time = np.arange(180) / 30
    assert [round(e.apex_time, 1) for e in spotted(track(bells(time, 3, 3.8), 0 * time))] == [3.0, 3.8]
    assert len(spotted(track(bells(time, 3, 3.5), 0 * time))) == 1


def test_what_turns_and_tilts_leave_is_no_expression_and_hides_none() -> None:
    time = np.arange(540) / 30
    for start, places in ((3, ()), (3, (6,)), (5.8, (6,)), (4.6, (6,))):
        turn = np.clip((time - start) / 0.8, 0, 1)
        points = track(bells(time, *places), 12 * turn)
        points[:, 27:36] += (3 * turn)[:, None, None]  # this nose is longer than the average head's
        points[:, 19:25] -= (2 * turn)[:, None, None]
        assert [round(e.apex_time, 1) for e in spotted(points)] == list(places)


def test_a_mouth_that_opens_again_is_speech_and_corners_that_rise_again_are_none() -> None:
    time = np.arange(180) / 30
    course = bells(time, 3, 4)
    assert [round(e.apex_time, 1) for e in spotted(track(course, 0 * time))] == [3.0, 4.0]
    points = track(0 * time, 0 * time)
    points[:, [*range(55, 60), 65, 66, 67], 1] += course[:, None]
    assert spotted(points) == []
    points[:, [*range(55, 60), 65, 66, 67], 1] -= bells(time, 4)[:, None]
    assert [round(e.apex_time, 1) for e in spotted(points)] == [3.0]


def test_what_is_held_for_long_is_the_face_s_own_way_and_what_follows_is_found() -> None:
    time = np.arange(900) / 30
    held = 8 * np.clip((time - 3) / 0.5, 0, 1)
    events = spotted(track(held + bells(time, 20), 8 * np.sin(time)))
    assert [round(e.apex_time) for e in events if e.apex_time > 14] == [20]


def test_points_follow_a_head_that_tilts_and_come_back(simulated: Path) -> None:
    picture = next(clips.frames(sorted(simulated.glob("cohn-kanade-images/S001/*"))[0]))
    height, width = picture.shape
    faces, away, start = Faces(params.read(Landmark)), [], np.zeros((68, 2))
    for k, angle in enumerate(np.interp(range(45), (5, 15, 30, 40), (0, 12, 12, 0))):
        tilt = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
        (face,) = faces(k / 30, cv2.warpAffine(picture, tilt, (width, height), borderMode=cv2.BORDER_REPLICATE))
        start = face.points if k == 0 else start
        off = face.points - cv2.transform(start[None], tilt)[0]
        away.append(np.linalg.norm(off[17:], axis=1).mean() / eye_distance(start))
    assert max(away) < 0.004
    assert away[-1] < 0.001


def test_a_film_is_answered_once_and_odd_ones_are_named(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path)
    frames = list(clips.frames(sorted(simulated.glob("cohn-kanade-images/S001/*"))[0]))
    film = cv2.VideoWriter("film.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 15, frames[0].shape[::-1])
    for frame in [frames[0]] * 30 + frames + [frames[-1]] * 3 + frames[::-1] + [frames[0]] * 15:
        film.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    film.release()
    Path("empty.mp4").touch()
    Path("wrong.avi").write_bytes(b"no video")
    Path("still").mkdir()
    cv2.imwrite("still/1.png", np.full((200, 200), 90, np.uint8))
    command.spot([Path("film.mp4"), Path("empty.mp4"), Path("wrong.avi"), Path("still")], Path("out"), "shipped", 30)
    events, rejected = pd.read_csv("out/events.csv"), pd.read_csv("out/rejected.csv")
    assert list(events["video"]) == ["film.mp4"]
    assert events["apex"].between(31, 50).all()
    assert set(rejected["code"]) == {"no film", "no face"}
    before = Path("out/events.parquet").read_bytes()
    monkeypatch.setattr(films.Film, "__iter__", lambda self: pytest.fail("done again"))
    command.spot([Path("film.mp4"), Path("empty.mp4"), Path("wrong.avi"), Path("still")], Path("out"), "shipped", 30)
    assert Path("out/events.parquet").read_bytes() == before
    assert "1 expression" in capsys.readouterr().out
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="none of 1 films"):
        command.spot([Path("empty.mp4")], Path("none"), "shipped", 30)
