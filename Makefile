PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2
STAMP  := $(VENV)/.installed

.PHONY: help install demo check fix test test-all lock clean

help:            ## Show this list
	@grep -E '^[a-z-]+: .*##|^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

install: $(STAMP) ## Make the virtual environment from the lock file

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(STAMP)   ## Erase people from a model on this machine, from request to certificate
	$(BIN)/python infra/demo/run.py

check: $(STAMP)  ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

fix: $(STAMP)    ## Format and apply safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(STAMP)   ## All tests that need neither a GPU nor many minutes
	$(BIN)/python -m pytest -m "not slow and not gpu" -n $(WORKERS) --dist loadfile

test-all: $(STAMP) ## Every test this machine can run
	$(BIN)/python -m pytest

lock: $(STAMP)   ## Write requirements.lock from the installed environment
	$(BIN)/python -m pip freeze --exclude-editable | sed -E 's/^(torch==[0-9.]+)\+.*/\1/' > requirements.lock

clean:           ## Remove the virtual environment and the demo's state
	rm -rf $(VENV) .demo
