# Needs Python 3.11, 3.12 or 3.13, git and make. `make help` lists what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := demo
.PHONY: demo test lint repro cluster ui site notebooks recording picture bench mutants lock release clean help venv

# DVC's stages call `unroll`: it must be found by name. Make 3.81 finds its own commands without this PATH.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONPATH PYTHONHOME
# Packages come uncompiled: unless what the first import compiles is kept, every start pays for it.
unexport PYTHONDONTWRITEBYTECODE
TF_CPP_MIN_LOG_LEVEL ?= 3
export TF_CPP_MIN_LOG_LEVEL
export DVC_NO_ANALYTICS := 1
export PYTHON UPGRADE

# A relative mirror is meant from here, but stages run in their workspace.
ifneq ($(UNROLL_MIRROR),)
ifeq ($(filter /%,$(firstword $(UNROLL_MIRROR)))$(findstring ://,$(UNROLL_MIRROR)),)
override UNROLL_MIRROR := $(CURDIR)/$(UNROLL_MIRROR)
endif
export UNROLL_MIRROR
endif

demo: venv ## train some experiments, offline, and hold them against the committed results (the default)
	@.venv/bin/unroll demo

test: lint ## check style, types, imports, and run the tests (PYTEST=--long: random trials in full)
	@.venv/bin/python -m pytest --numprocesses logical --dist loadfile --no-loadscope-reorder $(PYTEST)

lint: venv ## check format, style, types and imports
	@.venv/bin/ruff format --check --quiet
	@.venv/bin/ruff check
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

repro: venv ## rebuild the real results (UNROLL_MIRROR=folder or URL is asked first for data)
	@.venv/bin/unroll repro

cluster: venv ## build the demo on a Dask cluster of this machine and compare its bytes with the local ones
	@PYTHONPATH=. .venv/bin/python tools/demo_on_cluster.py

ui: venv ## show the records in the browser (MLflow; ROOT=.demo: those of the demo; PORT=5002)
	@.venv/bin/unroll $(if $(ROOT),--root $(ROOT)) ui $(if $(PORT),--port $(PORT))

site: ## build the site and run the notebooks, all in .site
	@tools/venv docs
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet --strict

notebooks: ## put a kernel for docs/notebooks into .venv, and say how to open them
	@tools/venv docs
	@echo "The kernel is .venv/bin/python. In VS Code, open docs/notebooks/003.ipynb and choose it."
	@echo "A Jupyter of your own lists it as unroll after: .venv/bin/python -m ipykernel install --user --name unroll"

recording: venv ## run the demo anew and take its picture: docs/demo.svg
	@.venv/bin/python tools/recording.py

picture: venv ## take the picture of the committed page, docs/page.png
	@PYTHONPATH=. .venv/bin/python tools/picture.py

bench: ## measure speed, write docs/performance.md (BENCH="peers --quick": a part, a trial; BENCH=-h: all parts)
	@tools/venv bench
	@.venv-bench/bin/python -m pytest -q tests/bench/peers/test_agreement.py
	@.venv-bench/bin/python -m bench $(BENCH)

mutants: venv ## change one operator at a time, and print what no test notices (COUNT=150 SEED=87 FOLDERS="unroll/series pipeline/evaluation")
	@.venv/bin/python -m tests.mutants $(or $(COUNT),150) $(or $(SEED),87) $(or $(FOLDERS),unroll/series pipeline/evaluation)

venv: ## set up .venv, which the other targets do by themselves; then `unroll` is in .venv/bin
	@tools/venv

lock: venv ## make every lock again (UPGRADE=--upgrade: the newest of everything)
	@tools/lock uv
	@tools/lock
	@tools/lock bench

release: venv ## build wheel and source distribution into dist/, try both, and print how to publish them
	@tools/release

clean: ## remove the demo, scratch files and tools' caches; data, results, records, .venv and unfinished trainings stay
	@[ ! -d .unroll ] || find .unroll -mindepth 1 -maxdepth 1 ! -name finished ! -name checkpoints -exec rm -rf {} +
	@rm -rf .demo .site dvc_plots .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis unroll.egg-info
	@find pipeline stages unroll tests bench -name __pycache__ -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile
