# `make demo` and `make test` each do everything on a fresh machine; a second time they are quick.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help install demo test lint types check systems wheel clean

help:
	@echo "make demo    set up, run studies/quickstart.toml, say where the report is"
	@echo "make test    set up, run all tests"
	@echo "make check   tests, lint and types"
	@echo "make systems count the published networks again, write docs/systems.md"
	@echo "make wheel   build a wheel into dist/"

install: $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/ablate run quickstart

test: $(VENV)/.developer
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.developer
	$(BIN)/mypy

check: test lint types

systems: $(VENV)/.installed
	$(BIN)/python -m benchmarks.systems

wheel: $(VENV)/.developer
	$(BIN)/python -m build --wheel --installer pip

clean:
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ablate needs Python 3.11 or later; say which: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "No venv: on Debian and Ubuntu, apt install python3-venv"; rm -rf $(VENV); exit 1; }
	touch $@

# torch first and alone: whatever comes later then takes this one.
$(VENV)/.torch: $(VENV)/.made constraints.txt
	$(PIP) --constraint constraints.txt torch
	touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	$(PIP) --constraint constraints.txt --editable .
	touch $@

$(VENV)/.developer: $(VENV)/.torch pyproject.toml
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	touch $(VENV)/.installed $@
