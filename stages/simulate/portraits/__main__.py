"""Films the people that the interpolator learns on: ``python -m stages.simulate.portraits``."""

from __future__ import annotations

from functools import partial

from stages.simulate import assets
from stages.simulate.portraits.film import portraits
from stages.tables import parquet, room
from stages.tables.schema import FRAMES

PORTRAITS_PATH = "data/interim/portraits.parquet"


def main() -> None:
    settings = room.params("synthesize")
    wanted = settings["portraits"]
    people = wanted["people"] if settings["interpolator"] == "sepconv" else 0
    if people:
        assets.load()  # parsed once here, then read from the cache by every worker
    film = partial(portraits, pictures=wanted["pictures"], seed=wanted["seed"])
    with parquet.Writer(PORTRAITS_PATH, FRAMES) as table:
        for rows in room.each(film, range(people), "portraits"):
            table.write(rows)
    why = "" if people else f" ('{settings['interpolator']}' learns nothing)"
    room.say("portraits", f"{people} people, {table.rows} pictures{why} -> {PORTRAITS_PATH}")


if __name__ == "__main__":
    room.run(main, __doc__)
