"""What surrounds the training of one fold of a network: its seed, its checkpoint, its losses and its weights."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from dvclive import Live
from numpy.typing import NDArray
from torch import nn

from stages.tables import machine, params
from stages.tables.params import Section
from stages.train import weights
from stages.train.models import Run
from stages.train.optimise import Trainer
from stages.train.params import Train

RESULTS = Path("results")
CODE = Path(__file__).parents[1]


class Losses(Live):
    """DVCLive's files alone. It would ask git for the last commit, which a new repository lacks."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), save_dvc_exp=False, dvcyaml=None)

    def _init_dvc(self) -> None:  # nothing public keeps it from git
        self._dvc_file = ""


class NetworkRun(Run):
    """One fold of a network: ``rows`` end with those held out, which the trainer knows."""

    together: ClassVar[bool] = False
    inputs: ClassVar[tuple[Path, ...]] = ()
    """Files beside the feature table that the model learns from."""
    trainer: Trainer

    def __init__(self, model: str, fold: int, config: Section, train: pd.DataFrame, table: Path) -> None:
        settings, device = params.read(Train), machine.device()
        held_out = held_out_rows(train["subject"], settings.held_out)
        self.rows = pd.concat([train[~held_out], train[held_out]])
        self.model, self.config, self.name = model, config, f"{model}-{fold}"
        chosen = settings.model_dump(include={"profile", "seed", "held_out"})
        self.about = {"name": self.name, **chosen, "code": digest(*imported())}
        key = [self.about, config.model_dump(), digest(table, *self.inputs), settings.threads, torch.__version__]
        self.trainer = Trainer(
            label=self.name,
            device=device,
            checkpoint=RESULTS / f"models/{self.name}.checkpoint",
            key=json.dumps(key),
            compile=settings.compile and device.type == "cuda",
            held_out=int(held_out.sum()),
            live=Losses(RESULTS / f"history/{self.name}"),
            profile=settings.profile,
        )
        make_repeatable(settings.threads, f"{settings.seed} {self.name}")

    def finish(self, network: nn.Module | None) -> None:
        """Writes the weights and ends the records of the training."""
        weights.save(RESULTS / f"models/{self.name}.safetensors", self.model, self.config, network, **self.about)
        assert self.trainer.live
        self.trainer.live.end()
        self.trainer.forget()


def held_out_rows(subject: pd.Series, share: float) -> NDArray[np.bool_]:
    """Which rows are of a ``share`` of all subjects, taken evenly from their order."""
    everyone = sorted(subject.unique())
    chosen = [one for n, one in enumerate(everyone) if int((n + 1) * share) > int(n * share)]
    return np.asarray(subject.isin(chosen))


def make_repeatable(threads: int, seed: str) -> None:
    """Makes torch do the same again: the number of threads is a parameter because it changes how sums are rounded."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, cuBLAS refuses to be deterministic
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms, which imports a compiler first
    # All memory is written before it is read; to fill it with NaN first, torch takes 6 to 8% of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.manual_seed(int(hashlib.sha256(seed.encode()).hexdigest()[:8], 16))


def imported() -> list[Path]:
    """Every file of the stages that this process has imported: a change of any may change what is learnt."""
    paths = {Path(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    return sorted(path for path in paths if path.is_relative_to(CODE))


def digest(*paths: Path) -> str:
    """One digest of the contents of files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
