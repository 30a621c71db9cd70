# `make help` lists the targets. Each installs what it needs into .venv first.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.SUFFIXES:

is_new_enough := -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(or $(shell for it in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$it $(is_new_enough) && echo $$it && break; done),python3)
NODE ?= node
# What is added to a command line: make test ARGS="-k yamux"
ARGS ?=
# Test processes at once, where a target shall not choose for itself.
WORKERS ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
METADATA := $(wildcard core/pyproject.toml plugins/*/pyproject.toml)
PACKAGES := $(METADATA:%/pyproject.toml=%)
TYPED := core plugins tests scripts docs $(patsubst %/,%,$(sort $(dir $(wildcard benchmarks/*.py examples/*.py))))

.PHONY: help setup demo test hostile packaging check lint types metadata peers interop bench docs outputs constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) ## install the packages and all tools into .venv, pinned by constraints.txt

$(INSTALLED): constraints.txt requirements-dev.in $(METADATA)
	@sh scripts/prerequisites.sh "$(PYTHON)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet \
		--constraint constraints.txt --build-constraint constraints.txt \
		--requirement requirements-dev.in $(PACKAGES:%=--editable ./%)
	@touch $@

demo: $(INSTALLED) ## two nodes on this machine: connect, talk, send a file, measure
	$(BIN)/peerloom demo $(ARGS)

# Three on two cores: the tests wait for a good part of their time.
test: $(INSTALLED) ## all quick tests but those against other implementations
	$(BIN)/python -m pytest --numprocesses $(or $(WORKERS),3) --dist worksteal -m "not slow" \
		--ignore tests/interop --ignore tests/nat $(ARGS)

# In one process: the attackers have the other core. With ARGS="-m slow" only what `test` leaves out.
hostile: $(INSTALLED) ## peers that attack, flood, stall and lie, quick tests and slow ones
	$(BIN)/python -m pytest tests/hostile $(ARGS)

packaging: $(INSTALLED) ## our wheels in empty environments, as users and other people's plugins meet them
	$(BIN)/python -m pytest tests/packaging --numprocesses $(or $(WORKERS),2) --dist loadfile $(ARGS)

peers: $(INSTALLED) ## build the programs around other implementations (Node.js 20, Go, Rust), once
	@sh scripts/prerequisites.sh "$(PYTHON)" "$(NODE)"
	$(BIN)/python -m tests.interop.build

interop: peers ## the tests against other implementations of libp2p
	$(BIN)/python -m pytest tests/interop --numprocesses $(or $(WORKERS),2) --dist worksteal \
		--matrix docs/interop.md $(ARGS)

check: lint types metadata ## style, types, packaging metadata

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy $(TYPED)

metadata: $(INSTALLED)
	$(BIN)/validate-pyproject $(METADATA)
	rm -rf dist
	for package in $(PACKAGES); do \
		$(BIN)/pyproject-build --quiet --no-isolation --outdir dist $$package || exit 1; done
	$(BIN)/twine check --strict dist/*

bench: $(INSTALLED) ## measure against other implementations: one (NAME=...) or all
	$(BIN)/python -m benchmarks $(NAME) --json $(ARGS)

docs: $(INSTALLED) ## build the documentation into build/docs; a broken link is an error
	$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --fresh-env --quiet \
		docs build/docs $(ARGS)

outputs: $(INSTALLED) ## run the documentation's code blocks and write what they print into it
	$(BIN)/python -m tests.docs.rewrite $(ARGS)

constraints: ## choose versions of all dependencies, the newest and the lowest, and pin them
	@sh scripts/prerequisites.sh "$(PYTHON)"
	$(PYTHON) scripts/constraints.py

clean: ## remove what these targets made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
