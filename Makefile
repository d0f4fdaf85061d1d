# Carrel. `make run` and `make test` are the two commands; the others are parts of them.
#
#   PYTHON=python3.12       another interpreter than the first suitable one
#   BENCHMARK="--only single --rounds 5"   options of tests/benchmarks/run.py
#   CARREL_BACKEND=cuda     let llama.cpp be compiled for cuda, vulkan or metal (default: the processor;
#                           on a Mac llama.cpp chooses Metal by itself)

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; exit; fi; \
	done; echo python3)
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Windows under test are drawn off screen; what needs a real X server takes the virtual one.
OFFSCREEN := QT_QPA_PLATFORM=offscreen

.DEFAULT_GOAL := help
.PHONY: help run setup setup-test models test test-long benchmark check style format package lock clean distclean

help: ## this list
	@echo "make run       install what is missing, then open Carrel"
	@echo "make test      install what is missing, then every check and test"
	@echo "make check     the quick part: format, lint, types, imports, quick tests"
	@echo "make test-long the tests that take minutes"
	@echo "make benchmark what is promised about speed, measured against llama-server (which it builds)"
	@echo "make package   a folder that runs without Python: dist/carrel"
	@echo "make format    write the code in its one format"
	@echo "make models    prepare the bundled models only"
	@echo "make lock      resolve pyproject.toml into requirements.lock again"
	@echo "make clean     remove what building and testing left; distclean: the installation, too"

run: models
	@$(BIN)/python packaging/first_run.py

setup:
	@$(PYTHON) packaging/environment.py

setup-test:
	@$(PYTHON) packaging/environment.py --for test

models: setup
	@$(BIN)/python packaging/bundled_models.py

test: setup-test models style
	@$(OFFSCREEN) $(BIN)/python packaging/virtual_display.py $(PYTEST) -m "not long"

test-long: setup-test models
	@$(OFFSCREEN) $(BIN)/python packaging/virtual_display.py $(PYTEST) -m long

check: setup style
	@$(OFFSCREEN) $(PYTEST) -q -x -m "not slow and not long and not model"

benchmark: setup models
	@$(BIN)/python tests/benchmarks/run.py $(BENCHMARK)

style:
	@$(BIN)/ruff format --check --quiet . || { echo "Not in the one format: run make format."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

format: setup
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

package: setup-test models
	@$(BIN)/python packaging/build_package.py

# Needs the network. No index address is written, so any mirror serves the result.
lock: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet \
		--extra dev --extra build --output-file requirements.lock

clean:
	@rm -rf build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean
	@rm -rf .venv .cache resources/models carrel.egg-info
