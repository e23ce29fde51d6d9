"""The control panel: what ``params.yaml`` may say. One class a section, one line a parameter: its type and its range.

A parameter is added by adding its line here and in ``params.yaml``. A stage whose settings are a dataclass of its own
has the same names there; a test compares the two.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from stages.tables.datasets import DATASETS
from stages.tables.room import RoomError

LARGEST = 100_000
"""A longer file is no control panel, bytes."""


def _rising(pair: list[Any]) -> list[Any]:
    if pair[0] > pair[1]:
        raise ValueError("must be [least, most]")
    return pair


def _counted(folds: list[int]) -> list[int]:
    if folds != list(range(len(folds))):
        raise ValueError("must count the folds, from 0 and without a gap: [0, 1, 2]")
    return folds


Count: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**63)]
Factor: TypeAlias = Annotated[float, Field(gt=0, le=16)]
Size: TypeAlias = Annotated[float, Field(gt=0, le=10_000)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Part: TypeAlias = Annotated[float, Field(gt=0, le=1)]
Noise: TypeAlias = Annotated[float, Field(ge=0, le=50)]
Error: TypeAlias = Annotated[float, Field(ge=0, le=10)]
Dropout: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
Interpolator: TypeAlias = Literal["flow", "average", "sepconv", "rife"]
LandmarkMethod: TypeAlias = Literal["dlib-flow", "dlib", "aam-flow", "aam", "ckplus"]
Profile: TypeAlias = Literal["default", "paper"]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$")]


class Section(BaseModel):
    """Exactly these names, exactly these types, finite numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


if TYPE_CHECKING:  # no type checker knows the names
    DatasetName: TypeAlias = str
else:
    DatasetName = Literal[tuple(DATASETS)]


class Dataset(Section):
    name: DatasetName
    root: Name

    @model_validator(mode="after")
    def _simulation_stays_in_the_project(self) -> Dataset:
        outside = Path(self.root).is_absolute() or ".." in Path(self.root).parts
        if self.name == "simulated" and outside:
            raise ValueError(f"root is {self.root!r}, outside of this project, where nothing is simulated")
        return self


class Protocol(Section):
    folds: Annotated[list[int], Field(min_length=2, max_length=1000), AfterValidator(_counted)]
    frames: Annotated[int, Field(ge=3, le=257)]


class Simulate(Section):
    subjects: Annotated[int, Field(ge=1, le=10_000)]
    sequences: Annotated[int, Field(ge=1, le=6)]
    frames: Annotated[
        list[Annotated[int, Field(ge=4, le=1000)]], Field(min_length=2, max_length=2), AfterValidator(_rising)
    ]
    noise: Noise
    seed: Seed


class Ingest(Section):
    margin: Annotated[float, Field(ge=0, le=2)]
    upsample: Annotated[int, Field(ge=0, le=3)]


class Portraits(Section):
    people: Count
    pictures: Count
    seed: Seed


class Network(Section):
    width: Count
    widest: Count
    taps: Annotated[int, Field(ge=1, le=255)]
    contrast: Annotated[int, Field(ge=0, le=255)]


class Warps(Section):
    patch: Annotated[int, Field(ge=8, le=1024)]
    motion: Size
    noise: Noise
    smooth: Annotated[list[Size], Field(min_length=2, max_length=2), AfterValidator(_rising)]


class Steps(Section):
    steps: Count
    batch: Count
    learning_rate: Factor
    guidance: Annotated[float, Field(ge=0)]


class Sepconv(Section):
    network: Network
    warps: Warps
    schedule: Steps
    seed: Seed


class Synthesize(Section):
    interpolator: Interpolator
    weights: Name
    originals: Annotated[int, Field(ge=2, le=257)]
    portraits: Portraits
    sepconv: Sepconv


class Landmark(Section):
    method: LandmarkMethod
    enlarge: Annotated[int, Field(ge=1, le=16)]
    smooth: Size
    stiffness: Annotated[float, Field(gt=0, le=1e6)]
    patch: Size
    detection: Size


class Featurize(Section):
    eps: Annotated[float, Field(ge=0, le=10)]
    dtagn_size: Annotated[int, Field(ge=16, le=1024)]


class Schedule(Section):
    epochs: Count
    batch: Annotated[int, Field(ge=2, le=1_000_000)]
    learning_rate: Factor


class Width(Section):
    default: Factor
    paper: Factor


class Lmf(Section):
    width: Width
    lstm_layers: Annotated[int, Field(ge=1, le=100)]
    lstm_size: Annotated[int, Field(ge=1, le=100_000)]
    dropout: Dropout
    steps: Annotated[int, Field(ge=1, le=1000)]
    part: Part
    other: Error
    turn: Error
    noise: Error
    smoothing: Annotated[float, Field(ge=0, lt=1)]
    schedule: Schedule


class Dtagn(Section):
    frames: Annotated[int, Field(ge=2, le=1000)]
    part: Part
    other: Error
    turn: Error
    noise: Error
    width: Width
    dropout: Dropout
    dtgn_epochs: Count
    magnify: Factor
    joint_epochs: Count
    schedule: Schedule


class Svm(Section):
    c: Factor


class Train(Section):
    profile: Profile
    compile: bool
    threads: Annotated[int, Field(ge=1, le=1024)]
    seed: Seed
    held_out: Annotated[float, Field(ge=0, lt=1)]
    lmf: Lmf
    dtagn: Dtagn
    svm: Svm


class Evaluate(Section):
    micro_share: Share
    draws: Count
    seed: Seed


class Machine(Section):
    workers: Annotated[int, Field(ge=0, le=1024)]
    scheduler: Name | None
    device: Literal["auto", "cpu", "cuda"]


class Panel(Section):
    dataset: Dataset
    protocol: Protocol
    simulate: Simulate
    ingest: Ingest
    synthesize: Synthesize
    landmark: Landmark
    featurize: Featurize
    train: Train
    evaluate: Evaluate
    machine: Machine

    @model_validator(mode="after")
    def _midpoints_reach_the_working_length(self) -> Panel:
        gaps, wanted = self.synthesize.originals - 1, self.protocol.frames - 1
        if wanted % gaps or (wanted // gaps).bit_count() != 1:
            raise ValueError(
                f"midpoints cannot turn synthesize.originals: {gaps + 1} into protocol.frames: {wanted + 1};"
                " choose them so that frames - 1 is originals - 1 doubled a few times (3 and 9, 5 and 9, 2 and 9)"
            )
        return self


class _Plain(yaml.SafeLoader):
    """YAML without anchors, which can blow a small file up to any size, and without a name that is there twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="an alias (*) is not allowed", problem_mark=self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if key.value in seen if isinstance(key, yaml.ScalarNode) else True:
                raise yaml.MarkedYAMLError(
                    problem=f"'{key.value}' is there twice"
                    if isinstance(key, yaml.ScalarNode)
                    else "a name is no text",
                    problem_mark=key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read(path: Path | str = "params.yaml") -> dict[str, Any]:
    """Everything that ``params.yaml`` says, checked.

    Raises RoomError, with the line and the nearest valid name, when the file is missing, is no plain YAML, or holds an
    unknown name, a wrong type or an impossible value.
    """
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise RoomError(f"{path}: cannot be read, it is no ordinary file")
        size = Path(path).stat().st_size
        if size > LARGEST:
            raise RoomError(f"{path}: has {size:,} bytes; no control panel is larger than {LARGEST:,}")
        text = Path(path).read_bytes().decode("utf-8")
        nodes, everything = yaml.compose(text, _Plain), yaml.load(text, _Plain)
    except FileNotFoundError:
        raise RoomError(f"{path}: not found; run from the root of the repository") from None
    except OSError as error:
        raise RoomError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise RoomError(f"{path}{where}: not valid YAML: {_one_line(error.problem)}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RoomError(f"{path}: not valid YAML: {_one_line(error)}") from None
    if not isinstance(everything, dict):
        raise RoomError(f"{path}: holds no sections; take the file of the repository")
    try:
        Panel.model_validate(everything)
    except ValidationError as error:
        faults = sorted(_faults(error, nodes))
        _, line, sentence = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise RoomError(f"{path}, line {line}: {sentence}{more}") from None
    return everything


def _faults(error: ValidationError, nodes: yaml.Node | None) -> Iterator[tuple[bool, int, str]]:
    """Whether it is only missing, the line, from 1, and the sentence of everything that is wrong."""
    for fault in error.errors():
        *above, last = where = fault["loc"] or ("protocol", "frames")  # of the one rule between sections
        name, value, kind = ".".join(map(str, where)), fault["input"], fault["type"]
        shown = value if len(repr(value)) <= 60 else f"{str(value)[:50]} ..."
        if kind in ("extra_forbidden", "invalid_key"):
            known = _names(above)
            near = _nearest(last, known)
            sentence = f"{name} is no parameter; {near or 'there is ' + ', '.join(known)}"
        elif kind == "missing":
            sentence = f"{name} is missing; take its line from the repository's params.yaml"
        elif kind in ("model_type", "model_attributes_type", "dict_type"):
            sentence = f"{name} is {shown!r}; it must be a section of {', '.join(_names(where))}"
        elif kind == "value_error":
            sentence = f"{name} is {shown!r}; it {fault['ctx']['error']}" if not isinstance(value, dict) else (
                f"{name}: {fault['ctx']['error']}")  # fmt: skip
        elif kind == "literal_error":
            allowed = str(fault["ctx"]["expected"]).replace("'", "")
            near = _nearest(value, allowed.replace(" or ", ", ").split(", "))
            sentence = f"{name} is {shown!r}; {near or 'it must be ' + allowed}"
        else:
            sentence = f"{name} is {shown!r}; it {_one_line(fault['msg']).split(' should ')[-1].join(['must ', ''])}"
            if kind in ("float_type", "int_type") and isinstance(value, str) and _number(value):
                sentence += f": write {_number(value)}"
        yield kind == "missing", _line(nodes, where), sentence


def _names(where: Any) -> list[str]:
    model: Any = Panel
    for name in where:
        model = model.model_fields[name].annotation
    return list(model.model_fields)


def _nearest(word: Any, known: list[str]) -> str:
    found = difflib.get_close_matches(str(word), known, 1)
    return f"did you mean {found[0]}?" if found else ""


def _number(text: str) -> str:
    """How YAML wants a number that it took for text, such as 1e-3; empty where it is none."""
    try:
        return f"{float(text)!r}"
    except ValueError:
        return ""


def _line(node: Any, where: Any) -> int:
    """The line, from 1, of a parameter, or of the section that lacks it."""
    line = node.start_mark.line
    for name in where:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(name)]
            if not found:
                break
            line, node = found[0][0].start_mark.line, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(name, int):
            node = node.value[name]
            line = node.start_mark.line
    return line + 1


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
