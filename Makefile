# make book | html | test | quick | figures | bench | upgrade | clean: each sets up .venv by itself, once for each state of
# pyproject.toml and constraints.txt. Needs python3 (3.11 or newer) with its venv module; everything else is fetched.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
OLDEST_PYTHON := 3.11.0
NOTEBOOKS ?= $(wildcard notebooks/*.ipynb)

# Side by side beats threads inside, and outputs must not depend on settings of the user's.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export PYTHONHASHSEED := 0
export PYTHONNOUSERSITE := 1
export MATPLOTLIBRC := /dev/null
export JUPYTER_PREFER_ENV_PATH := 1
unexport PYTHONPATH

# A Python that will do, or a sentence that says what to install.
define check-python
@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer (Debian, Ubuntu: apt-get install python3 python3-venv)." >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) -V) is too old: Python 3.11 or newer is needed (choose one with make PYTHON=...)." >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "The venv module of $(PYTHON) is missing: install it (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
endef

# $(call set-up,extra): make .venv hold the package with this extra, unless it already does. Bytecode is left to the first
# import, which needs a fraction of it and saves half a minute here.
define set-up
$(check-python)
@state="$$( (pwd; $(PYTHON) -V; cat pyproject.toml constraints.txt) | cksum)"; \
if [ "$$state" != "$$(cat $(VENV)/set-up-$(1) 2> /dev/null)" ]; then \
	set -e; echo "Setting up $(VENV) for '$(1)' ..."; \
	$(RUN) -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV); \
	$(RUN) -m pip install --quiet --no-compile --disable-pip-version-check -e '.[$(1)]' -c constraints.txt; \
	echo "$$state" > $(VENV)/set-up-$(1); \
fi
endef

.PHONY: book html test test-package test-notebooks quick reseed mutate figures bench upgrade clean set-up-book set-up-test set-up-bench

book: set-up-book
	$(RUN) -m marlpaper.cli reproduce
	$(VENV)/bin/jupyter-book build . -W --keep-going -n

# The book from the committed outputs: nothing is executed.
html: set-up-book
	$(VENV)/bin/jupyter-book build . -W --keep-going -n

figures: set-up-book
	$(RUN) -m marlpaper.cli figures

# Both are made even if the first fails.
test: set-up-test
	@status=0; $(MAKE) --no-print-directory test-package || status=1; $(MAKE) --no-print-directory test-notebooks || status=1; exit $$status

test-package: set-up-test
	$(RUN) -m pytest --durations=20

# Every committed notebook against a fresh run, which leaves its results in a folder that is thrown away; with EXECUTED=folder
# against the notebooks that `make book` has just executed there, which runs nothing twice.
test-notebooks: set-up-test
	@MARLPAPER_RESULTS="$$(mktemp -d)"; export MARLPAPER_RESULTS; status=0; \
	$(RUN) -m pytest -p tests.notebook_runs --nbval --nbval-current-env --nbval-sanitize-with tests/nbval.cfg \
		-W default $(if $(EXECUTED),-n 0 --executed $(EXECUTED),-n 2 --dist loadfile --no-loadscope-reorder) $(NOTEBOOKS) || status=1; \
	rm -r "$$MARLPAPER_RESULTS"; exit $$status

# The tests that need no browser, no pipeline run and no cluster.
quick: set-up-test
	$(RUN) -m pytest -m "not slow"

# Every chapter with five other seeds, and with the parameters that a chapter suggests to change: what it concludes has to survive.
SEEDS ?= 11:16
CHAPTERS ?= $(basename $(notdir $(wildcard notebooks/*.md)))
OTHERS := ding2022-game-agnostic:step_size=0.02,0.2 ding2022-game-agnostic:iterations=1000 mao2023-theorem-1:long_iterations=2000 falsifier:trials=2000

reseed: set-up-test
	@status=0; \
	for name in $(CHAPTERS); do $(RUN) -m marlpaper.cli sweep $$name --param seed=$(SEEDS) || status=1; done; \
	for other in $(if $(filter command%,$(origin CHAPTERS)),,$(OTHERS)); do \
		$(RUN) -m marlpaper.cli sweep "$${other%%:*}" --param "$${other#*:}" || status=1; \
	done; exit $$status

# Every number of the claims changed, one at a time: a change that no pin notices is an error.
mutate: set-up-test
	$(RUN) -m tests.mutations

bench: set-up-bench
	$(RUN) -m benchmarks

# constraints.txt anew: one version of each package that every supported Python accepts, from the first release of the
# oldest on. What runs with them is for `make book` and `make test` to say.
upgrade:
	$(check-python)
	@[ -x .cache/upgrade/bin/uv ] || { $(PYTHON) -m venv .cache/upgrade && .cache/upgrade/bin/python -m pip install --quiet uv; }
	.cache/upgrade/bin/uv pip compile pyproject.toml --all-extras --universal --python-version $(OLDEST_PYTHON) \
		--fork-strategy fewest --upgrade --quiet --no-header --no-annotate --output-file constraints.txt

clean:
	rm -rf _build .cache runs .pytest_cache .hypothesis .benchmarks

set-up-book:
	$(call set-up,book)

set-up-test:
	$(call set-up,test)

set-up-bench:
	$(call set-up,bench)
