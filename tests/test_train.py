"""The networks, their augmentation, and one fold through the stage's command."""

import itertools
import json
import platform
import shutil
import subprocess
import sys
from functools import partialmethod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from stages.tables import muon, parquet, schema
from stages.tables.errors import UserError
from stages.tables.params import Section
from stages.tables.points import MIRROR, NOSE_TIP
from stages.train import augment, dtagn, lmf, svm, weights
from stages.train.checkpoint import Checkpoint
from stages.train.networks import Losses, held_out_rows
from stages.train.optimise import Schedule, Trainer, Width
from tests.conftest import ROOT, run_stage

SCHEDULE = Schedule(epochs=1, batch=4, learning_rate=1e-3)
LMF = lmf.Config(
    width=Width(default=0.0625, paper=1.0),
    weighted_maps=2,
    negative_slope=0.1,
    lstm_layers=1,
    lstm_size=16,
    dropout=0.0,
    maps=[2],
    whole_share=1.0,
    shortest_part=1.0,
    other_motion=0.0,
    head_motion=0.0,
    landmark_noise=0.0,
    label_smoothing=0.0,
    schedule=SCHEDULE,
)
DTAGN = dtagn.Config(
    frames=12,
    shortest_part=1.0,
    other_motion=0.0,
    head_motion=0.0,
    landmark_noise=0.01,
    width=Width(default=0.25, paper=1.0),
    dropout=0.0,
    dtgn_epochs=1,
    magnification=4.0,
    joint_epochs=1,
    schedule=SCHEDULE,
)
seeds = st.integers(0, 2**32 - 1)
Config = TypeVar("Config", bound=Section)


def changed(config: Config, **values: Any) -> Config:
    return config.model_copy(update=values)


def rows(subjects: int = 4, maps: int = 3, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Feature tables of random content: two sequences a subject, general and micro."""
    random = np.random.default_rng(seed)
    one, two = [], []
    for subject in range(subjects):
        for session in range(2):
            for kind in (schema.GENERAL, schema.MICRO):
                head = {
                    "sequence": f"S{subject:03}/{session:03}",
                    "subject": f"S{subject:03}",
                    "emotion": 1 + (subject + session) % 7,
                    "fold": subject % 2,
                    "set": kind,
                }
                images, frames = random.integers(0, 256, (maps, 68, 68), "uint8"), 4 + session
                points = random.normal(200, 50, (frames, 68, 2)).astype("float32").tobytes()
                faces = random.integers(0, 256, (frames, 32, 32), "uint8").tobytes()
                one.append(head | {"sfem": 1.0, "maps": images.tobytes(), "points": points})
                two.append(head | {"faces": faces, "points": points})
    return pd.DataFrame(one), pd.DataFrame(two)


def test_mirror_is_its_own_inverse_and_keeps_the_midline() -> None:
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(68))
    assert [i for i in range(68) if MIRROR[i] == i] == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]


def test_width_one_is_vgg16() -> None:
    network = lmf.LmfFer(LMF, LMF.width.of("paper"))
    convolutions = [layer for layer in network.encoder if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == 13
    # VGG16's convolutions hold 14,714,688 values with three input channels: here a map and two weighted copies of it.
    values = sum(value.numel() for layer in convolutions for value in layer.parameters())
    assert values == 14_714_688
    assert network.eval()(torch.zeros(2, 8, 68, 68, dtype=torch.uint8)).shape == (2, 7)


def test_mirrored_maps_are_the_maps_of_mirrored_landmarks() -> None:
    from stages.featurize.lmf import lmf as change

    points = np.random.default_rng(0).normal(200, 50, (3, 68, 2))
    other = points[:, MIRROR] * [-1, 1]
    ours = augment.mirrored(torch.tensor(change(points))[None])[0]
    np.testing.assert_allclose(ours, change(other))


@given(seeds, st.floats(0.02, 100))
@settings(deadline=None, max_examples=25)
def test_the_maps_of_a_batch_are_those_of_the_table(seed: int, size: float) -> None:
    from stages.featurize.lmf import lmf as change
    from stages.featurize.lmf import maps

    random = np.random.default_rng(seed)
    still = random.uniform(100, 300, (2, 1, 68, 2))
    points = (still + size * random.normal(size=(2, 4, 68, 2))).astype(np.float32)
    table = np.stack([maps(change(track), augment.STILL) for track in points]).astype(int)
    batch = augment.lmf_maps(torch.tensor(points)).numpy().astype(int)
    # The square root is steep at zero, where float32 and float64 distances part by some 1e-5 px.
    large = np.abs(table - 127) > max(2, 0.5 / size)
    assert np.abs(batch - table)[large].max() <= 1
    still_maps = augment.lmf_maps(torch.tensor(np.repeat(points[:, :1], 3, axis=1)))
    assert (still_maps == 127).all(), "a face without motion"


def test_a_start_is_the_part_of_the_table_that_it_says() -> None:
    from stages.featurize.lmf import resample

    tracks = [np.random.default_rng(0).normal(size=(n, 68, 2)).astype("float32") for n in (5, 9)]
    points, frames = augment.padded([track.tobytes() for track in tracks], "float32", (68, 2))
    assert frames.tolist() == [5, 9]
    whole = augment.start(points, frames, 1.0, 12)
    half = augment.start(points, frames, torch.tensor([0.5, 0.5]), 4)
    for i, track in enumerate(tracks):
        np.testing.assert_allclose(whole[i], resample(track, 12), atol=1e-5)
        np.testing.assert_allclose(half[i], resample(track[: 1 + len(track) // 2], 4), atol=1e-5)


def test_a_step_sees_whole_sequences_parts_of_them_and_onsets() -> None:
    torch.manual_seed(0)
    frames = torch.tensor([4, 9, 21]).repeat(4000)
    share = augment.onsets(frames, 0.35, 0.4)
    assert (share == 1).float().mean() == pytest.approx(0.4, abs=0.02)
    assert (share < 0.35)[frames == 21].float().mean() == pytest.approx(0.3 * np.log(0.35 / 0.1) / np.log(10), abs=0.02)
    steps = (share * (frames - 1))[frames == 21]
    assert steps.min() == pytest.approx(2, abs=0.05), "as many as micro sequences have"


def test_landmark_errors_spare_the_first_frame_and_grow_with_the_motion() -> None:
    torch.manual_seed(0)
    still = torch.rand(400, 1, 68, 2)
    points = still + torch.arange(3)[None, :, None, None] * torch.tensor([1.0, 10.0]).repeat(200)[:, None, None, None]
    error = augment.with_error(points, 0.5) - points
    assert not error[:, 0].any()
    share = error[:, 1:].std(dim=(1, 2, 3)) / (points - points[:, :1]).square().sum(-1).mean(dim=(1, 2)).sqrt()
    assert share.max() < 0.6
    assert share.mean() == pytest.approx(0.25, abs=0.03)


def test_what_others_do_is_added_as_a_share_of_the_own_motion() -> None:
    torch.manual_seed(0)
    change = torch.rand(2, 1, 68, 2) - 0.5
    steps = torch.arange(4)[None, :, None, None] * torch.tensor([1.0, 20.0])[:, None, None, None]
    points = torch.rand(2, 1, 68, 2) * 200 + steps * change
    mirror = change[:, :, MIRROR] * torch.tensor([-1.0, 1.0])
    sizes, forms = [], set()
    for _ in range(300):
        added = augment.with_other(points, 0.4) - points
        assert not added[:, 0].any()
        sizes.append(augment.motion(added + points[:, :1]) / augment.motion(points))
        for row, kind in itertools.product(range(2), itertools.product((change, mirror), (1, -1), range(2))):
            other, sign, source = kind
            likeness = torch.cosine_similarity(added[row, 3].flatten(), sign * other[source, 0].flatten(), dim=0)
            if likeness > 0.999:
                forms.add((row, other is mirror, sign, source))
    assert len(forms) == 2 * 2 * 2 * 2, "own or other's, mirrored or not, forwards or backwards"
    assert torch.stack(sizes).max() < 0.41
    assert torch.stack(sizes).mean() == pytest.approx(0.2, abs=0.02)


def test_a_turn_moves_what_lies_before_against_what_lies_behind() -> None:
    """The first order of what a camera far away sees of MakeHuman's face as it turns and comes nearer."""
    from stages.simulate import assets, faces

    model = assets.load()
    still = model.landmarks(model.vertices)
    width = np.linalg.norm(still[16] - still[0])
    np.testing.assert_allclose(augment.DEPTH, (still[:, 2] - still[:, 2].mean()) / width, atol=0.006)
    turns = np.array([(0.1, 0, 0), (0, 0.1, 0)])
    moves = [model.landmarks(faces.pose(model.vertices, angles)) - still for angles in turns]
    modes = [(move - move.mean(axis=0))[:, :2].ravel() for move in (*moves, still)]
    torch.manual_seed(0)
    points = torch.tensor(still[None, None, :, :2] * 100).float().repeat(50, 3, 1, 1)
    points[:, 1:] += torch.rand(50, 2, 68, 2)
    added = (augment.with_turn(points, 0.7) - points).numpy()
    assert not added[:, 0].any()
    np.testing.assert_allclose(added[:, 2], 2 * added[:, 1], atol=1e-4)
    flat = (added[:, 2] - added[:, 2].mean(axis=1, keepdims=True)).reshape(50, -1)
    left = flat - flat @ np.linalg.pinv(np.stack(modes)) @ np.stack(modes)
    assert np.linalg.norm(left) < 0.2 * np.linalg.norm(flat)


def test_first_layer_of_dtan_is_a_filter_per_frame_summed() -> None:
    """The published form: Conv2d(12, 64 * 12, 5, groups=12), then a sum over the 12 frames."""
    layer = dtagn.Dtan(DTAGN, 0.25, 64).lower[0]
    assert isinstance(layer, nn.Conv2d)
    published = nn.Conv2d(12, 16 * 12, 5, groups=12, bias=False)
    weight = layer.weight.detach()  # (filters, frames, 5, 5)
    published.weight = nn.Parameter(weight.transpose(0, 1).reshape(12 * 16, 1, 5, 5))
    faces = torch.rand(2, 12, 64, 64)
    summed = published(faces).view(2, 12, 16, 60, 60).sum(dim=1) + layer.bias[None, :, None, None]
    torch.testing.assert_close(layer(faces), summed, atol=1e-4, rtol=1e-4)


def test_response_normalisation_is_its_formula() -> None:
    x = torch.randn(2, 8, 3, 3)
    expected = nn.LocalResponseNorm(5, alpha=1.0, beta=0.75, k=1.0)(x)
    torch.testing.assert_close(dtagn.LocalResponseNorm(8)(x), expected)


def test_trajectories_are_centred_on_the_nose_and_scaled_to_unit_deviation() -> None:
    points = torch.rand(2, 5, 68, 2) * 200
    result = dtagn.normalised(points)
    assert not result[:, :, NOSE_TIP].any()
    torch.testing.assert_close(result.std(dim=2, correction=0), torch.ones(2, 5, 2))
    torch.testing.assert_close(dtagn.normalised(3 * points + 10), result, atol=1e-3, rtol=1e-3)


def test_magnified_motion_is_larger_and_the_first_frame_stays() -> None:
    track = torch.rand(2, 5, 68, 2)
    larger = dtagn.magnified(track, torch.tensor([1.0, 3.0]))
    torch.testing.assert_close(larger[0], track[0])
    torch.testing.assert_close(larger[1] - track[1, :1], 3 * (track[1] - track[1, :1]))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("degrees", [-15.0, 0.0, 10.0])
def test_faces_and_landmarks_turn_together(degrees: float, flip: bool) -> None:
    """A blob at a landmark goes to the turned landmark."""
    angle, flips = torch.deg2rad(torch.tensor([degrees])), torch.tensor([flip])
    index, x, y = 17, 0.5, -0.3  # a point off the midline, in half sides from the centre
    pixels = (torch.arange(64) + 0.5) / 32 - 1
    image = torch.exp(-((pixels[None] - x) ** 2 + (pixels[:, None] - y) ** 2) / 0.005)[None, None] * 255
    result = dtagn.rotated(image, angle, flips)[0, 0]
    centre = (result.sum(0) @ pixels / result.sum(), result.sum(1) @ pixels / result.sum())
    # The other landmarks make the deviations of x and y equal, so that normalising again changes nothing.
    trajectory = torch.zeros(1, 1, 68, 2)
    trajectory[0, 0, index] = torch.tensor([x, y])
    cos, sin, sign = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees)), -1 if flip else 1
    expected = cos * sign * x - sin * y, sin * sign * x + cos * y
    np.testing.assert_allclose(centre, expected, atol=0.02)
    turned = dtagn.turned(trajectory, angle, flips)[0, 0, MIRROR[index] if flip else index]
    assert np.sign(float(turned[0])) == np.sign(expected[0])
    assert np.sign(float(turned[1])) == np.sign(expected[1])


sides = st.sampled_from([1, 3, 7, 20, 32, 40, 64, 100, 160, 192])


@given(seeds, st.lists(st.tuples(sides, sides), min_size=1, max_size=4))
@settings(deadline=None, max_examples=40)
def test_muon_steps_along_what_newton_and_schulz_make_of_the_gradient(seed: int, shapes: list[tuple[int, int]]) -> None:
    """Against the iteration as published, X <- aX + (bXX' + c(XX')^2)X, of each weight or each of its pieces alone."""
    torch.manual_seed(seed)
    weights = [nn.Parameter(torch.zeros(shape)) for shape in shapes]
    for weight in weights:
        # Of nearly singular gradients, Newton and Schulz blow up what float32 loses.
        left, values, right = torch.linalg.svd(torch.randn(weight.shape), full_matrices=False)
        weight.grad = left * (0.1 + 0.9 * torch.rand_like(values)) @ right
    muon.Muon(weights, momentum=0.0).step(0.5, 0.1)
    for weight, (rows, columns) in zip(weights, shapes, strict=True):
        assert weight.grad is not None
        gradient = weight.grad.double().T if rows > columns else weight.grad.double()
        expected = []
        for piece in gradient.split(32 if len(gradient) % 32 == 0 else len(gradient)):
            x = piece / piece.norm()
            for _ in range(5):
                x = 3.4445 * x + (-4.7750 * x @ x.T + 2.0315 * (x @ x.T) @ (x @ x.T)) @ x
            expected.append(x)
        change = torch.cat(expected).T if rows > columns else torch.cat(expected)
        stretch = max(1, rows / columns) ** 0.5
        torch.testing.assert_close(weight.detach().double(), -0.5 * stretch * change, atol=1e-5, rtol=1e-4)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc takes this setting")
def test_training_keeps_the_memory_that_tensors_free() -> None:
    """Where it went back to the system, each of these would fault in thousands of pages."""
    code = """if True:
        import resource, torch
        from stages.train.optimise import Trainer
        Trainer()
        faults = [0]
        for _ in range(8):
            torch.ones(2**24)
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
        print(min(after - before for before, after in zip(faults, faults[1:])))
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100


@pytest.mark.parametrize("model", [lmf, dtagn])
def test_a_network_learns_what_can_be_learnt(model) -> None:  # type: ignore[no-untyped-def]
    """Two expressions, one of which widens the mouth and brightens the face, are classified after a few epochs."""
    from stages.featurize.lmf import lmf as change
    from stages.featurize.lmf import maps

    torch.manual_seed(0)
    random = np.random.default_rng(0)
    table = rows(subjects=8)[model is dtagn].query("set == 'general'").copy()
    table["emotion"] = np.arange(len(table)) % 2 + 1
    values: dict[str, list[bytes]] = {"points": [], "faces": [], "maps": []}
    for emotion in table["emotion"]:
        points = np.repeat(random.normal(200, 50, (1, 68, 2)), 5, axis=0) + random.normal(0, 0.1, (5, 68, 2))
        moved = range(48, 68) if emotion == 1 else range(17, 27)
        points[:, moved] += np.arange(5)[:, None, None] * np.sign(points[:, moved] - 200) * 3
        faces = np.full((5, 32, 32), 100) + np.arange(5)[:, None, None] * 20 * (emotion - 1)
        values["points"].append(points.astype("float32").tobytes())
        values["faces"].append(faces.astype("uint8").tobytes())
        values["maps"].append(maps(change(points), 1e-3).tobytes())
    table = table.assign(**{name: column for name, column in values.items() if name in table})
    schedule = Schedule(epochs=25, batch=8, learning_rate=1e-2)
    config = {
        lmf: changed(LMF, schedule=schedule),
        dtagn: changed(DTAGN, dtgn_epochs=25, joint_epochs=10, schedule=schedule),
    }[model]
    trainer = Trainer()
    network = model.fit(table, config, trainer)
    for method, probability in model.predict(network, table).items():
        np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-5)
        accuracy = (probability.argmax(axis=1) + 1 == table["emotion"]).mean()
        assert accuracy >= 0.9, f"{method} {accuracy} {trainer.history}"


def test_a_tested_sequence_is_read_at_two_time_scales() -> None:
    """Its maps in the table, and those of the whole sequence in as few steps as in training."""
    torch.manual_seed(0)
    network = lmf.LmfFer(LMF, 0.0625)
    table, other = rows(seed=1)[0], rows(seed=2)[0]

    def predicted(**other: Any) -> np.ndarray:
        return lmf.predict(network, table.assign(**other))["LMF-FER"]

    def between(columns: pd.Series) -> list[bytes]:
        """Landmarks whose second frame is another, which two steps of five frames skip."""
        points = [np.frombuffer(one, "float32").reshape(-1, 68, 2).copy() for one in columns]
        for one in points:
            one[1] *= 1.2
        return [one.tobytes() for one in points]

    five = table["sequence"].str.endswith("001")
    plain = predicted()
    assert (predicted(maps=other["maps"]) != plain).any(axis=1).all()
    assert (predicted(points=other["points"]) != plain).any(axis=1).all()
    same = (predicted(points=between(table["points"])) == plain).all(axis=1)
    assert (same == five).all(), "of four frames, the middle lies between the second and the third"


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    ("model", "at", "held_out"),
    [(lmf, 1, 0), (lmf, 3, 0), (lmf, 3, 3), (dtagn, 2, 0), (dtagn, 4, 0), (dtagn, 6, 3), (dtagn, 10, 3)],
)
def test_a_killed_training_goes_on_and_ends_with_the_same_weights(
    model: Any, at: int, held_out: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four epochs of LMF-FER; four, four and three of DTAGN's parts: killed in each of them, and between two."""
    table = rows()[model is dtagn].query("set == 'general'")
    schedule = changed(SCHEDULE, epochs=4)
    config = {lmf: changed(LMF, dropout=0.2, schedule=schedule),
              dtagn: changed(DTAGN, dropout=0.2, dtgn_epochs=4, joint_epochs=3, schedule=schedule)}[model]  # fmt: skip

    def trained(trainer: Trainer) -> dict[str, torch.Tensor]:
        torch.manual_seed(1)
        return dict(model.fit(table, config, trainer).state_dict())

    def drawn(name: str) -> dict[str, str]:
        folder = tmp_path / name / "plots/metrics"
        return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*.tsv")}

    whole = Trainer(live=Losses(tmp_path / "whole"), held_out=held_out)
    wanted = trained(whole)
    cut = Trainer(checkpoint=tmp_path / "c", key="one", pause=0, held_out=held_out)
    with monkeypatch.context() as patch:
        write, written = Checkpoint.write, itertools.count(1)

        def killed(self: Checkpoint, *state: Any) -> None:
            write(self, *state)
            if next(written) == at:
                raise Killed

        patch.setattr(Checkpoint, "write", killed)
        with pytest.raises(Killed):
            trained(cut)
    again = Trainer(checkpoint=tmp_path / "c", key="one", pause=1e9, held_out=held_out, live=Losses(tmp_path / "again"))
    end = trained(again)
    assert again.history == whole.history
    assert drawn("again") == drawn("whole")
    assert set(drawn("whole")) == {f"{part}/loss.tsv" for part in whole.history}
    for name, value in wanted.items():
        assert torch.equal(end[name], value), name


@pytest.mark.parametrize("model", [lmf, dtagn])
def test_held_out_rows_choose_an_epoch_and_teach_nothing(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = rows(subjects=6)[model is dtagn].query("set == 'general'")
    other = table.assign(emotion=[*table["emotion"][:-4], 1, 1, 2, 2])
    schedule = changed(SCHEDULE, epochs=6, learning_rate=0.03)
    config = {lmf: changed(LMF, schedule=schedule),
              dtagn: changed(DTAGN, dropout=0.2, dtgn_epochs=6, joint_epochs=6, schedule=schedule)}[model]  # fmt: skip
    epochs: dict[str, list[dict[str, torch.Tensor]]] = {}

    def noted(self: Checkpoint, part: str, history: object, best: object, network: nn.Module, *state: object) -> None:
        epochs.setdefault(part, []).append({name: value.clone() for name, value in network.state_dict().items()})

    def trained(table: pd.DataFrame) -> tuple[Trainer, dict[str, torch.Tensor]]:
        torch.manual_seed(1)
        epochs.clear()
        trainer = Trainer(held_out=4)
        return trainer, model.fit(table, config, trainer).state_dict()

    monkeypatch.setattr(Checkpoint, "write", noted)
    trainer, weights = trained(table)
    (first, *_), (*_, last) = epochs.values(), epochs.values()
    best = int(np.argmin(trainer.history[f"{[*epochs][-1]}, held out"]))
    assert len(set(trainer.history[f"{[*epochs][-1]}, held out"])) == 6, "each epoch's weights give another loss"
    assert all(torch.equal(weights[name], value) for name, value in last[best].items())
    again, _ = trained(other)
    part = next(iter(epochs))
    assert again.history[part] == trainer.history[part]
    assert again.history[f"{part}, held out"] != trainer.history[f"{part}, held out"]
    for one, two in zip(first, epochs[part], strict=True):
        assert all(torch.equal(one[name], value) for name, value in two.items())


@given(st.lists(st.integers(0, 30), min_size=1), st.floats(0, 0.99))
def test_whole_subjects_are_held_out(subjects: list[int], share: float) -> None:
    column = pd.Series([f"S{number:03}" for number in subjects])
    held_out = held_out_rows(column, share)
    assert not set(column[held_out]) & set(column[~held_out])
    everyone = column.nunique()
    assert abs(column[held_out].nunique() - share * everyone) < 1
    assert column[held_out].nunique() < everyone


def test_another_training_s_checkpoint_and_a_damaged_one_are_not_used(tmp_path: Path) -> None:
    table = rows()[0].query("set == 'general'")

    def trained(key: str) -> torch.Tensor:
        torch.manual_seed(1)
        network = lmf.fit(table, LMF, Trainer(checkpoint=tmp_path / "c", key=key, pause=0))
        return network.classifier.weight.detach().clone()

    first = trained("one")
    assert torch.equal(trained("two"), first)
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:5000])
    assert torch.equal(trained("two"), first)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with params.yaml and both feature tables of four subjects in two folds."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for model in ("lmf", "dtagn"):
        params["train"][model]["schedule"] |= {"epochs": 1, "batch": 4}
    params["train"]["dtagn"] |= {"dtgn_epochs": 1, "joint_epochs": 1}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    write(tmp_path, *rows())
    return tmp_path


def write(folder: Path, one: pd.DataFrame, two: pd.DataFrame) -> None:
    parquet.write(folder / "data/features/lmf.parquet", schema.LMF, one)
    parquet.write(folder / "data/features/dtagn.parquet", schema.DTAGN, two)


@pytest.mark.parametrize(("model", "methods", "held_out"), [("lmf", 1, 0.5), ("dtagn", 5, 0.0)])
def test_the_stage_predicts_the_fold_and_learns_nothing_of_its_labels(
    folder: Path, model: str, methods: int, held_out: float
) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["train"]["held_out"] = held_out
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    assert run_stage(folder, "train", model, "1").returncode == 0
    first = parquet.read(folder / f"results/predictions/{model}-1.parquet", schema.PREDICTIONS)
    assert len(first) == methods * 2 * 2 * 2  # two subjects, two sequences, two sets
    assert set(first["subject"]) == {"S001", "S003"}
    assert (folder / f"results/history/{model}-1/plots/metrics/LMF-FER, held out").is_dir() == (held_out > 0)
    content = (folder / f"results/models/{model}-1.safetensors").read_bytes()
    # With other labels on the test subjects, all that was learnt stays the same to the bit.
    tables = rows()
    for table in tables:
        table.loc[table["fold"] == 1, "emotion"] = 7
    write(folder, *tables)
    assert run_stage(folder, "train", model, "1").returncode == 0
    again = parquet.read(folder / f"results/predictions/{model}-1.parquet", schema.PREDICTIONS)
    assert (folder / f"results/models/{model}-1.safetensors").read_bytes() == content
    np.testing.assert_array_equal(np.stack(first["probability"]), np.stack(again["probability"]))


def test_the_support_vector_machine_separates_what_can_be_separated() -> None:
    table = rows(subjects=8)[0]
    for shown in ([3], [2, 5], [1, 4, 7]):  # as many emotions as scikit-learn has forms of an answer
        table["emotion"] = np.resize(shown, len(table))
        maps = np.full((len(table), 3, 68, 68), 127, "uint8")
        for map_, emotion in zip(maps, table["emotion"], strict=True):
            map_[:, 9 * emotion :, :] += 50  # other landmarks move
        table["maps"] = [map_.tobytes() for map_ in maps]
        (probability,) = svm.predict(svm.fit(table, svm.Config(c=1.0)), table).values()
        np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-5)
        assert (probability.argmax(axis=1) + 1 == table["emotion"]).all()
        assert not np.delete(probability, np.array(shown) - 1, axis=1).any(), "an emotion that was never shown"


def test_the_support_vector_machine_learns_nothing_of_test_labels(folder: Path) -> None:
    file = folder / "results/predictions/svm.parquet"
    runs = []
    for labels in (None, 7):
        table, other = rows()
        if labels:
            table.loc[table["fold"] == 1, "emotion"] = labels
        write(folder, table, other)
        done = run_stage(folder, "train", "svm")
        assert done.returncode == 0, done.stderr
        predictions = parquet.read(file, schema.PREDICTIONS)
        assert len(predictions) == len(table)
        runs.append(np.stack(predictions[predictions["fold"] == 1]["probability"]))
    np.testing.assert_array_equal(*runs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "least", "most"),
    [("lmf", 14.7e6, 18e6), ("dtagn", 2e6, 4e6)],  # of faces of 32 px, not 64
)
def test_an_epoch_of_the_published_sizes(folder: Path, model: str, least: float, most: float) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["train"] |= {"profile": "paper"}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    done = run_stage(folder, "train", model, "0")
    assert done.returncode == 0, done.stderr
    file = folder / f"results/models/{model}-0.safetensors"
    assert weights.load(file).about["network"]["width"] == 1
    values = sum(value.numel() for value in load_file(file).values())
    assert least < values < most


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_compiled_network_learns_the_same(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced and differentiated in advance, as compiling does first of all; and with kernels, which take minutes."""
    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=backend))
    for model, config, table in zip((lmf, dtagn), (LMF, DTAGN), rows(), strict=True):
        answers = []
        for compiled in (False, True):
            torch.manual_seed(0)
            answers.append(model.predict(model.fit(table, config, Trainer(compile=compiled)), table))
        for method, expected in answers[0].items():
            np.testing.assert_allclose(answers[1][method], expected, rtol=0, atol=1e-3)


def test_a_fold_without_subjects_gives_an_empty_table(folder: Path) -> None:
    result = run_stage(folder, "train", "lmf", "7")
    assert result.returncode == 0, result.stderr
    assert parquet.read(folder / "results/predictions/lmf-7.parquet", schema.PREDICTIONS).empty
    assert weights.load(folder / "results/models/lmf-7.safetensors").network is None


@pytest.mark.parametrize("model", [lmf, dtagn])
def test_a_network_is_rebuilt_from_its_file_alone(model: Any, tmp_path: Path) -> None:
    table, config = rows()[model is dtagn], {lmf: LMF, dtagn: DTAGN}[model]
    network, name = model.fit(table, config, Trainer()), model.__name__.rpartition(".")[2]
    weights.save(tmp_path / "w", name, config, network, seed=7)
    stored = weights.load(tmp_path / "w")
    assert (stored.model, stored.about["seed"]) == (name, 7)
    assert not stored.network.training
    for key, value in network.state_dict().items():
        assert torch.equal(stored.network.state_dict()[key], value)
    for method, expected in model.predict(network, table).items():
        np.testing.assert_allclose(model.predict(stored.network, table)[method], expected, rtol=1e-5)


def test_a_damaged_file_of_weights_is_one_sentence(tmp_path: Path) -> None:
    file, network = tmp_path / "w", lmf.LmfFer(LMF, 0.0625)
    with pytest.raises(UserError, match="no such file"):
        weights.load(file)
    file.write_bytes(b"x")
    with pytest.raises(UserError, match="not a readable file of weights"):
        weights.load(file)
    tensors = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(tensors, file)
    with pytest.raises(UserError, match="another version"):  # without a header
        weights.load(file)
    weights.save(file, "lmf", LMF, network)
    header = weights.load(file).about
    for wrong in ({"model": "nope"}, {"config": {}}, {"network": {"class": "LmfFer", "width": 0.125}}, {"network": 1}):
        save_file(tensors, file, {"about": json.dumps(header | wrong)})
        with pytest.raises(UserError, match="another version"):
            weights.load(file)
    network.classifier.weight.data[0, 0] = torch.nan
    weights.save(file, "lmf", LMF, network)
    with pytest.raises(UserError, match="no finite number"):
        weights.load(file)


def test_the_key_of_a_checkpoint_digests_every_file_that_the_training_imports() -> None:
    code = "from stages.train import lmf, networks; print(*networks.imported())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {str(Path(file).relative_to(ROOT / "stages")) for file in done.stdout.split()}
    assert {"tables/muon.py", "train/augment.py", "train/lmf.py", "train/optimise.py"} <= imported
    assert not {"train/dtagn.py", "train/svm.py"} & imported


def test_a_missing_table_is_one_sentence(tmp_path: Path, folder: Path) -> None:
    (folder / "data/features/lmf.parquet").unlink()
    result = run_stage(folder, "train", "lmf", "0")
    assert result.returncode == 1
    assert result.stderr.startswith("error: data/features/lmf.parquet: no such table")
    assert "Traceback" not in result.stderr
