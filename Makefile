# One word per chore. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

PYTHON ?= python3.11
BIN := .venv/bin
DEMO := src/waferscope/demo/demo_lot.stdf.gz
OUT ?= out
RECIPE ?= quick
FUZZ_SECONDS ?= 600

# An install is redone when the locks or the packaging change, and only then.
BASE_KEY := $(shell cat requirements/build.lock requirements/base.lock requirements/serve.lock pyproject.toml | sha256sum | cut -c1-16)
DEV_KEY := $(shell cat requirements/*.lock pyproject.toml | sha256sum | cut -c1-16)
BASE := .venv/.installed-base-$(BASE_KEY)
DEV := .venv/.installed-dev-$(DEV_KEY)

.PHONY: help run report test check lint format types imports pytest docs demo bench fuzz train lock clean

help: ## list the chores
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: $(BASE) ## serve on http://127.0.0.1:8000, with a worker beside it
	@$(BIN)/waferscope serve

report: $(BASE) ## segment the demo lot: a table, and an HTML report whose path comes last
	@$(BIN)/waferscope predict $(DEMO) --output $(OUT)

test: $(DEV) ## run every check: what has to pass before a change lands
	@BIN=$(BIN) scripts/checks.sh

lint: $(DEV) ## ruff, mypy and the import rules, without the tests
	@BIN=$(BIN) scripts/checks.sh lint

format: $(DEV) ## rewrite the code as ruff wants it
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

docs: $(DEV) ## rebuild what documents quote: commands, the model's figures, settings, routes
	@$(BIN)/python scripts/build_cli_docs.py
	@$(BIN)/python scripts/build_results.py
	@$(BIN)/python scripts/build_settings.py
	@$(BIN)/python scripts/build_api_docs.py

demo: $(DEV) ## rebuild the demo lot from its seed
	@$(BIN)/python scripts/build_demo_lot.py $(DEMO)

bench: $(DEV) ## measure speed and memory of the released model
	@$(BIN)/python -m benchmarks.speed

fuzz: $(DEV) ## feed every reader broken files for 10 minutes in all: make fuzz FUZZ_SECONDS=60
	@$(BIN)/python -m pip install --quiet --quiet -r requirements/fuzz.lock
	@$(BIN)/python scripts/fuzz.py --seconds $(FUZZ_SECONDS)

train: $(DEV) ## train a model: make train RECIPE=quick
	@$(BIN)/waferscope train $(RECIPE)

lock: | .venv/bin/python ## rewrite requirements/*.lock from the ranges in pyproject.toml
	@scripts/lock.sh $(BIN)/python

clean: ## remove what the chores made: environment, caches, output
	rm -rf .venv out dist build htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@PYTHON=$(PYTHON) scripts/venv.sh

$(BASE): | .venv/bin/python
	@echo "Installing what serving needs: once, and again when its lock changes"
	@$(BIN)/python -m pip install --quiet --quiet -r requirements/build.lock -r requirements/serve.lock
	@$(BIN)/python -m pip install --quiet --quiet --no-deps --no-build-isolation --editable .
	@rm -f .venv/.installed-base-* && touch $@

$(DEV): $(BASE)
	@echo "Installing what training and the checks need: once, and again when a lock changes"
	@$(BIN)/python -m pip install --quiet --quiet -r requirements/dev.lock
	@rm -f .venv/.installed-dev-* && touch $@
