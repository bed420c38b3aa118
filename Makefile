# Two commands on a fresh machine: `make demo`, `make test`. `make lab` opens the tour in JupyterLab.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test server lab bench check notebooks clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.installed
	@$(BIN)/python -m kestra_magic demo

test: $(VENV)/.installed-test check
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not server and not browser"
	@$(BIN)/python -m pytest -m "browser and not slow" tests/browser
	@rm -rf .artefacts/nbval
	@XDG_DATA_HOME=$(CURDIR)/.artefacts/nbval $(BIN)/python -m pytest --nbval --nbval-current-env --nbval-sanitize-with tests/sanitize.cfg notebooks/*.ipynb -p no:cacheprovider

check: $(VENV)/.installed-test
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin kestra_magic/process
	@$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 --follow-imports silent $(WINDOWS)

# Saved anew after a change of what cells show; pip is kept quiet, because what it says is this machine's.
notebooks: $(VENV)/.installed-test
	@PIP_QUIET=2 XDG_CACHE_HOME=/tmp/cache $(BIN)/python -m nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False notebooks/*.ipynb

# Against Kestra's own engine, fetched by Maven; where it cannot run, the reason is told.
server: $(VENV)/.installed-test
	@$(BIN)/python -m pytest -m server tests/server

lab: $(VENV)/.installed-lab
	@$(BIN)/jupyter lab notebooks/quickstart.ipynb

bench: $(VENV)/.installed-test
	@$(BIN)/python -m benchmarks

# The folder may have been copied from elsewhere: its .venv then points to the old place and is made anew.
$(VENV)/.made:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is missing: apt install python3"; exit 1; fi
	@$(PYTHON) -c "import venv, ensurepip" 2>/dev/null || { echo "Python's venv is missing: apt install python3-venv"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@pwd > $@

.PHONY: moved
moved:
	@[ "$$(cat $(VENV)/.made 2>/dev/null)" = "$$(pwd)" ] || rm -rf $(VENV)
	@[ -e $(VENV)/.made ] || $(MAKE) --no-print-directory $(VENV)/.made

define install
	@echo "installing into $(VENV) …"
	@$(BIN)/python -m pip install -q --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install -q -e $(1)
	@touch $@
endef

$(VENV)/.installed: pyproject.toml | moved
	$(call install,"." --group demo)

$(VENV)/.installed-test: pyproject.toml | moved
	$(call install,".[dask$(comma)gpu$(comma)jq$(comma)kestra$(comma)keyring]" --group test --group lab)
	@touch $(VENV)/.installed

$(VENV)/.installed-lab: pyproject.toml | moved
	$(call install,"." --group lab)
	@touch $(VENV)/.installed

comma := ,

# What is imported on Windows; the rest of the room is for POSIX alone.
WINDOWS := $(addprefix kestra_magic/process/,$(addsuffix .py,awaited child events helpers hidden job lines listening logs \
	recorder supervise sweep tail usage windows wire written))

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .artefacts
