"""What a ``dvc repro`` that is killed leaves behind: nothing that a second one does not put right.

    python -m benchmarks.kill                # 20 random moments of a small run, a few minutes; one line each
    python -m benchmarks.kill --moments 3

Each time a small checkout, in which all is up to date but one early parameter, is killed (SIGKILL, with everything it
started; every second time the ``dvc`` process alone, so that its stage goes on) and run again. Afterwards every table
must hold the same bytes as after a run that nobody disturbed, and no temporary file may be left. Then two runs are
started at once, and one finds files of another time, as after a jump of the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.checkout import Checkout

TARGET = "featurize"
"""The last stage of the small run: from there on it is the same again, only longer."""
CHANGE = {"ingest": {"margin": 0.3}}
CLOCKS = {"1970": 86_400.0, "2106": 2.0**32}
"""Where a clock may have stood when files were made, Unix time."""


def prepared(folder: Path) -> Checkout:
    """A small checkout that is up to date to TARGET, and then has one parameter of ingest changed."""
    folder.mkdir(parents=True)
    checkout = Checkout(folder)
    checkout.repro(TARGET)
    checkout.params(**CHANGE)
    return checkout


def start(checkout: Checkout) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "dvc", "repro", TARGET], cwd=checkout.folder, text=True,
                            env=checkout.environment, start_new_session=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)  # fmt: skip


def tables(checkout: Checkout) -> dict[str, bytes]:
    """The bytes of every table; also the name of any temporary file that is left."""
    folder = checkout.folder
    files = [*folder.glob("data/*/*.parquet"), *folder.glob("data/**/*.tmp"), *folder.glob("results/**/*.tmp")]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def undisturbed(base: Checkout, folder: Path) -> tuple[dict[str, bytes], float]:
    """The tables of a run that nobody disturbs, and the seconds it takes."""
    checkout, begun = Checkout.copy(base.folder, folder), time.monotonic()
    checkout.repro(TARGET)
    return tables(checkout), time.monotonic() - begun


def killed(base: Checkout, folder: Path, after: float, alone: bool) -> tuple[dict[str, bytes], str]:
    """The tables of a run that is killed ``after`` some seconds and run again, and what it was doing.

    ``alone`` kills DVC's process and leaves its stage running.
    """
    checkout = Checkout.copy(base.folder, folder)
    process = start(checkout)
    time.sleep(after)
    with contextlib.suppress(ProcessLookupError):
        if alone:
            os.kill(process.pid, signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    doing = "ended before" if process.returncode == 0 else "was killed"
    checkout.repro(TARGET)
    with contextlib.suppress(ProcessLookupError):  # what was left of the first run
        while alone:
            os.killpg(process.pid, 0)
            time.sleep(0.1)
    return tables(checkout), doing


def at_once(base: Checkout, folder: Path) -> tuple[dict[str, bytes], list[str]]:
    """The tables of two runs that are started together, and the last words of those that failed."""
    checkout = Checkout.copy(base.folder, folder)
    processes = [start(checkout), start(checkout)]
    said = [process.communicate()[0] for process in processes]
    failed = [words for process, words in zip(processes, said, strict=True) if process.returncode]
    if len(failed) == 2:
        checkout.repro(TARGET)
    return tables(checkout), failed


def clock_jumped(base: Checkout, folder: Path, when: float) -> dict[str, bytes]:
    """The tables of a run that finds every file of before, its cache and its state, made at another time (s, Unix)."""
    checkout = Checkout.copy(base.folder, folder)
    for path in checkout.folder.rglob("*"):
        os.utime(path, (when, when), follow_symlinks=False)
    checkout.repro(TARGET)
    return tables(checkout)


def compared(found: dict[str, bytes], wanted: dict[str, bytes]) -> str:
    """'identical', or the names of the files that differ or are missing on one side."""
    names = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    return f"DIFFERENT: {', '.join(names)}" if names else "identical"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill", description=__doc__.split("\n")[0])
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=2017)
    arguments = parser.parse_args()
    rng, right = random.Random(arguments.seed), 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        base = prepared(folder / "base")
        wanted, seconds = undisturbed(base, folder / "wanted")
        for number in range(arguments.moments):
            after, alone = rng.uniform(0, seconds), number % 2 == 1
            try:
                found, doing = killed(base, folder / "killed", after, alone)
                verdict = compared(found, wanted)
            except AssertionError as error:  # the second run failed
                verdict, doing = f"FAILED: {str(error)[-300:]}", "was killed"
            right += verdict == "identical"
            who = "dvc alone" if alone else "everything"
            print(f"{after:5.1f} s of {seconds:.1f} s, {who}, {doing}: {verdict}", flush=True)
            shutil.rmtree(folder / "killed")
        print(f"{right} of {arguments.moments} byte-identical after a second run")
        both, failed = at_once(base, folder / "both")
        others = {"two runs at once": compared(both, wanted)}
        for name, when in CLOCKS.items():
            others[f"files of {name}"] = compared(clock_jumped(base, folder / name, when), wanted)
    for name, verdict in others.items():
        print(f"{name}: {verdict}")
    print(f"of the two runs at once, {len(failed)} ended with DVC's sentence that another one runs")
    sys.exit(right != arguments.moments or any(verdict != "identical" for verdict in others.values()))


if __name__ == "__main__":
    main()
