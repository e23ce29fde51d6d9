"""Every measured result on one page, docs/results.md: the last run's table, and what each benchmark wrote.

    python -m benchmarks.results

Tests hold the page against these files.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks import common
from stages.tables import files, stage

PAGE = common.ROOT / "docs/results.md"
BLOCKS = {
    "results/table.md": ("dvc repro", None),
    "benchmarks/seeds.md": ("python -m benchmarks.seeds 2017 2018 2019", None),
    "benchmarks/methods.md": ("python -m benchmarks.methods dlib-flow ckplus aam aam-flow", None),
    "benchmarks/variant.md": ("python -m benchmarks.variant", None),
    "benchmarks/landmarks.md": ("python -m benchmarks.landmarks", "landmarks.svg"),
    "benchmarks/interpolation.md": ("python -m benchmarks.interpolation", "interpolation.png"),
    "benchmarks/action_units.md": ("python -m benchmarks.action_units UNITS.json", None),
    "benchmarks/landmark_errors.md": ("python -m benchmarks.landmark_errors", None),
    "benchmarks/actors.md": ("python -m benchmarks.actors", None),
    "benchmarks/spotting.md": ("python -m benchmarks.spotting", None),
    "benchmarks/processors.md": ("python -m benchmarks.processors qemu-x86_64 -cpu Haswell", None),
    "benchmarks/spotting_rendered.md": ("python -m benchmarks.spotting_rendered", "spotting_rendered.svg"),
    "benchmarks/spotting_scenes.md": ("python -m benchmarks.spotting_rendered --scenes", None),
    "benchmarks/spotting_cost.md": ("python -m benchmarks.spotting_cost", None),
    "benchmarks/training.md": ("python -m benchmarks.training", None),
    "benchmarks/predict.md": ("python -m benchmarks.predict data/raw/simulated/cohn-kanade-images/S001/001", None),
    "benchmarks/scale.md": ("python -m benchmarks.scale --sizes 1 10 100", "scale.png"),
}  # fmt: skip
"""The files of the page, where they are there: the command that writes each, and its figure."""
HEAD = """# Results

All that was measured, as the commands wrote it, on the simulated data set with the params.yaml of this repository,
or as it was at the commit that a block names. `python -m benchmarks.results` puts this page together. Times are of
two cores with nothing else to do.
"""


def page(root: Path = common.ROOT) -> str:
    """The page, from the files as they are now."""
    blocks = [HEAD]
    for name, (command, figure) in BLOCKS.items():
        if not (root / name).is_file():
            continue
        title, _, text = re.sub("^#", "##", (root / name).read_text(encoding="utf-8"), flags=re.MULTILINE).partition(
            "\n\n"
        )
        picture = f"![{title.strip('# ')}](../benchmarks/{figure})\n\n" if figure else ""
        blocks.append(f"{title}\n\n`{command}` wrote {name}.\n\n{picture}{text.strip()}\n")
    return "\n".join(blocks)


def main() -> None:
    common.parser(__doc__).parse_args()
    files.write(PAGE, page())
    print(f"results -> {PAGE.relative_to(common.ROOT)}")


if __name__ == "__main__":
    stage.run(main)
