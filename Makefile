# Everything starts here: `make run` needs Python 3.11 or newer, and nothing else.

SHELL := /bin/sh
PYTHON ?= $(shell deploy/find-python)
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin

# Tests and commands start many processes: without bytecode, each would compile the whole program anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run demo stack test test-fast lint drill bench docs clean

help: ## this list
	@echo 'make TARGET [ARGS="…"]'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1	\2/p' Makefile | expand -t 12

run: $(VENV)/installed ## everything in one process: prints where to POST and what to look at
	@exec deploy/start up $(ARGS)

demo: $(VENV)/installed ## a day of signed webhooks of four ESPs, and what became of the contacts
	@exec deploy/start demo $(ARGS)

stack: $(VENV)/installed ## the production topology without Docker: RabbitMQ, two receivers, two processors, the API
	@exec deploy/start stack $(ARGS)

# Tests run side by side, in a process a core, fast ones in one more; with ARGS=-n0 one after the other.
SIDE_BY_SIDE := -n auto --dist worksteal

test: lint ## lint, types and every test; installs and starts what they need
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(ARGS)

test-fast: lint ## for daily work: without what takes seconds or the machine, and with a tenth of each property's examples
	@$(BIN)/python -m pytest -m "not slow and not alone and not drill" --hypothesis-profile=fast $(SIDE_BY_SIDE) $(ARGS)

lint: $(VENV)/installed-dev ## format, lint and types
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy

drill: $(VENV)/installed-dev ## what is promised while processes, RabbitMQ and Postgres are killed, and ports attacked
	@$(BIN)/python -m tests.faults $(ARGS)

bench: $(VENV)/installed-dev ## how fast it is, each number beside what it is measured against
	@$(BIN)/python -m tests.benchmarks $(ARGS)

docs: $(VENV)/installed-dev ## these pages as a website with search, in build/docs-site/site
	@$(BIN)/python -m deploy.docs_site build/docs-site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --config-file build/docs-site/mkdocs.yml
	@echo 'open build/docs-site/site/index.html'

clean: ## removes what make made; your data in .data stays
	rm -rf $(VENV) .venv-peers .services .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis build dist *.egg-info

# The stamps hold the locks that were installed: an unchanged lock is never installed again.
$(VENV)/installed: requirements.lock pyproject.toml | $(VENV)/made
	@deploy/install requirements.lock $@

$(VENV)/installed-dev: requirements-dev.lock pyproject.toml | $(VENV)/made
	@deploy/install requirements-dev.lock $@
	@touch $(VENV)/installed

$(VENV)/made:
	@deploy/make-venv "$(PYTHON)" $(VENV)
