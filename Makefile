# Warmline: everything a stranger or a developer types.  `make help` lists it.

SHELL := /bin/sh
VENV ?= .venv
PY := $(VENV)/bin/python
SET_UP := tools/setup_env.sh tools/find_python.sh tools/link_package.py
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help run test test-long bench bench-full check fmt lock docs clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

run: $(VENV)/.ready ## set up and start the demo on http://127.0.0.1:8080 (PORT, WARMLINE_DATA, DESK=dixa)
	@WARMLINE_PORT="$${PORT:-$${WARMLINE_PORT:-}}" exec $(PY) -m warmline demo $${DESK:+--desk "$$DESK"}

test: $(VENV)/.ready-dev ## set up and run every check and test
	@exec tools/test.sh $(PY)

test-long: $(VENV)/.ready-dev ## the tests that take minutes
	@exec $(PY) -m pytest -m long -n 2 --timeout 1800

bench: $(VENV)/.ready-dev ## measure, beside the floor of this machine
	@exec $(PY) -m bench

bench-full: $(VENV)/.ready-dev ## the same with 10,000 widgets and longer rounds
	@exec $(PY) -m bench --full

check: $(VENV)/.ready-dev ## only the static checks
	@exec tools/test.sh $(PY) --checks-only

fmt: $(VENV)/.ready-dev ## format the code and repair what can be repaired
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

lock: $(VENV)/.ready-dev ## write the lock files again after pyproject.toml changed
	@$(PY) tools/lock.py

docs: $(VENV)/.ready-dev ## write warmline.default.toml, docs/settings.md, docs/events.md and docs/desks/README.md again
	@$(PY) tools/write_settings.py
	@$(PY) tools/write_events.py
	@$(PY) tools/write_protocol.py
	@$(PY) tools/write_matrix.py

clean: ## remove the virtual environment and the caches, never the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/.ready: requirements.txt $(SET_UP)
	@tools/setup_env.sh $(VENV) requirements.txt
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt $(SET_UP)
	@tools/setup_env.sh $(VENV) requirements-dev.txt
	@touch $(VENV)/.ready $@
