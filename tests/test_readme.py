"""The README and docs/: each command, example, parameter, file and link that they show is there and works."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from flows import parameters
from stages.tables import params
from tests.checkout import Checkout
from tests.conftest import ROOT, merged
from tests.test_results import HELP

README = ROOT / "README.md"
PAGES = [README, *sorted(ROOT.glob("docs/*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOOLS = re.compile(r"(make|dvc|git|python|prefect|source|pip|lmf-fer) .|make$")
SEQUENCE = "data/raw/simulated/cohn-kanade-images/S001/001"

AS_SHOWN = [
    "make",
    "source .venv/bin/activate",
    "dvc repro",
    "dvc repro landmark",
    "dvc repro featurize",
    "dvc status",
    "dvc metrics show --md",
    "dvc metrics diff --md",
    "dvc exp show --md --only-changed --drop 'Created|stages|data|results|.*(sd|correct|general)'",
    "dvc plots show",
    "dvc remote add --help",
    "python -m stages.landmark",
    "git add results/table.* dvc.lock data/dvc.lock params.yaml",
    "git add --force dvc.lock .dvc/config",
    "lmf-fer --help",
    "lmf-fer check",
    "lmf-fer licences",
    "lmf-fer compare HEAD",
    "lmf-fer recorded",
    f"lmf-fer predict {SEQUENCE} --video --strip",
    "export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu",
    "export PREFECT_API_URL=http://127.0.0.1:4200/api",
]
INSTEAD = {
    "make reproduce": ("make -n -o .venv/.ready reproduce", "test_flows runs the flow; an environment takes minutes"),
    "make test": ("make -n -o .venv/.ready test", "this is it"),
    "make test-all": ("make -n -o .venv/.ready test-all", "this is it"),
    "make doctor": ("lmf-fer doctor", "make would make an environment first"),
    "make verify": ("make -n -o .venv/.ready verify", "reads gigabytes; test_environment does it on one package"),
    "make ui": ("make -n -o .venv/.ready ui", "stays; test_flows opens the page"),
    "make ui PORT=4300": ("make -n -o .venv/.ready ui PORT=4300", "stays"),
    f"make predict CLIPS={SEQUENCE}": (f"lmf-fer predict {SEQUENCE}", "make would make an environment first"),
    "make predict CLIPS='my-clips holiday.mp4'": (
        "make -n -o .venv/.ready predict CLIPS='my-clips holiday.mp4'", "nobody has these clips"),
    "make PYTHON=python3.11": ("make", "make alone lists the targets"),
    "cd lmf-fer": ("true", "a clone is what the reader has"),
    "git clone <this repository> lmf-fer": ("git --version", "a clone is what the reader has"),
    "git clone <your repository> lmf-fer": ("git --version", "test_many_machines clones"),
    "git commit -m 'The default run'": ("git commit --allow-empty -m 'A run'", "it is committed already"),
    "git commit -m 'Features of this run'": ("git commit --allow-empty -m 'A run'", "it is committed already"),
    "git checkout dvc.lock data/dvc.lock": ("git --version", "the small run's are not committed"),
    "git push": ("git --version", "there is no remote"),
    "git pull": ("git --version", "there is no remote"),
    "lmf-fer --install-completion": ("lmf-fer --help", "writes into the user's shell settings"),
    "lmf-fer record": ("lmf-fer record --help", "test_record runs it"),
    "lmf-fer reproduce": ("lmf-fer reproduce --help", "test_flows runs it"),
    "lmf-fer reproduce --workers 2": ("lmf-fer reproduce --help", "test_flows runs it"),
    "lmf-fer reproduce -S train.seed=2018": ("lmf-fer reproduce --help", "test_flows runs it"),
    "python -m lmf_fer.spot.head": ("true", "writes into the code; test_spot holds its file"),
    "lmf-fer spot holiday.mp4 my-films/": ("lmf-fer spot --help", "test_spot runs it"),
    "lmf-fer loso casme2 /path/to/CASME2": ("lmf-fer loso --help", "test_micro_data_sets runs all but the flow"),
    "lmf-fer loso megc2019 /path/to/the/three": ("lmf-fer loso --help", "as above, and its stages"),
    "lmf-fer transfer": ("lmf-fer transfer --help", "needs a data set"),
    "lmf-fer transfer /path/to/SMIC --dataset smic": ("lmf-fer transfer --help", "test_transfer runs it"),
    "lmf-fer transfer tracks.parquet --networks shipped --fine-tune": (
        "lmf-fer transfer --help", "test_transfer runs it"),
    "lmf-fer transfer /path/to/CK+": ("lmf-fer transfer --help", "test_transfer runs it"),
    "lmf-fer lock": ("lmf-fer lock --help", "asks the package index"),
    "lmf-fer fold train-lmf@{0..9} train-dtagn@{0..9}": ("lmf-fer fold --help", "test_many_machines runs it"),
    "prefect worker start --pool folds --type process --limit 1": (
        "prefect worker start --help", "stays; test_many_machines runs it"),
    "ssh -fNL 4200:127.0.0.1:4200 first-machine": ("true", "there is no other machine"),
    "python -m benchmarks.processors qemu-x86_64 -cpu Haswell": (
        "python -m benchmarks.processors --help", "takes a quarter of an hour, and an emulator"),
    "python -m dask scheduler": ("python -m dask scheduler --help", "stays; test_cluster has a cluster"),
    "python -m dask worker tcp://10.0.0.1:8786 --nthreads 1 --nworkers 16 --preload stages": (
        "python -m dask worker --help", "there is no such scheduler"),
    "dvc exp run -n whole -S train.dtagn.shortest_part=1.0": (
        "dvc exp run -n whole -S evaluate.micro_share=0.25 evaluate", "trains; test_pipeline changes such parameters"),
    "dvc exp run -S train.profile=paper": (
        "dvc repro --dry", "hours on a CPU; test_train has an epoch of each, among the slow tests"),
    "dvc remote add --default shared /mnt/shared/lmf-fer": ("dvc remote add --help", "test_many_machines runs it"),
    "dvc push --run-cache": ("dvc push --help", "test_many_machines runs it"),
    "dvc pull --run-cache featurize": ("dvc pull --help", "test_many_machines runs it"),
    "dvc fetch --run-cache": ("dvc fetch --help", "test_many_machines runs it"),
    "dvc repro --pull": ("dvc repro --dry", "test_many_machines runs it"),
    "dvc config cache.type reflink,hardlink,copy": ("dvc config --help", "would link what later commands write"),
    "dvc repro --single-item train-lmf@3 train-dtagn@3": (
        "dvc repro --single-item train-lmf@1 train-dtagn@1", "a small run has two folds"),
    "pip install -c constraints.txt -e '.[dask]'": ("pip install --help", "installs"),
    "pip install --require-hashes -r hashes.txt": ("pip install --help", "installs"),
    "python -m benchmarks.action_units UNITS.json": (
        "python -m benchmarks.action_units --help", "the reference is no part of the project"),
    "python -m benchmarks.actors": ("python -m benchmarks.actors --help", "minutes"),
    "python -m benchmarks.landmark_errors": ("python -m benchmarks.landmark_errors --help", "needs a run"),
    "python -m benchmarks.interpolation": ("python -m benchmarks.interpolation --help", "minutes"),
    "python -m benchmarks.landmarks": ("python -m benchmarks.landmarks --help", "minutes"),
    "python -m benchmarks.methods dlib-flow ckplus aam aam-flow": ("python -m benchmarks.methods --help", "minutes"),
    "python -m benchmarks.results": ("python -m benchmarks.results --help", "test_results holds its page"),
    "python -m benchmarks.scale": ("python -m benchmarks.scale --help", "minutes"),
    "python -m benchmarks.scale --sizes 1 10 100": ("python -m benchmarks.scale --help", "minutes"),
    "python -m benchmarks.seeds 2017 2018 2019": ("python -m benchmarks.seeds --help", "minutes"),
    "python -m benchmarks.spotting": ("python -m benchmarks.spotting --help", "minutes"),
    "python -m benchmarks.spotting_cost": ("python -m benchmarks.spotting_cost --help", "minutes"),
    "python -m benchmarks.spotting_rendered": ("python -m benchmarks.spotting_rendered --help", "minutes"),
    "python -m benchmarks.spotting_rendered --scenes": ("python -m benchmarks.spotting_rendered --help", "minutes"),
    "python -m benchmarks.spotting --videos CASME2_LONG": (
        "python -m benchmarks.spotting --help", "the data set is no part of the project"),
    "python -m benchmarks.training": ("python -m benchmarks.training --help", "minutes"),
    "podman build --tag lmf-fer .": ("true", "needs a container engine; test_container reads the file"),
    "podman run --name lmf-fer --volume lmf-fer-cache:/home/researcher/lmf-fer/.dvc/cache lmf-fer": (
        "true", "likewise"),
    "podman cp lmf-fer:/home/researcher/lmf-fer/results results": ("true", "likewise"),
    "podman run --rm lmf-fer make test": ("true", "likewise"),
    "python -m benchmarks.variant": ("python -m benchmarks.variant --help", "minutes"),
}  # fmt: skip
"""What is run instead of a command that takes long or needs what a test does not have, and why."""
RUN = list(dict.fromkeys([*AS_SHOWN, *(line for line, _ in INSTEAD.values())]))


def blocks(language: str, page: Path) -> list[str]:
    """The code blocks of one language on a page."""
    return [code for name, code in BLOCK.findall(page.read_text()) if name == language]


def shell(page: Path) -> list[tuple[str, str]]:
    """The lines of a page's shell blocks: the command and the comment behind it."""
    lines = [line for block in blocks("bash", page) for line in block.splitlines() if line]
    return [(command.strip(), comment) for command, _, comment in (line.partition("  #") for line in lines)]


def quoted(page: Path) -> list[str]:
    """What stands between backticks in a page's sentences and in the comments of its shell blocks."""
    text = "\n".join([BLOCK.sub("", page.read_text()), *(comment for _, comment in shell(page))])
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text)]


def commands() -> set[str]:
    """Every command that a page shows, with plain quotes; those joined by && one by one."""
    lines = [command for page in PAGES for command, _ in shell(page)]
    lines += [code for page in PAGES for code in quoted(page) if TOOLS.match(code)]
    return {part.strip().replace('"', "'") for line in lines for part in line.split(" && ")}


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.fixture(scope="module")
def checkout(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    copy = Checkout.copy(finished, tmp_path_factory.mktemp("readme") / "checkout")
    copy.commit()
    (copy.folder / ".venv/bin").mkdir(parents=True)
    (copy.folder / ".venv/bin/activate").touch()  # make makes it
    return copy


def test_the_readme_is_two_screens_with_pictures() -> None:
    text = README.read_text()
    assert len(text) <= 9000
    assert len(set(re.findall(r'src="(docs/images/[^"]+\.png)"', text))) >= 2
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = [name.rpartition(" ")[2] for name in project["classifiers"]]
    assert project["requires-python"] == f">={versions[0]}"
    assert f"Python {versions[0]} to {versions[-1]}," in text


def test_every_command_is_known_here() -> None:
    known = {*AS_SHOWN, *INSTEAD}
    assert sorted(commands() - known) == [], "shown on a page, and not in this list"
    assert sorted(known - commands()) == [], "in this list, and on no page"


@pytest.mark.parametrize("line", [line for line in RUN if line not in HELP])  # test_results runs these
def test_the_command_runs(checkout: Checkout, line: str) -> None:
    done = checkout.shell(line)
    assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr


def test_the_python_examples_run(checkout: Checkout) -> None:
    before = f"""
import cv2, numpy as np, pathlib
frames = np.stack([cv2.imread(str(file)) for file in sorted(pathlib.Path("{SEQUENCE}").glob("*.png"))])
"""
    examples = [code for page in PAGES for code in blocks("python", page)]
    assert examples
    for code in examples:
        done = subprocess.run([sys.executable, "-c", before + code], cwd=checkout.folder, env=checkout.environment,
                              capture_output=True, text=True, timeout=120)  # fmt: skip
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    for link in [*re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", text)), *re.findall(r'src="([^"]+)"', text)]:
        if not link.startswith("https://"):
            name, _, anchor = link.partition("#")
            target = page.parent / name if name else page
            assert target.exists(), link
            assert not anchor or anchor in headings(target), link


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_parameter_and_file_that_is_named_exists(page: Path, tmp_path: Path) -> None:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    names = {
        ".".join(parts[:n])
        for line in params.flat(values)
        for parts in [line.split(".")]
        for n in range(2, len(parts) + 1)
    }
    words = quoted(page) + [word for command, _ in shell(page) for word in command.split()]
    for word in words:
        name = re.split("[:=]", word.removeprefix("-S "))[0]
        if re.fullmatch(rf"({'|'.join(values)})(\.\w+)+", name):
            assert name in names, word
        if re.fullmatch(r"(stages|flows|lmf_fer|benchmarks|tests|docs)/[\w./]*", word):
            assert (ROOT / word).exists(), word
    for number, block in enumerate(blocks("yaml", page)):
        file = tmp_path / f"{number}.yaml"
        file.write_text(yaml.safe_dump(merged(values, yaml.safe_load(block))))
        parameters.check(file)
