# Two commands matter: `make app` and `make test`. Each sets up all it needs, in .venv.
PORT ?= 8501
WORKSPACE ?= workspaces/demo
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
APP_READY := $(VENV)/.requirements
TEST_READY := $(VENV)/.requirements-dev

.PHONY: app test check bench clean help

help:
	@echo "make app [PORT=8501] [WORKSPACE=workspaces/demo]   make the demo if needed and open the app"
	@echo "make test                                          style, types and all tests"
	@echo "make check                                         style and types only"
	@echo "make bench                                         measure speed and memory"
	@echo "make clean                                         remove .venv and caches (workspaces stay)"

app: $(APP_READY)
	@if [ ! -f "$(WORKSPACE)/workspace.yaml" ] || [ "$(WORKSPACE)" = workspaces/demo ]; then \
		$(BIN)/python -m mravff_core demo --workspace "$(WORKSPACE)"; fi
	$(BIN)/python -m app --workspace "$(WORKSPACE)" --port $(PORT)

test: check
	sh tests/find_browser.sh $(BIN)/python
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadgroup

check: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(TEST_READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; say which with PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# PyTorch comes first and alone, so that a CPU build found by pip is kept by all that follows.
$(APP_READY): requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $$(grep '^torch==' requirements.txt)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(TEST_READY): requirements-dev.txt $(APP_READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
