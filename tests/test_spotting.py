"""How well expressions are found in films: the films whose truth is known, and the challenge's metrics."""

import numpy as np
import pytest

from benchmarks import films, spotting
from benchmarks.films import Truth
from benchmarks.spotting import Count, Found
from stages.simulate.actors import errors, people
from stages.simulate.assets import load
from stages.simulate.params import Variety
from stages.tables import params

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
