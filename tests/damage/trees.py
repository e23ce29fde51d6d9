"""CK+ trees, damaged, through ingest; also disks that are full or read-only."""

from __future__ import annotations

import contextlib
import io
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from stages.tables import parquet, schema
from stages.tables.errors import UserError
from tests.damage import frames
from tests.damage.case import ASIDE, REFUSED, ROOT, SAME, Case, replaced, sentence, snapshot
from tests.damage.frames import VICTIM

TREES = (
    Case("undamaged", lambda rng, tree: None, (SAME,)),
    Case("frame cut short", frames.truncate, (ASIDE,), 15),
    Case("frame with flipped bits", frames.flip_frame, (ASIDE, SAME), 20),
    Case("frame with a damaged header", frames.flip_header, (ASIDE, SAME), 15),
    Case("frame of no bytes", frames.written(b""), (ASIDE,), 3),
    Case("frame that is text", frames.written(b"not an image\n"), (ASIDE,), 2),
    Case("frame that is an HTML page", frames.written(b"<html><body>404</body></html>"), (ASIDE,)),
    Case("frame of 16 bits", frames.resaved("I;16"), (ASIDE,), 2),
    Case("frame of 16 bits in colour", frames.deep_colour, (ASIDE,), 2),
    Case("frame of 1 bit", frames.resaved("1"), (ASIDE,), 2),
    Case("frames in colour", frames.resaved("RGB", every=True), (SAME,), 2),
    Case("frames with alpha", frames.resaved("RGBA", every=True), (SAME,), 2),
    Case("frames with a palette", frames.resaved("P", every=True), (SAME,)),
    Case("frames with grey and alpha", frames.resaved("LA", every=True), (SAME,)),
    Case("JPEG under the name of a PNG", frames.resaved("L", "JPEG"), (ASIDE,), 2),
    Case("CMYK JPEG under the name of a PNG", frames.resaved("CMYK", "JPEG"), (ASIDE,)),
    Case("TIFF under the name of a PNG", frames.resaved("F", "TIFF"), (ASIDE,)),
    Case("GIF under the name of a PNG", frames.resaved("P", "GIF"), (ASIDE,)),
    Case("BMP under the name of a PNG", frames.resaved("L", "BMP"), (ASIDE,)),
    Case("animated frame", frames.animated, (ASIDE,), 3),
    Case("header of 2 000 000 000 px", frames.written(frames.png(2_000_000_000, 2_000_000_000)), (ASIDE,)),
    Case("header of 100 000 px", frames.written(frames.png(100_000, 100_000)), (ASIDE,)),
    Case("header of 0 px", frames.written(frames.png(0, 0)), (ASIDE,)),
    Case("header of 640 x 490, data of two lines", frames.written(frames.png(640, 490)), (ASIDE,)),
    Case("header with an impossible depth", frames.written(frames.png(640, 490, 7, 9)), (ASIDE,)),
    Case("compressed text of 100 MB", frames.written(frames.png(
        640, 490, before=frames.chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000), 9)))), (ASIDE,)),
    Case("frames of 12 000 x 12 000 px", frames.sized(12_000, 12_000), (ASIDE,)),
    Case("frames of 30 000 x 200 px", frames.sized(30_000, 200), (ASIDE,)),
    Case("frames of 1 x 1 px", frames.sized(1, 1), (ASIDE,)),
    Case("frames without a face", frames.sized(640, 490), (ASIDE,)),
    Case("frame missing in the middle", frames.numbered(lambda files: files[1].unlink()), (ASIDE,)),
    Case("two frames", frames.numbered(lambda files: [file.unlink() for file in files[2:]] and None), (ASIDE,)),
    Case("no frame", frames.numbered(lambda files: [file.unlink() for file in files] and None), (ASIDE,)),
    Case("frame number 99 999 999", frames.rename_last("99999999"), (ASIDE,)),
    Case("frame number of other digits", frames.rename_last("٠٠٠٠٠٠٠٤"), (ASIDE,)),
    Case("frame twice, .png and .PNG", frames.copy_frame("S002_001_00000001.PNG"), (ASIDE,)),
    Case("frame of another subject", frames.copy_frame("S007_001_00000005.png"), (ASIDE,)),
    Case("frame of another session", frames.copy_frame("S002_009_00000005.png"), (ASIDE,)),
    Case("frame that is a folder", replaced(Path.mkdir, frames.second), (ASIDE,)),
    Case("frame that is a pipe", replaced(os.mkfifo, frames.first), (ASIDE,)),
    Case("frame that is /dev/zero", replaced(lambda path: path.symlink_to("/dev/zero"), frames.first), (ASIDE,)),
    Case("frame that links to nothing", replaced(lambda path: path.symlink_to("nothing"), frames.second), (ASIDE,)),
    Case("frame that links to itself", replaced(lambda path: path.symlink_to(path.name), frames.second), (ASIDE,)),
    Case("frames that are links", frames.linked, (SAME,)),
    Case("folders that link to themselves", frames.looped, (SAME,)),
    Case("folder of frames that is a file", replaced(lambda path: path.write_text("x"), frames.frame_folder), (ASIDE,)),
    Case("subject with spaces", frames.renamed_subject("S 002 b"), (SAME,)),
    Case("subject in other letters", frames.renamed_subject("S002é漢字"), (SAME,)),
    Case("subject with a line break", frames.renamed_subject("S002\nb"), (SAME,)),
    Case("subject that is no UTF-8", frames.renamed_subject(b"S002\xff\xfe"), (SAME,)),
    Case("subject like an option", frames.renamed_subject("--help"), (SAME,)),
    Case("label of random characters", frames.random_label, (ASIDE, SAME), 20),
    *(Case(f"label {text!r}", frames.labelled(text), (ASIDE,)) for text in (
        b"", b" ", b"0", b"   0.0000000e+00\r\n", b"8", b"-1", b"1.5", b"nan", b"inf", b"1e400", b"sad", b"5 5", b"5,0",
        b"\xff\xfe5\0", b"\0", b"5" * 10_000_000)),
    Case("label with CRLF", lambda rng, tree: frames.label_file(tree).write_bytes(
        frames.label_file(tree).read_bytes().strip() + b"\r\n") and None, (SAME,)),
    Case("label twice, alike", frames.second_label("00000001", None), (SAME,)),
    Case("label twice, contradictory", frames.second_label("00000001", "1\n"), (ASIDE, SAME)),
    Case("label of another subject", lambda rng, tree: frames.label_file(tree).rename(
        frames.label_file(tree).with_name("S001_001_00000004_emotion.txt")) and None, (ASIDE,)),
    Case("label that is a folder", replaced(Path.mkdir, frames.label_file), (ASIDE,)),
    Case("label that is a pipe", replaced(os.mkfifo, frames.label_file), (ASIDE,)),
    Case("label that is missing", lambda rng, tree: frames.label_file(tree).unlink(), (ASIDE,)),
    Case("clutter of file managers", frames.clutter, (SAME,), 8),
    Case("clock in 1970", frames.clock(0), (SAME,)),
    Case("clock in 2106", frames.clock(2**32), (SAME,)),
    Case("no labels", lambda rng, tree: shutil.rmtree(tree / "Emotion"), (REFUSED,)),
    Case("no frames", lambda rng, tree: shutil.rmtree(tree / "cohn-kanade-images"), (REFUSED,)),
    Case("no tree", lambda rng, tree: shutil.rmtree(tree), (REFUSED,)),
    Case("tree that is a file", replaced(lambda path: path.write_text("x"), lambda tree: tree), (REFUSED,)),
    Case("disk full at the first byte", lambda rng, tree: 0, (REFUSED,)),
    Case("disk full at 100 kB", lambda rng, tree: 100_000, (REFUSED,)),
    Case("disk full at 300 kB", lambda rng, tree: 300_000, (REFUSED,)),
    Case("disk of 100 kB", lambda rng, tree: None, (REFUSED,), mount="mount -t tmpfs -o size=100k none data/interim"),
    Case("disk without a byte", lambda rng, tree: None, (REFUSED,), mount=(
        "mount -t tmpfs -o size=4k none data/interim && head -c 4k /dev/zero > data/interim/full")),
    Case("output on a read-only disk", lambda rng, tree: None, (REFUSED,), mount=(
        "mount --bind data data && mount -o remount,bind,ro data")),
    Case("everything on a read-only disk", lambda rng, tree: None, (REFUSED,), mount=(
        "mount --bind . . && mount -o remount,bind,ro . && cd .")),
    Case("output folder that is a file", lambda rng, tree: "file", (REFUSED,)),
    Case("output that is a folder", lambda rng, tree: "folder", (REFUSED,)),
)  # fmt: skip

OUTPUTS = {
    "sequences": schema.SEQUENCES,
    "frames": schema.FRAMES,
    "rejected_ingest": schema.REJECTED,
}


def _outputs(work: Path) -> dict[str, pd.DataFrame]:
    return {name: parquet.read(work / f"data/interim/{name}.parquet", table) for name, table in OUTPUTS.items()}


def _mounted(mount: str, work: Path) -> str | None:
    """Runs ingest in ``work`` with something mounted, which only that process sees; returns what went wrong, if any."""
    run = f"{mount} && cd {work} && {{ {sys.executable} -m stages.ingest; echo status $?; find data; }}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", run], cwd=work, capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    errors = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("ingest:")]  # progress
    if "Traceback" in done.stderr:
        return f"traceback: {done.stderr[-500:]}"
    if "status 1" not in done.stdout or len(errors) != 1 or not errors[0].startswith("error: "):
        return f"wrong: {done.stdout} {done.stderr}"
    return "lost: something half-written is left" if ".tmp" in done.stdout else None


def mountable() -> bool:
    """Whether this machine lets a process mount something that only itself sees."""
    tool = shutil.which("unshare")
    return tool is not None and not subprocess.run([tool, "-rm", "true"], capture_output=True).returncode


@dataclass
class Trees:
    """Runs ingest on damaged copies of a small tree."""

    base: Path
    scratch: Path

    def __post_init__(self) -> None:
        import stages.ingest.__main__ as ingest

        self.ingest = ingest.main
        values = yaml.safe_load((ROOT / "params.yaml").read_text())
        values["dataset"] = {"name": "ckplus", "root": "ck"}
        values["machine"] |= {"workers": 1, "scheduler": None}
        self.params = yaml.safe_dump(values)
        work = self._work()
        with contextlib.chdir(work), contextlib.redirect_stdout(io.StringIO()):
            self.ingest()
        self.tables = _outputs(work)
        self.before = {file.name: file.read_bytes() for file in (work / "data/interim").iterdir()}
        assert len(self.tables["sequences"]) == 3, "the undamaged tree has three usable sequences"

    def _work(self) -> Path:
        shutil.rmtree(self.scratch, ignore_errors=True)
        shutil.copytree(self.base, self.scratch / "ck", symlinks=True)
        (self.scratch / "params.yaml").write_text(self.params)
        return self.scratch

    def __call__(self, case: Case, rng: random.Random) -> str | None:
        work = self._work()
        interim = work / "data/interim"
        interim.mkdir(parents=True)
        for name, content in self.before.items():
            (interim / name).write_bytes(content)
        limit = case.spoil(rng, work / "ck")
        if limit == "file":
            shutil.rmtree(work / "data")
            (work / "data").write_text("x")
        elif limit == "folder":
            (interim / "frames.parquet").unlink()
            (interim / "frames.parquet").mkdir()
        everything = snapshot(work)
        if case.mount:
            outcome = _mounted(case.mount, work)
            return outcome if snapshot(work) == everything else "lost: a refused run changed files"
        old = resource.getrlimit(resource.RLIMIT_FSIZE)
        try:
            with contextlib.chdir(work):
                if type(limit) is int:
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
                self.ingest()
        except UserError as why:
            sentence(why)
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
            if snapshot(work) != everything:
                return "lost: a refused run changed files"
            return None if REFUSED in case.allowed else f"wrong: refused: {why}"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        after = snapshot(work)
        kept = {name: content for name, content in after.items() if "interim" not in name}
        if kept != {name: content for name, content in everything.items() if "interim" not in name}:
            return "lost: the input changed"
        if {file.name for file in interim.iterdir()} != self.before.keys():
            return "lost: something half-written is left"
        return self._compare(_outputs(work), case)

    def _compare(self, tables: dict[str, pd.DataFrame], case: Case) -> str | None:
        names = set(tables["sequences"]["sequence"])
        subject = VICTIM.split("/")[0]
        others = {name for name in self.tables["sequences"]["sequence"] if not name.startswith(subject)}
        if not others <= names:
            return "wrong: another sequence is gone"
        extra = names - others
        outcome = ASIDE if not extra else SAME
        if len(extra) > 1 or outcome not in case.allowed:
            return f"wrong: {outcome}"
        renamed = dict.fromkeys(extra, VICTIM)
        for name, columns in (("sequences", ["subject", "session", "fold", "sequence"]), ("frames", ["sequence"])):
            key = tables[name]["sequence"].replace(renamed)
            now = tables[name].drop(columns=columns).assign(key=key).sort_values("key", kind="stable")
            base = self.tables[name]
            wanted = base[base["sequence"].isin(set(key))]
            wanted = wanted.drop(columns=columns).assign(key=wanted["sequence"]).sort_values("key", kind="stable")
            if not now.reset_index(drop=True).equals(wanted.reset_index(drop=True)):
                return f"wrong: {name} differs"
        reasons = tables["rejected_ingest"]
        if outcome == ASIDE and case.name != "folder of frames that is a file" and len(reasons) != 1:
            return f"wrong: {len(reasons)} reasons for one damaged sequence"
        return None
