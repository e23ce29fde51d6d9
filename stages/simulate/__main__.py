"""Films simulated people and writes them in CK+'s layout: ``python -m stages.simulate``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from stages.simulate import assets, tree
from stages.simulate.plan import plan
from stages.tables import room


def main() -> None:
    dataset, settings = room.params("dataset"), room.params("simulate")
    if dataset["name"] != "simulated":
        raise room.RoomError(
            f"params.yaml: dataset.name is '{dataset['name']}', and simulate writes only the simulated data set;"
            " set it to 'simulated', or leave this stage out"
        )
    tree.check(settings)
    root = Path(dataset["root"])
    assets.load()  # parsed once here, then read from the cache by every worker
    people = [emotions[: settings["sequences"]] for emotions in plan(settings["subjects"], settings["seed"])]
    with tree.replaced(root) as temporary:
        write = partial(tree.write_subject, temporary, settings)
        frames = sum(room.each(write, list(enumerate(people)), "simulate"))
    room.say("simulate", f"{len(people)} people, {sum(map(len, people))} sequences, {frames} frames -> {root}")


if __name__ == "__main__":
    room.run(main, __doc__)
