"""portraits.parquet -> the weights of the small SepConv: ``python -m stages.synthesize.training``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from stages.synthesize.sepconv import Config
from stages.synthesize.training.fit import Schedule, fit
from stages.synthesize.training.warps import Warps
from stages.synthesize.weights import UNTRAINED, store
from stages.tables import images, parquet, room
from stages.tables.schema import FRAMES

PORTRAITS_PATH = "data/interim/portraits.parquet"
WEIGHTS_PATH = Path("data/interim/sepconv.safetensors")


def main() -> None:
    settings = room.params("synthesize")
    chosen = settings["sepconv"]
    content, said = UNTRAINED, f"'{settings['interpolator']}' learns nothing"
    if settings["interpolator"] == "sepconv":
        torch.set_num_threads(1)  # the order of sums, so the weights, would follow the number of threads
        faces = [
            face
            for name, number in parquet.index(PORTRAITS_PATH, FRAMES).items()
            for face in images.decode(parquet.read_sequence(PORTRAITS_PATH, FRAMES, number)["png"], name)
        ]
        network, error, average = fit(
            faces,
            Config(channels=1, **chosen["network"]),
            Warps(**chosen["warps"]),
            Schedule(**chosen["schedule"]),
            chosen["seed"],
            partial(room.progress, label="interpolator"),
        )
        content = store(network)
        size = sum(weight.numel() for weight in network.parameters())
        said = f"{len(faces)} portraits, {chosen['schedule']['steps']} steps, {size:,} weights, error {error:.2f}" \
               f" grey levels (plain average {average:.2f})"  # fmt: skip
    with room.renamed(WEIGHTS_PATH) as temporary:
        temporary.write_bytes(content)
    room.say("interpolator", f"{said} -> {WEIGHTS_PATH}")


if __name__ == "__main__":
    room.run(main, __doc__)
