"""python -m stages.featurize: landmarks.parquet, frames.parquet, micro.parquet -> lmf.parquet, dtagn.parquet."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stages.featurize.sequence import Options, features
from stages.tables import images, parquet, room, schema

IN, OUT = Path("data/interim"), Path("data/features")
IMAGES = {schema.GENERAL: IN / "frames.parquet", schema.MICRO: IN / "micro.parquet"}


def featurize(item: tuple[int, int, dict[str, Any]], options: Options) -> Any:
    """Both tables' row for one row group of landmarks and its row group of images."""
    group, image_group, row = item
    landmarks = parquet.read_group(IN / "landmarks.parquet", schema.LANDMARKS, group)
    kind = landmarks["set"].iloc[0]
    pngs = parquet.read_group(IMAGES[kind], schema.FRAMES, image_group)["png"]
    frames = images.decode(pngs, f"{IMAGES[kind]}: {row['sequence']}")
    points = np.stack([np.stack(list(landmarks[axis])) for axis in ("x", "y")], axis=-1)
    return features(row, kind, frames, points, options)


def main() -> None:
    options = Options(frames=int(room.params("protocol")["frames"]), **room.params("featurize"))
    table = parquet.read(IN / "sequences.parquet", schema.SEQUENCES)
    rows = {row["sequence"]: row for row in table.to_dict("records")}
    stored = {kind: parquet.index(path, schema.FRAMES) for kind, path in IMAGES.items()}
    found = parquet.keys(IN / "landmarks.parquet", schema.LANDMARKS, ["sequence", "set"])
    items = [(group, stored[kind][name], rows[name]) for group, (name, kind) in enumerate(found)]
    with (
        parquet.Writer(OUT / "lmf.parquet", schema.LMF) as lmf,
        parquet.Writer(OUT / "dtagn.parquet", schema.DTAGN) as dtagn,
    ):
        for maps_row, dtagn_row in room.each(partial(featurize, options=options), items, "featurize"):
            lmf.write([maps_row])
            dtagn.write([dtagn_row])
    room.say("featurize", f"{len(items)} sequences of landmarks -> {lmf.rows} rows of LMF maps, {dtagn.rows} of DTAGN")


if __name__ == "__main__":
    room.run(main, __doc__)
