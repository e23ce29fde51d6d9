"""The run in this folder against the recorded one, which is what git has of dvc.lock.

The files themselves are hashed, so that a change behind DVC's back is seen too. MACHINES grows by a row for each output
of each kind of processor on which a run was recorded: where processors round differently, it says which agree.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import networkx as nx
import pandas as pd
import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo

from flows.graph import LOCK_FILES
from stages.tables import files, params, pipeline
from stages.tables.errors import UserError

MACHINES = Path("results/machines.csv")
COLUMNS = ["settings", "processor", "stage", "output", "md5"]
VECTORS = ("avx512f", "avx2", "avx")
Locks = dict[str, dict[str, Any]]
"""What DVC noted of each stage by its address: cmd, deps, params and outs."""


def text(stages: nx.DiGraph, revision: str = "HEAD") -> str:
    """How this folder's run compares with the one recorded in ``revision``: a line, and one for each first difference.

    ``stages`` are those of ``pipeline.graph``. Raises UserError when DVC cannot read its files.
    """
    names = pipeline.order(stages)
    then, now = _locks(revision), _locks()
    if not any(name in then for name in names):
        return f"Nothing to compare with: git has no recorded run in {revision} (dvc.lock)."
    if changed := _other_params(then, now, names):
        return f"Not compared with the recorded run, which has other parameters: {'; '.join(changed)}."
    hashes = _hashes(names)
    different = {
        name: wrong
        for name in names
        if (wrong := [out for out, md5 in _outs(then.get(name)).items() if hashes[name].get(out) != md5])
        or name not in then
    }
    first = [name for name in different if not nx.ancestors(stages, name) & different.keys()]
    here, known = processor(), machines()
    lines = [f"{len(names) - len(different)} of {len(names)} stages as recorded"]
    if different:
        lines[0] += f"; first to differ: {', '.join(first)} (processor: {here})"
        lines += [_reason(name, different[name], then.get(name), now.get(name), hashes[name], known) for name in first]
        if after := [name for name in different if name not in first]:
            lines.append(f"after them differ too: {', '.join(after)}")
    return ".\n".join(lines) + "."


def _reason(
    name: str, wrong: list[str], then: Any, now: Any, hashes: dict[str, str | None], known: pd.DataFrame
) -> str:
    """A line on a stage whose inputs are as recorded and whose outputs are not."""
    if then is None:
        return f"{name}: is not in the recorded run"
    line = f"{name}: {', '.join(out if hashes.get(out) else f'{out} (missing)' for out in wrong)}"
    old, new = (_inputs(entry) for entry in (then, now))
    if code := [path for path in dict.fromkeys([*old, *new]) if old.get(path) != new.get(path)]:
        return f"{line}; since the record changed: {', '.join(code)}"
    alike = known[known["stage"].eq(name) & known["md5"].isin([hashes.get(out) for out in wrong])]
    if len(alike):
        line += f"; the same bytes as on {', '.join(sorted(set(alike['processor'])))}"
    return line


def record() -> str:
    """Adds the hash of every output of this folder's run, with its processor, to MACHINES; says how to keep the run.

    Raises UserError, and writes nothing, when a stage is not up to date.
    """
    stages = pipeline.graph()
    names = pipeline.order(stages)
    with Repo() as repo, repo.lock:
        stale = [stage.addressing for stage in repo.index.stages if stage.addressing in stages and stage.changed()]
    if stale:
        raise UserError(f"{', '.join(sorted(stale))}: not up to date; run lmf-fer reproduce, then record it")
    now, hashes, here = _locks(), _hashes(names), processor()
    key = settings(now, names)
    rows = [(key, here, name, out, md5) for name in names for out, md5 in hashes[name].items()]
    known = machines()
    known = known[~(known["settings"].eq(key) & known["processor"].eq(here))]
    whole = pd.concat([known, pd.DataFrame(rows, columns=COLUMNS)])
    files.write(MACHINES, whole.to_csv(index=False))
    locks = " ".join(str(path) for path in LOCK_FILES if path.is_file())
    return (f"{len(rows)} outputs of {len(names)} stages on {here} -> {MACHINES}\n"
            f"Keep the run: git add {locks} params.yaml results/table.* {MACHINES} && git commit")  # fmt: skip


def machines() -> pd.DataFrame:
    """The rows of MACHINES, none where there is no such file. Raises UserError for a file with other columns."""
    if not MACHINES.is_file():
        return pd.DataFrame(columns=COLUMNS, dtype=str)
    try:
        rows = pd.read_csv(MACHINES, dtype=str)
    except ValueError as error:
        raise UserError(f"{MACHINES}: is damaged ({error}); restore it: git checkout {MACHINES}") from None
    if list(rows.columns) != COLUMNS:
        raise UserError(f"{MACHINES}: its columns are not {', '.join(COLUMNS)}; restore it: git checkout {MACHINES}")
    return rows


def settings(locks: Locks, names: Iterable[str]) -> str:
    """Eight digits that are the same for runs of the same code on the same parameters."""
    facts = {name: [locks[name]["cmd"], locks[name].get("params"), _inputs(locks[name])] for name in names}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]


def processor(information: Path = Path("/proc/cpuinfo")) -> str:
    """The kind of processor: name, family, model and the widest of VECTORS; "unknown" where Linux does not say."""
    if not information.is_file():
        return "unknown"
    pairs = (line.partition(":") for line in information.read_text(encoding="utf-8").split("\n\n")[0].splitlines())
    facts = {key.strip(): value.strip() for key, _, value in pairs}
    widest = next((name for name in VECTORS if name in facts.get("flags", "").split()), "")
    parts = [facts.get("model name", "unknown"), f"family {facts.get('cpu family')} model {facts.get('model')}", widest]
    return " ".join(filter(None, parts))


def _locks(revision: str | None = None) -> Locks:
    """What DVC noted of each stage: in the lock files of this folder, or in those that git has in ``revision``."""
    noted: Locks = {}
    for path in LOCK_FILES:
        if revision is None:
            content = path.read_text(encoding="utf-8") if path.is_file() else ""
        else:  # no such file, revision or repository: nothing is recorded
            content = subprocess.run(
                ["git", "show", f"{revision}:./{path}"], capture_output=True, encoding="utf-8"
            ).stdout
        try:
            entries = (yaml.load(content, yaml.CSafeLoader) or {}).get("stages", {})
        except (yaml.YAMLError, AttributeError) as error:
            raise UserError(f"{path}{f' in {revision}' if revision else ''}: is damaged ({error})") from None
        above = "" if path.parent == Path() else f"{path.with_name('dvc.yaml')}:"
        noted |= {f"{above}{name}": entry for name, entry in entries.items()}
    return noted


def _hashes(names: Iterable[str]) -> dict[str, dict[str, str | None]]:
    """The MD5 of each stage's output files as they are now, None for one that is missing."""
    wanted = set(names)
    try:
        with Repo() as repo, repo.lock:
            return {
                stage.addressing: {out.def_path: out.get_hash().value if out.exists else None for out in stage.outs}
                for stage in repo.index.stages
                if stage.addressing in wanted
            }
    except DvcException as error:
        raise UserError(f"the outputs cannot be read ({error}); run lmf-fer reproduce") from None


def _outs(entry: dict[str, Any] | None) -> dict[str, str]:
    return {out["path"]: out["md5"] for out in (entry or {}).get("outs", [])}


def _inputs(entry: dict[str, Any] | None) -> dict[str, str]:
    """The hashes of the code that a stage runs."""
    deps = (entry or {}).get("deps", [])
    return {dep["path"]: dep.get("md5", "") for dep in deps if dep["path"].startswith("stages/")}


def _other_params(then: Locks, now: Locks, names: list[str]) -> list[str]:
    """The parameters in which the runs differ: ``train.seed: 2018, recorded 2017``."""

    def values(locks: Locks) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in names:
            found |= params.flat(locks.get(name, {}).get("params", {}).get(params.PARAMS.name, {}))
        return found

    old, new = values(then), values(now)
    return [f"{key}: {new.get(key, 'none')}, recorded {old.get(key, 'none')}" for key in dict.fromkeys([*old, *new])
            if old.get(key) != new.get(key)]  # fmt: skip
