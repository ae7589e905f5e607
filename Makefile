# Queuevisor. `make` without a target lists the targets.
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
QV := $(VENV)/bin/queuevisor
WORKERS ?= 2
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help report check test coverage bench fuzz faults lab lint format docs lock testbed doctor clean

help:  ## list the targets
	@echo "Queuevisor: where does a request's time go on a KVM virtual server?"
	@echo
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18
	@echo
	@echo "The first target that runs installs the environment in $(VENV) (needs the network once)."

$(READY): requirements.lock pyproject.toml
	@sh setup/check-python "$(VENV)"
	@echo "Installing the locked packages into $(VENV) …"
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

report: $(READY)  ## build reports/index.html from the recorded studies (opens offline)
	@$(QV) report --workers $(WORKERS)

check: lint  ## lint and run the fast tests (less than 2 minutes)
	@$(PY) -m pytest -q -n $(WORKERS) --dist loadgroup -m "not slow and not browser and not report"

test: $(READY)  ## run every test
	@# recordings see each other's processes, so their tests run one after the other
	@$(PY) -m pytest tests/collectors
	@$(PY) -m pytest -n $(WORKERS) --dist loadgroup --ignore tests/collectors

coverage: $(READY)  ## coverage of the 95 % intervals over 400 synthetic hosts (minutes)
	@$(PY) tests/ground_truth/coverage.py --runs 400 --seed 5000 --estimate estimates:by_law --workers $(WORKERS)

bench: $(READY)  ## measure speed and memory against peers; write docs/benchmarks (minutes; hours with LARGE=1)
	@$(PY) -m benchmarks $(if $(LARGE),--large) $(SUBJECTS)

fuzz: $(READY)  ## fuzz the parsers with damaged logs (INPUTS= SECONDS= KINDS= SEED=)
	@$(PY) tests/parse/fuzz.py $(KINDS) $(if $(INPUTS),--inputs $(INPUTS)) $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(SEED),--seed $(SEED))

faults: $(READY)  ## damage inputs, tables, files, processes; write docs/reliability.md (< 15 minutes; CASES=)
	@$(PY) tests/faults/run_faults.py $(CASES) --workers $(WORKERS) $(if $(CASES),,--document docs/reliability.md)

lab: $(READY)  ## open the notebooks, and lessons to fill in, in JupyterLab
	@$(QV) course copy
	@$(VENV)/bin/jupyter lab --LabApp.news_url= --LabApp.app_settings_dir="$(CURDIR)/setup/jupyterlab" \
	  --LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate notebooks

lint: $(READY)  ## check code and notebooks with Ruff
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

format: $(READY)  ## format with Ruff and apply its fixes
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

docs: $(READY)  ## write reference, results, figures, teaching pages and examples of docs/ from the code and the study
	@$(PY) docs/print_reference.py
	@$(PY) docs/print_figures.py
	@$(PY) docs/print_results.py
	@$(PY) docs/print_screenshots.py
	@$(PY) docs/print_teaching.py
	@$(PY) docs/print_examples.py

lock: $(READY)  ## resolve requirements.lock again from pyproject.toml
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --upgrade -o requirements.lock pyproject.toml

testbed:  ## as root: build two virtual servers and record the whole study again (hours)
	@python3 testbed/testbed.py study

doctor: $(READY)  ## what is missing on this machine, and the command to install it
	@$(QV) doctor

clean:  ## remove generated files (not the environment)
	rm -rf reports build dist data/processed/*/ .pytest_cache .ruff_cache
