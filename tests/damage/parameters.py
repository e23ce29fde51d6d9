"""What a hand, a script or a stranger may write into params.yaml."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from flows import parameters
from stages.tables import params
from stages.tables.errors import UserError
from tests.damage.case import REFUSED, ROOT, SAME, Case, flip, replaced, rewritten, sentence, snapshot

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
    """Reads damaged copies of params.yaml, the whole file and each section as its stage does.

    What is read all the same must be what the file says, and what the stages read too.
    """

    scratch: Path

    def __call__(self, case: Case, rng: random.Random) -> str | None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        file = self.scratch / "params.yaml"
        shutil.copy(ROOT / "params.yaml", file)
        case.spoil(rng, file)
        before = snapshot(self.scratch)
        with contextlib.chdir(self.scratch):
            outcome = self._outcome(case)
        return outcome if snapshot(self.scratch) == before else "lost: a file was made or changed"

    def _outcome(self, case: Case) -> str | None:
        try:
            params.values()
            readable = parameters.sections()
        except UserError:  # no plain YAML: each section would say the same, and slow YAML takes its time each time
            readable = []
        sections, refused = {}, ""
        for section in readable:
            try:
                sections[section.section] = params.read(section).model_dump()
            except UserError as error:
                sentence(error)
                refused = str(error)
        try:
            values = params.flat(parameters.check())
        except UserError as error:
            sentence(error)
            return None if REFUSED in case.allowed else f"wrong: refused: {error}"
        if refused:
            return f"wrong: the whole file was read, and a stage refuses its section: {refused}"
        if params.flat(sections) != values:
            return "wrong: the stages read other values than stand in the file"
        return None if SAME in case.allowed else "wrong: it was read"
