"""Weights of SepConv in files: the ones that the authors published, and the ones trained here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from stages.synthesize.sepconv import PUBLISHED, Config, SepConv
from stages.tables.errors import UserError

UNTRAINED = save({}, {"config": "{}"})
"""The file that stands for SepConv's weights while another interpolator is chosen."""


def store(network: SepConv) -> bytes:
    """The network as the bytes of a safetensors file, its ``Config`` in the header."""
    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    return save(weights, {"config": json.dumps(network.config.model_dump())})


def load(path: Path | str) -> SepConv:
    """The network whose weights ``path`` holds, ready for use.

    A safetensors file may say in its header what size its network has (``store`` writes it); any other file is of the
    published size. Files that the authors published (``network-l1.pytorch``, ``network-lf.pytorch``) have keys that
    begin with ``module`` or, as their newer code calls them, with ``net``. Nothing in a file is executed.

    Raises UserError when the file is missing, damaged, holds code, or is not of this network.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; synthesize.weights in params.yaml must name the SepConv trained here (by dvc repro)"
            " or a file that its authors published, which you have to obtain yourself"
        )
    config, weights = _safetensors(path) if path.suffix == ".safetensors" else (PUBLISHED, _pickled(path))
    if not weights:
        raise UserError(
            f"{path}: holds no weights, as long as another interpolator is chosen; set synthesize.interpolator in"
            " params.yaml to sepconv and run dvc repro data/dvc.yaml:interpolator"
        )
    weights = {f"module{name[3:]}" if name.startswith("net") else name: value for name, value in weights.items()}
    try:
        with torch.device("meta"):  # the sizes alone: a header may lie about them
            network = SepConv(config)
    except (RuntimeError, OverflowError) as error:
        raise UserError(f"{path}: its header describes no network that can be built ({_line(error)})") from None
    wanted = network.state_dict()
    kinds = (
        [f"{name} is missing" for name in wanted if name not in weights],
        [f"{name} is not part of it" for name in weights if name not in wanted],
        [
            f"{name} is {tuple(weights[name].shape)} and should be {tuple(tensor.shape)}"
            for name, tensor in wanted.items()
            if name in weights and weights[name].shape != tensor.shape
        ],
        [f"{name} holds what is no finite number" for name in weights if not weights[name].isfinite().all()],
    )
    if any(kinds):
        faults = "; ".join(_few(faults) for faults in kinds if faults)
        raise UserError(f"{path}: these are not the weights of this network: {faults}")
    network.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    return network.requires_grad_(False).eval()


def _safetensors(path: Path) -> tuple[Config, dict[str, torch.Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            config = PUBLISHED.model_dump() | json.loads((file.metadata() or {}).get("config", "{}"))
            return Config(**config), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except ValidationError as error:
        fault = error.errors()[0]
        reason = f"{'.'.join(map(str, fault['loc']))} is {fault['input']!r:.60}: {fault['msg']}"
        raise UserError(f"{path}: its header describes no network that can be built ({reason})") from None
    except (SafetensorError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a readable file of weights ({_line(error)}); get a whole copy of it") from None


def _pickled(path: Path) -> dict[str, torch.Tensor]:
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file can fail anywhere in torch's reader
        raise UserError(
            f"{path}: not a file of weights that can be read without running code in it ({_line(error)});"
            " get a whole copy of the file that the authors published"
        ) from None
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise UserError(f"{path}: holds something else than named tensors; name a file that the authors published")
    return {str(name): value for name, value in content.items()}


def _few(faults: list[str]) -> str:
    return ", ".join(faults[:5]) + (f" and {len(faults) - 5} more" if len(faults) > 5 else "")


def _line(error: Exception) -> str:
    """The first sentence of a library's message: torch's go on with advice to read the file unsafely."""
    return (str(error).splitlines() or [type(error).__name__])[0].split(". ")[0].rstrip(".")
