# Needs GNU make and Python 3.11 or newer; everything else is installed into .venv.
# The targets for containers need Docker in place of the .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
READY := $(VENV)/.ready
MEMBERS := libs/service-kit libs/devkit gateway services/auth-verifier services/tasks
PYPROJECTS := $(MEMBERS:%=%/pyproject.toml)
# A suite may be given more to do, as in: make test-tasks ARGS="-k etag"
PYTEST := exec $(PY) -m pytest $(ARGS)
CONTAINERS := PYTHONPATH=libs/devkit/src exec $(PYTHON) -m devkit.containers

define need-python
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
  { echo "taskgate: $(PYTHON) is not Python 3.11 or newer; name one that is: make PYTHON=python3.12" >&2; exit 1; }
endef

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

.PHONY: help
help: ## Explain the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(READY) ## Run everything; PORT, DATA_DIR, BETTER_AUTH_URL, … are read (.env.example)
	@exec $(PY) -m devkit.run

.PHONY: token
token: $(READY) ## Print a development token: make token USER_ID=alice
	@exec $(PY) -m devkit.token

.PHONY: up down ps logs upgrade backup restore
up: ## Run everything in containers; more for compose in ARGS="--scale tasks=3"
	$(need-python)
	@$(CONTAINERS) up $(ARGS)

down: ## End the containers; their data stays
	@exec docker compose down $(ARGS)

ps: ## List the containers
	@exec docker compose ps --all $(ARGS)

logs: ## Follow the containers' logs: make logs ARGS=gateway
	@exec docker compose logs --follow --tail=100 $(ARGS)

upgrade: ## Build the services anew and replace them while they serve
	$(need-python)
	@$(CONTAINERS) upgrade

backup: ## Write the containers' database into one file; its name may be given as FILE=…
	$(need-python)
	@$(CONTAINERS) backup $(FILE)

restore: ## Put it back: make restore FILE=taskgate-20260131-120000.dump
	$(need-python)
	@$(CONTAINERS) restore $(FILE)

.PHONY: test test-kit test-devkit test-gateway test-verifier test-tasks test-contract test-e2e test-abuse test-containers
# Tests wait more than they compute, so there are more workers than processors. A file stays with one of them: its
# fixtures are made once. ARGS may leave tests out, and with them codes.
test: $(READY) ## Run every test
	@$(PYTEST) --numprocesses=4 --dist=loadfile $(if $(ARGS),,--codes)

test-kit: $(READY) ## Run the tests of libs/service-kit
	@$(PYTEST) libs/service-kit

test-devkit: $(READY) ## Run the tests of libs/devkit
	@$(PYTEST) libs/devkit

test-gateway: $(READY) ## Run the tests of the gateway
	@$(PYTEST) gateway

test-verifier: $(READY) ## Run the tests of the auth-verifier
	@$(PYTEST) services/auth-verifier

test-tasks: $(READY) ## Run the tests of the tasks service
	@$(PYTEST) services/tasks

test-contract: $(READY) ## Run the contract tests
	@$(PYTEST) tests/contract

test-e2e: $(READY) ## Run the end-to-end tests
	@$(PYTEST) tests/e2e

test-abuse: $(READY) ## Run the attacks on authentication
	@$(PYTEST) tests/abuse

test-containers: $(READY) ## Run the tests of the system in containers; they need Docker
	@$(PYTEST) tests/containers

.PHONY: test-browser screenshot
test-browser: $(READY) ## Run the tests in a real browser; they need chromium on PATH
	@$(PYTEST) tests/browser

screenshot: $(READY) ## Take the picture of /docs that README.md shows; it needs chromium too
	@export SCREENSHOT=docs/images/docs-in-a-browser.png; $(PYTEST) tests/browser/test_docs.py

.PHONY: fuzz
fuzz: $(READY) ## Try every operation at length, with schemathesis; EXAMPLES=100 of each
	@exec $(PY) -m devkit.fuzzing $(EXAMPLES)

.PHONY: bench bench-auth bench-growth bench-limits bench-overload bench-streaming bench-streams bench-sync bench-tasks
bench: $(READY) ## Measure Taskgate beside its peers; needs nginx, haproxy and wrk
	@exec $(PY) -m benchmarks.system

bench-auth: $(READY) ## Measure how soon changes bite, and what tokens cost; TOKENS=1000000
	@exec $(PY) benchmarks/authentication.py $(TOKENS)

bench-limits: $(READY) ## Measure what a rate limit costs, and how far from exact it is
	@exec $(PY) benchmarks/limits.py

bench-overload: $(READY) ## Measure what is served at 1, 2 and 4 times the load; SECONDS=3
	@exec $(PY) benchmarks/overload.py $(SECONDS)

bench-tasks: $(READY) ## Measure the tasks service beside the least it could cost
	@exec $(PY) -m benchmarks.tasks

bench-growth: $(READY) ## Measure how cost grows with a user's tasks; MOST=1000000 ROWS=10000000
	@exec $(PY) -m benchmarks.growth $(or $(MOST),1000000) $(ROWS)

bench-sync: $(READY) ## Cut a client's events at random while others write; WRITES=10000
	@exec $(PY) benchmarks/sync.py $(WRITES)

bench-streaming: $(READY) ## Measure what a long answer costs the gateway; MEGABYTES=1024
	@exec $(PY) benchmarks/streaming.py $(MEGABYTES)

bench-streams: $(READY) ## Measure what idle event streams cost; STREAMS=2000
	@exec $(PY) -m benchmarks.streams $(STREAMS)

.PHONY: test-faults soak
test-faults: $(READY) ## Break one part after the other under load; words of names in ARGS="Redis clock"
	@exec $(PY) -m benchmarks.faults $(ARGS)

soak: $(READY) ## See whether anything grows under load; MINUTES=20
	@exec $(PY) benchmarks/soak.py $(MINUTES)

.PHONY: check lint format types imports specs
check: lint types imports specs test ## Check everything, as CI does

lint: $(READY) lock-check ## Check style and locks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(READY) ## Write the code in our format, and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# One part at a time: in folders with a hyphen every conftest.py has the same module name.
types: $(READY) ## Check the types
	@failed=; for part in $(MEMBERS) tests benchmarks conftest.py; do \
	  echo "$$part" && $(PY) -m mypy "$$part" || failed=1; \
	done; test -z "$$failed"

imports: $(READY) ## Check which module may import which
	@exec $(BIN)/lint-imports

specs: $(READY) ## Check that specs, code and tests agree
	@exec $(PY) -m devkit.specs check

.PHONY: lock lock-check clean
lock: $(READY) ## Compile requirements/*.txt; UPGRADE=1 takes newer versions
	@exec $(PY) -m devkit.locks compile

lock-check: $(READY) ## Check that the locks match the pyproject files
	@exec $(PY) -m devkit.locks check

clean: ## Remove .venv and caches; the data in .data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find libs gateway services tests -name __pycache__ -type d -prune -exec rm -rf {} +

# uv, where there is one, installs the same locks faster. What this prints is no target's output.
$(READY): requirements/dev.txt $(PYPROJECTS)
	$(need-python)
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "taskgate: $(PYTHON) cannot make virtual environments: install its venv package (python3-venv)" >&2; exit 1; }
	@echo "taskgate: setting up $(VENV), once" >&2
	@$(PY) -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) >&2
	@if command -v uv >/dev/null; then install="uv pip install --quiet --python $(PY)"; \
	  else install="$(PY) -m pip install --quiet --disable-pip-version-check"; fi; \
	  $$install --require-hashes -r requirements/dev.txt >&2 && \
	  $$install --no-deps --no-build-isolation $(MEMBERS:%=--editable %) >&2
	@touch $@
