"""Tables as all stages before evaluate leave them, small and made up: for the tests of evaluate and report."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from stages.tables import parquet, stage
from stages.tables.methods import DTAGN, LMF_FER
from stages.tables.points import BROWS, INNER_LIPS, LEFT_BROW, LEFT_EYE, LIPS, NOSE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE
from stages.tables.schema import (
    CLASSES,
    EMOTIONS,
    FRAMES,
    GENERAL,
    LANDMARKS,
    LMF,
    MICRO,
    PREDICTIONS,
    REJECTED,
    SEQUENCES,
)

PUBLISHED = (45, 18, 59, 25, 69, 28, 83)
"""CK+'s labelled sequences of each emotion (Lucey et al., CVPR workshops 2010)."""
CLASS_SHARES = np.array(PUBLISHED) / 327
Row = dict[str, Any]
REPOSITORY = Path(__file__).parents[1]
PLACE = {"image_width": 640, "image_height": 490, "box_x": 240, "box_y": 160, "box_width": 160, "box_height": 160}
PLACE |= {"crop_x": 220, "crop_y": 140, "crop_width": 200, "crop_height": 200}
RIGHT = {  # chance of the right answer: (general, micro)
    DTAGN: (0.93, 0.40),
    LMF_FER: (0.90, 0.74),
    "DTAN": (0.88, 0.30),
    "DTGN": (0.86, 0.45),
    "DTAGN weighted sum": (0.91, 0.38),
}


def neutral() -> np.ndarray:
    """68 points (68, 2) of a plain face, iBUG order, in a 200 px square."""
    jaw = np.linspace(np.pi, 0, 17)
    points = [(100 + 70 * np.cos(a), 90 + 90 * np.sin(a)) for a in jaw]
    points += [(x, 62 - 8 * np.sin(np.pi * i / 4)) for i, x in enumerate(np.linspace(45, 85, 5))]
    points += [(x, 62 - 8 * np.sin(np.pi * i / 4)) for i, x in enumerate(np.linspace(115, 155, 5))]
    points += [(100, y) for y in np.linspace(75, 110, 4)] + [(x, 118) for x in np.linspace(88, 112, 5)]
    for centre in (65, 135):
        points += [(centre + 14 * np.cos(a), 80 - 6 * np.sin(a)) for a in np.pi - np.arange(6) * np.pi / 3]
    points += [(100 + 28 * np.cos(a), 145 - 10 * np.sin(a)) for a in np.pi - np.arange(12) * np.pi / 6]
    points += [(100 + 18 * np.cos(a), 145 - 3 * np.sin(a)) for a in np.pi - np.arange(8) * np.pi / 4]
    return np.array(points)


def motion(emotion: int) -> np.ndarray:
    """A displacement (68, 2) in px from neutral to the apex, different for each emotion."""
    move = np.zeros((68, 2))
    lower, corners = [*range(55, 60), *range(65, 68)], [48, 54, 60, 64]
    drop, smile = {1: (1, -3), 2: (0, 5), 3: (-2, -2), 4: (6, 0), 5: (3, 12), 6: (0, -9), 7: (22, 0)}[emotion]
    move[lower, 1] += drop
    move[5:12, 1] += 0.7 * drop
    move[corners, 1] -= smile
    move[corners, 0] += abs(smile) * np.sign(neutral()[corners, 0] - 100)
    if emotion == 2:
        move[LIPS] *= (neutral()[LIPS, :1] > 100) * 1.0
    move[BROWS, 1] += {1: 8, 2: 0, 3: 5, 4: -5, 5: 0, 6: 3, 7: -12}[emotion]
    if emotion in (3, 5):
        move[36:48, 1] += 2 * np.sign(80 - neutral()[36:48, 1])
    return move


def face(points: np.ndarray, tone: int) -> bytes:
    """A drawing of the points as an 8-bit grey PNG of 200 x 200 px."""
    image = np.full((200, 200), 70, np.uint8)
    hull = np.vstack([points[:17], [(170, 60), (140, 22), (100, 12), (60, 22), (30, 60)]])
    cv2.fillPoly(image, [hull.astype(np.int32)], tone)
    for brow in (RIGHT_BROW, LEFT_BROW):
        cv2.polylines(image, [points[brow].astype(np.int32)], False, 40, 3, cv2.LINE_AA)
    for part, shade in ((RIGHT_EYE, 240), (LEFT_EYE, 240), (OUTER_LIPS, 110), (INNER_LIPS, 30)):
        cv2.fillPoly(image, [points[part].astype(np.int32)], shade, cv2.LINE_AA)
    cv2.polylines(image, [points[NOSE].astype(np.int32)], False, tone - 40, 2, cv2.LINE_AA)
    return cv2.imencode(".png", cv2.GaussianBlur(image, (0, 0), 0.8))[1].tobytes()


def features(track: np.ndarray) -> tuple[bytes, float]:
    """LMF maps (8, 68, 68) of a track (9, 68, 2), and its SFEM."""
    distance = np.linalg.norm(track[:, :, None] - track[:, None], axis=-1)
    lmf = np.diff(distance, axis=0)
    largest = np.abs(lmf).max(axis=(1, 2), keepdims=True)
    maps = np.clip(127 + 128 * np.sign(lmf) * np.sqrt(np.abs(lmf) / np.maximum(largest, 1e-3)), 0, 255)
    sfem = np.abs(lmf).sum(axis=(1, 2)).mean() / (distance[0, 0, 16] * distance[0, 27, 33])
    return maps.astype(np.uint8).tobytes(), float(sfem)


def write(
    root: Path,
    subjects: int = 12,
    folds: int = 10,
    emotions: tuple[int, ...] = tuple(EMOTIONS),
    dataset: str = "simulated",
    seed: int = 0,
) -> None:
    """Writes params.yaml, dvc.yaml, benchmarks' results, data/, and train's part of results/ under ``root``.

    Only ingest and two folds have left their time. One sequence of the last subject has no micro recording: synthesize
    rejected it.
    """
    for name in ("params.yaml", "dvc.yaml", "data/dvc.yaml", "networks/dvc.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text((REPOSITORY / name).read_text())
    (root / "benchmarks").mkdir()
    for file in (file for kind in ("md", "svg", "png") for file in REPOSITORY.glob(f"benchmarks/*.{kind}")):
        shutil.copy(file, root / "benchmarks")
    for name, seconds in (("ingest", 61.4), ("train-lmf@0", 10.0), ("train-lmf@1", 12.5)):
        file = root / stage.time_file(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"started": 1500000000, "seconds": seconds, "memory": 250_000_000}))
    everything = yaml.safe_load((root / "params.yaml").read_text())
    everything["dataset"] = {"name": dataset, "root": f"data/raw/{dataset}"}
    everything["protocol"]["folds"] = list(range(folds))
    (root / "params.yaml").write_text(yaml.safe_dump(everything, sort_keys=False))
    interim, random = root / "data/interim", np.random.default_rng(seed)
    share = CLASS_SHARES[np.array(emotions) - 1]
    sequences: list[Row] = []
    answers: dict[int, list[Row]] = {fold: [] for fold in range(folds)}
    with (
        parquet.Writer(interim / "frames.parquet", FRAMES) as frames,
        parquet.Writer(interim / "landmarks.parquet", LANDMARKS) as landmarks,
        parquet.Writer(root / "data/features/lmf.parquet", LMF) as lmf,
    ):
        for rank in range(subjects):
            subject, fold, tone = f"S{rank + 1:03d}", rank % folds, int(random.integers(140, 215))
            shape = neutral() * random.uniform(0.95, 1.05, 2) + random.normal(0, 1, (68, 2))
            for session in range(1, 1 + int(random.integers(1, 5))):
                emotion = int(random.choice(emotions, p=share / share.sum()))
                name, count = f"{subject}/{session:03d}", int(random.integers(9, 15))
                head = {"sequence": name, "subject": subject, "emotion": emotion, "fold": fold}
                apex = motion(emotion) * random.lognormal(0, 0.3) + random.normal(0, 1.2, (68, 2))
                pace = np.linspace(0, 1, count) ** 1.5
                track = shape + pace[:, None, None] * apex
                frames.write([{"sequence": name, "frame": i + 1, "png": face(p, tone)} for i, p in enumerate(track)])
                sequences.append(
                    head | {"session": name[-3:], "frames": count, "apex": "last", "dataset": "simulated"} | PLACE
                )
                for recording, end in ((GENERAL, 1.0), (MICRO, pace[2])):
                    if rank == subjects - 1 and session == 1 and recording == MICRO:
                        continue
                    micro = shape + np.linspace(0, end, 9)[:, None, None] * apex
                    landmarks.write(points(name, recording, track if recording == GENERAL else micro))
                    moved = track if recording == GENERAL else micro
                    maps, sfem = features(micro + random.normal(0, 0.01, micro.shape))
                    lmf.write([head | {"set": recording, "sfem": sfem, "maps": maps,
                                       "points": moved.astype("float32").tobytes()}])  # fmt: skip
                    for method, chance in RIGHT.items():
                        right = random.random() < chance[recording == MICRO]
                        predicted = emotion if right else int(random.choice(emotions))
                        answers[fold].append(head | {"set": recording, "method": method} | answer(predicted))
    parquet.write(interim / "sequences.parquet", SEQUENCES, sequences)
    parquet.write(interim / "classes.parquet", CLASSES, classes(dataset))
    for fold, rows in answers.items():
        for model in ("lmf", "dtagn"):
            own = [row for row in rows if (row["method"] == LMF_FER) == (model == "lmf")]
            parquet.write(root / f"results/predictions/{model}-{fold}.parquet", PREDICTIONS, own)
            history(root / f"results/history/{model}-{fold}", model if own else None, random)
    lost = {"sequence": f"S{subjects:03d}/001", "stage": "synthesize", "code": "face lost"}
    unlabelled = {"sequence": "S001/009", "stage": "ingest", "code": "unlabelled", "reason": "it has no label file"}
    parquet.write(interim / "rejected_ingest.parquet", REJECTED, [unlabelled])
    parquet.write(interim / "rejected_landmark.parquet", REJECTED, [])
    parquet.write(interim / "rejected_synthesize.parquet", REJECTED, [lost | {"reason": "frame 3 shows no face"}])


def classes(dataset: str) -> list[Row]:
    """The rows of classes.parquet: CK+'s emotions, and its published numbers unless the data set is simulated."""
    published = PUBLISHED if dataset == "ckplus" else [0] * len(EMOTIONS)
    return [{"dataset": dataset, "emotion": code, "label": label, "published": number, "micro": False}
            for (code, label), number in zip(EMOTIONS.items(), published, strict=True)]  # fmt: skip


def run(root: Path, name: str) -> str:
    """What a stage prints, run in ``root`` within this process, which saves the seconds of its imports."""
    module = importlib.import_module(f"stages.{name}.__main__")
    with contextlib.chdir(root), contextlib.redirect_stdout(io.StringIO()) as printed:
        stage.run(module.main)
    return printed.getvalue()


def points(name: str, recording: str, track: np.ndarray) -> list[Row]:
    """Landmark rows of a track (frames, 68, 2), which is given relative to the crop."""
    place = np.array([PLACE["crop_x"], PLACE["crop_y"]])
    return [
        {
            "sequence": name,
            "set": recording,
            "frame": i + 1,
            "jitter": 0.05,
            "x": (p + place)[:, 0],
            "y": (p + place)[:, 1],
        }
        | {"status": "carried" if i else "detected"}
        for i, p in enumerate(track)
    ]


def answer(emotion: int) -> Row:
    probability = np.full(7, 0.05, np.float32)
    probability[emotion - 1] = 0.7
    return {"predicted": emotion, "probability": probability}


def history(folder: Path, model: str | None, random: np.random.Generator) -> None:
    """Losses that fall, as train leaves them; none where a fold holds nobody."""
    parts = {"lmf": ["LMF-FER"], "dtagn": ["DTAN", "DTGN", "DTAGN"], None: []}
    for part in parts[model]:
        losses = 1.9 * np.exp(-np.arange(12) / 4) + 0.1 * random.random(12)
        lines = ["step\tloss", *(f"{epoch}\t{loss:.4f}" for epoch, loss in enumerate(losses, 1))]
        file = folder / f"plots/metrics/{part}/loss.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n")
