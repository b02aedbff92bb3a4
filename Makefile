# Every target sets up what it needs: a fresh machine with Python 3.11+ and make is enough.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo chat test test-fast check bench chaos long guards sbom postgresql chromium pictures

setup: .venv/.ready

# The tests run on a real PostgreSQL, too. Where it is missing, Debian's is installed; it is not started as a service.
postgresql:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then as=; else as="sudo -n"; fi; \
	  $$as mkdir -p /etc/postgresql-common && echo "create_main_cluster = false" | $$as tee /etc/postgresql-common/createcluster.conf >/dev/null; \
	  $$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql; }

# The pages of staff are tested in a real browser. Where it is missing, Debian's is installed.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then as=; else as="sudo -n"; fi; \
	  $$as apt-get update -qq && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; }

# To try it takes what runs, and nothing that only tests need: half the packages, and half the time.
.venv/.runs: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Prescreen needs Python 3.11 or newer. Set PYTHON=python3.11 or newer."; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	printf '#!/bin/sh\nPYTHONPATH="%s$${PYTHONPATH:+:$$PYTHONPATH}" exec "%s/$(BIN)/python" -m bot "$$@"\n' "$(CURDIR)" "$(CURDIR)" > $(BIN)/prescreen
	chmod +x $(BIN)/prescreen
	touch $@

.venv/.ready: requirements-dev.txt .venv/.runs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

demo: .venv/.runs ## all of it in a browser, with invented people: no token, no network; PORT=8101 for another port
	@$(BIN)/prescreen demo $(if $(PORT),--port $(PORT))

chat: .venv/.runs ## hold the whole conversation in this terminal
	@$(BIN)/prescreen chat

test: check postgresql chromium ## everything
	$(BIN)/python -m pytest -n 3 --dist loadgroup

test-fast: setup ## while you work: no bot process, fewer random dialogues
	EXAMPLES=15 $(BIN)/python -m pytest -n 2 -m "not slow"

chaos: setup postgresql ## the long storm: 200 kills over 1,000 people, on SQLite and on PostgreSQL with 4 workers
	$(BIN)/python -m tests.chaos

long: setup postgresql chromium ## the promised numbers, where `make test` does less: 1,000 canaries, 500 injections, every step
	EXAMPLES=1000 $(BIN)/python -m pytest -n 2 --dist loadgroup tests/privacy tests/browser tests/house/test_benchmarks.py tests/shell/test_migrations.py

check: setup ## format, lint, static scan, types, import contracts, trial files, catalogues
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/bandit -q -c pyproject.toml -r bot flows
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/prescreen check

guards: setup postgresql ## takes each guard away in turn: a test must miss it
	$(BIN)/python -m tests.guards

sbom: setup ## what runs, with versions and hashes, as CycloneDX
	@mkdir -p var
	@PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml \
	  --validate --output-reproducible -o var/sbom.cdx.json
	@echo "Wrote var/sbom.cdx.json."

pictures: setup chromium ## the PNGs of the drawings, after one was changed
	$(BIN)/python -m tests.pictures

bench: setup postgresql ## the speed of a turn, as ratios in one run, and of a page of the inbox
	$(BIN)/python -m benchmarks.turn && $(BIN)/python -m benchmarks.compare && $(BIN)/python -m benchmarks.inbox --page
