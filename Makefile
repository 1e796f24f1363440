# `make lab` to learn, `make test` to check everything, `make help` for the rest.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
VENV_COLAB ?= .venv-colab
PYTHON ?=
PYTHON_COLAB ?=
LOCK ?=
PY := $(VENV)/bin/python
PY_COLAB := $(VENV_COLAB)/bin/python
OFFLINE := HF_HUB_OFFLINE=1 COURSE_LANE=clay TRANSFORMERS_VERBOSITY=error
LAB_ARGS ?= $(if $(filter 0,$(shell id -u)),--allow-root)
JOBS ?= 2
N ?=
STAGE ?=
# Side by side, a file to a process with one thread: two programs of many threads slow each other down.
SIDE_BY_SIDE = OMP_NUM_THREADS=1 $(OFFLINE)
SPREAD = -n $(JOBS) --dist loadfile
LESSONS = $(shell ls -r notebooks/*.ipynb)  # the last ones take longest: they begin

export JUPYTER_PREFER_ENV_PATH := 1
export PYTHONUNBUFFERED := 1


.PHONY: help setup setup-colab lab test test-unit test-notebooks test-colab notebooks lesson models results bench gpu

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## the environment, if it is missing or old; LOCK=requirements.lock or requirements-cpu.lock insists
	@tools/make_venv.sh $(VENV) "$(LOCK)" "$(PYTHON)" 3.11 3.12 3.13 3.14

setup-colab:
	@tools/make_venv.sh $(VENV_COLAB) requirements-colab.lock "$(PYTHON_COLAB)" 3.13

lab: setup ## JupyterLab on lesson 00, in the clay lane
	COURSE_LANE=clay $(PY) -m jupyter lab $(LAB_ARGS) notebooks/00_start_here.ipynb

test: setup ## everything: style, unit tests, browser, every notebook; no network
	$(PY) -m ruff check .
	$(SIDE_BY_SIDE) $(PY) -m pytest tests --ignore=tests/sd15 --ignore=tests/widgets $(SPREAD)
	chromium=$$(tools/find_chromium.sh) && $(SIDE_BY_SIDE) COURSE_CHROMIUM="$$chromium" $(PY) -m pytest tests/widgets
	$(SIDE_BY_SIDE) $(PY) -m pytest --nbval $(LESSONS) $(SPREAD)

test-unit: setup ## style and the quick tests only: no training, no browser, no notebooks
	$(PY) -m ruff check .
	$(SIDE_BY_SIDE) $(PY) -m pytest tests --ignore=tests/recipe --ignore=tests/sd15 -m "not slow and not browser" $(SPREAD)

test-notebooks: setup ## the notebooks only
	$(SIDE_BY_SIDE) $(PY) -m pytest --nbval $(LESSONS) $(SPREAD)

test-colab: setup-colab ## under Colab's versions: unit tests, lessons 00, 01, and all lessons on the sd15 lane
	$(SIDE_BY_SIDE) $(PY_COLAB) -m pytest tests/unit $(SPREAD)
	$(SIDE_BY_SIDE) $(PY_COLAB) -m pytest tests/widgets -m "not browser"
	$(SIDE_BY_SIDE) $(PY_COLAB) -m pytest --nbval notebooks/00_*.ipynb notebooks/01_*.ipynb $(SPREAD)
	$(SIDE_BY_SIDE) $(PY_COLAB) -m pytest tests/sd15 -n $(JOBS)

notebooks: setup ## sources to executed notebooks, only what changed (N=01 for one)
	chromium=$$(tools/find_chromium.sh) && COURSE_CHROMIUM="$$chromium" $(PY) -m tools.build $(N)
	$(PY) -m tools.gallery

lesson: setup ## run one lesson, N=01, into an HTML page under build/
	$(PY) -m tools.lesson $(N)

models: setup ## train the clay family and the judge anew (hours), then list the assets (STAGE=judge for one)
	stages="$(STAGE)"; \
	[ -n "$$stages" ] || stages=$$($(PY) -c 'from course_utils.recipe.__main__ import STAGES; print(*STAGES)'); \
	for stage in $$stages; do $(PY) -m course_utils.recipe "$$stage"; done
	$(PY) -m tools.assets

results: setup ## the tables that take minutes
	$(PY) -m course_utils.recipe.tables
	$(PY) -m tools.assets

bench: setup ## measure against the bare libraries
	shopt -s nullglob; for file in benchmarks/[!_]*.py; do $(OFFLINE) $(PY) "$$file"; done

gpu: ## the sd15 lane at true size, random weights: seconds, peaks, finite or not; no setup, no network (PY=python3)
	HF_HUB_OFFLINE=1 COURSE_LANE=sd15 TRANSFORMERS_VERBOSITY=error $(PY) -m tools.true_size
