# Two commands do everything on a fresh machine: `make prove` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: prove test docs census machine mutants faults hints second-opinion stability compiled bench fuzz clean

prove: .venv/installed
	$(BIN)/memoracle prove --contracts

test: .venv/installed
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist worksteal -q

# The site, in build/site. To read it with its search: python3 -m http.server -d build/site
docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What takes minutes: every state of a buddy system of sixteen pages is visited and counted, and what is built is
# installed into empty environments, which fetches what it depends on.
census: .venv/installed
	$(BIN)/pytest -q -m long -o faulthandler_timeout=0

# An emulated processor walks the reference's page tables: a million loads.
machine: .venv/installed
	$(BIN)/python -m memoracle.proofs.emulator.run

# Seeded faults: some claim must refute each. For instance: make mutants ARGS='pat bitmap --jobs 1'
mutants: .venv/installed
	$(BIN)/python -m memoracle.proofs.mutation.score $(ARGS)

# Faults made by hand: the obligation that each names must refute it.
faults: .venv/installed
	$(BIN)/python -m memoracle.proofs.mutation.faults

# Which hypotheses each proof needs: found again after a change of the law or the code, so that proofs stay quick.
hints: .venv/installed
	$(BIN)/python -m memoracle.proofs.find_unsat_cores

# A second solver is asked every goal with bit vectors.
second-opinion: .venv/installed
	$(BIN)/python -m memoracle.proofs.second_opinion

# Every claim with ten seeds of the solver, as long as ten proofs of all. For instance: make stability ARGS='pat boot'
stability: .venv/installed
	$(BIN)/python -m memoracle.proofs.stability $(ARGS)

# Spoilt inputs for every reader, a million of them: half an hour of a processor. For instance: make fuzz ARGS='--inputs 20000 --seed 7'
fuzz: .venv/installed
	cd tests/oracle && ../../$(BIN)/python -m fuzzing $(ARGS)

# The optional wheel that has the replay's modules compiled besides, in build/wheels, and installed in build/compiled. It
# needs a C compiler and takes minutes.
compiled: .venv/installed
	rm -rf build/lib.* build/temp.* build/compiled build/compiled_sources build/wheels
	MEMORACLE_COMPILED=1 $(BIN)/python -m build --wheel --no-isolation --outdir build/wheels
	$(BIN)/pip install --quiet --no-deps --no-index --target build/compiled build/wheels/*.whl

bench: .venv/installed
	$(BIN)/python -m benchmarks --growth --sharing

# Solver versions change verdicts, so what is installed is pinned by constraints.txt.
# All is compiled once: commands start in half the time, also where Python is not to write bytecode.
# A module that is new is not importable until it is installed: hence the folders.
.venv/installed: pyproject.toml setup.py constraints.txt $(shell find spec impl proofs oracle -type d -not -name __pycache__)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]' --config-settings editable_mode=strict
	$(BIN)/python -m compileall -q -j 0 build
	touch $@

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz
