# LMF-FER. `make` lists what there is; every target sets up what it needs, once.
# Commands are called as python -m, since the scripts in .venv/bin know their folder by its name, and it may be moved.
PYTHON ?= python3
PORT ?= 4200
VENV := .venv
BIN := $(VENV)/bin
PYTHONS := $(shell sed -n 's/.*Python :: \(3[.][0-9]*\)".*/\1/p' pyproject.toml)
READY := $(VENV)/.ready
TESTS := $(VENV)/.tests
export DVC_NO_ANALYTICS := 1
export PYTHONUTF8 := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help environment reproduce predict check doctor verify ui test test-all lint clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

environment: $(TESTS) ## Make the environment, also that of the tests; all other targets make what they need

reproduce: $(READY) ## Run the whole pipeline (params.yaml decides on what) and print the results table
	python -m lmf_fer reproduce

predict: $(READY) ## Recognise the expression in clips: make predict CLIPS="folder-of-frames video.mp4"
	@test -n "$(CLIPS)" || { echo 'error: name the clips: make predict CLIPS="folder-of-frames video.mp4"' >&2; exit 1; }
	python -m lmf_fer predict $(CLIPS)

check: $(READY) ## Check all of params.yaml
	@python -m lmf_fer check

doctor: $(READY) ## Look at this machine and environment: versions, disk, cores, memory, GPU, data
	@python -m lmf_fer doctor

verify: $(READY) ## Compare what is installed with the hashes it was published with
	@python -m lmf_fer verify

ui: $(READY) ## Open Prefect's page for this project on http://127.0.0.1:$(PORT), to start and watch runs
	@python -m lmf_fer ui --port $(PORT)

test: $(TESTS) ## Run the tests, all but the slow ones
	python -m pytest -n auto --dist worksteal -m "not slow"

test-all: $(TESTS) ## Run all tests, also those that kill runs at every turn
	python -m pytest -n auto --dist worksteal

lint: $(TESTS) ## Check style and types
	python -m ruff check .
	python -m ruff format --check .
	python -m mypy
	hadolint Containerfile

clean: ## Remove everything that can be made again (environment, data, results, caches)
	rm -rf $(VENV) .prefect .cache .dvc/cache .dvc/tmp data/raw/simulated data/interim data/features results/predictions \
	    results/models results/history results/figures results/plots results/times results/report.html \
	    results/statistics.json results/clips results/transfer results/beyond dvc_plots build \
	    .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

# setuptools comes first and builds whatever is built: an isolated build would fetch one that nothing pins or verifies.
$(READY): pyproject.toml constraints.txt assets.txt
	@$(PYTHON) -c 'import sys; own = "%d.%d" % sys.version_info[:2]; known = sys.argv[1:]; sys.exit(own not in known and "error: Python %s is none of those that do (%s): make PYTHON=python%s" % (own, ", ".join(known), known[0]))' $(PYTHONS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt --report $(VENV)/installed-$$(date +%s)-build.json setuptools
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt --report $(VENV)/installed-$$(date +%s).json --no-build-isolation -e .
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --report $(VENV)/installed-$$(date +%s)-assets.json -r assets.txt
	@$(BIN)/python -m compileall -qq -j 0 -x '/(tests?|_internal)/' $(VENV)/lib || true    # pip would use one core, and do what is never imported
	@$(BIN)/python -c 'from flows import graph; graph.without_git()'    # dvc repro refuses to work in an archive else
	@touch $@

# What a run does without: tools, Dask, and the interpolator that only comparisons use.
$(TESTS): $(READY) rife.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt --report $(VENV)/installed-$$(date +%s)-tests.json --no-build-isolation -e '.[dev]'
	$(BIN)/python -m pip install --quiet --no-deps --report $(VENV)/installed-$$(date +%s)-rife.json -r rife.txt
	@touch $@
