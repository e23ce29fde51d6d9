"""Trains the shipped LMF-FER on simulated actors: ``python -m stages.pretrain``."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from stages.pretrain.learning import Batches, learn
from stages.pretrain.params import Pretrain
from stages.simulate.actors import errors
from stages.simulate.params import Variety
from stages.tables import machine, params, stage
from stages.tables.methods import LMF_FER
from stages.train import weights
from stages.train.networks import digest, imported, make_repeatable
from stages.train.optimise import Trainer

NETWORK = Path("networks/lmf.safetensors")


def main() -> None:
    settings, variety = params.read(Pretrain), params.line("simulate.variety", Variety)
    learnt_from = settings.model_dump(exclude={"lmf", "profile"}) | {"variety": variety.model_dump()}
    about = {"name": "lmf", "profile": settings.profile, "actors": learnt_from}
    key = [about, settings.lmf.model_dump(), digest(*imported(), errors.STORED), torch.__version__]
    checkpoint = NETWORK.with_suffix(".checkpoint")
    trainer = Trainer("pretrain", machine.device(), checkpoint, json.dumps(key))
    make_repeatable(settings.threads, f"{settings.seed} pretrain")
    batches = Batches(settings, variety)
    network = learn(settings, batches, trainer)
    weights.save(NETWORK, "lmf", settings.lmf, network, **about)
    trainer.forget()
    last = trainer.history[LMF_FER][-max(batches.steps // 10, 1) :]
    loss = f"loss {sum(last) / len(last):.3f} at the end"
    stage.summary("pretrain", f"{settings.people} actors, {settings.lmf.schedule.epochs} times, {loss} -> {NETWORK}")


if __name__ == "__main__":
    stage.run(main, __doc__)
