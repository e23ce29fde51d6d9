"""The optimisation loop that all networks share, and how a training that was killed goes on."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from stages.tables import room
from stages.tables.muon import Muon

if TYPE_CHECKING:
    from dvclive import Live

Config = TypeVar("Config")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn; none of it is in the poster."""

    epochs: int
    batch: int
    learning_rate: float  # the peak of a one-cycle schedule
    clip: float = 1.0  # largest norm of the gradient


def configured(config: Callable[..., Config], train: dict[str, Any], model: str) -> Config:
    """A network's ``Config`` from params.yaml's section ``train``, of the width of its profile."""
    section = train[model]
    chosen = {"width": section["width"][train["profile"]], "schedule": Schedule(**section["schedule"])}
    return config(**section | chosen)


@dataclass
class Trainer:
    """Trains the parts of one network, one after another.

    Every ``pause`` seconds, at the end of an epoch, it writes all that it knows to ``checkpoint``. A trainer that finds
    there what another of the same ``key`` left goes on from it, and ends with the same weights to the last bit.

    No step learns from the last ``held_out`` of the rows; where there are any, the epoch with their least loss is kept.
    """

    label: str = "train"  # of the progress bars
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    checkpoint: Path | None = None
    key: str = ""  # names what is trained on what: another key's checkpoint is of no use
    compile: bool = False  # whether networks are to be compiled before they learn
    held_out: int = 0
    live: Live | None = None  # where DVC's tools find every epoch's loss while it is trained
    pause: float = 60.0
    history: dict[str, list[float]] = field(default_factory=dict)  # mean loss of every epoch, by part

    def __post_init__(self) -> None:
        _keep_memory()
        self._left: dict[str, Any] | None = None
        self._written = time.monotonic()
        if self.checkpoint and self.checkpoint.is_file():
            try:
                left = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
                self._left = left if left["key"] == self.key else None
            except Exception:  # a damaged file can fail anywhere in torch's reader; without it, training starts anew
                self._left = None

    def minimise(
        self,
        part: str,
        network: nn.Module,
        parameters: Iterable[nn.Parameter],
        loss: Callable[[Tensor], Tensor],
        count: int,
        schedule: Schedule,
    ) -> None:
        """Minimises ``loss`` over ``count`` sequences, less those held out, and notes the losses under ``part``.

        ``loss`` takes the positions of a batch (int64, on the device) and gives its mean loss; ``parameters`` are those
        of ``network`` that learn. An epoch sees each sequence once. Weights learn by Muon, biases and normalisations by
        Adam at a fifth of its rate, both in one cycle. With nothing held out, the last epoch is kept. Random choices
        come from torch's global generator, which the caller has seeded. On a GPU the loss is computed in bfloat16 where
        torch thinks that safe.
        """
        parameters = list(parameters)
        learnt = count - self.held_out
        batches = max(learnt // schedule.batch, 1)
        weights, others = ([p for p in parameters if (p.ndim > 1) == large] for large in (True, False))
        optimisers: list[torch.optim.Optimizer] = [
            Muon(weights, schedule.learning_rate),
            torch.optim.Adam(others, schedule.learning_rate / 5, fused=True),
        ]
        cycles = [
            OneCycleLR(one, one.defaults["lr"], total_steps=schedule.epochs * batches, cycle_momentum=False)
            for one in optimisers
        ]
        watched = f"{part}, held out"
        kept: dict[str, Tensor] = {}  # the weights of the epoch with the least loss there
        names = [part, watched] if self.held_out else [part]
        self.history |= {name: [] for name in names}
        if self._left and part in self._left["history"]:
            for name in names:
                self._note(name, *self._left["history"][name])
            if self._left["part"] != part:
                return  # ended before the checkpoint, which holds its weights
            kept = self._resume(network, *optimisers, *cycles)
        epochs = range(len(self.history[part]), schedule.epochs)
        for _ in room.progress(epochs, f"{self.label} {part}", len(epochs)):
            total = torch.zeros((), device=self.device)
            # What would be a last, smaller batch waits for the next shuffle: batch normalisation dislikes tiny batches.
            order = torch.randperm(learnt)[: batches * schedule.batch].to(self.device)
            for batch in order.split(schedule.batch):
                for optimiser in optimisers:
                    optimiser.zero_grad(set_to_none=True)
                with self._precision():
                    value = loss(batch)
                value.backward()
                nn.utils.clip_grad_norm_(parameters, schedule.clip, foreach=True)
                for optimiser, cycle in zip(optimisers, cycles, strict=True):
                    optimiser.step()
                    cycle.step()
                total += value.detach()
            self._note(part, total.item() / batches)
            if self.held_out:
                self._note(watched, self._watch(network, loss, torch.arange(learnt, count), schedule.batch))
                if self.history[watched][-1] <= min(self.history[watched]):
                    kept = {name: value.clone() for name, value in network.state_dict().items()}
            self._keep(part, kept, network, *optimisers, *cycles)
        if kept:
            network.load_state_dict(kept)

    def forget(self) -> None:
        """Removes the checkpoint, once what was trained is written."""
        if self.checkpoint:
            self.checkpoint.unlink(missing_ok=True)

    def _note(self, part: str, *losses: float) -> None:
        """Adds the losses of a part's next epochs."""
        for loss in losses:
            self.history[part].append(loss)
            if self.live:
                self.live.step = len(self.history[part])
                self.live.log_metric(f"{part}/loss", loss)
                self.live.next_step()

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")

    def _watch(self, network: nn.Module, loss: Callable[[Tensor], Tensor], rows: Tensor, batch: int) -> float:
        """The mean loss of rows that no step sees. What a step does to its batch is the same for them in all epochs."""
        modes = [(module, module.training) for module in network.modules()]
        network.eval()
        with torch.random.fork_rng(), torch.inference_mode(), self._precision():
            torch.manual_seed(0)
            total = sum(loss(some) * len(some) for some in rows.to(self.device).split(batch))
        for module, training in modes:
            module.training = training
        return float(total) / len(rows)

    def _keep(self, part: str, kept: dict[str, Tensor], network: nn.Module, *state: Any) -> None:
        if self.checkpoint is None or time.monotonic() - self._written < self.pause:
            return
        content = {
            "key": self.key,
            "part": part,
            "history": self.history,
            "kept": kept,
            "network": network.state_dict(),
            "state": [one.state_dict() for one in state],
            "random": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all(),
        }
        with room.renamed(self.checkpoint) as file:
            torch.save(content, file)
        self._written = time.monotonic()

    def _resume(self, network: nn.Module, *state: Any) -> dict[str, Tensor]:
        """Puts back what the checkpoint holds; the weights of the best epoch so far."""
        left, self._left = self._left or {}, None
        network.load_state_dict(left["network"])
        for one, content in zip(state, left["state"], strict=True):
            one.load_state_dict(content)
        torch.set_rng_state(left["random"])
        torch.cuda.set_rng_state_all(left["cuda"])
        kept: dict[str, Tensor] = left["kept"]
        return kept


def _keep_memory() -> None:
    """Makes this process keep the memory that tensors free, for the next step's: getting it anew costs page faults.

    mallopt(3): no tensor has pages of its own, and none go back from the end of the heap.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):  # musl has none
        trim_threshold, mmap_max = -1, -4
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)
