"""What the flows ask DVC: whether its files are whole, and whether a stage would run."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
from dvc.config import Config
from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo, lock_repo
from dvc.scm import SCM, SCMError

from stages.tables import pipeline
from stages.tables.errors import UserError

LOCK_FILES = (Path("dvc.lock"), Path("data/dvc.lock"), Path("networks/dvc.lock"))


@contextlib.contextmanager
def _in_a_sentence() -> Iterator[None]:
    """Raises UserError for what DVC raises where it cannot work."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        named = [name for name in os.environ if name.startswith("DVC_") and name.endswith(("_DIR", "_ROOT"))]
        advice = f"unset {', '.join(named)}" if named else "free some space or change its permissions"
        file = getattr(error, "filename", None) or "its files"
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UserError(f"DVC cannot write {file} ({reason}); {advice}") from None
    except DvcException as error:
        raise UserError(f"DVC cannot work here ({error}); run in a copy of the whole repository") from None


def usable() -> None:
    """Raises UserError when DVC cannot work here."""
    with _in_a_sentence():
        without_git()
        Repo().close()


def mend() -> list[Path]:
    """Removes files that a DVC which was killed left half-written, and which it could not read again.

    Without dvc.lock, DVC takes what it has from its run cache, so nothing runs again that ran to its end. In a folder
    without git, such as an unpacked archive, DVC is told so. Raises UserError when DVC cannot work here.
    """
    removed = []
    with _in_a_sentence():
        without_git()
        with contextlib.suppress(LockError), Repo() as repo, repo.lock:  # held by another process: it is being written
            for path in LOCK_FILES:
                try:
                    Lockfile(repo, str(path)).load()
                except DvcException:
                    removed.append(path)
            waiting = Path(repo.tmp_dir or "", "rwlock")
            try:
                json.loads(waiting.read_text(encoding="utf-8") if waiting.is_file() else "{}")
            except ValueError:
                removed.append(waiting)
            for path in removed:
                path.unlink()
    return removed


def without_git() -> bool:
    """Whether this folder is no git repository; then DVC's settings say so, without which it would refuse to work."""
    settings = Config.from_cwd()
    try:
        SCM(Repo.find_root()).close()
        missing = False
    except SCMError:
        missing = True
    if missing != settings["core"].get("no_scm", False):
        with settings.edit("local") as config:
            config["core"] = config.get("core", {}) | {"no_scm": missing}
    return missing


def up_to_date() -> tuple[nx.DiGraph, set[str]]:
    """``pipeline.graph``, and the stages of which neither they nor any before them would run.

    One look at all stages costs as much as at one. None are up to date when DVC cannot say now. Raises UserError when
    it cannot work here.
    """
    with _in_a_sentence(), contextlib.suppress(DvcException, SCMError), Repo() as repo, lock_repo(repo):
        after = repo.index.graph  # edges point from a stage to what it depends on
        changed = {stage for stage in after if stage.changed()}
        changed |= {above for stage in changed for above in nx.ancestors(after, stage)}
        return pipeline.graph(repo), {stage.addressing for stage in after if stage not in changed}
    return pipeline.graph(), set()
