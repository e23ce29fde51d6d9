"""A sample of the bad input that ``python -m benchmarks.bad_input`` makes: nothing of it may do harm."""

import contextlib
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.bad_input.__main__ import measure
from benchmarks.bad_input.__main__ import tree as small_tree
from benchmarks.bad_input.case import ASIDE, SAME, Case, Count, attempt
from benchmarks.bad_input.frames import png as made_png
from benchmarks.bad_input.trees import TREES, Trees, mountable
from stages.ingest import ckplus, png
from stages.tables.room import RoomError
from stages.tables.schema import EMOTIONS


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_tree(tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize(
    ("kind", "every"), [("trees", 4), ("tables", 1), ("sheets", 1), ("weights", 1), ("parameters", 1)]
)
def test_bad_input_does_no_harm(base: Path, tmp_path: Path, kind: str, every: int) -> None:
    counts = dict(measure(kind, base, tmp_path, seed=1, most=3 if every == 1 else 1, every=every))
    assert sum(count.cases for count in counts.values()) >= 18
    assert [note for count in counts.values() for note in count.notes] == []


def test_a_full_and_a_read_only_disk_are_a_sentence(base: Path, tmp_path: Path) -> None:
    if not mountable():
        pytest.skip("mounting is not allowed here: unshare -rm fails")
    trees, count = Trees(base, tmp_path / "trees"), Count()
    for case in TREES:
        if case.mount:
            attempt(trees, case, "0", count)
    assert count.cases == 4
    assert count.notes == []


def test_harm_would_be_seen(base: Path, tmp_path: Path) -> None:
    """The measure itself: a traceback, a hang, a wrong row and a lost file are each counted."""
    trees = Trees(base, tmp_path / "trees")
    count = Count()

    def tried(run, name: str = "x", allowed=(SAME,), spoil=lambda rng, tree: None) -> None:  # type: ignore[no-untyped-def]
        attempt(run, Case(name, spoil, allowed), "0", count)

    tried(lambda case, rng: 1 / 0)
    assert (count.tracebacks, count.hangs, count.wrong, count.lost) == (1, 0, 0, 0)
    tried(trees, allowed=(ASIDE,))  # nothing is damaged, so nothing is set aside
    assert count.wrong == 1
    ingest = trees.ingest

    def careless() -> None:
        ingest()
        Path("data/interim/frames.parquet.x.tmp").touch()

    trees.ingest = careless
    tried(trees)
    assert count.lost == 1
    assert count.cases == 3


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=30) | st.text("0123456789.eE+-naif \r\n\t", max_size=12).map(str.encode))
def test_a_label_is_a_code_or_a_reason(tmp_path: Path, content: bytes) -> None:
    sequence = ckplus.Sequence("S001", "001", tmp_path, tmp_path)
    (tmp_path / "S001_001_00000003_emotion.txt").write_bytes(content)
    if content.decode(errors="replace").strip() in {f"{code}" for code in EMOTIONS}:
        assert ckplus.emotion(sequence) == float(content)
        return
    with contextlib.suppress(ckplus.Unusable):
        code = ckplus.emotion(sequence)
        assert code in EMOTIONS
        assert float(content.decode(errors="replace")) == code


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, 99_999_999) | st.integers(1, 8), max_size=8))
def test_frames_are_in_order_and_without_a_gap_or_there_is_a_reason(numbers: set[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            Path(folder, f"S001_001_{number:08}.png").touch()
        sequence = ckplus.Sequence("S001", "001", Path(folder), Path(folder))
        whole = len(numbers) >= 3 and max(numbers) - min(numbers) == len(numbers) - 1
        if whole:
            assert [int(file.stem[-8:]) for file in ckplus.frames(sequence)] == sorted(numbers)
        else:
            with pytest.raises(ckplus.Unusable, match="frames"):
                ckplus.frames(sequence)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200).map(lambda data: png.SIGNATURE + data) | st.binary(max_size=50), st.integers(0, 2**32))
def test_any_bytes_are_a_png_or_a_reason(content: bytes, seed: int) -> None:
    whole = made_png(130, 140, rows=140)
    assert png.check(whole, 4096) == (130, 140)
    rng = random.Random(seed)
    for spoilt in (content, whole[: rng.randrange(len(whole))], whole[:30] + content + whole[30:]):
        if spoilt != whole:
            with pytest.raises(ValueError, match=r"^(it|its|a|pixels) "):
                png.check(spoilt, 4096)


def test_a_folder_that_may_not_be_read_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "cohn-kanade-images").mkdir()
    (tmp_path / "Emotion").mkdir()
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(RoomError, match="cannot be read"):
        ckplus.sequences(tmp_path)
