# `make demo` and `make test` do everything on a fresh machine that has Python 3.11+, make and a network.
PYTHON ?= python3
BIN := .venv/bin
CODE := $(wildcard src tests benchmarks examples)
# Two at a time; the tests of a file stay together, so that they share what they set up.
PYTEST_OPTIONS ?= -n 2 --dist loadscope
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test check lint bench docs data clean

demo: .venv/.demo
	$(BIN)/mnemosyne demo

test: .venv/.dev
	$(MAKE) --no-print-directory check

# What `make test` checks, without installing anything first.
check:
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/python -m pytest -q $(PYTEST_OPTIONS)

lint: .venv/.dev
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/mypy

# Every benchmark, the shortest way that it knows; one that fails, or misses its bar, does not keep the others from running.
bench: .venv/.dev
	@failed=; for file in benchmarks/*.py; do \
		quick=$$(grep -o -m 1 -e '"--quick"' $$file | tr -d '"'); \
		echo "== $$file $$quick"; \
		$(BIN)/python $$file $$quick || failed="$$failed $$file"; \
	done; test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

docs: .venv/.dev
	$(BIN)/python -m mnemosyne.cli.reference docs/cli.md

# The generated data sets, bit for bit, and their reports; finished blocks are kept, so a stopped run goes on.
data: .venv/.dev
	$(BIN)/python -m mnemosyne.lims.build_sets --docs docs

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache build dist

.venv/bin/python:
	$(PYTHON) -m venv .venv

# A stamp appears only when its installation is whole.
.venv/.demo: .venv/bin/python pyproject.toml
	$(PIP) -e '.[local,postgres]'
	touch $@

.venv/.dev: .venv/bin/python pyproject.toml
	$(PIP) 'torch==2.13.0'
	$(PIP) -e '.[local,postgres,train,cluster,dev]'
	touch $@
