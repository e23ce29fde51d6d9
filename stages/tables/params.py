"""``params.yaml``, read and checked: what is wrong with it becomes one sentence with its line.

A stage declares its section as a ``Section`` in its own ``params.py`` and reads it with ``read``; the few lines that it
needs of other sections it reads with ``line``. The whole file, which no stage alone can know, is checked with
``check``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar, cast

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, create_model

from stages.tables.errors import UserError

PARAMS = Path("params.yaml")
LARGEST = 100_000
"""A longer file is no list of parameters, bytes."""


class Section(BaseModel):
    """A section of params.yaml: exactly these names, exactly these types, finite numbers.

    A class that is read on its own says where, as ``section = "train.lmf"``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    section: ClassVar[str] = ""


S = TypeVar("S", bound=Section)
T = TypeVar("T")


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
Pixels: TypeAlias = Annotated[float, Field(gt=0, le=10_000)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Noise: TypeAlias = Annotated[float, Field(ge=0, le=50)]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$")]
Frames: TypeAlias = Annotated[int, Field(ge=2, le=257)]
Folds: TypeAlias = Annotated[list[int], Field(min_length=2, max_length=1000), AfterValidator(_counted)]
Range: TypeAlias = Annotated[list[T], Field(min_length=2, max_length=2), AfterValidator(_rising)]
"""[least, most]"""


def read(section: type[S], path: Path | str = PARAMS) -> S:
    """A section of ``params.yaml``, checked; what else stands in the file is not looked at.

    Raises UserError, with the line and the nearest valid name, when the file is missing, is no plain YAML, or when the
    section holds an unknown name, a wrong type or an impossible value.
    """
    model, (values, nodes) = _composed([section], extra="ignore"), _parsed(path)
    value: Any = _validated(model, _own(model, values), nodes, path)
    for name in section.section.split("."):
        value = getattr(value, name)
    return cast(S, value)


def line(name: str, kind: type[T], path: Path | str = PARAMS) -> T:
    """One line of another stage's section by its dotted name, such as protocol.frames. Raises UserError as ``read``."""
    *above, last = name.split(".")
    section = create_model("Line", __base__=Section, **{last: (kind, ...)})  # type: ignore[call-overload]
    section.section, section.model_config["extra"] = ".".join(above), "ignore"
    section.model_rebuild(force=True)
    return cast(T, getattr(read(section, path), last))


def check(sections: Iterable[type[Section]], path: Path | str = PARAMS) -> dict[str, Any]:
    """Everything that ``params.yaml`` says, after a check that it holds exactly these ``sections``.

    Raises UserError as ``read`` does.
    """
    values, nodes = _parsed(path)
    _validated(_composed(sections, extra="forbid"), values, nodes, path)
    return values


def values(path: Path | str = PARAMS) -> dict[str, Any]:
    """All of ``params.yaml``, unchecked: for those who only show it. Raises UserError as ``read`` does."""
    return _parsed(path)[0]


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters by their dotted names."""
    values: dict[str, Any] = {}
    for key, value in tree.items():
        values |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return values


def _composed(sections: Iterable[type[Section]], extra: str) -> type[BaseModel]:
    """One model of all ``sections``, each at its place; ``extra`` says what becomes of any other name around them."""
    tree: dict[str, Any] = {}
    for section in sections:
        node = tree
        for name in section.section.split("."):
            node = node.setdefault(name, {})
        node[""] = section

    def model(name: str, node: dict[str, Any]) -> type[BaseModel]:
        own = node.get("")
        below: dict[str, Any] = {key: (model(key, value), ...) for key, value in node.items() if key}
        if own is not None and not below:
            return cast(type[BaseModel], own)
        made: type[BaseModel] = create_model(name, __base__=own or Section, **below)
        if own is None:
            made.model_config["extra"] = extra  # type: ignore[typeddict-item]
            made.model_rebuild(force=True)
        return made

    return model("params", tree)


def _validated(model: type[BaseModel], values: dict[str, Any], nodes: yaml.Node, path: Path | str) -> BaseModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = sorted(_faults(error, model, nodes))
        _, number, sentence = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise UserError(f"{path}, line {number}: {sentence}{more}") from None


def _own(model: Any, values: Any) -> Any:
    """``values`` without the sections inside a stage's section that belong to others, such as train.lmf in train."""
    if not (isinstance(values, dict) and isinstance(model, type) and issubclass(model, BaseModel)):
        return values
    fields, owned = model.model_fields, getattr(model, "section", "")
    return {
        name: _own(fields[name].annotation, value) if name in fields else value
        for name, value in values.items()
        if name in fields or not (owned and isinstance(value, dict))
    }


class _Plain(yaml.SafeLoader):
    """YAML without anchors, which can blow a small file up to any size, and without a name that is there twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="an alias (*) is not allowed", problem_mark=self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = set()
        for key, _ in node.value:
            plain = isinstance(key, yaml.ScalarNode)
            if not plain or key.value in names:
                problem = f"'{key.value}' is there twice" if plain else "a name is no text"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)


def _parsed(path: Path | str) -> tuple[dict[str, Any], yaml.Node]:
    """The values in the file and its YAML nodes, which know their lines. Raises UserError when it is no plain YAML."""
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise UserError(f"{path}: cannot be read, it is no ordinary file")
        size = Path(path).stat().st_size
        if size > LARGEST:
            raise UserError(f"{path}: has {size:,} bytes; no list of parameters is larger than {LARGEST:,}")
        values, nodes = _loaded(Path(path).read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: not found; run from the root of the repository") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}{where}: not valid YAML: {_one_line(error.problem)}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid YAML: {_one_line(error)}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: holds no sections; take the file of the repository")
    return values, nodes


@lru_cache(maxsize=4)  # a stage reads several sections of one file
def _loaded(content: bytes) -> tuple[Any, Any]:
    text = content.decode("utf-8")
    return yaml.load(text, _Plain), yaml.compose(text, _Plain)


def _faults(error: ValidationError, model: type[BaseModel], nodes: yaml.Node) -> Iterator[tuple[bool, int, str]]:
    """Whether it is only missing, the line, from 1, and the sentence of everything that is wrong."""
    for fault in error.errors():
        *above, last = where = fault["loc"] or ("params",)
        name, value, kind = ".".join(map(str, where)), fault["input"], fault["type"]
        shown = value if len(repr(value)) <= 60 else f"{str(value)[:50]} ..."
        if kind in ("extra_forbidden", "invalid_key"):
            known = _names(model, above)
            near = _nearest(last, known)
            sentence = f"{name} is no parameter; {near or 'there is ' + ', '.join(known)}"
        elif kind == "missing":
            sentence = f"{name} is missing; take its line from the repository's params.yaml"
        elif kind in ("model_type", "model_attributes_type", "dict_type"):
            sentence = f"{name} is {shown!r}; it must be a section of {', '.join(_names(model, where))}"
        elif kind == "value_error":
            reason = fault["ctx"]["error"]
            sentence = f"{name}: {reason}" if isinstance(value, dict) else f"{name} is {shown!r}; it {reason}"
        elif kind == "literal_error":
            allowed = str(fault["ctx"]["expected"]).replace("'", "")
            near = _nearest(value, allowed.replace(" or ", ", ").split(", "))
            sentence = f"{name} is {shown!r}; {near or 'it must be ' + allowed}"
        else:
            sentence = f"{name} is {shown!r}; it {_one_line(fault['msg']).split(' should ')[-1].join(['must ', ''])}"
            if kind in ("float_type", "int_type") and isinstance(value, str) and _number(value):
                sentence += f": write {_number(value)}"
        yield kind == "missing", _line(nodes, where), sentence


def _names(model: Any, where: Iterable[Any]) -> list[str]:
    for name in where:
        model = model.model_fields[name].annotation
    return list(model.model_fields)


def _nearest(word: Any, known: list[str]) -> str:
    near = difflib.get_close_matches(str(word), known, 1)
    return f"did you mean {near[0]}?" if near else ""


def _number(text: str) -> str:
    """How YAML wants a number that it took for text, such as 1e-3; empty where it is none."""
    try:
        return f"{float(text)!r}"
    except ValueError:
        return ""


def _line(node: Any, where: Iterable[Any]) -> int:
    """The line, from 1, of a parameter, or of the section that lacks it."""
    number = node.start_mark.line
    for name in where:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(name)), None)
            if pair is None:
                break
            number, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(name, int):
            node = node.value[name]
            number = node.start_mark.line
    return int(number) + 1


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
