# Every target sets up what it needs: a fresh machine with Python 3.11+ and make is enough.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup chat test test-fast check bench

setup: .venv/.ready

.venv/.ready: requirements-dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Prescreen needs Python 3.11 or newer. Set PYTHON=python3.11 or newer."; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	printf '#!/bin/sh\nPYTHONPATH="%s$${PYTHONPATH:+:$$PYTHONPATH}" exec "%s/$(BIN)/python" -m bot "$$@"\n' "$(CURDIR)" "$(CURDIR)" > $(BIN)/prescreen
	chmod +x $(BIN)/prescreen
	touch $@

chat: setup ## hold the whole conversation in this terminal
	@$(BIN)/prescreen chat

test: check ## everything
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-fast: setup ## while you work: no bot process, fewer random dialogues
	EXAMPLES=15 $(BIN)/python -m pytest -n 2 -m "not slow"

check: setup ## format, lint, types, import contracts, trial files, catalogues
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/prescreen check

bench: setup ## the speed of a turn, as ratios in one run
	$(BIN)/python -m benchmarks.turn
