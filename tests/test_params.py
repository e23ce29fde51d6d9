"""What is wrong with params.yaml is one sentence: of the whole file before a run, of its own lines in each stage."""

import re
from pathlib import Path

import pytest
import yaml

from flows import parameters
from stages.tables import params
from stages.tables.errors import UserError
from tests.conftest import ROOT, merged, run_stage

TEXT = (ROOT / "params.yaml").read_text()


def changed(name: str, line: str) -> str:
    """params.yaml with the line of a parameter, by its dotted name, replaced: the name's last part finds it."""
    above, lines, place = [], TEXT.splitlines(), None
    for number, text in enumerate(lines):
        match = re.match(r"( *)(\w+):", text)
        if match:
            above = [*above[: len(match[1]) // 2], match[2]]
            if ".".join(above) == name:
                place = number
    assert place is not None, name
    indent = len(lines[place]) - len(lines[place].lstrip())
    lines[place] = " " * indent + line
    return "\n".join(lines) + "\n"


def refused(folder: Path, text: str | bytes) -> str:
    file = folder / "params.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as error:
        parameters.check(file)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 700
    return message.replace(str(file), "params.yaml")


def line_of(text: str, fragment: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if fragment in line)


@pytest.mark.parametrize(
    ("name", "line", "says"),
    [
        ("train.seed", "sed: 2017", "train.sed is no parameter; did you mean seed? (and 1 more)"),
        ("train.lmf.lstm_size", "lstm_size: big", "train.lmf.lstm_size is 'big'; it must be a valid integer"),
        ("train.lmf.lstm_size", "lstm_size: true", "train.lmf.lstm_size is True; it must be a valid integer"),
        ("train.lmf.lstm_size", "lstm_size: 6.5", "it must be a valid integer"),
        ("train.lmf.dropout", "dropout: 1.0", "train.lmf.dropout is 1.0; it must be less than 1"),
        ("train.lmf.dropout", "dropout: .nan", "it must be a finite number"),
        ("train.lmf.schedule.learning_rate", "learning_rate: 1e-3", "it must be a valid number: write 0.001"),
        ("train.threads", "threads: 0", "train.threads is 0; it must be greater than or equal to 1"),
        ("machine.device", "device: gpu", "machine.device is 'gpu'; did you mean cpu?"),
        ("machine.device", "device: tpux", "machine.device is 'tpux'; "),
        ("machine.workers", "workers: -1", "machine.workers is -1; it must be greater than or equal to 0"),
        ("landmark.method", "method: dlib_flow", "landmark.method is 'dlib_flow'; did you mean dlib-flow?"),
        ("landmark.method", "method: magic", "it must be dlib-flow, dlib, aam-flow, aam or ckplus"),
        ("protocol.folds", "folds: [0, 2]", "protocol.folds is [0, 2]; it must count the folds, from 0"),
        ("protocol.folds", "folds: [0]", "at least 2 items"),
        ("protocol.frames", "frames: 8", "midpoints cannot turn protocol.originals: 3 into protocol.frames: 8"),
        ("simulate.frames", "frames: [16, 9]", "simulate.frames is [16, 9]; it must be [least, most]"),
        ("dataset.root", "root: /etc", "outside of this project"),
        ("dataset.root", "root: data/../../x", "outside of this project"),
        ("dataset.root", 'root: "a\\0b"', "dataset.root is 'a\\x00b'; it must match pattern"),
        ("dataset.root", "root: ''", "it must match pattern"),
        ("ingest.margin", "margin: 1" + "0" * 40, "ingest.margin is 1000"),
        ("ingest.margin", "margin: 1" + "0" * 5000, "not valid YAML"),
        ("ingest.margin", "margin: 2026-13-45", "not valid YAML"),
        ("machine.device", "workers: 1", "'workers' is there twice"),
        ("machine.device", "device: !!python/object/apply:os.system ['touch pwned']", "not valid YAML"),
        ("machine.device", "device: !!python/name:os.system", "not valid YAML"),
        ("machine.device", "device: &a [*a]", "an alias (*) is not allowed"),
        ("machine.device", "{a: 1}: b", "a name is no text"),
        ("machine.device", "device: [", "not valid YAML"),
        ("machine.device", "1: cpu", "machine.1 is no parameter"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_line(tmp_path: Path, name: str, line: str, says: str) -> None:
    text = changed(name, line)
    message = refused(tmp_path, text)
    assert says in message
    if "not valid YAML: " not in message or ", line " in message:
        number = re.search(r"^params.yaml, line (\d+): ", message)
        assert number
        if "midpoints" not in says and "dataset" not in name and line != "device: [":
            assert int(number[1]) == line_of(text, line)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no sections"),
        ("- 1\n", "holds no sections"),
        ("a: &a [x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n", "line 2: not valid YAML: an alias (*) is not allowed"),
        ("[" * 5000, "not valid YAML"),
        ("{a: " * 5000, "not valid YAML"),
        (b"\xff\xfe\0", "not valid YAML"),
        (b"\0\0", "not valid YAML"),
        ("# " + "x" * 200_000, "no list of parameters is larger"),
        (TEXT.split("machine:")[0] + "machine: 5\n", "machine is 5; it must be a section of workers, "),
        (TEXT.replace("\ntrain:", "\ntrian:"), "trian is no parameter; did you mean train?"),
        (TEXT.replace("\ntrain:", "\ntrain:\n  lmff: {a: 1}"), "train.lmff is no parameter; did you mean lmf?"),
        (TEXT.replace("ingest:", "ingest:\n  margins: {a: 1}"), "ingest.margins is no parameter; did you mean margin?"),
        (TEXT + "extra: {a: 1}\n", "extra is no parameter; "),
    ],
)
def test_files_that_are_no_list_of_parameters(tmp_path: Path, text: str | bytes, says: str) -> None:
    assert says in refused(tmp_path, text)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    section = parameters.sections()[0]
    for read in (parameters.check, lambda path: params.read(section, path)):
        with pytest.raises(UserError, match="run from the root of the repository"):
            read(tmp_path / "params.yaml")
        with pytest.raises(UserError, match="cannot be read"):
            read(tmp_path)


def test_the_repository_and_every_value_of_another_type(tmp_path: Path) -> None:
    """Every leaf, replaced by a value of a type that it does not have, is named by its dotted name."""
    assert parameters.check(ROOT / "params.yaml") == yaml.safe_load(TEXT)
    leaves = 0

    def walk(section: dict, where: tuple[str, ...]) -> None:  # type: ignore[type-arg]
        nonlocal leaves
        for name, value in section.items():
            if isinstance(value, dict):
                walk(value, (*where, name))
                continue
            leaves += 1
            wrong: object = {"a": 1}
            change: dict[str, object] = {name: wrong}
            for above in reversed(where):
                change = {above: change}
            text = yaml.safe_dump(merged(yaml.safe_load(TEXT), change), sort_keys=False)
            assert f": {'.'.join((*where, name))} is" in refused(tmp_path, text)

    walk(yaml.safe_load(TEXT), ())
    assert leaves > 50


def test_every_line_has_one_owner() -> None:
    """All sections together hold each line of params.yaml once, and each stands in the folder of a stage."""
    owned = [params.flat({section.section: params.read(section, ROOT / "params.yaml").model_dump()})
             for section in parameters.sections()]  # fmt: skip
    names = [name for lines in owned for name in lines]
    assert sorted(names) == sorted(params.flat(yaml.safe_load(TEXT)))
    for section in parameters.sections():
        assert re.match(r"stages\.(\w+\.)+(params|machine)$|stages\.train\.\w+$", section.__module__)


def test_a_section_is_read_only_and_a_copy_is_changed(tmp_path: Path) -> None:
    for section in parameters.sections():
        settings = params.read(section, ROOT / "params.yaml")
        with pytest.raises(ValueError, match="frozen"):
            setattr(settings, next(iter(section.model_fields)), 1)


def test_a_line_of_another_section_is_checked_like_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(changed("protocol.frames", "frames: nine"))
    assert params.line("protocol.originals", int, file) == 3
    number = line_of(file.read_text(), "frames: nine")
    with pytest.raises(UserError, match=rf", line {number}: protocol.frames is 'nine'; it must be a valid integer$"):
        params.line("protocol.frames", int, file)
    file.write_text(changed("protocol.frames", "frams: 9"))
    with pytest.raises(UserError, match=r"protocol.frames is missing; take its line from the repository's"):
        params.line("protocol.frames", int, file)


def test_a_stage_says_it_before_it_does_anything(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(changed("ingest.upsample", "upsampl: 0"))
    done = run_stage(tmp_path, "ingest")
    number = line_of((tmp_path / "params.yaml").read_text(), "upsampl:")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: params.yaml, line {number}: ingest.upsampl is no parameter;")
    assert "did you mean upsample?" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["params.yaml"]


def test_a_stage_looks_at_its_own_lines_only_and_the_check_at_all(tmp_path: Path) -> None:
    """Else a change of one stage's parameters would be a change of all stages."""
    (tmp_path / "params.yaml").write_text(changed("landmark.upscale", "upscal: 4"))
    done = run_stage(tmp_path, "ingest")
    assert done.returncode == 1
    assert done.stderr.startswith("error: data/raw/simulated")  # the next thing that is wrong here
    message = refused(tmp_path, (tmp_path / "params.yaml").read_text())
    assert "landmark.upscal is no parameter; did you mean upscale?" in message


@pytest.mark.parametrize(("argument", "status"), [("--help", 0), ("nonsense", 2)])
def test_a_stage_that_is_asked_something_does_nothing(tmp_path: Path, argument: str, status: int) -> None:
    done = run_stage(tmp_path, "ingest", argument)
    assert done.returncode == status
    assert (done.stdout + done.stderr).startswith("usage: python -m stages.ingest [-h]")
    assert not list(tmp_path.iterdir())
