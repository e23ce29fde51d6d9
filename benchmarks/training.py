"""What the networks of each profile cost, in parameters, multiply-adds and seconds; what the training loop adds to it.

    python -m benchmarks.training
    python -m benchmarks.training --device cuda

On random sequences, as many as nine folds of the default data set. Writes training.md beside this file.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import common
from stages.tables import params, stage
from stages.tables.points import POINTS
from stages.tables.schema import EMOTIONS
from stages.train import dtagn, lmf
from stages.train.optimise import Trainer
from stages.train.params import Train

SEQUENCES, FRAMES, MAPS = 160, 12, 8


def rows(size: int) -> pd.DataFrame:
    """Both feature tables' columns in one, of random content; ``size`` is the side of the faces, px."""
    random = np.random.default_rng(2017)
    still = random.uniform(50, 200, (SEQUENCES, 1, POINTS, 2))
    points = still + random.normal(0, 1, (SEQUENCES, FRAMES, POINTS, 2)).cumsum(axis=1)
    faces = random.integers(0, 256, (SEQUENCES, FRAMES, size, size), "uint8")
    return pd.DataFrame(
        {
            "emotion": np.arange(SEQUENCES) % len(EMOTIONS) + 1,
            "points": [track.astype("float32").tobytes() for track in points],
            "faces": [one.tobytes() for one in faces],
        }
    )


def multiply_adds(network: nn.Module, inputs: torch.Tensor) -> int:
    """Of one sequence at test time, in convolutions and matrix products."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):  # where an LSTM is one operation
        network.eval()(inputs)
    return counter.get_total_flops() // 2


def seconds(function: Callable[[], Any], device: torch.device, repeats: int = 1) -> float:
    """The shortest time of ``repeats``, all that a GPU has to do included."""

    def work() -> None:
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return common.fastest(work, repeats)


def brief() -> tuple[lmf.Config, dtagn.Config]:
    """The networks' parameters, each of whose parts learns for one epoch."""
    one, two = params.read(lmf.Config), params.read(dtagn.Config)
    return (
        one.model_copy(update={"schedule": one.schedule.model_copy(update={"epochs": 1})}),
        two.model_copy(update={"schedule": two.schedule.model_copy(update={"epochs": 1}),
                               "dtgn_epochs": 1, "joint_epochs": 1}),
    )  # fmt: skip


class Timed(Trainer):
    """A trainer that hands each part's training to ``time``, to be run as often as it takes, instead of running it."""

    def __init__(self, time: Callable[[str, Callable[[], None]], None], **settings: Any) -> None:
        super().__init__(**settings)
        self.time = time

    def minimise(self, part: str, network: Any, parameters: Any, *rest: Any) -> None:
        learning = list(parameters)
        self.time(part, lambda: super(Timed, self).minimise(part, network, learning, *rest))


def costs(profile: str, device: torch.device) -> list[dict[str, Any]]:
    """A row for each network of a profile."""
    size = params.line("featurize.face_size", int)
    table = rows(size)
    one, two = brief()
    widths = {"LMF-FER": one.width.of(profile)} | dict.fromkeys(("DTAN", "DTGN"), two.width.of(profile))
    inputs = {
        "LMF-FER": (lmf.LmfFer(one, widths["LMF-FER"]), torch.zeros(1, MAPS, POINTS, POINTS, dtype=torch.uint8)),
        "DTAN": (dtagn.Dtan(two, widths["DTAN"], size), torch.zeros(1, two.frames, size, size)),
        "DTGN": (dtagn.Dtgn(two), torch.zeros(1, two.frames, POINTS, 2)),
    }
    epochs: dict[str, float] = {}
    trainer = Timed(lambda part, train: epochs.update({part: seconds(train, device)}), device=device, profile=profile)
    lmf.fit(table, one, trainer)
    dtagn.fit(table, two, trainer)
    return [
        {
            "network": name,
            "profile": profile,
            "width": widths[name],
            "parameters": f"{sum(value.numel() for value in network.parameters()):,}",
            "million multiply-adds a sequence": f"{multiply_adds(network, data) / 1e6:,.1f}",
            "s an epoch": f"{epochs[name]:.2f}",
        }
        for name, (network, data) in inputs.items()
    ]


def overhead(device: torch.device) -> tuple[float, float]:
    """Sequences a second of LMF-FER: through the training loop, and forward and backward on one resident batch."""
    config, _ = brief()
    batch = config.schedule.batch
    network = lmf.LmfFer(config, config.width.default).to(device).train()
    maps = torch.randint(0, 256, (batch, config.maps[0], POINTS, POINTS), dtype=torch.uint8, device=device)
    truth = torch.arange(batch, device=device) % len(EMOTIONS)

    def bare() -> None:
        for _ in range(SEQUENCES // batch):
            network.zero_grad(set_to_none=True)
            F.cross_entropy(network(maps), truth).backward()

    times: list[tuple[float, float]] = []

    def both(part: str, train: Callable[[], None]) -> None:
        # By turns, so that both meet the same machine.
        times.extend((seconds(train, device), seconds(bare, device)) for _ in range(15))

    lmf.fit(rows(8), config, Timed(both, device=device))
    loop, alone = (SEQUENCES / median(turns) for turns in zip(*times, strict=True))
    return loop, alone


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    device, threads = torch.device(parser.parse_args().device), params.read(Train).threads
    torch.set_num_threads(threads)
    loop, bare = overhead(device)
    table = pd.DataFrame([*costs("default", device), *costs("paper", device)])
    text = f"""{table.to_markdown(index=False)}

On {device}, {threads} thread(s), {SEQUENCES} sequences an epoch.

LMF-FER through the training loop: {loop:.0f} sequences/s; forward and backward alone, on one resident batch:
{bare:.0f} sequences/s: {100 * loop / bare:.0f}%.
"""
    common.save("training", "What the networks cost", text)


if __name__ == "__main__":
    stage.run(main)
