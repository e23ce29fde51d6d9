"""``dvc repro`` killed, and two of them at once: the tables are the same bytes in the end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import kill
from stages.tables import room
from tests.checkout import Checkout
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def base(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout.copy(finished, tmp_path_factory.mktemp("kill") / "base")
    checkout.params(**kill.CHANGE)
    return checkout


@pytest.fixture(scope="module")
def wanted(base: Checkout, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    return kill.undisturbed(base, tmp_path_factory.mktemp("kill") / "wanted")


def test_only_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """Also while the process, though dead, is still listed, since nobody has waited for it."""
    table = tmp_path / "table.csv"
    code = "import sys, time\nfrom stages.tables import room\n" \
           "with room.renamed(sys.argv[1]) as file:\n" \
           "    file.write_text('half'); print('there', flush=True); time.sleep(60)\n"  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", code, str(table)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (left,) = tmp_path.glob("*.tmp")
        for killed in (False, True):
            if killed:
                process.kill()
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not collected
            with room.renamed(table) as file:
                file.write_text("whole")
            assert left.exists() is not killed
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]
    assert table.read_text() == "whole"


@pytest.mark.slow
@pytest.mark.parametrize(("share", "alone"), [(0.35, False), (0.6, True)])
def test_a_killed_run_is_put_right_by_the_next(
    base: Checkout, wanted: tuple[dict[str, bytes], float], tmp_path: Path, share: float, alone: bool
) -> None:
    found, _ = kill.killed(base, tmp_path / "killed", share * wanted[1], alone)
    assert found == wanted[0]


@pytest.mark.slow
@pytest.mark.parametrize("when", kill.CLOCKS.values(), ids=kill.CLOCKS)
def test_a_clock_that_jumps_changes_nothing(
    base: Checkout, wanted: tuple[dict[str, bytes], float], tmp_path: Path, when: float
) -> None:
    assert kill.clock_jumped(base, tmp_path / "jumped", when) == wanted[0]


@pytest.mark.slow
def test_two_runs_at_once(base: Checkout, wanted: tuple[dict[str, bytes], float], tmp_path: Path) -> None:
    found, failed = kill.at_once(base, tmp_path / "both")
    assert found == wanted[0]
    for words in failed:
        assert "lock" in words or "busy" in words
        assert "Traceback" not in words
