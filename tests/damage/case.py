"""One case of bad input: what is damaged, what may come of it, and how it is counted."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.tables.errors import UserError

ROOT = Path(__file__).parents[2]
SLOW = 10
"""Seconds after which a case counts as one that hangs."""
SAME, ASIDE, REFUSED = "same", "set aside", "refused"
"""As if nothing were damaged; the damaged sequence is set aside; one sentence and nothing written."""


class Hang(BaseException):
    """A case that takes too long; no ``except Exception`` may catch it."""


@dataclass(frozen=True)
class Case:
    """One kind of damage: ``spoil`` does it to a file or folder, ``allowed`` says what may come of it."""

    name: str
    spoil: Callable[[random.Random, Path], Any]
    allowed: tuple[str, ...]
    times: int = 1
    mount: str = ""  # the shell command that mounts the output elsewhere, for this case alone


@dataclass
class Count:
    """What came of the cases that were tried; ``notes`` are sentences, one for each that went wrong."""

    cases: int = 0
    tracebacks: int = 0
    hangs: int = 0
    wrong: int = 0
    lost: int = 0
    notes: list[str] = field(default_factory=list)


def flip(rng: random.Random, file: Path, start: int = 0, stop: int | None = None) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(rng.choice((1, 1, 1, 2, 5, 50))):
        content[rng.randrange(start, stop or len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)


def replaced(by: Callable[[Path], Any], of: Callable[[Path], Path]) -> Callable[[random.Random, Path], None]:
    def spoil(rng: random.Random, tree: Path) -> None:
        path = of(tree)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        by(path)

    return spoil


def rewritten(change: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random, Path], None]:
    return lambda rng, file: file.write_bytes(change(rng, file.read_bytes())) and None


def snapshot(folder: Path) -> dict[str, Any]:
    """Everything below a folder: names, and contents of regular files."""
    contents: dict[str, Any] = {}
    for above, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(above, name)
            regular = path.is_file() and not path.is_symlink() and path.stat().st_size < 10_000_000
            contents[os.fsencode(path).decode(errors="backslashreplace")] = path.read_bytes() if regular else name
    return contents


def sentence(error: UserError) -> None:
    """An error message is one line of readable length."""
    message = str(error)
    assert message, "an empty message"
    assert len(message) < 5000, f"a message of {len(message)} characters"


def attempt(run: Callable[[Case, random.Random], str | None], case: Case, seed: str, count: Count) -> None:
    """One case, counted."""

    def expire(*_: object) -> None:
        raise Hang

    count.cases += 1
    start, printed = time.monotonic(), io.StringIO()
    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, SLOW)
    note = None
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            note = run(case, random.Random(seed))
    except Hang:
        note = "hang"
    except Exception:
        note = "traceback: " + traceback.format_exc(limit=-2).strip().replace("\n", " | ")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    if note is None and time.monotonic() - start > SLOW:
        note = "hang"
    if note is None:
        return
    count.notes.append(f"{case.name} ({seed}): {note}")
    kind = note.split(":")[0]
    count.tracebacks += kind == "traceback"
    count.hangs += kind == "hang"
    count.wrong += kind == "wrong"
    count.lost += kind == "lost"


def verdict(case: Case, read: Callable[[], Any], truth: Any) -> str | None:
    """What is wrong with how ``read`` takes the spoilt file, of which ``truth`` was read before; None if nothing is."""
    try:
        values = read()
    except UserError as why:
        sentence(why)
        return None if REFUSED in case.allowed else f"wrong: refused: {why}"
    if values != truth:
        return "wrong: other values were read"
    return None if SAME in case.allowed else "wrong: it was read"
