# One line each: make run | kafka | cluster | run-distributed | env | test | test-compose | check-image | chaos
#                | lint | fix | bench | bench-kafka | docs | lock | install | clean
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: run kafka cluster env run-distributed test-compose check-image test lint fix bench bench-kafka chaos docs lock install clean

run: $(STAMP) ## start everything with a simulated shop on ./waymark-data
	$(BIN)/waymark run --demo

kafka: $(STAMP) ## one real Kafka node on 127.0.0.1:9092 (Java 17; Maven for the first time)
	$(BIN)/python -m deploy.kafka

cluster: $(STAMP) ## three of them, on 127.0.0.1:9092 to 9094
	$(BIN)/python -m deploy.kafka --nodes 3

env: ## write .env with random passwords for docker compose, where there is none
	$(PYTHON) -m deploy.env

run-distributed: $(STAMP) ## every part as its own process here, to try it out; ARGS="--first-port 8300"
	$(BIN)/python -m deploy.distributed $(ARGS)

test-compose: ## docker compose up, one event through every part, down again (needs Docker)
	sh deploy/image/try.sh

check-image: ## the Dockerfile's build steps in a fresh folder, without Docker
	sh deploy/image/check.sh

test: $(STAMP) ## run every test this machine can run; a skip prints its reason
	$(BIN)/python -m pytest

lint: $(STAMP) ## style, types, and generated files that must match their source
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m docs.generate --check
	$(BIN)/python -m schemas.generate --check

fix: $(STAMP) ## let the tools mend what they can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## print the figures, each beside its baseline
	$(BIN)/python -m benchmarks

bench-kafka: $(STAMP) ## print the figures on a real Kafka, each beside its peers (Java 17)
	$(BIN)/python -m benchmarks.kafka

chaos: $(STAMP) ## kill parts at random under load, 200 times, and compare all with what was sent (Java 17)
	$(BIN)/python -m tests.chaos

docs: $(STAMP) ## make the generated pages and schemas anew
	$(BIN)/python -m docs.generate
	$(BIN)/python -m schemas.generate

lock: ## resolve pyproject.toml into requirements.lock (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --extra dev \
	  pyproject.toml -o requirements.lock --custom-compile-command "make lock"

install: $(STAMP) ## only make .venv from the lock

# The stamp is newer than the lock once installed, so that later runs need no network.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Waymark needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing from the lock into $(VENV); this takes some minutes the first time."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

clean: ## forget the environment and caches, never data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build dist
