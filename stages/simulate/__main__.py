"""Films simulated people and writes them in CK+'s layout: ``python -m stages.simulate``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from stages.simulate import assets, tree
from stages.simulate.params import Simulate
from stages.simulate.plan import plan
from stages.tables import parallel, params, stage
from stages.tables.errors import UserError


def main() -> None:
    name, root = params.line("dataset.name", str), Path(params.line("dataset.root", params.Name))
    options = params.read(Simulate)
    if name != "simulated":
        raise UserError(
            f"params.yaml: dataset.name is '{name}', and simulate writes only the simulated data set;"
            " set it to 'simulated', or leave this stage out"
        )
    if root.is_absolute() or ".." in root.parts:
        raise UserError(f"params.yaml: dataset.root is '{root}', outside of this project, where nothing is simulated")
    assets.load()  # parsed once here, then read from the cache by every worker
    people = [emotions[: options.sequences] for emotions in plan(options.subjects, options.seed)]
    with tree.replaced(root) as temporary:
        write = partial(tree.write_subject, temporary, options)
        frames = sum(parallel.each(write, list(enumerate(people)), "simulate"))
    stage.summary("simulate", f"{len(people)} people, {sum(map(len, people))} sequences, {frames} frames -> {root}")


if __name__ == "__main__":
    stage.run(main, __doc__)
