"""Bad input of every kind: a sample of it in each run of the tests, all of it among the slow ones. It does no harm."""

from __future__ import annotations

import contextlib
import io
import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.ingest import ckplus, png
from stages.tables.errors import Unusable, UserError
from stages.tables.schema import EMOTIONS
from tests.conftest import ROOT
from tests.damage.case import ASIDE, SAME, Case, Count, attempt
from tests.damage.filmed import FILMED, Filmed
from tests.damage.frames import png as made_png
from tests.damage.parameters import PARAMETERS, Parameters
from tests.damage.sheets import SHEETS, Sheets
from tests.damage.tables import TABLE_CASES, Tables
from tests.damage.trees import TREES, Trees, mountable
from tests.damage.weights import WEIGHTS, Weights

Reader = Callable[[Case, random.Random], str | None]
KINDS = {"trees": TREES, "tables": TABLE_CASES, "sheets": SHEETS, "weights": WEIGHTS, "parameters": PARAMETERS,
         "filmed": FILMED}  # fmt: skip
ALL = [pytest.param(kind, case, id=f"{kind}-{number}") for kind, cases in KINDS.items()
       for number, case in enumerate(cases)]  # fmt: skip
SAMPLE = {
    "trees": (4, 1),
    "tables": (1, 3),
    "sheets": (1, 3),
    "weights": (1, 3),
    "parameters": (1, 3),
    "filmed": (3, 2),
}
"""Of each kind, every so many-th case, at most so many times."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated CK+ tree of three subjects with a sequence of four frames each."""
    import stages.simulate.__main__ as simulate

    folder = tmp_path_factory.mktemp("base")
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["dataset"] = {"name": "simulated", "root": "ck"}
    values["simulate"] |= {"subjects": 3, "sequences": 1, "frames": [4, 4]}
    values["machine"] |= {"workers": 1, "scheduler": None}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    if (ROOT / ".cache").is_dir():
        (folder / ".cache").symlink_to(ROOT / ".cache")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        simulate.main()
    return folder / "ck"


@pytest.fixture(scope="module")
def readers(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Reader]:
    """Makes what reads damaged input of a kind, once each."""
    made: dict[str, Reader] = {}
    kinds = {"trees": partial(Trees, base), "tables": Tables, "sheets": Sheets, "weights": Weights,
             "parameters": Parameters, "filmed": Filmed}  # fmt: skip

    def reader(kind: str) -> Reader:
        if kind not in made:
            made[kind] = kinds[kind](tmp_path_factory.mktemp(kind))
        return made[kind]

    return reader


def tried(reader: Reader, case: Case, seed: int, times: int) -> Count:
    count = Count()
    for number in range(times):
        attempt(reader, case, f"{seed} {case.name} {number}", count)
    return count


@pytest.mark.parametrize("kind", SAMPLE)
def test_a_sample_of_bad_input_does_no_harm(readers: Callable[[str], Reader], kind: str) -> None:
    every, most = SAMPLE[kind]
    cases = [case for case in KINDS[kind][::every] if not case.mount or mountable()]
    counts = [tried(readers(kind), case, 1, min(case.times, most)) for case in cases]
    assert sum(count.cases for count in counts) >= 18
    assert [note for count in counts for note in count.notes] == []


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "case"), ALL)
def test_bad_input_does_no_harm(readers: Callable[[str], Reader], kind: str, case: Case) -> None:
    if case.mount and not mountable():
        pytest.skip("mounting is not allowed here: unshare -rm fails")
    count = tried(readers(kind), case, 2017, case.times)
    assert count.cases == case.times
    assert count.notes == []


def test_no_case_is_lost() -> None:
    assert {kind: sum(case.times for case in cases) for kind, cases in KINDS.items()} == {
        "trees": 175, "tables": 123, "sheets": 112, "weights": 94, "parameters": 131, "filmed": 495}  # fmt: skip


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

    def attempted(run, name: str = "x", allowed=(SAME,), spoil=lambda rng, tree: None) -> None:  # type: ignore[no-untyped-def]
        attempt(run, Case(name, spoil, allowed), "0", count)

    attempted(lambda case, rng: 1 / 0)
    assert (count.tracebacks, count.hangs, count.wrong, count.lost) == (1, 0, 0, 0)
    attempted(trees, allowed=(ASIDE,))  # nothing is damaged, so nothing is set aside
    assert count.wrong == 1
    ingest = trees.ingest

    def careless() -> None:
        ingest()
        Path("data/interim/frames.parquet.x.tmp").touch()

    trees.ingest = careless
    attempted(trees)
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
    with contextlib.suppress(Unusable):
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
            with pytest.raises(Unusable, match="frames"):
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
    with pytest.raises(UserError, match="cannot be read"):
        ckplus.sequences(tmp_path)
