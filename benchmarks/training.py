"""What the networks of each profile cost, in parameters, multiply-adds and seconds; what the training loop adds to it.

    python -m benchmarks.training
    python -m benchmarks.training --device cuda

On random sequences, as many as nine folds of the default data set. Writes training.md beside this file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from stages.tables import room, schema
from stages.train import dtagn, lmf
from stages.train.optimise import Trainer, configured

SEQUENCES, FRAMES, MAPS = 160, 12, 8
HERE = Path(__file__).parent


def rows(size: int) -> pd.DataFrame:
    """Both feature tables' columns in one, of random content; ``size`` is the side of the faces, px."""
    random = np.random.default_rng(2017)
    still = random.uniform(50, 200, (SEQUENCES, 1, schema.POINTS, 2))
    points = still + random.normal(0, 1, (SEQUENCES, FRAMES, schema.POINTS, 2)).cumsum(axis=1)
    faces = random.integers(0, 256, (SEQUENCES, FRAMES, size, size), "uint8")
    return pd.DataFrame(
        {
            "emotion": np.arange(SEQUENCES) % 7 + 1,
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


def seconds(function: Callable[[], Any], device: torch.device, repeats: int) -> float:
    """The shortest time of ``repeats``, after one that warms up."""
    times = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return min(times[1:])


def brief(options: dict[str, Any], profile: str) -> tuple[lmf.Config, dtagn.Config]:
    """The networks of a profile, each of whose parts learns for one epoch."""
    options = options | {"profile": profile}
    one, two = configured(lmf.Config, options, "lmf"), configured(dtagn.Config, options, "dtagn")
    return (replace(one, schedule=replace(one.schedule, epochs=1)),
            replace(two, schedule=replace(two.schedule, epochs=1), dtgn_epochs=1, joint_epochs=1))  # fmt: skip


def costs(profile: str, options: dict[str, Any], device: torch.device) -> list[dict[str, Any]]:
    """A row for each network of a profile."""
    size = room.params("featurize")["dtagn_size"]
    table = rows(size)
    one, two = brief(options, profile)
    inputs = {
        "LMF-FER": (lmf.LmfFer(one), torch.zeros(1, MAPS, 68, 68, dtype=torch.uint8)),
        "DTAN": (dtagn.Dtan(two, size), torch.zeros(1, two.frames, size, size)),
        "DTGN": (dtagn.Dtgn(two), torch.zeros(1, two.frames, schema.POINTS, 2)),
    }
    epochs = _seconds(table, one, two, device)
    return [
        {
            "network": name,
            "profile": profile,
            "width": one.width if name == "LMF-FER" else two.width,
            "parameters": f"{sum(value.numel() for value in network.parameters()):,}",
            "million multiply-adds a sequence": f"{multiply_adds(network, data) / 1e6:,.1f}",
            "s an epoch": f"{epochs[name]:.2f}",
        }
        for name, (network, data) in inputs.items()
    ]


def _seconds(rows: pd.DataFrame, one: lmf.Config, two: dtagn.Config, device: torch.device) -> dict[str, float]:
    """Seconds of one epoch of each network, by the training loop's own calls."""
    found: dict[str, float] = {}

    class Timed(Trainer):
        def minimise(self, part: str, network: Any, parameters: Any, *rest: Any) -> None:
            learning = list(parameters)
            found[part] = seconds(lambda: super(Timed, self).minimise(part, network, learning, *rest), device, 1)

    lmf.fit(rows, one, Timed(device=device))
    dtagn.fit(rows, two, Timed(device=device))
    return found


def overhead(options: dict[str, Any], device: torch.device) -> tuple[float, float]:
    """Sequences a second of LMF-FER: through the training loop, and forward and backward on one resident batch."""
    config, _ = brief(options, "default")
    table = rows(8)
    batch = config.schedule.batch
    network = lmf.LmfFer(config).to(device).train()
    maps = torch.randint(0, 256, (batch, config.steps, 68, 68), dtype=torch.uint8, device=device)
    truth = torch.arange(batch, device=device) % 7

    def bare() -> None:
        for _ in range(SEQUENCES // batch):
            network.zero_grad(set_to_none=True)
            F.cross_entropy(network(maps), truth).backward()

    times: list[float] = []

    class Timed(Trainer):
        def minimise(self, part: str, network: Any, parameters: Any, *rest: Any) -> None:
            learning = list(parameters)
            for _ in range(15):  # by turns, so that both meet the same machine
                times.append(seconds(lambda: super(Timed, self).minimise(part, network, learning, *rest), device, 1))
                times.append(seconds(bare, device, 1))

    lmf.fit(table, config, Timed(device=device))
    return SEQUENCES / median(times[::2]), SEQUENCES / median(times[1::2])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    device, options = torch.device(parser.parse_args().device), room.params("train")
    torch.set_num_threads(options["threads"])
    loop, bare = overhead(options, device)
    table = pd.DataFrame([*costs("default", options, device), *costs("paper", options, device)])
    text = f"""{table.to_markdown(index=False)}

On {device}, {options["threads"]} thread(s), {SEQUENCES} sequences an epoch.

LMF-FER through the training loop: {loop:.0f} sequences/s; forward and backward alone, on one resident batch:
{bare:.0f} sequences/s: {100 * loop / bare:.0f}%.
"""
    print(text)
    with room.renamed(HERE / "training.md") as file:
        file.write_text(text)


if __name__ == "__main__":
    room.run(main)
