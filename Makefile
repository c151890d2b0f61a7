# Everything runs in .venv, which is made when it is needed from the tested versions in constraints.txt.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
# no test asks for what was logged, and to catch it for each costs a hundredth of the time
FAST := -n auto --dist worksteal -p no:logging -m "not slow and not gpu"
INSTALLED := $(VENV)/.installed
LOWEST := .venv-lowest

.PHONY: quickstart compare reproduce test test-slow test-lowest test-pythons test-gpu coverage lint format docs site release clean

quickstart: $(RUNS)
	$(BIN)/coview run recipes/quickstart.toml
	$(BIN)/coview run recipes/text/scipy-docs.toml
	$(BIN)/coview run recipes/audio/spoken-digits.toml

compare: $(RUNS)
	$(BIN)/coview compare recipes/compare/losses-quick.toml --processes 2

# make reproduce NAME=cifar-10-simclr: a recipe of recipes/reproduce, and whether it comes to the number published of it
REPRODUCIBLE := $(filter-out _%,$(basename $(notdir $(wildcard recipes/reproduce/*.toml))))
reproduce: $(RUNS)
ifeq ($(filter $(NAME),$(REPRODUCIBLE)),)
	@echo 'make reproduce NAME=…: which of these?'; printf '  %s\n' $(REPRODUCIBLE); exit 2
else
	$(BIN)/coview reproduce recipes/reproduce/$(NAME).toml
endif

test: $(INSTALLED)
	$(BIN)/pytest $(FAST) $(PYTEST_ARGS)

test-slow: $(INSTALLED)
	$(BIN)/pytest -m slow $(PYTEST_ARGS)

# With the oldest versions that pyproject.toml admits, in an environment of their own: before a floor is changed, and
# before a release. Python 3.11: the oldest releases have no wheels for later ones.
test-lowest: $(LOWEST)/.installed
	$(LOWEST)/bin/python -m pytest -m "not slow and not gpu" $(PYTEST_ARGS)

# With each Python that pyproject.toml admits, in environments of their own; uv fetches those that the machine lacks.
PYTHONS ?= 3.11 3.12 3.13
test-pythons: $(INSTALLED)
	$(BIN)/pip install --quiet uv
	set -e; for version in $(PYTHONS); do \
	  $(BIN)/uv venv --quiet --allow-existing --python $$version .venv-$$version; \
	  $(BIN)/uv pip install --quiet --python .venv-$$version/bin/python -e '.[all,test]'; \
	  .venv-$$version/bin/python -m pytest $(FAST) $(PYTEST_ARGS); \
	done

test-gpu: $(INSTALLED)
	$(BIN)/pytest -m gpu $(PYTEST_ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED)
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --strict

# The site of this version beside those of other versions, on the local branch gh-pages; nothing is pushed. mike calls
# mkdocs by its name.
site: $(INSTALLED)
	$(BIN)/python docs/generate.py
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/mike deploy --update-aliases "$$($(BIN)/python -c 'import coview; print(coview.__version__)')" latest
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/mike set-default latest

# How much of the code the fast tests run, in htmlcov/.
coverage: $(INSTALLED)
	$(BIN)/pytest $(FAST) --cov --cov-report=term:skip-covered --cov-report=html $(PYTEST_ARGS)

# The wheel and the sdist of what is committed, checked; nothing is uploaded.
release: $(INSTALLED)
	@test -z "$$(git status --porcelain)" || { echo 'make release: commit what has changed first, or remove it'; exit 2; }
	$(BIN)/pip install --quiet -c constraints.txt build twine
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*
	$(BIN)/python -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).getinfo("coview/_recipes/quickstart.toml")' dist/*.whl
	@ls -l dist

$(LOWEST)/.installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --upgrade pip uv
	$(LOWEST)/bin/uv pip install --python $(LOWEST)/bin/python --resolution lowest-direct -c constraints-lowest.txt -e '.[all,test]'
	touch $@

# Most modules are never imported. So each is compiled when it is first imported; where Python is told to keep nothing of
# that, all are, on all cores, after the installation.
COMPILE := $(if $(PYTHONDONTWRITEBYTECODE),-@$(BIN)/python -m compileall -qq --workers 0 $(VENV)/lib framework plugins)

define INSTALL
	$(PYTHON) .ci/install.py $(VENV) '$(EXTRAS)'
	$(COMPILE)
endef

# What runs need.
$(RUNS): EXTRAS := all
$(RUNS): pyproject.toml constraints.txt
	$(INSTALL)
	touch $@

# What tests, linters and documents need besides.
$(INSTALLED): EXTRAS := all,test,docs
$(INSTALLED): pyproject.toml constraints.txt
	$(INSTALL)
	touch $(RUNS) $@

clean:
	rm -rf $(VENV) $(LOWEST) $(PYTHONS:%=.venv-%) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis site htmlcov .coverage
	find framework plugins -name __pycache__ -prune -exec rm -rf {} +
