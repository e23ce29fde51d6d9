"""``dvc repro`` killed, two of them at once, and a clock that jumps: the tables are the same bytes in the end.

Each time a small checkout, in which all is up to date but one early parameter, is killed (SIGKILL, with everything it
started, or the ``dvc`` process alone, so that its stage goes on) and run again. Afterwards every table must hold the
same bytes as after a run that nobody disturbed, and no temporary file may be left.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.tables import files
from tests.checkout import Checkout
from tests.conftest import ROOT

TARGET = "featurize"
"""The last stage of the small run: from there on it is the same again, only longer."""
CHANGE = {"ingest": {"margin": 0.3}}
CLOCKS = {"1970": 86_400.0, "2106": 2.0**32}
"""Where a clock may have stood when files were made, Unix time."""
_random = random.Random(2017)
MOMENTS = [(0.35, False), (0.6, True), *((_random.random(), number % 2 == 1) for number in range(20))]
"""When a run is killed, as a share of its time, and whether the ``dvc`` process alone is."""

Tables = dict[str, bytes]


@pytest.fixture(scope="module")
def base(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout.copy(finished, tmp_path_factory.mktemp("kill") / "base")
    checkout.params(**CHANGE)
    return checkout


@pytest.fixture(scope="module")
def undisturbed(base: Checkout, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, float]:
    """The tables of a run that nobody disturbs, and the seconds it takes."""
    checkout, start = Checkout.copy(base.folder, tmp_path_factory.mktemp("kill") / "undisturbed"), time.monotonic()
    checkout.repro(TARGET)
    return tables(checkout), time.monotonic() - start


def started(checkout: Checkout) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "dvc", "repro", TARGET], cwd=checkout.folder, text=True,
                            env=checkout.environment, start_new_session=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT)  # fmt: skip


def tables(checkout: Checkout) -> Tables:
    """The bytes of every table; also the name of any temporary file that is left."""
    folder = checkout.folder
    paths = [*folder.glob("data/*/*.parquet"), *folder.glob("data/**/*.tmp"), *folder.glob("results/**/*.tmp")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def kill(process: subprocess.Popen[str], alone: bool) -> None:
    """Kills the process, and all that it started unless ``alone``."""
    with contextlib.suppress(ProcessLookupError):
        if alone:
            os.kill(process.pid, signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for_rest(process: subprocess.Popen[str]) -> None:
    """Until nothing that the process started is left."""
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.killpg(process.pid, 0)
            time.sleep(0.1)


def test_only_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """Also while the process, though dead, is still listed, since nobody has waited for it."""
    table = tmp_path / "table.csv"
    code = "import sys, time\nfrom stages.tables import files\n" \
           "with files.atomic(sys.argv[1]) as file:\n" \
           "    file.write_text('half'); print('there', flush=True); time.sleep(60)\n"  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", code, str(table)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (left,) = tmp_path.glob("*.tmp")
        for killed in (False, True):
            if killed:
                process.kill()
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not collected
            files.write(table, "whole")
            assert left.exists() is not killed
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]
    assert table.read_text() == "whole"


@pytest.mark.slow
@pytest.mark.parametrize(("share", "alone"), MOMENTS)
def test_a_killed_run_is_put_right_by_the_next(
    base: Checkout, undisturbed: tuple[Tables, float], tmp_path: Path, share: float, alone: bool
) -> None:
    wanted, seconds = undisturbed
    checkout = Checkout.copy(base.folder, tmp_path / "killed")
    process = started(checkout)
    time.sleep(share * seconds)
    kill(process, alone)
    checkout.repro(TARGET)
    if alone:
        wait_for_rest(process)
    assert tables(checkout) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("when", CLOCKS.values(), ids=CLOCKS)
def test_a_clock_that_jumps_changes_nothing(
    base: Checkout, undisturbed: tuple[Tables, float], tmp_path: Path, when: float
) -> None:
    """Every file of before, the cache and its state, was made at another time."""
    checkout = Checkout.copy(base.folder, tmp_path / "jumped")
    for path in checkout.folder.rglob("*"):
        os.utime(path, (when, when), follow_symlinks=False)
    checkout.repro(TARGET)
    assert tables(checkout) == undisturbed[0]


@pytest.mark.slow
def test_two_runs_at_once(base: Checkout, undisturbed: tuple[Tables, float], tmp_path: Path) -> None:
    checkout = Checkout.copy(base.folder, tmp_path / "both")
    processes = [started(checkout), started(checkout)]
    printed = [process.communicate()[0] for process in processes]
    failed = [text for process, text in zip(processes, printed, strict=True) if process.returncode]
    if len(failed) == 2:
        checkout.repro(TARGET)
    assert tables(checkout) == undisturbed[0]
    for text in failed:
        assert "lock" in text or "busy" in text
        assert "Traceback" not in text
