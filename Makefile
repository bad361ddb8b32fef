# demo and test do everything on a fresh machine that has Python 3.11+, make and pip.
PYTHON ?= python3
BIN := .venv/bin
SHARED ?= ../shared/data

.PHONY: demo test check lint bench docs data clean

demo: .venv/.demo
	$(BIN)/mnemosyne demo

test: .venv/.dev
	$(MAKE) --no-print-directory check

check:
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/python -m pytest -q $(PYTEST_OPTIONS)

lint: .venv/.dev
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/mypy

bench: .venv/.dev
	for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

docs: .venv/.dev
	$(BIN)/python -m mnemosyne.cli.reference docs/cli.md

data: .venv/.dev
	$(BIN)/python -m mnemosyne.lims.build_sets

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build dist

.venv/bin/python:
	$(PYTHON) -m venv .venv

# A stamp appears only when its installation is whole.
.venv/.demo: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[local,postgres]'
	touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[local,postgres,train,cluster,dev]'
	touch $@
