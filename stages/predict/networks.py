"""The networks that the folds of a run left in results/models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from stages.tables import room
from stages.train import dtagn, lmf
from stages.train.optimise import configured

MODELS: dict[str, Any] = {"lmf": lmf, "dtagn": dtagn}


def load(folder: Path) -> dict[str, list[Any]]:
    """The networks of each model, one for each fold that had subjects, ready to predict.

    Raises RoomError when there is none, or when a file is damaged or of other parameters than params.yaml's.
    """
    options, device = room.params("train"), room.device()
    torch.set_num_threads(options["threads"])
    size = room.params("featurize")["dtagn_size"]
    found: dict[str, list[Any]] = {}
    for name, model in MODELS.items():
        config = configured(model.Config, options, name)
        files = [folder / f"{name}-{fold}.safetensors" for fold in room.params("protocol")["folds"]]
        found[name] = []
        for file in files:
            network: Any = lmf.LmfFer(config) if name == "lmf" else dtagn.Dtagn(config, size)
            weights = _read(file)
            if weights:
                _fill(network, weights, file)
                found[name].append(network.to(device).eval())
        if not found[name]:
            raise room.RoomError(f"{folder}: holds no network of {name}; run make reproduce first")
    return found


def _read(file: Path) -> dict[str, torch.Tensor]:
    if not file.is_file():
        raise room.RoomError(f"{file}: no such file; run make reproduce first")
    try:
        with safe_open(file, "pt") as content:
            return {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise room.RoomError(f"{file}: not a readable file of weights ({error}); run dvc checkout --force") from None


def _fill(network: torch.nn.Module, weights: dict[str, torch.Tensor], file: Path) -> None:
    wanted = network.state_dict()
    if weights.keys() != wanted.keys() or any(weights[name].shape != wanted[name].shape for name in wanted):
        raise room.RoomError(
            f"{file}: was trained with other parameters or another version than these; run dvc repro train"
        )
    if not all(value.isfinite().all() for value in weights.values()):
        raise room.RoomError(f"{file}: holds what is no finite number; run dvc checkout --force")
    network.load_state_dict(weights)
    network.requires_grad_(requires_grad=False)
