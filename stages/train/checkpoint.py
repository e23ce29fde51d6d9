"""What a training that was killed goes on from."""

from __future__ import annotations

import time
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stages.tables import files


class Checkpoint:
    """All that a training knows at the end of an epoch, in the file ``path``, if any.

    ``part`` and ``history`` are those of the file, if its ``key`` is this one's and it can be read: the part of the
    network that was being trained, and the losses of each part so far.
    """

    def __init__(self, path: Path | None, key: str, pause: float) -> None:
        self.path, self.key, self.pause = path, key, pause
        self.part: str | None = None
        self.history: dict[str, list[float]] = {}
        self._content: dict[str, Any] = {}
        self._written = time.monotonic()
        if path and path.is_file():
            with suppress(Exception):  # a damaged file can fail anywhere in torch's reader: training then starts anew
                content = torch.load(path, map_location="cpu", weights_only=True)
                if content["key"] == key:
                    self._content, self.part, self.history = content, content["part"], content["history"]

    def write(
        self, part: str, history: dict[str, list[float]], best: dict[str, Tensor], network: nn.Module, state: Any
    ) -> None:
        """Writes the file, with the ``state`` of the optimiser, unless it was written less than ``pause`` s ago."""
        if self.path is None or time.monotonic() - self._written < self.pause:
            return
        content = {
            "key": self.key,
            "part": part,
            "history": history,
            "best": best,
            "network": network.state_dict(),
            "state": state.state_dict(),
            "random": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all(),
        }
        buffer = BytesIO()  # torch's own message of a full disk would say nothing
        torch.save(content, buffer)
        files.write(self.path, buffer.getvalue())
        self._written = time.monotonic()

    def resume(self, network: nn.Module, state: Any) -> dict[str, Tensor]:
        """Puts back what the file holds, once; gives the weights of the best epoch so far."""
        content, self._content, self.part, self.history = self._content, {}, None, {}
        network.load_state_dict(content["network"])
        state.load_state_dict(content["state"])
        torch.set_rng_state(content["random"])
        torch.cuda.set_rng_state_all(content["cuda"])
        best: dict[str, Tensor] = content["best"]
        return best

    def remove(self) -> None:
        if self.path:
            self.path.unlink(missing_ok=True)
