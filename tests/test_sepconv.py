"""SepConv: the operator against a plain loop, the network's published form, its files, and how it learns."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from stages.synthesize.interpolators import choose
from stages.synthesize.separable import filter_cpu, filter_local, filter_torch, gpu_form
from stages.synthesize.sepconv import PUBLISHED, Config, Learned, SepConv, midpoints
from stages.synthesize.size import Size
from stages.synthesize.training.fit import distance, fit
from stages.synthesize.training.params import Schedule, Sepconv, Warps
from stages.synthesize.training.warps import triplets
from stages.synthesize.weights import UNTRAINED, load, store
from stages.tables import images, parquet
from stages.tables.errors import UserError
from stages.tables.schema import FRAMES
from tests.conftest import ROOT, run_stage
from tests.test_synthesize import film, moved, project, psnr, texture, wave

TINY = Config(channels=1, width=2, widest=4, taps=5, contrast=0)


def naive(image: np.ndarray, vertical: np.ndarray, horizontal: np.ndarray) -> np.ndarray:
    """The operator as its definition reads, in double precision."""
    taps, height, width = vertical.shape
    out = np.zeros((len(image), height, width))
    for c, y, x in np.ndindex(out.shape):
        window = image[c, y : y + taps, x : x + taps].astype(float)
        out[c, y, x] = vertical[:, y, x].astype(float) @ window @ horizontal[:, y, x]
    return out


@settings(deadline=None, max_examples=25)
@given(
    st.integers(1, 3), st.integers(1, 9), st.integers(1, 20), st.sampled_from([1, 2, 5, 11, 51]), st.integers(0, 10**6)
)
def test_all_forms_of_the_operator_agree_with_a_plain_loop(
    channels: int, height: int, width: int, taps: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    image = generator.random((channels, height + taps - 1, width + taps - 1), np.float32)
    filters = generator.standard_normal((2, taps, height, width)).astype(np.float32) / np.sqrt(taps)
    wanted = naive(image, *filters)
    np.testing.assert_allclose(filter_cpu(image, *filters), wanted, atol=1e-4)
    plain = filter_torch(*(torch.from_numpy(part)[None] for part in (image, *filters)))
    np.testing.assert_allclose(plain[0].numpy(), wanted, atol=1e-4)


@pytest.mark.parametrize("width", [127, 128, 129, 300])
def test_the_processor_form_agrees_on_frames_wider_than_its_blocks(width: int) -> None:
    generator = np.random.default_rng(width)
    image = generator.random((1, 13, width + 6), np.float32)
    filters = generator.standard_normal((2, 7, 7, width)).astype(np.float32)
    np.testing.assert_allclose(filter_cpu(image, *filters), naive(image, *filters), atol=1e-4)


def test_the_processor_form_refuses_shapes_that_do_not_fit() -> None:
    filters = np.zeros((5, 8, 8), np.float32)
    with pytest.raises(ValueError, match="shapes do not fit"):
        filter_cpu(np.zeros((1, 12, 11), np.float32), filters, filters)


def test_the_plain_form_is_differentiable() -> None:
    generator = torch.Generator().manual_seed(1)
    shapes = ((2, 2, 6, 7), (2, 3, 4, 5), (2, 3, 4, 5))
    parts = [torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(filter_torch, parts)


def random_parts(batch: int, channels: int, height: int, width: int, taps: int) -> list[np.ndarray]:
    """An image and its filters. The image is part of a larger one, as where the operator is used."""
    generator = np.random.default_rng(width)
    image = generator.random((batch, channels, height + taps + 3, width + taps + 3), np.float32)
    filters = generator.standard_normal((2, batch, taps, height, width)).astype(np.float32) / np.sqrt(taps)
    return [image[..., : height + taps - 1, : width + taps - 1], *filters]


def test_the_form_is_chosen_by_device_and_by_whether_gradients_are_wanted() -> None:
    arrays = random_parts(2, 3, 6, 7, 5)
    parts = [torch.from_numpy(part) for part in arrays]
    wanted = np.stack([filter_cpu(*one) for one in zip(*arrays, strict=True)])
    np.testing.assert_array_equal(filter_local(*parts).numpy(), wanted, "the processor form")
    parts[1].requires_grad_()
    filter_local(*parts).sum().backward()
    assert parts[1].grad is not None
    with torch.inference_mode():
        np.testing.assert_array_equal(filter_local(*parts).numpy(), wanted)


def test_a_gpu_where_triton_is_missing_or_fails_gets_the_plain_form(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(module: object) -> object:
        monkeypatch.setitem(sys.modules, "stages.synthesize.separable_triton", module)
        return gpu_form.__wrapped__(torch.device("cpu"))

    def fails(*parts: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("Failed to find C compiler")

    assert chosen(None) is filter_torch
    with pytest.warns(UserWarning, match="Failed to find C compiler"):
        assert chosen(SimpleNamespace(filter_triton=fails)) is filter_torch
    works = SimpleNamespace(filter_triton=lambda *parts: parts[0])
    assert chosen(works) is works.filter_triton


INTERPRETED = """
import numpy as np, pytest, torch
from stages.synthesize.separable_triton import filter_triton
from tests.test_sepconv import naive, random_parts
shapes = (1, 1, 1, 1, 1), (2, 3, 5, 7, 5), (3, 1, 9, 33, 11), (1, 4, 2, 64, 8), (1, 3, 4, 32, 2), (1, 1, 3, 35, 51)
for shape in shapes:
    parts = random_parts(*shape)
    made = filter_triton(*map(torch.from_numpy, parts))
    for one, *each in zip(made.numpy(), *parts, strict=True):
        np.testing.assert_allclose(one, naive(*each), atol=1e-4, err_msg=str(shape))
image, vertical, horizontal = map(torch.from_numpy, parts)
for wrong in ((image[..., 1:], vertical), (image, vertical[:, 1:]), (image[:0], vertical)):
    with pytest.raises(ValueError, match="shapes do not fit"):
        filter_triton(*wrong, horizontal)
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed: it comes with CUDA builds of torch")
def test_the_gpu_form_agrees_with_a_plain_loop() -> None:
    """In Triton's interpreter, which needs no GPU and has to be asked for before Triton is imported."""
    done = subprocess.run([sys.executable, "-c", INTERPRETED], capture_output=True, text=True, timeout=300, check=False,
                          cwd=ROOT, env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.returncode == 0, done.stderr


def still(network: SepConv) -> SepConv:
    """``network`` with heads that answer 'average the two frames' whatever they see."""
    for head in ("Vertical1", "Horizontal1", "Vertical2", "Horizontal2"):
        last = getattr(network, f"module{head}")[-1]
        last.weight.data.zero_()
        last.bias.data.zero_()
        last.bias.data[network.config.taps // 2] = 0.5**0.5
    return network


def random_network(config: Config = TINY, seed: int = 1) -> SepConv:
    torch.manual_seed(seed)
    return SepConv(config).eval()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(2, 33, 47), (1, 64, 64), (1, 5, 1), (2, 41, 30, 3), (1, 64, 33, 3)])
def test_frames_of_any_size_come_back_whole_up_to_the_border(channels: int, shape: tuple[int, ...]) -> None:
    network = still(random_network(Config(channels=channels, width=2, widest=4, taps=9, contrast=0)))
    generator = np.random.default_rng(3)
    first, second = (generator.integers(60, 256, shape, dtype=np.uint8) for _ in range(2))
    made = midpoints(network, first, second)
    assert made.shape == shape
    assert made.dtype == np.uint8
    assert np.abs(made - (first.astype(float) + second) / 2).max() <= 0.6, "no dark border, no swapped colours"


def test_a_filter_off_centre_moves_a_frame_and_continues_its_border() -> None:
    network = still(random_network())
    for name, place in (("Vertical1", 2), ("Horizontal1", 4)):
        bias = getattr(network, f"module{name}")[-1].bias.data
        bias.zero_()
        bias[place] = 1
    network.moduleVertical2[-1].bias.data.zero_()
    frame = np.random.default_rng(1).integers(1, 256, (1, 9, 12), dtype=np.uint8)
    wanted = np.concatenate([frame[..., 2:], frame[..., -1:], frame[..., -1:]], -1)
    np.testing.assert_array_equal(midpoints(network, frame, frame), wanted)


def test_pairs_in_a_batch_are_as_pairs_alone() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (4, 35, 20), dtype=np.uint8)
    network = random_network()
    together = midpoints(network, frames[:-1], frames[1:]).astype(int)
    alone = Learned(network)(frames[:-1], frames[1:])
    assert np.abs(together - alone).max() <= 1


def published(keys: str, config: Config | None = None) -> OrderedDict[str, torch.Tensor]:
    """Random weights of the published layout."""
    network = random_network(config or PUBLISHED, seed=2)
    return OrderedDict((name.replace("module", keys, 1), value) for name, value in network.state_dict().items())


@pytest.mark.parametrize(("keys", "modern"), [("module", False), ("net", True)])
def test_a_file_of_the_published_layout_loads_and_runs(tmp_path: Path, keys: str, modern: bool) -> None:
    path = tmp_path / "network-l1.pytorch"
    torch.save(published(keys), path, _use_new_zipfile_serialization=modern)
    network = load(path)
    weights = network.state_dict()
    assert len(weights) == 94
    assert sum(value.numel() for value in weights.values()) == 21_675_452
    torch.testing.assert_close(weights["moduleConv5.4.weight"], published("module")["moduleConv5.4.weight"])
    frames = np.random.default_rng(1).integers(0, 256, (2, 20, 17), dtype=np.uint8)
    if modern:
        assert choose("sepconv", str(path))(frames[:1], frames[1:]).shape == (1, 20, 17)


def test_safetensors_keep_the_size_of_the_network(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    path.write_bytes(store(random_network()))
    network = load(path)
    assert network.config == TINY
    for name, value in random_network().state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value)
    renamed = {name.replace("module", "net", 1): value for name, value in random_network().state_dict().items()}
    save_file(renamed, path, {"config": json.dumps(TINY.model_dump())})
    assert load(path).config == TINY


def refused(path: Path) -> str:
    """The sentence with which ``path`` is refused."""
    with pytest.raises(UserError) as caught:
        load(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    return sentence


def test_every_fault_of_a_file_is_named(tmp_path: Path) -> None:
    weights = random_network().state_dict()
    weights["moduleConv1.0.weight"] = torch.zeros(2, 2, 5, 5)
    weights["moduleConv2.2.bias"] = torch.zeros(3)
    for name in ("moduleDeconv5.0.weight", "moduleVertical2.7.bias"):
        del weights[name]
    weights["moduleExtra.weight"] = torch.zeros(1)
    weights["moduleConv1.0.bias"] = torch.tensor([0.0, torch.nan])
    path = tmp_path / "w.safetensors"
    save_file(weights, path, {"config": json.dumps(TINY.model_dump())})
    sentence = refused(path)
    for fault in ("moduleDeconv5.0.weight is missing", "moduleVertical2.7.bias is missing",
                  "moduleExtra.weight is not part of it", "moduleConv2.2.bias is (3,) and should be (4,)",
                  "moduleConv1.0.bias holds what is no finite number",
                  "moduleConv1.0.weight is (2, 2, 5, 5) and should be (2, 2, 3, 3)"):  # fmt: skip
        assert fault in sentence


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "network-l1.pytorch"
    torch.save(torch.nn.Linear(3, 2).state_dict(), path)
    assert "moduleConv1.0.weight is missing" in refused(path)
    assert "weight is not part of it" in refused(path)
    torch.save({"epoch": 3, "state": torch.nn.Linear(3, 2).state_dict()}, path)
    assert "something else than named tensors" in refused(path)
    torch.save([torch.zeros(2)], path)
    assert "something else than named tensors" in refused(path)


class Hostile:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("write", [torch.save, partial(torch.save, _use_new_zipfile_serialization=False), None])
def test_code_in_a_file_is_not_executed(tmp_path: Path, write: object) -> None:
    path, trace = tmp_path / "network-l1.pytorch", tmp_path / "trace"
    content = {"moduleConv1.0.weight": Hostile(trace)}
    if callable(write):
        write(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    sentence = refused(path)
    assert not trace.exists()
    assert "without running code in it" in sentence
    assert "weights_only" not in sentence, "no advice to read the file unsafely"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", ["w.safetensors", "w.pytorch", "old.pytorch"])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, share: float) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        path.write_bytes(store(random_network()))
    else:
        torch.save(random_network().state_dict(), path, _use_new_zipfile_serialization=name != "old.pytorch")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert "get a whole copy" in refused(path)


@pytest.mark.parametrize(
    "header",
    ['{"width": "x"}', '{"taps": -3}', '{"colour": 1}', "[1]", "nothing", '{"width": 1000000000000}', '{"taps": 2.5}'],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, header: str) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(save(random_network().state_dict(), {"config": header}))
    refused(path)


def test_missing_and_untrained_weights_say_what_to_do(tmp_path: Path) -> None:
    assert "obtain yourself" in refused(tmp_path / "none.pytorch")
    path = tmp_path / "w.safetensors"
    path.write_bytes(UNTRAINED)
    assert "run dvc repro" in refused(path)


WARPS = Warps(patch=32, motion=5.0, noise=0.0, smooth=[16.0, 32.0])


def test_triplets_move_as_they_say() -> None:
    """Bending the outer frames by the stated motion gives the middle: also where a triplet is mirrored or turned."""
    faces = [texture(70, 60, seed).round().astype(np.uint8) for seed in range(3)]
    batch = triplets(faces, WARPS, 4, 16, np.random.default_rng(1))
    y, x = np.mgrid[:32, :32] + 4
    for n in range(16):
        for outer, sign in ((batch.first, 1), (batch.last, -1)):
            place = np.stack([y + sign * batch.motion[n, 1], x + sign * batch.motion[n, 0]])
            bent = bilinear(outer[n, 0], place)
            assert np.abs(bent - batch.middle[n, 0]).mean() < 0.01
    assert np.linalg.norm(batch.motion, axis=1).max() <= 2.5 + 1e-3


def bilinear(image: np.ndarray, place: np.ndarray) -> np.ndarray:
    return torch.nn.functional.grid_sample(
        torch.from_numpy(image)[None, None],
        torch.from_numpy(place[::-1].astype(np.float32).transpose(1, 2, 0) * 2 / (len(image) - 1) - 1)[None],
        align_corners=True,
    )[0, 0].numpy()


def test_the_guide_is_nought_at_cubic_interpolation_of_no_motion() -> None:
    delta = torch.zeros(1, 5, 3, 3)
    delta[:, 2] = 0.5**0.5
    filters = (delta,) * 4
    assert distance(filters, torch.zeros(1, 2, 3, 3)) < 1e-6
    assert distance(filters, torch.full((1, 2, 3, 3), 0.5)) > 1


def test_training_beats_the_average_on_motion_that_it_has_not_seen() -> None:
    faces = [texture(90, 80, seed).round().astype(np.uint8) for seed in range(6)]
    size = Size(width=8, widest=16, taps=7, contrast=15)
    schedule = Schedule(steps=120, batch=4, learning_rate=0.01, guidance=0.2)
    options = Sepconv(network=size, warps=WARPS, schedule=schedule, seed=1)
    torch.set_num_threads(1)
    network, error, average = fit(faces, options)
    assert error < 0.9 * average
    picture, motion = texture(64, 70, seed=50), wave(64, 70, 3.0)
    first, middle, last = (moved(picture, motion * share) for share in (-0.5, 0.0, 0.5))
    made = Learned(network)(first[None], last[None])[0]
    plain = choose("average", "")(first[None], last[None])[0]
    assert psnr(made, middle) > psnr(plain, middle) + 1
    short = options.model_copy(update={"schedule": schedule.model_copy(update={"steps": 2})})
    again, *_ = fit(faces, short)
    same, *_ = fit(faces, short)
    assert store(again) == store(same)


def small(folder: Path, **synthesize: object) -> Path:
    """A folder with a short sequence and a SepConv of a few weights to train: one of each, so no more processes."""
    change = {
        "synthesize": {"interpolator": "sepconv"} | synthesize,
        "portraits": {"people": 1, "pictures": 2, "seed": 1},
        "sepconv": {
            "network": {"width": 2, "widest": 4, "taps": 5, "contrast": 7},
            "warps": {"patch": 32, "motion": 3.0, "noise": 1.0, "smooth": [16.0, 32.0]},
            "schedule": {"steps": 2, "batch": 2, "learning_rate": 0.01, "guidance": 0.1},
            "seed": 1,
        },
    }
    return project(folder, {"S001/001": film(61, 47, 3, seed=0)}, **change)


def test_from_portraits_to_micro_sequences_through_the_stages(tmp_path: Path) -> None:
    folder, interim = small(tmp_path), tmp_path / "data/interim"
    made = {}
    for stage in ("simulate.portraits", "synthesize.training", "synthesize"):
        done = run_stage(folder, stage)
        assert done.returncode == 0, done.stderr
        made[stage] = done.stdout
    assert "1 people, 2 pictures" in made["simulate.portraits"]
    assert "2 portraits, 2 steps" in made["synthesize.training"]
    assert "interpolated 1 with 'sepconv'" in made["synthesize"]
    micro = parquet.read_sequence(interim / "micro.parquet", FRAMES, 0)
    frames = images.decode(micro["png"], "micro")
    assert frames.shape == (9, 61, 47)
    originals = images.decode(film(61, 47, 3, 0), "film")
    np.testing.assert_array_equal(frames[::4], originals)
    network = load(interim / "sepconv.safetensors")
    np.testing.assert_array_equal(frames[2], midpoints(network, originals[:1], originals[1:2])[0])


def test_nothing_is_filmed_or_trained_for_an_interpolator_that_learns_nothing(tmp_path: Path) -> None:
    folder = small(tmp_path, interpolator="average")
    for stage in ("simulate.portraits", "synthesize.training"):
        done = run_stage(folder, stage)
        assert done.returncode == 0, done.stderr
        assert "'average' learns nothing" in done.stdout
    assert (tmp_path / "data/interim/sepconv.safetensors").read_bytes() == UNTRAINED
    assert parquet.index(tmp_path / "data/interim/portraits.parquet", FRAMES) == {}


def test_wrong_weights_fail_with_one_sentence_before_any_work(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "mine.pytorch")
    done = run_stage(small(tmp_path, weights="mine.pytorch"), "synthesize")
    assert done.returncode == 1
    assert done.stderr.startswith("error: mine.pytorch: these are not the weights of this network")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data/interim/micro.parquet").exists()
