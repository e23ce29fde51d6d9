"""What a hand, a script or a stranger may write into params.yaml."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bad_input.case import REFUSED, ROOT, SAME, Case, flip, replaced, rewritten, sentence, snapshot
from stages.tables import panel, room

VALUES = (
    "-1", "0", "1e400", ".nan", "-.inf", "null", "''", "[]", "{}", "[[[]]]", "true", "2026-13-45", "2026-11-24",
    "0x10", "1_000", "!!binary aGk=", "!!set {a, b}", "!!python/object/apply:os.system ['touch pwned']",
    "!!python/name:os.system", "!!python/object/new:os.system ['touch pwned']", "!!python/module:os", "!unknown x",
    "&a [*a]", "/etc/passwd", "../../outside", '"a\\0b"', "1" * 5000, "'" + "x" * 5000 + "'", "${dataset.root}",
    "$(touch pwned)", "; touch pwned", "1e-3", "yes", "'ü漢'", "\t", "- 1", "|", "%", "@", "`x`",
)  # fmt: skip


def _value(rng: random.Random, file: Path) -> None:
    lines = file.read_text().splitlines()
    number = rng.choice([n for n, line in enumerate(lines) if ": " in line and not line.startswith("#")])
    lines[number] = f"{lines[number].split(':')[0]}: {rng.choice(VALUES)}"
    file.write_text("\n".join(lines) + "\n")


def _misspelt(rng: random.Random, file: Path) -> None:
    lines = file.read_text().splitlines()
    number = rng.choice([n for n, line in enumerate(lines) if ":" in line and not line.startswith("#")])
    name = lines[number].split(":")[0]
    at = rng.randrange(len(name) - len(name.lstrip()), len(name))
    lines[number] = name[:at] + "q" + name[at + 1 :] + lines[number][len(name) :]
    file.write_text("\n".join(lines) + "\n")


def _shuffled(rng: random.Random, file: Path) -> None:
    lines = file.read_text().splitlines()
    one, two = rng.sample(range(len(lines)), 2)
    lines[one], lines[two] = lines[two], lines[one]
    file.write_text("\n".join(lines) + "\n")


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

PARAMETERS = (
    Case("parameter with another value", _value, (REFUSED, SAME), 40),
    Case("parameter misspelt", _misspelt, (REFUSED,), 25),
    Case("parameters with two lines exchanged", _shuffled, (REFUSED, SAME), 20),
    Case("parameters cut short", rewritten(
        lambda rng, data: data[: rng.randrange(len(data) - 100)]), (REFUSED,), 10),
    Case("parameters with flipped bits", lambda rng, file: flip(rng, file), (REFUSED, SAME), 30),
    Case("aliases that blow up", lambda rng, file: file.write_text(BOMB) and None, (REFUSED,)),
    Case("10 000 nested lists", lambda rng, file: file.write_text("[" * 10_000) and None, (REFUSED,)),
    Case("parameters of 50 MB", lambda rng, file: file.write_text("# x\n" * 12_500_000) and None, (REFUSED,)),
    Case("no parameters", lambda rng, file: file.unlink(), (REFUSED,)),
    Case("parameters that are a folder", replaced(Path.mkdir, lambda path: path), (REFUSED,)),
    Case("parameters that are a pipe", replaced(os.mkfifo, lambda path: path), (REFUSED,)),
)  # fmt: skip


@dataclass
class Parameters:
    """Reads damaged copies of params.yaml. What is read all the same must be what the schema allows."""

    scratch: Path

    def __call__(self, case: Case, rng: random.Random) -> str | None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        file = self.scratch / "params.yaml"
        shutil.copy(ROOT / "params.yaml", file)
        case.spoil(rng, file)
        before = snapshot(self.scratch)
        try:
            with contextlib.chdir(self.scratch):
                found = panel.read()
        except room.RoomError as why:
            sentence(why)
            outcome = None if REFUSED in case.allowed else f"wrong: refused: {why}"
        else:
            panel.Panel.model_validate(found)
            outcome = None if SAME in case.allowed else "wrong: it was read"
        return outcome if snapshot(self.scratch) == before else "lost: a file was made or changed"
