"""What the environment is made of: its check against what was published, its licences, and its lock file.

Only ``lock`` asks the network.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from stages.tables import files
from stages.tables.errors import UserError

ROOT = Path(__file__).parents[1]
HASHES = ROOT / "hashes.txt"


def packages() -> list[Distribution]:
    """Everything that is installed, by name, without this project itself and what other folders show."""
    by_name = {d.metadata["Name"].lower(): d for d in distributions() if d.metadata["Name"] and d.files is not None}
    return [by_name[name] for name in sorted(by_name) if name != "lmf-fer"]


def plain(name: str) -> str:
    """A package's name as the package index compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


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


def published() -> dict[str, set[str]]:
    """The SHA-256 of every published file, by the package's name and version as in hashes.txt: ``numpy==2.4.0``."""
    digests: dict[str, set[str]] = {}
    lines = HASHES.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    for pin, *hashes in (line.split() for line in lines if line and not line.startswith(("#", " "))):
        digests.setdefault(pin, set()).update(word[14:] for word in hashes if word.startswith("--hash=sha256:"))
    return digests


def installed(folder: Path) -> dict[str, str]:
    """The SHA-256 of every archive that ``make`` let pip install, by name and version, from pip's own reports."""
    latest = {}
    for report in sorted(folder.glob("installed-*.json")):
        for item in json.loads(report.read_text(encoding="utf-8"))["install"]:
            if digest := item["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256"):
                name = plain(item["metadata"]["name"])
                latest[name] = item["metadata"]["version"], digest
    return {f"{name}=={version}": digest for name, (version, digest) in latest.items()}


def archives(folder: Path) -> Iterator[tuple[bool, str]]:
    """What there is to say of the archives that pip installed, by its reports in ``folder``, and whether it is bad."""
    known, digests = published(), installed(folder)
    if not digests:
        yield False, "of the archives nothing is known: make notes them when it sets up an environment"
        return
    good = 0
    for pin, digest in digests.items():
        if "+" in pin:  # built for another index, such as PyTorch's: its hashes are not on the package index
            yield False, f"{pin}: from another index, so hashes.txt cannot know it; its SHA-256 is {digest}"
        elif pin not in known:
            yield True, f"{pin}: hashes.txt does not list it"
        elif digest not in known[pin]:
            yield True, f"{pin}: its archive (SHA-256 {digest}) is not among those that were published"
        else:
            good += 1
    yield False, f"{good} of {len(digests)} archives are those of hashes.txt"


def verify() -> None:
    """Checks every archive that pip installed, and every installed file. Raises UserError when one is not as published.

    Archives are compared with hashes.txt, files with their package's RECORD.
    """
    wrong, everything, files_checked = [], packages(), 0
    for fault, line in archives(Path(sys.prefix)):
        if fault:
            wrong.append(line)
        else:
            print(line)
    for package in everything:
        files_checked += len(list(hashed(package)))
        wrong += list(damage(package))
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    if wrong:
        raise UserError(f"{len(wrong)} of {files_checked} files and archives are not as published; remove .venv and run"
                        " make again")  # fmt: skip
    print(f"{len(everything)} packages, {files_checked} files: all as published")


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
    """Prints the table of all packages with their licences."""
    print("| package | version | licence |\n| --- | --- | --- |")
    for package in packages():
        print(f"| {package.metadata['Name']} | {package.version} | {licence(package)} |")


def lock() -> None:
    """Writes hashes.txt: every package on every platform at its pinned version, and the hash of each file of it.

    Raises UserError without uv, or when uv cannot resolve the packages.
    """
    tool = shutil.which("uv")
    if tool is None:
        raise UserError("lock needs uv: pip install uv")
    compile = [tool, "pip", "compile", "--universal", "--generate-hashes", "--no-header", "--no-annotate", "--quiet",
               "--python-version", "3.11"]  # fmt: skip
    text = "# lmf-fer lock: every package, for all platforms, and the hash of each file published of it.\n"
    for what in (
        ["--extra", "dev", "-c", "constraints.txt", "pyproject.toml"],
        ["--no-deps", "assets.txt", "rife.txt"],
    ):
        done = subprocess.run([*compile, *what], cwd=ROOT, capture_output=True, encoding="utf-8")
        if done.returncode:
            raise UserError(f"uv could not resolve the packages: {' '.join(done.stderr.split())[:500]}")
        text += done.stdout
    files.write(HASHES, text)
    print(f"{len(published())} packages with the hashes of their files -> {HASHES.name}")
