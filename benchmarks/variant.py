"""A run and a variant of it, side by side: what DVC's commands and ``lmf-fer compare`` print.

    python -m benchmarks.variant      # after make reproduce; trains DTAGN anew, about five minutes on two cores

Works in a copy of the project, and writes variant.md beside this file.
"""

from __future__ import annotations

from benchmarks import common, project
from stages.tables import stage

COMMANDS = {
    "git add results/table.* dvc.lock data/dvc.lock params.yaml && git commit -m 'The default run'": False,
    "dvc metrics show --md": True,
    "dvc exp run -n whole -S train.dtagn.shortest_part=1.0": False,
    "dvc metrics diff --md": True,
    "dvc exp show --md --only-changed --drop 'Created|stages|data|results|.*(sd|correct|general)'": True,
    "lmf-fer compare HEAD": True,
    "dvc plots show": True,
}
"""What is run, and whether its output is kept."""


def main() -> None:
    common.parser(__doc__).parse_args()
    with project.copied() as folder:
        printed = {command: project.run(command, folder) for command in COMMANDS}
    blocks = [f"{command}\n{printed[command]}" if kept else command for command, kept in COMMANDS.items()]
    common.save("variant", "A run and a variant of it", "\n\n".join(f"```\n{block}\n```" for block in blocks))


if __name__ == "__main__":
    stage.run(main)
