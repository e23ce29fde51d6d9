"""How well the shipped network reads landmark tracks of people whom it has never seen, beside a line through the maps.

    python -m benchmarks.shipped TRACKS.parquet             # minutes: the line learns from as many actors
    python -m benchmarks.shipped TRACKS.parquet --people 5000
    python -m benchmarks.shipped TRACKS.parquet --card      # writes the table into networks/README.md too

TRACKS has a row a frame: sequence, emotion (CK+'s code), set (general or micro), frame, x and y (68 points each, px).
The line is the linear support vector machine of ``train.svm``; its actors are the first that the network learnt from.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.svm import LinearSVC

from benchmarks import common
from stages.evaluate.statistics import wilson
from stages.featurize.params import Featurize
from stages.featurize.sequence import motion
from stages.pretrain.learning import Batches
from stages.pretrain.params import Pretrain
from stages.simulate.params import Variety
from stages.tables import files, params, stage
from stages.tables.errors import UserError
from stages.tables.methods import LMF_FER
from stages.tables.points import POINTS
from stages.tables.schema import GENERAL, MICRO
from stages.train import augment, lmf, svm, weights

CARD = common.ROOT / "networks/README.md"
NETWORK = common.ROOT / "networks/lmf.safetensors"
START, END = "<!-- figures: python -m benchmarks.shipped TRACKS.parquet --card -->", "<!-- end of figures -->"
COLUMNS = ("sequence", "emotion", "set", "frame", "x", "y")


def table(path: Path, frames: int) -> pd.DataFrame:
    """The tracks of a file as rows of an LMF table: emotion, set, sfem, maps and points of each sequence."""
    try:
        tracks = pd.read_parquet(path, columns=list(COLUMNS))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no readable table of {', '.join(COLUMNS)} ({error})") from None
    eps, rows = params.read(Featurize).eps, []
    for (sequence, kind), group in tracks.sort_values("frame").groupby(["sequence", "set"]):
        head = {"sequence": sequence, "set": kind, "emotion": int(group["emotion"].iloc[0])}
        rows.append(head | motion(common.points(group), eps, frames))
    return pd.DataFrame(rows)


def line(people: int, frames: int) -> svm.Machine:
    """The line through the mean maps (2278 numbers) of as many actors; float32, since they are many."""
    settings = params.read(Pretrain)
    batches = Batches(settings, params.line("simulate.variety", Variety))
    first, second = np.triu_indices(POINTS, k=1)
    features, emotions = [], []
    for step in stage.progress(range(min(people // batches.size, batches.steps)), "actors"):
        points, lengths, truth = batches(step)
        maps = augment.lmf_maps(augment.start(points, lengths, 1.0, frames)).float().mean(dim=1)
        features.append((maps.numpy()[:, first, second] - 127) / 128)
        emotions.append(truth.numpy() + 1)
    known = np.concatenate(emotions)
    learner = LinearSVC(C=params.read(svm.Config).c, random_state=0)
    return svm.Machine(np.unique(known), learner.fit(np.concatenate(features), known))


def cell(rows: pd.DataFrame, probability: np.ndarray, kind: str) -> str:
    """The accuracy on a set, with its interval, %."""
    right = (probability.argmax(axis=1) + 1 == rows["emotion"])[rows["set"] == kind]
    if right.empty:
        return ""
    low, high = wilson(int(right.sum()), len(right))
    return f"{100 * right.mean():.1f} ({100 * low:.1f} to {100 * high:.1f})"


def main() -> None:
    parser = common.parser(__doc__)
    parser.add_argument("tracks", type=Path, nargs="+", help="Parquet files of landmark tracks")
    parser.add_argument("--people", type=int, help="actors that the line learns from; all of the network's by default")
    parser.add_argument("--card", action="store_true", help="write the table into networks/README.md")
    arguments = parser.parse_args()
    shipped = weights.load(NETWORK)
    assert isinstance(shipped.network, lmf.LmfFer)
    common.one_thread()
    torch.manual_seed(0)
    actors, frames = shipped.about["actors"]["people"], params.line("protocol.frames", int)
    people = min(arguments.people or actors, actors)
    tables = {path: table(path, frames) for path in arguments.tracks}
    machine = line(people, frames)
    lines = ["| tracks | learner | actors | general, % | micro, % |", "| --- | --- | --- | --- | --- |"]
    for path, rows in tables.items():
        answers = {("LMF-FER, shipped", actors): lmf.predict(shipped.network, rows)[LMF_FER],
                   ("linear SVM", people): svm.predict(machine, rows)[svm.METHODS[0]]}  # fmt: skip
        for (name, count), probability in answers.items():
            cells = [cell(rows, probability, kind) for kind in (GENERAL, MICRO)]
            lines.append(f"| {path.stem} | {name} | {count:,} | {' | '.join(cells)} |")
    text = "\n".join(lines)
    print(text)
    if arguments.card:
        before, _, rest = CARD.read_text(encoding="utf-8").partition(START)
        files.write(CARD, f"{before}{START}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    stage.run(main)
