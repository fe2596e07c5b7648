# Every verb of the repository. `make help` lists them. Needs Python 3.11 or 3.12 and make; everything else comes in .venv.
#   PYTHON=/path/to/python3.12   which Python makes .venv
#   ARGS="--port 9000"           for the command behind the verb

SHELL := /bin/sh
VENV  := .venv
BIN   := $(VENV)/bin
ARGS  ?=
# tests/conftest.py says how many. A file stays in one process, whose fixtures are made once; the short files come last.
PROCESSES := -n auto --dist loadfile --no-loadscope-reorder
PYTHON ?=

.DEFAULT_GOAL := help
.PHONY: help run setup test lint fmt typecheck bench soak servers conformance schema publish migrate lock run-deps dev-deps

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: run-deps ## Run everything on this machine, with a demo: ready in seconds; Ctrl-C stops it
	@exec $(BIN)/florin run $(ARGS)

setup: dev-deps ## Install everything, for work on Florin itself

test: dev-deps ## Run the whole suite on servers of its own, in two processes where there are two cores (ARGS="-n 0": in one)
	@$(BIN)/python -m pytest $(PROCESSES) $(ARGS)

lint: dev-deps ## Style, types, who may import whom, and that the contract in graphql/ is the code's and breaks no client
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m resolvers.contract check

fmt: dev-deps ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: dev-deps ## Check the types
	$(BIN)/mypy

bench: dev-deps ## Measure what we claim: one line of JSON per script
	@set -e; for script in $$(grep -l '^if __name__ == "__main__"' bench/*.py); do \
		name=$$(basename $$script .py); echo "== $$name" >&2; $(BIN)/python -m bench.$$name $(ARGS); \
	done

soak: dev-deps ## Run the whole suite with every domain in a database of its own
	@FLORIN_TEST_SPLIT=1 $(BIN)/python -m pytest $(PROCESSES) -rs $(ARGS)

servers: dev-deps ## Run the database tests on other versions of Postgres and behind PgBouncer
	@$(BIN)/python -m tests.servers $(ARGS)

conformance: dev-deps ## Try the API with other people's clients (needs Node), and the database tests on other servers
	$(BIN)/python -m tests.conformance $(ARGS)
	$(BIN)/python -m tests.servers

schema: run-deps ## Write the contract: graphql/schema.graphql and the manifest of operations
	$(BIN)/python -m resolvers.contract write

publish: dev-deps ## Promise the schema of now to clients: graphql/published.graphql, which lint guards from then on
	$(BIN)/python -m resolvers.contract publish

migrate: run-deps ## Bring the database to the newest schema
	$(BIN)/florin migrate $(ARGS)

lock: dev-deps ## Resolve the dependencies anew into the lock files
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--upgrade --quiet pyproject.toml -o requirements.lock
	UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--upgrade --quiet --constraint requirements.lock --group dev pyproject.toml -o requirements-dev.lock

# What is installed is remembered by the content of what asked for it: a second `make run` installs nothing.
run-deps:
	@deploy/install run "$(PYTHON)"

dev-deps:
	@deploy/install dev "$(PYTHON)"
