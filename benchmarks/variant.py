"""A run and a variant of it, side by side: what the commands of the README's section about variants print.

    python -m benchmarks.variant      # after make reproduce; trains DTAGN anew, about five minutes on two cores

Works in a copy of the project in a temporary folder that uses this folder's DVC cache, so that no result here changes;
writes variant.md beside this file and renews the same blocks of README.md.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[1]
LATER = ("dvc.lock", "data/dvc.lock")
"""Made by the run; git may not know them yet."""
SILENT = (
    "git add results/table.* dvc.lock data/dvc.lock params.yaml && git commit -m 'The default run'",
    "dvc exp run -n whole -S train.dtagn.part=1.0",
)
"""Commands of which no words are kept."""
COMMANDS = (
    SILENT[0],
    "dvc metrics show --md",
    SILENT[1],
    "dvc metrics diff --md",
    "dvc exp show --md --only-changed --drop 'Created|stages|data|results|.*(sd|correct|general)'",
    "python -m flows.compare HEAD",
    "dvc plots show",
)
BLOCK = "```\n{}\n```\n"


def run(command: str, folder: Path) -> str:
    """What a command prints on stdout; ends with its words where it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {"PATH": path, "DVC_NO_ANALYTICS": "1", "COLUMNS": "200", "PYTHONPATH": str(folder)}
    print(command, file=sys.stderr, flush=True)
    done = subprocess.run(command, shell=True, cwd=folder, stdout=subprocess.PIPE, text=True,
                          env=dict(os.environ) | settings)  # fmt: skip
    if done.returncode:
        sys.exit(f"error: {command}: failed; {done.stdout.strip()[-500:]}")
    return done.stdout.strip().replace(str(folder), "...")


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the project with all that its last run wrote, a repository of its own that uses this folder's cache."""
    if not all((ROOT / name).is_file() for name in LATER):
        sys.exit("error: dvc.lock: not found; run make reproduce first")
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".dvc/tmp") as parent:  # one file system with the cache: hard links
        folder = Path(parent) / "copy"
        for name in {*listed.stdout.splitlines(), *LATER}:
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        for command in (
            "git init -q -b main && git config user.name lmf-fer && git config user.email lmf-fer@localhost",
            f"dvc config --local cache.dir {ROOT / '.dvc/cache'} && dvc config --local cache.type hardlink,copy",
            "git add -A && git reset -q dvc.lock data/dvc.lock results/table.* && git commit -qm 'The project'",
            "dvc checkout",
        ):
            run(command, folder)
        yield folder


def main() -> None:
    with copied() as folder:
        said = {command: run(command, folder) for command in COMMANDS}
    blocks = {command: BLOCK.format(command if command in SILENT else f"{command}\n{words}")
              for command, words in said.items()}  # fmt: skip
    (HERE / "variant.md").write_text("# A run and a variant of it\n\n" + "\n".join(blocks.values()))
    readme = (ROOT / "README.md").read_text()
    for command, block in blocks.items():
        old = re.compile(f"^```\n{re.escape(command)}\n.*?^```\n", re.MULTILINE | re.DOTALL)
        readme = old.sub(lambda _, block=block: block, readme)
    (ROOT / "README.md").write_text(readme)
    print("\n".join(blocks.values()))


if __name__ == "__main__":
    main()
