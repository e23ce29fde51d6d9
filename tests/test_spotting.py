"""How well expressions are found in films: the films whose truth is known, and the challenge's metrics."""

from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest

from benchmarks import films, long_videos, spotting, spotting_rendered
from benchmarks.films import Truth
from benchmarks.spotting import Count, Found
from lmf_fer.predict.predictor import Predictor
from lmf_fer.spot.tracking import Faces, eye_distance
from stages.landmark.params import Landmark
from stages.simulate.actors import errors, people
from stages.simulate.assets import load
from stages.simulate.params import Simulate, Variety
from stages.simulate.score import UNITS, Score, draw, habits
from stages.tables import params
from stages.tables.errors import UserError

NOTHING = np.zeros((3, 68, 2))


def found(onset: int, offset: int, kind: str) -> Found:
    return Found(onset, onset, offset, kind, NOTHING)


def test_scripts_depend_on_the_person_alone_and_say_what_they_show() -> None:
    variety = params.line("simulate.variety", Variety)
    one, again, other = (films.script(person, 40, True, variety) for person in (3, 3, 4))
    assert one.events == again.events != other.events
    assert np.array_equal(one.score.actions, again.score.actions)
    kinds = {event.kind for event in one.events + other.events}
    assert kinds == {"macro", "micro"}
    for told in (one, other):
        assert len(told.score.poses) == len(told.score.actions) == len(told.light) == round(40 * told.rate)
        for event, after in zip(told.events, [*told.events[1:], None], strict=True):
            assert event.onset < event.apex < event.offset < (after.onset if after else len(told.light))
            assert (event.kind == "micro") == ((event.offset - event.onset) / told.rate <= 0.5)
            during = np.abs(told.score.actions[event.apex - 1] - told.score.actions[event.onset - 1])
            assert during.max() > 0.1
    assert films.script(3, 40, False, variety).events == []


def test_a_scene_is_cut_where_nobody_shows_an_expression() -> None:
    scene = films.scene(3, 4, 40, params.line("simulate.variety", Variety))
    one, other = scene.scripts
    assert one.rate == other.rate
    cuts = [first for first, _, _ in scene.shots[1:]]
    assert [who for _, _, who in scene.shots] == [(0, 1), (0,), (1,), (0, 1)]
    assert (scene.shots[0][0], scene.shots[-1][1]) == (0, len(one.light))
    assert all(not event.onset - 1 <= cut < event.offset for event in one.events + other.events for cut in cuts)
    for person, absent in ((0, 2), (1, 1)):
        first, stop, _ = scene.shots[absent]
        unseen = [event for event in scene.scripts[person].events if first < event.onset <= stop]
        assert scene.seen(person) == [event for event in scene.scripts[person].events if event not in unseen]


def test_measured_tracks_err_by_less_than_the_expression() -> None:
    variety = params.line("simulate.variety", Variety)
    told = films.script(3, 8, False, variety)
    model, error_model = people.reduced(load()), errors.load()
    points = films.track(model, error_model, 3, told)
    assert points.shape == (len(told.light), 68, 2)
    eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=1)
    assert np.abs(np.diff(points, axis=0)).max() < 0.2 * eyes.min()


def test_an_expression_is_matched_once_at_half_the_overlap_and_only_by_its_kind() -> None:
    truth = [Truth(10, 20, 29, "macro", 5), Truth(100, 104, 109, "micro", 7), Truth(200, 210, 239, "macro", 5)]
    spotted = [found(10, 19, "macro"), found(12, 29, "macro"), found(100, 109, "macro"), found(221, 239, "macro")]
    count = Count()
    count.add(truth, spotted, lambda points: 5, 1.0)
    assert count.true == {"macro": 2, "micro": 1}
    assert count.spotted == {"macro": 4, "micro": 0}
    assert count.hits == {"macro": 1, "micro": 0}
    assert count.f1("macro") == pytest.approx(2 / 6)
    assert count.f1() == pytest.approx(2 / 7)
    assert count.emotions == [(5, 5)]
    count.add([], spotted, None, 2.0)
    assert count.row()["false alarms a minute"] == 2
    assert count.row()["STRS"] == pytest.approx(2 / 7)
    assert spotting.mean_f1([(1, 1), (1, 2), (2, 2)]) == pytest.approx(2 / 3)


def test_the_baseline_takes_what_is_above_its_threshold() -> None:
    size = np.array([0, 0, 2, 3, 2, 0, 2, 0, 2, 2, 5, 2.0])
    events = spotting.by_sfem(np.zeros((12, 68, 2)), size, 10, 1)
    assert [(e.onset, e.apex, e.offset, e.kind) for e in events] == [(3, 4, 5, "micro"), (9, 11, 12, "micro")]


@pytest.mark.parametrize("person", range(3))
def test_a_smile_in_78_frames_is_one_event_and_happy(person: int) -> None:
    variety, model = params.line("simulate.variety", Variety), people.reduced(load())
    generator, happy = np.random.default_rng([9, person]), 5
    time = np.arange(78) / 30
    course = np.clip((time - 0.6) / 0.5, 0, 1) * np.clip((2.1 - time) / 0.6, 0, 1)
    apex = draw(happy, 2, habits(variety, generator), variety, generator).apex
    sway = np.sin(time)[:, None] * [2, 1, 1, 3, 2, 0.005]
    told = films.Script(30, Score(apex, course[:, None, None] * apex, sway), np.ones(78), [])
    (event,) = spotting.by_finder(films.track(model, errors.load(), person, told), told.rate)
    assert 15 < event.onset < event.apex < event.offset < 70
    probability = Predictor.load(networks="shipped").recognise(event.points)[0]
    assert probability.argmax() + 1 == happy


def test_lips_do_not_slide_along_themselves_when_a_head_turns() -> None:
    settings, poses, upper = params.read(Simulate), np.zeros((24, 6)), slice(50, 53)
    poses[:, 0] = np.interp(range(24), (3, 20), (0, 16))
    still = np.zeros((len(poses), len(UNITS), 2))
    told = films.Script(30, Score(still[0], still, poses), np.ones(len(poses)), [])
    faces, off = Faces(params.read(Landmark)), []
    for number, (image, true) in enumerate(films.rendered(3010, told, settings.variety, settings.noise)):
        (face,) = faces(number / 30, image)
        off.append((face.points - true)[upper, 0].mean() / eye_distance(true))
    assert abs(off[-1] - off[0]) < 0.01


def test_flow_in_one_direction_is_a_peak() -> None:
    generator = np.random.default_rng(0)
    picture = cv2.GaussianBlur(generator.integers(0, 255, (200, 200), np.uint8), (0, 0), 2)
    points = np.stack([generator.uniform(40, 160, 68), generator.uniform(40, 160, 68)], axis=1)
    points[27:36] = 60
    for place in (slice(17, 27), slice(48, 60)):
        points[place] = 120
    moved = picture.copy()
    moved[95:150, 95:150] = picture[93:148, 95:150]
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    assert spotting_rendered.main_direction(dis, picture, picture, points) < 0.1
    assert spotting_rendered.main_direction(dis, picture, moved, points) > 1
    flow = np.r_[np.zeros(20), np.hanning(10), np.zeros(20)]
    seen = spotting_rendered.Seen(25, [], [], np.zeros((50, 68, 2)), np.zeros(50), flow)
    (event,) = spotting_rendered.by_flow(seen, 0.2)
    assert 20 < event.onset < event.apex < event.offset < 32
    assert spotting_rendered.by_flow(seen, 2.0) == []


def tree(root: Path, sheet: str, folders: list[str], *sheets: list[tuple[object, ...]]) -> Path:
    """A made-up data set: a spreadsheet, and folders of six grey frames each, their names ending in the number."""
    book = openpyxl.Workbook()
    for number, lines in enumerate(sheets):
        page = book.active if number == 0 else book.create_sheet()
        for line in lines:
            page.append(line)
    root.mkdir()
    book.save(root / sheet)
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for frame in range(1, 7):
            cv2.imwrite(str(root / folder / f"img{frame:03d}.jpg"), np.full((120, 160), 90, np.uint8))
    return root


CASME = "CAS(ME)^2code_final(Updated).xlsx"


def test_casme2_long_videos_are_read_with_and_without_its_rules_of_naming(tmp_path: Path) -> None:
    folders = [
        "rawpic/s15/15_0101disgustingteeth",
        "rawpic/s15/15_0401girlcrashing",
        "rawpic/s16/16_0101disgustingteeth",
    ]
    lines = [(15, "disgustingteeth_1", 2, 3, 5, "4", "macro-expression", "negative"),
             (15, "disgustingteeth_2", 4, 5, 0, "12", "micro-expression", "others")]  # fmt: skip
    videos = long_videos.read(tree(tmp_path / "plain", CASME, folders, lines))
    assert [len(video.events) for video in videos] == [2, 0, 0]
    assert videos[0].events == [Truth(2, 3, 5, "macro", 1), Truth(4, 5, 5, "micro", 0)]
    lines = [(2, "anger1_1", 2, 3, 5, "4", "macro-expression", "happiness")]
    rules = [("", 15, 1), ("", 16, 2)], [("0101", "anger1"), ("0401", "anger2")]
    videos = long_videos.read(tree(tmp_path / "rules", CASME, folders, lines, *rules))
    assert [video.events for video in videos] == [[], [], [Truth(2, 3, 5, "macro", 2)]]
    with pytest.raises(UserError, match="line 1: 0 folders of subject 2 hold 'anger1'"):
        long_videos.read(tree(tmp_path / "strange", CASME, folders, lines))


def test_samm_long_videos_are_read_and_what_is_strange_is_named(tmp_path: Path) -> None:
    sheet, folders = "SAMM_LongVideos_V3_Release.xlsx", ["SAMM_longvideos/006_1", "SAMM_longvideos/006_2"]
    heads = ("Subject", "Filename", "Onset", "Apex", "Offset", "Duration", "Type", "Action Units")
    lines = [("About the data set",), heads, (6, "006_1_1", 1, 2, 3, 3, "Micro - 1/2", "4"),
             (6, "006_1_2", 4, -1, 6, 3, "Macro", "12")]  # fmt: skip
    videos = long_videos.read(tree(tmp_path / "samm", sheet, folders, lines))
    assert [video.rate for video in videos] == [200, 200]
    assert videos[0].events == [Truth(1, 2, 3, "micro", 0), Truth(4, 4, 6, "macro", 0)]
    for strange, reason in (((6, "006_9_1", 1, 2, 3, 3, "Macro", ""), "no folder SAMM_longvideos/006_9"),
                            ((6, "006_1_1", "a", 2, 3, 3, "Macro", ""), "not numbers of frames"),
                            ((6, "006_1_1", 5, 5, 3, 3, "Macro", ""), "no expression")):  # fmt: skip
        with pytest.raises(UserError, match=reason):
            long_videos.read(tree(tmp_path / reason[:5], sheet, folders, [heads, strange]))
    with pytest.raises(UserError, match="neither"):
        long_videos.read(tmp_path)


def test_a_data_set_is_measured_with_the_same_metrics(tmp_path: Path) -> None:
    lines = [(15, "disgustingteeth_1", 2, 3, 5, "4", "macro-expression", "negative")]
    root = tree(tmp_path / "data", CASME, ["rawpic/s15/15_0101disgustingteeth"], lines)
    table = spotting.of_videos(root, lambda points: 1)
    assert "LMF-FER spot" in table
    assert "macro recall" in table
