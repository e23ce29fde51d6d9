"""Films the people that the interpolator learns on: ``python -m stages.simulate.portraits``."""

from __future__ import annotations

from functools import partial

from stages.simulate import assets
from stages.simulate.params import Variety
from stages.simulate.portraits.film import portraits
from stages.simulate.portraits.params import Portraits
from stages.tables import parallel, params, parquet, stage
from stages.tables.schema import FRAMES

PORTRAITS_PATH = "data/interim/portraits.parquet"


def main() -> None:
    interpolator, options = params.line("synthesize.interpolator", str), params.read(Portraits)
    variety = params.line("simulate.variety", Variety)
    people = options.people if interpolator == "sepconv" else 0
    if people:
        assets.load()  # parsed once here, then read from the cache by every worker
    film = partial(portraits, pictures=options.pictures, seed=options.seed, variety=variety)
    with parquet.Writer(PORTRAITS_PATH, FRAMES) as table:
        for rows in parallel.each(film, range(people), "portraits"):
            table.write(rows)
    why = "" if people else f" ('{interpolator}' learns nothing)"
    stage.summary("portraits", f"{people} people, {table.rows} pictures{why} -> {PORTRAITS_PATH}")


if __name__ == "__main__":
    stage.run(main, __doc__)
