# Two commands do all on a fresh machine: `make run` and `make test`.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MEMBERS := libs/common services/api services/worker services/watchdog services/proxy cli
t ?= tests

.DEFAULT_GOAL := help
.PHONY: help setup run check test test-postgres fix lock bench browser faults soak chaos security openclaw docs clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

setup: $(VENV)/.installed ## Build the environment (once; again when the lock changes)

# Wheels with hashes from the lock first: it names everything, so nothing is left to resolve (pip takes an extra
# of a locked package for an unlocked one where a constraints file is set). Then our own packages, editable.
$(VENV)/.installed: requirements.lock pyproject.toml $(MEMBERS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Buddy needs Python 3.11 or newer; set PYTHON=…"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)
	@touch $@

run: setup ## Start everything on this machine; Ctrl-C stops it, the gateway stays
	@$(BIN)/buddy up $(ARGS)

openclaw: setup ## Install both OpenClaws that the tests run, each with its Node.js, where missing
	@$(BIN)/python tests/real_openclaw.py

check: setup openclaw ## Everything that CI checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test COVERAGE="--cov --cov-report=term"

# three at once where tests wait more than they compute; whole systems are not slowed down by coverage, and the
# real OpenClaw takes both cores for its cold start
WHOLE := tests/e2e
REAL := tests/openclaw
SIDE_BY_SIDE := PYTHONHASHSEED=0 $(BIN)/python -m pytest --dist loadfile

test: setup openclaw ## Run the tests; one folder or file: make test t=tests/api
ifneq ($(t),tests)
	$(BIN)/python -m pytest $(t)
else
	$(SIDE_BY_SIDE) -n 3 $(COVERAGE) --durations=20 --durations-min=5 --ignore=$(WHOLE) --ignore=$(REAL)
	$(SIDE_BY_SIDE) -n 2 $(WHOLE)
	$(BIN)/python -m pytest --durations=30 --durations-min=3 $(REAL)
endif

test-postgres: setup ## Run all tests that use a database on a PostgreSQL server of their own
	$(SIDE_BY_SIDE) -n 3 --database=postgres -m "not faults and not browser and not security and not openclaw" $(t)

fix: setup ## Format, and mend what can be mended by machine
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Choose versions anew and write requirements.lock
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	$(BIN)/uv lock --upgrade --quiet
	$(BIN)/uv export --quiet --all-packages --all-groups --no-emit-workspace --no-header --no-annotate --output-file requirements.lock

# root of a namespace of our own, where we are not root: a full disk needs a small one of its own
AS_ROOT = $(shell test "$$(id -u)" = 0 || { unshare --user --map-root-user --mount true 2>/dev/null && \
	echo unshare --user --map-root-user --mount; })
faults: setup openclaw ## Kill and flood everything, and walk all changes on both generations (half an hour and more)
	$(AS_ROOT) $(BIN)/python -m pytest -m faults tests/faults tests/openclaw tests/proxy

soak: setup openclaw ## Read, chat and restart for 30 minutes with nothing wrong: no repair, no incident; ARGS="--minutes 2" for less
	PYTHONPATH=tests $(BIN)/python -m faults.soak $(ARGS)

chaos: setup openclaw ## Soak everything under load and faults; ten minutes, or make chaos ARGS="--minutes 3 --seed 7"
	PYTHONPATH=tests $(AS_ROOT) $(BIN)/python -m chaos $(ARGS)

security: setup openclaw ## Try as strangers, with made-up requests and with planted secrets, to get in and to see (10 minutes)
	$(BIN)/python -m pytest -m "security or not security" tests/security

browser: setup openclaw ## Chat in the gateway's panel with a headless Chromium, in front of both generations
	$(BIN)/python -m pytest -m browser tests/openclaw

bench: setup openclaw ## Measure, each figure beside a reference of the same run; the table goes to build/bench.md
	$(BIN)/python -m bench $(ARGS)

docs: setup ## Write docs/api.md from the OpenAPI document
	$(BIN)/python -m buddy_api.reference docs/api.md

clean: ## Remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage* htmlcov
