# Each command makes its own virtual environment in .venv, on first use, and asks nothing.
# PYTHON=/path/to/python chooses the Python to make it with.

.DEFAULT_GOAL := help
.PHONY: help demo example test test-browser test-all lint format bench clean
export PYTHON
# The tools belong to .venv, whatever else is active.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

INSTALL = @.ci/python .ci/install.py
RUN = @.venv/bin/python -m

help:
	@echo 'make demo    show sessions in MongoDB in a browser; Ctrl-C ends it'
	@echo 'make example NAME=flask    serve the example of a framework; Ctrl-C ends it'
	@echo 'make test    check style, types and documents, then run all tests'
	@echo 'make test-browser          run the tests that need Chromium'
	@echo 'make test-all  run the tests on all Pythons, frameworks and servers; this takes an hour'
	@echo 'make lint    check style and types alone'
	@echo 'make format  mend style where that can be done by a program'
	@echo 'make bench   measure what sessions cost, beside other stores; five minutes'
	@echo 'make clean   remove .venv and everything else that was made here'
	@echo
	@echo 'MONGODB_URL=mongodb://... uses a server that is already there,'
	@echo 'MONGOD=/path/to/mongod a program; otherwise one is found or installed.'

demo:
	$(INSTALL) demo
	$(RUN) examples.demo

example:
	@.ci/python -m examples.names "$(NAME)"
	$(INSTALL) examples
	$(RUN) examples "$(NAME)"

lint:
	$(INSTALL) dev
	$(RUN) ruff check --quiet
	$(RUN) ruff format --check --quiet
	$(RUN) mypy

format:
	$(INSTALL) dev
	$(RUN) ruff check --fix --quiet
	$(RUN) ruff format --quiet

# The last words are pytest's.
test: lint
	$(RUN) pytest

test-browser:
	$(INSTALL) dev
	$(RUN) pytest tests/browser

# All environments of tox.ini, one after the other.
test-all:
	$(INSTALL) dev
	$(RUN) tox run

bench:
	$(INSTALL) bench
	$(RUN) benchmarks

clean:
	rm -rf .venv .venv.lock .pylons .tox .coverage .coverage.* htmlcov build dist *.egg-info
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache screenshots
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
