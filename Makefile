# make book | html | test | figures | bench | clean: each sets up .venv by itself, once for each state of
# pyproject.toml and constraints.txt. Needs python3 (3.11 or newer) with its venv module; everything else is fetched.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

# Side by side beats threads inside, and outputs must not depend on settings of the user's.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export PYTHONHASHSEED := 0
export PYTHONNOUSERSITE := 1
export MATPLOTLIBRC := /dev/null
export JUPYTER_PREFER_ENV_PATH := 1
unexport PYTHONPATH

# $(call set-up,extra): make .venv hold the package with this extra, unless it already does. Bytecode is left to the first
# import, which needs a fraction of it and saves half a minute here.
define set-up
@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer (Debian, Ubuntu: apt-get install python3 python3-venv)." >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) -V) is too old: Python 3.11 or newer is needed (choose one with make PYTHON=...)." >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "The venv module of $(PYTHON) is missing: install it (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
@state="$$( (pwd; $(PYTHON) -V; cat pyproject.toml constraints.txt) | cksum)"; \
if [ "$$state" != "$$(cat $(VENV)/set-up-$(1) 2> /dev/null)" ]; then \
	set -e; echo "Setting up $(VENV) for '$(1)' ..."; \
	$(RUN) -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV); \
	$(RUN) -m pip install --quiet --no-compile --disable-pip-version-check -e '.[$(1)]' -c constraints.txt; \
	echo "$$state" > $(VENV)/set-up-$(1); \
fi
endef

.PHONY: book html test figures bench clean set-up-book set-up-test set-up-bench

book: set-up-book
	$(RUN) -m marlpaper.cli reproduce
	$(VENV)/bin/jupyter-book build . -W --keep-going -n

# The book from the committed outputs: nothing is executed.
html: set-up-book
	$(VENV)/bin/jupyter-book build . -W --keep-going -n

figures: set-up-book
	$(RUN) -m marlpaper.cli figures

# Both runs are made even if the first fails; the notebooks leave their results in a folder that is thrown away.
test: set-up-test
	@status=0; \
	$(RUN) -m pytest || status=1; \
	if [ -n "$(NOTEBOOKS)" ]; then \
		MARLPAPER_RESULTS="$$(mktemp -d)"; export MARLPAPER_RESULTS; \
		$(RUN) -m pytest --nbval --nbval-current-env --nbval-sanitize-with tests/nbval.cfg \
			-n 2 --dist loadfile -W default $(NOTEBOOKS) || status=1; \
		rm -r "$$MARLPAPER_RESULTS"; \
	fi; \
	exit $$status

bench: set-up-bench
	$(RUN) -m benchmarks

clean:
	rm -rf _build .cache runs .pytest_cache .hypothesis .benchmarks

set-up-book:
	$(call set-up,book)

set-up-test:
	$(call set-up,test)

set-up-bench:
	$(call set-up,bench)
