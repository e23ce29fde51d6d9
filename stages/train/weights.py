"""Files of weights, each of which says in its header how its network is built."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors import torch as safetensors
from torch import nn

from stages.tables import files
from stages.tables.errors import UserError
from stages.tables.params import Section
from stages.train import models


@dataclass(frozen=True)
class Weights:
    """What a file of weights holds: a network of ``model``, or None of a fold without subjects, and its header."""

    model: str
    network: nn.Module | None
    about: dict[str, Any]


def save(path: Path, model: str, config: Section, network: nn.Module | None, **about: Any) -> None:
    """Writes the weights of a ``network`` of ``model`` with a header from which ``load`` rebuilds it.

    The header is JSON: ``model``, ``config``, ``network`` (its class and its ``sizes``, which are the arguments that
    it is made with beside the config), and whatever else there is to say ``about`` it.
    """
    built = {"class": type(network).__name__, **network.sizes} if network else None  # type: ignore[dict-item]
    header = json.dumps({"model": model, "config": config.model_dump(), "network": built, **about})
    tensors = network.state_dict() if network else {}
    plain = {name: value.cpu().contiguous() for name, value in tensors.items()}
    files.write(path, safetensors.save(plain, {"about": header}))


def load(path: Path) -> Weights:
    """The network of a file of weights, rebuilt from it alone: on the CPU, ready to predict, without gradients.

    Raises UserError when the file is missing, damaged, or of another version of the code.
    """
    about, tensors = _read(path)
    try:
        model, built = about["model"], about["network"]
        if built is None:
            return Weights(model, None, about)
        module, sizes = models.load(model), {name: value for name, value in built.items() if name != "class"}
        network = getattr(module, built["class"])(module.Config.model_validate(about["config"]), **sizes)
        network.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, UserError):
        raise UserError(f"{path}: was trained by another version than this; run dvc repro") from None
    if not all(value.isfinite().all() for value in tensors.values()):
        raise UserError(f"{path}: holds what is no finite number; run {_restoring(path)}")
    return Weights(model, network.eval().requires_grad_(requires_grad=False), about)


def _restoring(path: Path) -> str:
    """The command that restores the file: the shipped network is in git, all others are in DVC's cache."""
    return f"git checkout {path}" if path.parent.name == "networks" else "dvc checkout --force"


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    if not path.is_file():
        raise UserError(f"{path}: no such file; run make reproduce first")
    try:
        with safe_open(path, "pt") as content:
            about = json.loads((content.metadata() or {}).get("about", "{}"))
            return about, {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable file of weights ({error}); run {_restoring(path)}") from None
