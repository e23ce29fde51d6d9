"""python -m flows.supply verify | licences | lock: what the environment is made of.

verify    every installed file against the hash in its package's RECORD
licences  every package, its version and its licence
lock      every package, its version and the SHA-256 of the files that the index offers for this machine,
          for pip install --require-hashes; asks the package index, the other two need no network
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def packages() -> list[Distribution]:
    """Everything that is installed, by name, without this project itself and what other folders show."""
    found = {d.metadata["Name"].lower(): d for d in distributions() if d.metadata["Name"] and d.files is not None}
    return [found[name] for name in sorted(found) if name != "lmf-fer"]


def hashed(package: Distribution) -> Iterator[tuple[Path, str]]:
    """The files of a package whose hash its RECORD states, and that hash, as ``sha256=...``.

    Read here, since ``package.files`` leaves out, from Python 3.12 on, what is missing.
    """
    for name, digest, *_ in csv.reader((package.read_text("RECORD") or "").splitlines()):
        if digest:
            yield Path(str(package.locate_file(name))), digest


def damage(package: Distribution) -> Iterator[str]:
    """What is wrong with a package's files: each that is missing or has another hash than its RECORD says."""
    for path, published in hashed(package):
        if not path.is_file():
            yield f"{path}: missing"
            continue
        mode, value = published.split("=", 1)
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, mode).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != value:
            yield f"{path}: changed since {package.metadata['Name']} was installed"


def verify() -> None:
    found, wrong, files = packages(), [], 0
    for package in found:
        files += len(list(hashed(package)))
        wrong += list(damage(package))
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    if wrong:
        sys.exit(f"error: {len(wrong)} of {files} files are not as published; remove .venv and run make again")
    print(f"{len(found)} packages, {files} files: all as published")


def licence(package: Distribution) -> str:
    """The licence as the package states it: the expression, else the classifiers, else the first line of the text."""
    metadata: Any = package.metadata  # an email.message.Message
    if metadata.get("License-Expression"):
        return str(metadata["License-Expression"])
    classifiers = [
        line.split(" :: ")[-1] for line in metadata.get_all("Classifier") or [] if line.startswith("License")
    ]
    stated = [line for line in classifiers if line != "OSI Approved"]
    text = str(metadata.get("License") or "").strip().splitlines()
    return ", ".join(stated) or (text[0][:60] if text else "not stated")


def licences() -> None:
    print("| package | version | licence |\n| --- | --- | --- |")
    for package in packages():
        print(f"| {package.metadata['Name']} | {package.version} | {licence(package)} |")


def lock() -> None:
    """Writes requirements.lock: what pip would install from constraints.txt here, with its hashes."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-",
               "-c", "constraints.txt", "."]  # fmt: skip
    report = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if report.returncode:
        sys.exit(f"error: pip could not say what it would install: {report.stderr.strip().splitlines()[-1]}")
    lines = []
    for item in json.loads(report.stdout)["install"]:
        archive = item["download_info"].get("archive_info")
        if archive:
            name, pin = item["metadata"]["name"], item["metadata"]["version"].split("+")[0]
            lines.append(f"{name}=={pin} --hash=sha256:{archive['hashes']['sha256']}")
    target = ROOT / "requirements.lock"
    target.write_text(
        "# python -m flows.supply lock, for this platform and index, Python "
        f"{sys.version_info[0]}.{sys.version_info[1]}:\n" + "\n".join(sorted(lines, key=str.lower)) + "\n"
    )
    print(f"{len(lines)} packages with their hashes -> {target.name}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m flows.supply", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("verify", "licences", "lock"))
    {"verify": verify, "licences": licences, "lock": lock}[parser.parse_args().command]()


if __name__ == "__main__":
    main()
