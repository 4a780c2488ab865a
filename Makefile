# Each target sets up .venv from requirements.lock by itself, once and again when the lock changes.
STUDY ?= mini
ONLY ?=
REASK ?= 100
SEED ?=
CORES ?= 2
PYTHON ?=
BIN := .venv/bin

# Snakemake, pip and matplotlib need a cache; where the home folder cannot be written, it lies here.
ifneq ($(shell d="$${XDG_CACHE_HOME:-$$HOME/.cache}"; mkdir -p "$$d" 2>/dev/null && test -w "$$d" && echo yes),yes)
export XDG_CACHE_HOME := $(CURDIR)/.cache
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib
endif

.DEFAULT_GOAL := help
.PHONY: help study robustness report check audit agree snapshot readme pages release notebooks reference bench lint test test-paper test-faults test-slurm

help: # show the targets, group by group
	@sed -nE 's/^##@ (.*)/\n\1/p; s/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20
	@echo
	@echo "Options: STUDY=$(STUDY) (a file in config/studies/, or a path), CORES=$(CORES), PYTHON=<python 3.11 or newer>"
	@echo "  make audit REASK=all  asks every model everything again; REASK=<number of each answer file>, REASK= for none"
	@echo "  make study ONLY=\"model=llava method=manu,npo ratio=10 seed=0\" runs these cells alone; each key may be left out"

##@ Run a study
study: .venv/.installed ## Run a whole study: data, models, unlearning, answers, tables, figures
	@$(BIN)/snakemake --cores $(CORES) --config study="$(STUDY)" only="$(ONLY)"

robustness: .venv/.installed ## Attack every model of a study, and forget in turn: results/<study>/report/robustness.html
	@$(BIN)/snakemake --cores $(CORES) --config study="$(STUDY)" -- robustness

report: study ## The study as one page: results/<study>/report/index.html

##@ Look and check
check: .venv/.installed ## Check a study's configuration; run nothing
	@$(BIN)/manu check --study "$(STUDY)"

audit: .venv/.installed ## Check every number of a finished study and every file behind it, and ask the models again
	@$(BIN)/manu audit --all --study "$(STUDY)" $(if $(REASK),--reask $(REASK)) $(if $(SEED),--seed $(SEED))

agree: .venv/.installed ## Does a finished study say the same as the released results? STRICT=1: exit 1 if not
	@$(BIN)/manu agree --study "$(STUDY)" $(if $(WITH),--with "$(WITH)") $(if $(STRICT),--strict)

release: .venv/.installed ## Write release/manu-<study>.tar.gz: all but the checkpoints, auditable by itself
	@$(BIN)/manu release --study "$(STUDY)"

notebooks: .venv/.notebooks ## Look inside a finished study with JupyterLab: notebooks/
	@MANU_STUDY="$(notdir $(basename $(STUDY)))" $(BIN)/jupyter lab notebooks

##@ Develop
snapshot: .venv/.installed ## Put a finished study's tables and figures into reference/
	@$(BIN)/manu snapshot --study "$(STUDY)"
	@$(BIN)/python -m manu.audit.pages

readme: .venv/.installed ## The same, and its numbers into README.md
	@$(BIN)/manu readme --study "$(STUDY)"
	@$(BIN)/python -m manu.audit.pages

pages: .venv/.installed ## Fill the numbers in README.md and docs/ from results/reference/
	@$(BIN)/python -m manu.audit.pages

reference: .venv/.installed ## Write config/study.schema.json and the table of config/README.md from the study's models
	@$(BIN)/python -m manu.study.reference --write

bench: .venv/.installed ## Measure speed, memory and intervals: results/bench/ (docs/performance.md); ONLY=statistics: one question
	@$(BIN)/python -m benchmarks --only "$(ONLY)" --study "$(STUDY)"

lint: .venv/.installed ## Check the format (ruff), the rules (ruff) and the types (mypy) of all Python files
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy

test: .venv/.installed ## Run all tests, the smoke study included
	@$(BIN)/python -m pytest -n auto --maxprocesses $(CORES) --dist loadfile --no-loadscope-reorder

test-paper: .venv/.installed ## Run the study `paper` offline on the published files in small, to its report and audit
	@$(BIN)/python -m pytest -rP tests/paper

test-faults: .venv/.installed ## Kill a small study at random moments; each time the next run must finish it, the same
	@$(BIN)/python -m pytest -rP tests/faults

test-slurm: .venv/.slurm ## Run a small study through a Slurm set up on this machine for it (Debian, as root)
	@$(BIN)/python -m pytest tests/slurm

.venv/.installed: requirements.lock pyproject.toml
	@python=; for candidate in $(or $(PYTHON),python3.11 python3.12 python3.13 python3 python); do \
	    if said=$$("$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python " + sys.version)' 2>&1); \
	    then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "error: Python 3.11 or newer is needed; none found as: $(or $(PYTHON),python3.11 python3.12 python3.13 python3 python). Install one, or name it: make PYTHON=/path/to/python3.11 ...$(if $(PYTHON), $(PYTHON) said: $$(echo $$said))" >&2; exit 2; \
	fi; \
	echo "Setting up .venv (once): creating the environment with $$("$$python" --version)"; \
	"$$python" -m venv .venv
	@echo "Setting up .venv: installing $$(grep -c '^[^#].*==' requirements.lock) packages of requirements.lock (takes minutes)"
	@$(BIN)/python -m pip install --quiet -r requirements.lock
	@echo "Setting up .venv: installing manu"
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

.venv/.slurm: .venv/.installed
	@echo "Setting up .venv: installing what the Slurm test needs"
	@$(BIN)/python -m pip install --quiet --no-build-isolation -r requirements.lock -e '.[slurm]'
	@touch $@

.venv/.notebooks: .venv/.installed
	@echo "Setting up .venv: installing what the notebooks need"
	@$(BIN)/python -m pip install --quiet --no-build-isolation -r requirements.lock -e '.[notebooks]'
	@touch $@
