# Every chore of Godwit is one word. `make` alone lists them.

PYTHON ?= python3
WORKERS ?= 2
SEEDS ?= 10000
SEED ?= 1
FAULTS ?= 100
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-header --no-annotate
NODE := tests/bots/node
PEERS := bench/node

.DEFAULT_GOAL := help
.PHONY: help install demo demo-nodes serve test compatibility check native format docs soak chaos bench lock clean

help: ## list the chores
	@echo "Usage: make WORD [ARGS='...']"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1 \2/p' $(MAKEFILE_LIST) | while read -r word text; do printf '  %-14s %s\n' "$$word" "$$text"; done

install: .venv/.run ## make .venv with what Godwit needs; gives .venv/bin/godwit

demo: install ## two clusters, many clients, moves there and back, exact counts
	@$(BIN)/godwit demo $(ARGS)

demo-nodes: .venv/.test ## the same over NATS, PostgreSQL and edges in processes of their own
	@$(BIN)/godwit demo --nodes $(ARGS)

serve: install ## run a server on this machine, on fixed ports
	@$(BIN)/godwit serve $(ARGS)

test: .venv/.test .venv/.ii $(NODE)/node_modules/.stamp $(PEERS)/node_modules/.stamp ## run all tests (ARGS='-k name' for some, WORKERS=n)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

compatibility: .venv/.test .venv/.ii $(NODE)/node_modules/.stamp ## what works and what differs, row by row, as JSON
	@$(BIN)/python -m tests.compatibility -- -n $(WORKERS) --dist worksteal

check: .venv/.dev ## lint, format, types, import floors, generated documents, counts of the hot path
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py tests/test_docs.py tests/test_house.py tests/test_hot_path.py

native: .venv/.run ## build what is in C in place (it is built when Godwit is installed, if there is a compiler)
	@$(BIN)/python -W ignore -c 'import setuptools; setuptools.setup()' --quiet build_ext --inplace --force

format: .venv/.dev ## put the code into the form that `check` wants
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.test ## write the generated documents anew
	$(BIN)/python -m tests.docs

soak: .venv/.test ## run SEEDS=n simulations of moves, crashes and delays
	$(BIN)/python -m tests.model --seeds $(SEEDS) $(ARGS)

chaos: .venv/.test ## break a network of real processes FAULTS=n times (SEED=n)
	$(BIN)/python -m tests.chaos --seed $(SEED) --faults $(FAULTS) $(ARGS)

bench: .venv/.dev ## measure; prints the numbers that documents quote (ARGS='a b --write')
	@$(MAKE) --no-print-directory $(PEERS)/node_modules/.stamp || true
	$(BIN)/python -m bench $(ARGS)

lock: .venv/.dev ## pin the newest versions in requirements/*.txt
	cd requirements && ../$(COMPILE) run.in -o run.txt
	cd requirements && ../$(COMPILE) -c run.txt test.in -o test.txt
	cd requirements && ../$(COMPILE) -c test.txt dev.in -o dev.txt

clean: ## remove .venv, node_modules and caches
	rm -rf .venv $(NODE)/node_modules $(PEERS)/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info src/godwit/*/*.so
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.made:
	@command -v $(PYTHON) >/dev/null || { echo "Godwit needs Python 3.11 or newer, and '$(PYTHON)' was not found: install it, or name another one with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Godwit needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1): name another one with make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.run: .venv/.made requirements/run.txt pyproject.toml $(wildcard src/godwit/*/*.c)
	@echo "installing Godwit into .venv"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q src
	@touch $@

.venv/.test: .venv/.run requirements/test.txt
	@echo "installing what the tests need"
	@$(PIP) install --require-hashes -r requirements/test.txt
	@touch $@

.venv/.dev: .venv/.test requirements/dev.txt
	@echo "installing the linters"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# An ordinary IRC client; as root on Debian it is fetched here.
.venv/.ii: .venv/.made
	@if ! command -v ii >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing ii"; apt-get update -qq && apt-get install -y -qq ii >/dev/null; fi; \
	command -v ii >/dev/null || { echo "make test needs the IRC client ii: install the package 'ii', then run it again" >&2; exit 1; }
	@touch $@

# npm comes with Node.js or in a package of its own; as root on Debian both are fetched here.
$(NODE)/node_modules/.stamp $(PEERS)/node_modules/.stamp: %/node_modules/.stamp: %/package.json %/package-lock.json
	@if ! command -v npm >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing Node.js"; apt-get update -qq && apt-get install -y -qq nodejs npm >/dev/null; fi; \
	command -v node >/dev/null && command -v npm >/dev/null || { echo "$* needs Node.js 16 or newer with npm: install the packages 'nodejs' and 'npm', then run it again" >&2; exit 1; }
	@echo "installing what $* needs"
	@cd $* && npm ci --silent --no-audit --no-fund
	@touch $@
