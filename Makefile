# One command each; every one of them does all its own set-up. See CONTRIBUTING.md.
VENV  ?= .venv
BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
# Overridable: make test ARGS="tests/test_tables.py -x", make test WORKERS=8
WORKERS ?= 2
ARGS  ?=

.PHONY: install demo test lint format docs bench constraints clean

install: $(VENV)/.installed

demo: install
	$(BIN)/strongsuit demo $(ARGS)

# One thread a worker: the numerical libraries would otherwise start a pool each.
test: install
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The pages are in site/index.html"

bench: $(VENV)/.installed-peers
	$(BIN)/strongsuit bench run partition $(ARGS)

# Pins what the environment holds now; run it in an environment that passes `make test lint docs`.
constraints: $(VENV)/.installed-docs
	@{ echo "# Versions that 'make install' uses. Written by 'make constraints'; ranges are in pyproject.toml."; \
	   $(BIN)/python -m pip freeze --all --exclude-editable | grep -E '^[A-Za-z0-9_.-]+==[^ ]+$$' | sort -f; \
	 } > constraints.txt.new && mv constraints.txt.new constraints.txt

clean:
	rm -rf site build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .cache

# The stamps make a second run free; a change of pyproject.toml or constraints.txt renews them.
$(VENV)/.installed: pyproject.toml constraints.txt
	@sh .ci/venv "$(VENV)"
	@echo "Installing into $(VENV) (the first time takes a few minutes) ..."
	$(PIP) install --constraint constraints.txt pip hatchling
	$(PIP) install --constraint constraints.txt --no-build-isolation --editable . --group dev
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) install --constraint constraints.txt --group docs
	@touch $@

# Packages compared with are taken one by one: one that cannot be built here is left out of the tables, and said so.
$(VENV)/.installed-peers: $(VENV)/.installed
	@for peer in $$($(BIN)/python .ci/peers); do \
	   $(PIP) install --constraint constraints.txt "$$peer" || echo "left out of the comparison: $$peer"; \
	 done
	@touch $@
