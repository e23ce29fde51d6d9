"""portraits.parquet -> the weights of the small SepConv: ``python -m stages.synthesize.training``."""

from __future__ import annotations

from functools import partial

import torch

from stages.synthesize.training.fit import fit
from stages.synthesize.training.params import Sepconv
from stages.synthesize.weights import UNTRAINED, store
from stages.tables import files, images, params, parquet, stage
from stages.tables.schema import FRAMES

PORTRAITS_PATH = "data/interim/portraits.parquet"
WEIGHTS_PATH = "data/interim/sepconv.safetensors"


def main() -> None:
    interpolator, options = params.line("synthesize.interpolator", str), params.read(Sepconv)
    content, summary = UNTRAINED, f"'{interpolator}' learns nothing"
    if interpolator == "sepconv":
        torch.set_num_threads(1)  # the order of sums, so the weights, would follow the number of threads
        faces = [
            face
            for name, number in parquet.index(PORTRAITS_PATH, FRAMES).items()
            for face in images.decode(parquet.read_sequence(PORTRAITS_PATH, FRAMES, number)["png"], name)
        ]
        network, error, average = fit(faces, options, partial(stage.progress, label="interpolator"))
        content = store(network)
        size = sum(weight.numel() for weight in network.parameters())
        summary = f"{len(faces)} portraits, {options.schedule.steps} steps, {size:,} weights, error {error:.2f}" \
                  f" grey levels (plain average {average:.2f})"  # fmt: skip
    files.write(WEIGHTS_PATH, content)
    stage.summary("interpolator", f"{summary} -> {WEIGHTS_PATH}")


if __name__ == "__main__":
    stage.run(main, __doc__)
