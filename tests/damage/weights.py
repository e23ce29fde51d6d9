"""Files of weights that a stranger made."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import random
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.tables.errors import UserError
from tests.damage.case import REFUSED, SAME, Case, flip, replaced, rewritten, sentence, snapshot


class Code:
    """Unpickled, it leaves a file behind."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def _header(change: Callable[[dict[str, Any]], Any]) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, file: Path) -> None:
        content = file.read_bytes()
        size = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8 : 8 + size])
        changed = json.dumps(change(header) or header).encode()
        file.write_bytes(struct.pack("<Q", len(changed)) + changed + content[8 + size :])

    return spoil


def _tensor(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda header: header[next(name for name in header if name != "__metadata__")].update(values)


def _config(**values: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        config = json.loads(header["__metadata__"]["config"]) | values
        header["__metadata__"]["config"] = json.dumps(config)

    return change


def _not_finite(rng: random.Random, file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-4:] = struct.pack("<f", rng.choice((float("nan"), float("inf"))))
    file.write_bytes(content)


def _pickled(content: Callable[[], Any]) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, file: Path) -> None:
        file.unlink()
        file.with_suffix(".pytorch").write_bytes(pickle.dumps(content()))

    return spoil


def _torch_saved(content: Callable[[], Any]) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, file: Path) -> None:
        import torch

        file.unlink()
        torch.save(content(), file.with_suffix(".pytorch"))

    return spoil


WEIGHTS = (
    Case("weights cut short", rewritten(lambda rng, data: data[: rng.randrange(len(data))]), (REFUSED,), 20),
    Case("weights with a damaged header", lambda rng, file: flip(rng, file, 0, 400), (REFUSED, SAME), 40),
    Case("weights of random bytes", rewritten(lambda rng, data: rng.randbytes(300)), (REFUSED,), 5),
    Case("weights of no bytes", rewritten(lambda rng, data: b""), (REFUSED,)),
    Case("header of 2**63 bytes", rewritten(lambda rng, data: struct.pack("<Q", 2**63) + data[8:]), (REFUSED,)),
    Case("tensor of a negative size", _header(_tensor(shape=[-1])), (REFUSED,)),
    Case("tensor of 2**62 numbers", _header(_tensor(shape=[2**31, 2**31])), (REFUSED,)),
    Case("tensor beyond the end", _header(_tensor(data_offsets=[0, 2**40])), (REFUSED,)),
    Case("tensor of an unknown type", _header(_tensor(dtype="F7")), (REFUSED,)),
    Case("header that is a list", _header(lambda header: [1]), (REFUSED,)),
    Case("header without its configuration", _header(lambda header: header.pop("__metadata__") and None), (REFUSED,)),
    *(Case(f"network with {name} of {value!r}", _header(_config(**{name: value})), (REFUSED,)) for name, value in (
        ("width", -1), ("width", 10**9), ("width", "a"), ("width", None), ("taps", 0), ("taps", 10**12), ("taps", 1.5),
        ("channels", 0), ("contrast", -3), ("widest", [1]), ("depth", 3))),
    Case("weights that are no numbers", _not_finite, (REFUSED,), 2),
    Case("pickle with code", _pickled(Code), (REFUSED,)),
    Case("pickle with code between tensors", _pickled(lambda: {"moduleConv1.0.weight": Code()}), (REFUSED,)),
    Case("torch file with code", _torch_saved(lambda: {"moduleConv1.0.weight": Code()}), (REFUSED,)),
    Case("torch file that is a number", _torch_saved(lambda: 3), (REFUSED,)),
    Case("torch file of nothing", _torch_saved(dict), (REFUSED,)),
    Case("weights that are a folder", replaced(Path.mkdir, lambda path: path), (REFUSED,)),
    Case("weights that are a pipe", replaced(os.mkfifo, lambda path: path), (REFUSED,)),
    Case("no weights", lambda rng, file: file.unlink(), (REFUSED,)),
)  # fmt: skip


@dataclass
class Weights:
    """Loads damaged copies of a small SepConv's weights."""

    scratch: Path

    def __post_init__(self) -> None:
        import torch

        from stages.synthesize import sepconv, weights

        torch.manual_seed(0)
        torch.set_num_threads(1)
        self.load = weights.load
        network = sepconv.SepConv(sepconv.Config(channels=1, width=2, widest=4, taps=5, contrast=3))
        self.content = weights.store(network)
        self.truth = {name: value.tolist() for name, value in network.state_dict().items()}

    def __call__(self, case: Case, rng: random.Random) -> str | None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        file = self.scratch / "sepconv.safetensors"
        file.write_bytes(self.content)
        case.spoil(rng, file)
        other = file.with_suffix(".pytorch")
        before = snapshot(self.scratch)
        try:
            with contextlib.chdir(self.scratch):
                network = self.load(other if other.exists() else file)
        except UserError as why:
            sentence(why)
            outcome = None if REFUSED in case.allowed else f"wrong: refused: {why}"
        else:
            same = {name: value.tolist() for name, value in network.state_dict().items()} == self.truth
            outcome = None if same and SAME in case.allowed else "wrong: it was loaded"
        return outcome if snapshot(self.scratch) == before else "lost: a file was made or changed"
