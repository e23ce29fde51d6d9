"""The flow as its users meet it: its form, its states, what stops it, what kills it, and Prefect's page."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from filelock import FileLock
from prefect.logging import disable_run_logger
from prefect.states import Failed

from flows import parameters, reproduce, supervised
from flows import server as connections
from flows.parameters import Changes
from stages.tables import params
from stages.tables.errors import UserError
from tests import browser
from tests.checkout import Checkout, Running, gone, open_port, within
from tests.conftest import ROOT

PARENT = """
import subprocess, sys, time
from flows import supervised
child = "import subprocess, sys, time; subprocess.Popen(['sleep', '1000']); print('up', flush=True); time.sleep(1000)"
supervised.start([sys.executable, "-c", child])
time.sleep(1000)
"""


def named(folder: Path, words: str) -> psutil.Process:
    """The process in ``folder`` whose command line ends with ``words``; not its supervisor.

    DVC announces a command before it starts it, so the process may be a moment late.
    """
    end = time.monotonic() + 10
    while time.monotonic() < end:
        for process in within(folder):
            with suppress(psutil.NoSuchProcess):
                line = process.cmdline()
                if "-I" not in line and " ".join(line).endswith(words):
                    return process
        time.sleep(0.01)
    pytest.fail(f"no process of {words} in {folder}")


# --- Children that never outlive their parent


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_command_and_its_children_end_with_the_process_that_started_them(tmp_path: Path, number: int) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
                              env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    assert len(within(tmp_path)) == 4
    parent.send_signal(number)
    parent.wait()
    assert gone(tmp_path)


def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    process = supervised.start(["sh", "-c", "sleep 1000 & echo out; exit 7"], cwd=tmp_path, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read() == "out\n", "the straggler held the output open"
    assert supervised.stop(process) == 7
    assert gone(tmp_path)


def test_a_command_that_ignores_every_request_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty, text = tmp_path / "hasty.py", Path(supervised.__file__).read_text()
    assert text.count(", 5.0)") == 2, "the seconds between one request and the next"
    hasty.write_text(text.replace(", 5.0)", ", 0.5)"))
    monkeypatch.setattr(supervised, "__file__", str(hasty))  # what start runs
    process = supervised.start(["sh", "-c", "trap '' INT TERM; echo up; while :; do sleep 0.1; done"], cwd=tmp_path,
                               stdout=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    assert supervised.stop(process) == 128 + signal.SIGKILL
    assert gone(tmp_path)


def test_after_stop_all_nothing_starts() -> None:
    code = "from flows import supervised; p = supervised.start(['sleep', '1000']); supervised.stop_all(); p.wait()"
    result = subprocess.run([sys.executable, "-c", f"{code}; supervised.start(['true'])"], cwd=ROOT, text=True,
                            capture_output=True, timeout=30)  # fmt: skip
    assert result.returncode == 1
    assert "the run is being stopped" in result.stderr


# --- The form, and params.yaml


def in_file(name: str, file: Path) -> Any:
    return params.flat(yaml.safe_load(file.read_text()))[name]


def test_the_form_names_lines_of_params_yaml_and_takes_their_values() -> None:
    for key, field in Changes.model_fields.items():
        there = in_file(str(field.title), ROOT / "params.yaml")
        change = Changes.model_validate({key: there})
        assert there == yaml.safe_load(change.overrides()[0].split("=", 1)[1])


def test_the_form_shows_a_plain_field_a_line() -> None:
    fields = Changes.model_json_schema()["properties"]
    for field in fields.values():
        assert "anyOf" not in field
        assert field["type"] in ("string", "integer", "number", "array")
    choices = {name: field["enum"] for name, field in fields.items() if "enum" in field}
    assert choices.keys() == {"dataset", "interpolator", "landmarks", "profile"}
    assert choices["profile"] == ["default", "paper", None]


def test_overrides_change_their_lines_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    text = (ROOT / "params.yaml").read_text()
    file.write_text(text)
    odd = """a b/"c"=d, (x) 'é'"""
    changes = Changes(root=odd, folds=[0, 1])
    lines = parameters.apply([*changes.overrides(), "train.lmf.width.default=0.25", "evaluate.draws=1000"], file)
    assert lines == [f"{file}: dataset.root: data/raw/simulated -> {odd}",
                    f"{file}: protocol.folds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] -> [0, 1]",
                    f"{file}: train.lmf.width.default: 0.125 -> 0.25"]  # fmt: skip
    assert in_file("dataset.root", file) == odd
    before, after = text.splitlines(), file.read_text().splitlines()
    assert len(before) == len(after)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [old.split(":")[0].strip() for old, _ in changed] == ["root", "folds", "default"]
    assert all(old.split("#")[1] == new.split("#")[1] for old, new in changed), "comments stay"


@pytest.mark.parametrize("wrong", ["no.such=1", "train.lmf.wdith=1", "+new.line=1", "~train.seed", "train.lmf=3", "x",
                                   "train.seed=1,2"])  # fmt: skip
def test_an_override_that_params_yaml_cannot_take_is_one_sentence(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text((ROOT / "params.yaml").read_text())
    with pytest.raises(UserError, match=r"params.yaml (cannot take|has no)") as error:
        parameters.apply([wrong], file)
    assert "\n" not in str(error.value)
    assert file.read_text() == (ROOT / "params.yaml").read_text()


# --- Retries


def run_stage_as(monkeypatch: pytest.MonkeyPatch, words: str) -> object:
    """What the task makes of a DVC that says ``words`` and fails."""
    start = supervised.start
    monkeypatch.setattr(supervised, "start", lambda command, **options: start(["sh", "-c", f"echo '{words}'; exit 1"],
                                                                              **options))  # fmt: skip
    with disable_run_logger():
        return reproduce.stage.fn("ingest")


def test_a_busy_lock_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(reproduce.Contention) as error:
        run_stage_as(monkeypatch, "ERROR: Unable to acquire lock. Most likely another DVC process is running")
    assert reproduce.is_contention(None, None, Failed(data=error.value))
    assert not reproduce.is_contention(None, None, Failed(data=RuntimeError()))


def test_a_stage_that_fails_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    state = run_stage_as(monkeypatch, "error: data/raw: holds no sequences")
    assert state.is_failed()
    assert "data/raw: holds no sequences" in state.message


# --- The pipeline: stopped, failing, killed


PROFILE = 'active = "tests"\n[profiles.tests]\nPREFECT_RUNNER_POLL_FREQUENCY = "1"\n'
"""The runner looks for runs every second, and not every ten."""


def without_report(finished: Path, folder: Path) -> Checkout:
    """A finished checkout of a pipeline without its report, which would take most of the time."""
    copy = Checkout.copy(finished, folder / "checkout")
    plan = yaml.safe_load((copy.folder / "dvc.yaml").read_text())
    del plan["stages"]["report"]
    (copy.folder / "dvc.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
    (copy.folder / ".prefect").mkdir()
    (copy.folder / ".prefect/profiles.toml").write_text(PROFILE)
    return copy


@pytest.fixture(scope="module")
def checkout(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return without_report(finished, tmp_path_factory.mktemp("flows"))


@pytest.fixture
def own(finished: Path, tmp_path: Path) -> Checkout:
    """One that no other test has changed."""
    return without_report(finished, tmp_path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server to which several runs report: each one's own would take as long as its flow."""
    home, address = tmp_path_factory.mktemp("server"), f"http://127.0.0.1:{open_port()}"
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", address.rpartition(":")[2]]
    with (home / "log").open("w") as log:
        process = supervised.start(command, cwd=home, stdout=log, stderr=log,
                                   env=os.environ | {"PREFECT_HOME": str(home)})  # fmt: skip
    while not connections.healthy(address):
        assert process.poll() is None, (home / "log").read_text()
        time.sleep(0.1)
    yield address
    supervised.stop(process)


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    names = {"checkout", "own"}.intersection(request.fixturenames)
    folders = [request.getfixturevalue(name).folder for name in names]
    yield
    for folder in folders:
        left = [process.cmdline() for process in within(folder)] if not gone(folder) else []
        for process in within(folder):
            process.kill()
        assert not left


def test_an_unchanged_pipeline_starts_no_stage(checkout: Checkout) -> None:
    output = checkout.run("lmf_fer", "reproduce")
    assert "\n16 unchanged. " in output
    assert "flow run" not in output, "Prefect is not even started"


def test_the_flow_of_an_unchanged_pipeline_starts_no_stage_either(checkout: Checkout, server: str) -> None:
    output = checkout.run("lmf_fer", "reproduce", "-S", "machine.workers=2", "--server", server)
    assert "Completed('16 unchanged" in output
    assert output.count("Unchanged(") == 16


def test_a_failing_stage_stops_only_what_needs_it_and_is_one_sentence(checkout: Checkout, server: str) -> None:
    file = checkout.folder / "stages/train/svm.py"
    text = file.read_text()
    file.write_text(f'{text}\n\ndef fit(*_):\n    raise SystemExit("error: broken on purpose")\n')
    running = Running(checkout, "lmf_fer", "reproduce", "-S", "train.dtagn.dropout=0.75", "--server", server)
    assert running.end() == 1
    file.write_text(text)
    assert running.said.count("Running stage 'train-svm'") == 1, "tried once"
    assert "Ran('train-dtagn@0: ran'" in running.said
    assert "Running stage 'evaluate'" not in running.said
    assert running.said.splitlines()[-1].startswith("error: stage train-svm failed; its last words: ")
    assert "Traceback" not in running.said.split("error: stage")[-1]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_flow_stops_its_stages(checkout: Checkout, server: str, number: int, status: int) -> None:
    """With a server of its own, and with another one."""
    change = ["-S", "train.lmf.dropout=0.0", "-S", f"train.lmf.lstm_size={10 + number}"]
    running = Running(
        checkout, "lmf_fer", "reproduce", *change, *(["--server", server] if number == signal.SIGTERM else [])
    )
    running.until("python -m stages.train lmf")
    assert running.end(number) in (status, -number)
    assert gone(checkout.folder)


def test_two_runs_in_a_folder_follow_each_other(checkout: Checkout, server: str) -> None:
    file, change = checkout.folder / "params.yaml", in_file("evaluate.draws", checkout.folder / "params.yaml") + 1
    with FileLock(checkout.folder / ".prefect/reproduce.lock"):  # as the other one holds it
        run = Running(checkout, "lmf_fer", "reproduce", "-S", f"evaluate.draws={change}", "--server", server)
        run.until("another run goes on in this folder; this one waits until it has ended")
        assert in_file("evaluate.draws", file) == change - 1
    run.until(f"params.yaml: evaluate.draws: {change - 1} -> {change}")
    assert run.end(signal.SIGINT) != 0


@pytest.mark.slow
def test_after_any_kill_the_next_run_has_the_same_bytes(
    checkout: Checkout, finished: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    flow, train, evaluate = "lmf_fer reproduce", "> python -m stages.train dtagn", "> python -m stages.evaluate"
    moments = [  # the line after which, the process that, and a change that gives the run something to do
        ("Beginning flow run", flow, "train.dtagn.dropout=0.125"),
        (f"{train} 0", flow, "train.dtagn.dropout=0.125"),
        (f"{train} 0", "stages.train dtagn 0", "train.dtagn.dropout=0.25"),
        (f"{train} 1", "repro --single-item train-dtagn@1", "train.dtagn.dropout=0.375"),
        ("Updating lock file", flow, "train.dtagn.dropout=0.5"),
        (evaluate, "stages.evaluate", "evaluate.draws=30"),
        (evaluate, flow, "evaluate.draws=31"),
    ]
    for words, victim, change in moments:
        running = Running(checkout, "lmf_fer", "reproduce", "-S", change)
        running.until(words)
        (running.process if victim == flow else named(checkout.folder, victim)).kill()
        assert running.end() != 0
        assert gone(checkout.folder)
    output = checkout.run("lmf_fer", "reproduce", "-S", "train.lmf.dropout=0.0")
    assert "Completed(" in output
    reference = Checkout.copy(finished, tmp_path_factory.mktemp("reference") / "checkout")
    shutil.copy(checkout.folder / "params.yaml", reference.folder)
    reference.run("dvc", "repro", "evaluate")
    ours, theirs = checkout.results(), reference.results()
    assert [name for name in ours if not name.endswith("report.html") and ours[name] != theirs[name]] == []
    assert checkout.repro() == set()


@pytest.mark.slow
def test_files_of_dvc_that_a_kill_cut_short_are_mended(checkout: Checkout) -> None:
    checkout.repro()
    lock = checkout.folder / "dvc.lock"
    text, before = lock.read_text(), checkout.results()
    lock.write_text(text[: text.rindex("path:") + 5])
    (checkout.folder / ".dvc/tmp/rwlock").write_text('{"write": {"/tmp')
    output = checkout.run("lmf_fer", "reproduce")
    assert "dvc.lock was half-written" in output
    assert "rwlock was half-written" in output
    assert set(re.findall(r"Ran\('([^:]+): ran'", output)) <= {"evaluate"}, "all that DVC caches comes from its cache"
    assert checkout.results() == before


# --- Prefect's page

FIELD = """[...document.querySelectorAll(".schema-form-property")]
    .filter(it => it.innerText.startsWith("%s")).at(-1)?.querySelector("input")"""

ALL = """fetch("/api/%s/filter", {method: "POST", headers: {"Content-Type": "application/json"}, body: "{}"})
    .then(answer => answer.json())"""
"""What the server has of a kind. The page itself looks for news every half minute only."""

SUBMIT = """[...document.querySelectorAll("button")]
    .some(it => it.checkVisibility() && it.innerText.trim() == "Submit")"""

STATE = "document.querySelector('.page-heading')?.parentElement.innerText.includes('%s')"


def start_from_form(page: browser.Page, address: str, line: str, value: str) -> str:
    """Starts a run with ``value`` in the field of a ``line``; the address of the run's page."""
    page.open(address)
    page.until(f"{ALL % 'deployments'}.then(all => all.length)", 180)
    page.open(f"{address}/deployments")
    page.click("a", "this-machine")
    page.click("button", "Run")
    page.click("a", "Custom run")
    end, steady = time.monotonic() + 180, 0
    while steady < 3:  # the form is drawn anew when its schema has come, and then the field is empty again
        assert time.monotonic() < end, f"the form does not keep {line}: {value}"
        if page.run(f"{FIELD % line}?.value") == value:
            steady += 1
        else:
            steady = 0
            field = FIELD % line
            page.until(f"{field}?.focus(), {field}?.select(), !!{field}")
            page.write(value)  # in place of what is selected
        time.sleep(1)
    runs = f"{ALL % 'flow_runs'}.then(all => all.map(run => run.id))"
    # By what is new: the form makes up a name, and may do so again after it was read.
    new = f"{runs}.then(all => all.find(run => !{json.dumps(page.run(runs))}.includes(run)))"
    end = time.monotonic() + 180
    while not (number := page.run(new)):
        assert time.monotonic() < end, page.run("document.body.innerText")
        if page.run(SUBMIT):  # again where the page says that something went wrong, and keeps the form
            page.click("button", "Submit")
        patience = time.monotonic() + 30
        while time.monotonic() < patience and not page.run(new):
            time.sleep(0.2)
    return f"{address}/runs/flow-run/{number}"


def await_state(page: browser.Page, run: str, state: str) -> None:
    """Waits until a run has this state and its page, opened then, shows it."""
    number = run.rpartition("/")[2]
    page.until(
        f"{ALL % 'flow_runs'}.then(all => all.some(it => it.id == '{number}' && it.state_name == '{state}'))", 600
    )
    page.open(run)
    page.until(STATE % state)


@pytest.mark.long
def test_a_run_from_the_page(own: Checkout, tmp_path: Path) -> None:
    browser.needed()
    port = open_port()
    address = f"http://127.0.0.1:{port}"
    ui = Running(own, "lmf_fer", "ui", "--port", str(port))
    ui.until(address)
    assert f"{address}  is running already." in own.run("lmf_fer", "ui", "--port", str(port))
    with browser.Page(tmp_path) as page:
        run = start_from_form(page, address, "evaluate.micro_share", "0.625")
        await_state(page, run, "Completed")  # its log is drawn in part: the rest comes when one scrolls
        page.click("*", "Artifacts")
        page.click("*", "table")
        text = page.until("document.querySelector('table') && document.body.innerText")
        assert "with probability 0.625" in text
        assert all(method in text for method in ("DTAGN", "LMF-FER", "Joint framework"))
        assert in_file("evaluate.micro_share", own.folder / "params.yaml") == 0.625

        run = start_from_form(page, address, "train.dtagn.schedule.epochs", "3000")  # longer than any page takes
        ui.until("> python -m stages.train dtagn")
        page.open(run)
        page.click("button", "Cancel")
        page.click("button", "Confirm")
        await_state(page, run, "Cancelled")
    assert not any("stages.train" in " ".join(process.cmdline()) for process in within(own.folder))
    assert ui.end(signal.SIGINT) == 0
    assert gone(own.folder)


@pytest.mark.slow
def test_a_killed_server_ends_the_run_and_the_page(checkout: Checkout) -> None:
    port = open_port()
    ui = Running(checkout, "lmf_fer", "ui", "--port", str(port))
    ui.until("Prefect")
    running = Running(checkout, "lmf_fer", "reproduce", "-S", "evaluate.draws=22")
    running.until("Beginning flow run")
    named(checkout.folder, f"prefect server start --host 127.0.0.1 --port {port}").kill()
    assert ui.end() == 1
    assert "Prefect's server ended; start again with make ui" in ui.said
    running.end()
    assert gone(checkout.folder, 60)
    assert "Completed(" in checkout.run("lmf_fer", "reproduce", "-S", "evaluate.draws=22")
