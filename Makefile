PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.installed-demo
# The main job needs neither parsers nor the tools of developers.
MAIN_EXTRAS := search,files
ALL_EXTRAS := $(MAIN_EXTRAS),ray,serve,onnx,eval,plots,parse,fasttext,tune,trackers,docs,dev

.PHONY: setup demo test check docs format bench release artefacts clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(call install,$(ALL_EXTRAS))
	@touch $@ $(DEMO_STAMP)

$(DEMO_STAMP): pyproject.toml constraints.txt
	$(call install,$(MAIN_EXTRAS))
	@touch $@

define install
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"selfsent needs Python 3.11 or newer; this is {v.major}.{v.minor}. Try: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(1)]'
endef

# In a virtual machine with small pages most of the demo's time can go into finding them; glibc asks for huge ones.
demo: $(DEMO_STAMP)
	GLIBC_TUNABLES=glibc.malloc.hugetlb=1 PYTHONMALLOC=malloc MALLOC_ARENA_MAX=2 $(BIN)/selfsent demo

# SLOW=1 runs the slow tests too, as .ci/run does. The many processes that tests start share compiled bytecode.
test: setup
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --dist worksteal $(if $(SLOW),-m "slow or not slow")

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/python -m tools.readme_tree --check
	$(BIN)/python -m tools.option_types --check
	$(BIN)/python -m tools.site

# Writes site/ from docs/, the docstrings and results/; needs no network.
docs: setup
	$(BIN)/python -m tools.site

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m tools.readme_tree
	$(BIN)/python -m tools.option_types

bench: setup
	$(BIN)/python -m benchmarks

# Wheel and sdist in dist/, each installed in an empty environment and tried.
release: setup
	$(BIN)/python -m tools.release

# The small models that come with a release: make artefacts DATA=sentences.txt TEACHER=MODEL
artefacts: setup
	$(BIN)/python -m tools.artefacts --data $(DATA) --teacher $(TEACHER) --output artefacts

clean:
	rm -rf $(VENV) site build dist .pytest_cache .ruff_cache .hypothesis selfsent-demo
