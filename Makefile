PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 3
STAMP  := $(VENV)/.installed
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
# The lock files are complete, and pip's own resolver fails over extras when it wants hashes.
LOCKED := $(PIP) install --no-deps --require-hashes

.PHONY: help install hooks demo ui check fix test test-core test-tasks test-all models coverage docs matrix faults \
        histories bench fuzz lock clean

help:            ## Show this list
	@grep -E '^[a-z-]+: .*##|^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

install: $(STAMP) ## Make the virtual environment from the lock file

# PyTorch's build for CPUs alone is not on PyPI: who is served it, as a file or by an index of its
# own, takes it, and everybody else takes PyPI's. TORCH=torch or TORCH=torch-cpu decides it.
$(STAMP): requirements.lock requirements-torch.lock requirements-torch-cpu.lock requirements-oracle.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@torch=$(TORCH); test "$$torch" || \
	{ $(LOCKED) --dry-run -r requirements-torch-cpu.lock >/dev/null 2>&1 \
	  && torch=torch-cpu || torch=torch; }; \
	echo "$(LOCKED) -r requirements.lock -r requirements-$$torch.lock"; \
	$(LOCKED) -r requirements.lock -r requirements-$$torch.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check
	$(LOCKED) --upgrade --target $(VENV)/oracle -r requirements-oracle.lock
	@touch $@

hooks: $(STAMP)  ## Format and lint whatever is committed from now on
	$(BIN)/pre-commit install

demo: $(STAMP)   ## Erase people from a model on this machine, from request to certificate
	$(BIN)/python infra/demo/run.py

ui: $(STAMP)     ## Show the demo in MLflow and Prefect; stop with Ctrl-C
	@echo "MLflow http://127.0.0.1:5000   Prefect http://127.0.0.1:4200"
	@export DO_NOT_TRACK=true MLFLOW_DISABLE_TELEMETRY=true PREFECT_SERVER_ANALYTICS_ENABLED=false \
	PREFECT_HOME=$(CURDIR)/.demo/prefect; trap 'kill 0' EXIT INT TERM; \
	$(BIN)/mlflow server --host 127.0.0.1 --port 5000 --workers 1 \
	  --backend-store-uri sqlite:///$(CURDIR)/.demo/mlflow.db & \
	$(BIN)/prefect server start --host 127.0.0.1 --port 4200; wait

check: $(STAMP)  ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

fix: $(STAMP)    ## Format and apply safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# In the order of their names: the flow tests, which take longest, begin first. Three of them keep two
# cores at work, for each waits for servers now and then.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
test: $(STAMP)   ## All tests that need neither a GPU nor many minutes
	$(PYTEST) -m "not slow and not gpu and not models" $(ARGS)

test-core: $(STAMP) ## The mathematics and the decisions alone: no server, no file
	$(PYTEST) -m "not slow and not gpu and not models" tests/unlearning $(ARGS)

test-tasks: $(STAMP) ## Whatever touches an outside system, one room at a time
	$(PYTEST) -m "not slow and not gpu and not models" tests/tasks $(ARGS)

coverage: $(STAMP) ## The same as test, and which branches no test takes; half as slow again
	$(PYTEST) -m "not slow and not gpu and not models" --cov --cov-report=term:skip-covered $(ARGS)

docs: $(STAMP)   ## Build the documentation; open build/site/index.html
	$(BIN)/mkdocs build --strict

test-all: $(STAMP) ## Every test this machine can run
	$(BIN)/python -m pytest

# A Python of its own, which sees everything of the first one: recipes run in it, too.
MODELS := $(VENV)/models
$(MODELS)/.installed: requirements-models.lock tests/models/torchvision_operators.py $(STAMP)
	$(BIN)/python -m venv --clear --without-pip $(MODELS)
	$(PIP) --python $(MODELS)/bin/python install --no-deps --require-hashes -r requirements-models.lock
	@site='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	theirs=$$($(BIN)/python -c "$$site"); ours=$$($(MODELS)/bin/python -c "$$site"); \
	cp tests/models/torchvision_operators.py $$ours; \
	printf 'import site; site.addsitedir("%s")\nimport torchvision_operators\n' $$theirs > $$ours/expunge.pth
	@touch $@

models: $(MODELS)/.installed ## Models of other libraries, each from its log_model to a certificate
	OMP_NUM_THREADS=1 $(MODELS)/bin/python -m pytest -n $(WORKERS) --dist loadfile -m models tests/models $(ARGS)

matrix: $(STAMP) ## Kill a run at every call that changes something; ARGS="--during nan-always"
	PYTHONPATH=.:tests OMP_NUM_THREADS=1 $(BIN)/python -m matrix.driver $(ARGS)

FAMILY ?= scenarios
faults: $(STAMP) ## Let a system answer wrongly, and look; FAMILY=scenarios points contenders s3 mlflow
	PYTHONPATH=.:tests OMP_NUM_THREADS=1 $(BIN)/python -m matrix.fault_driver $(FAMILY) $(ARGS)

HISTORIES ?= 500
histories: $(STAMP) ## Let people, the lake and the registry do anything in any order; HISTORIES=500
	HISTORIES=$(HISTORIES) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow tests/histories $(ARGS)

DATA  ?= infra/demo
bench: $(STAMP)  ## Measure every method against retraining; DATA=directory of data sets
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.run --data $(DATA) $(ARGS)

FUZZ_SECONDS ?= 60
fuzz: $(STAMP)   ## Throw bytes at the reader of request files; FUZZ_SECONDS=60
	$(PIP) install --no-deps --upgrade --target $(VENV)/fuzz atheris==3.0.0
	PYTHONPATH=.:$(VENV)/fuzz $(BIN)/python tests/fuzz/request_files.py $(VENV)/fuzz/corpus \
	  -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(VENV)/fuzz/finding-

lock: $(STAMP)   ## Write the lock files anew; ARGS="--upgrade-package NAME"
	$(PIP) install --no-deps --upgrade --target $(VENV)/uv uv==0.13.9
	PYTHONPATH=$(VENV)/uv $(BIN)/python infra/lock.py $(ARGS)

clean:           ## Remove the virtual environment and the demo's state
	rm -rf $(VENV) .demo
