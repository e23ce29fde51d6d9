"""Tables, and the map over them, at any number of sequences: few row groups, any sequence at hand, memory in bounds."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stages.tables import parallel, parquet
from stages.tables.errors import UserError
from stages.tables.schema import FRAMES, LANDMARKS
from tests.conftest import write_params


def frames(name: str, count: int, size: int = 10) -> list[dict[str, object]]:
    return [{"sequence": name, "frame": number, "png": bytes([number]) * size} for number in range(1, count + 1)]


def test_row_groups_hold_several_sequences_and_cut_none(tmp_path: Path) -> None:
    path, counts = tmp_path / "frames.parquet", {f"S{number:03}/001": 3 + number % 4 for number in range(100)}
    with parquet.Writer(path, FRAMES) as writer:
        for name, count in counts.items():
            writer.write(frames(name, count, size=100_000))
    groups = pq.ParquetFile(path)
    assert groups.num_row_groups == pytest.approx(sum(counts.values()) * 100_000 / parquet.ROW_GROUP, abs=2)
    assert parquet.index(path, FRAMES) == {name: number for number, name in enumerate(counts)}
    for number, (name, count) in reversed(list(enumerate(counts.items()))):
        assert parquet.read_sequence(path, FRAMES, number).to_dict("records") == frames(name, count, size=100_000)


def test_both_sets_of_one_sequence_are_two(tmp_path: Path) -> None:
    path, point = tmp_path / "landmarks.parquet", {"x": [1.0] * 68, "y": [1.0] * 68, "status": "given", "jitter": 0.0}
    with parquet.Writer(path, LANDMARKS) as writer:
        for kind in ("general", "micro"):
            writer.write([{"sequence": "S001/001", "set": kind, "frame": number} | point for number in (1, 2, 3)])
    assert parquet.keys(path, LANDMARKS).to_numpy().tolist() == [["S001/001", "general"], ["S001/001", "micro"]]
    assert parquet.read_sequence(path, LANDMARKS, 1)["set"].tolist() == ["micro"] * 3


def test_a_sequence_whose_rows_do_not_lie_together_is_a_sentence(tmp_path: Path) -> None:
    with parquet.Writer(tmp_path / "frames.parquet", FRAMES) as writer:
        for name in ("S001/001", "S002/001", "S001/001"):
            writer.write(frames(name, 3))
    with pytest.raises(UserError, match=r"frames.parquet: the rows of S001/001 do not lie together; delete"):
        parquet.index(tmp_path / "frames.parquet", FRAMES)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_map_does_not_run_ahead_of_its_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    write_params(tmp_path, machine={"workers": workers})
    monkeypatch.chdir(tmp_path)
    made, count = [], 20 * parallel.AHEAD
    results = parallel.each(abs, (made.append(item) or item for item in range(count)), "map", count)
    assert next(iter(results)) == 0
    assert len(made) <= parallel.AHEAD * workers
    assert [0, *results] == list(range(count))
