"""frames.parquet -> micro.parquet: the first frames of every sequence, interpolated to the working length."""

from __future__ import annotations

from functools import partial

from stages.synthesize.interpolators import NETWORKS, choose
from stages.synthesize.micro import synthesize
from stages.synthesize.params import Synthesize
from stages.synthesize.recursion import depth
from stages.tables import machine, parallel, params, parquet, stage
from stages.tables.errors import Unusable
from stages.tables.schema import FRAMES, REJECTED, SEQUENCES

SEQUENCES_PATH = "data/interim/sequences.parquet"
FRAMES_PATH = "data/interim/frames.parquet"
MICRO_PATH = "data/interim/micro.parquet"
REJECTED_PATH = "data/interim/rejected_synthesize.parquet"


def main() -> None:
    options, originals = params.read(Synthesize), params.line("protocol.originals", params.Frames)
    levels = depth(originals, params.line("protocol.frames", params.Frames))
    device = str(machine.device()) if options.interpolator in NETWORKS else "cpu"  # asking takes torch
    interpolator = (options.interpolator, options.weights, device)
    choose(*interpolator)  # a wrong file fails here, before any work
    names = parquet.read(SEQUENCES_PATH, SEQUENCES, ["sequence"])["sequence"]
    if parquet.keys(FRAMES_PATH, FRAMES).empty:  # the data set is landmarks alone
        names = names[:0]
    work = partial(synthesize, path=FRAMES_PATH, originals=originals, levels=levels, interpolator=interpolator)
    with parquet.Writer(MICRO_PATH, FRAMES) as micro, parquet.Writer(REJECTED_PATH, REJECTED) as rejected:
        for name, result in zip(names, parallel.each(work, list(enumerate(names)), "synthesize"), strict=True):
            if isinstance(result, Unusable):
                rejected.write([result.rejected(name, "synthesize")])
            else:
                micro.write(result)
    stage.summary(
        "synthesize",
        f"read {len(names)} sequences, interpolated {len(names) - rejected.rows} with '{options.interpolator}'"
        f" ({rejected.rows} rejected), wrote {micro.rows} frames to {MICRO_PATH}",
    )


if __name__ == "__main__":
    stage.run(main, __doc__)
